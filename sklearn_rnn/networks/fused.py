"""Recurrences by the kernels of this package, as functions that torch can differentiate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

from sklearn_rnn.networks.engines import current_engine
from sklearn_rnn.networks.packing import Packing

CHUNK = 2**18
"""Numbers in the buffers of a kernel: what a core's cache holds of inputs, gates and states of some steps."""

PART = 3_000_000
"""Multiplications and additions of a part of the batch: about 0.1 ms, some times what it takes to wake a thread."""

SEQUENCES = 16
"""Least number of sequences of a part."""

N_WEIGHTS = 4
PACKED = np.empty(0, np.int64)

MOST_UNITS = 384
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
    cut : int
        Steps after which the gradient through the state is cut; 0 for never.
    places : array of int64, shape (n_rows,) or (0,)
        The row of the inputs that each packed row is; by default they are packed too.
    """

    cell: str
    packing: Packing
    masks: tuple[Tensor, ...] = ()
    cut: int = 0
    places: NDArray[np.int64] = field(default_factory=lambda: PACKED)


def run(recurrence: Recurrence, x: Tensor, weights: Sequence[Tensor], initial: tuple[Tensor, ...] = ()) -> Tensor:
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

    Returns
    -------
    hidden : tensor of shape (n_rows, n_directions * hidden)
    """
    h0, c0 = (*initial, None, None)[:2]
    return _Run.apply(recurrence, x, h0, c0, *weights)


def is_faster(hidden_size: int) -> bool:
    """Whether the kernels take less time than torch, as measured."""
    return hidden_size <= MOST_UNITS


class _Run(torch.autograd.Function):
    """:func:`run`."""

    @staticmethod
    def forward(
        ctx: Any, recurrence: Recurrence, x: Tensor, h0: Tensor | None, c0: Tensor | None, *weights: Tensor
    ) -> Tensor:
        from sklearn_rnn.kernels.recurrence import CELLS, N_SAVED, forward

        cell, engine, packing = CELLS[recurrence.cell], current_engine(), recurrence.packing
        values = x.detach().contiguous().numpy()
        plain = _plain(weights)
        n_directions, dtype, hidden = len(plain), values.dtype, weights[1].shape[1]
        states = np.empty((packing.n_rows, n_directions * hidden), dtype)
        keeping = any(ctx.needs_input_grad)
        n_saved = N_SAVED[cell] if keeping else 0
        saved = [engine.borrow((n_saved, packing.n_rows, hidden), dtype) for _ in plain]
        shape = (n_directions, packing.n_sequences, hidden)
        first, second = (np.zeros(shape, dtype) if s is None else s.detach().contiguous().numpy() for s in (h0, c0))
        masks = [mask.numpy() for mask in recurrence.masks] or [np.empty((0, 0), dtype)] * n_directions
        arranged = [_arranged(cell, *four) for four in plain]
        room = _room(values.shape[1], hidden)

        def compute(direction: int, begin: int, end: int) -> None:
            forward(
                *(cell, values, recurrence.places, packing.offsets, begin, end, *arranged[direction]),
                *(first[direction], second[direction], masks[direction], direction == 1, room),
                *(states, direction * hidden, saved[direction]),
            )

        work = packing.n_rows * (values.shape[1] + hidden) * len(plain[0][1])
        parts, small = _parts(packing, n_directions, work), work < PART
        engine.share(compute, parts, small=small)
        out = torch.from_numpy(states)
        if keeping:
            ctx.save_for_backward(x, out, *weights)
            ctx.initial, ctx.given = (first, second), (h0 is not None, c0 is not None)
            ctx.recurrence, ctx.cell, ctx.saved, ctx.masks = recurrence, cell, saved, masks
            ctx.parts, ctx.small = parts, small
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dout: Tensor) -> tuple[Any, ...]:
        from sklearn_rnn.kernels.recurrence import backward

        x, out, *weights = ctx.saved_tensors
        values, states, given = x.detach().contiguous().numpy(), out.numpy(), dout.contiguous().numpy()
        offsets, places = ctx.recurrence.packing.offsets, ctx.recurrence.places
        hidden = weights[1].shape[1]
        plain = _plain(weights)
        inputs = ctx.needs_input_grad[1]
        make = np.zeros if len(places) else np.empty  # some rows may be padding
        dx = [make(values.shape if inputs else (0, 0), values.dtype) for _ in plain]
        first, second = ctx.initial
        dfirst, dsecond = np.zeros_like(first), np.zeros_like(second)
        room = _room(values.shape[1], hidden)
        gradients: dict[tuple[int, int], tuple[NDArray[Any], ...]] = {}

        def compute(direction: int, begin: int, end: int) -> None:
            of_weights = tuple(np.empty_like(weight) for weight in plain[direction])
            backward(
                *(ctx.cell, given, values, places, offsets, begin, end, *plain[direction][:2]),
                *(first[direction], second[direction], ctx.masks[direction], direction == 1, ctx.recurrence.cut, room),
                *(states, direction * hidden, ctx.saved[direction], dx[direction]),
                *(dfirst[direction], dsecond[direction], *of_weights),
            )
            gradients[direction, begin] = of_weights

        current_engine().share(compute, ctx.parts, small=ctx.small)
        sums: list[Tensor] = []
        for direction in range(len(plain)):
            totals, *others = (gradients[d, begin] for d, begin, _ in ctx.parts if d == direction)
            for other in others:
                for total, part in zip(totals, other, strict=True):
                    total += part
            sums += [torch.from_numpy(total) for total in totals]
        for of_direction in dx[1:]:
            dx[0] += of_direction
        of_states = zip((dfirst, dsecond), ctx.given, strict=True)
        initial = [torch.from_numpy(state) if is_given else None for state, is_given in of_states]
        return None, torch.from_numpy(dx[0]) if inputs else None, *initial, *sums


def _plain(weights: Sequence[Tensor]) -> list[list[NDArray[Any]]]:
    """The weights of each direction as arrays."""
    arrays = [w.detach().contiguous().numpy() for w in weights]
    return [arrays[k : k + N_WEIGHTS] for k in range(0, len(arrays), N_WEIGHTS)]


def _arranged(
    cell: int, w_x: NDArray[Any], w_h: NDArray[Any], b_x: NDArray[Any], b_h: NDArray[Any]
) -> tuple[NDArray[Any], ...]:
    """The weights of a direction as the forward kernel reads them."""
    from sklearn_rnn.kernels.recurrence import arrange

    hidden, inputs = w_h.shape[1], w_x.shape[1]
    n_gates = len(w_h) // hidden
    shapes: list[tuple[int, ...]] = [(n_gates, inputs + 1, hidden), (n_gates, hidden, hidden), (hidden,)]
    arrays = tuple(np.empty(shape, w_x.dtype) for shape in shapes)
    arrange(cell, w_x, w_h, b_x, b_h, *arrays)
    return arrays


def _room(inputs: int, hidden: int) -> int:
    """Rows of the buffers of a kernel."""
    return max(1, CHUNK // (7 * hidden + inputs))


def _parts(packing: Packing, n_directions: int, work: int) -> list[tuple[int, int, int]]:
    """What is computed at once: directions and ranges of sequences; `work` is that of one direction, as ``PART`` is.

    They do not depend on the number of threads, so that the sums, and with them the results, do not either.
    """
    n = packing.n_sequences
    n_parts = max(1, min(n // SEQUENCES, work // PART, 8))
    bounds = [n * k // n_parts for k in range(n_parts + 1)]
    return [(direction, begin, end) for direction in range(n_directions) for begin, end in pairwise(bounds)]
