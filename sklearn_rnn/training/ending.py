"""What ends a training: all of its epochs, the validation score, the time, or a callback."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from skorch.callbacks import EarlyStopping

from sklearn_rnn.exceptions import StopTraining
from sklearn_rnn.training.distributed import current_world

ALL_EPOCHS = "max_epochs"


class Clock:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._begun = monotonic()

    def seconds(self) -> float:
        """Seconds that have gone by."""
        return monotonic() - self._begun


@dataclass
class Pace:
    """The share of the time for training that is used up, as all processes see it."""

    share: float = 0.0


@dataclass
class Progress:
    """Follows the validation score over the epochs."""

    tol: float
    patience: int
    best: float = -math.inf
    best_key: tuple[float, float] = (-math.inf, -math.inf)
    best_epoch: int = 0
    epochs_without_gain: int = 0

    def update(self, epoch: int, score: float, loss: float) -> bool:
        """Take the figures of `epoch`, and tell whether its weights are the best so far; equal scores go by loss."""
        score = -math.inf if math.isnan(score) else score  # R2 of a single sequence, for one
        self.epochs_without_gain = 0 if score > self.best + self.tol else self.epochs_without_gain + 1
        self.best = max(self.best, score)
        improved = (score, -loss) > self.best_key
        if improved:
            self.best_key, self.best_epoch = (score, -loss), epoch
        return improved

    @property
    def exhausted(self) -> bool:
        """Whether the score has not improved by more than `tol` for `patience` epochs in a row."""
        return self.epochs_without_gain >= self.patience


@dataclass
class Ending:
    """Looks after each batch and after each epoch whether the training is to end, and remembers what ended it.

    All processes that train together end after the same batch.

    Attributes
    ----------
    max_time : float or None
        Seconds on the `clock`.
    clock : Clock
    each_batch : bool
        Whether a training may end inside an epoch: it has a time, or callbacks of the user.
    pace : Pace
        For schedules of the learning rate.
    asked : bool
        Whether a callback of this process has asked for the end.
    stopped_by : str
        "max_epochs" as long as nothing else has ended it.
    cut : bool
        Whether that was in the middle of an epoch.
    """

    max_time: float | None = None
    clock: Clock = field(default_factory=Clock)
    each_batch: bool = False
    pace: Pace = field(default_factory=Pace)
    asked: bool = False
    stopped_by: str = ALL_EPOCHS
    cut: bool = False
    _begun: float = 0.0

    def begin(self) -> None:
        """Say that the first batch comes next: schedules count the time from here on."""
        self._begun = self.clock.seconds()

    def heed(self, callback: Any, raised: BaseException) -> bool:
        """Whether what `callback` has `raised` asks for the end of the training; then it is remembered.

        skorch's ``EarlyStopping`` asks by a KeyboardInterrupt. From all others that is one, and nothing is asked.
        """
        if isinstance(raised, StopTraining) or _out_of_patience(callback):
            self.asked = True
            return True
        return False

    def until_it_ends(self, batches: Iterable[Any]) -> Iterator[Any]:
        """The `batches` of an epoch, at least one, until the training ends."""
        if not self.each_batch:
            yield from batches
            return
        rest = iter(batches)
        batch = next(rest, None)
        while batch is not None:
            yield batch
            is_over, batch = self._is_over(), next(rest, None)
            if is_over:
                self.cut = batch is not None
                return

    def after_epoch(self, *, asked: bool, exhausted: bool) -> bool:
        """Whether the training ends here.

        Parameters
        ----------
        asked : bool
            Whether a callback of scikit-learn has asked for it.
        exhausted : bool
            Whether the validation score has stalled.
        """
        self.asked |= asked
        return self._is_over(exhausted=exhausted)

    def _is_over(self, *, exhausted: bool = False) -> bool:
        """Whether something has ended the training; what came first is what has ended it."""
        asked, self.pace.share = current_world().greatest([float(self.asked), self._share_of_time()])
        if self.stopped_by == ALL_EPOCHS:
            reasons = {"callback": asked > 0, "early_stopping": exhausted, "max_time": self.pace.share >= 1}
            self.stopped_by = next((reason for reason, holds in reasons.items() if holds), ALL_EPOCHS)
        return self.stopped_by != ALL_EPOCHS

    def _share_of_time(self) -> float:
        """The share of the time from the first batch to the end that is used up."""
        if self.max_time is None:
            return 0.0
        left = self.max_time - self._begun
        return 1.0 if left <= 0 else min(1.0, (self.clock.seconds() - self._begun) / left)


def _out_of_patience(callback: Any) -> bool:
    """Whether `callback` is an EarlyStopping of skorch that has just ended the training."""
    return isinstance(callback, EarlyStopping) and getattr(callback, "misses_", -1) == callback.patience


def how_it_ended(ending: Ending, options: Any, n_iter: int, best_epoch: int) -> str:
    """A line that says what has ended a training, and after how many epochs."""
    reason = {
        ALL_EPOCHS: f"all of max_epochs={options.max_epochs!r}",
        "early_stopping": f"no gain of more than tol={options.tol!r} in the validation score for "
        f"n_iter_no_change={options.n_iter_no_change!r} epochs (early_stopping)",
        "max_time": f"max_time={options.max_time!r} seconds were used up",
        "callback": "a callback asked for it",
    }[ending.stopped_by]
    cut = ", the last one cut" if ending.cut else ""
    kept = "" if best_epoch == n_iter else f". The weights of epoch {best_epoch} are kept"
    return f"Training ended after {n_iter} epoch{'s' * (n_iter != 1)}{cut}: {reason}{kept}."
