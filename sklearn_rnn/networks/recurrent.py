"""The recurrent backbone: layers of any cell, in one direction or both, over padded batches."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from sklearn_rnn.networks import fused
from sklearn_rnn.networks.cells import MODULES, STEPS, Weights, scan
from sklearn_rnn.networks.dropout import Dropout, sample_mask
from sklearn_rnn.networks.engines import current_engine, kernels_may_run
from sklearn_rnn.networks.packing import Packing


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
    weights : torch.nn.RNNBase
    p : float
        The share of recurrent weights that is dropped; the rest is scaled by 1 / (1 - p).
    generator : torch.Generator or None
    """

    def __init__(self, weights: Weights, p: float, generator: torch.Generator | None) -> None:
        self._layer = weights
        recurrent = weights.weight_hh_l0
        self.weight_hh_l0 = recurrent * sample_mask(recurrent, tuple(recurrent.shape), p, generator)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._layer, name)

    def __call__(self, x: Any, state: Any = None) -> Any:
        parameters = {**dict(self._layer.named_parameters()), "weight_hh_l0": self.weight_hh_l0}
        return functional_call(self._layer, parameters, (x, state))


class RecurrentLayer(nn.Module):
    """One layer, in one direction or both, that treats every sequence as if it were alone.

    Parameters
    ----------
    cell_type : {"rnn", "lstm", "gru"}
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
    tbptt_steps : int or None
        Steps after which the gradient through the state is cut in training.
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
        tbptt_steps: int | None = None,
    ) -> None:
        super().__init__()
        kwargs: dict[str, Any] = {}
        if cell_type == "rnn":
            kwargs["nonlinearity"] = nonlinearity
        if cell_type == "lstm":
            kwargs["proj_size"] = proj_size
            if proj_size:
                _take_warning_about_projections()
        cell: Any = MODULES[cell_type]
        self.cell_type = cell_type
        self.unbounded = cell_type == "rnn" and nonlinearity == "relu"
        self.directions = nn.ModuleList(cell(input_size, hidden_size, **kwargs) for _ in range(1 + bidirectional))
        self.recurrent_dropout = recurrent_dropout
        self.weight_dropout = weight_dropout
        self.tbptt_steps = tbptt_steps
        self.generator: torch.Generator | None = None
        self.recorded: list[list[Tensor]] | None = None  # a list makes forward keep the hidden state of each step
        self.direction_size = proj_size or hidden_size
        self.output_size = self.direction_size * len(self.directions)

    def forward(self, x: Tensor, lengths: Tensor | Packing) -> Tensor:
        """Map `x` (n_steps, batch, input_size) to hidden states (n_steps, batch, output_size).

        With a packing in the place of the lengths, `x` is (n_rows, input_size) or (batch, n_steps, input_size), the
        hidden states are (n_rows, output_size), and the kernels compute them.
        """
        if isinstance(lengths, Packing):
            return self._run_packed(x, lengths)
        outputs = []
        for direction, weights in enumerate(self._weights()):
            if direction == 0:
                outputs.append(self._run(x, lengths, weights))
            else:
                hidden = self._run(reverse_within_length(x, lengths), lengths, weights)
                outputs.append(reverse_within_length(hidden, lengths))
        return torch.cat(outputs, dim=2) if len(outputs) > 1 else outputs[0]

    def may_fuse(self, x: Tensor) -> bool:
        """Whether kernels can compute this layer, and the engine in use wants them to."""
        weights: Weights = self.directions[0]
        if self.recorded is not None or x.dtype != weights.weight_hh_l0.dtype or not kernels_may_run(x):
            return False
        return not self.left_to_torch(current_engine().name)

    def left_to_torch(self, engine: str) -> bool:
        """Whether kernels do not compute this layer, wherever it is, with the engine of that name."""
        weights: Weights = self.directions[0]
        return bool(weights.proj_size) or (engine != "fused" and not fused.is_faster(self.direction_size))

    def recurrence(self, x: Tensor, packing: Packing, places: NDArray[np.int64]) -> fused.Recurrence:
        """What the kernels are to compute: all about it but weights, inputs and first states.

        Parameters
        ----------
        x : tensor
            Of the type, and on the device, of the inputs.
        packing : Packing
        places : array of int64, shape (n_rows,) or (0,)
        """
        masks = []
        if self.training and self.recurrent_dropout:
            order = torch.from_numpy(packing.order)
            for _ in self.directions:
                shape = (packing.n_sequences, self.direction_size)
                masks.append(sample_mask(x, shape, self.recurrent_dropout, self.generator)[order])
        cell = "relu" if self.unbounded else self.cell_type
        cut = self.tbptt_steps if self.training and self.tbptt_steps else 0
        return fused.Recurrence(cell, packing, tuple(masks), cut, places)

    def _run_packed(self, x: Tensor, packing: Packing) -> Tensor:
        """All directions over packed rows `x` (n_rows, input_size), or a whole batch (batch, n_steps, input_size)."""
        places = fused.PACKED if x.ndim == 2 else packing.places(x.shape[1])
        recurrence = self.recurrence(x, packing, places)
        parameters = [weight for weights in self._weights() for weight in fused.weights_of(weights)]
        return fused.run(recurrence, x.flatten(0, -2), parameters)

    def _weights(self) -> Iterator[Weights]:
        """The weights of each direction, in training with some of them dropped."""
        for layer in self.directions:
            if self.training and self.weight_dropout:
                yield DroppedWeights(layer, self.weight_dropout, self.generator)
            else:
                yield layer

    def _run(self, x: Tensor, lengths: Tensor, weights: Weights) -> Tensor:
        """One direction over `x` (n_steps, batch, input_size), by torch's kernel where nothing forbids it."""
        drop = self.recurrent_dropout if self.training else 0.0
        chunk = self.tbptt_steps if self.training and self.tbptt_steps and self.tbptt_steps < x.shape[0] else None
        # Unbounded states may grow on padding until they are infinite, and the gradient of nothing times that is NaN.
        end = lengths if self.unbounded and bool((lengths < x.shape[0]).any()) else None
        if drop or self.recorded is not None or (chunk and end is not None):
            mask = sample_mask(x, (x.shape[1], self.direction_size), drop, self.generator) if drop else None
            hidden = scan(STEPS[self.cell_type], x, weights, mask=mask, detach_every=chunk, lengths=end)
            if self.recorded is not None:
                self.recorded.append(hidden)
            return torch.stack(hidden)
        if end is not None:
            packed = pack_padded_sequence(x, end.clamp(min=1).cpu(), enforce_sorted=False)
            return pad_packed_sequence(weights(packed)[0], total_length=x.shape[0])[0]
        if chunk is None:
            return weights(x)[0]
        outputs, state = [], None
        for part in x.split(chunk):
            output, state = weights(part, state)
            state = tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()
            outputs.append(output)
        return torch.cat(outputs)


