"""The three recurrences over a whole ragged batch, forward and backward.

A batch is packed as torch's ``PackedSequence`` is: its sequences are sorted, longest first, and row ``offsets[t] + i``
holds step t of sequence i. The sequences that still run at a step are then its first rows, so that no work is done on
padding, and the step of one direction is one matrix product with the recurrent weights.

A kernel computes the sequences ``first`` to ``last`` in one direction, and holds no lock: several may run at once.
Inputs are projected, and weight gradients summed, in matrix products over chunks of steps that fit into the cache.

- R: packed rows, B: sequences, I: inputs, H: hidden units.
- G: gates, 1 (``RNN``, ``RELU``), 3 (``GRU``) or 4 (``LSTM``).
- Weights are laid out as torch lays them out, (G * H, I) and (G * H, H), the gates in its order.
- ``saved`` (R, n_saved(cell) * H) is what the backward pass needs of each gate.
"""

from __future__ import annotations

import numpy as np

from sklearn_rnn.kernels.activations import logistic, tanh
from sklearn_rnn.kernels.compiling import inlined, kernel

RNN, RELU, GRU, LSTM = 0, 1, 2, 3
CELLS = {"rnn": RNN, "relu": RELU, "gru": GRU, "lstm": LSTM}
N_SAVED = {RNN: 0, RELU: 0, GRU: 4, LSTM: 5}
"""Numbers kept for each unit and step beside the hidden state: the gates, and in an LSTM the cell state."""

SMALL_PRODUCT = 10**6
"""Multiplications up to which OpenBLAS multiplies matrices as they lie, where the CPU has AVX-512, rather than copying
them into another order first. Products are cut to this size: at 64 units that makes them 1.4 times as fast."""


@inlined
def _put(source, target):
    """Copy a row. An assignment of slices would compile NumPy's checks of shapes too, for seconds."""
    for j in range(target.size):
        target[j] = source[j]


@inlined
def _add(source, target):
    for j in range(target.size):
        target[j] += source[j]


@inlined
def _clear(target):
    for j in range(target.size):
        target[j] = 0


@inlined
def _scale(factors, target):
    for j in range(target.size):
        target[j] *= factors[j]


@inlined
def _gate(panels, i, k, n_units):
    """Gate `k` of row `i` of `panels` (n_panels, rows, columns), which hold all gates or one each, (n_units,).

    Only whole slices make fast loops: of an index such as ``H + j`` the compiler cannot rule out that it counts from
    the end, and gives up on vector instructions.
    """
    return panels[0, i, k * n_units : (k + 1) * n_units] if panels.shape[0] == 1 else panels[k, i]


@inlined
def _flush(x):
    """0 for a gradient that is on its way to a subnormal number, on which a CPU is ten times slower."""
    return x if abs(x) > 1e-25 else x * 0


@inlined
def _rnn_row(xs, k, products, i, b, h):
    """One step of sequence `i`: `h` becomes ``tanh(x + a + b)``; `a` is the recurrent product."""
    x, a = xs[0, k], products[0, i]
    for j in range(h.size):
        h[j] = tanh(x[j] + a[j] + b[j])


@inlined
def _relu_row(xs, k, products, i, b, h):
    x, a = xs[0, k], products[0, i]
    nothing = h.dtype.type(0)
    for j in range(h.size):
        total = x[j] + a[j] + b[j]
        h[j] = nothing if total <= 0 else total


