"""
Python that nobody wrote
========================

The standard library is a text of its own kind: brackets close, blocks are indented, and names come back. A network
that reads it letter by letter learns such things without being told, and single units of its hidden state come to
stand for them, as A. Karpathy, J. Johnson and L. Fei-Fei (2015) found.
"""

# %%
# The source
# ----------
# Some modules of the standard library, one after the other, without their comments and doc strings, of which there is
# nearly as much as of code.

import ast
import random
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from sklearn_rnn import RNNLanguageModel


def code_of(path):
    """The source of a module, as Python itself would write it: without comments, in one style."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    described = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    for node in ast.walk(tree):
        if isinstance(node, described) and ast.get_docstring(node):
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree) + "\n\n"


paths = sorted(Path(ast.__file__).parent.glob("*.py"))
random.Random(0).shuffle(paths)
pieces = []
while sum(map(len, pieces)) < 530_000:
    code = code_of(paths.pop())
    pieces += [code] if code.isascii() and 2_000 < len(code) < 50_000 else []
text = "".join(pieces)
train, held_out = text[:-30_000], text[-30_000:]
print(f"{len(train)} letters of {len(pieces)} modules, and {len(held_out)} that are held out")
print(train[1000:1400])

# %%
# Training
# --------
model = RNNLanguageModel(
    stream=True,
    hidden_size=160,
    embedding_dim=64,
    tbptt_steps=100,
    batch_size=32,
    learning_rate=0.005,
    dropout=0,
    max_epochs=10,
    max_time=75,
    random_state=0,
)
model.fit(train, X_val=held_out)
print(f"{model.n_iter_} epochs; perplexity of a letter that was held out: {model.perplexity(held_out):.2f}")

# %%
# What it writes
# --------------
# A network knows nothing of grammar but what it has read. How many of its lines can Python parse?
print(model.sample(prompt="def read(self, ", temperature=0.6, max_new_tokens=600, random_state=1)[0])


def parses(line):
    try:
        ast.parse(line + "\n    pass" if line.endswith(":") else line)
    except (SyntaxError, ValueError):
        return False
    return True


for temperature in (0.3, 0.6, 1.0):
    written = model.sample(30, prompt="def ", temperature=temperature, max_new_tokens=400, random_state=0)
    lines = [line.strip() for code in written for line in code.split("\n")[:-1] if line.strip()]
    lines = [line for line in lines if not line.startswith(("else", "elif", "except", "finally"))]
    print(
        f"temperature {temperature}: {np.mean([parses(line) for line in lines]):.0%} of {len(lines)} lines are Python"
    )

# %%
# What single units know
# ----------------------
# `transform_steps` is the hidden state after each letter. For each property of a place in the code, the unit whose
# value goes most with it, on code that was held out:
states = model.transform_steps([held_out])[0]
depth = np.cumsum([(letter in "([{") - (letter in ")]}") for letter in held_out])
starts = np.maximum.accumulate([i + 1 if letter == "\n" else 0 for i, letter in enumerate(held_out)])
line_so_far = [held_out[start : i + 1] for i, start in enumerate(starts)]
properties = {
    "inside of brackets": depth > 0,
    "inside of quotes": np.array([(line.count("'") + line.count('"')) % 2 for line in line_so_far], dtype=bool),
    "indentation": np.array([len(line) - len(line.lstrip()) for line in line_so_far]),
    "letters since the line began": np.array([len(line) for line in line_so_far]),
}
units = {}
for name, values in properties.items():
    correlations = np.array([np.corrcoef(states[:, unit], values)[0, 1] for unit in range(states.shape[1])])
    units[name] = int(np.argmax(np.abs(correlations)))
    print(f"{name}: unit {units[name]}, correlation {correlations[units[name]]:+.2f}")

# %%
# The first two of them, letter by letter. Blue is one end of what the unit can be, red the other.
begin = held_out.index("\n    def ", 2000) + 1
lines = held_out[begin:].split("\n")[:9]
figure, axes = plt.subplots(2, figsize=(9, 5.4), layout="constrained")
for ax, (name, unit) in zip(axes, list(units.items())[:2], strict=True):
    place = begin
    for row, line in enumerate(lines):
        for column, letter in enumerate(line[:95]):
            background = plt.get_cmap("coolwarm")((states[place + column, unit] + 1) / 2)
            box = {"facecolor": background, "edgecolor": "none", "pad": 1.2}
            ax.text(column, -row, letter, family="monospace", fontsize=8, ha="center", va="center", bbox=box)
        place += len(line) + 1
    ax.set(title=f"unit {unit}: {name}", xlim=(-1, 96), ylim=(-len(lines), 1))
    ax.axis("off")

plt.show()
