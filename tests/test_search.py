"""Searches by halving whose rungs go on where the last one left a candidate."""

import pickle
from collections import Counter

import numpy as np
import pytest
from joblib import parallel_config
from samples import ESTIMATORS, problem, small, weights
from searching import WAYS, columns
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import FitFailedWarning, NotFittedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import HalvingGridSearchCV, HalvingRandomSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted
from skorch.callbacks import Callback, EarlyStopping, EpochScoring

from sklearn_rnn import PerStep, RNNClassifier, RNNRegressor
from sklearn_rnn.model_selection import WarmHalvingGridSearchCV, WarmHalvingRandomSearchCV
from sklearn_rnn.model_selection._continuation import Continuation

EXACT = {"batch_size": 64, "dropout": 0.0, "lr_schedule": None, "dtype": "float64"}
"""One batch, nothing random and a constant rate: a fit in parts is that at once."""


# Halving that goes on


class CountEpochs(Callback):
    """Writes a line for each epoch, also from other processes."""

    def __init__(self, path):
        self.path = path

    def on_epoch_end(self, net, **kwargs):
        with open(self.path, "a") as file:
            file.write("epoch\n")


@pytest.fixture
def counted(tmp_path):
    """A callback that counts epochs, and a function that tells how many there were since it was last asked."""
    path = tmp_path / "epochs"

    def count():
        n = len(path.read_text().splitlines()) if path.exists() else 0
        path.unlink(missing_ok=True)
        return n

    return CountEpochs(str(path)), count


GRID = {"hidden_size": [2, 3, 4], "cell_type": ["gru", "lstm", "rnn"]}
RUNGS = [(9, 1), (3, 3), (1, 9)]
"""Candidates and epochs of the rungs that `GRID` and a limit of 9 epochs make."""


@pytest.mark.parametrize("n_jobs", [None, 2])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_going_on_is_training_at_once_where_nothing_is_random(estimator, n_jobs):
    X, y = problem(estimator)
    model = small(estimator, max_epochs=9, **EXACT)
    warm = WarmHalvingGridSearchCV(model, GRID, cv=2, n_jobs=n_jobs).fit(X, y)
    cold = HalvingGridSearchCV(model, GRID, cv=2, resource="max_epochs", max_resources=9).fit(X, y)
    assert list(zip(warm.n_candidates_, warm.n_resources_, strict=True)) == RUNGS
    found, expected = columns(warm), columns(cold)
    assert found.keys() == expected.keys()
    for name in found.keys() - {"params"}:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-7, atol=1e-9, err_msg=name)
    assert found["params"] == expected["params"]
    np.testing.assert_allclose(weights(warm.best_estimator_), weights(cold.best_estimator_), atol=1e-12)


@pytest.mark.parametrize("way", [(None, None), *WAYS])
def test_only_the_missing_epochs_are_run(counted, way):
    callback, count = counted
    X, y = problem(RNNClassifier)
    search = WarmHalvingGridSearchCV(
        small(RNNClassifier, max_epochs=9, callbacks=[callback]), GRID, cv=2, n_jobs=way[1], refit=False
    )
    with parallel_config(backend=way[0] or "sequential"):
        search.fit(X, y)
    assert count() == 2 * (9 * 1 + 3 * 2 + 1 * 6)
    again = clone(search).set_params(n_jobs=None).fit(X, y)
    assert count() == 2 * (9 * 1 + 3 * 2 + 1 * 6)
    np.testing.assert_equal(columns(again), columns(search))


def test_the_best_candidate_is_trained_from_zero_on_all_data(counted):
    callback, count = counted
    X, y = problem(RNNClassifier)
    search = WarmHalvingGridSearchCV(small(RNNClassifier, max_epochs=9, callbacks=[callback]), GRID, cv=2).fit(X, y)
    assert count() == 2 * (9 * 1 + 3 * 2 + 1 * 6) + 9
    plain = small(RNNClassifier, max_epochs=9, **{k: search.best_params_[k] for k in GRID}).fit(X, y)
    np.testing.assert_array_equal(weights(search.best_estimator_), weights(plain))


