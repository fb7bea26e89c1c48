"""Rows of numbers that a network reads, against the columns written out one at a time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.feature_extraction.text import CountVectorizer

from sklearn_rnn.data.encoding import CASINGS, MAX_CHARACTERS, StepEncoding, casing_codes, character_codes
from sklearn_rnn.data.inputs import read
from sklearn_rnn.data.tokens import TokenSequences
from sklearn_rnn.exceptions import SequenceDataError


class Reader:
    """Learns an encoding, and encodes what it is given, as estimators do."""

    def __init__(self, X, embed=False, **options):
        inputs, self.spec = read(X, embed=embed)
        self.encoding = StepEncoding.learn(inputs, self.spec, **options)

    def rows(self, X, dtype="float32"):
        inputs, _ = read(X, self.spec)
        return self.encoding.encode(inputs, self.spec, dtype)


X = {
    "size": [[0.5], [1.5, 2.5]],
    "token": [["Oslo"], ["in", "ROME"]],
    "pos": [["N"], ["I", "N"]],
    "both": [np.array([[7.0, 8.0]]), np.array([[9.0, 10.0], [11.0, 12.0]])],
}


def test_the_columns_of_a_row():
    reader = Reader(X, characters=True, casing=True)
    code = {character: k for k, character in enumerate(sorted(set("OsloinROME")), start=2)}
    expected = [
        # token, pos, casing, form, four characters, size, both
        [2, 2, 3, 1, *(code[c] for c in "Oslo"), 0.5, 7, 8],
        [1, 1, 1, 3, *(code[c] for c in "in"), 0, 0, 1.5, 9, 10],
        [3, 2, 2, 2, *(code[c] for c in "ROME"), 2.5, 11, 12],
    ]
    for dtype in ("float32", "float64"):
        rows = reader.rows(X, dtype)
        assert rows.values.dtype == dtype
        assert rows.values.tolist() == expected
        assert rows.lengths.tolist() == [1, 2]
    encoding = reader.encoding
    assert encoding.vocabularies == {"token": {"in": 1, "oslo": 2, "rome": 3}, "pos": {"I": 1, "N": 2}}
    assert encoding.vocabulary == encoding.vocabularies["token"]
    assert (encoding.numeric, encoding.n_numeric, encoding.max_characters) == (["size", "both"], 3, 4)


@pytest.mark.parametrize(
    ("options", "n_columns"),
    [({}, None), ({"casing": True}, 2), ({"characters": True}, 6), ({"casing": True, "characters": True}, 7)],
)
def test_tokens_alone_are_integers(options, n_columns):
    rows = Reader(X["token"], **options).rows(X["token"])
    assert rows.values.dtype.kind == "i"
    assert rows.values.shape == ((3,) if n_columns is None else (3, n_columns))
    known = {"in": 1, "oslo": 2, "rome": 3} if options.get("casing") else {"Oslo": 1, "ROME": 2, "in": 3}
    tokens = [token.lower() if options.get("casing") else token for token in ("Oslo", "in", "ROME")]
    assert rows.values.reshape(3, -1)[:, 0].tolist() == [known[token] for token in tokens]


def test_ids_are_indexed():
    ids = [np.array([30, 10]), np.array([20])]
    assert Reader(ids, embed=True).rows([np.array([10, 99, 20])]).values.tolist() == [1, 0, 2]


def test_numbers_alone_are_rows_already(rng):
    numbers = [rng.normal(size=(3, 2)).astype(np.float32), rng.normal(size=(1, 2)).astype(np.float32)]
    assert_array_equal(Reader(numbers).rows(numbers).values, np.concatenate(numbers))
    named = {"a": numbers, "b": numbers}
    assert_array_equal(Reader(named).rows(named).values, np.tile(np.concatenate(numbers), 2))


def test_tokens_and_characters_that_are_new():
    reader = Reader([["ab", "<unk>"]], characters=True)
    known = {character: k for k, character in enumerate(sorted(set("ab<unk>")), start=2)}
    assert reader.encoding.characters == known
    rows = reader.rows([["<unk>", "az", "ab"]]).values
    assert rows[:, 0].tolist() == [0, 0, 1]
    assert rows[1, 2:].tolist() == [known["a"], 1, 0, 0, 0]


@given(st.lists(st.text("abcX", max_size=9), min_size=1, max_size=12), st.integers(1, 6))
@settings(deadline=None)
def test_characters_are_the_head_and_the_tail_of_long_tokens(forms, most):
    index = {"a": 2, "b": 3, "c": 4}
    codes = character_codes(np.array(forms, dtype=object), index, most)
    numbers = {}
    for form, row in zip(forms, codes.tolist(), strict=True):
        half = most // 2
        kept = form if len(form) <= most else form[: most - half] + (form[-half:] if half else "")
        assert row[1:] == [index.get(c, 1) for c in kept] + [0] * (most - len(kept))
        assert numbers.setdefault(form, row[0]) == row[0]
    assert sorted(numbers.values()) == list(range(1, len(numbers) + 1))


def test_tokens_are_cut_to_the_longest_of_training_and_no_more_than_24():
    assert Reader([["abc", "a"]], characters=True).rows([["abcdef"]]).values.shape == (1, 5)
    long = "".join(chr(ord("a") + k % 26) for k in range(40))
    reader = Reader([[long]], characters=True)
    kept = long[: MAX_CHARACTERS // 2] + long[-(MAX_CHARACTERS // 2) :]
    assert reader.rows([[long]]).values[0, 2:].tolist() == [reader.encoding.characters[c] for c in kept]


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        ("rome", 1),
        ("up-to", 1),
        ("ROME", 2),
        ("U.S.", 2),
        ("Rome", 3),
        ("I", 3),
        ("iPhone", 4),
        ("McDonald", 4),
        ("Jean-Luc", 4),
        ("東京", 4),
        ("1984", 5),
        ("b2b", 6),
        ("3.5", 6),
        ("...", 7),
        ("$", 7),
        ("", 7),
    ],
)
def test_kinds_of_casing(form, kind):
    assert casing_codes(np.array([form, "x"], dtype=object)).tolist() == [kind, 1]
    assert 0 < kind < CASINGS


def test_casing_looks_up_lower_case():
    reader = Reader([["Rome", "ROME", "rome", "Oslo"]], casing=True)
    assert reader.encoding.vocabulary == {"oslo": 1, "rome": 2}
    assert reader.rows([["OSLO", "rOME"]]).values.tolist() == [[1, 2], [2, 4]]


words = st.lists(
    st.lists(st.sampled_from(["a", "B", "cc", "Dd", "e5"]), min_size=1, max_size=5), min_size=1, max_size=6
)


@given(words, st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=50)
def test_another_order_of_sequences_is_another_order_of_rows(lists, random):
    order = list(range(len(lists)))
    random.shuffle(order)
    first, second = lists, [lists[i] for i in order]
    reader, shuffled = Reader(first, characters=True, casing=True), Reader(second, characters=True, casing=True)
    assert reader.encoding == shuffled.encoding
    rows, others = reader.rows(first), shuffled.rows(second)
    for position, i in enumerate(order):
        assert_array_equal(others[position], rows[i])


@given(words, st.integers(1, 3), st.one_of(st.none(), st.integers(1, 4)))
@settings(deadline=None, max_examples=50)
def test_only_the_token_is_held_to_min_df_and_max_features(lists, min_df, max_features):
    lists = [*lists, ["a", "B"], ["a", "B"], ["a"]]
    vectorizer = CountVectorizer(analyzer=list, min_df=min_df)
    counts = vectorizer.fit_transform(lists).sum(axis=0).A1
    by_count = sorted(zip((-counts).tolist(), vectorizer.get_feature_names_out().tolist(), strict=True))
    vocabularies = Reader(
        {"token": lists, "copy": lists}, min_df=min_df, max_features=max_features
    ).encoding.vocabularies
    assert list(vocabularies["token"]) == sorted(token for _, token in by_count[:max_features])
    assert set(vocabularies["copy"]) == {token for part in lists for token in part}


def test_characters_and_casing_are_those_of_the_document():
    text = "In OSLO"
    tokens = TokenSequences(["in", "<unk>"], [0, 2], documents=[text], spans=[[0, 2], [3, 7]])
    reader = Reader(tokens, characters=True)
    code = reader.encoding.characters
    assert sorted(code) == sorted(set("InOSLO"))
    rows = reader.rows(tokens).values
    assert rows[:, 0].tolist() == [1, 0]
    assert rows[:, 2:].tolist() == [[code["I"], code["n"], 0, 0], [code[c] for c in "OSLO"]]
    assert Reader(tokens, casing=True).rows(tokens).values.tolist() == [[1, 3], [0, 2]]
    bare = TokenSequences(["in", "<unk>"], [0, 2], documents=[text])
    assert sorted(Reader(bare, characters=True).encoding.characters) == sorted(set("in<unk>"))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"characters": True}, "char_encoder needs tokens"), ({"casing": True}, "casing_features needs tokens")],
)
@pytest.mark.parametrize("numbers", [[np.ones((2, 3))], {"a": [[1.0]], "b": [[2.0]]}], ids=["one", "several"])
def test_numbers_have_no_characters(options, message, numbers):
    with pytest.raises(SequenceDataError, match=message):
        Reader(numbers, **options)


@pytest.mark.parametrize("options", [{"characters": True}, {"casing": True}])
def test_ids_have_no_characters(options):
    with pytest.raises(SequenceDataError, match="strings, X holds none"):
        Reader([np.array([1, 2])], embed=True, **options)
