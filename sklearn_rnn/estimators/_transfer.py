"""Going on from another fitted estimator: its backbone, its vocabulary and its embeddings."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import torch
from sklearn.utils.validation import check_is_fitted

from sklearn_rnn.data.encoding import StepEncoding
from sklearn_rnn.data.validation import InputSpec
from sklearn_rnn.exceptions import SequenceDataError
from sklearn_rnn.networks.specs import NetworkSpec


class PretrainedNetwork:
    """What is taken over from a fitted estimator.

    Parameters
    ----------
    pretrained : estimator
        A fitted estimator of this package, a Pipeline that ends with one, or a FrozenEstimator of either.

    Raises
    ------
    TypeError
        If it is no such estimator.
    NotFittedError
        If it is not fitted.
    """

    def __init__(self, pretrained: Any) -> None:
        source = _final(pretrained)
        if not hasattr(type(source), "module_"):
            raise TypeError(
                f"pretrained={pretrained!r:.80} must be a fitted estimator of this package, such as an "
                f"RNNSequenceTagger, or a Pipeline that ends with one"
            )
        check_is_fitted(
            source,
            "net_",
            msg="pretrained is an estimator that is not fitted. In a grid, and wherever else scikit-learn copies "
            "parameters, wrap it: sklearn.frozen.FrozenEstimator(fitted)",
        )
        self.source = source

    def encoding_for(self, spec: InputSpec) -> StepEncoding:
        """Its encoding of steps, if those of `spec` are of the same kind.

        Raises
        ------
        SequenceDataError
            If they are not.
        """
        fitted: InputSpec = self.source.input_spec_
        if _described(spec) != _described(fitted):
            raise SequenceDataError(
                f"pretrained was fitted on {_described(fitted)}, X has {_described(spec)}: give steps as they were "
                f"there, several inputs and features in the same order"
            )
        return copy.deepcopy(self.source.encoding_)

    def choices(self) -> dict[str, Any]:
        """Those of its parameters that describe its inputs, as they were in its fit."""
        return {
            "char_encoder": self.source.net_.module__spec.inputs.char_encoder,
            "casing_features": self.source.encoding_.casing,
        }

    def taken_over(self, spec: NetworkSpec) -> NetworkSpec:
        """`spec` with its inputs and its backbone."""
        own: NetworkSpec = self.source.net_.module__spec
        return replace(spec, inputs=own.inputs, backbone=own.backbone)

    def load_into(self, network: torch.nn.Module) -> None:
        """Copy the weights of inputs and backbone."""
        weights = self.source.module_.state_dict()
        own = network.state_dict()
        taken = {name: weights[name] for name in own if name.partition(".")[0] in ("inputs", "backbone")}
        network.load_state_dict({**own, **taken})


def _final(estimator: Any) -> Any:
    """The estimator at the end of what holds it: a FrozenEstimator, a search, a Pipeline."""
    for name in ("best_estimator_", "estimator"):
        if hasattr(estimator, name):
            return _final(getattr(estimator, name))
    return _final(estimator.steps[-1][1]) if hasattr(estimator, "steps") else estimator


def _described(spec: InputSpec) -> str:
    """Kind, width and names of each input, in order."""
    own = f"{spec.kind} of {spec.n_features} feature(s)"
    if spec.missing == "mask":
        own += " and whether each was observed"
    if spec.columns is not None:
        own += f" {list(spec.columns)}"
    parts = [f"{name!r}: {_described(part)}" for name, part in spec.inputs.items()]
    return f"{own} ({', '.join(parts)})" if parts else own
