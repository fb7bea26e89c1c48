"""Sequences in the columns of frames, on their way through ColumnTransformer, FeatureUnion and set_output."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_rnn import PerStep, RNNClassifier, RNNRegressor, Sequences, SequenceTokenizer
from sklearn_rnn.data.columns import SequenceColumn, as_columns

rng = np.random.default_rng(0)
LENGTHS = rng.integers(2, 6, 24)
FRAME = pd.DataFrame(
    {
        "seconds": [rng.gamma(2, 5, n).tolist() for n in LENGTHS],
        "place": [rng.choice(["Lyon", "Bern"], n).tolist() for n in LENGTHS],
        "labs": [rng.normal(5, 2, (n, 2)) for n in LENGTHS],
        "text": ["a good film", "not so good"] * 12,
        "age": rng.uniform(20, 80, 24),
    },
    index=[f"p{i}" for i in range(24)],
)
Y = np.arange(24) % 2
ALL = np.concatenate(FRAME["seconds"].to_list())
SMALL = {"hidden_size": 3, "max_epochs": 1, "pooling": "last", "conv_branch": False, "random_state": 0}
NET = RNNClassifier(**SMALL)
containers = pytest.mark.parametrize("container", ["default", "pandas", "polars"])

IN_FRAMES = {
    "pandas": FRAME[["seconds", "place"]],
    "polars": pl.DataFrame({name: FRAME[name].to_list() for name in ("seconds", "place")}),
}


@containers
@pytest.mark.parametrize("columns", ["seconds", ["seconds"]], ids=["column", "frame of one"])
@pytest.mark.parametrize("frame", IN_FRAMES.values(), ids=IN_FRAMES)
def test_a_scaled_input_beside_another(frame, columns, container):
    parts = [("scaled", PerStep(StandardScaler()), columns), ("as it is", "passthrough", ["place"])]
    model = make_pipeline(ColumnTransformer(parts).set_output(transform=container), NET).fit(frame, Y)
    names = ["scaled__seconds", "as it is__place"]
    assert model[0].get_feature_names_out().tolist() == names
    assert model[-1].feature_names_in_.tolist() == (["x0", "x1"] if container == "default" else names)
    first = model[0].transform(frame)
    cell = first[0, 0] if container == "default" else np.asarray(first["scaled__seconds"])[0]
    np.testing.assert_allclose(np.ravel(cell), (np.array(FRAME["seconds"].iloc[0]) - ALL.mean()) / ALL.std())
    alone = clone(NET).fit(
        {
            "seconds": PerStep(StandardScaler()).fit_transform(FRAME["seconds"].to_list()),
            "place": FRAME["place"].to_list(),
        },
        Y,
    )
    scaled = {
        "seconds": PerStep(StandardScaler()).fit_transform(FRAME["seconds"].to_list()),
        "place": FRAME["place"].to_list(),
    }
    np.testing.assert_allclose(model.predict_proba(frame), alone.predict_proba(scaled), atol=1e-6)


def test_the_scaler_sees_the_training_part_alone():
    parts = [("scaled", PerStep(StandardScaler()), "seconds"), ("place", "passthrough", ["place"])]
    model = make_pipeline(ColumnTransformer(parts), NET)
    search = GridSearchCV(model, {"rnnclassifier__hidden_size": [2, 3]}, cv=2).fit(FRAME, Y)
    assert np.isfinite(search.best_score_)
    train, _ = train_test_split(FRAME, random_state=0)
    fitted = clone(model).fit(train, Y[: len(train)])
    np.testing.assert_allclose(
        fitted[0].named_transformers_["scaled"].transformer_.mean_, np.mean(np.concatenate(train["seconds"].to_list()))
    )


@containers
def test_several_columns_for_one_transformer(container):
    frame = FRAME.assign(speed=FRAME["seconds"])
    parts = [("scaled", PerStep(StandardScaler()), ["seconds", "speed"]), ("hot", PerStep(OneHotEncoder()), "place")]
    columns = ColumnTransformer(parts).set_output(transform=container)
    out = columns.fit_transform(frame)
    assert out.shape == (24, 3)
    assert columns.get_feature_names_out().tolist() == ["scaled__seconds", "scaled__speed", "hot__place"]
    hot = out[0, 2] if container == "default" else np.asarray(out["hot__place"])[0]
    assert np.asarray(hot).shape == (LENGTHS[0], 2)
    if container == "pandas":
        assert out.index.equals(frame.index)


def test_a_union_of_transformers_of_a_column():
    union = FeatureUnion([("one", PerStep(StandardScaler())), ("other", PerStep(OneHotEncoder()))])
    model = make_pipeline(union, NET).fit(FRAME["place"].map(lambda words: [len(word) for word in words]), Y)
    assert model[-1].n_features_in_ == 2


def test_a_column_is_a_container_in_all_else():
    column = PerStep(StandardScaler()).fit_transform(FRAME["labs"])
    assert isinstance(column, SequenceColumn)
    assert (column.ndim, column.shape, len(column)) == (2, (24, 1), 24)
    assert column[3].shape == (LENGTHS[3], 2)
    assert column.ids.tolist() == FRAME.index.tolist()
    assert len(column[[1, 2]]) == 2
    assert np.asarray(column).shape == (24,)
    assert np.hstack([column, FRAME[["age"]], column]).shape == (24, 3)
    assert FRAME.assign(scaled=column)["scaled"].iloc[3] is not None
    np.testing.assert_array_equal(pd.Series(column).iloc[3], column[3])
    kept, rest, _, _ = train_test_split(column, Y, random_state=0)
    assert len(kept) + len(rest) == 24
    np.testing.assert_allclose(np.vstack(list(column)).mean(axis=0), 0, atol=1e-9)
    back = PerStep(StandardScaler()).fit(FRAME["labs"]).inverse_transform(column)
    np.testing.assert_allclose(back[5], FRAME["labs"].iloc[5])
    assert as_columns(Sequences(np.ones((3, 1)), [0, 3], feature_names=["a"])).feature_names == ["a"]


VECTORS = {
    "several features": (NET, "labs"),
    "several features, a frame of one": (NET, ["labs"]),
    "tokens": (NET, "place"),
    "several inputs": (NET, ["place", "seconds"]),
    "text pipeline": (make_pipeline(SequenceTokenizer(), NET), "text"),
    "scaled": (make_pipeline(PerStep(StandardScaler()), NET), ["labs"]),
    "regressor": (RNNRegressor(**SMALL), "labs"),
}


@containers
@pytest.mark.parametrize(("network", "columns"), VECTORS.values(), ids=VECTORS)
def test_names_of_what_a_network_makes_of_a_column(network, columns, container):
    parts = [("rnn", network, columns), ("age", StandardScaler(), ["age"])]
    model = ColumnTransformer(parts).set_output(transform=container)
    out = model.fit_transform(FRAME, Y)
    last = network[-1] if hasattr(network, "steps") else network
    names = [f"rnn__{type(last).__name__.lower()}{i}" for i in range(6)] + ["age__age"]
    assert model.get_feature_names_out().tolist() == names
    assert out.shape == (24, 7)
    if container != "default":
        assert list(out.columns) == names
    assert np.isin(make_pipeline(clone(model), LogisticRegression()).fit(FRAME, Y).predict(FRAME), Y).all()


def test_names_of_a_table_are_still_looked_at():
    table = pd.DataFrame(rng.normal(size=(24, 4)), columns=list("abcd"))
    fitted = clone(NET).fit(table, Y)
    assert len(fitted.get_feature_names_out(list("abcd"))) == 6
    with pytest.raises(ValueError, match="input_features"):
        fitted.get_feature_names_out(["e"])
