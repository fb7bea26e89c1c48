"""Hyperbolic tangent and logistic function of the kernels, against NumPy in higher precision."""

import numpy as np
import pytest

pytest.importorskip("numba")

from sklearn_rnn.kernels.activations import logistic, tanh
from sklearn_rnn.kernels.cells import gru_step, lstm_step, rnn_step
from sklearn_rnn.kernels.compiling import kernel


@kernel
def tanh_of(x, out):
    for i in range(x.size):
        out[i] = tanh(x[i])


@kernel
def logistic_of(x, out):
    for i in range(x.size):
        out[i] = logistic(x[i])


def exact_logistic(x):
    return np.exp(-np.logaddexp(0, -x))


KERNELS = {"tanh": (tanh_of, np.tanh), "logistic": (logistic_of, exact_logistic)}


def numbers(dtype):
    small = 10.0 ** -np.linspace(0, 30, 301)
    return np.concatenate([np.linspace(-30, 30, 20001), small, -small]).astype(dtype)


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 3e-7), ("float64", 4e-16)])
def test_agrees_with_higher_precision(name, dtype, tolerance):
    compute, exact = KERNELS[name]
    x = numbers(dtype)
    out = np.empty_like(x)
    compute(x, out)
    wanted = exact(x.astype(np.longdouble))
    scale = np.maximum(np.abs(wanted), 1e-300) if name == "tanh" else 1
    assert np.max(np.abs(out - wanted) / scale) <= tolerance


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_infinite_and_missing_numbers(name, dtype):
    compute, _ = KERNELS[name]
    x = np.array([np.inf, -np.inf, 1e30, -1e30, np.nan], dtype)
    out = np.empty_like(x)
    compute(x, out)
    low = -1 if name == "tanh" else 0
    np.testing.assert_allclose(out, [1, low, 1, low, np.nan], atol=2e-7)


@kernel
def gru_of(x, out):
    """A step of sequences whose gates and state are the columns of `x` (8, n)."""
    out[:5] = x[3:8]
    gru_step(x[0], x[1], x[2], x[3], x[4], x[5], x[6], out[4], out[0], out[1], out[2], out[3])


@kernel
def lstm_of(x, out):
    out[:6] = x[3:9]
    lstm_step(x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7], out[0], out[1], out[2], out[3], out[4], out[5], out[6])


@kernel
def rnn_of(x, out):
    out[:1] = x[2:3]
    rnn_step(x[0], x[1], out[0])


STEPS = {"gru": (gru_of, 5), "lstm": (lstm_of, 7), "rnn": (rnn_of, 1)}


@pytest.mark.parametrize("cell", STEPS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_unit_is_the_same_alone_and_in_a_run_of_any_length(cell, dtype):
    """Whether it is computed in a vector, in which of its places, or in what remains after the last one."""
    compute, n_rows = STEPS[cell]
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(9, 150)) * 10.0 ** rng.uniform(-3, 1, (9, 150))).astype(dtype)

    def run(columns):
        out = np.zeros((n_rows, columns.shape[1]), dtype)
        compute(np.ascontiguousarray(columns), out)
        return out

    whole = run(x)
    for k in range(x.shape[1]):
        np.testing.assert_array_equal(run(x[:, k : k + 1]), whole[:, k : k + 1])
    for begin, end in ((1, 150), (3, 20), (7, 40), (10, 75), (64, 147)):
        np.testing.assert_array_equal(run(x[:, begin:end]), whole[:, begin:end])


def test_only_kernels_call_them():
    with pytest.raises(TypeError, match=r"numpy\.tanh"):
        tanh(0.5)
    with pytest.raises(TypeError, match=r"scipy\.special\.expit"):
        logistic(0.5)
