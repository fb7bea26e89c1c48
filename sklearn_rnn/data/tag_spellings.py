"""How tags are written: the prefix first or last, in upper or lower case, and what stands between it and the label."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn.data.tag_steps import ROLES, TagSteps

_WORD = r"(?:[BIESLUMW]|begin|beg|inside|in|middle|end|last|single|unit)"
_TAG_LIKE = re.compile(rf"{_WORD}[^0-9A-Za-z]+\S.*|.*\S[^0-9A-Za-z]+{_WORD}", re.IGNORECASE)


@dataclass(frozen=True)
class Spelling:
    """How tags are written.

    Inside of this package all are written as by default, ``"B-city"`` and ``"O"``.

    Attributes
    ----------
    separator : str
        What stands between prefix and label, one character.
    label_first : bool
        Whether the label stands before the prefix, ``"city-B"``.
    lower : bool
        Whether prefixes are lower-case letters.
    outside : {"O", "o"}
        The tag outside of every span.
    """

    separator: str = "-"
    label_first: bool = False
    lower: bool = False
    outside: str = "O"

    def read(self, tag: Any) -> Any:
        """A tag as this package writes it; what is no tag of this spelling stays as it is."""
        parts = self._parts(tag)
        if parts is None:
            return tag
        letter, label = parts
        return letter if label is None else f"{letter}-{label}"

    def write(self, tag: Any) -> Any:
        """A tag of this package in this spelling: what :meth:`read` makes it from."""
        if self == PLAIN or not isinstance(tag, str):
            return tag
        if tag == "O":
            return self.outside
        if tag[:1] not in ROLES or tag[1:2] not in ("", "-"):
            return tag
        letter = tag[0].lower() if self.lower else tag[0]
        parts = [letter] if len(tag) == 1 else [letter, tag[2:]]
        return self.separator.join(reversed(parts) if self.label_first else parts)

    def read_all(self, tags: NDArray[Any]) -> NDArray[Any]:
        """An object array (n,) of tags as this package writes them."""
        return tags if self == PLAIN else _each(self.read, tags)

    def write_all(self, tags: NDArray[Any]) -> NDArray[Any]:
        """An array (n,) of tags in this spelling."""
        return tags if self == PLAIN else _each(self.write, tags)

    def reads(self, tags: Iterable[Any]) -> bool:
        """Whether all `tags` are written in it."""
        return all(self._parts(tag) is not None for tag in tags)

    def _parts(self, tag: Any) -> tuple[str, str | None] | None:
        """The upper-case prefix and the label, if there is one, of a tag; None of what is no tag of this spelling."""
        if not isinstance(tag, str) or not tag:
            return None
        if tag == self.outside:
            return "O", None
        at = tag.rfind(self.separator) if self.label_first else tag[1:2].find(self.separator) + 1
        if len(tag) == 1:
            letter, label = tag, None
        elif self.label_first:
            letter, label = tag[at + 1 :], tag[:at]
        else:
            letter, label = tag[0], tag[2:]
        if label is not None and at < 1:
            return None
        known = letter.upper() in ROLES and letter.upper() != "O" and letter.islower() == self.lower
        return (letter.upper(), label) if known else None


PLAIN = Spelling()


def possible_spellings(tags: Iterable[Any]) -> Iterator[Spelling]:
    """The spellings that all of the distinct `tags` may be written in, that of this package first."""
    tags = list(tags)
    if not all(isinstance(tag, str) for tag in tags):
        return
    named = [tag for tag in tags if len(tag) > 1]
    outside = "o" if "o" in tags and "O" not in tags else "O"
    separators = sorted({tag[place] for tag in named for place in (1, -2)} - {"-"})
    for separator, label_first, lower in product(["-", *separators], [False, True], [False, True]):
        spelling = Spelling(separator, label_first, lower, outside)
        if not separator.isalnum() and spelling.reads(tags) and (named or not label_first):
            yield spelling


def in_plain_spelling(steps: TagSteps, ignore_label: Any = None) -> TagSteps:
    """The tags of steps as this package writes them, if there is a spelling that all but `ignore_label` are in."""
    tags = [tag for tag in steps.tags if tag != ignore_label]
    spelling = next(possible_spellings(tags), PLAIN)
    if spelling == PLAIN:
        return steps
    return replace(steps, tags=[tag if tag == ignore_label else spelling.read(tag) for tag in steps.tags])


def odd_ones(labels: Iterable[Any]) -> list[str]:
    """Of labels most of which look like tags, those by which they are none; else nothing.

    >>> from sklearn_rnn.data.tag_spellings import odd_ones
    >>> odd_ones(["B-city", "I-city", "B_day", "O"])
    ['B_day']
    >>> odd_ones(["NOUN", "VERB", "PRP$"])
    []
    """
    named = sorted({label for label in labels if isinstance(label, str)} - {"O", "o"})
    alike = [label for label in named if _TAG_LIKE.fullmatch(label)]
    if 2 * len(alike) <= len(named) or not any(label[:1] in "Bb" or label[-1:] in "Bb" for label in alike):
        return []
    return [label for label in named if not PLAIN.reads([label])]


def _each(change: Any, tags: NDArray[Any]) -> NDArray[Any]:
    """An object array (n,) of what each distinct tag is changed to."""
    listed = tags.tolist()
    changed = {tag: change(tag) for tag in set(listed)}
    result = np.empty(len(listed), dtype=object)
    result[:] = [changed[tag] for tag in listed]
    return result
