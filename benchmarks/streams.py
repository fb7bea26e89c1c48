"""How long a step of live streams takes, beside torch's GRU on the same step.

    python benchmarks/streams.py [--streams N ...] [--rounds N] [--json FILE] [--write-docs]

A classifier with a GRU of 64 units over 8 features takes one step of 1, 100 and 10,000 streams at once, by
``Stream.update``: with all checks, the head and the prediction. ``nn.GRU`` and ``nn.GRUCell`` of the same size take the
same step from a state to the next one, without anything around them, in ``torch.inference_mode``. All of them have one
thread, and take turns in one process. Prints a table, and writes all measurements to FILE; ``--write-docs`` also writes
``docs/streams_table.rst``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measuring import read_results, spread, write_results
from tables import as_rst
from torch import nn

from sklearn_rnn import RNNClassifier, stream

DOCS = Path(__file__).parents[1] / "docs"
RESULTS = Path(__file__).parent / "results" / "streams.json"
STREAMS = (1, 100, 10_000)
INPUTS, UNITS = 8, 64
TURN = 0.02
"""Seconds of a turn."""


def contestants(n_streams: int) -> dict[str, Callable[[], Any]]:
    """A step of `n_streams` streams, by name; ours is the first."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(64, 10, INPUTS))
    network = {"hidden_size": UNITS, "bidirectional": False, "pooling": "last", "standardize": False}
    model = RNNClassifier(max_epochs=1, random_state=0, n_threads=1, **network)
    live = stream(model.fit(X, np.arange(64) % 2), n_streams)
    step = rng.normal(size=(n_streams, INPUTS))
    gru, cell = nn.GRU(INPUTS, UNITS), nn.GRUCell(INPUTS, UNITS)
    x, h = torch.from_numpy(step).float(), torch.zeros(n_streams, UNITS)
    x_layer, h_layer = x[None], h[None]
    return {
        "Stream.update": lambda: live.update(step),
        "nn.GRU": lambda: gru(x_layer, h_layer),
        "nn.GRUCell": lambda: cell(x, h),
    }


def seconds_of(work: Callable[[], Any], n: int) -> float:
    """Seconds of one of `n` calls in a row."""
    start = time.perf_counter()
    for _ in range(n):
        work()
    return (time.perf_counter() - start) / n


@torch.inference_mode()
def measure(n_streams: int, rounds: int) -> dict[str, Any]:
    """Times of all contestants over rounds in which each has a turn, and the ratios of ours to theirs."""
    works = contestants(n_streams)
    calls = {}
    for name, work in works.items():
        work()
        calls[name] = max(1, round(TURN / seconds_of(work, 5)))
    took: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            took[name].append(seconds_of(work, calls[name]))
    ours, *others = works
    ratios = {name: spread([a / b for a, b in zip(took[ours], took[name], strict=True)]) for name in others}
    return {"seconds": took, "ratios": ratios}


def table(records: dict[str, Any]) -> list[list[str]]:
    """Median times of a step in microseconds, streams a second, and the ratios of ours to torch's."""
    header = [
        "streams at once",
        "Stream.update, µs",
        "nn.GRU, µs",
        "nn.GRUCell, µs",
        "ours / nn.GRU",
        "ours / nn.GRUCell",
    ]
    rows = [[*header, "streams a second, ours", "nn.GRU", "nn.GRUCell"]]
    for n_streams, record in records.items():
        seconds = {name: float(np.median(times)) for name, times in record["seconds"].items()}
        ratios = [
            f"{ratio['median']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})" for ratio in record["ratios"].values()
        ]
        times = [f"{1e6 * value:,.1f}" for value in seconds.values()]
        rates = [f"{float(f'{int(n_streams) / value:.3g}'):,.0f}" for value in seconds.values()]
        rows.append([f"{int(n_streams):,}", *times, *ratios, *rates])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", nargs="+", type=int, default=list(STREAMS))
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--json", type=Path, default=RESULTS, help="what was measured is added there")
    parser.add_argument("--write-docs", action="store_true", help="write the table of the docs")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    results = read_results(arguments.json)
    for n_streams in arguments.streams:
        results["records"][str(n_streams)] = measure(n_streams, arguments.rounds)
        write_results(arguments.json, results)
    records = {str(n): results["records"][str(n)] for n in arguments.streams}
    for row in table(records):
        print(" | ".join(row))
    if arguments.write_docs:
        (DOCS / "streams_table.rst").write_text(as_rst(table(records), [10] * 9), encoding="utf-8")


if __name__ == "__main__":
    main()
