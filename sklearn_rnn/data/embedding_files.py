"""Files of word vectors, read as a stream: GloVe and fastText text, word2vec text and binary, compressed or not.

What a file is shows in its content, never in its name. Words are compared as bytes, and only the vectors of wanted
words are parsed, so that a file of millions of words costs the memory of a buffer.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn._warning import warn
from sklearn_rnn.exceptions import EmbeddingCoverageWarning

CHUNK = 1 << 16
LONGEST_LINE = 1 << 20
LONGEST_WORD = 1 << 14
BOM = b"\xef\xbb\xbf"
HEADER = re.compile(rb"(\d+)[ \t]+(\d+)\Z")
NUMBER = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\Z")
OTHER_FORMATS = {
    b"\xba\x16\x4f\x2f": "a fastText model: give its .vec, or gensim.models.fasttext.load_facebook_vectors(path)",
    b"\x80": "a pickle: load it with the library that wrote it, for instance gensim.models.KeyedVectors.load, and give "
    "the object",
    b"\x93NUMPY": "a NumPy array: load it, and give a pair (tokens, vectors)",
    b"\x89HDF": "an HDF5 file: load it, and give a pair (tokens, vectors)",
    b"7z\xbc\xaf": "a 7z archive: unpack it first",
}
"""The first bytes of files that are often taken for word vectors, and what to do with them."""


@dataclass(frozen=True)
class VectorFile:
    """An open file of word vectors, behind its header.

    Attributes
    ----------
    name : str
        What to call the file in errors.
    stream : binary file
        The content, decompressed, at the first record.
    dim : int
        Values of a vector.
    n_words : int or None
        How many words the header promises; None without a header.
    binary : bool
        Whether vectors are float32 numbers in place of text.
    """

    name: str
    stream: IO[bytes]
    dim: int
    n_words: int | None
    binary: bool

    def vectors(self, wanted: Collection[bytes]) -> Iterator[tuple[bytes, NDArray[np.float32]]]:
        """The words, in UTF-8, that are in `wanted`, each with its vector (dim,), in the order of the file."""
        return self._binary_vectors(wanted) if self.binary else self._text_vectors(wanted)

    def _text_vectors(self, wanted: Collection[bytes]) -> Iterator[tuple[bytes, NDArray[np.float32]]]:
        """Lines of a word and `dim` numbers up to the end of the file."""
        header_lines = self.n_words is not None
        last, blank = int(header_lines), 0
        for number, line in _lines(self.stream, self.name, first=1 + header_lines):
            if not line:
                blank = blank or number
                continue
            if blank:
                self._fail(blank, "is blank, and more lines come")
            word, rest = self._split(line, number)
            if not word.isascii():
                self._check_utf8(word, number)
            if word in wanted:
                yield word, self._parse(rest, word, number)
            last = number
        n_found = last - header_lines
        if self.n_words is not None and n_found < self.n_words:
            raise ValueError(
                f"{self.name} is cut off: its header promises {self.n_words} words, but it ends after {n_found}, in "
                f"line {last}. Get the file again"
            )

    def _split(self, line: bytes, number: int) -> tuple[bytes, bytes]:
        """The word of a line, which may hold spaces, and the text of its `dim` values."""
        if line.count(b" ") == self.dim:
            word, rest = line.split(b" ", 1)
            return word, rest
        fields = line.split()
        if len(fields) == self.dim + 1:  # tabs, or columns that are aligned
            return fields[0], b" ".join(fields[1:])
        n_values = len(fields) - 1
        if n_values > self.dim:  # the word holds spaces, unless there are too many values
            n_values = min(n_values, _count_from_right(fields, _is_number))
        if n_values != self.dim:
            self._fail(number, f"has {n_values} value(s) behind its word, but {self.dim} are wanted {self._origin()}")
        word, *values = line.rsplit(None, self.dim)
        return word, b" ".join(values)

    def _origin(self) -> str:
        """Where the number of values comes from."""
        return "as line 1 has" if self.n_words is None else "by the header in line 1"

    def _check_utf8(self, word: bytes, number: int) -> None:
        """Refuse a word that is not UTF-8, wanted or not: the whole file is in another encoding."""
        try:
            word.decode()
        except UnicodeDecodeError as error:
            _refuse_encoding(self.name, number, error)

    def _parse(self, text: bytes, word: bytes, number: int) -> NDArray[np.float32]:
        """The values of a vector (dim,), which must be finite numbers."""
        fields = text.split()
        if len(fields) != self.dim:  # one of the spaces that made the number right was a double one
            self._fail(number, f"has {len(fields)} value(s) behind its word, but {self.dim} are wanted")
        try:
            with np.errstate(over="ignore"):  # what is too great becomes infinite, and is refused below
                vector = np.array([float(field) for field in fields]).astype(np.float32)
        except ValueError:
            where, field = next((k, field) for k, field in enumerate(fields, start=1) if not _is_float(field))
            self._fail(number, f"has {_shown(field)} as value {where} of {_shown(word)}, but a number is wanted")
        if not np.isfinite(vector).all():
            where = int(np.argmin(np.isfinite(vector)))
            self._fail(
                number, f"has {_shown(fields[where])} as value {where + 1} of {_shown(word)}: not a finite float32"
            )
        return vector

    def _fail(self, number: int, what: str) -> NoReturn:
        """Say what is wrong with a line."""
        raise ValueError(f"Line {number} of {self.name} {what}. Repair the line, or get the file again")

    def _binary_vectors(self, wanted: Collection[bytes]) -> Iterator[tuple[bytes, NDArray[np.float32]]]:
        """Records of a word, a space and `dim` float32 numbers, as many as the header promises."""
        assert self.n_words is not None
        buffer, start, n_broken = b"", 0, 0
        for record in range(1, self.n_words + 1):
            space = buffer.find(b" ", start)
            while space < 0 or len(buffer) <= space + 4 * self.dim:
                if space < 0 and len(buffer) - start > LONGEST_WORD:
                    raise ValueError(
                        f"Word {record} of {self.name} has no end within {LONGEST_WORD} bytes: the file is damaged, or "
                        f"is not in the binary format of word2vec, as which its header and content were read"
                    )
                more = self.stream.read(CHUNK)
                if not more:
                    raise ValueError(
                        f"{self.name} is cut off: its header promises {self.n_words} words of {self.dim} float32 "
                        f"values, but it ends within word {record}. Get the file again"
                    )
                buffer, start = buffer[start:] + more, 0
                space = buffer.find(b" ")
            word = buffer[start:space].lstrip(b"\n")  # word2vec itself ends each record with a newline
            if word in wanted:
                vector = np.frombuffer(buffer, "<f4", self.dim, space + 1).astype(np.float32)
                if not np.isfinite(vector).all():
                    where = int(np.argmin(np.isfinite(vector)))
                    raise ValueError(
                        f"Word {record} of {self.name}, {_shown(word)}, has {vector[where]} as value {where + 1}: get "
                        f"the file again, or train the vectors again"
                    )
                yield word, vector
            elif not word.isascii():
                n_broken += not _is_utf8(word)
            start = space + 1 + 4 * self.dim
        if n_broken:
            warn(
                f"{n_broken} of the {self.n_words} words of {self.name} are not valid UTF-8 and were left out",
                EmbeddingCoverageWarning,
            )


@contextmanager
def open_vectors(path: str | os.PathLike[str]) -> Iterator[VectorFile]:
    """Open a file of word vectors in any of the formats, which its content tells.

    Parameters
    ----------
    path : str or PathLike
        GloVe text, word2vec text or binary, or fastText ``.vec``; plain, or compressed with gzip, bzip2, xz or in a zip
        archive of one file.

    Yields
    ------
    file : VectorFile

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is empty, is no file of vectors, or its first lines are broken.
    """
    path = os.path.expanduser(path)
    name = repr(path)
    if os.path.isdir(path):
        raise ValueError(f"{name} is a folder, but a file of word vectors is wanted")
    if not os.path.exists(path):
        raise FileNotFoundError(f"There is no file {name} of word vectors (looked for in {os.getcwd()!r})")
    with _damage_explained(name), _decompressed(path, name) as stream:
        yield _identify(stream, name)


@contextmanager
def _decompressed(path: str | os.PathLike[str], name: str) -> Iterator[IO[bytes]]:
    """The content of a file, whose first bytes tell how it is compressed."""
    with open(path, "rb") as file:
        start = file.read(8)
        file.seek(0)
        if start.startswith(b"PK\x03\x04"):
            with zipfile.ZipFile(file) as archive:
                members = [member for member in archive.namelist() if not member.endswith("/")]
                if len(members) != 1:
                    raise ValueError(f"{name} is a zip archive of {members}: unpack it, and give the path of one file")
                with archive.open(members[0]) as stream:
                    yield stream
            return
        for magic, advice in OTHER_FORMATS.items():
            if start.startswith(magic):
                raise ValueError(f"{name} is no file of word vectors but {advice}")
        openers: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
        opener = next((opener for magic, opener in openers.items() if start.startswith(magic)), None)
        if opener is None:
            yield file
        else:
            with opener(file, "rb") as stream:
                yield stream


@contextmanager
def _damage_explained(name: str) -> Iterator[None]:
    """Say which file it was that could not be decompressed."""
    try:
        yield
    except (EOFError, OSError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
        if isinstance(error, OSError) and error.errno is not None:  # from the system, not from a decompressor
            raise
        raise ValueError(f"{name} is cut off or damaged ({error}): get the file again") from error


def _identify(stream: IO[bytes], name: str) -> VectorFile:
    """Tell the format from the first line and, behind a header, from the first record."""
    number, first = next(_lines(stream, name, first=1), (0, b""))
    if number == 0:
        raise ValueError(f"{name} is empty, but word vectors are wanted")
    skipped = len(BOM) if first.startswith(BOM) else 0
    first = first[skipped:]
    header = HEADER.match(first)
    if header:
        n_words, dim = int(header[1]), int(header[2])
        if dim == 0:
            raise ValueError(f"The header {_shown(first)} in line 1 of {name} promises vectors of 0 values")
        position = stream.tell()
        binary = not _looks_like_text(stream.readline(min(64 * dim + LONGEST_WORD, LONGEST_LINE)))
        stream.seek(position)
        return VectorFile(name, stream, dim, n_words, binary)
    try:
        first.decode()
    except UnicodeDecodeError as error:
        _refuse_encoding(name, 1, error)
    fields = first.split()
    dim = min(_count_from_right(fields, _is_float), len(fields) - 1)
    if dim < 1:
        raise ValueError(
            f"Line 1 of {name} must be a word and its values, with spaces between, or a header, which is the number of "
            f"words and that of values; got {_shown(first)}"
        )
    stream.seek(skipped)
    return VectorFile(name, stream, dim, None, False)


def _looks_like_text(record: bytes) -> bool:
    """Whether what follows a header is a line of text: at least half of the fields behind the word are numbers."""
    values = record.split()[1:]
    return not record or 2 * sum(map(_is_number, values)) >= max(len(values), 1)


def _lines(stream: IO[bytes], name: str, *, first: int) -> Iterator[tuple[int, bytes]]:
    """The lines, numbered from `first` on, without the white space at their end."""
    number = first
    while line := stream.readline(LONGEST_LINE):
        if len(line) == LONGEST_LINE:
            raise ValueError(
                f"Line {number} of {name} is longer than {LONGEST_LINE} bytes: it is no file of word vectors"
            )
        yield number, line.rstrip(b" \t\r\n")
        number += 1


def _count_from_right(fields: list[bytes], holds: Callable[[bytes], bool]) -> int:
    """How many of the last fields have a property."""
    return next((k for k, field in enumerate(reversed(fields)) if not holds(field)), len(fields))


def _is_number(field: bytes) -> bool:
    """Whether a field is a finite number as files write it; ``float`` also takes words such as "nan" and "inf"."""
    return NUMBER.match(field) is not None


def _is_float(field: bytes) -> bool:
    """Whether ``float`` reads a field, which may stand for NaN or an infinity."""
    try:
        float(field)
    except ValueError:
        return False
    return True


def _is_utf8(word: bytes) -> bool:
    """Whether a word can be decoded."""
    try:
        word.decode()
    except UnicodeDecodeError:
        return False
    return True


def _shown(text: bytes) -> str:
    """A piece of a file as errors quote it."""
    decoded = text.decode(errors="backslashreplace")
    return repr(decoded if len(decoded) <= 60 else decoded[:57] + "...")


def _refuse_encoding(name: str, number: int, error: UnicodeDecodeError) -> NoReturn:
    """Say which byte of a line is not UTF-8."""
    raise ValueError(
        f"Line {number} of {name} is not UTF-8: byte {error.start + 1} of the line is "
        f"0x{error.object[error.start]:02x}. Re-save the file as UTF-8"
    ) from error
