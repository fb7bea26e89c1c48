"""From tokens to indices: row 0 of an embedding is for tokens that training did not have."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.tokens import UNKNOWN
from sklearn_rnn.exceptions import SequenceDataError


def learn_vocabulary(
    sequences: Sequences, *, min_df: int | float = 1, max_features: int | None = None
) -> dict[Any, int]:
    """Index the distinct tokens, in sorted order, from 1 on.

    Parameters
    ----------
    sequences : Sequences
        Values (total_steps,) of strings or integers.
    min_df : int or float
        Fewest sequences that a token must be in, or the smallest share of them.
    max_features : int or None
        The most frequent tokens that are kept; of equally frequent ones the first in sorted order.

    Returns
    -------
    vocabulary : dict

    Raises
    ------
    SequenceDataError
        If no token is left.
    """
    tokens, codes = factorize(sequences.values)
    kept = np.array([token != UNKNOWN for token in tokens], dtype=bool)
    fewest = min_df if isinstance(min_df, (int, np.integer)) else min_df * len(sequences)
    if fewest > 1:
        sequence_of = np.repeat(np.arange(len(sequences)), sequences.lengths)
        pairs = np.unique(codes * np.int64(len(sequences)) + sequence_of)  # each token once a sequence
        kept &= np.bincount(pairs // len(sequences), minlength=len(tokens)) >= fewest
    if max_features is not None and kept.sum() > max_features:
        counts = np.where(kept, np.bincount(codes, minlength=len(tokens)), -1)
        most = np.argsort(-counts, kind="stable")[:max_features]
        kept = np.isin(np.arange(len(tokens)), most)
    if len(tokens) and not kept.any():
        raise SequenceDataError(
            f"The vocabulary is empty: none of {len(tokens)} distinct tokens is in {fewest:g} sequences, as "
            f"min_df={min_df!r} wants of {len(sequences)}. Lower min_df"
        )
    return {token: index for index, token in enumerate((tokens[k] for k in np.flatnonzero(kept)), start=1)}


def encode_tokens(values: NDArray[Any], vocabulary: dict[Any, int]) -> NDArray[np.int64]:
    """Replace each token of `values` (total_steps,) by its index, an unknown one by 0."""
    tokens = values.tolist()
    return np.fromiter((vocabulary.get(token, 0) for token in tokens), np.int64, len(tokens))


def factorize(values: NDArray[Any]) -> tuple[list[Any], NDArray[np.int64]]:
    """The distinct values in sorted order, and for each of `values` (n,) the position of its own among them."""
    listed = values.tolist()
    distinct = sorted(set(listed))
    return distinct, encode_tokens(values, {value: code for code, value in enumerate(distinct)})
