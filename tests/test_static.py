"""What a sequence has once, beside its steps."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklearn_rnn import PerStep, RNNClassifier, RNNRegressor, repeat_static
from sklearn_rnn.exceptions import SequenceDataError, SequenceDataWarning

rng = np.random.default_rng(0)
LENGTHS = [3, 1, 4, 2] * 5
FRAME = pd.DataFrame(
    {
        "age": rng.uniform(-1, 1, 20),
        "labs": [rng.normal(size=(n, 2)) for n in LENGTHS],
        "sex": ["f", "m"] * 10,
    }
)
AS_DICT = {"age": FRAME["age"].to_numpy(), "labs": FRAME["labs"].to_list(), "sex": FRAME["sex"].to_list()}
CELLS = FRAME.to_numpy(dtype=object)
ARROW_LIKE = pl.DataFrame({"age": FRAME["age"].to_list(), "labs": [x[:, 0].tolist() for x in FRAME["labs"]]})
Y = np.arange(20) % 2
NET = RNNClassifier(hidden_size=2, max_epochs=1, pooling="last", conv_branch=False)


@pytest.mark.parametrize("X", [FRAME, AS_DICT, CELLS, ARROW_LIKE], ids=["frame", "dict", "objects", "polars"])
@pytest.mark.parametrize("model", [NET, PerStep(StandardScaler()), RNNRegressor()])
def test_the_way_is_named(model, X):
    with pytest.raises(
        SequenceDataError, match=r"one value for each sequence in \[.*X = repeat_static\(X\), or let a Col"
    ):
        model.fit(X, Y)


@pytest.mark.parametrize("X", [FRAME, AS_DICT], ids=["frame", "dict"])
def test_every_step_has_the_value_of_its_sequence(X):
    repeated = repeat_static(X)
    assert list(repeated.inputs) == ["age", "labs", "sex"]
    assert repeated.lengths.tolist() == LENGTHS
    assert repeated.inputs["age"].values[:, 0].tolist() == np.repeat(FRAME["age"], LENGTHS).tolist()
    assert repeated.inputs["sex"].values.tolist() == np.repeat(FRAME["sex"], LENGTHS).tolist()
    np.testing.assert_array_equal(repeated[2]["labs"], FRAME["labs"][2])
    assert len(NET.fit(repeated, Y).predict(repeated)) == 20


@given(lengths=st.lists(st.integers(0, 5), min_size=1, max_size=6).filter(any))
def test_any_lengths(lengths):
    repeated = repeat_static({"x": [np.ones((n, 1)) for n in lengths], "once": list(range(len(lengths)))})
    assert [part["once"].ravel().tolist() for part in repeated] == [[i] * n for i, n in enumerate(lengths)]


@pytest.mark.parametrize(
    "once", [[1, None], [1, pd.NA], pd.array([1, None], dtype="Int64"), np.ma.array([1, 2], mask=[False, True])]
)
def test_what_is_missing_is_nan(once):
    values = repeat_static({"x": [[1.0], [2.0, 3.0]], "once": once}).inputs["once"].values
    np.testing.assert_array_equal(values.ravel(), [1, np.nan, np.nan])


def test_rows_of_numbers_are_named():
    rows = rng.normal(size=(20, 3))
    repeated = repeat_static({"labs": AS_DICT["labs"], "rows": rows}, static="rows")
    np.testing.assert_array_equal(repeated[2]["rows"], np.repeat(rows[2:3], 4, axis=0))
    table = pd.DataFrame(rows, columns=["a", "b", "c"])
    named = repeat_static({"labs": AS_DICT["labs"], "rows": table}, static=["rows"])
    assert named.inputs["rows"].feature_names == ["a", "b", "c"]
    with pytest.raises(SequenceDataError, match=r"repeat_static\(X, static='rows'\)"):
        NET.fit({"labs": AS_DICT["labs"], "rows": rows}, Y)


def test_in_a_pipeline():
    model = make_pipeline(FunctionTransformer(repeat_static), PerStep(StandardScaler(), inputs=["age", "labs"]), NET)
    assert np.isfinite(cross_val_score(model, FRAME, Y, cv=2)).all()


def test_the_warning_of_numbers_that_are_not_scaled_names_the_inputs():
    with pytest.warns(SequenceDataWarning, match=r"PerStep\(StandardScaler\(\), inputs=\['age', 'labs'\]\)"):
        clone(NET).set_params(standardize=False).fit(repeat_static(FRAME.assign(age=FRAME["age"] + 80)), Y)


def test_in_a_pipeline_of_frames():
    step = FunctionTransformer(repeat_static, feature_names_out="one-to-one")
    model = (
        make_pipeline(step, PerStep(StandardScaler(), inputs="age"), NET).set_output(transform="pandas").fit(FRAME, Y)
    )
    assert model[-1].feature_names_in_.tolist() == ["age", "labs", "sex"]
    assert model[:-1].transform(FRAME).index.equals(FRAME.index)


def test_a_cell_without_a_sequence_is_not_a_static_value():
    frame = FRAME[["labs"]].assign(other=[None, *FRAME["labs"][1:]])
    with pytest.raises(SequenceDataError, match=r"X\['other'\]\[0\] is NoneType None where a sequence is due"):
        NET.fit(frame, Y)


def test_beside_the_vector_of_a_network():
    columns = ColumnTransformer([("rnn", NET, "labs"), ("age", StandardScaler(), ["age"])])
    assert columns.fit_transform(FRAME, Y).shape == (20, 5)


def test_missing_numbers_are_nan():
    repeated = repeat_static({"x": [[1.0], [2.0, 3.0]], "once": [None, 5]})
    np.testing.assert_array_equal(repeated.inputs["once"].values, [[np.nan], [5], [5]])


@pytest.mark.parametrize(
    ("X", "static", "message"),
    [
        (FRAME[["labs"]], None, r"found \[\] in the columns \['labs'\]"),
        (FRAME[["age"]], None, r"found \[\] in the columns \['age'\]"),
        (FRAME, "weight", "static='weight' in the columns"),
        ([[1.0, 2.0]], None, r"in the columns \[\]"),
        ({"x": [[1.0], [2.0, 3.0]], "once": [1, 2, 3]}, None, r"X\['once'\] has shape \(3,\), wanted one value"),
        ({"x": [[1.0], [2.0, 3.0]], "once": [1, "a"]}, None, r"X\['once'\] must hold a number or a string"),
    ],
)
def test_what_is_not_static(X, static, message):
    with pytest.raises(SequenceDataError, match=message):
        repeat_static(X, static)


def test_documents_are_not_taken_for_labels():
    with pytest.raises(SequenceDataError, match="SequenceTokenizer"):
        NET.fit({"labs": AS_DICT["labs"], "text": ["a good film"] * 20}, Y)


def test_single_values_in_another_order_are_refused():
    index = [f"p{i}" for i in range(20)]
    labs, age = FRAME["labs"].set_axis(index), FRAME["age"].set_axis(index)
    with pytest.raises(SequenceDataError, match=r"X\['age'\] is in another order than X\['labs'\].*X\['labs'\].index"):
        repeat_static({"labs": labs, "age": age[::-1]})
    assert repeat_static({"labs": labs, "age": age})[3]["age"][0, 0] == age.iloc[3]
