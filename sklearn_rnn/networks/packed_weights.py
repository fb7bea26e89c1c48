"""The weights of a compiled stepper in the order in which the kernel that writes symbols reads them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

LARGEST_TABLE = 2**24
"""Numbers of a table of what symbols add to the gates of the first layer; above that it is a product at each step."""


class PackedWeights:
    """The weights of a network, laid out for :func:`sklearn_rnn.kernels.generation.generate`.

    Parameters
    ----------
    layers, head, narrow, wide : arrays
        As ``CompiledStepper.parts`` has them.
    vectors : array of shape (n_symbols, input_size)
        What the first layer reads of each symbol.
    n_token : int
        How many of these columns are the symbol's own.

    Attributes
    ----------
    table : array of shape (n_symbols, ...)
    layers, head, narrow, wide : arrays
    """

    def __init__(self, layers: Array, head: Array, narrow: Array, wide: Array, vectors: Array, n_token: int) -> None:
        from sklearn_rnn.kernels import generation, stepping
        from sklearn_rnn.kernels.products import linear
        from sklearn_rnn.kernels.recurrence import GRU, LSTM

        n_gates = {GRU: 3, LSTM: 4}
        self.layers = np.column_stack([layers, np.zeros(len(layers), np.int64)])
        self.head = head.copy()
        self.table = np.ascontiguousarray(vectors[:, :n_token], dtype=narrow.dtype)
        weights, others = Panels(narrow.dtype), Panels(wide.dtype)
        others.add(wide)
        for k, layer in enumerate(self.layers):
            G, H = n_gates.get(layer[stepping.CELL], 1), layer[stepping.UNITS]
            of_inputs = joined_gates(narrow, layer[stepping.W_INPUTS], G, layer[stepping.INPUTS] + 1, H)
            recurrent = joined_gates(narrow, layer[stepping.W_HIDDEN], G, H, H)
            candidate = narrow[layer[stepping.B_CANDIDATE] :][:H]
            small = len(vectors) * G * H <= LARGEST_TABLE
            if k == 0 and small and n_token == vectors.shape[1] and layer[stepping.SKIP] == stepping.NOTHING:
                table = np.empty((len(vectors), G * H), narrow.dtype)
                linear(self.table, np.ascontiguousarray(of_inputs[:-1]), np.ascontiguousarray(of_inputs[-1]), table)
                self.table = weights.padded(table)
                layer[stepping.W_INPUTS] = stepping.NOTHING
            else:
                layer[stepping.W_INPUTS] = weights.add_matrix(of_inputs[:-1])
                layer[generation.B_INPUTS] = weights.add(weights.padded(of_inputs[-1:]))
            layer[stepping.W_HIDDEN], layer[stepping.B_CANDIDATE] = (
                weights.add_matrix(recurrent),
                weights.add(candidate),
            )
        n_outputs, units = head[stepping.N_OUTPUTS], layers[-1, stepping.UNITS]
        w_head = wide[head[stepping.W_HEAD] :][: units * n_outputs].reshape(units, n_outputs)
        b_head = wide[head[stepping.B_HEAD] :][:n_outputs]
        self.head[stepping.W_HEAD], self.head[stepping.B_HEAD] = others.add_matrix(w_head), others.add(b_head)
        self.narrow, self.wide = weights.joined(), others.joined()


def joined_gates(numbers: Array, start: int, n_gates: int, n_terms: int, units: int) -> Array:
    """The matrices of the gates from `start` on, side by side, (n_terms, n_gates * units)."""
    matrices = numbers[start : start + n_gates * n_terms * units].reshape(n_gates, n_terms, units)
    return matrices.transpose(1, 0, 2).reshape(n_terms, n_gates * units)


class Panels:
    """Arrays that end as one, each from the start of a cache line on; matrices are cut into panels."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        from sklearn_rnn.kernels.products import LONG

        self._dtype = dtype
        self._width = LONG // dtype.itemsize
        self._parts: list[Array] = []
        self._size = 0

    def padded(self, rows: Array) -> Array:
        """`rows` (n, k) with zeros behind them, up to a whole number of panels."""
        return np.pad(rows, ((0, 0), (0, -rows.shape[1] % self._width)))

    def add(self, array: Array) -> int:
        """Where the array begins."""
        start = self._size
        self._parts.append(self.padded(array.reshape(1, -1)).reshape(-1))
        self._size += self._parts[-1].size
        return start

    def add_matrix(self, matrix: Array) -> int:
        """Where the first panel of `matrix` (n_terms, n_columns) begins."""
        padded = self.padded(matrix)
        return self.add(padded.reshape(len(padded), -1, self._width).transpose(1, 0, 2))

    def joined(self) -> Array:
        """All of them, (n,)."""
        room = np.empty(self._size + self._width, self._dtype)
        first = -room.ctypes.data % 64 // room.itemsize
        return np.concatenate([room[:0], *self._parts], out=room[first : first + self._size])
