"""The softmax over a vocabulary: logits that are not all there, weights that are shared, clusters of rare symbols."""

import copy
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from sklearn_rnn import RNNRegressor
from sklearn_rnn.data.batching import Batch, SequenceDataset
from sklearn_rnn.data.orders import InOrder, Lanes
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.training_set import TrainingSet
from sklearn_rnn.networks.heads import AdaptiveVocabularyHead, VocabularyHeadSpec
from sklearn_rnn.networks.heads.vocabulary import cutoffs
from sklearn_rnn.networks.inputs import InputLayout
from sklearn_rnn.networks.losses import CROSS_ENTROPY, NEXT_SYMBOL, LossSettings, WeightedLoss
from sklearn_rnn.networks.network import build_network
from sklearn_rnn.networks.specs import BackboneSpec, DropoutSpec, InputsSpec, NetworkSpec
from sklearn_rnn.networks.stepping import make_stepper
from sklearn_rnn.training.epoch import run_epoch
from sklearn_rnn.training.inference import evaluation_copy
from sklearn_rnn.training.loop import build_net, resume, train
from sklearn_rnn.training.memory import least_weights

N = 11
KINDS = {
    "full": {},
    "tied": {"tied": True},
    "projected": {"tied": True, "embedding": 3},
    "adaptive": {"softmax": "adaptive", "first_bias": (0, 3, 9, 1, 1, 7, 2, 2, 8, 5, 4)},
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def spec_of(kind, *, dtype=torch.float64, dropout=0.0, tbptt_steps=None, hidden=4):
    head = dict(KINDS[kind])
    layout = InputLayout(embedded=((N, head.pop("embedding", hidden)),))
    return NetworkSpec(
        InputsSpec(1, layout),
        BackboneSpec("gru", (hidden,)),
        VocabularyHeadSpec(N, **head),
        DropoutSpec(dropout=dropout),
        weight_init="torch",
        dtype=dtype,
        tbptt_steps=tbptt_steps,
    )


def batch_of(lengths, seed=0, n_extra=0):
    generator = torch.Generator().manual_seed(seed)
    shape, lengths = (len(lengths), max(lengths) + n_extra), torch.tensor(lengths)
    values, target = (torch.randint(N, shape, generator=generator) for _ in range(2))
    inside = torch.arange(shape[1]) < lengths[:, None]
    weight = torch.rand(shape, generator=generator, dtype=torch.float64) * inside
    return Batch(values, lengths, target, weight * (torch.rand(shape, generator=generator) > 0.2))


def dataset(n=6, length=12, dtype=torch.float64):
    rng = np.random.default_rng(0)
    symbols = rng.integers(N, size=n * length + 1)
    offsets = np.arange(n + 1) * length
    X, y, ones = (Sequences(part, offsets) for part in (symbols[:-1], symbols[1:], np.ones(n * length)))
    return SequenceDataset(TrainingSet(X, y, np.ones(n), ones), "step", dtype=dtype)


def options_of(**parameters):
    settings = {"learning_rate": 0.01, "lr_schedule": None, "max_epochs": 2, "batch_size": 3, **parameters}
    return RNNRegressor(**settings)._training_options(torch.device("cpu"), np.random.RandomState(0), partial=False)


def net_of(kind, **parameters):
    return build_net(
        spec_of(kind, **parameters),
        (NEXT_SYMBOL, LossSettings()),
        options_of(),
        training=dataset(),
        order=Lanes(4, InOrder()),
    )


@every_kind
@settings(deadline=None, max_examples=20)
@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=5),
    st.integers(0, 2),
    st.sampled_from([0.0, 0.3]),
    st.integers(0, 99),
)
def test_loss_without_logits_is_that_of_all_of_them(kind, lengths, n_extra, smoothing, seed):
    network, batch = build_network(spec_of(kind)), batch_of(lengths, seed, n_extra)
    criterion = WeightedLoss(NEXT_SYMBOL, LossSettings(smoothing))
    logits = network(batch.values, batch.lengths)
    wanted = WeightedLoss(CROSS_ENTROPY, LossSettings(smoothing))(logits, batch)
    torch.testing.assert_close(criterion(logits, batch, network.head), wanted)
    with criterion.serving(network.head):
        read = network(batch.values, batch.lengths)
        found = criterion(read, batch, network.head)
    assert read.shape[-1] == (3 if kind == "projected" else 4)
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)
    parameters = list(network.parameters())
    options = {"allow_unused": True, "materialize_grads": True}  # there may be no step to learn from
    gradients = (torch.autograd.grad(loss, parameters, **options) for loss in (found, wanted))
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)
    assert not network.head.unmapped


