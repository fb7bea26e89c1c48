"""The training loop: a base skorch net, one epoch at a time, with early stopping and the best weights from memory.

This room alone imports skorch.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import EarlyStopping, LRScheduler
from skorch.helper import predefined_split

from sklearn_rnn.data.batching import SequenceDataset
from sklearn_rnn.data.orders import BatchIterator, Buckets, Order
from sklearn_rnn.networks.dropout import set_generator
from sklearn_rnn.networks.losses import Loss, LossSettings, WeightedLoss
from sklearn_rnn.networks.network import build_network
from sklearn_rnn.networks.specs import NetworkSpec
from sklearn_rnn.training.callbacks import Freezing, GradientClipping, Score, ValidationLoss, ValidationScore
from sklearn_rnn.training.constant import warn_if_nothing_learned
from sklearn_rnn.training.distributed import SharedBatches, SharedFigures, SharedGradients, current_world
from sklearn_rnn.training.divergence import NonFiniteOutputsError, Predict, check_epoch, check_outputs, diverged
from sklearn_rnn.training.ending import ALL_EPOCHS, Clock, Ending, Progress, how_it_ended
from sklearn_rnn.training.epoch import Net
from sklearn_rnn.training.epoch import run_epoch as train_epoch
from sklearn_rnn.training.given_callbacks import EstimatorScoring, Evaluate, callbacks_of_fit, check_callbacks
from sklearn_rnn.training.memory import check_network
from sklearn_rnn.training.optimization import optimizer_parameters, schedule_callbacks

VALIDATION_STEPS = 2**12
"""Steps of one validation batch, unless `batch_size` makes it larger."""

RunEpoch = Callable[[NeuralNet, Callable[[], None]], bool]


@dataclass(frozen=True)
class TrainingOptions:
    """The parameters of an estimator that concern its training.

    `autocast` is whether the forward pass is computed in bfloat16, `partial` whether this is one epoch of a training
    that the caller leads. The `clock` runs since the fit began.
    """

    optimizer: str | type[torch.optim.Optimizer]
    learning_rate: float
    lr_schedule: str | None
    weight_decay: float
    batch_size: int
    max_epochs: int
    clip_grad_norm: float | None
    clip_grad_value: float | None
    freeze: str | None
    unfreeze_every: int | None
    freeze_embeddings: bool
    early_stopping: bool
    n_iter_no_change: int
    tol: float
    max_time: float | None
    callbacks: list[Any] | None
    verbose: int
    device: torch.device
    seed: int
    autocast: bool = False
    partial: bool = False
    clock: Clock = field(default_factory=Clock)


@dataclass
class TrainingResult:
    """What training leaves behind.

    Attributes
    ----------
    net : skorch.NeuralNet
        Without data, optimizer state or records of batches.
    n_iter : int
        Epochs that were run, the last one perhaps in part.
    stopped_by : str
        What ended the training.
    best_epoch : int
        The epoch, counted from 1, whose weights are kept.
    loss_curve : list of float
    validation_scores : list of float or None
    history : list of dict
        One record an epoch.
    optimizer_state : dict
    """

    net: NeuralNet
    n_iter: int = 0
    stopped_by: str = ALL_EPOCHS
    best_epoch: int = 0
    loss_curve: list[float] = field(default_factory=list)
    validation_scores: list[float] | None = None
    history: list[dict[str, Any]] = field(default_factory=list)
    optimizer_state: dict[str, Any] = field(default_factory=dict)


def build_net(
    spec: NetworkSpec,
    criterion: tuple[Loss, LossSettings],
    options: TrainingOptions,
    *,
    training: SequenceDataset,
    order: Order | None = None,
    validation: SequenceDataset | None = None,
    validation_order: Order | None = None,
    score: Score | None = None,
    evaluate: Evaluate | None = None,
) -> NeuralNet:
    """A fresh, initialised skorch net.

    Parameters
    ----------
    spec : NetworkSpec
    criterion : (Loss, LossSettings)
    options : TrainingOptions
    training : SequenceDataset
    order : Order, optional
        That of the batches; by default sequences of similar length share one, at random.
    validation : SequenceDataset, optional
    validation_order : Order, optional
        That of its batches.
    score : callable, optional
        Of the validation data; see :class:`ValidationScore`. Without it their score is the loss with its sign turned.
    evaluate : callable, optional
        What scores whole sequences for an EpochScoring among the callbacks.

    Returns
    -------
    net : skorch.NeuralNet
    """
    check_callbacks(options.callbacks)
    check_network(spec, options.device)
    # PrintLog makes a table of all epochs after each of them, whether or not it is printed.
    silent: dict[str, Any] = {} if options.verbose else {"callbacks__print_log": None}
    callbacks: list[Any] = [Freezing(options.freeze, options.unfreeze_every, tokens=options.freeze_embeddings)]
    world = current_world()
    if world.size > 1:
        callbacks.append(SharedGradients())
    if options.clip_grad_norm is not None or options.clip_grad_value is not None:
        callbacks.append(GradientClipping(options.clip_grad_norm, options.clip_grad_value))
    if validation is not None:
        callbacks.append(ValidationLoss() if score is None else ValidationScore(score))
        callbacks += [SharedFigures()] if world.size > 1 else []
    order = order or Buckets(np.random.RandomState(options.seed))
    ending = Ending(options.max_time, options.clock, each_batch=options.max_time is not None or bool(options.callbacks))
    callbacks += schedule_callbacks(
        options.lr_schedule,
        options.learning_rate,
        n_steps=options.max_epochs * order.count(training, options.batch_size),
        patience=max(1, options.n_iter_no_change // 2),
        monitor="train_loss" if validation is None else "valid_loss",
        optimizer=options.optimizer,
        pace=None if options.max_time is None else ending.pace,
    )
    net = Net(
        module=build_network,
        module__spec=spec,
        criterion=WeightedLoss,
        criterion__loss=criterion[0],
        criterion__settings=criterion[1],
        **optimizer_parameters(options.optimizer, options.learning_rate, options.weight_decay),
        iterator_train=BatchIterator if world.size == 1 else SharedBatches,
        iterator_train__order=order,
        iterator_valid=BatchIterator,
        iterator_valid__order=validation_order or Buckets(),
        iterator_valid__batch_size=_validation_batch_size(validation, options),
        batch_size=options.batch_size,
        train_split=None if validation is None else predefined_split(validation),
        callbacks=[*callbacks, *callbacks_of_fit(options.callbacks, evaluate)],
        device=options.device,
        verbose=options.verbose if world.rank == 0 else 0,
        **silent,
    )
    net.initialize()
    net.ending_ = ending
    return net


def _validation_batch_size(validation: SequenceDataset | None, options: TrainingOptions) -> int:
    """Sequences of a validation batch: without gradients there is room for more than in training."""
    if validation is None:
        return options.batch_size
    return max(options.batch_size, VALIDATION_STEPS // max(1, int(validation.n_steps.max())))


def resume(net: NeuralNet, weights: dict[str, torch.Tensor], optimizer_state: dict[str, Any] | None) -> None:
    """Let a fresh net go on from the weights and the optimizer state of an earlier one.

    The state is what the optimizer gathered about each weight. Its settings stay those of `net`: a schedule leaves a
    learning rate near 0 behind, and parameters may have been set since. Another optimizer starts without any.

    Raises
    ------
    ValueError
        If the weights do not fit the net.
    """
    own = net.module_.state_dict()
    learned = net.module_.learned_names
    try:
        if not learned <= weights.keys() <= own.keys():
            raise RuntimeError("other layers")
        net.module_.load_state_dict({**own, **{name: weights[name] for name in learned}})
    except RuntimeError as error:
        raise ValueError(
            "warm_start and partial_fit go on from the last weights, and those do not fit the network that the "
            "parameters now describe: leave cell_type, hidden_size and the like as they were, or make a new estimator"
        ) from error
    if optimizer_state and optimizer_state["optimizer"] == type(net.optimizer_).__name__:
        settings = net.optimizer_.state_dict()["param_groups"]
        state = copy.deepcopy(optimizer_state["state"])  # torch would go on in the tensors that it is given
        net.optimizer_.load_state_dict({"state": state, "param_groups": settings})


def train(
    net: NeuralNet,
    training: SequenceDataset,
    options: TrainingOptions,
    *,
    validated: bool,
    run_epoch: RunEpoch,
    predict: Predict | None = None,
) -> TrainingResult:
    """Train for ``options.max_epochs``, or until something ends the training before.

    Parameters
    ----------
    net : skorch.NeuralNet
        As :func:`build_net` made it.
    training : SequenceDataset
    options : TrainingOptions
    validated : bool
        Whether `net` has validation data.
    run_epoch : callable
        Takes the net and the work of an epoch, does the work, and tells whether to stop.
    predict : callable, optional
        Maps outputs (n, n_outputs) to the numbers that they stand for.

    Returns
    -------
    result : TrainingResult

    Raises
    ------
    ValueError
        If skorch's ``EarlyStopping`` is to look at validation data, and there is none.
    TrainingDivergedError
        If the loss, weights or outputs turn NaN or infinite.
    KeyboardInterrupt
        If the user interrupts.
    """
    if not validated:
        _refuse_to_monitor_validation(net)
    progress = Progress(options.tol, options.n_iter_no_change) if validated and options.early_stopping else None
    best_weights: dict[str, torch.Tensor] = {}
    epoch = 0
    world, ending = current_world(), net.ending_
    set_generator(net.module_, torch.Generator(options.device).manual_seed(options.seed + world.rank))
    ending.begin()
    net.notify("on_train_begin", X=training, y=None)
    for epoch in range(1, options.max_epochs + 1):
        asked = run_epoch(net, partial(_train_epoch, net, training, epoch, options))
        record = net.history[-1]
        if progress is not None and progress.update(epoch, record["valid_score"], record["valid_loss"]):
            best_weights = {name: value.clone() for name, value in net.module_.state_dict().items()}
        if ending.after_epoch(asked=asked, exhausted=progress is not None and progress.exhausted):
            break
    if best_weights:
        net.module_.load_state_dict(best_weights)  # which callbacks may save
    check_outputs(net, training, epoch, options, predict)
    net.notify("on_train_end", X=training, y=None)
    if best_weights:
        net.module_.load_state_dict(best_weights)
    set_generator(net.module_, None)
    history = [{key: value for key, value in row.items() if key != "batches"} for row in net.history]
    result = TrainingResult(
        net=net,
        n_iter=epoch,
        stopped_by=ending.stopped_by,
        best_epoch=epoch if progress is None else progress.best_epoch,
        loss_curve=[float(row["train_loss"]) for row in history],
        validation_scores=[float(row["valid_score"]) for row in history] if validated else None,
        history=history,
        optimizer_state={
            "optimizer": type(net.optimizer_).__name__,
            "state": _on_cpu(net.optimizer_.state_dict()["state"]),
        },
    )
    if world.rank == 0 and not options.partial:
        if options.verbose:
            print(how_it_ended(ending, options, epoch, result.best_epoch))
        whole = result.loss_curve[:-1] if ending.cut else result.loss_curve
        n_steps = sum(row["train_batch_count"] for row in history)
        warn_if_nothing_learned(net, training, options, whole, n_steps)
    _strip(net)
    return result


def _train_epoch(net: NeuralNet, training: SequenceDataset, epoch: int, options: TrainingOptions) -> None:
    """Train for one epoch, and see that it has not diverged before anybody looks at what it has left."""
    try:
        train_epoch(net, training, autocast=options.autocast)
    except NonFiniteOutputsError:
        raise diverged("Predictions of the validation data became infinite or NaN", epoch, options) from None
    check_epoch(net, epoch, options)


def _on_cpu(state: Any) -> Any:
    """The state of an optimizer with its tensors on the CPU, so that it can be read where there is no other device."""
    if isinstance(state, dict):
        return {key: _on_cpu(value) for key, value in state.items()}
    if isinstance(state, list):
        return [_on_cpu(value) for value in state]
    return state.cpu() if isinstance(state, torch.Tensor) else state


def _refuse_to_monitor_validation(net: NeuralNet) -> None:
    for _, callback in net.callbacks_:
        if isinstance(callback, EarlyStopping) and callback.monitor.startswith("valid_"):
            raise ValueError(
                f"callbacks holds an EarlyStopping with monitor={callback.monitor!r}, but there is no validation data: "
                f"set early_stopping=True, give X_val and y_val to fit, or use EarlyStopping(monitor='train_loss')"
            )


def _strip(net: NeuralNet) -> None:
    """Leave nothing in a fitted net that a saved model should not hold: data, optimizer state, records of batches."""
    own = (Freezing, GradientClipping, ValidationLoss, ValidationScore, SharedGradients, SharedFigures)
    kept = [part for part in net.callbacks_ if not isinstance(part[1], own)]
    net.callbacks_ = [EstimatorScoring.unwrapped(part) for part in kept]
    net.callbacks = [EstimatorScoring.unwrapped(part) for part in net.callbacks or [] if not isinstance(part, own)]
    for _, callback in net.callbacks_:
        if isinstance(callback, LRScheduler):
            callback.__dict__.pop("lr_scheduler_", None)  # it holds the optimizer
    net.module_.zero_grad()
    net.train_split = net.carried_ = net.ending_ = None
    net.iterator_train__order = net.iterator_valid__order = None
    net.optimizer_ = None
    for row in net.history:
        row.pop("batches", None)
