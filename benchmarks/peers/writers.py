"""What writes symbols one after the other: ours, and plain loops over torch and NumPy with the same weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from sklearn_rnn.networks.decoding import Decoding, Draws, SymbolDecoder
from sklearn_rnn.networks.fused import weights_of
from sklearn_rnn.networks.heads import StepHeadSpec
from sklearn_rnn.networks.inputs import InputLayout
from sklearn_rnn.networks.network import build_network
from sklearn_rnn.networks.specs import BackboneSpec, InputsSpec, NetworkSpec
from sklearn_rnn.networks.stepping import make_stepper

Array = Any


@dataclass(frozen=True)
class Writing:
    """A network, and how many sequences it writes side by side.

    Attributes
    ----------
    cell : {"lstm", "gru"}
    layers, units : int
    sequences : int
    symbols : int
        How many there are; characters of English text by default.
    """

    cell: str
    layers: int
    units: int
    sequences: int
    symbols: int = 65

    def network(self) -> Any:
        """The same at each call; symbols are embedded as vectors of as many numbers as there are units."""
        layout = InputLayout(embedded=((self.symbols, self.units),))
        backbone = BackboneSpec(self.cell, (self.units,) * self.layers)
        network = build_network(NetworkSpec(InputsSpec(0, layout), backbone, StepHeadSpec(self.symbols)))
        with torch.no_grad():  # so that symbols differ in their probabilities
            network.inputs.token_embedding.weight.mul_(100)
            network.head.linear.weight.mul_(10)
        return network.eval()

    def __str__(self) -> str:
        return f"{self.cell} {self.layers}x{self.units}, {self.sequences}"


class Ours:
    """The decoder of this package."""

    def __init__(self, writing: Writing) -> None:
        self._n = writing.sequences
        stepper = make_stepper(writing.network(), self._n)
        self._decoder = SymbolDecoder(stepper, lambda symbols, numbers: symbols, end=None)

    def write(self, n_steps: int, *, best: bool = False) -> Array:
        """Symbols (n_sequences, n_steps) after symbol 1, drawn or the best."""
        decoding = Decoding(n_steps, temperature=0.0 if best else 1.0)
        return np.array(self._decoder.sample([[1]] * self._n, decoding, Draws(0, range(self._n)))[0])


class TorchLoop:
    """At each step ``nn.LSTM`` or ``nn.GRU``, a linear map, a softmax and ``multinomial``."""

    def __init__(self, writing: Writing) -> None:
        self._n = writing.sequences
        network = writing.network()
        self._embedding, self._head = network.inputs.token_embedding, network.head.linear
        kind = {"lstm": nn.LSTM, "gru": nn.GRU}[writing.cell]
        self._recurrence = kind(writing.units, writing.units, writing.layers).eval()
        with torch.no_grad():
            for k, layer in enumerate(network.backbone.layers):
                for name, weight in zip(
                    ("weight_ih", "weight_hh", "bias_ih", "bias_hh"), weights_of(layer.directions[0]), strict=True
                ):
                    getattr(self._recurrence, f"{name}_l{k}").copy_(weight)

    @torch.inference_mode()
    def write(self, n_steps: int, *, best: bool = False) -> Array:
        symbols, state, found = torch.ones(self._n, dtype=torch.int64), None, []
        for _ in range(n_steps):
            hidden, state = self._recurrence(self._embedding(symbols)[None], state)
            p = torch.softmax(self._head(hidden[0]), dim=1)
            symbols = p.argmax(dim=1) if best else torch.multinomial(p, 1)[:, 0]
            found.append(symbols)
        return torch.stack(found, dim=1).numpy()


class NumpyLoop:
    """The published equations, with one product for all gates of a layer, and a row of a table for a symbol."""

    def __init__(self, writing: Writing) -> None:
        self._n, self._units = writing.sequences, writing.units
        self._step = {"lstm": self._lstm, "gru": self._gru}[writing.cell]
        network = writing.network()
        with torch.no_grad():
            parts = [[w.numpy() for w in weights_of(layer.directions[0])] for layer in network.backbone.layers]
            vectors = network.inputs.token_embedding.weight.numpy()
            self._head = network.head.linear.weight.numpy().T.copy(), network.head.linear.bias.numpy()
        self._layers = [(w_x.T.copy(), w_h.T.copy(), b_x, b_h) for w_x, w_h, b_x, b_h in parts]
        self._table = vectors @ self._layers[0][0] + self._layers[0][2]
        self._rng = np.random.default_rng(0)

    def write(self, n_steps: int, *, best: bool = False) -> Array:
        zeros = np.zeros((self._n, self._units), np.float32)
        states, symbols, found = [(zeros, zeros) for _ in self._layers], np.ones(self._n, int), []
        w_head, b_head = self._head
        for _ in range(n_steps):
            x = self._table[symbols]
            for k, (_, w_h, _, b_h) in enumerate(self._layers):
                states[k] = self._step(x, states[k][0] @ w_h + b_h, *states[k])
                if k + 1 < len(self._layers):
                    w_x, _, b_x, _ = self._layers[k + 1]
                    x = states[k][0] @ w_x + b_x
            scores = states[-1][0] @ w_head + b_head
            p = np.exp(scores - scores.max(axis=1, keepdims=True))
            cumulative = p.cumsum(axis=1)
            drawn = (cumulative <= self._rng.random((self._n, 1)) * cumulative[:, -1:]).sum(axis=1)
            symbols = p.argmax(axis=1) if best else np.minimum(drawn, p.shape[1] - 1)
            found.append(symbols)
        return np.stack(found, axis=1)

    @staticmethod
    def _lstm(x: Array, a: Array, h: Array, c: Array) -> tuple[Array, Array]:
        i, f, g, o = np.split(x + a, 4, axis=1)
        c = _logistic(f) * c + _logistic(i) * np.tanh(g)
        return _logistic(o) * np.tanh(c), c

    @staticmethod
    def _gru(x: Array, a: Array, h: Array, _: Array) -> tuple[Array, Array]:
        x_r, x_z, x_n = np.split(x, 3, axis=1)
        a_r, a_z, a_n = np.split(a, 3, axis=1)
        z = _logistic(x_z + a_z)
        n = np.tanh(x_n + _logistic(x_r + a_r) * a_n)
        return n + z * (h - n), h


def _logistic(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))
