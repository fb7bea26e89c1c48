"""Frames of notes against Bernoulli's distribution, and against the published NADE note by note."""

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from likelihoods import built, normal, uniforms
from oracles import sigmoid
from scipy import stats
from scipy.special import expit

from sklearn_rnn.networks.heads import FrameHeadSpec
from sklearn_rnn.networks.heads import frames as module

seeds = st.integers(0, 99)
both = pytest.mark.parametrize("chained", [False, True])


def head_of(n_features, *, chained, ends=False, n_units=3, seed=0, scale=0.7):
    spec = FrameHeadSpec.of((0.0,) * n_features, end_log_odds=0.0 if ends else None, chained=chained, n_units=n_units)
    return built(spec, seed=seed, scale=scale)


def all_frames(n_features):
    return torch.tensor(list(product([0.0, 1.0], repeat=n_features)), dtype=torch.float64)


def nade(head, outputs, frame):
    """The log-odds of each note of a frame, by equations 2 and 3 of Larochelle and Murray (2011)."""
    n = head.n_features
    b, c = outputs[:n], outputs[n:]
    w, v = head.from_notes.weight.detach().numpy(), head.to_notes.weight.detach().numpy()
    return np.array([b[i] + v[i] @ sigmoid(c + w[:, :i] @ frame[:i]) for i in range(n)])


@pytest.mark.parametrize("n_features", [1, 4, 6])
@both
def test_probabilities_of_all_frames_sum_to_1(chained, n_features):
    head = head_of(n_features, chained=chained, scale=2.0)
    frames = all_frames(n_features)
    outputs = normal(1, head.linear.out_features, scale=2.0).expand(len(frames), -1)
    total = head.log_likelihood(outputs, frames).exp().sum()
    torch.testing.assert_close(total, torch.ones_like(total))


def test_independent_notes_are_bernoullis():
    head = head_of(5, chained=False)
    outputs, frames = normal(32, 5), all_frames(5)
    expected = stats.bernoulli(expit(outputs.numpy())).logpmf(frames.numpy()).sum(axis=1)
    np.testing.assert_allclose(head.log_likelihood(outputs, frames), expected)


def test_chained_notes_are_those_of_the_published_equations():
    head, frames = head_of(5, chained=True), all_frames(5)
    outputs = normal(len(frames), head.linear.out_features)
    found = head.log_likelihood(outputs, frames).detach()
    for row, frame, value in zip(outputs.numpy(), frames.numpy(), found, strict=True):
        p = expit(nade(head, row, frame))
        np.testing.assert_allclose(value, np.log(np.where(frame > 0, p, 1 - p)).sum())


@both
def test_gradients_equal_finite_differences(chained):
    head = head_of(4, chained=chained, ends=True).requires_grad_()
    frames = torch.cat([all_frames(4)[[0, 5, 9, 15]], torch.tensor([[0.0], [0.0], [1.0], [0.0]])], dim=1)
    weights = [parameter for name, parameter in head.named_parameters() if "linear" not in name]

    def likelihood(outputs, *_):
        return head.log_likelihood(outputs, frames)

    assert torch.autograd.gradcheck(likelihood, (normal(4, head.linear.out_features).requires_grad_(), *weights))


def test_rows_without_gradient_are_computed_in_blocks(monkeypatch):
    head, frames = head_of(4, chained=True), all_frames(4)
    outputs = normal(len(frames), head.linear.out_features)
    expected = head.log_likelihood(outputs, frames)
    monkeypatch.setattr(module, "LARGEST_BLOCK", 50)
    with torch.no_grad():
        torch.testing.assert_close(head.log_likelihood(outputs, frames), expected)
        assert head.log_likelihood(outputs[:0], frames[:0]).shape == (0,)


