"""Weighted losses against torch's, and against their definition."""

import numpy as np
import pytest
import torch
from chain_oracle import head_with
from hypothesis import given, settings
from hypothesis import strategies as st
from losses import LOSSES, SETS, SMOOTHING, batch_of, loss_and_gradients, loss_of, normal, ones
from torch.nn import functional as F

from sklearn_rnn.networks import number_losses
from sklearn_rnn.networks.heads import StepHead
from sklearn_rnn.networks.losses import (
    SQUARED_ERROR,
    LossSettings,
    WeightedLoss,
    loss_of_numbers,
)


@pytest.mark.parametrize("label_smoothing", SMOOTHING)
def test_cross_entropy_with_weights_of_1_is_torchs(label_smoothing):
    logits, target = normal(6, 3), torch.tensor([0, 1, 2, 2, 1, 0])
    loss = loss_of("cross_entropy", label_smoothing=label_smoothing)(logits, batch_of(target, ones(6)))
    torch.testing.assert_close(loss, F.cross_entropy(logits, target, label_smoothing=label_smoothing))


@pytest.mark.parametrize("label_smoothing", SMOOTHING)
def test_binary_cross_entropy_is_the_cross_entropy_of_two_classes(label_smoothing):
    logits, target = normal(6, 1), torch.tensor([[0.0], [1.0], [1.0], [0.0], [1.0], [0.0]])
    loss = loss_of("binary_cross_entropy", label_smoothing=label_smoothing)
    two = F.cross_entropy(
        torch.hstack([torch.zeros_like(logits), logits]), target[:, 0].long(), label_smoothing=label_smoothing
    )
    torch.testing.assert_close(loss(logits, batch_of(target, ones(6))), two)


def test_multilabel_loss_is_the_mean_over_labels():
    logits, target = normal(4, 3), (normal(4, 3, seed=1) > 0).double()
    loss = loss_of("binary_cross_entropy")(logits, batch_of(target, ones(4)))
    torch.testing.assert_close(loss, F.binary_cross_entropy_with_logits(logits, target))


def test_squared_error_is_torchs():
    outputs, target = normal(4, 2), normal(4, 2, seed=1)
    loss = loss_of("squared_error")(outputs, batch_of(target, ones(4)))
    torch.testing.assert_close(loss, F.mse_loss(outputs, target))


def outputs_and_targets(name, n=5):
    """Outputs (n, 3) and the targets that the loss takes."""
    outputs = normal(n, 3)
    if name == "cross_entropy":
        return outputs, torch.arange(n) % 3
    target = normal(n, 3, seed=1)
    return outputs, target if name == "squared_error" else (target > 0).double()


every_loss = pytest.mark.parametrize("name", ["cross_entropy", "binary_cross_entropy", "squared_error"])


@every_loss
def test_weight_2_is_a_repeated_sequence_and_weight_0_an_absent_one(name):
    loss = loss_of(name)
    outputs, target = outputs_and_targets(name)
    weighted = loss(outputs, batch_of(target, torch.tensor([2.0, 1, 0, 1, 1], dtype=torch.float64)))
    rows = torch.tensor([0, 0, 1, 3, 4])
    repeated = loss(outputs[rows], batch_of(target[rows], ones(5)))
    torch.testing.assert_close(weighted, repeated)


@every_loss
def test_mean_over_batches_is_the_weighted_mean_loss_however_they_are_cut(name):
    loss = loss_of(name)
    outputs, target = outputs_and_targets(name, n=7)
    weight = torch.tensor([0.5, 2, 1, 0.1, 3, 0.2, 0.2], dtype=torch.float64)
    weight = weight / weight.mean()
    whole = loss(outputs, batch_of(target, weight))
    parts = [slice(0, 3), slice(3, 4), slice(4, 7)]
    pieces = [loss(outputs[s], batch_of(target[s], weight[s])) * len(outputs[s]) for s in parts]
    torch.testing.assert_close(sum(pieces) / 7, whole)


