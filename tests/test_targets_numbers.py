"""Numbers as targets: what is learned, encoded, weighed and scored of them, for sequences and for steps."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import r2_score

from sklearn_rnn import Sequences
from sklearn_rnn.data.encoding import StepEncoding
from sklearn_rnn.data.training_set import TrainingSet
from sklearn_rnn.exceptions import SequenceDataError
from sklearn_rnn.networks.heads import PooledHeadSpec, StepHeadSpec
from sklearn_rnn.targets.number_losses import NUMBER_LOSSES, number_loss
from sklearn_rnn.targets.numbers import Numbers, StepNumbers, masked_r2, read_numbers

LENGTHS = np.array([3, 1, 4])
X = Sequences(np.zeros((8, 2)), np.concatenate([[0], np.cumsum(LENGTHS)]))
STEPS = np.array([[1.0, 5.0], [np.nan, 6.0], [3.0, np.nan], [np.nan, np.nan], [2.0, 8.0], [4.0, 9.0], [1, 1], [0, 2]])
GAUSSIAN = number_loss("gaussian", [0.1, 0.9])


def read(y, loss="squared_error", aligned="auto", inputs=X, **options):
    loss = loss if loss is GAUSSIAN else number_loss(loss, [0.1, 0.5, 0.9] if loss == "quantile" else None)
    return read_numbers(y, inputs, loss, aligned, **{"max_length": None, "truncate": "tail", **options})


def learned(y, loss="squared_error", weight=None, step_weight=None, **options):
    """A target that has learned y, and y as a training set."""
    target, labels = read(y, loss, **options)
    weight = np.ones(3) if weight is None else np.asarray(weight, dtype=float)
    data = TrainingSet(X, labels, weight, None if step_weight is None else X.with_values(np.asarray(step_weight)))
    target.learn(data, data, None, StepEncoding())
    return target, replace(data, target=target.encode(labels, training=True))


def of_steps(values=STEPS):
    return list(X.with_values(values))


@pytest.mark.parametrize(
    ("y", "kind", "flat", "block"),
    [
        ([1.0, 2.0, 3.0], Numbers, True, True),
        (np.ones((3, 2)), Numbers, False, True),
        (of_steps(), StepNumbers, False, False),
        (of_steps(STEPS[:, 0]), StepNumbers, True, False),
        (X.with_values(STEPS[:, 1]), StepNumbers, True, False),
    ],
)
def test_kinds(y, kind, flat, block):
    target, labels = read(y)
    assert (type(target), target.flat, target.block) == (kind, flat, block)
    assert isinstance(labels, Sequences) is (kind is StepNumbers)


def test_blocks_of_steps():
    inputs = Sequences(np.zeros((6, 1)), [0, 3, 6])
    for y, flat in ((np.arange(6.0).reshape(2, 3), True), (np.arange(6.0).reshape(2, 3, 1), False)):
        target, labels = read(y, aligned="step", inputs=inputs)
        assert (type(target), target.flat, target.block) == (StepNumbers, flat, True)
        assert_array_equal(labels.values[:, 0], np.arange(6))
        assert_array_equal(target.in_format(labels.values, inputs), y)
        assert target.in_format(np.zeros((4, 1)), Sequences(np.zeros((4, 1)), [0, 1, 4])).dtype == object


@pytest.mark.parametrize("loss", ["squared_error", "poisson", "negative_binomial"])
def test_what_is_learned_is_weighted_and_leaves_out_what_is_not_there(loss):
    weight, step_weight = [2.0, 1.0, 0.5], np.arange(8.0)
    target, _ = learned(of_steps(), loss, weight, step_weight)
    row_weight = np.repeat(weight, LENGTHS) * step_weight
    for k in range(2):
        there = ~np.isnan(STEPS[:, k])
        mean = np.average(STEPS[there, k], weights=row_weight[there])
        spread = np.sqrt(np.average((STEPS[there, k] - mean) ** 2, weights=row_weight[there]))
        due = {"squared_error": (mean, spread), "poisson": (0, mean), "negative_binomial": (0, 1)}[loss]
        assert_allclose((target.standard.location[k], target.standard.scale[k]), due)
    assert target.attributes()["target_alignment_"] == "step"


def test_a_number_of_weight_0_has_no_part_however_large():
    far = STEPS.copy()
    far[4] = 1e300
    weight = np.where(np.arange(8) == 4, 0.0, 1.0)
    absent = np.where((np.arange(8) == 4)[:, None], np.nan, STEPS)
    one, other = learned(of_steps(far), step_weight=weight)[0], learned(of_steps(absent))[0]
    assert_array_equal(one.standard.location, other.standard.location)
    assert_array_equal(one.standard.scale, other.standard.scale)


def test_encoding_keeps_what_is_not_there():
    target, data = learned(of_steps())
    assert_array_equal(np.isnan(data.target.values), np.isnan(STEPS))
    assert_allclose(target.standard.decode(data.target.values), STEPS, atol=1e-12)
    assert_allclose(np.nanmean(data.target.values, axis=0), 0, atol=1e-12)
    assert_allclose(np.nanstd(data.target.values, axis=0), 1)


def test_weights_have_mean_1_over_what_is_there():
    """The sum of weighted means over a row, divided by the number of sequences, is the mean over all numbers."""
    target, data = learned(of_steps(), weight=[2.0, 1.0, 0.5])
    weight = target.weighed(data, training=True).step_weight.values
    share = (~np.isnan(STEPS)).mean(axis=1)
    assert (weight * share).sum() == pytest.approx(3)
    assert weight[3] == 0
    assert_allclose(weight[[0, 4]] / weight[0], [1, 0.25])
    whole, sequences = learned(np.array([[1.0, 2.0], [np.nan, 3.0], [4.0, 5.0]]), weight=[2.0, 1.0, 1.0])
    assert_allclose(whole.weighed(sequences, training=True).weight, np.array([2.0, 1.0, 1.0]) * 3 / 3.5)


def test_present():
    target, labels = read(of_steps())
    assert_array_equal(target.present(labels), [True, False, True])
    whole, rows = read([1.0, np.nan, 2.0])
    assert_array_equal(whole.present(rows), [True, False, True])


@pytest.mark.parametrize(
    ("values", "gaps"),
    [(STEPS, True), (STEPS[:, :1], False), (np.where(np.isnan(STEPS).any(axis=1)[:, None], np.nan, STEPS), False)],
)
def test_the_loss_is_told_of_gaps_inside_rows_alone(values, gaps):
    target, data = learned(of_steps(values))
    loss, settings = target.criterion(data)
    assert loss.kernel == "squared_error"
    assert settings.gaps is gaps


@pytest.mark.parametrize("name", NUMBER_LOSSES)
def test_the_head_has_the_outputs_of_the_loss(name):
    y = np.array([[1.0, 2.0], [4.0, 3.0], [2.0, 2.0]])
    pooled, of_each = learned(y, name)[0], learned(of_steps(np.repeat(y, LENGTHS, axis=0)), name)[0]
    assert replace(pooled, pooling="mean").head().pooling == "mean"
    for target, kind in ((pooled, PooledHeadSpec), (of_each, StepHeadSpec)):
        spec = target.head()
        assert type(spec) is kind
        assert spec.n_outputs == 2 * target.loss.n_parameters
        assert spec.first_bias is None or len(spec.first_bias) == spec.n_outputs


def test_cutting():
    target, data = learned(of_steps(STEPS[:, 0]), max_length=2)
    assert_array_equal(target.cut(data).sequences.lengths, [2, 2])
    late = STEPS[:, 0].copy()
    late[[0, 1, 4, 5]] = np.nan
    target, data = learned(of_steps(late), max_length=2)
    with pytest.raises(ValueError, match="max_length=2 with truncate='tail' cuts off every step that has a target"):
        target.cut(data)


def test_reading_is_held_to_what_was_learned():
    target, _ = learned(of_steps())
    with pytest.raises(SequenceDataError, match=r"y has 1 output\(s\), wanted the 2"):
        target.read(of_steps(STEPS[:, 0]), X)
    whole, _ = learned([1.0, 2.0, 3.0])
    with pytest.raises(SequenceDataError, match=r"y has 2 output\(s\), wanted the 1"):
        whole.read(np.ones((3, 2)), X)
    with pytest.raises(SequenceDataError, match="loss='gamma' wants numbers above 0"):
        read([1.0, 0.0, 2.0], "gamma")
    with pytest.raises(ValueError, match=r"classes=.* has no meaning for numbers"):
        whole.check_classes([1, 2])


def test_masked_r2():
    rng = np.random.default_rng(0)
    truth, predicted, weight = rng.normal(size=(20, 3)), rng.normal(size=(20, 3)), rng.uniform(size=20)
    assert masked_r2(truth, predicted, weight) == r2_score(truth, predicted, sample_weight=weight)
    gaps = np.where(rng.random(truth.shape) < 0.3, np.nan, truth)
    gaps[:, 2] = np.nan
    weight[:3] = 0
    kept = [~np.isnan(gaps[:, k]) & (weight > 0) for k in range(2)]
    due = [r2_score(gaps[k, i], predicted[k, i], sample_weight=weight[k]) for i, k in enumerate(kept)]
    assert masked_r2(gaps, predicted, weight) == pytest.approx(np.mean(due))
    assert np.isnan(masked_r2(gaps[:, 2:], predicted[:, 2:], weight))


def test_scores_of_training_and_of_score_agree():
    target, data = learned(of_steps(), GAUSSIAN)
    outputs = np.random.default_rng(0).normal(size=(8, 4))
    weighed = target.weighed(data, training=False)
    in_training = target.score(outputs, data.target.values, weighed.step_weight.values, LENGTHS)
    _, labels = read(of_steps())
    assert in_training == pytest.approx(target.score_labels(labels, outputs, np.ones(3), None))


def test_what_is_read_from_outputs_has_the_shape_of_y():
    target, _ = learned(of_steps(STEPS[:, 0]), GAUSSIAN)
    outputs = np.random.default_rng(0).normal(size=(8, 2))
    for values, trailing in (
        (target.predictions(outputs), ()),
        (target.deviations(outputs), ()),
        (target.quantiles(outputs, None), (2,)),
        (target.samples(outputs, 5, np.random.RandomState(0)), (5,)),
        (target.log_likelihood(outputs, read(of_steps(STEPS[:, 0]))[1]), ()),
    ):
        items = target.in_format(values, X)
        assert [item.shape for item in items] == [(length, *trailing) for length in LENGTHS]
