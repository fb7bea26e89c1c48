"""Data-parallel training: processes that ``torchrun`` has started share each batch, and keep one model.

A batch of ``batch_size`` sequences is dealt out to the processes. Each computes the gradient of its part; the gradients
are scaled by the size of the part, summed over all processes in one message, and every process makes the same step. A
step then does what one process would have done with the whole batch, but for rounding, for dropout, of which each
process draws masks of its own, and for convolutions, which each normalises over its own part.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from itertools import count
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from skorch.callbacks import Callback
from torch import Tensor
from torch.distributed.rendezvous import rendezvous

from sklearn_rnn.data.batching import Batch, SequenceDataset, SplitBatch
from sklearn_rnn.data.orders import BatchIterator, Order
from sklearn_rnn.training.workers import in_worker

ENVIRONMENT = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""What torchrun tells a process that it starts."""


@dataclass(frozen=True)
class World:
    """The processes that train together.

    Attributes
    ----------
    rank : int
        The number of this process.
    size : int
        How many there are.
    """

    rank: int = 0
    size: int = 1

    def shared(self, random_state: np.random.RandomState) -> np.random.RandomState:
        """What draws the same numbers in each process: the state of the first."""
        if self.size == 1:
            return random_state
        states = [random_state.get_state()]
        dist.broadcast_object_list(states, src=0, device=torch.device("cpu"))
        if self.rank:
            random_state = np.random.RandomState()
            random_state.set_state(states[0])
        return random_state

    def own_device(self, device: torch.device) -> torch.device:
        """The device of this process: on each machine every process takes a CUDA device of its own.

        Raises
        ------
        ValueError
            If there are fewer devices than processes on this machine.
        """
        if self.size == 1 or device.type != "cuda":
            return device
        number = int(os.environ.get("LOCAL_RANK", self.rank))
        if number >= torch.cuda.device_count():
            raise ValueError(
                f"data_parallel=True wants a CUDA device for each process, and this machine has "
                f"{torch.cuda.device_count()} for more: start fewer (torchrun --nproc_per_node), or set device='cpu'"
            )
        return torch.device("cuda", number)

    def any(self, flag: bool) -> bool:
        """Whether `flag` is true in any process."""
        return bool(self.greatest([float(flag)])[0])

    def greatest(self, figures: list[float]) -> list[float]:
        """For each of the `figures` the greatest that a process has."""
        if self.size == 1:
            return figures
        sent = torch.tensor(figures, dtype=torch.float64)
        dist.all_reduce(sent, op=dist.ReduceOp.MAX)
        return [float(figure) for figure in sent.tolist()]

    def of_the_first(self, figures: list[float]) -> list[float]:
        """The `figures` that the first process has."""
        sent = torch.tensor(figures, dtype=torch.float64)
        dist.broadcast(sent, src=0)
        return [float(figure) for figure in sent.tolist()]

    def send_weights(self, module: torch.nn.Module) -> None:
        """Give all processes the weights of the first."""
        if self.size == 1:
            return
        with torch.no_grad():
            for tensor in module.state_dict().values():
                sent = tensor.contiguous()
                dist.broadcast(sent, src=0)
                tensor.copy_(sent)


ALONE = World()
_world: ContextVar[World] = ContextVar("world", default=ALONE)


def current_world() -> World:
    """The processes that the present fit is shared with."""
    return _world.get()


@contextmanager
def join_world(*, enabled: bool, device: torch.device | str = "cpu") -> Iterator[World]:
    """Train together with the other processes that torchrun has started.

    torch's process group is taken as it is if there is one, and otherwise made, and destroyed in the end.

    Parameters
    ----------
    enabled : bool
        False: this process trains by itself, whoever started it, unless it has joined the others already.
    device : torch.device or str
        Where gradients are: they travel by NCCL from a CUDA device, by gloo from a CPU.

    Yields
    ------
    world : World

    Raises
    ------
    ValueError
        If this process was not started by torchrun, or is one of several jobs inside such a process.
    """
    if not enabled:
        yield current_world()
        return
    made = not (dist.is_available() and dist.is_initialized())
    if made:
        _check_environment()
        _make_group("cpu:gloo,cuda:nccl" if torch.device(device).type == "cuda" else "gloo")
    token = _world.set(World(dist.get_rank(), dist.get_world_size()))
    try:
        yield current_world()
        if made:
            dist.barrier()  # nobody leaves while another still waits for a message
    finally:
        _world.reset(token)
        if made:
            dist.destroy_process_group()


def _make_group(backend: str) -> None:
    """Make torch's process group; a later one must not meet the addresses that an earlier one has left in the store."""
    store, rank, size = _rendezvous()
    prefix = f"sklearn_rnn/{next(_groups_made)}"  # the same in each process: they fit in step
    own_store = dist.PrefixStore(prefix, store)  # type: ignore[attr-defined]  # documented, not in torch's __all__
    dist.init_process_group(backend, store=own_store, rank=rank, world_size=size)


@cache
def _rendezvous() -> tuple[Any, int, int]:
    """Where the processes find each other, once for the life of this one; its rank, and how many there are."""
    store, rank, size = next(rendezvous("env://"))
    return store, rank, size


