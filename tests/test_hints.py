"""One sequence given in place of a collection: the error says how to wrap it, for each kind of input and method.

What is wrapped so is then read, which is how a hint is known to be right.
"""

import re
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from samples import small
from sklearn.feature_extraction import DictVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_rnn import (
    AlignedSequences,
    PerStep,
    RNNClassifier,
    RNNRegressor,
    RNNSequenceTagger,
    SequenceBaggingClassifier,
    SequenceTokenizer,
    stream,
)
from sklearn_rnn.exceptions import SequenceDataError, SequenceDataWarning

X = [np.random.default_rng(i).normal(size=(length, 2)) for i, length in enumerate((6, 3, 5, 2, 4, 6))]
SERIES = [x[:, 0] for x in X]
TOKENS = [["the", "oak", "fell"], ["it", "fell"], ["oak"], ["the", "fell"], ["it"], ["oak", "oak"]]
IDS = [[len(token) for token in tokens] for tokens in TOKENS]
POSITIONS = [np.arange(float(len(tokens))) for tokens in TOKENS]
DICTS = [[{"word": token, "size": float(len(token))} for token in tokens] for tokens in TOKENS]
SEVERAL = {"word": TOKENS, "at": POSITIONS}
LABELS = list("ababab")
NUMBERS = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
TAGS = [["T" if token == "oak" else "O" for token in tokens] for tokens in TOKENS]
TABLE = np.arange(24.0).reshape(6, 4)
FRAMES = [pd.DataFrame(x, columns=list("ab")) for x in X]

MODELS = {
    "numbers": lambda: small(RNNClassifier, bidirectional=False).fit(X, LABELS),
    "block": lambda: small(RNNRegressor).fit(np.zeros((6, 5, 2)) + TABLE[:, :1, None], NUMBERS),
    "frames": lambda: small(RNNClassifier).fit(FRAMES, LABELS),
    "series": lambda: small(RNNClassifier, bidirectional=False).fit(SERIES, LABELS),
    "column": lambda: small(RNNClassifier).fit([x[:, :1] for x in X], LABELS),
    "column of a frame": lambda: small(RNNClassifier).fit(pd.DataFrame({"x": SERIES}), LABELS),
    "table": lambda: small(RNNClassifier).fit(TABLE, LABELS),
    "tokens": lambda: small(RNNClassifier, bidirectional=False).fit(TOKENS, LABELS),
    "tags": lambda: small(RNNSequenceTagger, bidirectional=False).fit(TOKENS, TAGS),
    "ids": lambda: small(RNNClassifier, embedding_dim=2, bidirectional=False).fit(IDS, LABELS),
    "dicts": lambda: small(RNNSequenceTagger, bidirectional=False).fit(DICTS, TAGS),
    "several": lambda: small(RNNSequenceTagger, bidirectional=False).fit(SEVERAL, TAGS),
    "scaled": lambda: make_pipeline(PerStep(StandardScaler()), small(RNNClassifier, bidirectional=False)).fit(
        X, LABELS
    ),
    "vectorised": lambda: make_pipeline(PerStep(DictVectorizer()), small(RNNClassifier)).fit(DICTS, LABELS),
    "documents": lambda: make_pipeline(SequenceTokenizer(), small(RNNClassifier)).fit(
        [" ".join(tokens) for tokens in TOKENS], LABELS
    ),
    "bagging": lambda: SequenceBaggingClassifier(small(RNNClassifier), n_estimators=2).fit(X, LABELS),
}


@pytest.fixture(scope="module")
def models():
    return {name: fit() for name, fit in MODELS.items()}


