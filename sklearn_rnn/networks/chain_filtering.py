"""The labels of streams under a linear chain, given the steps so far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn.networks.chain_messages import IMPOSSIBLE

Array = NDArray[Any]

BLOCK = 2**20
"""Numbers of pairs of labels that are held at once."""


class ChainFilter:
    """The forward recursion (Rabiner 1989, section III.A) of streams that each take a step now and then.

    What comes after the newest step is left open, and so is whether anything does: the scores of last labels play no
    part. All is added in log space, so that nothing is lost, however long a stream is.

    Parameters
    ----------
    chain : array of shape (n_labels + 2, n_labels)
        Scores as in :mod:`sklearn_rnn.networks.chain`, -inf for what is forbidden.
    n_streams : int
    pairs : sequence of arrays of bool, shape (n_labels, n_labels)
        Pairs of labels whose probability, as those of the last step but one and of the last, is wanted.

    Attributes
    ----------
    messages : array of shape (n_streams, n_labels)
        The log-probability of each label at the newest step, given the steps up to it.
    of_pairs : array of shape (n_streams, n_pairs)
        The probability of the pairs, 0 at the first step.
    """

    def __init__(self, chain: Array, n_streams: int, pairs: Sequence[NDArray[np.bool_]] = ()) -> None:
        n_labels = chain.shape[1]
        scores = np.maximum(chain, IMPOSSIBLE)  # differences of infinities are NaN
        self._transitions, self._start = scores[:n_labels], scores[n_labels]
        self._pairs = pairs
        self.messages = np.zeros((n_streams, n_labels))
        self.of_pairs = np.zeros((n_streams, len(pairs)))

    def advance(self, emissions: Array, rows: NDArray[np.int64], first: NDArray[np.bool_]) -> None:
        """Take a step.

        Parameters
        ----------
        emissions : array of shape (n, n_labels)
        rows : array of int64, shape (n,)
            The streams, none of them twice.
        first : array of bool, shape (n,)
            Whether it is the first step of the stream.
        """
        size = max(1, BLOCK // self._transitions.size)
        for begin in range(0, len(rows), size):
            part = slice(begin, begin + size)
            self._advance(emissions[part], rows[part], first[part])

    def probabilities(self, rows: NDArray[np.int64]) -> Array:
        """The probability of each label at the newest step, (n, n_labels)."""
        return np.exp(self.messages[rows])

    def _advance(self, emissions: Array, rows: NDArray[np.int64], first: NDArray[np.bool_]) -> None:
        joint = self.messages[rows][:, :, None] + self._transitions
        # shape: (n, n_labels, n_labels)
        scores = np.where(first[:, None], self._start, _log_sum(joint)) + emissions
        total = _log_sum(scores)[:, None]
        for k, pairs in enumerate(self._pairs):
            probability = (np.exp(joint + (emissions - total)[:, None]) * pairs).sum((1, 2))
            self.of_pairs[rows, k] = np.where(first, 0, probability)
        self.messages[rows] = np.maximum(scores - total, IMPOSSIBLE)


def _log_sum(x: Array) -> Array:
    """The log of the summed exponentials over the second axis."""
    greatest = x.max(axis=1)
    return np.log(np.exp(x - greatest[:, None]).sum(axis=1)) + greatest
