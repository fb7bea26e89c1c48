"""One row of outputs for each sequence."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from sklearn_rnn.networks.dropout import Dropout
from sklearn_rnn.networks.heads.base import Head, HeadSpec
from sklearn_rnn.networks.inputs import StepInputs
from sklearn_rnn.networks.pooling import make_pooling


class PooledHead(Head):
    """The hidden states of a sequence become one vector, and a linear map makes outputs of it.

    Parameters
    ----------
    pooling : {"last", "mean", "max", "concat", "attention"}
    size : int
        Units of a hidden state of the recurrence.
    direction_size : int
        Units of one direction.
    n_outputs : int
    dropout : float
        Share of the pooled vector dropped before the linear map.
    convolved : int
        Features of convolutions behind the units of a hidden state, which have a pooling of their own.
    """

    def __init__(
        self,
        pooling: str,
        size: int,
        direction_size: int,
        n_outputs: int,
        *,
        dropout: float = 0.0,
        convolved: int = 0,
    ) -> None:
        super().__init__()
        self.pooling = make_pooling(pooling, size, direction_size, convolved)
        self.dropout = Dropout(dropout)
        self.linear = nn.Linear(self.pooling.output_size, n_outputs)

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """Outputs (batch, n_outputs), before any link function, of `states` (batch, n_steps, size + convolved)."""
        return self.outputs_of(self.representation(states, lengths))

    def outputs_of(self, pooled: Tensor) -> Tensor:
        """Outputs (batch, n_outputs) of pooled vectors (batch, linear.in_features)."""
        return self.linear(self.dropout(pooled))

    def representation(self, states: Tensor, lengths: Tensor) -> Tensor:
        """The vector (batch, linear.in_features) that the linear map reads."""
        return self.pooling(states, lengths)

    def attention_weights(self, states: Tensor, lengths: Tensor) -> Tensor:
        """The weight of each step in the vector, (batch, n_steps)."""
        return self.pooling.weights(states, lengths)


@dataclass(frozen=True)
class PooledHeadSpec(HeadSpec):
    """What a :class:`PooledHead` is built from.

    Attributes
    ----------
    pooling : {"last", "mean", "max", "concat", "attention"}
    """

    pooling: str = "last"

    def build(
        self,
        size: int,
        direction_size: int,
        *,
        dropout: float,
        tied_dropout: bool,
        convolved: int = 0,
        inputs: StepInputs | None = None,
    ) -> PooledHead:
        return PooledHead(self.pooling, size, direction_size, self.n_outputs, dropout=dropout, convolved=convolved)
