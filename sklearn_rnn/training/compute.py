"""Where a computation runs: the device, the engine, the threads, and what happens to subnormal numbers."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from threadpoolctl import ThreadpoolController

from sklearn_rnn.exceptions import OutOfMemoryError
from sklearn_rnn.networks.engines import Engine, kernels_installed, using_engine, why_no_kernels
from sklearn_rnn.training.workers import OneBlasThread, in_worker

MOST_THREADS = 8
"""More share the work of one batch of a recurrent network only where it is larger than people use."""


def resolve_device(device: str) -> torch.device:
    """The torch device for a `device` parameter.

    Parameters
    ----------
    device : str
        ``"auto"`` is the first CUDA device where there is one, else the CPU; otherwise a torch device such as
        ``"cpu"`` or ``"cuda:1"``.

    Returns
    -------
    device : torch.device

    Raises
    ------
    ValueError
        If the name is not a device, or this machine has no such device.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        wanted = torch.device(device)
    except RuntimeError as error:
        raise ValueError(f"device={device!r} is not a device: wanted 'auto', 'cpu', 'cuda' or 'cuda:N'") from error
    if wanted.type not in ("cpu", "cuda"):
        raise ValueError(f"device={device!r} is not supported: wanted 'auto', 'cpu', 'cuda' or 'cuda:N'")
    if wanted.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (wanted.index or 0) >= count:
            raise ValueError(
                f"device={device!r} is not on this machine, torch sees {count} CUDA device(s): "
                f"set device='auto' or 'cpu'"
            )
    return wanted


def available_threads() -> int:
    """How many CPU cores the system gives this process."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def flushes_subnormals() -> bool:
    """Whether torch, in this thread, takes subnormal numbers for zero."""
    return bool((torch.tensor(1e-310, dtype=torch.float64) * 1.0).item() == 0.0)


def threads_to_use(n_threads: int | None) -> int:
    """The threads that kernels are split over: all that the process has, but one where other jobs run beside it.

    Processes that ``torchrun`` started divide the cores between them.
    """
    if n_threads is not None:
        return min(n_threads, available_threads())
    if in_worker():
        return 1
    beside = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return max(1, min(MOST_THREADS, available_threads() // beside))


@contextmanager
def compute_settings(
    n_threads: int | None, engine: str = "auto", *, recurrent_by_torch: bool = False, verbose: int = 0
) -> Iterator[None]:
    """Compute with `engine` on `n_threads`, subnormal numbers flushed to zero, and restore the caller's settings after.

    The gradients of a recurrent network vanish into subnormal numbers, on which a CPU is about ten times slower. The
    kernels are split over threads by sequences, which wait for each other once a layer. torch splits a step, and waits
    at each, in a loop that keeps its cores from others: that makes several threads slower than one for small
    recurrences, and brings all to a halt where another process is busy. It gets more than one only if `n_threads` says
    so, and recurrences or convolutions are its own. Of convolutions too: two threads on two idle cores took a quarter
    less time for an epoch, and on busy ones half as much more, or a hundred times as much.

    Parameters
    ----------
    n_threads : int or None
        Never more than the process has cores. None is one for torch, and for the kernels :func:`threads_to_use`. A
        process that was forked gives torch one.
    engine : {"auto", "fused", "torch"}
    recurrent_by_torch : bool
        Whether there are recurrences, or convolutions over steps, that the kernels leave to torch, whatever the engine.
    verbose : int
        Whether to print a line when kernels are compiled.

    Raises
    ------
    ValueError
        If `engine` is "fused", and numba is not installed or does not compile.
    """
    if engine == "fused" and not kernels_installed():
        raise ValueError(f"engine='fused' needs {why_no_kernels()}, or set engine='auto' or engine='torch'")
    threads_before, flushing_before = torch.get_num_threads(), flushes_subnormals()
    by_torch = recurrent_by_torch or engine == "torch" or not kernels_installed()
    threads = min(n_threads or 1, available_threads()) if by_torch and not _in_fork else 1
    try:
        if threads != threads_before:
            torch.set_num_threads(threads)
        torch.set_flush_denormal(True)
        own = Engine(engine, threads_to_use(n_threads))
        with _one_thread_a_product(engine), using_engine(own, watched=verbose > 0):
            yield
    finally:
        torch.set_flush_denormal(flushing_before)
        if torch.get_num_threads() != threads_before:
            torch.set_num_threads(threads_before)


def _one_thread_a_product(engine: str) -> AbstractContextManager[Any]:
    """Keep the matrix products of kernels, which call BLAS from threads of their own, on one thread each."""
    return nullcontext() if engine == "torch" or not kernels_installed() else _ONE_BLAS_THREAD


_in_fork = False  # the threads of OpenMP do not come along, and a process that waits for them waits for ever


def _begin_fork() -> None:
    global _in_fork, _ONE_BLAS_THREAD
    _in_fork, _ONE_BLAS_THREAD = True, OneBlasThread(_blas_libraries)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_fork)


@functools.cache
def _blas_libraries() -> ThreadpoolController:
    """The BLAS libraries of this process, which take longer to find than a small batch takes to be computed."""
    import scipy.linalg.cython_blas  # noqa: F401  # the one that kernels call

    return ThreadpoolController()


_ONE_BLAS_THREAD = OneBlasThread(_blas_libraries)


@contextmanager
def explain_out_of_memory(*, training: bool = True) -> Iterator[None]:
    """Turn torch's and NumPy's errors about memory into one that names the parameters that help, in `training` or not.

    A prediction makes batches of its own, and holds no activations for a gradient.
    """
    try:
        yield
    except OutOfMemoryError:
        raise
    except (MemoryError, RuntimeError) as error:
        said = ("allocate memory", "out of memory", "ALLOC_FAILED")  # torch on a CPU, CUDA, and cuBLAS or cuDNN
        about_memory = isinstance(error, (MemoryError, torch.OutOfMemoryError))
        if not about_memory and not any(words in str(error) for words in said):
            raise
        help_in_training = "lower batch_size, max_length, hidden_size or num_layers, or set tbptt_steps"
        advice = (
            help_in_training if training else "give X in smaller parts, or lower max_length, hidden_size or num_layers"
        )
        raise OutOfMemoryError(f"The device ran out of memory on a batch of sequences: {advice} ({error})") from error
