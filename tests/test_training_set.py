"""A training set is a multiset: repeats, weights of 0 and order make no difference."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_rnn import SequenceTokenizer
from sklearn_rnn.data.aligned import AlignedSequences
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.stored import StoredSequences
from sklearn_rnn.data.training_set import END, GRID, TrainingSet


def make_set(arrays, target, weight=None, groups=None):
    weight = np.ones(len(arrays)) if weight is None else np.asarray(weight, dtype=np.float64)
    groups = None if groups is None else np.asarray(groups)
    return TrainingSet(Sequences.from_arrays(arrays), np.asarray(target), weight, groups=groups)


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
        weight = np.array([float(w) for _, _, w, _ in rows])
        return TrainingSet(Sequences.from_arrays(arrays), target, weight, groups=groups)
    return make_set(arrays, target, [row[2] for row in rows], [row[3] for row in rows] if grouped else None)


def merged_set_of(rows, **options):
    """What is left of samples of weight 0 and repeats."""
    data = set_of(rows, **options)
    return data.merged(np.flatnonzero(data.weight > 0))


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("per_step", [False, True])
@given(rows=samples, seed=st.integers(0, 100))
@settings(deadline=None, max_examples=40)
def test_weights_repeats_and_order(grouped, per_step, rows, seed):
    """A weight of k is k repeats, a weight of 0 is none, and any order gives the same arrays."""
    merged = merged_set_of(rows, grouped=grouped, per_step=per_step)
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
    merged = merged_set_of(rows, grouped=grouped)
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


@given(rows=samples, seed=st.integers(0, 100), stepwise=st.booleans())
@settings(deadline=None, max_examples=40)
def test_keys_are_those_of_the_samples_whatever_is_beside_them(rows, seed, stepwise):
    """Equal samples of one set share a key, and no others do; merged rows have the keys of the rows, in order."""
    data = set_of(rows, grouped=True, per_step=stepwise)
    samples = [(tuple(values), label, group) for values, label, _, group in rows]
    for i, key in enumerate(data.keys):
        assert [other == key for other in data.keys] == [other == samples[i] for other in samples]
    picked = np.random.default_rng(seed).integers(len(rows), size=3)
    merged = data.merged(picked)
    assert merged.weight.sum() == data.weight[picked].sum()
    alone = data.take(picked).merged()
    distinct = {samples[i] for i in picked}
    assert len(merged) == len(alone) == len(distinct)
    found = zip(merged.sequences, merged.target, merged.groups, strict=True)
    assert {(tuple(s[:, 0]), int(np.ravel(t)[0]), g) for s, t, g in found} == distinct


def step_weighted(values, weights):
    """Sequences of one feature with target 0, and the weights of their steps."""
    sequences = Sequences.from_arrays([np.array(part, dtype=float).reshape(-1, 1) for part in values])
    beside = Sequences.from_arrays([np.array(part, dtype=float) for part in weights])
    target = sequences.with_values(np.zeros(len(sequences.values), dtype=np.int64))
    return TrainingSet(sequences, target, np.ones(len(values)), beside)


def test_weights_of_steps_are_part_of_a_sample():
    data = step_weighted([[1, 2], [1, 2], [1, 2], [3, 4]], [[1, 0], [0, 1], [1, 0], [1, 0]])
    merged = data.merged()
    found = {
        (tuple(s[:, 0]), tuple(w)): n
        for s, w, n in zip(merged.sequences, merged.step_weight, merged.weight, strict=True)
    }
    assert found == {((1, 2), (1, 0)): 2, ((1, 2), (0, 1)): 1, ((3, 4), (1, 0)): 1}
    np.testing.assert_array_equal(merged.target.offsets, merged.sequences.offsets)


@pytest.mark.parametrize("cut", ["head", "tail"])
def test_what_belongs_to_steps_is_truncated_with_them(cut):
    data = step_weighted([[1, 2, 3], [4], [5, 6]], [[1, 2, 3], [4], [5, 6]])
    data = replace(data, target=data.step_weight, groups=np.array(["a", "b", "c"]))
    short = data.truncated(2, cut)
    wanted = [[2, 3], [4], [5, 6]] if cut == "head" else [[1, 2], [4], [5, 6]]
    for part in (short.sequences, short.target, short.step_weight):
        assert [item.ravel().tolist() for item in part] == wanted
    assert (short.weight.tolist(), short.groups.tolist()) == ([1, 1, 1], ["a", "b", "c"])
    assert [item.ravel().tolist() for item in data.sequences] == [[1, 2, 3], [4], [5, 6]]
    without = replace(data, step_weight=None).truncated(1, cut)
    assert without.step_weight is None
    assert [item.ravel().tolist() for item in without.target] == [[part[-1 if cut == "head" else 0]] for part in wanted]


words = st.lists(st.sampled_from(["a", "b", "New"]), min_size=1, max_size=2)


@given(rows=st.lists(st.tuples(words, st.integers(0, 1)), min_size=1, max_size=7), seed=st.integers(0, 9))
@settings(deadline=None, max_examples=40)
@pytest.mark.parametrize("aligned", [False, True])
def test_tokens_and_inputs_side_by_side_are_merged_as_given(aligned, rows, seed):
    """Before they are encoded: strings, and several inputs a step, of which each may tell samples apart."""
    tokens = Sequences.from_arrays([np.array(part, dtype=object) for part, _ in rows])
    sizes = tokens.with_values([float(label) for part, label in rows for _ in part])
    inputs = AlignedSequences({"token": tokens, "size": sizes}) if aligned else tokens
    data = TrainingSet(inputs, np.zeros(len(rows)), np.ones(len(rows)))
    merged = data.merged()
    seen = [(tuple(part), label if aligned else None) for part, label in rows]
    named = merged.sequences.inputs["token"] if aligned else merged.sequences
    labels = [int(part[0]) for part in merged.sequences.inputs["size"]] if aligned else [None] * len(merged)
    found = dict(zip([(tuple(s), label) for s, label in zip(named, labels, strict=True)], merged.weight, strict=True))
    assert found == {sample: seen.count(sample) for sample in seen}
    order = np.random.default_rng(seed).permutation(len(rows))
    again = data.take(order).merged()
    other = again.sequences.inputs["token"] if aligned else again.sequences
    assert [list(part) for part in other] == [list(part) for part in named]
    np.testing.assert_array_equal(again.weight, merged.weight)


def test_cased_tokens_are_told_apart_by_their_surfaces():
    documents = np.array(["New", "new", "New"], dtype=object)
    found = SequenceTokenizer(lowercase=True).fit_transform(documents)
    assert len(TrainingSet(found, np.zeros(3), np.ones(3)).merged()) == 2
    plain = Sequences(found.values, found.offsets)
    assert len(TrainingSet(plain, np.zeros(3), np.ones(3)).merged()) == 1
    cased = SequenceTokenizer(lowercase=False).fit_transform(documents)
    by_tokens = TrainingSet(Sequences(cased.values, cased.offsets), np.zeros(3), np.ones(3)).keys
    np.testing.assert_array_equal(TrainingSet(cased, np.zeros(3), np.ones(3)).keys, by_tokens)


numbers = st.lists(
    st.lists(st.floats(-4, 4).map(lambda x: round(x * 64) / 64), min_size=1, max_size=24), min_size=1, max_size=8
)


@given(rows=numbers, seed=st.integers(0, 99), stored=st.booleans())
@settings(deadline=None, max_examples=60)
def test_an_order_by_the_ends_does_not_see_rounding(rows, seed, stored):
    """Numbers on the grid move by much less than half of it, as those in other units do once they are scaled."""
    rng = np.random.default_rng(seed)
    rows = [row for k, row in enumerate(rows) if row not in rows[:k]]
    near = [np.array(row) + rng.uniform(-1, 1, size=len(row)) * GRID / 8 for row in rows]

    def order_of(arrays):
        X = Sequences.from_arrays([np.reshape(array, (-1, 1)).astype(np.float32) for array in arrays])
        X = StoredSequences.join([X]) if stored else X
        found = TrainingSet(X, np.arange(len(rows)), np.arange(1.0, len(rows) + 1)).ordered()
        assert found.weight.tolist() == (found.target + 1).tolist()
        for sequence, i in zip(found.sequences, found.target.tolist(), strict=True):
            np.testing.assert_array_equal(sequence[:, 0], np.float32(arrays[i]))
        return found.target

    first = order_of(rows)
    assert sorted(first) == list(range(len(rows)))
    np.testing.assert_array_equal(order_of(near), first)


def test_equal_ends_keep_their_order_and_what_cannot_be_hashed_too():
    long = [np.concatenate([np.zeros(END), [k], np.ones(END)]).reshape(-1, 1) for k in (3.0, 1.0, 2.0)]
    assert [s[END, 0] for s in make_set(long, [0, 0, 0]).ordered().sequences] == [3, 1, 2]
    assert len(make_set(long, [0, 0, 0]).take(np.array([], dtype=int)).ordered()) == 0
    huge = make_set([np.array([[1e300]]), np.array([[-1e300]]), np.array([[2e300]])], [0, 1, 2]).ordered()
    assert sorted(huge.target.tolist()) == [0, 1, 2]


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
