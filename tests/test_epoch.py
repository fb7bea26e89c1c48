"""The loop of one epoch leaves behind what skorch's own leaves."""

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score
from skorch.callbacks import BatchScoring, Callback, EarlyStopping, EpochScoring, GradientNormClipping, LRScheduler
from torch.optim.lr_scheduler import CosineAnnealingLR, ExponentialLR

from sklearn_rnn import RNNClassifier, RNNRegressor, RNNSequenceTagger
from sklearn_rnn.training import epoch as epoch_module
from sklearn_rnn.training.epoch import LossLog, runs_alone
from sklearn_rnn.training.loop import TrainingOptions

rng = np.random.default_rng(0)
X = [rng.normal(size=(length, 2)) for length in rng.integers(2, 7, size=50)]
y = np.array([float(x[:, 0].sum()) for x in X])
LABELS = np.digitize(y, [-1, 1])
TAGS = [np.where(x[:, 0] > 0, "up", "down").tolist() for x in X]
SMALL = {"hidden_size": 4, "batch_size": 8, "max_epochs": 4, "random_state": 0}


class SeesBatches(Callback):
    """Does nothing, but asks to be told of batches, so that skorch's loop runs."""

    def on_batch_end(self, net, **kwargs):
        pass


class KeepHistory(Callback):
    """Keeps what the history says of each epoch, its batches included; asks for nothing within an epoch."""

    def initialize(self):
        self.rows = []
        return self

    def on_epoch_end(self, net, **kwargs):
        row = dict(net.history[-1])
        self.rows.append({**row, "batches": [dict(batch) for batch in row["batches"]]})


def fitted_by_both(estimator, target, *, callbacks=(), held_out=None, **parameters):
    """Two fits of one model: by the loop of this package and by skorch's."""
    models = []
    for other in ([], [SeesBatches()]):
        model = estimator(**{**SMALL, **parameters}, callbacks=[*callbacks, KeepHistory(), *other])
        models.append(model.fit(X, target, **(held_out or {})))
    assert [runs_alone(model.net_) for model in models] == [True, False]
    return models


def history(model):
    (kept,) = (callback for _, callback in model.net_.callbacks_ if isinstance(callback, KeepHistory))
    return [{name: value for name, value in row.items() if name != "dur"} for row in kept.rows]


def assert_same(ours, theirs):
    assert history(ours) == history(theirs)
    assert ours.loss_curve_ == theirs.loss_curve_
    assert ours.validation_scores_ == theirs.validation_scores_
    assert ours.best_epoch_ == theirs.best_epoch_
    for name, value in ours.module_.state_dict().items():
        assert torch.equal(value, theirs.module_.state_dict()[name]), name


MODELS = [
    pytest.param(RNNClassifier, LABELS, {}, id="classifier"),
    pytest.param(RNNClassifier, LABELS, {"freeze": "inputs", "num_layers": 2, "dropout": 0.3}, id="dropout"),
    pytest.param(RNNRegressor, y, {}, id="regressor"),
    pytest.param(RNNSequenceTagger, TAGS, {}, id="tagger"),
    pytest.param(RNNSequenceTagger, TAGS, {"decoder": "softmax"}, id="softmax tagger"),
]


@pytest.mark.parametrize(("estimator", "target", "parameters"), MODELS)
@pytest.mark.parametrize("validated", [False, True])
def test_weights_curves_and_history_are_skorchs_to_the_last_bit(estimator, target, parameters, validated):
    held_out = {"X_val": X[:20], "y_val": target[:20]} if validated else None
    assert_same(*fitted_by_both(estimator, target, held_out=held_out, **parameters))


