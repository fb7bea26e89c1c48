"""What users give a language model by mistake: the message, and what is left behind."""

import pickle
import re

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import KFold, ShuffleSplit, TimeSeriesSplit, cross_val_score
from skorch.callbacks import Callback

from sklearn_rnn import RNNClassifier, RNNLanguageModel, Sequences, stream
from sklearn_rnn.exceptions import SequenceDataError, SequenceDataWarning
from sklearn_rnn.targets import continuation

TEXTS = ["abcab", "ab", "cab", "b"] * 4
LABELS = ["x", "y"] * 8
FRAMES = [(np.random.default_rng(n).random((n, 3)) < 0.4).astype(float) for n in (3, 5, 2, 4)] * 3
NUMBERS = [np.random.default_rng(n).normal(size=(n, 2)) for n in (3, 5, 2, 4)] * 3
MODELS = {
    "documents": (TEXTS, None),
    "labelled": (TEXTS, LABELS),
    "in vectors": (TEXTS, np.arange(32.0).reshape(16, 2)),
    "tokens": ([["a", "b"], ["b"]] * 4, None),
    "frames": (FRAMES, None),
    "numbers": (NUMBERS, None),
}


def small(**parameters):
    return RNNLanguageModel(**{"hidden_size": 4, "max_epochs": 1, "random_state": 0, "n_mixtures": 2, **parameters})


@pytest.fixture(scope="module")
def fitted():
    models = {name: small().fit(X, y) for name, (X, y) in MODELS.items()}
    return {**models, "stream": small(stream=True, tbptt_steps=4).fit("abcab" * 20)}


UNFIT = {
    "nothing": ([], "X is empty"),
    "documents without characters": (["", ""], "all 2 sequences have length 0"),
    "a text": ("abc", r"string object received.*one document is \[X\]"),
    "none": (None, "got NoneType None"),
    "a document that is missing": (["a", None, "b"], r"X\[1\] is NoneType None where a document"),
    "the first one missing": ([None, "a"], r"X\[0\] is NoneType None|got NoneType"),
    "a missing text of pandas": (pd.Series(["a", None], dtype="string"), "where a document"),
    "a number among documents": (["a", 3], r"X\[1\] is int 3 where a document"),
    "bytes": ([b"ab", b"b"], r"X\[0\] is bytes b'ab' where a document.*decode it first"),
    "bytes of NumPy": (np.array([b"ab", b"b"]), r"bytes b'ab' where a document.*decode it first"),
    "a generator": ((text for text in TEXTS), "got generator"),
    "a set": ({"ab", "b"}, "got set"),
    "a frame with one column of documents": (
        pd.DataFrame({"text": TEXTS}),
        r"one column of strings, 'text'.*X\['text'\]",
    ),
    "numbers among tokens": ([["a", 1]], r"X\[0\]\[1\] is int 1 where other steps are strings"),
    "the end as a symbol": ([["a", "</s>"], ["b"]], "the symbol '</s>', which stands for the end"),
    "complex numbers": (np.zeros((3, 2, 2), dtype=complex), "Complex data"),
    "infinity": ([np.array([[np.inf]])] * 3, "contains infinity"),
    "NaN": ([np.full((3, 2), np.nan)], "contains NaN"),
}


@pytest.mark.parametrize(("X", "message"), UNFIT.values(), ids=UNFIT)
def test_what_is_no_text(X, message):
    with pytest.raises(SequenceDataError, match=message):
        small().fit(X)


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [("", None, "X is empty"), ("aaaa", None, "1 distinct symbol"), ("abab", ["x"], "does not go with stream=True")],
)
def test_what_is_no_stream(X, y, message):
    with pytest.raises(ValueError, match=message):
        small(stream=True).fit(X, y)


