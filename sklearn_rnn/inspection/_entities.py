"""Entities marked in the text that they were found in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from colorsys import hls_to_rgb
from html import escape
from itertools import accumulate
from typing import Any

from sklearn.utils.validation import check_is_fitted

from sklearn_rnn._wrapped import final_estimator
from sklearn_rnn.data.entities import Entity, token_input
from sklearn_rnn.data.formats import items_of
from sklearn_rnn.data.tokens import TokenSequences
from sklearn_rnn.exceptions import SequenceDataError
from sklearn_rnn.inspection._colors import readable_ink

PALETTE = (
    "#1f77b4",
    "#e07b00",
    "#2a9a3c",
    "#cf3b3b",
    "#8a5fbf",
    "#9c6b4f",
    "#d45fb0",
    "#7d8590",
    "#a3a012",
    "#11a3b5",
)
"""Colours of the first labels, which tell in front of white and of black alike; more are made by rotating the hue."""

_PAGE = "font-family: system-ui, sans-serif; font-size: 1em; line-height: 2; text-align: start"
_TITLE = "font-weight: bold"
_DOCUMENT = "white-space: pre-wrap; overflow-wrap: anywhere; padding: 0.3em 0"
_LINE = "; border-top: 1px solid #88888866"
_MARK = (
    "color: inherit; background: {color}38; border-bottom: 2px solid {color}; border-radius: 0.25em; "
    "padding: 0.12em 0.25em; box-decoration-break: clone; -webkit-box-decoration-break: clone"
)
_TAG = (
    "white-space: nowrap; background: {color}; color: {ink}; border-radius: 0.3em; "
    "margin-inline-start: 0.4em; padding: 0.1em 0.4em; font-size: 0.7em; font-weight: bold; vertical-align: 0.1em; "
    "user-select: none"
)


class RenderedEntities:
    """Texts with their entities marked, as HTML that needs nothing else: no script, no style sheet.

    A notebook shows it as the last expression of a cell; ``str()`` is the HTML. It can be read on a light and on a dark
    page. Pointing at an entity shows its label and probability.

    Use :meth:`from_estimator` for the entities that a tagger finds, and :func:`render_entities` for any others.

    Parameters
    ----------
    html : str

    Attributes
    ----------
    html : str

    Examples
    --------
    >>> from sklearn_rnn.inspection import Entity, render_entities
    >>> rendered = render_entities([["fly", "to", "New", "York"]], [[Entity("city", 2, 4)]])
    >>> "New York<span" in str(rendered)
    True
    """

    def __init__(self, html: str) -> None:
        self.html = html

    def __str__(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self.html)} characters of HTML)"

    def _repr_html_(self) -> str:
        return self.html

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, *, colors: Mapping[str, str] | None = None, title: str | None = None
    ) -> RenderedEntities:
        """Find entities with a fitted tagger, and mark them.

        Parameters
        ----------
        estimator : RNNSequenceTagger, or a Pipeline or search that ends with one
            Fitted, to tags that mark spans.
        X : sequences of tokens, or of what the Pipeline makes tokens of
            For example documents, with :class:`~sklearn_rnn.SequenceTokenizer` as the first step.
        colors : dict of str to str, optional
            As in :func:`render_entities`. By default the colour of a label does not depend on X.
        title : str, optional

        Returns
        -------
        rendered : RenderedEntities

        Raises
        ------
        ValueError
            If the tags mark no spans, a colour is wrong, or X holds no tokens.

        Examples
        --------
        >>> from sklearn.pipeline import make_pipeline
        >>> from sklearn_rnn import RNNSequenceTagger, SequenceTokenizer
        >>> from sklearn_rnn.inspection import RenderedEntities
        >>> X = ["Fly to Oslo!", "From Rome to Oslo", "Rome"] * 4
        >>> y = [["O", "O", "B-city", "O"], ["O", "B-city", "O", "B-city"], ["B-city"]] * 4
        >>> tagger = RNNSequenceTagger(max_epochs=30, random_state=0)
        >>> model = make_pipeline(SequenceTokenizer(), tagger).fit(X, y)
        >>> rendered = RenderedEntities.from_estimator(model, ["To Rome!"])
        >>> "Rome<span" in str(rendered)
        True
        """
        check_is_fitted(estimator)
        tagger, X = final_estimator(estimator, X)
        entities = tagger.predict_entities(X)
        tokens = token_input(tagger._read_inputs(X))
        if tokens is None:
            raise SequenceDataError("X holds no tokens that are strings, so there is no text to mark entities in")
        names = {tag.partition("-")[2] for tag in tagger.codec_.classes.tolist() if tag != "O"}
        return render_entities(tokens, entities, colors=_colors(names, colors), title=title)


def render_entities(
    documents: Any,
    entities: Any,
    *,
    colors: Mapping[str, str] | None = None,
    title: str | None = None,
) -> RenderedEntities:
    """Mark entities in the text that they are in.

    Parameters
    ----------
    documents : list of str, list of lists of str, or TokenSequences
        Documents, or their tokens, which are joined with a space between them.
    entities : list of lists of Entity
        For each document its entities in any order, as
        :meth:`RNNSequenceTagger.predict_entities <sklearn_rnn.RNNSequenceTagger.predict_entities>` returns them. Those
        of a document that is a string have `start_char` and `end_char`; in tokens `start` and `end` are their place.
    colors : dict of str to str, optional
        Colours of labels, as ``"#rrggbb"``. Labels without one get one by their alphabetical order.
    title : str, optional
        Stands above the documents.

    Returns
    -------
    rendered : RenderedEntities
        What a notebook shows; ``str(rendered)`` is the HTML.

    Raises
    ------
    SequenceDataError
        If there is not one list of entities for each document, or an entity has no place in its document or overlaps
        with another.
    ValueError
        If a colour has another form.

    Examples
    --------
    >>> from sklearn_rnn.inspection import Entity, render_entities
    >>> documents = ["Fly to New York!"]
    >>> entities = [[Entity("city", 2, 4, start_char=7, end_char=15)]]
    >>> rendered = render_entities(documents, entities, colors={"city": "#1f77b4"}, title="Flights")
    >>> "New York<span" in str(rendered)
    True
    """
    texts = _texts(documents)
    entities = items_of(entities)
    if len(entities) != len(texts):
        raise SequenceDataError(
            f"entities must hold one list for each of the {len(texts)} documents, got {len(entities)}"
        )
    color_of = _colors({entity.label for found in entities for entity in found}, colors)
    parts = [f'<div style="{_TITLE}">{escape(title)}</div>'] if title else []
    for i, (text, found) in enumerate(zip(texts, entities, strict=True)):
        style = _DOCUMENT + (_LINE if i else "")
        parts.append(f'<div dir="auto" style="{style}">{_marked(text, found, color_of, f"entities[{i}]")}</div>')
    return RenderedEntities(f'<div style="{_PAGE}">{"".join(parts)}</div>')


def _texts(documents: Any) -> list[Any]:
    """Each document, a str or a list of tokens."""
    if isinstance(documents, str):
        raise SequenceDataError("documents is a str, wanted a list of documents: one document is [documents]")
    if isinstance(documents, TokenSequences) and documents.spans is not None:
        return documents.documents.tolist()
    return [text if isinstance(text, str) else [str(token) for token in text] for text in items_of(documents)]


def _marked(text: Any, entities: Iterable[Entity], color_of: Mapping[str, str], name: str) -> str:
    """The HTML of a document with its entities, the list called `name`."""
    entities = list(entities)
    places = _in_characters(text, entities, name) if isinstance(text, str) else _in_tokens(text, entities, name)
    text = text if isinstance(text, str) else " ".join(text)
    parts, after, before = [], 0, 0
    for k in sorted(range(len(places)), key=places.__getitem__):
        start, end = places[k]
        if start < after:
            raise SequenceDataError(
                f"{name}[{k}] {entities[k].label!r} overlaps with {name}[{before}] {entities[before].label!r}: both "
                f"hold {text[start : min(end, after)]!r}, and a mark cannot be inside another. Keep one of them"
            )
        parts += [escape(text[after:start]), _mark(text[start:end], entities[k], color_of[entities[k].label])]
        after, before = end, k
    return "".join([*parts, escape(text[after:])])


def _in_characters(text: str, entities: list[Entity], name: str) -> list[tuple[int, int]]:
    """The characters of each entity of a document."""
    places = []
    for k, entity in enumerate(entities):
        if entity.start_char is None or entity.end_char is None:
            raise SequenceDataError(
                f"{name}[{k}] has no start_char and end_char, which say where it is in a document that is a string: "
                f"give the tokens as the document, or entities of tokens from SequenceTokenizer"
            )
        if not 0 <= entity.start_char < entity.end_char <= len(text):
            raise SequenceDataError(
                f"{name}[{k}] has start_char={entity.start_char!r} and end_char={entity.end_char!r} in a document of "
                f"{len(text)} characters: wanted 0 <= start_char < end_char <= {len(text)}"
            )
        places.append((entity.start_char, entity.end_char))
    return places


def _in_tokens(tokens: list[str], entities: list[Entity], name: str) -> list[tuple[int, int]]:
    """The characters of each entity in tokens that are joined with a space."""
    first = [0, *accumulate(len(token) + 1 for token in tokens)]
    places = []
    for k, entity in enumerate(entities):
        if not 0 <= entity.start < entity.end <= len(tokens):
            raise SequenceDataError(
                f"{name}[{k}] has start={entity.start!r} and end={entity.end!r} in a document of {len(tokens)} tokens: "
                f"wanted 0 <= start < end <= {len(tokens)}"
            )
        places.append((first[entity.start], first[entity.end] - 1))
    return places


def _mark(text: str, entity: Entity, color: str) -> str:
    """The HTML of one entity."""
    hint = [entity.label] if entity.label else []
    hint += [] if entity.score is None else [f"probability {entity.score:.3f}"]
    tag = f'<span style="{_TAG.format(color=color, ink=readable_ink(_parts(color)))}">{escape(entity.label)}</span>'
    opening = f'<mark title="{escape(", ".join(hint))}" style="{_MARK.format(color=color)}">'
    return f"{opening}{escape(text)}{tag if entity.label else ''}</mark>"


def _colors(labels: set[str], given: Mapping[str, str] | None) -> dict[str, str]:
    """The colour of each label: those `given`, for the others by alphabetical order."""
    for label, color in (given or {}).items():
        if not isinstance(color, str) or not re.fullmatch("#[0-9a-fA-F]{6}", color):
            raise ValueError(f"colors[{label!r}]={color!r} must be a string of the form '#rrggbb'")
    return {label: _color(k) for k, label in enumerate(sorted(labels))} | dict(given or {})


def _color(k: int) -> str:
    """Colour `k` of the palette, and of the hues beyond it, which no two labels share."""
    if k < len(PALETTE):
        return PALETTE[k]
    rgb = hls_to_rgb(k * 0.6180339887 % 1, 0.45, 0.6)
    return "#" + "".join(f"{round(255 * part):02x}" for part in rgb)


def _parts(color: str) -> list[float]:
    """Red, green and blue of ``"#rrggbb"``, from 0 to 1."""
    return [int(color[k : k + 2], 16) / 255 for k in (1, 3, 5)]
