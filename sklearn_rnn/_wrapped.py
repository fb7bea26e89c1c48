"""What is inside a Pipeline or a search."""

from __future__ import annotations

from typing import Any


def final_estimator(estimator: Any, X: Any = None) -> tuple[Any, Any]:
    """What a fitted Pipeline or search ends with, down to one that is neither, and X as it reaches that."""
    while hasattr(estimator, "best_estimator_") or hasattr(estimator, "steps"):
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
            continue
        if X is not None and len(estimator.steps) > 1:
            X = estimator[:-1].transform(X)
        estimator = estimator.steps[-1][1]
    return estimator, X


def final_template(estimator: Any) -> Any:
    """What stands at the end of what holds it, fitted or not: a FrozenEstimator, a search, a Pipeline."""
    for name in ("best_estimator_", "estimator"):
        if hasattr(estimator, name):
            return final_template(getattr(estimator, name))
    return final_template(estimator.steps[-1][1]) if hasattr(estimator, "steps") else estimator
