"""What a transformer of rows is asked before the steps of sequences are handed to it, and what it returns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from sklearn_rnn.data.formats import object_array


def transformer_has(method: str) -> Callable[[Any], bool]:
    """A check for ``available_if``: the transformer, fitted if it is, has `method`."""

    def check(self: Any) -> bool:
        getattr(getattr(self, "transformer_", self.transformer), method)
        return True

    return check


def as_array(rows: Any) -> NDArray[Any]:
    """What a transformer returns (an array, a sparse matrix, a DataFrame, a list) as an array."""
    if hasattr(rows, "toarray"):
        return rows.toarray()
    if isinstance(rows, list):
        return object_array(rows)
    return np.asarray(rows)


def first_step(transformer: Any) -> Any:
    """The transformer that the data meets first."""
    while isinstance(transformer, Pipeline) and transformer.steps:
        transformer = transformer.steps[0][1]
    return transformer


def reads_documents(transformer: Any) -> bool:
    """Whether the transformer takes strings as they are, and not in a column."""
    return hasattr(first_step(transformer), "build_analyzer")


def works_in_place(transformer: Any) -> bool:
    """Whether the transformer was told that it may write into its input."""
    parameters = transformer.get_params(deep=True)
    return any(name.rpartition("__")[2] == "copy" and value is False for name, value in parameters.items())


def is_one_each(value: Any, n_sequences: int) -> bool:
    """Whether a fit parameter has an entry for each sequence."""
    if not hasattr(value, "__len__") or isinstance(value, (str, bytes, dict)):
        return False
    shape = getattr(value, "shape", None)
    return (shape[0] if shape else len(value)) == n_sequences
