"""Sequences written to a file and opened again: what comes back, and what may not be mixed or lost."""

import json
import os
import sys
import tracemalloc
from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sklearn_rnn import RNNClassifier, Sequences, open_sequences, save_sequences
from sklearn_rnn.data.stored import StoredSequences, is_memory_map
from sklearn_rnn.exceptions import SequenceDataError

SIZES = (8, 16, 32, 64)
TYPES = [*(f"{sign}int{bits}" for sign in ("", "u") for bits in SIZES), *(f"float{bits}" for bits in SIZES[1:]), "bool"]


@pytest.fixture
def arrays(rng):
    """Sequences of 1 to 8 steps of three features."""
    return [rng.normal(size=(int(n), 3)).astype(np.float32) for n in rng.integers(1, 9, size=40)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "stored.arrow"


def same(X, arrays):
    return len(X) == len(arrays) and all(np.array_equal(x, a, equal_nan=True) for x, a in zip(X, arrays, strict=True))


def files(folder):
    return sorted(place.name for place in folder.iterdir())


# What comes back


def test_parts_are_saved_one_after_the_other(path, arrays):
    parts = (arrays[k : k + 7] for k in range(0, 40, 7))
    assert same(save_sequences(path, parts), arrays)
    assert files(path.parent) == ["stored.arrow"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_numbers_of_every_type_come_back(path, data):
    dtype = np.dtype(data.draw(st.sampled_from(TYPES))).newbyteorder(data.draw(st.sampled_from("<>")))
    lengths = data.draw(st.lists(st.integers(0, 4), min_size=1, max_size=6))
    shape = (sum(lengths), *data.draw(st.sampled_from([(), (1,), (3,)])))
    values = data.draw(hnp.arrays(dtype, shape))
    sequences = Sequences(np.asfortranarray(values), np.concatenate([[0], np.cumsum(lengths)]))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(lengths)), max_size=3)))
    bounds = [0, *cuts, len(lengths)]
    parts = (sequences[a:b] for a, b in pairwise(bounds))
    X = save_sequences(path, parts, overwrite=True)
    assert isinstance(X, StoredSequences)
    assert same(X, list(sequences))
    assert X.dtype == dtype.newbyteorder("=")


def test_ids_names_and_type_stand_in_the_schema(path, arrays):
    X = Sequences.from_arrays(arrays)
    X.ids, X.feature_names = np.array([f"p{i}" for i in range(40)], dtype=object), ["a", "b", "c"]
    again = save_sequences(path, iter([X[:13], X[13:]]), dtype="float64")
    assert again.dtype == np.float64
    assert again.take([5, 27]).ids.tolist() == ["p5", "p27"]
    assert again.feature_names == ["a", "b", "c"]
    schema = pa.ipc.open_file(str(path)).schema
    assert schema.field("sequence").type == pa.large_list(
        pa.field("item", pa.list_(pa.field("item", pa.float64(), nullable=False), 3), nullable=False)
    )
    assert schema.field("id").type == pa.large_string()
    assert json.loads(schema.metadata[b"sklearn_rnn"])["feature_names"] == ["a", "b", "c"]


@pytest.mark.parametrize(
    "ids", [[3, 1], [0.5, 2.0], ["x", "yy"], [True, False], np.array(["2024-01-01", "1999-12-31"], "M8[D]")]
)
def test_ids_of_one_kind_come_back(path, ids):
    X = save_sequences(path, Sequences(np.zeros(3), [0, 1, 3], ids=ids))
    assert X.ids.tolist() == np.asarray(ids).tolist()


def test_others_read_the_file(path, arrays):
    save_sequences(path, arrays)
    assert np.array_equal(np.concatenate(pa.feather.read_table(path)["sequence"].to_pylist()), np.concatenate(arrays))
    frame = pd.read_feather(path)
    assert [len(item) for item in frame["sequence"]] == [len(array) for array in arrays]


def test_tokens_come_back_as_tokens(path):
    X = save_sequences(path, iter([[["in", "Köln"], []], [["or"]], Sequences(np.array(["x"]), [0, 1])]))
    assert type(X) is Sequences
    assert [item.tolist() for item in X] == [["in", "Köln"], [], ["or"], ["x"]]
    classifier = RNNClassifier(max_epochs=1, random_state=0).fit(X[[0, 2, 3]], [0, 1, 0])
    assert classifier.predict(X[[0]]).shape == (1,)


def test_parts_without_steps_take_on_the_type_of_others(path):
    X = save_sequences(path, iter([[[], []], [np.ones((2, 3), np.float32)], [[]]]))
    assert X.lengths.tolist() == [0, 0, 2, 0]
    assert (X.dtype, X.n_features) == (np.float32, 3)


