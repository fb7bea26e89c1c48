"""What transformed steps must equal."""

import numpy as np

from sklearn_rnn import Sequences


def as_array(rows):
    return rows.toarray() if hasattr(rows, "toarray") else np.asarray(rows)


def assert_steps(out, rows, lengths):
    """`out` is a container of `rows`, cut at `lengths`."""
    assert isinstance(out, Sequences)
    assert out.lengths.tolist() == list(lengths)
    np.testing.assert_allclose(out.values, rows)
