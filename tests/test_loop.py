"""The training loop: when it stops, which weights it keeps, what it leaves behind."""

import pickle
import re

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback, EarlyStopping, PrintLog

from sklearn_rnn import RNNClassifier, RNNRegressor, RNNSequenceTagger
from sklearn_rnn.exceptions import TrainingDivergedError

rng = np.random.default_rng(0)
X = [rng.normal(size=(length, 2)) for length in rng.integers(2, 7, size=48)]
y = np.array([int(x[:, 0].sum() > 0) for x in X])
TAGS = [(x[:, 0] > 0).astype(int) for x in X]
SMALL = {"hidden_size": 4, "batch_size": 16, "conv_branch": False, "random_state": 0}

ESTIMATORS = [
    pytest.param(RNNClassifier, y, id="classifier"),
    pytest.param(RNNRegressor, y + 0.5, id="regressor"),
    pytest.param(RNNSequenceTagger, TAGS, id="tagger"),
]


class RecordWeights(Callback):
    """Keeps the weights after every epoch."""

    def initialize(self):
        self.weights = []
        return self

    def on_epoch_end(self, net, **kwargs):
        self.weights.append({name: value.clone() for name, value in net.module_.state_dict().items()})


class Interrupt(Callback):
    """Raises what Ctrl-C raises, at the end of the second epoch."""

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 2:
            raise KeyboardInterrupt


def recorded_weights(estimator):
    (recorder,) = (callback for _, callback in estimator.net_.callbacks_ if isinstance(callback, RecordWeights))
    return recorder.weights


def assert_same_weights(one, other):
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(("estimator", "target"), ESTIMATORS)
def test_early_stopping_restores_the_weights_of_the_best_epoch(estimator, target):
    """At this learning rate the last epoch is not the best."""
    fitted = estimator(
        early_stopping=True,
        validation_fraction=0.3,
        n_iter_no_change=4,
        max_epochs=50,
        learning_rate=0.2,
        lr_schedule=None,
        callbacks=[RecordWeights()],
        **SMALL,
    ).fit(X, target)
    scores = fitted.validation_scores_
    assert len(scores) == len(fitted.loss_curve_) == len(fitted.history_) == fitted.n_iter_
    assert fitted.best_epoch_ < fitted.n_iter_ < fitted.max_epochs
    assert scores[fitted.best_epoch_ - 1] == max(scores)
    weights = recorded_weights(fitted)
    assert_same_weights(fitted.module_.state_dict(), weights[fitted.best_epoch_ - 1])
    assert not torch.equal(weights[-1]["head.linear.weight"], weights[fitted.best_epoch_ - 1]["head.linear.weight"])


@pytest.mark.parametrize(("estimator", "target"), ESTIMATORS)
def test_validation_data_without_early_stopping_is_only_scored(estimator, target):
    fitted = estimator(max_epochs=4, learning_rate=0.2, lr_schedule=None, callbacks=[RecordWeights()], **SMALL)
    fitted.fit(X, target, X_val=X[:20], y_val=target[:20])
    assert len(fitted.validation_scores_) == fitted.n_iter_ == fitted.best_epoch_ == 4
    assert_same_weights(fitted.module_.state_dict(), recorded_weights(fitted)[-1])
    alone = estimator(max_epochs=4, learning_rate=0.2, lr_schedule=None, **SMALL).fit(X, target)
    assert_same_weights(fitted.module_.state_dict(), alone.module_.state_dict())


@pytest.mark.parametrize("lr_schedule", [None, "cosine", "onecycle", "plateau"])
def test_training_goes_on_when_the_loss_stalls(lr_schedule):
    options = {"learning_rate": 1e-9, "dropout": 0.0, "n_iter_no_change": 3, "max_epochs": 12, "tol": 1e9}
    fitted = RNNClassifier(lr_schedule=lr_schedule, **options, **SMALL).fit(X, y)
    assert fitted.n_iter_ == fitted.best_epoch_ == len(fitted.loss_curve_) == 12
    assert fitted.stopped_by_ == "max_epochs"
    assert fitted.validation_scores_ is None


