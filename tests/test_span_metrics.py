"""Scores of spans, against the counting of the CoNLL script, scikit-learn and seqeval."""

import warnings
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.metrics import classification_report, make_scorer, precision_recall_fscore_support
from sklearn.model_selection import GridSearchCV, cross_validate

from sklearn_rnn import RNNSequenceTagger, Sequences
from sklearn_rnn.data.formats import object_array
from sklearn_rnn.data.tag_schemes import convert_tags
from sklearn_rnn.exceptions import SequenceDataError
from sklearn_rnn.metrics import (
    span_classification_report,
    span_confusion,
    span_f1_score,
    span_f1_scorer,
    span_precision_recall_fscore,
    span_precision_score,
    span_precision_scorer,
    span_recall_score,
    span_recall_scorer,
)

PREFIXES = {"IOB1": "BI", "IOB2": "BI", "BIOES": "BIES", "BILOU": "BILU"}
every_scheme = pytest.mark.parametrize("scheme", PREFIXES)
AVERAGES = ["micro", "macro", "weighted", None]

other_scheme = pytest.mark.filterwarnings("ignore:The spans are read in the scheme")  # as a few tags may look


@st.composite
def pairs(draw, prefixes="BI", longest=8):
    """True and predicted tags of the same lengths, of which any may follow any, and weights."""
    lengths = draw(st.lists(st.integers(0, longest), min_size=1, max_size=5))
    tag = st.sampled_from(["O", *(f"{prefix}-{label}" for prefix in prefixes for label in ("x", "y", "x-y"))])
    true, pred = ([draw(st.lists(tag, min_size=n, max_size=n)) for n in lengths] for _ in range(2))
    return true, pred, draw(st.lists(st.integers(1, 3), min_size=len(lengths), max_size=len(lengths)))


def conlleval_counts(true, pred):
    """Right, true and predicted chunks of each label, counted as the script does: one pass, and a flag for a chunk that
    began in both and has gone on alike since."""
    right, wanted, guessed = Counter(), Counter(), Counter()
    for true_tags, pred_tags in zip(true, pred, strict=True):
        in_correct, before = None, [("O", "O"), ("O", "O")]
        for pair in [*zip(true_tags, pred_tags, strict=True), ("O", "O")]:
            now = [(tag[0], tag[2:]) for tag in pair]
            (ended, started), (guess_ended, guess_started) = (
                (chunk_ends(a, b), chunk_starts(a, b)) for a, b in zip(before, now, strict=True)
            )
            if in_correct is not None:
                if ended and guess_ended:
                    right[in_correct] += 1
                if ended or guess_ended or now[0][1] != now[1][1]:
                    in_correct = None
            if started and guess_started and now[0][1] == now[1][1]:
                in_correct = now[0][1]
            wanted.update([now[0][1]] if started else [])
            guessed.update([now[1][1]] if guess_started else [])
            before = now
    return right, wanted, guessed


def chunk_starts(before, now):
    (prefix, label), (letter, kind) = before, now
    return letter != "O" and (letter in "BS" or prefix in "OES" or kind != label)


def chunk_ends(before, now):
    (prefix, label), (letter, kind) = before, now
    return prefix != "O" and (prefix in "ES" or letter in "BSO" or kind != label)


@given(pairs(prefixes="BIES"))
@settings(deadline=None)
def test_lenient_scores_are_those_of_the_reference_script(pair):
    true, pred, _ = pair
    right, wanted, guessed = conlleval_counts(true, pred)
    labels = sorted(wanted | guessed)
    found = span_precision_recall_fscore(true, pred, mode="conlleval", average=None)
    assert list(found.support) == [wanted[label] for label in labels]
    expected = [right[label] / guessed[label] if guessed[label] else 0 for label in labels]
    assert_allclose(found.precision, expected)
    expected = [right[label] / wanted[label] if wanted[label] else 0 for label in labels]
    assert_allclose(found.recall, expected)
    total = wanted.total() + guessed.total()
    assert span_f1_score(true, pred, mode="conlleval") == pytest.approx(2 * right.total() / total if total else 0)


