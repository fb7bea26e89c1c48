"""Steps of words, of lists of words and of dicts, and the transformers that read them."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction import DictVectorizer, FeatureHasher
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
)
from step_arrays import assert_steps

from sklearn_rnn import PerStep

WORDS = [["b", "a"], ["c"], [], ["a", "a", "b"]]


@pytest.mark.parametrize(
    "make", [list, pd.Series, lambda X: [np.array(part, dtype=object) for part in X]], ids=["lists", "Series", "arrays"]
)
def test_words_are_encoded(make):
    encoder = PerStep(OneHotEncoder(handle_unknown="ignore"))
    out = encoder.fit_transform(make(WORDS))
    assert_steps(out, np.eye(3)[[1, 0, 2, 0, 0, 1]], [2, 1, 0, 3])
    assert [part.tolist() for part in encoder.inverse_transform(out)] == WORDS
    assert_steps(encoder.transform([["d", "c"]]), [[0, 0, 0], [0, 0, 1]], [2])
    assert encoder.get_feature_names_out().tolist() == ["x0_a", "x0_b", "x0_c"]


def test_steps_of_several_words():
    X = [[["run", "slow"], ["walk", "slow"]], [["run", "fast"]]]
    encoder = PerStep(OrdinalEncoder())
    out = encoder.fit_transform(X)
    assert_steps(out, [[0, 1], [1, 1], [0, 0]], [2, 1])
    assert [part.tolist() for part in encoder.inverse_transform(out)] == X


def test_steps_of_words_and_numbers():
    X = [[["run", 3.0], ["walk", 5.0]], [["run", 4.0]]]
    columns = ColumnTransformer([("word", OneHotEncoder(), [0]), ("number", MinMaxScaler(), [1])])
    assert_steps(PerStep(columns).fit_transform(X), [[1, 0, 0], [0, 1, 1], [1, 0, 0.5]], [2, 1])


DICTS = [[{"a": 1.0, "b": 2.0}, {"b": 3.0}], [{}], [], [{"c": 1.0}]]


def test_dicts():
    vectorizer = PerStep(DictVectorizer())
    out = vectorizer.fit_transform(DICTS)
    assert_steps(out, [[1, 2, 0], [0, 3, 0], [0, 0, 0], [0, 0, 1]], [2, 1, 0, 1])
    assert [part.tolist() for part in vectorizer.inverse_transform(out)] == DICTS
    assert vectorizer.get_feature_names_out().tolist() == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("X", "rows", "input_type"),
    [
        (DICTS, [{"a": 1.0, "b": 2.0}, {"b": 3.0}, {}, {"c": 1.0}], "dict"),
        ([[["x", "y"], ["x"]], [], [["z", "z", "y"]]], [["x", "y"], ["x"], ["z", "z", "y"]], "string"),
        ([[["x", "y"], ["x", "z"]]], [["x", "y"], ["x", "z"]], "string"),
        (WORDS, [["b"], ["a"], ["c"], ["a"], ["a"], ["b"]], "string"),
    ],
    ids=["dicts", "lists of strings", "lists of equal length", "strings"],
)
@pytest.mark.parametrize("wrap", [lambda hasher: hasher, lambda hasher: make_pipeline(hasher, FunctionTransformer())])
def test_hashing(X, rows, input_type, wrap):
    hasher = FeatureHasher(8, input_type=input_type)
    expected = hasher.transform(rows).toarray()
    assert_steps(PerStep(wrap(hasher)).fit_transform(X), expected, [len(part) for part in X])


def test_hashing_of_lists_whose_lengths_come_to_differ():
    hasher = PerStep(FeatureHasher(8, input_type="string")).fit([[["x", "y"], ["x", "z"]]])
    assert hasher.transform([[["x"], ["x", "y", "z"]]]).values.shape == (2, 8)


@pytest.mark.parametrize("wrap", [lambda text: text, lambda text: make_pipeline(text, FunctionTransformer())])
def test_words_as_texts(wrap):
    letters = PerStep(wrap(CountVectorizer(analyzer="char")))
    out = letters.fit_transform([["ab", "bb"], ["a"]])
    assert_steps(out, [[1, 1], [0, 2], [1, 0]], [2, 1])
