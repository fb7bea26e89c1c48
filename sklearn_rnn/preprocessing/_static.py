"""Features that a sequence has once, in each of its steps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn.data.aligned import AlignedSequences
from sklearn_rnn.data.conversion import numbers, unwrapped_items
from sklearn_rnn.data.formats import is_text, items_of, object_array
from sklearn_rnn.data.row_order import check_order
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.static_inputs import columns_of, static_names
from sklearn_rnn.exceptions import SequenceDataError


def repeat_static(X: Any, static: str | list[str] | None = None) -> AlignedSequences:
    """Repeat what a sequence has once, such as the age of a patient, in each of its steps.

    Parameters
    ----------
    X : DataFrame, dict, or object array of shape (n_sequences, n_inputs)
        Columns or inputs, some of which hold a sequence for each row, and others a number or a string.
    static : str or list of str, optional
        The columns to repeat, which may then hold a row of numbers for each sequence too. By default all that hold one
        number or string for each sequence.

    Returns
    -------
    inputs : AlignedSequences
        All inputs of X in their order, each with a value for each step.

    Raises
    ------
    SequenceDataError
        If nothing of X is static, or all of it, or the numbers of rows differ.

    See Also
    --------
    PerStep : Scales the repeated numbers by their names, with its parameter `inputs`.
    sequences_from_frame : Reads long frames, where ``df.merge(static, on="id")`` repeats them.

    Notes
    -----
    In a Pipeline it is a step as ``FunctionTransformer(repeat_static)``, and with frames of pandas from `set_output` as
    ``FunctionTransformer(repeat_static, feature_names_out="one-to-one")``.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_rnn import repeat_static
    >>> patients = pd.DataFrame({"age": [61, 47], "heart_rate": [[80, 82, 79], [66, 70]]})
    >>> X = repeat_static(patients)
    >>> X
    AlignedSequences(n_sequences=2, inputs=['age', 'heart_rate'])
    >>> X[1]["age"].tolist()
    [[47.0], [47.0]]
    """
    columns = {} if X is None or isinstance(X, (str, bytes)) else _columns(X)
    named = [static] if isinstance(static, str) else static
    names = static_names(X)[0] if named is None else list(named)
    absent = [name for name in names if name not in columns]
    if absent or not names or len(names) == len(columns):
        found = f"static={static!r}" if static is not None else f"found {names}"
        raise SequenceDataError(
            f"X must be a frame or a dict that holds sequences beside single values, of which `static` names the "
            f"single values: {found} in the columns {list(columns)}"
        )
    sequences = AlignedSequences({name: column for name, column in columns.items() if name not in names})
    first = next(iter(sequences.inputs))
    check_order(columns[first], {f"X[{name!r}]": columns[name] for name in names}, name=f"X[{first!r}]")
    inputs = {
        name: _repeated(column, sequences, name) if name in names else sequences.inputs[name]
        for name, column in columns.items()
    }
    return AlignedSequences(inputs)


def _columns(X: Any) -> dict[str, Any]:
    if not hasattr(X, "items") and not hasattr(X, "columns") and len(getattr(X, "shape", ())) != 2:
        return {}
    return columns_of(X)


def _repeated(column: Any, sequences: AlignedSequences, name: str) -> Sequences:
    """A column (n_sequences,), or rows (n_sequences, n_features), as values of the steps."""
    values = _as_array(column, name)
    if len(values) != len(sequences) or values.ndim not in (1, 2):
        raise SequenceDataError(
            f"X[{name!r}] has shape {values.shape}, wanted one value, or one row, for each of "
            f"{len(sequences)} sequences"
        )
    if values.ndim == 1 and not is_text(values):
        values = values[:, None]
    rows = np.repeat(values, sequences.lengths, axis=0)
    names = [str(column) for column in column.columns] if hasattr(column, "columns") else None
    return Sequences(rows, sequences.offsets, ids=sequences.ids, feature_names=names)


def _as_array(column: Any, name: str) -> NDArray[Any]:
    """Strings as objects, numbers as floats, what is missing among them as NaN."""
    column = unwrapped_items(column, f"X[{name!r}]")
    rows = hasattr(column, "columns") or len(getattr(column, "shape", ())) == 2
    values = np.asarray(column) if rows else object_array(list(items_of(column)))
    if is_text(values.reshape(-1)):
        return values.astype(object)
    return numbers(values, f"X[{name!r}]", wanted="a number or a string for each sequence").astype(np.float64)
