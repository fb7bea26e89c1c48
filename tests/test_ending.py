"""What ends a training, and what is there when it has ended."""

import pickle

import numpy as np
import pytest
import torch
from samples import ESTIMATORS, outputs, problem, small
from sklearn.base import clone
from skorch.callbacks import Callback, EarlyStopping

from sklearn_rnn import RNNClassifier, SequenceBaggingClassifier
from sklearn_rnn.exceptions import StopTraining
from sklearn_rnn.training import ending
from sklearn_rnn.training.ending import Clock, Ending, Progress
from sklearn_rnn.training.epoch import TrainingStep

BATCHES = 6
"""Batches of 4 that an epoch of `problem` has."""

METHODS = ["on_train_begin", "on_epoch_begin", "on_batch_begin", "on_batch_end", "on_epoch_end", "on_grad_computed"]


class Stop(Callback):
    """Asks for the end in one of its methods, when it is called for the `turn`-th time."""

    def __init__(self, method, turn=1):
        self.method, self.turn = method, turn

    def initialize(self):
        self.calls = 0
        setattr(self, self.method, self.call)
        return self

    def call(self, net, **kwargs):
        self.calls += kwargs.get("training", True)
        if self.calls == self.turn:
            raise StopTraining


class Count(Callback):
    """Counts what it is told of."""

    def __init__(self, counts):
        self.counts = counts

    def on_batch_end(self, net, training=False, **kwargs):
        self.counts["batches"] = self.counts.get("batches", 0) + training

    def on_epoch_end(self, net, **kwargs):
        self.counts["epochs"] = self.counts.get("epochs", 0) + 1

    def on_train_end(self, net, **kwargs):
        self.counts["ends"] = self.counts.get("ends", 0) + 1


@pytest.fixture
def clock(monkeypatch):
    """A clock that only goes on by a second after each optimizer step of the package's own loop, or when it is set."""
    now = [1000.0]
    monkeypatch.setattr(ending, "monotonic", lambda: now[0])
    step = TrainingStep.__call__

    def timed(self, batch):
        now[0] += 1
        return step(self, batch)

    monkeypatch.setattr(TrainingStep, "__call__", timed)
    return now


def fitted(estimator, data=None, **parameters):
    options = {"batch_size": 4, "max_epochs": 5, **parameters}
    return small(estimator, **options).fit(*(data or problem(estimator)))


class TestProgress:
    def test_follows_the_best(self):
        progress = Progress(tol=0.0, patience=2)
        scores = [0.5, 0.7, 0.6, 0.8, 0.8]
        assert [progress.update(epoch, score, 1.0) for epoch, score in enumerate(scores, 1)] == [
            True,
            True,
            False,
            True,
            False,
        ]
        assert progress.best_epoch == 4

    def test_equal_scores_go_by_loss(self):
        progress = Progress(tol=0.0, patience=9)
        assert progress.update(1, 0.5, 1.0)
        assert progress.update(2, 0.5, 0.9)
        assert not progress.update(3, 0.5, 0.95)
        assert progress.best_epoch == 2

    def test_is_exhausted_by_gains_below_tol(self):
        progress = Progress(tol=0.1, patience=2)
        exhausted = []
        for epoch, score in enumerate([0.5, 0.55, 0.7, 0.75, 0.79], 1):
            progress.update(epoch, score, 1.0)
            exhausted.append(progress.exhausted)
        assert exhausted == [False, False, False, False, True]


