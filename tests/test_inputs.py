"""The door for one input a step or several."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from sklearn_rnn import AlignedSequences, RNNSequenceTagger, Sequences
from sklearn_rnn.data.aligned import NUMBERS
from sklearn_rnn.data.inputs import validate_inputs
from sklearn_rnn.exceptions import SequenceDataError

COLUMNS = {"token": [["Rome"], ["in", "Oslo"]], "size": [np.array([[1, 2]]), np.array([[3, 4], [5, 6]])]}
DICTS = [[{"word": "Rome", "n": 4}], [{"word": "in", "n": 2, "up": True}, {"word": "Oslo", "n": 4}]]


def fitted(X, **options):
    state = SimpleNamespace()
    validate_inputs(state, X, reset=True, **options)
    return state


def test_each_input_is_checked_by_itself():
    state = SimpleNamespace()
    checked = validate_inputs(state, COLUMNS, reset=True, dtype="float64")
    assert isinstance(checked, AlignedSequences)
    assert state.n_features_in_ == 2
    assert state.feature_names_in_.tolist() == ["token", "size"]
    assert {name: (spec.kind, spec.n_features) for name, spec in state.input_spec_.inputs.items()} == {
        "token": ("text", 1),
        "size": ("numeric", 2),
    }
    assert checked.inputs["size"].values.dtype == np.float64
    assert checked.inputs["size"].values.tolist() == [[1, 2], [3, 4], [5, 6]]


def test_the_order_of_inputs_is_that_of_fit():
    X = dict(reversed(COLUMNS.items()))
    assert list(validate_inputs(fitted(COLUMNS), X, reset=False).inputs) == ["token", "size"]


def test_one_input_goes_through_the_other_door():
    state = SimpleNamespace()
    checked = validate_inputs(state, [np.ones((2, 3)), np.ones((1, 3))], reset=True)
    assert isinstance(checked, Sequences)
    assert (state.input_spec_.kind, state.n_features_in_) == ("numeric", 3)


def test_missing_numbers_are_carried_forward_in_their_input():
    X = {"token": [["a", "b"]], "size": [[1.0, np.nan]]}
    state = fitted(X, missing="mask")
    checked = validate_inputs(state, X, reset=False, missing="mask")
    assert checked.inputs["size"].values.tolist() == [[1, 1], [1, 0]]
    with pytest.raises(
        SequenceDataError, match=r"^In the input 'size' of X: Input X contains NaN at sequence 0, step 1"
    ):
        fitted(X)
    with pytest.raises(SequenceDataError, match="fitted with missing='mask', and has missing='error' now"):
        validate_inputs(state, X, reset=False)


def test_features_of_dicts_at_predict():
    state = fitted(DICTS)
    checked = validate_inputs(state, [[{"up": 1, "new": "x"}, {"word": "Oslo", "other": 9}]], reset=False)
    assert checked.inputs["word"].values.tolist() == ["<unk>", "Oslo"]
    assert state.input_spec_.inputs[NUMBERS].columns == ("n", "up")
    assert checked.inputs[NUMBERS].values.tolist() == [[0, 1], [0, 0]]


def test_dicts_of_strings_alone_may_lack_any_at_predict():
    state = fitted([[{"word": "a", "pos": "N"}]])
    checked = validate_inputs(state, [[{"word": "b"}]], reset=False)
    assert {name: part.values.tolist() for name, part in checked.inputs.items()} == {"word": ["b"], "pos": ["<unk>"]}


def test_numbers_alone_of_dicts_and_none_but_absent_ones():
    state = fitted([[{"a": 1.0}, {"b": 2.0}]])
    assert validate_inputs(state, [[{"b": 3}]], reset=False).inputs[NUMBERS].values.tolist() == [[0, 3]]


EMPTY = [[], []], np.empty((2, 0)), {"token": [[], []], "size": [[], []]}


@pytest.mark.parametrize(("first", "X"), [*((COLUMNS, X) for X in EMPTY), *((DICTS, X) for X in EMPTY[:2])])
def test_sequences_without_steps_at_predict(first, X):
    state = fitted(first)
    checked = validate_inputs(state, X, reset=False, allow_empty=True)
    assert checked.lengths.tolist() == [0, 0]
    assert {name: part.n_features for name, part in checked.inputs.items()} == {
        name: spec.n_features for name, spec in state.input_spec_.inputs.items()
    }


def test_no_sequences_at_predict():
    with pytest.raises(SequenceDataError, match="X is empty"):
        validate_inputs(fitted(COLUMNS), [], reset=False, allow_empty=True)


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
        validate_inputs(fitted(first), X, reset=False)


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
