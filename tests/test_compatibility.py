"""Life in scikit-learn: the cells of the compatibility table, and what its tools do with metadata and callbacks."""

import contextlib
import importlib.util
import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn
from samples import ESTIMATORS, outputs, problem, small, weights
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    HalvingGridSearchCV,
    KFold,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.fixes import parse_version

import sklearn_rnn
from sklearn_rnn import PerStep, RNNClassifier, RNNRegressor, RNNSequenceTagger
from sklearn_rnn.metrics import flat_accuracy_scorer

DOCS = Path(__file__).parents[1] / "docs"
HAS_CALLBACKS = importlib.util.find_spec("sklearn.callback") is not None
needs_callbacks = pytest.mark.skipif(not HAS_CALLBACKS, reason="scikit-learn has callbacks from 1.9 on")

with pytest.MonkeyPatch.context() as patch:
    patch.syspath_prepend(DOCS)
    script = importlib.import_module("compatibility")
    rows = {
        name: importlib.import_module(f"compatibility_cells.{name}").tools.rows for name in ("classifier", "tagger")
    }
    CASES = {case.name: case for case in importlib.import_module("compatibility_cells.case").cases()}

SLOW = {"joblib processes", "HalvingGridSearchCV", "permutation_test_score", "StackingClassifier"}
CELLS = [
    pytest.param(
        tool, case, id=f"{kind}-{tool.name}-{case.name}", marks=[needs_callbacks] * tool.name.startswith("callbacks")
    )
    for kind, tools in rows.items()
    for tool in tools
    for case in CASES.values()
    if tool.name not in SLOW or case.name == "ragged list"
]

X, y = problem(RNNClassifier)
GROUPS = np.arange(len(X)) // 2


@pytest.mark.parametrize(("tool", "case"), CELLS)
def test_cell(tool, case):
    text, _ = script.run_cell(tool, case)
    assert text == "yes" or text == tool.replacement


def test_replacements_exist():
    names = {
        name
        for tools in rows.values()
        for tool in tools
        for name in re.findall(r"[`<~](sklearn_rnn[\w.]*)[`>]", tool.replacement or "")
    }
    assert len(names) >= 5
    for name in names:
        room, _, attribute = name.rpartition(".")
        assert hasattr(importlib.import_module(room), attribute)


def test_a_cell_that_fails_is_never_silent(capsys):
    def fail(case):
        raise ZeroDivisionError("on purpose")

    tool = type(rows["classifier"][0])
    table = script.run_table([tool("broken", fail), tool("also", fail, "`x`", fail)], print)
    assert len(table.failures) == 2 * len(CASES)
    assert "FAILS" in capsys.readouterr().out
    replaced = script.run_table([tool("replaced", fail, "`x`", lambda case: None)], print)
    assert not replaced.failures
    assert replaced.notes == ["replaced in scikit-learn: ``ZeroDivisionError: on purpose``"]
    text = script.to_rst("Title", [tool("replaced", fail, "`x`")], replaced, "n")
    assert text.count("`x` [#n1]_") == len(CASES)
    assert ".. [#n1] replaced in scikit-learn" in text


def test_the_written_table_has_every_row():
    written = (DOCS / "compatibility_table.rst").read_text()
    for tools in rows.values():
        for tool in tools:
            assert f"* - {tool.name}\n" in written
    assert "FAILS" not in written


# Metadata


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_sample_weight_is_routed_to_fit_and_score(estimator):
    X, y = problem(estimator)
    weight = 1.0 + np.arange(len(X)) % 3
    with config_context(enable_metadata_routing=True):
        model = small(estimator).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        result = cross_validate(
            model, X, y, cv=KFold(2), params={"sample_weight": weight}, return_estimator=True, return_indices=True
        )
        with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
            cross_validate(small(estimator), X, y, params={"sample_weight": weight})
    folds = zip(*(result["indices"][part] for part in ("train", "test")), strict=True)
    for fitted, score, (train, test) in zip(result["estimator"], result["test_score"], folds, strict=True):
        pick = lambda values, index: [values[i] for i in index]  # noqa: E731
        alone = small(estimator).fit(pick(X, train), pick(y, train), sample_weight=weight[train])
        np.testing.assert_array_equal(weights(fitted), weights(alone))
        assert not np.allclose(weights(fitted), weights(small(estimator).fit(pick(X, train), pick(y, train))))
        assert score == fitted.score(pick(X, test), pick(y, test), sample_weight=weight[test])


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_groups_are_routed_to_splitter_and_fit(estimator):
    X, y = problem(estimator)
    model = small(estimator, early_stopping=True, validation_fraction=0.3)
    with config_context(enable_metadata_routing=True):
        requesting = clone(model).set_fit_request(groups=True)
        result = cross_validate(
            requesting, X, y, cv=GroupKFold(2), params={"groups": GROUPS}, return_estimator=True, return_indices=True
        )
    for fitted, train in zip(result["estimator"], result["indices"]["train"], strict=True):
        pick = lambda values, index: [values[i] for i in index]  # noqa: E731
        assert not set(GROUPS[train]) & set(np.delete(GROUPS, train))
        alone = clone(model).fit(pick(X, train), pick(y, train), groups=GROUPS[train])
        np.testing.assert_array_equal(weights(fitted), weights(alone))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_validation_data_goes_through_a_pipeline(estimator):
    X, y = problem(estimator)
    X_val = [10 * x for x in X[:8]]
    with config_context(enable_metadata_routing=True):
        last = small(estimator).set_fit_request(X_val=True, y_val=True)
        model = make_pipeline(PerStep(StandardScaler()), last, transform_input=["X_val"])
        model.fit(X, y, X_val=X_val, y_val=y[:8])
    scaler = PerStep(StandardScaler()).fit(X)
    alone = small(estimator).fit(scaler.transform(X), y, X_val=scaler.transform(X_val), y_val=y[:8])
    assert model[-1].validation_scores_ == alone.validation_scores_
    np.testing.assert_array_equal(weights(model[-1]), weights(alone))


