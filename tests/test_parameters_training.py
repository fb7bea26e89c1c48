"""What the other parameters do: when training ends, and how; and that there is a test and a line for each."""

import copy
import inspect
import re

import numpy as np
import pytest
import test_parameters_tagger  # noqa: F401, both fill SHOWN
import test_parameters_text  # noqa: F401
import torch
from samples import ESTIMATORS, outputs, problem, ragged, small, weights
from sklearn.base import clone
from skorch.callbacks import Callback, EarlyStopping
from test_parameters import POOLED, SHOWN, WITH_CLASSES, differs, fit, shows

from sklearn_rnn import RNNClassifier, RNNRegressor, RNNSequenceTagger
from sklearn_rnn.exceptions import SequenceDataWarning
from sklearn_rnn.metrics import flat_accuracy_score, span_f1_score
from sklearn_rnn.networks.engines import Engine
from sklearn_rnn.training.compute import available_threads


@shows("early_stopping")
def test_early_stopping_scores_and_keeps_the_best(estimator):
    data = problem(estimator, 60)
    model = fit(estimator, data, early_stopping=True, max_epochs=12, learning_rate=0.05)
    assert len(model.validation_scores_) == model.n_iter_
    assert model.validation_scores_[model.best_epoch_ - 1] == max(model.validation_scores_)
    plain = fit(estimator, data)
    assert plain.validation_scores_ is None
    assert plain.best_epoch_ == plain.n_iter_


@shows("early_stopping")
def test_early_stopping_restores_the_weights_of_the_best_epoch(estimator):
    X, y = problem(estimator, 40)
    held_out = [-x for x in X], y  # the better the network learns, the worse it scores here
    options = {"learning_rate": 0.05, "lr_schedule": None, "n_iter_no_change": 100}
    model = small(estimator, early_stopping=True, max_epochs=15, **options)
    model.fit(X, y, X_val=held_out[0], y_val=held_out[1])
    assert 1 <= model.best_epoch_ < model.n_iter_
    assert model.score(*held_out) == pytest.approx(max(model.validation_scores_), abs=1e-5)


@shows("validation_fraction")
@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_validation_fraction_is_set_aside(estimator, share):
    sizes = []

    class Sizes(Callback):
        def on_train_begin(self, net, X=None, **kwargs):
            sizes.append(len(X))

    options = {"early_stopping": True, "validation_fraction": share, "callbacks": [Sizes()]}
    fit(estimator, problem(estimator, 40), **options)
    assert sizes == [40 - np.ceil(40 * share)]


@shows("n_iter_no_change", "tol")
def test_early_stopping_ends_when_the_score_no_longer_improves(estimator):
    data = problem(estimator, 40)
    stalled = {"learning_rate": 1e-12, "max_epochs": 12, "early_stopping": True, "validation_fraction": 0.3}
    for n in (3, 8):
        model = fit(estimator, data, n_iter_no_change=n, **stalled)
        assert (model.n_iter_, model.stopped_by_) == (n + 1, "early_stopping")
    learning = {**stalled, "learning_rate": 0.01, "n_iter_no_change": 3}
    assert fit(estimator, data, tol=10.0, **learning).n_iter_ == 4
    for tol in (0.0, 0.2):
        scores = fit(estimator, data, tol=tol, **learning).validation_scores_
        gains = [True, *(score > max(scores[:k]) + tol for k, score in enumerate(scores[1:], 1))]
        stalled = [k + 3 for k in range(1, len(gains) - 2) if not any(gains[k : k + 3])]
        assert stalled == ([len(scores)] if len(scores) < 12 else stalled[:1])


@shows("n_iter_no_change", "tol")
def test_without_early_stopping_all_epochs_are_run(estimator):
    model = fit(estimator, learning_rate=1e-12, max_epochs=12, n_iter_no_change=2, tol=1e9)
    assert (model.n_iter_, model.stopped_by_) == (12, "max_epochs")


@shows("max_time")
def test_max_time_ends_a_fit_after_the_batch_in_which_it_is_used_up(estimator):
    model = fit(estimator, max_time=1e-9, batch_size=8, max_epochs=5)
    assert (model.n_iter_, model.stopped_by_) == (1, "max_time")
    assert np.isfinite(outputs(model, ragged(3))).all()
    model = fit(estimator, max_time=1e9)
    assert (model.n_iter_, model.stopped_by_) == (2, "max_epochs")


