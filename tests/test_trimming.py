"""trim_padding: padded data made ragged once, with what belongs to its steps."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklearn_rnn import AlignedSequences, PerStep, RNNRegressor, Sequences, trim_padding
from sklearn_rnn.exceptions import SequenceDataError

BLOCK = np.array([[[1.0, 2.0], [0.0, 3.0], [0.0, 0.0]], [[0.0, 0.0], [4.0, 0.0], [0.0, 0.0]]])


@pytest.mark.parametrize("wrap", [np.asarray, torch.as_tensor, list, Sequences.from_arrays])
def test_steps_that_are_zero_throughout_go(wrap):
    trimmed = trim_padding(wrap(BLOCK), 0)
    assert isinstance(trimmed, Sequences)
    assert [steps.tolist() for steps in trimmed] == [[[1, 2], [0, 3]], [[4, 0]]]
    assert trimmed.trimming is None  # a subset of it would not know either


def test_nan_is_the_value_by_default():
    X = pd.DataFrame([[1.0, 2.0, np.nan], [np.nan, 3.0, np.nan]])
    assert [steps.ravel().tolist() for steps in trim_padding(X)] == [[1, 2], [3]]


def test_torch_pads_and_says_the_lengths():
    parts = [torch.tensor([1.0, 0.0]), torch.tensor([0.0, 0.0, 5.0])]
    padded = torch.nn.utils.rnn.pad_sequence(parts, batch_first=True)
    trimmed = trim_padding(padded, lengths=torch.tensor([2, 3]))
    assert [steps.ravel().tolist() for steps in trimmed] == [[1, 0], [0, 0, 5]]


@pytest.mark.parametrize(
    "y",
    [
        [["a", "b", "-"], ["-", "c", "-"]],
        np.array([["a", "b", "-"], ["-", "c", "-"]]),
        pd.Series([["a", "b", "-"], ["c"]]),
        pd.DataFrame([["a", "b", "-"], ["-", "c", "-"]]),
    ],
)
def test_y_is_cut_where_x_is(y):
    trimmed, labels = trim_padding(BLOCK, 0, y=y)
    assert trimmed.lengths.tolist() == [2, 1]
    assert [list(row) for row in labels] == [["a", "b"], ["c"]]


def test_y_of_data_without_padding_stays():
    _, labels = trim_padding(BLOCK[:1, :2], 0, y=[["a", "b"]])
    assert labels.tolist() == [["a", "b"]]


def test_several_inputs():
    X = {"word": [["a", "-"], ["b", "c"]], "number": np.array([[1.0, 0.0], [0.0, 2.0]])}
    trimmed = trim_padding(X, {"word": "-"})
    assert isinstance(trimmed, AlignedSequences)
    assert trimmed.lengths.tolist() == [1, 2]


def test_the_index_of_a_series_stays():
    X = pd.Series([np.array([[1.0], [0.0]]), np.array([[2.0], [3.0]])], index=["b", "a"])
    y = pd.Series([0.0, 1.0], index=["a", "b"])
    trimmed = trim_padding(X, 0)
    assert trimmed.ids.tolist() == ["b", "a"]
    with pytest.raises(SequenceDataError, match="y is in another order than X"):
        RNNRegressor(max_epochs=1).fit(trimmed, y)


def test_before_a_scaler_in_a_pipeline():
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(n, 2)) for n in (3, 1, 4, 2)]
    padded = np.zeros((4, 4, 2))
    for i, x in enumerate(X):
        padded[i, : len(x)] = x
    model = make_pipeline(PerStep(StandardScaler()), RNNRegressor(hidden_size=3, max_epochs=2, random_state=0))
    plain = model.fit(X, np.arange(4.0)).predict(X)
    told = make_pipeline(FunctionTransformer(trim_padding, kw_args={"value": 0}), *[step for _, step in model.steps])
    np.testing.assert_array_equal(told.fit(padded, np.arange(4.0)).predict(padded), plain)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"value": "-"}, "value='-' can be none of the steps, as X holds numbers"),
        ({"lengths": [2]}, r"lengths=\[2\] must hold one integer for each of the 2 sequences"),
        ({"lengths": [2.0, 1.0]}, "must hold one integer"),
        ({"lengths": [2, 4]}, r"lengths\[1\] is 4, but X\[1\] has 3 steps"),
        ({"lengths": [-1, 2]}, r"lengths\[0\] is -1"),
        ({"value": 0, "y": [1, 2]}, r"y\[0\] is 1, but X\[0\] has 2 steps \(3 with padding\)"),
        ({"value": 0, "y": [["a", "b"], ["a", "b"]]}, r"y\[1\] has 2 items, but X\[1\] has 1 steps"),
        ({"value": 0, "y": [["a", "b"]]}, "inconsistent numbers of samples"),
    ],
)
def test_errors(options, words):
    with pytest.raises(SequenceDataError, match=words):
        trim_padding(BLOCK, **options)
