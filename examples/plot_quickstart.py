"""
Quickstart: handwritten digits, read row by row
===============================================

Each image of scikit-learn's digits is a sequence of 8 rows with 8 pixels. A pipeline scales the pixels and classifies
the sequences; a grid search picks the cell and its size; and a learning curve shows what more data would bring.
"""

# %%
# The data
# --------
# ``digits.images`` has shape (1797, 8, 8): sequences, steps, features. That is a format the estimators take as it is.
from pathlib import Path

import matplotlib.pyplot as plt
from sklearn.callback import ProgressBar
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, LearningCurveDisplay, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_rnn import PerStep, RNNClassifier

digits = load_digits()
X_train, X_test, y_train, y_test = train_test_split(
    digits.images, digits.target, test_size=0.25, stratify=digits.target, random_state=0
)
print(f"{len(X_train)} sequences to learn from, {len(X_test)} held out; each of shape {X_train[0].shape}")

# %%
# A pipeline and a grid
# ---------------------
# ``PerStep`` applies any scikit-learn transformer to the steps. The parameters of the network are flat names, so that a
# grid over them looks like any other. Two processes share the candidates; the progress bar follows all of them.
model = make_pipeline(PerStep(StandardScaler()), RNNClassifier(max_epochs=10, random_state=0))
grid = {
    "rnnclassifier__cell_type": ["rnn", "lstm", "gru"],
    "rnnclassifier__hidden_size": [32, 64],
}
search = GridSearchCV(model, grid, cv=3, n_jobs=2)
search.set_callbacks(ProgressBar(max_propagation_depth=0))
search.fit(X_train, y_train)

for parameters, score in zip(search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True):
    print(f"{score:.3f}  {parameters}")
print("best:", search.best_params_)

# %%
# The held-out digits
# -------------------
accuracy = search.score(X_test, y_test)
print(f"accuracy on the held-out digits: {accuracy:.3f}")

# %%
# The learning curve
# ------------------
# How accuracy in 3-fold cross-validation grows with the number of training sequences.
figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
LearningCurveDisplay.from_estimator(
    search.best_estimator_, X_train, y_train, train_sizes=[0.1, 0.3, 1.0], cv=3, n_jobs=2, score_type="both", ax=ax
)
ax.set(title="Digits, read row by row", xlabel="training sequences", ylabel="accuracy")
ax.grid(alpha=0.3)
if "__file__" in globals():  # run as a script rather than as a page of the gallery
    picture = Path("quickstart_learning_curve.png").resolve()
    figure.savefig(picture, dpi=150)
    print(f"learning curve: {picture}")
