"""skorch callbacks of this package: what happens inside an epoch. What happens between epochs is in the loop."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback

from sklearn_rnn.networks.pooling import step_mask
from sklearn_rnn.training.divergence import NonFiniteOutputsError

Score = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], float]


class GradientClipping(Callback):
    """Clip the gradient before each step, by its values and then by its norm (Pascanu et al. 2013).

    Parameters
    ----------
    max_norm, max_value : float or None
    """

    def __init__(self, max_norm: float | None, max_value: float | None) -> None:
        self.max_norm = max_norm
        self.max_value = max_value

    def on_grad_computed(self, net: Any, named_parameters: Any, **kwargs: Any) -> None:
        with torch.no_grad():
            self.clip([parameter.grad for _, parameter in named_parameters if parameter.grad is not None])

    def clip(self, gradients: list[torch.Tensor]) -> None:
        """Clip `gradients` in place; without autograd, on any device but the CPU without waiting for it.

        torch's ``clip_grad_norm_`` computes the same, and takes about three times as long for a small network.
        """
        if self.max_value is not None:
            torch._foreach_clamp_min_(gradients, -self.max_value)
            torch._foreach_clamp_max_(gradients, self.max_value)
        if self.max_norm is None:
            return
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        if norm.device.type != "cpu":
            torch._foreach_mul_(gradients, torch.clamp(self.max_norm / (norm + 1e-6), max=1.0))
            return
        scale = self.max_norm / (norm.item() + 1e-6)
        if not scale >= 1:  # NaN too
            torch._foreach_mul_(gradients, scale)


class Freezing(Callback):
    """Keep parts of the network out of training, and let them in again one by one from the top.

    Parameters
    ----------
    freeze : {"inputs", "backbone"} or None
        What is kept out: the inputs, or all but the head.
    every : int or None
        Epochs after which the next part is let in; None is never.
    tokens : bool
        Whether the vectors of tokens are kept out for good.
    """

    def __init__(self, freeze: str | None, every: int | None, *, tokens: bool) -> None:
        self.freeze = freeze
        self.every = every
        self.tokens = tokens
        self.epochs = 0

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        self.epochs = 0

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        network = net.module_
        held = [] if network.inputs is None else [network.inputs]
        if self.freeze == "backbone":
            held += network.groups()
        elif self.freeze is None:
            held = []
        released = 0 if self.every is None else self.epochs // self.every
        for k, part in enumerate(held):
            part.requires_grad_(len(held) - k <= released)
        if self.tokens and network.inputs is not None:
            network.inputs.freeze_tokens(True)
        self.epochs += 1


class ValidationLoss(Callback):
    """Record, where the score is a likelihood, minus the validation loss as ``valid_score``, and if it is the best."""

    def __init__(self) -> None:
        self.best = -math.inf

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        self.best = -math.inf

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        score = -float(net.history[-1]["valid_loss"])
        net.history.record("valid_score", score)
        net.history.record("valid_score_best", score > self.best)
        self.best = max(self.best, score)


class ValidationScore(Callback):
    """Score the predictions on the validation data after each epoch, and record it as ``valid_score``.

    Whether it is the best so far is recorded as ``valid_score_best``, which callbacks of skorch monitor.

    Of each batch only what the score needs is kept: the code of a class, not the outputs of all of them.

    Parameters
    ----------
    score : callable
        Takes what the loss decides (n, ...), targets (n, ...), weights (n,) and the lengths of the sequences
        (n_sequences,), padding left out, and returns a float. A FloatingPointError says that
        predictions are not finite.

    Raises
    ------
    NonFiniteOutputsError
        At the end of an epoch whose predictions are no finite numbers.
    """

    def __init__(self, score: Score) -> None:
        self.score = score
        self.best = -math.inf
        self.batches: list[tuple[torch.Tensor, ...]] = []
        self.inside: list[torch.Tensor] = []

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        self.best = -math.inf

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        self.batches, self.inside = [], []

    def on_batch_end(self, net: Any, batch: Any, training: bool = False, y_pred: Any = None, **kwargs: Any) -> None:
        if training:
            return
        for part, outputs in zip(batch.parts, batch.separate(y_pred), strict=True):
            self._keep(net, part, outputs)

    def _keep(self, net: Any, batch: Any, outputs: torch.Tensor) -> None:
        with torch.no_grad():
            decided = net.criterion_.decide(outputs, batch.lengths, net.module_.head)
        parts = (decided, batch.target, batch.weight)
        if batch.weight.ndim > 1:  # one at each step
            parts = tuple(part.flatten(0, 1) for part in parts)
            self.inside.append(step_mask(batch.lengths, batch.weight.shape[1]).flatten())
        self.batches.append((*parts, batch.lengths))

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        joined = [torch.cat(part).cpu() for part in zip(*self.batches, strict=True)]
        if self.inside:  # only now: to look for the steps that are no padding is to wait for the device
            inside = torch.cat(self.inside).cpu()
            joined[:3] = [part[inside] for part in joined[:3]]
        if joined[0].is_floating_point() and not bool(torch.isfinite(joined[0]).all()):
            raise NonFiniteOutputsError
        parts = (part.double().numpy() for part in joined)
        try:
            score = float(self.score(*parts))
        except FloatingPointError:
            raise NonFiniteOutputsError from None
        net.history.record("valid_score", score)
        net.history.record("valid_score_best", score > self.best)
        self.best = max(self.best, score)
        self.batches, self.inside = [], []
