"""Long DataFrames, one row a step, read into the container; pandas, polars and others alike, through narwhals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from sklearn_rnn.data.aligned import AlignedSequences
from sklearn_rnn.data.formats import object_array
from sklearn_rnn.data.frame_columns import (
    differs,
    distinct,
    holds_text,
    key_column,
    number_values,
    order_codes,
    target_values,
    token_values,
)
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.exceptions import SequenceDataError


def sequences_from_frame(
    df: Any,
    *,
    id: str | Sequence[str],
    sort_by: str | Sequence[str] | None = None,
    columns: str | Sequence[str] | None = None,
    target: str | Sequence[str] | None = None,
    group: str | Sequence[str] | None = None,
    target_alignment: str = "auto",
) -> Any:
    """Read a long DataFrame, with one row for each step, into sequences, and its targets and groups with them.

    Parameters
    ----------
    df : DataFrame of pandas, polars, or another library that narwhals knows
        One row for each step. The rows of a sequence need not be adjacent.
    id : str or list of str
        The column that says which sequence a row belongs to, or several that say it together.
    sort_by : str or list of str, optional
        The column that orders the steps of a sequence, or several, the first of which goes before the others. Without
        it, the steps keep the order of the rows. The values of a categorical column are in the order of its categories.
        Text is in the order of text, with a warning where that sorts "10" before "2".
    columns : str or list of str, optional
        The features, in this order: columns of numbers, or of strings, which are read as tokens. All that nothing else
        names by default.
    target : str or list of str, optional
        The column of the targets, or several.
    group : str or list of str, optional
        The column that says which group a sequence belongs to, or several that say it together. It may be one of `id`.
    target_alignment : {"auto", "sequence", "step"}, default="auto"
        Whether there is one target for each sequence or one for each step. "auto" reads one for each sequence if no
        column of `target` differs within an id, NaN included, and one for each step otherwise.

    Returns
    -------
    sequences : Sequences or AlignedSequences
        In the order in which their ids first appear. ``ids`` holds the id of each, a tuple where `id` is a list of
        several columns, and ``feature_names`` the names of `columns`. Missing values are NaN. Where a column of strings
        is not alone, every column is an input of its own, in :class:`AlignedSequences`.
    y : array of shape (n_sequences,) or (n_sequences, n_targets), or Sequences
        The targets in the order of the sequences, or of their steps. Only with `target`.
    groups : array of shape (n_sequences,)
        The groups in the order of the sequences. Only with `group`.

    Raises
    ------
    TypeError
        If `df` is no DataFrame, or a lazy one.
    SequenceDataError
        If a column is missing, is named twice or holds neither numbers nor strings; if an id, a group or a key of
        `sort_by` is missing; if two rows have the same id and keys; if there are no rows or no features; if a group
        differs within a sequence, or a target that is to be one for each. The message says which.

    See Also
    --------
    Sequences, AlignedSequences : The containers.
    repeat_static : Features that a sequence has once, in each of its steps.

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

    Targets and groups in columns of the same frame come in the order of the sequences:

    >>> steps["failed"] = [0, 0, 1, 1, 1]
    >>> sequences, y = sequences_from_frame(steps, id="pump", sort_by="hour", target="failed")
    >>> y
    array([0, 1])

    Those in a table of their own, with a row for each sequence, are brought into it by ``ids``:

    >>> failed = pd.Series({"a": 1, "b": 0})
    >>> sequences.ids
    array(['b', 'a'], dtype=object)
    >>> failed.loc[sequences.ids].to_numpy()
    array([0, 1])
    """
    frame = _as_frame(df)
    ids, keys, targets, groups = map(_names, (id, sort_by, target, group))
    beside = {*ids, *keys, *targets, *groups}
    features = _names(columns) if columns is not None else [c for c in frame.columns if c not in beside]
    _check_columns(frame, {"id": ids, "sort_by": keys, "target": targets, "group": groups, "columns": features})
    steps = _Steps.of(frame, ids, keys)
    found: list[Any] = [_read_features(frame, features, steps)]
    if target is not None:
        found.append(_read_target(frame, targets, steps, target_alignment))
    if group is not None:
        found.append(_read_groups(frame, groups, steps))
    return found[0] if len(found) == 1 else tuple(found)


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
                levels = getattr(getattr(frame.to_native(), "index", None), "names", ())
                advice = ", but in its index: give df.reset_index()" if name in levels else ""
                raise SequenceDataError(f"{parameter}={name!r} is no column of df, which has {frame.columns}{advice}")
            if names.count(name) > 1:
                raise SequenceDataError(f"{parameter} names the column {name!r} {names.count(name)} times")
    if not wanted["id"]:
        raise SequenceDataError("id must name at least one column, got none")
    if not wanted["columns"]:
        others = "id, sort_by, target and group" if wanted["target"] or wanted["group"] else "id and sort_by"
        raise SequenceDataError(f"df has no features: no column is left beside {others} in {frame.columns}")
    leaked = [name for name in wanted["target"] if name in wanted["columns"]]
    if leaked:
        raise SequenceDataError(
            f"target={leaked[0]!r} is one of columns too, so that the target would be a feature: leave it out of "
            f"columns, or give past values of it as a column of another name"
        )


@dataclass(frozen=True)
class _Steps:
    """Which rows are the steps of which sequence.

    Attributes
    ----------
    order : array of shape (n_rows,)
        The rows, sequence by sequence and sorted within each.
    sequence_of_row, offsets : arrays of shape (n_rows,) and (n_sequences + 1,)
    first_rows : array of shape (n_sequences,)
        The row in which each sequence first appears.
    ids : array of shape (n_sequences,)
    """

    order: NDArray[np.int64]
    sequence_of_row: NDArray[np.int64]
    offsets: NDArray[np.int64]
    first_rows: NDArray[np.int64]
    ids: NDArray[Any]

    @staticmethod
    def of(frame: nw.DataFrame[Any], ids: list[str], sort_by: list[str]) -> _Steps:
        """The steps of `frame` by the columns `ids` and `sort_by`."""
        sequence_of_row, first_rows = _number_sequences([key_column(frame, name, "id") for name in ids])
        codes = [order_codes(frame, name) for name in sort_by]
        order = np.lexsort([*reversed(codes), sequence_of_row])  # stable
        if codes:
            _check_unique(frame, order, [sequence_of_row, *codes], [*ids, *sort_by])
        lengths = np.bincount(sequence_of_row, minlength=len(first_rows))
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        return _Steps(order, sequence_of_row, offsets, first_rows, _keys_of(frame, ids, first_rows))

    def sequences(self, values: NDArray[Any], names: list[str] | None = None) -> Sequences:
        """The `values` (n_rows, ...) of the steps."""
        return Sequences(values[self.order], self.offsets, ids=self.ids, feature_names=names)

    def first_change(self, values: NDArray[Any]) -> str | None:
        """Where `values` (n_rows,) first differ within a sequence, in words; None if they never do."""
        firsts = values[self.first_rows][self.sequence_of_row]
        rows = np.flatnonzero(differs(values, firsts))
        if not len(rows):
            return None
        key = self.ids[self.sequence_of_row[rows[0]]]
        return f"of {key!s} it is {firsts[rows[0]]!s:.40} and {values[rows[0]]!s:.40} (row {rows[0]}, counted from 0)"


def _number_sequences(columns: list[nw.Series[Any]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The sequence (n_rows,) of each row, numbered by first appearance, and the first row (n_sequences,) of each."""
    codes = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        _, code = distinct(column)
        _, codes = np.unique(codes * (code.max() + 1) + code, return_inverse=True)
    _, first_rows = np.unique(codes, return_index=True)
    appearance = np.argsort(first_rows)
    number = np.empty(len(first_rows), dtype=np.int64)
    number[appearance] = np.arange(len(first_rows))
    return number[codes], first_rows[appearance]


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


