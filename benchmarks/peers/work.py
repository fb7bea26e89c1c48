"""What a worker process does when it is told: build contestants, and time them."""

from __future__ import annotations

import importlib
import sys
import time
from typing import Any

from peers.problem import Problem

CONTESTANTS = {
    "ours": ("peers.ours", "Ours"),
    "expert torch loop": ("peers.torch_loops", "Expert"),
    "torch loop without flushing": ("peers.torch_loops", "Unflushed"),
    "torch padded to the longest": ("peers.torch_loops", "Padded"),
    "PackedSequence": ("peers.torch_loops", "Packed"),
    "skorch": ("peers.skorch_net", "Skorch"),
    "JAX": ("peers.jax_scan", "Jax"),
    "Keras": ("peers.keras_model", "Keras"),
    "our stream": ("peers.language", "OurStream"),
    "torch stream loop": ("peers.language", "ExpertStream"),
    "torch one-hot stream loop": ("peers.language", "OneHotStream"),
    "our tagger": ("peers.taggers", "OurTagger"),
    "plain torch tagger": ("peers.taggers", "TorchTagger"),
}

_built: dict[Any, Any] = {}


def build(key: Any, name: str, threads: int | None, problem: Problem | Any) -> None:
    """Make the contestant, to be called `key`."""
    module, cls = CONTESTANTS[name]
    _built[key] = getattr(importlib.import_module(module), cls)(problem, threads)


def seconds_of(key: Any, work: str, n_epochs: int) -> float:
    """How long ``fit`` for so many epochs, or ``predict``, takes."""
    contestant = _built[key]
    start = time.perf_counter()
    contestant.fit(n_epochs) if work == "fit" else contestant.predict()
    return time.perf_counter() - start


def forget() -> None:
    """Drop all contestants and what was compiled for them."""
    _built.clear()
    if "jax" in sys.modules:
        sys.modules["jax"].clear_caches()
    if "keras" in sys.modules:
        sys.modules["keras"].utils.clear_session()
