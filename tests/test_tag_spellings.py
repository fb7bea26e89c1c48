"""Tags as people write them."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import small

from sklearn_rnn import RNNSequenceTagger, stream
from sklearn_rnn.data.tag_schemes import SCHEMES
from sklearn_rnn.data.tag_spellings import PLAIN, Spelling, odd_ones, possible_spellings
from sklearn_rnn.datasets import make_tagging
from sklearn_rnn.exceptions import BrokenTagsWarning, SequenceDataWarning
from sklearn_rnn.inspection import RenderedEntities
from sklearn_rnn.metrics import flat_accuracy_score, span_classification_report, span_f1_score
from sklearn_rnn.preprocessing import convert_tag_scheme, spans_from_tags

SPELLINGS = {
    "b_per": Spelling("_", lower=True, outside="o"),
    "B_per": Spelling("_"),
    "B:per": Spelling(":"),
    "per-B": Spelling("-", label_first=True),
    "per_b": Spelling("_", label_first=True, lower=True),
    "b-per": Spelling(lower=True),
    "B.per and o": Spelling(".", outside="o"),
    "B|per": Spelling("|"),
}
every_spelling = pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
X, Y = make_tagging(30, random_state=0)


def respelled(y, spelling):
    return [[spelling.write(tag) for tag in tags] for tags in y]


@given(
    st.sampled_from(list(SPELLINGS.values())),
    st.sets(
        st.builds("{}-{}".format, st.sampled_from("BIESLUMW"), st.sampled_from(["x", "per", "x-y", "a_b", "B"])),
        min_size=1,
    ),
)
def test_what_is_written_is_read(spelling, tags):
    tags = sorted(tags | {"O"})
    written = [spelling.write(tag) for tag in tags]
    assert [spelling.read(tag) for tag in written] == tags
    assert spelling in possible_spellings(written)
    assert spelling.reads(written)


@pytest.mark.parametrize("tags", [["O", "B-x"], ["B", "M", "E", "S"], ["O"], ["I-B", "O", "B-I"]])
def test_plain_tags_are_taken_as_they_are(tags):
    assert next(possible_spellings(tags)) == PLAIN


@pytest.mark.parametrize(
    "tags", [["NOUN", "VERB"], ["B-x", "B_x"], ["B_x", "I:x"], [1, 2], ["B-x", "0"], ["O", "o", "b-x"]]
)
def test_other_labels_are_in_no_spelling(tags):
    assert list(possible_spellings(tags)) == []


@every_spelling
def test_a_tagger_learns_the_same_of_tags_in_any_spelling(spelling):
    y = respelled(Y, spelling)
    tagger = small(RNNSequenceTagger, max_epochs=12).fit(X, y, X_val=X[:5], y_val=y[:5])
    assert tagger.tag_scheme_ == "IOB2"
    assert tagger.classes_.tolist() == sorted({tag for tags in y for tag in tags})
    predicted = tagger.predict(X)
    assert {tag for tags in predicted for tag in tags} <= set(tagger.classes_)
    right = np.mean([a == b for row, tags in zip(y, predicted, strict=True) for a, b in zip(row, tags, strict=True)])
    assert tagger.score(X, y) == pytest.approx(right)
    assert tagger.score(X, Y) == tagger.score(X, y)  # whatever the spelling of y is
    probabilities = tagger.set_params(decoder="crf").predict_proba(X[:1])[0]
    assert probabilities.shape == (len(X[0]), 7)
    assert list(tagger.transitions_.columns) == [*tagger.classes_, "<end>"]
    assert tagger.predict_nbest(X[:1], 1)[0][0][0] == predicted[0]
    found = [[(e.start, e.end, e.label) for e in row] for row in tagger.predict_entities(X)]
    assert found == [[(e.start, e.end, e.label) for e in row] for row in spans_from_tags(predicted)]
    assert np.isfinite(tagger.predict_log_proba_of(X[:3], y[:3])).all()
    assert span_f1_score(y, predicted) == span_f1_score(Y, convert_tag_scheme(predicted, "IOB2"))
    assert RenderedEntities.from_estimator(tagger, X).html.count("user-select") == sum(map(len, found))


@every_spelling
def test_parameters_that_name_labels_name_them_as_y_does(spelling):
    y = respelled(Y, spelling)
    weights = {spelling.write("B-to"): 5.0, spelling.write("O"): 0.5}
    ignored = [["?" if i % 7 == 3 else tag for i, tag in enumerate(tags)] for tags in y]
    tagger = small(RNNSequenceTagger, class_weight=weights, ignore_label="?", train_scheme="BIOES").fit(X, ignored)
    assert tagger.tag_scheme_ == "IOB2"
    classes = [spelling.write(tag) for tag in ("O", *(f"{p}-{k}" for p in "BI" for k in ("from", "to", "day")))]
    later = small(RNNSequenceTagger).partial_fit(X[:5], y[:5], classes=classes).partial_fit(X[5:], y[5:])
    assert later.classes_.tolist() == sorted(classes)


@pytest.mark.parametrize("scheme", SCHEMES)
@every_spelling
def test_scores_of_spans_in_any_spelling_and_scheme(scheme, spelling):
    true = convert_tag_scheme(Y, scheme)
    pred = [tags if i % 3 else ["O"] * len(tags) for i, tags in enumerate(true)]
    expected = span_classification_report(true, pred)
    assert span_classification_report(respelled(true, spelling), pred) == expected
    assert span_classification_report(respelled(true, spelling), respelled(pred, spelling), scheme=scheme) == expected


def test_letters_alone_are_tags_of_words_made_of_characters():
    y = [["B", "E", "S"], ["B", "M", "M", "E"], ["S", "S"]] * 5
    tagger = small(RNNSequenceTagger).fit([["x"] * len(tags) for tags in y], y)
    assert tagger.tag_scheme_ == "BMES"
    assert [entity.end - entity.start for entity in spans_from_tags(y)[0]] == [2, 1]


@pytest.mark.parametrize(
    ("change", "odd"),
    [
        (lambda tag: tag.replace("-", "--"), None),
        (lambda tag: {"B": "BEGIN_", "I": "INSIDE_"}.get(tag[0], "") + (tag[2:] or tag), "BEGIN_day"),
        (lambda tag: tag.replace("B-to", "B_to"), "B_to"),
        (lambda tag: "OTHER" if tag == "O" else tag, "OTHER"),
    ],
)
def test_what_looks_like_tags_and_is_none_is_said(change, odd):
    y = [[change(tag) for tag in tags] for tags in Y]
    if odd is None:  # a label that begins with a dash is one
        assert small(RNNSequenceTagger).fit(X, y).tag_scheme_ == "IOB2"
        return
    with pytest.warns(BrokenTagsWarning, match=rf"look like tags of spans, but .*such as '{odd}'"):
        tagger = small(RNNSequenceTagger).fit(X, y)
    assert tagger.tag_scheme_ is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small(RNNSequenceTagger, tag_scheme=None).fit(X, y)


@pytest.mark.parametrize(
    "labels", [["NOUN", "VERB", "PRP$"], ["s_idle", "s_walk", "s_run"], ["up", "down"], ["M", "W", "O"], []]
)
def test_other_labels_are_let_be(labels):
    assert odd_ones(labels) == []
    if labels:
        y = [labels] * 5
        tagger = small(RNNSequenceTagger).fit([["x"] * len(labels)] * 5, y)
        assert tagger.tag_scheme_ is None
        assert tagger.classes_.tolist() == sorted(labels)


@every_spelling
@pytest.mark.parametrize("decoder", ["crf", "softmax"])
def test_a_stream_answers_in_the_spelling_of_y(spelling, decoder):
    words = [["fly", "to", "Oslo"], ["from", "Rome", "to", "Oslo"], ["Rome"]] * 4
    y = respelled([["O", "O", "B-city"], ["O", "B-city", "O", "B-city"], ["B-city"]] * 4, spelling)
    tagger = small(
        RNNSequenceTagger, hidden_size=8, max_epochs=30, learning_rate=0.05, bidirectional=False, decoder=decoder
    )
    live = stream(tagger.fit(words, y))
    assert [live.update(word)[0] for word in ["from", "Oslo"]] == [spelling.outside, spelling.write("B-city")]


@every_spelling
def test_scores_of_steps_say_that_tags_are_spelled_in_two_ways(spelling):
    y = respelled(Y, spelling)
    with pytest.warns(SequenceDataWarning, match="spelled in another way than those of y_pred") as record:
        assert flat_accuracy_score(y, Y) < 1
    assert len(record) == 1
    assert flat_accuracy_score(y, y) == 1
    assert flat_accuracy_score(Y, [["O"] * len(tags) for tags in Y]) < 1
