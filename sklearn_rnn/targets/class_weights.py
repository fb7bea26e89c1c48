"""Weights of classes, from counts that are themselves weighted."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def class_weight_vector(
    class_weight: dict[Any, float] | str,
    classes: NDArray[Any],
    codes: NDArray[np.int64],
    weight: NDArray[np.float64],
) -> NDArray[np.float64]:
    """The weight of each class.

    Parameters
    ----------
    class_weight : dict or "balanced"
        ``"balanced"`` gives each class the same total weight: ``total / (n_classes * total_of_class)``.
    classes : array of shape (n_classes,)
    codes : array of int, shape (n,)
        The class of each training item, as a position in `classes`.
    weight : array of shape (n,)

    Returns
    -------
    weights : array of shape (n_classes,)

    Raises
    ------
    ValueError
        If a dict names a class that is not there and leaves out one that is, or holds a negative weight.
    """
    if class_weight == "balanced":
        totals = np.bincount(codes, weights=weight, minlength=len(classes))
        return np.where(totals > 0, totals.sum() / (np.count_nonzero(totals) * np.where(totals > 0, totals, 1)), 1.0)
    assert isinstance(class_weight, dict)
    known = classes.tolist()
    unknown = [label for label in class_weight if label not in known]
    unnamed = [label for label in known if label not in class_weight]
    if unknown and unnamed:  # a typo; without unnamed ones it is a fold that lacks a class
        raise ValueError(
            f"class_weight names the class(es) {unknown!r} that are not among the classes {known!r}, and leaves out "
            f"{unnamed!r}"
        )
    try:
        weights = np.array([class_weight.get(label, 1.0) for label in known], dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"class_weight={class_weight!r} must hold numbers: {error}") from error
    if not np.all(weights >= 0) or not np.all(np.isfinite(weights)) or not weights.any():
        raise ValueError(f"class_weight={class_weight!r} must hold finite weights of 0 or more, not all 0")
    return weights


def refuse_unknown_classes(labels: NDArray[Any], classes: NDArray[Any]) -> None:
    """Raise ValueError if `labels` (n,) hold any that are not among `classes` (n_classes,)."""
    known = set(classes.tolist())
    unknown = sorted({label for label in labels.tolist() if label not in known}, key=str)
    if unknown:
        raise ValueError(
            f"y holds the class(es) {unknown!r} that are not among the classes {classes.tolist()!r} of the first fit: "
            f"name all classes in the first partial_fit, fit without warm_start, or leave them out"
        )
