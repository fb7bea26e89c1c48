"""What lies between the states of a recurrence and the loss of a batch: pooling, and a linear head with its loss.

States are packed, as :mod:`sklearn_rnn.kernels.recurrence` describes; what belongs to sequences is in the order of the
batch. R: packed rows, B: sequences, U: units of all directions, K: outputs.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sklearn_rnn.kernels.compiling import inlined, kernel
from sklearn_rnn.kernels.rows import add, clear, put

LAST, MEAN, MAX, CONCAT = range(4)
POOLINGS = {"last": LAST, "mean": MEAN, "max": MAX, "concat": CONCAT}


@inlined
def _has(pooling: int, part: int) -> bool:
    """Whether `part` is the `pooling`, or one of the three that are put side by side."""
    return pooling in (part, CONCAT)


@inlined
def _vector(pooling: int, part: int, row: Any, n_units: int) -> Any:
    """What of the pooled `row` belongs to `part`, (n_units,)."""
    start = part * n_units if pooling == CONCAT else 0
    return row[start : start + n_units]


@kernel
def pool(pooling: int, states: Any, offsets: Any, order: Any, direction_size: int, pooled: Any) -> None:
    """One vector a sequence.

    Parameters
    ----------
    pooling : int
        ``CONCAT`` is the other three, side by side.
    states : array (R, U)
    offsets : array of int64, (n_steps + 1,)
    order : array of int64, (B,)
        The sequence of the batch that each packed one is.
    direction_size : int
        Units of one direction; the last state of the other one is that of the first step.
    pooled : array (B, U), or (B, 3 * U)
        Takes the vectors; that of an empty sequence stays what it is.
    """
    n_steps, U = len(offsets) - 1, states.shape[1]
    for t in range(n_steps):
        m = offsets[t + 1] - offsets[t]
        going = offsets[t + 2] - offsets[t + 1] if t + 1 < n_steps else 0
        for i in range(m):
            state, row, ends = states[offsets[t] + i], pooled[order[i]], i >= going
            if _has(pooling, LAST):
                vector = _vector(pooling, LAST, row, U)
                if t == 0:
                    put(state[direction_size:], vector[direction_size:])
                if ends:
                    put(state[:direction_size], vector[:direction_size])
            if _has(pooling, MEAN):
                vector = _vector(pooling, MEAN, row, U)
                if t == 0:
                    put(state, vector)
                else:
                    add(state, vector)
                if ends:
                    for j in range(U):
                        vector[j] /= t + 1
            if _has(pooling, MAX):
                vector = _vector(pooling, MAX, row, U)
                if t == 0:
                    put(state, vector)
                else:
                    for j in range(U):
                        vector[j] = state[j] if state[j] > vector[j] or state[j] != state[j] else vector[j]


@kernel
def pool_back(
    pooling: int, states: Any, offsets: Any, order: Any, direction_size: int, pooled: Any, dpooled: Any, dstates: Any
) -> None:
    """Add the gradient of the states to `dstates` (R, U), given that of the vectors, `dpooled`.

    Equal greatest values share the gradient, as they do in torch. The other parameters are those of :func:`pool`.
    """
    n_steps, U = len(offsets) - 1, states.shape[1]
    length, share = n_steps, np.empty(U, states.dtype)
    for i in range(offsets[1]):  # longest first, and without the empty ones
        while offsets[length] - offsets[length - 1] <= i:
            length -= 1
        if _has(pooling, LAST):
            end = offsets[length - 1] + i
            gradient = _vector(pooling, LAST, dpooled[order[i]], U)
            add(gradient[:direction_size], dstates[end, :direction_size])
            add(gradient[direction_size:], dstates[i, direction_size:])
        if _has(pooling, MEAN):
            gradient = _vector(pooling, MEAN, dpooled[order[i]], U)
            for j in range(U):
                share[j] = gradient[j] / length
            for t in range(length):
                add(share, dstates[offsets[t] + i])
        if _has(pooling, MAX):
            vector = _vector(pooling, MAX, pooled[order[i]], U)
            gradient = _vector(pooling, MAX, dpooled[order[i]], U)
            clear(share)
            for t in range(length):
                state = states[offsets[t] + i]
                for j in range(U):
                    share[j] += 1 if state[j] == vector[j] else 0
            for j in range(U):
                share[j] = gradient[j] / share[j]
            for t in range(length):
                state, dstate = states[offsets[t] + i], dstates[offsets[t] + i]
                for j in range(U):
                    dstate[j] += share[j] if state[j] == vector[j] else 0


@kernel
def head(pooled: Any, weight: Any, bias: Any, outputs: Any) -> None:
    """Put the outputs of a linear head, ``weight`` (K, U) and ``bias`` (K,), into ``outputs`` (B, K)."""
    np.dot(pooled, weight.T, outputs)
    for i in range(outputs.shape[0]):
        add(bias, outputs[i])


@kernel
def head_back(doutputs: Any, pooled: Any, weight: Any, dpooled: Any, dweight: Any, dbias: Any) -> None:
    """Put the gradients of all that :func:`head` read into `dpooled`, `dweight` and `dbias`."""
    np.dot(doutputs, weight, dpooled)
    np.dot(doutputs.T, pooled, dweight)
    clear(dbias)
    for i in range(doutputs.shape[0]):
        add(doutputs[i], dbias)


@inlined
def _log_of_sum(logits: Any) -> float:
    """The log of the summed exponentials of `logits` (K,)."""
    greatest = logits[0]
    for k in range(1, len(logits)):
        greatest = max(greatest, logits[k])
    total = 0.0
    for k in range(len(logits)):
        total += math.exp(logits[k] - greatest)
    return greatest + math.log(total)


@kernel
def cross_entropy(logits: Any, target: Any, weight: Any, smoothing: float, gradient: Any) -> float:
    """The weighted loss of a batch, divided by the number of its sequences.

    Parameters
    ----------
    logits : array (B, K)
    target : array of int64, (B,)
    weight : array (B,)
    smoothing : float
        Share of each label that is spread evenly over all.
    gradient : array (B, K)
        Takes the gradient of the logits.
    """
    B, K = logits.shape
    loss = 0.0
    for i in range(B):
        log_of_sum = _log_of_sum(logits[i])
        total = 0.0
        for k in range(K):
            total += logits[i, k]
            share = smoothing / K + (1 - smoothing if k == target[i] else 0.0)
            gradient[i, k] = (math.exp(logits[i, k] - log_of_sum) - share) * weight[i] / B
        labelled = (1 - smoothing) * logits[i, target[i]] + smoothing * total / K
        loss += (log_of_sum - labelled) * weight[i]
    return loss / B


@kernel
def binary_cross_entropy(logits: Any, target: Any, weight: Any, smoothing: float, gradient: Any) -> float:
    """As :func:`cross_entropy`, of K labels that are each there or not, in the mean; `target` is (B, K)."""
    B, K = logits.shape
    loss = 0.0
    for i in range(B):
        for k in range(K):
            z = float(logits[i, k])
            share = target[i, k] * (1 - smoothing) + smoothing / 2
            small = math.exp(-abs(z))
            probability = 1 / (1 + small) if z >= 0 else small / (1 + small)
            gradient[i, k] = (probability - share) * weight[i] / (B * K)
            loss += (max(z, 0.0) - z * share + math.log1p(small)) * weight[i]
    return loss / (B * K)


@kernel
def squared_error(outputs: Any, target: Any, weight: Any, smoothing: float, gradient: Any) -> float:
    """As :func:`cross_entropy`, of K numbers, in the mean; `target` is (B, K), and `smoothing` is for other losses."""
    B, K = outputs.shape
    loss = 0.0
    for i in range(B):
        for k in range(K):
            error = float(outputs[i, k]) - target[i, k]
            gradient[i, k] = 2 * error * weight[i] / (B * K)
            loss += error * error * weight[i]
    return loss / (B * K)
