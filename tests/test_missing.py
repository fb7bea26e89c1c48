"""Values carried forward, against a loop."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_rnn.data.missing import carry_forward
from sklearn_rnn.data.sequences import Sequences


def carried(sequence):
    """The same by a loop over the steps of one sequence (length, n_features)."""
    filled, observed = np.zeros_like(sequence), np.zeros_like(sequence)
    last = np.zeros(sequence.shape[1])
    for t, step in enumerate(sequence):
        for k, value in enumerate(step):
            if not np.isnan(value):
                last[k] = value
                observed[t, k] = 1
        filled[t] = last
    return np.hstack([filled, observed])


@st.composite
def ragged_with_nan(draw):
    lengths = draw(st.lists(st.integers(0, 6), min_size=1, max_size=6))
    n_features = draw(st.integers(1, 3))
    value = st.one_of(st.just(np.nan), st.integers(-5, 5).map(float))
    size = sum(lengths) * n_features
    values = np.array(draw(st.lists(value, min_size=size, max_size=size)), dtype=np.float64)
    return np.split(values.reshape(-1, n_features), np.cumsum(lengths)[:-1])


@given(arrays=ragged_with_nan())
@settings(deadline=None)
def test_equals_a_loop(arrays):
    sequences = Sequences.from_arrays(arrays)
    before = sequences.values.copy()
    filled = carry_forward(sequences)
    for result, array in zip(filled, arrays, strict=True):
        np.testing.assert_array_equal(result, carried(array))
    np.testing.assert_array_equal(sequences.values, before)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept(dtype):
    filled = carry_forward(Sequences(np.array([[np.nan], [2.0]], dtype=dtype), [0, 2]))
    assert filled.values.dtype == dtype
    assert filled.values.tolist() == [[0, 0], [2, 1]]


def test_a_sequence_does_not_start_with_the_last_value_of_the_one_before():
    filled = carry_forward(Sequences([[7.0], [np.nan]], [0, 1, 2]))
    assert filled[1].tolist() == [[0, 0]]
