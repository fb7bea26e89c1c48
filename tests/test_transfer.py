"""Going on from another fitted estimator: pretrained, freeze, unfreeze_every."""

import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from samples import outputs, problem, small
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sklearn_rnn import RNNClassifier, RNNRegressor, RNNSequenceTagger, SequenceTokenizer

TEXTS = [["good", "film"], ["bad", "film", "indeed"], ["a", "good", "one"], ["bad"]] * 6
LABELS = ["+", "-", "+", "-"] * 6


def language_model(**parameters):
    """A tagger that predicts the next token, from text without labels."""
    X = [tokens for tokens in TEXTS if len(tokens) > 1]
    options = {"decoder": "softmax", "bidirectional": False, **parameters}
    return small(RNNSequenceTagger, **options).fit([x[:-1] for x in X], [x[1:] for x in X])


def fine_tuned(source, **parameters):
    return small(RNNClassifier, pretrained=source, **parameters).fit(TEXTS, LABELS)


def parts(model, name):
    return {k: v for k, v in model.module_.state_dict().items() if k.startswith(name)}


def unchanged(model, source, name):
    theirs = parts(source, name)
    return [k for k, v in parts(model, name).items() if torch.equal(v, theirs[k])]


def test_backbone_vocabulary_and_embeddings_are_taken_over():
    source = language_model(num_layers=2, hidden_size=5, cell_type="lstm", embedding_dim=7, char_encoder="cnn")
    model = fine_tuned(source, learning_rate=1e-12)
    assert model.vocabulary_ == source.vocabulary_
    assert parts(model, "backbone").keys() == parts(source, "backbone").keys()
    for name in ("inputs", "backbone"):
        for key, value in parts(model, name).items():
            torch.testing.assert_close(value, source.module_.state_dict()[key], rtol=0, atol=1e-8)
    assert model.module_.head.linear.weight.shape == (1, 5)


def test_states_are_those_of_the_source():
    source = language_model()
    model = fine_tuned(source, freeze="backbone")
    for mine, theirs in zip(model.transform_steps(TEXTS), source.transform_steps(TEXTS), strict=True):
        assert_array_equal(mine, theirs)


def test_tokens_that_the_source_did_not_have_are_unknown():
    source = language_model(char_encoder=None)
    model = fine_tuned(source)
    assert_array_equal(model.predict_proba([["new", "film"]]), model.predict_proba([["other", "film"]]))


@pytest.mark.parametrize(
    ("freeze", "frozen", "trained"),
    [
        (None, [], ["inputs", "backbone"]),
        ("inputs", ["inputs"], ["backbone"]),
        ("backbone", ["inputs", "backbone"], []),
    ],
)
def test_freeze(freeze, frozen, trained):
    source = language_model(num_layers=2)
    model = fine_tuned(source, freeze=freeze, dropout=0.0)
    for name in frozen:
        assert len(unchanged(model, source, name)) == len(parts(source, name))
    for name in trained:
        assert len(unchanged(model, source, name)) < len(parts(source, name))
    fresh = small(RNNClassifier, pretrained=source, freeze=freeze, dropout=0.0, max_epochs=1).fit(TEXTS, LABELS)
    assert not torch.equal(fresh.module_.head.linear.weight, model.module_.head.linear.weight)


def test_layers_are_let_in_from_the_top():
    source = language_model(num_layers=2)
    order = ["backbone.layers.1", "backbone.layers.0", "inputs"]
    for epochs in range(1, 5):
        model = fine_tuned(source, freeze="backbone", unfreeze_every=1, max_epochs=epochs, dropout=0.0)
        moved = [name for name in order if len(unchanged(model, source, name)) < len(parts(source, name))]
        assert moved == order[: epochs - 1]


@pytest.mark.parametrize("frozen", [True, False])
def test_freeze_embeddings_keeps_the_vectors(frozen):
    first = small(RNNClassifier, freeze_embeddings=frozen, max_epochs=1).fit(TEXTS, LABELS)
    second = small(RNNClassifier, freeze_embeddings=frozen, max_epochs=3).fit(TEXTS, LABELS)
    same = torch.equal(first.module_.inputs.token_embedding.weight, second.module_.inputs.token_embedding.weight)
    assert same is frozen