COLUMNS = r"give it \{key: \[X\[key\]\] for key in X.columns\}"
WRAPPED = r"give it \[X\]"
ONE = [
    ("numbers", X[0], WRAPPED),
    ("numbers", X[0].tolist(), WRAPPED),
    ("numbers", X[0].astype(np.float32), WRAPPED),
    ("numbers", torch.tensor(X[0]), WRAPPED),
    ("numbers", pd.DataFrame(X[0]), WRAPPED),
    ("numbers", pl.DataFrame(X[0]), WRAPPED),
    ("numbers", X[0][:1], WRAPPED),
    ("block", X[0], WRAPPED),
    ("frames", FRAMES[0], WRAPPED),
    ("series", SERIES[0], WRAPPED),
    ("series", SERIES[0].tolist(), WRAPPED),
    ("series", pd.Series(SERIES[0]), WRAPPED),
    ("series", torch.tensor(SERIES[0]), WRAPPED),
    ("series", pa.array(SERIES[0]), WRAPPED),
    ("column", SERIES[0], WRAPPED),
    ("column of a frame", SERIES[0], WRAPPED),
    ("table", TABLE[0], WRAPPED),
    ("tokens", TOKENS[0], WRAPPED),
    ("tokens", tuple(TOKENS[0]), WRAPPED),
    ("tokens", np.array(TOKENS[0]), WRAPPED),
    ("tokens", pd.Series(TOKENS[0]), WRAPPED),
    ("tokens", ["oak"], WRAPPED),
    ("tags", TOKENS[0], WRAPPED),
    ("ids", IDS[0], WRAPPED),
    ("ids", np.array(IDS[0]), WRAPPED),
    ("dicts", DICTS[0], WRAPPED),
    ("dicts", DICTS[0][:1], WRAPPED),
    ("several", [{"word": "oak", "at": 0.0}, {"word": "fell", "at": 1.0}], WRAPPED),
    ("several", AlignedSequences(SEVERAL)[0], r"give it \{key: \[X\[key\]\] for key in X\}"),
    ("several", {"word": TOKENS[0], "at": POSITIONS[0]}, r"give it \{key: \[X\[key\]\] for key in X\}"),
    ("several", pd.DataFrame({"word": TOKENS[0], "at": POSITIONS[0]}), COLUMNS),
    ("several", pl.DataFrame({"word": TOKENS[0], "at": POSITIONS[0]}), COLUMNS),
    ("scaled", X[0], WRAPPED),
    ("vectorised", DICTS[0], WRAPPED),
    ("bagging", X[0], WRAPPED),
]


@pytest.mark.parametrize(("fitted", "one", "wanted"), ONE)
def test_one_sequence_is_to_be_wrapped(models, fitted, one, wanted):
    with pytest.raises(
        SequenceDataError,
        match=rf"X is one sequence of {len(one['word'] if 'key' in wanted else one)} "
        rf"step\(s\), where .* takes a collection of sequences: {wanted}",
    ):
        models[fitted].predict(one)
    names = getattr(one, "columns", one) if "key" in wanted else ()
    wrapped = {key: [one[key]] for key in names} if "key" in wanted else [one]
    assert len(models[fitted].predict(wrapped)) == 1


@pytest.mark.parametrize("one", [X[0], SERIES[0], TOKENS[0]], ids=["numbers", "series", "tokens"])
def test_no_other_library_is_heard(models, one):
    fitted = {6: "numbers", 3: "tokens"}[len(one)] if np.ndim(one) == 2 or one is TOKENS[0] else "series"
    with pytest.raises(SequenceDataError) as refused:
        models[fitted].predict(one)
    assert not re.search(r"reshape\(|2-D table|raw document", str(refused.value))
    assert str(refused.value).count(". ") < 3


@pytest.mark.parametrize(
    ("fitted", "method", "one"),
    [
        *(("numbers", name, X[0]) for name in ("predict_proba", "decision_function", "transform", "transform_steps")),
        *(("tags", name, TOKENS[0]) for name in ("predict_proba", "predict_nbest", "predict_entities")),
        ("block", "transform", X[0]),
        ("scaled", "predict_proba", X[0]),
        ("bagging", "predict_proba", X[0]),
    ],
)
def test_every_method_says_so(models, fitted, method, one):
    with pytest.raises(SequenceDataError, match=WRAPPED):
        getattr(models[fitted], method)(one)


def test_scores_and_later_fits_say_so(models):
    for one, y, name in [(X[0], LABELS[:1], "numbers"), (X[0], NUMBERS[:1], "block"), (TOKENS[0], TAGS[0], "tags")]:
        with pytest.raises(SequenceDataError, match=WRAPPED):
            models[name].score(one, y)
    with pytest.raises(SequenceDataError, match=WRAPPED):
        models["scaled"][0].transform(X[0])
    with pytest.raises(SequenceDataError, match=WRAPPED):
        MODELS["numbers"]().partial_fit(X[0], LABELS[:1])
    with pytest.raises(SequenceDataError, match=rf"X_val and y_val: .*{WRAPPED}"):
        small(RNNClassifier).fit(X, LABELS, X_val=X[0], y_val=LABELS[:1])


