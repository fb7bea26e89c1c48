"""Weighted losses, one value a batch, whose weights are scaled so that batches of any make-up agree."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sklearn_rnn.networks.chain import (
    constrained_log_partition,
    log_partition,
    path_log_probability,
    prefix_log_probabilities,
)


class WeightedLoss(nn.Module):
    """The sum of weighted losses over a batch, divided by the number of its sequences.

    With weights of mean 1 over the training set, the mean of this over all batches, weighted by their size, is the
    weighted mean loss, however the sequences are put into batches.

    Parameters
    ----------
    loss : {"cross_entropy", "binary_cross_entropy", "squared_error", "chain"}
        ``"chain"`` is the negative log-likelihood of the label sequences of a conditional random field.
    label_smoothing : float
        Share of each label spread evenly over all classes (Szegedy et al. 2016). In a chain it acts on the outputs of
        each step, not on the scores between labels.
    label_sets : tensor of bool, shape (n_codes, n_classes), or None
        The classes that each code of a step's target stands for, where some stand for more than one: the likelihood is
        that of all of them together. None: each code is its class.
    uneven : bool
        Whether the steps of a sequence may differ in their weights. Each then counts with the log-probability of its
        label given the labels before it, whose sum over a sequence is its log-likelihood.
    """

    label_sets: Tensor | None

    def __init__(
        self,
        loss: str,
        *,
        label_smoothing: float = 0.0,
        label_sets: Tensor | None = None,
        uneven: bool = False,
    ) -> None:
        super().__init__()
        self.loss = loss
        self.label_smoothing = label_smoothing
        self.uneven = uneven
        self.register_buffer("label_sets", label_sets, persistent=False)

    def forward(self, outputs: Tensor | tuple[Tensor, Tensor], y: dict[str, Tensor]) -> Tensor:
        """The loss of a batch.

        Parameters
        ----------
        outputs : tensor of shape (batch, [n_steps,] n_outputs); with ``"chain"`` a pair of that and the chain's scores
        y : dict
            ``"target"``: class codes (batch, [n_steps]), or numbers of the shape of `outputs`;
            ``"weight"``: (batch, [n_steps]); ``"lengths"``: (batch,), where the target is one a step.

        Returns
        -------
        loss : tensor of shape ()
        """
        if self.loss == "chain":
            assert isinstance(outputs, tuple)
            return self._chain(*outputs, y["target"], y["weight"], y["lengths"]) / len(y["weight"])
        loss = getattr(self, f"_{self.loss}")(outputs, y["target"])
        if loss.shape != y["weight"].shape:
            raise ValueError(f"losses of shape {tuple(loss.shape)} against weights of shape {tuple(y['weight'].shape)}")
        if loss.ndim == 1:
            return torch.dot(loss, y["weight"].to(loss.dtype)) / len(outputs)
        return (loss * y["weight"]).sum() / len(outputs)

    def _chain(self, emissions: Tensor, chain: Tensor, target: Tensor, weight: Tensor, lengths: Tensor) -> Tensor:
        """The sum of the weighted losses of all label sequences."""
        if self.uneven:
            observed = self._observed(target, emissions.shape[2])
            log_probability = prefix_log_probabilities(emissions, chain, observed, lengths).diff(dim=1)
            # shape: (batch, n_steps), of each label given those before it
            loss = -(log_probability * weight).sum()
        else:
            if self.label_sets is None:
                log_probability = path_log_probability(emissions, chain, target, lengths)
            else:
                observed = self._observed(target, emissions.shape[2])
                joint = constrained_log_partition(emissions, chain, observed, lengths)
                log_probability = joint - log_partition(emissions, chain, lengths)
            loss = -(log_probability * weight.amax(1)).sum()
        if self.label_smoothing:
            observed = self._observed(target, emissions.shape[2]).to(emissions.dtype)
            labelled = (emissions * observed).sum(2) / observed.sum(2)
            loss = loss + self.label_smoothing * ((labelled - emissions.mean(2)) * weight).sum()
        return loss

    def _observed(self, target: Tensor, n_classes: int) -> Tensor:
        """The classes (batch, n_steps, n_classes) that the codes `target` (batch, n_steps) stand for."""
        return F.one_hot(target, n_classes).bool() if self.label_sets is None else self.label_sets[target]

    def _cross_entropy(self, logits: Tensor, target: Tensor) -> Tensor:
        if self.label_sets is not None:
            return self._cross_entropy_of_sets(logits, self._observed(target, logits.shape[-1]))
        smoothing = self.label_smoothing
        if target.ndim == 1:
            return F.cross_entropy(logits, target, reduction="none", label_smoothing=smoothing)
        loss = F.cross_entropy(logits.flatten(0, -2), target.flatten(), reduction="none", label_smoothing=smoothing)
        return loss.view(target.shape)

    def _cross_entropy_of_sets(self, logits: Tensor, observed: Tensor) -> Tensor:
        """The loss (batch, n_steps) of sets of classes, with smoothing a mix with the mean loss of all classes."""
        log_probability = logits.log_softmax(-1)
        loss = -log_probability.masked_fill(~observed, -torch.inf).logsumexp(-1)
        smooth = self.label_smoothing
        return (1 - smooth) * loss - smooth * log_probability.mean(-1) if smooth else loss

    def _binary_cross_entropy(self, logits: Tensor, target: Tensor) -> Tensor:
        _check_same_shape(logits, target)
        smooth = self.label_smoothing
        target = target.to(logits.dtype) * (1 - smooth) + smooth / 2
        return F.binary_cross_entropy_with_logits(logits, target, reduction="none").mean(-1)

    def _squared_error(self, outputs: Tensor, target: Tensor) -> Tensor:
        _check_same_shape(outputs, target)
        return torch.square(outputs - target).mean(-1)


def _check_same_shape(outputs: Tensor, target: Tensor) -> None:
    if outputs.shape != target.shape:  # (n,) against (n, 1) would broadcast to (n, n)
        raise ValueError(f"outputs of shape {tuple(outputs.shape)} against targets of shape {tuple(target.shape)}")
