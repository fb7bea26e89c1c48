"""Hashes of sequences: equal for equal ones, and for no others that a test comes upon."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_rnn.data import hashing
from sklearn_rnn.data.hashing import can_hash, hash_sequences
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.training_set import TrainingSet

ragged = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=4), min_size=1, max_size=12)


def as_sequences(parts, dtype="float32"):
    return Sequences.from_arrays([np.array(part, dtype)[:, None] for part in parts])


@given(parts=ragged, dtype=st.sampled_from(["float32", "float64", "int64", "int32"]))
def test_hashes_are_equal_where_the_sequences_are(parts, dtype):
    hashes = hash_sequences(as_sequences(parts, dtype))
    for one, hash_of_one in zip(parts, hashes, strict=True):
        for other, hash_of_other in zip(parts, hashes, strict=True):
            assert (one == other) == (hash_of_one == hash_of_other)


def test_a_hash_does_not_depend_on_the_others_nor_on_blocks(monkeypatch):
    rng = np.random.default_rng(0)
    parts = [rng.normal(size=(n, 3)) for n in rng.integers(1, 9, 40)]
    whole = hash_sequences(Sequences.from_arrays(parts))
    assert len(set(whole.tolist())) == 40
    monkeypatch.setattr(hashing, "BLOCK", 7)
    np.testing.assert_array_equal(hash_sequences(Sequences.from_arrays(parts)), whole)
    np.testing.assert_array_equal(hash_sequences(Sequences.from_arrays(parts[5:6])), whole[5:6])


def test_what_cannot_be_hashed():
    assert can_hash(as_sequences([[1.0]]))
    assert not can_hash(Sequences(np.zeros((0, 1)), np.array([0, 0])))
    assert not can_hash(Sequences(np.zeros((1, 1)), np.array([0, 1, 1])))
    assert not can_hash(Sequences(np.array(["a"], dtype=object), np.array([0, 1])))
    assert not can_hash(as_sequences([[1]], "int8"))


@pytest.mark.parametrize("collisions", [False, True])
def test_merging_is_right_whatever_the_hashes_are(collisions, monkeypatch):
    if collisions:
        target = "sklearn_rnn.data.training_set.hash_sequences"
        monkeypatch.setattr(target, lambda sequences: np.zeros(len(sequences), dtype=np.uint64))
    parts = [[1, 2], [1], [1, 2], [2, 1], [1, 2], [1]]
    target = np.array([0, 1, 0, 0, 1, 1])
    merged = TrainingSet(as_sequences(parts), target, np.array([1.0, 1, 2, 1, 1, 0])).merged()
    found = {
        (tuple(sequence[:, 0].tolist()), int(label)): weight
        for sequence, label, weight in zip(merged.sequences, merged.target, merged.weight, strict=True)
    }
    assert found == {((1, 2), 0): 3, ((1,), 1): 1, ((2, 1), 0): 1, ((1, 2), 1): 1}
    order = np.random.default_rng(0).permutation(6)
    weight = np.array([1.0, 1, 2, 1, 1, 0])
    again = TrainingSet(as_sequences([parts[i] for i in order]), target[order], weight[order]).merged()
    np.testing.assert_array_equal(again.sequences.values, merged.sequences.values)
    np.testing.assert_array_equal(again.target, merged.target)
