"""Between places in documents, spans and tags: there and back, against places that are laid by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_rnn import AlignedSequences, RNNSequenceTagger, Sequences, SequenceTokenizer
from sklearn_rnn.data.tag_schemes import SCHEMES
from sklearn_rnn.exceptions import SequenceDataError
from sklearn_rnn.inspection import Entity
from sklearn_rnn.preprocessing import convert_tag_scheme, spans_from_offsets, spans_from_tags, tags_from_spans

DOCUMENTS = ["Fly to New York!", "Rome", "", "the well-known New York Times"]
TOKENS = SequenceTokenizer().fit_transform(DOCUMENTS)
every_scheme = pytest.mark.parametrize("scheme", SCHEMES)


def spans_of(entities):
    return [[(entity.start, entity.end, entity.label) for entity in found] for found in entities]


@st.composite
def annotated(draw):
    """Documents of words, and disjoint places in them that are whole words."""
    word = st.text(st.sampled_from("abcXY\u00e9\u0130"), min_size=1, max_size=4)
    documents, places, spans = [], [], []
    for words in draw(st.lists(st.lists(word, min_size=1, max_size=8), min_size=1, max_size=4)):
        text, starts = "", []
        for one in words:
            text += draw(st.sampled_from([" ", "  ", "\n"])) if text else ""
            starts.append(len(text))
            text += one
        found, step = [], 0
        while step < len(words):
            end = draw(st.integers(step, len(words)))
            if end > step:
                found.append((step, end, draw(st.sampled_from(["x", "x-y", "B"]))))
            step = max(end, step + draw(st.integers(0, 1)))
            step += end == step and not found
        documents.append(text)
        spans.append(found)
        places.append([(starts[a], starts[b - 1] + len(words[b - 1]), label) for a, b, label in found])
    return documents, places, spans


@every_scheme
@given(annotated())
@settings(deadline=None, max_examples=40)
def test_places_become_tags_and_come_back(scheme, data):
    documents, places, spans = data
    tokens = SequenceTokenizer(analyzer="whitespace").fit_transform(documents)
    found = spans_from_offsets(tokens, [row[::-1] for row in places])
    assert spans_of(found) == spans
    tags = tags_from_spans(found, tokens, scheme=scheme)
    assert [len(row) for row in tags] == tokens.lengths.tolist()
    back = spans_from_tags(tags, tokens, scheme=scheme)
    assert [list(row) for row in back] == [list(row) for row in found]
    assert [[(e.start_char, e.end_char, e.label) for e in row] for row in back] == places
    assert all(
        e.text == text[e.start_char : e.end_char] for text, row in zip(documents, back, strict=True) for e in row
    )
    assert tags_from_spans(back, tokens, scheme=scheme).tolist() == tags.tolist()
    assert convert_tag_scheme(tags, "IOB2", source=scheme).tolist() == tags_from_spans(spans, tokens).tolist()


@pytest.mark.parametrize(
    "places",
    [
        [[(7, 15, "city")], [], [], [(15, 29, "paper")]],
        [[{"start": 7, "end": 15, "label": "city"}], [], [], [{"start": 15, "end": 29, "label": "paper"}]],
        [{"entities": [[7, 15, "city"]]}, {"entities": []}, {"entities": []}, {"entities": [[15, 29, "paper"]]}],
        [[Entity("city", 0, 1, None, 7, 15)], [], [], [Entity("paper", 0, 1, None, 15, 29)]],
        pd.Series([[(np.int64(7), np.int64(15), "city")] * 2, [], [], [(14, 29, "paper")]]),  # a blank is no matter
    ],
    ids=["tuples", "dicts", "spaCy", "entities", "Series"],
)
def test_places_in_any_form(places):
    found = spans_from_offsets(TOKENS, places)
    assert spans_of(found) == [[(2, 4, "city")], [], [], [(4, 7, "paper")]]
    assert (found[3][0].start_char, found[3][0].end_char, found[3][0].text) == (15, 29, "New York Times")


@pytest.mark.parametrize(
    ("on_cut", "expected"),
    [("widen", [(2, 4, "x")]), ("shrink", [(3, 4, "x")]), ("drop", [])],
)
def test_places_that_cut_a_token(on_cut, expected):
    places = [[(9, 15, "x")], [], [], []]  # "w York"
    assert spans_of(spans_from_offsets(TOKENS, places, on_cut=on_cut))[0] == expected
    with pytest.raises(
        SequenceDataError, match=r"annotations\[0\] holds the place 9 to 15 .*'w York', which cuts .*'New'"
    ):
        spans_from_offsets(TOKENS, places)
    within = [[(8, 9, "x")], [], [], []]
    assert spans_of(spans_from_offsets(TOKENS, within, on_cut=on_cut))[0] == (
        [(2, 3, "x")] if on_cut == "widen" else []
    )


@pytest.mark.parametrize(
    ("on_overlap", "expected"),
    [("longest", [(0, 1, "a"), (1, 5, "c")]), ("first", [(0, 2, "b"), (2, 4, "d")])],
)
def test_places_that_overlap(on_overlap, expected):
    tokens = SequenceTokenizer().fit_transform(["p q r s t"])
    places = [[(0, 1, "a"), (0, 3, "b"), (2, 9, "c"), (4, 7, "d")]]
    assert spans_of(spans_from_offsets(tokens, places, on_overlap=on_overlap)) == [expected]
    with pytest.raises(SequenceDataError, match=r"holds the steps 0 to 2 \('b'\) and 0 to 1 \('a'\), which overlap"):
        spans_from_offsets(tokens, places)


@pytest.mark.parametrize(
    ("places", "message"),
    [
        ([[], [], []], r"annotations has 3 items, but there are 4 sequences"),
        ([[(0, 40, "x")], [], [], []], r"annotations\[0\] .*the document has 16 characters"),
        ([[(5, 5, "x")], [], [], []], r"wanted 0 <= start < end <= 16"),
        ([[(-1, 5, "x")], [], [], []], r"wanted 0 <= start < end <= 16"),
        ([[("x", 0, 3)], [], [], []], r"annotations\[0\]\[0\] is \('x', 0, 3\), wanted two integers and a string"),
        ([[(0, 3, None)], [], [], []], r"annotations\[0\]\[0\] .*wanted two integers"),
        ([[(0.0, 3.0, "x")], [], [], []], r"wanted two integers"),
        ([[(3, 4, "x")], [], [], []], r"where no token is"),
        ([[Entity("x", 0, 1)], [], [], []], r"wanted two integers"),
        ([None, [], [], []], r"annotations\[0\] must be a list of \(start, end, label\), got None"),
        ("text", r"annotations must hold a list for each sequence, got 'text'"),
    ],
)
def test_places_that_are_none(places, message):
    with pytest.raises(SequenceDataError, match=message):
        spans_from_offsets(TOKENS, places)


def test_documents_that_were_cut():
    tokens = SequenceTokenizer(max_length=2).fit_transform(["Fly to New York!"])
    assert spans_of(spans_from_offsets(tokens, [[(7, 15, "city")]], on_cut="drop")) == [[]]
    with pytest.raises(SequenceDataError, match="where no token is"):
        spans_from_offsets(tokens, [[(7, 15, "city")]], on_cut="widen")


def test_tokens_without_places():
    made_up = SequenceTokenizer(analyzer=lambda text: ["made", "up"]).fit_transform(["text"])
    for tokens in (made_up, [["Fly", "to"]]):
        with pytest.raises(SequenceDataError, match="tokens must know their places"):
            spans_from_offsets(tokens, [[]])


@pytest.mark.parametrize(
    "tokens",
    [
        [3, 2],
        np.array([3, 2]),
        [["a", "b", "c"], ["d", "e"]],
        Sequences(np.arange(5), [0, 3, 5]),
        [np.zeros((3, 4)), [1, 2]],
    ],
)
def test_what_lengths_are_read_from(tokens):
    assert tags_from_spans([[(1, 3, "x")], []], tokens).tolist() == [["O", "B-x", "I-x"], ["O", "O"]]


@pytest.mark.parametrize(
    ("spans", "tokens", "message"),
    [
        ([[(0, 4, "x")]], [3], r"spans\[0\] holds the steps 0 to 4 \('x'\), but the sequence has 3 steps"),
        ([[(2, 2, "x")]], [3], r"wanted 0 <= start < end <= 3"),
        ([[(0, 2, "x"), (1, 3, "y")]], [3], r"steps 0 to 2 \('x'\) and 1 to 3 \('y'\), which overlap"),
        ([[]], [3, 4], r"spans has 1 items, but there are 2 sequences"),
        ([[]], ["a document"], r"tokens holds documents that are not split"),
    ],
)
def test_spans_that_are_none(spans, tokens, message):
    with pytest.raises(SequenceDataError, match=message):
        tags_from_spans(spans, tokens)


def test_spans_of_tags_with_and_without_tokens():
    tags = [["O", "per_B", "per_I"], ["loc_B"]]
    plain = spans_from_tags(tags)
    assert plain.tolist() == [[Entity("per", 1, 3)], [Entity("loc", 0, 1)]]
    words = [["to", "Ada", "Byron"], ["Oslo"]]
    for tokens in (words, AlignedSequences({"number": [[1.0] * 3, [1.0]], "word": words})):
        assert [[entity.text for entity in found] for found in spans_from_tags(tags, tokens)] == [
            ["Ada Byron"],
            ["Oslo"],
        ]
    broken = [["O", "I-x"]]
    assert spans_from_tags(broken, scheme="IOB2").tolist() == [[]]
    assert spans_from_tags(broken, scheme="IOB2", mode="conlleval").tolist() == [[Entity("x", 1, 2)]]
    assert spans_from_tags([["B-x", "L-x", "S-x"]], mode="conlleval").tolist() == [
        [Entity("x", 0, 2), Entity("x", 2, 3)]
    ]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: spans_from_tags([["NOUN"]]), SequenceDataError, r"tags\[0\]\[0\] is 'NOUN', which is no span tag"),
        (lambda: spans_from_tags([["B-x", "L-x", "S-x"]]), SequenceDataError, r"belong to no one scheme"),
        (lambda: spans_from_tags([["B-x"]], [["a", "b"]]), SequenceDataError, r"belong to other steps"),
        (lambda: spans_from_tags([["B-x"]], [np.zeros(1)]), SequenceDataError, r"tokens must hold a string"),
        (lambda: spans_from_tags([["B-x"]], scheme="BIO"), ValueError, r"scheme must be one of"),
        (lambda: spans_from_tags([["B-x"]], mode="lenient"), ValueError, r"mode must be one of"),
        (lambda: tags_from_spans([[]], [1], scheme="auto"), ValueError, r"scheme must be one of"),
        (lambda: spans_from_offsets(TOKENS, [[]] * 4, on_cut="cut"), ValueError, r"on_cut must be one of"),
        (lambda: spans_from_offsets(TOKENS, [[]] * 4, on_overlap="all"), ValueError, r"on_overlap must be one of"),
        (lambda: convert_tag_scheme([["B-x"]], "BIO"), ValueError, r"scheme must be one of"),
        (lambda: convert_tag_scheme([["B-x"]], "IOB2", source="BIO"), ValueError, r"source must be one of"),
    ],
)
def test_what_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_tagger_finds_in_characters_what_was_annotated_in_characters():
    documents = ["Fly to New York!", "From Rome to Oslo", "To New Delhi, please"] * 6
    places = [[(7, 15, "city")], [(5, 9, "city"), (13, 17, "city")], [(3, 12, "city")]] * 6
    tokens = SequenceTokenizer().fit_transform(documents)
    y = tags_from_spans(spans_from_offsets(tokens, places), tokens)
    tagger = RNNSequenceTagger(hidden_size=16, max_epochs=30, learning_rate=0.02, random_state=0).fit(tokens, y)
    found = tagger.predict_entities(tokens)
    assert [[(e.start_char, e.end_char, e.label) for e in row] for row in found] == places
    assert spans_of(found) == spans_of(spans_from_tags(tagger.predict(tokens), tokens))
    assert tags_from_spans(found, tokens).tolist() == y.tolist()
