"""Layers of one or both directions over padded batches: every sequence as if it were alone."""

import copy

import numpy as np
import oracles
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_rnn.networks.dropout import sample_mask, set_generator
from sklearn_rnn.networks.layer import RecurrentLayer, reverse_within_length

N_IN = 2
every_cell = pytest.mark.parametrize("cell", oracles.CELLS)


def draw(module, seed=0):
    """The module in float64, its weights drawn in [-0.7, 0.7]."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.double().parameters():
            parameter.uniform_(-0.7, 0.7, generator=generator)
    return module


def make_layer(cell, **options):
    cell_type, own = oracles.CELLS[cell]
    return draw(RecurrentLayer(cell_type, N_IN, 3, **own, **options))


def random_batch(lengths, seed=1, n_extra=0):
    """Values (n_steps, batch, features), on padding as random as elsewhere, and the lengths."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(max(lengths) + n_extra, len(lengths), N_IN, generator=generator, dtype=torch.float64)
    return x, torch.tensor(lengths)


@given(lengths=st.lists(st.integers(0, 6), min_size=1, max_size=5), n_extra=st.integers(0, 2))
@settings(deadline=None)
def test_reversal_stays_within_each_length(lengths, n_extra):
    x, tensor = random_batch([max(length, 1) for length in lengths], n_extra=n_extra)
    tensor = torch.tensor(lengths)
    turned = reverse_within_length(x, tensor)
    for b, length in enumerate(lengths):
        assert torch.equal(turned[:length, b], x[:length, b].flip(0))
        assert torch.equal(turned[length:, b], x[length:, b])
    assert torch.equal(reverse_within_length(turned, tensor), x)


@every_cell
def test_second_direction_is_the_recurrence_over_the_reversed_sequence(cell):
    layer = make_layer(cell, bidirectional=True)
    x, lengths = random_batch([4, 1, 3], n_extra=1)
    states = layer(x, lengths).detach().numpy()
    size = layer.direction_size
    forward, backward = (
        {name: parameter.detach().numpy() for name, parameter in weights.named_parameters()}
        for weights in layer.directions
    )
    for b, length in enumerate(lengths.tolist()):
        steps = x[:length, b].numpy()
        np.testing.assert_allclose(states[:length, b, :size], oracles.states(cell, steps, forward)[0], atol=1e-13)
        turned = oracles.states(cell, steps[::-1], backward)[0][::-1]
        np.testing.assert_allclose(states[:length, b, size:], turned, atol=1e-13)


@pytest.mark.parametrize("options", [{}, {"recurrent_dropout": 0.5}, {"recorded": True}])
def test_relu_does_not_grow_on_padding(options):
    """A recurrent weight of 4 takes the state of the short sequence to infinity on the padding, in float32."""
    options = dict(options)
    recorded = options.pop("recorded", False)
    layer = RecurrentLayer("rnn", 1, 1, nonlinearity="relu", **options)
    with torch.no_grad():
        for parameter, value in zip(layer.parameters(), (1.0, 4.0, 0.0, 0.0), strict=True):
            parameter.fill_(value)
    layer.recorded = [] if recorded else None
    x = torch.zeros(400, 2, 1)
    x[0, 0] = 1.0
    states = layer(x, torch.tensor([2, 400]))
    assert torch.isfinite(states).all()
    states[:2, 0].sum().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in layer.parameters())


@pytest.mark.parametrize("bidirectional", [False, True])
def test_recurrent_dropout_draws_one_mask_for_all_steps(bidirectional):
    """With the identity as recurrent weight and no input, relu hands on exactly what the mask lets through: at step t
    a unit has been scaled t times or is 0, and units that are still there at the second step are there at the last."""
    n_units, n_steps, p = 200, 12, 0.25
    layer = RecurrentLayer("rnn", 1, n_units, nonlinearity="relu", recurrent_dropout=p, bidirectional=bidirectional)
    with torch.no_grad():
        for weights in layer.double().directions:
            for parameter in weights.parameters():
                parameter.zero_()
            weights.weight_hh_l0.copy_(torch.eye(n_units))
            weights.weight_ih_l0.fill_(1.0)
    set_generator(layer, torch.Generator().manual_seed(0))
    x = torch.zeros(n_steps, 2, 1, dtype=torch.float64)
    x[0] = x[-1] = 1.0  # for each direction the step that it reads first
    states = layer(x, torch.tensor([n_steps, n_steps]))
    before_last_input = states[: n_steps - 1, :, :n_units]
    kept = before_last_input[1] > 0
    scale = (1 / (1 - p)) ** torch.arange(n_steps - 1, dtype=torch.float64)
    torch.testing.assert_close(
        before_last_input, torch.where(kept | (scale == 1)[:, None, None], scale[:, None, None], 0)
    )
    assert abs(float(kept.double().mean()) - (1 - p)) < 0.08
    assert (kept[0] != kept[1]).any(), "each sequence has a mask of its own"
    if bidirectional:
        kept_backward = states[-2, :, n_units:] > 0
        assert (kept != kept_backward).any(), "each direction has a mask of its own"


