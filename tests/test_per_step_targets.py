"""Targets, weights and other metadata on their way to the steps, and fits in parts."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA, IncrementalPCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_extraction import FeatureHasher
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    StandardScaler,
)
from sklearn.utils.metaestimators import available_if
from test_per_step import BLOCK, RAGGED, STACKED, assert_steps, draw

from sklearn_rnn import PerStep, Sequences
from sklearn_rnn.datasets import make_tagging
from sklearn_rnn.exceptions import SequenceDataError

LENGTHS = [3, 5, 1, 4]
Y = [1.0, -1.0, 2.0, 0.0]
STEP_Y = [[1.0, 2.0, 3.0], [0.0] * 5, [7.0], [1.0, 2.0, 3.0, 4.0]]


@pytest.mark.parametrize(
    ("y", "flat"),
    [
        (Y, np.repeat(Y, LENGTHS)),
        (np.array(Y), np.repeat(Y, LENGTHS)),
        (pd.Series(Y, index=list("abcd")), np.repeat(Y, LENGTHS)),
        (STEP_Y, np.concatenate(STEP_Y)),
        (pd.Series(STEP_Y), np.concatenate(STEP_Y)),
        (Sequences(np.concatenate(STEP_Y), [0, 3, 8, 9, 13]), np.concatenate(STEP_Y)),
        ([np.array(part)[:, None] for part in STEP_Y], np.concatenate(STEP_Y)),
    ],
)
@pytest.mark.parametrize("fit", ["fit", "fit_transform"])
def test_targets_go_to_the_steps(y, flat, fit):
    per_step = PerStep(SelectKBest(f_regression, k=1))
    getattr(per_step, fit)(RAGGED, y)
    np.testing.assert_allclose(per_step.transformer_.scores_, f_regression(STACKED, flat)[0])


def test_targets_may_be_tags():
    X, y = make_tagging(30, random_state=0)
    encoded = PerStep(OneHotEncoder()).fit_transform(X, y)
    reduced = PerStep(LinearDiscriminantAnalysis(n_components=2)).fit(encoded, y)
    assert reduced.transform(encoded).values.shape == (encoded.offsets[-1], 2)
    assert set(reduced.transformer_.classes_) == {tag for tags in y for tag in tags}


def test_targets_of_several_outputs_are_repeated():
    y = np.arange(8.0).reshape(4, 2)
    seen = PerStep(Recorder()).fit(RAGGED, y).transformer_.seen_["y"]
    np.testing.assert_array_equal(seen, np.repeat(y, LENGTHS, axis=0))


def test_targets_of_the_steps_of_a_block():
    y = np.arange(30).reshape(6, 5)
    np.testing.assert_array_equal(PerStep(Recorder()).fit(BLOCK, y).transformer_.seen_["y"], np.arange(30))


class Doubler(FunctionTransformer):
    """What it is fitted to it transforms in another way, as encoders of targets do."""

    def fit_transform(self, X, y=None):
        return 2 * self.fit(X, y).transform(X)


def test_fit_transform_is_that_of_the_transformer():
    assert_steps(PerStep(Doubler()).fit_transform(RAGGED), 2 * STACKED, LENGTHS)
    assert_steps(PerStep(Doubler()).fit(RAGGED).transform(RAGGED), STACKED, LENGTHS)


class WithoutFitTransform(BaseEstimator):
    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        return 3 * X


@pytest.mark.parametrize("routing", [True, False])
def test_a_transformer_may_lack_fit_transform(routing):
    with sklearn.config_context(enable_metadata_routing=routing):
        assert_steps(PerStep(WithoutFitTransform()).fit_transform(RAGGED), 3 * STACKED, LENGTHS)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (Y[:3], "X has 4 sequences, y has 3"),
        ([*STEP_Y[:2], [7.0, 8.0], STEP_Y[3]], r"y\[2\] has 2 values, but X\[2\] has 1 steps"),
        ([*STEP_Y[:3], 1.0], r"y\[3\] has one value, 1.0, but X\[3\] has 4 steps"),
    ],
)
def test_targets_that_do_not_fit_are_named(y, message):
    with pytest.raises(SequenceDataError, match=message):
        PerStep(StandardScaler()).fit(RAGGED, y)


class Recorder(TransformerMixin, BaseEstimator):
    """Keeps what it is fitted to."""

    def __init__(self, has_partial=True):
        self.has_partial = has_partial

    def fit(self, X, y=None, sample_weight=None, verbose=None):
        self.seen_ = {"X": X, "y": y, "sample_weight": sample_weight, "verbose": verbose}
        return self

    @available_if(lambda self: self.has_partial)
    def partial_fit(self, X, y=None, sample_weight=None):
        return self.fit(X, y, sample_weight)

    def transform(self, X):
        return np.asarray(X)


WEIGHT = np.array([1.0, 2.0, 0.0, 3.0])


@pytest.mark.parametrize("weight", [WEIGHT, WEIGHT.tolist(), pd.Series(WEIGHT)])
@pytest.mark.parametrize("method", ["fit", "fit_transform", "partial_fit"])
def test_sample_weight_goes_to_the_steps(weight, method):
    per_step = PerStep(StandardScaler())
    getattr(per_step, method)(RAGGED, sample_weight=weight)
    expected = StandardScaler().fit(STACKED, sample_weight=np.repeat(WEIGHT, LENGTHS))
    np.testing.assert_allclose(per_step.transformer_.mean_, expected.mean_)


@pytest.mark.parametrize("method", ["fit", "fit_transform", "partial_fit"])
@pytest.mark.parametrize("requested", [True, False])
def test_sample_weight_is_routed(method, requested):
    with sklearn.config_context(enable_metadata_routing=True):
        scaler = (
            StandardScaler().set_fit_request(sample_weight=requested).set_partial_fit_request(sample_weight=requested)
        )
        pipeline = Pipeline([("scale", PerStep(scaler)), ("record", Recorder().set_fit_request(sample_weight=True))])
        per_step = PerStep(scaler)
        if requested:
            getattr(per_step, method)(RAGGED, sample_weight=WEIGHT)
        else:
            with pytest.raises(TypeError, match="sample_weight"):
                getattr(per_step, method)(RAGGED, sample_weight=WEIGHT)
            getattr(per_step, method)(RAGGED)
        pipeline.fit(RAGGED, Y, sample_weight=WEIGHT)
    weight = np.repeat(WEIGHT, LENGTHS) if requested else None
    expected = StandardScaler().fit(STACKED, sample_weight=weight).mean_
    np.testing.assert_allclose(per_step.transformer_.mean_, expected)
    np.testing.assert_allclose(pipeline["scale"].transformer_.mean_, expected)
    np.testing.assert_array_equal(pipeline["record"].seen_["sample_weight"], WEIGHT)


def test_sample_weight_without_a_request_is_an_error():
    with (
        sklearn.config_context(enable_metadata_routing=True),
        pytest.raises(sklearn.exceptions.UnsetMetadataPassedError, match="sample_weight"),
    ):
        PerStep(StandardScaler()).fit(RAGGED, sample_weight=WEIGHT)


def test_other_metadata_is_passed_on_as_it_is():
    seen = PerStep(Recorder()).fit(RAGGED, verbose="abcd").transformer_.seen_
    assert seen["verbose"] == "abcd"
    assert seen["sample_weight"] is None
    with pytest.raises(TypeError, match="sample_weight"):
        PerStep(PCA()).fit(RAGGED, sample_weight=WEIGHT)


@pytest.mark.parametrize("parts", [[RAGGED[:2], RAGGED[2:]], [RAGGED[:1], RAGGED[1:3], RAGGED[3:]]])
def test_partial_fit_is_fit_in_parts(parts):
    per_step = PerStep(StandardScaler())
    for part in parts:
        assert per_step.partial_fit(part) is per_step
    np.testing.assert_allclose(per_step.transformer_.mean_, STACKED.mean(axis=0))
    np.testing.assert_allclose(per_step.transformer_.var_, STACKED.var(axis=0))
    per_step.fit(parts[0])
    np.testing.assert_allclose(per_step.transformer_.mean_, np.concatenate(parts[0]).mean(axis=0))


def test_partial_fit_with_other_features_is_an_error():
    per_step = PerStep(IncrementalPCA(2)).partial_fit(RAGGED)
    with pytest.raises(ValueError, match="X has 2 features, but PerStep is expecting 3"):
        per_step.partial_fit(draw([4], 2))
    assert per_step.n_features_in_ == 3


@pytest.mark.parametrize(
    ("transformer", "methods"),
    [
        (StandardScaler(), {"partial_fit", "inverse_transform", "get_feature_names_out"}),
        (PCA(), {"inverse_transform", "get_feature_names_out"}),
        (FeatureHasher(), set()),
        (Recorder(has_partial=False), set()),
    ],
)
def test_methods_are_those_of_the_transformer(transformer, methods):
    per_step = PerStep(transformer)
    for name in ("partial_fit", "inverse_transform", "get_feature_names_out"):
        assert hasattr(per_step, name) is (name in methods)
