"""Warnings for numbers that are not scaled, and for validation data on another scale than X."""

import warnings

import numpy as np
import pytest
import sklearn
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_digits
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from sklearn_rnn import AlignedSequences, PerStep, RNNClassifier, RNNRegressor, RNNSequenceTagger, Sequences
from sklearn_rnn.exceptions import SequenceDataWarning

SMALL = {"hidden_size": 2, "max_epochs": 1, "random_state": 0}
UNSCALED = {**SMALL, "standardize": False}


def series(rng, n=40, n_features=2, longest=9):
    return [rng.normal(size=(length, n_features)) for length in rng.integers(3, longest, size=n)]


def fit(X, **options):
    return RNNClassifier(**SMALL).fit(X, np.arange(len(X)) % 2, **options)


def fit_unscaled(X):
    return RNNClassifier(**UNSCALED).fit(X, np.arange(len(X)) % 2)


def fit_beside(X, X_val):
    return fit(X, X_val=X_val, y_val=np.arange(len(X_val)) % 2)


@pytest.mark.parametrize(
    ("scale", "offset"),
    [(10, 70), (37, 500), (1, 20), (1000, 0), (0.001, 0), (1, -50), (0, 30)],
)
def test_numbers_that_are_not_scaled(rng, scale, offset):
    X = [x * scale + offset for x in series(rng)]
    words = r"X is not scaled.*Set standardize='auto'.*make_pipeline\(PerStep\(StandardScaler\(\)\), RNN"
    with pytest.warns(SequenceDataWarning, match=words):
        fit_unscaled(X)
    fit(X)


@pytest.mark.parametrize(("scale", "offset"), [(1, 0), (0.1, 0), (1, 5), (10, 0), (10, 5), (6, 5)])
def test_numbers_that_networks_learn_from(rng, scale, offset):
    fit_unscaled([x * scale + offset for x in series(rng)])


def test_pixels():
    X = load_digits().images[:60]
    fit_unscaled(X)
    with pytest.warns(SequenceDataWarning, match=r"the feature \d of X.*of 8 features are such"):
        fit_unscaled(X * 16)
    fit(X)


def test_the_feature_is_named(rng):
    parts = series(rng)
    X = Sequences.from_arrays([x * [1, 10] + [0, 80] for x in parts])
    X.feature_names = ["speed", "pulse"]
    with pytest.warns(SequenceDataWarning, match="the feature 'pulse' of X lies.*1 of 2 features"):
        fit_unscaled(X)
    words = [["w"] * len(x) for x in parts]
    with pytest.warns(SequenceDataWarning, match="the feature 1 of the input 'v' of X"):
        fit_unscaled(AlignedSequences({"w": words, "v": [x * [1, 10] + [0, 80] for x in parts]}))


def test_missing_values_hide_nothing(rng):
    X = [np.where(rng.random(x.shape) < 0.2, np.nan, x * 10 + 80) for x in series(rng)]
    with pytest.warns(SequenceDataWarning, match="X is not scaled"):
        RNNClassifier(missing="mask", **UNSCALED).fit(X, np.arange(40) % 2)
    RNNClassifier(missing="mask", **UNSCALED).fit([(x - 80) / 10 for x in X], np.arange(40) % 2)


def test_ids_that_are_read_as_numbers(rng):
    X = [rng.integers(0, 5000, size=n) for n in (3, 5, 4, 6)]
    with pytest.warns(SequenceDataWarning, match="set embedding_dim"):
        fit_unscaled(X)
    RNNClassifier(embedding_dim=2, **SMALL).fit(X, [0, 1, 0, 1])


def test_small_numbers_among_tokens_or_as_single_ones(rng):
    fit_unscaled(np.eye(50)[rng.integers(0, 50, size=(40, 6))])  # most numbers are 0, but each step holds a 1
    X = series(rng)
    fit_unscaled(AlignedSequences({"w": [["w"] * len(x) for x in X], "v": [x / 1000 for x in X]}))


