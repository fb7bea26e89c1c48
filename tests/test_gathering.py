"""Rows gathered into padded batches against loops over sequences."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from padding import lengths_of, make_sequences, padded

from sklearn_rnn.data.gathering import DeviceGather, HostGather
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.stored import StoredSequences


@given(
    lengths=lengths_of | st.builds(lambda n, length: [length] * n, st.integers(1, 12), st.integers(0, 6)),
    n_features=st.integers(0, 3),
    dtype=st.sampled_from([np.float32, np.float64, np.int64]),
    gather=st.sampled_from([HostGather, DeviceGather, "stored"]),
    data=st.data(),
)
@settings(deadline=None)
def test_gather_equals_a_loop(lengths, n_features, dtype, gather, data):
    sequences = make_sequences(lengths, n_features=n_features, dtype=dtype)
    beside = [-np.arange(1.0, 1 + sum(lengths))]
    index = data.draw(st.lists(st.integers(0, len(lengths) - 1), min_size=1, max_size=8))
    n_steps = max(max(lengths[i] for i in index), 1) + data.draw(st.integers(0, 2))
    if gather == "stored":
        stored = StoredSequences.join([sequences, sequences]).take(np.arange(len(lengths)))
        values, second = HostGather(stored, beside)(np.array(index), n_steps)
    else:
        where = torch.tensor(index) if gather is DeviceGather else np.array(index)
        values, second = (np.asarray(part) for part in gather(sequences, beside)(where, n_steps))
    np.testing.assert_array_equal(values, padded(sequences, index, n_steps)[0])
    np.testing.assert_array_equal(second, padded(sequences.with_values(beside[0]), index, n_steps)[0])
    assert (values.dtype, second.dtype) == (dtype, np.float64)


@pytest.mark.parametrize("lengths", [[2, 4], [3, 3]])
@pytest.mark.parametrize("make", ["read-only", "strided", "backwards"])
@pytest.mark.parametrize("gather", [HostGather, DeviceGather])
def test_gather_takes_any_memory_and_changes_none(make, gather, lengths):
    base = np.arange(24.0).reshape(6, 4)
    before = base.copy()
    values = {"strided": base[:, ::2], "backwards": base[::-1]}.get(make, base)
    if make == "read-only":
        values.flags.writeable = False
    index = torch.tensor([1, 0])
    (batch,) = gather(Sequences(values, [0, lengths[0], 6]))(index if gather is DeviceGather else index.numpy(), 4)
    np.testing.assert_array_equal(np.asarray(batch)[0, : lengths[1]], values[lengths[0] :])
    batch += 1
    np.testing.assert_array_equal(base, before)
