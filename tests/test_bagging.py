"""Bagging: what is drawn, how members are fitted, and what is made of their predictions."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from samples import problem, small
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_rnn import (
    PerStep,
    RNNClassifier,
    RNNRegressor,
    SequenceBaggingClassifier,
    SequenceBaggingRegressor,
    Sequences,
)
from sklearn_rnn.data.formats import object_array
from sklearn_rnn.exceptions import SequenceDataError

X, y = problem(RNNClassifier)
_, numbers = problem(RNNRegressor)
TOKENS = [["rise" if step > 0 else "fall" for step in x[:, 0]] for x in X]


def bagging(base=None, **parameters):
    base = small(RNNClassifier) if base is None else base
    return SequenceBaggingClassifier(base, **{"n_estimators": 3, "random_state": 0, **parameters})


class Recorder(ClassifierMixin, BaseEstimator):
    """Keeps what it was fitted with; takes no weights and has no probabilities."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y):
        self.X_, self.y_, self.classes_ = list(X), np.asarray(y), np.unique(y)
        return self

    def predict(self, X):
        return np.repeat(self.classes_[:1], len(X))


class Weighted(Recorder):
    def fit(self, X, y, sample_weight=None):
        self.weight_ = sample_weight
        return super().fit(X, y)


QUICK = {"cell_type": "rnn", "hidden_size": 32, "dropout": 0.0, "max_epochs": 20, "learning_rate": 0.02}
QUICK |= {"conv_branch": False, "pooling": "last", "batch_size": 32}


@parametrize_with_checks(
    [
        SequenceBaggingClassifier(RNNClassifier(**QUICK), n_estimators=2),
        SequenceBaggingRegressor(RNNRegressor(**QUICK), n_estimators=2),
    ]
)
@pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")  # a check casts inf to int
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    "sequences",
    [X, object_array(X), pd.Series(X, index=range(50, 50 + len(X))), Sequences.from_arrays(X), TOKENS],
    ids=["list", "object array", "Series", "Sequences", "tokens"],
)
def test_every_format(sequences):
    for base in [small(RNNClassifier), make_pipeline(small(RNNClassifier))]:
        fitted = bagging(base).fit(sequences, y)
        assert fitted.predict_proba(sequences).shape == (len(X), 2)
        assert set(fitted.predict(sequences)) <= set(y)


def test_a_pipeline_that_scales_gives_the_same_whatever_the_format():
    model = make_pipeline(PerStep(StandardScaler()), small(RNNClassifier))
    one, other = (bagging(model).fit(sequences, y) for sequences in (X, Sequences.from_arrays(X)))
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))


def test_members_differ_and_their_probabilities_are_averaged():
    fitted = bagging().fit(X, y)
    each = [member.predict_proba(X) for member in fitted.estimators_]
    assert not np.allclose(each[0], each[1])
    np.testing.assert_allclose(fitted.predict_proba(X), np.mean(each, axis=0))
    np.testing.assert_array_equal(fitted.predict(X), fitted.classes_[np.mean(each, axis=0).argmax(axis=1)])
    np.testing.assert_allclose(np.exp(fitted.predict_log_proba(X)), fitted.predict_proba(X))


def test_regression_averages_and_keeps_the_shape_of_the_target():
    fitted = SequenceBaggingRegressor(small(RNNRegressor), n_estimators=2, random_state=0).fit(X, numbers)
    np.testing.assert_allclose(fitted.predict(X), np.mean([m.predict(X) for m in fitted.estimators_], axis=0))
    assert np.isfinite(fitted.score(X, numbers))
    two = np.column_stack([numbers, -numbers])
    assert fitted.fit(X, two).predict(X).shape == two.shape


def test_weights_tell_a_member_what_an_index_would_have_repeated():
    weighted, indexed = (bagging(base).fit(X, y) for base in (Weighted(), Recorder()))
    for one, other in zip(weighted.estimators_, indexed.estimators_, strict=True):
        assert one.weight_.sum() == len(X) == len(other.X_)
        repeated = [X[i] for i, n in enumerate(one.weight_) for _ in range(int(n))]
        assert sorted(x.tobytes() for x in repeated) == sorted(x.tobytes() for x in other.X_)


@pytest.mark.parametrize("base", [small(RNNClassifier), make_pipeline(small(RNNClassifier))], ids=["weights", "index"])
def test_a_weight_of_two_is_a_repeated_sequence_in_any_order(base, rng):
    weight = rng.integers(0, 3, size=len(X))
    repeats = rng.permutation(np.repeat(np.arange(len(X)), weight))
    by_weight = bagging(base).fit(X, y, sample_weight=weight)
    by_repeats = bagging(base).fit([X[i] for i in repeats], y[repeats])
    np.testing.assert_array_equal(by_weight.predict_proba(X), by_repeats.predict_proba(X))


