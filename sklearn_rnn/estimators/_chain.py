"""What a tagger asks of its label chain, batch by batch."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import pad

from sklearn_rnn.networks.chain import constrained_log_partition, log_partition, nbest, pairwise_marginals


def ranked_paths(network: Any, emissions: torch.Tensor, lengths: torch.Tensor, n: int) -> torch.Tensor:
    """The `n` best label sequences and their log-probabilities, (batch, n_steps, 2, n)."""
    chain = network.chain()
    paths, scores = nbest(emissions, chain, lengths, n)
    log_probability = scores - log_partition(emissions, chain, lengths)[:, None]
    # shape: (batch, n)
    codes = paths.transpose(1, 2).to(emissions.dtype)
    return torch.stack([codes, log_probability[:, None].expand_as(codes)], dim=2)


def log_probability_of(network: Any, rows: torch.Tensor, lengths: torch.Tensor, sets: torch.Tensor) -> torch.Tensor:
    """The log-probability (batch,) of codes, the last column of `rows` (batch, n_steps, n_labels + 1)."""
    emissions, chain = rows[:, :, :-1], network.chain()
    observed = sets.to(rows.device)[rows[:, :, -1].long()]  # code -1 is the last set, of no label
    return constrained_log_partition(emissions, chain, observed, lengths) - log_partition(emissions, chain, lengths)


def probability_of_pairs(
    network: Any, emissions: torch.Tensor, lengths: torch.Tensor, pairs: torch.Tensor
) -> torch.Tensor:
    """The probability (batch, n_steps) that the label before a step and its own are one of `pairs`, 0 at the first."""
    joint = pairwise_marginals(emissions, network.chain(), lengths)
    return pad((joint * pairs.to(joint)).sum((2, 3)), (1, 0))
