"""A constructor parameter is declared once, as a field of a dataclass: name, type, default, constraint and sentences.

What scikit-learn validates with, and what the docs say, are read from the fields; :mod:`._docs` writes the latter.
"""

from __future__ import annotations

from collections.abc import KeysView, Mapping
from dataclasses import Field, dataclass, field, fields
from numbers import Real
from typing import Any, TypeVar

import torch
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from sklearn_rnn.estimators._defaults import AUTO

_T = TypeVar("_T")


@dataclass(frozen=True)
class Parameter:
    """What a field of an estimator knows beside its name, type and default.

    Attributes
    ----------
    constraints : list or "no_validation"
        As scikit-learn has them; a value must satisfy one of them.
    kind : str
        What it may be, as numpydoc writes it.
    text : str
        Sentences for the docs; ``[key]_`` cites one of ``REFERENCES``.
    """

    constraints: Any
    kind: str
    text: str


def parameter(default: _T, constraints: Any, kind: str, text: str, *, kw_only: bool = True) -> _T:
    """The field of a constructor parameter; the arguments are those of :class:`Parameter`."""
    return field(default=default, kw_only=kw_only, metadata={"parameter": Parameter(constraints, kind, text)})


def auto_parameter(constraint: Any, kind: str, text: str) -> Any:
    """The field of a parameter that a rule decides unless it is given, as `constraint` and `kind` allow."""
    return parameter(AUTO, [constraint, StrOptions({AUTO})], f'{kind} or "{AUTO}"', text)


def extended(group: Any, name: str, text: str) -> Any:
    """The field `name` of `group`, with more to say of it in a class that inherits it."""
    inherited = next(item for item in fields(group) if item.name == name)
    told = told_of(inherited)
    return parameter(
        inherited.default, told.constraints, told.kind, f"{told.text} {text}", kw_only=bool(inherited.kw_only)
    )


def told_of(declared: Field[Any]) -> Parameter:
    """What :func:`parameter` said of a field."""
    told: Parameter = declared.metadata["parameter"]
    return told


def record_of(kind: type[_T], source: object, **changes: Any) -> _T:
    """A record of the dataclass `kind`: its fields are the attributes of `source` of that name, or else `changes`."""
    shared = [declared.name for declared in fields(kind) if declared.name not in changes]  # type: ignore[arg-type]
    return kind(**{name: getattr(source, name) for name in shared}, **changes)


class ConstraintsOfFields:
    """The constraints of all fields of the class that is asked, as scikit-learn's table of them."""

    def __get__(self, instance: object, owner: Any) -> dict[str, Any]:
        return {declared.name: told_of(declared).constraints for declared in fields(owner)}


class KeyOf(StrOptions):
    """A key of a registry, looked up when a value is validated: what is added to it later is fine too.

    Parameters
    ----------
    registry : dict
    """

    def __init__(self, registry: Mapping[str, Any]) -> None:
        self.type = str
        self.deprecated: set[str] = set()
        self.hidden = False
        self.registry = registry

    @property
    def options(self) -> KeysView[str]:
        """The keys that there are now."""
        return self.registry.keys()


class OptimizerClass(HasMethods):
    """A subclass of ``torch.optim.Optimizer``."""

    def __init__(self) -> None:
        super().__init__(["step"])

    def is_satisfied_by(self, value: Any) -> bool:
        return isinstance(value, type) and issubclass(value, torch.optim.Optimizer)

    def __str__(self) -> str:
        return "a subclass of torch.optim.Optimizer"


def at_least(kind: type, minimum: float) -> Interval:
    """A number of `kind` from `minimum` on."""
    return Interval(kind, minimum, None, closed="left")


TOKENIZERS = [StrOptions({"char", "word"}), HasMethods(["fit", "transform"]), None]
SHARE = Interval(Real, 0, 1, closed="left")
POSITIVE = Interval(Real, 0, None, closed="neither")
