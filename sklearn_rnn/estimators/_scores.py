"""Scores of classifiers and bagged regressors, of targets and weights that are checked as those of ``fit`` are."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.metrics import accuracy_score

from sklearn_rnn.data.number_targets import validate_numbers
from sklearn_rnn.data.row_order import check_order
from sklearn_rnn.data.targets import validate_class_labels
from sklearn_rnn.data.weights import validate_weights
from sklearn_rnn.exceptions import SequenceDataError
from sklearn_rnn.targets.numbers import masked_r2


class ScoredClassifier(ClassifierMixin):
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


class ScoredRegressor(RegressorMixin):
    """A regressor of scikit-learn whose score reads y and weights itself."""

    def score(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """The coefficient of determination R2 of the predictions.

        Parameters
        ----------
        X : sequences in any supported format
        y : array-like of shape (n_sequences,) or (n_sequences, n_outputs)
            What is NaN is left out.
        sample_weight : array-like of shape (n_sequences,), optional

        Returns
        -------
        score : float
            The mean over outputs.
        """
        check_order(X, {"y": y, "sample_weight": sample_weight})
        predicted = self.predict(X)
        truth = validate_numbers(y, len(predicted), allow_nan=True)
        weight = validate_weights(sample_weight, len(predicted))
        if truth.shape != predicted.shape:
            raise SequenceDataError(
                f"y has shape {truth.shape}, and the predictions {predicted.shape}: give y as in fit"
            )
        return masked_r2(truth.reshape(len(truth), -1), predicted.reshape(len(truth), -1), weight)
