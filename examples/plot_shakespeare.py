"""
Plays, letter by letter
=======================

A network reads plays and learns which letter comes next, as in the well-known essay of A. Karpathy (2015). It then
writes: speakers, lines and rhymes of nobody.

The text is the million letters of that essay, if it was fetched before with
:func:`~sklearn_rnn.datasets.fetch_tiny_shakespeare`, and otherwise the part of Python's manual that comes with it.
"""

# %%
# The text
# --------
# One text that goes on and on is a stream. The last tenth is held out, and here the first part of the rest is enough:
# a larger network, all of the text and more time would predict it better.

import time
from pydoc_data import topics

import matplotlib.pyplot as plt
import numpy as np

from sklearn_rnn import RNNLanguageModel
from sklearn_rnn.datasets import fetch_tiny_shakespeare

try:
    text = "".join(fetch_tiny_shakespeare(download_if_missing=False).data)
    prompt = "ROMEO:\n"
except OSError:
    text = "".join(topics.topics.values())
    prompt = "The "

cut = len(text) * 9 // 10
train, held_out = text[: min(cut, 500_000)], text[cut : cut + 20_000]
print(f"{len(train)} letters to learn from, {len(set(train))} distinct; then {len(held_out)} that are held out")
print(train[:250])

# %%
# Training
# --------
# `max_time` is the budget, in seconds: the learning rate comes down to 0 with it. The state goes on from piece to
# piece of the text, and gradients go back 100 letters. A letter that the training part does not have is unknown, so
# that what is held out loses those.
held_out = "".join(letter for letter in held_out if letter in set(train))
model = RNNLanguageModel(
    stream=True,
    hidden_size=160,
    embedding_dim=64,
    tbptt_steps=100,
    batch_size=32,
    learning_rate=0.005,
    dropout=0,
    max_epochs=10,
    max_time=45,
    random_state=0,
)
started = time.perf_counter()
model.fit(train, X_val=held_out)
print(f"{model.n_iter_} epochs in {time.perf_counter() - started:.0f} seconds")

# %%
# Perplexity against time
# -----------------------
# How many letters it is unsure between, on the mean. Dashed: what one knows from the frequencies of the letters, and
# of pairs.
letters, codes = np.unique(list(train), return_inverse=True)
frequencies = np.bincount(codes) / len(codes)
pairs = np.zeros((len(letters), len(letters)))
np.add.at(pairs, (codes[:-1], codes[1:]), 1)
following = (pairs + 0.1) / (pairs + 0.1).sum(axis=1, keepdims=True)
seen = np.searchsorted(letters, list(held_out))
known = {
    "frequencies": np.exp(-np.log(frequencies[seen]).mean()),
    "pairs": np.exp(-np.log(following[seen[:-1], seen[1:]]).mean()),
}

seconds = np.cumsum([epoch["dur"] for epoch in model.history_])
figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
ax.plot(seconds, np.exp(model.loss_curve_), marker="o", label="training")
ax.plot(seconds, np.exp(-np.array(model.validation_scores_)), marker="o", label="held out")
for name, perplexity in known.items():
    ax.axhline(perplexity, color="gray", linestyle="--")
    ax.annotate(name, (seconds[-1], perplexity), xytext=(0, 3), textcoords="offset points", ha="right")
ax.set(
    xlabel="seconds", ylabel="perplexity of a letter", yscale="log", yticks=[4, 6, 10, 20], yticklabels=[4, 6, 10, 20]
)
ax.minorticks_off()
ax.legend()
print(f"held out: {model.score(held_out):.3f} nats a letter, {model.bits_per_character(held_out):.3f} bits")

# %%
# Three temperatures
# ------------------
# A low temperature takes hardly anything but what is probable, and repeats itself; a high one tries out what is not.
for temperature in (0.4, 0.8, 1.2):
    written = model.sample(prompt=prompt, temperature=temperature, max_new_tokens=350, random_state=0)[0]
    print(f"----- temperature {temperature}\n{written}\n")

# %%
# Where it is surprised
# ---------------------
# The darker a letter, the less probable it was given those before it. The begin of a word surprises, and the rest of
# it follows.
passage = held_out[held_out.index("\n\n", 3000) + 2 :][:420]
surprise = -model.score_steps([held_out[: held_out.index(passage)], passage])[1]
figure, ax = plt.subplots(figsize=(9, 3.6), layout="constrained")
row = column = 0
for letter, value in zip(passage, surprise, strict=True):
    background = plt.get_cmap("Oranges")(min(value / 6, 1) * 0.8)
    box = {"facecolor": background, "edgecolor": "none", "pad": 1.2}
    ax.text(
        column, -row, letter if letter != "\n" else "\u21b5", family="monospace", ha="center", va="center", bbox=box
    )
    column += 1
    if letter == "\n" or column == 90:
        row, column = row + 1, 0
ax.set(xlim=(-1, 90), ylim=(-row - 1, 1))
ax.axis("off")

plt.show()
