"""How long a grid search takes: in one process, in two, and beside another busy process.

Called by ``speed.py`` in a process of its own, so that it starts from settings that nobody has touched.
"""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import numpy as np
from joblib.externals.loky import get_reusable_executor
from measuring import spread
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

from sklearn_rnn import RNNClassifier

GRID = {"hidden_size": [32, 64], "learning_rate": [0.003, 0.01], "num_layers": [1, 2]}
"""Eight candidates."""

NETWORK = {"pooling": "last", "conv_branch": False, "dropout": 0.2, "batch_size": 16, "standardize": False}

BUSY = "while True: pass"


def search_seconds(n_jobs: int, n_sequences: int, n_epochs: int) -> float:
    """Time of a search of eight candidates with three folds over the digits, each image a sequence of 8 rows."""
    X, y = load_digits(return_X_y=True)
    X = (X.reshape(-1, 8, 8) / 16).astype(np.float32)[:n_sequences]
    search = GridSearchCV(RNNClassifier(max_epochs=n_epochs, random_state=0, **NETWORK), GRID, cv=3, n_jobs=n_jobs)
    start = time.perf_counter()
    search.fit(X, y[:n_sequences])
    return time.perf_counter() - start


def measure_search(seconds: float, n_sequences: int = 1797, n_epochs: int = 5) -> dict[str, dict[str, Any]]:
    """Records of two rows: two jobs beside one, and two jobs with another busy process beside two without.

    The processes of joblib are started, and the kernels loaded in them, before anything is timed: a search of any
    length pays for that once.
    """
    for n_jobs in (1, 2):
        search_seconds(n_jobs, 60, 1)
    took: dict[str, list[float]] = {"one job": [], "two jobs": [], "two jobs, busy machine": []}
    end = time.monotonic() + seconds
    while len(took["one job"]) < 3 or (time.monotonic() < end and len(took["one job"]) < 9):
        took["one job"].append(search_seconds(1, n_sequences, n_epochs))
        took["two jobs"].append(search_seconds(2, n_sequences, n_epochs))
        busy = subprocess.Popen([sys.executable, "-c", BUSY])
        try:
            took["two jobs, busy machine"].append(search_seconds(2, n_sequences, n_epochs))
        finally:
            busy.kill()
            busy.wait()
    get_reusable_executor().shutdown()
    settings = {"sequences": n_sequences, "epochs": n_epochs, "candidates": 8, "folds": 3, "seconds": took}

    def record(ours: str, theirs: str) -> dict[str, Any]:
        ratios = [a / b for a, b in zip(took[ours], took[theirs], strict=True)]
        return {**settings, "ratios": {theirs: spread(ratios)}}

    return {
        "search/jobs": record("two jobs", "one job"),
        "search/busy": record("two jobs, busy machine", "two jobs"),
    }
