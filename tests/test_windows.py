"""Windows of long sequences against a loop over their definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from sklearn_rnn import Sequences
from sklearn_rnn.data.windows import Windows


@st.composite
def cuts(draw):
    lengths = draw(st.lists(st.integers(0, 25), max_size=6))
    max_length = draw(st.integers(1, 9))
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), max_length, draw(st.integers(1, max_length))


def naive_windows(offsets, max_length, stride):
    """(sequence, rows) of each window."""
    windows = []
    for i, (first, after) in enumerate(zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)):
        start = first
        while start + max_length < after:
            windows.append((i, list(range(start, start + max_length))))
            start += stride
        windows.append((i, list(range(max(first, after - max_length), after))))
    return windows


def rows_of(windows):
    return [part.tolist() for part in np.split(windows.rows, windows.offsets[1:-1])] if len(windows.sequence) else []


@given(cuts())
@settings(deadline=None)
def test_windows_are_those_of_the_definition(cut):
    windows = Windows.over(*cut)
    assert list(zip(windows.sequence.tolist(), rows_of(windows), strict=True)) == naive_windows(*cut)


@given(cuts())
@settings(deadline=None)
def test_windows_cover_every_step_and_none_is_too_long(cut):
    offsets, max_length, _ = cut
    windows = Windows.over(*cut)
    assert_array_equal(np.unique(windows.rows), np.arange(offsets[-1]))
    assert np.all(np.diff(windows.offsets) <= max_length)
    assert set(windows.sequence.tolist()) == set(range(len(offsets) - 1))


@given(cuts())
@settings(deadline=None)
def test_a_step_is_taken_from_the_window_in_which_it_is_deepest(cut):
    offsets = cut[0]
    windows = Windows.over(*cut)
    candidates = [[] for _ in range(offsets[-1])]
    for turn, rows in enumerate(rows_of(windows)):
        for position, row in enumerate(rows):
            candidates[row].append((-min(position, len(rows) - 1 - position), turn))
    window_of_step = np.repeat(np.arange(len(windows.sequence)), np.diff(windows.offsets))
    values = np.stack([window_of_step, windows.rows], axis=1).astype(float)
    expected = [[min(found)[1], row] for row, found in enumerate(candidates)]
    assert windows.stitch(values, int(offsets[-1])).tolist() == expected


@pytest.mark.parametrize("width", [(), (3,)])
def test_what_was_cut_is_put_together_again(width, rng):
    sequences = Sequences(rng.normal(size=(31, *width)), [0, 20, 20, 23, 31])
    windows = Windows.over(sequences.offsets, 6, 4)
    cut = windows.of(sequences)
    for part, i, rows in zip(cut, windows.sequence, rows_of(windows), strict=True):
        first = rows[0] - sequences.offsets[i] if rows else 0
        assert_array_equal(part, sequences[int(i)][first : first + len(rows)])
    assert_array_equal(windows.stitch(cut.values, 31), sequences.values)
