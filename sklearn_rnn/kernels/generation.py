"""New symbols of some sequences in one call: layers, head and draw, step after step.

One sequence has to wait for its weights: a step multiplies each of them once. They lie in the order in which they are
read, panel by panel, see :func:`~sklearn_rnn.kernels.products.multiply_panels`, and what the first layer makes of a
symbol is a row of a table, where that is not too large.

- N: rows of the stepper, n: sequences, K: symbols, H: units of a layer, G: its gates.
- ``narrow`` and ``wide`` hold weights as in ``sklearn_rnn.kernels.stepping``, matrices in panels. All gates of a layer
  are columns of one matrix, whose width is that of its panels.

Each number is the sum of the same terms in the same order as in a single step, so that symbols are the same.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sklearn_rnn.kernels.cells import gru_step, lstm_step, relu_step, rnn_step
from sklearn_rnn.kernels.choosing import END, NO_SYMBOL, PENALTY, choose, exponentials, greatest_of, process, total_of
from sklearn_rnn.kernels.compiling import inlined, kernel
from sklearn_rnn.kernels.products import LONG, multiply_panels
from sklearn_rnn.kernels.recurrence import GRU, LSTM, RELU, RNN
from sklearn_rnn.kernels.rows import add, put
from sklearn_rnn.kernels.stepping import (
    B_CANDIDATE,
    B_HEAD,
    CELL,
    HIDDEN,
    MEMORY,
    N_OUTPUTS,
    NOTHING,
    UNITS,
    W_HEAD,
    W_HIDDEN,
    W_INPUTS,
    around,
    flush_all,
    gather,
    scatter,
)

B_INPUTS = 10
"""A further column of ``layers``: where the biases of all gates begin in ``narrow``."""

READ, KNOWN, PROMPT, LIMIT = range(4)
"""Columns of ``places``; see ``sklearn_rnn.networks.generating``."""


@inlined
def _panels(numbers, start, n_terms, n_columns):
    """The panels (n_panels, n_terms, ...) that begin at `start`, for so many columns."""
    width = LONG // numbers.itemsize
    n_panels = (n_columns + width - 1) // width
    return numbers[start : start + n_panels * n_terms * width].reshape(n_panels, n_terms, width)


@inlined
def _product(x, numbers, start, n_columns):
    """The product (m, width of all panels) of `x` (m, k) and the matrix that begins at `start`."""
    panels = _panels(numbers, start, x.shape[1], n_columns)
    out = np.empty((x.shape[0], panels.shape[0] * panels.shape[2]), numbers.dtype)
    multiply_panels(x, panels, out)
    return out


@inlined
def _step_rows(layer, x, a, h, c, narrow):
    """A step of each row: hidden states `h` (m, H), of an LSTM cell states `c`, by products `x` and `a` (m, ...)."""
    cell, H = layer[CELL], layer[UNITS]
    room = np.empty((5, H), narrow.dtype)
    for i in range(h.shape[0]):
        xs, sums, now = x[i], a[i], h[i]
        x_0, a_0 = xs[:H], sums[:H]
        if cell == RNN:
            rnn_step(x_0, a_0, now)
        elif cell == RELU:
            relu_step(x_0, a_0, now)
        else:
            x_1, x_2 = xs[H : 2 * H], xs[2 * H : 3 * H]
            a_1, a_2 = sums[H : 2 * H], sums[2 * H : 3 * H]
            if cell == GRU:
                bias = narrow[layer[B_CANDIDATE] : layer[B_CANDIDATE] + H]
                gru_step(x_0, x_1, x_2, a_0, a_1, a_2, bias, now, room[0], room[1], room[2], room[3])
            else:
                x_3, a_3 = xs[3 * H : 4 * H], sums[3 * H : 4 * H]
                gates = (room[0], room[1], room[2], room[3], room[4])
                lstm_step(x_0, x_1, x_2, x_3, a_0, a_1, a_2, a_3, now, c[i], *gates)


@inlined
def _layer_step(layer, x, rows, narrow, states):
    """Hidden states (m, H) after a step of a layer; `x` (m, ...) is what its inputs add to the gates."""
    H, m = layer[UNITS], rows.size
    h = np.empty((m, H), states.dtype)
    gather(states, rows, layer[HIDDEN], h)
    a = _product(h, narrow, layer[W_HIDDEN], _n_gates(layer[CELL]) * H)
    c = np.empty((m if layer[CELL] == LSTM else 0, H), states.dtype)
    gather(states, rows, layer[MEMORY], c)
    _step_rows(layer, x, a, h, c, narrow)
    flush_all(h.reshape(-1))
    flush_all(c.reshape(-1))
    scatter(h, states, rows, layer[HIDDEN])
    scatter(c, states, rows, layer[MEMORY])
    return h


@inlined
def _n_gates(cell):
    return 3 if cell == GRU else 4 if cell == LSTM else 1


@inlined
def _of_inputs(layer, entering, narrow):
    """What the inputs `entering` (m, I), in float64, add to the gates of a layer, (m, ...)."""
    inputs = np.empty(entering.shape, narrow.dtype)
    for i in range(inputs.shape[0]):
        put(entering[i], inputs[i])
    x = _product(inputs, narrow, layer[W_INPUTS], _n_gates(layer[CELL]) * layer[UNITS])
    bias = narrow[layer[B_INPUTS] : layer[B_INPUTS] + x.shape[1]]
    for i in range(x.shape[0]):
        add(bias, x[i])
    return x


@inlined
def _first_inputs(table, beside, symbols, rows):
    """The rows of the `table` for `symbols` (m,), and behind them what is `beside` those of the sequences in `rows`."""
    m, width = rows.size, table.shape[1]
    out = np.empty((m, width + beside.shape[1]), table.dtype)
    for i in range(m):
        put(table[symbols[i]], out[i, :width])
        put(beside[rows[i]], out[i, width:])
    return out


@inlined
def _hidden_states(symbols, rows, network, states):
    """What the head reads, (m, U) in float64, after the sequences in `rows` (m,) of the stepper read `symbols` (m,)."""
    table, beside, layers, _, narrow, wide = network
    first = _first_inputs(table, beside, symbols, rows)
    entering = np.empty(first.shape if layers[0, W_INPUTS] != NOTHING else (rows.size, 0), np.float64)
    for i in range(rows.size):
        put(first[i, : entering.shape[1]], entering[i])
    for k in range(layers.shape[0]):
        if k == 0 and layers[0, W_INPUTS] == NOTHING:
            hidden = _layer_step(layers[k], first, rows, narrow, states)
        else:
            hidden = _layer_step(layers[k], _of_inputs(layers[k], entering, narrow), rows, narrow, states)
        entering = around(layers[k], entering, hidden, wide)
    return entering


@inlined
def _write(row, scores, uniform, lanes, choice, room):
    """Choose the next symbol of the sequence in a row by its `scores` (K,); `room` (2, K) ends up as anything."""
    tokens, logarithms, places, going, seen = lanes
    shares, counts, banned = choice
    known, changed, weights = places[row, KNOWN], room[0], room[1]
    put(scores, changed)
    process(changed, tokens[row, :known], known - places[row, PROMPT], seen[row], banned, shares, counts)
    greatest = greatest_of(scores)
    exponentials(scores, greatest, 1.0, weights)
    normaliser = greatest + math.log(total_of(weights))
    symbol = choose(changed, uniform, weights, greatest, shares, counts)
    if symbol == NO_SYMBOL:
        going[row] = False
        return
    tokens[row, known] = symbol
    logarithms[row, known] = scores[symbol] - normaliser
    places[row, KNOWN] = known + 1
    going[row] = symbol != counts[END] and known + 1 < places[row, LIMIT]


@inlined
def _write_all(rows, draws, uniforms, used, hidden, lanes, choice, network, outputs):
    """Give each sequence in `rows` (n,) a symbol, of the `hidden` states (n, U), with its row of `uniforms`."""
    _, _, _, head, _, wide = network
    K = head[N_OUTPUTS]
    room = np.empty((2, K), np.float64)
    bias = wide[head[B_HEAD] : head[B_HEAD] + K]
    found = _product(hidden, wide, head[W_HEAD], K)
    for i in range(rows.size):
        scores, k = found[i, :K], draws[i]
        add(bias, scores)
        put(scores, outputs[rows[i]])
        _write(rows[i], scores, uniforms[k, used[k]], lanes, choice, room)
        used[k] += 1


@inlined
def _find_live(rows, used, n_new, lanes, live, at):
    """How many of the sequences in `rows` take a step; which, and their rows, go to `live` and `at`."""
    _, _, places, going, _ = lanes
    m = 0
    for i in range(rows.size):
        row = rows[i]
        if going[row] and (places[row, READ] + 1 < places[row, KNOWN] or used[i] < n_new):
            live[m], at[m] = i, row
            m += 1
    return m


@inlined
def _read(row, lanes, choice):
    """The next symbol that the sequence in a row reads."""
    tokens, _, places, _, seen = lanes
    shares, counts, _ = choice
    place = places[row, READ]
    symbol = tokens[row, place]
    places[row, READ] = place + 1
    if shares[PENALTY] != 1.0 and (place > 0 or symbol != counts[END]):
        seen[row, symbol] = True
    return symbol


@kernel
def generate(rows: Any, uniforms: Any, n_steps: int, lanes: Any, choice: Any, network: Any, streams: Any) -> None:
    """Take up to `n_steps` steps of some sequences.

    A sequence reads what is known of it, and then gets a new symbol a step, until it has ended or has used up its
    random numbers.

    Parameters
    ----------
    rows : array of int64, (n,)
        Where the sequences are; no row twice.
    uniforms : array of float64, (n, n_new)
    n_steps : int
    lanes : tokens, logarithms, places, going, seen
        Arrays (N, capacity), (N, capacity), (N, 4), (N,) and (N, K) of bool: symbols of the sequences, logarithms of
        the probabilities of those that are new, places of :class:`~sklearn_rnn.networks.generating.Lanes`, which go on,
        and which symbols each has read. `capacity` is enough.
    choice : shares, counts, banned
        Arrays (4,) of float64, (4,) of int64, see ``sklearn_rnn.kernels.choosing``, and (K,) of bool: symbols that
        never come.
    network : table, beside, layers, head, narrow, wide
        `table` (K, ...) has a row for each symbol: what it adds to the gates of the first layer, or if that has weights
        for its inputs, its vector, behind which `beside` (N, ...) comes. Layers and head are described as in
        ``sklearn_rnn.kernels.stepping``.
    streams : states, counts, outputs
        Arrays (N, ...), (N,), (N, K) of the stepper. Outputs are those after the last step with a new symbol.
    """
    states, steps, outputs = streams
    places, n = lanes[2], rows.size
    live, at, symbols, used = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64), np.zeros(n, np.int64)
    for _ in range(n_steps):
        m = _find_live(rows, used, uniforms.shape[1], lanes, live, at)
        if m == 0:
            return
        for i in range(m):
            symbols[i] = _read(at[i], lanes, choice)
            steps[at[i]] += 1
        hidden = _hidden_states(symbols[:m], at[:m], network, states)
        n_writing = 0
        for i in range(m):
            if places[at[i], READ] == places[at[i], KNOWN]:
                put(hidden[i], hidden[n_writing])
                live[n_writing], at[n_writing] = live[i], at[i]
                n_writing += 1
        if n_writing > 0:
            k = n_writing
            _write_all(at[:k], live[:k], uniforms, used, hidden[:k], lanes, choice, network, outputs)
