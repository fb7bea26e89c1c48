"""Pretrained vectors, found for a vocabulary in objects and in files of every format."""

import bz2
import gzip
import lzma
import tracemalloc
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from vector_files import VECTORS, WORDS, Sizeless, as_binary, as_text, vocabulary_of, written, zipped

from sklearn_rnn.data.embeddings import load_embeddings
from sklearn_rnn.exceptions import EmbeddingCoverageWarning


def naive(words, vectors, vocabulary, case_fallback):
    """The table token by token, from all words at once."""
    table = np.zeros((len(vocabulary) + 1, vectors.shape[1]), dtype=np.float32)
    covered = np.zeros(len(vocabulary) + 1, dtype=bool)
    for token, row in vocabulary.items():
        forms = [token, token.lower(), token.title(), token.upper()] if case_fallback else [token]
        known = [form for form in forms if form in words]
        if known:
            table[row], covered[row] = vectors[words.index(known[0])], True
    return table, covered


TEXT = {
    "GloVe": as_text(),
    "GloVe, Windows": as_text(end="\r\n"),
    "GloVe, byte-order mark": b"\xef\xbb\xbf" + as_text(),
    "GloVe, no newline at the end": as_text()[:-1],
    "GloVe, blank lines at the end": as_text() + b"\n\n",
    "GloVe, the first word has spaces": as_text(WORDS[2:] + WORDS[:2], np.roll(VECTORS, -2, axis=0)),
    "fastText": as_text(header=True, end=" \n"),
    "word2vec": as_text(header=True),
    "word2vec, more words than the header says": as_text(header=True).replace(b"11 5", b"9 5", 1),
}


@pytest.mark.parametrize("content", TEXT.values(), ids=TEXT)
@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress, lzma.compress, zipped])
def test_a_text_file_is_read_whatever_its_format(tmp_path, content, compress):
    vocabulary = vocabulary_of(*WORDS[::-1], "unseen")
    table = load_embeddings(written(tmp_path, compress(content)), vocabulary)
    assert_array_equal(table.vectors, np.vstack([np.zeros(5), VECTORS[::-1], np.zeros(5)]))
    assert_array_equal(table.covered, [False, *[True] * len(WORDS), False])
    assert table.coverage == pytest.approx(len(WORDS) / (len(WORDS) + 1))
    assert table.dim == 5
    assert table.vectors.dtype == np.float32


@pytest.mark.parametrize("end", [b"", b"\n"])
@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_a_binary_file_is_read(tmp_path, end, compress):
    words, vectors = [word for word in WORDS if " " not in word], np.delete(VECTORS, 2, axis=0)
    table = load_embeddings(written(tmp_path, compress(as_binary(words, vectors, end=end))), vocabulary_of(*words))
    assert_array_equal(table.vectors[1:], vectors)
    assert table.coverage == 1


def test_binary_records_may_lie_across_the_pieces_that_are_read(tmp_path):
    words = [f"w{i}" for i in range(700)]
    vectors = np.arange(700 * 60, dtype=np.float32).reshape(700, 60)  # 2.5 pieces of 64 KiB
    table = load_embeddings(written(tmp_path, as_binary(words, vectors)), vocabulary_of(*words))
    assert_array_equal(table.vectors[1:], vectors)


def test_columns_may_be_aligned_or_split_by_tabs(tmp_path):
    for content in (b"fly   0.5    2\noslo  1.25  -3\n", b"fly\t0.5\t2\noslo\t1.25\t-3\n"):
        table = load_embeddings(str(written(tmp_path, content)), {"oslo": 1, "fly": 2})
        assert_array_equal(table.vectors, [[0, 0], [1.25, -3], [0.5, 2]])


def test_the_home_folder_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    written(tmp_path, as_text())
    assert load_embeddings("~/vectors.data", {"the": 1}).coverage == 1


# every letter that str.split, str.splitlines or a latin-1 reader would stumble over
odd_words = st.text(
    st.sampled_from("aBß\u00a0\u2028\u0085\u3000\x1c\x0c.5e-İ√\U0001f600\u0301#"), min_size=1, max_size=6
).filter(lambda word: word.strip(" \t\r\n\x0b\x0c") == word and len(word.encode().split()) == 1)


