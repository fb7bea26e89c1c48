"""What cannot be fitted is refused with an error that says what came, what was wanted, and where.

A row of the table is one bad input and what the message must show. Wrong parameters and what goes wrong after the data
are read have tables of their own in the two files beside this one.
"""

import datetime
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
from samples import small
from sklearn.exceptions import NotFittedError

from sklearn_rnn import RNNClassifier, RNNRegressor, RNNSequenceTagger, Sequences
from sklearn_rnn.exceptions import SequenceDataError, SwappedAxesWarning

X = [np.random.default_rng(i).normal(size=(length, 3)) for i, length in enumerate((3, 5, 2, 4, 6, 3))]
LABELS = list("ababab")
NUMBERS = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
TAGS = [["B"] + ["O"] * (len(x) - 1) for x in X]
TOKENS = [["fly", "to"], ["to"], ["Oslo", "to", "fly"], ["fly"], ["to", "Oslo"], ["Oslo"]]
TABLE = np.arange(24.0).reshape(6, 4)
POSITIONS = [np.arange(float(len(x))) for x in TOKENS]


def replaced(sequences, i, item):
    """The list with another item at position `i`."""
    return [*sequences[:i], item, *sequences[i + 1 :]]


def spoiled(value):
    """X with one bad value: sequence 2, step 1, column 0."""
    bad = X[2].copy()
    bad[1, 0] = value
    return replaced(X, 2, bad)


def masked():
    return np.ma.masked_array(np.zeros((6, 4, 3)), mask=np.eye(6, 4)[:, :, None] > np.zeros(3))


def frames(*columns):
    return [pd.DataFrame(x, columns=list(columns[i % len(columns)])) for i, x in enumerate(X)]


def case(name, X, y, message, error=SequenceDataError, *, estimator=RNNClassifier, parameters=None, **fit_parameters):
    return pytest.param(estimator, parameters or {}, X, y, fit_parameters, message, error, id=name)


COLLECTIONS = [
    case("a number", 3, LABELS, r"X must be a collection of sequences .*got int 3"),
    case("None", None, LABELS, r"X must be a collection of sequences .*got NoneType None"),
    case("one document", "fly to Oslo", LABELS, r"X must be a collection of sequences .*'fly to Oslo'"),
    case("a set", {1, 2}, LABELS, r"X must be a collection of sequences .*set \{1, 2\}"),
    case("a generator", (x for x in X), LABELS, r"X must be a collection of sequences .*generator"),
    case("a zero-dimensional array", np.array(3.0), LABELS, r"Expected 2D array, got scalar array", ValueError),
    case("one row of numbers", np.arange(6.0), LABELS, r"Expected 2D array, got 1D array.*Reshape", ValueError),
    case("a list of numbers", [1.0, 2, 3, 4, 5, 6], LABELS, r"Expected 2D array, got 1D array", ValueError),
    case(
        "four dimensions", np.zeros((6, 2, 3, 4)), LABELS, r"X has 4 dimension\(s\) and shape \(6, 2, 3, 4\).*Reshape"
    ),
    case("five dimensions", np.zeros((6, 1, 2, 3, 4)), LABELS, r"X has 5 dimension\(s\)"),
    case(
        "images in a list", [np.zeros((2, 3, 4))] * 6, LABELS, r"X\[0\] has shape \(2, 3, 4\).*\(length, n_features\)"
    ),
    case("lists nested too deep", [[[[1.0]]]] * 6, LABELS, r"X\[0\] has shape \(1, 1, 1\)"),
    case(
        "structured array", [np.zeros(3, dtype=[("a", float)])] * 6, LABELS, r"X has dtype \[\('a'.*numbers are wanted"
    ),
    case("numbers without a dimension", [np.array(3.0)] * 6, LABELS, r"X\[0\] is .*where a sequence is due|1D array"),
    case("sparse table", scipy.sparse.csr_array(TABLE), LABELS, r"Sparse data was passed for X.*toarray", TypeError),
    case("sparse sequences", [scipy.sparse.csr_matrix(np.eye(3))] * 6, LABELS, r"X\[0\] is sparse.*toarray"),
    case("masked array", masked(), LABELS, r"X contains NaN at sequence 0, step 0, column 0 \(12 such.*missing='mask'"),
    case("masked sequence", replaced(X, 1, masked()[0]), LABELS, r"X contains NaN at sequence 1, step 0, column 0"),
    case("dicts in place of sequences", [{"a": 1}] * 6, LABELS, r"X\[0\] is dict .*PerStep\(DictVectorizer\(\)\)"),
]