def test_what_weighs_more_is_drawn_more_often():
    weight = np.where(np.arange(len(X)) < 6, 20.0, 1.0)
    fitted = bagging(Weighted(), n_estimators=20).fit(X, y, sample_weight=weight)
    drawn = sum(member.weight_ for member in fitted.estimators_)
    assert drawn[:6].sum() / drawn.sum() == pytest.approx(weight[:6].sum() / weight.sum(), abs=0.03)


@pytest.mark.parametrize(("max_samples", "expected"), [(10, 10), (0.5, 12), (1.0, 24)])
def test_max_samples(max_samples, expected):
    for bootstrap in (True, False):
        fitted = bagging(Recorder(), max_samples=max_samples, bootstrap=bootstrap).fit(X, y)
        assert {len(member.X_) for member in fitted.estimators_} == {expected}


def test_without_bootstrap_each_sequence_comes_once_and_keeps_its_weight():
    weight = 1.0 + np.arange(len(X))
    fitted = bagging(Weighted(), max_samples=0.5, bootstrap=False).fit(X, y, sample_weight=weight)
    for member, rows in zip(fitted.estimators_, fitted.estimators_samples_, strict=True):
        assert len(rows) == len(set(rows.tolist())) == 12
        np.testing.assert_array_equal(member.weight_[rows], weight[rows])
        assert member.weight_.sum() == weight[rows].sum()
    with pytest.raises(ValueError, match="fit takes none: set bootstrap=True"):
        bagging(Recorder(), bootstrap=False).fit(X, y, sample_weight=weight / 7)
    with pytest.raises(ValueError, match="more than the 24 distinct samples"):
        bagging(max_samples=30, bootstrap=False).fit(X, y)


def test_without_bootstrap_members_are_networks_fitted_alone(rng):
    repeated, labels = X + X[:9], np.concatenate([y, y[:9]])
    fits = [{}, {"sample_weight": rng.random(len(labels)) + 0.1}, {"X_val": X[:8], "y_val": y[:8]}]
    for options in fits:
        fitted = bagging(small(RNNClassifier), bootstrap=False).fit(repeated, labels, **options)
        for member in fitted.estimators_:
            alone = clone(member).fit(repeated, labels, **options)
            np.testing.assert_array_equal(member.predict_proba(X), alone.predict_proba(X))


def test_a_member_without_a_class_gives_it_no_probability():
    labels = y.astype("<U9")
    labels[0] = "sometimes"
    fitted = bagging(n_estimators=6).fit(X, labels)
    known = [len(member.classes_) for member in fitted.estimators_]
    assert set(known) == {2, 3}
    assert fitted.classes_.tolist() == ["down", "sometimes", "up"]
    expected = np.zeros((len(X), 3))
    for member in fitted.estimators_:
        for column, label in enumerate(member.classes_):
            expected[:, fitted.classes_.tolist().index(label)] += member.predict_proba(X)[:, column] / 6
    np.testing.assert_allclose(fitted.predict_proba(X), expected)


def test_a_draw_of_one_class_is_made_anew():
    labels = np.where(np.arange(len(X)) == 0, "rare", "common")
    fitted = bagging(n_estimators=12).fit(X, labels)
    assert all(len(member.classes_) == 2 for member in fitted.estimators_)
    with pytest.raises(ValueError, match="held one class each, and a classifier needs two: raise max_samples"):
        bagging(max_samples=1).fit(X, y)
    with pytest.raises(ValueError, match="only 1 class, 'up'"):
        bagging().fit(X, ["up"] * len(X))


def test_members_without_probabilities_vote():
    fitted = bagging(Recorder()).fit(X, y)
    np.testing.assert_array_equal(fitted.predict_proba(X), np.tile([1.0, 0.0], (len(X), 1)))


def test_multilabel_targets():
    Y = np.column_stack([y == "up", y == "down", np.arange(len(X)) % 3 == 0]).astype(int)
    fitted = bagging().fit(X, Y)
    probabilities = fitted.predict_proba(X)
    assert probabilities.shape == Y.shape
    np.testing.assert_array_equal(fitted.predict(X), probabilities > 0.5)


