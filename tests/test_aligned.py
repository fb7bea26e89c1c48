"""Several inputs a step: their formats, and the features of dicts against DictVectorizer."""

import pickle
from itertools import chain

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.feature_extraction import DictVectorizer
from sklearn.model_selection import train_test_split

from sklearn_rnn import AlignedSequences, Sequences
from sklearn_rnn.data.aligned import NUMBERS, read_aligned
from sklearn_rnn.exceptions import SequenceDataError

TOKENS = [["Rome"], ["in", "Oslo"], ["at", "the", "sea"]]
TAGS = [["NNP"], ["IN", "NNP"], ["IN", "DT", "NN"]]
NUMBERS_OF_STEPS = [[1.0], [2.0, 3.0], [4.0, 5.0, 6.0]]
COLUMNS = {"token": TOKENS, "pos": TAGS, "size": NUMBERS_OF_STEPS}


def listed(aligned):
    return {name: [np.ravel(part).tolist() for part in sequences] for name, sequences in aligned.inputs.items()}


def object_array(items):
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


@pytest.mark.parametrize(
    "X",
    [
        COLUMNS,
        {name: object_array(column) for name, column in COLUMNS.items()},
        {name: pd.Series(column) for name, column in COLUMNS.items()},
        AlignedSequences(COLUMNS),
        pd.DataFrame(COLUMNS),
        pd.DataFrame(COLUMNS, index=[7, 7, 3]),
        pl.DataFrame(COLUMNS),
        pa.table(COLUMNS),
    ],
    ids=["dict", "arrays", "series", "aligned", "pandas", "index", "polars", "arrow"],
)
def test_every_format_is_the_same_inputs(X):
    aligned = read_aligned(X)
    assert listed(aligned) == COLUMNS
    assert list(aligned.inputs) == list(COLUMNS)
    assert aligned.lengths.tolist() == [1, 2, 3]
    assert not aligned.from_dicts


@pytest.mark.parametrize(
    "X",
    [
        TOKENS,
        NUMBERS_OF_STEPS,
        np.zeros((3, 4)),
        np.zeros((3, 4, 2)),
        pd.DataFrame(np.zeros((3, 4))),
        pd.DataFrame({"a": ["x y"], "b": ["z"]}),
        pd.Series(TOKENS),
        pd.DataFrame({"only": TOKENS}),
        Sequences(np.zeros((3, 2)), [0, 3]),
        ["one text", "another"],
        [],
    ],
    ids=lambda X: type(X).__name__,
)
def test_what_is_one_input_is_left_alone(X):
    assert read_aligned(X) is None


def test_it_is_a_collection():
    X = AlignedSequences(COLUMNS)
    assert (len(X), X.shape, X.ndim, X.n_features) == (3, (3,), 1, 3)
    assert [step["pos"].tolist() for step in X] == TAGS
    assert X[-1]["token"].tolist() == TOKENS[-1]
    with pytest.raises(IndexError):
        X[3]
    assert repr(X) == "AlignedSequences(n_sequences=3, inputs=['token', 'pos', 'size'])"


@pytest.mark.parametrize("key", [slice(1, None), [2, 0, 2], np.array([True, False, True]), slice(0, 0)])
def test_subsets_are_those_of_each_input(key):
    picked = np.arange(3)[key].tolist()
    expected = {name: [column[i] for i in picked] for name, column in COLUMNS.items()}
    X = AlignedSequences(COLUMNS)
    assert listed(X[key]) == listed(X[(key, ...)]) == listed(X.take(picked)) == expected


@pytest.mark.parametrize("cut", ["head", "tail"])
def test_truncation_keeps_the_other_end(cut):
    kept = slice(-2, None) if cut == "head" else slice(2)
    expected = {name: [part[kept] for part in column] for name, column in COLUMNS.items()}
    assert listed(AlignedSequences(COLUMNS).truncate(2, cut=cut)) == expected


