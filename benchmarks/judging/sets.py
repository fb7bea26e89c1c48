"""The sets on which the defaults are judged, each read in the same way for all contestants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import text
from quality import sensors_of_engines, windows_of_engines
from real_data import (
    load_atis,
    load_extrinsic,
    load_indoor_movement,
    load_pendigits,
    load_pm25,
    load_sentiments,
    load_spoken_digits,
    load_uea,
)
from sklearn.datasets import load_digits
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import train_test_split
from sklearn.utils import _safe_indexing

from judging.naming import ARCHIVE
from sklearn_rnn.datasets import fetch_sms_spam
from sklearn_rnn.metrics import flat_accuracy_score, span_f1_score


@dataclass
class Parts:
    """What is trained on and what is scored.

    Attributes
    ----------
    groups : array of int, shape (n_sequences,), optional
        Sequences of the training part that must be held out together.
    in_time : bool
        The training part is in the order of time, and what is held out is its end.
    """

    X: Any
    y: Any
    X_test: Any
    y_test: Any
    groups: np.ndarray | None = None
    in_time: bool = False


@dataclass(frozen=True)
class JudgedSet:
    """A set, what kind it is of ("series", "text", "tags" or "numbers"), and how its predictions are scored.

    Attributes
    ----------
    documents : bool
        X holds strings and not lists of tokens.
    task : str or None
        Name of the task in ``text.py`` that has the recommended setting.
    """

    load: Callable[[Path], Parts]
    kind: str
    score: str = "accuracy"
    documents: bool = False
    task: str | None = None


SCORES: dict[str, Callable[[Any, Any], float]] = {
    "accuracy": lambda y, found: 100 * text.accuracy(y, found),
    "step accuracy": lambda y, found: 100 * flat_accuracy_score(y, found),
    "span F1": lambda y, found: 100 * span_f1_score(y, found),
    "RMSE": lambda y, found: float(root_mean_squared_error(y, found)),
}


def take(X: Any, chosen: np.ndarray) -> Any:
    """The sequences or labels at `chosen`."""
    return X.take(chosen) if hasattr(X, "offsets") else _safe_indexing(X, chosen)


def divided(X: Any, y: Any, test_size: float) -> Parts:
    """Stratified parts, the same in every run."""
    train, test = train_test_split(np.arange(len(y)), test_size=test_size, stratify=y, random_state=0)
    return Parts(take(X, train), take(y, train), take(X, test), take(y, test))


def archive(name: str, folder: Path) -> Parts:
    train, test = load_uea(folder, name)
    return Parts(*train, *test)


def digits(folder: Path) -> Parts:
    X, y = load_digits(return_X_y=True)
    return divided(X.reshape(-1, 8, 8), y, 0.5)


def spoken_digits(folder: Path) -> Parts:
    X, y = load_spoken_digits(folder)
    return divided(list(X), y, 0.5)


def movement(folder: Path) -> Parts:
    return divided(*load_indoor_movement(folder), 0.5)


def pendigits(folder: Path) -> Parts:
    train, test = load_pendigits(folder)
    return Parts(*train, *test)


def of_task(name: str, folder: Path) -> Parts:
    """The first fold of a task of ``text.py``."""
    train, test = text.TASKS[name].load(folder)[0]
    return Parts(*train, *test)


def spam(folder: Path) -> Parts:
    X, y = fetch_sms_spam(data_home=folder, return_X_y=True)
    return divided(list(X), np.asarray(y), 0.2)


def sentiments(source: str, folder: Path) -> Parts:
    return divided(*load_sentiments(folder, source), 0.2)


def intents(folder: Path) -> Parts:
    (X, _, y), (X_test, _, y_test) = (load_atis(folder, part) for part in ("train", "test"))
    return Parts(X, y, X_test, y_test)


def engines(folder: Path) -> Parts:
    train, test, y_test = sensors_of_engines(folder)
    X, y, engine = windows_of_engines(train)
    return Parts(X, y, list(test.truncate(50, cut="head")), y_test, groups=engine)


def extrinsic(name: str, folder: Path) -> Parts:
    train, test = load_extrinsic(folder, name)
    return Parts(*train, *test)


def air(folder: Path) -> Parts:
    train, test = load_pm25(folder)
    return Parts(*train, *test, in_time=True)


def text_set(task: str, score: str = "accuracy") -> JudgedSet:
    return JudgedSet(partial(of_task, task), "text" if score == "accuracy" else "tags", score, task=task)


SETS: dict[str, JudgedSet] = {
    **{name: JudgedSet(partial(archive, name), "series") for name in ARCHIVE},
    "digits": JudgedSet(digits, "series"),
    "spoken digits": JudgedSet(spoken_digits, "series"),
    "indoor movement": JudgedSet(movement, "series"),
    "pendigits": JudgedSet(pendigits, "series"),
    "Amazon": JudgedSet(partial(sentiments, "amazon_cells"), "text", documents=True, task="sst2"),
    "IMDb": JudgedSet(partial(sentiments, "imdb"), "text", documents=True, task="sst2"),
    "Yelp": JudgedSet(partial(sentiments, "yelp"), "text", documents=True, task="sst2"),
    "TREC": text_set("trec"),
    "SST-2": text_set("sst2"),
    "SMS spam": JudgedSet(spam, "text", documents=True, task="sst2"),
    "MR": text_set("mr"),
    "surnames": text_set("surnames"),
    "ATIS intents": JudgedSet(intents, "text"),
    "ATIS slots": text_set("atis", "span F1"),
    "WNUT-17": text_set("wnut17", "span F1"),
    "CoNLL-2000 words": text_set("conll2000", "span F1"),
    "CoNLL-2000 words and POS": text_set("conll2000_pos", "span F1"),
    "EWT UPOS": text_set("ud_ewt", "step accuracy"),
    "Tecator": JudgedSet(partial(extrinsic, "Tecator"), "numbers", "RMSE"),
    "Covid3Month": JudgedSet(partial(extrinsic, "Covid3Month"), "numbers", "RMSE"),
    "C-MAPSS": JudgedSet(engines, "numbers", "RMSE"),
    "Beijing PM2.5": JudgedSet(air, "numbers", "RMSE"),
}


def parts_of(name: str, folder: Path) -> Parts:
    return SETS[name].load(folder)
