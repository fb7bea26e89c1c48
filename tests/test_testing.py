"""The checks for others pass where they should, and each finds the fault that it is for."""

import random
import warnings

import numpy as np
import pytest
import torch
from samples import CELLS, ESTIMATORS, small
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import EstimatorCheckFailedWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from sklearn_rnn import RNNClassifier, RNNRegressor, RNNSequenceTagger
from sklearn_rnn.data.formats import object_array
from sklearn_rnn.data.inputs import read
from sklearn_rnn.data.number_targets import validate_numbers
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.targets import validate_step_labels
from sklearn_rnn.data.validation import remember
from sklearn_rnn.exceptions import SequenceDataError
from sklearn_rnn.preprocessing import PerStep
from sklearn_rnn.testing import check_sequence_estimator


def statuses(estimator, **options):
    return {result["check_name"]: result["status"] for result in check_sequence_estimator(estimator, **options)}


@pytest.mark.parametrize("cell_type", CELLS)
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_own_estimators_pass(estimator, cell_type):
    assert set(statuses(small(estimator, cell_type=cell_type)).values()) == {"passed"}


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_pipelines_pass(estimator):
    pipeline = make_pipeline(PerStep(StandardScaler()), small(estimator, bidirectional=False))
    assert set(statuses(pipeline).values()) == {"passed"}


def test_data_of_ones_own():
    X = [["fly", "to", "Oslo"], ["from", "Rome"], ["Rome", "to", "Oslo"], ["to", "Rome"]] * 2
    y = [["O", "O", "B"], ["O", "B"], ["B", "O", "B"], ["O", "B"]] * 2
    assert set(statuses(small(RNNSequenceTagger), X=X, y=y).values()) == {"passed"}
    assert set(statuses(small(RNNClassifier), X=X, y=list("abab") * 2).values()) == {"passed"}


class Discounting(RegressorMixin, BaseEstimator):
    """The sum of all features, in which each step counts half as much as the next: keeps the contract."""

    def __init__(self, *, discount=0.5):
        self.discount = discount

    def fit(self, X, y):
        sequences = self.read_in_fit(X)
        self.mean_ = validate_numbers(y, len(sequences)).mean()
        return self

    def predict(self, X):
        check_is_fitted(self, "mean_")
        sequences, _ = read(X, self.input_spec_, dtype="float64", reader=type(self).__name__)
        return np.array([self.mean_ + self.weigh(x) for x in sequences])

    def read_in_fit(self, X):
        sequences, spec = read(X, dtype="float64")
        remember(self, spec)
        return sequences

    def weigh(self, x):
        return float(self.discount ** np.arange(len(x))[::-1] @ x.sum(axis=1))


class DiscountingTagger(Discounting):
    """Whether the discounted sum up to each step is positive."""

    _estimator_type = None

    def fit(self, X, y):
        sequences = self.read_in_fit(X)
        validate_step_labels(y, sequences)
        self.mean_ = 0.0
        return self

    def predict(self, X):
        check_is_fitted(self, "mean_")
        sequences, _ = read(X, self.input_spec_, dtype="float64", reader=type(self).__name__)
        return object_array([[int(self.weigh(x[: t + 1]) > 0) for t in range(len(x))] for x in sequences])

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.estimator_type = None
        return tags


@pytest.mark.parametrize("estimator", [Discounting(), DiscountingTagger()])
def test_other_estimators_pass(estimator):
    assert set(statuses(estimator).values()) == {"passed"}


class PredictsWithoutFit(Discounting):
    def predict(self, X):
        return super().predict(X) if hasattr(self, "mean_") else np.zeros(len(X))


class ReturnsAnother(Discounting):
    def fit(self, X, y):
        return type(self)(discount=self.discount).mark(super().fit(X, y))

    def mark(self, other):
        vars(self).update(vars(other))
        return self


class PredictsLists(Discounting):
    def predict(self, X):
        return super().predict(X).tolist()


class TagsInArrays(DiscountingTagger):
    def predict(self, X):
        return object_array([np.asarray(labels) for labels in super().predict(X)])


class TagsInOneArray(DiscountingTagger):
    def predict(self, X):
        labels = super().predict(X)
        return object_array(labels.tolist()) if len({len(part) for part in labels}) > 1 else np.array(labels.tolist())


