"""Class docstrings of estimators: parameters from the fields, fitted attributes and references from one place each."""

from __future__ import annotations

import inspect
import json
import re
import textwrap
from collections.abc import Iterator
from dataclasses import Field, fields
from typing import Any, TypeVar

from sklearn_rnn.estimators._convolution_groups import LookAheadParameters
from sklearn_rnn.estimators._defaults import RULES, ruled
from sklearn_rnn.estimators._groups import BackboneParameters, FormParameters, InputParameters, TrainingParameters
from sklearn_rnn.estimators._parameters import told_of
from sklearn_rnn.estimators._texts import FITTED, REFERENCES
from sklearn_rnn.estimators._transfer import TransferParameters

WIDTH = 116

OF_TASK = 5
GROUPS: dict[int, Any] = {
    0: BackboneParameters,
    1: LookAheadParameters,
    2: InputParameters,
    3: FormParameters,
    4: TransferParameters,
    OF_TASK + 1: TrainingParameters,
}
"""In which order groups of parameters are described."""

_Class = TypeVar("_Class", bound=type)


def documented(cls: _Class) -> _Class:
    """Fill in the docstring of a dataclass.

    A line ``{parameters}`` stands for all its fields, ``{attributes}`` for what every ``fit`` leaves behind, and
    ``{references}`` for those that the docstring cites as ``[key]_``; they are numbered as they come.
    """
    text = inspect.cleandoc(cls.__doc__ or "")
    text = text.replace("{parameters}", "\n".join(_describe_fields(cls)))
    missing = {f"{name}_" for name in RULES} - {f"{name}_" for name in ruled(cls)}
    attributes = [_describe(f"{name} : {kind}", said) for name, (kind, said) in FITTED.items() if name not in missing]
    text = text.replace("{attributes}", "\n".join(attributes))
    cls.__doc__ = _number_references(text)
    return cls


def _describe_fields(cls: Any) -> Iterator[str]:
    """An entry for each parameter: those of the network, then of the task of `cls`, then of training."""
    group_of = {declared.name: rank for rank, group in GROUPS.items() for declared in fields(group)}
    for declared in sorted(fields(cls), key=lambda declared: group_of.get(declared.name, OF_TASK)):
        told = told_of(declared)
        yield _describe(f"{declared.name} : {told.kind}, default={_default(declared)}", told.text)


def _default(declared: Field[Any]) -> str:
    return json.dumps(declared.default) if isinstance(declared.default, str) else repr(declared.default)


def _describe(head: str, text: str) -> str:
    """An entry of a section: its head, and its sentences below it."""
    return f"{head}\n{_wrapped(text, first='    ', rest='    ')}"


def _number_references(text: str) -> str:
    keys = list(dict.fromkeys(re.findall(r"\[([a-z]+)\]_", text)))
    number = {key: i for i, key in enumerate(keys, start=1)}
    text = re.sub(r"\[([a-z]+)\]_", lambda cited: f"[{number[cited[1]]}]_", text)
    entries = []
    for key, i in number.items():
        mark = f".. [{i}] "
        entries.append(_wrapped(REFERENCES[key], first=mark, rest=" " * len(mark)))
    return text.replace("{references}", "\n".join(entries))


def _wrapped(text: str, *, first: str, rest: str) -> str:
    return textwrap.fill(
        text, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )
