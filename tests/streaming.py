"""What the tests of streams share."""

import numpy as np
import pytest
from samples import problem, small

from sklearn_rnn import (
    RNNSequenceTagger,
    stream,
)
from sklearn_rnn.networks.engines import kernels_installed

ENGINES = ["torch", pytest.param("fused", marks=pytest.mark.skipif(not kernels_installed(), reason="no numba"))]


def fitted(estimator, X=None, y=None, **parameters):
    """A small estimator of one direction."""
    if X is None:
        X, y = problem(estimator)
    return small(estimator, bidirectional=False, **parameters).fit(X, y)


def says(model, prefix):
    """What the methods of a model say of one sequence; of a tagger at its last step."""
    estimator = model[-1] if hasattr(model, "steps") else model
    last = isinstance(estimator, RNNSequenceTagger)
    found = {
        name: getattr(model, name)([prefix])[0]
        for name in ("predict", "predict_proba", "decision_function")
        if hasattr(model, name)
    }
    return {name: value[-1] if last else value for name, value in found.items()}


def assert_follows(model, sequence, live=None, *, tolerance=1e-5, prefix_of=lambda sequence, t: sequence[:t]):
    """A stream says of each prefix of a sequence what the model says of it."""
    live = stream(model) if live is None else live
    for t, step in enumerate(sequence, start=1):
        label = live.update(step)
        wanted = says(model, prefix_of(sequence, t))
        assert len(label) == 1
        if np.asarray(wanted["predict"]).dtype.kind == "f":
            np.testing.assert_allclose(label[0], wanted["predict"], rtol=0, atol=tolerance)
        else:
            np.testing.assert_array_equal(label[0], wanted["predict"])
        np.testing.assert_array_equal(live.predict(), label)
        for name in ("predict_proba", "decision_function"):
            assert hasattr(live, name) == (name in wanted)
            if name in wanted:
                np.testing.assert_allclose(getattr(live, name)()[0], wanted[name], rtol=0, atol=tolerance)
    assert live.n_steps_.tolist() == [len(sequence)]
