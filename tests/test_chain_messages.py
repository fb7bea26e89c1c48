"""Fast messages against exact ones, and whether the fast ones know when they are not exact."""

import pytest
import torch
from chain_oracle import random_problem
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_rnn.networks import chain_messages
from sklearn_rnn.networks.chain_messages import SMALLEST, LogMessages, ScaledMessages, messages, potentials

CLOSE = {"rtol": 1e-12, "atol": 1e-11}


def potentials_of(problem):
    return potentials(problem.emissions, problem.chain, problem.lengths)


wide_problems = st.builds(
    random_problem,
    lengths=st.lists(st.integers(0, 20), min_size=1, max_size=4),
    n_labels=st.integers(1, 6),
    seed=st.integers(0, 2**16),
    n_extra=st.integers(0, 9),
    scale=st.sampled_from([1.0, 10.0, 20.0, 40.0, 80.0, 200.0]),
    forbidden=st.sampled_from([0.0, 0.2, 0.5]),
)


@given(wide_problems, st.booleans())
@settings(deadline=None, max_examples=100)
def test_fast_messages_are_exact_unless_they_say_otherwise(problem, constrained):
    p = potentials_of(problem)
    observed = problem.observed.transpose(0, 1) if constrained else None
    scaled, exact = ScaledMessages(p, observed), LogMessages(p, observed)
    if scaled.lossy():
        assert isinstance(messages(p, observed), LogMessages)
        return
    torch.testing.assert_close(scaled.log_overlap()[p.inside], exact.log_overlap()[p.inside], **CLOSE)
    meeting = (exact.log_alpha() + exact.log_beta() > -torch.inf) & p.inside[:, :, None]
    torch.testing.assert_close(scaled.log_alpha()[meeting], exact.log_alpha()[meeting], **CLOSE)
    torch.testing.assert_close(scaled.log_beta()[meeting], exact.log_beta()[meeting], **CLOSE)
    if constrained:
        return
    weight = torch.linspace(-1, 1, len(problem), dtype=torch.float64)
    for found, expected in zip(scaled.expected_counts(weight), exact.expected_counts(weight), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(scaled.pair_probabilities(), exact.pair_probabilities(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("forbidden", [0.0, 0.3])
def test_ordinary_scores_take_the_fast_way(forbidden):
    problem = random_problem([300, 200, 0], 9, forbidden=forbidden, scale=10.0, n_extra=200)
    assert isinstance(messages(potentials_of(problem)), ScaledMessages)


def left_to_right(n_steps, n_labels, gap):
    """One way through: label t or t - 1 at step t, each next label `gap` worse than to stay."""
    chain = torch.full((n_labels + 2, n_labels), -torch.inf, dtype=torch.float64)
    for label in range(n_labels):
        chain[label, label] = 0.0
        chain[label, (label + 1) % n_labels] = -gap
    chain[n_labels, 0] = chain[n_labels + 1, n_labels - 1] = 0.0
    chain[n_labels - 1, 0] = -torch.inf
    return torch.zeros(1, n_steps, n_labels, dtype=torch.float64), chain, torch.tensor([n_steps])


def test_a_path_that_falls_behind_step_by_step_is_noticed():
    # Whoever wins at the end was 45 times 12 = 540 nats behind on the way, and no single score is far below another.
    p = potentials(*left_to_right(46, 46, 12.0))
    assert ScaledMessages(p).lossy()
    assert messages(p).log_overlap()[:, 0] == pytest.approx(torch.full((46,), -540.0).numpy())


def two_paths(first, second):
    """Potentials of two labels with the emissions given, a tensor each, neither of which follows the other."""
    chain = torch.zeros(4, 2, dtype=torch.float64)
    chain[0, 1] = chain[1, 0] = -torch.inf
    return potentials(torch.stack([first, second], 1)[None], chain, torch.tensor([len(first)]))


@pytest.mark.parametrize("drops", [[-250.0, -250.0, -250.0], [-760.0]])
def test_a_path_behind_at_both_ends_is_noticed(drops):
    # The best path is 750 nats behind soon after the start, and as much before the end. The messages of both directions
    # lose it, and what is left of them agrees at every step.
    n_steps = 60
    first, second = torch.zeros(2, n_steps, dtype=torch.float64)
    first[4:-4] = -38.0
    second[: len(drops)] = second[n_steps - len(drops) :] = torch.tensor(drops)
    p = two_paths(first, second)
    scaled = ScaledMessages(p)
    assert scaled.lossy()
    torch.testing.assert_close(scaled.log_overlap() + p.constant, first.sum().expand(n_steps, 1))
    torch.testing.assert_close(messages(p).log_overlap() + p.constant, second.sum().expand(n_steps, 1))


def test_inner_products_whose_inverse_is_no_float_are_noticed():
    first, second = torch.zeros(2, 58, dtype=torch.float64)
    first[:] = -77.0
    second[[0, -1]] = -torch.inf
    scaled = ScaledMessages(two_paths(first, second))
    assert scaled.states[scaled.states > 0].min() > SMALLEST
    assert scaled.lossy()


def test_padding_makes_nothing_slow():
    # After the last step a message would vanish: label 1 falls behind by 100 nats a step.
    chain = torch.zeros(4, 2, dtype=torch.float64)
    chain[:2] = torch.tensor([[0.0, -torch.inf], [-torch.inf, -100.0]])
    problem = random_problem([2, 1], 2, n_extra=20)
    assert isinstance(messages(potentials(problem.emissions, chain, problem.lengths)), ScaledMessages)


@pytest.mark.parametrize("pairs_at_once", [1, 40])
def test_sequences_in_log_space_may_come_one_after_another(pairs_at_once, monkeypatch):
    problem = random_problem([5, 1, 3, 0], 3, forbidden=0.2)
    given = potentials(problem.emissions, problem.chain, problem.lengths)
    weight, pairs = torch.tensor([1.0, 2.0, 0.5, 1.0]).double(), torch.eye(3, dtype=torch.bool)
    results = []
    for limit in (chain_messages.PAIRS_AT_ONCE, pairs_at_once):
        monkeypatch.setattr(chain_messages, "PAIRS_AT_ONCE", limit)
        found = LogMessages(given)
        labels, joins = found.expected_counts(weight)
        results.append(
            [found.alpha, found.beta, labels, joins, found.pair_probabilities(), found.probability_of(pairs)]
        )
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)
