"""Padding that came with the data: where it stands, and how steps and what belongs to them are cut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Number
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn.data.aligned import AlignedSequences
from sklearn_rnn.data.conversion import is_missing_or_nan, unwrapped
from sklearn_rnn.data.formats import is_text, items_of
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.stored import StoredSequences
from sklearn_rnn.exceptions import SequenceDataError

Inputs = TypeVar("Inputs", Sequences, AlignedSequences)


@dataclass(frozen=True)
class Trimming:
    """Which steps of padded sequences were kept.

    Attributes
    ----------
    padded : array of shape (n_sequences,)
        Steps of each sequence with its padding.
    first : array of shape (n_sequences,)
        How many steps of padding come before the first that is kept.
    kept : array of shape (n_sequences,)
        Steps that are left.
    """

    padded: NDArray[np.int64]
    first: NDArray[np.int64]
    kept: NDArray[np.int64]

    def cut(self, items: Any) -> Any:
        """Of each sequence the items (n_sequences,) that belong to the steps that were kept.

        Items of another length than that of the padded sequence stay as they are: they may have been cut already.
        """
        rows = list(_rows(items))
        for i, (row, padded, first, kept) in enumerate(zip(rows, self.padded, self.first, self.kept, strict=False)):
            if kept < padded and _length(row) == padded:
                rows[i] = row[first : first + kept]
        return rows


def cut_alike(items: Any, sequences: Any) -> Any:
    """What belongs to the steps of each sequence, cut where the padding of `sequences` was cut, if it was."""
    trimming = sequences.trimming
    if trimming is None or not hasattr(items, "__len__") or len(items) != len(sequences):
        return items
    return trimming.cut(items)


def lengths_given(sequences: Any) -> NDArray[np.int64]:
    """Steps (n_sequences,) that the sequences had when they were given, with their padding."""
    lengths: NDArray[np.int64] = sequences.lengths if sequences.trimming is None else sequences.trimming.padded
    return lengths


def with_padding(sequences: Any, i: int) -> str:
    """What an error adds to the number of steps of sequence `i`: how many there were with its padding."""
    padded = lengths_given(sequences)[i]
    return "" if padded == sequences.lengths[i] else f" ({padded} with padding)"


def advice_if_padded(wanted: NDArray[np.int64], found: NDArray[np.int64]) -> str:
    """What an error adds where targets of lengths `wanted` may be padded, as predictions, of `found`, are not."""
    if len(set(wanted.tolist())) > 1 or np.any(wanted < found):
        return ""
    return ". If y is padded as X is, trim_padding(X, value, y=y) cuts both"


def trim(inputs: Inputs, value: Any, *, name: str = "X", parameter: str = "padding_value") -> Inputs:
    """Cut steps off both ends of each sequence as long as all that they hold equals `value`.

    Parameters
    ----------
    inputs : Sequences or AlignedSequences
        As they were given: of any type.
    value : number, str, or dict of str to those
        What padding holds; NaN equals NaN. A dict names the inputs that it looks at, where there are several.
    name, parameter : str
        What to call X and `value` in errors.

    Returns
    -------
    trimmed : container of the same type
        It remembers in `trimming` what was cut off, if anything was.
    """
    first, last = _bounds_of_steps(inputs, _Value(value, parameter), name)
    kept = last - first
    if np.array_equal(kept, inputs.lengths):
        return inputs
    trimmed = inputs.between(first, kept)
    trimmed.trimming = Trimming(inputs.lengths, first - inputs.offsets[:-1], kept)
    return trimmed


def outer_steps(is_padding: NDArray[np.bool_], offsets: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The first step (n_sequences,) of each sequence that is no padding, and the one after the last.

    Parameters
    ----------
    is_padding : array of bool, shape (total_steps,)
    offsets : array of shape (n_sequences + 1,)
    """
    real = np.append(np.flatnonzero(~is_padding), len(is_padding))
    after = np.searchsorted(real, offsets)
    empty = after[:-1] == after[1:]
    first = np.where(empty, offsets[:-1], real[after[:-1]])
    return first, np.where(empty, first, real[after[1:] - 1] + 1)


