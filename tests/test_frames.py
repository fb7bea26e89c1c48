"""Long DataFrames against a reading of them row by row."""

from datetime import datetime
from itertools import chain

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from sklearn_rnn import AlignedSequences, RNNClassifier, Sequences, sequences_from_frame
from sklearn_rnn.data.frames import named_frame
from sklearn_rnn.exceptions import SequenceDataError

LIBRARIES = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "arrow": pa.table}
every_library = pytest.mark.parametrize("frame", LIBRARIES.values(), ids=LIBRARIES)

PUMPS = {
    "pump": ["b", "a", "b", "a", "a"],
    "hour": [2, 3, 1, 1, 2],
    "flow": [0.2, 0.6, 0.1, 0.4, 0.5],
    "heat": [20, 60, 10, 40, 50],
}


def read_row_by_row(data, ids, keys, columns):
    """The sequences as lists of rows, in the order in which their ids first appear."""
    found = {}
    for i in range(len(data[ids[0]])):
        found.setdefault(tuple(data[name][i] for name in ids), []).append(i)
    for rows in found.values():
        rows.sort(key=lambda i: tuple(data[name][i] for name in keys))  # stable
    return found, [[[data[name][i] for name in columns] for i in rows] for rows in found.values()]


@every_library
def test_sequences_of_sorted_steps_in_order_of_first_appearance(frame):
    sequences = sequences_from_frame(frame(PUMPS), id="pump", sort_by="hour")
    assert isinstance(sequences, Sequences)
    assert sequences.ids.tolist() == ["b", "a"]
    assert sequences.feature_names == ["flow", "heat"]
    np.testing.assert_array_equal(sequences[0], [[0.1, 10], [0.2, 20]])
    np.testing.assert_array_equal(sequences[1], [[0.4, 40], [0.5, 50], [0.6, 60]])


rows = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2), st.integers(0, 30), st.floats(-1, 1)), min_size=1)


@every_library
@given(rows=rows, keys=st.sampled_from([[], ["step"], ["shift", "step"]]))
@settings(deadline=None, max_examples=50)
def test_one_id(frame, rows, keys):
    unique = {(row[0], *row[1:3][2 - len(keys) :]): row for row in rows} if keys else dict(enumerate(rows))
    data = dict(zip(["id", "shift", "step", "value"], map(list, zip(*unique.values(), strict=True)), strict=True))
    sequences = sequences_from_frame(frame(data), id="id", sort_by=keys or None, columns=["value", "step"])
    found, wanted = read_row_by_row(data, ["id"], keys, ["value", "step"])
    assert sequences.ids.tolist() == [key for (key,) in found]
    assert [part.tolist() for part in sequences] == wanted


@every_library
@given(rows=rows)
@settings(deadline=None, max_examples=50)
def test_several_ids(frame, rows):
    data = dict(zip(["plant", "line", "step", "value"], map(list, zip(*rows, strict=True)), strict=True))
    sequences = sequences_from_frame(frame(data), id=["plant", "line"])
    found, wanted = read_row_by_row(data, ["plant", "line"], [], ["step", "value"])
    assert sequences.ids.tolist() == list(found)
    assert sequences.ids.shape == (len(found),)
    assert sequences.feature_names == ["step", "value"]
    assert [part.tolist() for part in sequences] == wanted


@every_library
@pytest.mark.parametrize(
    "ids",
    [
        [3, 3, 1],
        [2.5, 2.5, -1.0],
        [True, True, False],
        [np.datetime64("2020-02-01", "us"), np.datetime64("2020-02-01", "us"), np.datetime64("2020-01-01", "us")],
    ],
    ids=["int", "float", "bool", "time"],
)
def test_ids_of_any_type_that_can_be_compared(frame, ids):
    sequences = sequences_from_frame(frame({"id": np.array(ids), "x": [1.0, 2.0, 3.0]}), id="id")
    assert sequences.ids.tolist() == np.array([ids[0], ids[2]]).tolist()
    assert sequences.lengths.tolist() == [2, 1]


