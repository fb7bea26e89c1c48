"""Warnings that name the line of the user's code, whatever lies between, and are given once for several fits."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType
from typing import Any

BETWEEN = {"sklearn_rnn", "sklearn", "joblib", "skorch", "torch", "numba", "contextlib", "functools", "threading"}
"""The libraries whose frames are passed over on the way to the caller's line."""

NUMBERS = re.compile(r"\d+(\.\d+)?(e[+-]?\d+)?")

Found = list[tuple[str | Warning, type[Warning]]]

_given: ContextVar[set[Any] | None] = ContextVar("_given", default=None)
_held_back: ContextVar[Found | None] = ContextVar("_held_back", default=None)


def warn(message: str | Warning, category: type[Warning] = UserWarning) -> None:
    """Warn of `message` at the line outside of this package, and of the libraries around it, that led here."""
    held_back, given = _held_back.get(), _given.get()
    if held_back is not None:
        held_back.append((message, category))
        return
    if given is not None:
        key = NUMBERS.sub("#", str(message)), category
        if key in given:
            return
        given.add(key)
    frame = _callers_frame()
    registry = frame.f_globals.setdefault("__warningregistry__", {})
    module = frame.f_globals.get("__name__", "<unknown>")
    warnings.warn_explicit(message, category, frame.f_code.co_filename, frame.f_lineno, module, registry)


@contextmanager
def warned_once() -> Iterator[None]:
    """Inside, one of several warnings that differ in nothing but numbers is given."""
    before = _given.set(set() if _given.get() is None else _given.get())
    try:
        yield
    finally:
        _given.reset(before)


def with_warnings(function: Callable[..., Any], *args: Any) -> tuple[Any, Found]:
    """What `function` returns, and the warnings that a worker of joblib, which knows no caller, could not give."""
    if _given.get() is not None:
        return function(*args), []
    found: Found = []
    before = _held_back.set(found)
    try:
        return function(*args), found
    finally:
        _held_back.reset(before)


def _callers_frame() -> FrameType:
    """The innermost frame of other code than `BETWEEN`; the outermost of all if there is none."""
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in BETWEEN:
        frame = frame.f_back
    return frame
