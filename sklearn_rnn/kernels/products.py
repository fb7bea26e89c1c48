"""Matrix products whose numbers do not depend on the shape of the product.

A library such as OpenBLAS adds the terms of a number in an order that depends on how many rows there are, and on where
a row lies among them: in float32 the same row gets another seventh digit in another matrix. Here each number is the sum
of its terms from the first to the last, one after the other, so that a row gets the same bits wherever it is.

The sums of a tile, some rows of a few columns, stay in registers while terms are added to them. A compiler makes no
such tiles of plain loops, which load and store each sum for every few terms and reach a sixth of the speed: the
operations on vectors are therefore written down one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core.cgutils import alloca_once, for_range, unpack_tuple
from numba.core.errors import TypingError
from numba.extending import intrinsic

from sklearn_rnn.kernels.compiling import inlined, kernel

ROWS = 6
"""Rows of a tile: enough independent sums to keep the arithmetic busy, few enough for sixteen registers of 32 bytes."""

WIDE, NARROW, LONG = 64, 16, 256
"""Bytes of a row of a tile: as a rule, where there are few columns, and in a tile of one row where there are many."""

SMALL_PRODUCT = 10**6
"""Multiplications up to which OpenBLAS multiplies matrices as they lie, where the CPU has AVX-512, rather than copying
them into another order first. Products are cut to this size: at 64 units that makes them 1.4 times as fast."""

FUSED = ("contract",)
"""What the compiler may do to the numbers of a tile: one instruction for a product and the sum that it goes into."""


def _make_tile(n_rows: int, n_bytes: int) -> Any:
    """A function ``tile(a, b, out, i, j)`` that computes ``out = a @ b``, contiguous, from row i and column j on."""

    @intrinsic
    def tile(typing: Any, a: Any, b: Any, out: Any, i: Any, j: Any) -> tuple[Any, Callable[..., Any]]:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            left, right, target = (
                context.make_array(kind)(context, builder, value)
                for kind, value in zip(signature.args[:3], args[:3], strict=True)
            )
            n_terms, width = unpack_tuple(builder, right.shape, 2)
            i, j = args[3:]
            number, index = context.get_data_type(a.dtype), n_terms.type
            alignment = context.get_abi_sizeof(number)
            n_columns = max(1, n_bytes // alignment)
            vector = ir.VectorType(number, n_columns)
            undefined = ir.Constant(vector, ir.Undefined)
            first_lane = ir.Constant(ir.VectorType(ir.IntType(32), n_columns), [0] * n_columns)

            def place(array: Any, row: Any, length: Any, column: Any) -> Any:
                return builder.gep(array.data, [builder.add(builder.mul(row, length), column)])

            def as_vector(pointer: Any) -> Any:
                return builder.bitcast(pointer, vector.as_pointer())

            rows = [builder.add(i, index(r)) for r in range(n_rows)]
            sums = [alloca_once(builder, vector) for _ in rows]
            for total in sums:
                builder.store(ir.Constant(vector, [0.0] * n_columns), total)
            with for_range(builder, n_terms) as loop:
                factors = builder.load(as_vector(place(right, loop.index, width, j)), align=alignment)
                for row, total in zip(rows, sums, strict=True):
                    factor = builder.load(place(left, row, n_terms, loop.index))
                    first = builder.insert_element(undefined, factor, ir.IntType(32)(0))
                    product = builder.fmul(builder.shuffle_vector(first, undefined, first_lane), factors, flags=FUSED)
                    builder.store(builder.fadd(product, builder.load(total), flags=FUSED), total)
            for row, total in zip(rows, sums, strict=True):
                builder.store(builder.load(total), as_vector(place(target, row, width, j)), align=alignment)
            return context.get_dummy_value()

        if not a.layout == b.layout == out.layout == "C":
            raise TypingError(f"arrays that are contiguous are wanted, not {a}, {b} and {out}")
        return types.void(a, b, out, types.intp, types.intp), generate

    return tile


_tile, _narrow_tile = _make_tile(ROWS, WIDE), _make_tile(ROWS, NARROW)
_long_row, _row, _number = _make_tile(1, LONG), _make_tile(1, WIDE), _make_tile(1, 0)


@inlined
def _in_tiles(tile, rows, columns, a, b, out):
    """Compute `out` by tiles of that size. The last ones begin early enough to be whole."""
    m, n = out.shape
    for j in range(0, n, columns):
        for i in range(0, m, rows):
            tile(a, b, out, min(i, m - rows), min(j, n - columns))


@inlined
def multiply(a, b, out, in_order):
    """Put the product of `a` (m, k) and `b` (k, n) into `out` (m, n).

    With `in_order` each number is summed from its first term to its last. Otherwise what is fastest does it: BLAS, a
    few rows at a time, unless `b` is so large that not even four rows make a small product.
    """
    m, n = out.shape
    rows = SMALL_PRODUCT // b.size // 4 * 4
    if not in_order and rows >= m:
        np.dot(a, b, out)
        return
    if not in_order and rows >= 4:
        for i in range(0, m, rows):
            np.dot(a[i : i + rows], b, out[i : i + rows])
        return
    wide, narrow, long = WIDE // out.itemsize, NARROW // out.itemsize, LONG // out.itemsize
    if m >= ROWS and n >= wide:
        _in_tiles(_tile, ROWS, wide, a, b, out)
    elif m >= ROWS and n >= narrow:
        _in_tiles(_narrow_tile, ROWS, narrow, a, b, out)
    elif n >= long:
        _in_tiles(_long_row, 1, long, a, b, out)
    elif n >= wide:
        _in_tiles(_row, 1, wide, a, b, out)
    else:
        _in_tiles(_number, 1, 1, a, b, out)


@kernel
def linear(x, weights, bias, out):
    """Put ``x @ weights + bias`` into `out`, the same numbers for a row of `x` wherever it is.

    Parameters
    ----------
    x, weights : arrays (m, k), (k, n)
    bias : array (n,) or (0,)
    out : array (m, n)
    """
    multiply(x, weights, out, True)
    if bias.size:
        for i in range(out.shape[0]):
            for j in range(out.shape[1]):
                out[i, j] += bias[j]


@inlined
def add_product(a, b, part, total):
    """Add the product of the transposed `a` (k, m) and `b` (k, n) to `total` (m, n); `part` is room for it."""
    k = a.shape[0]
    rows = SMALL_PRODUCT // total.size
    if rows < 64 or rows >= k:
        rows = k
    for i in range(0, k, rows):
        np.dot(a[i : i + rows].T, b[i : i + rows], part)
        source, target = part.reshape(-1), total.reshape(-1)
        for j in range(target.size):
            target[j] += source[j]
