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
- V: rows of a table. Where many packed rows share one row of the inputs, as steps with the same symbol do, each row is
  projected once, by :func:`sklearn_rnn.kernels.projection.project`, and looked up at each step; gradients are added up
  row by row of the table.

What belongs together comes as a plain tuple, which numba takes in no time; one with names takes it a microsecond.
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
from sklearn_rnn.kernels.compiling import inlined, kernel, placed
from sklearn_rnn.kernels.packed import active, add_up, copy_inputs, count_rows, end_of_chunk, going_on, look_up
from sklearn_rnn.kernels.products import add_packed, add_product
from sklearn_rnn.kernels.projection import multiply_all
from sklearn_rnn.kernels.rows import add, add_rows, clear, put, read_rows, run_of, scale, write_rows

RNN, RELU, GRU, LSTM = 0, 1, 2, 3
CELLS = {"rnn": RNN, "relu": RELU, "gru": GRU, "lstm": LSTM}
N_SAVED = {RNN: 0, RELU: 0, GRU: 4, LSTM: 5}
"""Planes kept beside the hidden states for the backward pass: the gates, and of an LSTM the cell state."""


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
def forward(cell, batch, span, weights, state, mask, reverse, room, states, saved, in_order):
    """Hidden states of some sequences.

    Parameters
    ----------
    cell : int
    batch : x, table, places, offsets
        Arrays (R, I), (0, 0, 0), (R,) or (0,), (n_steps + 1,): with `places`, `x` has any number of rows, and those are
        the rows that belong to the packed ones. Or `x` is of size 0, and `places` are rows of the table (G, V, H).
    span : first, last
        The sequences from `first` to before `last`.
    weights : w_x, w_h, b_n, x_panels, h_panels
        From :func:`arrange`, and the first two again in panels, or arrays of size 0.
    state : h, c
        Arrays (B, H): the states before the first step; they take those after each sequence's last. `c` is that of an
        LSTM, of another cell anything.
    mask : array (B, H) or (0, 0)
        What the hidden state is multiplied with on its way to the next step.
    reverse : bool
        Whether each sequence is read from its last step.
    room : int
        Rows of a chunk.
    states : out, column
        The array (R, n_directions * H) that takes the hidden states, from that column.
    saved : array (n_saved, R, H) or of size 0
        Takes what the backward pass needs.
    in_order : bool
        Whether a sequence gets the same bits whatever is beside it; BLAS is a little faster.
    """
    x, table, places, offsets = batch
    first, last = span
    w_x, w_h, b_n, x_panels, h_panels = weights
    tabled = table.size > 0
    out, column = states
    G, H = w_h.shape[0], w_h.shape[1]
    n_steps = offsets.size - 1
    keeping = saved.size > 0
    masked = mask.size > 0
    size = last - first
    room = max(room, size)
    block = np.ones((0 if tabled else room, x.shape[1] + 1), x.dtype)
    xs = np.empty((G, room, H), x.dtype)
    products = np.empty((G, size, H), x.dtype)
    scratch = np.empty((0 if keeping else 5, size, H), x.dtype)
    kept = saved if keeping else scratch
    bases = np.empty(n_steps, np.int64)
    bias = np.empty((size if cell == GRU else 0, H), x.dtype)
    for i in range(bias.shape[0]):
        put(b_n, bias[i])
    h = state[0][first:last]
    c = state[1][first:last] if cell == LSTM else h
    if masked and n_steps:
        m = active(offsets, 0, first, last)
        scale(run_of(mask, first, m), run_of(h, 0, m))
    start = 0
    while start < n_steps:
        stop = end_of_chunk(offsets, first, last, reverse, start, room)
        low = n_steps - stop if reverse else start
        high = low + stop - start
        rows = count_rows(offsets, first, last, low, high, bases)
        if tabled:
            look_up(table, places, offsets, first, last, low, high, bases, xs)
        elif rows:
            copy_inputs(x, places, offsets, first, last, low, high, bases, block)
            multiply_all(block[:rows], w_x, x_panels, xs, in_order)
        for s in range(start, stop):
            t = n_steps - 1 - s if reverse else s
            m = active(offsets, t, first, last)
            if m == 0:
                continue
            multiply_all(h[:m], w_h, h_panels, products, in_order)
            k = bases[t - low]
            row = offsets[t] + first
            _step(cell, xs, k, products, bias, m, h, c, kept, row if keeping else 0)
            write_rows(h, m, out, row, column)
            if masked:
                going = going_on(offsets, t + (-1 if reverse else 1), first, last, m)
                scale(run_of(mask, first, going), run_of(h, 0, going))
        start = stop


