"""skorch callbacks of this package: what happens inside an epoch. What happens between epochs is in the loop."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback, EpochScoring
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

ScoreOutputs = Callable[[np.ndarray, np.ndarray, np.ndarray], float]


def check_callbacks(callbacks: Any) -> None:
    """Raise ValueError unless all of `callbacks`, a list or None, are what skorch takes for one."""
    for i, callback in enumerate(callbacks or []):
        named = isinstance(callback, tuple) and len(callback) == 2 and isinstance(callback[0], str)
        part = callback[1] if named else callback
        if not all(hasattr(part, method) for method in ("initialize", "set_params", "on_epoch_end")):
            raise ValueError(
                f"callbacks[{i}] is {callback!r:.60}, wanted a skorch callback: an instance, a class, or a pair of a "
                f"name and one of those. scikit-learn's own callbacks are given to set_callbacks"
            )
        if isinstance(part, EpochScoring) and part.use_caching:
            raise ValueError(
                f"callbacks[{i}] is an EpochScoring that collects predictions, which it cannot of padded batches: look "
                f"at validation_scores_, set scikit-learn's ScoringMonitor, or give it use_caching=False"
            )
        try:
            copy.deepcopy(part)
        except Exception as error:
            raise ValueError(f"callbacks[{i}], a {type(part).__name__}, cannot be copied: {error}") from error


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
        parameters = [parameter for _, parameter in named_parameters]
        if self.max_value is not None:
            clip_grad_value_(parameters, self.max_value)
        if self.max_norm is not None:
            clip_grad_norm_(parameters, self.max_norm)


class ValidationScore(Callback):
    """Score the outputs on the validation data after each epoch, and record it as ``valid_score``.

    Parameters
    ----------
    score_outputs : callable
        Takes outputs (n, n_outputs), targets (n, ...) and weights (n,), padding left out, and returns a float.
    """

    def __init__(self, score_outputs: ScoreOutputs) -> None:
        self.score_outputs = score_outputs
        self.batches: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        self.batches = []

    def on_batch_end(self, net: Any, batch: Any, training: bool = False, y_pred: Any = None, **kwargs: Any) -> None:
        if training:
            return
        target, weight = batch[1]["target"], batch[1]["weight"]
        counted = weight > 0
        self.batches.append((y_pred.detach()[counted], target[counted], weight[counted]))

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        parts = (torch.cat(part).cpu().double().numpy() for part in zip(*self.batches, strict=True))
        net.history.record("valid_score", float(self.score_outputs(*parts)))
        self.batches = []
