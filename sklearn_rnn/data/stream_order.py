"""Whether the pieces of a stream are in their order, where they say which order that is."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklearn_rnn._warning import warn
from sklearn_rnn.data.row_order import ids_of_index
from sklearn_rnn.exceptions import SequenceDataError, SequenceDataWarning

ORDERED = "iufmM"
"""Kinds of numbers and of times; names have no order that anybody knows."""


def check_stream(X: Any, *, name: str = "X") -> None:
    """Refuse pieces whose ids or index go back, as those of shuffled rows do, and warn of several gaps among them.

    Parameters
    ----------
    X : sequences in any supported format
    name : str
        What errors call it.

    Raises
    ------
    SequenceDataError
    """
    ids = getattr(X, "ids", None)
    ids = ids_of_index(X) if ids is None else np.asarray(ids)
    if ids is None or ids.dtype.kind not in ORDERED or len(ids) < 2:
        return
    back = np.flatnonzero(ids[1:] < ids[:-1])
    of = f"{name}.{'index' if hasattr(X, 'iloc') else 'ids'}"
    if len(back):
        i = int(back[0])
        raise SequenceDataError(
            f"{name} is a stream, stream=True, whose pieces follow each other, but {of} goes back from {ids[i]} to "
            f"{ids[i + 1]}: sort {name}, and split it by TimeSeriesSplit or shuffle=False. If this is its order, "
            f"give {name} without {'the index (reset_index(drop=True))' if hasattr(X, 'iloc') else 'ids'}"
        )
    n_gaps = int(np.count_nonzero(np.diff(ids) > 1)) if ids.dtype.kind in "iu" else 0
    if n_gaps > 1:
        warn(
            f"{name} is a stream, stream=True, whose pieces follow each other, but {of} has {n_gaps} gaps, as rows "
            f"that a shuffled split leaves have: split it by TimeSeriesSplit. If its pieces do follow each other, "
            f"number them anew",
            SequenceDataWarning,
        )
