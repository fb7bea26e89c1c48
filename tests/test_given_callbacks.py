"""The callbacks that an estimator is given reach what is the caller's, and are not written on."""

import pickle
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import (
    Callback,
    EarlyStopping,
    EpochScoring,
    Freezer,
    MlflowLogger,
    PrintLog,
    TensorBoard,
)

from sklearn_rnn import PerStep, RNNClassifier, RNNRegressor, RNNSequenceTagger, SequenceBaggingClassifier
from sklearn_rnn.training.given_callbacks import callbacks_of_fit

rng = np.random.default_rng(0)
X = [rng.normal(size=(length, 2)) for length in rng.integers(2, 7, size=60)]
SUMS = np.array([float(x[:, 0].sum()) for x in X])
y = (SUMS > 0).astype(int)
TAGS = [np.where(x[:, 0] > 0, "up", "down").tolist() for x in X]
SMALL = {"hidden_size": 4, "batch_size": 16, "max_epochs": 3, "random_state": 0}
HELD_OUT = {"X_val": X[40:], "y_val": y[40:]}
ESTIMATORS = [
    pytest.param(RNNClassifier, y, id="classifier"),
    pytest.param(RNNRegressor, SUMS, id="regressor"),
    pytest.param(RNNSequenceTagger, TAGS, id="tagger"),
]


class Run:
    """What somebody follows trainings with: as a tracker's, it cannot be copied or pickled."""

    def __init__(self):
        self.lock = threading.Lock()
        self.reports = []


class Report(Callback):
    def __init__(self, run):
        self.run = run

    def on_epoch_end(self, net, **kwargs):
        self.epochs_ = len(net.history)
        with self.run.lock:
            self.run.reports.append(net.history[-1, "train_loss"])


def used(estimator, name):
    return dict(estimator.net_.callbacks_)[name]


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize(("estimator", "target"), ESTIMATORS)
def test_a_callback_reports_to_the_callers_object(estimator, target, named):
    run = Run()
    given = Report(run)
    callbacks = [("mine", given)] if named else [given]
    model = estimator(callbacks=callbacks, **SMALL).fit(X, target)
    assert run.reports == model.loss_curve_
    assert model.callbacks is callbacks
    assert vars(given) == {"run": run}
    assert used(model, "mine" if named else "Report").epochs_ == 3


def test_no_writing_on_what_is_given():
    """Some of skorch's callbacks change their parameters when they are initialised."""
    given = [Freezer("backbone.*"), EarlyStopping(monitor="train_loss"), EpochScoring("f1"), PrintLog(sink=print)]
    before = [dict(vars(callback)) for callback in given]
    model = RNNClassifier(callbacks=given, **SMALL).fit(X, y, **HELD_OUT)
    assert [vars(callback) for callback in given] == before
    assert isinstance(used(model, "EpochScoring"), EpochScoring)
    assert used(model, "EpochScoring").name_ == "f1"


def test_classes_are_made_anew():
    class Count(Callback):
        def initialize(self):
            self.epochs_ = 0
            return self

        def on_epoch_end(self, net, **kwargs):
            self.epochs_ += 1

    model = RNNClassifier(callbacks=[Count, ("again", Count)], **SMALL).fit(X, y)
    assert (used(model, "Count").epochs_, used(model, "again").epochs_) == (3, 3)


class WithoutRun(Report):
    """Leaves its run out of pickles."""

    def __getstate__(self):
        return {name: value for name, value in vars(self).items() if name != "run"}


def test_what_pickles_leave_out_is_there_in_a_fit():
    run = Run()
    model = RNNClassifier(callbacks=[WithoutRun(run)], **SMALL).fit(X, y)
    assert len(run.reports) == 3
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


def test_callbacks_that_hold_each_other_do_so_in_a_fit():
    scoring = EpochScoring(lambda net, X, y: 0.5, name="half", on_train=True)

    class Look(Callback):
        def __init__(self, other):
            self.other = other

        def on_epoch_end(self, net, **kwargs):
            self.seen_ = self.other.name_

    model = RNNClassifier(callbacks=[scoring, Look(scoring)], **SMALL).fit(X, y)
    assert used(model, "Look").seen_ == "half"
    assert used(model, "Look").other is used(model, "EpochScoring")
    assert not hasattr(scoring, "name_")


def test_the_same_callback_twice_is_one():
    given = Report(Run())
    first, second = callbacks_of_fit([given, ("again", given)], None)
    assert second == ("again", first)
    assert first is not given


class Odd(Callback):
    """Its attributes are not its parameters, so that scikit-learn cannot clone it; optuna's is like that."""

    def __init__(self, trial, monitor):
        self._trial = trial
        self._monitor = monitor

    def on_epoch_end(self, net, **kwargs):
        self._trial.report(net.history[-1, self._monitor], len(net.history) - 1)
        if self._trial.should_prune():
            raise TrialPrunedError(f"Trial was pruned at epoch {len(net.history) - 1}.")


class TrialPrunedError(Exception):
    pass


class Trial:
    """As optuna's: takes reports, and says when a trial is not worth going on."""

    def __init__(self, prune_at=None):
        self.values = {}
        self.prune_at = prune_at
        self.lock = threading.Lock()

    def report(self, value, step):
        self.values[step] = value

    def should_prune(self):
        return len(self.values) == self.prune_at