@pytest.mark.parametrize("validated", [False, True])
def test_skorchs_early_stopping_ends_training_and_nothing_else(validated):
    monitor = "valid_loss" if validated else "train_loss"
    given = EarlyStopping(monitor=monitor, patience=2, threshold=10, threshold_mode="abs")
    fitted = RNNClassifier(max_epochs=20, callbacks=[given], **SMALL)
    fitted.fit(X, y, **({"X_val": X[:9], "y_val": y[:9]} if validated else {}))
    assert fitted.n_iter_ == len(fitted.loss_curve_) == 3
    assert given.misses_ == 0, "a copy was used"
    assert len(fitted.predict(X)) == len(X)


def test_skorchs_early_stopping_restores_its_own_best_weights():
    stopping = EarlyStopping(monitor="train_loss", patience=2, threshold=10, threshold_mode="abs", load_best=True)
    fitted = RNNClassifier(max_epochs=20, callbacks=[stopping, RecordWeights()], **SMALL).fit(X, y)
    assert_same_weights(fitted.module_.state_dict(), recorded_weights(fitted)[0])


def test_skorchs_early_stopping_without_what_it_monitors():
    classifier = RNNClassifier(callbacks=[EarlyStopping()], **SMALL)
    with pytest.raises(ValueError, match=r"EarlyStopping with monitor='valid_loss', but there is no validation data"):
        classifier.fit(X, y)


@pytest.mark.parametrize("others", [[], [EarlyStopping(monitor="train_loss", patience=50)]])
def test_an_interrupt_is_raised_and_the_old_fit_kept(others):
    classifier = RNNClassifier(max_epochs=3, **SMALL).fit(X, y)
    net, expected = classifier.net_, classifier.predict_proba(X)
    with pytest.raises(KeyboardInterrupt):
        classifier.set_params(callbacks=[Interrupt(), *others]).fit(X, y)
    assert classifier.net_ is net
    np.testing.assert_array_equal(classifier.predict_proba(X), expected)
    fresh = RNNClassifier(callbacks=[Interrupt(), *others], **SMALL)
    with pytest.raises(KeyboardInterrupt):
        fresh.fit(X, y)
    assert not [name for name in vars(fresh) if name.endswith("_")]


def test_an_error_in_a_callback_is_raised():
    class Fails(Callback):
        def on_batch_begin(self, net, **kwargs):
            raise ZeroDivisionError("in a callback")

    with pytest.raises(ZeroDivisionError, match="in a callback"):
        RNNClassifier(callbacks=[Fails()], **SMALL).fit(X, y)


@pytest.mark.parametrize(("estimator", "target"), ESTIMATORS)
def test_a_loss_that_is_not_finite_stops_training(estimator, target):
    unbounded = {"cell_type": "rnn", "nonlinearity": "relu", "optimizer": "sgd", "clip_grad_norm": None}
    diverging = estimator(learning_rate=1e30, **unbounded, **SMALL)
    message = r"The loss became (nan|inf) in epoch \d+\. Try a lower learning_rate \(now 1e\+30\), a clip_grad_norm"
    with pytest.raises(TrainingDivergedError, match=message) as caught:
        diverging.fit(X, target)
    assert isinstance(caught.value, ArithmeticError)
    assert isinstance(caught.value, ValueError)
    assert not hasattr(diverging, "net_")


