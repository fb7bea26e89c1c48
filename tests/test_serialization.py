"""A saved model predicts as before, and holds what it needs for that and no more."""

import copy
import io
import os
import pickle
import subprocess
import sys

import joblib
import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from samples import CELLS, ESTIMATORS, outputs, problem, ragged, small, targets, weights
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import EpochScoring, LRScheduler

from sklearn_rnn import RNNClassifier, RNNRegressor, RNNSequenceTagger
from sklearn_rnn.preprocessing import PerStep


def through_joblib(model):
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    return joblib.load(file)


WAYS = {
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "oldest protocol": lambda model: pickle.loads(pickle.dumps(model, protocol=2)),
    "joblib": through_joblib,
    "deepcopy": copy.deepcopy,
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("cell_type", CELLS)
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_copy_predicts_the_same(estimator, cell_type, way):
    X, y = problem(estimator)
    model = small(estimator, cell_type=cell_type).fit(X, y)
    again = way(model)
    assert_array_equal(outputs(again, X), outputs(model, X))
    assert again.get_params() == model.get_params()
    assert (again.n_iter_, again.loss_curve_, again.history_) == (model.n_iter_, model.loss_curve_, model.history_)
    assert again.score(X, y) == model.score(X, y)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_copy_can_be_fitted_again(estimator, way):
    X, y = problem(estimator)
    options = {"early_stopping": True, "validation_fraction": 0.3, "callbacks": [LRScheduler()]}
    model = small(estimator, **options).fit(X, y)
    assert_array_equal(weights(way(model).fit(X, y)), weights(model))


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_tokens_and_pipelines(way):
    X, y = [["to", "Rome"], ["Oslo"]] * 6, ["a", "b"] * 6
    model = small(RNNClassifier).fit(X, y)
    assert_array_equal(way(model).predict_proba([["Rome", "?"]]), model.predict_proba([["Rome", "?"]]))
    X, y = problem(RNNClassifier)
    pipeline = make_pipeline(PerStep(StandardScaler()), small(RNNClassifier)).fit(X, y)
    assert_array_equal(way(pipeline).predict_proba(X), pipeline.predict_proba(X))


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_tagger_of_several_inputs(way):
    words = [["Fly", "to", "New", "York"], ["Oslo"]] * 6
    X = {"token": words, "length": [[float(len(word)) for word in sentence] for sentence in words]}
    y = [["O", "O", "B-city", "I-city"], ["B-city"]] * 6
    text = {"char_encoder": "lstm", "casing_features": True, "pretrained_embeddings": {"to": [0.5, 1.0]}}
    model = small(RNNSequenceTagger, train_scheme="BIOES", **text).fit(X, y)
    again = way(model)
    assert_array_equal(outputs(again, X), outputs(model, X))
    assert [list(tags) for tags in again.predict(X)] == [list(tags) for tags in model.predict(X)]
    assert_array_equal(again.transitions_, model.transitions_)
    assert again.embedding_coverage_ == model.embedding_coverage_
    assert_array_equal(weights(again.fit(X, y)), weights(model))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_an_unfitted_estimator(estimator):
    again = pickle.loads(pickle.dumps(small(estimator, optimizer=torch.optim.Adagrad)))
    assert again.optimizer is torch.optim.Adagrad
    assert not hasattr(again, "net_")


def test_another_process_reads_it(tmp_path):
    X, y = problem(RNNClassifier)
    model = small(RNNClassifier).fit(X, y)
    joblib.dump(model, tmp_path / "model.joblib")
    np.savez(tmp_path / "X.npz", *X)
    script = (
        "import joblib, numpy as np, sys\n"
        "X = list(np.load(sys.argv[2]).values())\n"
        "np.save(sys.argv[3], joblib.load(sys.argv[1]).predict_proba(X))\n"
    )
    files = [str(tmp_path / name) for name in ("model.joblib", "X.npz", "proba.npy")]
    subprocess.run([sys.executable, "-c", script, *files], check=True)
    assert_array_equal(np.load(files[2]), model.predict_proba(X))


MARK = 0.123456789


def score_nothing(net, X, y):
    return 0.0


def marked(estimator, dtype):
    """Data in which one number returns again and again."""
    X = ragged(30)
    for x in X:
        x[1:, 1] = MARK  # not always: a number that does not change is a mean, which is kept
    return X, targets(estimator, X), np.dtype(dtype).type(MARK).tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "options",
    [{}, {"early_stopping": True, "validation_fraction": 0.3}, {"warm_start": True}, {"standardize": False}],
)
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_no_data_are_saved(estimator, options, dtype):
    X, y, mark = marked(estimator, dtype)
    scoring = EpochScoring(score_nothing, use_caching=False)
    model = small(estimator, dtype=dtype, callbacks=[scoring, LRScheduler()], **options)
    model.fit(X, y, X_val=X, y_val=y)
    saved = pickle.dumps(model)
    assert pickle.dumps(np.full(3, MARK, dtype)).count(mark) == 3  # such a number would be found
    assert mark not in saved
    model = small(estimator, dtype=dtype, **options).fit(X, y)
    assert mark not in pickle.dumps(model)


