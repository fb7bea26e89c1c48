"""Arrow columns and tables as X and as y: what they hold, without a copy where that can be, and what they may not."""

import datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler

from sklearn_rnn import (
    AlignedSequences,
    PerStep,
    RNNClassifier,
    RNNRegressor,
    RNNSequenceTagger,
    SequenceBaggingRegressor,
    Sequences,
)
from sklearn_rnn.data import arrow
from sklearn_rnn.data.arrow import read_arrow, read_arrow_targets
from sklearn_rnn.data.stored import StoredSequences
from sklearn_rnn.exceptions import SequenceDataError

FLOAT = pa.float32()
LISTS = {
    "lists": pa.list_,
    "large lists": pa.large_list,
    "views of lists": pa.list_view,
    "large views of lists": pa.large_list_view,
}
SMALL = {"hidden_size": 4, "max_epochs": 2, "random_state": 0}


def same(X, arrays):
    return len(X) == len(arrays) and all(np.array_equal(x, a, equal_nan=True) for x, a in zip(X, arrays, strict=True))


def shares_memory(X, column):
    start = column.values.values.buffers()[1].address
    return start <= X.values.__array_interface__["data"][0] < start + column.values.values.nbytes


@pytest.fixture
def arrays(rng):
    return [rng.normal(size=(int(n), 3)).astype(np.float32) for n in rng.integers(1, 6, size=20)]


def lists(arrays, kind=None):
    return pa.array([array.tolist() for array in arrays], type=kind or pa.list_(pa.list_(FLOAT)))


# Layouts


@settings(max_examples=15, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("outer", LISTS)
@pytest.mark.parametrize("inner", [None, "rows of one size", *LISTS])
def test_lists_however_they_are_laid_out(data, outer, inner):
    step = FLOAT if inner is None else pa.list_(FLOAT, 2) if inner not in LISTS else LISTS[inner](FLOAT)
    lengths = data.draw(st.lists(st.integers(0, 4), min_size=1, max_size=6))
    shape = (sum(lengths),) if inner is None else (sum(lengths), 2)
    arrays = np.split(np.arange(np.prod(shape), dtype=np.float32).reshape(shape), np.cumsum(lengths)[:-1])
    column = pa.array([array.tolist() for array in arrays], type=LISTS[outer](step))
    start = data.draw(st.integers(0, len(lengths) - 1))
    column, arrays = column[start:], arrays[start:]
    if data.draw(st.booleans()):
        cut = data.draw(st.integers(0, len(arrays)))
        column = pa.chunked_array([column[:cut], column[cut:]])
    X = read_arrow(column)
    assert [len(item) for item in X] == [len(array) for array in arrays]
    if sum(map(len, arrays)):
        assert same(X, arrays)
        assert X.values.dtype == np.float32


@pytest.mark.parametrize("n_chunks", [1, 3])
def test_lists_of_one_size(rng, n_chunks):
    block = rng.normal(size=(12, 4, 3)).astype(np.float32)
    column = lists(block, pa.list_(pa.list_(FLOAT, 3), 4))[2:11]
    if n_chunks > 1:
        column = pa.chunked_array([column[:2], column[2:6], column[6:]])
    assert same(read_arrow(column), list(block[2:11]))


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.list_(FLOAT, 3)), pa.list_(pa.list_(FLOAT)), pa.large_list(pa.list_(FLOAT))]
)
def test_memory_is_shared(arrays, kind):
    column = lists(arrays, kind)
    X = read_arrow(column[5:])
    assert shares_memory(X, column)
    assert not X.values.flags.writeable


def test_large_chunks_are_left_where_they_are(arrays, monkeypatch):
    monkeypatch.setattr(arrow, "LEFT_ON_DISK", 0)
    column = lists(arrays)
    X = read_arrow(pa.chunked_array([column[:7], column[7:]]))
    assert isinstance(X, StoredSequences)
    assert same(X, arrays)
    assert same(X[3:9], arrays[3:9])


def test_tensors_of_one_shape(rng):
    block = rng.normal(size=(5, 4, 3))
    column = pa.FixedShapeTensorArray.from_numpy_ndarray(block)
    assert same(read_arrow(column), list(block))
    assert same(read_arrow(pa.table({"x": column[2:]})), list(block[2:]))


