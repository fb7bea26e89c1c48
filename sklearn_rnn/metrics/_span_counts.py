"""Spans that true and predicted tags mark, and how many of them are the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sklearn_rnn._warning import warn
from sklearn_rnn.data.tag_contrast import contrast_of
from sklearn_rnn.data.tag_schemes import COMMON_FIRST, MODES, SCHEMES, SpanTable, closest_scheme, span_table
from sklearn_rnn.data.tag_steps import TagSteps, check_tags
from sklearn_rnn.data.weights import validate_weights
from sklearn_rnn.exceptions import SequenceDataWarning
from sklearn_rnn.metrics._labels import paired_tags

_HINT = ". For labels that mark no spans use flat_accuracy_score or flat_f1_score"


class SpanPair(NamedTuple):
    """The spans of true and of predicted tags of the same steps."""

    true: SpanTable
    pred: SpanTable
    offsets: NDArray[np.int64]
    """Where each sequence starts, shape (n_sequences + 1,)."""
    weight: NDArray[np.float64] | None
    """The weight of each sequence, shape (n_sequences,)."""

    def names(self) -> list[str]:
        """The labels that any span has, sorted."""
        return sorted({table.labels[code] for table in (self.true, self.pred) for code in _used(table)})

    def rows(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The row of the first step of each true span, and of each predicted one."""
        return self.offsets[self.true.sequence] + self.true.start, self.offsets[self.pred.sequence] + self.pred.start


def _used(table: SpanTable) -> NDArray[np.int64]:
    """The labels that a span of a table has."""
    return np.flatnonzero(np.bincount(table.label, minlength=len(table.labels)))


class SpanCounts(NamedTuple):
    """How many spans there are of each label: integers, or sums of weights."""

    labels: list[str]
    right: NDArray[Any]
    """Spans with the same bounds and label in both, shape (n_labels,)."""
    true: NDArray[Any]
    pred: NDArray[Any]


def paired_spans(
    y_true: Any,
    y_pred: Any,
    *,
    scheme: str,
    mode: str,
    ignore_label: Any,
    sample_weight: ArrayLike | None = None,
    contrasts: bool = True,
) -> SpanPair:
    """Read the spans that true and predicted tags mark; ignored steps are outside of spans in both.

    With `contrasts`, tags in another scheme than the one that they are read in are warned of.
    """
    if scheme not in ("auto", *SCHEMES):
        raise ValueError(f"scheme must be 'auto' or one of {SCHEMES}, got {scheme!r}")
    if mode not in MODES:
        raise ValueError(f"mode must be one of {MODES}, got {mode!r}")
    true, pred = paired_tags(y_true, y_pred, ignore_label)
    weight = None if sample_weight is None else validate_weights(sample_weight, len(true.offsets) - 1)
    known = np.ones(len(true.codes), dtype=bool)
    if ignore_label in true.tags:
        known = true.codes != true.tags.index(ignore_label)
        true, pred = _without(true, ~known), _without(pred, ~known)
    found = _common_scheme(true, pred, weight) if (scheme, mode) == ("auto", "strict") else scheme
    if found == "auto":
        found = SCHEMES[0]  # in the other mode all are read alike
    for steps, name in ((true, "y_true"), (pred, "y_pred")):
        guessed = scheme == "auto" and steps is pred and any(true.roles)
        hint = (" (as in y_true; if that is in another scheme, name it in scheme)" if guessed else "") + _HINT
        other = closest_scheme(steps)
        if other is not None and any(steps.roles):
            hint = (
                f"{' (as in y_true)' if guessed else ''}. {name} looks like tags of {other}: give "
                f"convert_tag_scheme({name}, {found!r}) of sklearn_rnn.preprocessing"
            )
        check_tags(steps, found if mode == "strict" else None, name=name, hint=hint)
    pair = SpanPair(span_table(true, found, mode), span_table(pred, found, mode), true.offsets, weight)
    if contrasts and mode == "strict":
        _warn_of_schemes(true, pred, found, known, pair)
    return pair


