"""Files of published data sets: found in a folder or downloaded, and checked before anything reads them."""

from __future__ import annotations

import gzip
import hashlib
import os
import secrets
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import urlopen
from zipfile import ZipFile

CHUNK = 1 << 16
TIMEOUT = 30.0
HOME_VARIABLE = "SKLEARN_RNN_DATA_HOME"
MOST_COMPRESSED = 100
"""How many times its compressed size a text may have; deflated zeros have 1000 times."""
WORTH_ANOTHER_TRY = {408, 425, 429}
"""Answers of a server between 400 and 499 that may be others a moment later."""


@dataclass(frozen=True)
class RemoteFile:
    """A file as its publisher gives it out.

    Attributes
    ----------
    path : str
        Where it lies below the data home, with "/" between folders.
    url : str
    sha256 : str
        Of its content.
    size : int
        Bytes of its content, which is never read or downloaded beyond them.
    """

    path: str
    url: str
    sha256: str
    size: int


class DamagedDownloadError(OSError):
    """What was downloaded is not the file that was wanted; trying again would bring the same."""


def get_data_home(data_home: str | os.PathLike[str] | None = None) -> str:
    """The folder that data sets are kept in; it is made if it is not there.

    Parameters
    ----------
    data_home : str or PathLike, optional
        The folder. By default, that of the environment variable ``SKLEARN_RNN_DATA_HOME``, or else
        ``~/sklearn_rnn_data``. A leading ``~`` stands for the home folder of the user.

    Returns
    -------
    data_home : str

    See Also
    --------
    clear_data_home : Delete what lies in it.

    Examples
    --------
    >>> import os, tempfile
    >>> from sklearn_rnn.datasets import get_data_home
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     home = get_data_home(os.path.join(folder, "data"))
    ...     os.path.isdir(home)
    True
    """
    home = locate_data_home(data_home)
    os.makedirs(home, exist_ok=True)
    return home


def locate_data_home(data_home: str | os.PathLike[str] | None) -> str:
    """The data home as `get_data_home` gives it, but not made."""
    if data_home is None:
        data_home = os.environ.get(HOME_VARIABLE) or os.path.join("~", "sklearn_rnn_data")
    return os.path.expanduser(os.fspath(data_home))


@dataclass(frozen=True)
class Cache:
    """Reads files from the data home, and downloads those that are not there.

    Attributes
    ----------
    data_home : str, PathLike or None
    download_if_missing : bool
    n_retries : int
        How often a download that was interrupted is tried again.
    delay : float
        Seconds before it is.
    verbose : bool
        Whether a bar shows how a download goes, if rich is installed.
    """

    data_home: str | os.PathLike[str] | None
    download_if_missing: bool
    n_retries: int
    delay: float
    verbose: bool

    def read(self, file: RemoteFile) -> bytes:
        """The content of a file, which may lie in the data home as published or compressed with gzip.

        Raises
        ------
        OSError
            If it is not there and cannot be downloaded, or is another file than the one that was published.
        """
        path = os.path.join(locate_data_home(self.data_home), *file.path.split("/"))
        for candidate in (path, path + ".gz"):
            if os.path.exists(candidate):
                return _read_checked(candidate, file)
        advice = f"Get it from {file.url} and put it at {path}, as it is or compressed with gzip ({path}.gz)"
        if not self.download_if_missing:
            raise OSError(f"The file {path} is not there, and download_if_missing=False. {advice}")
        attempts = self.n_retries + 1
        for attempt in range(1, attempts + 1):
            try:
                _download(file, path, verbose=self.verbose)
                break
            except DamagedDownloadError:
                raise
            except (OSError, HTTPException) as error:
                if attempt == attempts or _is_final(error):
                    raise OSError(
                        f"{path} could not be downloaded, tried {attempt} time(s): {error}. {advice}"
                    ) from error
                time.sleep(self.delay)
        return _read_checked(path, file)

    def lines(self, file: RemoteFile, encoding: str = "utf-8") -> list[str]:
        """The lines of a file of text."""
        return lines_of(self.read(file), encoding)


