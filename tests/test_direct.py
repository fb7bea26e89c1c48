"""The pass without autograd: loss and gradients are those of the modules and of autograd."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import MIXED, TOKENS, make_network, random_values
from skorch.callbacks import Callback

pytest.importorskip("numba")

from sklearn_rnn import RNNClassifier, RNNRegressor
from sklearn_rnn.data.batching import Batch
from sklearn_rnn.networks.direct import DirectPass
from sklearn_rnn.networks.dropout import set_generator
from sklearn_rnn.networks.engines import Engine, using_engine
from sklearn_rnn.networks.losses import (
    BINARY_CROSS_ENTROPY,
    CHAIN,
    CROSS_ENTROPY,
    SQUARED_ERROR,
    LossSettings,
    WeightedLoss,
)

POOLINGS = ("last", "mean", "max", "concat")
LOSSES = {loss.name: loss for loss in (CROSS_ENTROPY, BINARY_CROSS_ENTROPY, SQUARED_ERROR)}
networks = st.fixed_dictionaries(
    {
        "cell_type": st.sampled_from(["rnn", "lstm", "gru"]),
        "nonlinearity": st.sampled_from(["tanh", "relu"]),
        "bidirectional": st.booleans(),
        "hidden_sizes": st.sampled_from([(1,), (3,), (2, 3)]),
        "pooling": st.sampled_from(POOLINGS),
        "layout": st.sampled_from([None, TOKENS, MIXED]),
        "char_encoder": st.sampled_from(["cnn", "lstm"]),
        "seed": st.integers(0, 2**16),
    }
)
losses = st.fixed_dictionaries(
    {"name": st.sampled_from(sorted(LOSSES)), "label_smoothing": st.sampled_from([0.0, 0.2])}
)
ragged = st.lists(st.integers(1, 7), min_size=1, max_size=5)


def criterion_of(name, **options):
    return WeightedLoss(LOSSES[name], LossSettings(**options))


def random_batch(loss, values, lengths, seed, n_outputs=2):
    """A batch of `values` with targets that the loss of that name takes."""
    n, lengths = len(lengths), torch.as_tensor(lengths)
    generator = torch.Generator().manual_seed(seed)
    target = {
        "cross_entropy": torch.randint(n_outputs, (n,), generator=generator),
        "binary_cross_entropy": torch.randint(2, (n, n_outputs), generator=generator).double(),
        "squared_error": torch.randn(n, n_outputs, generator=generator, dtype=torch.float64),
    }
    return Batch(values, lengths, target[loss], torch.rand(n, generator=generator, dtype=torch.float64))


def by_autograd(network, criterion, batch, engine="torch"):
    """Loss and gradients, and what dropout drew counts from the same seed."""
    network = copy.deepcopy(network)
    set_generator(network, torch.Generator().manual_seed(5))
    with using_engine(Engine(engine)):
        loss = criterion(network(batch.values, batch.lengths), batch)
        loss.backward()
    return loss.detach(), [parameter.grad for parameter in network.parameters()]


def directly(network, criterion, batch, n_threads=1):
    network = copy.deepcopy(network)
    set_generator(network, torch.Generator().manual_seed(5))
    with using_engine(Engine("fused", n_threads)):
        assert DirectPass.serves(network, criterion)
        loss, outputs = DirectPass(network, criterion)(batch)
    assert not loss.requires_grad
    assert not outputs.requires_grad
    return loss, [parameter.grad for parameter in network.parameters()]


def assert_equal(found, wanted, **tolerances):
    torch.testing.assert_close(found[0], wanted[0], **tolerances)
    assert len(found[1]) == len(wanted[1])
    for ours, theirs in zip(found[1], wanted[1], strict=True):
        torch.testing.assert_close(ours, theirs, **tolerances)


@settings(deadline=None, max_examples=60)
@given(networks, losses, ragged, st.integers(0, 3))
def test_loss_and_gradients_are_those_of_torch(parameters, loss, lengths, n_extra):
    network = make_network(**parameters)
    values = random_values(network, lengths, parameters["seed"], n_extra)
    case = (network, criterion_of(**loss), random_batch(loss["name"], values, lengths, parameters["seed"]))
    assert_equal(directly(*case), by_autograd(*case), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("layout", [None, TOKENS], ids=["numbers", "tokens"])
@pytest.mark.parametrize("tied_dropout", [False, True])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_dropout_draws_what_it_draws_with_autograd(layout, tied_dropout, bidirectional):
    drops = {"dropout": 0.4, "recurrent_dropout": 0.3, "embedding_dropout": 0.2, "tied_dropout": tied_dropout}
    network = make_network(hidden_sizes=(4, 3), layout=layout, bidirectional=bidirectional, **drops)
    batch = random_batch("squared_error", random_values(network, [5, 2, 4, 4], 0), [5, 2, 4, 4], 0)
    case = (network, WeightedLoss(SQUARED_ERROR), batch)
    found, wanted = directly(*case), by_autograd(*case, engine="fused")
    assert_equal(found, wanted, rtol=1e-9, atol=1e-12)
    network.eval()
    assert not torch.equal(by_autograd(*case)[0], found[0])  # something was dropped


@pytest.mark.parametrize("layout", [TOKENS, MIXED], ids=["tokens", "mixed"])
@pytest.mark.parametrize("loss", LOSSES)
def test_ngrams_learn_what_they_learn_with_autograd(loss, layout):
    drops = {"dropout": 0.4, "embedding_dropout": 0.2, "word_dropout": 0.1}
    network = make_network(layout=layout, bidirectional=True, ngrams=2, **drops)
    with torch.no_grad():
        network.ngrams.weight.normal_(generator=torch.Generator().manual_seed(0))
    batch = random_batch(loss, random_values(network, [5, 2, 4, 1], 0), [5, 2, 4, 1], 0)
    case = (network, criterion_of(loss), batch)
    found = directly(*case)
    assert_equal(found, by_autograd(*case, engine="fused"), rtol=1e-9, atol=1e-12)
    assert (found[1][-1] != 0).any()


@pytest.mark.parametrize("loss", LOSSES)
def test_float32_is_as_near_to_float64_as_autograd_is(loss):
    network = make_network(hidden_sizes=(8,), cell_type="lstm", dtype=torch.float32)
    wide = random_batch(loss, random_values(network, [6, 3, 1], 0).float().double(), [6, 3, 1], 0)
    target = wide.target.float() if wide.target.is_floating_point() else wide.target
    narrow = Batch(wide.values.float(), wide.lengths, target, wide.weight.float())
    found = directly(network, criterion_of(loss), narrow)
    wanted = by_autograd(network.double(), criterion_of(loss), wide)
    assert found[0].dtype == torch.float32
    assert_equal((found[0].double(), [g.double() for g in found[1]]), wanted, rtol=1e-4, atol=1e-6)


def test_equal_greatest_states_share_the_gradient():
    network = make_network(pooling="max", cell_type="rnn", nonlinearity="relu")
    with torch.no_grad():
        for name, parameter in network.backbone.named_parameters():
            parameter.copy_(torch.full_like(parameter, 0.0 if "weight_hh" in name else 0.5))
    values = torch.ones(1, 4, 2, dtype=torch.float64)  # the same state four times
    case = (network, WeightedLoss(SQUARED_ERROR), random_batch("squared_error", values, [4], 0))
    assert_equal(directly(*case), by_autograd(*case))


def test_one_and_two_threads_give_the_same_bits():
    network = make_network(hidden_sizes=(48,), bidirectional=True)
    batch = random_batch("squared_error", random_values(network, [40] * 200, 0), [40] * 200, 0)
    case = (network, WeightedLoss(SQUARED_ERROR), batch)
    one, two = directly(*case), directly(*case, n_threads=2)
    assert torch.equal(one[0], two[0])
    assert all(torch.equal(a, b) for a, b in zip(one[1], two[1], strict=True))


def test_gradients_are_added_to_those_that_are_there():
    network, criterion = make_network(), WeightedLoss(SQUARED_ERROR)
    batch = random_batch("squared_error", random_values(network, [3, 2], 0), [3, 2], 0)
    with using_engine(Engine("fused")):
        for _ in range(2):
            DirectPass(network, criterion)(batch)
    _, once = by_autograd(make_network(), criterion, batch)
    for parameter, gradient in zip(network.parameters(), once, strict=True):
        torch.testing.assert_close(parameter.grad, 2 * gradient)


SERVED = {"pooling": "mean"}
NOT_SERVED = [
    {"pooling": "attention"},
    {"pooling": None},
    {"pooling": None, "chain": "crf"},
    {"residual": True},
    {"layer_norm": True},
    {"weight_dropout": 0.2},
    {"cell_type": "lstm", "proj_size": 2},
]


@pytest.mark.parametrize("parameters", NOT_SERVED, ids=str)
def test_what_lies_between_is_left_to_the_modules(parameters):
    criterion = WeightedLoss(SQUARED_ERROR)
    with using_engine(Engine("fused")):
        assert DirectPass.serves(make_network(**SERVED), criterion)
        assert not DirectPass.serves(make_network(**{**SERVED, **parameters}), criterion)


def test_engine_hooks_and_frozen_weights_are_respected():
    criterion = WeightedLoss(SQUARED_ERROR)
    watched, frozen, held, replaced = (make_network() for _ in range(4))
    watched.head.linear.register_forward_hook(lambda *parts: None)
    frozen.head.linear.bias.requires_grad_(False)
    held.head.linear.bias.register_hook(lambda gradient: gradient)
    replaced.forward = lambda values, lengths: None
    with using_engine(Engine("fused")):
        assert DirectPass.serves(make_network(), criterion)
        assert not any(DirectPass.serves(network, criterion) for network in (watched, frozen, held, replaced))
        of_sets = criterion_of("cross_entropy", label_sets=torch.ones(1, 2, dtype=torch.bool))
        without_kernel = [of_sets, criterion_of("squared_error", gaps=True), WeightedLoss(CHAIN)]
        assert not any(DirectPass.serves(make_network(), other) for other in without_kernel)
    with using_engine(Engine("torch")):
        assert not DirectPass.serves(make_network(), criterion)


class Hook(Callback):
    """Looks at the states of the first batch, as a user's callback may."""

    def on_train_begin(self, net, **kwargs):
        self.calls = 0
        net.module_.backbone.register_forward_hook(self.count)

    def count(self, *parts):
        self.calls += 1


