"""What a sequence depends on as a whole: its context, a label or a vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn.data.encoding import StepEncoding
from sklearn_rnn.data.formats import items_of, object_array
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.validation import InputSpec
from sklearn_rnn.exceptions import SequenceDataError


@dataclass
class Context:
    """What a sequence depends on as a whole: a label, or a vector; learned from y.

    Attributes
    ----------
    spec : InputSpec
    encoding : StepEncoding
    """

    spec: InputSpec
    encoding: StepEncoding

    @classmethod
    def learn(cls, y: Any) -> Context:
        """What y (n_sequences,) or (n_sequences, n_features) is."""
        rows = _rows_of(y)
        spec = InputSpec("text" if rows.values.ndim == 1 else "numeric", rows.n_features, table=False)
        return cls(spec, StepEncoding.learn(rows, spec, standardize="auto"))

    @property
    def is_label(self) -> bool:
        """Whether it is a label, and not a vector."""
        return self.spec.kind == "text"

    @property
    def n_labels(self) -> int:
        """Indices of a label, one for those that were not there in fit among them."""
        return len(self.encoding.vocabulary) + 1

    @property
    def n_columns(self) -> int:
        """How many columns stand for it."""
        return 1 if self.is_label else self.spec.n_features

    def is_one(self, y: Any) -> bool:
        """Whether y is the context of one sequence, and not those of several."""
        if self.is_label:
            return isinstance(y, str) or np.ndim(y) == 0
        return np.ndim(y) == 1 and len(y) == self.spec.n_features

    def encode(self, y: Any, dtype: str) -> NDArray[Any]:
        """The columns (n_sequences, n_columns) that stand for y."""
        rows = _rows_of(y)
        if (rows.values.ndim == 1) != self.is_label or rows.n_features != self.spec.n_features:
            raise SequenceDataError(
                f"y holds {_described(rows)}, and the model was fitted to a context of "
                f"{'labels' if self.is_label else f'{self.spec.n_features} number(s)'} for each sequence"
            )
        columns = self.encoding.encode(rows, self.spec, dtype).values
        if not self.is_label:
            return columns
        if not columns.all():
            label = rows.values[np.flatnonzero(columns == 0)[0]]
            known = [str(name) for name in self.encoding.vocabulary][:8]
            raise SequenceDataError(f"y holds the label {label!r}, which was not there in fit, wanted one of {known}")
        return columns[:, None]


def _rows_of(y: Any) -> Sequences:
    """The contexts of y, each as the one step of a sequence: labels (n,), or float64 vectors (n, n_features)."""
    values = y if isinstance(y, np.ndarray) else np.asarray(items_of(y) if not isinstance(y, (list, tuple)) else y)
    if values.dtype == object and len(values) and hasattr(values[0], "__len__") and not isinstance(values[0], str):
        values = np.asarray(values.tolist())
    if values.ndim == 2 or values.dtype.kind == "f":
        try:
            values = values.reshape(len(values), -1).astype(np.float64)
        except (TypeError, ValueError) as error:
            raise SequenceDataError(f"y must hold one label or one vector of numbers a sequence: {error}") from None
        if not np.isfinite(values).all():
            raise SequenceDataError("y, the context, contains NaN or infinity: give finite numbers")
    elif values.ndim != 1:
        raise SequenceDataError(f"y has shape {values.shape}, wanted one label or one vector a sequence")
    else:
        values = object_array(values.tolist())
    return Sequences(values, np.arange(len(values) + 1))


def _described(rows: Sequences) -> str:
    return "labels" if rows.values.ndim == 1 else f"vectors of {rows.n_features} number(s)"
