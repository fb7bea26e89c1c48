"""A linear chain by its definition, for tests to compare with: every path is written down, and its score added up."""

import itertools
from dataclasses import dataclass

import numpy as np
import torch
from hypothesis import strategies as st

from sklearn_rnn.networks.heads import ChainHead
from sklearn_rnn.networks.label_chain import LabelChain


@dataclass
class Problem:
    """A padded batch, and the arguments that all functions of a chain share."""

    emissions: torch.Tensor
    chain: torch.Tensor
    lengths: torch.Tensor
    observed: torch.Tensor
    labels: torch.Tensor

    def all_paths(self, i):
        """The paths of sequence `i`, (n_paths, length), and their scores in float64."""
        return all_paths(self.emissions[i, : self.lengths[i]], self.chain)

    def within(self, i):
        """Whether each path of sequence `i` keeps to what is observed at each step, (n_paths, length)."""
        paths, _ = self.all_paths(i)
        return self.observed[i].numpy()[np.arange(paths.shape[1]), paths]

    def __len__(self):
        return len(self.lengths)

    def rows(self, index, n_steps=None):
        """The sequences `index` alone, cut to `n_steps`."""
        return Problem(
            self.emissions[index, :n_steps],
            self.chain,
            self.lengths[index],
            self.observed[index, :n_steps],
            self.labels[index, :n_steps],
        )


def all_paths(emissions, chain):
    """Every path (n_paths, length) through `emissions` (length, n_labels), in lexical order, and its score."""
    emissions, chain = emissions.detach().double().numpy(), chain.detach().double().numpy()
    length, n_labels = emissions.shape
    paths = np.array(list(itertools.product(range(n_labels), repeat=length)), dtype=int).reshape(
        n_labels**length, length
    )
    scores = np.zeros(len(paths))
    for t in range(length):
        before = paths[:, t - 1] if t else n_labels
        scores += chain[before, paths[:, t]] + emissions[t, paths[:, t]]
    if length:
        scores += chain[n_labels + 1, paths[:, -1]]
    return paths, scores


def log_sum(scores):
    """The log of the sum of the exponentials, -inf of none."""
    peak = max(scores, default=-np.inf)
    return peak if peak == -np.inf else peak + np.log(np.sum(np.exp(np.asarray(scores) - peak)))


def random_problem(
    lengths, n_labels, *, seed=0, n_extra=0, scale=2.0, forbidden=0.0, dtype=torch.float64, padding=torch.nan
):
    """Normal scores times `scale`, of which a share is `forbidden`, with `padding` for emissions behind the end."""
    generator = torch.Generator().manual_seed(seed)
    n_steps = max([*lengths, 1]) + n_extra
    shape = (len(lengths), n_steps, n_labels)
    lengths = torch.tensor(lengths)
    emissions = scale * torch.randn(shape, generator=generator, dtype=dtype)
    emissions[torch.arange(n_steps) >= lengths[:, None]] = padding
    chain = scale * torch.randn((n_labels + 2, n_labels), generator=generator, dtype=dtype)
    chain[torch.rand(chain.shape, generator=generator) < forbidden] = -torch.inf
    labels = torch.randint(n_labels, shape[:2], generator=generator)
    observed = torch.rand(shape, generator=generator) < 0.4
    observed |= torch.nn.functional.one_hot(labels, n_labels).bool()
    return Problem(emissions, chain, lengths, observed, labels)


def problems(**fixed):
    """Random problems, small enough for all their paths."""
    shares = {
        "lengths": st.lists(st.integers(0, 5), min_size=1, max_size=4),
        "n_labels": st.integers(1, 4),
        "seed": st.integers(0, 2**16),
        "n_extra": st.integers(0, 2),
        "scale": st.sampled_from([0.0, 1.0, 5.0]),
        "forbidden": st.sampled_from([0.0, 0.2, 0.5]),
        "padding": st.sampled_from([torch.nan, 3.0]),
    }
    return st.builds(random_problem, **{**shares, **fixed})


def head_with(chain):
    """A head whose chain has the scores `chain` (n_labels + 2, n_labels), to which a gradient flows."""
    n_labels = chain.shape[1]
    labels = LabelChain(n_labels, learned=False)
    labels.scores = chain
    return ChainHead(1, n_labels, labels)