@pytest.mark.parametrize(
    ("column", "values"),
    [
        (pa.array([[True, False]]), [1, 0]),
        (pa.array([[True, None]]), [1, np.nan]),
        (pa.array([[1, None]]), [1, np.nan]),
        (pa.array([[1.5, None]]), [1.5, np.nan]),
        (pa.array([[None, None]]), [np.nan, np.nan]),
        (pa.array([[np.float16(0.5)]]), [0.5]),
        (pa.array([[1, 2]], pa.list_(pa.decimal128(20, 2))), [1, 2]),
        (pa.array([[[1.0, 2.0], None]]), [[1, 2], [np.nan, np.nan]]),
        (pa.array([[None, [1.0, 2.0]]], pa.list_(pa.list_(FLOAT, 2))), [[np.nan, np.nan], [1, 2]]),
        (pa.array([[[1, None]], [[3, 4]]]), [[1, np.nan], [3, 4]]),
        (pa.chunked_array([[[None]], [[[1, 2]]]], type=pa.list_(pa.list_(FLOAT))), [[np.nan, np.nan], [1, 2]]),
        (pa.chunked_array([[[1, 2]], [[None]]]), [1, 2, np.nan]),
    ],
)
def test_nulls_are_nan_and_bits_are_numbers(column, values):
    assert np.array_equal(read_arrow(column).values.astype(float), values, equal_nan=True)


def test_strings(arrays):
    for kind in (pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())):
        column = pa.array([["a", "b"], [], ["a"]]).cast(pa.list_(kind))
        assert [item.tolist() for item in read_arrow(column)] == [["a", "b"], [], ["a"]]


def test_columns_of_something_else_are_lists_of_objects():
    assert read_arrow(pa.array(["a b", "c"])) == ["a b", "c"]
    assert read_arrow(pa.array([[{"a": 1}]])) == [[{"a": 1}]]
    assert read_arrow(pa.chunked_array([], type=pa.list_(FLOAT))) == []
    assert read_arrow([[1.0]]) == [[1.0]]


# Tables


@pytest.mark.parametrize("form", [pa.table, pa.record_batch])
def test_columns_of_a_table_are_inputs(arrays, form):
    tokens = [[f"t{k % 3}" for k in range(len(array))] for array in arrays]
    X = read_arrow(form({"word": pa.array(tokens), "flow": lists(arrays)}))
    assert isinstance(X, AlignedSequences)
    assert list(X.inputs) == ["word", "flow"]
    assert same(X.inputs["flow"], arrays)
    assert same(read_arrow(form({"flow": lists(arrays)})), arrays)
    scalars = form({"a": [1, 2], "b": [3, 4]})
    assert read_arrow(scalars) is scalars


def test_a_table_is_fitted_as_the_dict_that_it_is(arrays):
    y = np.arange(20) % 2
    tokens = [[f"t{k % 3}" for k in range(len(array))] for array in arrays]
    table = pa.table({"word": pa.array(tokens), "flow": lists(arrays)})
    fitted = [RNNClassifier(**SMALL).fit(X, y) for X in (table, AlignedSequences({"word": tokens, "flow": arrays}))]
    assert fitted[0].loss_curve_ == fitted[1].loss_curve_
    assert np.array_equal(fitted[0].predict_proba(table[:3]), fitted[1].predict_proba(table)[:3])


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pa.table({"a": [[1.0]], "b": [2.0]}), "X.*'b'"),
        (pa.table({"a": [{"b": 1.0}]}), "The column 'a' of X has the type struct"),
        (pa.table({}), "without columns"),
        (pa.Table.from_arrays([pa.array([[1.0]])] * 2, ["a", "a"]), "more than one column of the name 'a'"),
        (pa.table({"a": [[1.0]], "b": [[1.0, 2.0]]}), r"X\['a'\]\[0\] has 1 steps, X\['b'\]\[0\] has 2"),
        (pa.table({"a": [None, [1.0]], "b": [[1.0], [2.0]]}), r"X\['a'\]\[0\] is null where a sequence is due"),
    ],
)
def test_tables_that_cannot_be_read_are_refused(table, message):
    with pytest.raises(SequenceDataError, match=message):
        RNNClassifier().fit(table, [0])


