"""Live streams: what they say of each prefix is what the estimator says of it."""

import copy
import itertools

import numpy as np
import pytest
import torch
from samples import problem, ragged, small, targets
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from streaming import ENGINES, assert_follows, fitted

import sklearn_rnn
from sklearn_rnn import (
    PerStep,
    RNNClassifier,
    RNNRegressor,
    RNNSequenceTagger,
    Stream,
    stream,
)
from sklearn_rnn.networks.engines import kernels_installed
from sklearn_rnn.networks.stepping import CompiledStepper


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("pooling", ["last", "mean", "max", "concat", "attention"])
@pytest.mark.parametrize("cell_type", ["rnn", "lstm", "gru", "mgu"])
def test_classifier_of_every_cell_and_pooling(cell_type, pooling, engine):
    clf = fitted(RNNClassifier, cell_type=cell_type, pooling=pooling, num_layers=2, engine=engine)
    assert_follows(clf, ragged(1, longest=9)[0])


@pytest.mark.parametrize(
    "parameters",
    [
        {"dtype": "float64"},
        {"cell_type": "rnn", "nonlinearity": "relu"},
        {"cell_type": "lstm", "proj_size": 2},
        {"residual": True, "layer_norm": True, "num_layers": 3},
        {"residual": True, "hidden_size": [4, 3], "pooling": "attention"},
        {"layer_norm": True, "dropout": 0.5, "recurrent_dropout": 0.5, "num_layers": 2},
        {"hidden_size": 40, "pooling": "mean"},
    ],
)
def test_classifier_with(parameters):
    assert_follows(fitted(RNNClassifier, **parameters), ragged(1, longest=9)[0])


def test_three_classes_and_label_sets():
    X = ragged(30)
    assert_follows(fitted(RNNClassifier, X, np.arange(30) % 3), X[0])
    sets = np.random.default_rng(0).integers(0, 2, size=(30, 3))
    assert_follows(fitted(RNNClassifier, X, sets), X[0])


@pytest.mark.parametrize("n_targets", [None, 1, 3])
def test_regressor(n_targets):
    X = ragged(30)
    level = np.array([10 + x.mean() for x in X])
    y = level if n_targets is None else np.column_stack([level] * n_targets)
    assert_follows(fitted(RNNRegressor, X, y, pooling="mean"), X[0])


@pytest.mark.parametrize("n_targets", [None, 2])
def test_regressor_of_steps(n_targets):
    X = ragged(30)
    y = [x[:, 0] if n_targets is None else x[:, :n_targets] for x in X]
    reg = fitted(RNNRegressor, X, y, max_length=3)
    live = stream(reg)
    for t, step in enumerate(X[0], start=1):
        np.testing.assert_allclose(live.update(step)[0], reg.predict([X[0][:t]])[0][-1], rtol=0, atol=1e-5)


@pytest.mark.parametrize("loss", ["poisson", "quantile", "gaussian", "student_t", "negative_binomial"])
def test_regressor_with_another_loss(loss):
    X = ragged(30)
    quantiles = {} if loss == "poisson" else {"quantiles": [0.1, 0.5, 0.9]}
    reg = fitted(RNNRegressor, X, np.array([np.floor(np.exp(x.mean())) for x in X]), loss=loss, **quantiles)
    assert_follows(reg, X[0])
    live = stream(reg, 2)
    live.update([X[0][0], X[1][0]])
    assert hasattr(live, "predict_quantiles") == hasattr(reg, "predict_quantiles")
    if hasattr(reg, "predict_quantiles"):
        for levels in (None, [0.3, 0.6]):
            wanted = reg.predict_quantiles([X[0][:1], X[1][:1]], levels)
            np.testing.assert_allclose(live.predict_quantiles(quantiles=levels), wanted, rtol=0, atol=1e-5)
            np.testing.assert_allclose(live.predict_quantiles([1], levels), wanted[1:], rtol=0, atol=1e-5)


def test_tagger_without_a_chain():
    assert_follows(fitted(RNNSequenceTagger, decoder="softmax"), ragged(1, longest=9)[0])


