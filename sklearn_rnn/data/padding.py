"""Padding that came with the data: where it stands, and how steps and what belongs to them are cut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Number
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn.data.aligned import AlignedSequences
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
        rows = [row for row in _rows(items)]
        for i, (row, padded, first, kept) in enumerate(zip(rows, self.padded, self.first, self.kept, strict=False)):
            if kept < padded and _length(row) == padded:
                rows[i] = row[first : first + kept]
        return rows


def cut_alike(items: Any, sequences: Any) -> Any:
    """What belongs to the steps of each sequence, cut where the padding of `sequences` was cut, if it was."""
    trimming = sequences.trimming
    if trimming is None or items is None or len(items) != len(sequences):
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


def trim(inputs: Inputs, value: Any, *, name: str = "X") -> Inputs:
    """Cut steps off both ends of each sequence as long as all that they hold equals `value`.

    Parameters
    ----------
    inputs : Sequences or AlignedSequences
        As they were given: of any type.
    value : number, str, or dict of str to those
        What padding holds; NaN equals NaN. A dict names the inputs that it looks at, where there are several.
    name : str
        What to call X in errors.

    Returns
    -------
    trimmed : container of the same type
        It remembers in `trimming` what was cut off, if anything was.
    """
    first, last = _bounds_of_steps(inputs, value, name)
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
    if value != value:
        found = _is_missing(values)
    elif isinstance(value, str) or values.dtype.kind not in "UST":
        found = np.asarray(values == value, dtype=bool)
    else:
        found = np.zeros(values.shape, dtype=bool)
    return found if found.ndim == 1 else found.all(axis=1)


def _bounds_of_steps(inputs: Any, value: Any, name: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """The rows at which the steps of each sequence that are no padding begin and end, (n_sequences,) each."""
    if isinstance(inputs, StoredSequences):
        value = _checked(value, inputs.chunks[0], name)
        parts = [_within(part, value, int(inputs.offsets[begin])) for begin, part in inputs.blocks()]
        return np.concatenate([first for first, _ in parts]), np.concatenate([last for _, last in parts])
    if not isinstance(inputs, AlignedSequences):
        value = _checked(value, inputs.values, name)
        return _within(inputs, value, 0)
    named = value if isinstance(value, Mapping) else dict.fromkeys(inputs.inputs, value)
    unknown = [key for key in named if key not in inputs.inputs]
    if unknown or not named:
        raise SequenceDataError(
            f"padding_value names the input {unknown[0]!r}, but {name} has {list(inputs.inputs)}"
            if unknown
            else f"padding_value={value!r} names no input of {name}, which has {list(inputs.inputs)}"
        )
    is_padding = np.ones(int(inputs.offsets[-1]), dtype=bool)
    for key, own in named.items():
        values = inputs.inputs[key].values
        is_padding &= equals_padding(values, _checked(own, values, f"the input {key!r} of {name}"))
    return outer_steps(is_padding, inputs.offsets)


def _within(sequences: Sequences, value: Any, skipped: int) -> tuple[NDArray[Any], NDArray[Any]]:
    first, last = outer_steps(equals_padding(sequences.values, value), sequences.offsets)
    return first + skipped, last + skipped


def _checked(value: Any, values: NDArray[Any], name: str) -> Any:
    """`value` as Python has it, once it can equal one of `values` at all."""
    if isinstance(value, Mapping):
        raise SequenceDataError(f"padding_value={value!r} names inputs, but {name} is one input a step: give its value")
    value = value.item() if hasattr(value, "item") else value
    text = is_text(values.reshape(-1)[:1])
    missing = value != value and values.dtype == object
    if values.size and text != isinstance(value, str) and not missing:
        kind, wanted = ("strings", "one") if text else ("numbers", "a number, or NaN")
        raise SequenceDataError(f"padding_value={value!r} can be no step: {name} holds {kind}, wanted {wanted} of them")
    return value


def _is_missing(values: NDArray[Any]) -> NDArray[np.bool_]:
    if values.dtype.kind in "fc":
        return np.isnan(values)
    if values.dtype != object:
        return np.zeros(values.shape, dtype=bool)
    missing = np.frompyfunc(lambda cell: cell is None or type(cell).__name__ == "NAType" or cell != cell, 1, 1)
    return np.asarray(missing(values), dtype=bool)


def _rows(items: Any) -> Any:
    """What belongs to each sequence, from any format."""
    if hasattr(items, "detach"):
        items = items.detach().cpu().numpy()
    if hasattr(items, "columns") and hasattr(items, "to_numpy"):
        return items.to_numpy()
    return items if isinstance(items, (list, tuple, np.ndarray, Sequences)) else items_of(items)


def _length(row: Any) -> int:
    sized = hasattr(row, "__len__") and not isinstance(row, (str, bytes, Number)) and len(getattr(row, "shape", (0,)))
    return len(row) if sized else -1
