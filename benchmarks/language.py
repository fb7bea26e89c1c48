"""What comes next: language models beside figures that are known.

    python benchmarks/language.py --data DIR [--only NAME ...] [--validation] [--seed N] [--threads N] [--write FILE]

DIR is a data home as ``sklearn_rnn.datasets.get_data_home`` describes it: it holds ``tinyshakespeare``, ``names``,
``sst2`` and, for those who have it, ``ptb_word/ptb.zip`` and ``poly_music``. With `--validation` each task holds out a
part of its training text instead of the test part: settings are chosen so. The fits of Shakespeare and PTB end by time,
after 9 and 38 minutes, so that their figures are those of a machine of 2 cores that is otherwise idle.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import train_test_split
from tables import as_rst

from sklearn_rnn import RNNClassifier, RNNLanguageModel
from sklearn_rnn.datasets import fetch_sst2, fetch_surnames, fetch_tiny_shakespeare
from sklearn_rnn.exceptions import SequenceDataWarning


@dataclass(frozen=True)
class Options:
    """How a task is run.

    Attributes
    ----------
    data : Path
    validation : bool
        Whether a part of the training text is held out in place of the test part.
    fit : dict
        Parameters of all networks: seed and threads.
    """

    data: Path
    validation: bool
    fit: dict[str, Any]


Figures = dict[str, float]


@dataclass(frozen=True)
class Task:
    """What is measured, and what is known of it.

    Attributes
    ----------
    run : callable
        Maps options to figures by their names.
    """

    title: str
    run: Callable[[Options], Figures]
    known: str
    wanted: str


SHAKESPEARE = {
    "cell_type": "lstm",
    "hidden_size": 256,
    "num_layers": 2,
    "embedding_dim": 64,
    "tbptt_steps": 128,
    "batch_size": 32,
    "learning_rate": 0.004,
    "dropout": 0.1,
    "max_time": 540,
    "max_epochs": 40,
}
PTB = {
    "cell_type": "lstm",
    "hidden_size": 200,
    "num_layers": 2,
    "embedding_dim": 200,
    "tbptt_steps": 35,
    "batch_size": 20,
    "learning_rate": 0.002,
    "dropout": 0.3,
    "embedding_dropout": 0.3,
    "max_time": 2280,
    "max_epochs": 20,
}
SURNAMES = {"hidden_size": 256, "min_df": 2, "max_epochs": 20}
READER = {"batch_size": 32}
PRETRAINED = {"max_features": 10_000, "max_epochs": 10}


def shakespeare(options: Options) -> Figures:
    """Nats a character of the last tenth, or of the last tenth of what is in front of it."""
    text = "".join(fetch_tiny_shakespeare(data_home=options.data).data)
    parts = _tenths(text)
    train, test = _tenths(parts[0]) if options.validation else parts
    model = RNNLanguageModel(stream=True, **SHAKESPEARE, **options.fit).fit(train)
    return {"nats a character": -model.score(test), "epochs": model.n_iter_}


def _tenths(text: str) -> tuple[str, str]:
    """Nine tenths of a text, and the last one."""
    cut = len(text) * 9 // 10
    return text[:cut], text[cut:]


def ptb(options: Options) -> Figures:
    """Perplexity of a word of the test or validation part; ends of lines are words, and so is the unknown one."""
    with ZipFile(options.data / "ptb_word" / "ptb.zip") as archive:
        lines = {part: archive.read(f"ptb.{part}.txt").decode().split("\n")[:-1] for part in ("train", "valid", "test")}
    words = {part: [[*line.split(), "<eos>"] for line in own] for part, own in lines.items()}
    model = RNNLanguageModel(stream=True, **PTB, **options.fit).fit(words["train"])
    return {"perplexity": model.perplexity(words["valid" if options.validation else "test"]), "epochs": model.n_iter_}


def surnames(options: Options) -> Figures:
    """The share of names made up for a language that a classifier takes for such, and of real ones held out."""
    names, target = fetch_surnames(data_home=options.data, return_X_y=True)
    names, target = np.array(sorted(set(zip(names, target.astype(str), strict=True)))).T
    train, test, y_train, y_test = train_test_split(names, target, test_size=0.2, stratify=target, random_state=0)
    if options.validation:
        train, test, y_train, y_test = train_test_split(train, y_train, test_size=0.2, stratify=y_train, random_state=0)
    reader = RNNClassifier(**READER, **options.fit).fit([list(name) for name in train], y_train)
    model = RNNLanguageModel(**SURNAMES, **options.fit).fit(train, y_train)
    written = model.sample(len(y_test), y=y_test, min_new_tokens=1, random_state=0)
    found = {
        which: reader.predict([list(name) for name in own]) for which, own in (("real", test), ("made up", written))
    }
    known = set(train)
    return {
        "made up, recognised": float(np.mean(found["made up"] == y_test)),
        "real, recognised": float(np.mean(found["real"] == y_test)),
        "made up, mean of languages": balanced_accuracy_score(y_test, found["made up"]),
        "real, mean of languages": balanced_accuracy_score(y_test, found["real"]),
        "made up, new": float(np.mean([name not in known for name in written])),
        "perplexity of a letter": model.perplexity(test, y_test),
    }


def formal(options: Options) -> Figures:
    """The least probability of the right symbol where there is one: of ABCABC..., of a^n b^n behind the first b."""
    periodic = RNNLanguageModel(stream=True, tbptt_steps=24, max_epochs=100, learning_rate=0.01, **options.fit)
    of_period = np.exp(periodic.fit("ABC" * 400).score_steps("ABC" * 20)[0][3:])
    n = np.arange(1, 13)
    counting = RNNLanguageModel(
        cell_type="lstm", hidden_size=32, dropout=0, max_epochs=400, learning_rate=0.01, batch_size=12, **options.fit
    )
    counting.fit(["a" * k + "b" * k for k in n] * 8)
    certain = {k: np.exp(counting.score_steps(["a" * k + "b" * k])[0][k + 1 :]) for k in range(1, 17)}
    return {
        "ABCABC, least probability": float(of_period.min()),
        "a^n b^n, n to 12, least": float(min(certain[k].min() for k in n)),
        "n of 13 to 16, mean": float(np.mean(np.concatenate([certain[k] for k in range(13, 17)]))),
    }


def transfer(options: Options) -> Figures:
    """Accuracy on SST-2, with and without going on from a language model of all training sentences.

    The labels are a tenth of those that there are, and all of them.
    """
    train, y = fetch_sst2(data_home=options.data, return_X_y=True)
    other = "validation" if options.validation else "test"
    test, y_test = fetch_sst2(subset=other, data_home=options.data, return_X_y=True)
    model = RNNLanguageModel(**PRETRAINED, **options.fit).fit(train)
    found = {}
    for name, share in (("700 labels", 0.1), ("all labels", 1.0)):
        rows = np.random.default_rng(0).permutation(len(train))[: round(share * len(train))]
        X, labels = [train[i] for i in rows], y[rows]
        found[f"{name}, alone"] = RNNClassifier(**options.fit).fit(X, labels).score(test, y_test)
        after = RNNClassifier(pretrained=model, **options.fit)
        found[f"{name}, pretrained"] = after.fit(X, labels).score(test, y_test)
    return found


def music(name: str) -> Callable[[Options], Figures]:
    """Negative log-likelihood of a frame, from ``music_models.py``."""

    def run(options: Options) -> Figures:
        from music_models import TASKS as SONGS
        from music_models import measure

        found = {}
        for frames in (name, f"{name}-chained"):
            own = measure(
                SONGS[frames], options.data, seed=options.fit["random_state"], n_threads=options.fit["n_threads"]
            )
            found[SONGS[frames].frame_head] = own["validation" if options.validation else "test"]
        return found

    return run


TASKS = {
    "shakespeare": Task(
        "tiny Shakespeare, last tenth",
        shakespeare,
        "5-gram 1.669; plain 2x192 LSTM 1.498 after 202 s; nanoGPT on a GPU 1.470",
        "1.47",
    ),
    "ptb": Task("PTB words, 2x200 LSTM", ptb, "small LSTM 115 (Zaremba et al. 2014)", "115"),
    "surnames": Task("surnames of 18 languages", surnames, "the share of real names", ""),
    "formal": Task("ABCABC... and a^n b^n", formal, "1, exactly", "above 0.99"),
    "transfer": Task("SST-2, sentences only", transfer, "the same without a language model", ""),
    "chorales": Task(
        "JSB chorales, a frame", music("chorales"), "LSTM 8.45 (Bai et al. 2018); RNN-NADE about 5.6", "8.35 / 6.5"
    ),
    "nottingham": Task(
        "Nottingham, a frame", music("tunes"), "LSTM 3.29 (Bai et al. 2018); RNN-NADE about 2.3", "3.25 / 2.6"
    ),
}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--only", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--validation", action="store_true", help="hold out a part of the training text instead")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, help="threads of a fit; by default all cores")
    parser.add_argument("--write", type=Path, help="write the table there as reStructuredText")
    given = parser.parse_args(arguments)
    options = Options(given.data, given.validation, {"random_state": given.seed, "n_threads": given.threads})
    warnings.simplefilter("ignore", SequenceDataWarning)  # of symbols of test parts that training does not have
    rows = [["data", "ours", "at most", "known", "seconds"]]
    for name in given.only:
        task, start = TASKS[name], time.perf_counter()
        figures = task.run(options)
        ours = ", ".join(f"{key} {value:.4g}" for key, value in figures.items())
        rows.append([task.title, ours, task.wanted, task.known, f"{time.perf_counter() - start:.0f}"])
        print(" | ".join(rows[-1]), flush=True)
    if given.write:
        given.write.write_text(as_rst(rows, [20, 32, 10, 30, 8]), encoding="utf-8")


if __name__ == "__main__":
    main()
