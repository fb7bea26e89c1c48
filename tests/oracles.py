"""The published equations in plain NumPy, one unit of arithmetic at a time, for tests to compare with.

A `mask` multiplies the hidden state where weights read it, and nowhere else (Gal and Ghahramani 2016).
"""

import numpy as np


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def rnn_states(x, w, nonlinearity="tanh", h=None, mask=1.0, **_):
    """Elman (1990). `x` (n_steps, n_in); returns the hidden states and, last, what to go on from."""
    h = np.zeros(w["weight_hh_l0"].shape[1]) if h is None else h
    states = []
    for x_t in x:
        a = w["weight_ih_l0"] @ x_t + w["bias_ih_l0"] + w["weight_hh_l0"] @ (mask * h) + w["bias_hh_l0"]
        h = np.tanh(a) if nonlinearity == "tanh" else np.maximum(a, 0)
        states.append(h)
    return np.array(states), h


def lstm_states(x, w, state=None, mask=1.0, **_):
    """Hochreiter and Schmidhuber (1997), Gers et al. (2000), and the projection of Sak et al. (2014)."""
    (w_i, w_f, w_g, w_o), (u_i, u_f, u_g, u_o) = np.split(w["weight_ih_l0"], 4), np.split(w["weight_hh_l0"], 4)
    (b_i, b_f, b_g, b_o), (c_i, c_f, c_g, c_o) = np.split(w["bias_ih_l0"], 4), np.split(w["bias_hh_l0"], 4)
    h, c = (np.zeros(u_i.shape[1]), np.zeros(u_i.shape[0])) if state is None else state
    states = []
    for x_t in x:
        i = sigmoid(w_i @ x_t + b_i + u_i @ (mask * h) + c_i)
        f = sigmoid(w_f @ x_t + b_f + u_f @ (mask * h) + c_f)
        g = np.tanh(w_g @ x_t + b_g + u_g @ (mask * h) + c_g)
        o = sigmoid(w_o @ x_t + b_o + u_o @ (mask * h) + c_o)
        c = f * c + i * g
        h = o * np.tanh(c)
        if "weight_hr_l0" in w:
            h = w["weight_hr_l0"] @ h
        states.append(h)
    return np.array(states), (h, c)


def gru_states(x, w, h=None, mask=1.0, **_):
    """Cho et al. (2014), with the reset gate on the recurrent product, its bias included."""
    (w_r, w_z, w_n), (u_r, u_z, u_n) = np.split(w["weight_ih_l0"], 3), np.split(w["weight_hh_l0"], 3)
    (b_r, b_z, b_n), (c_r, c_z, c_n) = np.split(w["bias_ih_l0"], 3), np.split(w["bias_hh_l0"], 3)
    h = np.zeros(u_r.shape[1]) if h is None else h
    states = []
    for x_t in x:
        r = sigmoid(w_r @ x_t + b_r + u_r @ (mask * h) + c_r)
        z = sigmoid(w_z @ x_t + b_z + u_z @ (mask * h) + c_z)
        n = np.tanh(w_n @ x_t + b_n + r * (u_n @ (mask * h) + c_n))
        h = (1 - z) * n + z * h
        states.append(h)
    return np.array(states), h


def mgu_states(x, w, h=None, mask=1.0, **_):
    """Zhou et al. (2016), equation 7."""
    (w_f, w_n), (u_f, u_n) = np.split(w["weight_ih_l0"], 2), np.split(w["weight_hh_l0"], 2)
    b_f, b_n = np.split(w["bias_ih_l0"], 2)
    h = np.zeros(u_f.shape[1]) if h is None else h
    states = []
    for x_t in x:
        f = sigmoid(w_f @ x_t + u_f @ (mask * h) + b_f)
        n = np.tanh(w_n @ x_t + u_n @ (f * mask * h) + b_n)
        h = (1 - f) * h + f * n
        states.append(h)
    return np.array(states), h


STATES = {"rnn": rnn_states, "lstm": lstm_states, "gru": gru_states, "mgu": mgu_states}

# cell_type and what else its layer is made with
CELLS = {
    "rnn-tanh": ("rnn", {"nonlinearity": "tanh"}),
    "rnn-relu": ("rnn", {"nonlinearity": "relu"}),
    "lstm": ("lstm", {}),
    "lstm-projected": ("lstm", {"proj_size": 2}),
    "gru": ("gru", {}),
    "mgu": ("mgu", {}),
}


def states(cell, x, weights, state=None, mask=1.0):
    """Hidden states (n_steps, n_u) of the cell named `cell` in CELLS for one sequence, and the state at its end."""
    cell_type, options = CELLS[cell]
    start = {} if state is None else _start(cell_type, state)
    return STATES[cell_type](x, weights, mask=mask, **options, **start)


def _start(cell_type, state):
    return {"state": state} if cell_type == "lstm" else {"h": state}


def finite_differences(loss, weights, step=1e-6):
    """The gradient of `loss(weights)` for a dict of arrays, by central differences."""
    gradient = {}
    for name, value in weights.items():
        gradient[name] = np.zeros_like(value)
        for position in np.ndindex(value.shape):
            sides = []
            for sign in (1, -1):
                moved = {**weights, name: value.copy()}
                moved[name][position] += sign * step
                sides.append(loss(moved))
            gradient[name][position] = (sides[0] - sides[1]) / (2 * step)
    return gradient
