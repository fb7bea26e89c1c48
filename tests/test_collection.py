"""What every container of sequences does as a collection, against a list of the same sequences."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_equal
from sklearn.model_selection import KFold, train_test_split

from sklearn_rnn import AlignedSequences, Sequences
from sklearn_rnn.data.collection import Collection
from sklearn_rnn.data.stored import StoredSequences
from sklearn_rnn.data.tokens import TokenSequences

OFFSETS = [0, 2, 2, 5, 6, 8]
TOKENS = np.array(list("abcdefgh"), dtype=object)
PLAIN = Sequences(np.arange(16.0).reshape(8, 2), OFFSETS, ids=list("vwxyz"), feature_names=["p", "q"])
CONTAINERS = [
    PLAIN,
    TokenSequences(TOKENS, OFFSETS, documents=["ab", "", "cde", "f", "gh"]),
    StoredSequences.join([PLAIN.take([0, 1]), PLAIN.take([2, 3, 4])]),
    AlignedSequences({"token": Sequences(TOKENS, OFFSETS), "size": PLAIN}),
]

every_container = pytest.mark.parametrize("sequences", CONTAINERS, ids=lambda container: type(container).__name__)


@every_container
def test_it_is_a_collection_of_one_dimension(sequences):
    assert isinstance(sequences, Collection)
    assert not hasattr(sequences, "__dict__")
    assert (len(sequences), sequences.shape, sequences.ndim) == (5, (5,), 1)
    assert sequences.lengths.tolist() == [2, 0, 3, 1, 2]
    assert repr(sequences).startswith(f"{type(sequences).__name__}(n_sequences=5, ")


@every_container
@given(data=st.data())
def test_any_index_picks_what_it_picks_of_a_list(sequences, data):
    items = list(sequences)
    position = data.draw(st.integers(-5, 4))
    assert_equal(sequences[position], items[position])
    assert_equal(sequences[(np.int64(position), slice(None))], items[position])
    keys = st.one_of(
        st.slices(5),
        st.lists(st.integers(-5, 4), min_size=1),
        st.lists(st.booleans(), min_size=5, max_size=5),
    )
    key = data.draw(keys)
    picked = sequences[key if isinstance(key, slice) else np.array(key)]
    assert type(picked) is type(sequences)
    assert_equal(list(picked), [items[i] for i in np.arange(5)[key]])
    with pytest.raises(IndexError):
        sequences[5]


@every_container
def test_repeats_and_any_order_are_taken(sequences):
    items = list(sequences)
    assert_equal(list(sequences.take([4, 0, 4])), [items[4], items[0], items[4]])
    assert len(sequences.take(np.array([], dtype=int))) == 0


@every_container
def test_copies_and_pickles_hold_the_same(sequences):
    for other in (pickle.loads(pickle.dumps(sequences)), copy.deepcopy(sequences)):
        assert type(other) is type(sequences)
        assert repr(other) == repr(sequences)
        assert_equal(list(other), list(sequences))


@every_container
def test_scikit_learn_splits_it(sequences):
    items = list(sequences)
    train, test = train_test_split(sequences, test_size=2, shuffle=False)
    assert_equal([*train, *test], items)
    folds = [list(sequences[test]) for _, test in KFold(5).split(sequences)]
    assert_equal(folds, [[item] for item in items])
