"""Sequences as they are continued: what is read before each step, and what comes next."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn.data.sequences import Sequences


def joined(sequences: Sequences) -> Sequences:
    """One sequence of all steps, in their order."""
    return Sequences(sequences.values, [0, int(sequences.offsets[-1])], feature_names=sequences.feature_names)


def shifted(sequences: Sequences, begin: Any) -> Sequences:
    """What stands before each step: the step before it, and before the first `begin`, a value or a row of features."""
    values = np.empty_like(sequences.values)
    values[1:] = sequences.values[:-1]
    values[sequences.offsets[:-1][sequences.lengths > 0]] = begin
    return sequences.with_values(values)


def opened(sequences: Sequences, begin: Any) -> Sequences:
    """Each sequence with one step more in front, `begin`."""
    return _with_one_more(sequences, begin, first=True)


def closed(sequences: Sequences, end: Any) -> Sequences:
    """Each sequence with one step more behind, `end`."""
    return _with_one_more(sequences, end, first=False)


def beside(sequences: Sequences, columns: NDArray[Any], *, first: bool = False) -> Sequences:
    """Steps of tokens (total_steps,) or of features, with the `columns` (n_sequences, n_columns) of their sequence.

    Those come in front of features, and behind tokens unless they are to come `first` in any case.
    """
    repeated = np.repeat(columns, sequences.lengths, axis=0)
    values = sequences.values
    dtype = values.dtype if repeated.dtype.kind == "i" else repeated.dtype
    parts = [repeated, values] if first or values.ndim == 2 else [values, repeated]
    return sequences.with_values(np.column_stack(parts).astype(dtype, copy=False))


def in_lanes(sequence: Sequences, n_lanes: int) -> Sequences:
    """One long sequence as `n_lanes` that follow each other, of about the same length."""
    n_steps = int(sequence.offsets[-1])
    return Sequences(sequence.values, n_steps * np.arange(n_lanes + 1) // n_lanes)


def _with_one_more(sequences: Sequences, value: Any, *, first: bool) -> Sequences:
    n, lengths = len(sequences), sequences.lengths
    offsets = sequences.offsets + np.arange(n + 1)
    values = np.empty((offsets[-1], *sequences.values.shape[1:]), sequences.values.dtype)
    values[offsets[:-1] if first else offsets[1:] - 1] = value
    values[np.arange(sequences.offsets[-1]) + np.repeat(np.arange(n) + first, lengths)] = sequences.values
    return Sequences(values, offsets, ids=sequences.ids, feature_names=sequences.feature_names)
