"""Targets, weights and groups whose index says which sequence they are of."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_rnn import (
    AlignedSequences,
    PerStep,
    RNNClassifier,
    RNNRegressor,
    RNNSequenceTagger,
    SequenceBaggingClassifier,
    SequenceTokenizer,
    sequences_from_frame,
)
from sklearn_rnn.data.row_order import check_order
from sklearn_rnn.exceptions import SequenceDataError
from sklearn_rnn.inspection import sequence_permutation_importance
from sklearn_rnn.model_selection import cross_val_predict_sequences

IDS = {
    "str": ["b", "a", "d", "c", "f", "e", "h", "g"],
    "int": [3, 1, 2, 0, 7, 5, 6, 4],
    "datetime": list(pd.to_datetime([f"2024-01-0{day}" for day in (3, 1, 2, 4, 8, 5, 6, 7)])),
}
every_kind = pytest.mark.parametrize("ids", IDS.values(), ids=IDS)


def steps_of(ids):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"id": np.repeat(np.array(ids, dtype=object), 3), "value": rng.normal(size=3 * len(ids))})
    return frame.infer_objects()


def labels_of(frame):
    """As `groupby` leaves them: sorted by id."""
    ids = frame.groupby("id")["value"].first().index
    return pd.Series(np.arange(len(ids)) % 2, index=ids)


@every_kind
def test_targets_in_another_order_are_refused_with_the_line_that_aligns_them(ids):
    frame = steps_of(ids)
    X, y = sequences_from_frame(frame, id="id"), labels_of(frame)
    with pytest.raises(SequenceDataError, match=r"y is in another order than X: .*y = y\.loc\[X\.ids\]"):
        check_order(X, {"y": y})
    aligned = y.loc[X.ids]
    check_order(X, {"y": aligned})
    assert aligned.tolist() == [y[key] for key in ids]
    check_order(X, {"y": y.to_numpy()})
    check_order(X, {"y": y.reset_index(drop=True)})
    check_order(X, {"y": aligned.to_frame()})


def test_several_columns_of_ids():
    frame = steps_of(IDS["str"]).assign(site="n")
    X = sequences_from_frame(frame, id=["site", "id"])
    y = frame.groupby(["site", "id"])["value"].mean()
    with pytest.raises(SequenceDataError, match=r"row 0 of X is \('n', 'b'\)"):
        check_order(X, {"y": y})
    check_order(X, {"y": y.loc[X.ids]})


@pytest.mark.parametrize("rows", [slice(0, 6), [0, 2, 3, 5, 7], [4, 1, 5]])
def test_the_rows_of_a_fold_are_known_by_their_part_of_the_ids(rows):
    frame = steps_of(IDS["str"])
    X, y = sequences_from_frame(frame, id="id"), labels_of(frame)
    with pytest.raises(SequenceDataError, match="another order"):
        check_order(X[rows], {"y": y.iloc[rows]})
    check_order(X[rows], {"y": y.loc[X.ids].iloc[rows]})


def test_an_index_that_has_nothing_to_do_with_ids_is_ignored():
    X = sequences_from_frame(steps_of(range(1, 9)), id="id")
    y = pd.Series(range(8))
    shuffled = np.random.default_rng(0).permutation(8)
    check_order(X, {"y": y})
    check_order(X[shuffled], {"y": y.iloc[shuffled]})  # row numbers, most of which are ids by chance
    check_order(X[shuffled[:5]], {"y": y.iloc[shuffled[:5]]})
    check_order(X, {"y": pd.Series(range(8), index=list("ijklmnop"))})


def test_dates_that_are_shifted_are_meant():
    days = pd.date_range("2024-01-01", periods=9)
    X = pd.Series([np.ones((3, 1))] * 8, index=days[:8])
    check_order(X, {"y": pd.Series(range(8), index=days[1:])})


def test_a_series_of_sequences_has_an_index_too():
    X = pd.Series([np.full((3, 1), float(i)) for i in range(6)])
    y = pd.Series(range(6))
    with pytest.raises(SequenceDataError, match=r"y = y\.loc\[X\.index\]"):
        check_order(X, {"y": y[::-1]})
    with pytest.raises(SequenceDataError, match="another order"):
        check_order(X, {"y": y.sample(frac=1.0, random_state=0)})
    check_order(X[::-1], {"y": y[::-1]})


@pytest.mark.parametrize(
    ("pick", "message"),
    [
        (slice(None), r"X has 6 sequences, y has 8. Its index holds the ids of X: y = y\.loc\[X\.ids\]"),
        (slice(0, 4), "X has 6 sequences, y has 4. The index of y has no row for 2 of the ids of X, such as 'f'"),
    ],
)
def test_another_number_of_rows(pick, message):
    frame = steps_of(IDS["str"])
    with pytest.raises(SequenceDataError, match=f"inconsistent numbers of samples: {message}"):
        check_order(sequences_from_frame(frame, id="id")[:6], {"y": labels_of(frame).iloc[pick]})


@every_kind
@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame])
def test_a_frame_of_targets_that_holds_the_ids(ids, library):
    frame = steps_of(ids)
    X = sequences_from_frame(frame, id="id")
    y = library(frame.groupby("id", as_index=False)["value"].sum().to_dict("list"))
    with pytest.raises(
        SequenceDataError, match=r"holds the ids of X in its column 'id'.*set_index\('id'\).loc\[X.ids\]"
    ):
        RNNRegressor(max_epochs=1).fit(X, y)
    check_order(X, {"y": y[["value"]]})
    check_order(list(X), {"y": y})


def test_targets_of_steps_have_ids_too():
    frame = steps_of(IDS["str"])
    X, y = sequences_from_frame(frame, id="id"), sequences_from_frame(frame.sort_values("id", kind="stable"), id="id")
    with pytest.raises(SequenceDataError, match=r"y = y\.take\(\[list\(y\.ids\)\.index\(i\) for i in X\.ids\]\)"):
        RNNRegressor(max_epochs=1).fit(X, y)
    aligned = y.take([list(y.ids).index(i) for i in X.ids])
    np.testing.assert_array_equal(aligned.values, X.values)
    check_order(X, {"y": aligned})


def test_inputs_of_one_container_are_of_the_same_sequences():
    frame = steps_of(IDS["str"])
    one, other = (sequences_from_frame(part, id="id") for part in (frame, frame.sort_values("id", kind="stable")))
    with pytest.raises(SequenceDataError, match=r"X\['b'\] is in another order than X\['a'\]"):
        AlignedSequences({"a": one, "b": other})
    assert AlignedSequences({"a": one, "b": one}).ids.tolist() == IDS["str"]


def small(estimator):
    return estimator(hidden_size=2, max_epochs=1, random_state=0)


NET = small(RNNClassifier)
FRAME = steps_of(IDS["str"])
X, Y = sequences_from_frame(FRAME, id="id"), labels_of(FRAME)
RIGHT = Y.loc[X.ids]
SERIES = pd.Series(list(X), index=X.ids)
TEXTS = pd.Series([f"word {key}" for key in X.ids], index=X.ids)
TAGS = Y.map(lambda label: [str(label)] * 3)


@pytest.mark.parametrize(
    ("run", "name"),
    [
        (lambda: NET.fit(X, Y), "y"),
        (lambda: NET.partial_fit(X, Y), "y"),
        (lambda: NET.fit(SERIES, Y), "y"),
        (lambda: NET.fit({"value": SERIES}, Y), "y"),
        (lambda: NET.fit(X, RIGHT, sample_weight=Y + 1.0), "sample_weight"),
        (lambda: NET.fit(X, RIGHT, groups=Y), "groups"),
        (lambda: NET.fit(X, RIGHT, X_val=X, y_val=Y), "y_val"),
        (lambda: NET.fit(X, RIGHT, X_val=X, y_val=RIGHT, sample_weight_val=Y + 1.0), "sample_weight_val"),
        (lambda: NET.fit(X, RIGHT).score(X, Y), "y"),
        (lambda: small(RNNRegressor).fit(X, RIGHT).score(X, Y), "y"),
        (lambda: RNNRegressor(loss="gaussian", max_epochs=1).fit(X, RIGHT).log_likelihood(X, Y), "y"),
        (lambda: small(RNNSequenceTagger).fit(X, TAGS), "y"),
        (lambda: small(RNNSequenceTagger).fit(X, TAGS.loc[X.ids]).score(X, TAGS), "y"),
        (lambda: small(RNNSequenceTagger).fit(X, TAGS.loc[X.ids]).predict_log_proba_of(X, TAGS), "y"),
        (lambda: SequenceBaggingClassifier(NET, n_estimators=2).fit(X, Y), "y"),
        (lambda: SequenceBaggingClassifier(NET, n_estimators=2).fit(X, RIGHT).score(X, Y), "y"),
        (lambda: make_pipeline(PerStep(StandardScaler()), NET).fit(SERIES, Y), "y"),
        (lambda: make_pipeline(PerStep(StandardScaler()), NET).fit(SERIES, RIGHT).score(SERIES, Y), "y"),
        (lambda: make_pipeline(SequenceTokenizer(), NET).fit(TEXTS, Y), "y"),
        (lambda: make_pipeline(SequenceTokenizer(), NET).fit(TEXTS, RIGHT).score(TEXTS, Y), "y"),
        (lambda: cross_val_score(NET, X, Y, cv=2, error_score="raise"), "y"),
        (lambda: cross_val_predict_sequences(NET, X, Y, cv=2), "y"),
        (lambda: sequence_permutation_importance(NET.fit(X, RIGHT), X, Y), "y"),
    ],
)
def test_every_door_looks(run, name):
    with pytest.raises(SequenceDataError, match=f"^{name} is in another order than"):
        run()
