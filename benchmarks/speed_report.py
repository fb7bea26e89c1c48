"""Tables and picture of what ``speed.py`` measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measuring import geometric_mean

CELLS = {"gru": "GRU", "rnn": "vanilla RNN", "lstm": "LSTM"}
SMALLER = ("32x8x8x32", "32x50x16x32", "64x100x32x64", "64x100x128x128")
LARGER = ("64x50x300x256", "128x200x8x128")
COLOURS = {"expert torch loop": "#d55e00", "skorch": "#0072b2", "JAX": "#009e73", "Keras": "#cc79a7"}


@dataclass(frozen=True)
class Row:
    """A line of the table: a geometric mean over records.

    Attributes
    ----------
    names : tuple of str
        Of the records.
    aim : float or None
        What the ratio is to be at most.
    """

    work: str
    against: str
    aim: float | None
    names: tuple[str, ...]


def rows() -> list[Row]:
    """The lines of the table, in order."""
    every = tuple(f"epoch/{cell}/{size}" for cell in CELLS for size in (*SMALLER, *LARGER))
    four_smaller = {"gru": 0.45, "rnn": 0.6, "lstm": 0.95}
    lines = [
        Row(
            f"epoch, {CELLS[cell]}, the four smaller sizes",
            "expert torch loop",
            aim,
            tuple(f"epoch/{cell}/{size}" for size in SMALLER),
        )
        for cell, aim in four_smaller.items()
    ]
    lines += [
        Row(f"epoch, {title}, {size}", "expert torch loop", 1.0, (f"epoch/{cell}/{size}",))
        for cell, title in CELLS.items()
        for size in LARGER
    ]
    lines += [
        Row("epoch, every cell and size", peer, aim, every)
        for peer, aim in (("JAX", 0.6), ("Keras", 0.4), ("skorch", 0.5))
    ]
    for what in ("2 layers, 1 directions", "1 layers, 2 directions"):
        names = tuple(f"stacked/{cell}/{size}/{what}" for cell in CELLS for size in ("32x50x16x32", "64x100x32x64"))
        title = "two layers" if what.startswith("2") else "two directions"
        lines.append(Row(f"epoch, every cell, {title}, two sizes", "expert torch loop", None, names))
    cells = tuple(CELLS)
    lines += [
        Row("epoch, ragged lengths 1 to 200", peer, 0.35, tuple(f"ragged/{cell}" for cell in cells))
        for peer in ("torch padded to the longest", "PackedSequence")
    ]
    lines.append(
        Row(
            "epoch, many-to-one, 1,000 steps",
            "torch loop without flushing",
            0.25,
            tuple(f"long/{cell}" for cell in cells),
        )
    )
    lines += [
        Row("predict, 5,000 sequences of 8 steps", peer, aim, tuple(f"predict/{cell}" for cell in cells))
        for peer, aim in (("skorch", 0.1), ("expert torch loop", 1.0))
    ]
    return [
        *lines,
        Row("GridSearchCV, 8 candidates, 3 folds, two jobs", "one job", 0.6, ("search/jobs",)),
        Row("the same beside another busy process", "two jobs", 2.2, ("search/busy",)),
        Row("BiLSTM-CRF on ATIS, an epoch", "plain torch tagger", 0.5, ("tagger/atis",)),
        Row("fit, 100 times the sequences", "1 times", 110.0, ("growth/sequences",)),
        Row("fit, 100 times the steps", "1 times", 110.0, ("growth/steps",)),
        Row("peak memory of fit above the imports", "bytes of the data set", None, ("memory",)),
    ]


def result_of(row: Row, records: dict[str, Any], key: str = "ratios") -> tuple[float, float, float] | None:
    """Ratio and its spread: the quartiles of one record, or the smallest and the largest median of several.

    None unless all records are there. With the `key` "ratios_one_thread" it is that of one thread to one thread.
    """
    found = [records.get(name, {}).get(key, {}).get(row.against) for name in row.names]
    if not found or any(part is None for part in found):
        return None
    if len(found) == 1:
        return found[0]["median"], found[0]["low"], found[0]["high"]
    medians = [part["median"] for part in found]
    return geometric_mean(medians), min(medians), max(medians)


def number(value: float) -> str:
    """Three digits, and no exponent."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def table(records: dict[str, Any]) -> list[list[str]]:
    """The header and a line for each row that was measured."""
    lines = [["work", "against", "ratio (spread)", "aim", "reached", "one thread each"]]
    for row in rows():
        result = result_of(row, records)
        if result is None:
            continue
        ratio, low, high = result
        aim = records[row.names[0]].get("aim", row.aim)
        reached = "" if aim is None else "yes" if ratio <= aim else "no"
        shown = _with_spread(ratio, low, high)
        alone = result_of(row, records, "ratios_one_thread")
        single = "" if alone is None else _with_spread(*alone)
        lines.append([row.work, row.against, shown, "" if aim is None else number(aim), reached, single])
    return lines


