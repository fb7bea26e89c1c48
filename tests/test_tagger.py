"""Behaviour of RNNSequenceTagger."""

import functools
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from samples import CELLS, outputs, problem, ragged, small, weights
from sklearn.base import is_classifier, is_regressor
from skorch.callbacks import Callback

from sklearn_rnn import RNNSequenceTagger, Sequences
from sklearn_rnn.data.formats import object_array
from sklearn_rnn.exceptions import UnseenLabelsWarning

LEARNS = {"hidden_size": 8, "max_epochs": 40, "learning_rate": 0.03}
TOKENS = [["fly", "to", "Oslo"], ["from", "Rome", "to", "Oslo"], ["Rome"], ["to", "Rome"]]
TAGS = [["O", "O", "B-city"], ["O", "B-city", "O", "B-city"], ["B-city"], ["O", "B-city"]]


def fit(X, y, **parameters):
    return small(RNNSequenceTagger, **parameters).fit(X, y)


def flat(sequences):
    return [item for sequence in sequences for item in sequence]


@pytest.mark.parametrize("cell_type", CELLS)
def test_learns(cell_type):
    X, y = problem(RNNSequenceTagger, 60)
    model = fit(X, y, cell_type=cell_type, **LEARNS)
    assert model.score(X, y) > 0.9
    assert fit(TOKENS * 5, TAGS * 5, cell_type=cell_type, **LEARNS).score(TOKENS, TAGS) == 1.0


def test_labels_may_depend_on_the_steps_before_and_after():
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(length, 1)) for length in rng.integers(3, 8, size=80)]
    before = [[0, *(x[:-1, 0] > 0).astype(int).tolist()] for x in X]
    after = [[*(x[1:, 0] > 0).astype(int).tolist(), 0] for x in X]
    options = {**LEARNS, "max_epochs": 80}
    assert fit(X, before, bidirectional=False, **options).score(X, before) > 0.95
    assert fit(X, after, bidirectional=True, **options).score(X, after) > 0.95
    assert fit(X, after, bidirectional=False, **options).score(X, after) < 0.8


def assert_tags(predicted, X, kind):
    assert isinstance(predicted, np.ndarray)
    assert (predicted.dtype, predicted.shape) == (object, (len(X),))
    assert all(type(labels) is list for labels in predicted)
    assert [len(labels) for labels in predicted] == [len(x) for x in X]
    assert {type(label) for label in flat(predicted)} <= {kind}


@pytest.mark.parametrize(
    ("labels", "kind"),
    [(["down", "up"], str), ([0, 1], int), ([-5, 70_000], int), ([False, True], bool), ([2.0, 3.0], int)],
)
def test_predictions_are_lists_of_plain_labels(labels, kind):
    X, y = problem(RNNSequenceTagger)
    y = [[labels[label == "up"] for label in sequence] for sequence in y]
    model = fit(X, y)
    assert_tags(model.predict(X), X, kind)
    assert set(flat(model.predict(X))) <= set(labels)
    assert_tags(model.predict([x[:3] for x in X if len(x) > 2]), [x[:3] for x in X if len(x) > 2], kind)


def test_predictions_are_the_most_probable_labels():
    X, y = problem(RNNSequenceTagger)
    model = fit(X, y, decoder="softmax")
    proba = model.predict_proba(X)
    assert (proba.dtype, proba.shape) == (object, (24,))
    for labels, probabilities, x in zip(model.predict(X), proba, X, strict=True):
        assert probabilities.shape == (len(x), 2)
        assert_allclose(probabilities.sum(axis=1), 1)
        assert labels == model.classes_[probabilities.argmax(axis=1)].tolist()


@pytest.mark.parametrize(
    "make",
    [
        tuple,
        object_array,
        pd.Series,
        pl.Series,
        lambda y: [np.array(labels) for labels in y],
        lambda y: [tuple(labels) for labels in y],
        lambda y: [pd.Series(labels) for labels in y],
        lambda y: Sequences(np.array(flat(y)), np.cumsum([0, *map(len, y)])),
    ],
)
@pytest.mark.parametrize("values", [str, int])
def test_labels_in_any_container(make, values):
    X, y = problem(RNNSequenceTagger)
    if values is int:
        y = [[int(label == "up") for label in labels] for labels in y]
    model = fit(X, make(y))
    assert_array_equal(weights(model), weights(fit(X, y)))
    assert model.score(X, make(y)) == model.score(X, y)


@pytest.mark.parametrize("make", [np.array, lambda y: np.array(y, dtype=object), lambda y: torch.tensor(y)])
def test_labels_in_a_matrix(make):
    X = np.random.default_rng(0).normal(size=(20, 4, 2))
    y = (X[:, :, 0] > 0).astype(int).tolist()
    model = fit(X, make(y))
    assert_array_equal(weights(model), weights(fit(list(X), y)))
    assert_tags(model.predict(X), X, int)


