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


@inlined
def put_scaled(factors: Any, source: Any, target: Any) -> None:
    """Copy the product of two runs into a third."""
    for j in range(target.size):
        target[j] = factors[j] * source[j]


@inlined
def add_scaled(factors: Any, source: Any, target: Any) -> None:
    """Add the product of two runs to a third."""
    for j in range(target.size):
        target[j] += factors[j] * source[j]


@inlined
def run_of(x: Any, begin: int, n: int) -> Any:
    """Rows `begin` to ``begin + n`` of `x` (rows, columns) as one run, (n * columns,)."""
    return x[begin : begin + n].reshape(-1)


@inlined
def read_rows(source: Any, begin: int, n: int, column: int, target: Any) -> None:
    """Copy `n` rows of `source` from row `begin` and column `column` on to the top of `target` (rows, H)."""
    H = target.shape[1]
    if source.shape[1] == H:
        put(run_of(source, begin, n), run_of(target, 0, n))
        return
    for i in range(n):
        put(source[begin + i, column : column + H], target[i])


@inlined
def add_rows(source: Any, begin: int, n: int, column: int, target: Any) -> None:
    """As :func:`read_rows`, added to what `target` holds."""
    H = target.shape[1]
    if source.shape[1] == H:
        add(run_of(source, begin, n), run_of(target, 0, n))
        return
    for i in range(n):
        add(source[begin + i, column : column + H], target[i])


@inlined
def write_rows(source: Any, n: int, target: Any, begin: int, column: int) -> None:
    """Copy the first `n` rows of `source` (rows, H) to `target`, to row `begin` and column `column` on."""
    H = source.shape[1]
    if target.shape[1] == H:
        put(run_of(source, 0, n), run_of(target, begin, n))
        return
    for i in range(n):
        put(source[i], target[begin + i, column : column + H])
