"""The validation split inside a fit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit, StratifiedShuffleSplit

from sklearn_rnn.data.training_set import TrainingSet


def split_validation(
    data: TrainingSet, fraction: float, stratify: NDArray[np.int64] | None, random_state: np.random.RandomState
) -> tuple[TrainingSet, TrainingSet]:
    """Set a share of the sequences aside, whole groups if there are groups, else stratified by class where possible.

    Parameters
    ----------
    data : TrainingSet
    fraction : float
    stratify : array of int, shape (n_sequences,), or None
    random_state : RandomState

    Returns
    -------
    training, validation : TrainingSet

    Raises
    ------
    ValueError
        If there is too little data for both parts.
    """
    if stratify is not None and stratify.ndim == 2 and stratify.shape[1] == 1:
        stratify = stratify[:, 0]  # the codes of two classes come as a column
    n = len(data)
    n_validation = int(np.ceil(fraction * n))
    distinct_groups = n if data.groups is None else len(set(data.groups.tolist()))
    if n_validation < 2 or n - n_validation < 2 or distinct_groups < 2:
        what = f"{n} distinct sequences" + ("" if data.groups is None else f" in {distinct_groups} group(s)")
        raise ValueError(
            f"early_stopping=True needs at least 2 sequences on each side of the split: "
            f"validation_fraction={fraction!r} of {what} leaves too little. Give more data, a larger "
            f"validation_fraction, X_val and y_val, or set early_stopping=False"
        )
    if data.groups is not None:
        splitter = GroupShuffleSplit(n_splits=1, test_size=fraction, random_state=random_state)
    elif _can_stratify(stratify, n_validation):
        splitter = StratifiedShuffleSplit(n_splits=1, test_size=n_validation, random_state=random_state)
    else:
        splitter = ShuffleSplit(n_splits=1, test_size=n_validation, random_state=random_state)
    training, validation = next(splitter.split(np.zeros((n, 1)), stratify, data.groups))
    return data.take(training), data.take(validation)


def _can_stratify(classes: NDArray[np.int64] | None, n_validation: int) -> bool:
    if classes is None or classes.ndim != 1:
        return False
    counts = np.unique(classes, return_counts=True)[1]
    return bool(counts.min() >= 2 and n_validation >= len(counts) and len(classes) - n_validation >= len(counts))
