"""Estimators with convolutions: what holds for all of them, and what does not go together."""

import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from samples import outputs, problem, ragged, small, weights
from sklearn.base import clone
from streaming import ENGINES

from sklearn_rnn import RNNClassifier, RNNRegressor, RNNSequenceTagger, stream
from sklearn_rnn.networks.convolutions import StepNorm
from sklearn_rnn.training import epoch

ESTIMATORS = [RNNClassifier, RNNRegressor, RNNSequenceTagger]
BRANCH = {"conv_branch": True, "conv_channels": (5, 3), "conv_kernel_size": 3}


def statistics(model):
    return {
        name: value
        for name, value in model.module_.state_dict().items()
        if name.split(".")[-1] in StepNorm.learned_buffers
    }


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name, value in one.items():
        torch.testing.assert_close(value, other[name], rtol=0, atol=0)


@pytest.mark.parametrize("options", [BRANCH, {**BRANCH, "conv_stride": 2}, {"conv_stride": 3}], ids=str)
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_sequence_is_predicted_alike_alone_and_among_others(estimator, options):
    if estimator is RNNSequenceTagger and "conv_stride" in options:
        pytest.skip("it has a label for each step")
    X, y = problem(estimator)
    model = small(estimator, **options).fit(X, y)
    together = outputs(model, X)
    assert_allclose(np.concatenate([outputs(model, [x]) for x in X]), together, atol=1e-6)
    assert_allclose(outputs(model, X[::-1])[::-1][:1], outputs(model, X[:1])[::-1][:1], atol=1e-6)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_weight_of_two_is_a_repeated_sequence(estimator):
    X, y = problem(estimator)
    doubled = small(estimator, dtype="float64", **BRANCH).fit(
        X, y, sample_weight=np.repeat([2.0, 1.0], [8, len(X) - 8])
    )
    repeated = small(estimator, dtype="float64", **BRANCH).fit([*X, *X[:8]], [*y, *y[:8]])
    assert_allclose(outputs(doubled, X), outputs(repeated, X), atol=1e-9)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_order_and_padding_make_no_difference_to_a_fit(estimator):
    X, y = problem(estimator)
    wanted = outputs(small(estimator, **BRANCH).fit(X, y), X)
    order = np.random.default_rng(1).permutation(len(X))
    moved = small(estimator, **BRANCH).fit([X[i] for i in order], [y[i] for i in order])
    assert_array_equal(outputs(moved, X), wanted)
    block = np.full((len(X), 11, 3), np.nan)
    for row, x in zip(block, X, strict=True):
        row[: len(x)] = x
    assert_array_equal(outputs(small(estimator, padding_value=np.nan, **BRANCH).fit(block, y), X), wanted)


@pytest.mark.parametrize("engine", ENGINES)
def test_engines_learn_the_same(engine):
    X, y = problem(RNNClassifier)
    options = {**BRANCH, "conv_stride": 2, "dtype": "float64", "pooling": "concat"}
    model, other = (small(RNNClassifier, engine=name, **options).fit(X, y) for name in (engine, "torch"))
    assert_allclose(model.loss_curve_, other.loss_curve_, rtol=1e-9)
    assert_allclose(outputs(model, X), outputs(other, X), atol=1e-8)


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_types_and_pickles(dtype):
    X, y = problem(RNNClassifier)
    model = small(RNNClassifier, dtype=dtype, conv_stride=2, **BRANCH).fit(X, y)
    stored = torch.float64 if dtype == "float64" else torch.float32
    assert {value.dtype for value in model.module_.state_dict().values()} == {stored}
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(outputs(again, X), outputs(model, X))
    assert_array_equal(outputs(clone(model).fit(X, y), X), outputs(model, X))


def test_going_on_goes_on_from_the_running_statistics():
    X, y = problem(RNNClassifier)
    model = small(RNNClassifier, warm_start=True, max_epochs=2, **BRANCH).fit(X, y)
    before = statistics(model)
    n_batches = before["convolutions.layers.0.norm.n_batches"].item()
    model.fit(X, y)
    assert statistics(model)["convolutions.layers.0.norm.n_batches"].item() == 2 * n_batches
    model.partial_fit(X, y)
    assert statistics(model)["convolutions.layers.0.norm.n_batches"].item() == 2.5 * n_batches


