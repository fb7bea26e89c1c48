"""A decoder that goes on step by step, for many sources at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sklearn_rnn.networks.heads import DecoderHead
from sklearn_rnn.networks.heads.decoder import DecoderState, Memory
from sklearn_rnn.networks.stepping import Stepper

Array = NDArray[Any]


class DecoderStepper(Stepper):
    """Targets that grow, each with a source of its own; which one that is, :meth:`start` says.

    Parameters
    ----------
    head : DecoderHead
        In evaluation.
    memory : Memory
        Of all sources.
    first : DecoderState
        Where targets of each of them begin.
    n_streams : int

    Attributes
    ----------
    source : array of int64, shape (n_streams,)
        The source of each stream.
    weights : array of shape (n_streams, n_steps) or None
        Of the attention at the last step of each.
    """

    def __init__(self, head: DecoderHead, memory: Memory, first: DecoderState, n_streams: int) -> None:
        super().__init__(n_streams, head.output.n_outputs)
        self.head = head
        self.source = np.zeros(n_streams, np.int64)
        self.weights = None if head.attention is None else np.zeros((n_streams, memory.states.shape[1]))
        self._memory, self._first = memory, first
        self._held: tuple[Array, Memory] = (np.empty(0, np.int64), memory)
        self._now = first.take(self._index(self.source))

    def start(self, rows: Array, sources: Array) -> None:
        """Put the streams `rows` (n,) where targets of the `sources` (n,) begin."""
        self.source[rows] = sources
        self._keep(self._first.take(self._index(sources)), rows)
        self.n_steps[rows] = 0

    def advance(self, values: Array, rows: Array) -> int:
        with torch.inference_mode():
            steps = torch.from_numpy(np.ascontiguousarray(values)).to(self._memory.states.device)[:, None]
            memory = self._memory_of(self.source[rows])
            lengths = torch.ones(len(rows), dtype=torch.int64, device=steps.device)
            if steps.is_floating_point():
                steps = steps.to(self.head.output.linear.weight.dtype)
            said, state, weights = self.head.advance(steps, lengths, memory, self._now.take(self._index(rows)))
            self.outputs[rows] = self.head.output(said, lengths)[:, 0].double().cpu().numpy()
            if weights is not None and self.weights is not None:
                self.weights[rows] = weights[:, 0].double().cpu().numpy()
            self._keep(state, rows)
        self.n_steps[rows] += 1
        return -1

    def _memory_of(self, sources: Array) -> Memory:
        """What rows look at whose sources are these (n,): each source once, and as long as they are the same ones."""
        distinct, source, counts = np.unique(sources, return_inverse=True, return_counts=True)
        if not np.array_equal(distinct, self._held[0]):
            self._held = distinct, self._memory.take(self._index(distinct))
        order = np.argsort(source, kind="stable")
        which = np.empty(len(sources), np.int64)
        which[order] = np.arange(len(sources)) - np.repeat(np.cumsum(counts) - counts, counts)
        return self._held[1]._replace(places=(self._index(source), self._index(which)))

    def reset(self, rows: Array) -> None:
        self.start(rows, self.source[rows])

    def _copy_states(self, sources: Array, targets: Array) -> None:
        self._keep(self._now.take(self._index(sources)), targets)
        self.source[targets] = self.source[sources]
        if self.weights is not None:
            self.weights[targets] = self.weights[sources]

    def _keep(self, state: DecoderState, rows: Array) -> None:
        """Let `state` be that of the streams `rows` (n,)."""
        index = self._index(rows)
        with torch.inference_mode():
            self._now.put(index, state)

    def _index(self, rows: Array) -> Tensor:
        return torch.from_numpy(np.asarray(rows, dtype=np.int64)).to(self._memory.states.device)
