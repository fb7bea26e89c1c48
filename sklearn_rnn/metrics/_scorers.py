"""Scorers for nested targets: what scikit-learn's tools take as `scoring`."""

from __future__ import annotations

from sklearn.metrics import make_scorer

from sklearn_rnn.metrics._flat import flat_accuracy_score, flat_f1_score
from sklearn_rnn.metrics._sequence import sequence_accuracy_score
from sklearn_rnn.metrics._span_scores import span_f1_score, span_precision_score, span_recall_score

flat_accuracy_scorer = make_scorer(flat_accuracy_score)
"""Share of steps with the right label, see :func:`flat_accuracy_score`."""

flat_f1_scorer = make_scorer(flat_f1_score)
"""Weighted mean of the F1 of each label over all steps, see :func:`flat_f1_score`."""

sequence_accuracy_scorer = make_scorer(sequence_accuracy_score)
"""Share of sequences all of whose steps have the right label, see :func:`sequence_accuracy_score`."""

span_f1_scorer = make_scorer(span_f1_score)
"""F1 of the spans that tags mark, see :func:`span_f1_score`."""

span_precision_scorer = make_scorer(span_precision_score)
"""Share of the predicted spans that are right, see :func:`span_precision_score`."""

span_recall_scorer = make_scorer(span_recall_score)
"""Share of the true spans that were found, see :func:`span_recall_score`."""
