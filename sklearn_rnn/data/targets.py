"""The one door for labels as targets, of sequences or of steps."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from sklearn_rnn._warning import warn
from sklearn_rnn.data.aligned import AlignedSequences
from sklearn_rnn.data.arrow import read_arrow_targets
from sklearn_rnn.data.conversion import is_missing_or_nan, is_sparse, refuse_masked, refuse_sparse, unwrapped_items
from sklearn_rnn.data.formats import as_sequences, check_tokens, dimensions, is_text, items_of
from sklearn_rnn.data.integers import exact_integers, from_whole_floats
from sklearn_rnn.data.padding import cut_alike, with_padding
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.step_shapes import as_wide_as_long
from sklearn_rnn.exceptions import SequenceDataError, SequenceTypeError, UnseenLabelsWarning

TargetKind = Literal["binary", "multiclass", "multilabel"]


def validate_class_labels(
    y: Any, n_sequences: int, lengths: NDArray[np.int64] | None = None
) -> tuple[NDArray[Any], TargetKind]:
    """Check the labels of a classifier.

    Parameters
    ----------
    y : array-like of shape (n_sequences,), or a multilabel indicator of shape (n_sequences, n_labels)
    n_sequences : int
    lengths : array of int, shape (n_sequences,), optional
        The steps of each sequence, for the advice of an error.

    Returns
    -------
    labels : array of shape (n_sequences,) of any dtype, or of 0 and 1 and shape (n_sequences, n_labels)
    kind : {"binary", "multiclass", "multilabel"}
        What scikit-learn's ``type_of_target`` says of the labels.

    Raises
    ------
    SequenceDataError, ValueError
        If y is neither, among them indicators that hold anything but 0 and 1.
    """
    if y is None:
        raise ValueError("requires y to be passed, but the target y is None")
    if isinstance(y, Sequences):
        raise SequenceDataError(
            f"y holds labels for the steps of {len(y)} sequences, wanted one label, or one row of 0 and 1, for each "
            f"sequence. A label for each step is RNNSequenceTagger's work"
        )
    y = _as_array(y)
    check_count(y, n_sequences)
    _check_class_labels(y)
    y = _in_block(y)
    if is_sparse(y) and y.shape[1] == 1:  # one label a sequence, as the dense column is
        y = y.toarray().ravel()
    try:
        kind = type_of_target(y, input_name="y", raise_unknown=True)
        if kind not in ("binary", "multiclass"):
            _check_no_steps(y, kind, lengths)
        check_classification_targets(y)
    except SequenceDataError:
        raise
    except TypeError as error:
        raise SequenceTypeError(str(error)) from error
    except ValueError as error:
        raise SequenceDataError(str(error)) from error
    if kind == "multilabel-indicator":
        return _as_indicator(y), "multilabel"
    if kind == "multiclass-multioutput":
        raise ValueError(
            f"y holds {np.shape(y)[1]} multiclass targets a sequence; fit one classifier for each "
            f"(sklearn.multioutput.MultiOutputClassifier), or give a binary indicator matrix. A label for each step is "
            f"RNNSequenceTagger's work"
        )
    return column_or_1d(y, warn=True), "binary" if kind == "binary" else "multiclass"


def _in_block(y: Any) -> Any:
    """Rows of labels of one length, which may be objects, as an array of the type that NumPy finds for them."""
    if is_sparse(y) or hasattr(y, "columns") or (hasattr(y, "dtype") and y.dtype != object):
        return y
    if len(getattr(y, "shape", (0,))) == 1:
        items = y if isinstance(y, (list, tuple, Sequences)) else items_of(y)
        if not all(is_listlike(item) for item in items):
            return y
        y = [list(item) for item in items]
    try:
        rows = np.asarray(y.tolist() if isinstance(y, np.ndarray) else y)
    except ValueError as error:
        raise SequenceDataError(
            f"y holds {y[0]!r:.60} for a sequence, wanted 0 and 1 for each label: its rows are no table ({error})"
        ) from error
    if rows.dtype == object:
        odd = next(cell for cell in rows.ravel() if not isinstance(cell, (int, float)))
        raise SequenceDataError(f"y holds {odd!r:.60} in its rows, wanted 0 and 1 for each label of a sequence")
    return rows


def _check_no_steps(y: Any, kind: str, lengths: NDArray[np.int64] | None) -> None:
    """Refuse rows that are as long as their sequences, and can be no sets of labels, with the way to fit them."""
    shape = np.shape(y)
    if kind == "multilabel-indicator" or lengths is None or not as_wide_as_long(shape, lengths):
        return
    way = "RNNRegressor(target='step')" if kind.startswith("continuous") else "RNNSequenceTagger"
    raise SequenceDataError(
        f"y has shape {shape}, and each sequence {shape[1]} steps: a value for each step is what {way} fits, while a "
        f"classifier wants one label for each sequence, or a row of 0 and 1"
    )


def _as_indicator(y: Any) -> NDArray[np.int64]:
    """An indicator (n_sequences, n_labels) of 0 and 1, dense."""
    dense = check_array(y, accept_sparse="csr", ensure_min_features=1)
    dense = dense.toarray() if is_sparse(dense) else dense
    found = [int(value) for value in np.unique(dense)]
    if not set(found) <= {0, 1}:
        present = found[-1] if found[-1] != 0 else found[0]
        raise SequenceDataError(
            f"y has shape {dense.shape} and holds {' and '.join(repr(value) for value in found)}, wanted 0 and 1 for "
            f"each label of a sequence: give (y == {present!r}).astype(int) if {present!r} says that it has the label"
        )
    return dense.astype(np.int64)


def validate_step_labels(y: Any, sequences: Sequences | AlignedSequences, *, name: str = "y") -> Sequences:
    """Check the labels of a tagger: for each sequence as many labels as it has steps.

    Parameters
    ----------
    y : list, object array or Series of label sequences, or array of shape (n_sequences, n_steps)
        Labels are strings or integers.
    sequences : Sequences or AlignedSequences
        The steps that the labels belong to.
    name : str
        What to call y in errors.

    Returns
    -------
    labels : Sequences
        Values of shape (total_steps,).
    """
    if y is None:
        raise ValueError("requires y to be passed, but the target y is None")
    _check_nested(y, name)
    labels = read_step_labels(cut_alike(y, sequences), name=name)
    if len(labels) != len(sequences):
        raise SequenceDataError(
            f"{name} holds labels for {len(labels)} sequences, X has {len(sequences)}: inconsistent numbers of samples"
        )
    check_same_steps(labels, sequences, name, "label")
    return labels


def _check_nested(y: Any, name: str) -> None:
    """Refuse one label for each sequence, and the labels of a single sequence, with what to do in either case."""
    if not is_listlike(y) or isinstance(y, Sequences) or len(getattr(y, "shape", (0,))) != 1:
        return
    label = next(iter(y), ())
    if isinstance(label, (str, int, float, np.number, np.bool_)):
        shown = label.item() if isinstance(label, np.generic) else label
        raise SequenceDataError(
            f"{name} must hold one list of labels for each sequence, got {shown!r} where such a list is due. "
            f"RNNClassifier learns one label for each sequence, RNNRegressor one number; one sequence has the labels "
            f"[{name}], beside [X]"
        )


def check_same_steps(items: Sequences, sequences: Sequences | AlignedSequences, name: str, what: str) -> None:
    """Raise unless there is one of `items` for each step."""
    if not np.array_equal(items.offsets, sequences.offsets):
        i = int(np.argmax(items.lengths != sequences.lengths))
        raise SequenceDataError(
            f"{name}[{i}] has {items.lengths[i]} {what}s, but X[{i}] has {sequences.lengths[i]} steps"
            f"{with_padding(sequences, i)}: wanted one {what} for each step"
        )


def read_step_labels(y: Any, *, name: str = "y") -> Sequences:
    """Read label sequences in any format into a container with values of shape (total_steps,)."""
    y = unwrapped_labels(read_arrow_targets(y, name=name), name)
    if hasattr(y, "to_pylist"):  # an Arrow column, whose items NumPy cannot look into
        y = y.to_pylist()
    if hasattr(y, "columns") and hasattr(y, "to_numpy"):  # a frame, which would go by its column names
        y = y.to_numpy()
    if not isinstance(y, Sequences):
        item = next((item for item in y if not hasattr(item, "__len__") or len(item)), None) if is_listlike(y) else y
        if item is None and is_listlike(y) and len(y) and all(hasattr(item, "__len__") for item in y):
            return Sequences(np.empty(0, dtype=object), np.zeros(len(y) + 1))
        if item is None or isinstance(item, (str, bytes)) or dimensions(item) == 0:
            raise SequenceDataError(
                f"{name} must hold one list of labels for each sequence, got {item!r} where such a list is due"
            )
    try:
        labels = as_sequences(y, name=name)
    except SequenceDataError:
        _refuse_missing_labels(y, name)
        raise
    values = labels.values
    if labels.n_features != 1:
        raise SequenceDataError(f"{name} must hold one label a step, got {labels.n_features}")
    values = values.reshape(-1)
    if is_text(values):
        if values.dtype == object and not {str, np.str_}.issuperset(map(type, values.tolist())):
            _refuse_missing_labels(labels, name)
            check_tokens(labels, name)
    else:
        if values.dtype == object:
            whole = exact_integers(values.tolist(), name)
            values = np.asarray(values.tolist()) if whole is None else whole
        if values.dtype.kind == "f" and np.all(np.mod(values, 1) == 0):
            values = from_whole_floats(values, name)
        if values.dtype.kind not in "iub":
            _refuse_missing_labels(labels, name)
            raise SequenceDataError(f"{name} must hold strings or integers, got labels of dtype {values.dtype}")
    return labels.with_values(values)


def _refuse_missing_labels(y: Any, name: str) -> None:
    """Name the first label of label sequences that is NaN or None, if there is one."""
    way = (
        "Give steps without a label a value of their own, such as '?' or -1, and name it by ignore_label='?' or "
        "ignore_label=-1"
    )
    for i, labels in enumerate(items_of(y) if not isinstance(y, (list, tuple, Sequences)) else y):
        if is_missing_or_nan(labels):
            raise SequenceDataError(f"{name}[{i}] is {labels}, where one label for each step is due. {way}")
        for step, label in enumerate(labels if is_listlike(labels) else ()):
            label = label[0] if is_listlike(label) and len(label) == 1 else label
            if is_missing_or_nan(label):
                raise SequenceDataError(
                    f"{name}[{i}][{step}] is {label}, but {name} must hold strings or integers. {way}"
                )


def labelled_steps(labels: Sequences, ignore_label: Any) -> NDArray[np.bool_]:
    """Which steps (total_steps,) carry another label than `ignore_label`."""
    if ignore_label is None:
        return np.ones(len(labels.values), dtype=bool)
    return np.asarray(labels.values != ignore_label, dtype=bool)


def is_listlike(y: Any) -> bool:
    return hasattr(y, "__len__") and hasattr(y, "__iter__") and not isinstance(y, (str, bytes))


def _as_array(y: Any) -> Any:
    """Tensors, Arrow columns and other array-likes as arrays, integers in one type; lists and Series as they are."""
    if not is_sparse(y):
        y = unwrapped_labels(read_arrow_targets(y), "y")
    if hasattr(y, "to_pydict"):
        return y.to_pandas()
    if hasattr(y, "to_pylist"):
        y = y.to_pylist()
    dtype = getattr(y, "dtype", None)
    if getattr(dtype, "kind", None) == "T":  # NumPy's strings of any length
        return y.astype(object)
    if hasattr(y, "iloc") and y.ndim == 2 and y.shape[1] == 1:
        labels = exact_integers(y.iloc[:, 0], "y")
        return y if labels is None else labels[:, None]
    if isinstance(y, (list, tuple)) or (dtype is not None and len(y.shape) == 1 and _may_hold_integers(dtype)):
        labels = exact_integers(y, "y")
        y = y if labels is None else labels
    return np.asarray(y) if hasattr(y, "__array__") and not hasattr(y, "shape") else y


def unwrapped_labels(y: Any, name: str) -> Any:
    """Labels without the tensors around them; masked ones are refused."""
    refuse_sparse(y, name)
    refuse_masked(y, name, "leave out sequences without a label, and name steps without one by an ignore_label")
    return unwrapped_items(y, name)


def _may_hold_integers(dtype: Any) -> bool:
    """Whether values of a type are objects, or integers of pandas or polars, of which NumPy may make floats."""
    return not isinstance(dtype, np.dtype) or dtype.kind == "O"


def _check_class_labels(y: Any) -> None:
    """Name what scikit-learn's own checks of class labels stumble over: missing, mixed or nested labels."""
    shape = y.shape if hasattr(y, "shape") else (len(y),)
    if len(shape) > 2:
        raise SequenceDataError(
            f"y has shape {shape}, wanted (n_sequences,), or (n_sequences, n_labels) of 0 and 1. A label for each step "
            f"is RNNSequenceTagger's work"
        )
    if len(shape) == 2 or (isinstance(y, np.ndarray) and y.dtype.kind in "biuU"):
        return
    items = list(y)
    nested = [item for item in items if hasattr(item, "__len__") and not isinstance(item, (str, bytes))]
    if nested:
        rows = all(isinstance(item, (list, tuple, np.ndarray)) for item in items)
        if rows and len({len(item) for item in items}) == 1:
            return
        raise SequenceDataError(
            f"y must hold one label, or one row of 0 and 1, for each sequence, got {nested[0]!r:.60} among others. "
            f"Sets of labels become rows through MultiLabelBinarizer; a label for each step is RNNSequenceTagger's work"
        )
    for i, item in enumerate(items):
        if is_missing_or_nan(item):
            raise SequenceDataError(f"Input y contains NaN: y[{i}] is {item!r}. Leave out sequences without a label")
        if isinstance(item, (float, np.floating)) and np.isinf(item):
            raise SequenceDataError(
                f"Input y contains infinity or a value too large for dtype('float64'): y[{i}] is {item!r}"
            )
        if isinstance(item, str) != isinstance(items[0], str):
            raise SequenceDataError(
                f"y mixes strings with other labels: y[0] is {items[0]!r}, y[{i}] is {item!r}. Give one kind of label"
            )


def check_count(y: Any, n_sequences: int, *, name: str = "y") -> None:
    """Raise unless there is one item of y for each sequence."""
    shape = getattr(y, "shape", None)
    if isinstance(y, (str, bytes, Mapping, Set)) or (not hasattr(y, "__len__") if shape is None else len(shape) == 0):
        raise SequenceDataError(f"{name} must be array-like with one target for each sequence, got {y!r:.60}")
    count = len(y) if shape is None else shape[0]
    if count != n_sequences:
        raise SequenceDataError(
            f"Found input variables with inconsistent numbers of samples: X has {n_sequences} sequences, {name} has "
            f"{count}"
        )


def warn_unseen_labels(unseen: list[Any]) -> None:
    """Warn that labels met in scoring were not there in training, so that every such step counts as an error."""
    shown = ", ".join(repr(label) for label in unseen[:5]) + (", ..." if len(unseen) > 5 else "")
    warn(
        f"y holds {len(unseen)} label(s) that were not seen in fit ({shown}): steps that carry them count as errors",
        UnseenLabelsWarning,
    )
