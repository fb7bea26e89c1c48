"""Permutation importance and partial dependence of the features of sequences."""

import numpy as np
import pandas as pd
import pytest
from samples import problem, small
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_rnn import PerStep, RNNClassifier, RNNRegressor, RNNSequenceTagger, Sequences
from sklearn_rnn.exceptions import SequenceDataError
from sklearn_rnn.inspection import sequence_partial_dependence, sequence_permutation_importance
from sklearn_rnn.inspection._permutation import shuffled_rows

X, numbers = problem(RNNRegressor, n=40)
_, y = problem(RNNClassifier, n=40)
_, tags = problem(RNNSequenceTagger, n=40)


class MeanOfColumn(RegressorMixin, BaseEstimator):
    """Knows the answer: the mean, or the last step, of one feature."""

    def __init__(self, column=0, last=False):
        self.column = column
        self.last = last

    def fit(self, X, y=None):
        return self

    def predict(self, X):
        return np.array([x[-1, self.column] if self.last else x[:, self.column].mean() for x in X], dtype=float)


class LengthAbove(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.array([len(x) > 4 for x in X])


def test_only_the_feature_that_matters_is_important():
    result = sequence_permutation_importance(MeanOfColumn(1), X, [x[:, 1].mean() for x in X], random_state=0)
    assert result.importances.shape == (3, 5)
    np.testing.assert_array_equal(result.importances_mean, result.importances.mean(axis=1))
    np.testing.assert_array_equal(result.importances_std, result.importances.std(axis=1))
    assert result.importances_mean[1] > 0.5
    np.testing.assert_array_equal(result.importances[[0, 2]], 0)
    assert result.feature_names.tolist() == ["x0", "x1", "x2"]


def test_shuffling_steps_tells_whether_their_order_matters():
    options = {"permute": "steps", "random_state": 0}
    mean = sequence_permutation_importance(MeanOfColumn(), X, [x[:, 0].mean() for x in X], **options)
    last = sequence_permutation_importance(MeanOfColumn(last=True), X, [x[-1, 0] for x in X], **options)
    np.testing.assert_allclose(mean.importances, 0, atol=1e-12)
    assert last.importances_mean[0] > 0.5


def test_lengths_stay():
    result = sequence_permutation_importance(LengthAbove().fit(X, y), X, [len(x) > 4 for x in X], random_state=0)
    np.testing.assert_array_equal(result.importances, 0)


def test_a_series_of_another_sequence_keeps_its_course(rng):
    lengths = [4, 4, 8, 2, 0]
    values = np.concatenate([100 * i + np.arange(length) for i, length in enumerate(lengths)])
    sequences = Sequences(values, np.concatenate([[0], np.cumsum(lengths)]))
    seen = set()
    for seed in range(30):
        shuffled = sequences.with_values(values[shuffled_rows(sequences, np.random.RandomState(seed), "series")])
        donors = [int(part[0]) // 100 for part in shuffled if len(part)]
        assert sorted(donors) == [0, 1, 2, 3]  # each gives its series once, and the empty one has none to give
        for length, donor, part in zip(lengths, donors, shuffled, strict=False):
            steps = part - 100 * donor
            seen.add((lengths[donor], length, *steps.tolist()))
            assert np.all(np.diff(steps) >= 0)
    assert (4, 4, 0, 1, 2, 3) in seen
    assert (8, 4, 1, 3, 5, 7) in seen
    assert (2, 4, 0, 0, 1, 1) in seen
    assert (8, 2, 2, 6) in seen


def test_equal_lengths_shuffle_as_scikit_learn_shuffles_columns():
    table = np.stack([x[:2] for x in X])
    target = table[:, :, 0].sum(axis=1)
    ours = sequence_permutation_importance(MeanOfColumn(), table, target / 2, n_repeats=40, random_state=0)

    class Flat(MeanOfColumn):
        def predict(self, X):
            return X[:, 0]

    theirs = permutation_importance(Flat(), table.mean(axis=1), target / 2, n_repeats=40, random_state=0)
    assert ours.importances_mean[0] == pytest.approx(theirs.importances_mean[0], rel=0.1)


@pytest.mark.parametrize(
    "sequences",
    [np.stack([x[:2] for x in X]), X, pd.Series(X), Sequences.from_arrays(X), [x[:, 0] for x in X]],
    ids=["3-D array", "list", "Series", "Sequences", "list of 1-D"],
)
def test_every_format_and_estimator(sequences):
    labels = [item[: len(x)] for item, x in zip(tags, sequences, strict=True)]
    before = [np.array(x) for x in sequences]
    for estimator, target in [(RNNClassifier, y), (RNNRegressor, numbers), (RNNSequenceTagger, labels)]:
        fitted = small(estimator).fit(sequences, target)
        for permute in ("series", "steps"):
            result = sequence_permutation_importance(fitted, sequences, target, n_repeats=2, permute=permute)
            assert result.importances.shape == (fitted.n_features_in_, 2)
        assert np.isfinite(sequence_partial_dependence(fitted, sequences, 0, grid_resolution=3).average).all()
    for x, old in zip(sequences, before, strict=True):
        np.testing.assert_array_equal(x, old)


def test_tokens():
    tokens = [["rise" if step > 0 else "fall" for step in x[:, 0]] for x in X]
    fitted = small(RNNClassifier, max_epochs=30, learning_rate=0.05).fit(tokens, y)
    assert sequence_permutation_importance(fitted, tokens, y, random_state=0).importances_mean[0] > 0.1
    result = sequence_partial_dependence(fitted, tokens, 0)
    assert result.grid_values.tolist() == ["fall", "rise"]
    expected = [fitted.predict_proba([[word] * len(x) for x in tokens])[:, 1].mean() for word in result.grid_values]
    np.testing.assert_allclose(result.average[0], expected)
    with pytest.raises(ValueError, match="mode='shift' has no meaning for tokens"):
        sequence_partial_dependence(fitted, tokens, 0, mode="shift")


def test_names_weights_scorers_and_jobs():
    named = Sequences(
        np.concatenate(X), Sequences.from_arrays(X).offsets, feature_names=["speed", "height", "temperature"]
    )
    fitted = make_pipeline(PerStep(StandardScaler()), small(RNNClassifier)).fit(named, y)
    options = {"n_repeats": 2, "random_state": 0}
    result = sequence_permutation_importance(fitted, named, y, **options)
    assert result.feature_names.tolist() == ["speed", "height", "temperature"]
    by_list = sequence_permutation_importance(fitted, X, y, **options)
    assert by_list.feature_names.tolist() == ["speed", "height", "temperature"]
    np.testing.assert_array_equal(by_list.importances, result.importances)
    together = sequence_permutation_importance(fitted, named, y, n_jobs=2, **options)
    np.testing.assert_array_equal(together.importances, result.importances)
    several = sequence_permutation_importance(fitted, named, y, scoring=["accuracy", "neg_log_loss"], **options)
    np.testing.assert_array_equal(several["accuracy"].importances, result.importances)
    assert np.any(several["neg_log_loss"].importances != result.importances)
    weight = np.where(np.arange(len(X)) < 10, 1.0, 0.0)
    weighted = sequence_permutation_importance(fitted, X, y, sample_weight=weight, scoring="neg_log_loss", **options)
    assert np.any(weighted.importances != several["neg_log_loss"].importances)


def test_a_table_is_left_to_scikit_learn():
    table = np.zeros((4, 3))
    for inspect, advice in [
        (lambda: sequence_permutation_importance(MeanOfColumn(), table, [0] * 4), permutation_importance),
        (lambda: sequence_partial_dependence(MeanOfColumn(), table, 0), partial_dependence),
    ]:
        with pytest.raises(SequenceDataError, match=f"2-D table .* sklearn.inspection.{advice.__name__}"):
            inspect()


def test_partial_dependence_is_the_mean_prediction_at_each_value():
    fitted = small(RNNRegressor).fit(X, numbers)
    result = sequence_partial_dependence(fitted, X, 1, grid_values=[-1.0, 0.5])
    for k, value in enumerate([-1.0, 0.5]):
        changed = [np.column_stack([x[:, 0], np.full(len(x), value), x[:, 2]]) for x in X]
        np.testing.assert_allclose(result.individual[0, :, k], fitted.predict(changed))
    np.testing.assert_allclose(result.average, result.individual.mean(axis=1))


def test_partial_dependence_of_shifts_and_of_some_steps():
    model = MeanOfColumn(last=True).fit(X)
    shifted = sequence_partial_dependence(model, X, 0, grid_values=[0, 2], mode="shift")
    np.testing.assert_allclose(shifted.individual[0, :, 1] - model.predict(X), 2)
    last = sequence_partial_dependence(model, X, 0, grid_values=[7], steps=-1)
    np.testing.assert_array_equal(last.average, [[7]])
    first = sequence_partial_dependence(model, X, 0, grid_values=[7], steps=slice(0, 1))
    np.testing.assert_array_equal(first.individual[0, :, 0], model.predict(X))
    weighted = sequence_partial_dependence(
        model, X, 0, grid_values=[0], mode="shift", sample_weight=[1] + [0] * (len(X) - 1)
    )
    np.testing.assert_allclose(weighted.average[0, 0], X[0][-1, 0])


def test_grids():
    model = MeanOfColumn().fit(X)
    values = np.concatenate(X)[:, 0]
    grid = sequence_partial_dependence(model, X, 0, grid_resolution=5, percentiles=(0.1, 0.9)).grid_values
    np.testing.assert_allclose(grid, np.linspace(*np.quantile(values, [0.1, 0.9]), 5))
    shifts = sequence_partial_dependence(model, X, 0, grid_resolution=5, mode="shift").grid_values
    np.testing.assert_allclose(shifts, np.linspace(-1, 1, 5) * values.std())
    rounded = [np.sign(x) for x in X]
    assert sequence_partial_dependence(model, rounded, 0).grid_values.tolist() == [-1, 1]
    assert sequence_partial_dependence(model, [x.astype(int) for x in X], 0, grid_values=[0.5]).average == [[0.5]]
    with pytest.raises(ValueError, match=r"percentiles=\(0.9, 0.1\) must be two numbers"):
        sequence_partial_dependence(model, X, 0, percentiles=(0.9, 0.1))
    for feature in (3, "speed"):
        with pytest.raises(ValueError, match=f"feature={feature!r} is not there: the 3 feature"):
            sequence_partial_dependence(model, X, feature)


def test_outputs_of_each_kind_of_estimator():
    classifier = small(RNNClassifier).fit(X, y)
    options = {"grid_values": [0, 1]}
    binary = sequence_partial_dependence(classifier, X, 0, **options)
    assert binary.individual.shape == (1, len(X), 2)
    logits = sequence_partial_dependence(classifier, X, 0, response_method="decision_function", **options)
    np.testing.assert_allclose(1 / (1 + np.exp(-logits.individual)), binary.individual)
    three = small(RNNClassifier).fit(X, np.arange(len(X)) % 3)
    assert sequence_partial_dependence(three, X, 0, **options).average.shape == (3, 2)
    labels = small(RNNClassifier).fit(X, np.column_stack([y == "up", np.arange(len(X)) % 3 == 0]).astype(int))
    assert sequence_partial_dependence(labels, X, 0, **options).average.shape == (2, 2)
    tagger = small(RNNSequenceTagger).fit(X, tags)
    with_empty = [*X[:-1], X[0][:0]]
    result = sequence_partial_dependence(tagger, with_empty, 0, **options)
    assert np.isnan(result.individual[0, -1]).all()
    np.testing.assert_allclose(result.average, result.individual[:, :-1].mean(axis=1))
    with pytest.raises(ValueError, match=r"response_method='predict' gives '(up|down)', which cannot be averaged"):
        sequence_partial_dependence(classifier, X, 0, response_method="predict")
