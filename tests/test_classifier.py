"""Behaviour of RNNClassifier."""

import functools

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from samples import CELLS, outputs, problem, ragged, small, weights
from scipy.sparse import csr_array
from skorch.callbacks import Callback

from sklearn_rnn import RNNClassifier, Sequences

LEARNS = {"hidden_size": 8, "max_epochs": 40, "learning_rate": 0.02}


def three_classes(X):
    level = np.array([x[:, 0].mean() for x in X])
    return np.digitize(level, np.quantile(level, [0.33, 0.67]))


def two_labels(X):
    return np.array([[x[:, 0].mean() > 0, x[:, 1].mean() > 0] for x in X]).astype(int)


@pytest.mark.parametrize("cell_type", CELLS)
@pytest.mark.parametrize("target", ["binary", "multiclass", "multilabel"])
def test_learns(cell_type, target):
    X = ragged(60)
    y = {"binary": problem(RNNClassifier, 60)[1], "multiclass": three_classes(X), "multilabel": two_labels(X)}[target]
    model = small(RNNClassifier, cell_type=cell_type, **LEARNS).fit(X, y)
    assert model.score(X, y) > 0.85


@pytest.mark.parametrize("n_classes", [2, 3])
def test_methods_agree(n_classes):
    X = ragged(30)
    y = three_classes(X) % n_classes
    model = small(RNNClassifier).fit(X, y)
    scores, proba = model.decision_function(X), model.predict_proba(X)
    assert scores.shape == ((30,) if n_classes == 2 else (30, 3))
    assert proba.shape == (30, n_classes)
    assert_allclose(proba.sum(axis=1), 1)
    assert_allclose(np.exp(model.predict_log_proba(X)), proba)
    assert_array_equal(model.predict(X), model.classes_[proba.argmax(axis=1)])
    if n_classes == 2:
        assert_allclose(proba[:, 1], 1 / (1 + np.exp(-scores)))
    else:
        exponent = np.exp(scores)
        assert_allclose(proba, exponent / exponent.sum(axis=1, keepdims=True))


def test_methods_agree_on_labels_that_do_not_exclude_each_other():
    X = ragged(30)
    y = two_labels(X)
    model = small(RNNClassifier).fit(X, y)
    assert_allclose(model.predict_proba(X), 1 / (1 + np.exp(-model.decision_function(X))))
    assert_allclose(np.exp(model.predict_log_proba(X)), model.predict_proba(X))
    assert_array_equal(model.predict(X), (model.predict_proba(X) > 0.5).astype(int))
    assert model.predict(X).shape == y.shape
    assert_array_equal(model.classes_, [0, 1])


def test_log_probabilities_do_not_round_to_minus_infinity():
    X, y = problem(RNNClassifier)
    model = small(RNNClassifier, cell_type="rnn", nonlinearity="relu").fit(X, y)
    with torch.no_grad():
        model.module_.head.linear.weight.mul_(1e5)
    log_proba = model.predict_log_proba(X)
    assert (model.predict_proba(X) == 0).any()
    assert np.isfinite(log_proba).all()


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        (["no", "yes"], "U"),
        ([False, True], "b"),
        ([3, -7], "i"),
        ([0.0, 2.0], "f"),
        (np.array(["no", "yes"], dtype=object), "O"),
        (np.array(["no", "yes"], dtype=np.dtypes.StringDType()), "O"),
        (np.array([0, 1], dtype=np.uint8), "u"),
    ],
)
def test_labels_of_any_type_come_back(labels, kind):
    X = ragged(20)
    y = np.asarray(labels)[np.arange(20) % 2]
    model = small(RNNClassifier).fit(X, y)
    assert model.classes_.dtype.kind == kind
    assert model.classes_.tolist() == sorted(set(y.tolist()))
    predicted = model.predict(X)
    assert predicted.dtype == model.classes_.dtype
    assert set(predicted.tolist()) <= set(y.tolist())


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(["no", "yes"] * 10),
        pd.Series(["no", "yes"] * 10, dtype="category"),
        pd.Categorical(["no", "yes"] * 10),
        pd.Series([0, 1] * 10, dtype="Int64"),
        pd.Series([False, True] * 10, dtype="boolean"),
        pd.Series([0.0, 1.0] * 10, index=range(40, 20, -1)),
        pl.Series(["no", "yes"] * 10),
        ["no", "yes"] * 10,
        ("no", "yes") * 10,
        torch.tensor([0, 1] * 10),
    ],
    ids=lambda column: f"{type(column).__module__.split('.')[0]}-{getattr(column, 'dtype', '')}",
)
def test_columns_of_labels_are_read_as_their_values(column):
    X = ragged(20)
    model = small(RNNClassifier).fit(X, column)
    plain = np.array([x.item() if hasattr(x, "item") else x for x in column])
    assert_array_equal(model.classes_, np.unique(plain))
    assert_array_equal(outputs(model, X), outputs(small(RNNClassifier).fit(X, plain), X))


