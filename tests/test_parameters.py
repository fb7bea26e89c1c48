"""Every constructor parameter does something."""

from collections import defaultdict

import numpy as np
import pytest
import torch
from samples import ESTIMATORS, outputs, problem, ragged, small, weights
from skorch.callbacks import Callback
from torch import nn

from sklearn_rnn import RNNClassifier, RNNRegressor, RNNSequenceTagger

POOLED = [RNNClassifier, RNNRegressor]
WITH_CLASSES = [RNNClassifier, RNNSequenceTagger]

SHOWN = defaultdict(set)


def shows(*names, of=ESTIMATORS):
    """Mark a test as the one that shows what the parameters `names` of the estimators `of` do."""

    def mark(test):
        for estimator in of:
            SHOWN[estimator].update(names)
        return pytest.mark.parametrize("estimator", of)(test)

    return mark


def fit(estimator, data=None, **parameters):
    return small(estimator, **parameters).fit(*(data or problem(estimator)))


def layers(model):
    return model.module_.backbone.layers


def recurrences(model):
    """torch's layers inside the network, in order."""
    return [part for part in model.module_.modules() if isinstance(part, nn.RNNBase)]


def differs(one, other):
    """Whether the two learned other weights, from first weights of the same shape."""
    return not np.allclose(weights(one), weights(other), atol=1e-7)


@shows("cell_type")
@pytest.mark.parametrize(("cell_type", "module"), [("rnn", nn.RNN), ("lstm", nn.LSTM), ("gru", nn.GRU)])
def test_cell_type_chooses_the_module(estimator, cell_type, module):
    assert all(type(part) is module for part in recurrences(fit(estimator, cell_type=cell_type)))


@shows("hidden_size")
def test_hidden_size_is_the_number_of_units(estimator):
    model = fit(estimator, hidden_size=5, bidirectional=False)
    assert model.transform_steps(ragged(1))[0].shape[1] == 5
    model = fit(estimator, hidden_size=[3, 6], bidirectional=False)
    assert [layer.output_size for layer in layers(model)] == [3, 6]
    assert [layer.output_size for layer in layers(fit(estimator, hidden_size=(3, 6), num_layers=2))] == [6, 12]


@shows("num_layers")
def test_num_layers_is_the_number_of_layers(estimator):
    assert len(layers(fit(estimator))) == 1
    assert len(layers(fit(estimator, num_layers=3))) == 3


@shows("bidirectional")
def test_bidirectional_doubles_the_units(estimator):
    options = {"pooling": "last"} if estimator in POOLED else {}
    one, two = (fit(estimator, bidirectional=both, **options) for both in (False, True))
    X = ragged(3)
    assert (one.transform_steps(X)[0].shape[1], two.transform_steps(X)[0].shape[1]) == (4, 8)
    if estimator in POOLED:
        assert (one.transform(X).shape, two.transform(X).shape) == ((3, 4), (3, 8))
    turned = [np.vstack([x, x[:1] + 1]) for x in X]  # a later step is seen by a layer that reads from the end alone
    np.testing.assert_allclose(one.transform_steps(turned)[0][:-1], one.transform_steps(X)[0])
    assert not np.allclose(two.transform_steps(turned)[0][:-1], two.transform_steps(X)[0])


@shows("nonlinearity")
def test_nonlinearity_of_the_vanilla_cell(estimator):
    states = fit(estimator, cell_type="rnn", nonlinearity="relu").transform_steps(ragged(8))
    assert min(state.min() for state in states) == 0
    states = fit(estimator, cell_type="rnn", nonlinearity="tanh").transform_steps(ragged(8))
    assert -1 < min(state.min() for state in states) < 0
    np.testing.assert_array_equal(weights(fit(estimator, nonlinearity="relu")), weights(fit(estimator)))


@shows("dropout")
def test_dropout_changes_training_and_not_prediction(estimator):
    model = fit(estimator, dropout=0.5)
    assert differs(model, fit(estimator, dropout=0.0))
    X = ragged(4)
    np.testing.assert_array_equal(outputs(model, X), outputs(model, X))
    deep = {"hidden_size": [4, 4], "dropout": 0.5}
    assert differs(fit(estimator, **deep), fit(estimator, **{**deep, "dropout": 0.1}))


@shows("recurrent_dropout")
@pytest.mark.parametrize("cell_type", ["rnn", "lstm", "gru"])
def test_recurrent_dropout_changes_training_and_not_prediction(estimator, cell_type):
    model = fit(estimator, dropout=0.0, cell_type=cell_type, recurrent_dropout=0.5)
    assert differs(model, fit(estimator, dropout=0.0, cell_type=cell_type))
    X = ragged(4)
    np.testing.assert_array_equal(outputs(model, X), outputs(model, X))


