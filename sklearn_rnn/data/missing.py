"""Missing values: the last value carried forward, and an indicator of what was observed."""

from __future__ import annotations

import numpy as np

from sklearn_rnn.data.sequences import Sequences


def carry_forward(sequences: Sequences, *, unseen: float = 0.0) -> Sequences:
    """Fill NaN with the last observed value of its sequence, and add whether each value was observed.

    Parameters
    ----------
    sequences : Sequences
        Values of shape (total_steps, n_features), NaN where missing.
    unseen : float
        What is missing before the first observation of a sequence.

    Returns
    -------
    filled : Sequences
        Values of shape (total_steps, 2 * n_features): the features, `unseen` before the first observation of a
        sequence, then one indicator a feature, 1 where it was observed.
    """
    values = sequences.values
    observed = ~np.isnan(values)
    rows = np.arange(len(values))[:, None]
    last_seen = np.maximum.accumulate(np.where(observed, rows, -1), axis=0)
    start = np.repeat(sequences.offsets[:-1], sequences.lengths)[:, None]
    seen = last_seen >= start  # what an earlier sequence showed does not count
    filled = np.where(seen, np.take_along_axis(values, np.where(seen, last_seen, 0), axis=0), unseen)
    return sequences.with_values(np.concatenate([filled, observed], axis=1, dtype=values.dtype))
