"""
Entities in sentences
=====================

A tagger finds the spans of words that name something. It reads the characters of each word beside the word itself, and
a conditional random field joins the labels. We render what it finds, look at the scores that it learned of one label
after another, and sort its errors by kind.

The sentences are the posts of WNUT-17, if they were fetched before with :func:`~sklearn_rnn.datasets.fetch_wnut17`.
Their entities are rare and the ones of the test part are mostly new, so that scores are low for any tagger. Otherwise
they are requests for flights from :func:`~sklearn_rnn.datasets.make_tagging`, of which we take few to learn from.
"""

# %%
# The sentences
# -------------
# Labels are in IOB2: "B-" at the first word of an entity, "I-" at the others, "O" outside.

import matplotlib.pyplot as plt
from matplotlib.colors import to_hex

from sklearn_rnn import RNNSequenceTagger
from sklearn_rnn.datasets import fetch_wnut17, make_tagging
from sklearn_rnn.inspection import RenderedEntities, TransitionsDisplay, render_entities
from sklearn_rnn.metrics import span_classification_report, span_confusion, span_f1_score
from sklearn_rnn.preprocessing import spans_from_tags

try:
    X_train, y_train = fetch_wnut17(download_if_missing=False, return_X_y=True)
    X_test, y_test = fetch_wnut17(subset="test", download_if_missing=False, return_X_y=True)
    max_epochs = 6
except OSError:
    X, y = make_tagging(320, random_state=0)
    X_train, y_train, X_test, y_test = X[:20], y[:20], X[20:], y[20:]
    max_epochs = 15

print(f"{len(X_train)} sentences to learn from, {len(X_test)} held out")
for word, tag in zip(X_train[0], y_train[0], strict=True):
    print(f"{word:>14}  {tag}")

# %%
# Three taggers
# -------------
# The first predicts each label by itself, but for the rule that "I-" continues an entity. The second has a conditional
# random field, and the third characters and casing as well, as every tagger of words has by default. The F1 score
# counts an entity as found if its label, its start and its end are right.
common = {
    "embedding_dropout": 0.3,
    "word_dropout": 0.05,
    "learning_rate": 0.01,
    "max_epochs": max_epochs,
    "random_state": 0,
}
words_alone = {"char_encoder": None, "casing_features": False}
taggers = {
    "softmax": RNNSequenceTagger(decoder="softmax", **words_alone, **common),
    "CRF": RNNSequenceTagger(**words_alone, **common),
    "CRF, characters, casing": RNNSequenceTagger(**common),
}
for name, tagger in taggers.items():
    tagger.fit(X_train, y_train)
    print(f"{name:>24}  F1 {span_f1_score(y_test, tagger.predict(X_test)):.3f}")

# %%
# By label:
y_pred = tagger.predict(X_test)
print(span_classification_report(y_test, y_pred))

# %%
# Found entities
# --------------
# The first held-out sentences with two entities or more. Pointing at an entity shows how probable it is.
labels = sorted({tag.partition("-")[2] for tags in y_train for tag in tags if tag != "O"})
colors = {label: to_hex(f"C{k}") for k, label in enumerate(labels)}
shown = [i for i, tags in enumerate(y_test) if sum(tag.startswith("B-") for tag in tags) >= 2][:5]
RenderedEntities.from_estimator(tagger, [X_test[i] for i in shown], colors=colors, title="Found")

# %%
# The same sentences as they were annotated. ``render_entities`` takes entities from wherever they come.
annotated = spans_from_tags([y_test[i] for i in shown])
render_entities([X_test[i] for i in shown], annotated, colors=colors, title="Annotated")

# %%
# Which label follows which
# -------------------------
# The learned scores of the label of a column after that of a row. What IOB2 does not allow is hatched.
_ = TransitionsDisplay.from_estimator(tagger, values_format=".2f")

# %%
# Kinds of errors
# ---------------
# A true entity is found, or it is found with another label ("type"), with other bounds ("boundary"), with both wrong,
# or it is missed. Spurious are predicted entities that meet no true one.
confusion = span_confusion(y_test, y_pred)
confusion

# %%
shares = confusion.drop(index="total")
shares = shares.div(shares.drop(columns="spurious").sum(axis=1), axis=0)
figure, ax = plt.subplots(figsize=(7, 1.5 + 0.4 * len(shares)), layout="constrained")
shares.drop(columns="spurious").plot.barh(
    stacked=True, ax=ax, color=["C2", "C0", "C1", "C3", "0.8"], xlabel="share of the true entities"
)
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
ax.invert_yaxis()

plt.show()
