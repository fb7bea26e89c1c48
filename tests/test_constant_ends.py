"""A warning for padding that nobody has named, and none for data that ends in constants."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_digits

from sklearn_rnn import RNNClassifier, RNNRegressor
from sklearn_rnn.data.inputs import read
from sklearn_rnn.exceptions import SequenceDataWarning

N, LENGTH = 60, 30


def noise(rng, n_features=2):
    """Sequences of 4 to `LENGTH` steps."""
    return [rng.normal(size=(n, n_features)) for n in rng.integers(4, LENGTH, size=N)]


def padded(rows, value, front=False):
    block = np.full((len(rows), LENGTH, *rows[0].shape[1:]), value, dtype=np.result_type(rows[0], type(value)))
    for i, row in enumerate(rows):
        begin = LENGTH - len(row) if front else 0
        block[i, begin : begin + len(row)] = row
    return block


@pytest.mark.parametrize("value", [0.0, -999.0, np.nan])
@pytest.mark.parametrize("front", [False, True])
def test_padded_numbers(rng, value, front):
    shown = "numpy.nan" if np.isnan(value) else value
    words = rf"{'begin' if front else 'end'} in steps all features of which are {shown}.* set padding_value={shown}"
    with pytest.warns(SequenceDataWarning, match=words):
        read(padded(noise(rng), value, front), missing="mask" if np.isnan(value) else "error")


def test_padded_ids_and_tokens(rng):
    rows = [rng.integers(1, 30, size=n) for n in rng.integers(3, LENGTH, size=N)]
    ids = padded(rows, 0)
    with pytest.warns(SequenceDataWarning, match=r"set padding_value=0, or cut it off with trim_padding\(X, 0\)$"):
        read(ids, embed=True)
    tokens = [[str(i) if i else "<pad>" for i in row] for row in ids]
    with pytest.warns(SequenceDataWarning, match="set padding_value='<pad>'"):
        read(tokens)
    with pytest.warns(SequenceDataWarning, match=r"the input 'w' of X end.*set padding_value={'w': '<pad>'}"):
        read({"w": tokens, "v": rng.normal(size=(N, LENGTH))})


def test_padding_that_was_scaled(rng):
    block = padded(noise(rng), 0.0)
    scaled = (block - [1.0, 2.0]) / [3.0, 4.0]
    with pytest.warns(SequenceDataWarning, match="all the same.*before anything scales X"):
        read(scaled)


def test_a_fit_warns_once_and_not_where_padding_is_named(rng):
    X, y = padded(noise(rng), 0.0), np.arange(N) % 2
    small = {"hidden_size": 2, "max_epochs": 1, "random_state": 0}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = RNNClassifier(**small).fit(X, y)
        model.predict(X)
    assert [warning.category for warning in caught] == [SequenceDataWarning]
    RNNClassifier(padding_value=0, **small).fit(X, y)
    with pytest.warns(SequenceDataWarning, match="padding_value=0.0"):
        RNNRegressor(padding_value=-1, **small).fit(X, y)


def own_plateau(rng):
    X = rng.normal(size=(N, LENGTH, 1)).cumsum(axis=1)
    for x, n in zip(X, rng.integers(1, 20, size=N), strict=True):
        x[-n:] = x[-n]
    return X


def plateau_of_one_length(rng):
    X = rng.normal(size=(N, LENGTH, 1))
    X[:, -5:] = 0
    return X


def saturated(rng):
    return np.clip(rng.normal(size=(N, LENGTH, 1)).cumsum(axis=1) + np.arange(LENGTH)[:, None] / 2, 0, 8)


def grown_to_one(rng):
    return np.minimum(rng.random((N, LENGTH, 1)).cumsum(axis=1) / 8, 1)


def counts(rng):
    return rng.poisson(0.3, size=(N, LENGTH, 1)).astype(float)


def rectified(rng):
    return np.maximum(rng.normal(size=(N, LENGTH, 1)), 0)


def silent(rng):
    return np.zeros((N, LENGTH, 2))


def one_constant_feature(rng):
    X = rng.normal(size=(N, LENGTH, 3))
    X[:, :, 1] = 0
    return X


def bordered_images(rng):
    X = np.zeros((N, LENGTH, 8))
    for x, top, bottom in zip(X, rng.integers(1, 8, size=N), rng.integers(1, 8, size=N), strict=True):
        x[top:-bottom] = rng.random((LENGTH - top - bottom, 8))
    return X


def digits(rng):
    return load_digits().images / 16


def unequal(rng):
    return [np.concatenate([x, np.zeros((3, 2))]) for x in noise(rng)]


@pytest.mark.parametrize(
    "data",
    [
        own_plateau,
        plateau_of_one_length,
        saturated,
        grown_to_one,
        counts,
        rectified,
        silent,
        one_constant_feature,
        bordered_images,
        digits,
        unequal,
    ],
)
def test_data_that_ends_in_constants_is_data(rng, data):
    read(data(rng))
