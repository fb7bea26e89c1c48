"""Scores of estimators: those of scikit-learn, of what is checked first."""

import numpy as np
import pandas as pd
import pytest
from samples import problem, small
from sklearn.metrics import accuracy_score, r2_score

from sklearn_rnn import RNNClassifier, RNNRegressor, SequenceBaggingClassifier, SequenceBaggingRegressor
from sklearn_rnn.exceptions import SequenceDataError

BAGS = {
    RNNClassifier: SequenceBaggingClassifier(small(RNNClassifier), n_estimators=3, random_state=0),
    RNNRegressor: SequenceBaggingRegressor(small(RNNRegressor), n_estimators=3, random_state=0, oob_score=True),
}


@pytest.mark.filterwarnings("ignore:.*out-of-bag prediction:UserWarning")
@pytest.mark.parametrize("weight", [None, np.arange(24.0)], ids=["plain", "weighted"])
def test_scores_are_those_of_scikit_learn(weight):
    X, y = problem(RNNClassifier)
    for clf in (small(RNNClassifier).fit(X, y), BAGS[RNNClassifier].fit(X, y)):
        assert clf.score(X, y, weight) == accuracy_score(y, clf.predict(X), sample_weight=weight)
        assert clf.score(X, pd.Series(y), sample_weight=weight) == clf.score(X, y, weight)
    sets = np.column_stack([y == y[0], np.arange(24) % 2]).astype(int)
    clf = small(RNNClassifier).fit(X, sets)
    assert clf.score(X, sets, weight) == accuracy_score(sets, clf.predict(X), sample_weight=weight)
    X, y = problem(RNNRegressor)
    bag = BAGS[RNNRegressor].fit(X, y)
    assert bag.score(X, y, weight) == pytest.approx(r2_score(y, bag.predict(X), sample_weight=weight), abs=1e-14)


@pytest.mark.filterwarnings("ignore:.*out-of-bag prediction:UserWarning")
@pytest.mark.parametrize("unit", [2.0**-600, 2.0**600, 2.0**990])
def test_the_unit_of_numbers_is_of_no_account(unit):
    X, y = problem(RNNRegressor)
    alone, same = (small(RNNRegressor).fit(X, target) for target in (y, y * unit))
    assert same.score(X, y * unit) == pytest.approx(alone.score(X, y))
    bag = BAGS[RNNRegressor].fit(X, y * unit)
    assert bag.score(X, y * unit) == pytest.approx(r2_score(y, bag.predict(X) / unit))
    scored = ~np.isnan(bag.oob_prediction_)
    assert bag.oob_score_ == pytest.approx(r2_score(y[scored], bag.oob_prediction_[scored] / unit))


def test_gaussians_of_any_unit():
    X, y = problem(RNNRegressor)
    first, second = (small(RNNRegressor, loss="gaussian").fit(X, y * unit) for unit in (1.0, 2.0**-600))
    mean, std = second.predict(X, return_std=True)
    np.testing.assert_allclose(mean * 2.0**600, first.predict(X))
    np.testing.assert_allclose(std * 2.0**600, first.predict(X, return_std=True)[1])


def test_labels_and_weights_are_checked():
    X, y = problem(RNNClassifier)
    clf = small(RNNClassifier).fit(X, y)
    with pytest.raises(SequenceDataError, match="X has 24 sequences, y has 23"):
        clf.score(X, y[:-1])
    with pytest.raises(SequenceDataError, match=r"sample_weight\[0\] is 1000.*too large"):
        clf.score(X, y, sample_weight=[10**400] * 24)


def test_numbers_of_another_size_than_those_of_fit_are_refused():
    X, y = problem(RNNRegressor)
    with pytest.raises(SequenceDataError, match=r"times as large as the scale that was learned"):
        small(RNNRegressor).fit(X, y, X_val=X, y_val=y * 1e300)
