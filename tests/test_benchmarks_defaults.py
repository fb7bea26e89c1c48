"""What the judge of the defaults computes from scores, and its peers whose features no library was asked for."""

import json
import math
from itertools import pairwise

import numpy as np
import pytest
from judging import cache
from judging.aims import aims
from judging.cache import Job
from judging.choosing import leave_one_set_out, mean_regret
from judging.naming import ARCHIVE, SENTENCES, shortfall
from judging.progress import Progress
from judging.scores import Figure, gathered, regret
from peers.tabular import Flattened, Summarised


def naive_features(sequence, kernels):
    """Share of positive values and maximum of each kernel, one output after the other."""
    lengths, dilations, paddings, biases, channels, starts, weights, weight_starts = kernels
    features = []
    for k, length in enumerate(lengths):
        reach = (length - 1) * dilations[k]
        padding = paddings[k] if len(sequence) + 2 * paddings[k] > reach else reach // 2
        read = channels[starts[k] : starts[k + 1]]
        weight = weights[weight_starts[k] : weight_starts[k + 1]].reshape(len(read), length)
        padded = np.pad(sequence, ((padding, padding), (0, 0)))
        taps = [padded[t : t + reach + 1 : dilations[k]] for t in range(len(padded) - reach)]
        out = np.array([biases[k] + sum(weight[n] @ tap[:, c] for n, c in enumerate(read)) for tap in taps])
        features += [np.mean(out > 0), out.max()]
    return features


@pytest.mark.parametrize(("lengths", "n_channels"), [([30, 4, 17, 1, 60], 3), ([8, 8], 1)])
def test_convolutions_equal_a_loop_over_their_outputs(lengths, n_channels):
    pytest.importorskip("numba")
    from peers.rocket import Rocket

    random_state = np.random.RandomState(0)
    X = [random_state.randn(length, n_channels) * 3 + 5 for length in lengths]
    rocket = Rocket(40, random_state=0).fit(X)
    found = rocket.transform(X)
    steps = np.concatenate(X)
    for x, features in zip(X, found, strict=True):
        scaled = (x - steps.mean(axis=0)) / steps.std(axis=0)
        np.testing.assert_allclose(features, naive_features(scaled, rocket.kernels_), atol=2e-5)
    np.testing.assert_array_equal(rocket.transform(X[::-1]), found[::-1])


def test_kernels_fit_into_the_sequences():
    pytest.importorskip("numba")
    from peers.rocket import random_kernels

    lengths, dilations, paddings, biases, channels, starts, weights, weight_starts = random_kernels(
        500, 50, 4, np.random.RandomState(0)
    )
    assert set(lengths) == {7, 9, 11}
    assert (dilations >= 1).all()
    assert ((lengths - 1) * dilations <= 49).all()
    assert set(np.diff(starts)) == {1, 2, 3, 4}
    assert all(len(set(channels[a:b])) == b - a for a, b in pairwise(starts))
    np.testing.assert_allclose([weights[a:b].sum() for a, b in pairwise(weight_starts)], 0, atol=1e-5)
    assert 0.4 < np.mean(paddings > 0) < 0.6
    assert np.abs(biases).max() <= 1


def test_rows_of_sequences():
    X = [np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[5.0, 6.0]])]
    np.testing.assert_array_equal(Flattened().fit_transform(X), [[1, 2, 3, 4], [5, 6, 0, 0]])
    np.testing.assert_array_equal(Flattened("end").fit_transform(X), [[1, 2, 3, 4], [5, 6, 5, 6]])
    longer = [np.arange(6.0).reshape(3, 2)]
    np.testing.assert_array_equal(Flattened().fit(X).transform(longer), [[0, 1, 2, 3]])
    np.testing.assert_array_equal(Flattened("end").fit(X).transform(longer), [[2, 3, 4, 5]])
    ramp = np.stack([3.0 * np.arange(5) + 1, np.full(5, 7.0)], axis=1)
    found = Summarised().fit_transform([ramp, ramp[:1]]).reshape(2, 7, 2)
    np.testing.assert_allclose(found[0, :, 0], [7, math.sqrt(18), 1, 13, 1, 13, 3])
    np.testing.assert_allclose(found[1, :, 0], [1, 0, 1, 1, 1, 1, 0])


REGRETS = {
    "a": {("x", "full"): 0.0, ("y", "full"): 4.0, ("z", "full"): 4.0},
    "b": {("x", "full"): 9.0, ("y", "full"): 0.0, ("z", "full"): 1.0},
    "c": {("x", "full"): 1.0, ("y", "full"): 2.0, ("z", "full"): 0.0},
}


