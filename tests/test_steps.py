"""Steps as transformers take them, read without a trace."""

import pickle

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from numpy.testing import assert_array_equal

from sklearn_rnn.data.steps import read_steps
from sklearn_rnn.exceptions import SequenceDataError

KINDS = {
    "numeric": [np.ones((2, 3)), np.zeros((1, 3))],
    "text": [["a", "b"], ["c"]],
    "objects": [[{"a": 1}, {"b": 2}], [{"a": 3}]],
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_spec_that_is_given_comes_back_and_nothing_changes(kind):
    X = KINDS[kind]
    before = pickle.dumps(X)
    steps, spec = read_steps(X)
    kept = pickle.dumps(spec)
    again, same = read_steps(X, spec)
    assert same is spec
    assert (spec.kind, spec.table, spec.n_features_in) == (kind, False, steps.n_features)
    assert_array_equal(again.values, steps.values)
    other = next(KINDS[name] for name in KINDS if name != kind)
    with pytest.raises(SequenceDataError, match=r"Somebody (was fitted on sequences of|is expecting)"):
        read_steps(other, spec, reader="Somebody")
    assert (pickle.dumps(X), pickle.dumps(spec)) == (before, kept)


def test_columns_of_a_table_are_counted_and_named():
    steps, spec = read_steps(pd.DataFrame([[1.0, 2.0], [3.0, 4.0]], columns=["a", "b"]))
    assert (spec.n_features, spec.n_features_in, spec.feature_names) == (1, 2, ("a", "b"))
    assert steps.lengths.tolist() == [2, 2]


def test_arrow_columns_are_read_as_the_arrays_they_are():
    steps, _ = read_steps(pa.array([[1.0, 2.0], [3.0]], pa.list_(pa.float32())))
    assert steps.values.dtype == np.float32
    assert steps.values.tolist() == [[1], [2], [3]]
    steps, _ = read_steps(pa.array([[1.0, None], [3.0]]))
    assert_array_equal(steps.values, [[1], [np.nan], [3]])


def test_messages_have_the_name_that_was_given():
    with pytest.raises(SequenceDataError, match=r"^y\[1\] is \['c'\], wanted a list of steps"):
        read_steps([[["a", "b"]], ["c"]], name="y")
