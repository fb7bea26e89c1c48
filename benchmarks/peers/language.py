"""Training on one stream of symbols: stacked LSTMs that read symbols and predict the next one, state carried on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sklearn_rnn import RNNRegressor
from sklearn_rnn.data.batching import SequenceDataset
from sklearn_rnn.data.orders import InOrder, Lanes
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.training_set import TrainingSet
from sklearn_rnn.networks.fused import MOST_UNITS
from sklearn_rnn.networks.heads import VocabularyHeadSpec
from sklearn_rnn.networks.inputs import InputLayout
from sklearn_rnn.networks.losses import NEXT_SYMBOL, LossSettings
from sklearn_rnn.networks.specs import BackboneSpec, InputsSpec, NetworkSpec
from sklearn_rnn.training.compute import compute_settings
from sklearn_rnn.training.epoch import run_epoch
from sklearn_rnn.training.loop import build_net

LEARNING_RATE = 2e-3
CLIPPING = 5.0


@dataclass(frozen=True)
class StreamProblem:
    """A stream in lanes, each cut into pieces whose state goes on; a batch holds a piece of each lane.

    Attributes
    ----------
    hidden, layers : int
    lanes, steps : int
        Sequences beside each other, and steps of a piece.
    symbols : int
        Size of the vocabulary.
    embedding : int
        Size of the vector of a symbol.
    n_batches : int
        Pieces of a lane: optimizer steps of an epoch.
    softmax : {"full", "adaptive"}
    tied : bool
        Whether the head has the weights of the embedding.
    """

    hidden: int
    layers: int = 2
    lanes: int = 64
    steps: int = 100
    symbols: int = 65
    embedding: int = 192
    n_batches: int = 2
    softmax: str = "full"
    tied: bool = False

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Symbols that are read and the ones that follow, (lanes, n_batches * steps) each; frequent ones are small."""
        shape = (self.lanes, self.n_batches * self.steps + 1)
        drawn = np.random.default_rng(0).zipf(1.2, shape) % self.symbols
        return drawn[:, :-1], drawn[:, 1:]


class OurStream:
    """The training of a network of this package."""

    def __init__(self, problem: StreamProblem, threads: int | None) -> None:
        self.problem, self.threads = problem, threads
        x, y = problem.data()
        offsets = np.arange(len(x) + 1) * x.shape[1]
        # the loss is a sum over steps, divided by the number of sequences: this makes it the mean
        weight = np.full(x.shape, 1 / problem.steps)
        steps = [Sequences(part.ravel(), offsets) for part in (x, y, weight)]
        self.data = SequenceDataset(TrainingSet(steps[0], steps[1], np.ones(len(x)), steps[2]), "step")
        layout = InputLayout(embedded=((problem.symbols, problem.embedding),))
        self.spec = NetworkSpec(
            InputsSpec(1, layout),
            BackboneSpec("lstm", (problem.hidden,) * problem.layers),
            VocabularyHeadSpec(problem.symbols, softmax=problem.softmax, tied=problem.tied),
            weight_init="torch",
        )

    def fit(self, n_epochs: int) -> None:
        problem = self.problem
        options = RNNRegressor(
            learning_rate=LEARNING_RATE, lr_schedule=None, clip_grad_norm=CLIPPING, batch_size=problem.lanes
        )._training_options(torch.device("cpu"), np.random.RandomState(0), partial=False)
        order = Lanes(problem.steps, InOrder())
        by_torch = all(size > MOST_UNITS for size in self.spec.backbone.hidden_sizes)
        with compute_settings(self.threads, recurrent_by_torch=by_torch):
            net = build_net(self.spec, (NEXT_SYMBOL, LossSettings()), options, training=self.data, order=order)
            for _ in range(n_epochs):
                run_epoch(net, self.data)


class ExpertStream:
    """A loop as an expert writes it: tensors made once, fused Adam, subnormal numbers flushed to zero."""

    one_hot = False

    def __init__(self, problem: StreamProblem, threads: int | None) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        torch.set_flush_denormal(True)
        self.problem = problem
        x, y = problem.data()
        self.x, self.y = (torch.from_numpy(part).T.contiguous() for part in (x, y))  # step by step, as nn.LSTM reads

    def fit(self, n_epochs: int) -> None:
        problem = self.problem
        model = StreamNetwork(problem, one_hot=self.one_hot).train()
        optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, fused=True)
        total = torch.zeros(())
        for _ in range(n_epochs):
            state = None
            for x, y in zip(self.x.split(problem.steps), self.y.split(problem.steps), strict=True):
                optimizer.zero_grad(set_to_none=True)
                loss, state = model(x, y, state)
                state = tuple(part.detach() for part in state)
                loss.backward()
                nn.utils.clip_grad_norm_(model.parameters(), CLIPPING)
                optimizer.step()
                total += loss.detach()
        total.item()


class OneHotStream(ExpertStream):
    """The same loop without an embedding: symbols as rows of 0 and 1."""

    one_hot = True


class StreamNetwork(nn.Module):
    """Embedded or one-hot symbols, stacked LSTMs and a linear map to the logits of the next symbol."""

    def __init__(self, problem: StreamProblem, *, one_hot: bool) -> None:
        super().__init__()
        size = problem.symbols if one_hot else problem.embedding
        if one_hot:
            self.register_buffer("rows", torch.eye(problem.symbols))
        else:
            self.embedding = nn.Embedding(problem.symbols, size)
        self.rnn = nn.LSTM(size, problem.hidden, num_layers=problem.layers)
        self.head = nn.Linear(problem.hidden, problem.symbols)
        if problem.tied and not one_hot:
            self.head.weight = self.embedding.weight

    def forward(self, x: Tensor, y: Tensor, state: Any) -> tuple[Tensor, Any]:
        """The mean loss of symbols `y` that follow `x`, (n_steps, batch) each, and the state after them."""
        vectors = self.rows[x] if hasattr(self, "rows") else self.embedding(x)
        hidden, state = self.rnn(vectors, state)
        return F.cross_entropy(self.head(hidden).flatten(0, 1), y.flatten()), state
