"""How a step is read: in which formats, through which transformers, and what is refused."""

import numpy as np
import pytest
import torch
from samples import problem, ragged, small
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.feature_extraction import DictVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from streaming import ENGINES, assert_follows, fitted

from sklearn_rnn import (
    PerStep,
    RNNClassifier,
    RNNRegressor,
    Stream,
    sequences_from_frame,
    stream,
)
from sklearn_rnn.exceptions import SequenceDataError, SequenceDataWarning
from sklearn_rnn.networks.engines import kernels_installed

WORDS = ["fly", "to", "Oslo", "from", "Rome", "NASA", "7"]


@pytest.mark.parametrize("engine", ENGINES)
def test_tokens(engine):
    rng = np.random.default_rng(0)
    X = [[WORDS[k] for k in rng.integers(0, 7, size=n)] for n in rng.integers(1, 8, size=20)]
    y = ["Oslo" in x for x in X]
    assert_follows(fitted(RNNClassifier, X, y, embedding_dim=3, engine=engine), [*WORDS, "never seen"])
    clf = fitted(RNNClassifier, X, y, embedding_dim=3, char_encoder="lstm", casing_features=True, engine=engine)
    assert_follows(clf, WORDS)
    two = stream(clf, 2)
    two.update(["fly", "Oslo"])
    np.testing.assert_allclose(two.predict_proba(), clf.predict_proba([["fly"], ["Oslo"]]), atol=1e-5)


def test_token_ids():
    rng = np.random.default_rng(0)
    X = [rng.integers(0, 7, size=n) for n in rng.integers(1, 8, size=20)]
    clf = fitted(RNNClassifier, X, [3 in x for x in X], embedding_dim=3)
    assert_follows(clf, np.array([3, 1, 99, 2]))
    with pytest.raises(SequenceDataError, match="an integer as in fit"):
        stream(clf).update(0.5)


def _several(X):
    return {"word": [[WORDS[k] for k in x] for x in X], "size": [np.column_stack([x, -1.0 * x]) for x in X]}


@pytest.mark.parametrize("missing", ["error", "mask"])
def test_several_inputs(missing):
    rng = np.random.default_rng(0)
    codes = [rng.integers(0, 7, size=n) for n in rng.integers(2, 8, size=20)]
    X = _several(codes)
    if missing == "mask":
        for sizes in X["size"]:
            sizes[rng.random(sizes.shape) < 0.3] = np.nan
    clf = fitted(RNNClassifier, X, [3 in x for x in codes], missing=missing)
    live, words, sizes = stream(clf), X["word"][0], X["size"][0]
    for t in range(len(words)):
        live.update({"word": words[t], "size": sizes[t]})
        wanted = clf.predict_proba({"word": [words[: t + 1]], "size": [sizes[: t + 1]]})
        np.testing.assert_allclose(live.predict_proba(), wanted, atol=1e-5)
    one, other = stream(clf, 2), stream(clf, 2)
    one.update({"word": words[:2], "size": sizes[:2]})
    other.update([{"word": word, "size": size} for word, size in zip(words[:2], sizes[:2], strict=True)])
    np.testing.assert_array_equal(one.predict_proba(), other.predict_proba())
    with pytest.raises(SequenceDataError, match="inputs"):
        one.update({"word": words[:2]})


def test_dicts_of_features():
    rng = np.random.default_rng(0)
    X = [
        [{"word": WORDS[k], "size": float(k), "odd": bool(k % 2)} for k in rng.integers(0, 7, n)] for n in (3, 4, 5, 2)
    ]
    assert_follows(fitted(RNNClassifier, X * 3, [0, 1, 0, 1] * 3), X[1])
    X[0] += [{"word": "to"}, {"size": 2.0}]  # so that each of them may lack
    assert_follows(fitted(RNNClassifier, X * 3, [0, 1, 0, 1] * 3), [{"word": "to"}, {"size": 2.0}])


def test_token_ids_beyond_int64():
    big = 2**63 + 1
    ids = [[big, 1, big], [1, 1], [big + 1, 1, 1]] * 4
    clf = fitted(RNNClassifier, ids, [0, 1, 0] * 4, embedding_dim=2)
    both = stream(clf, 2)
    for step in ([big, big + 1], [1, 1], [big, 1]):
        both.update(step)
    np.testing.assert_allclose(both.predict_proba(), clf.predict_proba([ids[0], ids[2]]), atol=1e-5)


