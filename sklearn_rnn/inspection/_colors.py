"""Ink on colours."""

from __future__ import annotations

from collections.abc import Sequence


def readable_ink(color: Sequence[float]) -> str:
    """Black or white, whichever stands out more on a colour, by the relative luminance of WCAG 2.

    Parameters
    ----------
    color : sequence of at least three floats in [0, 1]
        Red, green and blue.

    Returns
    -------
    ink : {"#000000", "#ffffff"}
    """
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in list(color)[:3]
    )
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return "#ffffff" if luminance < 0.179 else "#000000"  # where (l + 0.05) / 0.05 is 1.05 / (l + 0.05)
