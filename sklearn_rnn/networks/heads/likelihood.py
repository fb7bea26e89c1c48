"""A distribution over what a step holds, whose parameters are the outputs: what it says of a step, and draws."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor
from torch.nn import functional as F

from sklearn_rnn.networks.heads.step import StepHead


class LikelihoodHead(StepHead):
    """A linear map of each hidden state to the parameters of the distribution of the step that comes next.

    A step is a row of numbers, or where `ends` the end of its sequence. Its target is then a row with one column more:
    1 where it is the end, whose numbers may be anything, and 0 elsewhere. The last output is the log-odds of the end,
    the others are parameters of the numbers of a step that is none.

    Parameters
    ----------
    size : int
        Units of a hidden state.
    n_outputs : int
        The outputs of the numbers, and the one of the end.
    n_features : int
        Numbers of a step.
    ends : bool
    dropout, tied_dropout
        As of :class:`StepHead`.
    """

    def __init__(
        self,
        size: int,
        n_outputs: int,
        n_features: int,
        *,
        ends: bool = True,
        dropout: float = 0.0,
        tied_dropout: bool = False,
    ) -> None:
        super().__init__(size, n_outputs, dropout=dropout, tied_dropout=tied_dropout)
        self.n_features = n_features
        self.ends = ends

    @property
    @abstractmethod
    def n_uniforms(self) -> int:
        """Random numbers that :meth:`draw` takes for a step."""

    @abstractmethod
    def log_likelihood_of_numbers(self, outputs: Tensor, numbers: Tensor) -> Tensor:
        """The log-likelihood (n,) of the rows `numbers` (n, n_features), given their outputs (n, ...)."""

    @abstractmethod
    def draw_numbers(self, outputs: Tensor, uniforms: Tensor | None, temperature: float) -> Tensor:
        """Rows (n, n_features), as :meth:`draw`, of steps that are not the end."""

    def log_likelihood(self, outputs: Tensor, target: Tensor) -> Tensor:
        """The log-likelihood of each step.

        Parameters
        ----------
        outputs : tensor of shape (..., n_outputs)
        target : tensor of shape (..., n_features) or, with ends, (..., n_features + 1)

        Returns
        -------
        log_likelihood : tensor of shape (...)
            In single precision at least.
        """
        wanted = self.n_features + self.ends
        if outputs.shape[:-1] != target.shape[:-1] or target.shape[-1] != wanted:  # what fits might be broadcast
            raise ValueError(f"outputs of shape {tuple(outputs.shape)} against targets of shape {tuple(target.shape)}")
        rows, steps = wide(outputs).flatten(0, -2), target.flatten(0, -2)
        if not self.ends:
            return self.log_likelihood_of_numbers(rows, steps).view(target.shape[:-1])
        is_end, log_odds = steps[:, -1] > 0, rows[:, -1]
        going_on = torch.nonzero(~is_end)[:, 0]
        numbers = self.log_likelihood_of_numbers(rows[going_on, :-1], steps[going_on, :-1])
        of_end = F.logsigmoid(torch.where(is_end, log_odds, -log_odds))
        return of_end.index_add(0, going_on, numbers).view(target.shape[:-1])

    def draw(self, outputs: Tensor, uniforms: Tensor, temperature: float = 1.0) -> tuple[Tensor, Tensor]:
        """A step of each row of outputs.

        Parameters
        ----------
        outputs : tensor of shape (n, n_outputs)
        uniforms : tensor of shape (n, n_uniforms)
            Drawn from [0, 1). With ends the first one decides whether the step is the end.
        temperature : float
            Below 1 what is probable becomes more probable; at 0 it is what :meth:`best` returns.

        Returns
        -------
        numbers : tensor of shape (n, n_features)
            Those that would come if the step were not the end.
        is_end : tensor of bool, shape (n,)
        """
        if temperature == 0:
            return self.best(outputs)
        outputs = wide(outputs)
        if not self.ends:
            return self.draw_numbers(outputs, uniforms, temperature), outputs.new_zeros(len(outputs), dtype=torch.bool)
        is_end = uniforms[:, 0] < torch.sigmoid(outputs[:, -1] / temperature)
        return self.draw_numbers(outputs[:, :-1], uniforms[:, 1:], temperature), is_end

    def best(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """As :meth:`draw`: the step that is drawn as the temperature goes to 0."""
        outputs = wide(outputs)
        if not self.ends:
            return self.draw_numbers(outputs, None, 0.0), outputs.new_zeros(len(outputs), dtype=torch.bool)
        return self.draw_numbers(outputs[:, :-1], None, 0.0), outputs[:, -1] > 0


def wide(outputs: Tensor) -> Tensor:
    """Outputs in single precision where they had less."""
    return outputs.to(torch.promote_types(outputs.dtype, torch.float32))
