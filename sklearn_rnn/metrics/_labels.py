"""True and predicted labels in every format, read into pairs of equal lengths."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sklearn_rnn.data.formats import is_text
from sklearn_rnn.data.number_targets import validate_step_weights
from sklearn_rnn.data.padding import advice_if_padded
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.tag_spellings import in_plain_spelling
from sklearn_rnn.data.tag_steps import TagSteps
from sklearn_rnn.data.targets import labelled_steps, read_step_labels
from sklearn_rnn.data.weights import validate_weights
from sklearn_rnn.exceptions import SequenceDataError


def paired_labels(y_true: Any, y_pred: Any) -> tuple[Sequences, Sequences]:
    """Read true and predicted label sequences, and check that they have the same lengths.

    Raises
    ------
    SequenceDataError
        If they differ in number, or one pair in length; the message says which.
    """
    true, pred = read_step_labels(y_true, name="y_true"), read_step_labels(y_pred, name="y_pred")
    _check_same_lengths(true.offsets, pred.offsets)
    return true, pred


def flat_labels(
    true: Sequences, pred: Sequences, *, ignore_label: Any, sample_weight: ArrayLike | None
) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float64]]:
    """True labels, predicted labels and weights (n_labelled_steps,) of the steps that carry a label."""
    counted = labelled_steps(true, ignore_label)
    of_steps = None if sample_weight is None else validate_step_weights(sample_weight, true, name="sample_weight")
    weight = (
        np.repeat(validate_weights(sample_weight, len(true)), true.lengths) if of_steps is None else of_steps.values
    )
    return _as_flat(true.values[counted]), _as_flat(pred.values[counted]), weight[counted]


def _as_flat(labels: NDArray[Any]) -> NDArray[Any]:
    """Strings as one dtype, so that scikit-learn's metrics know what they are."""
    return labels.astype(str) if is_text(labels) else labels


def paired_tags(y_true: Any, y_pred: Any, ignore_label: Any = None) -> tuple[TagSteps, TagSteps]:
    """Read true and predicted tags as :func:`paired_labels` does, into codes; in whatever spelling each of them is."""
    true, pred = _read_tags(y_true, "y_true"), _read_tags(y_pred, "y_pred")
    _check_same_lengths(true.offsets, pred.offsets)
    return in_plain_spelling(true, ignore_label), in_plain_spelling(pred, ignore_label)


def _read_tags(y: Any, name: str) -> TagSteps:
    coded = _read_lists_of_text(y)
    return TagSteps.read(read_step_labels(y, name=name)) if coded is None else coded


def _read_lists_of_text(y: Any) -> TagSteps | None:
    """Lists of strings, coded without an array of the strings between; None where there is anything else in y."""
    if not isinstance(y, (list, tuple)) and not (isinstance(y, np.ndarray) and y.dtype == object and y.ndim == 1):
        return None
    if not set(map(type, y)) <= {list, tuple}:
        return None
    offsets = np.concatenate([[0], np.cumsum(np.fromiter(map(len, y), np.int64, len(y)))])
    try:
        coded = TagSteps.from_lists(y, offsets)
    except TypeError:  # what cannot be hashed is no string
        return None
    return coded if coded.tags and all(isinstance(tag, str) for tag in coded.tags) else None


def _check_same_lengths(true: NDArray[np.int64], pred: NDArray[np.int64]) -> None:
    """Compare the offsets (n_sequences + 1,) of true and predicted labels."""
    if len(true) != len(pred):
        raise SequenceDataError(f"y_true holds {len(true) - 1} sequences, y_pred {len(pred) - 1}")
    if not np.array_equal(true, pred):
        wanted, found = np.diff(true), np.diff(pred)
        i = int(np.argmax(wanted != found))
        advice = advice_if_padded(wanted, found)
        raise SequenceDataError(f"y_true[{i}] has {wanted[i]} labels, y_pred[{i}] has {found[i]}{advice}")
