"""Sequences into sequences: probabilities that sum to 1, searches that find what there is, and fits of a multiset."""

import copy
import itertools
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from transducing import PLACES

from sklearn_rnn import PerStep, RNNEncoderDecoder
from sklearn_rnn.metrics import exact_match_scorer

pytestmark = pytest.mark.filterwarnings("ignore:.*predictions were cut off")

X = ["ab", "bad", "c", "dcb", "aab", "dd", "cab", "b"] * 3
FOUR = ["ab", "", "c", "db", "abb", "d", "cb", "da"] * 3
PAIRS = st.tuples(st.text("abcd", min_size=1, max_size=9), st.text("abcd", max_size=5))
TWO = ["ab", "", "a", "bb", "abb", "b", "b", "a"] * 3


def small(**parameters):
    defaults = {"hidden_size": 5, "embedding_dim": 4, "max_epochs": 2, "batch_size": 8, "dropout": 0, "random_state": 0}
    return RNNEncoderDecoder(**{**defaults, **parameters})


@pytest.fixture(scope="module")
def four():
    """A model of 4 symbols, which is sure of some of them."""
    return sharpened(small(max_new_tokens=4).fit(X, FOUR), 4.0)


@pytest.fixture(scope="module")
def two():
    return sharpened(small().fit(X, TWO), 2.0)


def sharpened(model, times):
    """The model with greater logits, but for the bias."""
    with torch.no_grad():
        model.module_.head.output.linear.weight.mul_(times)
    return model


def step_log_probabilities(model, source, targets):
    """The log-probability of each symbol after each prefix of targets (n, length + 1, n_classes): one pass by hand."""
    vocabulary = {symbol: code for code, symbol in enumerate(["", *model.target_classes_])}
    read = torch.tensor([[vocabulary[symbol] for symbol in ("</s>", *target)] for target in targets])
    tokens = torch.tensor([[model.vocabulary_[token] for token in source]] * len(targets))
    lengths = [torch.tensor([part.shape[1]] * len(targets)) for part in (tokens, read)]
    network = copy.deepcopy(model.module_).double().eval()
    with torch.no_grad():
        return network(tokens, lengths[0], read, lengths[1])[:, :, 1:].log_softmax(2).numpy()


def all_targets(model, source, longest):
    """The log-probability of each target that ends within `longest` steps or is cut off there, and its steps."""
    symbols = model.target_classes_.tolist()
    found = {}
    for n in range(longest + 1):
        targets = list(itertools.product(symbols[:-1], repeat=n))
        for target, steps in zip(targets, step_log_probabilities(model, source, targets), strict=True):
            total = sum(steps[t, symbols.index(symbol)] for t, symbol in enumerate(target))
            found["".join(target)] = float(total + (steps[n, -1] if n < longest else 0)), n + (n < longest)
    return found


def test_probabilities_of_all_targets_and_the_mass_of_the_longer_ones_sum_to_one(two):
    assert two.target_classes_.tolist() == ["a", "b", "</s>"]
    found = all_targets(two, "bad", 5)
    ended = [target for target in found if len(target) < 5]
    given = two.predict_log_proba_of(["bad"] * len(ended), ended)
    np.testing.assert_allclose(given, [found[target][0] for target in ended], rtol=0, atol=1e-6)
    longer = np.exp([total for target, (total, _) in found.items() if len(target) == 5]).sum()
    assert 0.001 < longer < 0.9
    assert np.exp(given).sum() + longer == pytest.approx(1, abs=1e-6)
    np.testing.assert_array_equal(two.score_samples(["bad"] * len(ended), ended), given)


