"""The cross-entropy of a linear map to many classes, some rows at a time: the logits of a batch are never all there."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from sklearn_rnn.networks.engines import current_engine, kernels_may_run
from sklearn_rnn.networks.fused import PART

ROOM = 2**22
"""Logits that are there at once on a CPU: enough rows for products to be fast, of 10,000 classes 16 MB."""

ROOM_OF_DEVICE = 2**26
"""The same on another device, which is faster the larger its products are."""

CHUNK, LEAST_ROWS, MOST_PARTS = 2**15, 64, 2
"""Logits of a kernel that are there at once, where that is as many rows; and parts of a batch that have sums of their
own."""


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
    if kernels_may_run(rows) and len({part.dtype for part in (rows, weight, bias)}) == 1:
        return _by_kernel(rows, weight, bias, target, row_weight, smoothing)
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


def _by_kernel(
    rows: Tensor, weight: Tensor, bias: Tensor, target: Tensor, row_weight: Tensor, smoothing: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """As :func:`loss_and_gradients`; what a part of the rows gives does not depend on the number of threads."""
    from sklearn_rnn.kernels.products import panel_shape
    from sklearn_rnn.kernels.softmax import linear_cross_entropy, pack_map

    engine, n_rows = current_engine(), len(rows)
    batch = rows.detach().contiguous().numpy(), target.numpy(), row_weight.detach().to(rows.dtype).numpy()
    w, b = weight.detach().contiguous().numpy(), bias.detach().numpy()
    n_classes, size = w.shape
    shapes = panel_shape(size, n_classes, w.itemsize), panel_shape(n_classes, size, w.itemsize)
    panels = [engine.borrow(shape, w.dtype) for shape in shapes]
    pack_map(w, *panels)
    of_rows = engine.borrow(batch[0].shape, w.dtype)
    n_parts = max(1, min(MOST_PARTS, n_rows, n_rows * w.size // PART))
    bounds = [n_rows * k // n_parts for k in range(n_parts + 1)]
    room = max(LEAST_ROWS, CHUNK // n_classes)
    found: dict[int, tuple[float, list[Any]]] = {}

    def compute(begin: int, end: int) -> None:
        of_map = [weight.new_zeros(w.shape).numpy(), bias.new_zeros(b.shape).numpy()]
        logits = engine.borrow((max(1, min(room, end - begin)), n_classes), w.dtype)
        loss = linear_cross_entropy(batch, (begin, end), b, tuple(panels), smoothing, logits, (of_rows, *of_map))
        found[begin] = loss, of_map

    engine.share(compute, list(pairwise(bounds)), small=n_parts == 1)
    loss, (of_weight, of_bias) = found[0]
    for begin in bounds[1:-1]:
        loss += found[begin][0]
        of_weight += found[begin][1][0]
        of_bias += found[begin][1][1]
    gradients = (torch.from_numpy(part) for part in (of_rows, of_weight, of_bias))
    return (rows.new_tensor(loss), *gradients)  # type: ignore[return-value]


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
        wanted = zip(ctx.saved_tensors, ctx.needs_input_grad, strict=False)
        return (*(part * given if needed else None for part, needed in wanted), None, None, None)
