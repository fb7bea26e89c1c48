"""Sequences that grow symbol by symbol, side by side in the rows of a stepper."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn.networks.choosing import NO_SYMBOL, Rules, log_probabilities
from sklearn_rnn.networks.engines import current_engine
from sklearn_rnn.networks.fused import PART
from sklearn_rnn.networks.packed_weights import PackedWeights
from sklearn_rnn.networks.stepping import CompiledStepper, Stepper

Array = NDArray[Any]

READ, KNOWN, PROMPT, LIMIT = range(4)
"""Columns of the places of a row: how many of its symbols the network has read, how many there are, how many of them
are the prompt, and how many there may be."""

ROWS_OF_A_PART = 16
"""Sequences for a thread at least: fewer make products of matrices slow."""


class Lanes:
    """What is known of the sequences in the rows of a stepper.

    Parameters
    ----------
    n_rows : int

    Attributes
    ----------
    numbers : array of int64, shape (n_rows,)
        Which of all sequences each is.
    tokens : array of int64, shape (n_rows, capacity)
        The symbols of each: the prompt, then what is new.
    scores : array of float64, shape (n_rows, capacity)
        The logarithms of the probabilities of new symbols, at the same places.
    places : array of int64, shape (n_rows, 4)
    open : array of bool, shape (n_rows,)
        Which of them go on.
    """

    def __init__(self, n_rows: int) -> None:
        self.numbers = np.zeros(n_rows, np.int64)
        self.tokens = np.zeros((n_rows, 16), np.int64)
        self.scores = np.zeros((n_rows, 16))
        self.places = np.zeros((n_rows, 4), np.int64)
        self.open = np.zeros(n_rows, bool)

    def start(self, row: int, number: int, prompt: Array, max_new: int) -> None:
        """Put the `prompt` of a sequence into a row."""
        n = len(prompt)
        self.make_room(n)
        self.numbers[row] = number
        self.tokens[row, :n] = prompt
        self.places[row] = 0, n, n, n + max_new
        self.open[row] = max_new > 0

    def make_room(self, n: int) -> None:
        """Let sequences have `n` symbols."""
        n_rows, capacity = self.tokens.shape
        if n > capacity:
            more = max(n, 2 * capacity) - capacity
            self.tokens = np.concatenate([self.tokens, np.zeros((n_rows, more), np.int64)], axis=1)
            self.scores = np.concatenate([self.scores, np.zeros((n_rows, more))], axis=1)

    @property
    def n_new(self) -> Array:
        """How many new symbols each row has, (n_rows,)."""
        return self.places[:, KNOWN] - self.places[:, PROMPT]

    def text(self, row: int) -> Array:
        """All symbols of a row."""
        return self.tokens[row, : self.places[row, KNOWN]]

    def new(self, row: int) -> tuple[Array, Array]:
        """The new symbols of a row, and the logarithms of their probabilities."""
        _, known, prompt, _ = self.places[row]
        return self.tokens[row, prompt:known].copy(), self.scores[row, prompt:known].copy()

    def shorten(self, row: int, n_new: int) -> None:
        """Keep the first `n_new` new symbols of a row, and end it."""
        self.places[row, KNOWN] = self.places[row, PROMPT] + n_new
        self.open[row] = False

    def unread(self, rows: Array) -> Array:
        """How many symbols of each of the `rows` the network reads before a new one follows, less the last."""
        return self.places[rows, KNOWN] - self.places[rows, READ] - 1


class Writer(ABC):
    """What makes the sequences of lanes longer.

    Parameters
    ----------
    stepper : Stepper
    read : callable
        See :class:`~sklearn_rnn.networks.decoding.SymbolDecoder`.
    """

    def __init__(self, stepper: Stepper, read: Callable[[Array, Array], Array]) -> None:
        self.stepper, self.read = stepper, read

    def begin(self, lanes: Lanes, rows: Array) -> None:  # noqa: B027, for some there is nothing to do
        """Get ready for the sequences that have been put into `rows`."""

    @abstractmethod
    def write(self, lanes: Lanes, rows: Array, uniforms: Array, rules: Rules, n_steps: int) -> None:
        """Take up to `n_steps` steps.

        A sequence reads what is known of it, and then gets a new symbol a step, until it has ended or has used up its
        random numbers.

        Parameters
        ----------
        lanes : Lanes
        rows : array of int64, shape (n,)
        uniforms : array of float64, shape (n, n_new)
            Random numbers of the sequences in `rows`.
        rules : Rules
        n_steps : int
        """


class StepWriter(Writer):
    """A call of the stepper for each step."""

    def write(self, lanes: Lanes, rows: Array, uniforms: Array, rules: Rules, n_steps: int) -> None:
        places, used = lanes.places, np.zeros(len(rows), np.int64)
        for _ in range(n_steps):
            going = lanes.open[rows] & ((lanes.unread(rows) > 0) | (used < uniforms.shape[1]))
            live = rows[going]
            if not len(live):
                return
            advance(self.stepper, self.read, lanes.tokens[live, places[live, READ]], live, lanes.numbers[live])
            places[live, READ] += 1
            writing = going & (places[rows, READ] == places[rows, KNOWN])
            self._add(lanes, rows[writing], uniforms[writing, used[writing]], rules)
            used[writing] += 1

    def _add(self, lanes: Lanes, rows: Array, uniforms: Array, rules: Rules) -> None:
        """Give each of the `rows` (n,) the symbol that its number in `uniforms` (n,) makes of its outputs."""
        if not len(rows):
            return
        outputs = self.stepper.outputs[rows]
        texts = [lanes.text(row) for row in rows]
        symbols = rules.choose(rules.processed(outputs, texts, lanes.n_new[rows]), uniforms)
        lanes.open[rows[symbols == NO_SYMBOL]] = False
        scores = np.take_along_axis(log_probabilities(outputs), symbols[:, None], axis=1)[:, 0]
        there = symbols != NO_SYMBOL
        rows, symbols, scores = rows[there], symbols[there], scores[there]
        places = lanes.places[rows]
        lanes.make_room(int(places[:, KNOWN].max(initial=0)) + 1)
        lanes.tokens[rows, places[:, KNOWN]], lanes.scores[rows, places[:, KNOWN]] = symbols, scores
        lanes.places[rows, KNOWN] += 1
        lanes.open[rows] = (symbols != rules.end) & (places[:, KNOWN] + 1 < places[:, LIMIT])


def advance(
    stepper: Stepper, read: Callable[[Array, Array], Array], tokens: Array, rows: Array, numbers: Array
) -> None:
    """Let `rows` (n,) of the stepper read `tokens` (n,) of the sequences `numbers` (n,).

    Raises
    ------
    ValueError
        If a number that is read beside a token is not finite.
    """
    values = read(tokens, numbers)
    place = stepper.advance(values, rows)
    if place >= 0:
        raise _not_finite(numbers[place // max(1, values.size // len(rows))], values.reshape(-1)[place])


def _not_finite(number: int, value: float) -> ValueError:
    return ValueError(f"sequence {number} reads {float(value)!r} beside its symbols, but finite numbers are wanted")


class CompiledWriter(Writer):
    """Many steps in a call of a kernel."""

    stepper: CompiledStepper

    def __init__(self, stepper: CompiledStepper, read: Callable[[Array, Array], Array]) -> None:
        from sklearn_rnn.kernels.generation import generate

        super().__init__(stepper, read)
        self._generate = generate
        self._weights: PackedWeights | None = None
        self._beside: Array = np.zeros((len(stepper.outputs), 0), stepper.dtype)
        self._seen: Array = np.zeros(stepper.outputs.shape, bool)

    @staticmethod
    def serves(stepper: CompiledStepper) -> bool:
        """Whether the kernel computes what a stepper does, and all that it reads is embedded or plain numbers."""
        return (
            stepper.pooling in (None, "last")
            and stepper.inputs is not None
            and stepper.inputs.character_encoder is None
        )

    def begin(self, lanes: Lanes, rows: Array) -> None:
        numbers = lanes.numbers[rows]
        n_token = self.stepper.inputs.token_embedding.embedding_dim
        if self._weights is None:
            symbols = np.arange(self._seen.shape[1])
            vectors = self.stepper.vectors(self.read(symbols, np.full(len(symbols), numbers[0])))
            self._weights = PackedWeights(*self.stepper.parts[:4], vectors, n_token)
            self._beside = np.zeros((len(self._seen), vectors.shape[1] - n_token), self.stepper.dtype)
        self._seen[rows] = False
        if self._beside.shape[1]:
            beside = self.stepper.vectors(self.read(lanes.tokens[rows, 0], numbers))[:, n_token:]
            with np.errstate(over="ignore"):
                self._beside[rows] = beside
            unfit = np.argwhere(~np.isfinite(self._beside[rows]))
            if len(unfit):
                raise _not_finite(numbers[unfit[0, 0]], beside[tuple(unfit[0])])

    def write(self, lanes: Lanes, rows: Array, uniforms: Array, rules: Rules, n_steps: int) -> None:
        assert self._weights is not None
        lanes.make_room(int(lanes.places[rows, KNOWN].max()) + uniforms.shape[1])
        known = (lanes.tokens, lanes.scores, lanes.places, lanes.open, self._seen)
        weights = self._weights
        network = (weights.table, self._beside, weights.layers, weights.head, weights.narrow, weights.wide)
        streams = (self.stepper.parts[4], self.stepper.n_steps, self.stepper.outputs)
        rest = (n_steps, known, (*rules.as_arrays(), rules.banned), network, streams)
        n_parts = max(1, min(current_engine().n_threads, len(rows) // ROWS_OF_A_PART))
        parts = zip(np.array_split(rows, n_parts), np.array_split(uniforms, n_parts), strict=True)
        small = len(rows) * n_steps * weights.narrow.size < PART
        current_engine().share(self._generate, [(*part, *rest) for part in parts], small=small)


def make_writer(stepper: Stepper, read: Callable[[Array, Array], Array]) -> Writer:
    """The writer that is the fastest with a stepper."""
    if isinstance(stepper, CompiledStepper) and CompiledWriter.serves(stepper):
        return CompiledWriter(stepper, read)
    return StepWriter(stepper, read)
