"""Mixtures of normal distributions against SciPy's, against integrals, and against their own draws."""

import numpy as np
import pytest
import torch
from likelihoods import built, normal, uniforms
from scipy import stats
from scipy.special import log_softmax, logsumexp, softmax

from sklearn_rnn.networks.heads import MixtureHeadSpec
from sklearn_rnn.networks.number_losses import MIN_SCALE

sizes = pytest.mark.parametrize("n_features", [1, 2, 3, 5])


def head_of(n_features, n_mixtures=3, *, ends=False):
    return built(MixtureHeadSpec.of(n_features, n_mixtures, end_log_odds=0.0 if ends else None))


def components(head, outputs):
    """Weights, means and covariances of the components of one row of outputs, from the outputs alone."""
    K, D = head.n_mixtures, head.n_features
    outputs = np.asarray(outputs)
    weight, mean, scale, joins = np.split(outputs, [K, K + K * D, K + 2 * K * D])
    scale = np.log1p(np.exp(scale.reshape(K, D))) + MIN_SCALE
    lower = np.tile(np.eye(D), (K, 1, 1))
    if D <= 3:
        for k in range(K):
            lower[k][np.tril_indices(D, -1)] = joins.reshape(K, -1)[k]
    factor = scale[:, :, None] * lower
    return weight, mean.reshape(K, D), factor @ factor.transpose(0, 2, 1)


def log_density(head, outputs, points):
    """By SciPy, of one row of outputs at points (n, n_features)."""
    weight, means, covariances = components(head, outputs)
    densities = [stats.multivariate_normal(m, c).logpdf(points) for m, c in zip(means, covariances, strict=True)]
    return logsumexp(log_softmax(weight)[:, None] + np.array(densities).reshape(len(weight), -1), axis=0)


@sizes
@pytest.mark.parametrize("n_mixtures", [1, 4])
def test_the_density_is_scipys(n_features, n_mixtures):
    head = head_of(n_features, n_mixtures)
    outputs, points = normal(1, head.linear.out_features), normal(20, n_features, seed=1, scale=2.0)
    found = head.log_likelihood(outputs.expand(20, -1), points)
    np.testing.assert_allclose(found, log_density(head, outputs[0], points.numpy()))


@pytest.mark.parametrize("n_features", [1, 2])
def test_the_density_integrates_to_1(n_features):
    head = head_of(n_features)
    outputs = normal(1, head.linear.out_features, seed=3)
    axis = torch.linspace(-12, 12, 601, dtype=torch.float64)
    points = torch.cartesian_prod(*[axis] * n_features).reshape(-1, n_features)
    density = head.log_likelihood(outputs.expand(len(points), -1), points).exp()
    assert float(density.sum()) * 0.04**n_features == pytest.approx(1, abs=1e-6)


@sizes
def test_gradients_equal_finite_differences(n_features):
    head = head_of(n_features, ends=True)
    target = torch.column_stack([normal(3, n_features, seed=1), torch.tensor([0.0, 1.0, 0.0])])
    outputs = normal(3, head.linear.out_features).requires_grad_()
    assert torch.autograd.gradcheck(lambda outputs: head.log_likelihood(outputs, target), outputs)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_outputs_and_numbers_of_any_size_have_finite_gradients(dtype):
    head = head_of(2)
    size = torch.tensor([1e-30, 1e-3, 1.0, 30.0, 1e3, 1e6], dtype=dtype)
    outputs = torch.cat([normal(6, head.linear.out_features).to(dtype) * size[:, None]] * 2).requires_grad_()
    numbers = torch.cat([torch.ones(6, 2), torch.full((6, 2), 1e6)]).to(dtype)
    total = head.log_likelihood(outputs, numbers).sum()
    total.backward()
    assert total.isfinite()
    assert outputs.grad.isfinite().all()


@sizes
@pytest.mark.parametrize("temperature", [0.3, 1.0])
def test_draws_have_the_distribution(n_features, temperature):
    """Weights are sharpened, and variances are multiplied with the temperature, as of Ha and Eck (2018)."""
    head, n = head_of(n_features), 20_000
    outputs = normal(1, head.linear.out_features, seed=5)
    drawn, is_end = head.draw(outputs.expand(n, -1), uniforms(n, head.n_uniforms), temperature)
    drawn = drawn.numpy()
    weight, means, covariances = components(head, outputs[0])
    share = softmax(weight / temperature)
    for j in range(n_features):  # a linear form that all numbers have a part in
        form = np.cos(np.arange(n_features) + j)
        centres, spreads = means @ form, np.sqrt(temperature * (covariances @ form) @ form)

        def cdf(x, centres=centres, spreads=spreads):
            return (share * stats.norm.cdf(np.asarray(x)[:, None], centres, spreads)).sum(1)

        assert stats.kstest(drawn @ form, cdf).pvalue > 0.01
    assert not is_end.any()


@sizes
def test_the_best_step_is_the_centre_of_the_weightiest_component(n_features):
    head = head_of(n_features, ends=True)
    outputs = normal(40, head.linear.out_features)
    best, is_end = head.best(outputs)
    for row, found, end in zip(outputs.numpy(), best.numpy(), is_end, strict=True):
        weight, means, _ = components(head, row[:-1])
        np.testing.assert_array_equal(found, means[weight.argmax()])
        assert end == (row[-1] > 0)
    numbers = uniforms(40, head.n_uniforms)
    cold, cold_end = head.draw(outputs, numbers, 1e-12)
    np.testing.assert_allclose(cold, best, atol=1e-4)
    assert torch.equal(cold_end, is_end)
    assert torch.equal(head.draw(outputs, numbers, 0)[0], best)


def test_extreme_uniform_numbers_and_temperatures_draw_finite_numbers():
    head = head_of(2, ends=True)
    outputs = normal(6, head.linear.out_features).repeat(2, 1)
    numbers = torch.tensor([[0.0], [1 - 2.0**-53]], dtype=torch.float64).repeat_interleave(6, 0).expand(-1, 4)
    for temperature in (1e-4, 1.0, 1e4):
        assert head.draw(outputs, numbers, temperature)[0].isfinite().all()


@sizes
@pytest.mark.parametrize("n_mixtures", [1, 10])
def test_training_starts_from_a_distribution_near_the_standard_normal(n_features, n_mixtures):
    spec = MixtureHeadSpec.of(n_features, n_mixtures, end_log_odds=-2.0)
    head = built(spec)
    spec.settle(head)
    _, means, covariances = components(head, head.linear.bias.detach()[:-1])
    assert head.linear.bias[-1] == -2
    assert len(np.unique(means.round(6), axis=0)) == n_mixtures
    np.testing.assert_allclose(means.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(means.var(0) + covariances[0].diagonal(), 1, atol=0.15)
