"""The container of tokens against plain lists, and every form that documents come in."""

import pickle
import re
from itertools import accumulate

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import KFold, train_test_split

from sklearn_rnn import Sequences
from sklearn_rnn.data.tokens import TokenSequences, read_documents
from sklearn_rnn.exceptions import SequenceDataError

DOCUMENTS = ["In Oslo", "", "An ü é 😀", "x"]


def rows_of(document):
    """(token, start, end) of what stands between white space."""
    return [(match[0].lower(), *match.span()) for match in re.finditer(r"\S+", document)]


def make(documents=DOCUMENTS, *, spans=True, **options):
    """A container, and for each document the pair of its text and its rows."""
    naive = [(document, rows_of(document)) for document in documents]
    rows = [row for _, rows in naive for row in rows]
    places = np.array([row[1:] for row in rows], dtype=int).reshape(-1, 2)
    offsets = [0, *accumulate(len(rows) for _, rows in naive)]
    values = np.array([row[0] for row in rows], dtype=object)
    return TokenSequences(values, offsets, documents=documents, spans=places if spans else None, **options), naive


def assert_same(tokens, naive):
    assert type(tokens) is TokenSequences
    assert tokens.documents.tolist() == [document for document, _ in naive]
    assert [tokens[i].tolist() for i in range(len(tokens))] == [[row[0] for row in rows] for _, rows in naive]
    assert tokens.spans.tolist() == [list(row[1:]) for _, rows in naive for row in rows]
    assert tokens.surfaces.tolist() == [text[start:end] for text, rows in naive for _, start, end in rows]


texts = st.lists(st.text("aB é😀ıİ\n", max_size=8), min_size=1, max_size=6)


@given(texts, st.data())
@settings(deadline=None)
def test_every_subset_keeps_documents_and_spans(documents, data):
    tokens, naive = make(documents)
    index = data.draw(st.lists(st.integers(-len(documents), len(documents) - 1), max_size=8))
    part = data.draw(st.slices(len(documents)))
    mask = data.draw(st.lists(st.booleans(), min_size=len(documents), max_size=len(documents)))
    assert_same(tokens, naive)
    assert_same(tokens.take(index), [naive[i] for i in index])
    assert_same(tokens[part], naive[part])
    assert_same(tokens[np.array(mask)], [pair for pair, kept in zip(naive, mask, strict=True) if kept])
    assert_same(tokens[index][: len(index) // 2], [naive[i] for i in index][: len(index) // 2])


@given(texts, st.integers(1, 4), st.sampled_from(["head", "tail"]))
@settings(deadline=None)
def test_truncated_tokens_keep_their_places(documents, max_length, cut):
    tokens, naive = make(documents)
    kept = slice(max_length) if cut == "tail" else slice(-max_length, None)
    assert_same(tokens.truncate(max_length, cut=cut), [(document, rows[kept]) for document, rows in naive])


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("looked_at", [False, True])
def test_pickle_keeps_everything(protocol, looked_at):
    tokens, naive = make(ids=list("abcd"))
    if looked_at:
        assert tokens.surfaces is tokens.surfaces
    again = pickle.loads(pickle.dumps(tokens, protocol))
    assert_same(again, naive)
    assert again.ids.tolist() == list("abcd")


def test_pickle_of_a_part_holds_the_part_alone():
    tokens, _ = make([f"a{i} b c" * 50 for i in range(50)])
    assert len(pickle.dumps(tokens[:1])) < len(pickle.dumps(tokens)) / 20


def test_without_spans_there_are_no_surfaces():
    tokens, naive = make(spans=False, ids=[1, 2, 3, 4])
    part = tokens[[2, 0]]
    assert part.spans is None
    assert part.surfaces is None
    assert part.ids.tolist() == [3, 1]
    assert part.documents.tolist() == [DOCUMENTS[2], DOCUMENTS[0]]
    assert [list(sequence) for sequence in part] == [[row[0] for row in naive[i][1]] for i in (2, 0)]


def test_other_values_make_plain_sequences():
    tokens, _ = make(ids=list("abcd"))
    plain = tokens.with_values(np.arange(7.0))
    assert type(plain) is Sequences
    assert plain.ids.tolist() == list("abcd")
    assert type(TokenSequences.from_arrays([np.array(["a"], dtype=object)])) is Sequences


def test_train_test_split_and_folds():
    tokens, naive = make(DOCUMENTS * 3)
    train, test, in_train, in_test = train_test_split(tokens, np.arange(12), random_state=0)
    assert_same(train, [naive[i] for i in in_train])
    assert_same(test, [naive[i] for i in in_test])
    for one, other in KFold(3, shuffle=True, random_state=0).split(tokens):
        assert_same(tokens[one], [naive[i] for i in one])
        assert_same(tokens[other], [naive[i] for i in other])


@pytest.mark.parametrize(
    ("documents", "text"),
    [
        (DOCUMENTS, "TokenSequences(n_sequences=4, lengths 0 to 4)"),
        ([], "TokenSequences(n_sequences=0, empty)"),
    ],
)
def test_repr(documents, text):
    assert repr(make(documents)[0]) == text


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        (["a", "b"], {"documents": ["a b", "c"]}, r"one text for each of the 1 sequences, got shape \(2,\)"),
        (["a", "b"], {"documents": ["a b"], "spans": [[0, 1]]}, r"each of the 2 tokens, got shape \(1, 2\)"),
        (["a", "b"], {"documents": ["a b"], "spans": [0, 1]}, r"each of the 2 tokens, got shape \(2,\)"),
        ([["a"], ["b"]], {"documents": ["a b"]}, r"one token a step, got shape \(2, 1\)"),
        (["a"], {"documents": ["a"]}, r"offsets\[-1\]=2 steps"),
    ],
)
def test_what_does_not_belong_together_is_refused(values, options, message):
    with pytest.raises(ValueError, match=message):
        TokenSequences(values, [0, 2], **options)


