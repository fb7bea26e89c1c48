"""Training and prediction with matrix products in bfloat16, whose weights and sums stay in float32."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

Forward = Callable[..., Tensor]


@contextmanager
def autocast_to_bfloat16(device: torch.device, *, enabled: bool) -> Iterator[None]:
    """Let torch compute in bfloat16 what it deems safe, on `device` and inside the block."""
    if not enabled:
        yield
        return
    with torch.autocast(device.type, torch.bfloat16):
        yield


class Bfloat16Forward:
    """A network's forward pass in bfloat16, with outputs in float32 for a loss that is computed outside.

    Parameters
    ----------
    forward : callable
        Maps values and lengths to outputs.
    """

    def __init__(self, forward: Forward) -> None:
        self.forward = forward

    def __call__(self, values: Tensor, *given: Tensor) -> Tensor:
        with torch.autocast(values.device.type, torch.bfloat16):
            outputs = self.forward(values, *given)
        torch.clear_autocast_cache()  # torch keeps what it cast until all blocks are left, and weights change before
        return outputs.float()


@contextmanager
def forward_in_bfloat16(network: nn.Module, *, enabled: bool) -> Iterator[None]:
    """Let whoever calls `network` inside the block get the forward pass in bfloat16."""
    if not enabled:
        yield
        return
    network.forward = Bfloat16Forward(network.forward)
    try:
        yield
    finally:
        del network.forward