@placed
def _step(cell, xs, k, products, bias, m, h, c, kept, row):
    """Take `m` sequences through a step: `h` and `c` become the states after it, `kept` has the gates from `row` on.

    The products with the inputs are in the rows of `xs` from `k` on, those with the states at the top of `products`.
    """
    now = run_of(h, 0, m)
    x_0, a_0 = run_of(xs[0], k, m), run_of(products[0], 0, m)
    if cell == RNN:
        rnn_step(x_0, a_0, now)
        return
    if cell == RELU:
        relu_step(x_0, a_0, now)
        return
    x_1, a_1 = run_of(xs[1], k, m), run_of(products[1], 0, m)
    x_2, a_2 = run_of(xs[2], k, m), run_of(products[2], 0, m)
    s_0, s_1 = run_of(kept[0], row, m), run_of(kept[1], row, m)
    s_2, s_3 = run_of(kept[2], row, m), run_of(kept[3], row, m)
    if cell == GRU:
        gru_step(x_0, x_1, x_2, a_0, a_1, a_2, run_of(bias, 0, m), now, s_0, s_1, s_2, s_3)
        return
    x_3, a_3 = run_of(xs[3], k, m), run_of(products[3], 0, m)
    cells, s_4 = run_of(c, 0, m), run_of(kept[4], row, m)
    lstm_step(x_0, x_1, x_2, x_3, a_0, a_1, a_2, a_3, now, cells, s_0, s_1, s_2, s_3, s_4)


@kernel
def backward(cell, batch, span, weights, state, mask, reverse, room, states, saved, given, of_weights, dx, dtable):
    """Gradients of everything that :func:`forward` read, given those of what it wrote.

    Parameters
    ----------
    weights : h_panels, x_panels
        The weights (G, H, H) and (G, H, I) in panels; those of the inputs only if their gradient is wanted.
    state : h, c
        Those before the first step.
    given : dout, dh, dc
        The gradients of the hidden states (R, n_directions * H), and of the states after each sequence's last step, of
        which `dh` and `dc` then take those of the states before the first.
    of_weights : dw_x, dw_h, db_x, db_h
        Arrays (G * H, I), (G * H, H), (G * H,), (G * H,) that take the gradients summed over these sequences; with a
        table `dw_x` and `db_x` stay, and of `db_h` all but that of the candidate of a GRU.
    dx : array of the shape of `x`, or (0, 0)
        Takes the gradient of the inputs; rows that are read by nobody stay as they are.
    dtable : array of the shape of the table
        The gradient of the table is added to it.

    The other parameters are those of :func:`forward`.
    """
    x, table, places, offsets = batch
    first, last = span
    tabled = table.size > 0
    h0, c0 = state
    out, column = states
    dout, dh, dc = given
    h_panels, x_panels = weights
    dw_h = of_weights[1]
    G, H = h_panels.shape[0], h_panels.shape[2]
    n_steps = offsets.size - 1
    size = last - first
    room = max(room, size)
    block = np.ones((0 if tabled else room, x.shape[1] + 1), x.dtype)
    before = np.empty((room, H), x.dtype)
    gates = np.empty((G, room, H), x.dtype)
    candidate = np.empty((room if cell == GRU else 0, H), x.dtype)  # the gradient that the recurrent weights of n get
    back = np.empty((room if dx.size else 0, x.shape[1]), x.dtype)
    bases = np.empty(n_steps, np.int64)
    with_bias = np.zeros((G * H, x.shape[1] + 1), x.dtype)
    clear(dw_h.reshape(-1))
    db_n = np.zeros(H, x.dtype)
    d = dh[first:last]
    cells = np.empty((size, H), x.dtype)  # of an LSTM those before this step; of a vanilla cell the states after it
    dcells = dc[first:last] if cell == LSTM else d
    start = 0
    while start < n_steps:
        # the chunk is computed from its last step to its first: backwards in the order of the forward pass
        stop = end_of_chunk(offsets, first, last, not reverse, start, room)
        low = start if reverse else n_steps - stop
        high = low + stop - start
        rows = count_rows(offsets, first, last, low, high, bases)
        for s in range(start, stop):
            t = s if reverse else n_steps - 1 - s
            m = active(offsets, t, first, last)
            if m == 0:
                continue
            previous = t + 1 if reverse else t - 1
            going = going_on(offsets, previous, first, last, m)
            k = bases[t - low]
            row = offsets[t] + first
            row_before = offsets[previous] + first if going else 0
            behind = before[k : k + m]
            read_rows(out, row_before, going, column, behind)
            put(run_of(h0, first + going, m - going), run_of(behind, going, m - going))
            if mask.size:
                scale(run_of(mask, first, m), run_of(behind, 0, m))
            add_rows(dout, row, m, column, d)
            if cell == LSTM:
                put(run_of(saved[4], row_before, going), run_of(cells, 0, going))
                put(run_of(c0, first + going, m - going), run_of(cells, going, m - going))
            elif cell != GRU:
                read_rows(out, row, m, column, cells)
            _through_cell(cell, saved, row, k, m, behind, cells, d, dcells, gates, candidate)
            now = run_of(d, 0, m)
            for g in range(G):
                turned = candidate if cell == GRU and g == 2 else gates[g]
                add_packed(turned[k : k + m], h_panels[g], d[:m])
            if mask.size:
                scale(run_of(mask, first, m), now)
        if tabled:
            add_up(gates, places, offsets, first, last, low, high, bases, dtable)
        elif rows:
            copy_inputs(x, places, offsets, first, last, low, high, bases, block)
            for g in range(G):
                add_product(gates[g][:rows], block[:rows], with_bias[g * H : (g + 1) * H])
        if rows:
            _add_of_recurrence(cell, rows, gates, candidate, before, dw_h, db_n)
            if dx.size:
                _put_of_inputs(batch, span, low, high, bases, rows, gates, x_panels, back, dx)
        start = stop
    if not tabled:
        _write_of_inputs(with_bias, of_weights)
    if cell == GRU:
        put(db_n, of_weights[3][2 * H :])


