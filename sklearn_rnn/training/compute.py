"""Where a computation runs: the device, the number of threads, and what happens to subnormal numbers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from sklearn_rnn.exceptions import OutOfMemoryError


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


@contextmanager
def compute_settings(n_threads: int | None) -> Iterator[None]:
    """Run torch on `n_threads` with subnormal numbers flushed to zero, and restore the caller's settings after it.

    The gradients of a recurrent network vanish into subnormal numbers, on which a CPU is about ten times slower; and a
    barrier at each step makes several threads slower than one for small recurrences.

    Parameters
    ----------
    n_threads : int or None
        None is one thread; never more than the process has cores.
    """
    threads_before, flushing_before = torch.get_num_threads(), flushes_subnormals()
    threads = min(n_threads or 1, available_threads())
    try:
        if threads != threads_before:
            torch.set_num_threads(threads)
        torch.set_flush_denormal(True)
        yield
    finally:
        torch.set_flush_denormal(flushing_before)
        if torch.get_num_threads() != threads_before:
            torch.set_num_threads(threads_before)


@contextmanager
def explain_out_of_memory() -> Iterator[None]:
    """Turn torch's and NumPy's errors about memory into one that names the parameters that help."""
    try:
        yield
    except OutOfMemoryError:
        raise
    except (MemoryError, RuntimeError) as error:
        said = ("allocate memory", "out of memory", "ALLOC_FAILED")  # torch on a CPU, CUDA, and cuBLAS or cuDNN
        about_memory = isinstance(error, (MemoryError, torch.OutOfMemoryError))
        if not about_memory and not any(words in str(error) for words in said):
            raise
        raise OutOfMemoryError(
            "The device ran out of memory on a batch of padded sequences: lower batch_size, max_length, hidden_size or "
            f"num_layers, or set tbptt_steps ({error})"
        ) from error
