"""The cross-entropy of a linear map to many classes, some rows at a time: the logits of a batch are never all there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

ROOM = 2**22
"""Logits that are there at once on a CPU: enough rows for products to be fast, of 10,000 classes 16 MB."""

ROOM_OF_DEVICE = 2**26
"""The same on another device, which is faster the larger its products are."""


def linear_cross_entropy(
    rows: Tensor, weight: Tensor, bias: Tensor, target: Tensor, row_weight: Tensor, smoothing: float = 0.0
) -> Tensor:
    """The sum of the weighted cross-entropies of ``rows @ weight.T + bias``.

    The gradient is computed together with the loss, from the same logits.

    Parameters
    ----------
    rows : tensor of shape (n, size)
    weight, bias : tensors of shape (n_classes, size) and (n_classes,)
    target : tensor of int64, shape (n,)
    row_weight : tensor of shape (n,)
    smoothing : float
        Share of each label that is spread evenly over all classes.

    Returns
    -------
    loss : tensor of shape ()
    """
    if torch.is_grad_enabled() and any(part.requires_grad for part in (rows, weight, bias)):
        return _LinearCrossEntropy.apply(rows, weight, bias, target, row_weight, smoothing)
    losses = [
        torch.dot(_losses(F.linear(rows[part], weight, bias).log_softmax(1), target[part], smoothing), row_weight[part])
        for part in portions(len(rows), len(bias), rows.device)
    ]
    return torch.stack(losses).sum() if losses else rows.new_zeros(())


def loss_and_gradients(
    rows: Tensor, weight: Tensor, bias: Tensor, target: Tensor, row_weight: Tensor, smoothing: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The sum of :func:`linear_cross_entropy`, and the gradients of `rows`, `weight` and `bias`; without autograd."""
    of_rows, of_weight, of_bias = torch.empty_like(rows), torch.zeros_like(weight), torch.zeros_like(bias)
    loss = rows.new_zeros(())
    for part in portions(len(rows), len(bias), rows.device):
        seen, labels, weights = rows[part], target[part], row_weight[part]
        scores = F.linear(seen, weight, bias).log_softmax(1)
        loss += torch.dot(_losses(scores, labels, smoothing), weights)
        gradient = scores.exp_()
        gradient.scatter_add_(1, labels[:, None], gradient.new_full((len(labels), 1), smoothing - 1))
        if smoothing:
            gradient -= smoothing / len(bias)
        gradient *= weights[:, None]
        torch.mm(gradient, weight, out=of_rows[part])
        of_weight.addmm_(gradient.t(), seen)
        of_bias += gradient.sum(0)
    return loss, of_rows, of_weight, of_bias


def portions(n_rows: int, n_classes: int, device: torch.device) -> Iterator[slice]:
    """Rows whose logits are computed at once, as evenly as may be."""
    room = ROOM if device.type == "cpu" else ROOM_OF_DEVICE
    n_parts = max(1, -(-n_rows // max(1, room // n_classes)))
    size = max(1, -(-n_rows // n_parts))
    for start in range(0, n_rows, size):
        yield slice(start, start + size)


def _losses(scores: Tensor, target: Tensor, smoothing: float) -> Tensor:
    """The loss of each row of log-probabilities `scores` (n, n_classes)."""
    losses = -scores.gather(1, target[:, None])[:, 0]
    return losses if smoothing == 0 else (1 - smoothing) * losses - smoothing * scores.mean(1)


class _LinearCrossEntropy(torch.autograd.Function):
    """:func:`linear_cross_entropy`."""

    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> Tensor:
        loss, *gradients = loss_and_gradients(*arguments)
        ctx.save_for_backward(*gradients)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, given: Tensor) -> tuple[Any, ...]:
        scale = None if given.numel() == 1 and given.device.type == "cpu" and given.item() == 1 else given
        gradients = [part if scale is None else part * scale for part in ctx.saved_tensors]
        wanted = zip(gradients, ctx.needs_input_grad, strict=False)
        return (*(part if needed else None for part, needed in wanted), None, None, None)
