"""Scores of nested targets, against counting by hand and scikit-learn on the flat labels."""

import pickle
from itertools import chain

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator
from sklearn.metrics import accuracy_score, classification_report, f1_score, get_scorer, make_scorer
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate

import sklearn_rnn.metrics
from sklearn_rnn import Sequences
from sklearn_rnn.exceptions import SequenceDataError
from sklearn_rnn.metrics import (
    flat_accuracy_score,
    flat_accuracy_scorer,
    flat_classification_report,
    flat_f1_score,
    flat_f1_scorer,
    sequence_accuracy_score,
    sequence_accuracy_scorer,
    span_f1_score,
    span_f1_scorer,
    span_precision_score,
    span_precision_scorer,
    span_recall_score,
    span_recall_scorer,
)

SCORES = [flat_accuracy_score, flat_f1_score, sequence_accuracy_score, span_f1_score]
SCORERS = {
    flat_accuracy_scorer: flat_accuracy_score,
    flat_f1_scorer: flat_f1_score,
    sequence_accuracy_scorer: sequence_accuracy_score,
    span_f1_scorer: span_f1_score,
    span_precision_scorer: span_precision_score,
    span_recall_scorer: span_recall_score,
}
every_score = pytest.mark.parametrize("score", SCORES)

TAGS = ["O", "B-x", "I-x", "B-y", "I-y"]

pytestmark = [  # as a few tags may look
    pytest.mark.filterwarnings("ignore:The spans are read in the scheme"),
    pytest.mark.filterwarnings("ignore:y_true looks like tags of the scheme"),
]


@st.composite
def pairs(draw, labels=TAGS, min_steps=1):
    """True and predicted labels of the same lengths, and weights."""
    lengths = draw(st.lists(st.integers(0, 6), min_size=1, max_size=5).filter(lambda n: sum(n) >= min_steps))
    label = st.sampled_from(labels)
    true, pred = ([draw(st.lists(label, min_size=n, max_size=n)) for n in lengths] for _ in range(2))
    weight = draw(st.lists(st.integers(1, 3), min_size=len(lengths), max_size=len(lengths)))
    return true, pred, weight


def repeated(items, weight):
    return list(chain.from_iterable([item] * times for item, times in zip(items, weight, strict=True)))


def flat(items):
    return list(chain.from_iterable(items))


def spans_by_brute_force(tags):
    """Every (start, stop, label) whose tags are B- and then I- of the label, and where it could not go on."""
    found = set()
    for start in range(len(tags)):
        for stop in range(start + 1, len(tags) + 1):
            for label in "xy":
                inside = tags[start:stop] == [f"B-{label}"] + [f"I-{label}"] * (stop - start - 1)
                if inside and tags[stop : stop + 1] != [f"I-{label}"]:
                    found.add((start, stop, label))
    return found


@given(pairs())
@settings(deadline=None)
def test_span_f1_is_that_of_brute_force(pair):
    true, pred, weight = pair
    wanted, found = ([spans_by_brute_force(tags) for tags in part] for part in (true, pred))
    right, total = (
        sum(w * count(a, b) for w, a, b in zip(weight, wanted, found, strict=True))
        for count in (lambda a, b: len(a & b), lambda a, b: len(a) + len(b))
    )
    expected = 2 * right / total if total else 0.0
    assert span_f1_score(true, pred, scheme="IOB2", sample_weight=weight) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("true", "pred", "expected"),
    [
        ("B-x I-x O", "B-x I-x O", 1.0),
        ("B-x I-x O", "B-x I-x I-x", 0.0),
        ("B-x I-x", "B-y I-y", 0.0),
        ("B-x B-x", "B-x B-x", 1.0),
        ("B-x B-x", "B-x I-x", 0.0),
        ("B-x I-y", "B-x O", 1.0),  # an I of another label goes on with nothing
        ("O O", "O O", 0.0),  # there are no spans at all
        ("O I-x", "O I-x", 1.0),  # IOB1
        ("B-x E-x", "B-x E-x", 1.0),  # BIOES
        ("B-x I-x O I-y", "B-x I-x O O", 1.0),  # IOB2 with one tag that breaks it
        ("B-x-y I-x-y", "B-x-y I-x-y", 1.0),
        ("B-x O B-y", "B-x O O", 2 / 3),
        ("B I O", "B I O", 1.0),
    ],
)
def test_span_f1_of_examples(true, pred, expected):
    assert span_f1_score([true.split()], [pred.split()]) == pytest.approx(expected)


def test_a_span_does_not_go_on_in_the_next_sequence():
    assert span_f1_score([["B-x"], ["I-x"]], [["B-x"], ["O"]]) == 1.0


