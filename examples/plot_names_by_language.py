"""
Names that nobody has: made up for a language
=============================================

A model of what comes next may depend on a context: here letters on the language of a name, `y`. It then makes up
names for a language, and an :class:`~sklearn_rnn.RNNClassifier` that never saw them says where they come from.

The names are the surnames of S. Robertson's tutorial (2017), if they were fetched before with
:func:`~sklearn_rnn.datasets.fetch_surnames`, and otherwise made up of syllables.
"""

# %%
# The names
# ---------
# Languages with few names are left out, and of those with many some are enough. The classifier learns from one half
# of the names, and the model of what comes next from the other, so that one cannot read what the other knows by
# heart.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import train_test_split

from sklearn_rnn import RNNClassifier, RNNLanguageModel
from sklearn_rnn.datasets import fetch_surnames

syllables = {
    "English": (["Black", "Wood", "Hart", "Green", "Brad", "Nor"], ["ing", "er", "by"], ["ton", "ford", "well", "ley"]),
    "Finnish": (["Niku", "Korho", "Lehti", "Saari", "Mäki", "Virta"], ["la", "ko", "ne"], ["nen", "lä", "salo", "maa"]),
    "Italian": (["Bian", "Fer", "Mar", "Ros", "Giu", "Bel"], ["ci", "ra", "ti"], ["ni", "ri", "netti", "lla"]),
    "Polish": (["Kowal", "Wiśni", "Nowa", "Zieli", "Szym", "Lewan"], ["cz", "ow", "ew"], ["ski", "icz", "ska", "yk"]),
}


def make_up_names(n_names, random_state):
    """Names of a beginning, perhaps some in the middle, and an end, and their languages."""
    rng = np.random.default_rng(random_state)
    languages = rng.choice(list(syllables), size=n_names)
    names = []
    for language in languages:
        first, middle, last = syllables[language]
        names.append(rng.choice(first) + "".join(rng.choice(middle, rng.integers(3))) + rng.choice(last))
    return names, languages


try:
    surnames = fetch_surnames(download_if_missing=False)
    names, languages = surnames.data, np.array(surnames.target_names)[surnames.target]
except OSError:
    names, languages = make_up_names(1500, random_state=0)

chosen, rng = [], np.random.default_rng(0)
pairs = np.array(sorted(set(zip(names, languages, strict=True))))
for language in sorted(set(languages)):
    of_language = pairs[pairs[:, 1] == language]
    if len(of_language) >= 150:
        chosen.append(rng.permutation(of_language)[:1000])
names, languages = np.concatenate(chosen).T
known, unseen, y_known, y_unseen = train_test_split(names, languages, test_size=0.5, stratify=languages, random_state=0)
print(f"{len(names)} names of {len(set(languages))} languages")

# %%
# A model of names, given the language
# ------------------------------------
# A letter that is in one name alone is an unknown one, with ``min_df=2``.
model = RNNLanguageModel(hidden_size=128, min_df=2, max_epochs=20, random_state=0).fit(known, y_known)
print(f"perplexity of a letter of names that it has not seen: {model.perplexity(unseen, y_unseen):.2f}")
n_names = 100
written = {}
for seed, language in enumerate(sorted(set(languages))):
    written[language] = model.sample(n_names, y=language, random_state=seed)
    print(f"{language:>10}: {', '.join(written[language][:6])}")

# %%
# How many are new
# ----------------
# A name that the model has read is no invention. Some come back, above all short ones.
everything = set(known)
for language, own in written.items():
    print(f"{language:>10}: {np.mean([name not in everything for name in own]):.0%} new")

# %%
# Read back
# ---------
# A classifier that learned from the other half of the names reads those that were made up, and as many real ones that
# it has not seen: those that the model learned from. The rows are the languages that names were made up for, or are
# from.
classifier = RNNClassifier(
    embedding_dim=24, class_weight="balanced", dropout=0.2, batch_size=32, max_epochs=12, random_state=0
)
classifier.fit([list(name) for name in unseen], y_unseen)
made_up = [(name, language) for language, own in written.items() for name in own if name]
read = classifier.predict([list(name) for name, _ in made_up])
meant = np.array([language for _, language in made_up])
real = classifier.predict([list(name) for name in known])
print(f"recognised: {np.mean(read == meant):.1%} of those that were made up")
print(f"            {np.mean([np.mean(real[y_known == one] == one) for one in written]):.1%} of real ones")

n_languages = len(written)
figure, axes = plt.subplots(1, 2, figsize=(4 + 0.8 * n_languages, 3 + 0.4 * n_languages), layout="constrained")
for ax, truth, found, title in zip(axes, (y_known, meant), (real, read), ("real names", "made up"), strict=True):
    ConfusionMatrixDisplay.from_predictions(
        truth,
        found,
        normalize="true",
        values_format=".2f",
        include_values=n_languages < 7,
        xticks_rotation=90,
        cmap="Blues",
        im_kw={"vmin": 0, "vmax": 1},
        colorbar=False,
        ax=ax,
    )
    ax.set(title=title, xlabel="read as", ylabel="language")

# %%
# Letter by letter
# ----------------
# The probability of each letter of a name in two languages. What differs tells the languages apart; their sums are the
# log-likelihoods, and the greater one names the language.
name, pair = "Marinetti", ["Italian", sorted(written)[-1]]
figure, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
for shift, language in zip((-0.2, 0.2), pair, strict=True):
    steps = model.score_steps([name], [language])[0]
    ax.bar(np.arange(len(steps)) + shift, np.exp(steps), width=0.4, label=f"{language}: {steps.sum():.1f} nats")
ax.set_xticks(range(len(name) + 1), [*name, "(end)"])
ax.set(ylabel="probability", ylim=(0, 1))
ax.legend()

plt.show()
