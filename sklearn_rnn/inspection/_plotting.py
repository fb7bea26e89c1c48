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


def final_estimator(estimator: Any) -> Any:
    """The last step of a Pipeline and the best estimator of a search, down to one that is neither."""
    while hasattr(estimator, "best_estimator_") or hasattr(estimator, "steps"):
        estimator = estimator.best_estimator_ if hasattr(estimator, "best_estimator_") else estimator.steps[-1][1]
    return estimator


def transformed(estimator: Any, X: Any) -> Any:
    """X as it reaches the final estimator."""
    estimator = getattr(estimator, "best_estimator_", estimator)
    return estimator[:-1].transform(X) if hasattr(estimator, "steps") and len(estimator.steps) > 1 else X
