"""What every head is: a module on top of hidden states, and the record that it is built from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sklearn_rnn.networks.inputs import StepInputs


class Head(nn.Module, ABC):
    """Outputs from hidden states, before any link function.

    Attributes
    ----------
    linear : torch.nn.Linear
        The map that the outputs come from.
    """

    linear: nn.Linear

    unmapped: bool = False
    """Whether the outputs are left to the loss, which then gets what they are computed from; see
    :meth:`sklearn_rnn.networks.losses.WeightedLoss.serving`. A head whose loss does not ask for it looks away."""

    @property
    def n_outputs(self) -> int:
        """Outputs of a row."""
        return self.linear.out_features

    @property
    def distribution(self) -> Head:
        """The head that a loss asks: this one, or one inside."""
        return self

    @abstractmethod
    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """Outputs (batch, ...) of `states` (batch, n_steps, units), of sequences of `lengths` (batch,)."""

    @abstractmethod
    def representation(self, states: Tensor, lengths: Tensor) -> Tensor:
        """One vector (batch, units) for each sequence."""

    def decide(self, outputs: Tensor, lengths: Tensor, decide_row: Callable[[Tensor], Tensor]) -> Tensor:
        """What a score needs of outputs (batch, ..., n_outputs): what `decide_row` makes of each row by itself."""
        return decide_row(outputs)


@dataclass(frozen=True)
class Below:
    """What a head stands on, and what is dropped between the two.

    Attributes
    ----------
    size : int
        Units of a hidden state of the recurrence.
    direction_size : int
        Units of one direction.
    convolved : int
        Features of convolutions behind the units of each hidden state.
    inputs : StepInputs or None
        What the network embeds.
    dropout : float
        Share of what the linear map reads that is dropped.
    tied_dropout : bool
        Whether what is dropped is the same at all steps of a sequence.
    """

    size: int
    direction_size: int
    convolved: int = 0
    inputs: StepInputs | None = None
    dropout: float = 0.0
    tied_dropout: bool = False

    @property
    def width(self) -> int:
        """Numbers of a hidden state, with the features of convolutions."""
        return self.size + self.convolved

    @property
    def dropped(self) -> dict[str, Any]:
        """What heads are told of dropout."""
        return {"dropout": self.dropout, "tied_dropout": self.tied_dropout}


@dataclass(frozen=True)
class HeadSpec(ABC):
    """What a head is built from.

    Attributes
    ----------
    n_outputs : int
    first_bias : tuple of float or None
        What the biases of the outputs start from; None for 0.
    """

    n_outputs: int
    first_bias: tuple[float, ...] | None = None

    @abstractmethod
    def build(self, below: Below) -> Head:
        """The head that stands on what is `below`."""

    def n_weights(self, size: int) -> int:
        """Weights of the head on hidden states of `size`, but for what is small beside them."""
        return size * self.n_outputs

    def settle(self, head: Head, inputs: StepInputs | None = None) -> None:
        """Put what is known before training, or shared with the `inputs`, into a `head` that has its first weights."""
        if self.first_bias is not None:
            with torch.no_grad():
                head.linear.bias.copy_(torch.tensor(self.first_bias))
