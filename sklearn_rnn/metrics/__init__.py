"""Scores for nested targets, and scorers that hand them to scikit-learn.

The scorers go where scikit-learn's tools take `scoring`. For other options make one:
``make_scorer(flat_f1_score, average="macro", labels=["B", "I"])``.
"""

from sklearn_rnn.metrics._flat import flat_accuracy_score, flat_classification_report, flat_f1_score
from sklearn_rnn.metrics._language import neg_bits_per_character_scorer, neg_perplexity_scorer
from sklearn_rnn.metrics._number_scorers import (
    make_pinball_scorer,
    sequence_log_likelihood_scorer,
    sequence_mae_scorer,
    sequence_pinball_scorer,
    sequence_r2_scorer,
    sequence_rmse_scorer,
)
from sklearn_rnn.metrics._numbers import (
    sequence_mean_absolute_error,
    sequence_mean_log_likelihood,
    sequence_pinball_loss,
    sequence_r2_score,
    sequence_root_mean_squared_error,
)
from sklearn_rnn.metrics._scorers import (
    flat_accuracy_scorer,
    flat_f1_scorer,
    sequence_accuracy_scorer,
    span_f1_scorer,
    span_precision_scorer,
    span_recall_scorer,
)
from sklearn_rnn.metrics._sequence import sequence_accuracy_score
from sklearn_rnn.metrics._span_confusion import span_confusion
from sklearn_rnn.metrics._span_report import span_classification_report
from sklearn_rnn.metrics._span_scores import (
    span_f1_score,
    span_precision_recall_fscore,
    span_precision_score,
    span_recall_score,
)
from sklearn_rnn.metrics._transduction import (
    bleu_score,
    bleu_scorer,
    chrf_score,
    chrf_scorer,
    exact_match_score,
    exact_match_scorer,
    neg_symbol_error_rate_scorer,
    neg_word_error_rate_scorer,
    symbol_error_rate,
    word_error_rate,
)

__all__ = [
    "bleu_score",
    "bleu_scorer",
    "chrf_score",
    "chrf_scorer",
    "exact_match_score",
    "exact_match_scorer",
    "flat_accuracy_score",
    "flat_accuracy_scorer",
    "flat_classification_report",
    "flat_f1_score",
    "flat_f1_scorer",
    "make_pinball_scorer",
    "neg_bits_per_character_scorer",
    "neg_perplexity_scorer",
    "neg_symbol_error_rate_scorer",
    "neg_word_error_rate_scorer",
    "sequence_accuracy_score",
    "sequence_accuracy_scorer",
    "sequence_log_likelihood_scorer",
    "sequence_mae_scorer",
    "sequence_mean_absolute_error",
    "sequence_mean_log_likelihood",
    "sequence_pinball_loss",
    "sequence_pinball_scorer",
    "sequence_r2_score",
    "sequence_r2_scorer",
    "sequence_rmse_scorer",
    "sequence_root_mean_squared_error",
    "span_classification_report",
    "span_confusion",
    "span_f1_score",
    "span_f1_scorer",
    "span_precision_recall_fscore",
    "span_precision_score",
    "span_precision_scorer",
    "span_recall_score",
    "span_recall_scorer",
    "symbol_error_rate",
    "word_error_rate",
]
