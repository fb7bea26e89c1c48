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
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sklearn_rnn.data.batching import HostGather, batches_by_steps
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.networks.linear import LinearInOrder
from sklearn_rnn.networks.network import RecurrentNetwork
from sklearn_rnn.networks.pooling import LastPooling
from sklearn_rnn.training.compute import compute_settings, explain_out_of_memory
from sklearn_rnn.training.precision import autocast_to_bfloat16

Module = TypeVar("Module", bound=nn.Module)

STEP_BUDGET = 2**15
"""Padded steps of one batch: enough that what is done once a batch takes little of the time."""

NUMBER_BUDGET = 2**21
"""Numbers of one batch, as inputs, states or outputs."""


def evaluation_copy(network: RecurrentNetwork) -> RecurrentNetwork:
    """The network as it predicts: without dropout, and on a CPU in float64 but for what the kernels compute.

    It is for the engine in use. What need not be converted is shared with the network.
    """
    if _device(network).type != "cpu":
        return _frozen(network, None)
    kept = network.backbone.layers if network.backbone.may_fuse() else None
    copy = _frozen(network, torch.float64, kept)
    if kept is not None:
        copy.backbone.outer_dtype = torch.float64
        if isinstance(copy.pooling, LastPooling):
            copy.pooling.dtype, copy.backbone.casts_states = torch.float64, False
    return copy


def compute_outputs(
    network: RecurrentNetwork,
    sequences: Sequences,
    compute: Callable[[RecurrentNetwork, Tensor, Tensor], Tensor],
    *,
    per_step: bool,
    n_threads: int | None = None,
    engine: str = "auto",
    autocast: bool = False,
) -> NDArray[np.float64]:
    """Run `compute` over all sequences in batches of similar length.

    Beside the outputs, memory is taken for one batch at a time.

    Parameters
    ----------
    network : RecurrentNetwork
    sequences : Sequences
    compute : callable
        Maps network, values (batch, n_steps, ...) and lengths (batch,) to a tensor (batch, ...) or, with `per_step`,
        (batch, n_steps, ...).
    per_step : bool
    n_threads : int or None
    engine : {"auto", "fused", "torch"}
    autocast : bool
        Whether matrix products are computed in bfloat16, on a device that is not the CPU.

    Returns
    -------
    outputs : array of shape (n_sequences, ...) or, with `per_step`, (total_steps, ...) in the order of the steps
    """
    outputs: NDArray[np.float64] | None = None
    by_torch = network.backbone.left_to_torch(engine)
    settings = compute_settings(n_threads, engine, recurrent_by_torch=by_torch)
    with settings, torch.inference_mode(), explain_out_of_memory():
        device = _device(network)
        network = evaluation_copy(network)
        dtype = torch.empty(0, dtype=next(network.parameters()).dtype).numpy().dtype
        mixed = network.backbone.outer_dtype is not None  # and takes inputs of both types
        gather, all_lengths = HostGather(sequences), sequences.lengths
        for index in batches_by_steps(all_lengths, _steps_of_batch(network)):
            lengths = all_lengths[index]
            n_steps = max(int(lengths[-1]), 1)
            (values,) = gather(index, n_steps)
            if values.dtype.kind == "f":
                values = values.astype(np.promote_types(values.dtype, dtype) if mixed else dtype, copy=False)
            with autocast_to_bfloat16(device, enabled=autocast and device.type != "cpu"):
                result = compute(network, torch.from_numpy(values).to(device), torch.from_numpy(lengths).to(device))
            batch = result.cpu().double().numpy()
            if outputs is None:
                n_rows = int(sequences.offsets[-1]) if per_step else len(sequences)
                outputs = np.empty((n_rows, *batch.shape[1 + per_step :]))
            if per_step:
                inside = np.arange(batch.shape[1]) < lengths[:, None]
                rows = sequences.offsets[:-1][index][:, None] + np.arange(batch.shape[1])
                outputs[rows[inside]] = batch[inside]
            else:
                outputs[index] = batch
    assert outputs is not None, "the door lets no empty X in"
    return outputs


def _steps_of_batch(network: RecurrentNetwork) -> int:
    """How many padded steps are within the budgets of a batch; at least one."""
    first: Any = network.backbone.layers[0]
    widest = max(first.directions[0].input_size, network.backbone.output_size, network.head.out_features)
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
