"""Losses of numbers against SciPy's log-densities, finite differences and the minimum that each must have."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from scipy.special import gammaln

from sklearn_rnn.networks import number_losses as losses

N = 40
LEVELS = (0.05, 0.25, 0.5, 0.9)

SIGNED = ["squared_error", "absolute_error", "huber", "quantile", "gaussian", "laplace", "student_t"]
N_PARAMETERS = {
    "squared_error": 1,
    "absolute_error": 1,
    "huber": 1,
    "poisson": 1,
    "gamma": 1,
    "quantile": len(LEVELS),
    "gaussian": 2,
    "laplace": 2,
    "student_t": 3,
    "negative_binomial": 2,
}
every_loss = pytest.mark.parametrize("name", N_PARAMETERS)
floats = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])


def loss_of(name):
    function = getattr(losses, name)
    return (lambda outputs, target: function(outputs, target, LEVELS)) if name == "quantile" else function


def outputs_of(name, n=N, spread=2.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return spread * torch.randn(n, N_PARAMETERS[name], generator=generator, dtype=torch.float64)


def target_of(name, n=N, seed=1):
    rng = np.random.default_rng(seed)
    if name in SIGNED:
        return torch.from_numpy(rng.normal(size=n))
    return torch.from_numpy(rng.gamma(2.0, size=n) if name == "gamma" else rng.poisson(3.0, n).astype(float))


def softplus(x):
    return np.logaddexp(0, x)


def log_density(name, outputs, target):
    """SciPy's log-density, with the parameters as the docstrings say."""
    first = outputs[:, 0]
    if name == "poisson":
        return stats.poisson.logpmf(target, np.exp(first))
    if name == "gamma":
        return stats.gamma.logpdf(target, 1, scale=np.exp(first))
    scale = softplus(outputs[:, 1])
    if name == "negative_binomial":
        size = 1 / (scale + losses.MIN_DISPERSION)
        return stats.nbinom.logpmf(target, size, size / (size + np.exp(first)))
    scale = scale + losses.MIN_SCALE
    if name == "student_t":
        return stats.t.logpdf(target, softplus(outputs[:, 2]) + losses.MIN_DEGREES, first, scale)
    return {"gaussian": stats.norm, "laplace": stats.laplace}[name].logpdf(target, first, scale)


@pytest.mark.parametrize("spread", [0.5, 2.0, 6.0])
@pytest.mark.parametrize("name", ["poisson", "gamma", "gaussian", "laplace", "student_t", "negative_binomial"])
def test_densities_are_scipys(name, spread):
    outputs, target = outputs_of(name, spread=spread), target_of(name)
    expected = -log_density(name, outputs.numpy(), target.numpy())
    known = np.isfinite(expected)  # SciPy takes the log of Laplace's density, which is 0 far out
    found = loss_of(name)(outputs, target).numpy()
    assert known.mean() > 0.5
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[known], expected[known], rtol=1e-9, atol=1e-9)


def test_point_losses_are_their_definitions():
    outputs, target = outputs_of("squared_error"), target_of("squared_error")
    error = (outputs[:, 0] - target).numpy()
    np.testing.assert_allclose(losses.squared_error(outputs, target), error**2)
    np.testing.assert_allclose(losses.absolute_error(outputs, target), np.abs(error))
    expected = np.where(np.abs(error) <= 1, error**2 / 2, np.abs(error) - 0.5)
    np.testing.assert_allclose(losses.huber(outputs, target), expected)


def test_pinball_loss_is_the_mean_over_levels():
    outputs, target = outputs_of("quantile"), target_of("quantile")
    error = target.numpy()[:, None] - losses.as_quantiles(outputs).numpy()
    expected = np.maximum(np.array(LEVELS) * error, (np.array(LEVELS) - 1) * error).mean(axis=1)
    np.testing.assert_allclose(losses.quantile(outputs, target, LEVELS), expected)


@every_loss
@pytest.mark.parametrize("spread", [1.0, 6.0, 30.0])
def test_gradients_are_finite_differences(name, spread):
    outputs, target = outputs_of(name, spread=spread).requires_grad_(), target_of(name)
    loss = loss_of(name)(outputs, target)
    (gradient,) = torch.autograd.grad(loss.sum(), outputs)
    step, rounding = 1e-5, 1e-6 + 1e-10 * loss.detach().abs()
    for k, move in enumerate(step * torch.eye(N_PARAMETERS[name], dtype=torch.float64)):
        with torch.no_grad():
            difference = loss_of(name)(outputs + move, target) - loss_of(name)(outputs - move, target)
        slope = difference / (2 * step)
        assert ((gradient[:, k] - slope).abs() <= rounding + 1e-4 * slope.abs()).all()


@every_loss
@floats
@pytest.mark.parametrize("size", [1e2, 1e5, 1e10])
def test_gradients_of_outputs_of_any_size_are_finite(name, dtype, size):
    signs = torch.cartesian_prod(*[torch.tensor([-size, 0.0, size])] * N_PARAMETERS[name])
    outputs = signs.reshape(-1, N_PARAMETERS[name]).to(dtype).requires_grad_()
    for value in [0.0, 1.0, 1e6]:
        loss = loss_of(name)(outputs, torch.full((len(outputs),), value or float(name == "gamma"), dtype=dtype))
        (gradient,) = torch.autograd.grad(loss.sum(), outputs)
        assert loss.dtype == dtype
        assert torch.isfinite(loss).all()
        assert torch.isfinite(gradient).all()