@inlined
def _gru_row(xs, k, products, i, b, b_n, h, saved):
    """One step of a GRU; keeps the gates r, z and n and the recurrent part of the candidate in `saved`."""
    H = h.size
    x_r, x_z, x_n = _gate(xs, k, 0, H), _gate(xs, k, 1, H), _gate(xs, k, 2, H)
    a_r, a_z, a_n = _gate(products, i, 0, H), _gate(products, i, 1, H), _gate(products, i, 2, H)
    b_r, b_z, b_x = b[:H], b[H : 2 * H], b[2 * H :]
    rs, zs, ns, parts = saved[:H], saved[H : 2 * H], saved[2 * H : 3 * H], saved[3 * H :]
    for j in range(H):
        r = logistic(x_r[j] + a_r[j] + b_r[j])
        z = logistic(x_z[j] + a_z[j] + b_z[j])
        part = a_n[j] + b_n[j]
        n = tanh(x_n[j] + b_x[j] + r * part)
        rs[j] = r
        zs[j] = z
        ns[j] = n
        parts[j] = part
        h[j] = n + z * (h[j] - n)


@inlined
def _lstm_row(xs, k, products, row, b, h, c, saved):
    """One step of an LSTM; keeps the gates i, f, g and o and the new cell state in `saved`."""
    H = h.size
    x_i, x_f, x_g, x_o = _gate(xs, k, 0, H), _gate(xs, k, 1, H), _gate(xs, k, 2, H), _gate(xs, k, 3, H)
    a_i, a_f = _gate(products, row, 0, H), _gate(products, row, 1, H)
    a_g, a_o = _gate(products, row, 2, H), _gate(products, row, 3, H)
    b_i, b_f, b_g, b_o = b[:H], b[H : 2 * H], b[2 * H : 3 * H], b[3 * H :]
    i_s, fs, gs, os, cs = saved[:H], saved[H : 2 * H], saved[2 * H : 3 * H], saved[3 * H : 4 * H], saved[4 * H :]
    for j in range(H):
        i = logistic(x_i[j] + a_i[j] + b_i[j])
        f = logistic(x_f[j] + a_f[j] + b_f[j])
        g = tanh(x_g[j] + a_g[j] + b_g[j])
        o = logistic(x_o[j] + a_o[j] + b_o[j])
        new = f * c[j] + i * g
        i_s[j] = i
        fs[j] = f
        gs[j] = g
        os[j] = o
        cs[j] = new
        c[j] = new
        h[j] = o * tanh(new)


@inlined
def _rnn_row_back(d, h, dx):
    """Turn the gradient `d` of the state `h` into that of the sum inside the activation."""
    for j in range(h.size):
        dx[j] = _flush(d[j]) * (1 - h[j] * h[j])


@inlined
def _relu_row_back(d, h, dx):
    for j in range(h.size):
        dx[j] = _flush(d[j]) if h[j] > 0 else d[j] * 0


@inlined
def _gru_row_back(d, before, saved, dxs, das, k):
    """Gradients `dxs` and `das` of the inputs of the gates; `d` becomes what reaches `before` past them."""
    H = d.size
    rs, zs, ns, parts = saved[:H], saved[H : 2 * H], saved[2 * H : 3 * H], saved[3 * H :]
    dx_r, dx_z, dx_n = _gate(dxs, k, 0, H), _gate(dxs, k, 1, H), _gate(dxs, k, 2, H)
    da_r, da_z, da_n = _gate(das, k, 0, H), _gate(das, k, 1, H), _gate(das, k, 2, H)
    for j in range(H):
        r = rs[j]
        z = zs[j]
        n = ns[j]
        e = _flush(d[j])
        dn = e * (1 - z) * (1 - n * n)
        dz = e * (before[j] - n) * z * (1 - z)
        dr = dn * parts[j] * r * (1 - r)
        dx_r[j] = dr
        dx_z[j] = dz
        dx_n[j] = dn
        da_r[j] = dr
        da_z[j] = dz
        da_n[j] = dn * r
        d[j] = e * z


