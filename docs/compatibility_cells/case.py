"""The sequences of a cell in one format, the registry of tools, and what their functions share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_rnn import RNNClassifier, RNNSequenceTagger

SMALL = {"hidden_size": 4, "max_epochs": 2, "random_state": 0}


@dataclass(frozen=True)
class Case:
    """30 sequences in one format, and targets for them.

    Attributes
    ----------
    name : str
        What the table calls the format.
    X : sequences
    y : array of str, shape (n_sequences,)
        Two classes.
    """

    name: str
    X: Any
    y: np.ndarray

    @property
    def n(self) -> int:
        return len(self.y)

    @property
    def groups(self) -> np.ndarray:
        return np.arange(self.n) // 2 % 5

    @property
    def weight(self) -> np.ndarray:
        return 1.0 + np.arange(self.n) % 3

    @property
    def numbers(self) -> np.ndarray:
        """A target for regressors."""
        return np.where(self.y == "up", 1.0, 0.0) + np.arange(self.n) / self.n

    @property
    def tags(self) -> list[list[str]]:
        """A target for taggers: one span over each sequence of the class "up"."""
        tags = {"up": ("B-up", "I-up"), "down": ("O", "O")}
        return [
            [tags[label][0], *[tags[label][1]] * (len(x) - 1)] for x, label in zip(self.X, self.y.tolist(), strict=True)
        ]

    @property
    def frame(self) -> pd.DataFrame:
        """The sequences in one column, what belongs to their steps in another, and a number for each in a third."""
        column = self.X if isinstance(self.X, pd.Series) else pd.Series(list(self.X))
        seconds = [np.arange(float(len(x))) for x in column]
        return pd.DataFrame({"sequence": column, "seconds": seconds, "age": np.arange(self.n)}, index=column.index)

    @property
    def step_transformer(self) -> Any:
        """A transformer of single steps that fits the format."""
        return OneHotEncoder(handle_unknown="ignore") if self.name == "tokens" else StandardScaler()


def cases() -> list[Case]:
    """The formats of the table."""
    rng = np.random.default_rng(0)
    y = np.where(np.arange(30) % 2, "up", "down")
    shift = np.where(y == "up", 1.0, -1.0)
    lengths = rng.integers(4, 9, size=30)
    ragged = [rng.normal(mean, size=(length, 2)) for mean, length in zip(shift, lengths, strict=True)]
    boxed = np.empty(30, dtype=object)
    boxed[:] = ragged
    formats = {
        "3-D array": rng.normal(shift[:, None, None], size=(30, 6, 2)),
        "ragged list": ragged,
        "object array": boxed,
        "Series": pd.Series(ragged, index=np.arange(100, 130), name="sequence"),
        "tokens": [["rise" if step > 0 else "fall" for step in x[:, 0]] for x in ragged],
    }
    return [Case(name, X, y) for name, X in formats.items()]


Run = Callable[[Case], Any]


@dataclass
class Tool:
    """A tool of scikit-learn.

    Attributes
    ----------
    name : str
        What the table calls it.
    run : callable
        Runs the tool on a case, and raises if the tool does or if its result is wrong.
    replacement : str or None
        What the table names where `run` raises.
    run_replacement : callable or None
        The same as `run` for the replacement.
    """

    name: str
    run: Run
    replacement: str | None = None
    run_replacement: Run | None = None


@dataclass
class Tools:
    """The rows of one table, filled by decorators."""

    rows: list[Tool] = field(default_factory=list)

    def add(self, name: str) -> Callable[[Run], Run]:
        """Make a function a row."""

        def register(run: Run) -> Run:
            self.rows.append(Tool(name, run))
            return run

        return register

    def or_else(self, replacement: str) -> Callable[[Run], Run]:
        """Make a function the replacement of the row that was added last."""

        def register(run: Run) -> Run:
            self.rows[-1].replacement, self.rows[-1].run_replacement = replacement, run
            return run

        return register


def classifier(**parameters: Any) -> RNNClassifier:
    return RNNClassifier(**{**SMALL, "pooling": "mean", "conv_branch": False, **parameters})


def tagger(**parameters: Any) -> RNNSequenceTagger:
    return RNNSequenceTagger(**{**SMALL, **parameters})


def check(condition: Any) -> None:
    """Raise if a result is not what it should be."""
    if not np.all(condition):
        raise AssertionError("the result is wrong")


def equal(one: Any, other: Any) -> bool:
    """Whether two sets of predictions, ragged or not, are the same."""
    return len(one) == len(other) and all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