PARAMETERS = {
    "tokenizer": ("words", "Did you mean 'word'"),
    "output": ("notes", "'binary'"),
    "context": ("both", "'state'"),
    "frame_head": ("chain", "'chained'"),
    "n_mixtures": (0, "n_mixtures"),
    "tbptt_steps": (0, "tbptt_steps"),
    "stream": ("yes", "stream"),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters(name):
    value, message = PARAMETERS[name]
    with pytest.raises(ValueError, match=message):
        small(**{name: value}).fit(TEXTS)


@pytest.mark.parametrize(
    ("X", "output", "message"),
    [
        (TEXTS, "binary", "output='binary' needs numbers"),
        (TEXTS, "gaussian_mixture", "output='gaussian_mixture' needs numbers"),
        ([2 * frame for frame in FRAMES], "binary", r"wants frames of 0 and 1, got X\[0\]\[\d\]\[\d\] = 2"),
        (NUMBERS, "symbols", "each step of X must be one token"),
    ],
)
def test_outputs_that_steps_are_not(X, output, message):
    with pytest.raises(SequenceDataError, match=message):
        small(output=output).fit(X)


CALLS = {
    "a prompt that is a number": (
        "documents",
        lambda m: m.sample(prompt=3),
        "prompt=3 is of type int, wanted a string",
    ),
    "a prompt of tokens": ("documents", lambda m: m.sample(prompt=["a"]), "is of type list, wanted a string"),
    "bytes as a prompt": ("documents", lambda m: m.sample(prompt=b"a"), "is of type bytes, wanted a string"),
    "a text as a prompt of tokens": ("tokens", lambda m: m.sample(prompt="ab"), "type str, wanted a list of tokens"),
    "a number as a prompt of tokens": ("tokens", lambda m: m.iter_sample(3), "type int, wanted a list of tokens"),
    "numbers as a prompt of tokens": ("tokens", lambda m: m.sample(prompt=[1, 2]), "Among the prompts.*got numbers"),
    "a prompt of another width": ("frames", lambda m: m.sample(prompt=np.zeros((2, 2))), "prompts.*has 2 features"),
    "a text as prompts": ("documents", lambda m: m.generate("ab"), r"'ab' is of type str.*one is \[X\]"),
    "a missing number in a prompt": ("numbers", lambda m: m.sample(prompt=[[1.0, np.nan]]), "prompts.*contains NaN"),
    "temperature": ("documents", lambda m: m.sample(temperature=-1), "temperature is -1"),
    "temperature of NaN": ("documents", lambda m: m.sample(temperature=np.nan), "temperature is nan"),
    "temperature of text": ("documents", lambda m: m.sample(temperature="hot"), "temperature is 'hot'"),
    "temperature of numbers": ("numbers", lambda m: m.sample(temperature=-1), "temperature is -1"),
    "top_p of 0": ("documents", lambda m: m.sample(top_p=0), r"top_p is 0, wanted a number in \(0, 1\]"),
    "top_p above 1": ("documents", lambda m: m.iter_sample(top_p=1.1), "top_p is 1.1"),
    "top_k of 0": ("documents", lambda m: m.sample(top_k=0), "top_k is 0"),
    "min_p above 1": ("documents", lambda m: m.sample(min_p=2), "min_p is 2"),
    "repetition_penalty": ("documents", lambda m: m.sample(repetition_penalty=0), "repetition_penalty is 0"),
    "no_repeat_ngram_size": ("documents", lambda m: m.sample(no_repeat_ngram_size=-1), "no_repeat_ngram_size is -1"),
    "max_new_tokens": ("documents", lambda m: m.sample(max_new_tokens=1.5), "max_new_tokens is 1.5"),
    "more at least than at most": (
        "documents",
        lambda m: m.sample(max_new_tokens=1, min_new_tokens=5),
        "min_new_tokens is 5, more than max_new_tokens",
    ),
    "no samples": ("documents", lambda m: m.sample(0), "n_samples=0"),
    "a bool of samples": ("documents", lambda m: m.sample(True), "n_samples=True"),
    "stop_strings that are empty": ("documents", lambda m: m.sample(stop_strings=""), "stop_strings=''"),
    "stop_strings that are none": ("documents", lambda m: m.sample(stop_strings=3), "stop_strings=3"),
    "stop_strings of numbers": ("frames", lambda m: m.sample(stop_strings="a"), "stop_strings end documents"),
    "beams that draw": (
        "documents",
        lambda m: m.generate(["a"], num_beams=2, do_sample=True),
        "do_sample=True draws, and num_beams=2 searches",
    ),
    "several of the best": ("documents", lambda m: m.generate(["a"], num_return_sequences=3), "would be the same ones"),
    "beams of numbers": ("frames", lambda m: m.generate(FRAMES, num_beams=2), "num_beams=2 searches among symbols"),
    "cuts of numbers": ("frames", lambda m: m.sample(top_k=2), "are about symbols"),
    "text that is none": ("frames", lambda m: m.bits_per_character(FRAMES), "bits_per_character needs text"),
    "frames that are none": ("frames", lambda m: m.predict([2 * FRAMES[0]]), "wants frames of 0 and 1"),
    "a context that was not there": ("documents", lambda m: m.sample(y="x"), "got y, and was fitted with no context"),
    "no context": ("labelled", lambda m: m.sample(), "got no y, and was fitted with a context"),
    "a label of no fit": ("labelled", lambda m: m.sample(y="q"), r"label 'q', which was not there.*\['x', 'y'\]"),
    "a vector for a label": ("labelled", lambda m: m.sample(y=[1.0, 2.0]), "holds vectors of 1"),
    "a vector of another size": ("in vectors", lambda m: m.predict(["a"], [[1.0]]), "holds vectors of 1"),
    "a vector with NaN": ("in vectors", lambda m: m.sample(y=[1.0, np.nan]), "contains NaN"),
    "too few contexts": ("labelled", lambda m: m.predict(["a", "b"], ["x"]), "X has 2 sequences, y has 1"),
    "too many contexts": ("labelled", lambda m: m.sample(2, y=["x", "y", "x"]), "X has 2 sequences, y has 3"),
    "documents for tokens": ("tokens", lambda m: m.predict(["ab"]), "fitted to tokens or numbers"),
    "numbers for documents": ("documents", lambda m: m.predict(np.zeros((2, 3, 1))), "got numbers in X"),
    "a text to predict": ("documents", lambda m: m.predict("a"), r"one document is \[X\]"),
    "nothing to score": ("documents", lambda m: m.score([]), "X is empty"),
    "weights of nothing": ("documents", lambda m: m.score(["a"], sample_weight=[0]), "at least one non-zero"),
    "a context of a stream": ("stream", lambda m: m.score("ab", ["x"]), "does not go with stream=True"),
}


@pytest.mark.parametrize(("model", "call", "message"), CALLS.values(), ids=CALLS)
def test_calls(fitted, model, call, message):
    before = pickle.dumps(fitted[model])
    with pytest.raises(ValueError, match=message):
        call(fitted[model])
    assert pickle.dumps(fitted[model]) == before


CONTEXTS = {
    "a missing label": (["x", None] * 8, r"y\[1\] is NoneType None, wanted a label"),
    "labels and numbers": (np.array(["x", 1] * 8, dtype=object), r"y\[0\] is str 'x'|y\[1\] is int 1"),
    "a missing number": ([1.0, np.nan] * 8, "contains NaN or infinity"),
    "vectors of several sizes": ([[1], [1, 2]] * 8, "as long as all others"),
    "vectors of text": ([["x"], ["y"]] * 8, "one label or one vector of numbers"),
    "arrays": (np.zeros((16, 2, 2)), r"y has shape \(16, 2, 2\)"),
    "one for all": ("x", "X has 16 sequences, y has 1|array-like"),
    "too few": (["x"], "X has 16 sequences, y has 1"),
    "too large": ([[1e300], [-1e300]] * 8, "In y, the contexts.*too large"),
}


@pytest.mark.parametrize(("y", "message"), CONTEXTS.values(), ids=CONTEXTS)
def test_what_is_no_context(y, message):
    with pytest.raises(SequenceDataError, match=message):
        small().fit(TEXTS, y)


def test_labels_of_any_kind():
    for y in ([1, 2] * 8, [True, False] * 8, pd.Series(LABELS, dtype="category"), np.array(LABELS)):
        model = small().fit(TEXTS, y)
        assert len(model.predict(TEXTS, y)) == 16
    with pytest.raises(SequenceDataError, match=r"'1', which was not there in fit, wanted one of \[1, 2\]"):
        small().fit(TEXTS, [1, 2] * 8).predict(["a"], ["1"])


def test_texts_of_any_kind():
    pa = pytest.importorskip("pyarrow")
    pl = pytest.importorskip("polars")
    wanted = small().fit(TEXTS).score_samples(TEXTS)
    kinds = [
        tuple(TEXTS),
        np.array(TEXTS),
        np.array(TEXTS, dtype=object),
        np.array(TEXTS, dtype=np.dtypes.StringDType()),
        pd.Series(TEXTS, index=range(16)[::-1]),
        pd.Series(TEXTS, dtype="string"),
        pd.Series(TEXTS, dtype=pd.ArrowDtype(pa.string())),
        pa.array(TEXTS, type=pa.large_string()),
        pa.chunked_array([TEXTS[:7], TEXTS[7:]]),
        pl.Series(TEXTS),
    ]
    for X in kinds:
        model = small().fit(X)
        np.testing.assert_allclose(model.score_samples(X), wanted, rtol=0, atol=1e-12)
        assert model.generate(X[:2], max_new_tokens=1).shape == (2,)


def test_symbols_of_any_script():
    texts = ["👩‍👩‍👧 héllo\n", "日本語\x00", "a\u0301\t"] * 4
    model = small().fit(texts)
    assert set(model.classes_) == {*"".join(texts), "</s>"}
    assert model.sample(prompt="日\x00☃", max_new_tokens=0, random_state=0).tolist() == ["日\x00☃"]
    stream(model).update("☃")


def test_long_and_short_documents():
    model = small().fit(["abc" * 5000, "a", ""])
    assert np.isfinite(model.score(["abc" * 5000, "b", ""]))
    assert model.sample(2, prompt="", random_state=0).tolist() == model.sample(2, random_state=0).tolist()
    assert np.isfinite(small().fit(["a"] * 3).score_samples(["a", ""])).all()


@pytest.mark.parametrize("dtype", [np.float16, np.int8, bool, np.uint8])
def test_frames_of_any_type(dtype):
    model = small().fit([frame.astype(dtype) for frame in FRAMES])
    assert model.output_ == "binary"
    np.testing.assert_allclose(model.score_samples(FRAMES), small().fit(FRAMES).score_samples(FRAMES))


def shuffled():
    index = np.random.default_rng(0).permutation(8)
    tokens = np.array(list("abcab" * 8), dtype=object)
    return [
        pd.Series(["abcab"] * 8, index=index),
        pd.Series(["abcab"] * 8, index=pd.date_range("2020-01-01", periods=8)[index]),
        Sequences(tokens, np.arange(0, 41, 5), ids=index),
    ]


@pytest.mark.parametrize("X", shuffled(), ids=["index", "dates", "ids"])
def test_a_stream_that_was_shuffled(X):
    model = small(stream=True, tbptt_steps=4)
    with pytest.raises(SequenceDataError, match=r"stream=True.*X\.(index|ids) goes back from.*TimeSeriesSplit"):
        model.fit(X)
    model.fit("abcab" * 20)
    with pytest.raises(SequenceDataError, match="goes back"):
        model.score(X)


def test_cross_validation_of_a_stream():
    model, X = small(stream=True, tbptt_steps=4), pd.Series(["abcab"] * 20)
    assert np.isfinite(cross_val_score(model, X, cv=TimeSeriesSplit(3), error_score="raise")).all()
    assert np.isfinite(cross_val_score(model, X, cv=KFold(3), error_score="raise")).all()
    with pytest.raises(SequenceDataError, match="goes back"):
        cross_val_score(model, X, cv=ShuffleSplit(2, random_state=0), error_score="raise")
    with pytest.warns(SequenceDataWarning, match=r"X\.index has \d+ gaps.*TimeSeriesSplit"):
        cross_val_score(model, X, cv=KFold(3, shuffle=True, random_state=0), error_score="raise")
    small(stream=True, tbptt_steps=4).fit(pd.Series(["abcab"] * 8, index=list("hgfedcba")))


def test_a_vocabulary_by_mistake(monkeypatch):
    monkeypatch.setattr(continuation, "MANY_SYMBOLS", 20)
    monkeypatch.setattr(continuation, "TOO_MANY_SYMBOLS", 40)
    with pytest.warns(SequenceDataWarning, match=r"X has 30 distinct symbols.*min_df=2.*max_features.*tokenizer"):
        small().fit([[str(k) for k in range(30)]])
    with pytest.raises(SequenceDataError, match=r"X has 50 distinct symbols.*min_df=2.*max_features.*tokenizer"):
        small().fit([[str(k) for k in range(50)]])
    small(max_features=10).fit([[str(k) for k in range(50)]])


def test_the_unknown_symbol_in_tokens_is_that_of_the_model():
    model = small().fit([["a", "<unk>"], ["b"]] * 4)
    assert model.classes_.tolist() == ["<unk>", "a", "b", "</s>"]
    assert "<unk>" not in model.vocabulary_
    assert small(stream=True, tbptt_steps=2).fit([["a", "</s>", "b", "</s>"]] * 8).classes_.tolist() == [
        "</s>",
        "a",
        "b",
    ]


def test_a_pretrained_model_with_a_context():
    inside, outside = small().fit(TEXTS, LABELS), small().fit(TEXTS)
    tokens = [list(text) for text in TEXTS]
    with pytest.raises(SequenceDataError, match="pretrained was fitted with a context"):
        RNNClassifier(pretrained=inside, bidirectional=False).fit(tokens, LABELS)
    with pytest.raises(SequenceDataError, match="pretrained was fitted with a context"):
        small(pretrained=inside).fit(TEXTS)
    with pytest.raises(SequenceDataError, match="pretrained was fitted with no context"):
        small(pretrained=outside).fit(TEXTS, LABELS)
    assert small(pretrained=inside).fit(["ab", "b"], ["y", "y"]).predict(["a"], ["x"]).shape == (1,)
    assert small(pretrained=outside, context="state").fit(TEXTS, LABELS).predict(["a"], ["x"]).shape == (1,)


def test_validation_data():
    with pytest.raises(SequenceDataError, match=r"In the validation data.*got no y"):
        small().fit(TEXTS, LABELS, X_val=["a"])
    with pytest.raises(SequenceDataError, match=r"In the validation data.*'q', which was not there"):
        small().fit(TEXTS, LABELS, X_val=["a"], y_val=["q"])
    with pytest.raises(ValueError, match="X_val is missing"):
        small().fit(TEXTS, LABELS, y_val=LABELS)
    assert np.isfinite(small().fit(TEXTS, X_val=["azb", ""]).validation_scores_).all()


def test_weights():
    with pytest.raises(ValueError, match="all are zero"):
        small().fit(TEXTS, sample_weight=np.zeros(16))
    with pytest.raises(ValueError, match="one weight a sequence"):
        small().fit(TEXTS, sample_weight=[1, 2])
    assert "z" not in small().fit(["abz", *TEXTS[1:]], sample_weight=[0] + [1] * 15).classes_


class Failing(Callback):
    def __init__(self, error):
        self.error = error

    def on_epoch_end(self, net, **kwargs):
        raise self.error


@pytest.mark.parametrize("error", [RuntimeError("no disk"), MemoryError()])
def test_a_fit_that_fails_leaves_the_one_before(error):
    model = small(warm_start=True).fit(TEXTS, LABELS)
    before = model.score_samples(TEXTS, LABELS)
    model.set_params(callbacks=[Failing(error)])
    for call in (lambda: model.fit(TEXTS, LABELS), lambda: model.partial_fit(TEXTS, LABELS)):
        with pytest.raises((type(error), MemoryError)):
            call()
    with pytest.raises(ValueError, match="got no y"):
        model.fit(TEXTS)
    with pytest.raises(ValueError, match="'q', which was not there in fit"):
        model.partial_fit(TEXTS, ["q"] * 16)
    np.testing.assert_array_equal(model.score_samples(TEXTS, LABELS), before)
    assert model.sample(y="x", random_state=0).shape == (1,)


def test_new_symbols_of_more_data_are_unknown():
    model = small().partial_fit(TEXTS)
    assert model.partial_fit(["xyz"]).classes_.tolist() == ["a", "b", "c", "</s>"]
    assert re.fullmatch("[abc]*", model.sample(random_state=0)[0])