@inlined
def _lstm_row_back(d, dc, before, saved, dxs, k):
    """Gradients `dxs` of the inputs of the gates; `dc` becomes that of the cell state `before` this step."""
    H = d.size
    i_s, fs, gs, os, cs = saved[:H], saved[H : 2 * H], saved[2 * H : 3 * H], saved[3 * H : 4 * H], saved[4 * H :]
    dx_i, dx_f, dx_g, dx_o = _gate(dxs, k, 0, H), _gate(dxs, k, 1, H), _gate(dxs, k, 2, H), _gate(dxs, k, 3, H)
    for j in range(H):
        i = i_s[j]
        f = fs[j]
        g = gs[j]
        o = os[j]
        t = tanh(cs[j])
        e = _flush(d[j])
        dcell = _flush(dc[j] + e * o * (1 - t * t))
        dx_i[j] = dcell * g * i * (1 - i)
        dx_f[j] = dcell * before[j] * f * (1 - f)
        dx_g[j] = dcell * i * (1 - g * g)
        dx_o[j] = e * t * o * (1 - o)
        dc[j] = dcell * f


@inlined
def _active(offsets, t, first, last):
    """How many of the sequences `first` to `last` run at step `t`."""
    return max(min(last, offsets[t + 1] - offsets[t]) - first, 0)


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
def _copy_rows(x, offsets, first, last, low, high, bases, block):
    """Put the rows of steps `low` to `high` one after the other; returns how many, and where each step begins."""
    rows = 0
    for t in range(low, high):
        bases[t - low] = rows
        m = _active(offsets, t, first, last)
        for i in range(m):
            _put(x[offsets[t] + first + i], block[rows + i])
        rows += m
    return rows


@inlined
def _multiply(a, b, c):
    """Put the product of `a` (m, k) and `b` (k, n) into `c`, a few rows at a time."""
    m = a.shape[0]
    rows = SMALL_PRODUCT // b.size // 4 * 4
    if rows < 4 or rows >= m:
        np.dot(a, b, c)
        return
    for i in range(0, m, rows):
        np.dot(a[i : i + rows], b, c[i : i + rows])


@inlined
def _multiply_by_panels(a, panels, out):
    """Put the products of `a` (m, k) and each of `panels` (n_panels, k, n) into `out` (n_panels, m or more, n)."""
    for k in range(panels.shape[0]):
        _multiply(a, panels[k], out[k][: a.shape[0]])


@inlined
def _sum_of_products(panels, begin, end, weights, part, out):
    """Put the sum of the products of rows `begin` to `end` of all `panels` and their `weights` into `out` (m, n)."""
    m = end - begin
    _multiply(panels[0][begin:end], weights[0], out[:m])
    for k in range(1, panels.shape[0]):
        _multiply(panels[k][begin:end], weights[k], part[:m])
        for i in range(m):
            _add(part[i], out[i])


@inlined
def _add_products(a, b, part, total):
    """Add the product of the transposed `a` (k, m) and `b` (k, n) to `total` (m, n); `part` is room for it."""
    k = a.shape[0]
    rows = SMALL_PRODUCT // total.size
    if rows < 64 or rows >= k:
        rows = k
    for i in range(0, k, rows):
        np.dot(a[i : i + rows].T, b[i : i + rows], part)
        _add(part.reshape(-1), total.reshape(-1))


@inlined
def _add_columns(a, total):
    for i in range(a.shape[0]):
        _add(a[i], total)


