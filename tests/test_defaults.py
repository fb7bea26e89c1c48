"""What "auto" comes to: a value that is given stays, the data decide the rest, and what is learned later keeps it.

The rules themselves, and their numbers, are nothing that a test knows better.
"""

import pickle
import re
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from samples import ESTIMATORS, outputs, problem, ragged, small
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV

from sklearn_rnn import RNNClassifier, RNNRegressor, RNNSequenceTagger
from sklearn_rnn.estimators import _defaults
from sklearn_rnn.estimators._defaults import (
    AUTO,
    BUDGETS,
    FEWEST_EPOCHS,
    MOST_EPOCHS,
    MOST_STEPS,
    RULES,
    Facts,
    budget_of,
    decide,
    ruled,
)

DEFAULTS = {estimator: estimator().get_params() for estimator in ESTIMATORS}
GIVEN = {
    "batch_size": 5,
    "max_epochs": 3,
    "learning_rate": 0.1,
    "hidden_size": [3, 2],
    "dropout": 0.35,
    "embedding_dropout": 0.15,
    "word_dropout": 0.45,
    "char_encoder": "lstm",
    "casing_features": True,
    "pooling": "attention",
    "conv_branch": False,
    "ngrams": 3,
    "label_smoothing": 0.05,
}
CITIES = ["Oslo", "Rome", "Lima"]
LASTING = [name for name, rule in RULES.items() if rule.lasting]

sizes = st.integers(1, 10**6)
all_facts = st.builds(
    Facts,
    embeds=st.booleans(),
    alignment=st.sampled_from(["sequence", "step"]),
    labels=st.booleans(),
    n_sequences=sizes,
    n_rows=sizes,
    n_characters=st.integers(0, 12),
)


@pytest.fixture
def brief(monkeypatch):
    """An "auto" of `max_epochs` that makes few of them, in the way of the rule."""
    for key, budget in BUDGETS.items():
        monkeypatch.setitem(_defaults.BUDGETS, key, replace(budget, steps=24, epochs=1))


def auto(estimator, **parameters):
    """An estimator that leaves all it can to the rules."""
    return estimator(conv_channels=4, random_state=0, **parameters)


def words(estimator, n=24, seed=0, tokens=("to", "from", *CITIES)):
    """Lists of tokens, and what the class `estimator` can learn of them."""
    rng = np.random.default_rng(seed)
    X = [rng.choice(tokens, size=length).tolist() for length in rng.integers(2, 7, size=n)]
    if estimator is RNNSequenceTagger:
        return X, [["city" if token in CITIES else "other" for token in x] for x in X]
    counts = np.array([sum(token in CITIES for token in x) for x in X])
    return X, (counts > 1 if estimator is RNNClassifier else counts.astype(float))


def decided(model):
    """What each "auto" came to."""
    return {name: getattr(model, f"{name}_") for name in ruled(model)}


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_each_rule_is_of_a_parameter_that_is_auto_by_default(estimator):
    assert set(RULES) - set(ruled(estimator)) <= {"pooling", "ngrams", "label_smoothing"}
    assert all(DEFAULTS[estimator][name] == AUTO for name in ruled(estimator))
    assert GIVEN.keys() == RULES.keys()


@pytest.mark.parametrize("estimator", ESTIMATORS)
@given(facts=all_facts, given_ones=st.sets(st.sampled_from(list(RULES))), both=st.booleans())
@settings(deadline=None, max_examples=60)
def test_what_is_given_stays_and_the_rest_is_a_value_that_could_be_given(estimator, facts, given_ones, both):
    parameters = {**DEFAULTS[estimator], "bidirectional": both}
    kept = {name: GIVEN[name] for name in given_ones if name in parameters}
    found = decide({**parameters, **kept}, facts, {})
    assert list(found) == ruled(estimator)
    of_sequences = {"pooling", "ngrams"} if facts.alignment == "step" else set()
    assert all(found.pop(name, None) is None for name in of_sequences)
    assert all(found[name] == value for name, value in kept.items() if name not in of_sequences)
    assert AUTO not in [value for value in found.values() if isinstance(value, str)]
    estimator(**found)._validate_params()


