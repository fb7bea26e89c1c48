"""Arrow columns and tables of lists as containers that share their memory; pyarrow is imported by none but its user."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn.data.aligned import AlignedSequences
from sklearn_rnn.data.formats import as_sequences, check_columns_differ, check_tokens, locate
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.stored import LEFT_ON_DISK, StoredSequences
from sklearn_rnn.exceptions import SequenceDataError

LISTS = {"ListType", "LargeListType", "FixedSizeListType", "ListViewType", "LargeListViewType"}


def read_arrow(X: Any, *, name: str = "X") -> Any:
    """What an Arrow column or table holds, or a dict or list of them; anything else as it is.

    Parameters
    ----------
    X : pyarrow.Array, ChunkedArray, Table or RecordBatch, a dict or list of these, or anything else
    name : str
        What to call X in errors.

    Returns
    -------
    X : Sequences, AlignedSequences, dict, list or the X that was given
        Lists of numbers, of rows of numbers or of strings are sequences, several columns of them several inputs.
        Numbers that are null are NaN, and so is every number of a row that is null. Other columns are lists of Python
        objects, and a table without lists stays one.

    Raises
    ------
    SequenceDataError
        If a list is null, rows differ in their length, offsets point elsewhere, or a table mixes lists with others.
    """
    if isinstance(X, Mapping) and any(map(_is_arrow, X.values())):
        return {key: read_arrow(value, name=f"{name}[{key!r}]") for key, value in X.items()}
    if not _is_arrow(X):
        return _plain_items(X)
    if hasattr(X, "schema") and hasattr(X, "to_pydict"):
        return _read_table(X, name)
    if hasattr(X, "to_pylist") and hasattr(X, "null_count"):
        return read_column(X, name=name)
    return X


def read_arrow_targets(y: Any, *, name: str = "y") -> Any:
    """A table of one column of lists as that column, and lists of rows as a container; anything else as it is.

    Lists of numbers or labels stay lists: whether they belong to steps is for others to say.
    """
    if not _is_arrow(y):
        return _plain_items(y)
    if hasattr(y, "schema") and any(is_list(_storage_type(kind)) for kind in y.schema.types):
        if len(y.schema.types) > 1:
            raise SequenceDataError(
                f"{name} has the columns {y.schema.names}, of which some hold lists: wanted one column, with a value "
                f"or a row of values for each step, or columns of single values"
            )
        y = y.column(0)
    kind: Any = getattr(y, "type", None)
    rows = hasattr(kind, "shape") or (is_list(kind) and is_list(_storage_type(kind.value_type)))
    return read_column(y, name=name) if rows else y


def read_column(column: Any, *, name: str) -> Sequences | list[Any]:
    """An Arrow column as one container, or what is no list of numbers or strings as a list of Python objects."""
    chunks = sequences_of(getattr(column, "chunks", [column]), name=name)
    if not chunks:
        items: list[Any] = column.to_pylist()
        return items
    if sum(chunk.values.nbytes for chunk in chunks) >= LEFT_ON_DISK and chunks[0].values.dtype != object:
        return StoredSequences.join(chunks)
    if len(chunks) == 1:
        return chunks[0]
    lengths = np.concatenate([chunk.lengths for chunk in chunks])
    return Sequences(np.concatenate([chunk.values for chunk in chunks]), np.concatenate([[0], np.cumsum(lengths)]))


def sequences_of(arrays: Iterable[Any], *, name: str) -> list[Sequences]:
    """The chunks of an Arrow column whose rows are lists of numbers or strings, or lists of rows of numbers.

    Parameters
    ----------
    arrays : iterable of pyarrow.Array
    name : str
        What to call the column in errors.

    Returns
    -------
    chunks : list of Sequences
        Values of shape (total_steps,) or (total_steps, n_features), which share Arrow's memory unless there are nulls,
        booleans or strings. An empty list where rows are anything else, or there are none.
    """
    chunks: list[Sequences] = []
    first = 0
    for chunk in arrays:
        if len(chunk):
            part = _from_chunk(chunk, name, first)
            if part is None:
                return []
            chunks.append(part)
        first += len(chunk)
    return of_one_width(chunks, name=name)


def _is_arrow(X: Any) -> bool:
    """Whether X is one of pyarrow's, which is not imported for it."""
    return type(X).__module__.startswith("pyarrow")


