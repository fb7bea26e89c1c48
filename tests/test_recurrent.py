"""Stacks of layers over padded batches: every sequence as if it were alone, and what lies between the layers."""

import copy

import numpy as np
import oracles
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_layer import N_IN, draw, every_cell, random_batch
from torch.nn import functional as F

from sklearn_rnn.networks.dropout import hold_masks, sample_mask, set_generator
from sklearn_rnn.networks.engines import Engine, kernels_installed, using_engine
from sklearn_rnn.networks.recurrent import RecurrentStack
from sklearn_rnn.networks.state import State

ENGINES = ["torch", "fused"] if kernels_installed() else ["torch"]
every_engine = pytest.mark.parametrize("engine", ENGINES)

stacks = st.fixed_dictionaries(
    {
        "cell": st.sampled_from(list(oracles.CELLS)),
        "hidden_sizes": st.sampled_from([[3], [4, 3]]),
        "bidirectional": st.booleans(),
        "residual": st.booleans(),
        "layer_norm": st.booleans(),
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


class GivenMasks:
    """Masks that are handed in, one for each direction, in the place of those that are drawn."""

    def __init__(self, masks):
        self._masks = masks

    def mask(self, key, like, shape, p):
        _, (kind, direction) = key
        mask = self._masks[direction]
        assert (kind, shape) == ("states", tuple(mask.shape))
        return mask.to(like)


def with_given_masks(cell, n_sequences, **options):
    """A stack of one layer with recurrent dropout, and the masks (batch, units) of its directions."""
    stack = make_stack(cell, [3], recurrent_dropout=0.4, **options)
    shape = (n_sequences, stack.layers[0].direction_size)
    generator = torch.Generator().manual_seed(5)
    masks = [sample_mask(torch.zeros(0).double(), shape, 0.4, generator) for _ in stack.layers[0].directions]
    hold_masks(stack, GivenMasks(masks))
    return stack, [mask.numpy() for mask in masks]


def arrays_of(weights):
    return {name: parameter.detach().numpy() for name, parameter in weights.named_parameters()}


@every_cell
@every_engine
@given(lengths=st.lists(st.integers(0, 6), min_size=1, max_size=5).filter(any), bidirectional=st.booleans())
@settings(deadline=None, max_examples=15)
def test_recurrent_dropout_is_that_of_the_published_equations(cell, engine, lengths, bidirectional):
    """The weights read the masked state; what is copied, and what is returned, is the state as it is."""
    stack, masks = with_given_masks(cell, len(lengths), bidirectional=bidirectional)
    x, _ = random_batch([max(length, 1) for length in lengths])
    with using_engine(Engine(engine)), torch.no_grad():
        states, end = stack.advance(x, torch.tensor(lengths))
    for direction, weights in enumerate(stack.layers[0].directions):
        columns = slice(direction * masks[0].shape[1], (direction + 1) * masks[0].shape[1])
        turn = -1 if direction else 1
        for b, length in enumerate(lengths):
            if not length:
                continue
            steps, mask = x[:length, b].numpy()[::turn], masks[direction][b]
            wanted, last = oracles.states(cell, steps, arrays_of(weights), mask=mask)
            np.testing.assert_allclose(states[:length, b, columns].numpy()[::turn], wanted, atol=1e-12)
            for part, exact in zip(end.layers[0], last if isinstance(last, tuple) else (last,), strict=True):
                np.testing.assert_allclose(part[direction, b], exact, atol=1e-12)


@every_cell
@every_engine
def test_gradients_through_recurrent_dropout_by_finite_differences(cell, engine):
    """Those of inputs, weights and first state, given those of all hidden states and of the last state."""
    lengths = [4, 1, 3]
    stack, (masks,) = with_given_masks(cell, len(lengths))
    rng = np.random.default_rng(0)
    x, tensor = random_batch(lengths)
    first = tuple(rng.normal(size=(1, len(lengths), units)) for units in stack.layers[0].state_sizes)
    given_states = rng.normal(size=(4, len(lengths), masks.shape[1]))
    given_last = tuple(rng.normal(size=part.shape) for part in first)
    starts = {f"state_{k}": part for k, part in enumerate(first)}

    def loss(numbers):
        numbers = dict(numbers)
        x = numbers.pop("x")
        start = [numbers.pop(name) for name in starts]
        total = 0.0
        for b, length in enumerate(lengths):
            state = tuple(part[0, b] for part in start)
            state = state if cell.startswith("lstm") else state[0]
            states, last = oracles.states(cell, x[:length, b], numbers, state, masks[b])
            total += (states * given_states[:length, b]).sum()
            last = last if isinstance(last, tuple) else (last,)
            total += sum(float((part * of_part[0, b]).sum()) for part, of_part in zip(last, given_last, strict=True))
        return total

    wanted = oracles.finite_differences(loss, {"x": x.numpy(), **starts, **arrays_of(stack.layers[0].directions[0])})
    x.requires_grad_()
    state = tuple(torch.from_numpy(part).requires_grad_() for part in first)
    with using_engine(Engine(engine)):
        states, end = stack.advance(x, tensor, State((state,)))
    inside = (torch.arange(len(states))[:, None] < tensor)[:, :, None]
    total = (torch.where(inside, states, 0) * torch.from_numpy(given_states)).sum()
    for part, of_part in zip(end.layers[0], given_last, strict=True):
        total += (part * torch.from_numpy(of_part)).sum()
    total.backward()
    found = {"x": x, **dict(zip(starts, state, strict=True)), **dict(stack.layers[0].directions[0].named_parameters())}
    for name, exact in wanted.items():
        np.testing.assert_allclose(found[name].grad.numpy(), exact, atol=1e-7, err_msg=name)


@every_engine
@pytest.mark.parametrize("cell", ["gru", "mgu"])
def test_what_is_copied_does_not_grow_under_recurrent_dropout(cell, engine):
    """A state between candidates is one of at most 1, however many steps it is carried over."""
    stack = make_stack(cell, [8], recurrent_dropout=0.5)
    x, lengths = random_batch([3000, 3000])
    set_generator(stack, torch.Generator().manual_seed(0))
    with using_engine(Engine(engine)), torch.no_grad():
        states, end = stack.advance(x, lengths)
        again, _ = stack.advance(x, lengths, end)
    assert max(float(part.abs().max()) for part in (states, again)) <= 1


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
    x, lengths = random_batch([3, 5, 1])
    with torch.inference_mode(), using_engine(Engine(engine)):
        found, expected = mixed(x.to(given), lengths), stack(x, lengths)
    assert found.dtype == (torch.float64 if options else torch.float32)
    for i, length in enumerate(lengths):
        torch.testing.assert_close(found[:length, i].double(), expected[:length, i], rtol=1e-5, atol=1e-6)
        assert not torch.equal(found[:length, i].double(), expected[:length, i])
