"""From tokens to indices: row 0 of an embedding is for tokens that training did not have."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklearn_rnn.data.sequences import Sequences


def learn_vocabulary(sequences: Sequences) -> dict[Any, int]:
    """Index the distinct tokens, in sorted order, from 1 on.

    Parameters
    ----------
    sequences : Sequences
        Values (total_steps,) of strings or integers.

    Returns
    -------
    vocabulary : dict
    """
    return {token: index for index, token in enumerate(sorted(set(sequences.values.tolist())), start=1)}


def encode_tokens(sequences: Sequences, vocabulary: dict[Any, int]) -> Sequences:
    """Replace each token by its index, an unknown one by 0."""
    values = sequences.values.tolist()
    return sequences.with_values(np.fromiter((vocabulary.get(token, 0) for token in values), np.int64, len(values)))
