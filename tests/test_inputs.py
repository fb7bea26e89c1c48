"""The door for one input a step or several."""

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_rnn import AlignedSequences, RNNSequenceTagger, Sequences
from sklearn_rnn.data import cells
from sklearn_rnn.data.aligned import NUMBERS
from sklearn_rnn.data.arrow import read_arrow
from sklearn_rnn.data.inputs import read
from sklearn_rnn.exceptions import SequenceDataError, SequenceDataWarning

COLUMNS = {"token": [["Rome"], ["in", "Oslo"]], "size": [np.array([[1, 2]]), np.array([[3, 4], [5, 6]])]}
DICTS = [[{"word": "Rome", "n": 4}], [{"word": "in", "n": 2, "up": True}, {"word": "Oslo", "n": 4}]]


def fitted(X, **options):
    return read(X, **options)[1]


def read_again(spec, X, **options):
    """What is read of X after ``fit``."""
    inputs, same = read(X, spec, **options)
    assert same is spec
    return inputs


def test_each_input_is_checked_by_itself():
    checked, spec = read(COLUMNS, dtype="float64")
    assert isinstance(checked, AlignedSequences)
    assert spec.n_features_in == 2
    assert spec.feature_names == ("token", "size")
    assert {name: (part.kind, part.n_features) for name, part in spec.inputs.items()} == {
        "token": ("text", 1),
        "size": ("numeric", 2),
    }
    assert checked.inputs["size"].values.dtype == np.float64
    assert checked.inputs["size"].values.tolist() == [[1, 2], [3, 4], [5, 6]]


def test_the_order_of_inputs_is_that_of_fit():
    X = dict(reversed(COLUMNS.items()))
    assert list(read_again(fitted(COLUMNS), X).inputs) == ["token", "size"]


def test_one_input_goes_through_the_other_door():
    checked, spec = read([np.ones((2, 3)), np.ones((1, 3))])
    assert isinstance(checked, Sequences)
    assert (spec.kind, spec.n_features_in) == ("numeric", 3)


def test_missing_numbers_are_carried_forward_in_their_input():
    X = {"token": [["a", "b"]], "size": [[1.0, np.nan]]}
    spec = fitted(X, missing="mask")
    checked = read_again(spec, X, missing="mask")
    assert checked.inputs["size"].values.tolist() == [[1, 1], [1, 0]]
    with pytest.raises(
        SequenceDataError, match=r"^In the input 'size' of X: Input X contains NaN at sequence 0, step 1"
    ):
        fitted(X)
    with pytest.raises(SequenceDataError, match="fitted with missing='mask', and has missing='error' now"):
        read_again(spec, X)


def test_features_of_dicts_at_predict():
    spec = fitted(DICTS)
    with pytest.warns(SequenceDataWarning, match=r"'n' of fit .* at no step of X.*X has 'new', 'other', which fit did"):
        checked = read_again(spec, [[{"up": 1, "new": "x"}, {"word": "Oslo", "other": 9}]])
    assert checked.inputs["word"].values.tolist() == ["<unk>", "Oslo"]
    assert spec.inputs[NUMBERS].columns == ("n", "up")
    assert checked.inputs[NUMBERS].values.tolist() == [[0, 1], [0, 0]]


def test_dicts_of_strings_alone_may_lack_any_at_predict():
    spec = fitted([[{"word": "a", "pos": "N"}]])
    with pytest.warns(SequenceDataWarning, match=r"'pos' of fit .* at no step of X"):
        checked = read_again(spec, [[{"word": "b"}]])
    assert {name: part.values.tolist() for name, part in checked.inputs.items()} == {"word": ["b"], "pos": ["<unk>"]}


def test_numbers_alone_of_dicts_and_none_but_absent_ones():
    spec = fitted([[{"a": 1.0}, {"b": 2.0}]])
    assert read_again(spec, [[{"b": 3}]]).inputs[NUMBERS].values.tolist() == [[0, 3]]


EMPTY = [[], []], np.empty((2, 0)), {"token": [[], []], "size": [[], []]}


