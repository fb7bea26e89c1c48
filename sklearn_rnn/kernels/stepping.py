"""One step of a whole network for some of many streams, in one call: layers, pooling and head.

For one stream the arithmetic of a step takes a microsecond or two, less than it takes to call a kernel. All weights
therefore lie in two arrays, and where each of them begins in a third: what is handed over does not depend on how many
layers there are.

- N: streams, n: those that take a step, m: those of a block of them.
- I: inputs, H: hidden units, U: units of the last layer, K: outputs.
- ``narrow``: weights of the recurrences, in the type that they are computed in, laid out by ``recurrence.arrange``.
- ``wide``: all other weights, in float64: skip connections, norms, pooling, head. Matrices are transposed, (in, out).

All products are summed in order, so that a stream gets the same bits whatever streams take the step with it, and those
that the recurrence over the whole sequence gives it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sklearn_rnn.kernels.activations import tanh
from sklearn_rnn.kernels.cells import flush, gru_step, lstm_step, relu_step, rnn_step
from sklearn_rnn.kernels.compiling import inlined, kernel
from sklearn_rnn.kernels.products import multiply
from sklearn_rnn.kernels.recurrence import GRU, LSTM, RELU, RNN
from sklearn_rnn.kernels.rows import add, put

CELL, INPUTS, UNITS, W_INPUTS, W_HIDDEN, B_CANDIDATE, HIDDEN, MEMORY, SKIP, NORM = range(10)
"""Columns of ``layers``, a row a layer: its cell and sizes, where its weights begin in ``narrow``, the columns of the
states where its hidden states, and of an LSTM its cell states, begin, and where in ``wide`` its skip connection and its
norm do."""

NOTHING, IDENTITY = -1, -2
"""In place of where a skip connection begins: there is none, or it adds the input as it is. Of a norm the first."""

POOLING, N_OUTPUTS, W_HEAD, B_HEAD, W_PROJECT, B_PROJECT, W_SCORE = range(7)
"""Entries of ``head``: the pooling, the number of outputs, and where weights begin in ``wide``."""

EACH, LAST, MEAN, MAX, ATTENTION, CONCAT = range(6)
POOLINGS = {None: EACH, "last": LAST, "mean": MEAN, "max": MAX, "attention": ATTENTION, "concat": CONCAT}

BLOCK = 2**13
"""Numbers in the hidden states of a block of streams: what the second cache holds of them, their gates and weights."""


@inlined
def _matrix(numbers, start, n_rows, n_columns):
    """The matrix that begins at `start`."""
    return numbers[start : start + n_rows * n_columns].reshape(n_rows, n_columns)


@inlined
def gather(source, rows, column, target):
    """Copy the `rows` of `source`, from `column` on, to `target` (m, H)."""
    for i in range(target.shape[0]):
        put(source[rows[i], column : column + target.shape[1]], target[i])


@inlined
def scatter(source, target, rows, column):
    """Copy `source` (m, H) to the `rows` of `target`, from `column` on."""
    for i in range(source.shape[0]):
        put(source[i], target[rows[i], column : column + source.shape[1]])


@inlined
def flush_all(states):
    """Set to 0 what a stream without input has left to fade, before it is a subnormal number."""
    for j in range(states.size):
        states[j] = flush(states[j])


@inlined
def _affine(x, weights, bias, out):
    """Put ``x @ weights + bias`` into `out`."""
    multiply(x, weights, out, True)
    for i in range(out.shape[0]):
        add(bias, out[i])


@inlined
def _recur(layer, block, rows, narrow, states):
    """Hidden states (m, H) after a step of a layer with the inputs `block` (m, I + 1); `states` (N, ...) take them."""
    cell, H, m = layer[CELL], layer[UNITS], block.shape[0]
    n_gates = 3 if cell == GRU else 4 if cell == LSTM else 1
    h = np.empty((m, H), states.dtype)
    gather(states, rows, layer[HIDDEN], h)
    x, a = np.empty((n_gates, m, H), states.dtype), np.empty((n_gates, m, H), states.dtype)
    for g in range(n_gates):
        of_inputs = _matrix(narrow, layer[W_INPUTS] + g * block.shape[1] * H, block.shape[1], H)
        multiply(block, of_inputs, x[g], True)
        multiply(h, _matrix(narrow, layer[W_HIDDEN] + g * H * H, H, H), a[g], True)
    now, x_0, a_0 = h.reshape(-1), x[0].reshape(-1), a[0].reshape(-1)
    if cell == RNN:
        rnn_step(x_0, a_0, now)
    elif cell == RELU:
        relu_step(x_0, a_0, now)
    else:
        room = np.empty((6, m * H), states.dtype)
        x_1, x_2, a_1, a_2 = x[1].reshape(-1), x[2].reshape(-1), a[1].reshape(-1), a[2].reshape(-1)
        if cell == GRU:
            bias = room[4]
            for i in range(m):
                start = layer[B_CANDIDATE]
                put(narrow[start : start + H], bias[i * H : (i + 1) * H])
            gru_step(x_0, x_1, x_2, a_0, a_1, a_2, bias, now, room[0], room[1], room[2], room[3])
        else:
            x_3, a_3, c = x[3].reshape(-1), a[3].reshape(-1), room[5].reshape(m, H)
            gather(states, rows, layer[MEMORY], c)
            gates = (room[0], room[1], room[2], room[3], room[4])
            lstm_step(x_0, x_1, x_2, x_3, a_0, a_1, a_2, a_3, now, room[5], *gates)
            flush_all(room[5])
            scatter(c, states, rows, layer[MEMORY])
    flush_all(now)
    scatter(h, states, rows, layer[HIDDEN])
    return h


@inlined
def around(layer, entering, hidden, wide):
    """What a layer hands on, (m, H) in float64: `hidden` (m, H) after its skip connection and norm, if it has any."""
    m, H = hidden.shape
    out = np.empty((m, H), np.float64)
    for i in range(m):
        put(hidden[i], out[i])
    if layer[SKIP] == IDENTITY:
        add(entering.reshape(-1), out.reshape(-1))
    elif layer[SKIP] != NOTHING:
        skipped = np.empty((m, H), np.float64)
        multiply(entering, _matrix(wide, layer[SKIP], entering.shape[1], H), skipped, True)
        add(skipped.reshape(-1), out.reshape(-1))
    if layer[NORM] != NOTHING:
        start = layer[NORM]
        for i in range(m):
            _normalise(out[i], wide[start + 1 : start + 1 + H], wide[start + 1 + H : start + 1 + 2 * H], wide[start])
    return out


@inlined
def _normalise(x, weight, bias, epsilon):
    """Layer normalisation of `x` (H,) in place."""
    mean, square = 0.0, 0.0
    for j in range(x.size):
        mean += x[j]
    mean /= x.size
    for j in range(x.size):
        square += (x[j] - mean) * (x[j] - mean)
    inverse = 1 / math.sqrt(square / x.size + epsilon)
    for j in range(x.size):
        x[j] = (x[j] - mean) * inverse * weight[j] + bias[j]


@inlined
def _pool(x, rows, wide, head, sums, counts):
    """The vectors (m, U), or (m, 3 * U), of the states `x` (m, U) up to this step, by the running `sums` (N, ...).

    `x` may become what is returned.
    """
    m, U = x.shape
    pooling = head[POOLING]
    if pooling == CONCAT:
        pooled = np.empty((m, 3 * U), np.float64)
        for i in range(m):
            running, count = sums[rows[i]], counts[rows[i]]
            for part in range(3):
                put(x[i], pooled[i, part * U : (part + 1) * U])
            _average(pooled[i, U : 2 * U], running[:U], count)
            _keep_greatest(pooled[i, 2 * U :], running[U:], count == 1)
        return pooled
    projected = np.empty((m if pooling == ATTENTION else 0, U), np.float64)
    if pooling == ATTENTION:
        bias = wide[head[B_PROJECT] : head[B_PROJECT] + U]
        _affine(x, _matrix(wide, head[W_PROJECT], U, U), bias, projected)
    for i in range(m):
        vector, running, first = x[i], sums[rows[i]], counts[rows[i]] == 1
        if pooling == MEAN:
            _average(vector, running, counts[rows[i]])
        elif pooling == MAX:
            _keep_greatest(vector, running, first)
        elif pooling == ATTENTION:
            score = 0.0
            for j in range(U):
                score += tanh(projected[i, j]) * wide[head[W_SCORE] + j]
            _weigh(vector, running, score, first)
    return x


@inlined
def _average(vector, running, count):
    """Add `vector` (U,), the state of step `count`, to the `running` sum; it becomes the mean."""
    for j in range(vector.size):
        running[j] = vector[j] if count == 1 else running[j] + vector[j]
        vector[j] = running[j] / count


@inlined
def _keep_greatest(vector, running, first):
    """Put `vector` (U,) into the `running` maximum where it is greater; it becomes that."""
    for j in range(vector.size):
        greater = first or vector[j] > running[j] or vector[j] != vector[j]
        running[j] = vector[j] if greater else running[j]
        vector[j] = running[j]


@inlined
def _weigh(vector, running, score, first):
    """Add `vector` (U,), which weighs ``exp(score)``, to the `running` mean; `vector` becomes the mean.

    `running` (U + 2,) holds the greatest score so far, and over the exponential of it the sums of weights and vectors.
    """
    greatest = score if first else max(score, running[0])
    fading, weight = 0.0 if first else math.exp(running[0] - greatest), math.exp(score - greatest)
    running[0] = greatest
    running[1] = (0.0 if first else running[1] * fading) + weight
    for j in range(vector.size):
        running[j + 2] = (0.0 if first else running[j + 2] * fading) + weight * vector[j]
        vector[j] = running[j + 2] / running[1]


@kernel
def step(
    x: Any,
    rows: Any,
    layers: Any,
    head: Any,
    narrow: Any,
    wide: Any,
    states: Any,
    sums: Any,
    counts: Any,
    outputs: Any,
) -> int:
    """Take a step of the streams `rows`.

    Parameters
    ----------
    x : array of float64, (n, I)
    rows : array of int64, (n,)
        No stream twice.
    layers, head : arrays of int64, (n_layers, 10), (7,)
        What lies where; see the top of this module.
    narrow, wide : arrays of float32 or float64, and of float64
        The weights.
    states : array (N, ...), of the type of `narrow`
        Hidden and cell states of all layers before the step; becomes those after it.
    sums : array of float64, (N, ...)
        What the pooling needs of the steps before: the sum, the maximum, or what :func:`_weigh` says. What it holds
        before the first step is not read.
    counts : array of int64, (N,)
        The number of steps before this one; becomes that after it.
    outputs : array of float64, (N, K)
        Takes the outputs of the head.

    Returns
    -------
    place : int
        -1; or where in `x`, read row by row, the first number is that is not finite in the type of the states. Nothing
        has been written then.
    """
    n, n_inputs = x.shape
    for i in range(n):
        for j in range(n_inputs):
            if not math.isfinite(states.dtype.type(x[i, j])):
                return i * n_inputs + j
    widest = 1
    for k in range(layers.shape[0]):
        widest = max(widest, layers[k, UNITS])
    room = max(1, BLOCK // widest)
    K = head[N_OUTPUTS]
    for begin in range(0, n, room):
        block = rows[begin : begin + room]
        m = block.size
        entering = np.empty((m, n_inputs), np.float64)
        for i in range(m):
            for j in range(n_inputs):
                entering[i, j] = states.dtype.type(x[begin + i, j])
        for k in range(layers.shape[0]):
            inputs = np.ones((m, layers[k, INPUTS] + 1), states.dtype)
            for i in range(m):
                put(entering[i], inputs[i, : layers[k, INPUTS]])
            hidden = _recur(layers[k], inputs, block, narrow, states)
            entering = around(layers[k], entering, hidden, wide)
        for i in range(m):
            counts[block[i]] += 1
        seen = _pool(entering, block, wide, head, sums, counts)
        found = np.empty((m, K), np.float64)
        bias = wide[head[B_HEAD] : head[B_HEAD] + K]
        _affine(seen, _matrix(wide, head[W_HEAD], seen.shape[1], K), bias, found)
        scatter(found, outputs, block, 0)
    return -1
