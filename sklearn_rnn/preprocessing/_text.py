"""From documents to tokens that know where they stand."""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import strip_accents_ascii, strip_accents_unicode

from sklearn_rnn.data.tokens import UNKNOWN
from sklearn_rnn.exceptions import SequenceDataError

Spans = list[tuple[int, int]]


class Tokens(NamedTuple):
    """The tokens of all documents, one document after the other."""

    values: list[str]
    offsets: NDArray[np.int64]  # (n_documents + 1,)
    spans: NDArray[np.int64] | None  # (total_steps, 2)


def tokenize(
    documents: Iterable[str],
    split: Callable[[str], tuple[list[str], Spans | None]],
    *,
    max_length: int | None,
    truncate: str,
    on_empty: str,
) -> Tokens:
    """Split each of the `documents`, cut what is too long, and join the tokens of all."""
    kept = slice(None)
    if max_length is not None:
        kept = slice(max_length) if truncate == "tail" else slice(-max_length, None)
    same: dict[str, str] = {}  # equal tokens become one object
    values: list[str] = []
    places: array[int] | None = array("q")
    lengths = [0]
    for document in documents:
        tokens, spans = split(document)
        if not tokens and on_empty == "unknown":
            tokens, spans = [UNKNOWN], [(0, 0)]
        tokens = tokens[kept]
        values += map(same.setdefault, tokens, tokens)
        lengths.append(len(tokens))
        if spans is None:
            places = None
        if places is not None and spans is not None:
            places.extend(chain.from_iterable(spans[kept]))
    flat = None if places is None else np.array(places, dtype=np.int64).reshape(-1, 2)
    return Tokens(values, np.cumsum(lengths), flat)


class Splitter:
    """Splits one document, as the parameters of the same names of ``SequenceTokenizer`` say."""

    def __init__(
        self,
        analyzer: str | Callable[[str], Iterable[str]],
        *,
        lowercase: bool,
        token_pattern: str,
        strip_accents: str | Callable[[str], str] | None,
    ) -> None:
        self.analyzer = analyzer
        self.lowercase = lowercase
        self.fold = {"ascii": strip_accents_ascii, "unicode": strip_accents_unicode}.get(strip_accents)  # type: ignore[arg-type]
        self.fold_token = strip_accents if callable(strip_accents) else None
        pattern = r"\S+" if analyzer == "whitespace" else token_pattern
        try:
            self.pattern = re.compile(pattern)
        except re.error as error:
            raise ValueError(f"token_pattern={token_pattern!r} is no regular expression: {error}") from error
        if self.pattern.groups > 1:
            raise ValueError(
                f"token_pattern={token_pattern!r} has {self.pattern.groups} capturing groups, wanted at most one, "
                f"which is then the token: write (?:...) for the others"
            )

    def __call__(self, document: str) -> tuple[list[str], Spans | None]:
        """The tokens of a document, and the start and end of each in it; None if a callable made up a token."""
        if callable(self.analyzer):
            return self._call(self.analyzer, document)
        text, starts, ends = normalize(document, self.lowercase, self.fold)
        if self.analyzer == "char":
            tokens, spans = list(text), [(i, i + 1) for i in range(len(text))]
        else:
            group = self.pattern.groups
            found = [match for match in self.pattern.finditer(text) if match[group]]
            tokens, spans = [match[group] for match in found], [match.span(group) for match in found]
        if starts is not None:
            spans = [(starts[start], ends[end - 1]) for start, end in spans]
        return self._without_accents(tokens, spans) if self.fold_token is not None else (tokens, spans)

    def normalize_token(self, token: str) -> str:
        """A token of a vocabulary, or of a callable, as the tokens of documents are made."""
        text, _, _ = normalize(token, self.lowercase, self.fold)
        return self.fold_token(text) if self.fold_token is not None else text

    def _call(self, analyzer: Callable[[str], Iterable[str]], document: str) -> tuple[list[str], Spans | None]:
        """The tokens of a callable, each looked up in the document from the end of the one before."""
        returned = analyzer(document)
        originals = [None] if isinstance(returned, str) else list(returned)
        spans: Spans = []
        tokens: list[str] = []
        position = 0
        made_up = False
        for token in originals:
            if not isinstance(token, str):
                raise SequenceDataError(
                    f"analyzer returned {_shown(returned)} for the document {_shown(document)}, wanted a list of str"
                )
            start = document.find(token, position)
            made_up = made_up or start < 0
            position = position if start < 0 else start + len(token)
            normalized = self.normalize_token(token)
            if normalized:
                tokens.append(normalized)
                spans.append((start, position))
        return tokens, None if made_up else spans

    def _without_accents(self, tokens: list[str], spans: Spans) -> tuple[list[str], Spans]:
        """Each token through the callable `strip_accents`; what it leaves nothing of is no token."""
        folded = [(self.fold_token(token), span) for token, span in zip(tokens, spans, strict=True)]  # type: ignore[misc]
        return [token for token, _ in folded if token], [span for token, span in folded if token]


def normalize(
    document: str, lowercase: bool, fold: Callable[[str], str] | None
) -> tuple[str, list[int] | None, list[int]]:
    """The text that is split, and for each of its characters where in the document its origin starts and ends.

    Lower case and a fold of accents may make several characters of one, or none. The places are None if each character
    has kept its own.
    """
    text = document.lower() if lowercase else document
    fold = None if text.isascii() else fold
    if fold is None and len(text) == len(document):
        return text, None, []
    origins = list(range(len(document)))
    if len(text) != len(document):  # lower case may lengthen a character (U+0130 does), but never drops one
        origins = [i for i, character in enumerate(document) for _ in character.lower()]
    after = list(range(1, len(document) + 1))
    if fold is not None:
        pieces = [fold(character) for character in text]  # folds do not look at neighbours
        text = "".join(pieces)
        origins = [origin for origin, piece in zip(origins, pieces, strict=True) for _ in piece]
        for i in range(len(document) - 2, -1, -1):  # a letter ends after the marks on it, which are dropped
            if unicodedata.combining(document[i + 1]):
                after[i] = after[i + 1]
    return text, origins, [after[origin] for origin in origins]


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
