"""Which models stream, and what is said of those that do not."""

import pytest
from samples import problem, ragged, small
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from streaming import assert_follows, fitted

from sklearn_rnn import (
    PerStep,
    RNNClassifier,
    RNNRegressor,
    RNNSequenceTagger,
    SequenceTokenizer,
    stream,
)


@pytest.mark.parametrize("estimator", [RNNClassifier, RNNRegressor])
def test_cut_heads_are_refused(estimator):
    with pytest.raises(ValueError, match="truncate='tail'"):
        stream(fitted(estimator, max_length=3, truncate="head"))


def test_taggers_predict_beyond_max_length_but_not_from_windows():
    tagger = fitted(RNNSequenceTagger, max_length=3, truncate="head", decoder="softmax")
    assert_follows(tagger, ragged(1, longest=9)[0])
    with pytest.raises(ValueError, match="stride=None"):
        stream(fitted(RNNSequenceTagger, max_length=3, stride=2))


def test_pipeline_of_other_transformers_is_refused():
    model = make_pipeline(SequenceTokenizer(), small(RNNClassifier, bidirectional=False))
    model.fit(["fly to Oslo", "from Rome"] * 5, [0, 1] * 5)
    with pytest.raises(TypeError, match="'sequencetokenizer' of the Pipeline"):
        stream(model)


def test_models_that_do_not_stream_are_refused():
    with pytest.raises(ValueError, match="bidirectional=False"):
        stream(small(RNNClassifier, bidirectional=True).fit(*problem(RNNClassifier)))
    with pytest.raises(TypeError, match="cannot be streamed"):
        stream(LogisticRegression())
    with pytest.raises(NotFittedError):
        stream(RNNClassifier())
    with pytest.raises(NotFittedError):
        stream(make_pipeline(PerStep(StandardScaler()), RNNClassifier()))
