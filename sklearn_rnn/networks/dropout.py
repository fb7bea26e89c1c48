"""Dropout that draws from a generator of its own, so that no fit touches torch's global one."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sklearn_rnn.networks.packing import Packing


def sample_mask(like: Tensor, shape: tuple[int, ...], p: float, generator: torch.Generator | None) -> Tensor:
    """A mask of `shape`: 0 with probability `p`, else 1 / (1 - p), in the type and on the device of `like`."""
    return like.new_empty(shape).bernoulli_(1 - p, generator=generator).div_(1 - p)


class Dropout(nn.Module):
    """Zero each value with probability `p` in training, and scale the rest by 1 / (1 - p) (Srivastava et al. 2014).

    Parameters
    ----------
    p : float
    tied_dim : int or None
        A dimension along which one draw serves for all, such as the steps of a sequence (Gal and Ghahramani 2016):
        0 where batches may be packed.
    """

    def __init__(self, p: float, *, tied_dim: int | None = None) -> None:
        super().__init__()
        self.p = p
        self.tied_dim = tied_dim
        self.generator: torch.Generator | None = None

    def forward(self, x: Tensor, packing: Packing | None = None) -> Tensor:
        mask = self.mask(x, packing)
        return x if mask is None else x * mask

    def mask(self, x: Tensor, packing: Packing | None = None) -> Tensor | None:
        """What `x` is to be multiplied with, or None for nothing."""
        if not self.training or self.p == 0:
            return None
        if packing is not None and self.tied_dim == 0:
            return packing.spread(sample_mask(x, (packing.n_sequences, x.shape[1]), self.p, self.generator))
        shape = [1 if dim == self.tied_dim else size for dim, size in enumerate(x.shape)]
        return sample_mask(x, tuple(shape), self.p, self.generator)


def set_generator(module: nn.Module, generator: torch.Generator | None) -> None:
    """Make all dropout inside `module` draw from `generator`."""
    for part in module.modules():
        if hasattr(part, "generator"):
            part.generator = generator  # type: ignore[assignment]
