"""Recurrent networks that behave like scikit-learn estimators."""

from sklearn_rnn.data.aligned import AlignedSequences
from sklearn_rnn.data.frames import sequences_from_frame
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.estimators import (
    RNNClassifier,
    RNNRegressor,
    RNNSequenceTagger,
    SequenceBaggingClassifier,
    SequenceBaggingRegressor,
)
from sklearn_rnn.preprocessing import PerStep, SequenceTokenizer

__version__ = "0.1.0"

__all__ = [
    "AlignedSequences",
    "PerStep",
    "RNNClassifier",
    "RNNRegressor",
    "RNNSequenceTagger",
    "SequenceBaggingClassifier",
    "SequenceBaggingRegressor",
    "SequenceTokenizer",
    "Sequences",
    "__version__",
    "sequences_from_frame",
]