@placed
def _through_cell(cell, saved, row, k, m, behind, cells, d, dcells, gates, candidate):
    """Take the gradients of `m` rows through one step: `d` becomes what reaches the state `behind` past the gates."""
    now = run_of(d, 0, m)
    g_0 = run_of(gates[0], k, m)
    if cell in (RNN, RELU):
        if cell == RNN:
            rnn_back(now, run_of(cells, 0, m), g_0)
        else:
            relu_back(now, run_of(cells, 0, m), g_0)
        clear(now)
        return
    g_1, g_2 = run_of(gates[1], k, m), run_of(gates[2], k, m)
    s_0, s_1, s_2 = run_of(saved[0], row, m), run_of(saved[1], row, m), run_of(saved[2], row, m)
    s_3 = run_of(saved[3], row, m)
    if cell == GRU:
        gru_back(now, run_of(behind, 0, m), s_0, s_1, s_2, s_3, g_0, g_1, g_2, run_of(candidate, k, m))
        return
    g_3, s_4 = run_of(gates[3], k, m), run_of(saved[4], row, m)
    lstm_back(now, run_of(dcells, 0, m), run_of(cells, 0, m), s_0, s_1, s_2, s_3, s_4, g_0, g_1, g_2, g_3)
    clear(now)


@inlined
def _add_of_recurrence(cell, rows, gates, candidate, before, dw_h, db_n):
    """Add what the first `rows` of a chunk give to the gradients of the recurrent weights."""
    H = gates.shape[2]
    for g in range(gates.shape[0]):
        turned = candidate if cell == GRU and g == 2 else gates[g]
        add_product(turned[:rows], before[:rows], dw_h[g * H : (g + 1) * H])
    for i in range(rows if cell == GRU else 0):
        add(candidate[i], db_n)


@inlined
def _put_of_inputs(batch, span, low, high, bases, rows, gates, panels, back, dx):
    """Put the gradients of the inputs of steps `low` to `high` where the inputs came from."""
    _, _, places, offsets = batch
    first, last = span
    clear(run_of(back, 0, rows))
    for g in range(gates.shape[0]):
        add_packed(gates[g][:rows], panels[g], back[:rows])
    for t in range(low, high):
        for i in range(active(offsets, t, first, last)):
            row = offsets[t] + first + i
            put(back[bases[t - low] + i], dx[places[row] if places.size else row])


@inlined
def _write_of_inputs(with_bias, of_weights):
    """Write the gradients of the weights of inputs and of the biases as torch lays them out."""
    dw_x, _, db_x, db_h = of_weights
    n_inputs = dw_x.shape[1]
    for j in range(dw_x.shape[0]):
        put(with_bias[j, :n_inputs], dw_x[j])
        db_x[j] = db_h[j] = with_bias[j, n_inputs]
