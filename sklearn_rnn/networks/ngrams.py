"""Tokens, and few of them in a row, that weigh on the outputs by themselves, beside the recurrence."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sklearn_rnn.networks.dropout import Drawing, sample_mask
from sklearn_rnn.networks.pooling import step_mask

SCALE = 5.0
"""What weights are multiplied by: at the learning rate of a recurrence they would come to too little."""

HASHED_ROWS = 2**14
"""Rows of weights that all n-grams of two tokens and more share."""

PRIME = 2**31 - 1
FACTOR = 48_271
"""Those of the minimal standard generator (Park and Miller 1988), which makes a number of several."""


class NgramBranch(Drawing):
    """A linear map of the n-grams that a sequence has, without regard to where they are.

    Each adds its weights to the outputs, times ``SCALE`` and divided by the square root of their number, so that long
    sequences do not weigh more. A token has weights of its own; longer n-grams share rows that a hash picks (Weinberger
    et al. 2009). One with a token that training did not have adds nothing.

    Parameters
    ----------
    longest : int
        Tokens of the longest n-gram.
    n_tokens : int
        Number of indices of tokens; 0 is that of unknown ones.
    n_outputs : int
    dropout : float
        Share of the n-grams that training leaves out.
    """

    def __init__(self, longest: int, n_tokens: int, n_outputs: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.longest, self.n_tokens, self.dropout = longest, n_tokens, dropout
        self.weight = nn.Parameter(torch.empty(n_rows(longest, n_tokens), n_outputs))

    def forward(self, values: Tensor, lengths: Tensor) -> Tensor:
        """What is added to the outputs, (batch, n_outputs).

        Parameters
        ----------
        values : tensor of shape (batch, n_steps, n_columns), or (batch, n_steps) of token indices
            The token is the first column.
        lengths : tensor of int, shape (batch,)
        """
        rows, there = self.rows_of(values if values.ndim == 2 else values[:, :, 0], lengths)
        share = there.to(self.weight.dtype)
        share = SCALE * share / share.sum(dim=1, keepdim=True).clamp(min=1).sqrt()
        if self.training and self.dropout:
            share = share * sample_mask(share, tuple(share.shape), self.dropout, self.generator)
        return F.embedding_bag(rows, self.weight, mode="sum", per_sample_weights=share)

    def rows_of(self, tokens: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """The row of each n-gram, and whether it is one: both (batch, n_ngrams), those of one token first."""
        tokens = torch.where(step_mask(lengths, tokens.shape[1]), tokens, 0).long()
        code, known = tokens, tokens > 0
        rows, there = [code], [known]
        for length in range(2, min(self.longest, tokens.shape[1]) + 1):
            last = tokens[:, length - 1 :]
            code = (code[:, :-1] * FACTOR + last) % PRIME
            known = known[:, :-1] & (last > 0)
            rows.append(self.n_tokens + code % HASHED_ROWS)
            there.append(known)
        return torch.cat(rows, dim=1), torch.cat(there, dim=1)


def n_rows(longest: int, n_tokens: int) -> int:
    """Rows of the weights of a :class:`NgramBranch`."""
    return n_tokens + (HASHED_ROWS if longest > 1 else 0)
