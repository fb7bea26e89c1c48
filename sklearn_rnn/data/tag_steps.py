"""The tags of steps, taken apart: the prefix, which says what part of a span a step is, and the label of the span."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn.data.formats import locate
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.exceptions import SequenceDataError

LETTERS = {
    "IOB1": "OBI",
    "IOB2": "OBI",
    "BIOES": "OBIES",
    "BILOU": "OBILU",
    "BMES": "OBMES",
    "BMEWO": "OBMEW",
}
"""The prefix letter of each role in each scheme. Roles are numbered 0 outside, 1 first, 2 inner, 3 last, 4 single."""

ROLES = {letter: role for letters in LETTERS.values() for role, letter in enumerate(letters)}
OUTSIDE, FIRST, INNER, LAST, SINGLE = range(5)


@dataclass(frozen=True)
class TagSteps:
    """The tags of all steps as codes, so that each distinct tag is taken apart only once."""

    codes: NDArray[np.int64]
    """The position in `tags` of the tag of each step, shape (total_steps,)."""
    tags: list[Any]
    """The distinct tags."""
    offsets: NDArray[np.int64]
    """Sequence ``i`` is ``codes[offsets[i]:offsets[i + 1]]``, shape (n_sequences + 1,)."""

    @classmethod
    def read(cls, tags: Sequences | TagSteps) -> TagSteps:
        """Code the tags of sequences; what is coded already stays as it is."""
        if isinstance(tags, TagSteps):
            return tags
        return cls.from_lists([tags.values.tolist()], tags.offsets)

    @classmethod
    def from_lists(cls, lists: Iterable[Iterable[Any]], offsets: NDArray[np.int64]) -> TagSteps:
        """Code the tags in lists, ``offsets[-1]`` in all; how they are spread over the lists is of no account."""
        index = _Index()
        try:  # bytes are filled faster than an array of int64, in three quarters of the time
            codes = np.frombuffer(bytearray(map(index.__getitem__, chain.from_iterable(lists))), dtype=np.uint8)
        except ValueError:  # more than 256 distinct tags
            codes = np.fromiter(map(index.__getitem__, chain.from_iterable(lists)), np.int64, int(offsets[-1]))
        return cls(codes.astype(np.int64, copy=False), list(index), offsets)

    @cached_property
    def letters(self) -> list[str]:
        """The prefix of each distinct tag, ``""`` of what is no tag in any scheme."""
        return [_take_apart(tag)[0] for tag in self.tags]

    @cached_property
    def roles(self) -> NDArray[np.int8]:
        """The role of each distinct tag; outside for what is no tag."""
        return np.array([ROLES.get(letter, OUTSIDE) for letter in self.letters], dtype=np.int8)

    @cached_property
    def labels(self) -> list[str]:
        """The labels of the tags, sorted."""
        return sorted({_take_apart(tag)[1] for tag, role in zip(self.tags, self.roles, strict=True) if role})

    @cached_property
    def label_codes(self) -> NDArray[np.int64]:
        """The position in `labels` of the label of each distinct tag, -1 of those that have none."""
        index = {label: code for code, label in enumerate(self.labels)}
        parts = zip(self.tags, self.roles, strict=True)
        return np.array([index[_take_apart(tag)[1]] if role else -1 for tag, role in parts], dtype=np.int64)

    @cached_property
    def first_rows(self) -> NDArray[np.int64]:
        """The row of the first step of each sequence that has one."""
        return self.offsets[:-1][np.diff(self.offsets) > 0]

    @cached_property
    def last_rows(self) -> NDArray[np.int64]:
        """The row of the last step of each sequence that has one."""
        return self.offsets[1:][np.diff(self.offsets) > 0] - 1

    @cached_property
    def _cuts(self) -> NDArray[np.bool_]:
        """Whether a sequence ends before a row or begins at it (total_steps + 1,)."""
        cuts = np.zeros(len(self.codes) + 1, dtype=bool)
        cuts[self.offsets] = True
        return cuts

    def with_previous(self, rows: NDArray[np.int64] | None = None) -> NDArray[np.intp]:
        """Steps (n_rows,), by default all, each with the one before it, which is outside for the first of a sequence.

        Positions in a flat table (5 roles before, 5 roles, same label).
        """
        code, previous = (
            (self.codes, np.roll(self.codes, 1)) if rows is None else (self.codes[rows], self.codes[rows - 1])
        )
        cut = self._cuts[:-1] if rows is None else self._cuts[rows]
        return _pairs(np.where(cut, OUTSIDE, self.roles[previous]), self.roles[code], self._same(previous, code))

    def with_next(self, rows: NDArray[np.int64]) -> NDArray[np.intp]:
        """Steps (n_rows,), each with the one after it, which is outside for the last of a sequence."""
        code, following = self.codes[rows], self.codes.take(rows + 1, mode="clip")
        role = np.where(self._cuts[rows + 1], OUTSIDE, self.roles[following])
        return _pairs(self.roles[code], role, self._same(code, following))

    def pair_counts(self, weight: NDArray[np.float64] | None = None) -> NDArray[Any]:
        """How often each of the 50 pairs occurs, ends of sequences included, or what weight (n_sequences,) it has."""
        by_step = None if weight is None else np.repeat(weight, np.diff(self.offsets))
        ends = self.with_next(self.last_rows)
        by_end = None if by_step is None else by_step[self.last_rows]
        return np.bincount(self.with_previous(), by_step, minlength=50) + np.bincount(ends, by_end, minlength=50)

    def _same(self, code: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether two tags (n,) have the same label; of no account where one is outside."""
        return np.asarray(self.label_codes[code] == self.label_codes[other])

    def foreign(self, scheme: str | None) -> NDArray[np.bool_]:
        """Which distinct tags (n_distinct,) do not belong to a scheme; without one, to any of them."""
        letters = set(ROLES) if scheme is None else set(LETTERS[scheme])
        return np.array([letter not in letters for letter in self.letters], dtype=bool)


def _pairs(before: NDArray[np.int8], after: NDArray[np.int8], same: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Positions (n,) in a flat table (5, 5, 2)."""
    return ((before * 5 + after) * 2 + same).astype(np.intp)


class _Index(dict[Any, int]):
    """Numbers the keys in the order in which they are asked for."""

    def __missing__(self, key: Any) -> int:
        self[key] = code = len(self)
        return code


def check_tags(steps: TagSteps, scheme: str | None, *, name: str = "tags", hint: str = "") -> None:
    """Refuse tags that do not belong to a scheme, or without one to any, and so would silently mark no spans."""
    foreign = steps.foreign(scheme)
    if not foreign.any():
        return
    row = int(np.argmax(foreign[steps.codes]))
    sequence, step = locate(Sequences(steps.codes, steps.offsets), row)
    raise SequenceDataError(
        f"{name}[{sequence}][{step}] is {steps.tags[steps.codes[row]]!r}, which is no {scheme or 'span'} tag: wanted "
        f"{wanted(scheme)}{hint}"
    )


def wanted(scheme: str | None) -> str:
    """The tags of a scheme, in words."""
    letters = ROLES if scheme is None else LETTERS[scheme]
    return "'O', or " + ", ".join(f"'{letter}-label'" for letter in letters if letter != "O")


def _take_apart(tag: Any) -> tuple[str, str]:
    """The prefix and the label of a tag; the prefix is empty for what is no tag in any scheme."""
    if not isinstance(tag, str) or tag[:1] not in ROLES or tag[1:2] not in ("", "-") or tag[:2] == "O-":
        return "", ""
    return tag[0], tag[2:]