def test_a_vector_among_features_and_what_is_nowhere():
    rng = np.random.default_rng(0)
    rows = [rng.normal(size=(n, 2)) for n in (3, 4, 5, 2)] * 3
    X = [[{"v": row.tolist(), "up": bool(row[0] > 0)} for row in x] for x in rows]
    by_name = [[{"v": {"0": row[0], "1": row[1]}, "up": bool(row[0] > 0)} for row in x] for x in rows]
    clf = fitted(RNNClassifier, X, [0, 1, 0, 1] * 3)
    assert_follows(clf, X[1])
    live, same = stream(clf), stream(fitted(RNNClassifier, by_name, [0, 1, 0, 1] * 3))
    for step, other in zip(X[2], by_name[2], strict=True):
        live.update(step), same.update(other)
    np.testing.assert_array_equal(live.predict_proba(), same.predict_proba())
    live.update({"v": np.array([0.5, 1.0])})  # a feature that is there or not
    with pytest.raises(SequenceDataError, match=r"a vector of 3 number\(s\) in X, and was a vector of 2"):
        live.update({"v": [1.0, 2.0, 3.0]})
    with pytest.warns(SequenceDataWarning, match="'v' of fit are at no step of X.*X has 'vec'"):
        live.update({"vec": [1.0, 2.0], "up": True})


def test_missing_values_are_carried_forward_in_each_stream(rng):
    X, y = problem(RNNClassifier)
    X = [np.where(rng.random(x.shape) < 0.4, np.nan, x) for x in X]
    clf = fitted(RNNClassifier, X, y, missing="mask")
    assert_follows(clf, X[0])
    assert_follows(clf, [[None, 1.0, 2.0], [0.5, None, None]], prefix_of=lambda x, t: np.array(x[:t], dtype=float))
    two = stream(clf, 2)
    two.update([X[0][0], X[1][0]])
    two = Stream.from_json(clf, two.to_json())
    two.update([X[0][1], X[1][1]], ids=[0, 1])
    np.testing.assert_allclose(two.predict_proba(), clf.predict_proba([X[0][:2], X[1][:2]]), atol=1e-5)
    two.reset(ids=0)
    two.update(X[1][1], ids=0)
    np.testing.assert_allclose(two.predict_proba(ids=0), clf.predict_proba([X[1][1:2]]), atol=1e-5)
    with pytest.raises(SequenceDataError, match="infinity"):
        two.update([np.inf, 0.0, 0.0], ids=0)


def test_pipeline_of_transformers_of_steps():
    X, y = problem(RNNClassifier)
    model = make_pipeline(PerStep(StandardScaler()), "passthrough", PerStep(PCA(2)), small(RNNClassifier))
    model.set_params(rnnclassifier__bidirectional=False).fit(X, y)
    assert_follows(model, X[0])
    two = stream(model, 2)
    two.update(np.array([X[0][0], X[1][0]]))
    np.testing.assert_allclose(two.predict_proba(), model.predict_proba([X[0][:1], X[1][:1]]), atol=1e-5)
    two = Stream.from_json(model, two.to_json())
    assert two.n_steps_.tolist() == [1, 1]


def test_pipeline_of_steps_that_are_no_numbers():
    rng = np.random.default_rng(0)
    words = [[WORDS[k] for k in rng.integers(0, 7, size=n)] for n in rng.integers(1, 8, size=20)]
    y = ["Oslo" in x for x in words]
    last = small(RNNClassifier, bidirectional=False)
    assert_follows(make_pipeline(PerStep(OneHotEncoder(handle_unknown="ignore")), clone(last)).fit(words, y), words[0])
    dicts = [[{"length": len(word), word: True} for word in x] for x in words]
    assert_follows(make_pipeline(PerStep(DictVectorizer()), clone(last)).fit(dicts, y), dicts[0])
    rows = [[[word, word[:1]] for word in x] for x in words]
    assert_follows(make_pipeline(PerStep(OneHotEncoder(handle_unknown="ignore")), clone(last)).fit(rows, y), rows[0])


def test_pipeline_that_imputes(rng):
    X, y = problem(RNNClassifier)
    X = [np.where(rng.random(x.shape) < 0.3, np.nan, x) for x in X]
    assert_follows(make_pipeline(PerStep(SimpleImputer()), small(RNNClassifier, bidirectional=False)).fit(X, y), X[0])


def test_one_feature_needs_no_brackets():
    X = [x[:, :1] for x in ragged(20)]
    reg = fitted(RNNRegressor, X, [x.mean() for x in X])
    assert_follows(reg, X[0][:, 0])
    np.testing.assert_array_equal(stream(reg, 2).update([0.5, 1.0]), stream(reg, 2).update([[0.5], [1.0]]))


