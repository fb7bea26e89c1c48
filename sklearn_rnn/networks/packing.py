"""Batches without padding: the rows of all steps that exist, as the kernels read them."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable


class Packing:
    """Where the steps of a padded batch lie when it is packed: by step, longest sequence first.

    Parameters
    ----------
    lengths : tensor of int64, shape (batch,)
        On the CPU; at least one.

    Attributes
    ----------
    offsets : array of int64, shape (longest + 1,)
        Where the rows of each step begin.
    order : array of int64, shape (batch,)
        The sequences, longest first.
    """

    def __init__(self, lengths: Tensor) -> None:
        given = lengths.numpy()
        self.n_sequences = len(given)
        self.longest = int(given.max())
        self.even = int(given.min()) == self.longest
        self._places: NDArray[np.int64] | None = None
        self._n_steps = -1
        if self.even:
            self.order, self.offsets = _even(self.n_sequences, self.longest)
            return
        self.order = np.argsort(-given, kind="stable")
        shorter = np.searchsorted(given[self.order[::-1]], np.arange(self.longest), side="right")
        self.offsets = np.concatenate([[0], np.cumsum(self.n_sequences - shorter)])

    @property
    def n_rows(self) -> int:
        """Steps of all sequences."""
        return int(self.offsets[-1])

    def positions(self) -> NDArray[np.int64]:
        """The sequence, as a position in ``order``, that each row belongs to, (n_rows,)."""
        sizes = np.diff(self.offsets)
        return np.arange(self.n_rows) - np.repeat(self.offsets[:-1], sizes)

    def spread(self, values: Tensor) -> Tensor:
        """For each row that of its sequence, (n_rows, features), in `values` (batch, features)."""
        return values[torch.from_numpy(self.order[self.positions()])]

    def arrange(self, x: Tensor) -> Tensor:
        """`x` (n, batch, units) with the sequences in the order of the packing."""
        return x if self.even else x[:, torch.from_numpy(self.order)]

    def arrange_back(self, x: Tensor) -> Tensor:
        """The reverse of :meth:`arrange`."""
        return x if self.even else x[:, torch.from_numpy(np.argsort(self.order))]

    def pack(self, x: Tensor) -> Tensor:
        """The rows (n_rows, features) of `x` (n_steps, batch, features)."""
        if self.even:
            return x[: self.longest].reshape(self.n_rows, x.shape[2])
        return _Gather.apply(x, self._rows(x.shape[0]))

    def unpack(self, rows: Tensor, n_steps: int) -> Tensor:
        """The padded batch (n_steps, batch, features) that `rows` (n_rows, features) come from, padded with 0."""
        if self.even and self.longest == n_steps:
            return rows.view(n_steps, self.n_sequences, rows.shape[1])
        return _Scatter.apply(rows, self._rows(n_steps), n_steps, self.n_sequences)

    def places(self, n_steps: int) -> NDArray[np.int64]:
        """Where each row lies in a batch of `n_steps` that is laid out sequence by sequence, (n_rows,)."""
        if self._places is None or self._n_steps != n_steps:
            self._n_steps = n_steps
            if self.even:
                self._places = _even_places(self.n_sequences, self.longest, n_steps)
            else:
                step = np.repeat(np.arange(self.longest), np.diff(self.offsets))
                self._places = self.order[self.positions()] * n_steps + step
        return self._places

    def _rows(self, n_steps: int) -> Tensor:
        return torch.from_numpy(self.places(n_steps))


@functools.lru_cache(maxsize=64)
def _even(n_sequences: int, n_steps: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The order and the offsets of sequences of one length, which are those of most batches."""
    return np.arange(n_sequences), np.arange(n_steps + 1) * n_sequences


@functools.lru_cache(maxsize=64)
def _even_places(n_sequences: int, longest: int, n_steps: int) -> NDArray[np.int64]:
    return (np.arange(n_sequences) * n_steps + np.arange(longest)[:, None]).ravel()


@dataclass(frozen=True)
class SharedRows:
    """Steps of which many are one and the same row, such as those with the same symbol.

    Attributes
    ----------
    rows : tensor of shape (n_rows, size)
    index : tensor of int64, shape (batch, n_steps)
        The row of each step; of padding any.
    """

    rows: Tensor
    index: Tensor

    def to(self, dtype: torch.dtype) -> SharedRows:
        """The same in another type."""
        return SharedRows(self.rows.to(dtype), self.index)

    def places(self, packing: Packing) -> NDArray[np.int64]:
        """The row that each step of a packed batch is, (packing.n_rows,)."""
        places: NDArray[np.int64] = self.index.flatten().numpy()[packing.places(self.index.shape[1])]
        return places


class _Gather(torch.autograd.Function):
    """Rows of a padded batch, none of them twice, so that the gradient is a plain copy."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, index: Tensor) -> Tensor:
        ctx.index, ctx.shape = index, x.shape
        return x.transpose(0, 1).reshape(-1, x.shape[2]).index_select(0, index)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return _scatter(grad, ctx.index, *ctx.shape[:2]), None


class _Scatter(torch.autograd.Function):
    """The reverse of :class:`_Gather`."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, index: Tensor, n_steps: int, n_sequences: int) -> Tensor:
        ctx.index = index
        return _scatter(rows, index, n_steps, n_sequences)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        return grad.transpose(0, 1).reshape(-1, grad.shape[2]).index_select(0, ctx.index), None, None, None


def _scatter(rows: Tensor, index: Tensor, n_steps: int, n_sequences: int) -> Tensor:
    """A batch (n_steps, n_sequences, features) with `rows` at `index`, sequence by sequence, and 0 elsewhere."""
    padded = rows.new_zeros(n_sequences * n_steps, rows.shape[1])
    return padded.index_copy_(0, index, rows).view(n_sequences, n_steps, -1).transpose(0, 1)
