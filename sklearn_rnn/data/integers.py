"""Integers that stay the ones they were: NumPy makes floats of those that it has no common type for."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn.data.conversion import shown, unwrapped_items
from sklearn_rnn.exceptions import SequenceDataError

EXACT = 2**53
"""From here on not every integer is a float."""


def in_one_type(arrays: list[NDArray[Any]]) -> list[NDArray[Any]]:
    """Arrays of integers that NumPy would join to floats, in a type that holds them all; others as they are.

    That is the case with int64 beside uint64. Where no type holds all of them, they are Python's integers.
    """
    kinds = {array.dtype for array in arrays}
    if len(kinds) < 2 or np.result_type(*kinds).kind != "f" or any(kind.kind not in "iu" for kind in kinds):
        return arrays
    bounds = [int(bound) for array in arrays if array.size for bound in (array.min(), array.max())]
    dtype: Any = _type_of(min(bounds, default=0), max(bounds, default=0))
    return [array.astype(dtype or object) for array in arrays]


def integers_of(items: list[Any] | tuple[Any, ...], floats: NDArray[Any]) -> NDArray[Any]:
    """The array of a list, of which NumPy has made `floats` (n,): in a type of integers if they are nothing else.

    NumPy makes floats of integers beyond int64 beside others. Where no type holds all, they stay Python's integers.
    """
    if not isinstance(items[0], Integral) or not all(issubclass(kind, Integral) for kind in set(map(type, items))):
        return floats
    whole = list(map(int, items))
    return np.array(whole, dtype=_type_of(min(whole), max(whole)) or object)


def exact_integers(items: Any, name: str) -> NDArray[Any] | None:
    """A list, object array or Series of integers as an array of int64 or uint64; None if it is anything else.

    Raises
    ------
    SequenceDataError
        If no such type holds all of them.
    """
    kinds = set(map(type, items))
    if not kinds or bool in kinds or not all(issubclass(kind, Integral) for kind in kinds):
        return None
    whole = list(map(int, items))
    low, high = min(whole), max(whole)
    dtype = _type_of(low, high)
    if dtype is None:
        raise SequenceDataError(
            f"{name} holds integers from {shown(low)} to {shown(high)}, which no integer type has room for: where they "
            f"are names, make strings of them, str(label)"
        )
    return np.array(whole, dtype=dtype)


def distinct_labels(classes: Any) -> NDArray[Any]:
    """The labels of `classes`, an array-like of shape (n_classes,), sorted, each of them once."""
    classes = unwrapped_items(classes, "classes")
    labels = exact_integers(classes, "classes") if isinstance(classes, (list, tuple)) else None
    return np.unique(np.asarray(classes) if labels is None else labels)


def from_whole_floats(values: NDArray[Any], name: str) -> NDArray[Any]:
    """Floats that are whole numbers as int64; an error where they are too large for a float to be one integer alone."""
    if np.any(np.abs(values) >= EXACT):
        raise SequenceDataError(
            f"{name} holds {values[np.abs(values) >= EXACT][0]!r} as a float, which may stand for several integers: "
            f"give labels of one integer type, or strings"
        )
    return values.astype(np.int64)


def _type_of(low: int, high: int) -> type[np.integer[Any]] | None:
    """The type that has room for integers from `low` to `high`."""
    if np.iinfo(np.int64).min <= low and high <= np.iinfo(np.int64).max:
        return np.int64
    return np.uint64 if low >= 0 and high <= np.iinfo(np.uint64).max else None
