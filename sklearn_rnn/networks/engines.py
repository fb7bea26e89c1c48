"""Which code computes a recurrence or a chain: the kernels of this package, or torch; and over how many threads."""

from __future__ import annotations

import functools
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from weakref import ReferenceType, ref

import numpy as np
import torch
from numpy.typing import NDArray

from sklearn_rnn.kernels.announcing import ANNOUNCER

Part = tuple[Any, ...]

WORTH_KEEPING = 2**18
"""Numbers from which memory is kept for the next batch: the system hands out large pieces page by page."""


class Engine:
    """What computations in a context may use.

    Parameters
    ----------
    name : {"auto", "fused", "torch"}
        "fused" takes the kernels wherever they can do the work, "auto" where they are also the faster ones.
    n_threads : int
        Threads that kernels may be split over.
    """

    def __init__(self, name: str = "auto", n_threads: int = 1) -> None:
        self.name = name
        self.n_threads = n_threads
        self._loans: list[tuple[NDArray[Any], ReferenceType[NDArray[Any]]]] = []
        self._lending = threading.Lock()
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

    def borrow(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """An array that holds anything, in memory that another gets when nothing refers to this one any more.

        Views of the array do not count: whoever keeps one keeps the array too.
        """
        size = math.prod(shape)
        if size < WORTH_KEEPING:
            return np.empty(shape, dtype)
        with self._lending:
            for k, (memory, borrower) in enumerate(self._loans):
                if borrower() is None and memory.dtype == dtype and size <= memory.size <= 4 * size:
                    del self._loans[k]
                    break
            else:
                memory = np.empty(size, dtype)
            array = memory[:size].reshape(shape)
            # A weak reference, not a destructor, which would swallow a Ctrl-C that arrives while it runs.
            self._loans.append((memory, ref(array)))
        return array

    def _threads(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.n_threads - 1, "kernel", initializer=_prepare_thread)
        return self._pool

    def close(self) -> None:
        """End the threads and let go of the memory."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
        self._loans.clear()


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
def using_engine(engine: Engine, *, watched: bool = False) -> Iterator[None]:
    """Compute with `engine` inside the block, and close it after that; `watched` prints when kernels are compiled."""
    token = _engine.set(engine)
    try:
        with ANNOUNCER.computing(watched=watched):
            yield
    finally:
        _engine.reset(token)
        engine.close()


@functools.cache
def why_no_kernels() -> str | None:
    """What keeps the kernels from being compiled, and what to do about it; None where nothing does."""
    try:
        from numba import config
    except ImportError:
        return "numba, which cannot be imported: install it"
    if getattr(config, "DISABLE_JIT", 0):  # numba would run the kernels as Python, a thousand times slower
        return "numba's compiler, which NUMBA_DISABLE_JIT switches off: unset that variable"
    return None


def kernels_installed() -> bool:
    """Whether there is a numba that loads and compiles."""
    return why_no_kernels() is None


def kernels_may_run(x: torch.Tensor) -> bool:
    """Whether the engine of this context lets a kernel read `x`: plain numbers, in the memory of the CPU."""
    return (
        current_engine().name != "torch"
        and x.device.type == "cpu"
        and x.dtype in (torch.float32, torch.float64)
        and not torch.is_autocast_enabled("cpu")
        and kernels_installed()
    )
