"""The whole network: embedding, recurrent backbone, pooling and a linear head."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sklearn_rnn.networks.dropout import Dropout
from sklearn_rnn.networks.initialization import initialize
from sklearn_rnn.networks.pooling import AttentionPooling, make_pooling, step_mask
from sklearn_rnn.networks.recurrent import RecurrentStack


class RecurrentNetwork(nn.Module):
    """Sequences in, one output a sequence (with `pooling`) or a step (without).

    Parameters
    ----------
    backbone : RecurrentStack
    n_outputs : int
    pooling : {"last", "mean", "max", "attention"} or None
    embedding : torch.nn.Embedding or None
        For token indices.
    dropout : float
        Share of the pooled vector dropped before the head.
    """

    def __init__(
        self,
        backbone: RecurrentStack,
        n_outputs: int,
        *,
        pooling: str | None = None,
        embedding: nn.Embedding | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.backbone = backbone
        self.pooling = None if pooling is None else make_pooling(pooling, backbone.output_size, backbone.direction_size)
        self.dropout = Dropout(dropout)
        self.head = nn.Linear(backbone.output_size, n_outputs)

    def forward(self, values: Tensor, lengths: Tensor) -> Tensor:
        """Outputs before any link function.

        Parameters
        ----------
        values : tensor of shape (batch, n_steps, n_features), or (batch, n_steps) of token indices
        lengths : tensor of int, shape (batch,)

        Returns
        -------
        outputs : tensor of shape (batch, n_outputs) or, without pooling, (batch, n_steps, n_outputs)
        """
        return self.outputs(self.hidden_states(values, lengths), lengths)

    def hidden_states(self, values: Tensor, lengths: Tensor) -> Tensor:
        """The last layer's hidden state after each step, (batch, n_steps, units); on padding anything."""
        x = values if self.embedding is None else self.embedding(values)
        return self.backbone(x.transpose(0, 1), lengths).transpose(0, 1)

    def outputs(self, states: Tensor, lengths: Tensor) -> Tensor:
        """The outputs that belong to `states` (batch, n_steps, units)."""
        pooled = states if self.pooling is None else self.pooling(states, lengths)
        return self.head(self.dropout(pooled))

    def representation(self, values: Tensor, lengths: Tensor) -> Tensor:
        """The vector that the head sees, (batch, units): the pooled states, or without pooling their mean."""
        states = self.hidden_states(values, lengths)
        if self.pooling is not None:
            return self.pooling(states, lengths)
        inside = step_mask(lengths, states.shape[1])[:, :, None]
        return torch.where(inside, states, 0).sum(1) / lengths.clamp(min=1)[:, None]

    def attention_weights(self, values: Tensor, lengths: Tensor) -> Tensor:
        """The weight of each step in the pooling, (batch, n_steps)."""
        assert isinstance(self.pooling, AttentionPooling)
        return self.pooling.weights(self.hidden_states(values, lengths), lengths)


def build_network(
    *,
    input_size: int,
    n_tokens: int | None,
    embedding_dim: int,
    hidden_sizes: list[int],
    n_outputs: int,
    pooling: str | None,
    cell_type: str,
    bidirectional: bool,
    nonlinearity: str,
    proj_size: int,
    dropout: float,
    recurrent_dropout: float,
    residual: bool,
    layer_norm: bool,
    tbptt_steps: int | None,
    weight_init: str,
    dtype: torch.dtype,
    seed: int,
) -> RecurrentNetwork:
    """A network with its first weights, made without a draw from torch's global generator.

    Parameters
    ----------
    input_size : int
        Features a step; ignored for tokens.
    n_tokens : int or None
        Rows of the embedding, row 0 for unknown tokens; None for numeric steps.
    seed : int
        Of the generator that the weights are drawn from.

    Returns
    -------
    network : RecurrentNetwork
    """
    with torch.device("meta"):  # torch's layers draw their weights when they are made: here they have no memory yet
        backbone = RecurrentStack(
            cell_type,
            input_size if n_tokens is None else embedding_dim,
            hidden_sizes,
            bidirectional=bidirectional,
            nonlinearity=nonlinearity,
            proj_size=proj_size,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            residual=residual,
            layer_norm=layer_norm,
            tbptt_steps=tbptt_steps,
        )
        embedding = None if n_tokens is None else nn.Embedding(n_tokens, embedding_dim)
        network = RecurrentNetwork(backbone, n_outputs, pooling=pooling, embedding=embedding, dropout=dropout)
    network = network.to_empty(device="cpu").to(dtype)
    initialize(network, weight_init, torch.Generator().manual_seed(seed))
    return network
