"""SequenceTokenizer against CountVectorizer, and its spans against the documents."""

import pickle
import re
import unicodedata
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from documents import REVIEWS
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.feature_extraction.text import CountVectorizer, strip_accents_unicode

from sklearn_rnn import SequenceTokenizer
from sklearn_rnn.data.tokens import UNKNOWN, TokenSequences
from sklearn_rnn.exceptions import SequenceDataError

PATTERNS = [r"(?u)\b\w\w+\b", r"\w+|[^\w\s]", r"[a-z]+", r"(\w)\w*", SequenceTokenizer().token_pattern]

# Accents in one character and in two, letters that change length in lower case, ligatures, Hangul, emoji, Greek.
ALPHABET = "abcABC eéÉ e\u0301 n\u0303 ıİ ß ẞ ﬁ ½ 각 😀 ΣσΑ ' - ! _ 1\n"
texts = st.text(st.sampled_from(ALPHABET), max_size=12)
corpora = st.lists(texts, min_size=1, max_size=6)


def tokens_of(sequences):
    return [list(sequence) for sequence in sequences]


@given(
    corpora,
    corpora,
    st.fixed_dictionaries(
        {
            "token_pattern": st.sampled_from(PATTERNS),
            "lowercase": st.booleans(),
            "strip_accents": st.sampled_from([None, "ascii", "unicode"]),
            "analyzer": st.sampled_from(["word", "char"]),
            "min_df": st.sampled_from([1, 2, 0.0, 0.4]),
            "max_df": st.sampled_from([1.0, 3, 0.7]),
        }
    ),
)
@settings(deadline=None, max_examples=300)
def test_vocabulary_and_counts_are_those_of_count_vectorizer(corpus, others, params):
    vectorizer, tokenizer = CountVectorizer(**params), SequenceTokenizer(**params, on_empty="keep")
    if params["analyzer"] == "char":
        vectorizer.set_params(token_pattern=None)
        normalize = vectorizer.build_preprocessor()  # CountVectorizer then makes one space of longer white space
        assume(not any(re.search(r"\s\s", normalize(text)) for text in corpus + others))
    try:
        counts = vectorizer.fit_transform(corpus)
    except ValueError:
        with pytest.raises(ValueError, match=r"vocabulary is empty|max_df=.* corresponds to < documents"):
            tokenizer.fit(corpus)
        return
    fitted = tokenizer.fit_transform(corpus)
    assert tokenizer.vocabulary_ == {term: index + 1 for term, index in vectorizer.vocabulary_.items()}
    assert tokenizer.get_feature_names_out().tolist() == vectorizer.get_feature_names_out().tolist()
    for documents, sequences, table in [
        (corpus, fitted, counts),
        (others, tokenizer.transform(others), vectorizer.transform(others)),
    ]:
        analyze = vectorizer.build_analyzer()
        for document, sequence, row in zip(documents, sequences, table.toarray(), strict=True):
            known = {term: n for term, n in zip(vectorizer.get_feature_names_out(), row, strict=True) if n}
            found = Counter(sequence)
            found.pop(UNKNOWN, None)
            assert found == known
            assert len(sequence) == len(analyze(document))


@given(corpora, st.integers(1, 6))
@settings(deadline=None)
def test_max_features_keeps_the_most_frequent(corpus, max_features):
    tokenizer = SequenceTokenizer(analyzer="whitespace", max_features=max_features)
    words = Counter(word for text in corpus for word in text.lower().split())
    assume(words)
    ranked = sorted(words, key=lambda word: (-words[word], word))
    kept = ranked[:max_features]
    assert tokenizer.fit(corpus).get_feature_names_out().tolist() == sorted(kept)
    if max_features >= len(ranked) or words[kept[-1]] > words[ranked[max_features]]:  # no tie at the border
        vectorizer = CountVectorizer(token_pattern=r"\S+", max_features=max_features).fit(corpus)
        assert sorted(kept) == vectorizer.get_feature_names_out().tolist()


def test_pruning_comes_before_max_features():
    corpus = ["a a a b", "b c", "b c"]
    params = {"token_pattern": r"\w", "min_df": 2, "max_features": 1}
    assert SequenceTokenizer(**params).fit(corpus).vocabulary_ == {"b": 1}
    assert CountVectorizer(**params).fit(corpus).vocabulary_ == {"b": 0}


