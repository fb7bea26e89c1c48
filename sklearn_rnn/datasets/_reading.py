"""Readers of files that users bring."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from sklearn_rnn.datasets._columns import Layout, read_columns
from sklearn_rnn.datasets._fetching import lines_of
from sklearn_rnn.exceptions import SequenceDataError

FORMATS = ("auto", "conll", "conllu")


def read_conll(
    path: str | os.PathLike[str],
    *,
    format: str = "auto",
    token: int | None = None,
    tag: int | str | None = "auto",
    columns: Mapping[str, int] | None = None,
    separator: str | None = None,
    comment: str | None = None,
    encoding: str = "utf-8",
    return_X_y: bool = False,
) -> Any:
    """Read a file of columns, such as those of CoNLL-2000, CoNLL-2003, WNUT-17 and CoNLL-U.

    Each line holds a token and what belongs to it; an empty line ends a sentence. A line that begins with
    ``-DOCSTART-``, and in CoNLL-U a comment ``# newdoc``, begins a document, and is no token.

    Parameters
    ----------
    path : str or PathLike
        The file. One whose name ends with ``.gz`` is decompressed.
    format : {"auto", "conll", "conllu"}, default="auto"
        What `token`, `tag`, `separator` and `comment` are where they are not given. "conll" takes the first and the
        last column, and knows no comments. "conllu" takes the words and their universal parts of speech, columns 1 and
        3; lines that begin with ``#`` are comments, and ranges such as 1-2, which are words that follow one by one, and
        empty nodes such as 1.1 are left out [1]_. "auto" is "conllu" if the name ends with ``.conllu``.
    token : int, optional
        The column of the tokens, counted from 0.
    tag : int or None, default="auto"
        The column of the tags; -1 is the last. None reads none, and `target` is None.
    columns : dict of str to int, optional
        Further columns, and what to call them.
    separator : str, optional
        What stands between columns. By default a tab, if the first token's line has one, and else blanks.
    comment : str, optional
        What lines begin with that are comments. By default none are, since a token may well begin with ``#``.
    encoding : str, default="utf-8"
    return_X_y : bool, default=False
        Whether to return `data` and `target` alone.

    Returns
    -------
    data : Bunch
        With the attributes

        - data : list of lists of str, the tokens of each sentence;
        - target : list of lists of str, the tags, or None;
        - groups : array of int, shape (n_sentences,), the number of the document of each sentence, which splitters such
          as GroupKFold and ``fit(..., groups=)`` keep together; None if no line begins a document;
        - a list of lists of str for each of `columns`.
    (data, target) : tuple, if `return_X_y`

    Raises
    ------
    SequenceDataError
        If a line has too few columns or none of what is wanted, the text is not in that encoding, or there is no
        sentence; the message has the number of the line.
    OSError
        If the file cannot be read.
    ValueError
        If a parameter is none of these.

    See Also
    --------
    fetch_conll2000, fetch_wnut17, fetch_ud_english_ewt : Published files, downloaded and read.

    References
    ----------
    .. [1] CoNLL-U Format. https://universaldependencies.org/format.html

    Examples
    --------
    >>> import os, tempfile
    >>> from sklearn_rnn.datasets import read_conll
    >>> text = "-DOCSTART- -X- O\\n\\nFly VB O\\nto TO O\\nOslo NNP B-city\\n\\nHi UH O\\n"
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "train.txt")
    ...     with open(path, "w") as file:
    ...         _ = file.write(text)
    ...     sentences = read_conll(path, columns={"pos": 1})
    >>> sentences.data, sentences.target
    ([['Fly', 'to', 'Oslo'], ['Hi']], [['O', 'O', 'B-city'], ['O']])
    >>> sentences.pos[0], sentences.groups
    (['VB', 'TO', 'NNP'], array([0, 0]))
    """
    if format not in FORMATS:
        raise ValueError(f"format must be one of {FORMATS}, got {format!r}")
    path = os.fspath(path)
    universal = format == "conllu" or (format == "auto" and path.removesuffix(".gz").endswith(".conllu"))
    wanted = {"data": (1 if universal else 0) if token is None else token}
    if tag is not None:
        wanted["target"] = (3 if universal else -1) if tag == "auto" else tag  # type: ignore[assignment]
    wanted |= _checked_columns(columns)
    for name, column in wanted.items():
        if not isinstance(column, (int, np.integer)) or isinstance(column, bool):
            raise ValueError(f"the column of {name} must be an int, got {column!r}")
    layout = Layout(
        list(wanted.values()),
        "\t" if universal and separator is None else separator,
        "#" if universal and comment is None else comment,
        universal,
    )
    found = read_columns(_lines_in(path, encoding), layout, name=f"{path}, line")
    if not found.documents:
        raise SequenceDataError(f"{path} holds no sentence: no line of it holds a token")
    read = dict(zip(wanted, found.columns, strict=True))
    data, target = read.pop("data"), read.pop("target", None)
    if return_X_y:
        return data, target
    return Bunch(data=data, target=target, groups=np.array(found.documents) if found.n_documents else None, **read)


def _checked_columns(columns: Mapping[str, int] | None) -> dict[str, int]:
    taken = {"data", "target", "groups"} & set(columns or {})
    if taken:
        raise ValueError(f"columns names {sorted(taken)!r}, which are attributes of the result already: rename them")
    return dict(columns or {})


def _lines_in(path: str, encoding: str) -> list[str]:
    """The lines of a file of text, without a byte order mark."""
    try:
        with gzip.open(path) if path.endswith(".gz") else open(path, "rb") as file:
            content: bytes = file.read()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise SequenceDataError(f"{path} is cut off or damaged: {error}") from error
    try:
        lines = lines_of(content, encoding)
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        raise SequenceDataError(
            f"{path}, line {number} is not in the encoding {encoding!r}: {error}. Name that of the file, such as "
            f"encoding='latin-1' or 'utf-16'"
        ) from error
    if lines:
        lines[0] = lines[0].removeprefix("\ufeff")
    return lines