@pytest.mark.parametrize(
    "parameters",
    [
        {"clip_grad_norm": 0.05},
        {"clip_grad_norm": None, "clip_grad_value": 0.01},
        {"lr_schedule": None},
        {"lr_schedule": "onecycle"},
        {"lr_schedule": "plateau", "n_iter_no_change": 2, "learning_rate": 0.2},
        {"early_stopping": True, "validation_fraction": 0.3, "learning_rate": 0.2, "n_iter_no_change": 2},
        {"freeze": "backbone", "unfreeze_every": 2},
        {"weight_decay": 0.1},
        {"optimizer": "adamw", "weight_decay": 0.1},
        {"optimizer": "sgd"},
        {"optimizer": "rmsprop"},
        {"optimizer": torch.optim.NAdam},
        {"optimizer": torch.optim.LBFGS, "learning_rate": 0.01, "weight_decay": 0.0},
        {"dtype": "float64"},
        {"batch_size": 50},
        {"dropout": 0.5, "recurrent_dropout": 0.3},
    ],
    ids=str,
)
def test_parameters_of_training_mean_what_they_mean_to_skorch(parameters):
    assert_same(*fitted_by_both(RNNClassifier, LABELS, **parameters))


@pytest.mark.parametrize(
    "callback",
    [
        EarlyStopping(monitor="train_loss", patience=2, threshold=10, threshold_mode="abs", load_best=True),
        LRScheduler(ExponentialLR, gamma=0.5),
        LRScheduler(CosineAnnealingLR, T_max=9, step_every="batch", event_name="rate"),
        LRScheduler(CosineAnnealingLR, T_max=9, step_every="batch", event_name=None),
        EpochScoring(lambda net, X, y: 0.25, name="quarter", use_caching=False),
    ],
    ids=lambda callback: type(callback).__name__,
)
def test_callbacks_of_users_between_epochs(callback):
    assert_same(*fitted_by_both(RNNClassifier, LABELS, callbacks=[callback], lr_schedule=None))


@pytest.mark.parametrize(
    "callback",
    [
        GradientNormClipping(0.05),
        BatchScoring(lambda net, X, y: 0.25, name="quarter", use_caching=False),
        LRScheduler(ExponentialLR, gamma=0.99, step_every="batch"),
    ],
    ids=lambda callback: type(callback).__name__,
)
def test_callbacks_within_an_epoch_get_skorchs_loop(callback):
    model = RNNClassifier(**SMALL, callbacks=[callback], lr_schedule=None).fit(X, LABELS)
    assert not runs_alone(model.net_)
    plain = RNNClassifier(**SMALL, lr_schedule=None).fit(X, LABELS)
    assert runs_alone(plain.net_)


def test_an_optimizer_with_hooks_keeps_them():
    calls = []

    class Hooks(Callback):
        def on_train_begin(self, net, **kwargs):
            net.optimizer_.register_step_post_hook(lambda *parts: calls.append(1))

    RNNClassifier(**SMALL, callbacks=[Hooks()]).fit(X, LABELS)
    assert len(calls) == SMALL["max_epochs"] * 7


def test_a_rate_set_between_epochs_counts():
    """Adam's steps are about as long as its rate: at a millionth of it, the weights stay."""

    class Brake(Callback):
        def on_epoch_begin(self, net, **kwargs):
            if len(net.history) == 2:
                net.set_params(optimizer__lr=1e-9)
            self.before = net.module_.head.linear.weight.detach().clone()

        def on_epoch_end(self, net, **kwargs):
            moves.append(float((net.module_.head.linear.weight.detach() - self.before).abs().max()))

    moves: list[float] = []
    RNNClassifier(**{**SMALL, "max_epochs": 2}, lr_schedule=None, callbacks=[Brake()]).fit(X, LABELS)
    assert moves[0] > 1e-3
    assert moves[1] < 1e-6


def test_records_of_earlier_epochs_do_not_pile_up():
    lengths = []

    class CountBatches(Callback):
        def on_epoch_end(self, net, **kwargs):
            lengths.append([len(row["batches"]) for row in net.history])

    RNNClassifier(**SMALL, callbacks=[CountBatches()]).fit(X, LABELS)
    assert lengths == [[7], [0, 7], [0, 0, 7], [0, 0, 0, 7]]


