"""How the next symbol is chosen from the outputs of a network, for some sequences at a time.

- n: sequences, K: symbols.
- Scores (n, K) are logits or logarithms of probabilities, in float64; those of symbols that must not come are -inf.

All sums run from the first number to the last, as in ``sklearn_rnn.kernels.choosing``, which chooses the same symbols.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

LEAST_TEMPERATURE = 1e-290
"""What is divided by at least; the symbols that remain are the same below it."""

NO_SYMBOL = -1
"""In the place of a symbol: none may follow."""


@dataclass(frozen=True)
class Decoding:
    """How symbols are chosen; names and meaning are those of ``generate`` of Hugging Face's transformers.

    What changes scores comes in this order: repetition penalty, n-grams that must not repeat, the least number of new
    symbols, then, where symbols are drawn, temperature, `top_k`, `top_p` and `min_p`.

    Parameters
    ----------
    max_new_tokens : int
        Symbols after the prompt at most, the end among them.
    min_new_tokens : int, default=0
        The end does not come as one of so many first new symbols.
    temperature : float, default=1.0
        What scores are divided by before they become probabilities; 0 takes the best symbol.
    top_k : int or None, default=None
        Only symbols that are as probable as the `top_k`-th one are drawn.
    top_p : float, default=1.0
        Only the most probable symbols are drawn, as few as have this probability together.
    min_p : float or None, default=None
        Only symbols are drawn that have at least this share of the probability of the best.
    repetition_penalty : float, default=1.0
        What the scores of symbols that have come are divided by, where they are negative multiplied with.
    no_repeat_ngram_size : int, default=0
        So many symbols in a row come once; 0 for no such rule.

    Raises
    ------
    ValueError
        If a value makes no sense.

    Examples
    --------
    >>> Decoding(max_new_tokens=20, temperature=0.8, top_p=0.9).top_p
    0.9
    """

    max_new_tokens: int
    min_new_tokens: int = 0
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0
    min_p: float | None = None
    repetition_penalty: float = 1.0
    no_repeat_ngram_size: int = 0

    def __post_init__(self) -> None:
        for name in ("max_new_tokens", "min_new_tokens", "no_repeat_ngram_size"):
            _check(name, getattr(self, name), Integral, lambda x: x >= 0, "an integer that is 0 or more", "Set it so")
        if self.min_new_tokens > self.max_new_tokens:
            raise ValueError(
                f"min_new_tokens is {self.min_new_tokens!r}, more than max_new_tokens, which is "
                f"{self.max_new_tokens!r}. Lower the one or raise the other"
            )
        _check("temperature", self.temperature, Real, lambda x: 0 <= x < np.inf, "a number that is 0 or more", COLD)
        if self.top_k is not None:
            _check("top_k", self.top_k, Integral, lambda x: x >= 1, "an integer from 1 on", "None keeps all symbols")
        _check("top_p", self.top_p, Real, lambda x: 0 < x <= 1, "a number in (0, 1]", "1.0 keeps all symbols")
        if self.min_p is not None:
            _check("min_p", self.min_p, Real, lambda x: 0 <= x <= 1, "a number in [0, 1]", "None keeps all symbols")
        _check(
            "repetition_penalty",
            self.repetition_penalty,
            Real,
            lambda x: 0 < x < np.inf,
            "a number above 0",
            "1.0 is no penalty, more than that makes repetitions rarer",
        )


COLD = "0 takes the best symbol, 1.0 draws with the probabilities of the model"


def _check(name: str, value: Any, kind: type, valid: Any, wanted: str, advice: str) -> None:
    if not isinstance(value, kind) or isinstance(value, bool | np.bool_) or not valid(value):
        raise ValueError(f"{name} is {value!r}, wanted {wanted}. {advice}")


class Draws:
    """Random numbers of sequences, each from a generator of its own, so that it does not matter which others there are.

    They are those of ``numpy.random.Generator(numpy.random.Philox(key=[seed, number]))``.

    Parameters
    ----------
    seed : int
        At least 0 and below ``2 ** 64``.
    numbers : iterable of int
        What tells the sequences apart: one with the same seed and number gets the same random numbers.

    Examples
    --------
    >>> few, many = Draws(0, range(2)), Draws(0, range(100))
    >>> bool((few.uniform([1], 3) == many.uniform([1], 3)).all())
    True
    """

    def __init__(self, seed: int, numbers: Iterable[int]) -> None:
        self._keys = [np.array([seed, number], dtype=np.uint64) for number in numbers]
        self._taken = np.zeros(len(self._keys), np.int64)
        self._bits = np.random.Philox(key=0)
        self._generator = np.random.Generator(self._bits)

    @classmethod
    def of_each(cls, seed: int, numbers: Iterable[int], n_draws: int) -> Draws:
        """Those of `n_draws` sequences for each of the `numbers`, the same however many there are of both."""
        return cls(seed, [int(number) + (k << 32) for number in numbers for k in range(n_draws)])

    def uniform(self, rows: Sequence[int] | Array, width: int) -> Array:
        """The next `width` numbers in [0, 1) of each of the sequences `rows` (n,), in an array (n, width)."""
        found = np.empty((len(rows), width))
        for k, row in enumerate(rows):
            blocks, begun = divmod(int(self._taken[row]), PHILOX_BLOCK)
            # one generator takes the places of all: to make one takes twenty times as long
            self._bits.state = _before_block(blocks, self._keys[row])
            self._generator.random(begun)
            self._generator.random(out=found[k])
        self._taken[rows] += width
        return found


PHILOX_BLOCK = 4
"""Numbers that Philox makes of one count."""


def _before_block(n: int, key: Array) -> Any:
    """The state of a Philox generator that has made `n` blocks."""
    return {
        "bit_generator": "Philox",
        "state": {"counter": np.array([n, 0, 0, 0], dtype=np.uint64), "key": key},
        "buffer": np.zeros(PHILOX_BLOCK, np.uint64),
        "buffer_pos": PHILOX_BLOCK,
        "has_uint32": 0,
        "uinteger": 0,
    }


@dataclass(frozen=True)
class Rules:
    """What may follow.

    Attributes
    ----------
    decoding : Decoding
    end : int
        The symbol that ends a sequence; -1 for none. As the first symbol of a sequence it is where that begins, and no
        part of it.
    banned : array of bool, shape (K,)
        Symbols that never come.
    """

    decoding: Decoding
    end: int
    banned: Array = field(repr=False)

    def processed(self, scores: Array, texts: Sequence[Array], n_new: int | Array) -> Array:
        """`scores` (n, K) after all that forbids or penalises symbols.

        Parameters
        ----------
        scores : array of shape (n, K)
        texts : sequence of arrays of int
            All symbols of each sequence so far.
        n_new : array of int, shape (n,), or int
            How many of them are new.
        """
        scores = scores.copy()
        penalty, size = self.decoding.repetition_penalty, self.decoding.no_repeat_ngram_size
        for row, text in zip(scores, texts, strict=True):
            text = text[1:] if len(text) and text[0] == self.end else text
            if penalty != 1:
                seen = np.unique(text)
                row[seen] = np.where(row[seen] > 0, row[seen] / penalty, row[seen] * penalty)
            if 0 < size <= len(text):
                row[_would_repeat(text, size)] = -np.inf
        scores[:, self.banned] = -np.inf
        if self.end >= 0:
            scores[np.broadcast_to(n_new, len(scores)) < self.decoding.min_new_tokens, self.end] = -np.inf
        return scores

    def as_arrays(self) -> tuple[Array, Array]:
        """The numbers of the decoding, as ``sklearn_rnn.kernels.choosing`` has them."""
        how = self.decoding
        shares = (max(how.temperature, LEAST_TEMPERATURE) if how.temperature else 0, how.top_p, how.min_p or 0)
        counts = (how.top_k or 0, how.no_repeat_ngram_size, how.min_new_tokens, self.end)
        return np.array([*shares, how.repetition_penalty], dtype=np.float64), np.array(counts, dtype=np.int64)

    def choose(self, scores: Array, uniforms: Array) -> Array:
        """A symbol (n,) of each sequence by its processed `scores` (n, K), drawn with its number in `uniforms` (n,).

        ``NO_SYMBOL`` where there is none that may follow.
        """
        best = scores.argmax(axis=1)
        possible = scores.max(axis=1) > -np.inf
        if self.decoding.temperature > 0:
            cumulative = np.cumsum(_weights(scores, self.decoding), axis=1)
            thresholds = uniforms * cumulative[:, -1]
            # the first sum that is greater; rounding keeps a threshold from reaching the last one
            passed = cumulative > thresholds[:, None]
            best = np.where(passed.any(axis=1), passed.argmax(axis=1), best)
        return np.where(possible, best, NO_SYMBOL)


def log_probabilities(scores: Array) -> Array:
    """`scores` (n, K) less the logarithm of the sum of their exponentials."""
    greatest = scores.max(axis=1, keepdims=True)
    return scores - (greatest + np.log(np.cumsum(np.exp(scores - greatest), axis=1)[:, -1:]))


def _would_repeat(text: Array, size: int) -> Array:
    """Symbols that after `text` would make `size` symbols that are in it already."""
    runs = np.lib.stride_tricks.sliding_window_view(text, size)
    last = text[len(text) - size + 1 :]
    return runs[(runs[:, :-1] == last).all(axis=1), -1]


def _weights(scores: Array, decoding: Decoding) -> Array:
    """What symbols are drawn in proportion to, (n, K): the exponentials of `scores` (n, K), 0 for those cut off."""
    with np.errstate(invalid="ignore"):  # of a row that is -inf throughout, which nobody draws from
        exponents = (scores - scores.max(axis=1, keepdims=True)) / max(decoding.temperature, LEAST_TEMPERATURE)
    weights = np.where(exponents > -700, np.exp(np.maximum(exponents, -700)), 0)
    n, K = weights.shape
    if decoding.top_k is not None and decoding.top_k < K:
        least = np.partition(scores, K - decoding.top_k, axis=1)[:, K - decoding.top_k]
        weights[scores < least[:, None]] = 0
    if decoding.top_p < 1:
        order = np.argsort(-scores, axis=1, kind="stable")
        totals = np.cumsum(weights, axis=1)[:, -1:]
        before = np.cumsum(np.take_along_axis(weights, order, axis=1), axis=1)[:, :-1]
        cut = np.zeros((n, K), bool)
        np.put_along_axis(cut, order[:, 1:], before >= decoding.top_p * totals, axis=1)
        weights[cut] = 0
    if decoding.min_p is not None:
        weights[weights < decoding.min_p] = 0
    return weights
