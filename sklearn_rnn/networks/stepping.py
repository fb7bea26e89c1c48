"""A network that takes one step of many sequences at a time, and keeps where each of them is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sklearn_rnn.networks.engines import kernels_may_run
from sklearn_rnn.networks.flat_weights import (
    POOLINGS,
    FlatArrays,
    cell_name,
    head_parts,
    head_places,
    recurrence_places,
    surroundings_places,
    tables_of,
)
from sklearn_rnn.networks.heads import ChainHead, FrameHead, MixtureHead, PooledHead, StepHead, VocabularyHead
from sklearn_rnn.networks.state import State

Array = NDArray[Any]

COMPILED_HEADS = (PooledHead, StepHead, ChainHead, FrameHead, MixtureHead, VocabularyHead)
"""Heads that are an affine map of what is pooled, and what follows that a step does not need."""


def make_stepper(network: Any, n_streams: int) -> NetworkStepper:
    """The network as it goes on step by step, by kernels where they compute all of it.

    Parameters
    ----------
    network : RecurrentNetwork
        In evaluation. Its weights must not change afterwards.
    n_streams : int

    Returns
    -------
    stepper : NetworkStepper

    Raises
    ------
    ValueError
        If the network reads sequences from their end, too, or has convolutions or n-grams.
    """
    if network.convolves:
        raise ValueError(
            "a network with convolutions cannot go on step by step: they look at the steps that follow, which in a "
            "stream have not come yet. Fit the estimator with conv_branch=False and conv_stride=1"
        )
    if network.ngrams is not None:
        raise ValueError(
            "a network with n-grams cannot go on step by step: it looks at whole sequences. Fit the estimator with "
            "ngrams=0"
        )
    if network.backbone.bidirectional:
        raise ValueError(
            "a network of two directions cannot go on step by step: the second one reads a sequence from its end, "
            "which in a stream has not come yet. Fit the estimator with bidirectional=False"
        )
    return CompiledStepper(network, n_streams) if CompiledStepper.serves(network) else TorchStepper(network, n_streams)


class Stepper(ABC):
    """Streams that go on, each at its own pace.

    Parameters
    ----------
    n_streams, n_outputs : int

    Attributes
    ----------
    n_steps : array of int64, shape (n_streams,)
        Steps that each stream has taken.
    outputs : array of float64, shape (n_streams, n_outputs)
        Outputs of the head after the last step of each stream.
    """

    def __init__(self, n_streams: int, n_outputs: int) -> None:
        self.n_steps = np.zeros(n_streams, np.int64)
        self.outputs = np.zeros((n_streams, n_outputs))

    @abstractmethod
    def advance(self, values: Array, rows: Array) -> int:
        """Take a step.

        Parameters
        ----------
        values : array of shape (n, n_columns), or (n,) of token indices
            An encoded step of each stream; numbers in float64.
        rows : array of int64, shape (n,)
            The streams, none of them twice.

        Returns
        -------
        place : int
            -1; or where in `values`, read row by row, the first number is that is not finite in the type of the
            network. Nothing has changed then.
        """

    @abstractmethod
    def reset(self, rows: Array) -> None:
        """Take the streams `rows` (n,) back to before their first step."""

    def copy(self, sources: Array, targets: Array) -> None:
        """Put each of the streams `targets` (n,), none of them twice, where the one of `sources` (n,) beside it is.

        A stream may be both: what it goes on from is where the sources were before.
        """
        self._copy_states(sources, targets)
        for array in (self.n_steps, self.outputs):
            array[targets] = array[sources]

    @abstractmethod
    def _copy_states(self, sources: Array, targets: Array) -> None:
        """As :meth:`copy`, what else there is."""


class NetworkStepper(Stepper):
    """Streams that go on through a network.

    Parameters
    ----------
    network : RecurrentNetwork
    n_streams : int

    Attributes
    ----------
    pooling : {"last", "mean", "max", "concat", "attention"} or None
    chain : LabelChain or None
        Of the network.
    dtype : dtype
        Of the states.
    state : State
        The state of all layers after the last step of each stream.
    sums : array of float64, shape (n_streams, n_sums)
        What the pooling keeps of the steps so far: their sum, their maximum, both of these, or for attention the
        greatest score, and over the exponential of it the sums of the weights and of the weighted states.
    """

    state: State

    def __init__(self, network: Any, n_streams: int) -> None:
        super().__init__(n_streams, network.head.n_outputs)
        pooling, _, self.chain = head_parts(network)
        self.pooling: str | None = POOLINGS[type(pooling)]
        self.dtype = torch.empty(0, dtype=network.backbone.layers[0].weight.dtype).numpy().dtype
        units = network.backbone.output_size
        n_sums = {"mean": units, "max": units, "concat": 2 * units, "attention": units + 2}
        self.sums = np.zeros((n_streams, n_sums.get(self.pooling or "", 0)))
        self._first_state = network.first_state

    def begin(self, values: Array, rows: Array) -> None:
        """Take the streams `rows` (n,) back to before their first step, which is to be `values`."""
        first = self._first_state
        self.reset(rows, None if first is None else first.of_steps(torch.from_numpy(_behaved(values))))

    @abstractmethod
    def reset(self, rows: Array, state: State | None = None) -> None:
        """Take the streams `rows` (n,) back to before their first step, with a `state` of zeros by default."""

    def copy(self, sources: Array, targets: Array) -> None:
        super().copy(sources, targets)
        self.sums[targets] = self.sums[sources]

    def to_arrays(self) -> dict[str, Array]:
        """All that changes with a step, by name; each with a row a stream."""
        layers = self.state.to_arrays()
        states = {f"layer {k} part {p}": part[0] for k, layer in enumerate(layers) for p, part in enumerate(layer)}
        return {**states, "sums": self.sums.copy(), "n_steps": self.n_steps.copy(), "outputs": self.outputs.copy()}

    def from_arrays(self, arrays: dict[str, Array]) -> None:
        """Go on from what :meth:`to_arrays` returned.

        Raises
        ------
        ValueError
            If an array is missing, or has another shape than that of this network.
        """
        own = self.to_arrays()
        for name, array in own.items():
            if name not in arrays or arrays[name].shape != array.shape:
                found = "is missing" if name not in arrays else f"has shape {arrays[name].shape}"
                raise ValueError(f"{name!r} {found}, wanted {array.shape}")
        layers = self.state.layers
        parts = [[arrays[f"layer {k} part {p}"][None] for p in range(len(layer))] for k, layer in enumerate(layers)]
        self.state = State.from_arrays(parts, layers[0][0])
        self.sums[:], self.n_steps[:], self.outputs[:] = arrays["sums"], arrays["n_steps"], arrays["outputs"]


class CompiledStepper(NetworkStepper):
    """All layers, pooling and head in one call of a kernel.

    Attributes
    ----------
    inputs : StepInputs or None
        Of the network.
    parts : tuple of arrays
        ``layers, head, narrow, wide, states, sums, counts, outputs`` as that kernel takes them.
    """

    def __init__(self, network: Any, n_streams: int) -> None:
        from sklearn_rnn.kernels.stepping import step

        super().__init__(network, n_streams)
        self.inputs = network.inputs
        self._tables = None if network.inputs is None else tables_of(network.inputs)
        layers: list[Any] = list(network.backbone.layers)
        narrow, wide, table = FlatArrays(), FlatArrays(), []
        self._columns: list[list[slice]] = []  # of the parts of the state of each layer
        width = 0
        for k, layer in enumerate(layers):
            n_parts = len(layer.state_sizes)
            places = [width, width + layer.direction_size]
            width += n_parts * layer.direction_size
            self._columns.append([slice(start, start + layer.direction_size) for start in places[:n_parts]])
            table.append([*recurrence_places(layer, narrow), *places, *surroundings_places(network.backbone, k, wide)])
        self._states = np.zeros((n_streams, width), self.dtype)
        network_parts = (
            np.array(table, dtype=np.int64),
            np.array(head_places(network, wide), dtype=np.int64),
            narrow.joined(self.dtype),
            wide.joined(np.dtype(np.float64)),
        )
        self._step = step
        self.parts = (*network_parts, self._states, self.sums, self.n_steps, self.outputs)
        none = np.arange(0)
        step(np.empty((0, layers[0].directions[0].input_size)), none, *self.parts)  # compiled now, not at a first step

    @staticmethod
    def serves(network: Any) -> bool:
        """Whether kernels compute all of the network but its inputs, and the engine in use lets them."""
        layers = network.backbone.layers
        return (
            kernels_may_run(layers[0].weight)
            and all(cell_name(layer) is not None and not layer.directions[0].proj_size for layer in layers)
            and type(network.head) in COMPILED_HEADS
            and type(head_parts(network)[0]) in POOLINGS
        )

    @property
    def state(self) -> State:
        """The state of all layers."""
        layers = [[self._states[None, :, columns] for columns in layer] for layer in self._columns]
        return State.from_arrays(layers, torch.from_numpy(self._states))

    @state.setter
    def state(self, state: State) -> None:
        for layer, parts in zip(self._columns, state.layers, strict=True):
            for columns, part in zip(layer, parts, strict=True):
                self._states[:, columns] = part[0].numpy()

    def advance(self, values: Array, rows: Array) -> int:
        return self._step(_behaved(self.vectors(_behaved(values))), rows, *self.parts)

    def reset(self, rows: Array, state: State | None = None) -> None:
        self._states[rows] = 0 if state is None else np.concatenate([p[0] for part in state.layers for p in part], 1)
        self.n_steps[rows] = 0

    def _copy_states(self, sources: Array, targets: Array) -> None:
        self._states[targets] = self._states[sources]

    def vectors(self, values: Array) -> Array:
        """What the layers read, (n, input_size) in float64."""
        values = values if self._first_state is None else values[:, self._first_state.n_columns :]
        if self.inputs is None:
            return values
        if self._tables is None:
            with torch.inference_mode():
                return self.inputs(torch.from_numpy(values)[:, None])[:, 0].double().numpy()
        if values.ndim == 1:
            return self._tables[0][values]
        indices = values[:, : len(self._tables)].astype(np.int64)
        vectors = [table[indices[:, k]] for k, table in enumerate(self._tables)]
        return np.concatenate([*vectors, values[:, len(self._tables) :]], axis=1)


class TorchStepper(NetworkStepper):
    """The modules of the network, over sequences of one step."""

    def __init__(self, network: Any, n_streams: int) -> None:
        super().__init__(network, n_streams)
        self.network = network
        self._pooling, *_ = head_parts(network)
        self.state = network.backbone.zero_state(n_streams)

    def advance(self, values: Array, rows: Array) -> int:
        like = self.state.layers[0][0]
        steps = torch.from_numpy(_behaved(values)).to(like.device)
        if values.dtype.kind == "f":
            bad = ~torch.isfinite(steps.to(like.dtype))
            if bad.any():
                return int(bad.flatten().to(torch.int8).argmax())
        with torch.inference_mode():
            index = torch.from_numpy(rows).to(like.device)
            lengths = torch.ones(len(rows), dtype=torch.int64, device=like.device)
            hidden, state = self.network.advance(steps[:, None], lengths, self.state.take(index))
            # shape: (n, 1, units)
            pooled, sums = self._pool(hidden[:, 0], rows)
            outputs = self.network.head.outputs_of(pooled).double().cpu().numpy()
            self._keep(state, index)
        self.sums[rows], self.outputs[rows] = sums, outputs
        self.n_steps[rows] += 1
        return -1

    def reset(self, rows: Array, state: State | None = None) -> None:
        index = torch.from_numpy(rows).to(self.state.layers[0][0].device)
        self._keep(self.network.backbone.zero_state(len(rows)) if state is None else state, index)
        self.n_steps[rows] = 0

    def _copy_states(self, sources: Array, targets: Array) -> None:
        device = self.state.layers[0][0].device
        taken = self.state.take(torch.from_numpy(sources).to(device))
        self._keep(taken, torch.from_numpy(targets).to(device))

    def _keep(self, state: State, index: Tensor) -> None:
        """Put the `state` of some streams in the place of what theirs was."""
        with torch.inference_mode():  # which the states may have been made in
            self.state.put(index, state)

    def _pool(self, states: Tensor, rows: Array) -> tuple[Tensor, Array]:
        """The vectors that the head reads, (n, units), given the `states` (n, units) of this step, and the new sums."""
        before, n_steps = self.sums[rows], self.n_steps[rows][:, None] + 1
        if self.pooling in (None, "last"):
            return states, before
        x, first = states.double().cpu().numpy(), n_steps == 1
        if self.pooling == "mean":
            sums = np.where(first, x, before + x)
            pooled = sums / n_steps
        elif self.pooling == "max":
            sums = pooled = np.where(first, x, np.maximum(before, x))
        elif self.pooling == "concat":
            total, greatest = np.hsplit(before, 2)
            total, greatest = np.where(first, x, total + x), np.where(first, x, np.maximum(greatest, x))
            sums, pooled = np.hstack([total, greatest]), np.hstack([x, total / n_steps, greatest])
        else:
            pooling = self._pooling
            score = pooling.score(torch.tanh(pooling.project(states))).double().cpu().numpy()
            # shape: (n, 1)
            greatest = np.where(first, score, np.maximum(before[:, :1], score))
            fading = np.where(first, 0, np.exp(before[:, :1] - greatest))
            totals = fading * before[:, 1:] + np.exp(score - greatest) * np.hstack([np.ones_like(score), x])
            sums, pooled = np.hstack([greatest, totals]), totals[:, 1:] / totals[:, :1]
        return torch.from_numpy(pooled).to(states), sums


def _behaved(x: Array) -> Array:
    """`x`, or where it is read-only or not contiguous a copy: torch refuses it, and kernels would be compiled anew."""
    return x if x.flags.carray else np.array(x, order="C")
