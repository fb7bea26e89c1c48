"""The recurrences as their published equations, one line a gate.

Each function takes the projected input of one step, ``x = W_ih x_t + b_ih`` of shape (batch, gates * hidden), the state
of the step before, and the recurrent weights as torch lays them out; it returns the new state, whose first item is the
hidden state of shape (batch, hidden) or, projected, (batch, proj_size).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

State = tuple[Tensor, ...]
Weights = Any  # a torch.nn.RNNBase of one layer and one direction; mypy does not see the types of its parameters


def rnn_step(x: Tensor, state: State, weights: Weights) -> State:
    """Elman (1990): ``h_t = f(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)`` with f = tanh or relu."""
    activation = torch.tanh if weights.nonlinearity == "tanh" else torch.relu
    return (activation(x + linear(state[0], weights.weight_hh_l0, weights.bias_hh_l0)),)


def lstm_step(x: Tensor, state: State, weights: Weights) -> State:
    """Hochreiter and Schmidhuber (1997) with the forget gate of Gers et al. (2000)."""
    hidden, cell = state
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


def gru_step(x: Tensor, state: State, weights: Weights) -> State:
    """Cho et al. (2014), the reset gate applied to the recurrent product, as cuDNN and torch have it."""
    (hidden,) = state
    x_r, x_z, x_n = x.chunk(3, dim=1)
    h_r, h_z, h_n = linear(hidden, weights.weight_hh_l0, weights.bias_hh_l0).chunk(3, dim=1)
    reset_gate = torch.sigmoid(x_r + h_r)
    update_gate = torch.sigmoid(x_z + h_z)
    candidate = torch.tanh(x_n + reset_gate * h_n)
    return ((1 - update_gate) * candidate + update_gate * hidden,)


Step = Callable[[Tensor, State, Weights], State]

STEPS: dict[str, Step] = {"rnn": rnn_step, "lstm": lstm_step, "gru": gru_step}
MODULES: dict[str, type[nn.RNNBase]] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
N_GATES = {"rnn": 1, "lstm": 4, "gru": 3}


def initial_state(x: Tensor, weights: Weights) -> State:
    """Zero states for the batch of `x` (n_steps, batch, features)."""
    hidden = x.new_zeros(x.shape[1], weights.proj_size or weights.hidden_size)
    if weights.mode == "LSTM":
        return hidden, x.new_zeros(x.shape[1], weights.hidden_size)
    return (hidden,)


def scan(
    step: Step,
    x: Tensor,
    weights: Weights,
    *,
    mask: Tensor | None = None,
    detach_every: int | None = None,
    state: State | None = None,
    lengths: Tensor | None = None,
) -> list[Tensor]:
    """Run a recurrence step by step.

    Parameters
    ----------
    step : callable
        One of ``STEPS``.
    x : tensor of shape (n_steps, batch, features)
    weights : torch.nn.RNNBase
        A single layer of one direction.
    mask : tensor of shape (batch, hidden), optional
        Multiplies the hidden state that enters each step, the same at all steps (Gal and Ghahramani 2016).
    detach_every : int, optional
        Steps after which the gradient through the state is cut.
    state : tuple of tensors of shape (batch, hidden), optional
        The state before the first step; zero by default.
    lengths : tensor of int, shape (batch,), optional
        Steps after which the state of each sequence no longer changes.

    Returns
    -------
    hidden : list of n_steps tensors of shape (batch, hidden)
    """
    projected = linear(x, weights.weight_ih_l0, weights.bias_ih_l0)
    # shape: (n_steps, batch, gates * hidden)
    state = initial_state(x, weights) if state is None else state
    hidden = []
    for t, x_t in enumerate(projected):
        if detach_every and t and t % detach_every == 0:
            state = tuple(part.detach() for part in state)
        entering = state if mask is None else (state[0] * mask, *state[1:])
        before, state = state, step(x_t, entering, weights)
        if lengths is not None:
            goes_on = (t < lengths)[:, None]
            state = tuple(torch.where(goes_on, new, old) for new, old in zip(state, before, strict=True))
        hidden.append(state[0])
    return hidden
