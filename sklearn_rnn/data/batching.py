"""Padded batches cut from one contiguous array, with no Python loop over sequences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.training_set import TrainingSet

Batch = tuple[dict[str, Tensor], dict[str, Tensor]]


class PaddedGather:
    """Cuts padded batches from ragged values.

    Parameters
    ----------
    sequences : Sequences
    device : torch.device or str
        Where the values are kept; batches are cut there.
    """

    def __init__(self, sequences: Sequences, device: torch.device | str = "cpu") -> None:
        values = sequences.values
        if not (values.flags.writeable and values.flags.c_contiguous):
            values = values.copy()  # torch refuses to share read-only memory
        self.values = torch.from_numpy(values).to(device)
        self.starts = torch.from_numpy(sequences.offsets[:-1].copy()).to(device)
        self.lengths = torch.from_numpy(sequences.lengths).to(device)

    def __call__(self, index: Tensor, n_steps: int) -> tuple[Tensor, Tensor]:
        """Sequences `index` (batch,) padded with zeros to `n_steps`.

        Returns
        -------
        values : tensor of shape (batch, n_steps, ...)
        lengths : tensor of shape (batch,)
        """
        lengths = self.lengths[index]
        if self.values.shape[0] == 0:
            return self.values.new_zeros(len(index), n_steps, *self.values.shape[1:]), lengths
        step = torch.arange(n_steps, device=self.values.device)
        inside = step < lengths[:, None]
        rows = torch.where(inside, self.starts[index][:, None] + step, 0)
        values = self.values[rows]
        # shape: (batch, n_steps) or (batch, n_steps, n_features)
        return values * inside.reshape(*inside.shape, *[1] * (values.ndim - 2)).to(values.dtype), lengths


class SequenceDataset(Dataset):  # type: ignore[type-arg]
    """A training set as tensors, from which a :class:`BatchIterator` cuts batches.

    Parameters
    ----------
    data : TrainingSet
        Its weights are those of the loss; with one target a step, those of `step_weight` take their place.
    step_weight : Sequences or None
        The weight of each step, where the target is one a step.
    dtype : torch.dtype
        Of weights and of targets that are numbers.
    device : torch.device or str
    """

    def __init__(
        self,
        data: TrainingSet,
        *,
        step_weight: Sequences | None = None,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        self.values = PaddedGather(data.sequences, device)
        self.n_steps = data.sequences.lengths
        self.per_step = isinstance(data.target, Sequences)
        if isinstance(data.target, Sequences):
            self.target_steps = PaddedGather(data.target, device)
            assert step_weight is not None
            self.weight_steps = PaddedGather(step_weight, device)
        else:
            target = torch.from_numpy(np.ascontiguousarray(data.target))
            self.target = target.to(device, dtype if target.is_floating_point() else None)
            self.weight = torch.from_numpy(data.weight).to(device, dtype)

    def __len__(self) -> int:
        return len(self.n_steps)

    def batch(self, index: NDArray[Any]) -> Batch:
        """The sequences at `index` (batch,), padded to the longest among them."""
        n_steps = int(self.n_steps[index].max())
        where = torch.from_numpy(index).to(self.values.values.device)
        values, lengths = self.values(where, n_steps)
        if self.per_step:
            target = {
                "target": self.target_steps(where, n_steps)[0],
                "weight": self.weight_steps(where, n_steps)[0],
                "lengths": lengths,
            }
        else:
            target = {"target": self.target[where], "weight": self.weight[where]}
        return {"values": values, "lengths": lengths}, target


class BatchIterator:
    """Yields the batches of one epoch; what skorch takes in the place of a ``DataLoader``.

    Sequences of similar length share a batch: an epoch's order is drawn at random, each run of 64 batches of it is
    sorted by length, and the batches are shuffled again.

    Parameters
    ----------
    dataset : SequenceDataset
    batch_size : int
    random_state : numpy.random.RandomState or None
        Draws the order; None draws nothing: batches come in the order of the data, sorted by length within each run.
    """

    bucket = 64

    def __init__(
        self, dataset: SequenceDataset, batch_size: int, random_state: np.random.RandomState | None = None
    ) -> None:
        self.dataset = dataset
        self.batch_size = batch_size
        self.random_state = random_state

    def __len__(self) -> int:
        return -(-len(self.dataset) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        n, size = len(self.dataset), self.batch_size
        order = np.arange(n) if self.random_state is None else self.random_state.permutation(n)
        batches = []
        for start in range(0, n, size * self.bucket):
            part = order[start : start + size * self.bucket]
            part = part[np.argsort(self.dataset.n_steps[part], kind="stable")]
            batches += [part[k : k + size] for k in range(0, len(part), size)]
        turns = np.arange(len(batches)) if self.random_state is None else self.random_state.permutation(len(batches))
        for turn in turns:
            yield self.dataset.batch(batches[turn])


def batches_by_steps(lengths: NDArray[np.int64], budget: int) -> Iterator[NDArray[np.int64]]:
    """Split sequences, sorted by length, into batches of at most `budget` padded steps.

    Parameters
    ----------
    lengths : array of shape (n_sequences,)
    budget : int
        Steps a batch after padding; a single longer sequence is a batch of its own.

    Yields
    ------
    index : array of shape (batch,)
        Positions of the sequences of one batch.
    """
    order = np.argsort(lengths, kind="stable")
    start = 0
    for stop in range(1, len(order) + 1):
        if stop == len(order) or (stop + 1 - start) * lengths[order[stop]] > budget:
            yield order[start:stop]
            start = stop
