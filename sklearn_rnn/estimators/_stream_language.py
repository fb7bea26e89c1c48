"""Live streams of a language model: what comes next, and how probable was what came."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.estimators._stream_answers import Answers
from sklearn_rnn.estimators._stream_steps import STEP_BY_STEP, StepReader, tokens_of
from sklearn_rnn.exceptions import SequenceDataError
from sklearn_rnn.networks.stepping import NetworkStepper
from sklearn_rnn.targets.continuation import END

Array = NDArray[Any]
Rows = NDArray[np.int64]


class ContinuationReader(StepReader):
    """From a step of what goes on to what the network reads of it, the context of each stream beside it.

    Attributes
    ----------
    contexts : array of shape (n_streams, n_columns)
    own : array of shape (n, ...)
        The encoded step that was read last, without contexts.
    """

    def __init__(self, transformers: list[Any], model: Any, n_streams: int, dtype: np.dtype[Any]) -> None:
        super().__init__(transformers, model, n_streams, dtype)
        self._target = model.target_
        context = model.context_
        n_columns = 0 if context is None else context.n_columns
        self.contexts = np.zeros(
            (n_streams, n_columns), np.int64 if context is None or context.is_label else np.float64
        )
        self.own: Array = np.empty(0)

    def take_contexts(self, y: Any, rows: Rows) -> None:
        """Let the streams `rows` (n,) have the contexts of y, one for all or one for each."""
        self.contexts[rows] = self._model._contexts(y, len(rows))

    def begin(self, rows: Rows) -> Array | None:
        super().begin(rows)
        return self._beside(self._target.begins(len(rows)), rows)

    def read(self, step: Any, rows: Rows) -> Array:
        n = len(rows)
        if self._spec.kind == "text" and not self._transformers:
            step = [self._symbol(token) for token in tokens_of(step, n)]
        self.own = super().read(step, rows)
        if self.own.dtype.kind == "f":
            unfit = np.flatnonzero(~np.isfinite(self.own))
            if len(unfit):
                raise self.error_at(int(unfit[0]), self.own, rows)
        return self._beside(self.own, rows)

    def to_arrays(self) -> dict[str, Array]:
        return {**super().to_arrays(), "contexts": self.contexts}

    def _check(self, values: Array) -> None:
        if self._spec.kind == "numeric":
            self._target.check(Sequences(values, np.arange(len(values) + 1)))

    def _beside(self, steps: Array, rows: Rows) -> Array:
        """Encoded `steps` (n, ...) with the contexts of the streams `rows` (n,)."""
        if not self.contexts.shape[1]:
            return steps
        values: Array = self._target.with_context(
            Sequences(steps, np.arange(len(steps) + 1)), self.contexts[rows]
        ).values
        return values

    def _symbol(self, token: str) -> str:
        """A symbol as the vocabulary has it."""
        if token in self._target.vocabulary:
            return token
        if token == END:
            raise SequenceDataError(
                f"step holds {END!r}, the end of a document, behind which nothing comes: call reset(ids)"
            )
        spelling = self._model.spelling_
        if not spelling.documents:
            return token
        symbols = spelling.split(token)
        if len(symbols) != 1:
            raise SequenceDataError(
                f"step holds {token!r:.60}, which is {len(symbols)} symbols as fit split documents, wanted one of each "
                f"stream{STEP_BY_STEP}"
            )
        return str(symbols[0])


class ContinuationAnswers(Answers):
    """Of a language model: the next step, and the likelihood of the newest one.

    Parameters
    ----------
    model : RNNLanguageModel
    head : Head
        Of its network as it predicts.
    reader : ContinuationReader
    stepper : NetworkStepper
    """

    before_steps = True

    def __init__(self, model: Any, head: Any, reader: ContinuationReader, stepper: NetworkStepper) -> None:
        super().__init__(model)
        self.has_probabilities = self.target.has_probabilities
        on_cpu = next(head.parameters()).device.type == "cpu"
        self._head = head if on_cpu else copy.deepcopy(head).cpu()
        self._reader = reader
        n_streams = len(stepper.outputs)
        self._scores = np.full(n_streams, np.nan)
        # A likelihood is computed when somebody asks: until then the newest step is kept, and what was said before it.
        self._unscored = np.zeros(n_streams, bool)
        self._said = np.empty_like(stepper.outputs)
        self._steps: Array = model.target_.begins(n_streams)

    def said(self, stepper: NetworkStepper, rows: Rows) -> Array | None:
        return stepper.outputs[rows]

    def keep(self, stepper: NetworkStepper, rows: Rows, said: Array | None) -> None:
        self._said[rows], self._steps[rows], self._unscored[rows] = said, self._reader.own, True

    def begin(self, rows: Rows) -> None:
        self._scores[rows], self._unscored[rows] = np.nan, False

    def predict(self, outputs: Array, rows: Rows) -> Array:
        with torch.inference_mode():
            best: Array = self.target.best(torch.from_numpy(outputs), self._head)
        return best

    def probabilities(self, outputs: Array, rows: Rows) -> Array:
        with torch.inference_mode():
            found: Array = self.target.probabilities(torch.from_numpy(outputs), self._head)
        return found

    def log_likelihoods(self, rows: Rows) -> Array:
        """The log-likelihood of the newest step (n,) of the streams `rows` (n,), given those before it."""
        self._score()
        return self._scores[rows]

    def to_arrays(self) -> dict[str, Array]:
        self._score()
        return {"scores": self._scores}

    def _score(self) -> None:
        """Compute the likelihoods that have not been asked for yet."""
        rows = np.flatnonzero(self._unscored)
        if not len(rows):
            return
        _, following = self.target.continued(Sequences(self._steps[rows], np.arange(len(rows) + 1)))
        steps = following.values[following.offsets[:-1]]  # behind which an end may stand
        with torch.inference_mode():
            said, came = torch.from_numpy(self._said[rows])[:, None], torch.from_numpy(steps)[:, None]
            found = self.target.log_likelihood(said, came, self._head)[:, 0]
        self._scores[rows], self._unscored[rows] = found.double().numpy(), False