@pytest.mark.parametrize(("first", "X"), [*((COLUMNS, X) for X in EMPTY), *((DICTS, X) for X in EMPTY[:2])])
def test_sequences_without_steps_at_predict(first, X):
    spec = fitted(first)
    checked = read_again(spec, X, allow_empty=True)
    assert checked.lengths.tolist() == [0, 0]
    assert {name: part.n_features for name, part in checked.inputs.items()} == {
        name: part.n_features for name, part in spec.inputs.items()
    }


def test_no_sequences_at_predict():
    with pytest.raises(SequenceDataError, match="X is empty"):
        read_again(fitted(COLUMNS), [], allow_empty=True)


@pytest.mark.parametrize(
    ("first", "X", "message"),
    [
        (COLUMNS, {"token": [["a"]]}, r"inputs \['token'\], wanted those of fit: \['token', 'size'\]"),
        (COLUMNS, [["a", "b"]], r"one input a step, wanted those of fit: .* \['token', 'size'\]"),
        (
            COLUMNS,
            {"token": [["a"]], "size": [[1.0]]},
            "In the input 'size' of X: X has 1 features, but it is expecting 2",
        ),
        (
            COLUMNS,
            {"token": [[1]], "size": [np.ones((1, 2))]},
            "In the input 'token' of X: it was fitted on .* strings",
        ),
        ([np.ones((2, 3))], COLUMNS, "fitted on sequences of numbers, got several inputs a step"),
        ([["a", "b"]], DICTS, r"fitted on sequences of strings \(tokens\), got several inputs a step"),
        (DICTS, [[{"word": 1}]], "'word' held strings in fit"),
        (DICTS, [[{"w": "x"}]], "No feature of X was there in fit"),
    ],
)
def test_what_predict_cannot_read(first, X, message):
    with pytest.raises(SequenceDataError, match=message):
        read_again(fitted(first), X)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ({"token": [["a"], []], "pos": [["N"], []]}, r"In the input 'token' of X: X\[1\] is an empty sequence"),
        ({"token": [["a"]], "size": [[np.inf]]}, "In the input 'size' of X: .*infinity.* sequence 0, step 0"),
        ({"token": [["a"], ["b"]], "pos": [["N"], ["N", "V"]]}, "differ in the length of sequence 1"),
    ],
)
def test_what_fit_cannot_read(X, message):
    with pytest.raises(SequenceDataError, match=message):
        fitted(X)


def test_columns_of_an_input_keep_their_names_and_their_order():
    def frames(*columns):
        return {"token": [["a", "b"]], "size": [pd.DataFrame(np.ones((2, 2)), columns=list(columns))]}

    spec = fitted(frames("p", "q"))
    assert read_again(spec, frames("p", "q")).inputs["size"].feature_names == ["p", "q"]
    assert read_again(spec, {"token": [["a"]], "size": [np.ones((1, 2))]}).inputs["size"].feature_names is None
    with pytest.raises(SequenceDataError, match=r"In the input 'size' of X: The feature names should .*\['q', 'p'\]"):
        read_again(spec, frames("q", "p"))


@pytest.mark.parametrize("embed", [False, True])
@settings(max_examples=20, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 4), min_size=1, max_size=5), n_features=st.integers(1, 3), seed=st.integers(0, 9)
)
def test_reading_leaves_no_trace(lengths, n_features, seed, embed):
    rng = np.random.default_rng(seed)
    X = [rng.integers(0, 9, (n, n_features)) if not embed else rng.integers(0, 9, n) for n in lengths]
    for x in X:
        x.setflags(write=False)
    before = pickle.dumps(X)
    inputs, spec = read(X, embed=embed)
    kept = replace(spec)
    again, same = read(X, spec)
    assert same is spec
    assert spec == kept == read(X, embed=embed)[1]
    np.testing.assert_array_equal(again.values, inputs.values)
    np.testing.assert_array_equal(inputs.values, np.concatenate(X))
    assert pickle.dumps(X) == before


