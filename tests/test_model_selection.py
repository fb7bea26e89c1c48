"""Out-of-fold predictions: each by a model that did not see the sequence, in the order of X."""

import numpy as np
import pandas as pd
import pytest
from samples import problem, small
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_rnn import PerStep, RNNClassifier, RNNRegressor, RNNSequenceTagger
from sklearn_rnn.data.formats import object_array
from sklearn_rnn.model_selection import cross_val_predict_sequences

X, tags = problem(RNNSequenceTagger)
_, y = problem(RNNClassifier)
_, numbers = problem(RNNRegressor)
tagger = small(RNNSequenceTagger)
classifier = small(RNNClassifier)


def by_hand(estimator, X, y, method, cv):
    """The definition: a fresh fit for each fold, and each prediction at its place."""
    result = [None] * len(X)
    for train, test in cv.split(X):
        fitted = clone(estimator).fit([X[i] for i in train], [y[i] for i in train])
        for i, item in zip(test, getattr(fitted, method)([X[i] for i in test]), strict=True):
            result[i] = item
    return result


@pytest.mark.parametrize("method", ["predict", "predict_proba", "transform_steps"])
def test_ragged_predictions_are_those_of_the_fold(method):
    cv = KFold(3, shuffle=True, random_state=0)
    predicted = cross_val_predict_sequences(tagger, X, tags, cv=cv, method=method)
    assert isinstance(predicted, np.ndarray)
    assert predicted.shape == (len(X),)
    for found, expected, x in zip(predicted, by_hand(tagger, X, tags, method, cv), X, strict=True):
        assert len(found) == len(x)
        assert isinstance(found, list if method == "predict" else np.ndarray)
        np.testing.assert_allclose(*(np.asarray(part) for part in (found, expected))) if method != "predict" else None
        assert method != "predict" or found == expected


@pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_log_proba", "decision_function"])
def test_one_prediction_a_sequence_as_scikit_learn_has_it(method):
    ours = cross_val_predict_sequences(classifier, X, y, cv=3, method=method)
    theirs = cross_val_predict(classifier, X, y, cv=3, method=method)
    assert ours.dtype == theirs.dtype or method == "predict"
    np.testing.assert_array_equal(ours, theirs)


def test_regression_pipelines_and_other_methods():
    model = make_pipeline(PerStep(StandardScaler()), small(RNNRegressor))
    np.testing.assert_array_equal(
        cross_val_predict_sequences(model, X, numbers, cv=3), cross_val_predict(model, X, numbers, cv=3)
    )
    two = np.column_stack([numbers, -numbers])
    assert cross_val_predict_sequences(model, X, two, cv=3).shape == two.shape
    vectors = cross_val_predict_sequences(clone(classifier).set_params(pooling="mean"), X, y, cv=3, method="transform")
    assert vectors.shape == (len(X), 8)


@pytest.mark.parametrize(
    ("sequences", "labels"),
    [
        (object_array(X), object_array(tags)),
        (pd.Series(X), pd.Series(tags)),
        (np.stack([x[:2] for x in X]), np.array([labels[:2] for labels in tags])),
        ([["a" if step > 0 else "b" for step in x[:, 0]] for x in X], tags),
    ],
    ids=["object array", "Series", "3-D array", "tokens"],
)
def test_every_format(sequences, labels):
    predicted = cross_val_predict_sequences(tagger, sequences, labels, cv=2, method="predict_proba")
    assert [item.shape for item in predicted] == [(len(one), 2) for one in labels]


def test_equal_lengths_stay_one_item_a_sequence():
    predicted = cross_val_predict_sequences(tagger, [x[:2] for x in X], [labels[:2] for labels in tags], cv=2)
    assert predicted.shape == (len(X),)
    assert all(isinstance(item, list) for item in predicted)


def test_an_empty_sequence_among_the_others():
    predicted = cross_val_predict_sequences(tagger, [X[0], X[1][:0], *X[2:]], [tags[0], [], *tags[2:]], cv=2)
    assert predicted[1] == []


