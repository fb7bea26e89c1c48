"""What the outputs of a network say of each stream: what the estimator's own methods say of a sequence."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from sklearn_rnn.networks.chain_filtering import ChainFilter
from sklearn_rnn.networks.stepping import NetworkStepper
from sklearn_rnn.targets.classes import Classes
from sklearn_rnn.targets.tags import Tags

Array = NDArray[Any]


def answers_of(model: Any, chain: Any, n_streams: int) -> Answers:
    """What the outputs mean to a fitted estimator.

    Parameters
    ----------
    model : RNNClassifier, RNNRegressor or RNNSequenceTagger
    chain : LabelChain or None
        Of its network.
    n_streams : int
    """
    if isinstance(model.target_, Tags):
        return TagAnswers(model, chain, n_streams)
    return ClassAnswers(model) if isinstance(model.target_, Classes) else NumberAnswers(model)


class Answers:
    """Predictions from the outputs (n, n_outputs) of the streams `rows` (n,), of a fitted estimator."""

    before_steps: ClassVar[bool] = False
    """Whether there is something to predict before the first step."""

    has_probabilities: bool = True

    def __init__(self, model: Any) -> None:
        self.model = model
        self.target: Any = model.target_

    def said(self, stepper: NetworkStepper, rows: NDArray[np.int64]) -> Array | None:
        """What :meth:`keep` wants of the outputs (n, n_outputs) before a step of the streams `rows` (n,)."""
        return None

    def keep(self, stepper: NetworkStepper, rows: NDArray[np.int64], said: Array | None) -> None:
        """Remember what is needed of the step that the streams `rows` (n,) have just taken."""

    def begin(self, rows: NDArray[np.int64]) -> None:
        """Forget what was remembered of the streams `rows` (n,), but for what their first step forgets."""

    def predict(self, outputs: Array, rows: NDArray[np.int64]) -> Array:
        """What ``predict`` says."""
        raise TypeError(f"{type(self).__name__} predicts nothing")

    def probabilities(self, outputs: Array, rows: NDArray[np.int64]) -> Array:
        """What ``predict_proba`` says, (n, n_classes)."""
        raise AttributeError(f"{type(self.model).__name__} has no predict_proba")

    def to_arrays(self) -> dict[str, Array]:
        """What is remembered of the steps so far, by name; each with a row a stream."""
        return {}


class ClassAnswers(Answers):
    """Of a classifier: labels, or sets of them."""

    def predict(self, outputs: Array, rows: NDArray[np.int64]) -> Array:
        return self.target.labels(outputs)

    def probabilities(self, outputs: Array, rows: NDArray[np.int64]) -> Array:
        return self.target.probabilities(outputs)

    def decision(self, outputs: Array) -> Array:
        """What ``decision_function`` says."""
        return self.target.decision(outputs)


class NumberAnswers(Answers):
    """Of a regressor: numbers."""

    has_probabilities = False

    def predict(self, outputs: Array, rows: NDArray[np.int64]) -> Array:
        y: Array = self.target.predictions(outputs)
        return y[:, 0] if self.target.flat else y

    def quantiles(self, outputs: Array, levels: Any) -> Array:
        """What ``predict_quantiles`` says."""
        y: Array = self.target.quantiles(outputs, levels)
        return y[:, 0] if self.target.flat else y


class TagAnswers(Answers):
    """Of a tagger: the label of the newest step, given the steps so far."""

    def __init__(self, model: Any, chain: Any, n_streams: int) -> None:
        super().__init__(model)
        self._codec = self.target.codec
        self._filter: ChainFilter | None = None
        if chain.joins:
            scores = chain().detach().cpu().double().numpy()
            self._filter = ChainFilter(scores, n_streams, [pairs for pairs, _, _ in self._codec.touching()])

    def keep(self, stepper: NetworkStepper, rows: NDArray[np.int64], said: Array | None) -> None:
        if self._filter is not None:
            self._filter.advance(stepper.outputs[rows], rows, stepper.n_steps[rows] == 1)

    def predict(self, outputs: Array, rows: NDArray[np.int64]) -> Array:
        if self._filter is None:
            return self._codec.label_names[outputs.argmax(axis=1)]
        return self._codec.names[self.probabilities(outputs, rows).argmax(axis=1)]

    def probabilities(self, outputs: Array, rows: NDArray[np.int64]) -> Array:
        if self._filter is None:
            return self.target.class_probabilities(softmax(outputs, axis=1), [])
        return self.target.class_probabilities(self._filter.probabilities(rows), list(self._filter.of_pairs[rows].T))

    def to_arrays(self) -> dict[str, Array]:
        if self._filter is None:
            return {}
        return {"messages": self._filter.messages, "pairs": self._filter.of_pairs}
