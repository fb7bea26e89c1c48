"""Synthetic sequences whose answer is known: to try models on, and to test them with."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

RandomState = int | np.random.RandomState | None

SYMBOLS = np.array(["B", "E", "X", "Y", "a", "b", "c", "d"])
"""The alphabet of the temporal order problem; the position of a symbol is its place in the one-hot vector."""

CITIES = (
    ("boston",),
    ("denver",),
    ("oslo",),
    ("rome",),
    ("new", "york"),
    ("san", "francisco"),
    ("salt", "lake", "city"),
)
DAYS = (("monday",), ("friday",), ("sunday",), ("new", "year's", "eve"), ("friday", "morning"))
OPENINGS = (("flights",), ("show", "me", "flights"), ("i", "want", "to", "fly"), ("list", "all", "fares"))


def make_adding_problem(
    n_sequences: int, n_steps: int, *, ragged: bool = False, random_state: RandomState = None
) -> tuple[Any, NDArray[np.float64]]:
    """The adding problem: the sum of two marked numbers that may be far apart.

    Each step holds a number, uniform in [0, 1), and a marker. Two steps are marked with 1, one in each half of the
    sequence, all others with 0. The target is the sum of the two marked numbers. The longer the sequences, the longer a
    network has to remember; always guessing 1 leaves a mean squared error of 1/6.

    Parameters
    ----------
    n_sequences : int
    n_steps : int
        Steps of each sequence, at least 2.
    ragged : bool, default=False
        Whether lengths are drawn from ``n_steps // 2`` (at least 2) to `n_steps`.
    random_state : int, RandomState or None, default=None
        Determines the numbers, marks and lengths.

    Returns
    -------
    X : array of shape (n_sequences, n_steps, 2), or list of arrays of shape (length_i, 2) if `ragged`
        The number and the marker.
    y : array of shape (n_sequences,)

    Raises
    ------
    ValueError
        If there is no sequence, or no room for two marks.

    References
    ----------
    .. [1] Hochreiter, S. and Schmidhuber, J. (1997). Long short-term memory. Neural Computation 9(8). Experiment 4, of
       which this is the variant with numbers in [0, 1) and one mark in each half.

    Examples
    --------
    >>> from sklearn_rnn.datasets import make_adding_problem
    >>> X, y = make_adding_problem(100, 20, random_state=0)
    >>> X.shape
    (100, 20, 2)
    >>> bool(abs((X[0, :, 0] * X[0, :, 1]).sum() - y[0]) < 1e-12)
    True
    """
    _check_at_least(n_sequences, 1, "n_sequences")
    _check_at_least(n_steps, 2, "n_steps")
    rng = check_random_state(random_state)
    shortest = max(2, n_steps // 2) if ragged else n_steps
    lengths = rng.randint(shortest, n_steps + 1, size=n_sequences)
    X = np.zeros((n_sequences, n_steps, 2))
    X[:, :, 0] = rng.uniform(size=(n_sequences, n_steps))
    half = lengths // 2
    marks = np.stack([_integers_below(rng, half), half + _integers_below(rng, lengths - half)])
    rows = np.arange(n_sequences)
    X[rows, marks, 1] = 1
    y = X[rows, marks, 0].sum(axis=0)
    return ([X[i, :length].copy() for i, length in enumerate(lengths)] if ragged else X), y


def make_temporal_order(
    n_sequences: int,
    n_steps: int,
    *,
    n_relevant: int = 2,
    ragged: bool = True,
    tokens: bool = False,
    random_state: RandomState = None,
) -> tuple[Any, NDArray[np.int64]]:
    """The temporal order problem: which of two symbols came first, with noise between.

    A sequence starts with E, ends with B, and holds `n_relevant` symbols that are X or Y, the first in its first part,
    the second in its second part and so on; all others are drawn from a, b, c and d. The class is the order of X and Y:
    with two of them, XX is 0, XY is 1, YX is 2 and YY is 3.

    Parameters
    ----------
    n_sequences : int
    n_steps : int
        The greatest length, at least ``2 * n_relevant + 2``.
    n_relevant : int, default=2
        How many symbols are X or Y; there are ``2 ** n_relevant`` classes.
    ragged : bool, default=True
        Whether lengths are drawn from ``n_steps // 2`` (at least ``2 * n_relevant + 2``) to `n_steps`.
    tokens : bool, default=False
        Whether steps are strings in place of one-hot vectors.
    random_state : int, RandomState or None, default=None
        Determines the symbols and lengths.

    Returns
    -------
    X : list of arrays of shape (length_i, 8), array of shape (n_sequences, n_steps, 8), or list of lists of str
        One-hot vectors of the symbols B, E, X, Y, a, b, c and d; an array if not `ragged`, strings if `tokens`.
    y : array of int, shape (n_sequences,)

    Raises
    ------
    ValueError
        If there is no sequence, no relevant symbol, or no room for them.

    References
    ----------
    .. [1] Hochreiter, S. and Schmidhuber, J. (1997). Long short-term memory. Neural Computation 9(8). Experiment 6.

    Examples
    --------
    >>> from sklearn_rnn.datasets import make_temporal_order
    >>> X, y = make_temporal_order(3, 8, tokens=True, random_state=2)
    >>> for symbols, order in zip(X, y):
    ...     print(" ".join(symbols), order)
    E Y c d Y B 3
    E d Y X d d B 2
    E X b Y d B 1
    """
    _check_at_least(n_sequences, 1, "n_sequences")
    _check_at_least(n_relevant, 1, "n_relevant")
    shortest = 2 * n_relevant + 2
    _check_at_least(n_steps, shortest, "n_steps")
    rng = check_random_state(random_state)
    lengths = rng.randint(max(shortest, n_steps // 2) if ragged else n_steps, n_steps + 1, size=n_sequences)
    symbols = rng.randint(4, 8, size=(n_sequences, n_steps))  # positions in SYMBOLS: a, b, c or d
    rows = np.arange(n_sequences)
    symbols[:, 0] = 1
    symbols[rows, lengths - 1] = 0
    relevant = rng.randint(2, size=(n_sequences, n_relevant))
    bounds = 1 + (lengths[:, None] - 2) * np.arange(n_relevant + 1) // n_relevant
    for k in range(n_relevant):
        symbols[rows, bounds[:, k] + _integers_below(rng, bounds[:, k + 1] - bounds[:, k])] = 2 + relevant[:, k]
    y = relevant @ (1 << np.arange(n_relevant)[::-1])
    parts = [row[:length] for row, length in zip(symbols, lengths, strict=True)]
    if tokens:
        return [SYMBOLS[part].tolist() for part in parts], y
    one_hot = np.eye(len(SYMBOLS))
    return ([one_hot[part] for part in parts] if ragged else one_hot[symbols]), y


def make_tagging(n_sequences: int, *, random_state: RandomState = None) -> tuple[list[list[str]], list[list[str]]]:
    """Requests for flights, with the spans of origin, destination and day tagged in IOB2.

    A small grammar writes the requests and fixes their tags. A city is the origin after "from" and the destination
    after "to", and without a preposition in front the origin; "new" is the first word of a city and of a day. So a
    tagger has to look at both sides of a word.

    Parameters
    ----------
    n_sequences : int
    random_state : int, RandomState or None, default=None
        Determines the requests.

    Returns
    -------
    X : list of lists of str
        The words.
    y : list of lists of str
        Their tags: ``"B-from"``, ``"I-from"``, ``"B-to"``, ``"I-to"``, ``"B-day"``, ``"I-day"`` and ``"O"``.

    Raises
    ------
    ValueError
        If `n_sequences` is less than 1.

    Examples
    --------
    >>> from sklearn_rnn.datasets import make_tagging
    >>> X, y = make_tagging(2, random_state=1)
    >>> for words, tags in zip(X, y):
    ...     print(*(f"{word}/{tag}" for word, tag in zip(words, tags)))
    flights/O to/O oslo/B-to from/O salt/B-from lake/I-from city/I-from on/O friday/B-day morning/I-day
    i/O want/O to/O fly/O from/O denver/B-from to/O san/B-to francisco/I-to
    """
    _check_at_least(n_sequences, 1, "n_sequences")
    rng = check_random_state(random_state)
    requests = [_write_request(rng) for _ in range(n_sequences)]
    return [words for words, _ in requests], [tags for _, tags in requests]


def _write_request(rng: np.random.RandomState) -> tuple[list[str], list[str]]:
    """The words and tags of one request."""
    origin, destination = (CITIES[k] for k in rng.choice(len(CITIES), size=2, replace=False))
    places = [
        [("O", ("from",)), ("from", origin), ("O", ("to",)), ("to", destination)],
        [("O", ("to",)), ("to", destination), ("O", ("from",)), ("from", origin)],
        [("from", origin), ("O", ("to",)), ("to", destination)],
        [("O", ("to",)), ("to", destination)],
    ][rng.randint(4)]
    opening = [("O", OPENINGS[rng.randint(len(OPENINGS))])] if rng.uniform() < 0.8 else []
    day = [("O", ("on",)), ("day", DAYS[rng.randint(len(DAYS))])] if rng.uniform() < 0.5 else []
    parts = [*opening, *day, *places] if rng.uniform() < 0.3 else [*opening, *places, *day]
    words = [word for _, phrase in parts for word in phrase]
    tags = [tag for kind, phrase in parts for tag in _iob2(kind, len(phrase))]
    return words, tags


def _iob2(kind: str, n_words: int) -> list[str]:
    return ["O"] * n_words if kind == "O" else [f"B-{kind}", *[f"I-{kind}"] * (n_words - 1)]


def _integers_below(rng: np.random.RandomState, bounds: NDArray[Any]) -> NDArray[np.int64]:
    """One integer for each of `bounds` (n,), uniform in [0, bound)."""
    return (rng.uniform(size=len(bounds)) * bounds).astype(np.int64)


def _check_at_least(value: Any, least: int, name: str) -> None:
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be an int of at least {least}, got {value!r}")
