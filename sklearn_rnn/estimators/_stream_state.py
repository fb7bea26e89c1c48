"""Where streams are, and how they go on by a step."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn._snapshots import snapshot
from sklearn_rnn.estimators._options import check_counts
from sklearn_rnn.estimators._stream_answers import Answers, answers_of
from sklearn_rnn.estimators._stream_language import ContinuationAnswers, ContinuationReader
from sklearn_rnn.estimators._stream_models import check_goes_on, parts_of
from sklearn_rnn.estimators._stream_steps import StepReader
from sklearn_rnn.estimators._stream_text import weights_digest
from sklearn_rnn.networks.stepping import CompiledStepper, NetworkStepper
from sklearn_rnn.training.compute import compute_settings

Rows = NDArray[np.int64]


class StreamState:
    """What streams are made of: a reader of steps, the network as it goes on, and what its outputs say."""

    n_streams: int
    _stepper: NetworkStepper
    _reader: StepReader
    _answers: Answers
    _all: Rows
    _max_length: int | None
    _weights: str

    def _set_up(self, model: Any, n_streams: int) -> None:
        """All that does not depend on what the streams have taken so far."""
        check_counts(n_streams=n_streams)
        before, last = parts_of(model)
        transformers, estimator = copy.deepcopy(before), snapshot(last)  # a later fit changes others
        self.n_streams = int(n_streams)
        settings = partial(compute_settings, estimator.n_threads, estimator.engine)
        with estimator._predictor() as predictor:
            self._stepper, head = predictor.stepper(self.n_streams), predictor.network.head
        compiled = isinstance(self._stepper, CompiledStepper)
        self._settings: Callable[[], AbstractContextManager[None]] | None = None if compiled else settings
        check_goes_on(estimator)
        whole = estimator.target_.alignment == "sequence"
        self._max_length = estimator.input_spec_.max_length if whole else None
        self._weights = weights_digest(estimator)
        self._all = np.arange(self.n_streams)
        given = (transformers, estimator, self.n_streams, self._stepper.dtype)
        if estimator.target_.continues:
            self._reader = reader = ContinuationReader(*given)
            self._answers = ContinuationAnswers(estimator, head, reader, self._stepper)
        else:
            self._reader = StepReader(*given)
            self._answers = answers_of(estimator, self._stepper.chain, self.n_streams)

    def _begin(self, rows: Rows) -> None:
        """Put the streams `rows` (n,) before their first step."""
        values = self._reader.begin(rows)
        self._answers.begin(rows)
        if values is None:
            self._stepper.reset(rows)
            return
        self._stepper.begin(values, rows)
        self._take(values, rows)
        self._stepper.n_steps[rows] = 0  # what begins a sequence is no step of it

    def _rows_of(self, ids: Any) -> Rows:
        """The streams that `ids` names."""
        if ids is None:
            return self._all
        rows = np.atleast_1d(np.asarray(ids))
        if rows.ndim != 1 or (rows.dtype.kind not in "iu" and rows.size):
            raise ValueError(f"ids={ids!r:.60} must be an int, or a list of ints, the numbers of streams")
        rows = rows.astype(np.int64)
        if not rows.size:
            return rows
        if rows.min() < 0 or rows.max() >= self.n_streams:
            wrong = rows[(rows < 0) | (rows >= self.n_streams)][0]
            raise ValueError(f"ids holds {wrong}, but the streams are numbered from 0 to {self.n_streams - 1}")
        if len(rows) > 1 and np.bincount(rows, minlength=1).max() > 1:
            raise ValueError(
                f"ids holds {np.bincount(rows).argmax()} more than once: a stream takes one step at a time"
            )
        return rows

    def _advance(self, values: NDArray[Any], rows: Rows) -> None:
        """Take a step, and let the answers know."""
        if not len(rows):
            return
        said = self._answers.said(self._stepper, rows)
        place = self._take(values, rows)
        if place >= 0:
            raise self._reader.error_at(place, values, rows)
        self._answers.keep(self._stepper, rows, said)

    def _take(self, values: NDArray[Any], rows: Rows) -> int:
        """Where in `values` there is a number that is not finite; -1 if there is none, and the step is taken."""
        if self._settings is None:
            return self._stepper.advance(values, rows)
        with self._settings():
            return self._stepper.advance(values, rows)

    def _advance_until(self, values: NDArray[Any], rows: Rows, max_length: int) -> None:
        """As :meth:`_advance`, but for streams that are as long as the model looks at: those only count the step."""
        n_steps = self._stepper.n_steps
        going = n_steps[rows] < max_length
        self._advance(np.ascontiguousarray(values[going]), rows[going])
        n_steps[rows[~going]] += 1

    def _outputs(self, ids: Any) -> tuple[NDArray[np.float64], Rows]:
        """The outputs (n_ids, n_outputs) after the last steps, and the streams."""
        rows = self._rows_of(ids) if self._answers.before_steps else self._rows_with_steps(ids)
        return self._stepper.outputs[rows], rows

    def _rows_with_steps(self, ids: Any) -> Rows:
        """The streams that `ids` names, each of which has taken a step."""
        rows = self._rows_of(ids)
        silent = rows[self._stepper.n_steps[rows] == 0]
        if len(silent):
            raise ValueError(f"stream {silent[0]} has taken no step yet: there is nothing to predict from. Call update")
        return rows

    def _arrays(self) -> dict[str, NDArray[Any]]:
        """All that changes with a step, by name."""
        return {**self._stepper.to_arrays(), **self._answers.to_arrays(), **self._reader.to_arrays()}

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        own = self._arrays()
        wrong = [name for name in own if name not in arrays or arrays[name].shape != own[name].shape]
        if wrong or len(own) != len(arrays):
            raise ValueError(f"text is broken: it lacks what a {self!r} remembers, or has it in another shape")
        self._stepper.from_arrays(arrays)
        for name, array in {**self._answers.to_arrays(), **self._reader.to_arrays()}.items():
            array[:] = arrays[name]
