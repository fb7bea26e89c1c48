"""Padded batches against loops over sequences."""

from dataclasses import fields

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from padding import lengths_of, make_sequences, padded

from sklearn_rnn.data import batching
from sklearn_rnn.data.batching import SequenceDataset
from sklearn_rnn.data.orders import BatchIterator, Buckets, InOrder, Lanes
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.training_set import TrainingSet


@pytest.mark.parametrize("lengths", [[3, 1, 2], [2, 2, 2]])
def test_a_data_set_holds_no_copy_of_the_values(lengths):
    sequences = make_sequences(lengths)
    dataset = SequenceDataset(TrainingSet(sequences, np.zeros((3, 1)), np.ones(3)))
    sequences.values[0] = 77
    assert dataset.batch(np.array([0])).values[0, 0].tolist() == [77, 77]


@pytest.mark.gpu
@pytest.mark.parametrize("alignment", ["sequence", "step", "own"])
@pytest.mark.parametrize("room", [True, False])
@pytest.mark.parametrize("order", [Buckets(), InOrder(), Lanes(2)])
def test_batches_on_a_gpu_are_those_of_the_cpu(monkeypatch, alignment, room, order):
    """Whether the data is there as a whole, or sent batch by batch."""
    if isinstance(order, Lanes) and alignment != "step":
        return
    monkeypatch.setattr(batching, "fits", lambda *parts: room)
    here, there = (make_dataset([3, 1, 4, 1, 5], alignment, device=device)[0] for device in ("cpu", "cuda"))
    assert there.resident == room
    for one, other in zip(BatchIterator(here, 2, order), BatchIterator(there, 2, order), strict=True):
        for field in fields(one):
            x, y = getattr(one, field.name), getattr(other, field.name)
            assert (x is None) == (y is None)
            assert x is None or (y.device.type == "cuda" and torch.equal(x, y.cpu()))


def make_dataset(lengths, alignment="sequence", *, device="cpu"):
    """A data set, and its sequences. Sequence `i` has target and weight `i + 1`, once, each step or `i % 3` times."""
    sequences = make_sequences([max(length, 1) for length in lengths])
    number = np.arange(1.0, len(lengths) + 1)
    if alignment == "sequence":
        return SequenceDataset(TrainingSet(sequences, number[:, None], number), device=device), sequences
    counts = sequences.lengths if alignment == "step" else np.arange(len(lengths)) % 3
    steps = Sequences(np.repeat(number, counts), np.concatenate([[0], np.cumsum(counts)]))
    codes = steps.with_values(steps.values.astype(np.int64))
    data = TrainingSet(sequences, codes, np.ones(len(lengths)), steps)
    return SequenceDataset(data, alignment, device=device), sequences


