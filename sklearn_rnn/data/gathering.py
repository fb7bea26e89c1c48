"""Rows of sequences, put into padded batches with no Python loop over sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.stored import StoredSequences


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
        self.arrays = [to_tensor(array).to(device) for array in (sequences.values, *beside)]
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


def _common_length(lengths: NDArray[np.int64]) -> int:
    """The length of all sequences, or 0 if they differ."""
    return int(lengths[0]) if len(lengths) and np.all(lengths == lengths[0]) else 0


def to_tensor(array: NDArray[Any]) -> Tensor:
    """A tensor of `array`, which shares its memory if it may be written to; torch refuses to share any other."""
    shared = array.flags.writeable and all(stride >= 0 for stride in array.strides)
    return torch.from_numpy(array if shared else array.copy())
