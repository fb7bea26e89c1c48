"""Tables of the scores, for the documentation and for the screen."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from tables import as_rst

from judging.aims import aims
from judging.cache import Record
from judging.choosing import leave_one_set_out, mean_regret
from judging.naming import PEERS, TITLES, better, shortfall
from judging.scores import Figure, Figures, gathered, regret
from judging.sets import SETS

HEADINGS = {
    "series": "Series to classes, accuracy in percent",
    "text": "Text to classes, accuracy in percent",
    "tags": "Tags, span F1 or for EWT accuracy in percent",
    "numbers": "Series to numbers, RMSE",
}

Table = list[list[str]]


def contestants_of(kind: str) -> list[str]:
    ours = ["default", "recommended", "unscaled"] if kind == "series" else ["default", "recommended"]
    return [*ours, *PEERS[kind]]


def rows_of(kind: str, figures: Figures) -> list[tuple[str, str]]:
    """Sets of a kind in their order, each with its sizes from small to full."""
    sizes = ["100", "300", "full"]
    return [(name, size) for name in SETS for size in sizes if (name, size) in figures and SETS[name].kind == kind]


def shown(score: float, metric: str) -> str:
    return f"{score:.3g}" if metric == "RMSE" else f"{score:.1f}"


def score_cell(found: Figure | None) -> str:
    """The mean, and of several seeds in brackets the deviation and the worst one."""
    if found is None:
        return "–"
    mean = shown(found.mean, found.metric)
    if len(found.scores) == 1:
        return mean
    return f"{mean} ({shown(found.deviation, found.metric)}; {shown(found.worst, found.metric)})"


def time_cell(found: Figure | None) -> str:
    return "–" if found is None else f"{found.cpu:.1f} ({found.wall:.1f})"


def row_title(row: tuple[str, str], figures: Figures) -> list[str]:
    any_figure = next(iter(figures[row].values()))
    return [row[0], f"{any_figure.n_train:,} / {any_figure.n_test:,}"]


def score_table(kind: str, figures: Figures) -> Table:
    names = contestants_of(kind)
    table = [["set", "train / test", *[TITLES[name] for name in names], "regret"]]
    for row in rows_of(kind, figures):
        lost = regret(figures[row])
        unit = " %" if kind == "numbers" else ""
        cells = [score_cell(figures[row].get(name)) for name in names]
        table.append([*row_title(row, figures), *cells, "–" if lost is None else f"{lost:.1f}{unit}"])
    return table


def time_table(kind: str, figures: Figures) -> Table:
    names = contestants_of(kind)
    table = [["set", "train / test", *[TITLES[name] for name in names]]]
    for row in rows_of(kind, figures):
        table.append([*row_title(row, figures), *[time_cell(figures[row].get(name)) for name in names]])
    return table


def aim_table(figures: Figures) -> Table:
    return [["aim", "found", ""], *[list(aim) for aim in aims(figures)]]


def page(records: Iterable[Record]) -> str:
    """The tables as reStructuredText: aims, then scores and seconds of each kind."""
    figures = gathered(records)
    pieces = [".. rubric:: Aims\n", as_rst(aim_table(figures), [45, 40, 15])]
    for kind, heading in HEADINGS.items():
        scores, times = score_table(kind, figures), time_table(kind, figures)
        if len(scores) == 1:
            continue
        pieces += [f".. rubric:: {heading}\n", as_rst(scores, widths(scores))]
        pieces += [f".. rubric:: {heading.split(',')[0]}: seconds of a fit\n", as_rst(times, widths(times))]
    return "\n".join(pieces)


def widths(table: Table) -> list[int]:
    """Widths of columns: names are wide, figures are not."""
    return [18, 13, *[14] * (len(table[0]) - 2)]


def columns(table: Table) -> str:
    """A table in plain text."""
    wide = [max(len(row[k]) for row in table) for k in range(len(table[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, wide, strict=True)).rstrip() for row in table
    )


def plain(records: Iterable[Record]) -> str:
    """The same tables for the screen."""
    figures = gathered(records)
    pieces = []
    for kind, heading in HEADINGS.items():
        if rows_of(kind, figures):
            scores, times = score_table(kind, figures), time_table(kind, figures)
            pieces += [heading, columns(scores), "seconds of a fit, processor (wall)", columns(times)]
    return "\n\n".join([*pieces, columns(aim_table(figures))])


def choices(records: Iterable[Record]) -> str:
    """For each kind the mean regret of each setting, and what each set's choice by the other sets costs it."""
    pieces = []
    for kind, heading in HEADINGS.items():
        regrets = setting_regrets([r for r in records if r["kind"] == kind and r["contestant"] == "default"])
        if not regrets:
            continue
        sets = {name for rows in regrets.values() for name, _ in rows}
        table = [["setting", "mean regret", *sorted(sets)]]
        for setting, rows in regrets.items():
            each = [f"{mean_regret(rows, {name}):.2f}" for name in sorted(sets)]
            table.append([setting, f"{mean_regret(rows, sets):.2f}", *each])
        pieces += [f"{heading.split(',')[0]}: regret of each setting", columns(table)]
        found = leave_one_set_out(regrets)
        if found:
            left = [["left out", "best on the others", "regret"]]
            left += [[choice.left_out, choice.setting, f"{choice.regret:.2f}"] for choice in found]
            left.append(["mean", "", f"{np.mean([choice.regret for choice in found]):.2f}"])
            pieces.append(columns(left))
    return "\n\n".join(pieces)


def setting_regrets(records: list[Record]) -> dict[str, dict[tuple[str, str], float]]:
    """Regrets of each setting by set and size, on the rows on which all settings were run."""
    scores: dict[str, dict[tuple[str, str], list[float]]] = {}
    metrics = {(r["set"], r["size"]): r["metric"] for r in records}
    for r in records:
        setting = ", ".join(f"{name}={value!r}" for name, value in r["settings"].items()) or "defaults"
        scores.setdefault(setting, {}).setdefault((r["set"], r["size"]), []).append(r["score"])
    if not scores:
        return {}
    shared = set.intersection(*[set(rows) for rows in scores.values()])
    means = {setting: {row: float(np.mean(rows[row])) for row in shared} for setting, rows in scores.items()}
    best = {row: better([rows[row] for rows in means.values()], metrics[row]) for row in shared}
    return {
        setting: {row: shortfall(rows[row], best[row], metrics[row]) for row in sorted(shared)}
        for setting, rows in means.items()
    }