@pytest.mark.parametrize(("estimator", "pooling"), [(RNNClassifier, "max"), (RNNRegressor, "concat")])
def test_estimators_learn_the_same_with_and_without_autograd(estimator, pooling, monkeypatch):
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(n, 3)) for n in rng.integers(1, 9, 60)]
    y = np.array([x.sum() > 0 for x in X]).astype(int)
    settings = {"hidden_size": 6, "pooling": pooling, "max_epochs": 3, "random_state": 0, "dtype": "float64"}
    settings |= {"conv_branch": False, "dropout": 0.0, "batch_size": 32}
    calls = []
    call = DirectPass.__call__
    monkeypatch.setattr(DirectPass, "__call__", lambda *parts: calls.append(1) or call(*parts))
    model = estimator(**settings, engine="fused").fit(X, y)
    assert len(calls) == model.n_iter_ * -(-len(X) // 32)
    other = estimator(**settings, engine="torch").fit(X, y)
    assert len(calls) == model.n_iter_ * -(-len(X) // 32)
    np.testing.assert_allclose(model.loss_curve_, other.loss_curve_, rtol=1e-9)
    np.testing.assert_allclose(model.predict(X), other.predict(X), rtol=1e-7)


def test_a_callback_that_hooks_into_the_network_sees_its_states():
    X, y = np.random.default_rng(0).normal(size=(20, 4, 2)), np.arange(20) % 2
    model = RNNClassifier(hidden_size=4, max_epochs=1, engine="fused", callbacks=[Hook()]).fit(X, y)
    (hook,) = (callback for _, callback in model.net_.callbacks_ if isinstance(callback, Hook))
    assert hook.calls > 0
