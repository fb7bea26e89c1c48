"""
How far back a network can learn from
=====================================

Back-propagation through time multiplies the gradient by one Jacobian for each step that it goes back. Over many steps
the product may vanish, and then nothing is learned from what lies far back; or it may explode, and then one step of the
optimiser throws away what the others have learned. Gated cells are against the first, clipping is against the second.

We look at both on the adding problem: each step holds a number and a marker, two steps are marked, one in each half of
the sequence, and the target is the sum of the two marked numbers. The longer the sequences, the further back the first
of them lies. A network that always guesses the mean has a mean squared error of 1/6.
"""

# %%
# Vanishing and exploding by construction
# ---------------------------------------
# A vanilla network with relu starts with the identity as its recurrent matrix, which hands the gradient back as it is.
# If we scale the matrix, each step back scales the gradient by as much, and over 80 steps that is the difference
# between nothing and too much. The axis is logarithmic; the curves start at the last step, where the loss is, and go
# back to the left.

import matplotlib.pyplot as plt
from sklearn.metrics import mean_squared_error

from sklearn_rnn import RNNRegressor
from sklearn_rnn.datasets import make_adding_problem
from sklearn_rnn.inspection import GradientFlowDisplay, TrainingCurveDisplay

one_way = {"bidirectional": False, "pooling": "last", "hidden_size": 16, "dropout": 0.0, "random_state": 0}
X, y = make_adding_problem(100, 80, random_state=0)
untrained = RNNRegressor(cell_type="rnn", nonlinearity="relu", learning_rate=1e-9, max_epochs=1, **one_way).fit(X, y)
recurrent_matrix = untrained.module_.backbone.layers[0].directions[0].weight_hh_l0

_, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
for scale, color in ((1.1, "C3"), (1.0, "0.5"), (0.9, "C0")):
    recurrent_matrix.data.fill_(0).fill_diagonal_(scale)
    GradientFlowDisplay.from_estimator(
        untrained, X, y, align="end", name=f"{scale} × identity", ax=ax, line_kw={"color": color}
    )

# %%
# Three cells, three lengths, with and without clipping
# -----------------------------------------------------
# Now we train. Every network reads in one direction and predicts from its last hidden state, so that the marked numbers
# have to come all the way. `clip_grad_norm=1.0` scales the gradient of a batch down to a norm of 1 where it is larger.
# The table holds the mean squared error on a test set.

cells = {"rnn": "C3", "lstm": "C0", "gru": "C2"}
lengths = (20, 40, 80)
clippings = (None, 1.0)

test_sets = {length: make_adding_problem(300, length, random_state=1) for length in lengths}
fitted, errors = {}, {}
print("length  clip_grad_norm   " + "  ".join(f"{cell:>6}" for cell in cells))
for length in lengths:
    X, y = make_adding_problem(1000, length, random_state=0)
    X_test, y_test = test_sets[length]
    for clipping in clippings:
        for cell in cells:
            regressor = RNNRegressor(
                cell_type=cell,
                learning_rate=0.02,
                batch_size=50,
                max_epochs=20,
                clip_grad_norm=clipping,
                **one_way,
            ).fit(X, y)
            fitted[length, clipping, cell] = regressor
            errors[length, clipping, cell] = mean_squared_error(y_test, regressor.predict(X_test))
        row = "  ".join(f"{errors[length, clipping, cell]:6.4f}" for cell in cells)
        print(f"{length:>6}  {clipping!r:>14}   {row}")

# %%
# The gradient on its way back
# ----------------------------
# The norm of the gradient of the loss with respect to the hidden state at each step, as a mean over test sequences. A
# network that has solved the problem has a gradient of similar size at all steps. A network that has learned to guess
# is mostly one whose gradient is lost on the way. The vanilla network does not get beyond 20 steps; the gated cells do,
# and at 80 steps clipping decides how well.

figure, axes = plt.subplots(len(clippings), len(lengths), figsize=(11, 6), sharey=True, layout="constrained")
for row, clipping in zip(axes, clippings, strict=True):
    for ax, length in zip(row, lengths, strict=True):
        X_test, y_test = test_sets[length]
        for cell, color in cells.items():
            GradientFlowDisplay.from_estimator(
                fitted[length, clipping, cell],
                X_test[:100],
                y_test[:100],
                align="end",
                name=f"{cell}, error {errors[length, clipping, cell]:.3f}",
                ax=ax,
                line_kw={"color": color},
            )
        ax.set_title(f"{length} steps, " + ("no clipping" if clipping is None else "clipping"))
        ax.label_outer()
_ = axes[0, 0].set_ylim(1e-8, 1e2)

# %%
# What clipping does to the training
# ----------------------------------
# The training loss at the greatest length. Targets are standardised for training, so that guessing the mean costs 1.
# Until a network has found the connection over half the sequence its loss stays at that level. On the way out of it a
# few batches have gradients many times as large as the rest, and each of them throws the network back; clipped, they do
# not. Nothing of this helps the vanilla network: where the gradient vanishes there is nothing to clip.

figure, axes = plt.subplots(1, len(cells), figsize=(11, 3.5), sharey=True, layout="constrained")
for ax, cell in zip(axes, cells, strict=True):
    for clipping, color in zip(clippings, ("0.6", cells[cell]), strict=True):
        TrainingCurveDisplay.from_estimator(
            fitted[lengths[-1], clipping, cell],
            log_loss=True,
            ax=ax,
            line_kw={"label": f"clip_grad_norm={clipping}", "color": color},
        )
    ax.set_title(f"{cell}, {lengths[-1]} steps")
    ax.label_outer()

plt.show()
