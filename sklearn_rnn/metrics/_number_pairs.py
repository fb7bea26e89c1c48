"""True and predicted numbers in every format, read into pairs of equal shapes, and the weights that belong to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn.data.formats import as_sequences, is_table, items_of, locate
from sklearn_rnn.data.number_targets import numbers_of_sequences, numbers_of_steps, plain_numbers
from sklearn_rnn.data.padding import advice_if_padded
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.steps import spread_over_steps
from sklearn_rnn.data.weights import plain_weights, validate_weights
from sklearn_rnn.exceptions import SequenceDataError

Array = NDArray[np.float64]

Layout = Literal["numbers", "table", "list", "steps"]


class NumberRows(NamedTuple):
    """Numbers, one row a sequence or a step."""

    values: Array
    """Shape (n_rows, n_outputs)."""
    offsets: NDArray[np.int64] | None
    """Where each sequence starts, shape (n_sequences + 1,), if there is a row for each step."""

    def place(self, row: int) -> str:
        """The indices of a row, as they are written after the name of what holds it."""
        if self.offsets is None:
            return f"[{row}]"
        sequence, step = locate(Sequences(self.values, self.offsets), row)
        return f"[{sequence}][{step}]"


def paired_numbers(y_true: Any, y_pred: Any, *, target: str) -> tuple[NumberRows, NumberRows]:
    """Read true and predicted numbers, and check that they belong together.

    Raises
    ------
    SequenceDataError
        If they differ in number, in a length or in outputs, or if a prediction is not finite where a target is.
    """
    y_true, y_pred = _unwrapped(y_true, "y_true"), _unwrapped(y_pred, "y_pred")
    per_step = _is_per_step([_layout(y_true), _layout(y_pred)], target)
    true, pred = _read(y_true, "y_true", per_step), _read(y_pred, "y_pred", per_step)
    _check_same_shape(true, pred)
    wrong = ~np.isnan(true.values) & ~np.isfinite(pred.values)
    if wrong.any():
        row, column = (int(i) for i in np.argwhere(wrong)[0])
        raise SequenceDataError(
            f"y_pred{pred.place(row)} is {pred.values[row, column]} where y_true holds a target "
            f"({int(wrong.sum())} such prediction(s) in all): predict a number for each target"
        )
    return true, pred


def read_numbers(y: Any, *, name: str, target: str) -> NumberRows:
    """Read numbers in any format, one a sequence or one a step."""
    y = _unwrapped(y, name)
    return _read(y, name, _is_per_step([_layout(y)], target))


def spread_weights(sample_weight: Any, rows: NumberRows) -> Array:
    """The weight of each row (n_rows,), from one a sequence or one a step."""
    n_rows = len(rows.values)
    if n_rows == 0:
        return np.ones(0)
    if sample_weight is None or rows.offsets is None or not hasattr(sample_weight, "__len__"):
        return validate_weights(sample_weight, n_rows)
    sample_weight = plain_weights(sample_weight, "sample_weight")
    steps = Sequences(rows.values, rows.offsets)
    return validate_weights(spread_over_steps(sample_weight, steps, name="sample_weight"), n_rows)


def mean_of_outputs(
    score: Callable[..., float], truth: Array, predicted: Array, weight: Array, *, degree: int | None = 0
) -> float:
    """The mean over outputs (n_rows, n_outputs) of a score of scikit-learn, of the targets that are there and count.

    An output without such a target is left out; NaN if all are. The score is of `degree` in its numbers: 0 if it does
    not depend on their scale, 1 if it is in their units. Then it is computed of numbers divided by a power of 2, which
    changes no bit but where squares would be too large or too small for floats. None is a score of neither kind.
    """
    there = ~np.isnan(truth) & (weight > 0)[:, None]
    columns = zip(truth.T, predicted.T, there.T, strict=True)
    scores = [_score(score, t[k], p[k], weight[k], degree) for t, p, k in columns if k.any()]
    return float(np.mean(scores)) if scores else float("nan")


def _score(score: Callable[..., float], truth: Array, predicted: Array, weight: Array, degree: int | None) -> float:
    if degree is None:
        return float(score(truth, predicted, sample_weight=weight))
    truth, predicted, exponent = in_one_scale(truth, predicted)
    return float(np.ldexp(score(truth, predicted, sample_weight=weight), degree * exponent))


def in_one_scale(truth: Array, predicted: Array) -> tuple[Array, Array, NDArray[np.int32]]:
    """Finite numbers (n_rows, ...) divided by powers of 2, one a column, that make the largest about 1; the exponents.

    No bit of them changes, but where some are too small beside the largest to count.
    """
    exponent = np.frexp(np.maximum(np.abs(truth).max(axis=0, initial=0), np.abs(predicted).max(axis=0, initial=0)))[1]
    return np.ldexp(truth, -exponent), np.ldexp(predicted, -exponent), exponent


def _is_per_step(layouts: list[Layout], target: str) -> bool:
    """Whether there is a row for each step."""
    if target not in ("auto", "sequence", "step"):
        raise ValueError(f"target must be 'auto', 'sequence' or 'step', got {target!r}")
    if target != "auto":
        return target == "step"
    return "steps" in layouts or set(layouts) == {"list"}


def _unwrapped(y: Any, name: str) -> Any:
    """An array, a list or a container, of a tensor, a frame, a Series or another array-like."""
    if y is None:
        raise ValueError(f"requires {name} to be passed, but it is None")
    y = plain_numbers(y, name)
    if isinstance(y, (Sequences, np.ndarray, list, tuple)):
        return y
    if is_table(y):
        return y.to_numpy() if hasattr(y, "to_numpy") else np.asarray(y)
    if isinstance(y, (str, bytes)) or not (hasattr(y, "__len__") or hasattr(y, "__array__")):
        raise SequenceDataError(f"{name} must hold numbers, one or more for each sequence, got {y!r:.60}")
    return items_of(y)


def _layout(y: Any) -> Layout:
    """What the form of y says: a list of rows of equal length may hold steps or outputs, a 2-D array as well."""
    if isinstance(y, Sequences):
        return "steps"
    if isinstance(y, np.ndarray) and y.ndim > 1:
        return "table" if y.ndim == 2 else "steps"
    if not any(hasattr(item, "__len__") for item in y):
        return "numbers"
    rows_of_numbers = isinstance(y, (list, tuple)) and len({len(item) for item in y if hasattr(item, "__len__")}) == 1
    return "list" if rows_of_numbers else "steps"


def _read(y: Any, name: str, per_step: bool) -> NumberRows:
    if not per_step:
        if isinstance(y, Sequences):
            raise SequenceDataError(f"{name} holds numbers for each step, wanted one number or row for each sequence")
        values = numbers_of_sequences(y, name, allow_nan=True)
        return NumberRows(values.reshape(len(values), -1), None)
    steps = numbers_of_steps(as_sequences(y, name=name), name)
    return NumberRows(steps.values.reshape(len(steps.values), steps.n_features), steps.offsets)


def _check_same_shape(true: NumberRows, pred: NumberRows) -> None:
    if true.offsets is None or pred.offsets is None:
        if len(true.values) != len(pred.values):
            raise SequenceDataError(f"y_true holds {len(true.values)} sequences, y_pred {len(pred.values)}")
    elif len(true.offsets) != len(pred.offsets):
        raise SequenceDataError(f"y_true holds {len(true.offsets) - 1} sequences, y_pred {len(pred.offsets) - 1}")
    elif not np.array_equal(true.offsets, pred.offsets):
        wanted, found = np.diff(true.offsets), np.diff(pred.offsets)
        i = int(np.argmax(wanted != found))
        advice = advice_if_padded(wanted, found)
        raise SequenceDataError(f"y_true[{i}] has {wanted[i]} steps, y_pred[{i}] has {found[i]}{advice}")
    if len(true.values) and true.values.shape != pred.values.shape:
        raise SequenceDataError(
            f"y_true holds {true.values.shape[1]} output(s), y_pred {pred.values.shape[1]}: give the same ones"
        )
