"""Warnings name the line of the caller, and are given once for several fits."""

import warnings
from contextlib import contextmanager

import joblib
import numpy as np
import pytest
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_rnn import PerStep, RNNClassifier, RNNRegressor
from sklearn_rnn._warning import warn, warned_once, with_warnings
from sklearn_rnn.exceptions import SequenceDataWarning

rng = np.random.default_rng(0)
X = rng.normal(size=(20, 4, 2))
UNSCALED = X * 40 + 500
Y = np.arange(20) % 2
SMALL = {"hidden_size": 2, "max_epochs": 1, "standardize": False}


def fit_in_a_search():
    with joblib.parallel_config("threading", n_jobs=1):
        cross_val_score(RNNClassifier(**SMALL), UNSCALED, Y, cv=2)


@pytest.mark.parametrize(
    "call",
    [
        lambda: RNNClassifier(**SMALL).fit(UNSCALED, Y),
        lambda: make_pipeline(PerStep(StandardScaler(with_mean=False, with_std=False)), RNNClassifier(**SMALL)).fit(
            UNSCALED, Y
        ),
        lambda: RNNRegressor(**SMALL).fit(X, X[:, :, 0]),
        fit_in_a_search,
    ],
    ids=["fit", "pipeline", "y", "search"],
)
def test_the_line_of_the_caller_is_named(call):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        call()
    assert found
    assert {warning.filename for warning in found} == {__file__}


def test_the_caller_is_found_from_anywhere():
    @contextmanager
    def context():
        warn("from a context", SequenceDataWarning)
        yield

    with pytest.warns(SequenceDataWarning, match="from a context") as found, context():
        pass
    assert found[0].filename == __file__
    inside = {"__name__": "sklearn_rnn.inside", "warn": warn}
    exec("def run():\n    warn('from the package')", inside)
    with pytest.warns(UserWarning, match="from the package") as found:
        inside["run"]()
    assert found[0].filename == __file__


def test_filters_decide_at_the_line_of_the_caller():
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("ignore")
        warnings.filterwarnings("default", module=__name__.replace(".", r"\."))
        for _ in range(3):
            warn("once a line")
    assert len(found) == 1


def test_what_differs_in_numbers_alone_is_given_once():
    @warned_once()
    def several():
        warn("between 1.5 and 2e-07")
        with warned_once():
            warn("between 3 and 4")
        warn("between 3 and 4", SequenceDataWarning)
        warn("between one and two")

    with pytest.warns(UserWarning, match="between") as found:
        several()
    with pytest.warns(UserWarning, match="between 5") as later:
        warn("between 5 and 6")
    assert [str(warning.message) for warning in [*found, *later]] == [
        "between 1.5 and 2e-07",
        "between 3 and 4",
        "between one and two",
        "between 5 and 6",
    ]


@pytest.mark.parametrize("backend", ["sequential", "threading"])
def test_workers_hand_over_what_they_warn_of(backend):
    def work(i):
        warn(f"from job {i}")
        return i

    @warned_once()
    def run():
        with joblib.parallel_config(backend):
            results = joblib.Parallel(n_jobs=2)(joblib.delayed(with_warnings)(work, i) for i in range(4))
        for message, category in [each for _, held_back in results for each in held_back]:
            warn(message, category)
        return [result for result, _ in results]

    with pytest.warns(UserWarning, match="from job") as found:
        assert run() == [0, 1, 2, 3]
    assert len(found) == 1
