"""Padded batches cut from contiguous arrays, with no Python loop over sequences."""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.stored import StoredSequences
from sklearn_rnn.data.training_set import TrainingSet

Alignment = Literal["sequence", "step", "own"]


@dataclass(slots=True)
class Batch:
    """Some sequences, padded with zeros, and what is to be learned of them.

    Attributes
    ----------
    values : tensor of shape (batch, n_steps, ...)
    lengths : tensor of int, shape (batch,)
    target : tensor of shape (batch, ...), (batch, n_steps, ...) or (batch, n_target_steps, ...)
        One a sequence, one a step, or as many as `target_lengths` says.
    weight : tensor of shape (batch,), (batch, n_steps) or (batch, n_target_steps)
        0 for padding, and where there is no target.
    target_lengths : tensor of int, shape (batch,), or None
        Where targets have a length of their own.
    piece : bool
        Whether these are pieces of longer sequences, whose state the next batch may go on from.
    goes_on : tensor of int, shape (batch,), or None
        The row that each piece's sequence had in the batch before; None where all of them begin.
    share : (int, int) or None
        Sequences of this part of a batch, which several processes share, and of the whole.
    """

    values: Tensor
    lengths: Tensor
    target: Tensor
    weight: Tensor
    target_lengths: Tensor | None = None
    piece: bool = False
    goes_on: Tensor | None = None
    share: tuple[int, int] | None = None

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        """What the network reads, and what the loss takes: callbacks of skorch unpack a batch into X and y."""
        yield {"values": self.values, "lengths": self.lengths}
        yield {"target": self.target, "weight": self.weight}


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
        if self.common_length and n_steps == self.common_length:
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
        if self.common_length and n_steps == self.common_length:
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
        Encoded. Its weights are those of the loss; where there is a target a step, those of its `step_weight` are.
    alignment : {"sequence", "step", "own"}
        What each sequence has: one target, one at each step, or targets of a length of their own, with a weight each.
    dtype : torch.dtype
        Of weights and of targets that are numbers.
    device : torch.device or str
    """

    def __init__(
        self,
        data: TrainingSet,
        alignment: Alignment = "sequence",
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        self.device = torch.device(device)
        self.n_steps, self.n_features = data.sequences.lengths, data.sequences.n_features
        self.alignment = alignment
        self.resident = self.device.type == "cuda" and fits(data.sequences, self.device)
        beside, rows = [], []
        self._own: Any = None
        if alignment == "sequence":
            rows = [_in_dtype(np.ascontiguousarray(part), dtype) for part in (data.target, data.weight)]
        else:
            assert data.step_weight is not None
            beside = [_in_dtype(part.values, dtype) for part in (data.target, data.step_weight)]
        if alignment == "own":
            self._own, beside = self._gathering(data.target.with_values(beside[0]), [beside[1]]), []
            self._own_steps = data.target.lengths
        self._gather: Any = self._gathering(data.sequences, beside)
        self._lengths: Any = self._gather.lengths
        self._rows: Any = [_to_tensor(part).to(self.device) for part in rows] if self.resident else rows

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
        batch : Batch
        """
        if n_steps is None:
            n_steps = self._longest(self.n_steps, index)
        values, *beside = self._gather(index, n_steps)
        own_lengths = None
        if self._own is not None:
            beside = self._own(index, self._longest(self._own_steps, index))
            own_lengths = self._pick(self._own.lengths, index)
        target, weight = beside or [self._pick(part, index) for part in self._rows]
        parts = [values, self._pick(self._lengths, index), target, weight]
        parts += [] if own_lengths is None else [own_lengths]
        return Batch(*(parts if self.resident else map(self._send, parts)))

    def _gathering(self, sequences: Sequences, beside: list[NDArray[Any]]) -> Any:
        """What cuts padded batches from `sequences` and from the arrays with a row for each of their steps."""
        if self.resident:
            return DeviceGather(sequences, beside, device=self.device)
        return HostGather(sequences, beside)

    def _pick(self, rows: Any, index: Any) -> Any:
        """The `rows` (n_sequences, ...) of the sequences at `index` (batch,)."""
        return rows.index_select(0, index) if self.resident else rows.take(index, 0)

    def _longest(self, lengths: NDArray[np.int64], index: Any) -> int:
        return int(lengths[np.asarray(torch.as_tensor(index).cpu())].max())

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


class Order(Protocol):
    """In which order a :class:`BatchIterator` cuts batches."""

    def batches(self, dataset: SequenceDataset, batch_size: int) -> Iterator[Batch]:
        """The batches of one epoch."""
        ...


@dataclass
class Buckets:
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

    def batches(self, dataset: SequenceDataset, batch_size: int) -> Iterator[Batch]:
        """All sequences once."""
        n, size, lengths = len(dataset), batch_size, dataset.n_steps
        order = np.arange(n) if self.random_state is None else self.random_state.permutation(n)
        for start in range(0, n, size * self.bucket):
            run = order[start : start + size * self.bucket]
            run[:] = run[np.argsort(lengths[run], kind="stable")]
        n_batches = -(-n // size)
        turns = np.arange(n_batches) if self.random_state is None else self.random_state.permutation(n_batches)
        n_steps = np.maximum.reduceat(lengths[order], np.arange(0, n, size)).tolist()
        where = dataset.place(order)  # once an epoch, so that no batch waits for its indices
        for turn in turns.tolist():
            yield dataset.batch(where[turn * size : (turn + 1) * size], n_steps[turn])


@dataclass
class InOrder:
    """Sequences as they come, so that what is computed batch by batch is in the order of the data."""

    def batches(self, dataset: SequenceDataset, batch_size: int) -> Iterator[Batch]:
        """All sequences once."""
        where = dataset.place(np.arange(len(dataset)))
        for start in range(0, len(dataset), batch_size):
            yield dataset.batch(where[start : start + batch_size])


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
        for whole in self.streams.batches(dataset, batch_size):
            running = torch.arange(len(whole), device=whole.lengths.device)
            for start in range(0, whole.values.shape[1], self.n_steps):
                goes_on = torch.nonzero(whole.lengths[running] > start)[:, 0]
                running = running[goes_on]
                steps = slice(start, start + self.n_steps)
                values, target, weight = (part[running, steps] for part in (whole.values, whole.target, whole.weight))
                lengths = (whole.lengths[running] - start).clamp(max=self.n_steps)
                yield Batch(values, lengths, target, weight, piece=True, goes_on=goes_on if start else None)


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
        return -(-len(self.dataset) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        return self.order.batches(self.dataset, self.batch_size)


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
