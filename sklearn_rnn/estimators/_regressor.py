"""Numbers from whole sequences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin, _fit_context
from sklearn.metrics import r2_score

from sklearn_rnn.data.targets import validate_numbers
from sklearn_rnn.data.training_set import TrainingSet
from sklearn_rnn.estimators._parameters import fill_docs
from sklearn_rnn.estimators._pooled import PooledRNN


@fill_docs()
@dataclass(kw_only=True, eq=False, repr=False)
class RNNRegressor(RegressorMixin, PooledRNN):
    """Recurrent network that predicts one number, or a vector of fixed size, for each sequence.

    An optional embedding, recurrent layers (vanilla, LSTM or GRU, in one direction or both), pooling over the steps
    and a linear head, trained on the squared error. Targets are standardised for training, and predictions come back
    in their units: no scaling of y is needed.

    Parameters
    ----------
    {backbone}
    {pooling}
    {training}

    Attributes
    ----------
    target_mean_, target_scale_ : array of shape (n_outputs,)
        Weighted mean and standard deviation of the targets in training.
    target_ndim_ : int
        Dimensions of y in training, and of predictions.
    {fitted}

    See Also
    --------
    RNNClassifier : Classes in place of numbers.
    RNNSequenceTagger : A label for each step.

    References
    ----------
    {references}

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_rnn import RNNRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.normal(size=(length, 1)) for length in rng.integers(3, 9, size=60)]
    >>> y = np.array([x.mean() for x in X])
    >>> reg = RNNRegressor(hidden_size=16, random_state=0).fit(X, y)
    >>> reg.predict(X[:2]).shape
    (2,)
    >>> reg.score(X, y) > 0.9
    True
    """

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, *, sample_weight: ArrayLike | None = None) -> RNNRegressor:
        """Run one epoch over more data, going on from the present weights.

        Parameters
        ----------
        X : sequences in any supported format
        y : array-like of shape (n_sequences,) or (n_sequences, n_outputs)
            Standardised with the mean and scale of the first call's targets.
        sample_weight : array-like of shape (n_sequences,), optional

        Returns
        -------
        self : RNNRegressor
        """
        with self._fitting():
            return self._fit(X, y, sample_weight, None, None, reset=not hasattr(self, "net_"), partial=True)

    def predict(self, X: Any) -> NDArray[np.float64]:
        """The expected target of each sequence.

        Parameters
        ----------
        X : sequences in any supported format

        Returns
        -------
        y : array of shape (n_sequences,), or (n_sequences, n_outputs) if y had two dimensions in ``fit``
        """
        y = self._raw_outputs(X) * self.target_scale_ + self.target_mean_
        return y[:, 0] if self.target_ndim_ == 1 else y

    def score(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """The coefficient of determination R2 of the predictions.

        Parameters
        ----------
        X : sequences in any supported format
        y : array-like of shape (n_sequences,) or (n_sequences, n_outputs)
        sample_weight : array-like of shape (n_sequences,), optional

        Returns
        -------
        score : float
        """
        predicted = self.predict(X)
        y = validate_numbers(y, len(predicted))
        if y.reshape(len(y), -1).shape != predicted.reshape(len(predicted), -1).shape:
            raise ValueError(f"y has shape {y.shape}, predictions have shape {predicted.shape}: outputs differ")
        return float(r2_score(y.reshape(predicted.shape), predicted, sample_weight=sample_weight))

    def _validate_labels(self, y: Any, n_sequences: int) -> NDArray[Any]:
        return validate_numbers(y, n_sequences)

    def _learn_target(self, data: TrainingSet, classes: Any) -> None:
        self.target_ndim_ = data.target.ndim
        rows, weight = _distinct_rows(data.target.reshape(len(data), -1), data.weight)
        with np.errstate(over="ignore", invalid="ignore"):
            self.target_mean_ = np.average(rows, axis=0, weights=weight)
            scale = np.sqrt(np.average((rows - self.target_mean_) ** 2, axis=0, weights=weight))
        if not np.all(np.isfinite(scale)):
            largest = np.abs(rows).max()
            raise ValueError(f"y holds numbers too large to be standardised, up to {largest:.1e}: give a larger unit")
        self.target_scale_ = np.where(scale > 0, scale, 1.0)

    def _encode_target(self, target: NDArray[Any], *, training: bool) -> NDArray[Any]:
        target = target.reshape(len(target), -1)
        if target.shape[1] != len(self.target_mean_):
            raise ValueError(f"y has {target.shape[1]} output(s), wanted the {len(self.target_mean_)} seen at first")
        return (target - self.target_mean_) / self.target_scale_

    def _n_outputs(self) -> int:
        return len(self.target_mean_)

    def _loss(self, *parts: TrainingSet) -> dict[str, Any]:
        return {"loss": "squared_error"}

    def _score_outputs(self, outputs: Any, target: Any, weight: Any, lengths: Any) -> float:
        return float(r2_score(target, outputs, sample_weight=weight))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = True
        return tags


def _distinct_rows(
    target: NDArray[np.float64], weight: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The distinct rows of `target` (n, n_outputs) and their summed weights, whatever the order of the data."""
    order = np.lexsort((weight, *target.T))
    target, weight = target[order], weight[order]
    first = np.flatnonzero(np.concatenate([[True], np.any(target[1:] != target[:-1], axis=1)]))
    return target[first], np.add.reduceat(weight, first)
