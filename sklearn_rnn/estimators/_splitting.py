"""The validation split inside a fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit, StratifiedShuffleSplit

from sklearn_rnn.data.training_set import TrainingSet


def split_validation(
    data: TrainingSet,
    fraction: float,
    strata: Callable[[Any], NDArray[Any] | None],
    random_state: np.random.RandomState,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Set a share of the sequences aside, whole groups if there are groups, else stratified by class where possible.

    Equal samples stay together, so that none is on both sides, and their number does not matter.

    Parameters
    ----------
    data : TrainingSet
    fraction : float
    strata : callable
        The class of each sequence (n_sequences,), or None, given their targets.
    random_state : RandomState

    Returns
    -------
    training, validation : arrays of int
        Rows of the data.

    Raises
    ------
    ValueError
        If there is too little data for both parts.
    """
    _, first, sample_of = np.unique(data.keys, return_index=True, return_inverse=True)
    stratify = strata(data.target[first])
    groups = None if data.groups is None else data.groups[first]
    n = len(first)
    n_validation = int(np.ceil(fraction * n))
    distinct_groups = n if groups is None else len(set(groups.tolist()))
    if n_validation < 2 or n - n_validation < 2 or distinct_groups < 2:
        what = f"{n} distinct sequences" + ("" if groups is None else f" in {distinct_groups} group(s)")
        raise ValueError(
            f"early_stopping=True needs at least 2 sequences on each side of the split: "
            f"validation_fraction={fraction!r} of {what} leaves too little. Give more data, a larger "
            f"validation_fraction, X_val and y_val, or set early_stopping=False"
        )
    if groups is not None:
        splitter = GroupShuffleSplit(n_splits=1, test_size=fraction, random_state=random_state)
    elif _can_stratify(stratify, n_validation):
        splitter = StratifiedShuffleSplit(n_splits=1, test_size=n_validation, random_state=random_state)
    else:
        splitter = ShuffleSplit(n_splits=1, test_size=n_validation, random_state=random_state)
    _, validation = next(splitter.split(np.zeros((n, 1)), stratify, groups))
    held_out = np.isin(sample_of, validation)
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def _can_stratify(classes: NDArray[Any] | None, n_validation: int) -> bool:
    if classes is None or classes.ndim != 1:
        return False
    counts = np.unique(classes, return_counts=True)[1]
    return bool(counts.min() >= 2 and n_validation >= len(counts) and len(classes) - n_validation >= len(counts))