@pytest.mark.parametrize("penalty", [0.0, 1.0, 2.5])
def test_beams_find_the_best_of_all_targets(four, penalty):
    model = clone_fitted(four, num_beams=341, length_penalty=penalty)
    for source in ("bad", "c"):
        found = all_targets(four, source, 4)
        wanted = sorted(found, key=lambda target: -found[target][0] / found[target][1] ** penalty)
        candidates = model.predict_nbest([source], 341)[0]
        assert len(candidates) == len(found) == 341
        assert [target for target, _ in candidates[:60]] == wanted[:60]
        np.testing.assert_allclose(
            [score for _, score in candidates], [found[target][0] for target, _ in candidates], rtol=0, atol=1e-5
        )
        assert model.predict([source]).tolist() == wanted[:1]


def clone_fitted(model, **parameters):
    """A copy with other parameters of decoding."""
    return pickle.loads(pickle.dumps(model)).set_params(**parameters)


def test_without_beams_the_best_symbol_is_taken_each_time(four):
    for source in ("bad", "dcb", "aab"):
        target = ""
        while len(target) < 4:
            symbol = four.target_classes_[step_log_probabilities(four, source, [target])[0, -1].argmax()]
            if symbol == "</s>":
                break
            target += symbol
        assert four.predict([source]).tolist() == [target]


def test_few_beams_lie_between_the_best_symbol_and_the_best_target(four):
    sources = sorted(set(X))
    by_beams = [
        [own[0][1] / (len(own[0][0]) + 1) for own in clone_fitted(four, num_beams=n).predict_nbest(sources, 1)]
        for n in (2, 341)
    ]
    assert np.all(np.array(by_beams[0]) <= np.array(by_beams[1]) + 0.3)
    n_best = clone_fitted(four, num_beams=3).predict_nbest(sources, 2)
    assert [own[0] for own in n_best] == [own[0] for own in clone_fitted(four, num_beams=3).predict_nbest(sources, 1)]


@settings(deadline=None, max_examples=15)
@given(
    rows=st.lists(PAIRS, min_size=2, max_size=9),
    num_beams=st.sampled_from([1, 3]),
    data=st.data(),
)
def test_nothing_depends_on_the_company(four, rows, num_beams, data):
    model = clone_fitted(four, num_beams=num_beams, max_new_tokens=None)
    sources, targets = map(list, zip(*rows, strict=True))
    order = data.draw(st.permutations(range(len(rows))))[: len(rows) - 1]
    moved, moved_targets = [sources[i] for i in order], [targets[i] for i in order]
    assert model.predict(moved).tolist() == model.predict(sources)[order].tolist()
    together, alone = model.score_samples(sources, targets), model.score_samples(moved, moved_targets)
    np.testing.assert_allclose(alone, together[order], rtol=0, atol=1e-9)
    weights = model.attention_weights(sources, targets)
    for i, row in zip(order, model.attention_weights(moved, moved_targets), strict=True):
        assert row.shape == (len(targets[i]) + 1, len(sources[i]))
        np.testing.assert_allclose(row, weights[i], rtol=0, atol=1e-9)
        np.testing.assert_allclose(row.sum(1), 1)
    np.testing.assert_allclose(model.transform(moved), model.transform(sources)[order], rtol=0, atol=1e-7)
    first = model.sample(sources, random_state=3)[: len(rows) - 1]
    assert model.sample(sources[:-1], random_state=3).tolist() == first.tolist()


def test_more_sources_than_are_decoded_at_a_time(four, rng):
    sources = ["".join(rng.choice(list("abcd"), n)) for n in rng.integers(1, 60, 250)]
    model = clone_fitted(four, num_beams=4, max_new_tokens=None)
    found = model.predict(sources)
    rows = rng.permutation(250)[:12]
    assert found[rows].tolist() == [model.predict([sources[i]])[0] for i in rows]


def test_targets_are_drawn_as_often_as_they_are_probable(two):
    model = clone_fitted(two, max_new_tokens=2)
    expected = {target: np.exp(total) for target, (total, _) in all_targets(two, "bad", 2).items()}
    drawn = model.sample(["bad"], 2000, random_state=0)
    assert drawn.shape == (1, 2000)
    counts = [np.count_nonzero(drawn[0] == target) for target in expected]
    assert chisquare(counts, 2000 * np.array(list(expected.values()))).pvalue > 0.01
    assert set(model.sample(["bad"], 20, temperature=0)[0]) == {model.predict(["bad"])[0]}


