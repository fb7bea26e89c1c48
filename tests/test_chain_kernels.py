"""The kernels of a chain against the torch code, which is compared with sums over all paths elsewhere."""

import numpy as np
import pytest
import test_chain
import test_chain_decoding
import torch
from chain_oracle import head_with, random_problem
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_rnn.data.batching import Batch
from sklearn_rnn.networks import chain_fused
from sklearn_rnn.networks.chain import (
    constrained_log_partition,
    log_partition,
    marginals,
    nbest,
    path_log_probability,
    path_score,
    viterbi,
)
from sklearn_rnn.networks.chain_fused import FusedMessages
from sklearn_rnn.networks.chain_messages import LogMessages, ScaledMessages, messages, potentials
from sklearn_rnn.networks.engines import Engine, using_engine
from sklearn_rnn.networks.losses import CHAIN, LossSettings, WeightedLoss

TORCH, FUSED = Engine("torch"), Engine("fused")
CLOSE = {"rtol": 1e-10, "atol": 1e-10}
pytest.importorskip("numba")

wide_problems = st.builds(
    random_problem,
    lengths=st.lists(st.integers(0, 20), min_size=1, max_size=6),
    n_labels=st.integers(1, 9),
    seed=st.integers(0, 2**16),
    n_extra=st.integers(0, 3),
    scale=st.sampled_from([0.0, 1.0, 10.0, 40.0, 200.0, 500.0]),
    forbidden=st.sampled_from([0.0, 0.2, 0.5]),
)

LOSSES = {
    "log_partition": lambda e, c, p: log_partition(e, c, p.lengths),
    "constrained_log_partition": lambda e, c, p: constrained_log_partition(e, c, p.observed, p.lengths),
    "path_log_probability": lambda e, c, p: path_log_probability(e, c, p.labels, p.lengths),
}


def values_and_gradients(engine, problem, factors):
    """What each loss and the marginals are, and the gradients of the sum of `factors` times the loss."""
    found = []
    with using_engine(engine):
        found.append(("marginals", marginals(problem.emissions, problem.chain, problem.lengths)))
        for name, loss in LOSSES.items():
            inputs = [x.detach().clone().requires_grad_() for x in (problem.emissions, problem.chain)]
            value = loss(*inputs, problem)
            found.append((name, value.detach()))
            if name == "path_log_probability" and not value.isfinite().all():
                continue  # torch sums the gradients of two terms, which are not both finite
            torch.where(value.isfinite(), value * factors.to(value), 0).sum().backward()
            found += [(name + " gradient", x.grad) for x in inputs]
    return found


def assert_engines_agree(problem, tolerance=CLOSE):
    factors = torch.linspace(-1, 2, len(problem), dtype=torch.float64)
    both = (values_and_gradients(engine, problem, factors) for engine in (FUSED, TORCH))
    for (name, found), (_, expected) in zip(*both, strict=True):
        assert found.dtype == expected.dtype
        torch.testing.assert_close(
            found, expected, equal_nan=True, **tolerance, msg=lambda text, name=name: f"{name}: {text}"
        )


@given(wide_problems)
@settings(deadline=None, max_examples=100)
def test_kernels_and_torch_agree(problem):
    assert_engines_agree(problem)


@pytest.mark.parametrize("n_labels", [1, 9, 23, 127])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_they_agree_for_many_labels(n_labels, dtype):
    problem = random_problem([46, 40, 11, 0, 33, 1, 46], n_labels, n_extra=2, forbidden=0.05, dtype=dtype)
    if dtype == torch.float64:
        assert_engines_agree(problem, {"rtol": 1e-11, "atol": 1e-12})
    else:
        assert_engines_agree(problem, {"rtol": 1e-5, "atol": 1e-5})


def test_a_step_whose_scores_are_all_next_to_0_has_no_infinite_inverse():
    assert_engines_agree(random_problem([7], 8, seed=1, n_extra=3, scale=200.0, forbidden=0.5))


def test_they_agree_over_2000_steps():
    problem = random_problem([2000, 1500, 3], 6, scale=3.0, forbidden=0.1)
    assert_engines_agree(problem, {"rtol": 1e-10, "atol": 1e-11})


@pytest.mark.parametrize("engine", [TORCH, FUSED], ids=lambda engine: engine.name)
@pytest.mark.parametrize(
    "test",
    [
        test_chain.test_everything_is_the_sum_over_all_paths,
        test_chain.test_float32_is_as_good_as_its_rounding,
        test_chain.test_the_gradient_is_the_expected_counts,
        test_chain.test_a_chain_without_any_valid_path_has_no_nan,
        test_chain.test_a_sequence_has_the_same_results_in_any_batch,
        test_chain.test_what_is_not_a_number_does_not_pass_for_a_result,
        test_chain_decoding.test_the_viterbi_path_is_the_first_of_all,
        test_chain_decoding.test_scores_are_those_of_the_paths_in_long_sequences,
        test_chain_decoding.test_equal_labels_go_to_the_lowest,
        test_chain_decoding.test_a_sum_that_float32_would_round_away_decides,
    ],
    ids=lambda test: test.__name__,
)
def test_brute_force_holds_with_each_engine(engine, test):
    with using_engine(engine):
        test()


