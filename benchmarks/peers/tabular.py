"""Sequences as rows of numbers, for estimators that know nothing of steps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin


class Flattened(TransformerMixin, BaseEstimator):
    """The values of all steps in a row, as many steps as the longest sequence of `fit` has.

    With `aligned="start"` the steps begin with the first one and zeros follow the last; with ``"end"`` they end with
    the last one and the first one is repeated before, so that a column stands for the same time before the present.
    """

    def __init__(self, aligned: str = "start") -> None:
        self.aligned = aligned

    def fit(self, X: Any, y: Any = None) -> Flattened:
        self.n_steps_ = max(len(x) for x in X)
        return self

    def transform(self, X: Any) -> NDArray[np.float64]:
        return np.array([self._row(np.asarray(x, dtype=np.float64)) for x in X])

    def _row(self, sequence: NDArray[np.float64]) -> NDArray[np.float64]:
        missing = max(0, self.n_steps_ - len(sequence))
        if self.aligned == "end":
            return np.pad(sequence[-self.n_steps_ :], ((missing, 0), (0, 0)), mode="edge").ravel()
        return np.pad(sequence[: self.n_steps_], ((0, missing), (0, 0))).ravel()


class Summarised(TransformerMixin, BaseEstimator):
    """Of each channel its mean, deviation, minimum, maximum, first and last value, and its slope over the steps."""

    def fit(self, X: Any, y: Any = None) -> Summarised:
        return self

    def transform(self, X: Any) -> NDArray[np.float64]:
        return np.array([self._row(np.asarray(x, dtype=np.float64)) for x in X])

    def _row(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        time = np.arange(len(x)) - (len(x) - 1) / 2
        slope = time @ x / max(float(time @ time), 1.0)
        return np.concatenate([x.mean(axis=0), x.std(axis=0), x.min(axis=0), x.max(axis=0), x[0], x[-1], slope])
