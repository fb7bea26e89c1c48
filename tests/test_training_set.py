"""A training set is a multiset: repeats, weights of 0 and order make no difference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.training_set import TrainingSet


def make_set(arrays, target, weight=None, groups=None):
    weight = np.ones(len(arrays)) if weight is None else np.asarray(weight, dtype=np.float64)
    groups = None if groups is None else np.asarray(groups)
    return TrainingSet(Sequences.from_arrays(arrays), np.asarray(target), weight, groups)


def assert_same(one, other):
    np.testing.assert_array_equal(one.sequences.values, other.sequences.values)
    np.testing.assert_array_equal(one.sequences.offsets, other.sequences.offsets)
    if isinstance(one.target, Sequences):
        np.testing.assert_array_equal(one.target.values, other.target.values)
    else:
        np.testing.assert_array_equal(one.target, other.target)
    np.testing.assert_array_equal(one.weight, other.weight)
    if one.groups is not None:
        np.testing.assert_array_equal(one.groups, other.groups)


# Few distinct values, so that equal samples are common.
array = st.integers(1, 3).flatmap(lambda n: st.lists(st.sampled_from([0.0, 1.0]), min_size=n, max_size=n))
sample = st.tuples(array, st.integers(0, 1), st.integers(0, 3), st.sampled_from(["a", "b"]))
samples = st.lists(sample, min_size=1, max_size=8).filter(lambda rows: any(weight for _, _, weight, _ in rows))


def set_of(rows, *, grouped=False, per_step=False):
    arrays = [np.array(values).reshape(-1, 1) for values, *_ in rows]
    target = [label for _, label, *_ in rows]
    if per_step:
        target = Sequences.from_arrays([np.full(len(a), label) for a, label in zip(arrays, target, strict=True)])
        groups = np.array([group for *_, group in rows]) if grouped else None
        return TrainingSet(Sequences.from_arrays(arrays), target, np.array([float(w) for _, _, w, _ in rows]), groups)
    return make_set(arrays, target, [row[2] for row in rows], [row[3] for row in rows] if grouped else None)


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("per_step", [False, True])
@given(rows=samples, seed=st.integers(0, 100))
@settings(deadline=None, max_examples=40)
def test_weights_repeats_and_order(grouped, per_step, rows, seed):
    """A weight of k is k repeats, a weight of 0 is none, and any order gives the same arrays."""
    merged = set_of(rows, grouped=grouped, per_step=per_step).merged()
    repeated = [(values, label, 1, group) for values, label, weight, group in rows for _ in range(weight)]
    shuffled = [repeated[i] for i in np.random.default_rng(seed).permutation(len(repeated))]
    for others in (repeated, shuffled):
        assert_same(merged, set_of(others, grouped=grouped, per_step=per_step).merged())


@pytest.mark.parametrize("grouped", [False, True])
@given(rows=samples)
@settings(deadline=None, max_examples=40)
def test_total_weight_of_each_distinct_sample(grouped, rows):
    expected = {}
    for values, label, weight, group in rows:
        if weight:
            key = (tuple(values), label, group if grouped else None)
            expected[key] = expected.get(key, 0) + weight
    merged = set_of(rows, grouped=grouped).merged()
    groups = merged.groups if grouped else [None] * len(merged)
    keys = [(tuple(s[:, 0]), y, g) for s, y, g in zip(merged.sequences, merged.target, groups, strict=True)]
    assert dict(zip(keys, merged.weight, strict=True)) == expected
    assert len(keys) == len(expected)


def test_groups_are_kept_apart():
    steps = [np.ones((2, 1))] * 3
    assert len(make_set(steps, [0, 0, 0]).merged()) == 1
    merged = make_set(steps, [0, 0, 0], groups=["a", "b", "a"]).merged()
    assert dict(zip(merged.groups.tolist(), merged.weight.tolist(), strict=True)) == {"a": 2, "b": 1}


def test_samples_that_differ_in_one_thing_are_kept_apart():
    one, longer, other = np.zeros((2, 1)), np.zeros((3, 1)), np.full((2, 1), 1e-300)
    assert len(make_set([one, longer, other, one], [0, 0, 0, 1]).merged()) == 4
    assert len(make_set([one, one], [[0.0, 1.0], [1.0, 0.0]]).merged()) == 2


def test_merging_twice_is_merging_once():
    rows = [([0.0, 1.0], 0, 2, "a"), ([1.0], 1, 1, "a"), ([0.0, 1.0], 0, 1, "b")]
    once = set_of(rows).merged()
    assert_same(once, once.merged())


def test_take_picks_everything_of_a_sample():
    data = set_of([([0.0], 0, 1, "a"), ([1.0, 0.0], 1, 2, "b"), ([0.0, 0.0], 1, 3, "c")], grouped=True)
    part = data.take(np.array([2, 0]))
    assert [s[:, 0].tolist() for s in part.sequences] == [[0.0, 0.0], [0.0]]
    assert (part.target.tolist(), part.weight.tolist(), part.groups.tolist()) == ([1, 0], [3, 1], ["c", "a"])
    assert len(part) == 2
