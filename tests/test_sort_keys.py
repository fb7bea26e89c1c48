"""Text that is sorted as text where it stands for something else."""

import warnings

import pandas as pd
import pytest

from sklearn_rnn import sequences_from_frame
from sklearn_rnn.exceptions import SequenceDataWarning


def read(keys):
    frame = pd.DataFrame({"id": "a", "step": keys, "value": range(len(keys))})
    return sequences_from_frame(frame, id="id", sort_by="step", columns="value")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (["1", "2", "10"], "sorts '10' before '2'.*astype"),
        (["-1", "-2"], "sorts '-1' before '-2'"),
        (["0.5", "10.25", "9.75"], "sorts '10.25' before '9.75'"),
        (["step 2", "step 10"], "sorts 'step 10' before 'step 2'.*extract"),
        (["t1_2", "t1_10"], "sorts 't1_10' before 't1_2'"),
        (["9:30", "10:00"], "sorts '10:00' before '9:30'.*leading zeros"),
        (["2024-1-9", "2024-1-10"], "sorts '2024-1-10' before '2024-1-9'"),
        (["31/12/2023", "01/01/2024"], "looks like dates, such as '01/01/2024'.*to_datetime"),
        (["Jan 3, 2024", "Feb 1, 2024"], "looks like dates"),
        (pd.Categorical(["1", "2", "10"]), "sorts '10' before '2'.*astype"),
    ],
)
def test_text_in_another_order_than_it_was_meant(keys, message):
    with pytest.warns(SequenceDataWarning, match=message):
        read(keys)


@pytest.mark.parametrize(
    "keys",
    [
        ["01", "02", "10"],
        ["1", "2", "3"],
        ["2024-01-09", "2024-01-10"],
        ["2024-01-09T10:00", "2024-01-10T09:00"],
        ["morning", "evening"],
        ["a1", "b1"],
        ["5"],
        [1, 2, 10],
        pd.Categorical(["1", "2", "10"], categories=["1", "2", "10"]),
        pd.Categorical(["10", "2", "1"], categories=["10", "2", "1"], ordered=True),
        pd.Categorical(["2/1/24", "1/2/24"], categories=["2/1/24", "1/2/24"]),
    ],
)
def test_what_is_in_order_is_not_warned_of(keys):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(keys).lengths.tolist() == [len(keys)]


@pytest.mark.parametrize("ordered", [False, True])
def test_categories_are_sorted_as_pandas_sorts_them(ordered):
    days = pd.Categorical(["wed", "mon", "tue"], categories=["mon", "tue", "wed"], ordered=ordered)
    frame = pd.DataFrame({"id": "a", "step": days, "value": [3.0, 1.0, 2.0]})
    sequences = sequences_from_frame(frame, id="id", sort_by="step", columns="value")
    assert sequences.values.ravel().tolist() == frame.sort_values("step")["value"].tolist() == [1, 2, 3]
