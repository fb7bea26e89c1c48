"""Sequences to change a feature of, and the changed ones in a format that the estimator knows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn.data.formats import as_sequences, is_table, is_text
from sklearn_rnn.data.padding import trim
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.exceptions import SequenceDataError


def read_features(X: Any, estimator: Any, *, advice: str) -> Sequences:
    """Read X into a container with values of shape (total_steps, n_features).

    Parameters
    ----------
    X : sequences in any supported format but the 2-D table
    estimator : estimator
        The one that X is for, which may take some of its steps for padding.
    advice : str
        What to use for a 2-D table.

    Raises
    ------
    SequenceDataError
        If X cannot be read, is a 2-D table, or has padding, which must not be mixed with steps.
    """
    if is_table(X):
        raise SequenceDataError(
            f"X is a 2-D table of shape {np.shape(X)}, whose columns are steps of one feature: {advice}, or give "
            f"X[:, :, None] to change the whole series"
        )
    sequences = as_sequences(X)
    padding = getattr(estimator, "padding_value", None)
    if padding is not None and trim(sequences, padding).trimming is not None:
        raise SequenceDataError(
            f"X has padding, padding_value={padding!r} of the estimator, which would be mixed with steps: cut it off, "
            f"trim_padding(X, {padding!r}), and what belongs to steps in y with it"
        )
    values = sequences.values.reshape(len(sequences.values), -1)
    return sequences.with_values(values, feature_names=sequences.feature_names)


def like_input(sequences: Sequences, X: Any) -> Any:
    """Changed sequences as a 3-D array if X is one, as the container if X is one, and otherwise as a list."""
    if isinstance(X, Sequences):
        return sequences
    if len(getattr(X, "shape", ())) == 3:
        return sequences.values.reshape(len(sequences), -1, sequences.n_features)
    if sequences.n_features > 1 or not is_text(sequences.values.reshape(-1)[:1]):
        return list(sequences)
    return [steps.reshape(-1).tolist() for steps in sequences]


def names_of_features(estimator: Any, sequences: Sequences) -> NDArray[Any]:
    """The names of the features (n_features,): those of X, else those seen in ``fit``, else x0, x1, ..."""
    names = sequences.feature_names
    if names is None:
        names = getattr(estimator, "feature_names_in_", None)
    if names is None or len(names) != sequences.n_features:
        names = [f"x{i}" for i in range(sequences.n_features)]
    return np.asarray(names, dtype=object)
