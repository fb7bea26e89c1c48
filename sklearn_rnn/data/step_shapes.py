"""Rows of y that are as long as their sequences: what they were taken for, and what else they may be."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn._warning import warn
from sklearn_rnn.exceptions import SequenceDataWarning


def as_wide_as_long(shape: tuple[int, ...], lengths: NDArray[np.int64]) -> bool:
    """Whether y of a `shape` (n_sequences, width) has a column for each step of sequences that are all of one length.

    A single column, or step, tells nothing.
    """
    return len(shape) == 2 and shape[1] > 1 and len(lengths) > 0 and bool(np.all(lengths == shape[1]))


def warn_of_label_columns(shape: tuple[int, ...], lengths: NDArray[np.int64]) -> None:
    """Warn that 0 and 1 for each step would have been taken for a set of labels for each sequence."""
    advice = (
        "If y holds a label for each step, fit RNNSequenceTagger; a sparse matrix, scipy.sparse.csr_array(y), says "
        "that columns are labels"
    )
    _warn_if_as_wide(shape, lengths, "labels", advice)


def warn_of_output_columns(shape: tuple[int, ...], lengths: NDArray[np.int64]) -> None:
    """Warn that a number for each step would have been taken for a row of numbers for each sequence."""
    advice = (
        f"Set target='step' if they are the values of its steps, as y of shape {(*shape, 1)} is without it, and "
        f"target='sequence' if they are not"
    )
    _warn_if_as_wide(shape, lengths, "outputs", advice)


def _warn_if_as_wide(shape: tuple[int, ...], lengths: NDArray[np.int64], taken_for: str, advice: str) -> None:
    if as_wide_as_long(shape, lengths):
        warn(
            f"y has shape {tuple(shape)}, and each sequence {shape[1]} steps: its columns were taken for {shape[1]} "
            f"{taken_for} of a whole sequence. {advice}",
            SequenceDataWarning,
        )
