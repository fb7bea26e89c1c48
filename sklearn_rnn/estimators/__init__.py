"""What users fit."""

from sklearn_rnn.estimators._bagging import SequenceBaggingClassifier, SequenceBaggingRegressor
from sklearn_rnn.estimators._classifier import RNNClassifier
from sklearn_rnn.estimators._encoder_decoder import RNNEncoderDecoder
from sklearn_rnn.estimators._language_model import RNNLanguageModel
from sklearn_rnn.estimators._pipeline import SequencePipeline
from sklearn_rnn.estimators._regressor import RNNRegressor
from sklearn_rnn.estimators._stream import Stream, stream
from sklearn_rnn.estimators._tagger import RNNSequenceTagger

__all__ = [
    "RNNClassifier",
    "RNNEncoderDecoder",
    "RNNLanguageModel",
    "RNNRegressor",
    "RNNSequenceTagger",
    "SequenceBaggingClassifier",
    "SequenceBaggingRegressor",
    "SequencePipeline",
    "Stream",
    "stream",
]
