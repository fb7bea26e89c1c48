"""
A number for each step, and how sure it is
==========================================

An :class:`~sklearn_rnn.RNNRegressor` that is fitted to a value for each step reads a series and answers at every step.
With ``loss="gaussian"`` the answer is a mean and a standard deviation, with ``loss="quantile"`` it is the quantiles
that were asked for. Both learn that the noise here grows with the hours since the sensor was calibrated.
"""

# %%
# A river and a sensor
# --------------------
# The flow of a river follows the rain that fell before: a part of the water comes at once, and the rest is stored and
# drained hour by hour. The network sees the rain, and how long ago the sensor was calibrated; the sensor measures the
# flow with an error that grows with that time. Each fourth measurement is lost: NaN in ``y`` is a target that is not
# there. The events differ in length.

import matplotlib.pyplot as plt
import numpy as np

from sklearn_rnn import RNNRegressor
from sklearn_rnn.metrics import sequence_pinball_loss


def make_events(n_events, random_state):
    """Rain in mm/h and hours since calibration (n_hours, 2), the true flow in m³/s, and the measured one."""
    rng = np.random.default_rng(random_state)
    events, flows, measurements = [], [], []
    for n_hours in rng.integers(40, 73, size=n_events):
        rain = np.where(rng.random(n_hours) < 0.12, rng.gamma(2.0, 2.0, size=n_hours), 0.0)
        stored, flow = 0.0, np.empty(n_hours)
        for t in range(n_hours):
            stored = 0.85 * stored + rain[t]
            flow[t] = 2.0 + 0.3 * rain[t] + 0.5 * stored
        hours = np.arange(n_hours)
        measured = flow + rng.normal(size=n_hours) * (0.15 + 0.025 * hours)
        measured[rng.random(n_hours) < 0.25] = np.nan
        events.append(np.column_stack([rain, hours / 24]))
        flows.append(flow)
        measurements.append(measured)
    return events, flows, measurements


X, _, y = make_events(120, random_state=0)
X_test, flow_test, y_test = make_events(60, random_state=1)
print(f"{len(X)} events of {min(map(len, X))} to {max(map(len, X))} hours")

# %%
# Two regressors
# --------------
# The flow of an hour depends on the past alone, so the network reads in one direction. ``score`` is :math:`R^2` over
# the targets that are there.
options = {"bidirectional": False, "hidden_size": 32, "max_epochs": 40, "learning_rate": 0.01, "random_state": 0}
levels = [0.05, 0.5, 0.95]
gaussian = RNNRegressor(loss="gaussian", **options).fit(X, y)
quantile = RNNRegressor(loss="quantile", quantiles=levels, **options).fit(X, y)
for name, model in {"gaussian": gaussian, "quantile": quantile}.items():
    bands = model.predict_quantiles(X_test, levels)
    low, high = ([band[:, k] for band in bands] for k in (0, 2))
    losses = [sequence_pinball_loss(y_test, part, alpha=alpha) for part, alpha in ((low, 0.05), (high, 0.95))]
    truth = np.concatenate(y_test)
    inside = (np.concatenate(low) <= truth) & (truth <= np.concatenate(high))
    print(
        f"{name}: R² {model.score(X_test, y_test):.3f}, {inside[~np.isnan(truth)].mean():.1%} of the measurements in "
        f"the band of 90 %, pinball loss of its edges {np.mean(losses):.3f} m³/s"
    )

# %%
# One event that was not learned from
# -----------------------------------
# The bands hold 90 % of what the sensor is expected to say.
event = int(np.argmax([len(x) for x in X_test]))
hours = np.arange(len(X_test[event]))
figure, axes = plt.subplots(3, 1, figsize=(8, 7), sharex=True, height_ratios=[1, 3, 3], layout="constrained")
axes[0].bar(hours, X_test[event][:, 0], width=0.8, color="tab:gray")
axes[0].invert_yaxis()
axes[0].set(ylabel="rain (mm/h)")
for ax, (name, model) in zip(axes[1:], {"gaussian": gaussian, "quantile": quantile}.items(), strict=True):
    low, middle, high = model.predict_quantiles([X_test[event]], levels)[0].T
    ax.fill_between(hours, low, high, color="tab:blue", alpha=0.25, linewidth=0, label="band of 90 %")
    ax.plot(hours, middle, color="tab:blue", label="median")
    ax.plot(hours, flow_test[event], color="black", linewidth=1, linestyle="--", label="true flow")
    ax.plot(hours, y_test[event], ".", color="tab:orange", label="measured")
    ax.set(ylabel="flow (m³/s)", title=f'loss="{name}"')
axes[2].set(xlabel="hours since calibration")
_ = figure.legend(*axes[1].get_legend_handles_labels(), loc="outside lower center", ncols=4)

# %%
# How the noise grows
# -------------------
# ``predict(X, return_std=True)`` of the Gaussian one has the standard deviation of each step. Half the width of the
# quantiles' band, divided by 1.64, is the standard deviation that a normal distribution of that width has. Where the
# sensor is best, in the first hours, the bands are too wide: there they hold the error of the network too.
n_hours = 40
std = np.array([item[:n_hours] for item in gaussian.predict(X_test, return_std=True)[1]])
width = np.array([(band[:n_hours, 2] - band[:n_hours, 0]) / 2 / 1.64 for band in quantile.predict_quantiles(X_test)])
hours = np.arange(n_hours)
figure, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
ax.plot(hours, 0.15 + 0.025 * hours, color="black", linestyle="--", linewidth=1, label="the sensor's error")
ax.plot(hours, std.mean(axis=0), label='loss="gaussian"')
ax.plot(hours, width.mean(axis=0), label='loss="quantile"')
ax.set(xlabel="hours since calibration", ylabel="standard deviation (m³/s)", ylim=(0, None))
ax.legend(loc="lower right")

plt.show()
