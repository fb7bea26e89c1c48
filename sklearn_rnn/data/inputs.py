"""The one door for sequences: of one kind of step, or of several inputs a step. Below it, code trusts its input."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from sklearn_rnn.data.aligned import AlignedSequences, read_aligned
from sklearn_rnn.data.cells import opened
from sklearn_rnn.data.constant_ends import warn_if_padded
from sklearn_rnn.data.formats import as_sequences, is_text
from sklearn_rnn.data.hints import hints_at_one_sequence
from sklearn_rnn.data.missing import carry_forward
from sklearn_rnn.data.numeric import as_numbers, warn_if_swapped
from sklearn_rnn.data.padding import trim
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.stored import StoredSequences, keep_stored
from sklearn_rnn.data.tables import is_for_table, plain, read_table
from sklearn_rnn.data.tokens import TokenSequences
from sklearn_rnn.data.validation import InputSpec, Kind, check_alike, check_kind
from sklearn_rnn.exceptions import SequenceDataError

Inputs = Sequences | AlignedSequences


@hints_at_one_sequence
def read(
    X: Any,
    spec: InputSpec | None = None,
    *,
    dtype: str | None = "float32",
    embed: bool = False,
    missing: str = "error",
    padding_value: Any = None,
    allow_empty: bool = False,
    reader: str = "the estimator",
    name: str = "X",
) -> tuple[Inputs, InputSpec]:
    """Read sequences in any format, check them, and hold them to what was seen in ``fit``.

    Nothing is written anywhere: who reads keeps the spec.

    Parameters
    ----------
    X : sequences in any of the documented formats
        One input a step, or several: an :class:`AlignedSequences`, a dict of sequences, a frame with several columns of
        sequences, or sequences of dicts of features.
    spec : InputSpec, optional
        What was seen in ``fit``, and X is held to. None in ``fit``.
    dtype : {"float32", "float64"} or None
        The type of numeric values. None is for those that are scaled afterwards: they lose no digit, and stay NaN where
        they are missing before the first value of a sequence.
    embed : bool
        Whether integers are token ids. Concerns ``fit`` and a single input alone: afterwards the spec says it.
    missing : {"error", "mask"}
        Refuse NaN, or carry the last value forward and add an indicator a feature.
    padding_value : number, str, dict of str to those, or None
        What all features of a step hold that is padding and no step, at both ends of a sequence. The inputs remember in
        `trimming` what was cut off.
    allow_empty : bool
        Whether sequences without steps may be among the others.
    reader, name : str
        What to call the estimator and X in errors.

    Returns
    -------
    inputs : Sequences or AlignedSequences
        Values of shape (total_steps, n_features) in `dtype`, or tokens of shape (total_steps,). With several inputs,
        each of them so.
    spec : InputSpec
        What X is in ``fit``, the spec that was given afterwards.

    Raises
    ------
    SequenceDataError, ValueError, TypeError
        What came, in which input, where, and what was wanted.
    """
    X = opened(X, spec, name)
    aligned = read_aligned(X, name=name)
    if aligned is None and spec is not None and spec.kind == "aligned":
        aligned = _aligned_without_steps(X, spec, name)
    read_one = partial(_read_one, dtype=dtype, missing=missing, allow_empty=allow_empty, name=name)
    if aligned is None:
        embed = embed if spec is None else spec.kind == "ids"
        return read_one(X, spec, embed=embed, padding_value=padding_value, reader=reader, alone=True)
    names, fields = tuple(aligned.inputs), aligned.fields
    found = InputSpec(
        "aligned", len(names), False, None, missing, n_features_in=len(names), feature_names=names, fields=fields
    )
    if spec is not None:
        check_kind(found, spec, reader=reader, name=name)
        aligned = aligned.completed(spec.columns_of_inputs(), name=name)
        if spec.fields is not None and fields is not None:
            spec.fields.compare(fields, aligned.lengths, name=name)
    if padding_value is not None:
        aligned = trim(aligned, padding_value, name=name)
    inputs, specs = {}, {}
    for key, part in aligned.inputs.items():
        fitted = None if spec is None else spec.inputs[key]
        try:
            inputs[key], own = read_one(part, fitted, embed=False, padding_value=None, reader="it", alone=False)
        except (TypeError, ValueError) as error:
            raise SequenceDataError(f"In the input {key!r} of {name}: {error}") from error
        specs[key] = replace(own, columns=own.feature_names)
    sequences = AlignedSequences(inputs)
    sequences.trimming = aligned.trimming
    if spec is not None:
        return sequences, spec
    for key, part in aligned.inputs.items():
        if warn_if_padded(part, labels=specs[key].kind == "text", name=name, key=key):
            break
    return sequences, replace(found, inputs=specs)


def _read_one(
    X: Any,
    spec: InputSpec | None,
    *,
    dtype: str | None,
    embed: bool,
    missing: str,
    padding_value: Any,
    allow_empty: bool,
    reader: str,
    alone: bool,
    name: str,
) -> tuple[Sequences, InputSpec]:
    """What :func:`read` does, for one input a step."""
    X = plain(X)
    table = is_for_table(X)
    if table:
        sequences, names = read_table(X, reader=reader, name=name)
    else:
        sequences = as_sequences(X, name=name)
        names = sequences.feature_names
    sequences = keep_stored(sequences)
    width = _common_width(X, sequences)
    if padding_value is not None:  # what is padded has rows of one length, but its sequences have not
        sequences, table, names, width = trim(sequences, padding_value, name=name), False, sequences.feature_names, None
    if allow_empty and spec is not None and not sequences.lengths.any():
        return _like(_without_steps(sequences, spec, dtype), sequences), spec
    _check_lengths(sequences, allow_empty, name)
    kind = _kind(sequences, embed, name)
    found = InputSpec.of(sequences, kind, table=table, names=names, width=width, missing=missing)
    if spec is None:
        spec = found
    check_alike(found, spec, reader=reader, name=name)
    checked = _values_of_kind(sequences, found, spec, dtype=dtype, name=name)
    if spec is found and alone:
        warn_if_padded(sequences, labels=kind != "numeric", name=name)
    if spec is found and kind == "numeric" and not table and sequences.trimming is None:
        warn_if_swapped(X, checked, name)
    if kind == "numeric" and spec.missing == "mask":
        unseen = 0.0 if dtype else np.nan
        if isinstance(checked, StoredSequences):
            checked = checked.filled(unseen=unseen)
        else:
            checked = carry_forward(checked, unseen=unseen)
    return _like(checked, sequences), spec


def _values_of_kind(
    sequences: Sequences, found: InputSpec, spec: InputSpec, *, dtype: str | None, name: str
) -> Sequences:
    """Sequences with values of the kind that was found, of one type."""
    if isinstance(sequences, TokenSequences):
        return sequences
    if found.kind != "numeric":
        values = sequences.values.reshape(-1)
        return sequences.with_values(values if values.dtype.kind != "f" else values.astype(np.int64))
    columns = None if found.table or spec.table else spec.feature_names
    return as_numbers(sequences, dtype, allow_nan=spec.missing == "mask", columns=columns, name=name)


def _like(checked: Sequences, given: Sequences) -> Sequences:
    """`checked`, which remembers how `given` was trimmed."""
    checked.trimming = given.trimming
    return checked


def _aligned_without_steps(X: Any, fitted: InputSpec, name: str) -> AlignedSequences:
    """Sequences of which none has a step, which fit any inputs; an error for anything else."""
    sequences = as_sequences(X, name=name)
    if sequences.lengths.any():
        raise SequenceDataError(
            f"{name} is one input a step, wanted those of fit: a dict, or a frame, with the inputs "
            f"{list(fitted.inputs)}"
        )
    values = {
        key: np.empty((0, spec.n_features)) if spec.kind == "numeric" else np.empty(0, dtype=object)
        for key, spec in fitted.inputs.items()
    }
    return AlignedSequences({key: sequences.with_values(part) for key, part in values.items()})


def _without_steps(sequences: Sequences, fitted: InputSpec, dtype: str | None) -> Sequences:
    """Sequences none of which has a step, with values of the type and width that `fit` saw."""
    if fitted.kind != "numeric":
        return sequences.with_values(np.empty(0, dtype=object))
    n_features = fitted.n_features * (2 if fitted.missing == "mask" else 1)
    return sequences.with_values(np.empty((0, n_features), dtype=dtype))


def _check_lengths(sequences: Sequences, allow_empty: bool, name: str) -> None:
    lengths = sequences.lengths
    padding = "" if sequences.trimming is None else " once padding_value is cut off"
    if not lengths.any():
        raise SequenceDataError(
            f"{name} is empty: all {len(lengths)} sequences have length 0{padding}, found 0 step(s) while a minimum of "
            f"1 is required"
        )
    if not allow_empty and not lengths.all():
        empty = np.flatnonzero(lengths == 0)
        raise SequenceDataError(
            f"{name}[{empty[0]}] is an empty sequence{padding} ({len(empty)} of {len(lengths)} have length 0): there "
            f"is nothing to predict from. Leave such sequences out, or give them one step that stands for 'nothing'"
        )


def _kind(sequences: Sequences, embed: bool, name: str) -> Kind:
    values = sequences.chunks[0] if isinstance(sequences, StoredSequences) else sequences.values
    if is_text(values.reshape(-1)[:1]):
        if sequences.n_features > 1:
            raise SequenceDataError(
                f"{name} holds {sequences.n_features} strings a step, wanted one token a step: sequences of shape "
                f"(length,)"
            )
        return "text"
    if not embed:
        return "numeric"
    if values.dtype == object:
        values = np.asarray(values.tolist())
    if sequences.trimming is not None and values.dtype.kind == "f" and np.all(np.mod(values, 1) == 0):
        values = values.astype(np.int64)  # ids that were floats beside the NaN of their padding
    if values.dtype.kind not in "iu" or sequences.n_features != 1:
        gaps = values.dtype.kind == "f" and bool(np.isnan(values).any())
        raise SequenceDataError(
            f"embedding_dim is set, so each step of {name} must be one token (a string or an integer id); got dtype "
            f"{values.dtype} with {sequences.n_features} feature(s) a step. Give integer sequences of shape (length,), "
            f"or leave embedding_dim=None for numeric features"
            + (". If the NaN among them is padding, set padding_value=numpy.nan" if gaps else "")
        )
    return "ids"


def _common_width(X: Any, sequences: Sequences) -> int | None:
    """The length of all sequences if X is a list of lists of numbers of equal length, as a table has them."""
    if not isinstance(X, (list, tuple)) or not all(isinstance(item, (list, tuple)) for item in X):
        return None
    lengths = sequences.lengths
    return int(lengths[0]) if sequences.values.ndim == 1 and np.all(lengths == lengths[0]) else None
