"""The same network in Keras, with `model.fit`; the backend is that of the variable KERAS_BACKEND."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from peers.problem import LEARNING_RATE, Problem

CELLS = {"rnn": layers.SimpleRNN, "gru": layers.GRU, "lstm": layers.LSTM}


class Keras:
    """A Sequential model, whose weights each fit starts from anew."""

    def __init__(self, problem: Problem, threads: int | None) -> None:
        if keras.backend.backend() == "torch" and threads is not None:
            import torch

            torch.set_num_threads(threads)
            torch.set_flush_denormal(True)
        self.X, self.y = problem.data()
        self.batch = problem.batch
        stack = []
        for k in range(problem.layers):
            recurrent = CELLS[problem.cell](problem.hidden, return_sequences=k < problem.layers - 1)
            stack.append(layers.Bidirectional(recurrent) if problem.directions == 2 else recurrent)
        self.model = keras.Sequential([layers.Input((problem.steps, problem.inputs)), *stack, layers.Dense(1)])
        self.model.compile(optimizer=keras.optimizers.Adam(LEARNING_RATE), loss="mse")
        self.first = self.model.get_weights()

    def fit(self, n_epochs: int) -> None:
        self.model.set_weights(self.first)
        self.model.fit(self.X, self.y, batch_size=self.batch, epochs=n_epochs, shuffle=True, verbose=0)

    def predict(self) -> Any:
        return self.model.predict(self.X, batch_size=1024, verbose=0)[:, 0]
