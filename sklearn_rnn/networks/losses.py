"""Weighted losses, one value a batch, whose weights are scaled so that batches of any make-up agree."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class WeightedLoss(nn.Module):
    """The sum of weighted losses over a batch, divided by the number of its sequences.

    With weights of mean 1 over the training set, the mean of this over all batches, weighted by their size, is the
    weighted mean loss, however the sequences are put into batches.

    Parameters
    ----------
    loss : {"cross_entropy", "binary_cross_entropy", "squared_error"}
    label_smoothing : float
        Share of each label spread evenly over all classes (Szegedy et al. 2016).
    """

    def __init__(self, loss: str, *, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.loss = loss
        self.label_smoothing = label_smoothing

    def forward(self, outputs: Tensor, y: dict[str, Tensor]) -> Tensor:
        """The loss of a batch.

        Parameters
        ----------
        outputs : tensor of shape (batch, [n_steps,] n_outputs)
        y : dict
            ``"target"``: class codes (batch, [n_steps]), or numbers of the shape of `outputs`;
            ``"weight"``: (batch, [n_steps]).

        Returns
        -------
        loss : tensor of shape ()
        """
        loss = getattr(self, f"_{self.loss}")(outputs, y["target"])
        if loss.shape != y["weight"].shape:
            raise ValueError(f"losses of shape {tuple(loss.shape)} against weights of shape {tuple(y['weight'].shape)}")
        return (loss * y["weight"]).sum() / len(outputs)

    def _cross_entropy(self, logits: Tensor, target: Tensor) -> Tensor:
        loss = F.cross_entropy(
            logits.flatten(0, -2), target.flatten(), reduction="none", label_smoothing=self.label_smoothing
        )
        return loss.view(target.shape)

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
