"""Numbers: one or several for each sequence, or for each step."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import r2_score

from sklearn_rnn.data.batching import Alignment
from sklearn_rnn.data.encoding import StepEncoding
from sklearn_rnn.data.formats import object_array
from sklearn_rnn.data.inputs import Inputs
from sklearn_rnn.data.number_targets import belongs_to_steps, plain_numbers, validate_numbers, validate_step_numbers
from sklearn_rnn.data.padding import lengths_given
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.step_shapes import warn_of_output_columns
from sklearn_rnn.data.training_set import TrainingSet
from sklearn_rnn.exceptions import SequenceDataError
from sklearn_rnn.metrics._number_pairs import in_one_scale, mean_of_outputs
from sklearn_rnn.networks.heads import HeadSpec, PooledHeadSpec, StepHeadSpec
from sklearn_rnn.networks.losses import Loss, LossSettings, loss_of_numbers
from sklearn_rnn.targets.base import Target, sequences_with, step_weights
from sklearn_rnn.targets.number_losses import NumberLoss, number_loss
from sklearn_rnn.targets.standard import Standard

Array = NDArray[np.float64]

LARGEST = 1e18
"""The largest number on the scale of training, whose square a network can compute with."""


@dataclass
class Numbers(Target):
    """Numbers that a loss measures, each of them there or NaN.

    Attributes
    ----------
    loss : NumberLoss
    block : bool
        Whether y was an array with a row for each sequence, so that predictions are one too where lengths are equal.
    flat : bool
        Whether y had no dimension of outputs.
    pooling : {"last", "mean", "max", "concat", "attention"}
        How a sequence becomes one vector.
    standard : Standard
        Learned: the scale of training.
    """

    loss: NumberLoss = field(default_factory=lambda: number_loss("squared_error"))
    block: bool = True
    flat: bool = True
    pooling: str = "last"
    standard: Standard = field(default_factory=lambda: Standard(np.zeros(0), np.ones(0)))

    @property
    def n_targets(self) -> int:
        """Numbers of each sequence, or step."""
        return len(self.standard.scale)

    def read(self, y: Any, inputs: Inputs) -> Any:
        return self.checked(validate_numbers(y, len(inputs), allow_nan=True))

    def checked(self, numbers: Any) -> Any:
        """The labels that valid `numbers` are, once outputs and loss are found to suit them."""
        self._check(numbers, 1 if numbers.ndim == 1 else numbers.shape[1])
        return numbers

    def _check(self, labels: Any, n_outputs: int) -> None:
        """Refuse `labels` with other outputs than those of the fit, or that the loss is not defined for."""
        if self.n_targets not in (0, n_outputs):
            raise SequenceDataError(f"y has {n_outputs} output(s), wanted the {self.n_targets} seen at first")
        self.loss.check(labels)

    def rows(self, labels: Any) -> Array:
        """The numbers (n, n_targets) of checked or encoded `labels`."""
        return labels.reshape(len(labels), -1)

    def present(self, labels: Any) -> NDArray[np.bool_]:
        return _share_present(self.rows(labels)) > 0

    def learn(self, whole: TrainingSet, training: TrainingSet, classes: Any, encoding: StepEncoding) -> None:
        self.check_classes(classes)
        self.standard = self.loss.learn(self.rows(training.target), training.weight)

    def check_classes(self, classes: Any) -> None:
        if classes is not None:
            raise ValueError(f"classes={classes!r} has no meaning for numbers: leave it out")

    def encode(self, labels: Any, *, training: bool) -> Any:
        return self.standard.encode(self.rows(labels))

    def weighed(self, data: TrainingSet, *, training: bool) -> TrainingSet:
        shares = _share_present(data.target)
        _refuse_beyond(data.target, data.weight)
        return replace(data, weight=data.weight * (len(data) / (data.weight * shares).sum()))

    def head(self) -> HeadSpec:
        return PooledHeadSpec(self._n_outputs, self._first_bias, self.pooling)

    def criterion(self, *parts: TrainingSet) -> tuple[Loss, LossSettings]:
        """The loss, which is told whether a row may lack some of its numbers; one that lacks all has weight 0."""
        shares = [_share_present(self.rows(part.target)) for part in parts]
        gaps = any(bool(np.any((share > 0) & (share < 1))) for share in shares)
        record = self.loss
        loss = loss_of_numbers(record.name, record, n_parameters=record.n_parameters, kernel=record.kernel)
        return loss, LossSettings(gaps=gaps)

    def score(self, decided: Any, target: Any, weight: Any, lengths: Any) -> float:
        with np.errstate(over="ignore"):
            predicted = self.loss.predict(self._by_target(decided), self.standard)
        if not np.isfinite(predicted).all():
            raise FloatingPointError("predictions are not finite")
        return masked_r2(self.standard.decode(target), predicted, weight)

    def attributes(self) -> dict[str, Any]:
        return {
            "target_mean_": self.standard.location,
            "target_scale_": self.standard.scale,
            "target_ndim_": 2 - self.flat,
            "target_alignment_": self.alignment,
        }

    def predictions(self, outputs: Array) -> Array:
        """The predicted numbers (n, n_targets) that raw `outputs` (n, n_outputs) stand for."""
        return self.loss.predict(self._by_target(outputs), self.standard)

    def deviations(self, outputs: Array) -> Array:
        """The standard deviation (n, n_targets) of each predicted distribution."""
        return self.loss.std(self._by_target(outputs), self.standard)

    def quantiles(self, outputs: Array, levels: ArrayLike | None) -> Array:
        """Quantiles (n, n_targets, n_levels) that never cross."""
        return self.loss.quantiles(self._by_target(outputs), self.standard, levels)

    def samples(self, outputs: Array, n_samples: int, random_state: np.random.RandomState) -> Array:
        """Draws (n, n_targets, n_samples) from the predicted distributions."""
        return self.loss.sample(self._by_target(outputs), self.standard, n_samples, random_state)

    def log_likelihood(self, outputs: Array, labels: Any) -> Array:
        """The log-density (n, n_targets) of checked `labels`; NaN where one is not there."""
        rows = self.rows(labels)
        return self.loss.log_likelihood(self._by_target(outputs), self.standard, rows)

    def score_labels(self, labels: Any, outputs: Array, weight: Array, of_steps: Sequences | None) -> float:
        """R2 of checked `labels` and what raw `outputs` predict."""
        return masked_r2(self.rows(labels), self.predictions(outputs), weight)

    def in_format(self, rows: Array, sequences: Sequences) -> Any:
        """`rows` (n, n_targets, ...) as y had them: without the dimension of targets if y had none."""
        return rows[:, 0] if self.flat else rows

    def _by_target(self, outputs: Array) -> Array:
        """Raw outputs (n, n_outputs) as (n, n_targets, n_parameters)."""
        return outputs.reshape(len(outputs), self.n_targets, self.loss.n_parameters)

    @property
    def _n_outputs(self) -> int:
        return self.n_targets * self.loss.n_parameters

    @property
    def _first_bias(self) -> tuple[float, ...] | None:
        bias = self.standard.first_bias
        return None if bias is None else tuple(bias.reshape(-1).tolist())


@dataclass
class StepNumbers(Numbers):
    """Numbers at each step.

    Attributes
    ----------
    max_length : int or None
        Steps of a longer sequence that are trained on.
    truncate : {"head", "tail"}
        The end that is cut off.
    """

    max_length: int | None = None
    truncate: str = "tail"

    alignment: ClassVar[Alignment] = "step"

    def read(self, y: Any, inputs: Inputs) -> Sequences:
        labels: Sequences = self.checked(validate_step_numbers(y, inputs))
        return labels

    def checked(self, numbers: Any) -> Any:
        """As of :class:`Numbers`, with values (total_steps, n_targets)."""
        rows = numbers.with_values(numbers.values.reshape(len(numbers.values), -1))
        self._check(rows, rows.n_features)
        return rows

    def rows(self, labels: Any) -> Array:
        return labels.values

    def present(self, labels: Any) -> NDArray[np.bool_]:
        return sequences_with(labels, super().present(labels))

    def learn(self, whole: TrainingSet, training: TrainingSet, classes: Any, encoding: StepEncoding) -> None:
        self.check_classes(classes)
        there = np.ones(len(training.target.values), dtype=bool)
        self.standard = self.loss.learn(training.target.values, step_weights(training, there))

    def encode(self, labels: Any, *, training: bool) -> Any:
        return labels.with_values(super().encode(labels, training=training))

    def cut(self, data: TrainingSet) -> TrainingSet:
        if self.max_length is None:
            return data
        parts = data.truncated(self.max_length, self.truncate)
        present = self.present(parts.target)
        if not present.any():
            raise ValueError(
                f"max_length={self.max_length} with truncate={self.truncate!r} cuts off every step that has a target: "
                f"raise max_length, or cut the other end"
            )
        return parts.take(np.flatnonzero(present))

    def weighed(self, data: TrainingSet, *, training: bool) -> TrainingSet:
        shares = _share_present(data.target.values)
        weight = step_weights(data, shares > 0)
        _refuse_beyond(data.target.values, weight)
        total = (weight * shares).sum()
        if total == 0:
            raise ValueError("no step has both a target and a weight: every number of y is NaN, or has weight 0")
        return replace(data, step_weight=data.target.with_values(weight * (len(data) / total)))

    def head(self) -> HeadSpec:
        return StepHeadSpec(self._n_outputs, self._first_bias)

    def score_labels(self, labels: Any, outputs: Array, weight: Array, of_steps: Sequences | None) -> float:
        weighted = TrainingSet(labels, labels, weight, of_steps)
        weight = step_weights(weighted, np.ones(len(labels.values), dtype=bool))
        return masked_r2(labels.values, self.predictions(outputs), weight)

    def in_format(self, rows: Array, sequences: Sequences) -> Any:
        """`rows` (total_steps, n_targets, ...) as an object array (n_sequences,) with an item for each sequence.

        Where y was an array, and all lengths are equal, as an array (n_sequences, n_steps, ...).
        """
        lengths = sequences.lengths
        rows = rows[:, 0] if self.flat else rows
        if self.block and np.all(lengths == lengths[0]):
            return rows.reshape(len(lengths), lengths[0], *rows.shape[1:])
        return object_array([rows[begin:end] for begin, end in pairwise(sequences.offsets)])


def read_numbers(
    y: Any, inputs: Inputs, loss: NumberLoss, aligned: str, *, max_length: int | None, truncate: str
) -> tuple[Numbers, Any]:
    """What kind of target `y` is, and `y` checked.

    Parameters
    ----------
    y : numbers in any format
    inputs : Sequences or AlignedSequences
    loss : NumberLoss
    aligned : {"auto", "sequence", "step"}
        What the numbers belong to; ``"auto"`` finds out.
    max_length, truncate
        As of :class:`StepNumbers`.

    Returns
    -------
    target : Numbers
    labels : array of shape (n_sequences,) or (n_sequences, n_targets), or Sequences
    """
    y = plain_numbers(y)
    n_dimensions = 1 if isinstance(y, Sequences) else len(getattr(y, "shape", (0,)))
    target: Numbers
    if aligned == "step" or (aligned == "auto" and belongs_to_steps(y, inputs)):
        numbers = validate_step_numbers(y, inputs)
        target = StepNumbers(loss, n_dimensions > 1, numbers.values.ndim == 1, max_length=max_length, truncate=truncate)
        return target, target.checked(numbers)
    labels = validate_numbers(y, len(inputs), allow_nan=True)
    if aligned == "auto":
        warn_of_output_columns(labels.shape, lengths_given(inputs))
    target = Numbers(loss, flat=labels.ndim == 1)
    return target, target.checked(labels)


def masked_r2(truth: Array, predicted: Array, weight: Array) -> float:
    """R2 of the numbers that are there, the mean over outputs (n, n_outputs); NaN if none is there."""
    if not np.isnan(truth).any():
        truth, predicted, _ = in_one_scale(truth, predicted)
        return float(r2_score(truth, predicted, sample_weight=weight))
    return mean_of_outputs(r2_score, truth, predicted, weight)


def _share_present(rows: Array) -> Array:
    """The share (n,) of the numbers of each row (n, n_targets) that are there."""
    return 1 - np.isnan(rows).mean(axis=1)


def _refuse_beyond(rows: Array, weight: Array) -> None:
    """Raise if encoded `rows` (n, n_targets) with a weight hold numbers that a network cannot compute with."""
    largest = np.nanmax(np.abs(rows), axis=1, initial=0)[weight > 0].max(initial=0)
    if largest > LARGEST:
        raise SequenceDataError(
            f"y holds a number {largest:.1e} times as large as the scale that was learned of those of fit: give y in "
            f"one unit"
        )
