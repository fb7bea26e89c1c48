"""The features of dicts of steps: vectors, and features of fit that are nowhere."""

import json
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from samples import small
from sklearn.feature_extraction import DictVectorizer, FeatureHasher
from sklearn.pipeline import make_pipeline

from sklearn_rnn import PerStep, RNNClassifier, RNNSequenceTagger
from sklearn_rnn.data.aligned import NUMBERS
from sklearn_rnn.data.features import Field, Fields
from sklearn_rnn.data.formats import object_array
from sklearn_rnn.data.inputs import read
from sklearn_rnn.exceptions import SequenceDataError, SequenceDataWarning

VECTORS = [[{"w": "a", "v": [0.1, -0.5]}, {"w": "b", "v": [2.0, 3.0]}], [{"w": "c", "v": [-1.0, 0.0]}]] * 4


def named(X):
    """The same steps with a name for each number of `v`."""
    return [[{**step, "v": {str(i): float(x) for i, x in enumerate(step["v"])}} for step in part] for part in X]


def numbers(X, spec=None):
    inputs, found = read(X, spec, dtype="float64")
    return inputs.inputs[NUMBERS].values, found.inputs[NUMBERS].columns


FORMS = {
    "tuple": tuple,
    "array": np.array,
    "ints and bools": lambda v: [float(x) if x % 1 else int(x) for x in v],
    "tensor": lambda v: torch.tensor(v, dtype=torch.float64, requires_grad=True),
    "Series": pd.Series,
}


@pytest.mark.parametrize("form", [list, *FORMS.values()], ids=["list", *FORMS])
def test_a_list_of_numbers_is_a_vector(form):
    X = [[{**step, "v": form(step["v"])} for step in part] for part in VECTORS]
    values, columns = numbers(X)
    due, names = numbers(named(VECTORS))
    assert columns == names == ("v:0", "v:1")
    assert_array_equal(values, due)


COLUMNS = {
    "json": lambda X: json.loads(json.dumps(X)),
    "arrow": pa.array,
    "chunked arrow": lambda X: pa.chunked_array([X[:3], X[3:]]),
    "pandas": pd.Series,
    "polars": pl.Series,
    "pandas of arrow": lambda X: pa.array(X).to_pandas(),
    "object array": object_array,
}


@pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS)
def test_vectors_in_columns_of_dicts(column):
    assert_array_equal(numbers(column(VECTORS))[0], numbers(named(VECTORS))[0])


@given(st.lists(st.lists(st.lists(st.floats(-9, 9), min_size=3, max_size=3), min_size=1, max_size=4), min_size=1))
@settings(deadline=None, max_examples=40)
def test_vectors_are_rows_of_numbers(rows):
    X = [[{"v": row} for row in part] for part in rows]
    values = numbers(X)[0]
    assert_array_equal(values, np.concatenate([np.array(part) for part in rows]))
    assert_array_equal(values, numbers([[{"a": {"b": {"v": row}}} for row in part] for part in rows])[0])


def test_a_vector_is_learned_as_its_numbers_are():
    y = [["T" if step["v"][1] > 0 else "O" for step in part] for part in VECTORS]
    first, second = (small(RNNSequenceTagger).fit(X, y) for X in (VECTORS, named(VECTORS)))
    assert_array_equal(
        np.concatenate(list(first.predict_proba(VECTORS))), np.concatenate(list(second.predict_proba(named(VECTORS))))
    )


@pytest.mark.parametrize("reader", [DictVectorizer(sparse=False), FeatureHasher(16)])
def test_vectors_for_readers_of_dicts(reader):
    tags = ["x", "y"] if isinstance(reader, DictVectorizer) else "x"
    X = [[{**step, "tags": tags} for step in part] for part in VECTORS]
    by_hand = [[{"w": s["w"], "v:0": s["v"][0], "v:1": s["v"][1], "tags": tags} for s in part] for part in X]
    per_step, due = PerStep(reader).fit(X), PerStep(reader).fit(by_hand)
    assert_array_equal(per_step.transform(X).values, due.transform(by_hand).values)
    with pytest.raises(SequenceDataError, match=r"'v' is a vector of 3 number\(s\) in X, and was a vector of 2"):
        per_step.transform([[{"w": "a", "v": [1, 2, 3], "tags": tags}]])


def test_lists_and_sets_of_strings_are_names_of_what_is_there():
    values, columns = numbers([[{"s": ["u", "v"], "t": {3, 5}}, {"s": [], "t": set()}]])
    assert columns == ("s:u", "s:v", "t:3", "t:5")
    assert_array_equal(values, [[1, 1, 1, 1], [0, 0, 0, 0]])


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([{"v": [1, 2]}, {"v": [1]}], r"In X\[0\]\[1\]: The feature 'v' is a vector of 1 number\(s\) here, and of 2"),
        ([{"v": [1, 2]}, {"v": []}], "vector of 2 .* and an empty list at others"),
        ([{"v": [1, 2]}, {"v": ["a"]}], "vector of 2 .* and strings at others"),
        ([{"v": [1, 2]}, {"v": 1}], "vector of 2 .* and one value at others"),
        ([{"v": [1, "a"]}], r"In X\[0\]\[0\]: .* is \[1, 'a'\], wanted a vector, which is a list of numbers alone"),
        ([{"v": [[1, 2]]}], "wanted a vector, which is a list of numbers alone"),
        ([{"v": {0.5}}], r"is \{0.5\}, wanted a vector"),
        ([{"v": [1j]}], "is 1j, which is not a number: a complex number"),
        ([{"v": np.array(["2020"], "M8[D]")}], "wanted a vector"),
        ([{"v": [10**5000]}], "is an int of 16610 bits, which is not a number: too large"),
        ([{"v": np.timedelta64(1, "s")}], "not a number: a span of time"),
        ([{"v": torch.zeros(2, device="meta")}], "on the device 'meta'"),
    ],
)
def test_what_is_no_vector(steps, message):
    with pytest.raises(SequenceDataError, match=message):
        read([steps])


