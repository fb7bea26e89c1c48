"""Matrix products whose numbers do not depend on the shape of the product.

A library such as OpenBLAS adds the terms of a number in an order that depends on how many rows there are, and on where
a row lies among them: in float32 the same row gets another seventh digit in another matrix. Here each number is the sum
of its terms from the first to the last, one after the other, so that a row gets the same bits wherever it is.

The sums of a tile, some rows of a few columns, stay in registers while terms are added to them. A compiler makes no
such tiles of plain loops, which load and store each sum for every few terms and reached a third of the speed at most:
the operations on vectors are therefore written down one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from llvmlite.binding import get_host_cpu_features
from numba import types
from numba.core.cgutils import alloca_once, for_range, unpack_tuple
from numba.core.errors import TypingError
from numba.extending import intrinsic

from sklearn_rnn.kernels.compiling import inlined, kernel
from sklearn_rnn.kernels.rows import add

ROWS = 6
"""Rows of a tile: enough independent sums to keep the arithmetic busy, few enough for sixteen registers of 32 bytes."""

WIDE, NARROW, LONG = 64, 16, 256
"""Bytes of a row of a tile: as a rule, where there are few columns, and in a tile of one row where there are many."""

LARGE_REGISTERS = bool(get_host_cpu_features().get("avx512f"))
"""Whether there are 32 registers of 64 bytes, which hold a tile of six rows of four."""

SMALL_PRODUCT = 10**6
"""Multiplications up to which OpenBLAS multiplies matrices as they lie, where the CPU has AVX-512, rather than copying
them into another order first. Products are cut to this size: at 64 units that makes them 1.4 times as fast."""

FUSED = ("contract",)
"""What the compiler may do to the numbers of a tile: one instruction for a product and the sum that it goes into."""


def _make_product(n_rows: int, n_bytes: int) -> Any:
    """A function ``product(a, b, out)`` that puts ``a @ b`` into `out` by tiles of that size; `out` is not smaller.

    `b` is a matrix, or its columns in panels, (n_panels, k, columns).

    The last tiles begin early enough to be whole. All loops are written here, as part of whatever calls the function: a
    compiled function that took the tile as an argument would have the same name in the cache for each size of it.
    """

    @intrinsic
    def product(typing: Any, a: Any, b: Any, out: Any) -> tuple[Any, Callable[..., Any]]:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            left, right, target = (
                context.make_array(kind)(context, builder, value)
                for kind, value in zip(signature.args, args, strict=True)
            )
            height, width = unpack_tuple(builder, target.shape, 2)
            *panels, n_terms, panel_width = unpack_tuple(builder, right.shape)
            number, index = context.get_data_type(a.dtype), n_terms.type
            alignment = context.get_abi_sizeof(number)
            n_columns = max(1, n_bytes // alignment)
            vector = ir.VectorType(number, n_columns)
            undefined = ir.Constant(vector, ir.Undefined)
            first_lane = ir.Constant(ir.VectorType(ir.IntType(32), n_columns), [0] * n_columns)
            sums = [alloca_once(builder, vector) for _ in range(n_rows)]

            def place(array: Any, row: Any, length: Any, column: Any) -> Any:
                return builder.gep(array.data, [builder.add(builder.mul(row, length), column)])

            def as_vector(pointer: Any) -> Any:
                return builder.bitcast(pointer, vector.as_pointer())

            def tiles(length: Any, size: int) -> Any:
                return builder.sdiv(builder.add(length, index(size - 1)), index(size))

            def start(k: Any, length: Any, size: int) -> Any:
                wanted, last = builder.mul(k, index(size)), builder.sub(length, index(size))
                return builder.select(builder.icmp_signed("<", wanted, last), wanted, last)

            def fill(i: Any, first_term: Any, j: Any, column: Any) -> None:
                rows = [builder.add(i, index(r)) for r in range(n_rows)]
                for total in sums:
                    builder.store(ir.Constant(vector, [0.0] * n_columns), total)
                with for_range(builder, n_terms) as loop:
                    term = builder.add(first_term, loop.index)
                    factors = builder.load(as_vector(place(right, term, panel_width, j)), align=alignment)
                    for row, total in zip(rows, sums, strict=True):
                        factor = builder.load(place(left, row, n_terms, loop.index))
                        first = builder.insert_element(undefined, factor, ir.IntType(32)(0))
                        product = builder.fmul(
                            builder.shuffle_vector(first, undefined, first_lane), factors, flags=FUSED
                        )
                        builder.store(builder.fadd(product, builder.load(total), flags=FUSED), total)
                for row, total in zip(rows, sums, strict=True):
                    builder.store(builder.load(total), as_vector(place(target, row, width, column)), align=alignment)

            with for_range(builder, panels[0] if panels else index(1)) as panel:
                first_term, first_column = builder.mul(panel.index, n_terms), builder.mul(panel.index, panel_width)
                with for_range(builder, tiles(panel_width, n_columns)) as across:
                    j = start(across.index, panel_width, n_columns)
                    with for_range(builder, tiles(height, n_rows)) as down:
                        fill(start(down.index, height, n_rows), first_term, j, builder.add(first_column, j))
            return context.get_dummy_value()

        if not a.layout == b.layout == out.layout == "C":
            raise TypingError(f"arrays that are contiguous are wanted, not {a}, {b} and {out}")
        return types.void(a, b, out), generate

    return product


_by_tiles, _by_narrow_tiles = _make_product(ROWS, WIDE), _make_product(ROWS, NARROW)
_by_long_rows, _by_rows, _by_numbers = _make_product(1, LONG), _make_product(1, WIDE), _make_product(1, 0)
_by_large_tiles = _make_product(ROWS, LONG if LARGE_REGISTERS else WIDE)
_by_low_tiles = _make_product(2, LONG // 2)


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
        _by_tiles(a, b, out)
    elif m >= ROWS and n >= narrow:
        _by_narrow_tiles(a, b, out)
    elif n >= long:
        _by_long_rows(a, b, out)
    elif n >= wide:
        _by_rows(a, b, out)
    else:
        _by_numbers(a, b, out)


@inlined
def multiply_panels(a, panels, out):
    """Put the product of `a` (m, k) and a matrix into `out` (m, n), each number summed from its first term to its last.

    `panels` (n_panels, k, LONG bytes) hold the matrix, as many columns in each as fit in, then zeros: all numbers lie
    in the order in which they are read, which is what a product with one row takes its time for.
    """
    m = a.shape[0]
    if m >= ROWS:
        _by_large_tiles(a, panels, out)
    elif m > 1:
        _by_low_tiles(a, panels, out)
    else:
        _by_long_rows(a, panels, out)


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
            add(bias, out[i])


@inlined
def add_product(a, b, part, total):
    """Add the product of the transposed `a` (k, m) and `b` (k, n) to `total` (m, n); `part` is room for it."""
    k = a.shape[0]
    rows = SMALL_PRODUCT // total.size
    if rows < 64 or rows >= k:
        rows = k
    for i in range(0, k, rows):
        np.dot(a[i : i + rows].T, b[i : i + rows], part)
        add(part.reshape(-1), total.reshape(-1))
