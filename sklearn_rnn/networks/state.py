"""What a recurrence hands on: the state after a sequence's last step, from which another stretch of it can go on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Parts = tuple[Tensor, ...]


@dataclass(frozen=True)
class State:
    """The state of each layer for each sequence of a batch.

    Attributes
    ----------
    layers : tuple of tuples of Tensor
        For each layer, from the bottom, its parts, (n_directions, batch, units) each: the hidden state, and of an LSTM
        also the cell state.
    """

    layers: tuple[Parts, ...]

    @classmethod
    def zeros(cls, sizes: Iterable[Sequence[int]], n_directions: int, batch_size: int, like: Tensor) -> State:
        """The state before the first step, in the type and on the device of `like`.

        `sizes` are, for each layer, the units of its parts.
        """
        return cls(tuple(tuple(like.new_zeros(n_directions, batch_size, size) for size in layer) for layer in sizes))

    @property
    def batch_size(self) -> int:
        """How many sequences it belongs to."""
        return self.layers[0][0].shape[1]

    def detached(self) -> State:
        """The same numbers, through which no gradient flows."""
        return self._map(Tensor.detach)

    def to(self, dtype: torch.dtype) -> State:
        """The same numbers, in this type."""
        return self._map(lambda part: part.to(dtype))

    def take(self, rows: Tensor) -> State:
        """That of the sequences at `rows` (n,), int64 or a mask (batch,)."""
        return self._map(lambda part: part[:, rows])

    def where(self, mask: Tensor, other: State) -> State:
        """That of this one where `mask` (batch,) is true, and of `other` elsewhere."""
        pairs = [zip(*layers, strict=True) for layers in zip(self.layers, other.layers, strict=True)]
        return State(tuple(tuple(torch.where(mask[:, None], one, two) for one, two in layer) for layer in pairs))

    def put(self, rows: Tensor, state: State) -> None:
        """Let `state` be that of the sequences at `rows` (n,), in the type of this one."""
        for own, new in zip(self.layers, state.layers, strict=True):
            for part, values in zip(own, new, strict=True):
                part[:, rows] = values.to(part.dtype)

    def to_arrays(self) -> list[list[NDArray[Any]]]:
        """The numbers of all parts of all layers, copied."""
        return [[part.detach().cpu().numpy().copy() for part in layer] for layer in self.layers]

    @classmethod
    def from_arrays(cls, arrays: Iterable[Iterable[Any]], like: Tensor) -> State:
        """The state with these numbers, arrays or nested lists, in the type and on the device of `like`."""
        return cls(
            tuple(
                tuple(torch.tensor(np.asarray(part), dtype=like.dtype, device=like.device) for part in layer)
                for layer in arrays
            )
        )

    def _map(self, change: Callable[[Tensor], Tensor]) -> State:
        return State(tuple(tuple(change(part) for part in layer) for layer in self.layers))
