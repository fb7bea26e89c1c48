"""Scorers of numbers, also of what a regressor says beside its predictions: quantiles and log-likelihoods."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.pipeline import Pipeline

from sklearn_rnn.data.formats import object_array
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.metrics._numbers import (
    sequence_mean_absolute_error,
    sequence_mean_log_likelihood,
    sequence_pinball_loss,
    sequence_r2_score,
    sequence_root_mean_squared_error,
)


@dataclass(frozen=True)
class PredictionScorer:
    """A score of what a regressor predicts, or minus an error.

    Parameters
    ----------
    score : callable
        Of true and predicted numbers, with `sample_weight` and `target`.
    sign : int
        1 for a score, -1 for an error.
    """

    score: Callable[..., float]
    sign: int = 1

    def __call__(self, estimator: Any, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """Score a fitted regressor, or a Pipeline or a search of one."""
        options = {"sample_weight": sample_weight, "target": _alignment_of(estimator)}
        return self.sign * self.score(y, estimator.predict(X), **options)


sequence_r2_scorer = PredictionScorer(sequence_r2_score)
"""R2 of the targets that are there, see :func:`sequence_r2_score`."""

sequence_mae_scorer = PredictionScorer(sequence_mean_absolute_error, -1)
"""Minus the mean absolute error, see :func:`sequence_mean_absolute_error`."""

sequence_rmse_scorer = PredictionScorer(sequence_root_mean_squared_error, -1)
"""Minus the root of the mean squared error, see :func:`sequence_root_mean_squared_error`."""


@dataclass(frozen=True)
class PinballScorer:
    """Minus the mean pinball loss of the quantiles at some levels, from ``predict_quantiles``.

    Parameters
    ----------
    quantiles : tuple of float
    """

    quantiles: tuple[float, ...]

    def __call__(self, estimator: Any, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """Score a fitted regressor, or a Pipeline or a search of one."""
        regressor, X = _regressor_behind(estimator, X, "predict_quantiles")
        predicted = regressor.predict_quantiles(X, self.quantiles)
        options: dict[str, Any] = {"sample_weight": sample_weight, "target": _alignment_of(regressor)}
        losses = [
            sequence_pinball_loss(y, _quantile(predicted, k), alpha=alpha, **options)
            for k, alpha in enumerate(self.quantiles)
        ]
        return -float(np.mean(losses))


@dataclass(frozen=True)
class LogLikelihoodScorer:
    """The mean log-likelihood of the targets, from ``log_likelihood``."""

    def __call__(self, estimator: Any, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """Score a fitted regressor, or a Pipeline or a search of one."""
        regressor, X = _regressor_behind(estimator, X, "log_likelihood")
        found = regressor.log_likelihood(X, y)
        return sequence_mean_log_likelihood(found, sample_weight=sample_weight, target=_alignment_of(regressor))


def make_pinball_scorer(quantiles: ArrayLike) -> PinballScorer:
    """Make a scorer of quantiles.

    Parameters
    ----------
    quantiles : array-like of shape (n_levels,)
        Levels between 0 and 1, in rising order.

    Returns
    -------
    scorer : callable
        Takes a fitted regressor that has ``predict_quantiles``, or a Pipeline or a search of one, X, y and
        `sample_weight`; gives minus the mean pinball loss of all levels, so that greater is better.

    Examples
    --------
    >>> from sklearn_rnn.metrics import make_pinball_scorer
    >>> make_pinball_scorer([0.05, 0.95])
    PinballScorer(quantiles=(0.05, 0.95))
    """
    levels = np.asarray(quantiles, dtype=np.float64)
    if levels.ndim != 1 or len(levels) == 0 or not np.all((levels > 0) & (levels < 1)) or np.any(np.diff(levels) <= 0):
        raise ValueError(f"quantiles must be numbers between 0 and 1 in rising order, got {quantiles!r}")
    return PinballScorer(tuple(levels.tolist()))


sequence_pinball_scorer = make_pinball_scorer([0.1, 0.5, 0.9])
"""Minus the mean pinball loss of the quantiles 0.1, 0.5 and 0.9, see :func:`make_pinball_scorer`."""

sequence_log_likelihood_scorer = LogLikelihoodScorer()
"""The mean log-likelihood of the targets, see :func:`sequence_mean_log_likelihood`."""


def _regressor_behind(estimator: Any, X: Any, method: str) -> tuple[Any, Any]:
    """The regressor in searches and Pipelines, which lack its methods, and X as it sees it."""
    while not hasattr(estimator, method):
        inside = _inside(estimator)
        if inside is None:
            raise TypeError(f"{type(estimator).__name__} has no method {method}, which this scorer asks: take another")
        if isinstance(estimator, Pipeline) and len(estimator) > 1:
            X = estimator[:-1].transform(X)
        estimator = inside
    return estimator, X


def _alignment_of(estimator: Any) -> str:
    """What the rows of a 2-D y are to the regressor in searches and Pipelines, as the scores name it."""
    while not hasattr(estimator, "target_alignment_"):
        estimator = _inside(estimator)
        if estimator is None:
            return "auto"
    return estimator.target_alignment_


def _inside(estimator: Any) -> Any:
    """The fitted estimator that a search found, or that ends a Pipeline; None of what holds no other."""
    return estimator[-1] if isinstance(estimator, Pipeline) else getattr(estimator, "best_estimator_", None)


def _quantile(predicted: Any, k: int) -> Any:
    """The predictions of level `k`, which is on the last axis of a block or of each of the items."""
    if isinstance(predicted, Sequences):
        return predicted.with_values(predicted.values[..., k])
    if isinstance(predicted, np.ndarray) and predicted.dtype != object:
        return predicted[..., k]
    return object_array([np.asarray(item)[..., k] for item in predicted])
