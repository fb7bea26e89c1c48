"""Integers that stay the ones they were, as labels and as token ids."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from samples import small
from sklearn.exceptions import DataConversionWarning

from sklearn_rnn import RNNClassifier, RNNSequenceTagger, SequenceBaggingClassifier
from sklearn_rnn.data.integers import distinct_labels, exact_integers, from_whole_floats, in_one_type, integers_of
from sklearn_rnn.exceptions import SequenceDataError
from sklearn_rnn.metrics import flat_accuracy_score

BIG = 2**63 + 1
X = np.random.default_rng(0).normal(size=(8, 3, 2))
LABELS = [BIG, BIG + 1] * 4

unsigned = st.integers(0, 2**64 - 1)
signed = st.integers(-(2**63), 2**63 - 1)


@given(st.one_of(st.lists(unsigned, min_size=1), st.lists(signed, min_size=1)))
def test_integers_are_exact(items):
    assert exact_integers(items, "y").tolist() == items
    assert integers_of(items, np.asarray(items, dtype=float)).tolist() == items
    assert distinct_labels(items).tolist() == sorted(set(items))


@given(st.lists(unsigned), st.lists(signed))
def test_arrays_of_two_types_keep_their_integers(first, second):
    arrays = in_one_type([np.array(first, dtype=np.uint64), np.array(second, dtype=np.int64)])
    assert np.concatenate(arrays).tolist() == first + second


def test_what_is_no_list_of_integers():
    assert exact_integers([1, 2.0], "y") is exact_integers([True], "y") is exact_integers([], "y") is None
    floats = np.array([1.5])
    assert integers_of([1.5], floats) is floats
    assert in_one_type([floats, floats])[0] is floats
    with pytest.raises(SequenceDataError, match=rf"y holds integers from -1 to {BIG}, which no integer type has room"):
        exact_integers([-1, BIG], "y")
    with pytest.raises(SequenceDataError, match="from 0 to an int of 16610 bits"):
        exact_integers([0, 10**5000], "y")
    assert from_whole_floats(np.array([3.0]), "y").tolist() == [3]
    with pytest.raises(SequenceDataError, match="which may stand for several integers"):
        from_whole_floats(np.array([2.0**53]), "y")


FORMS = {
    "list": list,
    "array": lambda y: np.array(y, dtype=np.uint64),
    "objects": lambda y: np.array(y, dtype=object),
    "Series": pd.Series,
    "UInt64": lambda y: pd.Series(y, dtype="UInt64"),
    "of Arrow": lambda y: pd.Series(y, dtype="uint64[pyarrow]"),
    "Arrow": lambda y: pa.array(y, pa.uint64()),
    "polars": lambda y: pl.Series(y, dtype=pl.UInt64),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_labels_beyond_int64(form):
    y = form(LABELS)
    clf = small(RNNClassifier).fit(X, y)
    assert clf.classes_.tolist() == [BIG, BIG + 1]
    predicted = clf.predict(X).tolist()
    assert set(predicted) <= {BIG, BIG + 1}
    assert clf.score(X, y) == np.mean([p == t for p, t in zip(predicted, LABELS, strict=True)])
    same = small(RNNClassifier).fit(X, [0, 1] * 4)
    assert_array_equal(clf.predict_proba(X), same.predict_proba(X))


def test_labels_near_each_other_in_int64():
    y = 2**60 + np.arange(8) % 2
    column = pd.DataFrame({"y": y}, dtype="Int64")
    with pytest.warns(DataConversionWarning, match="column-vector"):
        assert small(RNNClassifier).fit(X, column).classes_.tolist() == [2**60, 2**60 + 1]
    for labels in (y, pd.Series(y, dtype="Int64")):
        assert small(RNNClassifier).fit(X, labels).classes_.tolist() == [2**60, 2**60 + 1]
    clf = small(RNNClassifier).partial_fit(X, y.astype(np.uint64), classes=[2**60, 2**60 + 1, BIG])
    assert clf.classes_.tolist() == [2**60, 2**60 + 1, BIG]
    assert clf.partial_fit(X, y).classes_.tolist() == [2**60, 2**60 + 1, BIG]
    bag = SequenceBaggingClassifier(small(RNNClassifier), n_estimators=2, random_state=0).fit(X, LABELS)
    assert bag.classes_.tolist() == [BIG, BIG + 1]
    assert set(bag.predict(X).tolist()) <= {BIG, BIG + 1}


TAGS = [[BIG, 1, BIG + 1]] * 4 + [[1, 1, 1]] * 4


@pytest.mark.parametrize(
    "form",
    [
        lambda tags: tags,
        lambda tags: [np.array(part, dtype=np.uint64 if max(part) > 1 else np.int64) for part in tags],
        lambda tags: np.array(tags, dtype=np.uint64),
        lambda tags: pd.DataFrame(np.array(tags, dtype=np.uint64)),
        lambda tags: pa.array(tags, pa.list_(pa.uint64())),
    ],
    ids=["lists", "arrays of two types", "array", "frame", "Arrow"],
)
def test_tags_beyond_int64(form):
    tagger = small(RNNSequenceTagger).fit(X, form(TAGS))
    assert tagger.classes_.tolist() == [1, BIG, BIG + 1]
    predicted = tagger.predict(X).tolist()
    assert {tag for part in predicted for tag in part} <= {1, BIG, BIG + 1}
    assert tagger.score(X, form(TAGS)) == flat_accuracy_score(TAGS, predicted)
    assert flat_accuracy_score([[BIG, 1]], [[BIG + 1, 1]]) == 0.5


@pytest.mark.parametrize(
    ("estimator", "y"),
    [
        (RNNClassifier, [-1, BIG] * 4),
        (RNNClassifier, [1, 10**400] * 4),
        (RNNSequenceTagger, [[-1, BIG, 1]] * 8),
        (RNNSequenceTagger, [np.array([BIG] * 3, dtype=np.uint64), -np.ones(3, dtype=int)] * 4),
        (RNNSequenceTagger, [[10**400, 1, 1]] * 8),
    ],
)
def test_labels_that_no_type_holds(estimator, y):
    with pytest.raises(SequenceDataError, match=r"y holds integers from .* which no integer type has room for"):
        small(estimator).fit(X, y)


def test_labels_as_floats_that_are_several_integers():
    with pytest.raises(SequenceDataError, match="which may stand for several integers"):
        small(RNNSequenceTagger).fit(X, [[2.0**60, 1.0, 1.0]] * 8)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.lists(unsigned, min_size=1, max_size=3), min_size=1, max_size=3))
def test_token_ids_beyond_int64(ids):
    clf = small(RNNClassifier, embedding_dim=2).fit([*ids, [1]] * 2, [*([0] * len(ids)), 1] * 2)
    assert set(clf.vocabulary_) == {1, *(token for part in ids for token in part)}
    arrays = [np.array(part, dtype=np.uint64) for part in ids]
    assert_array_equal(clf.predict_proba(ids), clf.predict_proba(arrays))


@pytest.mark.parametrize(
    "ids", [[[BIG, -1]], [[BIG], [-1]], [[10**30, 1]], [[10**5000]]], ids=lambda ids: str(len(ids))
)
def test_token_ids_that_no_type_holds(ids):
    with pytest.raises(SequenceDataError, match="each step of X must be one token"):
        small(RNNClassifier, embedding_dim=2).fit(ids * 4, [0, 1] * (len(ids) * 2))
