"""Names of sets and contestants, and which way their scores are read."""

from __future__ import annotations

ARCHIVE = [
    "ItalyPowerDemand",
    "GunPoint",
    "ECG200",
    "ArrowHead",
    "Plane",
    "SyntheticControl",
    "PickupGestureWiimoteZ",
    "OSULeaf",
    "BasicMotions",
    "JapaneseVowels",
    "NATOPS",
]
"""Sets of the UCR and UEA archives."""

SENTENCES = ["TREC", "SST-2", "MR", "SMS spam", "Amazon", "IMDb", "Yelp", "surnames"]

TITLES = {
    "default": "ours by default",
    "recommended": "ours as recommended",
    "unscaled": "ours by default, unscaled",
    "rocket": "ROCKET and ridge",
    "ridge": "ridge",
    "neighbour": "1-NN",
    "boosting": "boosted trees",
    "tfidf": "TF-IDF and logistic regression",
    "crfsuite": "sklearn-crfsuite",
}
"""Contestants, as the tables call them."""

PEERS = {
    "series": ["rocket", "ridge", "neighbour", "boosting"],
    "text": ["tfidf"],
    "tags": ["crfsuite"],
    "numbers": ["ridge", "boosting"],
}

OURS = ["default", "recommended", "unscaled"]

SEEDED = {"default", "recommended", "unscaled", "rocket"}
"""Contestants that differ from seed to seed."""


def shortfall(score: float, best: float, metric: str) -> float:
    """How far `score` is behind `best`: in points, or of an RMSE in percent of the best."""
    return 100 * (score / best - 1) if metric == "RMSE" else best - score


def better(scores: list[float], metric: str) -> float:
    """The best of them."""
    return min(scores) if metric == "RMSE" else max(scores)


def worse(scores: list[float], metric: str) -> float:
    """The worst of them."""
    return max(scores) if metric == "RMSE" else min(scores)
