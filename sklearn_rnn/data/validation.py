"""The one door for X and sample weights: below it, code trusts its input."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from sklearn_rnn.data.arrow import read_arrow
from sklearn_rnn.data.formats import (
    WANTED,
    as_sequences,
    check_not_masked,
    check_tokens,
    document_error,
    is_sparse,
    is_table,
    is_text,
    locate,
)
from sklearn_rnn.data.missing import carry_forward
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.stored import StoredSequences, keep_stored
from sklearn_rnn.data.tokens import TokenSequences
from sklearn_rnn.exceptions import SequenceDataError, SwappedAxesWarning


@dataclass(frozen=True)
class InputSpec:
    """What the sequences looked like in ``fit``, and what ``predict`` holds the next ones to.

    Attributes
    ----------
    kind : {"numeric", "text", "ids", "objects", "aligned"}
        Numbers, string tokens, integer tokens, steps that are dicts or lists, which only transformers read, or several
        inputs a step.
    n_features : int
        Features a step, before a missing-value indicator is added; 1 for tokens.
    table : bool
        Whether X was a 2-D table, one row a sequence of equal length.
    width : int or None
        The length of all sequences, where X was a list of lists of numbers, which may stand for a table.
    missing : {"error", "mask"}
        What was done with NaN.
    max_length : int or None
        Steps that are kept of a longer sequence.
    truncate : {"head", "tail"}
        The end that is cut off.
    inputs : dict of str to InputSpec
        The inputs, where there are several.
    columns : tuple of str or None
        Names of the features of an input among several, if it had them.
    """

    kind: Literal["numeric", "text", "ids", "objects", "aligned"]
    n_features: int
    table: bool
    width: int | None = None
    missing: str = "error"
    max_length: int | None = None
    truncate: str = "tail"
    inputs: dict[str, InputSpec] = field(default_factory=dict)
    columns: tuple[str, ...] | None = None


def validate_sequences(
    estimator: Any,
    X: Any,
    *,
    reset: bool,
    dtype: str = "float32",
    embed: bool = False,
    missing: str = "error",
    allow_empty: bool = False,
) -> Sequences:
    """Read X in any format, check it, and hold it to what was seen in ``fit``.

    Parameters
    ----------
    estimator : estimator
        Gets ``n_features_in_``, ``feature_names_in_`` and ``input_spec_`` with ``reset=True``; is compared with them
        otherwise.
    X : sequences in any of the documented formats
    reset : bool
        True in ``fit``.
    dtype : {"float32", "float64"}
        The type of numeric values.
    embed : bool
        Whether integers are token ids.
    missing : {"error", "mask"}
        Refuse NaN, or carry the last value forward and add an indicator a feature.
    allow_empty : bool
        Whether sequences without steps may be among the others.

    Returns
    -------
    sequences : Sequences
        Values of shape (total_steps, n_features) in `dtype`, or tokens of shape (total_steps,).

    Raises
    ------
    SequenceDataError, ValueError, TypeError
        What came, where, and what was wanted.
    """
    X = read_arrow(X)
    if hasattr(X, "column_names") and hasattr(X, "to_pandas"):  # an Arrow table
        X = X.to_pandas()
    if hasattr(X, "__array__") and not hasattr(X, "shape") and not hasattr(X, "to_list"):
        X = np.asarray(X)
    table = is_table(X)
    if table or is_sparse(X) or is_plain_vector(X):
        sequences = read_table(estimator, X, reset=reset)
        feature_names = None
    else:
        sequences = as_sequences(X)
        feature_names = sequences.feature_names
    sequences = keep_stored(sequences)
    if allow_empty and not reset and not sequences.lengths.any():
        return _without_steps(sequences, estimator.input_spec_, dtype, missing)
    _check_lengths(sequences, allow_empty)
    spec = InputSpec(_kind(sequences, embed), sequences.n_features, table, _common_width(X, sequences), missing)
    if reset:
        estimator.input_spec_ = spec
    if not table:
        check_features(estimator, sequences.n_features, feature_names, reset=reset)
    check_spec(estimator, spec)
    if isinstance(sequences, TokenSequences):
        return sequences
    if spec.kind != "numeric":
        return sequences.with_values(sequences.values.reshape(-1))
    sequences = _as_numbers(sequences, dtype, allow_nan=missing == "mask", names=_column_names(estimator, table))
    if reset and not table:
        _warn_if_swapped(X, sequences)
    if missing != "mask":
        return sequences
    return sequences.filled() if isinstance(sequences, StoredSequences) else carry_forward(sequences)


def validate_weights(sample_weight: Any, n_sequences: int, *, name: str = "sample_weight") -> NDArray[np.float64]:
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
    """
    if sample_weight is None:
        return np.ones(n_sequences)
    try:
        weights = np.asarray(sample_weight, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must hold one number for each sequence of X: {error}") from error
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
    return weights


def validate_groups(groups: Any, n_sequences: int) -> NDArray[Any] | None:
    """Check the group labels of the inner validation split: one for each sequence, or None."""
    if groups is None:
        return None
    groups = np.asarray(groups)
    if groups.shape != (n_sequences,):
        raise ValueError(f"groups must have shape ({n_sequences},), one group for each sequence, got {groups.shape}")
    code_of = {group: code for code, group in enumerate(dict.fromkeys(groups.tolist()))}  # None has no order
    return np.array([code_of[group] for group in groups.tolist()])


def is_plain_vector(X: Any) -> bool:
    """Whether X is one flat row of numbers, which scikit-learn's own message explains best."""
    if isinstance(X, np.ndarray):
        return X.ndim < 2 and X.dtype != object and X.dtype.kind not in "UT"
    if not isinstance(X, (list, tuple)) or len(X) == 0:
        return False
    return all(np.isscalar(x) and not isinstance(x, (str, bytes)) for x in X[:10])


def read_table(estimator: Any, X: Any, *, reset: bool) -> Sequences:
    """A 2-D table (n_sequences, n_steps) through scikit-learn's own validation; NaN is looked for later."""
    _check_table(X)
    text = is_table(X) and not is_sparse(X) and _first_cell_is_text(X)
    options: dict[str, Any] = {"dtype": None if text else "numeric", "ensure_all_finite": False}
    try:
        if reset or estimator.input_spec_.table:
            array = validate_data(estimator, X, reset=reset, **options)
        else:  # fitted on sequences of any length, to which a table is just one more format
            array = check_array(X, estimator=estimator, **options)
    except (TypeError, ValueError) as error:
        if "could not convert string" not in str(error):
            raise
        raise SequenceDataError(
            f"X mixes strings with numbers ({error}): encode the columns of strings as numbers, or give tokens alone"
        ) from error
    width = None if reset else estimator.input_spec_.width
    if width is not None and array.shape[1] != width:
        raise SequenceDataError(
            f"X has {array.shape[1]} features, but {type(estimator).__name__} is expecting {width} features as input: "
            f"in fit X was a list of lists of {width} numbers, read as a table. Where lengths differ, give arrays"
        )
    flat = np.ascontiguousarray(array).reshape(-1)
    values = flat.astype(object) if text else flat.reshape(-1, 1)
    sequences = Sequences(values, np.arange(array.shape[0] + 1) * array.shape[1])
    if text:
        check_tokens(sequences, "X")
        for row, token in enumerate(values):
            if len(token.split()) > 1:
                raise document_error("X", row // array.shape[1], token)
    return sequences


def _check_table(X: Any) -> None:
    """Refuse tables whose columns cannot be told apart, or whose mask would be lost."""
    check_not_masked(X, "X")
    columns = list(getattr(X, "columns", []))
    if len(set(columns)) < len(columns):
        twice = next(column for column in columns if columns.count(column) > 1)
        raise SequenceDataError(f"X has more than one column of the name {twice!r}: give each column a name of its own")


def _common_width(X: Any, sequences: Sequences) -> int | None:
    """The length of all sequences if X is a list of lists of numbers of equal length, as a table has them."""
    if not isinstance(X, (list, tuple)) or not all(isinstance(item, (list, tuple)) for item in X):
        return None
    lengths = sequences.lengths
    return int(lengths[0]) if sequences.values.ndim == 1 and np.all(lengths == lengths[0]) else None


def _first_cell_is_text(X: Any) -> bool:
    if isinstance(X, np.ndarray):
        return X.dtype.kind in "UT" or (X.dtype == object and X.size > 0 and isinstance(X.flat[0], str))
    cell = X.iloc[0, 0] if hasattr(X, "iloc") and X.size else X[0, 0] if len(X) else None
    return isinstance(cell, str)


def _check_lengths(sequences: Sequences, allow_empty: bool) -> None:
    lengths = sequences.lengths
    if not lengths.any():
        raise SequenceDataError(
            f"X is empty: all {len(lengths)} sequences have length 0, found 0 step(s) while a minimum of 1 is required"
        )
    if not allow_empty and not lengths.all():
        empty = np.flatnonzero(lengths == 0)
        raise SequenceDataError(
            f"X[{empty[0]}] is an empty sequence ({len(empty)} of {len(lengths)} have length 0): there is nothing to "
            f"predict from. Leave such sequences out, or give them one step that stands for 'nothing'"
        )


def _without_steps(sequences: Sequences, fitted: InputSpec, dtype: str, missing: str) -> Sequences:
    """Sequences none of which has a step, with values of the type and width that `fit` saw."""
    if fitted.kind != "numeric":
        return sequences.with_values(np.empty(0, dtype=object))
    n_features = fitted.n_features * (2 if missing == "mask" else 1)
    return sequences.with_values(np.empty((0, n_features), dtype=dtype))


def _kind(sequences: Sequences, embed: bool) -> Literal["numeric", "text", "ids"]:
    values = sequences.chunks[0] if isinstance(sequences, StoredSequences) else sequences.values
    if is_text(values.reshape(-1)[:1]):
        if sequences.n_features > 1:
            raise SequenceDataError(
                f"X holds {sequences.n_features} strings a step, wanted one token a step: sequences of shape (length,)"
            )
        return "text"
    if not embed:
        return "numeric"
    if values.dtype == object:
        values = np.asarray(values.tolist())
    if values.dtype.kind not in "iu" or sequences.n_features != 1:
        raise SequenceDataError(
            f"embedding_dim is set, so each step of X must be one token (a string or an integer id); got dtype "
            f"{values.dtype} with {sequences.n_features} feature(s) a step. Give integer sequences of shape (length,), "
            f"or leave embedding_dim=None for numeric features"
        )
    return "ids"


def check_features(estimator: Any, n_features: int, names: list[str] | None, *, reset: bool) -> None:
    """Set or compare ``n_features_in_`` and ``feature_names_in_`` for what is not a table."""
    if reset:
        estimator.n_features_in_ = n_features
        if names is not None:
            estimator.feature_names_in_ = np.asarray(names, dtype=object)
        elif hasattr(estimator, "feature_names_in_"):
            del estimator.feature_names_in_
        return
    fitted: InputSpec = estimator.input_spec_
    if n_features != fitted.n_features:
        raise SequenceDataError(
            f"X has {n_features} features, but {type(estimator).__name__} is expecting {fitted.n_features} features as "
            f"input: a step must hold the features that it held in fit"
        )
    known = getattr(estimator, "feature_names_in_", None)
    if names is not None and known is not None and not fitted.table and list(known) != names:
        raise SequenceDataError(
            f"The feature names should match those that were passed during fit: wanted {list(known)}, got {names}"
        )


def check_spec(estimator: Any, spec: InputSpec) -> None:
    """Hold the kind of X to the kind seen in ``fit``."""
    fitted: InputSpec = estimator.input_spec_
    if spec.kind != fitted.kind:
        words = {
            "numeric": "numbers",
            "text": "strings (tokens)",
            "ids": "integer ids",
            "objects": "dicts or lists",
            "aligned": "several inputs a step",
        }
        raise SequenceDataError(
            f"{type(estimator).__name__} was fitted on sequences of {words[fitted.kind]}, got {words[spec.kind]}"
        )
    if spec.missing != fitted.missing:
        raise SequenceDataError(
            f"{type(estimator).__name__} was fitted with missing={fitted.missing!r}, and has missing={spec.missing!r} "
            f"now: fit it again"
        )
    if spec.table and not fitted.table and fitted.n_features != 1:
        raise SequenceDataError(
            f"{type(estimator).__name__} is expecting {fitted.n_features} features a step ({WANTED}), got a 2-D table, "
            f"which holds one feature a step"
        )


def _column_names(estimator: Any, table: bool) -> list[str] | None:
    names = getattr(estimator, "feature_names_in_", None)
    return None if names is None or table else list(names)


def _as_numbers(
    sequences: Sequences, dtype: str, *, allow_nan: bool, names: list[str] | None, first: int = 0
) -> Sequences:
    """Values (total_steps, n_features) in `dtype`, contiguous and finite; an error names the place of what is not.

    What is stored is looked at in parts, of each of which `first` is the first sequence.
    """
    if isinstance(sequences, StoredSequences):
        for first, part in sequences.blocks():
            _as_numbers(part, dtype, allow_nan=allow_nan, names=names, first=first)
        return sequences.read_as(dtype)
    raw = sequences.values
    if raw.dtype.kind == "c":
        raise SequenceDataError(
            f"Complex data not supported: X has dtype {raw.dtype}; give real and imaginary parts as two features"
        )
    if raw.dtype.kind not in "biufO":
        advice_for = {
            "M": ": give the time between steps as a feature, in a unit of your choice",
            "m": ": divide by a unit, for example X / np.timedelta64(1, 's')",
            "S": ": decode bytes to strings, token.decode(), to have them embedded as tokens",
        }
        raise SequenceDataError(
            f"X has dtype {raw.dtype}, but numbers are wanted for each step{advice_for.get(raw.dtype.kind, '')}"
        )
    try:
        with np.errstate(over="ignore"):
            values = np.ascontiguousarray(raw, dtype=dtype)
    except (TypeError, ValueError) as error:
        raise _not_a_number(sequences, error) from error
    if values.ndim == 1:
        values = values.reshape(-1, 1)
    bad = np.isinf(values) if allow_nan else ~np.isfinite(values)
    if bad.any():
        row, column = (int(k) for k in np.argwhere(bad)[0])
        sequence, step = locate(sequences, row)
        what = "NaN" if np.isnan(values[row, column]) else f"infinity or a value too large for dtype('{dtype}') (inf)"
        place = f"sequence {first + sequence}, step {step}, column {column if names is None else repr(names[column])}"
        advice = ""
        if np.isnan(values[row, column]):
            advice = ". Impute it (PerStep(SimpleImputer())), or set missing='mask' to carry the last value forward"
        raise SequenceDataError(f"Input X contains {what} at {place} ({int(bad.sum())} such value(s) in all){advice}")
    return sequences.with_values(values, feature_names=sequences.feature_names)


def _not_a_number(sequences: Sequences, error: Exception) -> SequenceDataError:
    """The error for values (total_steps, ...) of objects, naming the first that no float can be made of."""
    for row, step in enumerate(sequences.values.reshape(len(sequences.values), -1)):
        for value in step:
            try:
                float(value)
            except (TypeError, ValueError):
                sequence, position = locate(sequences, row)
                advice = ""
                if isinstance(value, Mapping):
                    advice = ". Steps that are dicts become numbers through PerStep(DictVectorizer())"
                return SequenceDataError(
                    f"X[{sequence}][{position}] holds {value!r:.60}, which is not a number: {error}{advice}"
                )
    return SequenceDataError(f"X holds a value that is not a number: {error}")


def _warn_if_swapped(X: Any, sequences: Sequences) -> None:
    """Warn when a 3-D array is smooth along its features and rough along its steps: time is on the wrong axis."""
    shape: tuple[int, ...] = tuple(X.shape) if hasattr(X, "shape") else ()
    if len(shape) != 3 or shape[2] < 8 or shape[2] <= shape[1]:
        return
    block = sequences.take(np.arange(min(64, shape[0]))).values.reshape(-1, shape[1], shape[2]).astype(np.float64)
    along_steps, along_features = _lag_one_correlation(block, 1), _lag_one_correlation(block, 2)
    if along_features > 0.5 and along_features > along_steps + 0.3:
        warnings.warn(
            f"The steps and features of X look swapped: X has shape {shape}, read as {shape[1]} steps of {shape[2]} "
            f"features, but values vary smoothly along the last axis (correlation of neighbours {along_features:.2f}) "
            f"and not along the steps ({along_steps:.2f}). If the last axis is time, pass X.transpose(0, 2, 1)",
            SwappedAxesWarning,
            stacklevel=2,
        )


def _lag_one_correlation(block: NDArray[np.float64], axis: int) -> float:
    """Correlation of neighbours along `axis` of (n, steps, features), each series centred by its own mean."""
    centred = block - block.mean(axis=axis, keepdims=True)
    if centred.shape[axis] < 2:
        return 0.0
    first, second = np.delete(centred, -1, axis), np.delete(centred, 0, axis)
    scale = np.sqrt((first**2).sum() * (second**2).sum())
    return float((first * second).sum() / scale) if scale > 0 else 0.0
