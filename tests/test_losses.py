"""Weighted losses against torch's, and against their definition."""

import numpy as np
import pytest
import torch
from chain_oracle import head_with
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from test_label_chain import path_scores
from torch.nn import functional as F

from sklearn_rnn.data.batching import Batch
from sklearn_rnn.networks import number_losses
from sklearn_rnn.networks.heads import StepHead
from sklearn_rnn.networks.losses import (
    BINARY_CROSS_ENTROPY,
    CHAIN,
    CROSS_ENTROPY,
    SQUARED_ERROR,
    LossSettings,
    WeightedLoss,
    loss_of_numbers,
)

SMOOTHING = [0.0, 0.2]
LOSSES = {loss.name: loss for loss in (CROSS_ENTROPY, BINARY_CROSS_ENTROPY, SQUARED_ERROR, CHAIN)}


def loss_of(name, **options):
    """The weighted loss of that name, with these settings."""
    return WeightedLoss(LOSSES[name], LossSettings(**options))


def batch_of(target, weight, lengths=None):
    """A batch that says nothing about its inputs."""
    n_steps = weight.shape[1] if weight.ndim > 1 else 1
    lengths = torch.full(weight.shape[:1], n_steps) if lengths is None else lengths
    return Batch(torch.empty(*weight.shape[:1], n_steps, 0), lengths, target, weight)


def rows_of(batch, rows):
    """The sequences at `rows`."""
    return batch_of(batch.target[rows], batch.weight[rows], batch.lengths[rows])


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def ones(*shape):
    return torch.ones(*shape, dtype=torch.float64)


@pytest.mark.parametrize("label_smoothing", SMOOTHING)
def test_cross_entropy_with_weights_of_1_is_torchs(label_smoothing):
    logits, target = normal(6, 3), torch.tensor([0, 1, 2, 2, 1, 0])
    loss = loss_of("cross_entropy", label_smoothing=label_smoothing)(logits, batch_of(target, ones(6)))
    torch.testing.assert_close(loss, F.cross_entropy(logits, target, label_smoothing=label_smoothing))


@pytest.mark.parametrize("label_smoothing", SMOOTHING)
def test_binary_cross_entropy_is_the_cross_entropy_of_two_classes(label_smoothing):
    logits, target = normal(6, 1), torch.tensor([[0.0], [1.0], [1.0], [0.0], [1.0], [0.0]])
    loss = loss_of("binary_cross_entropy", label_smoothing=label_smoothing)
    two = F.cross_entropy(
        torch.hstack([torch.zeros_like(logits), logits]), target[:, 0].long(), label_smoothing=label_smoothing
    )
    torch.testing.assert_close(loss(logits, batch_of(target, ones(6))), two)


def test_multilabel_loss_is_the_mean_over_labels():
    logits, target = normal(4, 3), (normal(4, 3, seed=1) > 0).double()
    loss = loss_of("binary_cross_entropy")(logits, batch_of(target, ones(4)))
    torch.testing.assert_close(loss, F.binary_cross_entropy_with_logits(logits, target))


def test_squared_error_is_torchs():
    outputs, target = normal(4, 2), normal(4, 2, seed=1)
    loss = loss_of("squared_error")(outputs, batch_of(target, ones(4)))
    torch.testing.assert_close(loss, F.mse_loss(outputs, target))


def outputs_and_targets(name, n=5):
    """Outputs (n, 3) and the targets that the loss takes."""
    outputs = normal(n, 3)
    if name == "cross_entropy":
        return outputs, torch.arange(n) % 3
    target = normal(n, 3, seed=1)
    return outputs, target if name == "squared_error" else (target > 0).double()


every_loss = pytest.mark.parametrize("name", ["cross_entropy", "binary_cross_entropy", "squared_error"])


@every_loss
def test_weight_2_is_a_repeated_sequence_and_weight_0_an_absent_one(name):
    loss = loss_of(name)
    outputs, target = outputs_and_targets(name)
    weighted = loss(outputs, batch_of(target, torch.tensor([2.0, 1, 0, 1, 1], dtype=torch.float64)))
    rows = torch.tensor([0, 0, 1, 3, 4])
    repeated = loss(outputs[rows], batch_of(target[rows], ones(5)))
    torch.testing.assert_close(weighted, repeated)