@pytest.mark.parametrize(("attention", "attend"), PLACES)
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_each_attention_is_learned_and_kept(attention, attend, cell):
    parameters = {
        "bidirectional": attention != "additive",
        "decoder_hidden_size": 7 if attention == "general" else None,
    }
    model = small(cell_type=cell, attention=attention, attend=attend, num_beams=2, **parameters).fit(X, FOUR)
    again = pickle.loads(pickle.dumps(model))
    assert again.predict(X).tolist() == model.predict(X).tolist()
    np.testing.assert_array_equal(again.score_samples(X, FOUR), model.score_samples(X, FOUR))
    assert model.loss_curve_[-1] < model.loss_curve_[0]


def test_it_learns_to_copy_with_parameters_shared_or_not(rng):
    sources = ["".join(rng.choice(list("abcd"), n)) for n in rng.integers(1, 5, 300)]
    for parameters in ({"share_embeddings": True, "tie_weights": True}, {"scheduled_sampling": 0.3}):
        model = small(hidden_size=24, embedding_dim=12, max_epochs=11, batch_size=16, learning_rate=0.01, **parameters)
        assert model.fit(sources[:250], sources[:250]).score(sources[250:], sources[250:]) > 0.7, parameters
    shared = small(share_embeddings=True).fit(["ab", "b"] * 6, ["cb", "a"] * 6)
    vectors = shared.module_.head.inputs.token_embedding.weight
    assert vectors is shared.module_.inputs.token_embedding.weight
    assert shared.target_classes_.tolist() == ["a", "b", "c", "</s>"]


def test_a_weight_is_a_repetition_and_the_order_does_not_matter(rng):
    weight = rng.integers(0, 3, len(X))
    rows = np.repeat(np.arange(len(X)), weight)
    one = small().fit(X, FOUR, sample_weight=weight)
    shuffled = rng.permutation(rows)
    two = small().fit([X[i] for i in shuffled], [FOUR[i] for i in shuffled])
    np.testing.assert_array_equal(one.score_samples(X, FOUR), two.score_samples(X, FOUR))
    again = [[values[i] for i in rows] for values in (X, FOUR)]
    assert one.score(X, FOUR, sample_weight=weight) == pytest.approx(one.score(*again))


def test_kinds_of_scores():
    model = small(max_epochs=1, max_new_tokens=3).fit(X, FOUR)
    found = model.predict(X)
    assert model.score(X, FOUR) == np.mean(found == np.array(FOUR, dtype=object))
    edits = model.set_params(scoring="symbol_error_rate").score(X, FOUR)
    assert -5 < edits < 0
    with pytest.raises(ValueError, match=r"scoring='bleu' .* has no sample_weight"):
        model.set_params(scoring="bleu").score(X, FOUR, sample_weight=np.ones(len(X)))
    pytest.importorskip("sacrebleu")
    assert 0 <= model.score(X, FOUR) <= 100


def test_words_are_scored_as_symbols_whatever_stands_between_them():
    X, y = ["one two", "two", "one"] * 5, ["Ein, zwei", "zwei", "ein"] * 5
    model = small(hidden_size=16, max_epochs=40, learning_rate=0.02, tokenizer="word", target_tokenizer="word").fit(
        X, y
    )
    assert model.predict(["two"])[0] == "zwei"
    assert model.score(X, y) == 1.0
    assert isinstance(model.predict(X)[0], str)