SERIES = pd.Series(DOCUMENTS, index=[7, 3, 3, 0])
COLUMN = np.array(DOCUMENTS, dtype=object)


@pytest.mark.parametrize(
    "X",
    [
        DOCUMENTS,
        tuple(DOCUMENTS),
        COLUMN,
        COLUMN[:, None],
        np.array(DOCUMENTS),
        np.array(DOCUMENTS)[:, None],
        np.array(DOCUMENTS, dtype=np.dtypes.StringDType()),
        SERIES,
        SERIES.astype(object),
        SERIES.astype("category"),
        SERIES.astype("string[pyarrow]"),
        SERIES.to_frame("text"),
        pl.Series(DOCUMENTS),
        pl.DataFrame({"text": DOCUMENTS}),
        pa.array(DOCUMENTS),
        pa.chunked_array([DOCUMENTS[:1], DOCUMENTS[1:]]),
        pa.table({"text": DOCUMENTS}),
        (document for document in DOCUMENTS),
        [np.str_(document) for document in DOCUMENTS],
    ],
    ids=lambda X: f"{type(X).__module__}.{type(X).__name__}",
)
def test_documents_of_every_kind(X):
    documents = read_documents(X, name="X")
    assert documents.dtype == object
    assert documents.tolist() == DOCUMENTS


def test_masked_documents_are_refused():
    for dtype in (str, object):
        documents = np.ma.masked_array(np.array(["a b", "c"], dtype=dtype), [False, True])
        with pytest.raises(SequenceDataError, match=r"is a masked array of dtype|is float nan where a document"):
            read_documents(documents, name="X")


def test_no_documents_are_no_error_here():
    assert read_documents([], name="X").shape == (0,)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ("In Oslo", r"Iterable over raw text documents expected, string object received: X is str 'In Oslo'.* \[X\]"),
        (b"In Oslo", "X is bytes b'In Oslo'"),
        ({"a": "b"}, "in an order, got dict"),
        ({"a", "b"}, "in an order, got set"),
        (3, "in an order, got int"),
        (None, "in an order, got NoneType"),
        (np.array("a"), r"X has shape \(\), wanted one column"),
        (np.array([["a", "b"]]), r"X has shape \(1, 2\), wanted one column of documents"),
        (pd.DataFrame({"text": ["a"], "n": [1]}), r"shape \(1, 2\) \(columns \['text', 'n'\]\).*passthrough"),
        (pl.DataFrame({"text": ["a"], "n": [1]}), r"columns \['text', 'n'\]"),
        (pa.table({"text": ["a"], "n": [1]}), r"columns \['text', 'n'\]"),
        (["a", None], r"X\[1\] is NoneType None where a document \(str\) is due: a missing document may be an empty"),
        (["a", float("nan")], r"X\[1\] is float nan .*missing"),
        (pd.Series(["a", pd.NA], dtype="string"), r"X\[1\] is .* where a document.*missing"),
        (pd.Series(["a", "b", None]), r"X\[2\] is .* where a document.*missing"),
        (pa.array(["a", None]), r"X\[1\] is NoneType"),
        ([b"a", "b"], r"X\[0\] is bytes b'a' where a document .* X\[0\]\.decode\('utf-8'\)"),
        (["a", 3], r"X\[1\] is int 3 .* str\(value\)"),
        (np.array([1.5]), r"X\[0\] is float 1.5"),
        (["a", ["b", "c"]], r"X\[1\] is list \['b', 'c'\] .* need no SequenceTokenizer"),
        (Sequences(np.array(["a", "b"], dtype=object), [0, 2]), r"X\[0\] is ndarray .* need no SequenceTokenizer"),
        (["a", b"x" * 100], r"X\[1\] is bytes b'x{35}\.\.\. where"),
    ],
)
def test_what_is_no_document_is_named(X, message):
    with pytest.raises(SequenceDataError, match=message):
        read_documents(X, name="X")
