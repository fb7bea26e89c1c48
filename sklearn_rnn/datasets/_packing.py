"""What all fetchers have in common: their parameters, and the form in which they return a data set."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, TypeVar

import pandas as pd
from sklearn.utils import Bunch
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_rnn.datasets._data_set import DataSet

Column = Any
"""One entry for each sequence: a list, or an array of shape (n_sequences,)."""

COMMON_PARAMETERS: dict[str, list[Any]] = {
    "data_home": [str, os.PathLike, None],
    "download_if_missing": ["boolean"],
    "return_X_y": ["boolean"],
    "as_frame": ["boolean"],
    "n_retries": [Interval(Integral, 0, None, closed="left")],
    "delay": [Interval(Real, 0, None, closed="left")],
    "verbose": ["verbose"],
}
THREE_PARTS = {"subset": [StrOptions({"train", "validation", "test", "all"})], **COMMON_PARAMETERS}
TWO_PARTS = {"subset": [StrOptions({"train", "test", "all"})], **COMMON_PARAMETERS}

COMMON_DOCS = """\
data_home : str, PathLike or None, default=None
        The folder that files are read from and downloaded to, as `get_data_home` has it. A file that was put there by
        hand is read as well, as published or compressed with gzip.
    download_if_missing : bool, default=True
        Whether to download what is not there; otherwise it is an error.
    return_X_y : bool, default=False
        Whether to return `data` and `target` alone.
    as_frame : bool, default=False
        Whether `data`, `target` and what goes with them are pandas Series, and `frame` holds them as its columns, with
        a row for each sequence.
    n_retries : int, default=3
        How often an interrupted download is tried again.
    delay : float, default=1.0
        Seconds to wait before it is.
    verbose : bool or int, default=False
        Whether to show how downloads go, if rich is installed."""

ERROR_DOCS = """\
OSError
        If a file is neither there nor can be downloaded, or has another content than the published one. The message
        says where to get it and where to put it."""

_F = TypeVar("_F", bound=Callable[..., Any])


def documented(data_set: DataSet) -> Callable[[_F], _F]:
    """Put what is known of a data set, and the shared descriptions, where a docstring names them in braces."""
    references = [f".. [{i}] {reference}" for i, reference in enumerate(data_set.references, start=1)]
    fragments = {
        "about": "\n\n    ".join(
            _wrapped(text) for text in (data_set.content, f"Licence: {data_set.licence}.", f"Source: {data_set.source}")
        ),
        "common": COMMON_DOCS,
        "errors": ERROR_DOCS,
        "references": "\n    ".join(_wrapped(reference, indent=" " * 7) for reference in references),
    }

    def fill(fetch: _F) -> _F:
        for name, text in fragments.items():
            fetch.__doc__ = (fetch.__doc__ or "").replace("{" + name + "}", text)
        return fetch

    return fill


def _wrapped(text: str, indent: str = "    ") -> str:
    """A paragraph of a docstring, whose first line is indented already."""
    return textwrap.fill(text, 116, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def parts_of(subset: str, *parts: str) -> tuple[str, ...]:
    """The parts of a data set that a subset names."""
    return parts if subset == "all" else (subset,)


def pack(
    data_set: DataSet, columns: dict[str, Column], *, return_X_y: bool, as_frame: bool, **constants: Any
) -> Bunch | tuple[Column, Column]:
    """Columns in the form that was asked for; the first is `data`, the second `target`, others keep their names."""
    frame = None
    if as_frame:
        frame = pd.DataFrame({name: _as_series(column) for name, column in columns.items()})
        columns = {name: frame[name] for name in columns}
    data, target, *_ = columns.values()
    if return_X_y:
        return data, target
    others = dict(list(columns.items())[2:])
    return Bunch(data=data, target=target, frame=frame, **others, **constants, DESCR=data_set.description)


def _as_series(column: Column) -> pd.Series:
    """A column of a frame, whose entries stay lists and arrays where they are."""
    nested = isinstance(column, list) and not isinstance(column[0], str)
    return pd.Series(column, dtype=object if nested else None)
