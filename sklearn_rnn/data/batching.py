"""Padded batches cut from contiguous arrays, with no Python loop over sequences."""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.stored import StoredSequences
from sklearn_rnn.data.training_set import TrainingSet

Batch = tuple[dict[str, Tensor], dict[str, Tensor]]


class HostGather:
    """Cuts padded batches from sequences in the memory of the CPU or on disk, which are never copied as a whole.

    Parameters
    ----------
    sequences : Sequences
        Their values may be read-only, or mapped from a file.
    beside : list of arrays of shape (total_steps, ...)
        More arrays with one row a step of the same sequences.
    """

    def __init__(self, sequences: Sequences, beside: Sequence[NDArray[Any]] = ()) -> None:
        self.lengths = sequences.lengths
        self.starts = sequences.offsets[:-1]
        self.n_rows = int(sequences.offsets[-1])
        self.common_length = _common_length(self.lengths)
        self.stored = sequences if isinstance(sequences, StoredSequences) else None
        arrays = [np.asarray(array) for array in (*(() if self.stored else (sequences.values,)), *beside)]
        if self.common_length:
            arrays = [array.reshape(len(self.lengths), self.common_length, *array.shape[1:]) for array in arrays]
        self.arrays = arrays

    def __call__(self, index: NDArray[Any], n_steps: int) -> list[NDArray[Any]]:
        """The rows of sequences `index` (batch,), padded with zeros: one (batch, n_steps, ...) an array."""
        read = [] if self.stored is None else HostGather(self.stored.load(index))(np.arange(len(index)), n_steps)
        if n_steps == self.common_length:
            return [*read, *(array.take(index, 0) for array in self.arrays)]
        if self.common_length or not self.n_rows:
            return [*read, *(self._padded_alike(array, index, n_steps) for array in self.arrays)]
        step, lengths = np.arange(n_steps), self.lengths[index][:, None]
        rows = self.starts[index][:, None] + step
        batch = [array.take(rows, 0, mode="clip") for array in self.arrays]
        if lengths.min() < n_steps:
            outside = step >= lengths
            for part in batch:
                part[outside] = 0
        return [*read, *batch]

    def _padded_alike(self, array: NDArray[Any], index: NDArray[Any], n_steps: int) -> NDArray[Any]:
        """The batch of one array, where all sequences have the same length or none has a step."""
        trailing = array.shape[2 if self.common_length else 1 :]
        batch = np.zeros((len(index), n_steps, *trailing), dtype=array.dtype)
        if self.common_length:
            batch[:, : self.common_length] = array.take(index, 0)[:, :n_steps]
        return batch


class DeviceGather:
    """As :class:`HostGather`, from arrays in the memory of a device: no batch is cut with the help of the host.

    Parameters
    ----------
    sequences, beside
        As for :class:`HostGather`.
    device : torch.device
    """

    def __init__(
        self, sequences: Sequences, beside: Sequence[NDArray[Any]] = (), *, device: torch.device | str = "cpu"
    ) -> None:
        lengths = sequences.lengths
        self.common_length = _common_length(lengths)
        self.lengths = torch.from_numpy(lengths).to(device)
        self.starts = self.lengths.cumsum(0) - self.lengths
        self.arrays = [_to_tensor(array).to(device) for array in (sequences.values, *beside)]
        if self.common_length:
            self.arrays = [array.view(len(lengths), self.common_length, *array.shape[1:]) for array in self.arrays]

    def __call__(self, index: Tensor, n_steps: int) -> list[Tensor]:
        """The rows of sequences `index` (batch,), padded with zeros: one (batch, n_steps, ...) an array."""
        if n_steps == self.common_length:
            return [array.index_select(0, index) for array in self.arrays]
        arrays = [array.flatten(0, 1) for array in self.arrays] if self.common_length else self.arrays
        step = torch.arange(n_steps, device=index.device)
        outside = step >= self.lengths[index][:, None]
        if not len(arrays[0]):  # no sequence has a step
            return [array.new_zeros(*outside.shape, *array.shape[1:]) for array in arrays]
        rows = (self.starts[index][:, None] + step).masked_fill_(outside, 0)
        batch = [array.index_select(0, rows.view(-1)).view(*rows.shape, *array.shape[1:]) for array in arrays]
        return [part.masked_fill_(outside.view(*outside.shape, *[1] * (part.ndim - 2)), 0) for part in batch]


