"""A sequence that is cut anywhere and run in pieces is the whole: states, and gradients through what is handed over."""

import copy

import numpy as np
import oracles
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_rnn.networks import fused
from sklearn_rnn.networks.dropout import HeldMasks, hold_masks
from sklearn_rnn.networks.engines import Engine, kernels_installed, using_engine
from sklearn_rnn.networks.recurrent import RecurrentStack
from sklearn_rnn.networks.state import State

N_IN = 2
ENGINES = ["torch", "fused"] if kernels_installed() else ["torch"]
stacks = st.fixed_dictionaries(
    {
        "cell": st.sampled_from(list(oracles.CELLS)),
        "hidden_sizes": st.sampled_from([[3], [4, 3], [3, 3, 3]]),
        "residual": st.booleans(),
        "layer_norm": st.booleans(),
    }
)
ragged = st.lists(st.integers(0, 7), min_size=1, max_size=5).filter(any)


def make_stack(cell, hidden_sizes, dtype=torch.float64, **options):
    cell_type, own = oracles.CELLS[cell]
    stack = RecurrentStack(cell_type, N_IN, hidden_sizes, **own, **options).double()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in stack.parameters():
            parameter.uniform_(-0.7, 0.7, generator=generator)
    return stack.to(dtype)


def random_batch(lengths, dtype=torch.float64, seed=1):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(max(lengths) + 1, len(lengths), N_IN, generator=generator, dtype=torch.float64)
    return x.to(dtype), torch.tensor(lengths)


def in_pieces(stack, x, lengths, cuts):
    """Hidden states and the last state of a batch that is cut before the steps `cuts`."""
    state, hidden = None, []
    for start, stop in zip([0, *cuts], [*cuts, len(x)], strict=True):
        part, state = stack.advance(x[start:stop], (lengths - start).clamp(0, stop - start), state)
        hidden.append(part)
    return torch.cat(hidden), state


def flatten(state):
    return [part for layer in state.layers for part in layer]


def assert_same(found, wanted, lengths, **tolerances):
    """Of two pairs of hidden states and last states; on padding anything."""
    for b, length in enumerate(lengths):
        torch.testing.assert_close(found[0][:length, b], wanted[0][:length, b], **tolerances)
    for one, other in zip(flatten(found[1]), flatten(wanted[1]), strict=True):
        torch.testing.assert_close(one, other, **tolerances)


@given(options=stacks, lengths=ragged, data=st.data(), engine=st.sampled_from(ENGINES), single=st.booleans())
@settings(deadline=None, max_examples=60)
def test_a_sequence_in_pieces_is_the_whole(options, lengths, data, engine, single):
    dtype = torch.float32 if single else torch.float64
    x, tensor = random_batch(lengths, dtype)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(x) - 1), max_size=3)))
    stack = make_stack(**options, dtype=dtype)
    with using_engine(Engine(engine)), torch.set_grad_enabled(data.draw(st.booleans())):
        whole, pieces = stack.advance(x, tensor), in_pieces(stack, x, tensor, cuts)
        for b, length in enumerate(lengths):
            torch.testing.assert_close(stack(x, tensor)[:length, b], whole[0][:length, b])
    tolerances = {"rtol": 1e-4, "atol": 1e-5} if single else {"rtol": 1e-11, "atol": 1e-12}
    assert_same(pieces, whole, lengths, **tolerances)


