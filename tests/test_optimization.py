"""Optimizers and schedules do what their names say: read from the learning rate that each step was made with."""

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

from sklearn_rnn import RNNClassifier
from sklearn_rnn.training.optimization import OPTIMIZERS, FusedStep, optimizer_parameters, schedule_callbacks

rng = np.random.default_rng(0)
X = rng.normal(size=(32, 5, 2))
y = (X.sum(axis=(1, 2)) > 0).astype(int)
RATE = 0.01


class RecordRate(Callback):
    """Keeps the learning rate of every optimizer step."""

    def initialize(self):
        self.rates = []
        return self

    def on_grad_computed(self, net, **kwargs):
        self.rates.append(net.optimizer_.param_groups[0]["lr"])


def fitted(max_epochs=6, **parameters):
    defaults = {"hidden_size": 4, "batch_size": 16, "learning_rate": RATE, "conv_branch": False, "random_state": 0}
    return RNNClassifier(max_epochs=max_epochs, callbacks=[RecordRate()], **{**defaults, **parameters}).fit(X, y)


def rates(classifier):
    (recorder,) = (callback for _, callback in classifier.net_.callbacks_ if isinstance(callback, RecordRate))
    return np.array(recorder.rates)


def test_no_schedule_keeps_the_rate():
    assert rates(fitted(lr_schedule=None)).tolist() == [RATE] * 12


def test_cosine_falls_along_a_cosine_to_0():
    steps = np.arange(12)
    np.testing.assert_allclose(rates(fitted(lr_schedule="cosine")), RATE * (1 + np.cos(np.pi * steps / 12)) / 2)


def test_onecycle_rises_and_falls():
    drawn = rates(fitted(lr_schedule="onecycle"))
    top = int(drawn.argmax())
    assert 0 < top < 6
    assert np.all(np.diff(drawn[: top + 1]) > 0)
    assert np.all(np.diff(drawn[top:]) < 0)
    assert drawn[0] < RATE / 10
    assert drawn.max() <= RATE
    assert drawn[-1] < RATE / 10


def test_plateau_halves_the_rate_when_nothing_is_gained():
    """The training loss does not move at this rate; after n_iter_no_change / 2 epochs without a gain it is halved."""
    drawn = rates(fitted(lr_schedule="plateau", learning_rate=1e-7, n_iter_no_change=6, dropout=0.0))
    np.testing.assert_allclose(drawn, [1e-7] * 10 + [5e-8] * 2)


def test_plateau_keeps_the_rate_while_something_is_gained():
    assert set(rates(fitted(lr_schedule="plateau"))) == {RATE}


def test_plateau_looks_at_the_validation_loss_where_there_is_one():
    classifier = RNNClassifier(hidden_size=2, max_epochs=1, lr_schedule="plateau").fit(X, y, X_val=X, y_val=y)
    (schedule,) = (callback for name, callback in classifier.net_.callbacks_ if name == "LRScheduler")
    assert schedule.monitor == "valid_loss"


@pytest.mark.parametrize("lr_schedule", [None, "cosine", "onecycle", "plateau"])
def test_a_warm_start_begins_its_schedule_again(lr_schedule):
    classifier = fitted(lr_schedule=lr_schedule, warm_start=True)
    first = rates(classifier)
    np.testing.assert_allclose(rates(classifier.fit(X, y)), first)
    np.testing.assert_allclose(rates(classifier.set_params(learning_rate=2 * RATE).fit(X, y)), 2 * first)


def test_partial_fit_keeps_the_rate():
    classifier = fitted(lr_schedule="cosine", warm_start=True)
    for _ in range(2):
        assert rates(classifier.partial_fit(X, y)).tolist() == [RATE] * 2


@pytest.mark.parametrize("optimizer", [*OPTIMIZERS, torch.optim.NAdam])
def test_every_optimizer_learns(optimizer):
    classifier = fitted(optimizer=optimizer, learning_rate=0.02, dropout=0.0)
    assert classifier.loss_curve_[-1] < 0.98 * classifier.loss_curve_[0]
    wanted = OPTIMIZERS[optimizer][0] if isinstance(optimizer, str) else optimizer
    assert classifier.net_.optimizer is wanted


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "rmsprop"])
def test_weight_decay_shrinks_the_weights(optimizer):
    sizes = []
    for weight_decay in (0.0, 1.0):
        module = fitted(optimizer=optimizer, weight_decay=weight_decay).module_
        sizes.append(sum(float(parameter.detach().square().sum()) for parameter in module.parameters()))
    assert sizes[1] < sizes[0]


