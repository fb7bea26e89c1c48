"""A sequence of its own length from the hidden states of another one: a recurrence that looks at them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sklearn_rnn.networks.attention import Attention
from sklearn_rnn.networks.dropout import Dropout
from sklearn_rnn.networks.heads.base import Below, Head, HeadSpec
from sklearn_rnn.networks.heads.step import StepHead
from sklearn_rnn.networks.inputs import InputLayout, StepInputs
from sklearn_rnn.networks.pooling import LastPooling
from sklearn_rnn.networks.recurrent import RecurrentStack
from sklearn_rnn.networks.scheduled import ScheduledSampling
from sklearn_rnn.networks.softmax import portions
from sklearn_rnn.networks.state import State


class Memory(NamedTuple):
    """What a decoder looks at: states of the encoder (n_sources, n_steps, size), keys, and lengths (n_sources,).

    Where several rows of a batch look at one source, `places` are two tensors (batch,): which source it is, and which
    one of those rows. Else row i looks at source i.
    """

    states: Tensor
    keys: Tensor
    lengths: Tensor
    places: tuple[Tensor, Tensor] | None = None

    def take(self, rows: Tensor) -> Memory:
        """That of the sources `rows` (n,)."""
        return Memory(self.states[rows], self.keys[rows], self.lengths[rows])

    def seen(self, attention: Attention, queries: Tensor) -> tuple[Tensor, Tensor]:
        """What each query sees, (batch, n_queries, size), and the weights (batch, n_queries, n_steps).

        `queries` are (batch, n_queries, query_size), of which there is one for each row if rows share sources.
        """
        if self.places is None:
            seen: tuple[Tensor, Tensor] = attention(queries, self.keys, self.states, self.lengths)
            return seen
        source, which = self.places
        together = queries.new_zeros(len(self.states), int(which.max()) + 1, queries.shape[2])
        together[source, which] = queries[:, 0]
        found, weights = attention(together, self.keys, self.states, self.lengths)
        return found[source, which][:, None], weights[source, which][:, None]


class DecoderState(NamedTuple):
    """Where a decoder is: states of the layers below and above the attention, and what it last said (batch, units)."""

    lower: State
    upper: State | None
    said: Tensor

    def take(self, rows: Tensor) -> DecoderState:
        """That of the sequences `rows` (n,)."""
        return DecoderState(self.lower.take(rows), self.upper and self.upper.take(rows), self.said[rows])

    def put(self, rows: Tensor, state: DecoderState) -> None:
        """Let `state` be that of the sequences `rows` (n,)."""
        self.lower.put(rows, state.lower)
        if self.upper is not None and state.upper is not None:
            self.upper.put(rows, state.upper)
        self.said[rows] = state.said.to(self.said.dtype)


@dataclass(frozen=True)
class DecoderSpec:
    """What the layers of a decoder are.

    Attributes
    ----------
    cell_type : str
    hidden_sizes : tuple of int
        Units of each layer.
    nonlinearity : {"tanh", "relu"}
    layer_norm : bool
    attention : {"general", "dot", "additive"} or None
    attend : {"between", "after", "feed"}
        Where attention is: between the first layer and the second, which reads what it saw; after the last one; or
        after the last one with what it made fed into the first layer at the next step (input feeding).
    embedding_dropout, word_dropout : float
        Of what was said before.
    share_embeddings : bool
        Whether what is said has the vectors of what the encoder reads.
    scheduled_sampling : float
        Share of the steps of a target that are read in training as they would have been said.
    """

    cell_type: str = "gru"
    hidden_sizes: tuple[int, ...] = (64,)
    nonlinearity: str = "tanh"
    layer_norm: bool = False
    attention: str | None = "general"
    attend: str = "between"
    embedding_dropout: float = 0.0
    word_dropout: float = 0.0
    share_embeddings: bool = False
    scheduled_sampling: float = 0.0


class DecoderHead(Head):
    """Recurrent layers that begin where the encoder has ended and look at its states, and outputs at each step.

    Parameters
    ----------
    size, direction_size : int
        Units of a hidden state of the encoder, and of one direction.
    layers : DecoderSpec
    output : HeadSpec
        What makes outputs of a step.
    inputs : StepInputs or None
        Embeds what was said before; None where it is numbers.
    input_size : int
        Size of what was said before, embedded.
    dropout : float
    tied_dropout : bool
    """

    def __init__(
        self,
        size: int,
        direction_size: int,
        layers: DecoderSpec,
        output: HeadSpec,
        *,
        inputs: StepInputs | None,
        input_size: int,
        dropout: float = 0.0,
        tied_dropout: bool = False,
    ) -> None:
        super().__init__()
        self.scheduled = ScheduledSampling(layers.scheduled_sampling)
        self.pooling = LastPooling(size, direction_size)
        self.inputs = inputs
        self.attend = "none" if layers.attention is None else layers.attend
        between, hidden_sizes = self.attend == "between", layers.hidden_sizes
        if between and len(hidden_sizes) < 2:
            raise ValueError(
                f"attend='between' puts attention between layers of the decoder, which has {len(hidden_sizes)}: give "
                f"it 2, or set attend='after'"
            )
        below = hidden_sizes[:1] if between else hidden_sizes
        fed = hidden_sizes[-1] if self.attend == "feed" else 0
        build = partial(
            RecurrentStack,
            layers.cell_type,
            nonlinearity=layers.nonlinearity,
            layer_norm=layers.layer_norm,
            dropout=dropout,
            tied_dropout=tied_dropout,
        )
        self.lower = build(input_size + fed, below)
        units = self.lower.output_size
        self.attention = None if layers.attention is None else Attention(layers.attention, units, size)
        self.upper, self.combine = None, None
        self.dropout = Dropout(dropout, tied_dim=1 if tied_dropout else None)
        if between:
            self.upper = build(units + size, hidden_sizes[1:])
        elif self.attention is not None:
            self.combine = nn.Linear(units + size, units)
        parts = [*self.lower.layers, *(self.upper.layers if self.upper is not None else [])]
        self.bridges = nn.ModuleList(nn.Linear(size, part) for layer in parts for part in layer.state_sizes)
        said = (self.upper or self.lower).output_size
        built = output.build(Below(said, said, inputs=inputs, dropout=dropout, tied_dropout=tied_dropout))
        assert isinstance(built, StepHead), "a decoder says something at each step"
        self.output = built

    @property
    def linear(self) -> nn.Linear:  # type: ignore[override]  # whoever sets it sets that of the output
        return self.output.linear

    @property
    def distribution(self) -> Head:
        return self.output

    def representation(self, states: Tensor, lengths: Tensor) -> Tensor:
        """What of a source the decoder begins with, (batch, size)."""
        return self.pooling(states, lengths)

    def forward(
        self, states: Tensor, lengths: Tensor, read: Tensor | None = None, read_lengths: Tensor | None = None
    ) -> Tensor:
        """Outputs at each step of targets.

        Parameters
        ----------
        states : tensor of shape (batch, n_steps, size)
            Of the encoder.
        lengths : tensor of int, shape (batch,)
        read : tensor of shape (batch, n_target_steps, ...)
            What stands before each step of the target.
        read_lengths : tensor of int, shape (batch,)

        Returns
        -------
        outputs : tensor of shape (batch, n_target_steps, n_outputs)
        """
        assert read is not None, "a decoder is trained on targets"
        assert read_lengths is not None
        memory, first = self.memory(states, lengths), self.first_state(states, lengths)
        if self.training and self.scheduled.share:
            with torch.no_grad():
                said = self.advance(read, read_lengths, memory, first)[0]
                read = self.scheduled(read, self._best(said))
        said = self.advance(read, read_lengths, memory, first)[0]
        return self.output(said, read_lengths)

    def _best(self, said: Tensor) -> Tensor:
        """The symbols (batch, n_steps) of the greatest outputs, of which a part is in memory at a time."""
        rows = said.flatten(0, 1)
        parts = portions(len(rows), self.output.n_outputs, rows.device)
        return torch.cat([self.output.outputs_of(rows[part]).argmax(1) for part in parts]).view(said.shape[:2])

    def memory(self, states: Tensor, lengths: Tensor) -> Memory:
        """What the decoder looks at, for `states` (batch, n_steps, size) of the encoder."""
        states = states.to(self.output.linear.weight.dtype)  # kernels leave those of a prediction in a narrower one
        return Memory(states, states if self.attention is None else self.attention.keys(states), lengths)

    def first_state(self, states: Tensor, lengths: Tensor) -> DecoderState:
        """Where the decoder begins, from where the encoder has ended."""
        last = self.pooling(states, lengths).to(self.output.linear.weight.dtype)
        parts = iter(self.bridges)

        def of(stack: RecurrentStack) -> State:
            made = []
            for layer in stack.layers:
                like = layer.weight.dtype
                made.append(tuple(torch.tanh(next(parts)(last))[None].to(like) for _ in layer.state_sizes))
            return State(tuple(made))

        lower = of(self.lower)
        upper = None if self.upper is None else of(self.upper)
        return DecoderState(lower, upper, last.new_zeros(len(last), (self.upper or self.lower).output_size))

    def advance(
        self, read: Tensor, lengths: Tensor, memory: Memory, state: DecoderState
    ) -> tuple[Tensor, DecoderState, Tensor | None]:
        """Go on by some steps.

        Returns
        -------
        said : tensor of shape (batch, n_steps, units)
            What the outputs are made of.
        state : DecoderState
        weights : tensor of shape (batch, n_steps, n_source_steps) or None
            Of the attention.
        """
        x = read if self.inputs is None else self.inputs(read)
        if self.attend == "feed":
            return self._step_by_step(x, lengths, memory, state)
        hidden, lower = self._through(self.lower, x, lengths, state.lower)
        if self.attention is None:
            return hidden, DecoderState(lower, None, state.said), None
        context, weights = memory.seen(self.attention, hidden)
        seen = torch.cat([hidden, context], dim=2)
        if self.upper is None:
            assert self.combine is not None
            return torch.tanh(self.combine(self.dropout(seen))), DecoderState(lower, None, state.said), weights
        assert state.upper is not None
        said, upper = self._through(self.upper, self.dropout(seen), lengths, state.upper)
        return said, DecoderState(lower, upper, state.said), weights

    def _step_by_step(
        self, x: Tensor, lengths: Tensor, memory: Memory, state: DecoderState
    ) -> tuple[Tensor, DecoderState, Tensor]:
        """As :meth:`advance`, where each step reads what the one before has said."""
        assert self.attention is not None
        assert self.combine is not None
        all_said, all_weights = [], []
        lower, said = state.lower, state.said
        for t in range(x.shape[1]):
            here = (lengths > t).to(lengths.dtype)
            hidden, lower = self._through(self.lower, torch.cat([x[:, t], said], dim=1)[:, None], here, lower)
            context, weights = memory.seen(self.attention, hidden)
            seen = torch.cat([hidden, context], dim=2)
            said = torch.tanh(self.combine(self.dropout(seen)))[:, 0]
            all_said.append(said)
            all_weights.append(weights[:, 0])
        return torch.stack(all_said, dim=1), DecoderState(lower, None, said), torch.stack(all_weights, dim=1)

    @staticmethod
    def _through(stack: RecurrentStack, x: Tensor, lengths: Tensor, state: State) -> tuple[Tensor, State]:
        """Hidden states (batch, n_steps, units) of a stack, in the type of what it reads, and its last state."""
        hidden, last = stack.advance(x.transpose(0, 1), lengths, state)
        return hidden.transpose(0, 1).to(x.dtype), last


@dataclass(frozen=True, kw_only=True)
class DecoderHeadSpec(HeadSpec):
    """What a :class:`DecoderHead` is built from.

    Attributes
    ----------
    layers : DecoderSpec
    output : HeadSpec
    layout : InputLayout or None
        What the columns of a step of a target are; None where it is numbers.
    n_features : int
        Numbers of a step of a target.
    """

    layers: DecoderSpec
    output: HeadSpec
    layout: InputLayout | None = None
    n_features: int = 0

    def build(self, below: Below) -> DecoderHead:
        own, layers = None, self.layers
        if self.layout is not None:
            own = StepInputs(
                self.layout, word_dropout=layers.word_dropout, dropout=layers.embedding_dropout, tied=below.tied_dropout
            )
        return DecoderHead(
            below.width,
            below.direction_size,
            layers,
            self.output,
            inputs=own,
            input_size=self.n_features if own is None else own.output_size,
            **below.dropped,
        )

    def settle(self, head: Head, inputs: StepInputs | None = None) -> None:
        assert isinstance(head, DecoderHead)
        if self.layers.share_embeddings:
            assert head.inputs is not None
            if inputs is None or inputs.token_embedding.weight.shape != head.inputs.token_embedding.weight.shape:
                raise ValueError("share_embeddings=True needs the same vocabulary of sources and targets")
            head.inputs.token_embedding.weight = inputs.token_embedding.weight
        self.output.settle(head.output, head.inputs)

    def n_weights(self, size: int) -> int:
        sizes = self.layers.hidden_sizes
        return self.output.n_weights(sizes[-1]) + 12 * sum(units * (units + size) for units in sizes)
