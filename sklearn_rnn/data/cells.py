"""Object arrays of two dimensions: rows of sequences, as a frame in a few columns has them, or rows of steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sklearn_rnn.data.aligned import AlignedSequences
from sklearn_rnn.data.arrow import read_arrow
from sklearn_rnn.data.conversion import unwrapped
from sklearn_rnn.data.formats import dimensions, has_steps_as_cells, rows_of_cells
from sklearn_rnn.data.static_inputs import columns_of
from sklearn_rnn.data.validation import InputSpec
from sklearn_rnn.exceptions import SequenceDataError


def opened(X: Any, spec: InputSpec | None, name: str) -> Any:
    """What Arrow, torch and masked arrays hold, and what the cells of an object array mean; all else as it is.

    Every door for X opens it in this way. The parameters are those of :func:`read_cells`.
    """
    return read_cells(unwrapped(read_arrow(X, name=name), name), spec, name)


def read_cells(X: Any, spec: InputSpec | None, name: str) -> Any:
    """An object array (n_rows, n_columns) with vectors or dicts in its cells as what it means; all else as it is.

    Dicts are steps. Vectors are sequences of one input each where their lengths differ from row to row, or where they
    hold strings. Numbers in vectors of one length may be either, and are what they were in ``fit``.

    Parameters
    ----------
    X : object
    spec : InputSpec or None
        What was seen in ``fit``; None in ``fit``.
    name : str
        What to call X in errors.

    Raises
    ------
    SequenceDataError
        In ``fit``, if the cells may be either.
    """
    if not has_steps_as_cells(X):
        return X
    if isinstance(X[0, 0], Mapping):
        return rows_of_cells(X)
    if any(_has_text(cell) for cell in X[0]) or len({_length(cell) for cell in X.flat}) > 1:
        return X
    if spec is None:
        n_columns, length = X.shape[1], _length(X[0, 0])
        raise SequenceDataError(
            f"{name} is an object array of shape {X.shape} with {length} numbers in each cell, which may be "
            f"{n_columns} inputs of {length} steps, or {n_columns} steps of {length} features. Several inputs are a "
            f"dict or a DataFrame of them, which a ColumnTransformer with set_output(transform='pandas') hands on; "
            f"steps are numpy.array({name}.tolist())"
        )
    return AlignedSequences(columns_of(X), name=name) if spec.kind == "aligned" else rows_of_cells(X)


def _has_text(cell: Any) -> bool:
    return len(cell) > 0 and isinstance(cell[0], str) if hasattr(cell, "__len__") else False


def _length(cell: Any) -> int:
    """The number of values of a vector; 0 of what is none."""
    return len(cell) if dimensions(cell) == 1 else 0
