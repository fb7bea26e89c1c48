"""Streams as text: they go on to the last bit, and what is broken is refused."""

import copy
import json
import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from streaming import ENGINES, fitted

from sklearn_rnn import (
    RNNClassifier,
    RNNRegressor,
    RNNSequenceTagger,
    Stream,
    stream,
)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("estimator", [RNNClassifier, RNNRegressor, RNNSequenceTagger])
def test_text_goes_on_bit_by_bit(estimator, engine, rng):
    model = fitted(estimator, cell_type="lstm", engine=engine, num_layers=2)
    live = stream(model, n_streams=3)
    for _ in range(4):
        live.update(rng.normal(size=(3, 3)))
    live.update(rng.normal(size=3), ids=1)
    live.reset(ids=[2])
    text = live.to_json()
    assert json.loads(text)["format"].startswith("sklearn_rnn.Stream")
    other = Stream.from_json(pickle.loads(pickle.dumps(model)), text)
    assert other.n_steps_.tolist() == [4, 5, 0]
    assert other.to_json() == text
    for _ in range(3):
        step = rng.normal(size=(3, 3))
        np.testing.assert_array_equal(other.update(step), live.update(step))
    assert other.to_json() == live.to_json()


def test_text_goes_on_in_another_process(tmp_path, rng):
    model = fitted(RNNClassifier, pooling="attention")
    live = stream(model)
    live.update(rng.normal(size=3))
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(model))
    (tmp_path / "stream.json").write_text(live.to_json())
    code = (
        "import pathlib, pickle, sklearn_rnn\n"
        "model = pickle.loads(pathlib.Path('model.pkl').read_bytes())\n"
        "live = sklearn_rnn.Stream.from_json(model, pathlib.Path('stream.json').read_text())\n"
        "live.update([0.5, 0.25, -1.0])\n"
        "pathlib.Path('after.json').write_text(live.to_json())\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    live.update([0.5, 0.25, -1.0])
    assert (tmp_path / "after.json").read_text() == live.to_json()


def test_text_of_other_weights_is_refused():
    model = fitted(RNNClassifier)
    text = stream(model).to_json()
    with pytest.raises(ValueError, match="other weights"):
        Stream.from_json(fitted(RNNClassifier, random_state=1), text)


def test_text_of_another_scale_of_numbers_is_refused():
    model = fitted(RNNClassifier)
    other = copy.deepcopy(model)
    [(name, scale)] = other.encoding_.scales.items()
    other.encoding_.scales[name] = replace(scale, scale=2 * scale.scale)
    Stream.from_json(copy.deepcopy(model), stream(model).to_json())
    with pytest.raises(ValueError, match="other weights"):
        Stream.from_json(other, stream(model).to_json())


def test_text_that_is_broken_is_refused():
    model = fitted(RNNClassifier)
    text = stream(model, 2).to_json()
    content = json.loads(text)
    for broken in (
        text[:-5],
        "",
        "[1]",
        "{}",
        text.replace("AAAA", "AAAB", 1),
        json.dumps({**content, "checksum": ""}),
    ):
        with pytest.raises(ValueError, match="text "):
            Stream.from_json(model, broken)
    with pytest.raises(ValueError, match="text is no JSON"):
        Stream.from_json(model, None)


@pytest.mark.parametrize("engine", ENGINES)
def test_pickled_and_copied_streams_go_on_by_themselves(engine, rng):
    X = [["fly", "to"], ["Oslo"], ["to", "Rome", "to"]] * 4
    live = stream(fitted(RNNClassifier, X, [0, 1, 1] * 4, pooling="mean", engine=engine))
    live.update("fly")
    for other in (pickle.loads(pickle.dumps(live)), copy.deepcopy(live)):
        before = live.to_json()
        other.update("to")
        assert live.to_json() == before
        twin = Stream.from_json(live._answers.model, before)
        np.testing.assert_array_equal(other.update("Oslo"), [twin.update(word) for word in ("to", "Oslo")][-1])
        np.testing.assert_array_equal(other.predict_proba(), twin.predict_proba())
