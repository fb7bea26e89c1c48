"""The recurrent backbone: layers with what lies between them, over padded batches, from a state to a state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor, nn

from sklearn_rnn.networks.dropout import Dropout
from sklearn_rnn.networks.layer import RecurrentLayer
from sklearn_rnn.networks.packing import Packing, SharedRows
from sklearn_rnn.networks.state import Parts, State


class Layers(nn.ModuleList):
    """Recurrent layers, and their type."""

    def __iter__(self) -> Iterator[RecurrentLayer]:
        return super().__iter__()  # type: ignore[return-value]

    def __getitem__(self, index: int) -> RecurrentLayer:  # type: ignore[override]
        return super().__getitem__(index)  # type: ignore[return-value]


def _read(part: nn.Module, x: Tensor) -> Tensor:
    """What `part` makes of `x` in the type of its weights, if it has any."""
    weight = getattr(part, "weight", None)
    read: Tensor = part(x if weight is None else x.to(weight.dtype))
    return read


class RecurrentStack(nn.Module):
    """Recurrent layers with skip connections, layer normalisation and dropout between them.

    Each of these parts reads what it gets in the type of its own weights.

    Parameters
    ----------
    cell_type : str
        One of ``cells.CELLS``.
    input_size : int
    hidden_sizes : sequence of int
        One for each layer.
    dropout : float
        Share of a layer's hidden states dropped on the way to the next layer.
    residual : bool
        Add the input of each layer to its output, through a learned linear map where the sizes differ.
    layer_norm : bool
        Normalise the output of each layer over its units (Ba et al. 2016).
    tied_dropout : bool
        Whether the values that `dropout` drops are the same at all steps of a sequence.
    tbptt_steps : int or None
        Where training is to cut the gradient through the state; see :class:`~.truncated.TruncatedPass`.
    bidirectional, nonlinearity, proj_size, recurrent_dropout, weight_dropout
        As in :class:`RecurrentLayer`.
    """

    def __init__(
        self,
        cell_type: str,
        input_size: int,
        hidden_sizes: Sequence[int],
        *,
        bidirectional: bool = False,
        nonlinearity: str = "tanh",
        proj_size: int = 0,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        weight_dropout: float = 0.0,
        tied_dropout: bool = False,
        residual: bool = False,
        layer_norm: bool = False,
        tbptt_steps: int | None = None,
    ) -> None:
        super().__init__()
        self.layers = Layers()
        self.skips = nn.ModuleList()
        self.norms = nn.ModuleList()
        for hidden_size in hidden_sizes:
            layer = RecurrentLayer(
                cell_type,
                input_size,
                hidden_size,
                bidirectional=bidirectional,
                nonlinearity=nonlinearity,
                proj_size=proj_size,
                recurrent_dropout=recurrent_dropout,
                weight_dropout=weight_dropout,
            )
            same_size = input_size == layer.output_size
            self.layers.append(layer)
            if residual:
                self.skips.append(nn.Identity() if same_size else nn.Linear(input_size, layer.output_size, bias=False))
            if layer_norm:
                self.norms.append(nn.LayerNorm(layer.output_size))
            input_size = layer.output_size
        self.dropout = Dropout(dropout, tied_dim=0 if tied_dropout else None)
        self.output_size = input_size
        self.tbptt_steps = tbptt_steps

    @property
    def direction_size(self) -> int:
        """Units of one direction of the last layer."""
        return self.layers[-1].direction_size

    @property
    def bidirectional(self) -> bool:
        """Whether a state depends on later steps."""
        return len(self.layers[-1].directions) > 1

    def left_to_torch(self, engine: str) -> bool:
        """Whether there is a layer that kernels do not compute, wherever it is, with the engine of that name."""
        return any(layer.left_to_torch(engine) for layer in self.layers)

    def may_fuse(self) -> bool:
        """Whether kernels can compute all layers, and the engine in use wants them to."""
        return all(layer.may_fuse() for layer in self.layers)

    def groups(self) -> list[nn.ModuleList]:
        """For each layer, from the bottom, what belongs to it: the recurrence, its skip connection and its norm."""
        parts = [part for part in (self.layers, self.skips, self.norms) if len(part)]
        return [nn.ModuleList(group) for group in zip(*parts, strict=True)]

    def may_share(self) -> bool:
        """Whether inputs may come as rows that many steps share: all layers are computed by kernels, and no others."""
        return not len(self.skips) and self.may_fuse()

    def forward(self, x: Tensor | SharedRows, lengths: Tensor, state: State | None = None) -> Tensor:
        """Map `x` (n_steps, batch, input_size) to the last layer's hidden states (n_steps, batch, output_size).

        A `state` that is given is that before the first step. Where :meth:`may_share` says so `x` may be shared rows.
        """
        self._check_goes_on(state)
        return self._run(x, lengths, state, len(self.layers), last=False)[0]

    def advance(self, x: Tensor | SharedRows, lengths: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """As :meth:`forward`, and the state after the last step of each sequence.

        That of a sequence without steps is the one that was given. The second direction of a layer comes to the first
        step last.

        Raises
        ------
        ValueError
            If there are two directions and a state.
        """
        self._check_goes_on(state)
        return self.between(x, lengths, state)

    def between(
        self, x: Tensor | SharedRows, lengths: Tensor, state: State | None = None, *, depth: int | None = None
    ) -> tuple[Tensor, State]:
        """As :meth:`advance`, for a stretch of longer sequences; `depth` is the number of layers to compute.

        A state says how the first direction enters the first step, and how the second enters the last.
        """
        hidden, parts = self._run(x, lengths, state, len(self.layers) if depth is None else depth, last=True)
        return hidden, State(tuple(parts))

    def zero_state(self, batch_size: int) -> State:
        """The state before the first step."""
        first = self.layers[0]
        sizes = [layer.state_sizes for layer in self.layers]
        return State.zeros(sizes, len(first.directions), batch_size, first.weight.detach())

    def _run(
        self, x: Tensor | SharedRows, lengths: Tensor, state: State | None, depth: int, *, last: bool
    ) -> tuple[Tensor, list[Parts]]:
        packing = Packing(lengths) if self.may_fuse() else None
        where = lengths if packing is None else packing
        n_steps = x.index.shape[1] if isinstance(x, SharedRows) else x.shape[0]
        if packing is not None and isinstance(x, Tensor):
            x = packing.pack(x) if len(self.skips) else x.transpose(0, 1)
        ends = []
        for k, layer in zip(range(depth), self.layers, strict=False):
            entering = self.dropout(x, packing) if k else x
            start = None if state is None else state.layers[k]
            if last:
                hidden, end = layer.advance(entering, where, start)
                ends.append(end)
            else:
                hidden = layer(entering, where, start)
            if len(self.skips):
                assert isinstance(x, Tensor)
                hidden = hidden + _read(self.skips[k], x)
            x = _read(self.norms[k], hidden) if len(self.norms) else hidden
        assert isinstance(x, Tensor)
        return x if packing is None else packing.unpack(x, n_steps), ends

    def _check_goes_on(self, state: State | None) -> None:
        if state is not None and self.bidirectional:
            raise ValueError(
                "A bidirectional network cannot go on from a state: its second direction reads a sequence from the "
                "end, so that what comes later changes all states before it. Set bidirectional=False"
            )