@given(corpora, st.booleans())
@settings(deadline=None)
@example(["\u0301x", "İ", " İİ' İ"], True)
def test_spans_cover_all_that_is_not_white_space(corpus, lowercase):
    sequences = SequenceTokenizer(lowercase=lowercase, vocabulary=["a"]).fit_transform(corpus)
    for i, document in enumerate(corpus):
        part = sequences[i : i + 1]
        if part.spans.tolist() == [[0, 0]]:
            assert not document.strip()
            continue
        starts, ends = part.spans.T
        assert np.all(starts < ends)
        assert np.all(ends[:-1] <= starts[1:])
        gaps = zip([0, *ends], [*starts, len(document)], strict=True)
        assert not any(document[end:start].strip() for end, start in gaps)


@given(corpora)
@settings(deadline=None)
def test_surfaces_are_the_tokens_before_case_and_accents(corpus):
    corpus = [re.sub("[ﬁ½]", "", text) for text in corpus]  # of which one character makes several tokens
    tokenizer = SequenceTokenizer(strip_accents="unicode", on_empty="keep")
    assume(any(text.strip() for text in corpus))
    try:
        sequences = tokenizer.fit_transform(corpus)
    except SequenceDataError:  # nothing but accents
        assert not strip_accents_unicode("".join(corpus)).strip()
        return
    for value, surface in zip(sequences.values, sequences.surfaces, strict=True):
        assert strip_accents_unicode(surface.lower()).replace("ς", "σ") == value.replace("ς", "σ")


@pytest.mark.parametrize(
    ("document", "tokens"),
    [
        ("I can't, won't!", ["i", "can't", ",", "won't", "!"]),
        ("Rome's best", ["rome", "'s", "best"]),
        ("Rome\u2019s O\u2019Brien", ["rome", "\u2019s", "o\u2019brien"]),
        ("it's James' 'stop'", ["it", "'s", "james", "'", "'", "stop", "'"]),
        ("well-known", ["well", "-", "known"]),
        ("3.5 :) 10/10", ["3", ".", "5", ":", ")", "10", "/", "10"]),
        ("so good😀!!", ["so", "good", "😀", "!", "!"]),
        ("cafe\u0301 \u0130stanbul", ["cafe\u0301", "i\u0307stanbul"]),
        ("a\n\tb", ["a", "b"]),
    ],
)
def test_the_default_pattern(document, tokens):
    assert tokens_of(SequenceTokenizer().fit_transform([document])) == [tokens]


@pytest.mark.parametrize(
    ("params", "document", "tokens", "spans"),
    [
        ({}, "x \u0130z y", ["x", "i\u0307z", "y"], [[0, 1], [2, 4], [5, 6]]),
        ({"analyzer": "char"}, "a\u0130b", ["a", "i", "\u0307", "b"], [[0, 1], [1, 2], [1, 2], [2, 3]]),
        ({"analyzer": "char", "lowercase": False}, "a\u0130", ["a", "\u0130"], [[0, 1], [1, 2]]),
        ({"strip_accents": "unicode"}, "\u0130z y", ["iz", "y"], [[0, 2], [3, 4]]),
        ({"strip_accents": "unicode"}, "cafe\u0301 e\u0301", ["cafe", "e"], [[0, 5], [6, 8]]),
        ({"strip_accents": "unicode"}, "Café 각", ["cafe", "\u1100\u1161\u11a8"], [[0, 4], [5, 6]]),
        (
            {"strip_accents": "unicode"},
            "x ½ ﬁn",
            ["x", "1", "\u2044", "2", "fin"],
            [[0, 1], [2, 3], [2, 3], [2, 3], [4, 6]],
        ),
        ({"strip_accents": "ascii"}, "naïve 😀 ok", ["naive", "ok"], [[0, 5], [8, 10]]),
        ({"strip_accents": lambda token: token.strip("é")}, "é éaé", ["a"], [[2, 5]]),
        ({"analyzer": "whitespace"}, " A,b  c ", ["a,b", "c"], [[1, 4], [6, 7]]),
        ({"token_pattern": r"#(\w*)"}, "#Ab # x", ["ab"], [[1, 3]]),
        ({"token_pattern": r"\w*"}, "a b", ["a", "b"], [[0, 1], [2, 3]]),
    ],
)
def test_spans_count_characters_of_the_document(params, document, tokens, spans):
    sequences = SequenceTokenizer(**params).fit_transform([document])
    assert tokens_of(sequences) == [tokens]
    assert sequences.spans.tolist() == spans
    assert sequences.surfaces.tolist() == [document[start:end] for start, end in spans]


