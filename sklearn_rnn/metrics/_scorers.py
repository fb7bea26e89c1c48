"""Scorers for nested targets: what scikit-learn's tools take as `scoring`."""

from __future__ import annotations

from sklearn.metrics import make_scorer

from sklearn_rnn.metrics._flat import flat_accuracy_score, flat_f1_score, sequence_accuracy_score
from sklearn_rnn.metrics._span import span_f1_score

flat_accuracy_scorer = make_scorer(flat_accuracy_score)
"""Share of steps with the right label, see :func:`flat_accuracy_score`."""

flat_f1_scorer = make_scorer(flat_f1_score)
"""Weighted mean of the F1 of each label over all steps, see :func:`flat_f1_score`."""

sequence_accuracy_scorer = make_scorer(sequence_accuracy_score)
"""Share of sequences all of whose steps have the right label, see :func:`sequence_accuracy_score`."""

span_f1_scorer = make_scorer(span_f1_score)
"""F1 of the spans that IOB2 tags mark, see :func:`span_f1_score`."""
