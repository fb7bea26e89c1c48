"""One recurrent layer of any cell, in one direction or both, over padded or packed batches."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from sklearn_rnn.networks import fused
from sklearn_rnn.networks.cells import CELLS, Cell, Weights, make_weights, run_module, scan, sizes_of
from sklearn_rnn.networks.dropout import Drawing
from sklearn_rnn.networks.engines import current_engine, kernels_may_run
from sklearn_rnn.networks.packing import Packing, SharedRows
from sklearn_rnn.networks.state import Parts


def reverse_within_length(x: Tensor, lengths: Tensor) -> Tensor:
    """Reverse each sequence of `x` (n_steps, batch, features) within its own length; padding stays where it is."""
    step = torch.arange(x.shape[0], device=x.device)[:, None]
    index = torch.where(step < lengths, lengths - 1 - step, step)
    # shape: (n_steps, batch)
    return x.gather(0, index[:, :, None].expand_as(x))


@functools.cache
def _take_warning_about_projections() -> None:
    """Let torch say, as it does once a process, that oneDNN has no projected LSTM: torch's own kernel has."""
    with torch.device("meta"):  # no weights are drawn there
        lstm = nn.LSTM(1, 2, proj_size=1)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        lstm.to_empty(device="cpu")(torch.zeros(1, 1, 1, device="cpu"))


class DroppedWeights:
    """A layer of one direction as it is with some of its recurrent weights at 0: callable, with weights of its own.

    Parameters
    ----------
    weights : module
    mask : tensor of the shape of the recurrent weights
    """

    def __init__(self, weights: Weights, mask: Tensor) -> None:
        self._layer = weights
        self.weight_hh_l0 = weights.weight_hh_l0 * mask

    def __getattr__(self, name: str) -> Any:
        return getattr(self._layer, name)

    def __call__(self, x: Any, state: Any = None) -> Any:
        parameters = {**dict(self._layer.named_parameters()), "weight_hh_l0": self.weight_hh_l0}
        return functional_call(self._layer, parameters, (x, state))


