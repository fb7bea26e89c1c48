"""Whether a training has learned anything."""

import warnings
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from samples import problem, small
from scipy.optimize import minimize
from scipy.stats import entropy
from sklearn.exceptions import ConvergenceWarning

from sklearn_rnn import RNNClassifier, RNNRegressor, RNNSequenceTagger
from sklearn_rnn.exceptions import NothingLearnedWarning
from sklearn_rnn.networks.losses import (
    BINARY_CROSS_ENTROPY,
    CHAIN,
    CROSS_ENTROPY,
    SQUARED_ERROR,
    LossSettings,
    WeightedLoss,
    loss_of_numbers,
)
from sklearn_rnn.targets.number_losses import NUMBER_LOSSES, number_loss
from sklearn_rnn.training import constant
from sklearn_rnn.training.constant import loss_of_best_constant

LONG_ENOUGH = {"max_epochs": 30, "batch_size": 8, "learning_rate": 0.01}

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 4, 1))


@pytest.mark.parametrize(("kind", "target"), [(RNNClassifier, ["a", "b"]), (RNNRegressor, [0.0, 1.0])])
def test_inputs_that_say_nothing_are_warned_of(kind, target):
    y = np.array(target * 30)
    with pytest.warns(NothingLearnedWarning, match="learning_rate") as caught:
        small(kind, **LONG_ENOUGH).fit(np.zeros_like(X), y)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("kind", [RNNClassifier, RNNRegressor])
def test_what_was_learned_from_is_silent(kind):
    y = X.mean(axis=(1, 2))
    small(kind, **LONG_ENOUGH).fit(X, y if kind is RNNRegressor else y > 0)


def test_a_training_that_was_meant_to_be_short_is_silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small(RNNClassifier, **{**LONG_ENOUGH, "max_epochs": 2}).fit(np.zeros_like(X), ["a", "b"] * 30)


@pytest.mark.parametrize(("y", "expected"), [(["a"] * 45 + ["b"] * 15, 0.5623), (["a"] * 20 + ["b"] * 40, 0.6365)])
def test_the_best_constant_has_the_entropy_of_the_shares(y, expected):
    with pytest.warns(NothingLearnedWarning) as caught:
        small(RNNClassifier, label_smoothing=0.0, **LONG_ENOUGH).fit(np.zeros_like(X), y)
    assert f"{expected:.4g}" in str(caught[0].message)


# The loss of the best constant


def best(loss, targets, weights, n_outputs, *, settings=None, first=None):
    """The loss of the best constant, as a mean over targets of the given weights."""
    weights = torch.as_tensor(weights, dtype=torch.float64)
    found = loss_of_best_constant(WeightedLoss(loss, settings), torch.as_tensor(targets), weights, n_outputs, first)
    return found / float(weights.sum())


codes = rng.integers(0, 3, size=50)
weight = rng.uniform(0.2, 2.0, size=50)
shares = np.bincount(codes, weight) / weight.sum()


@pytest.mark.parametrize("loss", [CROSS_ENTROPY, CHAIN], ids=lambda loss: loss.name)
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_of_classes_it_is_the_entropy_of_their_shares(loss, smoothing):
    expected = entropy((1 - smoothing) * shares + smoothing / 3)
    settings = LossSettings(smoothing)
    assert best(loss, codes, weight, 3, settings=settings) == pytest.approx(expected, rel=1e-6)


def test_a_class_that_nobody_has_costs_nothing():
    assert best(CROSS_ENTROPY, codes, weight, 5) == pytest.approx(entropy(shares), rel=1e-4)