@shows("warm_start")
def test_warm_start_goes_on(estimator):
    data = problem(estimator, 40)
    options = {"lr_schedule": None, "dropout": 0.0, "learning_rate": 0.02}
    warm = fit(estimator, data, warm_start=True, max_epochs=8, **options)
    first = warm.loss_curve_
    warm.fit(*data)
    assert warm.loss_curve_[0] < first[0]
    assert warm.loss_curve_[-1] < first[-1]
    cold = fit(estimator, data, max_epochs=8, **options)
    again = weights(cold)
    np.testing.assert_array_equal(weights(cold.fit(*data)), again)


@shows("random_state")
def test_random_state_decides_all_draws(estimator):
    one, same, other = (fit(estimator, random_state=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(weights(one), weights(same))
    assert differs(one, other)
    assert differs(fit(estimator, random_state=None), fit(estimator, random_state=None))
    drawn = np.random.RandomState(3)
    first, second = fit(estimator, random_state=drawn), fit(estimator, random_state=drawn)
    assert differs(first, second)
    np.testing.assert_array_equal(weights(first), weights(fit(estimator, random_state=np.random.RandomState(3))))


@shows("random_state")
@pytest.mark.parametrize("early_stopping", [False, True])
def test_global_random_states_are_left_alone(estimator, early_stopping):
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    fit(estimator, problem(estimator, 40), early_stopping=early_stopping, recurrent_dropout=0.2).predict(ragged(2))
    assert torch.equal(torch.get_rng_state(), torch_state)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)


@shows("device")
def test_device_is_where_the_network_is(estimator):
    assert next(fit(estimator, device="cpu").module_.parameters()).device.type == "cpu"
    wanted = "cuda" if torch.cuda.is_available() else "cpu"
    assert next(fit(estimator, device="auto").module_.parameters()).device.type == wanted


@pytest.mark.gpu
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_gpu_learns_what_a_cpu_learns(estimator):
    options = {"dropout": 0.0, "dtype": "float64", "max_epochs": 3}
    one, other = fit(estimator, device="cpu", **options), fit(estimator, device="cuda", **options)
    np.testing.assert_allclose(outputs(one, ragged(5)), outputs(other, ragged(5)), atol=1e-6)


@shows("dtype")
def test_dtype_is_the_precision_of_training(estimator):
    for dtype in ("float32", "float64"):
        model = fit(estimator, dtype=dtype)
        assert {part.dtype for part in model.module_.parameters()} == {getattr(torch, dtype)}
    assert outputs(model, ragged(2)).dtype == np.float64


@shows("dtype")
def test_bfloat16_keeps_weights_in_float32_and_learns_the_same_but_for_rounding(estimator):
    options = {"dropout": 0.0, "learning_rate": 0.001, "max_epochs": 3}
    rough, fine = fit(estimator, dtype="bfloat16", **options), fit(estimator, dtype="float32", **options)
    assert {part.dtype for part in rough.module_.parameters()} == {torch.float32}
    assert rough.loss_curve_ != fine.loss_curve_
    np.testing.assert_allclose(rough.loss_curve_, fine.loss_curve_, rtol=0.02)


@shows("engine")
def test_engine_chooses_what_computes_and_not_what_comes_out(estimator, monkeypatch):
    pytest.importorskip("numba")
    runs = []
    share = Engine.share
    monkeypatch.setattr(Engine, "share", lambda *given, **options: runs.append(1) or share(*given, **options))
    models = {}
    for engine in ("fused", "torch"):
        runs.clear()
        models[engine] = fit(estimator, engine=engine, dropout=0.0, dtype="float64")
        assert bool(runs) == (engine == "fused")
    np.testing.assert_allclose(models["fused"].loss_curve_, models["torch"].loss_curve_, rtol=1e-9)
    np.testing.assert_allclose(*(outputs(model, ragged(5)) for model in models.values()), atol=1e-8)


@shows("n_threads")
@pytest.mark.parametrize("threads", [None, 1, 2])
def test_n_threads_is_honoured_and_restored(estimator, threads):
    seen = []

    class Spy(Callback):
        def on_epoch_end(self, net, **kwargs):
            seen.append(torch.get_num_threads())

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        fit(estimator, engine="torch", n_threads=threads, callbacks=[Spy()]).predict(ragged(2))
        assert set(seen) == {min(threads or 1, available_threads())}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@shows("data_parallel")
def test_data_parallel_needs_torchrun_and_leaves_an_earlier_fit(estimator):
    model = fit(estimator, data_parallel=False)
    before = model.net_
    with pytest.raises(ValueError, match="torchrun"):
        model.set_params(data_parallel=True).fit(*problem(estimator))
    assert model.net_ is before


class Stop(EarlyStopping):
    """skorch's early stopping, after the first epoch without an improvement."""


@shows("callbacks")
def test_callbacks_are_called_and_left_as_they_were(estimator):
    given = Stop(monitor="train_loss", patience=2, threshold=1e9)
    before = copy.deepcopy(vars(given))
    model = fit(estimator, callbacks=[given], max_epochs=20)
    assert model.n_iter_ < 20
    assert vars(given) == before
    assert any(isinstance(callback, Stop) for _, callback in model.net_.callbacks_)
    assert fit(estimator, callbacks=[("mine", Stop(monitor="train_loss", patience=2))]).n_iter_ == 2
    assert fit(estimator, callbacks=[Stop], early_stopping=True, validation_fraction=0.3).n_iter_ == 2


@shows("verbose")
def test_verbose_prints_a_line_an_epoch(estimator, capsys):
    fit(estimator, verbose=0, early_stopping=True, validation_fraction=0.3)
    quiet = capsys.readouterr()
    assert (quiet.out, quiet.err) == ("", "")
    fit(estimator, verbose=1, max_epochs=3)
    assert len(capsys.readouterr().out.splitlines()) >= 3


@shows("pooling", of=POOLED)
def test_pooling_makes_one_vector_of_the_states(estimator):
    X = ragged(6)
    expected = {
        "last": lambda states: np.concatenate([states[-1, :4], states[0, 4:]]),
        "mean": lambda states: states.mean(axis=0),
        "max": lambda states: states.max(axis=0),
    }
    for pooling, pool in expected.items():
        model = fit(estimator, pooling=pooling)
        by_hand = [pool(states) for states in model.transform_steps(X)]
        np.testing.assert_allclose(model.transform(X), by_hand, atol=1e-7)
    model = fit(estimator, pooling="concat")
    by_hand = [np.concatenate([expected[name](states) for name in expected]) for states in model.transform_steps(X)]
    np.testing.assert_allclose(model.transform(X), by_hand, atol=1e-7)
    model = fit(estimator, pooling="attention")
    by_hand = [w @ states for w, states in zip(model.attention_weights(X), model.transform_steps(X), strict=True)]
    np.testing.assert_allclose(model.transform(X), by_hand, atol=1e-7)


def share_of(model, X, label):
    """The mean probability of `label`."""
    column = model.classes_.tolist().index(label)
    return (
        np.vstack(list(model.predict_proba(X)))[:, column].mean()
        if model.predict_proba(X).dtype == object
        else (model.predict_proba(X)[:, column].mean())
    )


@shows("class_weight", of=WITH_CLASSES)
def test_class_weight_moves_predictions(estimator):
    X, y = problem(estimator, 40)
    options = {"max_epochs": 5, "learning_rate": 0.05}
    favoured = fit(estimator, (X, y), class_weight={"up": 20.0}, **options)
    assert share_of(favoured, X, "up") > share_of(fit(estimator, (X, y), **options), X, "up") + 0.05
    ignored = fit(estimator, (X, y), class_weight={"up": 0.0}, **options)
    assert share_of(ignored, X, "up") < share_of(fit(estimator, (X, y), **options), X, "up")


@shows("class_weight", of=WITH_CLASSES)
def test_balanced_class_weight_is_the_formula(estimator):
    X, y = problem(estimator, 40)
    if estimator is RNNClassifier:
        y[:15] = "up"
    else:
        y[:15] = [["up"] * len(labels) for labels in y[:15]]
    labels = np.concatenate([np.ravel(item) for item in y])
    names, counts = np.unique(labels, return_counts=True)
    by_hand = {name: len(labels) / (2 * count) for name, count in zip(names.tolist(), counts, strict=True)}
    balanced, dictionary = (fit(estimator, (X, y), class_weight=w) for w in ("balanced", by_hand))
    np.testing.assert_allclose(weights(balanced), weights(dictionary), atol=1e-6)
    assert differs(balanced, fit(estimator, (X, y)))


@shows("label_smoothing", of=WITH_CLASSES)
def test_label_smoothing_keeps_probabilities_from_the_ends(estimator):
    data = problem(estimator, 40)
    options = {"max_epochs": 60, "batch_size": 200, "learning_rate": 0.1, "dropout": 0.0, "hidden_size": 8}
    sharp, smooth = (outputs(fit(estimator, data, label_smoothing=s, **options), data[0]) for s in (0.0, 0.4))
    assert sharp.max() > 0.97
    assert smooth.max() < 0.95
    assert np.abs(smooth - 0.5).mean() < np.abs(sharp - 0.5).mean()


@shows("ignore_label", of=[RNNSequenceTagger])
def test_ignore_label_marks_steps_without_a_label(estimator):
    X, y = problem(estimator, 40)
    gaps = [[label if t % 2 else "?" for t, label in enumerate(labels)] for labels in y]
    model = fit(estimator, (X, gaps), ignore_label="?", max_epochs=5)
    assert model.classes_.tolist() == ["down", "up"]
    assert fit(estimator, (X, gaps)).classes_.tolist() == ["?", "down", "up"]
    counted = [
        (p, t) for ps, ts in zip(model.predict(X), gaps, strict=True) for p, t in zip(ps, ts, strict=True) if t != "?"
    ]
    assert model.score(X, gaps) == np.mean([p == t for p, t in counted])


@shows("scoring", of=[RNNSequenceTagger])
def test_scoring_chooses_the_score(estimator):
    X = ragged(30)
    y = [["B-x" if step > 0 else "O" for step in x[:, 0]] for x in X]
    model = fit(estimator, (X, y), max_epochs=20, learning_rate=0.05)
    assert model.score(X, y) == flat_accuracy_score(y, model.predict(X))
    spans = model.set_params(scoring="span_f1").score(X, y)
    assert spans == span_f1_score(y, model.predict(X)) != flat_accuracy_score(y, model.predict(X))


@shows("loss", of=[RNNRegressor])
def test_loss_chooses_what_is_predicted(estimator):
    """Of skewed targets that have nothing to do with X the mean, or the median; of a distribution the deviation too."""
    X = ragged(200)
    y = np.random.default_rng(0).exponential(size=200)
    options = {"max_epochs": 60, "batch_size": 200, "learning_rate": 0.02, "dropout": 0.0}
    mean, median = (fit(estimator, (X, y), loss=loss, **options) for loss in ("squared_error", "absolute_error"))
    assert mean.predict(X).mean() == pytest.approx(y.mean(), abs=0.12)
    assert median.predict(X).mean() == pytest.approx(np.median(y), abs=0.12)
    gaussian = fit(estimator, (X, y), loss="gaussian", **options)
    assert gaussian.module_.head.linear.out_features == 2
    assert gaussian.predict(X, return_std=True)[1].mean() == pytest.approx(y.std(), rel=0.3)


@shows("quantiles", of=[RNNRegressor])
def test_quantiles_are_those_that_are_learned(estimator):
    X, _ = problem(estimator)
    model = fit(estimator, loss="quantile", quantiles=[0.1, 0.5, 0.8])
    assert model.predict_quantiles(X).shape == (len(X), 3)
    assert model.module_.head.linear.out_features == 3


@shows("target", of=[RNNRegressor])
def test_target_says_what_a_table_of_numbers_belongs_to(estimator):
    X, y = np.random.default_rng(0).normal(size=(2, 12, 5))
    with pytest.warns(SequenceDataWarning, match="5 outputs of a whole sequence"):
        of_sequences = fit(estimator, (X, y))
    of_steps = fit(estimator, (X, y), target="step")
    assert (of_sequences.target_alignment_, of_steps.target_alignment_) == ("sequence", "step")
    assert fit(estimator, (X, y), target="sequence").target_alignment_ == "sequence"
    assert of_sequences.module_.head.linear.out_features == 5
    assert of_steps.module_.head.linear.out_features == 1
    assert of_steps.predict(X).shape == (12, 5)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_every_parameter_has_a_test(estimator):
    assert set(estimator().get_params()) == SHOWN[estimator]


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_every_fitted_attribute_is_documented(estimator):
    section = re.split(r"\n *Attributes\n", estimator.__doc__)[1].split("See Also")[0]
    described = set(re.findall(r"\b(\w+_)\b(?=.* : |, )", section))
    numeric = fit(estimator)
    y = {RNNClassifier: list("xyxy"), RNNRegressor: [0.0, 1, 2, 3]}.get(estimator, [["x", "y"]] * 4)
    words = [["a", "b"]] * 4, y
    tokens = small(estimator).fit(*words)
    table = {"pretrained_embeddings": {"a": [0.1, 0.2], "b": [0.3, 0.4]}}
    pretrained = clone(tokens).set_params(**table).fit(*words)
    learned = {
        name for model in (numeric, tokens, pretrained) for name in vars(model) if name.endswith("_") and name[0] != "_"
    }
    assert learned <= described
    members = {name for name, _ in inspect.getmembers_static(estimator, lambda m: isinstance(m, property))}
    assert described - learned <= members | {"feature_names_in_"}
