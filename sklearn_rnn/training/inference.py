"""Outputs of a fitted network, independent of what else is in the batch.

On a CPU they are computed in float64, whatever the network was trained in: the order of the additions inside a matrix
product depends on its shape, so that in float32 the same sequence gets another seventh digit in another batch. In
float64 the difference is at the 1e-15 level, and vanishes when a result is used in float32.
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
from sklearn_rnn.networks.network import RecurrentNetwork
from sklearn_rnn.training.compute import compute_settings, explain_out_of_memory
from sklearn_rnn.training.precision import autocast_to_bfloat16

Module = TypeVar("Module", bound=nn.Module)

STEP_BUDGET = 2**13
"""Padded steps of one batch: enough to keep a matrix product busy, few enough to stay in the cache of a core."""


def evaluation_copy(network: RecurrentNetwork) -> RecurrentNetwork:
    """The network as it predicts: without dropout, and on a CPU in float64. It shares what need not be converted."""
    return _frozen(network, torch.float64 if _device(network).type == "cpu" else None)


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
        gather, all_lengths = HostGather(sequences), sequences.lengths
        for index in batches_by_steps(all_lengths, STEP_BUDGET):
            lengths = all_lengths[index]
            n_steps = max(int(lengths[-1]), 1)
            (values,) = gather(index, n_steps)
            if values.dtype.kind == "f":
                values = values.astype(dtype, copy=False)
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


def _device(network: RecurrentNetwork) -> torch.device:
    return next(network.parameters()).device


def _frozen(module: Module, dtype: torch.dtype | None) -> Module:
    """A copy of `module` in evaluation mode whose floats are in `dtype`, made without copying what stays the same.

    :func:`copy.deepcopy` of a small network takes longer than to predict a few hundred sequences with it.
    """

    def convert(tensor: Tensor) -> Tensor:
        kept = tensor.detach()
        return kept.to(dtype) if dtype is not None and kept.is_floating_point() else kept

    frozen = module.__new__(type(module))
    state: dict[str, Any] = dict(vars(module))
    state.pop("forward", None)  # one that a training run may have put in front of the class's own
    state["training"] = False
    state["_modules"] = {name: None if part is None else _frozen(part, dtype) for name, part in module._modules.items()}
    state["_buffers"] = {name: None if buffer is None else convert(buffer) for name, buffer in module._buffers.items()}
    state["_parameters"] = {
        name: None if parameter is None else nn.Parameter(convert(parameter), requires_grad=False)
        for name, parameter in module._parameters.items()
    }
    frozen.__dict__.update(state)
    if isinstance(frozen, nn.RNNBase):  # it has a second list of its weights
        frozen._flat_weights = [getattr(frozen, name) for name in frozen._flat_weights_names]
    return frozen
