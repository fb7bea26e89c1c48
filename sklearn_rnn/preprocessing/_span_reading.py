"""What the functions on spans are given, read: places and spans, lengths, tokens and tags."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn.data.entities import Entity, token_input
from sklearn_rnn.data.formats import as_sequences, items_of
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.tag_schemes import SCHEMES, closest_scheme
from sklearn_rnn.data.tag_spellings import in_plain_spelling
from sklearn_rnn.data.tag_steps import TagSteps, check_tags
from sklearn_rnn.data.targets import read_step_labels
from sklearn_rnn.exceptions import SequenceDataError

Span = tuple[int, int, str]
"""Start, the place after the end, and label."""


def per_sequence(given: Any, n_sequences: int, name: str) -> list[Any]:
    """The items of `given`, one for each of the sequences."""
    if isinstance(given, (str, bytes, Mapping)) or not (hasattr(given, "__len__") or hasattr(given, "__iter__")):
        raise SequenceDataError(f"{name} must hold a list for each sequence, got {given!r:.60}")
    items = list(given if isinstance(given, (list, tuple)) else items_of(given))
    if len(items) != n_sequences:
        raise SequenceDataError(f"{name} has {len(items)} items, but there are {n_sequences} sequences")
    return items


def items_in(places: Any, where: str) -> list[Any]:
    """The places, or spans, of one sequence."""
    if isinstance(places, Mapping) and "entities" in places:  # as spaCy's examples have it
        places = places["entities"]
    if not isinstance(places, (list, tuple, np.ndarray)):
        raise SequenceDataError(f"{where} must be a list of (start, end, label), got {places!r:.60}")
    return list(places)


def read_span(place: Any, where: str, *, characters: bool) -> Span:
    """Start, end and label of a tuple, a dict or an Entity."""
    if isinstance(place, Entity):
        parts: Any = (place.start_char, place.end_char) if characters else (place.start, place.end)
        parts = (*parts, place.label)
    elif isinstance(place, Mapping):
        parts = tuple(place.get(key) for key in ("start", "end", "label"))
    else:
        parts = tuple(place) if isinstance(place, (list, tuple, np.ndarray)) else ()
    whole = len(parts) == 3 and all(isinstance(part, Integral) and not isinstance(part, bool) for part in parts[:2])
    if not whole or not isinstance(parts[2], str):
        raise SequenceDataError(
            f"{where} is {place!r:.80}, wanted two integers and a string, (start, end, label), or a dict of these"
        )
    return int(parts[0]), int(parts[1]), parts[2]


def lengths_of(tokens: Any) -> list[int]:
    """The steps of each sequence, of sequences or of their lengths."""
    if hasattr(tokens, "lengths"):
        return [int(length) for length in tokens.lengths]
    items = tokens if isinstance(tokens, (list, tuple)) else items_of(tokens)
    if any(isinstance(item, (str, bytes)) for item in items):
        raise SequenceDataError("tokens holds documents that are not split: give SequenceTokenizer's output for them")
    return [int(item) if isinstance(item, Integral) else len(item) for item in items]


def read_tokens(tokens: Any, offsets: NDArray[np.int64]) -> Sequences:
    """The tokens of steps, which `offsets` (n_sequences + 1,) are those of."""
    inputs = tokens if hasattr(tokens, "offsets") else as_sequences(tokens, name="tokens")
    found = token_input(inputs)
    if found is None and len(offsets) and offsets[-1] > 0:
        raise SequenceDataError("tokens must hold a string for each step")
    if not np.array_equal(inputs.offsets, offsets):
        raise SequenceDataError(
            f"tokens and tags belong to other steps: {len(inputs)} sequences with {int(inputs.offsets[-1])} tokens, "
            f"and {len(offsets) - 1} with {int(offsets[-1])} tags"
        )
    return inputs if found is None else found


def read_tags(tags: Any, scheme: str, mode: str) -> tuple[TagSteps, str]:
    """Tags as this package spells them, and their scheme."""
    steps = in_plain_spelling(TagSteps.read(read_step_labels(tags, name="tags")))
    check_tags(steps, None if scheme == "auto" or mode == "conlleval" else scheme)
    if scheme != "auto":
        return steps, scheme
    found = SCHEMES[0] if mode == "conlleval" else closest_scheme(steps)
    if found is None:
        raise SequenceDataError(
            f"tags hold {sorted(set(steps.tags))[:9]!r}, which belong to no one scheme of {', '.join(SCHEMES)}: mend "
            f"them, or set mode='conlleval' where it is to be had, which reads all prefixes"
        )
    return steps, found