def test_an_optimizer_without_weight_decay():
    assert "optimizer__weight_decay" not in optimizer_parameters(torch.optim.Rprop, 0.1, 0.0)
    with pytest.raises(ValueError, match=r"weight_decay=0\.5 has no meaning for optimizer=Rprop: set it to 0"):
        optimizer_parameters(torch.optim.Rprop, 0.1, 0.5)


WITHOUT_MOMENTUM = ["Adadelta", "Adagrad", "ASGD", "LBFGS", "RMSprop", "Rprop", "SGD"]


@pytest.mark.parametrize("optimizer", ["rmsprop", *WITHOUT_MOMENTUM, "NAdam", "RAdam", "Adamax"])
def test_onecycle_moves_the_momentum_that_there_is(optimizer):
    """Of an optimizer without any, and of one whose momentum is 0, it moves the rate alone."""
    seen = []

    class Look(Callback):
        def on_epoch_end(self, net, **kwargs):
            (group,) = net.optimizer_.param_groups
            seen.append((group["lr"], group.get("momentum", 0), group.get("betas")))

    kind = getattr(torch.optim, optimizer, optimizer)
    options = {"lr_schedule": "onecycle", "learning_rate": RATE, "hidden_size": 4, "max_epochs": 4, "random_state": 0}
    RNNClassifier(optimizer=kind, callbacks=[Look()], **options).fit(X, y)
    rates, momenta, betas = zip(*seen, strict=True)
    assert np.ptp(rates) > 0.5 * RATE
    assert set(momenta) == {0}
    assert (betas[0] is None) == (len(set(betas)) == 1)


def test_onecycle_moves_the_momentum_of_sgd():
    (callback,) = schedule_callbacks("onecycle", 0.1, n_steps=9, patience=1, monitor="train_loss", optimizer="sgd")
    assert callback.kwargs["cycle_momentum"]


def test_no_schedule_no_callback():
    assert schedule_callbacks(None, 0.1, n_steps=10, patience=1, monitor="train_loss", optimizer="adam") == []


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.AdamW])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_fused_step_is_that_of_the_optimizer(kind, weight_decay, dtype):
    """To the last bit, also in the state that it leaves behind, and with a rate and momenta that change."""
    generator = torch.Generator().manual_seed(0)
    first = [torch.randn(shape, generator=generator, dtype=dtype) for shape in [(3, 4), (5,), ()]]
    gradients = [[torch.randn(part.shape, generator=generator, dtype=dtype) for part in first] for _ in range(6)]
    results = []
    for fused in (False, True):
        parameters = [part.clone().requires_grad_() for part in first]
        frozen = torch.ones(2, dtype=dtype)
        optimizer = kind([*parameters, frozen], lr=0.1, weight_decay=weight_decay, fused=True)
        step = None
        for turn, given in enumerate(gradients):
            optimizer.param_groups[0].update(lr=0.1 / (1 + turn), betas=(0.9 - 0.1 * turn, 0.99))
            for parameter, gradient in zip(parameters, given, strict=True):
                parameter.grad = gradient
            if step is not None and turn != 4:
                with torch.no_grad():
                    step(given)
            else:
                optimizer.step()
            if fused and turn == 0:
                assert FusedStep.serves(optimizer)
                step = FusedStep(optimizer)
        states = [[state[name] for name in ("step", "exp_avg", "exp_avg_sq")] for state in optimizer.state.values()]
        results.append([*parameters, frozen, *(part for state in states for part in state)])
    assert len(results[0]) == 4 + 9
    for one, other in zip(*results, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    "make",
    [
        lambda weights: torch.optim.SGD(weights, lr=0.1),
        lambda weights: torch.optim.Adam(weights, lr=0.1),
        lambda weights: torch.optim.Adam(weights, lr=0.1, fused=True, amsgrad=True),
        lambda weights: torch.optim.Adam(weights, lr=0.1, fused=True, maximize=True),
        lambda weights: torch.optim.Adam([{"params": weights}, {"params": [torch.zeros(1)]}], lr=0.1, fused=True),
        lambda weights: type("Mine", (torch.optim.Adam,), {})(weights, lr=0.1, fused=True),
    ],
)
def test_other_optimizers_step_by_themselves(make):
    weights = [torch.ones(2, requires_grad=True)]
    weights[0].grad = torch.ones(2)
    optimizer = make(weights)
    optimizer.step()
    assert not FusedStep.serves(optimizer)