@both
@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_frequencies_of_draws_are_the_probabilities(chained, temperature):
    """Those of chained notes are sharpened one by one, each given those that were drawn below it."""
    head, n = head_of(3, chained=chained, scale=1.5), 20_000
    outputs = normal(1, head.linear.out_features)
    drawn, is_end = head.draw(outputs.expand(n, -1), uniforms(n, head.n_uniforms), temperature)
    frames = all_frames(3)
    expected = []
    for frame in frames.numpy():
        log_odds = nade(head, outputs[0].numpy(), frame) if chained else outputs[0].numpy()
        p = expit(log_odds / temperature)
        expected.append(np.where(frame > 0, p, 1 - p).prod())
    counts = np.bincount((drawn.detach().numpy() @ [4, 2, 1]).astype(int), minlength=8)
    assert stats.chisquare(counts, n * np.array(expected)).pvalue > 0.01
    assert not is_end.any()


@given(
    n_features=st.integers(1, 7),
    n=st.integers(1, 6),
    chained=st.booleans(),
    ends=st.booleans(),
    seed=st.integers(0, 99),
)
@settings(deadline=None, max_examples=60)
def test_notes_are_drawn_one_by_one(n_features, n, chained, ends, seed):
    """A note is there if its uniform number is below its probability, given the notes that were drawn before."""
    head = head_of(n_features, chained=chained, ends=ends, seed=seed, scale=2.0)
    outputs, numbers = normal(n, head.linear.out_features, seed=seed), uniforms(n, head.n_uniforms, seed=seed)
    drawn, is_end = head.draw(outputs, numbers)
    best, best_end = head.best(outputs)
    for k in range(n):
        row, u = outputs[k].numpy(), numbers[k].numpy()
        if ends:
            assert is_end[k] == (u[0] < expit(row[-1]))
            assert best_end[k] == (row[-1] > 0)
            row, u = row[:-1], u[1:]
        wanted, greedy = np.zeros(n_features), np.zeros(n_features)
        for i in range(n_features):
            wanted[i] = u[i] < expit(nade(head, row, wanted)[i] if chained else row[i])
            greedy[i] = (nade(head, row, greedy)[i] if chained else row[i]) > 0
        assert drawn[k].tolist() == wanted.tolist()
        assert best[k].tolist() == greedy.tolist()


@both
def test_the_temperature_goes_from_the_best_to_any_frame(chained):
    head = head_of(6, chained=chained, ends=True)
    outputs, numbers = normal(50, head.linear.out_features), uniforms(50, head.n_uniforms)
    for temperature in (0, 1e-9):
        for found, best in zip(head.draw(outputs, numbers, temperature), head.best(outputs), strict=True):
            assert torch.equal(found, best)
    hot, is_end = head.draw(outputs, numbers, 1e9)
    assert torch.equal(hot, (numbers[:, 1:] < 0.5).double())
    assert torch.equal(is_end, numbers[:, 0] < 0.5)


@pytest.mark.parametrize("value", [0.0, 1.0])
@both
def test_frames_of_all_notes_or_none(chained, value):
    head = head_of(5, chained=chained)
    outputs = normal(2, head.linear.out_features)
    frames = torch.full((2, 5), value, dtype=torch.float64)
    expected = [
        np.log(expit((2 * value - 1) * (nade(head, row, np.full(5, value)) if chained else row))).sum()
        for row in outputs.numpy()
    ]
    np.testing.assert_allclose(head.log_likelihood(outputs, frames).detach(), expected)


def test_the_record_says_where_training_starts():
    spec = FrameHeadSpec.of((1.0, -2.0), end_log_odds=-3.0, chained=True, n_units=2)
    assert spec == FrameHeadSpec(5, (1.0, -2.0, 0.0, 0.0, -3.0), 2, True)
    assert (spec.n_units, FrameHeadSpec.of((1.0,)).n_units, FrameHeadSpec.of((1.0,)).ends) == (2, 0, False)
    head = built(spec)
    spec.settle(head)
    assert head.linear.bias.tolist() == [1, -2, 0, 0, -3]