@kernel
def forward(cell, x, offsets, first, last, w_x, w_h, b_x, b_h, h0, c0, mask, reverse, room, out, column, saved):
    """Hidden states of the sequences `first` to `last`.

    Parameters
    ----------
    cell : int
    x : array (R, I)
    offsets : array of int64, (n_steps + 1,)
    w_x, w_h : arrays (n_panels, I, G * H / n_panels), (n_panels, H, G * H / n_panels)
        Weights, transposed, of all gates in one panel or of each in one of its own.
    b_x, b_h : arrays (G * H,)
    h0, c0 : arrays (B, H)
        States before the first step; `c0` is of an LSTM, else (0, H).
    mask : array (B, H) or (0, 0)
        What the hidden state is multiplied with on its way to the next step.
    reverse : bool
        Whether each sequence is read from its last step.
    room : int
        Rows of a chunk.
    out : array (R, n_directions * H)
        Takes the states, from column `column`.
    saved : array (R, n_saved * H) or (0, 0)
        Takes what the backward pass needs.
    """
    H = w_h.shape[1]
    n_steps = offsets.size - 1
    keeping = saved.size > 0
    masked = mask.size > 0
    size = last - first
    room = max(room, size)
    block = np.empty((room, x.shape[1]), x.dtype)
    projected = np.empty((w_x.shape[0], room, w_x.shape[2]), x.dtype)
    products = np.empty((w_h.shape[0], size, w_h.shape[2]), x.dtype)
    scratch = np.empty(5 * H, x.dtype)
    bases = np.empty(n_steps, np.int64)
    bias = b_x.copy()
    bias_n = b_h[2 * H :] if cell == GRU else b_h
    _add(b_h, bias[: 2 * H] if cell == GRU else bias)
    h = h0[first:last].copy()
    if masked:
        for i in range(size):
            _scale(mask[first + i], h[i])
    c = c0[first:last].copy() if cell == LSTM else h
    start = 0
    while start < n_steps:
        stop = _end_of_chunk(offsets, first, last, reverse, start, room)
        low = n_steps - stop if reverse else start
        rows = _copy_rows(x, offsets, first, last, low, low + stop - start, bases, block)
        if rows:
            _multiply_by_panels(block[:rows], w_x, projected)
        for s in range(start, stop):
            t = n_steps - 1 - s if reverse else s
            m = _active(offsets, t, first, last)
            if m == 0:
                continue
            _multiply_by_panels(h[:m], w_h, products)
            for i in range(m):
                row = offsets[t] + first + i
                k = bases[t - low] + i
                if cell == GRU:
                    _gru_row(projected, k, products, i, bias, bias_n, h[i], saved[row] if keeping else scratch)
                elif cell == LSTM:
                    _lstm_row(projected, k, products, i, bias, h[i], c[i], saved[row] if keeping else scratch)
                elif cell == RNN:
                    _rnn_row(projected, k, products, i, bias, h[i])
                else:
                    _relu_row(projected, k, products, i, bias, h[i])
                _put(h[i], out[row, column : column + H])
                if masked:
                    _scale(mask[first + i], h[i])
        start = stop