def filtered(chain, emissions):
    """The probability of each label at the last of the `emissions` (n_steps, n_labels), by all paths up to it."""
    n_labels = emissions.shape[1]
    weight = np.zeros(n_labels)
    pairs = np.zeros((n_labels, n_labels))
    for path in itertools.product(range(n_labels), repeat=len(emissions)):
        score = chain[n_labels, path[0]] + emissions[range(len(path)), path].sum()
        score = np.exp(score + sum(chain[a, b] for a, b in itertools.pairwise(path)))
        weight[path[-1]] += score
        if len(path) > 1:
            pairs[path[-2:]] += score
    return weight / weight.sum(), pairs / weight.sum()


TAGS = {
    "IOB2": ["O", "B-x", "I-x", "B-x", "B-x", "I-x", "I-x", "O"],
    "IOB1": ["O", "I-x", "I-x", "B-x", "I-x", "O", "I-x", "B-x"],
    "none": ["a", "b", "a", "c", "b", "c", "a", "b"],
}


CHAINS = [("none", "crf", None), *itertools.product(("IOB1", "IOB2"), ("crf", "softmax"), (None, "BIOES"))]


@pytest.mark.parametrize(("scheme", "decoder", "train_scheme"), CHAINS)
def test_tagger_filters_the_labels_of_a_chain(scheme, decoder, train_scheme):
    rng = np.random.default_rng(1)
    X = [rng.normal(size=(n, 2)) for n in rng.integers(2, 9, size=20)]
    y = [TAGS[scheme][: len(x)] for x in X]
    tagger = fitted(
        RNNSequenceTagger, X, y, decoder=decoder, train_scheme=train_scheme, learning_rate=0.1, standardize=False
    )
    codec, x = tagger.codec_, X[0][:5]
    table = tagger.transitions_.to_numpy()
    chain = np.vstack([table[:, :-1], table[:-1, -1:].T])
    network = copy.deepcopy(tagger.module_).double().eval()
    with torch.inference_mode():
        emissions = network(torch.from_numpy(x)[None], torch.tensor([5]))[0].numpy()
    live = stream(tagger)
    for t, step in enumerate(x, start=1):
        label = live.update(step)
        probabilities, pairs = filtered(chain, emissions[:t])
        wanted = probabilities @ codec.class_of_label()
        for allowed, opening, inside in codec.touching():
            wanted[opening] += pairs[allowed].sum()
            wanted[inside] -= pairs[allowed].sum()
        np.testing.assert_allclose(live.predict_proba()[0], wanted, rtol=0, atol=1e-5)
        assert label.tolist() == [tagger.classes_[wanted.argmax()]]


def test_a_long_stream_of_labels_loses_nothing():
    X = [np.random.default_rng(0).normal(size=(400, 2))]
    tagger = fitted(RNNSequenceTagger, X, [TAGS["IOB2"] * 50], learning_rate=0.1)
    live = stream(tagger)
    for step in 20 * X[0]:
        live.update(step)
        assert live.predict_proba().sum() == pytest.approx(1)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("estimator", [RNNClassifier, RNNRegressor, RNNSequenceTagger])
def test_streams_that_go_on_in_turns_are_each_as_if_alone(estimator, engine, rng):
    X, y = problem(estimator)
    y = [[*labels[:-1], "flat"] for labels in y] if estimator is RNNSequenceTagger else y
    model = fitted(estimator, X, y, pooling="mean") if estimator is not RNNSequenceTagger else fitted(estimator, X, y)
    model.engine = engine
    together, alone = stream(model, n_streams=5), [stream(model) for _ in range(5)]
    for turn in range(12):
        ids = rng.permutation(5)[: rng.integers(1, 6)]
        steps = rng.normal(size=(len(ids), 3))
        found = together.update(steps, ids=ids)
        for k, i in enumerate(ids):
            np.testing.assert_allclose(_codes(alone[i].update(steps[k])), _codes(found[k : k + 1]), atol=1e-6)
        if turn == 6:
            together.reset(ids=[1, 3])
            alone[1].reset()
            alone[3].reset()
    assert together.n_steps_.tolist() == [int(one.n_steps_[0]) for one in alone]
    for i in np.flatnonzero(together.n_steps_):
        np.testing.assert_allclose(_codes(together.predict(i)), _codes(alone[i].predict()), atol=1e-6)


