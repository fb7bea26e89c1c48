"""Whether tags are in another scheme than the one that they are to be read in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn.data.tag_schemes import TOLERATED, closest_first, span_table, violations
from sklearn_rnn.data.tag_steps import TagSteps

BROKEN = 0.5
"""Share of the spans at least that must break a scheme which tags are not in."""


@dataclass(frozen=True)
class Contrast:
    """Tags are in one scheme, but are to be read in another."""

    scheme: str
    """The scheme that they are in."""
    broken: int
    """How many of them break the other one."""
    n_spans: int
    """How many spans they mark."""


def contrast_of(steps: TagSteps, scheme: str, known: NDArray[np.bool_] | None = None) -> Contrast | None:
    """What scheme tags are in, if it is certainly another one than `scheme`.

    They keep to the other one, but for few, and most of their spans break `scheme`.

    Parameters
    ----------
    steps : TagSteps
        Of steps that carry no label the tag does not matter.
    scheme : str
    known : array of bool, shape (total_steps,), optional
        Which steps carry a label.
    """
    if not any(steps.roles):
        return None
    n_inside = int(np.count_nonzero(steps.roles[steps.codes]))
    broken = _count_broken(steps, scheme, known)
    strange = steps.foreign(None).any()
    n_spans = n_inside if strange else len(span_table(steps, scheme, "conlleval").start)
    if not steps.foreign(scheme).any() and broken <= max(TOLERATED * n_inside, BROKEN * n_spans):
        return None
    counts = {other: _count_broken(steps, other, known) for other in closest_first(steps) if other != scheme}
    best = min(counts, key=counts.__getitem__, default=None)
    if best is None or counts[best] > TOLERATED * n_inside:
        return None
    return Contrast(best, broken, n_spans)


def _count_broken(steps: TagSteps, scheme: str, known: NDArray[np.bool_] | None) -> int:
    """How many steps break a scheme whatever the steps are that carry no label."""
    rows = violations(steps, scheme)
    if known is not None:
        before = np.roll(known, 1)
        before[steps.first_rows] = True
        rows = rows[known[rows] & before[rows]]
    return len(rows)
