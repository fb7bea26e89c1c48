"""Scorers of language models, which ask the model itself: there is nothing to compare predictions with."""

from __future__ import annotations

from typing import Any


def neg_perplexity_scorer(estimator: Any, X: Any, y: Any = None) -> float:
    """Minus the perplexity of X, so that greater is better.

    Parameters
    ----------
    estimator : RNNLanguageModel or Pipeline
        Fitted.
    X : list of str, or sequences in any supported format
    y : array-like of shape (n_sequences, ...), optional
        The contexts.

    Returns
    -------
    score : float

    Examples
    --------
    >>> from sklearn_rnn import RNNLanguageModel
    >>> from sklearn_rnn.metrics import neg_perplexity_scorer
    >>> lm = RNNLanguageModel(hidden_size=4, max_epochs=1, random_state=0).fit(["abab", "ab"] * 5)
    >>> -4 < neg_perplexity_scorer(lm, ["ab"]) < -1
    True
    """
    return -_measured(estimator, "perplexity", X, y)


def neg_bits_per_character_scorer(estimator: Any, X: Any, y: Any = None) -> float:
    """Minus the bits that a character of X costs, so that greater is better, whatever symbols text is split into.

    Parameters
    ----------
    estimator : RNNLanguageModel or Pipeline
        Fitted.
    X : list of str, or sequences of tokens
    y : array-like of shape (n_sequences, ...), optional
        The contexts.

    Returns
    -------
    score : float
    """
    return -_measured(estimator, "bits_per_character", X, y)


def _measured(estimator: Any, name: str, X: Any, y: Any) -> float:
    """What the method `name` of the last step of `estimator` says."""
    if hasattr(estimator, "steps"):
        X, estimator = estimator[:-1].transform(X) if len(estimator.steps) > 1 else X, estimator.steps[-1][1]
    if not hasattr(estimator, name):
        raise TypeError(f"{estimator!r:.80} has no {name}: wanted an RNNLanguageModel, or a Pipeline that ends in one")
    return float(getattr(estimator, name)(X) if y is None else getattr(estimator, name)(X, y))
