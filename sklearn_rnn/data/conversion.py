"""What other libraries call arrays and numbers, as NumPy's: tensors, masks, missing values, and numbers in objects."""

from __future__ import annotations

import datetime
import sys
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn.exceptions import SequenceDataError, SequenceTypeError

NO_NUMBERS = (np.datetime64, np.timedelta64, np.complexfloating)
"""Scalars that NumPy makes floats of, which then mean something else."""


def unwrapped(X: Any, name: str) -> Any:
    """A tensor as an array, or a nested one as a list of arrays; a masked array with NaN; anything else as it is.

    Parameters
    ----------
    X : object
    name : str
        What to call it in errors.

    Raises
    ------
    SequenceDataError
        If it is a tensor without dense values, or a masked array that has no place for NaN.
    """
    if isinstance(X, np.ndarray):
        return _filled(X, name) if isinstance(X, np.ma.MaskedArray) else X
    return _from_tensor(X, name) if hasattr(X, "detach") else X


def unwrapped_items(items: Any, name: str) -> Any:
    """What :func:`unwrapped` makes of items that are no list, or of those of a list, and of theirs."""
    if not isinstance(items, (list, tuple)):
        return unwrapped(items, name)
    kinds = set(map(type, items))
    if list in kinds or tuple in kinds:
        kinds.update(map(type, chain.from_iterable(item for item in items if isinstance(item, (list, tuple)))))
    if not any(map(is_wrapped, kinds)):
        return items
    parts = (unwrapped_items(item, f"{name}[{i}]") for i, item in enumerate(items))
    return [part[()] if isinstance(part, np.ndarray) and part.ndim == 0 else part for part in parts]


def is_wrapped(kind: type) -> bool:
    """Whether objects of a type are tensors or masked arrays, recognised without importing torch."""
    return hasattr(kind, "detach") or issubclass(kind, np.ma.MaskedArray)


def refuse_masked(X: Any, name: str, advice: str) -> None:
    """Raise if a value of X is masked, where there is no use for one that is missing."""
    parts = X if isinstance(X, (list, tuple)) else [X]
    if any(isinstance(part, np.ma.MaskedArray) and np.ma.is_masked(part) for part in parts):
        raise SequenceDataError(f"{name} is a masked array, and some of its values are masked: {advice}")


def refuse_sparse(X: Any, name: str) -> None:
    """Raise if X is a sparse container of SciPy, or a list of such."""
    if is_sparse(X) or (isinstance(X, (list, tuple)) and len(X) and is_sparse(X[0])):
        raise SequenceTypeError(
            f"Sparse data was passed for {name}, but dense data is required. Use '.toarray()' to convert to a dense "
            f"numpy array."
        )


def is_sparse(X: Any) -> bool:
    """Whether X is a SciPy sparse container; SciPy is not imported for it."""
    sparse = sys.modules.get("scipy.sparse")
    return sparse is not None and sparse.issparse(X)


def _filled(array: np.ma.MaskedArray[Any, Any], name: str) -> NDArray[Any]:
    """The values of a masked array, NaN where they are masked."""
    if not np.ma.is_masked(array):
        return np.asarray(array)
    kind = array.dtype.kind
    if kind not in "biufO":
        raise SequenceDataError(
            f"{name} is a masked array of dtype {array.dtype}, which has no value for what is masked: leave out what "
            f"is masked, or replace it, for example with {name}.filled(...)"
        )
    filled: NDArray[Any] = np.ma.filled(array.astype(array.dtype if kind in "fO" else np.float64), np.nan)
    return filled


def _from_tensor(tensor: Any, name: str) -> Any:
    """The values of a tensor as an array of a type that NumPy has; of a nested one a list of arrays."""
    if getattr(tensor, "is_nested", False):
        return [_from_tensor(part, name) for part in tensor.unbind()]
    layout, device = str(getattr(tensor, "layout", "")), getattr(getattr(tensor, "device", None), "type", "")
    if "sparse" in layout:
        raise SequenceTypeError(f"{name} is a sparse tensor ({layout}), but dense data is required: {name}.to_dense()")
    if device == "meta":
        raise SequenceDataError(f"{name} is a tensor on the device 'meta', which has a shape and no values")
    try:
        plain = tensor.detach().cpu()
        plain = plain.dequantize() if getattr(plain, "is_quantized", False) else plain
        if any(short in str(plain.dtype) for short in ("bfloat16", "float8", "float4")):
            plain = plain.float()
        array: NDArray[Any] = (plain.resolve_conj().resolve_neg() if hasattr(plain, "resolve_conj") else plain).numpy()
    except (TypeError, RuntimeError) as error:
        raise SequenceDataError(
            f"{name} is a tensor of dtype {tensor.dtype} that cannot be read: {error}. Give a dense one of float32"
        ) from error
    return array


