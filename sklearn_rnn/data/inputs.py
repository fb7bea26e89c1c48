"""The door for what estimators take as X: sequences of one kind of step, or of several inputs a step."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from sklearn_rnn.data.aligned import AlignedSequences, read_aligned
from sklearn_rnn.data.arrow import read_arrow
from sklearn_rnn.data.formats import as_sequences
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.validation import InputSpec, check_spec, validate_sequences
from sklearn_rnn.exceptions import SequenceDataError

Inputs = Sequences | AlignedSequences


def validate_inputs(
    estimator: Any,
    X: Any,
    *,
    reset: bool,
    dtype: str = "float32",
    embed: bool = False,
    missing: str = "error",
    allow_empty: bool = False,
) -> Inputs:
    """Read X in any format, check it, and hold it to what was seen in ``fit``.

    Parameters
    ----------
    estimator, X, reset, dtype, embed, missing, allow_empty
        As in :func:`sklearn_rnn.data.validation.validate_sequences`; `embed` concerns a single input alone. X may also
        be an :class:`AlignedSequences`, a dict of sequences, a frame with several columns of sequences, or sequences of
        dicts of features.

    Returns
    -------
    sequences : Sequences or AlignedSequences
        With several inputs, each checked by itself.

    Raises
    ------
    SequenceDataError, ValueError, TypeError
        What came, in which input, where, and what was wanted.
    """
    X = read_arrow(X)
    aligned = read_aligned(X)
    fitted: InputSpec | None = None if reset else estimator.input_spec_
    if aligned is None and fitted is not None and fitted.kind == "aligned":
        aligned = _without_steps(X, fitted)
    if aligned is None:
        return validate_sequences(
            estimator, X, reset=reset, dtype=dtype, embed=embed, missing=missing, allow_empty=allow_empty
        )
    if fitted is not None:
        check_spec(estimator, InputSpec("aligned", fitted.n_features, table=False, missing=missing))
        aligned = aligned.completed({name: _columns(spec) for name, spec in fitted.inputs.items()})
    inputs, specs = {}, {}
    for name, part in aligned.inputs.items():
        state = SimpleNamespace() if fitted is None else SimpleNamespace(**_state_of(fitted.inputs[name]))
        try:
            inputs[name] = validate_sequences(
                state, part, reset=reset, dtype=dtype, missing=missing, allow_empty=allow_empty
            )
        except (TypeError, ValueError) as error:
            raise SequenceDataError(f"In the input {name!r} of X: {error}".replace("SimpleNamespace", "it")) from error
        specs[name] = state.input_spec_
        if part.feature_names is not None:
            specs[name] = replace(specs[name], columns=tuple(part.feature_names))
    checked = AlignedSequences(inputs)
    if reset:
        estimator.input_spec_ = InputSpec("aligned", len(inputs), table=False, missing=missing, inputs=specs)
        estimator.n_features_in_ = len(inputs)
        estimator.feature_names_in_ = np.array(list(inputs), dtype=object)
    return checked


def _without_steps(X: Any, fitted: InputSpec) -> AlignedSequences:
    """Sequences of which none has a step, which fit any inputs; an error for anything else."""
    sequences = as_sequences(X)
    if sequences.lengths.any():
        raise SequenceDataError(
            f"X is one input a step, wanted those of fit: a dict, or a frame, with the inputs {list(fitted.inputs)}"
        )
    values = {
        name: np.empty((0, spec.n_features)) if spec.kind == "numeric" else np.empty(0, dtype=object)
        for name, spec in fitted.inputs.items()
    }
    return AlignedSequences({name: sequences.with_values(part) for name, part in values.items()})


def _columns(spec: InputSpec) -> list[str] | None:
    """Names of the columns of a numeric input, as far as it had them; None for strings."""
    return None if spec.kind == "text" else list(spec.columns or [])


def _state_of(spec: InputSpec) -> dict[str, Any]:
    """What :func:`validate_sequences` looks for on a fitted estimator, for one input."""
    return {"input_spec_": spec, "n_features_in_": spec.n_features}
