"""Deleting what was downloaded."""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import suppress

from sklearn_rnn.datasets._catalogue import DATA_SETS
from sklearn_rnn.datasets._fetching import CHUNK, RemoteFile, locate_data_home


def clear_data_home(data_home: str | os.PathLike[str] | None = None) -> None:
    """Delete the files that the fetchers have downloaded.

    A file goes if it lies where a fetcher puts it and has the checksum of the published one. All else stays: files that
    were changed, files compressed with gzip, which fetchers read but do not make, and whatever is reached through a
    symbolic link below the folder.

    Parameters
    ----------
    data_home : str or PathLike, optional
        The folder, as for `get_data_home`.

    See Also
    --------
    get_data_home : The folder that is looked into.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn_rnn.datasets import clear_data_home
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     clear_data_home(folder)
    """
    home = locate_data_home(data_home)
    folders = set()
    for data_set in DATA_SETS:
        for file in data_set.files.values():
            places = _places(home, file)
            if _is_published(places, file):
                os.unlink(places[-1])
                folders.update(places[:-1])
    for folder in sorted(folders, key=len, reverse=True):
        with suppress(OSError):  # it is not empty
            os.rmdir(folder)


def _places(home: str, file: RemoteFile) -> list[str]:
    """The folders below the data home that lead to a file, outermost first, and the file."""
    parts = file.path.split("/")
    return [os.path.join(home, *parts[: depth + 1]) for depth in range(len(parts))]


def _is_published(places: list[str], file: RemoteFile) -> bool:
    """Whether what lies at the last of `places` is `file` itself, with no link on the way."""
    try:
        modes = [os.lstat(place).st_mode for place in places]
        if not all(map(stat.S_ISDIR, modes[:-1])) or not stat.S_ISREG(modes[-1]):
            return False
        if os.path.getsize(places[-1]) != file.size:
            return False
        digest = hashlib.sha256()
        with open(places[-1], "rb") as stream:
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return False
    return digest.hexdigest() == file.sha256
