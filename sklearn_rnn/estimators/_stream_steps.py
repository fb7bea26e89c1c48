"""How a step of some streams is read: checked, transformed, its missing values filled, and encoded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn.data.aligned import AlignedSequences, read_aligned
from sklearn_rnn.data.conversion import numbers, refuse_sparse, unwrapped_items
from sklearn_rnn.data.encoding import TOKEN
from sklearn_rnn.data.formats import items_of, object_array
from sklearn_rnn.data.inputs import Inputs
from sklearn_rnn.data.integers import integers_of
from sklearn_rnn.data.padding import trim
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.exceptions import SequenceDataError

Array = NDArray[Any]

STEP_BY_STEP = ". A whole sequence is taken one step after the other: for step in sequence: stream.update(step)"


class StepReader:
    """From a step, as it is given, to the rows of numbers that a network reads.

    Parameters
    ----------
    transformers : list of PerStep
        What each step goes through first.
    model : estimator
        The fitted one that the steps are for.
    n_streams : int
    dtype : dtype
        What the network computes in. If that is wider than what the estimator reads X in, numbers are rounded to it.

    Attributes
    ----------
    last : array of shape (n_streams, n_filled)
        The last value that each stream has shown of each number that may be missing.
    """

    def __init__(self, transformers: list[Any], model: Any, n_streams: int, dtype: np.dtype[Any]) -> None:
        self._transformers = transformers
        self._model = model
        self._spec = model.input_spec_
        self._plain = self._spec.kind == "numeric" and not transformers
        self._rounds = model.dtype != "float64" and dtype == np.float64
        encoding = model.encoding_
        alone = self._spec.kind in ("text", "ids") and encoding.characters is None and not encoding.casing
        self._index: dict[Any, int] | None = encoding.vocabulary if alone else None
        self._scale = encoding.scales.get(TOKEN) if self._spec.kind == "numeric" else None
        self._values, self._indicators = self._missing_columns()
        self.last = np.zeros((n_streams, len(self._values)))
        self._filled: Array | None = None

    def read(self, step: Any, rows: NDArray[np.int64]) -> Array:
        """The encoded step, (n, n_columns), or (n,) of token indices, of the streams `rows` (n,).

        Raises
        ------
        SequenceDataError, ValueError, TypeError
            What came and what was wanted.
        """
        n = len(rows)
        if self._plain:
            values = _numbers(step, n, self._spec.n_features)
            self._refuse_padding(values, n)
        else:
            values = self._read_any(step, n)
        self._check(values)
        if self._scale is not None:
            values = self._scale.rows(values)
        if self._rounds and values.dtype.kind == "f":
            with np.errstate(over="ignore"):
                values = values.astype(np.float32).astype(np.float64)
        if not len(self._values):
            return values
        values = _with_indicators(values) if self._spec.kind == "numeric" else values.astype(np.float64)
        observed = values[:, self._indicators] > 0
        self._filled = values[:, self._values] = np.where(observed, values[:, self._values], self.last[rows])
        return values

    def take_contexts(self, y: Any, rows: NDArray[np.int64]) -> None:
        """Let the streams `rows` (n,) depend on y, as sequences of a language model may.

        Raises
        ------
        ValueError
            If there is such a y, and the model knows of none.
        """
        if y is not None:
            raise ValueError(
                f"y={y!r:.60} is the context of what a language model goes on with, and a {type(self._model).__name__} "
                f"has none: leave y=None"
            )

    def begin(self, rows: NDArray[np.int64]) -> Array | None:
        """Forget the steps of the streams `rows` (n,); what the network reads before the first one, if it does."""
        self.last[rows] = 0
        return None

    def to_arrays(self) -> dict[str, Array]:
        """What is remembered of the steps so far, by name; each with a row a stream."""
        return {"last": self.last}

    def keep(self, rows: NDArray[np.int64]) -> None:
        """Remember the values of the step that was read last: the streams `rows` (n,) have taken it."""
        if self._filled is not None:
            self.last[rows] = self._filled

    def error_at(self, place: int, values: Array, rows: NDArray[np.int64]) -> SequenceDataError:
        """The error for the number at `place`, counted row by row, of the encoded `values` of the streams `rows`."""
        row, column = divmod(place, values.shape[1])
        names = getattr(self._model, "feature_names_in_", None)
        named = self._plain and not self._spec.table and names is not None and column < len(names)
        what, advice = "infinity, or a value too large for the type of the network", ""
        if np.isnan(values[row, column]):
            what = "NaN"
            advice = (
                ". Impute it (PerStep(SimpleImputer())), or fit with missing='mask' to carry the last value forward"
            )
        return SequenceDataError(
            f"The step of stream {rows[row]} holds {what} in column {repr(names[column]) if named else column}: no "  # type: ignore[index]
            f"stream has taken the step{advice}"
        )

    def _check(self, values: Array) -> None:
        """Raise if `values` (n, ...), which are not scaled yet, are none of this model."""

    def _read_any(self, step: Any, n: int) -> Array:
        for transformer in self._transformers:
            step = _values_of(transformer.transform(_one_step_each(step, n, transformer.input_spec_)))
        spec = self._spec
        if spec.kind == "numeric":
            values = _numbers(step, n, spec.n_features)
            self._refuse_padding(values, n)
            return values
        encoding = self._model.encoding_
        if spec.kind == "aligned":
            given = _aligned(step, n, spec)
            self._refuse_padding(given, n)
            inputs: Inputs = self._model._read_raw(given, reset=False)
        else:
            tokens = tokens_of(step, n) if spec.kind == "text" else _ids(step, n)
            self._refuse_padding(object_array(list(tokens)), n)
            if self._index is not None:
                return np.array([self._index.get(token, 0) for token in tokens], dtype=np.int64)
            inputs = Sequences(object_array(tokens), np.arange(n + 1))
        return encoding.encode(inputs, spec, "float64").values

    def _refuse_padding(self, steps: Any, n: int) -> None:
        """Raise if a step, of those that `n` streams are to take, is what the model reads as padding."""
        value = self._model.padding_value
        if value is None or not n:
            return
        given: Any = Sequences(steps, np.arange(n + 1)) if isinstance(steps, np.ndarray) else read_aligned(steps)
        if given is not None and not trim(given, value).lengths.all():
            raise SequenceDataError(
                f"A step is padding, padding_value={value!r}, and no stream has taken one: streams need none, as `ids` "
                f"names those that go on. To have such steps read, set padding_value=None before you make the stream"
            )

    def _missing_columns(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The columns of an encoded step that hold what may be missing, and those that say whether it was there."""
        values: list[int] = []
        indicators: list[int] = []
        for _, part, start in self._spec.numeric_parts() if self._spec.missing == "mask" else ():
            values += range(start, start + part.n_features)
            indicators += range(start + part.n_features, start + 2 * part.n_features)
        return np.array(values, dtype=np.int64), np.array(indicators, dtype=np.int64)


