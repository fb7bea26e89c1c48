"""Scheduled sampling: a decoder learns to go on from what it says itself."""

from __future__ import annotations

import torch
from torch import Tensor

from sklearn_rnn.networks.dropout import Drawing


class ScheduledSampling(Drawing):
    """Puts what a decoder has said in the place of some steps that it is to read.

    What it has said comes from a pass over the right steps, and all steps are drawn at once, so that whole sequences
    are computed at a time: in the place of a step stands what is said after the right steps before it.

    Parameters
    ----------
    share : float
        Of the steps, on average.

    References
    ----------
    Bengio et al. (2015), "Scheduled sampling for sequence prediction with recurrent neural networks", with the pass
    beforehand of Mihaylova and Martins (2019), "Scheduled sampling for transformers".
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, read: Tensor, said: Tensor) -> Tensor:
        """What is read, (batch, n_steps): of the right symbols `read` some are replaced by those `said` before them.

        The first one of `read` is the begin, which stands for the end too: whoever says it too early goes on from the
        right symbol.
        """
        begin = read[:, :1]
        own = torch.cat([begin, said[:, :-1]], dim=1)
        like = torch.empty(0, device=read.device)
        drawn = like.new_empty(read.shape).bernoulli_(self.share, generator=self.generator) > 0
        return torch.where(drawn & (own != begin), own, read)
