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
    """Beams of some sequences side by side.

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

    def run(self, lanes: Lanes, numbers: Array) -> list[list[Hypothesis]]:
        """The best hypotheses of the sequences `numbers` (n,), whose prompts are in every `num_beams`-th row."""
        stepper = self.writer.stepper
        searches = [_Search(self, lanes, k * self.num_beams, int(number)) for k, number in enumerate(numbers)]
        while going := [search for search in searches if len(search.totals)]:
            rows = np.concatenate([search.rows for search in going])
            tokens = lanes.tokens[rows, lanes.places[rows, READ]]
            advance(stepper, self.writer.read, tokens, rows, lanes.numbers[rows])
            lanes.places[rows, READ] += 1
            lanes.make_room(int(lanes.places[rows, KNOWN].max()) + 1)
            sources, targets = zip(*[search.step(lanes, stepper.outputs) for search in going], strict=True)
            stepper.copy(np.concatenate(sources), np.concatenate(targets))
        return [search.best() for search in searches]


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
        self._search, self._first, self._number = search, first, number
        self._limit = int(lanes.places[first, LIMIT] - lanes.places[first, PROMPT])
        self._hypotheses: list[Hypothesis] = []
        self.totals = np.zeros(int(self._limit > 0))
        if not self._limit:
            self._add(np.empty(0, np.int64), 0.0)

    @property
    def rows(self) -> Array:
        """The rows of its beams."""
        return np.arange(self._first, self._first + len(self.totals))

    def best(self) -> list[Hypothesis]:
        """The hypotheses, best first."""
        return sorted(self._hypotheses, key=lambda one: -one.score)

    def step(self, lanes: Lanes, outputs: Array) -> tuple[Array, Array]:
        """Go on from the `outputs` (n_rows, K) of the stepper; which rows the new beams come from, and their own."""
        search, rows = self._search, self.rows
        n_new = int(lanes.places[rows[0], KNOWN] - lanes.places[rows[0], PROMPT])
        texts = [lanes.text(row) for row in rows]
        totals = self.totals[:, None] + search.rules.processed(log_probabilities(outputs[rows]), texts, n_new)
        kept: list[tuple[int, int, float]] = []
        best = np.argsort(-totals, axis=None, kind="stable")[: 2 * search.num_beams]
        for rank, (beam, symbol) in enumerate(zip(*np.unravel_index(best, totals.shape), strict=True)):
            total = float(totals[beam, symbol])
            if total == -math.inf or len(kept) == search.num_beams:
                break
            symbols = np.append(texts[beam][lanes.places[rows[0], PROMPT] :], symbol)
            if not self._ended(symbols):
                kept.append((int(beam), int(symbol), total))
            elif rank < search.num_beams:
                self._add(symbols, total)
        if n_new + 1 == self._limit:
            for beam, symbol, total in kept:
                self._add(np.append(texts[beam][lanes.places[rows[0], PROMPT] :], symbol), total)
            kept = []
        if kept and self._done(kept[0][2], n_new + 1):
            kept = []
        return self._go_on(lanes, kept)

    def _ended(self, symbols: Array) -> bool:
        """Whether a sequence with these new symbols goes no further."""
        stop = self._search.stop
        return bool(symbols[-1] == self._search.rules.end or (stop is not None and stop(self._number, symbols)))

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
        sources = np.array([self._first + beam for beam, _, _ in kept], dtype=np.int64)
        targets = self.rows
        places = lanes.places[sources]
        lanes.tokens[targets], lanes.numbers[targets] = lanes.tokens[sources], self._number
        lanes.tokens[targets, places[:, KNOWN]] = symbols
        lanes.places[targets] = places
        lanes.places[targets, KNOWN] += 1
        return sources, targets
