"""A BiLSTM-CRF on tokens (Huang, Xu and Yu 2015): the estimator, and the same in plain PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from real_data import load_atis
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from peers.problem import LEARNING_RATE
from sklearn_rnn import RNNSequenceTagger


@dataclass(frozen=True)
class TaggingProblem:
    """The first utterances of the training part of ATIS, and the sizes of the network."""

    folder: str
    n_utterances: int
    batch: int = 32
    embedding: int = 100
    hidden: int = 100

    def data(self) -> tuple[list[list[str]], list[list[str]]]:
        X, y, _ = load_atis(Path(self.folder), "train")
        return X[: self.n_utterances], y[: self.n_utterances]


class OurTagger:
    """`RNNSequenceTagger`, from lists of words and tags."""

    def __init__(self, problem: TaggingProblem, threads: int | None) -> None:
        self.X, self.y = problem.data()
        self.model = RNNSequenceTagger(
            cell_type="lstm",
            hidden_size=problem.hidden,
            embedding_dim=problem.embedding,
            char_encoder=None,
            casing_features=False,
            dropout=0.0,
            embedding_dropout=0.0,
            word_dropout=0.0,
            weight_init="torch",
            constrain_transitions=False,
            learning_rate=LEARNING_RATE,
            lr_schedule=None,
            clip_grad_norm=None,
            batch_size=problem.batch,
            n_threads=threads,
            device="cpu",
            random_state=0,
        )

    def fit(self, n_epochs: int) -> None:
        self.model.set_params(max_epochs=n_epochs).fit(self.X, self.y)


class ChainNetwork(nn.Module):
    """Embedding, bidirectional LSTM over packed sequences, a score for each label, and those of label pairs."""

    def __init__(self, problem: TaggingProblem, n_tokens: int, n_labels: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(n_tokens, problem.embedding, padding_idx=0)
        self.rnn = nn.LSTM(problem.embedding, problem.hidden, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * problem.hidden, n_labels)
        self.transitions = nn.Parameter(torch.zeros(n_labels, n_labels))
        self.start = nn.Parameter(torch.zeros(n_labels))
        self.end = nn.Parameter(torch.zeros(n_labels))

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embedding(tokens), lengths, batch_first=True, enforce_sorted=False
        )
        return self.head(nn.utils.rnn.pad_packed_sequence(self.rnn(packed)[0], batch_first=True)[0])

    def loss(self, emissions: Tensor, labels: Tensor, lengths: Tensor) -> Tensor:
        """Negative log-likelihood a step; one step of the loop is one log-sum-exp for the whole batch."""
        inside = torch.arange(emissions.shape[1]) < lengths[:, None]
        score = emissions.gather(2, labels[:, :, None])[:, :, 0] * inside
        pairs = self.transitions[labels[:, :-1], labels[:, 1:]] * inside[:, 1:]
        last = labels.gather(1, lengths[:, None] - 1)[:, 0]
        path = score.sum(1) + pairs.sum(1) + self.start[labels[:, 0]] + self.end[last]
        alpha = self.start + emissions[:, 0]
        for t in range(1, emissions.shape[1]):
            after = torch.logsumexp(alpha[:, :, None] + self.transitions, 1) + emissions[:, t]
            alpha = torch.where(inside[:, t, None], after, alpha)
        return (torch.logsumexp(alpha + self.end, 1) - path).sum() / lengths.sum()


class TorchTagger:
    """A loop as an expert writes it: words made into numbers once, batches padded to their longest, fused Adam."""

    def __init__(self, problem: TaggingProblem, threads: int | None) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        torch.set_flush_denormal(True)
        self.problem = problem
        X, y = problem.data()
        self.lengths = torch.tensor([len(tokens) for tokens in X])
        self.tokens, self.n_tokens = self._numbered(X, first=1)
        self.labels, self.n_labels = self._numbered(y, first=0)

    def fit(self, n_epochs: int) -> None:
        model = ChainNetwork(self.problem, self.n_tokens, self.n_labels)
        optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, fused=True)
        for _ in range(n_epochs):
            for rows in torch.randperm(len(self.lengths)).split(self.problem.batch):
                lengths = self.lengths[rows]
                longest = int(lengths.max())
                optimizer.zero_grad(set_to_none=True)
                emissions = model(self.tokens[rows, :longest], lengths)
                model.loss(emissions, self.labels[rows, :longest], lengths).backward()
                optimizer.step()

    @staticmethod
    def _numbered(sequences: list[list[str]], first: int) -> tuple[Tensor, int]:
        """Items as numbers from `first` on, padded with 0, and one more than the greatest number."""
        items, numbers = np.unique([item for items in sequences for item in items], return_inverse=True)
        parts = torch.from_numpy(numbers + first).split([len(items) for items in sequences])
        return pad_sequence(list(parts), batch_first=True), len(items) + first


def sizes(problem: TaggingProblem) -> dict[str, Any]:
    """What is in the data, for the record."""
    X, y = problem.data()
    return {
        "utterances": len(X),
        "words": sum(map(len, X)),
        "labels": len({tag for tags in y for tag in tags}),
    }
