"""Small estimators, and sequences for them to learn from."""

import numpy as np

from sklearn_rnn import RNNClassifier, RNNRegressor, RNNSequenceTagger

ESTIMATORS = [RNNClassifier, RNNRegressor, RNNSequenceTagger]
CELLS = ["rnn", "lstm", "gru"]


def small(estimator, **parameters):
    """An estimator of the class `estimator` that is fitted in no time, without convolutions."""
    return estimator(**{"hidden_size": 4, "max_epochs": 2, "conv_branch": False, "random_state": 0, **parameters})


def ragged(n=24, n_features=3, seed=0, longest=7):
    """`n` sequences of 2 to `longest` steps."""
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(length, n_features)) for length in rng.integers(2, longest + 1, size=n)]


def targets(estimator, X):
    """What the class `estimator` can learn of X: a class, a number, or a list of labels for each sequence."""
    if estimator is RNNClassifier:
        return np.where([x[:, 0].mean() > 0 for x in X], "up", "down")
    if estimator is RNNRegressor:
        return np.array([x[:, 0].mean() for x in X])
    return [["up" if step > 0 else "down" for step in x[:, 0]] for x in X]


def problem(estimator, n=24, seed=0, **options):
    """Sequences and targets for the class `estimator`."""
    X = ragged(n, seed=seed, **options)
    return X, targets(estimator, X)


def outputs(fitted, X):
    """All numbers that a fitted estimator says of X, in one flat array."""
    says = fitted.predict_proba(X) if hasattr(fitted, "predict_proba") else fitted.predict(X)
    return np.concatenate([np.ravel(item) for item in says]).astype(float)


def emissions_of(tagger, X):
    """The logits of the labels that a fitted tagger decodes, as sequences."""
    with tagger._predictor() as compute:
        return tagger._emissions(compute, tagger._read_inputs(X))


def weights(fitted):
    """All parameters of the network, in one flat array."""
    return np.concatenate([part.detach().double().numpy().ravel() for part in fitted.module_.parameters()])
