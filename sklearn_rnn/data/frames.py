"""Long DataFrames, one row a step, read into the container; pandas, polars and others alike, through narwhals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from sklearn_rnn.data.formats import object_array
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.exceptions import SequenceDataError


def sequences_from_frame(
    df: Any,
    *,
    id: str | Sequence[str],
    sort_by: str | Sequence[str] | None = None,
    columns: str | Sequence[str] | None = None,
) -> Sequences:
    """Read a long DataFrame, with one row for each step, into sequences.

    Parameters
    ----------
    df : DataFrame of pandas, polars, or another library that narwhals knows
        One row for each step. The rows of a sequence need not be adjacent.
    id : str or list of str
        The column that says which sequence a row belongs to, or several that say it together.
    sort_by : str or list of str, optional
        The column that orders the steps of a sequence, or several, the first of which goes before the others. Without
        it, the steps keep the order of the rows. The values of a categorical column are in the order of its categories.
    columns : str or list of str, optional
        The features, in this order: columns of numbers, or one column of strings, which are read as tokens. All but
        those of `id` and `sort_by` by default.

    Returns
    -------
    sequences : Sequences
        In the order in which their ids first appear. ``ids`` holds the id of each, a tuple where `id` is a list of
        several columns, and ``feature_names`` the names of `columns`. Missing values are NaN.

    Raises
    ------
    TypeError
        If `df` is no DataFrame, or a lazy one.
    SequenceDataError
        If a column is missing, is named twice or holds neither numbers nor strings; if an id or a key of `sort_by` is
        missing; if two rows have the same id and keys; if there are no rows or no features. The message says which.

    See Also
    --------
    Sequences : The container.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_rnn import sequences_from_frame
    >>> steps = pd.DataFrame(
    ...     {
    ...         "pump": ["b", "b", "a", "a", "a"],
    ...         "hour": [2, 1, 1, 2, 3],
    ...         "flow": [0.2, 0.1, 0.4, 0.5, 0.6],
    ...         "heat": [20, 10, 40, 50, 60],
    ...     }
    ... )
    >>> sequences = sequences_from_frame(steps, id="pump", sort_by="hour")
    >>> sequences.feature_names
    ['flow', 'heat']
    >>> sequences[0]
    array([[ 0.1, 10. ],
           [ 0.2, 20. ]])

    The targets are mostly in a table of their own, with a row for each sequence. ``ids`` brings them into the order of
    the sequences:

    >>> failed = pd.Series({"a": 1, "b": 0})
    >>> sequences.ids
    array(['b', 'a'], dtype=object)
    >>> failed.loc[sequences.ids].to_numpy()
    array([0, 1])
    """
    frame = _as_frame(df)
    ids, keys = _names(id), _names(sort_by)
    features = _names(columns) if columns is not None else [c for c in frame.columns if c not in {*ids, *keys}]
    _check_columns(frame, {"id": ids, "sort_by": keys, "columns": features})
    sequence_of_row, first_rows = _number_sequences([_keys(frame, name, "id") for name in ids])
    codes = [_order_codes(frame, name) for name in keys]
    order = np.lexsort([*reversed(codes), sequence_of_row])  # stable
    if codes:
        _check_unique(frame, order, [sequence_of_row, *codes], [*ids, *keys])
    lengths = np.bincount(sequence_of_row, minlength=len(first_rows))
    return Sequences(
        _values(frame, features, order),
        np.concatenate([[0], np.cumsum(lengths)]),
        ids=_ids(frame, ids, first_rows),
        feature_names=features,
    )


def named_frame(values: NDArray[Any], names: list[str]) -> Any:
    """Values (n_rows, n_columns) as a pandas DataFrame with the columns `names`."""
    return nw.from_numpy(values, schema=names, backend="pandas").to_native()


def _as_frame(df: Any) -> nw.DataFrame[Any]:
    try:
        frame: nw.DataFrame[Any] = nw.from_native(df, eager_only=True)
    except TypeError as error:
        advice = "; collect() it first" if hasattr(df, "collect") else ""
        raise TypeError(
            f"df must be a DataFrame of pandas, polars or alike, got {type(df).__name__}{advice}"
        ) from error
    if len(frame) == 0:
        raise SequenceDataError("df is empty: found 0 rows, a minimum of 1 step is required")
    return frame


def _names(names: str | Sequence[str] | None) -> list[str]:
    """Column names as a list; pandas may have names that are no strings."""
    if names is None:
        return []
    return list(names) if isinstance(names, (list, tuple)) or hasattr(names, "tolist") else [names]  # type: ignore[list-item]


def _check_columns(frame: nw.DataFrame[Any], wanted: dict[str, list[str]]) -> None:
    for parameter, names in wanted.items():
        for name in names:
            if name not in frame.columns:
                raise SequenceDataError(f"{parameter}={name!r} is no column of df, which has {frame.columns}")
            if names.count(name) > 1:
                raise SequenceDataError(f"{parameter} names the column {name!r} {names.count(name)} times")
    if not wanted["id"]:
        raise SequenceDataError("id must name at least one column, got none")
    if not wanted["columns"]:
        raise SequenceDataError(f"df has no features: no column is left beside id and sort_by in {frame.columns}")


def _keys(frame: nw.DataFrame[Any], name: str, parameter: str) -> nw.Series[Any]:
    """A column of keys, none of which may be missing."""
    column = frame[name]
    missing = _missing(column)
    if missing.any():
        raise SequenceDataError(
            f"{parameter}={name!r} is missing in {int(missing.sum())} row(s) of df, the first of which is row "
            f"{int(np.argmax(missing))} (counted from 0): each step must say where it belongs"
        )
    return column


def _missing(column: nw.Series[Any]) -> NDArray[np.bool_]:
    """Which entries (n_rows,) are null or NaN."""
    missing = column.is_null().to_numpy()
    if column.dtype.is_float():
        missing = missing | np.isnan(np.asarray(column.to_numpy(), dtype=np.float64))
    return np.asarray(missing, dtype=bool)


def _number_sequences(columns: list[nw.Series[Any]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The sequence (n_rows,) of each row, numbered by first appearance, and the first row (n_sequences,) of each."""
    codes = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        _, code = _unique(column)
        _, codes = np.unique(codes * (code.max() + 1) + code, return_inverse=True)
    _, first_rows = np.unique(codes, return_index=True)
    appearance = np.argsort(first_rows)
    number = np.empty(len(first_rows), dtype=np.int64)
    number[appearance] = np.arange(len(first_rows))
    return number[codes], first_rows[appearance]


