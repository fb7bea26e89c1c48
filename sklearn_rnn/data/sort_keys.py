"""Text as a key to sort by: what is in another order as text than it was meant."""

from __future__ import annotations

import re
from typing import Any

from numpy.typing import NDArray

from sklearn_rnn._warning import warn
from sklearn_rnn.exceptions import SequenceDataWarning

NUMBER = re.compile(r"(\d+)")
DAY_FIRST = re.compile(r"\d{1,2}\D\d{1,2}\D\d{2,4}(\D.*)?")
YEAR_FIRST = re.compile(r"\d{4}\D")
MONTHS = re.compile(r"\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\b", re.IGNORECASE)


def warn_of_text_order(texts: NDArray[Any], name: str) -> None:
    """Warn if the column `name` is text that stands for numbers or dates, and is in another order as text.

    Parameters
    ----------
    texts : array of str, shape (n_distinct,)
        The distinct entries in the order of text.
    name : str
    """
    entries = [str(text) for text in texts]
    if len(entries) < 2:
        return
    column = f"df[{name!r}]"
    if all(map(_is_date, entries)):
        _warn(
            f"sort_by={name!r} is text that looks like dates, such as {entries[0]!r}, and is sorted as text",
            f"Convert it first, for example {column} = pd.to_datetime({column})",
        )
        return
    numbers = _numbers(entries)
    ranks: list[Any] | None = _natural_order(entries) if numbers is None else numbers
    if ranks is None:
        return
    falls = [i for i in range(len(entries) - 1) if ranks[i] > ranks[i + 1]]
    if not falls:
        return
    if numbers is not None:
        advice = f"Convert it first, for example {column} = {column}.astype(float)"
    elif len(ranks[0]) == 1:
        advice = f"Convert it first, for example {column} = {column}.str.extract(r'(\\d+)', expand=False).astype(int)"
    else:
        advice = "Convert it to times, or write its numbers with leading zeros"
    _warn(f"sort_by={name!r} is text, which sorts {entries[falls[0]]!r} before {entries[falls[0] + 1]!r}", advice)


def _is_date(text: str) -> bool:
    """Whether a text is a date whose year does not come first."""
    if YEAR_FIRST.match(text):
        return False
    return bool(DAY_FIRST.fullmatch(text) or (MONTHS.search(text) and NUMBER.search(text)))


def _numbers(entries: list[str]) -> list[float] | None:
    """The entries as numbers, if all of them are."""
    try:
        return [float(entry) for entry in entries]
    except ValueError:
        return None


def _natural_order(entries: list[str]) -> list[tuple[int, ...]] | None:
    """The numbers in entries that differ in their numbers alone, as "step 2" and "step 10" do."""
    parts = [NUMBER.split(entry) for entry in entries]
    around = {tuple(part[::2]) for part in parts}
    if len(around) > 1 or len(parts[0]) < 2:
        return None
    return [tuple(int(number) for number in part[1::2]) for part in parts]


def _warn(what: str, advice: str) -> None:
    warn(f"{what}. {advice}", SequenceDataWarning)
