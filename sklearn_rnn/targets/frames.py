"""Steps of numbers to come: frames of features that are each 0 or 1, and real numbers."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sklearn_rnn.data.continuing import closed, opened, shifted
from sklearn_rnn.data.encoding import StepEncoding
from sklearn_rnn.data.formats import locate
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.training_set import TrainingSet
from sklearn_rnn.exceptions import SequenceDataError
from sklearn_rnn.networks.heads import FrameHead, FrameHeadSpec, Head, HeadSpec, LikelihoodHead, MixtureHeadSpec
from sklearn_rnn.networks.losses import LIKELIHOOD, Loss, LossSettings
from sklearn_rnn.networks.number_decoding import NumberDecoder
from sklearn_rnn.networks.stepping import Stepper
from sklearn_rnn.targets.continuation import Continuation
from sklearn_rnn.targets.standard import Standard

Array = NDArray[np.float64]

LARGEST = 1e12
"""The largest number on the scale of training, whose square a network can compute with."""


@dataclass
class NumberSteps(Continuation):
    """The next step, a row of numbers; what all kinds of them share.

    Attributes
    ----------
    read_as : Standard
        Learned: the network reads ``(number - location) / scale``.
    end_log_odds : float or None
        Learned: of an end, among all steps; None where there is none.
    """

    read_as: Standard = field(default_factory=lambda: Standard(np.zeros(0), np.ones(0)))
    end_log_odds: float | None = None

    @property
    def n_features(self) -> int:
        """Numbers of a step."""
        return len(self.read_as.scale)

    @property
    def begin(self) -> Any:
        return np.zeros(self.n_features)

    @abstractmethod
    def learn_numbers(self, steps: Sequences, weight: Array) -> None:
        """Learn from `steps` as they were given, each of which counts by its `weight` (total_steps,)."""

    @abstractmethod
    def for_loss(self, numbers: Array) -> Array:
        """Numbers (n, n_features) in the units of X as the loss takes them."""

    @abstractmethod
    def from_loss(self, numbers: Array) -> Array:
        """The reverse of :meth:`for_loss`."""

    def learn(self, whole: TrainingSet, training: TrainingSet, classes: Any, encoding: StepEncoding) -> None:
        super().learn(whole, training, classes, encoding)
        steps, counts = training.sequences, training.counts
        weight = np.repeat(counts, steps.lengths)
        if not weight.any():
            raise ValueError("X holds no step that has a weight: there is nothing to learn about what comes next")
        mean, scale = encoding.mean_and_scale or (np.zeros(steps.n_features), np.ones(steps.n_features))
        self.read_as = Standard(mean, scale)
        self.end_log_odds = None if self.stream else float(np.log(counts.sum() / weight.sum()))
        self.learn_numbers(steps, weight)

    def continued(self, steps: Sequences) -> tuple[Sequences, Sequences]:
        numbers = self.for_loss(self.read_as.decode(steps.values.astype(np.float64)))
        if self.stream:
            return shifted(steps, self.begin), steps.with_values(numbers)
        rows = steps.with_values(np.column_stack([numbers, np.zeros(len(numbers))]))
        return opened(steps, self.begin), closed(rows, [*[np.nan] * self.n_features, 1.0])

    def criterion(self, *parts: TrainingSet) -> tuple[Loss, LossSettings]:
        return LIKELIHOOD, LossSettings()

    def attributes(self) -> dict[str, Any]:
        return {}

    def warn_of_unknown(self, following: Sequences) -> None:
        """Nothing: all numbers are known."""

    def log_likelihood(self, outputs: Tensor, target: Tensor, head: Head) -> Tensor:
        assert isinstance(head, LikelihoodHead)
        return head.log_likelihood(outputs, target)

    def best(self, outputs: Tensor, head: Head) -> Array:
        """The most probable step (n, n_features) of outputs (n, n_outputs); NaN where an end is more probable."""
        assert isinstance(head, LikelihoodHead)
        numbers, is_end = head.best(outputs)
        found = self.from_loss(numbers.detach().double().cpu().numpy())
        return np.where(is_end.cpu().numpy()[:, None], np.nan, found)

    def decoder(self, stepper: Stepper, head: Head, read: Any, begin: Any = None) -> NumberDecoder:
        """What writes new steps; `read` and `begin` are as of :class:`NumberDecoder`."""
        assert isinstance(head, LikelihoodHead)
        return NumberDecoder(stepper, head, read, units=self.from_loss, again=self.as_read, begin=begin)

    def as_read(self, numbers: Array) -> Array:
        """Numbers (n, n_features) in the units of X as the network reads them."""
        return self.read_as.encode(numbers)


@dataclass
class Frames(NumberSteps):
    """The next frame of features that are each 0 or 1, as the notes of a piano roll are.

    Attributes
    ----------
    frame_head : {"independent", "chained"}
        Whether each feature depends on those before it in the frame.
    log_odds : tuple of float
        Learned: of each feature to be 1.
    """

    frame_head: str = "independent"
    log_odds: tuple[float, ...] = ()

    def check(self, steps: Sequences) -> None:
        refused = (steps.values != 0) & (steps.values != 1)
        if not refused.any():
            return
        row, feature = map(int, np.argwhere(refused)[0])
        where = "".join(f"[{i}]" for i in (*locate(steps, row), feature))
        raise SequenceDataError(
            f"output='binary' wants frames of 0 and 1, got X{where} = {steps.values[row, feature]:g} "
            f"({int(refused.sum())} such number(s) in all): give X > 0 if it holds velocities or counts of notes, or "
            f"set output='gaussian_mixture' for real numbers"
        )

    def learn_numbers(self, steps: Sequences, weight: Array) -> None:
        share = (weight @ steps.values + 0.5) / (weight.sum() + 1)
        self.log_odds = tuple(np.log(share / (1 - share)).tolist())

    def for_loss(self, numbers: Array) -> Array:
        return np.rint(numbers)

    def from_loss(self, numbers: Array) -> Array:
        return numbers

    def head(self) -> HeadSpec:
        chained = self.frame_head == "chained"
        return FrameHeadSpec.of(self.log_odds, end_log_odds=self.end_log_odds, chained=chained)

    def probabilities(self, outputs: Tensor, head: Head) -> Array:
        """The probability of each feature (n, n_features) to be 1 in the next frame, if there is one."""
        assert isinstance(head, FrameHead)
        return head.note_probabilities(outputs.double()).detach().cpu().numpy()


@dataclass
class RealSteps(NumberSteps):
    """The next real numbers, whose distribution is a mixture of normal ones.

    Attributes
    ----------
    n_mixtures : int
        Components of the mixture.
    standard : Standard
        Learned: the scale of the loss.
    """

    n_mixtures: int = 10
    standard: Standard = field(default_factory=lambda: Standard(np.zeros(0), np.ones(0)))

    has_probabilities: ClassVar[bool] = False

    def learn_numbers(self, steps: Sequences, weight: Array) -> None:
        self.standard = Standard.learn(steps.values, weight, "standardise")

    def for_loss(self, numbers: Array) -> Array:
        return self.standard.encode(numbers)

    def from_loss(self, numbers: Array) -> Array:
        return self.standard.decode(numbers)

    def weighed(self, data: TrainingSet, *, training: bool) -> TrainingSet:
        largest = np.nanmax(np.abs(data.target.values), initial=0)
        if largest > LARGEST:
            raise SequenceDataError(
                f"X holds a number {largest:.1e} times as large as the scale that was learned of those of fit: give X "
                f"in one unit"
            )
        return super().weighed(data, training=training)

    def head(self) -> HeadSpec:
        """A head whose densities are those of numbers in the units of X."""
        log_unit = float(np.log(self.standard.scale).sum())
        return MixtureHeadSpec.of(self.n_features, self.n_mixtures, end_log_odds=self.end_log_odds, log_unit=log_unit)
