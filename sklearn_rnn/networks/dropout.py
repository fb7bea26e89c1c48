"""Dropout that draws from a generator of its own, so that no fit touches torch's global one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from sklearn_rnn.networks.packing import Packing


def sample_mask(like: Tensor, shape: tuple[int, ...], p: float, generator: torch.Generator | None) -> Tensor:
    """A mask of `shape`: 0 with probability `p`, else 1 / (1 - p), in the type and on the device of `like`."""
    return like.new_empty(shape).bernoulli_(1 - p, generator=generator).div_(1 - p)


class HeldMasks:
    """Masks that hold for all that is computed one after another: each is drawn once.

    Parameters
    ----------
    generator : torch.Generator or None
    """

    def __init__(self, generator: torch.Generator | None) -> None:
        self._generator = generator
        self._masks: dict[Any, Tensor] = {}

    def mask(self, key: Any, like: Tensor, shape: tuple[int, ...], p: float) -> Tensor:
        """The one of that key; drawn as :func:`sample_mask` does."""
        if key not in self._masks:
            self._masks[key] = sample_mask(like, shape, p, self._generator)
        return self._masks[key]


class Drawing(nn.Module):
    """A module that draws masks.

    Attributes
    ----------
    generator : torch.Generator or None
        Where they are drawn from; None for torch's own.
    held : HeldMasks or None
        Takes the place of the generator for masks that hold for all steps of a sequence, where it is computed in
        chunks.
    held_by_batch : HeldMasks or None
        That for masks that hold for all sequences of a batch, where it is computed in parts.
    """

    def __init__(self) -> None:
        super().__init__()
        self.generator: torch.Generator | None = None
        self.held: HeldMasks | None = None
        self.held_by_batch: HeldMasks | None = None

    def lasting_mask(
        self, key: Any, like: Tensor, shape: tuple[int, ...], p: float, *, of_batch: bool = False
    ) -> Tensor:
        """The mask of that `key` in this module: it holds for all steps, or for all sequences `of_batch` too."""
        held = (self.held_by_batch if of_batch else None) or self.held
        if held is None:
            return sample_mask(like, shape, p, self.generator)
        return held.mask((id(self), key), like, shape, p)


class Dropout(Drawing):
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

    def forward(self, x: Tensor, packing: Packing | None = None) -> Tensor:
        mask = self.mask(x, packing)
        return x if mask is None else x * mask

    def mask(self, x: Tensor, packing: Packing | None = None) -> Tensor | None:
        """What `x` is to be multiplied with, or None for nothing."""
        if not self.training or self.p == 0:
            return None
        if packing is not None and self.tied_dim == 0:
            return packing.spread(self.lasting_mask("packed", x, (packing.n_sequences, x.shape[1]), self.p))
        shape = tuple(1 if dim == self.tied_dim else size for dim, size in enumerate(x.shape))
        if self.tied_dim is None:
            return sample_mask(x, shape, self.p, self.generator)
        return self.lasting_mask("padded", x, shape, self.p)


def set_generator(module: nn.Module, generator: torch.Generator | None) -> None:
    """Make all inside `module` draw masks from `generator`."""
    for part in module.modules():
        if isinstance(part, Drawing):
            part.generator = generator


def hold_masks(module: nn.Module, held: HeldMasks | None) -> None:
    """Make all inside `module` take masks that hold for all steps of a sequence from `held`, or draw them again."""
    for part in module.modules():
        if isinstance(part, Drawing):
            part.held = held


@contextmanager
def one_batch(module: nn.Module) -> Iterator[None]:
    """Inside, let all in `module` draw masks that hold for all sequences of a batch once."""
    parts = [part for part in module.modules() if isinstance(part, Drawing)]
    for part in parts:
        part.held_by_batch = HeldMasks(part.generator)
    try:
        yield
    finally:
        for part in parts:
            part.held_by_batch = None
