"""Transformers of sequences, for pipelines."""

from sklearn_rnn.preprocessing._per_step import PerStep

__all__ = ["PerStep"]
