"""How every kernel of this room is compiled: by numba, without the interpreter's lock, and kept on disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

FAST = {"contract", "nsz", "arcp"}
"""What the compiler may assume: products and sums fuse, zeros have no sign, a division may be a product."""


def kernel(function: Callable[..., Any]) -> Any:
    """Compile `function` when it is first called with arrays of new types, and read it from the cache after that.

    A kernel writes into the arrays that it is given and returns no array of its own: numba runs a function of Python to
    wrap one, and a Ctrl-C that arrives there is lost in a SystemError.

    The cache lies beside this file, or where that folder cannot be written to, in the user's own; where there is
    neither, each process compiles anew.
    """
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": FAST}
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:  # numba found no folder that it may write to
        return njit(**options)(function)


def inlined(function: Callable[..., Any]) -> Any:
    """A function for the loops of kernels, compiled with them: the compiler takes it in where it is called."""
    return njit(nogil=True, error_model="numpy", fastmath=FAST)(function)


def placed(function: Callable[..., Any]) -> Any:
    """A part of a kernel that stands by itself to be read: numba puts it where it is called before it compiles that."""
    return njit(nogil=True, error_model="numpy", fastmath=FAST, inline="always")(function)
