"""The size of numbers: whether a network can learn from them, and whether validation data has the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn._warning import warn
from sklearn_rnn.data.sequences import Sequences, spread_sample
from sklearn_rnn.data.validation import InputSpec
from sklearn_rnn.exceptions import SequenceDataWarning

NUMBERS = 2**19
"""As many numbers of a sample of the sequences are looked at."""

# Where fits with default parameters have been seen to lose accuracy, on series, motions, speech and images brought to
# any scale. Accuracy fell on all of them from a mean of 15 on that is ten times the spread, on most from values of 60
# on, and on all below 0.01. From 0.1 up to 30 around 0, and for pixels from 0 to 16, it stayed.
OFFSET = 15.0
OFFSET_IN_SPREADS = 10.0
LARGE = 60.0
SMALL = 0.02

BEYOND = 10.0
"""How far the validation data of a feature lies outside the range of X, in standard deviations of X."""

TIMES = 10.0
"""How much wider or narrower sequences are in the validation data than they ever are in X."""


@dataclass(frozen=True)
class _Column:
    """A numeric feature: what errors call it, and where in an encoded step it stands, counted from the end."""

    label: str
    place: int


def warn_if_unscaled(sequences: Sequences, spec: InputSpec, *, reader: str) -> None:
    """Warn if a numeric feature is so large, so far from 0, or all of them are so small, that little is learned.

    Parameters
    ----------
    sequences : Sequences
        Encoded: values (total_steps, n_columns), the numeric features last.
    spec : InputSpec
    reader : str
        What to call the estimator.
    """
    columns = _numeric_columns(spec, "X")
    if not columns or (spec.table and spec.n_features_in < 3):  # a column or two are a table that is no sequence
        return
    values = spread_sample(sequences, NUMBERS).values[:, [column.place for column in columns]].astype(np.float64)
    low, middle, high = np.quantile(values, [0.16, 0.5, 0.84], axis=0)
    size = np.quantile(np.abs(values), 0.8, axis=0)
    far = (np.abs(middle) >= OFFSET) & (np.abs(middle) >= OFFSET_IN_SPREADS * (high - low) / 2)
    large = np.flatnonzero(far | (size >= LARGE))
    if not len(large) and not (_is_all_numbers(spec) and 0 < np.quantile(np.abs(values).max(axis=1), 0.8) < SMALL):
        return
    shown = int(large[np.argmax(size[large])]) if len(large) else int(np.argmax(size))
    others = f" ({len(large)} of {len(columns)} features are such)" if len(columns) > 1 and len(large) else ""
    whole = spec.kind == "numeric" and spec.n_features == 1 and bool(np.all(np.mod(values, 1) == 0))
    ids = ". If they are ids of tokens, set embedding_dim" if whole else ""
    warn(
        f"X is not scaled, and networks learn less from such numbers, or nothing: {columns[shown].label} lies mostly "
        f"between {low[shown]:.4g} and {high[shown]:.4g}{others}, wanted numbers around 0 of size 1. Scale them: "
        f"make_pipeline(PerStep(StandardScaler(){_inputs_to_scale(spec)}), {reader}(...)){ids}",
        SequenceDataWarning,
    )


def _inputs_to_scale(spec: InputSpec) -> str:
    """The argument of `PerStep` that names the inputs of numbers, where there are others."""
    numbers = [name for name, part in spec.inputs.items() if part.kind == "numeric"]
    return f", inputs={numbers}" if len(numbers) < len(spec.inputs) else ""


def warn_if_other_scale(sequences: Sequences, validation: Sequences, spec: InputSpec) -> None:
    """Warn if a numeric feature of the validation data is grossly on another scale than that of the training data.

    Parameters
    ----------
    sequences, validation : Sequences
        Encoded, as for :func:`warn_if_unscaled`.
    spec : InputSpec
    """
    columns = _numeric_columns(spec, "X_val")
    if not columns or not len(validation):
        return
    places = [column.place for column in columns]
    training, held_out = (_of_columns(spread_sample(part, NUMBERS), places) for part in (sequences, validation))
    known, new = training.values, held_out.values
    low, high, spread = known.min(axis=0), known.max(axis=0), known.std(axis=0)
    outside = np.median(np.maximum(np.maximum(low - new, new - high), 0), axis=0)
    floor = 1e-6 * np.abs(known).max(axis=0)
    beyond = (spread > floor) & (outside > BEYOND * spread)
    other = np.flatnonzero(beyond | _of_other_width(training, held_out))
    if not len(other):
        return
    k = int(other[np.argmax(np.abs(np.median(new, axis=0) - np.median(known, axis=0))[other])])
    inner, outer = (np.quantile(part, [0.05, 0.95], axis=0)[:, k] for part in (known, new))
    warn(
        f"X_val is on another scale than X: {columns[k].label} lies mostly between {outer[0]:.4g} and "
        f"{outer[1]:.4g}, in X between {inner[0]:.4g} and {inner[1]:.4g}. A Pipeline hands X_val to its last step "
        f"untransformed, unless it is made with Pipeline(..., transform_input=['X_val']) and metadata routing is "
        f"enabled; without a Pipeline, transform X_val as X is",
        SequenceDataWarning,
    )


def _of_other_width(training: Sequences, held_out: Sequences) -> NDArray[np.bool_]:
    """Which features (n,) vary in sequences of the validation data, as they never do in the training data.

    One feature may do so by chance, or in a few sequences. All of those that vary must, in five sequences or more.
    """
    known, new = _widths(training), _widths(held_out)
    none = np.zeros(training.n_features, dtype=bool)
    if len(new) < 5 or len(known) < 5:
        return none
    varies = (known.max(axis=0) > 0) & (new.max(axis=0) > 0)
    wider = np.median(new, axis=0) > TIMES * known.max(axis=0)
    narrower = TIMES * new.max(axis=0) < known.min(axis=0)
    all_wider, all_narrower = wider[varies].all(), narrower[varies].all()
    return varies if varies.any() and (all_wider or all_narrower) else none


def _widths(sequences: Sequences) -> NDArray[np.float64]:
    """The standard deviation (n, n_features) of the steps of each sequence of two or more."""
    long = sequences.take(np.flatnonzero(sequences.lengths > 1))
    if not len(long):
        return np.empty((0, sequences.n_features))
    starts, count = long.offsets[:-1], long.lengths[:, None]
    mean = np.add.reduceat(long.values, starts, axis=0) / count
    centred = long.values - np.repeat(mean, long.lengths, axis=0)
    return np.asarray(np.sqrt(np.add.reduceat(centred**2, starts, axis=0) / count))


def _numeric_columns(spec: InputSpec, name: str) -> list[_Column]:
    """The numeric features of an encoded step, without the indicators of what was missing."""
    columns = []
    for key, part, place in spec.numeric_parts():
        of = name if not key else f"the input {key!r} of {name}"
        names = None if part.table else part.feature_names
        for k in range(part.n_features):
            alone = of if names is None else f"the feature {names[k]!r} of {of}"
            label = alone if names is not None or part.n_features == 1 else f"the feature {k} of {of}"
            columns.append(_Column(label, place + k))
    return columns


def _is_all_numbers(spec: InputSpec) -> bool:
    """Whether nothing of a step is embedded."""
    return all(part.kind == "numeric" for part in spec.inputs.values()) if spec.inputs else spec.kind == "numeric"


def _of_columns(sequences: Sequences, places: list[int]) -> Sequences:
    return sequences.with_values(sequences.values[:, places].astype(np.float64))
