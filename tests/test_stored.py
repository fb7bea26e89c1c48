"""Sequences that are left on disk: what they hold, what is fitted to them, and how much memory that takes."""

import pickle
import subprocess
import sys
import textwrap

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.model_selection import cross_val_score, train_test_split

from sklearn_rnn import RNNClassifier, RNNRegressor, RNNSequenceTagger, Sequences, open_sequences, save_sequences
from sklearn_rnn.data import arrow, arrow_writer, stored
from sklearn_rnn.data.stored import StoredSequences, is_memory_map, keep_stored
from sklearn_rnn.data.windows import Windows
from sklearn_rnn.exceptions import SequenceDataError

SMALL = {"hidden_size": 4, "max_epochs": 2, "random_state": 0}


@pytest.fixture
def arrays(rng):
    """Sequences of 1 to 8 steps of three features."""
    return [rng.normal(size=(int(n), 3)).astype(np.float32) for n in rng.integers(1, 9, size=40)]


@pytest.fixture
def path(tmp_path, arrays, monkeypatch):
    """Where `arrays` are stored, in many chunks."""
    monkeypatch.setattr(arrow_writer, "BATCH", 100)
    save_sequences(tmp_path / "stored.arrow", (arrays[k : k + 4] for k in range(0, 40, 4)))
    return tmp_path / "stored.arrow"


@pytest.fixture
def always_stored(monkeypatch):
    """Leave memory maps of any size where they are."""
    monkeypatch.setattr(stored, "LEFT_ON_DISK", 0)
    monkeypatch.setattr(arrow, "LEFT_ON_DISK", 0)


def same(X, arrays):
    return len(X) == len(arrays) and all(np.array_equal(x, a, equal_nan=True) for x, a in zip(X, arrays, strict=True))


# The container


def test_what_was_saved_is_opened(path, arrays):
    X = open_sequences(path)
    assert same(X, arrays)
    assert len(X.chunks) > 5
    assert repr(X) == f"StoredSequences(n_sequences=40, n_features=3, lengths {X.lengths.min()} to {X.lengths.max()})"
    assert is_memory_map(X.chunks[0])


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_subsets_of_subsets_are_those_of_the_plain_container(data):
    lengths = data.draw(st.lists(st.integers(0, 6), min_size=1, max_size=12))
    values = np.arange(2.0 * sum(lengths)).reshape(-1, 2)
    values[np.random.default_rng(len(values)).random(values.shape) < 0.3] = np.nan
    plain = Sequences(values, np.concatenate([[0], np.cumsum(lengths)]))
    cut = data.draw(st.integers(0, len(lengths)))
    kept = (
        StoredSequences.join([plain[:cut], plain[cut:]]) if data.draw(st.booleans()) else StoredSequences.join([plain])
    )
    fills = data.draw(st.booleans())
    if fills:
        plain, kept = stored.carry_forward(plain), kept.filled()
    for _ in range(data.draw(st.integers(1, 4))):
        kind = data.draw(st.sampled_from(["take", "tail", "head", "windows"]))
        if kind == "take":
            index = data.draw(st.lists(st.integers(0, len(plain) - 1), min_size=1, max_size=12))
            plain, kept = plain.take(index), kept.take(index)
        elif kind == "windows":
            windows = Windows.over(plain.offsets, data.draw(st.integers(2, 4)), data.draw(st.integers(1, 2)))
            plain, kept = windows.of(plain), windows.of(kept)
        else:
            length = data.draw(st.integers(1, 5))
            plain, kept = plain.truncate(length, cut=kind), kept.truncate(length, cut=kind)
    assert isinstance(kept, StoredSequences)
    assert kept.n_features == plain.n_features
    assert np.array_equal(kept.offsets, plain.offsets)
    assert np.array_equal(kept.values, plain.values, equal_nan=True)
    assert same(kept, list(plain))
    assert np.array_equal(kept[len(kept) - 1], plain[len(plain) - 1], equal_nan=True)


@pytest.mark.parametrize("few", [0, 16], ids=["chunk by chunk", "one by one"])
def test_a_selection_reaches_over_chunks(path, arrays, monkeypatch, rng, few):
    monkeypatch.setattr(stored, "FEW", few)
    index = rng.integers(0, 40, size=100)
    read = open_sequences(path).load(index)
    assert same(read, [arrays[i] for i in index])
    assert read.values.flags.writeable


