"""Readers for the real data sets of the benchmarks, from a folder that holds them as their publishers give them out."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sklearn_rnn import Sequences
from sklearn_rnn.data.frames import sequences_from_frame

Labelled = tuple[Any, Any]


def load_ts(path: Path) -> tuple[list[np.ndarray], np.ndarray]:
    """A file of the UCR/UEA archive (.ts.gz): series of shape (length, n_channels) and their labels."""
    series, labels = [], []
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            if not line.strip() or line.startswith(("#", "@")):
                continue
            *channels, label = line.strip().split(":")
            series.append(np.array([[float(v) for v in channel.split(",")] for channel in channels]).T)
            labels.append(label)
    return series, np.array(labels)


def load_uea(folder: Path, name: str) -> tuple[Labelled, Labelled]:
    """Training and test part of a set of the UCR/UEA archive."""
    train, test = (load_ts(folder / "ucr_uea" / name / f"{name}_{part}.ts.gz") for part in ("TRAIN", "TEST"))
    return train, test


def _lines(path: Path) -> list[str]:
    return gzip.open(path, "rt", encoding="utf-8").read().splitlines()


def load_atis(folder: Path, part: str) -> tuple[list[list[str]], list[list[str]], np.ndarray]:
    """Tokens, slot tags and intents of the ATIS utterances; part is "train", "valid" or "test"."""
    tokens, tags, intents = (_lines(folder / "atis" / part / f"{name}.gz") for name in ("seq.in", "seq.out", "label"))
    return [line.split() for line in tokens], [line.split() for line in tags], np.array([s.strip() for s in intents])


def load_spoken_digits(folder: Path) -> Labelled:
    """MFCC frames (length, 13) of 3,000 spoken digits."""
    data = np.load(folder / "fsdd_mfcc" / "digits.npz")
    offsets = np.concatenate([[0], np.cumsum(data["lengths"])])
    return Sequences(data["X"], offsets), data["y"]


def load_cmapss(folder: Path) -> tuple[Sequences, Sequences, np.ndarray]:
    """Engines of C-MAPSS FD001: training runs to failure, test runs, and the test engines' remaining cycles."""
    base = folder / "cmapss_fd001"
    columns = ["unit", "cycle", *[f"setting{k}" for k in (1, 2, 3)], *[f"sensor{k}" for k in range(1, 22)]]
    parts = []
    for name in ("train", "test"):
        path = base / f"{name}_FD001.txt.gz"
        header = int(not _lines(path)[0].split()[0].isdigit())  # some copies carry a line of names
        frame = pd.read_csv(path, sep=r"\s+", header=None, skiprows=header, names=columns)
        parts.append(sequences_from_frame(frame, id="unit", sort_by="cycle"))
    remaining = np.array([float(x) for x in (base / "RUL_FD001.txt").read_text().split() if x != "RUL"])
    return parts[0], parts[1], remaining
