"""Recurrences by kernels, against torch in float64, finite differences, and each sequence alone."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numba")

from sklearn_rnn.networks import fused
from sklearn_rnn.networks.dropout import set_generator
from sklearn_rnn.networks.engines import Engine, using_engine
from sklearn_rnn.networks.packing import Packing, SharedRows
from sklearn_rnn.networks.recurrent import RecurrentStack
from sklearn_rnn.networks.state import State

CELLS = {
    "rnn": ("rnn", {}),
    "relu": ("rnn", {"nonlinearity": "relu"}),
    "gru": ("gru", {}),
    "lstm": ("lstm", {}),
}
every_cell = pytest.mark.parametrize("cell", CELLS)
shapes = st.fixed_dictionaries(
    {
        "lengths": st.lists(st.integers(0, 9), min_size=1, max_size=7).filter(any),
        "n_inputs": st.integers(1, 4),
        "sizes": st.lists(st.integers(1, 6), min_size=1, max_size=2),
        "bidirectional": st.booleans(),
    }
)


def make_stack(cell, n_inputs, sizes, seed=0, **options):
    cell_type, own = CELLS[cell]
    stack = RecurrentStack(cell_type, n_inputs, sizes, **own, **options).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in stack.parameters():
            parameter.uniform_(-0.7, 0.7, generator=generator)
    return stack.float().double()  # numbers that both precisions have


def pass_through(stack, x, lengths, engine, dtype=torch.float64, n_threads=1, seed=0):
    """Hidden states, 0 on padding, and the gradients of all numbers, for a fixed gradient of the states."""
    stack = copy.deepcopy(stack).to(dtype)
    set_generator(stack, torch.Generator().manual_seed(seed))
    x = x.detach().to(dtype).requires_grad_()
    with using_engine(Engine(engine, n_threads)):
        hidden = stack(x, lengths)
        inside = (torch.arange(len(x))[:, None] < lengths)[:, :, None]
        hidden = torch.where(inside, hidden, 0)
        generator = torch.Generator().manual_seed(2)
        hidden.backward(torch.randn(hidden.shape, generator=generator, dtype=torch.float64).to(dtype))
    results = [hidden.detach(), x.grad, *(parameter.grad for parameter in stack.parameters())]
    return [result.double() for result in results]


def distance(found, wanted, least=1e-30):
    """The greatest difference, relative to the greatest number, or to `least` where terms cancel."""
    return float((found - wanted).abs().max() / wanted.abs().max().clamp(min=least))


@every_cell
@given(shape=shapes)
@settings(deadline=None, max_examples=25)
def test_agrees_with_torch_in_float64(cell, shape):
    lengths = torch.tensor(shape["lengths"])
    stack = make_stack(cell, shape["n_inputs"], shape["sizes"], bidirectional=shape["bidirectional"])
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(int(lengths.max()) + 1, len(lengths), shape["n_inputs"], generator=generator).double()
    exact = pass_through(stack, x, lengths, "torch")
    double = pass_through(stack, x, lengths, "fused")
    single = pass_through(stack, x, lengths, "fused", torch.float32)
    assert distance(double[0], exact[0]) <= 1e-12
    # the rectifier lets what is rounded grow from step to step
    assert distance(single[0], exact[0], 0.1) <= (4e-6 if cell == "relu" else 1e-6)
    runs = (exact, double, single)
    gradients, in_double, in_single = (torch.cat([part.flatten() for part in run[1:]]) for run in runs)
    assert distance(in_double, gradients) <= 1e-10
    assert distance(in_single, gradients) <= 1e-5


@every_cell
@pytest.mark.parametrize("bidirectional", [False, True])
def test_agrees_with_torch_on_a_batch_of_several_parts(cell, bidirectional):
    lengths = torch.randint(1, 60, (70,), generator=torch.Generator().manual_seed(0))
    stack = make_stack(cell, 20, [48], bidirectional=bidirectional)
    with torch.no_grad():
        for parameter in stack.parameters():  # small enough that rounding does not grow from step to step
            parameter *= 0.2
    x = torch.randn(60, 70, 20, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert len(fused._parts(Packing(lengths), 1, int(lengths.sum()) * 68 * 48)) > 1
    exact = pass_through(stack, x, lengths, "torch")
    for n_threads in (1, 2, 3):
        found = pass_through(stack, x, lengths, "fused", n_threads=n_threads)
        assert max(distance(*pair) for pair in zip(found, exact, strict=True)) <= 1e-10


@every_cell
def test_threads_change_no_bit(cell):
    lengths = torch.randint(1, 60, (70,), generator=torch.Generator().manual_seed(0))
    stack = make_stack(cell, 20, [48], bidirectional=True)
    x = torch.randn(60, 70, 20, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    one, two = (pass_through(stack, x, lengths, "fused", torch.float32, n_threads) for n_threads in (1, 2))
    assert all(torch.equal(*pair) for pair in zip(one, two, strict=True))


@every_cell
def test_gradients_by_finite_differences(cell):
    stack = make_stack(cell, 2, [3], bidirectional=True)
    weights = [p.detach().clone().requires_grad_() for p in stack.parameters()]
    packing = Packing(torch.tensor([3, 1, 4]))
    x = torch.randn(8, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    initial = torch.randn(2, 2, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    h0, c0 = (part.clone().requires_grad_() for part in initial)
    states = (h0, c0) if cell == "lstm" else (h0,)

    def compute(x, *rest):
        hidden, last = fused.run(fused.Recurrence(cell, packing), x, rest[len(states) :], rest[: len(states)])
        return hidden, *last

    assert torch.autograd.gradcheck(compute, (x, *states, *weights))


@every_cell
def test_first_and_last_states_are_those_of_torch(cell):
    layer = make_stack(cell, 2, [3]).layers[0].directions[0]
    x = torch.randn(5, 4, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    states = tuple(torch.full((1, 4, 3), value, dtype=torch.float64) for value in (0.5, -0.3))
    states = states if cell == "lstm" else states[:1]
    wanted, end = layer(x, states if cell == "lstm" else states[0])
    packing = Packing(torch.tensor([5] * 4))
    found, last = fused.run(fused.Recurrence(cell, packing), packing.pack(x), list(layer.parameters()), states)
    torch.testing.assert_close(packing.unpack(found, 5), wanted, rtol=0, atol=1e-14)
    torch.testing.assert_close(last, end if cell == "lstm" else (end,), rtol=0, atol=1e-14)


@every_cell
@pytest.mark.parametrize("options", [{"recurrent_dropout": 0.5}, {"weight_dropout": 0.5}], ids=str)
def test_what_training_does_to_the_state_is_the_same_with_both_engines(cell, options):
    stack = make_stack(cell, 2, [3], bidirectional=True, **options).train()
    lengths = torch.tensor([5, 2, 7, 4])
    x = torch.randn(7, 4, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    results = []
    for engine in ("torch", "fused"):
        results.append(pass_through(stack, x, lengths, engine, seed=3))
    assert max(distance(*pair) for pair in zip(*results, strict=True)) <= 1e-10


def test_padding_is_never_read():
    stack = make_stack("gru", 2, [3], bidirectional=True)
    x = torch.randn(6, 3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    lengths = torch.tensor([2, 6, 3])
    clean = pass_through(stack, x, lengths, "fused")
    for b, length in enumerate(lengths):
        x[length:, b] = torch.nan
    dirty = pass_through(stack, x, lengths, "fused")
    assert all(torch.equal(*pair) for pair in zip(clean, dirty, strict=True))


def test_a_missing_number_reaches_its_own_sequence_alone():
    stack = make_stack("lstm", 2, [3])
    x = torch.zeros(4, 2, 2, dtype=torch.float64)
    x[1, 0, 0] = torch.nan
    with using_engine(Engine("fused")), torch.no_grad():
        hidden = stack(x, torch.tensor([4, 4]))
    assert hidden[1:, 0].isnan().all()
    assert not hidden[0].isnan().any()
    assert not hidden[:, 1].isnan().any()


def test_vanishing_gradients_become_zero_rather_than_subnormal():
    stack = make_stack("rnn", 1, [2])
    with torch.no_grad():
        for parameter in stack.parameters():
            parameter *= 0.05
    x = torch.ones(200, 1, 1, dtype=torch.float32, requires_grad=True)
    stack.float()
    with using_engine(Engine("fused")):
        stack(x, torch.tensor([200]))[-1].sum().backward()
    gradient = x.grad.abs()[:, 0, 0]
    assert gradient[-1] > 0
    assert gradient[0] == 0
    assert not ((gradient > 0) & (gradient < np.finfo(np.float32).tiny)).any()


def test_a_second_backward_pass_gives_the_same():
    stack = make_stack("gru", 2, [3])
    x = torch.randn(4, 2, 2, dtype=torch.float64, requires_grad=True)
    with using_engine(Engine("fused")):
        loss = stack(x, torch.tensor([4, 2])).square().sum()
        (first,) = torch.autograd.grad(loss, x, retain_graph=True)
        (second,) = torch.autograd.grad(loss, x)
    assert torch.equal(first, second)


def test_memory_is_used_again_only_when_nothing_refers_to_it():
    engine = Engine("fused")
    first = engine.borrow((1024, 512), np.dtype("float32"))
    second = engine.borrow((1024, 512), np.dtype("float32"))
    assert not np.shares_memory(first, second)
    address = first.ctypes.data
    of_another_type = engine.borrow((1024, 512), np.dtype("float64"))
    del first
    third = engine.borrow((1000, 512), np.dtype("float32"))
    assert third.ctypes.data == address
    assert not np.shares_memory(third, second)
    assert not np.shares_memory(third, of_another_type)


@every_cell
@pytest.mark.parametrize("bidirectional", [False, True])
@given(
    lengths=st.lists(st.integers(0, 9), min_size=1, max_size=7).filter(any),
    n_symbols=st.integers(1, 5),
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=2),
)
@settings(deadline=None, max_examples=15)
def test_rows_that_steps_share_give_what_rows_of_their_own_do(cell, bidirectional, lengths, n_symbols, sizes):
    stack, lengths = make_stack(cell, 3, sizes, bidirectional=bidirectional), torch.tensor(lengths)
    generator = torch.Generator().manual_seed(0)
    table = torch.randn(n_symbols, 3, generator=generator, dtype=torch.float64)
    index = torch.randint(n_symbols, (len(lengths), int(lengths.max()) + 1), generator=generator)
    states = [torch.randn(1 + bidirectional, len(lengths), size, generator=generator).double() for size in sizes]
    parts = [(part, part) if cell == "lstm" else (part,) for part in states]
    given = torch.randn(*index.T.shape, stack.output_size, generator=generator, dtype=torch.float64)
    found = []
    for shared, engine in ((True, "fused"), (False, "fused"), (False, "torch")):
        rows = table.clone().requires_grad_()
        initial = State(tuple(tuple(part.clone().requires_grad_() for part in layer) for layer in parts))
        with using_engine(Engine(engine, 2)):
            x = SharedRows(rows, index) if shared else rows[index].transpose(0, 1)
            hidden, last = stack.between(x, lengths, None if bidirectional else initial)
            inside = (torch.arange(len(hidden))[:, None] < lengths)[:, :, None]
            hidden = torch.where(inside, hidden, 0)
            loss = (hidden * given).sum() + sum(part.sum() for layer in last.layers for part in layer)
            leaves = [rows, *stack.parameters(), *(part for layer in initial.layers for part in layer)]
            gradients = torch.autograd.grad(loss, leaves, allow_unused=True, materialize_grads=True)
        found.append([hidden.detach(), *(part.detach() for layer in last.layers for part in layer), *gradients])
    for ours, *others in zip(*found, strict=True):
        for other in others:
            torch.testing.assert_close(ours, other, rtol=1e-10, atol=1e-10)


@every_cell
def test_gradients_of_shared_rows_by_finite_differences(cell):
    stack = make_stack(cell, 2, [3])
    weights = [p.detach().clone().requires_grad_() for p in stack.parameters()]
    packing = Packing(torch.tensor([3, 1, 4]))
    places = np.array([0, 1, 1, 2, 0, 1, 0, 2])
    rows = torch.randn(3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    recurrence = fused.Recurrence(cell, packing, (), places, shared=True)
    assert torch.autograd.gradcheck(lambda x, *w: fused.run(recurrence, x, w, last=False)[0], [rows, *weights])


def test_large_weights_give_what_torch_gives():
    """Weights that are packed in both passes, of which the last panel is not full."""
    stack = make_stack("lstm", 300, [270])
    with torch.no_grad():
        for parameter in stack.parameters():
            parameter *= 0.1
    lengths = torch.tensor([3, 5, 1] + [4] * 9)
    x = torch.randn(5, 12, 300, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for found, wanted in zip(*(pass_through(stack, x, lengths, engine) for engine in ("fused", "torch")), strict=True):
        assert distance(found, wanted) <= 1e-10
