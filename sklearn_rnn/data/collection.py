"""What all containers of sequences have in common: each is a read-only 1-D collection."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Collection:
    """A read-only 1-D collection, which goes through ``train_test_split``, cross-validation and pipelines.

    A container has `offsets` (n_sequences + 1,), says with `_item` what one sequence of it is, with `_subset` how some
    are picked, and with `_contents` what its repr tells of it. Its attributes are slots, which are what is pickled.
    """

    __slots__ = ("trimming",)

    offsets: NDArray[np.int64]
    trimming: Any
    """How padded steps were cut off where the door read the sequences; None where it cut none."""

    ndim = 1

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        container = super().__new__(cls)
        container.trimming = None
        return container

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of steps of each sequence, shape (n_sequences,)."""
        return np.diff(self.offsets)

    @property
    def shape(self) -> tuple[int]:
        """``(n_sequences,)``: the container is a 1-D collection."""
        return (len(self),)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __iter__(self) -> Iterator[Any]:
        return (self._item(i) for i in range(len(self)))

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, tuple):  # scikit-learn indexes what has a shape with (key, ...)
            key = key[0]
        if isinstance(key, (int, np.integer)):
            return self._item(range(len(self))[key])
        return self.take(np.arange(len(self))[key])

    def __repr__(self) -> str:
        return f"{type(self).__name__}(n_sequences={len(self)}, {self._contents()})"

    def take(self, index: ArrayLike) -> Self:
        """Pick sequences by their integer positions, repeats allowed.

        Parameters
        ----------
        index : array of int, shape (n_selected,)

        Returns
        -------
        sequences : container of the same type
        """
        subset: Self = self._subset(np.asarray(index, dtype=np.int64))
        return subset

    @abstractmethod
    def _item(self, i: int) -> Any:
        """Sequence `i`, counted from 0."""

    @abstractmethod
    def _subset(self, index: NDArray[np.int64]) -> Any:
        """A container of the sequences `index` (n_selected,)."""

    def _contents(self) -> str:
        """What the repr says after the number of sequences."""
        lengths = self.lengths
        return f"lengths {lengths.min()} to {lengths.max()}" if len(self) else "empty"

    def _slot_names(self) -> list[str]:
        return [name for kind in type(self).__mro__ for name in getattr(kind, "__slots__", ())]

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self._slot_names()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)