@every_loss
def test_mean_over_batches_is_the_weighted_mean_loss_however_they_are_cut(name):
    loss = loss_of(name)
    outputs, target = outputs_and_targets(name, n=7)
    weight = torch.tensor([0.5, 2, 1, 0.1, 3, 0.2, 0.2], dtype=torch.float64)
    weight = weight / weight.mean()
    whole = loss(outputs, batch_of(target, weight))
    parts = [slice(0, 3), slice(3, 4), slice(4, 7)]
    pieces = [loss(outputs[s], batch_of(target[s], weight[s])) * len(outputs[s]) for s in parts]
    torch.testing.assert_close(sum(pieces) / 7, whole)


def test_steps_of_weight_0_do_not_count():
    logits, target = normal(2, 3, 4), torch.tensor([[0, 1, 0], [3, 2, 1]])
    weight = torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]], dtype=torch.float64)
    loss = loss_of("cross_entropy")(logits, batch_of(target, weight))
    expected = F.cross_entropy(logits[weight > 0], target[weight > 0], reduction="sum") / 2
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize("name", ["binary_cross_entropy", "squared_error"])
@pytest.mark.parametrize(("outputs", "target"), [((4, 1), (4,)), ((4,), (4, 1)), ((4, 1), (4, 2)), ((4, 2), (1, 2))])
def test_no_shape_is_broadcast(name, outputs, target):
    with pytest.raises(ValueError, match=r"against targets of shape|for weights of"):
        loss_of(name)(normal(*outputs), batch_of(ones(*target), ones(4)))


@pytest.mark.parametrize("shape", [(4, 1), (1,), (3,)])
def test_no_weight_is_broadcast(shape):
    outputs, target = normal(4, 2), normal(4, 2)
    with pytest.raises(ValueError, match="for weights of"):
        loss_of("squared_error")(outputs, batch_of(target, ones(*shape)))


def test_classes_of_a_step_are_moved_with_the_loss_and_not_saved():
    loss = loss_of("chain", label_sets=torch.eye(3, dtype=torch.bool))
    assert loss.to("meta").label_sets.device.type == "meta"
    assert not loss.state_dict()


def sets_with(*unions, n_classes=3):
    """Which classes a code stands for: each class itself, then the `unions`."""
    rows = torch.eye(n_classes, dtype=torch.bool)
    return torch.cat([rows, *(rows[list(union)].any(0)[None] for union in unions)])


SETS = sets_with((0, 1, 2), (0, 2))


@pytest.mark.parametrize("label_smoothing", SMOOTHING)
def test_cross_entropy_of_sets_is_that_of_their_summed_probability(label_smoothing):
    logits, target = normal(2, 3, 3), torch.tensor([[0, 4, 3], [2, 4, 1]])
    weight = torch.tensor([[1.0, 0.5, 0.0], [2.0, 1.0, 1.0]], dtype=torch.float64)
    loss = loss_of("cross_entropy", label_smoothing=label_smoothing, label_sets=SETS)
    expected = 0.0
    for b in range(2):
        for t in range(3):
            p = logits[b, t].softmax(0)
            exact = -torch.log(p[SETS[target[b, t]]].sum())
            expected += weight[b, t] * ((1 - label_smoothing) * exact - label_smoothing * torch.log(p).mean())
    torch.testing.assert_close(loss(logits, batch_of(target, weight)), expected / 2)


@pytest.mark.parametrize("label_smoothing", SMOOTHING)
@pytest.mark.parametrize("name", ["cross_entropy", "chain"])
def test_sets_of_one_class_are_classes(name, label_smoothing):
    logits, target = normal(2, 3, 3), torch.tensor([[0, 1, 0], [2, 2, 1]])
    batch = batch_of(target, ones(2, 3), torch.tensor([3, 2]))
    head = head_with(normal(5, 3, seed=1))
    exact, sets = (
        loss_of(name, label_smoothing=label_smoothing, label_sets=s)(logits, batch, head) for s in (None, SETS)
    )
    torch.testing.assert_close(sets, exact)


