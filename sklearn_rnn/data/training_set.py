"""The sequences, targets and weights of one fit, as a multiset: equal samples are one sample of greater weight."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn.data.hashing import can_hash, hash_sequences
from sklearn_rnn.data.sequences import Sequences

MAX_SPREAD = 10_000
"""Copies that repeated samples may have in all: weights that count a population do not make an epoch endless."""


@dataclass(frozen=True)
class TrainingSet:
    """What a network is fitted to or validated on.

    Attributes
    ----------
    sequences : Sequences, or before it is encoded AlignedSequences
        Values (total_steps, n_columns), or token indices (total_steps,).
    target : array of shape (n_sequences, ...) or Sequences
        One target a sequence, or one a step.
    weight : array of shape (n_sequences,)
    groups : array of shape (n_sequences,) or None
    """

    sequences: Any
    target: Any
    weight: NDArray[np.float64]
    groups: NDArray[Any] | None = None

    def __len__(self) -> int:
        return len(self.sequences)

    def take(self, index: NDArray[Any]) -> TrainingSet:
        """The samples at `index` (n_selected,)."""
        target = self.target.take(index) if isinstance(self.target, Sequences) else self.target[index]
        groups = None if self.groups is None else self.groups[index]
        return TrainingSet(self.sequences.take(index), target, self.weight[index], groups)

    def merged(self) -> TrainingSet:
        """Equal samples become one with the sum of their weights, those of weight 0 go, and the order is canonical.

        What is fitted then depends on the samples and their total weights alone. A weight of 2 is a repeated sample
        and a weight of 0 an absent one to the last bit, and the order of the rows does not matter.

        Returns
        -------
        merged : TrainingSet
        """
        kept = np.flatnonzero(self.weight > 0)
        _, first, group_of = np.unique(self._keys(kept), return_index=True, return_inverse=True)
        weight = np.bincount(group_of, weights=self.weight[kept]).astype(np.float64)
        merged = self.take(kept[first])
        return TrainingSet(merged.sequences, merged.target, weight, merged.groups)

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
        if not np.all(self.weight == np.round(self.weight)):
            return self
        share = min(1.0, max(len(self), MAX_SPREAD) / self.weight.sum())
        copies = np.maximum(1, np.floor(self.weight * share)).astype(np.int64)
        if np.all(copies == 1):
            return self
        spread = self.take(np.repeat(np.arange(len(self)), copies))
        weight = np.repeat(self.weight / copies, copies)
        return TrainingSet(spread.sequences, spread.target, weight, spread.groups)

    def _keys(self, kept: NDArray[np.int64]) -> NDArray[Any]:
        """What equal samples among the `kept` (n_kept,) have in common and no others have, in an order of its own.

        A quick hash tells most samples apart. Those that it does not, and all that it cannot read, have a digest.
        """
        keys = np.zeros(len(kept), dtype=[("hash", ">u8"), ("digest", "S16")])  # in the order of their bytes
        unsure = np.ones(len(kept), dtype=bool)
        if can_hash(self.sequences):
            keys["hash"] = hash_sequences(self.sequences)[kept]
            _, of, count = np.unique(keys["hash"], return_inverse=True, return_counts=True)
            unsure = count[of] > 1
        for k in np.flatnonzero(unsure):
            keys["digest"][k] = self._digest(int(kept[k]))
        return keys.view("S24")

    def _digest(self, i: int) -> bytes:
        """A 128-bit digest of sample `i`: its steps, its target and its group."""
        target = np.ascontiguousarray(self.target[i])
        digest = blake2b(self.sequences[i].tobytes(), digest_size=16)
        digest.update(b"|" + target.tobytes())
        if self.groups is not None:
            digest.update(b"|" + str(self.groups[i]).encode())
        return digest.digest()