def test_out_of_bag_predictions_come_from_members_that_did_not_draw():
    fitted = bagging(n_estimators=8, oob_score=True).fit(X, y)
    for i, x in enumerate(X):
        others = [
            m for m, rows in zip(fitted.estimators_, fitted.estimators_samples_, strict=True) if i not in rows.tolist()
        ]
        expected = np.mean([member.predict_proba([x])[0] for member in others], axis=0)
        np.testing.assert_allclose(fitted.oob_decision_function_[i], expected)
    predicted = fitted.classes_[fitted.oob_decision_function_.argmax(axis=1)]
    assert fitted.oob_score_ == np.mean(predicted == y)


def test_copies_of_a_sequence_are_never_on_both_sides():
    fitted = bagging(n_estimators=8, max_samples=0.5, oob_score=True).fit(X * 2, np.tile(y, 2))
    first, second = np.split(fitted.oob_decision_function_, 2)
    np.testing.assert_allclose(first, second)


def test_out_of_bag_of_a_regressor_and_of_too_few_members():
    base = small(RNNRegressor)
    fitted = SequenceBaggingRegressor(base, n_estimators=10, oob_score=True, random_state=0).fit(X, numbers)
    assert fitted.oob_prediction_.shape == numbers.shape
    assert np.isfinite(fitted.oob_score_)
    with pytest.warns(UserWarning, match="drawn for all members and have no out-of-bag prediction: raise n_estimators"):
        fitted.set_params(n_estimators=1).fit(X, numbers)
    assert np.isnan(fitted.oob_prediction_).any()
    fitted.set_params(oob_score=False).fit(X, numbers)
    assert not hasattr(fitted, "oob_prediction_")
    with pytest.raises(ValueError, match="oob_score=True needs bootstrap=True"):
        fitted.set_params(oob_score=True, bootstrap=False).fit(X, numbers)


def test_jobs_change_nothing():
    alone, together = (bagging(n_jobs=n_jobs, oob_score=True, n_estimators=8).fit(X, y) for n_jobs in (1, 2))
    np.testing.assert_array_equal(alone.predict_proba(X), together.predict_proba(X))
    np.testing.assert_array_equal(alone.oob_decision_function_, together.oob_decision_function_)


def test_clone_pickle_and_search():
    fitted = bagging().fit(X, y)
    copy = clone(fitted)
    assert not hasattr(copy, "estimators_")
    np.testing.assert_array_equal(copy.fit(X, y).predict_proba(X), fitted.predict_proba(X))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict_proba(X), fitted.predict_proba(X))
    search = GridSearchCV(bagging(n_estimators=2), {"estimator__hidden_size": [2, 4]}, cv=2).fit(X, y)
    assert search.best_estimator_.estimators_[0].hidden_size == search.best_params_["estimator__hidden_size"]


def test_a_failed_fit_leaves_the_old_one():
    fitted = bagging().fit(X, y)
    before = fitted.predict_proba(X)
    with pytest.raises(ValueError, match="features"):
        fitted.fit([*X[:-1], np.zeros((3, 9))], np.where(y == "up", "b", "a"))
    np.testing.assert_array_equal(fitted.predict_proba(X), before)


def test_metadata_reaches_bagging_and_members():
    groups = np.arange(len(X)) // 2
    with config_context(enable_metadata_routing=True):
        base = small(RNNClassifier, early_stopping=True, validation_fraction=0.4)
        base.set_fit_request(sample_weight=True, groups=True, X_val=True, y_val=True)
        model = bagging(base).set_fit_request(sample_weight=True).set_score_request(sample_weight=False)
        fitted = clone(model).fit(X, y, sample_weight=np.ones(len(X)), groups=groups)
        assert all(member.validation_scores_ is not None for member in fitted.estimators_)
        fitted = clone(model).fit(X, y, X_val=X, y_val=y)
        assert len(fitted.estimators_[0].validation_scores_) == fitted.estimators_[0].n_iter_
        params = {"sample_weight": np.ones(len(X)), "groups": groups}
        assert np.isfinite(cross_validate(model, X, y, cv=2, params=params, error_score="raise")["test_score"]).all()
        # a member that does not take the weights is given what was drawn, with the metadata that belongs to it
        inner = make_pipeline(small(RNNClassifier, early_stopping=True).set_fit_request(groups=True))
        bagging(inner).fit(X, y, groups=groups)
    with pytest.raises(ValueError, match="enable_metadata_routing"):
        bagging().fit(X, y, groups=groups)


