"""Which code computes a recurrence or a chain: the kernels of this package, or torch."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Engine:
    """What computations in this context may use.

    Attributes
    ----------
    name : {"auto", "fused", "torch"}
        "fused" takes the kernels wherever they can do the work, "auto" where they are also the faster ones.
    n_threads : int
    """

    name: str = "auto"
    n_threads: int = 1


_engine: ContextVar[Engine] = ContextVar("engine", default=Engine())


def current_engine() -> Engine:
    """The engine of this context."""
    return _engine.get()


@contextmanager
def using_engine(engine: Engine) -> Iterator[None]:
    """Compute with `engine` inside the block."""
    token = _engine.set(engine)
    try:
        yield
    finally:
        _engine.reset(token)


@functools.cache
def kernels_installed() -> bool:
    """Whether there is a numba that loads."""
    try:
        import numba  # noqa: F401
    except ImportError:
        return False
    return True


def kernels_may_run(x: torch.Tensor) -> bool:
    """Whether the engine of this context lets a kernel read `x`: plain numbers, in the memory of the CPU."""
    return (
        current_engine().name != "torch"
        and x.device.type == "cpu"
        and x.dtype in (torch.float32, torch.float64)
        and kernels_installed()
    )
