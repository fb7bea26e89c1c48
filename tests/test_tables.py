"""Tables, against the array that they are."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array

from sklearn_rnn.data.conversion import unwrapped
from sklearn_rnn.data.tables import is_for_table, plain, read_table
from sklearn_rnn.exceptions import SequenceDataError

ARRAY = np.arange(6.0).reshape(2, 3)
COLUMNS = dict(zip("abc", ARRAY.T.tolist(), strict=True))


def of(X):
    return read_table(plain(unwrapped(X, "X")), reader="Somebody", name="y")


@pytest.mark.parametrize(
    ("X", "columns"),
    [
        (ARRAY, None),
        (np.asfortranarray(ARRAY), None),
        (pd.DataFrame(COLUMNS), list("abc")),
        (pd.DataFrame(ARRAY), None),
        (pl.DataFrame(COLUMNS), list("abc")),
        (pa.table(COLUMNS), list("abc")),
    ],
    ids=["array", "fortran", "pandas", "numbered", "polars", "arrow"],
)
def test_each_row_is_a_sequence(X, columns):
    assert is_for_table(plain(X))
    sequences, names = of(X)
    assert names == columns
    assert sequences.offsets.tolist() == [0, 3, 6]
    assert_array_equal(sequences.values, ARRAY.reshape(-1, 1))


def test_cells_of_text_are_tokens():
    sequences, names = of(pd.DataFrame({"a": ["x", "y"], "b": ["z", "x"]}))
    assert names == ["a", "b"]
    assert sequences.values.tolist() == ["x", "z", "y", "x"]


@pytest.mark.parametrize(
    "X", [[1.0, 2.0], np.arange(3.0), np.array(1.0), csr_array(ARRAY)], ids=["list", "vector", "scalar", "sparse"]
)
def test_scikit_learn_refuses_what_is_no_dense_table(X):
    assert is_for_table(X)
    with pytest.raises((TypeError, ValueError), match=r"Expected 2D array|Sparse data was passed for y"):
        of(X)


@pytest.mark.parametrize("X", [[], [[1.0]], np.zeros((1, 2, 3)), [["a"]], pd.Series([ARRAY])], ids=str)
def test_what_other_readers_read(X):
    assert not is_for_table(X)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (pd.DataFrame(ARRAY, columns=list("aba")), "^y has more than one column of the name 'a'"),
        (np.ma.masked_equal(np.array([["a", "b"]]), "a"), "^X is a masked array of dtype <U1"),
        (pd.DataFrame({"a": [1.0], "b": ["x"]}), "^y mixes strings with numbers"),
        (pd.DataFrame({"a": ["x y"]}), r"^y\[0\] is the raw document"),
    ],
    ids=["twice", "masked", "mixed", "documents"],
)
def test_what_is_no_table_of_one_kind_is_refused(X, message):
    with pytest.raises(SequenceDataError, match=message):
        of(X)
