"""Searches in processes and threads give what one gives, and data crosses to workers once."""

import numpy as np
import pytest
import torch
from joblib import Parallel, delayed, parallel_config
from samples import ESTIMATORS, problem, small, weights
from searching import WAYS, columns
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_info

from sklearn_rnn import RNNClassifier, RNNSequenceTagger, Sequences
from sklearn_rnn.training.compute import flushes_subnormals


def settings():
    pools = [(pool["filepath"], pool["num_threads"]) for pool in threadpool_info()]
    return torch.get_num_threads(), flushes_subnormals(), torch.random.get_rng_state().tolist(), sorted(pools)


# Workers


@pytest.mark.parametrize(("backend", "n_jobs"), WAYS)
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_grid_in_workers_scores_as_one_after_the_other(estimator, backend, n_jobs):
    X, y = problem(estimator)
    search = GridSearchCV(small(estimator), {"hidden_size": [2, 4], "cell_type": ["gru", "rnn"]}, cv=2)
    alone = clone(search).fit(X, y)
    before = settings()
    with parallel_config(backend=backend):
        beside = clone(search).set_params(n_jobs=n_jobs).fit(X, y)
    assert settings() == before
    np.testing.assert_equal(columns(beside), columns(alone))
    np.testing.assert_array_equal(weights(beside.best_estimator_), weights(alone.best_estimator_))


@pytest.mark.parametrize(("backend", "n_jobs"), WAYS)
def test_cross_validation_in_workers_gives_the_same_models(backend, n_jobs):
    X, y = problem(RNNSequenceTagger)
    options = {"cv": 3, "return_estimator": True, "return_train_score": True}
    alone = cross_validate(small(RNNSequenceTagger), X, y, **options)
    with parallel_config(backend=backend):
        beside = cross_validate(small(RNNSequenceTagger), X, y, n_jobs=n_jobs, **options)
    for name in ("test_score", "train_score"):
        np.testing.assert_array_equal(beside[name], alone[name])
    for one, other in zip(beside["estimator"], alone["estimator"], strict=True):
        np.testing.assert_array_equal(weights(one), weights(other))


# Data that crosses once


def memmap_behind(array):
    """The memory-mapped file that `array` is a view of, or None."""
    while array is not None and not isinstance(array, np.memmap):
        array = getattr(array, "base", None)
    return array


class NeedsMemmap(TransformerMixin, BaseEstimator):
    """A step that fails on sequences which are no part of a memory-mapped file."""

    def fit(self, X, y=None):
        if memmap_behind(getattr(X, "values", None)) is None:
            raise RuntimeError("the sequences were copied")
        return self

    def transform(self, X):
        return X


def fitted_in_worker(estimator, X, y):
    return type(X.values), X.values.flags.writeable, weights(estimator.fit(X, y))


@pytest.fixture(scope="module")
def large():
    """Sequences that pass the megabyte from which on joblib maps an array into memory."""
    X, y = problem(RNNClassifier, n=60, longest=600, n_features=16)
    container = Sequences.from_arrays(X)
    assert container.values.nbytes > 2**20
    return X, container, y


def test_a_container_is_read_only_and_mapped_in_workers_and_can_be_fitted(large):
    X, container, y = large
    model = small(RNNClassifier, max_epochs=1, max_length=20)
    expected = weights(clone(model).fit(X, y))
    for kind, writeable, found in Parallel(n_jobs=2)(delayed(fitted_in_worker)(model, container, y) for _ in range(2)):
        assert kind is np.memmap
        assert not writeable
        np.testing.assert_array_equal(found, expected)


def test_a_search_maps_a_container_and_copies_a_list(large):
    X, container, y = large
    model = make_pipeline(NeedsMemmap(), small(RNNClassifier, max_epochs=1, max_length=20))
    halves = [(np.arange(30), np.arange(30, 60)), (np.arange(30, 60), np.arange(30))]
    grid = {"rnnclassifier__hidden_size": [2, 3]}
    search = GridSearchCV(model, grid, cv=halves, n_jobs=2, refit=False, error_score="raise")
    mapped = clone(search).fit(container, y)
    plain = GridSearchCV(model[-1], {"hidden_size": [2, 3]}, cv=halves, refit=False).fit(X, y)
    np.testing.assert_array_equal(mapped.cv_results_["mean_test_score"], plain.cv_results_["mean_test_score"])
    with pytest.raises(RuntimeError, match="the sequences were copied"):
        clone(search).fit(X, y)