SHAPES = [
    case(
        "features differ", replaced(X, 1, X[1][:, :2]), LABELS, r"features differs.*X\[0\].*\(3, 3\).*X\[1\].*\(5, 2\)"
    ),
    case("all transposed", [x.T for x in X], LABELS, r"All sequences have 3 rows.*\(n_features, length\), transpose"),
    case(
        "dimensions differ", replaced(X, 2, X[2][:, 0]), LABELS, r"differ in their dimensions: X\[2\].*\(2,\).*X\[0\]"
    ),
    case("a step too short", [[[1.0, 2.0], [3.0]]] * 6, LABELS, r"X\[0\] is not a rectangular array"),
    case("empty list", [], [], r"X is empty: found 0 sample\(s\)"),
    case("empty array", np.zeros((0, 4, 3)), [], r"X is empty: found 0 sample\(s\).*\(0, 4, 3\)"),
    case("no features", np.zeros((6, 4, 0)), LABELS, r"X has 0 feature\(s\)"),
    case("no steps", np.zeros((6, 0, 3)), LABELS, r"X is empty: all 6 sequences have length 0"),
    case("only empty sequences", [[]] * 6, LABELS, r"X is empty: all 6 sequences have length 0"),
    case("an empty sequence", replaced(X, 5, np.zeros((0, 3))), LABELS, r"X\[5\] is an empty sequence \(1 of 6"),
    case("an empty list of tokens", replaced(TOKENS, 3, []), LABELS, r"X\[3\] is an empty sequence"),
    case("a tagger's sequences all empty", [[]] * 3, [[]] * 3, r"all 3 sequences", estimator=RNNSequenceTagger),
    case("None among sequences", replaced(X, 5, None), LABELS, r"X\[5\] is NoneType None where a sequence is due"),
    case("NaN in a Series", pd.Series(replaced(X, 4, np.nan)), LABELS, r"X\[4\] is float nan where a sequence is due"),
    case("an array of None", np.array([None] * 6), LABELS, r"X\[0\] is NoneType None where a sequence is due"),
    case(
        "columns in another order",
        frames("abc", "acb"),
        LABELS,
        r"columns differ.*X\[0\].*X\[1\] has \['a', 'c', 'b'\]",
    ),
    case(
        "column name twice", pd.DataFrame(TABLE, columns=list("aabc")), LABELS, r"more than one column of the name 'a'"
    ),
    case("column names of two types", pd.DataFrame(TABLE, columns=["a", 1, 2, 3]), LABELS, r"string names", TypeError),
]

VALUES = [
    case("NaN", spoiled(np.nan), LABELS, r"NaN at sequence 2, step 1, column 0.*SimpleImputer.*missing='mask'"),
    case("NaN in a table", np.where(TABLE == 9, np.nan, TABLE), LABELS, r"NaN at sequence 2, step 1, column 0"),
    case("NaN in a frame", [f.replace({f.iloc[1, 2]: np.nan}) for f in frames("abc")], LABELS, r"step 1, column 'c'"),
    case("infinity", spoiled(np.inf), LABELS, r"infinity.* at sequence 2, step 1, column 0"),
    case("infinity, masked", spoiled(-np.inf), LABELS, r"infinity.*sequence 2", parameters={"missing": "mask"}),
    case(
        "too large for float32",
        spoiled(1e300),
        LABELS,
        r"too large for dtype\('float32'\).*sequence 2",
        parameters={"standardize": False},
    ),
    case("too large to be scaled", spoiled(1e300), LABELS, r"too large to be scaled, of size 1\.0e\+300, in column 0"),
    case("None among numbers", replaced([[1.0, 2.0]] * 6, 1, [3.0, None]), LABELS, r"NaN at sequence 1, step 1"),
    case("objects", [[object()] * 3] * 6, LABELS, r"X\[0\]\[0\] holds <object.*not a number"),
    case("objects in place of sequences", np.array([object()] * 6), LABELS, r"X\[0\] is object .*sequence is due"),
    case("complex", [x + 1j for x in X], LABELS, r"Complex data not supported.*two features"),
    case("datetimes", np.zeros((6, 4, 1), dtype="M8[s]"), LABELS, r"X has dtype datetime64\[s\].*time between steps"),
    case("timedeltas", [np.zeros((4, 1), dtype="m8[s]")] * 6, LABELS, r"X has dtype timedelta64.*divide by a unit"),
    case("dates", [[datetime.date(2020, 1, 1)] * 3] * 6, LABELS, r"X\[0\]\[0\] holds datetime.date\(2020, 1, 1\)"),
    case(
        "strings in a frame", pd.DataFrame({"a": [1] * 6, "b": LABELS}), LABELS, r"X mixes strings with numbers .*'a'"
    ),
    case("strings in a polars frame", pl.DataFrame({"a": [1] * 6, "b": LABELS}), LABELS, r"string to float: 'a'"),
    case("a string among numbers", [[[1.0, "x"]] * 2] * 6, LABELS, r"two strings|X holds 2 strings a step"),
    case("a string in an object array", [np.array([[1.0, "x"]], dtype=object)] * 6, LABELS, r"X\[0\]\[0\] holds 'x'"),
]

