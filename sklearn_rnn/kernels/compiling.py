"""How every kernel of this room is compiled: by numba, without the interpreter's lock, and kept on disk."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from numba import njit
from numba.core.caching import FunctionCache, NullCache
from numba.core.dispatcher import Dispatcher

from sklearn_rnn._warning import warn
from sklearn_rnn.kernels.announcing import ANNOUNCER

FAST = {"contract", "nsz", "arcp"}
"""What the compiler may assume: products and sums fuse, zeros have no sign, a division may be a product."""


def kernel(function: Callable[..., Any]) -> Any:
    """Compile `function` when it is first called with arrays of new types, and read it from the cache after that.

    A kernel writes into the arrays that it is given and returns no array of its own: numba runs a function of Python to
    wrap one, and a Ctrl-C that arrives there is lost in a SystemError.

    The cache lies beside this file, or where that folder cannot be written to, in the user's own; where there is
    neither, each process compiles anew.
    """
    compiled = njit(nogil=True, error_model="numpy", fastmath=FAST)(function)
    if isinstance(compiled, Dispatcher):  # not so where NUMBA_DISABLE_JIT is set
        compiled._cache = _cache_of(function)  # type: ignore[attr-defined]  # what njit(cache=True) sets
    return compiled


def inlined(function: Callable[..., Any]) -> Any:
    """A function for the loops of kernels, compiled with them: the compiler takes it in where it is called."""
    return njit(nogil=True, error_model="numpy", fastmath=FAST)(function)


def placed(function: Callable[..., Any]) -> Any:
    """A part of a kernel that stands by itself to be read: numba puts it where it is called before it compiles that."""
    return njit(nogil=True, error_model="numpy", fastmath=FAST, inline="always")(function)


def _cache_of(function: Callable[..., Any]) -> KernelCache | NoCache:
    try:
        return KernelCache(function)
    except (RuntimeError, OSError):  # numba found no folder that it may write to
        return NoCache()


class KernelCache(FunctionCache):
    """numba's cache of one kernel. What cannot be read from it is compiled, and what cannot be kept is not kept."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled kernel for the types `sig`, or None, after which numba compiles it."""
        found = None
        try:
            found = super().load_overload(sig, target_context)
        except Exception as error:  # whatever comes of reading a file that is cut short, or another's
            _CACHE_FAULTS.warn("read", self.cache_path, error)
            self._forget()
        if found is None:
            ANNOUNCER.compiling(self.cache_path)
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep what was compiled for the types `sig`, if that can be."""
        try:
            super().save_overload(sig, data)
        except Exception as error:
            _CACHE_FAULTS.warn("written to", self.cache_path, error)
            self.disable()

    def _forget(self) -> None:
        """Begin the cache of this kernel anew, or where that cannot be, do without it."""
        try:
            self.flush()
        except Exception:
            self.disable()


class NoCache(NullCache):
    """That of a kernel that each process compiles anew."""

    def load_overload(self, sig: Any, target_context: Any) -> None:
        """Nothing, after which numba compiles."""
        ANNOUNCER.compiling(None)


class _CacheFaults:
    """Warns of the first thing in a process that is wrong with the cache: what comes after has the same cause."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._warned = False

    def warn(self, what: str, folder: str, error: Exception) -> None:
        with self._lock:
            warned, self._warned = self._warned, True
        if not warned:
            warn(
                f"The cache of compiled kernels in {folder} cannot be {what} ({type(error).__name__}: {error}): they "
                f"are compiled anew, which takes some seconds. If this comes back, delete that folder, or set "
                f"NUMBA_CACHE_DIR to another",
                RuntimeWarning,
            )


_CACHE_FAULTS = _CacheFaults()
