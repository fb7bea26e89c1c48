"""The next symbol of each step: a softmax over a vocabulary, which may be large."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from sklearn_rnn.networks.heads.base import Below, Head, HeadSpec
from sklearn_rnn.networks.heads.step import StepHead
from sklearn_rnn.networks.inputs import StepInputs
from sklearn_rnn.networks.softmax import linear_cross_entropy, portions

TAIL = 4.0
"""How many times narrower each cluster of rarer symbols is, as in Grave et al. (2017)."""

MANY = 40_000
"""Symbols from which there are two clusters of rarer ones."""


class VocabularyHead(StepHead):
    """A linear map of each hidden state to the logits of all symbols.

    The logits of a batch may take more memory than the rest of a training. A loss can therefore have what the map reads
    in their place, and computes them a few rows at a time: see ``unmapped``.

    Parameters
    ----------
    size : int
        Units of a hidden state.
    n_outputs : int
        Symbols.
    tied_size : int or None
        Size of the vectors of symbols that the map shares with the inputs (Press and Wolf 2017); a hidden state of
        another size is brought to it by a linear map first. None for a map of its own.
    dropout, tied_dropout
        As of :class:`StepHead`.

    References
    ----------
    Press and Wolf (2017), "Using the output embedding to improve language models".
    """

    def __init__(
        self,
        size: int,
        n_outputs: int,
        *,
        tied_size: int | None = None,
        dropout: float = 0.0,
        tied_dropout: bool = False,
    ) -> None:
        read = size if tied_size is None else tied_size
        super().__init__(read, n_outputs, dropout=dropout, tied_dropout=tied_dropout)
        self.projection = None if read == size else nn.Linear(size, read, bias=False)

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """Logits (batch, n_steps, n_outputs) of `states` (batch, n_steps, size); what is mapped to them if unmapped."""
        read = self.read(states)
        return read if self.unmapped else self.map(read)

    def outputs_of(self, states: Tensor) -> Tensor:
        return self.map(self.read(states))

    def read(self, states: Tensor) -> Tensor:
        """What the last map reads, (..., linear.in_features), of `states` (..., size)."""
        kept = self.dropout(states)
        return kept if self.projection is None else self.projection(kept)

    def map(self, read: Tensor) -> Tensor:
        """Outputs (..., n_outputs) of what the last map reads: log-probabilities but for a constant."""
        return self.linear(read)

    def affine(self) -> tuple[Tensor, Tensor]:
        """All that lies between hidden states and outputs as one map, (n_outputs, size), and its bias (n_outputs,)."""
        weight = self.linear.weight if self.projection is None else self.linear.weight @ self.projection.weight
        return weight, self.linear.bias

    def loss(self, read: Tensor, target: Tensor, weight: Tensor, smoothing: float = 0.0) -> Tensor:
        """The sum of the weighted cross-entropies of rows.

        Parameters
        ----------
        read : tensor of shape (n, linear.in_features)
            From :meth:`read`.
        target : tensor of int64, shape (n,)
        weight : tensor of shape (n,)
        smoothing : float
            Share of each label that is spread evenly over all symbols.

        Returns
        -------
        loss : tensor of shape ()
        """
        return linear_cross_entropy(read, self.linear.weight, self.linear.bias, target, weight, smoothing)


class AdaptiveVocabularyHead(VocabularyHead):
    """The softmax of torch's :class:`~torch.nn.AdaptiveLogSoftmaxWithLoss`: rare symbols share clusters.

    Its outputs are log-probabilities.

    Parameters
    ----------
    size, n_outputs, dropout, tied_dropout
        As of :class:`VocabularyHead`.

    Attributes
    ----------
    rank : tensor of int64, shape (n_outputs,)
        The place of each symbol among all of them, the most frequent first.

    References
    ----------
    Grave et al. (2017), "Efficient softmax approximation for GPUs".
    """

    rank: Tensor
    learned_buffers = ("rank",)

    def __init__(self, size: int, n_outputs: int, *, dropout: float = 0.0, tied_dropout: bool = False) -> None:
        nn.Module.__init__(self)
        self.set_dropout(dropout, tied=tied_dropout)
        self.projection = None
        starts = cutoffs(n_outputs)
        narrowing = TAIL if size >= TAIL ** len(starts) else 1.0  # torch would make maps to nothing
        self.adaptive = nn.AdaptiveLogSoftmaxWithLoss(size, n_outputs, starts, div_value=narrowing, head_bias=True)
        self.register_buffer("rank", torch.arange(n_outputs))

    @property
    def linear(self) -> nn.Linear:  # type: ignore[override]  # a module of its own would be there twice
        """The map to the frequent symbols and to the clusters."""
        return self.adaptive.head

    @property
    def n_outputs(self) -> int:
        return self.adaptive.n_classes

    def map(self, read: Tensor) -> Tensor:
        by_rank = self.adaptive.log_prob(read.flatten(0, -2))
        return by_rank.index_select(1, self.rank).view(*read.shape[:-1], self.n_outputs)

    def loss(self, read: Tensor, target: Tensor, weight: Tensor, smoothing: float = 0.0) -> Tensor:
        wide = self.n_outputs if smoothing else self.adaptive.head_size
        losses = [
            checkpoint(
                self._loss, read[part], target[part], weight[part], smoothing,
                use_reentrant=False, preserve_rng_state=False,
            )
            for part in portions(len(read), wide, read.device)
        ]  # fmt: skip
        return torch.stack(losses).sum() if losses else (read * 0).sum()

    def _loss(self, read: Tensor, target: Tensor, weight: Tensor, smoothing: float) -> Tensor:
        if smoothing:
            scores = self.map(read)
            losses = -(1 - smoothing) * scores.gather(1, target[:, None])[:, 0] - smoothing * scores.mean(1)
        else:
            losses = -self._log_likelihood(read, self.rank[target])
        return torch.dot(losses, weight)

    def _log_likelihood(self, read: Tensor, rank: Tensor) -> Tensor:
        """The log-probability (n,) of the symbols of a `rank` (n,), each from the cluster that it is in alone."""
        adaptive = self.adaptive
        frequent = adaptive.head(read).log_softmax(1)
        bounds = [0, *adaptive.cutoffs]
        cluster = torch.bucketize(rank, torch.tensor(bounds[1:], device=rank.device), right=True)
        column = torch.where(cluster == 0, rank, adaptive.shortlist_size + cluster - 1)
        found = frequent.gather(1, column[:, None])[:, 0]
        for k, tail in enumerate(adaptive.tail, start=1):
            rows = torch.nonzero(cluster == k)[:, 0]
            within = tail(read[rows]).log_softmax(1).gather(1, (rank[rows] - bounds[k])[:, None])[:, 0]
            found = found.index_add(0, rows, within)
        return found


def cutoffs(n_symbols: int) -> list[int]:
    """The ranks at which the clusters of an adaptive softmax begin."""
    if n_symbols < MANY:
        return [max(1, n_symbols // 5)]
    return [n_symbols // 20, n_symbols // 4]


@dataclass(frozen=True)
class VocabularyHeadSpec(HeadSpec):
    """What a :class:`VocabularyHead` is built from; an adaptive softmax takes from `first_bias` what is frequent.

    Attributes
    ----------
    softmax : {"full", "adaptive"}
    tied : bool
        Whether the map has the vectors of the tokens that are read as its weights: code k is index k.
    """

    softmax: str = "full"
    tied: bool = False

    def build(self, below: Below) -> VocabularyHead:
        if self.softmax == "adaptive":
            if self.tied:
                raise ValueError(
                    "an adaptive softmax has no vector for each symbol that it could share with the inputs: set "
                    "softmax='full' or tie_weights=False"
                )
            return AdaptiveVocabularyHead(below.width, self.n_outputs, **below.dropped)
        tied_size = None
        if self.tied:
            inputs = below.inputs
            if inputs is None or inputs.token_embedding.num_embeddings != self.n_outputs:
                raise ValueError("weights can be tied only to the vectors of the same symbols: set tie_weights=False")
            tied_size = inputs.token_embedding.embedding_dim
        return VocabularyHead(below.width, self.n_outputs, tied_size=tied_size, **below.dropped)

    def settle(self, head: Head, inputs: StepInputs | None = None) -> None:
        if isinstance(head, AdaptiveVocabularyHead):
            order = torch.arange(self.n_outputs)
            if self.first_bias is not None:
                order = torch.argsort(torch.tensor(self.first_bias, dtype=torch.float64), descending=True, stable=True)
            head.rank[order] = torch.arange(self.n_outputs)
            return
        super().settle(head, inputs)
        if self.tied:
            assert inputs is not None
            head.linear.weight = inputs.token_embedding.weight

    def n_weights(self, size: int) -> int:
        """Those of the head on hidden states of `size`, but for what is small beside them."""
        if self.tied:
            return 0
        if self.softmax == "full":
            return super().n_weights(size)
        starts = [0, *cutoffs(self.n_outputs), self.n_outputs]
        return sum(int((end - start) * size / TAIL**k) for k, (start, end) in enumerate(pairwise(starts)))
