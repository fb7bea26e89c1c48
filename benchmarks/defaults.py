"""How the defaults were chosen: cross-validation inside the training parts of small data sets of many kinds.

    python benchmarks/defaults.py --data DIR [--only SET ...] [--first N]

Prints, for the defaults and for settings that differ from them, the mean score of 3-fold cross-validation on each set
(accuracy, or R2 for the adding problem, in percent) and the processor time of the three fits. DIR is the folder that
``quality.py`` reads, with BasicMotions, ItalyPowerDemand and NATOPS beside JapaneseVowels. No test part is looked at.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from real_data import load_atis, load_spoken_digits, load_uea
from sklearn.datasets import load_digits
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.preprocessing import StandardScaler
from sklearn.utils import _safe_indexing

from sklearn_rnn import PerStep, RNNClassifier, RNNRegressor

SETTINGS: list[dict[str, Any]] = [
    {},
    {"pooling": "max"},
    {"batch_size": 32, "max_epochs": 60},
    {"batch_size": 32, "max_epochs": 60, "pooling": "max"},
    {"batch_size": 32, "max_epochs": 60, "pooling": "mean"},
    {"batch_size": 32, "max_epochs": 60, "learning_rate": 0.01},
    {"batch_size": 32, "max_epochs": 60, "pooling": "mean", "learning_rate": 0.002},
    {"batch_size": 32, "max_epochs": 60, "pooling": "mean", "learning_rate": 0.01},
    {"pooling": "max", "dropout": 0.4},
    {"pooling": "max", "cell_type": "lstm"},
]


def small_sets(folder: Path) -> dict[str, tuple[Any, np.ndarray]]:
    """A few hundred sequences of each kind, the numeric ones scaled by step."""
    random_state = np.random.RandomState(0)
    sets: dict[str, tuple[Any, np.ndarray]] = {}
    for name in ("JapaneseVowels", "NATOPS", "BasicMotions", "ItalyPowerDemand"):
        (X, y), _ = load_uea(folder, name)
        sets[name] = PerStep(StandardScaler()).fit_transform(X), y
    X, y = load_digits(return_X_y=True)
    chosen = random_state.permutation(len(X))[:500]
    sets["digits"] = X[chosen].reshape(-1, 8, 8) / 16, y[chosen]
    X, y = load_spoken_digits(folder)
    chosen = random_state.permutation(len(y))[:400]
    sets["spoken digits"] = PerStep(StandardScaler()).fit_transform(X.take(chosen)), y[chosen]
    X, _, y = load_atis(folder, "train")
    y = np.array([intent.split("#")[0] for intent in y])
    chosen = random_state.permutation(len(X))[:800]
    counts = Counter(y[chosen])
    chosen = [i for i in chosen if counts[y[i]] >= 3]
    sets["ATIS intents"] = [X[i] for i in chosen], y[chosen]
    X = random_state.rand(600, 30, 2)
    X[:, :, 1] = 0
    for sequence in X:
        first, second = random_state.choice(15), 15 + random_state.choice(15)
        sequence[[first, second], 1] = 1
    sets["adding"] = X, (X[:, :, 0] * X[:, :, 1]).sum(axis=1)
    return sets


def cross_validated(setting: dict[str, Any], X: Any, y: np.ndarray) -> float:
    """Mean score over 3 folds, in percent."""
    continuous = y.dtype.kind == "f"
    cv = KFold(3) if continuous else StratifiedKFold(3, shuffle=True, random_state=0)
    scores = []
    for seed, (train, test) in enumerate(cv.split(np.zeros(len(y)), y)):
        model = (RNNRegressor if continuous else RNNClassifier)(random_state=seed, **setting)
        scores.append(model.fit(_safe_indexing(X, train), y[train]).score(_safe_indexing(X, test), y[test]))
    return 100 * float(np.mean(scores))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--only", nargs="+", help="names of sets")
    parser.add_argument("--first", type=int, default=len(SETTINGS), help="how many of the settings to run")
    arguments = parser.parse_args()
    sets = small_sets(arguments.data)
    names = arguments.only or list(sets)
    for setting in SETTINGS[: arguments.first]:
        start, scores = time.process_time(), {}
        for name in names:
            scores[name] = cross_validated(setting, *sets[name])
        seconds = time.process_time() - start
        shown = ", ".join(f"{name} {score:.1f}" for name, score in scores.items())
        print(
            f"mean {np.mean(list(scores.values())):.2f}  {setting or 'defaults'}  ({shown}; {seconds:.0f} s)",
            flush=True,
        )


if __name__ == "__main__":
    main()