def test_composed_and_decomposed_text_give_the_same_without_accents():
    composed = ["Été à la plage", "naïve coöperation"]
    decomposed = [unicodedata.normalize("NFD", text) for text in composed]
    tokenizer = SequenceTokenizer(strip_accents="unicode").fit(composed)
    one, other = tokenizer.transform(composed), tokenizer.transform(decomposed)
    assert tokens_of(one) == tokens_of(other)
    assert [unicodedata.normalize("NFC", surface) for surface in other.surfaces] == one.surfaces.tolist()


@given(corpora)
@settings(deadline=None)
def test_a_callable_is_looked_up_from_left_to_right(corpus):
    assume(any(text.split() for text in corpus))
    called = SequenceTokenizer(analyzer=str.split, lowercase=False).fit_transform(corpus)
    built_in = SequenceTokenizer(analyzer="whitespace", lowercase=False).fit_transform(corpus)
    assert tokens_of(called) == tokens_of(built_in)
    np.testing.assert_array_equal(called.spans, built_in.spans)


def test_a_token_that_is_not_in_its_document_leaves_no_spans():
    def stems(document):
        return [word.removesuffix("ing") + "e" if word.endswith("ing") else word for word in document.split()]

    tokenizer = SequenceTokenizer(analyzer=stems).fit(["Making it", "it"])
    assert tokenizer.get_feature_names_out().tolist() == ["it", "make"]
    sequences = tokenizer.transform(["it", "Making it", "it"])
    assert tokens_of(sequences) == [["it"], ["make", "it"], ["it"]]
    assert sequences.spans is None
    assert sequences.surfaces is None
    assert tokenizer.transform(["it"]).spans.tolist() == [[0, 2]]


@pytest.mark.parametrize(
    ("returned", "shown"), [("a b", "'a b'"), (["a", 3], r"\['a', 3\]"), ([["a"]], r"\[\['a'\]\]")]
)
def test_a_callable_must_return_strings(returned, shown):
    with pytest.raises(SequenceDataError, match=f"analyzer returned {shown} for the document 'a b', wanted a list"):
        SequenceTokenizer(analyzer=lambda document: returned).fit(["a b"])


@pytest.mark.parametrize("analyzer", ["word", "char", str.split])
@pytest.mark.parametrize("truncate", ["head", "tail"])
def test_max_length_cuts_before_the_vocabulary_is_learned(analyzer, truncate):
    whole = SequenceTokenizer(analyzer=analyzer).fit_transform(REVIEWS)
    tokenizer = SequenceTokenizer(analyzer=analyzer, max_length=2, truncate=truncate)
    cut, expected = tokenizer.fit_transform(REVIEWS), whole.truncate(2, cut=truncate)
    assert tokens_of(cut) == tokens_of(expected)
    np.testing.assert_array_equal(cut.spans, expected.spans)
    assert set(tokenizer.vocabulary_) == set(expected.values)


def test_documents_without_tokens():
    corpus = ["a", "", " \n"]
    unknown = SequenceTokenizer().fit_transform(corpus)
    assert tokens_of(unknown) == [["a"], [UNKNOWN], [UNKNOWN]]
    assert unknown.spans.tolist() == [[0, 1], [0, 0], [0, 0]]
    assert unknown.surfaces.tolist() == ["a", "", ""]
    assert SequenceTokenizer(on_empty="keep").fit_transform(corpus).lengths.tolist() == [1, 0, 0]
    tokenizer = SequenceTokenizer().fit(corpus)
    assert tokenizer.vocabulary_ == {"a": 1}
    assert len(tokenizer.transform([])) == 0


def test_the_word_for_unknown_in_a_document_is_unknown():
    tokenizer = SequenceTokenizer(analyzer="whitespace").fit(["a <unk>", "<unk> b"])
    assert tokenizer.vocabulary_ == {"a": 1, "b": 2}
    assert tokens_of(tokenizer.transform(["<unk> c b"])) == [[UNKNOWN, UNKNOWN, "b"]]


