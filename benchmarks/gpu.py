"""How long an epoch takes on a CUDA device, beside a torch loop as an expert writes it, and skorch.

    python benchmarks/gpu.py [--rounds N] [--json FILE]

The data of the expert's loop lies on the device and no number comes back before the end; ours and skorch's start from
arrays in the memory of the host. Contestants take turns in one process. Prints medians of ratios, ours over theirs,
with their quartiles; where there is no CUDA device it says so, and measures nothing.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from measuring import geometric_mean, machine, ratios_to_ours
from peers.problem import Problem
from peers.work import build, forget, seconds_of

SIZES = {
    (64, 100, 32, 64): 40,
    (64, 100, 128, 128): 40,
    (64, 50, 300, 256): 40,
    (128, 200, 8, 128): 20,
    (256, 100, 64, 512): 20,
}
"""Batches of an epoch by (batch, steps, inputs, hidden)."""

AIMS = {"expert torch loop": 1.1, "skorch": 0.3}
N_EPOCHS = 5


def measure(problem: Problem, rounds: int) -> dict[str, Any]:
    """Seconds of fits by contestant, and the ratios."""
    order = ["ours", *AIMS]
    for name in order:
        build(name, name, None, problem)
        seconds_of(name, "fit", 1)
    took: dict[str, list[float]] = {name: [] for name in order}
    for _ in range(rounds):
        for name in order:
            took[name].append(seconds_of(name, "fit", N_EPOCHS))
        order.reverse()
    forget()
    return {"problem": asdict(problem), "epochs": N_EPOCHS, "seconds": took, "ratios": ratios_to_ours(took)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, default=Path(__file__).parent / "results" / "gpu.json")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        print("There is no CUDA device here: nothing was measured.")
        return
    records = {}
    print("cell, batch x steps x inputs x hidden | " + " | ".join(f"{name}, aim {aim}" for name, aim in AIMS.items()))
    for cell in ("rnn", "gru", "lstm"):
        for size, n_batches in SIZES.items():
            problem = Problem(cell, *size, n_batches=n_batches, device="cuda")
            record = measure(problem, arguments.rounds)
            records[f"{cell}/{problem.size}"] = record
            shown = [f"{r['median']:.2f} ({r['low']:.2f} to {r['high']:.2f})" for r in record["ratios"].values()]
            print(" | ".join([f"{cell}, {problem.size}", *shown]), flush=True)
    for name, aim in AIMS.items():
        mean = geometric_mean([record["ratios"][name]["median"] for record in records.values()])
        print(f"geometric mean over {name}: {mean:.2f}, aim {aim}: {'reached' if mean <= aim else 'missed'}")
    results = {"machine": machine() | {"device": torch.cuda.get_device_name()}, "records": records}
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
