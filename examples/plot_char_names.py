"""
Which language is the name from?
================================

Names are sequences of characters: :class:`~sklearn_rnn.SequenceTokenizer` with ``analyzer="char"`` takes them apart,
and an :class:`~sklearn_rnn.RNNClassifier` reads them letter by letter, as in the tutorial of S. Robertson (2017).

The names are the surnames of that tutorial, in 18 languages, if they were fetched before with
:func:`~sklearn_rnn.datasets.fetch_surnames`, and otherwise made up of syllables.
"""

# %%
# The names
# ---------
# A name that is in a language twice is kept once, so that it is not in both parts.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import ConfusionMatrixDisplay, balanced_accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from sklearn_rnn import RNNClassifier, SequenceTokenizer
from sklearn_rnn.datasets import fetch_surnames

syllables = {
    "English": (["Black", "Wood", "Hart", "Green", "Brad"], ["ing", "er", "by"], ["ton", "ford", "well", "ley"]),
    "Finnish": (["Niku", "Korho", "Lehti", "Saari", "Mäki"], ["la", "ko", "ne"], ["nen", "lä", "salo", "maa"]),
    "Italian": (["Bian", "Fer", "Mar", "Ros", "Giu"], ["ci", "ra", "ti"], ["ni", "ri", "netti", "lla"]),
    "Polish": (["Kowal", "Wiśni", "Nowa", "Zieli", "Szym"], ["cz", "ow", "ew"], ["ski", "icz", "ska", "yk"]),
    "Swedish": (["Lind", "Berg", "Ek", "Sand", "Öst"], ["er", "kvi", "ste"], ["ström", "gren", "qvist", "man"]),
}


def make_up_names(n_names, random_state):
    """Names of a beginning, perhaps a middle, and an end, and their languages."""
    rng = np.random.default_rng(random_state)
    languages = rng.choice(list(syllables), size=n_names)
    names = []
    for language in languages:
        first, middle, last = (rng.choice(part) for part in syllables[language])
        names.append(first + (middle if rng.random() < 0.6 else "") + last)
    return names, languages


try:
    surnames = fetch_surnames(download_if_missing=False)
    names, languages = surnames.data, np.array(surnames.target_names)[surnames.target]
    own = ["Nakamura", "O'Sullivan", "Kowalczyk", "Papadakis", "Rossellini"]
except OSError:
    names, languages = make_up_names(900, random_state=0)
    own = ["Blackwell", "Saarinen", "Marinetti", "Kowalewicz", "Bergström"]

names, languages = np.array(sorted(set(zip(names, languages, strict=True)))).T
train, test, y_train, y_test = train_test_split(names, languages, test_size=0.25, stratify=languages, random_state=0)
print(f"{len(train)} names to learn from, {len(test)} held out, {len(set(languages))} languages")
for name, language in zip(train[:5], y_train, strict=False):
    print(f"{language:>12}  {name}")

# %%
# The classifier
# --------------
# Of real names, some languages have many times as many as others. ``class_weight="balanced"`` makes each language count
# the same, and the balanced accuracy is the mean over the languages of the share of names that are recognised. The
# vocabulary holds the letters.
model = make_pipeline(
    SequenceTokenizer(analyzer="char"),
    RNNClassifier(
        embedding_dim=24,
        class_weight="balanced",
        dropout=0.2,
        learning_rate=0.005,
        batch_size=32,
        max_epochs=8,
        random_state=0,
    ),
)
model.fit(train, y_train)
predicted = model.predict(test)
print(f"accuracy {model.score(test, y_test):.3f}, balanced {balanced_accuracy_score(y_test, predicted):.3f}")
print("letters:", "".join(model[0].get_feature_names_out()))

# %%
# Which languages are confused
# ----------------------------
# Each row adds up to 1. Some real names are at home in several languages, and nothing in the letters tells which.
n_languages = len(set(languages))
figure, ax = plt.subplots(figsize=(2 + 0.4 * n_languages, 2 + 0.35 * n_languages), layout="constrained")
ConfusionMatrixDisplay.from_predictions(
    y_test,
    predicted,
    normalize="true",
    values_format=".2f",
    include_values=n_languages < 10,
    xticks_rotation=90,
    cmap="Blues",
    ax=ax,
)
_ = ax.set(xlabel="predicted language", ylabel="language")

# %%
# The most probable languages of some names
# -----------------------------------------
probabilities = model.predict_proba(own)
figure, axes = plt.subplots(1, len(own), figsize=(2 * len(own), 2), sharex=True, layout="constrained")
for ax, name, row in zip(axes, own, probabilities, strict=True):
    best = np.argsort(row)[-3:]
    ax.barh(model.classes_[best], row[best])
    ax.set(title=name, xlim=(0, 1))
_ = figure.supxlabel("probability")

# %%
# Letter by letter
# ----------------
# ``staged_predict_proba`` is the prediction after each letter: how the opinion changes while the name is read. A
# bidirectional network reads what it has of the name so far from both ends.
name = own[2]
letters = model[0].transform([name])
stages = np.concatenate(list(model[-1].staged_predict_proba(letters)))
# shape: (n_letters, n_languages)
top = np.argsort(stages[-1])[-3:][::-1]
figure, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
ax.plot(stages[:, top], marker="o", label=model.classes_[top])
ax.set_xticks(range(len(name)), list(name))
ax.set(xlabel="read so far", ylabel="probability", ylim=(0, 1.05))
ax.legend()

plt.show()
