"""The whole network: what it returns for a sequence does not depend on what is beside it."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import MIXED, POOLINGS, TOKENS, make_network, random_values

from sklearn_rnn.networks.dropout import set_generator

networks = st.fixed_dictionaries(
    {
        "cell_type": st.sampled_from(["rnn", "lstm", "gru"]),
        "nonlinearity": st.sampled_from(["tanh", "relu"]),
        "bidirectional": st.booleans(),
        "hidden_sizes": st.sampled_from([(3,), (2, 3)]),
        "residual": st.booleans(),
        "layer_norm": st.booleans(),
        "pooling": st.sampled_from(POOLINGS),
        "layout": st.sampled_from([None, TOKENS, MIXED]),
        "char_encoder": st.sampled_from(["cnn", "lstm"]),
        "seed": st.integers(0, 2**16),
    }
)
ragged = st.lists(st.integers(1, 7), min_size=1, max_size=5)


@given(parameters=networks, lengths=ragged, n_extra=st.integers(0, 3))
@settings(deadline=None, max_examples=25)
def test_padded_batch_equals_each_sequence_alone(parameters, lengths, n_extra):
    network = make_network(**parameters).eval()
    values, tensor = random_values(network, lengths, parameters["seed"], n_extra), torch.tensor(lengths)
    compute = [network, network.hidden_states, network.representation]
    if parameters["pooling"] == "attention":
        compute.append(lambda *batch: network.head.attention_weights(network.hidden_states(*batch), batch[1]))
    for function in compute:
        together = function(values, tensor).detach()
        for i, length in enumerate(lengths):
            alone = function(values[i : i + 1, :length], tensor[i : i + 1])[0].detach()
            mine = together[i] if together[i].shape == alone.shape else together[i, :length]
            torch.testing.assert_close(mine, alone, rtol=1e-12, atol=1e-12)


@given(parameters=networks, lengths=ragged, n_extra=st.integers(0, 3))
@settings(deadline=None, max_examples=25)
def test_padding_has_no_influence_on_the_gradient(parameters, lengths, n_extra):
    """Garbage on the padding gives the gradient that zeros give, and gets none itself."""
    network = make_network(**parameters)
    garbage, tensor = random_values(network, lengths, parameters["seed"], n_extra), torch.tensor(lengths)
    inside = torch.arange(garbage.shape[1]) < tensor[:, None]
    padding = ~inside if garbage.ndim == 2 else ~inside[:, :, None].expand_as(garbage)
    larger = garbage.clone()
    if garbage.is_floating_point():
        larger[:, :, -2:] *= 1e3  # what comes before are indices, if there are any
    gradients = []
    for values in (torch.where(padding, larger, garbage), garbage.masked_fill(padding, 0)):
        wanted = list(network.parameters())
        if values.is_floating_point():
            wanted.append(values.requires_grad_())
        outputs = network(values, tensor)
        outputs = outputs[inside] if parameters["pooling"] is None else outputs
        weights = torch.linspace(-1, 2, outputs.numel(), dtype=torch.float64).view(outputs.shape)
        gradients.append(torch.autograd.grad((outputs * weights).sum(), wanted, allow_unused=True))
    for with_garbage, with_zeros in zip(*gradients, strict=True):
        torch.testing.assert_close(with_garbage, with_zeros, rtol=1e-11, atol=1e-12)
    if garbage.is_floating_point():
        assert (gradients[0][-1][padding] == 0).all()


def test_permuted_batch_gives_permuted_outputs():
    network = make_network(bidirectional=True).eval()
    lengths = [3, 7, 1, 5]
    values, tensor, order = random_values(network, lengths, 0), torch.tensor(lengths), torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(network(values[order], tensor[order]), network(values, tensor)[order])


def test_representation_without_pooling_is_the_mean_of_the_states():
    network = make_network(pooling=None).eval()
    values, lengths = random_values(network, [3, 2, 1], 0), torch.tensor([3, 2, 0])
    states, vectors = network.hidden_states(values, lengths), network.representation(values, lengths)
    torch.testing.assert_close(vectors[0], states[0].mean(0))
    torch.testing.assert_close(vectors[1], states[1, :2].mean(0))
    assert (vectors[2] == 0).all(), "an empty sequence"


def test_dropout_before_the_head():
    network = make_network(dropout=0.5, hidden_sizes=(50,))
    values, lengths = random_values(network, [3, 2], 0), torch.tensor([3, 2])
    seen = []
    network.head.linear.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    network.eval()(values, lengths)
    set_generator(network, torch.Generator().manual_seed(0))
    network.train()(values, lengths)
    whole, dropped = seen
    kept = dropped != 0
    torch.testing.assert_close(dropped[kept], 2 * whole[kept])
    assert 0.3 < float(kept.double().mean()) < 0.7


@pytest.mark.parametrize("pooling", [None, "mean"])
@pytest.mark.parametrize("tied", [False, True])
def test_tied_dropout_before_the_head_drops_the_same_at_all_steps(tied, pooling):
    """Of a pooled vector there is one a sequence, and nothing to tie."""
    network = make_network(dropout=0.5, hidden_sizes=(50,), pooling=pooling, tied_dropout=tied)
    values, lengths = random_values(network, [6, 6], 0), torch.tensor([6, 6])
    seen = []
    network.head.linear.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    set_generator(network, torch.Generator().manual_seed(0))
    network.train()(values, lengths)
    (kept,) = (vectors != 0 for vectors in seen)
    assert (kept[0] != kept[1]).any(), "each sequence has a mask of its own"
    if pooling is None:
        assert bool((kept == kept[:, :1]).all()) == tied
    else:
        assert kept.shape == (2, 50)


def test_every_dropout_is_handed_down():
    shares = {"embedding_dropout": 0.1, "word_dropout": 0.2, "weight_dropout": 0.3, "recurrent_dropout": 0.4}
    network = make_network(layout=TOKENS, pooling=None, dropout=0.5, hidden_sizes=(3, 3), tied_dropout=True, **shares)
    layers = network.backbone.layers
    assert (network.inputs.dropout.p, network.inputs.word_dropout) == (0.1, 0.2)
    assert {(layer.weight_dropout, layer.recurrent_dropout) for layer in layers} == {(0.3, 0.4)}
    assert (network.backbone.dropout.p, network.head.dropout.p) == (0.5, 0.5)
    dimensions = [part.tied_dim for part in (network.inputs.dropout, network.backbone.dropout, network.head.dropout)]
    assert dimensions == [1, 0, 1], "inputs and head are (batch, n_steps, ...), layers (n_steps, batch, ...)"


@pytest.mark.parametrize("kind", ["cnn", "lstm", None])
def test_input_of_the_backbone_is_as_wide_as_what_is_joined(kind):
    network = make_network(layout=MIXED, char_encoder=kind)
    width = 3 + 2 + 2 + (4 if kind else 0)
    assert network.backbone.layers[0].directions[0].input_size == network.inputs.output_size == width


@pytest.mark.parametrize(("layout", "dim"), [(None, None), (TOKENS, 3), (MIXED, 3)])
def test_token_dim(layout, dim):
    assert make_network(layout=layout).token_dim == dim


@pytest.mark.parametrize("cell_type", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("weight_init", ["auto", "torch"])
def test_building_and_training_mode_leave_the_global_generator_alone(cell_type, weight_init):
    before = torch.get_rng_state()
    network = make_network(
        cell_type=cell_type,
        weight_init=weight_init,
        hidden_sizes=(3, 3),
        layout=MIXED,
        char_encoder="lstm",
        pooling="attention",
        residual=True,
        layer_norm=True,
        dropout=0.5,
        recurrent_dropout=0.5,
        weight_dropout=0.5,
        embedding_dropout=0.5,
        word_dropout=0.5,
    )
    set_generator(network, torch.Generator().manual_seed(0))
    network(random_values(network, [3, 2], 0), torch.tensor([3, 2]))
    assert torch.equal(torch.get_rng_state(), before)


def test_seed_decides_the_first_weights():
    one, same, other = (make_network(weight_init="auto", seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["head.linear.weight"], other["head.linear.weight"])
    assert all(torch.isfinite(value).all() for value in one.values())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtype(dtype):
    assert {parameter.dtype for parameter in make_network(dtype=dtype).parameters()} == {dtype}


@pytest.mark.parametrize("layout", [None, TOKENS, MIXED])
def test_a_network_goes_on_from_where_it_was(layout):
    network = make_network(cell_type="lstm", layout=layout, char_encoder="cnn", hidden_sizes=(3, 2)).eval()
    lengths = torch.tensor([5, 2, 3])
    values = random_values(network, [5, 2, 3], 0)
    whole, end = network.advance(values, lengths)
    assert torch.equal(whole, network.hidden_states(values, lengths))
    first, state = network.advance(values[:, :3], lengths.clamp(max=3))
    second, last = network.advance(values[:, 3:], (lengths - 3).clamp(min=0), state)
    torch.testing.assert_close(torch.cat([first[0], second[0]]), whole[0])
    for ours, theirs in zip(last.layers, end.layers, strict=True):
        torch.testing.assert_close(ours, theirs)
