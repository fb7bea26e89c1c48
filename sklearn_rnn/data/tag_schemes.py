"""Tags that mark spans: what each scheme allows, the spans that tags mark, and the tags that mark spans.

A tag is ``"O"``, outside of every span, or a prefix and the label of a span: ``"B-city"``. Six schemes are known:

====== ================================================================================================================
IOB1   ``I-`` on every step of a span; ``B-`` on its first only where a span of the same label ends just before [1]_
IOB2   ``B-`` on the first step of a span, ``I-`` on the others [2]_
BIOES  ``S-`` on a span of one step; else ``B-`` on its first, ``E-`` on its last and ``I-`` on those between
BILOU  the same as BIOES in other letters: ``U-`` for ``S-``, ``L-`` for ``E-`` [3]_
BMES   the same: ``M-`` for ``I-``; mostly without labels, for words made of characters
BMEWO  the same: ``M-`` for ``I-``, ``W-`` for ``S-``
====== ================================================================================================================

References
----------
.. [1] Ramshaw, L. A. and Marcus, M. P. (1995). Text chunking using transformation-based learning.
.. [2] Tjong Kim Sang, E. F. and Veenstra, J. (1999). Representing text chunks. EACL.
.. [3] Ratinov, L. and Roth, D. (2009). Design challenges and misconceptions in named entity recognition. CoNLL.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.tag_steps import FIRST, INNER, LAST, LETTERS, OUTSIDE, ROLES, SINGLE, TagSteps, check_tags, wanted
from sklearn_rnn.exceptions import SequenceDataError

SCHEMES: tuple[str, ...] = ("IOB1", "IOB2", "BIOES", "BILOU", "BMES", "BMEWO")
"""The names of the schemes."""

COMMON_FIRST = ("IOB2", "BIOES", "BILOU", "BMES", "BMEWO", "IOB1")

TOLERATED = 0.05
"""Share of the tags inside spans that may break the scheme which they are in."""

MODES: tuple[str, ...] = ("strict", "conlleval")
"""How tags that break their scheme are read, see :func:`span_table`."""


def _pairs(*rules: str) -> NDArray[np.bool_]:
    """Pairs (5 roles, 5 roles, same label) that rules such as ``"BI>E="`` name, in the letters of BIOES.

    Left of ``>`` is the earlier step; ``=`` asks for the same label, ``!`` for another one.
    """
    table = np.zeros((5, 5, 2), dtype=bool)
    for rule in rules:
        before, after = rule.rstrip("=!").split(">")
        same = {"=": [1], "!": [0]}.get(rule[-1], [0, 1])
        table[np.ix_([ROLES[letter] for letter in before], [ROLES[letter] for letter in after], same)] = True
    return table


_ANY = "OBIES"
_ALLOWED = {
    "IOB1": _pairs("OBI>OI", "BI>B="),
    "IOB2": _pairs("OBI>OB", "BI>I="),
    "BIOES": _pairs("OES>OBS", "BI>IE="),
}
"""What may follow what. A sequence begins as after an outside step, and ends as before one."""


@dataclass(frozen=True)
class _Reading:
    """Which pairs of neighbours begin a span, go on with one, and end one."""

    begin: NDArray[np.bool_]
    go_on: NDArray[np.bool_]
    end: NDArray[np.bool_]


_READINGS = {
    # "BI>B!" ends no span here: B- of another label is no tag that IOB1 could have there
    "IOB1": _Reading(_pairs("OB>I", "I>I!", "BI>B="), _pairs("BI>I="), _pairs("I>OBI", "B>OI", "B>B=")),
    "IOB2": _Reading(_pairs(f"{_ANY}>B"), _pairs("BI>I="), _pairs(f"BI>{_ANY}")),
    "BIOES": _Reading(_pairs(f"{_ANY}>BS"), _pairs("BI>IE="), _pairs(f"ES>{_ANY}")),
    "conlleval": _Reading(_pairs(f"{_ANY}>BIES"), _pairs("BI>IE="), _pairs(f"{_ANY}>{_ANY}")),
}
for _scheme in ("BILOU", "BMES", "BMEWO"):
    _ALLOWED[_scheme], _READINGS[_scheme] = _ALLOWED["BIOES"], _READINGS["BIOES"]


class SpanTable(NamedTuple):
    """Spans in the order of their steps, one entry of each array a span."""

    sequence: NDArray[np.int64]
    """The sequence that a span is in, shape (n_spans,)."""
    start: NDArray[np.int64]
    """Its first step, counted within the sequence, shape (n_spans,)."""
    end: NDArray[np.int64]
    """The step after its last, shape (n_spans,)."""
    label: NDArray[np.int64]
    """The position of its label in `labels`, shape (n_spans,)."""
    labels: list[str]
    """The labels of the tags that were read, sorted. A label may have no span."""


def closest_scheme(tags: Sequences | TagSteps, weight: NDArray[np.float64] | None = None) -> str | None:
    """The scheme that tags belong to and break least often.

    Parameters
    ----------
    tags : Sequences
        Values of shape (total_steps,).
    weight : array of shape (n_sequences,), optional
        How much what breaks a scheme counts in each sequence.

    Returns
    -------
    scheme : str or None
        The first of IOB2, BIOES, BILOU, BMES, BMEWO and IOB1 where several are broken equally often, as by no tags but
        ``"O"``. None if there is no scheme to which all tags belong.

    Examples
    --------
    >>> from sklearn_rnn import Sequences
    >>> from sklearn_rnn.data.tag_schemes import closest_scheme
    >>> closest_scheme(Sequences(["I-day", "O", "B-city", "I-city", "O", "B-city"], [0, 6]))
    'IOB2'
    """
    steps = TagSteps.read(tags)
    candidates = closest_first(steps)
    counts = steps.pair_counts(weight)
    return min(candidates, key=lambda scheme: counts[~_ALLOWED[scheme].ravel()].sum(), default=None)


def closest_first(steps: TagSteps) -> list[str]:
    """The schemes to which all tags belong, the common ones first."""
    return [scheme for scheme in COMMON_FIRST if not steps.foreign(scheme).any()]


def violations(tags: Sequences | TagSteps, scheme: str) -> NDArray[np.int64]:
    """The steps at which sequences break a scheme.

    Parameters
    ----------
    tags : Sequences
        Values of shape (total_steps,).
    scheme : one of `SCHEMES`

    Returns
    -------
    rows : array of int64, shape (n_violations,)
        Rows of ``tags.values``, ascending: tags that do not belong to the scheme, tags that may not follow the one
        before them, and a last tag with which no sequence may end.

    Raises
    ------
    ValueError
        If there is no such scheme.

    Examples
    --------
    >>> from sklearn_rnn import Sequences
    >>> from sklearn_rnn.data.tag_schemes import violations
    >>> violations(Sequences(["O", "I-city", "B-city", "I-city"], [0, 2, 4]), "IOB2")
    array([1])
    >>> violations(Sequences(["B-city", "E-city", "B-city"], [0, 3]), "BIOES")
    array([2])
    """
    _check_scheme(scheme)
    steps = TagSteps.read(tags)
    allowed = _ALLOWED[scheme].ravel()
    broken = ~allowed[steps.with_previous()] | steps.foreign(scheme)[steps.codes]
    broken[steps.last_rows] |= ~allowed[steps.with_next(steps.last_rows)]
    return np.flatnonzero(broken)


def unknown_tags(values: ArrayLike, scheme: str) -> list[Any]:
    """The distinct values which are no tags of a scheme: another prefix, or no string.

    Parameters
    ----------
    values : array-like of shape (n_values,)
    scheme : one of `SCHEMES`

    Returns
    -------
    unknown : list
        In the order in which they first occur.

    Raises
    ------
    ValueError
        If there is no such scheme.

    Examples
    --------
    >>> from sklearn_rnn.data.tag_schemes import unknown_tags
    >>> unknown_tags(["O", "B-city", "E-city", "NOUN"], "IOB2")
    ['E-city', 'NOUN']
    """
    _check_scheme(scheme)
    steps = _in_one_sequence(values)
    return [tag for tag, foreign in zip(steps.tags, steps.foreign(scheme), strict=True) if foreign]


def allowed_transitions(
    classes: ArrayLike, scheme: str
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Which tags may begin a sequence, follow one another, and end a sequence.

    Parameters
    ----------
    classes : array-like of str, shape (n_classes,)
        Tags of the scheme.
    scheme : one of `SCHEMES`

    Returns
    -------
    start : array of bool, shape (n_classes,)
    transitions : array of bool, shape (n_classes, n_classes)
        Whether class ``j`` may follow class ``i``, at ``[i, j]``.
    end : array of bool, shape (n_classes,)

    Raises
    ------
    SequenceDataError
        If a class is no tag of the scheme.
    ValueError
        If there is no such scheme.

    Examples
    --------
    >>> from sklearn_rnn.data.tag_schemes import allowed_transitions
    >>> start, transitions, end = allowed_transitions(["B-city", "I-city", "O"], "IOB2")
    >>> start
    array([ True, False,  True])
    >>> transitions
    array([[ True,  True,  True],
           [ True,  True,  True],
           [ True, False,  True]])
    """
    unknown = unknown_tags(classes, scheme)
    if unknown:
        raise SequenceDataError(f"classes holds {unknown[0]!r}, which is no {scheme} tag: wanted {wanted(scheme)}")
    steps = _in_one_sequence(classes)
    role, label = steps.roles[steps.codes], steps.label_codes[steps.codes]
    allowed = _ALLOWED[scheme]
    same = (label[:, None] == label).astype(np.int64)
    return allowed[OUTSIDE, role, 0], allowed[role[:, None], role, same], allowed[role, OUTSIDE, 0]


