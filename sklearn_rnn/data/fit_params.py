"""Parameters of ``fit`` beside X and y, when only some of the sequences go in."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing


def take_fit_params(params: dict[str, Any], index: NDArray[np.int64], n_sequences: int) -> dict[str, Any]:
    """What of `params` goes with the sequences at `index`.

    Parameters
    ----------
    params : dict
    index : array of int, shape (n_selected,)
    n_sequences : int
        How many sequences there are.

    Returns
    -------
    params : dict
        What holds an item for each sequence is indexed; validation data, named ``*_val``, and all else stays whole.
    """

    def take(name: str, value: Any) -> Any:
        per_sequence = hasattr(value, "__len__") and not isinstance(value, str) and len(value) == n_sequences
        return _safe_indexing(value, index) if per_sequence and not name.endswith("_val") else value

    return {name: take(name, value) for name, value in params.items()}