def test_an_unknown_symbol_is_the_token_that_is_looked_at_most(rng):
    names = ["".join(rng.choice(list("klmnop"), 4)) for _ in range(120)]
    X = [["my", "name", "is", name] if i % 2 else ["i", "am", name] for i, name in enumerate(names)]
    y = [["Name", ":", name] for name in names]
    model = small(hidden_size=12, max_epochs=8, min_df=3, learning_rate=0.02, replace_unknown=True).fit(X, y)
    assert model.target_classes_.tolist() == ["<unk>", ":", "Name", "</s>"]
    assert {len(target) for target in model.predict(X)} == {3}
    for num_beams in (1, 3):
        found = model.set_params(num_beams=num_beams).predict(X[:6])
        for source, target, weights in zip(X, found, model.attention_weights(X[:6], y[:6]), strict=False):
            assert target == ["Name", ":", source[weights[2].argmax()]]
    model.set_params(replace_unknown=False, num_beams=1)
    assert set().union(*model.predict(X)) <= {"Name", ":"}


@pytest.mark.parametrize("kind", ["frames", "numbers"])
def test_numbers_are_targets_too(kind, rng):
    y = [rng.random((n, 2)) for n in rng.integers(0, 4, len(X))]
    y = [np.round(steps) for steps in y] if kind == "frames" else y
    model = small(max_epochs=3).fit(X, y)
    assert all(steps.shape[1] == 2 for steps in model.predict(X))
    n_steps = np.array([len(steps) + 1 for steps in y])
    found = model.score_samples(X, y)
    assert model.score(X, y) == pytest.approx(found.sum() / n_steps.sum())
    np.testing.assert_allclose(model.score_samples(X[:3], y[:3]), found[:3], rtol=0, atol=1e-6)
    drawn = model.sample(X[:4], 2, random_state=1)
    assert drawn.shape == (4, 2)
    np.testing.assert_array_equal(model.sample(X[:1], 2, random_state=1)[0, 1], drawn[0, 1])
    assert model.attention_weights(X[:2], y[:2])[0].shape == (len(y[0]) + 1, len(X[0]))


@pytest.mark.parametrize("as_frame", [False, True])
def test_a_vector_is_a_source(as_frame, rng):
    labels = rng.integers(0, 2, 60)
    vectors = np.column_stack([labels, rng.random((60, 2))])
    vectors = pd.DataFrame(vectors, columns=list("abc")) if as_frame else vectors
    y = np.array(["no", "yes"], dtype=object)[labels]
    model = small(attention=None, hidden_size=12, max_epochs=25, learning_rate=0.02).fit(vectors, y)
    assert model.score(vectors, y) == 1.0
    assert model.transform(vectors).shape[0] == 60


def test_the_template_of_all_estimators():
    model = small(early_stopping=True, validation_fraction=0.3).fit(X, FOUR)
    assert len(model.validation_scores_) == model.n_iter_
    held_out = small().fit(X, FOUR, X_val=X[:8], y_val=FOUR[:8])
    last = held_out.score_samples(X[:8], FOUR[:8]).sum() / sum(len(y) + 1 for y in FOUR[:8])
    assert held_out.validation_scores_[-1] == pytest.approx(last, abs=1e-5)
    by_groups = small(early_stopping=True, validation_fraction=0.3).fit(X, FOUR, groups=np.arange(len(X)) % 8)
    assert by_groups.n_iter_ >= 1
    going_on = small().partial_fit(X, FOUR).partial_fit(X, FOUR)
    assert going_on.n_iter_ == 1
    warm = small(warm_start=True).fit(X, FOUR)
    before = warm.loss_curve_[-1]
    assert warm.fit(X, FOUR).loss_curve_[0] < before
    assert clone(model).get_params() == model.get_params()


def test_searches_and_pipelines():
    search = GridSearchCV(small(), {"num_beams": [1, 2], "attention": ["dot", "additive"]}, cv=2)
    assert search.fit(X, FOUR).best_params_.keys() == {"num_beams", "attention"}
    scores = cross_val_score(small(), X, FOUR, groups=np.arange(24) % 3, cv=GroupKFold(3), scoring=exact_match_scorer)
    assert scores.shape == (3,)
    numbers = [np.random.default_rng(len(x)).random((len(x), 2)) for x in X]
    pipeline = make_pipeline(PerStep(StandardScaler()), small()).fit(numbers, FOUR)
    assert len(pipeline.predict(numbers)) == len(X)
