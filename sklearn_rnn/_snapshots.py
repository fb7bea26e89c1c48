"""One fit at a time: it is learned aside and put in place in one assignment, and whoever predicts stays with one.

A fit in one thread changes many attributes of an estimator that another thread may be predicting with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeVar, cast

Estimator = TypeVar("Estimator")
Method = TypeVar("Method", bound=Callable[..., Any])


ALSO_LEARNED = {"_optimizer_state", "_of_inputs", "_column"}


def is_learned(name: str) -> bool:
    """Whether `fit` sets the attribute of this name."""
    return name.endswith("_") or name in ALSO_LEARNED


def learned(estimator: object) -> dict[str, Any]:
    """What `fit` has set on `estimator`, by name."""
    return {name: value for name, value in vars(estimator).copy().items() if is_learned(name)}


def snapshot(estimator: Estimator) -> Estimator:
    """An estimator with all that `estimator` has at this moment, and that no later fit changes."""
    taken = object.__new__(type(estimator))
    taken.__dict__ = vars(estimator).copy()  # no other thread comes between: it is a dict of strings
    return taken


def put_in_place(estimator: object, attributes: dict[str, Any]) -> None:
    """Let `attributes` be what `estimator` has learned, and nothing else."""
    kept = {name: value for name, value in vars(estimator).copy().items() if not is_learned(name)}
    estimator.__dict__ = {**kept, **attributes}


@contextmanager
def fitted_aside(estimator: Estimator) -> Iterator[Estimator]:
    """A copy to be fitted, whose fit is put in place in one step when it is done, and not at all if it fails."""
    aside = snapshot(estimator)
    yield aside
    put_in_place(estimator, learned(aside))


def of_one_fit(method: Method) -> Method:
    """A method that reads what was learned: all of it from the fit that is in place when it is called."""

    @wraps(method)
    def on_snapshot(self: Any, *args: Any, **kwargs: Any) -> Any:
        return method(snapshot(self), *args, **kwargs)

    return cast(Method, on_snapshot)