def span_table(tags: Sequences | TagSteps, scheme: str, mode: str = "strict", *, name: str = "tags") -> SpanTable:
    """The spans that tags mark.

    Parameters
    ----------
    tags : Sequences
        Values of shape (total_steps,).
    scheme : one of `SCHEMES`
        Of no account in the mode "conlleval", which reads the prefixes of all schemes.
    mode : {"strict", "conlleval"}, default="strict"
        How tags that break the scheme are read. "strict": only what the scheme allows marks a span, so that ``I-x``
        after ``O`` is no part of any in IOB2, and ``B-x`` before ``O`` none in BIOES. "conlleval": the rules of the
        reference script of the CoNLL shared tasks [1]_, by which every step that is not outside belongs to a span: a
        new one begins wherever the tag is no ``I-``, ``E-`` or ``L-`` that goes on with the label of an open span.
    name : str
        What to call `tags` in errors.

    Returns
    -------
    spans : SpanTable

    Raises
    ------
    SequenceDataError
        If a tag does not belong to the scheme, or in the mode "conlleval" to none.
    ValueError
        If there is no such scheme or mode.

    Notes
    -----
    Both modes find what seqeval [2]_ finds. In IOB1 the strict one has two traits that the scheme leaves open:
    of ``O B-x I-x``, which IOB1 would write ``O I-x I-x``, the last step is a span; and of ``I-x B-x B-y``, which would
    be ``I-x B-x I-y``, only the first.

    References
    ----------
    .. [1] Tjong Kim Sang, E. F. and Buchholz, S. (2000). Introduction to the CoNLL-2000 shared task: chunking. CoNLL.
    .. [2] Nakayama, H. (2018). seqeval: A Python framework for sequence labeling evaluation.

    Examples
    --------
    >>> from sklearn_rnn import Sequences
    >>> from sklearn_rnn.data.tag_schemes import span_table
    >>> tags = Sequences(["B-city", "I-city", "O", "I-day"], [0, 3, 4])
    >>> span_table(tags, "IOB2")
    SpanTable(sequence=array([0]), start=array([0]), end=array([2]), label=array([0]), labels=['city', 'day'])
    >>> span_table(tags, "IOB2", "conlleval").label
    array([0, 1])
    """
    _check_scheme(scheme)
    if mode not in MODES:
        raise ValueError(f"mode must be one of {MODES}, got {mode!r}")
    steps = TagSteps.read(tags)
    check_tags(steps, scheme if mode == "strict" else None, name=name)
    start, end = _span_rows(steps, _READINGS[scheme if mode == "strict" else mode])
    sequence = np.searchsorted(steps.offsets, start, side="right") - 1
    first = steps.offsets[sequence]
    label = steps.label_codes[steps.codes[start]]
    return SpanTable(sequence, start - first, end - first, label, steps.labels)