@pytest.mark.parametrize("joined", [1, 2, 3, 100])
def test_losses_come_in_order_however_they_are_joined(monkeypatch, joined):
    monkeypatch.setattr(epoch_module, "LOSSES_JOINED", joined)
    log = LossLog()
    for k in range(6):
        log.add(torch.tensor(k + 0.5), k)
    assert log.records("train") == [{"train_loss": k + 0.5, "train_batch_size": k} for k in range(6)]


def test_the_mean_loss_of_an_epoch_weighs_batches_by_their_size():
    model = RNNClassifier(**SMALL, callbacks=[KeepHistory()]).fit(X, LABELS)
    for row in history(model):
        sizes = [batch["train_batch_size"] for batch in row["batches"]]
        assert sorted(sizes) == [2, 8, 8, 8, 8, 8, 8]
        losses = [batch["train_loss"] for batch in row["batches"]]
        assert row["train_loss"] == pytest.approx(np.dot(sizes, losses) / 50, rel=1e-12)


class InBfloat16:
    """Fits with `autocast` on, whatever the estimator's dtype is."""

    @pytest.fixture(autouse=True)
    def switch(self, monkeypatch):
        begin = TrainingOptions.__init__

        def with_autocast(options, **given):
            begin(options, **{**given, "autocast": True})

        monkeypatch.setattr(TrainingOptions, "__init__", with_autocast)


class TestAutocast(InBfloat16):
    @pytest.mark.parametrize(("estimator", "target", "parameters"), MODELS)
    def test_both_loops_agree(self, estimator, target, parameters):
        held_out = {"X_val": X[:20], "y_val": target[:20]}
        assert_same(*fitted_by_both(estimator, target, held_out=held_out, **parameters))

    @pytest.mark.parametrize("cell_type", ["rnn", "gru", "lstm"])
    def test_weights_stay_in_float32_and_learn(self, cell_type):
        parameters = {**SMALL, "hidden_size": 16, "max_epochs": 40, "learning_rate": 0.01, "dropout": 0.0}
        model = RNNClassifier(cell_type=cell_type, **parameters).fit(X, LABELS)
        assert all(parameter.dtype == torch.float32 for parameter in model.module_.parameters())
        assert "forward" not in vars(model.module_)
        assert accuracy_score(LABELS, model.predict(X)) > 0.9


def test_autocast_computes_in_bfloat16():
    """The outputs differ from those in float32, by what 8 bits of precision make."""
    model = RNNClassifier(**SMALL).fit(X, LABELS)
    network, values, lengths = model.module_.eval(), torch.from_numpy(np.float32(X[0]))[None], torch.tensor([len(X[0])])
    with torch.no_grad(), epoch_module.forward_in_bfloat16(network, enabled=True):
        rough = network(values, lengths)
    with torch.no_grad():
        exact = network(values, lengths)
    assert rough.dtype == torch.float32
    assert 1e-5 < float((rough - exact).abs().max() / exact.abs().max()) < 0.05


@pytest.mark.gpu
class TestAutocastOnGpu(InBfloat16):
    @pytest.mark.parametrize(("estimator", "target", "parameters"), MODELS)
    def test_close_to_float32(self, estimator, target, parameters):
        model = estimator(**{**SMALL, **parameters}, device="cuda").fit(X, target)
        reference = estimator(**{**SMALL, **parameters}, device="cpu").fit(X, target)
        np.testing.assert_allclose(model.loss_curve_, reference.loss_curve_, rtol=0.1)


@pytest.mark.gpu
def test_no_batch_waits_for_the_gpu():
    """Training alone, with clipping and a schedule, reads nothing back before the epoch is over."""

    class Strict(Callback):
        def on_epoch_begin(self, net, **kwargs):
            torch.cuda.set_sync_debug_mode("error")

    original = LossLog.records

    def relaxed(log, prefix):
        torch.cuda.set_sync_debug_mode("default")
        return original(log, prefix)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LossLog, "records", relaxed)
        try:
            RNNClassifier(**SMALL, device="cuda", callbacks=[Strict()]).fit(np.stack([x[:2] for x in X]), LABELS)
        finally:
            torch.cuda.set_sync_debug_mode("default")
