"""Frames and dicts that hold one value for each sequence beside sequences: features that are the same in all steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sklearn_rnn.data.collection import Collection
from sklearn_rnn.data.conversion import is_missing_or_nan
from sklearn_rnn.data.formats import is_sequence_cell, items_of
from sklearn_rnn.exceptions import SequenceDataError

LOOKED_AT = 10
"""Values of a column that are looked at to tell documents from labels."""


def refuse_static(X: Any, name: str) -> None:
    """Raise if X is a frame or dict with one value for each sequence beside sequences, and say what to do with them."""
    static, nested = static_names(X)
    if static and nested:
        raise SequenceDataError(
            f"{name} has one value for each sequence in {static}, beside sequences in {nested}; wanted "
            f"one for each step. Repeat the single values in every step, {name} = repeat_static({name}), or let a "
            f"ColumnTransformer put them beside the vector that the network makes of a sequence"
        )


def static_names(X: Any) -> tuple[list[str], list[str]]:
    """The names of the columns or inputs that hold one value for each sequence, and of those that hold sequences.

    Both are empty unless X is a frame, an object array of two dimensions or a dict, and one of its columns holds
    sequences. Columns of documents count as neither.
    """
    if isinstance(X, Mapping):
        kinds = {} if hasattr(X, "shape") else {str(name): _kind(values) for name, values in X.items()}
    else:
        cells = first_cells(X)
        if not any(is_sequence_cell(cell) for _, cell in cells):
            return [], []
        kinds = {name: _kind(column) for name, column in columns_of(X).items()}
    if "nested" not in kinds.values():
        return [], []
    return tuple([name for name, found in kinds.items() if found == wanted] for wanted in ("static", "nested"))  # type: ignore[return-value]


def columns_of(X: Any) -> dict[str, Any]:
    """The columns of a frame, an object array or a dict by their names."""
    if isinstance(X, Mapping):
        return {str(name): values for name, values in X.items()}
    if isinstance(X, np.ndarray):
        return {f"x{j}": list(column) for j, column in enumerate(X.T)}
    return {str(name): X[name] for name in column_names_of(X)}


def column_names_of(X: Any) -> list[Any]:
    """The columns of a frame, or of an Arrow table, whose ``columns`` are the columns themselves."""
    return list(X.columns if hasattr(X, "iloc") else getattr(X, "column_names", X.columns))


def first_cells(X: Any) -> list[tuple[str, Any]]:
    """The name and the first cell of each column of a frame or a 2-D object array; nothing of all else."""
    shape: tuple[int, ...] = getattr(X, "shape", ())
    if len(shape) != 2 or shape[0] == 0 or isinstance(X, Collection):
        return []
    if isinstance(X, np.ndarray):
        return [(f"x{j}", cell) for j, cell in enumerate(X[0])] if X.dtype == object else []
    if not hasattr(X, "columns"):
        return []
    names = column_names_of(X)
    row = X.iloc[0].tolist() if hasattr(X, "iloc") else [items_of(X[name][:1])[0] for name in names]
    return list(zip(map(str, names), row, strict=True))


def _kind(values: Any) -> str:
    """Whether a column holds sequences ("nested"), one value for each ("static"), or what is neither ("other")."""
    shape = getattr(values, "shape", None)
    if isinstance(values, Collection) or (shape is not None and len(shape) > 1):
        return "nested"
    if isinstance(values, (str, bytes, Mapping)) or not hasattr(values, "__len__") or len(values) == 0:
        return "other"
    items = values if isinstance(values, (list, tuple, np.ndarray)) else items_of(values)
    first = next((item for item in items if not is_missing_or_nan(item)), None)
    if first is None or isinstance(first, Mapping):
        return "other"
    if is_sequence_cell(first):
        return "nested"
    documents = any(isinstance(item, str) and len(item.split()) > 1 for item in items[:LOOKED_AT])
    return "other" if documents else "static"
