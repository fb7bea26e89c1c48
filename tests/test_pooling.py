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
    if name == "concat":
        return torch.cat([definition(part, states, direction_size, pooling) for part in ("last", "mean", "max")])
    scores = torch.stack([pooling.score(torch.tanh(pooling.project(state)))[0] for state in states])
    weights = torch.exp(scores) / torch.exp(scores).sum()
    return (weights[:, None] * states).sum(0)


@given(
    name=st.sampled_from(["last", "mean", "max", "concat", "attention"]),
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


@pytest.mark.parametrize("name", ["last", "mean", "max", "concat", "attention"])
def test_not_even_infinity_on_padding_is_seen(name):
    pooling = make_pooling(name, SIZE, SIZE)
    states = torch.zeros(1, 3, SIZE)
    states[0, 2] = torch.inf
    assert torch.equal(pooling(states, torch.tensor([2])), torch.zeros(1, pooling.output_size))


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


@given(
    name=st.sampled_from(["last", "mean", "max", "concat", "attention"]),
    direction_size=st.sampled_from([SIZE, SIZE // 2]),
    lengths=st.lists(st.integers(1, 8), min_size=1, max_size=4),
    data=st.data(),
)
@settings(deadline=None, max_examples=60)
def test_running_values_and_shares_give_the_pooled_vector_and_its_gradient(name, direction_size, lengths, data):
    """Of a batch that is cut anywhere; some of its states are equal, so that a maximum may be shared."""
    generator = torch.Generator().manual_seed(sum(lengths))
    pooling = make_pooling(name, SIZE, direction_size).double()
    states = torch.randint(-2, 2, (len(lengths), max(lengths) + 1, SIZE), generator=generator).double().requires_grad_()
    tensor = torch.tensor(lengths)
    cuts = sorted(data.draw(st.sets(st.integers(1, states.shape[1] - 1), max_size=4)))
    stretches = list(zip([0, *cuts], [*cuts, states.shape[1]], strict=True))
    inputs = [states, *pooling.parameters()]
    pooled = pooling(states, tensor)
    coefficients = torch.randn(pooled.shape, generator=generator, dtype=torch.float64)
    wanted = torch.autograd.grad((pooled * coefficients).sum(), inputs)
    running = pooling.begin(len(lengths), states.detach())
    with torch.no_grad():
        for start, stop in stretches:
            running = pooling.go_on(running, states[:, start:stop], (tensor - start).clamp(0, stop - start))
    torch.testing.assert_close(pooling.result(running), pooled, rtol=1e-12, atol=1e-12)
    shares = [
        pooling.share(running, states[:, start:stop], (tensor - start).clamp(0, stop - start), start)
        for start, stop in stretches
    ]
    found = torch.autograd.grad([(share * coefficients).sum() for share in shares], inputs)
    for ours, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", ["mean", "attention"])
def test_sums_are_in_the_type_of_the_network(name):
    pooling = make_pooling(name, SIZE, SIZE).double()
    states, lengths = torch.randn(2, 5, SIZE, generator=torch.Generator().manual_seed(0)), torch.tensor([5, 3])
    assert torch.equal(pooling(states, lengths), pooling(states.double(), lengths))
    assert pooling.result(pooling.go_on(pooling.begin(2, states), states, lengths)).dtype == torch.float64


@pytest.mark.parametrize("name", ["last", "concat", "attention"])
def test_features_of_convolutions_are_averaged_behind_the_states(name):
    generator = torch.Generator().manual_seed(0)
    joined = make_pooling(name, SIZE, SIZE // 2, convolved=2).double()
    alone = make_pooling(name, SIZE, SIZE // 2).double()
    alone.load_state_dict(joined.parts[0].state_dict())
    states = torch.randn(2, 5, SIZE + 2, generator=generator, dtype=torch.float64)
    lengths = torch.tensor([5, 3])
    pooled = joined(states, lengths)
    assert pooled.shape == (2, joined.output_size)
    torch.testing.assert_close(pooled[:, :-2], alone(states[:, :, :SIZE], lengths))
    torch.testing.assert_close(pooled[1, -2:], states[1, :3, SIZE:].mean(0))
    running = joined.go_on(joined.begin(2, states), states, lengths)
    torch.testing.assert_close(joined.result(running), pooled)


def test_only_attention_has_weights():
    states, lengths = torch.randn(2, 4, SIZE + 2, generator=torch.Generator().manual_seed(0)), torch.tensor([4, 2])
    attention = make_pooling("attention", SIZE, SIZE, convolved=2)
    assert torch.equal(attention.weights(states, lengths), attention.parts[0].weights(states[:, :, :SIZE], lengths))
    with pytest.raises(TypeError, match="MeanPooling has no weights"):
        make_pooling("mean", SIZE, SIZE).weights(states, lengths)


def test_step_mask():
    assert step_mask(torch.tensor([2, 0, 3]), 3).tolist() == [[True, True, False], [False] * 3, [True] * 3]