class TestEnding:
    @pytest.mark.parametrize("asked_at", [1, 3, 6])
    def test_batches_come_until_it_is_asked(self, asked_at):
        ending = Ending(each_batch=True)
        taken = []
        for batch in ending.until_it_ends(range(6)):
            taken.append(batch)
            ending.asked = len(taken) == asked_at
        assert taken == list(range(asked_at))
        assert ending.cut == (asked_at < 6)
        assert ending.stopped_by == "callback"
        assert ending.after_epoch(asked=False, exhausted=True)
        assert ending.stopped_by == "callback", "what came first has ended it"

    def test_nothing_ends_it_that_nobody_wants(self):
        ending = Ending(max_time=None)
        assert list(ending.until_it_ends(range(3))) == [0, 1, 2]
        assert not ending.after_epoch(asked=False, exhausted=False)
        assert ending.stopped_by == "max_epochs"

    def test_the_pace_counts_from_the_first_batch(self, clock):
        ending = Ending(max_time=10.0, clock=Clock(), each_batch=True)
        clock[0] += 6  # seconds that reading takes
        ending.begin()
        shares = []
        for _ in ending.until_it_ends(range(9)):
            shares.append(ending.pace.share)
            clock[0] += 1
        assert shares == [0.0, 0.25, 0.5, 0.75]
        assert (ending.pace.share, ending.stopped_by) == (1.0, "max_time")

    def test_time_that_is_up_before_the_first_batch_leaves_one(self, clock):
        ending = Ending(max_time=10.0, clock=Clock(), each_batch=True)
        clock[0] += 11
        ending.begin()
        assert list(ending.until_it_ends(range(9))) == [0]


# max_time


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize(("seconds", "epochs"), [(0.5, 1), (6.0, 1), (6.5, 2), (15.0, 3)])
def test_a_fit_ends_after_the_batch_in_which_its_time_is_used_up(estimator, seconds, epochs, clock):
    model = fitted(estimator, max_time=seconds)
    assert (model.n_iter_, model.best_epoch_, model.stopped_by_) == (epochs, epochs, "max_time")
    assert clock[0] - 1000 == np.ceil(seconds)
    assert len(model.loss_curve_) == len(model.history_) == epochs
    assert model.history_[-1]["train_batch_count"] == (np.ceil(seconds) - 1) % BATCHES + 1
    assert np.isfinite(outputs(model, problem(estimator)[0])).all()
    assert model.net_.ending_ is None
    np.testing.assert_array_equal(
        outputs(pickle.loads(pickle.dumps(model)), problem(estimator)[0]), outputs(model, problem(estimator)[0])
    )


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_time_that_does_not_run_out_changes_nothing(estimator, clock):
    """The clock stands at the share of the epochs when they end, so that the schedule never follows the time."""
    timed, free = fitted(estimator, max_time=1e4), fitted(estimator)
    assert timed.stopped_by_ == free.stopped_by_ == "max_epochs"
    np.testing.assert_allclose(timed.loss_curve_, free.loss_curve_, rtol=1e-6)


def test_a_cut_epoch_has_the_batches_that_a_whole_one_begins_with(clock):
    options = {"lr_schedule": None, "dropout": 0.0}
    cut = fitted(RNNClassifier, max_time=3.0, **options)
    seen = []

    class Weights(Callback):
        def on_batch_end(self, net, training=False, **kwargs):
            seen.append({name: value.clone() for name, value in net.module_.state_dict().items()})

    fitted(RNNClassifier, callbacks=[Weights()], max_epochs=1, **options)
    for name, value in cut.module_.state_dict().items():
        torch.testing.assert_close(value, seen[2][name], rtol=1e-5, atol=1e-6)


def test_reading_counts(clock, monkeypatch):
    read = RNNClassifier._read_examples

    def slow(self, *args, **kwargs):
        clock[0] += 100
        return read(self, *args, **kwargs)

    monkeypatch.setattr(RNNClassifier, "_read_examples", slow)
    model = fitted(RNNClassifier, max_time=50.0)
    assert (model.n_iter_, model.history_[0]["train_batch_count"], model.stopped_by_) == (1, 1, "max_time")


@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_cut_epoch_is_validated(clock, early_stopping):
    X, y = problem(RNNClassifier)
    model = small(RNNClassifier, batch_size=4, max_epochs=5, max_time=9.0, early_stopping=early_stopping)
    model.fit(X, y, X_val=X, y_val=y)
    assert (model.n_iter_, len(model.validation_scores_), model.stopped_by_) == (2, 2, "max_time")
    kept = model.validation_scores_[model.best_epoch_ - 1]
    assert kept == (max(model.validation_scores_) if early_stopping else model.validation_scores_[-1])
    assert model.score(X, y) == pytest.approx(kept)


def test_early_stopping_may_come_before_the_time(clock):
    X, y = problem(RNNClassifier)
    model = small(RNNClassifier, max_epochs=9, max_time=1e6, early_stopping=True, n_iter_no_change=2, tol=9.0)
    model.fit(X, y, X_val=X, y_val=y)
    assert (model.n_iter_, model.stopped_by_) == (3, "early_stopping")


