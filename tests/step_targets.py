"""What the tests of targets at steps share."""

import numpy as np
from numpy.testing import assert_array_equal
from samples import ragged

RAGGED = ragged(8)
BLOCK = np.random.default_rng(0).normal(size=(8, 5, 2))


def running_sums(X):
    return [x[:, 0].cumsum() for x in X]


def vectors(X):
    return [np.column_stack([x[:, 0].cumsum(), 10 * x[:, 1] + 100]) for x in X]


def with_gaps(y, share=0.3, seed=0):
    rng = np.random.default_rng(seed)
    return [np.where(rng.random(values.shape) < share, np.nan, values) for values in y]


def last_alone(y):
    return [np.where(np.arange(len(values)) == len(values) - 1, values, np.nan) for values in y]


def assert_same(one, other):
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        assert_array_equal(a, b)


Y = running_sums(RAGGED)