@every_library
@pytest.mark.parametrize("sort_by", [None, "hour", ["hour"]])
def test_columns_pick_features_in_their_order(frame, sort_by):
    sequences = sequences_from_frame(frame(PUMPS), id="pump", sort_by=sort_by, columns=["heat", "hour"])
    assert sequences.feature_names == ["heat", "hour"]
    assert sequences[0].tolist() == ([[10, 1], [20, 2]] if sort_by else [[20, 2], [10, 1]])


@every_library
def test_a_column_of_strings_is_read_as_tokens(frame):
    data = {"id": [1, 1, 2], "position": [2, 1, 1], "word": ["there", "hello", "bye"]}
    sequences = sequences_from_frame(frame(data), id="id", sort_by="position")
    assert [part.tolist() for part in sequences] == [["hello", "there"], ["bye"]]
    assert sequences.values.dtype == object
    assert sequences_from_frame(frame(data), id="id", columns="word")[0].tolist() == ["there", "hello"]


@pytest.mark.parametrize(
    "column",
    [pd.Categorical(["there", "hello", "bye"]), pl.Series(["there", "hello", "bye"], dtype=pl.Categorical)],
    ids=["pandas", "polars"],
)
def test_categories_are_tokens(column):
    frame = (pd if isinstance(column, pd.Categorical) else pl).DataFrame({"id": [1, 1, 2], "word": column})
    assert sequences_from_frame(frame, id="id").values.tolist() == ["there", "hello", "bye"]


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"day": pd.Categorical(["tue", "mon"], categories=["mon", "tue"], ordered=True)}),
        pd.DataFrame({"day": pd.Categorical(["mon", "tue"], categories=["tue", "mon"], ordered=True)}),
        pl.DataFrame({"day": pl.Series(["tue", "mon"], dtype=pl.Enum(["mon", "tue"]))}),
        pl.DataFrame({"day": pl.Series(["mon", "tue"], dtype=pl.Enum(["tue", "mon"]))}),
    ],
)
def test_categories_are_sorted_in_their_own_order(frame):
    frame = (pd if isinstance(frame, pd.DataFrame) else pl).DataFrame(
        {"day": frame["day"], "id": ["x", "x"], "value": [1.0, 2.0]}
    )
    assert sequences_from_frame(frame, id="id", sort_by="day").values.tolist() == [[2.0], [1.0]]


def test_missing_values_are_nan():
    data = {"id": [1, 1, 2], "i": [1, None, 3], "f": [None, 1.5, 2.5], "b": [True, None, False]}
    for df in (pl.DataFrame(data), pa.table(data), pd.DataFrame(data).convert_dtypes()):
        values = sequences_from_frame(df, id="id").values
        assert values.dtype == np.float64
        np.testing.assert_array_equal(values, [[1, np.nan, 1], [np.nan, 1.5, np.nan], [3, 2.5, 0]])


@every_library
@pytest.mark.parametrize(
    ("dtypes", "wanted"),
    [
        (["float32", "float32"], "float32"),
        (["int64", "float32"], "float64"),
        (["int8", "int16"], "int16"),
        (["bool"], "bool"),
    ],
)
def test_the_dtype_is_the_common_one(frame, dtypes, wanted):
    columns = {f"x{j}": np.array([0, 1], dtype=dtype) for j, dtype in enumerate(dtypes)}
    values = sequences_from_frame(frame({"id": [1, 1], **columns}), id="id").values
    assert values.dtype == wanted
    assert values.shape == (2, len(dtypes))


def test_the_index_of_pandas_does_not_matter():
    frame = pd.DataFrame(PUMPS, index=[7, 7, 3, 1, 2])
    wanted = sequences_from_frame(pd.DataFrame(PUMPS), id="pump", sort_by="hour")
    np.testing.assert_array_equal(sequences_from_frame(frame, id="pump", sort_by="hour").values, wanted.values)


