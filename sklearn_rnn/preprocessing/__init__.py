"""Transformers of sequences, for pipelines."""

from sklearn_rnn.preprocessing._per_step import PerStep
from sklearn_rnn.preprocessing._tokenizer import SequenceTokenizer
from sklearn_rnn.preprocessing._trimming import trim_padding

__all__ = ["PerStep", "SequenceTokenizer", "trim_padding"]
