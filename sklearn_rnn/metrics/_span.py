"""Scores of the spans that tags mark."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.metrics._flat import labelled_steps, paired_labels

Span = tuple[int, int, int, str]
"""Sequence, first step, step after the last, label."""


def iob2_spans(labels: Sequences) -> set[Span]:
    """The spans that IOB2 tags mark: B- opens one, I- of the same label goes on with it, all else ends it.

    An I- that continues nothing opens no span: only spans that the scheme allows count.
    """
    spans: set[Span] = set()
    for i, tags in enumerate(labels):
        start, kind = -1, ""
        for t, tag in enumerate([*tags.tolist(), "O"]):
            prefix, _, label = str(tag).partition("-")
            if start >= 0 and not (prefix == "I" and label == kind):
                spans.add((i, start, t, kind))
                start = -1
            if prefix == "B":
                start, kind = t, label
    return spans


def span_f1_score(y_true: Any, y_pred: Any, *, ignore_label: Any = None) -> float:
    """F1 of spans marked by IOB2 tags, counted over all sequences: a span is right if bounds and label are.

    Parameters
    ----------
    y_true, y_pred : sequences of IOB2 tags
        ``"B-x"``, ``"I-x"`` and ``"O"``.
    ignore_label : optional
        Steps with this true tag are read as outside every span, in both.

    Returns
    -------
    score : float
        0 if there are no spans at all.

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
    outside = ~labelled_steps(true, ignore_label)
    true, pred = (part.with_values(np.where(outside, "O", part.values.astype(object))) for part in (true, pred))
    wanted, found = iob2_spans(true), iob2_spans(pred)
    total = len(wanted) + len(found)
    return 2 * len(wanted & found) / total if total else 0.0
