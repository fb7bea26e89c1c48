"""What comes next: probabilities against independent ones, streams, contexts, and the contract of scikit-learn."""

import itertools
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_score

from sklearn_rnn import RNNClassifier, RNNLanguageModel, Sequences, SequenceTokenizer
from sklearn_rnn.exceptions import SequenceDataError, SequenceDataWarning
from sklearn_rnn.metrics import neg_bits_per_character_scorer, neg_perplexity_scorer
from sklearn_rnn.targets.continuation import END

TEXTS = ["abcabc", "abc", "abcabcabc", "", "ab"] * 6
CELLS = ["rnn", "lstm", "gru", "mgu"]


def small(**parameters):
    return RNNLanguageModel(**{"hidden_size": 6, "max_epochs": 3, "random_state": 0, **parameters})


@pytest.fixture(scope="module")
def fitted():
    return small(max_epochs=20).fit(TEXTS)


@pytest.fixture(scope="module")
def streamed():
    return small(stream=True, tbptt_steps=7, max_epochs=10).fit("abcab" * 60)


def by_torch(model, symbols):
    """Log-probabilities (n + 1, n_indices) of what comes after each prefix of `symbols`, by torch in float64."""
    net, target = model.module_, model.target_
    index = torch.tensor([[target.end, *(target.vocabulary.get(symbol, 0) for symbol in symbols)]])
    embedded = net.inputs.embeddings[0].weight.double()[index]
    cell = model.cell_type
    layers = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}[cell]
    recurrence = layers(embedded.shape[2], model.hidden_size, len(net.backbone.layers), batch_first=True).double()
    for k, layer in enumerate(net.backbone.layers):
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            getattr(recurrence, f"{name}_l{k}").data = getattr(layer.directions[0], f"{name}_l0").detach().double()
    with torch.no_grad():
        hidden = recurrence(embedded)[0][0]
        logits = hidden @ net.head.linear.weight.double().t() + net.head.linear.bias.double()
    possible = model.target_.codes
    found = np.full(logits.shape, -np.inf)
    found[:, possible] = torch.log_softmax(logits[:, possible], 1).numpy()
    return found


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("num_layers", [1, 2])
def test_probabilities_are_those_of_torch(cell, num_layers):
    model = small(cell_type=cell, num_layers=num_layers).fit(TEXTS)
    wanted = by_torch(model, "abcb")
    np.testing.assert_allclose(np.log(model.predict_proba(["abcb"]))[0], wanted[-1, model.target_.codes], atol=2e-5)
    codes = [model.target_.vocabulary[symbol] for symbol in "abcb"] + [model.target_.end]
    np.testing.assert_allclose(model.score_steps(["abcb"])[0], wanted[np.arange(5), codes], atol=2e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_probabilities_of_all_documents_sum_to_one(cell):
    model = small(cell_type=cell, dtype="float64", max_epochs=10).fit(["ab", "a", "", "bba", "b"] * 8)
    texts = ["".join(text) for n in range(7) for text in itertools.product("ab", repeat=n)]
    total = np.exp(model.score_samples(texts)).sum()
    longest = ["".join(text) for text in itertools.product("ab", repeat=6)]
    steps = model.score_steps(longest)
    longer = sum(np.exp(found[:-1].sum()) * -np.expm1(found[-1]) for found in steps)
    assert total + longer == pytest.approx(1, abs=1e-6)
    assert longer > 1e-4


def test_scores_are_sums_and_means_of_steps(fitted):
    texts = ["abc", "", "ba"]
    steps = fitted.score_steps(texts)
    assert [len(found) for found in steps] == [4, 1, 3]
    np.testing.assert_allclose(fitted.score_samples(texts), [found.sum() for found in steps])
    mean = np.concatenate(list(steps)).mean()
    assert fitted.score(texts) == pytest.approx(mean)
    assert fitted.perplexity(texts) == pytest.approx(np.exp(-mean))
    assert fitted.bits_per_character(texts) == pytest.approx(-np.concatenate(list(steps)).sum() / np.log(2) / 5)
    assert neg_perplexity_scorer(fitted, texts) == -fitted.perplexity(texts)
    assert neg_bits_per_character_scorer(fitted, texts) == -fitted.bits_per_character(texts)
    weight = [2, 0, 1]
    wanted = np.average(np.concatenate(list(steps)), weights=np.repeat(weight, [4, 1, 3]))
    assert fitted.score(texts, sample_weight=weight) == pytest.approx(wanted)


def test_what_was_learned_is_what_comes_next():
    model = small(hidden_size=16, max_epochs=100, learning_rate=0.01).fit(["abcabcabcabc"] * 20)
    assert model.predict(["", "ab", "abcab"]).tolist() == ["a", "c", "c"]
    assert model.predict_proba(["abcab"])[0, 2] > 0.99
    assert model.classes_.tolist() == ["a", "b", "c", END]
    assert model.score(["abcabcabcabc"]) > model.score(["acbacbacb"]) + 1


@settings(max_examples=25, deadline=None)
@given(texts=st.lists(st.text("abc", max_size=9), min_size=1, max_size=6))
def test_neither_company_nor_order_matters(fitted, texts):
    found = fitted.score_samples(texts)
    alone = [fitted.score_samples([text])[0] for text in texts]
    np.testing.assert_allclose(found, alone, rtol=0, atol=1e-12)
    np.testing.assert_allclose(fitted.score_samples(texts[::-1])[::-1], found, rtol=0, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, 40), max_size=5))
