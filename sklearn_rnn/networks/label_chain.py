"""The scores that join the labels of neighbouring steps."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LabelChain(nn.Module):
    """The scores of one label after another: learned, as in a conditional random field (Lafferty et al. 2001), or 0.

    Parameters
    ----------
    n_labels : int
    learned : bool
        Whether the scores are weights; else they only forbid.
    constrained : bool
        Whether some labels may not follow each other: ``allowed`` (n_labels + 2, n_labels) then says row by row what
        may follow a label, what may come first, and what may come last.
    """

    scores: Tensor
    allowed: Tensor

    def __init__(self, n_labels: int, *, learned: bool, constrained: bool = False) -> None:
        super().__init__()
        self.learned = learned
        self.constrained = constrained
        shape = (n_labels + 2, n_labels)
        if learned:
            self.scores = nn.Parameter(torch.empty(shape))
        else:
            self.register_buffer("scores", torch.empty(shape))
        self.register_buffer("allowed", torch.ones(shape if constrained else 0, dtype=torch.bool))

    @property
    def joins(self) -> bool:
        """Whether the label of a step depends on that of its neighbour at all."""
        return self.learned or self.constrained

    def forward(self) -> Tensor:
        """The scores (n_labels + 2, n_labels), -inf for what is forbidden: transitions, then start, then end."""
        return self.scores.masked_fill(~self.allowed, -torch.inf) if self.constrained else self.scores
