"""What a sample is, whatever format it came in: equal samples have equal digests, and no others have."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping, Set
from functools import lru_cache
from hashlib import blake2b
from struct import pack
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn.data.aligned import AlignedSequences
from sklearn_rnn.data.formats import column_of_sequences
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.tokens import TokenSequences

EXACT = 2**53
"""The integers up to which each is a float64 of its own."""

LARGEST = int(np.finfo(np.float64).max)
BLOCK = 2**18
"""Numbers that are made floats at a time, so that what is copied stays small beside the data."""

PICKLE_PROTOCOL = 4


def sample_digests(X: Any, y: Any) -> NDArray[np.bytes_]:
    """A 128-bit digest of each sample: its sequence, or row, and its target.

    Parameters
    ----------
    X : sequences in any supported format, or any other indexable collection
    y : array of shape (n_samples, ...)

    Returns
    -------
    digests : array of bytes, shape (n_samples,)
        Equal for samples that are equal, in whatever format X came. Their order has no meaning, but does not depend on
        that of the samples.
    """
    targets = np.reshape(y, (len(y), -1))  # a column of targets is the same as a row
    digests = []
    for item, target in zip(_contents(_rows(X)), _contents(targets), strict=True):
        digest = blake2b(item, digest_size=16)
        digest.update(target)
        digests.append(digest.digest())
    return np.array(digests, dtype="S16")


def content(item: Any) -> bytes:
    """The bytes that tell one item from another, and alone say where they end.

    Numbers are their values, of whatever type, but 0 and -0.0 are two. Lists, tuples, arrays, Series, tensors and
    frames are their items; dicts and sets have no order. Any other object is what pickle makes of it.
    """
    if isinstance(item, np.ndarray):
        return _of_array(item)
    if isinstance(item, str):
        return _of_string(item)
    if isinstance(item, (int, float, complex)):
        return _of_number(item)
    if isinstance(item, (list, tuple)):
        return _of_list(item)
    if isinstance(item, Mapping):
        return _joined("m", sorted([content(key) + content(value) for key, value in item.items()]))
    if isinstance(item, (set, frozenset, Set)):
        return _joined("e", sorted(map(content, item)))
    if hasattr(item, "detach"):  # a torch tensor, recognised without importing torch
        item = item.detach().cpu()
        return _of_array((item.float() if item.dtype.is_floating_point and item.itemsize == 2 else item).numpy())
    if hasattr(item, "as_py"):  # a scalar of Arrow, which may be a list
        return content(item.as_py())
    if hasattr(item, "toarray"):
        return _of_array(item.toarray())
    if hasattr(item, "__array__"):
        return _of_array(np.asarray(item))
    return _of_object(item)


def _contents(rows: Iterable[Any]) -> Iterable[bytes]:
    """The content of each row; numbers in one array are made floats together."""
    if not isinstance(rows, np.ndarray) or rows.ndim < 2 or rows.dtype.kind not in "biuf":
        yield from map(content, rows)
        return
    at_once = max(1, BLOCK * len(rows) // max(rows.size, 1))
    for begin in range(0, len(rows), at_once):
        floats = _as_floats(rows[begin : begin + at_once])
        if floats is None:
            yield from map(content, rows[begin : begin + at_once])
        else:
            head = _head("n", rows.shape[1:])
            yield from (head + row.tobytes() for row in floats)


def _rows(X: Any) -> Iterable[Any]:
    """What to go through for the samples of X."""
    if isinstance(X, AlignedSequences):
        return map(list, zip(*map(_rows, X.inputs.values()), strict=True))
    if isinstance(X, TokenSequences) and not (X.surfaces is None or np.array_equal(X.surfaces, X.values)):
        return map(list, zip(X, Sequences(X.surfaces, X.offsets), strict=True))  # which models may read too
    if hasattr(X, "toarray"):
        return np.asarray(X.toarray())
    X = column_of_sequences(X)
    return _table_rows(X) if hasattr(X, "columns") else X


def _table_rows(X: Any) -> NDArray[Any]:
    """The rows of a frame or an Arrow table (n_rows, n_columns)."""
    return np.asarray(X.to_pandas() if hasattr(X, "column_names") else X)


def _of_list(items: list[Any] | tuple[Any, ...]) -> bytes:
    """Numbers, however nested, as an array of them; NumPy is not asked where it would make strings of numbers."""
    if items and isinstance(items[0], (str, bytes, Mapping, Set)):
        return _of_items(items)
    try:
        array = np.asarray(items)
    except (TypeError, ValueError, OverflowError, RuntimeError):  # ragged, or tensors
        return _of_items(items)
    exact = array.dtype.kind in "biuc" or (array.dtype.kind == "f" and not _has_rounded(items, array))
    return _of_array(array) if exact else _of_items(items)


def _has_rounded(items: list[Any] | tuple[Any, ...], array: NDArray[Any]) -> bool:
    """Whether an int among `items` is another number in the `array` of floats that NumPy has made of them."""
    large = np.abs(array) >= EXACT
    if not large.any():
        return False
    cells = np.asarray(items, dtype=object)[large]
    return any(isinstance(cell, (int, np.integer)) and int(cell) != float(cell) for cell in cells)


def _of_items(items: list[Any] | tuple[Any, ...]) -> bytes:
    if items and all(isinstance(item, str) for item in items):
        return _of_strings(items)
    return _joined("l", map(content, items))


def _of_array(array: NDArray[Any]) -> bytes:
    kind = array.dtype.kind
    floats = _as_floats(array)
    if floats is not None:
        return _head("n", array.shape) + floats.tobytes()
    if kind == "c" and array.dtype.itemsize <= 16:
        return _head("c", array.shape) + array.astype(np.complex128).tobytes()
    if kind in "mM":
        return _head("d", array.shape) + _of_string(array.dtype.str) + array.tobytes()
    if kind in "fc":  # of more than double precision, for which Python has no number
        return _joined("l", map(_of_object, array.ravel()))
    if array.ndim == 0:
        return _of_object(array.item()) if kind == "O" else content(array.item())
    return _of_items(array.tolist()) if kind in "iu" else _of_list(array.tolist())


def _as_floats(array: NDArray[Any]) -> NDArray[np.float64] | None:
    """Numbers in float64; None if it does not have each of them."""
    kind, size = array.dtype.kind, array.dtype.itemsize
    exact = kind in "biuf" and (size <= 4 if kind != "f" else size <= 8)
    if not exact and kind in "iu":
        bits = int(np.bitwise_or.reduce(array, axis=None))  # none of them has a higher bit, or is negative
        exact = 0 <= bits < EXACT or all(map(_is_float, array.ravel().tolist()))
    return array.astype(np.float64, copy=False) if exact else None


def _is_float(number: int) -> bool:
    return abs(number) <= EXACT or (abs(number) <= LARGEST and int(float(number)) == number)


def _of_number(number: complex) -> bytes:
    """A number of Python as an array without dimensions; an int that is no float64 as its bytes."""
    if isinstance(number, int) and not _is_float(number):
        digits = number.to_bytes(number.bit_length() // 8 + 1, "little", signed=True)
        return _head("i", (len(digits),)) + digits
    return _of_array(np.asarray(number)) if isinstance(number, complex) else _NUMBER + pack("d", number)


def _of_string(string: str) -> bytes:
    text = string.encode("utf-8", "surrogatepass")
    return b"s%d," % len(text) + text


def _of_strings(strings: list[str] | tuple[str, ...]) -> bytes:
    """Strings by their lengths, and what they are joined to."""
    text = "".join(strings).encode("utf-8", "surrogatepass")
    lengths = np.fromiter(map(len, strings), np.int64, len(strings))
    return _head("t", (len(strings), len(text))) + lengths.tobytes() + text


def _of_object(item: Any) -> bytes:
    """Anything else: ``None``, bytes, dates, decimals, and objects of other libraries and the user's own."""
    try:
        pickled = pickle.dumps(item, protocol=PICKLE_PROTOCOL)
    except Exception:  # whatever the object raises: it is then equal to itself alone
        return _head("p", (id(item),))
    return _head("o", (len(pickled),)) + pickled


def _joined(kind: str, parts: Iterable[bytes]) -> bytes:
    parts = list(parts)
    return _head(kind, (len(parts),)) + b"".join(parts)


@lru_cache(maxsize=2**12)
def _head(kind: str, sizes: tuple[int, ...]) -> bytes:
    """What comes, and how much of it."""
    return f"{kind}{sizes}".encode()


_NUMBER = _head("n", ())
