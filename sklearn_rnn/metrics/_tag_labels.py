"""Labels of steps that are compared as they are, though they may be tags in different schemes or spellings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn._warning import warn
from sklearn_rnn.data.formats import is_text
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.tag_contrast import contrast_of
from sklearn_rnn.data.tag_schemes import closest_scheme, span_table
from sklearn_rnn.data.tag_spellings import in_plain_spelling
from sklearn_rnn.data.tag_steps import TagSteps
from sklearn_rnn.exceptions import SequenceDataWarning
from sklearn_rnn.metrics._span_counts import SpanPair, n_right


def warn_of_other_tags(true: Sequences, pred: Sequences, known: NDArray[np.bool_]) -> None:
    """Warn if labels are tags in another scheme or spelling than the true ones, where `known` (total_steps,).

    Predictions of a tagger that knows little look like anything: some of the spans must be the same ones.
    """
    if not (known.any() and is_text(true.values) and is_text(pred.values)):
        return
    given = [
        TagSteps.read(labels.with_values(np.where(known, labels.values.astype(object), "O"))) for labels in (true, pred)
    ]
    steps, others = map(in_plain_spelling, given)
    scheme = closest_scheme(steps)
    if scheme is None or not any(steps.roles) or not any(others.roles) or others.foreign(None).any():
        return
    contrast = contrast_of(others, scheme, known)
    own = scheme if contrast is None else contrast.scheme
    respelled = _shared(given) < _shared([steps, others])
    if (contrast is None and not respelled) or others.foreign(own).any():
        return
    spans = span_table(steps, scheme)
    n_meant = n_right(SpanPair(spans, span_table(others, own), true.offsets, None))
    n_read = 0
    if not respelled and not others.foreign(scheme).any():
        n_read = n_right(SpanPair(spans, span_table(others, scheme), true.offsets, None))
    if n_meant > n_read:
        which = (
            f"of the scheme {scheme} and y_pred of {own}" if contrast else "spelled in another way than those of y_pred"
        )
        warn(
            f"y_true looks like tags {which}: labels that mark the same span count as different. Give "
            f"convert_tag_scheme(y, {scheme!r}) of sklearn_rnn.preprocessing of both, or score spans with "
            f"mode='conlleval'",
            SequenceDataWarning,
        )


def _shared(pair: list[TagSteps]) -> int:
    """How many distinct tags are the same in both."""
    return len(set(pair[0].tags) & set(pair[1].tags))
