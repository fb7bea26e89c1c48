"""Which rows of a packed batch belong to a step, and how the inputs of some steps come into one block.

What is packed, and how, and what the letters stand for, is said in :mod:`sklearn_rnn.kernels.recurrence`.
"""

from __future__ import annotations

from sklearn_rnn.kernels.compiling import inlined
from sklearn_rnn.kernels.rows import add, put


@inlined
def active(offsets, t, first, last):
    """How many of the sequences `first` to `last` run at step `t`."""
    return max(min(last, offsets[t + 1] - offsets[t]) - first, 0)


@inlined
def going_on(offsets, t, first, last, m):
    """How many of the `m` sequences that run at a step also run at step `t` beside it."""
    return min(m, active(offsets, t, first, last)) if 0 <= t < offsets.size - 1 else 0


@inlined
def end_of_chunk(offsets, first, last, reverse, start, room):
    """The step, counted in the order of computation, after those of the chunk that begins at `start`."""
    n_steps = offsets.size - 1
    rows = 0
    stop = start
    while stop < n_steps:
        t = n_steps - 1 - stop if reverse else stop
        m = active(offsets, t, first, last)
        if rows > 0 and rows + m > room:
            break
        rows += m
        stop += 1
    return stop


@inlined
def count_rows(offsets, first, last, low, high, bases):
    """How many rows steps `low` to `high` have, and where each step begins among them."""
    rows = 0
    for t in range(low, high):
        bases[t - low] = rows
        rows += active(offsets, t, first, last)
    return rows


@inlined
def copy_inputs(x, places, offsets, first, last, low, high, bases, block):
    """Put the rows of steps `low` to `high` one after the other, each step where `bases` says."""
    for t in range(low, high):
        for i in range(active(offsets, t, first, last)):
            row = offsets[t] + first + i
            put(x[places[row] if places.size else row], block[bases[t - low] + i, : x.shape[1]])


@inlined
def look_up(table, places, offsets, first, last, low, high, bases, xs):
    """Put what the `table` (G, V, H) has for the rows of steps `low` to `high` into `xs` (G, rows, H)."""
    for t in range(low, high):
        begin = offsets[t] + first
        for i in range(active(offsets, t, first, last)):
            for g in range(table.shape[0]):
                put(table[g, places[begin + i]], xs[g, bases[t - low] + i])


@inlined
def add_up(gates, places, offsets, first, last, low, high, bases, table):
    """Add the rows of `gates` (G, rows, H), of steps `low` to `high`, to those of the `table` that they belong to."""
    for t in range(low, high):
        begin = offsets[t] + first
        for i in range(active(offsets, t, first, last)):
            for g in range(table.shape[0]):
                add(gates[g, bases[t - low] + i], table[g, places[begin + i]])