def test_none_in_a_vector_is_missing():
    inputs, _ = read([[{"v": [1.0, None]}, {"v": None}]], missing="mask", dtype="float64")
    assert_array_equal(inputs.inputs[NUMBERS].values, [[1, 0, 1, 0], [0, 0, 1, 1]])


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"w": "a", "v": [1.0, 2.0, 3.0]}, r"a vector of 3 number\(s\) in X, and was a vector of 2 number\(s\) in fit"),
        ({"w": "a", "v": 1.5}, "one number in X, and was a vector of 2"),
        ({"w": ["a"], "v": [1.0, 2.0], "x": [1.0]}, "'x' is a vector of 1 .* in X, and was one number"),
    ],
)
def test_a_vector_of_another_width_at_predict(step, message):
    _, spec = read([[{**s, "x": float(i)} for i, s in enumerate(part)] for part in VECTORS])
    with pytest.raises(SequenceDataError, match=message):
        read([[step]], spec)


def test_numbers_by_name_and_in_a_vector_are_the_same_at_predict():
    for fitted, other in ((VECTORS, named(VECTORS)), (named(VECTORS), VECTORS)):
        _, spec = read(fitted)
        assert_array_equal(numbers(other, spec)[0], numbers(fitted, spec)[0])
    with pytest.raises(SequenceDataError, match=r"a vector of 3 number\(s\) in X, and was 2 number\(s\) with a name"):
        read([[{"w": "a", "v": [1, 2, 3]}]], spec)


WHOLE = [
    [{"w": f"w{i}{j}", "x": 0.5 * j + i, "one": 1.0, "up": bool(j % 2), "s": {f"q{j}"}} for j in range(4)]
    for i in range(8)
]


def renamed(X, **names):
    """X with features under other names, or without those whose name is None."""
    keep = [[{names.get(key, key): value for key, value in step.items()} for step in part] for part in X]
    return [[{key: value for key, value in step.items() if key is not None} for step in part] for part in keep]


@pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS)
def test_a_feature_of_fit_that_is_nowhere(column):
    X = [[{key: value for key, value in step.items() if key != "s"} for step in part] for part in WHOLE]
    _, spec = read(column(X))
    with pytest.warns(
        SequenceDataWarning, match="feature.s. 'x' of fit are at no step of X.*X has 'X1', which"
    ) as seen:
        read(column(renamed(X, x="X1")), spec)
    assert len(seen) == 1
    with pytest.warns(SequenceDataWarning, match="'w', 'x' of fit"):
        read(column([[{"up": True, "x": None}]]), spec)


@pytest.mark.parametrize("gone", [{"one": None}, {"up": None}, {"s": None}, {"one": None, "up": None, "s": None}])
def test_binary_features_may_be_nowhere(gone):
    _, spec = read(WHOLE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read(renamed(WHOLE, **gone), spec)
        read(renamed(WHOLE[:1], **gone), spec)
        read([WHOLE[0][:1]], spec)


def test_estimators_and_pipelines_miss_what_is_nowhere():
    y = [0, 1] * 4
    model = make_pipeline(PerStep(DictVectorizer(sparse=False)), small(RNNClassifier)).fit(WHOLE, y)
    for fitted in (small(RNNClassifier).fit(WHOLE, y), model):
        fitted.predict(renamed(WHOLE, one=None, up=None, s=None))
        with pytest.warns(SequenceDataWarning, match="'x' of fit .* 'x2'"):
            fitted.predict(renamed(WHOLE, x="x2"))


def test_what_is_usual_in_whole_sequences_may_lack_in_short_ones():
    """The word before is at no step of sequences of length 1, and a note is in every other sequence."""
    X = [
        [{"w": "a", **({"-1:w": "b"} if j else {}), **({"note": 0.3} if i % 2 and not j else {})} for j in range(4)]
        for i in range(40)
    ]
    _, spec = read(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read([[{"w": "a"}]] * 20, spec)
        read([[{"w": "a"}] + [{"w": "b", "-1:w": "a"}] * 3] * 2, spec)
    with pytest.warns(SequenceDataWarning, match="'-1:w', 'note' of fit"):
        read([[{"w": "a"}] * 4] * 20, spec)


def test_kinds_of_features():
    cells = {
        "a": {0: 1.0, 1: 0.0},
        "b": {0: True},
        "c": {0: 0.5},
        "d": {0: "x", 2: "y"},
        "v:0": {0: 1.0},
        "i": {0: True},
    }
    fields = Fields.learn(cells, {"v": 1}, np.array([0, 2, 2, 3]), items={"i"})
    half, whole = Field("number", 1, False, 0.5), Field("string", 1, False, 0.25)
    assert fields.fields == {
        "a": Field("binary"),
        "b": Field("bool"),
        "c": half,
        "d": whole,
        "v": Field("vector", 1, False, 0.5),
    }
    assert fields.usual_length == 1.5
    assert fields.columns == {"a", "b", "c", "d", "v", "v:0"}