@pytest.mark.parametrize(
    ("vocabulary", "numbers"),
    [
        (["so", "good"], {"so": 1, "good": 2}),
        (("so", "good"), {"so": 1, "good": 2}),
        ({"so", "good"}, {"good": 1, "so": 2}),
        ({"so": 2, "good": 1}, {"good": 1, "so": 2}),
        ({"so": np.int64(1)}, {"so": 1}),
        (np.array(["so", "good"]), {"so": 1, "good": 2}),
        (pd.Series(["so"]), {"so": 1}),
    ],
)
def test_a_fixed_vocabulary(vocabulary, numbers):
    tokenizer = SequenceTokenizer(vocabulary=vocabulary, min_df=4, max_features=1)
    sequences = tokenizer.fit_transform(REVIEWS)
    assert tokenizer.vocabulary_ == numbers
    assert tokenizer.get_feature_names_out().tolist() == sorted(numbers, key=numbers.get)
    assert set(sequences.values) == {*numbers, UNKNOWN}
    again = SequenceTokenizer(vocabulary=tokenizer.vocabulary_).fit_transform(REVIEWS)
    assert tokens_of(again) == tokens_of(sequences)


@pytest.mark.parametrize("method", ["fit", "fit_transform"])
def test_each_document_is_split_once(method):
    seen = []

    def split(document):
        seen.append(document)
        return document.split()

    getattr(SequenceTokenizer(analyzer=split, min_df=2, max_features=3), method)(REVIEWS)
    assert seen == REVIEWS


@pytest.mark.parametrize("params", [{}, {"min_df": 2}, {"analyzer": "char"}, {"analyzer": str.split, "max_length": 2}])
def test_all_ways_to_fit_are_one(params):
    tokenizer = SequenceTokenizer(**params)
    fitted = clone(tokenizer).fit(pd.Series(REVIEWS), y=[0, 1, 0, 1])
    thawed = pickle.loads(pickle.dumps(fitted))
    expected = tokenizer.fit_transform(REVIEWS)
    assert isinstance(expected, TokenSequences)
    for sequences in (fitted.transform(np.array(REVIEWS)), thawed.transform(tuple(REVIEWS))):
        assert tokens_of(sequences) == tokens_of(expected)
        np.testing.assert_array_equal(sequences.spans, expected.spans)
        assert sequences.documents.tolist() == REVIEWS
    assert fitted.vocabulary_ == tokenizer.vocabulary_
    assert fitted.get_params() == params | {
        k: v for k, v in SequenceTokenizer().get_params().items() if k not in params
    }


@given(corpora)
@settings(deadline=None)
def test_characters_come_back_as_they_were(corpus):
    assume(any(corpus))
    tokenizer = SequenceTokenizer(analyzer="char", lowercase=False, on_empty="keep")
    assert tokenizer.inverse_transform(tokenizer.fit_transform(corpus)).tolist() == corpus


def test_inverse_transform_joins_tokens_and_numbers():
    tokenizer = SequenceTokenizer(analyzer="whitespace").fit(["b  A", "c"])
    assert tokenizer.inverse_transform(tokenizer.transform(["c  A x", ""])).tolist() == ["c a <unk>", "<unk>"]
    assert tokenizer.inverse_transform([["b"], ["c", "b"]]).tolist() == ["b", "c b"]
    assert tokenizer.inverse_transform([[2], [3, 0]]).tolist() == ["b", "c <unk>"]
    assert tokenizer.inverse_transform(np.array([[1, 2], [3, 3]])).tolist() == ["a b", "c c"]
    assert tokenizer.inverse_transform([np.array([[1], [2]]), np.array([[3]])]).tolist() == ["a b", "c"]
    assert tokenizer.inverse_transform([[], []]).tolist() == ["", ""]


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([[4]], r"X holds 4, wanted numbers from 0 \(unknown\) to 3"),
        ([[1, -1]], "X holds -1"),
        ([[1.0, 2.0]], "one token .*dtype float64"),
        ([np.array([[1, 2]])], r"shape \(2,\)"),
        (["a b"], "raw document"),
    ],
)
def test_what_cannot_be_joined(X, message):
    with pytest.raises(SequenceDataError, match=message):
        SequenceTokenizer().fit(["a b c"]).inverse_transform(X)