def test_a_copy_by_pickle_is_equal():
    X = read_aligned([[{"a": "x", "b": 1}]])
    copy = pickle.loads(pickle.dumps(X))
    assert listed(copy) == listed(X)
    assert copy.from_dicts
    assert X[:0].from_dicts


def test_train_test_split_picks_whole_sequences():
    parts = train_test_split(AlignedSequences(COLUMNS), [0, 1, 2], test_size=1, random_state=0)
    for X, y in (parts[::2], parts[1::2]):
        assert listed(X) == {name: [column[i] for i in y] for name, column in COLUMNS.items()}


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ({}, "X holds no input"),
        ({"a": TOKENS, 1: TAGS}, "names that are strings, got 1"),
        ({"a": TOKENS, "b": TAGS[:2]}, r"number of sequences: X\['a'\] has 3, X\['b'\] has 2"),
        (
            {"a": TOKENS, "b": [["x"], ["x"], ["x", "y", "z"]]},
            r"length of sequence 1: X\['a'\]\[1\] has 2 steps, X\['b'\]\[1\] has 1",
        ),
        ({"a": TOKENS, "b": [["x"], [None, "y"], ["z"]]}, r"X\['b'\]\[1\]\[0\]"),
        (pd.DataFrame([[["a"], ["b"]]], columns=["t", "t"]), "more than one column of the name 't'"),
        (pd.DataFrame([[["a"], ["b"]]], columns=["1", 1]), "more than one column of the name '1'"),
        ([[{"a:b": 1, "a": {"b": 2}}]], "two features of the name 'a:b'"),
        ([[{"a": {"b": 2}, "a:b": 1}]], "two features of the name 'a:b'"),
        ([[{"a": {"b": 2}, "a:b": None, "a:c": 1}, {"a": {"c"}, "a:c": "x"}]], "two features of the name 'a:c'"),
        ([[{NUMBERS: 1}]], "a feature of the name '<numbers>', which is reserved"),
        ([[{"a": "x"}], [{"a": 1}]], "'a' is a string at some steps and a number at others"),
        ([[{"a": 1j}]], "The feature 'a' of a step is 1j, which is not a number: a complex number"),
        ([[{"a": object}]], "The feature 'a' of a step is <class 'object'>, wanted a string"),
        ([[{"b": 1}, {"a": np.zeros((2, 2))}]], r"In X\[0\]\[1\]: The feature 'a' of a step is array"),
        ([[{"a": 1}], [{"a": 1}, "b"]], r"X\[1\]\[1\] is 'b' where other steps are dicts"),
    ],
)
def test_errors(X, message):
    with pytest.raises(SequenceDataError, match=message):
        read_aligned(X)


values = st.one_of(
    st.booleans(),
    st.integers(-3, 3),
    st.floats(-2, 2, width=16),
    st.none(),
    st.sets(st.sampled_from("uvw")),
    st.lists(st.sampled_from("uvw"), unique=True),
    st.dictionaries(st.sampled_from("pq"), st.integers(-3, 3)),
)
steps_of_dicts = st.lists(
    st.lists(st.dictionaries(st.sampled_from(["a", "b", "c"]), values), min_size=1, max_size=3), min_size=1, max_size=4
)


def flattened(value, name):
    """What a feature is for DictVectorizer, which knows one level and no None."""
    if isinstance(value, dict):
        return {f"{name}:{key}": float(inner) for key, inner in value.items()}
    if isinstance(value, (set, list)):
        return {f"{name}:{item}": 1.0 for item in value}
    return {} if value is None else {name: float(value)}


@given(steps_of_dicts)
@settings(deadline=None, max_examples=60)
def test_numbers_of_dicts_are_those_of_dict_vectorizer(X):
    flat = [
        {key: number for name, value in step.items() for key, number in flattened(value, name).items()}
        for step in chain.from_iterable(X)
    ]
    vectorizer = DictVectorizer(sparse=False).fit(flat)
    aligned = read_aligned(X)
    assert aligned.from_dicts
    assert aligned.lengths.tolist() == [len(sequence) for sequence in X]
    block = aligned.inputs[NUMBERS]
    names = block.feature_names
    assert sorted(names) == vectorizer.feature_names_
    if names:
        order = np.argsort(np.array(names))
        assert_array_equal(block.values[:, order], vectorizer.transform(flat))


