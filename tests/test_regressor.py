"""Behaviour of RNNRegressor."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from samples import CELLS, outputs, problem, ragged, small, weights
from sklearn.metrics import r2_score

from sklearn_rnn import AlignedSequences, RNNRegressor

LEARNS = {"hidden_size": 8, "max_epochs": 40, "learning_rate": 0.02}


def two_numbers(X):
    return np.array([[x[:, 0].mean(), 10 * x[:, 1].mean() + 100] for x in X])


@pytest.mark.parametrize("cell_type", CELLS)
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_learns(cell_type, n_outputs):
    X = ragged(60)
    y = two_numbers(X)[:, :n_outputs]
    model = small(RNNRegressor, cell_type=cell_type, **LEARNS).fit(X, y)
    assert model.score(X, y) > 0.7


@pytest.mark.parametrize("shape", [(24,), (24, 1), (24, 2)])
def test_predictions_have_the_dimensions_of_the_targets(shape):
    X = ragged(24)
    y = two_numbers(X)[:, :1].reshape(shape) if shape != (24, 2) else two_numbers(X)
    model = small(RNNRegressor).fit(X, y)
    assert model.predict(X).shape == shape
    assert model.predict(X[:1]).shape == (1, *shape[1:])
    assert model.predict(X).dtype == np.float64


def test_one_column_is_the_same_as_none():
    """(n,) against (n, 1) would broadcast to (n, n), and then every prediction is the mean."""
    X, y = problem(RNNRegressor, 40)
    flat, column = (small(RNNRegressor, **LEARNS).fit(X, target) for target in (y, y[:, None]))
    assert_array_equal(weights(flat), weights(column))
    assert_array_equal(flat.predict(X), column.predict(X)[:, 0])
    assert flat.score(X, y) == flat.score(X, y[:, None]) == column.score(X, y) > 0.5


def test_loss_is_the_squared_error_of_standardised_targets():
    X, y = problem(RNNRegressor)
    options = {"dropout": 0.0, "batch_size": 24, "max_epochs": 1, "dtype": "float64"}
    model = small(RNNRegressor, learning_rate=1e-12, **options).fit(X, y)
    by_hand = np.mean(((model.predict(X) - y) / y.std()) ** 2)
    assert model.loss_curve_[0] == pytest.approx(by_hand, rel=1e-6)


def test_score_is_the_coefficient_of_determination():
    X = ragged(24)
    for y in (two_numbers(X)[:, 0], two_numbers(X)):
        model = small(RNNRegressor).fit(X, y)
        weight = np.arange(1.0, 25.0)
        assert model.score(X, y) == r2_score(y, model.predict(X))
        assert model.score(X, y, weight) == r2_score(y, model.predict(X), sample_weight=weight)
        residual = ((y - model.predict(X)) ** 2).sum(axis=0)
        total = ((y - y.mean(axis=0)) ** 2).sum(axis=0)
        assert model.score(X, y) == pytest.approx(np.mean(1 - residual / total))


def test_the_unit_of_the_targets_changes_nothing():
    X, y = problem(RNNRegressor)
    plain, scaled = (small(RNNRegressor).fit(X, target) for target in (y, 2.0**20 * y))
    assert_array_equal(scaled.predict(X), 2.0**20 * plain.predict(X))


def test_targets_that_are_all_the_same_are_predicted():
    X = ragged(12)
    assert_allclose(small(RNNRegressor, max_epochs=100, learning_rate=0.05).fit(X, [5.0] * 12).predict(X), 5, atol=0.5)


@pytest.mark.parametrize(
    "make",
    [
        lambda y: y.astype(np.float32),
        lambda y: y.tolist(),
        pd.Series,
        pl.Series,
        torch.from_numpy,
        lambda y: pd.Series(y, dtype="Float64"),
        lambda y: y.astype(object),
        lambda y: y[::-1].copy()[::-1],
        lambda y: y.astype(">f8"),
    ],
)
def test_targets_in_any_container(make):
    X, y = problem(RNNRegressor)
    y = np.round(y * 64) / 64
    assert_allclose(outputs(small(RNNRegressor).fit(X, make(y)), X), outputs(small(RNNRegressor).fit(X, y), X))


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_targets_in_frames(frame):
    X = ragged(24)
    y = two_numbers(X)
    model = small(RNNRegressor).fit(X, frame({"a": y[:, 0], "b": y[:, 1]}))
    assert_allclose(model.predict(X), small(RNNRegressor).fit(X, y).predict(X))


def test_integers_and_booleans_are_numbers():
    X = ragged(24)
    small(RNNRegressor).fit(X, np.arange(24))
    small(RNNRegressor).fit(X, np.arange(24) % 2 == 0)


@pytest.mark.parametrize("options", [{}, {"early_stopping": True}])
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_a_weight_of_2_is_a_repeated_sequence_and_of_0_an_absent_one(n_outputs, options):
    X = ragged(40)
    y = two_numbers(X)[:, :n_outputs]
    weight = np.random.default_rng(0).integers(0, 3, size=40)
    weighted = small(RNNRegressor, **options).fit(X, y, sample_weight=weight)
    repeated_X = [x for x, n in zip(X, weight, strict=True) for _ in range(n)]
    repeated = small(RNNRegressor, **options).fit(repeated_X, np.repeat(y, weight, axis=0))
    assert_array_equal(weights(weighted), weights(repeated))
    assert_array_equal(weighted.predict(X), repeated.predict(X))
    assert_array_equal(weighted.target_mean_, repeated.target_mean_)


@pytest.mark.parametrize("n_outputs", [1, 2])
@pytest.mark.parametrize("kind", ["numbers", "tokens", "several inputs"])
def test_order_of_the_samples_does_not_matter(kind, n_outputs):
    """To the last bit: the same samples, with weights whose sum depends on the order, in another order."""
    rng = np.random.default_rng(0)
    tokens = [["".join(rng.choice(list("abc"), 2)) for _ in range(length)] for length in rng.integers(1, 5, 30)]
    lengths = [[float(len(set(token))) for token in sequence] for sequence in tokens]
    X = {"numbers": lengths, "tokens": tokens}.get(kind) or AlignedSequences({"token": tokens, "n": lengths})
    y, weight = rng.integers(0, 4, size=(30, n_outputs)) / 3, rng.uniform(0.1, 2, size=30)
    models = []
    for order in (np.arange(30), rng.permutation(30)):
        part = X.take(order) if isinstance(X, AlignedSequences) else [X[i] for i in order]
        models.append(small(RNNRegressor).fit(part, y[order], sample_weight=weight[order]))
    one, other = models
    assert_array_equal(one.target_mean_, other.target_mean_)
    assert_array_equal(one.target_scale_, other.target_scale_)
    assert_array_equal(weights(one), weights(other))
    assert_allclose(one.target_mean_, np.average(y, axis=0, weights=weight))
    by_definition = np.sqrt(np.average((y - one.target_mean_) ** 2, axis=0, weights=weight))
    assert_allclose(one.target_scale_, by_definition)


@pytest.mark.filterwarnings("ignore:Nothing was learned:sklearn.exceptions.ConvergenceWarning")  # X is constant
def test_weights_weigh():
    X = [np.ones((3, 1))] * 20
    y = np.array([0.0, 1.0] * 10)
    options = {"max_epochs": 100, "learning_rate": 0.02}
    model = small(RNNRegressor, **options).fit(X, y, sample_weight=np.array([3.0, 1.0] * 10))
    assert model.predict(X[:1])[0] == pytest.approx(0.25, abs=0.05)


def test_validation_scores_are_coefficients_of_determination():
    X, y = problem(RNNRegressor, 40)
    held_out, y_held_out = problem(RNNRegressor, 20, seed=1)
    model = small(RNNRegressor).fit(X, y, X_val=held_out, y_val=y_held_out)
    assert model.validation_scores_[-1] == pytest.approx(model.score(held_out, y_held_out), abs=1e-5)


def test_groups_stay_whole_in_the_inner_split():
    """A network that has seen one of each pair of twins knows the other; whole pairs held out are not known."""
    X = ragged(60)
    y = np.random.default_rng(1).normal(size=60)
    twins, y_twins, pairs = X + [x + 1e-3 for x in X], np.tile(y, 2), np.tile(np.arange(60), 2)
    options = {"hidden_size": 32, "max_epochs": 60, "learning_rate": 0.02, "dropout": 0.0, "n_iter_no_change": 60}
    model = small(RNNRegressor, early_stopping=True, validation_fraction=0.2, **options)
    split = max(model.fit(twins, y_twins).validation_scores_)
    whole = max(model.fit(twins, y_twins, groups=pairs).validation_scores_)
    assert split > whole + 0.3


def test_partial_fit_keeps_the_scale_of_the_first_targets():
    X, y = problem(RNNRegressor, 40)
    model = small(RNNRegressor).partial_fit(X, y)
    mean, scale = model.target_mean_, model.target_scale_
    model.partial_fit(X, 100 * y + 7)
    assert_array_equal(model.target_mean_, mean)
    assert_array_equal(model.target_scale_, scale)
    for _ in range(60):
        model.partial_fit(X, y)
    assert model.score(X, y) > 0.3


def test_warm_start_goes_on_from_the_weights():
    X, y = problem(RNNRegressor, 40)
    warm = small(RNNRegressor, warm_start=True, learning_rate=1e-12).fit(X, y)
    before = weights(warm)
    warm.fit(X, y)
    assert_allclose(weights(warm), before, atol=1e-6)
    warm.set_params(warm_start=False, random_state=1).fit(X, y)
    assert not np.allclose(weights(warm), before, atol=1e-3)


def test_vectors_of_the_regressor():
    X, y = problem(RNNRegressor)
    model = small(RNNRegressor, pooling="mean").fit(X, y)
    assert model.transform(X).shape == (24, 8)
    assert model.fit_transform(X, y).shape == (24, 8)
    assert model.get_feature_names_out()[0] == "rnnregressor0"


@pytest.mark.parametrize("per_step", [False, True])
def test_numbers_have_no_classes(per_step):
    X, y = problem(RNNRegressor)
    y = [x[:, 0] for x in X] if per_step else y
    model = small(RNNRegressor)
    with pytest.raises(ValueError, match="has no meaning for numbers"):
        model.partial_fit(X, y, classes=[0, 1])
    assert not hasattr(model, "net_")
    with pytest.raises(ValueError, match="has no meaning for numbers"):
        model.partial_fit(X, y).partial_fit(X, y, classes=[0, 1])