def _plain_items(X: Any) -> Any:
    """A list of Arrow's columns, tables or scalars, or of lists of scalars, without them; anything else as it is."""
    if not isinstance(X, (list, tuple)):
        return X
    first = next((item for item in X if not isinstance(item, (list, tuple)) or len(item)), None)
    cell = first[0] if isinstance(first, (list, tuple)) else first
    return [_plain(item) for item in X] if _is_arrow(cell) else X


def _plain(item: Any) -> Any:
    """A table as a frame, rows and scalars as Python has them, other Arrow columns as arrays."""
    if isinstance(item, (list, tuple)):
        return [_plain(cell) for cell in item]
    if hasattr(item, "as_py"):  # NumPy reads the bytes of a scalar that is a string as numbers
        return item.as_py()
    if hasattr(item, "to_pandas") and hasattr(item, "schema"):
        return item.to_pandas()
    if not hasattr(item, "to_pylist"):
        return item
    return item.to_pylist() if is_list(item.type) else np.asarray(item)


def is_list(kind: Any) -> bool:
    """Whether an Arrow type is one of lists, however they are laid out."""
    return type(kind).__name__ in LISTS


def _read_table(table: Any, name: str) -> Any:
    """The columns of an Arrow table or record batch: one of lists as it is, several as inputs, others as a table."""
    names = table.schema.names
    if not names:
        raise SequenceDataError(f"{name} is an Arrow table without columns: wanted a column of lists, or of numbers")
    if not any(is_list(_storage_type(kind)) for kind in table.schema.types):
        for column, kind in zip(names, table.schema.types, strict=True):
            if import_module("pyarrow.types").is_nested(kind):
                raise SequenceDataError(
                    f"The column {column!r} of {name} has the type {kind}: wanted numbers, one for each step, or lists"
                )
        return table
    check_columns_differ(names, name)
    columns = {column: read_column(table.column(column), name=f"{name}[{column!r}]") for column in names}
    return next(iter(columns.values())) if len(columns) == 1 else AlignedSequences(columns, name=name)


def _storage_type(kind: Any) -> Any:
    """An Arrow type, or that in which values of an extension type are stored."""
    return getattr(kind, "storage_type", kind)


def _from_chunk(chunk: Any, name: str, first: int) -> Sequences | None:
    """One Arrow array of lists, whose row 0 is row `first` of the column; None if it is anything else."""
    if hasattr(chunk, "to_numpy_ndarray"):  # tensors of one shape
        return as_sequences(chunk.to_numpy_ndarray(), name=name)
    chunk = getattr(chunk, "storage", chunk)
    if not is_list(chunk.type):
        return None
    if chunk.null_count:
        row = first + int(np.argmax(chunk.is_null().to_numpy(zero_copy_only=False)))
        raise SequenceDataError(
            f"{name}[{row}] is null where a sequence is due: leave such rows out, with drop_null() for instance, and "
            f"what belongs to them elsewhere"
        )
    offsets, values = _offsets_and_items(chunk, name)
    steps = _steps(values, offsets, name, first)
    if steps is None:
        return None
    sequences = Sequences(steps, offsets)
    if _is_string(_value_type(values.type)):
        check_tokens(sequences, name)
    return sequences


def _offsets_and_items(lists: Any, name: str) -> tuple[NDArray[np.int64], Any]:
    """Offsets (n + 1,) from 0 on, and the Arrow items between them, of lists of which none that has items is null."""
    try:
        lists.validate(full=True)
    except ValueError as error:
        raise SequenceDataError(
            f"The lists of {name} do not hold what their offsets say ({error}): write the data again"
        ) from error
    size = getattr(lists.type, "list_size", None)
    if size is not None:
        offsets = np.arange(len(lists) + 1) * size
        return offsets, lists.values.slice(lists.offset * size, len(lists) * size)
    if hasattr(lists, "sizes"):  # views, whose order is free
        return np.concatenate([[0], np.cumsum(np.asarray(lists.sizes), dtype=np.int64)]), lists.flatten()
    offsets = np.asarray(lists.offsets).astype(np.int64)
    return offsets - offsets[0], lists.values.slice(offsets[0], offsets[-1] - offsets[0])


