"""Whether what comes beside X is in the order of its sequences, where both say which sequence a row is of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from sklearn_rnn.data.collection import Collection
from sklearn_rnn.data.long_tables import explain_mismatch
from sklearn_rnn.exceptions import SequenceDataError


def check_order(X: Any, beside: Mapping[str, Any], *, name: str = "X") -> None:
    """Refuse targets, weights or groups whose index holds the ids of X in another order.

    An index that has nothing to do with the ids is ignored, and so is the one that pandas makes by counting rows.

    Parameters
    ----------
    X : sequences in any supported format
        Containers have ids, pandas' objects an index; all else is in the order that it is in.
    beside : dict of str to anything
        What goes with X, and what to call it in errors. None is nothing.
    name : str
        What to call X in errors.

    Raises
    ------
    SequenceDataError
        With the line that aligns the two.
    """
    given = {what: values for what, values in beside.items() if _has_keys(values)}
    if not given:
        return
    keys = _keys_of(X)
    if keys is None:
        return
    names_rows = not _counts_rows(X) and len(set(keys)) == len(keys)
    accessor = f"{name}.{'index' if hasattr(X, 'iloc') else 'ids'}"
    for what, values in given.items():
        if names_rows:
            _refuse_ids_in_columns(keys, values, what, name, accessor)
        own = [] if _counts_rows(values) else _keys_of(values)
        if own and own != keys and (names_rows or len(own) == len(keys)):
            _compare(keys, own, values, what, name, accessor)


def check_beside(X: Any, y: Any, others: Mapping[str, Any] | None = None, *, suffix: str = "") -> None:
    """What a fit asks of all that it is given, before it reads any of it: that rows belong together.

    Parameters
    ----------
    X : sequences in any supported format
    y : anything
    others : dict of str to anything, optional
        What else goes with X, such as weights, by the names of the parameters.
    suffix : str
        What the names of the parameters end in, as those of validation data do.

    Raises
    ------
    SequenceDataError
        If :func:`check_order` or :func:`explain_mismatch` finds a fault.
    """
    beside = {"y": y, **(others or {})}
    check_order(X, {f"{what}{suffix}": values for what, values in beside.items()}, name=f"X{suffix}")
    explain_mismatch(X, y, name=f"X{suffix}", what=f"y{suffix}")


def ids_of_index(X: Any) -> Any:
    """The index of a pandas Series or DataFrame as ids (n_rows,); None of all else, and where it only counts rows."""
    return np.asarray(X.index) if hasattr(X, "iloc") and not _counts_rows(X) else None


def _has_keys(values: Any) -> bool:
    return hasattr(values, "iloc") or _has_columns(values) or getattr(values, "ids", None) is not None


def _has_columns(values: Any) -> bool:
    """Whether something is a frame, of pandas or polars."""
    return hasattr(values, "columns") and (hasattr(values, "iloc") or hasattr(values, "to_series"))


def _keys_of(values: Any) -> list[Hashable] | None:
    """What tells the rows apart, as hashable values; None if nothing does."""
    if isinstance(values, Mapping):
        return next((keys for part in values.values() if (keys := _keys_of(part)) is not None), None)
    if isinstance(values, Collection):
        keys = getattr(values, "ids", None)
    else:
        keys = values.index if hasattr(values, "iloc") else None
    if keys is None:
        return None
    return _as_hashable(keys)


def _as_hashable(keys: Any) -> list[Hashable]:
    """Keys (n_rows,) as Python has them, times in one unit."""
    array = np.asarray(keys)
    found: list[Hashable] = (array.astype("datetime64[us]") if array.dtype.kind == "M" else array).tolist()
    return found


def _counts_rows(values: Any) -> bool:
    """Whether the index is the one that pandas makes where none is given."""
    index = getattr(values, "index", None)
    if type(index).__name__ != "RangeIndex":
        return False
    return index.name is None and index.start == 0 and index.step == 1  # type: ignore[union-attr]


def _refuse_ids_in_columns(keys: list[Hashable], values: Any, what: str, name: str, accessor: str) -> None:
    """Raise if a frame of several columns holds the ids of X in one of them, as a group-by leaves them."""
    if not _has_columns(values) or len(values) != len(keys) or len(values.columns) < 2:
        return
    known = set(keys)
    for k, column in enumerate(values.columns):
        own = _as_hashable(values.iloc[:, k] if hasattr(values, "iloc") else values[:, k])
        if isinstance(own[0], Hashable) and own[0] in known and _permuted(keys, own):
            frame = what if hasattr(values, "iloc") else f"{what}.to_pandas()"
            raise SequenceDataError(
                f"{what} holds the ids of {name} in its column {column!r}, which would be read as one of {what}. Give "
                f"{frame}.set_index({column!r}).loc[{accessor}]"
            )


def _compare(keys: list[Hashable], own: list[Hashable], values: Any, what: str, name: str, accessor: str) -> None:
    """Raise if the keys of X and those of `values`, which are not the same, belong together."""
    position = {key: i for i, key in enumerate(keys)}
    if len(own) != len(keys):
        _explain_count(position, own, what, name, _aligning(values, what, accessor))
        return
    if not (_permuted(keys, own) or (_names_sequences(values, own) and _contradicts(position, own))):
        return
    i = next(i for i, (key, other) in enumerate(zip(keys, own, strict=True)) if key != other)
    escape = "" if isinstance(values, Collection) else f", or {what}.to_numpy() if it is in the order of {name} already"
    raise SequenceDataError(
        f"{what} is in another order than {name}: row {i} of {name} is {keys[i]!r}, and that of {what} is {own[i]!r}. "
        f"Align it with {_aligning(values, what, accessor)}{escape}"
    )


def _aligning(values: Any, what: str, accessor: str) -> str:
    """The line that brings `values` into the order of X."""
    if isinstance(values, Collection):
        return f"{what} = {what}.take([list({what}.ids).index(i) for i in {accessor}])"
    return f"{what} = {what}.loc[{accessor}]"


def _permuted(keys: list[Hashable], own: list[Hashable]) -> bool:
    return Counter(keys) == Counter(own)


def _names_sequences(values: Any, own: list[Hashable]) -> bool:
    """Whether an index of which only a part is known is one of ids: whole numbers without a name only count rows."""
    named = isinstance(values, Collection) or any(name is not None for name in values.index.names)
    return named or not all(isinstance(key, int) for key in own)


def _contradicts(position: dict[Hashable, int], own: list[Hashable]) -> bool:
    """Whether the keys that both know come in another order, or strings are at other rows.

    Other keys that come in the same order may be shifted on purpose, as the dates of forecasts are.
    """
    common = [position[key] for key in own if key in position]
    if any(later < earlier for earlier, later in pairwise(common)):
        return True
    return bool(common) and all(isinstance(key, str) for key in own)


def _explain_count(position: dict[Hashable, int], own: list[Hashable], what: str, name: str, aligning: str) -> None:
    """Raise if the keys of X are among those of something of another length, which may go on to its own error."""
    known = set(own)
    absent = [key for key in position if key not in known]
    if len(absent) == len(position) or len(known) < len(own):
        return
    counts = f"inconsistent numbers of samples: {name} has {len(position)} sequences, {what} has {len(own)}"
    if not absent:
        raise SequenceDataError(f"Found input variables with {counts}. Its index holds the ids of {name}: {aligning}")
    raise SequenceDataError(
        f"Found input variables with {counts}. The index of {what} has no row for {len(absent)} of the ids of {name}, "
        f"such as {absent[0]!r}: leave those sequences out, then {aligning}"
    )