@given(words=st.lists(odd_words, min_size=1, max_size=8, unique=True), dim=st.integers(1, 4), data=st.data())
@example(words=["1.5", "-2"], dim=1, data=None)
@settings(deadline=None, max_examples=60)
def test_odd_words_come_back(tmp_path_factory, words, dim, data):
    vectors = np.random.default_rng(len(words)).normal(size=(len(words), dim)).astype(np.float32)
    vocabulary = vocabulary_of(*words, "Ab")
    case_fallback = data is None or data.draw(st.booleans())
    wanted = naive(words, vectors, vocabulary, case_fallback)
    path = tmp_path_factory.mktemp("words")
    for content in (as_text(words, vectors), as_text(words, vectors, header=True), as_binary(words, vectors)):
        table = load_embeddings(written(path, content), vocabulary, case_fallback=case_fallback)
        assert_array_equal(table.vectors, wanted[0])
        assert_array_equal(table.covered, wanted[1])


@given(
    words=st.lists(st.text("aAbB'-", min_size=1, max_size=4), min_size=1, max_size=12, unique=True),
    tokens=st.lists(st.text("aAbB'-", min_size=1, max_size=4), min_size=1, max_size=12, unique=True),
    case_fallback=st.booleans(),
)
@settings(deadline=None, max_examples=80)
def test_the_form_that_fits_best_is_taken_wherever_it_stands(words, tokens, case_fallback):
    vectors = np.arange(1.0, len(words) + 1).reshape(-1, 1)
    vocabulary = vocabulary_of(*tokens)
    wanted = naive(words, vectors, vocabulary, case_fallback)
    with warnings.catch_warnings(action="ignore", category=EmbeddingCoverageWarning):
        tables = [
            load_embeddings(source, vocabulary, case_fallback=case_fallback)
            for source in ((words, vectors), dict(zip(words, vectors, strict=True)))
        ]
    for table in tables:
        assert_array_equal(table.vectors, wanted[0])
        assert_array_equal(table.covered, wanted[1])


def test_one_word_may_serve_several_tokens():
    table = load_embeddings({"oslo": [1.0]}, vocabulary_of("Oslo", "OSLO", "oslo"))
    assert_array_equal(table.vectors, [[0], [1], [1], [1]])
    assert load_embeddings({"oslo": [1.0]}, vocabulary_of("Oslo", "oslo"), case_fallback=False).coverage == 0.5


