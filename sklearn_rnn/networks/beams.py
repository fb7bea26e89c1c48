"""Beam search as Hugging Face's transformers have it (``early_stopping=False``).

At each step the most probable continuations of all beams of a sequence are looked at. Those that end, if they are
among the best, are hypotheses and stay as they are; the best others are the beams of the next step. A search ends where
no beam would be better than the worst hypothesis if it ended now.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn.networks.choosing import Rules, log_probabilities
from sklearn_rnn.networks.generating import KNOWN, LIMIT, PROMPT, READ, Lanes, Writer, advance
from sklearn_rnn.networks.stepping import Stepper

Array = NDArray[Any]


@dataclass(frozen=True)
class Hypothesis:
    """New symbols, and what they are worth."""

    symbols: Array
    score: float


def check(num_beams: Any, num_return: Any, length_penalty: Any, n_rows: int) -> None:
    """Refuse what no search can be made of.

    Raises
    ------
    ValueError
    """
    for name, value in (("num_beams", num_beams), ("num_return_sequences", num_return)):
        if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
            raise ValueError(f"{name} is {value!r}, wanted an integer from 1 on")
    if num_return > num_beams:
        raise ValueError(
            f"num_return_sequences is {num_return!r}, more than num_beams, which is {num_beams!r}: a search finds as "
            f"many sequences as it has beams. Raise num_beams"
        )
    if num_beams > n_rows:
        raise ValueError(f"num_beams is {num_beams!r}, but the stepper has {n_rows} row(s). Make one with more")
    if not isinstance(length_penalty, Real) or not math.isfinite(length_penalty):
        raise ValueError(
            f"length_penalty is {length_penalty!r}, wanted a finite number: 0 compares probabilities, 1.0 their mean a "
            f"symbol, more than that favours long sequences"
        )


@dataclass(frozen=True)
class BeamSearch:
    """Beams of some sequences side by side, each set of them in as many rows that follow each other.

    Attributes
    ----------
    writer : Writer
        Of the stepper in whose rows the beams go on.
    rules : Rules
    num_beams : int
    length_penalty : float
    stop : callable or None
    """

    writer: Writer
    rules: Rules
    num_beams: int
    length_penalty: float
    stop: Callable[[int, Array], bool] | None

    def run(
        self, lanes: Lanes, n_sequences: int, begin: Callable[[list[tuple[int, int]]], None]
    ) -> list[list[Hypothesis]]:
        """The best hypotheses of each sequence.

        Parameters
        ----------
        lanes : Lanes
            With rows for as many sequences as are searched for side by side.
        n_sequences : int
        begin : callable
            Puts the prompts of sequences into rows, given as pairs of row and number.
        """
        stepper = self.writer.stepper
        found: dict[int, list[Hypothesis]] = {}
        going: list[_Search] = []
        waiting = iter(range(n_sequences))
        free = list(range(0, len(lanes.open) - self.num_beams + 1, self.num_beams))
        while len(found) < n_sequences:
            fresh = list(zip(free, waiting, strict=False))
            free = free[len(fresh) :]
            begin(fresh)
            going += [_Search(self, lanes, row, number) for row, number in fresh]
            live = [search for search in going if len(search.totals)]
            if live:
                self._step(lanes, live, stepper)
            for search in going:
                if not len(search.totals):
                    found[search.number] = search.best()
                    free.append(search.first)
            going = [search for search in going if len(search.totals)]
        return [found[number] for number in range(n_sequences)]

    def _step(self, lanes: Lanes, searches: list[_Search], stepper: Stepper) -> None:
        """Let all beams of some searches read their last symbols, and go on with the best ones."""
        rows = np.concatenate([search.rows for search in searches])
        tokens = lanes.tokens[rows, lanes.places[rows, READ]]
        advance(stepper, self.writer.read, tokens, rows, lanes.numbers[rows])
        lanes.places[rows, READ] += 1
        lanes.make_room(int(lanes.places[rows, KNOWN].max()) + 1)
        texts = [lanes.text(row) for row in rows]
        scores = self.rules.processed(log_probabilities(stepper.outputs[rows]), texts, lanes.n_new[rows])
        ends = np.cumsum([len(search.totals) for search in searches])
        of_searches = np.split(scores, ends[:-1])
        moves = [search.step(lanes, own) for search, own in zip(searches, of_searches, strict=True)]
        sources, targets = zip(*moves, strict=True)
        stepper.copy(np.concatenate(sources), np.concatenate(targets))


class _Search:
    """The beams and hypotheses of one sequence.

    Parameters
    ----------
    search : BeamSearch
    lanes : Lanes
    first : int
        The first of its rows, which holds the prompt.
    number : int

    Attributes
    ----------
    totals : array of float64, shape (n_beams,)
        The sum of the logarithms of each beam, one a row; empty at the end.
    """

    def __init__(self, search: BeamSearch, lanes: Lanes, first: int, number: int) -> None:
        self._search, self.first, self.number = search, first, number
        self._limit = int(lanes.places[first, LIMIT] - lanes.places[first, PROMPT])
        self._hypotheses: list[Hypothesis] = []
        self.totals = np.zeros(int(self._limit > 0))
        if not self._limit:
            self._add(np.empty(0, np.int64), 0.0)

    @property
    def rows(self) -> Array:
        """The rows of its beams."""
        return np.arange(self.first, self.first + len(self.totals))

    def best(self) -> list[Hypothesis]:
        """The hypotheses, best first."""
        return sorted(self._hypotheses, key=lambda one: -one.score)

    def step(self, lanes: Lanes, scores: Array) -> tuple[Array, Array]:
        """Go on with the `scores` (n_beams, K) of symbols; which rows the new beams come from, and their own."""
        search = self._search
        prompt, n_new = int(lanes.places[self.first, PROMPT]), int(lanes.n_new[self.first])
        texts = [lanes.text(row)[prompt:] for row in self.rows]
        totals = self.totals[:, None] + scores
        kept: list[tuple[int, int, float]] = []
        for rank, place in enumerate(_greatest(totals.ravel(), 2 * search.num_beams).tolist()):
            beam, symbol = divmod(place, totals.shape[1])
            total = float(totals[beam, symbol])
            if total == -math.inf or len(kept) == search.num_beams:
                break
            if not self._ended(texts[beam], symbol):
                kept.append((beam, symbol, total))
            elif rank < search.num_beams:
                self._add(np.append(texts[beam], symbol), total)
        if n_new + 1 == self._limit:
            for beam, symbol, total in kept:
                self._add(np.append(texts[beam], symbol), total)
            kept = []
        if kept and self._done(kept[0][2], n_new + 1):
            kept = []
        return self._go_on(lanes, kept)

    def _ended(self, text: Array, symbol: int) -> bool:
        """Whether a sequence goes no further that has the new symbols `text` and then `symbol`."""
        stop = self._search.stop
        return symbol == self._search.rules.end or (stop is not None and stop(self.number, np.append(text, symbol)))

    def _add(self, symbols: Array, total: float) -> None:
        """Keep a hypothesis if it is among the best."""
        score = total / len(symbols) ** self._search.length_penalty if len(symbols) else 0.0
        self._hypotheses = [*self.best(), Hypothesis(symbols, score)]
        self._hypotheses = self.best()[: self._search.num_beams]

    def _done(self, total: float, n_new: int) -> bool:
        """Whether the best beam, of this sum and length, is no better than the worst hypothesis."""
        full = len(self._hypotheses) == self._search.num_beams
        return full and self._hypotheses[-1].score >= total / n_new**self._search.length_penalty

    def _go_on(self, lanes: Lanes, kept: list[tuple[int, int, float]]) -> tuple[Array, Array]:
        """Put beams, given as which of the present ones they continue, symbol and sum, in the place of those."""
        symbols = np.array([symbol for _, symbol, _ in kept], dtype=np.int64)
        self.totals = np.array([total for _, _, total in kept], dtype=np.float64)
        sources = np.array([self.first + beam for beam, _, _ in kept], dtype=np.int64)
        targets = self.rows
        places = lanes.places[sources]
        lanes.tokens[targets], lanes.numbers[targets] = lanes.tokens[sources], self.number
        lanes.tokens[targets, places[:, KNOWN]] = symbols
        lanes.places[targets] = places
        lanes.places[targets, KNOWN] += 1
        return sources, targets


def _greatest(values: Array, n: int) -> Array:
    """The places of the `n` greatest of `values` (n_values,), the greatest first, of equal ones the first."""
    if len(values) <= n:
        return np.argsort(-values, kind="stable")
    candidates = np.flatnonzero(values >= np.partition(values, len(values) - n)[len(values) - n])
    return candidates[np.argsort(-values[candidates], kind="stable")[:n]]
