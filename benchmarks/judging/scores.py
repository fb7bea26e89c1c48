"""Scores put together: over seeds, and beside the best contestant."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from judging.cache import Record
from judging.naming import better, shortfall, worse

Row = tuple[str, str]
"""A set and a size."""


@dataclass(frozen=True)
class Figure:
    """Scores and seconds of one contestant on one set and size, over its seeds.

    Attributes
    ----------
    scores : list of float
        In the order of seeds.
    constant : float or None
        Score of a constant prediction.
    cpu, wall : float
        Mean seconds of a fit.
    """

    scores: list[float]
    metric: str
    n_train: int
    n_test: int
    constant: float | None
    cpu: float
    wall: float

    @property
    def mean(self) -> float:
        return float(np.mean(self.scores))

    @property
    def deviation(self) -> float:
        """Between seeds, with one degree of freedom taken off; 0 for one seed."""
        return float(np.std(self.scores, ddof=1)) if len(self.scores) > 1 else 0.0

    @property
    def worst(self) -> float:
        return worse(self.scores, self.metric)


Figures = dict[Row, dict[str, Figure]]


def gathered(records: Iterable[Record]) -> Figures:
    """Figures of each contestant by set and size, from records of the test protocol."""
    grouped: dict[Row, dict[str, list[Record]]] = {}
    for record in records:
        grouped.setdefault((record["set"], record["size"]), {}).setdefault(record["contestant"], []).append(record)
    return {row: {name: figure(found) for name, found in of_row.items()} for row, of_row in grouped.items()}


def figure(records: list[Record]) -> Figure:
    records = sorted(records, key=lambda record: record["seed"])
    first = records[0]
    return Figure(
        [r["score"] for r in records],
        first["metric"],
        first["n_train"],
        first["n_test"],
        first["constant"],
        float(np.mean([r["cpu"] for r in records])),
        float(np.mean([r["wall"] for r in records])),
    )


def regret(of_row: dict[str, Figure], name: str = "default") -> float | None:
    """How far the mean of a contestant is behind the best mean of those on the same data; None without it."""
    if name not in of_row:
        return None
    metric = of_row[name].metric
    means = [found.mean for contestant, found in of_row.items() if contestant != "unscaled"]
    return shortfall(of_row[name].mean, better(means, metric), metric)
