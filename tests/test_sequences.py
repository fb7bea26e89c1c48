"""The ragged container against plain lists of arrays."""

import pickle
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import GroupKFold, KFold, train_test_split
from sklearn.preprocessing import StandardScaler
from sklearn.utils import resample

from sklearn_rnn import Sequences
from sklearn_rnn.exceptions import SequenceDataError

LENGTHS = [2, 0, 3, 1]


def make(lengths=LENGTHS, n_features=2, **options):
    """A container whose values are all different, and the same sequences as a list."""
    shape = (sum(lengths),) if n_features is None else (sum(lengths), n_features)
    values = np.arange(np.prod(shape)).reshape(shape)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    arrays = [values[a:b].copy() for a, b in pairwise(offsets)]
    return Sequences(values, offsets, **options), arrays


def assert_same(sequences, arrays):
    assert isinstance(sequences, Sequences)
    assert len(sequences) == len(arrays)
    for sequence, array in zip(sequences, arrays, strict=True):
        np.testing.assert_array_equal(sequence, array)
    np.testing.assert_array_equal(sequences.lengths, [len(array) for array in arrays])


@st.composite
def ragged(draw):
    lengths = draw(st.lists(st.integers(0, 5), min_size=1, max_size=7))
    return make(lengths, draw(st.sampled_from([None, 1, 3])))


@given(ragged(), st.data())
@settings(deadline=None)
def test_take_is_that_of_a_list(pair, data):
    sequences, arrays = pair
    index = data.draw(st.lists(st.integers(-len(arrays), len(arrays) - 1), max_size=9))
    assert_same(sequences.take(index), [arrays[i] for i in index])
    assert_same(sequences[np.array(index, dtype=int)], [arrays[i] for i in index])


@given(ragged(), st.data())
@settings(deadline=None)
def test_slices_and_masks_are_those_of_a_list(pair, data):
    sequences, arrays = pair
    part = data.draw(st.slices(len(arrays)))
    assert_same(sequences[part], arrays[part])
    mask = data.draw(st.lists(st.booleans(), min_size=len(arrays), max_size=len(arrays)))
    assert_same(sequences[np.array(mask)], [array for array, kept in zip(arrays, mask, strict=True) if kept])


@given(ragged(), st.integers(1, 6), st.sampled_from(["head", "tail"]))
@settings(deadline=None)
def test_truncate_is_that_of_a_list(pair, max_length, cut):
    sequences, arrays = pair
    kept = [array[-max_length:] if cut == "head" else array[:max_length] for array in arrays]
    assert_same(sequences.truncate(max_length, cut=cut), kept)


@given(ragged())
@settings(deadline=None)
def test_arrays_joined_and_taken_apart_are_the_same(pair):
    _, arrays = pair
    joined = Sequences.from_arrays(arrays)
    assert_same(joined, arrays)
    assert joined.values.flags.c_contiguous


def test_from_arrays_converts_to_the_dtype_asked_for():
    joined = Sequences.from_arrays([np.array([1.5, 2.0]), np.array([3], dtype=np.int64)], dtype=np.float32)
    assert joined.values.dtype == np.float32
    np.testing.assert_array_equal(joined.values, [1.5, 2.0, 3.0])


@pytest.mark.parametrize("i", [0, 1, 3, -1, -4, np.int64(2)])
def test_an_integer_picks_one_sequence_as_a_view(i):
    sequences, arrays = make()
    np.testing.assert_array_equal(sequences[i], arrays[i])
    assert len(arrays[i]) == 0 or np.shares_memory(sequences[i], sequences.values)


@pytest.mark.parametrize("i", [4, -5])
def test_an_integer_out_of_range_raises(i):
    with pytest.raises(IndexError):
        make()[0][i]
    with pytest.raises(IndexError):
        make()[0][[i]]


@pytest.mark.parametrize(
    "key", [slice(1, 3), [1, 2], np.array([1, 2]), [False, True, True, False], [1], [], slice(0, 0)]
)
def test_neighbours_are_a_view(key):
    sequences, arrays = make()
    part = sequences[key]
    assert_same(part, [arrays[i] for i in np.arange(4)[key]])
    assert part.values.size == 0 or np.shares_memory(part.values, sequences.values)


@pytest.mark.parametrize("index", [[2, 0], [2, 2], [0, 2], [3, 2, 1, 0], [1, 1, 1]])
def test_any_order_and_repeats(index):
    sequences, arrays = make()
    assert_same(sequences.take(index), [arrays[i] for i in index])
    assert not np.shares_memory(sequences.take([2, 0]).values, sequences.values)


def test_iteration_yields_views_in_order():
    sequences, arrays = make()
    for sequence, array in zip(sequences, arrays, strict=True):
        np.testing.assert_array_equal(sequence, array)
        assert len(array) == 0 or np.shares_memory(sequence, sequences.values)


