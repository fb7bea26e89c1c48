"""A ``fit`` that goes on from an earlier, shorter one on the same data, in whatever worker that one was."""

from __future__ import annotations

import builtins
import copy
import os
import pickle
from dataclasses import dataclass
from io import BytesIO
from numbers import Integral
from types import BuiltinFunctionType
from typing import Any

import joblib
from sklearn.pipeline import Pipeline

EPOCHS = "max_epochs"
WARM_START = "warm_start"
OWN = ("fit", "__sklearn_clone__")
OF_CALLBACKS = ("_parent_callback_ctx", "_skl_callbacks")
"""What scikit-learn leaves on an estimator for the time of a fit, and what belongs to that fit alone."""


@dataclass(frozen=True)
class Continuation:
    """Where fits are kept, and which parameters tell them apart.

    Attributes
    ----------
    folder : str
        The folder of the fits, which all workers must see; one that cannot see it trains from zero.
    resource : str
        The parameter that counts epochs.
    searched : tuple of str
        The parameters in which candidates differ.
    """

    folder: str
    resource: str
    searched: tuple[str, ...]

    def attach(self, estimator: Any) -> Any:
        """Let `estimator`, and each clone of it, go on in its next ``fit``; its type stays what it was."""
        for name, method in zip(OWN, (ContinuedFit, ContinuedClone), strict=True):
            vars(estimator)[name] = method(estimator, self)
        return estimator

    def path(self, estimator: Any, data: tuple[Any, ...]) -> str:
        """The file of the fits of a candidate to `data`, whatever their number of epochs."""
        epochs = estimator.get_params()[self.resource]
        parameters = estimator.set_params(**{self.resource: 1}).get_params()
        digest = joblib.hash(({name: parameters[name] for name in self.searched}, data), coerce_mmap=True)
        estimator.set_params(**{self.resource: epochs})
        return os.path.join(self.folder, f"{digest}.pkl")


@dataclass(frozen=True)
class ContinuedClone:
    """Takes the place of ``__sklearn_clone__``: clones go on as well."""

    estimator: Any
    continuation: Continuation

    def __call__(self) -> Any:
        """A clone that is not fitted."""
        return self.continuation.attach(type(self.estimator).__sklearn_clone__(self.estimator))


@dataclass(frozen=True)
class ContinuedFit:
    """Takes the place of ``fit``, once."""

    estimator: Any
    continuation: Continuation

    def __call__(self, X: Any, y: Any = None, **params: Any) -> Any:
        """Train for the epochs that an earlier fit to the same data lacks, and keep the fit for a later one."""
        estimator, resource = self.estimator, self.continuation.resource
        for name in OWN:
            del vars(estimator)[name]
        target = () if y is None else (y,)
        if not os.path.isdir(self.continuation.folder) or not _may_go_on(last_step(estimator)):
            return estimator.fit(X, *target, **params)

        warm_start = resource.removesuffix(EPOCHS) + WARM_START
        given = {name: estimator.get_params()[name] for name in (resource, warm_start)}
        path = self.continuation.path(estimator, (X, y, params))
        done, stopped = _load_into(estimator, path)
        missing = given[resource] - done
        if missing > 0 and not stopped:
            estimator.set_params(**{resource: missing, warm_start: True})
            estimator.fit(X, *target, **params)
            _dump(estimator, path, given[resource], _has_stopped(last_step(estimator), missing))
        return estimator.set_params(**given)


def last_step(estimator: Any) -> Any:
    """The estimator itself, or what a pipeline, and one inside it, ends in."""
    while isinstance(estimator, Pipeline):
        estimator = estimator.steps[-1][1]
    return estimator


def _has_stopped(estimator: Any, epochs: int) -> bool:
    """Whether something but the number of `epochs` has ended the last fit."""
    return estimator.n_iter_ < epochs or getattr(estimator, "stopped_by_", EPOCHS) != EPOCHS


def check_resource(estimator: Any, resource: str) -> None:
    """Raise unless `resource` is the number of epochs of what `estimator` is or ends in.

    A meta-estimator that clones what it is given would begin anew with the few epochs that are missing.
    """
    prefix, part = "", estimator
    while isinstance(part, Pipeline):
        prefix += f"{part.steps[-1][0]}__"
        part = part.steps[-1][1]
    names = part.get_params(deep=False) if hasattr(part, "get_params") else {}
    if EPOCHS not in names or WARM_START not in names:
        raise ValueError(
            f"estimator must be, or be a pipeline that ends in, an estimator with the parameters {EPOCHS} and "
            f"{WARM_START}, got {type(part).__name__}. scikit-learn's HalvingGridSearchCV takes any estimator, and "
            f"trains it from zero"
        )
    if resource != prefix + EPOCHS:
        raise ValueError(f"resource={resource!r} cannot be continued: wanted {prefix + EPOCHS!r}")


def epochs_of(estimator: Any, resource: str) -> Any:
    """The epochs that `estimator` is given.

    Raises
    ------
    ValueError
        If the data are to say how many.
    """
    epochs = estimator.get_params()[resource]
    if epochs == "auto":
        raise ValueError(
            f"{resource}='auto' says only in fit how many epochs there are, and rungs are planned before: give "
            f"max_resources, or the estimator, a number"
        )
    return epochs


def _may_go_on(estimator: Any) -> bool:
    """Whether early stopping would be told by the same sequences as before."""
    return not getattr(estimator, "early_stopping", False) or isinstance(estimator.random_state, Integral)


def _load_into(estimator: Any, path: str) -> tuple[int, bool]:
    """Make `estimator` what was kept: its epochs, and whether it stopped before their end; none without a file."""
    if not os.path.exists(path):
        return 0, False
    with open(path, "rb") as file:
        kept, epochs, stopped = pickle.load(file)
    vars(estimator).update(vars(kept))
    return epochs, stopped


def _dump(estimator: Any, path: str, epochs: int, stopped: bool) -> None:
    """Keep a fit, if it can be pickled. The file is whole or not there, whatever happens to the worker meanwhile."""
    kept = copy.copy(estimator)
    for name in OF_CALLBACKS:
        vars(kept).pop(name, None)
    content = BytesIO()
    try:
        _Pickler(content).dump((kept, epochs, stopped))
    except (AttributeError, TypeError, pickle.PicklingError):  # a lambda among the callbacks
        return
    unfinished = f"{path}.{os.getpid()}"
    with open(unfinished, "wb") as file:
        file.write(content.getbuffer())
    os.replace(unfinished, path)


class _Pickler(pickle.Pickler):
    """Takes ``print`` as well, which skorch keeps in a net, after a worker of ray has put its own in its place."""

    def reducer_override(self, obj: Any) -> Any:
        """``print`` by its name, whatever that stands for now; all else as usual."""
        if isinstance(obj, BuiltinFunctionType) and (obj.__module__, obj.__name__) == ("builtins", "print"):
            return _print_function, ()
        return NotImplemented


def _print_function() -> Any:
    """What ``print`` stands for here."""
    return builtins.print