@every_kind
def test_outputs_are_logits_and_of_an_adaptive_softmax_log_probabilities(kind):
    network, batch = build_network(spec_of(kind)), batch_of([5, 3])
    outputs = network(batch.values, batch.lengths)
    assert outputs.shape == (2, 5, N)
    states = network.hidden_states(batch.values, batch.lengths)
    torch.testing.assert_close(network.head.outputs_of(states), outputs)
    if kind == "adaptive":
        torch.testing.assert_close(outputs.exp().sum(2), torch.ones(2, 5, dtype=torch.float64))
    else:
        weight, bias = network.head.affine()
        torch.testing.assert_close(states @ weight.t() + bias, outputs)


def test_adaptive_is_torchs():
    network, batch = build_network(spec_of("adaptive")), batch_of([6, 4])
    head = network.head
    assert isinstance(head, AdaptiveVocabularyHead)
    by_count = [2, 8, 5, 9, 10, 1, 6, 7, 3, 4, 0]
    assert head.rank[by_count].tolist() == list(range(N))
    theirs = nn.AdaptiveLogSoftmaxWithLoss(4, N, cutoffs(N), div_value=4, head_bias=True).double()
    theirs.load_state_dict(head.adaptive.state_dict())
    states = network.hidden_states(batch.values, batch.lengths)
    kept = batch.weight > 0
    wanted = theirs(states[kept], head.rank[batch.target[kept]]).output
    found = head.outputs_of(states[kept]).gather(1, batch.target[kept, None])[:, 0]
    torch.testing.assert_close(found, wanted)
    found = head.loss(states[kept], batch.target[kept], batch.weight[kept])
    torch.testing.assert_close(found, -torch.dot(wanted, batch.weight[kept]))


@pytest.mark.parametrize("size", [1, 20])
@pytest.mark.parametrize("n", [2, 3, 5, 100, 50_000])
def test_clusters_cover_all_symbols(n, size):
    head = AdaptiveVocabularyHead(size, n)
    assert head.n_outputs == n
    found = head(torch.ones(1, 1, size), torch.ones(1))
    assert found.detach().exp().sum() == pytest.approx(1, abs=1e-4)


def shares(network):
    return network.head.linear.weight is network.inputs.token_embedding.weight


@pytest.mark.parametrize("kind", ["tied", "projected"])
def test_tied_weights_are_one(kind):
    """After they are made, trained, pickled, copied, and when a training goes on."""
    net, data = net_of(kind), dataset()
    assert shares(net.module_)
    names = [name for name, _ in net.module_.named_parameters()]
    assert len(names) == len(list(net.optimizer_.param_groups[0]["params"]))
    assert "head.linear.weight" not in names
    before = net.module_.head.linear.weight.detach().clone()
    run_epoch(net, data)
    assert shares(net.module_)
    assert not torch.equal(net.module_.head.linear.weight, before)
    for other in (pickle.loads(pickle.dumps(net.module_)), copy.deepcopy(net.module_)):
        assert shares(other)
        torch.testing.assert_close(other.head.linear.weight, net.module_.head.linear.weight)
    again = net_of(kind)
    resume(again, net.module_.state_dict(), {"optimizer": "Adam", "state": net.optimizer_.state_dict()["state"]})
    assert shares(again.module_)
    torch.testing.assert_close(again.module_.inputs.token_embedding.weight, net.module_.head.linear.weight)
    run_epoch(again, data)
    assert shares(again.module_)
    double = net.module_.double()
    assert shares(double)


