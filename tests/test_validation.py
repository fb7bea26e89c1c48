"""What is remembered of X, and how another X is held to it: tables in the words of scikit-learn itself."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from sklearn_rnn.data.inputs import read
from sklearn_rnn.data.validation import InputSpec, check_alike, remember


class Peer(BaseEstimator):
    """Reads tables as scikit-learn does."""

    def fit(self, X):
        validate_data(self, X, reset=True)
        return self


def said_by(check):
    """The warnings and the error of a call, by their texts."""
    texts = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            check()
        except ValueError as error:
            texts.append(str(error))
    return [str(warning.message) for warning in caught] + texts


def table(columns, width=4):
    values = np.arange(2.0 * width).reshape(2, width)
    return values if columns is None else pd.DataFrame(values, columns=list(columns))


@pytest.mark.parametrize("first", [table(None), table("abcd")], ids=["array", "frame"])
@pytest.mark.parametrize(
    "second",
    [
        table(None),
        table("abcd"),
        table("abdc"),
        table("abcx"),
        table("abcde", 5),
        table("abc", 3),
        table("stuvwxyz", 8),
        table(None, 3),
        table(range(4)),
    ],
    ids=str,
)
def test_tables_are_compared_as_scikit_learn_does(first, second):
    peer = Peer().fit(first)
    _, spec = read(first)
    assert said_by(lambda: read(second, spec, reader="Peer")) == said_by(
        lambda: validate_data(peer, second, reset=False)
    )


@pytest.mark.parametrize("X", [table(None), table("abcd"), table(range(4))], ids=["array", "frame", "numbered"])
def test_what_is_remembered_is_what_scikit_learn_remembers(X):
    estimator, peer = Peer().fit(table("xyz", 3)), Peer().fit(X)
    _, spec = read(X)
    remember(estimator, spec)
    assert estimator.input_spec_ == spec
    assert estimator.n_features_in_ == peer.n_features_in_
    assert hasattr(estimator, "feature_names_in_") == hasattr(peer, "feature_names_in_")
    if hasattr(peer, "feature_names_in_"):
        assert estimator.feature_names_in_.dtype == peer.feature_names_in_.dtype == object
        assert estimator.feature_names_in_.tolist() == peer.feature_names_in_.tolist()


def test_columns_of_a_mixture_of_types_are_refused():
    with pytest.raises(TypeError, match="Feature names are only supported if all"):
        read(pd.DataFrame(np.ones((2, 2)), columns=["a", 1]))


def test_a_spec_is_like_itself():
    spec = InputSpec("numeric", 3, table=False, n_features_in=3, feature_names=("a", "b", "c"))
    check_alike(spec, spec, reader="it", name="X")
