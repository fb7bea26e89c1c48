"""Probabilities of label paths under a linear-chain conditional random field (Lafferty, McCallum and Pereira 2001).

The score of the path ``y_1 .. y_T`` is ``start[y_1] + sum_t emissions[t, y_t] + sum_t transitions[y_t, y_t+1] +
end[y_T]``, and its probability the exponential of that, over the sum for all paths. All functions take a padded batch:

- ``emissions`` (batch, n_steps, n_labels): the scores of the labels at each step; what is on padding is ignored.
- ``chain`` (n_labels + 2, n_labels): ``chain[i, j]`` is the score of label j after label i; the last two rows are the
  scores of the first and of the last label of a sequence. -inf forbids, here and in the emissions.
- ``lengths`` (batch,), int64: the steps of each sequence, of which there may be none.

They compute in float64, whatever they are given, and answer in the type of the emissions. They know no samples, only
steps, so that a sequence has the same results in any batch, up to the rounding of float64.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from sklearn_rnn.networks.chain_decoding import nbest, viterbi
from sklearn_rnn.networks.chain_fused import FusedMessages
from sklearn_rnn.networks.chain_messages import counts, messages, potentials
from sklearn_rnn.networks.engines import kernels_may_run
from sklearn_rnn.networks.pooling import step_mask

__all__ = [
    "constrained_log_partition",
    "log_partition",
    "marginals",
    "nbest",
    "pairwise_marginals",
    "path_log_probability",
    "path_score",
    "prefix_log_probabilities",
    "probability_of_pairs",
    "segment_log_probability",
    "viterbi",
]


def path_score(emissions: Tensor, chain: Tensor, labels: Tensor, lengths: Tensor) -> Tensor:
    """The scores of given paths; less :func:`log_partition`, their log-probabilities.

    Parameters
    ----------
    emissions, chain, lengths
        See the top of this module.
    labels : tensor of int64, shape (batch, n_steps)
        One path a sequence; on padding any labels.

    Returns
    -------
    scores : tensor of shape (batch,)
        -inf for a path that is forbidden, 0 for an empty one.

    Examples
    --------
    >>> import torch
    >>> from sklearn_rnn.networks.chain import path_score
    >>> emissions, chain = torch.tensor([[[1.0, 0.0], [0.0, 2.0]]]), torch.zeros(4, 2)
    >>> path_score(emissions, chain, torch.tensor([[0, 1]]), torch.tensor([2]))
    tensor([3.])
    """
    n_labels = emissions.shape[2]
    inside = step_mask(lengths, emissions.shape[1])
    scores = chain.double()
    before = torch.cat([torch.full_like(labels[:, :1], n_labels), labels[:, :-1]], 1)
    steps = emissions.gather(2, labels[:, :, None])[:, :, 0].double() + scores[before, labels]
    # shape: (batch, n_steps)
    last = labels.gather(1, (lengths - 1).clamp(min=0)[:, None])[:, 0]
    ends = scores[n_labels + 1][last].masked_fill(lengths == 0, 0)
    return (steps.masked_fill(~inside, 0).sum(1) + ends).to(emissions.dtype)


def log_partition(emissions: Tensor, chain: Tensor, lengths: Tensor) -> Tensor:
    """The log of the summed exponentiated scores of all paths, by the forward-backward algorithm.

    Differentiable once: the gradient is that of the expected counts of labels and of label pairs, which the forward and
    backward messages give without a second pass over the steps.

    Parameters
    ----------
    emissions, chain, lengths
        See the top of this module.

    Returns
    -------
    log_partition : tensor of shape (batch,)
        -inf, with a gradient of 0, where no path is valid; 0 for an empty sequence.

    References
    ----------
    Lafferty, J., McCallum, A. and Pereira, F. (2001). Conditional random fields: probabilistic models for segmenting
    and labeling sequence data. ICML.

    Rabiner, L. R. (1989). A tutorial on hidden Markov models and selected applications in speech recognition.
    Proceedings of the IEEE, 77(2), 257-286.

    Examples
    --------
    >>> import torch
    >>> from sklearn_rnn.networks.chain import log_partition
    >>> log_partition(torch.zeros(1, 3, 2), torch.zeros(4, 2), torch.tensor([3])).exp()  # as many paths
    tensor([8.0000])
    """
    return _LogPartition.apply(emissions, chain, lengths)


class _LogPartition(torch.autograd.Function):
    """:func:`log_partition`, whose gradient is made of the messages that its value came from."""

    @staticmethod
    def forward(ctx: Any, emissions: Tensor, chain: Tensor, lengths: Tensor) -> Tensor:
        ctx.dtypes = emissions.dtype, chain.dtype
        if kernels_may_run(emissions):
            ctx.messages = FusedMessages(emissions, chain, lengths)
            return ctx.messages.log_partition().to(emissions.dtype)
        p = potentials(emissions, chain, lengths)
        ctx.messages = messages(p)
        total = ctx.messages.log_overlap()[0] + p.constant
        return total.masked_fill(lengths == 0, 0).to(emissions.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        found, (emissions_dtype, chain_dtype) = ctx.messages, ctx.dtypes
        if isinstance(found, FusedMessages):
            labels, joins = found.counts(gradient)
            return labels, joins.to(chain_dtype), None
        labels, joins = counts(found, gradient.double())
        return labels.transpose(0, 1).to(emissions_dtype), joins.to(chain_dtype), None


def path_log_probability(emissions: Tensor, chain: Tensor, labels: Tensor, lengths: Tensor) -> Tensor:
    """The log-probabilities of given paths: :func:`path_score` less :func:`log_partition`, in float64 until the end.

    Parameters
    ----------
    emissions, chain, lengths
        See the top of this module.
    labels : tensor of int64, shape (batch, n_steps)
        One path a sequence; on padding any labels.

    Returns
    -------
    log_probability : tensor of shape (batch,)
        Differentiable once. -inf for a path that is forbidden, not a number where all are, 0 for an empty one.

    Raises
    ------
    IndexError
        For a label that the chain does not have.

    Examples
    --------
    >>> import torch
    >>> from sklearn_rnn.networks.chain import path_log_probability
    >>> emissions, chain, labels = torch.zeros(1, 3, 2), torch.zeros(4, 2), torch.tensor([[0, 1, 1]])
    >>> path_log_probability(emissions, chain, labels, torch.tensor([3])).exp()
    tensor([0.1250])
    """
    if kernels_may_run(emissions):
        log_probability: Tensor = _PathLogProbability.apply(emissions, chain, labels, lengths)
        return log_probability
    wide = emissions.double()
    score = path_score(wide, chain, labels, lengths)
    return (score - log_partition(wide, chain, lengths)).to(emissions.dtype)


class _PathLogProbability(torch.autograd.Function):
    """:func:`path_log_probability` by the kernels."""

    @staticmethod
    def forward(ctx: Any, emissions: Tensor, chain: Tensor, labels: Tensor, lengths: Tensor) -> Tensor:
        found = FusedMessages(emissions, chain, lengths)
        ctx.messages, ctx.labels, ctx.chain_dtype = found, labels, chain.dtype
        return found.path_log_probability(labels).to(emissions.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        labels, joins = ctx.messages.counts(-gradient, ctx.labels)
        return labels, joins.to(ctx.chain_dtype), None, None


def constrained_log_partition(emissions: Tensor, chain: Tensor, observed: Tensor, lengths: Tensor) -> Tensor:
    """:func:`log_partition` over the paths that keep to the labels observed at each step.

    Parameters
    ----------
    emissions, chain, lengths
        See the top of this module.
    observed : tensor of bool, shape (batch, n_steps, n_labels)
        The labels that a step may have; on padding anything.

    Returns
    -------
    log_partition : tensor of shape (batch,)
        -inf, with a gradient of 0, where no path is valid; 0 for an empty sequence.

    References
    ----------
    Tsuboi, Y., Kashima, H., Mori, S., Oda, H. and Matsumoto, Y. (2008). Training conditional random fields using
    incomplete annotations. COLING.

    Examples
    --------
    >>> import torch
    >>> from sklearn_rnn.networks.chain import constrained_log_partition
    >>> observed = torch.tensor([[[True, False], [True, True], [True, True]]])
    >>> constrained_log_partition(torch.zeros(1, 3, 2), torch.zeros(4, 2), observed, torch.tensor([3])).exp()
    tensor([4.0000])
    """
    return log_partition(emissions.masked_fill(~observed, -torch.inf), chain, lengths)


def prefix_log_probabilities(emissions: Tensor, chain: Tensor, observed: Tensor, lengths: Tensor) -> Tensor:
    """The log-probability of what is observed up to each step, whatever the labels after it.

    Their differences are the log-probabilities of each observation given those before it. Differentiable.

    Parameters
    ----------
    emissions, chain, lengths
        See the top of this module.
    observed : tensor of bool, shape (batch, n_steps, n_labels)
        The labels that a step may have; on padding anything.

    Returns
    -------
    log_probabilities : tensor of shape (batch, n_steps + 1)
        Entry t is of the first t steps, so that the first is 0. On padding that of the whole sequence is repeated. -inf
        from where no valid path has the labels observed.

    Examples
    --------
    >>> import torch
    >>> from sklearn_rnn.networks.chain import prefix_log_probabilities
    >>> observed = torch.tensor([[[True, False], [True, True], [False, True]]])
    >>> prefix_log_probabilities(torch.zeros(1, 3, 2), torch.zeros(4, 2), observed, torch.tensor([3])).exp()
    tensor([[1.0000, 0.5000, 0.5000, 0.2500]])
    """
    p = potentials(emissions, chain, lengths)
    joint = messages(p, observed.transpose(0, 1)).log_overlap().t() + p.constant[:, None]
    # shape: (batch, n_steps)
    total = log_partition(emissions.double(), chain, lengths)
    prefixes = torch.where(joint == -torch.inf, joint, joint - total[:, None])
    step = torch.arange(emissions.shape[1], device=lengths.device)
    prefixes = prefixes.gather(1, torch.minimum(step, (lengths - 1).clamp(min=0)[:, None]))
    prefixes = prefixes.masked_fill((lengths == 0)[:, None], 0)
    return torch.cat([torch.zeros_like(prefixes[:, :1]), prefixes], 1).to(emissions.dtype)


def marginals(emissions: Tensor, chain: Tensor, lengths: Tensor) -> Tensor:
    """The probability of each label at each step. Not differentiable.

    Parameters
    ----------
    emissions, chain, lengths
        See the top of this module.

    Returns
    -------
    probabilities : tensor of shape (batch, n_steps, n_labels)
        Sums to 1 at each step; 0 on padding, and where no path is valid.

    Examples
    --------
    >>> import torch
    >>> from sklearn_rnn.networks.chain import marginals
    >>> chain = torch.tensor([[0.0, -torch.inf], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]])  # no label 1 after label 0
    >>> marginals(torch.zeros(1, 2, 2), chain, torch.tensor([2]))
    tensor([[[0.3333, 0.6667],
             [0.6667, 0.3333]]])
    """
    with torch.no_grad():
        if kernels_may_run(emissions):
            return FusedMessages(emissions, chain, lengths).label_probabilities()
        found = messages(potentials(emissions, chain, lengths))
        return found.label_probabilities().transpose(0, 1).to(emissions.dtype).contiguous()


def pairwise_marginals(emissions: Tensor, chain: Tensor, lengths: Tensor) -> Tensor:
    """The probability of each pair of labels at each two steps in a row. Not differentiable.

    Parameters
    ----------
    emissions, chain, lengths
        See the top of this module.

    Returns
    -------
    probabilities : tensor of shape (batch, n_steps - 1, n_labels, n_labels)
        Entry [b, t, i, j] is that of label i at step t and label j at step t + 1; 0 where either is padding, and where
        no path is valid.

    Examples
    --------
    >>> import torch
    >>> from sklearn_rnn.networks.chain import pairwise_marginals
    >>> chain = torch.tensor([[0.0, -torch.inf], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]])  # no label 1 after label 0
    >>> pairwise_marginals(torch.zeros(1, 2, 2), chain, torch.tensor([2]))
    tensor([[[[0.3333, 0.0000],
              [0.3333, 0.3333]]]])
    """
    with torch.no_grad():
        found = messages(potentials(emissions, chain, lengths))
        return found.pair_probabilities().transpose(0, 1).to(emissions.dtype).contiguous()


def probability_of_pairs(emissions: Tensor, chain: Tensor, lengths: Tensor, pairs: Tensor) -> Tensor:
    """The sum of :func:`pairwise_marginals` over some `pairs` of labels, in memory for one step at a time.

    Parameters
    ----------
    emissions, chain, lengths
        See the top of this module.
    pairs : tensor of bool, shape (n_labels, n_labels)

    Returns
    -------
    probabilities : tensor of shape (batch, n_steps - 1)
        Not differentiable.
    """
    with torch.no_grad():
        found = messages(potentials(emissions, chain, lengths))
        return found.probability_of(pairs.to(chain.device)).t().to(emissions.dtype)


def segment_log_probability(
    emissions: Tensor,
    chain: Tensor,
    paths: Tensor,
    lengths: Tensor,
    sequence: Tensor,
    start: Tensor,
    end: Tensor,
) -> Tensor:
    """The log-probability that some steps in a row have the labels of a path, whatever the labels around them.

    Parameters
    ----------
    emissions, chain, lengths
        See the top of this module.
    paths : tensor of int64, shape (batch, n_steps)
        One path a sequence; on padding any labels.
    sequence, start, end : tensor of int64, shape (n_segments,)
        Segment k is steps ``start[k]`` to ``end[k] - 1`` of sequence ``sequence[k]``, at least one, none on padding.

    Returns
    -------
    log_probabilities : tensor of shape (n_segments,)
        Not differentiable. -inf for labels that no valid path has.

    References
    ----------
    Culotta, A. and McCallum, A. (2004). Confidence estimation for information extraction. HLT-NAACL.

    Examples
    --------
    >>> import torch
    >>> from sklearn_rnn.networks.chain import segment_log_probability
    >>> paths, lengths = torch.tensor([[0, 1, 1]]), torch.tensor([3])
    >>> sequence, start, end = torch.tensor([0, 0]), torch.tensor([0, 1]), torch.tensor([1, 3])
    >>> log_probability = segment_log_probability(
    ...     torch.zeros(1, 3, 2), torch.zeros(4, 2), paths, lengths, sequence, start, end
    ... )
    >>> log_probability.exp()
    tensor([0.5000, 0.2500])
    """
    with torch.no_grad():
        p = potentials(emissions, chain, lengths)
        found = messages(p)
        labels = paths.t()
        within = p.emissions.gather(2, labels[:, :, None])[:, :, 0]
        within[1:] += p.transitions[labels[:-1], labels[1:]]
        # shape: (n_steps, batch)
        forbidden = within == -torch.inf
        scores, n_forbidden = within.masked_fill(forbidden, 0).cumsum(0), forbidden.cumsum(0)
        first, last = (start, sequence), (end - 1, sequence)
        total = found.log_overlap()[0, sequence]
        log_probability = (
            found.log_alpha()[(*first, labels[first])]
            + (scores[last] - scores[first])
            + found.log_beta()[(*last, labels[last])]
            - total.masked_fill(total == -torch.inf, 0)
        )
        impossible = n_forbidden[last] > n_forbidden[first]
        # Rounding may have left a certain segment just above 0.
        return log_probability.masked_fill(impossible, -torch.inf).clamp(max=0).to(emissions.dtype)