@pytest.mark.parametrize("estimator", [RNNClassifier, RNNRegressor, RNNSequenceTagger])
def test_a_fit_warns_once(rng, estimator):
    X = [x * 1000 + 5000 for x in series(rng)]
    y = (
        [["a", "b"] * (len(x) // 2) + ["a"] * (len(x) % 2) for x in X]
        if estimator is RNNSequenceTagger
        else [0, 1] * 20
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = estimator(warm_start=True, **UNSCALED).fit(X, y)
        model.fit(X, y)
        model.partial_fit(X, y)
        model.predict(X)
    assert [warning.category for warning in caught] == [SequenceDataWarning]


def pipeline(scaler, **options):
    net = RNNClassifier(**SMALL).set_fit_request(X_val=True, y_val=True)
    return Pipeline([("scale", PerStep(scaler)), ("net", net)], **options)


@pytest.mark.parametrize("scaler", [StandardScaler(), MinMaxScaler()])
def test_validation_data_in_a_pipeline(rng, scaler):
    X = rng.normal(size=(80, 7, 3)) * 1000 + 5000
    y = np.arange(80) % 2
    words = r"X_val is on another scale than X: .*Pipeline\(\.\.\., transform_input=\['X_val'\]\)"
    with sklearn.config_context(enable_metadata_routing=True):
        with pytest.warns(SequenceDataWarning, match=words):
            pipeline(scaler).fit(X[:60], y[:60], X_val=X[60:], y_val=y[60:])
        right = pipeline(scaler, transform_input=["X_val"]).fit(X[:60], y[:60], X_val=X[60:], y_val=y[60:])
    assert right[-1].validation_scores_[-1] == right.score(X[60:], y[60:])
    net = Pipeline([("scale", PerStep(scaler)), ("net", RNNClassifier(**SMALL))])
    with pytest.warns(SequenceDataWarning, match=words):
        net.fit(X[:60], y[:60], net__X_val=X[60:], net__y_val=y[60:])


def test_one_feature_of_several_is_enough(rng):
    X, other = series(rng), series(rng, n=4)
    words, raw = [["w"] * len(x) for x in X], [x * [10, 1] + [70, 0] for x in X]
    with pytest.warns(SequenceDataWarning, match="the feature 1 of X_val"):
        fit_beside(X, [x * [1, 10] + [0, 70] for x in other])
    with pytest.warns(SequenceDataWarning, match="the feature 0 of the input 'v' of X_val"):
        fit_beside(AlignedSequences({"w": words, "v": X}), AlignedSequences({"w": words, "v": raw})[:4])


def test_validation_data_that_is_scaled_where_x_is_not(rng):
    X, other = series(rng), series(rng, n=10)
    with pytest.warns(SequenceDataWarning, match="X_val is on another scale"):
        fit_beside([x * 1000 for x in X], other)


def test_validation_data_is_told_of_in_its_own_units(rng):
    X, other = series(rng, n_features=1), series(rng, n=10, n_features=1)
    with pytest.warns(
        SequenceDataWarning, match=r"X_val lies mostly between 8\.\d+e\+04 and 9\.\d+e\+04, in X between 49\d\d and"
    ):
        fit_beside([x * 10 + 5000 for x in X], [x * 1000 + 90_000 for x in other])


def spoiled(rng, *columns, value=1e30):
    X = rng.normal(size=(60, 20, 3))
    for column in columns:
        X[7, 3, column] = value
    return X


def test_values_so_far_out_that_they_set_the_scale(rng):
    words = r"The feature 1 of X lies mostly between -\S+ and \S+, .* deviation is 2\.8\d+e\+28.*QuantileTransformer"
    with pytest.warns(SequenceDataWarning, match=words):
        fit(spoiled(rng, 1))
    with pytest.warns(SequenceDataWarning, match=r"2 of 3 features are such.*PerStep\(QuantileTransformer\(\)\)"):
        fit(spoiled(rng, 0, 2, value=1e6))
    words = [["w"] * 20] * 60
    with pytest.warns(SequenceDataWarning, match=r"The feature 0 of the input 'v' of X.*inputs=\['v'\]"):
        fit(AlignedSequences({"w": words, "v": spoiled(rng, 0)}))


def test_values_that_are_far_out_but_leave_the_others_apart(rng):
    fit(spoiled(rng, 1, value=100.0))
    fit(spoiled(rng, 1)[:7])
    fit(rng.standard_t(3, size=(60, 20, 3)))
    fit(np.exp(rng.normal(size=(60, 20, 3))))
    fit(np.where(rng.random((60, 20, 3)) < 0.99, 0, rng.normal(size=(60, 20, 3)) ** 2 * 1000))


def test_data_on_another_scale_than_that_of_pretrained(rng):
    X = series(rng)
    source = fit([x * 100 + 5000 for x in X])
    RNNClassifier(pretrained=source, **SMALL).fit([x * 100 + 5000 for x in X], np.arange(40) % 2)
    words = r"not on the scale of what pretrained was fitted on.*lies mostly between -\S+ and \S+ \(2 of 2 features"
    with pytest.warns(SequenceDataWarning, match=words):
        RNNClassifier(pretrained=source, **SMALL).fit(X, np.arange(40) % 2)


def drifting(rng):
    return (rng.normal(size=4000).cumsum() / 40).reshape(-1, 20, 1), 150


def trend(rng):
    return np.linspace(0, 3, 4000).reshape(-1, 20, 1), 120


def heavy_tails(rng):
    return np.clip(rng.standard_cauchy((200, 20, 2)), -1e6, 1e6), 195


def constant_channels(rng):
    X = rng.normal(size=(60, 10, 3))
    X[:, :, 0] = np.arange(60)[:, None] // 50
    X[:, :, 1] = 2
    return X, 50


def almost_constant(rng):
    X = 1 + 1e-9 * rng.normal(size=(60, 10, 1))
    X[50:] += 1e-7
    return X, 50


def seldom_anything(rng):
    return (rng.random((200, 20, 5)) < 0.003).astype(float), 150


def quiet_class(rng):
    X = rng.normal(size=(60, 30, 2))
    X[::2] /= 100
    return np.concatenate([X, X[::2]]), 60


def steps_of_one(rng):
    return rng.normal(size=(60, 1, 2)), 50


@pytest.mark.parametrize(
    "data",
    [drifting, trend, heavy_tails, constant_channels, almost_constant, seldom_anything, quiet_class, steps_of_one],
)
def test_validation_data_that_differs_as_data_does(rng, data):
    X, begin = data(rng)
    fit_beside(X[:begin], X[begin:])


@pytest.mark.parametrize("n", [1, 2, 5])
def test_little_validation_data(rng, n):
    X = series(rng, n=200, n_features=1, longest=5)
    for k in range(0, 100, n * 7):
        fit_beside(X[100:], X[k : k + n])


def test_ids_have_no_scale(rng):
    ids = [rng.integers(0, 10, size=6) for _ in range(20)]
    net = RNNClassifier(embedding_dim=2, **SMALL)
    net.fit(ids, np.arange(20) % 2, X_val=[i + 5000 for i in ids], y_val=np.arange(20) % 2)


def test_a_scaler_inside_a_column_transformer(rng):
    X = Sequences(rng.normal(size=(200, 2)) * 100 + 500, np.arange(0, 201, 5), feature_names=["a", "b"])
    y = np.arange(40) % 2
    columns = PerStep(ColumnTransformer([("scale", StandardScaler(), ["a", "b"])]))
    with sklearn.config_context(enable_metadata_routing=True):
        net = RNNClassifier(**SMALL).set_fit_request(X_val=True, y_val=True)
        model = Pipeline([("scale", columns), ("net", net)], transform_input=["X_val"])
        model.fit(X[:30], y[:30], X_val=X[30:], y_val=y[30:])
