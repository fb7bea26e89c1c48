"""Timing of contestants that take turns, each in a process of its own that is kept until the end.

A process has one setting of threads and of subnormal numbers from its start, so that no contestant inherits another's.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import math
import multiprocessing
import os
import platform
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

LIBRARIES = (
    "numpy",
    "scipy",
    "numba",
    "torch",
    "scikit-learn",
    "skorch",
    "jax",
    "jaxlib",
    "optax",
    "keras",
    "tensorflow",
)
PAUSE = 0.05
"""Seconds before each turn: the threads of OpenMP spin for a while when their work is done, and take a core from who is
next."""

FEWEST_ROUNDS, MOST_ROUNDS = 3, 15
TORCH_LOOPS = (
    "expert torch loop",
    "torch padded to the longest",
    "PackedSequence",
    "plain torch tagger",
    "torch stream loop",
    "torch one-hot stream loop",
)
AFFINITY = hasattr(os, "sched_setaffinity")


@dataclass(frozen=True)
class Seat:
    """A contestant with its number of threads, None where that is for the library to choose.

    Attributes
    ----------
    backend : str
        Of Keras.
    """

    name: str
    threads: int | None
    backend: str = ""

    @property
    def process(self) -> str:
        """The name of the process it runs in."""
        family = "torch" if self.name in TORCH_LOOPS else "ours" if self.name.startswith("our") else self.name
        return family if family == "ours" else f"{family} {self.backend} {self.threads}"

    @property
    def environment(self) -> dict[str, str]:
        if self.name == "JAX":
            return {"JAX_PLATFORMS": "cpu"}
        if self.name != "Keras":
            return {}
        return {"JAX_PLATFORMS": "cpu", "KERAS_BACKEND": self.backend, "TF_CPP_MIN_LOG_LEVEL": "3"}

    @property
    def n_cores(self) -> int | None:
        """How many cores its process may use: compilers of graphs take their threads from there."""
        return self.threads if self.name in ("JAX", "Keras") else None

    def __str__(self) -> str:
        return " ".join(map(str, filter(None, (self.name, self.backend, f"threads={self.threads}"))))


def seats(name: str, *, backends: tuple[str, ...] = ("",)) -> list[Seat]:
    """One thread and two, where there are two cores; and what we choose ourselves."""
    counts: list[int | None] = [1, 2] if n_cores() > 1 else [1]
    if name == "torch loop without flushing":
        counts = [None]
    return [
        Seat(name, count, backend) for backend in backends for count in [*counts, *([None] * name.startswith("our"))]
    ]


def n_cores() -> int:
    return len(os.sched_getaffinity(0)) if AFFINITY else os.cpu_count() or 1


class Worker:
    """A process that calls functions by name."""

    def __init__(self, environment: dict[str, str] | None = None, cores: int | None = None) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        with _environment(environment or {}):
            self._process = context.Process(target=_serve, args=(theirs, cores))
            self._process.start()
        theirs.close()

    def call(self, function: str, *arguments: Any) -> Any:
        """The result of ``module:function`` with these arguments."""
        self._connection.send((function, arguments))
        try:
            error, result = self._connection.recv()
        except EOFError:
            raise RuntimeError(f"the process that called {function} has died") from None
        if error:
            raise RuntimeError(f"{function} failed in its process:\n{error}")
        return result

    def close(self) -> None:
        self._connection.close()
        self._process.join(10)
        if self._process.is_alive():
            self._process.terminate()


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _serve(connection: Connection, cores: int | None) -> None:
    multiprocessing.process._parent_process = None  # type: ignore[attr-defined]  # as in a process that a user starts
    if cores is not None and AFFINITY:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-cores:])
    while True:
        try:
            function, arguments = connection.recv()
        except (EOFError, KeyboardInterrupt):
            return
        try:
            module, name = function.split(":")
            connection.send(("", getattr(importlib.import_module(module), name)(*arguments)))
        except Exception:
            connection.send((traceback.format_exc(), None))


class Workers:
    """Processes by name, started when first needed."""

    def __init__(self) -> None:
        self._by_name: dict[str, Worker] = {}

    def of(self, seat: Seat) -> Worker:
        if seat.process not in self._by_name:
            self._by_name[seat.process] = Worker(seat.environment, seat.n_cores)
        return self._by_name[seat.process]

    def forget(self) -> None:
        """Let all contestants go, and the memory of their data."""
        for worker in self._by_name.values():
            worker.call("peers.work:forget")

    def close(self) -> None:
        for worker in self._by_name.values():
            worker.close()
        self._by_name.clear()


def race(
    workers: Workers,
    problem: Any,
    contestants: dict[str, list[Seat]],
    *,
    seconds: float,
    work: str = "fit",
    n_epochs: int = 5,
) -> dict[str, Any]:
    """Let contestants take turns at one problem.

    Each is built and warmed up first. Those with several seats run once more at each of them, and go on at the fastest.
    The order of a round is turned around in the next one. Those that have a seat of one thread then take turns at that:
    one thread is what each job of a search has.

    Parameters
    ----------
    contestants : dict of str to list of Seat
        The first is ours.
    seconds : float
        About how long all of it may take; never fewer than ``FEWEST_ROUNDS`` rounds.

    Returns
    -------
    record : dict
        Seconds by contestant and round, ratios of ours to each, the seats that were tried, and ratios on one thread.
    """
    began = time.monotonic()
    workers.forget()
    fastest, tried = {}, {}
    for name, options in contestants.items():
        times = {}
        for seat in options:
            worker = workers.of(seat)
            worker.call("peers.work:build", seat, seat.name, seat.threads, problem)
            worker.call("peers.work:seconds_of", seat, "fit", 1)
            if work == "predict":
                worker.call("peers.work:seconds_of", seat, work, 1)
            if len(options) > 1:
                times[seat] = worker.call("peers.work:seconds_of", seat, work, 1)
        fastest[name] = min(times, key=times.__getitem__) if times else options[0]
        tried[name] = {str(seat): value for seat, value in times.items()}
    single = {name: seat for name, options in contestants.items() for seat in options if seat.threads == 1}
    left = seconds - (time.monotonic() - began)
    alone: dict[str, list[float]] = {}
    if len(contestants) == len(single) and any(fastest[name] != seat for name, seat in single.items()):
        alone = take_turns(workers, single, left / 3, work, n_epochs)
    took = take_turns(workers, fastest, seconds - (time.monotonic() - began), work, n_epochs)
    return {
        "problem": asdict(problem),
        "work": work,
        "epochs": n_epochs,
        "seat": {name: str(seat) for name, seat in fastest.items()},
        "tried": tried,
        "seconds": took,
        "ratios": ratios_to_ours(took),
        "ratios_one_thread": ratios_to_ours(alone or took) if len(contestants) == len(single) else {},
    }


def take_turns(
    workers: Workers, at: dict[str, Seat], seconds: float, work: str, n_epochs: int
) -> dict[str, list[float]]:
    """Seconds by contestant and round, each at its seat; about `seconds` in all, but some rounds at least."""
    took: dict[str, list[float]] = {name: [] for name in at}
    order, rounds, began, k = list(at), FEWEST_ROUNDS, time.monotonic(), 0
    while k < rounds:
        for name in order:
            seat = at[name]
            time.sleep(PAUSE)
            took[name].append(workers.of(seat).call("peers.work:seconds_of", seat, work, n_epochs))
        order.reverse()
        k += 1
        if k == 1:
            rounds = rounds_within(seconds, time.monotonic() - began)
    return took


def rounds_within(seconds: float, seconds_of_round: float) -> int:
    """How many rounds fit in, at least ``FEWEST_ROUNDS`` and at most ``MOST_ROUNDS``."""
    return min(MOST_ROUNDS, max(FEWEST_ROUNDS, int(seconds / seconds_of_round)))


def ratios_to_ours(took: dict[str, list[float]]) -> dict[str, dict[str, Any]]:
    """Median and quartiles of the ratios, round by round, of the first contestant's time to that of each other."""
    ours, *others = took
    return {name: spread([a / b for a, b in zip(took[ours], took[name], strict=True)]) for name in others}