@pytest.mark.parametrize("estimator", [RNNRegressor, RNNSequenceTagger])
def test_no_targets_are_saved(estimator):
    X = ragged(30)
    if estimator is RNNRegressor:
        y, mark = np.arange(30.0) + MARK, np.float64(17 + MARK).tobytes()
    else:
        y, mark = [["O"] * (len(x) - 1) + ["mark"] for x in X], b"mark"
    saved = pickle.dumps(small(estimator).fit(X, y))
    assert saved.count(mark) <= (0 if estimator is RNNRegressor else 2)  # a label is a class, and no more


def state_dicts(model):
    """Everything inside a model that is an optimizer, or was its state."""
    seen, found = set(), []

    def walk(value, depth=0):
        if id(value) in seen or depth > 12:
            return
        seen.add(id(value))
        if isinstance(value, torch.optim.Optimizer) or (isinstance(value, dict) and "exp_avg" in value):
            found.append(value)
        parts = list(value.values()) if isinstance(value, dict) else []
        parts += list(value) if isinstance(value, (list, tuple, set)) else []
        for part in [*parts, *vars(value).values()] if hasattr(value, "__dict__") else parts:
            walk(part, depth + 1)

    walk(model)
    return found


@pytest.mark.parametrize("lr_schedule", [None, "plateau", "cosine", "onecycle"])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_optimizer_is_saved_for_a_warm_start_alone(estimator, lr_schedule):
    X, y = problem(estimator)
    cold = small(estimator, lr_schedule=lr_schedule).fit(X, y)
    assert b"exp_avg" not in pickle.dumps(cold)
    assert not state_dicts(cold)
    warm = small(estimator, lr_schedule=lr_schedule, warm_start=True).fit(X, y)
    assert b"exp_avg" in pickle.dumps(warm)
    assert b"exp_avg" not in pickle.dumps(warm.set_params(warm_start=False))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_warm_start_goes_on_from_a_file(estimator):
    X, y = problem(estimator)
    model = small(estimator, warm_start=True).fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(weights(again.fit(X, y)), weights(model.fit(X, y)))


@pytest.mark.parametrize("hidden_size", [4, 128])
@pytest.mark.parametrize("options", [{}, {"early_stopping": True}, {"max_epochs": 40}])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_size_is_that_of_the_weights(estimator, options, hidden_size):
    X, y = problem(estimator, 100)
    model = small(estimator, **{"hidden_size": hidden_size, **options}).fit(X, y)
    size = sum(part.numel() * part.element_size() for part in model.module_.parameters())
    assert size <= len(pickle.dumps(model)) <= 1.2 * size + 50_000


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_history_holds_a_record_an_epoch(estimator):
    X, y = problem(estimator)
    model = small(estimator, batch_size=2, max_epochs=3).fit(X, y)
    assert len(model.history_) == 3
    for rows in (model.history_, model.net_.history):
        assert all("batches" not in row for row in rows)
    assert [row["train_loss"] for row in model.history_] == model.loss_curve_


@pytest.mark.gpu
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_model_of_a_gpu_is_read_without_one(estimator, tmp_path):
    X, y = problem(estimator)
    model = small(estimator, device="cuda", warm_start=True).fit(X, y)
    joblib.dump(model, tmp_path / "model.joblib")
    np.savez(tmp_path / "X.npz", *X)
    script = (
        "import joblib, numpy as np, sys, torch\n"
        "assert not torch.cuda.is_available()\n"
        "model = joblib.load(sys.argv[1])\n"
        "assert next(model.module_.parameters()).device.type == 'cpu'\n"
        "X = list(np.load(sys.argv[2]).values())\n"
        "predicted = model.predict(X)\n"
        "np.save(sys.argv[3], np.concatenate([np.ravel(item) for item in predicted]))\n"
    )
    files = [str(tmp_path / name) for name in ("model.joblib", "X.npz", "predicted.npy")]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    subprocess.run([sys.executable, "-c", script, *files], check=True, env=environment)
    here = np.concatenate([np.ravel(item) for item in model.predict(X)])
    if estimator is RNNRegressor:
        np.testing.assert_allclose(np.load(files[2]), here, atol=1e-3)
    else:
        assert_array_equal(np.load(files[2]), here)
