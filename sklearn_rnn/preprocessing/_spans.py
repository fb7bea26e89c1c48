"""Between places in documents, spans of steps, and the tags of steps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn.data.entities import Entity, place_in
from sklearn_rnn.data.formats import object_array
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.tag_schemes import MODES, SCHEMES, convert_tags, span_table
from sklearn_rnn.data.tokens import TokenSequences
from sklearn_rnn.exceptions import SequenceDataError
from sklearn_rnn.preprocessing._span_reading import (
    Span,
    items_in,
    lengths_of,
    per_sequence,
    read_span,
    read_tags,
    read_tokens,
)

CUTS = ("error", "widen", "shrink", "drop")
OVERLAPS = ("error", "longest", "first")


def spans_from_offsets(
    tokens: TokenSequences, annotations: Any, *, on_cut: str = "error", on_overlap: str = "error"
) -> NDArray[Any]:
    """The spans of tokens that annotated characters of documents make up.

    Parameters
    ----------
    tokens : TokenSequences
        What :class:`~sklearn_rnn.SequenceTokenizer` makes of the documents, with the place of each token.
    annotations : list of lists
        For each document the annotated places, in any order: tuples ``(start, end, label)``, dicts with these keys, or
        :class:`~sklearn_rnn.inspection.Entity` objects with `start_char` and `end_char`. Characters are counted from 0,
        and `end` is that after the last.
    on_cut : {"error", "widen", "shrink", "drop"}, default="error"
        What becomes of a place that begins or ends within a token: an error, all tokens that it meets, those that it
        covers as a whole, or nothing. White space at its ends is of no account.
    on_overlap : {"error", "longest", "first"}, default="error"
        What becomes of spans with tokens in common: an error, or only the longest of them stays, of equal ones the
        first, or only the one that begins first, of equal ones the longest. The same span twice is no overlap.

    Returns
    -------
    spans : object array of shape (n_documents,)
        Items are lists of :class:`~sklearn_rnn.inspection.Entity` in the order of their steps. A place that meets no
        token, as where `max_length` cut a document, is left out with ``on_cut="shrink"`` and ``"drop"`` and otherwise
        an error.

    Raises
    ------
    SequenceDataError
        If annotations are none, are not as many as the documents, lie outside of theirs, or by `on_cut` or
        `on_overlap`; the message names the document and the text.
    ValueError
        If `on_cut` or `on_overlap` is none of these.

    See Also
    --------
    tags_from_spans : The tags that mark spans.
    spans_from_tags : The spans that tags mark.

    Examples
    --------
    >>> from sklearn_rnn import SequenceTokenizer
    >>> from sklearn_rnn.preprocessing import spans_from_offsets, tags_from_spans
    >>> tokens = SequenceTokenizer().fit_transform(["Fly to New York!", "Rome"])
    >>> spans = spans_from_offsets(tokens, [[(7, 15, "city")], []])
    >>> spans[0][0].start, spans[0][0].end, spans[0][0].text
    (2, 4, 'New York')
    >>> tags_from_spans(spans, tokens).tolist()
    [['O', 'O', 'B-city', 'I-city', 'O'], ['O']]
    """
    _check_choice("on_cut", on_cut, CUTS)
    _check_choice("on_overlap", on_overlap, OVERLAPS)
    if not isinstance(tokens, TokenSequences) or tokens.spans is None:
        what = (
            "tokens that a callable analyzer made up" if isinstance(tokens, TokenSequences) else type(tokens).__name__
        )
        raise SequenceDataError(
            f"tokens must know their places in the documents, as those of SequenceTokenizer().fit_transform(documents) "
            f"do, got {what}"
        )
    found = []
    for i, places in enumerate(per_sequence(annotations, len(tokens), "annotations")):
        bounds = tokens.spans[tokens.offsets[i] : tokens.offsets[i + 1]]
        document = tokens.documents[i]
        where = f"annotations[{i}]"
        read = [read_span(place, f"{where}[{k}]", characters=True) for k, place in enumerate(items_in(places, where))]
        spans = [_tokens_at(span, bounds, document, where, on_cut) for span in read]
        kept = _apart([span for span in spans if span is not None], where, on_overlap)
        found.append([_entity(span, bounds, document) for span in kept])
    return object_array(found)


def tags_from_spans(spans: Any, tokens: Any, *, scheme: str = "IOB2") -> NDArray[Any]:
    """The tags that mark spans of steps.

    Parameters
    ----------
    spans : list of lists
        For each sequence its spans, in any order: tuples ``(start, end, label)``, dicts with these keys, or
        :class:`~sklearn_rnn.inspection.Entity` objects. Steps are counted from 0, and `end` is that after the last.
    tokens : sequences, or array-like of int of shape (n_sequences,)
        The sequences that are tagged, of which only the lengths matter, or their lengths.
    scheme : {"IOB2", "IOB1", "BIOES", "BILOU", "BMES", "BMEWO"}, default="IOB2"

    Returns
    -------
    tags : object array of shape (n_sequences,)
        Items are lists of str, a tag for each step: what a tagger takes as y.

    Raises
    ------
    SequenceDataError
        If spans are none, overlap, or lie outside of their sequence; the message says which.
    ValueError
        If there is no such scheme.

    See Also
    --------
    spans_from_tags : The other way.
    spans_from_offsets : Spans from places in documents.

    Examples
    --------
    >>> from sklearn_rnn.preprocessing import tags_from_spans
    >>> tags_from_spans([[(2, 4, "city")], []], [5, 2], scheme="BIOES").tolist()
    [['O', 'O', 'B-city', 'E-city', 'O'], ['O', 'O']]
    """
    _check_choice("scheme", scheme, SCHEMES)
    lengths = lengths_of(tokens)
    tags = [np.full(length, "O", dtype=object) for length in lengths]
    for i, given in enumerate(per_sequence(spans, len(lengths), "spans")):
        where = f"spans[{i}]"
        read = [read_span(span, f"{where}[{k}]", characters=False) for k, span in enumerate(items_in(given, where))]
        for start, end, label in read:
            if not 0 <= start < end <= lengths[i]:
                raise SequenceDataError(
                    f"{where} holds the steps {start} to {end} ({label!r}), but the sequence has {lengths[i]} steps: "
                    f"wanted 0 <= start < end <= {lengths[i]}"
                )
        for start, end, label in _apart(read, where, "error"):
            tags[i][start:end] = [f"B-{label}", *[f"I-{label}"] * (end - start - 1)]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    values = np.concatenate([np.empty(0, dtype=object), *tags])
    return _in_lists(convert_tags(Sequences(values, offsets), "IOB2", scheme))


def spans_from_tags(tags: Any, tokens: Any = None, *, scheme: str = "auto", mode: str = "strict") -> NDArray[Any]:
    """The spans of steps that tags mark, and with tokens their text and their place in the document.

    Parameters
    ----------
    tags : sequences of tags
        In any spelling, such as ``"B-city"`` or ``"city_B"``.
    tokens : TokenSequences, or sequences of str, optional
        The tokens that the tags belong to.
    scheme : {"auto", "IOB1", "IOB2", "BIOES", "BILOU", "BMES", "BMEWO"}, default="auto"
        "auto" takes the scheme that the tags break least often.
    mode : {"strict", "conlleval"}, default="strict"
        How tags that break the scheme are read, as in
        :func:`~sklearn_rnn.metrics.span_precision_recall_fscore`.

    Returns
    -------
    spans : object array of shape (n_sequences,)
        Items are lists of :class:`~sklearn_rnn.inspection.Entity` in the order of their steps, with `label`, `start`
        and `end`; with tokens also `text`, and with those of :class:`~sklearn_rnn.SequenceTokenizer` `start_char` and
        `end_char`.

    Raises
    ------
    SequenceDataError
        If labels are no tags of the scheme, or not as many as tokens; the message says where.
    ValueError
        If there is no such scheme or mode.

    See Also
    --------
    tags_from_spans : The other way.
    sklearn_rnn.RNNSequenceTagger.predict_entities : The spans that a tagger finds, with their probabilities.

    Examples
    --------
    >>> from sklearn_rnn.preprocessing import spans_from_tags
    >>> [span] = spans_from_tags([["O", "B-city", "I-city"]], [["to", "New", "York"]])[0]
    >>> span.label, span.start, span.end, span.text
    ('city', 1, 3, 'New York')
    """
    _check_choice("scheme", scheme, ("auto", *SCHEMES))
    _check_choice("mode", mode, MODES)
    steps, scheme = read_tags(tags, scheme, mode)
    places = None if tokens is None else read_tokens(tokens, steps.offsets)
    table = span_table(steps, scheme, mode)
    found: list[list[Entity]] = [[] for _ in range(len(steps.offsets) - 1)]
    columns = (table.sequence, table.start, table.end, table.label)
    for i, start, end, label in zip(*(column.tolist() for column in columns), strict=True):
        found[i].append(Entity(table.labels[label], start, end, None, *place_in(places, i, start, end)))
    return object_array(found)


def convert_tag_scheme(tags: Any, scheme: str, *, source: str = "auto") -> NDArray[Any]:
    """The tags of another scheme that mark the same spans.

    Parameters
    ----------
    tags : sequences of tags
        In any spelling, such as ``"B-city"`` or ``"city_B"``.
    scheme : {"IOB1", "IOB2", "BIOES", "BILOU", "BMES", "BMEWO"}
        The one that is wanted.
    source : {"auto", "IOB1", "IOB2", "BIOES", "BILOU", "BMES", "BMEWO"}, default="auto"
        That of `tags`; "auto" takes the one that they break least often.

    Returns
    -------
    converted : object array of shape (n_sequences,)
        Items are lists of tags, spelled ``"B-city"`` and ``"O"``. Tags that break the source scheme are read as the
        script of the CoNLL shared tasks reads them, so that no broken tag remains.

    Raises
    ------
    SequenceDataError
        If labels are no tags of the scheme.
    ValueError
        If there is no such scheme.

    Examples
    --------
    >>> from sklearn_rnn.preprocessing import convert_tag_scheme
    >>> convert_tag_scheme([["B-city", "I-city", "O", "B-day"]], "BIOES").tolist()
    [['B-city', 'E-city', 'O', 'S-day']]
    """
    _check_choice("scheme", scheme, SCHEMES)
    _check_choice("source", source, ("auto", *SCHEMES))
    steps, source = read_tags(tags, source, "strict")
    values = np.array([*steps.tags, None], dtype=object)[:-1][steps.codes]
    return _in_lists(convert_tags(Sequences(values, steps.offsets), source, scheme))


def _tokens_at(place: Span, bounds: NDArray[np.int64], document: str, where: str, on_cut: str) -> Span | None:
    """The span of the tokens, with `bounds` (n_tokens, 2), that a place in the characters of a document is."""
    start, end, label = place
    shown = f"{where} holds the place {start} to {end} ({label!r})"
    if not 0 <= start < end <= len(document):
        raise SequenceDataError(
            f"{shown}, but the document has {len(document)} characters: wanted 0 <= start < end <= {len(document)}"
        )
    text = document[start:end]
    first, last = start + len(text) - len(text.lstrip()), end - len(text) + len(text.rstrip())
    met = np.flatnonzero((bounds[:, 0] < last) & (bounds[:, 1] > first))
    covered = met[(bounds[met, 0] >= first) & (bounds[met, 1] <= last)]
    if len(covered) < len(met) and on_cut == "error":
        cut = next(token for token in met.tolist() if token not in covered)
        begin, stop = bounds[cut].tolist()
        raise SequenceDataError(
            f"{shown}, {text!r:.60}, which cuts the token {document[begin:stop]!r} at {begin} to {stop}: set "
            f"on_cut='widen' for all tokens that it meets, 'shrink' or 'drop', or split tokens there"
        )
    if len(met) == 0 and on_cut in ("error", "widen"):
        raise SequenceDataError(
            f"{shown}, {text!r:.60}, where no token is: mend it, or set on_cut='drop' to leave it out"
        )
    tokens = covered if on_cut == "shrink" else met
    if len(tokens) == 0 or (on_cut == "drop" and len(covered) < len(met)):
        return None
    return int(tokens[0]), int(tokens[-1]) + 1, label


def _apart(spans: list[Span], where: str, on_overlap: str) -> list[Span]:
    """The distinct spans that are kept of those that overlap, from left to right."""
    spans = sorted(dict.fromkeys(spans), key=lambda span: (span[0], -span[1]))
    order = sorted(spans, key=lambda span: span[0] - span[1]) if on_overlap == "longest" else spans
    taken = np.zeros(max((end for _, end, _ in spans), default=0), dtype=bool)
    kept = []
    for span in order:
        start, end, label = span
        if not taken[start:end].any():
            taken[start:end] = True
            kept.append(span)
        elif on_overlap == "error":
            other = next(one for one in kept if one[0] < end and start < one[1])
            raise SequenceDataError(
                f"{where} holds the steps {other[0]} to {other[1]} ({other[2]!r}) and {start} to {end} ({label!r}), "
                f"which overlap: a step has one tag. Keep one of them, as spans_from_offsets does with "
                f"on_overlap='longest' or 'first'"
            )
    return sorted(kept)


def _entity(span: Span, bounds: NDArray[np.int64], document: str) -> Entity:
    start, end, label = span
    first, last = int(bounds[start, 0]), int(bounds[end - 1, 1])
    return Entity(label, start, end, None, first, last, document[first:last])


def _in_lists(tags: Sequences) -> NDArray[Any]:
    return object_array([part.tolist() for part in tags])


def _check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} must be one of {choices}, got {value!r}")
