"""Estimators with n-grams beside the recurrence: what holds for all of them, and what does not go together."""

import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from samples import outputs, small, weights
from sklearn.base import clone
from streaming import ENGINES
from test_parameters_text import text_problem

from sklearn_rnn import RNNClassifier, RNNRegressor, RNNSequenceTagger, stream

POOLED = [RNNClassifier, RNNRegressor]


def fitted(estimator=RNNClassifier, data=None, **options):
    X, y = data or text_problem(estimator)
    options = {"ngrams": 2, "embedding_dim": 3, "batch_size": 8, **options}
    return small(estimator, **options).fit(X, y)


@pytest.mark.parametrize("estimator", POOLED)
def test_a_document_is_predicted_alike_alone_and_among_others(estimator):
    X, _ = text_problem(estimator)
    model = fitted(estimator)
    assert_allclose(np.concatenate([outputs(model, [x]) for x in X]), outputs(model, X), atol=1e-6)


@pytest.mark.parametrize("estimator", POOLED)
def test_a_weight_of_two_is_a_repeated_sequence_and_the_order_is_nothing(estimator):
    X, y = text_problem(estimator)
    doubled = small(estimator, dtype="float64", ngrams=2).fit(
        X, y, sample_weight=np.repeat([2.0, 1.0], [8, len(X) - 8])
    )
    order = np.random.default_rng(1).permutation(len(X) + 8)
    repeated = [*X, *X[:8]], [*y, *y[:8]]
    moved = small(estimator, dtype="float64", ngrams=2).fit(*([part[i] for i in order] for part in repeated))
    assert_allclose(outputs(doubled, X), outputs(moved, X), atol=1e-9)


@pytest.mark.parametrize("engine", ENGINES)
def test_engines_learn_the_same(engine):
    X, _ = text_problem(RNNClassifier)
    options = {"dtype": "float64", "pooling": "max", "dropout": 0.0}
    model, other = (fitted(engine=name, **options) for name in (engine, "torch"))
    assert_allclose(model.loss_curve_, other.loss_curve_, rtol=1e-9)
    assert_allclose(outputs(model, X), outputs(other, X), atol=1e-8)


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_types_and_pickles(dtype):
    X, y = text_problem(RNNClassifier)
    model = fitted(dtype=dtype)
    assert model.module_.ngrams.weight.dtype == (torch.float64 if dtype == "float64" else torch.float32)
    assert_array_equal(outputs(pickle.loads(pickle.dumps(model)), X), outputs(model, X))
    assert_array_equal(outputs(clone(model).fit(X, y), X), outputs(model, X))


def test_uneven_batches_are_learned_from_in_parts(monkeypatch):
    X, y = text_problem(RNNClassifier)
    data = [x * (9 if k % 5 == 0 else 1) for k, x in enumerate(X)], y
    options = {"dtype": "float64", "dropout": 0.0, "embedding_dropout": 0.0, "word_dropout": 0.0}
    whole = fitted(data=data, **options)
    monkeypatch.setattr("sklearn_rnn.data.splitting.MOST_PADDING", 1)
    assert_allclose(weights(fitted(data=data, **options)), weights(whole), atol=1e-9)


def test_pairs_tell_what_single_tokens_do_not():
    """All documents have the same tokens, and the recurrence learns nothing."""
    rng = np.random.default_rng(0)
    X = [list(rng.permutation(["not", "good", "it", "is"])) for _ in range(200)]
    y = np.array([" ".join(x).count("not good") for x in X])
    options = {"freeze": "backbone", "pretrained": fitted(data=(X, y), max_epochs=1), "max_epochs": 30}
    options |= {"learning_rate": 0.05, "dropout": 0.9, "embedding_dropout": 0.0}
    assert fitted(data=(X, y), **options).score(X, y) > 0.99


def test_an_unknown_token_adds_nothing():
    model = fitted(max_epochs=8)
    with torch.no_grad():
        known = model.module_.ngrams.weight[1:].abs().sum()
        model.module_.ngrams.weight[0] = 1e3
    assert known > 0
    assert np.ptp(model.decision_function([["nowhere"], ["never", "nowhere"]])) < 10


