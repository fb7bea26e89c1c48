"""A training that diverges ends with an error of its own, wherever it shows first."""

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback, EarlyStopping

from sklearn_rnn import RNNClassifier, RNNRegressor, RNNSequenceTagger, SequenceBaggingRegressor
from sklearn_rnn.exceptions import TrainingDivergedError

rng = np.random.default_rng(0)
X = rng.normal(size=(64, 30, 3))
Y = X.sum((1, 2))
STEPS = X.sum(2)
RELU = {
    "cell_type": "rnn",
    "nonlinearity": "relu",
    "optimizer": "sgd",
    "clip_grad_norm": None,
    "lr_schedule": None,
    "hidden_size": 16,
    "batch_size": 64,
    "random_state": 0,
}


@pytest.mark.parametrize("validated", [False, True])
@pytest.mark.parametrize("engine", ["auto", "torch"])
@pytest.mark.parametrize(
    ("estimator", "target"),
    [(RNNRegressor, Y), (RNNRegressor, STEPS[..., None]), (RNNClassifier, Y > 0), (RNNSequenceTagger, STEPS > 0)],
    ids=["regressor", "steps", "classifier", "tagger"],
)
def test_divergence_in_the_last_step(estimator, target, engine, validated):
    """The only step of the fit has a finite loss before it, and leaves a network of no use."""
    held_out = {"X_val": X, "y_val": target} if validated else {}
    model = estimator(max_epochs=1, learning_rate=1e10, engine=engine, **RELU)
    with pytest.raises(TrainingDivergedError, match=r"in epoch 1\. Try a lower learning_rate \(now 10000000000\.0\)"):
        model.fit(X * 10, target, **held_out)
    assert not hasattr(model, "net_")


@pytest.mark.parametrize("rate", 10.0 ** np.arange(-2, 12, 2))
@pytest.mark.parametrize("loss", ["squared_error", "poisson", "gamma", "gaussian"])
def test_predictions_are_finite_or_there_are_none(loss, rate):
    for target in (np.abs(Y) + 1, np.abs(STEPS)[..., None] + 1):
        model = RNNRegressor(max_epochs=1, learning_rate=rate, loss=loss, **RELU)
        try:
            model.fit(X, target)
        except TrainingDivergedError:
            continue
        assert np.isfinite(model.predict(X)).all()


def test_weights_that_are_not_finite():
    class Spoil(Callback):
        def on_epoch_end(self, net, **kwargs):
            with torch.no_grad():
                net.module_.head.linear.bias[:] = np.inf

    model = RNNRegressor(hidden_size=4, max_epochs=2, callbacks=[Spoil()])
    with pytest.raises(TrainingDivergedError, match=r"^Weights became infinite or NaN in epoch 1"):
        model.fit(X, Y)


def test_an_early_stop_hides_no_divergence():
    class Spoil(Callback):
        def on_epoch_end(self, net, **kwargs):
            with torch.no_grad():
                net.module_.head.linear.bias[:] = np.nan

    callbacks = [Spoil(), EarlyStopping("train_loss", patience=1, threshold=10, threshold_mode="abs")]
    with pytest.raises(TrainingDivergedError, match=r"^Weights became"):
        RNNRegressor(hidden_size=4, max_epochs=2, callbacks=callbacks).fit(X, Y)


def test_not_even_when_an_earlier_epoch_was_better():
    """What diverged later was no training to trust: the weights of before are not restored in silence."""

    class Spoil(Callback):
        def on_epoch_end(self, net, **kwargs):
            if len(net.history) == 3:
                with torch.no_grad():
                    net.module_.head.linear.bias[:] = np.nan

    model = RNNRegressor(hidden_size=4, max_epochs=6, early_stopping=True, callbacks=[Spoil()])
    with pytest.raises(TrainingDivergedError, match=r"in epoch 3\."):
        model.fit(X, Y)


@pytest.mark.parametrize("sign", [1, -1])
def test_only_the_longest_sequence_overflows(sign):
    """A recurrence that doubles its state with each step does so beyond any number where it goes on long enough."""

    class Double(Callback):
        def on_epoch_end(self, net, **kwargs):
            with torch.no_grad():
                for weights in net.module_.backbone.layers[0].directions:
                    weights.weight_hh_l0.copy_(2 * torch.eye(16))

    ragged = [np.abs(x[:5]) for x in X] + [np.abs(np.tile(X[0], (10, 1)))]
    with pytest.raises(TrainingDivergedError, match=r"^Predictions became infinite or NaN in epoch 1"):
        RNNRegressor(max_epochs=1, callbacks=[Double()], **{**RELU, "optimizer": "adam", "batch_size": 4}).fit(
            ragged[::sign], np.r_[Y, 0][::sign]
        )


def test_members_of_a_bag():
    bagging = SequenceBaggingRegressor(RNNRegressor(max_epochs=1, learning_rate=1e10, **RELU), n_estimators=2)
    with pytest.raises(TrainingDivergedError):
        bagging.fit(X * 10, Y)


def test_partial_fit_keeps_what_was_fitted():
    model = RNNRegressor(**{**RELU, "optimizer": "adam"}).partial_fit(X, Y)
    expected = model.predict(X)
    with pytest.raises(TrainingDivergedError):
        model.set_params(optimizer="sgd", learning_rate=1e10).partial_fit(X * 10, Y)
    np.testing.assert_array_equal(model.predict(X), expected)
