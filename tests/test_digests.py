"""What counts as the same sample, and what goes with a part of the samples."""

import copy
import datetime
from decimal import Decimal
from itertools import combinations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from samples import ragged, small

from sklearn_rnn import AlignedSequences, RNNClassifier, SequenceBaggingClassifier, Sequences, SequenceTokenizer
from sklearn_rnn.data.digests import content, sample_digests
from sklearn_rnn.data.fit_params import take_fit_params
from sklearn_rnn.data.formats import object_array
from sklearn_rnn.data.stored import StoredSequences

X = ragged()
TABLE = np.arange(72.0).reshape(24, 3) % 5
y = np.arange(24) % 2


@pytest.mark.parametrize(
    "sequences",
    [
        X,
        object_array(X),
        pd.Series(X),
        Sequences.from_arrays(X),
        [torch.from_numpy(x) for x in X],
        [["up" if step > 0 else "down" for step in x[:, 0]] for x in X],
        [" ".join("ab"[int(step > 0)] for step in x[:, 0]) for x in X],
        [[{"size": step} for step in x[:, 0]] for x in X],
        AlignedSequences({"sensors": X, "sign": [["up" if step > 0 else "down" for step in x[:, 0]] for x in X]}),
        [[["a"] * (t % 3) for t in range(len(x))] for x in X],
        TABLE,
        pd.DataFrame(TABLE),
        scipy.sparse.csr_array(TABLE),
        np.stack([x[:2] for x in X]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_equal_samples_have_equal_digests(sequences):
    digests = sample_digests(sequences, y)
    items = (
        list(sequences.toarray() if hasattr(sequences, "toarray") else np.asarray(TABLE))
        if (len(getattr(sequences, "shape", ())) == 2)
        else list(sequences)
    )
    for i in range(24):
        for j in range(i):
            same = repr(items[i]) == repr(items[j]) and y[i] == y[j]
            assert (digests[i] == digests[j]) == same


@given(hnp.arrays(np.float64, st.tuples(st.integers(2, 6), st.integers(1, 3)), elements=st.floats(-3, 3)), st.randoms())
def test_the_order_of_the_rows_does_not_matter(rows, random):
    order = list(range(len(rows)))
    random.shuffle(order)
    targets = np.arange(len(rows))
    np.testing.assert_array_equal(sample_digests(rows, targets)[order], sample_digests(rows[order], targets[order]))


def test_the_target_is_a_part_of_the_sample():
    assert len(set(sample_digests([X[0]] * 3, np.array(["a", "b", "b"])).tolist())) == 2
    column, flat = (sample_digests(X, target) for target in (y[:, None], y))
    np.testing.assert_array_equal(column, flat)


def test_what_goes_with_a_part_of_the_sequences():
    params = {"sample_weight": np.arange(4.0), "groups": [1, 1, 2, 2], "X_val": X[:4], "flag": True, "word": "four"}
    taken = take_fit_params(params, np.array([2, 0]), 4)
    assert taken["sample_weight"].tolist() == [2, 0]
    assert taken["groups"] == [2, 1]
    assert all(taken[name] is params[name] for name in ("X_val", "flag", "word"))


LONG = np.random.default_rng(0).normal(size=(6, 1500))
LONG[:, :3] = LONG[:, -3:] = 0  # the ends that NumPy shows of a long array
FINE = 0.5 + 1e-12 * np.arange(6)  # equal in the 8 digits that NumPy shows
WORDS = [["the", *["oak"] * 1500, word, *["oak"] * 1500, "fell"] for word in "abcdef"]


@pytest.mark.parametrize(
    "sequences",
    [
        pd.DataFrame({"a": list(LONG), "b": list(LONG)}),
        pd.DataFrame({"a": list(LONG), "b": [["x"] * 1500] * 6}),
        pl.DataFrame({"a": LONG.tolist(), "b": LONG.tolist()}),
        pa.table({"a": LONG.tolist(), "b": LONG.tolist()}),
        AlignedSequences({"a": list(LONG), "b": [["x"] * 1500] * 6}),
        [[{"size": float(step), "word": "w"} for step in row[:10]] for row in FINE[:, None] * np.ones(10)],
        [[{"v": row}] for row in LONG],
        [[[step] * (1 + i % 2) for i, step in enumerate(row)] for row in LONG],
        object_array([object_array([row, row[:2]]) for row in LONG]),
        object_array(list(LONG.astype(object))),
        [np.array([[row[700], "word"]], dtype=object) for row in LONG],
        [np.array([[value, "word"]], dtype=object) for value in FINE],
        [[value, "word"] for value in FINE],
        [[str(value)] for value in FINE],
        WORDS,
        [np.array(words) for words in WORDS],
    ],
    ids=lambda value: type(value).__name__,
)
def test_different_samples_have_different_digests(sequences):
    assert len(set(sample_digests(sequences, np.zeros(6)).tolist())) == 6
    assert len(set(sample_digests(sequences, FINE).tolist())) == 6


def test_rows_of_a_frame_that_look_alike_are_all_drawn():
    X = pd.DataFrame({"a": [row[:1100] for row in LONG], "b": [row[:1100] for row in LONG]})
    base = small(RNNClassifier, max_epochs=1)
    bagging = SequenceBaggingClassifier(base, n_estimators=30, random_state=0).fit(X, [0, 0, 0, 1, 1, 1])
    assert set(np.concatenate(bagging.estimators_samples_).tolist()) == set(range(6))


ROUNDED = [np.round(x, 1).astype(np.float32) for x in X]
NUMBERS = {
    "float32": ROUNDED,
    "float64": [x.astype(np.float64) for x in ROUNDED],
    "Fortran order": [np.asfortranarray(x) for x in ROUNDED],
    "lists": [x.tolist() for x in ROUNDED],
    "tuples": [tuple(map(tuple, x.tolist())) for x in ROUNDED],
    "objects": [x.astype(object) for x in ROUNDED],
    "tensors": [torch.from_numpy(x) for x in ROUNDED],
    "frames": [pd.DataFrame(x) for x in ROUNDED],
    "object array": object_array(ROUNDED),
    "Series": pd.Series(ROUNDED),
    "column": pd.DataFrame({"x": ROUNDED}),
    "Arrow": pa.array([x.tolist() for x in ROUNDED]),
    "polars": pl.Series([x.tolist() for x in ROUNDED]),
    "container": Sequences.from_arrays(ROUNDED),
    "stored": StoredSequences.join([Sequences.from_arrays(ROUNDED)]),
}
TOKENS = [["up" if step > 0 else "down" for step in x[:, 0]] for x in X]
STRINGS = {
    "lists": TOKENS,
    "tuples": [tuple(tokens) for tokens in TOKENS],
    "arrays": [np.array(tokens) for tokens in TOKENS],
    "arrays of objects": [object_array(tokens) for tokens in TOKENS],
    "Series": pd.Series(TOKENS),
    "Arrow": pa.array(TOKENS),
    "container": Sequences(np.concatenate(TOKENS), np.cumsum([0, *map(len, TOKENS)])),
    "tokenizer": SequenceTokenizer().fit_transform([" ".join(tokens) for tokens in TOKENS]),
}
SEVERAL = {"word": TOKENS, "size": [x[:, 0].tolist() for x in ROUNDED]}
INPUTS = {
    "container": AlignedSequences(SEVERAL),
    "frame": pd.DataFrame(SEVERAL),
    "polars": pl.DataFrame(SEVERAL),
    "Arrow": pa.table(SEVERAL),
}
TABLES = {
    "array": TABLE,
    "float32": TABLE.astype(np.float32),
    "int": TABLE.astype(int),
    "lists": TABLE.tolist(),
    "frame": pd.DataFrame(TABLE),
    "frame of ints": pd.DataFrame(TABLE.astype(int)),
    "frame of objects": pd.DataFrame(TABLE.astype(object)),
    "tensor": torch.from_numpy(TABLE),
    "sparse": scipy.sparse.csr_array(TABLE),
}


@pytest.mark.parametrize("formats", [NUMBERS, STRINGS, INPUTS, TABLES], ids=["numbers", "strings", "several", "tables"])
def test_equal_samples_have_equal_digests_in_every_format(formats):
    wanted, *others = [sample_digests(sequences, y).tolist() for sequences in formats.values()]
    for name, digests in zip(list(formats)[1:], others, strict=True):
        assert digests == wanted, name


EQUAL = [
    (-0.0, np.float32(-0.0), np.array(-0.0)),
    ([2**25], [float(2**25)], np.array([2**25]), np.array([2**25], dtype=np.float32), np.array([2**25], dtype=">i4")),
    (np.array([0.1]), np.array([0.1], dtype=">f8"), np.array([[0.1, 0]])[0, :1], [0.1]),
    ([1e300, 0.5], np.array([1e300, 0.5]), np.array([1e300, 0.5], dtype=object)),
    (1, 1.0, True, np.int8(1), np.float32(1), np.array(1.0), torch.tensor(1)),
    ([2**60], [float(2**60)], np.array([2**60]), np.array([2**60], dtype=object)),
    ([10**400], (10**400,)),
    ([np.nan], np.array([np.nan], dtype=np.float32)),
    ("a", np.str_("a"), np.array("a")),
    (["a", 1], ("a", 1.0), np.array(["a", 1], dtype=object)),
    ({"a": 1, "b": [2]}, {"b": np.array([2.0]), "a": True}),
    ([{"a", "b"}], [{"b", "a"}], [frozenset("ab")]),
    ([datetime.date(2020, 1, 2)], (datetime.date(2020, 1, 2),)),
    ([], (), np.empty(0), np.empty(0, dtype=object)),
]
DIFFERENT = [
    (2**53, 2**53 + 1, 2.0**53 + 2, -(2**53) - 1),
    (np.uint64(2**63 + 1), 2**63, 2**63 + 2),
    (np.array([1]), np.array([5e-324]), np.array([1 + 2**52])),
    ([2**53 + 1, 0.5], [2**53, 0.5], [2**53 + 2, 0.5]),
    (0.1, np.float32(0.1)),
    (0, -0.0, False - 1),
    ("1", 1, b"1", None, "None"),
    (np.nan, None),
    (["a", 1], ["a", "1"], "a1"),
    (["ab", "c"], ["a", "bc"], ["abc"], [["ab"], ["c"]], ["a|b", "c"]),
    ([[1, 2], [3]], [[1], [2, 3]], [1, 2, 3], [[1, 2, 3]], [[1], [2], [3]]),
    ([{"a": 1}, {"b": 1}], [{"a": 1, "b": 1}, {}], [{"a": 1}, {"b": True, "c": 0}]),
    (["\ud800"], ["\ud801"]),
    (np.array(["2020-01-01"], "M8[D]"), np.array(["2020-01-02"], "M8[D]"), np.array([18262])),
    (Decimal("0.1"), Decimal("0.10000000000000000001")),
    ([1 + 1j], [1 - 1j]),
    (np.longdouble(1) + np.finfo(np.longdouble).eps, np.longdouble(1)),
    (lambda: 0, lambda: 0),
]


@pytest.mark.parametrize("items", EQUAL, ids=lambda items: type(items[0]).__name__)
def test_equal_content(items):
    assert len({content(item) for item in items}) == 1


@pytest.mark.parametrize("items", DIFFERENT, ids=lambda items: type(items[0]).__name__)
def test_different_content(items):
    for one, other in combinations(items, 2):
        assert content(one) != content(other)
        assert content([one, other]) != content([other, one])


FLOATS = st.floats(allow_nan=False).map(lambda x: x + 0.0)  # Python takes -0.0 for 0
NESTED = st.recursive(
    st.one_of(
        st.integers(),
        st.floats(allow_nan=False).map(lambda x: x + 0.0),
        st.text(max_size=3),
        st.none(),
        st.binary(max_size=3),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=2), inner, max_size=3)),
    max_leaves=6,
)


@given(NESTED, NESTED)
def test_content_is_equal_where_python_says_so(one, other):
    assert (content(one) == content(other)) == (one == other)
    assert content(copy.deepcopy(one)) == content(one)


def test_spellings_that_a_tokenizer_keeps_beside_the_tokens_are_part_of_a_sample():
    documents = ["In Oslo", "in oslo", "in OSLO"]
    assert len(set(sample_digests(SequenceTokenizer().fit_transform(documents), np.zeros(3)).tolist())) == 3
