"""Ensembles fitted on bootstrap samples of sequences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import accuracy_score
from sklearn.utils import _safe_indexing, get_tags
from sklearn.utils.validation import _num_samples, check_is_fitted

from sklearn_rnn._snapshots import of_one_fit
from sklearn_rnn._wrapped import final_estimator, final_template
from sklearn_rnn.data.row_order import check_order
from sklearn_rnn.data.targets import validate_class_labels
from sklearn_rnn.estimators._bagged_steps import as_predicted, numbers_for_members, read_steps
from sklearn_rnn.estimators._bagging_base import BaseSequenceBagging, indexable
from sklearn_rnn.estimators._classifier import RNNClassifier
from sklearn_rnn.estimators._docs import documented
from sklearn_rnn.estimators._parameters import extended
from sklearn_rnn.estimators._regressor import RNNRegressor
from sklearn_rnn.estimators._scores import ScoredClassifier, ScoredRegressor
from sklearn_rnn.estimators._tagger import RNNSequenceTagger
from sklearn_rnn.targets.numbers import masked_r2


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
    n_iter_ : array of int, shape (n_estimators,)
        Epochs that each network was trained for; this and what follows only if the members are networks, or Pipelines
        that end with one.
    best_epochs_ : array of int, shape (n_estimators,)
        The epoch, counted from 1, whose weights each network keeps.
    loss_curves_ : list of lists of float
        The mean loss of each epoch of each network.
    validation_scores_ : list of lists of float, or None
        The validation score of each network after each epoch; None without validation data.

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
        mean: NDArray[np.float64] = np.mean(self._each_prediction(X), axis=0)
        return mean

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

    def _validate_target(self, y: Any, n_rows: int) -> tuple[NDArray[Any], NDArray[Any]]:
        refuse_other_members(self._template(), "classifier", "regressors go into SequenceBaggingRegressor")
        labels = validate_class_labels(y, n_rows)[0]
        return labels, labels

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

    def _for_member(
        self, routed: dict[str, Any], target: Any, rows: NDArray[np.int64], draw: NDArray[np.float64]
    ) -> dict[str, Any]:
        """Validation sequences of a class that the draw lacks are left out: the member knows no such class."""
        of_sequences = {name: value for name, value in routed.items() if name.endswith("_val")}
        absent = np.setdiff1d(target[rows], target[rows[draw > 0]]) if target.ndim == 1 else np.empty(0)
        if len(absent) == 0 or not {"X_val", "y_val"} <= set(of_sequences):
            return routed
        sequences = indexable(routed["X_val"], "X_val")
        labels = validate_class_labels(routed["y_val"], _num_samples(sequences))[0]
        known = np.flatnonzero(~np.isin(labels, absent))
        of_sequences = {**of_sequences, "X_val": sequences, "y_val": labels}
        return {**routed, **{name: _safe_indexing(value, known) for name, value in of_sequences.items()}}

    def _score_out_of_bag(self, X: Any, target: Any, weight: Any, population: Any, draws: Any) -> None:
        probabilities = self._out_of_bag_predictions(X, np.ones(len(target), dtype=np.int64), population, draws)
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
    :class:`SequenceBaggingClassifier` draws them. Members that are :class:`RNNRegressor`, or Pipelines that end with
    one, take y as they do alone: a number, or a row of numbers, for each sequence or for each of its steps.

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
    oob_prediction_ : like what :meth:`predict` returns
        The out-of-bag predictions, NaN for a sequence that every member drew; only with `oob_score`.
    n_iter_ : array of int, shape (n_estimators,)
        Epochs that each network was trained for; this and what follows only if the members are networks, or Pipelines
        that end with one.
    best_epochs_ : array of int, shape (n_estimators,)
        The epoch, counted from 1, whose weights each network keeps.
    loss_curves_ : list of lists of float
        The mean loss of each epoch of each network.
    validation_scores_ : list of lists of float, or None
        The validation score of each network after each epoch; None without validation data.
    target_alignment_ : {"sequence", "step"}
        What the numbers of y belong to.

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
            Where targets belong to steps, as :meth:`RNNRegressor.predict` returns them.
        """
        predictions = self._each_prediction(X)
        mean: NDArray[np.float64] = np.mean([self._rows(each) for each in predictions], axis=0)
        if self.target_alignment_ == "sequence":
            return mean
        lengths = np.array([len(part) for part in predictions[0]])
        return as_predicted(mean, lengths, block=predictions[0].dtype != object)

    @of_one_fit
    def score(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """The coefficient of determination R2 of the predictions.

        Parameters
        ----------
        X : sequences in any format that the members take
        y : array-like
            As in ``fit``; what is NaN is left out.
        sample_weight : array-like of shape (n_sequences,), optional
            Where targets belong to steps, also ragged: for each sequence the weights of its steps.

        Returns
        -------
        score : float
            The mean over outputs.
        """
        check_is_fitted(self)
        if self.target_alignment_ == "sequence":
            return super().score(X, y, sample_weight)
        check_order(X, {"y": y, "sample_weight": sample_weight})
        X = indexable(X, "X")
        truth, weight = read_steps(self.estimators_[0], X, y, sample_weight)
        rows = np.concatenate(list(self.predict(X)))
        return masked_r2(truth.values, rows.reshape(truth.values.shape), weight)

    @property
    def target_alignment_(self) -> str:
        """What the numbers of y belong to: "sequence" or "step"."""
        alignment: str = getattr(final_estimator(self.estimators_[0])[0], "target_alignment_", "sequence")
        return alignment

    def _predictions(self, member: Any, X: Any) -> NDArray[Any]:
        return np.asarray(member.predict(X))

    def _rows(self, predictions: NDArray[Any]) -> NDArray[np.float64]:
        of_steps = self.target_alignment_ == "step"
        return np.asarray(np.concatenate(list(predictions)) if of_steps else predictions, dtype=np.float64)

    def _default_estimator(self) -> RNNRegressor:
        return RNNRegressor()

    def _validate_target(self, y: Any, n_rows: int) -> tuple[Any, Any]:
        refuse_other_members(self._template(), "regressor", "classifiers go into SequenceBaggingClassifier")
        return numbers_for_members(y, n_rows, self._template())

    def _learn_target(self, target: Any, counted: NDArray[np.bool_]) -> tuple[dict[str, Any], None]:
        return {}, None

    def _score_out_of_bag(self, X: Any, target: Any, weight: Any, population: Any, draws: Any) -> None:
        of_steps = self.target_alignment_ == "step"
        n_rows = np.ones(len(target), dtype=np.int64)
        if of_steps:
            steps, weight = read_steps(self.estimators_[0], X, target, weight)
            target, n_rows, block = steps.values, steps.lengths, isinstance(target, np.ndarray) and target.ndim > 1
        predicted = self._out_of_bag_predictions(X, n_rows, population, draws)
        self.oob_prediction_ = as_predicted(predicted, n_rows, block=block) if of_steps else predicted
        truth, rows = (numbers.reshape(len(weight), -1) for numbers in (target, predicted))
        scored = ~np.isnan(rows).any(axis=1)
        self.oob_score_ = masked_r2(truth[scored], rows[scored], weight[scored])


def refuse_other_members(template: Any, wanted: str, others: str) -> None:
    """Refuse members whose predictions mean something else; what says nothing of its kind is taken."""
    tags = get_tags(template)
    if isinstance(final_template(template), RNNSequenceTagger) or tags.estimator_type not in (wanted, None):
        raise ValueError(f"estimator={template!r:.200} is no {wanted}: {others}, and taggers into no bagging")
