"""Losses of numbers as records: outputs a number, the scale of targets, and what is read from outputs.

A record of :data:`NUMBER_LOSSES` is all that a loss is; one that is added there is a loss like the others. Raw outputs
are arrays (n, n_targets, n_parameters), as the network gives them; what is read is float64, in the units of y.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from sklearn_rnn.data.formats import locate
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.exceptions import SequenceDataError
from sklearn_rnn.networks import number_losses as functions
from sklearn_rnn.targets import distributions
from sklearn_rnn.targets.distributions import as_tensor
from sklearn_rnn.targets.standard import Scaling, Standard

Array = NDArray[np.float64]

Domain = Literal["any", "not negative", "positive", "counts"]

_WANTED = {
    "not negative": "numbers that are 0 or more",
    "positive": "numbers above 0",
    "counts": "counts, which are whole numbers from 0 on",
}
_ADVICE = {
    "not negative": "Take loss='squared_error' or another loss that fits numbers of either sign",
    "positive": "Take loss='poisson', which fits 0 as well, or loss='squared_error' for numbers of either sign",
    "counts": "Take loss='poisson' for fractions, or loss='gaussian' for numbers of either sign",
}


@dataclass(frozen=True)
class NumberLoss:
    """A loss of numbers.

    Parameters
    ----------
    name : str
    function : callable
        Of outputs (..., n_parameters) and targets (...), both tensors; gives the losses (...).
    n_parameters : int
        How many outputs a target number takes.
    centre : callable
        Of outputs (..., n_parameters); gives the number (...) that is predicted, on the scale of the training.
    predicts : {"mean", "median", "centre"}
        What that number is of the distribution of targets. The loss of Huber has its minimum between mean and median.
    domain : {"any", "not negative", "positive", "counts"}
        The targets that the loss takes.
    scaling : {"standardise", "divide", "none"}
        How targets are scaled for training: to mean 0 and standard deviation 1, to mean 1, or not at all.
    first_bias : callable or None
        Of the learned mean of targets (n_targets,), on the scale of the training; gives the first bias of the head,
        (n_targets, n_parameters). None leaves the bias as it is.
    distribution : callable or None
        Of outputs and a Standard; gives a frozen distribution of SciPy with parameters of shape (n, n_targets).
    kernel : str or None
        The name of the function in :mod:`sklearn_rnn.kernels.heads` that computes the loss of a batch.
    levels : tuple of float or None
        The levels of quantiles that outputs stand for.
    """

    name: str
    function: Callable[..., Tensor]
    n_parameters: int = 1
    centre: Callable[[Tensor], Tensor] = functions.as_number
    predicts: Literal["mean", "median", "centre"] = "mean"
    domain: Domain = "any"
    scaling: Scaling = "standardise"
    first_bias: Callable[[Array], Array] | None = None
    distribution: Callable[[NDArray[Any], Standard], Any] | None = None
    kernel: str | None = None
    levels: tuple[float, ...] | None = None

    def __call__(self, outputs: Tensor, target: Tensor) -> Tensor:
        """The losses (...) of outputs (..., n_parameters) and targets (...), as in training."""
        return self.function(outputs, target)

    def check(self, target: NDArray[Any] | Sequences, *, name: str = "y") -> None:
        """Refuse targets that the loss is not defined for; NaN, a target that is not there, is fine.

        Parameters
        ----------
        target : array of shape (n,) or (n, n_targets), or Sequences
        name : str
            What to call the targets in errors.

        Raises
        ------
        SequenceDataError
            Of the first such target.
        """
        values = target.values if isinstance(target, Sequences) else target
        refused = _outside(values, self.domain)
        if not refused.any():
            return
        place = tuple(int(i) for i in np.argwhere(refused)[0])
        output = place[1:] if np.shape(values)[1:] != (1,) else ()
        where = (*locate(target, place[0]), *output) if isinstance(target, Sequences) else (place[0], *output)
        shown = name + "".join(f"[{i}]" for i in where)
        raise SequenceDataError(
            f"loss={self.name!r} wants {_WANTED[self.domain]}, got {shown} = {values[place]:g} "
            f"({int(refused.sum())} such target(s) in all). {_ADVICE[self.domain]}"
        )

    def learn(self, target: NDArray[Any], weight: NDArray[np.float64]) -> Standard:
        """Learn the scale of training.

        Parameters
        ----------
        target : array of shape (n, n_targets)
            NaN is a target that is not there.
        weight : array of shape (n,)

        Returns
        -------
        standard : Standard
        """
        return Standard.learn(target, weight, self.scaling, self.first_bias)

    def predict(self, outputs: NDArray[Any], standard: Standard) -> Array:
        """The predicted numbers (n, n_targets); `predicts` says what they are."""
        return standard.decode(self.centre(as_tensor(outputs)).numpy())

    @property
    def has_distribution(self) -> bool:
        """Whether there are standard deviations, samples and log-likelihoods."""
        return self.distribution is not None

    @property
    def has_quantiles(self) -> bool:
        """Whether there are quantiles."""
        return self.distribution is not None or self.name == "quantile"

    def std(self, outputs: NDArray[Any], standard: Standard) -> Array:
        """The standard deviations (n, n_targets) of the predicted distributions."""
        unit = replace(standard, location=np.zeros_like(standard.location), scale=np.ones_like(standard.scale))
        deviation = self._distribution(outputs, unit, "standard deviation").std()  # SciPy squares the scale
        return np.asarray(deviation, dtype=np.float64) * standard.scale

    def quantiles(self, outputs: NDArray[Any], standard: Standard, levels: ArrayLike | None = None) -> Array:
        """Quantiles that never cross.

        Parameters
        ----------
        outputs : array of shape (n, n_targets, n_parameters)
        standard : Standard
        levels : array-like of shape (n_levels,), optional
            Of distributions any; of ``"quantile"`` those between the least and the greatest of the fit, which are
            interpolated, and by default those of the fit.

        Returns
        -------
        quantiles : array of shape (n, n_targets, n_levels)
        """
        if self.has_quantiles and levels is None and self.levels is None:
            raise ValueError(f"loss={self.name!r} was given no quantiles: say which, for example quantiles=[0.1, 0.9]")
        wanted = self.levels or () if levels is None else check_levels(levels)
        if self.distribution is None and self.levels is not None:
            known = standard.decode(functions.as_quantiles(as_tensor(outputs)).numpy(), axis=1)
            found = _interpolated(known, self.levels, wanted)
        else:
            frozen = self._distribution(outputs, standard, "quantiles")
            found = np.stack([frozen.ppf(level) for level in wanted], axis=-1)
        return np.maximum.accumulate(found, axis=-1)  # rounding may turn neighbours that are nearly equal

    def sample(self, outputs: NDArray[Any], standard: Standard, n_samples: int, rng: Any) -> Array:
        """Draw from the predicted distributions.

        Parameters
        ----------
        outputs : array of shape (n, n_targets, n_parameters)
        standard : Standard
        n_samples : int
        rng : numpy.random.Generator or numpy.random.RandomState

        Returns
        -------
        samples : array of shape (n, n_targets, n_samples)
        """
        shape = (n_samples, *outputs.shape[:2])
        drawn = self._distribution(outputs, standard, "samples").rvs(size=shape, random_state=rng)
        return np.moveaxis(np.asarray(drawn, dtype=np.float64), 0, -1)

    def log_likelihood(self, outputs: NDArray[Any], standard: Standard, target: NDArray[Any]) -> Array:
        """The log-density, or of counts the log-probability, of targets (n, n_targets); NaN stays NaN."""
        self._need_distribution("log-likelihood")
        encoded = torch.from_numpy(standard.encode(np.asarray(target, dtype=np.float64)))
        return -self.function(as_tensor(outputs), encoded).numpy() - np.log(standard.scale)

    def _distribution(self, outputs: NDArray[Any], standard: Standard, what: str) -> Any:
        self._need_distribution(what)
        assert self.distribution is not None
        return self.distribution(outputs, standard)

    def _need_distribution(self, what: str) -> None:
        if self.distribution is None:
            some = [name for name, loss in NUMBER_LOSSES.items() if loss.distribution is not None]
            if what == "quantiles":
                some.append("quantile")
            raise ValueError(
                f"loss={self.name!r} predicts no distribution, and so no {what}: fit with one of the losses {some}"
            )


def _outside(values: NDArray[Any], domain: Domain) -> NDArray[np.bool_]:
    """Which of `values` lie outside of a domain; NaN does not."""
    if domain == "any":
        return np.zeros(values.shape, dtype=bool)
    if domain == "positive":
        return values <= 0
    return (values < 0) | ((np.floor(values) < values) & (domain == "counts"))


def _interpolated(known: Array, levels: tuple[float, ...], wanted: tuple[float, ...]) -> Array:
    """Quantiles (n, n_targets, n_wanted) on the lines between those of `levels`, (n, n_targets, n_levels)."""
    outside = [level for level in wanted if not levels[0] <= level <= levels[-1]]
    if outside:
        raise ValueError(
            f"quantiles={outside} lie outside of those of the fit, {levels[0]} to {levels[-1]}: fit with quantiles "
            f"that reach as far, or with a loss that is a distribution"
        )
    if len(levels) == 1:
        return known[..., [0] * len(wanted)]
    grid, at = np.array(levels), np.array(wanted)
    right = np.clip(np.searchsorted(grid, at), 1, len(grid) - 1)
    share = (at - grid[right - 1]) / (grid[right] - grid[right - 1])
    return (1 - share) * known[..., right - 1] + share * known[..., right]


def check_levels(levels: ArrayLike, *, name: str = "quantiles") -> tuple[float, ...]:
    """Check levels of quantiles: numbers between 0 and 1 in rising order."""
    found = np.asarray(levels)
    if found.ndim != 1 or len(found) == 0 or found.dtype.kind not in "iuf":
        raise ValueError(f"{name} must be a list of numbers between 0 and 1, such as [0.1, 0.5, 0.9], got {levels!r}")
    if not np.all((found > 0) & (found < 1)):
        wrong = found[~((found > 0) & (found < 1))][0]
        raise ValueError(f"{name} must lie between 0 and 1, without the ends, got {wrong!s} in {levels!r}")
    if np.any(np.diff(found) <= 0):
        raise ValueError(f"{name} must be in rising order, and each there once, got {levels!r}: give sorted(set(...))")
    return tuple(found.astype(float).tolist())


def number_loss(name: str, quantiles: ArrayLike | None = None) -> NumberLoss:
    """The record of a loss.

    Parameters
    ----------
    name : str
        A key of :data:`NUMBER_LOSSES`.
    quantiles : array-like of shape (n_levels,), optional
        Levels between 0 and 1 in rising order. ``"quantile"`` learns them; a distribution takes them as those that are
        asked for where no others are; with another loss they are an error.

    Returns
    -------
    loss : NumberLoss
    """
    if name not in NUMBER_LOSSES:
        raise ValueError(f"loss must be one of {sorted(NUMBER_LOSSES)}, got {name!r}")
    loss = NUMBER_LOSSES[name]
    levels = None if quantiles is None else check_levels(quantiles)
    if name == "quantile":
        if levels is None:
            raise ValueError("loss='quantile' needs the levels to learn: give quantiles, for example [0.1, 0.5, 0.9]")
        return replace(
            loss,
            function=partial(functions.quantile, levels=levels),
            n_parameters=len(levels),
            centre=partial(_one_quantile, position=_central(levels)),
            first_bias=partial(distributions.bias_of_quantiles, levels=levels),
            levels=levels,
        )
    if levels is not None and not loss.has_distribution:
        raise ValueError(
            f"quantiles={quantiles!r} have no use with loss={name!r}, which predicts none: set loss='quantile', or one "
            f"of {[other.name for other in NUMBER_LOSSES.values() if other.has_distribution]}"
        )
    return replace(loss, levels=levels)


def _central(levels: tuple[float, ...]) -> int:
    """The position of the median, or where it is not among the levels of the middle one."""
    return levels.index(0.5) if 0.5 in levels else (len(levels) - 1) // 2


def _one_quantile(outputs: Tensor, position: int) -> Tensor:
    return functions.as_quantiles(outputs)[..., position]


NUMBER_LOSSES: dict[str, NumberLoss] = {
    loss.name: loss
    for loss in [
        NumberLoss("squared_error", functions.squared_error, kernel="squared_error"),
        NumberLoss("absolute_error", functions.absolute_error, predicts="median"),
        NumberLoss("huber", functions.huber, predicts="centre"),
        NumberLoss("poisson", functions.poisson, centre=functions.as_mean, domain="not negative", scaling="divide"),
        NumberLoss("gamma", functions.gamma, centre=functions.as_mean, domain="positive", scaling="divide"),
        NumberLoss("quantile", functions.quantile, predicts="median"),
        NumberLoss(
            "gaussian",
            functions.gaussian,
            n_parameters=2,
            first_bias=partial(distributions.bias_of_scale, scale=1.0),
            distribution=distributions.gaussian,
        ),
        NumberLoss(
            "laplace",
            functions.laplace,
            n_parameters=2,
            first_bias=partial(distributions.bias_of_scale, scale=0.5**0.5),
            distribution=distributions.laplace,
        ),
        NumberLoss(
            "student_t",
            functions.student_t,
            n_parameters=3,
            first_bias=partial(distributions.bias_of_scale, scale=0.6**0.5, degrees=5.0),
            distribution=distributions.student_t,
        ),
        NumberLoss(
            "negative_binomial",
            functions.negative_binomial,
            n_parameters=2,
            centre=functions.as_mean,
            domain="counts",
            scaling="none",
            first_bias=distributions.bias_of_counts,
            distribution=distributions.negative_binomial,
        ),
    ]
}
"""The losses by their names. What is added here can be chosen by its key."""
