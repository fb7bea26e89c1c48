"""The features of dicts of steps: taken apart, held to one kind each, and missed where one of fit is nowhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from numbers import Integral, Number
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn._warning import warn
from sklearn_rnn.data.conversion import as_float, is_missing, shown, unwrapped
from sklearn_rnn.data.formats import locate, object_array
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.exceptions import SequenceDataError, SequenceDataWarning

FieldKind = Literal["string", "number", "vector", "binary", "bool"]

Cells = dict[str, dict[int, Any]]
"""For each feature the rows that have it, and its values there: strings, floats, or bools."""

UNLIKELY = 0.05
"""Below this probability it is no chance that a feature is nowhere."""


@dataclass(frozen=True)
class Field:
    """What a feature was.

    Attributes
    ----------
    kind : {"string", "number", "vector", "binary", "bool"}
        A number that is nothing but 0 and 1 is binary: where it is absent, it is 0.
    width : int
        Numbers of a vector.
    always : bool
        Whether each step had it.
    lacking : float
        The share of sequences without it, never quite 0 or 1 (Laplace's rule of succession).
    """

    kind: FieldKind
    width: int = 1
    always: bool = True
    lacking: float = 0.0


@dataclass(frozen=True)
class Fields:
    """The features of some dicts but those that items of lists and sets name, and the usual length of a sequence."""

    fields: dict[str, Field]
    usual_length: float = 1.0

    @staticmethod
    def learn(cells: Cells, vectors: Mapping[str, int], offsets: NDArray[np.int64], *, items: Set[str]) -> Fields:
        """Learn from `cells`, among them the numbers of `vectors`, whose widths are given, and `items` of lists."""
        lengths = np.diff(offsets)
        lengths = lengths[lengths > 0]
        sequence_of = np.repeat(np.arange(len(lengths)), lengths)
        parts = {f"{name}:{i}" for name, width in vectors.items() for i in range(width)}
        kinds = {name: _kind(cells[name].values()) for name in cells if name not in parts and name not in items}
        kinds |= dict.fromkeys(vectors, "vector")
        fields = {}
        for name, kind in kinds.items():
            if kind in ("binary", "bool"):
                fields[name] = Field(kind)
                continue
            rows = cells[f"{name}:0" if kind == "vector" else name]
            n_with = len(np.unique(sequence_of[list(rows)]))
            lacking = (len(lengths) - n_with + 1) / (len(lengths) + 2)
            fields[name] = Field(kind, vectors.get(name, 1), len(rows) == len(sequence_of), lacking)
        return Fields(fields, float(np.median(lengths)) if len(lengths) else 1.0)

    @property
    def columns(self) -> set[str]:
        """The names of features, with those of the numbers of vectors."""
        vectors = ((name, field.width) for name, field in self.fields.items() if field.kind == "vector")
        return set(self.fields) | {f"{name}:{i}" for name, width in vectors for i in range(width)}

    def compare(self, found: Fields, lengths: NDArray[np.int64], *, name: str = "X") -> None:
        """Hold the features of another X, with sequences of `lengths` (n_sequences,), to these.

        Raises
        ------
        SequenceDataError
            If a vector has another width, or is no vector, or a number is one now.

        Warns
        -----
        SequenceDataWarning
            If numbers, vectors or strings that were usual in fit are nowhere.
        """
        known, columns = self.columns, found.columns
        for feature, field in found.fields.items():
            self._check_width(feature, field, known, name)
        n_whole = int(np.sum(lengths >= self.usual_length))
        absent = [
            feature
            for feature, field in self.fields.items()
            if field.kind not in ("binary", "bool")
            and not (columns & ({f"{feature}:{i}" for i in range(field.width)} | {feature}))
            and (field.always or field.lacking**n_whole < UNLIKELY)
        ]
        if absent and lengths.any():
            new = [feature for feature, field in found.fields.items() if field.kind != "bool" and feature not in known]
            _warn_absent(absent, new, name)

    def _check_width(self, feature: str, field: Field, known: set[str], name: str) -> None:
        """Raise if a `feature` that came is a vector and was none, or the other way round, or of another width."""
        fitted = self.fields.get(feature)
        was = "" if fitted is None or fitted.kind == "vector" else f"one {_WORDS[fitted.kind]}"
        if fitted is not None and fitted.kind == "vector":
            was = f"a vector of {fitted.width} number(s)"
        elif field.kind == "vector" and fitted is None:
            width = sum(column.rpartition(":")[0] == feature for column in known)
            was = f"{width} number(s) with a name each" if width not in (0, field.width) else ""
        now = f"a vector of {field.width} number(s)" if field.kind == "vector" else f"one {_WORDS[field.kind]}"
        if was and was != now and "vector" in was + now:
            raise SequenceDataError(
                f"The feature {feature!r} is {now} in {name}, and was {was} in fit: give it as it was there"
            )


class Features:
    """Takes the dicts of steps apart, and remembers what their lists were.

    Attributes
    ----------
    widths : dict of str to int
        How many numbers each vector has.
    items : set of str
        The names that items of lists and sets have given.
    """

    def __init__(self) -> None:
        self.widths: dict[str, int] = {}
        self.items: set[str] = set()
        self._labels: set[str] = set()
        self._empty: set[str] = set()

    def flat(self, features: Mapping[Any, Any], prefix: str = "") -> dict[str, Any]:
        """Features of one step with a string, a number or a bool each; nested ones are named ``outer:inner``."""
        flat: dict[str, Any] = {}
        for key, value in features.items():
            name = f"{prefix}{key}"
            if type(value) is str or type(value) is float:
                own = {name: value}
            elif isinstance(value, Mapping):
                own = self.flat(value, f"{name}:")
            else:
                own = self.of_value(name, value)
            if not own.keys().isdisjoint(flat):
                raise SequenceDataError(
                    f"A step has two features of the name {min(own.keys() & flat.keys())!r}: rename one"
                )
            flat.update(own)
        return flat

    def of_value(self, name: str, value: Any) -> dict[str, Any]:
        """The features that a value which is no dict stands for."""
        value = unwrapped(value, f"the feature {name!r} of a step")
        if isinstance(value, np.ndarray) and value.ndim == 0:
            value = value.item()
        if isinstance(value, str):
            return {name: value}
        if isinstance(value, (bool, np.bool_)):
            return {name: bool(value)}
        if is_missing(value):
            return {}
        if isinstance(value, Number):
            return {name: as_float(value, f"The feature {name!r} of a step")}
        if hasattr(value, "__len__") and hasattr(value, "__iter__") and not isinstance(value, (bytes, bytearray)):
            return self._of_items(name, value)
        raise SequenceDataError(
            f"The feature {name!r} of a step is {shown(value)}, wanted a string, a number, a bool, a vector of "
            f"numbers, or a set, list or dict of strings"
        )

    def without_vectors(self, features: Mapping[Any, Any]) -> Mapping[Any, Any]:
        """The features of one step with each number of a vector under a name of its own, and all others as they are."""
        spread: dict[Any, Any] = {}
        for name, given in features.items():
            value: Any = given
            if not isinstance(given, (str, Number)):
                value = unwrapped(given, f"the feature {name!r} of a step")
            is_list = isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.ndim > 0)
            if is_list and len(value) and not all(isinstance(item, str) for item in value):
                spread.update(self._of_items(str(name), value))
                continue
            if is_list:
                (self._labels if len(value) else self._empty).add(str(name))
            spread[name] = value.item() if isinstance(value, np.ndarray) and value.ndim == 0 else value
        return spread

    def vector(self, name: str, items: Iterable[Any]) -> list[float]:
        """The numbers of a vector, which has the same width at each step."""
        numbers = [
            float("nan") if is_missing(item) else as_float(item, f"The feature {name!r} of a step") for item in items
        ]
        width = self.widths.setdefault(name, len(numbers))
        if width != len(numbers):
            raise SequenceDataError(
                f"The feature {name!r} is a vector of {len(numbers)} number(s) here, and of {width} before: a vector "
                f"has the same width at each step"
            )
        return numbers

    def check(self, names: Iterable[str]) -> None:
        """Raise if a vector was something else at other steps, given the `names` of all features."""
        mixed = self.widths.keys() & (self._labels | self._empty | set(names))
        if mixed:
            name = min(mixed)
            other = "strings" if name in self._labels else "an empty list" if name in self._empty else "one value"
            raise SequenceDataError(
                f"The feature {name!r} is a vector of {self.widths[name]} number(s) at some steps and {other} at "
                f"others: give it the same form at each step"
            )

    def _of_items(self, name: str, value: Any) -> dict[str, Any]:
        """A vector of numbers, each under its position; or of strings one that is there under the name of each."""
        items = list(value)
        if not items:
            self._empty.add(name)
            return {}
        if all(isinstance(item, str) or (isinstance(item, Integral) and isinstance(value, Set)) for item in items):
            self._labels.add(name)
            own = {f"{name}:{item}": True for item in items}
            self.items.update(own)
            return own
        if isinstance(value, Set) or not all(isinstance(item, Number) or is_missing(item) for item in items):
            raise SequenceDataError(
                f"The feature {name!r} of a step is {shown(value)}, wanted a vector, which is a list of numbers "
                f"alone, or a list or set of strings alone"
            )
        return {f"{name}:{i}": number for i, number in enumerate(self.vector(name, items))}


def each_step(steps: Sequences, take: Callable[[Any], Any], name: str) -> Iterator[tuple[int, Any]]:
    """The row of each of `steps`, and what `take` makes of it; an error of it says which step it is about."""
    for row, step in enumerate(steps.values):
        try:
            taken = take(step)
        except SequenceDataError as error:
            sequence, position = locate(steps, row)
            raise SequenceDataError(f"In {name}[{sequence}][{position}]: {error}") from error
        yield row, taken


def spread_vectors(steps: Sequences, name: str) -> tuple[Sequences, Fields]:
    """Steps of dicts for a transformer that reads such: with the numbers of vectors by name; and what features are."""
    features = Features()
    cells: Cells = {}
    spread: list[Any] = []
    for row, step in each_step(steps, features.without_vectors, name):
        spread.append(step)
        for feature, value in step.items():
            if isinstance(value, (str, Number, np.bool_)) and not is_missing(value):
                cells.setdefault(str(feature), {})[row] = bool(value) if isinstance(value, np.bool_) else value
    features.check(cells)
    return steps.with_values(object_array(spread)), Fields.learn(cells, features.widths, steps.offsets, items=set())


_WORDS = {"string": "string", "number": "number", "binary": "number", "bool": "bool"}


def _kind(values: Iterable[Any]) -> FieldKind:
    """What the values of a feature are."""
    distinct = set(values)
    if any(isinstance(value, str) for value in distinct):
        return "string"
    if distinct <= {0, 1}:
        return "bool" if all(isinstance(value, bool) for value in distinct) else "binary"
    return "number"


def _warn_absent(absent: list[str], new: list[str], name: str) -> None:
    """Warn that features of fit are nowhere, and name those that may be the same under other names."""
    renamed = ""
    if new:
        renamed = f" {name} has {_listed(new)}, which fit did not have: rename what is the same."
    warn(
        f"The feature(s) {_listed(absent)} of fit are at no step of {name}: numbers are read as 0, and strings as "
        f"unknown.{renamed} Give {_listed(absent)} a value at the steps that have one",
        SequenceDataWarning,
    )


def _listed(names: list[str]) -> str:
    """The first names."""
    return ", ".join(repr(name) for name in names[:5]) + (", ..." if len(names) > 5 else "")