@pytest.mark.parametrize("callbacks", [None, [Count({})]])
@pytest.mark.parametrize("lr_schedule", ["cosine", "onecycle"])
def test_schedules_reach_their_end_with_the_time(clock, monkeypatch, lr_schedule, callbacks):
    """After 12 of 20 seconds a cosine is where it is after 12 of 20 steps, whatever `max_epochs`."""
    rates = []
    timed = TrainingStep._loss_and_gradients

    def recorded(self, batch):
        rates.append(self.optimizer.param_groups[0]["lr"])
        return timed(self, batch)

    monkeypatch.setattr(TrainingStep, "_loss_and_gradients", recorded)
    options = {"lr_schedule": lr_schedule, "learning_rate": 0.01}
    fitted(RNNClassifier, max_time=19.5, max_epochs=1000, **options)
    assert len(rates) == 20
    assert rates[-1] < 0.1 * max(rates)
    if lr_schedule == "cosine":
        shares = np.maximum(np.arange(20) - 1, 0) / 19.5  # known after the batch before
        np.testing.assert_allclose(rates, 0.01 * (1 + np.cos(np.pi * shares)) / 2, rtol=1e-2, atol=1e-6)


def test_partial_fit_has_no_time(clock):
    X, y = problem(RNNClassifier)
    model = small(RNNClassifier, batch_size=4, max_time=0.5).partial_fit(X, y)
    assert model.history_[0]["train_batch_count"] == BATCHES
    assert model.stopped_by_ == "max_epochs"


def test_each_fit_has_its_own_time(clock):
    X, y = problem(RNNClassifier)
    model = small(RNNClassifier, batch_size=4, max_epochs=5, max_time=4.0, warm_start=True).fit(X, y)
    for _ in range(2):
        assert model.fit(X, y).history_[0]["train_batch_count"] == 4
    assert clone(model).max_time == 4.0
    template = small(RNNClassifier, batch_size=4, max_epochs=5, max_time=4.0)
    bagging = SequenceBaggingClassifier(template, n_estimators=3, random_state=0).fit(X, y)
    assert [member.stopped_by_ for member in bagging.estimators_] == ["max_time"] * 3


# Callbacks


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_callback_ends_a_fit_from_any_of_its_methods(estimator, method):
    counts = {}
    model = fitted(estimator, callbacks=[Stop(method), Count(counts)])
    assert (model.n_iter_, model.stopped_by_) == (1, "callback")
    assert counts == {"batches": BATCHES if method == "on_epoch_end" else 1, "epochs": 1, "ends": 1}
    assert len(model.loss_curve_) == 1
    assert np.isfinite(outputs(model, problem(estimator)[0])).all()


def test_what_a_callback_asks_for_comes_after_the_present_batch():
    counts = {}
    model = fitted(RNNClassifier, callbacks=[Stop("on_batch_begin", 9), Count(counts)])
    assert (model.n_iter_, counts["batches"]) == (2, 9)
    assert [row["train_batch_count"] for row in model.history_] == [BATCHES, 3]


def test_a_callback_that_looks_at_no_batch_ends_a_fit_too():
    model = fitted(RNNClassifier, callbacks=[Stop("on_epoch_end", 2)])
    assert (model.n_iter_, model.stopped_by_) == (2, "callback")


def test_after_the_end_nothing_is_left_to_ask_for():
    model = fitted(RNNClassifier, max_epochs=2, callbacks=[Stop("on_train_end")])
    assert (model.n_iter_, model.stopped_by_) == (2, "max_epochs")


def test_what_is_kept_is_the_best_epoch_if_a_callback_ends_it():
    X, y = problem(RNNClassifier)
    held_out = [-x for x in X]  # the better the network learns, the worse it scores here
    options = {"learning_rate": 0.05, "early_stopping": True, "max_epochs": 9, "n_iter_no_change": 99}
    model = small(RNNClassifier, callbacks=[Stop("on_epoch_end", 6)], **options).fit(X, y, X_val=held_out, y_val=y)
    assert (model.n_iter_, model.stopped_by_) == (6, "callback")
    assert model.score(held_out, y) == pytest.approx(max(model.validation_scores_))


