"""Every format that a set of sequences may come in, read into one container.

The table of formats is in the user guide; what cannot be read raises an error that names the sequence at fault.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from itertools import chain
from numbers import Number
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn.data.conversion import (
    is_missing_or_nan,
    is_sparse,
    is_wrapped,
    refuse_sparse,
    shown,
    unwrapped,
    unwrapped_items,
)
from sklearn_rnn.data.integers import in_one_type, integers_of
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.exceptions import SequenceDataError

WANTED = (
    "a 3-D array (n_sequences, n_steps, n_features), or a list, object array or Series of arrays of shape "
    "(length, n_features) or (length,)"
)


def is_table(X: Any) -> bool:
    """Whether X is what scikit-learn calls 2-D data: one row a sequence of equal length, one feature a step."""
    if isinstance(X, Sequences):
        return False
    shape = getattr(X, "shape", None)
    if shape is None or len(shape) != 2:
        return False
    return not _is_column_of_sequences(X) and not has_steps_as_cells(X)


def rows_of_cells(X: Any) -> Any:
    """An object array (n_sequences, n_steps) with the features of a step in each cell as lists; all else as it is."""
    return list(map(list, X)) if has_steps_as_cells(X) else X


def as_sequences(X: Any, *, name: str = "X") -> Sequences:
    """Read any format but the 2-D table into a container; the dtype stays what it was.

    Parameters
    ----------
    X : sequences in any of the documented formats
    name : str
        What to call X in errors.

    Returns
    -------
    sequences : Sequences
        Values of shape (total_steps, n_features), or (total_steps,) for tokens and sequences of plain numbers.

    Raises
    ------
    SequenceDataError
        If the input is no such format; the message says what came, where, and what was wanted.
    """
    if isinstance(X, Sequences):
        return X
    X = unwrapped(X, name)
    if is_sparse(X):
        refuse_sparse(X, name)
    unordered = isinstance(X, (Mapping, Set))
    if isinstance(X, (str, bytes)) or unordered or not (hasattr(X, "__len__") or hasattr(X, "__array__")):
        advice = ""
        if isinstance(X, str):
            advice = (
                f". One document is [{name}.split()], or with SequenceTokenizer() before the estimator in a Pipeline "
                f"[{name}]"
            )
        raise SequenceDataError(f"{name} must be a collection of sequences ({WANTED}), got {_describe(X)}{advice}")
    X = column_of_sequences(X)
    if not isinstance(X, (list, tuple, np.ndarray)):
        X = items_of(X)
    X = rows_of_cells(X)
    if isinstance(X, np.ndarray) and (X.ndim != 1 or X.dtype != object):
        return _from_block(X, name)
    if len(X) == 0:
        raise SequenceDataError(f"{name} is empty: found 0 sample(s), a minimum of 1 sequence is required")
    return _from_items(list(X), name)


def is_text(values: NDArray[Any]) -> bool:
    """Whether `values` (total_steps,) hold strings."""
    return values.dtype.kind in "UT" or (values.dtype == object and len(values) > 0 and isinstance(values[0], str))


def object_array(items: list[Any]) -> NDArray[Any]:
    """A 1-D object array of `items`, filled one by one: NumPy would make it 2-D where the lengths are equal."""
    array = np.empty(len(items), dtype=object)
    for i, item in enumerate(items):
        array[i] = item
    return array


def items_of(X: Any) -> Any:
    """The items of a Series, an Arrow column or another array-like, as a list or an array."""
    if hasattr(X, "to_pylist"):  # an Arrow array, whose items are Arrow scalars
        return X.to_pylist()
    if hasattr(X, "to_list"):  # a pandas or polars Series
        return X.to_list()
    if hasattr(X, "__array__"):
        return np.asarray(X)
    return list(X)


def column_of_sequences(X: Any) -> Any:
    """The column of a frame or object array that has one alone, of sequences; anything else as it is."""
    if not _is_column_of_sequences(X):
        return X
    return X.iloc[:, 0] if hasattr(X, "iloc") else X[:, 0]


def _is_column_of_sequences(X: Any) -> bool:
    """Whether X is a frame or object array of one column whose cells are sequences, as ColumnTransformer hands on."""
    shape = getattr(X, "shape", None)
    if shape is None or len(shape) != 2 or shape[1] != 1 or shape[0] == 0:
        return False
    if hasattr(X, "iloc"):
        cell = X.iloc[0, 0]
    elif isinstance(X, np.ndarray) and X.dtype == object:
        cell = X[0, 0]
    elif hasattr(X, "to_series"):  # a polars frame
        cell = X.to_series(0)[0]
    else:
        return False
    return is_sequence_cell(cell)


def is_sequence_cell(cell: Any) -> bool:
    """Whether a cell of a frame or an object array holds a sequence, and not one value."""
    return hasattr(cell, "__len__") and not isinstance(cell, (str, bytes, Mapping)) and getattr(cell, "ndim", 1) != 0


def dimensions(item: Any) -> int:
    """What ``numpy.ndim`` says; 2 of a list of lists that differ in their length, which NumPy makes no array of."""
    try:
        return np.ndim(item)
    except ValueError:
        return 2


def has_steps_as_cells(X: Any) -> bool:
    """Whether X is an object array (n_sequences, n_steps) of vectors or dicts, and not of one sequence a row."""
    if not isinstance(X, np.ndarray) or X.dtype != object or X.ndim != 2 or X.size == 0:
        return False
    cell = X[0, 0]
    if isinstance(cell, Mapping):
        return all(isinstance(other, Mapping) for other in X.flat)
    return X.shape[1] > 1 and (isinstance(cell, (list, tuple)) or len(getattr(cell, "shape", ())) == 1)


def _from_block(X: NDArray[Any], name: str) -> Sequences:
    """Equal lengths in one array: (n_sequences, n_steps, n_features) numbers, or (n_sequences, n_steps)."""
    if X.ndim == 1 and X.dtype.kind in "UT":
        raise document_error(name, 0, X[0]) if len(X) else SequenceDataError(f"{name} is empty: found 0 sample(s)")
    if X.ndim not in (2, 3):
        way = f"one sequence of one feature is {name}.reshape(1, -1, 1)"
        if X.ndim > 3:
            way = f"where all that comes after the steps is one step, {name}.reshape({X.shape[0]}, {X.shape[1]}, -1)"
        raise SequenceDataError(
            f"{name} has {X.ndim} dimension(s) and shape {X.shape}, but the input must be {WANTED}. Reshape your data: "
            f"{way}"
        )
    if X.shape[0] == 0:
        raise SequenceDataError(
            f"{name} is empty: found 0 sample(s) (shape={X.shape}) while a minimum of 1 is required"
        )
    if X.ndim == 3 and X.shape[2] == 0:
        raise SequenceDataError(f"{name} has 0 feature(s) (shape={X.shape}) while a minimum of 1 is required")
    n_sequences, n_steps = X.shape[:2]
    values = np.ascontiguousarray(X).reshape(n_sequences * n_steps, *X.shape[2:])
    return Sequences(values, np.arange(n_sequences + 1) * n_steps)


def _from_items(items: list[Any], name: str) -> Sequences:
    if any(map(is_wrapped, set(map(type, items)))):
        items = [unwrapped(item, f"{name}[{i}]") for i, item in enumerate(items)]
    for i, item in enumerate(items):
        _check_item(item, i, name)
    first = next((item for item in items if len(item)), items[0])
    if not isinstance(first, np.ndarray) and _first_step_is_text(first):
        return _from_token_lists(items, name)
    arrays = [_as_array(item, i, name) for i, item in enumerate(items)]
    kinds = {array.ndim for array in arrays if len(array)}
    if len(kinds) > 1:
        i, j = (next(i for i, array in enumerate(arrays) if len(array) and array.ndim == d) for d in sorted(kinds)[:2])
        raise SequenceDataError(
            f"The sequences of {name} differ in their dimensions: {name}[{i}] has shape {arrays[i].shape} and "
            f"{name}[{j}] has shape {arrays[j].shape}. Give every sequence as (length, n_features), or every one as "
            f"(length,)"
        )
    _check_same_features(arrays, name)
    shape_of_empty = (0, *arrays[_position(arrays, 0)].shape[1:])
    arrays = [array if len(array) else np.empty(shape_of_empty, arrays[_position(arrays, 0)].dtype) for array in arrays]
    texts = {i: array.dtype.kind in "UT" for i, array in enumerate(arrays) if len(array)}
    _check_no_number_became_text(items, texts, name)
    if any(texts.values()):
        if not all(texts.values()):
            i, j = (next(i for i, text in texts.items() if text == wanted) for wanted in (True, False))
            raise SequenceDataError(
                f"{name}[{i}] holds strings (dtype {arrays[i].dtype}) and {name}[{j}] does not (dtype "
                f"{arrays[j].dtype}): give strings in every sequence, or numbers in every one"
            )
        arrays = [array.astype(object) for array in arrays]
    sequences = Sequences.from_arrays(in_one_type(arrays))
    sequences.feature_names = common_columns(items, name)
    if is_text(sequences.values):
        check_tokens(sequences, name)
    return sequences


def _check_no_number_became_text(items: list[Any], texts: dict[int, bool], name: str) -> None:
    """Refuse lists in which NumPy made strings of numbers, as it does where any other step is a string."""
    for i, text in texts.items():
        if not text or not isinstance(items[i], (list, tuple)):
            continue
        for step, value in enumerate(items[i]):
            if isinstance(value, (Number, type(None))):
                raise SequenceDataError(
                    f"{name}[{i}][{step}] is {_describe(value)} where other steps are strings: give strings alone "
                    f"(str(value) makes them), or numbers alone"
                )


def _check_item(item: Any, i: int, name: str) -> None:
    """Whether item `i` of a collection can be a sequence at all."""
    if type(item) is list or (type(item) is np.ndarray and item.ndim):  # most are, and all that follows takes time
        return
    if isinstance(item, (str, bytes)):
        raise document_error(name, i, item)
    if isinstance(item, Mapping) and _holds_sequences(item):
        raise SequenceDataError(
            f"{name}[{i}] is a dict of sequences where a sequence is due. Several inputs a step are a dict of "
            f"collections: {{key: [x[key] for x in {name}] for key in {name}[0]}}"
        )
    if isinstance(item, (Mapping, Set)):
        raise SequenceDataError(
            f"{name}[{i}] is {_describe(item)} where a sequence is due. Features of a step may be a dict if a sequence "
            f"is a list of them, and PerStep(DictVectorizer()) reads them"
        )
    if is_sparse(item):
        raise SequenceDataError(f"{name}[{i}] is sparse, but dense data is required: convert it with .toarray()")
    if not hasattr(item, "__len__") or (hasattr(item, "shape") and len(item.shape) == 0):
        raise SequenceDataError(
            f"{name}[{i}] is {_describe(item)} where a sequence is due, of shape (length, n_features) or (length,)"
        )


def _holds_sequences(item: Mapping[Any, Any]) -> bool:
    """Whether a dict is one sequence of several inputs, as the items of their container are."""
    lengths = {len(part) if isinstance(part, (list, tuple, np.ndarray)) else -1 for part in item.values()}
    return len(lengths) == 1 and -1 not in lengths


def check_columns_differ(columns: list[Any], name: str) -> None:
    """Refuse columns that cannot be told apart."""
    if len(set(columns)) < len(columns):
        twice = next(column for column in columns if columns.count(column) > 1)
        raise SequenceDataError(
            f"{name} has more than one column of the name {twice!r}: give each column a name of its own"
        )


def common_columns(items: list[Any], name: str) -> list[str] | None:
    """The column names of sequences that are frames, the same in the same order for all; None without names."""
    named = {i: list(item.columns) for i, item in enumerate(items) if hasattr(item, "columns") and len(item)}
    if not named:
        return None
    first, wanted = next(iter(named.items()))
    for i, columns in named.items():
        if columns != wanted:
            raise SequenceDataError(
                f"The columns differ between sequences: {name}[{first}] has {wanted!r}, {name}[{i}] has {columns!r}. "
                f"Give every frame the same columns in the same order"
            )
    return wanted if all(isinstance(column, str) for column in wanted) else None


def _position(arrays: list[NDArray[Any]], at_least: int) -> int:
    """Position of the first array with more than `at_least` steps, else 0."""
    return next((i for i, array in enumerate(arrays) if len(array) > at_least), 0)


def _as_array(item: Any, i: int, name: str) -> NDArray[Any]:
    """Sequence `i` as an array (length,) or (length, n_features)."""
    if type(item) is not np.ndarray:
        item = unwrapped_items(item, f"{name}[{i}]")
        if hasattr(item, "isna") and np.asarray(item.isna()).any() and _is_numeric_frame(item):
            item = item.to_numpy(dtype=np.float64, na_value=np.nan)  # NumPy would make an object of pandas' NA
    try:
        array = np.asarray(item)
    except ValueError as error:
        raise SequenceDataError(
            f"{name}[{i}] is not a rectangular array: its steps differ in length. A step must hold the same number of "
            f"features as every other ({WANTED})"
        ) from error
    if array.dtype.kind == "f" and array.ndim == 1 and len(array) and type(item) in (list, tuple):
        array = integers_of(item, array)
    if array.dtype == object and array.ndim == 1 and len(array) and isinstance(array[0], (np.ndarray, list, tuple)):
        return _as_array(array.tolist(), i, name)
    if array.ndim not in (1, 2) or (array.ndim == 2 and array.shape[1] == 0 and len(array)):
        raise SequenceDataError(
            f"{name}[{i}] has shape {array.shape}, but a sequence must have shape (length, n_features) or (length,)"
        )
    return array


def _is_numeric_frame(item: Any) -> bool:
    """Whether all columns of a pandas frame, or a Series, hold numbers."""
    dtypes = item.dtypes if hasattr(item, "columns") else [item.dtype]
    return all(getattr(dtype, "kind", "O") in "biuf" for dtype in dtypes)


def _check_same_features(arrays: list[NDArray[Any]], name: str) -> None:
    reference = _position(arrays, 0)
    wanted = arrays[reference].shape[1:]
    for i, array in enumerate(arrays):
        if len(array) and array.shape[1:] != wanted:
            hint = ""
            if len({len(other) for other in arrays}) == 1:
                hint = (
                    f". All sequences have {len(array)} rows but unequal numbers of columns: if they are "
                    f"(n_features, length), transpose each of them"
                )
            raise SequenceDataError(
                f"The number of features differs between sequences: {name}[{reference}] has shape "
                f"{arrays[reference].shape} and {name}[{i}] has shape {array.shape}; wanted (length, {wanted[0]}){hint}"
            )


def _first_step_is_text(item: Any) -> bool:
    if hasattr(item, "dtype") or hasattr(item, "columns"):  # a DataFrame iterates over the names of its columns
        return False
    return len(item) > 0 and isinstance(next(iter(item)), str)


def _from_token_lists(items: list[Any], name: str) -> Sequences:
    """Lists of strings, joined without asking NumPy to guess a type for each."""
    offsets = np.concatenate([[0], np.cumsum([len(item) for item in items])])
    values = object_array(list(chain.from_iterable(items)))
    sequences = Sequences(values, offsets)
    check_tokens(sequences, name)
    return sequences


def check_tokens(sequences: Sequences, name: str) -> None:
    for step, token in enumerate(sequences.values.ravel()):
        if not isinstance(token, str):
            sequence, position = locate(sequences, step)
            padding = ""
            if is_missing_or_nan(token):
                padding = ". If it is padding, give it a token of its own, and set padding_value to that"
            raise SequenceDataError(
                f"{name}[{sequence}][{position}] is {_describe(token)} where other steps are strings: give strings "
                f"alone (str(value) makes them), or numbers alone{padding}"
            )


def locate(sequences: Sequences, row: int) -> tuple[int, int]:
    """The (sequence, step) of a row of ``sequences.values``."""
    sequence = int(np.searchsorted(sequences.offsets, row, side="right")) - 1
    return sequence, int(row - sequences.offsets[sequence])


def document_error(name: str, i: int, document: Any) -> SequenceDataError:
    text = repr(str(document) if isinstance(document, str) else document)
    shown = text if len(text) <= 40 else text[:37] + "..."
    one = ""
    if isinstance(document, str) and len(document.split()) == 1:
        one = f"if {name} is one sequence of tokens, give [{name}]. If it holds documents, "
    return SequenceDataError(
        f"{name}[{i}] is the raw document {shown} where a sequence of tokens is due: {one}put SequenceTokenizer() "
        f"before the estimator in a Pipeline, or split them yourself, for example [document.split() for document in "
        f"{name}]"
    )


def _describe(value: Any) -> str:
    """A short account of a value for an error: its type and, where short, its repr."""
    text = shown(value, 61)
    return f"{type(value).__name__} {text}" if len(text) <= 60 else f"an object of type {type(value).__name__}"