@pytest.mark.parametrize("wrap", [csr_array, pd.DataFrame, lambda y: y.tolist(), lambda y: y.astype(bool)])
def test_indicators_of_labels_in_any_container(wrap):
    X = ragged(20)
    y = two_labels(X)
    assert_array_equal(outputs(small(RNNClassifier).fit(X, wrap(y)), X), outputs(small(RNNClassifier).fit(X, y), X))


def test_the_names_of_the_classes_change_nothing():
    X = ragged(20)
    y = three_classes(X)
    numbers, words = (small(RNNClassifier).fit(X, labels) for labels in (y, np.array(["a", "b", "c"])[y]))
    assert_array_equal(weights(numbers), weights(words))


@pytest.mark.parametrize("pooling", ["last", "mean", "max", "concat", "attention"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_staged_probabilities_are_those_of_prefixes(bidirectional, pooling):
    X, y = problem(RNNClassifier)
    model = small(RNNClassifier, bidirectional=bidirectional, pooling=pooling).fit(X, y)
    stages = list(model.staged_predict_proba(X))
    assert len(stages) == max(len(x) for x in X)
    for t, stage in enumerate(stages, start=1):
        assert_allclose(stage, model.predict_proba([x[:t] for x in X]), atol=1e-12)
    assert_allclose(stages[-1], model.predict_proba(X), atol=1e-12)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_parameters_set_after_a_fit_wait_for_the_next(bidirectional):
    X, y = problem(RNNClassifier)
    model = small(RNNClassifier, bidirectional=bidirectional, pooling="last").fit(X, y)
    model.set_params(bidirectional=not bidirectional, cell_type="lstm", hidden_size=9, pooling="attention", dropout=0.9)
    for t, stage in enumerate(model.staged_predict_proba(X), start=1):
        assert_allclose(stage, model.predict_proba([x[:t] for x in X]), atol=1e-12)
    assert not hasattr(model, "attention_weights")
    assert model.transform(X).shape == (24, 8 if bidirectional else 4)
    assert hasattr(model.fit(X, y), "attention_weights")


def test_staged_probabilities_are_made_one_by_one():
    X, y = problem(RNNClassifier)
    stages = small(RNNClassifier).fit(X, y).staged_predict_proba(X)
    assert next(stages).shape == (24, 2)


def test_attention_weights_sum_to_1():
    X, y = problem(RNNClassifier)
    given = small(RNNClassifier, pooling="attention").fit(X, y).attention_weights(X)
    assert given.shape == (24,)
    assert given.dtype == object
    for w, x in zip(given, X, strict=True):
        assert w.shape == (len(x),)
        assert w.sum() == pytest.approx(1)
        assert w.min() > 0


@pytest.mark.parametrize("cell_type", CELLS)
def test_hidden_states_can_be_had(cell_type):
    X, y = problem(RNNClassifier)
    model = small(RNNClassifier, cell_type=cell_type, pooling="mean").fit(X, y)
    states = model.transform_steps(X)
    assert (states.shape, states.dtype) == ((24,), object)
    assert [state.shape for state in states] == [(len(x), 8) for x in X]
    assert_allclose(model.transform(X), [state.mean(axis=0) for state in states])
    head = model.module_.head.linear
    by_hand = model.transform(X) @ head.weight.detach().double().numpy()[0] + head.bias.item()
    assert_allclose(model.decision_function(X), by_hand)
    assert model.get_feature_names_out().tolist() == [f"rnnclassifier{i}" for i in range(8)]


@pytest.mark.parametrize("transform_output", ["pandas", "polars"])
def test_vectors_as_frames(transform_output):
    X, y = problem(RNNClassifier)
    model = small(RNNClassifier, pooling="last").fit(X, y).set_output(transform=transform_output)
    assert list(model.transform(X).columns) == [f"rnnclassifier{i}" for i in range(8)]


def same_fit(one, other, X):
    assert_array_equal(weights(one), weights(other))
    assert_array_equal(outputs(one, X), outputs(other, X))
    assert one.loss_curve_ == other.loss_curve_


@pytest.mark.parametrize("options", [{}, {"early_stopping": True}, {"class_weight": "balanced"}])
def test_a_weight_of_2_is_a_repeated_sequence_and_of_0_an_absent_one(options):
    X, y = problem(RNNClassifier, 40)
    weight = np.random.default_rng(0).integers(0, 3, size=40)
    weighted = small(RNNClassifier, **options).fit(X, y, sample_weight=weight)
    repeated = small(RNNClassifier, **options).fit(
        [x for x, n in zip(X, weight, strict=True) for _ in range(n)], np.repeat(y, weight)
    )
    same_fit(weighted, repeated, X)


def test_the_scale_of_the_weights_changes_nothing():
    X, y = problem(RNNClassifier)
    weight = np.random.default_rng(0).uniform(0.5, 3.0, size=24)  # no counts, of which copies would be made
    same_fit(*(small(RNNClassifier).fit(X, y, sample_weight=scale * weight) for scale in (1, 8)), X)


def test_the_order_of_the_sequences_changes_nothing():
    X, y = problem(RNNClassifier)
    order = np.random.default_rng(0).permutation(24)
    same_fit(small(RNNClassifier).fit(X, y), small(RNNClassifier).fit([X[i] for i in order], y[order]), X)


def test_a_class_without_weight_is_not_a_class():
    X = ragged(30)
    y = three_classes(X)
    model = small(RNNClassifier).fit(X, y, sample_weight=(y != 1).astype(float))
    assert model.classes_.tolist() == [0, 2]


class Split(Callback):
    """Note which sequences are trained on, by the first value of each."""

    def __init__(self):
        self.seen = set()

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        if training:
            self.seen |= set(batch.values[:, 0, 0].double().tolist())


def trained_on(X, y, **fit_parameters):
    """For each sequence whether it was trained on, and not held out."""
    split = Split()
    options = {"early_stopping": True, "validation_fraction": 0.3, "standardize": False}
    small(RNNClassifier, callbacks=[split], **options).fit(X, y, **fit_parameters)
    return np.array([float(np.float32(x[0, 0])) in split.seen for x in X])


@pytest.mark.parametrize("groups", [np.arange(40) // 4, [f"speaker {i % 10}" for i in range(40)], ["a", *range(9)] * 4])
def test_groups_stay_whole_in_the_inner_split(groups):
    X, y = problem(RNNClassifier, 40)
    trained = trained_on(X, y, groups=groups)
    assert 0 < trained.sum() < 40
    sides = {}
    for group, side in zip(list(groups), trained, strict=True):
        sides.setdefault(group, set()).add(bool(side))
    assert all(len(side) == 1 for side in sides.values())


def test_the_inner_split_is_stratified():
    X = ragged(60)
    y = np.array(["rare"] * 6 + ["common"] * 54)
    trained = trained_on(X, y)
    assert trained[:6].sum() == 4
    assert trained[6:].sum() == 38


def test_validation_data_are_scored_and_not_trained_on():
    X, y = problem(RNNClassifier, 40)
    held_out, y_held_out = problem(RNNClassifier, 20, seed=1)
    plain = small(RNNClassifier).fit(X, y)
    watched = small(RNNClassifier).fit(X, y, X_val=held_out, y_val=y_held_out)
    assert_array_equal(weights(plain), weights(watched))
    assert len(watched.validation_scores_) == 2
    assert watched.validation_scores_[-1] == pytest.approx(watched.score(held_out, y_held_out))
    weight = np.arange(20.0)
    weighted = small(RNNClassifier).fit(X, y, X_val=held_out, y_val=y_held_out, sample_weight_val=weight)
    assert weighted.validation_scores_[-1] == pytest.approx(weighted.score(held_out, y_held_out, weight))


def test_all_of_the_data_are_trained_on_where_validation_data_are_given():
    X, y = problem(RNNClassifier, 40)
    assert trained_on(X, y, X_val=X[:5], y_val=y[:5]).all()


def test_class_weight_of_labels_weighs_the_sequences_that_carry_them():
    X = ragged(30)
    y = two_labels(X)
    by_label = small(RNNClassifier, class_weight={1: 3.0}, standardize=False).fit(X, y)
    by_sequence = small(RNNClassifier, standardize=False).fit(X, y, sample_weight=np.where(y[:, 1] > 0, 1.5, 0.5))
    assert_allclose(weights(by_label), weights(by_sequence), atol=1e-6)
    small(RNNClassifier, class_weight="balanced").fit(X, y)


@pytest.mark.parametrize("make", [list, tuple, pd.Series, Sequences.from_arrays])
def test_formats_of_the_same_sequences_give_the_same_model(make):
    X, y = problem(RNNClassifier)
    model = small(RNNClassifier).fit(make(X), y)
    same_fit(model, small(RNNClassifier).fit(X, y), X)
    assert_array_equal(model.predict_proba(make(X)), model.predict_proba(X))


def test_partial_fit_goes_on_and_knows_the_classes_to_come():
    X, y = problem(RNNClassifier, 40)
    model = small(RNNClassifier, dropout=0.0).partial_fit(X[:20], ["up"] * 20, classes=["down", "up"])
    assert model.classes_.tolist() == ["down", "up"]
    first = model.loss_curve_[-1]
    for _ in range(20):
        model.partial_fit(X, y)
    assert model.n_iter_ == 1
    assert model.loss_curve_[-1] < first or model.score(X, y) > 0.6


def test_partial_fit_with_state_is_fit_without_schedule():
    """The optimizer's state goes on from call to call, as from epoch to epoch."""
    X, y = problem(RNNClassifier, 20)
    options = {"dropout": 0.0, "lr_schedule": None, "batch_size": 20}
    model = small(RNNClassifier, max_epochs=3, **options).fit(X, y)
    steps = small(RNNClassifier, **options)
    for _ in range(3):
        steps.partial_fit(X, y)
    assert_allclose(weights(steps), weights(model), atol=1e-5)


def test_fit_after_partial_fit_begins_anew():
    X, y = problem(RNNClassifier)
    model = small(RNNClassifier).partial_fit(X, y)
    same_fit(model.fit(X, y), small(RNNClassifier).fit(X, y), X)


def test_a_refit_to_other_sequences_forgets_the_first():
    X, y = problem(RNNClassifier)
    model = small(RNNClassifier).fit([["a", "b"], ["b"]] * 12, y)
    model.fit(pd.DataFrame(np.ones((24, 2)) * np.arange(24)[:, None], columns=["p", "q"]), y)
    assert not hasattr(model, "vocabulary_")
    model.fit(X, y)
    assert not hasattr(model, "feature_names_in_")
    assert model.n_features_in_ == 3
    same_fit(model, small(RNNClassifier).fit(X, y), X)


@functools.cache
def fitted_once(cell_type):
    X, y = problem(RNNClassifier)
    return small(RNNClassifier, cell_type=cell_type, pooling="attention").fit(X, y)


@given(
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=9),
    dtype=st.sampled_from(["f2", "f4", "f8", ">f8", "i1", "i8", "u2", "?"]),
    cell_type=st.sampled_from(CELLS),
    seed=st.integers(0, 2**16),
)
@settings(deadline=None, max_examples=40)
def test_any_sequences_are_predicted_as_if_alone(lengths, dtype, cell_type, seed):
    rng = np.random.default_rng(seed)
    X = [rng.integers(0, 5, size=(length, 3)).astype(dtype) for length in lengths]
    model = fitted_once(cell_type)
    alone = np.vstack([model.predict_proba([x.astype(np.float64)]) for x in X])
    assert_allclose(model.predict_proba(X), alone, atol=1e-12)
    assert_allclose(list(model.staged_predict_proba(X))[-1], alone, atol=1e-12)


def test_unknown_tokens_are_read_as_none_that_was_seen():
    model = small(RNNClassifier).fit([["a", "b"], ["b"]] * 6, list("xy") * 6)
    assert_array_equal(model.predict_proba([["?"]]), model.predict_proba([["!"]]))
