"""Padded data made ragged, once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sklearn_rnn.data.aligned import AlignedSequences, read_aligned
from sklearn_rnn.data.conversion import unwrapped_items
from sklearn_rnn.data.formats import object_array
from sklearn_rnn.data.padding import Trimming, trim, with_padding
from sklearn_rnn.data.row_order import ids_of_index
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.steps import read_steps
from sklearn_rnn.data.targets import check_count
from sklearn_rnn.exceptions import SequenceDataError


def trim_padding(X: Any, value: Any = np.nan, *, y: Any = None, lengths: ArrayLike | None = None) -> Any:
    """Cut off the padding that came with data, so that sequences have the lengths that they really have.

    Steps at the end and at the beginning of a sequence are cut off as long as all their features equal `value`. Steps
    between others stay, whatever they hold. The estimators do the same with their parameter `padding_value`; do it once
    with this function where something before them, such as a scaler, would read the padding.

    Parameters
    ----------
    X : sequences in any supported format
        For example an array of shape (n_sequences, n_steps, n_features), or of ids or tokens and shape (n_sequences,
        n_steps).
    value : number, str, or dict of str to those, default=numpy.nan
        What padding holds. Of several inputs a step a dict names those that tell padding.
    y : array-like, optional
        What belongs to the steps of X, padded as X is: labels, numbers or weights, of shape (n_sequences, n_steps) or
        (n_sequences, n_steps, n_outputs), or nested lists. It is cut where X is.
    lengths : array-like of int, shape (n_sequences,), optional
        How many steps of each sequence are there, the others following them. `value` is then of no account.

    Returns
    -------
    X : Sequences, or AlignedSequences of several inputs
        A sequence that is padding throughout has length 0.
    y : object array of shape (n_sequences,)
        Items as those of `y`. Only if `y` is given.

    Raises
    ------
    SequenceDataError
        If X cannot be read, `value` is a string where X holds numbers or the other way round, or `y` or `lengths` do
        not belong to X.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_rnn import trim_padding
    >>> X = np.array([[[0.5], [0.2], [np.nan]], [[0.1], [np.nan], [np.nan]]])
    >>> trim_padding(X)
    Sequences(n_sequences=2, n_features=1, lengths 1 to 2)

    Ids and their labels, with zeros in front:

    >>> ids, tags = trim_padding([[0, 7, 3], [0, 0, 5]], value=0, y=[["-", "B", "O"], ["-", "-", "B"]])
    >>> ids[0].ravel(), tags[0]
    (array([7, 3]), ['B', 'O'])
    """
    aligned = read_aligned(X)
    inputs: Any = _with_ids(read_steps(X)[0], X) if aligned is None else aligned
    trimmed = trim(inputs, value, parameter="value") if lengths is None else _first_steps(inputs, lengths)
    trimming, trimmed.trimming = trimmed.trimming, None
    return trimmed if y is None else (trimmed, _cut(y, inputs, trimmed, trimming))


def _with_ids(sequences: Sequences, X: Any) -> Sequences:
    """`sequences`, which know the index of the X that they were read from."""
    if sequences is not X:
        sequences.ids = ids_of_index(X)
    return sequences


def _first_steps(inputs: Any, lengths: ArrayLike) -> Any:
    """The first steps of each sequence, as many as `lengths` (n_sequences,) says."""
    kept = np.asarray(unwrapped_items(lengths, "lengths"))
    if kept.shape != (len(inputs),) or kept.dtype.kind not in "iu":
        raise SequenceDataError(
            f"lengths={lengths!r:.60} must hold one integer for each of the {len(inputs)} sequences of X"
        )
    wrong = np.flatnonzero((kept < 0) | (kept > inputs.lengths))
    if len(wrong):
        i = wrong[0]
        raise SequenceDataError(f"lengths[{i}] is {kept[i]}, but X[{i}] has {inputs.lengths[i]} steps")
    trimmed = inputs.between(inputs.offsets[:-1], kept.astype(np.int64))
    trimmed.trimming = Trimming(inputs.lengths, np.zeros_like(inputs.lengths), trimmed.lengths)
    return trimmed


def _cut(
    y: Any, inputs: Sequences | AlignedSequences, trimmed: Sequences | AlignedSequences, trimming: Trimming | None
) -> NDArray[Any]:
    """What belongs to the steps that are left, (n_sequences,); an error for what does not belong to steps."""
    check_count(y, len(inputs))
    uncut = Trimming(inputs.lengths, np.zeros_like(inputs.lengths), inputs.lengths)
    items = (trimming or uncut).cut(y)
    for i, item in enumerate(items):
        length = len(item) if hasattr(item, "__len__") and not isinstance(item, (str, bytes)) else None
        if length != trimmed.lengths[i]:
            count = f"is {item!r:.60}" if length is None else f"has {length} items"
            trimmed.trimming = trimming
            raise SequenceDataError(
                f"y[{i}] {count}, but X[{i}] has {trimmed.lengths[i]} steps{with_padding(trimmed, i)}: wanted one item "
                f"for each step, as X has them. What belongs to whole sequences needs no trimming"
            )
    return object_array(items)
