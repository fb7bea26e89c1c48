"""Tables, with one row a sequence and one column a step, as scikit-learn's own checks read them."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_array
from sklearn.utils.validation import _get_feature_names

from sklearn_rnn.data.conversion import is_sparse, numbers, refuse_sparse
from sklearn_rnn.data.formats import check_columns_differ, check_tokens, document_error, is_table
from sklearn_rnn.data.long_tables import advice_if_long
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.exceptions import SequenceDataError, SequenceTypeError


def plain(X: Any) -> Any:
    """An Arrow table as a frame of pandas, what can only become an array as one, and all else as it is."""
    if hasattr(X, "column_names") and hasattr(X, "to_pandas"):
        return X.to_pandas()
    if hasattr(X, "__array__") and not hasattr(X, "shape") and not hasattr(X, "to_list"):
        return np.asarray(X)
    return X


def is_for_table(X: Any) -> bool:
    """Whether :func:`read_table` reads X, or refuses it with the message of scikit-learn, which explains it best."""
    return is_table(X) or is_sparse(X) or _is_plain_vector(X)


def read_table(X: Any, *, reader: str, name: str) -> tuple[Sequences, list[str] | None]:
    """Read a 2-D table (n_sequences, n_steps); NaN is looked for later.

    Parameters
    ----------
    X : array, frame or another table
    reader, name : str
        What to call the estimator and X in errors.

    Returns
    -------
    sequences : Sequences
        Values of shape (n_sequences * n_steps, 1), or (n_sequences * n_steps,) for strings.
    columns : list of str or None
        The names of the columns, where they have some.

    Raises
    ------
    SequenceDataError, ValueError, TypeError
    """
    refuse_sparse(X, name)
    try:
        return _read_table(X, reader=reader, name=name)
    except (TypeError, ValueError) as error:
        advice = advice_if_long(X, name)
        if advice is None:
            raise
        raise SequenceDataError(f"{advice}. As a table it cannot be read: {error}") from error


def _read_table(X: Any, *, reader: str, name: str) -> tuple[Sequences, list[str] | None]:
    """What :func:`read_table` does, with errors that take X for a table."""
    check_columns_differ(list(getattr(X, "columns", [])), name)
    columns = _get_feature_names(X)
    text = is_table(X) and not is_sparse(X) and _first_cell_is_text(X)
    dtype = None if text else "numeric"
    try:
        if not text and is_table(X):
            X = _of_objects(X, name)
        array = check_array(X, dtype=dtype, ensure_all_finite=False, estimator=reader, input_name=name)
    except SequenceDataError:
        raise
    except (TypeError, ValueError) as error:
        if "could not convert string" in str(error):
            raise SequenceDataError(
                f"{name} mixes strings with numbers ({error}): encode the columns of strings as numbers, or give "
                f"tokens alone"
            ) from error
        raise (SequenceTypeError if isinstance(error, TypeError) else SequenceDataError)(str(error)) from error
    flat = np.ascontiguousarray(array).reshape(-1)
    values = flat.astype(object) if text else flat.reshape(-1, 1)
    sequences = Sequences(values, np.arange(array.shape[0] + 1) * array.shape[1])
    if text:
        check_tokens(sequences, name)
        for row, token in enumerate(values):
            if len(token.split()) > 1:
                raise document_error(name, row // array.shape[1], token)
    return sequences, None if columns is None else list(columns)


def _of_objects(X: Any, name: str) -> Any:
    """A table of objects, which may be numbers or missing, as one of floats; any other as it is."""
    if isinstance(X, np.ndarray) and X.dtype != object:
        return X
    array = np.asarray(X)
    if array.dtype != object or any(isinstance(cell, str) for cell in array.flat):
        return X
    return numbers(array, name)


def _is_plain_vector(X: Any) -> bool:
    """Whether X is one flat row of numbers, which scikit-learn's own message explains best."""
    if isinstance(X, np.ndarray):
        return X.ndim < 2 and X.dtype != object and X.dtype.kind not in "UT"
    if not isinstance(X, (list, tuple)) or len(X) == 0:
        return False
    return all(np.isscalar(x) and not isinstance(x, (str, bytes)) for x in X[:10])


def _first_cell_is_text(X: Any) -> bool:
    if isinstance(X, np.ndarray):
        return X.dtype.kind in "UT" or (X.dtype == object and X.size > 0 and isinstance(X.flat[0], str))
    cell = X.iloc[0, 0] if hasattr(X, "iloc") and X.size else X[0, 0] if len(X) else None
    return isinstance(cell, str)
