"""Transformers of steps on some of several inputs a step."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction import DictVectorizer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_rnn import AlignedSequences, PerStep, RNNClassifier, sequences_from_frame, stream
from sklearn_rnn.exceptions import SequenceDataError

rng = np.random.default_rng(0)
STEPS = pd.DataFrame(
    {
        "user": np.repeat(np.arange(20), 4),
        "seconds": rng.gamma(2, 5, 80),
        "pages": rng.integers(0, 9, 80).astype(float),
        "place": rng.choice(["Lyon", "Bern"], 80),
    }
)
X = sequences_from_frame(STEPS, id="user")
Y = np.arange(20) % 2
NET = RNNClassifier(hidden_size=3, max_epochs=1, random_state=0, bidirectional=False)
FORMATS = {
    "container": X,
    "dict": {name: list(part) for name, part in X.inputs.items()},
    "frame": STEPS.groupby("user")[["seconds", "pages", "place"]].agg(list),
}
SCALED = (STEPS["seconds"] - STEPS["seconds"].mean()) / STEPS["seconds"].std(ddof=0)


@pytest.mark.parametrize("X", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("inputs", ["seconds", ["seconds"]])
def test_one_input_is_scaled_and_the_others_stay(X, inputs):
    per_step = PerStep(StandardScaler(), inputs=inputs).fit(X)
    out = per_step.transform(X)
    assert isinstance(out, AlignedSequences)
    assert list(out.inputs) == per_step.get_feature_names_out().tolist() == ["seconds", "pages", "place"]
    np.testing.assert_allclose(out.inputs["seconds"].values[:, 0], SCALED)
    np.testing.assert_array_equal(out.inputs["pages"].values.ravel(), STEPS["pages"])
    assert out.inputs["place"].values.tolist() == STEPS["place"].tolist()
    assert list(per_step.transformers_) == ["seconds"]
    np.testing.assert_allclose(per_step.transformers_["seconds"].mean_, STEPS["seconds"].mean())
    back = per_step.inverse_transform(out)
    np.testing.assert_allclose(back.inputs["seconds"].values[:, 0], STEPS["seconds"])
    np.testing.assert_array_equal(per_step.fit_transform(X).inputs["seconds"].values, out.inputs["seconds"].values)


def test_each_input_has_a_transformer_of_its_own():
    per_step = PerStep(StandardScaler(), inputs=["pages", "seconds"]).fit(X)
    for name in ("pages", "seconds"):
        np.testing.assert_allclose(per_step.transformers_[name].mean_, STEPS[name].mean())


def test_all_inputs_where_all_are_alike():
    numbers = AlignedSequences({name: X.inputs[name] for name in ("seconds", "pages")})
    out = PerStep(StandardScaler()).fit_transform(numbers)
    np.testing.assert_allclose([part.values.mean() for part in out.inputs.values()], 0, atol=1e-12)
    words = AlignedSequences({"one": X.inputs["place"], "two": X.inputs["place"]})
    assert PerStep(OneHotEncoder()).fit_transform(words).inputs["two"].n_features == 2


def test_parts_of_a_fit():
    whole, parts = (PerStep(StandardScaler(), inputs="seconds") for _ in range(2))
    whole.fit(X)
    parts.partial_fit(X[:7]).partial_fit(X[7:])
    np.testing.assert_allclose(parts.transformers_["seconds"].mean_, whole.transformers_["seconds"].mean_)


def test_features_of_dicts_are_completed():
    steps = [[{"n": 1.0, "m": 2.0, "w": "a"}, {"n": 3.0}], [{"w": "b", "m": 4.0}]]
    per_step = PerStep(StandardScaler(), inputs="<numbers>").fit(steps)
    out = per_step.transform([[{"m": 2.0}]])
    np.testing.assert_allclose(
        out.inputs["<numbers>"].values,
        per_step.transformers_["<numbers>"].transform(pd.DataFrame([[0.0, 2.0]], columns=["n", "m"])),
    )
    model = make_pipeline(PerStep(StandardScaler(), inputs="<numbers>"), NET).fit(steps * 4, ["x", "y"] * 4)
    assert len(model.predict([[{"m": 2.0}]])) == 1
    vectors = PerStep(DictVectorizer()).fit_transform(steps)
    assert vectors.n_features == 4


def test_in_a_search_and_a_pickle():
    model = make_pipeline(PerStep(StandardScaler(), inputs="seconds"), NET)
    search = GridSearchCV(model, {"perstep__inputs": ["seconds", ["seconds", "pages"]]}, cv=2).fit(X, Y)
    best = search.best_estimator_
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(best)).predict(X), best.predict(X))
    assert not hasattr(clone(best[0]), "transformers_")


def test_a_stream_takes_the_same_steps():
    model = make_pipeline(PerStep(StandardScaler(), inputs="seconds"), NET).fit(X, Y)
    live = stream(model)
    for i in range(4):
        live.update({name: np.ravel(part[0])[i] for name, part in X.inputs.items()})
    np.testing.assert_allclose(live.predict_proba(), model.predict_proba(X[:1]), atol=1e-6)


def test_a_refit_forgets_the_other_kind():
    per_step = PerStep(StandardScaler()).fit([rng.normal(size=(3, 2))])
    numbers = AlignedSequences({"seconds": X.inputs["seconds"]})
    assert not hasattr(per_step, "transformers_")
    per_step.fit(numbers)
    assert not hasattr(per_step, "transformer_")
    assert list(per_step.transformers_) == ["seconds"]
    per_step.fit([rng.normal(size=(3, 2))])
    assert per_step.transformer_.n_features_in_ == 2


@pytest.mark.parametrize(
    ("inputs", "X", "message"),
    [
        (
            None,
            X,
            r"numbers \['seconds', 'pages'\] and strings \['place'\].*PerStep\(StandardScaler\(\), inputs=\['sec",
        ),
        (None, FORMATS["frame"], r"PerStep\(StandardScaler\(\), inputs=\['seconds', 'pages'\]\)"),
        (["speed"], X, r"inputs=\['speed'\] must name inputs of X, which has \['seconds', 'pages', 'place'\]"),
        ([], X, "must name inputs"),
        ("seconds", [np.ones((3, 2))], r"X is one input a step.*PerStep\(ColumnTransformer"),
    ],
)
def test_what_cannot_be_told_names_the_way(inputs, X, message):
    with pytest.raises(SequenceDataError, match=message):
        PerStep(StandardScaler(), inputs=inputs).fit(X)


def test_other_inputs_than_those_of_fit():
    per_step = PerStep(StandardScaler(), inputs="seconds").fit(X)
    with pytest.raises(SequenceDataError, match="wanted those of fit"):
        per_step.transform(AlignedSequences({"seconds": X.inputs["seconds"]}))
    with pytest.raises(SequenceDataError, match="several inputs a step"):
        PerStep(StandardScaler()).fit([np.ones((3, 1))]).transform(X)
    with pytest.raises(NotFittedError):
        PerStep(StandardScaler(), inputs="seconds").transform(X)


def test_lists_of_frames_of_numbers_and_strings():
    frames = [part[["seconds", "place"]] for _, part in STEPS.groupby("user")]
    model = clone(NET).fit(frames, Y)
    assert model.feature_names_in_.tolist() == ["seconds", "place"]
    both = AlignedSequences({name: X.inputs[name] for name in ("seconds", "place")})
    np.testing.assert_array_equal(model.predict_proba(frames), clone(NET).fit(both, Y).predict_proba(both))
    series = pd.Series(frames, index=[f"u{i}" for i in range(20)])
    np.testing.assert_array_equal(model.predict_proba(series), model.predict_proba(frames))
    with pytest.raises(SequenceDataError, match="another order"):
        model.score(series, pd.Series(Y, index=series.index[::-1]))
    numbers = [part[["seconds", "pages"]] for _, part in STEPS.groupby("user")]
    assert PerStep(PCA(1)).fit(numbers).n_features_in_ == 2
