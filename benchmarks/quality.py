"""Quality on real data: the three estimators beside a simple peer that is fitted in the same run.

    python benchmarks/quality.py --data DIR [--seeds N] [--only NAME ...] [--write docs/quality_table.rst]

DIR holds, as their publishers give them out: ``ucr_uea/JapaneseVowels/JapaneseVowels_{TRAIN,TEST}.ts.gz``,
``atis/{train,valid,test}/{seq.in,seq.out,label}.gz``, ``fsdd_mfcc/digits.npz`` and
``cmapss_fd001/{train_FD001.txt.gz,test_FD001.txt.gz,RUL_FD001.txt}``.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
from real_data import load_atis, load_cmapss, load_spoken_digits, load_uea
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from tables import as_rst

from sklearn_rnn import RNNClassifier, RNNRegressor, RNNSequenceTagger, Sequences
from sklearn_rnn.metrics import flat_accuracy_score, span_f1_score

CAP = 125
"""Remaining cycles beyond which an engine counts as new, in training and in the test values."""

WINDOW = 50
"""Cycles before the present one that the remaining life is told from."""

SENSORS = [f"sensor{k}" for k in (2, 3, 4, 7, 8, 9, 11, 12, 13, 14, 15, 17, 20, 21)]
"""The sensors of C-MAPSS FD001 that vary; the others and the settings are left out, as is usual."""


@dataclass
class Figure:
    """One line of the table.

    Attributes
    ----------
    ours, peer : dict of str to float
        Scores by name.
    seconds : float
        Of our fit.
    """

    ours: dict[str, float]
    peer: dict[str, float]
    seconds: float


@dataclass
class Task:
    """A data set with what is known of it."""

    title: str
    estimator: str
    peer: str
    known: str
    run: Callable[[Path, int], Figure]


MODELS = {
    "japanese_vowels": RNNClassifier(),
    "atis_intents": RNNClassifier(),
    "atis_slots": RNNSequenceTagger(),
    "spoken_digits": RNNClassifier(),
    "remaining_life": RNNRegressor(cell_type="lstm", batch_size=64, max_epochs=6),
}
"""Ours, as the table shows them."""


def seeded(name: str, seed: int):
    """A fresh one of `MODELS`."""
    model = clone(MODELS[name])
    (model[-1] if isinstance(model, Pipeline) else model).set_params(random_state=seed)
    return model


def timed_fit(model, *data):
    start = time.perf_counter()
    model.fit(*data)
    return time.perf_counter() - start


def japanese_vowels(folder: Path, seed: int) -> Figure:
    (X, y), (X_test, y_test) = load_uea(folder, "JapaneseVowels")
    model = seeded("japanese_vowels", seed)
    seconds = timed_fit(model, X, y)
    padded = [np.array([np.pad(x, ((0, 29 - len(x)), (0, 0))).ravel() for x in part]) for part in (X, X_test)]
    peer = make_pipeline(StandardScaler(), RidgeClassifier(10.0)).fit(padded[0], y)
    return Figure({"accuracy": model.score(X_test, y_test)}, {"accuracy": peer.score(padded[1], y_test)}, seconds)


def spoken_digits(folder: Path, seed: int) -> Figure:
    X, y = load_spoken_digits(folder)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)
    model = seeded("spoken_digits", seed)
    seconds = timed_fit(model, X, y)
    summary = [np.array([np.concatenate([x.mean(0), x.std(0)]) for x in part]) for part in (X, X_test)]
    peer = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)).fit(summary[0], y)
    return Figure({"accuracy": model.score(X_test, y_test)}, {"accuracy": peer.score(summary[1], y_test)}, seconds)


def atis_intents(folder: Path, seed: int) -> Figure:
    X, _, y = load_atis(folder, "train")
    X_test, _, y_test = load_atis(folder, "test")
    model = seeded("atis_intents", seed)
    seconds = timed_fit(model, X, y)
    peer = make_pipeline(
        TfidfVectorizer(analyzer=lambda tokens: tokens + [" ".join(pair) for pair in pairwise(tokens)]),
        LogisticRegression(C=10, max_iter=2000),
    ).fit(X, y)
    return Figure({"accuracy": model.score(X_test, y_test)}, {"accuracy": peer.score(X_test, y_test)}, seconds)


def atis_slots(folder: Path, seed: int) -> Figure:
    X, y, _ = load_atis(folder, "train")
    X_test, y_test, _ = load_atis(folder, "test")
    model = seeded("atis_slots", seed)
    seconds = timed_fit(model, X, y)
    counts: dict[str, Counter] = {}
    for token, tag in zip(chain.from_iterable(X), chain.from_iterable(y), strict=True):
        counts.setdefault(token, Counter())[tag] += 1
    most_frequent = [[counts[t].most_common(1)[0][0] if t in counts else "O" for t in tokens] for tokens in X_test]
    scores = [
        {"token accuracy": flat_accuracy_score(y_test, found), "span F1": span_f1_score(y_test, found)}
        for found in (model.predict(X_test), most_frequent)
    ]
    return Figure(scores[0], scores[1], seconds)


def sensors_of_engines(folder: Path) -> tuple[Sequences, Sequences, np.ndarray]:
    """Sensors of the training and test engines of C-MAPSS, and the capped cycles that remain to the latter."""
    engines, test_engines, remaining = load_cmapss(folder)
    columns = [engines.feature_names.index(name) for name in SENSORS]
    engines, test_engines = (part.with_values(part.values[:, columns]) for part in (engines, test_engines))
    return engines, test_engines, np.minimum(remaining, CAP)


def windows_of_engines(engines: Sequences) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """The last cycles before every third one, the capped cycles that remain, and the engine of each window."""
    ends = [(engine, stop) for engine, n in enumerate(engines.lengths) for stop in range(10, n + 1, 3)]
    X = [engines[engine][max(0, stop - WINDOW) : stop] for engine, stop in ends]
    y = np.array([min(CAP, engines.lengths[engine] - stop) for engine, stop in ends], dtype=float)
    return X, y, np.array([engine for engine, _ in ends])


def remaining_life(folder: Path, seed: int) -> Figure:
    engines, test_engines, y_test = sensors_of_engines(folder)
    X, y, _ = windows_of_engines(engines)
    X_test = test_engines.truncate(WINDOW, cut="head")
    model = seeded("remaining_life", seed)
    seconds = timed_fit(model, X, y)

    def flat(sequences):  # whole windows of 30 cycles suit the peer best, and are what published comparisons use
        return np.array([x[-30:].ravel() for x in sequences])

    whole = np.array([len(x) >= 30 for x in X])
    peer = Ridge(1.0).fit(flat([x for x in X if len(x) >= 30]), y[whole])
    scores = [
        {"RMSE": root_mean_squared_error(y_test, np.clip(estimate, 0, CAP))}
        for estimate in (model.predict(X_test), peer.predict(flat(X_test)))
    ]
    return Figure(scores[0], scores[1], seconds)


TASKS = {
    "japanese_vowels": Task(
        "JapaneseVowels: 270 / 370 ragged sequences, 12 channels, 9 speakers",
        "RNNClassifier",
        "ridge on padded values",
        "MLP 97.6, ResNet 99.2 (Fawaz et al. 2019), LSTM-FCN 99 (Karim et al. 2019)",
        japanese_vowels,
    ),
    "atis_intents": Task(
        "ATIS intents: 4,478 / 893 utterances, tokens, 21 intents",
        "RNNClassifier",
        "TF-IDF (1-2) with logistic regression",
        "Slot-Gated 94.1 (Goo et al. 2018), attention RNN 98.4 (Liu and Lane 2016)",
        atis_intents,
    ),
    "atis_slots": Task(
        "ATIS slots: 4,478 / 893 utterances, 120 tags",
        "RNNSequenceTagger",
        "most frequent tag of the word",
        "span F1: Slot-Gated 95.2, attention BiRNN 95.98",
        atis_slots,
    ),
    "spoken_digits": Task(
        "Spoken digits (FSDD), 13 MFCC: 1,500 / 1,500 recordings, stratified halves",
        "RNNClassifier",
        "logistic regression on mean and deviation",
        "no standard figure",
        spoken_digits,
    ),
    "remaining_life": Task(
        f"C-MAPSS FD001, remaining cycles (capped at {CAP}): 100 / 100 engines",
        "RNNRegressor",
        "ridge on the flattened window",
        "deep LSTM 16.14 (Zheng et al. 2017), later models 11 to 14",
        remaining_life,
    ),
}


def summarise(scores: list[dict[str, float]]) -> str:
    """Mean and range over the seeds of each score."""
    parts = []
    for name in scores[0]:
        values = np.array([score[name] for score in scores]) * (1 if name == "RMSE" else 100)
        spread = f" ({values.min():.2f} to {values.max():.2f})" if len(values) > 1 else ""
        parts.append(f"{name} {values.mean():.2f}{spread}")
    return "; ".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--seeds", type=int, default=3, help="fits of each model, with random_state 0, 1, ...")
    parser.add_argument("--only", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--write", type=Path, help="write the table there as reStructuredText")
    arguments = parser.parse_args()
    rows = [["data (training / test)", "estimator", "ours", "peer in the same run", "published", "fit, s"]]
    for name in arguments.only:
        task = TASKS[name]
        figures = [task.run(arguments.data, seed) for seed in range(arguments.seeds)]
        ours, peer = summarise([figure.ours for figure in figures]), summarise([figures[0].peer])
        seconds = float(np.mean([figure.seconds for figure in figures]))
        rows.append([task.title, task.estimator, ours, f"{peer} ({task.peer})", task.known, f"{seconds:.0f}"])
        print(f"{task.title}\n  ours  {ours}   ({seconds:.0f} s a fit)\n  peer  {peer}   ({task.peer})", flush=True)
        print(f"  known {task.known}", flush=True)
    if arguments.write:
        arguments.write.write_text(as_rst(rows, [28, 15, 22, 20, 22, 8]), encoding="utf-8")


if __name__ == "__main__":
    main()
