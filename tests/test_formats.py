"""Every format of sequences is read into the same container, and left as it was."""

import copy

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sklearn_rnn import Sequences
from sklearn_rnn.data.formats import as_sequences, dimensions, is_table, is_text, locate, object_array
from sklearn_rnn.exceptions import SequenceDataError

RAGGED = [np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[5.0, 6.0]]), np.array([[7.0, 8.0], [9.0, 10.0], [11.0, 12.0]])]
FLAT = [np.array([1.0, 2.0]), np.array([3.0]), np.array([4.0, 5.0, 6.0])]
TOKENS = [["a", "b"], ["c"], ["b", "a", "d"]]
BLOCK = np.arange(24.0).reshape(3, 4, 2)


def column(items):
    array = np.empty(len(items), dtype=object)
    for i, item in enumerate(items):
        array[i] = item
    return array


def arrow(items):
    return pa.array([np.asarray(item).tolist() for item in items])


def arrow_series(items):
    return pd.Series(pd.array([np.asarray(item).tolist() for item in items], dtype=pd.ArrowDtype(arrow(items).type)))


def lists(items):
    return [np.asarray(item).tolist() for item in items]


CARRIERS = {
    "list": list,
    "tuple": tuple,
    "object array": column,
    "pandas Series": lambda items: pd.Series(list(items), index=range(10, 10 + len(items))),
    "polars Series": lambda items: pl.Series(lists(items)),
    "list of lists": lists,
    "list of tensors": lambda items: [torch.from_numpy(item) for item in items],
    "list of tensors with gradients": lambda items: [torch.from_numpy(item).requires_grad_() for item in items],
    "list of Series": lambda items: [pd.DataFrame(i) if i.ndim == 2 else pd.Series(i) for i in items],
    "list of polars": lambda items: [pl.from_numpy(i) if i.ndim == 2 else pl.Series(i) for i in items],
    "Arrow array": arrow,
    "Arrow chunks": lambda items: pa.chunked_array([arrow(items[:1]), arrow(items[1:])]),
    "Arrow in pandas": arrow_series,
    "DataFrame of one column": lambda items: pd.DataFrame({"sequence": list(items)}),
    "polars frame of one column": lambda items: pl.DataFrame({"sequence": lists(items)}),
    "object array of one column": lambda items: column(items).reshape(-1, 1),
    "read-only arrays": lambda items: [read_only(item) for item in items],
    "Fortran-ordered arrays": lambda items: [np.asfortranarray(item) for item in items],
    "strided arrays": lambda items: [np.repeat(item, 2, axis=0)[::2] for item in items],
    "container": lambda items: Sequences.from_arrays(list(items)),
}


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def assert_holds(sequences, arrays):
    """`sequences` are `arrays`, whatever their dimensions."""
    assert isinstance(sequences, Sequences)
    assert sequences.lengths.tolist() == [len(array) for array in arrays]
    wanted = np.concatenate(arrays)
    np.testing.assert_array_equal(sequences.values.reshape(wanted.shape), wanted)


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("items", [RAGGED, FLAT, RAGGED[:1] * 3], ids=["features", "one feature", "equal lengths"])
def test_ragged_numbers(carrier, items):
    X = CARRIERS[carrier](items)
    assert not is_table(X)
    sequences = as_sequences(X)
    assert_holds(sequences, items)
    assert sequences.n_features == (2 if items[0].ndim == 2 else 1)


@pytest.mark.parametrize(
    "carrier",
    [
        "list",
        "tuple",
        "object array",
        "pandas Series",
        "polars Series",
        "Arrow array",
        "Arrow chunks",
        "Arrow in pandas",
    ],
)
@pytest.mark.parametrize("items", [TOKENS, [["a"], ["b"]]], ids=["ragged", "equal lengths"])
def test_tokens(carrier, items):
    sequences = as_sequences(CARRIERS[carrier](items))
    assert [part.tolist() for part in sequences] == items
    assert is_text(sequences.values)


@pytest.mark.parametrize("dtype", ["U1", object])
def test_tokens_in_arrays(dtype):
    sequences = as_sequences([np.array(part, dtype=dtype) for part in TOKENS])
    assert [part.tolist() for part in sequences] == TOKENS
    assert is_text(sequences.values)


