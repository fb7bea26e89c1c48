"""Probabilities of label paths against sums over all of them."""

import numpy as np
import pytest
import torch
from chain_oracle import log_sum, problems, random_problem
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_rnn.networks.chain import (
    constrained_log_partition,
    log_partition,
    marginals,
    pairwise_marginals,
    path_score,
    prefix_log_probabilities,
    probability_of_pairs,
    segment_log_probability,
)

brute_force = settings(deadline=None, max_examples=60)
EXACT = {"rtol": 1e-10, "atol": 1e-10}


def assert_equal(found, expected, tolerance=EXACT):
    expected = np.array(expected, dtype=np.float64).reshape(found.shape)
    np.testing.assert_allclose(found.detach().double().numpy(), expected, **tolerance)


def total(problem, i):
    return log_sum(problem.all_paths(i)[1])


def weights(problem, i):
    """The probabilities of all paths, 0 where none is valid."""
    scores = problem.all_paths(i)[1]
    return np.zeros(len(scores)) if total(problem, i) == -np.inf else np.exp(scores - total(problem, i))


def score_of_labels(problem, i):
    paths, scores = problem.all_paths(i)
    return scores[(paths == problem.labels[i, : problem.lengths[i]].numpy()).all(1)][0]


def constrained_total(problem, i, n_steps=None):
    return log_sum(problem.all_paths(i)[1][problem.within(i)[:, :n_steps].all(1)])


def prefixes(problem, i):
    """What `prefix_log_probabilities` has in row `i`."""
    joint = [constrained_total(problem, i, t) for t in range(1, int(problem.lengths[i]) + 1)]
    row = [0.0] + [-np.inf if value == -np.inf else value - total(problem, i) for value in joint]
    return row + row[-1:] * (problem.emissions.shape[1] + 1 - len(row))


def label_marginals(problem, i):
    n_steps, n_labels = problem.emissions.shape[1:]
    expected = np.zeros((n_steps, n_labels))
    paths = problem.all_paths(i)[0]
    for t in range(paths.shape[1]):
        np.add.at(expected[t], paths[:, t], weights(problem, i))
    return expected


def pair_marginals(problem, i):
    n_steps, n_labels = problem.emissions.shape[1:]
    expected = np.zeros((n_steps - 1, n_labels, n_labels))
    paths = problem.all_paths(i)[0]
    for t in range(paths.shape[1] - 1):
        np.add.at(expected[t], (paths[:, t], paths[:, t + 1]), weights(problem, i))
    return expected


def all_segments(problem):
    """Every segment: sequence, start and end, (n_segments, 3)."""
    rows = [(i, s, e) for i, n in enumerate(problem.lengths.tolist()) for s in range(n) for e in range(s + 1, n + 1)]
    return torch.tensor(rows, dtype=torch.int64).reshape(-1, 3)


def segment(problem, i, start, end):
    paths, scores = problem.all_paths(i)
    same = (paths[:, start:end] == problem.labels[i, start:end].numpy()).all(1)
    joint = log_sum(scores[same])
    return joint if joint == -np.inf else joint - total(problem, i)


# What each function returns, and a row of that from the sums over all paths.
BY_SEQUENCE = {
    "path_score": (lambda p: path_score(p.emissions, p.chain, p.labels, p.lengths), score_of_labels),
    "log_partition": (lambda p: log_partition(p.emissions, p.chain, p.lengths), total),
    "constrained_log_partition": (
        lambda p: constrained_log_partition(p.emissions, p.chain, p.observed, p.lengths),
        constrained_total,
    ),
    "prefix_log_probabilities": (
        lambda p: prefix_log_probabilities(p.emissions, p.chain, p.observed, p.lengths),
        prefixes,
    ),
    "marginals": (lambda p: marginals(p.emissions, p.chain, p.lengths), label_marginals),
    "pairwise_marginals": (lambda p: pairwise_marginals(p.emissions, p.chain, p.lengths), pair_marginals),
}


def some_pairs(problem):
    return torch.arange(problem.chain.shape[1] ** 2).view(-1, problem.chain.shape[1]) % 3 == 1


BY_SEQUENCE["probability_of_pairs"] = (
    lambda p: probability_of_pairs(p.emissions, p.chain, p.lengths, some_pairs(p)),
    lambda p, i: (pair_marginals(p, i) * some_pairs(p).numpy()).sum((1, 2)),
)


def found_and_expected(problem):
    """What all functions return, and what the sums over all paths are."""
    for function, row in BY_SEQUENCE.values():
        yield function(problem), [row(problem, i) for i in range(len(problem))]
    segments = all_segments(problem)
    found = segment_log_probability(problem.emissions, problem.chain, problem.labels, problem.lengths, *segments.t())
    yield found, [segment(problem, *row) for row in segments.tolist()]


@given(problems())
@brute_force
def test_everything_is_the_sum_over_all_paths(problem):
    for found, expected in found_and_expected(problem):
        assert_equal(found, expected)


