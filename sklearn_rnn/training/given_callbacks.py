"""The skorch callbacks that an estimator is given: looked at, and for each fit copied no deeper than skorch writes."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from skorch.callbacks import BatchScoring, Callback, EpochScoring
from skorch.history import History

Evaluate = Callable[[Any, Any, bool], float | None]
"""Maps a net, skorch's `scoring` and `on_train` to a score of whole sequences; None where there is no such data."""

SCORES_BATCHES = ("on_batch_begin", "on_batch_end", "on_epoch_end", "get_test_data", "_scoring")


def parts_of(callbacks: Iterable[Any] | None) -> Iterator[Any]:
    """Each of `callbacks` without the name that it may have been given."""
    for callback in callbacks or []:
        named = isinstance(callback, (tuple, list)) and len(callback) == 2 and isinstance(callback[0], str)
        yield callback[1] if named else callback


def check_callbacks(callbacks: Any) -> None:
    """Raise ValueError unless all of `callbacks`, a list or None, are what skorch takes for one."""
    for i, (callback, part) in enumerate(zip(callbacks or [], parts_of(callbacks), strict=True)):
        if not all(hasattr(part, method) for method in ("initialize", "set_params", "on_epoch_end")):
            raise ValueError(
                f"callbacks[{i}] is {callback!r:.60}, wanted a skorch callback: an instance, a class, or a pair of a "
                f"name and one of those. scikit-learn's own callbacks are given to set_callbacks"
            )
        if isinstance(part, BatchScoring) and not _reads_batches(part.scoring):
            raise ValueError(
                f"callbacks[{i}] is a BatchScoring with scoring={part.scoring!r:.60}, which cannot read a padded "
                f"batch: take EpochScoring, which predicts whole sequences, or a function of net, X and y"
            )


def _reads_batches(scoring: Any) -> bool:
    """Whether `scoring` may be a function that somebody wrote for batches, and not one of scikit-learn's."""
    return callable(scoring) and not type(scoring).__module__.startswith("sklearn") and not _of_sklearn(scoring)


def _of_sklearn(function: Any) -> bool:
    return str(getattr(function, "__module__", "")).startswith("sklearn.")


def scores_epochs(callback: Any) -> bool:
    """Whether `callback` is skorch's EpochScoring, or one that scores as this does."""
    kind = callback if isinstance(callback, type) else type(callback)
    return issubclass(kind, EpochScoring) and all(
        getattr(kind, name) is getattr(EpochScoring, name) for name in SCORES_BATCHES
    )


def callbacks_of_fit(callbacks: list[Any] | tuple[Any, ...] | None, evaluate: Evaluate | None) -> list[Any]:
    """What skorch is given in place of `callbacks`, and may write on.

    skorch initialises callbacks and lets them note on themselves what they go through. Each is therefore a copy, but
    what it holds is not: a report to a trial, a writer or a run gets to that of the caller. Where a callback holds
    another one of the list, the copy holds the copy.

    Parameters
    ----------
    callbacks : list or tuple of skorch callbacks, or None
    evaluate : callable or None
        What answers an EpochScoring.

    Returns
    -------
    callbacks : list
    """
    originals = {id(part): part for part in parts_of(callbacks) if not isinstance(part, type)}
    own = {key: _own(part) for key, part in originals.items()}
    for made in own.values():
        for name, value in vars(made).items() if hasattr(made, "__dict__") else ():
            if id(value) in own:
                made.__dict__[name] = own[id(value)]
    used: list[Any] = []
    for callback, part in zip(callbacks or [], parts_of(callbacks), strict=True):
        copied: Any = own.get(id(part), part)
        if evaluate is not None and scores_epochs(part):
            copied = EstimatorScoring(copied() if isinstance(copied, type) else copied, evaluate)
        used.append(copied if callback is part else (callback[0], copied))
    return _named(used)


def _named(callbacks: list[Any]) -> list[Any]:
    """`callbacks` with names for those that stand for others: the names that skorch would have given these."""
    kinds = [
        type(callback.scoring).__name__ if isinstance(callback, EstimatorScoring) else "" for callback in callbacks
    ]
    named: list[Any] = []
    for i, (callback, kind) in enumerate(zip(callbacks, kinds, strict=True)):
        number = f"_{kinds[: i + 1].count(kind)}" if kinds.count(kind) > 1 else ""
        named.append((kind + number, callback) if kind else callback)
    return named


def _own(callback: Any) -> Any:
    """A copy of `callback` with the same attributes.

    Not by :func:`copy.copy`, which leaves out what ``__getstate__`` keeps from pickles, such as a run.
    """
    if hasattr(callback, "__copy__") or not hasattr(callback, "__dict__"):
        return copy.copy(callback)
    try:
        own = object.__new__(type(callback))
    except TypeError:  # it is a list, say, as well
        return copy.copy(callback)
    own.__dict__.update(vars(callback))
    return own


def can_be_pickled(callback: Any) -> bool:
    """Whether a pickle can hold `callback`, or at least one of joblib's, which holds what was defined in a function."""
    try:
        pickle.dumps(callback)
    except (AttributeError, pickle.PicklingError):
        return True
    except Exception:
        return False
    return True


class EstimatorScoring(Callback):
    """Stands for an EpochScoring in a fit, and asks the estimator: it predicts whole sequences, as users see them.

    Parameters
    ----------
    scoring : EpochScoring
        Which keeps the records.
    evaluate : callable
    """

    def __init__(self, scoring: EpochScoring, evaluate: Evaluate) -> None:
        self.scoring = scoring
        self.evaluate = evaluate

    def initialize(self) -> EstimatorScoring:
        self.scoring.initialize()
        return self

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        self.scoring.on_train_begin(net, X, y)

    def on_epoch_end(self, net: Any, dataset_train: Any = None, dataset_valid: Any = None, **kwargs: Any) -> None:
        score = self.evaluate(net, self.scoring.scoring_, self.scoring.on_train)
        if score is not None:
            self.scoring._record_score(net.history, score)

    def on_train_end(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        self.scoring.on_train_end(net, X=X, y=y)

    @staticmethod
    def unwrapped(callback: Any) -> Any:
        """What `callback` stands for, named or not."""
        if isinstance(callback, tuple):
            return (callback[0], EstimatorScoring.unwrapped(callback[1]))
        return callback.scoring if isinstance(callback, EstimatorScoring) else callback


class UnknownFigureError(KeyError):
    """A figure is wanted of the history that it does not have."""

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError shows the quotes of a string


class NamedHistory(History):
    """skorch's history, which says what it has when it is asked for what it has not."""

    def __getitem__(self, i: Any) -> Any:
        try:
            return super().__getitem__(i)
        except KeyError as error:
            wanted = i[1] if isinstance(i, tuple) and len(i) == 2 else None
            if not isinstance(wanted, str) or not self:
                raise
            names = sorted({name for row in self.to_list() for name in row} - {"batches"})
            advice = "the score of the validation data is valid_score"
            if "valid_loss" not in names:
                advice = "without validation data there is no valid_loss or valid_score: set early_stopping=True, or "
                advice += "give X_val and y_val to fit"
            raise UnknownFigureError(
                f"{wanted!r} is not in the history, which has {', '.join(names)}; {advice}. EpochScoring before the "
                f"callback that looks at it adds others"
            ) from error
