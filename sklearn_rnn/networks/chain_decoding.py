"""The best label paths of a linear chain, over a padded batch.

Scores are added in float64, step by step, and compared without any rounding that depends on the batch, so that the
paths of a sequence are the same in any batch. Only scores are kept on the way forward; which label a score came from is
found on the way back, for the labels of the path alone.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import pad

from sklearn_rnn.networks.engines import kernels_may_run

WAYS_AT_ONCE = 2**22
"""Ways from label to label whose scores are in memory together: 32 MB."""


def viterbi(emissions: Tensor, chain: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """The path of the greatest score of each sequence.

    Parameters
    ----------
    emissions : tensor of shape (batch, n_steps, n_labels)
        Scores of the labels at each step, ignored on padding; -inf forbids.
    chain : tensor of shape (n_labels + 2, n_labels)
        Row i < n_labels: scores of the labels that follow label i; then those of the first and of the last label.
    lengths : tensor of int64, shape (batch,)

    Returns
    -------
    paths : tensor of int64, shape (batch, n_steps)
        0 on padding. Of paths that tie, the one whose last label is lowest, then that whose last but one is, and so on.
    scores : tensor of shape (batch,)
        -inf where no path is valid; the path is then of no meaning.

    References
    ----------
    Rabiner, L. R. (1989). A tutorial on hidden Markov models and selected applications in speech recognition.
    Proceedings of the IEEE, 77(2), 257-286.

    Examples
    --------
    >>> import torch
    >>> from sklearn_rnn.networks.chain import viterbi
    >>> emissions = torch.tensor([[[2.0, 1.0], [0.0, 1.0]]])
    >>> chain = torch.tensor([[0.0, -torch.inf], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]])  # no label 1 after label 0
    >>> viterbi(emissions, chain, torch.tensor([2]))
    (tensor([[0, 0]]), tensor([2.]))
    """
    if kernels_may_run(emissions):
        return _fused_viterbi(emissions, chain, lengths)
    paths, scores = nbest(emissions, chain, lengths, 1)
    return paths[:, 0], scores[:, 0]


def _fused_viterbi(emissions: Tensor, chain: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """:func:`viterbi` by the kernel."""
    from sklearn_rnn.kernels.chain_decoding import best_paths

    scores, joins = (x.detach().double().contiguous() for x in (emissions, chain))
    paths = lengths.new_zeros(emissions.shape[:2])
    totals = scores.new_empty(len(scores))
    best_paths(
        scores.numpy(), joins.numpy(), lengths.contiguous().numpy(), 0, len(scores), paths.numpy(), totals.numpy()
    )
    return paths, totals.to(emissions.dtype)


def _fused_nbest(emissions: Tensor, chain: Tensor, lengths: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """:func:`nbest` by the kernel."""
    from sklearn_rnn.kernels.chain_decoding import ranked_paths

    scores, joins = (x.detach().double().contiguous() for x in (emissions, chain))
    paths = lengths.new_zeros(len(scores), n, emissions.shape[1])
    totals = scores.new_empty(len(scores), n)
    ranked_paths(
        scores.numpy(), joins.numpy(), lengths.contiguous().numpy(), 0, len(scores), paths.numpy(), totals.numpy()
    )
    return paths, totals.to(emissions.dtype)


def nbest(emissions: Tensor, chain: Tensor, lengths: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """The `n` paths of the greatest scores of each sequence, all different.

    The kernels enumerate paths one after another, and keep little beside the scores of the best way to each label.
    Elsewhere the list Viterbi algorithm keeps those of the `n` best ways to each label at each step.

    Parameters
    ----------
    emissions, chain, lengths
        As in :func:`viterbi`.
    n : int
        Number of paths, at least 1.

    Returns
    -------
    paths : tensor of int64, shape (batch, n, n_steps)
        In order of score; 0 on padding. The first is the path of :func:`viterbi`.
    scores : tensor of shape (batch, n)
        -inf from where a sequence has no further valid path; those paths are of no meaning. An empty sequence has one
        path, of score 0.

    References
    ----------
    Seshadri, N. and Sundberg, C.-E. W. (1994). List Viterbi decoding algorithms with applications. IEEE Transactions on
    Communications, 42(2/3/4), 313-323.

    Jimenez, V. M. and Marzal, A. (1999). Computing the K shortest paths: a new algorithm and an experimental
    comparison. Algorithm Engineering, LNCS 1668, 15-29.

    Examples
    --------
    >>> import torch
    >>> from sklearn_rnn.networks.chain import nbest
    >>> emissions = torch.tensor([[[2.0, 1.0], [0.0, 1.5]]])
    >>> paths, scores = nbest(emissions, torch.zeros(4, 2), torch.tensor([2]), 3)
    >>> paths
    tensor([[[0, 1],
             [1, 1],
             [0, 0]]])
    >>> scores
    tensor([[3.5000, 2.5000, 2.0000]])
    """
    if kernels_may_run(emissions):
        return _fused_nbest(emissions, chain, lengths, n)
    n_labels = emissions.shape[2]
    size = max(1, WAYS_AT_ONCE // (n_labels * n_labels * n))
    with torch.no_grad():
        parts = [
            _nbest(part, chain.double(), part_lengths, n)
            for part, part_lengths in zip(emissions.double().split(size), lengths.split(size), strict=True)
        ]
        paths, scores = (torch.cat(results) for results in zip(*parts, strict=True))
        return paths, scores.to(emissions.dtype)


def _nbest(emissions: Tensor, chain: Tensor, lengths: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """As :func:`nbest`, for as many sequences as fit into memory together."""
    n_sequences, n_steps, n_labels = emissions.shape
    ranked = _ranked_scores(emissions, chain, n)
    following = chain[:n_labels].t()
    paths = lengths.new_zeros(n_sequences, n, n_steps)
    label, rank = torch.zeros_like(paths[:, :, 0]), torch.zeros_like(paths[:, :, 0])
    scores = emissions.new_full((n_sequences, n), -torch.inf)
    scores[:, 0].masked_fill_(lengths == 0, 0)
    last_steps = set((lengths - 1).tolist())
    for t in range(n_steps - 1, -1, -1):
        n_ranks = ranked[t].shape[2]
        if t + 1 < n_steps:
            origin = _origins(ranked[t], following, label, rank)
            label, rank = origin // n_ranks, origin % n_ranks
        if t in last_steps:
            best, origin = _order((ranked[t] + chain[n_labels + 1][:, None]).flatten(1))
            missing = max(0, n - best.shape[1])
            best, origin = pad(best[:, :n], (0, missing), value=-torch.inf), pad(origin[:, :n], (0, missing))
            # shape: (batch, n)
            is_last = (lengths == t + 1)[:, None]
            scores = torch.where(is_last, best, scores)
            label, rank = torch.where(is_last, origin // n_ranks, label), torch.where(is_last, origin % n_ranks, rank)
        paths[:, :, t] = torch.where((t < lengths)[:, None], label, 0)
    return paths, scores


def _origins(ranked: Tensor, following: Tensor, label: Tensor, rank: Tensor) -> Tensor:
    """Where the ways of that `rank` to a `label` (batch, n) came from, of `ranked` (batch, n_labels, n_ranks)."""
    n_sequences, n = label.shape
    found = []
    for part, own_rank in zip(
        *(x.split(_at_once(ranked[0].numel(), n_sequences), 1) for x in (label, rank)), strict=True
    ):
        ways = (ranked[:, None] + following[part][:, :, :, None]).flatten(2)
        # shape: (batch, n or fewer, n_labels * n_ranks)
        # Among equals both take the first.
        found.append(ways.argmax(2) if n == 1 else _order(ways)[1].gather(2, own_rank[:, :, None])[:, :, 0])
    return torch.cat(found, 1)


def _at_once(*sizes: int) -> int:
    """How many times ways of these `sizes` are within what is in memory together; at least once."""
    return max(1, WAYS_AT_ONCE // math.prod(sizes))


def _order(scores: Tensor) -> tuple[Tensor, Tensor]:
    """The scores of the last dimension from the greatest on, and where they were; equals keep their order."""
    return torch.sort(scores, dim=-1, descending=True, stable=True)


def _ranked_scores(emissions: Tensor, chain: Tensor, n: int) -> list[Tensor]:
    """The scores of the best ways to each label, in order, at each step: (batch, n_labels, n or fewer)."""
    n_labels = emissions.shape[2]
    following = chain[:n_labels].t()[:, :, None]
    # shape: (n_labels, n_labels before, 1)
    best = chain[n_labels].expand_as(emissions[:, 0])[:, :, None]
    ranked: list[Tensor] = []
    for emission in emissions.unbind(1):
        if ranked:
            size = _at_once(ranked[-1].numel())
            best = torch.cat([_best_ways(ranked[-1], part, n) for part in following.split(size)], 1)
        ranked.append(best + emission[:, :, None])
    return ranked


def _best_ways(before: Tensor, following: Tensor, n: int) -> Tensor:
    """The greatest `n` scores (batch, n_after, n or fewer) of `before` (batch, n_labels, n_ranks) and `following`.

    The latter are the scores (n_after, n_labels, 1) of labels after each other.
    """
    if n == 1:
        return (before[:, None] + following).flatten(2).amax(2, keepdim=True)
    if 4 * n < before.shape[1]:  # a label whose first way is not among the best n has no other way there
        first = before[:, None, :, 0] + following[:, :, 0]
        # shape: (batch, n_after, n_labels)
        _, label = first.topk(n, dim=2)
        sequence, after = torch.arange(len(before))[:, None, None], torch.arange(len(following))[:, None]
        ways = before[sequence.to(label.device), label] + following[after.to(label.device), label]
    else:
        ways = before[:, None] + following
    # shape: (batch, n_after, n or n_labels, n_ranks)
    return ways.flatten(2).topk(min(n, ways[0, 0].numel()), dim=2).values
