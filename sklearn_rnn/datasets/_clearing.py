"""Deleting what was downloaded."""

from __future__ import annotations

import os
from contextlib import suppress

from sklearn_rnn.datasets._catalogue import DATA_SETS
from sklearn_rnn.datasets._fetching import locate_data_home


def clear_data_home(data_home: str | os.PathLike[str] | None = None) -> None:
    """Delete the files that the fetchers have downloaded.

    Files compressed with gzip, which fetchers read but do not make, stay, as does whatever else lies in the folder.

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
            path = os.path.join(home, *file.path.split("/"))
            with suppress(FileNotFoundError):
                os.unlink(path)
                folders |= {path.rsplit(os.sep, depth)[0] for depth in range(1, 1 + file.path.count("/"))}
    for folder in sorted(folders, key=len, reverse=True):
        with suppress(OSError):  # it is not empty
            os.rmdir(folder)
