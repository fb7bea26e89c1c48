"""The compiled step of a whole network, against the published equations in NumPy."""

import numpy as np
import oracles
import pytest
import torch
from torch import nn

pytest.importorskip("numba")

from sklearn_rnn.kernels import stepping
from sklearn_rnn.kernels.recurrence import CELLS, arrange

MODULES = {"rnn": nn.RNN, "relu": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
ORACLES = {"rnn": "rnn-tanh", "relu": "rnn-relu", "gru": "gru", "lstm": "lstm"}
UNITS = {"each": 0, "last": 0, "mean": 4, "max": 4, "concat": 8, "attention": 6}


class Network:
    """One layer of 4 units over 3 inputs, a pooling and a head of 2 outputs, laid out for the kernel."""

    def __init__(self, cell="gru", pooling="last", dtype=np.float64, n_streams=1, seed=0):
        torch.manual_seed(seed)
        options = {"nonlinearity": "relu"} if cell == "relu" else {}
        module = MODULES[cell](3, 4, **options).double()
        self.cell, self.pooling = cell, pooling
        self.weights = {name: value.detach().numpy() for name, value in module.named_parameters()}
        self.w_head, self.b_head, self.w_project, self.b_project, self.score = (
            torch.randn(*shape, dtype=torch.float64).numpy()
            for shape in ((2, 12 if pooling == "concat" else 4), (2,), (4, 4), (4,), (4,))
        )
        n_gates = len(self.weights["weight_hh_l0"]) // 4
        arrays = [np.empty((n_gates, 4, 4), dtype), np.empty((n_gates, 4, 4), dtype), np.empty(4, dtype)]
        arrange(CELLS[cell], *(value.astype(dtype) for value in self.weights.values()), *arrays)
        self.narrow = np.concatenate([array.ravel() for array in arrays])
        parts = (self.w_head.T, self.b_head, self.w_project.T, self.b_project, self.score)
        self.wide = np.concatenate([part.ravel() for part in parts])
        sizes = [0, arrays[0].size, arrays[0].size + arrays[1].size]
        self.layers = np.array([[CELLS[cell], 3, 4, *sizes, 0, 4, stepping.NOTHING, stepping.NOTHING]])
        kind = stepping.POOLINGS[None if pooling == "each" else pooling]
        places = np.cumsum([0, *(part.size for part in parts[:-1])])
        self.head = np.array([kind, 2, *places])
        self.states = np.zeros((n_streams, 8 if cell == "lstm" else 4), dtype)
        self.sums = np.full((n_streams, UNITS[pooling]), np.nan)  # what they are before the first step is not read
        self.counts = np.zeros(n_streams, np.int64)
        self.outputs = np.zeros((n_streams, 2))

    def step(self, x, rows):
        parts = (self.layers, self.head, self.narrow, self.wide, self.states, self.sums, self.counts, self.outputs)
        return stepping.step(np.asarray(x, dtype=np.float64), np.asarray(rows), *parts)

    def expected(self, x):
        """The outputs after the last step of `x` (n_steps, 3)."""
        states = oracles.states(ORACLES[self.cell], x, self.weights)[0]
        if self.pooling == "attention":
            scores = np.tanh(states @ self.w_project.T + self.b_project) @ self.score
            weight = np.exp(scores - scores.max())
            pooled = weight @ states / weight.sum()
        else:
            three = {"last": states[-1], "mean": states.mean(0), "max": states.max(0)}
            three["concat"] = np.concatenate(list(three.values()))
            pooled = three.get(self.pooling, states[-1])
        return self.w_head @ pooled + self.b_head


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-13), (np.float32, 2e-6)])
@pytest.mark.parametrize("pooling", UNITS)
@pytest.mark.parametrize("cell", MODULES)
def test_every_prefix_has_the_outputs_of_the_equations(cell, pooling, dtype, tolerance, rng):
    network = Network(cell, pooling, dtype)
    x = rng.normal(size=(6, 3))
    for t in range(6):
        assert network.step(x[t : t + 1], [0]) == -1
        np.testing.assert_allclose(network.outputs[0], network.expected(x[: t + 1]), rtol=0, atol=tolerance)
    assert network.counts.tolist() == [6]


@pytest.mark.parametrize("pooling", ["mean", "attention"])
@pytest.mark.parametrize("cell", MODULES)
def test_streams_have_the_bits_that_they_have_alone(cell, pooling, rng):
    n = stepping.BLOCK // 4 + 3  # more than a block of them
    together = Network(cell, pooling, np.float32, n_streams=n)
    x = rng.normal(size=(2, n, 3))
    rows = rng.permutation(n)
    for step in x:
        together.step(step[rows], rows)
    for stream in (0, n // 2, n - 1):
        alone = Network(cell, pooling, np.float32)
        for step in x:
            alone.step(step[stream : stream + 1], [0])
        np.testing.assert_array_equal(alone.outputs[0], together.outputs[stream])
        np.testing.assert_array_equal(alone.states[0], together.states[stream])


@pytest.mark.parametrize(("value", "dtype"), [(np.nan, np.float64), (-np.inf, np.float64), (1e39, np.float32)])
def test_a_number_that_is_not_finite_is_found_and_changes_nothing(value, dtype, rng):
    network = Network("lstm", "mean", dtype, n_streams=3)
    x = rng.normal(size=(2, 3))
    network.step(x, [2, 0])
    before = [part.copy() for part in (network.states, network.sums, network.counts, network.outputs)]
    x[1, 1] = value
    assert network.step(x, [2, 0]) == 4
    after = (network.states, network.sums, network.counts, network.outputs)
    for was, now in zip(before, after, strict=True):
        np.testing.assert_array_equal(now, was)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_states_that_fade_end_at_zero(dtype):
    network = Network("relu", dtype=dtype)
    network.narrow[:] = 0
    network.narrow[16:32] = 0.5 * np.eye(4).ravel()  # the recurrent weights
    network.states[:] = 1
    for _ in range(80):
        network.step(np.zeros((1, 3)), [0])
    np.testing.assert_array_equal(network.states, 0.5**80)
    for _ in range(20):
        network.step(np.zeros((1, 3)), [0])
    np.testing.assert_array_equal(network.states, 0)


def test_attention_survives_scores_that_exponentials_do_not(rng):
    network = Network("gru", "attention")
    network.wide[30:34] *= 1e4
    network.score = network.wide[30:34]
    x = 3 * rng.normal(size=(8, 3))
    for t in range(8):
        network.step(x[t : t + 1], [0])
        np.testing.assert_allclose(network.outputs[0], network.expected(x[: t + 1]), rtol=1e-9)