@given(facts=all_facts, batch_size=st.integers(1, 4096))
@settings(deadline=None, max_examples=200)
def test_epochs_spend_the_budget_of_steps_within_its_limits(facts, batch_size):
    budget, n_batches = budget_of(facts), -(-facts.n_rows // batch_size)
    epochs = decide({**DEFAULTS[RNNClassifier], "batch_size": batch_size}, facts, {})["max_epochs"]
    assert isinstance(epochs, int)
    assert 1 <= epochs <= MOST_EPOCHS
    assert epochs == 1 or epochs * n_batches <= MOST_STEPS
    wanted = max(budget.steps, min(budget.epochs * n_batches, budget.most))
    assert epochs == MOST_EPOCHS or epochs * n_batches > wanted - n_batches or epochs == MOST_STEPS // n_batches
    assert epochs <= FEWEST_EPOCHS or epochs * n_batches < wanted + n_batches
    if FEWEST_EPOCHS * n_batches <= MOST_STEPS:
        assert epochs >= FEWEST_EPOCHS


@given(facts=all_facts, more=sizes)
@settings(deadline=None, max_examples=60)
def test_more_rows_take_no_more_epochs(facts, more):
    parameters = {**DEFAULTS[RNNClassifier], "batch_size": 32}
    less, greater = (decide(parameters, replace(facts, n_rows=n), {}) for n in (facts.n_rows, facts.n_rows + more))
    assert greater["max_epochs"] <= less["max_epochs"]


@given(facts=all_facts)
@settings(deadline=None, max_examples=60)
def test_convolutions_and_ngrams_are_left_out_where_they_would_look_too_far(facts):
    for parameters in ({"bidirectional": False}, {"tbptt_steps": 5}):
        found = decide({**DEFAULTS[RNNClassifier], **parameters}, facts, {})
        assert found["conv_branch"] is False
        assert not found["ngrams"]
    assert decide({**DEFAULTS[RNNClassifier], "bidirectional": False, "conv_branch": True}, facts, {})["conv_branch"]


@given(facts=all_facts, names=st.sets(st.sampled_from(LASTING)))
@settings(deadline=None, max_examples=30)
def test_what_is_known_otherwise_goes_before_a_rule_and_after_what_is_given(facts, names):
    assume(facts.alignment == "sequence")
    fixed = {name: GIVEN[name] for name in names}
    found = decide(DEFAULTS[RNNClassifier], facts, fixed)
    assert {name: found[name] for name in names} == fixed
    given_ones = {**DEFAULTS[RNNClassifier], **dict.fromkeys(names, "mine")}
    assert all(decide(given_ones, facts, fixed)[name] == "mine" for name in names)


def facts_of(estimator, X, y, weight=None):
    """What a fit finds out before it asks the rules."""
    reader = estimator()
    target, whole = reader._read_examples(X, y, weight, reset=True)
    return Facts.of(replace(whole, groups=None).merged(), reader.input_spec_, target)


tokens = st.lists(st.sampled_from(["a", "to", "Oslo", "Trondheim"]), min_size=1, max_size=4)


@pytest.mark.parametrize("numbers", [False, True])
@given(rows=st.lists(tokens, min_size=1, max_size=6), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=25)
def test_facts_know_no_order_and_a_weight_is_a_repeat(numbers, rows, seed):
    rng = np.random.default_rng(seed)
    times = rng.integers(1, 4, size=len(rows))
    X = [np.array([[float(len(token))] for token in row]) for row in rows] if numbers else rows
    y = [["long" if len(token) > 2 else "short" for token in row] for row in rows]
    weighted = facts_of(RNNSequenceTagger, X, y, times)
    order = rng.permutation(np.repeat(np.arange(len(rows)), times))
    assert facts_of(RNNSequenceTagger, [X[i] for i in order], [y[i] for i in order]) == weighted
    absent = [*X, X[0][:0], np.full((40, 1), 9.0) if numbers else ["Constantinople"] * 40]
    labels = [*y, [], ["long"] * 40]
    assert facts_of(RNNSequenceTagger, absent, labels, [*times, 5, 0]) == weighted
    assert (weighted.n_rows, weighted.n_sequences) == (times.sum(), len(set(map(tuple, rows))))
    assert weighted.n_characters == (
        0 if numbers else int(np.median([len(t) for row in set(map(tuple, rows)) for t in row]))
    )


def test_facts_of_every_kind_of_steps():
    X, y = words(RNNClassifier, n=8)
    lengths = [[float(len(token)) for token in x] for x in X]
    ids = [[len(token) for token in x] for x in X]
    found = {
        "tokens": facts_of(RNNClassifier, X, y),
        "numbers": facts_of(RNNClassifier, lengths, y),
        "mixed": facts_of(RNNClassifier, {"length": lengths, "word": X}, y),
    }
    assert {kind: facts.embeds for kind, facts in found.items()} == {"tokens": True, "numbers": False, "mixed": True}
    assert found["mixed"].n_characters == found["tokens"].n_characters > 1
    reader = RNNClassifier(embedding_dim=2)
    target, data = reader._read_examples(ids, y, None, reset=True)
    facts = Facts.of(data.merged(), reader.input_spec_, target)
    assert (facts.n_characters, facts.embeds) == (0, True)


def test_a_window_is_a_row():
    X, y = [np.arange(10.0)[:, None], np.arange(4.0)[:, None]], [["a"] * 5 + ["b"] * 5, ["a"] * 4]
    reader = RNNSequenceTagger(max_length=4, stride=3)
    target, data = reader._read_examples(X, y, None, reset=True)
    assert Facts.of(data.merged(), reader.input_spec_, target).n_rows == 3 + 1


@pytest.mark.usefixtures("brief")
@pytest.mark.parametrize("data", [problem, words])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_auto_is_what_the_fitted_attributes_say(estimator, data):
    """A fit to which all of it is given is the same to the last bit."""
    X, y = data(estimator)
    model = auto(estimator, verbose=0).fit(X, y)
    assert {getattr(model, name) for name in ruled(model)} == {AUTO}
    assert model.n_iter_ == model.max_epochs_
    told = auto(estimator, **decided(model)).fit(X, y)
    assert decided(told) == decided(model)
    assert told.loss_curve_ == model.loss_curve_
    np.testing.assert_array_equal(outputs(told, X), outputs(model, X))
    assert (model.module_.convolutions is not None) == model.conv_branch_
    assert (model.module_.ngrams is not None) == bool(getattr(model, "ngrams_", 0))
    again = pickle.loads(pickle.dumps(model))
    assert decided(again) == decided(model)
    copied = clone(again)
    assert copied.get_params() == model.get_params()
    assert not [name for name in vars(copied) if name.endswith("_")]


@pytest.mark.usefixtures("brief")
def test_a_fit_decides_by_the_rows_that_it_trains_on():
    X, y = problem(RNNClassifier, n=40)
    whole = auto(RNNClassifier, hidden_size=2, batch_size=4).fit(X, y)
    part = auto(RNNClassifier, hidden_size=2, batch_size=4, early_stopping=True, validation_fraction=0.5).fit(X, y)
    assert part.max_epochs_ > whole.max_epochs_
    whole.set_params(max_epochs=1, dropout=0.3)
    assert (whole.max_epochs_, whole.dropout_) != (1, 0.3), "what was learned is that of the fit"
    assert (whole.fit(X, y).max_epochs_, whole.dropout_) == (1, 0.3)


@pytest.mark.parametrize("target", ["sequence", "step"])
def test_there_is_no_pooling_of_targets_of_steps(target):
    X = ragged(8)
    y = [x[:, 0] for x in X] if target == "step" else [x[0, 0] for x in X]
    for pooling in (AUTO, "mean"):
        model = small(RNNRegressor, pooling=pooling, max_epochs=1).fit(X, y)
        if target == "step":
            assert model.pooling_ is None
            assert model.pooling == pooling
            assert model.conv_branch_ is False
        else:
            assert model.pooling_ == ("mean" if pooling == "mean" else decided(model)["pooling"]) != AUTO
        assert model.transform(X).shape[0] == len(X)
    assert not hasattr(small(RNNSequenceTagger), "pooling")


@pytest.mark.usefixtures("brief")
def test_going_on_keeps_what_describes_the_network():
    """Tokens of one letter alone would have no characters."""
    X, y = words(RNNSequenceTagger)
    letters = words(RNNSequenceTagger, n=90, tokens=["a", "b"])
    model = auto(RNNSequenceTagger, warm_start=True).fit(X, y)
    anew = auto(RNNSequenceTagger).fit(*letters)
    first, other = decided(model), decided(anew)
    assert first["char_encoder"] != other["char_encoder"]
    model.fit(letters[0], [["other", *labels[1:]] for labels in letters[1]])
    later = decided(model)
    assert {name: later[name] for name in first if RULES[name].lasting} == {
        name: first[name] for name in first if RULES[name].lasting
    }
    assert later["max_epochs"] == other["max_epochs"] != first["max_epochs"]
    model.partial_fit(*letters)
    assert (model.max_epochs_, model.char_encoder_, model.max_epochs) == (1, first["char_encoder"], AUTO)
    model.set_params(dropout=0.25).fit(X, y)
    assert model.dropout_ == 0.25


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_partial_fit_decides_at_its_first_call(estimator):
    X, y = problem(estimator)
    model = auto(estimator).partial_fit(X, y)
    first = decided(model)
    assert (model.max_epochs_, model.n_iter_) == (1, 1)
    model.partial_fit(X[:5], y[:5])
    assert all(decided(model)[name] == first[name] for name in first if RULES[name].lasting)


def test_a_pretrained_network_keeps_its_layers_and_inputs():
    X, y = words(RNNSequenceTagger)
    own = {"hidden_size": 5, "char_encoder": None, "casing_features": True}
    source = auto(RNNSequenceTagger, max_epochs=1, **own).fit(X, y)
    for pretrained in (source, FrozenEstimator(source)):
        model = auto(RNNSequenceTagger, pretrained=pretrained, max_epochs=1).fit(X, y)
        assert {name: value for name, value in decided(model).items() if name in own} == own
    of_numbers = problem(RNNClassifier)
    for branch in (False, True):
        source = auto(RNNClassifier, hidden_size=[3, 2], conv_branch=branch, max_epochs=1).fit(*of_numbers)
        model = auto(RNNRegressor, pretrained=source, max_epochs=1).fit(*problem(RNNRegressor))
        assert (model.conv_branch_, model.hidden_size_) == (branch, [3, 2])


def test_a_search_may_choose_between_auto_and_a_value():
    X, y = problem(RNNClassifier, n=30)
    grid = {"dropout": [AUTO, 0.0], "pooling": [AUTO, "last"]}
    search = GridSearchCV(small(RNNClassifier), grid, cv=2, error_score="raise").fit(X, y)
    assert [tuple(tried.values()) for tried in search.cv_results_["params"]] == [
        (dropout, pooling) for dropout in grid["dropout"] for pooling in grid["pooling"]
    ]
    best = search.best_estimator_
    assert best.dropout in (AUTO, 0.0)
    assert best.dropout_ == (0.0 if best.dropout == 0.0 else small(RNNClassifier).fit(X, y).dropout_)
    model = small(RNNClassifier).set_params(dropout=0.1).set_params(dropout=AUTO)
    assert model.get_params()["dropout"] == AUTO


def test_a_line_says_what_auto_is(capsys):
    X, y = problem(RNNClassifier)
    model = small(RNNClassifier, verbose=1).fit(X, y)
    lines = [line for line in capsys.readouterr().out.splitlines() if '"auto"' in line]
    assert len(lines) == 1
    said = dict(re.findall(r"(\w+)=([^,]+)", lines[0]))
    left = [name for name in ruled(model) if getattr(model, name) == AUTO]
    assert said == {name: repr(getattr(model, f"{name}_")) for name in left}
    small(RNNClassifier, verbose=1, **{name: getattr(model, f"{name}_") for name in left}).fit(X, y)
    assert '"auto"' not in capsys.readouterr().out


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_fitted_attribute_for_each_rule_is_in_the_docs(estimator):
    section = re.split(r"\n *Attributes\n", estimator.__doc__)[1]
    own = {declared.name for declared in fields(estimator)}
    assert all((f"{name}_" in section) == (name in own) for name in RULES)
