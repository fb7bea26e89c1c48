"""Whether a training has diverged: losses, weights and outputs that are no finite numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skorch import NeuralNet
from torch import Tensor

from sklearn_rnn.data.batching import SequenceDataset
from sklearn_rnn.data.splitting import batches_by_steps
from sklearn_rnn.exceptions import TrainingDivergedError
from sklearn_rnn.networks.pooling import step_mask

Predict = Callable[[NDArray[Any]], NDArray[Any]]

HARMLESS = 1e3
"""A norm of weights up to which only the longest sequences are looked at: what a step spoils is seen in them first."""

STEPS_LOOKED_AT = 2**12
"""Padded steps of one batch of those that are looked at in the end, and the most of one sequence."""


class NonFiniteOutputsError(ArithmeticError):
    """Predictions of the validation data are no finite numbers: of no use to a score."""


def diverged(what: str, epoch: int, options: Any) -> TrainingDivergedError:
    """The error that says that `what` is no finite number after `epoch`, and what to try."""
    return TrainingDivergedError(
        f"{what} in epoch {epoch}. Try a lower learning_rate "
        f"(now {options.learning_rate!r}), a clip_grad_norm such as 1.0 (now {options.clip_grad_norm!r}), "
        f"nonlinearity='tanh', or inputs and targets on a common scale (standardize='auto' scales inputs)"
    )


def check_epoch(net: NeuralNet, epoch: int, options: Any) -> None:
    """Raise TrainingDivergedError unless the losses of an epoch and the weights that it has left are finite.

    The loss of a batch is that before the step which it leads to: the last step of all shows in the weights alone.
    """
    record = net.history[-1]
    for loss in (float(record["train_loss"]), float(record.get("valid_loss", 0.0))):
        if not math.isfinite(loss):
            raise diverged(f"The loss became {loss!r}", epoch, options)
    if not math.isfinite(norm_of_weights(net)):
        raise diverged("Weights became infinite or NaN", epoch, options)


@torch.no_grad()
def check_outputs(
    net: NeuralNet, training: SequenceDataset, epoch: int, options: Any, predict: Predict | None = None
) -> None:
    """Raise TrainingDivergedError unless the network that a fit has left has finite outputs for what it learned from.

    Weights may be finite, and what they make of a sequence not. Nothing is looked at where that cannot be: not of cells
    whose states are bounded, with weights of a usual size. Of other cells with such weights a batch of the longest
    sequences is looked at, and else all.

    Parameters
    ----------
    net : skorch.NeuralNet
    training : SequenceDataset
    epoch : int
    options : TrainingOptions
    predict : callable, optional
        Maps outputs (n, n_outputs) to the numbers that they stand for, which have to be finite too.
    """
    norm = norm_of_weights(net)
    if _keeps_bounds(net, norm, predict):
        return
    lengths = training.n_steps
    rows = np.arange(len(lengths))
    if norm <= HARMLESS:
        rows = np.argsort(lengths, kind="stable")[-options.batch_size :]
    net.module_.eval()
    for index in batches_by_steps(lengths[rows], STEPS_LOOKED_AT):
        batch = training.batch(rows[index])
        if batch.target_lengths is None:
            lengths_seen = batch.lengths.clamp(max=STEPS_LOOKED_AT)
            outputs = net.module_(batch.values[:, :STEPS_LOOKED_AT], lengths_seen)
        else:
            lengths_seen = batch.target_lengths
            outputs = net.module_(*batch.given)
        if outputs.ndim > 2:  # one at each step; on padding anything
            outputs = outputs[step_mask(lengths_seen, outputs.shape[1])]
        if not _finite(outputs, predict):
            raise diverged("Predictions became infinite or NaN", epoch, options)


def _finite(outputs: Tensor, predict: Predict | None) -> bool:
    if predict is None or not bool(torch.isfinite(outputs).all()):
        return bool(torch.isfinite(outputs).all())
    with np.errstate(over="ignore"):
        return bool(np.isfinite(predict(outputs.double().cpu().numpy())).all())


@torch.no_grad()
def norm_of_weights(net: NeuralNet) -> float:
    """The greatest norm of the tensors of weights that a net learns; not finite if one of the weights is not."""
    weights = [weight for group in net.optimizer_.param_groups for weight in group["params"] if weight.numel()]
    norm = float(torch.stack(torch._foreach_norm(weights)).max())
    if math.isfinite(norm):
        return norm
    return float(torch.stack([weight.abs().max().double() for weight in weights]).max())  # squares overflow before


def _keeps_bounds(net: NeuralNet, norm: float, predict: Predict | None) -> bool:
    """Whether outputs are finite whatever is read: hidden states are at most 1, and weights of the size `norm`."""
    backbone, head = net.module_.backbone, net.module_.head
    layers = backbone.layers
    saturating = all(layer.cell.kernel is not None and not layer.unbounded for layer in layers)
    if not saturating or len(backbone.skips) or len(backbone.norms) or norm > HARMLESS:
        return False
    bound = norm * norm * (1 + backbone.output_size)
    outputs = torch.full((2, head.n_outputs), bound, dtype=torch.float64)
    outputs[1] *= -1
    return _finite(outputs, predict)
