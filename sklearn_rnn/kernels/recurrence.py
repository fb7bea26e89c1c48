"""The three recurrences over a whole ragged batch, forward and backward.

A batch is packed as torch's ``PackedSequence`` is: its sequences are sorted, longest first, and row ``offsets[t] + i``
holds step t of sequence i. The sequences that still run at a step are then its first rows, so that no work is done on
padding, and the step of one direction is a matrix product of those rows with the recurrent weights of each gate.

A kernel computes the sequences ``first`` to ``last`` in one direction, and holds no lock: several may run at once.
Inputs are projected, and weight gradients summed, in matrix products over chunks of steps that fit into the cache.

- R: packed rows, B: sequences, I: inputs, H: hidden units.
- G: gates, 1 (``RNN``, ``RELU``), 3 (``GRU``) or 4 (``LSTM``), in torch's order.
- What belongs to a gate is a plane of its own, (G, rows, H), so that all units of a step are one run of numbers. Only
  such runs make fast loops: a row of few units is over before its vector instructions pay, and of an index such as
  ``H + j`` the compiler cannot rule out that it counts from the end.
- Inputs have a last column of ones beside them, whose weights are the biases.
"""

from __future__ import annotations

import numpy as np

from sklearn_rnn.kernels.cells import (
    gru_back,
    gru_step,
    lstm_back,
    lstm_step,
    relu_back,
    relu_step,
    rnn_back,
    rnn_step,
)
from sklearn_rnn.kernels.compiling import inlined, kernel
from sklearn_rnn.kernels.products import add_product, multiply
from sklearn_rnn.kernels.rows import add, clear, put, scale

RNN, RELU, GRU, LSTM = 0, 1, 2, 3
CELLS = {"rnn": RNN, "relu": RELU, "gru": GRU, "lstm": LSTM}
N_SAVED = {RNN: 0, RELU: 0, GRU: 4, LSTM: 5}
"""Planes kept beside the hidden states for the backward pass: the gates, and of an LSTM the cell state."""


@inlined
def _rows(x, begin, n):
    """Rows `begin` to ``begin + n`` of `x` (rows, columns) as one run, (n * columns,)."""
    return x[begin : begin + n].reshape(-1)


@inlined
def _read_rows(source, begin, n, column, target):
    """Copy `n` rows of `source` from row `begin` and column `column` on to the top of `target` (rows, H)."""
    H = target.shape[1]
    if source.shape[1] == H:
        put(_rows(source, begin, n), _rows(target, 0, n))
        return
    for i in range(n):
        put(source[begin + i, column : column + H], target[i])


@inlined
def _add_rows(source, begin, n, column, target):
    H = target.shape[1]
    if source.shape[1] == H:
        add(_rows(source, begin, n), _rows(target, 0, n))
        return
    for i in range(n):
        add(source[begin + i, column : column + H], target[i])


@inlined
def _write_rows(source, n, target, begin, column):
    """Copy the first `n` rows of `source` (rows, H) to `target`, to row `begin` and column `column` on."""
    H = source.shape[1]
    if target.shape[1] == H:
        put(_rows(source, 0, n), _rows(target, begin, n))
        return
    for i in range(n):
        put(source[i], target[begin + i, column : column + H])


@inlined
def _active(offsets, t, first, last):
    """How many of the sequences `first` to `last` run at step `t`."""
    return max(min(last, offsets[t + 1] - offsets[t]) - first, 0)


@inlined
def _length_of(offsets, i):
    """Steps of sequence `i`."""
    t = 0
    while t < offsets.size - 1 and offsets[t + 1] - offsets[t] > i:
        t += 1
    return t


@inlined
def _end_of_chunk(offsets, first, last, reverse, start, room):
    """The step, counted in the order of computation, after those of the chunk that begins at `start`."""
    n_steps = offsets.size - 1
    rows = 0
    stop = start
    while stop < n_steps:
        t = n_steps - 1 - stop if reverse else stop
        m = _active(offsets, t, first, last)
        if rows > 0 and rows + m > room:
            break
        rows += m
        stop += 1
    return stop


