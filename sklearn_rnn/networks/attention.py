"""What of a memory each query looks at: scores of its steps, a softmax over them, and their weighted mean."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sklearn_rnn.networks.pooling import step_mask


class Attention(nn.Module):
    """The mean of a memory, weighted by how well each of its steps answers a query.

    Parameters
    ----------
    kind : {"general", "dot", "additive"}
        The score of a step h for a query q: ``q @ W @ h`` or ``q @ h`` (Luong et al. 2015), or
        ``v @ tanh(W q + U h)`` (Bahdanau et al. 2015).
    query_size, memory_size : int
        Units of a query and of a step of the memory; the same for "dot".
    """

    def __init__(self, kind: str, query_size: int, memory_size: int) -> None:
        super().__init__()
        self.kind = kind
        if kind == "dot" and query_size != memory_size:
            raise ValueError(
                f"attention='dot' multiplies states of the decoder, of {query_size} units, with those of the encoder, "
                f"of {memory_size}: let both have as many, or set attention='general'"
            )
        if kind == "general":
            self.of_memory = nn.Linear(memory_size, query_size, bias=False)
        elif kind == "additive":
            self.of_memory = nn.Linear(memory_size, query_size)
            self.of_query = nn.Linear(query_size, query_size, bias=False)
            self.score = nn.Linear(query_size, 1, bias=False)

    def keys(self, memory: Tensor) -> Tensor:
        """What queries are compared with, (batch, n_steps, size), for a memory (batch, n_steps, memory_size)."""
        return memory if self.kind == "dot" else self.of_memory(memory)

    def weights(self, queries: Tensor, keys: Tensor, lengths: Tensor) -> Tensor:
        """The weight of each step of the memory for each query.

        Parameters
        ----------
        queries : tensor of shape (batch, n_queries, query_size)
        keys : tensor of shape (batch, n_steps, query_size)
        lengths : tensor of int, shape (batch,)
            Steps of each memory; one without any has no weights but 0.

        Returns
        -------
        weights : tensor of shape (batch, n_queries, n_steps)
        """
        if self.kind == "additive":
            together = torch.tanh(self.of_query(queries)[:, :, None] + keys[:, None])
            # shape: (batch, n_queries, n_steps, query_size)
            scores = self.score(together)[..., 0]
        else:
            scores = queries @ keys.transpose(1, 2)
        inside = step_mask(lengths, keys.shape[1])[:, None]
        weights = scores.masked_fill(~inside, -torch.inf).softmax(2)
        return torch.where(inside, weights, 0)

    def forward(self, queries: Tensor, keys: Tensor, memory: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """What each query sees, (batch, n_queries, memory_size), and its weights (batch, n_queries, n_steps)."""
        weights = self.weights(queries, keys, lengths)
        return weights @ memory.to(weights.dtype), weights
