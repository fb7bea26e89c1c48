"""Numbers as targets of an ensemble, which may belong to steps: its members decide, and read them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn._wrapped import final_estimator, final_template
from sklearn_rnn.data.formats import as_sequences, object_array
from sklearn_rnn.data.number_targets import may_belong_to_steps, numbers_of_steps, plain_numbers, validate_numbers
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.targets import check_count
from sklearn_rnn.data.training_set import TrainingSet
from sklearn_rnn.estimators._regressor import RNNRegressor
from sklearn_rnn.targets.base import step_weights


def numbers_for_members(y: Any, n_rows: int, template: Any) -> tuple[Any, Any]:
    """y in a form that whole and in parts is read as y itself is, and what tells one sample from another.

    Parameters
    ----------
    y : numbers in any format
    n_rows : int
    template : estimator
        What the members are like: RNNRegressor takes a number for each step, any other one for each sequence.

    Returns
    -------
    target : array, object array of arrays, or Sequences
    keys : array of shape (n_rows, ...), or Sequences
        The same whatever the format of y.
    """
    reader = final_template(template)
    aligned = reader.target if isinstance(reader, RNNRegressor) else "sequence"
    y = plain_numbers(y)
    if aligned == "sequence" or (aligned == "auto" and not may_belong_to_steps(y)):
        numbers = validate_numbers(y, n_rows, allow_nan=True)
        return numbers, numbers
    check_count(y, n_rows)
    steps = numbers_of_steps(as_sequences(y, name="y"), "y")
    keys = steps.with_values(steps.values.reshape(len(steps.values), -1))
    if isinstance(y, np.ndarray) and y.ndim > 1:
        return steps.values.reshape(y.shape), keys
    ambiguous = aligned == "auto" and not isinstance(y, Sequences) and len(set(steps.lengths.tolist())) == 1
    return (object_array(list(steps)) if ambiguous else steps), keys


def read_steps(member: Any, X: Any, y: Any, sample_weight: Any) -> tuple[Sequences, NDArray[np.float64]]:
    """The numbers (total_steps, n_outputs) that y has for the steps of X, as `member` reads both, and their weights."""
    reader, X = final_estimator(member, X)
    inputs = reader._read_inputs(X)
    labels = reader.target_.read(y, inputs)
    weight, of_steps = reader.target_.read_weight(sample_weight, inputs)
    there = np.ones(len(labels.values), dtype=bool)
    return labels, step_weights(TrainingSet(labels, labels, weight, of_steps), there)


def as_predicted(rows: NDArray[np.float64], lengths: NDArray[np.int64], *, block: bool) -> NDArray[Any]:
    """Rows (total_steps, ...) as RNNRegressor predicts them: in an array of one number of steps, or one a sequence."""
    if block and len(set(lengths.tolist())) == 1:
        return rows.reshape(len(lengths), lengths[0], *rows.shape[1:])
    return object_array([rows[begin:end] for begin, end in pairwise(np.append(0, np.cumsum(lengths)))])
