"""The whole network: inputs, recurrent backbone, pooling and a linear head, whose outputs a chain may join."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sklearn_rnn.networks.chain import marginals, viterbi
from sklearn_rnn.networks.dropout import Dropout
from sklearn_rnn.networks.initialization import initialize
from sklearn_rnn.networks.inputs import CharacterEncoder, InputLayout, StepInputs
from sklearn_rnn.networks.label_chain import LabelChain
from sklearn_rnn.networks.pooling import AttentionPooling, make_pooling, step_mask
from sklearn_rnn.networks.recurrent import RecurrentStack


class RecurrentNetwork(nn.Module):
    """Sequences in, one output a sequence (with `pooling`) or a step (without).

    Parameters
    ----------
    backbone : RecurrentStack
    n_outputs : int
    pooling : {"last", "mean", "max", "attention"} or None
    inputs : StepInputs or None
        For steps that are not plain numbers.
    chain : LabelChain or None
        For labels of steps.
    dropout : float
        Share of the pooled vector, or of each hidden state, dropped before the head.
    tied_dropout : bool
        Whether those of a hidden state are the same at all steps of a sequence.
    """

    def __init__(
        self,
        backbone: RecurrentStack,
        n_outputs: int,
        *,
        pooling: str | None = None,
        inputs: StepInputs | None = None,
        chain: LabelChain | None = None,
        dropout: float = 0.0,
        tied_dropout: bool = False,
    ) -> None:
        super().__init__()
        self.inputs = inputs
        self.backbone = backbone
        self.pooling = None if pooling is None else make_pooling(pooling, backbone.output_size, backbone.direction_size)
        self.dropout = Dropout(dropout, tied_dim=1 if tied_dropout and pooling is None else None)
        self.head = nn.Linear(backbone.output_size, n_outputs)
        self.chain = chain

    def forward(self, values: Tensor, lengths: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """What the loss takes: outputs before any link function, and with a learned chain its scores.

        Parameters
        ----------
        values : tensor of shape (batch, n_steps, n_columns), or (batch, n_steps) of token indices
        lengths : tensor of int, shape (batch,)

        Returns
        -------
        outputs : tensor of shape (batch, n_outputs) or, without pooling, (batch, n_steps, n_outputs)
        chain : tensor of shape (n_outputs + 2, n_outputs), only with a learned chain
        """
        outputs = self.outputs_of(values, lengths)
        return (outputs, self.chain()) if self.chain is not None and self.chain.learned else outputs

    @property
    def token_dim(self) -> int | None:
        """Size of the vector of a token; None where steps are plain numbers."""
        return None if self.inputs is None else self.inputs.token_embedding.embedding_dim

    def outputs_of(self, values: Tensor, lengths: Tensor) -> Tensor:
        """Outputs alone, (batch, n_outputs) or (batch, n_steps, n_outputs)."""
        return self.outputs(self.hidden_states(values, lengths), lengths)

    def predictions(self, outputs: Tensor | tuple[Tensor, Tensor], lengths: Tensor) -> Tensor:
        """What scores are computed from: outputs as they are, or with a chain the best labels (batch, n_steps)."""
        if self.chain is None:
            assert isinstance(outputs, Tensor)
            return outputs
        emissions = outputs if isinstance(outputs, Tensor) else outputs[0]
        return self.best_labels(emissions, lengths)

    def label_marginals(self, emissions: Tensor, lengths: Tensor) -> Tensor:
        """The probability of each label at each step, (batch, n_steps, n_labels)."""
        assert self.chain is not None
        return marginals(emissions, self.chain(), lengths) if self.chain.joins else emissions.softmax(2)

    def best_labels(self, emissions: Tensor, lengths: Tensor) -> Tensor:
        """The most probable label sequence, (batch, n_steps), given `emissions` (batch, n_steps, n_labels)."""
        assert self.chain is not None
        return viterbi(emissions, self.chain(), lengths)[0] if self.chain.joins else emissions.argmax(2)

    def hidden_states(self, values: Tensor, lengths: Tensor) -> Tensor:
        """The last layer's hidden state after each step, (batch, n_steps, units); on padding anything."""
        x = values if self.inputs is None else self.inputs(values)
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
    layout: InputLayout | None,
    character_encoder: str | None = None,
    character_embedding_dim: int = 0,
    character_hidden_size: int = 0,
    hidden_sizes: list[int],
    n_outputs: int,
    pooling: str | None = None,
    cell_type: str,
    bidirectional: bool,
    nonlinearity: str,
    proj_size: int,
    dropout: float,
    recurrent_dropout: float,
    weight_dropout: float = 0.0,
    embedding_dropout: float = 0.0,
    word_dropout: float = 0.0,
    tied_dropout: bool = False,
    residual: bool,
    layer_norm: bool,
    tbptt_steps: int | None,
    weight_init: str,
    chain: str | None = None,
    allowed: Tensor | None = None,
    dtype: torch.dtype,
    seed: int,
) -> RecurrentNetwork:
    """A network with its first weights, made without a draw from torch's global generator.

    Parameters
    ----------
    input_size : int
        Features a step, where steps are plain numbers.
    layout : InputLayout or None
        What the columns of an encoded step are; None for plain numbers.
    character_encoder : {"cnn", "lstm"} or None
    chain : {"crf", "softmax"} or None
        For labels of steps: whether the scores of one label after another are learned.
    allowed : tensor of bool, shape (n_outputs + 2, n_outputs), or None
        Which labels may follow each other; see :class:`LabelChain`.
    seed : int
        Of the generator that the weights are drawn from.

    Returns
    -------
    network : RecurrentNetwork
    """
    with torch.device("meta"):  # torch's layers draw their weights when they are made: here they have no memory yet
        inputs = None
        if layout is not None:
            characters = None
            if character_encoder is not None and layout.max_characters:
                characters = CharacterEncoder(
                    character_encoder, layout.n_characters, character_embedding_dim, character_hidden_size
                )
            inputs = StepInputs(
                layout,
                character_encoder=characters,
                word_dropout=word_dropout,
                dropout=embedding_dropout,
                tied=tied_dropout,
            )
        backbone = RecurrentStack(
            cell_type,
            input_size if inputs is None else inputs.output_size,
            hidden_sizes,
            bidirectional=bidirectional,
            nonlinearity=nonlinearity,
            proj_size=proj_size,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            weight_dropout=weight_dropout,
            tied_dropout=tied_dropout,
            residual=residual,
            layer_norm=layer_norm,
            tbptt_steps=tbptt_steps,
        )
        labels = None
        if chain is not None:
            labels = LabelChain(n_outputs, learned=chain == "crf", constrained=allowed is not None)
        network = RecurrentNetwork(
            backbone,
            n_outputs,
            pooling=pooling,
            inputs=inputs,
            chain=labels,
            dropout=dropout,
            tied_dropout=tied_dropout,
        )
    network = network.to_empty(device="cpu").to(dtype)
    if network.chain is not None and allowed is not None:
        network.chain.allowed.copy_(allowed)
    initialize(network, weight_init, torch.Generator().manual_seed(seed))
    return network