# Output, callbacks, searching, jobs


@pytest.mark.parametrize("container", ["pandas", "polars"])
@pytest.mark.parametrize("estimator", [RNNClassifier, RNNRegressor])
def test_set_output(estimator, container):
    X, y = problem(estimator)
    model = make_pipeline(PerStep(StandardScaler()), small(estimator)).set_output(transform=container).fit(X, y)
    frame = model.transform(X)
    assert type(frame).__module__.split(".")[0] == container
    assert list(frame.columns) == list(model[-1].get_feature_names_out())
    assert frame.columns[0] == f"{estimator.__name__.lower()}0"
    np.testing.assert_array_equal(frame.to_numpy(), clone(model).set_output(transform="default").fit(X, y).transform(X))


@pytest.mark.skipif(parse_version(sklearn.__version__) < parse_version("1.9"), reason="scikit-learn looks from 1.9 on")
def test_set_output_keeps_the_index_of_a_series():
    series = pd.Series(X, index=[f"run{i}" for i in range(len(X))])
    frame = small(RNNClassifier).set_output(transform="pandas").fit(series, y).transform(series)
    assert frame.index.equals(series.index)


@needs_callbacks
def test_nested_progress_bars():
    from sklearn.callback import ProgressBar

    model = make_pipeline(PerStep(StandardScaler()), small(RNNClassifier))
    search = GridSearchCV(model, {"rnnclassifier__hidden_size": [2, 4]}, cv=2)
    search.set_callbacks(ProgressBar(max_propagation_depth=None))
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        search.fit(X, y)
    for name in ("GridSearchCV", "Pipeline", "RNNClassifier"):
        assert name in shown.getvalue()


@needs_callbacks
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_scoring_monitor_sees_the_network_after_each_epoch(estimator):
    from sklearn.callback import ScoringMonitor

    X, y = problem(estimator)
    score = {RNNClassifier: "accuracy", RNNRegressor: "r2", RNNSequenceTagger: flat_accuracy_scorer}[estimator]
    monitor = ScoringMonitor(scoring={"score": score})
    fitted = small(estimator, max_epochs=3, learning_rate=0.05).set_callbacks(monitor).fit(X, y)
    log = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert len(log) == 3
    scores = [row["score"] for row in log]
    assert scores[-1] == pytest.approx(fitted.score(X, y))
    assert len(set(scores)) > 1 or estimator is not RNNRegressor


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_halving_grows_the_epochs(estimator):
    X, y = problem(estimator)
    options = {"resource": "max_epochs", "min_resources": 1, "max_resources": 4, "factor": 2, "random_state": 0}
    search = HalvingGridSearchCV(small(estimator), {"hidden_size": [2, 3, 4]}, cv=KFold(2), **options).fit(X, y)
    assert search.n_resources_ == [2, 4] or search.n_resources_ == [1, 2]
    assert search.best_estimator_.n_iter_ == search.n_resources_[-1]


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_two_jobs_are_one(estimator):
    X, y = problem(estimator)
    alone, together = (cross_val_score(small(estimator), X, y, cv=KFold(2), n_jobs=n_jobs) for n_jobs in (1, 2))
    np.testing.assert_array_equal(alone, together)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_search_over_a_pipeline_with_two_jobs(estimator):
    X, y = problem(estimator)
    name = estimator.__name__.lower()
    model = make_pipeline(PerStep(StandardScaler()), small(estimator))
    grid = {f"{name}__cell_type": ["rnn", "lstm", "gru"], "perstep__transformer__with_mean": [True, False]}
    alone, together = (GridSearchCV(model, grid, cv=KFold(2), n_jobs=n_jobs).fit(X, y) for n_jobs in (1, 2))
    assert alone.best_params_ == together.best_params_
    np.testing.assert_array_equal(alone.cv_results_["mean_test_score"], together.cv_results_["mean_test_score"])
    np.testing.assert_array_equal(outputs(alone.best_estimator_, X), outputs(together.best_estimator_, X))


# Going on with a fit


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_warm_start_goes_on(estimator):
    X, y = problem(estimator)
    warm = small(estimator, warm_start=True, lr_schedule=None, max_epochs=3)
    first = warm.fit(X, y).loss_curve_
    before = weights(warm)
    second = warm.fit(X, y).loss_curve_
    assert second[0] < first[0]
    assert not np.array_equal(before, weights(warm))
    cold = small(estimator, lr_schedule=None, max_epochs=3).fit(X, y)
    np.testing.assert_array_equal(weights(cold.fit(X, y)), before)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_partial_fit_goes_on(estimator):
    X, y = problem(estimator)
    parts = [(X[:12], y[:12]), (X[12:], y[12:])]
    names = {} if estimator is RNNRegressor else {"classes": ["down", "level", "up"]}
    model = small(estimator, learning_rate=0.05)
    losses = []
    for i, (part, target) in enumerate(parts * 5):
        model.partial_fit(part, target, **(names if i == 0 else {}))
        losses += model.loss_curve_
    if names:
        assert model.classes_.tolist() == names["classes"]
    assert losses[-2] < losses[0]
    assert losses[-1] < losses[1]


def test_what_is_exported_is_there():
    assert all(hasattr(sklearn_rnn, name) for name in sklearn_rnn.__all__)
