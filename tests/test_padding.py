"""Padding that came with the data: what is padded is what the ragged list is, for every estimator and format."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sklearn_rnn import AlignedSequences, RNNClassifier, RNNRegressor, RNNSequenceTagger, Sequences, stream
from sklearn_rnn.data import stored
from sklearn_rnn.data.inputs import read
from sklearn_rnn.data.padding import equals_padding, outer_steps, trim
from sklearn_rnn.data.stored import StoredSequences
from sklearn_rnn.exceptions import SequenceDataError
from sklearn_rnn.inspection import sequence_permutation_importance

SMALL = {"hidden_size": 3, "max_epochs": 2, "random_state": 0, "n_threads": 1}

LENGTHS = st.lists(st.integers(1, 6), min_size=4, max_size=8)


def padded(rows, value, *, front, more=0):
    """An array of the rows, one after the other, with `value` where they are short of the longest by `more` or less."""
    n_steps = max(map(len, rows)) + more
    first = np.asarray(rows[0])
    dtype = object if first.dtype.kind in "US" else np.result_type(first, type(value))
    block = np.full((len(rows), n_steps, *first.shape[1:]), value, dtype=dtype)
    for i, row in enumerate(rows):
        begin = n_steps - len(row) if front else 0
        block[i, begin : begin + len(row)] = row
    return block


def steps_of(kind, lengths, rng):
    """Ragged sequences of a kind, a value that is padding, and the parameters to read them with."""
    if kind == "numbers":
        return [rng.normal(size=(n, 2)) for n in lengths], 0.0, {}
    if kind == "nan":
        return [rng.normal(size=(n, 2)) for n in lengths], np.nan, {}
    if kind == "one feature":
        return [rng.normal(size=n) for n in lengths], -1.0, {}
    if kind == "ids":
        return [rng.integers(1, 9, size=n) for n in lengths], 0, {"embedding_dim": 2}
    return [rng.choice(list("abc"), size=n) for n in lengths], "<pad>", {}


KINDS = ["numbers", "nan", "one feature", "ids", "tokens"]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=5, deadline=None)
@given(lengths=LENGTHS, seed=st.integers(0, 99), front=st.booleans(), more=st.integers(0, 3))
@example(lengths=[6, 1, 5, 2, 5, 1], seed=44, front=True, more=0)  # the column of padding repeats like an id
def test_padded_is_ragged_one_target_a_sequence(kind, lengths, seed, front, more):
    rng = np.random.default_rng(seed)
    X, value, parameters = steps_of(kind, lengths, rng)
    block = padded(X, value, front=front, more=more)
    y = np.arange(len(X)) % 2
    for estimator, target in ((RNNClassifier, y), (RNNRegressor, rng.normal(size=len(X)))):
        plain = estimator(**SMALL, **parameters).fit([list(x) for x in X] if kind == "tokens" else X, target)
        told = estimator(padding_value=value, **SMALL, **parameters).fit(block, target)
        np.testing.assert_array_equal(told.transform(block), plain.transform(X))
        np.testing.assert_array_equal(told.predict(block), plain.predict(X))
        np.testing.assert_array_equal(told.predict(X), plain.predict(X))
        assert told.score(block, target) == plain.score(X, target)
        assert told.loss_curve_ == plain.loss_curve_


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=5, deadline=None)
@given(lengths=LENGTHS, seed=st.integers(0, 99), front=st.booleans(), more=st.integers(0, 3))
def test_padded_is_ragged_a_target_a_step(kind, lengths, seed, front, more):
    rng = np.random.default_rng(seed)
    X, value, parameters = steps_of(kind, lengths, rng)
    block = padded(X, value, front=front, more=more)
    labels = [rng.choice(["x", "y"], size=n) for n in lengths]
    numbers = [rng.normal(size=n) for n in lengths]
    weights = [rng.uniform(0.1, 1, size=n) for n in lengths]
    cases = [
        (RNNSequenceTagger, labels, padded(labels, "-", front=front, more=more), {}),
        (RNNRegressor, numbers, padded(numbers, np.nan, front=front, more=more), {"target": "step"}),
    ]
    weight = padded(weights, 0.0, front=front, more=more)
    for estimator, y, y_padded, own in cases:
        plain = estimator(**SMALL, **parameters, **own).fit(X, y, sample_weight=weights)
        told = estimator(padding_value=value, **SMALL, **parameters, **own)
        told.fit(block, y_padded, sample_weight=weight)
        predicted = told.predict(block)
        assert [len(row) for row in predicted] == lengths
        for one, other in zip(predicted, plain.predict(X), strict=True):
            np.testing.assert_array_equal(one, other)
        score = plain.score(X, y, sample_weight=weights)
        assert told.score(block, y_padded, sample_weight=weight) == score
        assert told.loss_curve_ == plain.loss_curve_


@given(st.lists(st.lists(st.booleans(), max_size=6), min_size=1, max_size=6))
def test_outer_steps_are_found_as_by_hand(rows):
    flat = np.array([flag for row in rows for flag in row], dtype=bool)
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    first, last = outer_steps(flat, offsets)
    for row, begin, a, b in zip(rows, offsets, first, last, strict=False):
        real = [i for i, flag in enumerate(row) if not flag]
        assert (a, b) == ((begin + real[0], begin + real[-1] + 1) if real else (begin, begin))


def test_steps_between_others_stay():
    X = np.array([[[0.0], [1.0], [0.0], [0.0], [2.0], [0.0]]])
    trimmed = trim(Sequences(X[0], [0, 6]), 0)
    assert trimmed[0].ravel().tolist() == [1, 0, 0, 2]


def test_all_features_of_padding_equal_the_value():
    values = np.array([[0.0, 1.0], [0.0, 0.0], [np.nan, np.nan]])
    assert equals_padding(values, 0).tolist() == [False, True, False]
    assert equals_padding(values, np.nan).tolist() == [False, False, True]
    assert equals_padding(np.array([1.5, None, pd.NA], dtype=object), np.nan).tolist() == [False, True, True]
    assert equals_padding(np.array([0.1, 0.2], dtype=np.float32), 0.1).tolist() == [True, False]


@pytest.mark.parametrize("wrap", [np.asarray, torch.as_tensor, pd.DataFrame, lambda a: a.tolist()])
def test_every_format_of_a_table(wrap):
    lengths = [3, 1, 4, 2]
    X = [np.arange(1.0, n + 1) for n in lengths]
    inputs, spec = read(wrap(padded(X, 0.0, front=False)), padding_value=0)
    assert inputs.lengths.tolist() == lengths
    assert (spec.table, spec.n_features_in) == (False, 1)  # another width is no error: lengths differ anyway


def test_another_width_in_predict():
    X = [np.arange(1.0, n + 1) for n in (3, 1, 4, 2)]
    model = RNNRegressor(padding_value=0, **SMALL).fit(padded(X, 0.0, front=False), np.arange(4.0))
    wider = padded(X, 0.0, front=False, more=20)
    np.testing.assert_array_equal(model.predict(wider), model.predict(X))


def test_missing_values_between_steps_and_padding_at_the_ends():
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(n, 2)) for n in (4, 2, 5, 3)]
    X[0][1] = np.nan
    X[2][2, 0] = np.nan
    y = np.arange(4.0)
    model = RNNRegressor(missing="mask", padding_value=np.nan, **SMALL)
    block = padded(X, np.nan, front=False)
    plain = RNNRegressor(missing="mask", **SMALL).fit(X, y)
    np.testing.assert_array_equal(model.fit(block, y).predict(block), plain.predict(X))


def test_what_is_cut_off_fills_no_missing_value_of_stored_sequences(monkeypatch, tmp_path):
    monkeypatch.setattr("sklearn_rnn.data.stored.LEFT_ON_DISK", 0)
    block = np.array([[[-9.0], [np.nan], [2.0], [-9.0]], [[1.0], [np.nan], [-9.0], [-9.0]]])
    np.save(tmp_path / "x.npy", block)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert isinstance(stored.keep_stored(Sequences(mapped.reshape(8, 1), [0, 4, 8])), StoredSequences)
    inputs, _ = read(mapped, missing="mask", padding_value=-9)
    assert isinstance(inputs, StoredSequences)
    assert inputs[0].tolist() == [[0, 0], [2, 1]]
    assert inputs[1].tolist() == [[1, 1], [1, 0]]


def test_several_inputs_are_cut_together():
    words = [["a", "b", "-"], ["c", "-", "-"]]
    numbers = np.array([[[1.0], [0.0], [0.0]], [[2.0], [0.0], [0.0]]])
    X = AlignedSequences({"word": words, "number": numbers})
    assert read(X, padding_value={"word": "-"})[0].lengths.tolist() == [2, 1]
    assert read(X, padding_value={"word": "-", "number": 0})[0].lengths.tolist() == [2, 1]
    assert read(X, padding_value={"number": 0})[0].lengths.tolist() == [1, 1]
    y = [["x", "y", "?"], ["y", "?", "?"]]
    tagger = RNNSequenceTagger(padding_value={"word": "-"}, **SMALL).fit(X, y)
    assert [len(tags) for tags in tagger.predict(X)] == [2, 1]


@pytest.mark.parametrize(
    ("X", "value", "words"),
    [
        ([["a", "b"]], 0, r"padding_value=0 can be none of the steps, as X holds strings"),
        ([[1.0, 2.0]], "-", r"padding_value='-' can be none of the steps, as X holds numbers"),
        ([[1.0, 2.0]], {"word": "-"}, r"names inputs, but X is one input a step"),
        ({"w": [["a"]], "v": [[1.0]]}, "-", r"the input 'v' holds numbers: a dict says which"),
        ({"w": [["a"]], "v": [[1.0]]}, {"x": "-"}, r"names 'x', wanted some of the inputs"),
        ([[[0.0], [0.0]], [[1.0], [0.0]]], 0, r"X\[0\] is an empty sequence once padding_value is cut off"),
        ([[[0.0], [0.0]]], 0, r"all 1 sequences have length 0 once padding_value is cut off"),
    ],
)
def test_errors(X, value, words):
    with pytest.raises(SequenceDataError, match=words):
        read(X, padding_value=value)


def test_a_tagger_answers_what_is_padding_throughout_with_an_empty_list():
    X = np.array([[[1.0], [2.0], [0.0]], [[0.0], [0.0], [0.0]]])
    tagger = RNNSequenceTagger(padding_value=0, **SMALL).fit(X, [["x", "y", "-"], ["-", "-", "-"]])
    assert tagger.classes_.tolist() == ["x", "y"]
    assert [len(tags) for tags in tagger.predict(X)] == [2, 0]
    assert tagger.predict(X[1:]).tolist() == [[]]


def test_y_that_belongs_to_nothing_names_both_lengths():
    X = np.array([[[1.0], [2.0], [0.0], [0.0]]])
    with pytest.raises(SequenceDataError, match=r"y\[0\] has 3 labels, but X\[0\] has 2 steps \(4 with padding\)"):
        RNNSequenceTagger(padding_value=0, **SMALL).fit(X, [["x", "y", "x"]])


def test_numbers_of_steps_are_recognised_beside_padding():
    X = padded([np.arange(1.0, n + 1) for n in (3, 1, 4, 2)], 0.0, front=False)
    y = list(np.where(X == 0, 0, X / 2))
    model = RNNRegressor(padding_value=0, **SMALL).fit(X, y)
    assert model.target_alignment_ == "step"
    assert [len(row) for row in model.predict(X)] == [3, 1, 4, 2]


@pytest.mark.parametrize(
    ("X", "words"),
    [
        ([[1.0, np.nan], [np.nan, 2.0]], "All NaN are whole steps at the ends.*set padding_value=numpy.nan, or cut"),
        ([[1.0, np.nan, 2.0, np.nan]], "is padding|are padding: set padding_value.*Of the rest: .*missing='mask'"),
        ([[1.0, np.nan, 2.0]], r"in all\)\. Impute it"),
        ([[[1.0, np.nan], [2.0, 1.0]]], r"in all\)\. Impute it"),
    ],
)
def test_the_error_for_nan_names_what_fits(X, words):
    with pytest.raises(SequenceDataError, match=words) as caught:
        read([np.array(x) for x in X])
    assert ("padding_value" in str(caught.value)) == ("padding" in words)


def test_ids_that_nan_made_floats():
    X = np.array([[1, 2, np.nan], [3, np.nan, np.nan]])
    inputs, spec = read(X, embed=True, padding_value=np.nan)
    assert (spec.kind, inputs.values.tolist(), inputs.values.dtype.kind) == ("ids", [1, 2, 3], "i")
    with pytest.raises(SequenceDataError, match="If the NaN among them is padding, set padding_value"):
        read(X, embed=True)


def test_validation_data_is_cut_too():
    X = padded([np.arange(1.0, n + 1) for n in (3, 1, 4, 2)], 0.0, front=False)
    y = np.arange(4) % 2
    told = RNNClassifier(padding_value=0, **SMALL).fit(X, y, X_val=np.pad(X, ((0, 0), (0, 5))), y_val=y)
    plain = RNNClassifier(padding_value=0, **SMALL).fit(X, y, X_val=X, y_val=y)
    assert told.validation_scores_ == plain.validation_scores_


@pytest.mark.parametrize(
    ("X", "value", "step"),
    [
        ([[[1.0], [0.0]], [[2.0], [3.0]]], 0, [0.0]),
        ([["a", "-"], ["b", "a"]], "-", "-"),
        ({"w": [["a", "-"], ["b", "a"]], "v": [[1.0, 0], [2.0, 1.0]]}, {"w": "-"}, {"w": "-", "v": 1.0}),
    ],
)
def test_a_stream_refuses_padding(X, value, step):
    tagger = RNNSequenceTagger(bidirectional=False, padding_value=value, **SMALL)
    live = stream(tagger.fit(X, [["x", "y"], ["y", "x"]]))
    with pytest.raises(SequenceDataError, match="A step is padding"):
        live.update(step)
    assert live.n_steps_.tolist() == [0]


def test_permutations_refuse_padding():
    X = np.array([[[1.0], [0.0]], [[2.0], [3.0]]] * 4)
    model = RNNClassifier(padding_value=0, **SMALL).fit(X, np.arange(8) % 2)
    with pytest.raises(SequenceDataError, match=r"trim_padding\(X, 0\)"):
        sequence_permutation_importance(model, X, np.arange(8) % 2)


def test_tokens_that_are_none_at_the_ends():
    with pytest.raises(SequenceDataError, match=r"X\[0\]\[1\] is NoneType None.*If it is padding, give it"):
        read([["a", None], ["b", "c"]])
