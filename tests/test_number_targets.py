"""The door for numbers as targets and for weights of steps: formats, what they belong to, and errors."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from sklearn_rnn import Sequences
from sklearn_rnn.data.formats import object_array
from sklearn_rnn.data.number_targets import (
    belongs_to_steps,
    is_nested,
    plain_numbers,
    validate_numbers,
    validate_step_numbers,
    validate_step_weights,
)
from sklearn_rnn.exceptions import SequenceDataError

X = Sequences(np.zeros((6, 2)), [0, 3, 4, 6])
Y = [[1.0, 2.0, 3.0], [4.0], [5.0, 6.0]]
ARRAYS = [np.array(values) for values in Y]

RAGGED = [
    Y,
    tuple(Y),
    ARRAYS,
    object_array(ARRAYS),
    pd.Series(Y, index=[7, 5, 6]),
    pl.Series(Y),
    pa.array(Y),
    pd.DataFrame({"y": ARRAYS}),
    pl.DataFrame({"y": Y}),
    pa.table({"y": Y}),
    [torch.tensor(values) for values in Y],
    [pd.Series(values, index=range(9, 9 + len(values))) for values in Y],
    Sequences.from_arrays(ARRAYS),
]


@pytest.mark.parametrize("y", RAGGED)
def test_numbers_of_steps_in_any_container(y):
    assert belongs_to_steps(plain_numbers(y), X)
    read = validate_step_numbers(y, X)
    assert_array_equal(read.values, [1, 2, 3, 4, 5, 6])
    assert_array_equal(validate_step_weights(y, X, name="w").values, [1, 2, 3, 4, 5, 6])
    with pytest.raises(SequenceDataError, match="y is ragged"):
        validate_numbers(y, 3)


@given(st.lists(st.lists(st.one_of(st.none(), st.floats(-9, 9)), min_size=1, max_size=4), min_size=1, max_size=5))
def test_missing_numbers_are_nan(rows):
    sequences = Sequences(np.zeros((sum(map(len, rows)), 1)), np.cumsum([0, *map(len, rows)]))
    flat = [np.nan if number is None else number for row in rows for number in row]
    assert_array_equal(validate_step_numbers(rows, sequences).values, flat)
    with_na = [pd.Series([pd.NA if number is None else number for number in row], dtype="Float64") for row in rows]
    assert_array_equal(validate_step_numbers(with_na, sequences).values, flat)


def test_missing_numbers_of_sequences():
    for y in (
        [1.0, None, 3.0],
        pd.Series([1, pd.NA, 3], dtype="Int64"),
        pl.Series([1.0, None, 3.0]),
        pa.array([1.0, None, 3.0]),
        np.ma.masked_array([1.0, 2.0, 3.0], [False, True, False]),
    ):
        assert not belongs_to_steps(plain_numbers(y), X)
        assert_array_equal(validate_numbers(y, 3, allow_nan=True), [1, np.nan, 3])


BLOCK = Sequences(np.zeros((6, 1)), [0, 2, 4, 6])
TABLE = np.arange(6.0).reshape(3, 2)


@pytest.mark.parametrize(
    ("y", "steps"),
    [
        (TABLE, False),
        (TABLE[:, :, None], True),
        (TABLE.tolist(), False),
        (list(TABLE), True),
        (object_array(TABLE.tolist()), True),
        (list(TABLE[:, :1]), False),
        ([row[:, None] for row in TABLE], True),
        (pd.DataFrame(TABLE), False),
        (TABLE[:, 0], False),
        (TABLE[:, 0].astype(object), False),
        (["a", "b", "c"], False),
        ([1.0, [2.0, 3.0], [1.0, 2.0]], True),
        (5.0, False),
    ],
)
def test_what_numbers_belong_to(y, steps):
    assert belongs_to_steps(plain_numbers(y), BLOCK) is steps


@pytest.mark.parametrize("y", [TABLE, *(make(TABLE) for make in (pd.DataFrame, pl.DataFrame, torch.from_numpy, list))])
def test_rows_may_be_steps(y):
    assert_array_equal(validate_step_numbers(y, BLOCK).values, np.arange(6))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "requires y to be passed"),
        (Y[:2], "X has 3 sequences, y has 2"),
        ({"a": 1}, "y must be array-like"),
        ([Y[0], None, Y[2]], r"y\[1\] is None, but X\[1\] has 1 steps"),
        (np.arange(3.0), r"y\[0\] is 0.0, but X\[0\] has 3 steps"),
        ([*Y[:2], [5.0]], r"y\[2\] has 1 values, but X\[2\] has 2 steps"),
        ([*Y[:2], [5.0, -np.inf]], r"infinity.* at y\[2\]\[1\]"),
        ([list("abc"), ["d"], list("ef")], "y must hold numbers for the steps"),
        ([np.arange(len(row)).astype("m8[s]") for row in Y], "y has dtype timedelta64"),
        ([np.array(row) * 1j for row in Y], "real numbers are wanted"),
    ],
)
def test_numbers_that_are_refused(y, message):
    with pytest.raises(ValueError, match=message):
        validate_step_numbers(y, X)


def test_weights():
    for weight in ([1.0, 2.0, 3.0], np.ones(3), pd.Series([1, 2, 3], index=[5, 6, 7]), 2.0):
        assert validate_step_weights(weight, X, name="w") is None
        assert not is_nested(weight)
    with pytest.raises(ValueError, match="w must hold weights of 0 or more for each step, got -1"):
        validate_step_weights([[1, 1, 1], [-1], [1, 1]], X, name="w")
    with pytest.raises(ValueError, match="w: Sample weights must contain at least one non-zero number"):
        validate_step_weights([[0, 0, 0], [0], [0, 0]], X, name="w")
    with pytest.raises(SequenceDataError, match="w must hold one weight a step, got 2"):
        validate_step_weights([np.ones((len(row), 2)) for row in Y], X, name="w")