class RecurrentStack(nn.Module):
    """Recurrent layers with skip connections, layer normalisation and dropout between them.

    Parameters
    ----------
    cell_type : {"rnn", "lstm", "gru"}
    input_size : int
    hidden_sizes : sequence of int
        One for each layer.
    dropout : float
        Share of a layer's outputs dropped on the way to the next layer.
    residual : bool
        Add the input of each layer to its output, through a learned linear map where the sizes differ.
    layer_norm : bool
        Normalise the output of each layer over its units (Ba et al. 2016).
    tied_dropout : bool
        Whether the values that `dropout` drops are the same at all steps of a sequence.
    bidirectional, nonlinearity, proj_size, recurrent_dropout, weight_dropout, tbptt_steps
        As in :class:`RecurrentLayer`.
    """

    def __init__(
        self,
        cell_type: str,
        input_size: int,
        hidden_sizes: Sequence[int],
        *,
        bidirectional: bool = False,
        nonlinearity: str = "tanh",
        proj_size: int = 0,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        weight_dropout: float = 0.0,
        tied_dropout: bool = False,
        residual: bool = False,
        layer_norm: bool = False,
        tbptt_steps: int | None = None,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        self.skips = nn.ModuleList()
        self.norms = nn.ModuleList()
        for hidden_size in hidden_sizes:
            layer = RecurrentLayer(
                cell_type,
                input_size,
                hidden_size,
                bidirectional=bidirectional,
                nonlinearity=nonlinearity,
                proj_size=proj_size,
                recurrent_dropout=recurrent_dropout,
                weight_dropout=weight_dropout,
                tbptt_steps=tbptt_steps,
            )
            same_size = input_size == layer.output_size
            self.layers.append(layer)
            if residual:
                self.skips.append(nn.Identity() if same_size else nn.Linear(input_size, layer.output_size, bias=False))
            if layer_norm:
                self.norms.append(nn.LayerNorm(layer.output_size))
            input_size = layer.output_size
        self.dropout = Dropout(dropout, tied_dim=0 if tied_dropout else None)
        self.output_size = input_size
        self.outer_dtype: torch.dtype | None = None  # of norms and skips and all around, if not that of the recurrences
        self.casts_states = True  # to the outer type, unless a pooling does it with fewer numbers

    @property
    def direction_size(self) -> int:
        """Units of one direction of the last layer."""
        last: Any = self.layers[-1]
        return int(last.direction_size)

    @property
    def bidirectional(self) -> bool:
        """Whether a state depends on later steps."""
        last: Any = self.layers[-1]
        return len(last.directions) > 1

    def left_to_torch(self, engine: str) -> bool:
        """Whether there is a layer that kernels do not compute, wherever it is, with the engine of that name."""
        layers: list[Any] = list(self.layers)
        return any(layer.left_to_torch(engine) for layer in layers)

    def may_fuse(self) -> bool:
        """Whether kernels can compute all layers, given inputs of their type, and the engine in use wants them to."""
        layers: list[Any] = list(self.layers)
        like = self._weight
        return all(layer.may_fuse(like) for layer in layers)

    def groups(self) -> list[nn.ModuleList]:
        """For each layer, from the bottom, what belongs to it: the recurrence, its skip connection and its norm."""
        parts = [part for part in (self.layers, self.skips, self.norms) if len(part)]
        return [nn.ModuleList(group) for group in zip(*parts, strict=True)]

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Map `x` (n_steps, batch, input_size) to the last layer's hidden states (n_steps, batch, output_size)."""
        fuses = self.may_fuse() and (self.outer_dtype is not None or x.dtype == self._weight.dtype)
        packing = Packing(lengths) if fuses else None
        n_steps = x.shape[0]
        if packing is not None:
            x = packing.pack(x) if len(self.skips) else x.transpose(0, 1)
        for k, layer in enumerate(self.layers):
            entering = self.dropout(x, packing) if k else x
            hidden = layer(self._inside(entering), lengths if packing is None else packing)
            if len(self.skips):
                hidden = self._outside(hidden) + self.skips[k](self._outside(x))
            x = self.norms[k](self._outside(hidden)) if len(self.norms) else hidden
        if self.casts_states:
            x = self._outside(x)
        return x if packing is None else packing.unpack(x, n_steps)

    @property
    def _weight(self) -> Tensor:
        """One of the recurrent weights, which are all of one type and in one place."""
        layer: Any = self.layers[0]
        weight: Tensor = layer.directions[0].weight_hh_l0
        return weight

    def _inside(self, x: Tensor) -> Tensor:
        """`x` in the type of the recurrences."""
        return x if self.outer_dtype is None else x.to(self._weight.dtype)

    def _outside(self, x: Tensor) -> Tensor:
        """`x` in the type of what is around the recurrences."""
        return x if self.outer_dtype is None else x.to(self.outer_dtype)