def _with_spread(ratio: float, low: float, high: float) -> str:
    return number(ratio) if low == high else f"{number(ratio)} ({number(low)} to {number(high)})"


def throughput_table(records: dict[str, Any]) -> list[list[str]]:
    """GFLOP/s by hidden size of training and of matrix products, each on one thread."""
    measured = {cell: records.get(f"throughput/{cell}") for cell in CELLS}
    products = records.get("throughput/products")
    if products is None or not all(measured.values()):
        return []
    by_size = {f"fit, {CELLS[cell]}": record["gflops"] for cell, record in measured.items() if record}
    by_size["torch.mm of a step"] = products["gflops of torch.mm for a step of a GRU"]
    by_size = {name: {int(size): value for size, value in values.items()} for name, values in by_size.items()}
    sizes = sorted(next(iter(by_size.values())))
    lines = [["GFLOP/s, hidden units", *map(str, sizes)]]
    lines += [[name, *(f"{values[size]:.0f}" for size in sizes)] for name, values in by_size.items()]
    for name, value in products["gflops"].items():
        lines.append([f"{name}, {products['side']} squared", *[f"{value:.0f}"] * len(sizes)])
    return lines


def draw(records: dict[str, Any], path: Path) -> None:
    """A panel for each cell: by size, a dot for the ratio to each peer and a line for its quartiles."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt
    from matplotlib.ticker import FuncFormatter, NullFormatter

    sizes = (*SMALLER, *LARGER)
    figure, panels = plt.subplots(1, len(CELLS), figsize=(11, 4.2), sharey=True, sharex=True, layout="constrained")
    for panel, (cell, title) in zip(panels, CELLS.items(), strict=True):
        panel.axvline(1, color="0.5", lw=1)
        for k, size in enumerate(sizes):
            ratios = records.get(f"epoch/{cell}/{size}", {}).get("ratios", {})
            for j, (peer, colour) in enumerate(COLOURS.items()):
                if peer in ratios:
                    y, ratio = k + 0.17 * (j - 1.5), ratios[peer]
                    panel.plot([ratio["low"], ratio["high"]], [y, y], color=colour, lw=1.5, solid_capstyle="butt")
                    panel.plot(ratio["median"], y, "o", color=colour, ms=5, label=peer if k == 0 else None)
        for k in range(1, len(sizes)):
            panel.axhline(k - 0.5, color="0.9", lw=0.8)
        panel.set(title=title, xscale="log")
        panel.grid(axis="x", alpha=0.3)
        panel.spines[["top", "right", "left"]].set_visible(False)
        panel.tick_params(axis="y", length=0)
    low, high = panels[0].get_xlim()
    ticks = [tick for tick in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10) if low <= tick <= high]
    panels[0].set_xticks(ticks)
    panels[0].xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panels[0].xaxis.set_minor_formatter(NullFormatter())
    panels[0].set_yticks(range(len(sizes)), [size.replace("x", " × ") for size in sizes])
    panels[0].invert_yaxis()
    panels[0].set_ylabel("batch × steps × inputs × hidden")
    figure.supxlabel("time of fit, ours over theirs: left of 1 ours is faster", fontsize=10)
    handles, labels = panels[0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside upper center", ncols=len(COLOURS), frameon=False)
    figure.savefig(path, dpi=150)
    plt.close(figure)