class SequenceDataset(Dataset):  # type: ignore[type-arg]
    """A training set from which a :class:`BatchIterator` cuts batches.

    On a CUDA device with room for it the data is there as a whole. Elsewhere it stays where it is, in the memory of the
    CPU, and batches are sent.

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
        self.device = torch.device(device)
        self.n_steps = data.sequences.lengths
        self.per_step = isinstance(data.target, Sequences)
        target, weight = data.target, data.weight
        if isinstance(target, Sequences):
            assert step_weight is not None
            target, weight = target.values, step_weight.values
        else:
            target, weight = _in_dtype(np.ascontiguousarray(target), dtype), _in_dtype(weight, dtype)
        beside = [target, weight] if self.per_step else []
        self.resident = self.device.type == "cuda" and fits(data.sequences, self.device)
        self._gather: Any = HostGather(data.sequences, beside)
        self._rows: Any = [] if self.per_step else [target, weight]
        self._lengths: Any = self.n_steps
        if self.resident:
            self._gather = DeviceGather(data.sequences, beside, device=self.device)
            self._rows = [_to_tensor(part).to(self.device) for part in self._rows]
            self._lengths = self._gather.lengths

    def __len__(self) -> int:
        return len(self.n_steps)

    def place(self, order: NDArray[np.int64]) -> Any:
        """An `order` (n,) of sequences, or a part of one, where :meth:`batch` wants its indices to be."""
        return torch.from_numpy(order).to(self.device) if self.resident else order

    def batch(self, index: Any, n_steps: int | None = None) -> Batch:
        """The sequences at `index` (batch,), as :meth:`place` returns it.

        Parameters
        ----------
        index : array or tensor of int, shape (batch,)
        n_steps : int, optional
            The length that they are padded to, by default that of the longest among them.

        Returns
        -------
        inputs : dict
            ``"values"``: (batch, n_steps, ...); ``"lengths"``: (batch,).
        target : dict
            ``"target"`` and ``"weight"``: (batch, ...), or (batch, n_steps) and with ``"lengths"``.
        """
        if n_steps is None:
            n_steps = int(self.n_steps[np.asarray(torch.as_tensor(index).cpu())].max())
        values, *beside = self._gather(index, n_steps)
        if self.resident:
            lengths = self._lengths.index_select(0, index)
            target, weight = beside or [part.index_select(0, index) for part in self._rows]
        else:
            lengths = self._send(self._lengths.take(index))
            values = self._send(values)
            target, weight = (self._send(part) for part in beside or [part.take(index, 0) for part in self._rows])
        y = {"target": target, "weight": weight}
        if self.per_step:
            y["lengths"] = lengths
        return {"values": values, "lengths": lengths}, y

    def _send(self, array: NDArray[Any]) -> Tensor:
        """A part of a batch on the device; the copy to a CUDA device goes on while the host does."""
        tensor = torch.from_numpy(array)
        return tensor if self.device.type == "cpu" else tensor.pin_memory().to(self.device, non_blocking=True)


def fits(sequences: Sequences, device: torch.device) -> bool:
    """Whether `sequences` take less than half of what is free on a CUDA device; the other half is for activations."""
    if isinstance(sequences, StoredSequences):
        return False
    return 2 * sequences.values.nbytes < torch.cuda.mem_get_info(device)[0]


def _common_length(lengths: NDArray[np.int64]) -> int:
    """The length of all sequences, or 0 if they differ."""
    return int(lengths[0]) if len(lengths) and np.all(lengths == lengths[0]) else 0


def _to_tensor(array: NDArray[Any]) -> Tensor:
    """A tensor of `array`, which shares its memory if it may be written to; torch refuses to share any other."""
    shared = array.flags.writeable and all(stride >= 0 for stride in array.strides)
    return torch.from_numpy(array if shared else array.copy())


def _in_dtype(array: NDArray[Any], dtype: torch.dtype) -> NDArray[Any]:
    """`array` with its floats in `dtype`; integers stay what they are."""
    wanted = torch.empty(0, dtype=dtype).numpy().dtype
    return array.astype(wanted, copy=False) if array.dtype.kind == "f" else array


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
        n, size, lengths = len(self.dataset), self.batch_size, self.dataset.n_steps
        order = np.arange(n) if self.random_state is None else self.random_state.permutation(n)
        for start in range(0, n, size * self.bucket):
            run = order[start : start + size * self.bucket]
            run[:] = run[np.argsort(lengths[run], kind="stable")]
        turns = np.arange(len(self)) if self.random_state is None else self.random_state.permutation(len(self))
        n_steps = np.maximum.reduceat(lengths[order], np.arange(0, n, size)).tolist()
        where = self.dataset.place(order)  # once an epoch, so that no batch waits for its indices
        for turn in turns.tolist():
            yield self.dataset.batch(where[turn * size : (turn + 1) * size], n_steps[turn])


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
    ascending = lengths[order]
    n, start = len(order), 0
    while start < n:

        def padded_steps(stop: int, start: int = start) -> int:
            return int((stop - start) * ascending[stop - 1])  # grows with `stop`

        stop = bisect.bisect_right(range(n + 1), budget, lo=start + 1, key=padded_steps)
        stop = max(stop - 1, start + 1)
        yield order[start:stop]
        start = stop