class TagsTooFew(DiscountingTagger):
    def predict(self, X):
        return object_array([part[:3] for part in super().predict(X)])


class CentresTheBatch(Discounting):
    def predict(self, X):
        predicted = super().predict(X)
        return predicted - predicted.mean()


class PadsWithOnes(Discounting):
    def predict(self, X):
        longest = max(len(x) for x in X)
        return super().predict(X) + (1e-3 if longest > 50 else 0.0)


class CountsPositions(Discounting):
    def predict(self, X):
        return super().predict(X) + (0.1 * np.arange(len(X)) if len(X) == 16 else 0)


class LikesOddNumbers(Discounting):
    def predict(self, X):
        return super().predict(X) + (0.1 if len(X) == 3 else 0)


class RoundsFloat32(Discounting):
    def predict(self, X):
        return super().predict(X) + (0.1 if X[0].dtype == np.float32 else 0)


class DividesIntegers(Discounting):
    def predict(self, X):
        return super().predict(X) + (0.1 if X[0].dtype.kind == "i" else 0)


class WantsLists(Discounting):
    def predict(self, X):
        if isinstance(X, Sequences):
            raise TypeError("a list, please")
        return super().predict(X)


class IgnoresTime(Discounting):
    def read_in_fit(self, X):
        sequences, spec = read(X, dtype="float64")
        remember(self, spec)
        return sequences

    def weigh(self, x):
        return float(x.sum())


class TagsWithoutContext(DiscountingTagger):
    def read_in_fit(self, X):
        sequences, spec = read(X, dtype="float64")
        remember(self, spec)
        return sequences

    def weigh(self, x):
        return float(x[-1].sum())


class RewritesParameters(Discounting):
    def __init__(self, *, discount=0.5):
        self.discount = discount * 1.0


class ForgetsItself(Discounting):
    def __getstate__(self):
        return {**super().__getstate__(), "discount": 0.25}


class LearnsMore(Discounting):
    def fit(self, X, y):
        before = getattr(self, "mean_", 0.0)
        super().fit(X, y)
        self.mean_ += before
        return self


class ScalesInPlace(Discounting):
    def fit(self, X, y):
        X[0][:] *= 2
        return super().fit(X, y)


class SortsTargets(Discounting):
    def fit(self, X, y):
        y.sort()
        return super().fit(X, y)


class WritesToRows(Discounting):
    def predict(self, X):
        for x in X:
            if x.dtype == np.float64:
                x[:1] = x[:1]
        return super().predict(X)


class TunesItself(Discounting):
    def fit(self, X, y):
        self.discount = 0.9
        return super().fit(X, y)


class WritesIntoItself(Discounting):
    """Changes an item of a parameter that is too long for NumPy to show all of it."""

    def __init__(self, *, discount=0.5, weights=None):
        self.discount = discount
        self.weights = weights

    def fit(self, X, y):
        self.weights[1000] += 1
        return super().fit(X, y)


class ReseedsNumPy(Discounting):
    def fit(self, X, y):
        np.random.seed(0)
        return super().fit(X, y)


class DrawsFromTorch(Discounting):
    def predict(self, X):
        torch.rand(1)
        return super().predict(X)


class DrawsFromPython(Discounting):
    def predict(self, X):
        random.random()
        return super().predict(X)


class TakesAllThreads(Discounting):
    def fit(self, X, y):
        torch.set_num_threads(torch.get_num_threads() + 1)
        return super().fit(X, y)


class TakesAnything(Discounting):
    def predict(self, X):
        try:
            return super().predict(X)
        except SequenceDataError:
            return np.zeros(1)


class RaisesStrangely(Discounting):
    def fit(self, X, y):
        if len(X) != len(y):
            raise IndexError("out of range")
        return super().fit(X, y)


class CountsFits(Discounting):
    fits = 0

    def fit(self, X, y):
        super().fit(X, y)
        type(self).fits += 1
        self.mean_ = self.fits * 10.0
        return self


