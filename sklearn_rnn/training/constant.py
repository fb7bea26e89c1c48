"""Whether a training has learned anything: its loss against that of the best constant prediction."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skorch import NeuralNet
from torch import Tensor

from sklearn_rnn._warning import warn
from sklearn_rnn.data.batching import Batch, SequenceDataset
from sklearn_rnn.data.splitting import batches_by_steps
from sklearn_rnn.exceptions import NothingLearnedWarning
from sklearn_rnn.networks.losses import CHAIN, CROSS_ENTROPY, LIKELIHOOD, NEXT_SYMBOL, WeightedLoss

ENOUGH_STEPS = 200
"""Optimizer steps of a training below which it says nothing that it has not learned: it was meant to be short."""

ENOUGH_SEQUENCES = 20
"""Sequences below which a loss says little."""

GAIN = 0.02
"""The least gain over the best constant, as a share of its loss, or of 1 where that is more, that is any at all."""

NEARLY_PERFECT = 0.05
"""A loss of the best constant that leaves nothing to be gained: that of 99 of 100 sequences in one class."""

ROWS = 2**16
"""Targets that are numbers are looked at up to so many of them, drawn at random."""

SEQUENCES = 512
"""As many sequences are read once more, without dropout, where the losses of a training rouse suspicion."""

STEPS_OF_A_BATCH = 2**13

FEW_STEPS = 1000
"""Optimizer steps that many data sets are not learned in."""

USUAL_SIZE = 0.05, 20.0
"""Between which numbers of X do not hinder learning."""


def warn_if_nothing_learned(
    net: NeuralNet, training: SequenceDataset, options: Any, losses: list[float], n_steps: int
) -> None:
    """Warn if the network that a training has left is no better on its own data than the best constant prediction.

    Parameters
    ----------
    net : skorch.NeuralNet
        With the weights that are kept.
    training : SequenceDataset
    options : TrainingOptions
    losses : list of float
        The training loss of each whole epoch.
    n_steps : int
        Optimizer steps that were made.
    """
    if n_steps < ENOUGH_STEPS or len(training) < ENOUGH_SEQUENCES or not losses:
        return
    loss = min(losses) if options.early_stopping else losses[-1]
    if not _no_gain(loss, _of_labels(net, training.targets, training.weights, len(training))):
        return
    sample = _read_again(net, training)
    constant = _of_labels(net, sample.targets, sample.weights, sample.n_sequences)
    if not _no_gain(sample.loss, constant):
        return
    if net.criterion_.settings.label_smoothing:  # what is left to a network that knows each label
        least = _of_labels(net, sample.targets[:1], sample.weights.sum(keepdims=True), sample.n_sequences)
        if constant - least < NEARLY_PERFECT:
            return
    warn(
        f"Nothing was learned from X: after {n_steps} optimizer steps the training loss, {sample.loss:.4g}, is that of "
        f"the best constant prediction, {constant:.4g}. Likely causes: "
        f"{'; '.join(_likely_causes(training, options, sample, n_steps))}",
        NothingLearnedWarning,
    )


def loss_of_best_constant(
    criterion: WeightedLoss, targets: Tensor, weights: Tensor, n_outputs: int, first: tuple[float, ...] | None = None
) -> float:
    """The least sum of weighted losses that the same outputs for all targets can have.

    A chain of labels is measured as labels that do not depend on each other.

    Parameters
    ----------
    criterion : WeightedLoss
    targets : tensor of shape (n, ...)
    weights : tensor of float64, shape (n,)
    n_outputs : int
    first : tuple of float, optional
        Outputs to begin with, by default 0.

    Returns
    -------
    loss : float
    """
    if criterion.loss is NEXT_SYMBOL:  # the logits of all symbols for each of them would be many
        share = torch.zeros(n_outputs, dtype=torch.float64).index_add_(0, targets, weights / weights.sum())
        smooth = criterion.settings.label_smoothing
        return float(weights.sum() * torch.special.entr((1 - smooth) * share + smooth / n_outputs).sum())
    loss = CROSS_ENTROPY if criterion.loss is CHAIN else criterion.loss
    batch = Batch(weights, weights, targets, weights)
    outputs = torch.zeros(n_outputs, dtype=torch.float64) if first is None else torch.tensor(first).double()
    outputs.requires_grad_()
    optimizer = torch.optim.LBFGS([outputs], max_iter=60, line_search_fn="strong_wolfe")
    seen = []

    def closure() -> Tensor:
        optimizer.zero_grad()
        total = loss.of_batch(outputs.expand(len(weights), -1), batch, None, criterion.settings)
        total.backward()
        seen.append(float(total.detach()))
        return total

    optimizer.step(closure)
    return min((value for value in seen if math.isfinite(value)), default=math.inf)


def _no_gain(loss: float, constant: float) -> bool:
    """Whether a `loss` is that of the best `constant`, which leaves something to be gained."""
    return NEARLY_PERFECT <= abs(constant) < math.inf and loss > constant - GAIN * min(1.0, abs(constant))


def _of_labels(net: NeuralNet, targets: NDArray[Any], weights: NDArray[Any], n_sequences: int) -> float:
    """The loss of the best constant for `targets` (n, ...) and `weights` (n,), on the scale of the training loss.

    That of a distribution with weights of its own in the head is not known: infinity.
    """
    if net.criterion_.loss is LIKELIHOOD:
        return math.inf
    targets, summed = _distinct(targets, weights.astype(np.float64))
    found = loss_of_best_constant(
        net.criterion_,
        torch.from_numpy(targets),
        torch.from_numpy(summed),
        net.module_.head.n_outputs,
        net.module__spec.head.first_bias,
    )
    return found / n_sequences


def _distinct(targets: NDArray[Any], weights: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Each code once with the sum of its weights; of numbers a sample, which weighs as much as all."""
    if targets.ndim == 1:
        summed = np.bincount(targets[weights > 0], weights[weights > 0])
        codes: NDArray[Any] = np.flatnonzero(summed)
        return codes, summed[codes]
    rows = np.flatnonzero(weights)
    if len(rows) > ROWS:
        rows = np.random.RandomState(0).choice(rows, ROWS)
    return targets[rows].astype(np.float64), weights[rows] * (weights.sum() / weights[rows].sum())


