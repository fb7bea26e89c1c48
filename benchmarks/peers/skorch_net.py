"""skorch's regressor around the same module, with its defaults, as its users write it."""

from __future__ import annotations

from typing import Any

import torch
from skorch import NeuralNetRegressor

from peers.problem import LEARNING_RATE, Problem
from peers.torch_loops import Network


class Skorch:
    """`NeuralNetRegressor`; without its validation split, which the others do not have either."""

    def __init__(self, problem: Problem, threads: int | None) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        self.X, y = problem.data()
        self.y = y[:, None]
        self.net = NeuralNetRegressor(
            Network,
            module__problem=problem,
            optimizer=torch.optim.Adam,
            lr=LEARNING_RATE,
            batch_size=problem.batch,
            iterator_train__shuffle=True,
            train_split=None,
            device=problem.device,
            verbose=0,
        )

    def fit(self, n_epochs: int) -> None:
        self.net.set_params(max_epochs=n_epochs)
        self.net.fit(self.X, self.y)

    def predict(self) -> Any:
        return self.net.predict(self.X)
