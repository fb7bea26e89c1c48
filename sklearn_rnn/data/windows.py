"""Long sequences cut into overlapping windows, and what was computed for the windows put together again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.stored import StoredSequences


@dataclass(frozen=True)
class Windows:
    """Where the windows lie in the rows of a container.

    Attributes
    ----------
    sequence : array of int, shape (n_windows,)
        The sequence that each window is a part of.
    rows : array of int, shape (n_window_steps,)
        The row of the container that each step of each window shows.
    offsets : array of int, shape (n_windows + 1,)
        Window ``i`` shows ``rows[offsets[i]:offsets[i + 1]]``.
    """

    sequence: NDArray[np.int64]
    rows: NDArray[np.int64]
    offsets: NDArray[np.int64]

    @classmethod
    def over(cls, offsets: NDArray[np.int64], max_length: int, stride: int) -> Windows:
        """Windows of at most `max_length` steps that start `stride` steps apart and cover every sequence.

        Parameters
        ----------
        offsets : array of shape (n_sequences + 1,)
        max_length, stride : int
            A sequence that is not longer than `max_length` is one window. The last window of a longer one ends where
            the sequence ends.

        Returns
        -------
        windows : Windows
        """
        lengths = np.diff(offsets)
        counts = cls.counts(lengths, max_length, stride)
        sequence = np.repeat(np.arange(len(lengths)), counts)
        turn = np.arange(len(sequence)) - np.repeat(np.cumsum(counts) - counts, counts)
        start = np.minimum(turn * stride, np.maximum(0, lengths - max_length)[sequence])
        size = np.minimum(lengths[sequence], max_length)
        window_offsets = np.concatenate([[0], np.cumsum(size)])
        first_row = offsets[:-1][sequence] + start
        rows = np.arange(window_offsets[-1]) + np.repeat(first_row - window_offsets[:-1], size)
        return cls(sequence, rows, window_offsets)

    @staticmethod
    def counts(lengths: NDArray[np.int64], max_length: int, stride: int) -> NDArray[np.int64]:
        """The number of windows of each sequence (n_sequences,)."""
        return np.asarray(1 + np.maximum(0, -(-(lengths - max_length) // stride)))

    def of(self, sequences: Sequences) -> Sequences:
        """The windows of `sequences`, as sequences of their own."""
        if isinstance(sequences, StoredSequences):
            first_rows = np.append(self.rows, 0)[self.offsets[:-1]]  # of a window without steps it is any row
            return sequences.with_rows(self.sequence, first_rows, np.diff(self.offsets))
        return Sequences(sequences.values[self.rows], self.offsets)

    def stitch(self, values: NDArray[np.float64], n_rows: int) -> NDArray[np.float64]:
        """One row for each of `n_rows` steps, from the window in which it is farthest from an end.

        Parameters
        ----------
        values : array of shape (n_window_steps, ...)
        n_rows : int

        Returns
        -------
        stitched : array of shape (n_rows, ...)
        """
        size = np.repeat(np.diff(self.offsets), np.diff(self.offsets))
        position = np.arange(len(self.rows)) - np.repeat(self.offsets[:-1], np.diff(self.offsets))
        depth = np.minimum(position, size - 1 - position)
        order = np.lexsort((-np.arange(len(depth)), depth))  # of equally deep ones the first window is the last here
        stitched = np.empty((n_rows, *values.shape[1:]))
        stitched[self.rows[order]] = values[order]
        return stitched
