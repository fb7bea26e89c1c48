"""Classes and sets of labels, against plain computations with scipy and scikit-learn."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from samples import ragged
from scipy.special import expit, softmax
from sklearn.metrics import accuracy_score
from sklearn.utils.class_weight import compute_class_weight

from sklearn_rnn.data.encoding import StepEncoding
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.training_set import TrainingSet
from sklearn_rnn.networks.losses import BINARY_CROSS_ENTROPY, CROSS_ENTROPY
from sklearn_rnn.targets.classes import Classes, LabelSets, class_target

LABELS = np.array(["b", "a", "c", "a", "b", "a"])
SETS = np.array([[1, 0, 1], [0, 0, 0], [1, 1, 0], [0, 1, 1], [1, 0, 0], [0, 0, 1]])
WEIGHT = np.array([1.0, 2.0, 0.5, 1.0, 3.0, 1.5])
TWO = np.array([7, 3, 3, 7, 3, 3])


def data_of(labels, weight=WEIGHT):
    return TrainingSet(Sequences.from_arrays(ragged(len(labels))), labels, weight)


def learned(labels, class_weight=None, smoothing=0.0, classes=None):
    target = replace(class_target(labels, None), class_weight=class_weight, label_smoothing=smoothing, pooling="max")
    target.learn(data_of(labels), data_of(labels), classes, StepEncoding())
    return target


def encoded(target, labels, weight=WEIGHT):
    return data_of(target.encode(labels, training=True), weight)


@pytest.mark.parametrize(("labels", "kind"), [(LABELS, Classes), (TWO, Classes), (SETS, LabelSets)])
def test_the_shape_of_the_labels_says_what_they_are(labels, kind):
    target = learned(labels)
    assert type(target) is kind
    assert target.alignment == "sequence"
    assert target.present(labels).all()
    assert class_target(LABELS, target) is target, "or what they were in fit"


def test_codes_are_positions_among_the_classes():
    target = learned(LABELS)
    assert target.classes.tolist() == ["a", "b", "c"]
    codes = target.encode(LABELS, training=True)
    assert_array_equal(target.classes[codes], LABELS)
    assert codes.dtype == np.int64
    two = learned(TWO)
    assert_array_equal(two.encode(TWO, training=True), (TWO == 7)[:, None])
    assert_array_equal(learned(SETS).encode(SETS, training=False), SETS)


def test_classes_are_those_of_all_data_or_those_that_are_named():
    target = Classes()
    target.learn(data_of(LABELS), data_of(LABELS[:2], WEIGHT[:2]), None, StepEncoding())
    assert target.classes.tolist() == ["a", "b", "c"]
    assert learned(LABELS, classes=["d", "a", "b", "c"]).classes.tolist() == ["a", "b", "c", "d"]
    with pytest.raises(ValueError, match="y holds only 1 class, 'a'"):
        learned(np.array(["a", "a"]))
    with pytest.raises(ValueError, match=r"classes=\['a'\] differs"):
        target.check_classes(["a"])
    target.check_classes(["c", "b", "a"])
    target.check_classes(None)
    with pytest.raises(ValueError, match=r"\['d'\] that are not among"):
        target.encode(np.array(["a", "d"]), training=True)


@pytest.mark.parametrize("class_weight", [None, "balanced", {"a": 3.0, "c": 0.5}])
@pytest.mark.parametrize("training", [True, False])
def test_weights_of_the_loss_have_mean_1(class_weight, training):
    target = learned(LABELS, class_weight)
    found = target.weighed(encoded(target, LABELS), training=training).weight
    factors = np.ones(6)
    if training and class_weight == "balanced":
        of_class = compute_class_weight(
            "balanced", classes=target.classes, y=np.repeat(LABELS, (2 * WEIGHT).astype(int))
        )
        factors = of_class[np.searchsorted(target.classes, LABELS)]
    elif training and class_weight:
        factors = np.array([class_weight.get(label, 1.0) for label in LABELS.tolist()])
    assert_allclose(found, WEIGHT * factors / np.mean(WEIGHT * factors))


def test_weights_of_sets_multiply_those_of_their_labels():
    target = learned(SETS, {0: 2.0, 2: 5.0})
    expected = np.array([[2.0, 1.0, 5.0][k] ** row[k] for row in SETS for k in range(3)]).reshape(6, 3).prod(axis=1)
    found = target.weighed(encoded(target, SETS), training=True).weight
    assert_allclose(found, WEIGHT * expected / np.mean(WEIGHT * expected))
    balanced = learned(SETS, "balanced")
    factors = np.ones(6)
    for column in SETS.T:
        of_value = compute_class_weight("balanced", classes=np.arange(2), y=np.repeat(column, (2 * WEIGHT).astype(int)))
        factors *= of_value[column]
    found = balanced.weighed(encoded(balanced, SETS), training=True).weight
    assert_allclose(found, WEIGHT * factors / np.mean(WEIGHT * factors))


def test_all_weights_of_0_are_refused():
    target = learned(LABELS, {"a": 0.0, "b": 1.0, "c": 1.0})
    rows = np.flatnonzero(LABELS == "a")
    with pytest.raises(ValueError, match=r"class_weight=\{'a': 0.0.* gives all training data weight 0"):
        target.weighed(encoded(target, LABELS).take(rows), training=True)


@pytest.mark.parametrize(
    ("labels", "n_outputs", "loss"),
    [(LABELS, 3, CROSS_ENTROPY), (TWO, 1, BINARY_CROSS_ENTROPY), (SETS, 3, BINARY_CROSS_ENTROPY)],
)
def test_head_and_loss(labels, n_outputs, loss):
    target = learned(labels, smoothing=0.1)
    head, (found, settings) = target.head(), target.criterion(encoded(target, labels))
    assert (head.n_outputs, head.pooling) == (n_outputs, "max")
    assert found is loss
    assert settings.label_smoothing == 0.1


def test_what_logits_of_classes_mean():
    logits = np.random.default_rng(0).normal(size=(6, 3)) * 50
    target = learned(LABELS)
    assert_allclose(target.probabilities(logits), softmax(logits, axis=1))
    assert_allclose(np.exp(target.log_probabilities(logits)), softmax(logits, axis=1))
    assert np.isfinite(target.log_probabilities(logits * 100)).all()
    assert_array_equal(target.labels(logits), target.classes[logits.argmax(axis=1)])
    assert_array_equal(target.decision(logits), logits)


def test_what_one_logit_of_two_classes_means():
    logits, target = np.array([[-2000.0], [0.5], [3.0]]), learned(TWO)
    assert_array_equal(target.probabilities(logits), np.column_stack([expit(-logits), expit(logits)]))
    assert_allclose(target.log_probabilities(logits)[0], [0, -2000])
    assert target.labels(logits).tolist() == [3, 7, 7]
    assert target.decision(logits).tolist() == [-2000, 0.5, 3]


def test_what_logits_of_sets_mean():
    logits, target = np.array([[-1.0, 2.0, 0.5], [3.0, -4.0, -900.0]]), learned(SETS)
    assert_allclose(target.probabilities(logits), expit(logits))
    assert target.log_probabilities(logits)[1, 2] == pytest.approx(-900)
    assert target.labels(logits).tolist() == [[0, 1, 1], [1, 0, 0]]
    assert_array_equal(target.decision(logits), logits)


@pytest.mark.parametrize("labels", [LABELS, TWO, SETS])
def test_the_score_is_scikit_learns_accuracy(labels):
    target = learned(labels)
    wrong = np.roll(labels, 1, axis=0)
    given, said = (np.asarray(target.encode(part, training=False), dtype=float) for part in (labels, wrong))
    expected = accuracy_score(labels, wrong, sample_weight=WEIGHT)
    assert target.score(said, given, WEIGHT, np.ones(6, dtype=np.int64)) == pytest.approx(expected)
    assert target.score(given, given, WEIGHT, np.ones(6, dtype=np.int64)) == 1


def test_strata_are_classes():
    assert_array_equal(learned(LABELS).strata(LABELS), LABELS)
    assert learned(SETS).strata(SETS) is None
    assert_array_equal(learned(SETS[:, :1]).strata(SETS[:, :1]), SETS[:, 0])
