"""How a contestant is trained and scored: samples, parts that are held out, other scales, and the clock."""

from __future__ import annotations

import time
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold

from judging.cache import Job, Record
from judging.contestants import contestant
from judging.sets import SCORES, SETS, Parts, parts_of, take

FEW = 1500
"""Sequences below which three folds are held out in turn, and not one fifth once."""


def run(job: Job, folder: Path) -> Record:
    """Fit and score; the record has the fields of the job, the score, the seconds and what was warned of."""
    judged = SETS[job.set]
    parts = at_size(parts_for(job.set, job.protocol, job.fold, folder), job.size)
    if job.contestant == "unscaled":
        parts = unscaled(parts)
    model = contestant(job.contestant, job.set, len(parts.y), job.seed, job.settings)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        wall, processor = time.perf_counter(), time.process_time()
        model.fit(parts.X, parts.y)
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        started = time.perf_counter()
        found = model.predict(parts.X_test)
        predicting = time.perf_counter() - started
    said = sorted({f"{w.category.__name__}: {w.message}"[:160] for w in caught} if job.tag else set())
    return {
        **vars(job),
        "kind": judged.kind,
        "metric": judged.score,
        "score": SCORES[judged.score](parts.y_test, found),
        "constant": constant(parts, judged.kind, judged.score),
        "n_train": len(parts.y),
        "n_test": len(parts.y_test),
        "cpu": round(processor, 3),
        "wall": round(wall, 3),
        "predict": round(predicting, 3),
        "warnings": said,
    }


@lru_cache(maxsize=1)
def parts_for(name: str, protocol: str, fold: int, folder: Path) -> Parts:
    parts = parts_of(name, folder)
    return parts if protocol == "test" else held_out(parts, SETS[name].kind, fold)


def n_folds(n_sequences: int) -> int:
    """How many parts of a training part of that size are held out, one after the other."""
    return 3 if n_sequences < FEW else 1


def held_out(parts: Parts, kind: str, fold: int) -> Parts:
    """The training part alone, a piece of which takes the place of the test part."""
    n = len(parts.y)
    pieces = 3 if n < FEW else 5
    if parts.in_time:
        train, test = np.split(np.arange(n), [n - n // 5])
    elif parts.groups is not None:
        train, test = list(GroupKFold(pieces).split(np.zeros(n), groups=parts.groups))[fold]
    else:
        classes = kind in ("series", "text")
        cv = (StratifiedKFold if classes else KFold)(pieces, shuffle=True, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of classes with fewer members than folds
            train, test = list(cv.split(np.zeros(n), parts.y if classes else None))[fold]
    return Parts(take(parts.X, train), take(parts.y, train), take(parts.X, test), take(parts.y, test))


def at_size(parts: Parts, size: str) -> Parts:
    """A random sample of the training part, the same for all contestants and seeds."""
    if size == "full":
        return parts
    chosen = np.random.RandomState(int(size)).permutation(len(parts.y))[: int(size)]
    return Parts(take(parts.X, chosen), take(parts.y, chosen), parts.X_test, parts.y_test)


def unscaled(parts: Parts) -> Parts:
    """Each channel in another unit: times a power of ten, from 0.001 to 1000, plus an offset of up to 50 such units."""
    random_state = np.random.RandomState(0)
    n_channels = np.shape(parts.X[0])[1]
    unit = 10.0 ** random_state.randint(-3, 4, n_channels)
    offset = unit * random_state.uniform(-50, 50, n_channels)
    X, X_test = ([np.asarray(x) * unit + offset for x in part] for part in (parts.X, parts.X_test))
    return Parts(X, parts.y, X_test, parts.y_test)


def constant(parts: Parts, kind: str, metric: str) -> float | None:
    """Score of the most frequent class of the training part, or of the mean of its numbers."""
    if kind == "tags":
        return None
    if kind == "numbers":
        guess: Any = np.mean(parts.y)
    else:
        classes, counts = np.unique(parts.y, return_counts=True)
        guess = classes[counts.argmax()]
    return SCORES[metric](parts.y_test, np.full(len(parts.y_test), guess))