def test_a_pipeline_goes_on_in_its_last_step(counted):
    callback, count = counted
    X, y = problem(RNNRegressor)
    model = make_pipeline(
        PerStep(StandardScaler()), make_pipeline("passthrough", small(RNNRegressor, callbacks=[callback], **EXACT))
    )
    grid = {"pipeline__rnnregressor__hidden_size": [2, 3, 4]}
    options = {"cv": 2, "resource": "pipeline__rnnregressor__max_epochs", "max_resources": 6, "refit": False}
    warm = WarmHalvingGridSearchCV(model, grid, **options).fit(X, y)
    assert count() == 2 * (3 * 2 + 1 * 4)
    cold = HalvingGridSearchCV(model, grid, **options).fit(X, y)
    assert count() == 2 * (3 * 2 + 1 * 6)
    np.testing.assert_allclose(warm.cv_results_["mean_test_score"], cold.cv_results_["mean_test_score"], rtol=1e-7)
    assert warm.best_params_ == cold.best_params_


def test_a_step_may_be_searched(counted):
    callback, count = counted
    X, y = problem(RNNClassifier)
    steps = [small(RNNClassifier, hidden_size=size, callbacks=[callback]) for size in (2, 3, 4)]
    model = make_pipeline(small(RNNClassifier))
    search = WarmHalvingGridSearchCV(
        model, {"rnnclassifier": steps}, cv=2, resource="rnnclassifier__max_epochs", max_resources=3, refit=False
    )
    search.fit(X, y)
    assert count() == 2 * (3 * 1 + 1 * 2)


def test_random_candidates(counted):
    callback, count = counted
    X, y = problem(RNNRegressor)
    model = small(RNNRegressor, max_epochs=9, callbacks=[callback], **EXACT)
    space = {"hidden_size": [2, 3, 4, 5], "learning_rate": [0.001, 0.003, 0.01, 0.03]}
    options = {"cv": 2, "random_state": 0, "refit": False, "n_candidates": 9}
    warm = WarmHalvingRandomSearchCV(model, space, **options).fit(X, y)
    assert count() == 2 * (9 * 1 + 3 * 2 + 1 * 6)
    cold = HalvingRandomSearchCV(model, space, resource="max_epochs", max_resources=9, **options).fit(X, y)
    assert warm.cv_results_["params"] == cold.cv_results_["params"]
    np.testing.assert_allclose(warm.cv_results_["mean_test_score"], cold.cv_results_["mean_test_score"], rtol=1e-7)


def test_rungs_are_planned_with_a_number_of_epochs():
    X, y = problem(RNNClassifier)
    model = small(RNNClassifier, max_epochs="auto")
    with pytest.raises(ValueError, match=r"max_epochs='auto'.* give max_resources, or the estimator, a number"):
        WarmHalvingGridSearchCV(model, GRID, cv=2).fit(X, y)
    search = WarmHalvingGridSearchCV(model, GRID, cv=2, max_resources=4, refit=False).fit(X, y)
    assert search.n_resources_[-1] <= 4


def test_sample_weights_reach_the_fits():
    X, y = problem(RNNRegressor)
    weight = np.arange(len(X)) % 3
    model = small(RNNRegressor, max_epochs=4, **EXACT)
    options = {"cv": 2, "resource": "max_epochs", "max_resources": 4, "factor": 2}
    warm = WarmHalvingGridSearchCV(model, {"hidden_size": [2, 4]}, **options).fit(X, y, sample_weight=weight)
    cold = HalvingGridSearchCV(model, {"hidden_size": [2, 4]}, **options).fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(warm.cv_results_["mean_test_score"], cold.cv_results_["mean_test_score"], rtol=1e-7)


def test_repeated_rungs_train_nothing(counted):
    callback, count = counted
    X, y = problem(RNNClassifier)
    search = WarmHalvingGridSearchCV(
        small(RNNClassifier, callbacks=[callback]), GRID, cv=2, max_resources=6, min_resources=2,
        aggressive_elimination=True, refit=False,
    ).fit(X, y)  # fmt: skip
    assert search.n_resources_ == [2, 2, 6]
    assert count() == 2 * (9 * 2 + 1 * 4)
    scores = {(i, p["hidden_size"], p["cell_type"]): s for i, p, s in zip(
        search.cv_results_["iter"], search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
    )}  # fmt: skip
    for (rung, *candidate), score in scores.items():
        assert rung != 1 or score == scores[(0, *candidate)]


# Fits that stop, fail or are interrupted


def test_what_stopped_by_itself_is_done(counted):
    callback, count = counted
    X, y = problem(RNNClassifier)
    model = small(RNNClassifier, max_epochs=9, n_iter_no_change=1, tol=1e9, callbacks=[callback])
    stopping = EarlyStopping(monitor="train_loss", patience=1, threshold=1e9, threshold_mode="abs")
    options = {"cv": 2, "min_resources": 3, "refit": False}
    early = {"callbacks": [callback], "early_stopping": True, "validation_fraction": 0.25}
    for extra in ({"callbacks": [callback, stopping]}, early):
        search = WarmHalvingGridSearchCV(model.set_params(**extra), {"hidden_size": [2, 3, 4]}, **options).fit(X, y)
        epochs = small(RNNClassifier).set_params(**model.get_params()).fit(X, y).n_iter_
        assert count() == 2 * 3 * epochs + epochs
        assert epochs < 9
        assert search.n_resources_ == [3, 9]
        first = dict(zip([2, 3, 4], search.cv_results_["mean_test_score"], strict=False))
        assert search.cv_results_["mean_test_score"][-1] == first[search.best_params_["hidden_size"]]


