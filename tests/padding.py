"""Sequences whose steps all differ, and padded batches of them by a loop."""

import numpy as np
from hypothesis import strategies as st

from sklearn_rnn.data.sequences import Sequences

lengths_of = st.lists(st.integers(0, 6), min_size=1, max_size=12)


def make_sequences(lengths, *, n_features=2, dtype=np.float32):
    """Sequences whose steps all differ and are not 0; one dimension if `n_features` is 0."""
    total = sum(lengths)
    values = np.arange(1, 1 + total * max(n_features, 1)).astype(dtype)
    shape = (total, n_features) if n_features else (total,)
    return Sequences(values.reshape(shape), np.concatenate([[0], np.cumsum(lengths)]))


def padded(sequences, index, n_steps):
    """The batch by a loop."""
    values = np.zeros((len(index), n_steps, *sequences.values.shape[1:]), dtype=sequences.values.dtype)
    for row, i in enumerate(index):
        values[row, : len(sequences[i])] = sequences[i]
    return values, [len(sequences[i]) for i in index]
