"""Records of losses: how targets are checked and scaled, and what is read from outputs, against SciPy."""

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from torch.nn.functional import softplus

from sklearn_rnn import Sequences
from sklearn_rnn.exceptions import SequenceDataError
from sklearn_rnn.kernels import heads
from sklearn_rnn.networks import number_losses as functions
from sklearn_rnn.targets.number_losses import NUMBER_LOSSES, NumberLoss, check_levels, number_loss
from sklearn_rnn.targets.standard import Standard

LEVELS = (0.05, 0.25, 0.5, 0.9)
DISTRIBUTIONS = ["gaussian", "laplace", "student_t", "negative_binomial"]
STANDARDISED = ["squared_error", "absolute_error", "huber", "quantile", "gaussian", "laplace", "student_t"]

every_name = pytest.mark.parametrize("name", NUMBER_LOSSES)
every_distribution = pytest.mark.parametrize("name", DISTRIBUTIONS)


def loss_of(name):
    return number_loss(name, LEVELS if NUMBER_LOSSES[name].has_quantiles or name == "quantile" else None)


def standard_of(name):
    if name == "negative_binomial":
        return Standard(np.zeros(2), np.ones(2))
    if name in ("poisson", "gamma"):
        return Standard(np.zeros(2), np.array([2.0, 0.1]))
    return Standard(np.array([3.0, -20.0]), np.array([2.0, 0.1]))


def outputs_of(name, n=5, seed=0):
    return np.random.default_rng(seed).normal(size=(n, 2, loss_of(name).n_parameters)).astype(np.float32)


def target_of(name, n=5, seed=0):
    rng = np.random.default_rng(seed)
    if name == "negative_binomial":
        return rng.poisson(2.0, size=(n, 2)).astype(float)
    return rng.gamma(2.0, size=(n, 2))


def frozen_of(name, outputs):
    """SciPy's distribution of a target, from the docstrings of the losses."""
    raw, standard = torch.from_numpy(outputs).double(), standard_of(name)
    if name == "negative_binomial":
        size = 1 / (softplus(raw[..., 1]).numpy() + functions.MIN_DISPERSION)
        return stats.nbinom(size, size / (size + np.exp(raw[..., 0].numpy())))
    place = raw[..., 0].numpy() * standard.scale + standard.location
    width = (softplus(raw[..., 1]).numpy() + functions.MIN_SCALE) * standard.scale
    if name == "student_t":
        return stats.t(softplus(raw[..., 2]).numpy() + functions.MIN_DEGREES, place, width)
    return (stats.norm if name == "gaussian" else stats.laplace)(place, width)


@every_name
def test_a_record_is_what_its_key_says(name):
    loss = loss_of(name)
    assert loss.name == name
    assert loss.has_distribution == (name in DISTRIBUTIONS)
    assert loss.has_quantiles == (name in [*DISTRIBUTIONS, "quantile"])
    losses = loss(torch.from_numpy(outputs_of(name)), torch.from_numpy(target_of(name)).float())
    assert losses.shape == (5, 2)
    again = pickle.loads(pickle.dumps(loss))
    np.testing.assert_array_equal(
        again.predict(outputs_of(name), standard_of(name)), loss.predict(outputs_of(name), standard_of(name))
    )


@every_name
def test_targets_are_scaled_as_the_loss_wants(name, rng):
    target, weight = target_of(name, 30) + 1, rng.random(30)
    found = loss_of(name).learn(target, weight)
    scaling = "none" if name == "negative_binomial" else "standardise" if name in STANDARDISED else "divide"
    expected = Standard.learn(target, weight, scaling)
    np.testing.assert_array_equal(found.location, expected.location)
    np.testing.assert_array_equal(found.scale, expected.scale)


def test_kernels_that_are_named_are_there():
    named = {loss.kernel for loss in NUMBER_LOSSES.values()} - {None}
    assert named == {"squared_error"}
    assert all(callable(getattr(heads, name)) for name in named)


def test_counts_stay_counts_and_the_head_starts_at_the_log_of_the_mean(rng):
    target = rng.poisson(3.0, size=(50, 2)).astype(float)
    standard = loss_of("negative_binomial").learn(target, np.ones(50))
    np.testing.assert_array_equal(standard.encode(target), target)
    np.testing.assert_allclose(standard.first_bias[:, 0], np.log(target.mean(axis=0)))
    nothing = loss_of("negative_binomial").learn(np.zeros((4, 1)), np.ones(4))
    assert np.isfinite(nothing.first_bias).all()


@pytest.mark.parametrize("name", ["gaussian", "laplace", "student_t"])
def test_a_distribution_starts_with_the_moments_of_the_targets(name, rng):
    loss, target = loss_of(name), rng.normal(5.0, 2.0, size=(50, 2))
    standard = loss.learn(target, np.ones(50))
    start = standard.first_bias[None]
    np.testing.assert_allclose(loss.predict(start, standard)[0], target.mean(axis=0))
    np.testing.assert_allclose(loss.std(start, standard)[0], target.std(axis=0))


