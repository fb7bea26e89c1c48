"""RNNRegressor with a value or a vector for each step: oracles of the fit, gaps, weights, formats."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from samples import CELLS, ragged, small, weights
from sklearn.base import clone
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_rnn import (
    AlignedSequences,
    PerStep,
    RNNRegressor,
    RNNSequenceTagger,
    SequenceBaggingRegressor,
    Sequences,
)
from sklearn_rnn.data.formats import object_array
from sklearn_rnn.exceptions import SequenceDataError
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


def running_sums(X):
    return [x[:, 0].cumsum() for x in X]


def vectors(X):
    return [np.column_stack([x[:, 0].cumsum(), 10 * x[:, 1] + 100]) for x in X]


def with_gaps(y, share=0.3, seed=0):
    rng = np.random.default_rng(seed)
    return [np.where(rng.random(values.shape) < share, np.nan, values) for values in y]


def last_alone(y):
    return [np.where(np.arange(len(values)) == len(values) - 1, values, np.nan) for values in y]


def assert_same(one, other):
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        assert_array_equal(a, b)


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
    parameters = {"cell_type": cell_type, "engine": engine, "max_epochs": 3, **ONE_WAY}
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
    steps = small(RNNRegressor, loss=loss, **ONE_WAY).fit(X, last_alone(y))
    whole = small(RNNRegressor, loss=loss, **ONE_WAY, random_state=7).fit(X, [values[-1] for values in y])
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


RAGGED = ragged(8)
BLOCK = np.random.default_rng(0).normal(size=(8, 5, 2))


@pytest.mark.parametrize(
    "make",
    [
        tuple,
        object_array,
        lambda y: [values.tolist() for values in y],
        lambda y: pd.Series(y, index=list("hgfedcba")),
        lambda y: pl.Series([values.tolist() for values in y]),
        lambda y: pa.array([values.tolist() for values in y]),
        lambda y: pa.chunked_array([[values.tolist() for values in y]]),
        lambda y: pd.DataFrame({"y": y}),
        lambda y: pl.DataFrame({"y": [values.tolist() for values in y]}),
        lambda y: pa.table({"y": [values.tolist() for values in y]}),
        lambda y: [torch.from_numpy(values) for values in y],
        lambda y: [pd.Series(values, index=np.arange(len(values))[::-1]) for values in y],
        lambda y: [values.astype(object) for values in y],
        Sequences.from_arrays,
    ],
)
def test_targets_in_any_container(make):
    y = running_sums(RAGGED)
    model = small(RNNRegressor).fit(RAGGED, make(y))
    predicted = model.predict(RAGGED)
    assert predicted.dtype == object
    assert_same(predicted, small(RNNRegressor).fit(RAGGED, y).predict(RAGGED))
    assert model.score(RAGGED, make(y)) == model.score(RAGGED, y)


@pytest.mark.parametrize(
    ("y", "options", "alignment", "shape"),
    [
        (BLOCK, {}, "step", (8, 5, 2)),
        (BLOCK[:, :, :1], {}, "step", (8, 5, 1)),
        (torch.from_numpy(BLOCK), {}, "step", (8, 5, 2)),
        (BLOCK[:, :, 0], {}, "sequence", (8, 5)),
        (BLOCK[:, :, 0], {"target": "step"}, "step", (8, 5)),
        (pd.DataFrame(BLOCK[:, :, 0]), {"target": "step"}, "step", (8, 5)),
        (pd.DataFrame(BLOCK[:, :, 0]).astype("Float64"), {"target": "step"}, "step", (8, 5)),
        (BLOCK[:, :, 0].tolist(), {}, "sequence", (8, 5)),
        (BLOCK[:, :, 0].tolist(), {"target": "step"}, "step", None),
        (list(BLOCK[:, :, 0]), {}, "step", None),
        (list(BLOCK[:, :3, 0]), {}, "sequence", (8, 3)),
        (list(BLOCK[:, :, 0]), {"target": "sequence"}, "sequence", (8, 5)),
        (np.ma.masked_array(BLOCK[:, :, 0], BLOCK[:, :, 0] > 1), {"target": "step"}, "step", (8, 5)),
        (BLOCK[:, 0, 0], {}, "sequence", (8,)),
    ],
)
@pytest.mark.parametrize("table", [False, True])
def test_what_numbers_belong_to(y, options, alignment, shape, table):
    X = BLOCK[:, :, 0] if table else BLOCK
    model = small(RNNRegressor, **options).fit(X, y)
    assert model.target_alignment_ == alignment
    predicted = model.predict(X)
    assert predicted.dtype == (object if shape is None else float)
    assert predicted.shape == (shape or (8,))
    if alignment == "step" and not table:
        assert [len(item) for item in model.predict(RAGGED_2)] == [len(x) for x in RAGGED_2]


RAGGED_2 = ragged(4, n_features=2)


@pytest.mark.parametrize(
    "X",
    [
        [list("abc"), list("ab"), list("c"), list("cab")] * 2,
        AlignedSequences({"word": [list("abc"), list("ab")] * 4, "n": [[1.0, 2.0, 3.0], [4.0, 5.0]] * 4}),
    ],
)
def test_targets_of_tokens_and_of_several_inputs(X):
    y = [np.arange(length, dtype=float) for length in ([3, 2, 1, 3] * 2 if isinstance(X, list) else [3, 2] * 4)]
    predicted = small(RNNRegressor).fit(X, y).predict(X)
    assert [item.shape for item in predicted] == [values.shape for values in y]


Y = running_sums(RAGGED)
N = len(Y[0])


def changed(i, value):
    return [*Y[:i], value, *Y[i + 1 :]]


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (Y[:-1], r"X has 8 sequences, y has 7"),
        (
            changed(0, Y[0][:-1]),
            rf"y\[0\] has {N - 1} values, but X\[0\] has {N} steps: wanted one value for each step",
        ),
        (changed(2, None), r"y\[2\] is None, but X\[2\] has .* steps: wanted one value for each step.*np.full"),
        (changed(0, 1.5), r"y\[0\] is 1.5, but X\[0\] has"),
        (changed(0, Y[0][:, None]), r"The sequences of y differ in their dimensions"),
        (changed(1, np.append(np.inf, Y[1][1:])), r"y contains infinity.* at y\[1\]\[0\]"),
        ([["a"] * len(v) for v in Y], r"y must hold numbers for the steps.*RNNSequenceTagger takes labels"),
        ([np.datetime64("2020") + np.arange(len(v)) for v in Y], r"y has dtype datetime64.*numbers are wanted"),
        ([v + 1j for v in Y], r"y has dtype complex128, but real numbers are wanted"),
        ([v * np.nan for v in Y], r"no sequence is left to learn from"),
        ([np.column_stack([v, v * np.nan]) for v in Y], r"y holds no target of output 1 to learn from"),
        ([v[:, None, None] for v in Y], rf"y\[0\] has shape \({N}, 1, 1\)"),
    ],
)
def test_targets_that_are_refused(y, message):
    with pytest.raises(ValueError, match=message):
        small(RNNRegressor).fit(RAGGED, y)


@pytest.mark.parametrize(
    ("y", "target", "message"),
    [
        (Y, "sequence", r"y is ragged.*target='auto' or 'step'"),
        (BLOCK[:, :, :1].repeat(2, 1), "sequence", r"y must have shape \(n_sequences,\).*got \(8, 10, 1\).*'step'"),
        (np.arange(8.0), "step", r"y\[0\] is 0.0, but X\[0\] has .* steps"),
    ],
)
def test_targets_that_are_not_what_was_said(y, target, message):
    with pytest.raises(SequenceDataError, match=message):
        small(RNNRegressor, target=target).fit(RAGGED, y)


def test_later_targets_are_held_to_the_first():
    of_steps, of_sequences = small(RNNRegressor).fit(RAGGED, Y), small(RNNRegressor).fit(RAGGED, np.arange(8))
    with pytest.raises(SequenceDataError, match=r"y has 2 output\(s\), wanted the 1 seen at first"):
        of_steps.partial_fit(RAGGED, vectors(RAGGED))
    with pytest.raises(SequenceDataError, match=r"y\[0\] is 0, but X\[0\] has"):
        of_steps.score(RAGGED, np.arange(8))
    with pytest.raises(SequenceDataError, match=r"y is ragged"):
        of_sequences.score(RAGGED, Y)
    with pytest.raises(SequenceDataError, match=r"In the validation data, X_val and y_val: y\[0\] is 0"):
        of_steps.fit(RAGGED, Y, X_val=RAGGED, y_val=np.arange(8))


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ([-np.ones(len(v)) for v in Y], r"sample_weight must hold weights of 0 or more for each step, got -1.0"),
        ([np.full(len(v), np.nan) for v in Y], r"sample_weight must hold weights of 0 or more.*got nan"),
        ([np.ones(len(v) - 1) for v in Y], r"sample_weight\[0\] has .* values, but X\[0\] has"),
        ([0.0 * v for v in Y], r"at least one non-zero number"),
        (np.ones(7), r"sample_weight.shape == \(7,\), expected \(8,\)"),
        ([np.isnan(v) * 1.0 for v in with_gaps(Y)], r"y holds no target to learn from"),
    ],
)
def test_weights_that_are_refused(weight, message):
    with pytest.raises(ValueError, match=message):
        small(RNNRegressor).fit(RAGGED, with_gaps(Y), sample_weight=weight)
    with pytest.raises(ValueError, match="sample_weight holds weights of steps, but y one target for each sequence"):
        small(RNNRegressor).fit(RAGGED, np.arange(8), sample_weight=Y)


def test_a_tagger_takes_weights_of_steps():
    tags = [["up" if step > 0 else "down" for step in v] for v in Y]
    weight = [np.ones(len(v)) for v in Y]
    model = small(RNNSequenceTagger).fit(RAGGED, tags, sample_weight=weight)
    assert_allclose(weights(model), weights(small(RNNSequenceTagger).fit(RAGGED, tags)), atol=1e-6)
    assert model.score(RAGGED, tags, sample_weight=weight) == model.score(RAGGED, tags)


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


def test_bagging_says_that_it_takes_one_target_a_sequence():
    bagging = SequenceBaggingRegressor(small(RNNRegressor), n_estimators=2)
    with pytest.raises(SequenceDataError, match=r"one row of numbers of fixed size, is wanted for each sequence"):
        bagging.fit(RAGGED, Y)
    with pytest.raises(SequenceDataError, match=r"y must have shape .*, got \(8, 5, 2\)"):
        bagging.fit(BLOCK, BLOCK)


def test_is_a_sequence_estimator():
    rng = np.random.RandomState(0)
    X = [np.round(rng.standard_normal((length, 3)) * 64) / 64 for length in [2, 7, 3, 5, 4, 6, 3, 2, 5, 7]]
    check_sequence_estimator(small(RNNRegressor), X, running_sums(X))
