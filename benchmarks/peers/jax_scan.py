"""The same network in JAX: one compiled training step with `lax.scan` over the steps and Adam of optax.

The number of threads is that of the cores that the process may use when JAX starts.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from peers.problem import LEARNING_RATE, Problem

Parameters = Any
GATES = {"rnn": 1, "gru": 3, "lstm": 4}


def step(cell: str, weights: Parameters, state: Any, x: Any) -> Any:
    """The state after a step, whose projected input is `x`; the equations are torch's."""
    if cell == "lstm":
        h, c = state
        i, f, g, o = jnp.split(x + h @ weights["hidden"] + weights["hidden_bias"], 4, axis=1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return jax.nn.sigmoid(o) * jnp.tanh(c), c
    (h,) = state
    projected = h @ weights["hidden"] + weights["hidden_bias"]
    if cell == "rnn":
        return (jnp.tanh(x + projected),)
    (x_r, x_z, x_n), (h_r, h_z, h_n) = jnp.split(x, 3, axis=1), jnp.split(projected, 3, axis=1)
    z = jax.nn.sigmoid(x_z + h_z)
    return ((1 - z) * jnp.tanh(x_n + jax.nn.sigmoid(x_r + h_r) * h_n) + z * h,)


def layer(cell: str, weights: Parameters, x: Any) -> Any:
    """States (steps, batch, hidden) of one direction over `x` (steps, batch, features)."""
    projected = x @ weights["input"] + weights["input_bias"]
    zero = jnp.zeros((x.shape[1], weights["hidden"].shape[0]), x.dtype)

    def advance(state: Any, x_t: Any) -> Any:
        state = step(cell, weights, state, x_t)
        return state, state[0]

    return lax.scan(advance, (zero, zero) if cell == "lstm" else (zero,), projected)[1]


def network(cell: str, parameters: Parameters, x: Any) -> Any:
    """Outputs (batch,) of `x` (batch, steps, inputs)."""
    x = x.transpose(1, 0, 2)
    for directions in parameters["layers"]:
        states = [layer(cell, directions[0], x)]
        last = [states[0][-1]]
        if len(directions) == 2:
            backward = layer(cell, directions[1], x[::-1])
            states.append(backward[::-1])
            last.append(backward[-1])
        x = jnp.concatenate(states, axis=2)
    return jnp.concatenate(last, axis=1) @ parameters["head"] + parameters["head_bias"]


class Jax:
    """The whole training step is compiled; the data lies on JAX's device, and a step gathers its batch from there."""

    def __init__(self, problem: Problem, threads: int | None) -> None:
        X, y = problem.data()
        self.X, self.y = jnp.asarray(X), jnp.asarray(y)
        self.problem = problem
        self.optimizer = optax.adam(LEARNING_RATE)
        self.parameters = self._first_parameters()
        self._step = jax.jit(self._train_step)
        self._outputs = jax.jit(partial(network, problem.cell))

    def fit(self, n_epochs: int) -> None:
        parameters = self._first_parameters()
        state = self.optimizer.init(parameters)
        rng = np.random.default_rng(0)
        for _ in range(n_epochs):
            order = rng.permutation(len(self.y)).astype(np.int32).reshape(-1, self.problem.batch)
            for rows in order:
                parameters, state = self._step(parameters, state, self.X, self.y, rows)
        self.parameters = jax.block_until_ready(parameters)

    def predict(self) -> Any:
        return np.asarray(self._outputs(self.parameters, self.X))

    def _train_step(self, parameters: Parameters, state: Any, X: Any, y: Any, rows: Any) -> Any:
        def loss(parameters: Parameters) -> Any:
            return jnp.mean((network(self.problem.cell, parameters, X[rows]) - y[rows]) ** 2)

        updates, state = self.optimizer.update(jax.grad(loss)(parameters), state, parameters)
        return optax.apply_updates(parameters, updates), state

    def _first_parameters(self) -> Parameters:
        """Uniform in ±1/sqrt(hidden), as torch's."""
        p, rng = self.problem, np.random.default_rng(0)
        gates, bound = GATES[p.cell] * p.hidden, p.hidden**-0.5

        def draw(*shape: int) -> Any:
            return jnp.asarray(rng.uniform(-bound, bound, shape), jnp.float32)

        def direction(n_features: int) -> Parameters:
            return {
                "input": draw(n_features, gates),
                "input_bias": draw(gates),
                "hidden": draw(p.hidden, gates),
                "hidden_bias": draw(gates),
            }

        sizes = [p.inputs] + [p.hidden * p.directions] * (p.layers - 1)
        layers = [[direction(size) for _ in range(p.directions)] for size in sizes]
        return {"layers": layers, "head": draw(p.hidden * p.directions), "head_bias": draw()}
