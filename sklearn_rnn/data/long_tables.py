"""Long frames, with a row for each step, that are given as tables, whose rows are sequences."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn._warning import warn
from sklearn_rnn.data.collection import Collection
from sklearn_rnn.data.formats import is_sequence_cell
from sklearn_rnn.data.static_inputs import column_names_of, first_cells
from sklearn_rnn.exceptions import SequenceDataError, SequenceDataWarning

ROWS, COLUMNS = 5_000, 100
"""As much of a table is looked at; wider ones are no long frames."""

FEWEST_ROWS = 6

NAMES = re.compile(
    r"(.*[_ .])?(uu?id|ids?|key|user|subject|patient|session|engine|unit|machine|device|customer|client|player|vehicle|"
    r"account|sentence|doc|document|sequence|seq|series|trial|case|trip|person|employee|ticker|symbol)"
    r"[_ .]?(ids?|no|nr|num|number|#)?|.*[a-z](Id|ID)"
)
"""What columns are called that say which sequence a row belongs to."""

Columns = dict[Any, NDArray[Any]]


@dataclass(frozen=True)
class _LongFrame:
    """The columns that make a table look like a long frame.

    Attributes
    ----------
    key : str or int
        The column that looks like the id of a sequence.
    step : str, int or None
        One that looks like the number of a step, or its time.
    """

    key: Any
    step: Any

    def advice(self, X: Any, name: str) -> str:
        """The call that reads X, which is called `name`."""
        frame = name if hasattr(X, "columns") else f"pd.DataFrame({name})"
        sort_by = "" if self.step is None else f", sort_by={self.step!r}"
        return (
            f"Read it with sequences_from_frame({frame}, id={self.key!r}{sort_by}), which takes target= and group= too"
        )


def warn_if_long(X: Any, *, name: str = "X") -> None:
    """Warn if X is a table that looks like a long frame.

    A column is taken for an id if it repeats and has the name of one; or if it has few distinct values, each in one run
    of rows, and beside it there is a column that counts steps anew in each run, or one whose numbers are not whole.

    Parameters
    ----------
    X : sequences in any supported format
    name : str
        What to call X in the warning.
    """
    columns = _columns(X)
    if columns is None or _mixes_text(columns):  # which cannot be read, and the error has the same advice
        return
    found = _find(columns)
    if found is not None:
        warn(
            f"{name} is a table, read as one sequence a row, but looks like a long frame with one step a row: the "
            f"column {found.key!r} repeats like an id. {found.advice(X, name)}",
            SequenceDataWarning,
        )


def advice_if_long(X: Any, name: str) -> str | None:
    """What to do with a table that could not be read, if it looks like a long frame."""
    columns = _columns(X)
    found = None if columns is None else _find(columns)
    return None if found is None else f"{name} looks like a long frame, with one step a row. {found.advice(X, name)}"


def explain_mismatch(X: Any, y: Any, *, name: str = "X", what: str = "y") -> None:
    """Raise if y has another number of rows than X, and one for each id of a long frame, or for each step.

    Parameters
    ----------
    X : sequences in any supported format
    y : anything
    name, what : str
        What to call X and y in the error.

    Raises
    ------
    SequenceDataError
    """
    shape = getattr(y, "shape", None)
    if isinstance(y, (str, bytes)) or (not hasattr(y, "__len__") if shape is None else not shape):
        return
    n_targets = len(y) if shape is None else shape[0]
    if isinstance(X, Collection) and n_targets != len(X) and n_targets == X.offsets[-1]:
        raise SequenceDataError(
            f"Found input variables with inconsistent numbers of samples: {name} has {len(X)} sequences, {what} has "
            f"{n_targets} values, as many as there are steps in all. Give sequences_from_frame the column as target=, "
            f"which returns y in the order of {name}"
        )
    if _has_named_index(X):
        X, name = X.reset_index(), f"{name}.reset_index()"
    n_rows = (_shape(X) or (n_targets,))[0]
    columns = None if n_targets in (0, n_rows) else _columns(X, rows=None)
    if columns is None:
        return
    keys = [key for key, column in columns.items() if _n_distinct(column) == n_targets]
    keys = [key for key in keys if _is_named(key) or _in_runs(columns[key]) or 2 * len(keys) < len(columns)]
    if not keys:
        return
    key = next(filter(_is_named, keys), keys[0])
    found = _LongFrame(key, _counter(columns, key))
    raise SequenceDataError(
        f"Found input variables with inconsistent numbers of samples: {name} has {n_rows} rows, {what} has "
        f"{n_targets}. The column {key!r} of {name} has {n_targets} distinct values, so that {name} looks like a long "
        f"frame with one step a row. {found.advice(X, name)}"
    )


def _has_named_index(X: Any) -> bool:
    """Whether X is a frame of pandas whose index could be columns."""
    names = X.index.names if hasattr(X, "iloc") and hasattr(X, "columns") else [None]
    return all(name is not None for name in names) and not set(names) & set(X.columns)


def _shape(X: Any) -> tuple[int, ...]:
    """The shape of X; () of what has none, among them a nested tensor, whose shape is not to be asked for."""
    return () if getattr(X, "is_nested", False) else getattr(X, "shape", ())


def _columns(X: Any, rows: int | None = ROWS) -> Columns | None:
    """The columns of a frame or a 2-D array, as far as they are looked at; None of anything else."""
    shape = _shape(X)
    if len(shape) != 2 or isinstance(X, Collection) or not 2 <= shape[1] <= COLUMNS or shape[0] < FEWEST_ROWS:
        return None
    if isinstance(X, np.ndarray):
        return dict(enumerate(np.asarray(X[:rows].T))) if X.dtype.kind in "biuf" else None
    if not hasattr(X, "columns") or any(is_sequence_cell(cell) for _, cell in first_cells(X)):
        return None
    names = column_names_of(X)
    part = X if rows is None else X[:rows]
    return {name: np.asarray(part[name]) for name in names} if len(set(map(str, names))) == len(names) else None


def _mixes_text(columns: Columns) -> bool:
    return len({_is_text(column) for column in columns.values()}) > 1


def _is_text(column: NDArray[Any]) -> bool:
    """Whether a column holds strings that are no numbers, as which scikit-learn reads those that are."""
    first = column[0]
    return isinstance(first, str) and not first.strip().lstrip("+-").replace(".", "", 1).isdigit()


def _find(columns: Columns) -> _LongFrame | None:
    """The id and the step of what looks like a long frame, the one of the clearest name first."""
    repeating = {key: column for key, column in columns.items() if 2 <= _n_distinct(column) <= len(column) // 2}
    for key, column in repeating.items():
        if _is_named(key) and _is_whole(column):
            return _LongFrame(key, _counter(columns, key))
    for key, column in repeating.items():
        if not _in_runs(column):
            continue
        step = _counter(columns, key) if len(columns) > 2 else None
        others = (other for name, other in columns.items() if name != key)
        beside = _is_whole(column) and _n_distinct(column) > 2 and not all(map(_is_whole, others))
        if step is not None or beside:
            return _LongFrame(key, step)
    return None


def _is_named(key: Any) -> bool:
    """Whether a column has the name of an id."""
    return isinstance(key, str) and bool(NAMES.fullmatch(key) or NAMES.fullmatch(key.lower()))


def _n_distinct(column: NDArray[Any]) -> int:
    if column.dtype.kind != "O":
        return len(np.unique(column))
    try:
        return len(set(column.tolist()))
    except TypeError:
        return len(column)


def _starts(column: NDArray[Any]) -> NDArray[np.bool_]:
    """Where (n_rows,) the runs of equal values begin."""
    return np.concatenate([[True], np.asarray(column[1:] != column[:-1], dtype=bool)])


def _in_runs(column: NDArray[Any]) -> bool:
    """Whether each value stands in adjacent rows."""
    return int(_starts(column).sum()) == _n_distinct(column)


def _is_whole(column: NDArray[Any]) -> bool:
    """Whether a column can be an id: strings, whole numbers, or floats that are."""
    if column.dtype.kind != "f":
        return column.dtype.kind not in "bmMc"
    return bool(np.all(np.isfinite(column)) and np.all(np.mod(column, 1) == 0))


def _counter(columns: Columns, key: Any) -> Any:
    """The first column that rises in each run of the column `key`, and starts anew in most; None without one."""
    border = _starts(columns[key])[1:]
    if not _in_runs(columns[key]) or border.all() or not border.any():
        return None
    for name, column in columns.items():
        if name == key or column.dtype.kind not in "iufM":
            continue
        rises = column[1:] > column[:-1]
        if rises[~border].all() and (~rises[border]).mean() > 0.5:
            return name
    return None
