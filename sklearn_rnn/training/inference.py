"""Outputs of a fitted network, independent of what else is in the batch.

On a CPU they are computed in float64, whatever the network was trained in: the order of the additions inside a matrix
product depends on its shape, so that in float32 the same sequence gets another seventh digit in another batch. In
float64 the difference is at the 1e-15 level, and vanishes when a result is used in float32.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sklearn_rnn.data.batching import PaddedGather, batches_by_steps
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.networks.network import RecurrentNetwork
from sklearn_rnn.training.compute import compute_settings, explain_out_of_memory

STEP_BUDGET = 2**14
"""Padded steps of one batch: enough to keep a matrix product busy, and a bound on memory."""


def evaluation_copy(network: RecurrentNetwork) -> RecurrentNetwork:
    """The network as it predicts: without dropout, and on a CPU in float64."""
    network = copy.deepcopy(network).eval()
    return network.double() if _device(network).type == "cpu" else network


def compute_outputs(
    network: RecurrentNetwork,
    sequences: Sequences,
    compute: Callable[[RecurrentNetwork, Tensor, Tensor], Tensor],
    *,
    per_step: bool,
    n_threads: int | None = None,
) -> NDArray[np.float64]:
    """Run `compute` over all sequences in batches of similar length.

    Parameters
    ----------
    network : RecurrentNetwork
    sequences : Sequences
    compute : callable
        Maps network, values (batch, n_steps, ...) and lengths (batch,) to a tensor (batch, ...) or, with `per_step`,
        (batch, n_steps, ...).
    per_step : bool
    n_threads : int or None

    Returns
    -------
    outputs : array of shape (n_sequences, ...) or, with `per_step`, (total_steps, ...) in the order of the steps
    """
    outputs: NDArray[np.float64] | None = None
    with compute_settings(n_threads), torch.inference_mode(), explain_out_of_memory():
        network = evaluation_copy(network)
        gather = PaddedGather(sequences, _device(network))
        for index in batches_by_steps(sequences.lengths, STEP_BUDGET):
            n_steps = int(sequences.lengths[index].max())
            values, lengths = gather(torch.from_numpy(index).to(_device(network)), max(n_steps, 1))
            if values.is_floating_point():
                values = values.to(next(network.parameters()).dtype)
            batch = compute(network, values, lengths).cpu().double().numpy()
            if outputs is None:
                n_rows = int(sequences.offsets[-1]) if per_step else len(sequences)
                outputs = np.empty((n_rows, *batch.shape[1 + per_step :]))
            if per_step:
                inside = np.arange(batch.shape[1]) < sequences.lengths[index][:, None]
                rows = sequences.offsets[:-1][index][:, None] + np.arange(batch.shape[1])
                outputs[rows[inside]] = batch[inside]
            else:
                outputs[index] = batch
    assert outputs is not None, "the door lets no empty X in"
    return outputs


def _device(network: RecurrentNetwork) -> torch.device:
    return next(network.parameters()).device
