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