@given(problems(dtype=st.just(torch.float32)))
@settings(deadline=None, max_examples=20)
def test_float32_is_as_good_as_its_rounding(problem):
    for found, expected in found_and_expected(problem):
        assert found.dtype == torch.float32
        assert_equal(found, expected, {"rtol": 1e-5, "atol": 1e-5})


@pytest.mark.parametrize("forbidden", [0.0, 0.3])
@pytest.mark.parametrize("seed", range(5))
def test_extreme_scores(seed, forbidden):
    problem = random_problem([5, 4, 1], 4, seed=seed, scale=200.0, forbidden=forbidden, dtype=torch.float32)
    for found, expected in found_and_expected(problem):
        assert_equal(found, expected, {"rtol": 1e-6, "atol": 1e-6})


def valid(problem):
    """Without the sequences that have no valid path with the labels observed, of which no loss has a gradient."""
    return problem.rows([i for i in range(len(problem)) if constrained_total(problem, i) > -np.inf])


LOSSES = {
    "log_partition": lambda e, c, p: log_partition(e, c, p.lengths),
    "constrained_log_partition": lambda e, c, p: constrained_log_partition(e, c, p.observed, p.lengths),
    "prefix_log_probabilities": lambda e, c, p: prefix_log_probabilities(e, c, p.observed, p.lengths),
}
every_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)


@every_loss
@pytest.mark.parametrize("n_labels", [1, 3])
def test_gradients_are_those_of_gradcheck(loss, n_labels):
    problem = random_problem([3, 5, 0, 1], n_labels, n_extra=1, padding=7.0)
    inputs = problem.emissions.requires_grad_(), problem.chain.requires_grad_()
    assert torch.autograd.gradcheck(lambda e, c: loss(e, c, problem), inputs)


def gradients(loss, problem, factors):
    """The gradients of the sum of `factors` times the loss."""
    inputs = [x.detach().clone().requires_grad_() for x in (problem.emissions, problem.chain)]
    (loss(*inputs, problem) * factors).sum().backward()
    return [x.grad for x in inputs]


@every_loss
@pytest.mark.parametrize("scale", [2.0, 300.0])
@pytest.mark.parametrize("seed", range(3))
def test_gradients_with_forbidden_labels_are_finite_differences(loss, scale, seed):
    problem = valid(random_problem([4, 3, 2, 5, 4, 0], 4, seed=seed, n_extra=1, forbidden=0.25, scale=scale))
    assert len(problem) >= 2
    assert (problem.chain == -torch.inf).any()
    factors = torch.randn(loss(problem.emissions, problem.chain, problem).shape, dtype=torch.float64)
    step = 1e-5
    for values, found in zip((problem.emissions, problem.chain), gradients(loss, problem, factors), strict=True):
        expected = torch.zeros_like(values)
        for position in values.isfinite().nonzero():
            at = tuple(position)
            before, sides = values[at].item(), []
            for sign in (1, -1):
                values[at] = before + sign * step
                sides.append((loss(problem.emissions, problem.chain, problem) * factors).sum())
            values[at] = before
            expected[at] = (sides[0] - sides[1]) / (2 * step)
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)  # 0 for what is forbidden, and on padding


@given(problems())
@settings(deadline=None, max_examples=25)
def test_the_gradient_is_the_expected_counts(problem):
    emissions, chain, lengths = problem.emissions, problem.chain, problem.lengths
    factors = torch.linspace(-1, 2, len(problem), dtype=torch.float64)
    of_emissions, of_chain = gradients(LOSSES["log_partition"], problem, factors)
    labels = marginals(emissions, chain, lengths) * factors[:, None, None]
    torch.testing.assert_close(of_emissions, labels, **EXACT)
    pairs = (pairwise_marginals(emissions, chain, lengths) * factors[:, None, None, None]).sum((0, 1))
    torch.testing.assert_close(of_chain[:-2], pairs, **EXACT)
    torch.testing.assert_close(of_chain[-2], labels[:, 0].sum(0), **EXACT)
    ends = sum((labels[i, n - 1] for i, n in enumerate(lengths.tolist()) if n), torch.zeros_like(of_chain[0]))
    torch.testing.assert_close(of_chain[-1], ends, **EXACT)


@every_loss
@pytest.mark.parametrize("scale", [2.0, 300.0])
def test_where_no_path_is_valid_the_gradient_is_0(loss, scale):
    problem = random_problem([4, 3], 3, scale=scale)
    problem.observed[0, 2:] = problem.observed[1] = True
    problem.emissions[0, 2] = -torch.inf
    values = loss(problem.emissions, problem.chain, problem)
    assert (values[0] if values.ndim == 1 else values[0, 3:]).eq(-torch.inf).all()
    assert values[1].isfinite().all()
    both = gradients(loss, problem, torch.where(values == -torch.inf, 0, torch.ones_like(values)))
    assert all(gradient.isfinite().all() for gradient in both)
    if values.ndim == 1:
        assert both[0][0].eq(0).all()
        torch.testing.assert_close(both[1], gradients(loss, problem.rows([1]), values.new_ones(1))[1])


