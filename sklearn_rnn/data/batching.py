"""Padded batches, and the data that they are cut from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from sklearn_rnn.data.gathering import DeviceGather, HostGather, to_tensor
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.splitting import alike
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
    read : tensor of shape (batch, n_target_steps, ...) or None
        What stands before each step of such a target.
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
    read: Tensor | None = None
    piece: bool = False
    goes_on: Tensor | None = None
    share: tuple[int, int] | None = None

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        """What the network reads, and what the loss takes: callbacks of skorch unpack a batch into X and y."""
        yield {"values": self.values, "lengths": self.lengths}
        yield {"target": self.target, "weight": self.weight}

    @property
    def given(self) -> tuple[Tensor, ...]:
        """What the network is called with."""
        if self.read is None or self.target_lengths is None:
            return self.values, self.lengths
        return self.values, self.lengths, self.read, self.target_lengths

    @property
    def parts(self) -> list[Batch]:
        """This batch; a :class:`SplitBatch` has several."""
        return [self]

    shares = parts

    def whole(self) -> Batch:
        """This batch."""
        return self

    def join(self, outputs: list[Tensor]) -> Tensor:
        """The outputs of the batch, given those of its parts."""
        return outputs[0]

    def separate(self, outputs: Tensor) -> list[Tensor]:
        """The reverse of :meth:`join`."""
        return [outputs]


@dataclass
class SplitBatch:
    """A batch in parts of similar length: it costs what its steps cost, and no padding up to its longest sequence.

    It has the methods and attributes of a :class:`Batch`.

    Attributes
    ----------
    parts : list of Batch
    rows : list of arrays of int64, shape (size of the part,)
        Which sequences of the batch are in each part.
    whole : callable
        Cuts the batch in one.
    share : (int, int) or None
        As of a :class:`Batch`.
    """

    parts: list[Batch]
    rows: list[NDArray[np.int64]]
    whole: Callable[[], Batch]
    share: tuple[int, int] | None = None

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        return iter(self.whole())

    def __getattr__(self, name: str) -> Any:
        """What callbacks look at is cut in one, whenever they do."""
        if name not in Batch.__slots__:
            raise AttributeError(name)
        return getattr(self.whole(), name)

    @property
    def shares(self) -> list[Batch]:
        """The parts, weighted so that their losses add up to the loss of the batch."""
        return [replace(part, weight=part.weight * (len(part) / len(self))) for part in self.parts]

    def join(self, outputs: list[Tensor]) -> Tensor:
        """Outputs (batch, ...), or where parts differ in their steps (batch, n_steps, ...), padded with 0."""
        shape = [max(sizes) for sizes in zip(*(part.shape[1:] for part in outputs), strict=True)]
        joined = outputs[0].new_zeros(len(self), *shape)
        for rows, part in zip(self.rows, outputs, strict=True):
            where: Any = (torch.from_numpy(rows).to(part.device), *([slice(part.shape[1])] if part.ndim > 2 else []))
            joined[where] = part
        return joined

    def separate(self, outputs: Tensor) -> list[Tensor]:
        """The reverse of :meth:`join`."""
        of_parts = [outputs[torch.from_numpy(rows).to(outputs.device)] for rows in self.rows]
        if self.parts[0].weight.ndim == 1:
            return of_parts
        return [own[:, : part.weight.shape[1]] for own, part in zip(of_parts, self.parts, strict=True)]


class SequenceDataset(Dataset):  # type: ignore[type-arg]
    """A training set from which a :class:`~sklearn_rnn.data.orders.BatchIterator` cuts batches.

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

    Attributes
    ----------
    targets : array of shape (n, ...)
        Of the sequences, or of all steps one after another.
    weights : array of shape (n,)
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
        self._own_steps: Any = None
        if alignment == "sequence":
            rows = [_in_dtype(np.ascontiguousarray(part), dtype) for part in (data.target, data.weight)]
        else:
            assert data.step_weight is not None
            beside = [_in_dtype(part.values, dtype) for part in (data.target, data.step_weight)]
        self.targets, self.weights = rows or beside
        if alignment == "own":
            read = [] if data.read is None else [_in_dtype(data.read.values, dtype)]
            self._own, beside = self._gathering(data.target.with_values(beside[0]), [beside[1], *read]), []
            self._own_steps = data.target.lengths
        self._gather: Any = self._gathering(data.sequences, beside)
        self._lengths: Any = self._gather.lengths
        self._rows: Any = [to_tensor(part).to(self.device) for part in rows] if self.resident else rows

    def __len__(self) -> int:
        return len(self.n_steps)

    @property
    def likeness(self) -> tuple[NDArray[np.int64], ...]:
        """What sequences (n,) that share a batch have alike: their lengths, and before them those of their targets."""
        return (self.n_steps,) if self._own_steps is None else (self.n_steps, self._own_steps)

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
        target, weight, *read = beside or [self._pick(part, index) for part in self._rows]
        parts = [values, self._pick(self._lengths, index), target, weight]
        parts += [] if own_lengths is None else [own_lengths, *read]
        return Batch(*(parts if self.resident else map(self._send, parts)))

    def split(self, order: NDArray[np.int64]) -> Batch | SplitBatch:
        """As :meth:`batch`, of an `order` (batch,) that is not placed, in parts of similar length."""
        rows = alike(self.n_steps[order])
        if len(rows) == 1:
            return self.batch(self.place(order))
        parts = [self.batch(self.place(order[part])) for part in rows]
        return SplitBatch(parts, rows, lambda: self.batch(self.place(order)))

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


def _in_dtype(array: NDArray[Any], dtype: torch.dtype) -> NDArray[Any]:
    """`array` with its floats in `dtype`; integers stay what they are."""
    wanted = torch.empty(0, dtype=dtype).numpy().dtype
    return array.astype(wanted, copy=False) if array.dtype.kind == "f" else array
