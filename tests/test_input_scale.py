"""Numbers are scaled by what training data has: against StandardScaler, and whatever units they are in."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_rnn import (
    AlignedSequences,
    PerStep,
    RNNClassifier,
    RNNRegressor,
    RNNSequenceTagger,
    Sequences,
    Stream,
)
from sklearn_rnn.data import input_scale
from sklearn_rnn.data.encoding import StepEncoding
from sklearn_rnn.data.input_scale import InputScale
from sklearn_rnn.data.inputs import read
from sklearn_rnn.data.missing import carry_forward
from sklearn_rnn.data.stored import StoredSequences
from sklearn_rnn.exceptions import SequenceDataError

# All sequences in one batch, and nothing dropped: the order of samples, which goes by their bytes, then only rounds.
SMALL = {"hidden_size": 4, "max_epochs": 3, "batch_size": 200, "dropout": 0.0, "random_state": 0}

lengths = st.lists(st.integers(1, 6), min_size=1, max_size=8)


def series(rng, n=40, n_features=3, longest=9):
    return [rng.normal(size=(length, n_features)) for length in rng.integers(3, longest, size=n)]


def oracle(X, counts=None):
    rows = np.concatenate(X).astype(np.float64)
    weight = None if counts is None else np.repeat(counts, [len(x) for x in X])
    return StandardScaler().fit(rows, sample_weight=weight)


def assert_as(scale, scaler):
    np.testing.assert_allclose(scale.mean, scaler.mean_, rtol=1e-12, atol=1e-12 * np.abs(scaler.mean_).max())
    np.testing.assert_allclose(scale.scale, scaler.scale_, rtol=1e-9)


@given(lengths=lengths, seed=st.integers(0, 99), weighted=st.booleans(), block=st.sampled_from([1, 5, 2**15]))
@settings(deadline=None)
def test_as_standard_scaler(lengths, seed, weighted, block):
    rng = np.random.default_rng(seed)
    X = [rng.normal(size=(n, 3)) * [1, 1e-3, 1e4] + [0, 5, -1e4] for n in lengths]
    counts = rng.integers(1, 5, size=len(X)) * 0.5 if weighted else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(input_scale, "BLOCK", block)
        patch.setattr(input_scale, "NUMBERS", block)
        scale = InputScale.learn(Sequences.from_arrays(X), counts)
        encoded = scale.encode(Sequences.from_arrays(X), "float64")
    scaler = oracle(X, counts)
    assert_as(scale, scaler)
    np.testing.assert_allclose(encoded.values, scaler.transform(np.concatenate(X)), atol=1e-8)


@given(lengths=lengths, seed=st.integers(0, 99))
@settings(deadline=None)
def test_what_is_missing_is_not_counted(lengths, seed):
    rng = np.random.default_rng(seed)
    X = [np.where(rng.random((n, 2)) < 0.4, np.nan, rng.normal(size=(n, 2)) * 10 + 500) for n in lengths]
    counts = rng.integers(1, 4, size=len(X)).astype(float)
    sequences = carry_forward(Sequences.from_arrays(X), unseen=np.nan)
    scale = InputScale.learn(sequences, counts, masked=True)
    rows, weight = np.concatenate(X), np.repeat(counts, lengths)
    for k in range(2):
        there = ~np.isnan(rows[:, k])
        if not there.any():
            assert (scale.mean[k], scale.scale[k]) == (0, 1)
            continue
        scaler = StandardScaler().fit(rows[there, k : k + 1], sample_weight=weight[there])
        np.testing.assert_allclose(scale.mean[k], scaler.mean_[0], rtol=1e-12)
        np.testing.assert_allclose(scale.scale[k], scaler.scale_[0], rtol=1e-9)
    encoded = scale.encode(sequences, "float32").values
    np.testing.assert_array_equal(encoded[:, 2:], ~np.isnan(rows))
    filled = carry_forward(Sequences.from_arrays([scale.rows(x) for x in X])).values
    np.testing.assert_allclose(encoded, filled, atol=1e-6)


def test_a_signal_on_a_large_offset():
    signal = np.random.default_rng(0).normal(size=(500, 1))
    X = Sequences(1e6 + 1e-3 * signal, [0, 500])
    encoded = InputScale.learn(X).encode(X, "float32").values[:, 0]
    wanted = (signal - signal.mean()) / signal.std()
    np.testing.assert_allclose(encoded, wanted[:, 0], atol=1e-5)


@pytest.mark.parametrize("value", [0.1, 0.0, -1e300, 1e9])
@pytest.mark.parametrize("masked", [False, True])
def test_a_constant_becomes_0(value, masked):
    X = Sequences(np.full((1000, 1), value), [0, 400, 1000])
    if masked:
        X.values[::3] = np.nan
        X = carry_forward(X, unseen=np.nan)
    weight = np.array([0.3, 7.1])
    scale = InputScale.learn(X, weight, masked=masked, spare_indicators=False)
    assert scale.scale.tolist() == [1]
    assert not scale.encode(X, "float32").values[:, 0].any()


def test_a_constant_up_to_rounding():
    values = np.full((1000, 1), 0.1)
    values[::2] += np.spacing(0.1)
    assert InputScale.learn(Sequences(values, [0, 1000])).scale.tolist() == [1] == StandardScaler().fit(values).scale_


def test_indicators_are_left_alone_unless_all_is_to_be_scaled(rng):
    X = Sequences(rng.integers(0, 2, size=(50, 3)) * [1, 1, 2.0], [0, 20, 50])
    X.values[:, 1] *= np.arange(50) == 3
    spared, all_of_it = InputScale.learn(X), InputScale.learn(X, spare_indicators=False)
    assert spared.mean[:2].tolist() == [0, 0]
    assert spared.scale[:2].tolist() == [1, 1]
    scaler = oracle(list(X))
    assert spared.mean[2] == pytest.approx(scaler.mean_[2])
    assert_as(all_of_it, scaler)
    pixels = Sequences(rng.integers(0, 17, size=(50, 3)), [0, 50])
    assert_as(InputScale.learn(pixels), oracle(list(pixels)))


def test_the_same_to_the_last_bit_in_any_type_in_memory_and_on_disk(rng, tmp_path, monkeypatch):
    monkeypatch.setattr(input_scale, "NUMBERS", 64)
    values = (rng.normal(size=(300, 3)) * 5 + 100).astype(np.float32)
    offsets = np.array([0, 5, 90, 91, 300])
    np.save(tmp_path / "X.npy", values)
    stored = StoredSequences.join([Sequences(np.load(tmp_path / "X.npy", mmap_mode="r"), offsets)])
    counts = np.array([1, 2, 1, 3.0])
    in_memory = Sequences(values, offsets)
    scale = InputScale.learn(in_memory, counts)
    for other in (stored, Sequences(values.astype(np.float64), offsets)):
        again = InputScale.learn(other, counts)
        np.testing.assert_array_equal(again.mean, scale.mean)
        np.testing.assert_array_equal(again.scale, scale.scale)
    encoded, later = scale.encode(in_memory, "float32"), scale.encode(stored, "float32")
    assert isinstance(later, StoredSequences)
    assert later.dtype == np.float32
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(later))[1:3].values, encoded[1:3].values)
    np.testing.assert_array_equal(later.values, encoded.values)
    np.testing.assert_array_equal(np.load(tmp_path / "X.npy"), values)


def test_numbers_that_are_too_large():
    X = Sequences([[1.0, 2.0], [2.0, 1e200], [3.0, 3.0]], [0, 1, 3])
    with pytest.raises(SequenceDataError, match=r"X contains a value too large.*1\.0e\+200, in column 1"):
        InputScale.learn(X)
    scale = InputScale.learn(Sequences([[1.0, 2.0], [2.0, 5.0]], [0, 2]))
    with pytest.raises(SequenceDataError, match=r"contains 1e\+200 in column 1: too far for float32.*3\.5"):
        scale.encode(X, "float32")
    assert np.isfinite(scale.encode(X, "float64").values).all()


def test_steps_are_read_with_all_their_digits():
    large, small = np.array([[[1e9], [1e9 + 1]]]), np.zeros((1, 2, 1), np.float32)
    for X, dtype in ((large, "float64"), (small, "float32"), (small.astype(np.uint8), "float32")):
        assert read(X, dtype=None)[0].values.dtype == dtype
    assert read(large.astype(int), dtype=None)[0].values.dtype == "float64"
    assert np.shares_memory(read(large, dtype=None)[0].values, large)


def test_of_several_inputs_the_numbers_are_scaled(rng):
    lengths = rng.integers(2, 6, size=20)
    inputs = {
        "a": [rng.normal(size=(n, 2)) * 10 + 100 for n in lengths],
        "word": [rng.choice(["x", "y"], size=n).tolist() for n in lengths],
        "b": [rng.normal(size=(n, 1)) / 100 for n in lengths],
    }
    X, spec = read(AlignedSequences(inputs), dtype=None)
    encoding = StepEncoding.learn(X, spec, standardize="auto")
    mean, scale = encoding.mean_and_scale
    scaler = oracle([np.hstack(parts) for parts in zip(inputs["a"], inputs["b"], strict=True)])
    np.testing.assert_allclose(mean, scaler.mean_)
    np.testing.assert_allclose(scale, scaler.scale_)
    rows = encoding.encode(X, spec, "float32").values
    plain = StepEncoding.learn(X, spec).encode(X, spec, "float32").values
    np.testing.assert_array_equal(rows[:, 0], plain[:, 0])
    np.testing.assert_allclose(rows[:, 1:], (plain[:, 1:] - mean) / scale, atol=1e-4)
    assert StepEncoding.learn(X, spec).mean_and_scale is None


# What estimators make of it.

UNITS = np.array([1e-6, 37.0, 1e6]), np.array([0.1, 500.0, -1e9])


def in_other_units(X):
    scale, offset = UNITS
    return [x * scale + offset for x in X]


def learner(kind, X, **options):
    y = {
        RNNClassifier: [int(x[:, 0].sum() > 0) for x in X],
        RNNRegressor: [x[:, 1].sum() for x in X],
        RNNSequenceTagger: [["up" if v > 0 else "down" for v in x[:, 0]] for x in X],
    }[kind]
    return kind(**{**SMALL, **options}), y


def outputs(model, X):
    if isinstance(model, RNNRegressor):
        return model.predict(X)
    proba = model.predict_proba(X)
    return np.concatenate(list(proba)) if isinstance(model, RNNSequenceTagger) else proba


@pytest.mark.parametrize("kind", [RNNClassifier, RNNRegressor, RNNSequenceTagger])
@pytest.mark.parametrize("options", [{}, {"batch_size": 7}, {"dtype": "float64"}], ids=str)
def test_units_make_no_difference(kind, options, rng):
    """Batches are cut alike, too."""
    X = series(rng)
    other = in_other_units(X)
    model, y = learner(kind, X, **options)
    beside = {"X_val": X[:5], "y_val": y[:5]}
    plain = model.fit(X, y, **beside)
    scaled = learner(kind, X, **options)[0].fit(other, y, **{**beside, "X_val": other[:5]})
    np.testing.assert_allclose(outputs(scaled, other), outputs(plain, X), atol=1e-4)
    np.testing.assert_allclose(scaled.validation_scores_, plain.validation_scores_, atol=1e-4)
    steps = np.concatenate(list(scaled.transform_steps(other)))
    np.testing.assert_allclose(steps, np.concatenate(list(plain.transform_steps(X))), atol=1e-4)


@pytest.mark.parametrize("kind", [RNNClassifier, RNNRegressor, RNNSequenceTagger])
def test_after_a_scaler_nothing_changes(kind, rng):
    X = series(rng)
    model, y = learner(kind, X)
    other = in_other_units(X)
    pipeline = make_pipeline(PerStep(StandardScaler()), model).fit(other, y)
    alone = learner(kind, X)[0].fit(other, y)
    np.testing.assert_allclose(outputs(alone, other), outputs(pipeline[-1], pipeline[0].transform(other)), atol=1e-4)
    np.testing.assert_allclose(pipeline[-1].input_mean_, 0, atol=1e-7)
    np.testing.assert_allclose(pipeline[-1].input_scale_, 1, atol=1e-7)
    np.testing.assert_allclose(alone.input_mean_, pipeline[0].transformer_.mean_)
    np.testing.assert_allclose(alone.input_scale_, pipeline[0].transformer_.scale_)


@pytest.mark.parametrize("kind", [RNNClassifier, RNNRegressor, RNNSequenceTagger])
@pytest.mark.parametrize("missing", ["error", "mask"])
def test_streams_are_scaled_once(kind, missing, rng):
    X = series(rng)
    model, y = learner(kind, X, bidirectional=False, missing=missing)
    if kind is RNNSequenceTagger:  # whose chain of labels looks ahead
        model.set_params(decoder="softmax")
    X = in_other_units(X)
    if missing == "mask":
        X = [np.where(rng.random(x.shape) < 0.3, np.nan, x) for x in X]
    model.fit(X, y)
    live = Stream(model)
    for step in X[0]:
        live.update(step)
    answer = live.predict() if kind is RNNRegressor else live.predict_proba()
    np.testing.assert_allclose(answer[0], outputs(model, X[:1])[-1], atol=1e-6)


def test_streams_of_several_inputs(rng):
    X = series(rng)
    inputs = {"v": in_other_units(X), "w": [["a", "b", "a"] + ["b"] * (len(x) - 3) for x in X]}
    model, y = learner(RNNClassifier, X, bidirectional=False)
    model.fit(AlignedSequences(inputs), y)
    live = Stream(model)
    for v, w in zip(inputs["v"][0], inputs["w"][0], strict=True):
        live.update({"v": v, "w": w})
    np.testing.assert_allclose(live.predict_proba(), model.predict_proba(AlignedSequences(inputs)[:1]), atol=1e-6)


def test_windows_of_a_tagger(rng):
    X = series(rng, longest=30)
    model, y = learner(RNNSequenceTagger, X, max_length=8, stride=4)
    plain = model.fit(X, y)
    other = in_other_units(X)
    scaled = learner(RNNSequenceTagger, X, max_length=8, stride=4)[0].fit(other, y)
    np.testing.assert_allclose(outputs(scaled, other), outputs(plain, X), atol=1e-4)


@pytest.mark.parametrize("options", [{}, {"early_stopping": True, "validation_fraction": 0.3}, {"missing": "mask"}])
@pytest.mark.parametrize("kind", [RNNClassifier, RNNRegressor, RNNSequenceTagger])
def test_a_weight_is_a_repetition_to_the_last_bit(kind, options, rng):
    X = series(rng)
    model, y = learner(kind, X, **options)
    X = in_other_units(X)
    weight = rng.integers(0, 4, size=len(X))
    rows = rng.permutation(np.repeat(np.arange(len(X)), weight))
    weighted = model.fit(X, y, sample_weight=weight)
    repeated = learner(kind, X, **options)[0].fit([X[i] for i in rows], [y[i] for i in rows])
    np.testing.assert_array_equal(weighted.input_mean_, repeated.input_mean_)
    np.testing.assert_array_equal(weighted.input_scale_, repeated.input_scale_)
    np.testing.assert_array_equal(outputs(weighted, X), outputs(repeated, X))
    if "early_stopping" not in options:
        scaler = oracle(X, weight)
        np.testing.assert_allclose(weighted.input_mean_, scaler.mean_)
        np.testing.assert_allclose(weighted.input_scale_, scaler.scale_)


def test_what_is_held_out_has_no_part_in_it(rng):
    X = [x + 100 * (i % 2) for i, x in enumerate(series(rng))]
    y, groups = np.arange(40) % 3 == 0, np.arange(40) % 2
    model = RNNClassifier(**SMALL, early_stopping=True, validation_fraction=0.5).fit(X, y, groups=groups)
    halves = [oracle(X[k::2]).mean_ for k in range(2)]
    assert min(np.abs(model.input_mean_ - half).max() for half in halves) < 1e-9


def test_max_length_cuts_before_anything_is_learned(rng):
    X = [np.concatenate([x, np.full((4, 3), 1e6)]) for x in series(rng, longest=4)]
    model = RNNClassifier(**SMALL, max_length=3).fit(X, np.arange(40) % 2)
    np.testing.assert_allclose(model.input_mean_, oracle([x[:3] for x in X]).mean_)


def test_padding_is_not_counted(rng):
    X = series(rng)
    padded = np.full((40, 12, 3), np.nan)
    for row, x in zip(padded, in_other_units(X), strict=True):
        row[: len(x)] = x
    y = np.arange(40) % 2
    alone = RNNClassifier(**SMALL).fit(in_other_units(X), y)
    cut = RNNClassifier(**SMALL, padding_value=np.nan).fit(padded, y)
    np.testing.assert_array_equal(cut.input_mean_, alone.input_mean_)
    np.testing.assert_array_equal(cut.predict_proba(padded), alone.predict_proba(in_other_units(X)))


@pytest.mark.parametrize("warm", [False, True])
def test_what_the_first_call_learned_stays(warm, rng):
    X = in_other_units(series(rng))
    y = np.arange(40) % 2
    model = RNNClassifier(**SMALL, warm_start=warm)
    model = model.fit(X[:20], y[:20]) if warm else model.partial_fit(X[:20], y[:20])
    mean = model.input_mean_.copy()
    np.testing.assert_allclose(mean, oracle(X[:20]).mean_)
    more = model.fit if warm else model.partial_fit
    more([x + UNITS[0] for x in X[20:]], y[20:])
    np.testing.assert_array_equal(model.input_mean_, mean)
    assert not np.array_equal(model.set_params(warm_start=False).fit(X, y).input_mean_, mean)


def test_a_scale_is_taken_over_with_the_network(rng):
    X = in_other_units(series(rng))
    y = np.arange(40) % 2
    source = RNNClassifier(**SMALL).fit(X, y)
    model = RNNRegressor(**SMALL, pretrained=source, standardize=False).fit(X[:15], y[:15] * 2.0)
    np.testing.assert_array_equal(model.input_mean_, source.input_mean_)
    plain = RNNClassifier(**SMALL, standardize=False).fit(series(rng), y)
    assert not hasattr(plain, "input_mean_")
    assert not hasattr(RNNRegressor(**SMALL, pretrained=plain).fit(series(rng), y * 2.0), "input_mean_")


def test_what_is_no_number_has_no_scale(rng):
    y = np.arange(10) % 2
    ids = [rng.integers(0, 9, size=5) for _ in y]
    model = RNNClassifier(**SMALL, standardize=True)
    assert model.fit(ids, y).input_mean_.shape == (1,)
    assert not hasattr(model.set_params(embedding_dim=2).fit(ids, y), "input_mean_")
    assert not hasattr(model.fit([["a", "b"]] * 10, y), "input_scale_")


def test_saved_models_keep_it_and_x_is_left_alone(rng):
    X = rng.normal(size=(20, 5, 2)) * 10 + 300
    given = X.copy()
    X.flags.writeable = False
    model = RNNClassifier(**SMALL).fit(X, np.arange(20) % 2)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(again.input_scale_, model.input_scale_)
    np.testing.assert_array_equal(X, given)
    for other in (X.astype(np.float32).astype(np.float64), X.astype(np.float32)):
        fitted = RNNClassifier(**SMALL).fit(other, np.arange(20) % 2)
        last = fitted.predict_proba(X)
    np.testing.assert_array_equal(last, fitted.predict_proba(X))


def test_indicators_of_missing_values_and_the_first_ones(rng):
    X = in_other_units(series(rng))
    y = np.arange(40) % 2
    late = [np.vstack([np.full((2, 3), np.nan), x]) for x in X]
    model = RNNClassifier(**SMALL, missing="mask").fit(late, y)
    np.testing.assert_allclose(model.input_mean_, oracle(X).mean_)
    encoded = model._encode_steps(model._read_raw(late, reset=False))
    np.testing.assert_array_equal(encoded[0][:2], 0)
    np.testing.assert_array_equal(encoded[0][2:, 3:], 1)
