"""Forward and backward messages of a linear chain of labels, over a padded batch.

The forward message ``alpha_t(j)`` is the log of the summed exponentiated scores of all ways to label the steps up to t
that give label j to step t; the backward message ``beta_t(j)`` is the same for the steps after t. The log of the sum of
``exp(alpha_t(j) + beta_t(j))`` over j is the log partition at every t (Rabiner 1989, section III).

Both are computed in one loop: ``beta`` is the forward recursion of the reversed sequence under the transposed
transitions, so the reversed sequences run beside the others as a second half of the batch. All of it is float64, in
one of two ways that share an interface:

- :class:`ScaledMessages` multiplies matrices of exponentiated scores and rescales every few steps (Rabiner 1989,
  section V.A). It is many times faster, but a message some 300 nats below the greatest of its step is lost;
  :meth:`ScaledMessages.lossy` says whether one was.
- :class:`LogMessages` adds in log space and loses nothing.

Tensors are time-major here: (n_steps, batch, n_labels). A sequence without a valid path has messages of 0, in log space
of -inf, and no NaN.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from sklearn_rnn.networks.pooling import step_mask

RESCALE_EVERY = 4
"""Steps between two rescalings of scaled messages, each of which takes as long as a step."""

SMALLEST = 1e-140
"""What a scaled message must not fall below. No sum then misses a term that was too small for a float, and one over the
product of two messages is a float too, as gradients need."""

WIDEST_SPREAD = 350.0
"""How far below the greatest a finite score may be. One step then takes no message from ``SMALLEST`` to below 1e-308,
even after a rescaling by 1e15, more than the messages of 5000 labels grow in between."""

PAIRS_AT_ONCE = 2**22
"""Pairs of labels, of all sequences, that are in memory together in log space: 32 MB."""

IMPOSSIBLE = -1e30
"""Stands for -inf in log space, as differences of infinities are NaN; no sum of real scores comes near this."""


class Potentials(NamedTuple):
    """Scores in float64, time-major, shifted so that none is above 0, and 0 on padding."""

    emissions: Tensor  # (n_steps, batch, n_labels)
    transitions: Tensor  # (n_labels, n_labels)
    ends: Tensor  # (2, n_labels): start, end
    lengths: Tensor  # (batch,)
    inside: Tensor  # (n_steps, batch), False on padding
    constant: Tensor  # (batch,), what the shifts take off the score of every path


def potentials(emissions: Tensor, chain: Tensor, lengths: Tensor) -> Potentials:
    """Shift the scores of `emissions` (batch, n_steps, n_labels) and `chain` (n_labels + 2, n_labels)."""
    n_labels = emissions.shape[2]
    inside = step_mask(lengths, emissions.shape[1]).t()
    scores = emissions.transpose(0, 1).to(torch.float64, memory_format=torch.contiguous_format)
    scores = scores.masked_fill(~inside[:, :, None], 0)
    # shape: (n_steps, batch, n_labels)
    joins = chain.double()
    # The shifts cancel, and so would their gradients. They are finite, as -inf less -inf is NaN.
    peaks = scores.detach().amax(2, keepdim=True).clamp(min=IMPOSSIBLE)
    peak = joins.detach().amax().clamp(min=IMPOSSIBLE)
    transitions, ends = (joins - peak).split([n_labels, 2])
    constant = peaks.sum((0, 2)) + peak * (lengths + 1)
    return Potentials(scores - peaks, transitions, ends, lengths, inside, constant)


def messages(p: Potentials, observed: Tensor | None = None) -> ScaledMessages | LogMessages:
    """The messages of `p`, the fast ones where they are exact; `observed` as in :class:`ScaledMessages`."""
    scaled = ScaledMessages(p, observed)
    return LogMessages(p, observed) if scaled.lossy() else scaled


class ScaledMessages:
    """Messages as products of exponentiated scores, each off by a factor that is known.

    Parameters
    ----------
    p : Potentials
    observed : tensor of bool, shape (n_steps, batch, n_labels), optional
        Labels to which the forward messages are restricted; the backward messages are not. ``log_overlap`` then differs
        from step to step, and only without are there probabilities and counts.

    Attributes
    ----------
    alpha, beta : tensor of shape (n_steps, batch, n_labels)
        Exponentiated messages over the exponential of ``alpha_scale`` or ``beta_scale`` (n_steps, batch). On padding
        anything finite.
    overlap : tensor of shape (n_steps, batch)
        The inner products of ``alpha`` and ``beta``.
    """

    def __init__(self, p: Potentials, observed: Tensor | None = None) -> None:
        self.p = p
        self.reversed = _reversed_rows(p)
        self.factors = p.transitions.exp()
        self.emissions = p.emissions.exp()
        forward = self.emissions if observed is None else self.emissions.masked_fill(~observed, 0)
        states, products, scale = _scan(
            torch.stack([forward, _take(self.emissions, self.reversed)], 1),
            p.ends.exp(),
            torch.stack([self.factors, self.factors.t()]),
        )
        self.states = states  # (n_steps, 2, batch, n_labels): alpha, and reversed beta times its step's emissions
        self.alpha, self.alpha_scale = states[:, 0], scale[:, 0]
        self.beta, self.beta_scale = _take(products[:, 1], self.reversed), _take(scale[:, 1], self.reversed)
        self.overlap = (self.alpha * self.beta).sum(2)

    @torch.no_grad()
    def lossy(self) -> bool:
        """Whether a message, or an inner product of two, that is not 0 may have come out as 0 or nearly so."""
        if bool((self.states.amin() >= SMALLEST) & (self.overlap.amin() >= SMALLEST)):
            return False
        # Where scores are this close, no step takes a message from above SMALLEST to 0, so that 0 means impossible.
        chain = torch.cat([self.p.transitions, self.p.ends])
        if bool(least(chain) + least(self.p.emissions) < -WIDEST_SPREAD):
            return True
        too_small = _vanishing(self.states).any(3).any(1) | _vanishing(self.overlap)
        # shape: (n_steps, batch); both halves have their padding at the same steps
        return bool((too_small & self.p.inside).any())

    def log_alpha(self) -> Tensor:
        """The forward messages, (n_steps, batch, n_labels)."""
        return self.alpha.log() + self.alpha_scale[:, :, None]

    def log_beta(self) -> Tensor:
        """The backward messages, (n_steps, batch, n_labels)."""
        return self.beta.log() + self.beta_scale[:, :, None]

    def log_overlap(self) -> Tensor:
        """The log of the sum over labels of ``exp(alpha + beta)``, (n_steps, batch)."""
        none = self.overlap == 0
        return (
            self.overlap.masked_fill(none, 1).log().masked_fill(none, -torch.inf) + self.alpha_scale + self.beta_scale
        )

    def label_probabilities(self) -> Tensor:
        """The probability of each label at each step, (n_steps, batch, n_labels), 0 on padding."""
        return self.alpha * self._beta_over_overlap()

    def pair_probabilities(self) -> Tensor:
        """The probability of labels (i, j) at steps (t, t + 1), (n_steps - 1, batch, n_labels, n_labels)."""
        before, after = self._pair_parts(self._beta_over_overlap())
        return before[:, :, :, None] * self.factors * after[:, :, None]

    def probability_of(self, pairs: Tensor) -> Tensor:
        """The probability (n_steps - 1, batch) that two steps in a row have one of the `pairs` (n_labels, n_labels)."""
        before, after = self._pair_parts(self._beta_over_overlap())
        return ((before @ (self.factors * pairs)) * after).sum(2)

    def expected_counts(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Expected numbers in sequences that count by `weight` (batch,).

        Returns
        -------
        labels : tensor of shape (n_steps, batch, n_labels)
            Of each label at each step.
        pairs : tensor of shape (n_labels, n_labels)
            Of labels (i, j) in a row.
        """
        weighted = self._beta_over_overlap(weight)
        before, after = self._pair_parts(weighted)
        return self.alpha * weighted, self.factors * (before.flatten(0, 1).t() @ after.flatten(0, 1))

    def _beta_over_overlap(self, weight: Tensor | None = None) -> Tensor:
        """What makes probabilities of ``alpha``, times `weight`: 0 on padding and where there is no path."""
        none = (self.overlap == 0) | ~self.p.inside
        inverse = self.overlap.masked_fill(none, torch.inf).reciprocal()
        return self.beta * (inverse if weight is None else inverse * weight)[:, :, None]

    def _pair_parts(self, beta: Tensor) -> tuple[Tensor, Tensor]:
        """What makes, with the factors between, probabilities of pairs: (n_steps - 1, batch, n_labels) each."""
        rescaling = (self.alpha_scale[:-1] - self.alpha_scale[1:]).exp()
        return self.alpha[:-1] * rescaling[:, :, None], self.emissions[1:] * beta[1:]


