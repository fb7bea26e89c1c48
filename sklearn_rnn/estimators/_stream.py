"""Live streams: predictions that go on step by step, from a fitted estimator."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.metaestimators import available_if

from sklearn_rnn._snapshots import snapshot
from sklearn_rnn.estimators._stream_answers import Answers, ClassAnswers, NumberAnswers, answers_of
from sklearn_rnn.estimators._stream_models import check_goes_on, parts_of
from sklearn_rnn.estimators._stream_steps import StepReader
from sklearn_rnn.estimators._stream_text import read_text, weights_digest, write_text
from sklearn_rnn.networks.stepping import CompiledStepper, Stepper
from sklearn_rnn.training.compute import compute_settings

Rows = NDArray[np.int64]


def stream(model: Any, n_streams: int = 1) -> Stream:
    """Predict while sequences are still coming, one step after the other.

    Parameters
    ----------
    model : RNNClassifier, RNNRegressor, RNNSequenceTagger or Pipeline
        Fitted, with ``bidirectional=False``. A Pipeline may hold :class:`~sklearn_rnn.PerStep` before one of the three,
        and nothing else.
    n_streams : int, default=1
        Sequences that go on beside each other.

    Returns
    -------
    stream : Stream

    Raises
    ------
    TypeError, ValueError
        If `model` is not one that can go on step by step; the message says why, and what would be.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_rnn import RNNClassifier, stream
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.normal(size=(length, 2)) for length in rng.integers(3, 9, size=60)]
    >>> y = np.array(["up" if x[-1, 0] > x[0, 0] else "down" for x in X])
    >>> clf = RNNClassifier(hidden_size=16, bidirectional=False, random_state=0).fit(X, y)
    >>> live = stream(clf)
    >>> for step in X[0]:
    ...     label = live.update(step)
    >>> bool(label == clf.predict(X[:1]))
    True
    """
    return Stream(model, n_streams)


class Stream:
    """Sequences that go on step by step, and what a fitted estimator says of each so far.

    The time that a step takes does not depend on how many there were before. What is remembered of them is the state of
    the recurrences, and what the pooling needs.

    Parameters
    ----------
    model : RNNClassifier, RNNRegressor, RNNSequenceTagger or Pipeline
        Fitted; see :func:`stream`. A later fit of it changes nothing for the stream.
    n_streams : int, default=1

    Attributes
    ----------
    n_streams : int
    n_steps_ : array of int, shape (n_streams,)
        Steps that each stream has taken since it began, or was reset.

    See Also
    --------
    stream : The same as a function.

    Notes
    -----
    Streams are numbered from 0, and each has its own pace: `ids` says which ones take a step.

    Up to rounding, a classifier or a regressor predicts what its ``predict`` says of the steps so far; a regressor of
    steps, what it says of the newest one. After `max_length` steps of a model with one target for each sequence and
    ``truncate="tail"`` the prediction stays.

    A tagger says the label of the newest step. With ``decoder="softmax"`` and no constraints it is that of ``predict``.
    With a chain of labels, ``predict`` chooses the labels of a whole sequence together (Viterbi), also by what comes
    later, and may change its mind about a step. A stream cannot: it gives the most probable label of the newest step
    under the filtered marginals, which are the probabilities given the steps so far, whatever follows.

    An error leaves all streams as they were. An object must not be used from two threads at once.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_rnn import RNNRegressor, Stream
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 5, 1))
    >>> reg = RNNRegressor(hidden_size=8, bidirectional=False, random_state=0).fit(X, X.mean(axis=(1, 2)))
    >>> streams = Stream(reg, n_streams=3)
    >>> streams.update([[0.5], [0.1], [-0.2]]).shape
    (3,)
    >>> streams.update([[0.7], [0.3]], ids=[2, 0]).shape
    (2,)
    >>> streams.n_steps_
    array([2, 1, 2])
    >>> streams.reset(ids=[2])
    >>> streams.n_steps_
    array([2, 1, 0])
    """

    n_streams: int
    _stepper: Stepper
    _reader: StepReader
    _answers: Answers
    _all: Rows
    _max_length: int | None
    _weights: str

    def __init__(self, model: Any, n_streams: int = 1) -> None:
        if not isinstance(n_streams, Integral) or isinstance(n_streams, bool) or n_streams < 1:
            raise ValueError(f"n_streams={n_streams!r} must be an int of at least 1")
        before, last = parts_of(model)
        transformers, estimator = copy.deepcopy(before), snapshot(last)  # a later fit changes others
        self.n_streams = int(n_streams)
        settings = partial(compute_settings, estimator.n_threads, estimator.engine)
        with estimator._predictor() as predictor:
            self._stepper = predictor.stepper(self.n_streams)
        compiled = isinstance(self._stepper, CompiledStepper)
        self._settings: Callable[[], AbstractContextManager[None]] | None = None if compiled else settings
        check_goes_on(estimator)
        whole = estimator.target_.alignment == "sequence"
        self._max_length = estimator.input_spec_.max_length if whole else None
        self._weights = weights_digest(estimator)
        self._reader = StepReader(transformers, estimator, self.n_streams, self._stepper.dtype)
        self._answers = answers_of(estimator, self._stepper.chain, self.n_streams)
        self._all = np.arange(self.n_streams)

    @property
    def n_steps_(self) -> NDArray[np.int64]:
        """Steps that each stream has taken, (n_streams,)."""
        return self._stepper.n_steps.copy()

    def update(self, step: Any, ids: Any = None) -> NDArray[Any]:
        """Take the next step of some streams, and say what the model predicts so far.

        Parameters
        ----------
        step : array-like of shape (n_ids, n_features)
            A row of features for each stream; for one stream also of shape (n_features,), and of one feature also one
            number each. Tokens are a string for one stream, or a list of strings; several inputs a dict, or a list of
            dicts.
        ids : array-like of int, shape (n_ids,), or int, optional
            The streams that the rows belong to, none of them twice; all by default.

        Returns
        -------
        predictions : array of shape (n_ids,), or (n_ids, n_outputs) for several labels or targets
            What the model predicts of the steps so far; of a tagger the label of this step.

        Raises
        ------
        SequenceDataError, ValueError, TypeError
            What came, and what was wanted. No stream has taken the step.
        """
        rows = self._all if ids is None else self._rows_of(ids)
        stepper, reader = self._stepper, self._reader
        values = reader.read(step, rows)
        if self._max_length is None:
            self._advance(values, rows)
        else:
            self._advance_until(values, rows, self._max_length)
        reader.keep(rows)
        outputs = stepper.outputs[rows]
        return self._answers.predict(outputs, rows)

    def predict(self, ids: Any = None) -> NDArray[Any]:
        """The predictions that the last :meth:`update` of each stream gave.

        Parameters
        ----------
        ids : array-like of int, shape (n_ids,), or int, optional
            All streams by default.

        Returns
        -------
        predictions : array of shape (n_ids,), or (n_ids, n_outputs)

        Raises
        ------
        ValueError
            If one of the streams has taken no step yet.
        """
        return self._answers.predict(*self._outputs(ids))

    @available_if(lambda self: not isinstance(self._answers, NumberAnswers))
    def predict_proba(self, ids: Any = None) -> NDArray[np.float64]:
        """The probability of each class, given the steps so far; of a tagger that of each label of the newest step.

        Parameters
        ----------
        ids : array-like of int, shape (n_ids,), or int, optional
            All streams by default.

        Returns
        -------
        probabilities : array of shape (n_ids, n_classes)
            In the order of ``classes_`` of the model.

        Raises
        ------
        ValueError
            If one of the streams has taken no step yet.
        """
        return self._answers.probabilities(*self._outputs(ids))

    @available_if(lambda self: isinstance(self._answers, ClassAnswers))
    def decision_function(self, ids: Any = None) -> NDArray[np.float64]:
        """The logits of a classifier, given the steps so far.

        Parameters
        ----------
        ids : array-like of int, shape (n_ids,), or int, optional
            All streams by default.

        Returns
        -------
        logits : array of shape (n_ids,) for binary targets, else (n_ids, n_classes)

        Raises
        ------
        ValueError
            If one of the streams has taken no step yet.
        """
        answers: Any = self._answers
        return answers.decision(self._outputs(ids)[0])

    @available_if(lambda self: hasattr(self._answers.model, "predict_quantiles"))
    def predict_quantiles(self, ids: Any = None, quantiles: ArrayLike | None = None) -> NDArray[np.float64]:
        """The quantiles of a regressor, given the steps so far.

        Parameters
        ----------
        ids : array-like of int, shape (n_ids,), or int, optional
            All streams by default.
        quantiles : array-like of shape (n_quantiles,), optional
            As for :meth:`RNNRegressor.predict_quantiles <sklearn_rnn.RNNRegressor.predict_quantiles>`.

        Returns
        -------
        values : array of shape (n_ids, n_quantiles), or (n_ids, n_outputs, n_quantiles)

        Raises
        ------
        ValueError
            If one of the streams has taken no step yet.
        """
        answers: Any = self._answers
        return answers.quantiles(self._outputs(ids)[0], quantiles)

    def reset(self, ids: Any = None) -> None:
        """Begin anew.

        Parameters
        ----------
        ids : array-like of int, shape (n_ids,), or int, optional
            The streams that begin anew; all by default.
        """
        rows = self._all if ids is None else self._rows_of(ids)
        self._stepper.reset(rows)
        self._reader.last[rows] = 0

    def to_json(self) -> str:
        """All that :meth:`from_json` needs to go on, beside the model.

        Returns
        -------
        text : str
            JSON. It holds every bit of the states, a checksum, and a digest of the weights of the model.
        """
        return write_text(self._arrays(), self._weights)

    @classmethod
    def from_json(cls, model: Any, text: str) -> Stream:
        """Go on where :meth:`to_json` was called, in this process or another one.

        Parameters
        ----------
        model : RNNClassifier, RNNRegressor, RNNSequenceTagger or Pipeline
            That of the stream, or a copy, as pickle makes one.
        text : str

        Returns
        -------
        stream : Stream

        Raises
        ------
        ValueError
            If the text is broken, or belongs to a model of other weights.
        """
        arrays = read_text(text, weights_digest(parts_of(model)[1]))
        if "n_steps" not in arrays:
            raise ValueError("text is broken: it does not say how many steps the streams have taken")
        going_on = cls(model, len(arrays["n_steps"]))
        going_on._restore(arrays)
        return going_on

    def __repr__(self) -> str:
        return f"{type(self).__name__}({type(self._answers.model).__name__}, n_streams={self.n_streams})"

    def _rows_of(self, ids: Any) -> Rows:
        """The streams that `ids` names."""
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
        if self._settings is None:
            place = self._stepper.advance(values, rows)
        else:
            with self._settings():
                place = self._stepper.advance(values, rows)
        if place >= 0:
            raise self._reader.error_at(place, values, rows)
        self._answers.keep(self._stepper, rows)

    def _advance_until(self, values: NDArray[Any], rows: Rows, max_length: int) -> None:
        """As :meth:`_advance`, but for streams that are as long as the model looks at: those only count the step."""
        n_steps = self._stepper.n_steps
        going = n_steps[rows] < max_length
        self._advance(np.ascontiguousarray(values[going]), rows[going])
        n_steps[rows[~going]] += 1

    def _outputs(self, ids: Any) -> tuple[NDArray[np.float64], Rows]:
        """The outputs (n_ids, n_outputs) after the last steps, and the streams."""
        rows = self._all if ids is None else self._rows_of(ids)
        silent = rows[self._stepper.n_steps[rows] == 0]
        if len(silent):
            raise ValueError(f"stream {silent[0]} has taken no step yet: there is nothing to predict from. Call update")
        return self._stepper.outputs[rows], rows

    def _arrays(self) -> dict[str, NDArray[Any]]:
        """All that changes with a step, by name."""
        return {**self._stepper.to_arrays(), **self._answers.to_arrays(), "last": self._reader.last}

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        own = self._arrays()
        wrong = [name for name in own if name not in arrays or arrays[name].shape != own[name].shape]
        if wrong or len(own) != len(arrays):
            raise ValueError(f"text is broken: it lacks what a {self!r} remembers, or has it in another shape")
        self._stepper.from_arrays(arrays)
        for name, array in {**self._answers.to_arrays(), "last": self._reader.last}.items():
            array[:] = arrays[name]
