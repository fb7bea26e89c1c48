"""What a tokenizer refuses, and what it warns of."""

import pytest
from documents import REVIEWS
from sklearn.exceptions import NotFittedError
from sklearn.utils._param_validation import InvalidParameterError

from sklearn_rnn import SequenceTokenizer


@pytest.mark.parametrize(
    ("vocabulary", "message"),
    [
        ([], "empty vocabulary"),
        ("so good", "'vocabulary' parameter .* Got 'so good'"),
        (["a", "b", "a"], "Duplicate term in vocabulary: 'a'"),
        (["a", 3], "must hold tokens .*got 3$"),
        ({"a", None}, "must hold tokens .*got None$"),
        (["a", ""], "must hold tokens .*got ''$"),
        (["<unk>", "a"], "got '<unk>': it stands for all tokens outside"),
        ({"a": 0, "b": 1}, r"number its 2 tokens from 1 to 2.* give sorted\(vocabulary, key=vocabulary.get\)"),
        ({"a": 1, "b": 1}, "number its 2 tokens from 1 to 2, each once"),
        (3, "'vocabulary' parameter"),
    ],
)
def test_a_vocabulary_that_cannot_be(vocabulary, message):
    with pytest.raises(ValueError, match=message):
        SequenceTokenizer(vocabulary=vocabulary).fit(REVIEWS)


def test_a_vocabulary_that_no_document_can_match():
    with pytest.warns(UserWarning, match="1 of 2 tokens of vocabulary will not be matched .*'Good'.*make it 'good'"):
        SequenceTokenizer(vocabulary=["Good", "so"]).fit(REVIEWS)
    with pytest.warns(UserWarning, match="strip_accents='unicode' make it 'ete'"):
        SequenceTokenizer(vocabulary=["été"], strip_accents="unicode").fit(REVIEWS)
    SequenceTokenizer(vocabulary=["Good", "été"], lowercase=False).fit(REVIEWS)  # no warning


@pytest.mark.parametrize(
    ("params", "documents", "message"),
    [
        ({"min_df": 3}, ["a b", "b c"], "max_df=1.0 corresponds to < documents than min_df=3: of 2 .*at most 2"),
        (
            {"min_df": 0.9},
            ["a", "b c"],
            r"3 distinct tokens min_df=0.9 left out 3, .* fewer than 1.8 of 2 .*max_df=1.0",
        ),
        ({"max_df": 1}, ["a", "a"], r"min_df=1 left out 0.*max_df=1 left out 1, which are in more than 1"),
        ({"token_pattern": r"\d+"}, ["a", "b"], r"empty: token_pattern='\\\\d\+' matches nothing in 2 documents"),
        ({"analyzer": "whitespace"}, [" "], "empty: no token in 1 documents with analyzer='whitespace'"),
        ({"analyzer": lambda document: []}, ["a"], "empty: no token in 1 documents with analyzer=<function"),
        ({}, [], "raw_documents is empty: found 0"),
        ({}, "a b", "Iterable over raw text documents expected, string object received: raw_documents is"),
        ({}, ["a", None], r"raw_documents\[1\] is NoneType None where a document"),
        ({"token_pattern": "(a)(b)"}, ["ab"], r"token_pattern='\(a\)\(b\)' has 2 capturing groups, wanted at most one"),
        ({"token_pattern": "(a"}, ["ab"], r"token_pattern='\(a' is no regular expression"),
    ],
)
def test_what_cannot_be_fitted(params, documents, message):
    with pytest.raises(ValueError, match=message):
        SequenceTokenizer(**params).fit(documents)


@pytest.mark.parametrize(
    "params",
    [
        {"analyzer": "char_wb"},
        {"lowercase": "yes"},
        {"token_pattern": None},
        {"strip_accents": "latin"},
        {"min_df": 0},
        {"min_df": 1.5},
        {"max_df": -1},
        {"max_features": 0},
        {"max_length": 0},
        {"truncate": "middle"},
        {"on_empty": "drop"},
        {"vocabulary": iter(["a"])},
    ],
)
def test_wrong_parameters_are_named(params):
    with pytest.raises(InvalidParameterError, match=f"The '{next(iter(params))}' parameter of SequenceTokenizer"):
        SequenceTokenizer(**params).fit(REVIEWS)


def test_an_unfitted_tokenizer_says_so():
    for call in (
        lambda t: t.transform(REVIEWS),
        lambda t: t.inverse_transform([["a"]]),
        lambda t: t.get_feature_names_out(),
    ):
        with pytest.raises(NotFittedError):
            call(SequenceTokenizer())