def with_masked_weights(layer, p, generator):
    """A copy of the layer without dropout, a mask for each direction multiplied into its recurrent weights."""
    masked = copy.deepcopy(layer)
    masked.weight_dropout = 0.0
    masks = []
    with torch.no_grad():
        for weights in masked.directions:
            masks.append(sample_mask(weights.weight_hh_l0, tuple(weights.weight_hh_l0.shape), p, generator))
            weights.weight_hh_l0.mul_(masks[-1])
    return masked, masks


@pytest.mark.parametrize("path", ["fused", "recorded"])
@pytest.mark.parametrize("bidirectional", [False, True])
@every_cell
def test_weight_dropout_is_a_layer_with_masked_weights(cell, bidirectional, path):
    """At all steps the same, one mask a direction; states and gradients, on all ways through the layer."""
    layer = make_layer(cell, bidirectional=bidirectional, weight_dropout=0.4)
    layer.recorded = [] if path == "recorded" else None
    set_generator(layer, torch.Generator().manual_seed(3))
    masked, masks = with_masked_weights(layer, 0.4, torch.Generator().manual_seed(3))
    x, lengths = random_batch([6, 3, 1])
    states, expected = layer(x, lengths), masked(x, lengths)
    inside = torch.arange(6)[:, None] < lengths
    torch.testing.assert_close(states[inside], expected[inside], rtol=1e-12, atol=1e-12)
    coefficients = torch.randn(states.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    gradients = [
        torch.autograd.grad((hidden * coefficients)[inside].sum(), list(part.parameters()))
        for hidden, part in ((states, layer), (expected, masked))
    ]
    directions = iter(masks)
    for (name, _), one, other in zip(layer.named_parameters(), *gradients, strict=True):
        wanted = other * next(directions) if name.endswith("weight_hh_l0") else other
        torch.testing.assert_close(one, wanted, rtol=1e-10, atol=1e-12)
    if bidirectional:
        assert (masks[0] != masks[1]).any(), "each direction has a mask of its own"


@every_cell
def test_weight_dropout_beside_recurrent_dropout(cell):
    """The mask of the weights is drawn first, then that of the states."""
    layer = make_layer(cell, weight_dropout=0.4, recurrent_dropout=0.5)
    generator = torch.Generator().manual_seed(3)
    masked, _ = with_masked_weights(layer, 0.4, generator)
    set_generator(masked, generator)
    set_generator(layer, torch.Generator().manual_seed(3))
    x, lengths = random_batch([6, 3])
    torch.testing.assert_close(layer(x, lengths), masked(x, lengths))


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_weight_dropout_drops_its_share_anew_for_each_batch(p):
    layer = draw(RecurrentLayer("gru", 1, 60, weight_dropout=p))
    layer.generator = torch.Generator().manual_seed(0)
    one, other = (next(layer._weights()).weight_hh_l0.detach() for _ in range(2))
    kept = one != 0
    torch.testing.assert_close(one[kept], layer.directions[0].weight_hh_l0.detach()[kept] / (1 - p))
    assert abs(float(kept.double().mean()) - (1 - p)) < 0.02
    assert (kept != (other != 0)).any()


def test_weight_dropout_leaves_the_weights_as_they_were():
    layer = make_layer("lstm", bidirectional=True, weight_dropout=0.5)
    before = {name: parameter.detach().clone() for name, parameter in layer.named_parameters()}
    x, lengths = random_batch([4, 2])
    set_generator(layer, torch.Generator().manual_seed(0))
    layer(x, lengths).sum().backward()
    for name, parameter in layer.named_parameters():
        assert torch.equal(parameter, before[name])
        assert parameter.grad is not None, name
