"""The cells: their published equations, one line a gate, and all else that the package has to know of each.

A step takes the projected input, ``x = W_ih x_t + b_ih`` of shape (batch, gates * hidden), the hidden state that the
weights multiply, the state before it, and the weights of a layer; it returns the new state, whose first item is the
hidden state of shape (batch, hidden) or, projected, (batch, proj_size). With recurrent dropout some units of what the
weights multiply are 0, and the others are scaled; what a cell copies it takes from the state before it. Copied units
that were scaled at each step would grow without bound.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from sklearn_rnn.networks.state import Parts

Weights = Any  # a module of one layer and one direction; mypy does not see the types of its parameters
Step = Callable[[Tensor, Tensor, Parts, Weights], Parts]
Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Cell:
    """A kind of recurrence. One that is put into ``CELLS`` can be had everywhere, by its name there.

    Attributes
    ----------
    gates : tuple of str
        In the order in which their weights are stacked.
    step : callable
        The equations.
    parts : tuple of str
        Of which the state consists, the hidden state first.
    shapes : callable or None
        Maps ``(input_size, hidden_size)`` to the shapes of the parameters, where they are not those of
        :func:`gated_shapes`. What is projected is called ``weight_ih_l0`` and ``bias_ih_l0``, and what multiplies the
        state ``weight_hh_l0``.
    options : tuple of str
        Which of "nonlinearity" and "proj_size" it has.
    biases : mapping of str to float
        The first bias of a gate, where it is not 0.
    initialize : callable or None
        Maps weights and a generator to None: draws what is to begin otherwise than the parameters of other cells.
    module : subclass of torch.nn.RNNBase, or None
        What computes it in torch; without one it is computed step by step.
    kernel : str or None
        Its name among the kernels, which have it only for parameters as torch lays them out.
    """

    gates: tuple[str, ...]
    step: Step
    parts: tuple[str, ...] = ("hidden",)
    shapes: Callable[[int, int], Shapes] | None = None
    options: tuple[str, ...] = ()
    biases: Mapping[str, float] = field(default_factory=dict)
    initialize: Callable[[Weights, torch.Generator], None] | None = None
    module: type[nn.RNNBase] | None = None
    kernel: str | None = None


def gated_shapes(n_gates: int, input_size: int, hidden_size: int) -> Shapes:
    """Those of matrices of inputs and states, and of one bias, for each gate."""
    rows = n_gates * hidden_size
    return {"weight_ih_l0": (rows, input_size), "weight_hh_l0": (rows, hidden_size), "bias_ih_l0": (rows,)}


def rnn_step(x: Tensor, hidden: Tensor, state: Parts, weights: Weights) -> Parts:
    """Elman (1990): ``h_t = f(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)`` with f = tanh or relu."""
    activation = torch.tanh if weights.nonlinearity == "tanh" else torch.relu
    return (activation(x + linear(hidden, weights.weight_hh_l0, weights.bias_hh_l0)),)


def lstm_step(x: Tensor, hidden: Tensor, state: Parts, weights: Weights) -> Parts:
    """Hochreiter and Schmidhuber (1997) with the forget gate of Gers et al. (2000)."""
    _, cell = state
    i, f, g, o = (x + linear(hidden, weights.weight_hh_l0, weights.bias_hh_l0)).chunk(4, dim=1)
    input_gate = torch.sigmoid(i)
    forget_gate = torch.sigmoid(f)
    candidate = torch.tanh(g)
    output_gate = torch.sigmoid(o)
    cell = forget_gate * cell + input_gate * candidate
    hidden = output_gate * torch.tanh(cell)
    if weights.proj_size:
        hidden = linear(hidden, weights.weight_hr_l0)  # the projection of Sak et al. (2014)
    return hidden, cell


def gru_step(x: Tensor, hidden: Tensor, state: Parts, weights: Weights) -> Parts:
    """Cho et al. (2014), the reset gate applied to the recurrent product, as cuDNN and torch have it."""
    (before,) = state
    x_r, x_z, x_n = x.chunk(3, dim=1)
    h_r, h_z, h_n = linear(hidden, weights.weight_hh_l0, weights.bias_hh_l0).chunk(3, dim=1)
    reset_gate = torch.sigmoid(x_r + h_r)
    update_gate = torch.sigmoid(x_z + h_z)
    candidate = torch.tanh(x_n + reset_gate * h_n)
    return ((1 - update_gate) * candidate + update_gate * before,)


def mgu_step(x: Tensor, hidden: Tensor, state: Parts, weights: Weights) -> Parts:
    """Zhou et al. (2016): a GRU whose only gate both forgets and updates."""
    (before,) = state
    x_f, x_n = x.chunk(2, dim=1)
    w_f, w_n = weights.weight_hh_l0.chunk(2)
    forget_gate = torch.sigmoid(x_f + linear(hidden, w_f))
    candidate = torch.tanh(x_n + linear(forget_gate * hidden, w_n))
    return ((1 - forget_gate) * before + forget_gate * candidate,)


CELLS: dict[str, Cell] = {
    "rnn": Cell(("hidden",), rnn_step, options=("nonlinearity",), module=nn.RNN, kernel="rnn"),
    "lstm": Cell(
        ("input", "forget", "candidate", "output"),
        lstm_step,
        parts=("hidden", "cell"),
        options=("proj_size",),
        biases={"forget": 1.0},  # Jozefowicz et al. (2015)
        module=nn.LSTM,
        kernel="lstm",
    ),
    "gru": Cell(("reset", "update", "candidate"), gru_step, module=nn.GRU, kernel="gru"),
    "mgu": Cell(("forget", "candidate"), mgu_step),
}


def make_weights(cell_type: str, input_size: int, hidden_size: int, **options: Any) -> nn.Module:
    """The module that holds the weights of one direction, with those of the `options` that the cell has."""
    cell = CELLS[cell_type]
    own = {name: value for name, value in options.items() if name in cell.options}
    if cell.module is None:
        return SteppedWeights(cell_type, input_size, hidden_size, **own)
    make: Any = cell.module
    return make(input_size, hidden_size, **own)


class SteppedWeights(nn.Module):
    """The weights of a cell for which torch has no module; called, it computes step by step.

    Parameters
    ----------
    cell_type : str
        In ``CELLS``.
    input_size, hidden_size : int
    nonlinearity : {"tanh", "relu"}
        For the steps of cells that have one.
    """

    proj_size = 0

    def __init__(self, cell_type: str, input_size: int, hidden_size: int, *, nonlinearity: str = "tanh") -> None:
        super().__init__()
        cell = CELLS[cell_type]
        self.cell_type = cell_type
        self.input_size, self.hidden_size = input_size, hidden_size
        self.nonlinearity = nonlinearity
        if cell.shapes is None:
            shapes = gated_shapes(len(cell.gates), input_size, hidden_size)
        else:
            shapes = cell.shapes(input_size, hidden_size)
        for name, shape in shapes.items():
            self.register_parameter(name, nn.Parameter(torch.empty(shape)))

    def forward(self, x: Tensor, state: Parts | None = None) -> tuple[Tensor, Parts]:
        """Hidden states (n_steps, batch, hidden) over `x` (n_steps, batch, features), and the state after the last."""
        hidden, last = scan(CELLS[self.cell_type], x, self, state=state)
        return torch.stack(hidden), last


def run_module(weights: Weights, x: Any, state: Parts | None = None) -> tuple[Any, Parts]:
    """What the module `weights` makes of `x`, a tensor or a PackedSequence, from `state` on, (batch, units) each.

    torch's modules take and return a state of a single part as that part.
    """
    initial = None if state is None else tuple(part[None] for part in state)
    # shape: (1, batch, units) each
    hidden, last = weights(x, initial[0] if initial is not None and len(initial) == 1 else initial)
    return hidden, tuple(part[0] for part in (last if isinstance(last, tuple) else (last,)))


def sizes_of(cell: Cell, weights: Weights) -> tuple[int, ...]:
    """Units of each part of a state."""
    return (weights.proj_size or weights.hidden_size, *[weights.hidden_size] * (len(cell.parts) - 1))


def scan(
    cell: Cell,
    x: Tensor,
    weights: Weights,
    *,
    mask: Tensor | None = None,
    state: Parts | None = None,
    lengths: Tensor | None = None,
) -> tuple[list[Tensor], Parts]:
    """Run a recurrence step by step.

    Parameters
    ----------
    cell : Cell
    x : tensor of shape (n_steps, batch, features)
    weights : module
        A single layer of one direction.
    mask : tensor of shape (batch, hidden), optional
        Multiplies the hidden state that the weights of each step read, the same at all steps (Gal and Ghahramani 2016).
    state : tuple of tensors of shape (batch, hidden), optional
        The state before the first step; zero by default.
    lengths : tensor of int, shape (batch,), optional
        Steps after which the state of each sequence no longer changes.

    Returns
    -------
    hidden : list of n_steps tensors of shape (batch, hidden)
    state : tuple of tensors of shape (batch, hidden)
        That after the last step.
    """
    projected = linear(x, weights.weight_ih_l0, weights.bias_ih_l0)
    # shape: (n_steps, batch, gates * hidden)
    if state is None:
        state = tuple(x.new_zeros(x.shape[1], size) for size in sizes_of(cell, weights))
    hidden = []
    for t, x_t in enumerate(projected):
        entering = state[0] if mask is None else state[0] * mask
        before, state = state, cell.step(x_t, entering, state, weights)
        if lengths is not None:
            goes_on = (t < lengths)[:, None]
            state = tuple(torch.where(goes_on, new, old) for new, old in zip(state, before, strict=True))
        hidden.append(state[0])
    return hidden, state
