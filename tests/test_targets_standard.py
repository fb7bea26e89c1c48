"""The scale of training: weighted moments of the targets that are there, whatever their order."""

import numpy as np
import pytest

from sklearn_rnn.targets.standard import Standard

every_scaling = pytest.mark.parametrize("scaling", ["standardise", "divide", "none"])


def assert_same_bits(standard, other):
    np.testing.assert_array_equal(standard.location, other.location)
    np.testing.assert_array_equal(standard.scale, other.scale)


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_targets_are_standardised_by_weighted_moments(n_outputs, rng):
    target, weight = rng.normal(3.0, 5.0, size=(60, n_outputs)), rng.integers(0, 4, size=60).astype(float)
    standard = Standard.learn(target, weight, "standardise")
    repeated = np.repeat(target, weight.astype(int), axis=0)
    np.testing.assert_allclose(standard.location, repeated.mean(axis=0))
    np.testing.assert_allclose(standard.scale, repeated.std(axis=0))


def test_means_are_divided_by_and_nothing_is_shifted(rng):
    target, weight = rng.gamma(2.0, size=(50, 2)), rng.random(50)
    standard = Standard.learn(target, weight, "divide")
    np.testing.assert_array_equal(standard.location, 0)
    np.testing.assert_allclose(standard.scale, np.average(target, axis=0, weights=weight))


def test_targets_may_stay_as_they_are(rng):
    target = rng.poisson(3.0, size=(50, 2)).astype(float)
    np.testing.assert_array_equal(Standard.learn(target, np.ones(50), "none").encode(target), target)


@every_scaling
def test_decoding_undoes_encoding_along_any_axis(scaling, rng):
    target = rng.gamma(2.0, size=(50, 3))
    standard = Standard.learn(target, np.ones(50), scaling)
    np.testing.assert_allclose(standard.decode(standard.encode(target)), target)
    np.testing.assert_allclose(standard.decode(standard.encode(target)[:, :, None], axis=1), target[:, :, None])


@every_scaling
def test_the_first_bias_is_that_of_the_mean_on_the_scale_of_training(scaling, rng):
    target = rng.gamma(2.0, size=(50, 2))
    standard = Standard.learn(target, np.ones(50), scaling, lambda mean: mean[:, None])
    np.testing.assert_allclose(standard.first_bias[:, 0], standard.encode(target.mean(axis=0)), atol=1e-12)
    assert Standard.learn(target, np.ones(50), scaling).first_bias is None


@every_scaling
def test_the_order_of_targets_does_not_matter_to_the_last_bit(scaling, rng):
    target, weight = rng.gamma(2.0, size=(100, 2)), rng.random(100)
    order = rng.permutation(100)
    assert_same_bits(Standard.learn(target, weight, scaling), Standard.learn(target[order], weight[order], scaling))


@every_scaling
def test_absent_targets_do_not_count(scaling, rng):
    target, weight = rng.gamma(2.0, size=(30, 2)), rng.random(30)
    target[::3, 0], target[1::4, 1] = np.nan, np.nan
    standard = Standard.learn(target, weight, scaling)
    for k in range(2):
        there = ~np.isnan(target[:, k])
        alone = Standard.learn(target[there, k : k + 1], weight[there], scaling)
        assert_same_bits(Standard(standard.location[k : k + 1], standard.scale[k : k + 1]), alone)


@every_scaling
def test_rows_without_a_target_change_no_bit(scaling, rng):
    target, weight = rng.gamma(2.0, size=(30, 2)), rng.random(30)
    apart = np.full((60, 2), np.nan)
    apart[::2] = target
    among = Standard.learn(apart, np.repeat(weight, 2), scaling)
    assert_same_bits(Standard.learn(target, weight, scaling), among)


@pytest.mark.parametrize(
    ("target", "weight", "message"),
    [
        ([[np.nan], [np.nan]], [1.0, 1.0], "no target to learn from"),
        ([[1.0, np.nan], [2.0, np.nan]], [1.0, 1.0], "no target of output 1"),
        ([[1.0, np.nan], [2.0, 3.0]], [1.0, 0.0], "no target of output 1"),
        ([[1e304], [-1e304]], [1.0, 1.0], "too large to be standardised, up to 1.0e[+]304"),
    ],
)
def test_targets_that_teach_nothing_are_refused(target, weight, message):
    with pytest.raises(ValueError, match=message):
        Standard.learn(np.array(target), np.array(weight), "standardise")


def test_equal_targets_have_scale_1():
    assert Standard.learn(np.full((3, 1), 7.0), np.ones(3), "standardise").scale == 1
    assert Standard.learn(np.zeros((3, 1)), np.ones(3), "divide").scale == 1


@pytest.mark.parametrize("unit", [2.0**-900, 1e-300, 1e-170, 1e150, 1e300])
@pytest.mark.parametrize("scaling", ["standardise", "divide"])
def test_the_unit_of_targets_changes_nothing_but_the_scale(unit, scaling, rng):
    target, weight = rng.gamma(2.0, size=(60, 2)), rng.random(60)
    due, found = (Standard.learn(y, weight, scaling) for y in (target, target * unit))
    np.testing.assert_allclose(found.location / unit, due.location, rtol=1e-12)
    np.testing.assert_allclose(found.scale / unit, due.scale, rtol=1e-12)
    np.testing.assert_allclose(found.encode(target * unit), due.encode(target), rtol=1e-9, atol=1e-12)
    if np.frexp(unit)[0] == 0.5:  # a power of 2, of which no bit is lost
        np.testing.assert_array_equal(found.scale / unit, due.scale)


def test_targets_too_small_for_a_scale_are_refused():
    with pytest.raises(ValueError, match=r"y holds numbers too small to be standardised, up to 2\.0e-310"):
        Standard.learn(np.array([[1e-310, 5.0], [2e-310, 1.0]]), np.ones(2), "standardise")


def test_the_scale_of_a_constant_is_of_its_size():
    target = np.tile([1e-170, -1e-170, 0.0, 5.0, -0.5], (4, 1))
    standard = Standard.learn(target, np.ones(4), "standardise")
    np.testing.assert_array_equal(standard.location, target[0])
    np.testing.assert_array_equal(standard.scale, [1e-170, 1e-170, 1.0, 1.0, 0.5])
