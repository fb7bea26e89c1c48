"""Truncated back-propagation through time that holds the activations of one chunk of steps, not of the sequences."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from sklearn_rnn.networks.dropout import HeldMasks, hold_masks, set_generator
from sklearn_rnn.networks.heads import PooledHead, StepHead
from sklearn_rnn.networks.losses import BatchLike, WeightedLoss
from sklearn_rnn.networks.network import RecurrentNetwork
from sklearn_rnn.networks.state import Parts, State


class TruncatedPass:
    """Loss and gradients of a network whose gradient through the state is cut after every ``tbptt_steps`` steps.

    The cuts are at the same steps for all layers and both directions, so that a chunk between two of them depends on
    the others through the states at its borders alone. A first pass, without gradient, finds those states and what the
    loss needs of the chunks: the running values of the pooling, or the outputs of the steps. A second computes one
    chunk after another again and takes the gradient of the loss through it. Dropout draws the same numbers in both.

    Parameters
    ----------
    network : RecurrentNetwork
        In training, and one that :meth:`serves`.
    criterion : WeightedLoss
    autocast : bool
        Whether the network computes in bfloat16 what torch deems safe.
    """

    def __init__(self, network: RecurrentNetwork, criterion: WeightedLoss, *, autocast: bool = False) -> None:
        assert network.backbone.tbptt_steps is not None
        self.network, self.criterion, self.autocast = network, criterion, autocast
        self.size = network.backbone.tbptt_steps

    @staticmethod
    def serves(network: nn.Module, lengths: Tensor) -> bool:
        """Whether a batch of these `lengths` (batch,) has a step after which this network is to be cut."""
        steps = network.backbone.tbptt_steps if isinstance(network, RecurrentNetwork) else None
        if steps is None or not isinstance(network.head, (PooledHead, StepHead)):
            return False
        assert not network.convolves, "a chunk would not show the convolutions what lies behind its borders"
        assert network.ngrams is None, "a chunk would not show all n-grams"
        return int(lengths.max()) > steps

    def __call__(self, batch: BatchLike) -> tuple[Tensor, Tensor]:
        """Add the gradients of a batch to those of the parameters.

        Parameters
        ----------
        batch : Batch

        Returns
        -------
        loss : tensor of shape ()
        outputs : tensor of shape (batch, n_outputs) or (batch, n_steps, n_outputs)
        """
        chunks = Chunks(self, batch.values, batch.lengths)
        with chunks.same_masks():
            if self.network.backbone.bidirectional:
                for depth in range(len(self.network.backbone.layers)):
                    for direction in range(2):
                        self._sweep(chunks, depth, direction)
            head = self.network.head
            return self._pooled(chunks, head, batch) if isinstance(head, PooledHead) else self._per_step(chunks, batch)

    def _sweep(self, chunks: Chunks, depth: int, direction: int) -> None:
        """Find the states of one direction of a layer at all borders, those of the layers below being known."""
        order = range(chunks.n_chunks)
        for k in reversed(order) if direction else order:
            with torch.no_grad():
                _, state = chunks.run(k, depth + 1)
            chunks.put(k, state, depth, direction)

    def _states(self, chunks: Chunks, k: int) -> Tensor:
        """The hidden states of a chunk, (batch, n_steps, units), the one after it not being known yet."""
        states, state = chunks.run(k)
        if not self.network.backbone.bidirectional:
            for depth in range(len(state.layers)):
                chunks.put(k, state, depth, 0)
        return states

    def _pooled(self, chunks: Chunks, head: PooledHead, batch: BatchLike) -> tuple[Tensor, Tensor]:
        pooling = head.pooling
        running: Parts | None = None
        for k in range(chunks.n_chunks):
            # The bits of the second pass, in which a maximum is to be found again, are those of a pass with gradients.
            states = self._states(chunks, k).detach()
            with torch.no_grad():
                running = pooling.begin(len(states), states) if running is None else running
                running = pooling.go_on(running, states, chunks.lengths_of(k))
        assert running is not None
        pooled = pooling.result(running).clone().requires_grad_()
        with chunks.precision():
            outputs = head.outputs_of(pooled)
        loss = self._loss(outputs.float() if self.autocast else outputs, batch)
        for k in range(chunks.n_chunks):
            states, _ = chunks.run(k)
            share = pooling.share(running, states, chunks.lengths_of(k), k * self.size)
            if share.requires_grad:
                share.backward(pooled.grad)
        return loss, outputs.detach()

    def _per_step(self, chunks: Chunks, batch: BatchLike) -> tuple[Tensor, Tensor]:
        parts = []
        for k in range(chunks.n_chunks):
            parts.append(self._outputs(self._states(chunks, k), chunks, k).detach())
        n_steps = chunks.n_steps
        outputs = torch.cat(parts, dim=1)
        padding = outputs.new_zeros(len(outputs), chunks.n_given - n_steps, outputs.shape[2])
        outputs = torch.cat([outputs, padding], dim=1).requires_grad_()
        loss = self._loss(outputs, batch)
        assert outputs.grad is not None
        for k in range(chunks.n_chunks):
            states, _ = chunks.run(k)
            here = self._outputs(states, chunks, k)
            if here.requires_grad:
                here.backward(outputs.grad[:, k * self.size : k * self.size + here.shape[1]])
        return loss, outputs.detach()

    def _outputs(self, states: Tensor, chunks: Chunks, k: int) -> Tensor:
        """The outputs of the steps of a chunk, in the type that the loss is computed in."""
        with chunks.precision():
            outputs = self.network.head(states, chunks.lengths_of(k))
        return outputs.float() if self.autocast else outputs

    def _loss(self, outputs: Tensor, batch: BatchLike) -> Tensor:
        """The loss, with the gradients of `outputs` or of what they are computed from, and of a chain."""
        loss: Tensor = self.criterion(outputs, batch, self.network.head)
        loss.backward()
        return loss.detach()


class Chunks:
    """A batch in chunks of steps, each computed from the states at its borders.

    Parameters
    ----------
    owner : TruncatedPass
    values, lengths : tensors of shape (batch, n_steps, ...) and (batch,)

    Attributes
    ----------
    n_steps : int
        Steps of the longest sequence.
    n_given : int
        Those and its padding.
    """

    def __init__(self, owner: TruncatedPass, values: Tensor, lengths: Tensor) -> None:
        self.network, self.autocast, self.size = owner.network, owner.autocast, owner.size
        self.values, self.lengths = values, lengths
        self.n_steps, self.n_given = int(lengths.max()), values.shape[1]
        self.n_chunks = -(-self.n_steps // self.size)
        zeros = self.network.backbone.zero_state(len(values)).layers
        self.entering = [[part.new_zeros(self.n_chunks, *part.shape) for part in layer] for layer in zeros]
        # shape: (n_chunks, n_directions, batch, units) each: what enters a chunk from its first or from its last step
        self._generator: torch.Generator | None = None
        self._seed = 0

    def lengths_of(self, k: int) -> Tensor:
        """Steps of each sequence in a chunk, (batch,)."""
        return (self.lengths - k * self.size).clamp(0, self.size)

    def run(self, k: int, depth: int | None = None) -> tuple[Tensor, State]:
        """Hidden states (batch, n_steps, units) of a chunk after all, or the first `depth`, layers; its last state."""
        if self._generator is not None:
            self._generator.manual_seed(self._seed + k)
        values = self.values[:, k * self.size : min((k + 1) * self.size, self.n_steps)]
        state = State(tuple(tuple(part[k] for part in layer) for layer in self.entering))
        with self.precision():
            if k == 0:
                state = self.network.begun(values) or state
            x, lengths = self.network.read(values, self.lengths_of(k))
            states, last = self.network.backbone.between(x.transpose(0, 1), lengths, state, depth=depth)
        return states.transpose(0, 1), last

    def put(self, k: int, state: State, depth: int, direction: int) -> None:
        """Keep the last `state` of a chunk, of one layer and direction, as the one that enters the next."""
        following = k - 1 if direction else k + 1
        if 0 <= following < self.n_chunks:
            for kept, part in zip(self.entering[depth], state.layers[depth], strict=True):
                kept[following, direction] = part[direction].detach()

    def precision(self) -> torch.autocast:
        """The context in which the network computes."""
        return torch.autocast(self.values.device.type, torch.bfloat16, enabled=self.autocast)

    @contextmanager
    def same_masks(self) -> Iterator[None]:
        """Let dropout draw, for each chunk, the same masks each time, and for all chunks those that last."""
        before = self.network.backbone.dropout.generator
        device = self.values.device
        self._seed = int(torch.randint(2**62, (), generator=before, device=device))
        self._generator = torch.Generator(device)
        set_generator(self.network, self._generator)
        hold_masks(self.network, HeldMasks(torch.Generator(device).manual_seed(self._seed - 1)))
        try:
            yield
        finally:
            set_generator(self.network, before)
            hold_masks(self.network, None)
            torch.clear_autocast_cache()  # of weights that change before another batch