@pytest.mark.parametrize("lr_schedule", [None, "cosine", "onecycle", "plateau"])
@pytest.mark.parametrize("validated", [False, True])
def test_a_fitted_net_holds_no_data_and_no_optimizer(lr_schedule, validated):
    """Its size is that of the weights and a little more, with a hundred thousand numbers of data beside it."""
    many = np.random.default_rng(0).normal(size=(1000, 50, 2)).astype(np.float32)
    labels = many[:, 0, 0] > 0
    classifier = RNNClassifier(hidden_size=64, max_epochs=1, lr_schedule=lr_schedule, clip_grad_norm=1.0)
    classifier.fit(many, labels, **({"X_val": many, "y_val": labels} if validated else {}))
    weights = sum(parameter.nbytes for parameter in classifier.module_.parameters())
    assert len(pickle.dumps(classifier)) < 1.2 * weights + 50_000
    assert classifier.net_.optimizer_ is None
    assert all("batches" not in row for row in classifier.net_.history)
    assert all("batches" not in row for row in classifier.history_)


def test_history_holds_the_figures_of_each_epoch():
    classifier = RNNClassifier(max_epochs=3, **SMALL).fit(X, y, X_val=X, y_val=y)
    assert [row["epoch"] for row in classifier.history_] == [1, 2, 3]
    assert [row["train_loss"] for row in classifier.history_] == classifier.loss_curve_
    assert [row["valid_score"] for row in classifier.history_] == classifier.validation_scores_
    assert all(np.isfinite(row["valid_loss"]) for row in classifier.history_)


def test_training_loss_is_the_mean_over_sequences():
    """At a rate of practically 0 and without dropout it is that of the first weights, however the batches are cut."""
    losses = [
        RNNClassifier(max_epochs=1, learning_rate=1e-12, dropout=0.0, **{**SMALL, "batch_size": size})
        .fit(X, y)
        .loss_curve_
        for size in (5, 16, 48)
    ]
    np.testing.assert_allclose(losses, losses[0][0], rtol=1e-6)


@pytest.mark.parametrize("verbose", [0, 1])
def test_verbose(capsys, verbose):
    RNNClassifier(max_epochs=2, verbose=verbose, **SMALL).fit(X, y)
    printed = capsys.readouterr().out
    assert bool(printed) == bool(verbose)
    assert len(re.findall(r"^ +[12] ", printed, flags=re.MULTILINE)) == 2 * verbose


@pytest.mark.parametrize("verbose", [0, 1])
def test_a_print_log_of_the_user_is_kept(verbose):
    lines = []
    RNNClassifier(max_epochs=2, verbose=verbose, callbacks=[PrintLog(sink=lines.append)], **SMALL).fit(X, y)
    assert len(lines) == 4, "two lines of a head, and one an epoch"


class TestWarmStart:
    def parameters(self, **parameters):
        constant = {"dropout": 0.0, "learning_rate": 0.001, "lr_schedule": None}
        return {"max_epochs": 2, "warm_start": True, **constant, **SMALL, **parameters}

    def test_goes_on_from_weights_and_optimizer_state(self):
        """One batch holds all data, so that two fits of two epochs are one of four."""
        parameters = self.parameters(batch_size=len(X))
        twice = RNNClassifier(**parameters).fit(X, y).fit(X, y)
        once = RNNClassifier(**{**parameters, "max_epochs": 4}).fit(X, y)
        for name, value in once.module_.state_dict().items():
            torch.testing.assert_close(twice.module_.state_dict()[name], value, rtol=1e-4, atol=1e-6)

    @pytest.mark.parametrize("other", ["sgd", "rmsprop", "adamw", torch.optim.NAdam])
    def test_another_optimizer_starts_without_state(self, other):
        classifier = RNNClassifier(**self.parameters()).fit(X, y)
        loss = classifier.loss_curve_[-1]
        assert classifier.set_params(optimizer=other).fit(X, y).loss_curve_[0] < loss + 0.05

    def test_another_network(self):
        classifier = RNNClassifier(**self.parameters()).fit(X, y)
        net = classifier.net_
        with pytest.raises(ValueError, match="warm_start and partial_fit go on from the last weights"):
            classifier.set_params(hidden_size=5).fit(X, y)
        assert classifier.net_ is net
