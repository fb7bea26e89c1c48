"""Files that are mapped into memory, and how to tell whether one still is the file that it was."""

from __future__ import annotations

import os
import time
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from sklearn_rnn.exceptions import SequenceDataError

MAGIC = b"ARROW1"
"""What an Arrow file begins and ends with."""

TICK = 2.0
"""Seconds within which two changes of a file may have the same time."""

N_PLACES = 16
"""Places of a file that are looked at to tell it from another one."""


class MappedFile:
    """A file whose bytes are mapped into memory, none of which is read before it is looked at.

    Whoever replaces the file by another one of the same name leaves the bytes that are mapped as they are. Whoever
    writes into it changes them, which :meth:`check` notices. Pickled, it is a name and what tells the file from others;
    it is mapped anew when its bytes are wanted, and must be the same file then.

    Parameters
    ----------
    path : str or path

    Attributes
    ----------
    path : str
        Absolute.
    content : array of uint8, shape (n_bytes,)
    unique : bool
        Whether the schema of an Arrow file holds a mark that no other file has. Copies of it are the same file then. Of
        other files the time of the last change tells too.
    """

    __slots__ = ("_content", "_mapped_at", "_place", "_sample", "_settled", "_time", "path", "size", "unique")

    _content: NDArray[np.uint8] | None
    _sample: bytes
    _mapped_at: float
    _place: tuple[int, int]
    _settled: bool
    _time: int

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.path.abspath(path)
        self.unique = False
        self._map()

    @property
    def content(self) -> NDArray[np.uint8]:
        if self._content is None:
            known, wanted = self.__getstate__(), self._tells()
            self._map()
            if self._tells() != wanted:
                self.__setstate__(known)
                raise SequenceDataError(
                    f"{self.path!r} is another file than the one that these sequences were opened from: it was written "
                    f"over since. Open what it holds now with open_sequences"
                )
        assert self._content is not None
        return self._content

    def array(self, offset: int, dtype: DTypeLike, shape: tuple[int, ...]) -> NDArray[Any]:
        """The numbers of `dtype` that lie in the file from byte `offset` on."""
        end = offset + int(np.prod(shape)) * np.dtype(dtype).itemsize
        return np.asarray(self.content[offset:end].view(dtype).reshape(shape))

    def offset_of(self, array: NDArray[Any]) -> int | None:
        """The byte at which `array` lies in the file; None if it lies elsewhere in memory."""
        start = array.__array_interface__["data"][0] - self.content.__array_interface__["data"][0]
        return start if 0 <= start <= self.size - array.nbytes else None

    def check(self) -> None:
        """Raise if somebody wrote into the file while it is mapped."""
        if self._content is None:
            return
        try:
            now = os.stat(self.path)
        except OSError:  # it was renamed or deleted, and stays mapped
            return
        untouched = now.st_mtime_ns == self._time
        if (now.st_dev, now.st_ino) != self._place or (now.st_size == self.size and untouched and self._settled):
            return
        if now.st_size == self.size and (untouched or self.unique) and self._sample == _sample(self._content):
            self._time = now.st_mtime_ns
            self._settled = untouched and time.monotonic() - self._mapped_at > TICK
            return
        raise SequenceDataError(
            f"{self.path!r} was written over while its sequences were open, so that they hold something else now. Open "
            f"it again with open_sequences; save_sequences with overwrite=True leaves open ones as they are"
        )

    def _map(self) -> None:
        if not os.path.exists(self.path):
            raise FileNotFoundError(
                f"There is no file {self.path!r}: sequences are stored in it with save_sequences. A pickle of stored "
                f"sequences names their file and does not hold them"
            )
        if not os.path.isfile(self.path):
            raise SequenceDataError(f"{self.path!r} is not a file that sequences can be stored in")
        with Path(self.path).open("rb") as file:
            found = os.fstat(file.fileno())
            empty = found.st_size == 0
            self._content = np.zeros(0, dtype=np.uint8) if empty else np.memmap(file, np.uint8, "r")
        self.size, self._time, self._place = found.st_size, found.st_mtime_ns, (found.st_dev, found.st_ino)
        self._sample = _sample(self._content)
        self._mapped_at, self._settled = time.monotonic(), False

    def _tells(self) -> tuple[Any, ...]:
        """What tells this file from others."""
        return (self.size, self._sample) if self.unique else (self.size, self._sample, self._time)

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__ if name != "_content"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)
        self._content = None


def _sample(content: NDArray[np.uint8]) -> bytes:
    """A digest of the footer of an Arrow file, with its schema, and of some places between, of which few are read."""
    size = int.from_bytes(content[-10:-6].tobytes(), "little") if content[-len(MAGIC) :].tobytes() == MAGIC else 0
    digest = blake2b(content[max(0, len(content) - 10 - size) :].tobytes(), digest_size=16)
    for start in np.linspace(0, len(content), N_PLACES, endpoint=False).astype(int):
        digest.update(content[start : start + 256].tobytes())
    return digest.digest()
