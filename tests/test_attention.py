"""Attention, against plain loops."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_rnn.networks.attention import Attention

KINDS = ["general", "dot", "additive"]


def drawn(kind, lengths, *, n_queries=3, size=4, seed=0):
    """An attention in float64, queries, and a memory that is as random on padding as elsewhere."""
    torch.manual_seed(seed)
    with torch.random.fork_rng():
        attention = Attention(kind, size, size if kind == "dot" else 5).double()
        queries = torch.randn(len(lengths), n_queries, size, dtype=torch.float64)
        memory = torch.randn(len(lengths), max(1, *lengths), size if kind == "dot" else 5, dtype=torch.float64)
    return attention, queries, memory, torch.tensor(lengths)


def score(attention, query, state):
    """How well a state answers a query, as the papers have it."""
    if attention.kind == "dot":
        return query @ state
    of_memory = attention.of_memory.weight.detach().numpy()
    if attention.kind == "general":
        return query @ of_memory @ state
    of_query, v = attention.of_query.weight.detach().numpy(), attention.score.weight.detach().numpy()[0]
    return v @ np.tanh(of_query @ query + of_memory @ state + attention.of_memory.bias.detach().numpy())


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=10)
@given(lengths=st.lists(st.integers(1, 5), min_size=2, max_size=4), seed=st.integers(0, 99))
def test_weights_and_what_is_seen_are_those_of_a_plain_loop(kind, lengths, seed):
    attention, queries, memory, n_steps = drawn(kind, lengths, seed=seed)
    keys = attention.keys(memory)
    seen, weights = (found.detach().numpy() for found in attention(queries, keys, memory, n_steps))
    for i, n in enumerate(lengths):
        for q in range(queries.shape[1]):
            scores = np.array([score(attention, queries[i, q].numpy(), memory[i, t].numpy()) for t in range(n)])
            wanted = np.exp(scores) / np.exp(scores).sum()
            np.testing.assert_allclose(weights[i, q, :n], wanted, rtol=0, atol=1e-12)
            np.testing.assert_array_equal(weights[i, q, n:], 0)
            np.testing.assert_allclose(seen[i, q], wanted @ memory[i, :n].numpy(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_a_memory_without_steps_shows_nothing(kind):
    attention, queries, memory, lengths = drawn(kind, [0, 2])
    seen, _ = attention(queries, attention.keys(memory), memory, lengths)
    assert (seen[0] == 0).all()
    assert (seen[1] != 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_finite_differences(kind):
    attention, queries, memory, lengths = drawn(kind, [3, 1], n_queries=2, size=2)
    inputs = (queries.requires_grad_(), memory.requires_grad_())
    assert torch.autograd.gradcheck(lambda q, m: attention(q, attention.keys(m), m, lengths), inputs)


def test_a_dot_product_needs_as_many_units_on_both_sides():
    with pytest.raises(ValueError, match=r"of the decoder, of 3 units, with those of the encoder, of 4: .*'general'"):
        Attention("dot", 3, 4)
