"""What every kind of target is to the template of a fit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn.data.batching import Alignment
from sklearn_rnn.data.encoding import StepEncoding
from sklearn_rnn.data.inputs import Inputs
from sklearn_rnn.data.number_targets import is_nested, validate_step_weights
from sklearn_rnn.data.orders import Order
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.training_set import TrainingSet
from sklearn_rnn.data.weights import plain_weights, validate_weights
from sklearn_rnn.networks.heads import Head, HeadSpec
from sklearn_rnn.networks.losses import Loss, LossSettings


class Target(ABC):
    """A kind of y: how it is checked, learned, encoded and scored, and what network and loss it wants.

    Targets are dataclasses. Some of their fields are parameters of an estimator, :meth:`learn` sets the others.
    """

    alignment: ClassVar[Alignment] = "sequence"
    of_labels: ClassVar[bool] = False
    """Whether it is labels, and not numbers."""

    continues: ClassVar[bool] = False
    """Whether it is what X itself goes on with."""

    scored_by_loss: ClassVar[bool] = False
    """Whether the score is the loss with its sign turned, so that nobody needs to know what outputs say."""

    stream: bool = False
    """Whether all of X is one sequence."""

    def read_weight(
        self, sample_weight: Any, inputs: Inputs, *, name: str = "sample_weight"
    ) -> tuple[NDArray[np.float64], Sequences | None]:
        """The weight of each sequence (n_sequences,), and those of its steps if they are given one by one.

        Raises
        ------
        ValueError
            If they do not fit, are negative, not finite, or all 0.
        """
        sample_weight = None if sample_weight is None else plain_weights(sample_weight, name)
        if self.alignment == "step" and sample_weight is not None:
            of_steps = validate_step_weights(sample_weight, inputs, name=name)
            if of_steps is not None:
                return sequences_with(of_steps, of_steps.values > 0).astype(np.float64), of_steps
        elif is_nested(sample_weight):
            raise ValueError(
                f"{name} holds weights of steps, but y one target for each sequence: give one weight for each"
            )
        return validate_weights(sample_weight, len(inputs), name=name), None

    def present(self, labels: Any) -> NDArray[np.bool_]:
        """Which sequences (n_sequences,) have something to learn from."""
        return np.ones(len(labels), dtype=bool)

    @abstractmethod
    def learn(self, whole: TrainingSet, training: TrainingSet, classes: Any, encoding: StepEncoding) -> None:
        """Learn what y is from the `whole` data, and its numbers from the part that is trained on.

        The `encoding` is that of the steps of X, for a y that is made of them.

        Raises
        ------
        ValueError
            If nothing can be learned from it.
        """

    def check_classes(self, classes: Any) -> None:  # noqa: B027  # nothing to check is a fine answer
        """Raise ValueError if the `classes` of a later call differ from those that were learned."""

    def refuse_unknown(self, labels: Any) -> None:  # noqa: B027
        """Raise if the labels of a training set are not those that were learned."""

    @abstractmethod
    def encode(self, labels: Any, *, training: bool) -> Any:
        """The numbers that the loss takes; not in `training`, those that a score is made from."""

    def encoded(self, data: TrainingSet, *, training: bool) -> TrainingSet:
        """`data`, the steps of which are encoded, with an encoded target."""
        return replace(data, target=self.encode(data.target, training=training))

    def divided(self, data: TrainingSet, fraction: float) -> tuple[TrainingSet, TrainingSet] | None:
        """What is trained on, and the `fraction` that is held out, where that is no choice among sequences."""
        return None

    def order(self, *, training: bool) -> Order | None:
        """The order of batches; None for that in which sequences of similar length share one."""
        return None

    def cut(self, data: TrainingSet) -> TrainingSet:
        """The parts of encoded training sequences that the network is shown."""
        return data

    def n_parts(self, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many parts :meth:`cut` makes of each sequence (n_sequences,) of so many steps, with or without labels."""
        return np.ones(len(lengths), dtype=np.int64)

    def weighed(self, data: TrainingSet, *, training: bool) -> TrainingSet:
        """Encoded `data` with the weights of the loss, of mean 1 a sequence; in `training` those of classes count too.

        Raises
        ------
        ValueError
            If nothing is left that has a weight.
        """
        return replace(data, weight=data.weight / data.weight.mean())

    @abstractmethod
    def head(self) -> HeadSpec:
        """What stands on the hidden states."""

    @abstractmethod
    def criterion(self, *parts: TrainingSet) -> tuple[Loss, LossSettings]:
        """The loss, and its settings for the encoded `parts` that it is to be computed of."""

    @abstractmethod
    def score(
        self, decided: NDArray[Any], target: NDArray[Any], weight: NDArray[np.float64], lengths: NDArray[np.int64]
    ) -> float:
        """The validation score.

        Parameters
        ----------
        decided : array of shape (n, ...)
            What the loss decides from outputs: codes, or numbers.
        target : array of shape (n, ...)
            Encoded. Where there is one a step, all steps of a sequence follow those of another.
        weight : array of shape (n,)
        lengths : array of int, shape (n_sequences,)

        Returns
        -------
        score : float
            Greater is better.
        """

    def settle(self, head: Head) -> None:  # noqa: B027
        """Change what of a trained `head` is another one in predictions."""

    @abstractmethod
    def attributes(self) -> dict[str, Any]:
        """The fitted attributes of an estimator that describe this target, by name."""

    def strata(self, labels: Any) -> NDArray[Any] | None:
        """The class of each sequence (n_sequences,) that a validation split keeps the shares of, if there is one."""
        return None


class TargetOfSteps(Target):
    """A target that is sequences itself, each as probable as its steps are together: the loss is the score."""

    scored_by_loss: ClassVar[bool] = True

    def read_weight(
        self, sample_weight: Any, inputs: Inputs, *, name: str = "sample_weight"
    ) -> tuple[NDArray[np.float64], Sequences | None]:
        return validate_weights(sample_weight, len(inputs), name=name), None

    def score(self, decided: Any, target: Any, weight: Any, lengths: Any) -> float:
        raise AssertionError("the loss is the score")


def step_weights(data: TrainingSet, present: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The weight of each step (total_steps,): that of its sequence, times its own; 0 where no target is `present`."""
    weight = np.repeat(data.weight, data.target.lengths) * present
    return weight if data.step_weight is None else weight * data.step_weight.values


def any_uneven(parts: Sequence[TrainingSet]) -> bool:
    """Whether steps of one sequence may differ in their weights."""
    return any(part.step_weight is not None for part in parts)


def sequences_with(sequences: Sequences, steps: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which `sequences` (n_sequences,) have at least one of the `steps` (total_steps,)."""
    counts = np.concatenate([[0], np.cumsum(steps)])
    return np.diff(counts[sequences.offsets]) > 0
