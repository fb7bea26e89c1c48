"""What the tests of losses share."""

import torch
from chain_oracle import head_with

from sklearn_rnn.data.batching import Batch
from sklearn_rnn.networks.losses import (
    BINARY_CROSS_ENTROPY,
    CHAIN,
    CROSS_ENTROPY,
    SQUARED_ERROR,
    LossSettings,
    WeightedLoss,
)

SMOOTHING = [0.0, 0.2]
LOSSES = {loss.name: loss for loss in (CROSS_ENTROPY, BINARY_CROSS_ENTROPY, SQUARED_ERROR, CHAIN)}


def loss_of(name, **options):
    """The weighted loss of that name, with these settings."""
    return WeightedLoss(LOSSES[name], LossSettings(**options))


def batch_of(target, weight, lengths=None):
    """A batch that says nothing about its inputs."""
    n_steps = weight.shape[1] if weight.ndim > 1 else 1
    lengths = torch.full(weight.shape[:1], n_steps) if lengths is None else lengths
    return Batch(torch.empty(*weight.shape[:1], n_steps, 0), lengths, target, weight)


def rows_of(batch, rows):
    """The sequences at `rows`."""
    return batch_of(batch.target[rows], batch.weight[rows], batch.lengths[rows])


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def ones(*shape):
    return torch.ones(*shape, dtype=torch.float64)


def sets_with(*unions, n_classes=3):
    """Which classes a code stands for: each class itself, then the `unions`."""
    rows = torch.eye(n_classes, dtype=torch.bool)
    return torch.cat([rows, *(rows[list(union)].any(0)[None] for union in unions)])


SETS = sets_with((0, 1, 2), (0, 2))


def loss_and_gradients(loss, batch, *tensors):
    """The loss of outputs, and of the scores of a chain if they are given, and its gradients to them."""
    inputs = [tensor.detach().clone().requires_grad_() for tensor in tensors]
    value = loss(inputs[0], batch, *map(head_with, inputs[1:]))
    return value.detach(), torch.autograd.grad(value, inputs)
