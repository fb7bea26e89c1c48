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


@inlined
def _best_scores(emissions, chain, best):
    """Fill `best` (n_steps, n_labels) with the greatest score of all ways to each label."""
    n_labels = emissions.shape[1]
    for j in range(n_labels):
        best[0, j] = chain[n_labels, j] + emissions[0, j]
    for t in range(1, len(best)):
        _greatest_ways(best[t - 1], chain, best[t])
        for j in range(n_labels):
            best[t, j] += emissions[t, j]


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
        _best_scores(emissions[k], chain, best[:length])
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


UNKNOWN, NONE = -1, -2
"""In the place of a way: it is not looked for yet, and there is none."""


@inlined
def _look_for(node, ways, current, emissions, chain, n_steps):
    """The best way to `node` among those that go on from the `current` ways to the labels of the step before it.

    Returns its score, and the way that it goes on from or NONE.
    """
    score = ways[0]
    n_labels = emissions.shape[1]
    t, label = node // n_labels, node % n_labels
    greatest, origin = -np.inf, NONE
    for i in range(n_labels):
        if current[i] < 0:
            continue
        reached = score[current[i]] + (chain[n_labels + 1, i] if t == n_steps else chain[i, label])
        if reached > greatest:
            greatest, origin = reached, current[i]
    return (greatest if t == n_steps else greatest + emissions[t, label]), origin


@inlined
def _origin(way, ways, current, emissions, chain, n_steps):
    """The way that a `way` goes on from. That of the best one to a label is found here, when it is asked for."""
    origin, n_labels = ways[1], emissions.shape[1]
    if origin[way] == UNKNOWN:
        before = way - way % n_labels - n_labels
        for i in range(n_labels):
            current[i] = before + i
        _, origin[way] = _look_for(way, ways, current, emissions, chain, n_steps)
    return origin[way]


@inlined
def _add_way(node, new, ways, last, current, emissions, chain, n_steps):
    """Let the next best way to `node` be `new`, those that it may go on from being known; whether there is one."""
    score, origin, following, node_of = ways
    n_labels = emissions.shape[1]
    before = node - node % n_labels - n_labels
    for i in range(n_labels):
        current[i] = before + i
    way = node
    while True:
        if origin[way] >= 0:
            current[node_of[origin[way]] - before] = following[origin[way]]
        if way == last[node]:
            break
        way = following[way]
    greatest, found = _look_for(node, ways, current, emissions, chain, n_steps)
    if found == NONE:
        following[last[node]] = NONE
        return False
    score[new], origin[new], following[new], node_of[new] = greatest, found, UNKNOWN, node
    following[last[node]] = new
    last[node] = new
    return True


@kernel
def ranked_paths(emissions: Any, chain: Any, lengths: Any, first: int, last: int, paths: Any, totals: Any) -> None:
    """The paths of the greatest scores of the sequences from `first` to before `last`, of a padded batch.

    The recursive enumeration of Jimenez and Marzal (1999): the next best way to a label is looked for when a path asks
    for it, among the best ways to the labels before it of which none is known to be taken. What is kept are the scores
    of the best way to each label, and a way for each step of a path.

    Parameters
    ----------
    emissions : array of shape (batch, n_steps, n_labels)
    chain : array of shape (n_labels + 2, n_labels)
    lengths : array of int64, shape (batch,)
    first, last : int
    paths : array of int64, shape (batch, n, n_steps)
        Filled up to the length of each sequence. Of equals the first has the lowest last label, then the lowest before
        it.
    totals : array of shape (batch, n)
        Filled with the scores, -inf from where there is no further valid path; of an empty sequence the first is 0.
    """
    n_steps, n_labels = emissions.shape[1:]
    n = totals.shape[1]
    n_nodes = n_steps * n_labels + 1
    size = n_nodes + n * (n_steps + 1)
    # A way has the number of the label of a step that it is the best one to, or a later one.
    score = np.empty(size)
    origin, following, node_of = np.empty(size, np.int64), np.empty(size, np.int64), np.empty(size, np.int64)
    ways = (score, origin, following, node_of)
    latest = np.empty(n_nodes, np.int64)
    current, asked = np.empty(n_labels, np.int64), np.empty(n_steps + 1, np.int64)
    for k in range(first, last):
        length = min(lengths[k], n_steps)
        for m in range(n):
            totals[k, m] = -np.inf
        if length <= 0:
            totals[k, 0] = 0.0
            continue
        end = length * n_labels
        _best_scores(emissions[k], chain, score[:end].reshape(length, n_labels))
        for way in range(end + 1):
            origin[way] = NONE if way < n_labels else UNKNOWN
            following[way] = NONE if way < n_labels else UNKNOWN
            node_of[way] = latest[way] = way
        for i in range(n_labels):
            current[i] = end - n_labels + i
        score[end], origin[end] = _look_for(end, ways, current, emissions[k], chain, length)
        n_ways, way = n_nodes, end
        for m in range(n):
            if origin[way] == NONE:
                break
            totals[k, m] = score[way]
            step = way
            for t in range(length - 1, -1, -1):
                step = _origin(step, ways, current, emissions[k], chain, length)
                paths[k, m, t] = node_of[step] % n_labels
            if m + 1 == n:
                break
            # The next way to a label needs the one after that which the last one went on from, and so on back.
            asked[0], depth = end, 0
            while True:
                before = _origin(latest[asked[depth]], ways, current, emissions[k], chain, length)
                if before < 0 or following[before] != UNKNOWN:
                    break
                depth += 1
                asked[depth] = node_of[before]
            while depth >= 0:
                n_ways += _add_way(asked[depth], n_ways, ways, latest, current, emissions[k], chain, length)
                depth -= 1
            if following[way] == NONE:
                break
            way = following[way]
