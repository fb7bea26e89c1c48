"""A Pipeline that offers what estimators of sequences can do beyond ``predict``."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from sklearn.pipeline import Pipeline
from sklearn.utils.metaestimators import available_if

from sklearn_rnn.estimators._classifier import RNNClassifier
from sklearn_rnn.estimators._regressor import RNNRegressor
from sklearn_rnn.estimators._tagger import RNNSequenceTagger


def _last_step_has(method: str) -> Callable[[Any], bool]:
    """A check for ``available_if``: the last step has `method`."""

    def check(self: Any) -> bool:
        getattr(self._final_estimator, method)
        return True

    return check


def _passed_on(method: Any) -> Any:
    """`method` of the last step, for X that goes through the steps before it."""
    name = method.__name__

    @available_if(_last_step_has(name))
    @wraps(method)
    def run(self: Any, X: Any, *args: Any, **kwargs: Any) -> Any:
        before = self[:-1]
        return getattr(self._final_estimator, name)(before.transform(X) if before.steps else X, *args, **kwargs)

    return run


class SequencePipeline(Pipeline):
    """A scikit-learn Pipeline that passes on the methods that estimators of sequences have beyond ``predict``.

    In all else it is a :class:`~sklearn.pipeline.Pipeline`: for searches, cross-validation, metadata routing, pickling
    and streams. Each method is there if the last step has it, and takes X as ``predict`` does.

    Parameters
    ----------
    steps : list of (str, estimator) tuples
        As of a Pipeline. Those of one that is fitted, ``SequencePipeline(pipeline.steps)``, need no other fit.
    transform_input : list of str or None, default=None
    memory : str, object with the joblib.Memory interface, or None, default=None
    verbose : bool, default=False
        As of a Pipeline.

    See Also
    --------
    RNNSequenceTagger : Entities, n-best label sequences and their probabilities.
    RNNRegressor : Quantiles, samples and likelihoods.
    RNNClassifier : Attention weights, and probabilities after each step.

    Examples
    --------
    >>> from sklearn_rnn import RNNSequenceTagger, SequencePipeline, SequenceTokenizer
    >>> documents = ["Fly to Oslo!", "From Rome to Oslo", "Rome"] * 4
    >>> y = [["O", "O", "B-city", "O"], ["O", "B-city", "O", "B-city"], ["B-city"]] * 4
    >>> tagger = RNNSequenceTagger(max_epochs=30, random_state=0)
    >>> model = SequencePipeline([("tokenizer", SequenceTokenizer()), ("tagger", tagger)]).fit(documents, y)
    >>> [[entity]] = model.predict_entities(["To Rome!"])
    >>> entity.label, entity.text, entity.start_char, entity.end_char
    ('city', 'Rome', 3, 7)

    A search returns one where it is given one:

    >>> from sklearn.model_selection import GridSearchCV, KFold
    >>> search = GridSearchCV(model, {"tagger__hidden_size": [4, 8]}, cv=KFold(2)).fit(documents, y)
    >>> len(search.best_estimator_.predict_nbest(["Oslo"], n=2)[0])
    2
    """

    predict_entities = _passed_on(RNNSequenceTagger.predict_entities)
    predict_nbest = _passed_on(RNNSequenceTagger.predict_nbest)
    predict_log_proba_of = _passed_on(RNNSequenceTagger.predict_log_proba_of)
    predict_quantiles = _passed_on(RNNRegressor.predict_quantiles)
    sample_y = _passed_on(RNNRegressor.sample_y)
    log_likelihood = _passed_on(RNNRegressor.log_likelihood)
    staged_predict_proba = _passed_on(RNNClassifier.staged_predict_proba)
    attention_weights = _passed_on(RNNClassifier.attention_weights)
    transform_steps = _passed_on(RNNClassifier.transform_steps)
