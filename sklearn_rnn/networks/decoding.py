"""New sequences of symbols from a network that predicts the next one: drawn, the best at each step, or by beams."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn.networks import beams
from sklearn_rnn.networks.choosing import Decoding, Draws, Rules
from sklearn_rnn.networks.generating import Lanes, Writer, make_writer
from sklearn_rnn.networks.stepping import Stepper

__all__ = ["Decoding", "Draws", "SymbolDecoder"]

Array = NDArray[Any]
Stop = Callable[[int, Array], bool]

SIDE_BY_SIDE = 64
"""Sequences that grow at a time: as many make products of matrices fast, and their states stay in the cache."""

MOST_BEAMS = 128
"""Beams that grow at a time, if those of one sequence are not more; their states are wanted again less often."""

MOST_STEPS, LONG = 256, 0.02
"""Steps of a call at most, and seconds from which the next one takes fewer: a Ctrl-C and symbols wait for its end."""


def rows_of_beams(num_beams: int) -> int:
    """Rows of a stepper that make a search with `num_beams` for each sequence fast."""
    return num_beams * max(1, MOST_BEAMS // num_beams)


class SymbolDecoder:
    """Writes sequences of symbols with a network that goes on step by step.

    A network has an output for each symbol. A sequence gets the same symbols whatever sequences are written beside it,
    in whatever order.

    Parameters
    ----------
    stepper : Stepper
        Its rows, one at least, are taken over. More than 64 do not make it faster.
    read : callable
        ``read(symbols, numbers)`` returns what :meth:`Stepper.advance` reads, given symbols (n,) of the sequences
        `numbers` (n,): an array (n,) of indices of embedded tokens, or columns with the token as the first one. Other
        columns are the same at all steps of a sequence.
    end : int or None
        The symbol that ends a sequence. As the first symbol of a prompt it is where a sequence begins: no rule against
        repetitions counts it there.
    never : sequence of int
        Symbols that are never written.
    begin : callable or None
        ``begin(rows, numbers)`` puts rows (n,) of the stepper where the sequences `numbers` (n,) begin; by default that
        is before the first step. The sequences are those of `prompts`, by their place.
    """

    def __init__(
        self,
        stepper: Stepper,
        read: Callable[[Array, Array], Array],
        *,
        end: int | None,
        never: Sequence[int] = (),
        begin: Callable[[Array, Array], None] | None = None,
        limits: Array | None = None,
    ) -> None:
        self._stepper = stepper
        self._limits = limits
        self._begin = begin or (lambda rows, numbers: stepper.reset(rows))
        self._end = -1 if end is None else int(end)
        self._banned = np.zeros(stepper.outputs.shape[1], bool)
        self._banned[list(never)] = True
        self._writer: Writer = make_writer(stepper, read)

    def sample(
        self, prompts: Sequence[Any], decoding: Decoding, draws: Draws | None = None, stop: Stop | None = None
    ) -> tuple[list[Array], list[Array]]:
        """New symbols after each prompt.

        Parameters
        ----------
        prompts : sequence of arrays of int, shape (n_read,)
            What the network reads first, at least one symbol.
        decoding : Decoding
        draws : Draws or None
            Of as many sequences as there are prompts; not needed where the temperature is 0.
        stop : callable or None
            ``stop(number, symbols)`` says whether a sequence ends, given the place of its prompt, and after each new
            symbol all new ones so far.

        Returns
        -------
        symbols : list of arrays of int64, shape (n_new,)
            With the end, where it came.
        log_probabilities : list of arrays of float64, shape (n_new,)
            Of each new symbol under the network, whatever was cut off or penalised.
        """
        found: dict[int, tuple[Array, Array]] = {}
        arrays = self._arrays(prompts)
        lanes = self._lanes(min(SIDE_BY_SIDE, len(arrays)))
        waiting = iter(range(len(arrays)))
        pace = _Pace(8, MOST_STEPS if stop is None else MOST_STEPS // 16)
        free = np.arange(len(lanes.open))
        while len(found) < len(arrays):
            self._fill(lanes, list(zip(free.tolist(), waiting, strict=False)), arrays, decoding, found)
            rows = np.flatnonzero(lanes.open)
            if len(rows):
                self._write(lanes, rows, decoding, draws, stop, pace)
            free = np.flatnonzero(~lanes.open)
            for row in rows[~lanes.open[rows]]:
                found[int(lanes.numbers[row])] = lanes.new(row)
        return [found[k][0] for k in range(len(arrays))], [found[k][1] for k in range(len(arrays))]

    def iterate(
        self, prompt: Any, decoding: Decoding, draws: Draws | None = None, stop: Stop | None = None
    ) -> Iterator[int]:
        """The symbols that :meth:`sample` returns for one prompt, one at a time, as they are made."""
        lanes, pace = self._lanes(1), _Pace(1, MOST_STEPS // 8)
        self._fill(lanes, [(0, 0)], self._arrays([prompt]), decoding, {})
        given = 0
        while lanes.open[0]:
            self._write(lanes, np.array([0]), decoding, draws, stop, pace)
            symbols, _ = lanes.new(0)
            yield from symbols[given:].tolist()
            given = len(symbols)

    def beams(
        self,
        prompts: Sequence[Any],
        decoding: Decoding,
        num_beams: int,
        length_penalty: float = 1.0,
        num_return: int = 1,
        stop: Stop | None = None,
    ) -> tuple[list[list[Array]], list[list[float]]]:
        """The best sequences after each prompt that a beam search finds, best first.

        The rules against repetitions and for a least length hold for their logarithms of probabilities; what concerns
        draws, the temperature among it, does not matter.

        Parameters
        ----------
        prompts, decoding, stop
            As in :meth:`sample`.
        num_beams : int
            Sequences that are looked at side by side; the stepper has as many rows, or some times as many, so that
            several prompts are searched at a time. See :func:`rows_of_beams`.
        length_penalty : float
        num_return : int
            At most `num_beams`.

        Returns
        -------
        symbols : list of lists of arrays of int64, shape (n_new,)
            For each prompt `num_return` sequences, or fewer where there are no more.
        scores : list of lists of float
            The logarithms of their probabilities over ``n_new ** length_penalty``.

        Raises
        ------
        ValueError
            If `num_beams` or `num_return` is out of range.
        """
        beams.check(num_beams, num_return, length_penalty, len(self._stepper.n_steps))
        arrays = self._arrays(prompts)
        search = beams.BeamSearch(self._writer, self._rules(decoding), num_beams, length_penalty, stop)
        lanes = self._lanes(min(rows_of_beams(num_beams), num_beams * len(arrays)))
        found = search.run(lanes, len(arrays), lambda places: self._fill(lanes, places, arrays, decoding, {}))
        best = [hypotheses[:num_return] for hypotheses in found]
        return [[one.symbols for one in each] for each in best], [[one.score for one in each] for each in best]

    def _arrays(self, prompts: Sequence[Any]) -> list[Array]:
        """The prompts as arrays.

        Raises
        ------
        ValueError
            If one is empty, or has a symbol that there is not.
        """
        arrays = [np.asarray(prompt, dtype=np.int64) for prompt in prompts]
        K = len(self._banned)
        together = np.concatenate([np.arange(0), *arrays])
        sound = together.min(initial=0) >= 0 and together.max(initial=0) < K and all(map(len, arrays))
        for k, prompt in enumerate(() if sound else arrays):
            if not prompt.size or prompt.min() < 0 or prompt.max() >= K:
                given = f"{prompt.tolist()!r:.60}"
                raise ValueError(f"prompt {k} is {given}, wanted one or more integers from 0 to {K - 1}")
        return arrays

    def _rules(self, decoding: Decoding) -> Rules:
        return Rules(decoding, self._end, self._banned)

    def _lanes(self, n: int) -> Lanes:
        return Lanes(min(n, len(self._stepper.n_steps)))

    def _fill(
        self,
        lanes: Lanes,
        places: list[tuple[int, int]],
        prompts: Sequence[Array],
        decoding: Decoding,
        found: dict[int, tuple[Array, Array]],
    ) -> None:
        """Begin sequences in rows, given as pairs of row and number; those that get no symbol are `found` at once."""
        for row, number in places:
            most = decoding.max_new_tokens
            if self._limits is not None:
                most = min(most, int(self._limits[number]))
            lanes.start(row, number, prompts[number], most)
            if not lanes.open[row]:
                found[number] = lanes.new(row)
        rows = np.array([row for row, _ in places if lanes.open[row]], dtype=np.int64)
        if not len(rows):
            return
        self._begin(rows, lanes.numbers[rows])
        self._writer.begin(lanes, rows)
        nothing = np.empty((len(rows), 0))
        while lanes.unread(rows).any():
            self._writer.write(lanes, rows, nothing, self._rules(decoding), MOST_STEPS // 4)

    def _write(
        self, lanes: Lanes, rows: Array, decoding: Decoding, draws: Draws | None, stop: Stop | None, pace: _Pace
    ) -> None:
        """Some more symbols of the sequences in `rows`."""
        width = min(pace.n_steps, decoding.max_new_tokens)
        if decoding.temperature == 0 or draws is None:
            uniforms = np.zeros((len(rows), width))
        else:
            uniforms = draws.uniform(lanes.numbers[rows], width)
        before = lanes.n_new[rows]
        with pace:
            self._writer.write(lanes, rows, uniforms, self._rules(decoding), width)
        if stop is None:
            return
        for row, n in zip(rows, before, strict=True):
            symbols, _ = lanes.new(row)
            for k in range(n + 1, len(symbols) + 1):
                if stop(int(lanes.numbers[row]), symbols[:k]):
                    lanes.shorten(row, k)
                    break


class _Pace:
    """How many steps a call takes: more and more, as long as it is short."""

    def __init__(self, first: int, most: int) -> None:
        self.n_steps, self._most = first, most

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, *error: object) -> None:
        took = time.perf_counter() - self._began
        if took < LONG / 2:
            self.n_steps = min(2 * self.n_steps, self._most)
        elif took > LONG:
            self.n_steps = max(1, self.n_steps // 2)
