"""Decoders: at once and step by step, alone and in batches, and against torch's own layers."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from streaming import ENGINES
from torch import nn
from transducing import N_SYMBOLS, PLACES, decoder_network, pairs

from sklearn_rnn.networks.engines import Engine, using_engine
from sklearn_rnn.networks.heads import Below
from sklearn_rnn.networks.heads.decoder import DecoderHeadSpec, DecoderSpec
from sklearn_rnn.networks.pooling import step_mask

LENGTHS = ([3, 1, 4], [2, 5, 1])


def outputs_step_by_step(network, source, lengths, read):
    """Outputs of a decoder that reads one step at a time."""
    head = network.head
    states, lengths = network.encoded(source, lengths)
    memory, state = head.memory(states, lengths), head.first_state(states, lengths)
    one, found = torch.ones_like(lengths), []
    for t in range(read.shape[1]):
        said, state, _ = head.advance(read[:, t : t + 1], one, memory, state)
        found.append(head.output(said, one))
    return torch.cat(found, dim=1)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("cell", ["gru", "lstm", "mgu"])
@pytest.mark.parametrize(("attention", "attend"), PLACES)
def test_at_once_is_step_by_step(attention, attend, cell, engine):
    network = decoder_network(attention, attend, cell)
    source, lengths, read, target_lengths = pairs(*LENGTHS)
    with using_engine(Engine(engine)), torch.no_grad():
        at_once = network(source, lengths, read, target_lengths)
        by_step = outputs_step_by_step(network, source, lengths, read)
    inside = step_mask(target_lengths, read.shape[1])
    torch.testing.assert_close(at_once[inside], by_step[inside], rtol=0, atol=1e-10)


@pytest.mark.parametrize(("attention", "attend"), PLACES[:1] + PLACES[4:])
@settings(deadline=None, max_examples=6)
@given(
    lengths=st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=2, max_size=4),
    seed=st.integers(0, 99),
)
def test_a_pair_in_a_batch_is_as_it_is_alone(attention, attend, lengths, seed):
    network = decoder_network(attention, attend)
    source, n_source, read, n_target = pairs(*map(list, zip(*lengths, strict=True)), seed=seed)
    with torch.no_grad():
        together = network(source, n_source, read, n_target)
        for i, (n, m) in enumerate(lengths):
            alone = network(source[i : i + 1, :n], n_source[i : i + 1], read[i : i + 1, :m], n_target[i : i + 1])
            torch.testing.assert_close(together[i, :m], alone[0], rtol=0, atol=1e-10)


def of_torch(layer):
    """The layer of torch with the weights of one of ours."""
    kind = {"gru": nn.GRU, "lstm": nn.LSTM}[layer.cell_type]
    weights = layer.directions[0]
    found = kind(weights.weight_ih_l0.shape[1], layer.direction_size, batch_first=True).double()
    found.load_state_dict({name: weights.state_dict()[name] for name in found.state_dict()})
    return found


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("attend", ["between", "after", "none"])
def test_the_whole_network_is_that_of_torch(cell, attend):
    network = decoder_network(None if attend == "none" else "general", attend if attend != "none" else "after", cell)
    head = network.head
    source, lengths, read, target_lengths = pairs([4, 4], [3, 3])
    bridges = iter(head.bridges)

    def begun(layer, last):
        parts = [torch.tanh(next(bridges)(last))[None] for _ in layer.state_sizes]
        return tuple(parts) if cell == "lstm" else parts[0]

    with torch.no_grad():
        states, _ = of_torch(network.backbone.layers[0])(network.inputs(source))
        last, x = states[:, -1], head.inputs(read)
        if attend == "between":
            x, _ = of_torch(head.lower.layers[0])(x, begun(head.lower.layers[0], last))
        else:
            for layer in head.lower.layers:
                x, _ = of_torch(layer)(x, begun(layer, last))
        if attend != "none":
            scores = torch.einsum("btq,qm,bsm->bts", x, head.attention.of_memory.weight, states)
            x = torch.cat([x, scores.softmax(2) @ states], dim=2)
            if attend == "between":
                layer = head.upper.layers[0]
                x, _ = of_torch(layer)(x, begun(layer, last))
            else:
                x = torch.tanh(head.combine(x))
        wanted = nn.functional.linear(x, head.linear.weight, head.linear.bias)
        torch.testing.assert_close(network(source, lengths, read, target_lengths), wanted, rtol=0, atol=1e-10)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("attention", "attend"), [PLACES[0], PLACES[4]])
def test_gradients_are_those_of_finite_differences(attention, attend, engine):
    network = decoder_network(attention, attend, units=2)
    source, lengths, read, target_lengths = pairs([2, 1], [2, 3])
    inside = step_mask(target_lengths, 3)
    parameters = dict(network.named_parameters())
    parts = ["backbone.layers.0.directions.0.weight_hh_l0", "head.attention.of_memory.weight", "head.bridges.0.weight"]

    def loss(*values):
        given = {**parameters, **dict(zip(parts, values, strict=True))}
        return torch.func.functional_call(network, given, (source, lengths, read, target_lengths))[inside]

    with using_engine(Engine(engine)):
        values = tuple(parameters[name].detach().clone().requires_grad_() for name in parts)
        assert torch.autograd.gradcheck(loss, values)


def test_rows_that_share_a_source_see_what_rows_of_their_own_see():
    head = decoder_network().head
    states = torch.randn(2, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    memory = head.memory(states, torch.tensor([3, 2]))
    queries = torch.randn(5, 1, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    source, which = torch.tensor([1, 0, 1, 1, 0]), torch.tensor([0, 0, 1, 2, 1])
    shared = memory._replace(places=(source, which)).seen(head.attention, queries)
    alone = memory.take(source).seen(head.attention, queries)
    for one, two in zip(shared, alone, strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=1e-14)


def test_what_is_said_in_training_takes_the_place_of_some_steps():
    network = decoder_network(scheduled_sampling=0.5)
    batch = pairs(*LENGTHS)
    right = network(*batch)
    network.head.scheduled.generator = torch.Generator().manual_seed(0)
    network.train()
    mixed = network(*batch)
    torch.testing.assert_close(mixed[:, 0], right[:, 0])
    assert not torch.allclose(mixed, right)
    mixed.sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    network.head.scheduled.share = 0.0
    torch.testing.assert_close(network(*batch), right)


def test_attention_between_layers_needs_two():
    spec = DecoderHeadSpec(n_outputs=N_SYMBOLS, layers=DecoderSpec(hidden_sizes=(3,)), output=None)
    with pytest.raises(ValueError, match=r"which has 1: give it 2, or set attend='after'"):
        spec.build(Below(3, 3))