def test_a_chain_without_any_valid_path_has_no_nan():
    problem = random_problem([3, 1], 2)
    problem.chain[-1] = -torch.inf
    emissions, chain, lengths = problem.emissions, problem.chain, problem.lengths
    assert log_partition(emissions, chain, lengths).eq(-torch.inf).all()
    assert prefix_log_probabilities(emissions, chain, problem.observed, lengths)[:, 1:].eq(-torch.inf).all()
    assert marginals(emissions, chain, lengths).eq(0).all()
    assert pairwise_marginals(emissions, chain, lengths).eq(0).all()
    segments = all_segments(problem).t()
    assert segment_log_probability(emissions, chain, problem.labels, lengths, *segments).eq(-torch.inf).all()
    factors = torch.ones(2, dtype=torch.float64)
    assert all(gradient.eq(0).all() for gradient in gradients(LOSSES["log_partition"], problem, factors))


def test_labels_that_nothing_reaches_leave_long_gradients_finite():
    n_steps = 400
    problem = random_problem([n_steps], 3, scale=0.1)
    problem.emissions[0, :, 0] -= 20.0
    problem.chain[:2, 2] = problem.chain[3, 2] = -torch.inf  # label 2 is observed, but nothing leads to it,
    problem.observed[:] = torch.tensor([True, False, True])  # and the path of label 0 is 8000 nats behind
    factors = torch.linspace(-1, 2, n_steps + 1, dtype=torch.float64)
    of_emissions, of_chain = gradients(LOSSES["prefix_log_probabilities"], problem, factors)
    assert of_chain.isfinite().all()
    assert of_emissions[0, :, 2].eq(0).all()
    assert of_emissions[0, :, :2].ne(0).any()


def test_a_segment_is_never_more_than_certain():
    problem = random_problem([40, 30], 1, scale=10.0)
    segments = all_segments(problem).t()
    found = segment_log_probability(problem.emissions, problem.chain, problem.labels, problem.lengths, *segments)
    assert (found <= 0).all()
    assert_equal(found, np.zeros(len(found)))


def test_a_sequence_has_the_same_results_in_any_batch():
    problem = random_problem([7, 2, 0, 5, 1], 5, n_extra=3, forbidden=0.1)
    for function, _ in BY_SEQUENCE.values():
        together = function(problem)
        for i, n in enumerate(problem.lengths.tolist()):
            alone = function(problem.rows([i], max(n, 1)))[0]
            found = together[i] if alone.ndim == 0 else together[i, : len(alone)]
            torch.testing.assert_close(found, alone, rtol=1e-13, atol=1e-13)


def log_space_recursion(emissions, chain):
    """Forward and backward messages of one sequence, step by step, and the log partition."""
    n_labels = emissions.shape[1]
    alpha, beta = np.empty_like(emissions), np.empty_like(emissions)
    alpha[0], beta[-1] = chain[n_labels] + emissions[0], chain[n_labels + 1]
    for t in range(1, len(emissions)):
        alpha[t] = np.logaddexp.reduce(alpha[t - 1][:, None] + chain[:n_labels], axis=0) + emissions[t]
    for t in range(len(emissions) - 2, -1, -1):
        beta[t] = np.logaddexp.reduce(chain[:n_labels] + emissions[t + 1] + beta[t + 1], axis=1)
    return alpha, beta, np.logaddexp.reduce(alpha[-1] + beta[-1])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_2000_steps(dtype):
    problem = random_problem([2000, 1500], 6, scale=3.0, forbidden=0.1, dtype=dtype)
    tolerance = {"rtol": 1e-12, "atol": 1e-9} if dtype == torch.float64 else {"rtol": 1e-6, "atol": 1e-6}
    for i, n in enumerate(problem.lengths.tolist()):
        alpha, beta, expected = log_space_recursion(
            problem.emissions[i, :n].double().numpy(), problem.chain.double().numpy()
        )
        shared = (problem.emissions, problem.chain, problem.lengths)
        assert_equal(log_partition(*shared)[i], expected, tolerance)
        assert_equal(marginals(*shared)[i, :n], np.exp(alpha + beta - expected), tolerance)


def test_what_is_not_a_number_does_not_pass_for_a_result():
    problem = random_problem([3, 3], 2)
    problem.emissions[0, 1, 1] = torch.nan
    found = log_partition(problem.emissions, problem.chain, problem.lengths)
    assert found[0].isnan()
    assert found[1].isfinite()


@pytest.mark.gpu
def test_a_gpu_computes_the_same():
    problem = random_problem([5, 3, 0], 4, forbidden=0.1)
    factors = torch.randn(3, dtype=torch.float64)
    expected = gradients(LOSSES["log_partition"], problem, factors)
    for name in ("emissions", "chain", "lengths"):
        setattr(problem, name, getattr(problem, name).cuda())
    for found, value in zip(gradients(LOSSES["log_partition"], problem, factors.cuda()), expected, strict=True):
        torch.testing.assert_close(found.cpu(), value, **EXACT)