TEXT = [
    case("documents", ["fly to Oslo"] * 6, LABELS, r"X\[0\] is the raw document 'fly to Oslo'.*SequenceTokenizer\(\)"),
    case("a Series of documents", pd.Series(["to Oslo"] * 6), LABELS, r"X\[0\] is the raw document 'to Oslo'"),
    case("an array of documents", np.array(["to Oslo"] * 6), LABELS, r"X\[0\] is the raw document 'to Oslo'"),
    case("a document among tokens", replaced(TOKENS, 4, "to Oslo"), LABELS, r"X\[4\] is the raw document 'to Oslo'"),
    case("bytes", [b"abc"] * 6, LABELS, r"X\[0\] is the raw document b'abc'"),
    case("tokens of bytes", [[b"a", b"b"]] * 6, LABELS, r"dtype \|S1.*decode"),
    case("numbers among tokens", replaced(TOKENS, 1, [1.0]), LABELS, r"X\[1\]\[0\] is float 1.0 where .*strings"),
    case("tokens among numbers", replaced(X, 1, ["a"]), LABELS, r"dimensions: X\[1\]|X\[1\] holds strings"),
    case(
        "tokens among 1-D", replaced([x[:, 0] for x in X], 1, ["a"]), LABELS, r"X\[1\] holds strings.*X\[0\] does not"
    ),
    case("an int among tokens", replaced(TOKENS, 0, ["fly", 2]), LABELS, r"X\[0\]\[1\] is int 2 where .*strings"),
    case("None among tokens", replaced(TOKENS, 2, ["to", None]), LABELS, r"X\[2\]\[1\] is NoneType None"),
    case("two strings a step", [np.array([["a", "b"]])] * 6, LABELS, r"2 strings a step, wanted one token"),
    case("floats to embed", X, LABELS, r"embedding_dim is set.*got dtype float64", parameters={"embedding_dim": 3}),
    case("two ids a step", [np.array([[1, 2]])] * 6, LABELS, r"2 feature\(s\) a step", parameters={"embedding_dim": 3}),
    case("booleans to embed", [[True, False]] * 6, LABELS, r"got dtype bool", parameters={"embedding_dim": 3}),
]

SEVERAL = [
    case("no input", {}, LABELS, r"X holds no input: wanted a dict of at least one name to sequences"),
    case("a name that is no string", {1: TOKENS}, LABELS, r"names that are strings, got 1"),
    case("a dict of numbers", {"a": 3}, LABELS, r"X\['a'\] must be a collection of sequences .*got int 3"),
    case(
        "a dict of columns", {"a": [1, 2, 3], "b": [4, 5, 6]}, list("aba"), r"X\['a'\]\[0\] is int 1 where a sequence"
    ),
    case(
        "cells of steps of unequal width",
        pd.DataFrame({"a": [[[1.0], [2.0, 3.0]]] * 6, "b": [[1.0, 2.0]] * 6}),
        LABELS,
        r"X\['a'\]\[0\] is not a rectangular array",
    ),
    case("None among sequences of dicts", replaced([[{"w": "a"}]] * 6, 4, None), LABELS, r"X\[4\] is NoneType None"),
    case("numbers among sequences of dicts", replaced([[{"w": "a"}]] * 6, 4, 3.0), LABELS, r"X\[4\] is float 3.0"),
    case(
        "inputs of other numbers",
        {"w": TOKENS, "n": POSITIONS[:4]},
        LABELS,
        r"differ in their number of sequences: X\['w'\] has 6, X\['n'\] has 4",
    ),
    case(
        "inputs of other lengths",
        {"w": TOKENS, "n": replaced(POSITIONS, 4, POSITIONS[0][:1])},
        LABELS,
        r"differ in the length of sequence 4: X\['w'\]\[4\] has 2 steps, X\['n'\]\[4\] has 1",
    ),
    case(
        "NaN in an input",
        {"w": TOKENS, "n": replaced(POSITIONS, 4, np.array([0, np.nan]))},
        LABELS,
        r"In the input 'n' of X: .*NaN at sequence 4, step 1",
    ),
    case("documents in an input", {"w": ["to Oslo"] * 6}, LABELS, r"X\['w'\]\[0\] is the raw document 'to Oslo'"),
    case(
        "an empty sequence of inputs",
        {"w": replaced(TOKENS, 1, []), "n": replaced(POSITIONS, 1, np.empty(0))},
        LABELS,
        r"In the input 'w' of X: X\[1\] is an empty sequence",
    ),
    case(
        "a feature of two types",
        [[{"w": "a"}], [{"w": 1.0}]] * 3,
        LABELS,
        r"feature 'w' is a string at some steps and a number at others.*str\(value\)",
    ),
    case("a feature that is an object", [[{"w": object()}]] * 6, LABELS, r"feature 'w' of a step is <object"),
    case(
        "a feature of bytes", [[{"w": b"a"}]] * 6, LABELS, r"feature 'w' of a step is b'a', wanted a string, a number"
    ),
    case("a nested feature", [[{"w": {"x": b"a"}}]] * 6, LABELS, r"feature 'w:x' of a step is b'a'"),
    case(
        "a step that is no dict",
        [[{"w": "a"}], [{"w": "b"}, "c"]] * 3,
        LABELS,
        r"X\[1\]\[1\] is 'c' where other steps are dicts of features",
    ),
]