def test_tied_weights_start_as_vectors_do():
    network = build_network(spec_of("tied"))
    wanted = build_network(spec_of("full")).inputs.token_embedding.weight
    torch.testing.assert_close(network.head.linear.weight, wanted)


def test_the_gradient_of_tied_weights_is_that_of_both_uses():
    tied, plain = build_network(spec_of("tied")), build_network(spec_of("full"))
    plain.load_state_dict(tied.state_dict())
    batch, criterion = batch_of([5, 4, 2]), WeightedLoss(NEXT_SYMBOL)
    for network in (tied, plain):
        with criterion.serving(network.head):
            criterion(network(batch.values, batch.lengths), batch, network.head).backward()
    both = plain.inputs.token_embedding.weight.grad + plain.head.linear.weight.grad
    torch.testing.assert_close(tied.head.linear.weight.grad, both)


@every_kind
def test_training_makes_the_loss_small_and_predicts(kind):
    data = dataset()
    options = options_of(max_epochs=30, learning_rate=0.05)
    spec = spec_of(kind, dtype=torch.float32, dropout=0.1, hidden=16)
    data = dataset(dtype=torch.float32)
    net = build_net(spec, (NEXT_SYMBOL, LossSettings()), options, training=data, order=Lanes(4, InOrder()))
    result = train(net, data, options, validated=False, run_epoch=lambda net, work: bool(work()))
    assert result.loss_curve[-1] < 0.7 * result.loss_curve[0]
    network = evaluation_copy(net.module_)
    assert not network.head.unmapped
    batch = data.batch(np.arange(6))
    outputs = network(batch.values, batch.lengths)
    stepper = make_stepper(network, 6)
    for t in range(batch.values.shape[1]):
        stepper.advance(batch.values[:, t].numpy(), np.arange(6))
        torch.testing.assert_close(stepper.outputs, outputs[:, t].double().numpy(), rtol=1e-4, atol=1e-5)


@every_kind
def test_truncated_back_propagation_has_no_logits_either(kind):
    """Cuts in the gradient give what pieces with a state that is carried give."""
    batch, criterion = batch_of([8, 8]), WeightedLoss(NEXT_SYMBOL)
    pair = [net_of(kind, tbptt_steps=steps) for steps in (4, None)]
    losses = [net.train_step_single(batch)["loss"] for net in pair]
    torch.testing.assert_close(*losses)
    network = build_network(spec_of(kind))
    state = None
    for start in (0, 4):
        steps = slice(start, start + 4)
        piece = Batch(batch.values[:, steps], torch.tensor([4, 4]), batch.target[:, steps], batch.weight[:, steps])
        with criterion.serving(network.head):
            hidden, state = network.advance(piece.values, piece.lengths, state)
            criterion(network.head(hidden, piece.lengths), piece, network.head).backward()
        state = state.detached()
    for ours, theirs in zip(pair[0].module_.parameters(), network.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-8, atol=1e-10)


def test_ranks_stay_with_the_weights():
    net, again = net_of("adaptive"), net_of("adaptive")
    again.module_.head.rank.copy_(torch.arange(N))
    resume(again, net.module_.state_dict(), None)
    assert torch.equal(again.module_.head.rank, net.module_.head.rank)


def test_what_cannot_be_tied():
    spec = spec_of("tied")
    alone = NetworkSpec(InputsSpec(2), spec.backbone, spec.head)
    with pytest.raises(ValueError, match="set tie_weights=False"):
        build_network(alone)
    with pytest.raises(ValueError, match="adaptive softmax"):
        build_network(NetworkSpec(spec.inputs, spec.backbone, VocabularyHeadSpec(N, softmax="adaptive", tied=True)))


@every_kind
def test_memory_of_weights_is_foreseen(kind):
    spec = spec_of(kind)
    n_weights = sum(weight.numel() for weight in build_network(spec).parameters() if weight.ndim > 1)
    assert 0.7 * n_weights <= least_weights(spec) <= n_weights