def test_the_choice_for_a_set_does_not_look_at_it():
    found = {choice.left_out: (choice.setting, choice.regret) for choice in leave_one_set_out(REGRETS)}
    # without x: a 4, b 0.5, c 1; without y: a 2, b 5, c 0.5; without z: a 2, b 4.5, c 1.5
    assert found == {"x": ("b", 9.0), "y": ("c", 2.0), "z": ("c", 0.0)}


def test_sets_count_the_same_whatever_the_number_of_their_sizes():
    rows = {("x", "100"): 1.0, ("x", "300"): 2.0, ("x", "full"): 3.0, ("y", "full"): 6.0}
    assert mean_regret(rows, {"x", "y"}) == 4.0
    assert leave_one_set_out({"a": {("x", "full"): 0.0, ("x", "100"): 1.0}}) == []


def test_an_error_falls_short_when_it_is_larger():
    assert shortfall(80.0, 90.0, "accuracy") == 10.0
    assert shortfall(15.0, 12.0, "RMSE") == pytest.approx(25.0)


def record(name, contestant, score, seed=0, **changed):
    job = {"set": name, "size": "full", "contestant": contestant, "seed": seed, "protocol": "test", "fold": 0}
    rest = {"settings": {}, "tag": "", "metric": "accuracy", "score": score, "constant": 50.0, "predict": 0.0}
    return {**job, **rest, "n_train": 200, "n_test": 100, "cpu": 3.0, "wall": 4.0, **changed}


def test_figures_are_taken_over_seeds_and_regret_from_means():
    scores = [record("x", "default", 90.0), record("x", "default", 94.0, seed=1), record("x", "ridge", 95.0)]
    of_row = gathered([*scores, record("x", "unscaled", 99.0)])["x", "full"]
    assert (of_row["default"].mean, of_row["default"].worst) == (92.0, 90.0)
    assert of_row["default"].deviation == pytest.approx(math.sqrt(8))
    assert regret(of_row) == 3.0
    assert Figure([3.0, 5.0], "RMSE", 1, 1, None, 0.0, 0.0).worst == 5.0


def test_aims_are_reached_missed_or_not_all_measured():
    def found(records):
        return {aim.split(":")[0] + str(n): state for n, (aim, _, state) in enumerate(aims(gathered(records)))}

    assert set(found([]).values()) == {"not all measured"}
    ours = [record(name, "default", 90.0 + seed / 10, seed) for name in ARCHIVE for seed in (0, 1)]
    peers = [record(name, peer, 80.0) for name in ARCHIVE for peer in ("ridge", "neighbour", "boosting")]
    series = [*ours, *peers, *[record(name, "rocket", 91.0) for name in ARCHIVE]]
    sentences = [record(name, "default", 85.0) for name in SENTENCES]
    sentences += [record(name, "tfidf", 80.0 + 5.5 * (name in SENTENCES[:2])) for name in SENTENCES]
    states = list(found([*series, *sentences]).values())
    assert states[2:7] == ["reached"] * 5
    assert list(found([*series, *sentences, record("MR", "tfidf", 99.0, 1)]).values())[2] == "missed"
    assert list(found([*series, record("NATOPS", "default", 50.0, 2)]).values())[5:7] == ["missed", "missed"]
    assert list(found([*series, record("JapaneseVowels", "rocket", 200.0)]).values())[4] == "missed"


def test_a_run_goes_on_from_a_line_that_was_cut_off(tmp_path):
    path = tmp_path / "results" / "scores.jsonl"
    job = Job("x", "full", "default", 3, settings={"pooling": "max"}, tag="v1")
    cache.append(path, {**vars(job), "score": 1.0})
    with path.open("a", encoding="utf-8") as file:
        file.write('{"set": "x", "si')
    other = Job("x", "full", "default", 3, settings={"pooling": "max"}, tag="v2")
    cache.append(path, {**vars(other), "score": 2.0})
    found = cache.read([path, tmp_path / "absent.jsonl"])
    assert {key: r["score"] for key, r in found.items()} == {cache.key_of(job): 1.0, cache.key_of(other): 2.0}
    assert len(path.read_text(encoding="utf-8").splitlines()) == 3
    assert json.loads(cache.key_of(job))["settings"] == {"pooling": "max"}


def test_time_that_is_left_is_that_of_the_same_fits():
    jobs = [Job("x", "full", "default", 0), Job("x", "full", "default", 1), Job("y", "full", "default", 0)]
    progress = Progress(jobs, [], n_jobs=2)
    assert progress.seconds() == 90
    progress.finished(record("x", "default", 1.0, wall=10.0))
    assert progress.seconds() == 10
    progress.finished(record("y", "default", 1.0, wall=30.0))
    progress.gave_up(jobs[1])
    assert progress.seconds() == 0
