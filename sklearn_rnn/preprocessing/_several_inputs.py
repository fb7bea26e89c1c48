"""A transformer of steps on some of several inputs a step, such as the numbers beside tokens."""

from __future__ import annotations

import copy
from typing import Any

from sklearn.utils.validation import check_is_fitted

from sklearn_rnn.data.aligned import AlignedSequences, has_columns_of_sequences, is_dict_of_inputs, read_aligned
from sklearn_rnn.data.cells import opened
from sklearn_rnn.data.formats import is_text
from sklearn_rnn.data.row_order import check_beside
from sklearn_rnn.data.static_inputs import refuse_static
from sklearn_rnn.data.validation import InputSpec, check_kind, remember
from sklearn_rnn.exceptions import SequenceDataError


class SeveralInputs:
    """What a transformer of steps does where there are several inputs a step: a clone of it is fitted to each."""

    transformer: Any
    inputs: Any
    input_spec_: Any
    _of_inputs: dict[str, Any]

    def _fit_inputs(
        self, method: str, X: Any, y: Any, params: dict[str, Any], *, first: bool = True
    ) -> AlignedSequences | None:
        """Fit a clone to each input that is to be transformed, and return what `method` returns; None of one input."""
        check_beside(X, y)
        several = read_several(X, self.inputs, None if first else self.input_spec_, reader=type(self).__name__)
        if several is None:
            return None
        if not first:
            self._of_inputs = copy.deepcopy(self._of_inputs)
            return self._each_input(method, several, y, **params)
        spec = spec_of(several)
        each = {name: type(self)(self.transformer) for name in self._chosen(spec)}  # type: ignore[call-arg]
        found = self._each_input(method, several, y, each=each, **params)
        self.__dict__.pop("transformer_", None)
        self._of_inputs = each
        remember(self, spec)
        return found

    def _chosen(self, spec: InputSpec) -> list[str]:
        shown = repr(self.transformer)
        call = f"{type(self).__name__}({shown if len(shown) <= 60 else 'transformer'}"
        return choose_inputs(spec, self.inputs, call)

    def _read_inputs(self, X: Any) -> AlignedSequences | None:
        """X as several inputs a step, if that is what it was in `fit`."""
        return read_several(X, self.inputs, self.input_spec_, reader=type(self).__name__)

    def _each_input(
        self, method: str, several: AlignedSequences, *args: Any, each: dict[str, Any] | None = None, **params: Any
    ) -> AlignedSequences:
        """What `method` makes of each input that is transformed, beside the others; fits return no sequences."""
        each = self._of_inputs if each is None else each
        found = {name: getattr(part, method)(several.inputs[name], *args, **params) for name, part in each.items()}
        return several if method in ("fit", "partial_fit") else several.replaced(found)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "transformer_") or hasattr(self, "_of_inputs")

    @property
    def transformers_(self) -> dict[str, Any]:
        """The fitted transformer of each input that is transformed."""
        check_is_fitted(self)
        if self.input_spec_.kind != "aligned":
            raise AttributeError("X had one input a step in fit: its transformer is transformer_")
        return {name: part.transformer_ for name, part in self._of_inputs.items()}


def read_several(X: Any, named: Any, spec: InputSpec | None, *, reader: str) -> AlignedSequences | None:
    """X as several inputs a step, if that is what it is; None otherwise.

    Parameters
    ----------
    X : anything
        Dicts as steps count as several inputs only where some are `named`: without names they are for the transformer.
    named : str, list of str, or None
        The inputs that the transformer is for.
    spec : InputSpec or None
        What was seen in ``fit``, and X is held to. None in ``fit``.
    reader : str
        What to call the transformer in errors.

    Returns
    -------
    inputs : AlignedSequences or None

    Raises
    ------
    SequenceDataError
        If inputs are named, or were there in ``fit``, and X has one input a step, or the other way round.
    """
    X = opened(X, spec, "X")
    refuse_static(X, "X")
    several = isinstance(X, AlignedSequences) or is_dict_of_inputs(X) or has_columns_of_sequences(X)
    if named is None and not several and (spec is None or spec.kind != "aligned"):
        return None
    aligned = read_aligned(X)
    if aligned is None:
        raise SequenceDataError(
            f"X is one input a step, but {reader} has inputs={named!r}, which names one of several. Features of one "
            f"input are picked by {reader}(ColumnTransformer([('name', transformer, features)], "
            f"remainder='passthrough'))"
        )
    if spec is None:
        return aligned
    check_kind(spec_of(aligned), spec, reader=reader, name="X")
    return aligned.completed(spec.columns_of_inputs())


def spec_of(aligned: AlignedSequences) -> InputSpec:
    """What X looked like, where it has several inputs a step."""
    names = tuple(aligned.inputs)
    inputs = {}
    for name, part in aligned.inputs.items():
        columns = None if part.feature_names is None else tuple(part.feature_names)
        kind = "text" if is_text(part.values.reshape(-1)[:1]) else "numeric"
        inputs[name] = InputSpec(kind, part.n_features, False, columns=columns)  # type: ignore[arg-type]
    return InputSpec("aligned", len(names), False, n_features_in=len(names), feature_names=names, inputs=inputs)


def choose_inputs(spec: InputSpec, named: Any, call: str) -> list[str]:
    """The names of the inputs to transform: those that are `named`, or all if all are alike.

    `call` is the beginning of the call that errors show.
    """
    kinds = {name: part.kind for name, part in spec.inputs.items()}
    if named is not None:
        names = [named] if isinstance(named, str) else list(named)
        unknown = [name for name in names if name not in kinds]
        if unknown or not names:
            raise SequenceDataError(f"inputs={named!r} must name inputs of X, which has {list(kinds)}")
        return names
    if len(set(kinds.values())) == 1:
        return list(kinds)
    numbers = [name for name, kind in kinds.items() if kind == "numeric"]
    strings = [name for name, kind in kinds.items() if kind == "text"]
    raise SequenceDataError(
        f"X has several inputs a step, numbers {numbers} and strings {strings}: say which of them the transformer is "
        f"for, for example {call}, inputs={numbers})"
    )
