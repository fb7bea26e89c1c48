"""The scale on which targets are trained, learned from their weighted mean and standard deviation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LARGEST, SMALLEST = 1e303, 1e-303
"""What the largest target may be: predictions that are some times larger are finite, and rounding leaves something."""

Scaling = Literal["standardise", "divide", "none"]


@dataclass(frozen=True)
class Standard:
    """How targets are scaled for training, and where the head starts.

    Parameters
    ----------
    location, scale : array of shape (n_targets,)
        A target is trained as ``(target - location) / scale``.
    first_bias : array of shape (n_targets, n_parameters), or None
        The bias of the head before training; None leaves it as it is.
    """

    location: Array
    scale: Array
    first_bias: Array | None = None

    @classmethod
    def learn(
        cls,
        target: NDArray[Any],
        weight: Array,
        scaling: Scaling,
        first_bias: Callable[[Array], Array] | None = None,
    ) -> Standard:
        """Learn from targets (n, n_targets), whatever their order; NaN is one that is not there.

        Raises
        ------
        ValueError
            If an output has no target at all, or if targets are too large.
        """
        mean, deviation = _moments(np.asarray(target, dtype=np.float64), weight)
        location, scale = np.zeros(len(mean)), np.ones(len(mean))
        if scaling == "standardise":
            of_constant = np.where(mean == 0, 1.0, np.minimum(np.abs(mean), 1.0))  # what is learned of it stays near it
            location, scale = mean, np.where(deviation > 0, deviation, of_constant)
        elif scaling == "divide":
            scale = np.where(mean > 0, mean, 1.0)
        bias = None if first_bias is None else first_bias((mean - location) / scale)
        return cls(location, scale, bias)

    def encode(self, target: Array) -> Array:
        """Targets (n, n_targets) on the scale of the training."""
        return (target - self.location) / self.scale

    def decode(self, encoded: NDArray[Any], *, axis: int = -1) -> Array:
        """Numbers in the units of y; `axis` is that of the outputs."""
        shape = [1] * encoded.ndim
        shape[axis] = len(self.scale)
        return encoded * self.scale.reshape(shape) + self.location.reshape(shape)


def _moments(target: Array, weight: Array) -> tuple[Array, Array]:
    """Weighted means and standard deviations (n_targets,) of the targets that are there."""
    there = ~np.isnan(target)
    some = there.any(axis=1) & (weight > 0)
    target, weight, there = target[some], weight[some], there[some]
    if there.all() and len(target):
        return _complete_moments(target, weight)
    moments = []
    for k, present in enumerate(there.T):
        if not weight[present].sum() > 0:
            of_output = f" of output {k}" if target.shape[1] > 1 else ""
            raise ValueError(
                f"y holds no target{of_output} to learn from: all are NaN, or have weight 0. Leave such an output out"
            )
        moments.append(_complete_moments(target[present, k : k + 1], weight[present]))
    means, deviations = zip(*moments, strict=True)
    return np.concatenate(means), np.concatenate(deviations)


def _complete_moments(target: Array, weight: Array) -> tuple[Array, Array]:
    """As :func:`_moments`, of targets none of which is NaN.

    Squares of very small or large numbers are no floats: the rows are divided by a power of 2, which changes no bit of
    others.
    """
    rows, weight = _distinct_rows(target, weight)
    largest = np.abs(rows).max(axis=0)
    if np.any(largest > LARGEST):
        raise ValueError(f"y holds numbers too large to be standardised, up to {largest.max():.1e}: give a larger unit")
    if np.any((largest < SMALLEST) & (largest > 0)):
        raise ValueError(
            f"y holds numbers too small to be standardised, up to {largest[largest > 0].min():.1e}: give a smaller unit"
        )
    exponent = np.frexp(largest)[1]
    rows = np.ldexp(rows, -exponent)
    mean = np.average(rows, axis=0, weights=weight)
    deviation = np.sqrt(np.average((rows - mean) ** 2, axis=0, weights=weight))
    return np.ldexp(mean, exponent), np.ldexp(deviation, exponent)


def _distinct_rows(target: Array, weight: Array) -> tuple[Array, Array]:
    """The distinct rows of `target` (n, n_targets) and their summed weights, whatever the order of the data."""
    order = np.lexsort((weight, *target.T))
    target, weight = target[order], weight[order]
    first = np.flatnonzero(np.concatenate([[True], np.any(target[1:] != target[:-1], axis=1)]))
    return target[first], np.add.reduceat(weight, first)