def test_a_table_has_one_feature_a_step():
    X = np.random.default_rng(0).normal(size=(20, 6))
    reg = fitted(RNNRegressor, X, X.mean(axis=1))
    live = stream(reg)
    for number in X[0]:
        found = live.update(number)
    np.testing.assert_allclose(found, reg.predict(X[:1]), atol=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
def test_formats_of_a_step(engine):
    clf = fitted(RNNClassifier, engine=engine)
    row = [1.0, -2.0, 0.5]
    formats = [row, tuple(row), np.array(row), np.array([row]), np.array(row, dtype=np.float32), torch.tensor(row)]
    formats += [np.array(row, dtype=object), np.array([row, row]).T.copy().T[0], np.array(row, dtype=">f8")]
    found = [stream(clf) for _ in formats]
    for live, step in zip(found, formats, strict=True):
        live.update(step)
        np.testing.assert_array_equal(live.predict_proba(), found[0].predict_proba())


@pytest.mark.parametrize("engine", ENGINES)
def test_layouts_of_a_step(engine, rng):
    clf = fitted(RNNClassifier, engine=engine)
    step = rng.normal(size=(4, 3))
    step.flags.writeable = False
    first = stream(clf, 4)
    first.update(step.copy())
    for layout in (step, np.asfortranarray(step), np.repeat(step, 2, axis=0)[::2], step[::-1].copy()[::-1]):
        live = stream(clf, 4)
        live.update(layout)
        np.testing.assert_array_equal(live.predict_proba(), first.predict_proba())


@pytest.mark.skipif(not kernels_installed(), reason="no numba")
def test_the_kernel_is_compiled_once_whatever_the_layout_of_a_step(rng):
    live = stream(fitted(RNNClassifier, engine="fused"), 4)
    live.update(rng.normal(size=(4, 3)))
    before = len(live._stepper._step.signatures)
    step = rng.normal(size=(4, 3))
    step.flags.writeable = False
    for layout in (step, np.asfortranarray(step), np.repeat(step, 2, axis=0)[::2]):
        live.update(layout)
    assert len(live._stepper._step.signatures) == before


def test_columns_are_named_in_errors():
    import pandas as pd

    frame = pd.DataFrame({"id": [0, 0, 1, 1], "time": [0, 1, 0, 1], "heat": [1.0, 2, 3, 4], "load": [0.0, 1, 0, 1]})
    X = sequences_from_frame(frame, id="id", sort_by="time")
    live = stream(fitted(RNNClassifier, X, [0, 1]), 2)
    live.update(frame[["heat", "load"]].iloc[:2])
    with pytest.raises(SequenceDataError, match="stream 1 holds NaN in column 'load'"):
        live.update([[0.0, 1.0], [1.0, np.nan]])


@pytest.mark.parametrize(
    ("step", "ids", "message"),
    [
        ([1.0, 2.0], None, r"shape \(2,\), wanted \(3, 3\)"),
        (np.zeros((2, 3)), None, r"shape \(2, 3\), wanted \(3, 3\)"),
        (np.zeros((1, 3)), [0, 1], r"wanted \(2, 3\)"),
        (np.zeros((3, 3), dtype=complex), None, "complex128"),
        ([["a", "b", "c"]] * 3, None, "numbers are wanted"),
        ([[1.0, 2.0], [1.0], [2.0]], None, "as many numbers for each stream"),
        (None, None, "wanted"),
        (np.ma.masked_equal(np.eye(3), 1), None, "stream 0 holds NaN in column 0"),
        (np.full((3, 3), np.nan), None, "stream 0 holds NaN in column 0.*missing='mask'"),
        ([[0, 0, 0], [0, 0, 1e39], [0, 0, 0]], None, "stream 1 holds infinity.*column 2"),
        (np.zeros((1, 3)), [3], "ids holds 3, but the streams are numbered from 0 to 2"),
        (np.zeros((1, 3)), [-1], "ids holds -1"),
        (np.zeros((2, 3)), [1, 1], "ids holds 1 more than once"),
        (np.zeros((1, 3)), [0.5], "must be an int"),
        (np.zeros((1, 3)), ["a"], "must be an int"),
        (np.zeros((3, 3)), [True, True, True], "must be an int"),
        (np.zeros((1, 3)), [[0]], "must be an int"),
    ],
)
@pytest.mark.parametrize("engine", ENGINES)
def test_bad_steps_are_refused_and_change_nothing(step, ids, message, engine, rng):
    live = stream(fitted(RNNClassifier, engine=engine, pooling="mean"), 3)
    live.update(rng.normal(size=(3, 3)))
    before = live.to_json()
    with pytest.raises(ValueError, match=message):
        live.update(step, ids=ids)
    assert live.to_json() == before


@pytest.mark.parametrize("step", [3.0, ["to", "to"], [2.0], b"to", {"word": "to"}])
def test_bad_tokens_are_refused(step):
    clf = fitted(RNNClassifier, [["fly", "to"], ["Oslo"]] * 4, [0, 1] * 4)
    with pytest.raises(SequenceDataError, match="token"):
        stream(clf).update(step)
