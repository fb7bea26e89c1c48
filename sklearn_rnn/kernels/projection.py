"""Products of all gates at once: weights in panels, and inputs that are projected once for all steps that share them.

What the letters stand for is said in :mod:`sklearn_rnn.kernels.recurrence`.
"""

from __future__ import annotations

import numpy as np

from sklearn_rnn.kernels.compiling import inlined, kernel
from sklearn_rnn.kernels.products import add_packed, add_product, multiply, pack
from sklearn_rnn.kernels.rows import add, clear, put

LARGE = 2**16
"""Numbers of the weights of a gate from which they are packed: rows that follow each other at a distance of some
kilobytes leave a cache half empty."""


@inlined
def multiply_all(a, weights, panels, out, in_order):
    """Put the products of `a` (m, k) and the `weights` (G, k, n) of each gate into `out` (G, m or more, n).

    Where there are `panels` of the weights, those are read, and the numbers are as with `in_order`.
    """
    for g in range(weights.shape[0]):
        product = out[g][: a.shape[0]]
        if panels.size:
            clear(product.reshape(-1))
            add_packed(a, panels[g], product)
        else:
            multiply(a, weights[g], product, in_order)


@kernel
def pack_all(weights, panels):
    """Put the `weights` (G, k, n) of each gate into `panels` (G, n_panels, k, columns of a panel)."""
    for g in range(weights.shape[0]):
        pack(weights[g], panels[g])


@kernel
def project(x, weights, panels, table, in_order):
    """Put the products of `x` (V, I) with the weights (G, I + 1, H), and their panels, into the `table` (G, V, H)."""
    block = np.ones((x.shape[0], x.shape[1] + 1), x.dtype)
    for i in range(x.shape[0]):
        put(x[i], block[i, : x.shape[1]])
    multiply_all(block, weights, panels, table, in_order)


@kernel
def project_back(x, w_x, dtable, kept, of_weights, dx):
    """Gradients of everything that :func:`project` read, given that of the table, `dtable` (G, V, H).

    Parameters
    ----------
    w_x : array (G * H, I)
    kept : int
        The gate whose recurrent bias is not that of its inputs, and whose gradient stays, or -1.
    of_weights : dw_x, db_x, db_h
        Arrays (G * H, I), (G * H,), (G * H,) that take the gradients.
    dx : array (V, I) or (0, 0)
        Takes the gradient of the inputs.
    """
    dw_x, db_x, db_h = of_weights
    G, H = dtable.shape[0], dtable.shape[2]
    part = np.empty(dx.shape, x.dtype)
    clear(db_x)
    clear(dw_x.reshape(-1))
    for g in range(G):
        span = slice(g * H, (g + 1) * H)
        add_product(dtable[g], x, dw_x[span])
        for i in range(x.shape[0]):
            add(dtable[g, i], db_x[span])
        if g != kept:
            put(db_x[span], db_h[span])
        if dx.size and g == 0:
            np.dot(dtable[g], w_x[span], dx)
        elif dx.size:
            np.dot(dtable[g], w_x[span], part)
            add(part.reshape(-1), dx.reshape(-1))
