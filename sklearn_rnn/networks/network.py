"""The whole network: inputs, recurrent backbone with or without convolutions beside it, and head."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from sklearn_rnn.networks.convolutions import ConvolutionBranch, StridedFront
from sklearn_rnn.networks.first_state import FirstState
from sklearn_rnn.networks.heads import Below, Head
from sklearn_rnn.networks.initialization import initialize
from sklearn_rnn.networks.inputs import CharacterEncoder, StepInputs
from sklearn_rnn.networks.ngrams import NgramBranch
from sklearn_rnn.networks.packing import SharedRows
from sklearn_rnn.networks.recurrent import RecurrentStack
from sklearn_rnn.networks.specs import DropoutSpec, InputsSpec, NetworkSpec
from sklearn_rnn.networks.state import State


class RecurrentNetwork(nn.Module):
    """Sequences in, and what the head makes of their hidden states out.

    With convolutions a hidden state is that of the recurrence, with the features of the convolutions behind it.

    Parameters
    ----------
    backbone : RecurrentStack
    head : Head
    inputs : StepInputs or None
        For steps that are not plain numbers.
    front : StridedFront or None
        What makes one step of several, for all that follows.
    convolutions : ConvolutionBranch or None
        What reads the same as the backbone, beside it.
    first_state : FirstState or None
        What the backbone begins from, of columns in front of those of the steps; None where it begins from 0.
    ngrams : NgramBranch or None
        What adds to the outputs of the head, and belongs to it.
    """

    head: Head

    def __init__(
        self,
        backbone: RecurrentStack,
        head: Head,
        inputs: StepInputs | None = None,
        *,
        front: StridedFront | None = None,
        convolutions: ConvolutionBranch | None = None,
        first_state: FirstState | None = None,
        ngrams: NgramBranch | None = None,
    ) -> None:
        super().__init__()
        self.inputs = inputs
        self.front = front
        self.backbone = backbone
        self.convolutions = convolutions
        self.head = head
        self.first_state = first_state
        self.ngrams = ngrams

    def forward(self, values: Tensor, lengths: Tensor, *read: Tensor) -> Tensor:
        """The outputs of the head, before any link function.

        Parameters
        ----------
        values : tensor of shape (batch, n_steps, n_columns), or (batch, n_steps) of token indices
        lengths : tensor of int, shape (batch,)
        *read : tensors of shape (batch, n_target_steps, ...) and (batch,)
            For a decoder, what stands before each step of the target, and how many steps there are.

        Returns
        -------
        outputs : tensor of shape (batch, n_outputs), or where the head has outputs at each step
            (batch, n_steps, n_outputs)
        """
        outputs: Tensor = self.head(*self.encoded(values, lengths), *read)
        return outputs if self.ngrams is None else outputs + self.ngrams(values, lengths)

    @property
    def learned_names(self) -> set[str]:
        """What in the state dict training makes: weights, and what modules name in ``learned_buffers``."""
        buffers = {
            f"{prefix}.{name}" for prefix, part in self.named_modules() for name in getattr(part, "learned_buffers", ())
        }
        return buffers | {name for name, _ in self.named_parameters()}

    @property
    def output_size(self) -> int:
        """Units of a hidden state, with the features of the convolutions."""
        return self.backbone.output_size + (0 if self.convolutions is None else self.convolutions.output_size)

    @property
    def convolves(self) -> bool:
        """Whether there is a convolution over steps, which later ones change too."""
        return self.front is not None or self.convolutions is not None

    @property
    def looks_ahead(self) -> bool:
        """Whether a hidden state, or what is added to the outputs, depends on later steps."""
        return self.backbone.bidirectional or self.convolves or self.ngrams is not None

    @property
    def token_dim(self) -> int | None:
        """Size of the vector of a token; None where steps are plain numbers."""
        return None if self.inputs is None else self.inputs.token_embedding.embedding_dim

    def shortened(self, lengths: Any) -> Any:
        """How many steps of each sequence the recurrence takes, given the `lengths` (n,), an array or a tensor."""
        return lengths if self.front is None else -(-lengths // self.front.stride)

    def groups(self) -> list[nn.Module]:
        """What lies between inputs and head, from the bottom: the front, then each recurrent layer.

        The convolutions belong to the last one.
        """
        front = [] if self.front is None else [self.front]
        *below, top = self.backbone.groups()
        if self.convolutions is not None:
            top.append(self.convolutions)
        return [*front, *below, top]

    def hidden_states(self, values: Tensor, lengths: Tensor) -> Tensor:
        """The last layer's hidden state after each step, (batch, n_steps, units); on padding anything.

        Steps that became one have one state.
        """
        states, _ = self.encoded(values, lengths)
        return states if self.front is None else self.front.spread(states, values.shape[1])

    def advance(self, values: Tensor, lengths: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """As :meth:`hidden_states`, going on from a `state`, and the state after the last step of each sequence.

        Without a state they begin.

        Raises
        ------
        ValueError
            If the network reads in two directions and there is a state, or has convolutions or n-grams.
        """
        if self.ngrams is not None:
            raise ValueError(
                "A network with n-grams looks at whole sequences, and cannot go on from a state: set ngrams=0"
            )
        if self.convolves:
            raise ValueError(
                "A network with convolutions cannot go on from a state: they look at the steps before and after. Set "
                "conv_branch=False and conv_stride=1"
            )
        shared = self.shared(values)
        x = self.read(values, lengths)[0].transpose(0, 1) if shared is None else shared
        hidden, last = self.backbone.advance(x, lengths, self.begun(values) if state is None else state)
        return hidden.transpose(0, 1), last

    def representation(self, values: Tensor, lengths: Tensor) -> Tensor:
        """One vector a sequence, (batch, units): what a pooled head sees, or else the mean of the states."""
        return self.head.representation(*self.encoded(values, lengths))

    def attention_weights(self, values: Tensor, lengths: Tensor) -> Tensor:
        """The weight of each step in that vector, (batch, n_steps); those that became one share its weight evenly."""
        weights = self.head.attention_weights(*self.encoded(values, lengths))  # type: ignore[operator]
        if self.front is None:
            return weights
        n_steps = values.shape[1]
        return self.front.spread(weights, n_steps) / self.front.merged(lengths, n_steps)

    def encoded(self, values: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """The hidden states that the head sees, (batch, n_steps, units), and how many of each sequence, (batch,)."""
        shared = self.shared(values)
        if shared is not None:
            return self.backbone(shared, lengths, self.begun(values)).transpose(0, 1), lengths
        x, lengths = self.read(values, lengths)
        hidden = self.backbone(x.transpose(0, 1), lengths, self.begun(values)).transpose(0, 1)
        if self.convolutions is None:
            return hidden, lengths
        return torch.cat([hidden, self.convolutions(x, lengths)], dim=2), lengths

    def read(self, values: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """What the backbone reads, (batch, n_steps, input_size), and how many steps of each sequence, (batch,)."""
        steps = self.steps(values)
        x = steps if self.inputs is None else self.inputs(steps)
        return (x, lengths) if self.front is None else self.front(x, lengths)

    def steps(self, values: Tensor) -> Tensor:
        """The columns (batch, n_steps, n_columns) of `values` that are read at each step."""
        return values if self.first_state is None else values[:, :, self.first_state.n_columns :]

    def begun(self, values: Tensor) -> State | None:
        """The state before the first step of `values`; None where it is 0."""
        if self.first_state is None:
            return None
        context = values[:, 0, : self.first_state.n_columns]
        return self.first_state(context).to(self.backbone.layers[0].weight.dtype)

    def shared(self, values: Tensor) -> SharedRows | None:
        """What the backbone reads as rows that many steps share, where there are such and it takes them."""
        if self.inputs is None or self.convolves or not self.backbone.may_share():
            return None
        return self.inputs.shared(self.steps(values))


def build_network(spec: NetworkSpec) -> RecurrentNetwork:
    """A network with its first weights, made without a draw from torch's global generator."""
    with torch.device("meta"):  # torch's layers draw their weights when they are made: here they have no memory yet
        inputs = _build_inputs(spec.inputs, spec.dropout)
        size = spec.inputs.n_features if inputs is None else inputs.output_size
        front = StridedFront(size, spec.stride) if spec.stride > 1 else None
        size = size if front is None else front.output_size
        backbone = _build_backbone(spec, size)
        convolutions = None
        if spec.convolutions is not None:
            own = spec.convolutions
            convolutions = ConvolutionBranch(size, own.channels, own.kernel_sizes, own.dilations)
        below = Below(
            backbone.output_size,
            backbone.direction_size,
            convolved=0 if convolutions is None else convolutions.output_size,
            inputs=inputs,
            dropout=spec.dropout.dropout,
            tied_dropout=spec.dropout.tied_dropout,
        )
        head = spec.head.build(below)
        first, ngrams = None, None
        if spec.first_state is not None:
            first = FirstState(spec.first_state, [layer.state_sizes for layer in backbone.layers])
        if spec.ngrams:
            assert spec.inputs.layout is not None
            n_tokens, _ = spec.inputs.layout.embedded[0]
            ngrams = NgramBranch(spec.ngrams, n_tokens, spec.head.n_outputs, dropout=spec.dropout.embedding_dropout)
        network = RecurrentNetwork(
            backbone, head, inputs, front=front, convolutions=convolutions, first_state=first, ngrams=ngrams
        )
    network = network.to_empty(device="cpu").to(spec.dtype)
    initialize(network, spec.weight_init, torch.Generator().manual_seed(spec.seed))
    spec.head.settle(network.head, network.inputs)
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