def test_an_empty_sequence_has_no_labels():
    X, y = problem(RNNSequenceTagger)
    model = fit(X, y)
    predicted = model.predict([X[0], np.empty((0, 3)), X[1]])
    assert predicted[1] == []
    assert [predicted[0], predicted[2]] == model.predict(X[:2]).tolist()
    assert model.predict_proba([np.empty((0, 3)), X[0]])[0].shape == (0, 2)
    assert fit(TOKENS, TAGS).predict([[], ["to"], []])[[0, 2]].tolist() == [[], []]


def test_empty_sequences_teach_nothing():
    X, y = problem(RNNSequenceTagger)
    model = fit([*X[:5], np.empty((0, 3)), *X[5:]], [*y[:5], [], *y[5:]])
    assert_array_equal(weights(model), weights(fit(X, y)))


def test_labels_that_training_did_not_have_are_errors():
    model = fit(TOKENS * 5, TAGS * 5, **LEARNS)
    assert model.score(TOKENS, TAGS) == 1.0
    odd = [["O", "O", "B-person"], *TAGS[1:]]
    with pytest.warns(UnseenLabelsWarning, match=r"1 label\(s\) that were not seen in fit \('B-person'\)"):
        score = model.score(TOKENS, odd)
    assert score == pytest.approx(0.9)
    with pytest.warns(UnseenLabelsWarning):
        assert model.set_params(scoring="span_f1").score(TOKENS, odd) == pytest.approx(0.8)


def test_scores_are_over_all_steps():
    X, y = problem(RNNSequenceTagger)
    model = fit(X, y)
    right = [p == t for p, t in zip(flat(model.predict(X)), flat(y), strict=True)]
    assert model.score(X, y) == pytest.approx(np.mean(right))
    weight = np.arange(1.0, 25.0)
    by_step = np.repeat(weight, [len(x) for x in X])
    assert model.score(X, y, weight) == pytest.approx(np.average(right, weights=by_step))


@pytest.mark.parametrize("scoring", ["accuracy", "span_f1"])
def test_weights_of_scores_repeat_sequences(scoring):
    model = fit(TOKENS, TAGS, scoring=scoring)
    weight = [2, 0, 1, 3]
    repeated = [[part[i] for i, n in enumerate(weight) for _ in range(n)] for part in (TOKENS, TAGS)]
    assert model.score(TOKENS, TAGS, sample_weight=weight) == pytest.approx(model.score(*repeated))


@pytest.mark.parametrize("ignore_label", ["?", -100])
def test_steps_with_the_ignored_label_do_not_count(ignore_label):
    X, y = problem(RNNSequenceTagger)
    if ignore_label == -100:
        y = [[int(label == "up") for label in labels] for labels in y]
    rng = np.random.default_rng(0)
    gaps = [[label if rng.random() < 0.6 else ignore_label for label in labels] for labels in y]
    model = fit(X, gaps, ignore_label=ignore_label)
    assert ignore_label not in model.classes_.tolist()
    assert ignore_label not in flat(model.predict(X))
    assert all(len(labels) == len(x) for labels, x in zip(model.predict(X), X, strict=True))
    counted = [(p, t) for p, t in zip(flat(model.predict(X)), flat(gaps), strict=True) if t != ignore_label]
    assert model.score(X, gaps) == pytest.approx(np.mean([p == t for p, t in counted]))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UnseenLabelsWarning)
        model.score(X, gaps)


def test_what_stands_on_an_ignored_step_is_no_target():
    """The loss of the other steps is all that there is: a sequence without a label is as good as none."""
    X, y = problem(RNNSequenceTagger)
    options = {"ignore_label": "?", "batch_size": 50, "dropout": 0.0, "dtype": "float64", "max_epochs": 1}
    silent = fit([*X, X[0] + 1], [*y, ["?"] * len(X[0])], **options)
    plain = fit(X, y, **options)
    assert_allclose(weights(silent), weights(plain), atol=1e-8)


def test_the_error_of_each_step_counts_the_same():
    X, y = problem(RNNSequenceTagger)
    options = {"dropout": 0.0, "batch_size": 24, "max_epochs": 1, "dtype": "float64", "learning_rate": 1e-12}
    model = fit(X, y, **options)
    proba = np.vstack(list(model.predict_proba(X)))
    codes = np.searchsorted(model.classes_, flat(y))
    assert model.loss_curve_[0] == pytest.approx(-np.log(proba[np.arange(len(codes)), codes]).mean(), rel=1e-6)


@pytest.mark.parametrize("options", [{}, {"early_stopping": True}, {"class_weight": "balanced"}])
def test_a_weight_of_2_is_a_repeated_sequence_and_of_0_an_absent_one(options):
    X, y = problem(RNNSequenceTagger, 40)
    weight = np.random.default_rng(0).integers(0, 3, size=40)
    weighted = small(RNNSequenceTagger, **options).fit(X, y, sample_weight=weight)
    repeated = fit(*([part[i] for i, n in enumerate(weight) for _ in range(n)] for part in (X, y)), **options)
    assert_array_equal(weights(weighted), weights(repeated))
    assert_array_equal(outputs(weighted, X), outputs(repeated, X))
    assert weighted.loss_curve_ == repeated.loss_curve_