def log_probability(emissions, chain, observed):
    """That of the label sequences with one of the labels `observed` (n_steps, n_labels) at each step."""
    paths, scores = path_scores(emissions, chain)
    kept = [all(observed[t, label] for t, label in enumerate(path)) for path in paths]
    return logsumexp(scores[kept]) - logsumexp(scores) if any(kept) else -np.inf


def random_chain(rng, n_labels, *, constrained=False):
    """Scores (n_labels + 2, n_labels), some of them -inf; label 0 may always come first, last and after itself."""
    chain = rng.normal(size=(n_labels + 2, n_labels))
    if constrained:
        forbidden = rng.random(chain.shape) < 0.3
        forbidden[[0, n_labels, n_labels + 1], 0] = False
        chain[forbidden] = -np.inf
    return chain


def codes_of_a_path(rng, chain, sets, length):
    """Codes (length,) that stand for the labels of some possible path, and maybe for others too."""
    paths, scores = path_scores(np.zeros((length, chain.shape[1])), chain)
    path = paths[rng.choice(np.flatnonzero(np.isfinite(scores)))]
    return [int(rng.choice(np.flatnonzero(sets[:, label]))) for label in path]


def chain_batch(seed, lengths, *, sets, constrained, uneven):
    """Emissions, chain and targets of a batch, with garbage on the padding but for the weights, which are 0 there."""
    rng = np.random.default_rng(seed)
    n_classes = sets.shape[1]
    chain = random_chain(rng, n_classes, constrained=constrained)
    emissions = rng.normal(size=(len(lengths), max(lengths), n_classes))
    target = rng.integers(len(sets), size=emissions.shape[:2])
    weight = np.zeros(emissions.shape[:2])
    for i, length in enumerate(lengths):
        target[i, :length] = codes_of_a_path(rng, chain, sets, length)
        weight[i, :length] = rng.uniform(0.5, 2, size=length if uneven else 1)
    batch = batch_of(torch.from_numpy(target), torch.from_numpy(weight), torch.tensor(lengths))
    return torch.from_numpy(emissions), torch.from_numpy(chain), batch


def expected_chain_loss(emissions, chain, batch, sets, smoothing, *, uneven):
    """The loss of a batch from the probabilities of all paths."""
    emissions, chain, sets = emissions.numpy(), chain.numpy(), np.asarray(sets)
    total = 0.0
    parts = (part.numpy() for part in (batch.target, batch.weight, batch.lengths))
    for e, target, weight, length in zip(emissions, *parts, strict=True):
        e, observed, weight = e[:length], sets[target[:length]], weight[:length]
        if uneven:
            before = 0.0
            for t in range(length):
                up_to_here = observed.copy()
                up_to_here[t + 1 :] = True
                joint = log_probability(e, chain, up_to_here)
                total -= weight[t] * (joint - before)
                before = joint
        else:
            total -= weight[0] * log_probability(e, chain, observed)
        labelled = np.array([row[kept].mean() for row, kept in zip(e, observed, strict=True)])
        total += smoothing * ((labelled - e.mean(axis=1)) * weight).sum()
    return total / len(emissions)


@given(
    seed=st.integers(0, 2**16),
    lengths=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    partial=st.booleans(),
    constrained=st.booleans(),
    uneven=st.booleans(),
    label_smoothing=st.sampled_from(SMOOTHING),
)
@settings(deadline=None, max_examples=40)
def test_chain_loss_is_that_of_all_paths(seed, lengths, partial, constrained, uneven, label_smoothing):
    sets = (SETS if partial else torch.eye(3, dtype=torch.bool)).numpy()
    emissions, chain, batch = chain_batch(seed, lengths, sets=sets, constrained=constrained, uneven=uneven)
    loss = loss_of(
        "chain",
        label_smoothing=label_smoothing,
        label_sets=torch.from_numpy(sets) if partial else None,
        uneven=uneven,
    )
    expected = expected_chain_loss(emissions, chain, batch, sets, label_smoothing, uneven=uneven)
    torch.testing.assert_close(float(loss(emissions, batch, head_with(chain))), expected, rtol=1e-9, atol=1e-9)


