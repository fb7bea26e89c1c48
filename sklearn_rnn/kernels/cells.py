"""What a step does to each unit of each sequence, and how gradients come back through it.

All arrays are runs of numbers, (n_sequences * hidden,), one a gate. The equations, with references, are those of
``sklearn_rnn.networks.cells``; the gradients follow from them by the chain rule.
"""

from __future__ import annotations

from sklearn_rnn.kernels.activations import logistic, tanh
from sklearn_rnn.kernels.compiling import inlined


@inlined
def flush(x):
    """0 for a gradient that is on its way to a subnormal number, on which a CPU is ten times slower."""
    return x if abs(x) > 1e-25 else x * 0


@inlined
def rnn_step(x, a, h):
    """A step: `h` becomes ``tanh(x + a)``; `x` and `a` are the products with the input and the recurrent weights."""
    for j in range(h.size):
        h[j] = tanh(x[j] + a[j])


@inlined
def relu_step(x, a, h):
    nothing = h.dtype.type(0)
    for j in range(h.size):
        total = x[j] + a[j]
        h[j] = nothing if total <= 0 else total


@inlined
def gru_step(x_r, x_z, x_n, a_r, a_z, a_n, b_n, h, rs, zs, ns, parts):
    """A step; keeps the gates r, z and n, and in `parts` what the recurrent weights add to the candidate."""
    for j in range(h.size):
        r = logistic(x_r[j] + a_r[j])
        z = logistic(x_z[j] + a_z[j])
        part = a_n[j] + b_n[j]
        n = tanh(x_n[j] + r * part)
        rs[j] = r
        zs[j] = z
        ns[j] = n
        parts[j] = part
        h[j] = n + z * (h[j] - n)


@inlined
def lstm_step(x_i, x_f, x_g, x_o, a_i, a_f, a_g, a_o, h, c, i_s, fs, gs, os, cs):
    """A step; keeps the gates i, f, g and o and the new cell state."""
    for j in range(h.size):
        i = logistic(x_i[j] + a_i[j])
        f = logistic(x_f[j] + a_f[j])
        g = tanh(x_g[j] + a_g[j])
        o = logistic(x_o[j] + a_o[j])
        new = f * c[j] + i * g
        i_s[j] = i
        fs[j] = f
        gs[j] = g
        os[j] = o
        cs[j] = new
        c[j] = new
        h[j] = o * tanh(new)


@inlined
def rnn_back(d, h, dx):
    """Turn the gradient `d` of the state `h` into that of the sum inside the activation."""
    for j in range(h.size):
        dx[j] = flush(d[j]) * (1 - h[j] * h[j])


@inlined
def relu_back(d, h, dx):
    for j in range(h.size):
        dx[j] = flush(d[j]) if h[j] > 0 else d[j] * 0


@inlined
def gru_back(d, before, rs, zs, ns, parts, dx_r, dx_z, dx_n, da_n):
    """Gradients of the inputs of the gates; `d` becomes what reaches the state `before` past them."""
    for j in range(d.size):
        r = rs[j]
        z = zs[j]
        n = ns[j]
        e = flush(d[j])
        dn = e * (1 - z) * (1 - n * n)
        dx_r[j] = dn * parts[j] * r * (1 - r)
        dx_z[j] = e * (before[j] - n) * z * (1 - z)
        dx_n[j] = dn
        da_n[j] = dn * r
        d[j] = e * z


@inlined
def lstm_back(d, dc, before, i_s, fs, gs, os, cs, dx_i, dx_f, dx_g, dx_o):
    """Gradients of the inputs of the gates; `dc` becomes that of the cell state `before` this step."""
    for j in range(d.size):
        i = i_s[j]
        f = fs[j]
        g = gs[j]
        o = os[j]
        t = tanh(cs[j])
        e = flush(d[j])
        dcell = flush(dc[j] + e * o * (1 - t * t))
        dx_i[j] = dcell * g * i * (1 - i)
        dx_f[j] = dcell * before[j] * f * (1 - f)
        dx_g[j] = dcell * i * (1 - g * g)
        dx_o[j] = e * t * o * (1 - o)
        dc[j] = dcell * f
