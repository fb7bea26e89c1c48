"""From tokens to indices: row 0 of an embedding is for tokens that training did not have."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.tokens import UNKNOWN
from sklearn_rnn.exceptions import SequenceDataError


def learn_vocabulary(
    sequences: Sequences,
    *,
    min_df: int | float = 1,
    max_df: int | float = 1.0,
    max_features: int | None = None,
    counts: NDArray[np.float64] | None = None,
) -> dict[Any, int]:
    """Index the distinct tokens that are frequent enough, in sorted order, from 1 on.

    The rule is that of scikit-learn's ``CountVectorizer``, whose ties at `max_features` are in no fixed order: here the
    first in sorted order stay.

    Parameters
    ----------
    sequences : Sequences
        Values (total_steps,) of strings or integers. ``UNKNOWN`` gets no index.
    min_df, max_df : int or float
        Fewest and most sequences that a token may be in, as a number or as a share of them.
    max_features : int or None
        The most frequent tokens that are kept.
    counts : array of shape (n_sequences,), optional
        How often each sequence is there; once by default. One that is there less than once counts as once where
        sequences are counted, which leaves a share of what `max_features` compares.

    Returns
    -------
    vocabulary : dict

    Raises
    ------
    ValueError
        If `max_df` allows less than `min_df` wants.
    SequenceDataError
        If no token is left.
    """
    rows = np.ones(len(sequences)) if counts is None else counts
    often = np.maximum(rows, 1)
    n_sequences = int(often.sum())
    fewest = min_df if isinstance(min_df, Integral) else min_df * n_sequences
    most = max_df if isinstance(max_df, Integral) else max_df * n_sequences
    if most < fewest:
        raise ValueError(
            f"max_df={max_df!r} corresponds to < documents than min_df={min_df!r}: of {n_sequences} documents at most "
            f"{most:g} and at least {fewest:g}. Raise max_df or lower min_df"
        )
    tokens, codes = factorize(sequences.values)
    known = np.array([token != UNKNOWN for token in tokens], dtype=bool)
    sequence_of = np.repeat(np.arange(len(rows)), sequences.lengths)
    pairs = np.unique(codes * np.int64(len(rows)) + sequence_of)  # each token once a sequence
    token_of, sequence_of_pair = np.divmod(pairs, max(len(rows), 1))
    n_with = np.bincount(token_of, weights=often[sequence_of_pair], minlength=len(tokens))
    kept = known & (n_with >= fewest) & (n_with <= most)
    if known.any() and not kept.any():
        rare = int(np.sum(known & (n_with < fewest)))
        raise SequenceDataError(
            f"The vocabulary is empty: of {known.sum()} distinct tokens min_df={min_df!r} left out {rare}, which are "
            f"in fewer than {fewest:g} of {n_sequences} documents, and max_df={max_df!r} left out "
            f"{known.sum() - rare}, which are in more than {most:g}. Lower min_df or raise max_df"
        )
    if max_features is not None and kept.sum() > max_features:
        occurrences = np.bincount(codes, weights=rows[sequence_of], minlength=len(tokens))
        order = np.argsort(-np.where(kept, occurrences, -1), kind="stable")
        kept = np.isin(np.arange(len(tokens)), order[:max_features])
    return {tokens[k]: index for index, k in enumerate(np.flatnonzero(kept).tolist(), start=1)}


def encode_tokens(values: NDArray[Any], vocabulary: dict[Any, int]) -> NDArray[np.int64]:
    """Replace each token of `values` (total_steps,) by its index, an unknown one by 0."""
    tokens = values.tolist()
    return np.fromiter((vocabulary.get(token, 0) for token in tokens), np.int64, len(tokens))


def factorize(values: NDArray[Any]) -> tuple[list[Any], NDArray[np.int64]]:
    """The distinct values in sorted order, and for each of `values` (n,) the position of its own among them."""
    listed = values.tolist()
    distinct = sorted(set(listed))
    return distinct, encode_tokens(values, {value: code for code, value in enumerate(distinct)})
