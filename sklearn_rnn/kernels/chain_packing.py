"""From a padded batch of scores to packed ones, which lie as :mod:`sklearn_rnn.kernels.chain` describes."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklearn_rnn.kernels.activations import exp_double
from sklearn_rnn.kernels.compiling import inlined, kernel

IMPOSSIBLE = -1e30
"""The least shift, as -inf less -inf is not a number."""


@kernel
def pack(lengths: Any, order: Any, rows: Any, starts: Any) -> None:
    """Write down where the steps of a padded batch are when packed.

    Parameters
    ----------
    lengths : array of int64, shape (batch,)
    order : array of int64, shape (batch,)
        Takes the sequences that are not empty in the order of falling length; equals as they came.
    rows : array of int64, shape (batch * n_steps,)
        Takes, for each packed step, ``sequence * n_steps + step``.
    starts : array of int64, shape (n_steps + 1,)
        Takes the number of packed steps before each step.
    """
    n_steps = len(starts) - 1
    sizes = np.zeros(n_steps + 1, np.int64)
    for i in range(len(lengths)):
        for t in range(min(lengths[i], n_steps)):
            sizes[t] += 1
    starts[0] = 0
    for t in range(n_steps):
        starts[t + 1] = starts[t] + sizes[t]
    place = sizes.copy()  # as many sequences are longer than `length` as have a step of that index
    for i in range(len(lengths)):
        length = min(lengths[i], n_steps)
        if length > 0:
            order[place[length]] = i
            place[length] += 1
    for t in range(n_steps):
        for i in range(sizes[t]):
            rows[starts[t] + i] = order[i] * n_steps + t


@inlined
def _exp(x):
    """The exponential of a number that is at most 0; below -700 it is 0."""
    return 0.0 if x < -700.0 else exp_double(max(x, -700.0))


@inlined
def _peak(x):
    """The greatest of `x`, four at a time, but for an IMPOSSIBLE one."""
    a, b, c, d = IMPOSSIBLE, IMPOSSIBLE, IMPOSSIBLE, IMPOSSIBLE
    n = len(x) - len(x) % 4
    for j in range(0, n, 4):
        a = max(a, x[j])
        b = max(b, x[j + 1])
        c = max(c, x[j + 2])
        d = max(d, x[j + 3])
    for j in range(n, len(x)):
        a = max(a, x[j])
    return max(max(a, b), max(c, d))


@inlined
def _exponentiate(x, peak, result):
    """Fill `result` with the exponentials of `x` less `peak`; the least difference that is not -inf."""
    a, b = 0.0, 0.0
    for j in range(len(x)):
        result[j] = _exp(x[j] - peak)
    n = len(x) - len(x) % 2
    for j in range(0, n, 2):
        a = min(a, x[j] - peak if x[j] > -np.inf else 0.0)
        b = min(b, x[j + 1] - peak if x[j + 1] > -np.inf else 0.0)
    if n < len(x):
        a = min(a, x[n] - peak if x[n] > -np.inf else 0.0)
    return min(a, b)


@kernel
def exponentiate(
    emissions: Any,
    chain: Any,
    rows: Any,
    starts: Any,
    scores: Any,
    peaks: Any,
    factors: Any,
    least: Any,
    shifts: Any,
) -> float:
    """Exponentiate scores, after a shift that makes none greater than 0.

    Parameters
    ----------
    emissions : array of float32 or float64, shape (batch * n_steps, n_labels)
    chain : array of shape (n_labels + 2, n_labels)
    rows, starts
        As from :func:`pack`.
    scores : array of shape (total_steps, n_labels)
        Filled from the emissions.
    peaks : array of shape (total_steps,)
        Filled with their shifts.
    factors : array of shape (n_labels + 2, n_labels)
        Filled from the chain.
    least : array of shape (n_sequences,)
        Filled with the least sum of a score of the chain and one of the emissions of each sequence, as shifted and but
        for -inf.
    shifts : array of shape (n_sequences,)
        Filled with what the shifts take off the score of every path.

    Returns
    -------
    peak : float
        The shift of the chain.
    """
    values = np.empty(emissions.shape[1])
    for t in range(len(starts) - 1):
        for i in range(starts[t + 1] - starts[t]):
            row = starts[t] + i
            for j in range(len(values)):
                values[j] = emissions[rows[row], j]
            peaks[row] = _peak(values)
            smallest = _exponentiate(values, peaks[row], scores[row])
            least[i] = min(least[i], smallest) if t else smallest
            shifts[i] = peaks[row] + (shifts[i] if t else 0.0)
    joins = chain.reshape(-1)
    peak = _peak(joins)
    smallest = _exponentiate(joins, peak, factors.reshape(-1))
    for i in range(len(least)):
        least[i] += smallest
    for t in range(len(starts) - 1):
        for i in range(starts[t + 1] - starts[t]):
            shifts[i] += peak if t else 2.0 * peak
    return peak


@kernel
def path_scores(
    emissions: Any, chain: Any, rows: Any, starts: Any, peaks: Any, peak: float, paths: Any, totals: Any
) -> None:
    """The scores of one path a sequence, less all shifts.

    Parameters
    ----------
    emissions : array of float32 or float64, shape (batch * n_steps, n_labels)
    chain : array of shape (n_labels + 2, n_labels)
    rows, starts, peaks, peak
        As from :func:`pack` and :func:`exponentiate`.
    paths : array of int64, shape (batch * n_steps,)
    totals : array of shape (n_sequences,)
        Filled with the scores.

    Raises
    ------
    IndexError
        For a label that there is not.
    """
    n_labels = emissions.shape[1]
    for i in range(len(totals)):
        totals[i] = 0.0
    for t in range(len(starts) - 1):
        n = starts[t + 1] - starts[t]
        n_following = starts[t + 2] - starts[t + 1] if t + 2 < len(starts) else 0
        for i in range(n):
            row = starts[t] + i
            place = rows[row]
            label = paths[place]
            if label < 0 or label >= n_labels:
                raise IndexError("a label is not one of the chain's")
            before = paths[place - 1] if t else n_labels
            totals[i] += (emissions[place, label] - peaks[row]) + (chain[before, label] - peak)
            if i >= n_following:
                totals[i] += chain[n_labels + 1, label] - peak
