"""Weighted losses against torch's, and against their definition."""

import pytest
import torch
from torch.nn import functional as F

from sklearn_rnn.networks.losses import WeightedLoss

SMOOTHING = [0.0, 0.2]


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def ones(*shape):
    return torch.ones(*shape, dtype=torch.float64)


@pytest.mark.parametrize("label_smoothing", SMOOTHING)
def test_cross_entropy_with_weights_of_1_is_torchs(label_smoothing):
    logits, target = normal(6, 3), torch.tensor([0, 1, 2, 2, 1, 0])
    loss = WeightedLoss("cross_entropy", label_smoothing=label_smoothing)(logits, {"target": target, "weight": ones(6)})
    torch.testing.assert_close(loss, F.cross_entropy(logits, target, label_smoothing=label_smoothing))


@pytest.mark.parametrize("label_smoothing", SMOOTHING)
def test_binary_cross_entropy_is_the_cross_entropy_of_two_classes(label_smoothing):
    logits, target = normal(6, 1), torch.tensor([[0.0], [1.0], [1.0], [0.0], [1.0], [0.0]])
    loss = WeightedLoss("binary_cross_entropy", label_smoothing=label_smoothing)
    two = F.cross_entropy(
        torch.hstack([torch.zeros_like(logits), logits]), target[:, 0].long(), label_smoothing=label_smoothing
    )
    torch.testing.assert_close(loss(logits, {"target": target, "weight": ones(6)}), two)


def test_multilabel_loss_is_the_mean_over_labels():
    logits, target = normal(4, 3), (normal(4, 3, seed=1) > 0).double()
    loss = WeightedLoss("binary_cross_entropy")(logits, {"target": target, "weight": ones(4)})
    torch.testing.assert_close(loss, F.binary_cross_entropy_with_logits(logits, target))


def test_squared_error_is_torchs():
    outputs, target = normal(4, 2), normal(4, 2, seed=1)
    loss = WeightedLoss("squared_error")(outputs, {"target": target, "weight": ones(4)})
    torch.testing.assert_close(loss, F.mse_loss(outputs, target))


def batch(loss, n=5):
    """Outputs (n, 3) and the targets that `loss` takes."""
    outputs = normal(n, 3)
    if loss == "cross_entropy":
        return outputs, torch.arange(n) % 3
    target = normal(n, 3, seed=1)
    return outputs, target if loss == "squared_error" else (target > 0).double()


every_loss = pytest.mark.parametrize("name", ["cross_entropy", "binary_cross_entropy", "squared_error"])


@every_loss
def test_weight_2_is_a_repeated_sequence_and_weight_0_an_absent_one(name):
    loss = WeightedLoss(name)
    outputs, target = batch(name)
    weighted = loss(outputs, {"target": target, "weight": torch.tensor([2.0, 1, 0, 1, 1], dtype=torch.float64)})
    rows = torch.tensor([0, 0, 1, 3, 4])
    repeated = loss(outputs[rows], {"target": target[rows], "weight": ones(5)})
    torch.testing.assert_close(weighted, repeated)


@every_loss
def test_mean_over_batches_is_the_weighted_mean_loss_however_they_are_cut(name):
    loss = WeightedLoss(name)
    outputs, target = batch(name, n=7)
    weight = torch.tensor([0.5, 2, 1, 0.1, 3, 0.2, 0.2], dtype=torch.float64)
    weight = weight / weight.mean()
    whole = loss(outputs, {"target": target, "weight": weight})
    parts = [slice(0, 3), slice(3, 4), slice(4, 7)]
    pieces = [loss(outputs[s], {"target": target[s], "weight": weight[s]}) * len(outputs[s]) for s in parts]
    torch.testing.assert_close(sum(pieces) / 7, whole)


def test_steps_of_weight_0_do_not_count():
    logits, target = normal(2, 3, 4), torch.tensor([[0, 1, 0], [3, 2, 1]])
    weight = torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]], dtype=torch.float64)
    loss = WeightedLoss("cross_entropy")(logits, {"target": target, "weight": weight})
    expected = F.cross_entropy(logits[weight > 0], target[weight > 0], reduction="sum") / 2
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize("name", ["binary_cross_entropy", "squared_error"])
@pytest.mark.parametrize(("outputs", "target"), [((4, 1), (4,)), ((4,), (4, 1)), ((4, 1), (4, 2)), ((4, 2), (1, 2))])
def test_no_shape_is_broadcast(name, outputs, target):
    with pytest.raises(ValueError, match="against targets of shape"):
        WeightedLoss(name)(normal(*outputs), {"target": ones(*target), "weight": ones(4)})


@pytest.mark.parametrize("shape", [(4, 1), (1,), (3,)])
def test_no_weight_is_broadcast(shape):
    outputs, target = normal(4, 2), normal(4, 2)
    with pytest.raises(ValueError, match="against weights of shape"):
        WeightedLoss("squared_error")(outputs, {"target": target, "weight": ones(*shape)})
