"""Ensembles fitted on bootstrap samples of sequences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import get_tags

from sklearn_rnn._snapshots import of_one_fit
from sklearn_rnn.data.number_targets import validate_numbers
from sklearn_rnn.data.targets import validate_class_labels
from sklearn_rnn.estimators._bagging_base import BaseSequenceBagging
from sklearn_rnn.estimators._classifier import RNNClassifier
from sklearn_rnn.estimators._docs import documented
from sklearn_rnn.estimators._parameters import extended
from sklearn_rnn.estimators._regressor import RNNRegressor
from sklearn_rnn.estimators._scores import ScoredClassifier, ScoredRegressor
from sklearn_rnn.estimators._tagger import RNNSequenceTagger
from sklearn_rnn.exceptions import SequenceDataError
from sklearn_rnn.metrics._number_pairs import in_one_scale


@documented
@dataclass(kw_only=True, eq=False, repr=False)
class SequenceBaggingClassifier(ScoredClassifier, BaseSequenceBagging):
    """Bagging [bagging]_ of classifiers of sequences: the mean probabilities of members fitted on bootstrap samples.

    It takes the place of :class:`sklearn.ensemble.BaggingClassifier`, which takes 2-D data alone. Whole sequences are
    drawn, by their positions, so that X may have any format that the members take. A member that takes `sample_weight`
    is told how often each sequence was drawn; any other, such as a Pipeline, is given the sequences that were drawn.

    Equal sequences with equal targets count as one sequence of greater weight, so that a `sample_weight` of 2 equals a
    repeated sequence to the last bit, and copies of a sequence are never on both sides of the out-of-bag score. A draw
    that holds one class alone is made anew. Numbers are equal in every type and container that holds the same values.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        The labels; for multilabel targets the positions of the columns. A member whose draw lacks a class gives that
        class a probability of 0.
    target_kind_ : {"multiclass", "multilabel"}
        Whether a sequence has one label, of two or more, or any number of labels.
    estimators_ : list of classifiers
        The fitted members.
    estimators_samples_ : list of arrays of int
        The rows that were drawn for each member, without repeats; of equal rows the first.
    n_features_in_ : int
        Features a step, or columns of a 2-D table, that the members saw.
    feature_names_in_ : array of str
        Names of the columns, if X had any.
    oob_score_ : float
        Accuracy of the out-of-bag predictions; only with `oob_score`.
    oob_decision_function_ : array of shape (n_sequences, n_classes)
        The out-of-bag probabilities, NaN for a sequence that every member drew; only with `oob_score`.

    See Also
    --------
    SequenceBaggingRegressor : The same for numbers.

    References
    ----------
    {references}

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_rnn import RNNClassifier, SequenceBaggingClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.normal(size=(length, 1)) for length in rng.integers(3, 9, size=60)]
    >>> y = np.array(["up" if x.mean() > 0 else "down" for x in X])
    >>> base = RNNClassifier(hidden_size=8, max_epochs=5)
    >>> bagging = SequenceBaggingClassifier(base, oob_score=True, random_state=0).fit(X, y)
    >>> bagging.predict_proba(X[:2]).shape
    (2, 2)
    >>> bagging.oob_decision_function_.shape
    (60, 2)
    """

    estimator: Any = extended(BaseSequenceBagging, "estimator", "None is :class:`RNNClassifier` with its defaults.")

    @of_one_fit
    def predict(self, X: Any) -> NDArray[Any]:
        """The class with the greatest mean probability.

        Parameters
        ----------
        X : sequences in any format that the members take

        Returns
        -------
        labels : array of shape (n_sequences,), or of 0 and 1 and shape (n_sequences, n_labels)
        """
        return self._decide(self.predict_proba(X))

    @of_one_fit
    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """The mean of the members' probabilities; of members that have none, the shares of their votes.

        Parameters
        ----------
        X : sequences in any format that the members take

        Returns
        -------
        probabilities : array of shape (n_sequences, n_classes)
            In the order of ``classes_``.
        """
        return self._mean_prediction(X)

    @of_one_fit
    def predict_log_proba(self, X: Any) -> NDArray[np.float64]:
        """The logarithm of the mean probability.

        Parameters
        ----------
        X : sequences in any format that the members take

        Returns
        -------
        log_probabilities : array of shape (n_sequences, n_classes)
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def _decide(self, probabilities: NDArray[np.float64]) -> NDArray[Any]:
        if self._multilabel:
            return (probabilities > 0.5).astype(np.int64)
        return self.classes_[probabilities.argmax(axis=1)]

    def _predictions(self, member: Any, X: Any) -> NDArray[np.float64]:
        has_probabilities = hasattr(member, "predict_proba")
        predicted = member.predict_proba(X) if has_probabilities else member.predict(X)
        if self._multilabel:
            return np.asarray(predicted, dtype=np.float64)
        if not has_probabilities:
            return np.asarray(predicted[:, None] == self.classes_, dtype=np.float64)
        probabilities = np.zeros((len(predicted), len(self.classes_)))
        probabilities[:, np.searchsorted(self.classes_, member.classes_)] = predicted
        return probabilities

    def _default_estimator(self) -> RNNClassifier:
        return RNNClassifier()

    def _validate_target(self, y: Any, n_rows: int) -> NDArray[Any]:
        refuse_other_members(self._template(), "classifier", "regressors go into SequenceBaggingRegressor")
        return validate_class_labels(y, n_rows)[0]

    @property
    def _multilabel(self) -> bool:
        return self.target_kind_ == "multilabel"

    def _learn_target(
        self, target: NDArray[Any], counted: NDArray[np.bool_]
    ) -> tuple[dict[str, Any], NDArray[np.int64] | None]:
        if target.ndim == 2:
            return {"target_kind_": "multilabel", "classes_": np.arange(target.shape[1])}, None
        classes = np.unique(target[counted])
        if len(classes) < 2:
            raise ValueError(
                f"y holds only 1 class, {classes.tolist()[0]!r}, among the sequences of positive weight: "
                f"{type(self).__name__} needs at least 2 classes"
            )
        return {"target_kind_": "multiclass", "classes_": classes}, np.unique(target, return_inverse=True)[1]

    def _score_out_of_bag(self, X: Any, target: Any, weight: Any, population: Any, draws: Any) -> None:
        probabilities = self._out_of_bag_predictions(X, len(target), population, draws)
        scored = ~np.isnan(probabilities).reshape(len(target), -1).any(axis=1)
        self.oob_decision_function_ = probabilities
        predicted = self._decide(probabilities[scored])
        self.oob_score_ = float(accuracy_score(target[scored], predicted, sample_weight=weight[scored]))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags = get_tags(self._template()).classifier_tags or tags.classifier_tags
        return tags