def test_the_best_epoch_has_its_own_statistics():
    X, y = problem(RNNClassifier, n=40)
    model = small(RNNClassifier, early_stopping=True, max_epochs=4, **BRANCH).fit(X, y, X_val=X[:9], y_val=y[:9])
    n_batches = -(-len(X) // model.batch_size_)
    assert statistics(model)["convolutions.layers.1.norm.n_batches"].item() == model.best_epoch_ * n_batches


@pytest.mark.parametrize("pooling", ["last", "concat", "attention"])
@pytest.mark.parametrize("options", [{}, {"conv_stride": 2}], ids=str)
def test_staged_probabilities_are_those_of_prefixes(options, pooling):
    X, y = problem(RNNClassifier, n=12)
    model = small(RNNClassifier, bidirectional=False, pooling=pooling, **BRANCH, **options).fit(X, y)
    for t, stage in enumerate(model.staged_predict_proba(X), start=1):
        assert_allclose(stage, model.predict_proba([x[:t] for x in X]), atol=1e-6)


def test_vectors_and_states_are_as_wide_as_they_say():
    X, y = problem(RNNClassifier)
    model = small(RNNClassifier, pooling="concat", **BRANCH).fit(X, y)
    units = model.module_.backbone.output_size
    vectors, states = model.transform(X), model.transform_steps(X)
    assert vectors.shape == (len(X), 3 * units + 3) == (len(X), len(model.get_feature_names_out()))
    assert [item.shape for item in states] == [(len(x), units + 3) for x in X]
    for vector, own in zip(vectors, states, strict=True):
        expected = [own[:, :units].mean(axis=0), own[:, :units].max(axis=0), own[:, units:].mean(axis=0)]
        assert_allclose(vector[units:], np.concatenate(expected), atol=1e-5)


def test_steps_that_became_one_have_one_state_and_share_a_weight():
    X, y = problem(RNNClassifier)
    model = small(RNNClassifier, conv_stride=3, pooling="attention").fit(X, y)
    for x, states, weight in zip(X, model.transform_steps(X), model.attention_weights(X), strict=True):
        assert len(states) == len(weight) == len(x)
        assert weight.sum() == pytest.approx(1)
        for values in (states, weight):
            assert all((values[start : start + 3] == values[start]).all() for start in range(0, len(x), 3))


def test_uneven_batches_are_normalised_in_one(monkeypatch):
    monkeypatch.setattr("sklearn_rnn.data.splitting.MOST_PADDING", 1)
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(length, 2)) for length in [1, 1, 2, 40, 1, 50] * 3]
    y = np.array([x[:, 0].mean() > 0 for x in X])
    sizes = []
    parts = epoch.parts_in_training
    monkeypatch.setattr(
        epoch, "parts_in_training", lambda net, batch: sizes.append(len(batch.parts)) or parts(net, batch)
    )
    options = {"batch_size": 18, "dtype": "float64", "max_epochs": 2}
    small(RNNClassifier, **options).fit(X, y)
    assert max(sizes) > 1
    sizes.clear()
    model = small(RNNClassifier, **options, **BRANCH).fit(X, y)
    assert max(sizes) == 1
    monkeypatch.undo()
    assert_allclose(weights(model), weights(small(RNNClassifier, **options, **BRANCH).fit(X, y)), atol=1e-9)


def test_freezing_leaves_convolutions_as_they_are_until_they_are_let_in():
    X, y = problem(RNNClassifier)
    source = small(RNNClassifier, conv_stride=2, **BRANCH).fit(X, y)
    options = {**BRANCH, "conv_stride": 2, "pretrained": source, "freeze": "backbone", "max_epochs": 3}
    frozen = small(RNNClassifier, **options).fit(X, y)
    theirs = {name: value for name, value in source.module_.state_dict().items() if not name.startswith("head.")}
    assert_same({name: frozen.module_.state_dict()[name] for name in theirs}, theirs)
    thawing = small(RNNClassifier, unfreeze_every=1, **options).fit(X, y)
    changed = {name for name, value in theirs.items() if not torch.equal(thawing.module_.state_dict()[name], value)}
    assert changed == set(theirs)
    options["max_epochs"] = 2
    thawing = small(RNNClassifier, unfreeze_every=1, **options).fit(X, y)
    changed = {name for name, value in theirs.items() if not torch.equal(thawing.module_.state_dict()[name], value)}
    assert changed == {name for name in theirs if not name.startswith("front.")}


