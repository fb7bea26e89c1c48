"""What the checks of ``check_sequence_estimator`` look at: an estimator, its data, and what it answers."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier, is_regressor

ANSWERING = ("predict", "predict_proba", "decision_function", "transform")


def make_sequences(estimator: Any) -> tuple[list[NDArray[np.float64]], Any]:
    """Sequences of unequal length with 3 features, and targets for the kind of `estimator`: one a sequence, or a step.

    The values are exact in float32, and the features are whole numbers in one sequence of four.
    """
    rng = np.random.RandomState(0)
    lengths = [2, 7, 3, 5, 4, 6, 3, 2, 5, 7, 4, 3, 6, 2, 5, 4]
    X = [np.round(rng.standard_normal((length, 3)) * 64) / 64 for length in lengths]
    level = np.array([x.mean() for x in X])
    if is_regressor(estimator):
        return X, level
    if is_classifier(estimator):
        return X, np.where(
            level < np.quantile(level, 0.34), "low", np.where(level < np.quantile(level, 0.67), "b", "c")
        )
    return X, [["up" if step > 0 else "down" for step in x[:, 0]] for x in X]


@dataclass
class Case:
    """An estimator, the data to check it with, and what it says of them once fitted."""

    original: Any
    data: tuple[list[Any], Any]

    @property
    def X(self) -> list[Any]:  # noqa: N802
        """The sequences, copied: what an estimator does to them is seen in one check alone."""
        return copy.deepcopy(self.data[0])

    @property
    def y(self) -> Any:
        return copy.deepcopy(self.data[1])

    @property
    def fresh(self) -> Any:
        """A clone that is not fitted, with every random state fixed."""
        estimator = clone(self.original)
        names = estimator.get_params(deep=True)
        seeds = {name: 0 for name in names if name == "random_state" or name.endswith("__random_state")}
        return estimator.set_params(**seeds)

    @cached_property
    def fitted(self) -> Any:
        return self.fresh.fit(self.X, self.y)

    @cached_property
    def answers(self) -> dict[str, list[NDArray[Any]]]:
        """For each method that the estimator has, the answer for each sequence of X."""
        return answers_of(self.fitted, self.X)

    @property
    def tags_steps(self) -> bool:
        return not is_classifier(self.original) and not is_regressor(self.original)

    @property
    def targets_steps(self) -> bool:
        """Whether there is a label, or as many numbers as in all other steps, for each step."""
        X, y = self.data
        ragged = not isinstance(y, np.ndarray) or y.dtype == object
        return self.tags_steps or (ragged and [np.shape(item)[:1] for item in y] == [(len(x),) for x in X])

    @property
    def numeric(self) -> bool:
        return all(isinstance(x, np.ndarray) and x.ndim == 2 and x.dtype.kind in "fiu" for x in self.data[0])


def answers_of(fitted: Any, X: Any) -> dict[str, list[NDArray[Any]]]:
    """The answers of each method of `fitted`, as one array a sequence."""
    return {
        method: [np.asarray(item) for item in getattr(fitted, method)(X)]
        for method in ANSWERING
        if hasattr(fitted, method)
    }


def assert_same(
    actual: dict[str, list[NDArray[Any]]], wanted: dict[str, list[NDArray[Any]]], index: Any = None, *, what: str
) -> None:
    """Outputs `actual` are those that the sequences at `index` have in `wanted`, numbers up to rounding."""
    for method, items in wanted.items():
        items = items if index is None else [items[i] for i in index]
        assert len(actual[method]) == len(items), f"{method}: {len(actual[method])} outputs for {len(items)} sequences"
        for i, (got, due) in enumerate(zip(actual[method], items, strict=True)):
            same = got.shape == due.shape and (
                np.allclose(got, due, rtol=1e-4, atol=1e-6) if due.dtype.kind in "fc" else np.array_equal(got, due)
            )
            assert same, f"{what}: {method} of sequence {i} is {got.tolist()!r:.120}, wanted {due.tolist()!r:.120}"