def test_a_parquet_file_is_converted(tmp_path, path, arrays):
    steps = pa.array([array.tolist() for array in arrays], type=pa.list_(pa.list_(pa.float32())))
    pa.parquet.write_table(pa.table({"steps": steps, "label": list(range(40))}), tmp_path / "a", row_group_size=7)
    X = save_sequences(path, tmp_path / "a", column="steps")
    assert same(X, arrays)
    assert X.dtype == np.float32
    assert same(save_sequences(path, str(path), dtype="float64", overwrite=True), arrays)


def test_columns_become_features(tmp_path, path, arrays):
    with_null = [[None, *array[1:, 1].tolist()] for array in arrays]
    table = pa.table({"b": pa.array([array[:, 0].tolist() for array in arrays]), "a": pa.array(with_null)})
    (tmp_path / "parts").mkdir()
    pa.parquet.write_table(table[:25], tmp_path / "parts" / "0.parquet")
    pa.parquet.write_table(table[25:], tmp_path / "parts" / "1.parquet")
    X = save_sequences(path, tmp_path / "parts", column=["a", "b"], dtype="float32")
    expected = [array[:, [1, 0]].copy() for array in arrays]
    for array in expected:
        array[0, 0] = np.nan
    assert same(X, expected)
    assert X.feature_names == ["a", "b"]


def test_an_iterator_may_use_its_memory_again(path):
    memory, ids = np.empty((2, 3, 1)), np.empty(2, dtype=int)

    def parts():
        for k in range(5):
            memory[:], ids[:] = k, k
            yield Sequences(memory.reshape(-1, 1), [0, 3, 6], ids=ids)

    X = save_sequences(path, parts())
    assert X.values.ravel().tolist() == np.repeat(np.arange(5.0), 6).tolist()
    assert X.ids.tolist() == np.repeat(np.arange(5), 2).tolist()


def test_an_iterator_is_never_in_memory_as_a_whole(path):
    size = 2**20
    tracemalloc.start()
    try:
        X = save_sequences(path, (np.full((4, size // 32, 1), float(k)) for k in range(40)))  # 40 MB
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 15 * size
    assert [X[4 * k][0, 0] for k in range(40)] == list(range(40))


# What may not be mixed


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ([[1, 2]], [[1.7]], r"part 2 of X holds numbers of type float64, part 1 of X of type int64.*dtype='float64'"),
        ([np.array([1], "i1")], [[300]], r"part 2 of X holds numbers of type int64, part 1 of X of type int8"),
        ([[1, 2]], [["a"]], "part 2 of X holds strings, part 1 of X numbers"),
        ([["a"]], [[1, 2]], "part 2 of X holds numbers, part 1 of X strings"),
        (
            np.zeros((1, 2, 3)),
            np.zeros((1, 2, 4)),
            r"part 2 of X has steps of shape \(4,\), part 1 of X of shape \(3,\)",
        ),
        (np.zeros((1, 2, 3)), [[1.0]], r"part 2 of X has steps of shape \(\)"),
        (np.zeros((1, 2, 1)), [[[1.0], [1.0, 2.0]]], "In part 2 of X: .* is not a rectangular array"),
        (
            Sequences(np.zeros((1, 1)), [0, 1], feature_names=["a"]),
            Sequences(np.zeros((1, 1)), [0, 1], feature_names=["b"]),
            r"part 2 of X has the features \['b'\]",
        ),
        (Sequences(np.zeros(1), [0, 1], ids=[1]), [[1.0]], "part 2 of X has no ids, those before ids of type int64"),
        (
            Sequences(np.zeros(1), [0, 1], ids=[1]),
            Sequences(np.zeros(1), [0, 1], ids=["a"]),
            "part 2 of X has ids of type large_string, those before ids of type int64",
        ),
    ],
)
def test_a_part_of_another_kind_is_named(path, first, second, message):
    with pytest.raises(SequenceDataError, match=message):
        save_sequences(path, iter([first, second]))
    assert files(path.parent) == []


@pytest.mark.parametrize("dtype", ["U5", str, object, "S3", "M8[s]", complex, np.longdouble, "no type"])
def test_what_is_no_type_of_numbers_is_refused(path, dtype):
    if np.longdouble == np.float64 and dtype is np.longdouble:
        pytest.skip("long double is double here")
    with pytest.raises(ValueError, match="is no type of numbers to store"):
        save_sequences(path, [[1, 2]], dtype=dtype)
    assert files(path.parent) == []


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([1, 300], "int8"),
        ([1, 1.5], "int32"),
        ([1, np.nan], "int32"),
        ([1, -1], "uint64"),
        ([1, 2], "bool"),
        ([1, 1e300], "float32"),
        ([1, 2**62], "float16"),
    ],
)
def test_a_type_that_cannot_hold_a_number_is_refused(path, values, dtype):
    with pytest.raises(SequenceDataError, match=f"dtype='{dtype}' cannot hold .* step 1 of its sequence 1"):
        save_sequences(path, [[1], values], dtype=dtype)
    assert files(path.parent) == []


