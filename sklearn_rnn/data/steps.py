"""Steps as transformers take them: rows of numbers, strings, dicts or lists, and what belongs to each step."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from numbers import Number
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn.data.cells import opened
from sklearn_rnn.data.conversion import floats, refuse_masked, refuse_sparse, unwrapped_items
from sklearn_rnn.data.features import spread_vectors
from sklearn_rnn.data.formats import as_sequences, is_table, is_text, items_of, object_array
from sklearn_rnn.data.hints import hints_at_one_sequence
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.tables import is_for_table, plain, read_table
from sklearn_rnn.data.validation import InputSpec, Kind, check_alike
from sklearn_rnn.exceptions import SequenceDataError


@hints_at_one_sequence
def read_steps(
    X: Any,
    spec: InputSpec | None = None,
    *,
    whole: bool = False,
    features: bool = False,
    reader: str = "the transformer",
    name: str = "X",
) -> tuple[Sequences, InputSpec]:
    """Read X for a transformer of steps: whatever its values are, and hold it to what was seen in ``fit``.

    Nothing is written anywhere: who reads keeps the spec.

    Parameters
    ----------
    X : sequences in any of the documented formats, or with steps that are dicts or lists of strings
    spec : InputSpec, optional
        What was seen in ``fit``, and X is held to. None in ``fit``.
    whole : bool
        Whether a step that is a list is one object, and not a row of features.
    features : bool
        Whether a step that is a dict is for a reader of dicts, which takes numbers, strings and lists of strings: then
        each number of a vector gets a name of its own.
    reader, name : str
        What to call the transformer and X in errors.

    Returns
    -------
    sequences : Sequences
        Values of shape (total_steps, n_features), or (total_steps,) for strings, dicts and lists. NaN stays.
    spec : InputSpec
        What X is in ``fit``, the spec that was given afterwards.

    Raises
    ------
    SequenceDataError, ValueError, TypeError
        What came, where, and what was wanted.
    """
    X = plain(opened(X, spec, name))
    table = is_for_table(X)
    if table:
        sequences, names = read_table(X, reader=reader, name=name)
    else:
        sequences = _of_any_steps(X, whole, name)
        names = sequences.feature_names
    values = _as_rows(sequences.values)
    sequences = sequences.with_values(values, feature_names=sequences.feature_names)
    if spec is not None and not len(values):
        return sequences, spec  # without steps there is nothing to compare
    found = InputSpec.of(sequences, _kind(values), table=table, names=names)
    if features and found.kind == "objects" and all(isinstance(value, Mapping) for value in values.flat):
        sequences, fields = spread_vectors(sequences, name)
        found = replace(found, fields=fields)
    if spec is None:
        return sequences, found
    check_alike(found, spec, reader=reader, name=name)
    if found.fields is not None and spec.fields is not None:
        spec.fields.compare(found.fields, sequences.lengths, name=name)
    return sequences, spec


def spread_over_steps(values: Any, sequences: Sequences, *, name: str) -> NDArray[Any]:
    """One value for each step: from one a sequence, which is repeated, or from one a step already.

    Parameters
    ----------
    values : array-like
        Of shape (n_sequences, ...), or for each sequence as many items as it has steps.
    sequences : Sequences
        The steps that the values belong to.
    name : str
        What to call the values in errors.

    Returns
    -------
    step_values : array of shape (total_steps, ...)

    Raises
    ------
    SequenceDataError
        If the number of values, or the number of items of one of them, fits neither; the message says which.
    """
    refuse_sparse(values, name)
    refuse_masked(values, name, "leave out the sequences that they belong to")
    values = values if isinstance(values, Sequences) else unwrapped_items(values, name)
    if not isinstance(values, (list, tuple, np.ndarray, Sequences)):
        values = items_of(values)
    if len(values) != len(sequences):
        raise SequenceDataError(
            f"Found input variables with inconsistent numbers of samples: X has {len(sequences)} sequences, {name} has "
            f"{len(values)}"
        )
    nested = [
        -1 if isinstance(value, (str, bytes)) or not hasattr(value, "__len__") else len(value) for value in values
    ]
    if nested == sequences.lengths.tolist() and any(nested):
        steps = as_sequences(values, name=name).values
        return steps[:, 0] if steps.ndim == 2 and steps.shape[1] == 1 else steps
    if len(set(nested)) > 1:
        i = int(np.argmax(np.asarray(nested) != sequences.lengths))
        count = f"{nested[i]} values" if nested[i] >= 0 else f"one value, {values[i]!r}"
        raise SequenceDataError(
            f"{name}[{i}] has {count}, but X[{i}] has {sequences.lengths[i]} steps: wanted one value for each step, or "
            f"one for each sequence"
        )
    return np.repeat(np.asarray(values), sequences.lengths, axis=0)


def layout_of(X: Any) -> Literal["table", "block", "ragged"]:
    """Whether X is 2-D, 3-D, or one item a sequence."""
    if getattr(X, "is_nested", False):  # a tensor, whose shape is not to be asked for
        return "ragged"
    if not hasattr(X, "shape") and hasattr(X, "__array__"):
        X = np.asarray(X)
    if is_table(X) or _is_list_of_rows(X):
        return "table"
    return "block" if len(getattr(X, "shape", ())) == 3 else "ragged"


def _is_list_of_rows(X: Any) -> bool:
    """Whether X is a list of lists of numbers, all of one length: a table to scikit-learn."""
    if not isinstance(X, (list, tuple)) or not all(isinstance(row, (list, tuple)) for row in X):
        return False
    return len({len(row) for row in X}) == 1 and len(X[0]) > 0 and isinstance(X[0][0], Number)


def _of_any_steps(X: Any, whole: bool, name: str) -> Sequences:
    """Any format; lists of strings a step become rows (total_steps, n_strings), or stay lists."""
    items = _python_items(X)
    first = next((item[0] for item in items if isinstance(item, (list, tuple)) and len(item)), None)
    if not isinstance(first, (list, tuple)) or not any(isinstance(cell, str) for cell in first):
        return as_sequences(X, name=name)
    for i, item in enumerate(items):
        if not isinstance(item, (list, tuple)) or not all(isinstance(step, (list, tuple)) for step in item):
            raise SequenceDataError(f"{name}[{i}] is {item!r}, wanted a list of steps, each a list like {first!r}")
    steps = list(chain.from_iterable(items))
    whole = whole or len({len(step) for step in steps}) > 1
    values = object_array(steps) if whole else np.array(steps, dtype=object)
    return Sequences(values, np.concatenate([[0], np.cumsum([len(item) for item in items])]))


def _python_items(X: Any) -> Any:
    """The items of a list, object array, Series or Arrow column; none of what holds no Python lists."""
    if isinstance(X, (list, tuple)) or (isinstance(X, np.ndarray) and X.ndim == 1 and X.dtype == object):
        return X
    return items_of(X) if hasattr(X, "to_list") or hasattr(X, "to_pylist") else []


def _as_rows(values: NDArray[Any]) -> NDArray[Any]:
    """Numbers as rows (total_steps, n_features), None among them as NaN; what is no number stays."""
    if _kind(values) != "numeric":
        return values.reshape(-1) if values.ndim == 2 and values.shape[1] == 1 else values
    if values.dtype == object and not any(isinstance(cell, str) for cell in values.flat):
        with suppress(TypeError, ValueError, OverflowError):  # the transformer knows better what it takes
            values = floats(values)
    return values[:, None] if values.ndim == 1 else values


def _kind(values: NDArray[Any]) -> Kind:
    flat = values.reshape(-1)[:1]
    if is_text(flat):
        return "text"
    return "objects" if len(flat) and isinstance(flat[0], (Mapping, list, tuple)) else "numeric"
