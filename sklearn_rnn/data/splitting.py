"""Which sequences are padded together: padding costs as much as steps do."""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_PADDING = 2**14
"""Padding, in steps, that a batch may always have: it takes less time than another part of the batch."""


def batches_by_steps(lengths: NDArray[np.int64], budget: int) -> Iterator[NDArray[np.int64]]:
    """Split sequences, sorted by length, into batches of at most `budget` padded steps.

    Parameters
    ----------
    lengths : array of shape (n_sequences,)
    budget : int
        Steps a batch after padding; a single longer sequence is a batch of its own.

    Yields
    ------
    index : array of shape (batch,)
        Positions of the sequences of one batch.
    """
    order = np.argsort(lengths, kind="stable")
    ascending = lengths[order]
    n, start = len(order), 0
    while start < n:

        def padded_steps(stop: int, start: int = start) -> int:
            return int((stop - start) * ascending[stop - 1])  # grows with `stop`

        stop = bisect.bisect_right(range(n + 1), budget, lo=start + 1, key=padded_steps)
        stop = max(stop - 1, start + 1)
        yield order[start:stop]
        start = stop


def is_uneven(padded: Any, total: Any) -> Any:
    """Whether most of the `padded` steps of a batch, and many, are none of its `total` steps."""
    return padded - total > np.maximum(total, MOST_PADDING)


def alike(lengths: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """The parts of a batch in which the padding is at most as many steps as the sequences have, or ``MOST_PADDING``.

    Beginning with the longest sequences, a part takes those that are longer than half of its longest, until the rest
    can stay together. The parts are at most as many as the longest length has binary digits, and one.

    Parameters
    ----------
    lengths : array of shape (batch,)

    Returns
    -------
    rows : list of arrays of int64, shape (size of the part,)
        The sequences of each part, in the order of the batch.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_rnn.data.splitting import alike
    >>> [rows.tolist() for rows in alike(np.array([2, 20_000, 3, 15_000]))]
    [[1, 3], [0, 2]]
    """
    order = np.argsort(lengths, kind="stable")
    ascending = lengths[order]
    totals = np.cumsum(ascending)
    parts, stop = [], len(order)
    while is_uneven(stop * ascending[stop - 1], totals[stop - 1]):
        start = int(np.searchsorted(ascending[:stop], ascending[stop - 1] // 2, side="right"))
        parts.append(np.sort(order[start:stop]))
        stop = start
    return [*parts, np.sort(order[:stop])]