def test_a_stream_is_as_likely_however_it_is_cut(streamed, cuts):
    text = "abcab" * 8
    bounds = [0, *sorted(cuts), 40]
    pieces = [text[begin:end] for begin, end in itertools.pairwise(bounds)]
    steps = streamed.score_steps(pieces)
    assert [len(found) for found in steps] == [len(piece) for piece in pieces]
    np.testing.assert_allclose(np.concatenate(list(steps)), streamed.score_steps(text)[0], rtol=0, atol=1e-12)
    np.testing.assert_allclose(streamed.score_samples(pieces).sum(), streamed.score_samples(text)[0])
    assert streamed.predict_proba(pieces)[-1] == pytest.approx(streamed.predict_proba([text])[0], abs=1e-12)


def test_long_sequences_go_on_piece_by_piece(fitted, monkeypatch):
    texts = ["abc" * 30, "ab", "", "c" * 41]
    whole, states = fitted.score_steps(texts), fitted.transform(texts)
    monkeypatch.setattr("sklearn_rnn.training.inference.PIECE", 7)
    for found, wanted in zip(fitted.score_steps(texts), whole, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)
    np.testing.assert_allclose(fitted.transform(texts), states, rtol=0, atol=1e-12)


def test_states_after_steps(fitted):
    states = fitted.transform_steps(["abc", ""])
    assert [part.shape for part in states] == [(3, 6), (0, 6)]
    np.testing.assert_allclose(states[0], [fitted.transform([text])[0] for text in ("a", "ab", "abc")], atol=1e-12)


def test_a_stream_is_trained_in_lanes_whose_state_goes_on():
    model = small(stream=True, tbptt_steps=5, batch_size=4, max_epochs=1).fit("abcab" * 40)
    assert model.target_.n_parts(np.array([200]))[0] == 40
    assert len(model.history_) == 1
    assert model.history_[0]["train_batch_count"] == 10
    assert model.loss_curve_[0] == pytest.approx(np.log(3), abs=0.3)


def test_a_label_is_a_context():
    texts, labels = ["ababab", "cdcdcd"] * 15, ["x", "z"] * 15
    model = small(hidden_size=12, max_epochs=40).fit(texts, labels)
    assert model.predict(["", ""], ["x", "z"]).tolist() == ["a", "c"]
    assert model.score(["abab"], ["x"]) > model.score(["abab"], ["z"]) + 0.1


def test_a_vector_is_a_context():
    texts = ["ababab", "cdcdcd"] * 15
    vectors = np.array([[0.0, 1.0], [1.0, 5.0]] * 15)
    model = small(hidden_size=12, max_epochs=60, learning_rate=0.01).fit(texts, vectors)
    assert model.predict(["", ""], vectors[:2]).tolist() == ["a", "c"]


def test_weights_are_repetitions():
    texts, weight = ["ab", "ba", "abab"], [3, 1, 2]
    repeated = [text for text, times in zip(texts, weight, strict=True) for _ in range(times)]
    one = small().fit(texts, sample_weight=weight)
    two = small().fit(repeated)
    np.testing.assert_array_equal(one.predict_proba(texts), two.predict_proba(texts))


def test_unknown_symbols_are_scored_and_named(fitted):
    with pytest.warns(SequenceDataWarning, match="1 of 4 symbols of X are not in the vocabulary"):
        scores = fitted.score_samples(["abx"])
    assert np.isfinite(scores).all()
    knowing = small(min_df=2).fit([*TEXTS, "xab"])
    assert knowing.classes_[0] == "<unk>"
    with pytest.warns(SequenceDataWarning, match="scored as unknown"):
        assert knowing.score_samples(["yab"])[0] > scores[0]
    assert "<unk>" not in knowing.predict(["", "a", "x"])


def test_pretrained_vectors_are_those_of_symbols():
    vectors = {"a": [1.0, 0.0], "b": [0.0, 1.0]}
    model = small(pretrained_embeddings=vectors, freeze_embeddings=True).fit(["abab", "ba", "abc"] * 5)
    weight = model.module_.inputs.token_embedding.weight
    assert weight[1:3].tolist() == list(vectors.values())
    assert model.embedding_coverage_ == pytest.approx(2 / 3)
    assert len(weight) == 5  # the unknown symbol, three symbols and the begin


