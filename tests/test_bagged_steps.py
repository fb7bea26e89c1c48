"""Ensembles of regressors whose targets belong to steps."""

import numpy as np
import pandas as pd
import pytest
from samples import small
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_rnn import PerStep, RNNRegressor, SequenceBaggingRegressor, Sequences
from sklearn_rnn.estimators._bagged_steps import as_predicted, numbers_for_members
from sklearn_rnn.exceptions import SequenceDataError
from sklearn_rnn.metrics import sequence_r2_score

rng = np.random.default_rng(0)
X = [rng.normal(size=(length, 2)) for length in rng.integers(2, 7, size=24)]
Y = [x[:, 0].cumsum() for x in X]
BLOCK = rng.normal(size=(24, 5, 2))


def bagging(base=None, **parameters):
    base = small(RNNRegressor, max_epochs=2) if base is None else base
    return SequenceBaggingRegressor(base, **{"n_estimators": 3, "random_state": 0, **parameters})


BASES = [small(RNNRegressor, max_epochs=2), make_pipeline(PerStep(StandardScaler()), small(RNNRegressor, max_epochs=2))]


@pytest.mark.parametrize("base", BASES, ids=["weights", "index"])
@pytest.mark.parametrize(
    "y",
    [Y, pd.Series(Y), Sequences.from_arrays(Y), [np.column_stack([y, -y]) for y in Y], [y.tolist() for y in Y]],
    ids=["list", "Series", "Sequences", "two", "lists"],
)
def test_predictions_of_steps_are_means(base, y):
    fitted = bagging(base).fit(X, y)
    assert fitted.target_alignment_ == "step"
    predicted = fitted.predict(X)
    each = [member.predict(X) for member in fitted.estimators_]
    for i, part in enumerate(predicted):
        np.testing.assert_allclose(part, np.mean([member[i] for member in each], axis=0), rtol=1e-6)
    assert fitted.score(X, y) == pytest.approx(sequence_r2_score(y, predicted))


@pytest.mark.parametrize("base", BASES, ids=["weights", "index"])
def test_arrays_of_steps_stay_arrays(base):
    assert bagging(base).fit(BLOCK, BLOCK.cumsum(axis=1)).predict(BLOCK[:4]).shape == (4, 5, 2)


def test_the_target_of_members_says_what_a_table_belongs_to():
    one = BLOCK[:, :, 0]
    as_columns = bagging(small(RNNRegressor, max_epochs=1, target="sequence")).fit(BLOCK, one)
    assert as_columns.target_alignment_ == "sequence"
    assert as_columns.predict(BLOCK[:4]).shape == (4, 5)
    fitted = bagging(small(RNNRegressor, max_epochs=1, target="step")).fit(BLOCK, one)
    assert fitted.target_alignment_ == "step"
    assert fitted.predict(BLOCK[:4]).shape == (4, 5)


def test_arrays_as_long_as_their_sequences_belong_to_steps():
    fitted = bagging().fit(BLOCK, list(BLOCK[:, :, 0]))
    assert fitted.target_alignment_ == "step"
    assert [len(part) for part in fitted.predict(BLOCK[:3])] == [5, 5, 5]
    assert bagging().fit(BLOCK, list(BLOCK[:, :3, 0])).target_alignment_ == "sequence"


@pytest.mark.parametrize("base", BASES, ids=["weights", "index"])
def test_a_weight_of_two_is_a_repeated_sequence(base):
    weight = rng.integers(0, 3, size=len(X))
    repeats = rng.permutation(np.repeat(np.arange(len(X)), weight))
    by_weight = bagging(base).fit(X, Y, sample_weight=weight)
    by_repeats = bagging(base).fit([X[i] for i in repeats], [Y[i] for i in repeats])
    for one, other in zip(by_weight.predict(X), by_repeats.predict(X), strict=True):
        np.testing.assert_array_equal(one, other)


def test_draws_do_not_depend_on_the_format_of_targets():
    formats = [list(BLOCK), Sequences.from_arrays(list(BLOCK)), BLOCK]
    samples = [bagging(n_estimators=1).fit(BLOCK, y).estimators_samples_[0] for y in formats]
    for other in samples[1:]:
        np.testing.assert_array_equal(samples[0], other)


