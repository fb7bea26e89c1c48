"""Scores of sequences whose lengths are their own, against definitions."""

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_rnn import RNNEncoderDecoder
from sklearn_rnn.exceptions import SequenceDataError
from sklearn_rnn.metrics import (
    bleu_score,
    chrf_score,
    exact_match_score,
    neg_symbol_error_rate_scorer,
    symbol_error_rate,
    word_error_rate,
)
from sklearn_rnn.metrics._transduction import edit_distance

TEXTS = st.text("abc", max_size=6)


def distance(one, two):
    """The recursion that defines the distance of Levenshtein."""

    @functools.cache
    def of(i, j):
        if i == 0 or j == 0:
            return i + j
        return min(of(i - 1, j) + 1, of(i, j - 1) + 1, of(i - 1, j - 1) + (one[i - 1] != two[j - 1]))

    return of(len(one), len(two))


@settings(deadline=None, max_examples=100)
@given(TEXTS, TEXTS)
def test_edits_are_those_of_the_recursion(one, two):
    assert edit_distance(one, two) == distance(one, two) == edit_distance(list(two), list(one))


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(TEXTS, TEXTS, st.integers(0, 3)), min_size=1, max_size=5))
def test_a_weight_is_a_repetition(rows):
    true, predicted, weight = zip(*rows, strict=True)
    if not sum(weight):
        return
    again = [np.repeat(np.array(texts, dtype=object), weight).tolist() for texts in (true, predicted)]
    for score in (exact_match_score, symbol_error_rate):
        assert score(true, predicted, sample_weight=weight) == pytest.approx(score(*again))


def test_rates_count_symbols_of_what_is_right():
    assert symbol_error_rate([["k", "a", "t"], ["o"]], [["k", "a"], ["o", "o", "o"]]) == 3 / 4
    assert word_error_rate(["the cat sat", "a"], ["the cat", "a"]) == 1 / 4
    assert exact_match_score([["a"], ["b"]], [("a",), np.array(["c"])]) == 0.5
    assert symbol_error_rate(["", ""], ["", ""]) == 0
    assert symbol_error_rate([""], ["a"]) == 1


def test_as_many_predictions_are_wanted():
    with pytest.raises(SequenceDataError, match="y_true has 2 sequences, y_pred 1"):
        exact_match_score(["a", "b"], ["a"])


@pytest.mark.filterwarnings("ignore:.*cut off")
def test_a_scorer_turns_an_error_rate_around():
    X = ["ab", "ba"] * 4
    model = RNNEncoderDecoder(hidden_size=4, max_epochs=1, max_new_tokens=3, random_state=0).fit(X, X)
    assert neg_symbol_error_rate_scorer(model, X, X) == -symbol_error_rate(X, model.predict(X))


@pytest.mark.parametrize("score", [bleu_score, chrf_score])
def test_scores_of_translations_are_those_of_sacrebleu(score):
    sacrebleu = pytest.importorskip("sacrebleu")
    true, predicted = ["the cat sat on the mat", "a dog"], ["the cat sat on a mat", "a dog"]
    name = {bleu_score: "corpus_bleu", chrf_score: "corpus_chrf"}[score]
    assert score(true, predicted) == getattr(sacrebleu, name)(predicted, [true]).score
    assert score([text.split() for text in true], predicted) == score(true, predicted)


def test_without_sacrebleu_an_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sacrebleu", None)
    with pytest.raises(ImportError, match=r'pip install "sklearn-rnn\[text\]"'):
        bleu_score(["a"], ["a"])
