"""What the estimators share that are shown a whole sequence before they answer."""

from __future__ import annotations

from dataclasses import dataclass

from sklearn_rnn.estimators._base import BaseRNN
from sklearn_rnn.estimators._convolution_groups import LookAheadParameters
from sklearn_rnn.estimators._groups import FormParameters


@dataclass(kw_only=True, eq=False, repr=False)
class WholeSequenceRNN(LookAheadParameters, FormParameters, BaseRNN):
    """An estimator that may look at later steps, and at the form of tokens."""