@pytest.mark.parametrize(
    "X", [COLUMNS, DICTS, pd.DataFrame(COLUMNS), pd.DataFrame(np.ones((2, 3)), columns=list("abc"))]
)
def test_what_was_read_and_the_spec_stay_as_they_are(X):
    before, spec = pickle.dumps(X), fitted(X)
    kept = pickle.dumps(spec)
    read_again(spec, X)
    with pytest.raises(SequenceDataError, match=r"Somebody was fitted on sequences of numbers|X is one input a step"):
        read([["a"], ["b"]], spec, reader="Somebody")
    assert (pickle.dumps(X), pickle.dumps(spec)) == (before, kept)


def test_an_arrow_column_is_read_once(monkeypatch):
    seen = []
    monkeypatch.setattr(cells, "read_arrow", lambda X, **names: seen.append(X) or read_arrow(X, **names))
    column = pa.array([[1.0, 2.0], [3.0]])
    for X in (column, pa.table({"a": column, "b": column})):
        seen.clear()
        read(X)
        assert seen == [X]


def test_y_is_read_as_tokens():
    y = [["Rome", "is"], ["far"]]
    labels, spec = read(y, name="y")
    assert (spec.kind, labels.values.tolist()) == ("text", ["Rome", "is", "far"])
    numbers, spec = read([[3, 1], [2]], embed=True, allow_empty=True, name="y")
    assert (spec.kind, numbers.values.tolist()) == ("ids", [3, 1, 2])
    assert read_again(spec, [[5], []], allow_empty=True, name="y").lengths.tolist() == [1, 0]
    assert read(np.array([[3, 1], [2, 0]]), embed=True, name="y")[1].kind == "ids"


@pytest.mark.parametrize(
    ("first", "y", "message"),
    [
        (None, [["a"], []], r"^y\[1\] is an empty sequence"),
        (None, [[], []], r"^y is empty"),
        (None, [], r"^y is empty"),
        (None, "a b", r"^y must be a collection of sequences"),
        (None, ["a b"], r"^y\[0\] is the raw document"),
        (None, [["a", 1]], r"^y\[0\]\[1\] is int 1"),
        (None, [[1.5]], r"each step of y must be one token"),
        (None, [[{"a": 1}, 2]], r"^y\[0\]\[1\] is 2 where other steps are dicts"),
        (
            None,
            {"a": [["b"]], "c": [["d", "e"]]},
            r"^The inputs of y differ .*y\['a'\]\[0\] has 1 .*y\['c'\]\[0\] has 2",
        ),
        (None, {"a": [[np.inf]]}, r"^In the input 'a' of y: Input y contains infinity"),
        ([["a"]], [[1]], r"^the estimator was fitted on sequences of strings \(tokens\), got numbers in y$"),
        ({"a": [["b"]]}, {"c": [["d"]]}, r"^y has the inputs \['c'\], wanted"),
        ({"a": [["b"]]}, [["d"]], r"^y is one input a step"),
        ([[{"a": "b"}]], [[{"c": "d"}]], r"^No feature of y was there in fit: y has"),
        ([[{"a": "b"}]], [[{"a": 1}]], r"holds the other in y now"),
    ],
)
def test_messages_call_y_by_its_name(first, y, message):
    spec = None if first is None else read(first, embed=True, name="y")[1]
    with pytest.raises(SequenceDataError, match=message):
        read(y, spec, embed=True, name="y")


def test_a_tagger_reads_all_formats_alike():
    X = {"token": [["Rome", "is"], ["in", "Oslo", "too"]] * 4, "size": [[4.0, 2.0], [2.0, 4.0, 3.0]] * 4}
    y = [["P", "O"], ["O", "P", "O"]] * 4
    dicts = [
        [{"token": token, "size": size} for token, size in zip(*steps, strict=True)]
        for steps in zip(X["token"], X["size"], strict=True)
    ]
    found = []
    for inputs in (X, pd.DataFrame(X), AlignedSequences(X), dicts):
        tagger = RNNSequenceTagger(hidden_size=4, embedding_dim=3, max_epochs=2, random_state=0).fit(inputs, y)
        found.append(np.concatenate(tagger.predict_proba(inputs)))
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])
