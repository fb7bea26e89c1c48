"""How time and peak memory of `fit` grow with the data and the network.

    python benchmarks/scaling.py [--only AXIS ...] [--json FILE] [--write-docs]

From a small fit, one of these at a time grows to a hundred times as much: sequences, their length, the features of a
step, and the units of the layer. Times are medians of fits in one process that has fitted before; memory is the peak of
a fresh process, less what the imports take. One sequence of a tenth of a million, and of a million, steps is trained on
in chunks of `tbptt_steps`, in one direction and in two: its memory is measured alike. So is that of short sequences in
one batch, with and without a long one among them. Prints tables, and writes every measurement to FILE; ``--write-docs``
also writes ``docs/scaling_table.rst``, ``docs/long_sequence_table.rst``, ``docs/uneven_batch_table.rst`` and
``docs/_static/scaling.png``.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from measuring import Worker, exponent, read_results, write_results
from peers.problem import Problem
from tables import as_rst

DOCS = Path(__file__).parents[1] / "docs"
RESULTS = Path(__file__).parent / "results" / "scaling.json"
FACTORS = (1, 3, 10, 30, 100)
LONG = "one long sequence"
LONG_STEPS, TBPTT_STEPS = (100_000, 1_000_000), 200
"""Steps of one long sequence, and of the chunks that it is trained in."""

UNEVEN = "one long among short sequences"
N_SHORT, SHORT_STEPS, AMONG_STEPS = 1000, 20, 20_000
"""Sequences of few steps in one batch, and the steps of another that is in it too."""

TAIL = 3
"""The largest sizes that the exponent is fitted to: at the smallest, time and memory are mostly constants."""

AXES = {
    "sequences": Problem("gru", batch=32, steps=20, inputs=8, hidden=32, n_batches=5),
    "steps": Problem("gru", batch=32, steps=10, inputs=8, hidden=32, n_batches=5),
    "features": Problem("gru", batch=32, steps=20, inputs=8, hidden=32, n_batches=10),
    "hidden size": Problem("gru", batch=32, steps=20, inputs=8, hidden=8, n_batches=5),
}
WHAT = [*AXES, LONG, UNEVEN]
FIELD = {"sequences": "n_batches", "steps": "steps", "features": "inputs", "hidden size": "hidden"}


def grown(axis: str, factor: int) -> Problem:
    """The problem with `factor` times as much of what the axis is."""
    base = AXES[axis]
    return replace(base, **{FIELD[axis]: factor * getattr(base, FIELD[axis])})


def size_of(axis: str, problem: Problem) -> int:
    return problem.n_sequences if axis == "sequences" else int(getattr(problem, FIELD[axis]))


def fit_seconds(problem: Problem, seconds: float) -> list[float]:
    """Times of fits of one epoch, at least three, as many as fit into `seconds`; the first fit is not among them."""
    from peers.ours import Ours

    contestant = Ours(problem, None)
    contestant.fit(1)
    times, end = [], time.perf_counter() + seconds
    while len(times) < 3 or (time.perf_counter() < end and len(times) < 25):
        start = time.perf_counter()
        contestant.fit(1)
        times.append(time.perf_counter() - start)
    return times


def peak_memory(problem: Problem) -> dict[str, int]:
    """Bytes of the data, and of the process at its peak above what it had after the imports; once a process."""
    from peers.ours import estimator

    before = resident_bytes("VmRSS")
    rng = np.random.default_rng(0)
    X = rng.standard_normal((problem.n_sequences, problem.steps, problem.inputs), dtype=np.float32)
    y = X[:, -1, 0].copy()
    estimator(problem, None, max_epochs=1).fit(X, y)
    return {"data": X.nbytes + y.nbytes, "peak": resident_bytes("VmHWM") - before}


def fit_of_one_long_sequence(directions: int, steps: int) -> dict[str, float]:
    """As :func:`peak_memory`, for one sequence, and the seconds of an epoch; once a process."""
    from peers.ours import estimator

    before = resident_bytes("VmRSS")
    problem = Problem("gru", batch=1, steps=steps, inputs=4, hidden=64, directions=directions, n_batches=1)
    X = np.random.default_rng(0).standard_normal((1, problem.steps, problem.inputs), dtype=np.float32)
    y = X[:, -1, 0].copy()
    model = estimator(problem, None, max_epochs=1, tbptt_steps=TBPTT_STEPS)
    model.fit(X[:, : 2 * TBPTT_STEPS], y)  # kernels are compiled, or read
    start = time.perf_counter()
    model.fit(X, y)
    seconds = time.perf_counter() - start
    return {"data": X.nbytes + y.nbytes, "peak": resident_bytes("VmHWM") - before, "seconds": seconds}


def fit_of_an_uneven_batch(kind: str, long_steps: int) -> dict[str, float]:
    """Peak memory and seconds of an epoch over short sequences and, if it has steps, a long one; once a process."""
    from sklearn_rnn import RNNClassifier, RNNSequenceTagger

    before, rng = resident_bytes("VmRSS"), np.random.default_rng(0)
    lengths = [SHORT_STEPS] * N_SHORT + [long_steps] * bool(long_steps)
    X = [rng.standard_normal((length, 8), dtype=np.float32) for length in lengths]
    of_steps = [np.where(x[:, 0] > 0, "up", "down") for x in X]
    estimator, y = {
        "classifier": (partial(RNNClassifier, pooling="last"), np.array([labels[-1] for labels in of_steps])),
        "tagger": (RNNSequenceTagger, of_steps),
    }[kind]
    options = {"hidden_size": 64, "batch_size": len(X), "max_epochs": 1, "random_state": 0}
    options |= {"dropout": 0.2, "conv_branch": False, "standardize": False}
    estimator(**options).fit(X[:50], y[:50])
    start = time.perf_counter()
    model = estimator(**options).fit(X, y)
    fitted = time.perf_counter()
    model.predict(X)
    return {
        "data": sum(x.nbytes for x in X),
        "steps": sum(lengths),
        "peak": resident_bytes("VmHWM") - before,
        "fit": fitted - start,
        "predict": time.perf_counter() - fitted,
    }


def resident_bytes(field: str) -> int:
    """Memory of this process now (VmRSS) or at its peak (VmHWM).

    Where there is no ``/proc``, both are the peak so far.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        import resource
        import sys

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return int(peak if sys.platform == "darwin" else 1024 * peak)
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith(field)))


