"""Sequences that do not fit in memory: written to an Arrow file part by part, and opened without being read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from numpy.typing import DTypeLike

from sklearn_rnn.data.aligned import AlignedSequences
from sklearn_rnn.data.arrow import read_arrow
from sklearn_rnn.data.arrow_files import is_stored, open_arrow, pyarrow, read_parts
from sklearn_rnn.data.arrow_writer import ArrowWriter, written_beside
from sklearn_rnn.data.formats import as_sequences
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.stored import StoredSequences, keep_stored
from sklearn_rnn.exceptions import SequenceDataError


def save_sequences(
    path: str | os.PathLike[str],
    X: Any,
    *,
    column: str | list[str] | None = None,
    dtype: DTypeLike | None = None,
    overwrite: bool = False,
) -> Sequences:
    """Store sequences in an Arrow file, from which estimators read numbers batch by batch.

    The file is written beside its place and moved there when it is whole: what fails leaves the old file as it was, and
    nothing else. It needs pyarrow, ``pip install 'sklearn-rnn[arrow]'``.

    Parameters
    ----------
    path : str or path
        The file, for example ``"flights.arrow"``, in a folder that is there. It is an Arrow IPC file without
        compression, whose column ``sequence`` holds a list for each sequence: of numbers, of rows of numbers of one
        length, or of strings. The column ``id`` holds the ids, if X has some, and the schema the names of features.
        Whatever reads Arrow reads it.
    X : sequences in any supported format, an iterator over parts of them, or the path of a file
        An iterator, such as a generator, yields one part after the other, and only one is in memory at a time. A path
        is that of a Parquet or Arrow file, or of a folder of Parquet files, with a row for each sequence; it is read
        in parts.
    column : str or list of str, optional
        Of a file, the column whose rows are lists. Several columns of numbers become features in this order.
    dtype : dtype, optional
        The type of numbers to store: integers, floats or bool. By default that of the first part, which all parts must
        have then. Numbers are rounded to a float, and never changed otherwise. ``"float32"`` is what estimators compute
        in.
    overwrite : bool, default=False
        Whether to replace a file that is there.

    Returns
    -------
    sequences : StoredSequences or Sequences
        As :func:`open_sequences` opens them.

    Raises
    ------
    FileExistsError
        If the file is there, and `overwrite` is False.
    SequenceDataError
        If X holds neither numbers nor strings, a part differs from the first in its type, its features or in whether it
        has ids, or `dtype` cannot hold a number.

    See Also
    --------
    open_sequences : Opens what was stored.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from sklearn_rnn import open_sequences, save_sequences
    >>> rng = np.random.default_rng(0)
    >>> parts = (rng.normal(size=(100, 20, 3)) for _ in range(5))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "noise.arrow")
    ...     stored = save_sequences(path, parts, dtype="float32")
    ...     print(stored, stored.dtype, len(open_sequences(path)))
    ...     del stored
    StoredSequences(n_sequences=500, n_features=3, lengths 20 to 20) float32 500
    """
    pyarrow("lib")
    target = Path(os.path.realpath(path))  # through a link, what it points to is replaced
    if target.is_dir():
        raise IsADirectoryError(
            f"path={str(path)!r} is a folder, wanted the name of a file, such as {str(Path(path, 'sequences.arrow'))!r}"
        )
    if target.exists() and not target.is_file():
        raise FileExistsError(f"path={str(path)!r} is no regular file, and is not replaced by one: choose another name")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"path={str(path)!r} is in a folder that is not there: make it first")
    with written_beside(target, overwrite=overwrite) as partial, ArrowWriter(partial, dtype) as writer:
        for place, part in _parts(X, column):
            writer.write(part, place)
    return open_sequences(target)


def open_sequences(path: str | os.PathLike[str], *, column: str | None = None) -> Sequences:
    """Open stored sequences without reading them.

    Parameters
    ----------
    path : str or path
        A file that :func:`save_sequences` wrote, or another Arrow file (IPC, Feather) that is not compressed. Parquet
        is compressed and encoded: :func:`save_sequences` converts it.
    column : str, optional
        Of another Arrow file, the column whose rows are lists; needed if there is more than one.

    Returns
    -------
    sequences : StoredSequences or Sequences
        X for ``fit``, ``predict`` and cross-validation. Of numbers a subset is a list of places in the file; a batch is
        read when it is due. Strings are read at once, as :class:`~sklearn_rnn.Sequences`.

    Raises
    ------
    FileNotFoundError
        If there is nothing at `path`.
    SequenceDataError
        If the file is cut off, damaged, compressed or no Arrow file, or its column holds no lists of numbers or of
        strings. Later, when numbers are read, if somebody wrote into the file meanwhile; and when a pickle of the
        sequences is read whose file was replaced by another one.

    See Also
    --------
    save_sequences : Stores sequences.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn_rnn import open_sequences, save_sequences
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = save_sequences(Path(folder, "two.arrow"), [[0.5, 1.5], [2.5]])
    ...     X = open_sequences(Path(folder, "two.arrow"))
    ...     print(X, X[0])
    ...     del X
    StoredSequences(n_sequences=2, n_features=1, lengths 1 to 2) [0.5 1.5]
    """
    place = Path(path)
    if place.is_dir():
        raise IsADirectoryError(f"path={str(place)!r} is a folder, wanted an Arrow file, as save_sequences writes it")
    return open_arrow(place, column)


def _parts(X: Any, column: str | list[str] | None) -> Iterator[tuple[str, Sequences]]:
    """X as containers that fit into memory, one after the other, and what to call each in errors."""
    if isinstance(X, (str, os.PathLike)):
        if column is None and is_stored(Path(X)):
            yield from _blocks(str(X), open_sequences(X))
        else:
            columns = [column] if isinstance(column, str) else column
            yield from read_parts(Path(X), columns, n_rows=1024)
        return
    if column is not None:
        raise ValueError(f"column={column!r} concerns files, and X is of the type {type(X).__name__}")
    if not isinstance(X, Iterator):
        yield from _blocks("X", _sequences(X))
        return
    for number, given in enumerate(X, start=1):
        place = f"part {number} of X"
        try:
            sequences = _sequences(given)
        except (TypeError, ValueError) as error:
            raise SequenceDataError(f"In {place}: {error}") from error
        yield from _blocks(place, sequences)


def _sequences(X: Any) -> Sequences:
    X = read_arrow(X)
    if isinstance(X, (AlignedSequences, Mapping)):
        names = list(X.inputs if isinstance(X, AlignedSequences) else X)
        raise SequenceDataError(
            f"X holds the inputs {names}, and a file has room for one: store each of them in a file of its own"
        )
    return keep_stored(as_sequences(X))


def _blocks(place: str, sequences: Sequences) -> Iterator[tuple[str, Sequences]]:
    if not isinstance(sequences, StoredSequences):
        yield place, sequences
        return
    for _, part in sequences.blocks():
        yield place, part