def test_blocks_go_through_all_sequences_in_order(path, arrays, monkeypatch):
    monkeypatch.setattr(stored, "BLOCK", 100)  # bytes: some 8 steps
    X = open_sequences(path)[::-1]
    blocks = list(X.blocks())
    assert len(blocks) > 10
    assert [first for first, _ in blocks] == np.cumsum([0, *(len(part) for _, part in blocks[:-1])]).tolist()
    assert same([array for _, part in blocks for array in part], arrays[::-1])


def test_a_pickle_names_the_file(path, arrays):
    X = open_sequences(path)[3:9]
    dumped = pickle.dumps(X)
    assert same(pickle.loads(dumped), arrays[3:9])
    assert arrays[5].tobytes() not in dumped
    path.rename(path.with_name("elsewhere.arrow"))
    again = pickle.loads(dumped)
    assert same(pickle.loads(pickle.dumps(again)).take([]), [])
    with pytest.raises(FileNotFoundError, match="A pickle of stored sequences names their file"):
        list(again)


def test_a_pickle_of_a_part_of_a_map_finds_its_place(tmp_path, rng):
    block = rng.normal(size=(30, 4))
    np.save(tmp_path / "block.npy", block)
    part = np.load(tmp_path / "block.npy", mmap_mode="r")[10:20]
    X = StoredSequences.join([Sequences(part, [0, 4, 10])])
    dumped = pickle.dumps(X)
    assert block[15].tobytes() not in dumped
    assert same(pickle.loads(dumped), [block[10:14], block[14:20]])
    np.save(tmp_path / "other.npy", block[::-1])
    (tmp_path / "other.npy").replace(tmp_path / "block.npy")
    with pytest.raises(SequenceDataError, match="is another file than the one"):
        list(pickle.loads(dumped))


@pytest.mark.parametrize("mode", ["c", "r"], ids=["changed in memory alone", "deleted"])
def test_a_map_that_no_file_holds_is_pickled_itself(tmp_path, rng, mode):
    np.save(tmp_path / "block.npy", rng.normal(size=(10, 2)))
    mapped = np.load(tmp_path / "block.npy", mmap_mode=mode)
    if mode == "c":
        mapped[0] = 7
    else:
        (tmp_path / "block.npy").unlink()
    X = StoredSequences.join([Sequences(mapped, [0, 4, 10])])
    assert same(pickle.loads(pickle.dumps(X)), [mapped[:4], mapped[4:]])


# What is fitted


def stored_copies(tmp_path, arrays):
    """The same sequences in each form that stays on disk."""
    X = save_sequences(tmp_path / "stored.arrow", arrays)
    lists = pa.array([array.tolist() for array in arrays], type=pa.list_(pa.list_(pa.float32())))
    pa.feather.write_feather(
        pa.table({"steps": lists}), tmp_path / "data.arrow", compression="uncompressed", chunksize=9
    )
    np.save(tmp_path / "values.npy", np.concatenate(arrays))
    return {
        "stored": X,
        "wider type": save_sequences(tmp_path / "wider.arrow", arrays, dtype="float64"),
        "Arrow file": open_sequences(tmp_path / "data.arrow"),
        "Sequences over a map": Sequences(np.load(tmp_path / "values.npy", mmap_mode="r"), X.offsets),
    }


def fitted_and_predicted(estimator, X, y):
    estimator.fit(X, y)
    return estimator.loss_curve_, estimator.predict(X)


