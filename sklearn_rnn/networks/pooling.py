"""From the hidden states of all steps to one vector a sequence."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def step_mask(lengths: Tensor, n_steps: int) -> Tensor:
    """True where a step belongs to its sequence, shape (batch, n_steps)."""
    return torch.arange(n_steps, device=lengths.device) < lengths[:, None]


class LastPooling(nn.Module):
    """The state after the last step; of a backward direction, the state after the first.

    Parameters
    ----------
    direction_size : int
        Units of one direction.
    """

    def __init__(self, direction_size: int) -> None:
        super().__init__()
        self.direction_size = direction_size
        self.dtype: torch.dtype | None = None  # of what is returned, where it is not that of the states

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """Pool `states` (batch, n_steps, units) to (batch, units)."""
        pooled = self._pool(states, lengths)
        return pooled if self.dtype is None else pooled.to(self.dtype)

    def _pool(self, states: Tensor, lengths: Tensor) -> Tensor:
        if states.device.type == "cpu" and int(lengths.min()) == states.shape[1]:
            forward = states[:, -1, : self.direction_size]
        else:
            rows = (lengths - 1)[:, None, None].expand(-1, 1, self.direction_size)
            forward = states.gather(1, rows)[:, 0]
        if self.direction_size == states.shape[2]:
            return forward
        return torch.cat([forward, states[:, 0, self.direction_size :]], dim=1)


class MeanPooling(nn.Module):
    """The mean of the states over the steps of each sequence."""

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """Pool `states` (batch, n_steps, units) to (batch, units)."""
        inside = step_mask(lengths, states.shape[1])[:, :, None]
        return torch.where(inside, states, 0).sum(1) / lengths[:, None]


class MaxPooling(nn.Module):
    """The greatest value of each unit over the steps of each sequence."""

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """Pool `states` (batch, n_steps, units) to (batch, units)."""
        inside = step_mask(lengths, states.shape[1])[:, :, None]
        return states.masked_fill(~inside, -torch.inf).amax(1)


class AttentionPooling(nn.Module):
    """A weighted mean with learned weights, ``softmax(v . tanh(W h_t + b))`` over the steps (Yang et al. 2016).

    Parameters
    ----------
    size : int
        Units of a hidden state.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.project = nn.Linear(size, size)
        self.score = nn.Linear(size, 1, bias=False)

    def weights(self, states: Tensor, lengths: Tensor) -> Tensor:
        """The weight of each step, (batch, n_steps): sums to 1 over each sequence and is 0 on padding."""
        scores = self.score(torch.tanh(self.project(states)))[:, :, 0]
        return scores.masked_fill(~step_mask(lengths, states.shape[1]), -torch.inf).softmax(1)

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """Pool `states` (batch, n_steps, units) to (batch, units)."""
        inside = step_mask(lengths, states.shape[1])[:, :, None]
        return torch.einsum("bt,btu->bu", self.weights(states, lengths), torch.where(inside, states, 0))


def make_pooling(pooling: str, size: int, direction_size: int) -> nn.Module:
    """The pooling of that name, for states of `size` units, `direction_size` of them in each direction."""
    if pooling == "last":
        return LastPooling(direction_size)
    if pooling == "attention":
        return AttentionPooling(size)
    return {"mean": MeanPooling, "max": MaxPooling}[pooling]()
