"""Hyperbolic tangent and logistic function of the kernels, against NumPy in higher precision."""

import numpy as np
import pytest

pytest.importorskip("numba")

from sklearn_rnn.kernels.activations import logistic, tanh
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


def test_only_kernels_call_them():
    with pytest.raises(TypeError, match=r"numpy\.tanh"):
        tanh(0.5)
    with pytest.raises(TypeError, match=r"scipy\.special\.expit"):
        logistic(0.5)
