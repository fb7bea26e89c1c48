"""Optimizers and learning-rate schedules by name."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from skorch.callbacks import LRScheduler
from torch import Tensor
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR, ReduceLROnPlateau

from sklearn_rnn.training.ending import Pace

OPTIMIZERS: dict[str, tuple[type[torch.optim.Optimizer], dict[str, Any]]] = {
    "adam": (torch.optim.Adam, {"fused": True}),
    "adamw": (torch.optim.AdamW, {"fused": True}),
    "sgd": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    "rmsprop": (torch.optim.RMSprop, {}),
}
SCHEDULES = ("plateau", "cosine", "onecycle")


class TimedCosine(CosineAnnealingLR):
    """A cosine over steps or over time, whichever is further on.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
    T_max : int
        Steps.
    pace : Pace
    last_epoch : int
    """

    def __init__(self, optimizer: torch.optim.Optimizer, T_max: int, pace: Pace, last_epoch: int = -1) -> None:
        self.pace = pace
        super().__init__(optimizer, T_max=T_max, last_epoch=last_epoch)

    def get_lr(self) -> Any:
        self.last_epoch = max(self.last_epoch, self.pace.share * self.T_max)  # type: ignore[assignment]  # a fraction
        return self._get_closed_form_lr()


class TimedOneCycle(OneCycleLR):
    """One cycle over steps or over time, whichever is further on.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
    pace : Pace
    **options : dict
        As of torch's class.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, pace: Pace, **options: Any) -> None:
        self.pace = pace
        super().__init__(optimizer, **options)

    def get_lr(self) -> Any:
        timed = self.pace.share * (self.total_steps - 1)
        self.last_epoch = min(max(self.last_epoch, timed), self.total_steps)  # type: ignore[assignment]  # a fraction
        return super().get_lr()


BATCH_SCHEDULES = (CosineAnnealingLR, OneCycleLR, TimedCosine, TimedOneCycle)
"""Schedules that make a step a batch, and look at nothing but themselves."""


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
    lr_schedule: str | None,
    learning_rate: float,
    *,
    n_steps: int,
    patience: int,
    monitor: str,
    optimizer: str | type[torch.optim.Optimizer],
    pace: Pace | None = None,
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
    optimizer : str or subclass of torch.optim.Optimizer
        One with momentum has it lowered by "onecycle" while the rate rises.
    pace : Pace, optional
        Of a training whose time may end before its steps.
    """
    if lr_schedule is None:
        return []
    if lr_schedule == "plateau":
        return [LRScheduler(ReduceLROnPlateau, monitor=monitor, factor=0.5, patience=patience)]
    if lr_schedule == "cosine":
        if pace is not None:
            return [LRScheduler(TimedCosine, T_max=n_steps, pace=pace, step_every="batch")]
        return [LRScheduler(CosineAnnealingLR, T_max=n_steps, step_every="batch")]
    options = {"max_lr": learning_rate, "total_steps": n_steps + 1, "cycle_momentum": _has_momentum(optimizer)}
    if pace is not None:
        return [LRScheduler(TimedOneCycle, **options, pace=pace, step_every="batch")]
    return [LRScheduler(OneCycleLR, **options, step_every="batch")]


def _has_momentum(optimizer: str | type[torch.optim.Optimizer]) -> bool:
    """Whether an optimizer by name or class has momentum that a schedule may move: not one that is 0 all along."""
    cls, options = OPTIMIZERS[optimizer] if isinstance(optimizer, str) else (optimizer, {})
    known = inspect.signature(cls).parameters
    return "betas" in known or ("momentum" in known and bool(options.get("momentum", known["momentum"].default)))


class FusedStep:
    """The step of torch's fused Adam or AdamW, without what torch looks up and checks anew at every step.

    ``Optimizer.step`` costs about as much on the CPU as the update of a small network. This calls the kernel that it
    calls, with lists of parameters and state that are made once an epoch.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        One that :meth:`serves`, and that has stepped at least once.
    """

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        (group,) = optimizer.param_groups
        self.group = group
        self.parameters: list[Tensor] = [parameter for parameter in group["params"] if parameter.requires_grad]
        states = [optimizer.state[parameter] for parameter in self.parameters]
        self.means = [state["exp_avg"] for state in states]
        self.squares = [state["exp_avg_sq"] for state in states]
        self.count = torch.stack([state["step"] for state in states])
        self.counts = list(self.count.unbind())  # views, so that all are counted up at once
        for state, count in zip(states, self.counts, strict=True):
            state["step"] = count
        decoupled = isinstance(optimizer, torch.optim.AdamW) or group.get("decoupled_weight_decay", False)
        self.kernel: Any = torch._fused_adamw_ if decoupled else torch._fused_adam_

    @staticmethod
    def serves(optimizer: torch.optim.Optimizer) -> bool:
        """Whether the step of `optimizer` is the kernel's and nothing else: no hooks, one group, plain options."""
        if type(optimizer) not in (torch.optim.Adam, torch.optim.AdamW) or len(optimizer.param_groups) != 1:
            return False
        (group,) = optimizer.param_groups
        hooks = (optimizer._optimizer_step_pre_hooks, optimizer._optimizer_step_post_hooks)
        trained = [parameter for parameter in group["params"] if parameter.requires_grad]
        return (
            bool(group["fused"])
            and not any(group[name] for name in ("amsgrad", "maximize", "capturable", "differentiable"))
            and not any(isinstance(value, Tensor) for value in (group["lr"], *group["betas"]))
            and not any(hooks)
            and len({(parameter.device, parameter.dtype) for parameter in trained}) == 1
            and all("exp_avg" in optimizer.state[parameter] for parameter in trained)
        )

    def __call__(self, gradients: list[Tensor]) -> None:
        """Step, given the gradient of each of the parameters."""
        group = self.group
        beta1, beta2 = group["betas"]  # a schedule may move them as it moves the rate
        self.count += 1
        self.kernel(
            self.parameters,
            gradients,
            self.means,
            self.squares,
            [],
            self.counts,
            amsgrad=False,
            lr=group["lr"],
            beta1=beta1,
            beta2=beta2,
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=False,
            grad_scale=None,
            found_inf=None,
        )