BLOCKS = {
    "array": lambda X: X,
    "Fortran": np.asfortranarray,
    "read-only": read_only,
    "strided": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "transposed": lambda X: X.transpose(0, 2, 1).copy().transpose(0, 2, 1),
    "reversed": lambda X: X[::-1].copy()[::-1],
    "tensor": torch.from_numpy,
    "nested lists": np.ndarray.tolist,
    "list of arrays": list,
}


@pytest.mark.parametrize("block", BLOCKS)
def test_blocks(block):
    sequences = as_sequences(BLOCKS[block](BLOCK))
    assert_holds(sequences, list(BLOCK))
    assert sequences.values.flags.c_contiguous


def test_memory_map(tmp_path):
    mapped = np.memmap(tmp_path / "block", dtype=np.float64, mode="w+", shape=BLOCK.shape)
    mapped[:] = BLOCK
    mapped.flush()
    mapped = np.memmap(tmp_path / "block", dtype=np.float64, mode="r", shape=BLOCK.shape)
    assert_holds(as_sequences(mapped), list(BLOCK))
    assert_holds(as_sequences([mapped[0], mapped[1, :2]]), [BLOCK[0], BLOCK[1, :2]])


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint16, np.int64, np.float16, np.float32, np.float64])
@pytest.mark.parametrize("make", [lambda X: X, list, CARRIERS["object array"]], ids=["block", "list", "object array"])
def test_the_dtype_stays(dtype, make):
    X = (BLOCK % 2).astype(dtype)
    sequences = as_sequences(make(X))
    assert sequences.values.dtype == dtype
    assert_holds(sequences, list(X))


def test_a_two_dimensional_array_has_a_number_a_step():
    assert_holds(as_sequences(BLOCK[:, :, 0]), list(BLOCK[:, :, 0]))


@pytest.mark.parametrize(
    ("X", "table"),
    [
        (BLOCK[:, :, 0], True),
        (pd.DataFrame(BLOCK[:, :, 0]), True),
        (pl.from_numpy(BLOCK[:, :, 0]), True),
        (torch.from_numpy(BLOCK[:, :, 0]), True),
        (np.zeros((3, 1)), True),
        (np.array([["a"], ["b"]], dtype=object), True),
        (BLOCK, False),
        (BLOCK[0].tolist(), False),
        (Sequences.from_arrays(RAGGED), False),
        (pd.DataFrame({"sequence": RAGGED}), False),
        (CARRIERS["object array of one column"](RAGGED), False),
    ],
)
def test_what_is_a_table(X, table):
    assert is_table(X) is table


@given(st.lists(hnp.arrays(np.float64, hnp.array_shapes(min_dims=1, max_dims=1, min_side=0, max_side=5)), min_size=1))
@settings(deadline=None)
def test_every_carrier_reads_the_same(items):
    for name in ("list", "object array", "pandas Series", "list of lists", "list of tensors", "container"):
        assert_holds(as_sequences(CARRIERS[name](items)), items)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=6).filter(any), st.integers(1, 3))
@settings(deadline=None)
def test_empty_sequences_take_the_shape_of_the_others(lengths, n_features):
    items = [np.ones((length, n_features)) if length else np.array([]) for length in lengths]
    sequences = as_sequences(items)
    assert sequences.lengths.tolist() == lengths
    assert sequences.values.shape == (sum(lengths), n_features)


@pytest.mark.parametrize("X", [[["a"], [], ["b", "c"]], [[], ["a"]], column([[], ["a"], []])])
def test_empty_sequences_among_tokens(X):
    sequences = as_sequences(X)
    assert [part.tolist() for part in sequences] == [list(part) for part in X]


@pytest.mark.parametrize("carrier", sorted(set(CARRIERS) - {"list of tensors with gradients"}))
def test_the_input_is_not_modified(carrier):
    X = CARRIERS[carrier](RAGGED)
    before = copy.deepcopy(X)
    as_sequences(X)
    assert_holds(as_sequences(X), RAGGED)
    assert type(X) is type(before)
    assert str(X) == str(before)


