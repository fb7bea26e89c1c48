"""RNNRegressor with a value or a vector for each step: oracles of the fit, gaps and weights; tools."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from samples import CELLS, ragged, small, weights
from sklearn.base import clone
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from step_targets import BLOCK, assert_same, last_alone, running_sums, vectors, with_gaps

from sklearn_rnn import (
    PerStep,
    RNNRegressor,
)
from sklearn_rnn.inspection import (
    GradientFlowDisplay,
    sequence_partial_dependence,
    sequence_permutation_importance,
)
from sklearn_rnn.metrics import (
    make_pinball_scorer,
    sequence_log_likelihood_scorer,
    sequence_mae_scorer,
    sequence_r2_scorer,
)
from sklearn_rnn.model_selection import cross_val_predict_sequences
from sklearn_rnn.testing import check_sequence_estimator

LEARNS = {"hidden_size": 12, "max_epochs": 60, "learning_rate": 0.02}
ONE_WAY = {"bidirectional": False, "dropout": 0.0, "dtype": "float64"}


@pytest.mark.parametrize("cell_type", CELLS)
@pytest.mark.parametrize("make", [running_sums, vectors])
def test_learns(cell_type, make):
    X = ragged(60)
    y = with_gaps(make(X))
    model = small(RNNRegressor, cell_type=cell_type, bidirectional=False, **LEARNS).fit(X, y)
    assert model.score(X, make(X)) > 0.7
    assert model.target_alignment_ == "step"


@pytest.mark.parametrize("engine", ["auto", "torch"])
@pytest.mark.parametrize("cell_type", CELLS)
def test_the_last_step_alone_is_one_target_a_sequence(cell_type, engine):
    """The same weights have the same loss and gradient, and so the same fit, as one target a sequence."""
    X = ragged(24)
    y = running_sums(X)
    parameters = {"cell_type": cell_type, "engine": engine, "pooling": "last", "max_epochs": 3, **ONE_WAY}
    steps = small(RNNRegressor, **parameters).fit(X, last_alone(y))
    whole = small(RNNRegressor, **parameters).fit(X, [values[-1] for values in y])
    assert_array_equal(steps.target_mean_, whole.target_mean_)
    assert_allclose(steps.loss_curve_, whole.loss_curve_, rtol=1e-9)
    assert_allclose(weights(steps), weights(whole), atol=1e-9)
    assert_allclose([values[-1] for values in steps.predict(X)], whole.predict(X), atol=1e-9)


@pytest.mark.parametrize("loss", ["squared_error", "gaussian"])
def test_loss_and_gradient_of_the_last_step_alone(loss):
    X = ragged(24)
    y = running_sums(X)
    options = {"loss": loss, "pooling": "last", **ONE_WAY}
    steps = small(RNNRegressor, **options).fit(X, last_alone(y))
    whole = small(RNNRegressor, **options, random_state=7).fit(X, [values[-1] for values in y])
    whole.module_.load_state_dict(steps.module_.state_dict())
    found = [_loss_and_gradient(steps, X, last_alone(y)), _loss_and_gradient(whole, X, [values[-1] for values in y])]
    assert_allclose(*found, rtol=1e-9, atol=1e-12)


def _loss_and_gradient(model, X, y):
    batches, criterion = model._loss_of(X, y)
    batch = batches.batch(batches.place(np.arange(len(batches))))
    network = model.module_
    network.zero_grad()
    loss = criterion(network(batch.values, batch.lengths), batch, network.head)
    loss.backward()
    return np.concatenate([loss.detach().numpy()[None], *(p.grad.numpy().ravel() for p in network.parameters())])


def test_loss_is_the_mean_over_all_targets_that_are_there():
    X = ragged(24)
    y = with_gaps(vectors(X))
    options = {**ONE_WAY, "batch_size": 24, "max_epochs": 1, "learning_rate": 1e-12}
    model = small(RNNRegressor, **options).fit(X, y)
    error = (np.concatenate(model.predict(X)) - np.concatenate(y)) / model.target_scale_
    assert model.loss_curve_[0] == pytest.approx(np.nanmean(error**2), rel=1e-6)
    assert_allclose(model.target_mean_, np.nanmean(np.concatenate(y), axis=0))
    assert_allclose(model.target_scale_, np.nanstd(np.concatenate(y), axis=0))


def test_score_is_r2_of_the_targets_that_are_there():
    X = ragged(24)
    y = with_gaps(vectors(X))
    model = small(RNNRegressor).fit(X, y)
    of_sequences = np.arange(1.0, 25.0)
    of_steps = [np.arange(1.0, 1 + len(values)) for values in y]
    for weight in (None, of_sequences, of_steps):
        assert model.score(X, y, weight) == pytest.approx(_plain_r2(model.predict(X), y, weight))
    assert sequence_r2_scorer(model, X, y) == pytest.approx(model.score(X, y))
    lacking = [values * [1, np.nan] for values in y]
    assert model.score(X, lacking) == pytest.approx(_plain_r2(model.predict(X), lacking, None))
    assert np.isnan(model.score(X, [values * np.nan for values in y]))


def _plain_r2(predicted, y, weight):
    scores = []
    for k in range(2):
        rows = [
            (values[t, k], predicted[i][t, k], 1.0 if weight is None else np.broadcast_to(weight[i], len(values))[t])
            for i, values in enumerate(y)
            for t in range(len(values))
            if not np.isnan(values[t, k])
        ]
        if rows:
            true, said, weights_of_rows = np.array(rows).T
            scores.append(r2_score(true, said, sample_weight=weights_of_rows))
    return np.mean(scores)


@pytest.mark.parametrize("options", [{}, {"early_stopping": True, "validation_fraction": 0.3}])
@pytest.mark.parametrize("loss", ["squared_error", "gaussian"])
def test_weight_0_at_a_step_is_a_target_that_is_not_there(loss, options):
    X = ragged(24)
    y = running_sums(X)
    gaps = with_gaps(y)
    far_off = [np.where(np.isnan(gap), 1e6, values) for gap, values in zip(gaps, y, strict=True)]
    weight = [1.0 - np.isnan(gap) for gap in gaps]
    absent, weightless = small(RNNRegressor, loss=loss, **options), small(RNNRegressor, loss=loss, **options)
    if options:  # the split is drawn from samples in the order of their content, which the target is part of
        far_off, options["validation_fraction"] = [np.where(np.isnan(gap), 0, gap) for gap in gaps], 0.3
        kwargs = {"X_val": X[:8], "y_val": gaps[:8]}
        absent.fit(X, gaps, **kwargs)
        weightless.fit(X, far_off, sample_weight=weight, X_val=X[:8], y_val=far_off[:8], sample_weight_val=weight[:8])
        assert_allclose(absent.validation_scores_, weightless.validation_scores_)
    else:
        absent.fit(X, gaps)
        weightless.fit(X, far_off, sample_weight=weight)
    assert_array_equal(absent.target_mean_, weightless.target_mean_)
    assert_array_equal(weights(absent), weights(weightless))
    assert absent.score(X, gaps) == pytest.approx(weightless.score(X, far_off, weight))


@pytest.mark.parametrize("options", [{}, {"early_stopping": True}, {"max_length": 4}])
@pytest.mark.parametrize("make", [running_sums, vectors])
def test_a_weight_of_2_is_a_repeated_sequence_and_of_0_an_absent_one(make, options):
    X = ragged(40)
    y = with_gaps(make(X))
    weight = np.random.default_rng(0).integers(0, 3, size=40)
    weighted = small(RNNRegressor, **options).fit(X, y, sample_weight=weight)
    index = np.repeat(np.arange(40), weight)
    repeated = small(RNNRegressor, **options).fit([X[i] for i in index], [y[i] for i in index])
    of_steps = small(RNNRegressor, **options)
    of_steps.fit(X, y, sample_weight=[np.full(len(x), float(w)) for x, w in zip(X, weight, strict=True)])
    assert_array_equal(weights(weighted), weights(repeated))
    assert_array_equal(weighted.target_mean_, repeated.target_mean_)
    assert_same(weighted.predict(X), repeated.predict(X))
    if not options:
        assert_allclose(of_steps.target_mean_, weighted.target_mean_)


@pytest.mark.filterwarnings("ignore:Nothing was learned:sklearn.exceptions.ConvergenceWarning")  # X is constant
def test_weights_of_steps_weigh():
    X = [np.ones((2, 1))] * 20
    y = [np.array([0.0, 1.0])] * 10 + [np.array([1.0, 0.0])] * 10
    weight = [np.array([3.0, 1.0])] * 10 + [np.array([1.0, 3.0])] * 10
    model = small(RNNRegressor, bidirectional=False, max_epochs=150, learning_rate=0.03, target="step")
    assert_allclose(model.fit(X, y, sample_weight=weight).predict(X[:1])[0], [0.25, 0.25], atol=0.06)
    assert_allclose(model.fit(X, np.array(y), sample_weight=np.array(weight)).predict(X[:1])[0], 0.25, atol=0.06)


@settings(max_examples=15, deadline=None)
@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=6), seed=st.integers(0, 99))
def test_outputs_depend_on_no_other_sequence(lengths, seed):
    rng = np.random.default_rng(seed)
    X = [rng.normal(size=(length, 3)) for length in lengths]
    together = _fitted("gaussian", True).predict(X, return_std=True)
    for i, x in enumerate(X):
        for values, alone in zip(together, _fitted("gaussian", True).predict([x], return_std=True), strict=True):
            assert_array_equal(values[i], alone[0])


def test_one_direction_does_not_see_the_future():
    X = ragged(12)
    for bidirectional in (False, True):
        model = _fitted("squared_error", bidirectional)
        whole = model.predict(X)
        prefixes = [model.predict([x[: t + 1]])[0][-1] for x in X for t in range(len(x))]
        assert np.allclose(np.concatenate(whole), prefixes, atol=1e-6) is not bidirectional


def _fitted(loss, bidirectional, known={}):  # noqa: B006  # fitted once
    if (loss, bidirectional) not in known:
        X = ragged(24)
        model = small(RNNRegressor, loss=loss, bidirectional=bidirectional)
        known[loss, bidirectional] = model.fit(X, running_sums(X))
    return known[loss, bidirectional]


def test_max_length_cuts_training_alone():
    X = ragged(24)
    y = running_sums(X)
    options = {**ONE_WAY, "batch_size": 24}
    model = small(RNNRegressor, max_length=3, **options).fit(X, y)
    assert [len(item) for item in model.predict(X)] == [len(x) for x in X]
    known = [np.where(np.arange(len(values)) < 3, values, np.nan) for values in y]
    whole = small(RNNRegressor, **options).fit(X, known)
    assert_allclose(small(RNNRegressor, max_length=3, **options).fit(X, known).loss_curve_, whole.loss_curve_)
    longer = [i for i in range(24) if len(X[i]) > 3]
    with pytest.raises(ValueError, match="max_length=3 with truncate='tail' cuts off every step that has a target"):
        model.fit([X[i] for i in longer], [last_alone(y)[i] for i in longer])


def test_goes_on_from_before():
    X = ragged(40)
    y = with_gaps(running_sums(X))
    model = small(RNNRegressor).partial_fit(X, y)
    before = model.target_mean_
    for _ in range(60):
        model.partial_fit(X, y)
    assert model.score(X, y) > 0.3
    assert_array_equal(model.target_mean_, before)
    warm = small(RNNRegressor, warm_start=True, learning_rate=1e-12).fit(X, y)
    first = weights(warm)
    assert_allclose(weights(warm.fit(X, running_sums(X))), first, atol=1e-6)


def test_validation_scores_are_those_of_score():
    X = ragged(40)
    y = with_gaps(running_sums(X))
    for loss in ("squared_error", "gaussian", "quantile"):
        model = small(RNNRegressor, loss=loss, quantiles=[0.2, 0.5, 0.8] if loss == "quantile" else None)
        model.fit(X[10:], y[10:], X_val=X[:10], y_val=y[:10])
        assert model.validation_scores_[-1] == pytest.approx(model.score(X[:10], y[:10]), abs=1e-5)
    groups = np.arange(40) // 2
    assert small(RNNRegressor, early_stopping=True).fit(X, y, groups=groups).validation_scores_


def test_tools_of_scikit_learn():
    X = ragged(30)
    y = with_gaps(running_sums(X))
    model = make_pipeline(PerStep(StandardScaler()), small(RNNRegressor, loss="gaussian"))
    for scoring in (None, sequence_mae_scorer, sequence_log_likelihood_scorer, make_pinball_scorer([0.1, 0.9])):
        assert np.isfinite(cross_val_score(model, X, y, cv=3, scoring=scoring, error_score="raise")).all()
    grid = GridSearchCV(model, {"rnnregressor__hidden_size": [2, 4]}, cv=2, error_score="raise").fit(X, y)
    assert [len(item) for item in grid.predict(X)] == [len(x) for x in X]
    by_hand = np.empty(30, dtype=object)
    for test in np.split(np.arange(30), 3):
        train = np.setdiff1d(np.arange(30), test)
        fitted = clone(model).fit([X[i] for i in train], [y[i] for i in train])
        by_hand[test] = fitted.predict([X[i] for i in test])
    for predict in (cross_val_predict, cross_val_predict_sequences):
        assert_same(predict(model, X, y, cv=3), by_hand)
    block, values = BLOCK, BLOCK.cumsum(axis=1)[:, :, 0]
    reg = small(RNNRegressor, target="step")
    assert np.isfinite(cross_val_score(reg, block, values, cv=2, scoring="neg_mean_absolute_error")).all()
    assert cross_val_predict(reg, block, values, cv=2).shape == (8, 5)


def test_inspection():
    X = ragged(30)
    y = with_gaps(running_sums(X))
    model = small(RNNRegressor, bidirectional=False, **LEARNS).fit(X, y)
    found = sequence_permutation_importance(model, X, y, random_state=0)
    assert found.importances_mean.argmax() == 0
    curve = sequence_partial_dependence(model, X, 0, grid_values=[-1, 0, 1]).average
    assert curve.shape == (1, 3)
    assert np.all(np.diff(curve[0]) > 0)
    for targets in (y, with_gaps(vectors(X))):
        assert GradientFlowDisplay.from_estimator(small(RNNRegressor).fit(X, targets), X, targets)
    pooled = small(RNNRegressor, pooling="attention").fit(X, y)
    assert not hasattr(pooled, "attention_weights")
    assert pooled.transform(X).shape == (30, 8)


def test_is_a_sequence_estimator():
    rng = np.random.RandomState(0)
    X = [np.round(rng.standard_normal((length, 3)) * 64) / 64 for length in [2, 7, 3, 5, 4, 6, 3, 2, 5, 7]]
    check_sequence_estimator(small(RNNRegressor), X, running_sums(X))
