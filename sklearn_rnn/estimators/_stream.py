"""Live streams: predictions that go on step by step, from a fitted estimator."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.metaestimators import available_if

from sklearn_rnn.estimators._stream_answers import ClassAnswers
from sklearn_rnn.estimators._stream_language import ContinuationAnswers
from sklearn_rnn.estimators._stream_models import parts_of
from sklearn_rnn.estimators._stream_state import StreamState
from sklearn_rnn.estimators._stream_text import read_text, weights_digest, write_text


def stream(model: Any, n_streams: int = 1, *, y: Any = None) -> Stream:
    """Predict while sequences are still coming, one step after the other.

    Parameters
    ----------
    model : RNNClassifier, RNNRegressor, RNNSequenceTagger, RNNLanguageModel or Pipeline
        Fitted, with ``bidirectional=False``. A Pipeline may hold :class:`~sklearn_rnn.PerStep` before one of these, and
        nothing else.
    n_streams : int, default=1
        Sequences that go on beside each other.
    y : label, vector, or array-like of shape (n_streams, ...), optional
        The context, one for all or one for each, of a language model that was fitted with such.

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
    return Stream(model, n_streams, y=y)


class Stream(StreamState):
    """Sequences that go on step by step, and what a fitted estimator says of each so far.

    The time that a step takes does not depend on how many there were before. What is remembered of them is the state of
    the recurrences, and what the pooling needs.

    Parameters
    ----------
    model : RNNClassifier, RNNRegressor, RNNSequenceTagger, RNNLanguageModel or Pipeline
        Fitted; see :func:`stream`. A later fit of it changes nothing for the stream.
    n_streams : int, default=1
    y : label, vector, or array-like of shape (n_streams, ...), optional
        As of :func:`stream`.

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

    A language model says what comes next. It does so before the first step, too: each stream has read the begin of a
    sequence. A step that is not in its vocabulary is read as the unknown one.

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

    def __init__(self, model: Any, n_streams: int = 1, *, y: Any = None) -> None:
        self._set_up(model, n_streams)
        self._reader.take_contexts(y, self._all)
        self._begin(self._all)

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
            What the model predicts of the steps so far; of a tagger the label of this step, of a language model the
            most probable next one.

        Raises
        ------
        SequenceDataError, ValueError, TypeError
            What came, and what was wanted. No stream has taken the step.
        """
        rows = self._rows_of(ids)
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
        """The predictions that the last :meth:`update` of each stream gave; of a language model also before the first.

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

    @available_if(lambda self: self._answers.has_probabilities)
    def predict_proba(self, ids: Any = None) -> NDArray[np.float64]:
        """The probability of each class, given the steps so far.

        Of a tagger it is that of each label of the newest step, of a language model that of each next symbol, or of
        each feature to be 1.

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

    @available_if(lambda self: isinstance(self._answers, ContinuationAnswers))
    def log_likelihood(self, ids: Any = None) -> NDArray[np.float64]:
        """The log-likelihood of the newest step, in nats, given those before it: a low one is an anomaly.

        Parameters
        ----------
        ids : array-like of int, shape (n_ids,), or int, optional
            All streams by default.

        Returns
        -------
        scores : array of shape (n_ids,)
            What ``score_steps`` of a language model says of the step.

        Raises
        ------
        ValueError
            If one of the streams has taken no step yet.
        """
        answers: Any = self._answers
        return answers.log_likelihoods(self._rows_with_steps(ids))

    def reset(self, ids: Any = None, *, y: Any = None) -> None:
        """Begin anew.

        Parameters
        ----------
        ids : array-like of int, shape (n_ids,), or int, optional
            The streams that begin anew; all by default.
        y : label, vector, or array-like of shape (n_ids, ...), optional
            Their context from now on, of a language model that was fitted with such; by default that of before.
        """
        rows = self._rows_of(ids)
        if y is not None:
            self._reader.take_contexts(y, rows)
        self._begin(rows)

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
        model : RNNClassifier, RNNRegressor, RNNSequenceTagger, RNNLanguageModel or Pipeline
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
        going_on = cls.__new__(cls)
        going_on._set_up(model, len(arrays["n_steps"]))
        going_on._restore(arrays)
        return going_on

    def __repr__(self) -> str:
        return f"{type(self).__name__}({type(self._answers.model).__name__}, n_streams={self.n_streams})"
