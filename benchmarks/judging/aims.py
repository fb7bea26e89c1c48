"""What the defaults aim at, and whether the figures reach it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from judging.naming import ARCHIVE, SENTENCES
from judging.scores import Figure, Figures

TAGGED = ["ATIS slots", "CoNLL-2000 words and POS", "CoNLL-2000 words", "WNUT-17", "EWT UPOS"]
WANTED = {"spoken digits": 99.0, "JapaneseVowels": 98.3, "digits": 98.0, "indoor movement": 88.0}
SIMPLE = ["ridge", "neighbour", "boosting"]

Aim = tuple[str, str, str]
"""What is aimed at, what was found, and "reached", "missed" or "not all measured"."""


def verdict(reached: bool) -> str:
    return "reached" if reached else "missed"


def gaps(figures: Figures, names: Sequence[str], ours: str, theirs: Sequence[str]) -> dict[str, float]:
    """Points by which `ours` is ahead of the best of `theirs` on whole sets, where all of them were run."""
    found = {}
    for name in names:
        of_row = figures.get((name, "full"), {})
        if {ours, *theirs} <= of_row.keys():
            found[name] = of_row[ours].mean - max(of_row[other].mean for other in theirs)
    return found


def moved(of_row: dict[str, Figure]) -> float:
    """Mean points by which other units make ours better, over the seeds that were run with both."""
    pairs = zip(of_row["unscaled"].scores, of_row["default"].scores, strict=False)
    return float(np.mean([there - here for there, here in pairs]))


def judged(
    aim: str, found: dict[str, float], names: Sequence[str], good: Callable[[list[float]], bool], shown: str
) -> Aim:
    """An aim that is a condition on one figure of each set; `shown` names what the figures are."""
    listed = f"{shown}: " + ", ".join(f"{name} {value:+.1f}" for name, value in found.items())
    if len(found) < len(names):
        return aim, f"{listed if found else ''} ({len(found)} of {len(names)} sets)".strip(), "not all measured"
    return aim, listed, verdict(good(list(found.values())))


def aims(figures: Figures) -> list[Aim]:
    """All of them, in order."""
    ahead = gaps(figures, TAGGED, "default", ["crfsuite"])
    behind = gaps(figures, TAGGED, "default", ["recommended"])
    sentences = gaps(figures, SENTENCES, "default", ["tfidf"])
    simple = gaps(figures, ARCHIVE, "default", SIMPLE)
    series = [name for (name, size), row in figures.items() if size == "full" and "unscaled" in row]
    scale = {name: moved(figures[name, "full"]) for name in series if "default" in figures[name, "full"]}
    return [
        judged(
            "taggers: ahead of sklearn-crfsuite on each of five sets",
            ahead,
            TAGGED,
            lambda points: min(points) > 0,
            "points ahead",
        ),
        judged(
            "taggers: at most 0.7 points behind the recommended settings",
            behind,
            TAGGED,
            lambda points: min(points) >= -0.7,
            "points ahead",
        ),
        judged(
            "sentences: ahead of tuned TF-IDF on 6 of 8 sets, nowhere more than 1 point behind",
            sentences,
            SENTENCES,
            lambda points: sum(p > 0 for p in points) >= 6 and min(points) >= -1,
            "points ahead",
        ),
        judged(
            "series of the archive: ahead of the best of ridge, 1-NN and boosted trees on 9 of 11 sets",
            simple,
            ARCHIVE,
            lambda points: sum(p > 0 for p in points) >= 9,
            "points ahead",
        ),
        beside_rocket(figures),
        *steadiness(figures),
        *[at_least(figures, name, wanted) for name, wanted in WANTED.items()],
        remaining_life(figures),
        judged(
            "channels in other units: within 1 point of the same data as they are",
            scale,
            series or ["all"],
            lambda points: max(map(abs, points)) <= 1,
            "points ahead",
        ),
        seconds(figures),
    ]


def beside_rocket(figures: Figures) -> Aim:
    aim = "series of the archive: mean at most 1.5 points below ROCKET"
    found = gaps(figures, ARCHIVE, "default", ["rocket"])
    if len(found) < len(ARCHIVE):
        return aim, f"{len(found)} of {len(ARCHIVE)} sets", "not all measured"
    ours, theirs = (
        float(np.mean([figures[name, "full"][who].mean for name in ARCHIVE])) for who in ("default", "rocket")
    )
    return aim, f"{ours:.1f} beside {theirs:.1f}", verdict(ours >= theirs - 1.5)


def steadiness(figures: Figures) -> list[Aim]:
    """Of the seeds of ours on the archive."""
    rows = [figures.get((name, "full"), {}).get("default") for name in ARCHIVE]
    found = dict(zip(ARCHIVE, rows, strict=True))
    some = {name: row for name, row in found.items() if row is not None and len(row.scores) > 1}
    spread = {name: row.deviation for name, row in some.items() if row.n_train >= 100}
    over = {name: min(row.scores) - (row.constant or 0.0) for name, row in some.items()}
    complete = len(some) == len(ARCHIVE)
    widest = max(spread, key=lambda name: spread[name], default="")
    lowest = min(over, key=lambda name: over[name], default="")
    return [
        (
            "series of the archive: standard deviation between seeds below 2 points with 100 sequences and more",
            f"widest: {widest} {spread[widest]:.1f}" if spread else "",
            verdict(max(spread.values()) < 2) if complete else "not all measured",
        ),
        (
            "series of the archive: no seed at chance, that is within 5 points of the most frequent class",
            f"lowest: {lowest}, {over[lowest]:.1f} points above it" if over else "",
            verdict(min(over.values()) > 5) if complete else "not all measured",
        ),
    ]


def at_least(figures: Figures, name: str, wanted: float) -> Aim:
    found = figures.get((name, "full"), {}).get("default")
    aim = f"{name}: {wanted:g}"
    return (aim, "", "not all measured") if found is None else (aim, f"{found.mean:.1f}", verdict(found.mean >= wanted))


def remaining_life(figures: Figures) -> Aim:
    found = figures.get(("C-MAPSS", "full"), {}).get("default")
    aim = "C-MAPSS: a capped RMSE of 13.5 cycles"
    return (aim, "", "not all measured") if found is None else (aim, f"{found.mean:.2f}", verdict(found.mean <= 13.5))


def seconds(figures: Figures) -> Aim:
    took = [row["default"].cpu for row in figures.values() if "default" in row and row["default"].n_train < 1000]
    aim = "a fit of fewer than 1,000 sequences: at most 20 s of the processor in the median"
    if not took:
        return aim, "", "not all measured"
    return aim, f"{np.median(took):.0f} s over {len(took)} sets and sizes", verdict(float(np.median(took)) <= 20)