def test_out_of_bag_of_steps():
    gaps = [np.where(rng.random(len(y)) < 0.2, np.nan, y) for y in Y]
    fitted = bagging(n_estimators=8, oob_score=True).fit(X, gaps)
    rows = [], []
    for i, x in enumerate(X):
        samples = zip(fitted.estimators_, fitted.estimators_samples_, strict=True)
        others = [member.predict([x])[0] for member, drawn in samples if i not in drawn.tolist()]
        np.testing.assert_allclose(fitted.oob_prediction_[i], np.mean(others, axis=0), rtol=1e-5)
        rows[0].append(gaps[i])
        rows[1].append(np.mean(others, axis=0))
    assert fitted.oob_score_ == pytest.approx(sequence_r2_score(*rows), rel=1e-4)
    with pytest.warns(UserWarning, match="drawn for all members"):
        few = bagging(n_estimators=1, oob_score=True).fit(X, Y)
    drawn = few.estimators_samples_[0].tolist()
    assert all(np.isnan(part).all() == (i in drawn) for i, part in enumerate(few.oob_prediction_))


def test_padded_targets_are_cut_with_their_sequences():
    lengths = [len(x) for x in X]
    padded, y = np.zeros((24, 6, 2)), np.zeros((24, 6))
    for i, n in enumerate(lengths):
        padded[i, :n], y[i, :n] = X[i], Y[i]
    base = small(RNNRegressor, max_epochs=2, target="step", padding_value=0)
    with_padding = bagging(base, n_estimators=8, oob_score=True).fit(padded, y)
    alone = bagging(base, n_estimators=8).fit(X, Y)
    assert [len(part) for part in with_padding.predict(padded)] == lengths
    assert [len(part) for part in with_padding.oob_prediction_] == lengths
    assert with_padding.score(padded, y) == pytest.approx(with_padding.score(X, Y))
    assert np.isfinite([with_padding.oob_score_, alone.score(X, Y)]).all()


def test_missing_targets_of_sequences():
    sums = np.array([y[-1] for y in Y])
    sums[::5] = np.nan
    fitted = bagging(oob_score=True, n_estimators=8).fit(X, sums)
    there = ~np.isnan(sums)
    kept = [x for x, present in zip(X, there, strict=True) if present]
    assert fitted.score(X, sums) == pytest.approx(fitted.score(kept, sums[there]))
    assert np.isfinite(fitted.oob_score_)


def test_searches_and_weights_of_steps_in_scores():
    assert np.isfinite(cross_val_score(bagging(n_estimators=2), X, Y, cv=2, error_score="raise")).all()
    fitted = bagging().fit(X, Y)
    first = [np.arange(len(y)) == 0 for y in Y]
    alone = fitted.score(X, [np.where(kept, y, np.nan) for kept, y in zip(first, Y, strict=True)])
    assert fitted.score(X, Y, [kept.astype(float) for kept in first]) == pytest.approx(alone)


def test_ragged_targets_of_members_that_take_none():
    with pytest.raises(SequenceDataError, match="y is ragged"):
        bagging(small(RNNRegressor, target="sequence")).fit(X, Y)
    with pytest.raises(SequenceDataError, match=r"y\[0\] .* steps"):
        bagging().fit(X, [Y[0][:-1], *Y[1:]])


def test_what_members_are_given_reads_as_what_was_given():
    base = RNNRegressor()
    for y in (np.arange(4.0), np.ones((4, 2)), [[1, 2], [3, 4]]):
        target, keys = numbers_for_members(y, len(y), base)
        np.testing.assert_array_equal(target, np.asarray(y, dtype=float))
        assert keys is target
    target, keys = numbers_for_members(list(np.ones((3, 2))), 3, make_pipeline(base))
    assert target.dtype == object
    assert keys.values.shape == (6, 1)
    assert isinstance(numbers_for_members([[1], [2, 3]], 2, base)[0], Sequences)
    rows = np.arange(4.0)
    assert as_predicted(rows, np.array([2, 2]), block=True).tolist() == [[0, 1], [2, 3]]
    assert [part.tolist() for part in as_predicted(rows, np.array([1, 3]), block=True)] == [[0], [1, 2, 3]]
