"""Loops over runs of numbers, which kernels are made of.

They take the place of NumPy's operations on slices, whose checks of shapes numba would compile too, for seconds.
"""

from __future__ import annotations

from typing import Any

from sklearn_rnn.kernels.compiling import inlined


@inlined
def put(source: Any, target: Any) -> None:
    """Copy a run into another."""
    for j in range(target.size):
        target[j] = source[j]


@inlined
def add(source: Any, target: Any) -> None:
    """Add a run to another."""
    for j in range(target.size):
        target[j] += source[j]


@inlined
def clear(target: Any) -> None:
    """Set a run to 0."""
    for j in range(target.size):
        target[j] = 0


@inlined
def scale(factors: Any, target: Any) -> None:
    """Multiply a run by another."""
    for j in range(target.size):
        target[j] *= factors[j]
