"""The estimators of this package, as a user calls them: nothing is prepared before `fit`."""

from __future__ import annotations

from typing import Any

from peers.problem import LEARNING_RATE, Problem
from sklearn_rnn import RNNRegressor


def estimator(problem: Problem, threads: int | None, **parameters: Any) -> RNNRegressor:
    """The regressor that trains the network of `problem` as the peers do: torch's first weights, a constant rate."""
    settings = {
        "cell_type": problem.cell,
        "hidden_size": problem.hidden,
        "num_layers": problem.layers,
        "bidirectional": problem.directions == 2,
        "conv_branch": False,
        "pooling": "last",
        "dropout": 0.0,
        "standardize": False,
        "weight_init": "torch",
        "learning_rate": LEARNING_RATE,
        "lr_schedule": None,
        "clip_grad_norm": None,
        "batch_size": problem.batch,
        "n_threads": threads,
        "device": problem.device,
        "random_state": 0,
    }
    return RNNRegressor(**{**settings, **parameters})


class Ours:
    """`RNNRegressor`; ragged data as a list of arrays."""

    def __init__(self, problem: Problem, threads: int | None) -> None:
        self.model = estimator(problem, threads)
        self.X, self.y = problem.data()
        if problem.ragged:
            self.X = [x[:length] for x, length in zip(self.X, problem.lengths(), strict=True)]

    def fit(self, n_epochs: int) -> None:
        self.model.set_params(max_epochs=n_epochs).fit(self.X, self.y)

    def predict(self) -> Any:
        return self.model.predict(self.X)
