"""Scores of the spans that tags mark."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sklearn_rnn.data.formats import locate
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.targets import labelled_steps
from sklearn_rnn.data.validation import validate_weights
from sklearn_rnn.exceptions import SequenceDataError
from sklearn_rnn.metrics._flat import paired_labels

Span = tuple[int, int, int, str]
"""Sequence, first step, step after the last, label."""


def span_f1_score(
    y_true: Any, y_pred: Any, *, ignore_label: Any = None, sample_weight: ArrayLike | None = None
) -> float:
    """F1 of spans marked by IOB2 tags, counted over all sequences: a span is right if bounds and label are.

    Parameters
    ----------
    y_true, y_pred : sequences of IOB2 tags
        ``"B-x"`` opens a span with the label x, ``"I-x"`` goes on with it, and ``"O"`` is outside.
    ignore_label : str or int, optional
        Steps with this true tag are read as outside every span, in both.
    sample_weight : array-like of shape (n_sequences,), optional
        The weight of each span of a sequence.

    Returns
    -------
    score : float
        0 if there are no spans at all.

    Raises
    ------
    SequenceDataError
        If `y_true` and `y_pred` differ in their lengths, the message says where; or if a tag is none of IOB2.

    Notes
    -----
    Tags are read strictly: ``"I-x"`` that continues no span with the label x is outside. The `conlleval` script of the
    CoNLL shared tasks [1]_ lets it open one, which matters for predictions that break the scheme.

    References
    ----------
    .. [1] Tjong Kim Sang, E. F. and Buchholz, S. (2000). Introduction to the CoNLL-2000 shared task: chunking.

    Examples
    --------
    >>> from sklearn_rnn.metrics import span_f1_score
    >>> span_f1_score([["B-x", "I-x", "O", "B-y"]], [["B-x", "I-x", "O", "O"]])
    0.6666666666666666
    """
    true, pred = paired_labels(y_true, y_pred)
    weight = validate_weights(sample_weight, len(true))
    outside = ~labelled_steps(true, ignore_label)
    wanted, found = (
        iob2_spans(part.with_values(np.where(outside, "O", part.values.astype(object))), name=name)
        for part, name in ((true, "y_true"), (pred, "y_pred"))
    )
    total = _weight_of(wanted, weight) + _weight_of(found, weight)
    return 2 * _weight_of(wanted & found, weight) / total if total else 0.0


def iob2_spans(labels: Sequences, *, name: str = "y") -> set[Span]:
    """The spans that IOB2 tags mark: B- opens one, I- of the same label goes on with it, all else ends it.

    An I- that continues nothing opens no span: only spans that the scheme allows count.
    """
    _check_iob2(labels, name)
    spans: set[Span] = set()
    for i, tags in enumerate(labels):
        start, kind = -1, ""
        for t, tag in enumerate([*tags.tolist(), "O"]):
            prefix, _, label = tag.partition("-")
            if start >= 0 and not (prefix == "I" and label == kind):
                spans.add((i, start, t, kind))
                start = -1
            if prefix == "B":
                start, kind = t, label
    return spans


def _check_iob2(labels: Sequences, name: str) -> None:
    """Refuse tags of another scheme, which would silently mark no spans."""
    strange = {tag for tag in set(labels.values.tolist()) if not _is_iob2(tag)}
    if strange:
        row = next(row for row, tag in enumerate(labels.values.tolist()) if tag in strange)
        sequence, step = locate(labels, row)
        raise SequenceDataError(
            f"{name}[{sequence}][{step}] is {labels.values[row]!r}, which is no IOB2 tag: spans are marked by 'B-x', "
            f"'I-x' and 'O'. For other labels use flat_accuracy_score or flat_f1_score"
        )


def _is_iob2(tag: Any) -> bool:
    return isinstance(tag, str) and (tag == "O" or tag.partition("-")[0] in ("B", "I"))


def _weight_of(spans: set[Span], weight: NDArray[np.float64]) -> float:
    """The summed weight (n_sequences,) of the sequences that spans are in."""
    return float(weight[[span[0] for span in spans]].sum())
