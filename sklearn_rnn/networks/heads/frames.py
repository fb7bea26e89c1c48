"""Frames of notes, each there or not: independent of each other, or each given those below it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sklearn_rnn.networks.heads.base import HeadSpec
from sklearn_rnn.networks.heads.likelihood import LikelihoodHead, wide
from sklearn_rnn.networks.inputs import StepInputs

N_UNITS = 150
"""Hidden units that join the notes of a frame, as many as Boulanger-Lewandowski et al. (2012) took."""

LARGEST_BLOCK = 2**22
"""Logits that are computed at once where no gradient is wanted."""


class FrameHead(LikelihoodHead):
    """A linear map of each hidden state to the log-odds of each note, and of the end.

    Its outputs are those of the notes, then those of the hidden units, then that of the end.

    With hidden units a frame is a neural autoregressive distribution (NADE, Larochelle and Murray 2011), whose biases
    are the outputs, as in the RNN-NADE of Boulanger-Lewandowski et al. (2012). Of notes v the log-odds of note i are
    ``b[i] + V[i] @ sigmoid(c + W[:, :i] @ v[:i])``, in which b and c are outputs, V and W weights of the head.

    The hidden units change at notes that are there alone: a frame with k notes has k + 1 states of them, and all
    log-odds are entries of one product of these states with V.

    Parameters
    ----------
    size, n_features, ends, dropout, tied_dropout
        As of :class:`LikelihoodHead`.
    n_units : int
        Hidden units; 0 for notes that are independent of each other given the hidden state.
    """

    def __init__(
        self,
        size: int,
        n_features: int,
        *,
        n_units: int = 0,
        ends: bool = True,
        dropout: float = 0.0,
        tied_dropout: bool = False,
    ) -> None:
        n_outputs = n_features + n_units + ends
        super().__init__(size, n_outputs, n_features, ends=ends, dropout=dropout, tied_dropout=tied_dropout)
        self.n_units = n_units
        if n_units:
            self.from_notes = nn.Linear(n_features, n_units, bias=False)
            self.to_notes = nn.Linear(n_units, n_features, bias=False)

    @property
    def n_uniforms(self) -> int:
        return self.n_features + self.ends

    def log_likelihood_of_numbers(self, outputs: Tensor, numbers: Tensor) -> Tensor:
        frames = numbers.to(outputs.dtype)
        if not self.n_units:
            return _log_probability(outputs, frames)
        if torch.is_grad_enabled():
            return _log_probability(self._log_odds(outputs, frames), frames)
        # A frame of which all notes are there has a state for each of them.
        rows = max(1, LARGEST_BLOCK // (self.n_features * int(frames.sum(1).max() + 1))) if len(frames) else 1
        parts = zip(outputs.split(rows), frames.split(rows), strict=True)
        return torch.cat([_log_probability(self._log_odds(own, frame), frame) for own, frame in parts])

    def draw_numbers(self, outputs: Tensor, uniforms: Tensor | None, temperature: float) -> Tensor:
        """As of :class:`LikelihoodHead`; at temperature 0 each note is the more probable, given those below it."""
        log_odds = outputs[:, : self.n_features]
        thresholds = torch.zeros_like(log_odds) if uniforms is None else temperature * torch.logit(uniforms)
        if not self.n_units:
            return (log_odds > thresholds).to(outputs.dtype)
        return self._draw_chained(log_odds, outputs[:, self.n_features :], thresholds)

    def note_probabilities(self, outputs: Tensor, *, n_draws: int = 1000) -> Tensor:
        """The probability of each note (n, n_features) to be there in a step that is not the end.

        Of chained notes it is the mean, over `n_draws` frames, of that given those below it. The frames are the same
        for equal outputs; what they leave of an error is below 0.02, and less where a note hardly depends on others.
        """
        outputs = wide(outputs)[:, : self.n_features + self.n_units]
        if not self.n_units:
            return torch.sigmoid(outputs)
        uniforms = torch.rand(n_draws, self.n_features, generator=torch.Generator().manual_seed(0), dtype=outputs.dtype)
        uniforms, found = uniforms.to(outputs.device), torch.empty_like(outputs[:, : self.n_features])
        for k, row in enumerate(outputs):
            rows = row.expand(n_draws, -1)
            found[k] = torch.sigmoid(self._log_odds(rows, self.draw_numbers(rows, uniforms, 1.0))).mean(0)
        return found

    def _log_odds(self, outputs: Tensor, frames: Tensor) -> Tensor:
        """The log-odds (n, n_features) of each note of `frames` (n, n_features), given those below it."""
        n_before = (frames.cumsum(1) - frames).long()
        n_notes = frames.sum(1).long()
        order = n_notes.argsort(descending=True, stable=True)  # frames that still have a note are the first ones
        place = torch.empty_like(order).scatter_(0, order, torch.arange(len(order), device=order.device))
        frame_of_note, notes = torch.nonzero(frames[order] > 0, as_tuple=True)
        nth = n_before[order[frame_of_note], notes]
        before = outputs[order, self.n_features :]
        states, starts, columns = [before], [0], self.from_notes.weight.t()
        for k in range(int(n_notes.max()) if len(order) else 0):
            added = columns[notes[nth == k]]
            before = before[: len(added)] + added
            starts.append(starts[-1] + len(states[-1]))
            states.append(before)
        all_log_odds = self._from_units(torch.cat(states))
        # shape: (n_states, n_features)
        row = torch.tensor(starts, device=order.device)[n_before] + place[:, None]
        found = all_log_odds.flatten()[row * self.n_features + torch.arange(self.n_features, device=order.device)]
        return outputs[:, : self.n_features] + found

    def _draw_chained(self, biases: Tensor, before: Tensor, thresholds: Tensor) -> Tensor:
        """Frames (n, n_features) of the notes whose log-odds are above `thresholds` (n, n_features), one by one.

        Of each frame the next note that is there is found at once: up to it the hidden units do not change.
        """
        frames, columns = torch.zeros_like(biases), self.from_notes.weight.t()
        going, below = torch.arange(len(biases), device=biases.device), torch.full_like(biases[:, :1], -1)
        notes = torch.arange(self.n_features, device=biases.device)
        while len(going):
            log_odds = biases[going] + self._from_units(before)
            there = (log_odds > thresholds[going]) & (notes > below)
            some = there.any(1)
            going, note = going[some], there[some].to(torch.int8).argmax(1)
            frames[going, note] = 1
            before, below = before[some] + columns[note], note[:, None]
        return frames

    def _from_units(self, before: Tensor) -> Tensor:
        """What hidden units, given `before` (n, n_units) their sigmoid, add to log-odds (n, n_features)."""
        units, weight = torch.sigmoid(before), self.to_notes.weight
        same = weight.dtype == units.dtype
        return self.to_notes(units) if same else F.linear(units, weight.to(units.dtype))


def _log_probability(log_odds: Tensor, frames: Tensor) -> Tensor:
    """The log-probability (n,) of `frames` (n, n_features) of notes with these log-odds."""
    return -F.binary_cross_entropy_with_logits(log_odds, frames, reduction="none").sum(1)


@dataclass(frozen=True)
class FrameHeadSpec(HeadSpec):
    """What a :class:`FrameHead` is built from; see :meth:`of`.

    Attributes
    ----------
    n_features : int
    ends : bool
    """

    n_features: int = 1
    ends: bool = True

    @classmethod
    def of(
        cls,
        log_odds: tuple[float, ...],
        *,
        end_log_odds: float | None = None,
        chained: bool = False,
        n_units: int = N_UNITS,
    ) -> FrameHeadSpec:
        """The record of a head.

        Parameters
        ----------
        log_odds : tuple of float, of length n_features
            Of each note, where training starts.
        end_log_odds : float or None
            The same of the end; None where sequences have none.
        chained : bool
            Whether each note depends on those below it.
        n_units : int
            Hidden units that join the notes, if they are chained.
        """
        of_units, of_end = (0.0,) * (n_units if chained else 0), () if end_log_odds is None else (end_log_odds,)
        bias = (*log_odds, *of_units, *of_end)
        return cls(len(bias), bias, len(log_odds), end_log_odds is not None)

    @property
    def n_units(self) -> int:
        """Hidden units that join notes."""
        return self.n_outputs - self.n_features - self.ends

    def build(
        self,
        size: int,
        direction_size: int,
        *,
        dropout: float,
        tied_dropout: bool,
        convolved: int = 0,
        inputs: StepInputs | None = None,
    ) -> FrameHead:
        return FrameHead(
            size + convolved,
            self.n_features,
            n_units=self.n_units,
            ends=self.ends,
            dropout=dropout,
            tied_dropout=tied_dropout,
        )