def test_a_type_that_is_named_holds_for_all_parts(path):
    X = save_sequences(path, iter([[[1, 2]], [[0.1, np.inf]], [np.array([3], "i1")]]), dtype="float32")
    assert X.values.tolist() == [1, 2, np.float32(0.1), np.inf, 3]


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([[b"a"]], r"X holds values of dtype \|S1"),
        ([[1.0, None]], "X holds values of dtype object"),
        ([[1j]], "X holds values of dtype complex128"),
        ([["a", None]], r"X\[0\]\[1\] is NoneType None"),
        (np.array([[["a", "b"]]]), "One token a step can be stored, and X holds 2 strings a step"),
        (Sequences(np.zeros((2, 0)), [0, 2]), r"X has 0 feature\(s\) a step"),
        ({"a": [[1.0]], "b": [[2.0]]}, r"X holds the inputs \['a', 'b'\], and a file has room for one"),
        (pa.table({"a": [[1.0]], "b": [[2.0]]}), r"X holds the inputs \['a', 'b'\]"),
        (iter([]), "X is empty"),
        (Sequences(np.zeros(2), [0, 2], ids=np.array([None])), "ids such as None in X cannot be stored"),
        (Sequences(np.zeros(2), [0, 1, 2], ids=np.array(["a", 1], dtype=object)), "ids such as 'a' in X cannot be"),
    ],
)
def test_what_cannot_be_stored_is_refused(path, X, message):
    with pytest.raises(SequenceDataError, match=message):
        save_sequences(path, X)
    assert files(path.parent) == []


def test_tokens_have_no_type_of_numbers(path):
    with pytest.raises(SequenceDataError, match="dtype='float32' is for numbers, and X holds strings"):
        save_sequences(path, [["a"]], dtype="float32")


# What may not be lost


def failing(arrays, error):
    yield arrays
    raise error


@pytest.mark.parametrize("error", [RuntimeError("of the caller"), KeyboardInterrupt()])
def test_what_fails_leaves_the_old_file(path, arrays, error):
    save_sequences(path, arrays)
    content = path.read_bytes()
    with pytest.raises(type(error)):
        save_sequences(path, failing(arrays[::-1], error), overwrite=True)
    with pytest.raises(SequenceDataError):
        save_sequences(path, iter([arrays, [["token"]]]), overwrite=True)
    assert files(path.parent) == ["stored.arrow"]
    assert path.read_bytes() == content


def test_a_file_is_not_overwritten_unasked(path, arrays):
    save_sequences(path, arrays)
    with pytest.raises(FileExistsError, match="set overwrite=True"):
        save_sequences(path, arrays[:2])

    def meanwhile():
        path.write_bytes(b"of somebody else")
        yield arrays

    path.unlink()
    with pytest.raises(FileExistsError, match="is there already"):
        save_sequences(path, meanwhile())
    assert path.read_bytes() == b"of somebody else"
    assert files(path.parent) == ["stored.arrow"]


def test_open_sequences_stay_what_they_are(path, arrays):
    before = save_sequences(path, arrays)
    assert is_memory_map(before.chunks[0])
    after = save_sequences(path, before[::-1], overwrite=True)
    assert same(before, arrays)
    assert same(after, arrays[::-1])


def test_a_link_stays_a_link(tmp_path, path, arrays):
    save_sequences(path, arrays[:2])
    (tmp_path / "link").symlink_to(path)
    save_sequences(tmp_path / "link", arrays, overwrite=True)
    assert (tmp_path / "link").is_symlink()
    assert same(open_sequences(path), arrays)


def test_places_that_hold_no_file(tmp_path, arrays):
    with pytest.raises(IsADirectoryError, match="is a folder, wanted the name of a file"):
        save_sequences(tmp_path, arrays)
    with pytest.raises(FileNotFoundError, match="is in a folder that is not there"):
        save_sequences(tmp_path / "nowhere" / "x.arrow", arrays)
    with pytest.raises(IsADirectoryError, match="wanted an Arrow file"):
        open_sequences(tmp_path)
    with pytest.raises(FileNotFoundError, match="There is no file"):
        open_sequences(tmp_path / "x.arrow")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileExistsError, match="is no regular file"):
        save_sequences(tmp_path / "pipe", arrays, overwrite=True)
    with pytest.raises(SequenceDataError, match="is not a file that sequences can be stored in"):
        open_sequences(tmp_path / "pipe")
    (tmp_path / "pipe").unlink()
    with pytest.raises(ValueError, match="concerns files"):
        save_sequences(tmp_path / "y", arrays, column="steps")
    assert files(tmp_path) == []


def test_without_pyarrow_the_extra_is_named(path, arrays, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow.lib", None)
    with pytest.raises(ImportError, match=r"pip install 'sklearn-rnn\[arrow\]'"):
        save_sequences(path, arrays)
    assert files(path.parent) == []
