"""Several processes that train one model: they do what one process does with the same batches."""

import os
import pickle
import subprocess
import sys
import textwrap
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from joblib import Parallel, delayed
from skorch.callbacks import Callback

from sklearn_rnn import RNNClassifier, RNNRegressor, RNNSequenceTagger
from sklearn_rnn.data import splitting
from sklearn_rnn.data.batching import SequenceDataset
from sklearn_rnn.data.orders import BatchIterator, Buckets
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.training_set import TrainingSet
from sklearn_rnn.exceptions import StopTraining
from sklearn_rnn.training import distributed
from sklearn_rnn.training.distributed import ALONE, DatasetShare, SharedGradients, World, current_world, join_world

N_SEQUENCES = 33
"""With batches of 8 the last holds one sequence, and of two processes one has none of it."""

SHARED = {"hidden_size": 5, "dropout": 0.0, "batch_size": 8, "max_epochs": 3, "random_state": 0}
SHARED |= {"pooling": "last", "conv_branch": False}
OF_STEPS = {name: value for name, value in SHARED.items() if name != "pooling"}

FITS = {
    "classifier": (RNNClassifier, {**SHARED, "pooling": "attention", "weight_decay": 0.01}),
    "validated": (RNNClassifier, {**SHARED, "early_stopping": True, "n_iter_no_change": 1, "learning_rate": 0.1}),
    "regressor": (RNNRegressor, {**SHARED, "optimizer": "sgd", "clip_grad_norm": 0.1, "lr_schedule": None}),
    "CRF": (RNNSequenceTagger, {**OF_STEPS, "decoder": "crf", "cell_type": "lstm"}),
    "float64": (RNNSequenceTagger, {**OF_STEPS, "decoder": "softmax", "dtype": "float64", "num_layers": 2}),
}
OWN_STATISTICS = {"convolutions": (RNNClassifier, {**SHARED, "conv_branch": True, "conv_channels": 4})}
"""Each process normalises its part of a batch by itself, and so there is no fit of one process to compare with."""


def problem(name):
    """Ragged sequences and what the estimator `name` is to find in them."""
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(n, 3)) for n in rng.integers(1, 12, size=N_SEQUENCES)]
    if name in ("CRF", "float64"):
        return X, [np.where(x[:, 0] > 0, "B-up", "O").tolist() for x in X]
    return X, np.array([x.sum() if name == "regressor" else float(x[-1, 0] > 0) for x in X])


def fit(name, **options):
    cls, parameters = {**FITS, **OWN_STATISTICS}[name]
    X, y = problem(name)
    return cls(**parameters, **options).fit(X, y)


class StopInTheSecond(Callback):
    """Ends the fit in the second process alone, after its seventh batch."""

    def on_batch_end(self, net, training=False, **kwargs):
        self.batches = getattr(self, "batches", 0) + training
        if self.batches == 7 and current_world().rank == 1:
            raise StopTraining


def ended(estimator):
    """When a fit has ended, and why."""
    batches = [row["train_batch_count"] for row in estimator.history_]
    return estimator.n_iter_, batches, estimator.stopped_by_


def figures(estimator):
    """What training leaves behind, as plain arrays."""
    weights = {key: value.numpy() for key, value in estimator.module_.state_dict().items()}
    return {"losses": estimator.loss_curve_, "scores": estimator.validation_scores_, "weights": weights}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """What each of two processes had in the end, for each of `FITS`, and what else the script below has looked at."""
    folder = tmp_path_factory.mktemp("runs")
    run_together(
        f"""
        import itertools, pickle, sys
        import numpy as np
        import torch.distributed as dist
        sys.path.insert(0, {os.path.dirname(__file__)!r})
        from test_distributed import *
        from sklearn_rnn.training import ending

        found = {{}}
        for name in [*FITS, *OWN_STATISTICS]:  # each fit makes its process group anew
            found[name] = figures(fit(name, data_parallel=True))
        found["left"] = dist.is_initialized()

        with join_world(enabled=True) as world:
            random_state = np.random.RandomState(world.rank)
            found["drawn"] = world.shared(random_state).randint(1000, size=5).tolist()
            found["any"] = world.any(world.rank == 1), world.any(False)
            X, y = problem("classifier")
            dropping = RNNClassifier(**{{**SHARED, "dropout": 0.5}}).fit(X, y)
            found["dropout"] = figures(dropping)
            found["pickled"] = pickle.loads(pickle.dumps(dropping)).predict_proba(X)
            seedless = RNNClassifier(**{{**SHARED, "random_state": None, "early_stopping": True}}).fit(X, y)
            found["seedless"] = figures(seedless)
            found["history"] = [sorted(row) for row in dropping.history_]
            stopped = RNNClassifier(**{{**SHARED, "callbacks": [StopInTheSecond()]}}).fit(X, y)
            seconds = itertools.count(step=world.rank)  # in the first process no time goes by
            ending.monotonic = lambda: float(next(seconds))
            timed = RNNClassifier(**{{**SHARED, "max_time": 8.5}}).fit(X, y)
            for name, model in [("asked", stopped), ("timed", timed)]:
                found[name], found[f"end of {{name}}"] = figures(model), ended(model)
        with open(f"{folder}/{{world.rank}}", "wb") as file:
            pickle.dump(found, file)
        """,
        folder,
    )
    return [pickle.loads((folder / str(rank)).read_bytes()) for rank in range(2)]