def gradients(stack, x, lengths, cuts, engine):
    """Gradients of a weighted sum of all hidden and all last states, and of a first state."""
    stack = copy.deepcopy(stack)
    x = x.clone().requires_grad_()
    first = State(
        tuple(
            tuple(torch.full_like(part, 0.3).requires_grad_() for part in layer)
            for layer in stack.zero_state(len(lengths)).layers
        )
    )
    generator = torch.Generator().manual_seed(3)
    with using_engine(Engine(engine)):
        state, total = first, 0.0
        for start, stop in zip([0, *cuts], [*cuts, len(x)], strict=True):
            lengths_here = (lengths - start).clamp(0, stop - start)
            hidden, state = stack.advance(x[start:stop], lengths_here, state)
            inside = (torch.arange(stop - start)[:, None] < lengths_here)[:, :, None]
            total = total + torch.where(inside, hidden, 0).sin().sum()
        for part in flatten(state):
            total = total + (part * torch.randn(part.shape, generator=generator, dtype=part.dtype)).sum()
        total.backward()
    return [x.grad, *(part.grad for part in flatten(first)), *(parameter.grad for parameter in stack.parameters())]


@given(options=stacks, lengths=ragged, data=st.data(), engine=st.sampled_from(ENGINES))
@settings(deadline=None, max_examples=40)
def test_gradients_flow_through_what_is_handed_over(options, lengths, data, engine):
    x, tensor = random_batch(lengths)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(x) - 1), max_size=3)))
    stack = make_stack(**options)
    wanted = gradients(stack, x, tensor, [], "torch")
    for found, exact in zip(gradients(stack, x, tensor, cuts, engine), wanted, strict=True):
        torch.testing.assert_close(found, exact, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("cell", oracles.CELLS)
def test_gradients_through_the_state_equal_finite_differences(cell, engine):
    stack = make_stack(cell, [3]).requires_grad_(False)
    x, lengths = random_batch([4, 1, 0])
    first = [torch.full_like(part, 0.3).requires_grad_() for part in flatten(stack.zero_state(3))]

    def compute(*parts):
        return tuple(flatten(in_pieces_from(stack, x, lengths, State((parts,)))))

    def in_pieces_from(stack, x, lengths, state):
        for start in (0, 2):
            _, state = stack.advance(x[start : start + 2], (lengths - start).clamp(0, 2), state)
        return state

    with using_engine(Engine(engine)):
        assert torch.autograd.gradcheck(compute, first)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("cell", oracles.CELLS)
def test_last_state_is_that_of_the_published_equations(cell, engine):
    stack = make_stack(cell, [3])
    x, lengths = random_batch([5, 2])
    with using_engine(Engine(engine)):
        _, state = stack.advance(x, lengths)
    weights = {name: p.detach().numpy() for name, p in stack.layers[0].directions[0].named_parameters()}
    for b, length in enumerate(lengths.tolist()):
        _, wanted = oracles.states(cell, x[:length, b].numpy(), weights)
        wanted = wanted if isinstance(wanted, tuple) else (wanted,)
        for part, exact in zip(state.layers[0], wanted, strict=True):
            np.testing.assert_allclose(part[0, b].detach().numpy(), exact, atol=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("options", [{"recurrent_dropout": 0.4}, {"weight_dropout": 0.4}], ids=str)
@pytest.mark.parametrize("cell", ["lstm", "gru", "mgu"])
def test_masks_that_are_held_are_those_of_the_whole(cell, options, engine):
    """A state is handed over as it is, and masked on its way into the next step."""
    stack = make_stack(cell, [3, 4], **options).train()
    x, lengths = random_batch([6, 3, 5, 0])
    with using_engine(Engine(engine)):
        hold_masks(stack, HeldMasks(torch.Generator().manual_seed(0)))
        whole, pieces = stack.advance(x, lengths), in_pieces(stack, x, lengths, [2, 3])
    assert_same(pieces, whole, [6, 3, 5, 0], rtol=1e-11, atol=1e-12)
    assert not torch.allclose(stack.eval()(x, lengths)[:3], whole[0][:3])


@pytest.mark.parametrize("engine", ENGINES)
def test_a_bidirectional_stack_returns_a_state_and_says_why_it_cannot_go_on(engine):
    stack = make_stack("lstm", [3, 4], bidirectional=True)
    x, lengths = random_batch([4, 2])
    with using_engine(Engine(engine)):
        hidden, state = stack.advance(x, lengths)
        with pytest.raises(ValueError, match="cannot go on from a state: its second direction reads"):
            stack.advance(x, lengths, state)
        with pytest.raises(ValueError, match="bidirectional=False"):
            stack(x, lengths, stack.zero_state(2))
    last = state.layers[-1][0]
    for b, length in enumerate(lengths.tolist()):
        torch.testing.assert_close(last[0, b], hidden[length - 1, b, :4])
        torch.testing.assert_close(last[1, b], hidden[0, b, 4:])


def random_state(batch_size=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return State(
        tuple(
            tuple(torch.randn(1, batch_size, size, generator=generator) for size in layer) for layer in [(3, 2), (4,)]
        )
    )


def test_zeros_are_of_the_sizes_and_the_type_of_the_stack():
    state = make_stack("lstm-projected", [4, 3], dtype=torch.float32).zero_state(5)
    assert [[tuple(part.shape) for part in layer] for layer in state.layers] == [
        [(1, 5, 2), (1, 5, 4)],
        [(1, 5, 2), (1, 5, 3)],
    ]
    assert state.batch_size == 5
    assert {part.dtype for part in flatten(state)} == {torch.float32}
    assert all((part == 0).all() for part in flatten(state))


def test_rows_are_taken_and_chosen():
    one, other = random_state(seed=0), random_state(seed=1)
    rows = torch.tensor([3, 1])
    for taken, part in zip(flatten(one.take(rows)), flatten(one), strict=True):
        assert torch.equal(taken, part[:, [3, 1]])
    mask = torch.tensor([True, False, False, True])
    assert one.take(mask).batch_size == 2
    for mixed, mine, theirs in zip(*map(flatten, (one.where(mask, other), one, other)), strict=True):
        assert torch.equal(mixed[:, [0, 3]], mine[:, [0, 3]])
        assert torch.equal(mixed[:, [1, 2]], theirs[:, [1, 2]])


def test_detached_states_have_the_same_numbers_and_no_gradient():
    stack = make_stack("gru", [3])
    x, lengths = random_batch([3, 2])
    _, state = stack.advance(x, lengths)
    for kept, cut in zip(flatten(state), flatten(state.detached()), strict=True):
        assert kept.requires_grad
        assert not cut.requires_grad
        assert torch.equal(kept, cut)


@pytest.mark.parametrize("as_lists", [False, True])
def test_to_arrays_and_back(as_lists):
    state = random_state()
    arrays = state.to_arrays()
    if as_lists:
        arrays = [[part.tolist() for part in layer] for layer in arrays]
    back = State.from_arrays(arrays, torch.empty(0))
    assert all(torch.equal(*pair) for pair in zip(flatten(state), flatten(back), strict=True))
    assert {part.dtype for part in flatten(State.from_arrays(arrays, torch.empty(0, dtype=torch.float64)))} == {
        torch.float64
    }
    flatten(state)[0].zero_()
    assert not torch.equal(flatten(state)[0], flatten(back)[0])


class Poisoned:
    """NumPy, whose new memory holds NaN."""

    def __getattr__(self, name):
        return getattr(np, name)

    def empty(self, shape, dtype=float):
        return np.full(shape, np.nan if np.dtype(dtype).kind == "f" else 0, dtype)


@pytest.mark.skipif("fused" not in ENGINES, reason="there are no kernels here")
@pytest.mark.parametrize("lengths", [[0, 0], [0, 2], [3, 3]], ids=str)
def test_steps_that_no_sequence_has_get_no_gradient(lengths, monkeypatch):
    stack = make_stack("gru", [3])
    x, lengths = random_batch([3, 3])[0], torch.tensor(lengths)
    wanted = gradients(stack, x, lengths, [], "torch")
    monkeypatch.setattr(fused, "np", Poisoned())
    for found, exact in zip(gradients(stack, x, lengths, [], "fused"), wanted, strict=True):
        torch.testing.assert_close(found, exact, rtol=1e-8, atol=1e-10)