def test_draws_depend_on_what_samples_are_and_not_on_how_they_are_held():
    rounded = [np.round(x, 1).astype(np.float32) for x in X]
    formats = [
        rounded,
        [x.astype(np.float64) for x in rounded],
        [x.tolist() for x in rounded],
        Sequences.from_arrays(rounded),
        pd.DataFrame({"x": rounded}),
    ]
    base = small(RNNClassifier, max_epochs=1)
    samples = [bagging(base, n_estimators=2).fit(sequences, y).estimators_samples_ for sequences in formats]
    for other in samples[1:]:
        for one, two in zip(samples[0], other, strict=True):
            np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_validation_data_reaches_every_member(n_jobs):
    base = small(RNNClassifier, early_stopping=True)
    fitted = bagging(base, n_jobs=n_jobs).fit(X, y, X_val=X[:8], y_val=y[:8], sample_weight_val=np.arange(8.0) + 1)
    for member in fitted.estimators_:
        decided = np.average(member.predict(X[:8]) == y[:8], weights=np.arange(8.0) + 1)
        assert member.validation_scores_[member.best_epoch_ - 1] == pytest.approx(decided)


@pytest.mark.parametrize(
    "validation", [X[:8], Sequences.from_arrays(X[:8]), pd.DataFrame({"x": X[:8]}), {"x": X[:8]}], ids=type
)
def test_validation_data_of_every_format(validation):
    training = {"x": X} if isinstance(validation, dict) else X
    fitted = bagging(n_estimators=2).fit(training, y, X_val=validation, y_val=y[:8])
    assert len(fitted.validation_scores_) == 2


def test_validation_sequences_of_a_class_that_a_draw_lacks():
    labels = y.astype("<U9")
    labels[0] = "sometimes"
    fitted = bagging(n_estimators=6).fit(X, labels, X_val=X[:4], y_val=labels[:4])
    known = [len(member.classes_) for member in fitted.estimators_]
    assert set(known) == {2, 3}
    for member in fitted.estimators_:
        kept = np.isin(labels[:4], member.classes_)
        expected = np.mean(member.predict(X[:4])[kept] == labels[:4][kept])
        assert member.validation_scores_[-1] == pytest.approx(expected)
    with pytest.raises(SequenceDataError, match="'never'"):
        bagging().fit(X, labels, X_val=X[:2], y_val=["never", "up"])


def test_validation_data_of_members_that_take_none():
    with pytest.raises(ValueError, match=r"Recorder.fit takes no X_val and no y_val. Give it to members that take it"):
        bagging(Recorder()).fit(X, y, X_val=X, y_val=y)
    with pytest.raises(ValueError, match=r"Pipeline.fit takes no X_val .* transform_input=\['X_val'\]"):
        bagging(make_pipeline(small(RNNClassifier))).fit(X, y, X_val=X, y_val=y)
    with pytest.raises(ValueError, match="X_val and y_val go together"):
        bagging().fit(X, y, X_val=X)


def test_a_pipeline_transforms_validation_data():
    moved = [x * 30 + 200 for x in X]
    with config_context(enable_metadata_routing=True):
        last = small(RNNClassifier).set_fit_request(X_val=True, y_val=True)
        model = make_pipeline(PerStep(StandardScaler()), last, transform_input=["X_val"])
        fitted = bagging(model, n_estimators=2).fit(moved, y, X_val=moved, y_val=y)
        for member, scores in zip(fitted.estimators_, fitted.validation_scores_, strict=True):
            assert scores[-1] == pytest.approx(member.score(moved, y))


@pytest.mark.parametrize(
    "base", [small(RNNClassifier), make_pipeline(small(RNNClassifier))], ids=["network", "Pipeline"]
)
def test_what_the_networks_did(base):
    fitted = bagging(base).fit(X, y)
    assert fitted.n_iter_.tolist() == fitted.best_epochs_.tolist() == [2, 2, 2]
    networks = [getattr(member, "steps", [(None, member)])[-1][1] for member in fitted.estimators_]
    assert fitted.loss_curves_ == [network.loss_curve_ for network in networks]
    assert fitted.validation_scores_ is None
    assert not hasattr(bagging(), "n_iter_")
    with pytest.raises(AttributeError, match=r"best_epochs_ is there only where .* Recorder has"):
        bagging(Recorder()).fit(X, y).best_epochs_  # noqa: B018


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_warning_about_the_data_comes_once(n_jobs):
    unscaled = [x * 40 + 500 for x in X]
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        fitted = bagging(small(RNNClassifier, standardize=False), n_jobs=n_jobs).fit(unscaled, y)
    assert [warning.filename for warning in found if "X is not scaled" in str(warning.message)] == [__file__]
    named = pd.DataFrame(np.zeros((4, 3)), columns=list("abc"))
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        fitted.fit(np.random.default_rng(0).normal(size=(24, 3)), y).predict(named)
    assert [warning.filename for warning in found if "has feature names" in str(warning.message)] == [__file__]
