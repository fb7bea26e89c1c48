"""Scores of predicted sequences whose lengths are their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import make_scorer

from sklearn_rnn.exceptions import SequenceDataError


def exact_match_score(y_true: Any, y_pred: Any, *, sample_weight: ArrayLike | None = None) -> float:
    """The share of sequences that are predicted exactly.

    Parameters
    ----------
    y_true, y_pred : sequences of str, or of lists of tokens
    sample_weight : array-like of shape (n_sequences,), optional

    Returns
    -------
    score : float

    Examples
    --------
    >>> from sklearn_rnn.metrics import exact_match_score
    >>> exact_match_score(["ab", "c"], ["ab", "d"])
    0.5
    """
    right = [one == two for one, two in _pairs(y_true, y_pred)]
    return float(np.average(right, weights=None if sample_weight is None else np.asarray(sample_weight)))


def symbol_error_rate(y_true: Any, y_pred: Any, *, sample_weight: ArrayLike | None = None) -> float:
    """The edits that make predictions right, for each symbol of what is right (Levenshtein 1966).

    Symbols are the characters of strings, or tokens.

    Parameters
    ----------
    y_true, y_pred : sequences of str, or of lists of tokens
    sample_weight : array-like of shape (n_sequences,), optional

    Returns
    -------
    rate : float
        It may be more than 1.

    Examples
    --------
    >>> from sklearn_rnn.metrics import symbol_error_rate
    >>> symbol_error_rate(["abcd", "ab"], ["abd", "ab"])
    0.16666666666666666
    """
    pairs = _pairs(y_true, y_pred)
    weight = np.ones(len(pairs)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    edits = np.array([edit_distance(one, two) for one, two in pairs])
    total = float(weight @ [len(one) for one, _ in pairs])
    wrong = float(weight @ edits)
    return wrong / total if total else float(wrong > 0)


def word_error_rate(y_true: Any, y_pred: Any, *, sample_weight: ArrayLike | None = None) -> float:
    """As :func:`symbol_error_rate`, of the words of strings.

    Parameters
    ----------
    y_true, y_pred : sequences of str
    sample_weight : array-like of shape (n_sequences,), optional

    Returns
    -------
    rate : float
    """
    of_words = [[(item.split() if isinstance(item, str) else list(item)) for item in y] for y in (y_true, y_pred)]
    return symbol_error_rate(*of_words, sample_weight=sample_weight)


def bleu_score(y_true: Any, y_pred: Any) -> float:
    """BLEU of strings, from 0 to 100, as sacrebleu has it.

    Parameters
    ----------
    y_true, y_pred : sequences of str, or of lists of tokens, which are joined by spaces

    Returns
    -------
    score : float

    Raises
    ------
    ImportError
        If sacrebleu is not installed.
    """
    return _by_sacrebleu("corpus_bleu", y_true, y_pred)


def chrf_score(y_true: Any, y_pred: Any) -> float:
    """The chrF of strings, from 0 to 100, as sacrebleu has it.

    Parameters
    ----------
    y_true, y_pred : sequences of str, or of lists of tokens, which are joined by spaces

    Returns
    -------
    score : float
    """
    return _by_sacrebleu("corpus_chrf", y_true, y_pred)


def edit_distance(one: Sequence[Any], two: Sequence[Any]) -> int:
    """The fewest insertions, deletions and replacements that make `one` of `two`."""
    if len(one) == len(two) and list(one) == list(two):
        return 0
    row = list(range(len(two) + 1))
    for i, a in enumerate(one, start=1):
        before, row[0] = row[0], i
        for j, b in enumerate(two, start=1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    return row[-1]


exact_match_scorer = make_scorer(exact_match_score)
"""Share of sequences that are right, see :func:`exact_match_score`."""

neg_symbol_error_rate_scorer = make_scorer(symbol_error_rate, greater_is_better=False)
"""Minus the edits for each symbol, see :func:`symbol_error_rate`."""

neg_word_error_rate_scorer = make_scorer(word_error_rate, greater_is_better=False)
"""Minus the edits for each word, see :func:`word_error_rate`."""

bleu_scorer = make_scorer(bleu_score)
"""BLEU, see :func:`bleu_score`."""

chrf_scorer = make_scorer(chrf_score)
"""chrF, see :func:`chrf_score`."""


def _pairs(y_true: Any, y_pred: Any) -> list[tuple[Any, Any]]:
    one, two = ([item if isinstance(item, str) else list(item) for item in y] for y in (y_true, y_pred))
    if len(one) != len(two):
        raise SequenceDataError(f"y_true has {len(one)} sequences, y_pred {len(two)}: wanted as many")
    return list(zip(one, two, strict=True))


def _by_sacrebleu(name: str, y_true: Any, y_pred: Any) -> float:
    try:
        import sacrebleu
    except ImportError as error:
        raise ImportError('this score needs the package sacrebleu: pip install "sklearn-rnn[text]"') from error
    one, two = ([item if isinstance(item, str) else " ".join(map(str, item)) for item in y] for y in (y_true, y_pred))
    return float(getattr(sacrebleu, name)(two, [one]).score)
