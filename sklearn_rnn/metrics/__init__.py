"""Scores for nested targets, and scorers that hand them to scikit-learn."""

from sklearn_rnn.metrics._flat import flat_accuracy_score, sequence_accuracy_score
from sklearn_rnn.metrics._span import span_f1_score

__all__ = ["flat_accuracy_score", "sequence_accuracy_score", "span_f1_score"]