@every_loss
def test_single_precision_is_close_to_double(name):
    outputs, target = outputs_of(name, n=200, spread=4.0), target_of(name, n=200)
    outputs[:, 0] /= 2

    def value_and_gradient(dtype):
        leaf = outputs.to(dtype).requires_grad_()
        loss = loss_of(name)(leaf, target.to(dtype))
        return loss.detach().double(), torch.autograd.grad(loss.sum(), leaf)[0].double()

    for single, double in zip(value_and_gradient(torch.float32), value_and_gradient(torch.float64), strict=True):
        torch.testing.assert_close(single, double, rtol=2e-4, atol=2e-4)


@every_loss
def test_less_than_single_precision_is_widened(name):
    outputs, target = outputs_of(name).bfloat16(), target_of(name).float()
    torch.testing.assert_close(loss_of(name)(outputs, target), loss_of(name)(outputs.float(), target))


@every_loss
@given(shape=st.lists(st.integers(0, 3), min_size=0, max_size=3))
@settings(max_examples=10, deadline=None)
def test_the_axes_before_are_free(name, shape):
    n = int(np.prod(shape))
    outputs, target = outputs_of(name, n=n), target_of(name, n=n)
    flat = loss_of(name)(outputs, target)
    nested = loss_of(name)(outputs.reshape(*shape, N_PARAMETERS[name]), target.reshape(shape))
    assert nested.shape == tuple(shape)
    torch.testing.assert_close(nested.flatten(), flat)


@given(
    outputs=arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 9)), elements=st.floats(-1e8, 1e8, width=32))
)
@settings(deadline=None)
def test_quantiles_never_cross(outputs):
    assert (losses.as_quantiles(torch.from_numpy(outputs)).diff(dim=-1) >= 0).all()


def test_a_single_quantile_is_the_output():
    outputs = outputs_of("squared_error")
    torch.testing.assert_close(losses.as_quantiles(outputs), outputs)


@given(raw=st.floats(-1e9, 1e9), more=st.floats(1e-3, 10))
def test_the_log_of_a_mean_rises_and_is_the_output_up_to_20(raw, more):
    low, high = losses.as_log_mean(torch.tensor([[raw], [raw + more]], dtype=torch.float64))
    assert high > low or abs(raw) > 1e6
    assert (low == raw) == (abs(raw) <= 20)
    assert abs(low) < 41


@pytest.mark.parametrize("n", [0.0, 0.5, 1.0, 7.0, 1e3])
def test_log_rising_is_a_difference_of_log_gammas(n):
    a = np.concatenate([np.geomspace(1e-3, 1e3, 50), [15.999, 16.0, 16.001]])
    np.testing.assert_allclose(
        losses.log_rising(torch.from_numpy(a), n), gammaln(a + n) - gammaln(a), atol=2e-12, rtol=1e-12
    )


def fitted(function, target, n_parameters):
    """The constant outputs (n_parameters,) that make the mean loss least."""
    outputs = torch.zeros(n_parameters, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([outputs], max_iter=300, tolerance_grad=1e-10, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = function(outputs.expand(len(target), -1), target).mean()
        loss.backward()
        return loss

    optimizer.step(closure)
    return outputs.detach()


def test_minimising_pinball_loss_recovers_the_quantiles_of_a_sample():
    sample = torch.from_numpy(np.random.default_rng(0).gamma(2.0, size=4000))
    outputs = torch.zeros(len(LEVELS), dtype=torch.float64, requires_grad=True)
    for rate in (0.1, 0.01, 0.001):
        optimizer = torch.optim.Adam([outputs], lr=rate)
        for _ in range(200):
            optimizer.zero_grad()
            losses.quantile(outputs.expand(len(sample), -1), sample, LEVELS).mean().backward()
            optimizer.step()
    found = losses.as_quantiles(outputs.detach())
    np.testing.assert_allclose(found, np.quantile(sample, LEVELS), atol=0.02)


def test_point_losses_have_their_minimum_at_mean_or_median():
    sample = torch.from_numpy(np.random.default_rng(0).gamma(2.0, size=2001))
    for name in ("squared_error", "poisson", "gamma"):
        found = fitted(getattr(losses, name), sample, 1)
        read = losses.as_number if name == "squared_error" else losses.as_mean
        torch.testing.assert_close(read(found), sample.mean(), rtol=1e-5, atol=0)
    median = sample.median()
    at = [
        losses.absolute_error(torch.full((len(sample), 1), float(m)), sample).mean()
        for m in (median - 0.05, median, median + 0.05)
    ]
    assert at[1] < min(at[0], at[2])


@pytest.mark.parametrize(
    ("name", "read", "frozen", "expected"),
    [
        ("gaussian", losses.as_location_scale, stats.norm(0.5, 1.5), (0.5, 1.5)),
        ("laplace", losses.as_location_scale, stats.laplace(-0.5, 0.7), (-0.5, 0.7)),
        ("student_t", losses.as_student_t, stats.t(4.0, 0.3, 0.8), (0.3, 0.8, 4.0)),
        ("negative_binomial", losses.as_counts, stats.nbinom(2.0, 2.0 / 6.0), (np.log(4.0), 0.5)),
    ],
)
def test_parameters_of_a_large_sample_are_recovered(name, read, frozen, expected):
    sample = torch.from_numpy(frozen.rvs(20_000, random_state=0).astype(float))
    found = read(fitted(getattr(losses, name), sample, N_PARAMETERS[name]))
    np.testing.assert_allclose([float(parameter) for parameter in found], expected, rtol=0.08)
