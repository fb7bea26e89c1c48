"""How long `fit` and `predict` take, beside what one would otherwise use, measured in the same run.

    python benchmarks/speed.py [--budget-minutes M] [--only NAME ...] [--data DIR] [--json FILE] [--write-docs]

Prints a table of ratios, ours over theirs, and writes every measurement to FILE. What an earlier run left in FILE
stays, so that pieces can be measured one by one: NAME is the beginning of a name that ``--list`` prints, such as
``epoch/gru`` or ``search``. ``--only`` without a name measures nothing, and makes table and picture of what is there.
``--write-docs`` writes ``docs/speed_table.rst``, ``docs/speed_throughput.rst`` and ``docs/_static/speed.png``.

Contestants take turns and each has the number of threads that is best for it. The peers are in
``pip install -c constraints.txt ".[bench]"``; the tagger's row needs ATIS, ``DIR/atis`` as
``sklearn_rnn.datasets.fetch_atis`` leaves it. Run it on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from measuring import (
    Budget,
    Seat,
    Worker,
    Workers,
    n_cores,
    race,
    read_results,
    seats,
    spread,
    write_results,
)
from peers.problem import LONGEST, Problem
from scaling import memory_in_new_process
from speed_report import draw, table, throughput_table
from tables import as_rst

DOCS = Path(__file__).parents[1] / "docs"
RESULTS = Path(__file__).parent / "results" / "speed.json"

CELLS = ("rnn", "gru", "lstm")
N_BATCHES = {
    (32, 50, 16, 32): 40,
    (64, 100, 32, 64): 8,
    (64, 100, 128, 128): 3,
    (64, 50, 300, 256): 3,
    (128, 200, 8, 128): 2,
    (32, 8, 8, 32): 150,
}
"""Batches of an epoch by (batch, steps, inputs, hidden): an epoch of torch takes some tenths of a second."""

STACKED = ((32, 50, 16, 32), (64, 100, 32, 64))
"""Sizes that are also measured with two layers, and with two directions."""

ATIS_UTTERANCES = 1500
MEMORY = Problem("gru", batch=128, steps=100, inputs=32, hidden=16, n_batches=250)
KERAS_BACKENDS = {"jax": "jax", "tensorflow": "tensorflow", "torch": "torch"}


@dataclass
class Session:
    """What the measurements share.

    Attributes
    ----------
    seconds : float
        For the measurement that is being made.
    """

    workers: Workers
    results: dict[str, Any]
    data: Path | None
    seconds: float = 0.0

    def keras_seats(self) -> list[Seat]:
        """Keras on the fastest of the backends that are installed, found by an epoch of a small GRU."""
        if "keras" not in self.results:
            found = tuple(name for name, module in KERAS_BACKENDS.items() if find_spec(module))
            problem = Problem("gru", 32, 50, 16, 32, n_batches=20)
            options = {name: seats("Keras", backends=(name,)) for name in found}
            times = race(self.workers, problem, options, seconds=0.0, n_epochs=1)["seconds"]
            medians = {name: spread(values)["median"] for name, values in times.items()}
            self.results["keras"] = {"seconds": medians, "backend": min(medians, key=medians.__getitem__)}
        return seats("Keras", backends=(self.results["keras"]["backend"],))

    def contestants(self, *names: str) -> dict[str, list[Seat]]:
        """Seats of those whose libraries are installed."""
        needs = {"JAX": ("jax", "optax"), "Keras": ("keras",)}
        present = [name for name in names if all(find_spec(module) for module in needs.get(name, ()))]
        return {name: self.keras_seats() if name == "Keras" else seats(name) for name in present}


def fit_race(problem: Problem, peers: tuple[str, ...], session: Session, n_epochs: int = 5) -> dict[str, Any]:
    contestants = session.contestants("ours", *peers)
    return race(session.workers, problem, contestants, seconds=session.seconds, n_epochs=n_epochs)


def predict_race(problem: Problem, session: Session) -> dict[str, Any]:
    contestants = session.contestants("ours", "skorch", "expert torch loop")
    return race(session.workers, problem, contestants, seconds=session.seconds, work="predict")


def tagger_race(session: Session) -> dict[str, Any] | None:
    if session.data is None or not (session.data / "atis").is_dir():
        return None
    from peers.taggers import TaggingProblem, sizes

    problem = TaggingProblem(str(session.data), ATIS_UTTERANCES)
    contestants = {"ours": seats("our tagger"), "plain torch tagger": seats("plain torch tagger")}
    found = race(session.workers, problem, contestants, seconds=session.seconds, n_epochs=1)
    return {**found, "problem": sizes(problem)}


def in_new_process(function: str, arguments: tuple[Any, ...], session: Session) -> Any:
    """The result of a function that also gets the seconds that it may take."""
    worker = Worker()
    try:
        return worker.call(function, *arguments, session.seconds)
    finally:
        worker.close()


def memory(session: Session) -> dict[str, Any]:
    found = memory_in_new_process(MEMORY)
    allowed = 2 + 300e6 / found["data"]
    return {**found, "aim": allowed, "ratios": {"bytes of the data set": spread([found["peak"] / found["data"]])}}


def measurements() -> dict[str, tuple[float, Callable[[Session], Any]]]:
    """By name the weight in the budget of time, and what is to be done."""
    rivals = ("expert torch loop", "skorch", "JAX", "Keras")
    plan: dict[str, tuple[float, Callable[[Session], Any]]] = {}
    for cell in CELLS:
        for size, n_batches in N_BATCHES.items():
            problem = Problem(cell, *size, n_batches=n_batches)
            plan[f"epoch/{cell}/{problem.size}"] = (3.0, partial(fit_race, problem, rivals))
    for cell in CELLS:
        for size in STACKED:
            for layers, directions in ((2, 1), (1, 2)):
                problem = Problem(cell, *size, N_BATCHES[size] // 2, layers, directions)
                name = f"stacked/{cell}/{problem.size}/{layers} layers, {directions} directions"
                plan[name] = (0.6, partial(fit_race, problem, ("expert torch loop",)))
    for cell in CELLS:
        problem = Problem(cell, 32, LONGEST, 16, 64, n_batches=20, ragged=True)
        peers = ("torch padded to the longest", "PackedSequence")
        plan[f"ragged/{cell}"] = (1.5, partial(fit_race, problem, peers, n_epochs=2))
    for cell in CELLS:
        problem = Problem(cell, 32, 1000, 8, 64, n_batches=2)
        plan[f"long/{cell}"] = (1.5, partial(fit_race, problem, ("torch loop without flushing",), n_epochs=2))
    for cell in CELLS:
        plan[f"predict/{cell}"] = (0.7, partial(predict_race, Problem(cell, 40, 8, 8, 32, n_batches=125)))
    plan["search"] = (6.0, partial(in_new_process, "search_speed:measure_search", ()))
    plan["tagger/atis"] = (5.0, tagger_race)
    for axis in ("sequences", "steps"):
        plan[f"growth/{axis}"] = (0.7, partial(in_new_process, "scaling:growth", (axis,)))
    plan["memory"] = (0.5, memory)
    plan["throughput/products"] = (0.5, partial(in_new_process, "throughput:measure_products", ()))
    for cell in CELLS:
        plan[f"throughput/{cell}"] = (0.7, partial(in_new_process, "throughput:measure_training", (cell,)))
    return plan


def run(plan: dict[str, tuple[float, Any]], session: Session, minutes: float, path: Path) -> None:
    """Make the measurements one by one, and write each down when it is done."""
    budget = Budget(minutes, {name: weight for name, (weight, _) in plan.items()})
    began = time.monotonic()
    for name, (_, measure) in plan.items():
        session.seconds = budget.share(name)
        start = time.monotonic()
        record = measure(session)
        if record is None:
            print(f"{name}: left out, its data are not there (--data)", flush=True)
            continue
        # The searches answer with two records, which share their measurements.
        found = record if name == "search" else {name: record}
        session.results["records"].update(found)
        write_results(path, session.results)
        now = time.monotonic()
        ratios = [f"{peer} {r['median']:.3g}" for part in found.values() for peer, r in part.get("ratios", {}).items()]
        print(f"{name}: {'; '.join(ratios)} ({now - start:.0f} s, {(now - began) / 60:.1f} min in all)", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--budget-minutes", type=float, default=17.0, help="about how long all measurements may take")
    parser.add_argument("--only", nargs="*", help="beginnings of the names of what is measured")
    parser.add_argument("--list", action="store_true", help="print the names and stop")
    parser.add_argument("--data", type=Path, help="folder of the data sets, for the tagger")
    parser.add_argument("--json", type=Path, default=RESULTS, help="what was measured is added there")
    parser.add_argument("--write-docs", action="store_true", help="write tables and picture of the documentation")
    arguments = parser.parse_args()
    plan = measurements()
    if arguments.list:
        print("\n".join(plan))
        return
    if arguments.only is not None:
        plan = {name: work for name, work in plan.items() if name.startswith(tuple(arguments.only))}
    results = read_results(arguments.json)
    if hasattr(os, "getloadavg") and os.getloadavg()[0] > 0.5 * n_cores():
        print(f"this machine is busy (load {os.getloadavg()[0]:.1f}): do not trust these figures")
    workers = Workers()
    try:
        run(plan, Session(workers, results, arguments.data), arguments.budget_minutes, arguments.json)
    finally:
        workers.close()
    records = results["records"]
    for row in [*table(records), [], *throughput_table(records)]:
        print(" | ".join(row))
    if arguments.write_docs:
        (DOCS / "speed_table.rst").write_text(as_rst(table(records), [34, 22, 20, 6, 8, 20]), encoding="utf-8")
        throughput = as_rst(throughput_table(records), [16] + [10] * 6)
        (DOCS / "speed_throughput.rst").write_text(throughput, encoding="utf-8")
        (DOCS / "_static").mkdir(exist_ok=True)
        draw(records, DOCS / "_static" / "speed.png")


if __name__ == "__main__":
    main()
