"""The whole network: inputs, recurrent backbone and head."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sklearn_rnn.networks.heads import Head
from sklearn_rnn.networks.initialization import initialize
from sklearn_rnn.networks.inputs import CharacterEncoder, StepInputs
from sklearn_rnn.networks.recurrent import RecurrentStack
from sklearn_rnn.networks.specs import DropoutSpec, InputsSpec, NetworkSpec
from sklearn_rnn.networks.state import State


class RecurrentNetwork(nn.Module):
    """Sequences in, and what the head makes of their hidden states out.

    Parameters
    ----------
    backbone : RecurrentStack
    head : Head
    inputs : StepInputs or None
        For steps that are not plain numbers.
    """

    head: Head

    def __init__(self, backbone: RecurrentStack, head: Head, inputs: StepInputs | None = None) -> None:
        super().__init__()
        self.inputs = inputs
        self.backbone = backbone
        self.head = head

    def forward(self, values: Tensor, lengths: Tensor) -> Tensor:
        """The outputs of the head, before any link function.

        Parameters
        ----------
        values : tensor of shape (batch, n_steps, n_columns), or (batch, n_steps) of token indices
        lengths : tensor of int, shape (batch,)

        Returns
        -------
        outputs : tensor of shape (batch, n_outputs), or where the head has outputs at each step
            (batch, n_steps, n_outputs)
        """
        return self.head(self.hidden_states(values, lengths), lengths)

    @property
    def token_dim(self) -> int | None:
        """Size of the vector of a token; None where steps are plain numbers."""
        return None if self.inputs is None else self.inputs.token_embedding.embedding_dim

    def hidden_states(self, values: Tensor, lengths: Tensor) -> Tensor:
        """The last layer's hidden state after each step, (batch, n_steps, units); on padding anything."""
        x = values if self.inputs is None else self.inputs(values)
        return self.backbone(x.transpose(0, 1), lengths).transpose(0, 1)

    def advance(self, values: Tensor, lengths: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """As :meth:`hidden_states`, going on from a `state`, and the state after the last step of each sequence.

        Raises
        ------
        ValueError
            If the network reads in two directions and there is a state.
        """
        x = values if self.inputs is None else self.inputs(values)
        hidden, last = self.backbone.advance(x.transpose(0, 1), lengths, state)
        return hidden.transpose(0, 1), last

    def representation(self, values: Tensor, lengths: Tensor) -> Tensor:
        """One vector a sequence, (batch, units): what a pooled head sees, or else the mean of the states."""
        return self.head.representation(self.hidden_states(values, lengths), lengths)


def build_network(spec: NetworkSpec) -> RecurrentNetwork:
    """A network with its first weights, made without a draw from torch's global generator."""
    with torch.device("meta"):  # torch's layers draw their weights when they are made: here they have no memory yet
        inputs = _build_inputs(spec.inputs, spec.dropout)
        backbone = _build_backbone(spec, spec.inputs.n_features if inputs is None else inputs.output_size)
        head = spec.head.build(
            backbone.output_size,
            backbone.direction_size,
            dropout=spec.dropout.dropout,
            tied_dropout=spec.dropout.tied_dropout,
        )
        network = RecurrentNetwork(backbone, head, inputs)
    network = network.to_empty(device="cpu").to(spec.dtype)
    initialize(network, spec.weight_init, torch.Generator().manual_seed(spec.seed))
    spec.head.settle(network.head)
    return network


def _build_inputs(spec: InputsSpec, dropout: DropoutSpec) -> StepInputs | None:
    layout = spec.layout
    if layout is None:
        return None
    characters = None
    if spec.char_encoder is not None and layout.max_characters:
        characters = CharacterEncoder(
            spec.char_encoder, layout.n_characters, spec.char_embedding_dim, spec.char_hidden_size
        )
    return StepInputs(
        layout,
        character_encoder=characters,
        word_dropout=dropout.word_dropout,
        dropout=dropout.embedding_dropout,
        tied=dropout.tied_dropout,
    )


def _build_backbone(spec: NetworkSpec, input_size: int) -> RecurrentStack:
    backbone, dropout = spec.backbone, spec.dropout
    return RecurrentStack(
        backbone.cell_type,
        input_size,
        backbone.hidden_sizes,
        bidirectional=backbone.bidirectional,
        nonlinearity=backbone.nonlinearity,
        proj_size=backbone.proj_size,
        dropout=dropout.dropout,
        recurrent_dropout=dropout.recurrent_dropout,
        weight_dropout=dropout.weight_dropout,
        tied_dropout=dropout.tied_dropout,
        residual=backbone.residual,
        layer_norm=backbone.layer_norm,
        tbptt_steps=spec.tbptt_steps,
    )
