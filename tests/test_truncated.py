"""Truncation in chunks: loss and gradients are those of truncated back-propagation written out in torch, in float64."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import MIXED, TOKENS, make_network, random_values
from skorch.callbacks import Callback

from sklearn_rnn import RNNClassifier, RNNRegressor, RNNSequenceTagger
from sklearn_rnn.data.batching import Batch
from sklearn_rnn.networks.dropout import set_generator
from sklearn_rnn.networks.engines import Engine, kernels_installed, using_engine
from sklearn_rnn.networks.heads import ChainHead, PooledHead
from sklearn_rnn.networks.layer import RecurrentLayer
from sklearn_rnn.networks.losses import CHAIN, SQUARED_ERROR, WeightedLoss
from sklearn_rnn.networks.packing import Packing
from sklearn_rnn.networks.recurrent import RecurrentStack
from sklearn_rnn.networks.truncated import TruncatedPass

ENGINES = ["torch", "fused"] if kernels_installed() else ["torch"]
N_LABELS = 2
networks = st.fixed_dictionaries(
    {
        "cell_type": st.sampled_from(["rnn", "lstm", "gru", "mgu"]),
        "nonlinearity": st.sampled_from(["tanh", "relu"]),
        "bidirectional": st.booleans(),
        "hidden_sizes": st.sampled_from([[3], [2, 3], [3, 3, 3]]),
        "residual": st.booleans(),
        "layer_norm": st.booleans(),
        "layout": st.sampled_from([None, TOKENS, MIXED]),
        "char_encoder": st.sampled_from(["cnn", "lstm"]),
        "tbptt_steps": st.integers(1, 4),
        "seed": st.integers(0, 2**16),
    }
)
POOLINGS = ("last", "mean", "max", "concat", "attention", None)
heads = st.sampled_from([{"pooling": pooling} for pooling in POOLINGS] + [{"chain": "crf"}])
ragged = st.lists(st.integers(1, 9), min_size=1, max_size=4)


def loss_and_batch(network, lengths, n_extra=0, seed=0):
    """The loss that goes with the head of `network`, and a random batch for it."""
    generator = torch.Generator().manual_seed(seed)
    n, n_steps = len(lengths), max(lengths) + n_extra
    values = random_values(network, lengths, seed, n_extra)
    inside = torch.arange(n_steps) < torch.tensor(lengths)[:, None]
    if isinstance(network.head, ChainHead):
        target = torch.randint(N_LABELS, (n, n_steps), generator=generator)
        weight = torch.rand(n, 1, generator=generator, dtype=torch.float64) * inside
        return WeightedLoss(CHAIN), Batch(values, torch.tensor(lengths), target, weight)
    shape = (n,) if isinstance(network.head, PooledHead) else (n, n_steps)
    target = torch.randn(*shape, N_LABELS, generator=generator, dtype=torch.float64)
    weight = torch.rand(shape, generator=generator, dtype=torch.float64)
    weight = weight if len(shape) == 1 else weight * inside
    return WeightedLoss(SQUARED_ERROR), Batch(values, torch.tensor(lengths), target, weight)


def cut_states(stack, x, size):
    """The states (n_steps, 1, units) of one sequence `x` (n_steps, 1, features), cut off after each `size` steps."""
    for k, layer in enumerate(stack.layers):
        directions = []
        for backward, weights in enumerate(layer.directions):
            pieces, state, hidden = x.split(size), None, []
            for piece in reversed(pieces) if backward else pieces:
                states, state = weights(piece.flip(0) if backward else piece, state)
                state = tuple(part.detach() for part in state) if isinstance(state, tuple) else state.detach()
                hidden.append(states.flip(0) if backward else states)
            directions.append(torch.cat(hidden[::-1] if backward else hidden))
        hidden = torch.cat(directions, 2)
        hidden = hidden + stack.skips[k](x) if len(stack.skips) else hidden
        x = stack.norms[k](hidden) if len(stack.norms) else hidden
    return x


def written_out(network, criterion, batch):
    """Loss and gradients, each sequence run alone."""
    network, outputs = copy.deepcopy(network), []
    for row, length in zip(batch.values, batch.lengths, strict=True):
        x = row[None, :length] if network.inputs is None else network.inputs(row[None, :length])
        states = cut_states(network.backbone, x.transpose(0, 1), network.backbone.tbptt_steps).transpose(0, 1)
        found = network.head(states, length[None])[0]
        if not isinstance(network.head, PooledHead):
            found = torch.cat([found, found.new_zeros(batch.values.shape[1] - int(length), N_LABELS)])
        outputs.append(found)
    loss = criterion(torch.stack(outputs), batch, network.head)
    loss.backward()
    return loss.detach(), [parameter.grad for parameter in network.parameters()]


def in_chunks(network, criterion, batch, engine="torch", seed=5):
    network = copy.deepcopy(network)
    set_generator(network, torch.Generator().manual_seed(seed))
    with using_engine(Engine(engine)):
        loss, outputs = TruncatedPass(network, criterion)(batch)
    assert not loss.requires_grad
    assert not outputs.requires_grad
    return loss, [parameter.grad for parameter in network.parameters()]


def assert_equal(found, wanted, **tolerances):
    torch.testing.assert_close(found[0], wanted[0], **tolerances)
    for ours, theirs in zip(found[1], wanted[1], strict=True):
        none = torch.zeros(())
        ours, theirs = none if ours is None else ours, none if theirs is None else theirs
        torch.testing.assert_close(*torch.broadcast_tensors(ours, theirs), **tolerances, check_dtype=False)


@settings(deadline=None, max_examples=60)
@given(networks, heads, ragged, st.integers(0, 2), st.sampled_from(ENGINES))
def test_loss_and_gradients_are_those_of_truncation_written_out(parameters, head, lengths, n_extra, engine):
    network = make_network(**parameters, **{"pooling": None, **head}, n_outputs=N_LABELS)
    case = (network, *loss_and_batch(network, lengths, n_extra, parameters["seed"]))
    assert_equal(in_chunks(*case, engine=engine), written_out(*case), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("pooling", "tied_dropout", "bidirectional"),
    [("max", False, True), ("attention", True, False), ("last", True, True), (None, True, True), (None, False, False)],
)
def test_dropout_is_the_same_in_both_passes(engine, pooling, tied_dropout, bidirectional):
    """Where the recurrent weights are 0 no gradient is lost at a cut: it is that of finite differences."""
    drops = {"dropout": 0.4, "recurrent_dropout": 0.3, "weight_dropout": 0.2, "embedding_dropout": 0.3}
    network = make_network(
        cell_type="rnn",
        hidden_sizes=[3, 2],
        layout=TOKENS,
        pooling=pooling,
        tbptt_steps=2,
        tied_dropout=tied_dropout,
        bidirectional=bidirectional,
        n_outputs=N_LABELS,
        **drops,
    )
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "weight_hh" in name:
                parameter.zero_()
    case = loss_and_batch(network, [5, 3])
    loss, gradients = in_chunks(network, *case, engine=engine)
    assert not torch.equal(loss, in_chunks(copy.deepcopy(network).eval(), *case, engine=engine)[0])
    for parameter, gradient in zip(network.parameters(), gradients, strict=True):
        place = tuple(size - 1 for size in parameter.shape)
        sides = []
        for step in (1e-6, -1e-6):
            parameter.data[place] += step
            sides.append(in_chunks(network, *case, engine=engine)[0])
            parameter.data[place] -= step
        torch.testing.assert_close(gradient[place], (sides[0] - sides[1]) / 2e-6, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("engine", ENGINES)
def test_equal_greatest_states_share_the_gradient_over_chunks(engine):
    network = make_network(pooling="max", cell_type="rnn", nonlinearity="relu", tbptt_steps=3, n_outputs=N_LABELS)
    with torch.no_grad():
        for name, parameter in network.backbone.named_parameters():
            parameter.copy_(torch.full_like(parameter, 0.0 if "weight_hh" in name else 0.5))
    criterion, batch = loss_and_batch(network, [8])
    batch.values = torch.ones(1, 8, 2, dtype=torch.float64)  # the same state eight times
    case = (network, criterion, batch)
    assert_equal(in_chunks(*case, engine=engine), written_out(*case), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("pooling", ["mean", None])
def test_no_more_than_a_chunk_is_computed_at_once(monkeypatch, pooling, bidirectional):
    network = make_network(pooling=pooling, tbptt_steps=4, bidirectional=bidirectional, hidden_sizes=[3, 3])
    sizes, between = [], RecurrentStack.between

    def watched(self, x, *rest, **options):
        sizes.append(len(x))
        return between(self, x, *rest, **options)

    monkeypatch.setattr(RecurrentStack, "between", watched)
    in_chunks(network, *loss_and_batch(network, [10, 7]))
    assert set(sizes) == {4, 2}


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("hidden_sizes", [[3], [3, 3, 3]])
@pytest.mark.parametrize("head", [{"pooling": "last"}, {"pooling": None}, {"pooling": None, "chain": "crf"}], ids=str)
def test_work_grows_as_the_length_does(monkeypatch, head, hidden_sizes, bidirectional):
    """Ten times as many steps are ten times as many steps of layers, of all directions, in both passes."""
    network = make_network(**head, tbptt_steps=4, bidirectional=bidirectional, hidden_sizes=hidden_sizes, n_outputs=2)
    counted, advance = [], RecurrentLayer.advance

    def watched(self, x, lengths, *rest):
        counted.append(int(lengths.n_rows if isinstance(lengths, Packing) else lengths.sum()))
        return advance(self, x, lengths, *rest)

    monkeypatch.setattr(RecurrentLayer, "advance", watched)
    totals = []
    for n_steps in (40, 400):
        in_chunks(network, *loss_and_batch(network, [n_steps]))
        totals.append(sum(counted))
        counted.clear()
    depth = len(hidden_sizes)
    sweeps = depth * (depth + 1) if bidirectional else 0  # a layer needs those below, in each direction
    assert totals == [40 * (2 * depth + sweeps), 400 * (2 * depth + sweeps)]


def test_gradients_are_added_to_those_that_are_there_and_generators_put_back():
    network = make_network(tbptt_steps=2, dropout=0.1)
    generator = torch.Generator().manual_seed(0)
    set_generator(network, generator)
    criterion, batch = loss_and_batch(network, [5, 3])
    network.eval()
    for _ in range(2):
        TruncatedPass(network, criterion)(batch)
    once = in_chunks(make_network(tbptt_steps=2), criterion, batch)
    for parameter, gradient in zip(network.parameters(), once[1], strict=True):
        torch.testing.assert_close(parameter.grad, 2 * gradient)
    assert network.backbone.dropout.generator is generator
    assert network.head.dropout.generator is generator
    assert network.backbone.layers[0].held is None


def test_frozen_parts_get_no_gradient():
    network = make_network(tbptt_steps=2)
    network.backbone.requires_grad_(False)
    _, gradients = in_chunks(network, *loss_and_batch(network, [5, 3]))
    given = dict(zip([name for name, _ in network.named_parameters()], gradients, strict=True))
    assert {name for name, gradient in given.items() if gradient is not None} == {
        "head.linear.weight",
        "head.linear.bias",
    }


def test_only_longer_batches_are_cut():
    assert TruncatedPass.serves(make_network(tbptt_steps=3), torch.tensor([2, 4]))
    assert not TruncatedPass.serves(make_network(tbptt_steps=3), torch.tensor([2, 3]))
    assert not TruncatedPass.serves(make_network(), torch.tensor([2, 4]))


class LooksAtBatches(Callback):
    """Makes skorch's own loop train."""

    def on_batch_end(self, net, **kwargs):
        pass


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("estimator", [RNNClassifier, RNNRegressor, RNNSequenceTagger])
def test_estimators_learn_the_same_with_all_engines_and_loops(estimator, bidirectional):
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(n, 3)) for n in rng.integers(1, 12, 30)]
    y = np.array([x.sum() > 0 for x in X]).astype(int)
    if estimator is RNNSequenceTagger:
        y = [["ab"[int(step[0] > 0)] for step in x] for x in X]
    fixed = {"hidden_size": 6, "tbptt_steps": 4, "max_epochs": 2, "random_state": 0, "dtype": "float64", "dropout": 0.0}
    models = [
        estimator(bidirectional=bidirectional, engine=engine, callbacks=callbacks, **fixed).fit(X, y)
        for engine, callbacks in ((ENGINES[-1], None), ("torch", None), (ENGINES[-1], [LooksAtBatches()]))
    ]
    whole = estimator(bidirectional=bidirectional, **{**fixed, "tbptt_steps": None}).fit(X, y)
    for model in models[1:]:
        np.testing.assert_allclose(model.loss_curve_, models[0].loss_curve_, rtol=1e-8)
    assert abs(whole.loss_curve_[-1] - models[0].loss_curve_[-1]) > 1e-6


@pytest.mark.parametrize("cell_type", ["gru", "lstm", "mgu"])
def test_in_bfloat16_too(cell_type):
    X, y = np.random.default_rng(0).normal(size=(12, 9, 2)).astype(np.float32), np.arange(12) % 2
    fixed = {"cell_type": cell_type, "hidden_size": 4, "tbptt_steps": 4, "max_epochs": 2, "random_state": 0}
    half = RNNClassifier(dtype="bfloat16", **fixed).fit(X, y)
    full = RNNClassifier(**fixed).fit(X, y)
    np.testing.assert_allclose(half.loss_curve_, full.loss_curve_, rtol=0.02)
    assert half.loss_curve_ != full.loss_curve_
