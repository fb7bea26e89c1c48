"""Which sequences share a batch, or a part of one."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_rnn.data import splitting
from sklearn_rnn.data.splitting import alike, batches_by_steps, is_uneven


@given(lengths=st.lists(st.integers(0, 30), min_size=1, max_size=40), budget=st.integers(1, 100))
@settings(deadline=None)
def test_batches_by_steps_cover_all_and_keep_to_the_budget(lengths, budget):
    array = np.array(lengths)
    batches = list(batches_by_steps(array, budget))
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    for index in batches:
        assert len(index) == 1 or len(index) * array[index].max() <= budget
    joined = array[np.concatenate(batches)]
    assert np.all(np.diff(joined) >= 0), "sorted by length, so that little is padding"
    for one, following in itertools.pairwise(batches):
        assert (len(one) + 1) * array[following[0]] > budget, "no batch is smaller than it has to be"


@given(
    lengths=st.lists(st.integers(0, 300) | st.integers(0, 10**6), min_size=1, max_size=300),
    most_padding=st.sampled_from([0, 10, 1000, splitting.MOST_PADDING]),
)
@settings(deadline=None)
def test_parts_cover_a_batch_and_hold_little_padding(lengths, most_padding):
    array = np.array(lengths)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(splitting, "MOST_PADDING", most_padding)
        parts = alike(array)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(lengths)))
    assert all(len(part) and np.all(np.diff(part) > 0) for part in parts), "in the order of the batch"
    padded = [len(part) * array[part].max() for part in parts]
    assert sum(padded) <= 2 * array.sum() + most_padding
    assert len(parts) <= int(array.max()).bit_length() + 1
    if not is_uneven(len(array) * array.max(), array.sum()):
        assert most_padding != splitting.MOST_PADDING or len(parts) == 1


def test_lengths_that_people_have_stay_together():
    for lengths in ([20] * 1000, list(range(1, 201)), [1, 200] * 64, [0, 0, 0], [0], [5_000]):
        assert len(alike(np.array(lengths))) == 1, lengths
