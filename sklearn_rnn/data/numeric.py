"""Steps of numbers: of one type, finite, and with the time on the axis where it belongs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn._warning import warn
from sklearn_rnn.data.conversion import first_that_is_no_number, floats, shown
from sklearn_rnn.data.formats import locate
from sklearn_rnn.data.padding import outer_steps
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.stored import StoredSequences
from sklearn_rnn.exceptions import SequenceDataError, SequenceTypeError, SwappedAxesWarning


def as_numbers(
    sequences: Sequences,
    dtype: str | None,
    *,
    allow_nan: bool,
    columns: Sequence[str] | None,
    name: str,
    first: int = 0,
) -> Sequences:
    """Values (total_steps, n_features) in `dtype`, contiguous and finite; an error names the place of what is not.

    Without a `dtype` they are in float32 if it holds each of their type, and else in float64.
    What is stored is looked at in parts, of each of which `first` is the first sequence.
    """
    if isinstance(sequences, StoredSequences):
        for first, part in sequences.blocks():
            as_numbers(part, dtype, allow_nan=allow_nan, columns=columns, name=name, first=first)
        return sequences.read_as(dtype or _float_for(sequences.dtype))
    raw = sequences.values
    dtype = dtype or _float_for(raw.dtype)
    if raw.dtype.kind == "c":
        raise SequenceDataError(
            f"Complex data not supported: {name} has dtype {raw.dtype}; give real and imaginary parts as two features"
        )
    if raw.dtype.kind not in "biufO":
        advice_for = {
            "M": ": give the time between steps as a feature, in a unit of your choice",
            "m": f": divide by a unit, for example {name} / np.timedelta64(1, 's')",
            "S": ": decode bytes to strings, token.decode(), to have them embedded as tokens",
        }
        raise SequenceDataError(
            f"{name} has dtype {raw.dtype}, but numbers are wanted for each step{advice_for.get(raw.dtype.kind, '')}"
        )
    try:
        values = floats(raw, dtype)
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise _not_a_number(sequences, name, error) from error
    if values.ndim == 1:
        values = values.reshape(-1, 1)
    bad = np.isinf(values) if allow_nan else ~np.isfinite(values)
    if bad.any():
        row, column = (int(k) for k in np.argwhere(bad)[0])
        sequence, step = locate(sequences, row)
        what = "NaN" if np.isnan(values[row, column]) else f"infinity or a value too large for dtype('{dtype}') (inf)"
        place = (
            f"sequence {first + sequence}, step {step}, column {column if columns is None else repr(columns[column])}"
        )
        advice = ""
        if np.isnan(values[row, column]):
            advice = _advice_for_nan(sequences, values, name)
        raise SequenceDataError(
            f"Input {name} contains {what} at {place} ({int(bad.sum())} such value(s) in all){advice}"
        )
    return sequences.with_values(values, feature_names=sequences.feature_names)


def _float_for(dtype: np.dtype[Any]) -> str:
    """The smallest float that holds each number of `dtype`, and each that Python has."""
    exact = dtype.itemsize <= (4 if dtype.kind == "f" else 2) and dtype.kind in "biuf"
    return "float32" if exact else "float64"


def _advice_for_nan(sequences: Sequences, values: NDArray[Any], name: str) -> str:
    """What to do about NaN in `values` (total_steps, n_features): some may be steps at the ends that are padding."""
    missing = np.isnan(values)
    first, last = outer_steps(missing.all(axis=1), sequences.offsets)
    kept = sequences.between(first, last - first)
    impute = "Impute it (PerStep(SimpleImputer())), or set missing='mask' to carry the last value forward"
    if len(kept.values) == len(values):
        return f". {impute}"
    advice = f"set padding_value=numpy.nan, or cut it off with trim_padding({name})"
    if np.isnan(sequences.with_values(values).between(first, last - first).values).any():
        return f". Whole steps of NaN at the ends of sequences are padding: {advice}. Of the rest: {impute}"
    return f". All NaN are whole steps at the ends of sequences, which is padding: {advice}"


def _not_a_number(sequences: Sequences, name: str, error: Exception) -> SequenceDataError:
    """The error for values (total_steps, ...) of objects, naming the first that no float can be made of."""
    place, reason = first_that_is_no_number(sequences.values)
    if place is None:
        return SequenceTypeError(f"{name} holds a value that is not a number: {error}")
    value = sequences.values[place]
    sequence, step = locate(sequences, place[0])
    advice = ""
    if isinstance(value, Mapping):
        advice = ". Steps that are dicts become numbers through PerStep(DictVectorizer())"
    return SequenceTypeError(
        f"{name}[{sequence}][{step}] holds {shown(value)}, which is not a number: {reason}{advice}"
    )


def warn_if_swapped(X: Any, sequences: Sequences, name: str) -> None:
    """Warn when a 3-D array is smooth along its features and rough along its steps: time is on the wrong axis."""
    shape: tuple[int, ...] = tuple(X.shape) if hasattr(X, "shape") else ()
    if len(shape) != 3 or shape[2] < 8 or shape[2] <= shape[1]:
        return
    block = sequences.take(np.arange(min(64, shape[0]))).values.reshape(-1, shape[1], shape[2]).astype(np.float64)
    along_steps, along_features = _lag_one_correlation(block, 1), _lag_one_correlation(block, 2)
    if along_features > 0.5 and along_features > along_steps + 0.3:
        warn(
            f"The steps and features of {name} look swapped: {name} has shape {shape}, read as {shape[1]} steps of "
            f"{shape[2]} features, but values vary smoothly along the last axis (correlation of neighbours "
            f"{along_features:.2f}) and not along the steps ({along_steps:.2f}). If the last axis is time, pass "
            f"{name}.transpose(0, 2, 1)",
            SwappedAxesWarning,
        )


def _lag_one_correlation(block: NDArray[np.float64], axis: int) -> float:
    """Correlation of neighbours along `axis` of (n, steps, features), each series centred by its own mean."""
    centred = block - block.mean(axis=axis, keepdims=True)
    if centred.shape[axis] < 2:
        return 0.0
    first, second = np.delete(centred, -1, axis), np.delete(centred, 0, axis)
    scale = np.sqrt((first**2).sum() * (second**2).sum())
    return float((first * second).sum() / scale) if scale > 0 else 0.0
