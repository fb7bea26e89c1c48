"""Whether a training has learned anything."""

import warnings

import numpy as np
import pytest
from samples import small

from sklearn_rnn import RNNClassifier, RNNRegressor
from sklearn_rnn.exceptions import NothingLearnedWarning

LONG_ENOUGH = {"max_epochs": 30, "batch_size": 8, "learning_rate": 0.01}


X = np.random.default_rng(0).normal(size=(60, 4, 1))


@pytest.mark.parametrize(("kind", "target"), [(RNNClassifier, ["a", "b"]), (RNNRegressor, [0.0, 1.0])])
def test_inputs_that_say_nothing_are_warned_of(kind, target):
    y = np.array(target * 30)
    with pytest.warns(NothingLearnedWarning, match="learning_rate") as caught:
        small(kind, **LONG_ENOUGH).fit(np.zeros_like(X), y)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("kind", [RNNClassifier, RNNRegressor])
def test_what_was_learned_from_is_silent(kind):
    y = X.mean(axis=(1, 2))
    small(kind, **LONG_ENOUGH).fit(X, y if kind is RNNRegressor else y > 0)


def test_a_training_that_was_meant_to_be_short_is_silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small(RNNClassifier, **{**LONG_ENOUGH, "max_epochs": 2}).fit(np.zeros_like(X), ["a", "b"] * 30)


@pytest.mark.parametrize(("y", "expected"), [(["a"] * 45 + ["b"] * 15, 0.5623), (["a"] * 20 + ["b"] * 40, 0.6365)])
def test_the_best_constant_has_the_entropy_of_the_shares(y, expected):
    with pytest.warns(NothingLearnedWarning) as caught:
        small(RNNClassifier, **LONG_ENOUGH).fit(np.zeros_like(X), y)
    assert f"{expected:.4g}" in str(caught[0].message)
