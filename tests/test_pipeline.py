"""A Pipeline that passes on what its last step can do."""

import inspect
import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_rnn import (
    PerStep,
    RNNClassifier,
    RNNRegressor,
    RNNSequenceTagger,
    SequencePipeline,
    SequenceTokenizer,
    stream,
)
from sklearn_rnn.metrics import span_f1_scorer
from sklearn_rnn.model_selection import cross_val_predict_sequences

rng = np.random.default_rng(0)
DOCUMENTS = ["Fly to Oslo!", "From Rome to Oslo", "Rome"] * 4
TAGS = [["O", "O", "B-city", "O"], ["O", "B-city", "O", "B-city"], ["B-city"]] * 4
X = [rng.normal(5, 3, (n, 2)) for n in rng.integers(2, 6, 20)]
SMALL = {"hidden_size": 4, "max_epochs": 2, "random_state": 0}


def tagging():
    return SequencePipeline([("tokenizer", SequenceTokenizer()), ("tagger", RNNSequenceTagger(**SMALL))])


def scaled(estimator, **parameters):
    return SequencePipeline([("scaler", PerStep(StandardScaler())), ("last", estimator(**SMALL, **parameters))])


def same(one, other):
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        if isinstance(a, list):
            assert a == b
        else:
            np.testing.assert_array_equal(a, b)


TAGGER = tagging().fit(DOCUMENTS, TAGS)
CLASSIFIER = scaled(RNNClassifier, pooling="attention").fit(X, np.arange(20) % 2)
REGRESSOR = scaled(RNNRegressor, loss="gaussian").fit(X, np.arange(20.0))


@pytest.mark.parametrize(
    ("model", "X", "method", "arguments"),
    [
        (TAGGER, DOCUMENTS, "predict_entities", {}),
        (TAGGER, DOCUMENTS, "predict_nbest", {"n": 2}),
        (TAGGER, DOCUMENTS, "predict_log_proba_of", {"y": TAGS}),
        (TAGGER, DOCUMENTS, "transform_steps", {}),
        (CLASSIFIER, X, "attention_weights", {}),
        (CLASSIFIER, X, "transform_steps", {}),
        (CLASSIFIER, X, "staged_predict_proba", {}),
        (REGRESSOR, X, "predict_quantiles", {"quantiles": [0.1, 0.9]}),
        (REGRESSOR, X, "sample_y", {"n_samples": 3}),
        (REGRESSOR, X, "log_likelihood", {"y": np.arange(20.0)}),
    ],
)
def test_the_last_step_answers_for_what_the_others_made(model, X, method, arguments):
    wanted = getattr(model[-1], method)(model[:-1].transform(X), **arguments)
    given = getattr(model, method)(X, **arguments)
    same(list(given), list(wanted))


def test_every_method_that_only_a_last_step_has():
    for estimator in (RNNClassifier, RNNRegressor, RNNSequenceTagger):
        for name, method in inspect.getmembers(estimator, callable):
            if not name.startswith(("_", "partial_fit")) and list(inspect.signature(method).parameters)[1:2] == ["X"]:
                assert hasattr(Pipeline, name) or hasattr(SequencePipeline, name), name


def test_what_the_last_step_lacks_is_lacking():
    assert not hasattr(CLASSIFIER, "predict_entities")
    assert not hasattr(TAGGER, "predict_quantiles")
    assert not hasattr(scaled(RNNRegressor), "predict_quantiles")
    assert not hasattr(SequencePipeline([("scaler", PerStep(StandardScaler()))]), "predict_nbest")
    with pytest.raises(AttributeError, match="predict_quantiles"):
        scaled(RNNRegressor).predict_quantiles(X)


def test_it_is_a_pipeline_to_scikit_learn():
    search = GridSearchCV(tagging(), {"tagger__hidden_size": [2, 4]}, cv=KFold(2), scoring=span_f1_scorer)
    best = search.fit(DOCUMENTS, TAGS).best_estimator_
    assert isinstance(best, SequencePipeline)
    same(best.predict_entities(DOCUMENTS), pickle.loads(pickle.dumps(best)).predict_entities(DOCUMENTS))
    assert isinstance(clone(best), SequencePipeline)
    assert len(cross_val_score(tagging(), DOCUMENTS, TAGS, cv=2)) == 2
    found = cross_val_predict_sequences(tagging(), DOCUMENTS, TAGS, cv=2, method="predict_nbest")
    assert len(found) == len(DOCUMENTS)


def test_the_steps_of_a_fitted_pipeline():
    fitted = make_pipeline(SequenceTokenizer(), RNNSequenceTagger(**SMALL)).fit(DOCUMENTS, TAGS)
    wanted = fitted[-1].predict_entities(fitted[:-1].transform(DOCUMENTS))
    same(SequencePipeline(fitted.steps).predict_entities(DOCUMENTS), wanted)


def test_a_single_step():
    alone = SequencePipeline([("last", RNNRegressor(**SMALL, loss="gaussian"))]).fit(X, np.arange(20.0))
    np.testing.assert_array_equal(alone.predict_quantiles(X, [0.5]), alone[-1].predict_quantiles(X, [0.5]))


def test_streams_take_it():
    model = scaled(RNNClassifier, bidirectional=False).fit(X, np.arange(20) % 2)
    live = stream(model)
    for step in X[0]:
        live.update(step)
    np.testing.assert_allclose(live.predict_proba(), model.predict_proba(X[:1]), atol=1e-6)
