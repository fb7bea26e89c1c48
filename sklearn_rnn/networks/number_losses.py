"""The losses of numbers, one value a target: outputs (..., n_parameters) and targets (...) give losses (...).

Losses of distributions are negative log-densities with all constants. What an output means is read by one function,
which losses and predictions share. Outputs of any size give finite gradients: scales have a floor, and exponents grow
slowly once they are large.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

MIN_SCALE = 1e-3
"""The least scale of a distribution, in standard deviations of the targets."""

MIN_DISPERSION = 1e-4
"""The least dispersion of counts, whose distribution is then as good as Poisson's."""

MIN_DEGREES = 2.01
"""The least degrees of freedom; there is no variance up to 2."""

LARGEST_EXPONENT = 20.0
STIRLING_FROM = 16.0


def as_number(outputs: Tensor) -> Tensor:
    """The one output of a target, as it is."""
    return _wide(outputs)[..., 0]


def as_log_mean(outputs: Tensor) -> Tensor:
    """The log of a mean: the first output, which beyond ±20 grows as a logarithm does, so that a step too far ends."""
    raw = _wide(outputs)[..., 0]
    beyond = (raw.abs() - LARGEST_EXPONENT).clamp(0, 1e20)
    return raw.clamp(-LARGEST_EXPONENT, LARGEST_EXPONENT) + torch.sign(raw) * torch.log1p(beyond)


def as_mean(outputs: Tensor) -> Tensor:
    """The mean whose log is the first output."""
    return as_log_mean(outputs).exp()


def as_quantiles(outputs: Tensor) -> Tensor:
    """Quantiles (..., n_levels) that never cross, for levels in rising order.

    The output of the middle level is its quantile. That of another level is, through softplus, the distance to the next
    quantile towards the middle.
    """
    outputs = _wide(outputs)
    middle = (outputs.shape[-1] - 1) // 2
    centre, distances = outputs[..., middle, None], F.softplus(outputs)
    below = distances[..., :middle].flip(-1).cumsum(-1).flip(-1)
    above = distances[..., middle + 1 :].cumsum(-1)
    return torch.cat([centre - below, centre, centre + above], -1)


def as_location_scale(outputs: Tensor) -> tuple[Tensor, Tensor]:
    """Location and scale (...) of two outputs."""
    outputs = _wide(outputs)
    return outputs[..., 0], F.softplus(outputs[..., 1]) + MIN_SCALE


def as_student_t(outputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Location, scale and degrees of freedom (...) of three outputs."""
    return *as_location_scale(outputs), F.softplus(_wide(outputs)[..., 2]) + MIN_DEGREES


def as_counts(outputs: Tensor) -> tuple[Tensor, Tensor]:
    """Log mean and dispersion (...) of two outputs; the variance is ``mean + dispersion * mean ** 2``."""
    return as_log_mean(outputs), F.softplus(_wide(outputs)[..., 1]) + MIN_DISPERSION


def squared_error(outputs: Tensor, target: Tensor) -> Tensor:
    """The squared difference; its minimum is the mean."""
    return torch.square(as_number(outputs) - target)


def absolute_error(outputs: Tensor, target: Tensor) -> Tensor:
    """The absolute difference; its minimum is the median."""
    return torch.abs(as_number(outputs) - target)


def huber(outputs: Tensor, target: Tensor) -> Tensor:
    """Half the squared error up to a difference of 1, and linear from there on (Huber 1964)."""
    number = as_number(outputs)
    return F.huber_loss(number, target.to(number.dtype), reduction="none")


def poisson(outputs: Tensor, target: Tensor) -> Tensor:
    """Minus the log-probability of a count with the mean that the output is the log of; fractions are fine."""
    log_mean = as_log_mean(outputs)
    return log_mean.exp() - target * log_mean + torch.lgamma(target + 1)


def gamma(outputs: Tensor, target: Tensor) -> Tensor:
    """Minus the log-density of gamma distributions of any one shape, per unit of it and but for its constant."""
    log_mean = as_log_mean(outputs)
    return target * torch.exp(-log_mean) + log_mean


def quantile(outputs: Tensor, target: Tensor, levels: tuple[float, ...]) -> Tensor:
    """The mean pinball loss of all `levels` (Koenker, Bassett 1978)."""
    quantiles = as_quantiles(outputs)
    error = target[..., None] - quantiles  # shape: (..., n_levels)
    level = quantiles.new_tensor(levels)
    return torch.where(error > 0, level * error, (level - 1) * error).mean(-1)


def gaussian(outputs: Tensor, target: Tensor) -> Tensor:
    """Minus the log-density of a normal distribution, whose scale is its standard deviation."""
    location, scale = as_location_scale(outputs)
    return torch.square((target - location) / scale) / 2 + scale.log() + math.log(2 * math.pi) / 2


def laplace(outputs: Tensor, target: Tensor) -> Tensor:
    """Minus the log-density of a Laplace distribution, whose scale is the mean absolute deviation."""
    location, scale = as_location_scale(outputs)
    return torch.abs(target - location) / scale + scale.log() + math.log(2)


def student_t(outputs: Tensor, target: Tensor) -> Tensor:
    """Minus the log-density of Student's t distribution."""
    location, scale, degrees = as_student_t(outputs)
    tail = (degrees + 1) / 2 * torch.log1p(torch.square((target - location) / scale) / degrees)
    constant = (degrees.log() + math.log(math.pi)) / 2 - log_rising(degrees / 2, 0.5)
    return tail + constant + scale.log()


def negative_binomial(outputs: Tensor, target: Tensor) -> Tensor:
    """Minus the log-probability of a count, with the mean and the dispersion of :func:`as_counts`."""
    log_mean, dispersion = as_counts(outputs)
    size, log_size = 1 / dispersion, -dispersion.log()
    log_odds = log_mean - log_size
    failures = size * F.softplus(log_odds)  # shape: (...), the log of (size + mean) / size, `size` times
    successes = target * F.softplus(-log_odds)
    return failures + successes - log_rising(size, target) + torch.lgamma(target + 1)


def log_rising(a: Tensor, n: Tensor | float) -> Tensor:
    """``lgamma(a + n) - lgamma(a)`` for positive `a`, without the loss of digits where `a` is large."""
    small, large = a.clamp(max=STIRLING_FROM), a.clamp(min=STIRLING_FROM)
    exact = torch.lgamma(small + n) - torch.lgamma(small)
    series = (large - 0.5) * torch.log1p(n / large) + n * torch.log(large + n) - n
    series = series + _stirling_remainder(large + n) - _stirling_remainder(large)
    return torch.where(a < STIRLING_FROM, exact, series)


def _stirling_remainder(a: Tensor) -> Tensor:
    """What Stirling's formula lacks of ``lgamma(a)``, for `a` from 16 on."""
    inverse = 1 / a
    square = inverse * inverse
    return inverse * (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square / 1680)))


def _wide(outputs: Tensor) -> Tensor:
    """Outputs in single precision where they had less."""
    return outputs.to(torch.promote_types(outputs.dtype, torch.float32))
