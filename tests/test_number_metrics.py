"""Scores of numbers in nested formats with gaps, against scikit-learn's on the flat targets that are there."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import LinearRegression
from sklearn.metrics import get_scorer, mean_absolute_error, mean_pinball_loss, r2_score, root_mean_squared_error
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklearn_rnn import Sequences
from sklearn_rnn.data.formats import object_array
from sklearn_rnn.exceptions import SequenceDataError
from sklearn_rnn.metrics import (
    make_pinball_scorer,
    sequence_log_likelihood_scorer,
    sequence_mae_scorer,
    sequence_mean_absolute_error,
    sequence_mean_log_likelihood,
    sequence_pinball_loss,
    sequence_pinball_scorer,
    sequence_r2_score,
    sequence_r2_scorer,
    sequence_rmse_scorer,
    sequence_root_mean_squared_error,
)

SCORES = {
    sequence_r2_score: r2_score,
    sequence_mean_absolute_error: mean_absolute_error,
    sequence_root_mean_squared_error: root_mean_squared_error,
    sequence_pinball_loss: mean_pinball_loss,
}
every_score = pytest.mark.parametrize(("score", "flat_score"), SCORES.items(), ids=[s.__name__ for s in SCORES])


@st.composite
def ragged(draw, n_outputs=1):
    """True and predicted numbers of the same lengths, some targets absent, and a weight for each step."""
    lengths = draw(st.lists(st.integers(0, 6), min_size=1, max_size=5).filter(lambda lengths: sum(lengths) >= 4))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    shapes = [(n, n_outputs) for n in lengths]
    true, pred = ([rng.normal(size=shape) for shape in shapes] for _ in range(2))
    gap = draw(st.floats(0, 0.5))
    true = [np.where(rng.random(item.shape) < gap, np.nan, item) for item in true]
    return true, pred, [rng.integers(1, 4, size=n).astype(float) for n in lengths]


def score_of_columns(flat_score, true, pred, weight):
    """scikit-learn's score of each output's targets that are there, in the mean."""
    true, pred, weight = np.concatenate(true), np.concatenate(pred), np.concatenate(weight)
    there = ~np.isnan(true)
    return np.mean(
        [flat_score(true[m, k], pred[m, k], sample_weight=weight[m]) for k, m in enumerate(there.T) if m.any()]
    )


@every_score
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_scores_of_plain_targets_are_scikit_learns(score, flat_score, n_outputs, rng):
    true, pred, weight = rng.normal(size=(30, n_outputs)), rng.normal(size=(30, n_outputs)), rng.random(30)
    for y, other in [(true, pred), (true[:, 0], pred[:, 0]), (true.tolist(), pred), (pd.DataFrame(true), pred)]:
        np.testing.assert_allclose(score(y, other), flat_score(y, other))
        expected = flat_score(y, other, sample_weight=weight)
        np.testing.assert_allclose(score(y, other, sample_weight=weight), expected)


@every_score
@pytest.mark.parametrize("n_outputs", [1, 2])
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_ragged_scores_are_those_of_the_targets_that_are_there(score, flat_score, n_outputs, data):
    true, pred, weight = data.draw(ragged(n_outputs).filter(lambda pair: enough(pair[0])))
    found = score(true, pred, sample_weight=object_array(weight), target="step")
    np.testing.assert_allclose(found, score_of_columns(flat_score, true, pred, weight))


def enough(true):
    """Whether each output has at least two targets, as R2 needs."""
    return (np.sum(~np.isnan(np.concatenate(true)), axis=0) >= 2).all()


@every_score
def test_every_format_gives_the_same_score(score, flat_score, rng):
    true, pred = rng.normal(size=(2, 6, 4, 1))
    true[2, 1:] = np.nan
    expected = score_of_columns(flat_score, true, pred, np.ones((6, 4)))
    flat = [item[:, 0] for item in true]
    forms = [
        true,
        torch.from_numpy(true),
        list(true),
        object_array(list(true)),
        object_array(flat),
        [item.tolist() for item in flat],
        [[None if np.isnan(number) else number for number in item] for item in flat],
        pd.Series(flat),
        Sequences(true.reshape(-1, 1), np.arange(7) * 4),
        true[:, :, 0],
        pd.DataFrame(true[:, :, 0]),
    ]
    for form in forms:
        np.testing.assert_allclose(score(form, object_array(list(pred))), expected)
        np.testing.assert_allclose(score(form, pred[:, :, 0], target="step"), expected)


@every_score
def test_a_weight_a_sequence_is_that_of_each_of_its_steps(score, flat_score, rng):
    true, pred = ([rng.normal(size=n) for n in (3, 0, 5)] for _ in range(2))
    found = score(true, pred, sample_weight=[1.0, 2.0, 3.0])
    each = [np.full(3, 1.0), np.empty(0), np.full(5, 3.0)]
    np.testing.assert_allclose(found, score(true, pred, sample_weight=each))
    repeated = [score([*true, true[2], true[2]], [*pred, pred[2], pred[2]])]
    np.testing.assert_allclose(found, repeated[0])
    blocks = rng.normal(size=(2, 4, 3, 1))
    weight = rng.random((4, 3))
    expected = flat_score(blocks[0].ravel(), blocks[1].ravel(), sample_weight=weight.ravel())
    np.testing.assert_allclose(score(*blocks, sample_weight=weight), expected)


@every_score
def test_predictions_of_absent_targets_do_not_count(score, flat_score):
    true, pred = [[1.0, np.nan, 2.0], [4.0]], [[1.5, np.nan, 2.0], [3.0]]
    assert score(true, pred) == score(true, [[1.5, 1e9, 2.0], [3.0]])
    assert score([1.0, np.nan, 3.0], [0.0, 5.0, 3.0]) == score([1.0, 3.0], [0.0, 3.0])


@every_score
def test_without_targets_there_is_no_score(score, flat_score):
    assert np.isnan(score([[np.nan], [np.nan, np.nan]], [[1.0], [1.0, 2.0]]))
    assert np.isnan(score([[], []], [[], []]))
    assert np.isnan(score([[], []], [[], []], sample_weight=[1.0, 2.0]))


@every_score
@pytest.mark.parametrize(
    ("true", "pred", "options", "message"),
    [
        ([[1.0, 2.0], [3.0]], [[1.0, 2.0]], {}, "y_true holds 2 sequences, y_pred 1"),
        ([1.0, 2.0], [1.0], {}, "y_true holds 2 sequences, y_pred 1"),
        ([[1.0], [2.0, 3.0]], [[1.0], [2.0]], {}, r"y_true\[1\] has 2 steps, y_pred\[1\] has 1"),
        ([[1.0, 0.0], [2.0, 3.0]], [[1.0], [2.0, 3.0]], {}, r"y_pred\[0\] has 1\. If y is padded .* trim_padding\(X"),
        ([[1.0], [2.0, 3.0]], [[1.0], [2.0, np.nan]], {}, r"y_pred\[1\]\[1\] is nan where y_true holds a target"),
        ([1.0, 2.0], [1.0, np.nan], {}, r"y_pred\[1\] is nan"),
        (np.ones((2, 3)), np.ones((2, 2)), {}, r"3 output\(s\), y_pred 2"),
        ([["a"], ["b"]], [[1.0], [2.0]], {}, "y_true must hold numbers"),
        ([[np.inf], [1.0, 2.0]], [[1.0], [1.0, 1.0]], {}, r"y_true contains infinity.*\[0\]\[0\]"),
        ("abc", [1.0], {}, "must hold numbers, one or more"),
        (None, [1.0], {}, "requires y_true"),
        ([1.0], [1.0], {"target": "steps"}, "target must be 'auto', 'sequence' or 'step', got 'steps'"),
        (np.ones((2, 3, 1)), np.ones((2, 3, 1)), {"target": "sequence"}, "target='step' reads one number a step"),
        ([[1.0], [1.0, 2.0]], [[1.0], [1.0, 2.0]], {"sample_weight": [1.0]}, "inconsistent numbers"),
        ([[1.0], [1.0, 2.0]], [[1.0], [1.0, 2.0]], {"sample_weight": [[1.0], [1.0]]}, r"sample_weight"),
        ([[1.0], [1.0, 2.0]], [[1.0], [1.0, 2.0]], {"sample_weight": [1.0, -1.0]}, "Negative"),
        ([1.0, 2.0], [1.0, 2.0], {"sample_weight": [0.0, 0.0]}, "all are zero"),
    ],
)
def test_what_does_not_belong_together_is_refused(score, flat_score, true, pred, options, message):
    with pytest.raises(ValueError, match=message):
        score(true, pred, **options)


def test_containers_hold_numbers_of_steps():
    steps = Sequences(np.ones(3), [0, 1, 3])
    with pytest.raises(SequenceDataError, match="wanted one number or row for each sequence"):
        sequence_r2_score(steps, steps, target="sequence")


def test_the_level_of_a_quantile_is_checked():
    with pytest.raises(ValueError, match="from 0 to 1, got 90"):
        sequence_pinball_loss([1.0], [1.0], alpha=90)


@given(alpha=st.floats(0.01, 0.99))
@settings(deadline=None, max_examples=20)
def test_pinball_loss_of_a_level_is_scikit_learns(alpha):
    true, pred = np.random.default_rng(0).normal(size=(2, 20))
    found = sequence_pinball_loss(np.split(true, [3, 9]), np.split(pred, [3, 9]), alpha=alpha)
    np.testing.assert_allclose(found, mean_pinball_loss(true, pred, alpha=alpha))


def test_mean_log_likelihood_is_the_mean_over_targets():
    assert sequence_mean_log_likelihood([-1.0, -2.0, np.nan]) == -1.5
    assert sequence_mean_log_likelihood([[-1.0, np.nan], [-3.0]], sample_weight=[3.0, 1.0]) == -1.5
    assert np.isnan(sequence_mean_log_likelihood([[np.nan], []]))
    outputs = np.array([[-1.0, -4.0], [-2.0, np.nan]])
    assert sequence_mean_log_likelihood(outputs) == (-1.5 - 4.0) / 2


class Normal(RegressorMixin, BaseEstimator):
    """A normal distribution of each step, with the mean of its first feature, `shift` and a std of 1."""

    def __init__(self, shift=0.0):
        self.shift = shift

    def fit(self, X, y):
        self.fitted_ = True
        return self

    def predict(self, X):
        return object_array([x[:, 0] + self.shift for x in X])

    def predict_quantiles(self, X, quantiles):
        return object_array([mean[:, None] + stats.norm.ppf(quantiles) for mean in self.predict(X)])

    def log_likelihood(self, X, y):
        pairs = zip(self.predict(X), y, strict=True)
        return object_array([stats.norm.logpdf(target, mean) for mean, target in pairs])


def data():
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(n, 2)) for n in rng.integers(1, 9, size=24)]
    y = [x[:, 0] + rng.normal(size=len(x)) for x in X]
    y[3][0] = np.nan
    return X, y


SCORERS = {
    "r2": sequence_r2_scorer,
    "mae": sequence_mae_scorer,
    "rmse": sequence_rmse_scorer,
    "pinball": sequence_pinball_scorer,
    "log_likelihood": sequence_log_likelihood_scorer,
}
every_scorer = pytest.mark.parametrize("name", SCORERS)


def expected_of(name, model, X, y, weight=None):
    mean, there = np.concatenate(model.predict(X)), ~np.isnan(np.concatenate(y))
    target = np.concatenate(y)[there]
    mean = mean[there]
    weight = None if weight is None else np.repeat(weight, [len(item) for item in y])[there]
    if name == "log_likelihood":
        return np.average(stats.norm.logpdf(target, mean), weights=weight)
    if name == "pinball":
        quantiles = {level: mean + stats.norm.ppf(level) for level in (0.1, 0.5, 0.9)}
        losses = [mean_pinball_loss(target, q, alpha=a, sample_weight=weight) for a, q in quantiles.items()]
        return -np.mean(losses)
    flat = {"r2": r2_score, "mae": mean_absolute_error, "rmse": root_mean_squared_error}[name]
    return (1 if name == "r2" else -1) * flat(target, mean, sample_weight=weight)


@every_scorer
def test_scorers_score_what_a_regressor_says(name):
    X, y = data()
    scorer, model, weight = SCORERS[name], Normal(0.2).fit(X, y), np.arange(1.0, 25)
    np.testing.assert_allclose(scorer(model, X, y), expected_of(name, model, X, y))
    weighted = scorer(model, X, y, sample_weight=weight)
    np.testing.assert_allclose(weighted, expected_of(name, model, X, y, weight))
    assert get_scorer(scorer) is scorer
    again = pickle.loads(pickle.dumps(scorer))
    assert again(model, X, y) == scorer(model, X, y)


@every_scorer
def test_scorers_in_grid_search_and_pipelines(name):
    X, y = data()
    scorer = SCORERS[name]
    model = make_pipeline(FunctionTransformer(list), Normal())
    grid = {"normal__shift": [2.0, 0.0, -2.0]}
    search = GridSearchCV(model, grid, cv=3, scoring=scorer).fit(X, y)
    assert search.best_params_ == {"normal__shift": 0.0}
    np.testing.assert_allclose(scorer(search, X, y), expected_of(name, Normal(), X, y))


def test_scorers_in_cross_validation_by_name():
    X, y = data()
    found = cross_validate(Normal(), X, y, cv=3, scoring=SCORERS)
    for name in SCORERS:
        expected = [expected_of(name, Normal(), X[part : part + 8], y[part : part + 8]) for part in (0, 8, 16)]
        np.testing.assert_allclose(found[f"test_{name}"], expected)


def test_scorers_take_one_target_a_sequence(rng):
    X, y = rng.normal(size=(40, 3)), rng.normal(size=40)
    expected = cross_val_score(LinearRegression(), X, y, scoring="neg_mean_absolute_error")
    np.testing.assert_allclose(cross_val_score(LinearRegression(), X, y, scoring=sequence_mae_scorer), expected)


class Block(Normal):
    """The same, of equal lengths, whose targets and answers are 2-D arrays with a column for each step."""

    def fit(self, X, y):
        self.target_alignment_ = "step"
        return self

    def predict(self, X):
        return X[:, :, 0] + self.shift

    def predict_quantiles(self, X, quantiles):
        return self.predict(X)[:, :, None] + stats.norm.ppf(quantiles)

    def log_likelihood(self, X, y):
        return stats.norm.logpdf(y, self.predict(X))


@every_scorer
def test_scorers_know_that_the_rows_of_a_table_are_steps(name, rng):
    X = rng.normal(size=(6, 4, 1))
    y = X[:, :, 0] + rng.normal(size=(6, 4))
    y[0, 1:], y[1, 0] = np.nan, np.nan
    model = GridSearchCV(make_pipeline(Block()), {}, cv=2, scoring=SCORERS[name]).fit(X, y)
    np.testing.assert_allclose(SCORERS[name](model, X, y), expected_of(name, Normal(), list(X), list(y)))
    weight = rng.random((6, 4))
    assert np.isfinite(SCORERS[name](model, X, y, sample_weight=weight))


@pytest.mark.parametrize("n_outputs", [None, 2])
def test_quantiles_are_on_the_last_axis(n_outputs, rng):
    y = rng.normal(size=6 if n_outputs is None else (6, n_outputs))
    steps = [rng.normal(size=(n, 2)) for n in (2, 3)]

    class Shifted:
        def __init__(self, y):
            self.y = y

        def predict_quantiles(self, X, quantiles):
            if isinstance(self.y, list):
                return object_array([np.stack([item + q for q in quantiles], axis=-1) for item in self.y])
            return np.stack([self.y + q for q in quantiles], axis=-1)

    for target in (y, steps):
        expected = -np.mean([sequence_pinball_loss([0.0], [q], alpha=q) for q in (0.2, 0.7)])
        np.testing.assert_allclose(make_pinball_scorer([0.2, 0.7])(Shifted(target), None, target), expected)


def test_regressors_without_quantiles_are_refused(rng):
    X, y = rng.normal(size=(5, 2)), rng.normal(size=5)
    model = make_pipeline(StandardScaler(), LinearRegression()).fit(X, y)
    with pytest.raises(TypeError, match="LinearRegression has no method predict_quantiles"):
        sequence_pinball_scorer(model, X, y)


@pytest.mark.parametrize("levels", [[], [0.5, 0.2], [0.0], [[0.5]], [np.nan]])
def test_levels_of_a_scorer_are_checked(levels):
    with pytest.raises(ValueError, match="between 0 and 1 in rising order"):
        make_pinball_scorer(levels)


@pytest.mark.parametrize("unit", [2.0**-700, 2.0**700])
def test_scores_of_numbers_whose_squares_are_none(unit, rng):
    true, pred = rng.normal(size=(2, 20, 2))
    for score in (sequence_r2_score, sequence_mean_absolute_error, sequence_root_mean_squared_error):
        due = score(true, pred)
        assert score(true * unit, pred * unit) == (due if score is sequence_r2_score else due * unit)