@pytest.mark.parametrize("levels", [(0.5,), (0.1, 0.9), LEVELS, tuple(np.linspace(0.01, 0.99, 99))])
def test_quantiles_start_as_those_of_a_normal_distribution(levels, rng):
    loss, target = number_loss("quantile", levels), rng.normal(5.0, 2.0, size=(50, 2))
    standard = loss.learn(target, np.ones(50))
    found = loss.quantiles(standard.first_bias[None], standard)[0]
    expected = [
        stats.norm(mean, std).ppf(levels) for mean, std in zip(target.mean(axis=0), target.std(axis=0), strict=True)
    ]
    np.testing.assert_allclose(found, expected)


def test_point_losses_leave_the_first_bias():
    names = ["squared_error", "absolute_error", "huber", "poisson", "gamma"]
    assert all(loss_of(name).learn(np.ones((3, 1)), np.ones(3)).first_bias is None for name in names)


RAGGED = Sequences(np.array([1.0, 2.0, -0.5, 4.0]), [0, 1, 4])


@pytest.mark.parametrize(
    ("name", "target", "message"),
    [
        ("poisson", np.array([1.0, -2.0, -3.0]), r"0 or more, got y\[1\] = -2 \(2 such target\(s\) in all\).*squared"),
        ("poisson", RAGGED, r"got y\[1\]\[1\] = -0.5"),
        ("poisson", RAGGED.with_values(RAGGED.values[:, None]), r"got y\[1\]\[1\] = -0.5"),
        (
            "poisson",
            RAGGED.with_values(np.column_stack([[0.0, 1, 2, 3], RAGGED.values])),
            r"got y\[1\]\[1\]\[1\] = -0.5",
        ),
        ("gamma", np.array([[1.0, 2.0], [1.0, 0.0]]), r"above 0, got y\[1\]\[1\] = 0 .*loss='poisson'"),
        ("negative_binomial", np.array([np.nan, 1.0, 2.5]), r"whole numbers from 0 on, got y\[2\] = 2.5"),
        ("negative_binomial", np.array([-1.0]), r"got y\[0\] = -1"),
    ],
)
def test_targets_out_of_the_domain_are_refused(name, target, message):
    with pytest.raises(SequenceDataError, match=message):
        loss_of(name).check(target)


@every_name
def test_targets_within_the_domain_pass(name):
    loss_of(name).check(np.array([[1.0, np.nan], [3.0, 0.0 if name != "gamma" else 2.0]]))
    if name in STANDARDISED:
        loss_of(name).check(np.array([-1.5, 0.0]))
    if name == "poisson":
        loss_of(name).check(np.array([0.5]))


@every_distribution
def test_what_is_read_is_scipys(name):
    loss, standard, outputs = loss_of(name), standard_of(name), outputs_of(name)
    frozen, target = frozen_of(name, outputs), target_of(name)
    np.testing.assert_allclose(loss.predict(outputs, standard), frozen.mean(), rtol=1e-6)
    np.testing.assert_allclose(loss.std(outputs, standard), frozen.std(), rtol=1e-6)
    for k, level in enumerate(LEVELS):
        np.testing.assert_allclose(loss.quantiles(outputs, standard)[..., k], frozen.ppf(level), rtol=1e-6)
    log_density = frozen.logpmf if name == "negative_binomial" else frozen.logpdf
    np.testing.assert_allclose(loss.log_likelihood(outputs, standard, target), log_density(target), rtol=1e-6)
    absent = np.where([True, False], target, np.nan)
    np.testing.assert_array_equal(np.isnan(loss.log_likelihood(outputs, standard, absent)), np.isnan(absent))


@every_distribution
@pytest.mark.parametrize("generator", [np.random.default_rng, np.random.RandomState])
def test_samples_have_the_moments_of_the_distribution(name, generator):
    loss, standard, outputs = loss_of(name), standard_of(name), outputs_of(name)
    if name == "student_t":
        outputs[..., 2] = 8.0
    samples = loss.sample(outputs, standard, 20_000, generator(0))
    assert samples.shape == (5, 2, 20_000)
    std = loss.std(outputs, standard)
    assert (np.abs(samples.mean(axis=-1) - loss.predict(outputs, standard)) < 5 * std / 20_000**0.5).all()
    np.testing.assert_allclose(samples.std(axis=-1), std, rtol=0.08)
    np.testing.assert_array_equal(
        loss.sample(outputs, standard, 3, generator(1)), loss.sample(outputs, standard, 3, generator(1))
    )


@pytest.mark.parametrize("name", ["squared_error", "absolute_error", "huber"])
def test_point_predictions_are_in_the_units_of_y(name):
    outputs, standard = outputs_of(name), standard_of(name)
    expected = outputs[..., 0] * standard.scale + standard.location
    np.testing.assert_array_equal(loss_of(name).predict(outputs, standard), expected)


