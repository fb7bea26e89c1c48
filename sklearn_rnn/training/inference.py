"""Outputs of a fitted network, independent of what else is in the batch.

The order of the additions inside a matrix product depends on its shape, so that in float32 the same sequence gets
another seventh digit in another batch. What torch computes on a CPU is therefore computed in float64, whatever the
network was trained in: there the difference is at the 1e-15 level, and vanishes when a result is used in float32.

The kernels add in the same order for any batch (``sklearn_rnn.kernels.products``). Recurrences that they compute stay
in the type of the network, and together with a linear head on the last, or on the greatest, or on each state they give
the same sequence the same outputs to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sklearn_rnn.data.gathering import HostGather
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.splitting import batches_by_steps
from sklearn_rnn.networks.linear import LinearInOrder
from sklearn_rnn.networks.network import RecurrentNetwork
from sklearn_rnn.networks.state import State
from sklearn_rnn.networks.stepping import NetworkStepper, make_stepper
from sklearn_rnn.training.compute import compute_settings, explain_out_of_memory
from sklearn_rnn.training.precision import autocast_to_bfloat16

Module = TypeVar("Module", bound=nn.Module)

STEP_BUDGET = 2**15
"""Padded steps of one batch: enough that what is done once a batch takes little of the time."""

NUMBER_BUDGET = 2**21
"""Numbers of one batch, as inputs, states or outputs."""

PIECE = 2**8
"""Steps of a sequence that goes on piece by piece."""


def evaluation_copy(network: RecurrentNetwork) -> RecurrentNetwork:
    """The network as it predicts: without dropout, and on a CPU in float64 but for what the kernels compute.

    It is for the engine in use. What need not be converted is shared with the network.
    """
    if _device(network).type != "cpu":
        return _frozen(network, None)
    kept = network.backbone.layers if network.backbone.may_fuse() else None
    return _frozen(network, torch.float64, kept)


Compute = Callable[..., Tensor]
"""Maps a network, values (batch, n_steps, ...), lengths (batch,) and what is beside them to a tensor."""


class Predictor:
    """One evaluation copy of a network, for all that a prediction computes.

    It is a context: inside, threads and engine are those of the prediction.

    Parameters
    ----------
    network : RecurrentNetwork
    n_threads : int or None
    engine : {"auto", "fused", "torch"}
    autocast : bool
        Whether matrix products are computed in bfloat16, on a device that is not the CPU.
    """

    def __init__(
        self, network: RecurrentNetwork, *, n_threads: int | None = None, engine: str = "auto", autocast: bool = False
    ) -> None:
        self._network = network
        self.device = _device(network)
        by_torch = network.convolves or network.backbone.left_to_torch(engine)
        self._settings = compute_settings(n_threads, engine, recurrent_by_torch=by_torch)
        self._autocast = autocast and self.device.type != "cpu"
        self._contexts = ExitStack()

    def __enter__(self) -> Predictor:
        with ExitStack() as contexts:
            for context in (self._settings, torch.inference_mode(), explain_out_of_memory(training=False)):
                contexts.enter_context(context)
            self.network = evaluation_copy(self._network)
            self._contexts = contexts.pop_all()
        return self

    def __exit__(self, *error: Any) -> bool | None:
        return self._contexts.__exit__(*error)

    def __call__(
        self, compute: Compute, sequences: Sequences, *beside: NDArray[Any], per_step: bool
    ) -> NDArray[np.float64]:
        """Run `compute` over all sequences in batches of similar length.

        Beside the results, memory is taken for one batch at a time.

        Parameters
        ----------
        compute : callable
            Maps network, values (batch, n_steps, ...), lengths (batch,) and the arrays beside them
            (batch, n_steps, ...) to a tensor (batch, ...) or, with `per_step`, (batch, n_steps, ...).
        sequences : Sequences
            At least one.
        *beside : arrays of shape (total_steps, ...)
            With a row for each step of the sequences.
        per_step : bool

        Returns
        -------
        results : array of shape (n_sequences, ...) or, with `per_step`, (total_steps, ...) in the order of the steps
        """
        results: NDArray[np.float64] | None = None
        gather, all_lengths = HostGather(sequences, beside), sequences.lengths
        for index in batches_by_steps(all_lengths, _steps_of_batch(self.network)):
            lengths = all_lengths[index]
            arrays = [self._as_computed(array) for array in gather(index, max(int(lengths[-1]), 1))]
            values, *others = (torch.from_numpy(array).to(self.device) for array in arrays)
            with autocast_to_bfloat16(self.device, enabled=self._autocast):
                result = compute(self.network, values, torch.from_numpy(lengths).to(self.device), *others)
            batch = result.cpu().double().numpy()
            if results is None:
                n_rows = int(sequences.offsets[-1]) if per_step else len(sequences)
                results = np.empty((n_rows, *batch.shape[1 + per_step :]))
            if per_step:
                inside = np.arange(batch.shape[1]) < lengths[:, None]
                rows = sequences.offsets[:-1][index][:, None] + np.arange(batch.shape[1])
                results[rows[inside]] = batch[inside]
            else:
                results[index] = batch
        assert results is not None, "the door lets no empty X in"
        return results

    def in_pieces(self, compute: Compute, sequences: Sequences, *beside: NDArray[Any]) -> NDArray[np.float64]:
        """As calling it with `per_step`, for a network that goes on from a state, and sequences of any length.

        Memory is taken for a piece of some sequences at a time.

        Parameters
        ----------
        compute : callable
            Maps network, hidden states (batch, n_steps, units), lengths (batch,) and the arrays beside them
            (batch, n_steps, ...) to a tensor (batch, n_steps, ...).
        sequences : Sequences
            At least one step.
        *beside : arrays of shape (total_steps, ...)

        Returns
        -------
        results : array of shape (total_steps, ...)
        """
        results: NDArray[np.float64] | None = None
        budget = max(1, _steps_of_batch(self.network) // PIECE)
        order = np.argsort(-sequences.lengths, kind="stable")
        for start in range(0, len(order), budget):
            group = order[start : start + budget]
            group = group[sequences.lengths[group] > 0]
            state: State | None = None
            for first in range(0, int(sequences.lengths[group].max(initial=0)), PIECE):
                running = group[sequences.lengths[group] > first]
                if state is not None and len(running) < state.batch_size:
                    state = state.take(torch.arange(len(running), device=self.device))
                lengths = np.minimum(sequences.lengths[running] - first, PIECE)
                rows = sequences.offsets[:-1][running][:, None] + first + np.arange(int(lengths[0]))
                inside = np.arange(rows.shape[1]) < lengths[:, None]
                rows = np.minimum(rows, sequences.offsets[1:][running][:, None] - 1)
                values, *others = (self._sent(array[rows]) for array in (sequences.values, *beside))
                with autocast_to_bfloat16(self.device, enabled=self._autocast):
                    where = torch.from_numpy(lengths).to(self.device)
                    hidden, state = self.network.advance(values, where, state)
                    batch = compute(self.network, hidden, where, *others).cpu().double().numpy()
                if results is None:
                    results = np.empty((int(sequences.offsets[-1]), *batch.shape[2:]))
                results[rows[inside]] = batch[inside]
        assert results is not None, "there is a step"
        return results

    def after(self, sequences: Sequences, *, carried: bool) -> NDArray[np.float64]:
        """The hidden state after the last step of each sequence, (n_sequences, units).

        Parameters
        ----------
        sequences : Sequences
            None of them empty, unless they are `carried`.
        carried : bool
            Whether each goes on from the one before.
        """
        if not carried:
            ends = np.zeros(int(sequences.offsets[-1]), dtype=bool)
            ends[sequences.offsets[1:] - 1] = True
            return self.in_pieces(lambda net, hidden, n: hidden, sequences)[ends]
        found = np.zeros((len(sequences), self.network.output_size))
        state: State | None = None
        for i, steps in enumerate(sequences):
            found[i] = found[i - 1] if i else 0
            for first in range(0, len(steps), PIECE):
                values = self._sent(steps[None, first : first + PIECE])
                hidden, state = self.network.advance(values, torch.tensor([values.shape[1]], device=self.device), state)
                found[i] = hidden[0, -1].cpu().double().numpy()
        return found

    def _sent(self, array: NDArray[Any]) -> Tensor:
        """A part of a batch on the device."""
        return torch.from_numpy(np.ascontiguousarray(self._as_computed(array))).to(self.device)

    def stepper(self, n_streams: int) -> NetworkStepper:
        """What goes on through the copy step by step, for sequences beside each other, also when the context is left.

        Raises
        ------
        ValueError
            If the network reads sequences from their end, too.
        """
        return make_stepper(self.network, n_streams)

    def _as_computed(self, array: NDArray[Any]) -> NDArray[Any]:
        """On a device that is not the CPU floats are in the type of the network; on a CPU each part casts its own."""
        if self.device.type == "cpu" or array.dtype.kind != "f":
            return array
        dtype = torch.empty(0, dtype=next(self.network.parameters()).dtype).numpy().dtype
        return array.astype(dtype, copy=False)


def _steps_of_batch(network: RecurrentNetwork) -> int:
    """How many padded steps are within the budgets of a batch; at least one."""
    first: Any = network.backbone.layers[0]
    widest = max(first.directions[0].input_size, network.output_size, network.head.n_outputs)
    return max(1, min(STEP_BUDGET, NUMBER_BUDGET // widest))


def _device(network: RecurrentNetwork) -> torch.device:
    return next(network.parameters()).device


def _frozen(module: Module, dtype: torch.dtype | None, kept: nn.Module | None = None) -> Module:
    """A copy of `module` in evaluation mode whose floats, but for those of the part `kept`, are in `dtype`.

    :func:`copy.deepcopy` of a small network takes longer than to predict a few hundred sequences with it.
    """

    def convert(tensor: Tensor) -> Tensor:
        kept = tensor.detach()
        return kept.to(dtype) if dtype is not None and kept.is_floating_point() else kept

    if module is kept:
        dtype = None
    kind: Any = LinearInOrder if dtype is not None and type(module) is nn.Linear else type(module)
    frozen = module.__new__(kind)
    state: dict[str, Any] = dict(vars(module))
    state.pop("forward", None)  # one that a training run may have put in front of the class's own
    state["training"] = False
    state["_modules"] = {
        name: None if part is None else _frozen(part, dtype, kept) for name, part in module._modules.items()
    }
    state["_buffers"] = {name: None if buffer is None else convert(buffer) for name, buffer in module._buffers.items()}
    state["_parameters"] = {
        name: None if parameter is None else nn.Parameter(convert(parameter), requires_grad=False)
        for name, parameter in module._parameters.items()
    }
    frozen.__dict__.update(state)
    if isinstance(frozen, nn.RNNBase):  # it has a second list of its weights
        frozen._flat_weights = [getattr(frozen, name) for name in frozen._flat_weights_names]
    return frozen
