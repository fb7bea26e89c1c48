"""How fast networks write symbols, beside plain loops over torch and NumPy with the same weights.

    python benchmarks/generation.py [--quick] [--only SECTION ...] [--rounds N] [--json FILE] [--write-docs]

The section "writing": a stack of LSTM or GRU layers over 65 symbols writes one sequence, and 64 side by side: ours in
a compiled call for many steps, ``nn.LSTM`` or ``nn.GRU`` with a linear map, a softmax and ``multinomial`` for each step
in ``torch.inference_mode``, and the same in plain NumPy. All of them have one thread, and take turns in one process;
times are those of its processor, so that others on the machine matter little.

Prints a table of each section, and writes all measurements to FILE; ``--write-docs`` also writes
``docs/generation_SECTION_table.rst``. ``--quick`` takes a minute, and writes nothing.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measuring import ratios_to_ours, read_results, write_results
from peers.writers import NumpyLoop, Ours, TorchLoop, Writing
from tables import as_rst
from threadpoolctl import threadpool_limits

DOCS = Path(__file__).parents[1] / "docs"
RESULTS = Path(__file__).parent / "results" / "generation.json"
TURN = 0.05
"""Seconds of a turn."""

WRITERS: dict[str, Callable[[Writing], Any]] = {"ours": Ours, "torch loop": TorchLoop, "NumPy loop": NumpyLoop}
NETWORKS = [(cell, layers, units) for layers, units in ((1, 128), (2, 192), (2, 512)) for cell in ("lstm", "gru")]


def writings() -> dict[str, Writing]:
    """What is written, by name."""
    return {str(one): one for one in (Writing(*network, n) for n in (1, 64) for network in NETWORKS)}


def seconds_of(writer: Any, n_steps: int) -> float:
    """Processor time of a step."""
    start = time.process_time()
    writer.write(n_steps)
    return (time.process_time() - start) / n_steps


def measure(writing: Writing, rounds: int, turn: float) -> dict[str, Any]:
    """Seconds of a step over rounds in which each writer has a turn, and the ratios of ours to theirs."""
    writers = {name: make(writing) for name, make in WRITERS.items()}
    n_steps = {}
    for name, writer in writers.items():
        writer.write(2)
        n_steps[name] = int(np.clip(turn / max(seconds_of(writer, 8), 1e-6), 2, 5000))
    took: dict[str, list[float]] = {name: [] for name in writers}
    for _ in range(rounds):
        for name, writer in writers.items():
            took[name].append(seconds_of(writer, n_steps[name]))
    return {"sequences": writing.sequences, "seconds": took, "ratios": ratios_to_ours(took)}


def table(records: dict[str, Any]) -> list[list[str]]:
    """Symbols a second, and the ratios of our time to that of the others."""
    rows = [["network and sequences", *(f"{name}, symbols/s" for name in WRITERS)]]
    rows[0] += [f"ours / {name}" for name in list(WRITERS)[1:]]
    for name, record in records.items():
        rates = [record["sequences"] / float(np.median(record["seconds"][writer])) for writer in WRITERS]
        ratios = [
            f"{ratio['median']:.3f} ({ratio['low']:.3f} to {ratio['high']:.3f})" for ratio in record["ratios"].values()
        ]
        rows.append([name, *(f"{float(f'{rate:.3g}'):,.0f}" for rate in rates), *ratios])
    return rows


@dataclass(frozen=True)
class Section:
    """Measurements that share a table.

    Attributes
    ----------
    subjects : callable
        Returns what is measured, by name.
    measure : callable
        ``measure(subject, rounds, turn)`` returns the record of one of them, `turn` being about how long it may take at
        a time, in seconds.
    table : callable
        Makes rows of records, the first of them the header.
    """

    subjects: Callable[[], dict[str, Any]]
    measure: Callable[[Any, int, float], dict[str, Any]]
    table: Callable[[dict[str, Any]], list[list[str]]]


SECTIONS = {"writing": Section(writings, measure, table)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few and short turns, and no file is written")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path, default=RESULTS, help="what was measured is added there")
    parser.add_argument("--write-docs", action="store_true", help="write the tables of the docs")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    results = {"records": {}} if arguments.quick else read_results(arguments.json)
    rounds, turn = (3, TURN / 10) if arguments.quick else (arguments.rounds, TURN)
    for name in arguments.only:
        section, records = SECTIONS[name], results["records"].setdefault(name, {})
        with threadpool_limits(1):
            for subject_name, subject in section.subjects().items():
                records[subject_name] = section.measure(subject, rounds, turn)
                if not arguments.quick:
                    write_results(arguments.json, results)
        rows = section.table(records)
        print("\n".join(" | ".join(row) for row in rows), flush=True)
        if arguments.write_docs:
            path = DOCS / f"generation_{name}_table.rst"
            path.write_text(as_rst(rows, [10] * len(rows[0])), encoding="utf-8")


if __name__ == "__main__":
    main()
