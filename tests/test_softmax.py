"""Cross-entropy some rows at a time, against torch's over all logits and against finite differences."""

from contextlib import ExitStack

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from sklearn_rnn.networks import softmax
from sklearn_rnn.networks.engines import Engine, using_engine
from sklearn_rnn.networks.softmax import linear_cross_entropy, portions

cases = st.fixed_dictionaries(
    {
        "n": st.integers(0, 9),
        "size": st.integers(1, 4),
        "n_classes": st.integers(2, 7),
        "smoothing": st.sampled_from([0.0, 0.3]),
        "room": st.integers(1, 40),
        "seed": st.integers(0, 2**16),
    }
)


def make(n, size, n_classes, seed):
    generator = torch.Generator().manual_seed(seed)
    shapes = (n, size), (n_classes, size), (n_classes,)
    parts = [torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_() for shape in shapes]
    target = torch.randint(n_classes, (n,), generator=generator)
    weight = torch.rand(n, generator=generator, dtype=torch.float64) * (torch.rand(n, generator=generator) > 0.3)
    return parts, target, weight


@pytest.mark.parametrize("engine", ["torch", "fused"])
@settings(deadline=None, max_examples=60)
@given(case=cases)
@example(case={"n": 1, "size": 3, "n_classes": 7, "seed": 0, "smoothing": 0.0, "room": 1})
def test_loss_and_gradients_are_those_of_all_logits_at_once(engine, case):
    case = dict(case)
    smoothing, room = case.pop("smoothing"), case.pop("room")
    (rows, weight, bias), target, row_weight = make(**case)
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setattr(softmax, "ROOM", room)
        patch.setattr(softmax, "CHUNK", room)
        patch.setattr(softmax, "LEAST_ROWS", 1)
        patch.setattr(softmax, "PART", 10)
        stack.enter_context(using_engine(Engine(engine, 2)))
        found = linear_cross_entropy(rows, weight, bias, target, row_weight, smoothing)
        with torch.no_grad():
            plain = linear_cross_entropy(rows, weight, bias, target, row_weight, smoothing)
    logits = F.linear(rows, weight, bias)
    wanted = torch.dot(F.cross_entropy(logits, target, reduction="none", label_smoothing=smoothing), row_weight)
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(plain, wanted.detach(), rtol=1e-12, atol=1e-12)
    given = [torch.autograd.grad(3 * loss, (rows, weight, bias)) for loss in (found, wanted)]
    for ours, theirs in zip(*given, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-11, atol=1e-12)


def test_gradients_by_finite_differences():
    parts, target, row_weight = make(5, 3, 4, 0)
    assert torch.autograd.gradcheck(lambda *x: linear_cross_entropy(*x, target, row_weight, 0.2), parts)


@pytest.mark.parametrize("n_classes", [65, 5000])
def test_float32_is_as_near_to_float64_as_torch_is(n_classes):
    (rows, weight, bias), target, row_weight = make(300, 20, n_classes, 0)
    exact = softmax.loss_and_gradients(rows.detach(), weight.detach(), bias.detach(), target, row_weight, 0.1)
    single = [part.detach().float() for part in (rows, weight, bias)]
    for engine in ("torch", "fused"):
        with using_engine(Engine(engine)):
            found = softmax.loss_and_gradients(*single, target, row_weight.float(), 0.1)
        for ours, wanted in zip(found, exact, strict=True):
            assert (ours.double() - wanted).abs().max() <= 1e-5 * wanted.abs().max()


def test_only_what_is_learned_gets_a_gradient():
    (rows, weight, bias), target, row_weight = make(5, 3, 4, 0)
    linear_cross_entropy(rows, weight.detach(), bias, target, row_weight).backward()
    assert weight.grad is None
    assert rows.grad is not None
    assert bias.grad is not None


def test_logits_that_overflow_an_exponential():
    rows = torch.tensor([[1e4], [-1e4]])
    loss = linear_cross_entropy(
        rows, torch.tensor([[1.0], [-1.0]]), torch.zeros(2), torch.tensor([1, 1]), torch.ones(2)
    )
    assert loss == 2e4


@given(st.integers(0, 100), st.integers(1, 1000))
def test_portions_hold_each_row_once_and_fit(n_rows, n_classes):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(softmax, "ROOM", 1000)
        parts = list(portions(n_rows, n_classes, torch.device("cpu")))
    rows = torch.arange(n_rows)
    assert torch.cat([rows[:0], *(rows[part] for part in parts)]).tolist() == rows.tolist()
    assert all(len(rows[part]) * n_classes <= 1000 for part in parts)
