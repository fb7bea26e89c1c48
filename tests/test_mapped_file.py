"""A file that is mapped: whether it still is what it was."""

import os
import pickle
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pytest
from sklearn.model_selection import cross_val_score

from sklearn_rnn import RNNClassifier, open_sequences, save_sequences
from sklearn_rnn.data import mapped_file
from sklearn_rnn.exceptions import SequenceDataError


@pytest.fixture
def path(tmp_path):
    """Three stored sequences; the other file holds as many others of the same lengths."""
    save_sequences(tmp_path / "x.arrow", [[1.0, 2.0], [3.0], [4.0]])
    save_sequences(tmp_path / "other.arrow", [[5.0, 6.0], [7.0], [8.0]])
    return tmp_path / "x.arrow"


def test_a_file_that_was_replaced_stays_mapped_and_a_pickle_notices(path):
    X = open_sequences(path)
    dumped = pickle.dumps(X)
    save_sequences(path, [[5.0, 6.0], [7.0], [8.0]], overwrite=True)
    assert X[0].tolist() == [1, 2]
    again = pickle.loads(dumped)
    for _ in range(2):
        with pytest.raises(
            SequenceDataError, match=r"x\.arrow' is another file than the one that these sequences were"
        ):
            again.load([0])
    with pytest.raises(SequenceDataError, match="is another file"):
        list(pickle.loads(pickle.dumps(X[:2])))


def test_a_search_in_workers_says_that_its_file_was_replaced(path):
    X, y = open_sequences(path)[[0, 1, 2] * 4], [0, 1] * 6
    classifier = RNNClassifier(hidden_size=4, max_epochs=1, random_state=0)
    options = {"cv": 2, "n_jobs": 2, "error_score": "raise"}
    assert cross_val_score(classifier, X, y, **options).shape == (2,)
    save_sequences(path, [[5.0, 6.0], [7.0], [8.0]], overwrite=True)
    with pytest.raises(SequenceDataError, match="is another file"):
        cross_val_score(classifier, X, y, **options)


def test_a_file_of_the_same_schema_is_another_one(path):
    dumped = pickle.dumps(open_sequences(path))
    table = pa.feather.read_table(path, memory_map=False)
    values = pa.array([[5.0, 6.0], [7.0], [8.0]], type=table.schema.field("sequence").type)
    with pa.ipc.new_file(str(path), table.schema) as writer:  # with the same mark
        writer.write_table(pa.table([values], schema=table.schema))
    assert open_sequences(path)[0].tolist() == [5, 6]
    with pytest.raises(SequenceDataError, match="is another file"):
        list(pickle.loads(dumped))


def test_the_same_numbers_written_again_are_another_file(path):
    dumped = pickle.dumps(open_sequences(path))
    save_sequences(path, [[1.0, 2.0], [3.0], [4.0]], overwrite=True)
    with pytest.raises(SequenceDataError, match="is another file"):
        list(pickle.loads(dumped))


@pytest.mark.parametrize("read", [lambda X: X[1], lambda X: X.values, list, lambda X: X[1:].load([0])])
def test_a_file_that_was_written_into_is_noticed(path, read):
    X = open_sequences(path)
    shutil.copyfile(path.with_name("other.arrow"), path)  # into the file that is mapped
    with pytest.raises(SequenceDataError, match=r"x\.arrow' was written over while its sequences were open"):
        read(X)


@pytest.mark.parametrize("settled", [False, True], ids=["at once", "later"])
def test_a_change_is_noticed_whatever_the_time_says(path, settled, monkeypatch):
    monkeypatch.setattr(mapped_file, "TICK", -1.0 if settled else 2.0)
    X = open_sequences(path)
    before = os.stat(path)
    assert X[0].tolist() == [1, 2]
    shutil.copyfile(path.with_name("other.arrow"), path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + settled))
    with pytest.raises(SequenceDataError, match="was written over"):
        X.load([0])


def test_a_file_that_was_cut_short_is_noticed(path):
    X = open_sequences(path)
    os.truncate(path, 100)
    with pytest.raises(SequenceDataError, match="was written over"):
        X.load([0])


def test_a_copy_is_the_same_file_and_so_is_one_that_was_touched(path):
    X = open_sequences(path)
    dumped = pickle.dumps(X)
    os.utime(path, ns=(0, 0))
    assert X[2].tolist() == [4]
    shutil.copyfile(path, path.with_name("copy"))
    path.with_name("copy").replace(path)
    assert pickle.loads(dumped)[2].tolist() == [4]


def test_a_deleted_file_stays_mapped(path):
    X = open_sequences(path)
    path.unlink()
    assert np.array_equal(X.values, [1, 2, 3, 4])
