"""How tags are read, and their scheme is recognised."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_tag_schemes import alphabet, container, every_scheme, segmentations, written

from sklearn_rnn import Sequences
from sklearn_rnn.data.tag_reading import (
    EITHER,
    TagReading,
    known_neighbours,
    recognise_scheme,
    refuse_unknown_tags,
)
from sklearn_rnn.data.tag_schemes import convert_tags
from sklearn_rnn.exceptions import BrokenTagsWarning, SequenceDataError

SPANS = {length: list(segmentations(length)) for length in range(6)}


def recognised(strings, labelled=None):
    tags = container(strings)
    has_label = np.ones(len(tags.values), dtype=bool) if labelled is None else np.array(labelled)
    return recognise_scheme(tags, has_label, np.unique(tags.values[has_label].astype(str)))


@every_scheme
@given(st.data())
@settings(deadline=None, max_examples=40)
def test_valid_tags_say_where_spans_open_and_close(scheme, data):
    lengths = data.draw(st.lists(st.integers(0, 5)))
    spans = [data.draw(st.sampled_from(SPANS[length])) for length in lengths]
    tags = container([written(found, length, scheme) for found, length in zip(spans, lengths, strict=True)])
    reading = TagReading(tags, np.ones(len(tags.values), dtype=bool), scheme)
    opens, closes = np.zeros((2, len(tags.values)), dtype=int)
    for first, found in zip(tags.offsets, spans, strict=False):
        for start, end, _ in found:
            opens[first + start] = closes[first + end - 1] = 1
    assert reading.opens.tolist() == opens.tolist()
    assert reading.closes.tolist() == closes.tolist()
    assert reading.mended.tolist() == tags.values.tolist()


@every_scheme
@given(st.data())
@settings(deadline=None, max_examples=40)
def test_broken_tags_are_read_as_the_conll_script_reads_them(scheme, data):
    tags = container(data.draw(st.lists(st.lists(st.sampled_from(alphabet(scheme)), max_size=6))))
    reading = TagReading(tags, np.ones(len(tags.values), dtype=bool), scheme)
    assert reading.mended.tolist() == convert_tags(tags, scheme, scheme).values.tolist()


@pytest.mark.parametrize(
    ("scheme", "shown", "opens", "closes", "mended"),
    [
        ("IOB2", [None, "I-x", None], [0, 0, 0], [0, EITHER, 0], ["O", "I-x", "O"]),
        ("IOB2", ["O", "I-x", None], [0, 1, 0], [0, EITHER, 0], ["O", "B-x", "O"]),
        ("IOB2", [None, "I-x", "B-x"], [0, 0, 1], [0, 1, 1], ["O", "I-x", "B-x"]),
        ("IOB1", [None, "I-x", "O"], [0, EITHER, 0], [0, 1, 0], ["O", "I-x", "O"]),
        ("IOB1", [None, "B-x", None], [0, 1, 0], [0, EITHER, 0], ["O", "B-x", "O"]),
        ("BIOES", [None, "E-x", None], [0, 0, 0], [0, 1, 0], ["O", "E-x", "O"]),
        ("BILOU", ["B-x", None, "L-x"], [1, 0, 0], [0, 0, 1], ["B-x", "O", "L-x"]),
    ],
)
def test_beside_a_gap_a_tag_says_what_it_says_itself(scheme, shown, opens, closes, mended):
    tags = container([shown])
    reading = TagReading(tags, np.array([tag is not None for tag in shown]), scheme)
    known = [k for k, tag in enumerate(shown) if tag is not None]
    assert [reading.opens[k] for k in known] == [opens[k] for k in known]
    assert [reading.closes[k] for k in known] == [closes[k] for k in known]
    assert reading.mended.tolist() == mended


@given(st.lists(st.lists(st.booleans(), max_size=4), max_size=5))
@settings(deadline=None)
def test_neighbours_are_known_where_they_have_a_label_or_there_are_none(masks):
    flat = np.array([known for mask in masks for known in mask], dtype=bool)
    tags = Sequences(np.zeros(len(flat)), np.concatenate([[0], np.cumsum([len(mask) for mask in masks])]))
    before, after = known_neighbours(tags, flat)
    assert before.tolist() == [known for mask in masks for known in [True, *mask][: len(mask)]]
    assert after.tolist() == [known for mask in masks for known in [*mask, True][1 : len(mask) + 1]]


@every_scheme
def test_each_scheme_is_recognised(scheme):
    strings = [written(spans, 4, scheme) for spans in SPANS[4]]
    assert recognised(strings) == scheme
    gaps = np.random.default_rng(0).random(4 * len(strings)) < 0.9
    assert recognised(strings, gaps) == scheme


@every_scheme
def test_a_few_broken_tags_do_no_harm_and_many_do(scheme):
    strings = [written(spans, 5, scheme) for spans in SPANS[5]][:400]
    last = {"IOB1": "B-x", "IOB2": "I-x", "BILOU": "L-x"}.get(scheme, "E-x")
    break_of = ("O", last)
    assert recognised([*strings, *[break_of] * 5]) == scheme
    inside = sum(tag != "O" for string in strings for tag in string)
    some, too_many = int(0.04 * inside), int(0.08 * inside)
    assert recognised([*strings, *[break_of] * some]) == scheme
    with pytest.warns(BrokenTagsWarning, match=rf"look like tags of the scheme {scheme}, .*tag_scheme='{scheme}'"):
        assert recognised([*strings, *[break_of] * too_many]) is None


@pytest.mark.parametrize("strings", [[["NN", "VB"], ["DT"]], [["O", "O"]], [["Other", "Basic"]]])
def test_other_labels_are_of_no_scheme(strings):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert recognised(strings) is None


def test_numbers_are_of_no_scheme():
    tags = Sequences(np.array([0, 1, 1]), [0, 3])
    assert recognise_scheme(tags, np.ones(3, dtype=bool), np.array([0, 1])) is None


def test_foreign_tags_are_refused_where_they_have_a_label():
    tags = container([["O", "B-x"], ["E-x", "S-x"]])
    with pytest.raises(SequenceDataError, match=r"^y\[1\]\[1\] is 'S-x', which is no tag of tag_scheme='IOB2' \(1 "):
        refuse_unknown_tags(tags, np.array([True, True, False, True]), "IOB2")
    refuse_unknown_tags(tags, np.array([True, True, False, False]), "IOB2")
