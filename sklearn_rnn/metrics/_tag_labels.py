"""Labels of steps that are compared as they are, though they may be tags in different schemes."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn.data.formats import is_text
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.tag_contrast import contrast_of
from sklearn_rnn.data.tag_schemes import closest_scheme, span_table
from sklearn_rnn.data.tag_spellings import read_steps
from sklearn_rnn.data.tag_steps import TagSteps
from sklearn_rnn.exceptions import SequenceDataWarning
from sklearn_rnn.metrics._span_counts import SpanPair, n_right


def warn_of_other_scheme(true: Sequences, pred: Sequences, known: NDArray[np.bool_]) -> None:
    """Warn if labels are tags in another scheme than the true ones, at the steps that are `known` (total_steps,).

    Predictions of a tagger that knows little look like anything: some of the spans must be the same ones.
    """
    if not (known.any() and is_text(true.values) and is_text(pred.values)):
        return
    steps, others = (
        read_steps(TagSteps.read(labels.with_values(np.where(known, labels.values.astype(object), "O"))))
        for labels in (true, pred)
    )
    scheme = closest_scheme(steps)
    if scheme is None or not any(steps.roles) or others.foreign(None).any():
        return
    contrast = contrast_of(others, scheme, known)
    if contrast is None:
        return
    spans = span_table(steps, scheme)
    n_meant = n_right(SpanPair(spans, span_table(others, contrast.scheme), true.offsets, None))
    n_read = 0
    if not others.foreign(scheme).any():
        n_read = n_right(SpanPair(spans, span_table(others, scheme), true.offsets, None))
    if n_meant <= n_read:
        return
    warnings.warn(
        f"y_true looks like tags of the scheme {scheme} and y_pred of {contrast.scheme}: labels that mark the same "
        f"span count as different. Give convert_tag_scheme(y_pred, {scheme!r}) of sklearn_rnn.preprocessing, or score "
        f"spans with mode='conlleval'",
        SequenceDataWarning,
        stacklevel=4,
    )
