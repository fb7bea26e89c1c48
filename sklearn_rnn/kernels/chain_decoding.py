"""Best paths through a linear chain of labels, over a padded batch."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklearn_rnn.kernels.compiling import inlined, kernel


@inlined
def _greatest_ways(before, chain, after):
    """The greatest of ``before[i] + chain[i, j]`` for each j; what is not a number stays so."""
    n_labels = len(before)
    for j in range(n_labels):
        after[j] = before[0] + chain[0, j]
    for i in range(1, n_labels):
        score = before[i]
        for j in range(n_labels):
            way = score + chain[i, j]
            greatest = after[j]
            after[j] = way if way > greatest or way != way else greatest


@kernel
def best_paths(emissions: Any, chain: Any, lengths: Any, first: int, last: int, paths: Any, totals: Any) -> None:
    """The path of the greatest score of the sequences from `first` to before `last`, of a padded batch.

    Sums have one order, whatever the batch, and are those of the torch code bit by bit.

    Parameters
    ----------
    emissions : array of shape (batch, n_steps, n_labels)
    chain : array of shape (n_labels + 2, n_labels)
    lengths : array of int64, shape (batch,)
    first, last : int
    paths : array of int64, shape (batch, n_steps)
        Filled up to the length of each sequence; of equals the lowest last label, then the lowest before it.
    totals : array of shape (batch,)
        Filled with the scores; 0 of an empty sequence.
    """
    n_steps, n_labels = emissions.shape[1:]
    best = np.empty((n_steps, n_labels))
    for k in range(first, last):
        length = min(lengths[k], n_steps)
        totals[k] = 0.0
        if length <= 0:
            continue
        for j in range(n_labels):
            best[0, j] = chain[n_labels, j] + emissions[k, 0, j]
        for t in range(1, length):
            _greatest_ways(best[t - 1], chain, best[t])
            for j in range(n_labels):
                best[t, j] += emissions[k, t, j]
        for j in range(n_labels):
            best[length - 1, j] += chain[n_labels + 1, j]
        label = int(np.argmax(best[length - 1]))
        totals[k] = best[length - 1, label]
        paths[k, length - 1] = label
        for t in range(length - 2, -1, -1):
            following, label, greatest = label, 0, best[t, 0] + chain[0, label]
            for i in range(1, n_labels):
                way = best[t, i] + chain[i, following]
                if way > greatest:
                    label, greatest = i, way
            paths[k, t] = label
