"""From the hidden states of all steps to one vector a sequence, at once or from one stretch of steps after another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sklearn_rnn.networks.state import Parts


def step_mask(lengths: Tensor, n_steps: int) -> Tensor:
    """True where a step belongs to its sequence, shape (batch, n_steps)."""
    return torch.arange(n_steps, device=lengths.device) < lengths[:, None]


class Pooling(nn.Module, ABC):
    """A vector for each sequence from the states of its steps.

    What goes on from one stretch to the next is a tuple of tensors (batch, ...), the running values.

    Parameters
    ----------
    output_size : int
        Numbers of that vector.

    Attributes
    ----------
    n_running : int
        How many tensors the running values are.
    """

    n_running = 2

    def __init__(self, output_size: int) -> None:
        super().__init__()
        self.output_size = output_size

    def weights(self, states: Tensor, lengths: Tensor) -> Tensor:
        """The weight of each step in the vector, (batch, n_steps), of a pooling that has such."""
        raise TypeError(f"{type(self).__name__} has no weights of steps")

    @abstractmethod
    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """Pool `states` (batch, n_steps, units) to (batch, units)."""

    @abstractmethod
    def begin(self, batch_size: int, like: Tensor) -> Parts:
        """The running values before the first step, for states that are `like` (..., units)."""

    @abstractmethod
    def go_on(self, running: Parts, states: Tensor, lengths: Tensor) -> Parts:
        """The running values after a stretch of `states` (batch, n_steps, units), of `lengths` (batch,) from 0 on."""

    @abstractmethod
    def result(self, running: Parts) -> Tensor:
        """What :meth:`forward` gives for all steps so far, (batch, units); of a sequence without steps anything."""

    @abstractmethod
    def share(self, running: Parts, states: Tensor, lengths: Tensor, start: int) -> Tensor:
        """What a stretch that begins at step `start` has in the result, (batch, units), but for a constant.

        `running` are the values after all stretches, through which no gradient flows. The gradients of the shares of
        all stretches are together that of the result.
        """


class LastPooling(Pooling):
    """The state after the last step; of a backward direction, the state after the first.

    Parameters
    ----------
    size, direction_size : int
        Units of all directions, and of one.
    """

    def __init__(self, size: int, direction_size: int) -> None:
        super().__init__(size)
        self.direction_size = direction_size

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """Pool `states` (batch, n_steps, units) to (batch, units)."""
        if states.device.type == "cpu" and int(lengths.min()) == states.shape[1]:
            forward = states[:, -1, : self.direction_size]
        else:
            rows = (lengths - 1)[:, None, None].expand(-1, 1, self.direction_size)
            forward = states.gather(1, rows)[:, 0]
        if self.direction_size == states.shape[2]:
            return forward
        return torch.cat([forward, states[:, 0, self.direction_size :]], dim=1)

    def begin(self, batch_size: int, like: Tensor) -> Parts:
        """The vector so far, and the number of steps."""
        n_steps = torch.zeros(batch_size, dtype=torch.int64, device=like.device)
        return like.new_zeros(batch_size, like.shape[-1]), n_steps

    def go_on(self, running: Parts, states: Tensor, lengths: Tensor) -> Parts:
        pooled, n_steps = running
        runs = lengths > 0
        return self._choose(runs, runs & (n_steps == 0), states, lengths, pooled), n_steps + lengths

    def result(self, running: Parts) -> Tensor:
        return running[0]

    def share(self, running: Parts, states: Tensor, lengths: Tensor, start: int) -> Tensor:
        pooled, n_steps = running
        runs = lengths > 0
        ends = runs & (start + lengths == n_steps)
        return self._choose(ends, runs & (start == 0), states, lengths, torch.zeros_like(pooled))

    def _choose(self, ends: Tensor, begins: Tensor, states: Tensor, lengths: Tensor, other: Tensor) -> Tensor:
        """The states of the sequences that end here, of a backward direction of those that begin; else `other`."""
        here = torch.cat(
            [
                ends[:, None].expand(-1, self.direction_size),
                begins[:, None].expand(-1, states.shape[2] - self.direction_size),
            ],
            dim=1,
        )
        return torch.where(here, self(states, lengths.clamp(min=1)), other)


class MeanPooling(Pooling):
    """The mean of the states over the steps of each sequence, summed in the type of the network."""

    like: Tensor

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.register_buffer("like", torch.empty(0), persistent=False)  # there are no weights that have its type

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """Pool `states` (batch, n_steps, units) to (batch, units)."""
        return self._sum(states, lengths) / lengths[:, None]

    def begin(self, batch_size: int, like: Tensor) -> Parts:
        """The sum of the states, and their number."""
        return self.like.new_zeros(batch_size, like.shape[-1]), self.like.new_zeros(batch_size, 1)

    def go_on(self, running: Parts, states: Tensor, lengths: Tensor) -> Parts:
        total, n_steps = running
        return total + self._sum(states, lengths), n_steps + lengths[:, None]

    def result(self, running: Parts) -> Tensor:
        total, n_steps = running
        return total / n_steps.clamp(min=1)

    def share(self, running: Parts, states: Tensor, lengths: Tensor, start: int) -> Tensor:
        return self._sum(states, lengths) / running[1].clamp(min=1)

    def _sum(self, states: Tensor, lengths: Tensor) -> Tensor:
        inside = step_mask(lengths, states.shape[1])[:, :, None]
        return torch.where(inside, states, 0).to(self.like.dtype).sum(1)


class MaxPooling(Pooling):
    """The greatest value of each unit over the steps of each sequence."""

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """Pool `states` (batch, n_steps, units) to (batch, units)."""
        inside = step_mask(lengths, states.shape[1])[:, :, None]
        return states.masked_fill(~inside, -torch.inf).amax(1)

    def begin(self, batch_size: int, like: Tensor) -> Parts:
        """The greatest values, and how many steps have them."""
        greatest = like.new_full((batch_size, like.shape[-1]), -torch.inf)
        return greatest, torch.zeros_like(greatest)

    def go_on(self, running: Parts, states: Tensor, lengths: Tensor) -> Parts:
        before, n_equal = running
        greatest = torch.maximum(before, self(states, lengths))
        here = self._are(greatest, states, lengths).sum(1)
        return greatest, here + torch.where(greatest == before, n_equal, 0)

    def result(self, running: Parts) -> Tensor:
        return running[0]

    def share(self, running: Parts, states: Tensor, lengths: Tensor, start: int) -> Tensor:
        greatest, n_equal = running
        return torch.where(self._are(greatest, states, lengths), states, 0).sum(1) / n_equal.clamp(min=1)

    def _are(self, greatest: Tensor, states: Tensor, lengths: Tensor) -> Tensor:
        """Where `states` are the `greatest` (batch, units)."""
        return step_mask(lengths, states.shape[1])[:, :, None] & (states == greatest[:, None])


class AttentionPooling(Pooling):
    """A weighted mean with learned weights, ``softmax(v . tanh(W h_t + b))`` over the steps (Yang et al. 2016).

    Parameters
    ----------
    size : int
        Units of a hidden state.
    """

    n_running = 3

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.project = nn.Linear(size, size)
        self.score = nn.Linear(size, 1, bias=False)

    def weights(self, states: Tensor, lengths: Tensor) -> Tensor:
        """The weight of each step, (batch, n_steps): sums to 1 over each sequence and is 0 on padding."""
        return self._scores(self._read(states), lengths).softmax(1)

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """Pool `states` (batch, n_steps, units) to (batch, units)."""
        states = self._read(states)
        inside = step_mask(lengths, states.shape[1])[:, :, None]
        return torch.einsum("bt,btu->bu", self.weights(states, lengths), torch.where(inside, states, 0))

    def begin(self, batch_size: int, like: Tensor) -> Parts:
        """The greatest score; and the sums of the weights and of the weighted states, where that score has weight 1."""
        like = self._read(like[..., :0]).new_empty(0, like.shape[-1])
        return (
            like.new_full((batch_size, 1), -torch.inf),
            like.new_zeros(batch_size, 1),
            like.new_zeros(batch_size, like.shape[-1]),
        )

    def go_on(self, running: Parts, states: Tensor, lengths: Tensor) -> Parts:
        before, total, weighted = running
        states = self._read(states)
        scores = self._scores(states, lengths)
        greatest = torch.maximum(before, scores.amax(1, keepdim=True))
        shift = greatest.clamp(min=torch.finfo(greatest.dtype).min)  # no score yet is no difference from itself
        scale, (more, states_more) = torch.exp(before - shift), self._sums(scores - shift, states, lengths)
        return greatest, total * scale + more, weighted * scale + states_more

    def result(self, running: Parts) -> Tensor:
        _, total, weighted = running
        return weighted / total.clamp(min=1)  # which it is, after any step

    def share(self, running: Parts, states: Tensor, lengths: Tensor, start: int) -> Tensor:
        greatest, total, _ = running
        states = self._read(states)
        of_weights, of_states = self._sums(self._scores(states, lengths) - greatest, states, lengths)
        return (of_states - of_weights * self.result(running)) / total.clamp(min=1)

    def _read(self, states: Tensor) -> Tensor:
        return states.to(self.project.weight.dtype)

    def _scores(self, states: Tensor, lengths: Tensor) -> Tensor:
        """The score of each step, (batch, n_steps), -inf on padding."""
        scores = self.score(torch.tanh(self.project(states)))[:, :, 0]
        return scores.masked_fill(~step_mask(lengths, states.shape[1]), -torch.inf)

    @staticmethod
    def _sums(scores: Tensor, states: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """The sums of the weights, (batch, 1), and of the weighted states, (batch, units)."""
        weights = torch.exp(scores)
        inside = step_mask(lengths, states.shape[1])[:, :, None]
        return weights.sum(1, keepdim=True), torch.einsum("bt,btu->bu", weights, torch.where(inside, states, 0))


class SideBySide(Pooling):
    """Several poolings, each of some units of the states, whose vectors stand behind each other.

    Parameters
    ----------
    parts : sequence of Pooling
    units : sequence of slice
        Those that each part reads.
    """

    def __init__(self, parts: Sequence[Pooling], units: Sequence[slice]) -> None:
        super().__init__(sum(part.output_size for part in parts))
        self.parts = nn.ModuleList(parts)
        self.units = tuple(units)
        self.n_running = sum(part.n_running for part in parts)

    def weights(self, states: Tensor, lengths: Tensor) -> Tensor:
        """Those of the first part, (batch, n_steps)."""
        part, _, own = next(self._shared((), states))
        return part.weights(own, lengths)

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """Pool `states` (batch, n_steps, units) to (batch, output_size)."""
        return torch.cat([part(own, lengths) for part, _, own in self._shared((), states)], dim=1)

    def begin(self, batch_size: int, like: Tensor) -> Parts:
        """The running values of one part after those of another."""
        return tuple(value for part, _, own in self._shared((), like) for value in part.begin(batch_size, own))

    def go_on(self, running: Parts, states: Tensor, lengths: Tensor) -> Parts:
        shared = self._shared(running, states)
        return tuple(value for part, before, own in shared for value in part.go_on(before, own, lengths))

    def result(self, running: Parts) -> Tensor:
        return torch.cat([part.result(own) for part, own in self._divided(running)], dim=1)

    def share(self, running: Parts, states: Tensor, lengths: Tensor, start: int) -> Tensor:
        shared = self._shared(running, states)
        return torch.cat([part.share(before, own, lengths, start) for part, before, own in shared], dim=1)

    def _shared(self, running: Parts, states: Tensor) -> Iterator[tuple[Pooling, Parts, Tensor]]:
        """Each part with its running values and its units."""
        for (part, own), units in zip(self._divided(running), self.units, strict=True):
            yield part, own, states[..., units]

    def _divided(self, running: Parts) -> Iterator[tuple[Pooling, Parts]]:
        start = 0
        parts: Iterable[Any] = self.parts
        for part in parts:
            yield part, running[start : start + part.n_running]
            start += part.n_running


class ConcatPooling(SideBySide):
    """The last state, the mean and the greatest values side by side (Howard and Ruder 2018).

    Parameters
    ----------
    size, direction_size : int
        Units of all directions, and of one.
    """

    def __init__(self, size: int, direction_size: int) -> None:
        super().__init__([LastPooling(size, direction_size), MeanPooling(size), MaxPooling(size)], [slice(size)] * 3)


def make_pooling(pooling: str, size: int, direction_size: int, convolved: int = 0) -> Pooling:
    """The pooling of that name, for states of `size` units, `direction_size` of them in each direction.

    Behind them there may be features that are `convolved`, whose mean stands behind the vector.
    """
    made: Pooling
    if pooling == "last":
        made = LastPooling(size, direction_size)
    elif pooling == "concat":
        made = ConcatPooling(size, direction_size)
    else:
        kinds: dict[str, Callable[[int], Pooling]] = {
            "mean": MeanPooling,
            "max": MaxPooling,
            "attention": AttentionPooling,
        }
        made = kinds[pooling](size)
    if not convolved:
        return made
    return SideBySide([made, MeanPooling(convolved)], [slice(size), slice(size, None)])