@pytest.mark.parametrize("strange", ["U-x", "x", "", "b-x", "BE-x", "O-x", 1])
def test_labels_that_are_no_tags_are_named(strange):
    y = [["O", "B-x", "E-x"], ["O", strange]] if isinstance(strange, str) else [[0], [strange]]
    place = r"y_true\[1\]\[1\]" if isinstance(strange, str) else r"y_true\[0\]\[0\]"
    with pytest.raises(SequenceDataError, match=f"{place} is .*no (BIOES|IOB2) tag.*use flat_"):
        span_f1_score(y, y)


@given(pairs())
@settings(deadline=None)
def test_flat_scores_are_those_of_the_flat_labels(pair):
    true, pred, weight = pair
    step_weight = np.repeat(weight, [len(part) for part in true])
    assert flat_accuracy_score(true, pred) == pytest.approx(accuracy_score(flat(true), flat(pred)))
    for options in (
        {"average": "weighted"},
        {"average": "micro"},
        {"average": None, "labels": sorted(set(flat(true)))},
    ):
        expected = f1_score(flat(true), flat(pred), sample_weight=step_weight, **options)
        assert flat_f1_score(true, pred, sample_weight=weight, **options) == pytest.approx(expected)


@every_score
@given(pair=pairs())
@settings(deadline=None, max_examples=50)
def test_a_weight_is_a_number_of_repeats(score, pair):
    true, pred, weight = pair
    expected = score(repeated(true, weight), repeated(pred, weight))
    assert score(true, pred, sample_weight=weight) == pytest.approx(expected)


@every_score
@given(pair=pairs(), order=st.randoms())
@settings(deadline=None, max_examples=50)
def test_the_order_of_the_sequences_does_not_matter(score, pair, order):
    true, pred, _ = pair
    index = list(range(len(true)))
    order.shuffle(index)
    assert score([true[i] for i in index], [pred[i] for i in index]) == pytest.approx(score(true, pred))


@every_score
@given(pair=pairs())
@settings(deadline=None, max_examples=50)
def test_ignored_steps_may_hold_anything(score, pair):
    true, pred, _ = pair
    masked = [["?" if tag == "I-y" else tag for tag in part] for part in true]
    other = [
        ["B-y" if tag == "?" else guess for tag, guess in zip(*part, strict=True)]
        for part in zip(masked, pred, strict=True)
    ]
    expected = score(masked, pred, ignore_label="?")
    np.testing.assert_equal(score(masked, other, ignore_label="?"), expected)


def test_ignored_steps_are_left_out():
    true, pred = [["A", "?", "B"], ["?"]], [["A", "B", "A"], ["A"]]
    assert flat_accuracy_score(true, pred, ignore_label="?") == 0.5
    assert flat_f1_score(true, pred, ignore_label="?", average="macro") == pytest.approx((2 / 3 + 0) / 2)
    assert sequence_accuracy_score(true, pred, ignore_label="?") == 0.5
    report = flat_classification_report(true, pred, ignore_label="?", output_dict=True, zero_division=0)
    assert {label: report[label]["support"] for label in "AB"} == {"A": 1, "B": 1}
    assert "?" not in report


def test_without_labelled_steps_there_is_no_score():
    assert np.isnan(flat_accuracy_score([["?"]], [["A"]], ignore_label="?"))
    assert np.isnan(flat_f1_score([["?"]], [["A"]], ignore_label="?"))
    with pytest.raises(SequenceDataError, match="no label to report on"):
        flat_classification_report([["?"]], [["A"]], ignore_label="?")


@given(pairs(min_steps=0))
@settings(deadline=None)
def test_sequence_accuracy_counts_sequences_that_are_right_throughout(pair):
    true, pred, weight = pair
    right = [a == b for a, b in zip(true, pred, strict=True)]
    assert sequence_accuracy_score(true, pred) == pytest.approx(np.mean(right))
    assert sequence_accuracy_score(true, pred, sample_weight=weight) == pytest.approx(np.average(right, weights=weight))


def test_report_is_that_of_the_flat_labels():
    true, pred = [["A", "B"], ["B", "C"]], [["A", "A"], ["B", "C"]]
    assert flat_classification_report(true, pred, digits=3) == classification_report(flat(true), flat(pred), digits=3)
    weighted = flat_classification_report(true, pred, sample_weight=[2, 1], labels=["A", "B"], output_dict=True)
    flat_weights = {"sample_weight": [2, 2, 1, 1], "labels": ["A", "B"], "output_dict": True}
    assert weighted == classification_report(flat(true), flat(pred), **flat_weights)


@every_score
@pytest.mark.parametrize(
    "carry",
    [
        lambda y: y,
        lambda y: np.asarray(Sequences.from_arrays([np.array(part) for part in y])),
        lambda y: pd.Series(y),
        lambda y: [np.array(part) for part in y],
        lambda y: Sequences.from_arrays([np.array(part, dtype=object) for part in y]),
        np.array,
    ],
    ids=["lists", "object array", "Series", "arrays", "container", "2-D array"],
)
def test_every_format_of_labels(score, carry):
    true, pred = [["B-x", "O"], ["O", "B-y"]], [["B-x", "O"], ["O", "O"]]
    assert score(carry(true), pred) == score(true, carry(pred)) == score(true, pred)
    assert 0 < score(true, pred) < 1


