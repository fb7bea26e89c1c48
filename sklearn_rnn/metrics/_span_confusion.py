"""What goes wrong with spans: wrong labels, wrong bounds, spans that were missed and spans that are not there."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn.metrics._span_counts import SpanPair, paired_spans, positions

_KINDS = ("correct", "type", "boundary", "both", "missed")


def span_confusion(
    y_true: Any, y_pred: Any, *, scheme: str = "auto", mode: str = "strict", ignore_label: Any = None
) -> Any:
    """How spans are found, and how they are got wrong.

    Parameters
    ----------
    y_true, y_pred : sequences of tags
    scheme, mode, ignore_label
        As in :func:`span_precision_recall_fscore`.

    Returns
    -------
    confusion : pandas.DataFrame
        A row of counts for each label that any span has, sorted, and the row "total". The first five columns part the
        true spans of a label, and add up to their number; the last counts predicted spans by their own label:

        - "correct": found with the same bounds and label,
        - "type": found with the same bounds, and another label,
        - "boundary": met by a predicted span of the same label with other bounds,
        - "both": met by a predicted span of another label with other bounds,
        - "missed": met by no predicted span,
        - "spurious": predicted spans that meet no true one.

    Raises
    ------
    SequenceDataError
        If `y_true` and `y_pred` differ in their lengths, or if a tag does not belong to the scheme; the message says
        where.

    Notes
    -----
    Each span meets at most one other. Pairs of a true and a predicted span that have a step in common are gone through
    from the best to the worst, and a pair meets if neither of its spans has met another: first those with the same
    bounds, then by the number of common steps, the most first, then those with the same label before others, then from
    left to right. Of a true span that was predicted in two parts, the longer part therefore counts as "boundary" and
    the other as "spurious". The kinds are those of MUC-5 [1]_, with its partial matches told apart.

    References
    ----------
    .. [1] Chinchor, N. and Sundheim, B. (1993). MUC-5 evaluation metrics. Fifth Message Understanding Conference.

    Examples
    --------
    >>> from sklearn_rnn.metrics import span_confusion
    >>> y_true = [["B-city", "I-city", "O", "B-day"], ["O", "B-day"]]
    >>> y_pred = [["B-city", "O", "O", "B-day"], ["B-day", "B-city"]]
    >>> span_confusion(y_true, y_pred)
           correct  type  boundary  both  missed  spurious
    city         0     0         1     0       0         0
    day          1     1         0     0       0         1
    total        1     1         1     0       0         1
    """
    import pandas as pd

    pair = paired_spans(y_true, y_pred, scheme=scheme, mode=mode, ignore_label=ignore_label)
    names = pair.names()
    wanted, found = positions(pair.true, names), positions(pair.pred, names)
    i, j, same_bounds = _meetings(pair, wanted, found)
    kind = np.full(len(wanted), _KINDS.index("missed"))
    kind[i] = 2 * ~same_bounds + (wanted[i] != found[j])
    spurious = np.ones(len(found), dtype=bool)
    spurious[j] = False
    counts = np.zeros((len(names) + 1, len(_KINDS) + 1), dtype=np.int64)
    np.add.at(counts, (wanted, kind), 1)
    counts[:-1, -1] = np.bincount(found[spurious], minlength=len(names))
    counts[-1] = counts.sum(axis=0)
    return pd.DataFrame(counts, index=[*names, "total"], columns=[*_KINDS, "spurious"])


def _meetings(
    pair: SpanPair, wanted: NDArray[np.int64], found: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """True and predicted spans that meet, and whether they have the same bounds, each (n_meetings,)."""
    i, j, common = _overlaps(pair)
    lengths = pair.true.end - pair.true.start, pair.pred.end - pair.pred.start
    same_bounds = (common == lengths[0][i]) & (common == lengths[1][j])
    order = np.lexsort((j, i, wanted[i] != found[j], -common, ~same_bounds))
    i, j, same_bounds = i[order], j[order], same_bounds[order]
    met = np.zeros(len(i), dtype=bool)
    left = np.arange(len(i))
    while len(left):  # a pair meets that is the best left of both its spans, which is what going through them gives
        best_true, best_pred = np.full(len(wanted), len(i)), np.full(len(found), len(i))
        np.minimum.at(best_true, i[left], left)
        np.minimum.at(best_pred, j[left], left)
        meets = left[(best_true[i[left]] == left) & (best_pred[j[left]] == left)]
        met[meets] = True
        left = left[~np.isin(i[left], i[meets]) & ~np.isin(j[left], j[meets])]
    return i[met], j[met], same_bounds[met]


def _overlaps(pair: SpanPair) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of a true and a predicted span with steps in common, and how many these are, each (n_pairs,)."""
    inside = []
    for table, row in zip((pair.true, pair.pred), pair.rows(), strict=True):
        change = np.zeros(pair.offsets[-1] + 1, dtype=np.int64)
        change[row] += np.arange(1, len(row) + 1)
        np.subtract.at(change, row + table.end - table.start, np.arange(1, len(row) + 1))
        inside.append(np.cumsum(change[:-1]) - 1)
    both = np.flatnonzero((inside[0] >= 0) & (inside[1] >= 0))
    pairs, common = np.unique(np.stack([inside[0][both], inside[1][both]]), axis=1, return_counts=True)
    return pairs[0], pairs[1], common
