"""Sequences that do not fit in memory: written to a folder part by part, and opened without being read."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import DTypeLike, NDArray

from sklearn_rnn.data.arrow import SUFFIXES, open_arrow, read_parts
from sklearn_rnn.data.formats import as_sequences
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.stored import StoredSequences, keep_stored
from sklearn_rnn.exceptions import SequenceDataError

VALUES, OFFSETS, IDS, NOTES = "values.npy", "offsets.npy", "ids.npy", "sequences.json"


def save_sequences(
    path: str | os.PathLike[str],
    X: Any,
    *,
    column: str | list[str] | None = None,
    dtype: DTypeLike | None = None,
    overwrite: bool = False,
) -> StoredSequences:
    """Store sequences of numbers in a folder, from which estimators read them batch by batch.

    Parameters
    ----------
    path : str or path
        The folder, made if it is not there. It holds ``values.npy`` of shape (total_steps, n_features) or
        (total_steps,), and ``offsets.npy`` of shape (n_sequences + 1,), which ``numpy.load`` reads too.
    X : sequences in any supported format, an iterator over parts of them, or the path of a file
        An iterator, such as a generator, yields one part after the other, and only one is in memory at a time. A path
        is that of a Parquet or Arrow file, or of a folder of Parquet files, with a row for each sequence; it is read
        in parts, and needs pyarrow.
    column : str or list of str, optional
        Of a file, the column whose rows are lists: of numbers, or of rows of numbers. Several columns become features
        in this order.
    dtype : dtype, optional
        The type to store; that of the first part by default. ``"float32"`` is what estimators compute in.
    overwrite : bool, default=False
        Whether to replace sequences that the folder holds already.

    Returns
    -------
    sequences : StoredSequences
        As :func:`open_sequences` opens them.

    Raises
    ------
    FileExistsError
        If the folder holds sequences, and `overwrite` is False.
    SequenceDataError
        If X holds no numbers, or its parts differ in their features.

    See Also
    --------
    open_sequences : Opens what was stored.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from sklearn_rnn import open_sequences, save_sequences
    >>> rng = np.random.default_rng(0)
    >>> parts = (rng.normal(size=(100, 20, 3)) for _ in range(5))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     stored = save_sequences(folder, parts, dtype="float32")
    ...     print(stored, stored.dtype, len(open_sequences(folder)))
    ...     del stored
    StoredSequences(n_sequences=500, n_features=3, lengths 20 to 20) float32 500
    """
    folder = Path(path)
    if not overwrite and (folder / OFFSETS).exists():
        raise FileExistsError(
            f"path={str(folder)!r} holds sequences already: choose another folder, or set overwrite=True"
        )
    folder.mkdir(parents=True, exist_ok=True)
    for name in (OFFSETS, IDS, NOTES, VALUES):  # what is mapped from an old file stays with who has it open
        (folder / name).unlink(missing_ok=True)
    lengths: list[NDArray[np.int64]] = []
    ids: list[NDArray[Any] | None] = []
    with (folder / VALUES).open("wb") as file:
        writer = _Writer(file, dtype)
        for part in _parts(X, column):
            writer.write(part)
            lengths.append(part.lengths)
            ids.append(part.ids)
        writer.finish()
    if not any(column is None for column in ids):
        np.save(folder / IDS, _plain_ids(np.concatenate([column for column in ids if column is not None])))
    (folder / NOTES).write_text(json.dumps({"feature_names": writer.feature_names}))
    np.save(folder / OFFSETS, np.concatenate([[0], np.cumsum(np.concatenate(lengths))]))  # the last: all else is there
    return open_sequences(folder)


def open_sequences(path: str | os.PathLike[str], *, column: str | None = None) -> StoredSequences:
    """Open stored sequences without reading them.

    Parameters
    ----------
    path : str or path
        A folder that :func:`save_sequences` wrote, or an Arrow file (Feather, IPC) that is not compressed. Parquet is
        compressed and encoded: :func:`save_sequences` converts it.
    column : str, optional
        Of an Arrow file, the column whose rows are lists of numbers; needed if there is more than one.

    Returns
    -------
    sequences : StoredSequences
        X for ``fit``, ``predict`` and cross-validation. A subset is a list of places in the files; a batch is read when
        it is due.

    Raises
    ------
    FileNotFoundError
        If there is nothing at `path`, or what was to be stored there was not finished.
    SequenceDataError
        If the Arrow file is compressed, or its column holds no lists of numbers.

    See Also
    --------
    save_sequences : Stores sequences.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn_rnn import open_sequences, save_sequences
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = save_sequences(folder, [[0.5, 1.5], [2.5]])
    ...     X = open_sequences(folder)
    ...     print(X, X[0])
    ...     del X
    StoredSequences(n_sequences=2, n_features=1, lengths 1 to 2) [0.5 1.5]
    """
    place = Path(path)
    if place.is_file():
        if place.suffix not in SUFFIXES:
            raise SequenceDataError(
                f"path={str(place)!r} is a file that cannot be read where it is (wanted {', '.join(SUFFIXES)}, or a "
                f"folder of save_sequences): convert it, save_sequences(folder, {str(place)!r}, column=...)"
            )
        return open_arrow(place, column)
    if not (place / OFFSETS).exists():
        raise FileNotFoundError(
            f"path={str(place)!r} holds no sequences ({OFFSETS} is not there): store them with save_sequences"
        )
    if column is not None:
        raise ValueError(f"column={column!r} concerns Arrow files, path={str(place)!r} is a folder of save_sequences")
    offsets = np.load(place / OFFSETS)
    return StoredSequences(
        [np.asarray(np.load(place / VALUES, mmap_mode="r"))],
        offsets[:-1],
        np.diff(offsets),
        ids=np.load(place / IDS) if (place / IDS).exists() else None,
        feature_names=json.loads((place / NOTES).read_text())["feature_names"],
    )


class _Writer:
    """Writes an array of unknown length in NumPy's format, whose header has room for a growing first axis."""

    def __init__(self, file: BinaryIO, dtype: DTypeLike | None) -> None:
        self.file = file
        self.dtype = None if dtype is None else np.dtype(dtype)
        self.shape: tuple[int, ...] | None = None
        self.feature_names: list[str] | None = None
        self.n_rows = 0

    def write(self, part: Sequences) -> None:
        """Append the values of `part`."""
        values = part.values
        if values.dtype.kind not in "biuf":
            raise SequenceDataError(f"X holds values of dtype {values.dtype}, and only numbers can be stored")
        if self.shape is None:
            self.dtype = self.dtype or values.dtype
            self.shape, self.feature_names = values.shape[1:], part.feature_names
            self._write_header()
        if values.shape[1:] != self.shape or part.feature_names != self.feature_names:
            raise SequenceDataError(
                f"The parts of X differ: the first has steps of shape {self.shape} and the features "
                f"{self.feature_names}, another has {values.shape[1:]} and {part.feature_names}"
            )
        self.file.write(np.ascontiguousarray(values.astype(self.dtype, copy=False)).data)
        self.n_rows += len(values)

    def finish(self) -> None:
        """Write the header anew, with the number of rows."""
        if self.shape is None:
            raise SequenceDataError("X is empty: found 0 sequences, a minimum of 1 is required")
        self.file.seek(0)
        self._write_header()

    def _write_header(self) -> None:
        assert self.dtype is not None
        assert self.shape is not None
        header = {
            "descr": np.lib.format.dtype_to_descr(self.dtype),
            "fortran_order": False,
            "shape": (self.n_rows, *self.shape),
        }
        np.lib.format.write_array_header_1_0(self.file, header)


def _parts(X: Any, column: str | list[str] | None) -> Iterator[Sequences]:
    """X as containers that fit into memory, one after the other."""
    if isinstance(X, (str, os.PathLike)):
        columns = [column] if isinstance(column, str) else column
        yield from _non_empty(read_parts(Path(X), columns, n_rows=1024))
        return
    if column is not None:
        raise ValueError(f"column={column!r} concerns files, and X is of the type {type(X).__name__}")
    for given in X if isinstance(X, Iterator) else [X]:
        sequences = keep_stored(as_sequences(given))
        if isinstance(sequences, StoredSequences):
            yield from (part for _, part in sequences.blocks())
        else:
            yield sequences


def _non_empty(parts: Iterable[Sequences]) -> Iterator[Sequences]:
    yield from (part for part in parts if len(part))


def _plain_ids(ids: NDArray[Any]) -> NDArray[Any]:
    """Ids (n_sequences,) of a type that a file holds without pickling."""
    plain = np.array(ids.tolist())
    if plain.dtype == object or plain.ndim != 1:
        raise SequenceDataError(
            f"ids such as {ids[0]!r} cannot be stored: wanted numbers or strings alone. Store the sequences without "
            f"them, Sequences(X.values, X.offsets)"
        )
    return plain
