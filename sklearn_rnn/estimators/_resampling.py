"""Bootstrap samples of sequences, drawn by their positions and weights: the format of X does not matter to them."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn.data.digests import sample_digests

MAX_REDRAWS = 100


@dataclass(frozen=True)
class Population:
    """The distinct samples that are drawn from, in an order that does not depend on the order of the rows.

    Equal samples are one with the sum of their weights, and samples of weight 0 are left out. What is drawn depends on
    the samples and their weights alone: a weight of 2 equals a repeated sample, to the last bit.

    Attributes
    ----------
    rows : array of int, shape (n_distinct,)
        The first row of each distinct sample.
    weight : array of shape (n_distinct,)
        The total weight of its rows.
    sample_of : array of int, shape (n_rows,)
        The distinct sample that each row is; -1 for a weight of 0.
    """

    rows: NDArray[np.int64]
    weight: NDArray[np.float64]
    sample_of: NDArray[np.int64]

    @classmethod
    def from_rows(cls, X: Any, y: Any, weight: NDArray[np.float64]) -> Population:
        """The population of the rows of `X` and `y`, weighted by `weight` (n_rows,)."""
        kept = np.flatnonzero(weight > 0)
        _, first, inverse = np.unique(sample_digests(X, y)[kept], return_index=True, return_inverse=True)
        sample_of = np.full(len(weight), -1)
        sample_of[kept] = inverse
        total = np.bincount(inverse, weights=weight[kept]).astype(np.float64)
        return cls(kept[first], total, sample_of)

    def n_draws(self, max_samples: int | float, *, bootstrap: bool) -> int:
        """How many samples to draw: `max_samples`, or as a float that share of the total weight, at least 1.

        Without replacement it is the share of the distinct samples.

        Raises
        ------
        ValueError
            If there are fewer samples than are to be drawn without replacement.
        """
        total = float(self.weight.sum()) if bootstrap else len(self.rows)
        n_draws = int(max_samples) if isinstance(max_samples, Integral) else max(1, round(max_samples * total))
        if not bootstrap and n_draws > len(self.rows):
            raise ValueError(
                f"max_samples={max_samples!r} is more than the {len(self.rows)} distinct samples of positive weight, "
                f"and bootstrap=False draws each at most once"
            )
        return n_draws

    def draw(
        self, n_draws: int, *, bootstrap: bool, seed: int, classes: NDArray[np.int64] | None
    ) -> NDArray[np.float64]:
        """The weight of each distinct sample in one draw, shape (n_distinct,); 0 for those that are not drawn.

        Parameters
        ----------
        n_draws : int
        bootstrap : bool
            With replacement and with probabilities in proportion to the weights: what is drawn weighs as often as it
            was drawn. Otherwise each sample at most once, with equal probabilities, and with its own weight.
        seed : int
        classes : array of int, shape (n_distinct,), or None
            The class of each sample: a draw of a single class is thrown away and made anew.

        Raises
        ------
        ValueError
            If no draw holds two classes.
        """
        random_state = np.random.RandomState(seed)
        n_distinct = len(self.rows)
        for _ in range(MAX_REDRAWS):
            if bootstrap:
                weight = random_state.multinomial(n_draws, self.weight / self.weight.sum()).astype(np.float64)
            else:
                drawn = random_state.permutation(n_distinct)[:n_draws]
                weight = np.bincount(drawn, minlength=n_distinct) * self.weight
            if classes is None or len(np.unique(classes[weight > 0])) > 1:
                return weight
        raise ValueError(
            f"{MAX_REDRAWS} draws of {n_draws} sample(s) held one class each, and a classifier needs two: raise "
            f"max_samples, or scale sample_weight, of whose sum max_samples takes a share"
        )