@given(seed=st.integers(0, 2**16), lengths=st.lists(st.integers(1, 4), min_size=1, max_size=3), partial=st.booleans())
@settings(deadline=None, max_examples=15)
def test_conditional_probabilities_of_equal_weight_make_up_the_likelihood(seed, lengths, partial):
    emissions, chain, batch = chain_batch(seed, lengths, sets=SETS.numpy(), constrained=True, uneven=False)
    whole, steps = (
        loss_of("chain", label_sets=SETS, uneven=uneven)(emissions, batch, head_with(chain)) for uneven in (False, True)
    )
    torch.testing.assert_close(whole, steps)


def test_smoothed_chain_is_the_likelihood_of_smoothed_outputs():
    """With outputs of (1 - s) e[y] + s mean(e) in the numerator."""
    s = 0.2
    emissions, chain, batch = chain_batch(0, [4, 2], sets=np.eye(3, dtype=bool), constrained=False, uneven=False)
    losses = []
    for e, target, weight, length in zip(emissions, batch.target, batch.weight, batch.lengths, strict=True):
        _, scores = path_scores(e[:length].numpy(), chain.numpy())
        mixed = (1 - s) * e + s * e.mean(1, keepdim=True)
        path = target[:length]
        score = mixed[range(length), path].sum() + chain[path[:-1], path[1:]].sum() + chain[3, path[0]]
        losses.append(float((logsumexp(scores) - score - chain[4, path[-1]]) * weight[0]))
    loss = loss_of("chain", label_smoothing=s)(emissions, batch, head_with(chain))
    torch.testing.assert_close(float(loss), np.mean(losses))


@pytest.mark.parametrize("uneven", [False, True])
@pytest.mark.parametrize("label_sets", [None, SETS])
@pytest.mark.parametrize("label_smoothing", SMOOTHING)
def test_gradient_of_the_chain_loss_equals_finite_differences(uneven, label_sets, label_smoothing):
    sets = np.eye(3, dtype=bool) if label_sets is None else label_sets.numpy()
    emissions, chain, batch = chain_batch(1, [4, 1, 3], sets=sets, constrained=True, uneven=uneven)
    loss = loss_of("chain", label_smoothing=label_smoothing, label_sets=label_sets, uneven=uneven)
    allowed = chain.isfinite()

    def of(emissions, scores):
        return loss(emissions, batch, head_with(torch.full_like(chain, -torch.inf).masked_scatter(allowed, scores)))

    assert torch.autograd.gradcheck(of, (emissions.requires_grad_(), chain[allowed].requires_grad_()))


@pytest.mark.parametrize("uneven", [False, True])
@pytest.mark.parametrize("label_sets", [None, SETS])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradient_of_the_chain_loss_is_finite_where_scores_are_far_apart(uneven, label_sets, dtype):
    sets = np.eye(3, dtype=bool) if label_sets is None else label_sets.numpy()
    emissions, chain, batch = chain_batch(2, [4, 1, 3], sets=sets, constrained=True, uneven=uneven)
    emissions, chain = (1e4 * emissions).to(dtype).requires_grad_(), chain.to(dtype).requires_grad_()
    loss = loss_of("chain", label_smoothing=0.1, label_sets=label_sets, uneven=uneven)(
        emissions, batch, head_with(chain)
    )
    gradients = torch.autograd.grad(loss, (emissions, chain))
    assert torch.isfinite(loss)
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    inside = torch.arange(4) < batch.lengths[:, None]
    assert (gradients[0][~inside] == 0).all()
    assert (gradients[1][chain == -torch.inf] == 0).all()


@pytest.mark.parametrize("uneven", [False, True])
def test_chain_of_a_repeated_sequence_is_that_of_weight_2(uneven):
    loss = loss_of("chain", label_sets=SETS, uneven=uneven)
    emissions, chain, batch = chain_batch(3, [4, 1, 3], sets=SETS.numpy(), constrained=True, uneven=uneven)
    weight = batch.weight * torch.tensor([[2.0], [1.0], [0.0]], dtype=torch.float64)
    heavy = batch_of(batch.target, weight, batch.lengths)
    rows = torch.tensor([0, 0, 1])
    repeated = loss(emissions[rows], rows_of(batch, rows), head_with(chain))
    torch.testing.assert_close(loss(emissions, heavy, head_with(chain)), repeated)