class LogMessages:
    """Messages by sums in log space, with the methods of :class:`ScaledMessages`.

    Parameters
    ----------
    p : Potentials
    observed : tensor of bool, shape (n_steps, batch, n_labels), optional
    """

    def __init__(self, p: Potentials, observed: Tensor | None = None) -> None:
        self.p = p
        reversed_rows = _reversed_rows(p)
        self.transitions = p.transitions.clamp(min=IMPOSSIBLE)
        both_ways = torch.stack([self.transitions, self.transitions.t()])[:, None]
        self.at_once = max(1, PAIRS_AT_ONCE // both_ways.numel())
        emissions = _two_halves(p, observed, reversed_rows).clamp(min=IMPOSSIBLE)
        reached = p.ends.clamp(min=IMPOSSIBLE)[:, None].expand_as(emissions[0])
        before: list[Tensor] = []
        after: list[Tensor] = []
        for t, emission in enumerate(emissions):
            if t:
                parts = after[-1].split(self.at_once, 1)
                reached = torch.cat([(part[:, :, :, None] + both_ways).logsumexp(2) for part in parts], 1)
            before.append(reached)
            after.append(reached + emission)
        self.alpha = torch.stack([state[0] for state in after])
        self.beta = _take(torch.stack([state[1] for state in before]), reversed_rows)
        # What the messages back from a step are made of: beta, and the step's own emissions.
        self.following = _take(torch.stack([state[1] for state in after]), reversed_rows)
        self.overlap = (self.alpha + self.beta).logsumexp(2)
        # shape: (n_steps, batch)

    def log_alpha(self) -> Tensor:
        return _impossible_to_infinity(self.alpha)

    def log_beta(self) -> Tensor:
        return _impossible_to_infinity(self.beta)

    def log_overlap(self) -> Tensor:
        return _impossible_to_infinity(self.overlap)

    def label_probabilities(self) -> Tensor:
        log_probabilities = self.alpha + self.beta - self._norms()[:, :, None]
        return log_probabilities.exp().masked_fill(~self.p.inside[:, :, None], 0)

    def pair_probabilities(self) -> Tensor:
        pairs = [torch.cat(list(self._pairs(t))) for t in range(len(self.alpha) - 1)]
        return torch.stack(pairs) if pairs else self.alpha.new_zeros(0, *self.alpha.shape[1:], self.alpha.shape[2])

    def probability_of(self, pairs: Tensor) -> Tensor:
        found = self.alpha.new_zeros(len(self.alpha) - 1, self.alpha.shape[1])
        for t, of_step in enumerate(found):
            torch.cat([(part * pairs).sum((1, 2)) for part in self._pairs(t)], out=of_step)
        return found

    def expected_counts(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        pairs = torch.zeros_like(self.transitions)
        for t in range(len(self.alpha) - 1):  # one step at a time, as all pairs at once may not fit into memory
            for own_weight, part in zip(weight.split(self.at_once), self._pairs(t), strict=True):
                pairs += torch.einsum("b,bij->ij", own_weight, part)
        return self.label_probabilities() * weight[:, None], pairs

    def _pairs(self, t: int) -> Iterator[Tensor]:
        """The probability of labels (i, j) at steps (t, t + 1), (n, n_labels, n_labels), of `n` sequences at once."""
        of_step = self.alpha[t], self.following[t + 1], self._norms(t), self.p.inside[t + 1]
        for alpha, following, norm, inside in zip(*(part.split(self.at_once) for part in of_step), strict=True):
            pairs = (alpha[:, :, None] + self.transitions + (following - norm[:, None])[:, None]).exp()
            yield pairs.masked_fill(~inside[:, None, None], 0)

    def _norms(self, t: int | slice = slice(None)) -> Tensor:
        """``overlap``, but 0 where there is no path, so that a probability is 0 there."""
        overlap = self.overlap[t]
        return overlap.masked_fill(overlap < IMPOSSIBLE / 2, 0)


def counts(found: ScaledMessages | LogMessages, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Expected numbers of labels (n_steps, batch, n_labels), and by rows of the chain (n_labels + 2, n_labels)."""
    labels, pairs = found.expected_counts(weight)
    last = (found.p.lengths - 1).clamp(min=0)
    ends = labels[0].sum(0), labels[last, torch.arange(len(last), device=last.device)].sum(0)
    return labels, torch.cat([pairs, torch.stack(ends)])


def _two_halves(p: Potentials, observed: Tensor | None, reversed_rows: Tensor) -> Tensor:
    """The emissions of the sequences, and of the reversed sequences, (n_steps, 2, batch, n_labels)."""
    forward = p.emissions if observed is None else p.emissions.masked_fill(~observed, -torch.inf)
    return torch.stack([forward, _take(p.emissions, reversed_rows)], 1)


def _scan(emissions: Tensor, ends: Tensor, factors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The recursion ``state_t = emissions_t * (state_{t-1} @ factors)``, rescaled from time to time.

    Parameters
    ----------
    emissions : tensor of shape (n_steps, 2, batch, n_labels)
    ends : tensor of shape (2, n_labels)
        In place of the first product.
    factors : tensor of shape (2, n_labels, n_labels)

    Returns
    -------
    states, products : tensor of shape (n_steps, 2, batch, n_labels)
        After and before the multiplication with the emissions.
    scale : tensor of shape (n_steps, 2, batch)
        The log of the factor that both lack.
    """
    product = ends[:, None].expand_as(emissions[0])
    states: list[Tensor] = []
    products: list[Tensor] = []
    totals = [torch.ones_like(emissions[0, :, :, :1])]
    for t, emission in enumerate(emissions.unbind(0)):
        if t:
            state = states[-1]
            if t % RESCALE_EVERY == 0:
                total = state.detach().sum(2, keepdim=True).clamp(min=SMALLEST)  # it cancels, and so would its gradient
                totals.append(total)
                state = state / total
            product = torch.bmm(state, factors)
        state = product * emission
        if state.requires_grad:  # the gradient of what cannot be reached may be infinite, and reaches nothing
            state = state.masked_fill(state == 0, 0)
        states.append(state)
        products.append(product)
    scale = torch.stack(totals).log().cumsum(0).repeat_interleave(RESCALE_EVERY, 0)[: len(states), :, :, 0]
    # shape: (n_steps, 2, batch)
    return torch.stack(states), torch.stack(products), scale


def _reversed_rows(p: Potentials) -> Tensor:
    """The rows that reverse each sequence within its length, of n_steps * batch; its own inverse."""
    n_steps, n_sequences = p.inside.shape
    step = torch.arange(n_steps, device=p.lengths.device)[:, None]
    index = torch.where(p.inside, p.lengths - 1 - step, step)
    # shape: (n_steps, batch)
    return (index * n_sequences + torch.arange(n_sequences, device=p.lengths.device)).flatten()


def _take(x: Tensor, rows: Tensor) -> Tensor:
    """The `rows` of `x` (n_steps, batch, ...), in its shape."""
    return x.flatten(0, 1).index_select(0, rows).view_as(x)


def least(scores: Tensor) -> Tensor:
    """The least score that is not -inf."""
    return scores.masked_fill(scores == -torch.inf, 0).amin()


def _vanishing(x: Tensor) -> Tensor:
    return (x > 0) & (x < SMALLEST)


def _impossible_to_infinity(x: Tensor) -> Tensor:
    return x.masked_fill(x < IMPOSSIBLE / 2, -torch.inf)