@every_library
def test_the_frame_is_not_modified(frame):
    df = frame(PUMPS)
    before = str(df)
    sequences_from_frame(df, id="pump", sort_by="hour").values[:] = 0
    assert str(df) == before


def test_ids_bring_targets_into_order():
    sequences = sequences_from_frame(pd.DataFrame(PUMPS), id="pump", sort_by="hour")
    y = pd.Series({"a": 3, "b": 2}).loc[sequences.ids].to_numpy()
    np.testing.assert_array_equal(y, sequences.lengths)
    X_train, X_test, y_train, y_test = train_test_split(sequences, y, test_size=1, random_state=0)
    np.testing.assert_array_equal(X_train.lengths, y_train)
    np.testing.assert_array_equal(X_test.lengths, y_test)


def test_a_million_rows_take_no_loop_over_rows():
    n_steps, n_sequences = 100, 10_000
    frame = pd.DataFrame(
        {
            "id": np.repeat(np.arange(n_sequences)[::-1], n_steps),
            "step": np.tile(np.arange(n_steps)[::-1], n_sequences),
            "value": np.arange(n_steps * n_sequences),
        }
    )
    sequences = sequences_from_frame(frame, id="id", sort_by="step")
    assert sequences.ids[0] == n_sequences - 1
    assert sequences[0][:, 0].tolist() == list(range(n_steps))[::-1]


@every_library
@pytest.mark.parametrize(
    ("changed", "options", "message"),
    [
        ({}, {"id": "pumps"}, "id='pumps' is no column of df, which has .*'pump', 'hour'"),
        ({}, {"id": "pump", "sort_by": "hours"}, "sort_by='hours' is no column"),
        ({}, {"id": "pump", "columns": ["flow", "heats"]}, "columns='heats' is no column"),
        ({}, {"id": ["pump", "pump"]}, "id names the column 'pump' 2 times"),
        ({}, {"id": "pump", "columns": ["flow", "flow"]}, "columns names the column 'flow' 2 times"),
        ({}, {"id": []}, "id must name at least one column"),
        ({}, {"id": ["pump", "hour"], "sort_by": ["flow", "heat"]}, "no features"),
        ({}, {"id": "pump", "columns": []}, "no features"),
        (
            {"when": [datetime(2024, 1, 1)] * 5},
            {"id": "pump"},
            "column 'when' has dtype .*, but features must be numbers",
        ),
        ({}, {"id": "pump", "target": "label"}, "target='label' is no column"),
        ({}, {"id": "pump", "group": "site"}, "group='site' is no column"),
        ({}, {"id": "pump", "target": "flow", "columns": ["flow", "heat"]}, "target='flow' is one of columns too"),
        (
            {},
            {"id": "pump", "target": ["hour", "flow", "heat"]},
            "no column is left beside id, sort_by, target and group",
        ),
        ({}, {"id": "pump", "group": "hour"}, r"group='hour' differs .*: of b it is 2 and 1 \(row 2, counted from 0\)"),
        (
            {},
            {"id": "pump", "target": "flow", "target_alignment": "sequence"},
            r"target='flow' differs .*: of b it is 0.2 and 0.1 \(row 2, .*target_alignment='step'",
        ),
        ({"pump": ["b", None, None, "a", None]}, {"id": "pump"}, r"df\['pump'\].ffill\(\) fills in the rest"),
        ({"hour": [1, 2, 1, 2, 2]}, {"id": "pump", "sort_by": "hour"}, "3 row.* pump='b', hour=1 in rows 0 and 2 "),
        ({"pump": ["b", "a", None, "a", "a"]}, {"id": "pump"}, r"id='pump' is missing in 1 row\(s\).* row 2 "),
        ({"hour": [2, None, 1, 1, None]}, {"id": "pump", "sort_by": "hour"}, r"sort_by='hour' .* 2 row\(s\).* row 1 "),
        (
            {"word": ["a", None, "b", "c", "d"]},
            {"id": "pump", "columns": "word"},
            "'word' of tokens is missing in row 1",
        ),
        ({name: [] for name in PUMPS}, {"id": "pump"}, "df is empty: found 0 rows"),
    ],
)
def test_what_cannot_be_read_is_named(frame, changed, options, message):
    with pytest.raises(SequenceDataError, match=message):
        sequences_from_frame(frame({**PUMPS, **changed}), **options)


