"""Files and objects of vectors that cannot be read, or that are read with a warning."""

import bz2
import gzip
import lzma
import pickle
import re
import zipfile

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from vector_files import Sizeless, as_binary, vocabulary_of, written, zipped

from sklearn_rnn.data.embeddings import load_embeddings
from sklearn_rnn.exceptions import EmbeddingCoverageWarning

GOOD = b"fly 1 2 3\noslo 4 5 6\n"
HEADED = b"2 3\n" + GOOD
BINARY = as_binary(["fly", "oslo"], np.array([[1.5, 2, 3], [4, np.nan, 6]]))
REFUSED = {
    "too few values": (GOOD + b"to 1 2\n", r"Line 3 of .*has 2 value\(s\) behind its word, but 3 are wanted as line 1"),
    "too many values": (GOOD + b"to 1 2 3 4\n", r"Line 3 .*has 4 value\(s\) .* but 3 are wanted"),
    "numbers alone": (GOOD + b"1 2 3 4 5\n", r"Line 3 .*has 4 value\(s\) .* but 3 are wanted"),
    "too few behind a header": (HEADED + b"to 1 2\n", r"Line 4 .*has 2 .* but 3 are wanted by the header in line 1"),
    "a broken first record": (b"2 3\nfly 1 2\noslo 4 5 6\n", r"Line 2 .*has 2 value\(s\)"),
    "a blank line": (b"fly 1 2 3\n\noslo 4 5 6\n", r"Line 2 of .* is blank"),
    "no number": (b"fly 1 2 3\noslo 4 x 6\n", r"Line 2 of .* has 'x' as value 2 of 'oslo', but a number is wanted"),
    "a decimal comma": (b"fly 1 2 3\noslo 4 5 6,5\n", r"has '6,5' as value 3 of 'oslo'"),
    "spaces that hide a missing value": (b"fly 1 2 3\noslo  4 5\n", r"Line 2 of .* has 2 value\(s\)"),
    "not a number": (
        b"fly 1 2 3\noslo 4 nan 6\n",
        r"Line 2 of .* has 'nan' as value 2 of 'oslo': not a finite float32",
    ),
    "infinite": (b"fly 1 2 3\noslo -inf 5 6\n", r"has '-inf' as value 1 of 'oslo'"),
    "too great": (b"fly 1 2 3\noslo 4 5 1e39\n", r"has '1e39' as value 3 of 'oslo': not a finite float32"),
    "binary, not a number": (BINARY, r"Word 2 of .*'oslo', has nan as value 2"),
    "latin-1": ("fly 1 2 3\nchâteau 4 5 6\n".encode("latin-1"), r"Line 2 of .* is not UTF-8: byte 3 .* 0xe2. Re-save"),
    "latin-1 in the first line": ("là 1 2\n".encode("latin-1"), r"Line 1 of .* is not UTF-8: byte 2 .* 0xe0"),
    "UTF-16": ("fly 1 2 3\n".encode("utf-16"), r"Line 1 of .* is not UTF-8: byte 1 .* 0xff. Re-save the file as UTF-8"),
    "empty": (b"", r"is empty"),
    "no values": (b"fly\noslo\n", r"Line 1 of .* must be a word and its values, .*got 'fly'"),
    "prose": (b"The quick brown fox\n", r"Line 1 of .* must be a word and its values"),
    "no values promised": (b"3 0\nfly\n", r"header '3 0' in line 1 .* promises vectors of 0 values"),
    "text cut off": (b"3 3\n" + GOOD, r"is cut off: its header promises 3 words, but it ends after 2, in line 3"),
    "only a header": (b"3 3\n", r"is cut off: .*3 words, but it ends after 0"),
    "binary cut off": (BINARY[:-1], r"is cut off: .* 2 words of 3 float32 values, but it ends within word 2"),
    "binary without words": (b"9 3\n" + bytes(40_000), r"Word 1 of .* has no end within 16384 bytes"),
    "gzip cut off": (gzip.compress(GOOD)[:-9], r"is cut off or damaged"),
    "gzip damaged": (gzip.compress(GOOD)[:-8] + bytes(8), r"is cut off or damaged"),
    "bzip2 damaged": (bz2.compress(GOOD)[:-8] + bytes(8), r"is cut off or damaged"),
    "xz damaged": (lzma.compress(GOOD)[:-8] + bytes(8), r"is cut off or damaged"),
    "zip damaged": (zipped(GOOD)[:-8], r"is cut off or damaged"),
    "fastText model": (b"\xba\x16\x4f\x2f" + bytes(90), r"is no file of word vectors but a fastText model"),
    "pickle": (pickle.dumps([1], protocol=4), r"but a pickle: .*KeyedVectors.load"),
    "endless line": (GOOD + b"x" * 1_100_000, r"Line 3 of .* is longer than 1048576 bytes"),
}


