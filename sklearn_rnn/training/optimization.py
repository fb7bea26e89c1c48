"""Optimizers and learning-rate schedules by name."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from skorch.callbacks import LRScheduler
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR, ReduceLROnPlateau

OPTIMIZERS: dict[str, tuple[type[torch.optim.Optimizer], dict[str, Any]]] = {
    "adam": (torch.optim.Adam, {"fused": True}),
    "adamw": (torch.optim.AdamW, {"fused": True}),
    "sgd": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    "rmsprop": (torch.optim.RMSprop, {}),
}
SCHEDULES = ("plateau", "cosine", "onecycle")


def optimizer_parameters(
    optimizer: str | type[torch.optim.Optimizer], learning_rate: float, weight_decay: float
) -> dict[str, Any]:
    """The skorch parameters for an optimizer by name or class; a class without weight decay is not given any."""
    cls, options = OPTIMIZERS[optimizer] if isinstance(optimizer, str) else (optimizer, {})
    options = {"lr": learning_rate, **options}
    if "weight_decay" in inspect.signature(cls).parameters:
        options["weight_decay"] = weight_decay
    elif weight_decay:
        raise ValueError(f"weight_decay={weight_decay!r} has no meaning for optimizer={cls.__name__}: set it to 0")
    return {"optimizer": cls, **{f"optimizer__{name}": value for name, value in options.items()}}


def schedule_callbacks(
    lr_schedule: str | None, learning_rate: float, *, n_steps: int, patience: int, monitor: str
) -> list[LRScheduler]:
    """The callback that drives the learning rate, in a list that is empty without a schedule.

    Parameters
    ----------
    lr_schedule : {"plateau", "cosine", "onecycle"} or None
    learning_rate : float
        The highest rate.
    n_steps : int
        Optimizer steps of the whole fit.
    patience : int
        Epochs without improvement before "plateau" halves the rate.
    monitor : str
        What "plateau" looks at.
    """
    if lr_schedule is None:
        return []
    if lr_schedule == "plateau":
        return [LRScheduler(ReduceLROnPlateau, monitor=monitor, factor=0.5, patience=patience)]
    if lr_schedule == "cosine":
        return [LRScheduler(CosineAnnealingLR, T_max=n_steps, step_every="batch")]
    return [LRScheduler(OneCycleLR, max_lr=learning_rate, total_steps=n_steps + 1, step_every="batch")]
