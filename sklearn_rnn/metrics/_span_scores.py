"""Precision, recall and F of the spans that tags mark."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sklearn_rnn.metrics._span_counts import SpanCounts, count_spans


class SpanScores(NamedTuple):
    """Scores of each label (n_labels,), or their average; support is the number of true spans."""

    precision: Any
    recall: Any
    fscore: Any
    support: Any


def span_precision_recall_fscore(
    y_true: Any,
    y_pred: Any,
    *,
    scheme: str = "auto",
    mode: str = "strict",
    average: str | None = "micro",
    labels: ArrayLike | None = None,
    beta: float = 1.0,
    ignore_label: Any = None,
    sample_weight: ArrayLike | None = None,
    zero_division: float = 0.0,
) -> SpanScores:
    """Precision, recall, F score and number of the spans that tags mark: a span is right if bounds and label are.

    Parameters
    ----------
    y_true, y_pred : sequences of tags
        ``"O"`` is outside of every span; other tags are a prefix and the label of a span, ``"B-city"``, or in another
        spelling ``"B_city"``, ``"city-B"`` or ``"b-city"``.
    scheme : {"auto", "IOB1", "IOB2", "BIOES", "BILOU", "BMES", "BMEWO"}, default="auto"
        What the prefixes mean. "auto" takes the scheme that the true tags break least often, and where none of them
        marks a span goes by the predicted ones; of no account in the mode "conlleval".
    mode : {"strict", "conlleval"}, default="strict"
        How tags that break the scheme are read. "strict": only what the scheme allows marks a span, so that in IOB2
        ``"I-x"`` which continues no span with the label x is outside. "conlleval": as the script of the CoNLL shared
        tasks [1]_ reads them, so that it opens one.
    average : {"micro", "macro", "weighted"} or None, default="micro"
        How the labels are joined: all spans counted together, the mean over labels, the mean weighted by the number of
        true spans; None keeps the labels apart.
    labels : array-like of str, shape (n_labels,), optional
        The labels of spans that count, without prefixes; by default all that any span has, sorted.
    beta : float, default=1.0
        How much more recall counts than precision in the F score; inf is recall alone.
    ignore_label : str or int, optional
        Steps with this true tag are read as outside of every span, in both.
    sample_weight : array-like of shape (n_sequences,), optional
        The weight of each span of a sequence.
    zero_division : float, default=0.0
        The precision where nothing was predicted, the recall where there is nothing to find, and F where both are so:
        0, 1 or NaN, which averages over labels leave out.

    Returns
    -------
    precision, recall, fscore : float, or array of shape (n_labels,)
    support : int, or array of shape (n_labels,)
        The number of true spans, of all labels together if they are averaged; with `sample_weight` their weight.

    Raises
    ------
    SequenceDataError
        If `y_true` and `y_pred` differ in their lengths, or if a tag does not belong to the scheme; the message says
        where.
    ValueError
        If `scheme`, `mode`, `average`, `labels`, `beta` or `zero_division` is none of these.

    Warns
    -----
    SequenceDataWarning
        If tags are in another scheme than they are read in, and spans count as wrong for it.

    Notes
    -----
    With the same scheme and mode, the scores are those of seqeval [2]_, whose IOBES is BIOES here.

    References
    ----------
    .. [1] Tjong Kim Sang, E. F. and Buchholz, S. (2000). Introduction to the CoNLL-2000 shared task: chunking. CoNLL.
    .. [2] Nakayama, H. (2018). seqeval: A Python framework for sequence labeling evaluation.

    Examples
    --------
    >>> from sklearn_rnn.metrics import span_precision_recall_fscore
    >>> y_true = [["B-city", "I-city", "O", "B-day"], ["O", "B-day"]]
    >>> y_pred = [["B-city", "I-city", "O", "O"], ["B-day", "B-day"]]
    >>> precision, recall, fscore, support = span_precision_recall_fscore(y_true, y_pred, average=None)
    >>> precision, recall, support
    (array([1. , 0.5]), array([1. , 0.5]), array([1, 2]))
    """
    check_choices(average, beta, zero_division)
    counts = count_spans(
        y_true,
        y_pred,
        scheme=scheme,
        mode=mode,
        labels=labels,
        ignore_label=ignore_label,
        sample_weight=sample_weight,
    )
    return averaged(counts, average, beta, zero_division)


def span_f1_score(
    y_true: Any,
    y_pred: Any,
    *,
    scheme: str = "auto",
    mode: str = "strict",
    average: str | None = "micro",
    labels: ArrayLike | None = None,
    ignore_label: Any = None,
    sample_weight: ArrayLike | None = None,
    zero_division: float = 0.0,
) -> float | NDArray[np.float64]:
    """F1 of the spans that tags mark, the harmonic mean of precision and recall.

    Parameters
    ----------
    y_true, y_pred : sequences of tags
        ``"B-x"`` opens a span with the label x and ``"I-x"`` goes on with it in IOB2, and ``"O"`` is outside.
    scheme, mode, average, labels, ignore_label, sample_weight, zero_division
        As in :func:`span_precision_recall_fscore`: by default the scheme is found in the true tags, predictions that
        break it mark no spans, and all spans count together.

    Returns
    -------
    score : float, or array of shape (n_labels,)
        `zero_division` if there are no spans at all.

    Raises
    ------
    SequenceDataError
        If `y_true` and `y_pred` differ in their lengths, or if a tag does not belong to the scheme; the message says
        where.

    Examples
    --------
    >>> from sklearn_rnn.metrics import span_f1_score
    >>> span_f1_score([["B-x", "I-x", "O", "B-y"]], [["B-x", "I-x", "O", "O"]])
    0.6666666666666666
    """
    return span_precision_recall_fscore(
        y_true,
        y_pred,
        scheme=scheme,
        mode=mode,
        average=average,
        labels=labels,
        ignore_label=ignore_label,
        sample_weight=sample_weight,
        zero_division=zero_division,
    )[2]


def span_precision_score(
    y_true: Any,
    y_pred: Any,
    *,
    scheme: str = "auto",
    mode: str = "strict",
    average: str | None = "micro",
    labels: ArrayLike | None = None,
    ignore_label: Any = None,
    sample_weight: ArrayLike | None = None,
    zero_division: float = 0.0,
) -> float | NDArray[np.float64]:
    """Share of the predicted spans that are right.

    Parameters
    ----------
    y_true, y_pred : sequences of tags
    scheme, mode, average, labels, ignore_label, sample_weight, zero_division
        As in :func:`span_precision_recall_fscore`.

    Returns
    -------
    score : float, or array of shape (n_labels,)
        `zero_division` if no span is predicted.

    Raises
    ------
    SequenceDataError
        If `y_true` and `y_pred` differ in their lengths, or if a tag does not belong to the scheme; the message says
        where.

    Examples
    --------
    >>> from sklearn_rnn.metrics import span_precision_score
    >>> span_precision_score([["B-x", "I-x", "O", "B-y"]], [["B-x", "I-x", "O", "O"]])
    1.0
    """
    return span_precision_recall_fscore(
        y_true,
        y_pred,
        scheme=scheme,
        mode=mode,
        average=average,
        labels=labels,
        ignore_label=ignore_label,
        sample_weight=sample_weight,
        zero_division=zero_division,
    )[0]


def span_recall_score(
    y_true: Any,
    y_pred: Any,
    *,
    scheme: str = "auto",
    mode: str = "strict",
    average: str | None = "micro",
    labels: ArrayLike | None = None,
    ignore_label: Any = None,
    sample_weight: ArrayLike | None = None,
    zero_division: float = 0.0,
) -> float | NDArray[np.float64]:
    """Share of the true spans that were found.

    Parameters
    ----------
    y_true, y_pred : sequences of tags
    scheme, mode, average, labels, ignore_label, sample_weight, zero_division
        As in :func:`span_precision_recall_fscore`.

    Returns
    -------
    score : float, or array of shape (n_labels,)
        `zero_division` if there is no span to find.

    Raises
    ------
    SequenceDataError
        If `y_true` and `y_pred` differ in their lengths, or if a tag does not belong to the scheme; the message says
        where.

    Examples
    --------
    >>> from sklearn_rnn.metrics import span_recall_score
    >>> span_recall_score([["B-x", "I-x", "O", "B-y"]], [["B-x", "I-x", "O", "O"]])
    0.5
    """
    return span_precision_recall_fscore(
        y_true,
        y_pred,
        scheme=scheme,
        mode=mode,
        average=average,
        labels=labels,
        ignore_label=ignore_label,
        sample_weight=sample_weight,
        zero_division=zero_division,
    )[1]


def averaged(counts: SpanCounts, average: str | None, beta: float, zero_division: float) -> SpanScores:
    """The scores that follow from counts."""
    right, true, pred = counts.right, counts.true, counts.pred
    if average == "micro":
        right, true, pred = (np.sum(part, keepdims=True) for part in (right, true, pred))
    precision = _ratio(right, pred, zero_division)
    recall = _ratio(right, true, zero_division)
    fscore = _ratio((1 + beta**2) * right, beta**2 * true + pred, zero_division) if np.isfinite(beta) else recall
    if average is None:
        return SpanScores(precision, recall, fscore, true)
    weight = true if average == "weighted" else np.ones(len(true))
    means = [_mean(part, weight, zero_division) for part in (precision, recall, fscore)]
    return SpanScores(means[0], means[1], means[2], true.sum().item())


def _ratio(part: NDArray[Any], whole: NDArray[Any], zero_division: float) -> NDArray[np.float64]:
    """``part / whole`` (n,), and `zero_division` where the whole is 0."""
    return np.divide(part, whole, out=np.full(len(whole), float(zero_division)), where=whole != 0)


def _mean(scores: NDArray[np.float64], weight: NDArray[Any], zero_division: float) -> float:
    """The weighted mean of scores (n,) that are no NaN, and the plain one if no weight is left."""
    known = ~np.isnan(scores)
    if not known.any():
        return float(zero_division)
    scores, weight = scores[known], weight[known]
    return float(np.average(scores, weights=weight if weight.any() else None))


def check_choices(average: Any, beta: Any, zero_division: Any) -> None:
    """Refuse what is no option of the scores."""
    if average not in ("micro", "macro", "weighted", None):
        raise ValueError(f"average must be 'micro', 'macro', 'weighted' or None, got {average!r}")
    if not (isinstance(beta, (int, float)) and beta >= 0):
        raise ValueError(f"beta must be a number from 0 on, got {beta!r}")
    if not (isinstance(zero_division, (int, float)) and (zero_division in (0, 1) or zero_division != zero_division)):
        raise ValueError(f"zero_division must be 0, 1 or NaN, got {zero_division!r}")
