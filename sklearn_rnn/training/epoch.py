"""One epoch of training, with as little between two batches as their computation allows.

skorch tells its callbacks of every batch, writes each into the history and waits for its loss. Where no callback asks
for that, the epoch here leaves the same weights and the same history behind, and looks at the losses when it is over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, EpochScoring, LRScheduler
from torch import Tensor

from sklearn_rnn.data.batching import Batch, SequenceDataset, SplitBatch
from sklearn_rnn.data.orders import BatchIterator
from sklearn_rnn.exceptions import StopTraining
from sklearn_rnn.networks.direct import DirectPass
from sklearn_rnn.networks.dropout import one_batch
from sklearn_rnn.networks.truncated import TruncatedPass
from sklearn_rnn.training.callbacks import GradientClipping, ValidationScore
from sklearn_rnn.training.ending import Ending
from sklearn_rnn.training.given_callbacks import NamedHistory, can_be_pickled
from sklearn_rnn.training.optimization import BATCH_SCHEDULES, FusedStep
from sklearn_rnn.training.precision import Bfloat16Forward, forward_in_bfloat16

Record = dict[str, Any]

BATCH_METHODS = ("on_batch_begin", "on_batch_end", "on_grad_computed")

LOSSES_JOINED = 1024
"""Losses of batches that are put into one tensor: there may be millions."""


def run_epoch(net: NeuralNet, training: SequenceDataset, *, autocast: bool = False) -> None:
    """Train `net` for one epoch: with the loop of this module if :func:`runs_alone`, else with skorch's.

    Parameters
    ----------
    net : skorch.NeuralNet
        Initialised, with a :class:`BatchIterator` for its batches.
    training : SequenceDataset
    autocast : bool
        Whether the forward pass is computed in bfloat16.
    """
    if not runs_alone(net):
        with forward_in_bfloat16(net.module_, enabled=autocast):
            net.fit_loop(training, epochs=1)
        return
    if net.history:
        net.history[-1]["batches"] = []  # nobody looks at them any more, and there may be millions
    dataset, held_out = net.get_split_datasets(training)
    parts = {"dataset_train": dataset, "dataset_valid": held_out}
    net.notify("on_epoch_begin", **parts)
    forward = Bfloat16Forward(net.module_) if autocast else net.module_
    record = net.history[-1]
    with net.criterion_.serving(net.module_.head):
        record["batches"] = _train(net, forward, net.get_iterator(dataset, training=True))
    record["train_batch_count"] = len(record["batches"])
    if held_out is not None:
        with net.criterion_.serving(net.module_.head):
            batches = _validate(net, forward, net.get_iterator(held_out, training=False))
        record["batches"] += batches
        record["valid_batch_count"] = len(batches)
    net.notify("on_epoch_end", **parts)


def runs_alone(net: NeuralNet) -> bool:
    """Whether no callback of `net` wants to know of single batches, but for those that this module stands in for."""
    return not any(_looks_at_batches(callback) for _, callback in net.callbacks_)


def _looks_at_batches(callback: Any) -> bool:
    if type(callback) in (GradientClipping, ValidationScore):
        return False
    if type(callback) is LRScheduler:
        return bool(callback.step_every == "batch" and callback.policy_ not in BATCH_SCHEDULES)
    if isinstance(callback, EpochScoring) and not callback.use_caching:
        return _overrides(callback, BATCH_METHODS, EpochScoring)
    return _overrides(callback, BATCH_METHODS, Callback)


def _overrides(callback: Any, methods: tuple[str, ...], base: type) -> bool:
    """Whether one of the `methods` of `callback` is not that of the class `base`."""
    return any(getattr(getattr(callback, name, None), "__func__", None) is not getattr(base, name) for name in methods)


def _train(net: NeuralNet, forward: Callable[..., Any], iterator: Iterable[Any]) -> list[Record]:
    """Make an optimizer step a batch, and return what skorch would have recorded of each."""
    schedules = [
        callback for _, callback in net.callbacks_ if type(callback) is LRScheduler and callback.step_every == "batch"
    ]
    net.module_.train()
    net.criterion_.train()
    step = TrainingStep(net, forward)
    losses = LossLog()
    rates: dict[str, list[float]] = {schedule.event_name: [] for schedule in schedules if schedule.event_name}
    for batch in iterator:
        losses.add(step(batch), len(batch))
        for schedule in schedules:
            scheduler: Any = schedule.lr_scheduler_
            if schedule.event_name:
                rates[schedule.event_name].append(scheduler.get_last_lr()[0])
            scheduler.step()
            schedule.batch_idx_ += 1
    records = losses.records("train")
    for name, values in rates.items():
        for row, rate in zip(records, values, strict=True):
            row[name] = rate
    return records


@torch.no_grad()
def _validate(net: NeuralNet, forward: Callable[..., Any], iterator: BatchIterator) -> list[Record]:
    """Compute loss and predictions of the validation data, and return what skorch would have recorded of each batch."""
    scores = [callback for _, callback in net.callbacks_ if type(callback) is ValidationScore]
    net.module_.eval()
    net.criterion_.eval()
    losses = LossLog()
    for batch in iterator:
        of_parts = []
        for part, share in zip(batch.parts, batch.shares, strict=True):
            outputs = net.infer(part) if part.piece else forward(*part.given)
            of_parts.append(net.criterion_(outputs, share, net.module_.head))
            for score in scores:
                score.on_batch_end(net, batch=part, training=False, y_pred=outputs)
        losses.add(total(of_parts), len(batch))
    return losses.records("valid")


class Net(NeuralNet):
    """A skorch net whose own loop reads batches, and computes gradients, as that of this module does."""

    carried_: Any = None  # the state that the next batch goes on from
    ending_: Ending | None = None  # of the training that goes on

    def notify(self, method_name: str, **cb_kwargs: Any) -> None:
        """Tell all callbacks; one that asks for the end of the training keeps nobody after it from being told."""
        getattr(self, method_name)(self, **cb_kwargs)
        for _, callback in self.callbacks_:
            try:
                getattr(callback, method_name)(self, **cb_kwargs)
            except (StopTraining, KeyboardInterrupt) as raised:
                if self.ending_ is None or not self.ending_.heed(callback, raised):
                    raise

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        """The batches of an epoch; in training until it ends."""
        batches = super().get_iterator(dataset, training=training)
        return self.ending_.until_it_ends(batches) if training and self.ending_ is not None else batches

    def initialize_history(self) -> None:
        """Begin a history that names what it has."""
        self.history_ = NamedHistory()

    def __getstate__(self) -> dict[str, Any]:
        """Leave out of a pickle the callbacks that hold what cannot be pickled, such as an open run."""
        state: dict[str, Any] = super().__getstate__()
        for name in ("callbacks", "callbacks_"):
            if isinstance(state.get(name), list):
                state[name] = [part for part in state[name] if can_be_pickled(part)]
        return state

    def train_step_single(self, batch: Batch | SplitBatch, **fit_params: Any) -> dict[str, Tensor]:
        """Loss and outputs of a batch, whose gradients are left in the parameters."""
        self._set_training(True)
        direct = direct_pass(self)
        batch = in_training(self, batch)
        with self.criterion_.serving(self.module_.head):
            done = [self._learn(part, truncated_pass(self, part) or direct) for part in parts_in_training(self, batch)]
        losses, outputs = zip(*done, strict=True)
        return {"loss": total(losses), "y_pred": batch.join(list(outputs))}

    def _learn(self, part: Batch, direct: TruncatedPass | DirectPass | None) -> tuple[Tensor, Tensor]:
        if direct is not None:
            loss, outputs = direct(part)
            return loss, outputs
        outputs = self.infer(part)
        loss = self.criterion_(outputs, part, self.module_.head)
        loss.backward()
        return loss.detach(), outputs.detach()

    def validation_step(self, batch: Batch | SplitBatch, **fit_params: Any) -> dict[str, Tensor]:
        """Loss and outputs of a batch, without gradients."""
        self._set_training(False)
        with torch.no_grad(), self.criterion_.serving(self.module_.head):
            of_parts = [self.infer(part) for part in batch.parts]
            head, pairs = self.module_.head, zip(of_parts, batch.shares, strict=True)
            losses = [self.criterion_(outputs, share, head) for outputs, share in pairs]
            return {"loss": total(losses), "y_pred": batch.join(of_parts)}

    def evaluation_step(self, batch: Batch | SplitBatch, training: bool = False) -> Tensor:
        """Outputs of a batch."""
        self.check_is_fitted()
        with torch.set_grad_enabled(training):
            self._set_training(training)
            return batch.join([self.infer(part) for part in batch.parts])

    def infer(self, batch: Batch, **fit_params: Any) -> Tensor:
        """Outputs of a batch, with the settings as they are; pieces of sequences go on from the batch before."""
        if not batch.piece:
            return self.module_(*batch.given)
        before = None if batch.goes_on is None else self.carried_.take(batch.goes_on)
        hidden, state = self.module_.advance(batch.values, batch.lengths, before)
        self.carried_ = state.detached()
        return self.module_.head(hidden, batch.lengths)


def direct_pass(net: NeuralNet) -> DirectPass | None:
    """What computes the gradients of `net` without autograd, if it can."""
    network, criterion = net.module_, net.criterion_
    return DirectPass(network, criterion) if DirectPass.serves(network, criterion) else None


def truncated_pass(net: NeuralNet, batch: Batch, *, autocast: bool = False) -> TruncatedPass | None:
    """What computes the gradients of `net` for a batch, where it is to cut them."""
    network = net.module_
    if batch.piece or not TruncatedPass.serves(network, batch.lengths):
        return None
    autocast = autocast or isinstance(vars(network).get("forward"), Bfloat16Forward)
    return TruncatedPass(network, net.criterion_, autocast=autocast)


def parts_in_training(net: NeuralNet, batch: Batch | SplitBatch) -> Iterator[Batch]:
    """The parts of a batch, whose losses add up to its own; weights that are dropped are the same ones for all."""
    if len(batch.parts) == 1:
        yield from batch.shares
        return
    with one_batch(net.module_):
        yield from batch.shares


def in_training(net: NeuralNet, batch: Batch | SplitBatch) -> Batch | SplitBatch:
    """A batch as it is learned from: in one, where its steps are normalised together."""
    return batch.whole() if net.module_.convolves else batch


def total(losses: Sequence[Tensor]) -> Tensor:
    """The sum of the losses of the parts of a batch."""
    return losses[0] if len(losses) == 1 else torch.stack(list(losses)).sum()


class TrainingStep:
    """Forward, backward, clipping and the optimizer's step for one batch after the other.

    Parameters
    ----------
    net : skorch.NeuralNet
    forward : callable
        Maps values and lengths to what the loss takes.
    """

    def __init__(self, net: NeuralNet, forward: Callable[..., Any]) -> None:
        self.net, self.forward = net, forward
        self.criterion, self.head = net.criterion_, net.module_.head
        self.direct = direct_pass(net) if forward is net.module_ else None
        self.optimizer: torch.optim.Optimizer = net.optimizer_
        self.parameters: list[Tensor] = [p for group in self.optimizer.param_groups for p in group["params"]]
        self.clippings = [callback for _, callback in net.callbacks_ if type(callback) is GradientClipping]
        self.fused: FusedStep | None = None
        self.n_steps = 0

    def __call__(self, batch: Batch | SplitBatch) -> Tensor:
        """Make the step, and return the loss (a tensor, so that nobody waits for it) before it."""
        self.n_steps += 1
        if self.fused is not None:
            loss = self._loss_and_gradients(batch)
            gradients = [parameter.grad for parameter in self.fused.parameters if parameter.grad is not None]
            if len(gradients) < len(self.fused.parameters):
                self._clip()
                self.optimizer.step()
            else:
                with torch.no_grad():
                    for clipping in self.clippings:
                        clipping.clip(gradients)
                    self.fused(gradients)
            return loss
        losses: list[Tensor] = []

        def closure() -> Tensor:  # some optimizers call it more than once
            losses.append(self._loss_and_gradients(batch))
            self._clip()
            return losses[-1]

        self.optimizer.step(closure)  # type: ignore[arg-type]  # torch says float, and its examples return the loss
        if self.n_steps == 1 and FusedStep.serves(self.optimizer):
            self.fused = FusedStep(self.optimizer)
        return losses[0]

    def _loss_and_gradients(self, batch: Batch | SplitBatch) -> Tensor:
        for parameter in self.parameters:
            parameter.grad = None
        batch = in_training(self.net, batch)
        return total([self._add_gradients(part) for part in parts_in_training(self.net, batch)])

    def _add_gradients(self, batch: Batch) -> Tensor:
        """The loss of a part of a batch, whose gradients are added to those of the parameters."""
        direct = truncated_pass(self.net, batch, autocast=self.forward is not self.net.module_) or self.direct
        if direct is not None:
            return direct(batch)[0]
        outputs = self.net.infer(batch) if batch.piece else self.forward(*batch.given)
        loss: Tensor = self.criterion(outputs, batch, self.head)
        loss.backward()
        return loss.detach()

    @torch.no_grad()
    def _clip(self) -> None:
        if self.clippings:
            gradients = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
            for clipping in self.clippings:
                clipping.clip(gradients)


class LossLog:
    """The losses of batches, left on the device until all are read."""

    def __init__(self) -> None:
        self._sizes: list[int] = []
        self._last: list[Tensor] = []
        self._joined: list[Tensor] = []

    def add(self, loss: Tensor, size: int) -> None:
        """Take the loss of a batch of `size` sequences."""
        self._sizes.append(size)
        self._last.append(loss)
        if len(self._last) == LOSSES_JOINED:
            self._join()

    def records(self, prefix: str) -> list[Record]:
        """One record a batch, under skorch's names."""
        self._join()
        losses = torch.cat(self._joined).tolist()
        names = f"{prefix}_loss", f"{prefix}_batch_size"
        return [dict(zip(names, figures, strict=True)) for figures in zip(losses, self._sizes, strict=True)]

    def _join(self) -> None:
        if self._last:
            self._joined.append(torch.stack(self._last))
            self._last = []
