"""Run each of scikit-learn's tools on each format of sequences, and write what works to compatibility_table.rst.

python docs/compatibility.py          run every cell and write the table
python docs/compatibility.py --check  run every cell, and fail if the table differs from what is written

A cell is "yes" if the tool itself runs on that format without a warning and with the right result. If not, what
replaces it is run in its place, and the cell names it, with the tool's error in a footnote. A tool that fails and has
no replacement, or a replacement that fails, fails the script.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import sklearn
from compatibility_cells import classifier, tagger
from compatibility_cells.case import Case, Tool, cases

TABLE = Path(__file__).with_name("compatibility_table.rst")
LONGEST_MESSAGE = 160


@dataclass
class Table:
    """The cells of one estimator, and the errors behind the replacements.

    Attributes
    ----------
    cells : dict
        The text of each (tool, format).
    notes : list of str
        The text of each footnote, in order.
    failures : list of str
        What should have run and did not.
    """

    cells: dict[tuple[str, str], str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def run_cell(tool: Tool, case: Case) -> tuple[str, str | None]:
    """What to use for `tool` on this format, and the error of the tool itself where that is something else."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            tool.run(case)
        except Exception as error:
            if tool.replacement is None:
                raise
            message = f"{type(error).__name__}: {error}"
        else:
            return "yes", None
        tool.run_replacement(case)
    return tool.replacement, message


def run_table(tools: list[Tool], report: Callable[[str], None]) -> Table:
    """Run every cell; what fails is told in ``failures`` and does not stop the others."""
    table = Table()
    for tool in tools:
        start, words = time.perf_counter(), []
        for case in cases():
            try:
                text, message = run_cell(tool, case)
            except Exception as error:
                table.failures.append(f"{tool.name} on {case.name}: {type(error).__name__}: {str(error).strip()}")
                text, message = "FAILS", None
            if message is not None:
                whose = "as it is" if message.startswith("SequenceDataError") else "in scikit-learn"
                note = f"{tool.name} {whose}: ``{shorten(message)}``"
                if note not in table.notes:
                    table.notes.append(note)
                text += f" {{{table.notes.index(note)}}}"
            table.cells[tool.name, case.name] = text
            words.append(text)
        report(f"{time.perf_counter() - start:6.1f} s  {tool.name}: {', '.join(words)}")
    return table


def shorten(message: str) -> str:
    """The first sentence or so of an error on one line, without the data that it quotes, fit for a literal."""
    line = " ".join(message.split(": array=[")[0].split()).replace("`", "'")
    return line if len(line) <= LONGEST_MESSAGE else line[: LONGEST_MESSAGE - 3].rsplit(" ", 1)[0] + " ..."


def to_rst(title: str, tools: list[Tool], table: Table, prefix: str) -> str:
    """One list-table with its footnotes."""
    columns = [case.name for case in cases()]
    lines = [f".. rubric:: {title}", "", ".. list-table::", "   :header-rows: 1", "   :widths: 25 15 15 15 15 15", ""]
    for row in [["tool", *columns], *([tool.name, *(table.cells[tool.name, c] for c in columns)] for tool in tools)]:
        for i, cell in enumerate(row):
            for number in range(len(table.notes)):
                cell = cell.replace(f"{{{number}}}", f"[#{prefix}{number + 1}]_")
            lines.append(f"   {'* -' if i == 0 else '  -'} {cell}")
    lines.append("")
    lines += [f".. [#{prefix}{number}] {note}" for number, note in enumerate(table.notes, start=1)]
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="fail if the written table is another one")
    check = parser.parse_args(arguments).check
    parts, failures = [f".. Written by compatibility.py with scikit-learn {sklearn.__version__}.\n"], []
    for title, tools, prefix in [
        ("RNNClassifier (RNNRegressor where the tool is for numbers)", classifier.tools.rows, "c"),
        ("RNNSequenceTagger, whose targets are lists of labels", tagger.tools.rows, "t"),
    ]:
        print(title)
        table = run_table(tools, print)
        parts.append(to_rst(title, tools, table, prefix))
        failures += table.failures
    text = "\n".join(parts)
    if failures:
        print("\n".join(failures), file=sys.stderr)
        return 1
    if check and TABLE.read_text() != text:
        print(f"{TABLE.name} differs from what these runs gave: write it anew without --check", file=sys.stderr)
        return 1
    if not check:
        TABLE.write_text(text)
        print(f"wrote {TABLE.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
