"""Readers for the real data sets of the benchmarks, from a folder that holds them as their publishers give them out."""

from __future__ import annotations

import gzip
import zipfile
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


def load_indoor_movement(folder: Path) -> Labelled:
    """Strengths of four radio signals (length, 4) of 314 walks, and whether the walker changed the room: 1 or -1."""
    with zipfile.ZipFile(folder / "indoor_movement" / "IndoorMovement.zip") as archive:
        text = archive.read("dataset/MovementAAL_target.csv").decode()
        rows = [line.split(",") for line in text.splitlines() if line.strip() and not line.startswith("#")]
        X = []
        for number, _ in rows:
            with archive.open(f"dataset/MovementAAL_RSS_{int(number)}.csv") as file:
                X.append(np.loadtxt(file, delimiter=",", comments="#", ndmin=2))
    return X, np.array([int(label) for _, label in rows])


def load_pendigits(folder: Path) -> tuple[Labelled, Labelled]:
    """Eight points (x, y) of each written digit: those of 30 writers to train on, those of 14 others to test."""
    table = pd.read_csv(folder / "pendigits" / "pendigits.csv.gz", index_col=0).to_numpy()
    X, y = table[:, :16].reshape(-1, 8, 2).astype(float), table[:, 16].astype(int)
    return (X[:7494], y[:7494]), (X[7494:], y[7494:])


def load_sentiments(folder: Path, source: str) -> tuple[list[str], np.ndarray]:
    """Sentences of reviews as documents, and whether they are positive; source is "amazon_cells", "imdb" or "yelp"."""
    path = folder / "sentiment_labelled_sentences" / f"{source}_labelled.txt"
    rows = [line.rsplit("\t", 1) for line in path.read_text(encoding="utf-8").split("\n") if "\t" in line]
    return [text for text, _ in rows], np.array([int(label) for _, label in rows])


def load_extrinsic(folder: Path, name: str) -> tuple[Labelled, Labelled]:
    """Training and test part of a set of the TSER archive: series and a number for each."""
    parts = (load_ts(folder / "tser" / name / f"{name}_{part}.ts.gz") for part in ("TRAIN", "TEST"))
    train, test = ((X, y.astype(float)) for X, y in parts)
    return train, test


def load_pm25(folder: Path, *, hours: int = 24, every: int = 3) -> tuple[Labelled, Labelled]:
    """Windows of the air of Beijing, and the PM2.5 of the hour that follows: 2010 to 2013, and 2014 to test.

    Every `every`-th hour of the training years is predicted, and each hour of 2014. Missing PM2.5 is filled with the
    last value before it in a window, and never predicted. The wind's direction is four columns of 0 and 1.
    """
    frame = pd.read_csv(folder / "beijing_pm25" / "pollution.csv.gz")
    wanted, years = frame["pm2.5"].to_numpy(), frame["year"].to_numpy()
    frame["pm2.5"] = frame["pm2.5"].ffill().fillna(0)
    values = pd.get_dummies(frame.drop(columns=["No", "year", "month", "day", "hour"]), columns=["cbwd"], dtype=float)
    windows = np.lib.stride_tricks.sliding_window_view(values.to_numpy(dtype=float), hours, axis=0).swapaxes(1, 2)
    hour = np.arange(hours, len(frame))
    known = ~np.isnan(wanted[hour])
    train = hour[known & (years[hour] < 2014) & (hour % every == 0)]
    test = hour[known & (years[hour] == 2014)]
    return (windows[train - hours], wanted[train]), (windows[test - hours], wanted[test])
