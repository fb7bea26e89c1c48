"""Sequences as columns of a frame, as a ColumnTransformer hands them on: one input in each."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn.data.aligned import AlignedSequences
from sklearn_rnn.data.formats import object_array
from sklearn_rnn.data.sequences import Sequences


class SequenceColumn(Sequences):
    """Sequences that count as a table of one column to scikit-learn and to NumPy's ``hstack``.

    In all else it is the container that it derives from: an integer picks a sequence, a column of a frame can be set to
    it, and so on.
    """

    __slots__ = ()

    ndim = 2

    @property
    def shape(self) -> tuple[int, int]:  # type: ignore[override]
        """``(n_sequences, 1)``."""
        return (len(self), 1)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        """What NumPy's functions make of it: they take a column (n_sequences, 1) of sequences in its place."""
        return func(*map(_in_cells, args), **{name: _in_cells(value) for name, value in kwargs.items()})


class SequenceColumns(AlignedSequences):
    """Several inputs a step that count as a table with a column for each."""

    __slots__ = ()

    ndim = 2

    @property
    def shape(self) -> tuple[int, int]:  # type: ignore[override]
        """``(n_sequences, n_inputs)``."""
        return (len(self), len(self.inputs))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return cells_of(self)


def cells_of(sequences: Sequences | AlignedSequences) -> NDArray[Any]:
    """An object array (n_sequences, n_inputs) with a sequence in each cell."""
    parts = sequences.inputs.values() if isinstance(sequences, AlignedSequences) else [sequences]
    return np.column_stack([object_array(list(part)) for part in parts])


def _in_cells(value: Any) -> Any:
    """An argument of a function, with the containers in it as arrays."""
    if isinstance(value, (list, tuple)):
        return [_in_cells(item) for item in value]
    return cells_of(value) if isinstance(value, SequenceColumn) else value


def as_columns(sequences: Any) -> Any:
    """The same container as one that counts as a table."""
    if isinstance(sequences, AlignedSequences):
        columns = SequenceColumns(sequences.inputs)
        columns.from_dicts = sequences.from_dicts
        return columns
    return SequenceColumn(sequences.values, sequences.offsets, ids=sequences.ids, feature_names=sequences.feature_names)


def is_from_frame(X: Any) -> bool:
    """Whether X is a frame of pandas or polars, or a column of one, or what counts as such."""
    return (
        hasattr(X, "iloc")
        or hasattr(X, "to_series")
        or hasattr(X, "to_frame")
        or isinstance(X, (SequenceColumn, SequenceColumns))
        or (isinstance(X, np.ndarray) and X.ndim == 2 and X.dtype == object)
    )


def column_names(X: Any, names: list[str]) -> list[str]:
    """The names of the columns of a frame, or of a Series; of anything else the `names` that are given."""
    columns = list(getattr(X, "columns", ())) or [getattr(X, "name", None)]
    return names if any(column is None for column in columns) or len(columns) != len(names) else list(map(str, columns))