def is_missing(value: Any) -> bool:
    """Whether a value stands for one that is not there: None, pandas' NA, NumPy's masked."""
    return value is None or value is np.ma.masked or type(value).__name__ == "NAType"


def is_missing_or_nan(value: Any) -> bool:
    """Whether a value stands for one that is not there, or is NaN or NaT, which do so in columns of pandas."""
    return is_missing(value) or (not hasattr(value, "__len__") and bool(value != value))


def floats(values: NDArray[Any], dtype: Any = np.float64) -> NDArray[Any]:
    """Values as floats; of objects those that are missing as NaN.

    Raises
    ------
    TypeError, ValueError, OverflowError
        If one is no number; :func:`why_no_number` finds it.
    """
    if values.dtype == object:
        kinds = set(map(type, values.ravel().tolist()))
        if any(issubclass(kind, NO_NUMBERS) for kind in kinds):
            raise TypeError("a time or a complex number is no float")
        if type(None) in kinds or any(kind.__name__ == "NAType" or is_wrapped(kind) for kind in kinds):
            values = np.frompyfunc(_plain_cell, 1, 1)(values)
    elif values.dtype.kind in "mMc":
        raise TypeError(f"{values.dtype} is no type of real numbers")
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(values, dtype=dtype)


def _plain_cell(cell: Any) -> Any:
    """NaN for what is missing, and a tensor as an array."""
    return np.nan if is_missing(cell) else unwrapped(cell, "one of the numbers")


def why_no_number(value: Any) -> str | None:
    """What keeps a value from being a number, with what to do about it; None if it is one, or is missing."""
    if isinstance(value, (np.datetime64, datetime.date)):
        return "a time: give the time between steps, or since some moment, in a unit of your choice"
    if isinstance(value, (np.timedelta64, datetime.timedelta)):
        return "a span of time: divide it by a unit, for example by np.timedelta64(1, 's')"
    if isinstance(value, (complex, np.complexfloating)):
        return "a complex number: give real and imaginary part as two numbers"
    try:
        float("nan" if is_missing(value) else value)
    except (TypeError, ValueError, RuntimeError) as error:
        return str(error)
    except OverflowError:
        return "too large for a float: give it in a larger unit, or as a string if it is a name"
    return None


def first_that_is_no_number(values: NDArray[Any]) -> tuple[tuple[int, ...] | None, str]:
    """The place of the first of `values` that is no number, None if all are, and :func:`why_no_number` of it."""
    reasons = ((place, why_no_number(values[place])) for place in np.ndindex(values.shape))
    return next(((place, reason) for place, reason in reasons if reason is not None), (None, ""))


def as_float(value: Any, name: str) -> float:
    """A value as a float; an error says what it is, and calls it `name`."""
    reason = why_no_number(value)
    if reason is not None:
        raise SequenceDataError(f"{name} is {shown(value)}, which is not a number: {reason}")
    return float(value)


def numbers(values: Any, name: str, *, wanted: str = "numbers") -> NDArray[Any]:
    """Numbers that are not those of sequences, as an array; objects become floats, other types stay.

    Parameters
    ----------
    values : array-like
    name, wanted : str
        What to call the values in errors, and what they should be.

    Raises
    ------
    SequenceDataError
        If one is no number, as a time is none; the message says which.
    """
    refuse_sparse(values, name)
    values = unwrapped_items(values, name)
    try:
        array = np.asarray(values)
    except (TypeError, ValueError) as error:
        raise SequenceTypeError(f"{name} must hold {wanted}: {error}") from error
    if array.dtype.kind in "mMc":
        reason = why_no_number(array.ravel()[0]) if array.size else "no type of real numbers"
        what = "Complex data not supported: " if array.dtype.kind == "c" else ""
        raise SequenceDataError(f"{what}{name} has dtype {array.dtype}, but real numbers are wanted; this is {reason}")
    if array.dtype != object:
        return array
    try:
        return floats(array)
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        place, reason = first_that_is_no_number(array)
        if place is None:
            raise SequenceTypeError(f"{name} must hold {wanted}: {error}") from error
        at = "".join(f"[{i}]" for i in place)
        raise SequenceTypeError(
            f"{name} must hold {wanted}, and {name}{at} is {shown(array[place])}: {reason}"
        ) from error


def shown(value: Any, at_most: int = 60) -> str:
    """The repr of a value, cut; of an int with too many digits for one, its size."""
    try:
        text = repr(value)
    except ValueError:
        text = f"an int of {value.bit_length()} bits" if isinstance(value, int) else f"a {type(value).__name__}"
    return text if len(text) <= at_most else text[: at_most - 3] + "..."
