"""Real numbers of a step as a mixture of normal distributions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from sklearn_rnn.networks.heads.base import HeadSpec
from sklearn_rnn.networks.heads.likelihood import LikelihoodHead
from sklearn_rnn.networks.inputs import StepInputs
from sklearn_rnn.networks.number_losses import MIN_SCALE

MOST_CORRELATED = 3
"""Numbers of a step up to which those of a component are correlated; of more each is independent within it."""

LEAST_UNIFORM = 2.0**-54
"""What stands for a random number of 0, which is none of a normal distribution."""


class MixtureHead(LikelihoodHead):
    """A linear map of each hidden state to a mixture of normal distributions (Bishop 1994, Graves 2013).

    Its outputs are the log-weights (n_mixtures,) before a softmax, locations and scales (n_mixtures, n_features),
    correlations (n_mixtures, n_correlations), and that of the end. Scales are positive through softplus, with a floor.

    Numbers x of a component are ``location + scale * (L @ e)``, of independent standard normal e and a unit lower
    triangular L. What is below its diagonal are the outputs of the correlations, any of which are a covariance. Of two
    numbers the correlation is ``a / sqrt(1 + a ** 2)``. Beyond three numbers L is the identity.

    Parameters
    ----------
    size, n_features, ends, dropout, tied_dropout
        As of :class:`LikelihoodHead`.
    n_mixtures : int
        Components.
    log_unit : float
        The logarithm of the volume, in the units of the user, of the units that numbers are given in: densities are
        those of the former.
    """

    def __init__(
        self,
        size: int,
        n_features: int,
        *,
        n_mixtures: int = 10,
        log_unit: float = 0.0,
        ends: bool = True,
        dropout: float = 0.0,
        tied_dropout: bool = False,
    ) -> None:
        n_outputs = n_mixtures * n_parameters(n_features) + ends
        super().__init__(size, n_outputs, n_features, ends=ends, dropout=dropout, tied_dropout=tied_dropout)
        self.n_mixtures = n_mixtures
        self.log_unit = log_unit

    @property
    def n_uniforms(self) -> int:
        return 1 + self.n_features + self.ends

    def log_likelihood_of_numbers(self, outputs: Tensor, numbers: Tensor) -> Tensor:
        log_weight, location, scale, joins = self.parameters_of(outputs)
        numbers = numbers.to(outputs.dtype)
        standard: list[Tensor] = []
        for j in range(self.n_features):
            own = (numbers[:, None, j] - location[..., j]) / scale[..., j]
            standard.append(own - _joined(joins, standard))
        # each of shape: (n, n_mixtures)
        distance = sum(torch.square(e) for e in standard)
        constant = scale.log().sum(-1) + self.n_features * math.log(2 * math.pi) / 2
        return torch.logsumexp(log_weight - constant - distance / 2, -1) - self.log_unit

    def draw_numbers(self, outputs: Tensor, uniforms: Tensor | None, temperature: float) -> Tensor:
        """As of :class:`LikelihoodHead`, after Ha and Eck (2018).

        The log-weights are divided by the temperature, and all variances multiplied with it; at temperature 0 that is
        the location of the component of the greatest weight.
        """
        log_weight, location, scale, joins = self.parameters_of(outputs)
        rows = torch.arange(len(outputs), device=outputs.device)
        if uniforms is None:
            return location[rows, log_weight.argmax(-1)]
        below = torch.softmax(log_weight / temperature, -1).cumsum(-1)
        component = (below <= uniforms[:, :1]).sum(-1).clamp(max=self.n_mixtures - 1)
        standard = list(torch.special.ndtri(uniforms[:, 1:].clamp(min=LEAST_UNIFORM)).unbind(-1))
        own = joins[rows, component]
        joined = torch.stack([standard[j] + _joined(own, standard[:j]) for j in range(self.n_features)], -1)
        return location[rows, component] + math.sqrt(temperature) * scale[rows, component] * joined

    def parameters_of(self, outputs: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Log-weights (n, n_mixtures), locations and scales (n, n_mixtures, n_features) and what joins numbers.

        The last is of shape (n, n_mixtures, n_correlations), row by row what is below the diagonal of L.
        """
        K, D = self.n_mixtures, self.n_features
        weight, location, scale, joins = outputs.split([K, K * D, K * D, K * n_correlations(D)], -1)
        return (
            torch.log_softmax(weight, -1),
            location.unflatten(-1, (K, D)),
            F.softplus(scale.unflatten(-1, (K, D))) + MIN_SCALE,
            joins.unflatten(-1, (K, n_correlations(D))),
        )


