"""What scikit-learn's callbacks are told while an estimator is fitted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class FitTasks:
    """The tasks of one fit: the whole of it, and its epochs.

    Parameters
    ----------
    estimator : BaseRNN
    X, y, sample_weight
        As ``fit`` was given them.
    max_epochs : int
    """

    def __init__(self, estimator: Any, X: Any, y: Any, sample_weight: Any, max_epochs: int) -> None:
        self._context = estimator._init_callback_context(max_subtasks=max_epochs)
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self._given = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        self._context.call_on_fit_task_begin(**self._given)

    def run_epoch(self, net: Any, work: Callable[[], None]) -> bool:
        """Do the `work` of an epoch between its callbacks, and tell whether one of them wants to stop."""
        context = self._context.subcontext(task_name="epoch")
        context.call_on_fit_task_begin(**self._given)
        work()
        return context.call_on_fit_task_end(**self._given, reconstruction_attributes=lambda: {"net_": net})

    def end(self, net: Any) -> None:
        """Say that the fit is done, with what it left on the estimator."""
        self._context.call_on_fit_task_end(**self._given, reconstruction_attributes=lambda: {"net_": net})
