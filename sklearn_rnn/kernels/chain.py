"""Messages and expected counts of a linear chain of labels, over sequences of unequal lengths.

Steps lie packed and time-major: the first steps of all sequences, the longest sequence first, then their second steps,
and so on, without padding. ``starts`` (n_steps + 1,) says where each time step begins, so that time step t belongs to
the first ``starts[t + 1] - starts[t]`` sequences in the order of falling length. To split a batch over threads is to
pack its parts by themselves: no kernel writes to what another reads.

All numbers are float64 or int64, all arrays contiguous. The messages are those of the torch code, by exponentiated
scores that are at most 1, but for their scale: here they add up to 1 at each step (Rabiner 1989, section V.A).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sklearn_rnn.kernels.compiling import inlined, kernel
from sklearn_rnn.kernels.rows import add, put

ZERO = 1
"""Bit of a flag: a message, or an inner product of two, is 0."""

VANISHING = 2
"""Bit of a flag: one is above 0, but too small to be trusted."""

SUMMED = 32
"""Steps over which pairs are summed at once, few enough for the fastest cache."""


@inlined
def _add_product(a, b, c, spare):
    """Add the matrix product of `a` (m, k) and `b` (k, n) to `c` (m, n), two rows of c and four of b at a time.

    BLAS would be up to twice as fast where it is alone, and a hundred times slower where its threads, which it takes
    for matrices as small as these, have to share the cores with others. `spare` (n,) is room for what is not needed.
    """
    m, k = a.shape
    for i in range(0, m, 2):
        single = i + 1 == m
        c0, c1 = c[i], spare if single else c[i + 1]
        for j in range(0, k, 4):
            j1, j2, j3 = min(j + 1, k - 1), min(j + 2, k - 1), min(j + 3, k - 1)
            on1, on2, on3 = j + 1 < k, j + 2 < k, j + 3 < k
            i1 = i if single else i + 1
            x0, y0 = a[i, j], a[i1, j]
            x1, y1 = (a[i, j1], a[i1, j1]) if on1 else (0.0, 0.0)
            x2, y2 = (a[i, j2], a[i1, j2]) if on2 else (0.0, 0.0)
            x3, y3 = (a[i, j3], a[i1, j3]) if on3 else (0.0, 0.0)
            b0, b1, b2, b3 = b[j], b[j1], b[j2], b[j3]
            for h in range(len(c0)):
                c0[h] += x0 * b0[h] + x1 * b1[h] + x2 * b2[h] + x3 * b3[h]
                c1[h] += y0 * b0[h] + y1 * b1[h] + y2 * b2[h] + y3 * b3[h]


@inlined
def _total(x):
    """The sum of `x`, in four sums that do not wait for each other."""
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    n = len(x) - len(x) % 4
    for j in range(0, n, 4):
        a += x[j]
        b += x[j + 1]
        c += x[j + 2]
        d += x[j + 3]
    for j in range(n, len(x)):
        a += x[j]
    return (a + b) + (c + d)


@inlined
def _product(x, y):
    """The inner product of `x` and `y`, likewise."""
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    n = len(x) - len(x) % 4
    for j in range(0, n, 4):
        a += x[j] * y[j]
        b += x[j + 1] * y[j + 1]
        c += x[j + 2] * y[j + 2]
        d += x[j + 3] * y[j + 3]
    for j in range(n, len(x)):
        a += x[j] * y[j]
    return (a + b) + (c + d)


@inlined
def _weigh(message, scores, smallest):
    """Multiply `message` by `scores` in place; the flag of what came out."""
    small, zero = 0, 0
    for j in range(len(message)):
        value = message[j] * scores[j]
        message[j] = value
        small += value < smallest
        zero += value == 0.0
    return (ZERO if zero else 0) | (VANISHING if small > zero else 0)


@inlined
def _flag(value, smallest):
    """The flag of one number."""
    return ZERO if value == 0.0 else VANISHING if value < smallest else 0


@inlined
def _lossy(flag, least, widest):
    """Whether a number that is not 0 may have come out as 0, or nearly so.

    Where scores are close, no step takes a message that is large enough to 0, so that 0 means impossible.
    """
    return flag >= VANISHING or (flag == ZERO and least < -widest)


@kernel
def forward_messages(
    scores: Any,
    starts: Any,
    factors: Any,
    least: Any,
    limits: Any,
    alpha: Any,
    norms: Any,
    totals: Any,
    lost: Any,
) -> bool:
    """Messages from the first step on, and the log partitions.

    Parameters
    ----------
    scores, starts, factors, least
        As from ``chain_packing``.
    limits : tuple of float
        The smallest message, and the widest spread of scores, that are trusted.
    alpha : array of shape (total_steps, n_labels)
        Filled with the messages; 0 where there is no path.
    norms : array of shape (total_steps,)
        Filled with their sums before they were scaled.
    totals : array of shape (n_sequences,)
        Filled with the log partitions; -inf where there is no path.
    lost : array of bool, shape (n_sequences,)
        Filled with whether a message was lost.

    Returns
    -------
    any_lost : bool
    """
    smallest, widest = limits
    n_labels = scores.shape[1]
    transitions, start, end = factors[:n_labels], factors[n_labels], factors[n_labels + 1]
    flags, spare = np.zeros(len(totals), np.int64), np.zeros(n_labels)
    for i in range(len(totals)):
        totals[i] = 0.0
    for t in range(len(starts) - 1):
        first, last = starts[t], starts[t + 1]
        n = last - first
        n_following = starts[t + 2] - last if t + 2 < len(starts) else 0
        if n == 0:
            break
        for i in range(n):
            for j in range(n_labels):
                alpha[first + i, j] = 0.0 if t else start[j]
        if t:
            before = starts[t - 1]
            _add_product(alpha[before : before + n], transitions, alpha[first:last], spare)
        for i in range(n):
            message = alpha[first + i]
            flags[i] |= _weigh(message, scores[first + i], smallest)
            norm = _total(message)
            norms[first + i] = norm
            totals[i] += np.log(norm)
            # What is smaller is 0 or lost, and its inverse may be infinite.
            inverse = 0.0 if norm < smallest else 1.0 / norm
            for j in range(n_labels):
                message[j] *= inverse
            if i >= n_following:
                overlap = _product(message, end)
                flags[i] |= _flag(overlap, smallest)
                totals[i] += np.log(overlap)
    any_lost = False
    for i in range(len(totals)):
        lost[i] = _lossy(flags[i], least[i], widest)
        any_lost |= lost[i]
    return any_lost


@kernel
def expected_counts(
    scores: Any,
    starts: Any,
    factors: Any,
    least: Any,
    limits: Any,
    alpha: Any,
    norms: Any,
    rows: Any,
    weights: Any,
    paths: Any,
    path_weights: Any,
    labels: Any,
    joins: Any,
    lost: Any,
) -> bool:
    """Expected numbers of labels, and of labels in a row, from the messages of both directions.

    Parameters
    ----------
    scores, starts, factors, least, limits, alpha, norms
        As in :func:`forward_messages`, which has filled the last two.
    rows
        As from ``chain_packing.pack``.
    weights : array of shape (n_sequences,)
        What each sequence counts; 0 for those lost so far.
    paths : array of int64, shape (batch * n_steps,), or empty
        Labels that are counted with those expected.
    path_weights : array of shape (n_sequences,)
        What these count.
    labels : array of float32 or float64, shape (batch * n_steps, n_labels)
        Filled with the numbers of each label at each step; nothing is written to padding.
    joins : array of shape (n_labels + 2, n_labels), or of no rows
        Filled with those of labels (i, j) in a row, of first labels and of last labels.
    lost : array of bool, shape (n_sequences,)
        True is added where a message was lost whose weight is not 0.

    Returns
    -------
    any_lost : bool
        Whether one was, so that all must be done again without it.
    """
    smallest, widest = limits
    n_labels, n_sequences = scores.shape[1], len(weights)
    transitions, end = factors[:n_labels], factors[n_labels + 1]
    counting = len(joins) > 0
    backward, spare = np.empty((n_labels, n_labels)), np.zeros(n_labels)
    for i in range(n_labels):
        for j in range(n_labels):
            backward[i, j] = transitions[j, i]
    flags = np.zeros(n_sequences, np.int64)
    beta = np.empty((n_sequences, n_labels))
    following = np.empty((n_sequences, n_labels))  # beta times the scores of its step, adding up to 1
    numbers = np.empty(n_labels)
    # Pairs are summed over some time steps at once: what the messages from `low` to `high` meet ends `ahead`.
    room = SUMMED + n_sequences if counting else 0
    ahead = np.empty((room, n_labels))
    for i in range(len(joins)):
        for j in range(n_labels):
            joins[i, j] = 0.0
    high, n_following = 0, 0
    for t in range(len(starts) - 2, -1, -1):
        first, n = starts[t], starts[t + 1] - starts[t]
        if n == 0:
            continue
        for i in range(n):
            for j in range(n_labels):
                beta[i, j] = 0.0 if i < n_following else end[j]
        if n_following:
            _add_product(following[:n_following], backward, beta[:n_following], spare)
        else:
            high = first
        low = starts[t - 1] if t else first
        for i in range(n):
            row = first + i
            message, back, found = alpha[row], beta[i], labels[rows[row]]
            overlap = _product(message, back)
            weight = 0.0 if overlap < smallest else weights[i] / overlap
            for j in range(n_labels):
                numbers[j] = message[j] * back[j] * weight
            if len(paths):
                numbers[paths[rows[row]]] += path_weights[i]
            put(numbers, found)
            if counting and i >= n_following:
                add(numbers, joins[n_labels + 1])
            if counting and t == 0:
                add(numbers, joins[n_labels])
            flags[i] |= _weigh(back, scores[row], smallest) | _flag(overlap, smallest)
            if counting and t:
                meeting = ahead[room - (high - low) + i]
                weight = 0.0 if norms[row] < smallest else weight / norms[row]
                for j in range(n_labels):
                    meeting[j] = back[j] * weight
            norm = _total(back)
            inverse = 0.0 if norm < smallest else 1.0 / norm
            scaled = following[i]
            for j in range(n_labels):
                scaled[j] = back[j] * inverse
        if counting and t:
            for i in range(n, first - low):  # after the last step of a sequence
                for j in range(n_labels):
                    ahead[room - (high - low) + i, j] = 0.0
            if high - low >= SUMMED or t == 1:
                flipped = np.empty((n_labels, high - low))
                for i in range(high - low):
                    for j in range(n_labels):
                        flipped[j, i] = alpha[low + i, j]
                _add_product(flipped, ahead[room - (high - low) :], joins[:n_labels], spare)
                high = low
        n_following = n
    for i in range(len(joins) - 2):
        for j in range(n_labels):
            joins[i, j] *= transitions[i, j]
    if counting and len(paths):
        for t in range(1, len(starts) - 1):
            for i in range(starts[t + 1] - starts[t]):
                place = rows[starts[t] + i]
                joins[paths[place - 1], paths[place]] += path_weights[i]
    any_lost = False
    for i in range(n_sequences):
        if weights[i] != 0.0 and _lossy(flags[i], least[i], widest):
            lost[i] = any_lost = True
    return any_lost