@pytest.mark.parametrize("pooling", ["last", "concat"])
def test_staged_probabilities_are_those_of_prefixes(pooling):
    X, _ = text_problem(RNNClassifier, n=12)
    model = fitted(bidirectional=False, pooling=pooling)
    for t, stage in enumerate(model.staged_predict_proba(X), start=1):
        assert_allclose(stage, model.predict_proba([x[:t] for x in X]), atol=1e-6)


def test_the_vector_of_a_document_is_without_them():
    X, _ = text_problem(RNNClassifier)
    model = fitted()
    before = model.transform(X)
    with torch.no_grad():
        model.module_.ngrams.weight.fill_(7)
    assert_array_equal(model.transform(X), before)


def test_they_belong_to_the_head_of_a_pretrained_network():
    X, y = text_problem(RNNClassifier)
    source = fitted(max_epochs=4)
    model = fitted(pretrained=source, freeze="backbone", max_epochs=1)
    taken = {name: value for name, value in source.module_.state_dict().items() if name.startswith("backbone")}
    assert all(torch.equal(model.module_.state_dict()[name], value) for name, value in taken.items())
    first = small(RNNClassifier, pretrained=source, ngrams=2, learning_rate=1e-12).fit(X, y).module_.ngrams.weight
    assert first.abs().max() < 1e-6
    assert model.module_.ngrams.weight.abs().max() > 1e-4
    other = small(RNNRegressor, pretrained=source, ngrams=0).fit(X, np.arange(len(X)) * 1.0)
    assert other.module_.ngrams is None


def test_going_on_keeps_the_weights():
    X, y = text_problem(RNNClassifier)
    model = fitted(warm_start=True)
    before = model.module_.ngrams.weight.detach().clone()
    model.set_params(learning_rate=1e-12).fit(X, y)
    torch.testing.assert_close(model.module_.ngrams.weight.detach(), before, atol=1e-6, rtol=0)
    with pytest.raises(ValueError, match="go on from the last weights"):
        model.set_params(ngrams=0).partial_fit(X, y)


def test_auto_has_them_for_tokens_with_one_target():
    X, y = text_problem(RNNClassifier)
    options = {"max_epochs": 1, "hidden_size": 2, "conv_branch": False}
    assert RNNClassifier(**options).fit(X, y).ngrams_ == 2
    assert RNNClassifier(bidirectional=False, **options).fit(X, y).module_.ngrams is None
    assert RNNClassifier(tbptt_steps=2, **options).fit(X, y).ngrams_ == 0
    numbers = [np.ones((len(x), 1)) for x in X]
    assert RNNClassifier(**options).fit(numbers, y).ngrams_ == 0
    model = RNNRegressor(**options, ngrams=2).fit(X, [np.arange(len(x)) * 1.0 for x in X])
    assert model.ngrams_ is model.module_.ngrams is None
    assert "ngrams" not in RNNSequenceTagger().get_params()


def test_what_does_not_go_together_is_refused():
    X, y = text_problem(RNNClassifier)
    with pytest.raises(ValueError, match=r"tbptt_steps=2 computes .* in pieces, and ngrams=2 .*set tbptt_steps"):
        small(RNNClassifier, tbptt_steps=2, ngrams=2).fit(X, y)
    with pytest.raises(ValueError, match=r"ngrams=1 needs tokens in X, which holds numbers alone: set ngrams=0"):
        small(RNNClassifier, ngrams=1).fit([np.ones((len(x), 1)) for x in X], y)
    model = fitted(bidirectional=False)
    with pytest.raises(ValueError, match=r"n-grams cannot go on step by step.*ngrams=0"):
        stream(model)
    with pytest.raises(ValueError, match=r"n-grams looks at whole sequences, and cannot go on from a state"):
        model.module_.advance(torch.ones(1, 2, dtype=torch.long), torch.tensor([2]))