@given(lengths=lengths_of, batch_size=st.integers(1, 5), seed=st.none() | st.integers(0, 99), epochs=st.integers(1, 2))
@settings(deadline=None)
def test_every_sequence_exactly_once_an_epoch(lengths, batch_size, seed, epochs):
    dataset, sequences = make_dataset(lengths)
    random_state = None if seed is None else np.random.RandomState(seed)
    iterator = BatchIterator(dataset, batch_size, Buckets(random_state))
    for _ in range(epochs):
        seen = []
        for batch in iterator:
            index = (batch.target[:, 0].numpy() - 1).astype(int)
            seen += index.tolist()
            assert 1 <= len(index) == len(batch) <= batch_size
            expected, expected_lengths = padded(sequences, index, max(len(sequences[i]) for i in index))
            np.testing.assert_array_equal(batch.values.numpy(), expected)
            assert batch.lengths.tolist() == expected_lengths
            assert torch.equal(batch.weight, batch.target[:, 0])
            assert (batch.target_lengths, batch.goes_on, batch.share) == (None, None, None)
        assert sorted(seen) == list(range(len(lengths)))
        assert len(list(iterator)) == len(iterator) == -(-len(lengths) // batch_size)


@given(lengths=lengths_of, batch_size=st.integers(1, 5))
@settings(deadline=None)
def test_targets_and_weights_of_steps_are_padded_with_0(lengths, batch_size):
    dataset, _ = make_dataset(lengths, "step")
    for batch in BatchIterator(dataset, batch_size):
        inside = torch.arange(batch.values.shape[1]) < batch.lengths[:, None]
        for part in (batch.target, batch.weight):
            assert (part[~inside] == 0).all()
            assert all(len(row[row > 0].unique()) == 1 for row in part)
        assert batch.target.dtype == torch.int64
        assert torch.equal(batch.target.float(), batch.weight)
        assert batch.target_lengths is None


@given(lengths=lengths_of, batch_size=st.integers(1, 5), seed=st.none() | st.integers(0, 99))
@settings(deadline=None)
def test_targets_of_a_length_of_their_own(lengths, batch_size, seed):
    """Padded to the longest target of the batch, whatever the lengths of the sequences are."""
    dataset, sequences = make_dataset(lengths, "own")
    random_state = None if seed is None else np.random.RandomState(seed)
    seen = []
    for batch in BatchIterator(dataset, batch_size, Buckets(random_state)):
        first = batch.values[:, 0, 0].numpy()
        index = [int(np.flatnonzero([s[0, 0] == value for s in sequences])[0]) for value in first]
        seen += index
        counts = [i % 3 for i in index]
        assert batch.target_lengths.tolist() == counts
        assert batch.target.shape == batch.weight.shape == (len(index), max(counts))
        for row, (i, n) in enumerate(zip(index, counts, strict=True)):
            expected = [i + 1] * n + [0] * (max(counts) - n)
            assert batch.target[row].tolist() == batch.weight[row].tolist() == expected
        assert (batch.target.dtype, batch.weight.dtype) == (torch.int64, torch.float32)
        np.testing.assert_array_equal(batch.values.numpy(), padded(sequences, index, batch.values.shape[1])[0])
    assert sorted(seen) == list(range(len(lengths)))


@given(lengths=lengths_of, batch_size=st.integers(1, 5))
@settings(deadline=None)
def test_in_order_is_the_order_of_the_data(lengths, batch_size):
    dataset, sequences = make_dataset(lengths)
    batches = list(BatchIterator(dataset, batch_size, InOrder()))
    number = torch.cat([batch.target[:, 0] for batch in batches])
    assert number.tolist() == list(range(1, len(lengths) + 1))
    assert [len(batch) for batch in batches[:-1]] == [batch_size] * (len(batches) - 1)
    found = [row[:n] for batch in batches for row, n in zip(batch.values, batch.lengths, strict=True)]
    for part, expected in zip(found, sequences, strict=True):
        np.testing.assert_array_equal(part, expected)


@given(
    lengths=lengths_of,
    batch_size=st.integers(1, 5),
    n_steps=st.integers(1, 7),
    streams=st.sampled_from([None, 0, 1, "in order"]),
)
@settings(deadline=None)
def test_lanes_cut_streams_into_pieces_that_go_on(lengths, batch_size, n_steps, streams):
    """Pieces put together by `goes_on` are the sequences, with their targets and weights, each once."""
    dataset, sequences = make_dataset(lengths, "step")
    order = InOrder() if streams == "in order" else Buckets(None if streams is None else np.random.RandomState(streams))
    done, running = [], []
    for batch in BatchIterator(dataset, batch_size, Lanes(n_steps, order)):
        assert 1 <= len(batch) <= batch_size
        assert batch.values.shape[1] <= n_steps
        inside = torch.arange(batch.values.shape[1]) < batch.lengths[:, None]
        assert (batch.lengths > 0).all()
        assert not batch.values[~inside].any()
        assert not batch.weight[~inside].any()
        parts = zip(batch.values, batch.target, batch.weight, batch.lengths.tolist(), strict=True)
        pieces = [[part[:n].tolist() for part in row] for *row, n in parts]
        if batch.goes_on is None:
            done, running = [*done, *running], pieces
            continue
        went_on = batch.goes_on.tolist()
        assert went_on == sorted(set(went_on))
        done += [lane for row, lane in enumerate(running) if row not in went_on]
        before = [running[row] for row in went_on]
        assert all(len(lane[0]) % n_steps == 0 for lane in before), "only whole pieces go on"
        running = [[a + b for a, b in zip(*pair, strict=True)] for pair in zip(before, pieces, strict=True)]
    done = sorted([*done, *running], key=lambda lane: lane[1][0])
    for i, ((values, target, weight), sequence) in enumerate(zip(done, sequences, strict=True)):
        np.testing.assert_array_equal(values, sequence)
        assert target == weight == [i + 1] * len(sequence)


def order_of(lengths, seed, epochs=2):
    dataset, _ = make_dataset(lengths)
    iterator = BatchIterator(dataset, 2, Buckets(np.random.RandomState(seed)))
    return [tuple(batch.target[:, 0].tolist()) for _ in range(epochs) for batch in iterator]


def test_same_seed_same_batches():
    lengths = [3, 1, 4, 1, 5, 2, 6, 5, 3, 5]
    assert order_of(lengths, 0) == order_of(lengths, 0)
    assert order_of(lengths, 0) != order_of(lengths, 1)
    assert order_of(lengths, 0)[:5] != order_of(lengths, 0)[5:], "epochs differ"


def test_sequences_of_similar_length_share_a_batch():
    lengths = list(np.random.default_rng(0).permutation(np.repeat([2, 50], 40)))
    dataset, _ = make_dataset(lengths)
    batches = list(BatchIterator(dataset, 8, Buckets(np.random.RandomState(0))))
    assert all(len(batch.lengths.unique()) == 1 for batch in batches)
    first_steps = [int(batch.lengths[0]) for batch in batches]
    assert first_steps not in (sorted(first_steps), sorted(first_steps)[::-1]), "but the batches come in any order"
