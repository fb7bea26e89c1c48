"""Long frames that are given as tables, and tables that are none."""

import itertools
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_rnn import (
    PerStep,
    RNNClassifier,
    RNNRegressor,
    RNNSequenceTagger,
    SequenceBaggingClassifier,
    sequences_from_frame,
)
from sklearn_rnn.data.long_tables import explain_mismatch, warn_if_long
from sklearn_rnn.exceptions import SequenceDataError, SequenceDataWarning

rng = np.random.default_rng(0)
LONG = pd.DataFrame(
    {
        "user": np.repeat(np.arange(20), 4),
        "cycle": np.tile(np.arange(4), 20),
        "seconds": rng.gamma(2, 5, 80),
        "pages": rng.integers(0, 9, 80),
    }
)
NAMELESS = LONG.rename(columns={"user": "u"})
ONE_A_ROW, ONE_AN_ID = np.repeat([0, 1] * 10, 4), [0, 1] * 10
NET = RNNClassifier(hidden_size=2, max_epochs=1)

LONG_TABLES = {
    "named id": (LONG[["user", "seconds"]], "id='user')"),
    "id and counter": (NAMELESS, "id='u', sort_by='cycle')"),
    "runs of whole numbers": (NAMELESS[["u", "seconds", "pages"]], "id='u')"),
    "times": (
        NAMELESS.assign(cycle=np.tile(pd.date_range("2024", periods=4), 20))[["u", "cycle", "pages"]],
        "id='u', sort_by='cycle')",
    ),
    "array": (NAMELESS.to_numpy(), r"pd.DataFrame\(X\), id=0, sort_by=1\)"),
    "scaled": (StandardScaler().fit_transform(NAMELESS), r"pd.DataFrame\(X\), id=0, sort_by=1\)"),
    "polars": (pl.DataFrame(LONG.to_dict("list")), "id='user', sort_by='cycle')"),
    "shuffled": (LONG.sample(frac=1.0, random_state=0), "id='user')"),
    "interleaved": (LONG.sort_values("cycle", kind="stable"), "id='user'"),
    "other names": (LONG.rename(columns={"user": "customerId"}), "id='customerId', sort_by='cycle')"),
    "tokens": (
        pd.DataFrame({"Sentence #": [f"s{i}" for i in LONG["user"]], "word": rng.choice(list("abc"), 80)}),
        "id='Sentence #')",
    ),
}


@pytest.mark.parametrize(("X", "call"), LONG_TABLES.values(), ids=LONG_TABLES)
def test_a_long_frame_is_warned_of(X, call):
    with pytest.warns(SequenceDataWarning, match=rf"sequences_from_frame\(.*{call}".replace("')", r"'\)")):
        warn_if_long(X)


TABLES = {
    "whole numbers": rng.integers(0, 5, (80, 12)),
    "binary": rng.integers(0, 2, (80, 6)),
    "sorted by the first step": pd.DataFrame(rng.integers(0, 9, (80, 12))).sort_values(0),
    "sorted by all steps": pd.DataFrame(rng.integers(0, 9, (80, 3)), columns=list("abc")).sort_values(list("abc")),
    "floats": rng.normal(size=(80, 5)),
    "rising": rng.normal(size=(80, 5)).cumsum(axis=1),
    "counts": pd.DataFrame(rng.poisson(2, (80, 24)).cumsum(axis=1)),
    "in order": np.arange(400).reshape(80, 5),
    "equal": np.ones((80, 5)),
    "rounded": np.round(rng.normal(size=(80, 5)), 1),
    "grid": pd.DataFrame([[i, j] for i in range(4) for j in range(1, 5)]),
    "an id of its own": pd.DataFrame({"id": np.arange(80), "t0": rng.normal(size=80), "t1": rng.normal(size=80)}),
}


@pytest.mark.parametrize("X", TABLES.values(), ids=TABLES)
def test_a_table_is_not(X):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_if_long(X)


@given(X=hnp.arrays(np.int64, st.tuples(st.integers(6, 40), st.integers(2, 8)), elements=st.integers(0, 9)))
@settings(deadline=None, max_examples=200)
def test_whole_numbers_in_any_order_are_not(X):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_if_long(rng.permuted(X, axis=0))


