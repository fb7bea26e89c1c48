"""Loss and gradients of a batch without autograd, whose bookkeeping takes longer than a small network."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sklearn_rnn.networks.fused import PACKED, ForwardPass, weights_of
from sklearn_rnn.networks.heads import PooledHead
from sklearn_rnn.networks.losses import BatchLike, WeightedLoss
from sklearn_rnn.networks.network import RecurrentNetwork
from sklearn_rnn.networks.packing import Packing
from sklearn_rnn.networks.pooling import ConcatPooling, LastPooling, MaxPooling, MeanPooling
from sklearn_rnn.networks.state import State

Array = NDArray[Any]

POOLINGS: dict[type[Any], str] = {
    LastPooling: "last",
    MeanPooling: "mean",
    MaxPooling: "max",
    ConcatPooling: "concat",
}
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


class DirectPass:
    """The forward and the backward pass of a network whose layers are all computed by kernels.

    Values and gradients are those of the network and of autograd but for rounding, and dropout draws the same numbers.

    Parameters
    ----------
    network : RecurrentNetwork
        In training, and one that :meth:`serves`. Its weights may change between batches, not whether they are learned.
    criterion : WeightedLoss
    """

    def __init__(self, network: RecurrentNetwork, criterion: WeightedLoss) -> None:
        from sklearn_rnn.kernels import heads

        assert isinstance(network.head, PooledHead)
        assert criterion.kernel is not None
        self.network, self.head = network, network.head
        self.layers = network.backbone.layers
        self.pooling = heads.POOLINGS[POOLINGS[type(self.head.pooling)]]
        self.smoothing = criterion.settings.label_smoothing
        self.loss = getattr(heads, criterion.kernel)
        learned = [[weights_of(direction) for direction in layer.directions] for layer in self.layers]
        self.weights = [[[w.detach().numpy() for w in direction] for direction in layer] for layer in learned]
        of_layers = [weight for layer in learned for direction in layer for weight in direction]
        linear = self.head.linear
        self.linear = [linear.weight.detach().numpy(), linear.bias.detach().numpy()]
        self.parameters = [*of_layers, linear.weight, linear.bias]

    @staticmethod
    def serves(network: nn.Module, criterion: nn.Module) -> bool:
        """Whether this class computes what the modules would: the kernels run, and nobody looks at what is between."""
        return (
            type(network) is RecurrentNetwork
            and type(criterion) is WeightedLoss
            and "forward" not in vars(network)
            and network.convolutions is None
            and network.first_state is None
            and type(network.head) is PooledHead
            and type(network.head.pooling) in POOLINGS
            and not len(network.backbone.skips)
            and not len(network.backbone.norms)
            and criterion.kernel is not None
            and network.backbone.may_fuse()
            and not any(layer.weight_dropout for layer in network.backbone.layers)
            and all(p.requires_grad for part in (network.backbone, network.head) for p in part.parameters())
            and not any(getattr(part, name) for part in (criterion, *network.modules()) for name in HOOKS)
            and not any(p._backward_hooks or p._post_accumulate_grad_hooks for p in network.parameters())
        )

    def __call__(self, batch: BatchLike, state: State | None = None, *, last: bool = False) -> tuple[Any, ...]:
        """Add the gradients of a batch to those of the parameters.

        Parameters
        ----------
        batch : Batch
        state : State, optional
            That before the first step, through which no gradient flows; zero by default.
        last : bool
            Whether the state after the last step of each sequence is wanted.

        Returns
        -------
        loss : tensor of shape ()
        outputs : tensor of shape (batch, n_outputs)
        state : State
            Only with `last`.
        """
        shared, lengths = self.network.shared(batch.values), batch.lengths
        if shared is None:
            entering, lengths = self.network.read(batch.values, batch.lengths)
            backbone, packing = self.network.backbone, Packing(lengths)
            rows, places = entering.detach().flatten(0, 1), packing.places(entering.shape[1])
        else:
            backbone, packing = self.network.backbone, Packing(lengths)
            entering = shared.rows
            rows, places = entering.detach(), shared.places(packing)
        passes, masks = [], []
        for k, layer in enumerate(self.layers):
            mask = backbone.dropout.mask(rows, packing) if k else None
            rows = (rows if mask is None else rows * mask).contiguous()
            of_inputs = k == 0
            recurrence = layer.recurrence(
                rows, packing, places if of_inputs else PACKED, shared=of_inputs and shared is not None
            )
            initial = () if state is None else [packing.arrange(part).numpy() for part in state.layers[k]]
            passes.append(ForwardPass(recurrence, rows.numpy(), self.weights[k], *initial, keeping=True))
            masks.append(mask)
            rows = torch.from_numpy(passes[-1].states)
        loss, outputs, gradient, of_head = self._of_head(rows, packing, batch)
        of_layers: list[Array] = []
        for k in reversed(range(len(passes))):
            found = passes[k].gradients(gradient, of_inputs=k > 0 or entering.requires_grad)
            of_layers = [*found.weights, *of_layers]
            if found.inputs is not None:
                mask = masks[k]
                gradient = found.inputs if mask is None else found.inputs * mask.numpy()
        if entering.requires_grad:
            entering.backward(torch.from_numpy(gradient).view(entering.shape))
        for parameter, array in zip(self.parameters, [*of_layers, *of_head], strict=True):
            own = torch.from_numpy(array)
            parameter.grad = own if parameter.grad is None else parameter.grad + own
        if not last:
            return loss, outputs
        ends = [[packing.arrange_back(torch.from_numpy(part)) for part in done.last] for done in passes]
        return loss, outputs, State(tuple(map(tuple, ends)))

    def _of_head(self, states: Tensor, packing: Packing, batch: BatchLike) -> tuple[Tensor, Tensor, Array, list[Array]]:
        """Loss, outputs, and the gradients of the packed `states` (n_rows, units) and of the head's parameters."""
        from sklearn_rnn.kernels import heads

        pooled = states.new_zeros(packing.n_sequences, self.head.pooling.output_size)
        where = (packing.offsets, packing.order, self.network.backbone.direction_size, pooled.numpy())
        heads.pool(self.pooling, states.numpy(), *where)
        mask = self.head.dropout.mask(pooled)
        seen = pooled if mask is None else pooled * mask
        weight, bias = self.linear
        outputs, dpooled = states.new_empty(len(seen), len(bias)), torch.empty_like(seen)
        heads.head(seen.numpy(), weight, bias, outputs.numpy())
        added = None if self.network.ngrams is None else self.network.ngrams(batch.values, batch.lengths)
        if added is not None:
            outputs += added.detach()
        target, sample_weight = batch.target.numpy(), batch.weight.numpy()
        doutputs, of_head = np.empty(outputs.shape, bias.dtype), [np.empty_like(part) for part in self.linear]
        loss = self.loss(outputs.numpy(), target, sample_weight, self.smoothing, doutputs)
        if added is not None and added.requires_grad:
            added.backward(torch.from_numpy(doutputs))
        heads.head_back(doutputs, seen.numpy(), weight, dpooled.numpy(), *of_head)
        if mask is not None:
            dpooled *= mask
        dstates = np.zeros(states.shape, bias.dtype)
        heads.pool_back(self.pooling, states.numpy(), *where, dpooled.numpy(), dstates)
        return torch.tensor(loss, dtype=states.dtype), outputs, dstates, of_head
