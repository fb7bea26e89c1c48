"""Losses as records, and the module that weighs what they measure over a batch.

A record says how the loss of a batch is computed, what of the outputs a score needs, and which kernel, if any,
computes both the loss and its gradient. Steps of weight 0, and numbers that are not there, are left out before
anything is computed: what is not there cannot turn into NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sklearn_rnn.networks import number_losses
from sklearn_rnn.networks.chain import (
    constrained_log_partition,
    log_partition,
    path_log_probability,
    prefix_log_probabilities,
)
from sklearn_rnn.networks.heads import ChainHead, Head, LikelihoodHead, VocabularyHead


class BatchLike(Protocol):
    """What this room needs of a :class:`sklearn_rnn.data.batching.Batch`."""

    values: Tensor
    lengths: Tensor
    target: Tensor
    weight: Tensor


@dataclass(frozen=True)
class Loss:
    """How outputs are measured against a target.

    Attributes
    ----------
    name : str
    of_batch : callable
        Maps outputs (batch, [n_steps,] n_outputs), the batch, the head that they come from and the settings to the sum
        of the weighted losses.
    decide : callable
        What a score needs of outputs (..., n_outputs): the code of a class, or the outputs themselves.
    kernel : str or None
        The function of :mod:`sklearn_rnn.kernels.heads` that computes the loss of a batch and its gradient.
    maps : bool
        Whether it computes outputs by itself, some rows at a time, from what the last map of the head reads.
    """

    name: str
    of_batch: Callable[[Tensor, BatchLike, Any, LossSettings], Tensor]
    decide: Callable[[Tensor], Tensor]
    kernel: str | None = None
    maps: bool = False


@dataclass(frozen=True)
class LossSettings:
    """What a loss is told beside outputs and targets.

    Attributes
    ----------
    label_smoothing : float
        Share of each label spread evenly over all classes (Szegedy et al. 2016). In a chain it acts on the emissions of
        each step, not on the scores between labels.
    label_sets : tensor of bool, shape (n_codes, n_classes), or None
        The classes that each code of a step's target stands for, where some stand for more than one: the likelihood is
        that of all of them together. None: each code is its class.
    uneven : bool
        Whether the steps of a sequence may differ in their weights. Each then counts with the log-probability of its
        label given the labels before it, whose sum over a sequence is its log-likelihood.
    gaps : bool
        Whether a row of numbers may hold some that are NaN, which have no loss.
    """

    label_smoothing: float = 0.0
    label_sets: Tensor | None = None
    uneven: bool = False
    gaps: bool = False


class WeightedLoss(nn.Module):
    """The sum of weighted losses over a batch, divided by the number of its sequences.

    With weights of mean 1 over the training set, the mean of this over all batches, weighted by their size, is the
    weighted mean loss, however the sequences are put into batches.

    Parameters
    ----------
    loss : Loss
    settings : LossSettings
    """

    label_sets: Tensor | None

    def __init__(self, loss: Loss, settings: LossSettings | None = None) -> None:
        super().__init__()
        self.loss = loss
        self.settings = LossSettings() if settings is None else settings
        self.register_buffer("label_sets", self.settings.label_sets, persistent=False)

    @property
    def kernel(self) -> str | None:
        """The kernel that computes this loss with these settings, if there is one."""
        plain = self.label_sets is None and not self.settings.gaps
        return self.loss.kernel if plain else None

    def forward(self, outputs: Tensor, batch: BatchLike, head: Head | None = None) -> Tensor:
        """The loss of a batch.

        Parameters
        ----------
        outputs : tensor of shape (batch, [n_steps,] n_outputs)
        batch : Batch
            Its targets are class codes (batch, [n_steps]) or numbers (batch, [n_steps,] n_targets), its weights
            (batch, [n_steps]).
        head : Head, optional
            The one that the outputs come from; a loss of label sequences asks for the scores of its chain.

        Returns
        -------
        loss : tensor of shape ()
        """
        asked = None if head is None else head.distribution
        return self.loss.of_batch(outputs, batch, asked, self._settings) / len(batch.weight)

    @contextmanager
    def serving(self, head: Head) -> Iterator[None]:
        """Inside, let `head` leave its outputs to this loss, if it computes them by itself."""
        asked = head.distribution
        before, asked.unmapped = asked.unmapped, self.loss.maps
        try:
            yield
        finally:
            asked.unmapped = before

    def decide(self, outputs: Tensor, lengths: Tensor, head: Head) -> Tensor:
        """What a score needs of `outputs`: the best labels of a chain, the code of a class, or numbers."""
        return head.decide(outputs, lengths, self.loss.decide)

    @property
    def _settings(self) -> LossSettings:
        """The settings, with the sets of labels on the device of this module."""
        settings = self.settings
        if self.label_sets is None or self.label_sets is settings.label_sets:
            return settings
        return replace(settings, label_sets=self.label_sets)


def _of_rows(
    of_row: Callable[[Tensor, Tensor, LossSettings], Tensor],
    outputs: Tensor,
    batch: BatchLike,
    head: Head | None,
    settings: LossSettings,
) -> Tensor:
    """The sum of weighted losses that `of_row` makes of outputs (n, n_outputs) and targets (n, ...), each (n,)."""
    if outputs.shape[:-1] != batch.weight.shape:
        raise ValueError(f"outputs of shape {tuple(outputs.shape)} for weights of {tuple(batch.weight.shape)}")
    target, weight = batch.target, batch.weight
    if weight.ndim > 1:  # some steps are padding, or have no target
        kept = weight > 0
        outputs, target, weight = outputs[kept], target[kept], weight[kept]
    loss = of_row(outputs, target, settings)
    return torch.dot(loss, weight.to(loss.dtype))


def _weighted_sum(values: Tensor, weight: Tensor) -> Tensor:
    """The sum of `values` times `weight`, in which a value of weight 0 may be anything."""
    return (values * weight).masked_fill(weight == 0, 0).sum()


def loss_of_numbers(
    name: str, element: Callable[..., Tensor], *, n_parameters: int = 1, kernel: str | None = None, **options: Any
) -> Loss:
    """The record of a loss of numbers: the mean over those of a row that are there.

    Parameters
    ----------
    name : str
    element : callable
        Maps outputs (..., n_parameters), targets (...) and the `options` to losses (...).
    n_parameters : int
        Outputs that each number of a target takes.
    kernel : str, optional

    Returns
    -------
    loss : Loss
    """
    of_elements = partial(element, **options) if options else element
    return Loss(name, partial(_of_rows, partial(_loss_of_numbers, of_elements, n_parameters)), _as_they_are, kernel)


def _loss_of_numbers(
    element: Callable[..., Tensor], n_parameters: int, outputs: Tensor, target: Tensor, settings: LossSettings
) -> Tensor:
    if outputs.shape != (*target.shape[:-1], target.shape[-1] * n_parameters):  # (n,) and (n, 1) would broadcast
        raise ValueError(f"outputs of shape {tuple(outputs.shape)} against targets of shape {tuple(target.shape)}")
    outputs = outputs.unflatten(-1, (target.shape[-1], n_parameters))
    # shape: (n, n_targets, n_parameters)
    if not settings.gaps:
        return element(outputs, target).mean(-1)
    present = ~target.isnan()
    found = element(outputs[present], target[present])
    return found.new_zeros(target.shape).masked_scatter(present, found).sum(-1) / target.shape[-1]


def _as_they_are(outputs: Tensor) -> Tensor:
    return outputs


def _greatest(logits: Tensor) -> Tensor:
    return logits.argmax(-1)


def _positive(logits: Tensor) -> Tensor:
    return logits > 0


def _observed(target: Tensor, n_classes: int, settings: LossSettings) -> Tensor:
    """The classes (..., n_classes) that the codes `target` (...) stand for."""
    return F.one_hot(target, n_classes).bool() if settings.label_sets is None else settings.label_sets[target]


def _cross_entropy(logits: Tensor, target: Tensor, settings: LossSettings) -> Tensor:
    if settings.label_sets is None:
        return F.cross_entropy(logits, target, reduction="none", label_smoothing=settings.label_smoothing)
    log_probability = logits.log_softmax(-1)
    observed = _observed(target, logits.shape[-1], settings)
    loss = -log_probability.masked_fill(~observed, -torch.inf).logsumexp(-1)
    smooth = settings.label_smoothing
    return (1 - smooth) * loss - smooth * log_probability.mean(-1) if smooth else loss


def _binary_cross_entropy(logits: Tensor, target: Tensor, settings: LossSettings) -> Tensor:
    if logits.shape != target.shape:  # (n,) against (n, 1) would broadcast to (n, n)
        raise ValueError(f"outputs of shape {tuple(logits.shape)} against targets of shape {tuple(target.shape)}")
    smooth = settings.label_smoothing
    target = target.to(logits.dtype) * (1 - smooth) + smooth / 2
    return F.binary_cross_entropy_with_logits(logits, target, reduction="none").mean(-1)


def _of_chain(emissions: Tensor, batch: BatchLike, head: ChainHead, settings: LossSettings) -> Tensor:
    """The sum of the weighted losses of all label sequences, which the head joins by its chain."""
    target, weight, lengths, chain = batch.target, batch.weight, batch.lengths, head.chain()
    if settings.uneven:
        observed = _observed(target, emissions.shape[2], settings)
        log_probability = prefix_log_probabilities(emissions, chain, observed, lengths).diff(dim=1)
        # shape: (batch, n_steps), of each label given those before it
        loss = -_weighted_sum(log_probability, weight)
    else:
        if settings.label_sets is None:
            log_probability = path_log_probability(emissions, chain, target, lengths)
        else:
            observed = _observed(target, emissions.shape[2], settings)
            joint = constrained_log_partition(emissions, chain, observed, lengths)
            log_probability = joint - log_partition(emissions, chain, lengths)
        loss = -_weighted_sum(log_probability, weight.amax(1))
    if settings.label_smoothing:
        observed = _observed(target, emissions.shape[2], settings).to(emissions.dtype)
        labelled = (emissions * observed).sum(2) / observed.sum(2)
        loss = loss + settings.label_smoothing * _weighted_sum(labelled - emissions.mean(2), weight)
    return loss


def _of_likelihood(outputs: Tensor, batch: BatchLike, head: LikelihoodHead, settings: LossSettings) -> Tensor:
    """Minus the sum of the weighted log-likelihoods of all steps, which the head tells."""
    return _of_rows(lambda rows, target, _: -head.log_likelihood(rows, target), outputs, batch, head, settings)


def _of_vocabulary(outputs: Tensor, batch: BatchLike, head: VocabularyHead | None, settings: LossSettings) -> Tensor:
    """The sum of the weighted cross-entropies of all symbols; steps of weight 0 are mapped to no logits."""
    if head is None or not head.unmapped:
        return _of_rows(_cross_entropy, outputs, batch, head, settings)
    rows, target, weight = outputs.flatten(0, -2), batch.target.flatten(), batch.weight.flatten()
    kept = weight > 0
    if not bool(kept.all()):
        rows, target, weight = rows[kept], target[kept], weight[kept]
    return head.loss(rows, target, weight.to(rows.dtype), settings.label_smoothing)


CROSS_ENTROPY = Loss("cross_entropy", partial(_of_rows, _cross_entropy), _greatest, "cross_entropy")
BINARY_CROSS_ENTROPY = Loss(
    "binary_cross_entropy", partial(_of_rows, _binary_cross_entropy), _positive, "binary_cross_entropy"
)
CHAIN = Loss("chain", _of_chain, _greatest)
LIKELIHOOD = Loss("likelihood", _of_likelihood, _as_they_are)
NEXT_SYMBOL = Loss("next_symbol", _of_vocabulary, _greatest, maps=True)

SQUARED_ERROR = loss_of_numbers("squared_error", number_losses.squared_error, kernel="squared_error")