def in_new_process(function: str, *arguments: Any) -> dict[str, Any]:
    worker = Worker()
    try:
        return worker.call(f"scaling:{function}", *arguments)
    finally:
        worker.close()


def memory_in_new_process(problem: Problem) -> dict[str, int]:
    return in_new_process("peak_memory", problem)


def growth(axis: str, seconds: float) -> dict[str, Any]:
    """The ratio of the times of a hundred times as much and of once as much, for the table of speed."""
    from measuring import spread

    small, large = grown(axis, FACTORS[0]), grown(axis, FACTORS[-1])
    times = {}
    for name, problem in (("1 times", small), ("100 times", large)):
        times[name] = fit_seconds(problem, seconds / 3)
    median = float(np.median(times["1 times"]))
    return {
        "problem": asdict(small),
        "seconds": times,
        "ratios": {"1 times": spread([value / median for value in times["100 times"]])},
    }


def measure(axis: str) -> dict[str, Any]:
    """Times and peaks of all sizes of one axis."""
    timer = Worker()
    points = []
    try:
        for factor in FACTORS:
            problem = grown(axis, factor)
            times = timer.call("scaling:fit_seconds", problem, 1.0)
            points.append(
                {
                    "size": size_of(axis, problem),
                    "problem": asdict(problem),
                    "seconds": times,
                    **in_new_process("peak_memory", problem),
                }
            )
            print(f"{axis} {points[-1]['size']}: {1000 * np.median(times):.1f} ms", flush=True)
    finally:
        timer.close()
    sizes = [point["size"] for point in points]
    seconds = [float(np.median(point["seconds"])) for point in points]
    return {
        "points": points,
        "exponent of time": exponent(sizes[-TAIL:], seconds[-TAIL:]),
        "exponent of memory": exponent(sizes[-TAIL:], [point["peak"] for point in points][-TAIL:]),
        "time of 100 times": seconds[-1] / seconds[0],
    }


def table_of_long(record: dict[str, dict[str, float]]) -> list[list[str]]:
    header = ["directions", "steps", "steps of a chunk", "fit, s", "peak, MB", "of that data"]
    rows = [header]
    for name, found in record.items():
        directions, steps = name.split()
        megabytes = [f"{found[name] / 1e6:.0f}" for name in ("peak", "data")]
        rows.append([directions, f"{int(steps):,}", f"{TBPTT_STEPS}", f"{found['seconds']:.3g}", *megabytes])
    return rows


