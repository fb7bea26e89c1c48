"""What is said of an X that cannot be read but nearly could: one sequence where a collection of them is due."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar, cast

import numpy as np

from sklearn_rnn._warning import warn
from sklearn_rnn.data.collection import Collection
from sklearn_rnn.data.conversion import is_sparse
from sklearn_rnn.data.formats import WANTED, is_table, is_text
from sklearn_rnn.data.validation import WORDS, InputSpec
from sklearn_rnn.exceptions import SequenceDataError, SequenceDataWarning, SequenceTypeError

Door = TypeVar("Door", bound=Callable[..., Any])


def hints_at_one_sequence(read: Door) -> Door:
    """Let a door, ``read(X, spec, ...)``, say of an X that it refuses whether X is one sequence, and how to give it.

    There is one way to know, for all kinds of input: the door reads ``[X]``, and finds one sequence like those of
    ``fit``. Errors alone take that time.
    """

    @wraps(read)
    def reading(X: Any, spec: InputSpec | None = None, **options: Any) -> Any:
        named = {"reader": options.get("reader", "the estimator"), "name": options.get("name", "X")}
        try:
            inputs = read(X, spec, **options)
        except (TypeError, ValueError) as error:
            if is_sparse(X):
                raise SequenceTypeError(
                    f"{error} Counts of words know no order: SequenceTokenizer() takes the place of CountVectorizer "
                    f"and TfidfVectorizer"
                ) from error
            hint = _hint(X, spec, lambda wrapped: read(wrapped, spec, **options)[0], **named)
            if hint is None:
                raise
            raise SequenceDataError(hint) from error
        if spec is not None and options.get("padding_value") is None:  # which makes rows of a table sequences
            _warn_of_sequences_of_one_step(X, spec, named["name"])
        return inputs

    return cast(Door, reading)


def _hint(X: Any, spec: InputSpec | None, read: Callable[[Any], Any], *, reader: str, name: str) -> str | None:
    """What to say of an X that was refused; None if the error of the door says it best."""
    if isinstance(X, Collection):
        return None
    if spec is None:
        return _hint_at_series(X, name) if _is_row_of_numbers(X) else None
    if spec.kind not in ("text", "objects") and _is_list_of_strings(X) and not isinstance(X, (str, bytes)):
        return f"{reader} was fitted on sequences of {WORDS[spec.kind]}, got the strings {list(X)[:3]!r:.60} in {name}"
    if spec.table and not _is_row_of_numbers(X):
        return None
    names = _names_of_inputs(X) if spec.kind == "aligned" else None
    if spec.kind == "numeric" and spec.n_features == 1 and _is_row_of_numbers(X):
        n_steps = len(X)  # also of one that holds NaN
    else:
        n_steps = _steps_of_one([X] if names is None else {key: [X[key]] for key in names}, read)
    start = "Reshape your data: " if _is_row_of_numbers(X) else ""
    if not n_steps:
        return f"{start}{_wanted_shape(X, spec, reader, name)}" if start and not spec.table else None
    keys = name if isinstance(X, Mapping) else f"{name}.columns"
    wrapped = f"[{name}]" if names is None else f"{{key: [{name}[key]] for key in {keys}}}"
    hint = (
        f"{start}{name} is one sequence of {n_steps} step(s), where {reader} takes a collection of sequences: give it "
        f"{wrapped}"
    )
    if spec.kind == "text":
        hint += ". Documents that are not split into tokens yet go through SequenceTokenizer() in a Pipeline"
    return hint


def _names_of_inputs(X: Any) -> list[Any] | None:
    """The keys of a dict, or the columns of a frame or an Arrow table; None of anything else."""
    if isinstance(X, Mapping):
        return list(X)
    names = getattr(X, "column_names", getattr(X, "columns", None))
    return None if names is None else list(names)


def _steps_of_one(wrapped: Any, read: Callable[[Any], Any]) -> int:
    """How many steps X has if it is one sequence; 0 if it is none, or a list of documents."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            inputs = read(wrapped)
    except (TypeError, ValueError):
        return 0
    values: Any = getattr(inputs, "values", np.empty(0))
    if len(inputs) != 1 or (is_text(values[:1]) and any(len(token.split()) > 1 for token in values.tolist())):
        return 0
    return int(inputs.lengths[0])


def _hint_at_series(X: Any, name: str) -> str:
    return (
        f"Expected 2D array, got 1D array instead: {name} is one row of {len(X)} number(s), but the input must be "
        f"{WANTED}. Reshape your data: one sequence of one feature is [{name}]; a long series becomes one sequence for "
        f"each target by numpy.lib.stride_tricks.sliding_window_view({name}, n_steps)"
    )


def _wanted_shape(X: Any, spec: InputSpec, reader: str, name: str) -> str:
    text = (
        f"{name} has shape ({len(X)},), where {reader} is expecting a collection of sequences of shape (length, "
        f"{spec.n_features})"
    )
    return f"{text}. One sequence of one step is [[{name}]]" if len(X) == spec.n_features else text


def _warn_of_sequences_of_one_step(X: Any, spec: InputSpec, name: str) -> None:
    """Warn of a column that reads as many sequences of one step, after a fit to sequences that are no rows of a table.

    It has the shape of one sequence, (length, 1).
    """
    shape: tuple[int, ...] = () if getattr(X, "is_nested", False) else tuple(getattr(X, "shape", ()))
    if (
        len(shape) == 2
        and shape[1] == 1 < shape[0]
        and spec.kind in ("numeric", "ids", "text")
        and is_table(X) > spec.table
    ):
        warn(
            f"{name} of shape {shape} was read as {shape[0]} sequences of one step. If it is one sequence of "
            f"{shape[0]} steps, give [{name}]; if not, {name}.reshape(-1, 1, 1) says so",
            SequenceDataWarning,
        )


def _is_row_of_numbers(X: Any) -> bool:
    """Whether X is numbers of one dimension."""
    if isinstance(X, (list, tuple)):
        return len(X) > 0 and all(np.isscalar(x) and not isinstance(x, (str, bytes)) for x in X)
    dtype = getattr(X, "dtype", None)
    numeric = getattr(dtype, "kind", None) in ("b", "i", "u", "f") or hasattr(X, "detach")
    return len(getattr(X, "shape", ())) == 1 and X.shape[0] > 0 and numeric


def _is_list_of_strings(X: Any) -> bool:
    if isinstance(X, (Mapping, set)) or not hasattr(X, "__len__") or len(getattr(X, "shape", (0,))) != 1:
        return False
    return len(X) > 0 and all(isinstance(item, str) for item in X)
