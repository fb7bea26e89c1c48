"""Options of methods that several estimators have."""

from __future__ import annotations

from numbers import Integral
from typing import Any

from sklearn.utils import check_random_state


def check_counts(**options: Any) -> None:
    """Raise ValueError if one of the `options`, given by name, is no int of at least 1."""
    for name, value in options.items():
        if not isinstance(value, Integral) or isinstance(value, bool) or int(value) < 1:
            raise ValueError(f"{name}={value!r} must be an int of at least 1")


def seed_of(random_state: Any) -> int:
    """The seed that a `random_state`, in any form that scikit-learn takes, gives."""
    return int(check_random_state(random_state).randint(2**31 - 1))