@every_library
def test_columns_of_other_types_are_named(frame):
    df = frame({"id": [1, 2], "when": [datetime(2020, 1, 1), datetime(2020, 1, 2)]})
    with pytest.raises(SequenceDataError, match=r"column 'when' has dtype Datetime.* Encode it"):
        sequences_from_frame(df, id="id")
    with pytest.raises(SequenceDataError, match="column 'x' has dtype Object"):
        sequences_from_frame(pd.DataFrame({"id": [1, 2], "x": [1, "a"]}), id="id")


def test_not_a_number_is_no_key():
    with pytest.raises(SequenceDataError, match="id='id' is missing"):
        sequences_from_frame(pl.DataFrame({"id": [1.0, np.nan], "x": [1, 2]}), id="id")


def test_ids_of_mixed_types_are_named():
    with pytest.raises(SequenceDataError, match="column 'id' mixes types"):
        sequences_from_frame(pd.DataFrame({"id": [1, "a"], "x": [1, 2]}), id="id")


@pytest.mark.parametrize("df", [PUMPS, np.zeros((2, 3)), [[1, 2]], None])
def test_what_is_no_frame_is_refused(df):
    with pytest.raises(TypeError, match=f"df must be a DataFrame .* got {type(df).__name__}"):
        sequences_from_frame(df, id="pump")


def test_a_lazy_frame_is_to_be_collected():
    with pytest.raises(TypeError, match="got LazyFrame; collect"):
        sequences_from_frame(pl.LazyFrame(PUMPS), id="pump")


def test_named_frame_keeps_values_and_names():
    values = np.arange(6).reshape(3, 2)
    frame = named_frame(values, ["x", "y"])
    assert isinstance(frame, pd.DataFrame)
    assert frame.columns.tolist() == ["x", "y"]
    np.testing.assert_array_equal(frame.to_numpy(), values)


def test_wide_and_interleaved_ids_do_not_collide():
    """Codes of several id columns are joined by arithmetic: every pair must stay apart."""
    pairs = list(chain.from_iterable([(a, b), (b, a)] for a in range(12) for b in range(a)))
    frame = pd.DataFrame({"a": [a for a, _ in pairs], "b": [b for _, b in pairs], "x": 1.0})
    sequences = sequences_from_frame(frame, id=["a", "b"])
    assert sequences.ids.tolist() == pairs
    assert set(sequences.lengths) == {1}


# Targets and groups

LABELLED = {**PUMPS, "failed": [1, 0, 1, 0, 0], "site": ["n", "s", "n", "s", "s"], "load": [0.5, 0.1, 0.2, 0.3, 0.4]}


@every_library
def test_a_target_that_a_sequence_has_once_comes_in_the_order_of_sequences(frame):
    X, y, groups = sequences_from_frame(frame(LABELLED), id="pump", target="failed", group="site", columns="flow")
    assert X.ids.tolist() == ["b", "a"]
    assert y.tolist() == [1, 0]
    assert groups.tolist() == ["n", "s"]


@every_library
def test_a_target_that_differs_within_a_sequence_is_one_a_step(frame):
    X, y = sequences_from_frame(frame(LABELLED), id="pump", sort_by="hour", target="load", columns="flow")
    assert isinstance(y, Sequences)
    assert y.ids.tolist() == X.ids.tolist()
    assert [part.tolist() for part in y] == [[0.2, 0.5], [0.3, 0.4, 0.1]]


@every_library
def test_nothing_else_names_the_features(frame):
    X, _, _ = sequences_from_frame(frame(LABELLED), id="pump", sort_by="hour", target="failed", group="site")
    assert X.feature_names == ["flow", "heat", "load"]


