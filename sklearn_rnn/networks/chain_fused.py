"""Forward and backward messages of a linear chain by the kernels, for tensors in the memory of the CPU.

The values are those of :mod:`sklearn_rnn.networks.chain_messages`, with its guarantee: a sequence of which a scaled
message would be lost is computed in log space, by itself.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sklearn_rnn.networks.chain_messages import SMALLEST, WIDEST_SPREAD, LogMessages, counts, potentials

LIMITS = (SMALLEST, WIDEST_SPREAD)


class FusedMessages:
    """Messages of a batch, whose steps the kernels pack, and of scores that are shifted so that none is above 0.

    Parameters
    ----------
    emissions, chain, lengths
        As in :mod:`sklearn_rnn.networks.chain`. The emissions must not change while these messages are used.

    Attributes
    ----------
    order : tensor of int64, shape (n_sequences,)
        The sequences that are not empty, the longest first.
    rows : tensor of int64, shape (total_steps,)
        Where each packed step is in the batch.
    """

    def __init__(self, emissions: Tensor, chain: Tensor, lengths: Tensor) -> None:
        from sklearn_rnn.kernels.chain import forward_messages
        from sklearn_rnn.kernels.chain_packing import exponentiate, pack

        self.shape, self.dtype = emissions.shape, emissions.dtype
        self.lengths = lengths
        self._emissions = emissions.detach().contiguous().view(-1, self.shape[2]).numpy()
        self._joins = chain.detach().double().contiguous().numpy()
        n_batch, n_steps = self.shape[:2]
        order, rows, starts = (np.empty(n, np.int64) for n in (n_batch, n_batch * n_steps, n_steps + 1))
        pack(lengths.contiguous().numpy(), order, rows, starts)
        order, rows = order[: starts[1] if n_steps else 0], rows[: starts[-1]]
        self.order, self.rows = torch.from_numpy(order), torch.from_numpy(rows)
        self._rows, self._starts = rows, starts
        n_rows, n_sequences, n_labels = len(rows), len(order), self.shape[2]
        self._peaks, norms = _empty(n_rows), _empty(n_rows)
        factors, scores, alpha = _empty(n_labels + 2, n_labels), _empty(n_rows, n_labels), _empty(n_rows, n_labels)
        totals, least, self._shifts = _empty(n_sequences), _empty(n_sequences), _empty(n_sequences)
        lost = torch.empty(n_sequences, dtype=torch.bool)
        arrays = [x.numpy() for x in (scores, self._peaks, factors, least, self._shifts)]
        self._peak = exponentiate(self._emissions, self._joins, rows, starts, *arrays)
        # The first arguments of both directions.
        self._shared = (scores.numpy(), starts, factors.numpy(), least.numpy(), LIMITS, alpha.numpy(), norms.numpy())
        self.totals, self._lost = totals, lost
        self._any_lost = forward_messages(*self._shared, totals.numpy(), lost.numpy())
        if self._any_lost:
            exact = self._exact(lost)
            totals[lost] = exact.log_overlap()[0] + exact.p.constant

    def log_partition(self) -> Tensor:
        """The log of the summed exponentiated scores of all paths, (batch,)."""
        return self._by_sequence(self.totals + self._shifts)

    def path_log_probability(self, paths: Tensor) -> Tensor:
        """The log-probability (batch,) of the label sequences `paths` (batch, n_steps)."""
        from sklearn_rnn.kernels.chain_packing import path_scores

        scores = torch.empty_like(self.totals)
        peaks, labels = self._peaks.numpy(), paths.contiguous().view(-1).numpy()
        path_scores(self._emissions, self._joins, self._rows, self._starts, peaks, self._peak, labels, scores.numpy())
        return self._by_sequence(scores.sub_(self.totals))

    def counts(self, weight: Tensor, paths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Expected numbers in sequences that count by `weight` (batch,), less those in `paths`, if given.

        Returns
        -------
        labels : tensor of shape (batch, n_steps, n_labels)
            Of each label at each step, in the type of the emissions.
        joins : tensor of float64, shape (n_labels + 2, n_labels)
            Of labels (i, j) in a row, of first labels and of last labels.
        """
        joins = _empty(self.shape[2] + 2, self.shape[2])
        return self._expected(weight.double()[self.order], joins, paths), joins

    def label_probabilities(self) -> Tensor:
        """The probability of each label at each step, (batch, n_steps, n_labels), 0 on padding."""
        return self._expected(torch.ones_like(self.totals), _empty(0, self.shape[2]))

    def _expected(self, weight: Tensor, joins: Tensor, paths: Tensor | None = None) -> Tensor:
        """As :meth:`counts`, by `weight` (n_sequences,); `joins` is filled, unless it has no rows."""
        from sklearn_rnn.kernels.chain import expected_counts

        labels = torch.zeros(self.shape, dtype=self.dtype)
        flat_paths = self.order.new_empty(0) if paths is None else paths.contiguous().view(-1)
        lost, any_lost, again = self._lost.clone(), self._any_lost, True
        while again:  # the share of what is newly lost is taken out of the sums by another run
            part = weight.masked_fill(lost, 0) if any_lost else weight
            arrays = (part, flat_paths, -weight, labels.view(-1, self.shape[2]), joins, lost)
            again = expected_counts(*self._shared, self._rows, *(x.numpy() for x in arrays))
            any_lost = any_lost or again
        if any_lost:
            exact = self._exact(lost)
            exact_labels, exact_joins = counts(exact, weight[lost])
            labels[self.order[lost], : len(exact_labels)] += exact_labels.transpose(0, 1).to(self.dtype)
            if len(joins):
                joins += exact_joins
        return labels

    def _exact(self, which: Tensor) -> LogMessages:
        """The messages of the sequences where `which` (n_sequences,), in log space, of scores as shifted."""
        sequences = self.order[which]
        lengths = self.lengths[sequences]
        emissions = torch.from_numpy(self._emissions).view(self.shape)[sequences, : int(lengths.max())].double()
        peaks = torch.zeros(self.shape[:2].numel(), dtype=torch.float64).index_copy_(0, self.rows, self._peaks)
        emissions -= peaks.view(self.shape[:2])[sequences, : emissions.shape[1], None]
        return LogMessages(potentials(emissions, torch.from_numpy(self._joins) - self._peak, lengths))

    def _by_sequence(self, x: Tensor) -> Tensor:
        """The values (batch,) of `x` (n_sequences,), 0 for empty sequences."""
        return x.new_zeros(self.shape[0]).index_copy_(0, self.order, x)


def _empty(*shape: int) -> Tensor:
    return torch.empty(shape, dtype=torch.float64)