def test_numeric_sequences_and_other_targets():
    X, y = problem(RNNClassifier)
    source = small(RNNClassifier, pooling="last").fit(X, y)
    model = small(RNNRegressor, pooling="last", pretrained=source, freeze="backbone").fit(X, np.arange(len(X)))
    assert_array_equal(model.transform(X), source.transform(X))


def test_clone_grid_and_pickle():
    source = language_model()
    model = fine_tuned(source)
    again = clone(model).fit(TEXTS, LABELS)
    assert_array_equal(outputs(again, TEXTS), outputs(model, TEXTS))
    assert_array_equal(outputs(pickle.loads(pickle.dumps(model)), TEXTS), outputs(model, TEXTS))
    grid = {"pretrained": [None, FrozenEstimator(source)], "freeze": [None, "inputs"]}
    search = GridSearchCV(small(RNNClassifier), grid, cv=2, error_score="raise").fit(TEXTS, LABELS)
    assert len(search.cv_results_["mean_test_score"]) == 4
    search = GridSearchCV(model, {"learning_rate": [0.1, 0.01]}, cv=2, error_score="raise").fit(TEXTS, LABELS)
    assert search.best_estimator_.pretrained is source


def test_a_pipeline_as_source():
    texts = [" ".join(tokens) for tokens in TEXTS]
    source = make_pipeline(SequenceTokenizer(), small(RNNClassifier)).fit(texts, LABELS)
    model = make_pipeline(SequenceTokenizer(), small(RNNClassifier, pretrained=source)).fit(texts, LABELS)
    assert model[-1].vocabulary_ == source[-1].vocabulary_


def test_a_search_as_source():
    search = GridSearchCV(small(RNNClassifier), {"hidden_size": [3]}, cv=2).fit(TEXTS, LABELS)
    assert fine_tuned(search).vocabulary_ == search.best_estimator_.vocabulary_


def test_inputs_must_be_those_of_the_source():
    y = [["a"], ["b"]] * 4
    source = small(RNNSequenceTagger).fit([[{"w": "x", "p": 1, "q": 2}], [{"w": "z", "p": 3, "q": 4}]] * 4, y)
    for other in ({"w": "x", "q": 2, "p": 1}, {"w": "x", "p": 1, "r": 2}, {"w": "x", "p": 1}, {"w": 1, "p": 1, "q": 2}):
        with pytest.raises(ValueError, match="several inputs and features in the same order"):
            small(RNNSequenceTagger, pretrained=source).fit([[other]] * 8, y)


def test_training_goes_on_with_warm_start():
    source = language_model()
    model = fine_tuned(source, warm_start=True)
    before = model.module_.head.linear.weight.clone()
    assert not torch.equal(model.fit(TEXTS, LABELS).module_.head.linear.weight, before)
    assert model.vocabulary_ == source.vocabulary_


def test_bad_input():
    X, y = problem(RNNClassifier)
    source = small(RNNClassifier).fit(X, y)
    with pytest.raises(ValueError, match=r"fitted on numeric of 3 feature.* X has text of 1 feature"):
        fine_tuned(source)
    with pytest.raises(TypeError, match="must be a fitted estimator of this package"):
        fine_tuned("model")
    with pytest.raises(NotFittedError, match="FrozenEstimator"):
        fine_tuned(RNNClassifier())
    with pytest.raises(ValueError, match="leave pretrained_embeddings=None"):
        fine_tuned(language_model(), pretrained_embeddings={"good": [1.0]})


def test_token_ids_need_no_embedding_dim():
    ids, y = [[1, 2], [3], [2, 2], [4, 1]] * 2, [0, 1, 0, 1] * 2
    source = small(RNNClassifier, embedding_dim=3).fit(ids, y)
    tuned = small(RNNClassifier, pretrained=source).fit(ids, y)
    assert tuned.input_spec_.kind == "ids"
    assert tuned.vocabulary_ == source.vocabulary_
    assert_array_equal(
        tuned.predict_proba(ids),
        small(RNNClassifier, pretrained=source, embedding_dim=3).fit(ids, y).predict_proba(ids),
    )
    assert small(RNNRegressor, pretrained=FrozenEstimator(source)).fit(ids, y).predict([[9]]).shape == (1,)
