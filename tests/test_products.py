"""Products of matrices by kernels, against NumPy, and each row and column alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numba")

from numba import types
from numba.core.dispatcher import Dispatcher
from numba.core.errors import TypingError

from sklearn_rnn.kernels import products
from sklearn_rnn.kernels.compiling import kernel
from sklearn_rnn.kernels.products import (
    add_packed,
    add_product,
    linear,
    multiply,
    multiply_panels,
    pack,
    panel_shape,
)

every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
shapes = st.tuples(st.integers(1, 40), st.integers(1, 70), st.integers(1, 100))


@kernel
def in_order(a, b, out):
    multiply(a, b, out, True)


@kernel
def by_panels(a, panels, out):
    multiply_panels(a, panels, out)


@kernel
def fastest(a, b, out):
    multiply(a, b, out, False)


@kernel
def transposed(a, b, total):
    add_product(a, b, total)


@kernel
def packed(a, b, panels, out):
    pack(b, panels)
    add_packed(a, panels, out)


def draw(shape, dtype, seed):
    """Numbers of many sizes, so that a sum tells the order of its terms."""
    rng = np.random.default_rng(seed)
    return (rng.normal(size=shape) * 10.0 ** rng.uniform(-3, 3, shape)).astype(dtype)


def product(a, b, compute=in_order):
    out = np.full((len(a), b.shape[1]), np.nan, a.dtype)
    compute(a, b, out)
    return out


@every_dtype
@pytest.mark.parametrize("compute", [in_order, fastest])
@given(shape=shapes, seed=st.integers(0, 5))
@settings(deadline=None, max_examples=40)
def test_products_are_those_of_numpy(compute, dtype, shape, seed):
    m, k, n = shape
    a, b = draw((m, k), dtype, seed), draw((k, n), dtype, seed + 100)
    exact = a.astype(np.longdouble) @ b.astype(np.longdouble)
    bound = (k + 1) * np.finfo(dtype).eps * (np.abs(a).astype(np.longdouble) @ np.abs(b).astype(np.longdouble))
    assert np.all(np.abs(product(a, b, compute) - exact) <= bound)


@every_dtype
@pytest.mark.parametrize("shape", [(1, 520, 500), (9, 520, 500), (40, 300, 300), (700, 40, 40)])
def test_products_of_any_size_are_those_of_numpy(dtype, shape):
    m, k, n = shape
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(m, k)).astype(dtype), rng.normal(size=(k, n)).astype(dtype)
    exact = a.astype(float) @ b.astype(float)
    np.testing.assert_allclose(product(a, b, fastest), exact, rtol=0, atol=1000 * np.finfo(dtype).eps)


@every_dtype
@given(shape=shapes, seed=st.integers(0, 5), data=st.data())
@settings(deadline=None, max_examples=60)
def test_a_number_is_the_same_in_any_product(dtype, shape, seed, data):
    """Whichever rows are beside its row, and whichever columns beside its column."""
    m, k, n = shape
    a, b = draw((m, k), dtype, seed), draw((k, n), dtype, seed + 100)
    whole = product(a, b)
    rows = data.draw(st.lists(st.integers(0, m - 1), min_size=1, max_size=20), label="rows")
    columns = data.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=40), label="columns")
    np.testing.assert_array_equal(product(a[rows], b), whole[rows])
    np.testing.assert_array_equal(product(a, np.ascontiguousarray(b[:, columns])), whole[:, columns])
    np.testing.assert_array_equal(product(a[rows[:1]], b), whole[rows[:1]])


@every_dtype
@pytest.mark.parametrize("m", [1, 5, 6, 7, 13])
@pytest.mark.parametrize("n", [1, 3, 4, 7, 16, 21, 64, 70])
def test_terms_are_added_from_the_first_to_the_last(dtype, m, n):
    large = 2.0 ** (np.finfo(dtype).nmant + 2)  # to which 1 adds nothing
    terms = np.array([large, 1, -large, 1, 1, large, -large, 1], dtype)
    out = product(np.tile(terms, (m, 1)), np.ones((len(terms), n), dtype))
    np.testing.assert_array_equal(out, np.full((m, n), 1))


@every_dtype
@given(shape=shapes, biased=st.booleans())
@settings(deadline=None, max_examples=20)
def test_linear_map(dtype, shape, biased):
    m, k, n = shape
    x, weights, bias = draw((m, k), dtype, 0), draw((k, n), dtype, 1), draw((n if biased else 0,), dtype, 2)
    out = np.full((m, n), np.nan, dtype)
    linear(x, weights, bias, out)
    np.testing.assert_array_equal(out, product(x, weights) + (bias if biased else 0))


@every_dtype
@pytest.mark.parametrize("shape", [(5, 3, 4), (2000, 40, 30), (300, 120, 130)])
def test_transposed_products_are_added(dtype, shape):
    k, m, n = shape
    rng = np.random.default_rng(0)
    a, b, before = (rng.normal(size=size).astype(dtype) for size in ((k, m), (k, n), (m, n)))
    total = before.copy()
    transposed(a, b, total)
    tolerance = 100 * k**0.5 * np.finfo(dtype).eps
    np.testing.assert_allclose(total, before + a.T.astype(float) @ b.astype(float), rtol=0, atol=tolerance)


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from([np.float32, np.float64]),
    st.integers(0, 20),
    st.integers(0, 20),
    st.integers(1, 70),
    st.integers(0, 9),
)
def test_packed_products_are_those_in_order(dtype, m, k, n, seed):
    a, b = draw((m, k), dtype, seed), draw((k, n), dtype, seed + 1)
    panels = np.full(panel_shape(k, n, b.itemsize), np.nan, dtype)
    out, wanted = np.zeros((m, n), dtype), np.zeros((m, n), dtype)
    packed(a, b, panels, out)
    if k:
        in_order(a, b, wanted)
    np.testing.assert_array_equal(out, wanted)


@pytest.mark.filterwarnings("ignore:.* is faster on contiguous arrays")  # what numba says of BLAS
def test_arrays_that_are_not_contiguous_are_refused():
    a, b = np.ones((8, 6)), np.ones((6, 8))
    with pytest.raises(TypingError, match="contiguous"):
        in_order(a[:, ::2], b[:3], np.empty((8, 8)))


def test_no_function_takes_a_function():
    """In the cache such a one has the same name for each function that it takes: a process would call the wrong one."""
    multiply(np.ones((8, 4)), np.ones((4, 40)), np.empty((8, 40)), True)
    compiled = [x for x in vars(products).values() if isinstance(x, Dispatcher)]
    taken = [argument for x in compiled for signature in x.nopython_signatures for argument in signature.args]
    assert taken
    assert not [argument for argument in taken if isinstance(argument, types.Callable)]


@every_dtype
@settings(deadline=None, max_examples=40)
@given(shapes, st.integers(0, 2**16))
def test_panels_have_the_bits_of_a_product_in_order(dtype, shape, seed):
    m, k, n = shape
    a, b = draw((m, k), dtype, seed), draw((k, n), dtype, seed + 1)
    width = products.LONG // b.itemsize
    padded = np.pad(b, ((0, 0), (0, -n % width)))
    panels = np.ascontiguousarray(padded.reshape(k, -1, width).transpose(1, 0, 2))
    found, wanted = np.empty((m, padded.shape[1]), dtype), np.empty((m, n), dtype)
    by_panels(a, panels, found)
    in_order(a, b, wanted)
    np.testing.assert_array_equal(found[:, :n], wanted)
    assert not found[:, n:].any()