def test_steps_of_weight_0_do_not_count():
    logits, target = normal(2, 3, 4), torch.tensor([[0, 1, 0], [3, 2, 1]])
    weight = torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]], dtype=torch.float64)
    loss = loss_of("cross_entropy")(logits, batch_of(target, weight))
    expected = F.cross_entropy(logits[weight > 0], target[weight > 0], reduction="sum") / 2
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize("name", ["binary_cross_entropy", "squared_error"])
@pytest.mark.parametrize(("outputs", "target"), [((4, 1), (4,)), ((4,), (4, 1)), ((4, 1), (4, 2)), ((4, 2), (1, 2))])
def test_no_shape_is_broadcast(name, outputs, target):
    with pytest.raises(ValueError, match=r"against targets of shape|for weights of"):
        loss_of(name)(normal(*outputs), batch_of(ones(*target), ones(4)))


@pytest.mark.parametrize("shape", [(4, 1), (1,), (3,)])
def test_no_weight_is_broadcast(shape):
    outputs, target = normal(4, 2), normal(4, 2)
    with pytest.raises(ValueError, match="for weights of"):
        loss_of("squared_error")(outputs, batch_of(target, ones(*shape)))


def test_classes_of_a_step_are_moved_with_the_loss_and_not_saved():
    loss = loss_of("chain", label_sets=torch.eye(3, dtype=torch.bool))
    assert loss.to("meta").label_sets.device.type == "meta"
    assert not loss.state_dict()


@pytest.mark.parametrize("label_smoothing", SMOOTHING)
def test_cross_entropy_of_sets_is_that_of_their_summed_probability(label_smoothing):
    logits, target = normal(2, 3, 3), torch.tensor([[0, 4, 3], [2, 4, 1]])
    weight = torch.tensor([[1.0, 0.5, 0.0], [2.0, 1.0, 1.0]], dtype=torch.float64)
    loss = loss_of("cross_entropy", label_smoothing=label_smoothing, label_sets=SETS)
    expected = 0.0
    for b in range(2):
        for t in range(3):
            p = logits[b, t].softmax(0)
            exact = -torch.log(p[SETS[target[b, t]]].sum())
            expected += weight[b, t] * ((1 - label_smoothing) * exact - label_smoothing * torch.log(p).mean())
    torch.testing.assert_close(loss(logits, batch_of(target, weight)), expected / 2)


@pytest.mark.parametrize("label_smoothing", SMOOTHING)
@pytest.mark.parametrize("name", ["cross_entropy", "chain"])
def test_sets_of_one_class_are_classes(name, label_smoothing):
    logits, target = normal(2, 3, 3), torch.tensor([[0, 1, 0], [2, 2, 1]])
    batch = batch_of(target, ones(2, 3), torch.tensor([3, 2]))
    head = head_with(normal(5, 3, seed=1))
    exact, sets = (
        loss_of(name, label_smoothing=label_smoothing, label_sets=s)(logits, batch, head) for s in (None, SETS)
    )
    torch.testing.assert_close(sets, exact)


NOWHERE = {"cross_entropy": 99, "binary_cross_entropy": torch.nan, "squared_error": torch.nan}


@every_loss
@pytest.mark.parametrize("label_smoothing", SMOOTHING)
def test_steps_of_weight_0_are_left_out_before_anything_is_computed(name, label_smoothing):
    """NaN times 0 is NaN: neither the targets nor the outputs of such steps are looked at."""
    loss = loss_of(name, label_smoothing=label_smoothing)
    outputs, target = outputs_and_targets(name, n=6)
    weight = torch.tensor([[1.0, 0.5, 0.0], [2.0, 0.0, 0.0]], dtype=torch.float64)
    kept = weight.flatten() > 0
    expected, (wanted,) = loss_and_gradients(loss, batch_of(target[kept], weight[weight > 0]), outputs[kept])
    target[~kept], outputs[~kept] = NOWHERE[name], torch.nan
    shape = (2, 3, *target.shape[1:])
    batch = batch_of(target.view(shape), weight, torch.tensor([3, 1]))
    found, (gradient,) = loss_and_gradients(loss, batch, outputs.view(2, 3, 3))
    torch.testing.assert_close(found, expected * 3 / 2)  # of three rows, and of two sequences
    torch.testing.assert_close(gradient.view(6, 3)[kept], wanted * 3 / 2)
    assert (gradient.view(6, 3)[~kept] == 0).all()


