"""Several inputs for each step: tokens beside part-of-speech tags beside numbers, as columns of one container."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from numbers import Number
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sklearn_rnn.data.formats import as_sequences, items_of, locate, object_array
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.stored import StoredSequences
from sklearn_rnn.data.tokens import UNKNOWN
from sklearn_rnn.exceptions import SequenceDataError

NUMBERS = "<numbers>"
"""The input that the numeric features of dicts are gathered in."""


class AlignedSequences:
    """Sequences with several inputs a step, for example tokens, part-of-speech tags and numeric features.

    Behaves as a read-only 1-D collection, so that it goes through ``train_test_split``, cross-validation and searches,
    which a plain dict does not.

    Parameters
    ----------
    inputs : dict of str to sequences in any supported format
        All of the same number of sequences and of the same lengths. Strings are embedded, numbers passed on; the first
        input of strings is the token.

    Raises
    ------
    SequenceDataError
        If the inputs differ in the number of sequences or in a length; the message says where.

    Examples
    --------
    >>> from sklearn_rnn import AlignedSequences
    >>> X = AlignedSequences({"token": [["Rome"], ["in", "Oslo"]], "pos": [["NNP"], ["IN", "NNP"]]})
    >>> X
    AlignedSequences(n_sequences=2, inputs=['token', 'pos'])
    >>> X[1]["pos"].tolist()
    ['IN', 'NNP']
    """

    __slots__ = ("from_dicts", "inputs", "offsets")

    inputs: dict[str, Sequences]
    offsets: NDArray[np.int64]
    from_dicts: bool
    """Whether the inputs are the features of dicts, each of which may lack any of them."""

    def __init__(self, inputs: Mapping[str, Any]) -> None:
        self.from_dicts = False
        if not inputs:
            raise SequenceDataError("X holds no input: wanted a dict of at least one name to sequences")
        self.inputs = {}
        for name, X in inputs.items():
            if not isinstance(name, str):
                raise SequenceDataError(f"The inputs of X must have names that are strings, got {name!r}")
            self.inputs[name] = as_sequences(X, name=f"X[{name!r}]")
        self.offsets = next(iter(self.inputs.values())).offsets
        self._check_lengths()

    def _check_lengths(self) -> None:
        first = next(iter(self.inputs))
        for name, sequences in self.inputs.items():
            if len(sequences) != len(self):
                raise SequenceDataError(
                    f"The inputs of X differ in their number of sequences: X[{first!r}] has {len(self)}, X[{name!r}] "
                    f"has {len(sequences)}"
                )
            if not np.array_equal(sequences.offsets, self.offsets):
                i = int(np.argmax(sequences.lengths != self.lengths))
                raise SequenceDataError(
                    f"The inputs of X differ in the length of sequence {i}: X[{first!r}][{i}] has {self.lengths[i]} "
                    f"steps, X[{name!r}][{i}] has {sequences.lengths[i]}"
                )

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of steps of each sequence, shape (n_sequences,)."""
        return np.diff(self.offsets)

    @property
    def n_features(self) -> int:
        """Number of inputs a step."""
        return len(self.inputs)

    @property
    def shape(self) -> tuple[int]:
        """``(n_sequences,)``: the container is a 1-D collection."""
        return (len(self),)

    ndim = 1

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __iter__(self) -> Iterator[dict[str, NDArray[Any]]]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, tuple):  # scikit-learn indexes what has a shape with (key, ...)
            key = key[0]
        if isinstance(key, (int, np.integer)):
            return {name: sequences[key] for name, sequences in self.inputs.items()}
        return self.take(np.arange(len(self))[key])

    def __repr__(self) -> str:
        return f"{type(self).__name__}(n_sequences={len(self)}, inputs={list(self.inputs)})"

    def take(self, index: ArrayLike) -> AlignedSequences:
        """Pick sequences by their integer positions, repeats allowed.

        Parameters
        ----------
        index : array of int, shape (n_selected,)

        Returns
        -------
        sequences : AlignedSequences
        """
        return self._with_inputs({name: sequences.take(index) for name, sequences in self.inputs.items()})

    def truncate(self, max_length: int, *, cut: str = "tail") -> AlignedSequences:
        """Keep at most `max_length` steps of each sequence, as :meth:`Sequences.truncate` does."""
        return self._with_inputs({name: part.truncate(max_length, cut=cut) for name, part in self.inputs.items()})

    def completed(self, wanted: dict[str, list[str] | None]) -> AlignedSequences:
        """The inputs that `wanted` names, with the columns that it lists; those of dicts are unknown, or 0, if absent.

        Parameters
        ----------
        wanted : dict of str to list of str or None
            For each input the names of its columns, None for strings.

        Returns
        -------
        sequences : AlignedSequences

        Raises
        ------
        SequenceDataError
            If inputs that do not come from dicts have other names.
        """
        if not self.from_dicts:
            if set(self.inputs) != set(wanted):
                raise SequenceDataError(f"X has the inputs {list(self.inputs)}, wanted those of fit: {list(wanted)}")
            return self._with_inputs({name: self.inputs[name] for name in wanted})
        n_steps = int(self.offsets[-1])
        inputs: dict[str, Sequences] = {}
        self._check_features(wanted)
        for name, columns in wanted.items():
            part = self.inputs.get(name)
            if columns is None:
                inputs[name] = part or Sequences(np.full(n_steps, UNKNOWN, dtype=object), self.offsets)
                continue
            known = [] if part is None else list(part.feature_names or [])
            block = np.zeros((n_steps, max(len(columns), 1)))
            for k, column in enumerate(columns):
                if column in known:
                    assert part is not None
                    block[:, k] = part.values[:, known.index(column)]
            inputs[name] = Sequences(block, self.offsets, feature_names=columns)
        return self._with_inputs(inputs)

    def _check_features(self, wanted: dict[str, list[str] | None]) -> None:
        """Raise unless the features of dicts are of the types that `wanted` names, and some of them there at all."""
        strings = {name for name, columns in wanted.items() if columns is None}
        numbers = {column for columns in wanted.values() for column in columns or ()}
        own_strings = set(self.inputs) - {NUMBERS}
        own_numbers = set(self.inputs[NUMBERS].feature_names or ()) if NUMBERS in self.inputs else set()
        changed = sorted((strings & own_numbers) | (numbers & own_strings))
        if changed:
            was = "strings" if changed[0] in strings else "numbers"
            raise SequenceDataError(f"The feature {changed[0]!r} held {was} in fit, and holds the other in X now")
        if len(self.offsets) > 1 and self.offsets[-1] and not (strings & own_strings) | (numbers & own_numbers):
            raise SequenceDataError(
                f"No feature of X was there in fit: X has {sorted(own_strings | own_numbers)[:5]!r}, fit had "
                f"{sorted(strings | numbers)[:5]!r}"
            )

    def with_values(self, values: ArrayLike) -> Sequences:
        """Sequences of the same lengths with the given values (total_steps, ...) a step."""
        return Sequences(values, self.offsets)

    def _with_inputs(self, inputs: dict[str, Sequences]) -> AlignedSequences:
        """A container of `inputs`, of the same origin as this one."""
        other = AlignedSequences(inputs)
        other.from_dicts = self.from_dicts
        return other

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)