@documented
@dataclass(kw_only=True, eq=False, repr=False)
class SequenceBaggingRegressor(ScoredRegressor, BaseSequenceBagging):
    """Bagging [bagging]_ of regressors of sequences: the mean predictions of members fitted on bootstrap samples.

    It takes the place of :class:`sklearn.ensemble.BaggingRegressor`, which takes 2-D data alone. Samples are drawn as
    :class:`SequenceBaggingClassifier` draws them.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    estimators_ : list of regressors
        The fitted members.
    estimators_samples_ : list of arrays of int
        The rows that were drawn for each member, without repeats; of equal rows the first.
    n_features_in_ : int
        Features a step, or columns of a 2-D table, that the members saw.
    feature_names_in_ : array of str
        Names of the columns, if X had any.
    oob_score_ : float
        R2 of the out-of-bag predictions; only with `oob_score`.
    oob_prediction_ : array of shape (n_sequences,) or (n_sequences, n_outputs)
        The out-of-bag predictions, NaN for a sequence that every member drew; only with `oob_score`.

    See Also
    --------
    SequenceBaggingClassifier : The same for classes.

    References
    ----------
    {references}

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_rnn import RNNRegressor, SequenceBaggingRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.normal(size=(length, 1)) for length in rng.integers(3, 9, size=60)]
    >>> y = np.array([x.mean() for x in X])
    >>> base = RNNRegressor(hidden_size=8, max_epochs=5)
    >>> SequenceBaggingRegressor(base, n_estimators=3, random_state=0).fit(X, y).predict(X[:2]).shape
    (2,)
    """

    estimator: Any = extended(BaseSequenceBagging, "estimator", "None is :class:`RNNRegressor` with its defaults.")

    @of_one_fit
    def predict(self, X: Any) -> NDArray[np.float64]:
        """The mean of the members' predictions.

        Parameters
        ----------
        X : sequences in any format that the members take

        Returns
        -------
        y : array of shape (n_sequences,) or (n_sequences, n_outputs)
        """
        return self._mean_prediction(X)

    def _predictions(self, member: Any, X: Any) -> NDArray[np.float64]:
        predicted = member.predict(X)
        if isinstance(predicted, np.ndarray) and predicted.dtype.kind == "O":
            raise SequenceDataError(
                "The members predict numbers for steps of sequences of unequal lengths, of which bagging has no mean. "
                "Fit RNNRegressor to them, or to y of shape (n_sequences,) or (n_sequences, n_outputs)"
            )
        return np.asarray(predicted, dtype=np.float64)

    def _default_estimator(self) -> RNNRegressor:
        return RNNRegressor()

    def _validate_target(self, y: Any, n_rows: int) -> NDArray[Any]:
        refuse_other_members(self._template(), "regressor", "classifiers go into SequenceBaggingClassifier")
        return validate_numbers(y, n_rows)

    def _learn_target(self, target: NDArray[Any], counted: NDArray[np.bool_]) -> tuple[dict[str, Any], None]:
        return {}, None

    def _score_out_of_bag(self, X: Any, target: Any, weight: Any, population: Any, draws: Any) -> None:
        predicted = self._out_of_bag_predictions(X, len(target), population, draws)
        scored = ~np.isnan(predicted).reshape(len(target), -1).any(axis=1)
        self.oob_prediction_ = predicted
        truth, of_members, _ = in_one_scale(target[scored], predicted[scored])
        self.oob_score_ = float(r2_score(truth, of_members, sample_weight=weight[scored]))


def refuse_other_members(template: Any, wanted: str, others: str) -> None:
    """Refuse members whose predictions mean something else; what says nothing of its kind is taken."""
    tags = get_tags(template)
    last = template
    while hasattr(last, "steps"):
        last = last.steps[-1][1]
    if isinstance(last, RNNSequenceTagger) or tags.estimator_type not in (wanted, None):
        raise ValueError(f"estimator={template!r:.200} is no {wanted}: {others}, and taggers into no bagging")