def _codes(predictions):
    return predictions if predictions.dtype.kind == "f" else [hash(str(label)) % 1000 for label in predictions]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("pooling", ["last", "mean"])
def test_after_max_length_a_prediction_stays(pooling, engine):
    clf = fitted(RNNClassifier, max_length=3, pooling=pooling, engine=engine)
    X = ragged(1, longest=9)[0]
    X = np.concatenate([X, X])
    assert_follows(clf, X)
    two = stream(clf, 2)
    for t in range(5):
        two.update(X[t], ids=[0])
    two.update(X[:2])
    np.testing.assert_allclose(two.predict_proba(), clf.predict_proba([X, X[1:2]]), atol=1e-5)


@pytest.mark.gpu
@pytest.mark.parametrize("estimator", [RNNClassifier, RNNRegressor, RNNSequenceTagger])
def test_on_a_gpu(estimator, rng):
    model = fitted(estimator, device="cuda")
    live, twin = stream(model, 2), stream(model, 2)
    for _ in range(3):
        live.update(rng.normal(size=(2, 3)))
    twin = Stream.from_json(model, live.to_json())
    step = rng.normal(size=(2, 3))
    np.testing.assert_array_equal(twin.update(step), live.update(step))
    if estimator is RNNClassifier:
        assert_follows(model, rng.normal(size=(5, 3)), tolerance=1e-4)


def test_there_is_nothing_to_predict_before_the_first_step():
    live = stream(fitted(RNNClassifier), 2)
    live.update([1.0, 2.0, 3.0], ids=[0])
    assert live.predict(ids=0).shape == (1,)
    for method in (live.predict, live.predict_proba, live.decision_function):
        with pytest.raises(ValueError, match="stream 1 has taken no step"):
            method()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_step_of_no_stream_is_none(engine):
    live = stream(fitted(RNNClassifier, engine=engine), 2)
    assert live.update([], ids=[]).shape == (0,)
    assert live.n_steps_.tolist() == [0, 0]
    live.reset(ids=[])


@pytest.mark.parametrize("n_streams", [0, -1, 1.5, True, "2", None])
def test_number_of_streams_is_checked(n_streams):
    with pytest.raises(ValueError, match="n_streams="):
        stream(fitted(RNNClassifier), n_streams)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_later_fit_changes_nothing_for_a_stream(engine):
    X, y = problem(RNNRegressor)
    model = make_pipeline(PerStep(StandardScaler()), small(RNNRegressor, bidirectional=False, engine=engine)).fit(X, y)
    frozen = copy.deepcopy(model)
    live = stream(model)
    model[-1].partial_fit(X, 3 * y)
    model[0].partial_fit([7 * x for x in X])
    assert_follows(frozen, X[0], live)
    model.fit(X[::-1], 10 * y)
    live.reset()
    assert_follows(frozen, X[1], live)


def test_predictions_are_the_callers_own(rng):
    live = stream(fitted(RNNRegressor), 2)
    step = rng.normal(size=(2, 3))
    kept = live.update(step)
    kept[:] = 7
    assert (live.predict() != 7).all()
    clf = stream(fitted(RNNClassifier), 2)
    clf.update(step)
    clf.decision_function()[:] = 7
    assert (clf.decision_function() != 7).all()


def test_global_settings_stay(rng):
    live = stream(fitted(RNNClassifier, engine="torch"))
    state, threads = torch.random.get_rng_state(), torch.get_num_threads()
    live.update(rng.normal(size=3))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.get_num_threads() == threads


@pytest.mark.skipif(not kernels_installed(), reason="no numba")
def test_kernels_compute_what_they_can():
    assert isinstance(stream(fitted(RNNClassifier, engine="fused"))._stepper, CompiledStepper)


def test_the_package_names_it():
    assert {"Stream", "stream"} <= set(sklearn_rnn.__all__)
    live = stream(fitted(RNNClassifier), 3)
    assert repr(live) == "Stream(RNNClassifier, n_streams=3)"
    assert targets(RNNClassifier, ragged(2)).shape == (2,)
