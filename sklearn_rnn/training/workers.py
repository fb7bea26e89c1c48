"""Whether the work at hand is one of several jobs that share the machine, and a setting that such jobs share."""

from __future__ import annotations

import multiprocessing
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any


def in_worker() -> bool:
    """Whether this code runs in one of several jobs that something else has started at the same time.

    Each of them should then take one thread: several jobs of several threads each wait for each other's. The jobs are
    those of joblib, in processes or threads, and of what goes through it, such as ``GridSearchCV(n_jobs=2)``; those of
    dask and ray; and all children of :mod:`multiprocessing`. A thread that the user starts by other means is not seen.

    No library is imported for this: one that was not imported has started no jobs in this process.

    Returns
    -------
    in_worker : bool

    Examples
    --------
    >>> from joblib import Parallel, delayed
    >>> from sklearn_rnn.training.workers import in_worker
    >>> in_worker()
    False
    >>> Parallel(n_jobs=2, backend="threading")(delayed(in_worker)() for _ in range(2))
    [True, True]
    >>> Parallel(n_jobs=1)(delayed(in_worker)() for _ in range(2))
    [False, False]
    """
    return multiprocessing.parent_process() is not None or _in_joblib() or _in_dask() or _in_ray()


def _in_joblib() -> bool:
    """Whether joblib runs this among other jobs: it counts how deep its jobs are nested, and one job is no level."""
    joblib = sys.modules.get("joblib.parallel")
    if joblib is None:
        return False
    backend, _ = joblib.get_active_backend()
    return bool(backend.nesting_level)


def _in_dask() -> bool:
    """Whether this is a task of a dask worker, be it a process of its own or a thread beside the user's code."""
    distributed = sys.modules.get("distributed")
    if distributed is None or not hasattr(distributed, "get_worker"):
        return False
    try:
        distributed.get_worker()
    except ValueError:  # "No worker found"
        return False
    return True


def _in_ray() -> bool:
    """Whether this process is a worker of ray, and not the driver that the user runs."""
    ray = sys.modules.get("ray")
    if ray is None or not hasattr(ray, "is_initialized") or not ray.is_initialized():
        return False
    return bool(ray.get_runtime_context().worker.mode == ray.WORKER_MODE)


class OneBlasThread:
    """Keeps the linear algebra libraries of this process on one thread each, also when several threads ask for it.

    The number belongs to the process. Each of several threads would find that of another in place of the user's, and
    bring this back at its end. Here the first thread to come sets it, and the last to go takes it back.

    Parameters
    ----------
    libraries : callable
        Returns a ``threadpoolctl.ThreadpoolController``.

    Examples
    --------
    >>> from threadpoolctl import ThreadpoolController
    >>> from sklearn_rnn.training.workers import OneBlasThread
    >>> one_blas_thread = OneBlasThread(ThreadpoolController)
    >>> with one_blas_thread, one_blas_thread:
    ...     {library["num_threads"] for library in ThreadpoolController().info() if library["user_api"] == "blas"}
    {1}
    """

    def __init__(self, libraries: Callable[[], Any]) -> None:
        self._libraries = libraries
        self._lock = threading.Lock()
        self._users = 0
        self._limit: Any = None

    def __enter__(self) -> None:
        with self._lock:
            if self._users == 0:
                self._limit = self._libraries().limit(limits=1, user_api="blas")
            self._users += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                _let_any_thread_set_limits()
                self._limit.restore_original_limits()
                _let_any_thread_set_limits()


def _let_any_thread_set_limits() -> None:
    """From 3.8 on threadpoolctl silently ignores a thread that changes what another has set."""
    openblas = sys.modules["threadpoolctl"].OpenBLASController
    if hasattr(openblas, "clear_controlling_thread"):
        openblas.clear_controlling_thread(force=True)