def test_a_class_that_a_fold_does_not_know():
    order = np.argsort(y, kind="stable")
    sorted_X, labels = [X[i] for i in order], np.repeat(["a", "b", "c"], len(X) // 3)
    options = {"cv": KFold(3), "method": "predict_proba"}
    probabilities = cross_val_predict_sequences(classifier, sorted_X, labels, **options)
    third = len(X) // 3
    for k in range(3):
        assert not probabilities[k * third : (k + 1) * third, k].any()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    logarithms = cross_val_predict_sequences(classifier, sorted_X, labels, cv=KFold(3), method="predict_log_proba")
    np.testing.assert_allclose(np.exp(logarithms), probabilities)
    with pytest.raises(ValueError, match=r"know \[2, 2, 2\] classes of 3, and decision_function has no value"):
        cross_val_predict_sequences(classifier, sorted_X, labels, cv=KFold(3), method="decision_function")


def test_a_label_that_a_fold_does_not_know():
    labels = [["odd" for _ in item] if i == 0 else item for i, item in enumerate(tags)]
    probabilities = cross_val_predict_sequences(tagger, X, labels, cv=KFold(3), method="predict_proba")
    assert [item.shape for item in probabilities] == [(len(x), 3) for x in X]
    columns = ["down", "odd", "up"]
    assert not probabilities[0][:, columns.index("odd")].any()
    assert probabilities[-1][:, columns.index("odd")].all()


def test_groups_are_kept_whole():
    groups = np.arange(len(X)) % 4
    cv = GroupKFold(4)
    one = cross_val_predict_sequences(tagger, X, tags, cv=cv, groups=groups, method="predict_proba")
    with config_context(enable_metadata_routing=True):
        whole = clone(tagger).set_fit_request(groups=False)  # fit knows groups too
        routed = cross_val_predict_sequences(whole, X, tags, cv=cv, params={"groups": groups}, method="predict_proba")
    for k in range(4):
        inside = np.flatnonzero(groups == k)
        fitted = clone(tagger).fit(*([part[i] for i in np.flatnonzero(groups != k)] for part in (X, tags)))
        for i, expected in zip(inside, fitted.predict_proba([X[i] for i in inside]), strict=True):
            np.testing.assert_allclose(one[i], expected)
            np.testing.assert_array_equal(one[i], routed[i])


def test_weights_and_validation_data_reach_fit():
    weight = np.where(np.arange(len(X)) % 2, 1.0, 3.0)
    heavy = cross_val_predict_sequences(tagger, X, tags, cv=2, params={"sample_weight": weight}, method="predict_proba")
    plain = cross_val_predict_sequences(tagger, X, tags, cv=2, method="predict_proba")
    assert not np.allclose(heavy[0], plain[0])
    validation = {"X_val": X, "y_val": tags}  # as many as there are sequences, and still not split
    early = clone(tagger).set_params(early_stopping=True)
    assert len(cross_val_predict_sequences(early, X, tags, cv=2, params=validation)) == len(X)
    with config_context(enable_metadata_routing=True):
        routed = clone(tagger).set_fit_request(sample_weight=True)
        again = cross_val_predict_sequences(
            routed, X, tags, cv=2, params={"sample_weight": weight}, method="predict_proba"
        )
        np.testing.assert_array_equal(again[0], heavy[0])
        with pytest.raises(UnsetMetadataPassedError, match="used within cross_val_predict_sequences"):
            cross_val_predict_sequences(tagger, X, tags, cv=2, params={"sample_weight": weight})


def test_jobs_change_nothing():
    alone, together = (cross_val_predict_sequences(tagger, X, tags, cv=2, n_jobs=n_jobs) for n_jobs in (1, 2))
    assert alone.tolist() == together.tolist()


def test_test_parts_must_be_a_partition():
    with pytest.raises(ValueError, match="does not put each of the 24 sequences into exactly one test part"):
        cross_val_predict_sequences(tagger, X, tags, cv=ShuffleSplit(3, random_state=0))
