"""Layers and stacks over padded batches: every sequence as if it were alone."""

import copy

import numpy as np
import oracles
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from sklearn_rnn.networks.dropout import sample_mask, set_generator
from sklearn_rnn.networks.engines import Engine, using_engine
from sklearn_rnn.networks.recurrent import DroppedWeights, RecurrentLayer, RecurrentStack, reverse_within_length

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


stacks = st.fixed_dictionaries(
    {
        "cell": st.sampled_from(list(oracles.CELLS)),
        "hidden_sizes": st.sampled_from([[3], [4, 3]]),
        "bidirectional": st.booleans(),
        "residual": st.booleans(),
        "layer_norm": st.booleans(),
        "tbptt_steps": st.sampled_from([None, 1, 2]),
    }
)


def make_stack(cell, hidden_sizes, **options):
    cell_type, own = oracles.CELLS[cell]
    return draw(RecurrentStack(cell_type, N_IN, hidden_sizes, **own, **options))


@given(options=stacks, lengths=st.lists(st.integers(1, 6), min_size=1, max_size=5), n_extra=st.integers(0, 2))
@settings(deadline=None, max_examples=25)
def test_padded_batch_equals_each_sequence_alone(options, lengths, n_extra):
    """States and gradients, whatever numbers lie in the padding, in training mode too."""
    stack = make_stack(**options)
    x, tensor = random_batch(lengths, n_extra=n_extra)
    x.requires_grad_()
    parameters = list(stack.parameters())
    states = stack(x, tensor)
    coefficients = torch.randn(states.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    inside = torch.arange(len(x))[:, None] < tensor
    together = torch.autograd.grad((states * coefficients)[inside].sum(), [x, *parameters])
    alone = [torch.zeros_like(parameter) for parameter in parameters]
    for b, length in enumerate(lengths):
        single = x[:length, b : b + 1].detach().requires_grad_()
        expected = stack(single, tensor[b : b + 1])
        torch.testing.assert_close(states[:length, b], expected[:, 0], rtol=1e-12, atol=1e-12)
        loss = (expected[:, 0] * coefficients[:length, b]).sum()
        gradient = torch.autograd.grad(loss, [single, *parameters])
        torch.testing.assert_close(together[0][:length, b], gradient[0][:, 0], rtol=1e-10, atol=1e-12)
        assert (together[0][length:, b] == 0).all()
        alone = [total + part for total, part in zip(alone, gradient[1:], strict=True)]
    for total, part in zip(together[1:], alone, strict=True):
        torch.testing.assert_close(total, part, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("options", [{}, {"tbptt_steps": 2}, {"recurrent_dropout": 0.5}, {"recorded": True}])
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


def truncated_loss(cell, x, weights, coefficients, chunk, frozen):
    """The loss of one sequence with the state at each multiple of `chunk` steps taken from the weights `frozen`."""
    total = 0.0
    for start in range(0, len(x), chunk):
        state = oracles.states(cell, x[:start], frozen)[1] if start else None
        states, _ = oracles.states(cell, x[start : start + chunk], weights, state)
        total += (states * coefficients[start : start + chunk]).sum()
    return total


@every_cell
@pytest.mark.parametrize("stepwise", [False, True])
@pytest.mark.parametrize("chunk", [1, 3])
def test_truncated_gradient_equals_finite_differences_with_frozen_states(cell, stepwise, chunk):
    layer = make_layer(cell, tbptt_steps=chunk)
    layer.recorded = [] if stepwise else None  # takes the path of recurrent dropout
    weights = {name: p.detach().numpy().copy() for name, p in layer.directions[0].named_parameters()}
    x, lengths = random_batch([5])
    states = layer(x, lengths)
    full = oracles.states(cell, x[:, 0].numpy(), weights)[0]
    np.testing.assert_allclose(states[:, 0].detach().numpy(), full, atol=1e-13)
    coefficients = np.random.default_rng(0).normal(size=full.shape)
    (states[:, 0] * torch.from_numpy(coefficients)).sum().backward()
    expected = oracles.finite_differences(
        lambda moved: truncated_loss(cell, x[:, 0].numpy(), moved, coefficients, chunk, weights), weights
    )
    for name, parameter in layer.directions[0].named_parameters():
        np.testing.assert_allclose(parameter.grad.numpy(), expected[name], rtol=1e-6, atol=1e-8)


@every_cell
def test_truncation_ends_with_training(cell):
    layer = make_layer(cell, tbptt_steps=2)
    x, lengths = random_batch([6])
    x = x.abs().requires_grad_()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.abs_()  # so that relu lets all through
    first_step = []
    for mode in (True, False):
        (gradient,) = torch.autograd.grad(layer.train(mode)(x, lengths)[-1].sum(), x)
        first_step.append(float(gradient[0].abs().sum()))
    assert first_step[0] == 0
    assert first_step[1] > 0


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


@every_cell
def test_dropout_is_inactive_in_evaluation(cell):
    cell_type, own = oracles.CELLS[cell]
    options = {"bidirectional": True, **own}
    with_dropout = draw(
        RecurrentStack(cell_type, N_IN, [3, 3], dropout=0.5, recurrent_dropout=0.5, weight_dropout=0.5, **options)
    )
    without = draw(RecurrentStack(cell_type, N_IN, [3, 3], **options))
    x, lengths = random_batch([4, 2])
    set_generator(with_dropout, torch.Generator().manual_seed(0))
    torch.testing.assert_close(with_dropout.eval()(x, lengths)[:2], without.eval()(x, lengths)[:2])
    assert not torch.allclose(with_dropout.train()(x, lengths)[:2], without(x, lengths)[:2])


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


@pytest.mark.parametrize("path", ["fused", "recorded", "truncated"])
@pytest.mark.parametrize("bidirectional", [False, True])
@every_cell
def test_weight_dropout_is_a_layer_with_masked_weights(cell, bidirectional, path):
    """At all steps the same, one mask a direction; states and gradients, on all ways through the layer."""
    tbptt_steps = 2 if path == "truncated" else None
    layer = make_layer(cell, bidirectional=bidirectional, weight_dropout=0.4, tbptt_steps=tbptt_steps)
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
    weights = draw(RecurrentLayer("gru", 1, 60)).directions[0]
    generator = torch.Generator().manual_seed(0)
    one, other = (DroppedWeights(weights, p, generator).weight_hh_l0.detach() for _ in range(2))
    kept = one != 0
    torch.testing.assert_close(one[kept], weights.weight_hh_l0.detach()[kept] / (1 - p))
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


@pytest.mark.parametrize("tied", [False, True])
def test_tied_dropout_between_layers_drops_the_same_at_all_steps(tied):
    stack = draw(RecurrentStack("gru", N_IN, [40, 3], dropout=0.5, tied_dropout=tied))
    set_generator(stack, torch.Generator().manual_seed(0))
    seen = []
    stack.layers[0].register_forward_hook(lambda module, inputs, output: seen.append(output))
    stack.layers[1].register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    x, lengths = random_batch([9, 9])
    stack(x, lengths)
    whole, dropped = (part.view(9, 2, 40) for part in seen)  # packed or not, as no sequence is shorter
    kept = dropped != 0
    torch.testing.assert_close(dropped, torch.where(kept, 2 * whole, 0))
    assert 0.3 < float(kept.double().mean()) < 0.7
    assert bool((kept == kept[0]).all()) == tied
    assert (kept[:, 0] != kept[:, 1]).any(), "each sequence has a mask of its own"


def silence(stack):
    """Make the recurrences of a stack return 0 at every step."""
    with torch.no_grad():
        for layer in stack.layers:
            for parameter in layer.parameters():
                parameter.zero_()


@every_cell
def test_residual_adds_the_input_of_each_layer(cell):
    plain, residual = make_stack(cell, [4, 4]), make_stack(cell, [4, 4], residual=True)
    residual.layers.load_state_dict(plain.layers.state_dict())
    x, lengths = random_batch([3, 2])
    first = plain.layers[0](x, lengths) + residual.skips[0](x)
    assert (first != plain.layers[0](x, lengths)).any()
    expected = plain.layers[1](first, lengths) + first
    torch.testing.assert_close(residual(x, lengths)[:2], expected[:2])


def test_skip_connection_has_weights_only_where_sizes_differ():
    skips = RecurrentStack("gru", 4, [4, 3], residual=True).skips
    assert [tuple(parameter.shape) for parameter in skips.parameters()] == [(3, 4)]


def test_dropout_between_layers_spares_the_input_and_the_skip_connections():
    stack = draw(RecurrentStack("gru", 3, [3, 3], residual=True, dropout=0.5))
    silence(stack)
    x = torch.randn(4, 2, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert torch.equal(stack.train()(x, torch.tensor([4, 4])), x)


@every_cell
def test_layer_norm_normalises_the_output_of_each_layer(cell):
    plain, normed = make_stack(cell, [4, 3]), make_stack(cell, [4, 3], layer_norm=True)
    normed.layers.load_state_dict(plain.layers.state_dict())
    x, lengths = random_batch([3, 2])
    expected = x
    for layer, norm in zip(plain.layers, normed.norms, strict=True):
        hidden = layer(expected, lengths)
        centred = hidden - hidden.mean(-1, keepdim=True)
        unit = centred / torch.sqrt(hidden.var(-1, unbiased=False, keepdim=True) + 1e-5)
        expected = unit * norm.weight + norm.bias
    torch.testing.assert_close(normed(x, lengths)[:2], expected[:2])


def test_residual_comes_before_layer_norm():
    stack = draw(RecurrentStack("gru", 3, [3], residual=True, layer_norm=True))
    silence(stack)
    x = torch.randn(4, 1, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    norm = stack.norms[0]
    torch.testing.assert_close(stack(x, torch.tensor([4])), F.layer_norm(x, (3,), norm.weight, norm.bias))


@pytest.mark.parametrize("engine", ["auto", "torch"])
@pytest.mark.parametrize("given", [torch.float32, torch.float64])
@pytest.mark.parametrize("options", [{}, {"residual": True}, {"layer_norm": True}])
def test_recurrences_of_another_type_than_all_around_them(options, given, engine):
    stack = make_stack("lstm", [4, 5], bidirectional=True, **options).eval()
    mixed = copy.deepcopy(stack)
    mixed.layers.float()
    mixed.outer_dtype = torch.float64
    x, lengths = random_batch([3, 5, 1])
    with torch.inference_mode(), using_engine(Engine(engine)):
        found, expected = mixed(x.to(given), lengths), stack(x, lengths)
    assert found.dtype == torch.float64
    for i, length in enumerate(lengths):
        torch.testing.assert_close(found[:length, i], expected[:length, i], rtol=1e-5, atol=1e-6)
        assert not torch.equal(found[:length, i], expected[:length, i])
