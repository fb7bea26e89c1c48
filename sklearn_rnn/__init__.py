"""Recurrent networks that behave like scikit-learn estimators."""

from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.estimators import RNNClassifier, RNNRegressor, RNNSequenceTagger

__version__ = "0.1.0"

__all__ = [
    "RNNClassifier",
    "RNNRegressor",
    "RNNSequenceTagger",
    "Sequences",
    "__version__",
]