@other_scheme
@every_scheme
@pytest.mark.parametrize("mode", ["strict", "conlleval"])
@given(data=st.data(), zero_division=st.sampled_from([0, 1]))
@settings(deadline=None, max_examples=60)
def test_scores_are_those_of_seqeval(scheme, mode, data, zero_division):
    seqeval = pytest.importorskip("seqeval.metrics")
    schemes = pytest.importorskip("seqeval.scheme")
    true, pred, _ = data.draw(pairs(prefixes=PREFIXES[scheme]))
    options = {"mode": "strict", "scheme": getattr(schemes, scheme.replace("BIOES", "IOBES"))}
    theirs = [true, pred]
    if mode == "conlleval":  # seqeval's default, which does not know the letters of BILOU
        letters = str.maketrans("LU", "ES")
        options = {}
        theirs = [[[tag.translate(letters) for tag in tags] for tags in part] for part in theirs]
    for average in AVERAGES:
        found = span_precision_recall_fscore(
            true, pred, scheme=scheme, mode=mode, average=average, zero_division=zero_division
        )
        with warnings.catch_warnings(action="ignore"):
            scores = (seqeval.precision_score, seqeval.recall_score, seqeval.f1_score)
            expected = [score(*theirs, average=average, zero_division=zero_division, **options) for score in scores]
        if average is not None and np.isnan(expected[0]):  # seqeval's mean over no labels at all
            assert found[:3] == (zero_division,) * 3
            continue
        assert_allclose(found[0], expected[0], atol=1e-15)
        assert_allclose(found[1], expected[1], atol=1e-15)
        assert_allclose(found[2], expected[2], atol=1e-15)


@every_scheme
@pytest.mark.parametrize("mode", ["strict", "conlleval"])
def test_the_report_is_that_of_seqeval(scheme, mode):
    seqeval = pytest.importorskip("seqeval.metrics")
    schemes = pytest.importorskip("seqeval.scheme")
    true, pred = converted(scheme)
    if mode == "conlleval":
        options, letters = {}, str.maketrans("LU", "ES")
        theirs = [[[tag.translate(letters) for tag in tags] for tags in part] for part in (true, pred)]
    else:
        options, theirs = {"scheme": getattr(schemes, scheme.replace("BIOES", "IOBES")), "mode": "strict"}, (true, pred)
    expected = seqeval.classification_report(*theirs, digits=4, **options)
    assert span_classification_report(true, pred, mode=mode, digits=4) == expected
    expected = seqeval.classification_report(*theirs, output_dict=True, **options)
    found = span_classification_report(true, pred, mode=mode, output_dict=True)
    assert list(found) == list(expected)
    for name, row in expected.items():
        assert found[name] == pytest.approx(row)


TRUE = [["B-x", "I-x", "O", "B-y"], [], ["O", "B-x", "B-x", "I-x"], ["B-y", "O", "B-z"], ["O", "O"]]
PRED = [["B-x", "I-x", "O", "B-x"], [], ["B-y", "B-x", "I-x", "I-x"], ["B-y", "O", "B-z"], ["O", "B-x"]]


def converted(scheme):
    """The example in another scheme, as lists."""
    parts = (Sequences.from_arrays([np.array(tags, dtype=object) for tags in part]) for part in (TRUE, PRED))
    return [[tags.tolist() for tags in convert_tags(part, "IOB2", scheme)] for part in parts]


@every_scheme
@pytest.mark.parametrize("named", [True, False])
def test_the_same_spans_score_the_same_in_every_scheme(scheme, named):
    true, pred = converted(scheme)
    options = {"scheme": scheme} if named else {}
    assert span_f1_score(true, pred, **options) == pytest.approx(6 / 13)  # 3 of 6 true and 7 predicted spans
    assert span_precision_score(true, pred, **options) == pytest.approx(3 / 7)
    assert span_recall_score(true, pred, **options) == pytest.approx(3 / 6)
    assert span_f1_score(true, pred, mode="conlleval", **options) == pytest.approx(6 / 13)


@pytest.mark.parametrize("zero_division", [0.0, 1.0, np.nan])
@given(
    data=pairs(prefixes="B"),  # spans of one step each, whose scores are those of steps
    beta=st.sampled_from([0.0, 0.5, 1.0, 2.0, np.inf]),
    labels=st.sampled_from([["x"], ["y", "x-y", "x"], ["nothing", "x"]]),
    weighted=st.booleans(),
)
@settings(deadline=None, max_examples=40)
def test_scores_of_single_steps_are_those_of_scikit_learn(zero_division, data, beta, labels, weighted):
    true, pred, weight = data
    flat = [[tag[2:] for tags in part for tag in tags] for part in (true, pred)]
    if not flat[0]:
        return
    for average in AVERAGES:
        options = {"average": average, "labels": labels, "beta": beta, "zero_division": zero_division}
        found = span_precision_recall_fscore(true, pred, sample_weight=weight if weighted else None, **options)
        step_weight = np.repeat(weight, [len(tags) for tags in true]) if weighted else None
        expected = precision_recall_fscore_support(*flat, sample_weight=step_weight, **options)
        for ours, theirs in zip(found[:3], expected[:3], strict=True):
            assert_allclose(ours, theirs, atol=1e-15)
        if average is None:
            assert_allclose(found.support, expected[3])


