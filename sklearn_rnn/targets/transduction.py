"""A sequence of its own length for each sequence."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn.data.batching import Alignment
from sklearn_rnn.data.encoding import StepEncoding
from sklearn_rnn.data.training_set import TrainingSet
from sklearn_rnn.data.validation import InputSpec
from sklearn_rnn.networks.heads import HeadSpec
from sklearn_rnn.networks.heads.decoder import DecoderHeadSpec, DecoderSpec
from sklearn_rnn.networks.inputs import InputLayout
from sklearn_rnn.networks.losses import Loss, LossSettings
from sklearn_rnn.targets.base import TargetOfSteps
from sklearn_rnn.targets.continuation import Continuation

MARGIN = 5
"""New steps that a target may have beyond what the lengths of training say."""


@dataclass
class Transduction(TargetOfSteps):
    """Sequences that belong to others as wholes: what comes next in them, given a source.

    Attributes
    ----------
    following : Continuation
        What a step of y is, and what comes next.
    spec : InputSpec
        What y is.
    decoder : DecoderSpec
    min_df : int or float
    max_features : int or None
    embedding_dim : int
    flat : bool
        Whether a step of y is a number, and not a row of one.
    shared : bool
        Whether the symbols of y are those of X.
    encoding : StepEncoding
        Learned: how steps of y become numbers.
    ratio : float
        Learned: the most steps that a target has for a step of its source.
    """

    following: Continuation
    spec: InputSpec
    decoder: DecoderSpec = field(default_factory=DecoderSpec)
    min_df: int | float = 1
    max_features: int | None = None
    embedding_dim: int = 100
    stored_dtype: str = "float32"
    flat: bool = False
    shared: bool = False
    encoding: StepEncoding | None = None
    ratio: float = 1.0

    alignment: ClassVar[Alignment] = "own"

    def learn(self, whole: TrainingSet, training: TrainingSet, classes: Any, encoding: StepEncoding) -> None:
        steps = training.target
        if self.shared:
            self.encoding = StepEncoding(vocabularies=dict(list(encoding.vocabularies.items())[:1]))
        else:
            self.encoding = StepEncoding.learn(
                steps,
                self.spec,
                min_df=self.min_df,
                max_features=self.max_features,
                standardize="auto",
                counts=training.weight,
            )
        self.encoding.bounded = bool(self.encoding.vocabularies)
        self.following.learn(_targets_of(whole), _targets_of(training), classes, self.encoding)
        lengths = np.maximum(whole.sequences.lengths, 1)
        self.ratio = float(np.max((whole.target.lengths + MARGIN) / (lengths + MARGIN)))

    def encode(self, labels: Any, *, training: bool) -> Any:
        """The steps of y as the network reads them, before each and what comes next: two of sequences."""
        assert self.encoding is not None
        return self.following.continued(self.encoding.encode(labels, self.spec, self.stored_dtype))

    def encoded(self, data: TrainingSet, *, training: bool) -> TrainingSet:
        read, following = self.encode(data.target, training=training)
        return replace(data, target=following, read=read)

    def weighed(self, data: TrainingSet, *, training: bool) -> TrainingSet:
        """Weights such that the loss of a fit is the mean loss of a step of y."""
        weight = np.repeat(data.weight, data.target.lengths)
        return replace(data, step_weight=data.target.with_values(weight * (len(data) / weight.sum())))

    def head(self) -> HeadSpec:
        output = self.following.head()
        layout = None
        if self.encoding is not None and self.encoding.vocabularies:
            layout = InputLayout(embedded=((self.encoding.sizes[0], self.embedding_dim),))
        return DecoderHeadSpec(
            n_outputs=output.n_outputs,
            layers=self.decoder,
            output=output,
            layout=layout,
            n_features=self.spec.n_features,
        )

    def criterion(self, *parts: TrainingSet) -> tuple[Loss, LossSettings]:
        return self.following.criterion(*parts)

    def attributes(self) -> dict[str, Any]:
        return {f"target_{name}": value for name, value in self.following.attributes().items()}

    def most_new(self, lengths: NDArray[np.int64]) -> int:
        """The most steps of targets for sources of these lengths."""
        return int(np.ceil(self.ratio * (lengths.max(initial=0) + MARGIN)))


def _targets_of(data: TrainingSet) -> TrainingSet:
    """The targets of a training set as sequences that go on by themselves."""
    return replace(data, sequences=data.target, target=np.empty((len(data), 0)))