@pytest.mark.parametrize("uneven", [False, True])
def test_mean_over_batches_of_the_chain_loss(uneven):
    loss = loss_of("chain", label_sets=SETS, uneven=uneven)
    emissions, chain, batch = chain_batch(4, [4, 1, 3, 2], sets=SETS.numpy(), constrained=True, uneven=uneven)
    pieces = [
        loss(emissions[s], rows_of(batch, s), head_with(chain)) * len(emissions[s]) for s in (slice(0, 1), slice(1, 4))
    ]
    torch.testing.assert_close(sum(pieces) / 4, loss(emissions, batch, head_with(chain)))


def loss_and_gradients(loss, batch, *tensors):
    """The loss of outputs, and of the scores of a chain if they are given, and its gradients to them."""
    inputs = [tensor.detach().clone().requires_grad_() for tensor in tensors]
    value = loss(inputs[0], batch, *map(head_with, inputs[1:]))
    return value.detach(), torch.autograd.grad(value, inputs)


NOWHERE = {"cross_entropy": 99, "binary_cross_entropy": torch.nan, "squared_error": torch.nan}


@every_loss
@pytest.mark.parametrize("label_smoothing", SMOOTHING)
def test_steps_of_weight_0_are_left_out_before_anything_is_computed(name, label_smoothing):
    """NaN times 0 is NaN: neither the targets nor the outputs of such steps are looked at."""
    loss = loss_of(name, label_smoothing=label_smoothing)
    outputs, target = outputs_and_targets(name, n=6)
    weight = torch.tensor([[1.0, 0.5, 0.0], [2.0, 0.0, 0.0]], dtype=torch.float64)
    kept = weight.flatten() > 0
    expected, (wanted,) = loss_and_gradients(loss, batch_of(target[kept], weight[weight > 0]), outputs[kept])
    target[~kept], outputs[~kept] = NOWHERE[name], torch.nan
    shape = (2, 3, *target.shape[1:])
    batch = batch_of(target.view(shape), weight, torch.tensor([3, 1]))
    found, (gradient,) = loss_and_gradients(loss, batch, outputs.view(2, 3, 3))
    torch.testing.assert_close(found, expected * 3 / 2)  # of three rows, and of two sequences
    torch.testing.assert_close(gradient.view(6, 3)[kept], wanted * 3 / 2)
    assert (gradient.view(6, 3)[~kept] == 0).all()


@pytest.mark.parametrize("uneven", [False, True])
@pytest.mark.parametrize("label_sets", [None, SETS])
@pytest.mark.parametrize("label_smoothing", SMOOTHING)
def test_nothing_on_the_padding_of_a_chain_is_seen(uneven, label_sets, label_smoothing):
    sets = np.eye(3, dtype=bool) if label_sets is None else label_sets.numpy()
    emissions, chain, batch = chain_batch(5, [4, 1, 3], sets=sets, constrained=True, uneven=uneven)
    loss = loss_of("chain", label_smoothing=label_smoothing, label_sets=label_sets, uneven=uneven)
    inside = torch.arange(4) < batch.lengths[:, None]
    expected, wanted = loss_and_gradients(loss, batch, emissions, chain)
    assert all(gradient.isfinite().all() for gradient in wanted)
    emissions[~inside] = torch.nan
    found, gradients = loss_and_gradients(loss, batch, emissions, chain)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(gradients, wanted)


@pytest.mark.parametrize("uneven", [False, True])
def test_label_sequences_of_weight_0_may_be_impossible(uneven):
    """The first label of the second sequence may not come first."""
    loss = loss_of("chain", uneven=uneven)
    emissions, chain, batch = chain_batch(6, [3, 2], sets=np.eye(3, dtype=bool), constrained=False, uneven=uneven)
    batch.target[0], batch.target[1, 0], batch.weight[1] = 1, 0, 0
    chain[3, 0] = -torch.inf
    expected, wanted = loss_and_gradients(loss, rows_of(batch, [0]), emissions[:1], chain)
    found, gradients = loss_and_gradients(loss, batch, emissions, chain)
    torch.testing.assert_close(found, expected / 2)
    torch.testing.assert_close(gradients[0][:1], wanted[0] / 2)
    torch.testing.assert_close(gradients[1], wanted[1] / 2)
    assert (gradients[0][1] == 0).all()


