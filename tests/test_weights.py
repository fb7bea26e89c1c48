"""Weights out of all bounds, and groups."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from samples import problem, small

from sklearn_rnn import RNNClassifier, RNNRegressor, RNNSequenceTagger, SequenceBaggingClassifier
from sklearn_rnn.data.weights import scaled, validate_groups, validate_weights
from sklearn_rnn.exceptions import SequenceDataError
from sklearn_rnn.metrics import flat_accuracy_score, sequence_accuracy_score, sequence_r2_score, span_f1_score

EXTREME = [1e308, 1.7e308, 1e200, 1e-200, 2.0**-1070]
"""Of which the half is a number too."""


def halves(n):
    return np.where(np.arange(n) % 3, 1.0, 0.5)


@pytest.mark.parametrize("largest", EXTREME)
@pytest.mark.parametrize("estimator", [RNNClassifier, RNNRegressor, RNNSequenceTagger])
def test_weights_of_any_size_say_how_weights_compare(estimator, largest):
    X, y = problem(estimator)
    weight = halves(len(X))
    due, found = (small(estimator).fit(X, y, sample_weight=w) for w in (weight, weight * largest))
    assert due.loss_curve_ == found.loss_curve_
    assert due.score(X, y, sample_weight=weight) == found.score(X, y, sample_weight=weight * largest)
    kept = small(estimator).fit(X, y, X_val=X, y_val=y, sample_weight_val=weight * largest)
    wanted = small(estimator).fit(X, y, X_val=X, y_val=y, sample_weight_val=weight)
    assert kept.validation_scores_ == wanted.validation_scores_


@pytest.mark.parametrize("largest", EXTREME)
def test_weights_of_steps_and_classes_of_any_size(largest):
    X, y = problem(RNNSequenceTagger)
    steps = [halves(len(x)) for x in X]
    due, found = (
        small(RNNSequenceTagger).fit(X, y, sample_weight=w) for w in (steps, [part * largest for part in steps])
    )
    assert due.loss_curve_ == found.loss_curve_
    labels = np.unique(np.concatenate([list(part) for part in y])).tolist()
    first = {label: 1.0 - 0.5 * (i == 0) for i, label in enumerate(labels)}
    by_class = [
        small(RNNSequenceTagger, class_weight={k: v * s for k, v in first.items()}).fit(X, y) for s in (1, largest)
    ]
    assert by_class[0].loss_curve_ == by_class[1].loss_curve_


def test_class_weights_of_any_size():
    X, y = problem(RNNClassifier)
    due = small(RNNClassifier, class_weight=dict.fromkeys(np.unique(y).tolist(), 1.0)).fit(X, y)
    huge = small(RNNClassifier, class_weight=dict.fromkeys(np.unique(y).tolist(), 1e308))
    assert huge.fit(X, y, sample_weight=np.full(len(X), 1e308)).loss_curve_ == due.loss_curve_
    sets = np.ones((len(X), 4), dtype=int)
    sets[::2, 0] = 0
    options = {"standardize": False}  # weights of classes have no part in the scale of inputs, those of sequences have
    weighed = [
        small(RNNClassifier, class_weight=dict.fromkeys(range(4), w), **options).fit(X, sets) for w in (1e100, 1e300)
    ]
    for clf in weighed:  # the rows with all labels outweigh the others by far
        alone = small(RNNClassifier, **options).fit(X, sets, sample_weight=np.arange(len(X)) % 2 + 1e-300)
        assert_allclose(clf.loss_curve_, alone.loss_curve_, rtol=1e-6)


def test_a_weight_of_next_to_nothing_among_others():
    X, y = problem(RNNRegressor)
    weight = np.ones(len(X))
    weight[3] = 5e-324
    assert np.isfinite(small(RNNRegressor, batch_size=1).fit(X, y, sample_weight=weight).loss_curve_).all()


@pytest.mark.parametrize("largest", EXTREME)
def test_metrics_and_bagging_with_weights_of_any_size(largest):
    weight = halves(9)
    tags, other = [["B-a", "O"]] * 9, [["B-a", "B-a"]] * 4 + [["O", "O"]] * 5
    y = np.arange(9.0)
    for score, truth, predicted in (
        (flat_accuracy_score, tags, other),
        (sequence_accuracy_score, tags, other),
        (span_f1_score, tags, other),
        (sequence_r2_score, y, y[::-1]),
    ):
        assert score(truth, predicted, sample_weight=weight * largest) == score(truth, predicted, sample_weight=weight)
    X, labels = problem(RNNClassifier)
    weight = halves(len(X))
    bags = [
        SequenceBaggingClassifier(small(RNNClassifier), n_estimators=2, random_state=0).fit(X, labels, sample_weight=w)
        for w in (weight, weight * largest)
    ]
    scores = [bag.score(X, labels, sample_weight=weight * largest) for bag in bags]
    assert bags[0].score(X, labels, sample_weight=weight) == scores[0]
    assert np.isfinite(scores[1])


def test_ordinary_weights_stay_as_they_are():
    weight = np.array([1e-90, 0.3, 1e90])
    assert scaled(weight) is weight
    assert_array_equal(validate_weights([1, 2, 3], 3), [1, 2, 3])
    assert_array_equal(validate_weights(torch.tensor([1.0, 2.0], requires_grad=True), 2), [1, 2])
    assert_array_equal(validate_weights(pd.Series([1, 2], dtype="Int64"), 2), [1, 2])
    assert_array_equal(validate_weights(2, 2), [2, 2])


GROUPS = [
    [0, 0, 1, 2],
    np.array([0, 0, 1, 2]),
    ["a", "a", "b", "c"],
    ["1", "1", 1, 2],
    pd.Series(["x", "x", "y", "z"], dtype="category"),
    pd.to_datetime(["2020", "2020", "2021", "2022"]),
    torch.tensor([3, 3, 4, 5]),
    pl.Series([3, 3, 4, 5]),
    pa.array([3, 3, 4, 5]),
    [2**63 + 1, 2**63 + 1, 2**63 + 2, -1],
]


@pytest.mark.parametrize("groups", GROUPS, ids=lambda groups: type(groups).__name__)
def test_groups_are_numbered(groups):
    assert validate_groups(groups, 4).tolist() == [0, 0, 1, 2]


def test_groups_that_are_bools():
    assert validate_groups([True, False, True], 3).tolist() == [0, 1, 0]
    assert validate_groups(None, 3) is None


@pytest.mark.parametrize(
    "groups",
    [
        [0, np.nan, 1],
        [0, None, 1],
        np.array([0, np.nan, 1]),
        [0, pd.NaT, 1],
        pd.Series([0, None, 1], dtype="Int64"),
        pd.Categorical(["a", None, "b"]),
        pl.Series([0, None, 1]),
        pa.array([0, None, 1]),
    ],
    ids=lambda groups: type(groups).__name__,
)
def test_a_missing_group_is_refused(groups):
    with pytest.raises(SequenceDataError, match=r"groups\[1\] is .*, which is no group: give each sequence one"):
        validate_groups(groups, 3)
    X, y = problem(RNNClassifier)
    many = [*pd.Series(groups, dtype=object), *range(len(X) - 3)]
    with pytest.raises(SequenceDataError, match=r"groups\[1\] is .*, which is no group"):
        small(RNNClassifier, early_stopping=True).fit(X, y, groups=many)


@pytest.mark.parametrize("groups", [[0, 1], [(0, 1)] * 3, np.zeros((3, 2)), [[0], [1, 2], [3]]], ids=str)
def test_groups_of_a_wrong_shape(groups):
    with pytest.raises(ValueError, match=r"groups must have shape \(3,\), one group for each sequence, got"):
        validate_groups(groups, 3)


@pytest.mark.parametrize("groups", [5, "abc"])
def test_groups_that_are_none(groups):
    with pytest.raises(SequenceDataError, match="must hold one group for each of the 3 sequences"):
        validate_groups(groups, 3)
