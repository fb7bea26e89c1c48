"""
Answers while the sequence is still coming
==========================================

A vibration sensor reports a value ten times a second, and somebody wants to know as early as possible whether the
machine runs smoothly, out of balance, or with a worn bearing. A classifier that was fitted to whole recordings answers
after each new value through :func:`~sklearn_rnn.stream`, without reading the recording again from its beginning.
"""

# %%
# Recordings
# ----------
# Six seconds each, made up: a smooth machine hums, one out of balance swings slowly, a worn bearing adds short knocks.

import numpy as np

rng = np.random.default_rng(0)
NAMES = np.array(["smooth", "out of balance", "worn bearing"])


def record(kind, seconds=6):
    """A recording of shape (n_steps, 1)."""
    t = np.arange(seconds * 10) / 10
    signal = 0.6 * np.sin(2 * np.pi * 2.1 * t + rng.uniform(0, 6)) + rng.normal(0, 0.3, len(t))
    if kind == "out of balance":
        signal += 0.7 * np.sin(2 * np.pi * 0.45 * t + rng.uniform(0, 6))
    if kind == "worn bearing":
        knocks = rng.random(len(t)) < 0.12
        signal += knocks * rng.normal(2.0, 0.4, len(t))
    return signal[:, None]


y = rng.choice(NAMES, size=300)
X = np.array([record(kind) for kind in y])

# %%
# A network of one direction
# --------------------------
# ``bidirectional=False`` is what a stream needs: the state after a step must not depend on later ones. Half of the
# recordings are cut off somewhere, so that the classifier learns to answer early too.

from sklearn.model_selection import train_test_split

from sklearn_rnn import RNNClassifier

X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0, stratify=y)
cut = [x[: rng.integers(5, len(x) + 1)] if k % 2 else x for k, x in enumerate(X_train)]
model = RNNClassifier(hidden_size=32, bidirectional=False, max_epochs=40, random_state=0).fit(cut, y_train)
print(f"accuracy on whole recordings that were held out: {model.score(X_test, y_test):.2f}")

# %%
# Three machines at once
# ----------------------
# Each of them is a stream. ``update`` takes one value of each and returns what the classifier predicts so far.

from sklearn_rnn import stream

machines = [record(kind) for kind in NAMES]
live = stream(model, n_streams=3)
probabilities = []
for values in zip(*machines, strict=True):
    labels = live.update(np.array(values))
    probabilities.append(live.predict_proba())
print("after six seconds:", ", ".join(labels))

# %%
# What a stream says is what ``predict_proba`` says of the same recording, up to rounding:

print(np.abs(np.array(probabilities)[-1] - model.predict_proba(machines)).max() < 1e-5)

# %%
# The probabilities rise and fall as evidence comes in.

import matplotlib.pyplot as plt

colours = {"smooth": "#0072b2", "out of balance": "#d55e00", "worn bearing": "#009e73"}
seconds = np.arange(len(probabilities)) / 10
figure, axes = plt.subplots(2, 3, figsize=(11, 5), sharex=True, sharey="row", layout="constrained")
for k, name in enumerate(NAMES):
    axes[0, k].plot(seconds, machines[k][:, 0], color="0.3", lw=1)
    axes[0, k].set_title(name)
    for j, label in enumerate(model.classes_):
        axes[1, k].plot(seconds, np.array(probabilities)[:, k, j], color=colours[label], label=label)
    axes[1, k].set(xlabel="Time, s", ylim=(-0.03, 1.03))
axes[0, 0].set_ylabel("Vibration")
axes[1, 0].set_ylabel("Probability so far")
figure.legend(*axes[1, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
plt.show()

# %%
# A stream can be written down and taken up again in another process:
# :meth:`Stream.to_json <sklearn_rnn.Stream.to_json>` and :meth:`Stream.from_json <sklearn_rnn.Stream.from_json>`.