def plain_loss_of_gaps(element, n_parameters, outputs, target, weight):
    """Number by number: those that are there count, divided by how many there could be."""
    n_targets, total = target.shape[-1], 0.0
    for place in np.ndindex(weight.shape):
        for k in range(n_targets):
            if not target[*place, k].isnan():
                own = outputs[*place, k * n_parameters : (k + 1) * n_parameters]
                total = total + weight[place] * element(own[None], target[*place, k][None])[0] / n_targets
    return total / len(weight)


GAPPY = {
    "squared_error": SQUARED_ERROR,
    "gaussian": loss_of_numbers("gaussian", number_losses.gaussian, n_parameters=2),
}


@given(
    name=st.sampled_from(sorted(GAPPY)),
    shape=st.sampled_from([(4,), (3, 4)]),
    absent=st.sampled_from([0.0, 0.4, 0.9]),
    seed=st.integers(0, 2**16),
)
@settings(deadline=None, max_examples=25)
def test_numbers_that_are_not_there_have_no_loss_and_no_gradient(name, shape, absent, seed):
    n_parameters = 2 if name == "gaussian" else 1
    element = number_losses.gaussian if name == "gaussian" else (lambda outputs, y: (outputs[:, 0] - y) ** 2)
    generator = torch.Generator().manual_seed(seed)
    target = normal(*shape, 3, seed=seed)
    missing = torch.rand(target.shape, generator=generator) < absent
    target[missing] = torch.nan
    weight = torch.rand(shape, generator=generator, dtype=torch.float64)
    if len(shape) > 1:
        weight[missing.all(-1)] = 0
    outputs = normal(*shape, 3 * n_parameters, seed=seed + 1).requires_grad_()
    loss = WeightedLoss(GAPPY[name], LossSettings(gaps=True))
    found, (gradient,) = loss_and_gradients(loss, batch_of(target, weight), outputs)
    expected = plain_loss_of_gaps(element, n_parameters, outputs, target, weight) + 0 * outputs.sum()
    torch.testing.assert_close(found, expected.detach())
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, outputs)[0])
    assert (gradient[missing.repeat_interleave(n_parameters, -1)] == 0).all()


def test_settings_decide_whether_there_is_a_kernel():
    sets = torch.ones(1, 3, dtype=torch.bool)
    for name, loss in LOSSES.items():
        assert loss_of(name, label_smoothing=0.1).kernel == (None if name == "chain" else name)
        assert WeightedLoss(loss).kernel == loss.kernel
        assert loss_of(name, gaps=True).kernel is None
        assert loss_of(name, label_sets=sets).kernel is None
    assert WeightedLoss(GAPPY["gaussian"]).kernel is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cross_entropy", [[1, 0], [0, 2]]),
        ("binary_cross_entropy", [[[0, 1, 0], [1, 1, 1]], [[0, 0, 0], [0, 0, 1]]]),
        ("squared_error", [[[0, 2, -1], [3, 1, 2]], [[-1, -2, -3], [-5, -1, 4]]]),
    ],
)
def test_what_is_decided_is_a_code_or_the_numbers_themselves(name, expected):
    outputs = torch.tensor([[[0.0, 2, -1], [3, 1, 2]], [[-1, -2, -3], [-5, -1, 4]]])
    decided = loss_of(name).decide(outputs, torch.tensor([2, 2]), StepHead(1, 3))
    assert decided.tolist() == expected
    assert (decided is outputs) == (name == "squared_error")