def read_aligned(X: Any) -> AlignedSequences | None:
    """X as several inputs a step, if that is what it is: a dict, a frame with columns of sequences, or dicts a step."""
    if isinstance(X, AlignedSequences):
        return X
    if isinstance(X, Mapping) and not hasattr(X, "shape"):  # scipy's sparse dictionary of keys has one
        return AlignedSequences(X)
    if _has_columns_of_sequences(X):
        names = [str(name) for name in _column_names(X)]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise SequenceDataError(f"X has more than one column of the name {twice!r}: give each a name of its own")
        return AlignedSequences({str(name): items_of(X[name]) for name in _column_names(X)})
    steps = _steps_of_dicts(X)
    return None if steps is None else _from_feature_dicts(steps)


def _has_columns_of_sequences(X: Any) -> bool:
    """Whether X is a frame of at least two columns with a sequence in each cell of its first row."""
    shape: tuple[int, ...] = getattr(X, "shape", ())
    if not hasattr(X, "columns") or len(shape) != 2 or shape[0] == 0 or shape[1] < 2:
        return False
    cells = (items_of(X[name])[0] for name in _column_names(X))
    return all(hasattr(cell, "__len__") and not isinstance(cell, (str, bytes, Mapping)) for cell in cells)


def _column_names(X: Any) -> list[Any]:
    """The columns of a frame, or of an Arrow table, whose ``columns`` are the columns themselves."""
    return list(X.columns if hasattr(X, "iloc") else getattr(X, "column_names", X.columns))


