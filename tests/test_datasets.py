"""Synthetic sequences: each answer follows from its sequence."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_rnn.datasets import make_adding_problem, make_tagging, make_temporal_order
from sklearn_rnn.metrics import span_f1_score

seeds = st.integers(0, 2**32 - 1)


@given(n_sequences=st.integers(1, 20), n_steps=st.integers(2, 30), ragged=st.booleans(), seed=seeds)
@settings(deadline=None)
def test_the_target_is_the_sum_of_one_marked_number_in_each_half(n_sequences, n_steps, ragged, seed):
    X, y = make_adding_problem(n_sequences, n_steps, ragged=ragged, random_state=seed)
    assert isinstance(X, list) if ragged else X.shape == (n_sequences, n_steps, 2)
    assert y.shape == (n_sequences,)
    for sequence, target in zip(X, y, strict=True):
        numbers, marks = sequence.T
        assert numbers.min() >= 0
        assert numbers.max() < 1
        assert set(marks) <= {0, 1}
        half = len(sequence) // 2
        assert marks[:half].sum() == marks[half:].sum() == 1
        assert target == pytest.approx(numbers @ marks)
        assert max(2, n_steps // 2) <= len(sequence) <= n_steps


def test_a_constant_guess_leaves_a_sixth():
    y = make_adding_problem(20_000, 10, random_state=0)[1]
    assert y.mean() == pytest.approx(1, abs=0.01)
    assert np.mean((y - 1) ** 2) == pytest.approx(1 / 6, abs=0.01)


def test_marks_and_lengths_cover_their_range():
    X, _ = make_adding_problem(2000, 9, random_state=0)
    assert X[:, :, 1].any(axis=0).all()
    ragged, _ = make_adding_problem(500, 9, ragged=True, random_state=0)
    assert {len(sequence) for sequence in ragged} == set(range(4, 10))


@given(
    n_sequences=st.integers(1, 20),
    n_relevant=st.integers(1, 4),
    extra=st.integers(0, 20),
    ragged=st.booleans(),
    seed=seeds,
)
@settings(deadline=None)
def test_the_class_is_the_order_of_the_relevant_symbols(n_sequences, n_relevant, extra, ragged, seed):
    n_steps = 2 * n_relevant + 2 + extra
    X, y = make_temporal_order(
        n_sequences, n_steps, n_relevant=n_relevant, ragged=ragged, tokens=True, random_state=seed
    )
    for symbols, order in zip(X, y, strict=True):
        assert symbols[0] == "E"
        assert symbols[-1] == "B"
        assert set(symbols[1:-1]) <= set("XYabcd")
        relevant = [symbol for symbol in symbols if symbol in "XY"]
        assert len(relevant) == n_relevant
        assert order == int("".join("01"["XY".index(symbol)] for symbol in relevant), 2)
        assert max(2 * n_relevant + 2, n_steps // 2 if ragged else n_steps) <= len(symbols) <= n_steps


@pytest.mark.parametrize("ragged", [True, False])
def test_vectors_are_the_symbols_one_hot(ragged):
    options = {"ragged": ragged, "random_state": 3}
    tokens, y = make_temporal_order(10, 12, tokens=True, **options)
    vectors, same = make_temporal_order(10, 12, **options)
    np.testing.assert_array_equal(y, same)
    assert isinstance(vectors, list) if ragged else vectors.shape == (10, 12, 8)
    for symbols, steps in zip(tokens, vectors, strict=True):
        np.testing.assert_array_equal(steps.sum(axis=1), 1)
        assert ["BEXYabcd"[k] for k in steps.argmax(axis=1)] == symbols


@pytest.mark.parametrize("n_relevant", [2, 3])
def test_all_classes_are_equally_frequent(n_relevant):
    y = make_temporal_order(8000, 20, n_relevant=n_relevant, random_state=0)[1]
    np.testing.assert_allclose(np.bincount(y) / len(y), 0.5**n_relevant, atol=0.02)


def test_tags_follow_from_the_words():
    X, y = make_tagging(3000, random_state=0)
    known = {}
    for words, tags in zip(X, y, strict=True):
        assert len(words) == len(tags)
        assert known.setdefault(tuple(words), tags) == tags
    assert {tag for tags in y for tag in tags} == {
        "O",
        *(f"{p}-{kind}" for p in "BI" for kind in ("from", "to", "day")),
    }


def test_tags_are_iob2_and_mark_at_least_one_place():
    _, y = make_tagging(500, random_state=1)
    assert span_f1_score(y, y) == 1.0
    for tags in y:
        assert "B-to" in tags
        for before, tag in zip(["O", *tags], tags, strict=False):
            assert not tag.startswith("I-") or before[2:] == tag[2:]


def test_words_alone_do_not_tell_the_tag():
    """A city is an origin in one request and a destination in another, and so is what follows "new"."""
    X, y = make_tagging(500, random_state=0)
    tags_of = {}
    for words, tags in zip(X, y, strict=True):
        for word, tag in zip(words, tags, strict=True):
            tags_of.setdefault(word, set()).add(tag)
    assert tags_of["boston"] == {"B-from", "B-to"}
    assert tags_of["new"] == {"B-from", "B-to", "B-day"}
    assert tags_of["to"] == tags_of["from"] == {"O"}


MAKERS = [
    lambda seed: make_adding_problem(5, 8, ragged=True, random_state=seed),
    lambda seed: make_temporal_order(5, 8, random_state=seed),
    lambda seed: make_tagging(5, random_state=seed),
]


@pytest.mark.parametrize("make", MAKERS)
def test_random_state_decides(make):
    def shown(seed):
        X, y = make(seed)
        return str([[np.asarray(part).tolist() for part in X], np.asarray(y, dtype=object).tolist()])

    assert shown(0) == shown(0) == shown(np.random.RandomState(0))
    assert shown(0) != shown(1)
    np.random.seed(0)
    state = np.random.get_state()[1].copy()
    shown(0)
    np.testing.assert_array_equal(np.random.get_state()[1], state)


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (make_adding_problem, {"n_sequences": 0, "n_steps": 5}, "n_sequences must be an int of at least 1, got 0"),
        (make_adding_problem, {"n_sequences": 5, "n_steps": 1}, "n_steps must be an int of at least 2, got 1"),
        (make_adding_problem, {"n_sequences": 5, "n_steps": 5.0}, "n_steps must be an int of at least 2, got 5.0"),
        (make_temporal_order, {"n_sequences": 5, "n_steps": 5}, "n_steps must be an int of at least 6, got 5"),
        (make_temporal_order, {"n_sequences": 5, "n_steps": 9, "n_relevant": 0}, "n_relevant must be .* at least 1"),
        (make_tagging, {"n_sequences": True}, "n_sequences must be an int of at least 1, got True"),
    ],
)
def test_parameters_are_checked(make, options, message):
    with pytest.raises(ValueError, match=message):
        make(**options)