@pytest.mark.parametrize("engine", [TORCH, FUSED], ids=lambda engine: engine.name)
@pytest.mark.parametrize("n_labels", [1, 3])
def test_gradients_are_those_of_gradcheck(engine, n_labels):
    problem = random_problem([3, 5, 0, 1], n_labels, n_extra=1, padding=7.0)
    inputs = problem.emissions.requires_grad_(), problem.chain.requires_grad_()
    with using_engine(engine):
        for loss in LOSSES.values():
            assert torch.autograd.gradcheck(lambda e, c, loss=loss: loss(e, c, problem), inputs)


@given(wide_problems)
@settings(deadline=None, max_examples=50)
def test_what_is_lost_is_computed_in_log_space(problem):
    p = potentials(problem.emissions, problem.chain, problem.lengths)
    expected = (LogMessages(p).log_overlap()[0] + p.constant).masked_fill(problem.lengths == 0, 0)
    found = FusedMessages(problem.emissions, problem.chain, problem.lengths).log_partition()
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-11)


@pytest.fixture
def slow_ways(monkeypatch):
    """The lengths of the sequences whose messages were computed in log space, call by call."""
    taken = []

    class Counted(LogMessages):
        def __init__(self, p):
            super().__init__(p)
            taken.append(p.lengths.tolist())

    monkeypatch.setattr(chain_fused, "LogMessages", Counted)
    return taken


def test_only_the_sequences_that_lose_a_message_take_the_slow_way(slow_ways):
    problem = random_problem([30, 20, 25], 5)
    problem.emissions[1, ::2] = torch.tensor([0.0, -400.0, -400.0, -400.0, -400.0])
    assert_engines_agree(problem)
    assert slow_ways
    assert all(lengths == [20] for lengths in slow_ways)


def test_a_message_may_be_lost_on_the_way_back_alone(slow_ways):
    problem = random_problem([60, 50, 20], 2)
    problem.chain[:] = 0.0
    problem.chain[0, 1] = problem.chain[1, 0] = problem.chain[2, 1] = -torch.inf  # nothing leads to label 1,
    problem.emissions[1, :, 0] = 0.0
    problem.emissions[1, :, 1] = -38.0  # of which the messages back vanish all the same
    FusedMessages(problem.emissions, problem.chain, problem.lengths)
    assert not slow_ways
    assert_engines_agree(problem)
    assert slow_ways
    assert all(lengths == [50] for lengths in slow_ways)


def left_to_right(n_steps, gap):
    """One way through, each next label `gap` worse than to stay: the way back is as far behind as the way there."""
    n_labels = n_steps
    chain = torch.full((n_labels + 2, n_labels), -torch.inf, dtype=torch.float64)
    for label in range(n_labels):
        chain[label, label] = 0.0
        chain[label, min(label + 1, n_labels - 1)] = 0.0 if label == n_labels - 1 else -gap
    chain[n_labels, 0] = chain[n_labels + 1, n_labels - 1] = 0.0
    return torch.zeros(1, n_steps, n_labels, dtype=torch.float64), chain, torch.tensor([n_steps])


def test_a_path_that_falls_behind_step_by_step_is_not_lost():
    emissions, chain, lengths = left_to_right(46, 12.0)
    assert isinstance(messages(potentials(emissions, chain, lengths)), LogMessages)
    with using_engine(FUSED):
        assert log_partition(emissions, chain, lengths).item() == pytest.approx(-540.0, abs=1e-10)


def two_paths(first, second):
    """Two labels with the emissions given, neither of which follows the other."""
    chain = torch.zeros(4, 2, dtype=torch.float64)
    chain[0, 1] = chain[1, 0] = -torch.inf
    return torch.stack([first, second], 1)[None], chain, torch.tensor([len(first)])


@pytest.mark.parametrize("drops", [[-250.0, -250.0, -250.0], [-760.0]])
def test_a_path_behind_at_both_ends_is_not_lost(drops):
    first, second = torch.zeros(2, 60, dtype=torch.float64)
    first[4:-4] = -38.0
    second[: len(drops)] = second[60 - len(drops) :] = torch.tensor(drops, dtype=torch.float64)
    with using_engine(FUSED):
        shared = two_paths(first, second)
        torch.testing.assert_close(log_partition(*shared)[0], second.sum())
        torch.testing.assert_close(marginals(*shared)[0, :, 1], torch.ones(60, dtype=torch.float64))