def test_ids_and_names_go_along():
    sequences, _ = make(ids=["a", "b", "c", "d"], feature_names=["x", "y"])
    assert sequences[[2, 0]].ids.tolist() == ["c", "a"]
    assert sequences[1:].feature_names == ["x", "y"]
    assert sequences.truncate(1).ids.tolist() == ["a", "b", "c", "d"]
    other = sequences.with_values(np.zeros(6))
    assert other.ids.tolist() == ["a", "b", "c", "d"]
    assert other.feature_names is None
    assert other.n_features == 1


@pytest.mark.parametrize("lengths", [LENGTHS, [2, 2, 2]])
def test_as_array_it_is_a_column_of_sequences(lengths):
    sequences, arrays = make(lengths)
    column = np.asarray(sequences)
    assert column.shape == (len(lengths),)
    assert column.dtype == object
    for cell, array in zip(column, arrays, strict=True):
        np.testing.assert_array_equal(cell, array)


def test_as_array_without_a_copy_is_refused():
    with pytest.raises(ValueError, match="copy"):
        np.array(make()[0], copy=False)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickle_keeps_everything(protocol):
    sequences, arrays = make(ids=[1, 2, 3, 4], feature_names=["x", "y"])
    again = pickle.loads(pickle.dumps(sequences, protocol))
    assert_same(again, arrays)
    assert again.ids.tolist() == [1, 2, 3, 4]
    assert again.feature_names == ["x", "y"]


def test_pickle_of_a_part_holds_the_part_alone():
    sequences, _ = make([1000] * 50)
    assert len(pickle.dumps(sequences[:1])) < len(pickle.dumps(sequences)) / 20


def test_train_test_split():
    sequences, arrays = make([1, 2, 3, 4, 5, 6], ids=range(6))
    y = np.arange(6)
    X_train, X_test, y_train, y_test = train_test_split(sequences, y, test_size=2, random_state=0)
    assert_same(X_train, [arrays[i] for i in y_train])
    assert_same(X_test, [arrays[i] for i in y_test])
    np.testing.assert_array_equal(X_train.ids, y_train)


@pytest.mark.parametrize(
    ("splitter", "groups"),
    [(KFold(3), None), (KFold(2, shuffle=True, random_state=0), None), (GroupKFold(2), [0, 0, 1, 1, 2, 2])],
)
def test_splitters(splitter, groups):
    sequences, arrays = make([1, 2, 3, 4, 5, 6])
    tested = []
    for train, test in splitter.split(sequences, groups=groups):
        assert_same(sequences[train], [arrays[i] for i in train])
        assert_same(sequences[test], [arrays[i] for i in test])
        tested += test.tolist()
    assert sorted(tested) == list(range(6))


def test_resample():
    sequences, arrays = make([1, 2, 3])
    drawn, index = resample(sequences, np.arange(3), n_samples=7, random_state=0)
    assert_same(drawn, [arrays[i] for i in index])


@pytest.mark.parametrize(
    ("values", "offsets", "message"),
    [
        (np.zeros((3, 1)), [1, 3], "starts at 0"),
        (np.zeros((3, 1)), [0, 2, 1, 3], "never decreases"),
        (np.zeros((3, 1)), [], "starts at 0"),
        (np.zeros((3, 1)), [[0, 3]], "1-D array"),
        (np.zeros((3, 1)), [0, 2], r"offsets\[-1\]=2 steps, got shape \(3, 1\)"),
        (np.zeros((3, 1, 1)), [0, 3], "1 or 2 dimensions"),
    ],
)
def test_what_is_no_container_is_refused(values, offsets, message):
    with pytest.raises(ValueError, match=message):
        Sequences(values, offsets)


def test_ids_of_another_number_are_refused():
    with pytest.raises(ValueError, match="one key for each of the 4 sequences, got 3"):
        make(ids=[1, 2, 3])


@pytest.mark.parametrize(
    ("lengths", "text"),
    [
        (LENGTHS, "Sequences(n_sequences=4, n_features=2, lengths 0 to 3)"),
        ([], "Sequences(n_sequences=0, n_features=2, empty)"),
    ],
)
def test_repr(lengths, text):
    assert repr(make(lengths)[0]) == text


def test_it_is_a_one_dimensional_collection():
    sequences, _ = make()
    assert sequences.shape == (4,)
    assert sequences.ndim == 1
    assert sequences.n_features == 2
    assert make(n_features=None)[0].n_features == 1


def test_a_table_of_numbers_is_refused_with_the_way_out():
    sequences = Sequences(np.arange(6.0).reshape(3, 2), [0, 1, 3])
    assert np.asarray(sequences).dtype == np.asarray(sequences, dtype=object).dtype == object
    with pytest.raises(SequenceDataError, match=r"float64 was wanted of: .*PerStep\(StandardScaler\(\)\)"):
        np.asarray(sequences, dtype=np.float64)
    with pytest.raises(SequenceDataError, match=r"PerStep\(StandardScaler\(\)\)"):
        StandardScaler().fit(sequences)
