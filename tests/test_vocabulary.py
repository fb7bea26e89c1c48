"""Vocabularies against CountVectorizer."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer

from sklearn_rnn import Sequences
from sklearn_rnn.data.vocabulary import encode_tokens, factorize, learn_vocabulary
from sklearn_rnn.exceptions import SequenceDataError

documents = st.lists(st.lists(st.sampled_from(list("abcdefg")), max_size=6), min_size=1, max_size=8).filter(any)


def container(lists):
    values = np.array([token for part in lists for token in part], dtype=object)
    return Sequences(values, np.concatenate([[0], np.cumsum([len(part) for part in lists])]))


limits = st.one_of(st.integers(1, 4), st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]))


@given(documents, limits, st.one_of(st.just(1.0), limits), st.one_of(st.none(), st.integers(1, 5)))
@settings(deadline=None, max_examples=150)
def test_the_vocabulary_is_that_of_count_vectorizer(lists, min_df, max_df, max_features):
    vectorizer = CountVectorizer(analyzer=list, min_df=min_df, max_df=max_df)
    try:
        counts = vectorizer.fit_transform(lists).sum(axis=0).A1
    except ValueError as error:
        message = r"corresponds to < documents" if "corresponds to" in str(error) else r"The vocabulary is empty"
        with pytest.raises(ValueError, match=message):
            learn_vocabulary(container(lists), min_df=min_df, max_df=max_df, max_features=max_features)
        return
    by_count = sorted(zip((-counts).tolist(), vectorizer.get_feature_names_out().tolist(), strict=True))
    expected = sorted(token for _, token in by_count[:max_features])
    found = learn_vocabulary(container(lists), min_df=min_df, max_df=max_df, max_features=max_features)
    assert list(found.items()) == [(token, index) for index, token in enumerate(expected, start=1)]


def test_ids_are_tokens_too():
    sequences = Sequences(np.array([10, 2, 10, 7]), [0, 2, 4])
    assert learn_vocabulary(sequences) == {2: 1, 7: 2, 10: 3}
    assert learn_vocabulary(sequences, min_df=2) == {10: 1}


def test_the_unknown_token_gets_no_index():
    lists = [["<unk>", "<unk>", "b"], ["<unk>", "a"]]
    assert learn_vocabulary(container(lists)) == {"a": 1, "b": 2}
    assert learn_vocabulary(container(lists), max_features=1) == {"a": 1}
    assert encode_tokens(container(lists).values, {"a": 1, "b": 2}).tolist() == [0, 0, 2, 0, 1]


def test_the_error_says_what_to_lower():
    message = r"of 2 distinct tokens min_df=0\.9 left out 2, .* fewer than 1\.8 of 2 documents, .* Lower min_df"
    with pytest.raises(SequenceDataError, match=message):
        learn_vocabulary(container([["a"], ["b"]]), min_df=0.9)


@given(st.lists(st.one_of(st.text(max_size=3))))
@settings(deadline=None)
def test_factors_make_the_values_again(listed):
    values = np.array(listed, dtype=object)
    distinct, codes = factorize(values)
    assert distinct == sorted(set(listed))
    assert [distinct[code] for code in codes] == listed


@given(documents, st.data(), limits, st.one_of(st.none(), st.integers(1, 5)))
@settings(deadline=None, max_examples=100)
def test_a_count_of_sequences_is_that_of_repeats(lists, data, min_df, max_features):
    counts = data.draw(st.lists(st.integers(1, 4), min_size=len(lists), max_size=len(lists)))
    repeated = [part for part, count in zip(lists, counts, strict=True) for _ in range(count)]

    def learned(lists, counts):
        try:
            return learn_vocabulary(container(lists), min_df=min_df, max_features=max_features, counts=counts)
        except ValueError as error:
            return str(error)

    assert learned(lists, np.array(counts, dtype=float)) == learned(repeated, None)


def test_sequences_that_are_there_in_part_count_as_one_and_by_share():
    lists, counts = [["a"], ["b"], ["b"], ["c"]], np.array([0.9, 0.2, 0.2, 0.3])
    assert list(learn_vocabulary(container(lists), counts=counts)) == ["a", "b", "c"]
    assert list(learn_vocabulary(container(lists), min_df=2, counts=counts)) == ["b"]
    assert list(learn_vocabulary(container(lists), max_features=1, counts=counts)) == ["a"]
