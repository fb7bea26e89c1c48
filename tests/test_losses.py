"""Weighted losses against torch's, and against their definition."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from test_label_chain import path_scores
from torch.nn import functional as F

from sklearn_rnn.networks.losses import WeightedLoss

SMOOTHING = [0.0, 0.2]


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def ones(*shape):
    return torch.ones(*shape, dtype=torch.float64)


@pytest.mark.parametrize("label_smoothing", SMOOTHING)
def test_cross_entropy_with_weights_of_1_is_torchs(label_smoothing):
    logits, target = normal(6, 3), torch.tensor([0, 1, 2, 2, 1, 0])
    loss = WeightedLoss("cross_entropy", label_smoothing=label_smoothing)(logits, {"target": target, "weight": ones(6)})
    torch.testing.assert_close(loss, F.cross_entropy(logits, target, label_smoothing=label_smoothing))


@pytest.mark.parametrize("label_smoothing", SMOOTHING)
def test_binary_cross_entropy_is_the_cross_entropy_of_two_classes(label_smoothing):
    logits, target = normal(6, 1), torch.tensor([[0.0], [1.0], [1.0], [0.0], [1.0], [0.0]])
    loss = WeightedLoss("binary_cross_entropy", label_smoothing=label_smoothing)
    two = F.cross_entropy(
        torch.hstack([torch.zeros_like(logits), logits]), target[:, 0].long(), label_smoothing=label_smoothing
    )
    torch.testing.assert_close(loss(logits, {"target": target, "weight": ones(6)}), two)


def test_multilabel_loss_is_the_mean_over_labels():
    logits, target = normal(4, 3), (normal(4, 3, seed=1) > 0).double()
    loss = WeightedLoss("binary_cross_entropy")(logits, {"target": target, "weight": ones(4)})
    torch.testing.assert_close(loss, F.binary_cross_entropy_with_logits(logits, target))


def test_squared_error_is_torchs():
    outputs, target = normal(4, 2), normal(4, 2, seed=1)
    loss = WeightedLoss("squared_error")(outputs, {"target": target, "weight": ones(4)})
    torch.testing.assert_close(loss, F.mse_loss(outputs, target))


def batch(loss, n=5):
    """Outputs (n, 3) and the targets that `loss` takes."""
    outputs = normal(n, 3)
    if loss == "cross_entropy":
        return outputs, torch.arange(n) % 3
    target = normal(n, 3, seed=1)
    return outputs, target if loss == "squared_error" else (target > 0).double()


every_loss = pytest.mark.parametrize("name", ["cross_entropy", "binary_cross_entropy", "squared_error"])


@every_loss
def test_weight_2_is_a_repeated_sequence_and_weight_0_an_absent_one(name):
    loss = WeightedLoss(name)
    outputs, target = batch(name)
    weighted = loss(outputs, {"target": target, "weight": torch.tensor([2.0, 1, 0, 1, 1], dtype=torch.float64)})
    rows = torch.tensor([0, 0, 1, 3, 4])
    repeated = loss(outputs[rows], {"target": target[rows], "weight": ones(5)})
    torch.testing.assert_close(weighted, repeated)


@every_loss
def test_mean_over_batches_is_the_weighted_mean_loss_however_they_are_cut(name):
    loss = WeightedLoss(name)
    outputs, target = batch(name, n=7)
    weight = torch.tensor([0.5, 2, 1, 0.1, 3, 0.2, 0.2], dtype=torch.float64)
    weight = weight / weight.mean()
    whole = loss(outputs, {"target": target, "weight": weight})
    parts = [slice(0, 3), slice(3, 4), slice(4, 7)]
    pieces = [loss(outputs[s], {"target": target[s], "weight": weight[s]}) * len(outputs[s]) for s in parts]
    torch.testing.assert_close(sum(pieces) / 7, whole)


def test_steps_of_weight_0_do_not_count():
    logits, target = normal(2, 3, 4), torch.tensor([[0, 1, 0], [3, 2, 1]])
    weight = torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]], dtype=torch.float64)
    loss = WeightedLoss("cross_entropy")(logits, {"target": target, "weight": weight})
    expected = F.cross_entropy(logits[weight > 0], target[weight > 0], reduction="sum") / 2
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize("name", ["binary_cross_entropy", "squared_error"])
@pytest.mark.parametrize(("outputs", "target"), [((4, 1), (4,)), ((4,), (4, 1)), ((4, 1), (4, 2)), ((4, 2), (1, 2))])
def test_no_shape_is_broadcast(name, outputs, target):
    with pytest.raises(ValueError, match="against targets of shape"):
        WeightedLoss(name)(normal(*outputs), {"target": ones(*target), "weight": ones(4)})


@pytest.mark.parametrize("shape", [(4, 1), (1,), (3,)])
def test_no_weight_is_broadcast(shape):
    outputs, target = normal(4, 2), normal(4, 2)
    with pytest.raises(ValueError, match="against weights of shape"):
        WeightedLoss("squared_error")(outputs, {"target": target, "weight": ones(*shape)})


def test_classes_of_a_step_are_moved_with_the_loss_and_not_saved():
    loss = WeightedLoss("chain", label_sets=torch.eye(3, dtype=torch.bool))
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
    loss = WeightedLoss("cross_entropy", label_smoothing=label_smoothing, label_sets=SETS)
    expected = 0.0
    for b in range(2):
        for t in range(3):
            p = logits[b, t].softmax(0)
            exact = -torch.log(p[SETS[target[b, t]]].sum())
            expected += weight[b, t] * ((1 - label_smoothing) * exact - label_smoothing * torch.log(p).mean())
    torch.testing.assert_close(loss(logits, {"target": target, "weight": weight}), expected / 2)


@pytest.mark.parametrize("label_smoothing", SMOOTHING)
@pytest.mark.parametrize("name", ["cross_entropy", "chain"])
def test_sets_of_one_class_are_classes(name, label_smoothing):
    logits, target = normal(2, 3, 3), torch.tensor([[0, 1, 0], [2, 2, 1]])
    y = {"target": target, "weight": ones(2, 3), "lengths": torch.tensor([3, 2])}
    outputs = (logits, normal(5, 3, seed=1)) if name == "chain" else logits
    exact, sets = (WeightedLoss(name, label_smoothing=label_smoothing, label_sets=s)(outputs, y) for s in (None, SETS))
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
    y = {"target": torch.from_numpy(target), "weight": torch.from_numpy(weight), "lengths": torch.tensor(lengths)}
    return torch.from_numpy(emissions), torch.from_numpy(chain), y


def expected_chain_loss(emissions, chain, y, sets, smoothing, *, uneven):
    """The loss of a batch from the probabilities of all paths."""
    emissions, chain, sets = emissions.numpy(), chain.numpy(), np.asarray(sets)
    total = 0.0
    for e, target, weight, length in zip(emissions, *(y[name].numpy() for name in y), strict=True):
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
    emissions, chain, y = chain_batch(seed, lengths, sets=sets, constrained=constrained, uneven=uneven)
    loss = WeightedLoss(
        "chain",
        label_smoothing=label_smoothing,
        label_sets=torch.from_numpy(sets) if partial else None,
        uneven=uneven,
    )
    expected = expected_chain_loss(emissions, chain, y, sets, label_smoothing, uneven=uneven)
    torch.testing.assert_close(float(loss((emissions, chain), y)), expected, rtol=1e-9, atol=1e-9)


@given(seed=st.integers(0, 2**16), lengths=st.lists(st.integers(1, 4), min_size=1, max_size=3), partial=st.booleans())
@settings(deadline=None, max_examples=15)
def test_conditional_probabilities_of_equal_weight_make_up_the_likelihood(seed, lengths, partial):
    emissions, chain, y = chain_batch(seed, lengths, sets=SETS.numpy(), constrained=True, uneven=False)
    whole, steps = (
        WeightedLoss("chain", label_sets=SETS, uneven=uneven)((emissions, chain), y) for uneven in (False, True)
    )
    torch.testing.assert_close(whole, steps)


def test_smoothed_chain_is_the_likelihood_of_smoothed_outputs():
    """With outputs of (1 - s) e[y] + s mean(e) in the numerator."""
    s = 0.2
    emissions, chain, y = chain_batch(0, [4, 2], sets=np.eye(3, dtype=bool), constrained=False, uneven=False)
    losses = []
    for e, target, weight, length in zip(emissions, *y.values(), strict=True):
        _, scores = path_scores(e[:length].numpy(), chain.numpy())
        mixed = (1 - s) * e + s * e.mean(1, keepdim=True)
        path = target[:length]
        score = mixed[range(length), path].sum() + chain[path[:-1], path[1:]].sum() + chain[3, path[0]]
        losses.append(float((logsumexp(scores) - score - chain[4, path[-1]]) * weight[0]))
    loss = WeightedLoss("chain", label_smoothing=s)((emissions, chain), y)
    torch.testing.assert_close(float(loss), np.mean(losses))


@pytest.mark.parametrize("uneven", [False, True])
@pytest.mark.parametrize("label_sets", [None, SETS])
@pytest.mark.parametrize("label_smoothing", SMOOTHING)
def test_gradient_of_the_chain_loss_equals_finite_differences(uneven, label_sets, label_smoothing):
    sets = np.eye(3, dtype=bool) if label_sets is None else label_sets.numpy()
    emissions, chain, y = chain_batch(1, [4, 1, 3], sets=sets, constrained=True, uneven=uneven)
    loss = WeightedLoss("chain", label_smoothing=label_smoothing, label_sets=label_sets, uneven=uneven)
    allowed = chain.isfinite()

    def of(emissions, scores):
        return loss((emissions, torch.full_like(chain, -torch.inf).masked_scatter(allowed, scores)), y)

    assert torch.autograd.gradcheck(of, (emissions.requires_grad_(), chain[allowed].requires_grad_()))


@pytest.mark.parametrize("uneven", [False, True])
@pytest.mark.parametrize("label_sets", [None, SETS])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradient_of_the_chain_loss_is_finite_where_scores_are_far_apart(uneven, label_sets, dtype):
    sets = np.eye(3, dtype=bool) if label_sets is None else label_sets.numpy()
    emissions, chain, y = chain_batch(2, [4, 1, 3], sets=sets, constrained=True, uneven=uneven)
    emissions, chain = (1e4 * emissions).to(dtype).requires_grad_(), chain.to(dtype).requires_grad_()
    loss = WeightedLoss("chain", label_smoothing=0.1, label_sets=label_sets, uneven=uneven)((emissions, chain), y)
    gradients = torch.autograd.grad(loss, (emissions, chain))
    assert torch.isfinite(loss)
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    inside = torch.arange(4) < y["lengths"][:, None]
    assert (gradients[0][~inside] == 0).all()
    assert (gradients[1][chain == -torch.inf] == 0).all()


@pytest.mark.parametrize("uneven", [False, True])
def test_chain_of_a_repeated_sequence_is_that_of_weight_2(uneven):
    loss = WeightedLoss("chain", label_sets=SETS, uneven=uneven)
    emissions, chain, y = chain_batch(3, [4, 1, 3], sets=SETS.numpy(), constrained=True, uneven=uneven)
    heavy = {**y, "weight": y["weight"] * torch.tensor([[2.0], [1.0], [0.0]], dtype=torch.float64)}
    rows = torch.tensor([0, 0, 1])
    repeated = loss((emissions[rows], chain), {name: part[rows] for name, part in y.items()})
    torch.testing.assert_close(loss((emissions, chain), heavy), repeated)


@pytest.mark.parametrize("uneven", [False, True])
def test_mean_over_batches_of_the_chain_loss(uneven):
    loss = WeightedLoss("chain", label_sets=SETS, uneven=uneven)
    emissions, chain, y = chain_batch(4, [4, 1, 3, 2], sets=SETS.numpy(), constrained=True, uneven=uneven)
    pieces = [
        loss((emissions[s], chain), {name: part[s] for name, part in y.items()}) * len(emissions[s])
        for s in (slice(0, 1), slice(1, 4))
    ]
    torch.testing.assert_close(sum(pieces) / 4, loss((emissions, chain), y))
