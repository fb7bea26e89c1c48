"""Quality on text: tagger and classifier beside what one would otherwise use, trained in the same run.

    python benchmarks/text.py --data DIR [--seeds N] [--jobs N] [--only NAME ...] [--write docs/text_quality_table.rst]

DIR is a data home as ``sklearn_rnn.datasets.get_data_home`` describes it: it holds ``atis``, ``conll2000``,
``ud_english_ewt``, ``wnut17``, ``trec``, ``sst2``, ``mr`` and ``names``. The peer of the tagger is sklearn-crfsuite
(``pip install -c constraints.txt ".[bench]"``) with features of a window of words, that of the classifier TF-IDF with
logistic regression.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import sklearn_crfsuite
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from tables import as_rst

from sklearn_rnn import AlignedSequences, RNNClassifier, RNNSequenceTagger, SequenceBaggingClassifier
from sklearn_rnn.datasets import (
    fetch_atis,
    fetch_conll2000,
    fetch_movie_reviews,
    fetch_sst2,
    fetch_surnames,
    fetch_trec,
    fetch_ud_english_ewt,
    fetch_wnut17,
)
from sklearn_rnn.metrics import flat_accuracy_score, span_f1_score

Part = tuple[Any, Any]
Score = Callable[[Any, Any], float]


@dataclass
class Task:
    """A data set, what is fitted to it, and what is known of it.

    Attributes
    ----------
    load : callable
        Maps the data home to the folds: pairs of a training and a test part, each a pair of X and y.
    score : callable
        Of the truth and the predictions.
    """

    title: str
    load: Callable[[Path], list[tuple[Part, Part]]]
    ours: Any
    peer: Any
    score: Score
    known: str
    wanted: float
    our_input: Callable[[Any], Any] = field(default=lambda X: X)
    peer_input: Callable[[Any], Any] = field(default=lambda X: X)


def token_features(tokens: list[str], i: int, pos: list[str] | None) -> dict[str, Any]:
    """What sklearn-crfsuite's tutorial takes of a word and its neighbours, two on each side."""
    word = tokens[i]
    features: dict[str, Any] = {
        "bias": 1.0,
        "word.lower()": word.lower(),
        "word[-3:]": word[-3:],
        "word[-2:]": word[-2:],
        "word[:3]": word[:3],
        "word.isupper()": word.isupper(),
        "word.istitle()": word.istitle(),
        "word.isdigit()": word.isdigit(),
        "BOS": i == 0,
        "EOS": i == len(tokens) - 1,
    }
    if pos is not None:
        features["pos"] = pos[i]
    for offset in (-2, -1, 1, 2):
        if 0 <= i + offset < len(tokens):
            features[f"{offset:+d}:word.lower()"] = tokens[i + offset].lower()
            features[f"{offset:+d}:word.istitle()"] = tokens[i + offset].istitle()
            if pos is not None:
                features[f"{offset:+d}:pos"] = pos[i + offset]
    return features


def window_features(X: Any) -> list[list[dict[str, Any]]]:
    """The features of all steps of token lists, or of tokens with part-of-speech tags."""
    if isinstance(X, AlignedSequences):
        pairs = [(x["token"].tolist(), x["pos"].tolist()) for x in X]
    else:
        pairs = [(list(tokens), None) for tokens in X]
    return [[token_features(tokens, i, pos) for i in range(len(tokens))] for tokens, pos in pairs]


def parts_of(fetch: Callable[..., Any], *subsets: str) -> Callable[[Path], list[tuple[Part, Part]]]:
    """A loader of one fold: the training part and the test part."""

    def load(home: Path) -> list[tuple[Part, Part]]:
        train, test = (fetch(subset=subset, data_home=home, return_X_y=True) for subset in subsets)
        return [(train, test)]

    return load


def chunks_with_pos(home: Path) -> list[tuple[Part, Part]]:
    parts = []
    for subset in ("train", "test"):
        data = fetch_conll2000(subset=subset, data_home=home)
        parts.append((AlignedSequences({"token": data.data, "pos": data.pos}), data.target))
    return [(parts[0], parts[1])]