def _numbers(step: Any, n: int, n_features: int) -> Array:
    """The numbers of a step in float64, (n, n_features)."""
    x = step if type(step) is np.ndarray else _as_array(step)
    if x.dtype != np.float64:
        x = _as_floats(x)
    if x.shape != (n, n_features):
        if x.ndim > 1 or min(n, n_features) > 1 or x.size != n * n_features:
            raise _wrong_shape(x, n, n_features)
        x = x.reshape(n, n_features)
    return x


def _wrong_shape(x: Array, n: int, n_features: int) -> SequenceDataError:
    alone = f", or ({n_features},)" if n == 1 else ""
    rows = x.reshape(1, -1, 1) if n == 1 == n_features else x[None] if x.ndim == 2 else x
    whole = rows.ndim == 3 and (rows.shape[0], rows.shape[2]) == (n, n_features) and rows.shape[1] > 1
    return SequenceDataError(
        f"step has shape {x.shape}, wanted ({n}, {n_features}){alone}: one row of the {n_features} feature(s) that fit "
        f"saw for each of {n} stream(s){STEP_BY_STEP if whole else ''}"
    )


def _as_array(step: Any) -> Array:
    """A list, tensor, Series or frame as an array."""
    refuse_sparse(step, "step")
    try:
        return np.asarray(unwrapped_items(step, "step"))
    except (TypeError, ValueError) as error:
        raise SequenceDataError(f"step must hold as many numbers for each stream: {error}{STEP_BY_STEP}") from error


def _as_floats(x: Array) -> Array:
    if x.dtype.kind == "O" and not any(isinstance(value, (str, Mapping)) for value in x.flat):
        return numbers(x, "step")
    if x.dtype.kind not in "biuf":
        first = next(iter(x.flat), None)
        raise SequenceDataError(f"step holds {first!r:.60} (dtype {x.dtype}), but numbers are wanted, as in fit")
    return x.astype(np.float64)


