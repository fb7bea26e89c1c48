"""Floating-point operations a second: training beside a plain matrix product, each on one thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from peers.ours import Ours
from peers.problem import Problem
from threadpoolctl import threadpool_limits

GATES = {"rnn": 1, "gru": 3, "lstm": 4}
HIDDEN = (16, 32, 64, 128, 256, 512)
BATCH, STEPS = 64, 50
SIDE = 1024
"""Rows and columns of the matrices that are multiplied."""


def operations(problem: Problem) -> float:
    """Of the matrix products of an epoch of training with one layer.

    Forward the input and the state are multiplied with their weights; backward comes the gradient of both weights and
    of the state, while the input needs none. A multiplication and an addition are two operations.
    """
    gates = GATES[problem.cell] * problem.hidden
    return 2.0 * problem.n_sequences * problem.steps * gates * (2 * problem.inputs + 3 * problem.hidden)


def fastest(run: Callable[[], Any], seconds: float) -> float:
    """The median time of a run, over as many as fit in, at least three, after one that is not counted."""
    run()
    times, end = [], time.perf_counter() + seconds
    while len(times) < 3 or (time.perf_counter() < end and len(times) < 50):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def measure_products(seconds: float) -> dict[str, Any]:
    """GFLOP/s of the products of square matrices in torch and in numpy, and of those of a step of a recurrence."""
    torch.set_num_threads(1)
    a, b = torch.randn(SIDE, SIDE), torch.randn(SIDE, SIDE)
    out = torch.empty(SIDE, SIDE)
    share = seconds / (2 + len(HIDDEN))
    with threadpool_limits(1):
        found = {
            "torch.mm": 2e-9 * SIDE**3 / fastest(lambda: torch.mm(a, b, out=out), share),
            "numpy.matmul": 2e-9 * SIDE**3 / fastest(lambda: np.matmul(a.numpy(), b.numpy(), out=out.numpy()), share),
        }
        of_step = {}
        for hidden in HIDDEN:
            state, weights = torch.randn(BATCH, hidden), torch.randn(hidden, 3 * hidden)
            result = torch.empty(BATCH, 3 * hidden)

            def hundred_steps(state: Any = state, weights: Any = weights, result: Any = result) -> None:
                for _ in range(100):
                    torch.mm(state, weights, out=result)

            of_step[hidden] = 2e-7 * BATCH * hidden * 3 * hidden / fastest(hundred_steps, share)
    return {"gflops": found, "gflops of torch.mm for a step of a GRU": of_step, "side": SIDE, "batch": BATCH}


def measure_training(cell: str, seconds: float) -> dict[str, Any]:
    """GFLOP/s of `fit` by hidden size, with as many inputs as units."""
    found = {}
    for hidden in HIDDEN:
        n_batches = max(2, 8 * 64 // hidden)
        problem = Problem(cell, BATCH, STEPS, hidden, hidden, n_batches)
        contestant = Ours(problem, 1)
        epochs = 2
        found[hidden] = 1e-9 * epochs * operations(problem) / fastest(lambda c=contestant: c.fit(2), seconds / 6)
    return {"gflops": found, "batch": BATCH, "steps": STEPS}