@kernel
def backward(
    cell, dout, x, offsets, first, last, w_x, w_h, h0, c0, mask, reverse, cut, room, out, column, saved, dx, dh0, dc0
):
    """Gradients of everything that :func:`forward` read, given `dout` (R, n_directions * H) of what it wrote.

    Parameters
    ----------
    cut : int
        Steps, counted from a sequence's first, after which the gradient through the state is 0; 0 for none.
    dx : array (R, I) or (0, 0)
        Takes the gradient of the inputs.
    dh0, dc0 : arrays (B, H)
        Take those of the first states.

    w_x, w_h : arrays (n_panels, G * H / n_panels, I), (n_panels, G * H / n_panels, H)

    The other parameters are those of :func:`forward`.

    Returns
    -------
    dw_x, dw_h, db_x, db_h : arrays (G * H, I), (G * H, H), (G * H,), (G * H,)
    """
    n_panels, width, H = w_h.shape
    G = n_panels * width
    n_inputs = x.shape[1]
    n_steps = offsets.size - 1
    masked = mask.size > 0
    gru = cell == GRU
    size = last - first
    room = max(room, size)
    block = np.empty((room, x.shape[1]), x.dtype)
    before = np.empty((room, H), x.dtype)
    gates = np.empty((n_panels, room, width), x.dtype)
    gates_h = np.empty((n_panels, room if gru else 0, width), x.dtype)
    back = np.empty((room if dx.size else 0, n_inputs), x.dtype)
    part_back = np.empty((room if dx.size and n_panels > 1 else 0, n_inputs), x.dtype)
    part_x = np.empty((width, n_inputs), x.dtype)
    part_h = np.empty((width, H), x.dtype)
    product = np.empty((size, H), x.dtype)
    part = np.empty((size if n_panels > 1 else 0, H), x.dtype)
    bases = np.empty(n_steps, np.int64)
    dw_x = np.zeros((G, n_inputs), x.dtype)
    dw_h = np.zeros((G, H), x.dtype)
    db_x = np.zeros(G, x.dtype)
    db_h = np.zeros(G, x.dtype)
    d = np.zeros((size, H), x.dtype)
    dc = np.zeros((size if cell == LSTM else 0, H), x.dtype)
    start = 0
    while start < n_steps:
        # the chunk is computed from its last step to its first: backwards in the order of the forward pass
        stop = _end_of_chunk(offsets, first, last, not reverse, start, room)
        low = start if reverse else n_steps - stop
        rows = _copy_rows(x, offsets, first, last, low, low + stop - start, bases, block)
        for s in range(start, stop):
            t = s if reverse else n_steps - 1 - s
            previous = t + 1 if reverse else t - 1
            m = _active(offsets, t, first, last)
            if m == 0:
                continue
            going = _active(offsets, previous, first, last) if 0 <= previous < n_steps else 0
            base = bases[t - low]
            for i in range(m):
                row = offsets[t] + first + i
                behind = before[base + i]
                if i < going:
                    _put(out[offsets[previous] + first + i, column : column + H], behind)
                else:
                    _put(h0[first + i], behind)
                if masked:
                    _scale(mask[first + i], behind)
                _add(dout[row, column : column + H], d[i])
                if cell == GRU:
                    _gru_row_back(d[i], behind, saved[row], gates, gates_h, base + i)
                elif cell == LSTM:
                    state = saved[offsets[previous] + first + i, 4 * H :] if i < going else c0[first + i]
                    _lstm_row_back(d[i], dc[i], state, saved[row], gates, base + i)
                elif cell == RNN:
                    _rnn_row_back(d[i], out[row, column : column + H], gates[0, base + i])
                else:
                    _relu_row_back(d[i], out[row, column : column + H], gates[0, base + i])
            _sum_of_products(gates_h if gru else gates, base, base + m, w_h, part, product)
            for i in range(m):
                if gru:
                    _add(product[i], d[i])
                else:
                    _put(product[i], d[i])
                if masked:
                    _scale(mask[first + i], d[i])
                if cut:
                    length = _length_of(offsets, first + i) if reverse else 0
                    if (length - 1 - t if reverse else t) % cut == 0 and i < going:
                        _clear(d[i])
                        if cell == LSTM:
                            _clear(dc[i])
        if rows:
            for k in range(n_panels):
                _add_products(gates[k][:rows], block[:rows], part_x, dw_x[k * width : (k + 1) * width])
                _add_columns(gates[k][:rows], db_x[k * width : (k + 1) * width])
                turned = gates_h[k] if gru else gates[k]
                _add_products(turned[:rows], before[:rows], part_h, dw_h[k * width : (k + 1) * width])
                if gru:
                    _add_columns(turned[:rows], db_h[k * width : (k + 1) * width])
            if dx.size:
                _sum_of_products(gates, 0, rows, w_x, part_back, back)
                for t in range(low, low + stop - start):
                    for i in range(_active(offsets, t, first, last)):
                        _put(back[bases[t - low] + i], dx[offsets[t] + first + i])
        start = stop
    for i in range(size):
        _put(d[i], dh0[first + i])
        if cell == LSTM:
            _put(dc[i], dc0[first + i])
    if not gru:
        _put(db_x, db_h)
    return dw_x, dw_h, db_x, db_h


@inlined
def _length_of(offsets, i):
    """Steps of sequence `i`."""
    t = 0
    while t < offsets.size - 1 and offsets[t + 1] - offsets[t] > i:
        t += 1
    return t