def _with_indicators(values: Array) -> Array:
    """`values` (n, n_features), NaN of which become 0, and beside them whether each was there."""
    observed = ~np.isnan(values)
    return np.concatenate([np.where(observed, values, 0), observed], axis=1)


def _items(step: Any, n: int, what: str) -> list[Any]:
    """What is given for each of `n` streams, for which a single item may stand by itself."""
    single = isinstance(step, (str, bytes, Mapping)) or not hasattr(step, "__len__") or getattr(step, "ndim", 1) == 0
    items = [step] if single else list(items_of(step))
    if len(items) != n:
        raise _wrong_count(len(items), n, what)
    return items


def _wrong_count(n_items: int, n: int, what: str) -> SequenceDataError:
    """The error for another number of items than of the `n` streams."""
    advice = STEP_BY_STEP if n_items > n == 1 else ""
    return SequenceDataError(f"step holds {n_items} {what}(s), wanted one for each of {n} stream(s){advice}")


def tokens_of(step: Any, n: int) -> list[str]:
    """The tokens of a step, one for each stream."""
    items = _items(step, n, "token")
    for item in items:
        if not isinstance(item, str):
            advice = STEP_BY_STEP if hasattr(item, "__len__") and len(item) else ""
            raise SequenceDataError(f"step holds {item!r:.60} where a token, a string as in fit, is wanted{advice}")
    return items


def _ids(step: Any, n: int) -> list[int]:
    """The token ids of a step, one for each stream."""
    items = _items(unwrapped_items(step, "step"), n, "token id")
    whole = any(getattr(item, "ndim", int(hasattr(item, "__len__"))) for item in items if not isinstance(item, str))
    ids = object_array(items) if whole else np.asarray(items)
    if ids.dtype.kind == "f":
        ids = integers_of(items, ids)
    if ids.dtype.kind not in "iu":
        advice = STEP_BY_STEP if whole else ""
        raise SequenceDataError(
            f"step holds {ids.flat[0]!r:.60} where a token id, an integer as in fit, is wanted{advice}"
        )
    found: list[int] = ids.tolist()
    return found


def _aligned(step: Any, n: int, spec: Any) -> Any:
    """Sequences of one step of several inputs, for the door: from dicts of inputs, or of features."""
    if isinstance(step, AlignedSequences):  # from a transformer
        return step
    names = list(spec.inputs)
    if isinstance(step, Mapping) and n > 1:
        if set(step) != set(names):
            raise SequenceDataError(f"step has the inputs {list(step)!r}, wanted those of fit: {names!r}")
        columns = {name: _items(step[name], n, f"value of {name!r}") for name in names}
    else:
        dicts = _items(step, n, "dict")
        if not all(isinstance(item, Mapping) for item in dicts):
            raise SequenceDataError(f"step is {step!r:.60}, wanted a dict of the inputs {names!r} for each stream")
        if any(set(item) != set(names) for item in dicts):
            return [[item] for item in dicts]  # the door completes what features lack
        columns = {name: [item[name] for item in dicts] for name in names}
    offsets = np.arange(n + 1)
    return AlignedSequences(
        {
            name: Sequences(
                object_array(tokens_of(column, n))
                if spec.inputs[name].kind == "text"
                else _numbers(np.asarray(column).reshape(n, -1), n, spec.inputs[name].n_features),
                offsets,
            )
            for name, column in columns.items()
        }
    )


def _one_step_each(step: Any, n: int, spec: Any) -> Any:
    """Sequences of one step as a transformer takes them, whose `spec` says what it was fitted on."""
    if spec.kind == "aligned":
        return _aligned(step, n, spec)
    if spec.kind == "numeric":
        x = _as_array(step)
        if x.dtype.kind == "U":  # NumPy makes strings of numbers beside a string
            x = np.array(step, dtype=object)
        if x.size != n * spec.n_features:
            raise _wrong_shape(x, n, spec.n_features)
        return x.reshape(n, 1, spec.n_features)
    if spec.kind == "text" and spec.n_features == 1:
        return [[token] for token in tokens_of(step, n)]
    single = isinstance(step, Mapping) or (len(step) > 0 and isinstance(step[0], str))
    items = [step] if single else list(step)
    if len(items) != n:
        raise _wrong_count(len(items), n, "step")
    return [[item] for item in items]


def _values_of(transformed: Any) -> Any:
    """What a transformer has made of sequences of one step: a row, or a token, of each, or several inputs."""
    if isinstance(transformed, AlignedSequences):
        return transformed
    if isinstance(transformed, Sequences):
        return transformed.values
    return np.asarray(transformed)[:, 0]
