"""Recurrences by the kernels of this package, as functions that torch can differentiate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

from sklearn_rnn.networks.cells import Weights
from sklearn_rnn.networks.engines import current_engine
from sklearn_rnn.networks.packing import Packing
from sklearn_rnn.networks.state import Parts

Array = NDArray[Any]

CHUNK = 2**18
"""Numbers in the buffers of a kernel: what a core's cache holds of inputs, gates and states of some steps."""

LEAST_ROOM = 256
"""Rows of those buffers that there are at least: each chunk of them reads and writes the gradients of all weights."""

PART = 3_000_000
"""Multiplications and additions of a part of the batch: about 0.1 ms, some times what it takes to wake a thread."""

SEQUENCES = 16
"""Least number of sequences of a part."""

N_WEIGHTS = 4
PACKED = np.empty(0, np.int64)

MOST_UNITS = 512
"""Units of a layer up to which the kernels of all cells were about as fast as torch or faster, for one sequence and for
many, in training and in prediction, by ``benchmarks/engines.py``."""


@dataclass(frozen=True)
class Recurrence:
    """What is to be computed, beside the numbers.

    Attributes
    ----------
    cell : {"rnn", "relu", "gru", "lstm"}
    packing : Packing
    masks : tuple of Tensor
        One for each direction, (batch, hidden) in the order of the packing, which multiplies the hidden state on its
        way to the next step; empty for none.
    places : array of int64, shape (n_rows,) or (0,)
        The row of the inputs that each packed row is; by default they are packed too.
    shared : bool
        Whether many packed rows are one row of the inputs. Each of those is then projected once.
    """

    cell: str
    packing: Packing
    masks: tuple[Tensor, ...] = ()
    places: NDArray[np.int64] = field(default_factory=lambda: PACKED)
    shared: bool = False


def run(
    recurrence: Recurrence, x: Tensor, weights: Sequence[Tensor], initial: Parts = (), *, last: bool = True
) -> tuple[Tensor, Parts]:
    """Hidden states of all directions.

    Parameters
    ----------
    recurrence : Recurrence
    x : tensor of shape (n_rows, input_size), or with places any number of rows
        float32 or float64, on the CPU.
    weights : sequence of tensors
        ``w_ih, w_hh, b_ih, b_hh`` of each direction, as torch lays them out.
    initial : tuple of tensors of shape (n_directions, batch, hidden)
        The hidden state before the first step, and of an LSTM the cell state, in the order of the packing; zero by
        default.
    last : bool
        Whether the last states are wanted.

    Returns
    -------
    hidden : tensor of shape (n_rows, n_directions * hidden)
    last : tuple of tensors of shape (n_directions, batch, hidden)
        The states after each sequence's last step, as `initial` has those before the first; empty if not wanted.
    """
    h0, c0 = (*initial, None, None)[:2]
    if not last:
        return _Run.apply(recurrence, last, x, h0, c0, *weights), ()
    hidden, *ends = _Run.apply(recurrence, last, x, h0, c0, *weights)
    return hidden, tuple(ends)


def is_faster(hidden_size: int) -> bool:
    """Whether the kernels take less time than torch, as measured."""
    return hidden_size <= MOST_UNITS


def weights_of(direction: Weights) -> list[Tensor]:
    """Weights and biases of a layer's direction, in the order in which the kernels take them."""
    return [direction.weight_ih_l0, direction.weight_hh_l0, direction.bias_ih_l0, direction.bias_hh_l0]


