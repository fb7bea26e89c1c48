"""What the displays share."""

from __future__ import annotations

from typing import Any

from sklearn_rnn.data.entities import token_input
from sklearn_rnn.data.tokens import TokenSequences


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


def words_of(estimator: Any, X: Any) -> list[str] | None:
    """The words of the one sequence that X holds, as it reaches `estimator`; None where steps are numbers."""
    inputs = estimator._read_inputs(X)
    tokens = inputs if estimator.input_spec_.kind == "ids" else token_input(inputs)
    if tokens is None:
        return None
    surfaces = tokens.surfaces if isinstance(tokens, TokenSequences) else None
    return [str(token) for token in (tokens.values if surfaces is None else surfaces).reshape(-1).tolist()]
