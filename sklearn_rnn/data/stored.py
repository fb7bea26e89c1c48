"""Sequences that stay where they are stored: read from a memory map when a batch needs them, and not before."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sklearn_rnn.data.mapped_file import MappedFile
from sklearn_rnn.data.missing import carry_forward
from sklearn_rnn.data.sequences import Sequences

LEFT_ON_DISK = 2**26
"""Bytes from which on an array that is a memory map is not read as a whole, but batch by batch."""

BLOCK = 2**22
"""Bytes that are read at a time where all sequences are gone through."""

FEW = 16
"""Sequences a chunk up to which they are copied faster one by one than chunk by chunk."""


class StoredSequences(Sequences):
    """Sequences whose values lie in files or in other memory that is not to be copied.

    Behaves as :class:`~sklearn_rnn.Sequences` does, but a subset is a list of places: only an integer index, a loop,
    :meth:`load` and the attribute `values` read anything. Pickled, it names its files and does not hold their contents:
    they are opened when something is read, and an error is raised if other files have taken their names.

    Parameters
    ----------
    chunks : list of arrays of shape (n_rows_i, n_features), or all of shape (n_rows_i,)
        What is stored, one array or several.
    starts : array of shape (n_sequences,)
        The row at which each sequence begins, counted through all chunks; none reaches from one chunk into the next.
    lengths : array of shape (n_sequences,)
    ids, feature_names
        As of :class:`~sklearn_rnn.Sequences`.
    file : MappedFile, optional
        The file that all chunks lie in, which is looked at before each reading.
    """

    __slots__ = (
        "_before",
        "_bounds",
        "_chunks",
        "_convert",
        "_dtype",
        "_file",
        "_filled",
        "_given_as",
        "_open",
        "_places",
        "_starts",
        "_unseen",
    )

    def __init__(
        self,
        chunks: list[NDArray[Any]],
        starts: ArrayLike,
        lengths: ArrayLike,
        *,
        ids: ArrayLike | None = None,
        feature_names: list[str] | None = None,
        file: MappedFile | None = None,
    ) -> None:
        self._chunks: list[Any] = chunks
        self._open = True
        self._file = file
        self._places = [_place_of(chunk, file) for chunk in chunks]
        self.offsets = np.concatenate([[0], np.cumsum(np.asarray(lengths, dtype=np.int64))])
        self.ids = None if ids is None else np.asarray(ids)
        self.feature_names = feature_names
        self._bounds = np.cumsum([0, *(len(chunk) for chunk in chunks)])
        self._starts = np.asarray(starts, dtype=np.int64)
        self._before: NDArray[np.int64] = np.zeros(len(self._starts), dtype=np.int64)
        self._dtype = np.result_type(*(chunk.dtype for chunk in chunks))
        self._filled, self._unseen = False, 0.0
        self._convert: Callable[[Sequences], Sequences] | None = None
        self._given_as: np.dtype[Any] | None = None

    @staticmethod
    def join(parts: list[Sequences], *, file: MappedFile | None = None) -> StoredSequences:
        """The sequences of all `parts`, whose values are left where they are; `file` if they lie in one."""
        bounds = np.cumsum([0, *(len(part.values) for part in parts)])
        return StoredSequences(
            [part.values for part in parts],
            np.concatenate([part.offsets[:-1] + bound for part, bound in zip(parts, bounds, strict=False)]),
            np.concatenate([part.lengths for part in parts]),
            ids=None if any(part.ids is None for part in parts) else np.concatenate([part.ids for part in parts]),
            feature_names=parts[0].feature_names,
            file=file,
        )

    @property
    def chunks(self) -> list[NDArray[Any]]:
        """What is stored, one array or several."""
        if not self._open:
            self._chunks = [
                chunk if place is None else place[0].array(place[1], *chunk)
                for chunk, place in zip(self._chunks, self._places, strict=True)
            ]
            self._open = True
        return self._chunks

    @property
    def values(self) -> NDArray[Any]:  # type: ignore[override]
        """The steps of all sequences, read into memory unless they lie there side by side as they are."""
        first = self._starts[0] if len(self) else 0
        plain = self._dtype == self.chunks[0].dtype and not self._filled and self._convert is None
        if len(self.chunks) == 1 and plain and np.array_equal(self._starts, first + self.offsets[:-1]):
            self._check_file()
            return self.chunks[0][first : first + self.offsets[-1]]
        return self.load(np.arange(len(self))).values

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type that values have once they are read."""
        return self._dtype if self._given_as is None else self._given_as

    @property
    def n_features(self) -> int:
        """Number of features a step."""
        chunk = self._chunks[0]
        shape = chunk[1] if isinstance(chunk, tuple) else chunk.shape
        stored = 1 if len(shape) == 1 else int(shape[1])
        return 2 * stored if self._filled else stored

    def load(self, index: ArrayLike) -> Sequences:
        """Read sequences into memory.

        Parameters
        ----------
        index : array of int, shape (n_selected,)

        Returns
        -------
        sequences : Sequences
        """
        self._check_file()
        index = np.asarray(index, dtype=np.int64)
        before, lengths = self._before[index] * self._filled, self.lengths[index]
        read = Sequences(*self._read(self._starts[index] - before, lengths + before), feature_names=self.feature_names)
        if self._filled:  # a value may come from a step that is cut off
            read = carry_forward(read, unseen=self._unseen)
            read = read._window(np.arange(len(index)), read.offsets[:-1] + before, lengths)
        if self._convert is not None:
            read = self._convert(read)
        read.ids = None if self.ids is None else self.ids[index]
        return read

    def blocks(self, n_numbers: int | None = None) -> Iterator[tuple[int, Sequences]]:
        """As of :class:`~sklearn_rnn.Sequences`, by default in parts that fit into memory."""
        return super().blocks(BLOCK // self._dtype.itemsize if n_numbers is None else n_numbers)

    def read_as(self, dtype: str) -> StoredSequences:
        """The same sequences, whose values (total_steps, n_features) will be of `dtype` once they are read."""
        chunks = [chunk.reshape(len(chunk), -1) for chunk in self.chunks]
        return self._copy(chunks=chunks, dtype=np.dtype(dtype))

    def filled(self, *, unseen: float = 0.0) -> StoredSequences:
        """The same sequences with missing values filled, and indicators added, as they are read.

        What is missing before the first value of a sequence becomes `unseen`.
        """
        return self._copy(filled=True, unseen=unseen)

    def converted(self, convert: Callable[[Sequences], Sequences], dtype: str) -> StoredSequences:
        """The same sequences, of which `convert` makes others of the same shape and of `dtype` once they are read."""
        return self._copy(convert=convert, given_as=np.dtype(dtype))

    def with_rows(self, sequence: NDArray[Any], starts: NDArray[Any], lengths: NDArray[Any]) -> StoredSequences:
        """Parts of sequences, as sequences of their own.

        Parameters
        ----------
        sequence : array of int, shape (n_parts,)
            The sequence that each is a part of.
        starts : array of int, shape (n_parts,)
            Its first step, counted through all sequences.
        lengths : array of int, shape (n_parts,)

        Returns
        -------
        parts : StoredSequences
        """
        return self._window(sequence, starts, lengths)

    def between(self, starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> StoredSequences:
        """As of :class:`~sklearn_rnn.Sequences`; what is cut off fills no missing value of what is kept."""
        part = self._window(np.arange(len(self)), starts, lengths)
        part._before = np.zeros_like(part._before)
        return part

    def __iter__(self) -> Iterator[NDArray[Any]]:
        for _, part in self.blocks():
            yield from part

    def _in_memory(self, index: NDArray[np.int64]) -> Sequences:
        return self.load(index)

    def _item(self, i: int) -> NDArray[Any]:
        return self.load([i]).values

    def _check_file(self) -> None:
        if self._file is not None:
            self._file.check()

    def _read(self, starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Values and offsets of `lengths` (n,) steps from the rows `starts` (n,) on."""
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        if len(self.chunks) == 1:
            return self.chunks[0][_rows(starts, lengths)].astype(self._dtype, copy=False), offsets
        values = np.empty((offsets[-1], *self.chunks[0].shape[1:]), dtype=self._dtype)
        chunk_of = np.searchsorted(self._bounds, starts, side="right") - 1
        chunk_of[lengths == 0] = 0  # their start may lie behind the last row
        first = starts - self._bounds[chunk_of]
        numbers = np.unique(chunk_of)
        if len(starts) <= FEW * len(numbers):
            for number, to, start, length in np.column_stack([chunk_of, offsets[:-1], first, lengths]).tolist():
                values[to : to + length] = self.chunks[number][start : start + length]
            return values, offsets
        for number in numbers:
            own = chunk_of == number
            rows = _rows(first[own], lengths[own])
            values[_rows(offsets[:-1][own], lengths[own])] = self.chunks[number][rows]
        return values, offsets

    def _window(self, index: NDArray[Any], starts: NDArray[Any], lengths: NDArray[Any]) -> StoredSequences:
        """Sequences `index` (n,), each cut to `lengths` (n,) steps from step `starts` (n,) of all of them on."""
        skipped = np.where(np.asarray(lengths) > 0, starts - self.offsets[:-1][index], 0)
        part = self._copy()
        part.offsets = np.concatenate([[0], np.cumsum(lengths)])
        part._starts = self._starts[index] + skipped
        part._before = self._before[index] + skipped
        part.ids = None if self.ids is None else self.ids[index]
        return part

    def _copy(
        self,
        *,
        chunks: list[NDArray[Any]] | None = None,
        dtype: np.dtype[Any] | None = None,
        filled: bool | None = None,
        unseen: float | None = None,
        convert: Callable[[Sequences], Sequences] | None = None,
        given_as: np.dtype[Any] | None = None,
    ) -> StoredSequences:
        copy = StoredSequences.__new__(StoredSequences)
        copy._chunks, copy._open = (self._chunks, self._open) if chunks is None else (chunks, True)
        copy._file, copy._places = self._file, self._places
        copy.offsets, copy.ids, copy.feature_names = self.offsets, self.ids, self.feature_names
        copy._bounds, copy._starts, copy._before = self._bounds, self._starts, self._before
        copy._dtype = self._dtype if dtype is None else dtype
        copy._filled = self._filled if filled is None else filled
        copy._unseen = self._unseen if unseen is None else unseen
        copy._convert = self._convert if convert is None else convert
        copy._given_as = self._given_as if given_as is None else given_as
        return copy

    def _slot_names(self) -> list[str]:
        return [name for name in super()._slot_names() if name != "values"]

    def __getstate__(self) -> dict[str, Any]:
        held = self._chunks
        if self._open:
            held = [
                chunk if place is None else (chunk.dtype, chunk.shape)
                for chunk, place in zip(self._chunks, self._places, strict=True)
            ]
        return {**super().__getstate__(), "_chunks": held, "_open": False}


def _rows(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """The numbers of `lengths` (n,) rows from `starts` (n,) on, one run after the other."""
    before = np.cumsum(lengths) - lengths
    return np.arange(lengths.sum()) + np.repeat(starts - before, lengths)


def _place_of(array: NDArray[Any], file: MappedFile | None) -> tuple[MappedFile, int] | None:
    """The file that `array` is mapped from and the byte at which it lies there; None if it lies in no file."""
    if file is not None:
        offset = file.offset_of(array)
        return None if offset is None else (file, offset)
    origin = _memory_map(array)
    if origin is None or origin.filename is None or origin.mode == "c" or not array.flags.c_contiguous:
        return None  # what was written to a copy is in no file
    if not os.path.exists(origin.filename):
        return None
    skipped = array.__array_interface__["data"][0] - origin.__array_interface__["data"][0]
    return MappedFile(origin.filename), origin.offset + skipped


def keep_stored(sequences: Sequences) -> Sequences:
    """Sequences of numbers in a large memory map as :class:`StoredSequences`; others as they are."""
    if type(sequences) is not Sequences or sequences.values.nbytes < LEFT_ON_DISK:
        return sequences
    values = sequences.values
    if values.dtype.kind not in "biuf" or not values.flags.c_contiguous or not is_memory_map(values):
        return sequences
    return StoredSequences.join([sequences])


def is_memory_map(array: NDArray[Any]) -> bool:
    """Whether an array shows a memory map, however many views lie between them."""
    base: Any = array
    while base is not None:
        if isinstance(base, (np.memmap, mmap.mmap)):
            return True
        base = base.obj if isinstance(base, memoryview) else getattr(base, "base", None)
    return False


def _memory_map(array: NDArray[Any]) -> np.memmap[Any, Any] | None:
    """The memory map that an array shows a part of: the one that begins where its offset into the file says."""
    base: Any = array
    found = None
    while isinstance(base, np.ndarray):
        found = base if isinstance(base, np.memmap) else found
        base = base.base
    return found