@given(rows=rows)
@settings(deadline=None, max_examples=50)
def test_targets_of_steps_lie_beside_their_steps(rows):
    data = pd.DataFrame(rows, columns=["id", "shift", "step", "value"])
    X, y = sequences_from_frame(data, id="id", columns="value", target="step", target_alignment="step")
    pairs = sorted(zip(X.values[:, 0].tolist(), y.values.tolist(), strict=True))
    assert pairs == sorted(zip(data["value"], data["step"], strict=True))
    assert X.offsets.tolist() == y.offsets.tolist()
    once, first = sequences_from_frame(
        data.assign(label=data["id"].map({"a": 3, "b": 1, "c": 2})), id="id", columns="value", target="label"
    )
    assert first.tolist() == [{"a": 3, "b": 1, "c": 2}[key] for key in once.ids]


@pytest.mark.parametrize(
    ("target", "wanted"),
    [
        (["x", None, "x", None, None], ["x", None]),
        ([1.0, np.nan, 1.0, np.nan, np.nan], [1.0, np.nan]),
        ([True, False, True, False, False], [True, False]),
        (pd.Categorical(["u", "v", "u", "v", "v"]), ["u", "v"]),
    ],
)
def test_what_is_missing_in_a_whole_sequence_is_missing_once(target, wanted):
    _, y = sequences_from_frame(pd.DataFrame({**PUMPS, "label": target}), id="pump", target="label")
    assert len(y) == 2
    assert all(a == b or (a != a and b != b) for a, b in zip(y.tolist(), wanted, strict=True))


def test_a_target_that_stands_in_the_last_row_alone_is_one_a_step():
    label = [np.nan, np.nan, 1.0, np.nan, 0.0]
    _, y = sequences_from_frame(pd.DataFrame({**PUMPS, "label": label}), id="pump", target="label")
    np.testing.assert_array_equal(y.values, [np.nan, 1.0, np.nan, np.nan, 0.0])


def test_several_targets_are_columns_of_y():
    data = pd.DataFrame({**LABELLED, "age": [5, 7, 5, 7, 7]})
    _, y = sequences_from_frame(data, id="pump", target=["age", "failed"], columns="flow")
    assert y.tolist() == [[5, 1], [7, 0]]
    _, y = sequences_from_frame(data, id="pump", target=["age", "load"], columns="flow")
    assert y[0].tolist() == [[5, 0.5], [5, 0.2]]


def test_a_group_may_be_one_of_the_ids():
    X, groups = sequences_from_frame(
        pd.DataFrame(LABELLED), id=["site", "pump"], group="site", columns="flow", sort_by="hour"
    )
    assert X.ids.tolist() == [("n", "b"), ("s", "a")]
    assert groups.tolist() == ["n", "s"]


def test_an_id_in_the_index():
    with pytest.raises(SequenceDataError, match=r"id='pump' is no column of df.*in its index: give df.reset_index\(\)"):
        sequences_from_frame(pd.DataFrame(PUMPS).set_index("pump"), id="pump")


def test_an_alignment_that_there_is_not():
    with pytest.raises(ValueError, match="target_alignment='steps' must be"):
        sequences_from_frame(pd.DataFrame(LABELLED), id="pump", target="load", target_alignment="steps")


# Numbers beside tokens


@every_library
def test_columns_of_numbers_and_of_strings_are_inputs_of_their_own(frame):
    data = frame({**PUMPS, "state": ["on", "off", "on", "off", "on"]})
    X = sequences_from_frame(data, id="pump", sort_by="hour")
    assert isinstance(X, AlignedSequences)
    assert list(X.inputs) == ["flow", "heat", "state"]
    assert X.ids.tolist() == ["b", "a"]
    assert X[1]["state"].tolist() == ["off", "on", "off"]
    assert X[1]["heat"].tolist() == [[40], [50], [60]]
    model = RNNClassifier(hidden_size=2, max_epochs=1).fit(X, ["x", "y"])
    assert model.feature_names_in_.tolist() == ["flow", "heat", "state"]