def _unique(column: nw.Series[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The distinct entries of a column in order, and which of them (n_rows,) each row has.

    Rows in a run of equal entries are compared with their neighbour alone, which is cheap for strings.
    """
    entries = column.to_numpy()
    starts = np.flatnonzero(np.concatenate([[True], np.asarray(entries[1:] != entries[:-1], dtype=bool)]))
    try:
        distinct, code = np.unique(entries[starts], return_inverse=True)
    except TypeError as error:
        raise SequenceDataError(
            f"The column {column.name!r} mixes types that have no order ({error}): convert it to one type"
        ) from error
    return distinct, np.repeat(code, np.diff(np.append(starts, len(entries))))


def _order_codes(frame: nw.DataFrame[Any], name: str) -> NDArray[Any]:
    """Numbers (n_rows,) in the order of a column of sort keys, equal for equal keys."""
    column = _keys(frame, name, "sort_by")
    if isinstance(column.dtype, (nw.Enum, nw.Categorical)):
        return np.asarray(column.rank("dense").to_numpy())
    return _unique(column)[1]


def _check_unique(
    frame: nw.DataFrame[Any], order: NDArray[np.int64], codes: list[NDArray[Any]], names: list[str]
) -> None:
    """Refuse two rows with equal `codes`, which are those of the columns `names`: `order` makes them neighbours."""
    first, second = order[:-1], order[1:]
    equal = np.logical_and.reduce([code[first] == code[second] for code in codes])
    if equal.any():
        where = int(np.argmax(equal))
        rows = sorted((int(first[where]), int(second[where])))
        key = ", ".join(f"{name}={frame[name].to_list()[rows[0]]!r}" for name in names)
        raise SequenceDataError(
            f"df has {int(equal.sum())} row(s) whose key is there already, the first of which is {key} in rows "
            f"{rows[0]} and {rows[1]} (counted from 0): drop or aggregate them, or add a column to sort_by that tells "
            f"them apart"
        )


def _values(frame: nw.DataFrame[Any], names: list[str], order: NDArray[np.int64]) -> NDArray[Any]:
    """The features in the order of the steps: numbers (n_rows, n_features), or tokens (n_rows,)."""
    columns = [frame[name] for name in names]
    if len(columns) == 1 and isinstance(columns[0].dtype, (nw.String, nw.Enum, nw.Categorical)):
        return _tokens(columns[0])[order]
    arrays = [_numbers(column) for column in columns]
    values = np.empty((len(order), len(arrays)), dtype=np.result_type(*arrays))
    for j, array in enumerate(arrays):
        values[:, j] = array[order]
    return values


def _tokens(column: nw.Series[Any]) -> NDArray[Any]:
    """A column of strings as an array (n_rows,) of objects."""
    missing = _missing(column)
    if missing.any():
        raise SequenceDataError(
            f"The column {column.name!r} of tokens is missing in row {int(np.argmax(missing))} (counted from 0): fill "
            f"it with a token of its own"
        )
    return np.asarray(column.cast(nw.String).to_numpy(), dtype=object)


def _numbers(column: nw.Series[Any]) -> NDArray[Any]:
    """A column of numbers or booleans as an array (n_rows,), NaN where it is missing."""
    if not (column.dtype.is_numeric() or column.dtype == nw.Boolean):
        raise SequenceDataError(
            f"The column {column.name!r} has dtype {column.dtype}, but features must be numbers, or one column of "
            f"strings that are tokens. Encode it as numbers, or leave it out of `columns`"
        )
    missing = column.is_null().to_numpy().any()
    array = column.cast(nw.Float64).to_numpy() if missing or column.dtype.is_decimal() else column.to_numpy()
    return np.asarray(array)


def _ids(frame: nw.DataFrame[Any], names: list[str], first_rows: NDArray[np.int64]) -> NDArray[Any]:
    """The id (n_sequences,) of each sequence: an entry of the one id column, or a tuple of several."""
    keys = [frame[name].to_numpy()[first_rows] for name in names]
    if len(keys) == 1:
        return keys[0]
    return object_array(list(zip(*(key.tolist() for key in keys), strict=True)))
