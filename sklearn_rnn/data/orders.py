"""The order in which batches come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from sklearn_rnn.data.batching import Batch, SequenceDataset, SplitBatch
from sklearn_rnn.data.splitting import is_uneven


class Order(Protocol):
    """In which order a :class:`BatchIterator` cuts batches."""

    def batches(self, dataset: SequenceDataset, batch_size: int) -> Iterator[Batch | SplitBatch]:
        """The batches of one epoch."""
        ...

    def count(self, dataset: SequenceDataset, batch_size: int) -> int:
        """How many batches an epoch has."""
        ...


def cut(
    dataset: SequenceDataset, order: NDArray[np.int64], size: int, turns: Iterable[int]
) -> Iterator[Batch | SplitBatch]:
    """Batches of `size` sequences of an `order` (n_sequences,), of which the `turns` say which comes when."""
    where = dataset.place(order)  # once an epoch, so that no batch waits for its indices
    starts, lengths = np.arange(0, len(order), size), dataset.n_steps[order]
    n_steps, total = np.maximum.reduceat(lengths, starts), np.add.reduceat(lengths, starts)
    uneven = is_uneven(np.diff(starts, append=len(order)) * n_steps, total)
    for turn in turns:
        part = slice(turn * size, (turn + 1) * size)
        yield dataset.split(order[part]) if uneven[turn] else dataset.batch(where[part], int(n_steps[turn]))


@dataclass
class Whole:
    """Orders in which each batch holds whole sequences."""

    def count(self, dataset: SequenceDataset, batch_size: int) -> int:
        """How many batches an epoch has."""
        return -(-len(dataset) // batch_size)


@dataclass
class Buckets(Whole):
    """Sequences of similar length share a batch.

    An epoch's order is drawn at random, each run of 64 batches of it is sorted by length, and the batches are shuffled
    again.

    Attributes
    ----------
    random_state : numpy.random.RandomState or None
        Draws the order; None draws nothing: batches come in the order of the data, sorted by length within each run.
    """

    random_state: np.random.RandomState | None = None
    bucket: ClassVar[int] = 64

    def batches(self, dataset: SequenceDataset, batch_size: int) -> Iterator[Batch | SplitBatch]:
        """All sequences once."""
        n, size, likeness = len(dataset), batch_size, dataset.likeness
        order = np.arange(n) if self.random_state is None else self.random_state.permutation(n)
        for start in range(0, n, size * self.bucket):
            run = order[start : start + size * self.bucket]
            run[:] = run[np.lexsort([alike[run] for alike in likeness])]
        n_batches = -(-n // size)
        turns = np.arange(n_batches) if self.random_state is None else self.random_state.permutation(n_batches)
        yield from cut(dataset, order, size, turns.tolist())


@dataclass
class InOrder(Whole):
    """Sequences as they come, so that what is computed batch by batch is in the order of the data."""

    def batches(self, dataset: SequenceDataset, batch_size: int) -> Iterator[Batch | SplitBatch]:
        """All sequences once."""
        n = len(dataset)
        yield from cut(dataset, np.arange(n), batch_size, range(-(-n // batch_size)))


@dataclass
class Lanes:
    """Each sequence is a stream, cut into pieces; a batch holds a piece of each of some streams, and the next goes on.

    Only for data with a target at each step: each piece has targets of its own.

    Attributes
    ----------
    n_steps : int
        Steps of a piece.
    streams : Order
        In which order streams come beside each other.
    """

    n_steps: int
    streams: Order = field(default_factory=Buckets)

    def batches(self, dataset: SequenceDataset, batch_size: int) -> Iterator[Batch]:
        """All steps of all sequences once; ``goes_on`` says which row of the batch before each stream had."""
        for batch in self.streams.batches(dataset, batch_size):
            whole = batch.whole()
            running = torch.arange(len(whole), device=whole.lengths.device)
            for start in range(0, whole.values.shape[1], self.n_steps):
                goes_on = torch.nonzero(whole.lengths[running] > start)[:, 0]
                running = running[goes_on]
                steps = slice(start, start + self.n_steps)
                values, target, weight = (part[running, steps] for part in (whole.values, whole.target, whole.weight))
                lengths = (whole.lengths[running] - start).clamp(max=self.n_steps)
                yield Batch(values, lengths, target, weight, piece=True, goes_on=goes_on if start else None)

    def count(self, dataset: SequenceDataset, batch_size: int) -> int:
        """How many batches an epoch has: as many as the longest of the streams beside each other have pieces.

        Streams of similar length are taken to be beside each other.
        """
        longest = np.sort(dataset.n_steps)[::-1][::batch_size]
        return int(np.sum(-(-longest // self.n_steps)))


class BatchIterator:
    """Yields the batches of one epoch; what skorch takes in the place of a ``DataLoader``.

    Parameters
    ----------
    dataset : SequenceDataset
    batch_size : int
    order : Order
    """

    def __init__(self, dataset: SequenceDataset, batch_size: int, order: Order | None = None) -> None:
        self.dataset = dataset
        self.batch_size = batch_size
        self.order: Order = Buckets() if order is None else order

    def __len__(self) -> int:
        return self.order.count(self.dataset, self.batch_size)

    def __iter__(self) -> Iterator[Batch | SplitBatch]:
        return self.order.batches(self.dataset, self.batch_size)
