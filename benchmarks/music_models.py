"""Language models of piano rolls: the likelihood of a frame, its notes independent of each other or chained.

    python benchmarks/music_models.py --data DIR [--only NAME ...] [--seeds N] [--threads N]

DIR holds ``poly_music/JSB_Chorales.mat`` and ``poly_music/Nottingham.mat`` with the split of Boulanger-Lewandowski et
al. (2012). Settings were chosen on the validation parts, which early stopping looks at, too.

Chorales are sequences of their own. The tunes of Nottingham, of 255 frames in the median, are one stream, so that there
are more and shorter pieces to learn from in an epoch; a silent frame, which is not measured, stands in front of each.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import loadmat
from tables import as_rst

from sklearn_rnn import RNNLanguageModel

WIDTHS = [24, 14, 10, 10, 10, 10, 32]
HEADER = ["songs", "notes", "validation", "test", "at most", "seconds", "known on the test part"]


@dataclass
class Task:
    """Songs, what is fitted to them, and what is known of the negative log-likelihood of a frame."""

    title: str
    file: str
    frame_head: str
    wanted: float
    known: str
    settings: dict[str, Any] = field(default_factory=dict)


CHORALES = {
    "hidden_size": 200,
    "dropout": 0.7,
    "recurrent_dropout": 0.3,
    "batch_size": 16,
    "weight_decay": 0.1,
    "max_epochs": 80,
}
TUNES = {
    "stream": True,
    "tbptt_steps": 64,
    "hidden_size": 300,
    "dropout": 0.5,
    "batch_size": 16,
    "weight_decay": 0.01,
    "max_epochs": 18,
}
SHARED = {
    "cell_type": "lstm",
    "optimizer": "adamw",
    "learning_rate": 5e-3,
    "clip_grad_norm": 5.0,
    "early_stopping": True,
    "n_iter_no_change": 10,
}

TASKS = {
    "chorales": Task(
        "JSB chorales",
        "JSB_Chorales",
        "independent",
        8.35,
        "LSTM 8.45, TCN 8.10 (Bai et al. 2018)",
        {**CHORALES, "max_epochs": 100},
    ),
    "chorales-chained": Task(
        "JSB chorales",
        "JSB_Chorales",
        "chained",
        6.5,
        "RNN-NADE 5.56 (Boulanger-Lewandowski et al. 2012)",
        CHORALES,
    ),
    "tunes": Task(
        "Nottingham",
        "Nottingham",
        "independent",
        3.25,
        "LSTM 3.29, TCN 3.07 (Bai et al. 2018)",
        TUNES,
    ),
    "tunes-chained": Task(
        "Nottingham",
        "Nottingham",
        "chained",
        2.6,
        "RNN-NADE 2.31 (Boulanger-Lewandowski et al. 2012)",
        {**TUNES, "max_epochs": 12},
    ),
}


def load(data: Path, name: str) -> dict[str, list[np.ndarray]]:
    """The training, validation and test songs, each an array (n_frames, 88) of 0 and 1."""
    parts = loadmat(data / "poly_music" / f"{name}.mat")
    return {
        part: [np.asarray(song, dtype=np.float32) for song in parts[f"{part}data"][0]]
        for part in ("train", "valid", "test")
    }


def as_read(model: RNNLanguageModel, songs: list[np.ndarray]) -> list[np.ndarray]:
    """The songs, of a stream with a silent frame in front of each."""
    return [np.pad(song, ((1, 0), (0, 0))) for song in songs] if model.stream else songs


def frame_nll(model: RNNLanguageModel, songs: list[np.ndarray]) -> float:
    """The mean negative log-likelihood of a frame, in nats, without ends and silent frames between songs."""
    steps = model.score_steps(as_read(model, songs))
    first = int(model.stream)
    parts = [own[first : first + len(song)] for own, song in zip(steps, songs, strict=True)]
    return -float(np.concatenate(parts).mean())


def measure(task: Task, data: Path, *, seed: int = 0, n_threads: int | None = None) -> dict[str, float]:
    """The figures of one fit: the negative log-likelihood of a frame on both parts, and seconds."""
    songs = load(data, task.file)
    model = RNNLanguageModel(
        output="binary", frame_head=task.frame_head, random_state=seed, n_threads=n_threads, **SHARED, **task.settings
    )
    start = time.perf_counter()
    model.fit(as_read(model, songs["train"]), X_val=as_read(model, songs["valid"]))
    seconds = time.perf_counter() - start
    return {
        "validation": frame_nll(model, songs["valid"]),
        "test": frame_nll(model, songs["test"]),
        "seconds": seconds,
        "epoch": model.best_epoch_,
    }


def row_of(task: Task, figures: list[dict[str, float]]) -> list[str]:
    """A row of the table: means over seeds."""
    mean = {name: float(np.mean([one[name] for one in figures])) for name in figures[0]}
    return [
        task.title,
        task.frame_head,
        f"{mean['validation']:.2f}",
        f"{mean['test']:.2f}",
        f"{task.wanted:g}",
        f"{mean['seconds']:.0f}",
        task.known,
    ]


def main(arguments: list[str] | None = None) -> None:
    """Print a line for each fit, then the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--threads", type=int)
    given = parser.parse_args(arguments)
    rows = [HEADER]
    for name in given.only:
        figures = []
        for seed in range(given.seeds):
            figures.append(measure(TASKS[name], given.data, seed=seed, n_threads=given.threads))
            shown = ", ".join(f"{key} {value:.3f}" for key, value in figures[-1].items())
            print(f"{name}, seed {seed}: {shown}", flush=True)
        rows.append(row_of(TASKS[name], figures))
    print(as_rst(rows, WIDTHS))


if __name__ == "__main__":
    main()