def lines_of(content: bytes, encoding: str = "utf-8") -> list[str]:
    """Lines end with a newline, and at no other character: ``str.splitlines`` knows ten."""
    lines = content.decode(encoding).split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def read_member(archive: ZipFile, name: str) -> bytes:
    """A file of text in an archive, unless it would grow by more than text can have been compressed."""
    member = archive.getinfo(name)
    if member.file_size > MOST_COMPRESSED * max(member.compress_size, 1):
        raise OSError(
            f"{name} in {archive.filename or 'an archive'} would grow from {member.compress_size} to "
            f"{member.file_size} bytes, as no text does: it was made to fill the memory, and is not read"
        )
    return archive.read(member)


def _read_checked(path: str, file: RemoteFile) -> bytes:
    """The content of a file that lies in the data home, which is never deleted."""
    try:
        with gzip.open(path) if path.endswith(".gz") else open(path, "rb") as stream:
            content: bytes = stream.read(file.size + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise OSError(f"{path} is cut off or damaged ({error}): remove it to download {file.url} again") from error
    found = hashlib.sha256(content).hexdigest()
    if found != file.sha256:
        what = f"has the SHA-256 checksum {found}, but {file.sha256} is expected"
        if len(content) > file.size:
            what = f"is longer than the {file.size} bytes that are expected"
        raise OSError(
            f"{path} is not the file that was published: its content {what}. Remove it to download it again, or put "
            f"there what {file.url} holds"
        )
    return content


def _is_final(error: Exception) -> bool:
    """Whether another try would fail in the same way: the server refuses, or the folder cannot be written to."""
    if isinstance(error, HTTPError):
        return 400 <= error.code < 500 and error.code not in WORTH_ANOTHER_TRY
    return getattr(error, "filename", None) is not None


def _download(file: RemoteFile, path: str, *, verbose: bool) -> None:
    """Bring a file to `path`, whole and checked, or not at all.

    It is written beside its place and moved there, so that a process that looks meanwhile finds all of it or nothing.
    """
    folder, name = os.path.split(path)
    os.makedirs(folder, exist_ok=True)
    partial = os.path.join(folder, f".{name}.{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        with open(partial, "xb") as target:
            found = _transfer(file, target.write, name, verbose=verbose)
        if found != file.sha256:
            raise DamagedDownloadError(
                f"{file.url} gave a file with the SHA-256 checksum {found}, but {file.sha256} is expected: it was "
                f"changed on the way, by a proxy for instance, or where it comes from. It was deleted again"
            )
        os.replace(partial, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(partial)
        raise


def _transfer(file: RemoteFile, write: Callable[[bytes], object], name: str, *, verbose: bool) -> str:
    """Hand on what a server sends, piece by piece; the result is its SHA-256 checksum."""
    digest, n_received = hashlib.sha256(), 0
    try:
        with urlopen(file.url, timeout=TIMEOUT) as response:
            size = response.headers.get("Content-Length")
            total = int(size) if size and size.isdigit() else None
            with _progress(name, total, verbose) as advance:
                while chunk := response.read(CHUNK):
                    n_received += len(chunk)
                    if n_received > file.size:
                        raise DamagedDownloadError(
                            f"{file.url} sends more than the {file.size} bytes that are expected: it was changed on "
                            f"the way, by a proxy for instance, or where it comes from. What came was deleted again"
                        )
                    write(chunk)
                    digest.update(chunk)
                    advance(len(chunk))
    except HTTPError as error:
        error.close()
        raise
    if total is not None and n_received < total:
        raise ConnectionError(f"the connection ended after {n_received} of {total} bytes")
    return digest.hexdigest()


@contextmanager
def _progress(name: str, total: int | None, verbose: bool) -> Iterator[Callable[[int], object]]:
    """A bar to tell how many bytes have come, on the error stream; nothing without rich."""
    if verbose:
        try:
            from rich.console import Console
            from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
        except ImportError:
            pass
        else:
            columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
            with Progress(*columns, console=Console(stderr=True)) as progress:
                task = progress.add_task(name, total=total)
                yield lambda n_bytes: progress.advance(task, n_bytes)
            return
    yield lambda n_bytes: None