def test_predictions_do_not_depend_on_order_or_batch():
    X, y = problem(RNNSequenceTagger, 40)
    model = fit(X, y)
    order = np.random.default_rng(0).permutation(40)
    together = model.predict_proba(X)
    for i, proba in zip(order, model.predict_proba([X[i] for i in order]), strict=True):
        assert_allclose(proba, together[i], atol=1e-12)
        assert_allclose(model.predict_proba([X[i]])[0], together[i], atol=1e-12)
    assert model.predict([X[i] for i in order]).tolist() == model.predict(X)[order].tolist()


@functools.cache
def fitted_once(cell_type):
    return fit(*problem(RNNSequenceTagger), cell_type=cell_type)


@given(
    lengths=st.lists(st.integers(0, 12), min_size=1, max_size=9).filter(any),
    cell_type=st.sampled_from(CELLS),
    seed=st.integers(0, 2**16),
)
@settings(deadline=None, max_examples=40)
def test_any_sequences_are_labelled_as_if_alone(lengths, cell_type, seed):
    rng = np.random.default_rng(seed)
    X = [rng.normal(size=(length, 3)) for length in lengths]
    model = fitted_once(cell_type)
    for x, labels, proba in zip(X, model.predict(X), model.predict_proba(X), strict=True):
        if len(x) == 0:
            assert labels == []
            continue
        assert labels == model.predict([x])[0]
        assert_allclose(proba, model.predict_proba([x])[0], atol=1e-12)


def test_the_order_of_the_sequences_does_not_change_the_fit():
    X, y = problem(RNNSequenceTagger)
    order = np.random.default_rng(0).permutation(24)
    assert_array_equal(weights(fit(X, y)), weights(fit([X[i] for i in order], [y[i] for i in order])))


def test_a_later_step_changes_nothing_in_one_direction():
    X, y = problem(RNNSequenceTagger)
    model = fit(X, y, bidirectional=False, decoder="softmax")
    for whole, prefix in zip(model.predict_proba(X), model.predict_proba([x[:2] for x in X]), strict=True):
        assert_allclose(whole[:2], prefix, atol=1e-12)


class Split(Callback):
    """Note which sequences are trained on, by the first value of each."""

    def __init__(self):
        self.seen = set()

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        if training:
            self.seen |= set(batch.values[:, 0, 0].double().tolist())


def test_groups_stay_whole_in_the_inner_split():
    X, y = problem(RNNSequenceTagger, 40)
    split = Split()
    options = {"early_stopping": True, "validation_fraction": 0.3, "standardize": False}
    model = small(RNNSequenceTagger, callbacks=[split], **options)
    model.fit(X, y, groups=np.arange(40) // 5)
    trained = np.array([float(np.float32(x[0, 0])) in split.seen for x in X]).reshape(8, 5)
    assert 0 < trained.sum() < 40
    assert (trained.all(axis=1) | ~trained.any(axis=1)).all()


def test_validation_scores_are_accuracies():
    X, y = problem(RNNSequenceTagger)
    held_out, y_held_out = problem(RNNSequenceTagger, seed=1)
    model = small(RNNSequenceTagger).fit(X, y, X_val=held_out, y_val=y_held_out)
    assert model.validation_scores_[-1] == pytest.approx(model.score(held_out, y_held_out))


def test_partial_fit_knows_the_labels_to_come():
    X, y = problem(RNNSequenceTagger, 40)
    model = small(RNNSequenceTagger, learning_rate=0.03)
    model.partial_fit(X[:20], [["up"] * len(x) for x in X[:20]], classes=["down", "sideways", "up"])
    assert model.classes_.tolist() == ["down", "sideways", "up"]
    for _ in range(30):
        model.partial_fit(X, y)
    assert model.score(X, y) > 0.8


def test_warm_start_goes_on():
    X, y = problem(RNNSequenceTagger, 40)
    model = fit(X, y, warm_start=True, learning_rate=1e-12)
    before = weights(model)
    assert_allclose(weights(model.fit(X, y)), before, atol=1e-6)


def test_hidden_states_can_be_had():
    X, y = problem(RNNSequenceTagger)
    states = fit(X, y).transform_steps(X)
    assert [state.shape for state in states] == [(len(x), 8) for x in X]


def test_is_no_classifier_to_scikit_learn():
    assert not is_classifier(RNNSequenceTagger())
    assert not is_regressor(RNNSequenceTagger())


def test_one_label_is_enough():
    X = ragged(6)
    assert flat(fit(X, [["O"] * len(x) for x in X]).predict(X)) == ["O"] * sum(len(x) for x in X)
