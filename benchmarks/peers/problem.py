"""What all contestants get: a network and the data it is fitted to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LEARNING_RATE = 1e-3
LONGEST = 200
"""Steps of the longest of ragged sequences."""


@dataclass(frozen=True)
class Problem:
    """A recurrent network with a linear head on its last state, trained by Adam on the squared error.

    Attributes
    ----------
    cell : {"rnn", "gru", "lstm"}
    batch, steps, inputs, hidden : int
        Sequences of a batch, steps of a sequence, features of a step, units of a layer and direction.
    n_batches : int
        Batches of an epoch, all of them full.
    layers, directions : int
    ragged : bool
        Whether lengths are drawn, log-uniform from 1 to ``LONGEST``; `steps` is then ``LONGEST``.
    device : str
    """

    cell: str
    batch: int
    steps: int
    inputs: int
    hidden: int
    n_batches: int
    layers: int = 1
    directions: int = 1
    ragged: bool = False
    device: str = "cpu"

    @property
    def size(self) -> str:
        return f"{self.batch}x{self.steps}x{self.inputs}x{self.hidden}"

    @property
    def n_sequences(self) -> int:
        return self.batch * self.n_batches

    def lengths(self) -> np.ndarray:
        """Steps of each sequence, (n_sequences,)."""
        if not self.ragged:
            return np.full(self.n_sequences, self.steps)
        drawn = np.exp(np.random.default_rng(1).uniform(0, np.log(LONGEST + 1), self.n_sequences))
        return np.clip(drawn.astype(np.int64), 1, LONGEST)

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """X (n_sequences, steps, inputs), zero after the end of each sequence, and y (n_sequences,); float32."""
        rng = np.random.default_rng(0)
        X = rng.standard_normal((self.n_sequences, self.steps, self.inputs), dtype=np.float32)
        lengths = self.lengths()
        X *= (np.arange(self.steps) < lengths[:, None])[:, :, None]
        y = X[np.arange(len(X)), lengths - 1, 0] + 0.1 * rng.standard_normal(len(X), dtype=np.float32)
        return X, y