@pytest.mark.parametrize(
    "fit",
    [
        lambda: NET.fit(LONG, ONE_A_ROW),
        lambda: clone(NET).partial_fit(LONG, ONE_A_ROW),
        lambda: RNNRegressor(hidden_size=2, max_epochs=1).fit(LONG, ONE_A_ROW),
        lambda: PerStep(StandardScaler()).fit(LONG),
        lambda: SequenceBaggingClassifier(NET, n_estimators=1).fit(LONG, ONE_A_ROW),
        lambda: NET.fit([x[:, None] for x in rng.normal(size=(20, 4))], ONE_AN_ID).predict(LONG),
    ],
)
def test_whatever_reads_it(fit):
    with pytest.warns(SequenceDataWarning, match="looks like a long frame"):
        fit()


@pytest.mark.parametrize(
    "model",
    [
        NET,
        make_pipeline(PerStep(StandardScaler()), NET),
        SequenceBaggingClassifier(NET),
        RNNRegressor(max_epochs=1),
        RNNSequenceTagger(max_epochs=1),
    ],
)
def test_a_target_for_each_id(model):
    y = [["O"] * 4] * 20 if isinstance(model, RNNSequenceTagger) else ONE_AN_ID
    with pytest.raises(
        SequenceDataError, match=r"X has 80 rows, y has 20\..* sequences_from_frame\(X, id='user', sort"
    ):
        model.fit(LONG, y)


def test_a_target_for_each_id_with_an_index_of_ids():
    y = pd.Series(ONE_AN_ID, index=pd.Index(pd.unique(LONG["user"]), name="user"))
    for X, call in (
        (LONG, r"\(X, id='user', sort"),
        (LONG.set_index("user"), r"\(X\.reset_index\(\), id='user', sort"),
    ):
        for target in (y, ONE_AN_ID):
            with pytest.raises(SequenceDataError, match=f"has 80 rows, y has 20.* sequences_from_frame{call}"):
                NET.fit(X, target)


def test_a_target_for_each_id_of_an_array():
    with pytest.raises(SequenceDataError, match=r"The column 0 of X has 20 distinct values"):
        explain_mismatch(LONG.to_numpy(), ONE_AN_ID)
    explain_mismatch(LONG.to_numpy(), [0] * 17)
    explain_mismatch(rng.integers(0, 5, (80, 12)), [0] * 5)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")
@pytest.mark.parametrize("layout", [torch.strided, torch.jagged])
def test_nested_tensors_have_no_shape_to_look_at(layout):
    rows = [torch.tensor(x[: 1 + i % 3]) for i, x in enumerate(LONG.to_numpy().reshape(20, 4, -1))]
    X = torch.nested.nested_tensor(rows, layout=layout)
    small = RNNClassifier(hidden_size=2, max_epochs=1, random_state=0)
    plain = small.fit([row.numpy() for row in rows], ONE_AN_ID).predict_proba([row.numpy() for row in rows])
    assert_array_equal(small.fit(X, ONE_AN_ID).predict_proba(X), plain)


def test_a_target_for_each_step_where_sequences_have_one():
    X, per_step = sequences_from_frame(LONG, id="user", target="pages")
    for model in (NET, RNNRegressor(max_epochs=1), PerStep(StandardScaler())):
        with pytest.raises(SequenceDataError, match=r"20 sequences, y has 80 values.* the column as target="):
            model.fit(X, LONG["pages"])
    with pytest.raises(SequenceDataError, match="A label for each step is RNNSequenceTagger's work"):
        NET.fit(X, per_step)


@pytest.mark.parametrize("when", [False, True], ids=["strings", "dates"])
def test_a_long_frame_that_is_no_table_at_all(when):
    frame = LONG.assign(user=[f"u{i}" for i in LONG["user"]])
    if when:
        frame = frame.assign(cycle=pd.date_range("2024", periods=80))
    frames = [frame, frame.assign(user=[i % 20 for i in range(80)])]  # the second of which can be taken for numbers
    for model, frame in itertools.product((NET, PerStep(StandardScaler())), frames if when else frames[:1]):
        with pytest.raises(SequenceDataError, match=r"^X looks like a long frame.* id='user'.*As a table it cannot be"):
            model.fit(frame, ONE_A_ROW)
