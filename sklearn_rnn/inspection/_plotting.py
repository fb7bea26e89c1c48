"""What the displays share."""

from __future__ import annotations

from typing import Any


def get_axes(ax: Any) -> tuple[Any, Any]:
    """Figure and axes to draw on: those of `ax`, or new ones."""
    if ax is not None:
        return ax.figure, ax
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError("Displays need matplotlib: pip install sklearn-rnn[plot]") from error
    _, ax = plt.subplots()
    return ax.figure, ax


def final_estimator(estimator: Any, X: Any = None) -> tuple[Any, Any]:
    """What a Pipeline or search ends with, down to one that is neither, and X as it reaches that."""
    while hasattr(estimator, "best_estimator_") or hasattr(estimator, "steps"):
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
            continue
        if X is not None and len(estimator.steps) > 1:
            X = estimator[:-1].transform(X)
        estimator = estimator.steps[-1][1]
    return estimator, X
