"""A linear map to many classes with its cross-entropy and all gradients, some rows at a time.

U: numbers of a row, K: classes.
"""

from __future__ import annotations

import math

from sklearn_rnn.kernels.activations import exponential
from sklearn_rnn.kernels.compiling import inlined, kernel
from sklearn_rnn.kernels.products import add_packed, add_product, pack
from sklearn_rnn.kernels.rows import add, clear, put


@kernel
def pack_map(weight, to_logits, to_rows):
    """Put the `weight` (K, U) of a map into panels: transposed for the way there, as it is for that back."""
    pack(weight.T, to_logits)
    pack(weight, to_rows)


@kernel
def linear_cross_entropy(batch, span, bias, panels, smoothing, logits, gradients):
    """The sum of the weighted losses of some rows.

    Parameters
    ----------
    batch : rows, target, weight
        Arrays (n, U), (n,) of int64, (n,).
    span : first, last
        The rows from `first` to before `last`.
    bias : array (K,)
    panels : to_logits, to_rows
        From :func:`pack_map`.
    smoothing : float
        Share of each label that is spread evenly over all.
    logits : array (room, K)
        Room for those of as many rows.
    gradients : of_rows, of_weight, of_bias
        Arrays (n, U), (K, U), (K,): the first takes the gradient of these rows, to the others theirs is added.
    """
    rows, target, weight = batch
    to_logits, to_rows = panels
    of_rows, of_weight, of_bias = gradients
    total = 0.0
    for start in range(span[0], span[1], logits.shape[0]):
        stop = min(start + logits.shape[0], span[1])
        seen, block = rows[start:stop], logits[: stop - start]
        for i in range(stop - start):
            put(bias, block[i])
        add_packed(seen, to_logits, block)
        for i in range(stop - start):
            total += _through_softmax(block[i], target[start + i], weight[start + i], smoothing)
            add(block[i], of_bias)
        add_product(block, seen, of_weight)
        clear(of_rows[start:stop].reshape(-1))
        add_packed(block, to_rows, of_rows[start:stop])
    return total


@inlined
def _through_softmax(logits, label, weight, smoothing):
    """Turn `logits` (K,) into the gradient of their weighted loss, which is returned."""
    K = logits.size
    greatest, wanted, mean = _greatest(logits), logits[label], 0.0
    if smoothing > 0:
        mean = _sum(logits) / K
    for k in range(K):
        logits[k] = exponential(logits[k] - greatest)
    total = _sum(logits)
    share = logits.dtype.type(weight / total)
    spread = logits.dtype.type(smoothing / K * weight)
    for k in range(K):
        logits[k] = logits[k] * share - spread
    logits[label] -= (1 - smoothing) * weight
    return (greatest + math.log(total) - (1 - smoothing) * wanted - smoothing * mean) * weight


@inlined
def _sum(x):
    """The sum of `x`, in four runs that do not wait for each other."""
    a = b = c = d = x.dtype.type(0)
    whole = x.size // 4 * 4
    for k in range(0, whole, 4):
        a += x[k]
        b += x[k + 1]
        c += x[k + 2]
        d += x[k + 3]
    for k in range(whole, x.size):
        a += x[k]
    return (a + b) + (c + d)


@inlined
def _greatest(x):
    a = b = c = d = x[0]
    whole = x.size // 4 * 4
    for k in range(0, whole, 4):
        a = max(a, x[k])
        b = max(b, x[k + 1])
        c = max(c, x[k + 2])
        d = max(d, x[k + 3])
    for k in range(whole, x.size):
        a = max(a, x[k])
    return max(max(a, b), max(c, d))
