"""What outputs say of distributions, as SciPy's, and the biases of the head from which a training starts.

Raw outputs are arrays (n, n_targets, n_parameters). The first distributions are those of standardised targets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from scipy.special import ndtri
from torch import Tensor

from sklearn_rnn.networks import number_losses as functions
from sklearn_rnn.targets.standard import Standard

Array = NDArray[np.float64]


def as_tensor(outputs: NDArray[Any]) -> Tensor:
    """Outputs as a tensor of double precision."""
    return torch.from_numpy(np.array(outputs, dtype=np.float64))


def bias_of_quantiles(mean: Array, levels: tuple[float, ...]) -> Array:
    """The outputs (n_targets, n_levels) whose quantiles are those of a standard normal distribution."""
    quantiles = ndtri(np.array(levels))
    middle = (len(levels) - 1) // 2
    gaps = _before_softplus(np.diff(quantiles))
    return np.tile([*gaps[:middle], quantiles[middle], *gaps[middle:]], (len(mean), 1))


def bias_of_scale(mean: Array, scale: float, degrees: float | None = None) -> Array:
    """The outputs (n_targets, n_parameters) of location 0, a scale and, of Student's t, degrees of freedom."""
    bias = [0.0, float(_before_softplus(scale - functions.MIN_SCALE))]
    if degrees is not None:
        bias.append(float(_before_softplus(degrees - functions.MIN_DEGREES)))
    return np.tile(bias, (len(mean), 1))


def bias_of_counts(mean: Array) -> Array:
    """The outputs (n_targets, 2) of a mean, and of a dispersion near 0.7."""
    return np.column_stack([np.log(np.where(mean > 0, mean, 1.0)), np.zeros(len(mean))])


def _before_softplus(value: Any) -> Any:
    """What softplus makes `value` of."""
    return value + np.log(-np.expm1(-value))


def _parameters(read: Callable[[Tensor], tuple[Tensor, ...]], outputs: NDArray[Any]) -> list[Array]:
    """The parameters of distributions, each (n, n_targets), on the scale of the training."""
    return [parameter.numpy() for parameter in read(as_tensor(outputs))]


def gaussian(outputs: NDArray[Any], standard: Standard) -> Any:
    """Normal distributions of the outputs, in the units of y."""
    location, scale = _parameters(functions.as_location_scale, outputs)
    return stats.norm(standard.decode(location), scale * standard.scale)


def laplace(outputs: NDArray[Any], standard: Standard) -> Any:
    """As :func:`gaussian`, of Laplace's."""
    location, scale = _parameters(functions.as_location_scale, outputs)
    return stats.laplace(standard.decode(location), scale * standard.scale)


def student_t(outputs: NDArray[Any], standard: Standard) -> Any:
    """As :func:`gaussian`, of Student's t."""
    location, scale, degrees = _parameters(functions.as_student_t, outputs)
    return stats.t(degrees, standard.decode(location), scale * standard.scale)


def negative_binomial(outputs: NDArray[Any], standard: Standard) -> Any:
    """As :func:`gaussian`, of counts."""
    log_mean, dispersion = _parameters(functions.as_counts, outputs)
    return stats.nbinom(1 / dispersion, 1 / (1 + dispersion * np.exp(log_mean)))
