"""Whoever predicts while another thread fits does so with one fit, the old or the new one, and never with both."""

import sys
import threading

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from sklearn_rnn import PerStep, RNNClassifier, RNNRegressor, RNNSequenceTagger, SequenceBaggingClassifier
from sklearn_rnn._snapshots import learned, put_in_place, snapshot

rng = np.random.default_rng(0)
X = [rng.normal(size=(length, 2)) for length in rng.integers(2, 6, size=20)]
SUMS = np.array([x.sum() for x in X])
TWO, FOUR = np.arange(20) % 2, np.array(["x", "y", "z", "w"])[np.arange(20) % 4]
TAGS = [np.where(x[:, 0] > 0, "up", "down").tolist() for x in X]
OTHER_TAGS = [np.digitize(x[:, 0], [-1, 1]).tolist() for x in X]


@pytest.fixture
def quick_switches():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


def same(one, other):
    return np.shape(one) == np.shape(other) and all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.usefixtures("quick_switches")
@pytest.mark.parametrize(
    ("model", "targets", "method"),
    [
        (RNNClassifier(max_epochs=1), (TWO, FOUR), "predict"),
        (RNNClassifier(max_epochs=1), (TWO, FOUR), "predict_proba"),
        (RNNClassifier(max_epochs=1), (TWO, FOUR), "transform"),
        (RNNRegressor(max_epochs=1), (SUMS, np.column_stack([SUMS, -100 * SUMS])), "predict"),
        (RNNSequenceTagger(max_epochs=1), (TAGS, OTHER_TAGS), "predict"),
        (SequenceBaggingClassifier(RNNClassifier(max_epochs=1, hidden_size=3), n_estimators=2), (TWO, FOUR), "predict"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_predictions_are_those_of_one_fit(model, targets, method):
    sizes = {"hidden_size": (4, 9), "pooling": ("last", "mean")}
    sizes = {name: pair for name, pair in sizes.items() if name in model.get_params()}
    model.set_params(random_state=0)
    wanted = []
    for k in (1, 0):
        model.set_params(**{name: pair[k] for name, pair in sizes.items()}).fit(X, targets[k])
        wanted.append(getattr(model, method)(X))
    found, stop = [], threading.Event()

    def predict():
        while not stop.is_set():
            try:
                result = getattr(model, method)(X)
            except Exception as error:
                found.append(repr(error))
            else:
                found.append([same(result, expected) for expected in wanted])

    thread = threading.Thread(target=predict)
    thread.start()
    for k in range(1, 13):
        model.set_params(**{name: pair[k % 2] for name, pair in sizes.items()}).fit(X, targets[k % 2])
    stop.set()
    thread.join()
    assert len(found) > 5
    assert all(sum(equal) == 1 for equal in found), [equal for equal in found if sum(equal) != 1][:3]


@pytest.mark.usefixtures("quick_switches")
@pytest.mark.parametrize("several", [False, True])
def test_steps_are_transformed_by_one_fit(several):
    pair = X, [np.column_stack([x * 50 + 7, x]) for x in X]
    if several:
        pair = [{"a": x, "b": x} for x in pair]
    model = PerStep(StandardScaler(), inputs="a" if several else None)
    model.fit(pair[0])
    states, stop = [], threading.Event()

    def look():
        while not stop.is_set():
            fit = learned(model)
            inner = fit.get("_of_inputs", {"": None})["a"].transformer_ if several else fit["transformer_"]
            width = fit["input_spec_"].inputs["a"].n_features if several else fit["n_features_in_"]
            states.append(hasattr(inner, "mean_") and len(inner.mean_) == width)

    thread = threading.Thread(target=look)
    thread.start()
    for k in range(1, 41):
        model.fit(pair[k % 2])
        model.fit_transform(pair[1 - k % 2])
    stop.set()
    thread.join()
    assert len(states) > 5
    assert all(states)


def test_a_failed_fit_of_steps_leaves_the_old_one():
    model = PerStep(StandardScaler()).fit(X)
    before = dict(learned(model))
    with pytest.raises(ValueError, match="infinity"):
        model.fit([np.full((2, 3), np.inf)])
    assert learned(model) == before
    inner = model.transformer_
    model.partial_fit(X)
    assert model.transformer_ is not inner
    assert model.transformer_.n_samples_seen_ == 2 * inner.n_samples_seen_


def test_a_generator_stays_with_the_fit_that_it_began_with():
    model = RNNClassifier(hidden_size=4, max_epochs=1, random_state=0).fit(X, TWO)
    expected = list(model.staged_predict_proba(X))
    stages = model.staged_predict_proba(X)
    found = [next(stages)]
    model.set_params(hidden_size=7).fit(X, FOUR)
    found += stages
    np.testing.assert_array_equal(found, expected)


def test_a_fit_puts_in_place_what_it_learned_and_nothing_else():
    model = RNNClassifier(hidden_size=4, max_epochs=1).fit([["a", "b"], ["c"]] * 4, [0, 1] * 4)
    assert "vocabulary_" in vars(model)
    before = snapshot(model)
    model.fit(X, TWO)
    assert "vocabulary_" not in vars(model)
    assert before.predict([["a"]]).shape == (1,)
    put_in_place(model, learned(before))
    assert model.vocabulary_ == before.vocabulary_
    assert model.get_params() == before.get_params()