OTHERWISE = [
    ("numbers", X[0][0], r"expecting a collection of sequences of shape \(length, 2\).*one step is \[\[X\]\]"),
    ("numbers", np.zeros(5), r"Reshape your data: X has shape \(5,\), .*\(length, 2\)$"),
    ("numbers", np.zeros((6, 3)), r"expecting 2 features a step"),
    ("numbers", [X[0], X[1][:, :1]], r"features differs"),
    ("numbers", [*X, np.full((2, 2), np.nan)], r"NaN at sequence 6"),
    ("numbers", TOKENS[0], r"fitted on sequences of numbers, got the strings \['the', 'oak', 'fell'\] in X"),
    ("ids", ["the oak fell"], r"fitted on sequences of integer ids, got the strings"),
    ("table", np.zeros((5, 1)), r"X has 1 features, but RNNClassifier is expecting 4"),
    ("tokens", ["the oak fell", "it fell"], r"raw document 'the oak fell'.*SequenceTokenizer"),
    (
        "tokens",
        ["fell", "the oak fell"],
        r"raw document 'fell'.*one sequence of tokens, give \[X\]. .*SequenceTokenizer",
    ),
    ("tokens", "the oak fell", r"got str 'the oak fell'. One document is \[X.split\(\)\], or with SequenceTokenizer"),
    ("tokens", [["the", 3]], r"int 3 where other steps are strings"),
    ("tags", [], r"X is empty"),
    ("documents", "the oak fell", r"one document is \[raw_documents\]"),
    (
        "several",
        [{"word": TOKENS[0], "at": POSITIONS[0].tolist()}],
        r"dict of collections: \{key: \[x\[key\] for x in X\]",
    ),
    ("several", TOKENS, r"X is one input a step, wanted those of fit"),
]


@pytest.mark.parametrize(("fitted", "other", "message"), OTHERWISE)
def test_what_is_no_sequence_is_not_to_be_wrapped(models, fitted, other, message):
    with pytest.raises(ValueError, match=message) as refused:
        models[fitted].predict(other)
    assert "give it [X]" not in str(refused.value)


def test_a_tip_for_one_step_is_right(models):
    assert len(models["numbers"].predict([[X[0][0]]])) == 1


@pytest.mark.parametrize("fitted", ["series", "column", "column of a frame"])
@pytest.mark.parametrize("kind", [np.asarray, torch.tensor, pd.DataFrame])
def test_a_column_may_be_one_sequence_and_is_read_as_many(models, fitted, kind):
    with pytest.warns(
        SequenceDataWarning, match=r"X of shape \(6, 1\) was read as 6 sequences of one step.*give \[X\]"
    ):
        predicted = models[fitted].predict(kind(X[0][:, :1]))
    assert len(predicted) == 6
    models[fitted].predict(X[0][:, :1].reshape(-1, 1, 1))