@inlined
def _copy_inputs(x, places, offsets, first, last, low, high, bases, block):
    """Put the rows of steps `low` to `high` one after the other; returns how many, and where each step begins."""
    rows = 0
    for t in range(low, high):
        bases[t - low] = rows
        m = _active(offsets, t, first, last)
        for i in range(m):
            row = offsets[t] + first + i
            put(x[places[row] if places.size else row], block[rows + i, : x.shape[1]])
        rows += m
    return rows


@inlined
def _multiply_all(a, weights, out, in_order):
    """Put the products of `a` (m, k) and the `weights` (G, k, n) of each gate into `out` (G, m or more, n)."""
    for k in range(weights.shape[0]):
        multiply(a, weights[k], out[k][: a.shape[0]], in_order)


@kernel
def arrange(cell, w_x, w_h, b_x, b_h, inputs, recurrent, b_n):
    """Lay out the weights of one direction as :func:`forward` reads them.

    Parameters
    ----------
    cell : int
    w_x, w_h, b_x, b_h : arrays (G * H, I), (G * H, H), (G * H,), (G * H,)
    inputs, recurrent : arrays (G, I + 1, H), (G, H, H)
        Take the transposed weights, those of the inputs with the sums of both biases as their last row; for the
        candidate of a GRU the bias of its inputs alone.
    b_n : array (H,)
        Takes the recurrent bias of the candidate of a GRU; of another cell anything.
    """
    G, H, n_inputs = recurrent.shape[0], recurrent.shape[1], w_x.shape[1]
    for g in range(G):
        for j in range(H):
            row = g * H + j
            for k in range(n_inputs):
                inputs[g, k, j] = w_x[row, k]
            inputs[g, n_inputs, j] = b_x[row] if cell == GRU and g == 2 else b_x[row] + b_h[row]
            for k in range(H):
                recurrent[g, k, j] = w_h[row, k]
    put(b_h[(G - 1) * H :], b_n)


@kernel
def forward(
    cell, x, places, offsets, first, last, w_x, w_h, b_n, h0, c0, mask, reverse, room, out, column, saved, in_order
):
    """Hidden states of the sequences `first` to `last`.

    Parameters
    ----------
    cell : int
    x : array (R, I), or with `places` any number of rows
    places : array of int64, (R,) or (0,)
        The row of `x` that each packed row is; by default the same.
    offsets : array of int64, (n_steps + 1,)
    w_x, w_h, b_n : arrays
        From :func:`arrange`.
    h0, c0 : arrays (B, H)
        States before the first step; `c0` is read for an LSTM alone.
    mask : array (B, H) or (0, 0)
        What the hidden state is multiplied with on its way to the next step.
    reverse : bool
        Whether each sequence is read from its last step.
    room : int
        Rows of a chunk.
    out : array (R, n_directions * H)
        Takes the states, from column `column`.
    saved : array (n_saved, R, H) or of size 0
        Takes what the backward pass needs.
    in_order : bool
        Whether a sequence gets the same bits whatever is beside it; BLAS is a little faster.
    """
    G, H = w_h.shape[0], w_h.shape[1]
    n_steps = offsets.size - 1
    keeping = saved.size > 0
    masked = mask.size > 0
    size = last - first
    room = max(room, size)
    block = np.ones((room, x.shape[1] + 1), x.dtype)
    xs = np.empty((G, room, H), x.dtype)
    products = np.empty((G, size, H), x.dtype)
    scratch = np.empty((0 if keeping else 5, size, H), x.dtype)
    kept = saved if keeping else scratch
    bases = np.empty(n_steps, np.int64)
    bias = np.empty((size if cell == GRU else 0, H), x.dtype)
    for i in range(bias.shape[0]):
        put(b_n, bias[i])
    h = h0[first:last].copy()
    if masked:
        scale(_rows(mask, first, size), _rows(h, 0, size))
    c = c0[first:last].copy() if cell == LSTM else h
    start = 0
    while start < n_steps:
        stop = _end_of_chunk(offsets, first, last, reverse, start, room)
        low = n_steps - stop if reverse else start
        rows = _copy_inputs(x, places, offsets, first, last, low, low + stop - start, bases, block)
        if rows:
            _multiply_all(block[:rows], w_x, xs, in_order)
        for s in range(start, stop):
            t = n_steps - 1 - s if reverse else s
            m = _active(offsets, t, first, last)
            if m == 0:
                continue
            _multiply_all(h[:m], w_h, products, in_order)
            k = bases[t - low]
            row = offsets[t] + first
            p = row if keeping else 0
            now = _rows(h, 0, m)
            x_0, a_0 = _rows(xs[0], k, m), _rows(products[0], 0, m)
            if cell == RNN:
                rnn_step(x_0, a_0, now)
            elif cell == RELU:
                relu_step(x_0, a_0, now)
            else:
                x_1, a_1 = _rows(xs[1], k, m), _rows(products[1], 0, m)
                x_2, a_2 = _rows(xs[2], k, m), _rows(products[2], 0, m)
                s_0, s_1 = _rows(kept[0], p, m), _rows(kept[1], p, m)
                s_2, s_3 = _rows(kept[2], p, m), _rows(kept[3], p, m)
                if cell == GRU:
                    gru_step(x_0, x_1, x_2, a_0, a_1, a_2, _rows(bias, 0, m), now, s_0, s_1, s_2, s_3)
                else:
                    x_3, a_3 = _rows(xs[3], k, m), _rows(products[3], 0, m)
                    state, s_4 = _rows(c, 0, m), _rows(kept[4], p, m)
                    lstm_step(x_0, x_1, x_2, x_3, a_0, a_1, a_2, a_3, now, state, s_0, s_1, s_2, s_3, s_4)
            _write_rows(h, m, out, row, column)
            if masked:
                scale(_rows(mask, first, m), now)
        start = stop


