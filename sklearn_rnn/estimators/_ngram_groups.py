"""The parameter of n-grams beside the recurrence, and what does not go together with them."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any

from sklearn_rnn.data.encoding import StepEncoding
from sklearn_rnn.estimators._parameters import at_least, auto_parameter


@dataclass(kw_only=True, eq=False, repr=False)
class NgramParameters:
    """The tokens that weigh on the outputs by themselves."""

    ngrams: int | str = auto_parameter(
        at_least(Integral, 0),
        "int",
        "Tokens of the longest n-gram that weighs on the outputs by itself, wherever it stands, as in a linear model "
        "beside the recurrence [widedeep]_: 1 is each token, 2 pairs too, 0 none. Those of two tokens and more share "
        "16,384 rows of weights by their hash [hashing]_. Training leaves out the share `embedding_dropout`. "
        '``"auto"`` is 2 where sequences of tokens have one target each, but 0 with `tbptt_steps` or with '
        "`bidirectional=False`.",
    )


def check_ngrams(estimator: Any, encoding: StepEncoding) -> None:
    """Raise ValueError if the n-grams of an estimator do not go with its other parameters, or with its inputs."""
    ngrams = estimator.ngrams
    if not ngrams:
        return
    if not encoding.vocabularies:
        raise ValueError(f"ngrams={ngrams!r} needs tokens in X, which holds numbers alone: set ngrams=0")
    if estimator.tbptt_steps is not None:
        raise ValueError(
            f"tbptt_steps={estimator.tbptt_steps!r} computes a sequence in pieces, and ngrams={ngrams!r} looks at it "
            f"as a whole: set tbptt_steps=None or ngrams=0"
        )