@pytest.mark.parametrize(
    ("estimator", "parameters", "X", "y", "fit_parameters", "message", "error"),
    COLLECTIONS + SHAPES + VALUES + TEXT + SEVERAL,
)
def test_x_is_refused(estimator, parameters, X, y, fit_parameters, message, error):
    model = small(estimator, **parameters)
    with pytest.raises(error) as refused:
        model.fit(X, y, **fit_parameters)
    assert re.search(message, str(refused.value), re.DOTALL), str(refused.value)
    assert not [name for name in vars(model) if name.endswith("_")]


FITTED = {
    "numbers": (X, LABELS, {}),
    "one feature": ([x[:, 0] for x in X], LABELS, {}),
    "lists of numbers": (TABLE.tolist(), LABELS, {}),
    "table": (TABLE, LABELS, {}),
    "frame": (pd.DataFrame(TABLE, columns=list("abcd")), LABELS, {}),
    "frames": (frames("abc"), LABELS, {}),
    "tokens": (TOKENS, LABELS, {}),
    "ids": ([[1, 2], [3]] * 3, LABELS, {"embedding_dim": 2}),
    "several": ({"w": TOKENS, "n": POSITIONS}, LABELS, {}),
}


@pytest.mark.parametrize("method", ["predict", "predict_proba", "transform", "transform_steps"])
@pytest.mark.parametrize(
    ("fitted_on", "X", "message"),
    [
        ("numbers", [x[:, :2] for x in X], r"X has 2 features, but RNNClassifier is expecting 3 features"),
        ("numbers", np.zeros((2, 5, 4)), r"X has 4 features, but RNNClassifier is expecting 3 features"),
        ("numbers", TABLE, r"RNNClassifier is expecting 3 features a step.*got a 2-D table"),
        ("numbers", TOKENS, r"X has 1 features|was fitted on sequences of numbers, got strings"),
        ("one feature", TOKENS, r"was fitted on sequences of numbers, got strings \(tokens\)"),
        ("lists of numbers", TABLE[:, :3], r"X has 3 features, but RNNClassifier is expecting 4 features"),
        ("table", TABLE[:, :3], r"X has 3 features, but RNNClassifier is expecting 4 features"),
        ("table", [x for x in X], r"X has 3 features, but RNNClassifier is expecting"),  # noqa: C416
        ("frame", pd.DataFrame(TABLE, columns=list("abdc")), r"feature names should match"),
        ("frames", frames("acb"), r"feature names should match.*wanted \['a', 'b', 'c'\], got \['a', 'c', 'b'\]"),
        ("tokens", [[1, 2], [3]], r"was fitted on sequences of strings \(tokens\), got numbers"),
        ("tokens", ["to Oslo"], r"X\[0\] is the raw document"),
        ("ids", [[1.5, 2.0]], r"embedding_dim is set.*float64"),
        ("ids", TOKENS, r"was fitted on sequences of integer.* ids, got strings"),
        ("several", TOKENS, r"X is one input a step, wanted those of fit: .* \['w', 'n'\]"),
        ("several", X, r"X is one input a step, wanted those of fit"),
        ("several", {"w": TOKENS}, r"X has the inputs \['w'\], wanted those of fit: \['w', 'n'\]"),
        ("several", {"w": TOKENS, "m": POSITIONS}, r"X has the inputs \['w', 'm'\], wanted those of fit"),
        ("several", {"w": POSITIONS, "n": POSITIONS}, r"In the input 'w' of X: .*fitted on .*strings \(tokens\)"),
        ("several", {"w": TOKENS, "n": [x[:, None] @ [[1, 2]] for x in POSITIONS]}, r"'n' of X: X has 2 features"),
        ("several", {"w": [], "n": []}, r"X is empty|X\['w'\] is empty"),
        ("tokens", {"w": TOKENS}, r"was fitted on sequences of strings \(tokens\), got several inputs a step"),
        ("numbers", {"n": X}, r"was fitted on sequences of numbers, got several inputs a step"),
        ("numbers", [], r"X is empty"),
        ("numbers", spoiled(np.nan), r"NaN at sequence 2, step 1, column 0"),
        ("numbers", replaced(X, 1, X[1][:0]), r"X\[1\] is an empty sequence"),
    ],
)
def test_x_of_a_prediction_is_refused(fitted_on, X, message, method):
    fitted_X, y, parameters = FITTED[fitted_on]
    model = small(RNNClassifier, max_epochs=1, **parameters).fit(fitted_X, y)
    with pytest.raises(ValueError, match=message):
        getattr(model, method)(X)


