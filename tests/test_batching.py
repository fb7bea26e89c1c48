"""Padded batches against loops over sequences."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_rnn.data import batching
from sklearn_rnn.data.batching import BatchIterator, DeviceGather, HostGather, SequenceDataset, batches_by_steps
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.stored import StoredSequences
from sklearn_rnn.data.training_set import TrainingSet

lengths_of = st.lists(st.integers(0, 6), min_size=1, max_size=12)


def make_sequences(lengths, *, n_features=2, dtype=np.float32):
    """Sequences whose steps all differ and are not 0; one dimension if `n_features` is 0."""
    total = sum(lengths)
    values = np.arange(1, 1 + total * max(n_features, 1)).astype(dtype)
    shape = (total, n_features) if n_features else (total,)
    return Sequences(values.reshape(shape), np.concatenate([[0], np.cumsum(lengths)]))


def padded(sequences, index, n_steps):
    """The batch by a loop."""
    values = np.zeros((len(index), n_steps, *sequences.values.shape[1:]), dtype=sequences.values.dtype)
    for row, i in enumerate(index):
        values[row, : len(sequences[i])] = sequences[i]
    return values, [len(sequences[i]) for i in index]


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


@pytest.mark.parametrize("lengths", [[3, 1, 2], [2, 2, 2]])
def test_a_data_set_holds_no_copy_of_the_values(lengths):
    sequences = make_sequences(lengths)
    dataset = SequenceDataset(TrainingSet(sequences, np.zeros((3, 1)), np.ones(3)))
    sequences.values[0] = 77
    assert dataset.batch(np.array([0]))[0]["values"][0, 0].tolist() == [77, 77]


@pytest.mark.gpu
@pytest.mark.parametrize("per_step", [False, True])
@pytest.mark.parametrize("room", [True, False])
def test_batches_on_a_gpu_are_those_of_the_cpu(monkeypatch, per_step, room):
    """Whether the data is there as a whole, or sent batch by batch."""
    monkeypatch.setattr(batching, "fits", lambda *parts: room)
    here, there = (make_dataset([3, 1, 4, 1, 5], per_step=per_step, device=device) for device in ("cpu", "cuda"))
    here, there = (made if per_step else made[0] for made in (here, there))
    assert there.resident == room
    for one, other in zip(BatchIterator(here, 2), BatchIterator(there, 2), strict=True):
        for x, y in zip(one, other, strict=True):
            assert all(y[name].device.type == "cuda" for name in x)
            assert all(torch.equal(x[name], y[name].cpu()) for name in x)


def make_dataset(lengths, *, per_step=False, device="cpu"):
    """A data set whose sequence `i` has target and weight `i + 1`, at each of its steps with `per_step`."""
    sequences = make_sequences([max(length, 1) for length in lengths])
    number = np.arange(1.0, len(lengths) + 1)
    if per_step:
        steps = np.repeat(number, sequences.lengths)
        target = sequences.with_values(steps.astype(np.int64))
        data = TrainingSet(sequences, target, np.ones(len(lengths)))
        return SequenceDataset(data, step_weight=sequences.with_values(steps.astype(np.float32)), device=device)
    return SequenceDataset(TrainingSet(sequences, number[:, None], number), device=device), sequences


@given(lengths=lengths_of, batch_size=st.integers(1, 5), seed=st.none() | st.integers(0, 99), epochs=st.integers(1, 2))
@settings(deadline=None)
def test_every_sequence_exactly_once_an_epoch(lengths, batch_size, seed, epochs):
    dataset, sequences = make_dataset(lengths)
    random_state = None if seed is None else np.random.RandomState(seed)
    iterator = BatchIterator(dataset, batch_size, random_state)
    for _ in range(epochs):
        seen = []
        for x, y in iterator:
            index = (y["target"][:, 0].numpy() - 1).astype(int)
            seen += index.tolist()
            assert 1 <= len(index) <= batch_size
            expected, expected_lengths = padded(sequences, index, max(len(sequences[i]) for i in index))
            np.testing.assert_array_equal(x["values"].numpy(), expected)
            assert x["lengths"].tolist() == expected_lengths
            assert torch.equal(y["weight"], y["target"][:, 0])
        assert sorted(seen) == list(range(len(lengths)))
        assert len(list(iterator)) == len(iterator) == -(-len(lengths) // batch_size)


@given(lengths=lengths_of, batch_size=st.integers(1, 5))
@settings(deadline=None)
def test_targets_and_weights_of_steps_are_padded_with_0(lengths, batch_size):
    dataset = make_dataset(lengths, per_step=True)
    for x, y in BatchIterator(dataset, batch_size):
        inside = torch.arange(x["values"].shape[1]) < x["lengths"][:, None]
        for part in (y["target"], y["weight"]):
            assert (part[~inside] == 0).all()
            assert all(len(row[row > 0].unique()) == 1 for row in part)
        assert torch.equal(y["target"].float(), y["weight"])


def order_of(lengths, seed, epochs=2):
    dataset, _ = make_dataset(lengths)
    iterator = BatchIterator(dataset, 2, np.random.RandomState(seed))
    return [tuple(y["target"][:, 0].tolist()) for _ in range(epochs) for _, y in iterator]


def test_same_seed_same_batches():
    lengths = [3, 1, 4, 1, 5, 2, 6, 5, 3, 5]
    assert order_of(lengths, 0) == order_of(lengths, 0)
    assert order_of(lengths, 0) != order_of(lengths, 1)
    assert order_of(lengths, 0)[:5] != order_of(lengths, 0)[5:], "epochs differ"


def test_sequences_of_similar_length_share_a_batch():
    lengths = list(np.random.default_rng(0).permutation(np.repeat([2, 50], 40)))
    dataset, _ = make_dataset(lengths)
    batches = list(BatchIterator(dataset, 8, np.random.RandomState(0)))
    assert all(len(x["lengths"].unique()) == 1 for x, _ in batches)
    first_steps = [int(x["lengths"][0]) for x, _ in batches]
    assert first_steps not in (sorted(first_steps), sorted(first_steps)[::-1]), "but the batches come in any order"


@given(lengths=st.lists(st.integers(0, 30), min_size=1, max_size=40), budget=st.integers(1, 100))
@settings(deadline=None)
def test_batches_by_steps_cover_all_and_keep_to_the_budget(lengths, budget):
    array = np.array(lengths)
    batches = list(batches_by_steps(array, budget))
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    for index in batches:
        assert len(index) == 1 or len(index) * array[index].max() <= budget
    joined = array[np.concatenate(batches)]
    assert np.all(np.diff(joined) >= 0), "sorted by length, so that little is padding"
    for one, following in itertools.pairwise(batches):
        assert (len(one) + 1) * array[following[0]] > budget, "no batch is smaller than it has to be"
