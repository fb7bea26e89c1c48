"""The loss of a chain of labels against the probabilities of all its paths."""

import numpy as np
import pytest
import torch
from chain_oracle import head_with
from hypothesis import given, settings
from hypothesis import strategies as st
from losses import SETS, SMOOTHING, batch_of, loss_and_gradients, loss_of, rows_of
from scipy.special import logsumexp
from test_label_chain import path_scores


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


@pytest.mark.parametrize("name", ["cross_entropy", "chain"])
def test_a_chain_decides_on_its_best_labels(name):
    emissions, chain, batch = chain_batch(7, [4, 2], sets=np.eye(3, dtype=bool), constrained=True, uneven=False)
    head = head_with(chain)
    head.chain.constrained, head.chain.allowed = True, chain.isfinite()
    decided = loss_of(name).decide(emissions, batch.lengths, head)
    for i, length in enumerate(batch.lengths):
        paths, scores = path_scores(emissions[i, :length].numpy(), chain.numpy())
        assert decided[i, :length].tolist() == paths[scores.argmax()].tolist()
