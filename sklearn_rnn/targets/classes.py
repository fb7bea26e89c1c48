"""Classes of whole sequences, and sets of labels."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.metrics import accuracy_score

from sklearn_rnn._warning import warn
from sklearn_rnn.data.encoding import StepEncoding
from sklearn_rnn.data.integers import distinct_labels
from sklearn_rnn.data.training_set import TrainingSet
from sklearn_rnn.data.weights import LARGEST, SMALLEST, scaled
from sklearn_rnn.exceptions import SequenceDataWarning
from sklearn_rnn.networks.heads import HeadSpec, PooledHeadSpec
from sklearn_rnn.networks.losses import BINARY_CROSS_ENTROPY, CROSS_ENTROPY, Loss, LossSettings
from sklearn_rnn.targets.base import Target
from sklearn_rnn.targets.class_weights import class_weight_vector, refuse_unknown_classes

FEW = 10
"""Rows up to which sets of labels may hold one label each by chance."""

ClassWeight = dict[Any, float] | str | None


@dataclass
class Classes(Target):
    """One class of two or more for each sequence.

    Attributes
    ----------
    class_weight : dict, "balanced" or None
    label_smoothing : float
    pooling : {"last", "mean", "max", "concat", "attention"}
    classes : array of shape (n_classes,)
        Learned.
    """

    of_labels: ClassVar[bool] = True

    class_weight: ClassWeight = None
    label_smoothing: float = 0.0
    pooling: str = "last"
    classes: NDArray[Any] = field(default_factory=lambda: np.empty(0))

    def learn(self, whole: TrainingSet, training: TrainingSet, classes: Any, encoding: StepEncoding) -> None:
        self.classes = np.unique(whole.target) if classes is None else distinct_labels(classes)
        if len(self.classes) < 2:
            raise ValueError(
                f"y holds only 1 class, {self.classes.tolist()[0]!r}, among the sequences of positive weight: a "
                f"classifier needs at least 2 classes"
            )

    def check_classes(self, classes: Any) -> None:
        check_classes(classes, self.classes)

    def encode(self, labels: NDArray[Any], *, training: bool) -> NDArray[Any]:
        if labels.ndim != 1:
            raise ValueError(f"y has shape {labels.shape}, wanted one label a sequence as seen at first")
        refuse_unknown_classes(labels, self.classes)
        codes = np.searchsorted(self.classes, labels.astype(self.classes.dtype))  # else both may become floats
        return codes if len(self.classes) > 2 else codes[:, None].astype(np.float64)

    def weighed(self, data: TrainingSet, *, training: bool) -> TrainingSet:
        if not training or self.class_weight is None:
            return super().weighed(data, training=training)
        weight = data.weight * self._class_factors(self.class_weight, data)
        if not weight.any():
            raise ValueError(f"class_weight={self.class_weight!r} gives all training data weight 0")
        return super().weighed(replace(data, weight=weight), training=training)

    def head(self) -> HeadSpec:
        return PooledHeadSpec(1 if len(self.classes) == 2 else len(self.classes), pooling=self.pooling)

    def criterion(self, *parts: TrainingSet) -> tuple[Loss, LossSettings]:
        loss = BINARY_CROSS_ENTROPY if len(self.classes) == 2 else CROSS_ENTROPY
        return loss, LossSettings(self.label_smoothing)

    def score(self, decided: Any, target: Any, weight: Any, lengths: Any) -> float:
        return float(accuracy_score(target.astype(np.int64), decided.astype(np.int64), sample_weight=weight))

    def attributes(self) -> dict[str, Any]:
        return {"classes_": self.classes, "target_kind_": "multiclass"}

    def strata(self, labels: NDArray[Any]) -> NDArray[Any] | None:
        return labels

    def decision(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """The logits (n_sequences, n_outputs) as ``decision_function`` returns them."""
        return logits[:, 0] if logits.shape[1] == 1 else logits

    def labels(self, logits: NDArray[np.float64]) -> NDArray[Any]:
        """The most probable label of each sequence (n_sequences,)."""
        return self.classes[(logits[:, 0] > 0).astype(np.int64) if logits.shape[1] == 1 else logits.argmax(axis=1)]

    def probabilities(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """The probability of each class, (n_sequences, n_classes)."""
        if logits.shape[1] == 1:
            return np.hstack([expit(-logits), expit(logits)])
        return softmax(logits, axis=1)

    def log_probabilities(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Their logarithms, exact where the probability itself rounds to 0."""
        return log_expit(np.hstack([-logits, logits])) if logits.shape[1] == 1 else log_softmax(logits, axis=1)

    def _class_factors(self, class_weight: dict[Any, float] | str, data: TrainingSet) -> NDArray[np.float64]:
        """What the weight of each encoded sequence (n_sequences,) is multiplied with."""
        codes = data.target.astype(np.int64).reshape(-1)
        return scaled(class_weight_vector(class_weight, self.classes, codes, data.weight))[codes]


