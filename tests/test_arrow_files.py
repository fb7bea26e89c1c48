"""Files of Arrow and Parquet that others wrote, whole and damaged."""

import pickle

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

from sklearn_rnn import Sequences, open_sequences, save_sequences
from sklearn_rnn.data import arrow_writer
from sklearn_rnn.exceptions import SequenceDataError


@pytest.fixture
def arrays(rng):
    """Sequences of 1 to 8 steps of three features."""
    return [rng.normal(size=(int(n), 3)).astype(np.float32) for n in rng.integers(1, 9, size=40)]


def same(X, arrays):
    return len(X) == len(arrays) and all(np.array_equal(x, a) for x, a in zip(X, arrays, strict=True))


def table_of(arrays, kind):
    return pa.table({"steps": pa.array([array.tolist() for array in arrays], type=kind), "label": list(range(40))})


def write(table, path, **options):
    pa.feather.write_feather(table, path, compression=options.pop("compression", "uncompressed"), **options)


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.list_(pa.float32(), 3)),
        pa.list_(pa.list_(pa.float32())),
        pa.large_list(pa.large_list(pa.float32())),
    ],
    ids=["rows of one size", "lists of lists", "large lists"],
)
def test_an_arrow_file_is_read_where_it_is(tmp_path, arrays, kind):
    write(table_of(arrays, kind), tmp_path / "data.arrow", chunksize=9)
    before = pa.total_allocated_bytes()
    X = open_sequences(tmp_path / "data.arrow", column="steps")
    assert pa.total_allocated_bytes() == before
    assert len(X.chunks) == 5
    assert same(X[[39, 0, 17]], [arrays[39], arrays[0], arrays[17]])
    dumped = pickle.dumps(X)
    assert same(pickle.loads(dumped), arrays)
    assert np.concatenate(arrays[:9]).tobytes() not in dumped


def test_a_replaced_file_is_noticed_by_a_pickle(tmp_path, arrays):
    path = tmp_path / "data.arrow"
    table = table_of(arrays, pa.list_(pa.list_(pa.float32())))
    write(table, path)
    X = open_sequences(path, column="steps")
    dumped = pickle.dumps(X)
    write(table.take(list(range(39, -1, -1))), tmp_path / "other")
    (tmp_path / "other").replace(path)
    assert same(X, arrays)
    with pytest.raises(SequenceDataError, match="is another file than the one"):
        list(pickle.loads(dumped))


def test_strings_are_read(tmp_path):
    tokens = pa.array([["a", "b"], [], ["a"]]).cast(pa.list_(pa.dictionary(pa.int8(), pa.string())))
    write(pa.table({"tokens": tokens}), tmp_path / "x", chunksize=1)
    X = open_sequences(tmp_path / "x")
    assert type(X) is Sequences
    assert [item.tolist() for item in X] == [["a", "b"], [], ["a"]]


def test_files_that_cannot_be_mapped_are_refused(tmp_path, arrays):
    table = table_of(arrays, pa.list_(pa.list_(pa.float32())))
    pa.parquet.write_table(table, tmp_path / "data.parquet")
    with pytest.raises(SequenceDataError, match=r"is a Parquet file.*convert it: save_sequences"):
        open_sequences(tmp_path / "data.parquet")
    write(table, tmp_path / "data.arrow", compression="lz4")
    with pytest.raises(SequenceDataError, match="is compressed"):
        open_sequences(tmp_path / "data.arrow", column="steps")
    with pytest.raises(SequenceDataError, match="say in `column` which"):
        open_sequences(tmp_path / "data.arrow")
    with pytest.raises(SequenceDataError, match="has the type int64"):
        open_sequences(tmp_path / "data.arrow", column="label")
    with pytest.raises(SequenceDataError, match=r"column='step' is no column of .*, which has"):
        save_sequences(tmp_path / "x", tmp_path / "data.parquet", column="step")


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pa.array([[1.0, None], [2.0]]), "holds nulls or bits"),
        (pa.array([[True], [False]]), "holds nulls or bits"),
        (pa.array([[[1.0], None]]), "holds nulls or bits"),
        (pa.array([[1.0], None]), r"column 'x'\[1\] is null where a sequence is due"),
        (pa.array([[[1.0], [1.0, 2.0]]]), r"column 'x'\[0\]\[1\] has 2, the first has 1"),
        (pa.array([[{"a": 1}]]), "has the type list<.*wanted lists of numbers"),
        (pa.array([], type=pa.list_(pa.float32())), "is empty: found 0 sequences"),
        (pa.array([[None]]), "holds nulls or bits"),
    ],
)
def test_columns_that_cannot_be_mapped_are_refused(tmp_path, column, message):
    write(pa.table({"x": column}), tmp_path / "x.arrow")
    with pytest.raises(SequenceDataError, match=message):
        open_sequences(tmp_path / "x.arrow")