ESTIMATORS = {
    "classifier": (RNNClassifier, {}, lambda arrays: [array[0, 0] > 0 for array in arrays]),
    "regressor": (
        RNNRegressor,
        {"max_length": 3, "truncate": "head"},
        lambda arrays: [array.sum() for array in arrays],
    ),
    "tagger": (
        RNNSequenceTagger,
        {"decoder": "softmax", "max_length": 4, "stride": 2, "early_stopping": True, "validation_fraction": 0.3},
        lambda arrays: [np.where(array[:, 0] > 0, "up", "down").tolist() for array in arrays],
    ),
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_where_the_data_lies_changes_no_model(tmp_path, arrays, always_stored, name):
    cls, parameters, target = ESTIMATORS[name]
    estimator = cls(**SMALL, **parameters)
    arrays += arrays[:4]  # equal samples are merged
    y = target(arrays)
    losses, predictions = fitted_and_predicted(estimator, arrays, y)
    for form, X in stored_copies(tmp_path, arrays).items():
        assert isinstance(keep_stored(X), StoredSequences), form
        other_losses, other_predictions = fitted_and_predicted(estimator, X, y)
        assert other_losses == pytest.approx(losses, rel=1e-6), form
        if name == "regressor":
            assert other_predictions == pytest.approx(predictions, rel=1e-5), form
        else:
            assert other_predictions.tolist() == predictions.tolist(), form


def test_a_3d_map_is_what_the_array_is(tmp_path, rng, always_stored):
    block = rng.normal(size=(30, 5, 2))
    np.save(tmp_path / "block.npy", block)
    y = block[:, -1, 0]
    regressor = RNNRegressor(**SMALL)
    losses, predictions = fitted_and_predicted(regressor, block, y)
    mapped = fitted_and_predicted(regressor, np.load(tmp_path / "block.npy", mmap_mode="r"), y)
    assert mapped[0] == pytest.approx(losses, rel=1e-6)
    assert mapped[1] == pytest.approx(predictions, rel=1e-5)


def test_missing_values_are_filled_batch_by_batch(tmp_path, arrays, rng):
    for array in arrays:
        array[rng.random(array.shape) < 0.3] = np.nan
    y = rng.normal(size=40)
    regressor = RNNRegressor(**SMALL, missing="mask", max_length=3, truncate="head")
    losses, predictions = fitted_and_predicted(regressor, arrays, y)
    stored_losses, stored_predictions = fitted_and_predicted(regressor, save_sequences(tmp_path / "x.arrow", arrays), y)
    assert stored_losses == pytest.approx(losses, rel=1e-6)
    assert stored_predictions == pytest.approx(predictions, rel=1e-5)


def test_cross_validation_takes_places_and_not_values(path, arrays):
    y = np.arange(40) % 2
    X = open_sequences(path)
    train, test = train_test_split(X, random_state=0, stratify=y)
    assert isinstance(train, StoredSequences)
    assert train.chunks[0] is test.chunks[0] is X.chunks[0]
    classifier = RNNClassifier(**SMALL)
    assert cross_val_score(classifier, X, y, cv=3).tolist() == cross_val_score(classifier, arrays, y, cv=3).tolist()


def test_partial_fit_over_chunks_goes_on(arrays):
    targets = {name: target(arrays) for name, (_, _, target) in ESTIMATORS.items()}
    for name, (cls, _, _) in ESTIMATORS.items():
        estimator, y = cls(hidden_size=4, random_state=0), targets[name]
        for _ in range(2):
            for start in range(0, 40, 10):
                part = slice(start, start + 10)
                known = (
                    {} if name == "regressor" or start else {"classes": ["down", "up"] if name == "tagger" else [0, 1]}
                )
                estimator.partial_fit(arrays[part], y[part], **known)
        assert estimator.n_iter_ == 1
        first = cls(hidden_size=4, random_state=0)
        first.partial_fit(arrays[:10], y[:10])
        assert estimator.loss_curve_[0] < first.loss_curve_[0]


# Errors


def test_the_place_of_a_bad_value_is_named(tmp_path, arrays, monkeypatch):
    monkeypatch.setattr(stored, "BLOCK", 100)
    arrays[31][0, 2] = np.inf
    X = save_sequences(tmp_path / "bad.arrow", arrays)
    with pytest.raises(SequenceDataError, match=r"infinity.* at sequence 31, step 0, column 2"):
        RNNRegressor().fit(X, np.zeros(40))


# Memory

SCRIPT = """
    import sys, threading, time
    import numpy as np
    from sklearn_rnn import RNNClassifier, open_sequences

    def anonymous():
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("RssAnon"))

    def watch():
        while not done:
            peak[0] = max(peak[0], anonymous())
            time.sleep(0.002)

    kind, path = sys.argv[1:]
    X = open_sequences(path) if kind == "file" else np.load(path, mmap_mode="r")
    y = np.arange(len(X)) % 2
    classifier = RNNClassifier(hidden_size=4, max_epochs=1, batch_size=64, random_state=0, bidirectional=False)
    classifier.fit(X[:64], y[:64]).predict(X[:64])
    peak, done = [0], False
    before = anonymous()
    thread = threading.Thread(target=watch)
    thread.start()
    try:
        classifier.fit(X, y).predict(X)
    finally:
        done = True
        thread.join()
    print(peak[0] - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("kind", ["file", "map"])
def test_fit_and_predict_do_not_load_the_data(tmp_path, rng, kind):
    shape = (8, 512, 64, 160)  # 168 MB in 8 parts
    first = rng.normal(size=shape[1:]).astype(np.float32)
    parts = (first + k for k in range(8))
    path = tmp_path / "data"
    if kind == "file":
        save_sequences(path, parts)
    else:
        block = np.lib.format.open_memmap(path, "w+", "float32", (8 * 512, *shape[2:]))
        for k, part in enumerate(parts):
            block[k * 512 : (k + 1) * 512] = part
        block.flush()
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT), kind, str(path)]
    taken = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert taken < 0.3 * 4 * np.prod(shape)
