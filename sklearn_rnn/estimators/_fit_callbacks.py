"""What callbacks are told while an estimator is fitted, those of scikit-learn and skorch's EpochScoring."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from numpy.typing import NDArray
from sklearn.metrics import check_scoring
from sklearn.utils import _safe_indexing

from sklearn_rnn._snapshots import learned, snapshot
from sklearn_rnn.data.aligned import countable
from sklearn_rnn.exceptions import StopTraining
from sklearn_rnn.training.ending import Clock


class FitTasks:
    """The tasks of one fit: the whole of it, and its epochs.

    Parameters
    ----------
    estimator : BaseRNN
    X, y, sample_weight
        As ``fit`` was given them.

    Attributes
    ----------
    clock : Clock
        Runs since the fit began.
    """

    def __init__(self, estimator: Any, X: Any, y: Any, sample_weight: Any) -> None:
        self._context = estimator._init_callback_context(max_subtasks=None)
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self._given = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        self._fitted = estimator
        self.clock = Clock()
        self._asked = False

    def begin(self, estimator: Any, max_epochs: int) -> None:
        """Say that training begins, how long it is at most, and which `estimator` learns in place of the given one."""
        self._fitted = estimator
        self._context.max_subtasks = max_epochs  # which only the data may tell
        with self._heeding():
            self._context.call_on_fit_task_begin(**self._given)

    def run_epoch(self, net: Any, work: Callable[[], None]) -> bool:
        """Do the `work` of an epoch between its callbacks, and tell whether one of them wants to stop."""
        context = self._context.subcontext(task_name="epoch")
        with self._heeding():
            context.call_on_fit_task_begin(**self._given)
        work()
        with self._heeding():
            self._asked |= bool(
                context.call_on_fit_task_end(**self._given, reconstruction_attributes=lambda: self._learned(net))
            )
        return self._asked

    def end(self, net: Any) -> None:
        """Say that the fit is done, with what it left on the estimator."""
        with self._heeding():
            self._context.call_on_fit_task_end(**self._given, reconstruction_attributes=lambda: self._learned(net))

    @contextmanager
    def _heeding(self) -> Iterator[None]:
        """Take a StopTraining for what it asks."""
        try:
            yield
        except StopTraining:
            self._asked = True

    def _learned(self, net: Any) -> dict[str, Any]:
        return {**learned(self._fitted), "net_": net}


class EpochScores:
    """Scores of whole sequences in the middle of a fit, as a scorer of scikit-learn makes them of an estimator.

    Parameters
    ----------
    estimator : BaseRNN
        That is being fitted.
    X, y
        As ``fit`` was given them.
    validation : (X_val, y_val, sample_weight_val) or None
    split : (array, array) or None
        The rows that training keeps, and those that it sets aside.
    """

    def __init__(
        self, estimator: Any, X: Any, y: Any, validation: Any, split: tuple[NDArray[Any], NDArray[Any]] | None
    ) -> None:
        self._estimator = estimator
        self._data = X, y
        self._validation = None if validation is None else validation[:2]
        self._split = split

    def __call__(self, net: Any, scoring: Any, on_train: bool) -> float | None:
        """The score that `scoring` gives the estimator with `net`; None where there is no validation data to score."""
        data = self._rows(0 if on_train else 1)
        if data is None:
            return None
        fitted: Any = snapshot(self._estimator)
        fitted.net_, fitted.history = net, net.history  # which functions written for skorch may read
        return float(check_scoring(fitted, scoring)(fitted, *data))

    def _rows(self, part: int) -> tuple[Any, Any] | None:
        """X and y of the training (0) or of the validation data (1)."""
        if part == 1 and self._validation is not None:
            return self._validation
        if self._split is None:
            return self._data if part == 0 else None
        (X, y), rows = self._data, self._split[part]
        return _safe_indexing(countable(X), rows), None if y is None else _safe_indexing(y, rows)