@pytest.mark.parametrize(
    ("estimator", "method"),
    [
        *((RNNClassifier, method) for method in ("predict", "predict_proba", "predict_log_proba", "decision_function")),
        *((RNNRegressor, method) for method in ("predict", "transform", "transform_steps")),
        *((RNNSequenceTagger, method) for method in ("predict", "predict_proba", "transform_steps")),
    ],
)
def test_every_method_wants_a_fit_first(estimator, method):
    with pytest.raises(NotFittedError, match=rf"This {estimator.__name__} instance is not fitted yet"):
        getattr(small(estimator), method)(X)


@pytest.mark.parametrize("estimator", [RNNClassifier, RNNRegressor, RNNSequenceTagger])
def test_score_wants_a_fit_first(estimator):
    with pytest.raises(NotFittedError, match=r"is not fitted yet"):
        small(estimator).score(X, {RNNClassifier: LABELS, RNNRegressor: NUMBERS}.get(estimator, TAGS))


def test_other_members_want_a_fit_first():
    model = small(RNNClassifier, pooling="attention")
    for use in (
        lambda: model.attention_weights(X),
        lambda: next(model.staged_predict_proba(X)),
        lambda: model.module_,
        lambda: model.get_feature_names_out(),
    ):
        with pytest.raises(NotFittedError, match=r"is not fitted yet"):
            use()


def test_missing_values_are_treated_as_in_fit():
    model = small(RNNClassifier).fit(X, LABELS).set_params(missing="mask")
    with pytest.raises(
        SequenceDataError, match=r"fitted with missing='error', and has missing='mask' now: fit it again"
    ):
        model.predict(X)


def test_swapped_axes_are_pointed_out():
    time = np.linspace(0, 20, 100)
    channels = np.stack([[np.sin(time * (k + 1) + i) for k in range(3)] for i in range(8)])
    with pytest.warns(SwappedAxesWarning, match=r"look swapped: X has shape \(8, 3, 100\).*X.transpose\(0, 2, 1\)"):
        small(RNNRegressor).fit(channels, np.arange(8.0))


def test_axes_in_order_are_not():
    time = np.linspace(0, 20, 100)
    channels = np.stack([[np.sin(time * (k + 1) + i) for k in range(3)] for i in range(8)])
    small(RNNRegressor).fit(channels.transpose(0, 2, 1), np.arange(8.0))
    small(RNNRegressor).fit(np.random.default_rng(0).normal(size=(8, 3, 20)), np.arange(8.0))


@pytest.mark.parametrize(
    ("values", "offsets", "message"),
    [
        (np.zeros((4, 2)), [1, 4], r"offsets must be a 1-D array that starts at 0"),
        (np.zeros((4, 2)), [0, 3, 2, 4], r"never decreases"),
        (np.zeros((4, 2)), [0, 3], r"offsets\[-1\]=3 steps, got shape \(4, 2\)"),
        (np.zeros((4, 2, 2)), [0, 4], r"values must have 1 or 2 dimensions"),
    ],
)
def test_container_is_consistent(values, offsets, message):
    with pytest.raises(ValueError, match=message):
        Sequences(values, offsets)