def test_the_report_of_single_steps_is_that_of_scikit_learn():
    true, pred = [["B-a", "O", "B-long name here", "B-a"]], [["B-a", "B-a", "B-long name here", "O"]]
    flat = [[tag[2:] or "O" for tag in part[0]] for part in (true, pred)]
    labels = ["a", "long name here"]
    for digits in (2, 5):
        assert span_classification_report(true, pred, digits=digits) == classification_report(
            *flat, labels=labels, digits=digits
        )
    found = span_classification_report(true, pred, output_dict=True)
    assert found == classification_report(*flat, labels=labels, output_dict=True)
    weighted = span_classification_report(true, pred, sample_weight=[2.5])
    assert weighted == classification_report(*flat, labels=labels, sample_weight=[2.5] * 4)
    assert weighted != span_classification_report(true, pred)


def test_support_is_a_number_of_spans():
    assert span_precision_recall_fscore(TRUE, PRED).support == 6
    assert span_precision_recall_fscore(TRUE, PRED, average=None).support.tolist() == [3, 2, 1]
    assert span_precision_recall_fscore(TRUE, PRED, labels=["z", "y"], average=None).support.tolist() == [1, 2]
    assert span_precision_recall_fscore(TRUE, PRED, sample_weight=[1, 1, 0.5, 1, 1]).support == 5.0


@pytest.mark.parametrize("zero_division", [0.0, 1.0])
@pytest.mark.parametrize("average", ["micro", "macro", "weighted"])
def test_without_spans_the_scores_are_as_one_says(average, zero_division):
    for true in ([["O", "O"], ["O"]], [[], []]):
        options = {"average": average, "zero_division": zero_division}
        assert span_precision_recall_fscore(true, true, **options) == (zero_division,) * 3 + (0,)
    assert len(span_f1_score([["O"]], [["O"]], average=None)) == 0
    report = span_classification_report([["O"]], [["O"]], output_dict=True, zero_division=zero_division)
    assert report["micro avg"] == {
        "precision": zero_division,
        "recall": zero_division,
        "f1-score": zero_division,
        "support": 0,
    }


@pytest.mark.parametrize("tags", ["S-x O", "E-x O", "U-x O", "L-x O", "B-x I-x"])
def test_true_tags_without_spans_go_by_the_predicted_ones(tags):
    assert span_precision_recall_fscore([["O", "O"]], [tags.split()]) == (0, 0, 0, 0)


def test_spans_without_a_label_are_shown():
    true, pred = [["B", "I", "O"]], [["B", "I", "B"]]
    assert span_precision_recall_fscore(true, pred, average=None).precision.tolist() == [0.5]
    assert "           _       0.50      1.00      0.67         1\n" in span_classification_report(true, pred)


def test_a_tag_that_breaks_the_scheme_does_not_change_it():
    iob1 = [["I-x", "O", "I-y", "B-y"], ["B-x", "O", "I-x", "I-x"]]
    assert span_f1_score(iob1, iob1, average=None).tolist() == [1.0, 1.0]
    assert span_precision_recall_fscore(iob1, iob1).support == 4
    assert span_precision_recall_fscore(iob1, iob1, scheme="IOB2").support == 2
    assert span_precision_recall_fscore(iob1, iob1, mode="conlleval").support == 5


@pytest.mark.parametrize(
    "carry",
    [
        object_array,
        lambda y: tuple(tuple(tags) for tags in y),
        lambda y: Sequences.from_arrays([np.array(tags, dtype=object) for tags in y]),
        lambda y: [np.array(tags, dtype=object if not tags else None) for tags in y],
    ],
    ids=["object array of lists", "tuples", "container", "arrays"],
)
@pytest.mark.parametrize(
    "score", [span_f1_score, span_precision_score, span_recall_score, span_precision_recall_fscore]
)
def test_every_format_of_tags(score, carry):
    assert score(carry(TRUE), PRED) == score(TRUE, carry(PRED)) == score(TRUE, PRED)
    assert span_confusion(carry(TRUE), PRED).equals(span_confusion(TRUE, carry(PRED)))
    assert span_classification_report(carry(TRUE), PRED) == span_classification_report(TRUE, PRED)


