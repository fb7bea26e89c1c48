"""Plain loops in PyTorch, as an expert writes them: tensors made once, fused Adam, and no number read in an epoch."""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from peers.problem import LEARNING_RATE, Problem

CELLS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
BLOCKS = (64, 256, 1024, 8192)
"""Sequences predicted at a time, of which the fastest is taken."""


class Network(nn.Module):
    """Recurrent layers and a linear head on the last state of each direction."""

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.rnn = CELLS[problem.cell](
            problem.inputs,
            problem.hidden,
            num_layers=problem.layers,
            bidirectional=problem.directions == 2,
            batch_first=True,
        )
        self.directions = problem.directions
        self.head = nn.Linear(problem.hidden * problem.directions, 1)

    def forward(self, x: Any) -> Tensor:
        """Outputs (batch, 1) of `x` (batch, steps, inputs), or of a PackedSequence."""
        _, state = self.rnn(x)
        hidden = state[0] if isinstance(state, tuple) else state
        return self.head(torch.cat(list(hidden[-self.directions :]), 1))


class Expert:
    """Batches gathered from one tensor, subnormal numbers flushed to zero."""

    flush = True

    def __init__(self, problem: Problem, threads: int | None) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        torch.set_flush_denormal(self.flush)
        self.problem = problem
        X, y = problem.data()
        self.X = torch.from_numpy(X).to(problem.device)
        self.y = torch.from_numpy(y)[:, None].to(problem.device)
        self.lengths = torch.from_numpy(problem.lengths())
        self.model = self.network()
        self.block: int | None = None

    def network(self) -> Network:
        return Network(self.problem).to(self.problem.device)

    def outputs(self, model: Network, rows: Tensor) -> Tensor:
        """Outputs (batch, 1) of the sequences with these numbers."""
        return model(self.X[rows])

    def fit(self, n_epochs: int) -> None:
        model = self.network().train()
        optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, fused=True)
        criterion = nn.MSELoss()
        for _ in range(n_epochs):
            order = torch.randperm(len(self.y), device=self.lengths.device if self.problem.ragged else self.y.device)
            total = torch.zeros((), device=self.y.device)
            for rows in order.split(self.problem.batch):
                optimizer.zero_grad(set_to_none=True)
                loss = criterion(self.outputs(model, rows), self.y[rows])
                loss.backward()
                optimizer.step()
                total += loss.detach()
        total.item()  # on a GPU, the end of the work
        self.model = model

    def predict(self) -> Any:
        if self.block is None:
            self.block = min(BLOCKS, key=self._seconds_by_block)
        return self._predict(self.block)

    def _predict(self, block: int) -> Any:
        self.model.eval()
        with torch.inference_mode():
            return torch.cat([self.model(x)[:, 0] for x in self.X.split(block)]).cpu().numpy()

    def _seconds_by_block(self, block: int) -> float:
        self._predict(block)
        start = time.perf_counter()
        self._predict(block)
        return time.perf_counter() - start


class Unflushed(Expert):
    """The same loop with torch's settings as they are: subnormal numbers kept, as many threads as torch takes."""

    flush = False


class Padded(Expert):
    """Ragged sequences, each batch padded to its longest; one direction and one layer."""

    def outputs(self, model: Network, rows: Tensor) -> Tensor:
        lengths = self.lengths[rows]
        states, _ = model.rnn(self.X[rows, : int(lengths.max())])
        return model.head(states[torch.arange(len(rows)), lengths - 1])


class Packed(Expert):
    """Ragged sequences, each batch as a PackedSequence."""

    def outputs(self, model: Network, rows: Tensor) -> Tensor:
        lengths = self.lengths[rows]
        x = self.X[rows, : int(lengths.max())]
        return model(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