# What columns may not hold


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pa.chunked_array([[[1.0]], [[1.0], None]]), r"X\[2\] is null where a sequence is due"),
        (pa.array([[[1.0]], [[2.0], [1.0, 2.0]]]), r"X\[1\]\[1\] has 2, the first has 1"),
        (pa.array([[[]]], pa.list_(pa.list_(FLOAT))), r"X\[0\]\[0\] has 0, the first has 0; wanted rows of one length"),
        (pa.chunked_array([[[[1.0]]], [[[1.0, 2.0]]]]), "1 in one chunk, 2 in another"),
        (pa.array([[None]], pa.list_(pa.list_(FLOAT))), "All steps of X are null"),
        (pa.array([["a", None]]), r"X\[0\]\[1\] is NoneType None where other steps are strings"),
        (pa.array([[["a", "b"]]]), "holds 2 strings a step"),
        (pa.array([[[[1.0]]]]), r"X\[0\] has shape \(1, 1, 1\)"),
        (pa.array([[datetime.datetime(2024, 1, 1)]]), "dtype datetime64"),
        (pa.array([[datetime.time(1)]]), "is not a number"),
        (pa.array([[b"a"]]), "decode bytes"),
        (pa.array([{"a": 1}]), r"X\[0\] is .* where a sequence is due"),
        (pa.array([[1.0], [None]]), "contains NaN at sequence 1, step 0"),
        (pa.FixedShapeTensorArray.from_numpy_ndarray(np.zeros((1, 2, 2, 2))), r"X has 4 dimension\(s\)"),
    ],
)
def test_columns_that_cannot_be_read_are_refused(column, message):
    with pytest.raises(SequenceDataError, match=message):
        RNNClassifier().fit(column, [0] * len(column))


@pytest.mark.parametrize("offsets", [[-1, 1, 2], [0, 2, 1], [0, 1, 9]])
@pytest.mark.parametrize("of_rows", [False, True])
def test_offsets_that_point_elsewhere_are_refused(offsets, of_rows):
    items = pa.array([[1.0]] * 4) if of_rows else pa.array([1.0] * 4)
    whole = np.array([0, 1, 2], dtype=np.int32)
    column = pa.ListArray.from_arrays(pa.Array.from_buffers(pa.int32(), 3, [None, pa.py_buffer(whole)]), items)
    whole[:] = offsets
    with pytest.raises(SequenceDataError, match="do not hold what their offsets say"):
        read_arrow(column)


# Estimators and transformers


def test_what_is_fitted_is_what_the_lists_are(arrays):
    y = np.array([array.sum() for array in arrays])
    column = pa.chunked_array([lists(arrays[:8]), lists(arrays[8:])])
    for X in (column, pa.table({"x": column})):
        assert RNNRegressor(**SMALL).fit(X, y).loss_curve_ == RNNRegressor(**SMALL).fit(arrays, y).loss_curve_
    scaled = PerStep(StandardScaler()).fit_transform(column)
    assert np.allclose(scaled.values, StandardScaler().fit_transform(np.concatenate(arrays)))
    bagging = [SequenceBaggingRegressor(RNNRegressor(**SMALL), n_estimators=2, random_state=0) for _ in range(2)]
    assert np.array_equal(bagging[0].fit(column, y).predict(column), bagging[1].fit(arrays, y).predict(arrays))


def target_mean(arrays, y):
    return RNNRegressor(**SMALL).fit(arrays, y).target_mean_