@pytest.mark.parametrize(("random_state", "epochs"), [(0, 2 * (3 * 1 + 2)), (None, 2 * (3 * 1 + 3))])
def test_early_stopping_goes_on_where_it_sets_aside_the_same(counted, random_state, epochs):
    callback, count = counted
    X, y = problem(RNNClassifier, n=40)
    model = small(RNNClassifier, max_epochs=3, early_stopping=True, random_state=random_state, callbacks=[callback])
    WarmHalvingGridSearchCV(model, {"hidden_size": [2, 3, 4]}, cv=2, refit=False).fit(X, y)
    assert count() == epochs


class FailLater(Callback):
    """Raises in a net of the given size whose optimizer has been at work before."""

    def __init__(self, error, size):
        self.error = error
        self.size = size

    def on_train_begin(self, net, **kwargs):
        if net.optimizer_.state and net.module__spec.backbone.hidden_sizes == (self.size,):
            raise self.error


def test_candidates_that_fail_at_once_are_scored_as_in_scikit_learn():
    X, y = problem(RNNClassifier)
    model, grid = small(RNNClassifier, max_epochs=3, **EXACT), {"hidden_size": [2, -1, 4]}
    warm = WarmHalvingGridSearchCV(model, grid, cv=2)
    cold = HalvingGridSearchCV(model, grid, cv=2, resource="max_epochs", max_resources=3)
    for search in (warm, cold):
        with pytest.warns(FitFailedWarning, match="2 fits failed"), pytest.warns(UserWarning, match="non-finite"):
            search.fit(X, y)
    np.testing.assert_array_equal(warm.cv_results_["mean_test_score"], cold.cv_results_["mean_test_score"])
    assert np.isnan(warm.cv_results_["mean_test_score"]).sum() == 1
    with pytest.raises(ValueError, match="hidden_size"):
        warm.set_params(error_score="raise").fit(X, y)


def later(error, **options):
    """A search of two rungs, its second of two candidates, one of which raises `error` there, and that candidate."""
    X, y = problem(RNNClassifier)
    search = WarmHalvingGridSearchCV(small(RNNClassifier, max_epochs=4), {"hidden_size": [2, 3, 4, 5]}, cv=2, factor=2)
    search.set_params(max_resources=2, refit=False, **options).fit(X, y)
    *_, one, _ = [
        candidate["hidden_size"] for candidate in search.cv_results_["params"] if candidate["max_epochs"] == 2
    ]
    return search.set_params(estimator__callbacks=[FailLater(error, one)]), one, (X, y)


def test_a_candidate_that_fails_later_has_the_error_score_there(tmp_path):
    search, size, data = later(RuntimeError("later"), memory=str(tmp_path), error_score=-1.0)
    with pytest.warns(FitFailedWarning, match="later"):
        search.fit(*data)
    results = search.cv_results_
    for candidate, score in zip(results["params"], results["mean_test_score"], strict=True):
        assert (score == -1) == (candidate == {"hidden_size": size, "max_epochs": 2})
    with pytest.raises(RuntimeError, match="later"):
        search.set_params(error_score="raise").fit(*data)
    assert not list(tmp_path.iterdir())


def test_an_interrupted_search_leaves_nothing_behind(tmp_path):
    search, _, data = later(KeyboardInterrupt(), memory=str(tmp_path))
    search = clone(search)
    model = search.estimator
    with pytest.raises(KeyboardInterrupt):
        search.fit(*data)
    assert not list(tmp_path.iterdir())
    assert search.estimator is model
    with pytest.raises(NotFittedError):
        check_is_fitted(search)


# What a search leaves, and what it takes