@pytest.mark.parametrize(("estimator", "target"), ESTIMATORS)
def test_a_pruned_trial(estimator, target):
    trial = Trial(prune_at=2)
    model = estimator(callbacks=[Odd(trial, "valid_loss")], early_stopping=True, **SMALL)
    with pytest.raises(TrialPrunedError, match=r"^Trial was pruned at epoch 1\.$"):
        model.fit(X, target)
    assert list(trial.values) == [0, 1]
    assert not [name for name in vars(model) if name.endswith("_")]
    model.set_params(callbacks=None).fit(X, target)
    expected, net = model.predict(X), model.net_
    with pytest.raises(TrialPrunedError):
        model.set_params(callbacks=[Odd(Trial(prune_at=1), "valid_score")]).fit(X, target)
    assert model.net_ is net
    np.testing.assert_array_equal(model.predict(X), expected)


def test_optunas_own_callback():
    optuna = pytest.importorskip("optuna")
    integration = pytest.importorskip("optuna_integration")
    study = optuna.create_study(pruner=optuna.pruners.ThresholdPruner(upper=0.0, n_warmup_steps=1))

    def objective(trial):
        callbacks = [integration.SkorchPruningCallback(trial, "train_loss")]
        return RNNClassifier(callbacks=callbacks, **SMALL).fit(X, y).loss_curve_[-1]

    study.optimize(objective, n_trials=2)
    assert [trial.state.name for trial in study.trials] == ["PRUNED", "PRUNED"]
    assert [len(trial.intermediate_values) for trial in study.trials] == [2, 2]


def test_clones_report_to_the_same_object():
    trial = Trial()
    model = RNNClassifier(callbacks=[Odd(trial, "train_loss")], **SMALL)
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert len(copy.fit(X, y).loss_curve_) == len(trial.values)
    assert not hasattr(model, "net_")


@pytest.mark.parametrize(
    "fit",
    [
        lambda model: cross_val_score(make_pipeline(PerStep(StandardScaler()), model), X, y, cv=2),
        lambda model: GridSearchCV(model, {"hidden_size": [2, 3]}, cv=2, refit=False).fit(X, y),
        lambda model: SequenceBaggingClassifier(model, n_estimators=2).fit(X, y),
        lambda model: Parallel(2, backend="threading")(delayed(clone(model).fit)(X, y) for _ in range(4)),
    ],
    ids=["cross_val_score", "grid", "bagging", "threads"],
)
def test_through_meta_estimators(fit):
    run = Run()
    fit(RNNClassifier(callbacks=[Report(run)], **SMALL))
    assert len(run.reports) in (6, 12)


def test_each_fit_begins_with_the_callbacks_as_they_are_given():
    run = Run()
    model = RNNClassifier(callbacks=[Report(run)], warm_start=True, **SMALL).fit(X, y).fit(X, y)
    assert (len(run.reports), used(model, "Report").epochs_) == (6, 3)
    model.partial_fit(X, y)
    assert (len(run.reports), used(model, "Report").epochs_) == (7, 1)


class Writer:
    """As torch's SummaryWriter, whose file is written by a thread."""

    def __init__(self):
        self.lock = threading.Lock()
        self.scalars = {}
        self.closed = False

    def add_scalar(self, tag, scalar_value, global_step):
        self.scalars.setdefault(tag, []).append((global_step, scalar_value))

    def close(self):
        self.closed = True


def test_tensorboard():
    writer = Writer()
    model = RNNClassifier(callbacks=[TensorBoard(writer)], **SMALL).fit(X, y, **HELD_OUT)
    assert [value for _, value in writer.scalars["Loss/train_loss"]] == model.loss_curve_
    assert [value for _, value in writer.scalars["Loss/valid_score"]] == model.validation_scores_
    assert [step for step, _ in writer.scalars["Loss/valid_loss"]] == [1, 2, 3]
    assert writer.closed


def test_a_model_with_an_open_run_is_saved_without_it():
    model = RNNClassifier(callbacks=[TensorBoard(Writer())], **SMALL).fit(X, y)
    with pytest.raises(TypeError, match="cannot pickle"):
        pickle.dumps(model)
    loaded = pickle.loads(pickle.dumps(model.set_params(callbacks=None)))
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert isinstance(used(model, "TensorBoard"), TensorBoard)
    assert "TensorBoard" not in dict(loaded.net_.callbacks_)


class Client:
    """As MLflow's: takes metrics and files under the number of a run."""

    def __init__(self):
        self.metrics, self.files, self.ended = [], [], []

    def log_metric(self, run_id, key, value, step):
        self.metrics.append((run_id, key, value, step))

    def log_artifact(self, run_id, path):
        self.files.append(path.name)

    def set_terminated(self, run_id):
        self.ended.append(run_id)


def test_mlflow():
    client = Client()
    model = RNNClassifier(
        callbacks=[MlflowLogger(SimpleNamespace(info=SimpleNamespace(run_id="7")), client)], **SMALL
    ).fit(X, y, **HELD_OUT)
    scores = [(step, value) for run_id, key, value, step in client.metrics if key == "valid_score"]
    assert scores == list(enumerate(model.validation_scores_, 1))
    assert client.files == ["params.pth", "optimizer.pth", "criterion.pth", "history.json"]
    assert client.ended == ["7"]


def test_callbacks_save_the_weights_that_are_kept():
    class Save(Callback):
        def on_train_end(self, net, **kwargs):
            saved.update({name: value.clone() for name, value in net.module_.state_dict().items()})

    saved = {}
    options = {**SMALL, "max_epochs": 20, "learning_rate": 0.2, "lr_schedule": None, "n_iter_no_change": 4}
    model = RNNClassifier(callbacks=[Save()], early_stopping=True, validation_fraction=0.3, **options).fit(X, y)
    assert model.best_epoch_ < model.n_iter_
    assert all((value == saved[name]).all() for name, value in model.module_.state_dict().items())