def _joined(joins: Tensor, standard: list[Tensor]) -> Tensor | float:
    """What those before it add to the next of `standard` numbers (...), by the row of L in `joins` (..., n_joins)."""
    j = len(standard)
    if not joins.shape[-1] or not j:
        return 0.0
    first = n_correlations(j)
    products = [joins[..., first + k] * e for k, e in enumerate(standard)]
    return torch.stack(products).sum(0)


def n_correlations(n_features: int) -> int:
    """Outputs of a component that correlate its numbers."""
    return n_features * (n_features - 1) // 2 if n_features <= MOST_CORRELATED else 0


def n_parameters(n_features: int) -> int:
    """Outputs of a component."""
    return 1 + 2 * n_features + n_correlations(n_features)


@dataclass(frozen=True)
class MixtureHeadSpec(HeadSpec):
    """What a :class:`MixtureHead` is built from; see :meth:`of`.

    Attributes
    ----------
    n_features, n_mixtures : int
    ends : bool
    log_unit : float
    """

    n_features: int = 1
    n_mixtures: int = 10
    ends: bool = True
    log_unit: float = 0.0

    @classmethod
    def of(
        cls, n_features: int, n_mixtures: int, *, end_log_odds: float | None = None, log_unit: float = 0.0
    ) -> MixtureHeadSpec:
        """The record of a head for numbers of mean 0 and standard deviation 1.

        Its components start with equal weights, and with locations spread as a standard normal distribution is.

        Parameters
        ----------
        n_features, n_mixtures : int
        end_log_odds : float or None
            Of the end, where training starts; None where sequences have none.
        log_unit : float
            As of :class:`MixtureHead`.
        """
        locations = torch.special.ndtri(_spread(n_mixtures, n_features)).flatten().tolist()
        scale = math.log(math.expm1((1.0 if n_mixtures == 1 else 0.5) - MIN_SCALE))
        n_joins = n_mixtures * n_correlations(n_features)
        of_end = [] if end_log_odds is None else [end_log_odds]
        bias = (*[0.0] * n_mixtures, *locations, *[scale] * len(locations), *[0.0] * n_joins, *of_end)
        return cls(len(bias), bias, n_features, n_mixtures, end_log_odds is not None, log_unit)

    def build(
        self,
        size: int,
        direction_size: int,
        *,
        dropout: float,
        tied_dropout: bool,
        convolved: int = 0,
        inputs: StepInputs | None = None,
    ) -> MixtureHead:
        return MixtureHead(
            size + convolved,
            self.n_features,
            n_mixtures=self.n_mixtures,
            log_unit=self.log_unit,
            ends=self.ends,
            dropout=dropout,
            tied_dropout=tied_dropout,
        )


def _spread(n: int, n_dimensions: int) -> Tensor:
    """Points (n, n_dimensions) that fill the unit cube evenly, and of each dimension n intervals one by one.

    Those are the ranks of the additive recurrence of Roberts (2018).
    """
    ratio = 2.0
    for _ in range(50):
        ratio = (1 + ratio) ** (1 / (n_dimensions + 1))
    steps = ratio ** -torch.arange(1, n_dimensions + 1, dtype=torch.float64)
    points = torch.arange(1, n + 1, dtype=torch.float64)[:, None] * steps % 1
    return (points.argsort(0).argsort(0) + 0.5) / n
