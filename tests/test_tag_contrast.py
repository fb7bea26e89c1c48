"""Tags in one scheme that are read in another: every pair of schemes that can be told apart."""

import warnings
from functools import partial
from itertools import permutations

import numpy as np
import pytest
from samples import small
from sklearn.model_selection import cross_val_score
from test_tag_schemes import container

from sklearn_rnn import RNNSequenceTagger
from sklearn_rnn.data.tag_contrast import contrast_of
from sklearn_rnn.data.tag_schemes import SCHEMES
from sklearn_rnn.data.tag_steps import LETTERS, TagSteps
from sklearn_rnn.datasets import make_tagging
from sklearn_rnn.exceptions import SequenceDataError, SequenceDataWarning
from sklearn_rnn.metrics import (
    flat_accuracy_score,
    flat_classification_report,
    flat_f1_score,
    sequence_accuracy_score,
    span_classification_report,
    span_confusion,
    span_f1_score,
    span_f1_scorer,
    span_precision_recall_fscore,
)
from sklearn_rnn.preprocessing import convert_tag_scheme

X, Y = make_tagging(40, random_state=0)
IN = {scheme: convert_tag_scheme(Y, scheme).tolist() for scheme in SCHEMES}
N_SPANS = sum(tag.startswith("B-") for tags in Y for tag in tags)
every_pair = pytest.mark.parametrize(("found", "read"), list(permutations(SCHEMES, 2)))


@every_pair
def test_tags_of_one_scheme_are_told_from_another(found, read):
    contrast = contrast_of(TagSteps.read(container(IN[found])), read)
    assert (contrast.scheme, contrast.n_spans) == (found, N_SPANS)
    assert contrast_of(TagSteps.read(container(IN[read])), read) is None


@pytest.mark.parametrize("scheme", SCHEMES)
def test_noise_is_no_other_scheme(scheme):
    rng = np.random.default_rng(0)
    for share in (0.02, 0.1, 0.3):
        noisy = [[("O" if rng.random() < share else tag) for tag in tags] for tags in IN[scheme]]
        assert contrast_of(TagSteps.read(container(noisy)), scheme) is None
    shuffled = [rng.permutation(tags).tolist() for tags in IN[scheme]]
    assert contrast_of(TagSteps.read(container(shuffled)), scheme) is None
    assert contrast_of(TagSteps.read(container([["O", "O"], []])), scheme) is None
    assert contrast_of(TagSteps.read(container([["NOUN", "O"], []])), scheme) is None


def test_steps_without_a_label_break_nothing():
    tags = container([["O", "I-x", "O"], ["O", "I-x"]])
    assert contrast_of(TagSteps.read(tags), "IOB2").scheme == "IOB1"
    known = np.array([False, True, True, False, True])
    assert contrast_of(TagSteps.read(tags), "IOB2", known) is None


@every_pair
def test_scores_of_spans_warn_where_tags_differ(found, read):
    scores = [span_f1_score, span_precision_recall_fscore, span_classification_report, span_confusion]
    if {tag[0] for tags in IN[found] for tag in tags} <= set(LETTERS[read]):
        for score in scores:
            with pytest.warns(
                SequenceDataWarning, match=rf"in the scheme {read}, but y_pred looks like tags of {found}"
            ):
                score(IN[read], IN[found])
            with pytest.warns(SequenceDataWarning, match=f"in the scheme {read}, but y_true .* and y_pred"):
                score(IN[found], IN[found], scheme=read)
    else:
        with pytest.raises(SequenceDataError, match=rf"y_pred.* is no {read} tag: .* looks like tags of {found}"):
            span_f1_score(IN[read], IN[found])
    assert span_f1_score(IN[read], IN[found], mode="conlleval") == 1
    assert span_f1_score(IN[read], convert_tag_scheme(IN[found], read)) == 1