@pytest.mark.parametrize(("content", "message"), REFUSED.values(), ids=REFUSED)
def test_a_broken_file_is_refused_with_its_name_and_the_line(tmp_path, content, message):
    path = written(tmp_path, content)
    with pytest.raises(ValueError, match=message) as caught:
        load_embeddings(path, vocabulary_of("fly", "oslo"))
    assert repr(str(path)) in str(caught.value)


def test_a_broken_value_of_another_word_does_no_harm(tmp_path):
    path = written(tmp_path, b"fly 1 2 3\noslo 4 nan 6\n")
    assert load_embeddings(path, {"fly": 1}).coverage == 1


def test_an_archive_of_several_files_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "glove.zip", "w") as archive:
        archive.writestr("50.txt", GOOD)
        archive.writestr("100.txt", GOOD)
    with pytest.raises(ValueError, match=r"is a zip archive of \['50.txt', '100.txt'\]"):
        load_embeddings(tmp_path / "glove.zip", {"fly": 1})


def test_a_path_without_a_file_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=re.escape(repr(str(tmp_path / "glove.txt")))):
        load_embeddings(tmp_path / "glove.txt", {"fly": 1})
    with pytest.raises(ValueError, match="is a folder"):
        load_embeddings(tmp_path, {"fly": 1})


OBJECTS = {
    "another number of vectors": ((["fly", "oslo"], np.ones((3, 2))), "2 tokens, but 3 vectors"),
    "an empty pair": (([], np.ones((0, 2))), "no tokens and no vectors"),
    "an empty mapping": ({}, "mapping from token to vector is empty"),
    "unequal widths": ({"oslo": [1.0, 2.0], "fly": [1.0]}, r"'fly' has 1 values, .* first token has 2"),
    "one number": ({"fly": 1.0}, r"'fly' must be 1-D .* got shape \(\)"),
    "a matrix": ({"fly": [[1.0]]}, r"'fly' must be 1-D .* got shape \(1, 1\)"),
    "an empty vector": ({"fly": []}, r"'fly' must be 1-D with at least one value"),
    "words": ({"fly": ["a", "b"]}, r"'fly' must hold numbers, got dtype <U1"),
    "objects": ({"fly": [None, {}]}, r"'fly' must hold numbers \("),
    "not a number": ({"fly": [1.0, np.nan]}, r"'fly' has nan at position 1"),
    "too great": ({"fly": [1e39, 1.0]}, r"'fly' has inf at position 0"),
}


@pytest.mark.parametrize(("source", "message"), OBJECTS.values(), ids=OBJECTS)
def test_broken_objects_are_refused(source, message):
    with pytest.raises(ValueError, match=message):
        load_embeddings(source, {"fly": 1})


@pytest.mark.parametrize("source", [3, None, {"fly"}, ("a", "b", "c"), np.ones((3, 2))])
def test_other_objects_are_refused(source):
    with pytest.raises(TypeError, match="must be a path, a mapping from token to vector"):
        load_embeddings(source, {"fly": 1})


def test_lookups_without_a_size_or_a_word():
    assert load_embeddings(Sizeless(), {"fly": 1}).dim == 2
    with pytest.raises(ValueError, match="Sizeless has no token of the vocabulary, and no vector_size"):
        load_embeddings(Sizeless(), {"to": 1})


def test_another_dimension_than_expected_is_refused(tmp_path):
    for source in (written(tmp_path, GOOD), written(tmp_path, HEADED), {"fly": [1.0, 2.0, 3.0]}):
        with pytest.raises(ValueError, match=r"embedding_dim=50, but the vectors of .* have 3 values"):
            load_embeddings(source, {"fly": 1}, expected_dim=50)
        assert load_embeddings(source, {"fly": 1}, expected_dim=3).dim == 3


@pytest.mark.parametrize("content", [GOOD, HEADED, b"0 3\n", BINARY])
def test_a_vocabulary_without_any_vector_is_warned_of(tmp_path, content):
    with pytest.warns(EmbeddingCoverageWarning, match=r"vectors.data' has a vector for none of the 2 tokens .*'日', 3"):
        table = load_embeddings(written(tmp_path, content), {"日": 1, 3: 2})
    assert table.coverage == 0
    assert table.vectors.shape == (3, 3)
    assert not table.vectors.any()


def test_broken_words_of_a_binary_file_are_counted_and_left_out(tmp_path):
    content = as_binary(["fly", b"caf\xe9", "naïve", b"\xff\xfe", "oslo"], np.arange(10.0).reshape(5, 2))
    with pytest.warns(EmbeddingCoverageWarning, match="2 of the 5 words of .* are not valid UTF-8") as caught:
        table = load_embeddings(written(tmp_path, content), vocabulary_of("oslo", "caf\udce9"))
    assert len(caught) == 1
    assert_array_equal(table.vectors, [[0, 0], [8, 9], [0, 0]])
