"""Arrow files that are mapped into memory, and Arrow and Parquet files that are read in parts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn.data.arrow import of_one_width, sequences_of
from sklearn_rnn.data.formats import is_text
from sklearn_rnn.data.mapped_file import MAGIC, MappedFile
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.stored import StoredSequences
from sklearn_rnn.exceptions import SequenceDataError

NOTES = b"sklearn_rnn"
"""The key of what a schema says of stored sequences: JSON with their type, the names of their features and a mark."""

VALUES, IDS = "sequence", "id"
"""The columns of a file of stored sequences."""

OTHER_FILES = {b"PAR1": "a Parquet file", b"FEA1": "a file of the first version of Feather"}


def open_arrow(path: Path, column: str | None) -> Sequences:
    """The sequences of a list column of an Arrow file that is not compressed: numbers left in it, strings read.

    Raises
    ------
    SequenceDataError
        If the file is cut off, damaged, compressed or none of Arrow, or the column is missing or is not of lists.
    """
    file = MappedFile(path)
    _check_magic(file)
    with _damage_explained(file.path):
        reader = pyarrow("ipc").open_file(pyarrow("lib").py_buffer(file.content))
        notes = read_notes(reader.schema)
        file.unique = "mark" in notes
        name = _only_column(reader.schema.names, VALUES if notes and column is None else column, path)
        chunks = _left_in_file(reader, name, file)
        ids = _ids_of(reader) if notes and IDS in reader.schema.names else None
    if chunks[0].values.dtype == object:
        lengths = np.concatenate([chunk.lengths for chunk in chunks])
        tokens = np.concatenate([chunk.values for chunk in chunks])
        return Sequences(tokens, np.concatenate([[0], np.cumsum(lengths)]), ids=ids)
    if notes.get("dtype") == "bool" and all(chunk.values.dtype == np.uint8 for chunk in chunks):
        chunks = [chunk.with_values(chunk.values.view(bool)) for chunk in chunks]
    sequences = StoredSequences.join(chunks, file=file)
    sequences.ids, sequences.feature_names = ids, _feature_names(notes, sequences)
    return sequences


def read_notes(schema: Any) -> dict[str, Any]:
    """What the schema of a file of stored sequences says of them; nothing of other files."""
    notes: dict[str, Any] = json.loads((schema.metadata or {}).get(NOTES, b"{}"))
    return dict(notes)


def _feature_names(notes: dict[str, Any], sequences: Sequences) -> list[str] | None:
    """The names of features that a schema has, if they are as many as there are features."""
    names = notes.get("feature_names")
    return names if isinstance(names, list) and len(names) == sequences.n_features else None


def is_stored(path: Path) -> bool:
    """Whether a file is one of stored sequences."""
    if not path.is_file() or path.stat().st_size < 16:
        return False
    file = MappedFile(path)
    if file.content[: len(MAGIC)].tobytes() != MAGIC:
        return False
    with _damage_explained(file.path):
        return bool(read_notes(pyarrow("ipc").open_file(pyarrow("lib").py_buffer(file.content)).schema))


def read_parts(path: Path, columns: list[str] | None, n_rows: int) -> Iterator[tuple[str, Sequences]]:
    """The sequences of a Parquet or Arrow file, or of a folder of Parquet files, `n_rows` or fewer at a time.

    Several `columns` become as many features, in their order. Numbers that are null become NaN. With each part goes
    what to call it in errors.
    """
    if not path.exists():
        raise FileNotFoundError(f"X={str(path)!r} is the path of no file and no folder")
    first = 0
    with _damage_explained(str(path)):
        dataset = pyarrow("dataset").dataset(path, format=_format_of(path))
        names = [_only_column(dataset.schema.names, None, path)] if columns is None else columns
        for name in names:
            _only_column(dataset.schema.names, name, path)
        for batch in dataset.to_batches(columns=names, batch_size=n_rows, batch_readahead=1, fragment_readahead=1):
            if batch.num_rows:
                place = f"rows {first} to {first + batch.num_rows - 1} of {str(path)!r}"
                yield place, _side_by_side(batch, names, place)
                first += batch.num_rows


def pyarrow(part: str) -> Any:
    """A module of pyarrow, which is not among the dependencies."""
    try:
        return import_module(f"pyarrow.{part}")
    except ImportError as error:
        raise ImportError(
            "Arrow and Parquet files are written and read by pyarrow, which is not installed: pip install "
            "'sklearn-rnn[arrow]'"
        ) from error


def _check_magic(file: MappedFile) -> None:
    """Raise unless a file begins and ends as Arrow files do."""
    start, end = (part.tobytes() for part in (file.content[: len(MAGIC)], file.content[-len(MAGIC) :]))
    if start != MAGIC:
        what = OTHER_FILES.get(start[:4], "no Arrow file (IPC, Feather)")
        raise SequenceDataError(
            f"{file.path!r} is {what}, which cannot be read where it is. If pyarrow can read it, convert it: "
            f"save_sequences('x.arrow', {file.path!r}, column=...)"
        )
    if end != MAGIC or file.size < 4 * len(MAGIC):
        raise SequenceDataError(f"{file.path!r} is an Arrow file that is cut off: write it again, or get it again")


@contextmanager
def _damage_explained(path: str) -> Iterator[None]:
    """Say which file it was that pyarrow could not make sense of."""
    try:
        yield
    except (SequenceDataError, ImportError, FileNotFoundError, PermissionError):
        raise
    except (pyarrow("lib").ArrowException, OSError, ValueError, KeyError, AttributeError, OverflowError) as error:
        raise SequenceDataError(
            f"{path!r} is damaged, or is of a kind that pyarrow does not read ({str(error)[:200]}): write it again, or "
            f"get it again"
        ) from error


def _arrays(reader: Any, name: str) -> Iterator[Any]:
    """A column of an Arrow file, one batch after the other."""
    place = reader.schema.names.index(name)
    return (reader.get_batch(i).column(place) for i in range(reader.num_record_batches))


def _ids_of(reader: Any) -> NDArray[Any]:
    column = pyarrow("lib").chunked_array(list(_arrays(reader, IDS)))
    column.validate(full=True)  # pyarrow reads past the ends of what is damaged
    ids: NDArray[Any] = column.to_numpy()
    return ids


def _left_in_file(reader: Any, name: str, file: MappedFile) -> list[Sequences]:
    """The chunks of a column of lists: of numbers, which show the bytes of the file, or of strings."""
    kind = reader.schema.field(name).type
    chunks: list[Sequences] = []
    for array in _arrays(reader, name):
        if len(array):
            chunks += [_mapped(chunk, file, name, kind) for chunk in sequences_of([array], name=f"column {name!r}")]
            if not chunks:
                raise SequenceDataError(
                    f"The column {name!r} of {file.path!r} has the type {kind}: wanted lists of numbers, of rows of "
                    f"numbers, or of strings"
                )
    if not chunks:
        raise SequenceDataError(f"{file.path!r} is empty: found 0 sequences, a minimum of 1 is required")
    return of_one_width(chunks, name=f"column {name!r}")


def _mapped(chunk: Sequences, file: MappedFile, name: str, kind: Any) -> Sequences:
    """`chunk` with its numbers where they are in the file, or with its strings."""
    values = chunk.values
    if values.dtype == object:
        return chunk
    if not values.nbytes:
        return chunk.with_values(file.array(0, values.dtype, values.shape))
    offset = file.offset_of(values)
    if offset is None or values.dtype.kind not in "iuf":
        raise SequenceDataError(
            f"{file.path!r} cannot be read where it is: it is compressed, or its column {name!r} of the type {kind} "
            f"holds nulls or bits. Write it with compression='uncompressed', or let save_sequences('x.arrow', "
            f"{file.path!r}, column={name!r}) store it in another form"
        )
    return chunk.with_values(file.array(offset, values.dtype, values.shape))


def _format_of(path: Path) -> str:
    """What pyarrow calls the format of a file, which its first bytes tell; a folder is one of Parquet files."""
    if path.is_dir():
        return "parquet"
    with path.open("rb") as file:
        start = file.read(len(MAGIC))
    if start != MAGIC and start[:4] != b"PAR1":
        raise SequenceDataError(f"X={str(path)!r} is no Arrow file (IPC, Feather) and no Parquet file")
    return "feather" if start == MAGIC else "parquet"


def _side_by_side(batch: Any, names: list[str], place: str) -> Sequences:
    """The columns `names` of one batch as features; `place` says where it comes from."""
    parts: list[Sequences] = []
    for name in names:
        chunks = sequences_of([batch.column(name)], name=f"column {name!r}, {place},")
        if not chunks:
            raise SequenceDataError(
                f"The column {name!r} has the type {batch.column(name).type} in {place}: wanted a list of numbers, or "
                f"of strings, in each row"
            )
        parts.append(chunks[0])
        if not np.array_equal(parts[0].offsets, parts[-1].offsets):
            row = int(np.argmax(parts[0].lengths != parts[-1].lengths))
            raise SequenceDataError(
                f"Lists of one row differ in their length, row {row} of {place}: {parts[0].lengths[row]} in "
                f"{names[0]!r}, {parts[-1].lengths[row]} in {name!r}"
            )
    if len(parts) == 1:
        return parts[0]
    blocks = [part.values.reshape(len(part.values), -1) for part in parts]
    if any(is_text(block.reshape(-1)[:1]) for block in blocks):
        raise SequenceDataError(f"The columns {names!r} hold strings, and several columns are features: wanted numbers")
    single = all(block.shape[1] == 1 for block in blocks)
    return parts[0].with_values(np.concatenate(blocks, axis=1), feature_names=names if single else None)


def _only_column(names: list[str], column: str | None, path: Path) -> str:
    """`column`, if it is among `names`, or the one name that there is."""
    if column is None and len(names) == 1:
        return names[0]
    if column is None:
        raise SequenceDataError(f"{str(path)!r} has the columns {names}: say in `column` which holds the sequences")
    if names.count(column) != 1:
        raise SequenceDataError(f"column={column!r} is no column of {str(path)!r}, which has {names}")
    return column