@given(n_sequences=st.integers(1, 4), n_steps=st.integers(1, 4))
def test_tables_and_blocks_that_are_meant_so_are_read_in_silence(models, n_sequences, n_steps):
    numbers = np.zeros((n_sequences, n_steps + 1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(models["series"].predict(numbers)) == n_sequences
        assert len(models["series"].predict(numbers[:, :1, None])) == n_sequences
        assert len(models["table"].predict(np.zeros((n_sequences, 4)))) == n_sequences


@pytest.mark.parametrize("one", [np.arange(6.0), [1.0, 2, 3, 4, 5, 6], pd.Series(NUMBERS), torch.arange(6.0)], ids=type)
def test_a_series_in_a_fit_is_one_sequence_or_many_windows(one):
    wanted = r"Expected 2D array, got 1D array instead: X is one row of 6 number.*is \[X\].*sliding_window_view\(X"
    with pytest.raises(SequenceDataError, match=wanted) as refused:
        small(RNNRegressor).fit(one, NUMBERS)
    assert "reshape(-1, 1)" not in str(refused.value)
    assert len(np.lib.stride_tricks.sliding_window_view(np.asarray(one), 3)) == 4


@pytest.mark.parametrize(
    ("estimator", "X", "y", "message"),
    [
        (
            RNNSequenceTagger,
            TOKENS,
            LABELS,
            r"got 'a' where such a list is due. RNNClassifier learns one label for each",
        ),
        (RNNSequenceTagger, TOKENS, np.arange(6), r"got 0 where such a list is due. RNNClassifier"),
        (RNNSequenceTagger, TOKENS, pd.Series(LABELS), r"got 'a' where .* RNNClassifier"),
        (RNNSequenceTagger, TOKENS, NUMBERS, r"got 0.0 where .* RNNRegressor one number"),
        (RNNSequenceTagger, X[0], TAGS[0] * 2, r"one sequence has the labels \[y\], beside \[X\]"),
        (RNNSequenceTagger, TOKENS[0], TAGS[0], r"if X is one sequence of tokens, give \[X\]"),
        (RNNClassifier, TOKENS, TAGS, r"a label for each step is RNNSequenceTagger's work"),
        (RNNClassifier, TOKENS, [np.array(tags) for tags in TAGS], r"RNNSequenceTagger's work"),
        (RNNClassifier, TOKENS, pd.Series(TAGS), r"RNNSequenceTagger's work"),
        (RNNRegressor, TOKENS, TAGS, r"RNNSequenceTagger takes labels"),
        (RNNRegressor, TABLE, [["O"] * 4] * 6, r"RNNSequenceTagger a label for each step"),
        (RNNRegressor, TOKENS, LABELS, r"RNNClassifier takes labels"),
    ],
)
def test_labels_of_the_other_kind_name_the_estimator_that_takes_them(estimator, X, y, message):
    with pytest.raises(ValueError, match=message):
        small(estimator).fit(X, y)


STEP_BY_STEP = r"A whole sequence is taken one step after the other: for step in sequence: stream.update\(step\)"


@pytest.mark.parametrize(
    ("fitted", "sequence"),
    [
        ("numbers", X[0]),
        ("numbers", X[0].tolist()),
        ("numbers", torch.tensor(X[0])),
        ("numbers", pd.DataFrame(X[0])),
        ("numbers", [X[0]]),
        ("series", SERIES[0]),
        ("series", SERIES[0][:, None]),
        ("tokens", TOKENS[0]),
        ("tokens", [TOKENS[0]]),
        ("tags", TOKENS[0]),
        ("ids", IDS[0]),
        ("ids", [IDS[0]]),
        ("dicts", DICTS[0]),
        ("several", {"word": TOKENS[0], "at": POSITIONS[0]}),
        ("scaled", X[0]),
    ],
)
def test_a_stream_takes_one_step_after_the_other(models, fitted, sequence):
    live = stream(models[fitted])
    with pytest.raises(SequenceDataError, match=STEP_BY_STEP):
        live.update(sequence)
    assert live.n_steps_.tolist() == [0]


@pytest.mark.parametrize(
    ("fitted", "sequences"),
    [
        ("numbers", np.zeros((2, 6, 2))),
        ("numbers", X[:2]),
        ("series", SERIES[:2]),
        ("tokens", TOKENS[:2]),
        ("ids", IDS[:2]),
    ],
)
def test_several_streams_take_one_step_of_each(models, fitted, sequences):
    with pytest.raises(SequenceDataError, match=STEP_BY_STEP):
        stream(models[fitted], 2).update(sequences)


@pytest.mark.parametrize("step", [np.zeros(3), np.zeros((1, 3)), np.zeros((6, 3)), [[[]]]])
def test_a_step_of_another_shape_is_no_sequence(models, step):
    with pytest.raises(SequenceDataError) as refused:
        stream(models["numbers"]).update(step)
    assert not re.search(STEP_BY_STEP, str(refused.value))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_series_is_one_sequence_whatever_it_holds(models, value):
    with pytest.raises(SequenceDataError, match=WRAPPED):
        models["series"].predict(np.array([1.0, value]))
    with pytest.raises(SequenceDataError, match=r"NaN|infinity"):
        models["series"].predict([np.array([1.0, value])])


def test_a_column_of_tokens_may_be_one_sequence_too(models):
    with pytest.warns(SequenceDataWarning, match=r"X of shape \(3, 1\) was read as 3 sequences of one step"):
        assert len(models["tokens"].predict(np.array(TOKENS[0])[:, None])) == 3


def test_a_column_of_padded_rows_is_read_in_silence():
    padded = np.array([[1.0, 2.0, 0.0], [3.0, 0.0, 0.0], [4.0, 5.0, 6.0]] * 2)
    model = small(RNNClassifier, padding_value=0).fit(padded, LABELS)
    assert len(model.predict(padded[:, :1])) == 6
    with pytest.raises(SequenceDataError, match=WRAPPED):
        model.predict(padded[0])