def test_numbers_as_targets(arrays):
    steps = pa.array([array[:, 0].tolist() for array in arrays])
    mean = np.concatenate(arrays).astype(float).mean(axis=0)
    assert target_mean(arrays, steps) == pytest.approx(mean[:1])
    assert target_mean(arrays, pa.table({"y": steps})) == pytest.approx(mean[:1])
    assert target_mean(arrays, lists(arrays)) == pytest.approx(mean)
    assert target_mean(arrays, pa.table({"y": lists(arrays)})) == pytest.approx(mean)
    rows = pa.array([[1.0, 2.0]] * 20, pa.list_(pa.float64(), 2))
    assert target_mean(arrays, rows) == pytest.approx([1, 2])
    assert target_mean(arrays, pa.chunked_array([rows[:3], rows[3:]])) == pytest.approx([1, 2])
    missing = pa.array([[None, *array[1:].tolist()] for array in arrays])
    kept = np.concatenate([array[1:] for array in arrays]).astype(float)
    assert target_mean(arrays, missing) == pytest.approx(kept.mean(axis=0))
    with pytest.raises(SequenceDataError, match=r"y\[1\] is null"):
        read_arrow_targets(pa.array([[[1.0]], None]))


def test_lists_of_columns_and_tables(arrays):
    y = [array[:, 0].tolist() for array in arrays]
    wanted = RNNRegressor(**SMALL).fit(arrays, y).loss_curve_
    for column in (pa.array, pa.chunked_array):
        targets = [column([row] if column is pa.chunked_array else row) for row in y]
        assert RNNRegressor(**SMALL).fit([pa.array(array.tolist()) for array in arrays], targets).loss_curve_ == wanted
    tables = [pa.table({name: array[:, k] for k, name in enumerate("abc")}) for array in arrays]
    regressor = RNNRegressor(**SMALL).fit(tables, y)
    assert regressor.loss_curve_ == wanted
    assert regressor.feature_names_in_.tolist() == ["a", "b", "c"]


def test_scalars_are_what_they_hold(arrays):
    words = pa.array(["up", "down"] * 10)
    assert RNNClassifier(**SMALL).fit(arrays, list(words)).classes_.tolist() == ["down", "up"]
    column = pa.array([["up"], ["a", "up"]])
    for X in (list(column), [list(item) for item in column]):
        assert (
            RNNClassifier(**SMALL).fit(X, [0, 1]).vocabulary_ == RNNClassifier(**SMALL).fit(column, [0, 1]).vocabulary_
        )
    assert read_arrow(list(lists(arrays)))[3] == arrays[3].tolist()


def test_several_columns_of_targets(arrays):
    steps = [array[:, 0].tolist() for array in arrays]
    with pytest.raises(SequenceDataError, match=r"y has the columns \['a', 'b'\], of which some hold lists"):
        RNNRegressor(**SMALL).fit(arrays, pa.table({"a": steps, "b": steps}))


def test_a_dict_of_columns(arrays):
    y = np.arange(20) % 2
    column = pa.array([[None, *array[1:].tolist()] for array in arrays])
    plain = [array.copy() for array in arrays]
    for array in plain:
        array[0] = np.nan
    fitted = [
        RNNClassifier(**SMALL, missing="mask").fit({"a": a, "b": b}, y)
        for a, b in ((column, lists(arrays)), (plain, arrays))
    ]
    assert fitted[0].loss_curve_ == fitted[1].loss_curve_


def test_labels_as_targets(arrays):
    labels = [["up" if step[0] > 0 else "down" for step in array] for array in arrays]
    for y in (pa.array(labels), pa.table({"y": labels}), pa.chunked_array([labels[:3], labels[3:]])):
        assert RNNSequenceTagger(**SMALL).fit(lists(arrays), y).classes_.tolist() == ["down", "up"]
    with pytest.raises(SequenceDataError, match="got None where such a list is due"):
        RNNSequenceTagger(**SMALL).fit(arrays, pa.array([None, *labels[1:]]))
    several = pa.table({"u": [0, 1] * 10, "v": [1, 1, 0, 0] * 5})
    assert RNNClassifier(**SMALL).fit(lists(arrays), several).predict(lists(arrays)).shape == (20, 2)


def test_a_series_of_rows_is_a_table_of_targets(arrays):
    rows = np.empty(20, dtype=object)
    for i in range(20):
        rows[i] = np.array([1.0, 2.0])
    assert target_mean(arrays, rows) == pytest.approx([1, 2])


def test_a_container_is_left_alone(arrays):
    X = Sequences.from_arrays(arrays)
    assert read_arrow(X) is X
    assert read_arrow_targets(X) is X
