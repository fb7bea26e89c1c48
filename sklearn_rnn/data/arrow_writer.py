"""Writing sequences to an Arrow file, of which no more than a few parts are in memory at a time."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from sklearn_rnn.data.arrow_files import IDS, NOTES, VALUES, pyarrow
from sklearn_rnn.data.formats import check_tokens, is_text, locate
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.exceptions import SequenceDataError

BATCH = 2**22
"""Bytes of parts that are gathered before they are written, so that many small parts make few chunks."""


@contextmanager
def written_beside(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """The name of a file to write, which replaces `path` when it is whole, and is deleted if it fails."""
    _check_absent(path, overwrite)
    partial = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())  # or else a loss of power may leave the new name with no content
        _check_absent(path, overwrite)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _check_absent(path: Path, overwrite: bool) -> None:
    if not overwrite and path.exists():
        raise FileExistsError(f"path={str(path)!r} is there already: choose another name, or set overwrite=True")


class ArrowWriter:
    """Writes parts of sequences, which must be of one kind, into the batches of one Arrow file.

    Parameters
    ----------
    path : Path
        Of a file that is not there.
    dtype : dtype or None
        Of numbers; None for that of the first part that has steps.
    """

    def __init__(self, path: Path, dtype: DTypeLike | None) -> None:
        self.path = path
        self.dtype = None if dtype is None else _number_type(dtype)
        self.kind: _Kind | None = None
        self.id_type: Any = None
        self.schema: Any = None
        self.waiting: list[Sequences] = []
        self.waiting_ids: list[Any] = []
        self.n_bytes, self.n_written = 0, 0
        self.file: Any = None
        self.writer: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            if self.file is not None:
                self.file.close()

    def write(self, part: Sequences, place: str) -> None:
        """Append `part`, which errors call `place`."""
        if not len(part):
            return
        ids = None if part.ids is None else _arrow_ids(part.ids, place)
        id_type = None if ids is None else ids.type
        if self.n_written + len(self.waiting) == 0:
            self.id_type = id_type
        elif id_type != self.id_type:
            raise SequenceDataError(
                f"The parts of X differ: {place} has {_ids_shown(id_type)}, those before {_ids_shown(self.id_type)}. "
                f"Give all of them ids of one type, or none"
            )
        if len(part.values):
            part = _typed(part, self.dtype, place)
            kind = _Kind(place, part.values.dtype, part.values.shape[1:], part.feature_names)
            self.kind = self.kind or kind
            self.kind.check_same(kind)
        size = part.values.nbytes + part.offsets.nbytes
        if size < BATCH:  # it may have to wait, while who gave it writes the next one into the same memory
            part = Sequences(part.values.copy(), part.offsets.copy(), feature_names=part.feature_names)
        self.waiting.append(part)
        self.waiting_ids.append(ids)
        self.n_bytes += size
        if self.kind and self.n_bytes >= BATCH:
            self._flush()

    def _finish(self) -> None:
        if self.waiting:
            self.kind = self.kind or self._kind_without_steps()
            self._flush()
        if self.writer is None:
            raise SequenceDataError("X is empty: found 0 sequences, a minimum of 1 is required")
        self.writer.close()

    def _kind_without_steps(self) -> _Kind:
        """What there is to know of parts of which none has a step."""
        values = self.waiting[0].values
        own = values.dtype.newbyteorder("=") if values.dtype.kind in "biuf" else np.dtype(np.float64)
        return _Kind("X", self.dtype or own, values.shape[1:], self.waiting[0].feature_names)

    def _flush(self) -> None:
        """Write the parts that are waiting as one batch."""
        assert self.kind is not None
        lib, ipc = pyarrow("lib"), pyarrow("ipc")
        if self.writer is None:
            self.schema = self.kind.schema(self.id_type)
            self.file = lib.OSFile(str(self.path), "wb")
            self.writer = ipc.new_file(self.file, self.schema, options=ipc.IpcWriteOptions(compression=None))
        columns = [_lists(self.waiting, self.schema.field(VALUES).type, self.kind)]
        if self.id_type is not None:
            columns.append(lib.concat_arrays(self.waiting_ids))
        self.writer.write_batch(lib.RecordBatch.from_arrays(columns, schema=self.schema))
        self.n_written += len(self.waiting)
        self.waiting, self.waiting_ids, self.n_bytes = [], [], 0


@dataclass(frozen=True)
class _Kind:
    """What all parts with steps have in common.

    Attributes
    ----------
    place : str
        What errors call the first of them.
    dtype : numpy.dtype
        Of numbers; object for strings.
    shape : tuple of int
        Of a step: () or (n_features,).
    feature_names : list of str, optional
    """

    place: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    feature_names: list[str] | None

    def check_same(self, other: _Kind) -> None:
        """Raise unless `other` may stand in one file with this one."""
        texts = [kind.dtype == object for kind in (self, other)]
        if any(texts) and not all(texts):
            first, second = ("strings" if text else "numbers" for text in texts)
            raise SequenceDataError(
                f"The parts of X differ: {other.place} holds {second}, {self.place} {first}. Store them in files of "
                f"their own"
            )
        if self.dtype != other.dtype:
            raise SequenceDataError(
                f"The parts of X differ: {other.place} holds numbers of type {other.dtype}, {self.place} of type "
                f"{self.dtype}. Name a type for all, dtype={np.result_type(self.dtype, other.dtype).name!r}"
            )
        if self.shape != other.shape:
            raise SequenceDataError(
                f"The parts of X differ: {other.place} has steps of shape {other.shape}, {self.place} of shape "
                f"{self.shape}. Give all of them the same number of features"
            )
        if self.feature_names != other.feature_names:
            raise SequenceDataError(
                f"The parts of X differ: {other.place} has the features {other.feature_names}, {self.place} "
                f"{self.feature_names}. Give all of them the same names in the same order"
            )

    def schema(self, id_type: Any) -> Any:
        """The schema of a file, with a mark that no other file has."""
        lib = pyarrow("lib")
        if self.dtype == object:
            step = lib.large_string()
        else:
            step = lib.from_numpy_dtype(np.dtype(np.uint8) if self.dtype == bool else self.dtype)  # Arrow has bits
        if self.shape:
            step = lib.list_(lib.field("item", step, nullable=False), self.shape[0])
        fields = [lib.field(VALUES, lib.large_list(lib.field("item", step, nullable=False)), nullable=False)]
        if id_type is not None:
            fields.append(lib.field(IDS, id_type, nullable=False))
        dtype = "str" if self.dtype == object else self.dtype.name
        notes = {"dtype": dtype, "feature_names": self.feature_names, "mark": secrets.token_hex(16)}
        return lib.schema(fields, metadata={NOTES: json.dumps(notes)})


def _typed(part: Sequences, dtype: np.dtype[Any] | None, place: str) -> Sequences:
    """`part` with strings as objects (total_steps,), or with numbers of `dtype`, or else of their own type."""
    values = part.values
    if is_text(values.reshape(-1)[:1]):
        if values.ndim == 2 and values.shape[1] != 1:
            raise SequenceDataError(
                f"One token a step can be stored, and {place} holds {values.shape[1]} strings a step"
            )
        if dtype is not None:
            raise SequenceDataError(f"dtype={dtype.name!r} is for numbers, and {place} holds strings")
        tokens = part.with_values(values.reshape(-1).astype(object))
        check_tokens(tokens, place)
        return tokens
    if values.dtype.kind not in "biuf" or values.dtype.char == "g":
        raise SequenceDataError(
            f"Only numbers (integers, floats, bool) and strings can be stored, and {place} holds values of dtype "
            f"{values.dtype}: convert them first, for example to float32"
        )
    if values.ndim == 2 and values.shape[1] == 0:
        raise SequenceDataError(f"A step needs a feature to be stored, and {place} has 0 feature(s) a step")
    cast = _cast(part, dtype or values.dtype.newbyteorder("="), place)
    return part.with_values(np.ascontiguousarray(cast), feature_names=part.feature_names)


def _cast(part: Sequences, dtype: np.dtype[Any], place: str) -> NDArray[Any]:
    """The numbers of `part` as `dtype`: rounded if that is a float, else unchanged, or an error that names one."""
    values = part.values
    if values.dtype == dtype:
        return values
    with np.errstate(all="ignore"):
        cast = values.astype(dtype)
    lost = np.isinf(cast) & np.isfinite(values) if dtype.kind == "f" else cast != values
    if lost.any():
        where = tuple(int(k) for k in np.argwhere(lost)[0])
        sequence, step = locate(part, where[0])
        raise SequenceDataError(
            f"dtype={dtype.name!r} cannot hold {values[where].item()!r}, which {place} has in step {step} of its "
            f"sequence {sequence}: choose a wider type"
        )
    return cast


def _number_type(dtype: DTypeLike) -> np.dtype[Any]:
    """`dtype`, if it is a type of numbers that Arrow has."""
    try:
        wanted = np.dtype(dtype).newbyteorder("=")
    except TypeError:
        wanted = np.dtype(object)
    if wanted.kind not in "biuf" or wanted.char == "g":
        raise ValueError(
            f"dtype={dtype!r} is no type of numbers to store: wanted integers, floats or bool, as 'float32'"
        )
    return wanted


def _lists(parts: list[Sequences], kind: Any, wanted: _Kind) -> Any:
    """The sequences of all `parts` as an Arrow array of type `kind`."""
    lib = pyarrow("lib")
    values = [part.values for part in parts if len(part.values)]
    if len(values) == 1:
        flat = values[0]
    else:
        flat = np.concatenate(values) if values else np.empty((0, *wanted.shape), dtype=wanted.dtype)
    flat = flat.view(np.uint8) if wanted.dtype == bool else flat
    steps = lib.array(flat.reshape(-1), type=kind.value_type.value_type if wanted.shape else kind.value_type)
    if wanted.shape:
        steps = lib.FixedSizeListArray.from_arrays(steps, type=kind.value_type)
    offsets = np.concatenate([[0], np.cumsum(np.concatenate([part.lengths for part in parts]))])
    return lib.LargeListArray.from_arrays(lib.array(offsets), steps, type=kind)


def _arrow_ids(ids: NDArray[Any], place: str) -> Any:
    """Ids (n_sequences,) as an Arrow array, if they are all numbers, all strings or all times."""
    lib = pyarrow("lib")
    items = ids.tolist()
    plain = np.array(items) if ids.dtype == object and ids.ndim == 1 else ids
    texts = {isinstance(item, str) for item in items}
    if plain.ndim != 1 or plain.dtype.kind not in "biufUTM" or len(texts) > 1:
        raise SequenceDataError(
            f"ids such as {items[0]!r:.60} in {place} cannot be stored: wanted numbers or strings alone. Store the "
            f"sequences without them, Sequences(X.values, X.offsets)"
        )
    if True in texts:
        return lib.array(items, type=lib.large_string())
    try:
        return lib.array(plain.copy())  # Arrow shares the memory of numbers
    except (lib.ArrowException, TypeError, ValueError) as error:
        raise SequenceDataError(f"ids of dtype {plain.dtype} in {place} cannot be stored: {error}") from error


def _ids_shown(id_type: Any) -> str:
    return "no ids" if id_type is None else f"ids of type {id_type}"
