"""The one door for numbers as targets, of sequences or of steps, and for weights of steps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array

from sklearn_rnn.data.aligned import AlignedSequences
from sklearn_rnn.data.arrow import read_arrow_targets
from sklearn_rnn.data.conversion import (
    first_that_is_no_number,
    floats,
    numbers,
    refuse_sparse,
    shown,
    unwrapped_items,
)
from sklearn_rnn.data.formats import (
    as_sequences,
    column_of_sequences,
    dimensions,
    is_table,
    items_of,
    locate,
    rows_of_cells,
)
from sklearn_rnn.data.padding import cut_alike, lengths_given
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.tables import plain
from sklearn_rnn.data.targets import check_count, check_same_steps, is_listlike
from sklearn_rnn.data.weights import plain_weights, scaled
from sklearn_rnn.exceptions import SequenceDataError, SequenceTypeError


def plain_numbers(y: Any, name: str = "y") -> Any:
    """`y` as an array, a frame, a Series, a list of items or a container, as which the functions below read it."""
    if y is None:
        raise ValueError("requires y to be passed, but the target y is None")
    if isinstance(y, Sequences):
        return y
    refuse_sparse(y, name)
    y = rows_of_cells(plain(unwrapped_items(read_arrow_targets(y, name=name), name)))
    if isinstance(y, Sequences):
        return y
    y = column_of_sequences(y)
    return items_of(y) if hasattr(y, "to_pylist") else y


def belongs_to_steps(y: Any, sequences: Sequences | AlignedSequences) -> bool:
    """Whether y is one value or vector for each step: 3-D, ragged, or arrays that are each as long as their sequence.

    A 2-D array, a frame, and a list of lists of equal length are one row of numbers for each sequence, as they are to
    scikit-learn.

    Parameters
    ----------
    y : numbers, as :func:`plain_numbers` returns them
    sequences : Sequences or AlignedSequences
    """
    belongs = _looks_like_steps(y)
    if belongs is None:
        return np.array_equal([len(item) for item in items_of(y)], lengths_given(sequences))
    return belongs


def may_belong_to_steps(y: Any) -> bool:
    """Whether y, as :func:`plain_numbers` returns it, belongs to steps of sequences of some lengths, if not of all."""
    return _looks_like_steps(y) is not False


def _looks_like_steps(y: Any) -> bool | None:
    """What the form of y says of :func:`belongs_to_steps`; None if the lengths of the sequences decide."""
    if isinstance(y, Sequences):
        return True
    shape = getattr(y, "shape", None)
    if shape is not None and len(shape) != 1:
        return len(shape) == 3
    items = _nested_items(y)
    if items is None:
        return False
    nested = [item for item in items if _is_sequence(item)]
    if len(nested) < len(items) or len({len(item) for item in nested}) > 1:
        return True
    if any(dimensions(item) > 1 for item in nested if len(item)):
        return True
    return False if isinstance(y, (list, tuple)) and all(isinstance(item, (list, tuple)) for item in nested) else None


def validate_numbers(y: Any, n_sequences: int, *, allow_nan: bool = False) -> NDArray[np.float64]:
    """Check numbers that belong to sequences.

    Parameters
    ----------
    y : array-like of shape (n_sequences,) or (n_sequences, n_outputs)
    n_sequences : int
    allow_nan : bool
        Whether NaN is a target that is not there.

    Returns
    -------
    targets : array of float64 of the same shape
    """
    y = plain_numbers(y)
    check_count(y, n_sequences)
    if isinstance(y, Sequences) or _ragged(y):
        raise SequenceDataError(
            "y is ragged: its rows have unequal lengths. One number, or one row of numbers of fixed size, is "
            "wanted for each sequence; fit RNNRegressor with target='auto' or 'step' to a value for each step, and "
            "RNNSequenceTagger to a label for each step"
        )
    if len(getattr(y, "shape", ())) == 1 and is_nested(y):  # NumPy makes rows of a list of arrays, not of an array
        y = list(items_of(y))
    return numbers_of_sequences(y, "y", allow_nan=allow_nan)


def numbers_of_sequences(y: Any, name: str, *, allow_nan: bool) -> NDArray[np.float64]:
    """Numbers as float64, of shape (n_sequences,) or (n_sequences, n_outputs); finite, or with `allow_nan` NaN."""
    y = numbers(y, name, wanted="one number, or one row of numbers, for each sequence")
    finite: Any = "allow-nan" if allow_nan else True
    try:
        with np.errstate(invalid="ignore"):  # a sum of very large numbers is none
            y = check_array(
                y, ensure_2d=False, dtype=np.float64, input_name=name, allow_nd=True, ensure_all_finite=finite
            )
    except (TypeError, ValueError) as error:
        if "float" not in str(error) or "infinity" in str(error):
            raise SequenceDataError(str(error)) from error
        advice = "; RNNClassifier takes labels, and RNNSequenceTagger a label for each step" if name == "y" else ""
        raise SequenceDataError(
            f"{name} must hold one number, or one row of numbers, for each sequence ({error}){advice}"
        ) from error
    if y.ndim not in (1, 2):
        raise SequenceDataError(
            f"{name} must have shape (n_sequences,) or (n_sequences, n_outputs), got {y.shape}: target='auto' or "
            f"target='step' reads one number a step"
        )
    return y


def validate_step_numbers(y: Any, sequences: Sequences | AlignedSequences, *, name: str = "y") -> Sequences:
    """Check numbers that belong to steps: for each sequence one value, or one vector, for each of its steps.

    Parameters
    ----------
    y : array of shape (n_sequences, n_steps, n_outputs) or (n_sequences, n_steps), or list, object array, Series or
        Sequences of arrays of shape (length_i,) or (length_i, n_outputs)
        NaN, and None, is a value that is not there.
    sequences : Sequences or AlignedSequences
        The steps that the numbers belong to.
    name : str
        What to call y in errors.

    Returns
    -------
    numbers : Sequences
        Values of float64, of shape (total_steps,) or (total_steps, n_outputs) as they came.
    """
    y = cut_alike(plain_numbers(y, name), sequences)
    check_count(y, len(sequences), name=name)
    if not isinstance(y, Sequences) and is_table(y):
        y = check_array(y, dtype=np.float64, input_name=name, ensure_all_finite=False)
    if len(getattr(y, "shape", (0,))) == 1:
        _check_each_nested(y, sequences, name)
    numbers = as_sequences(y, name=name)
    check_same_steps(numbers, sequences, name, "value")
    return numbers_of_steps(numbers, name)


def numbers_of_steps(numbers: Sequences, name: str) -> Sequences:
    """Numbers (total_steps,) or (total_steps, n_outputs) as float64, finite or NaN."""
    values = _as_floats(numbers.values, name)
    if np.isinf(values).any():
        where = "][".join(str(i) for i in locate(numbers, int(np.argwhere(np.isinf(values))[0, 0])))
        raise SequenceDataError(
            f"Input {name} contains infinity or a value too large for dtype('float64') at {name}[{where}]: give finite "
            f"numbers, or NaN for those that are not known"
        )
    return numbers.with_values(values)


def validate_step_weights(weight: Any, sequences: Sequences | AlignedSequences, *, name: str) -> Sequences | None:
    """Check weights that belong to steps; None if those given are one for each sequence.

    Parameters
    ----------
    weight : array-like
        Of shape (n_sequences,), or for each sequence as many weights as it has steps.
    sequences : Sequences or AlignedSequences
    name : str
        What to call the weights in errors.

    Returns
    -------
    weights : Sequences or None
        Values (total_steps,) of float64: finite, none negative, not all 0.
    """
    weight = plain_numbers(plain_weights(weight, name), name)
    if len(getattr(weight, "shape", (0,))) < 2 and not is_nested(weight):
        return None
    numbers = validate_step_numbers(weight, sequences, name=name)
    if numbers.n_features != 1:
        raise SequenceDataError(f"{name} must hold one weight a step, got {numbers.n_features}")
    values = numbers.values.reshape(-1)
    if not np.all(values >= 0):
        raise ValueError(f"{name} must hold weights of 0 or more for each step, got {values[~(values >= 0)][0]}")
    if not values.any():
        raise ValueError(f"{name}: Sample weights must contain at least one non-zero number, all are zero")
    return numbers.with_values(scaled(values))


def is_nested(y: Any) -> bool:
    """Whether y, of one dimension, holds sequences and not numbers alone."""
    return _nested_items(y) is not None


def _nested_items(y: Any) -> Any:
    """The items of a list, an object array or a Series of which one is a sequence; None of numbers alone."""
    if isinstance(y, Sequences):
        return y
    if not is_listlike(y) or getattr(getattr(y, "dtype", None), "kind", "O") not in "OL":
        return None
    items = y if isinstance(y, (list, tuple)) else items_of(y)
    return items if any(_is_sequence(item) for item in items) else None


def _is_sequence(item: Any) -> bool:
    return hasattr(item, "__len__") and np.ndim(item) > 0 if hasattr(item, "shape") else isinstance(item, (list, tuple))


def _ragged(y: Any) -> bool:
    """Whether the items of a list, an object array or a Series differ in their lengths, or are not all sequences."""
    items = _nested_items(y) if len(getattr(y, "shape", (0,))) == 1 else None
    return items is not None and len({len(item) if _is_sequence(item) else -1 for item in items}) > 1


def _check_each_nested(y: Any, sequences: Sequences | AlignedSequences, name: str) -> None:
    """Refuse items that are one number, or nothing, where the values of steps are due."""
    for i, item in enumerate(() if isinstance(y, Sequences) else y if isinstance(y, (list, tuple)) else items_of(y)):
        if item is None or dimensions(item) == 0:
            shown = item.item() if isinstance(item, np.generic) else item
            raise SequenceDataError(
                f"{name}[{i}] is {shown!r:.60}, but X[{i}] has {sequences.lengths[i]} steps: wanted one value for each "
                f"step, or where none is known np.full({sequences.lengths[i]}, np.nan)"
            )


def _as_floats(values: NDArray[Any], name: str) -> NDArray[np.float64]:
    try:
        return floats(values if values.dtype == object else numbers(values, name))
    except SequenceDataError:
        raise
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        place, reason = first_that_is_no_number(values)
        found = values.dtype if place is None else values[place]
        raise SequenceTypeError(
            f"{name} must hold numbers for the steps of each sequence, got {shown(found)}: {reason or error}"
            f"{'. RNNSequenceTagger takes labels' if name == 'y' else ''}"
        ) from error