def spread(values: list[float]) -> dict[str, Any]:
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return {"median": float(middle), "low": float(low), "high": float(high), "all": [float(value) for value in values]}


def geometric_mean(values: list[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))


def exponent(sizes: list[float], values: list[float]) -> float:
    """The slope of a straight line through the logarithms: 1 for what grows in proportion."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


class Budget:
    """Time that is left, shared by the work that is left in proportion to its weights."""

    def __init__(self, minutes: float, weights: dict[str, float]) -> None:
        self._end = time.monotonic() + 60 * minutes
        self._weights = dict(weights)

    def share(self, key: str) -> float:
        """Seconds for the work of this name, which is then no longer among what is left."""
        total = sum(self._weights.values())
        return max(0.0, self._end - time.monotonic()) * self._weights.pop(key) / total


def machine() -> dict[str, Any]:
    """What the figures belong to."""
    versions = {"sklearn_rnn": _version("sklearn-rnn")}
    return {
        "cpu": _cpu_model(),
        "cores": n_cores(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: value for name in LIBRARIES if (value := _version(name))} | versions,
    }


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def read_results(path: Path) -> dict[str, Any]:
    """The results of earlier runs on this machine with these versions.

    Raises
    ------
    SystemExit
        If the file is of another machine or of other versions: their figures are not put into one table.
    """
    here = machine()
    if not path.exists():
        return {"machine": here, "records": {}}
    results = json.loads(path.read_text(encoding="utf-8"))
    if results["machine"] != here:
        raise SystemExit(f"{path} was measured on {results['machine']}, this is {here}: remove it, or set --json")
    return results


def write_results(path: Path, results: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