@pytest.mark.parametrize("X", [BLOCK, Sequences.from_arrays(RAGGED)], ids=["block", "container"])
def test_what_is_contiguous_is_not_copied(X):
    values = X.values if isinstance(X, Sequences) else X
    assert np.shares_memory(as_sequences(X).values, values)


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_frames_of_equal_columns_give_names(frame):
    frames = [frame({"x": part[:, 0], "y": part[:, 1]}) for part in RAGGED]
    assert_holds(as_sequences(frames), RAGGED)
    assert as_sequences(frames).feature_names == ["x", "y"]
    assert as_sequences([frames[0], frame({"x": [], "y": []})]).feature_names == ["x", "y"]
    with pytest.raises(SequenceDataError, match="columns differ"):
        as_sequences([frames[0], frame({"y": [1.0], "x": [2.0]})])


def test_steps_that_are_dicts_stay_dicts():
    steps = [[{"a": 1}, {"b": 2}], [{"a": 3}]]
    assert [part.tolist() for part in as_sequences(steps)] == steps


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (3, "must be a collection of sequences .* got int 3"),
        ("a b", "must be a collection of sequences"),
        ({"a": [1]}, "must be a collection of sequences"),
        ([], "is empty"),
        (np.zeros((0, 3, 1)), "is empty"),
        (np.zeros((2, 3, 0)), r"0 feature\(s\)"),
        (np.zeros((2, 3, 1, 1)), "4 dimension"),
        (np.float64(3), "0 dimension"),
        ([1.0, [2.0]], r"X\[0\] is float 1.0"),
        (["a b", "c"], r"X\[0\] is the raw document 'a b'.*SequenceTokenizer\(\) before .*document.split\(\)"),
        ([["a"], "b c"], r"X\[1\] is the raw document 'b c'"),
        (np.array(["a b", "c"]), "raw document 'a b'"),
        ([["a", 1]], r"X\[0\]\[1\] is int 1"),
        ([np.zeros((2, 3)), np.zeros((2, 2))], r"X\[0\] has shape \(2, 3\) and X\[1\] has shape \(2, 2\).*transpose"),
        ([np.zeros((2, 3)), np.zeros((4, 2))], r"X\[1\] has shape \(4, 2\); wanted \(length, 3\)"),
        ([np.zeros((2, 3)), np.zeros(2)], r"X\[1\] has shape \(2,\) and X\[0\] has shape \(2, 3\)"),
        ([np.zeros((2, 3, 1))], r"X\[0\] has shape \(2, 3, 1\)"),
        ([[[1.0], [2.0, 3.0]]], r"X\[0\] is not a rectangular array"),
        ([np.array(["a"]), np.array([1.0])], r"X\[0\] holds strings"),
    ],
)
def test_what_cannot_be_read_is_named(X, message):
    with pytest.raises(SequenceDataError, match=message):
        as_sequences(X)


def test_the_error_calls_the_data_by_its_name():
    with pytest.raises(SequenceDataError, match=r"y_true\[1\] is the raw document"):
        as_sequences([["a"], "b"], name="y_true")


@given(st.lists(st.integers(0, 3), min_size=1, max_size=6).filter(any), st.data())
@settings(deadline=None)
def test_locate_finds_the_step(lengths, data):
    sequences = as_sequences([np.full(length, float(i)) for i, length in enumerate(lengths)])
    row = data.draw(st.integers(0, sum(lengths) - 1))
    sequence, step = locate(sequences, row)
    assert sequences.values[row] == sequence
    assert step == row - sum(lengths[:sequence])


@pytest.mark.parametrize("items", [[[1, 2], [3, 4]], [[1], []], []])
def test_an_object_array_has_one_dimension(items):
    array = object_array(items)
    assert array.shape == (len(items),)
    assert array.tolist() == items


@pytest.mark.parametrize(
    ("item", "wanted"),
    [(3, 0), (None, 0), ([], 1), ([1, 2], 1), ([[1, 2]], 2), ([[1], [2, 3]], 2), (np.ones((1, 1)), 2)],
)
def test_dimensions(item, wanted):
    assert dimensions(item) == wanted
