"""Scores of label sequences, over all steps or over whole sequences."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.targets import read_step_labels
from sklearn_rnn.exceptions import SequenceDataError


def paired_labels(y_true: Any, y_pred: Any) -> tuple[Sequences, Sequences]:
    """Read true and predicted label sequences, and check that they have the same lengths.

    Raises
    ------
    SequenceDataError
        If they differ in number, or one pair in length; the message says which.
    """
    true, pred = read_step_labels(y_true, name="y_true"), read_step_labels(y_pred, name="y_pred")
    if len(true) != len(pred):
        raise SequenceDataError(f"y_true holds {len(true)} sequences, y_pred {len(pred)}")
    if not np.array_equal(true.offsets, pred.offsets):
        i = int(np.argmax(true.lengths != pred.lengths))
        raise SequenceDataError(f"y_true[{i}] has {true.lengths[i]} labels, y_pred[{i}] has {pred.lengths[i]}")
    return true, pred


def labelled_steps(labels: Sequences, ignore_label: Any) -> NDArray[np.bool_]:
    """Which steps (total_steps,) carry another label than `ignore_label`."""
    if ignore_label is None:
        return np.ones(len(labels.values), dtype=bool)
    return np.asarray(labels.values != ignore_label, dtype=bool)


def flat_accuracy_score(
    y_true: Any, y_pred: Any, *, sample_weight: ArrayLike | None = None, ignore_label: Any = None
) -> float:
    """Share of steps with the right label.

    Parameters
    ----------
    y_true, y_pred : label sequences
    sample_weight : array-like of shape (n_sequences,), optional
        The weight of each step of a sequence.
    ignore_label : optional
        Steps with this true label are left out.

    Returns
    -------
    score : float
        NaN if no step carries a label.

    Examples
    --------
    >>> from sklearn_rnn.metrics import flat_accuracy_score
    >>> flat_accuracy_score([["A", "B"], ["B"]], [["A", "A"], ["B"]])
    0.6666666666666666
    """
    true, pred = paired_labels(y_true, y_pred)
    counted = labelled_steps(true, ignore_label)
    weight = np.ones(len(true)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    step_weight = np.repeat(weight, true.lengths)[counted]
    if step_weight.sum() == 0:
        return float("nan")
    right = np.asarray(true.values[counted] == pred.values[counted], dtype=np.float64)
    return float(np.average(right, weights=step_weight))


def sequence_accuracy_score(
    y_true: Any, y_pred: Any, *, sample_weight: ArrayLike | None = None, ignore_label: Any = None
) -> float:
    """Share of sequences all of whose steps have the right label.

    Parameters
    ----------
    y_true, y_pred : label sequences
    sample_weight : array-like of shape (n_sequences,), optional
    ignore_label : optional
        Steps with this true label may have any.

    Returns
    -------
    score : float

    Examples
    --------
    >>> from sklearn_rnn.metrics import sequence_accuracy_score
    >>> sequence_accuracy_score([["A", "B"], ["B"]], [["A", "A"], ["B"]])
    0.5
    """
    true, pred = paired_labels(y_true, y_pred)
    wrong = np.asarray(true.values != pred.values, dtype=bool) & labelled_steps(true, ignore_label)
    sequence = np.repeat(np.arange(len(true)), true.lengths)
    right = np.bincount(sequence[wrong], minlength=len(true)) == 0
    return float(np.average(right, weights=sample_weight))
