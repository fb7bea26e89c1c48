"""One row of outputs for each step."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sklearn_rnn.networks.dropout import Dropout
from sklearn_rnn.networks.heads.base import Head, HeadSpec
from sklearn_rnn.networks.inputs import StepInputs
from sklearn_rnn.networks.pooling import step_mask


class StepHead(Head):
    """A linear map of each hidden state.

    Parameters
    ----------
    size : int
        Units of a hidden state.
    n_outputs : int
    dropout : float
        Share of each hidden state dropped before the linear map.
    tied_dropout : bool
        Whether the values that are dropped are the same at all steps of a sequence.
    """

    def __init__(self, size: int, n_outputs: int, *, dropout: float = 0.0, tied_dropout: bool = False) -> None:
        super().__init__()
        self.set_dropout(dropout, tied=tied_dropout)
        self.linear = nn.Linear(size, n_outputs)

    def set_dropout(self, dropout: float, *, tied: bool) -> None:
        """What is dropped of each hidden state, at all steps of a sequence the same if `tied`."""
        self.dropout = Dropout(dropout, tied_dim=1 if tied else None)

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """Outputs (batch, n_steps, n_outputs), before any link function, of `states` (batch, n_steps, size)."""
        return self.outputs_of(states)

    def outputs_of(self, states: Tensor) -> Tensor:
        """Outputs (..., n_outputs) of `states` (..., size)."""
        return self.linear(self.dropout(states))

    def representation(self, states: Tensor, lengths: Tensor) -> Tensor:
        """A vector (batch, size) of each sequence: the mean of its states, 0 for one without steps."""
        inside = step_mask(lengths, states.shape[1])[:, :, None]
        return torch.where(inside, states.to(self.linear.weight.dtype), 0).sum(1) / lengths.clamp(min=1)[:, None]


@dataclass(frozen=True)
class StepHeadSpec(HeadSpec):
    """What a :class:`StepHead` is built from."""

    def build(
        self,
        size: int,
        direction_size: int,
        *,
        dropout: float,
        tied_dropout: bool,
        convolved: int = 0,
        inputs: StepInputs | None = None,
    ) -> StepHead:
        return StepHead(size + convolved, self.n_outputs, dropout=dropout, tied_dropout=tied_dropout)
