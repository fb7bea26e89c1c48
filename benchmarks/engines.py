"""How long the kernels take beside torch, by cell and size: what ``engine="auto"`` decides from.

    python benchmarks/engines.py

Each line is the median ratio, fused over torch, of alternating runs of one layer on one thread: of forward and backward
in float32 as in training, and of forward alone as in prediction, where the kernels take float32 and torch float64.
Batches are padded to equal lengths.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch

from sklearn_rnn.networks.recurrent import RecurrentStack
from sklearn_rnn.training.compute import compute_settings

SIZES = [(8, 8), (16, 32), (32, 64), (128, 128), (300, 256), (8, 256), (384, 384), (512, 512), (64, 1024)]
BATCHES = [1, 4, 16, 64, 256]


def measure(stack: RecurrentStack, x: torch.Tensor, lengths: torch.Tensor, engine: str, *, training: bool) -> float:
    """Seconds of three passes, after one that finds the memory for all."""
    if not training and engine == "torch":
        stack, x = stack.double(), x.double()
    else:
        stack = stack.float()
    with compute_settings(1, engine), torch.set_grad_enabled(training):
        for k in range(4):
            if k == 1:
                start = time.perf_counter()
            hidden = stack(x, lengths)
            if training:
                hidden[-1].sum().backward()
        return time.perf_counter() - start


def ratio(cell: str, batch: int, n_steps: int, sizes: tuple[int, int], *, training: bool, seconds: float) -> float:
    """The median of the ratios of passes that take turns for about `seconds`."""
    stack = RecurrentStack(cell, sizes[0], [sizes[1]])
    x = torch.randn(n_steps, batch, sizes[0])
    lengths = torch.full((batch,), n_steps)
    for engine in ("fused", "torch"):
        measure(stack, x, lengths, engine, training=training)
    ratios, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(ratios) < 3:
        fused, plain = (measure(stack, x, lengths, engine, training=training) for engine in ("fused", "torch"))
        ratios.append(fused / plain)
    return statistics.median(ratios)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=0.3, help="for each ratio")
    parser.add_argument("--steps", type=int, default=30)
    arguments = parser.parse_args()
    for training in (True, False):
        print("forward and backward, float32" if training else "forward; float32 for the kernels, float64 for torch")
        print(f"{'cell':6}{'inputs, hidden':>16}" + "".join(f"{f'batch {batch}':>12}" for batch in BATCHES))
        for cell in ("rnn", "gru", "lstm"):
            for sizes in SIZES:
                ratios = [
                    ratio(cell, batch, arguments.steps, sizes, training=training, seconds=arguments.seconds)
                    for batch in BATCHES
                ]
                line = f"{cell:6}{f'{sizes[0]}, {sizes[1]}':>16}" + "".join(f"{value:12.2f}" for value in ratios)
                print(line, flush=True)


if __name__ == "__main__":
    main()