def folds_of(fetch: Callable[..., Any]) -> Callable[[Path], list[tuple[Part, Part]]]:
    """A loader of five stratified folds, the same in every run."""

    def load(home: Path) -> list[tuple[Part, Part]]:
        X, y = fetch(data_home=home, return_X_y=True)
        X, y = [list(x) for x in X], np.asarray(y)  # a name becomes its letters
        folds = StratifiedKFold(5, shuffle=True, random_state=0).split(X, y)
        return [(([X[i] for i in a], y[a]), ([X[i] for i in b], y[b])) for a, b in folds]

    return load


def accuracy(y: Any, found: Any) -> float:
    return float(np.mean(np.asarray(y) == np.asarray(found)))


def words(tokens: list[str]) -> list[str]:
    """Words in lower case and pairs of neighbours."""
    low = [token.lower() for token in tokens]
    return low + [f"{a} {b}" for a, b in pairwise(low)]


def crf() -> Any:
    return sklearn_crfsuite.CRF(c1=0.1, c2=0.01, max_iterations=100, all_possible_transitions=True)


def tfidf(analyzer: Any, C: float) -> Any:
    return make_pipeline(TfidfVectorizer(analyzer=analyzer), LogisticRegression(C=C, max_iter=2000))


def character_ngrams(name: Any) -> list[str]:
    text = "^" + "".join(name).lower() + "$"
    return [text[i : i + n] for n in range(1, 5) for i in range(len(text) - n + 1)]


def letters_in_context(names: list[list[str]]) -> AlignedSequences:
    """At each step the letter, and the two and the three letters that begin with it."""
    padded = ["^" + "".join(name) + "$$$" for name in names]
    return AlignedSequences(
        {f"{n} letters": [[text[i : i + n] for i in range(len(text) - 3)] for text in padded] for n in (1, 2, 3)}
    )


def measure(task: Task, model: Any, home: Path, fold: int, *, peer: bool) -> tuple[float, float]:
    """Score and seconds of one fit on one fold."""
    (X, y), (X_test, y_test) = task.load(home)[fold]
    read = task.peer_input if peer else task.our_input
    X, X_test = read(X), read(X_test)
    start = time.perf_counter()
    model.fit(X, y)
    seconds = time.perf_counter() - start
    return task.score(y_test, model.predict(X_test)), seconds


def run(task: Task, home: Path, seeds: int, jobs: int) -> dict[str, Any]:
    """Fit the peer once and ours with each seed, on each fold; the score of a seed is the mean over its folds."""
    folds = range(len(task.load(home)))
    plan = [(clone(task.peer), fold, True) for fold in folds]
    plan += [(clone(task.ours).set_params(random_state=seed), fold, False) for seed in range(seeds) for fold in folds]
    found = Parallel(n_jobs=jobs)(delayed(measure)(task, model, home, fold, peer=peer) for model, fold, peer in plan)
    scores = 100 * np.array([score for score, _ in found]).reshape(1 + seeds, -1).mean(axis=1)
    seconds = np.array([s for _, s in found]).reshape(1 + seeds, -1)
    return {
        "peer": scores[0],
        "ours": scores[1:],
        "peer seconds": seconds[0].mean(),
        "seconds": seconds[1:].mean(),
    }


TAGGER = RNNSequenceTagger(
    cell_type="lstm",
    hidden_size=100,
    embedding_dim=100,
    dropout=0.5,
    embedding_dropout=0.5,
    word_dropout=0.1,
    char_encoder="cnn",
    casing_features=True,
    learning_rate=0.003,
    batch_size=16,
    max_epochs=8,
)
CLASSIFIER = RNNClassifier(
    cell_type="lstm",
    hidden_size=64,
    pooling="attention",
    embedding_dim=200,
    dropout=0.5,
    embedding_dropout=0.5,
    word_dropout=0.0,
    label_smoothing=0.0,
    learning_rate=0.002,
    batch_size=16,
    max_epochs=50,
)


def ensemble(n_networks: int, **parameters: Any) -> SequenceBaggingClassifier:
    """Networks that differ in their first weights alone, whose probabilities are averaged."""
    member = clone(CLASSIFIER).set_params(**parameters)
    return SequenceBaggingClassifier(member, n_estimators=n_networks, bootstrap=False)


