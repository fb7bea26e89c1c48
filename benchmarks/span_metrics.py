"""How long the F1 of spans takes, beside seqeval, on generated sentences.

    python benchmarks/span_metrics.py [--sentences N] [--runs N]

Needs seqeval. For each mode, prints the median times of both libraries and of their ratio over runs that take turns in
one process, with the smallest and the largest ratio. Both read lists of lists of tags, and must agree on the score.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import seqeval.metrics
from seqeval.scheme import IOB2

from sklearn_rnn.metrics import span_f1_score

LABELS = ("PER", "LOC", "ORG", "MISC")
Tags = list[list[str]]


def sentence(rng: random.Random) -> list[str]:
    """IOB2 tags of 10 to 30 words, every fourth of which or so is in a span of up to three."""
    length, tags = rng.randint(10, 30), []
    while len(tags) < length:
        if rng.random() < 0.15:
            label = rng.choice(LABELS)
            tags += [f"B-{label}"] + [f"I-{label}"] * rng.randint(0, 2)
        else:
            tags.append("O")
    return tags[:length]


def predicted(tags: list[str], rng: random.Random) -> list[str]:
    """The same tags with one in twenty drawn anew, which breaks the scheme here and there."""
    every = ["O", *(f"{prefix}-{label}" for prefix in "BI" for label in LABELS)]
    return [rng.choice(every) if rng.random() < 0.05 else tag for tag in tags]


def timed(score: Callable[..., Any], y_true: Tags, y_pred: Tags, **options: Any) -> tuple[float, float]:
    """Seconds, and the score."""
    start = time.perf_counter()
    found = score(y_true, y_pred, **options)
    return time.perf_counter() - start, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sentences", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=7)
    arguments = parser.parse_args()
    rng = random.Random(0)
    y_true = [sentence(rng) for _ in range(arguments.sentences)]
    y_pred = [predicted(tags, rng) for tags in y_true]
    print(f"{len(y_true)} sentences, {sum(map(len, y_true))} tags")
    modes: dict[str, dict[str, Any]] = {"conlleval": {}, "strict": {"mode": "strict", "scheme": IOB2}}
    warnings.simplefilter("ignore")
    for mode, options in modes.items():
        ours, theirs = [], []
        for _ in range(arguments.runs + 1):
            seconds, score = timed(span_f1_score, y_true, y_pred, mode=mode)
            ours.append(seconds)
            seconds, reference = timed(seqeval.metrics.f1_score, y_true, y_pred, **options)
            theirs.append(seconds)
            assert abs(score - reference) < 1e-12, (score, reference)
        ratios = [b / a for a, b in zip(ours[1:], theirs[1:], strict=True)]  # the first run warms up
        print(
            f"{mode:>9}: F1 {score:.4f}, {1000 * statistics.median(ours[1:]):.0f} ms, seqeval "
            f"{1000 * statistics.median(theirs[1:]):.0f} ms: {statistics.median(ratios):.1f} times as fast "
            f"({min(ratios):.1f} to {max(ratios):.1f})"
        )


if __name__ == "__main__":
    main()
