"""The ragged container that every room works on: one contiguous array and where each sequence starts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sklearn_rnn.data.collection import Collection
from sklearn_rnn.data.conversion import unwrapped
from sklearn_rnn.exceptions import SequenceDataError


class Sequences(Collection):
    """A set of sequences of unequal length in one contiguous array.

    Behaves as a read-only 1-D collection of arrays, so that it goes through ``train_test_split``, cross-validation
    and pipelines: an integer picks one sequence (a view), a slice, an index array or a boolean mask picks a subset.

    Parameters
    ----------
    values : array of shape (total_steps, n_features) or (total_steps,)
        The steps of all sequences, one sequence after the other. One dimension holds one token or label a step.
    offsets : array of shape (n_sequences + 1,)
        Sequence ``i`` is ``values[offsets[i]:offsets[i + 1]]``.
    ids : array of shape (n_sequences,), optional
        The key of each sequence, where the data had one.
    feature_names : list of str, optional
        The names of the columns of `values`, where the data had them.

    Raises
    ------
    ValueError
        If `offsets` does not start at 0, decreases, or does not end at the number of steps.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_rnn import Sequences
    >>> sequences = Sequences(np.arange(10.0).reshape(5, 2), [0, 2, 5])
    >>> sequences
    Sequences(n_sequences=2, n_features=2, lengths 2 to 3)
    >>> sequences[1]
    array([[4., 5.],
           [6., 7.],
           [8., 9.]])
    >>> len(sequences[[True, False]])
    1
    """

    __slots__ = ("feature_names", "ids", "offsets", "values")

    values: NDArray[Any]

    def __init__(
        self,
        values: ArrayLike,
        offsets: ArrayLike,
        *,
        ids: ArrayLike | None = None,
        feature_names: list[str] | None = None,
    ) -> None:
        self.values = np.asarray(unwrapped(values, "values"))
        self.offsets = np.asarray(offsets, dtype=np.int64)
        self.ids = None if ids is None else np.asarray(ids)
        self.feature_names = feature_names
        steps = self.offsets
        if steps.ndim != 1 or len(steps) == 0 or steps[0] != 0 or np.any(np.diff(steps) < 0):
            raise ValueError(f"offsets must be a 1-D array that starts at 0 and never decreases, got {offsets!r}")
        if self.values.ndim not in (1, 2) or steps[-1] != len(self.values):
            raise ValueError(
                f"values must have 1 or 2 dimensions and offsets[-1]={steps[-1]} steps, got shape {self.values.shape}"
            )
        if self.ids is not None and len(self.ids) != len(self):
            raise ValueError(f"ids must hold one key for each of the {len(self)} sequences, got {len(self.ids)}")

    @staticmethod
    def from_arrays(arrays: list[NDArray[Any]], *, dtype: Any = None) -> Sequences:
        """Join arrays of shape (length_i, n_features) or (length_i,) into one container.

        Parameters
        ----------
        arrays : list of arrays
            At least one; all with the same number of dimensions and features.
        dtype : dtype, optional
            The type of the joined values.

        Returns
        -------
        sequences : Sequences
        """
        offsets = np.concatenate([[0], np.cumsum([len(array) for array in arrays])])
        return Sequences(np.concatenate(arrays, dtype=dtype, casting="unsafe"), offsets)

    @property
    def n_features(self) -> int:
        """Number of features a step."""
        return 1 if self.values.ndim == 1 else self.values.shape[1]

    def __iter__(self) -> Iterator[NDArray[Any]]:
        for start, stop in zip(self.offsets[:-1], self.offsets[1:], strict=True):
            yield self.values[start:stop]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("an object array of the sequences cannot be made without a copy of the container")
        if dtype is not None and np.dtype(dtype) != object:
            raise SequenceDataError(
                f"sequences are no table of numbers, which {np.dtype(dtype)} was wanted of: transformers of rows, such "
                f"as StandardScaler or PCA, are applied to the steps of sequences by PerStep, as "
                f"PerStep(StandardScaler())"
            )
        array = np.empty(len(self), dtype=object)
        for i, sequence in enumerate(self):
            array[i] = sequence
        return array

    def truncate(self, max_length: int, *, cut: str = "tail") -> Sequences:
        """Keep at most `max_length` steps of each sequence.

        Parameters
        ----------
        max_length : int
        cut : {"head", "tail"}
            The end of a longer sequence that is cut off.

        Returns
        -------
        sequences : Sequences
        """
        kept = np.minimum(self.lengths, max_length)
        starts = self.offsets[1:] - kept if cut == "head" else self.offsets[:-1]
        return self._window(np.arange(len(self)), starts, kept)

    def between(self, starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> Sequences:
        """Keep `lengths` (n_sequences,) steps of each sequence, from the row `starts` (n_sequences,) of `values` on."""
        return self._window(np.arange(len(self)), starts, lengths)

    def blocks(self, n_numbers: int) -> Iterator[tuple[int, Sequences]]:
        """Go through all sequences in order, in parts of about `n_numbers` values, and of one sequence at least.

        Yields
        ------
        first : int
            The position of the first sequence of the part.
        part : Sequences
            In memory.
        """
        steps = max(1, n_numbers // self.n_features)
        first = 0
        while first < len(self):
            end = int(np.searchsorted(self.offsets, self.offsets[first] + steps, side="right")) - 1
            end = max(end, first + 1)
            yield first, self._in_memory(np.arange(first, end))
            first = end

    def with_values(self, values: ArrayLike, *, feature_names: list[str] | None = None) -> Sequences:
        """The same sequences with other values a step.

        Parameters
        ----------
        values : array of shape (total_steps, ...) or (total_steps,)
        feature_names : list of str, optional

        Returns
        -------
        sequences : Sequences
        """
        return Sequences(values, self.offsets, ids=self.ids, feature_names=feature_names)

    def _in_memory(self, index: NDArray[np.int64]) -> Sequences:
        return self._subset(index)

    def _item(self, i: int) -> NDArray[Any]:
        return self.values[self.offsets[i] : self.offsets[i + 1]]

    def _subset(self, index: NDArray[np.int64]) -> Sequences:
        return self._window(index, self.offsets[:-1][index], self.lengths[index])

    def _contents(self) -> str:
        return f"n_features={self.n_features}, {super()._contents()}"

    def _window(self, index: NDArray[Any], starts: NDArray[Any], lengths: NDArray[Any]) -> Sequences:
        """Sequences `index` (n,), each cut to `lengths` (n,) steps from row `starts` (n,) on."""
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        rows: slice | NDArray[Any]
        if len(index) and np.array_equal(np.diff(starts), lengths[:-1]):
            rows = slice(starts[0], starts[0] + offsets[-1])  # adjacent rows: a view, no copy
        else:
            rows = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], lengths)
        return self._pick(index, rows, offsets)

    def _pick(self, index: NDArray[Any], rows: slice | NDArray[Any], offsets: NDArray[Any]) -> Sequences:
        """Sequences `index` (n,) made of the steps `rows`, with their new `offsets` (n + 1,)."""
        ids = None if self.ids is None else self.ids[index]
        return Sequences(self.values[rows], offsets, ids=ids, feature_names=self.feature_names)


def spread_sample(sequences: Sequences, n_numbers: int, *, at_most: int = 1_000, at_least: int = 10) -> Sequences:
    """Some of the sequences, from the first to the last: few enough that they have about `n_numbers` together."""
    mean_size = max(1, int(sequences.offsets[-1]) * sequences.n_features // len(sequences))
    count = int(np.clip(n_numbers // mean_size, at_least, at_most))
    return sequences.take(np.unique(np.linspace(0, len(sequences) - 1, count, dtype=np.int64)))
