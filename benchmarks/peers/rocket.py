"""ROCKET: features of random convolutions (Dempster, Petitjean and Webb 2020), for one and several channels.

As published: 10,000 kernels of length 7, 9 or 11, weights of the normal distribution with mean 0 taken out, a bias
between -1 and 1, a dilation up to what the sequences hold, padding for half of them, and of each convolution its
maximum and its share of positive values. Of several channels a kernel reads a random few, as in the authors' version
for them. Each channel is standardised by the steps of the training part: where levels tell the classes apart this is
the stronger peer (JapaneseVowels 99 in place of 83, NATOPS 94 in place of 88, which is what is published for sequences
that are standardised one by one), and the univariate series of the UCR archive are standardised one by one already.

What is added for sequences of unequal length: each is convolved at its own length, the dilations are drawn for the
median length, and a kernel that is longer than a sequence is padded for it. Kernels longer than the median sequence
are not drawn, but for those of length 7.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

Kernels = tuple[NDArray[Any], ...]
"""Lengths, dilations, paddings and biases (n_kernels,); the channels of all kernels in a row and where each begins;
their weights in a row, one kernel after the other, one channel after the other, and where each begins."""


def random_kernels(n_kernels: int, n_steps: int, n_channels: int, random_state: np.random.RandomState) -> Kernels:
    """Kernels for sequences of about `n_steps` steps."""
    choices = [length for length in (7, 9, 11) if length <= n_steps] or [7]
    lengths = random_state.choice(choices, n_kernels)
    reach = np.log2(np.maximum((n_steps - 1) / (lengths - 1), 1.0))
    dilations = (2 ** random_state.uniform(0, reach)).astype(np.int64)
    paddings = np.where(random_state.randint(2, size=n_kernels) == 1, (lengths - 1) * dilations // 2, 0)
    biases = random_state.uniform(-1, 1, n_kernels).astype(np.float32)
    most = np.log2(min(n_channels, 9) + 1)
    n_read = (2 ** random_state.uniform(0, most, n_kernels)).astype(np.int64)
    channels = np.concatenate([random_state.choice(n_channels, n, replace=False) for n in n_read])
    weights = []
    for length, n in zip(lengths, n_read, strict=True):
        drawn = random_state.normal(size=(n, length))
        weights.append((drawn - drawn.mean(axis=1, keepdims=True)).ravel())
    starts, weight_starts = (np.concatenate([[0], np.cumsum(sizes)]) for sizes in (n_read, n_read * lengths))
    joined = np.concatenate(weights).astype(np.float32)
    return lengths, dilations, paddings, biases, channels, starts, joined, weight_starts


@njit(cache=True, fastmath={"reassoc", "contract"})
def convolve(values, offsets, lengths, dilations, paddings, biases, channels, starts, weights, weight_starts, features):
    """Fill `features` (n_sequences, 2 * n_kernels) from the sequences in `values` (n_channels, total_steps)."""
    longest = 0
    for i in range(len(offsets) - 1):
        longest = max(longest, offsets[i + 1] - offsets[i])
    out = np.empty(2 * longest, dtype=np.float32)
    for i in range(len(offsets) - 1):
        begin, n_steps = offsets[i], offsets[i + 1] - offsets[i]
        if n_steps == 0:
            features[i] = 0
            continue
        for k in range(len(lengths)):
            length, dilation, padding = lengths[k], dilations[k], paddings[k]
            if n_steps + 2 * padding < (length - 1) * dilation + 1:
                padding = (length - 1) * dilation // 2
            n_out = n_steps + 2 * padding - (length - 1) * dilation
            out[:n_out] = biases[k]
            for c in range(starts[k], starts[k + 1]):
                channel = values[channels[c]]
                first_weight = weight_starts[k] + (c - starts[k]) * length
                for j in range(length):
                    weight, shift = weights[first_weight + j], j * dilation - padding
                    low, high = max(0, -shift), min(n_out, n_steps - shift)
                    for t in range(low, high):
                        out[t] += weight * channel[begin + t + shift]
            maximum, n_positive = out[0], 0
            for t in range(n_out):
                maximum = max(maximum, out[t])
                n_positive += out[t] > 0
            features[i, 2 * k] = n_positive / n_out
            features[i, 2 * k + 1] = maximum


class Rocket(TransformerMixin, BaseEstimator):
    """Sequences (length_i, n_channels) to rows of 2 * `n_kernels` features."""

    def __init__(self, n_kernels: int = 10_000, *, random_state: Any = None) -> None:
        self.n_kernels = n_kernels
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Rocket:
        steps = np.concatenate(X)
        self.mean_, self.scale_ = steps.mean(axis=0), steps.std(axis=0) + 1e-8
        n_steps = int(np.median([len(x) for x in X]))
        random_state = np.random.RandomState(self.random_state)
        self.kernels_ = random_kernels(self.n_kernels, n_steps, np.shape(X[0])[1], random_state)
        return self

    def transform(self, X: Any) -> NDArray[np.float32]:
        values = (np.concatenate(X) - self.mean_) / self.scale_
        offsets = np.concatenate([[0], np.cumsum([len(x) for x in X])])
        features = np.empty((len(X), 2 * self.n_kernels), dtype=np.float32)
        convolve(np.ascontiguousarray(values.T, dtype=np.float32), offsets, *self.kernels_, features)
        return features
