"""
Sentiment of sentences
======================

A pipeline from the raw sentence to the class: a tokenizer, then a recurrent network. A grid search picks the cell and
the pooling, a bag of words shows what the order of the words is worth, and the weights of attention show which words
count.

The sentences are those of film reviews by Pang and Lee (2005), if they were fetched before with
:func:`~sklearn_rnn.datasets.fetch_movie_reviews`, and otherwise come from a few templates.
"""

# %%
# The sentences
# -------------
# In the templates the last clause decides, and "not" turns the word after it around: "The plot was dull, but the cast
# is not slow" is positive.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline

from sklearn_rnn import RNNClassifier, SequenceTokenizer
from sklearn_rnn.datasets import fetch_movie_reviews
from sklearn_rnn.inspection import AttentionDisplay

good = ["fine", "funny", "moving", "clever", "lively", "fresh"]
bad = ["dull", "clumsy", "tired", "hollow", "slow", "silly"]
things = ["plot", "cast", "music", "story", "dialogue", "ending"]


def write_sentences(n_sentences, random_state):
    """Sentences of up to two clauses, and 1 where the last one is positive."""
    rng = np.random.default_rng(random_state)
    sentences, labels = [], []
    for _ in range(n_sentences):
        clauses = []
        for thing in rng.choice(things, size=rng.integers(1, 3), replace=False):
            positive, negated = rng.random(2) < 0.5
            word = rng.choice(good if positive != negated else bad)
            clauses.append(f"the {thing} {rng.choice(['is', 'was'])} {'not ' if negated else ''}{word}")
        sentences.append((", but ".join(clauses) + rng.choice([".", "!"])).capitalize())
        labels.append(int(positive))
    return sentences, np.array(labels)


try:
    reviews = fetch_movie_reviews(download_if_missing=False)
    sentences, y = [" ".join(tokens) for tokens in reviews.data], reviews.target
    max_epochs = 4
    own = ["the plot is silly , but the cast is a joy to watch .", "neither funny nor moving , just far too long ."]
except OSError:
    sentences, y = write_sentences(1000, random_state=0)
    max_epochs = 8
    own = ["The plot was dull, but the cast is fine!", "The music is not silly, but the story is not fresh."]

train, test, y_train, y_test = train_test_split(sentences, y, test_size=0.25, stratify=y, random_state=0)
print(f"{len(train)} sentences to learn from, {len(test)} held out")
for sentence, label in zip(train[:4], y_train, strict=False):
    print(["negative", "positive"][label], "-", sentence)

# %%
# A grid over cell and pooling
# ----------------------------
# ``min_df=2`` leaves one vector to all words that are in a single sentence, and dropout keeps the network from learning
# the training sentences by heart. The search goes over a part of the training sentences, and the best candidate is then
# fitted to all of them.
model = make_pipeline(
    SequenceTokenizer(min_df=2),
    RNNClassifier(
        embedding_dim=32,
        hidden_size=32,
        dropout=0.3,
        embedding_dropout=0.3,
        learning_rate=0.01,
        max_epochs=max_epochs,
        random_state=0,
    ),
)
grid = {
    "rnnclassifier__cell_type": ["rnn", "lstm", "gru"],
    "rnnclassifier__pooling": ["last", "max", "attention"],
}
n_search = min(len(train), 1500)
search = GridSearchCV(model, grid, cv=2, refit=False).fit(train[:n_search], y_train[:n_search])

cells, poolings = grid.values()
scores = search.cv_results_["mean_test_score"].reshape(len(cells), len(poolings))
figure, ax = plt.subplots(figsize=(4.8, 3.6), layout="constrained")
image = ax.imshow(scores, cmap="viridis")
ax.set_xticks(range(len(poolings)), poolings)
ax.set_yticks(range(len(cells)), cells)
ax.set(xlabel="pooling", ylabel="cell_type", title="Accuracy in cross-validation")
for i, j in np.ndindex(scores.shape):
    ink = "black" if image.norm(scores[i, j]) > 0.5 else "white"
    ax.text(j, i, f"{scores[i, j]:.3f}", ha="center", va="center", color=ink)

# %%
# Beside a bag of words
# ---------------------
# The peer knows which words are in a sentence, but not in which order.
model.set_params(**search.best_params_).fit(train, y_train)
bag = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(train, y_train)
print("best:", search.best_params_)
print(f"accuracy on the held-out sentences: {model.score(test, y_test):.3f}")
print(f"bag of words, TF-IDF and logistic regression: {bag.score(test, y_test):.3f}")

figure, axes = plt.subplots(1, 2, figsize=(7, 3.4), layout="constrained")
for ax, classifier, title in zip(axes, (model, bag), ("recurrent network", "bag of words"), strict=True):
    ConfusionMatrixDisplay.from_estimator(
        classifier,
        test,
        y_test,
        display_labels=["negative", "positive"],
        normalize="true",
        values_format=".2f",
        cmap="Blues",
        im_kw={"vmin": 0, "vmax": 1},
        colorbar=False,
        ax=ax,
    )
    ax.set_title(title)

# %%
# Which words count
# -----------------
# With ``pooling="attention"`` the class follows from a weighted mean of the states, and the weights show where the
# network looked. The state after a word has read the words around it, so a weight says where the evidence came
# together.
attentive = model.set_params(rnnclassifier__pooling="attention").fit(train, y_train)
figure, axes = plt.subplots(len(own), figsize=(6.5, 3.2), layout="constrained")
for i, (ax, probability) in enumerate(zip(axes, attentive.predict_proba(own)[:, 1], strict=True)):
    title = f"positive with probability {probability:.2f}"
    AttentionDisplay.from_estimator(attentive, own, i, ax=ax, title=title)

plt.show()