def plain_loss_of_gaps(element, n_parameters, outputs, target, weight):
    """Number by number: those that are there count, divided by how many there could be."""
    n_targets, total = target.shape[-1], 0.0
    for place in np.ndindex(weight.shape):
        for k in range(n_targets):
            if not target[*place, k].isnan():
                own = outputs[*place, k * n_parameters : (k + 1) * n_parameters]
                total = total + weight[place] * element(own[None], target[*place, k][None])[0] / n_targets
    return total / len(weight)


GAPPY = {
    "squared_error": SQUARED_ERROR,
    "gaussian": loss_of_numbers("gaussian", number_losses.gaussian, n_parameters=2),
}


@given(
    name=st.sampled_from(sorted(GAPPY)),
    shape=st.sampled_from([(4,), (3, 4)]),
    absent=st.sampled_from([0.0, 0.4, 0.9]),
    seed=st.integers(0, 2**16),
)
@settings(deadline=None, max_examples=25)
def test_numbers_that_are_not_there_have_no_loss_and_no_gradient(name, shape, absent, seed):
    n_parameters = 2 if name == "gaussian" else 1
    element = number_losses.gaussian if name == "gaussian" else (lambda outputs, y: (outputs[:, 0] - y) ** 2)
    generator = torch.Generator().manual_seed(seed)
    target = normal(*shape, 3, seed=seed)
    missing = torch.rand(target.shape, generator=generator) < absent
    target[missing] = torch.nan
    weight = torch.rand(shape, generator=generator, dtype=torch.float64)
    if len(shape) > 1:
        weight[missing.all(-1)] = 0
    outputs = normal(*shape, 3 * n_parameters, seed=seed + 1).requires_grad_()
    loss = WeightedLoss(GAPPY[name], LossSettings(gaps=True))
    found, (gradient,) = loss_and_gradients(loss, batch_of(target, weight), outputs)
    expected = plain_loss_of_gaps(element, n_parameters, outputs, target, weight) + 0 * outputs.sum()
    torch.testing.assert_close(found, expected.detach())
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, outputs)[0])
    assert (gradient[missing.repeat_interleave(n_parameters, -1)] == 0).all()


def test_settings_decide_whether_there_is_a_kernel():
    sets = torch.ones(1, 3, dtype=torch.bool)
    for name, loss in LOSSES.items():
        assert loss_of(name, label_smoothing=0.1).kernel == (None if name == "chain" else name)
        assert WeightedLoss(loss).kernel == loss.kernel
        assert loss_of(name, gaps=True).kernel is None
        assert loss_of(name, label_sets=sets).kernel is None
    assert WeightedLoss(GAPPY["gaussian"]).kernel is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cross_entropy", [[1, 0], [0, 2]]),
        ("binary_cross_entropy", [[[0, 1, 0], [1, 1, 1]], [[0, 0, 0], [0, 0, 1]]]),
        ("squared_error", [[[0, 2, -1], [3, 1, 2]], [[-1, -2, -3], [-5, -1, 4]]]),
    ],
)
def test_what_is_decided_is_a_code_or_the_numbers_themselves(name, expected):
    outputs = torch.tensor([[[0.0, 2, -1], [3, 1, 2]], [[-1, -2, -3], [-5, -1, 4]]])
    decided = loss_of(name).decide(outputs, torch.tensor([2, 2]), StepHead(1, 3))
    assert decided.tolist() == expected
    assert (decided is outputs) == (name == "squared_error")


@pytest.mark.parametrize("name", ["cross_entropy", "chain"])
def test_a_chain_decides_on_its_best_labels(name):
    emissions, chain, batch = chain_batch(7, [4, 2], sets=np.eye(3, dtype=bool), constrained=True, uneven=False)
    head = head_with(chain)
    head.chain.constrained, head.chain.allowed = True, chain.isfinite()
    decided = loss_of(name).decide(emissions, batch.lengths, head)
    for i, length in enumerate(batch.lengths):
        paths, scores = path_scores(emissions[i, :length].numpy(), chain.numpy())
        assert decided[i, :length].tolist() == paths[scores.argmax()].tolist()