def test_words_ids_and_tokens():
    words = small(tokenizer="word").fit(["The cat sat.", "A dog ran!"] * 5)
    assert set(words.classes_) == {"!", ".", "a", "cat", "dog", "ran", "sat", "the", END}
    given = small(tokenizer=SequenceTokenizer(analyzer="whitespace")).fit(["x y", "y z"] * 5)
    assert set(given.classes_) == {"x", "y", "z", END}
    ids = small(output="symbols").fit([[1, 2, 3], [3, 2]] * 5)
    assert ids.classes_.tolist() == [1, 2, 3, END]
    tokens = small().fit([["b", "a"], ["a"]] * 5)
    assert tokens.predict_proba([["b"], []]).shape == (2, 3)
    spaced = tokens.bits_per_character([["b", "a"]])
    assert spaced == pytest.approx(-tokens.score_samples([["b", "a"]])[0] / np.log(2) / 2)


def test_scikit_learn_needs_no_y():
    search = GridSearchCV(small(), {"hidden_size": [3, 5]}, cv=3).fit(TEXTS)
    assert search.best_score_ == pytest.approx(search.cv_results_["mean_test_score"].max())
    assert len(cross_val_score(small(max_epochs=1), TEXTS, cv=3, scoring=neg_perplexity_scorer)) == 3
    pieces = ["abcab" * 4 for _ in range(12)]
    assert np.isfinite(cross_val_score(small(stream=True, tbptt_steps=5), pieces, cv=TimeSeriesSplit(3))).all()
    assert clone(small(stream=True)).get_params() == small(stream=True).get_params()


def test_a_copy_and_a_second_fit(fitted):
    copy = pickle.loads(pickle.dumps(fitted))
    assert copy.score(TEXTS) == fitted.score(TEXTS)
    again = small(max_epochs=20).fit(TEXTS)
    np.testing.assert_array_equal(again.score_samples(TEXTS), fitted.score_samples(TEXTS))
    going_on = small(warm_start=True).fit(TEXTS)
    before = going_on.loss_curve_[0]
    assert going_on.fit(TEXTS).loss_curve_[0] < before
    assert going_on.partial_fit(TEXTS).n_iter_ == 1


def test_early_stopping_looks_at_the_likelihood():
    model = small(early_stopping=True, max_epochs=4).fit(["abc"[: n % 4] * n + "a" for n in range(30)])
    assert len(model.validation_scores_) == 4
    val = ["abc", "ab"]
    shown = small(max_epochs=3).fit(TEXTS, X_val=val)
    assert shown.validation_scores_[-1] == pytest.approx(shown.score(val), abs=1e-5)
    stream = small(stream=True, tbptt_steps=5, early_stopping=True, max_epochs=3, validation_fraction=0.2)
    stream.fit("abcab" * 40)
    assert max(stream.validation_scores_) == pytest.approx(stream.score("abcab" * 8), abs=1e-5)


def test_a_classifier_goes_on_from_it(fitted):
    X = [list(text) for text in ("abc", "cba", "abca", "cb") * 4]
    classifier = RNNClassifier(pretrained=fitted, bidirectional=False, max_epochs=1, random_state=0)
    classifier.fit(X, [0, 1] * 8)
    assert classifier.vocabulary_ == fitted.vocabulary_
    assert classifier.net_.module__spec.backbone.hidden_sizes == (6,)


def test_containers_are_read(fitted):
    tokens = Sequences(np.array(list("abcab"), dtype=object), [0, 3, 5])
    np.testing.assert_allclose(fitted.score_samples(tokens), fitted.score_samples(["abc", "ab"]))


@pytest.mark.parametrize(
    ("fit", "message"),
    [
        (lambda: small().fit([]), "0 sample|empty|at least"),
        (lambda: small().fit(["", ""]), "empty"),
        (lambda: small(stream=True).fit("aaaa"), "1 distinct symbol"),
        (lambda: small(tokenizer=None).fit(["ab"]), "tokenizer=None"),
        (lambda: small(output="binary").fit(["ab"]), "output='binary'"),
        (lambda: small().fit("abc"), "list of documents|string object"),
        (lambda: small(stream=True).fit(["ab", "ab"], ["x", "y"]), "stream=True"),
        (lambda: small().fit({"a": [["x"]], "b": [["y"]]}), "several inputs"),
        (lambda: RNNLanguageModel(bidirectional=True), "bidirectional"),
    ],
)
def test_what_cannot_be_fitted(fit, message):
    with pytest.raises((ValueError, TypeError), match=message):
        fit()


def test_contexts_that_do_not_fit(fitted):
    with pytest.raises(ValueError, match="fitted with no context"):
        fitted.predict(["a"], ["x"])
    model = small(max_epochs=1).fit(TEXTS, ["x", "y"] * 15)
    with pytest.raises(ValueError, match="fitted with a context"):
        model.predict(["a"])
    with pytest.raises(SequenceDataError, match="'q', which was not there in fit"):
        model.predict(["a"], ["q"])
    with pytest.raises(SequenceDataError, match="holds vectors of 1"):
        model.predict(["a"], [[0.5]])