@dataclass
class _Sample:
    """Some sequences that were read once more: their mean loss, labels, and the size of what was read."""

    loss: float
    targets: NDArray[Any]
    weights: NDArray[np.float64]
    n_sequences: int
    size: float


@torch.no_grad()
def _read_again(net: NeuralNet, training: SequenceDataset) -> _Sample:
    """A sample of the training data, and what the network makes of it without dropout."""
    net.module_.eval()
    lengths = training.n_steps
    rows = np.sort(np.random.RandomState(0).permutation(len(lengths))[:SEQUENCES])
    loss, sizes = 0.0, []
    targets, weights = [], []
    for index in batches_by_steps(lengths[rows], STEPS_OF_A_BATCH):
        batch = training.batch(training.place(rows[index]))
        with net.criterion_.serving(net.module_.head):
            outputs = net.module_(*batch.given)
            loss += float(net.criterion_(outputs, batch, net.module_.head)) * len(batch)
        kept = batch.weight > 0
        targets.append(batch.target[kept].cpu().numpy())
        weights.append(batch.weight[kept].double().cpu().numpy())
        sizes.append(float(batch.values[batch.values != 0].abs().double().median()))
    size = float(np.nanmedian(sizes)) if net.module_.inputs is None and not np.isnan(sizes).all() else math.nan
    return _Sample(loss / len(rows), np.concatenate(targets), np.concatenate(weights), len(rows), size)


def _likely_causes(training: SequenceDataset, options: Any, sample: _Sample, n_steps: int) -> list[str]:
    """What may be the matter, the likeliest first, each with what to do."""
    causes = []
    low, high = USUAL_SIZE
    if not low <= sample.size <= high and math.isfinite(sample.size):
        causes.append(f"numbers in X of a size of {sample.size:.3g}, not 1 (scale them: standardize=True)")
    median = float(np.median(training.n_steps))
    if math.isfinite(sample.size) and training.n_features >= 10 * median:
        causes.append(f"{training.n_features} features in {median:.0f} step(s) (swap the axes of X, if they are)")
    causes.append(f"learning_rate={options.learning_rate!r} (too high or too low)")
    if n_steps < FEW_STEPS:
        limit = "max_epochs" if options.max_time is None else "max_epochs or max_time"
        causes.append(f"too few steps (raise {limit})")
    return [*causes, "a y that does not depend on X"]
