"""Several inputs for each step: tokens beside part-of-speech tags beside numbers, as columns of one container."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sklearn_rnn.data.collection import Collection
from sklearn_rnn.data.features import Cells, Features, Fields, each_step
from sklearn_rnn.data.formats import (
    as_sequences,
    check_columns_differ,
    common_columns,
    is_sequence_cell,
    items_of,
    locate,
    object_array,
)
from sklearn_rnn.data.row_order import check_order, ids_of_index
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.static_inputs import column_names_of, columns_of, first_cells, refuse_static
from sklearn_rnn.data.stored import StoredSequences
from sklearn_rnn.data.tokens import UNKNOWN
from sklearn_rnn.exceptions import SequenceDataError

NUMBERS = "<numbers>"
"""The input that the numeric features of dicts are gathered in."""


class AlignedSequences(Collection):
    """Sequences with several inputs a step, for example tokens, part-of-speech tags and numeric features.

    Behaves as a read-only 1-D collection, so that it goes through ``train_test_split``, cross-validation and searches,
    which a plain dict does not.

    Parameters
    ----------
    inputs : dict of str to sequences in any supported format
        All of the same number of sequences and of the same lengths. Strings are embedded, numbers passed on; the first
        input of strings is the token.
    name : str, default="X"
        What to call the container in errors.

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

    __slots__ = ("fields", "from_dicts", "inputs", "offsets")

    inputs: dict[str, Sequences]
    from_dicts: bool
    """Whether the inputs are the features of dicts, each of which may lack any of them."""
    fields: Fields | None
    """What the features of dicts were."""

    def __init__(self, inputs: Mapping[str, Any], *, name: str = "X") -> None:
        self.from_dicts = False
        self.fields = None
        if not inputs:
            raise SequenceDataError(f"{name} holds no input: wanted a dict of at least one name to sequences")
        self.inputs = {}
        refuse_static(inputs, name)
        for key, X in inputs.items():
            if not isinstance(key, str):
                raise SequenceDataError(f"The inputs of {name} must have names that are strings, got {key!r}")
            self.inputs[key] = part = as_sequences(X, name=f"{name}[{key!r}]")
            if part is not X:
                part.ids = ids_of_index(X)
        self.offsets = next(iter(self.inputs.values())).offsets
        first, *others = self.inputs
        beside = {f"{name}[{key!r}]": inputs[key] for key in others}
        check_order(inputs[first], beside, name=f"{name}[{first!r}]")
        self._check_lengths(name)

    def _check_lengths(self, name: str) -> None:
        first = next(iter(self.inputs))
        for key, sequences in self.inputs.items():
            if len(sequences) != len(self):
                raise SequenceDataError(
                    f"The inputs of {name} differ in their number of sequences: {name}[{first!r}] has {len(self)}, "
                    f"{name}[{key!r}] has {len(sequences)}"
                )
            if not np.array_equal(sequences.offsets, self.offsets):
                i = int(np.argmax(sequences.lengths != self.lengths))
                advice = ""
                if sequences.n_features == 1 and len(set(sequences.lengths.tolist())) == 1:
                    advice = (
                        f". If {key!r} has one row for each sequence, repeat_static({name}, static={key!r}) repeats it"
                    )
                raise SequenceDataError(
                    f"The inputs of {name} differ in the length of sequence {i}: {name}[{first!r}][{i}] has "
                    f"{self.lengths[i]} steps, {name}[{key!r}][{i}] has {sequences.lengths[i]}{advice}"
                )

    @property
    def ids(self) -> NDArray[Any] | None:
        """The key of each sequence (n_sequences,), where an input has them."""
        return next((part.ids for part in self.inputs.values() if part.ids is not None), None)

    @property
    def n_features(self) -> int:
        """Number of inputs a step."""
        return len(self.inputs)

    def truncate(self, max_length: int, *, cut: str = "tail") -> AlignedSequences:
        """Keep at most `max_length` steps of each sequence, as :meth:`Sequences.truncate` does."""
        return self._with_inputs({name: part.truncate(max_length, cut=cut) for name, part in self.inputs.items()})

    def between(self, starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> AlignedSequences:
        """Keep some steps of each sequence, as :meth:`Sequences.between` does."""
        return self._with_inputs({name: part.between(starts, lengths) for name, part in self.inputs.items()})

    def completed(self, wanted: dict[str, list[str] | None], *, name: str = "X") -> AlignedSequences:
        """The inputs that `wanted` names, with the columns that it lists; those of dicts are unknown, or 0, if absent.

        Parameters
        ----------
        wanted : dict of str to list of str or None
            For each input the names of its columns, None for strings.
        name : str, default="X"
            What to call the container in errors.

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
                raise SequenceDataError(
                    f"{name} has the inputs {list(self.inputs)}, wanted those of fit: {list(wanted)}"
                )
            return self._with_inputs({key: self.inputs[key] for key in wanted})
        n_steps = int(self.offsets[-1])
        inputs: dict[str, Sequences] = {}
        self._check_features(wanted, name)
        for key, columns in wanted.items():
            part = self.inputs.get(key)
            if columns is None:
                inputs[key] = part or Sequences(np.full(n_steps, UNKNOWN, dtype=object), self.offsets)
                continue
            known = [] if part is None else list(part.feature_names or [])
            block = np.zeros((n_steps, max(len(columns), 1)))
            for k, column in enumerate(columns):
                if column in known:
                    assert part is not None
                    block[:, k] = part.values[:, known.index(column)]
            inputs[key] = Sequences(block, self.offsets, feature_names=columns)
        return self._with_inputs(inputs)

    def _check_features(self, wanted: dict[str, list[str] | None], name: str) -> None:
        """Raise unless the features of dicts are of the types that `wanted` names, and some of them there at all."""
        strings = {key for key, columns in wanted.items() if columns is None}
        numbers = {column for columns in wanted.values() for column in columns or ()}
        own_strings = set(self.inputs) - {NUMBERS}
        own_numbers = set(self.inputs[NUMBERS].feature_names or ()) if NUMBERS in self.inputs else set()
        changed = sorted((strings & own_numbers) | (numbers & own_strings))
        if changed:
            was = "strings" if changed[0] in strings else "numbers"
            raise SequenceDataError(f"The feature {changed[0]!r} held {was} in fit, and holds the other in {name} now")
        if len(self.offsets) > 1 and self.offsets[-1] and not (strings & own_strings) | (numbers & own_numbers):
            raise SequenceDataError(
                f"No feature of {name} was there in fit: {name} has {sorted(own_strings | own_numbers)[:5]!r}, fit "
                f"had {sorted(strings | numbers)[:5]!r}"
            )

    def replaced(self, inputs: Mapping[str, Sequences]) -> AlignedSequences:
        """The same container with other sequences for some of its inputs."""
        return self._with_inputs({**self.inputs, **inputs})

    def with_values(self, values: ArrayLike) -> Sequences:
        """Sequences of the same lengths with the given values (total_steps, ...) a step."""
        return Sequences(values, self.offsets)

    def _item(self, i: int) -> dict[str, NDArray[Any]]:
        return {name: sequences[i] for name, sequences in self.inputs.items()}

    def _subset(self, index: NDArray[np.int64]) -> AlignedSequences:
        return self._with_inputs({name: sequences.take(index) for name, sequences in self.inputs.items()})

    def _contents(self) -> str:
        return f"inputs={list(self.inputs)}"

    def _with_inputs(self, inputs: dict[str, Sequences]) -> AlignedSequences:
        """A container of `inputs`, of the same origin as this one."""
        other = AlignedSequences(inputs)
        other.from_dicts = self.from_dicts
        return other


def read_aligned(X: Any, *, name: str = "X") -> AlignedSequences | None:
    """X as several inputs a step, if that is what it is: a dict, a frame with columns of sequences, or dicts a step.

    `name` is what errors call X.
    """
    if isinstance(X, AlignedSequences):
        return X
    if is_dict_of_inputs(X):
        return AlignedSequences(X, name=name)
    refuse_static(X, name)
    if has_columns_of_sequences(X):
        if hasattr(X, "columns"):
            check_columns_differ([str(column) for column in column_names_of(X)], name)
        return AlignedSequences(columns_of(X), name=name)
    mixed = _from_mixed_frames(X, name)
    if mixed is not None:
        return mixed
    steps = _steps_of_dicts(X, name)
    return None if steps is None else _from_feature_dicts(steps, name)


def is_dict_of_inputs(X: Any) -> bool:
    """Whether X is a dict; SciPy's sparse dictionary of keys, which has a shape, is none."""
    return isinstance(X, Mapping) and not hasattr(X, "shape")


def countable(X: Any) -> Any:
    """A dict of inputs, of which scikit-learn would count the names, as a container; all else as it is."""
    return AlignedSequences(X) if is_dict_of_inputs(X) else X


def has_columns_of_sequences(X: Any) -> bool:
    """Whether X is a frame or object array of several columns, with sequences in the cells of its first row."""
    cells = first_cells(X)
    return len(cells) > 1 and any(is_sequence_cell(cell) for _, cell in cells)


def _from_mixed_frames(X: Any, name: str) -> AlignedSequences | None:
    """One input for each column, if X is a list of frames that hold strings beside numbers."""
    nested = isinstance(X, (list, tuple)) or (isinstance(X, np.ndarray) and X.dtype == object and X.ndim == 1)
    items = list(X) if nested else items_of(X) if hasattr(X, "to_list") and hasattr(X, "iloc") else []
    if not items or not all(hasattr(item, "columns") and len(item.shape) == 2 for item in items):
        return None
    first = next((item for item in items if len(item)), None)
    if first is None or first.shape[1] < 2 or not any(isinstance(cell, str) for _, cell in first_cells(first)):
        return None
    columns = common_columns(items, name)
    empty = {column: np.empty(0, dtype=first[column].to_numpy().dtype) for column in first.columns}
    parts = {
        column: [frame[column].to_numpy() if len(frame) else empty[column] for frame in items]
        for column in columns or first.columns
    }
    sequences = AlignedSequences(parts, name=name)
    for part in sequences.inputs.values():
        part.ids = ids_of_index(X)
    return sequences


def _steps_of_dicts(X: Any, name: str) -> Sequences | None:
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
                f"{name}[{sequence}][{position}] is {step!r:.60} where other steps are dicts of features"
            )
    return steps


