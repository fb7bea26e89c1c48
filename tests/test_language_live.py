"""Live streams of language models: what they say at each step is what the model says of all steps at once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from streaming import ENGINES

from sklearn_rnn import PerStep, RNNLanguageModel, SequenceTokenizer, Stream, stream
from sklearn_rnn.exceptions import SequenceDataError

TEXTS = ["abcabc", "abc", "cab", "", "ab"] * 6
LABELS = ["x", "y", "z", "x", "y"] * 6
VECTORS = np.random.default_rng(0).normal(size=(30, 2))


def small(**parameters):
    return RNNLanguageModel(**{"hidden_size": 6, "max_epochs": 2, "random_state": 0, **parameters})


@pytest.fixture(scope="module")
def fitted():
    return small().fit(TEXTS)


@pytest.fixture(scope="module")
def in_contexts():
    return {context: small(context=context).fit(TEXTS, LABELS) for context in ("input", "state")}


def assert_follows(model, steps, context=None, *, prefix_of=lambda steps, t: steps[:t], tolerance=1e-5):
    """A stream says of each prefix of `steps`, the empty one too, what the model says of it."""
    y = None if context is None else [context]
    live = stream(model, y=context)
    with_scores = model.score_steps([steps], y)[0]
    for t in range(len(steps) + 1):
        prefix = prefix_of(steps, t)
        np.testing.assert_allclose(live.predict_proba(), model.predict_proba([prefix], y), rtol=0, atol=tolerance)
        np.testing.assert_array_equal(live.predict(), model.predict([prefix], y))
        if t < len(steps):
            np.testing.assert_array_equal(live.update(steps[t]), live.predict())
            np.testing.assert_allclose(live.log_likelihood(), with_scores[t : t + 1], rtol=0, atol=tolerance)
    assert live.n_steps_.tolist() == [len(steps)]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("num_layers", [1, 3])
@pytest.mark.parametrize("cell_type", ["lstm", "gru", "rnn", "mgu"])
def test_every_cell_and_depth(cell_type, num_layers, engine):
    model = small(cell_type=cell_type, num_layers=num_layers, engine=engine, max_epochs=1).fit(TEXTS)
    assert_follows(model, "abcacb")


@pytest.mark.parametrize(
    "parameters",
    [
        {"dtype": "float64"},
        {"residual": True, "layer_norm": True, "num_layers": 2},
        {"cell_type": "lstm", "proj_size": 3},
        {"softmax": "adaptive"},
        {"tie_weights": True, "embedding_dim": 5},
        {"min_df": 2, "word_dropout": 0.1, "dropout": 0.2},
    ],
)
def test_every_kind_of_network(parameters):
    assert_follows(small(**parameters).fit([*TEXTS, "d"]), "abcab")


def test_streams_of_one_text():
    model = small(stream=True, tbptt_steps=7).fit("abcab" * 40)
    live = stream(model)
    text = "abcabbca"
    scores = model.score_steps(text)[0]
    for t, symbol in enumerate(text):
        live.update(symbol)
        np.testing.assert_allclose(live.log_likelihood()[0], scores[t], rtol=0, atol=1e-5)
        np.testing.assert_allclose(live.predict_proba(), model.predict_proba(text[: t + 1]), rtol=0, atol=1e-5)


@pytest.mark.parametrize("context", ["input", "state"])
@pytest.mark.parametrize("y", [LABELS, VECTORS])
@pytest.mark.parametrize("engine", ENGINES)
def test_contexts(context, y, engine):
    model = small(context=context, engine=engine).fit(TEXTS, y)
    assert_follows(model, "abcb", y[1])


def test_tokens_and_ids():
    tokens = small().fit([["to", "be"], ["or"], ["not", "to", "be"]] * 5)
    assert_follows(tokens, ["not", "to", "be", "or"])
    ids = small(output="symbols").fit([[7, 2], [2], [3, 7, 2]] * 5)
    assert_follows(ids, [3, 2, 7])


def frames(n=20, seed=0):
    rng = np.random.default_rng(seed)
    return [(rng.random((length, 3)) < 0.4).astype(float) for length in rng.integers(1, 9, size=n)]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("parameters", [{}, {"frame_head": "chained"}, {"standardize": True}])
def test_frames(parameters, engine):
    X = frames()
    model = small(engine=engine, **parameters).fit(X)
    assert model.output_ == "binary"
    assert_follows(model, X[3], tolerance=0.01 if "frame_head" in parameters else 1e-5)
    with pytest.raises(SequenceDataError, match="wants frames of 0 and 1"):
        stream(model).update([0, 0.5, 1])


@pytest.mark.parametrize("context", ["input", "state"])
@pytest.mark.parametrize("y", [["x", "y"] * 10, VECTORS[:20]])
def test_frames_in_contexts(context, y):
    X = frames()
    assert_follows(small(context=context).fit(X, y), X[3], y[3])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("context", ["input", "state"])
def test_real_numbers(context, engine):
    rng = np.random.default_rng(0)
    X = [rng.normal([50, 0.1], [10, 0.01], size=(length, 2)) for length in rng.integers(1, 9, size=20)]
    y = ["x", "y"] * 10
    model = small(engine=engine, context=context, n_mixtures=2).fit(X, y)
    live, scores = stream(model, y="y"), model.score_steps(X[:1], ["y"])[0]
    for t, step in enumerate(X[0]):
        np.testing.assert_allclose(live.predict(), model.predict([X[0][:t]], ["y"]), rtol=1e-4)
        live.update(step)
        np.testing.assert_allclose(live.log_likelihood()[0], scores[t], rtol=0, atol=1e-4)
    before = live.to_json()
    for wrong in ([np.nan, 1], [1e300 * 1e300, 0], [1, 2, 3], ["a", "b"]):
        with pytest.raises(SequenceDataError):
            live.update(wrong)
    assert live.to_json() == before
    assert not hasattr(live, "predict_proba")
    assert not hasattr(model, "predict_proba")


def test_steps_go_through_a_pipeline_first():
    X = [rows * 100 + 5 for rows in frames()]
    model = make_pipeline(PerStep(StandardScaler()), small(n_mixtures=2)).fit(X)
    live = stream(model)
    for t, step in enumerate(X[3]):
        np.testing.assert_allclose(live.predict(), model.predict([X[3][:t]]), rtol=1e-4)
        live.update(step)


def test_series_of_a_stream():
    X = np.random.default_rng(0).normal(size=(200, 1))
    model = small(stream=True, tbptt_steps=10, n_mixtures=2).fit([X])
    live, scores = stream(model), model.score_steps([X[:9]])[0]
    for step, score in zip(X[:9, 0], scores, strict=True):
        live.update(step)
        np.testing.assert_allclose(live.log_likelihood()[0], score, rtol=0, atol=1e-4)


def test_words_are_spelled_as_in_fit():
    model = small(tokenizer="word").fit(["The cat sat.", "A dog ran!"] * 5)
    live = stream(model, 2)
    live.update(["The", "a"])
    live.update(["cat", "DOG"])
    np.testing.assert_allclose(live.predict_proba(), model.predict_proba(["the cat", "A dog"]), atol=1e-5)
    whole = small(tokenizer=SequenceTokenizer(analyzer="whitespace")).fit(["x y", "y z"] * 5)
    one = stream(whole)
    one.update("x")
    np.testing.assert_allclose(one.predict_proba(), whole.predict_proba(["x"]), atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(text=st.text("abcd", max_size=12))
def test_any_text(fitted, text):
    live = stream(fitted)
    for symbol in text:
        live.update(symbol)
    np.testing.assert_allclose(live.predict_proba(), fitted.predict_proba([text]), rtol=0, atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(data=st.data(), context=st.sampled_from(["input", "state"]))
def test_streams_in_turns_are_each_as_if_alone(in_contexts, data, context):
    model = in_contexts[context]
    names = data.draw(st.lists(st.sampled_from("xyz"), min_size=1, max_size=4))
    live, texts = stream(model, len(names), y=names), [""] * len(names)
    ids = st.lists(st.integers(0, len(names) - 1), min_size=1, unique=True)
    for _ in range(data.draw(st.integers(0, 6))):
        who = data.draw(ids)
        if data.draw(st.integers(0, 4)) == 0:
            again = data.draw(st.sampled_from([None, *"xyz"]))
            live.reset(who, y=again)
            for i in who:
                texts[i], names[i] = "", names[i] if again is None else again
            continue
        if data.draw(st.booleans()):
            live = Stream.from_json(model, live.to_json())
        symbols = data.draw(st.lists(st.sampled_from("abc"), min_size=len(who), max_size=len(who)))
        live.update(symbols, ids=who)
        for i, symbol in zip(who, symbols, strict=True):
            texts[i] += symbol
    assert live.n_steps_.tolist() == [len(text) for text in texts]
    np.testing.assert_allclose(live.predict_proba(), model.predict_proba(texts, names), rtol=0, atol=1e-5)
    some = [i for i, text in enumerate(texts) if text]
    scores = model.score_steps(texts, names)
    np.testing.assert_allclose(live.log_likelihood(some), [scores[i][-2] for i in some], rtol=0, atol=1e-5)


def test_a_text_of_a_stream_keeps_every_bit(fitted):
    live = stream(fitted, 2)
    live.update(["a"], ids=[1])
    twin = Stream.from_json(fitted, live.to_json())
    np.testing.assert_array_equal(twin.predict_proba(), live.predict_proba())
    np.testing.assert_array_equal(twin.log_likelihood(1), live.log_likelihood(1))
    np.testing.assert_array_equal(twin.update(["b", "b"]), live.update(["b", "b"]))
    np.testing.assert_array_equal(twin.log_likelihood(), live.log_likelihood())
    assert twin.n_steps_.tolist() == [1, 2]


def test_errors_leave_streams_as_they_were(fitted):
    live = stream(fitted, 2)
    live.update(["a", "b"])
    before = live.to_json()
    for step in ("a", ["a", "ab"], ["a", ""], ["a", 1], ["a", "</s>"], [["a"], ["b"]]):
        with pytest.raises(SequenceDataError):
            live.update(step)
    assert live.to_json() == before


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("abc", "holds 'abc', which is 3 symbols"),
        ("", "holds '', which is 0 symbols"),
        ("</s>", r"the end of a document, behind which nothing comes: call reset\(ids\)"),
        (["a", "b"], "holds 2 token"),
        (3, "holds 3 where a token"),
        (None, "holds None where a token"),
    ],
)
def test_what_is_no_step(fitted, step, message):
    with pytest.raises(SequenceDataError, match=message):
        stream(fitted).update(step)


def test_contexts_that_do_not_fit(fitted, in_contexts):
    with pytest.raises(ValueError, match="got y, and was fitted with no context"):
        stream(fitted, y="x")
    with pytest.raises(ValueError, match="got no y, and was fitted with a context"):
        stream(in_contexts["state"])
    with pytest.raises(SequenceDataError, match="'q', which was not there in fit"):
        stream(in_contexts["state"], y="q")
    with pytest.raises(ValueError, match="2"):
        stream(in_contexts["state"], 3, y=["x", "y"])
    live = stream(in_contexts["input"], 2, y=["x", "y"])
    live.update(["a", "b"])
    before = live.to_json()
    with pytest.raises(SequenceDataError, match="'q'"):
        live.reset(y="q")
    assert live.to_json() == before


def test_there_is_no_likelihood_before_a_step(fitted):
    live = stream(fitted, 2)
    live.update(["a"], ids=[0])
    assert live.log_likelihood(0).shape == (1,)
    with pytest.raises(ValueError, match="stream 1 has taken no step"):
        live.log_likelihood()
    live.reset()
    with pytest.raises(ValueError, match="stream 0 has taken no step"):
        live.log_likelihood()
    assert not hasattr(live, "decision_function")
    assert not hasattr(live, "predict_quantiles")


def test_anomalies_stand_out():
    model = small(hidden_size=16, max_epochs=60, learning_rate=0.01).fit(["abcabcabc"] * 20)
    live, found = stream(model), []
    for symbol in "abcabbabc":
        live.update(symbol)
        found.append(live.log_likelihood()[0])
    assert np.argmin(found) == 5