TASKS = {
    "atis": Task(
        "ATIS slots, span F1",
        parts_of(fetch_atis, "train", "test"),
        clone(TAGGER).set_params(
            cell_type="gru",
            hidden_size=128,
            embedding_dim=128,
            casing_features=False,
            decoder="softmax",
            max_epochs=15,
        ),
        crf(),
        span_f1_score,
        "Slot-Gated 95.2 (Goo et al. 2018), attention BiRNN 95.98 (Liu and Lane 2016)",
        95.8,
        peer_input=window_features,
    ),
    "conll2000_pos": Task(
        "CoNLL-2000 chunks, words and POS, span F1",
        chunks_with_pos,
        TAGGER,
        crf(),
        span_f1_score,
        "BI-LSTM-CRF, random embeddings, 94.13 (Huang et al. 2015)",
        94.2,
        peer_input=window_features,
    ),
    "conll2000": Task(
        "CoNLL-2000 chunks, words only, span F1",
        parts_of(fetch_conll2000, "train", "test"),
        TAGGER,
        crf(),
        span_f1_score,
        "",
        92.3,
        peer_input=window_features,
    ),
    "ud_ewt": Task(
        "UD English EWT, UPOS accuracy",
        parts_of(fetch_ud_english_ewt, "train", "test"),
        clone(TAGGER).set_params(hidden_size=150, char_encoder="lstm", char_hidden_size=100),
        crf(),
        flat_accuracy_score,
        "word BiLSTM 92.1 (Plank et al. 2016, UD 1.2)",
        94.8,
        peer_input=window_features,
    ),
    "wnut17": Task(
        "WNUT-17 entities, span F1",
        parts_of(fetch_wnut17, "train", "test"),
        clone(TAGGER).set_params(char_encoder="lstm", word_dropout=0.3, train_scheme="BIOES", max_epochs=12),
        crf(),
        span_f1_score,
        "with pretrained vectors 38 to 42 (shared task)",
        15.0,
        peer_input=window_features,
    ),
    "trec": Task(
        "TREC, 6 classes, accuracy",
        parts_of(fetch_trec, "train", "test"),
        ensemble(5, casing_features=True, max_epochs=6),
        tfidf(words, 10.0),
        accuracy,
        "CNN-rand 88.2 (Kim 2014)",
        90.5,
    ),
    "sst2": Task(
        "SST-2, sentences only, accuracy",
        parts_of(fetch_sst2, "train", "test"),
        ensemble(5, max_epochs=4),
        tfidf(words, 3.0),
        accuracy,
        "CNN-rand with phrases 83.5 (Kim 2014)",
        82.5,
    ),
    "mr": Task(
        "MR, 5 folds, accuracy",
        folds_of(fetch_movie_reviews),
        ensemble(3, max_epochs=4),
        tfidf(words, 3.0),
        accuracy,
        "CNN-rand 75.9 (Kim 2014)",
        78.0,
    ),
    "surnames": Task(
        "Surnames to language, 18 languages, 5 folds, accuracy",
        folds_of(fetch_surnames),
        ensemble(
            3,
            pooling="max",
            hidden_size=128,
            embedding_dim=64,
            learning_rate=0.003,
            batch_size=32,
            max_epochs=8,
        ),
        tfidf(character_ngrams, 30.0),
        accuracy,
        "",
        86.5,
        our_input=letters_in_context,
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--seeds", type=int, default=3, help="fits of our models, with random_state 0, 1, ...")
    parser.add_argument("--jobs", type=int, default=1, help="fits at the same time, each on one thread")
    parser.add_argument("--only", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--write", type=Path, help="write the table there as reStructuredText")
    arguments = parser.parse_args()
    rows = [["data, score", "ours, mean (range)", "fit, s", "peer in the same run", "fit, s", "published", "aim"]]
    for name in arguments.only:
        task = TASKS[name]
        result = run(task, arguments.data, arguments.seeds, arguments.jobs)
        ours, peer = result["ours"], result["peer"]
        row = [
            task.title,
            f"{ours.mean():.2f} ({ours.min():.2f} to {ours.max():.2f})",
            f"{result['seconds']:.0f}",
            f"{peer:.2f}",
            f"{result['peer seconds']:.0f}",
            task.known,
            f"{task.wanted}",
        ]
        rows.append(row)
        print(" | ".join(row), flush=True)
    if arguments.write:
        arguments.write.write_text(as_rst(rows, [26, 16, 6, 9, 6, 22, 7]), encoding="utf-8")


if __name__ == "__main__":
    main()
