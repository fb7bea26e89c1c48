"""Columns of a long DataFrame: keys, numbers, tokens and targets."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from sklearn_rnn.data.sort_keys import warn_of_text_order
from sklearn_rnn.exceptions import SequenceDataError


def key_column(frame: nw.DataFrame[Any], name: str, parameter: str) -> nw.Series[Any]:
    """A column of keys, none of which may be missing."""
    column = frame[name]
    missing = missing_in(column)
    if missing.any():
        advice = ""
        if parameter == "id" and not missing[0]:
            advice = f". If an id stands in the first row of its sequence alone, df[{name!r}].ffill() fills in the rest"
        raise SequenceDataError(
            f"{parameter}={name!r} is missing in {int(missing.sum())} row(s) of df, the first of which is row "
            f"{int(np.argmax(missing))} (counted from 0): each step must say where it belongs{advice}"
        )
    return column


def missing_in(column: nw.Series[Any]) -> NDArray[np.bool_]:
    """Which entries (n_rows,) are null or NaN."""
    missing = column.is_null().to_numpy()
    if column.dtype.is_float():
        missing = missing | np.isnan(np.asarray(column.to_numpy(), dtype=np.float64))
    return np.asarray(missing, dtype=bool)


def distinct(column: nw.Series[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The distinct entries of a column in order, and which of them (n_rows,) each row has.

    Rows in a run of equal entries are compared with their neighbour alone, which is cheap for strings.
    """
    entries = column.to_numpy()
    starts = np.flatnonzero(np.concatenate([[True], np.asarray(entries[1:] != entries[:-1], dtype=bool)]))
    try:
        values, code = np.unique(entries[starts], return_inverse=True)
    except TypeError as error:
        raise SequenceDataError(
            f"The column {column.name!r} mixes types that have no order ({error}): convert it to one type"
        ) from error
    return values, np.repeat(code, np.diff(np.append(starts, len(entries))))


def order_codes(frame: nw.DataFrame[Any], name: str) -> NDArray[Any]:
    """Numbers (n_rows,) in the order of a column of sort keys, equal for equal keys."""
    column = key_column(frame, name, "sort_by")
    if isinstance(column.dtype, (nw.Enum, nw.Categorical)):
        codes = _codes_of_categories(column)
        entries = column.cast(nw.String).to_numpy()[np.unique(codes, return_index=True)[1]]
        if column.dtype == nw.Categorical and list(entries) == sorted(entries):  # nobody gave them another order
            warn_of_text_order(entries, name)
        return codes
    values, codes = distinct(column)
    if column.dtype == nw.String:
        warn_of_text_order(values, name)
    return codes


def _codes_of_categories(column: nw.Series[Any]) -> NDArray[Any]:
    """Numbers (n_rows,) in the order that sorting gives categories; pandas ranks unordered ones as text instead."""
    categories = getattr(column.to_native(), "cat", None)
    codes = getattr(categories, "codes", None)
    return np.asarray(column.rank("dense").to_numpy() if codes is None else codes)


def holds_text(column: nw.Series[Any]) -> bool:
    """Whether a column holds strings, which are tokens as a feature and labels as a target."""
    return isinstance(column.dtype, (nw.String, nw.Enum, nw.Categorical))


def token_values(column: nw.Series[Any]) -> NDArray[Any]:
    """A column of strings as an array (n_rows,) of objects."""
    missing = missing_in(column)
    if missing.any():
        raise SequenceDataError(
            f"The column {column.name!r} of tokens is missing in row {int(np.argmax(missing))} (counted from 0): fill "
            f"it with a token of its own"
        )
    return np.asarray(column.cast(nw.String).to_numpy(), dtype=object)


def number_values(column: nw.Series[Any]) -> NDArray[Any]:
    """A column of numbers or booleans as an array (n_rows,), NaN where it is missing."""
    if not (column.dtype.is_numeric() or column.dtype == nw.Boolean):
        raise SequenceDataError(
            f"The column {column.name!r} has dtype {column.dtype}, but features must be numbers, or strings that are "
            f"tokens. Encode it as numbers, or leave it out of `columns`"
        )
    missing = column.is_null().to_numpy().any()
    array = column.cast(nw.Float64).to_numpy() if missing or column.dtype.is_decimal() else column.to_numpy()
    return np.asarray(array)


def target_values(column: nw.Series[Any]) -> NDArray[Any]:
    """A column of numbers or labels as an array (n_rows,): NaN where a number is missing, None where a label is."""
    if column.dtype.is_numeric() or column.dtype == nw.Boolean:
        return number_values(column)
    column = column.cast(nw.String) if holds_text(column) else column
    values = np.array(column.to_numpy(), dtype=object)
    values[missing_in(column)] = None
    return values


def differs(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.bool_]:
    """Where two arrays of the same shape differ; NaN is NaN."""
    return np.asarray((one != other) & ~((one != one) & (other != other)), dtype=bool)
