"""How long a run will still take, from what took how long before."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

import numpy as np

from judging.cache import Job, Record

UNKNOWN = 60.0
"""Seconds of a fit when nothing like it was run."""


class Progress:
    """What is left, and the seconds that it is expected to take with `n_jobs` fits at a time.

    A fit is expected to take as long as the same contestant took on the same data, else on other data of that size.
    """

    def __init__(self, waiting: Iterable[Job], records: Iterable[Record], n_jobs: int) -> None:
        self.left = Counter((job.contestant, job.size, job.set) for job in waiting)
        self.n_jobs = n_jobs
        self.took: dict[tuple[str, ...], list[float]] = defaultdict(list)
        for record in records:
            self._note(record)

    def finished(self, record: Record) -> None:
        self._note(record)
        self.left[record["contestant"], record["size"], record["set"]] -= 1

    def gave_up(self, job: Job) -> None:
        self.left[job.contestant, job.size, job.set] -= 1

    def seconds(self) -> float:
        """That are left."""
        return sum(count * self._expected(like) for like, count in self.left.items() if count) / self.n_jobs

    def __str__(self) -> str:
        return f"{sum(self.left.values())} left, about {duration(self.seconds())}"

    def _note(self, record: Record) -> None:
        like = (record["contestant"], record["size"], record["set"])
        for known in (like, like[:2]):
            self.took[known].append(record["wall"] + record["predict"])

    def _expected(self, like: tuple[str, str, str]) -> float:
        for known in (like, like[:2]):
            if known in self.took:
                return float(np.mean(self.took[known]))
        return UNKNOWN


def duration(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds > 3600 else f"{seconds / 60:.0f} min"