def equals_padding(values: NDArray[Any], value: Any) -> NDArray[np.bool_]:
    """Whether all features of each step of `values` (total_steps, ...) equal `value`; NaN, and None, equal NaN."""
    found = equals_value(values, value)
    return found if found.ndim == 1 else np.asarray(found.all(axis=1))


def equals_value(values: NDArray[Any], value: Any) -> NDArray[np.bool_]:
    """Which of `values` equal `value`, of the same shape; NaN, and None, equal NaN."""
    if value != value:
        return _is_missing(values)
    if isinstance(value, str) or values.dtype.kind not in "UST":
        return np.asarray(values == value, dtype=bool)
    return np.zeros(values.shape, dtype=bool)


@dataclass(frozen=True)
class _Value:
    """What padding holds, and the parameter that says it."""

    value: Any
    parameter: str

    def of_inputs(self, inputs: AlignedSequences, name: str) -> dict[str, Any]:
        """The value of each input that tells padding."""
        named = dict(self.value) if isinstance(self.value, Mapping) else dict.fromkeys(inputs.inputs, self.value)
        unknown = [key for key in named if key not in inputs.inputs]
        if unknown or not named:
            raise SequenceDataError(
                f"{self.parameter}={self.value!r} names {repr(unknown[0]) if unknown else 'no input'}, wanted some of "
                f"the inputs that {name} has: {list(inputs.inputs)}"
            )
        return {key: _Value(own, self.parameter).checked(inputs.inputs[key], key) for key, own in named.items()}

    def checked(self, sequences: Sequences, key: str | None = None, *, name: str = "X") -> Any:
        """The value as Python has it, once it can equal a step of `sequences`, the input `key`, at all."""
        value = self.value.item() if hasattr(self.value, "item") else self.value
        if isinstance(value, Mapping):
            raise SequenceDataError(f"{self.parameter}={value!r} names inputs, but {name} is one input a step")
        values = sequences.chunks[0] if isinstance(sequences, StoredSequences) else sequences.values
        text = is_text(values.reshape(-1)[:1])
        if values.size and value == value and text != isinstance(value, str):
            what = f"the input {key!r} holds" if key is not None else f"{name} holds"
            advice = f": a dict says which inputs tell padding, {self.parameter}={{'name': value}}" if key else ""
            raise SequenceDataError(
                f"{self.parameter}={value!r} can be none of the steps, as {what} {'strings' if text else 'numbers'}"
                f"{advice}"
            )
        return value


def _bounds_of_steps(inputs: Any, value: _Value, name: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """The rows at which the steps of each sequence that are no padding begin and end, (n_sequences,) each."""
    if isinstance(inputs, AlignedSequences):
        is_padding = np.ones(int(inputs.offsets[-1]), dtype=bool)
        for key, own in value.of_inputs(inputs, name).items():
            is_padding &= equals_padding(inputs.inputs[key].values, own)
        return outer_steps(is_padding, inputs.offsets)
    wanted = value.checked(inputs, name=name)
    if not isinstance(inputs, StoredSequences):
        return outer_steps(equals_padding(inputs.values, wanted), inputs.offsets)
    bounds = [
        np.add(outer_steps(equals_padding(part.values, wanted), part.offsets), inputs.offsets[begin])
        for begin, part in inputs.blocks()
    ]
    first, last = np.concatenate(bounds, axis=1)
    return first, last


def _is_missing(values: NDArray[Any]) -> NDArray[np.bool_]:
    if values.dtype.kind in "fc":
        return np.isnan(values)
    if values.dtype != object:
        return np.zeros(values.shape, dtype=bool)
    return np.asarray(np.frompyfunc(is_missing_or_nan, 1, 1)(values), dtype=bool)


def _rows(items: Any) -> Any:
    """What belongs to each sequence, from any format."""
    if hasattr(items, "detach"):
        items = unwrapped(items, "what belongs to the steps")
    if hasattr(items, "columns") and hasattr(items, "to_numpy"):
        return items.to_numpy()
    return items if isinstance(items, (list, tuple, np.ndarray, Sequences)) else items_of(items)


def _length(row: Any) -> int:
    sized = hasattr(row, "__len__") and not isinstance(row, (str, bytes, Number)) and len(getattr(row, "shape", (0,)))
    return len(row) if sized else -1