def convert_tags(tags: Sequences, source: str, target: str) -> Sequences:
    """The tags of another scheme that mark the same spans.

    Parameters
    ----------
    tags : Sequences
        Values of shape (total_steps,).
    source, target : one of `SCHEMES`
        The scheme of `tags`, and the scheme that is wanted.

    Returns
    -------
    converted : Sequences
        Values are an object array of str. Tags that break the source scheme are read as the CoNLL reference script
        reads them (:func:`span_table`), so that no broken tag remains: this also repairs tags if `target` is `source`.

    Raises
    ------
    SequenceDataError
        If a tag does not belong to the source scheme.
    ValueError
        If there is no such scheme.

    Examples
    --------
    >>> from sklearn_rnn import Sequences
    >>> from sklearn_rnn.data.tag_schemes import convert_tags
    >>> tags = Sequences(["B-city", "I-city", "O", "B-day"], [0, 4])
    >>> convert_tags(tags, "IOB2", "BIOES")[0].tolist()
    ['B-city', 'E-city', 'O', 'S-day']
    """
    _check_scheme(source, "source")
    _check_scheme(target, "target")
    steps = TagSteps.read(tags)
    check_tags(steps, source)
    start, end = _span_rows(steps, _READINGS["conlleval"])
    label = steps.label_codes[steps.codes]
    role = np.where(steps.roles[steps.codes] == OUTSIDE, OUTSIDE, INNER)
    role[start] = FIRST
    if target == "IOB1":
        touches = np.zeros(len(start), dtype=bool)
        touches[1:] = (start[1:] == end[:-1]) & (label[start[1:]] == label[start[:-1]])
        role[start[~touches | np.isin(start, steps.first_rows)]] = INNER
    elif target != "IOB2":
        role[end - 1] = np.where(end - start == 1, SINGLE, LAST)
    return tags.with_values(_written(steps.labels, target)[role, label])


