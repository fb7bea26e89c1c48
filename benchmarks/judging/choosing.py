"""Which setting is right for a set, told from the other sets alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

Row = tuple[str, str]
"""A set and a size."""


@dataclass(frozen=True)
class Choice:
    """What leaving a set out came to.

    Attributes
    ----------
    setting : str
        The one with the smallest mean regret on the other sets.
    regret : float
        How far it is behind the best setting, on the set that was left out: the mean over its sizes.
    """

    left_out: str
    setting: str
    regret: float


def mean_regret(regrets: Mapping[Row, float], sets: set[str]) -> float:
    """Over `sets`, each of which counts the same however many sizes of it were run."""
    of_sets = [np.mean([regret for (name, _), regret in regrets.items() if name == one]) for one in sorted(sets)]
    return float(np.mean(of_sets))


def leave_one_set_out(regrets: Mapping[str, Mapping[Row, float]]) -> list[Choice]:
    """One choice for each set, from the regrets of each setting on the same rows.

    Of settings that are equally good on the other sets the first one is taken. With one set there is nothing to choose
    from, and the list is empty.
    """
    names = {name for rows in regrets.values() for name, _ in rows}
    choices = []
    for left_out in sorted(names) if len(names) > 1 else []:
        others = names - {left_out}
        chosen = min(regrets, key=lambda setting: mean_regret(regrets[setting], others))
        choices.append(Choice(left_out, chosen, mean_regret(regrets[chosen], {left_out})))
    return choices