class ForwardPass:
    """Hidden states of all directions, and what the backward pass needs of their computation.

    Parameters
    ----------
    recurrence : Recurrence
    inputs : array of shape (n_rows, input_size), or with places any number of rows
    weights : list of lists of arrays
        Those of each direction, as :func:`weights_of` orders them.
    h0, c0 : arrays of shape (n_directions, batch, hidden), or None for zeros
    keeping : bool
        Whether there will be a backward pass. If not, the states of a sequence are the same to the last bit whatever is
        beside it.

    Attributes
    ----------
    states : array of shape (n_rows, n_directions * hidden)
    last : tuple of arrays of shape (n_directions, batch, hidden)
        The hidden states after each sequence's last step, and of an LSTM the cell states.
    """

    def __init__(
        self,
        recurrence: Recurrence,
        inputs: Array,
        weights: list[list[Array]],
        h0: Array | None = None,
        c0: Array | None = None,
        *,
        keeping: bool,
    ) -> None:
        from sklearn_rnn.kernels.projection import LARGE, project
        from sklearn_rnn.kernels.recurrence import CELLS, LSTM, N_SAVED, forward

        packing, dtype, hidden = recurrence.packing, inputs.dtype, weights[0][1].shape[1]
        self.recurrence, self.weights = recurrence, weights
        self.cell = cell = CELLS[recurrence.cell]
        self.inputs, shared = inputs, recurrence.shared
        self.states = current_engine().borrow((packing.n_rows, len(weights) * hidden), dtype)
        self.columns = [(self.states, direction * hidden) for direction in range(len(weights))]
        shape = (N_SAVED[cell] if keeping else 0, packing.n_rows, hidden)
        self.saved = [current_engine().borrow(shape, dtype) for _ in weights]
        shape = (len(weights), packing.n_sequences, hidden)
        h = np.zeros(shape, dtype) if h0 is None else h0.copy()
        c = h if cell != LSTM else np.zeros(shape, dtype) if c0 is None else c0.copy()
        self.first, self.last = (h0, c0), (h, c) if cell == LSTM else (h,)
        self.masks = [mask.numpy() for mask in recurrence.masks] or [np.empty((0, 0), dtype)] * len(weights)
        self.room = room = max(LEAST_ROOM, CHUNK // (7 * hidden + inputs.shape[1]))
        arranged = [_arranged(cell, *four) for four in weights]
        packed = [
            (_in_panels(w_x, w_x[0].size > LARGE), _in_panels(w_h, w_h[0].size > LARGE)) for w_x, w_h, _ in arranged
        ]
        shape = (len(arranged[0][0]), len(inputs), hidden) if shared else (0, 0, 0)
        tables = [np.empty(shape, dtype) for _ in weights]
        if shared:
            for (of_inputs, *_), (panels, _), table in zip(arranged, packed, tables, strict=True):
                project(inputs, of_inputs, panels, table, not keeping)
        x = np.empty((0, 0), dtype) if shared else inputs
        self.batches = batches = [(x, table, recurrence.places, packing.offsets) for table in tables]

        def compute(direction: int, *span: int) -> None:
            forward(
                *(cell, batches[direction], span, (*arranged[direction], *packed[direction])),
                *((h[direction], c[direction]), self.masks[direction], direction == 1, room),
                *(self.columns[direction], self.saved[direction], not keeping),
            )

        work = packing.n_rows * ((0 if shared else inputs.shape[1]) + hidden) * len(weights[0][1])
        self.parts, self.small = _parts(packing, len(weights), work), work < PART
        current_engine().share(compute, self.parts, small=self.small)

    def gradients(
        self, dstates: Array, dh: Array | None = None, dc: Array | None = None, *, of_inputs: bool
    ) -> Gradients:
        """The gradients of all that the states were computed from, given those of the states and of the last ones."""
        from sklearn_rnn.kernels.recurrence import backward

        weights, inputs, shared = self.weights, self.inputs, self.recurrence.shared
        make = np.empty if shared or len(inputs) == self.recurrence.packing.n_rows else np.zeros  # some may be padding
        dx = [make(inputs.shape if of_inputs else (0, 0), inputs.dtype) for _ in weights]
        by_gate = [[w.reshape(-1, w_h.shape[1], w.shape[1]) for w in (w_h, w_x)] for w_x, w_h, *_ in weights]
        packed = [(_in_panels(w_h), _in_panels(w_x, of_inputs and not shared)) for w_h, w_x in by_gate]
        nothing, (h0, c0) = np.zeros(self.last[0].shape, inputs.dtype), self.first
        h0 = nothing if h0 is None else h0
        c0 = nothing if c0 is None else c0
        dh0 = nothing.copy() if dh is None else dh.copy()
        dc0 = dh0 if len(self.last) == 1 else nothing.copy() if dc is None else dc.copy()
        of_parts: dict[tuple[int, int], list[Array]] = {}
        none = np.empty((0, 0), inputs.dtype)

        def compute(direction: int, *span: int) -> None:
            of_weights = [current_engine().borrow(weight.shape, weight.dtype) for weight in weights[direction]]
            if shared:  # what comes from a table is added up elsewhere
                of_weights[0][:] = of_weights[2][:] = of_weights[3][:] = 0
            dtable = np.zeros_like(self.batches[direction][1])
            backward(
                *(self.cell, self.batches[direction], span, packed[direction]),
                *((h0[direction], c0[direction]), self.masks[direction], direction == 1, self.room),
                *(self.columns[direction], self.saved[direction]),
                *((dstates, dh0[direction], dc0[direction]), tuple(of_weights)),
                *(none if shared else dx[direction], dtable),
            )
            of_parts[direction, span[0]] = [*of_weights, dtable]

        current_engine().share(compute, self.parts, small=self.small)
        sums: list[Array] = []
        for direction in range(len(weights)):
            totals, *others = (of_parts[d, begin] for d, begin, _ in self.parts if d == direction)
            for total, *rest in zip(totals, *others, strict=True):
                for part in rest:
                    total += part
            *of_weights, dtable = totals
            if shared:
                self._project_back(direction, dtable, of_weights, dx[direction])
            sums += of_weights
        for of_direction in dx[1:]:
            dx[0] += of_direction
        return Gradients(dx[0] if of_inputs else None, dh0, dc0, sums)

    def _project_back(self, direction: int, dtable: Array, of_weights: list[Array], dx: Array) -> None:
        """Put what comes back through the table of projected inputs into the gradients of weights and inputs."""
        from sklearn_rnn.kernels.projection import project_back
        from sklearn_rnn.kernels.recurrence import GRU

        dw_x, _, *biases = of_weights
        kept = 2 if self.cell == GRU else -1
        project_back(self.inputs, self.weights[direction][0], dtable, kept, (dw_x, *biases), dx)


class Gradients(NamedTuple):
    """Gradients of inputs, if asked for, of both first states, and of the weights of one direction after the other."""

    inputs: Array | None
    h0: Array
    c0: Array
    weights: list[Array]


class _Run(torch.autograd.Function):
    """:func:`run`."""

    @staticmethod
    def forward(
        ctx: Any, recurrence: Recurrence, last: bool, x: Tensor, h0: Tensor | None, c0: Tensor | None, *weights: Tensor
    ) -> Any:
        keeping = any(ctx.needs_input_grad)
        plain = [_plain(weight) for weight in weights]
        directions = [plain[k : k + N_WEIGHTS] for k in range(0, len(plain), N_WEIGHTS)]
        initial = [None if state is None else _plain(state) for state in (h0, c0)]
        done = ForwardPass(recurrence, _plain(x), directions, *initial, keeping=keeping)
        out = torch.from_numpy(done.states)
        if keeping:
            ctx.done, ctx.given = done, (h0 is not None, c0 is not None)
            ctx.save_for_backward(x, out, *weights)
            ctx.set_materialize_grads(False)
        return (out, *(torch.from_numpy(state) for state in done.last)) if last else out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dout: Tensor | None, *dlast: Tensor | None) -> tuple[Any, ...]:
        _ = ctx.saved_tensors  # torch looks whether any was written to since
        dstates = np.zeros_like(ctx.done.states) if dout is None else _plain(dout)
        of_last = [None if part is None else _plain(part) for part in dlast]
        found = ctx.done.gradients(dstates, *of_last, of_inputs=ctx.needs_input_grad[2])
        initial = zip((found.h0, found.c0), ctx.given, strict=True)
        of_states = [torch.from_numpy(state) if is_given else None for state, is_given in initial]
        of_inputs = None if found.inputs is None else torch.from_numpy(found.inputs)
        return None, None, of_inputs, *of_states, *(torch.from_numpy(weight) for weight in found.weights)