def _span_rows(steps: TagSteps, reading: _Reading) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The row of the first step of each span and the row after its last, each (n_spans,)."""
    rows = np.flatnonzero((steps.roles != OUTSIDE)[steps.codes])  # most steps are outside, and left alone from here on
    pairs = steps.with_previous(rows)
    breaks = ~reading.go_on.ravel()[pairs]
    start = np.flatnonzero(reading.begin.ravel()[pairs])
    run = np.cumsum(breaks)[start]  # number of the run without a break, from 1 on, that each would begin in
    opens = np.diff(run, prepend=0) > 0  # the others only go on with the span that the run has already
    after = np.append(np.flatnonzero(breaks), len(rows))[run[opens]]
    first, last = rows[start[opens]], rows[after - 1]
    closed = reading.end.ravel()[steps.with_next(last)]
    return first[closed], last[closed] + 1


def _written(labels: list[str], scheme: str) -> NDArray[Any]:
    """The tag of each role and label in a scheme, an object array (5, n_labels + 1) whose last column has no label."""
    letters = LETTERS[scheme].ljust(5)
    tags = [[f"{letter}-{label}" if label else letter for label in [*labels, ""]] for letter in letters]
    table = np.array(tags, dtype=object)
    table[OUTSIDE] = "O"
    return table


def _in_one_sequence(values: ArrayLike) -> TagSteps:
    """Tags (n_values,) as those of one sequence."""
    listed = np.asarray(values, dtype=object).tolist()
    return TagSteps.from_lists([listed], np.array([0, len(listed)]))


def _check_scheme(scheme: Any, name: str = "scheme") -> None:
    if scheme not in SCHEMES:
        raise ValueError(f"{name} must be one of {SCHEMES}, got {scheme!r}")