def _steps(items: Any, offsets: NDArray[np.int64], name: str, first: int) -> NDArray[Any] | None:
    """The steps of lists as an array (total_steps,) or (total_steps, n_features); None if they are neither."""
    items = getattr(items, "storage", items)
    if not is_list(items.type):
        return _flat(items)
    if is_list(items.type.value_type) or _is_string(items.type.value_type):
        return None
    missing = items.is_null().to_numpy(zero_copy_only=False)
    kept = items.drop_null() if missing.any() else items
    inner, numbers = _offsets_and_items(kept, name)
    flat = _flat(numbers)
    if flat is None or not len(kept):
        width = getattr(items.type, "list_size", 0)  # else other chunks know it
        return None if flat is None else _missing_rows(len(items), width, flat.dtype)
    widths = np.diff(inner)
    if widths[0] == 0 or np.any(widths != widths[0]):
        bad = int(np.flatnonzero(~missing)[np.argmax((widths != widths[0]) | (widths == 0))])
        sequence, step = locate(Sequences(np.empty(len(items)), offsets), bad)
        raise SequenceDataError(
            f"The steps of {name} differ in their number of features: {name}[{first + sequence}][{step}] has "
            f"{len(items[bad])}, the first has {widths[0]}; wanted rows of one length, of 1 number or more"
        )
    rows = flat.reshape(-1, widths[0])
    if not missing.any():
        return rows
    filled = _missing_rows(len(items), widths[0], rows.dtype)
    filled[~missing] = rows
    return filled


def _missing_rows(n_rows: int, width: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Rows (n_rows, width) of NaN among numbers of `dtype`, which stays what it is where there are none."""
    if not n_rows:
        return np.empty((0, width), dtype=dtype)
    return np.full((n_rows, width), np.nan, dtype=np.result_type(dtype, np.float16))


def _flat(values: Any) -> NDArray[Any] | None:
    """Arrow numbers, strings or times (n,) as an array, which shares their memory where it can; None of others."""
    values = getattr(values, "storage", values)
    if hasattr(values, "dictionary_decode"):
        values = values.dictionary_decode()
    types = import_module("pyarrow.types")
    kind = values.type
    if types.is_null(kind):
        return np.full(len(values), np.nan)
    if types.is_decimal(kind):
        values = values.cast("float64")
    elif types.is_boolean(kind) and values.null_count:
        values = values.cast("int8")
    elif not (_is_string(kind) or types.is_primitive(kind)):
        return None
    array: NDArray[Any] = values.to_numpy(zero_copy_only=False)
    return array if _is_string(kind) or array.dtype != object else None


def _value_type(kind: Any) -> Any:
    """The type of what is under a dictionary or an extension type."""
    kind = _storage_type(kind)
    return kind if is_list(kind) else getattr(kind, "value_type", kind)


def _is_string(kind: Any) -> bool:
    return str(_value_type(kind)) in {"string", "large_string", "string_view"}


def of_one_width(chunks: list[Sequences], *, name: str) -> list[Sequences]:
    """`chunks` with steps of one shape, which those take on of whose steps none has numbers."""
    shapes = {chunk.values.shape[1:] for chunk in chunks}
    known = sorted(shapes - {(0,)})
    if len(known) > 1:
        raise SequenceDataError(
            f"The steps of {name} differ in their number of features: {known[0][0]} in one chunk, {known[1][0]} in "
            f"another; wanted rows of one length"
        )
    if not known and any(len(chunk.values) for chunk in chunks):
        raise SequenceDataError(f"All steps of {name} are null: wanted rows of 1 number or more")
    if not known:
        return [chunk.with_values(chunk.values.reshape(-1)) for chunk in chunks]
    return [
        chunk
        if chunk.values.shape[1:] in known
        else chunk.with_values(_missing_rows(len(chunk.values), known[0][0], chunk.values.dtype))
        for chunk in chunks
    ]