def _is_list(item: Any) -> bool:
    """Whether an item has a length and positions."""
    return isinstance(item, (list, tuple)) or (isinstance(item, np.ndarray) and item.ndim > 0)


def _from_feature_dicts(steps: Sequences, name: str) -> AlignedSequences:
    """One input for each feature that is a string, and one that gathers the numbers; absent ones are unknown, or 0."""
    features = Features()
    cells: Cells = {}
    for row, flat in each_step(steps, features.flat, name):
        for feature, value in flat.items():
            cells.setdefault(feature, {})[row] = value
    features.check(cells)
    if NUMBERS in cells:
        raise SequenceDataError(f"{name} has a feature of the name {NUMBERS!r}, which is reserved: rename it")
    inputs: dict[str, Sequences] = {}
    numbers: dict[str, NDArray[np.float64]] = {}
    n_steps = len(steps.values)
    for feature, of_rows in cells.items():
        kinds = {isinstance(value, str) for value in of_rows.values()}
        if len(kinds) > 1:
            raise SequenceDataError(
                f"The feature {feature!r} is a string at some steps and a number at others: give it one type "
                f"(str(value) makes strings)"
            )
        if kinds.pop():
            values = np.full(n_steps, UNKNOWN, dtype=object)
            values[list(of_rows)] = list(of_rows.values())
            inputs[feature] = steps.with_values(values)
        else:
            numbers[feature] = np.zeros(n_steps)
            numbers[feature][list(of_rows)] = list(of_rows.values())
    if numbers or not inputs:
        block = np.column_stack(list(numbers.values())) if numbers else np.zeros((n_steps, 1))
        inputs[NUMBERS] = steps.with_values(block, feature_names=list(numbers))
    sequences = AlignedSequences(inputs)
    sequences.from_dicts = True
    sequences.fields = Fields.learn(cells, features.widths, steps.offsets, items=features.items)
    return sequences