_groups_made = count()


def _check_environment() -> None:
    absent = [name for name in ENVIRONMENT if name not in os.environ]
    if absent or not dist.is_available():
        raise ValueError(
            f"data_parallel=True trains in several processes, which torchrun starts, and this one was started without "
            f"it ({', '.join(absent)} not set): run 'torchrun --nproc_per_node 2 script.py', or set data_parallel=False"
        )
    if in_worker():
        raise ValueError(
            "data_parallel=True inside parallel jobs: each job would wait for those of the other processes. Search "
            "with n_jobs=1, which every process then does in step with the others, or set data_parallel=False"
        )


class DatasetShare:
    """What one process sees of a data set: every batch, and of each its own part.

    Parameters
    ----------
    dataset : SequenceDataset
    world : World
    """

    def __init__(self, dataset: SequenceDataset, world: World) -> None:
        self.dataset, self.world = dataset, world
        self.n_steps: NDArray[np.int64] = dataset.n_steps
        self.likeness = dataset.likeness

    def __len__(self) -> int:
        return len(self.dataset)

    def place(self, order: NDArray[np.int64]) -> Any:
        """As of :class:`SequenceDataset`."""
        return self.dataset.place(order)

    def batch(self, index: Any, n_steps: int | None = None) -> Batch:
        """Every `size`-th of the sequences at `index` (batch,), so that the parts are alike in length.

        A process for which nothing is left takes the first sequence, and counts none.
        """
        own = index[self.world.rank :: self.world.size]
        batch = self.dataset.batch(own if len(own) else index[:1], n_steps)
        batch.share = len(own), len(index)
        return batch

    def split(self, order: NDArray[np.int64]) -> Batch | SplitBatch:
        """As :meth:`batch`, of an `order` (batch,) that is not placed, in parts of similar length."""
        own = order[self.world.rank :: self.world.size]
        batch = self.dataset.split(own if len(own) else order[:1])
        batch.share = len(own), len(order)
        return batch


class SharedBatches(BatchIterator):
    """A :class:`BatchIterator` that yields the part of each batch that belongs to this process."""

    def __init__(self, dataset: SequenceDataset, batch_size: int, order: Order | None = None) -> None:
        super().__init__(DatasetShare(dataset, current_world()), batch_size, order)  # type: ignore[arg-type]


class SharedGradients(Callback):
    """Replaces the gradient of a part by that of the batch; it comes before the callbacks that look at gradients."""

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        current_world().send_weights(net.module_)
        self.loss = torch.zeros(())
        self.hook = net.criterion_.register_forward_hook(self._keep_loss)

    def on_grad_computed(self, net: Any, named_parameters: Any, batch: Any, **kwargs: Any) -> None:
        loss, self.loss = self.loss, torch.zeros(())
        own, whole = batch.share
        parameters = [parameter for _, parameter in named_parameters if parameter.requires_grad]
        self.batch_loss, self.batch_size = sum_gradients(parameters, loss, own / whole), whole

    def on_batch_end(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        if training:  # what skorch has recorded is of the part
            net.history.record_batch("train_loss", self.batch_loss)
            net.history.record_batch("train_batch_size", self.batch_size)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        if net.module_.convolves:  # the running means of each process are of its own parts of the batches
            current_world().send_weights(net.module_)

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        self.hook.remove()
        current_world().send_weights(net.module_)

    def _keep_loss(self, criterion: Any, inputs: Any, loss: Tensor) -> None:
        if loss.requires_grad:
            self.loss = self.loss + loss.detach()  # of the parts of a batch, one after another


class SharedFigures(Callback):
    """Takes the validation figures of the first process for all, so that all decide alike; after ValidationScore."""

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        names = [name for name in ("valid_loss", "valid_score") if name in net.history[-1]]
        for name, figure in zip(names, current_world().of_the_first([net.history[-1][n] for n in names]), strict=True):
            net.history.record(name, figure)


@torch.no_grad()
def sum_gradients(parameters: list[Tensor], loss: Tensor, share: float) -> float:
    """Sum gradients and losses over all processes, each times its share in the batch.

    Parameters
    ----------
    parameters : list of tensors
        The same in each process. Their gradients are replaced by the sums; a gradient that no process has stays None.
    loss : tensor of shape ()
    share : float
        The part of the batch that this process had.

    Returns
    -------
    loss : float
        The sum of the losses.
    """
    ends = np.cumsum([parameter.numel() for parameter in parameters]).tolist()
    message = parameters[0].new_zeros(ends[-1] + len(parameters) + 1)
    parts = [message[end - parameter.numel() : end] for end, parameter in zip(ends, parameters, strict=True)]
    there = message[ends[-1] : -1]
    for k, (parameter, part) in enumerate(zip(parameters, parts, strict=True)):
        if parameter.grad is not None:
            torch.mul(parameter.grad.reshape(-1), share, out=part)
            there[k] = 1
    message[-1] = loss * share
    dist.all_reduce(message)
    for parameter, part, n_gradients in zip(parameters, parts, there.tolist(), strict=True):
        if n_gradients:
            parameter.grad = part.view_as(parameter)
    return float(message[-1])
