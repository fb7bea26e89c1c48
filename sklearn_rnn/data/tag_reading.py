"""What the tags of steps say of spans: their scheme, and how they are read where they break it or are missing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn._warning import warn
from sklearn_rnn.data.formats import is_text, locate, object_array
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.tag_schemes import (
    COMMON_FIRST,
    SCHEMES,
    TOLERATED,
    allowed_transitions,
    closest_scheme,
    convert_tags,
    unknown_tags,
)
from sklearn_rnn.data.tag_spellings import PLAIN, Spelling, odd_ones, possible_spellings
from sklearn_rnn.data.tag_steps import LETTERS
from sklearn_rnn.data.vocabulary import factorize
from sklearn_rnn.exceptions import BrokenTagsWarning, SequenceDataError

EITHER = -1

# Whether a tag opens its span, and whether it closes it.
MARKS: dict[str, dict[str, tuple[int, int]]] = {
    "IOB1": {"B": (1, EITHER), "I": (EITHER, EITHER)},
    "IOB2": {"B": (1, EITHER), "I": (0, EITHER)},
    "BIOES": {"B": (1, 0), "I": (0, 0), "E": (0, 1), "S": (1, 1)},
    "BILOU": {"B": (1, 0), "I": (0, 0), "L": (0, 1), "U": (1, 1)},
    "BMES": {"B": (1, 0), "M": (0, 0), "E": (0, 1), "S": (1, 1)},
    "BMEWO": {"B": (1, 0), "M": (0, 0), "E": (0, 1), "W": (1, 1)},
}


class TagReading:
    """What the tags of steps say when broken ones are read as the CoNLL script reads them.

    That reading goes by pairs of neighbours, so that what a step says of a side on which the neighbour is not known
    is what its own tag says.

    Attributes
    ----------
    opens, closes : array of int, shape (total_steps,)
        Whether a span opens, or closes, at each step; `EITHER` where that is not known.
    mended : array of str, shape (total_steps,)
        The tags that keep to the scheme and say the same; ``"O"`` at steps without a label.
    """

    def __init__(self, tags: Sequences, labelled: NDArray[np.bool_], scheme: str) -> None:
        strings = np.where(labelled, tags.values.astype(object), "O")
        distinct, codes = factorize(strings)
        kinds, marks = marks_of(distinct, scheme)
        letters = [tag[0] for tag in convert_tags(tags.with_values(strings), scheme, "BIOES").values.tolist()]
        left, right = known_neighbours(tags, labelled)
        self.opens = np.where(left, np.isin(letters, ["B", "S"]), marks[codes, 0])
        self.closes = np.where(right, np.isin(letters, ["E", "S"]), marks[codes, 1])
        if scheme == "IOB1":
            kind = kinds[codes]
            after_same = np.concatenate([[False], kind[1:] == kind[:-1]])
            first = (self.opens == 1) & (after_same | ~left)
            first[tags.offsets[:-1][tags.lengths > 0]] &= ~left[tags.offsets[:-1][tags.lengths > 0]]
            role = np.where(first, 1, 2)
        elif scheme == "IOB2":
            role = np.where(self.opens == 1, 1, 2)
        else:
            role = np.array([[2, 3], [1, 4]])[self.opens, self.closes]
        endings = np.array([tag[1:] for tag in distinct], dtype=object)
        mended = np.array(list(LETTERS[scheme]), dtype=object)[role] + endings[codes]
        self.mended = np.where(strings == "O", "O", mended)


def known_neighbours(tags: Sequences, labelled: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether what is before, and after, each step (total_steps,) is known: a labelled step, or the sequence's end."""
    before, after = np.ones(len(labelled), dtype=bool), np.ones(len(labelled), dtype=bool)
    before[1:], after[:-1] = labelled[:-1], labelled[1:]
    filled = tags.lengths > 0
    before[tags.offsets[:-1][filled]] = True
    after[tags.offsets[1:][filled] - 1] = True
    return before, after


def kind_of(tag: str) -> str | None:
    """The kind of the span that a tag is in, None outside."""
    return None if tag == "O" else tag.partition("-")[2]


