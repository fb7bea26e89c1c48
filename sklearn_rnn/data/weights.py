"""What comes beside X and y: a weight and a group for each sequence."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn.data.conversion import is_missing_or_nan, numbers, refuse_masked, refuse_sparse, shown, unwrapped_items
from sklearn_rnn.exceptions import SequenceDataError

Array = NDArray[np.float64]

LARGEST, SMALLEST = 1e100, 1e-100
"""Weights whose largest lies beyond are scaled: their sums, and products with other weights, would not be finite."""


def validate_weights(sample_weight: Any, n_sequences: int, *, name: str = "sample_weight") -> Array:
    """Check sample weights: one for each sequence, finite, none negative, not all zero.

    Parameters
    ----------
    sample_weight : array-like of shape (n_sequences,), a number, or None
        None is a weight of 1 for each sequence.
    n_sequences : int
    name : str
        What to call the weights in errors.

    Returns
    -------
    weights : array of float64, shape (n_sequences,)
        As they are given, but where the largest is beyond `LARGEST` or `SMALLEST` divided by it.
    """
    if sample_weight is None:
        return np.ones(n_sequences)
    weights = numbers(plain_weights(sample_weight, name), name, wanted="one number for each sequence of X")
    try:
        weights = np.asarray(weights, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise SequenceDataError(f"{name} must hold one number for each sequence of X: {error}") from error
    if weights.ndim == 0:
        weights = np.full(n_sequences, float(weights))
    if weights.ndim != 1:
        raise ValueError(f"{name}: Sample weights must be 1D array or scalar, got an array of shape {weights.shape}")
    if len(weights) != n_sequences:
        raise ValueError(f"{name}.shape == {weights.shape}, expected ({n_sequences},): one weight a sequence of X")
    if not np.all(np.isfinite(weights)):
        raise ValueError(f"{name} contains NaN or infinity at position {int(np.argmin(np.isfinite(weights)))}")
    if np.any(weights < 0):
        i = int(np.argmax(weights < 0))
        raise ValueError(f"Negative values in {name}: position {i} is {weights[i]}; weights must be 0 or more")
    if not np.any(weights):
        raise ValueError(f"{name}: Sample weights must contain at least one non-zero number, all are zero")
    return scaled(weights)


def plain_weights(sample_weight: Any, name: str) -> Any:
    """Weights without the tensors around them; sparse ones, and masked ones, are refused."""
    refuse_sparse(sample_weight, name)
    refuse_masked(sample_weight, name, "give 0 to what is not to count")
    return unwrapped_items(sample_weight, name)


def scaled(weights: Array) -> Array:
    """Valid weights (n,) whose sums and products are finite: the same ones, unless the largest is out of all bounds."""
    largest = weights.max(initial=0.0)
    return weights if largest == 0 or SMALLEST <= largest <= LARGEST else weights / largest


def validate_groups(groups: Any, n_sequences: int) -> NDArray[Any] | None:
    """Check the group labels of the inner validation split, one for each sequence, and number the groups.

    Parameters
    ----------
    groups : array-like of shape (n_sequences,), or None
        Labels of any kind, none of them missing.
    n_sequences : int

    Returns
    -------
    codes : array of int, shape (n_sequences,), or None
    """
    if groups is None:
        return None
    refuse_sparse(groups, "groups")
    refuse_masked(groups, "groups", "give each sequence a group")
    groups = unwrapped_items(groups, "groups")
    groups = groups.to_pylist() if hasattr(groups, "to_pylist") else groups
    if isinstance(groups, (str, bytes)) or not hasattr(groups, "__len__"):
        raise SequenceDataError(f"groups={shown(groups)} must hold one group for each of the {n_sequences} sequences")
    labels = groups.tolist() if hasattr(groups, "tolist") else list(groups)
    shape = tuple(getattr(groups, "shape", (len(groups),)))
    if shape != (n_sequences,) or any(isinstance(label, (list, tuple, np.ndarray)) for label in labels):
        shape = tuple(np.shape(np.array(groups, dtype=object)))
        raise ValueError(f"groups must have shape ({n_sequences},), one group for each sequence, got {shape}")
    for i, label in enumerate(labels):
        if is_missing_or_nan(label):
            raise SequenceDataError(
                f"groups[{i}] is {shown(label)}, which is no group: give each sequence one, a sequence that is alone "
                f"one of its own"
            )
    code_of = {label: code for code, label in enumerate(dict.fromkeys(labels))}  # labels of two types have no order
    return np.array([code_of[label] for label in labels])