@kernel
def backward(
    cell,
    dout,
    x,
    places,
    offsets,
    first,
    last,
    w_x,
    w_h,
    h0,
    c0,
    mask,
    reverse,
    cut,
    room,
    out,
    column,
    saved,
    dx,
    dh0,
    dc0,
    dw_x,
    dw_h,
    db_x,
    db_h,
):
    """Gradients of everything that :func:`forward` read, given `dout` (R, n_directions * H) of what it wrote.

    Parameters
    ----------
    w_x, w_h : arrays (G * H, I), (G * H, H)
    cut : int
        Steps, counted from a sequence's first, after which the gradient through the state is 0; 0 for none.
    dx : array of the shape of `x`, or (0, 0)
        Takes the gradient of the inputs; rows that are read by nobody stay as they are.
    dh0, dc0 : arrays (B, H)
        Take those of the first states.
    dw_x, dw_h, db_x, db_h : arrays (G * H, I), (G * H, H), (G * H,), (G * H,)
        Take those of the weights, summed over these sequences.

    The other parameters are those of :func:`forward`.
    """
    H = w_h.shape[1]
    G = w_h.shape[0] // H
    n_inputs = x.shape[1]
    n_steps = offsets.size - 1
    masked = mask.size > 0
    gru = cell == GRU
    lstm = cell == LSTM
    size = last - first
    room = max(room, size)
    block = np.ones((room, n_inputs + 1), x.dtype)
    before = np.empty((room, H), x.dtype)
    gates = np.empty((G, room, H), x.dtype)
    candidate = np.empty((room if gru else 0, H), x.dtype)  # the gradient that the recurrent weights of n get
    back = np.empty((room if dx.size else 0, n_inputs), x.dtype)
    part_back = np.empty((room if dx.size and G > 1 else 0, n_inputs), x.dtype)
    part_x = np.empty((H, n_inputs + 1), x.dtype)
    part_h = np.empty((H, H), x.dtype)
    part = np.empty((size, H), x.dtype)
    bases = np.empty(n_steps, np.int64)
    with_bias = np.zeros((G * H, n_inputs + 1), x.dtype)
    clear(dw_h.reshape(-1))
    db_n = np.zeros(H, x.dtype)
    d = np.zeros((size, H), x.dtype)
    state = np.empty((size, H), x.dtype)  # of the hidden units after this step, or of the cells before it
    dc = np.zeros((size if lstm else 0, H), x.dtype)
    start = 0
    while start < n_steps:
        # the chunk is computed from its last step to its first: backwards in the order of the forward pass
        stop = _end_of_chunk(offsets, first, last, not reverse, start, room)
        low = start if reverse else n_steps - stop
        rows = _copy_inputs(x, places, offsets, first, last, low, low + stop - start, bases, block)
        for s in range(start, stop):
            t = s if reverse else n_steps - 1 - s
            previous = t + 1 if reverse else t - 1
            m = _active(offsets, t, first, last)
            if m == 0:
                continue
            going = min(m, _active(offsets, previous, first, last)) if 0 <= previous < n_steps else 0
            k = bases[t - low]
            row = offsets[t] + first
            row_before = offsets[previous] + first if going else 0
            behind = before[k : k + m]
            _read_rows(out, row_before, going, column, behind)
            put(_rows(h0, first + going, m - going), _rows(behind, going, m - going))
            if masked:
                scale(_rows(mask, first, m), _rows(behind, 0, m))
            _add_rows(dout, row, m, column, d)
            now = _rows(d, 0, m)
            g_0 = _rows(gates[0], k, m)
            if cell in (RNN, RELU):
                _read_rows(out, row, m, column, state)
                if cell == RNN:
                    rnn_back(now, _rows(state, 0, m), g_0)
                else:
                    relu_back(now, _rows(state, 0, m), g_0)
                clear(now)
            else:
                g_1, g_2 = _rows(gates[1], k, m), _rows(gates[2], k, m)
                s_0, s_1 = _rows(saved[0], row, m), _rows(saved[1], row, m)
                s_2, s_3 = _rows(saved[2], row, m), _rows(saved[3], row, m)
                if gru:
                    gru_back(now, _rows(behind, 0, m), s_0, s_1, s_2, s_3, g_0, g_1, g_2, _rows(candidate, k, m))
                else:
                    put(_rows(saved[4], row_before, going), _rows(state, 0, going))
                    put(_rows(c0, first + going, m - going), _rows(state, going, m - going))
                    g_3, s_4 = _rows(gates[3], k, m), _rows(saved[4], row, m)
                    cells = _rows(dc, 0, m)
                    lstm_back(now, cells, _rows(state, 0, m), s_0, s_1, s_2, s_3, s_4, g_0, g_1, g_2, g_3)
                    clear(now)
            for g in range(G):
                turned = candidate if gru and g == 2 else gates[g]
                multiply(turned[k : k + m], w_h[g * H : (g + 1) * H], part[:m], False)
                add(_rows(part, 0, m), now)
            if masked:
                scale(_rows(mask, first, m), now)
            if cut:
                for i in range(going):
                    length = _length_of(offsets, first + i) if reverse else 0
                    if (length - 1 - t if reverse else t) % cut == 0:
                        clear(d[i])
                        if lstm:
                            clear(dc[i])
        if rows:
            for g in range(G):
                turned = candidate if gru and g == 2 else gates[g]
                add_product(gates[g][:rows], block[:rows], part_x, with_bias[g * H : (g + 1) * H])
                add_product(turned[:rows], before[:rows], part_h, dw_h[g * H : (g + 1) * H])
            for i in range(rows if gru else 0):
                add(candidate[i], db_n)
            if dx.size:
                for g in range(G):
                    of_gate = part_back if g else back
                    multiply(gates[g][:rows], w_x[g * H : (g + 1) * H], of_gate[:rows], False)
                    if g:
                        add(_rows(part_back, 0, rows), _rows(back, 0, rows))
                for t in range(low, low + stop - start):
                    m = _active(offsets, t, first, last)
                    for i in range(m):
                        row = offsets[t] + first + i
                        put(back[bases[t - low] + i], dx[places[row] if places.size else row])
        start = stop
    put(_rows(d, 0, size), _rows(dh0, first, size))
    if lstm:
        put(_rows(dc, 0, size), _rows(dc0, first, size))
    for j in range(G * H):
        put(with_bias[j, :n_inputs], dw_x[j])
        db_x[j] = db_h[j] = with_bias[j, n_inputs]
    if gru:
        put(db_n, db_h[2 * H :])