def test_a_code_that_may_be_any_label_says_nothing():
    sets = torch.tensor([[True, False], [False, True], [True, True]])
    known = codes < 2
    share = shares[:2] / shares[:2].sum()
    found = best(CROSS_ENTROPY, codes, weight, 2, settings=LossSettings(label_sets=sets)) * weight.sum()
    assert found == pytest.approx(entropy(share) * weight[known].sum(), rel=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_of_sets_of_labels_it_is_the_mean_of_the_entropies_of_each(smoothing):
    y = (rng.uniform(size=(50, 4)) < [0.1, 0.3, 0.5, 0.9]).astype(float)
    share = (1 - smoothing) * np.average(y, axis=0, weights=weight) + smoothing / 2
    expected = np.mean([entropy([p, 1 - p]) for p in share])
    settings = LossSettings(smoothing)
    assert best(BINARY_CROSS_ENTROPY, y, weight, 4, settings=settings) == pytest.approx(expected, rel=1e-6)


def test_of_squares_it_is_the_variance_and_absent_numbers_have_none():
    y = rng.normal(2.0, 3.0, size=(50, 2))
    mean = np.average(y, axis=0, weights=weight)
    expected = np.average((y - mean) ** 2, axis=0, weights=weight).mean()
    assert best(SQUARED_ERROR, y, weight, 2) == pytest.approx(expected, rel=1e-6)
    gaps = np.where(rng.uniform(size=y.shape) < 0.3, np.nan, y)
    there = ~np.isnan(gaps)
    of_columns = [
        (weight[k] * (column[k] - np.average(column[k], weights=weight[k])) ** 2).sum()
        for column, k in zip(gaps.T, there.T, strict=True)
    ]
    found = best(SQUARED_ERROR, gaps, weight, 2, settings=LossSettings(gaps=True))
    assert found == pytest.approx(np.sum(of_columns) / 2 / weight.sum(), rel=1e-6)


def test_of_distances_it_is_that_to_the_median():
    y = rng.normal(size=(51, 1))
    expected = np.abs(y - np.median(y)).mean()
    assert best(record_of("absolute_error"), y, np.ones(51), 1) == pytest.approx(expected, rel=0.01)


def record_of(name):
    """The loss of numbers of this name, as the network knows it."""
    numbers = number_loss(name, [0.1, 0.5, 0.9] if name == "quantile" else None)
    return loss_of_numbers(name, numbers, n_parameters=numbers.n_parameters)


@pytest.mark.parametrize("name", NUMBER_LOSSES)
def test_of_every_loss_of_numbers_it_is_what_a_search_finds(name):
    numbers = number_loss(name, [0.1, 0.5, 0.9] if name == "quantile" else None)
    draws = {"positive": rng.gamma(2.0, size=80), "counts": rng.negative_binomial(2, 0.4, size=80).astype(float)}
    y = draws.get(numbers.domain, draws["counts"] if numbers.domain == "not negative" else rng.standard_t(4, size=80))
    standard = numbers.learn(y[:, None], np.ones(80))
    scaled = standard.encode(y[:, None])

    def mean_loss(outputs):
        return float(numbers(torch.tensor(outputs).expand(80, -1), torch.tensor(scaled[:, 0])).mean())

    starts = [np.full(numbers.n_parameters, start) for start in (-0.5, 0.5)]
    options = {"xatol": 1e-7, "fatol": 1e-10, "maxiter": 4000}
    searched = min(minimize(mean_loss, start, method="Nelder-Mead", options=options).fun for start in starts)
    bias = standard.first_bias
    first = None if bias is None else tuple(bias.ravel())
    found = best(record_of(name), scaled, np.ones(80), numbers.n_parameters, first=first)
    assert searched - 1e-6 <= found <= searched + 0.01


@pytest.mark.parametrize("decoder", ["crf", "softmax"])
def test_of_tags_it_is_the_entropy_of_their_shares_among_the_steps_that_have_one(decoder):
    y = [["a"] * 2 + ["b"], ["c"] + ["?"] * 3, ["a", "b"]] * 10
    X = [np.zeros((len(tags), 1)) for tags in y]
    options = {"decoder": decoder, "ignore_label": "?", "bidirectional": False, **LONG_ENOUGH, "max_epochs": 60}
    losses = []
    with recorded(losses):
        small(RNNSequenceTagger, **options).fit(X, y)
    assert losses[0] == pytest.approx(entropy([3 / 6, 2 / 6, 1 / 6]), rel=1e-5)


@pytest.mark.parametrize("class_weight", [None, "balanced", {"a": 1, "b": 5}])
def test_it_is_that_of_the_weights_of_classes(class_weight):
    y = np.array(["a"] * 45 + ["b"] * 15)
    shares = {None: 0.25, "balanced": 0.5}.get(class_weight if class_weight != {"a": 1, "b": 5} else 0, 75 / 120)
    losses = []
    with recorded(losses):
        small(RNNClassifier, class_weight=class_weight, label_smoothing=0.0, **LONG_ENOUGH).fit(np.zeros_like(X), y)
    assert losses[0] == pytest.approx(entropy([shares, 1 - shares]), rel=1e-5)


@pytest.mark.parametrize("kind", [RNNClassifier, RNNRegressor])
def test_it_is_that_of_the_weights_of_sequences(kind):
    """A weight of 2 is a repeated sequence."""
    y = X.mean(axis=(1, 2)) > -0.2
    y = y.astype(float) if kind is RNNRegressor else y
    weight = np.arange(60) % 3
    rows = np.repeat(np.arange(60), weight)
    seen = np.zeros_like(X) + np.arange(60)[:, None, None] % 2
    weighted, repeated = [], []
    with recorded(weighted):
        small(kind, **LONG_ENOUGH).fit(seen, y, sample_weight=weight)
    with recorded(repeated):
        small(kind, **LONG_ENOUGH).fit(seen[rows], y[rows])
    assert weighted
    assert weighted == pytest.approx(repeated, rel=1e-5)


@contextmanager
def recorded(losses):
    """Collect what is found as the loss of the best constant; what is warned of is none of our business."""
    found = constant._of_labels

    def of_labels(*args):
        losses.append(found(*args))
        return losses[-1]

    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore", NothingLearnedWarning)
        patch.setattr(constant, "_of_labels", of_labels)
        yield


def test_of_many_numbers_a_sample_is_enough(monkeypatch):
    y, weight = rng.normal(size=(20_000, 1)), rng.uniform(size=20_000)
    monkeypatch.setattr(constant, "ROWS", 5000)
    targets, summed = constant._distinct(y, weight)
    assert len(targets) == 5000
    assert summed.sum() == pytest.approx(weight.sum())
    expected = np.average((y[:, 0] - np.average(y[:, 0], weights=weight)) ** 2, weights=weight)
    assert best(SQUARED_ERROR, targets, summed, 1) == pytest.approx(expected, rel=0.05)


# When a warning is due, and when it is not


def said(kind, X, y, **options):
    """The warnings of a fit that has learned nothing."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", NothingLearnedWarning)
        small(kind, **{**LONG_ENOUGH, **options}).fit(X, y)
    return [str(warning.message) for warning in caught if warning.category is NothingLearnedWarning]


def test_a_constant_that_is_nearly_perfect_leaves_nothing_to_learn():
    y = np.arange(300) == 7
    for smoothing in (0.0, 0.1):
        assert not said(RNNClassifier, np.zeros((300, 3, 1)), y, label_smoothing=smoothing)
    assert not said(RNNRegressor, np.zeros((300, 3, 1)), np.ones(300))


@pytest.mark.parametrize("kind", [RNNClassifier, RNNRegressor, RNNSequenceTagger])
def test_dropout_alone_is_no_reason(kind):
    """It makes the losses of a training greater than that of the network that is left."""
    X, y = problem(kind, 60)
    assert not said(kind, X, y, dropout=0.9, learning_rate=0.02, max_epochs=40)


def test_early_stopping_that_keeps_an_early_epoch_of_a_training_that_moved_is_none():
    X, y = problem(RNNClassifier, 60)
    with warnings.catch_warnings():
        warnings.simplefilter("error", NothingLearnedWarning)
        model = small(RNNClassifier, **{**LONG_ENOUGH, "learning_rate": 0.03}, early_stopping=True)
        model.fit(X, y, X_val=[-x for x in X], y_val=y)
    assert model.best_epoch_ < model.n_iter_


def test_partial_fit_is_none():
    model = small(RNNClassifier, batch_size=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            model.partial_fit(np.zeros((120, 3, 1)), ["a", "b"] * 60)


def test_few_sequences_are_none():
    assert not said(RNNClassifier, np.zeros((19, 3, 1)), ["a"] + ["a", "b"] * 9, batch_size=1)


def test_the_likely_causes_are_named():
    y = ["a", "b"] * 30
    (told,) = said(RNNClassifier, np.zeros_like(X), y)
    assert "after 240 optimizer steps the training loss" in told
    assert "learning_rate=0.01 (too high or too low)" in told
    assert "raise max_epochs)" in told
    assert told.endswith("a y that does not depend on X")
    assert "size" not in told
    (told,) = said(RNNClassifier, np.zeros_like(X), y, max_time=1e6)
    assert "raise max_epochs or max_time)" in told
    (told,) = said(RNNClassifier, np.zeros((60, 2, 30)) + rng.normal(size=(1, 2, 30)), y)
    assert "30 features in 2 step(s) (swap the axes of X, if they are)" in told


@pytest.mark.parametrize("kind", [RNNClassifier, RNNRegressor, RNNSequenceTagger])
def test_a_rate_that_is_far_too_low_is_found(kind):
    rng = np.random.default_rng(1)
    X = [rng.normal(size=(5, 2)) for _ in range(60)]
    y = [["a" if step > 0 else "b" for step in x[:, 0]] for x in X]
    y = y if kind is RNNSequenceTagger else np.array([x[-1, 0] for x in X])
    y = y > 0 if kind is RNNClassifier else y
    found = [said(kind, X, y, learning_rate=1e-12, random_state=seed) for seed in range(3)]
    assert any(found), "first weights may be better than a constant by chance"
    assert not said(kind, X, y, learning_rate=0.02)


def test_the_warning_is_one_of_scikit_learn():
    assert issubclass(NothingLearnedWarning, ConvergenceWarning)
