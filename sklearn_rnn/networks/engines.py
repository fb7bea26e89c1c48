"""Which code computes a recurrence or a chain: the kernels of this package, or torch; and over how many threads."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch

Part = tuple[Any, ...]


class Engine:
    """What computations in a context may use.

    Parameters
    ----------
    name : {"auto", "fused", "torch"}
        "fused" takes the kernels wherever they can do the work, "auto" where they are also the faster ones.
    n_threads : int
        Threads that kernels may be split over.

    Attributes
    ----------
    free : list
        Memory that a kernel no longer needs, and the next one may use.
    """

    def __init__(self, name: str = "auto", n_threads: int = 1) -> None:
        self.name = name
        self.n_threads = n_threads
        self.free: list[Any] = []
        self._pool: ThreadPoolExecutor | None = None

    def share(self, compute: Callable[..., None], parts: Sequence[Part], *, small: bool = False) -> None:
        """Call ``compute(*part)`` for all `parts`, in several threads where there are some and the work is not `small`.

        numba's own threads are not used: they abort the process when two threads of Python call them at once.
        """
        workers = 1 if small else min(self.n_threads, len(parts))
        others = [self._threads().submit(_compute_all, compute, parts[k::workers]) for k in range(1, workers)]
        try:
            _compute_all(compute, parts[::workers])
        finally:
            for other in others:
                other.result()

    def _threads(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.n_threads - 1, "kernel", initializer=_prepare_thread)
        return self._pool

    def close(self) -> None:
        """End the threads and let go of the memory."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
        self.free.clear()


def _prepare_thread() -> None:
    torch.set_flush_denormal(True)  # of this thread alone


def _compute_all(compute: Callable[..., None], parts: Sequence[Part]) -> None:
    for part in parts:
        compute(*part)


_engine: ContextVar[Engine | None] = ContextVar("engine", default=None)
_default = Engine()


def current_engine() -> Engine:
    """The engine of this context: outside of any, "auto" on one thread."""
    return _engine.get() or _default


@contextmanager
def using_engine(engine: Engine) -> Iterator[None]:
    """Compute with `engine` inside the block, and close it after that."""
    token = _engine.set(engine)
    try:
        yield
    finally:
        _engine.reset(token)
        engine.close()


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
        and not torch.is_autocast_enabled("cpu")
        and kernels_installed()
    )
