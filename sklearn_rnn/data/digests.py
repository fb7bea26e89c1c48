"""What a sample is, whatever format it came in: equal samples have equal digests."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray


def sample_digests(X: Any, y: Any) -> NDArray[np.bytes_]:
    """A 128-bit digest of each sample: its sequence, or row, and its target.

    Parameters
    ----------
    X : sequences in any supported format, or any other indexable collection
    y : array of shape (n_samples, ...)

    Returns
    -------
    digests : array of bytes, shape (n_samples,)
        Equal for samples that are equal. Their order has no meaning, but does not depend on that of the samples.
    """
    digests = []
    for item, target in zip(_rows(X), y, strict=True):
        digest = blake2b(content(item), digest_size=16)
        digest.update(b"|" + content(np.ravel(target)))  # a column of targets is the same as a row
        digests.append(digest.digest())
    return np.array(digests, dtype="S16")


def _rows(X: Any) -> Any:
    """What to go through for the samples of X: the rows of a frame or a sparse table, else X itself."""
    if hasattr(X, "toarray"):
        return X.toarray()
    return np.asarray(X) if hasattr(X, "columns") else X


def content(item: Any) -> bytes:
    """The bytes that tell one item from another; text and ragged items by their repr."""
    if isinstance(item, Mapping):  # several inputs a step
        return b"|".join(repr(name).encode() + content(part) for name, part in item.items())
    try:
        array = np.asarray(item.detach().cpu() if hasattr(item, "detach") else item)
    except ValueError:  # steps of unequal length
        return repr(item).encode()
    if array.dtype.kind in "biufc":
        return repr(array.shape).encode() + np.ascontiguousarray(array).tobytes()
    return repr(array.tolist()).encode()
