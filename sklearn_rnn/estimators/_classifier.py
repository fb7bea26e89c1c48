"""Classification of whole sequences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score

from sklearn_rnn.data.targets import validate_class_labels
from sklearn_rnn.data.training_set import TrainingSet
from sklearn_rnn.estimators._class_weights import class_weight_vector, refuse_unknown_classes
from sklearn_rnn.estimators._labelled import LabelledRNN
from sklearn_rnn.estimators._parameters import fill_docs
from sklearn_rnn.estimators._pooled import PooledRNN


@fill_docs()
@dataclass(kw_only=True, eq=False, repr=False)
class RNNClassifier(ClassifierMixin, PooledRNN, LabelledRNN):
    """Recurrent network that classifies sequences.

    An optional embedding, recurrent layers (vanilla, LSTM or GRU, in one direction or both), pooling over the steps
    and a linear head, trained on the cross-entropy. Binary and multiclass labels of any type, and multilabel
    indicator matrices.

    Parameters
    ----------
    {backbone}
    {pooling}
    {training}
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes; ``"balanced"`` gives each class the same total weight. For multilabel targets the dict
        is about the labels' positions, and weighs the sequences that carry them.
    label_smoothing : float in [0, 1), default=0.0
        Share of each label that is spread evenly over all classes.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        The labels; for multilabel targets the positions of the columns.
    target_kind_ : {"multiclass", "multilabel"}
        Whether a sequence has one label, of two or more, or any number of labels.
    {fitted}

    See Also
    --------
    RNNRegressor : Numbers in place of classes.
    RNNSequenceTagger : A label for each step.

    References
    ----------
    {references}

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_rnn import RNNClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.normal(size=(length, 2)) for length in rng.integers(3, 9, size=60)]
    >>> y = np.array(["up" if x[-1, 0] > x[0, 0] else "down" for x in X])
    >>> clf = RNNClassifier(hidden_size=16, random_state=0).fit(X, y)
    >>> clf.classes_
    array(['down', 'up'], dtype='<U4')
    >>> clf.predict_proba(X[:2]).shape
    (2, 2)
    >>> clf.score(X, y) > 0.9
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **PooledRNN._parameter_constraints,
        **LabelledRNN._parameter_constraints,
    }
    _stratified: ClassVar[bool] = True

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable class of each sequence.

        Parameters
        ----------
        X : sequences in any supported format

        Returns
        -------
        labels : array of shape (n_sequences,), or of 0 and 1 and shape (n_sequences, n_labels)
        """
        logits = self._raw_outputs(X)
        if self._multilabel:
            return (logits > 0).astype(np.int64)
        codes = (logits[:, 0] > 0).astype(np.int64) if logits.shape[1] == 1 else logits.argmax(axis=1)
        return self.classes_[codes]

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """The logits: of the second class for binary targets, else one for each class or label.

        Parameters
        ----------
        X : sequences in any supported format

        Returns
        -------
        logits : array of shape (n_sequences,) for binary targets, else (n_sequences, n_classes)
        """
        logits = self._raw_outputs(X)
        return logits[:, 0] if logits.shape[1] == 1 and not self._multilabel else logits

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """The probability of each class.

        Parameters
        ----------
        X : sequences in any supported format

        Returns
        -------
        probabilities : array of shape (n_sequences, n_classes)
            In the order of ``classes_``. Rows sum to 1, but for multilabel targets.
        """
        return self._probabilities(self._raw_outputs(X))

    def predict_log_proba(self, X: Any) -> NDArray[np.float64]:
        """The logarithm of the probability of each class, exact where the probability itself rounds to 0.

        Parameters
        ----------
        X : sequences in any supported format

        Returns
        -------
        log_probabilities : array of shape (n_sequences, n_classes)
        """
        logits = self._raw_outputs(X)
        if self._multilabel:
            return log_expit(logits)
        if logits.shape[1] == 1:
            return log_expit(np.hstack([-logits, logits]))
        return log_softmax(logits, axis=1)

    def staged_predict_proba(self, X: Any) -> Iterator[NDArray[np.float64]]:
        """The probabilities after each step: what would be predicted if the sequences ended there.

        Parameters
        ----------
        X : sequences in any supported format

        Yields
        ------
        probabilities : array of shape (n_sequences, n_classes)
            After the first step, the second, and so on; a sequence that has ended keeps its last.
        """
        for logits in self._staged_outputs(X):
            yield self._probabilities(logits)

    @property
    def _multilabel(self) -> bool:
        return self.target_kind_ == "multilabel"

    def _probabilities(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        if self._multilabel:
            return expit(logits)
        if logits.shape[1] == 1:
            return np.hstack([expit(-logits), expit(logits)])
        return softmax(logits, axis=1)

    def _validate_labels(self, y: Any, n_sequences: int) -> NDArray[Any]:
        return validate_class_labels(y, n_sequences)[0]

    def _learn_target(self, data: TrainingSet, classes: Any) -> None:
        labels = data.target
        self.target_kind_ = "multilabel" if labels.ndim == 2 else "multiclass"
        if labels.ndim == 2:
            self.classes_ = np.arange(labels.shape[1])
            return
        self.classes_ = np.unique(labels if classes is None else np.asarray(classes))
        if len(self.classes_) < 2:
            raise ValueError(
                f"y holds only 1 class, {self.classes_.tolist()[0]!r}, among the sequences of positive weight: "
                f"{type(self).__name__} needs at least 2 classes"
            )

    def _encode_target(self, target: NDArray[Any], *, training: bool) -> NDArray[Any]:
        if self._multilabel:
            if target.ndim != 2 or target.shape[1] != len(self.classes_):
                raise ValueError(f"y has shape {target.shape}, wanted the {len(self.classes_)} labels seen at first")
            return target.astype(np.float64)
        if target.ndim != 1:
            raise ValueError(f"y has shape {target.shape}, wanted one label a sequence as seen at first")
        refuse_unknown_classes(target, self.classes_)
        codes = np.searchsorted(self.classes_, target)
        return codes if len(self.classes_) > 2 else codes[:, None].astype(np.float64)

    def _target_weights(self, data: TrainingSet) -> NDArray[np.float64]:
        if self.class_weight is None:
            return np.ones(len(data))
        codes = data.target.astype(np.int64)
        if not self._multilabel:
            codes = codes.reshape(-1)
            return class_weight_vector(self.class_weight, self.classes_, codes, data.weight)[codes]
        if isinstance(self.class_weight, dict):
            vector = class_weight_vector(self.class_weight, self.classes_, np.empty(0, np.int64), np.empty(0))
            return np.where(codes > 0, vector, 1.0).prod(axis=1)
        factors = np.ones(len(data))
        for column in codes.T:
            factors *= class_weight_vector(self.class_weight, np.arange(2), column, data.weight)[column]
        return factors

    def _n_outputs(self) -> int:
        return len(self.classes_) if self._multilabel or len(self.classes_) > 2 else 1

    def _loss(self, *parts: TrainingSet) -> dict[str, Any]:
        binary = self._multilabel or len(self.classes_) == 2
        return {
            "loss": "binary_cross_entropy" if binary else "cross_entropy",
            "label_smoothing": self.label_smoothing,
        }

    def _score_outputs(self, outputs: Any, target: Any, weight: Any, lengths: Any) -> float:
        predicted = outputs > 0 if target.ndim == 2 else outputs.argmax(axis=1)
        return float(accuracy_score(target.astype(np.int64), predicted.astype(np.int64), sample_weight=weight))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