@pytest.mark.parametrize("score", SCORES[:3])
@pytest.mark.parametrize("dtype", [int, bool, np.int8])
def test_labels_may_be_integers(score, dtype):
    true, pred = [[1, 0], [0]], [[1, 1], [0]]
    as_strings = score([["b", "a"], ["a"]], [["b", "b"], ["a"]])
    assert score([np.array(part, dtype=dtype) for part in true], pred) == pytest.approx(as_strings)


@every_score
@pytest.mark.parametrize(
    ("true", "pred", "message"),
    [
        ([["O"], ["O", "O"]], [["O"], ["O"]], r"y_true\[1\] has 2 labels, y_pred\[1\] has 1$"),
        ([["O", "O"], ["O", "-"]], [["O", "O"], ["O"]], r"y_pred\[1\] has 1\. If y is padded .* trim_padding\(X"),
        ([["O"], ["O"]], [["O"]], "y_true holds 2 sequences, y_pred 1"),
        (["O"], ["O"], "y_true must hold one list of labels for each sequence"),
        ([["O"]], ["O"], "y_pred must hold one list of labels for each sequence"),
    ],
)
def test_labels_that_do_not_fit_are_named(score, true, pred, message):
    with pytest.raises(SequenceDataError, match=message):
        score(true, pred)


@every_score
@pytest.mark.parametrize(
    ("weight", "message"), [([1.0], r"expected \(2,\)"), ([1.0, -1.0], "Negative"), ([0.0, 0.0], "zero")]
)
def test_weights_are_checked(score, weight, message):
    with pytest.raises(ValueError, match=message):
        score([["O"], ["O"]], [["O"], ["O"]], sample_weight=weight)


class Parrot(BaseEstimator):
    """Predicts the words themselves, or `fixed` where it is set."""

    def __init__(self, fixed=None):
        self.fixed = fixed

    def fit(self, X, y):
        self.fitted_ = True
        return self

    def predict(self, X):
        answers = [list(words) if self.fixed is None else [self.fixed] * len(words) for words in X]
        return np.asarray(Sequences.from_arrays([np.array(tags, dtype=object) for tags in answers]))


X = [["B-x", "I-x"], ["O"], ["B-y", "O", "B-x"], ["O", "O"]] * 3
Y = [["B-x", "I-x"], ["B-x"], ["B-y", "O", "B-x"], ["O", "B-y"]] * 3


@pytest.mark.parametrize(("scorer", "score"), SCORERS.items(), ids=[score.__name__ for score in SCORERS.values()])
def test_scorers_score_predictions(scorer, score):
    assert scorer(Parrot().fit(X, Y), X, Y) == score(Y, X)
    weight = np.arange(1, 13)
    assert scorer(Parrot().fit(X, Y), X, Y, sample_weight=weight) == score(Y, X, sample_weight=weight)
    assert get_scorer(scorer) is scorer
    again = pickle.loads(pickle.dumps(scorer))
    assert again(Parrot().fit(X, Y), X, Y) == score(Y, X)


def test_scorers_in_cross_validation():
    scoring = {score.__name__: scorer for scorer, score in SCORERS.items()}
    found = cross_validate(Parrot(), X, Y, cv=3, scoring=scoring)
    for score in SCORERS.values():
        expected = [score(Y[part : part + 4], X[part : part + 4]) for part in (0, 4, 8)]
        np.testing.assert_allclose(found[f"test_{score.__name__}"], expected)


@pytest.mark.parametrize("scorer", SCORERS)
def test_scorers_in_grid_search(scorer):
    search = GridSearchCV(Parrot(), {"fixed": ["O", None, "B-x"]}, cv=3, scoring=scorer).fit(X, Y)
    assert search.best_params_ == {"fixed": None}
    assert search.score(X, Y) == SCORERS[scorer](Y, X)


def test_a_scorer_with_options():
    scorer = make_scorer(flat_f1_score, average="macro", labels=["B-x", "B-y"])
    expected = f1_score(flat(Y), flat(X), average="macro", labels=["B-x", "B-y"])
    np.testing.assert_allclose(cross_val_score(Parrot(), X, Y, cv=3, scoring=scorer), [expected] * 3)


def test_all_that_is_public_is_exported():
    assert sklearn_rnn.metrics.__all__ == sorted(sklearn_rnn.metrics.__all__)
    assert all(hasattr(sklearn_rnn.metrics, name) for name in sklearn_rnn.metrics.__all__)
