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
from llvmlite import binding, ir
from numba import types
from numba.core.cgutils import alloca_once, for_range, for_range_slice, unpack_tuple
from numba.core.errors import TypingError
from numba.extending import intrinsic

from sklearn_rnn.kernels.compiling import inlined, kernel
from sklearn_rnn.kernels.rows import add, put

ROWS = 6
"""Rows of a tile: enough independent sums to keep the arithmetic busy, few enough for sixteen registers of 32 bytes."""

WIDE, NARROW, LONG = 64, 16, 256
"""Bytes of a row of a tile: as a rule, where there are few columns, and in a tile of one row where there are many."""

LARGE_REGISTERS = bool(binding.get_host_cpu_features().get("avx512f"))
"""Whether there are 32 registers of 64 bytes, which hold a tile of six rows of four."""

SMALL_PRODUCT = 10**6
"""Multiplications up to which OpenBLAS multiplies matrices as they lie, where the CPU has AVX-512, rather than copying
them into another order first. Products are cut to this size: at 64 units that makes them 1.4 times as fast."""

PANEL = 128 if LARGE_REGISTERS else 64
"""Bytes of a row of a panel, and of a tile that sums are added to: with 8 rows what thirty-two registers hold, or
sixteen that are half as long."""

PANEL_ROWS = (8, 4, 1) if PANEL == 128 else (6, 3, 1)
"""Rows of such tiles: of as many as fit, and of what remains."""

TERMS = 256
"""Terms that are added to a tile at a time: what lies beside it in the fastest cache."""

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


def _make_sums(*, transposed: bool) -> Any:
    """A function ``add(a, b, out)`` that adds products to `out` (m, n), by tiles that cover it without overlap.

    The products are ``a @ b`` of `a` (m, k) and panels `b` (n_panels, k, columns of a panel) that :func:`pack` has
    filled, or if `transposed` ``a.T @ b`` of plain `a` (k, m) and `b` (k, n).
    """

    @intrinsic
    def add_sums(typing: Any, a: Any, b: Any, out: Any) -> tuple[Any, Callable[..., Any]]:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            left, right, target = (
                context.make_array(kind)(context, builder, value)
                for kind, value in zip(signature.args, args, strict=True)
            )
            height, width = unpack_tuple(builder, target.shape, 2)
            left_rows, left_width = unpack_tuple(builder, left.shape, 2)
            n_terms = left_rows if transposed else left_width
            number, index = context.get_data_type(a.dtype), n_terms.type
            alignment = context.get_abi_sizeof(number)
            panel = index(PANEL // alignment)
            lanes = ir.IntType(32)

            def place(array: Any, row: Any, length: Any, column: Any) -> Any:
                return builder.gep(array.data, [builder.add(builder.mul(row, length), column)])

            def factors_of(k: Any, j: Any) -> Any:
                if transposed:
                    return place(right, k, width, j)
                before = builder.mul(builder.sdiv(j, panel), n_terms)  # rows of the panels before that of column j
                return place(right, builder.add(before, k), panel, builder.srem(j, panel))

            def fill(i: Any, j: Any, n_rows: int, n_columns: int) -> None:
                vector = ir.VectorType(number, n_columns)
                undefined = ir.Constant(vector, ir.Undefined)
                first_lane = ir.Constant(ir.VectorType(lanes, n_columns), [0] * n_columns)
                rows = [builder.add(i, index(r)) for r in range(n_rows)]

                def as_vector(pointer: Any) -> Any:
                    return builder.bitcast(pointer, vector.as_pointer())

                places = [as_vector(place(target, row, width, j)) for row in rows]
                sums = [alloca_once(builder, vector) for _ in rows]
                for total, begin in zip(sums, places, strict=True):
                    builder.store(builder.load(begin, align=alignment), total)
                with for_range(builder, n_terms) as loop:
                    factors = builder.load(as_vector(factors_of(loop.index, j)), align=alignment)
                    for row, total in zip(rows, sums, strict=True):
                        where = (loop.index, height, row) if transposed else (row, n_terms, loop.index)
                        first = builder.insert_element(undefined, builder.load(place(left, *where)), lanes(0))
                        product = builder.fmul(
                            builder.shuffle_vector(first, undefined, first_lane), factors, flags=FUSED
                        )
                        builder.store(builder.fadd(product, builder.load(total), flags=FUSED), total)
                for total, end in zip(sums, places, strict=True):
                    builder.store(builder.load(total), end, align=alignment)

            def cover(length: Any, sizes: Any, work: Callable[[Any, int], None]) -> None:
                begin = index(0)
                for size in sizes:
                    end = builder.mul(builder.sdiv(length, index(size)), index(size))
                    with for_range_slice(builder, begin, end, index(size)) as (start, _):
                        work(start, size)
                    begin = end

            columns = [max(1, n_bytes // alignment) for n_bytes in (PANEL, 32, 1)]
            cover(
                width,
                columns,
                lambda j, n_columns: cover(height, PANEL_ROWS, lambda i, n_rows: fill(i, j, n_rows, n_columns)),
            )
            return context.get_dummy_value()

        if not a.layout == b.layout == out.layout == "C":
            raise TypingError(f"arrays that are contiguous are wanted, not {a}, {b} and {out}")
        return types.void(a, b, out), generate

    return add_sums


_add_of_panels, _add_transposed = _make_sums(transposed=False), _make_sums(transposed=True)
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
def add_product(a, b, total):
    """Add the product of the transposed `a` (k, m) and `b` (k, n) to `total` (m, n)."""
    for k in range(0, a.shape[0], TERMS):
        _add_transposed(a[k : k + TERMS], b[k : k + TERMS], total)


def panel_shape(n_terms: int, n_columns: int, itemsize: int) -> tuple[int, int, int]:
    """The shape of the panels of a matrix (n_terms, n_columns)."""
    width = PANEL // itemsize
    return -(-n_columns // width), n_terms, width


@inlined
def pack(b, panels):
    """Put `b` (k, n) into `panels` (n_panels, k, columns of a panel), in which the rows of a panel follow each other.

    What the last panel has beyond the last column may be anything.
    """
    for j in range(0, b.shape[1], panels.shape[2]):
        panel = panels[j // panels.shape[2]]
        width = min(panels.shape[2], b.shape[1] - j)
        for k in range(b.shape[0]):
            put(b[k, j : j + width], panel[k, :width])


@inlined
def add_packed(a, panels, out):
    """Add the product of `a` (m, k) and `panels` to `out` (m, n), from the first term of a number to its last."""
    _add_of_panels(a, panels, out)