def test_nulls_and_bits_are_stored_in_another_form(tmp_path):
    write(pa.table({"x": pa.array([[True, None], [False]])}), tmp_path / "x.arrow", compression="zstd")
    X = save_sequences(tmp_path / "y.arrow", tmp_path / "x.arrow", column="x")
    assert np.array_equal(X.values, [1, np.nan, 0], equal_nan=True)


def test_a_type_that_changes_within_a_file_is_named(tmp_path):
    pa.parquet.write_table(pa.table({"x": [[1]] * 1024 + [[None, 2]]}), tmp_path / "x")
    with pytest.raises(SequenceDataError, match=r"rows 1024 to 1024 of .* float64, rows 0 to 1023 of .* int64"):
        save_sequences(tmp_path / "y", tmp_path / "x")
    X = save_sequences(tmp_path / "y", tmp_path / "x", dtype="float32")
    assert np.isnan(X[1024][0])


# Damage


@pytest.fixture
def whole(tmp_path, arrays, monkeypatch):
    """The bytes of a stored file of several chunks with ids."""
    monkeypatch.setattr(arrow_writer, "BATCH", 200)
    X = Sequences.from_arrays(arrays)
    X.ids = np.array([f"s{i}" for i in range(40)], dtype=object)
    save_sequences(tmp_path / "whole.arrow", (X[k : k + 10] for k in range(0, 40, 10)))
    return (tmp_path / "whole.arrow").read_bytes()


@pytest.mark.parametrize("content", [b"", b"x", b"ARROW1", b"ARROW1\0\0ARROW1", b"1,2,3\n" * 100, b"FEA1" + bytes(90)])
def test_what_is_no_arrow_file_is_refused(tmp_path, content):
    (tmp_path / "x.arrow").write_bytes(content)
    with pytest.raises(SequenceDataError, match=r"x\.arrow' is "):
        open_sequences(tmp_path / "x.arrow")
    with pytest.raises(SequenceDataError, match=r"no Arrow file|is damaged"):
        save_sequences(tmp_path / "y", tmp_path / "x.arrow")
    assert not (tmp_path / "y").exists()


def test_a_file_that_is_cut_off_is_refused(tmp_path, whole):
    for size in np.linspace(7, len(whole) - 1, 40).astype(int):
        (tmp_path / "x.arrow").write_bytes(whole[:size])
        with pytest.raises(SequenceDataError, match="is cut off"):
            open_sequences(tmp_path / "x.arrow")
        (tmp_path / "x.arrow").write_bytes(whole[:size] + whole[-6:])
        with pytest.raises(SequenceDataError, match=r"is damaged|is cut off"):
            open_sequences(tmp_path / "x.arrow")


def test_damage_is_an_error_of_the_package_or_none(tmp_path, whole, rng):
    refused = 0
    for number in range(150):
        content = bytearray(whole)
        place = int(rng.integers(8, len(content) - 6))
        content[place : place + 4] = rng.bytes(4)
        path = tmp_path / f"{number}.arrow"  # one that is open must not change
        path.write_bytes(content[: len(whole)])
        try:
            X = open_sequences(path)
            assert len(X.values) == X.offsets[-1]
        except SequenceDataError:
            refused += 1
    assert refused > 20


@pytest.mark.parametrize("offsets", [[-2, 0, 2, 4], [0, 3, 1, 4], [0, 1, 2, 9], [0, 4, 2**31 - 1, 4]])
def test_offsets_that_point_elsewhere_are_refused(tmp_path, offsets):
    marker = np.array([0, 11, 17, 23], dtype=np.int32)
    lists = pa.ListArray.from_arrays(marker, pa.array(np.arange(23.0)))
    write(pa.table({"x": lists}), tmp_path / "x.arrow")
    content = (tmp_path / "x.arrow").read_bytes()
    assert content.count(marker.tobytes()) == 1
    (tmp_path / "x.arrow").write_bytes(content.replace(marker.tobytes(), np.array(offsets, dtype=np.int32).tobytes()))
    if offsets == [0, 1, 2, 9]:  # fewer values than there are, which Arrow allows
        assert open_sequences(tmp_path / "x.arrow").lengths.tolist() == [1, 1, 7]
        return
    with pytest.raises(SequenceDataError, match="do not hold what their offsets say"):
        open_sequences(tmp_path / "x.arrow")


def test_a_damaged_parquet_file_is_named(tmp_path, arrays):
    pa.parquet.write_table(table_of(arrays, pa.list_(pa.list_(pa.float32()))), tmp_path / "x.parquet")
    content = (tmp_path / "x.parquet").read_bytes()
    (tmp_path / "x.parquet").write_bytes(content[:500] + content[700:])
    with pytest.raises(SequenceDataError, match=r"x\.parquet' is damaged"):
        save_sequences(tmp_path / "y", tmp_path / "x.parquet", column="steps")
    assert not (tmp_path / "y").exists()
