"""The state before the first step, where a sequence depends on something as a whole."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sklearn_rnn.networks.specs import FirstStateSpec
from sklearn_rnn.networks.state import State


class FirstState(nn.Module):
    """A linear map of the context of a sequence, a label or numbers, to the first state of all layers.

    A tanh keeps each of its numbers between -1 and 1, as hidden states are.

    Parameters
    ----------
    spec : FirstStateSpec
    sizes : sequence of sequences of int
        For each layer the units of the parts of its state.
    """

    def __init__(self, spec: FirstStateSpec, sizes: Sequence[Sequence[int]]) -> None:
        super().__init__()
        self.n_columns = spec.n_columns
        self.sizes = [list(parts) for parts in sizes]
        self.embedding = nn.Embedding(spec.n_labels, spec.label_size) if spec.n_labels else None
        self.linear = nn.Linear(spec.label_size + spec.n_numbers, sum(map(sum, self.sizes)))

    def of_steps(self, values: Tensor) -> State:
        """The state of sequences whose first steps, with the context in front, are `values` (n, n_columns)."""
        with torch.inference_mode():
            found: State = self(values[:, : self.n_columns].to(self.linear.weight.device))
        return found

    def forward(self, context: Tensor) -> State:
        """The state of sequences with the `context` (batch, n_columns)."""
        numbers = context
        if self.embedding is not None:
            numbers = torch.cat([self.embedding(context[:, 0].long()), context[:, 1:]], dim=1)
        units = torch.tanh(self.linear(numbers.to(self.linear.weight.dtype)))[None]
        # shape: (1, batch, units of all parts)
        parts = iter(units.split([size for layer in self.sizes for size in layer], dim=2))
        return State(tuple(tuple(next(parts) for _ in layer) for layer in self.sizes))