def _read_features(frame: nw.DataFrame[Any], names: list[str], steps: _Steps) -> Sequences | AlignedSequences:
    """One input a step of numbers alone or of tokens alone; an input for each column where there are both."""
    columns = [frame[name] for name in names]
    texts = [holds_text(column) for column in columns]
    if any(texts) and len(columns) > 1:
        parts = (
            steps.sequences(token_values(column)) if text else steps.sequences(_block([column]), [name])
            for name, column, text in zip(names, columns, texts, strict=True)
        )
        return AlignedSequences(dict(zip(names, parts, strict=True)), name="df")
    return steps.sequences(token_values(columns[0]) if texts[0] else _block(columns), names)


def _block(columns: list[nw.Series[Any]]) -> NDArray[Any]:
    """Columns of numbers as rows (n_rows, n_columns)."""
    arrays = [number_values(column) for column in columns]
    values = np.empty((len(arrays[0]), len(arrays)), dtype=np.result_type(*arrays))
    for j, array in enumerate(arrays):
        values[:, j] = array
    return values


def _read_target(frame: nw.DataFrame[Any], names: list[str], steps: _Steps, alignment: str) -> Any:
    """One target a sequence, (n_sequences,) or (n_sequences, n_targets), or those of the steps as Sequences."""
    if alignment not in ("auto", "sequence", "step"):
        raise ValueError(f"target_alignment={alignment!r} must be 'auto', 'sequence' or 'step'")
    columns = [target_values(frame[name]) for name in names]
    changes = [steps.first_change(column) for column in columns]
    varying = next((j for j, change in enumerate(changes) if change is not None), None)
    values = columns[0] if len(columns) == 1 else np.column_stack(columns)
    if alignment == "sequence" and varying is not None:
        raise SequenceDataError(
            f"target={names[varying]!r} differs within a sequence: {changes[varying]}. Give one target for each id, "
            f"or take target_alignment='step', which reads a target for each step"
        )
    if alignment == "sequence" or (alignment == "auto" and varying is None):
        return values[steps.first_rows]
    return steps.sequences(values)


def _read_groups(frame: nw.DataFrame[Any], names: list[str], steps: _Steps) -> NDArray[Any]:
    """The group (n_sequences,) of each sequence: an entry of the one column, or a tuple of several."""
    for name in names:
        change = steps.first_change(target_values(key_column(frame, name, "group")))
        if change is not None:
            raise SequenceDataError(
                f"group={name!r} differs within a sequence: {change}. A sequence belongs to one group as a whole"
            )
    return _keys_of(frame, names, steps.first_rows)


def _keys_of(frame: nw.DataFrame[Any], names: list[str], rows: NDArray[np.int64]) -> NDArray[Any]:
    """The key (n_selected,) of each of the `rows`: an entry of the one column, or a tuple of several."""
    keys = [frame[name].to_numpy()[rows] for name in names]
    if len(keys) == 1:
        return keys[0]
    return object_array(list(zip(*(key.tolist() for key in keys), strict=True)))
