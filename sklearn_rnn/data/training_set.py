"""The sequences, targets and weights of one fit, as a multiset: equal samples are one sample of greater weight."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn.data.digests import content
from sklearn_rnn.data.hashing import can_hash, hash_sequences, join_hashes, ranked
from sklearn_rnn.data.sequences import Sequences

MAX_SPREAD = 10_000
"""Copies that repeated samples may have in all: weights that count a population do not make an epoch endless."""

END = 8
"""Steps at either end of a sequence that decide its place."""

GRID = 2.0**-10
"""What they are rounded to: coarse beside what units leave to rounding, and fine beside a scaled number."""

AT_A_TIME = 2**20
"""Numbers that are rounded at a time."""


@dataclass(frozen=True)
class TrainingSet:
    """What a network is fitted to or validated on.

    Attributes
    ----------
    sequences : Sequences, or before it is encoded AlignedSequences
        Values (total_steps, n_columns), or token indices (total_steps,).
    target : array of shape (n_sequences, ...) or Sequences
        One target a sequence, or those of its steps.
    weight : array of shape (n_sequences,)
    step_weight : Sequences or None
        The weight of each step, where steps of a sequence differ in it.
    groups : array of shape (n_sequences,) or None
    rows : array of int, shape (n_sequences,), or None
        Which sequences of what was given these are, or stand for.
    read : Sequences or None
        What stands before each step of targets that have a length of their own.
    """

    sequences: Any
    target: Any
    weight: NDArray[np.float64]
    step_weight: Sequences | None = None
    groups: NDArray[Any] | None = None
    rows: NDArray[np.int64] | None = None
    read: Sequences | None = None

    def __len__(self) -> int:
        return len(self.sequences)

    def take(self, index: NDArray[Any]) -> TrainingSet:
        """The samples at `index` (n_selected,)."""
        parts = (self.step_weight, self.groups, self.rows, self.read)
        beside = (None if part is None else part[index] for part in parts)
        return TrainingSet(self.sequences.take(index), self.target[index], self.weight[index], *beside)

    def truncated(self, max_length: int, cut: str) -> TrainingSet:
        """All sequences, and what belongs to their steps, cut to `max_length` steps at the end named `cut`."""
        steps = (self.sequences, self.target, self.step_weight)
        parts = (None if part is None else part.truncate(max_length, cut=cut) for part in steps)
        sequences, target, step_weight = parts
        return replace(self, sequences=sequences, target=target, step_weight=step_weight)

    def part_of_stream(self, n_steps: int, cut: str) -> TrainingSet:
        """The first or the last `n_steps` of the only sequence; `cut` names the end that is not among them."""
        steps = (self.sequences, self.step_weight)
        sequences, step_weight = (None if part is None else part.truncate(n_steps, cut=cut) for part in steps)
        return replace(self, sequences=sequences, step_weight=step_weight)

    @cached_property
    def keys(self) -> NDArray[Any]:
        """What equal samples (n_sequences,) have in common and no others have, in an order of its own.

        A quick hash tells most samples apart. Those that it does not, and all that it cannot read, have a digest.
        """
        keys = np.zeros(len(self), dtype=[("hash", ">u8"), ("digest", "S16")])  # in the order of their bytes
        unsure = np.ones(len(self), dtype=bool)
        parts = ranked(self.sequences)
        if all(map(can_hash, parts)):
            keys["hash"] = join_hashes([hash_sequences(part) for part in parts])
            _, of, count = np.unique(keys["hash"], return_inverse=True, return_counts=True)
            unsure = count[of] > 1
        for i in np.flatnonzero(unsure):
            keys["digest"][i] = self._digest(int(i), parts)
        return keys.view("S24")

    def merged(self, rows: NDArray[np.int64] | None = None) -> TrainingSet:
        """Equal samples become one with the sum of their weights, and the order is canonical.

        What is fitted then depends on the samples and their total weights alone. A weight of 2 is a repeated sample to
        the last bit, and the order of the rows does not matter. All samples have a weight.

        Parameters
        ----------
        rows : array of int, shape (n_rows,), optional
            The samples that there are; all by default.

        Returns
        -------
        merged : TrainingSet
        """
        rows = np.arange(len(self)) if rows is None else rows
        _, first, group_of = np.unique(self.keys[rows], return_index=True, return_inverse=True)
        weight = np.bincount(group_of, weights=self.weight[rows]).astype(np.float64)
        return replace(self.take(rows[first]), weight=weight)

    def ordered(self) -> TrainingSet:
        """The samples in an order that scaled numbers decide as they are up to rounding, whatever their units were.

        The order of :meth:`merged` is that of all bits. This one is that of the numbers at both ends of a sequence,
        rounded to a grid, and where these are equal that of before.
        """
        ends = [self.sequences.truncate(END, cut=cut) for cut in ("tail", "head")]
        if not all(map(can_hash, ends)):
            return self
        return self.take(np.argsort(join_hashes([_hash_on_grid(part) for part in ends]), kind="stable"))

    def spread(self) -> TrainingSet:
        """Samples whose weights are counts become as many copies, so that an epoch is as long as the data was.

        A data set of 1,000 rows of which 12 are distinct is trained on in as many steps as any other of 1,000 rows.
        There are no more than `MAX_SPREAD` copies in all, or as many as samples; each then stands for several. Weights
        that are not whole numbers are no counts, and stay.

        Returns
        -------
        spread : TrainingSet
            The copies of a sample share its weight.
        """
        copies = self.copies
        if np.all(copies == 1):
            return self
        spread = self.take(np.repeat(np.arange(len(self)), copies))
        return replace(spread, weight=np.repeat(self.weight / copies, copies))

    @property
    def copies(self) -> NDArray[np.int64]:
        """How many times each sample (n_sequences,) is in an epoch, as :meth:`spread` has it."""
        if not self.counted:
            return np.ones(len(self), dtype=np.int64)
        share = min(1.0, max(len(self), MAX_SPREAD) / self.weight.sum())
        return np.maximum(1, np.floor(self.weight * share)).astype(np.int64)

    @property
    def counts(self) -> NDArray[np.float64]:
        """How often each sequence (n_sequences,), none of which is empty, is there: as often as one of its steps."""
        if self.step_weight is None:
            return self.weight
        return self.weight * np.maximum.reduceat(self.step_weight.values, self.step_weight.offsets[:-1])

    @property
    def counted(self) -> bool:
        """Whether all weights are whole numbers, that is, say how often a sample was there."""
        return bool(np.all(self.weight == np.round(self.weight)))

    def _digest(self, i: int, parts: list[Sequences]) -> bytes:
        """A 128-bit digest of sample `i`: its steps, its target, their weights and its group."""
        digest = blake2b(digest_size=16)
        for part in parts:
            digest.update(content(part[i]))
        for beside in (self.target, self.step_weight, self.groups):
            if beside is not None:
                digest.update(content(beside[i]))
        return digest.digest()


def _hash_on_grid(sequences: Sequences) -> NDArray[np.uint64]:
    """The hash of each sequence (n_sequences,) with its numbers rounded, of which a part is in memory at a time."""
    parts = (part for _, part in sequences.blocks(AT_A_TIME))
    return np.concatenate([hash_sequences(part.with_values(_on_grid(part.values))) for part in parts])


def _on_grid(values: NDArray[Any]) -> NDArray[np.int32]:
    """Values (total_steps, n_columns) as multiples of the grid; those that are too large for it as the last one."""
    return np.clip(np.rint(values / GRID), -(2.0**30), 2.0**30).astype(np.int32)