FAULTS = [
    (PredictsWithoutFit, "check_not_fitted", "no NotFittedError"),
    (ReturnsAnother, "check_output_format", "fit does not return the estimator"),
    (PredictsLists, "check_output_format", "predict returns list, wanted an array"),
    (TagsInArrays, "check_output_format", "item 0 of predict is ndarray, wanted a list"),
    (TagsTooFew, "check_output_format", "item 1 of predict has 3 labels for 7 steps"),
    (CentresTheBatch, "check_batch_mates", "sequence 0 alone: predict of sequence 0"),
    (PadsWithOnes, "check_padding", "beside a sequence 40 times as long"),
    (CountsPositions, "check_batch_mates", "sequence 1 alone"),
    (LikesOddNumbers, "check_batch_size", "in parts of 3"),
    (RoundsFloat32, "check_dtype", "float32"),
    (DividesIntegers, "check_dtype", "integers"),
    (WantsLists, "check_containers", "a list, please"),
    (IgnoresTime, "check_time_matters", "predict does not change"),
    (TagsWithoutContext, "check_time_matters", "predict does not change"),
    (RewritesParameters, "check_not_fitted", "Cannot clone object"),
    (ForgetsItself, "check_pickle", "after pickle"),
    (LearnsMore, "check_fit_idempotent", "after a second fit"),
    (ScalesInPlace, "check_input_untouched", "X has changed"),
    (SortsTargets, "check_input_untouched", "y has changed"),
    (WritesToRows, "check_input_untouched", "read-only"),
    (TunesItself, "check_parameters_untouched", "discount=0.5 by 0.9"),
    (ReseedsNumPy, "check_random_state_untouched", "global random state of NumPy"),
    (DrawsFromTorch, "check_random_state_untouched", "global random state of torch"),
    (DrawsFromPython, "check_random_state_untouched", "global random state of Python"),
    (TakesAllThreads, "check_threads_untouched", "threads of"),
    (TakesAnything, "check_wrong_shapes", "predict with no sequences raises no error"),
    (RaisesStrangely, "check_wrong_shapes", "raises IndexError, wanted a ValueError or TypeError"),
]


@pytest.fixture
def threads():
    """The number of threads, put back after the test."""
    before = torch.get_num_threads()
    yield before
    torch.set_num_threads(before)


@pytest.mark.parametrize(("broken", "check", "message"), FAULTS, ids=lambda value: getattr(value, "__name__", None))
def test_a_fault_is_found(broken, check, message, threads):
    with pytest.raises(AssertionError, match=rf"(?s)^({check}) failed for .*{message}"):
        check_sequence_estimator(broken())


def test_a_change_in_the_middle_of_a_parameter_is_found():
    weights = np.zeros(2000)
    with pytest.raises(
        AssertionError, match=r"check_parameters_untouched failed for .*fit changes the parameter weights"
    ):
        check_sequence_estimator(WritesIntoItself(weights=weights))


def test_processes_that_disagree_are_found():
    results = {r["check_name"]: r for r in check_sequence_estimator(CountsFits(), on_fail=None)}
    assert results["check_n_jobs"]["status"] == "failed"
    assert "n_jobs=2" in str(results["check_n_jobs"]["exception"])


def test_failures_can_be_reported():
    results = check_sequence_estimator(IgnoresTime(), on_fail=None)
    assert [r["check_name"] for r in results if r["status"] == "failed"] == ["check_time_matters"]
    failed = next(r for r in results if r["status"] == "failed")
    assert isinstance(failed["exception"], AssertionError)
    assert isinstance(failed["estimator"], IgnoresTime)
    assert failed["expected_to_fail"] is False


def test_failures_can_be_warnings():
    with pytest.warns(EstimatorCheckFailedWarning, match=r"check_time_matters failed for estimator IgnoresTime"):
        check_sequence_estimator(IgnoresTime(), on_fail="warn")


def test_failures_can_be_expected():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        results = check_sequence_estimator(
            IgnoresTime(), expected_failed_checks={"check_time_matters": "a bag of steps"}, on_fail="raise"
        )
    expected = next(r for r in results if r["check_name"] == "check_time_matters")
    assert expected["status"] == "xfail"
    assert expected["expected_to_fail_reason"] == "a bag of steps"


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match=r"on_fail='ignore' must be 'raise', 'warn' or None"):
        check_sequence_estimator(RNNRegressor(), on_fail="ignore")
    with pytest.raises(ValueError, match="X and y go together"):
        check_sequence_estimator(RNNRegressor(), X=[np.zeros((2, 1))])
