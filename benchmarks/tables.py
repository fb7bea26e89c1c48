"""Tables of figures for the documentation."""

from __future__ import annotations


def as_rst(rows: list[list[str]], widths: list[int]) -> str:
    """`rows`, the first of which is the header, as a list-table of reStructuredText."""
    lines = [".. list-table::", "   :header-rows: 1", f"   :widths: {' '.join(map(str, widths))}", ""]
    for row in rows:
        lines += [f"   {'*' if k == 0 else ' '} - {cell}" for k, cell in enumerate(row)]
    return "\n".join(lines) + "\n"
