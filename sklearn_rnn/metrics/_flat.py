"""Scores of label sequences, each step one sample."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import classification_report, f1_score

from sklearn_rnn.data.targets import labelled_steps
from sklearn_rnn.exceptions import SequenceDataError
from sklearn_rnn.metrics._labels import flat_labels, paired_labels
from sklearn_rnn.metrics._tag_labels import warn_of_other_tags


def flat_accuracy_score(
    y_true: Any, y_pred: Any, *, sample_weight: ArrayLike | None = None, ignore_label: Any = None
) -> float:
    """Share of steps with the right label.

    Parameters
    ----------
    y_true, y_pred : label sequences
        For each sequence as many labels as it has steps, strings or integers.
    sample_weight : array-like of shape (n_sequences,), or for each sequence one a step, optional
        The weight of each step of a sequence, or of each step.
    ignore_label : str or int, optional
        Steps with this true label are left out.

    Returns
    -------
    score : float
        NaN if no step carries a label.

    Raises
    ------
    SequenceDataError
        If `y_true` and `y_pred` differ in their lengths; the message says where.

    Examples
    --------
    >>> from sklearn_rnn.metrics import flat_accuracy_score
    >>> flat_accuracy_score([["A", "B"], ["B"]], [["A", "A"], ["B"]])
    0.6666666666666666
    """
    true, pred, weight = _read(y_true, y_pred, ignore_label=ignore_label, sample_weight=sample_weight)
    return share_of_right(true, pred, weight)


def flat_f1_score(
    y_true: Any,
    y_pred: Any,
    *,
    average: str | None = "weighted",
    labels: ArrayLike | None = None,
    ignore_label: Any = None,
    sample_weight: ArrayLike | None = None,
) -> float | NDArray[np.float64]:
    """F1 of the labels of steps, each step one sample.

    Parameters
    ----------
    y_true, y_pred : label sequences
        For each sequence as many labels as it has steps, strings or integers.
    average : {"weighted", "macro", "micro"} or None, default="weighted"
        How the scores of the labels are joined, as in :func:`sklearn.metrics.f1_score`; None keeps them apart.
    labels : array-like of shape (n_labels,), optional
        The labels that count, all by default. A common choice is all but ``"O"``.
    ignore_label : str or int, optional
        Steps with this true label are left out.
    sample_weight : array-like of shape (n_sequences,), or for each sequence one a step, optional
        The weight of each step of a sequence, or of each step.

    Returns
    -------
    score : float, or array of shape (n_labels,)
        NaN if no step carries a label.

    Raises
    ------
    SequenceDataError
        If `y_true` and `y_pred` differ in their lengths; the message says where.

    Examples
    --------
    >>> from sklearn_rnn.metrics import flat_f1_score
    >>> y_true, y_pred = [["A", "O"], ["O", "B"]], [["A", "O"], ["O", "O"]]
    >>> flat_f1_score(y_true, y_pred)
    0.65
    >>> flat_f1_score(y_true, y_pred, labels=["A", "B"], average="macro")
    0.5
    """
    true, pred, weight = _read(y_true, y_pred, ignore_label=ignore_label, sample_weight=sample_weight)
    if weight.sum() == 0:
        return float("nan")
    score = f1_score(true, pred, average=average, labels=labels, sample_weight=weight)
    return score if average is None else float(score)


def flat_classification_report(
    y_true: Any,
    y_pred: Any,
    *,
    labels: ArrayLike | None = None,
    ignore_label: Any = None,
    sample_weight: ArrayLike | None = None,
    digits: int = 2,
    output_dict: bool = False,
    zero_division: str | float = "warn",
) -> Any:
    """Precision, recall and F1 of each label, each step one sample.

    Parameters
    ----------
    y_true, y_pred : label sequences
        For each sequence as many labels as it has steps, strings or integers.
    labels : array-like of shape (n_labels,), optional
        The labels to show, all by default.
    ignore_label : str or int, optional
        Steps with this true label are left out.
    sample_weight : array-like of shape (n_sequences,), or for each sequence one a step, optional
        The weight of each step of a sequence, or of each step.
    digits, output_dict, zero_division
        As in :func:`sklearn.metrics.classification_report`.

    Returns
    -------
    report : str or dict

    Raises
    ------
    SequenceDataError
        If `y_true` and `y_pred` differ in their lengths, the message says where; or if no step carries a label.

    Examples
    --------
    >>> from sklearn_rnn.metrics import flat_classification_report
    >>> print(flat_classification_report([["A", "B"], ["B"]], [["A", "A"], ["B"]]))
                  precision    recall  f1-score   support
    <BLANKLINE>
               A       0.50      1.00      0.67         1
               B       1.00      0.50      0.67         2
    <BLANKLINE>
        accuracy                           0.67         3
       macro avg       0.75      0.75      0.67         3
    weighted avg       0.83      0.67      0.67         3
    <BLANKLINE>
    """
    true, pred, weight = _read(y_true, y_pred, ignore_label=ignore_label, sample_weight=sample_weight)
    if len(true) == 0:
        raise SequenceDataError(f"y_true holds no label to report on: none differs from ignore_label={ignore_label!r}")
    return classification_report(
        true,
        pred,
        labels=labels,
        sample_weight=None if sample_weight is None else weight,  # without weights, counts are shown as integers
        digits=digits,
        output_dict=output_dict,
        zero_division=zero_division,
    )


def share_of_right(true: NDArray[Any], pred: NDArray[Any], weight: NDArray[np.float64]) -> float:
    """The weighted share of labels (n_labelled_steps,) that are right."""
    return float(np.average(true == pred, weights=weight)) if weight.sum() > 0 else float("nan")


def _read(
    y_true: Any, y_pred: Any, *, ignore_label: Any, sample_weight: ArrayLike | None
) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float64]]:
    """True labels, predicted labels and weights (n_labelled_steps,) of the steps that carry a label."""
    true, pred = paired_labels(y_true, y_pred)
    warn_of_other_tags(true, pred, labelled_steps(true, ignore_label))
    return flat_labels(true, pred, ignore_label=ignore_label, sample_weight=sample_weight)