def test_scorers_see_plain_estimators_and_nothing_is_left_on_them():
    X, y = problem(RNNClassifier)
    seen = []

    def scorer(estimator, X, y):
        assert type(estimator) is RNNClassifier
        assert not {"fit", "__sklearn_clone__"} & set(vars(estimator))
        assert not estimator.warm_start
        seen.append(estimator.max_epochs)
        return estimator.score(X, y)

    model = small(RNNClassifier, max_epochs=9)
    search = WarmHalvingGridSearchCV(model, GRID, cv=2, scoring=scorer, return_train_score=False)
    before = search.get_params()
    assert search.fit(X, y) is search
    assert Counter(seen) == {epochs: 2 * candidates for candidates, epochs in RUNGS}
    assert search.get_params() == before
    assert vars(model) == vars(clone(model))
    best = search.best_estimator_
    assert (type(best), best.max_epochs, best.warm_start, best.n_iter_) == (RNNClassifier, 9, False, 9)
    search.scoring = search.scorer_ = None
    restored = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(restored.predict(X), search.predict(X))
    assert clone(best).fit(X, y).n_iter_ == 9


def test_a_worker_that_does_not_see_the_folder_trains_from_zero(tmp_path):
    X, y = problem(RNNClassifier)
    continuation = Continuation(str(tmp_path / "elsewhere"), "max_epochs", ("hidden_size",))
    plain = small(RNNClassifier, max_epochs=4).fit(X, y)
    for epochs in (2, 4):
        model = continuation.attach(small(RNNClassifier)).set_params(max_epochs=epochs).fit(X, y)
    assert model.n_iter_ == 4
    np.testing.assert_array_equal(weights(model), weights(plain))


def test_fits_are_kept_where_print_was_replaced(tmp_path, monkeypatch):
    """Workers of ray have a ``print`` of their own, and skorch keeps the one that it found."""
    X, y = problem(RNNClassifier)
    continuation = Continuation(str(tmp_path), "max_epochs", ("hidden_size",))
    monkeypatch.setattr("builtins.print", lambda *args, **kwargs: None)
    assert [continuation.attach(small(RNNClassifier, max_epochs=n)).fit(X, y).n_iter_ for n in (2, 6)] == [2, 4]


def test_what_cannot_be_pickled_trains_from_zero(tmp_path):
    X, y = problem(RNNClassifier)
    watch = EpochScoring(lambda *args: 0.0, name="nothing", use_caching=False, on_train=True)
    continuation = Continuation(str(tmp_path), "max_epochs", ("hidden_size",))
    models = [continuation.attach(small(RNNClassifier, callbacks=[watch], max_epochs=n)).fit(X, y) for n in (2, 6)]
    assert [model.n_iter_ for model in models] == [2, 6]
    np.testing.assert_array_equal(weights(models[1]), weights(small(RNNClassifier, max_epochs=6).fit(X, y)))


def test_fits_are_told_apart_by_candidate_and_data(tmp_path):
    X, y = problem(RNNClassifier)
    continuation = Continuation(str(tmp_path), "max_epochs", ("hidden_size",))

    def epochs_of(X, y, **parameters):
        return continuation.attach(small(RNNClassifier, **parameters)).fit(X, y).n_iter_

    assert epochs_of(X, y, max_epochs=2) == 2
    assert epochs_of(X, y, max_epochs=5) == 3
    assert epochs_of(X, y, max_epochs=5, hidden_size=3) == 5
    assert epochs_of(X[:-1], y[:-1], max_epochs=5) == 5
    assert epochs_of(X, np.roll(y, 1), max_epochs=5) == 5
    assert epochs_of([x + 1e-9 for x in X], y, max_epochs=5) == 5
    assert epochs_of([x.copy() for x in X], y.copy(), max_epochs=6) == 1


@pytest.mark.parametrize(
    ("estimator", "resource", "message"),
    [
        (LogisticRegression(), "max_iter", "max_epochs and warm_start, got LogisticRegression"),
        (TransformedTargetRegressor(RNNRegressor()), "regressor__max_epochs", "got TransformedTargetRegressor"),
        (RNNClassifier(), "n_samples", "resource='n_samples' cannot be continued: wanted 'max_epochs'"),
        (make_pipeline(RNNClassifier()), "max_epochs", "wanted 'rnnclassifier__max_epochs'"),
        (make_pipeline("passthrough"), "max_epochs", "got str"),
    ],
)
def test_what_cannot_be_continued_is_refused(estimator, resource, message):
    X, y = problem(RNNClassifier)
    with pytest.raises(ValueError, match=message):
        WarmHalvingGridSearchCV(estimator, {"hidden_size": [2]}, resource=resource).fit(X, y)


def test_parameters_are_checked():
    X, y = problem(RNNClassifier)
    with pytest.raises(ValueError, match="'memory' parameter of WarmHalvingGridSearchCV"):
        WarmHalvingGridSearchCV(RNNClassifier(), {"hidden_size": [2]}, memory=3).fit(X, y)
