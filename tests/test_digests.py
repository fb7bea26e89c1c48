"""What counts as the same sample, and what goes with a part of the samples."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from samples import ragged

from sklearn_rnn import AlignedSequences, Sequences
from sklearn_rnn.data.digests import sample_digests
from sklearn_rnn.data.fit_params import take_fit_params
from sklearn_rnn.data.formats import object_array

X = ragged()
TABLE = np.arange(72.0).reshape(24, 3) % 5
y = np.arange(24) % 2


@pytest.mark.parametrize(
    "sequences",
    [
        X,
        object_array(X),
        pd.Series(X),
        Sequences.from_arrays(X),
        [torch.from_numpy(x) for x in X],
        [["up" if step > 0 else "down" for step in x[:, 0]] for x in X],
        [" ".join("ab"[int(step > 0)] for step in x[:, 0]) for x in X],
        [[{"size": step} for step in x[:, 0]] for x in X],
        AlignedSequences({"sensors": X, "sign": [["up" if step > 0 else "down" for step in x[:, 0]] for x in X]}),
        [[["a"] * (t % 3) for t in range(len(x))] for x in X],
        TABLE,
        pd.DataFrame(TABLE),
        scipy.sparse.csr_array(TABLE),
        np.stack([x[:2] for x in X]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_equal_samples_have_equal_digests(sequences):
    digests = sample_digests(sequences, y)
    items = (
        list(sequences.toarray() if hasattr(sequences, "toarray") else np.asarray(TABLE))
        if (len(getattr(sequences, "shape", ())) == 2)
        else list(sequences)
    )
    for i in range(24):
        for j in range(i):
            same = repr(items[i]) == repr(items[j]) and y[i] == y[j]
            assert (digests[i] == digests[j]) == same


@given(hnp.arrays(np.float64, st.tuples(st.integers(2, 6), st.integers(1, 3)), elements=st.floats(-3, 3)), st.randoms())
def test_the_order_of_the_rows_does_not_matter(rows, random):
    order = list(range(len(rows)))
    random.shuffle(order)
    targets = np.arange(len(rows))
    np.testing.assert_array_equal(sample_digests(rows, targets)[order], sample_digests(rows[order], targets[order]))


def test_the_target_is_a_part_of_the_sample():
    assert len(set(sample_digests([X[0]] * 3, np.array(["a", "b", "b"])).tolist())) == 2
    column, flat = (sample_digests(X, target) for target in (y[:, None], y))
    np.testing.assert_array_equal(column, flat)


def test_what_goes_with_a_part_of_the_sequences():
    params = {"sample_weight": np.arange(4.0), "groups": [1, 1, 2, 2], "X_val": X[:4], "flag": True, "word": "four"}
    taken = take_fit_params(params, np.array([2, 0]), 4)
    assert taken["sample_weight"].tolist() == [2, 0]
    assert taken["groups"] == [2, 1]
    assert all(taken[name] is params[name] for name in ("X_val", "flag", "word"))
