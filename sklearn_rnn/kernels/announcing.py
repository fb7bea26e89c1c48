"""One line that says that kernels are compiled: it takes seconds, in which nothing else can be seen to happen."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

LOGGER = logging.getLogger("sklearn_rnn")


class Announcer:
    """Says once in a computation that kernels are compiled, to the log, and where somebody watches, on the screen."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._computing = 0
        self._watched = 0
        self._said = False

    @contextmanager
    def computing(self, *, watched: bool = False) -> Iterator[None]:
        """A computation, which may be one of several at the same time; `watched` is whether it prints what it does."""
        with self._lock:
            self._said = self._said and self._computing > 0
            self._computing += 1
            self._watched += watched
        try:
            yield
        finally:
            with self._lock:
                self._computing -= 1
                self._watched -= watched

    def compiling(self, folder: str | None) -> None:
        """Say that something is compiled, and kept in `folder`, if there is one."""
        with self._lock:
            said, self._said = self._said, True
            watched = self._watched > 0 or hasattr(sys, "ps1")  # which an interactive interpreter has
        if said:
            return
        line = "sklearn_rnn compiles its kernels for this machine, which takes about ten seconds"
        if folder is None:
            line += ", in each process: set NUMBA_CACHE_DIR to a folder that keeps them"
        else:
            line += f", once: they are kept in {folder}"
        LOGGER.info(line)
        if watched:
            print(line, flush=True)


ANNOUNCER = Announcer()