class RecurrentLayer(Drawing):
    """One layer, in one direction or both, that treats every sequence as if it were alone.

    Parameters
    ----------
    cell_type : str
        One of ``cells.CELLS``.
    input_size, hidden_size : int
    bidirectional : bool
        Whether a second recurrence reads each sequence from its own end.
    nonlinearity : {"tanh", "relu"}
        Of the vanilla cell.
    proj_size : int
        Size of the LSTM's projected hidden state; 0 for none.
    recurrent_dropout : float
        Share of the hidden state's units dropped on the way to the next step, the same at all steps of a sequence.
    weight_dropout : float
        Share of the recurrent weights dropped, the same for all steps of a batch (Merity et al. 2018).
    """

    def __init__(
        self,
        cell_type: str,
        input_size: int,
        hidden_size: int,
        *,
        bidirectional: bool = False,
        nonlinearity: str = "tanh",
        proj_size: int = 0,
        recurrent_dropout: float = 0.0,
        weight_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if proj_size and cell_type == "lstm":
            _take_warning_about_projections()
        options = {"nonlinearity": nonlinearity, "proj_size": proj_size}
        self.cell_type = cell_type
        self.unbounded = nonlinearity == "relu" and "nonlinearity" in self.cell.options
        self.directions = nn.ModuleList(
            make_weights(cell_type, input_size, hidden_size, **options) for _ in range(1 + bidirectional)
        )
        self.recurrent_dropout = recurrent_dropout
        self.weight_dropout = weight_dropout
        self.recorded: list[list[Tensor]] | None = None  # a list makes forward keep the hidden state of each step
        self.direction_size, *_ = self.state_sizes
        self.output_size = self.direction_size * len(self.directions)

    @property
    def cell(self) -> Cell:
        """What is known of its recurrence."""
        return CELLS[self.cell_type]

    @property
    def state_sizes(self) -> tuple[int, ...]:
        """Units of each part of a state."""
        return sizes_of(self.cell, self.directions[0])

    @property
    def weight(self) -> Tensor:
        """One of the weights, which are all of one type and in one place."""
        first: Weights = self.directions[0]
        return first.weight_ih_l0

    def forward(self, x: Tensor | SharedRows, lengths: Tensor | Packing, state: Parts | None = None) -> Tensor:
        """Map `x` (n_steps, batch, input_size) to hidden states (n_steps, batch, output_size).

        With a packing in the place of the lengths, `x` is (n_rows, input_size), (batch, n_steps, input_size) or shared
        rows, the hidden states are (n_rows, output_size), and the kernels compute them. A `state` that is given is that
        before the first step, (n_directions, batch, units) each.
        """
        return self._run_all(x, lengths, state, last=False)[0]

    def advance(
        self, x: Tensor | SharedRows, lengths: Tensor | Packing, state: Parts | None = None
    ) -> tuple[Tensor, Parts]:
        """As :meth:`forward`, and the state after the last step of each sequence."""
        return self._run_all(x, lengths, state, last=True)

    def may_fuse(self) -> bool:
        """Whether kernels can compute this layer, and the engine in use wants them to."""
        if self.recorded is not None or not kernels_may_run(self.weight):
            return False
        return not self.left_to_torch(current_engine().name)

    def left_to_torch(self, engine: str) -> bool:
        """Whether kernels do not compute this layer, wherever it is, with the engine of that name."""
        weights: Weights = self.directions[0]
        if self.cell.kernel is None or weights.proj_size:
            return True
        return engine != "fused" and not fused.is_faster(self.direction_size)

    def recurrence(
        self, x: Tensor, packing: Packing, places: NDArray[np.int64], *, shared: bool = False
    ) -> fused.Recurrence:
        """What the kernels are to compute: all about it but weights, inputs and first states.

        Parameters
        ----------
        x : tensor
            Of the type, and on the device, of the inputs.
        packing : Packing
        places : array of int64, shape (n_rows,) or (0,)
        shared : bool
            Whether several of the places may be the same.
        """
        masks: list[Tensor] = []
        if self.training and self.recurrent_dropout:
            order = torch.from_numpy(packing.order)
            masks = [self._mask_of_states(x, packing.n_sequences, k)[order] for k in range(len(self.directions))]
        cell = "relu" if self.unbounded else self.cell.kernel
        assert cell is not None
        return fused.Recurrence(cell, packing, tuple(masks), places, shared)

    def _run_all(
        self, x: Tensor | SharedRows, lengths: Tensor | Packing, state: Parts | None, *, last: bool
    ) -> tuple[Tensor, Parts]:
        """Hidden states of all directions and, if the `last` state is wanted, that; else anything."""
        x = x.to(self.weight.dtype)
        if isinstance(lengths, Packing):
            return self._run_packed(x, lengths, state, last=last)
        assert isinstance(x, Tensor)
        of_directions, ends = [], []
        for direction, weights in enumerate(self._weights()):
            start = None if state is None else tuple(part[direction] for part in state)
            given = reverse_within_length(x, lengths) if direction else x
            hidden, end = self._run(given, lengths, weights, start, direction, last=last)
            of_directions.append(reverse_within_length(hidden, lengths) if direction else hidden)
            ends.append(end)
        hidden = torch.cat(of_directions, dim=2) if len(of_directions) > 1 else of_directions[0]
        return hidden, tuple(torch.stack(part) for part in zip(*ends, strict=True)) if last else ()

    def _run_packed(
        self, x: Tensor | SharedRows, packing: Packing, state: Parts | None, *, last: bool
    ) -> tuple[Tensor, Parts]:
        """All directions over packed rows (n_rows, input_size), a batch (batch, n_steps, input_size) or shared rows."""
        shared = isinstance(x, SharedRows)
        if isinstance(x, SharedRows):
            places = x.places(packing)
            x = x.rows
        else:
            places = fused.PACKED if x.ndim == 2 else packing.places(x.shape[1])
        recurrence = self.recurrence(x, packing, places, shared=shared)
        parameters = [weight for weights in self._weights() for weight in fused.weights_of(weights)]
        initial = () if state is None else tuple(packing.arrange(part) for part in state)
        hidden, end = fused.run(recurrence, x.flatten(0, -2), parameters, initial, last=last)
        return hidden, tuple(packing.arrange_back(part) for part in end)

    def _weights(self) -> Iterator[Weights]:
        """The weights of each direction, in training with some of them dropped."""
        for direction, layer in enumerate(self.directions):
            if self.training and self.weight_dropout:
                weights: Weights = layer
                recurrent = weights.weight_hh_l0
                shape = tuple(recurrent.shape)
                mask = self.lasting_mask(("weights", direction), recurrent, shape, self.weight_dropout, of_batch=True)
                yield DroppedWeights(layer, mask)
            else:
                yield layer

    def _mask_of_states(self, like: Tensor, n_sequences: int, direction: int) -> Tensor:
        """What multiplies the hidden state on its way to the next step, (batch, units)."""
        shape = (n_sequences, self.direction_size)
        return self.lasting_mask(("states", direction), like, shape, self.recurrent_dropout)

    def _run(
        self, x: Tensor, lengths: Tensor, weights: Weights, state: Parts | None, direction: int, *, last: bool
    ) -> tuple[Tensor, Parts]:
        """One direction over `x` (n_steps, batch, input_size), by torch's kernel where nothing forbids it."""
        drops = self.training and self.recurrent_dropout > 0
        # Unbounded states may grow on padding until they are infinite, and the gradient of nothing times that is NaN.
        ends = lengths if (self.unbounded or last) and bool((lengths < x.shape[0]).any()) else None
        if drops or self.recorded is not None or self.cell.module is None:
            mask = self._mask_of_states(x, x.shape[1], direction) if drops else None
            hidden, state = scan(self.cell, x, weights, mask=mask, state=state, lengths=ends)
            if self.recorded is not None:
                self.recorded.append(hidden)
            return torch.stack(hidden), state
        if ends is None:
            return run_module(weights, x, state)
        packed = pack_padded_sequence(x, ends.clamp(min=1).cpu(), enforce_sorted=False)
        rows, end = run_module(weights, packed, state)
        if last:
            runs = (ends > 0)[:, None]
            before = [torch.zeros_like(part) for part in end] if state is None else state
            end = tuple(torch.where(runs, new, old) for new, old in zip(end, before, strict=True))
        return pad_packed_sequence(rows, total_length=x.shape[0])[0], end