SOURCES = {
    "mapping": dict(zip(WORDS, VECTORS, strict=True)),
    "mapping of lists": dict(zip(WORDS, VECTORS.tolist(), strict=True)),
    "mapping of tensors": dict(zip(WORDS, torch.tensor(VECTORS, requires_grad=True), strict=True)),
    "pair": (WORDS, VECTORS),
    "pair of an array and lists": [np.array(WORDS), VECTORS.tolist()],
    "pair with a tensor": (WORDS, torch.tensor(VECTORS)),
    "pair with a word twice": ([*WORDS, "the"], np.vstack([VECTORS, VECTORS[:1] + 1])),
    "read-only double precision": (WORDS, np.asfortranarray(VECTORS.astype(np.float64))),
    "frame": pd.DataFrame(VECTORS, index=WORDS),
    "frame with a column wv": pd.DataFrame(VECTORS, index=WORDS, columns=["wv", *"abcd"]),
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_objects_in_memory(source):
    if isinstance(source, tuple) and isinstance(source[1], np.ndarray):
        source[1].flags.writeable = False
    table = load_embeddings(source, vocabulary_of("unseen", "the", "北京"))
    assert_array_equal(table.vectors, [np.zeros(5), np.zeros(5), VECTORS[0], VECTORS[5]])
    assert table.vectors.flags.writeable


def test_tokens_may_be_integers():
    for source in ({3: [1.0, 2.0], 7: [3.0, 4.0]}, (np.array([3, 7]), np.array([[1, 2], [3, 4]]))):
        assert_array_equal(load_embeddings(source, {7: 1, 9: 2}).vectors, [[0, 0], [3, 4], [0, 0]])


def test_the_first_of_equal_words_is_taken(tmp_path):
    for content in (b"a 1\nb 2\na 3\n", as_binary(["a", "b", "a"], np.array([[1.0], [2.0], [3.0]]))):
        assert_array_equal(load_embeddings(written(tmp_path, content), {"a": 1}).vectors, [[0], [1]])


class OnlyLookups(Sizeless):
    """What older releases of gensim offer, and other libraries."""

    vector_size = 2


def test_an_object_with_lookups():
    assert_array_equal(load_embeddings(OnlyLookups(), vocabulary_of("Oslo", "to")).vectors, [[0, 0], [4, 1], [0, 0]])
    with pytest.warns(EmbeddingCoverageWarning, match="OnlyLookups"):
        assert load_embeddings(OnlyLookups(), {"to": 1}).dim == 2


# --- gensim as the oracle ---------------------------------------------------------------------------------------------


@pytest.fixture
def keyed_vectors():
    gensim = pytest.importorskip("gensim.models")
    vectors = gensim.KeyedVectors(vector_size=4)
    words = ["the", "Paris", "naïve", "北京", "\u2028", "nan", "the_end"]
    vectors.add_vectors(words, np.random.default_rng(1).normal(size=(len(words), 4)).astype(np.float32))
    return vectors


@pytest.mark.parametrize("options", [{"binary": True}, {"binary": False}, {"write_header": False}])
@pytest.mark.parametrize("name", ["vectors.txt", "vectors.gz"])
def test_what_gensim_writes_is_read_as_gensim_reads_it(tmp_path, keyed_vectors, options, name):
    path = tmp_path / name
    keyed_vectors.save_word2vec_format(str(path), **options)
    back = keyed_vectors
    if options.get("write_header", True):  # without one, gensim's reader leaves the file open
        back = type(keyed_vectors).load_word2vec_format(str(path), **options)
    vocabulary = {word: row + 1 for word, row in back.key_to_index.items()}
    assert vocabulary.keys() == keyed_vectors.key_to_index.keys()
    assert_array_equal(load_embeddings(path, vocabulary).vectors[1:], back.vectors)
    assert_array_equal(load_embeddings(back, vocabulary).vectors[1:], back.vectors)


def test_gensim_models_and_their_subwords(keyed_vectors):
    gensim = pytest.importorskip("gensim.models")
    sentences = [["fly", "to", "oslo"], ["fly", "home"]] * 3
    word2vec = gensim.Word2Vec(sentences, vector_size=6, min_count=1, workers=1, seed=0)
    table = load_embeddings(word2vec, vocabulary_of("Oslo", "flying", "fly"))
    assert_array_equal(table.vectors[[1, 3]], [word2vec.wv["oslo"], word2vec.wv["fly"]])
    assert_array_equal(table.covered, [False, True, False, True])
    fasttext = gensim.FastText(sentences, vector_size=6, min_count=1, workers=1, seed=0, bucket=50)
    table = load_embeddings(fasttext, vocabulary_of("Oslo", "flying", "fly"))
    assert_array_equal(table.vectors[1:], [fasttext.wv[word] for word in ("oslo", "flying", "fly")])
    assert table.coverage == 1


# --- memory -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("binary", [False, True])
def test_words_outside_the_vocabulary_cost_no_memory(tmp_path, binary):
    words, vectors = [f"word{i}" for i in range(20_000)], np.ones((20_000, 50), dtype=np.float32) / 3
    content = as_binary(words, vectors) if binary else as_text(words, vectors)
    path = written(tmp_path, content)
    assert len(content) > 4_000_000
    del content, vectors
    vocabulary = vocabulary_of(*words[::2000])
    load_embeddings(path, vocabulary)  # what is imported on the way
    tracemalloc.start()
    try:
        table = load_embeddings(path, vocabulary)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert table.coverage == 1
    assert peak < 500_000