def test_dict_vectorizer_names_sets_and_lists_alike():
    X = [[{"shape": {"p", "q"}, "suffix": ["u"], "n": 2, "up": True, "none": None}]]
    vectorizer = DictVectorizer(sparse=False, separator=":")
    row = dict(zip(vectorizer.fit(X[0]).feature_names_, vectorizer.transform(X[0])[0].tolist(), strict=True))
    row.pop("none")
    block = read_aligned(X).inputs[NUMBERS]
    assert dict(zip(block.feature_names, block.values[0].tolist(), strict=True)) == row


def test_strings_of_dicts_are_inputs_of_their_own():
    X = [[{"word": "Rome", "len": 4}, {"word": "is", "outer": {"inner": {"deep": "x"}}}], [{"up": np.True_}]]
    for steps in (X, object_array(X), pd.Series(X), [tuple(item) for item in X]):
        aligned = read_aligned(steps)
        assert list(aligned.inputs) == ["word", "outer:inner:deep", NUMBERS]
        assert aligned.inputs["word"].values.tolist() == ["Rome", "is", "<unk>"]
        assert aligned.inputs["outer:inner:deep"].values.tolist() == ["<unk>", "x", "<unk>"]
        assert aligned.inputs[NUMBERS].feature_names == ["len", "up"]
        assert aligned.inputs[NUMBERS].values.tolist() == [[4, 0], [0, 0], [0, 1]]
    container = Sequences(object_array([*X[0], *X[1]]), [0, 2, 3])
    assert listed(read_aligned(container)) == listed(aligned)


def test_strings_alone_need_no_numbers():
    assert list(read_aligned([[{"word": "Rome"}]]).inputs) == ["word"]


def test_empty_sequences_of_dicts():
    aligned = read_aligned([[], [{"word": "Rome", "n": 1}], []])
    assert aligned.lengths.tolist() == [0, 1, 0]
    assert aligned[1]["word"].tolist() == ["Rome"]


def test_features_of_dicts_that_are_absent_are_unknown_or_0_and_new_ones_dropped():
    wanted = {"pos": None, NUMBERS: ["b", "a"], "word": None}
    aligned = read_aligned([[{"a": 1, "new": 5, "word": "x", "other": "y"}]]).completed(wanted)
    assert list(aligned.inputs) == list(wanted)
    assert listed(aligned) == {"pos": [["<unk>"]], NUMBERS: [[0.0, 1.0]], "word": [["x"]]}
    assert aligned.inputs[NUMBERS].feature_names == ["b", "a"]
    assert listed(read_aligned([[{"word": "x"}]]).completed(wanted))[NUMBERS] == [[0.0, 0.0]]


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"a": "x"}, "'a' held numbers in fit, and holds the other"),
        ({"word": 1}, "'word' held strings in fit, and holds the other"),
        ({"z": 1, "y": "u"}, r"No feature of X was there in fit: X has \['y', 'z'\], fit had \['a', 'word'\]"),
        ({}, r"No feature of X was there in fit: X has \[\]"),
    ],
)
def test_features_of_dicts_that_cannot_be_those_of_fit(step, message):
    with pytest.raises(SequenceDataError, match=message):
        read_aligned([[step]]).completed({"word": None, NUMBERS: ["a"]})


def test_named_inputs_must_be_those_of_fit_in_any_order():
    X = AlignedSequences(COLUMNS)
    assert list(X.completed({"size": [], "token": None, "pos": None}).inputs) == ["size", "token", "pos"]
    with pytest.raises(SequenceDataError, match=r"inputs \['token', 'pos', 'size'\], wanted those of fit: \['token'\]"):
        X.completed({"token": None})


def test_values_for_the_steps():
    part = AlignedSequences(COLUMNS).with_values(np.arange(6))
    assert [item.tolist() for item in part] == [[0], [1, 2], [3, 4, 5]]