def table_of_uneven(record: dict[str, dict[str, float]]) -> list[list[str]]:
    header = ["estimator", "longest", "steps", "fit, s", "predict, s", "peak, MB", "of that data"]
    rows = [header]
    for name, found in record.items():
        kind, long_steps = name.split()
        seconds = [f"{found[name]:.2g}" for name in ("fit", "predict")]
        megabytes = [f"{found['peak'] / 1e6:.0f}", f"{found['data'] / 1e6:.1f}"]
        longest = max(int(long_steps), SHORT_STEPS)
        rows.append([kind, f"{longest:,}", f"{found['steps']:,}", *seconds, *megabytes])
    return rows


def table(records: dict[str, Any]) -> list[list[str]]:
    header = ["what grows", "from, to", "fit, s", "times as long", "exponent", "peak, MB", "of that data", "exponent"]
    rows = [header]
    for axis, record in records.items():
        first, last = record["points"][0], record["points"][-1]

        def both(value: Any, first: Any = first, last: Any = last) -> str:
            return f"{value(first)}, {value(last)}"

        rows.append(
            [
                axis,
                both(lambda p: f"{p['size']:,}"),
                both(lambda p: f"{np.median(p['seconds']):.3g}"),
                f"{record['time of 100 times']:.1f}",
                f"{record['exponent of time']:.2f}",
                both(lambda p: f"{p['peak'] / 1e6:.0f}"),
                both(lambda p: f"{p['data'] / 1e6:.1f}"),
                f"{record['exponent of memory']:.2f}",
            ]
        )
    return rows


def draw(records: dict[str, Any], path: Path) -> None:
    """Time and memory over the size, on logarithmic axes, with a line for proportional growth."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
    panels[0].plot([1, 100], [1, 100], ls=":", color="0.6", label="in proportion")
    for axis, record in records.items():
        points = record["points"]
        factors = np.array([point["size"] for point in points]) / points[0]["size"]
        seconds = np.array([np.median(point["seconds"]) for point in points])
        label = f"{axis} (from {points[0]['size']:,})"
        panels[0].plot(factors, seconds / seconds[0], marker="o", ms=4, label=label)
        panels[1].plot(factors, [point["peak"] / 1e6 for point in points], marker="o", ms=4, label=label)
    panels[0].set(xscale="log", yscale="log", xlabel="times as much", ylabel="times as long")
    panels[1].set(xscale="log", ylim=(0, None), xlabel="times as much", ylabel="peak memory above the imports, MB")
    panels[0].legend(frameon=False, fontsize=8)
    for panel in panels:
        panel.grid(alpha=0.3)
        panel.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=WHAT, default=WHAT)
    parser.add_argument("--json", type=Path, default=RESULTS, help="what was measured is added there")
    parser.add_argument("--write-docs", action="store_true", help="write the table and the picture of the docs")
    arguments = parser.parse_args()
    results = read_results(arguments.json)
    for what in arguments.only:
        if what == LONG:
            cases = [(directions, steps) for directions in (1, 2) for steps in LONG_STEPS]
            results["records"][LONG] = {
                f"{directions} {steps}": in_new_process("fit_of_one_long_sequence", directions, steps)
                for directions, steps in cases
            }
        elif what == UNEVEN:
            both = [(kind, steps) for kind in ("classifier", "tagger") for steps in (0, AMONG_STEPS)]
            results["records"][UNEVEN] = {
                f"{kind} {steps}": in_new_process("fit_of_an_uneven_batch", kind, steps) for kind, steps in both
            }
        else:
            results["records"][what] = measure(what)
        write_results(arguments.json, results)
    records = {axis: results["records"][axis] for axis in AXES if axis in results["records"]}
    of_long = table_of_long(results["records"].get(LONG, {}))
    of_uneven = table_of_uneven(results["records"].get(UNEVEN, {}))
    for row in [*table(records), *of_long, *of_uneven]:
        print(" | ".join(row))
    if arguments.write_docs:
        (DOCS / "long_sequence_table.rst").write_text(as_rst(of_long, [16] * 6), encoding="utf-8")
        (DOCS / "uneven_batch_table.rst").write_text(as_rst(of_uneven, [14] * 7), encoding="utf-8")
        (DOCS / "scaling_table.rst").write_text(as_rst(table(records), [14] * 8), encoding="utf-8")
        draw(records, DOCS / "_static" / "scaling.png")


if __name__ == "__main__":
    main()
