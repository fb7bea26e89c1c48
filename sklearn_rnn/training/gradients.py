"""How far the gradient reaches back through time: its norm with respect to the hidden state at each step."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from sklearn_rnn.data.batching import SequenceDataset
from sklearn_rnn.data.splitting import batches_by_steps
from sklearn_rnn.networks.layer import reverse_within_length
from sklearn_rnn.networks.losses import WeightedLoss
from sklearn_rnn.networks.network import RecurrentNetwork
from sklearn_rnn.networks.recurrent import Layers
from sklearn_rnn.training.compute import compute_settings, explain_out_of_memory
from sklearn_rnn.training.inference import evaluation_copy

STEP_BUDGET = 2**12
"""Padded steps of one batch, whose hidden states and gradients are all kept in memory."""


def hidden_gradient_norms(
    network: RecurrentNetwork, data: SequenceDataset, loss: WeightedLoss, *, n_threads: int | None = None
) -> NDArray[np.float64]:
    """The norm of the gradient of each sequence's loss with respect to its hidden states.

    Computed in float64 and without dropout, through all steps whatever `tbptt_steps` is.

    Parameters
    ----------
    network : RecurrentNetwork
    data : SequenceDataset
        At least one sequence, and no empty one.
    loss : WeightedLoss
    n_threads : int or None

    Returns
    -------
    norms : array of shape (n_layers, n_directions, total_steps)
        Steps in the order of the data, as many as ``network.shortened`` says. The backward direction's state at a step
        is the one that it has when it comes to that step from the sequence's end.
    """
    lengths = network.shortened(data.n_steps)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    with compute_settings(n_threads, "torch"), torch.enable_grad(), explain_out_of_memory(training=False):
        network = evaluation_copy(network).double().requires_grad_(True)
        loss = loss.to(next(network.parameters()).device)  # with the sets of labels that it may hold
        layers = network.backbone.layers
        norms = np.empty((len(layers), len(layers[0].directions), offsets[-1]))
        for index in batches_by_steps(lengths, STEP_BUDGET):
            batch = _batch_norms(network, layers, data, index, loss)
            inside = np.arange(batch.shape[-1]) < lengths[index][:, None]
            rows = offsets[:-1][index][:, None] + np.arange(batch.shape[-1])
            norms[..., rows[inside]] = batch[..., inside]
    return norms


def _batch_norms(
    network: RecurrentNetwork, layers: Layers, data: SequenceDataset, index: NDArray[np.int64], loss: WeightedLoss
) -> NDArray[np.float64]:
    """The norms for the sequences at `index`, (n_layers, n_directions, batch, n_steps); on padding anything."""
    batch = data.batch(index)
    values, lengths = batch.values, network.shortened(batch.lengths)
    for layer in layers:
        layer.recorded = []
    outputs = network(values.double() if values.is_floating_point() else values, batch.lengths)
    # a sum over sequences, none of which depends on another's states
    total = loss(outputs, batch, network.head) * len(index)
    recorded = [hidden for layer in layers for hidden in layer.recorded or ()]
    gradients = iter(torch.autograd.grad(total, [state for hidden in recorded for state in hidden]))
    norms = []
    for k, hidden in enumerate(recorded):
        gradient = torch.stack([next(gradients) for _ in hidden])
        # shape: (n_steps, batch, units)
        backward = k % len(layers[0].directions) == 1
        norms.append((reverse_within_length(gradient, lengths) if backward else gradient).norm(dim=2).T)
    stacked = torch.stack(norms).cpu().numpy()
    return stacked.reshape(len(layers), -1, *stacked.shape[1:])


def mean_by_step(values: NDArray[np.float64], lengths: NDArray[np.int64], *, align: str) -> NDArray[np.float64]:
    """Means over sequences, at each step over those that have it.

    Parameters
    ----------
    values : array of shape (..., total_steps)
        One sequence after the other.
    lengths : array of shape (n_sequences,)
    align : {"start", "end"}
        Where sequences of unequal length are laid on each other: at their first or their last step.

    Returns
    -------
    means : array of shape (..., max(lengths))
    """
    longest = int(lengths.max())
    starts = np.repeat(np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths)
    position = np.arange(values.shape[-1]) - starts
    if align == "end":
        position += np.repeat(longest - lengths, lengths)
    rows = values.reshape(-1, values.shape[-1])
    sums = np.zeros((longest, len(rows)))
    np.add.at(sums, position, rows.T)
    means = sums / np.bincount(position, minlength=longest)[:, None]
    return means.T.reshape(*values.shape[:-1], longest)
