"""How the next symbol of a sequence is chosen, as ``sklearn_rnn.networks.choosing`` does it for some at a time.

- K: symbols. Scores (K,) are in float64; those of symbols that must not come are -inf.

All sums run from the first number to the last, so that the same symbols are chosen here and there.
"""

from __future__ import annotations

import numpy as np

from sklearn_rnn.kernels.activations import exp_double
from sklearn_rnn.kernels.compiling import inlined

TEMPERATURE, TOP_P, MIN_P, PENALTY = range(4)
"""Entries of ``shares``: numbers of a decoding; 1 for no `top_p`, 0 for no `min_p`."""

TOP_K, NGRAM, MIN_NEW, END = range(4)
"""Entries of ``counts``: integers of a decoding; 0 for no `top_k`, and what ends a sequence, -1 for nothing."""

NO_SYMBOL = -1


@inlined
def greatest_of(scores):
    greatest = scores[0]
    for j in range(1, scores.size):
        greatest = max(greatest, scores[j])
    return greatest


@inlined
def exponentials(scores, greatest, temperature, out):
    """Put ``exp((scores - greatest) / temperature)`` into `out` (K,), 0 for what is as good as that."""
    for j in range(scores.size):
        exponent = (scores[j] - greatest) / temperature
        out[j] = exp_double(exponent) if exponent > -700.0 else 0.0


@inlined
def total_of(numbers):
    total = 0.0
    for j in range(numbers.size):
        total += numbers[j]
    return total


@inlined
def process(scores, text, n_new, seen, banned, shares, counts):
    """Change `scores` by all that forbids or penalises symbols, for a sequence whose symbols so far are `text`."""
    penalty, size, end = shares[PENALTY], counts[NGRAM], counts[END]
    if penalty != 1.0:
        for j in range(scores.size):
            if seen[j]:
                scores[j] = scores[j] / penalty if scores[j] > 0 else scores[j] * penalty
    first = 1 if text.size and text[0] == end else 0
    if size > 0:
        last = text.size - size + 1
        for start in range(first, last):
            same = True
            for k in range(size - 1):
                same = same and text[start + k] == text[last + k]
            if same:
                scores[text[start + size - 1]] = -np.inf
    for j in range(scores.size):
        scores[j] = -np.inf if banned[j] else scores[j]
    if end >= 0 and n_new < counts[MIN_NEW]:
        scores[end] = -np.inf


@inlined
def _goes_before(scores, i, j):
    """Whether symbol `i` is more probable than `j`, or as probable and first."""
    return scores[i] > scores[j] or (scores[i] == scores[j] and i < j)


@inlined
def _sink(heap, size, scores, at):
    """Put the symbol `at` a place of a heap where it belongs, below all that go before it."""
    symbol = heap[at]
    while 2 * at + 1 < size:
        child = 2 * at + 1
        if child + 1 < size and _goes_before(scores, heap[child + 1], heap[child]):
            child += 1
        if _goes_before(scores, symbol, heap[child]):
            break
        heap[at] = heap[child]
        at = child
    heap[at] = symbol


@inlined
def _heap_of(scores):
    """The symbols in an order whose first is the most probable."""
    heap = np.arange(scores.size)
    for at in range(scores.size // 2 - 1, -1, -1):
        _sink(heap, scores.size, scores, at)
    return heap


@inlined
def _next(heap, size, scores):
    """The most probable of the first `size` symbols of a heap, which is no longer among the first ``size - 1``."""
    symbol = heap[0]
    heap[0] = heap[size - 1]
    _sink(heap, size - 1, scores, 0)
    return symbol


@inlined
def _cut(scores, weights, shares, counts):
    """Set to 0 the `weights` (K,) of symbols that are too improbable by `top_k`, `top_p` or `min_p`."""
    K, top_p = scores.size, shares[TOP_P]
    if 0 < counts[TOP_K] < K:
        heap, least = _heap_of(scores), 0
        for k in range(counts[TOP_K]):
            least = _next(heap, K - k, scores)
        for j in range(K):
            weights[j] = 0.0 if scores[j] < scores[least] else weights[j]
    if top_p < 1:
        wanted, before = top_p * total_of(weights), 0.0
        heap, kept = _heap_of(scores), np.zeros(K, np.bool_)
        for k in range(K):
            if k > 0 and before >= wanted:
                break
            symbol = _next(heap, K - k, scores)
            kept[symbol] = True
            before += weights[symbol]
        for j in range(K):
            weights[j] = weights[j] if kept[j] else 0.0
    for j in range(K):
        weights[j] = 0.0 if weights[j] < shares[MIN_P] else weights[j]


@inlined
def choose(scores, uniform, weights, greatest, shares, counts):
    """A symbol by its processed `scores` (K,), drawn with the random number `uniform`; ``NO_SYMBOL`` if none may come.

    `weights` (K,) are the exponentials of the scores, before they were processed, less the `greatest` of them.
    """
    best = 0
    for j in range(1, scores.size):
        best = j if scores[j] > scores[best] else best
    if not scores[best] > -np.inf:
        return NO_SYMBOL
    if shares[TEMPERATURE] == 0.0:
        return best
    if shares[TEMPERATURE] == 1.0 and shares[PENALTY] == 1.0 and scores[best] == greatest:
        for j in range(scores.size):
            weights[j] = weights[j] if scores[j] > -np.inf else 0.0
    else:
        exponentials(scores, scores[best], shares[TEMPERATURE], weights)
    _cut(scores, weights, shares, counts)
    threshold, total = uniform * total_of(weights), 0.0
    for j in range(scores.size):
        total += weights[j]
        if total > threshold:
            return j
    return best