def _warn_of_schemes(true: TagSteps, pred: TagSteps, scheme: str, known: NDArray[np.bool_], pair: SpanPair) -> None:
    """Warn of true or predicted tags in another scheme, if that costs spans which would be right in their own."""
    own = {name: contrast_of(steps, scheme, known) for name, steps in (("y_true", true), ("y_pred", pred))}
    if not any(own.values()):
        return
    tables = [
        span_table(steps, scheme if contrast is None else contrast.scheme)
        for steps, contrast in zip((true, pred), own.values(), strict=True)
    ]
    as_meant = SpanPair(tables[0], tables[1], pair.offsets, None)
    n_read, n_meant = n_right(pair), n_right(as_meant)
    if n_meant <= n_read:
        return
    found = " and ".join(f"{name} looks like tags of {contrast.scheme}" for name, contrast in own.items() if contrast)
    warn(
        f"The spans are read in the scheme {scheme}, but {found}: {n_read} predicted span(s) are right, and "
        f"{n_meant} would be with each in its own scheme. Give convert_tag_scheme(y, {scheme!r}) of "
        f"sklearn_rnn.preprocessing, or score with mode='conlleval', which reads all prefixes",
        SequenceDataWarning,
    )


def n_right(pair: SpanPair) -> int:
    """How many spans have the same bounds and label in both."""
    names = pair.names()
    i, j = same_bounds(pair)
    return int(np.count_nonzero(positions(pair.true, names)[i] == positions(pair.pred, names)[j]))


def count_spans(
    y_true: Any,
    y_pred: Any,
    *,
    scheme: str,
    mode: str,
    labels: ArrayLike | None,
    ignore_label: Any,
    sample_weight: ArrayLike | None,
    contrasts: bool = True,
) -> SpanCounts:
    """Count true, predicted and right spans of `labels`, by default of all that any span has."""
    pair = paired_spans(
        y_true,
        y_pred,
        scheme=scheme,
        mode=mode,
        ignore_label=ignore_label,
        sample_weight=sample_weight,
        contrasts=contrasts,
    )
    names = pair.names() if labels is None else _check_labels(labels)
    i, j = same_bounds(pair)
    wanted, found = (positions(table, names) for table in (pair.true, pair.pred))
    right = i[wanted[i] == found[j]]

    def count(spans: NDArray[np.int64], table: SpanTable, label: NDArray[np.int64]) -> NDArray[Any]:
        spans = spans[label[spans] >= 0]
        weight = None if pair.weight is None else pair.weight[table.sequence[spans]]
        return np.bincount(label[spans], weight, minlength=len(names))

    return SpanCounts(
        names,
        count(right, pair.true, wanted),
        count(np.arange(len(wanted)), pair.true, wanted),
        count(np.arange(len(found)), pair.pred, found),
    )


def same_bounds(pair: SpanPair) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The true spans whose bounds a predicted span has, and these, each (n_pairs,)."""
    true_row, pred_row = pair.rows()
    begins = np.full(pair.offsets[-1], -1)
    begins[true_row] = np.arange(len(true_row))
    i = begins[pred_row]
    j = np.flatnonzero(i >= 0)
    i = i[j]
    same = pair.true.end[i] == pair.pred.end[j]
    return i[same], j[same]


def positions(table: SpanTable, names: list[str]) -> NDArray[np.int64]:
    """The position in `names` of the label of each span (n_spans,), -1 where it is not among them."""
    index = {name: position for position, name in enumerate(names)}
    return np.array([index.get(label, -1) for label in table.labels], dtype=np.int64)[table.label]


def _common_scheme(true: TagSteps, pred: TagSteps, weight: NDArray[np.float64] | None) -> str:
    """The scheme of the true tags; where none of them marks a span, that of the predicted ones."""
    judged = true if any(true.roles) or any(true.foreign(None)) else pred
    scheme = closest_scheme(judged, weight)
    if scheme is not None:
        return scheme
    counts = np.bincount(judged.codes, minlength=len(judged.tags))
    return min(COMMON_FIRST, key=lambda scheme: counts[judged.foreign(scheme)].sum())


def _without(steps: TagSteps, ignored: NDArray[np.bool_]) -> TagSteps:
    """The tags with ``"O"`` at steps that are ignored (total_steps,), and in place of tags that no other step has."""
    codes = np.where(ignored, len(steps.tags), steps.codes)
    counts = np.bincount(codes, minlength=len(steps.tags))
    tags = [tag if count else "O" for tag, count in zip(steps.tags, counts, strict=False)]
    return replace(steps, codes=codes, tags=[*tags, "O"])


def _check_labels(labels: ArrayLike) -> list[str]:
    names = np.asarray(labels, dtype=object).ravel().tolist()
    if not names or not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise ValueError(f"labels must hold at least one label of spans, each a string and once, got {labels!r}")
    return names