def run_together(code, folder, n_processes=2):
    script = folder / "script.py"
    script.write_text(textwrap.dedent(code))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={n_processes}"]
    done = subprocess.run([*command, script], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize("name", FITS)
def test_two_processes_do_what_one_does(runs, name):
    alone = figures(fit(name))
    for run in runs:
        assert run[name]["losses"] == pytest.approx(alone["losses"], rel=1e-5)
        assert run[name]["scores"] == (None if alone["scores"] is None else pytest.approx(alone["scores"]))
        assert run[name]["weights"].keys() == alone["weights"].keys()
        for key, weight in alone["weights"].items():
            np.testing.assert_allclose(run[name]["weights"][key], weight, rtol=1e-4, atol=2e-6, err_msg=key)


def test_all_end_after_the_batch_after_which_one_would(runs):
    """33 sequences in batches of 8 are 5 batches an epoch. The clock is read twice before the first one."""
    for run in runs:
        assert run["end of asked"] == (2, [5, 2], "callback")
        assert run["end of timed"] == (2, [5, 2], "max_time")


@pytest.mark.parametrize("name", [*FITS, *OWN_STATISTICS, "dropout", "seedless", "asked", "timed"])
def test_all_processes_have_the_same_model(runs, name):
    first, second = (run[name] for run in runs)
    assert first["losses"] == second["losses"]
    assert all(np.array_equal(first["weights"][key], second["weights"][key]) for key in first["weights"])


def test_each_process_drops_out_by_itself(runs):
    X, y = problem("classifier")
    alone = RNNClassifier(**{**SHARED, "dropout": 0.5}).fit(X, y)
    assert runs[0]["dropout"]["losses"] != pytest.approx(alone.loss_curve_, rel=1e-5)
    assert runs[0]["dropout"]["losses"] == pytest.approx(alone.loss_curve_, rel=0.2)


def test_the_first_process_decides(runs):
    expected = np.random.RandomState(0).randint(1000, size=5).tolist()
    assert [run["drawn"] for run in runs] == [expected, expected]
    assert [run["any"] for run in runs] == [(True, False), (True, False)]


def test_nothing_of_the_processes_is_left(runs):
    assert not any(run["left"] for run in runs)
    assert np.array_equal(runs[0]["pickled"], runs[1]["pickled"])
    X, y = problem("classifier")
    alone = RNNClassifier(**SHARED).fit(X, y)
    assert [sorted(row) for row in alone.history_] == runs[0]["history"]


@pytest.mark.parametrize("most_padding", [splitting.MOST_PADDING, 0])
@pytest.mark.parametrize("size", [2, 3, 5])
def test_parts_of_batches_are_the_batches(rng, size, most_padding, monkeypatch):
    monkeypatch.setattr(splitting, "MOST_PADDING", most_padding)
    lengths = rng.integers(1, 9, size=14)
    sequences = Sequences(np.repeat(np.arange(14.0), lengths)[:, None], np.concatenate([[0], np.cumsum(lengths)]))
    dataset = SequenceDataset(TrainingSet(sequences, np.arange(14.0)[:, None], np.ones(14)))
    batches = list(BatchIterator(dataset, 4, Buckets(np.random.RandomState(0))))
    parts = [
        list(BatchIterator(DatasetShare(dataset, World(rank, size)), 4, Buckets(np.random.RandomState(0))))
        for rank in range(size)
    ]
    assert [len(part) for part in parts] == [len(batches)] * size
    for turn, batch in enumerate(batches):
        assert batch.share is None
        shares = [part[turn].share for part in parts]
        assert sum(own for own, _ in shares) == len(batch)
        assert {whole for _, whole in shares} == {len(batch)}
        shown = [part[turn].whole().target[:own] for part, (own, _) in zip(parts, shares, strict=True)]
        assert sorted(torch.cat(shown).ravel().tolist()) == sorted(batch.whole().target.ravel().tolist())


def test_the_loss_that_is_shared_is_that_of_all_parts_of_a_batch(monkeypatch):
    shared, sent = SharedGradients(), []
    shared.loss = torch.zeros(())
    monkeypatch.setattr(distributed, "sum_gradients", lambda parameters, loss, share: sent.append((float(loss), share)))
    for losses in ([1.0, 2.0], [4.0]):
        for loss in losses:
            shared._keep_loss(None, None, torch.tensor(loss, requires_grad=True))
        shared.on_grad_computed(None, [], SimpleNamespace(share=(1, 4)))
    assert sent == [(3.0, 0.25), (4.0, 0.25)]


def test_without_torchrun_the_command_is_named():
    with pytest.raises(ValueError, match=r"run 'torchrun --nproc_per_node 2 script\.py'"), join_world(enabled=True):
        pass


def test_parallel_jobs_inside_a_process_are_refused(monkeypatch):
    def join():
        with pytest.raises(ValueError, match="Search with n_jobs=1"), join_world(enabled=True):
            pass
        return True

    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.setenv(name, "0")
    assert all(Parallel(n_jobs=2, backend="threading")(delayed(join)() for _ in range(2)))


def test_who_does_not_join_is_alone():
    with join_world(enabled=False) as world:
        assert world == current_world() == ALONE
        assert world.own_device(torch.device("cuda")) == torch.device("cuda")
        state = np.random.RandomState(0)
        assert world.shared(state) is state
        assert world.any(True)


def test_each_process_takes_a_device_of_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert World(5, 8).own_device(torch.device("cuda")) == torch.device("cuda:1")
    assert World(5, 8).own_device(torch.device("cpu")) == torch.device("cpu")
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(ValueError, match="wants a CUDA device for each process"):
        World(5, 8).own_device(torch.device("cuda"))
