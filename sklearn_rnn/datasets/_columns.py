"""Files with a token a line and columns for what belongs to it, and an empty line after each sentence."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sklearn_rnn.exceptions import SequenceDataError

DOCUMENT = "-DOCSTART-"
"""The first column of a line that begins a document."""

_NOT_A_WORD = re.compile(r"\d+[-.]\d+")
_DOCUMENT_COMMENTS = ("# newdoc", "#begin document")
_BLANKS = re.compile(r"[ \t]+")


@dataclass(frozen=True)
class Layout:
    """What the lines of a file mean.

    Attributes
    ----------
    columns : sequence of int
        Those that are wanted; negative ones are counted from the last.
    separator : str or None
        What stands between columns; None is a tab if the first line of a token has one, and else blanks and tabs.
    comment : str or None
        What a line that is a comment begins with.
    numbered : bool
        Whether the first column numbers the words as CoNLL-U does: lines with a range, such as 1-2, or a decimal number
        are then none.
    """

    columns: Sequence[int]
    separator: str | None = None
    comment: str | None = None
    numbered: bool = False


@dataclass
class Columns:
    """What a file holds."""

    columns: list[list[list[str]]]
    """For each wanted column its entries in each sentence."""
    documents: list[int] = field(default_factory=list)
    """The number of the document of each sentence."""
    n_documents: int = 0
    """How many documents there are, 0 if no line begins one."""


def read_columns(lines: Iterable[str], layout: Layout, *, name: str = "line") -> Columns:
    """Read the lines of a file.

    Parameters
    ----------
    lines : iterable of str
        Without the newline at their end.
    layout : Layout
    name : str
        What to call a line in errors, before its number.

    Returns
    -------
    columns : Columns

    Raises
    ------
    SequenceDataError
        If a line has too few columns, an empty entry in a wanted one, or another number of columns than the first where
        they are counted from the last; the message has its number.
    """
    found = Columns([[] for _ in layout.columns])
    sentence: list[list[str]] = []
    split = _Splitter(layout, name)

    def begin_document() -> None:
        end_sentence()
        found.n_documents += 2 if found.documents and not found.n_documents else 1  # what came before is one too

    def end_sentence() -> None:
        if sentence:  # empty lines may follow one another
            for column, entries in zip(found.columns, zip(*sentence, strict=True), strict=True):
                column.append(list(entries))
            found.documents.append(max(found.n_documents - 1, 0))
            sentence.clear()

    for number, line in enumerate(lines, start=1):
        line = line.rstrip("\r")
        if not line.strip(" \t"):
            end_sentence()
        elif line.startswith(DOCUMENT) and not line[len(DOCUMENT) :][:1].strip():
            begin_document()
        elif layout.comment is not None and line.startswith(layout.comment):
            if line.startswith(_DOCUMENT_COMMENTS):
                begin_document()
        else:
            entries = split(line, number)
            if entries is not None:
                sentence.append(entries)
    end_sentence()
    return found


class _Splitter:
    """Takes the wanted entries out of lines, which must all be alike."""

    def __init__(self, layout: Layout, name: str) -> None:
        self.layout = layout
        self.name = name
        self.separator = layout.separator
        self.width: int | None = None
        self.from_last = any(column < 0 for column in layout.columns)
        both_ends = self.from_last and any(column >= 0 for column in layout.columns)  # one column cannot be both
        self.wanted = max(1 + both_ends, *(column + 1 if column >= 0 else -column for column in layout.columns))

    def __call__(self, line: str, number: int) -> list[str] | None:
        """The wanted entries of a line, None if it holds no word."""
        if self.separator is None and self.width is None:
            self.separator = "\t" if "\t" in line else None
        entries = _BLANKS.split(line.strip(" \t")) if self.separator is None else line.split(self.separator)
        if self.layout.numbered and _NOT_A_WORD.fullmatch(entries[0]):
            return None
        if len(entries) < self.wanted or (self.from_last and self.width not in (None, len(entries))):
            raise SequenceDataError(self._why(line, number, len(entries)))
        self.width = len(entries)
        taken = [entries[column] for column in self.layout.columns]
        if not all(taken):
            column = self.layout.columns[taken.index("")]
            raise SequenceDataError(f"{self.name} {number} has nothing in column {column}: {line!r:.80}")
        return taken

    def _why(self, line: str, number: int, found: int) -> str:
        """What is wrong with a line with too few columns, or other ones than the lines before."""
        between = "blanks" if self.separator is None else repr(self.separator)
        if found < self.wanted:
            wanted = f"at least {self.wanted}"
        else:
            wanted = f"{self.width} as in the lines before, as columns are counted from the last"
        advice = "Name the separator and the columns that the file has"
        if line.startswith("#") and self.layout.comment is None:
            advice = "Lines that are comments are left out with comment='#'"
        return f"{self.name} {number} has {found} column(s) between {between}, wanted {wanted}: {line!r:.80}. {advice}"
