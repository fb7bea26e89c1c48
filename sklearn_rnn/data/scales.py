"""The size of numbers as a network reads them: whether it can learn from them, and whether it is that of X_val."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn._warning import warn
from sklearn_rnn.data.encoding import StepEncoding, parts_of
from sklearn_rnn.data.inputs import Inputs
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

SQUEEZED = 0.01
"""Half of what two thirds of the values of a scaled feature lie within, below which little is learned from them."""

BEYOND = 10.0
"""How far the validation data of a feature lies outside the range of X, in standard deviations of X."""

TIMES = 10.0
"""How much wider or narrower sequences are in the validation data than they ever are in X."""


@dataclass(frozen=True)
class _Column:
    """A numeric feature: what errors call it, and where in an encoded step it stands, counted from the end."""

    label: str
    place: int


@dataclass(frozen=True)
class EncodedNumbers:
    """The numbers of a training set as a network reads them, and what they were before.

    Attributes
    ----------
    sequences : Sequences
        Encoded: values (total_steps, n_columns), the numeric features last.
    spec : InputSpec
    mean, scale : array of shape (n_numbers,) or float
        What was subtracted from the numbers, and what they were then divided by.
    """

    sequences: Sequences
    spec: InputSpec
    mean: NDArray[np.float64] | float = 0.0
    scale: NDArray[np.float64] | float = 1.0

    def given(self, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Numbers (..., n_numbers) as they were in X."""
        return np.asarray(numbers * self.scale + self.mean)


def warn_if_unscaled(numbers: EncodedNumbers, *, reader: str, pretrained: bool = False) -> None:
    """Warn if a numeric feature is so large, so far from 0, or all of them are so small, that little is learned.

    Parameters
    ----------
    numbers : EncodedNumbers
    reader : str
        What to call the estimator.
    pretrained : bool
        Whether the scale, or that there is none, is that of another estimator.
    """
    spec, columns = numbers.spec, _numeric_columns(numbers.spec, "X")
    if _is_no_sequence(columns, spec):
        return
    values = _of_columns(spread_sample(numbers.sequences, NUMBERS), [column.place for column in columns]).values
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
    between = f"between {numbers.given(low)[shown]:.4g} and {numbers.given(high)[shown]:.4g}{others}"
    warn(
        f"X is not on the scale of what pretrained was fitted on, and networks learn less from such numbers, or "
        f"nothing: {columns[shown].label} lies mostly {between}. Give X in the units that it had there"
        if pretrained
        else f"X is not scaled, and networks learn less from such numbers, or nothing: {columns[shown].label} lies "
        f"mostly {between}, wanted numbers around 0 of size 1. Set standardize='auto' or True, or scale them: "
        f"make_pipeline(PerStep(StandardScaler(){_inputs_to_scale(spec)}), {reader}(...)){ids}",
        SequenceDataWarning,
    )


def warn_if_squeezed(inputs: Inputs, spec: InputSpec, encoding: StepEncoding, *, reader: str) -> None:
    """Warn if a few values of a feature are so far out that its scale leaves no difference between the others.

    Parameters
    ----------
    inputs : Sequences or AlignedSequences
        Of training, not encoded.
    spec : InputSpec
    encoding : StepEncoding
        With the scales that were learned of `inputs`.
    reader : str
        What to call the estimator.
    """
    columns = _numeric_columns(spec, "X")
    if _is_no_sequence(columns, spec):
        return
    low, high, scale = _bulk(inputs, spec, encoding)
    # what is mostly one value is no accident, and what is constant has a scale of 1
    squeezed = np.flatnonzero((high > low) & (scale != 1) & ((high - low) / 2 < SQUEEZED * scale))
    if not len(squeezed):
        return
    k = int(squeezed[np.argmin(((high - low) / scale)[squeezed])])
    others = f" ({len(squeezed)} of {len(columns)} features are such)" if len(columns) > 1 else ""
    label = columns[k].label
    warn(
        f"{label[:1].upper() + label[1:]} lies mostly between {low[k]:.4g} and {high[k]:.4g}, but a few values are so "
        f"far out that its standard deviation is {scale[k]:.4g}: divided by that, the others hardly differ{others}. If "
        f"those few are errors, leave them out or clip them; if not, "
        f"make_pipeline(PerStep(QuantileTransformer(){_inputs_to_scale(spec)}), {reader}(...)) brings all apart",
        SequenceDataWarning,
    )


def _bulk(inputs: Inputs, spec: InputSpec, encoding: StepEncoding) -> tuple[NDArray[np.float64], ...]:
    """Of each numeric feature (n_numbers,) what two thirds of its values lie between, and its scale."""
    found = []
    for name, part, _ in parts_of(inputs, spec):
        scale = encoding.scales.get(name)
        if scale is not None:
            values = spread_sample(part, NUMBERS).values[:, : len(scale.mean)].astype(np.float64)
            values = np.where(np.isnan(values), scale.mean, values)
            found.append(np.vstack([np.quantile(values, [0.16, 0.84], axis=0), scale.scale]))
    low, high, scales = np.concatenate(found, axis=1)
    return low, high, scales


def _is_no_sequence(columns: list[_Column], spec: InputSpec) -> bool:
    """Whether there are no numbers, or a table of a column or two of them, which is no sequence."""
    return not columns or (spec.table and spec.n_features_in < 3)


def _inputs_to_scale(spec: InputSpec) -> str:
    """The argument of `PerStep` that names the inputs of numbers, where there are others."""
    numbers = [name for name, part in spec.inputs.items() if part.kind == "numeric"]
    return f", inputs={numbers}" if len(numbers) < len(spec.inputs) else ""


def warn_if_other_scale(numbers: EncodedNumbers, validation: Sequences) -> None:
    """Warn if a numeric feature of the validation data is grossly on another scale than that of the training data.

    Parameters
    ----------
    numbers : EncodedNumbers
    validation : Sequences
        Encoded as they are.
    """
    columns = _numeric_columns(numbers.spec, "X_val")
    if not columns or not len(validation):
        return
    places = [column.place for column in columns]
    training, held_out = (_of_columns(spread_sample(part, NUMBERS), places) for part in (numbers.sequences, validation))
    known, new = training.values, held_out.values
    low, high, spread = known.min(axis=0), known.max(axis=0), known.std(axis=0)
    outside = np.median(np.maximum(np.maximum(low - new, new - high), 0), axis=0)
    floor = 1e-6 * np.abs(numbers.given(known)).max(axis=0) / numbers.scale
    beyond = (spread > floor) & (outside > BEYOND * spread)
    other = np.flatnonzero(beyond | _of_other_width(training, held_out))
    if not len(other):
        return
    k = int(other[np.argmax(np.abs(np.median(new, axis=0) - np.median(known, axis=0))[other])])
    inner, outer = ([numbers.given(q)[k] for q in np.quantile(part, [0.05, 0.95], axis=0)] for part in (known, new))
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