@shows("residual")
def test_residual_adds_the_input_of_a_layer(estimator):
    with_skips = fit(estimator, residual=True, hidden_size=[4, 4])
    skips = with_skips.module_.backbone.skips
    assert [type(skip) for skip in skips] == [nn.Linear, nn.Identity]
    assert len(fit(estimator, hidden_size=[4, 4]).module_.backbone.skips) == 0
    states = with_skips.transform_steps([1e3 * x for x in ragged(4)])
    assert max(np.abs(state).max() for state in states) > 2  # alone, a GRU's states are below 1


@shows("layer_norm")
def test_layer_norm_normalises_over_the_units(estimator):
    states = np.vstack(fit(estimator, layer_norm=True, max_epochs=1, learning_rate=1e-9).transform_steps(ragged(4)))
    np.testing.assert_allclose(states.mean(axis=1), 0, atol=1e-5)
    np.testing.assert_allclose(states.std(axis=1), 1, atol=1e-2)


@shows("weight_init")
def test_weight_init_sets_the_first_weights(estimator):
    frozen = {"learning_rate": 1e-12, "max_epochs": 1, "cell_type": "lstm"}

    def first(weight_init, **parameters):
        return recurrences(fit(estimator, weight_init=weight_init, **{**frozen, **parameters}))[0]

    recurrent = first("orthogonal").weight_hh_l0.detach()[:4]
    torch.testing.assert_close(recurrent @ recurrent.T, torch.eye(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(first("orthogonal").bias_ih_l0.detach()[4:8], torch.ones(4), atol=1e-6, rtol=0)
    torch.testing.assert_close(first("identity").weight_hh_l0.detach()[:4], torch.eye(4), atol=1e-6, rtol=0)
    assert first("torch").weight_hh_l0.detach().abs().max() <= 0.5
    assert first("torch").bias_ih_l0.detach().abs().max() > 0.1
    relu = first("auto", cell_type="rnn", nonlinearity="relu").weight_hh_l0.detach()
    torch.testing.assert_close(relu, torch.eye(4), atol=1e-6, rtol=0)


@shows("proj_size")
def test_proj_size_projects_the_states_of_the_lstm(estimator):
    model = fit(estimator, cell_type="lstm", proj_size=2, bidirectional=False)
    assert model.transform_steps(ragged(1))[0].shape[1] == 2


@shows("conv_branch", "conv_channels", "conv_kernel_size", "conv_dilation")
def test_convolutions_stand_beside_the_recurrence(estimator):
    shape = {"conv_channels": (5, 3), "conv_kernel_size": (4, 2), "conv_dilation": (1, 2)}
    model, plain = fit(estimator, conv_branch=True, **shape), fit(estimator, conv_branch=False, **shape)
    filters = list(model.module_.convolutions.layers)
    assert [tuple(layer.weight.shape) for layer in filters] == [(5, 3, 4), (3, 5, 2)]
    assert [layer.dilation for layer in filters] == [1, 2]
    widths = [one.transform_steps(ragged(1))[0].shape[1] for one in (model, plain)]
    assert widths == [8 + 3, 8]
    assert plain.module_.convolutions is None


@shows("conv_stride", of=POOLED)
def test_conv_stride_makes_one_step_of_several(estimator):
    [states] = fit(estimator, conv_stride=3).transform_steps(ragged(1, longest=9))
    assert len(np.unique(states, axis=0)) == -(-len(states) // 3)


@shows("embedding_dim")
def test_embedding_dim_makes_integers_tokens(estimator):
    X = [[0, 1, 2], [1, 1, 2], [2, 0, 1], [0, 0, 2]] * 3
    y = {RNNClassifier: list("abab") * 3, RNNRegressor: [0.0, 1.0, 2.0, 3.0] * 3}.get(estimator, X)
    model = fit(estimator, (X, y), embedding_dim=5)
    assert model.module_.inputs.token_embedding.weight.shape == (4, 5)  # the first row is for ids that are not known
    assert model.vocabulary_ == {0: 1, 1: 2, 2: 3}
    assert fit(estimator, (X, y)).module_.inputs is None
    words = [["zero", "one", "two"][:2] for _ in X]
    labels = [step[:2] for step in X] if estimator is RNNSequenceTagger else y
    assert fit(estimator, (words, labels)).module_.inputs.token_embedding.weight.shape == (3, 100)


@shows("max_length", "truncate")
@pytest.mark.parametrize(("truncate", "kept"), [("tail", slice(None, 3)), ("head", slice(-3, None))])
def test_max_length_is_truncation_by_hand(estimator, truncate, kept):
    X, y = problem(estimator)
    short = [x[kept] for x in X]
    short_y = [labels[kept] for labels in y] if estimator is RNNSequenceTagger else y
    # a tagger's prediction reads what is cut off in training, and so does its scale
    options = {} if estimator in POOLED else {"standardize": False}
    model = fit(estimator, (X, y), max_length=3, truncate=truncate, **options)
    by_hand = fit(estimator, (short, short_y), **options)
    np.testing.assert_array_equal(weights(model), weights(by_hand))
    np.testing.assert_array_equal(outputs(model, short), outputs(by_hand, short))
    if estimator in POOLED:
        np.testing.assert_array_equal(outputs(model, X), outputs(by_hand, short))
    else:
        assert [len(labels) for labels in model.predict(X)] == [len(x) for x in X]


@shows("padding_value")
@pytest.mark.parametrize("front", [False, True])
def test_padding_is_no_step(estimator, front):
    X, y = problem(estimator)
    block = np.zeros((len(X), 9, 3))
    for i, x in enumerate(X):
        block[i, 9 - len(x) :] = x
    if not front:
        block = np.array([np.roll(padded, len(x), axis=0) for padded, x in zip(block, X, strict=True)])
    model = fit(estimator, (block, y), padding_value=0)
    np.testing.assert_array_equal(outputs(model, block), outputs(fit(estimator, (X, y)), X))


@shows("standardize")
def test_standardize_scales_numbers_and_with_auto_no_indicators(estimator):
    X, y = problem(estimator)
    X = [np.hstack([x * 1000 + 5000, x[:, :1] > 0]) for x in X]
    rows = np.concatenate(X)
    auto, everything = fit(estimator, (X, y)), fit(estimator, (X, y), standardize=True)
    np.testing.assert_allclose(everything.input_mean_, rows.mean(axis=0))
    np.testing.assert_allclose(everything.input_scale_, rows.std(axis=0))
    np.testing.assert_allclose(auto.input_mean_, [*rows[:, :-1].mean(axis=0), 0])
    np.testing.assert_allclose(auto.input_scale_, [*rows[:, :-1].std(axis=0), 1])
    by_hand = [(x - rows.mean(axis=0)) / rows.std(axis=0) for x in X]
    plain = fit(estimator, (by_hand, y), standardize=False)
    plain.net_ = everything.net_
    np.testing.assert_allclose(outputs(plain, by_hand), outputs(everything, X), atol=1e-5)


@shows("missing")
def test_missing_mask_carries_forward_and_indicates(estimator):
    X, y = problem(estimator)
    gaps = [x.copy() for x in X]
    for x in gaps:
        x[1, 0] = np.nan
    filled = []
    for x in X:
        carried = x.copy()
        carried[1, 0] = carried[0, 0]
        observed = np.ones_like(x)
        observed[1, 0] = 0
        filled.append(np.hstack([carried, observed]))
    masked, by_hand = (
        fit(estimator, sequences, standardize=False, **options)
        for sequences, options in (((gaps, y), {"missing": "mask"}), ((filled, y), {}))
    )
    np.testing.assert_array_equal(outputs(masked, gaps), outputs(by_hand, filled))
    with pytest.raises(ValueError, match="NaN"):
        fit(estimator, (gaps, y), missing="error")


@shows("optimizer")
@pytest.mark.parametrize(
    ("optimizer", "wanted"),
    [
        ("adam", torch.optim.Adam),
        ("adamw", torch.optim.AdamW),
        ("sgd", torch.optim.SGD),
        ("rmsprop", torch.optim.RMSprop),
        (torch.optim.Adagrad, torch.optim.Adagrad),
    ],
)
def test_optimizer_is_the_one_asked_for(estimator, optimizer, wanted):
    seen = []

    class Spy(Callback):
        def on_epoch_end(self, net, **kwargs):
            seen.append(type(net.optimizer_))

    fit(estimator, optimizer=optimizer, callbacks=[Spy()], max_epochs=1)
    assert seen == [wanted]
    if optimizer != "adam":
        assert differs(fit(estimator, optimizer=optimizer, weight_decay=0.5), fit(estimator, weight_decay=0.5))


@shows("learning_rate")
def test_learning_rate_is_the_size_of_a_step(estimator):
    frozen = {"learning_rate": 1e-9, "max_epochs": 1}
    start, near, far = (weights(fit(estimator, **{**frozen, "learning_rate": rate})) for rate in (1e-9, 1e-4, 1e-2))
    assert 0 < np.abs(near - start).max() < np.abs(far - start).max()


class Rates(Callback):
    """Record the learning rate of each batch in the history."""

    def on_batch_begin(self, net, training=False, **kwargs):
        if training:
            net.history.record_batch("rate", net.optimizer_.param_groups[0]["lr"])

    def on_epoch_end(self, net, **kwargs):
        net.history.record("rates", [row["rate"] for row in net.history[-1]["batches"] if "rate" in row])


def rates(estimator, lr_schedule, **parameters):
    options = {"learning_rate": 0.01, "max_epochs": 6, "batch_size": 8, **parameters}
    model = fit(estimator, lr_schedule=lr_schedule, callbacks=[Rates()], **options)
    return [rate for row in model.history_ for rate in row["rates"]]


@shows("lr_schedule")
def test_lr_schedule_changes_the_rate(estimator):
    constant, cosine, cycle = (rates(estimator, schedule) for schedule in (None, "cosine", "onecycle"))
    assert set(constant) == {0.01}
    assert cosine == sorted(cosine, reverse=True)
    assert cosine[0] == 0.01
    assert cosine[-1] < 0.001
    assert max(cycle) == pytest.approx(0.01, rel=0.05)
    assert np.argmax(cycle) not in (0, len(cycle) - 1)
    stalled = {"n_iter_no_change": 4, "tol": 0.0, "dropout": 0.0}
    plateau = rates(estimator, "plateau", learning_rate=1e-12, max_epochs=12, **stalled)
    assert plateau[0] == 1e-12
    assert set(np.round(np.diff(np.log2(plateau)), 6)) <= {0.0, -1.0}


@shows("weight_decay")
@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_weight_decay_shrinks_the_weights(estimator, optimizer):
    size = {
        decay: np.abs(weights(fit(estimator, weight_decay=decay, optimizer=optimizer, max_epochs=5))).sum()
        for decay in (0.0, 5.0)
    }
    assert size[5.0] < size[0.0]


@shows("batch_size")
def test_batch_size_sets_the_steps_of_an_epoch(estimator):
    counts = []

    class Count(Callback):
        def on_epoch_begin(self, net, **kwargs):
            counts.append(0)

        def on_grad_computed(self, net, **kwargs):
            counts[-1] += 1

    fit(estimator, batch_size=10, callbacks=[Count()])
    assert counts == [3, 3]  # 24 sequences


@shows("max_epochs")
def test_max_epochs_bounds_the_epochs(estimator):
    assert fit(estimator, max_epochs=3).n_iter_ == 3
    assert len(fit(estimator, max_epochs=3).loss_curve_) == 3


class Norms(Callback):
    """Record the largest norm and the largest entry of the gradients that the optimizer sees."""

    def on_batch_end(self, net, training=False, **kwargs):
        if training:
            parts = [part.grad.ravel() for part in net.module_.parameters() if part.grad is not None]
            gradient = torch.cat(parts)
            net.history.record_batch("norm", float(gradient.norm()))
            net.history.record_batch("entry", float(gradient.abs().max()))

    def on_epoch_end(self, net, **kwargs):
        batches = [row for row in net.history[-1]["batches"] if "norm" in row]
        net.history.record("norm", max(row["norm"] for row in batches))
        net.history.record("entry", max(row["entry"] for row in batches))


@shows("clip_grad_norm", "clip_grad_value")
def test_clipping_bounds_the_gradient(estimator):
    def largest(what, **parameters):
        model = fit(estimator, callbacks=[Norms()], **parameters)
        return max(row[what] for row in model.history_)

    free = {"clip_grad_norm": None, "clip_grad_value": None}
    assert largest("norm", **free) > 0.01
    assert largest("norm", **{**free, "clip_grad_norm": 1e-3}) == pytest.approx(1e-3, rel=1e-2)
    assert largest("entry", **free) > 1e-3
    assert largest("entry", **{**free, "clip_grad_value": 1e-3}) == pytest.approx(1e-3, rel=1e-2)


@shows("tbptt_steps")
@pytest.mark.parametrize("cell_type", ["rnn", "lstm", "gru"])
def test_tbptt_steps_changes_the_fit_where_it_cuts(estimator, cell_type):
    whole = fit(estimator, cell_type=cell_type, dropout=0.0)
    assert differs(fit(estimator, cell_type=cell_type, dropout=0.0, tbptt_steps=2), whole)
    np.testing.assert_array_equal(
        weights(fit(estimator, cell_type=cell_type, dropout=0.0, tbptt_steps=100)), weights(whole)
    )
