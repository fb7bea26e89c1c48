"""What is fitted: ours by default and as recommended, and what one would otherwise use."""

from __future__ import annotations

from typing import Any

import numpy as np
import text
from peers.rocket import Rocket
from peers.tabular import Flattened, Summarised
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, RidgeClassifierCV, RidgeCV
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from judging.naming import OURS
from judging.sets import SETS, JudgedSet
from sklearn_rnn import RNNClassifier, RNNRegressor, RNNSequenceTagger, SequenceTokenizer

STRENGTHS = np.logspace(-3, 3, 10)
"""Of the ridge's penalty; those of ROCKET's authors."""

MANY = 5000
"""Sequences from which on ROCKET has 2,000 kernels and not 10,000, for its time and memory."""

ESTIMATORS = {"series": RNNClassifier, "text": RNNClassifier, "tags": RNNSequenceTagger, "numbers": RNNRegressor}


def contestant(name: str, judged: str, n_sequences: int, seed: int, settings: dict[str, Any]) -> Any:
    """An estimator for the set of that name, which takes X as the set gives it; `settings` change ours alone."""
    if name not in OURS:
        return PEERS[name](SETS[judged], n_sequences, seed)
    model = recommended(judged) if name == "recommended" else by_default(SETS[judged])
    last = model[-1] if isinstance(model, Pipeline) else model
    threads = {key: 1 for key in last.get_params() if key.split("__")[-1] == "n_threads"}
    last.set_params(**{"random_state": seed, **threads, **settings})
    return model


def by_default(judged: JudgedSet) -> Any:
    """The constructor's defaults alone; documents are split into words."""
    model = ESTIMATORS[judged.kind]()
    return make_pipeline(SequenceTokenizer(), model) if judged.documents else model


def recommended(name: str) -> Any:
    """What the page on text uses for the set, where it is one of its tasks."""
    judged = SETS[name]
    task = text.TASKS[judged.task]
    first = SequenceTokenizer() if judged.documents else FunctionTransformer(task.our_input)
    return make_pipeline(first, clone(task.ours))


def rocket(judged: JudgedSet, n_sequences: int, seed: int) -> Any:
    kernels = Rocket(10_000 if n_sequences < MANY else 2_000, random_state=seed)
    return make_pipeline(kernels, StandardScaler(), RidgeClassifierCV(STRENGTHS))


def ridge(judged: JudgedSet, n_sequences: int, seed: int) -> Any:
    if judged.kind == "numbers":
        return make_pipeline(Flattened("end"), StandardScaler(), RidgeCV(STRENGTHS))
    return make_pipeline(Flattened(), StandardScaler(), RidgeClassifierCV(STRENGTHS))


def neighbour(judged: JudgedSet, n_sequences: int, seed: int) -> Any:
    return make_pipeline(Flattened(), KNeighborsClassifier(1))


def boosting(judged: JudgedSet, n_sequences: int, seed: int) -> Any:
    trees = HistGradientBoostingRegressor if judged.kind == "numbers" else HistGradientBoostingClassifier
    return make_pipeline(Summarised(), trees(random_state=seed))


def tfidf(judged: JudgedSet, n_sequences: int, seed: int) -> Any:
    """With the strength of the penalty, from strong to weak, chosen by cross-validation."""
    names = judged.task == "surnames"
    rows = TfidfVectorizer(analyzer=text.character_ngrams if names else text.words)
    model = make_pipeline(rows, LogisticRegression(max_iter=1000))
    first = [SequenceTokenizer()] if judged.documents else []
    folds = StratifiedKFold(3, shuffle=True, random_state=seed)
    search = GridSearchCV(model, {"logisticregression__C": [1.0, 3.0, 10.0, 30.0, 100.0]}, cv=folds)
    return make_pipeline(*first, search)


def crfsuite(judged: JudgedSet, n_sequences: int, seed: int) -> Any:
    return make_pipeline(FunctionTransformer(text.window_features), text.crf())


PEERS = {
    "rocket": rocket,
    "ridge": ridge,
    "neighbour": neighbour,
    "boosting": boosting,
    "tfidf": tfidf,
    "crfsuite": crfsuite,
}
