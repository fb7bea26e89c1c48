"""Each loss of RNNRegressor through a whole fit: what is predicted, in the units of y, against what made the data."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from samples import ragged, small
from scipy import stats

from sklearn_rnn import RNNRegressor
from sklearn_rnn.exceptions import SequenceDataError
from sklearn_rnn.metrics import sequence_mean_log_likelihood
from sklearn_rnn.targets.number_losses import NUMBER_LOSSES

LEVELS = [0.1, 0.5, 0.9]
DISTRIBUTIONS = ["gaussian", "laplace", "student_t", "negative_binomial"]
LEARNS = {"hidden_size": 12, "bidirectional": False, "max_epochs": 40, "learning_rate": 0.02, "batch_size": 64}


def regressor(loss, **parameters):
    return small(RNNRegressor, loss=loss, quantiles=LEVELS if loss == "quantile" else None, **parameters)


def truth_of(loss, X):
    """The distribution of each target, (n_sequences, n_steps), given X; its scale grows with the steps."""
    centre, spread = X[:, :, 0], 0.5 + 0.5 * X[:, :, 1]
    if loss == "negative_binomial":
        mean = np.exp(1 + 0.5 * X[:, :, 0])
        return stats.nbinom(2.0, 2.0 / (2.0 + mean))
    if loss == "laplace":
        return stats.laplace(centre, spread)
    if loss == "student_t":
        return stats.t(4.0, centre, spread)
    return stats.norm(centre, spread)


def draw(loss, n=500, seed=0):
    rng = np.random.default_rng(seed)
    X = np.stack([rng.normal(size=(n, 4)), np.tile(np.arange(4.0), (n, 1))], axis=2)
    truth = truth_of(loss, X)
    return X, truth.rvs(random_state=rng), truth


def positive(X):
    """Targets that every loss takes, one for each step."""
    return [np.floor(np.exp(x[:, 0]) * 3) + 1 for x in X]


@pytest.mark.parametrize("loss", DISTRIBUTIONS)
def test_a_distribution_is_recovered(loss):
    model = regressor(loss, target="step", **LEARNS).fit(*draw(loss)[:2])
    X, y, truth = draw(loss, seed=1)
    mean, std = model.predict(X, return_std=True)
    found, best = (np.mean(values) for values in (model.log_likelihood(X, y), _log_density(truth, y)))
    assert best - 0.06 < found < best + 0.03
    assert np.corrcoef(mean.ravel(), truth.mean().ravel())[0, 1] > 0.93
    if loss != "student_t":  # whose degrees of freedom take more than this data
        assert_allclose(std.mean(axis=0), truth.std().mean(axis=0), rtol=0.25)


def _log_density(truth, y):
    return truth.logpmf(y) if hasattr(truth.dist, "logpmf") else truth.logpdf(y)


def test_quantiles_of_a_known_distribution_are_recovered():
    levels = np.array([0.1, 0.25, 0.5, 0.9])
    model = small(RNNRegressor, loss="quantile", quantiles=levels, target="step", **LEARNS)
    model.fit(*draw("gaussian", 800)[:2])
    X, y, truth = draw("gaussian", 800, seed=1)
    predicted = model.predict_quantiles(X)
    assert predicted.shape == (800, 4, 4)
    assert_allclose((y[..., None] < predicted).mean(axis=(0, 1)), levels, atol=0.04)
    width, due = predicted[..., -1] - predicted[..., 0], truth.ppf(0.9) - truth.ppf(0.1)
    assert_allclose(width.mean(axis=0), due.mean(axis=0), rtol=0.25)
    assert_array_equal(model.predict(X), predicted[..., 2])
    between = model.predict_quantiles(X, [0.2, 0.5, 0.7])
    assert np.all((between[..., 0] > predicted[..., 0]) & (between[..., 0] < predicted[..., 1]))
    with pytest.raises(ValueError, match=r"quantiles=\[0.05\] lie outside"):
        model.predict_quantiles(X, [0.05])


@pytest.mark.parametrize("loss", ["poisson", "gamma", "squared_error"])
def test_the_mean_is_recovered(loss):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 4, 1))
    mean = np.exp(0.5 + 0.7 * X[:, :, 0])
    y = rng.gamma(3.0, mean / 3) if loss == "gamma" else rng.poisson(mean)
    predicted = regressor(loss, target="step", **LEARNS).fit(X, y).predict(X)
    assert np.all(predicted > 0) or loss == "squared_error"
    assert np.sqrt(np.mean((predicted - mean) ** 2)) < 0.2 * mean.std()
    assert predicted.mean() == pytest.approx(mean.mean(), rel=0.06)


@pytest.mark.filterwarnings("ignore:Nothing was learned from X")
def test_outliers_move_the_mean_and_not_the_median():
    """All sequences are alike, so that the best prediction is a constant."""
    X = [np.zeros((2, 1))] * 100
    y = np.where(np.arange(100) % 5 == 0, 100.0, 1.0)
    found = {
        loss: regressor(loss, max_epochs=300, learning_rate=0.05, batch_size=100).fit(X, y).predict(X[:1])[0]
        for loss in ("squared_error", "absolute_error", "huber", "laplace")
    }
    assert found["squared_error"] == pytest.approx(y.mean(), abs=1)
    assert found["absolute_error"] == pytest.approx(1, abs=2)
    assert found["laplace"] == pytest.approx(1, abs=2)
    assert found["absolute_error"] < found["huber"] < found["squared_error"]


@pytest.mark.parametrize("loss", [name for name in NUMBER_LOSSES if name != "negative_binomial"])
def test_the_unit_of_the_targets_changes_nothing(loss):
    X = ragged(24)
    y = positive(X)
    shift = 0 if loss in ("poisson", "gamma") else 5
    plain = regressor(loss).fit(X, y)
    scaled = regressor(loss).fit(X, [1000 * values + shift for values in y])
    assert_allclose(scaled.loss_curve_, plain.loss_curve_, rtol=1e-4)
    for one, other in zip(scaled.predict(X), plain.predict(X), strict=True):
        assert_allclose(one, 1000 * other + shift, rtol=1e-4)
    if plain.loss in DISTRIBUTIONS:
        stds = (model.predict(X[:1], return_std=True)[1][0] for model in (scaled, plain))
        assert_allclose(next(stds), 1000 * next(stds), rtol=1e-4)


@pytest.mark.parametrize("loss", NUMBER_LOSSES)
@pytest.mark.parametrize("per_step", [True, False])
def test_everything_that_a_loss_says(loss, per_step):
    """Shapes, agreement with each other, and the same after pickling."""
    X = ragged(24)
    y = positive(X) if per_step else np.array([values[-1] for values in positive(X)])
    model = regressor(loss).fit(X, y)
    copied = pickle.loads(pickle.dumps(model))
    shapes = [values.shape for values in y] if per_step else [()] * 24
    says = {"predict": model.predict(X)}
    has_quantiles = loss == "quantile" or loss in DISTRIBUTIONS
    assert hasattr(model, "predict_quantiles") is has_quantiles
    assert hasattr(model, "sample_y") is hasattr(model, "log_likelihood") is (loss in DISTRIBUTIONS)
    if has_quantiles:
        says["predict_quantiles"] = model.predict_quantiles(X, LEVELS)
    if loss in DISTRIBUTIONS:
        says |= {"sample_y": model.sample_y(X, 3), "log_likelihood": model.log_likelihood(X, y)}
        assert_same(model.predict(X, return_std=True)[0], says["predict"])
    else:
        with pytest.raises(ValueError, match=f"loss='{loss}' predicts no distribution, and so no standard deviation"):
            model.predict(X, return_std=True)
    options = {"predict": [], "predict_quantiles": [LEVELS], "sample_y": [3], "log_likelihood": [y]}
    for name, values in says.items():
        trailing = () if name in ("predict", "log_likelihood") else (3,)
        assert [np.shape(item) for item in values] == [(*shape, *trailing) for shape in shapes]
        assert_same(getattr(copied, name)(X, *options[name]), values)
        if name == "predict_quantiles":
            assert all(np.all(np.diff(item, axis=-1) >= 0) for item in values)


def assert_same(one, other):
    for a, b in zip(one, other, strict=True):
        assert_array_equal(a, b)


@pytest.mark.parametrize("trailing", [(), (1,), (2,)])
def test_samples_have_the_shapes_of_a_gaussian_process(trailing):
    X = ragged(24)
    y = np.random.default_rng(0).normal(size=(24, *trailing))
    model = regressor("gaussian").fit(X, y)
    assert model.sample_y(X).shape == (24, *trailing, 1)
    samples = model.sample_y(X, 2000, random_state=0)
    assert_array_equal(samples, model.sample_y(X, 2000, random_state=0))
    assert not np.array_equal(samples, model.sample_y(X, 2000, random_state=1))
    mean, std = model.predict(X, return_std=True)
    assert mean.shape == std.shape == (24, *trailing)
    assert_allclose(samples.mean(axis=-1), mean, atol=5 * std.max() / 2000**0.5)
    assert_allclose(samples.std(axis=-1), std, rtol=0.12)
    with pytest.raises(ValueError, match="n_samples == 0, must be >= 1"):
        model.sample_y(X, 0)


def test_log_likelihood_is_that_of_the_distribution():
    X = ragged(24)
    y = np.random.default_rng(0).normal(50, 9, size=(24, 2))
    y[3, 0] = np.nan
    model = regressor("gaussian").fit(X, y)
    mean, std = model.predict(X, return_std=True)
    assert_allclose(model.log_likelihood(X, y), stats.norm(mean, std).logpdf(y), rtol=1e-6)
    assert np.isfinite(sequence_mean_log_likelihood(model.log_likelihood(X, y)))
    with pytest.raises(SequenceDataError, match=r"y has 1 output\(s\), wanted the 2"):
        model.log_likelihood(X, y[:, 0])


@pytest.mark.parametrize(
    ("loss", "y", "message"),
    [
        ("poisson", -1.0, r"loss='poisson' wants numbers that are 0 or more, got y\[3\]\[1\] = -1"),
        ("gamma", 0.0, r"loss='gamma' wants numbers above 0, got y\[3\]\[1\] = 0"),
        ("negative_binomial", 0.5, r"loss='negative_binomial' wants counts.*got y\[3\]\[1\] = 0.5"),
    ],
)
def test_targets_that_a_loss_is_not_defined_for(loss, y, message):
    X = ragged(6)
    targets = [np.ones(len(x)) for x in X]
    targets[3][1] = y
    with pytest.raises(SequenceDataError, match=message):
        regressor(loss).fit(X, targets)
    targets[3][1] = np.nan
    regressor(loss).fit(X, targets)


@pytest.mark.parametrize(
    ("quantiles", "message"),
    [
        (None, r"loss='quantile' needs the levels to learn"),
        ([], r"quantiles must be a list of numbers between 0 and 1.*got \[\]"),
        ([0.5, 0.1], r"quantiles must be in rising order.*got \[0.5, 0.1\]"),
        ([0.5, 1.0], r"quantiles must lie between 0 and 1, without the ends, got 1.0"),
        (["low"], r"quantiles must be a list of numbers between 0 and 1"),
    ],
)
def test_quantiles_that_are_refused(quantiles, message):
    X = ragged(6)
    with pytest.raises(ValueError, match=message):
        small(RNNRegressor, loss="quantile", quantiles=quantiles).fit(X, np.arange(6))


def test_a_distribution_has_the_quantiles_that_are_asked_for():
    X, y = ragged(24), np.arange(24.0)
    with pytest.raises(ValueError, match="loss='gaussian' was given no quantiles"):
        regressor("gaussian").fit(X, y).predict_quantiles(X)
    model = small(RNNRegressor, loss="gaussian", quantiles=[0.1, 0.9]).fit(X, y)
    mean, std = model.predict(X, return_std=True)
    wanted = stats.norm(mean, std)
    assert_allclose(model.predict_quantiles(X), np.column_stack([wanted.ppf(0.1), wanted.ppf(0.9)]), rtol=1e-6)
    assert_allclose(model.predict_quantiles(X, [0.7])[:, 0], wanted.ppf(0.7), rtol=1e-6)


def test_methods_that_a_loss_lacks_say_so():
    X, y = ragged(6), np.arange(6)
    model = regressor("squared_error").fit(X, y)
    for name, reason in {"sample_y": "no distribution", "predict_quantiles": "no quantiles"}.items():
        with pytest.raises(AttributeError) as raised:
            getattr(model, name)
        assert reason in str(raised.value.__cause__)
    assert not hasattr(RNNRegressor(loss="unknown"), "sample_y")


def test_another_loss_needs_another_fit():
    X, y = ragged(6), np.arange(6)
    model = regressor("gaussian", warm_start=True).fit(X, y).set_params(loss="laplace")
    with pytest.raises(ValueError, match=r"loss='laplace' and quantiles=None are not those of the fit, 'gaussian'"):
        model.fit(X, y)
