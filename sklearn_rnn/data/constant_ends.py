"""Sequences that end, or begin, in what looks like padding that nobody has named."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn._warning import warn
from sklearn_rnn.data.padding import equals_value
from sklearn_rnn.data.sequences import Sequences, spread_sample
from sklearn_rnn.exceptions import SequenceDataWarning

NUMBERS = 2**24
"""As many numbers of a sample of the sequences are looked at."""

MANY = 0.2
"""Share of the sequences that end in the same run of two steps or more."""

MANY_SCALED = 0.5
"""The same for steps whose features differ from each other, as those of padding do once it was scaled."""

LONG = 0.2
"""Share of the common length that the longest run makes up, at least."""

SELDOM = 0.01
"""Share of the other steps that may hold the same: padding is nothing that steps hold."""

CONSTANT = 0.2
"""Share of the sequences that may hold nothing else."""

OTHER_END = 0.05
"""Share of the sequences that may have the same at their other end: images have a border on both sides."""

NEAR = 0.5
"""How near the last step may come to what follows, in distances of a usual step: what is measured comes to rest."""


def warn_if_padded(sequences: Sequences, *, labels: bool, name: str, key: str | None = None) -> bool:
    """Warn if many sequences of one common length end, or begin, in runs of one value that are no data; return whether.

    Parameters
    ----------
    sequences : Sequences
        As they were given, before any missing value is filled.
    labels : bool
        Whether steps are tokens or ids, between which there is no distance.
    name : str
        What to call X in the warning.
    key : str, optional
        Which of several inputs a step the sequences are.
    """
    lengths = sequences.lengths
    n_sequences, n_steps = len(lengths), int(lengths[0])
    if n_sequences < 10 or n_steps < 4 or np.any(lengths != n_steps):
        return False
    sample = spread_sample(sequences, NUMBERS)
    block = sample.values.reshape(len(sample), n_steps, -1)
    for end, seen in (("end", block), ("begin", block[:, ::-1])):
        found = _run_of_padding(seen, labels)
        if found is not None:
            warn(_message(*found, end, labels, name, key), SequenceDataWarning)
            return True
    return False


def _run_of_padding(block: NDArray[Any], labels: bool) -> tuple[Any, NDArray[np.int64]] | None:
    """The step that many of the sequences (n_sequences, n_steps, n_features) end in, and how often each repeats it."""
    last = block[:, -1]
    pairs = np.array([_equal(a, b) for a, b in zip(last, block[:, -2], strict=True)])
    if pairs.mean() < MANY:
        return None
    counts = Counter(_key(step) for step in last[pairs])
    wanted = counts.most_common(1)[0][0]
    value = next(step for step, pair in zip(last, pairs, strict=True) if pair and _key(step) == wanted)
    same = np.all(np.stack([equals_value(block[:, :, k], v) for k, v in enumerate(value)]), axis=0)
    n_steps = same.shape[1]
    runs = np.where(same.all(axis=1), n_steps, np.argmin(same[:, ::-1], axis=1))
    inside = np.arange(n_steps) < (n_steps - runs)[:, None]  # the steps before the run
    explained = (
        np.mean(runs >= 2) < (MANY if _alike(value) else MANY_SCALED)
        or runs.max() < LONG * n_steps
        or len(np.unique(runs[(runs > 0) & (runs < n_steps)])) < 3
        or np.mean(runs == n_steps) > CONSTANT
        or np.mean(same[:, 0] & (runs < n_steps)) > OTHER_END
        or np.sum(same & inside) > SELDOM * np.sum(inside)
        or (not labels and _comes_to_rest(block, value, runs, inside))
    )
    return None if explained else (value, runs)


def _comes_to_rest(
    block: NDArray[Any], value: NDArray[Any], runs: NDArray[np.int64], inside: NDArray[np.bool_]
) -> bool:
    """Whether the last step before each run is nearer to `value` than steps are: a curve that reaches its rest."""
    target = np.asarray(value, dtype=np.float64)
    if not np.all(np.isfinite(target)):
        return False
    numbers = np.asarray(block, dtype=np.float64)
    spread = np.nanstd(numbers[inside], axis=0)
    distance = np.sqrt(np.nanmean(((numbers - target) / np.where(spread > 0, spread, 1)) ** 2, axis=2))
    ended = np.flatnonzero((runs > 0) & (runs < block.shape[1]))
    before = distance[ended, block.shape[1] - runs[ended] - 1]
    return bool(np.nanmedian(before) < NEAR * np.nanmedian(distance[inside]))


def _equal(a: NDArray[Any], b: NDArray[Any]) -> bool:
    return all(x == y or (x != x and y != y) for x, y in zip(a.tolist(), b.tolist(), strict=True))


def _alike(step: NDArray[Any]) -> bool:
    return _equal(step, step[[0] * len(step)])


def _key(step: NDArray[Any]) -> tuple[Any, ...]:
    """A step as something that equals what is equal, NaN included."""
    return tuple("nan" if x != x else x for x in step.tolist())


def _message(value: NDArray[Any], runs: NDArray[np.int64], end: str, labels: bool, name: str, key: str | None) -> str:
    first = value.tolist()[0]
    shown = repr(first) if first == first else "numpy.nan"
    told = shown if key is None else f"{{{key!r}: {shown}}}"
    of = name if key is None else f"the input {key!r} of {name}"
    what, by_hand = "which are all the same", f"cut it off with trim_padding before anything scales {name}"
    if _alike(value):
        what = f"all features of which are {shown}" if len(value) > 1 else f"which are {shown}"
        by_hand = f"set padding_value={told}, or cut it off with trim_padding({name}, {told})"
        by_hand += "" if labels else " before anything scales it"
    return (
        f"{np.mean(runs >= 2):.0%} of the sequences of {of} {end} in steps {what}, up to {runs.max()} of them, as "
        f"padded data does: they are read as steps. If they are padding, {by_hand}"
    )
