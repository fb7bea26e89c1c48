"""What X was in ``fit``, whether another X is alike, and the checks of what comes beside X."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from sklearn_rnn._warning import warn
from sklearn_rnn.data.features import Fields
from sklearn_rnn.data.formats import WANTED
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.exceptions import SequenceDataError

Kind = Literal["numeric", "text", "ids", "objects", "aligned"]

WORDS: dict[Kind, str] = {
    "numeric": "numbers",
    "text": "strings (tokens)",
    "ids": "integer ids",
    "objects": "dicts or lists",
    "aligned": "several inputs a step",
}


@dataclass(frozen=True)
class InputSpec:
    """What the sequences looked like in ``fit``, and what ``predict`` holds the next ones to.

    `n_features_in` and `feature_names` are what estimators show as ``n_features_in_`` and ``feature_names_in_``.

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
    n_features_in : int
        As scikit-learn counts: features a step, columns of a table, or inputs.
    feature_names : tuple of str or None
        Names of what is counted, where X had them.
    fields : Fields or None
        The features of the dicts of steps, where X had such.
    """

    kind: Kind
    n_features: int
    table: bool
    width: int | None = None
    missing: str = "error"
    max_length: int | None = None
    truncate: str = "tail"
    inputs: dict[str, InputSpec] = field(default_factory=dict)
    columns: tuple[str, ...] | None = None
    n_features_in: int = 1
    feature_names: tuple[str, ...] | None = None
    fields: Fields | None = None

    @staticmethod
    def of(
        sequences: Sequences,
        kind: Kind,
        *,
        table: bool,
        names: list[str] | None,
        width: int | None = None,
        missing: str = "error",
    ) -> InputSpec:
        """The spec of `sequences` with one input a step, which came as a table or not, with `names` or without."""
        return InputSpec(
            kind,
            sequences.n_features,
            table,
            width,
            missing,
            n_features_in=int(sequences.lengths[0]) if table else sequences.n_features,
            feature_names=None if names is None else tuple(names),
        )

    def numeric_parts(self) -> list[tuple[str, InputSpec, int]]:
        """Where numbers stand in an encoded step: last, those of each input before its indicators of missing ones.

        Returns
        -------
        parts : list of (str, InputSpec, int)
            The name of each input of numbers, "" of the only one, its spec, and its first column, counted from the end.
        """
        inputs = {"": self} if self.kind == "numeric" else self.inputs
        parts = [(name, part) for name, part in inputs.items() if part.kind == "numeric"]
        widths = [part.n_features * (2 if part.missing == "mask" else 1) for _, part in parts]
        return [(name, part, -sum(widths[i:])) for i, (name, part) in enumerate(parts)]

    def columns_of_inputs(self) -> dict[str, list[str] | None]:
        """Names of the columns of each numeric input, as far as it had them; None for strings."""
        return {name: None if part.kind == "text" else list(part.columns or []) for name, part in self.inputs.items()}


def remember(estimator: Any, spec: InputSpec) -> None:
    """Set ``input_spec_``, ``n_features_in_`` and ``feature_names_in_``, which an estimator learns of X in ``fit``."""
    estimator.input_spec_ = spec
    estimator.n_features_in_ = spec.n_features_in
    if spec.feature_names is not None:
        estimator.feature_names_in_ = np.array(spec.feature_names, dtype=object)
    elif hasattr(estimator, "feature_names_in_"):
        del estimator.feature_names_in_


def check_alike(found: InputSpec, fitted: InputSpec, *, reader: str, name: str) -> None:
    """Hold X to what was seen in ``fit``: its features, their names, and its kind.

    Parameters
    ----------
    found, fitted : InputSpec
        What X is, and what it was in ``fit``.
    reader, name : str
        What to call the estimator and X in errors.

    Raises
    ------
    SequenceDataError, ValueError
    """
    if found.table and fitted.table:
        _check_columns(found, fitted, reader, name)
    elif found.table and fitted.width is not None and found.n_features_in != fitted.width:
        raise SequenceDataError(
            f"{name} has {found.n_features_in} features, but {reader} is expecting {fitted.width} features as input: "
            f"in fit {name} was a list of lists of {fitted.width} numbers, read as a table. Where lengths differ, give "
            f"arrays"
        )
    elif not found.table:
        _check_features(found, fitted, reader, name)
    check_kind(found, fitted, reader=reader, name=name)


def check_kind(found: InputSpec, fitted: InputSpec, *, reader: str, name: str) -> None:
    """Hold the kind of X, and what is done with NaN in it, to those of ``fit``."""
    if found.kind != fitted.kind:
        raise SequenceDataError(
            f"{reader} was fitted on sequences of {WORDS[fitted.kind]}, got {WORDS[found.kind]} in {name}"
        )
    if found.missing != fitted.missing:
        raise SequenceDataError(
            f"{reader} was fitted with missing={fitted.missing!r}, and has missing={found.missing!r} now: fit it again"
        )
    if found.table and not fitted.table and fitted.n_features != 1:
        raise SequenceDataError(
            f"{reader} is expecting {fitted.n_features} features a step ({WANTED}), got a 2-D table as {name}, which "
            f"holds one feature a step. A long frame, with one step a row, goes through sequences_from_frame first"
        )


def _check_features(found: InputSpec, fitted: InputSpec, reader: str, name: str) -> None:
    """Compare the features of steps, for what is not a table."""
    if found.n_features != fitted.n_features:
        raise SequenceDataError(
            f"{name} has {found.n_features} features, but {reader} is expecting {fitted.n_features} features as input: "
            f"a step must hold the features that it held in fit"
        )
    if found.feature_names is None or fitted.feature_names is None or fitted.table:
        return
    if found.feature_names != fitted.feature_names:
        raise SequenceDataError(
            f"The feature names should match those that were passed during fit: wanted {list(fitted.feature_names)}, "
            f"got {list(found.feature_names)}"
        )


def _check_columns(found: InputSpec, fitted: InputSpec, reader: str, name: str) -> None:
    """Compare the columns of tables, with the words of scikit-learn, whose ``check_estimator`` knows them."""
    names, known = found.feature_names, fitted.feature_names
    if names is not None and known is None:
        warn(f"{name} has feature names, but {reader} was fitted without feature names")
    elif names is None and known is not None:
        warn(f"{name} does not have valid feature names, but {reader} was fitted with feature names")
    elif names is not None and known is not None and names != known:
        unseen, absent = sorted(set(names) - set(known)), sorted(set(known) - set(names))
        message = "The feature names should match those that were passed during fit.\n"
        if unseen:
            message += "Feature names unseen at fit time:\n" + _listed(unseen)
        if absent:
            message += "Feature names seen at fit time, yet now missing:\n" + _listed(absent)
        if not unseen and not absent:
            message += "Feature names must be in the same order as they were in fit.\n"
        raise ValueError(message)
    if found.n_features_in != fitted.n_features_in:
        raise ValueError(
            f"{name} has {found.n_features_in} features, but {reader} is expecting {fitted.n_features_in} features as "
            f"input."
        )


def _listed(names: list[str], at_most: int = 5) -> str:
    """The first names, one a line."""
    return "".join(f"- {name}\n" for name in names[:at_most]) + ("- ...\n" if len(names) > at_most else "")