def test_what_costs_no_span_is_not_warned_of():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert span_f1_score([["B-x", "O", "B-y"]], [["O", "I-y", "O"]]) == 0
        assert span_f1_score([["B-x", "I-x", "O", "B-y"]], [["B-x", "I-x", "O", "I-y"]]) == pytest.approx(2 / 3)


TAGGERS = {}
LEARNS = {"hidden_size": 12, "max_epochs": 12, "learning_rate": 0.02, "dropout": 0.2}
LEARNS |= {"embedding_dropout": 0.0, "word_dropout": 0.0, "char_encoder": None, "casing_features": False}


def tagger_of(scheme):
    if scheme not in TAGGERS:
        TAGGERS[scheme] = small(RNNSequenceTagger, **LEARNS).fit(X, IN[scheme])
    return TAGGERS[scheme]


def told(found, read):
    return pytest.warns(
        SequenceDataWarning, match=rf"look like tags of the scheme {found}, but the tagger reads .* {read}"
    )


@pytest.mark.parametrize(("found", "read"), [("IOB2", "IOB1"), ("IOB1", "IOB2"), ("BIOES", "IOB2"), ("IOB2", "BIOES")])
def test_a_tagger_says_that_y_is_in_another_scheme(found, read):
    tagger = tagger_of(read)
    with told(found, read) as record:
        score = tagger.score(X, IN[found])
    assert len(record) == 1
    assert score < tagger.score(X, IN[read])
    assert np.all(tagger.predict_log_proba_of(X[:4], IN[found][:4]) == -np.inf)  # which is the answer
    fresh = small(RNNSequenceTagger, max_epochs=2)
    with told(found, read) as record:
        fresh.fit(X, IN[read], X_val=X, y_val=IN[found])
    assert len(record) == 1


@pytest.mark.parametrize("constrain", [True, False])
@pytest.mark.parametrize(("found", "named"), [("IOB2", "IOB1"), ("IOB1", "IOB2"), ("IOB2", "BIOES"), ("IOB1", "BIOES")])
def test_a_scheme_that_is_named_and_contradicts_y(found, named, constrain):
    tagger = small(RNNSequenceTagger, max_epochs=1, tag_scheme=named, constrain_transitions=constrain)
    with told(found, named) as record:
        tagger.fit(X, IN[found])
    assert len(record) == 1


def test_a_later_part_in_another_scheme():
    classes = sorted({tag for scheme in ("IOB1", "IOB2") for tags in IN[scheme] for tag in tags})
    tagger = small(RNNSequenceTagger).partial_fit(X, IN["IOB1"], classes=classes)
    with told("IOB2", "IOB1") as record:
        tagger.partial_fit(X, IN["IOB2"])
    assert len(record) == 1


def test_the_scorer_says_so():
    tagger = tagger_of("IOB1")
    right = span_f1_scorer(tagger, X, IN["IOB1"])
    assert right > 0.5
    with pytest.warns(SequenceDataWarning, match="y_pred looks like tags of IOB1"):
        assert span_f1_scorer(tagger, X, IN["IOB2"]) < right / 2


@pytest.mark.parametrize("scheme", ["IOB1", "IOB2", "BIOES"])
@pytest.mark.parametrize("constrain", [True, False])
def test_a_tagger_that_knows_little_is_not_warned_of(scheme, constrain):
    tagger = small(RNNSequenceTagger, max_epochs=2, constrain_transitions=constrain, scoring="span_f1")
    cross_val_score(tagger, X, IN[scheme], cv=3)


@every_pair
@pytest.mark.parametrize(
    "score",
    [
        flat_accuracy_score,
        flat_f1_score,
        partial(flat_classification_report, zero_division=0),
        sequence_accuracy_score,
    ],
)
def test_scores_of_steps_warn_where_tags_differ(score, found, read):
    with pytest.warns(SequenceDataWarning, match=rf"tags of the scheme {read} and y_pred of {found}") as record:
        score(IN[read], IN[found])
    assert len(record) == 1
    score(IN[read], [["O"] * len(tags) for tags in IN[found]])
    score(IN[read], [tags[::-1] for tags in IN[read]])