@dataclass
class LabelSets(Classes):
    """Any number of labels for each sequence, as rows of 0 and 1."""

    def learn(self, whole: TrainingSet, training: TrainingSet, classes: Any, encoding: StepEncoding) -> None:
        self.classes = np.arange(whole.target.shape[1])

    def encode(self, labels: NDArray[Any], *, training: bool) -> NDArray[Any]:
        if labels.ndim != 2 or labels.shape[1] != len(self.classes):
            raise ValueError(f"y has shape {labels.shape}, wanted the {len(self.classes)} labels seen at first")
        return labels.astype(np.float64)

    def head(self) -> HeadSpec:
        return PooledHeadSpec(len(self.classes), pooling=self.pooling)

    def criterion(self, *parts: TrainingSet) -> tuple[Loss, LossSettings]:
        return BINARY_CROSS_ENTROPY, LossSettings(self.label_smoothing)

    def attributes(self) -> dict[str, Any]:
        return {"classes_": self.classes, "target_kind_": "multilabel"}

    def strata(self, labels: NDArray[Any]) -> NDArray[Any] | None:
        return labels[:, 0] if labels.shape[1] == 1 else None

    def decision(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        return logits

    def labels(self, logits: NDArray[np.float64]) -> NDArray[Any]:
        """0 and 1 for each label, (n_sequences, n_labels)."""
        return (logits > 0).astype(np.int64)

    def probabilities(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """The probability of each label, (n_sequences, n_labels)."""
        return expit(logits)

    def log_probabilities(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        return log_expit(logits)

    def _class_factors(self, class_weight: dict[Any, float] | str, data: TrainingSet) -> NDArray[np.float64]:
        codes = data.target.astype(np.int64)
        if isinstance(class_weight, dict):
            vector = class_weight_vector(class_weight, self.classes, np.empty(0, np.int64), np.empty(0))
            return _products(np.where(codes > 0, vector, 1.0))
        factors = np.ones(len(data))
        for column in codes.T:
            factors *= class_weight_vector(class_weight, np.arange(2), column, data.weight)[column]
        return factors


def _products(factors: NDArray[np.float64]) -> NDArray[np.float64]:
    """The products of rows (n, n_labels), up to a common factor where they are too large or too small for floats."""
    with np.errstate(over="ignore", under="ignore"):
        products: NDArray[np.float64] = factors.prod(axis=1)
    if np.all(products <= LARGEST) and np.all((products >= SMALLEST) | (factors == 0).any(axis=1)):
        return products
    with np.errstate(divide="ignore"):
        logarithms = np.log(factors).sum(axis=1)
    return np.exp(logarithms - logarithms.max())


def class_target(labels: NDArray[Any], fitted: Classes | None) -> Classes:
    """The kind of target that checked `labels` (n_sequences,) or (n_sequences, n_labels) are, or were in ``fit``."""
    if fitted is not None:
        return fitted
    if labels.ndim == 1:
        return Classes()
    if len(labels) >= FEW and labels.shape[1] > 1 and np.all(labels.sum(axis=1) == 1):
        warn(
            f"Each of the {len(labels)} rows of y holds one 1, and is read as a set of labels (multilabel). If it is a "
            f"one-hot code of one class for each sequence, give y.argmax(axis=1), or the labels themselves",
            SequenceDataWarning,
        )
    return LabelSets()


def check_classes(classes: Any, known: NDArray[Any]) -> None:
    """Raise ValueError unless `classes`, as a call gives them, are None or those that are `known`."""
    if classes is not None and not np.array_equal(distinct_labels(classes), known):
        raise ValueError(f"classes={classes!r} differs from the classes of the first call, {known.tolist()!r}")
