"""Steps of numbers: their type, and where the first is that is none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_rnn import Sequences
from sklearn_rnn.data.numeric import as_numbers
from sklearn_rnn.data.stored import StoredSequences
from sklearn_rnn.exceptions import SequenceDataError


def checked(sequences, **options):
    return as_numbers(sequences, **{"dtype": "float32", "allow_nan": False, "columns": None, "name": "y", **options})


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("stored", [False, True])
def test_values_are_rows_of_one_type(dtype, stored):
    sequences = Sequences(np.array([1, 2, 3]), [0, 2, 3])
    read = checked(StoredSequences.join([sequences]) if stored else sequences, dtype=dtype)
    assert (read.values.dtype, read.values.tolist(), read.lengths.tolist()) == (dtype, [[1], [2], [3]], [2, 1])


@given(lengths=st.lists(st.integers(1, 4), min_size=1, max_size=5), data=st.data())
def test_the_first_that_is_not_finite_is_named(lengths, data):
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    values = np.zeros((offsets[-1], 2))
    sequence = data.draw(st.integers(0, len(lengths) - 1))
    step = data.draw(st.integers(0, lengths[sequence] - 1))
    values[offsets[sequence] + step :, 1] = np.nan
    place = f"^Input y contains NaN at sequence {sequence}, step {step}, column 'b' "
    for sequences in (Sequences(values, offsets), StoredSequences.join([Sequences(values, offsets)])):
        with pytest.raises(SequenceDataError, match=place):
            checked(sequences, columns=["a", "b"])
        np.testing.assert_array_equal(checked(sequences, allow_nan=True).values, values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([1j]), "Complex data not supported: y has dtype complex128"),
        (np.array([b"a"]), r"^y has dtype \|S1, but numbers .*decode"),
        (np.array([np.timedelta64(1, "s")]), r"for example y / np.timedelta64"),
        (np.array([{"a": 1}], dtype=object), r"^y\[0\]\[0\] holds \{'a': 1\}, .*DictVectorizer"),
        (np.array([1e39]), r"^Input y contains infinity or a value too large for dtype\('float32'\)"),
    ],
    ids=str,
)
def test_what_is_no_number_is_refused(values, message):
    with pytest.raises(SequenceDataError, match=message):
        checked(Sequences(values, [0, 1]))