def test_convolutions_that_differ_begin_anew():
    X, y = problem(RNNClassifier)
    source = small(RNNClassifier, **BRANCH).fit(X, y)
    first = "convolutions.layers.0.weight"
    for changes, kept in (({}, True), ({"conv_channels": (5, 4)}, False), ({"conv_dilation": 2}, False)):
        model = small(RNNClassifier, pretrained=source, learning_rate=1e-12, **{**BRANCH, **changes}).fit(X, y)
        mine, theirs = model.module_.state_dict()[first], source.module_.state_dict()[first]
        assert torch.allclose(mine, theirs, atol=1e-6) == kept
    without = small(RNNClassifier, pretrained=source).fit(X, y)
    assert without.module_.convolutions is None
    with pytest.raises(ValueError, match=r"freeze='backbone' would leave convolutions at their first weights"):
        small(RNNClassifier, pretrained=without, freeze="backbone", **BRANCH).fit(X, y)
    with pytest.raises(ValueError, match=r"conv_stride=2 is not that of pretrained.*set conv_stride=1"):
        small(RNNClassifier, pretrained=source, conv_stride=2).fit(X, y)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({**BRANCH, "tbptt_steps": 3}, r"tbptt_steps=3 .* conv_branch=True looks beyond.*set tbptt_steps=None"),
        ({"conv_stride": 2, "tbptt_steps": 3}, r"tbptt_steps=3 .* conv_stride=2 looks beyond"),
        ({"conv_branch": True, "conv_channels": []}, r"conv_channels=\[\] must be an int of at least 1"),
        ({"conv_branch": True, "conv_channels": [4, 0]}, r"conv_channels=\[4, 0\] must be"),
        (
            {"conv_branch": True, "conv_channels": 4, "conv_dilation": [1, 2]},
            r"conv_kernel_size=\(7, 5, 3\), conv_dilation=\[1, 2\] differ in the number of layers",
        ),
        ({"conv_stride": 0}, "'conv_stride' parameter"),
        ({"conv_branch": "yes"}, "'conv_branch' parameter"),
    ],
    ids=str,
)
def test_what_does_not_go_together_is_refused(options, message):
    X, y = problem(RNNClassifier)
    with pytest.raises(ValueError, match=message):
        small(RNNClassifier, **options).fit(X, y)


@pytest.mark.parametrize(
    ("options", "shapes"),
    [
        ({"conv_channels": 5}, [(5, 3, 7), (5, 5, 5), (5, 5, 3)]),
        ({"conv_channels": 5, "conv_kernel_size": 2}, [(5, 3, 2)]),
        ({"conv_channels": [np.int64(2), 4], "conv_kernel_size": 3}, [(2, 3, 3), (4, 2, 3)]),
        ({"conv_channels": 2, "conv_kernel_size": 3, "conv_dilation": (1, 2)}, [(2, 3, 3), (2, 2, 3)]),
    ],
    ids=str,
)
def test_an_int_is_for_all_layers(options, shapes):
    X, y = problem(RNNClassifier)
    model = small(RNNClassifier, max_epochs=1, conv_branch=True, **options).fit(X, y)
    assert [tuple(layer.weight.shape) for layer in model.module_.convolutions.layers] == shapes


def test_a_stride_needs_one_target_a_sequence():
    X = ragged(8)
    with pytest.raises(ValueError, match=r"conv_stride=2 makes one step of 2, and y has a target for each step"):
        small(RNNRegressor, conv_stride=2).fit(X, [x[:, 0] for x in X])


@pytest.mark.parametrize("options", [BRANCH, {"conv_stride": 2}], ids=str)
def test_a_stream_of_convolutions_is_refused(options):
    X, y = problem(RNNClassifier)
    model = small(RNNClassifier, bidirectional=False, **options).fit(X, y)
    with pytest.raises(ValueError, match=r"convolutions cannot go on step by step.*conv_branch=False"):
        stream(model)
    lengths = torch.tensor([2])
    with pytest.raises(ValueError, match=r"convolutions cannot go on from a state"):
        model.module_.advance(torch.zeros(1, 2, 3), lengths)


def test_sequences_of_one_step():
    X, y = np.random.default_rng(0).normal(size=(9, 1, 2)), np.arange(9) % 2
    assert small(RNNClassifier, batch_size=4, conv_stride=2, **BRANCH).fit(X, y).predict(X).shape == (9,)
    tags = [["a"], ["b", "a"]]
    tagger = small(RNNSequenceTagger, batch_size=1, **BRANCH).fit([["x"], ["y", "x"]], tags)
    assert [len(labels) for labels in tagger.predict([["x"], [], ["x", "x", "y"]])] == [1, 0, 3]