def test_labels_that_fall_behind_but_are_the_only_ones_are_certain():
    first, second = torch.zeros(2, 58, dtype=torch.float64)
    first[:] = -77.0
    second[[0, -1]] = -torch.inf
    emissions, chain, lengths = two_paths(first, second)
    assert ScaledMessages(potentials(emissions, chain, lengths)).lossy()
    together = torch.cat([emissions, torch.zeros_like(emissions)])
    with using_engine(FUSED):
        found = marginals(together, chain, torch.tensor([58, 58]))
    expected = torch.tensor([[1.0, 0.0], [0.5, 0.5]], dtype=torch.float64)
    torch.testing.assert_close(found, expected[:, None].expand_as(found))


@given(wide_problems, st.booleans())
@settings(deadline=None, max_examples=60)
def test_the_best_paths_are_those_of_torch_bit_for_bit(problem, whole):
    if whole:  # so that there are ties
        problem.emissions, problem.chain = problem.emissions.round(), problem.chain.round()
    shared = (problem.emissions, problem.chain, problem.lengths)
    with using_engine(FUSED):
        paths, scores = viterbi(*shared)
    expected, expected_scores = (x[:, 0] for x in nbest(*shared, 1))
    valid = expected_scores > -torch.inf
    assert torch.equal(paths[valid], expected[valid])
    assert torch.equal(scores, expected_scores)


@pytest.mark.parametrize("engine", [TORCH, FUSED], ids=lambda engine: engine.name)
def test_the_log_probability_of_a_path_is_its_score_less_the_partition(engine):
    problem = random_problem([7, 2, 0, 5, 1], 4, n_extra=1)
    shared = problem.emissions, problem.chain
    expected = path_score(*shared, problem.labels, problem.lengths) - log_partition(*shared, problem.lengths)
    problem.labels[torch.arange(8) >= problem.lengths[:, None]] = -1 if engine is FUSED else 0
    with using_engine(engine):
        torch.testing.assert_close(path_log_probability(*shared, problem.labels, problem.lengths), expected)


def test_labels_that_there_are_not_are_an_error():
    problem = random_problem([3, 2], 4)
    problem.labels[1, 1] = 4
    with using_engine(FUSED), pytest.raises(IndexError, match="label"):
        path_log_probability(problem.emissions, problem.chain, problem.labels, problem.lengths)


@pytest.mark.parametrize("partial", [False, True])
def test_the_loss_and_its_gradient_do_not_depend_on_the_engine(partial):
    problem = random_problem([12, 9, 3, 7], 5, padding=0.0)
    sets = torch.cat([torch.eye(5), torch.ones(1, 5)]).bool() if partial else None
    target = problem.labels.clone()
    if partial:
        target[:, ::3] = 5
    weight = torch.linspace(0.5, 2, 4)[:, None].expand(4, 12)
    batch = Batch(torch.empty(4, 12, 0), problem.lengths, target, weight)
    results = []
    for engine in (FUSED, TORCH):
        inputs = [x.detach().clone().requires_grad_() for x in (problem.emissions, problem.chain)]
        with using_engine(engine):
            emissions, chain = inputs
            loss = WeightedLoss(CHAIN, LossSettings(label_sets=sets))(emissions, batch, head_with(chain))
        loss.backward()
        results.append([loss.detach(), *(x.grad for x in inputs)])
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, **CLOSE)


def test_views_that_are_not_contiguous_and_second_backwards_do_no_harm():
    problem = random_problem([9, 4, 6], 5)
    time_major = problem.emissions.transpose(0, 1).contiguous().transpose(0, 1).requires_grad_()
    chain = problem.chain.t().contiguous().t().requires_grad_()
    with using_engine(FUSED):
        total = log_partition(time_major, chain, problem.lengths).sum()
        total.backward(retain_graph=True)
        first = time_major.grad.clone(), chain.grad.clone()
        total.backward()
    torch.testing.assert_close((time_major.grad, chain.grad), tuple(2 * x for x in first))
    np.testing.assert_allclose(time_major.grad.sum(2)[0], 2.0)


@pytest.mark.parametrize("lengths", [[0, 0], []])
def test_nothing_to_label_is_no_trouble(lengths):
    emissions = torch.zeros(len(lengths), 3, 2, requires_grad=True)
    with using_engine(FUSED):
        value = log_partition(emissions, torch.zeros(4, 2), torch.tensor(lengths, dtype=torch.int64))
        value.sum().backward()
        assert viterbi(emissions, torch.zeros(4, 2), torch.tensor(lengths, dtype=torch.int64))[0].shape == (
            len(lengths),
            3,
        )
    assert value.tolist() == [0.0] * len(lengths)
    assert emissions.grad.eq(0).all()