def _steps_of_dicts(X: Any) -> Sequences | None:
    """The steps of X, if X is a collection of sequences of dicts, as sklearn-crfsuite takes them."""
    if isinstance(X, StoredSequences):  # numbers
        return None
    if isinstance(X, Sequences):
        dicts = X.values.dtype == object and len(X.values) > 0 and isinstance(X.values.flat[0], Mapping)
        return X if dicts else None
    if isinstance(X, (str, bytes)) or not hasattr(X, "__len__") or len(getattr(X, "shape", (0,))) != 1:
        return None
    items = items_of(X)
    if isinstance(items, np.ndarray) and items.dtype.kind != "O":
        return None
    first: Any = next((item for item in items if not _is_list(item) or len(item)), None)
    if not _is_list(first) or not isinstance(first[0], Mapping) or not all(map(_is_list, items)):
        return None
    offsets = np.concatenate([[0], np.cumsum([len(item) for item in items])])
    steps = Sequences(object_array(list(chain.from_iterable(items))), offsets)
    for row, step in enumerate(steps.values):
        if not isinstance(step, Mapping):
            sequence, position = locate(steps, row)
            raise SequenceDataError(
                f"X[{sequence}][{position}] is {step!r:.60} where other steps are dicts of features"
            )
    return steps


def _is_list(item: Any) -> bool:
    """Whether an item has a length and positions."""
    return isinstance(item, (list, tuple)) or (isinstance(item, np.ndarray) and item.ndim > 0)


def _from_feature_dicts(steps: Sequences) -> AlignedSequences:
    """One input for each feature that is a string, and one that gathers the numbers; absent ones are unknown, or 0."""
    flat = [_flatten(step) for step in steps.values]
    columns: dict[str, dict[int, Any]] = {}
    for row, step in enumerate(flat):
        for name, value in step.items():
            columns.setdefault(name, {})[row] = value
    inputs: dict[str, Sequences] = {}
    numbers: dict[str, NDArray[np.float64]] = {}
    for name, cells in columns.items():
        kinds = {isinstance(value, str) for value in cells.values()}
        if len(kinds) > 1:
            raise SequenceDataError(
                f"The feature {name!r} is a string at some steps and a number at others: give it one type "
                f"(str(value) makes strings)"
            )
        if kinds.pop():
            values = np.full(len(flat), UNKNOWN, dtype=object)
            values[list(cells)] = list(cells.values())
            inputs[name] = steps.with_values(values)
        else:
            numbers[name] = np.zeros(len(flat))
            numbers[name][list(cells)] = list(cells.values())
    if numbers or not inputs:
        block = np.column_stack(list(numbers.values())) if numbers else np.zeros((len(flat), 1))
        inputs[NUMBERS] = steps.with_values(block, feature_names=list(numbers))
    sequences = AlignedSequences(inputs)
    sequences.from_dicts = True
    return sequences


def _flatten(features: Mapping[Any, Any], prefix: str = "") -> dict[str, Any]:
    """Features of one step with a string or a number each; nested ones are named ``outer:inner``."""
    flat: dict[str, Any] = {}
    for key, value in features.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            own = _flatten(value, f"{name}:")
        elif isinstance(value, (set, frozenset, list, tuple)):
            own = {f"{name}:{item}": 1.0 for item in value}
        elif value is None:
            own = {}
        elif isinstance(value, (str, Number, np.bool_)) and not isinstance(value, complex):
            own = {name: value if isinstance(value, str) else float(value)}  # type: ignore[arg-type]
        else:
            raise SequenceDataError(
                f"The feature {name!r} of a step is {value!r:.60}, wanted a string, a number, a bool, or a set or dict "
                f"of those"
            )
        twice = (own.keys() & flat.keys()) | (own.keys() & {NUMBERS})
        if twice:
            raise SequenceDataError(
                f"A step has two features of the name {min(twice)!r}, or one that is reserved: rename one"
            )
        flat.update(own)
    return flat
