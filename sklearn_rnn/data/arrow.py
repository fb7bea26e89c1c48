"""Arrow columns of lists, read without a copy, and Arrow or Parquet files, read in parts."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.stored import LEFT_ON_DISK, StoredSequences
from sklearn_rnn.exceptions import SequenceDataError

SUFFIXES = (".arrow", ".feather", ".ipc")
"""Of the files that can be mapped into memory and read where they are."""


def read_arrow(X: Any) -> Any:
    """An Arrow column of lists of numbers as a container that shares its memory; anything else as it is."""
    if not hasattr(X, "to_pylist") or not hasattr(X, "null_count"):
        return X
    chunks = sequences_from_arrow(X)
    return X if chunks is None else _joined(chunks)


def sequences_from_arrow(column: Any, *, copy_nulls: bool = False) -> list[Sequences] | None:
    """The chunks of an Arrow column whose rows are lists of numbers, or lists of rows of numbers.

    Parameters
    ----------
    column : pyarrow.Array or pyarrow.ChunkedArray
        Recognised by what it can do; pyarrow is not imported.
    copy_nulls : bool
        Whether numbers that are null may become NaN in a copy of the values.

    Returns
    -------
    chunks : list of Sequences, or None
        Values of shape (total_steps,) or (total_steps, n_features), which share Arrow's memory. None where rows are
        anything else, or a list is null.
    """
    pieces = [chunk for chunk in getattr(column, "chunks", [column]) if len(chunk)]
    chunks = [_from_chunk(chunk, copy_nulls) for chunk in pieces]
    return [chunk for chunk in chunks if chunk is not None] if chunks and None not in chunks else None


def _joined(chunks: list[Sequences]) -> Sequences:
    """One container of all `chunks`: in one array, or where that is large with the values left where they are."""
    if sum(chunk.values.nbytes for chunk in chunks) >= LEFT_ON_DISK:
        return StoredSequences.join(chunks)
    if len(chunks) == 1:
        return chunks[0]
    lengths = np.concatenate([chunk.lengths for chunk in chunks])
    return Sequences(np.concatenate([chunk.values for chunk in chunks]), np.concatenate([[0], np.cumsum(lengths)]))


def open_arrow(path: Path, column: str | None) -> StoredSequences:
    """The sequences of a list column of an Arrow file that is not compressed, left in the file.

    Raises
    ------
    SequenceDataError
        If the file is compressed, or the column is missing or is not of lists of numbers.
    """
    source = _pyarrow("lib").memory_map(str(path))
    with _pyarrow("ipc").open_file(source) as reader:
        table = reader.read_all()
    name = _only_column(table.column_names, column, path)
    chunks = sequences_from_arrow(table[name])
    advice = f"save_sequences(folder, {str(path)!r}, column={name!r}) stores it in another form"
    if chunks is None:
        raise SequenceDataError(
            f"The column {name!r} of {str(path)!r} has the type {table[name].type}, or holds nulls: wanted lists of "
            f"numbers without nulls. If it is lists with nulls among the numbers, {advice}"
        )
    source.seek(0)
    whole = source.read_buffer(source.size())
    for chunk in chunks:
        place = chunk.values.__array_interface__["data"][0]
        if chunk.values.nbytes and not whole.address <= place < whole.address + whole.size:
            raise SequenceDataError(
                f"{str(path)!r} is compressed, so that it cannot be read where it is: write it with "
                f"compression='uncompressed', or {advice}"
            )
    return StoredSequences.join(chunks)


def read_parts(path: Path, columns: list[str] | None, n_rows: int) -> Iterator[Sequences]:
    """The sequences of a Parquet or Arrow file, or of a folder of them, `n_rows` or fewer at a time.

    Several `columns` become as many features, in their order. Numbers that are null become NaN.
    """
    form = "feather" if path.suffix in SUFFIXES else "parquet"
    dataset = _pyarrow("dataset").dataset(path, format=form)
    names = [_only_column(dataset.schema.names, None, path)] if columns is None else columns
    for name in names:
        _only_column(dataset.schema.names, name, path)
    batches = dataset.to_batches(columns=names, batch_size=n_rows, batch_readahead=1, fragment_readahead=1)
    first = 0
    for batch in batches:
        if batch.num_rows:
            yield _side_by_side(batch, names, path, first)
            first += batch.num_rows


def _side_by_side(batch: Any, names: list[str], path: Path, first: int) -> Sequences:
    """The columns `names` of one batch as features; `first` is the number of its first row."""
    parts: list[Sequences] = []
    for name in names:
        chunks = sequences_from_arrow(batch.column(name), copy_nulls=True)
        if chunks is None:
            raise SequenceDataError(
                f"The column {name!r} of {str(path)!r} has the type {batch.column(name).type}, or a row without a list "
                f"among rows {first} to {first + batch.num_rows - 1}: wanted a list of numbers in each row"
            )
        parts.append(chunks[0])
        if not np.array_equal(parts[0].offsets, parts[-1].offsets):
            row = int(np.argmax(parts[0].lengths != parts[-1].lengths))
            raise SequenceDataError(
                f"Row {first + row} of {str(path)!r} has lists of unequal length: {parts[0].lengths[row]} in "
                f"{names[0]!r}, {parts[-1].lengths[row]} in {name!r}"
            )
    if len(parts) == 1:
        return parts[0]
    blocks = [part.values.reshape(len(part.values), -1) for part in parts]
    single = all(block.shape[1] == 1 for block in blocks)
    return parts[0].with_values(np.concatenate(blocks, axis=1), feature_names=names if single else None)


def _from_chunk(chunk: Any, copy_nulls: bool) -> Sequences | None:
    """One Arrow array of lists; None if it is anything else."""
    if chunk.null_count or not hasattr(chunk, "values"):
        return None
    size = getattr(chunk.type, "list_size", None)
    if size is not None:
        offsets = (np.arange(len(chunk) + 1) + chunk.offset) * size
    elif hasattr(chunk, "offsets") and len(chunk.offsets) == len(chunk) + 1:
        offsets = np.asarray(chunk.offsets).astype(np.int64)
    else:  # views of lists, whose order is free
        return None
    values = _numbers(chunk.values, copy_nulls)
    return None if values is None else Sequences(values[offsets[0] : offsets[-1]], offsets - offsets[0])


def _numbers(values: Any, copy_nulls: bool) -> NDArray[Any] | None:
    """Arrow numbers (total_steps,), or lists of one size (total_steps, n_features) of them, as an array."""
    if hasattr(values.type, "list_size"):
        if values.null_count:
            return None
        flat = _numbers(values.values, copy_nulls)
        if flat is None or flat.ndim != 1 or values.type.list_size == 0:
            return None
        return flat.reshape(-1, values.type.list_size)[values.offset : values.offset + len(values)]
    if values.null_count and not copy_nulls:
        return None
    try:
        array: NDArray[Any] = values.to_numpy(zero_copy_only=not values.null_count)
    except (ValueError, NotImplementedError):  # booleans are bits, strings are not numbers; both as pyarrow says it
        return None
    return array if array.dtype.kind in "iuf" else None


def _only_column(names: list[str], column: str | None, path: Path) -> str:
    """`column`, if it is among `names`, or the one name that there is."""
    if column is None and len(names) == 1:
        return names[0]
    if column is None:
        raise SequenceDataError(f"{str(path)!r} has the columns {names}: say in `column` which holds the sequences")
    if column not in names:
        raise SequenceDataError(f"column={column!r} is no column of {str(path)!r}, which has {names}")
    return column


def _pyarrow(part: str) -> Any:
    """A module of pyarrow, which is not among the dependencies."""
    try:
        return import_module(f"pyarrow.{part}")
    except ImportError as error:
        raise ImportError("Arrow and Parquet files are read by pyarrow: pip install pyarrow") from error