def _plain(x: Tensor) -> Array:
    """The numbers of `x` as an array."""
    return x.detach().contiguous().numpy()


def _arranged(cell: int, w_x: Array, w_h: Array, b_x: Array, b_h: Array) -> tuple[Array, ...]:
    """The weights of a direction as the forward kernel reads them."""
    from sklearn_rnn.kernels.recurrence import arrange

    hidden, inputs = w_h.shape[1], w_x.shape[1]
    n_gates = len(w_h) // hidden
    shapes: list[tuple[int, ...]] = [(n_gates, inputs + 1, hidden), (n_gates, hidden, hidden), (hidden,)]
    arrays = tuple(np.empty(shape, w_x.dtype) for shape in shapes)
    arrange(cell, w_x, w_h, b_x, b_h, *arrays)
    return arrays


def _in_panels(weights: Array, wanted: bool = True) -> Array:
    """The weights (G, k, n) of each gate in panels; nothing if they are not `wanted`."""
    from sklearn_rnn.kernels.products import panel_shape
    from sklearn_rnn.kernels.projection import pack_all

    n_gates, n_terms, n_columns = weights.shape
    shape = panel_shape(n_terms, n_columns, weights.itemsize)
    panels = current_engine().borrow((n_gates if wanted else 0, *shape), weights.dtype)
    if wanted:
        pack_all(weights, panels)
    return panels


def _parts(packing: Packing, n_directions: int, work: int) -> list[tuple[int, int, int]]:
    """What is computed at once: directions and ranges of sequences; `work` is that of one direction, as ``PART`` is.

    They do not depend on the number of threads, so that the sums, and with them the results, do not either.
    """
    n = packing.n_sequences
    n_parts = max(1, min(n // SEQUENCES, work // PART, 8))
    bounds = [n * k // n_parts for k in range(n_parts + 1)]
    return [(direction, begin, end) for direction in range(n_directions) for begin, end in pairwise(bounds)]
