"""Each pooling against its definition, sequence by sequence."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_rnn.networks.pooling import make_pooling, step_mask

SIZE = 6


def definition(name, states, direction_size, pooling):
    """The pooled vector of the states (length, units) of one sequence."""
    if name == "last":
        return torch.cat([states[-1, :direction_size], states[0, direction_size:]])
    if name == "mean":
        return states.mean(0)
    if name == "max":
        return states.max(0).values
    scores = torch.stack([pooling.score(torch.tanh(pooling.project(state)))[0] for state in states])
    weights = torch.exp(scores) / torch.exp(scores).sum()
    return (weights[:, None] * states).sum(0)


@given(
    name=st.sampled_from(["last", "mean", "max", "attention"]),
    direction_size=st.sampled_from([SIZE, SIZE // 2]),
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=5),
    n_extra=st.integers(0, 2),
)
@settings(deadline=None, max_examples=40)
def test_pooling_is_its_definition_on_each_sequence(name, direction_size, lengths, n_extra):
    generator = torch.Generator().manual_seed(sum(lengths))
    pooling = make_pooling(name, SIZE, direction_size).double()
    shape = (len(lengths), max(lengths) + n_extra, SIZE)
    states = torch.randn(shape, generator=generator, dtype=torch.float64) - 3  # so that 0 would win a maximum
    pooled = pooling(states, torch.tensor(lengths))
    for i, length in enumerate(lengths):
        expected = definition(name, states[i, :length], direction_size, pooling)
        torch.testing.assert_close(pooled[i], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["last", "mean", "max", "attention"])
def test_not_even_infinity_on_padding_is_seen(name):
    pooling = make_pooling(name, SIZE, SIZE)
    states = torch.zeros(1, 3, SIZE)
    states[0, 2] = torch.inf
    assert torch.equal(pooling(states, torch.tensor([2])), torch.zeros(1, SIZE))


@given(lengths=st.lists(st.integers(1, 6), min_size=1, max_size=5))
@settings(deadline=None, max_examples=40)
def test_attention_weights_sum_to_one_and_are_zero_on_padding(lengths):
    pooling = make_pooling("attention", SIZE, SIZE).double()
    states = torch.randn(len(lengths), 7, SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    weights = pooling.weights(states, torch.tensor(lengths))
    inside = step_mask(torch.tensor(lengths), 7)
    assert (weights[~inside] == 0).all()
    assert (weights[inside] > 0).all()
    torch.testing.assert_close(weights.sum(1), torch.ones(len(lengths), dtype=torch.float64))


def test_step_mask():
    assert step_mask(torch.tensor([2, 0, 3]), 3).tolist() == [[True, True, False], [False] * 3, [True] * 3]