@pytest.mark.parametrize("name", ["poisson", "gamma"])
def test_means_of_a_log_link_are_in_the_units_of_y(name):
    outputs, standard = outputs_of(name), standard_of(name)
    np.testing.assert_allclose(
        loss_of(name).predict(outputs, standard), np.exp(outputs[..., 0]) * standard.scale, rtol=1e-6
    )


@pytest.mark.parametrize(
    ("levels", "position"), [(LEVELS, 2), ((0.5, 0.9, 0.95), 0), ((0.1, 0.2, 0.9), 1), ((0.3,), 0)]
)
def test_the_median_is_predicted_or_the_middle_quantile(levels, position):
    loss, standard = number_loss("quantile", levels), standard_of("quantile")
    outputs = np.random.default_rng(0).normal(size=(4, 2, len(levels)))
    np.testing.assert_allclose(loss.predict(outputs, standard), loss.quantiles(outputs, standard)[..., position])


@given(
    outputs=arrays(np.float32, (3, 2, 4), elements=st.floats(-1e6, 1e6, width=32)),
    levels=st.lists(st.floats(0.05, 0.9), min_size=1, max_size=8, unique=True).map(sorted),
    name=st.sampled_from([*DISTRIBUTIONS, "quantile"]),
)
@settings(deadline=None)
def test_quantiles_of_any_outputs_never_cross(outputs, levels, name):
    loss = loss_of(name)
    found = loss.quantiles(outputs[..., : loss.n_parameters], standard_of(name), levels)
    assert found.shape == (3, 2, len(levels))
    assert (np.diff(found, axis=-1) >= 0).all()


def test_quantiles_between_those_of_the_fit_lie_on_lines():
    loss, standard, outputs = loss_of("quantile"), standard_of("quantile"), outputs_of("quantile")
    known = loss.quantiles(outputs, standard)
    np.testing.assert_array_equal(loss.quantiles(outputs, standard, LEVELS), known)
    np.testing.assert_allclose(loss.quantiles(outputs, standard, [0.15])[..., 0], known[..., :2].mean(axis=-1))
    alone = number_loss("quantile", [0.5])
    assert alone.quantiles(outputs[..., :1], standard, [0.5]).shape == (5, 2, 1)


def test_quantiles_outside_of_the_fit_are_refused():
    with pytest.raises(ValueError, match=r"quantiles=\[0.01, 0.95\] lie outside of those of the fit, 0.05 to 0.9"):
        loss_of("quantile").quantiles(outputs_of("quantile"), standard_of("quantile"), [0.01, 0.5, 0.95])


@pytest.mark.parametrize("name", ["squared_error", "absolute_error", "huber", "poisson", "gamma", "quantile"])
def test_losses_without_a_distribution_say_which_have_one(name):
    loss, outputs, standard = loss_of(name), outputs_of(name), standard_of(name)
    for call in [
        lambda: loss.std(outputs, standard),
        lambda: loss.sample(outputs, standard, 2, np.random.default_rng(0)),
        lambda: loss.log_likelihood(outputs, standard, target_of(name)),
    ]:
        with pytest.raises(ValueError, match=f"loss='{name}' predicts no distribution.*gaussian.*negative_binomial"):
            call()
    if name != "quantile":
        with pytest.raises(ValueError, match=r"no quantiles: fit with one of the losses.*'quantile'"):
            loss.quantiles(outputs, standard)


def test_a_distribution_without_levels_asks_for_them():
    with pytest.raises(ValueError, match="was given no quantiles"):
        number_loss("gaussian").quantiles(outputs_of("gaussian"), standard_of("gaussian"))


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        ([], "list of numbers between 0 and 1"),
        (0.5, "list of numbers"),
        (["a"], "list of numbers"),
        ([[0.1, 0.9]], "list of numbers"),
        ([0.0, 0.5], r"without the ends, got 0.0"),
        ([0.5, 1], r"without the ends, got 1.0"),
        ([0.5, np.nan], r"without the ends, got nan"),
        ([0.9, 0.1], "rising order"),
        ([0.5, 0.5], "each there once"),
    ],
)
def test_levels_are_checked(levels, message):
    with pytest.raises(ValueError, match=message):
        check_levels(levels)


def test_names_are_checked():
    with pytest.raises(ValueError, match=r"loss must be one of \['absolute_error'.*got 'absolute'"):
        number_loss("absolute")
    with pytest.raises(ValueError, match="needs the levels to learn"):
        number_loss("quantile")


def test_a_loss_can_be_added(monkeypatch):
    def cubic(outputs, target):
        return (functions.as_number(outputs) - target).abs() ** 3

    monkeypatch.setitem(NUMBER_LOSSES, "cubic", NumberLoss("cubic", cubic, predicts="centre"))
    outputs, standard = outputs_of("squared_error"), standard_of("cubic")
    assert number_loss("cubic").predict(outputs, standard).shape == (5, 2)


def test_quantiles_without_a_use_are_refused():
    with pytest.raises(ValueError, match=r"quantiles=\[0.1, 0.9\] have no use with loss='squared_error'.*'gaussian'"):
        number_loss("squared_error", [0.1, 0.9])
