"""Recurrences by the kernels of this package, as functions that torch can differentiate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

from sklearn_rnn.networks.engines import Engine, current_engine
from sklearn_rnn.networks.packing import Packing

CHUNK = 2**18
"""Numbers in the buffers of a kernel: what a core's cache holds of inputs, gates and states of some steps."""

PART = 3_000_000
"""Multiplications and additions of a part of the batch: about 0.1 ms, some times what it takes to wake a thread."""

SEQUENCES = 16
"""Least number of sequences of a part."""

WEIGHTS_IN_ONE = 2**17
"""Recurrent weights up to which the products of all gates are one. Larger ones are beyond what BLAS multiplies by its
kernels for small matrices, so that each gate has its own."""

N_WEIGHTS = 4
WORTH_KEEPING = 2**18
"""Numbers from which memory is kept for the next batch: the system hands out large pieces page by page."""


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
    cut : int
        Steps after which the gradient through the state is cut; 0 for never.
    """

    cell: str
    packing: Packing
    masks: tuple[Tensor, ...] = ()
    cut: int = 0


def run(recurrence: Recurrence, x: Tensor, weights: Sequence[Tensor], initial: tuple[Tensor, ...] = ()) -> Tensor:
    """Hidden states of all directions.

    Parameters
    ----------
    recurrence : Recurrence
    x : tensor of shape (n_rows, input_size)
        Packed; float32 or float64, on the CPU.
    weights : sequence of tensors
        ``w_ih, w_hh, b_ih, b_hh`` of each direction, as torch lays them out.
    initial : tuple of tensors of shape (n_directions, batch, hidden)
        The hidden state before the first step, and of an LSTM the cell state, in the order of the packing; zero by
        default.

    Returns
    -------
    hidden : tensor of shape (n_rows, n_directions * hidden)
    """
    n_directions, hidden = len(weights) // N_WEIGHTS, weights[1].shape[1]
    shape = (n_directions, recurrence.packing.n_sequences, hidden)
    h0, c0 = (*initial, *(x.new_zeros(shape) for _ in range(2 - len(initial))))
    return _Run.apply(recurrence, x, h0, c0, *weights)


MOST_UNITS = {"rnn": 384, "gru": 384, "lstm": 384}
"""Units of a layer up to which the kernels were faster than torch, by ``benchmarks/engines.py``."""


def is_faster(cell_type: str, hidden_size: int) -> bool:
    """Whether the kernels take less time than torch, as measured."""
    return hidden_size <= MOST_UNITS[cell_type]


class _Run(torch.autograd.Function):
    """:func:`run`."""

    @staticmethod
    def forward(ctx: Any, recurrence: Recurrence, x: Tensor, h0: Tensor, c0: Tensor, *weights: Tensor) -> Tensor:
        from sklearn_rnn.kernels.recurrence import CELLS, N_SAVED, forward

        cell, engine = CELLS[recurrence.cell], current_engine()
        n_rows, hidden = len(x), weights[1].shape[1]
        n_directions = len(weights) // N_WEIGHTS
        x = x.contiguous()
        out = x.new_empty(n_rows, n_directions * hidden)
        keeping = any(ctx.needs_input_grad)
        width = N_SAVED[cell] * hidden if keeping else 0
        saved = [_borrow(engine, (n_rows if width else 0, width), x.numpy().dtype) for _ in range(n_directions)]
        room = _room(x.shape[1], hidden)
        values, states, first, second = x.numpy(), out.numpy(), h0.numpy(), c0.numpy()
        masks = _masks(recurrence, n_directions, x)

        def compute(direction: int, begin: int, end: int) -> None:
            w_x, w_h, b_x, b_h = transposed[direction]
            forward(
                *(cell, values, recurrence.packing.offsets, begin, end, w_x, w_h, b_x, b_h),
                *(first[direction], second[direction], masks[direction], direction == 1, room),
                *(states, direction * hidden, saved[direction].array),
            )

        transposed = []
        for w_x, w_h, b_x, b_h in _by_direction(weights):
            turned = [_panels(w, w_h).transpose(1, 2).contiguous() for w in (w_x, w_h)]
            transposed.append(tuple(part.detach().numpy() for part in (*turned, b_x, b_h)))
        ctx.parts = _parts(recurrence.packing, n_directions, x.shape[1] + hidden, weights[1].shape[0])
        engine.share(compute, ctx.parts)
        if keeping:
            ctx.save_for_backward(x, h0, c0, out, *weights)
            ctx.recurrence, ctx.cell, ctx.saved, ctx.masks = recurrence, cell, saved, masks
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dout: Tensor) -> tuple[Any, ...]:
        from sklearn_rnn.kernels.recurrence import backward

        x, h0, c0, out, *weights = ctx.saved_tensors
        offsets, hidden = ctx.recurrence.packing.offsets, weights[1].shape[1]
        n_directions = len(weights) // N_WEIGHTS
        inputs = ctx.needs_input_grad[1]
        dx = [x.new_empty(x.shape if inputs else (0, 0)).numpy() for _ in range(n_directions)]
        dh0, dc0 = torch.zeros_like(h0), torch.zeros_like(c0)
        values, states, given = x.numpy(), out.numpy(), dout.contiguous().numpy()
        first, second, dfirst, dsecond = (state.numpy() for state in (h0, c0, dh0, dc0))
        plain = [
            [_panels(w, w_h).detach().contiguous().numpy() for w in (w_x, w_h)]
            for w_x, w_h, _, _ in _by_direction(weights)
        ]
        room = _room(x.shape[1], hidden)
        gradients: dict[tuple[int, int], tuple[NDArray[Any], ...]] = {}

        def compute(direction: int, begin: int, end: int) -> None:
            gradients[direction, begin] = backward(
                *(ctx.cell, given, values, offsets, begin, end, plain[direction][0], plain[direction][1]),
                *(first[direction], second[direction], ctx.masks[direction], direction == 1, ctx.recurrence.cut, room),
                *(states, direction * hidden, ctx.saved[direction].array, dx[direction]),
                *(dfirst[direction], dsecond[direction]),
            )

        current_engine().share(compute, ctx.parts)
        sums: list[Tensor] = []
        for direction in range(n_directions):
            of_parts = [gradients[d, begin] for d, begin, _ in ctx.parts if d == direction]
            for total, *others in zip(*of_parts, strict=True):
                for other in others:
                    total += other
                sums.append(torch.from_numpy(total))
        for other in dx[1:]:
            dx[0] += other
        return None, torch.from_numpy(dx[0]) if inputs else None, dh0, dc0, *sums


def _by_direction(weights: Sequence[Tensor]) -> list[Sequence[Tensor]]:
    return [weights[k : k + N_WEIGHTS] for k in range(0, len(weights), N_WEIGHTS)]


def _panels(w: Tensor, w_h: Tensor) -> Tensor:
    """Weights `w` (n_gates * hidden, n) as the kernels take them, (n_panels, n_gates * hidden / n_panels, n).

    All gates are in one panel, or where the recurrent weights `w_h` are many, each gate is in one of its own.
    """
    return w.view(1 if w_h.numel() <= WEIGHTS_IN_ONE else w_h.shape[0] // w_h.shape[1], -1, w.shape[1])


def _room(inputs: int, hidden: int) -> int:
    """Rows of the buffers of a kernel."""
    return max(1, CHUNK // (7 * hidden + inputs))


def _masks(recurrence: Recurrence, n_directions: int, x: Tensor) -> list[NDArray[Any]]:
    """What the kernels take for the masks of all directions, of size 0 where there are none."""
    masks = recurrence.masks or (x.new_empty(0, 0),) * n_directions
    return [mask.numpy() for mask in masks]


def _parts(packing: Packing, n_directions: int, columns: int, rows: int) -> list[tuple[int, int, int]]:
    """What is computed at once: directions and ranges of sequences.

    They do not depend on the number of threads, so that the sums, and with them the results, do not either.
    """
    n = packing.n_sequences
    work = packing.n_rows * columns * rows
    n_parts = max(1, min(n // SEQUENCES, work // PART, 8))
    bounds = [n * k // n_parts for k in range(n_parts + 1)]
    return [(direction, begin, end) for direction in range(n_directions) for begin, end in pairwise(bounds)]


class _Loan:
    """Memory that goes back to the engine when nothing refers to it any more.

    Parameters
    ----------
    engine : Engine
    memory : array of shape (size,)
    shape : tuple of int
    """

    def __init__(self, engine: Engine, memory: NDArray[Any], shape: tuple[int, int]) -> None:
        self._engine = engine
        self._memory = memory
        self.array = memory[: shape[0] * shape[1]].reshape(shape)

    def __del__(self) -> None:
        if self._memory.size >= WORTH_KEEPING:
            self._engine.free.append(self._memory)


def _borrow(engine: Engine, shape: tuple[int, int], dtype: np.dtype[Any]) -> _Loan:
    """Memory for an array of `shape` that holds anything."""
    size = shape[0] * shape[1]
    if size >= WORTH_KEEPING:
        for k, memory in enumerate(engine.free):
            if memory.dtype == dtype and size <= memory.size <= 4 * size:
                return _Loan(engine, engine.free.pop(k), shape)
    return _Loan(engine, np.empty(size, dtype), shape)