def test_many_labels():
    tags = [[f"B-{i}", f"I-{i}", "O"] for i in range(300)]
    assert span_f1_score(tags, tags) == 1.0
    assert span_f1_score(tags, [*tags[:-1], ["O", "O", "O"]]) == pytest.approx(598 / 599)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scheme": "IOBES"}, r"scheme must be 'auto' or one of .*got 'IOBES'"),
        ({"mode": "lenient"}, r"mode must be one of .*got 'lenient'"),
        ({"average": "samples"}, "average must be 'micro'.*got 'samples'"),
        ({"beta": -1.0}, "beta must be a number from 0 on, got -1.0"),
        ({"beta": "1"}, "beta must be a number from 0 on, got '1'"),
        ({"zero_division": 0.5}, "zero_division must be 0, 1 or NaN, got 0.5"),
        ({"zero_division": "warn"}, "zero_division must be 0, 1 or NaN, got 'warn'"),
        ({"labels": []}, r"labels must hold at least one label.*got \[\]"),
        ({"labels": ["x", "x"]}, "labels must hold at least one label"),
        ({"labels": [1]}, "labels must hold at least one label"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        span_precision_recall_fscore(TRUE, PRED, **options)


@pytest.mark.parametrize(
    "score", [span_f1_score, span_precision_recall_fscore, span_classification_report, span_confusion]
)
@pytest.mark.parametrize(
    ("true", "pred", "options", "message"),
    [
        ([["O"], ["O", "O"]], [["O"], ["O"]], {}, r"y_true\[1\] has 2 labels, y_pred\[1\] has 1"),
        ([["O"]], [["O"], ["O"]], {}, "y_true holds 1 sequences, y_pred 2"),
        ([["O"], ["NOUN"]], [["O"], ["O"]], {}, r"y_true\[1\]\[0\] is 'NOUN', .* wanted .*use flat_accuracy_score"),
        ([["B-x", "E-x"]], [["B-x", "U-x"]], {}, r"y_pred\[0\]\[1\] is 'U-x', .*no BIOES tag.*as in y_true"),
        ([["B-x", "E-x", "O"]], [["B-x"] * 3], {"scheme": "IOB2"}, r"y_true\[0\]\[1\] is 'E-x', .*no IOB2 tag"),
        ([["B-x"]], [["x"]], {"mode": "conlleval"}, r"y_pred\[0\]\[0\] is 'x', .*no span tag"),
        ([["B-x", 1]], [["B-x", "O"]], {}, r"y_true\[0\]\[1\] is int 1 where other steps are strings"),
        (["B-x"], [["B-x"]], {}, "y_true must hold one list of labels for each sequence"),
        ([], [], {}, "y_true must hold one list of labels|y_true is empty"),
    ],
)
def test_tags_that_do_not_fit_are_named(score, true, pred, options, message):
    with pytest.raises(SequenceDataError, match=message):
        score(true, pred, **options)


WORDS = [["fly", "to", "New", "York"], ["from", "Rome", "to", "Oslo"], ["Rome"], ["to", "Rome", "now"]] * 4
CITIES = [["O", "O", "B-city", "I-city"], ["O", "B-city", "O", "B-city"], ["B-city"], ["O", "B-city", "B-day"]] * 4
SCORERS = {"f1": span_f1_scorer, "precision": span_precision_scorer, "recall": span_recall_scorer}
SCORES = {"f1": span_f1_score, "precision": span_precision_score, "recall": span_recall_score}
TAGGER = {"hidden_size": 8, "learning_rate": 0.05, "random_state": 0}


def test_scorers_in_cross_validation_of_a_tagger():
    folds = [(np.arange(4, 16), np.arange(4)), (np.arange(8), np.arange(8, 16))]
    tagger = RNNSequenceTagger(max_epochs=4, **TAGGER)
    result = cross_validate(tagger, WORDS, CITIES, cv=folds, scoring=SCORERS, return_estimator=True)
    for i, (_, test) in enumerate(folds):
        predicted = result["estimator"][i].predict([WORDS[j] for j in test])
        for name, score in SCORES.items():
            assert result[f"test_{name}"][i] == score([CITIES[j] for j in test], predicted)


@pytest.mark.parametrize("scoring", [span_f1_scorer, make_scorer(span_f1_score, average="macro", mode="conlleval")])
def test_scorers_in_grid_search_over_taggers(scoring):
    tagger = RNNSequenceTagger(max_epochs=40, **TAGGER)
    search = GridSearchCV(tagger, {"learning_rate": [1e-6, 0.05]}, cv=2, scoring=scoring)
    search.fit(WORDS, CITIES)
    assert search.best_params_ == {"learning_rate": 0.05}
    assert search.best_score_ == search.score(WORDS, CITIES) == 1.0
