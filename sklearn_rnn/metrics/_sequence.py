"""Scores of label sequences, each sequence one sample."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sklearn_rnn.data.targets import labelled_steps
from sklearn_rnn.data.weights import validate_weights
from sklearn_rnn.metrics._labels import paired_labels
from sklearn_rnn.metrics._tag_labels import warn_of_other_tags


def sequence_accuracy_score(
    y_true: Any, y_pred: Any, *, sample_weight: ArrayLike | None = None, ignore_label: Any = None
) -> float:
    """Share of sequences all of whose steps have the right label.

    Parameters
    ----------
    y_true, y_pred : label sequences
        For each sequence as many labels as it has steps, strings or integers.
    sample_weight : array-like of shape (n_sequences,), optional
        The weight of each sequence.
    ignore_label : str or int, optional
        Steps with this true label may have any.

    Returns
    -------
    score : float

    Raises
    ------
    SequenceDataError
        If `y_true` and `y_pred` differ in their lengths; the message says where.

    Examples
    --------
    >>> from sklearn_rnn.metrics import sequence_accuracy_score
    >>> sequence_accuracy_score([["A", "B"], ["B"]], [["A", "A"], ["B"]])
    0.5
    """
    true, pred = paired_labels(y_true, y_pred)
    labelled = labelled_steps(true, ignore_label)
    warn_of_other_tags(true, pred, labelled)
    wrong = np.asarray(true.values != pred.values, dtype=bool) & labelled
    sequence = np.repeat(np.arange(len(true)), true.lengths)
    right = np.bincount(sequence[wrong], minlength=len(true)) == 0
    return float(np.average(right, weights=validate_weights(sample_weight, len(true))))
