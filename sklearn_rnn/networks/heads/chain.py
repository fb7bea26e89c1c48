"""One label for each step, joined to its neighbours: emissions, and what a chain makes of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.functional import pad

from sklearn_rnn.networks.chain import (
    constrained_log_partition,
    log_partition,
    marginals,
    nbest,
    probability_of_pairs,
    segment_log_probability,
    viterbi,
)
from sklearn_rnn.networks.heads.base import Head, HeadSpec
from sklearn_rnn.networks.heads.step import StepHead
from sklearn_rnn.networks.inputs import StepInputs
from sklearn_rnn.networks.label_chain import LabelChain


class ChainHead(StepHead):
    """A linear map of each hidden state to the emissions of the labels, and the scores of one label after another.

    Its outputs are the emissions (batch, n_steps, n_labels). All that is decoded from them is decoded here.

    Parameters
    ----------
    size, n_outputs, dropout, tied_dropout
        As of :class:`StepHead`.
    chain : LabelChain
    """

    def __init__(
        self, size: int, n_outputs: int, chain: LabelChain, *, dropout: float = 0.0, tied_dropout: bool = False
    ) -> None:
        super().__init__(size, n_outputs, dropout=dropout, tied_dropout=tied_dropout)
        self.chain = chain

    def decide(self, outputs: Tensor, lengths: Tensor, decide_row: Callable[[Tensor], Tensor]) -> Tensor:
        """As :meth:`best_labels`: labels that a chain joins are decided together."""
        return self.best_labels(outputs, lengths)

    def best_labels(self, emissions: Tensor, lengths: Tensor) -> Tensor:
        """The most probable label sequence, (batch, n_steps)."""
        return viterbi(emissions, self.chain(), lengths)[0] if self.chain.joins else emissions.argmax(2)

    def label_marginals(self, emissions: Tensor, lengths: Tensor) -> Tensor:
        """The probability of each label at each step, (batch, n_steps, n_labels)."""
        return marginals(emissions, self.chain(), lengths) if self.chain.joins else emissions.softmax(2)

    def ranked_paths(self, emissions: Tensor, lengths: Tensor, n: int) -> Tensor:
        """The `n` best label sequences and their log-probabilities, (batch, n_steps, 2, n)."""
        chain = self.chain()
        paths, scores = nbest(emissions, chain, lengths, n)
        log_probability = scores - log_partition(emissions, chain, lengths)[:, None]
        # shape: (batch, n)
        codes = paths.transpose(1, 2).to(emissions.dtype)
        return torch.stack([codes, log_probability[:, None].expand_as(codes)], dim=2)

    def log_probability_of(self, emissions: Tensor, lengths: Tensor, codes: Tensor, sets: Tensor) -> Tensor:
        """The log-probability (batch,) of `codes` (batch, n_steps), each of which stands for a set of labels.

        The sets are rows of `sets` (n_sets, n_labels); the code -1 is the last one.
        """
        chain, observed = self.chain(), sets.to(emissions.device)[codes]
        joint = constrained_log_partition(emissions, chain, observed, lengths)
        return joint - log_partition(emissions, chain, lengths)

    def probability_of_pairs(self, emissions: Tensor, lengths: Tensor, pairs: Tensor) -> Tensor:
        """The probability (batch, n_steps) that the label before a step and its own are one of `pairs`; 0 at the first.

        `pairs` is of bool and shape (n_labels, n_labels).
        """
        return pad(probability_of_pairs(emissions, self.chain(), lengths, pairs), (1, 0))

    def span_log_probabilities(self, emissions: Tensor, lengths: Tensor, labels: Tensor, ends: Tensor) -> Tensor:
        """The log-probability of the span that begins at each step, (batch, n_steps); 0 where none begins.

        Of `labels` (batch, n_steps) those of the steps of a span; `ends` (batch, n_steps) holds at its first step the
        one after its last, and 0 at all others.
        """
        sequence, start = torch.nonzero(ends, as_tuple=True)
        found = torch.zeros_like(emissions[:, :, 0])
        found[sequence, start] = segment_log_probability(
            emissions, self.chain(), labels, lengths, sequence, start, ends[sequence, start]
        )
        return found


@dataclass(frozen=True)
class ChainHeadSpec(HeadSpec):
    """What a :class:`ChainHead` is built from.

    Attributes
    ----------
    learned : bool
        Whether the scores of one label after another are learned.
    allowed : tensor of bool, shape (n_outputs + 2, n_outputs), or None
        Which labels may follow each other; see :class:`sklearn_rnn.networks.label_chain.LabelChain`.
    """

    learned: bool = True
    allowed: Tensor | None = field(default=None, compare=False)  # tensors are equal number by number

    def build(
        self,
        size: int,
        direction_size: int,
        *,
        dropout: float,
        tied_dropout: bool,
        convolved: int = 0,
        inputs: StepInputs | None = None,
    ) -> ChainHead:
        chain = LabelChain(self.n_outputs, learned=self.learned, constrained=self.allowed is not None)
        return ChainHead(size + convolved, self.n_outputs, chain, dropout=dropout, tied_dropout=tied_dropout)

    def settle(self, head: Head, inputs: StepInputs | None = None) -> None:
        super().settle(head, inputs)
        if self.allowed is not None:
            assert isinstance(head, ChainHead)
            head.chain.allowed.copy_(self.allowed)
