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
        try:
            return cls(spec, StepEncoding.learn(rows, spec, standardize="auto"))
        except SequenceDataError as error:
            raise SequenceDataError(f"In y, the contexts: {error}") from error

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
            known = list(self.encoding.vocabulary)[:8]
            raise SequenceDataError(f"y holds the label {label!r}, which was not there in fit, wanted one of {known}")
        return columns[:, None]


def _rows_of(y: Any) -> Sequences:
    """The contexts of y, each as the one step of a sequence: labels (n,), or float64 vectors (n, n_features)."""
    values = _as_array(y)
    if values.ndim not in (1, 2):
        raise SequenceDataError(f"y has shape {values.shape}, wanted one label or one vector of numbers a sequence")
    if values.ndim == 2 or values.dtype.kind == "f":
        try:
            values = values.reshape(len(values), -1).astype(np.float64)
        except (TypeError, ValueError) as error:
            raise SequenceDataError(f"y must hold one label or one vector of numbers a sequence: {error}") from None
        if not np.isfinite(values).all():
            raise SequenceDataError("y, the context, contains NaN or infinity: give finite numbers")
    else:
        values = object_array(values.tolist())
        _check_labels(values)
    return Sequences(values, np.arange(len(values) + 1))


def _as_array(y: Any) -> NDArray[Any]:
    """y as an array (n, ...), of objects if it holds labels."""
    try:
        values = y if isinstance(y, np.ndarray) else np.asarray(items_of(y) if not isinstance(y, (list, tuple)) else y)
        nested = values.dtype == object and len(values) and hasattr(values[0], "__len__")
        return np.asarray(values.tolist()) if nested and not isinstance(values[0], str) else values
    except ValueError as error:
        raise SequenceDataError(
            f"y must hold one label, or a vector as long as all others, a sequence: {error}"
        ) from None


def _check_labels(labels: NDArray[Any]) -> None:
    """Refuse labels (n,) that are missing, or of which some are strings and others are not."""
    strings = np.array([isinstance(label, str) for label in labels.tolist()], dtype=bool)
    wrong = [i for i, label in enumerate(labels.tolist()) if not isinstance(label, (str, int))]
    if not wrong and not strings.all():
        wrong = np.flatnonzero(strings)[:1].tolist()
    if wrong:
        label = labels[wrong[0]]
        raise SequenceDataError(
            f"y[{wrong[0]}] is {type(label).__name__} {label!r:.40}, wanted a label of each sequence: strings alone or "
            f"integers alone, a missing one may be a label of its own"
        )


def _described(rows: Sequences) -> str:
    return "labels" if rows.values.ndim == 1 else f"vectors of {rows.n_features} number(s)"
