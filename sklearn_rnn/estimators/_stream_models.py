"""Which fitted models can go on step by step, and what they are made of."""

from __future__ import annotations

from typing import Any

from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_rnn.estimators._classifier import RNNClassifier
from sklearn_rnn.estimators._language_model import RNNLanguageModel
from sklearn_rnn.estimators._regressor import RNNRegressor
from sklearn_rnn.estimators._tagger import RNNSequenceTagger

STREAMED = (RNNClassifier, RNNRegressor, RNNSequenceTagger, RNNLanguageModel)


def parts_of(model: Any) -> tuple[list[Any], Any]:
    """The transformers of steps, and the estimator, that a fitted model is made of."""
    named = model.steps if isinstance(model, Pipeline) else [("model", model)]
    *before, (_, estimator) = named
    if not isinstance(estimator, STREAMED):
        raise TypeError(
            f"{model!r:.200} cannot be streamed: wanted a fitted RNNClassifier, RNNRegressor, RNNSequenceTagger or "
            f"RNNLanguageModel, or a Pipeline of PerStep and one of them"
        )
    transformers = [(name, part) for name, part in before if part is not None and part != "passthrough"]
    for name, part in transformers:
        if not getattr(part, "transforms_steps_alone", False):
            raise TypeError(
                f"the step {name!r} of the Pipeline is {part!r:.200}, which may look at a whole sequence: wanted "
                f"transformers that look at one step alone, as PerStep(transformer) does"
            )
        check_is_fitted(part)
    check_is_fitted(estimator, "net_")
    return [part for _, part in transformers], estimator


def check_goes_on(estimator: Any) -> None:
    """Raise unless a prediction from the steps so far can go on to one from the next step as well."""
    spec, alignment = estimator.input_spec_, estimator.target_.alignment
    if alignment == "sequence" and spec.max_length is not None and spec.truncate == "head":
        raise ValueError(
            f"max_length={spec.max_length} with truncate='head' predicts from the last steps of a sequence: where they "
            f"begin changes with each step, and all would have to be computed anew. Fit with truncate='tail', or with "
            f"max_length=None"
        )
    if alignment == "step" and getattr(estimator, "stride", None) is not None:
        raise ValueError(
            f"stride={estimator.stride} predicts long sequences from windows that overlap, which look ahead: a stream "
            f"cannot. Set stride=None"
        )
