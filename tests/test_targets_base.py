"""What all targets have in common: weights of sequences and of steps, and the order of a fit."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from samples import ESTIMATORS, outputs, problem, ragged, small, weights
from skorch.callbacks import Callback

from sklearn_rnn import RNNClassifier, RNNSequenceTagger, Sequences
from sklearn_rnn.data.training_set import TrainingSet
from sklearn_rnn.targets.base import any_uneven, step_weights
from sklearn_rnn.targets.classes import Classes
from sklearn_rnn.targets.tags import Tags

STEPS = Sequences(np.arange(6.0)[:, None], [0, 2, 3, 6])
RAGGED = [[1.0, 0.0], [0.0], [2.0, 3.0, 4.0]]


def test_a_weight_for_each_sequence_is_for_any_target():
    for target in (Classes(), Tags()):
        weight, of_steps = target.read_weight([1, 0, 2], STEPS)
        assert (weight.tolist(), of_steps) == ([1, 0, 2], None)
        weight, of_steps = target.read_weight(None, STEPS)
        assert (weight.tolist(), of_steps) == ([1, 1, 1], None)


def test_weights_of_steps_count_a_sequence_that_has_any():
    weight, of_steps = Tags().read_weight(RAGGED, STEPS)
    assert weight.tolist() == [1, 0, 1]
    assert [part.tolist() for part in of_steps] == RAGGED


def test_the_weight_of_a_step_is_that_of_its_sequence_times_its_own():
    labels = STEPS.with_values(np.zeros(6, dtype=np.int64))
    present = np.array([True, True, True, False, True, True])
    own = labels.with_values(np.concatenate(RAGGED))
    data = TrainingSet(STEPS, labels, np.array([2.0, 3.0, 5.0]), own)
    assert step_weights(data, present).tolist() == [2, 0, 0, 0, 15, 20]
    plain = TrainingSet(STEPS, labels, np.array([2.0, 3.0, 5.0]))
    assert step_weights(plain, present).tolist() == [2, 2, 3, 0, 5, 5]
    assert any_uneven([plain, data])
    assert not any_uneven([plain])


class Sides(Callback):
    """Which sequences were trained on and validated on, by the first value of each."""

    def __init__(self):
        self.seen = {True: set(), False: set()}

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        self.seen[training] |= set(batch.values[:, 0, 0].tolist())


def split_of(estimator, X, y, **given):
    sides = Sides()
    options = {"early_stopping": True, "validation_fraction": 0.3, "dtype": "float64", "callbacks": [sides]}
    model = small(estimator, standardize=False, **options).fit(X, y, **given)
    return model, sides.seen


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_equal_samples_stay_on_one_side_of_the_split(estimator):
    """However often each is there, in whatever order, and however repeats are written."""
    X, y = problem(estimator, 20)
    copies = np.random.default_rng(0).integers(1, 4, size=20)
    repeats = np.repeat(np.arange(20), copies)
    shuffled = np.random.default_rng(1).permutation(repeats)
    weighted, expected = split_of(estimator, X, y, sample_weight=copies)
    assert expected[True].isdisjoint(expected[False])
    assert len(expected[True] | expected[False]) == 20
    assert len(expected[False]) == 6
    for rows in (repeats, shuffled):
        repeated, seen = split_of(estimator, [X[i] for i in rows], [y[i] for i in rows])
        assert seen == expected
        assert_array_equal(weights(repeated), weights(weighted))
        assert_array_equal(outputs(repeated, X), outputs(weighted, X))
        assert repeated.validation_scores_ == weighted.validation_scores_
    assert split_of(estimator, X, y)[1] == expected


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_vocabulary_is_that_of_the_training_part(estimator):
    """Each document has a word of its own: what was held out is unknown."""
    _, y = problem(estimator, 20)
    X = [[f"word {i}"] * len(labels) for i, labels in enumerate(problem(RNNSequenceTagger, 20)[1])]
    model = small(estimator, early_stopping=True, validation_fraction=0.3).fit(X, y)
    assert len(model.vocabulary_) == 14
    assert set(model.vocabulary_) < {part[0] for part in X}
    assert len(small(estimator).fit(X, y).vocabulary_) == 20


def test_labels_of_the_part_that_was_held_out_are_known():
    X = ragged(20)
    y = [f"class {i % 10}" for i in range(20)]
    model = small(RNNClassifier, early_stopping=True, validation_fraction=0.4).fit(X, y)
    assert model.classes_.tolist() == sorted(set(y))


@pytest.mark.parametrize("decoder", ["crf", "softmax"])
def test_equal_weights_of_steps_are_weights_of_sequences(decoder):
    X, y = problem(RNNSequenceTagger)
    weight = np.random.default_rng(0).uniform(0.5, 2, size=len(X))
    options = {"decoder": decoder, "dtype": "float64", "dropout": 0.0, "batch_size": len(X)}
    of_steps = [np.full(len(x), w) for x, w in zip(X, weight, strict=True)]
    one = small(RNNSequenceTagger, **options).fit(X, y, sample_weight=weight)
    other = small(RNNSequenceTagger, **options).fit(X, y, sample_weight=of_steps)
    assert_allclose(weights(other), weights(one), rtol=1e-6, atol=1e-8)
    assert_allclose(other.loss_curve_, one.loss_curve_, rtol=1e-9)
    assert other.score(X, y, sample_weight=of_steps) == pytest.approx(one.score(X, y, sample_weight=weight))


def test_a_step_of_weight_0_is_one_without_a_label():
    """For a softmax, of which each step is by itself."""
    X, y = problem(RNNSequenceTagger)
    rng = np.random.default_rng(0)
    hidden = [rng.random(len(x)) < 0.4 for x in X]
    gaps = [["?" if h else tag for h, tag in zip(*pair, strict=True)] for pair in zip(hidden, y, strict=True)]
    options = {"decoder": "softmax", "dtype": "float64", "dropout": 0.0, "ignore_label": "?", "batch_size": len(X)}
    ignoring = small(RNNSequenceTagger, **options).fit(X, gaps)
    weighted = small(RNNSequenceTagger, **options).fit(X, y, sample_weight=[1.0 - h for h in hidden])
    assert_allclose(weights(weighted), weights(ignoring), rtol=1e-7, atol=1e-9)
    assert weighted.score(X, y, sample_weight=[1.0 - h for h in hidden]) == pytest.approx(ignoring.score(X, gaps))


@pytest.mark.parametrize("decoder", ["crf", "softmax"])
def test_a_score_with_weights_of_steps_is_their_weighted_mean(decoder):
    X, y = problem(RNNSequenceTagger)
    rng = np.random.default_rng(0)
    weight = [rng.uniform(0, 2, size=len(x)) for x in X]
    model = small(RNNSequenceTagger, decoder=decoder, dtype="float64")
    model.fit(X, y, X_val=X[:9], y_val=y[:9], sample_weight_val=weight[:9])
    right = [np.array(p) == np.array(t) for p, t in zip(model.predict(X), y, strict=True)]
    expected = np.average(np.concatenate(right), weights=np.concatenate(weight))
    assert 0 < expected < 1
    assert model.score(X, y, sample_weight=weight) == pytest.approx(expected)
    validated = np.average(np.concatenate(right[:9]), weights=np.concatenate(weight[:9]))
    assert model.validation_scores_[-1] == pytest.approx(validated)
