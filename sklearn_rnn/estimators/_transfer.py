"""Going on from another fitted estimator: its backbone, its vocabulary and its embeddings."""

from __future__ import annotations

import copy
from typing import Any

import torch
from sklearn.utils.validation import check_is_fitted

from sklearn_rnn.data.encoding import StepEncoding
from sklearn_rnn.data.validation import InputSpec
from sklearn_rnn.exceptions import SequenceDataError

ARCHITECTURE = (
    "cell_type",
    "bidirectional",
    "nonlinearity",
    "residual",
    "layer_norm",
    "hidden_sizes",
    "proj_size",
    "input_size",
    "layout",
    "character_encoder",
    "character_embedding_dim",
    "character_hidden_size",
)
"""What the backbone and the inputs of a network are built from."""


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
        source = getattr(pretrained, "estimator", pretrained)  # what a FrozenEstimator holds
        source = source.steps[-1][1] if hasattr(source, "steps") else source
        if not hasattr(source, "module_") and not hasattr(type(source), "module_"):
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
        same = (spec.kind, spec.n_features, spec.missing) == (fitted.kind, fitted.n_features, fitted.missing)
        if not same or list(spec.inputs) != list(fitted.inputs):
            raise SequenceDataError(
                f"pretrained was fitted on {fitted.n_features} input(s) of kind {fitted.kind!r}, X has "
                f"{spec.n_features} of kind {spec.kind!r}: give steps as they were there"
            )
        return copy.deepcopy(self.source.encoding_)

    def architecture(self) -> dict[str, Any]:
        """The parameters of its network that concern inputs and backbone."""
        return {name: getattr(self.source.net_, f"module__{name}") for name in ARCHITECTURE}

    def load_into(self, network: torch.nn.Module) -> None:
        """Copy the weights of inputs and backbone."""
        weights = self.source.module_.state_dict()
        own = network.state_dict()
        taken = {name: weights[name] for name in own if name.partition(".")[0] in ("inputs", "backbone")}
        network.load_state_dict({**own, **taken})