def marks_of(tags: list[str], scheme: str) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The kinds (n,) of tags, and whether they open and close a span (n, 2); outside they do neither."""
    marks = [(0, 0) if tag == "O" else MARKS[scheme][tag[0]] for tag in tags]
    return object_array([kind_of(tag) for tag in tags]), np.array(marks, dtype=np.int64).reshape(-1, 2)


def recognise_spelling(
    tags: Sequences, labelled: NDArray[np.bool_], tag_scheme: str | None, ignore_label: Any = None
) -> Spelling:
    """How the labels are written that are tags; that of this package if none are, or if `tag_scheme` is None.

    A spelling that is to be found out is held to be one only if the tags, read so, keep to a scheme, and if there is a
    tag outside of spans among them: other labels may look alike.
    """
    if tag_scheme is None or not labelled.any() or not is_text(tags.values[labelled]):
        return PLAIN
    labels = tags.values[labelled].astype(object)
    classes = np.array(sorted(set(labels.tolist())), dtype=object)
    spellings = [
        spelling for spelling in possible_spellings(classes.tolist()) if spelling.read(ignore_label) == ignore_label
    ]
    if spellings == [PLAIN]:
        return PLAIN
    for spelling in spellings:
        read = spelling.read_all(classes)
        if tag_scheme != "auto":
            fits = not unknown_tags(read, tag_scheme)
        else:
            values = tags.values.astype(object)
            values[labelled] = spelling.read_all(labels)
            fits = (
                "O" in read
                and _best_scheme(tags.with_values(values), labelled, np.unique(read.astype(str))) is not None
            )
        if fits:
            return spelling
    return PLAIN


def recognise_scheme(tags: Sequences, labelled: NDArray[np.bool_], classes: NDArray[Any]) -> str | None:
    """The scheme that the tags break least, if that is seldom; None for labels that are no tags."""
    if not is_text(classes):
        return None
    best = _best_scheme(tags, labelled, classes)
    if best is None and np.any(classes != "O"):
        _warn_of_what_looks_like_tags(tags, labelled, classes)
    return best


def _best_scheme(tags: Sequences, labelled: NDArray[np.bool_], classes: NDArray[Any]) -> str | None:
    """As :func:`recognise_scheme`, without a warning."""
    inside = np.count_nonzero(labelled & (tags.values != "O"))
    best, fewest = None, int(TOLERATED * inside) + 1
    for scheme in COMMON_FIRST:
        if np.any(classes != "O") and not unknown_tags(classes, scheme):
            count = _count_breaks(tags, labelled, scheme)
            if count < fewest:
                best, fewest = scheme, count
    return best


def _warn_of_what_looks_like_tags(tags: Sequences, labelled: NDArray[np.bool_], classes: NDArray[Any]) -> None:
    """Warn of labels that are tags which break their scheme too often, and of some that keep the others from it."""
    labels = classes.tolist()
    closest = None
    if any(len(label) > 1 for label in labels):  # letters alone may be anything
        closest = closest_scheme(tags.with_values(np.where(labelled, tags.values.astype(object), "O")))
    odd = [] if closest is not None else odd_ones(labels)
    if closest is not None:
        warn(
            f"The labels of y look like tags of the scheme {closest}, but too many of them break it to be held to it: "
            f"they are learned as they are. Name tag_scheme={closest!r} to have them mended, or set tag_scheme=None",
            BrokenTagsWarning,
        )
    elif odd:
        warn(
            f"The labels of y look like tags of spans, but {len(odd)} of {len(labels)} are none that is known, such as "
            f"{odd[0]!r}: they are learned as they are, and mark no spans. Write all alike, as 'B-label', 'B_label' "
            f"or 'label-B', beside 'O', in the prefixes of one scheme ({', '.join(SCHEMES)}), or set tag_scheme=None",
            BrokenTagsWarning,
        )


def _count_breaks(tags: Sequences, labelled: NDArray[np.bool_], scheme: str) -> int:
    """How many labelled neighbours, first tags and last tags break a scheme that all belong to."""
    distinct, codes = factorize(np.where(labelled, tags.values.astype(object), "O"))
    start, transitions, end = allowed_transitions(distinct, scheme)
    left, right = known_neighbours(tags, labelled)
    filled = tags.lengths > 0
    first, last = tags.offsets[:-1][filled], tags.offsets[1:][filled] - 1
    pairs = ~transitions[codes[:-1], codes[1:]] & labelled[:-1] & labelled[1:]
    pairs[first[1:] - 1] = False
    ends = np.sum(~start[codes[first]] & labelled[first] & left[first])
    return int(pairs.sum() + ends + np.sum(~end[codes[last]] & labelled[last] & right[last]))


def refuse_unknown_tags(tags: Sequences, labelled: NDArray[np.bool_], scheme: str) -> None:
    strange = set(unknown_tags(tags.values[labelled], scheme))
    if strange:
        row = next(r for r in np.flatnonzero(labelled).tolist() if tags.values[r] in strange)
        sequence, step = locate(tags, row)
        raise SequenceDataError(
            f"y[{sequence}][{step}] is {tags.values[row]!r}, which is no tag of tag_scheme={scheme!r} ({len(strange)} "
            f"such label(s)): {' and '.join(f'{prefix}-x' for prefix in MARKS[scheme])} mark spans, and O is outside. "
            f"Name the scheme of your tags, or set tag_scheme=None for labels that mark no spans"
        )