def test_others_are_told_when_skorchs_early_stopping_ends_a_fit():
    counts = {}
    stopping = EarlyStopping(monitor="train_loss", patience=2, threshold=10, threshold_mode="abs")
    model = fitted(RNNClassifier, max_epochs=9, callbacks=[stopping, Count(counts)])
    assert (model.n_iter_, model.stopped_by_) == (3, "callback")
    assert counts["epochs"] == 3


def test_a_stop_that_no_callback_raises_is_an_error():
    class Broken(torch.optim.SGD):
        def step(self, closure=None):
            raise StopTraining("in an optimizer")

    with pytest.raises(StopTraining, match="in an optimizer"):
        fitted(RNNClassifier, optimizer=Broken)


class TestCallbacksOfScikitLearn:
    @pytest.fixture
    def stop(self):
        pytest.importorskip("sklearn.callback")

        class Told:
            def __init__(self, method, *, raises=True):
                self.method, self.raises = method, raises
                self.calls = []

            def setup(self, estimator, context):
                pass

            def teardown(self, estimator, context):
                pass

            def on_fit_task_begin(self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None):
                return self.tell("begin", context)

            def on_fit_task_end(self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None):
                return self.tell("end", context)

            def tell(self, what, context):
                self.calls.append((context.task_name, what))
                if (context.task_name, what) != self.method or self.calls.count(self.method) < 2 > context.task_id:
                    return False
                if self.raises:
                    raise StopTraining
                return True

        return Told

    @pytest.mark.parametrize("what", ["begin", "end"])
    def test_ends_a_fit_after_the_present_epoch(self, stop, what):
        told = stop(("epoch", what))
        model = small(RNNClassifier, max_epochs=5, batch_size=4)
        model.set_callbacks(told)
        model.fit(*problem(RNNClassifier))
        assert (model.n_iter_, model.stopped_by_) == (2, "callback")
        assert model.history_[-1]["train_batch_count"] == BATCHES

    def test_says_so_by_what_it_returns(self, stop):
        model = small(RNNClassifier, max_epochs=5)
        model.set_callbacks(stop(("epoch", "end"), raises=False))
        model.fit(*problem(RNNClassifier))
        assert (model.n_iter_, model.stopped_by_) == (2, "callback")


# What is said of it


@pytest.mark.parametrize(
    ("parameters", "line"),
    [
        ({"max_epochs": 2}, "Training ended after 2 epochs: all of max_epochs=2."),
        ({"max_epochs": 1}, "Training ended after 1 epoch: all of max_epochs=1."),
        ({"max_time": 2.0}, "Training ended after 1 epoch, the last one cut: max_time=2.0 seconds were used up."),
        ({"callbacks": [Stop("on_epoch_end", 2)]}, "Training ended after 2 epochs: a callback asked for it."),
        (
            {"early_stopping": True, "n_iter_no_change": 2, "tol": 9.0, "learning_rate": 1e-12},
            "Training ended after 3 epochs: no gain of more than tol=9.0 in the validation score for "
            "n_iter_no_change=2 epochs (early_stopping).",
        ),
    ],
)
def test_a_line_says_what_has_ended_a_fit(parameters, line, clock, capsys):
    fitted(RNNClassifier, verbose=1, **parameters)
    said = capsys.readouterr().out.splitlines()[-1]
    assert said.startswith(line.removesuffix(".")), said
    fitted(RNNClassifier, verbose=0, **parameters)
    assert capsys.readouterr().out == ""


def test_the_line_names_the_epoch_that_is_kept(capsys):
    X, y = problem(RNNClassifier)
    options = {"learning_rate": 0.05, "early_stopping": True, "max_epochs": 6, "verbose": 1}
    model = small(RNNClassifier, **options).fit(X, y, X_val=[-x for x in X], y_val=y)
    assert model.best_epoch_ < 6
    assert capsys.readouterr().out.endswith(f". The weights of epoch {model.best_epoch_} are kept.\n")


def test_partial_fit_says_nothing_of_an_end(capsys):
    small(RNNClassifier, verbose=1).partial_fit(*problem(RNNClassifier))
    assert "Training ended" not in capsys.readouterr().out
