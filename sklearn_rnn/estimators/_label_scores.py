"""The score of classifiers, of labels and of sets of them."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score

from sklearn_rnn.data.row_order import check_order
from sklearn_rnn.data.targets import validate_class_labels
from sklearn_rnn.data.weights import validate_weights


class LabelScoreMixin(ClassifierMixin):
    """scikit-learn's classifiers, which compare indicators of labels with 0 and 1 alone."""

    def score(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """The share of sequences with the right label, or of multilabel targets the right set of labels.

        Parameters
        ----------
        X : sequences in any supported format
        y : array-like of shape (n_sequences,), or an indicator of shape (n_sequences, n_labels)
        sample_weight : array-like of shape (n_sequences,), optional

        Returns
        -------
        score : float
        """
        check_order(X, {"y": y, "sample_weight": sample_weight})
        predicted = self.predict(X)
        labels = validate_class_labels(y, len(predicted))[0]
        weight = None if sample_weight is None else validate_weights(sample_weight, len(predicted))
        return float(accuracy_score(labels, predicted, sample_weight=weight))
