"""Transformers of steps: the same as the transformer alone on the stacked steps."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction import FeatureHasher
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MinMaxScaler,
    OneHotEncoder,
    PolynomialFeatures,
    StandardScaler,
    TargetEncoder,
)
from sklearn.utils.estimator_checks import estimator_checks_generator
from step_arrays import as_array, assert_steps

from sklearn_rnn import PerStep, Sequences, sequences_from_frame
from sklearn_rnn.exceptions import SequenceDataError


def draw(lengths, n_features=3, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(2, 3, size=(length, n_features)) for length in lengths]


RAGGED = draw([3, 5, 1, 4])
STACKED = np.concatenate(RAGGED)
BLOCK = np.random.default_rng(1).normal(1, 2, size=(6, 5, 3))
TABLE = BLOCK[:, :, 0]

TRANSFORMERS = {
    "scaler": StandardScaler(),
    "min-max": MinMaxScaler(),
    "PCA": PCA(2),
    "polynomials": PolynomialFeatures(2),
    "bins (sparse)": KBinsDiscretizer(2, quantile_method="averaged_inverted_cdf"),
    "pandas inside": StandardScaler().set_output(transform="pandas"),
    "polars inside": StandardScaler().set_output(transform="polars"),
    "columns": ColumnTransformer([("scaled", StandardScaler(), [0, 2]), ("kept", "passthrough", [1])]),
    "union": FeatureUnion([("scaled", StandardScaler()), ("pca", PCA(1))]),
    "pipeline": make_pipeline(StandardScaler(), PCA(2)),
    "function": FunctionTransformer(np.abs),
}
every_transformer = pytest.mark.parametrize("transformer", TRANSFORMERS.values(), ids=TRANSFORMERS)


@every_transformer
def test_steps_are_transformed_as_rows(transformer):
    expected = as_array(clone(transformer).fit_transform(STACKED))
    per_step = PerStep(transformer)
    assert_steps(per_step.fit(RAGGED).transform(RAGGED), expected, [3, 5, 1, 4])
    assert_steps(clone(per_step).fit_transform(RAGGED), expected, [3, 5, 1, 4])
    assert per_step.transformer_ is not transformer
    assert not hasattr(transformer, "n_features_in_")
    assert per_step.n_features_in_ == 3


@every_transformer
def test_a_block_gives_a_block(transformer):
    expected = as_array(clone(transformer).fit_transform(BLOCK.reshape(30, 3))).reshape(6, 5, -1)
    out = PerStep(transformer).fit_transform(BLOCK)
    assert isinstance(out, np.ndarray)
    np.testing.assert_allclose(out, expected)


@pytest.mark.parametrize("make", [np.asarray, pd.DataFrame, pl.from_numpy, np.ndarray.tolist])
def test_a_table_gives_a_table(make):
    out = PerStep(StandardScaler()).fit_transform(make(TABLE))
    assert isinstance(out, np.ndarray)
    np.testing.assert_allclose(out, (TABLE - TABLE.mean()) / TABLE.std())


def test_a_table_with_several_columns_a_step_gives_a_block():
    out = PerStep(PolynomialFeatures(2, include_bias=False)).fit_transform(TABLE)
    np.testing.assert_allclose(out, np.stack([TABLE, TABLE**2], axis=2))


@pytest.mark.parametrize(
    "make",
    [
        lambda X: Sequences.from_arrays(X),
        lambda X: pd.Series(X),
        lambda X: np.asarray(Sequences.from_arrays(X)),
        lambda X: [torch.from_numpy(part) for part in X],
        lambda X: [part.tolist() for part in X],
        lambda X: pl.Series([part.tolist() for part in X]),
    ],
    ids=["container", "Series", "object array", "tensors", "nested lists", "polars"],
)
def test_everything_else_gives_the_container(make):
    assert_steps(
        PerStep(StandardScaler()).fit_transform(make(RAGGED)), StandardScaler().fit_transform(STACKED), [3, 5, 1, 4]
    )


def test_a_tensor_is_a_block():
    np.testing.assert_allclose(
        PerStep(StandardScaler()).fit_transform(torch.from_numpy(BLOCK)), PerStep(StandardScaler()).fit_transform(BLOCK)
    )


@given(
    lengths=st.lists(st.integers(0, 5), min_size=1, max_size=6).filter(lambda n: sum(n) > 1),
    n_features=st.integers(1, 3),
    seed=st.integers(0, 99),
)
@settings(deadline=None, max_examples=50)
def test_ragged_shapes_there_and_back(lengths, n_features, seed):
    X = draw(lengths, n_features, seed)
    per_step = PerStep(StandardScaler())
    out = per_step.fit_transform(X)
    assert_steps(out, StandardScaler().fit_transform(np.concatenate(X)), lengths)
    back = per_step.inverse_transform(out)
    assert_steps(back, np.concatenate(X), lengths)
    alone = [per_step.transform([part]).values for part in X if len(part)]
    np.testing.assert_allclose(np.concatenate(alone), out.values)


@pytest.mark.parametrize("X", [RAGGED, BLOCK, TABLE, TABLE[:, :1]], ids=["ragged", "block", "table", "one step"])
@pytest.mark.parametrize("transformer", [StandardScaler(), PCA(), MinMaxScaler((0, 5))])
def test_inverse_gives_back_the_input_in_its_format(X, transformer):
    per_step = PerStep(transformer).fit(X)
    back = per_step.inverse_transform(per_step.transform(X))
    if isinstance(X, list):
        assert_steps(back, STACKED, [3, 5, 1, 4])
    else:
        np.testing.assert_allclose(back, X, atol=1e-12)
        assert back.shape == X.shape


def test_inverse_of_a_table_that_became_a_block():
    table = np.array([["a", "b"], ["c", "a"]], dtype=object)
    encoder = PerStep(OneHotEncoder())
    block = encoder.fit_transform(table)
    assert block.shape == (2, 2, 3)
    assert encoder.inverse_transform(block).tolist() == table.tolist()


def test_empty_sequences_pass_through():
    X = [RAGGED[0], np.empty((0, 3)), RAGGED[2], []]
    assert_steps(PerStep(PCA(2)).fit_transform(X), PCA(2).fit_transform(np.concatenate(RAGGED[:3:2])), [3, 0, 1, 0])


@pytest.mark.parametrize(
    ("transformer", "X", "width"),
    [
        (PCA(2), RAGGED, 2),
        (OneHotEncoder(), [["a", "b"], ["c"]], 3),
        (FeatureHasher(7), [[{"a": 1}], [{"b": 2}]], 7),
        (FunctionTransformer(), RAGGED, 3),
    ],
)
def test_nothing_but_empty_sequences(transformer, X, width):
    out = PerStep(transformer).fit(X).transform([[], []])
    assert out.lengths.tolist() == [0, 0]
    assert out.values.shape == (0, width)


def test_nothing_but_empty_sequences_there_and_back():
    scaler = PerStep(StandardScaler()).fit(RAGGED)
    assert scaler.inverse_transform(scaler.transform([[], []])).values.shape == (0, 3)


def test_nothing_to_fit_to():
    with pytest.raises(ValueError, match="minimum of 1"):
        PerStep(StandardScaler()).fit([[], []])


def test_nan_is_left_to_the_transformer():
    X = [np.array([[1.0, np.nan], [3.0, 4.0]]), np.array([[np.nan, 8.0]])]
    assert_steps(PerStep(SimpleImputer()).fit_transform(X), [[1, 6], [3, 4], [2, 8]], [2, 1])
    assert_steps(PerStep(SimpleImputer()).fit_transform([[1.0, None], [3.0]]), [[1], [2], [3]], [2, 1])
    with pytest.raises(ValueError, match="NaN"):
        PerStep(PCA()).fit(X)


@pytest.mark.parametrize("allowed", [True, False])
def test_tags_are_those_of_the_transformer(allowed):
    tags = PerStep(SimpleImputer() if allowed else PCA()).__sklearn_tags__()
    assert tags.input_tags.allow_nan is allowed
    assert tags.input_tags.three_d_array
    assert tags.input_tags.two_d_array
    assert PerStep(TargetEncoder()).__sklearn_tags__().target_tags.required


FRAME = pd.DataFrame(
    {"id": [1, 1, 2], "step": [1, 2, 1], "speed": [1.0, 3.0, 5.0], "gear": [1.0, 2.0, 1.0], "noise": [0.0, 0.0, 1.0]}
)


def test_named_features():
    X = sequences_from_frame(FRAME, id="id", sort_by="step")
    columns = ColumnTransformer(
        [("scaled", MinMaxScaler(), ["speed"]), ("one_hot", OneHotEncoder(), ["gear"])], verbose_feature_names_out=False
    )
    per_step = PerStep(columns)
    out = per_step.fit_transform(X)
    assert_steps(out, [[0, 1, 0], [0.5, 0, 1], [1, 1, 0]], [2, 1])
    assert per_step.feature_names_in_.tolist() == ["speed", "gear", "noise"]
    assert out.feature_names == per_step.get_feature_names_out().tolist() == ["speed", "gear_1.0", "gear_2.0"]
    assert out.ids.tolist() == [1, 2]
    assert_steps(per_step.transform(list(X)), out.values, [2, 1])
    shuffled = sequences_from_frame(FRAME, id="id", columns=["gear", "speed", "noise"])
    with pytest.raises(SequenceDataError, match="feature names should match"):
        per_step.transform(shuffled)


def test_names_of_features_out():
    assert PerStep(StandardScaler()).fit(RAGGED).get_feature_names_out(["a", "b", "c"]).tolist() == ["a", "b", "c"]
    assert PerStep(PCA(2)).fit(BLOCK).get_feature_names_out().tolist() == ["pca0", "pca1"]
    assert PerStep(StandardScaler()).fit(TABLE).get_feature_names_out().tolist() == [f"x{i}" for i in range(5)]
    assert PerStep(PolynomialFeatures()).fit(TABLE).get_feature_names_out().tolist() == ["1", "x0", "x0^2"]
    assert not hasattr(PerStep(FeatureHasher()), "get_feature_names_out")


@pytest.mark.parametrize(("transform", "frame"), [("pandas", pd.DataFrame), ("polars", pl.DataFrame)])
def test_set_output_makes_frames_of_tables_alone(transform, frame):
    per_step = PerStep(StandardScaler()).set_output(transform=transform)
    out = per_step.fit_transform(TABLE)
    assert isinstance(out, frame)
    assert list(out.columns) == [f"x{i}" for i in range(5)]
    assert isinstance(clone(per_step).fit_transform(TABLE), frame)
    assert isinstance(clone(per_step).fit_transform(BLOCK), np.ndarray)
    assert isinstance(clone(per_step).fit_transform(RAGGED), Sequences)
    assert isinstance(per_step.set_output().transform(TABLE), frame)
    assert isinstance(per_step.set_output(transform="default").transform(TABLE), np.ndarray)


def test_set_output_of_a_pipeline_and_of_all():
    pipeline = make_pipeline(PerStep(StandardScaler()), PerStep(MinMaxScaler())).set_output(transform="pandas")
    assert isinstance(pipeline.fit_transform(TABLE), pd.DataFrame)
    assert_steps(pipeline.fit_transform(RAGGED), MinMaxScaler().fit_transform(STACKED), [3, 5, 1, 4])
    with sklearn.config_context(transform_output="pandas"):
        assert isinstance(PerStep(StandardScaler()).fit_transform(RAGGED), Sequences)
        assert isinstance(PerStep(StandardScaler()).fit_transform(BLOCK), np.ndarray)


@pytest.mark.parametrize("method", ["transform", "inverse_transform", "get_feature_names_out"])
def test_not_fitted(method):
    with pytest.raises(NotFittedError):
        getattr(PerStep(StandardScaler()), method)(*[] if method == "get_feature_names_out" else [RAGGED])


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (draw([2, 3], 2), "X has 2 features, but PerStep is expecting 3 features"),
        ([["a", "b"]], "X has 1 features, but PerStep is expecting 3"),
        (TABLE, "PerStep is expecting 3 features a step .* got a 2-D table"),
        ([[["a", "b", "c"]]], r"fitted on sequences of numbers, got strings"),
        ([["a b"], "c"], "raw document"),
        ([], "X is empty"),
        (3, "must be a collection of sequences"),
        ([[["a", "b", "c"]], ["a"]], r"X\[1\] is \['a'\], wanted a list of steps, each a list like \['a', 'b', 'c'\]"),
    ],
)
def test_what_differs_from_fit_is_named(X, message):
    with pytest.raises(SequenceDataError, match=message):
        PerStep(StandardScaler()).fit(RAGGED).transform(X)


def test_a_table_of_another_width_is_an_error():
    with pytest.raises(ValueError, match="X has 4 features, but PerStep is expecting 5"):
        PerStep(StandardScaler()).fit(TABLE).transform(TABLE[:, :4])


@pytest.mark.parametrize("transformer", [3, "scaler", object()])
def test_what_is_no_transformer_is_refused(transformer):
    with pytest.raises(ValueError, match="'transformer' parameter of PerStep must be an object implementing"):
        PerStep(transformer).fit(RAGGED)


@pytest.mark.parametrize(
    "X", [RAGGED, BLOCK, TABLE, Sequences.from_arrays(RAGGED)], ids=["ragged", "block", "table", "container"]
)
@pytest.mark.parametrize("wrap", [lambda t: t, lambda t: make_pipeline(FunctionTransformer(), t)])
def test_the_input_is_not_modified(X, wrap):
    before = pickle.loads(pickle.dumps(X))
    PerStep(wrap(StandardScaler(copy=False))).fit_transform(X)
    for part, same in zip(X, before, strict=True):
        np.testing.assert_array_equal(part, same)


def test_dtype_is_that_of_the_transformer():
    X = [part.astype(np.float32) for part in RAGGED]
    assert PerStep(StandardScaler()).fit_transform(X).values.dtype == np.float32
    assert PerStep(StandardScaler()).fit_transform([part.astype(int) for part in RAGGED]).values.dtype == np.float64


class MeanClassifier(BaseEstimator):
    """Says 1 if the mean of the sequence is above `bar`; a sequence model as small as can be."""

    def __init__(self, bar=0.0):
        self.bar = bar

    def fit(self, X, y):
        self.fitted_ = True
        return self

    def predict(self, X):
        return np.array([int(part.mean() > self.bar) for part in X])

    def score(self, X, y):
        return np.mean(self.predict(X) == y)


def test_in_grid_search_and_cross_validation():
    rng = np.random.default_rng(0)
    y = np.arange(40) % 2
    X = [rng.normal(5 + 4 * label, 1, size=(rng.integers(1, 6), 2)) for label in y]
    pipeline = make_pipeline(PerStep(StandardScaler()), MeanClassifier())
    search = GridSearchCV(pipeline, {"perstep__transformer__with_mean": [False, True]}, cv=4).fit(X, y)
    assert search.best_params_ == {"perstep__transformer__with_mean": True}
    assert search.score(X, y) > 0.95
    assert cross_val_score(pipeline, X, y, cv=4).mean() > 0.95
    replaced = GridSearchCV(pipeline, {"perstep__transformer": [PCA(1), MinMaxScaler((-1, 1))]}, cv=4).fit(X, y)
    assert isinstance(replaced.best_estimator_[0].transformer_, PCA | MinMaxScaler)


def test_parameters_clone_and_pickle():
    per_step = PerStep(StandardScaler()).fit(RAGGED)
    per_step.set_params(transformer__with_mean=False)
    assert per_step.get_params()["transformer__with_mean"] is False
    assert per_step.transformer_.with_mean
    copied = clone(per_step)
    assert not hasattr(copied, "transformer_")
    assert copied.transformer is not per_step.transformer
    again = pickle.loads(pickle.dumps(per_step))
    np.testing.assert_array_equal(again.transform(RAGGED).values, per_step.transform(RAGGED).values)
    assert "PerStep" in repr(per_step)
    assert "StandardScaler" in per_step._repr_html_()


def checks():
    for transformer in (StandardScaler(), SimpleImputer(), PCA(1)):
        for estimator, check in estimator_checks_generator(PerStep(transformer)):
            if (
                check.func.__name__ != "check_array_api_input"
            ):  # a transformer outside of scikit-learn has no such claim
                yield estimator, check


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("estimator", "check"),
    [pytest.param(*pair, id=f"{pair[0].transformer}-{pair[1].func.__name__}") for pair in checks()],
)
def test_check_estimator(estimator, check):
    check(estimator)
