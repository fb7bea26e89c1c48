"""Going on from another fitted estimator: its backbone, its vocabulary and its embeddings."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any

from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from sklearn_rnn._wrapped import final_template
from sklearn_rnn.data.encoding import StepEncoding
from sklearn_rnn.data.validation import InputSpec
from sklearn_rnn.estimators._parameters import at_least, parameter
from sklearn_rnn.exceptions import SequenceDataError
from sklearn_rnn.networks.specs import ConvolutionSpec, NetworkSpec


@dataclass(kw_only=True, eq=False, repr=False)
class TransferParameters:
    """What comes from another fitted estimator, and what training leaves alone."""

    pretrained: Any = parameter(
        None,
        "no_validation",  # an error that says how to hand an estimator over comes from where it is taken apart
        "fitted estimator of this package, or None",
        "Start from its backbone, vocabulary and embeddings, and train a new head [ulmfit]_. The parameters that "
        "describe those (`cell_type`, `hidden_size`, `embedding_dim`, `char_encoder` and the like) are then its own. "
        "It stays fitted when this estimator is cloned; as a value of a grid it goes inside scikit-learn's "
        "FrozenEstimator.",
    )
    freeze: str | None = parameter(
        None,
        [StrOptions({"inputs", "backbone"}), None],
        '{"inputs", "backbone"} or None',
        'What training leaves as it is: all that is embedded, characters too, or with ``"backbone"`` all but the head.',
    )
    unfreeze_every: int | None = parameter(
        None,
        [at_least(Integral, 1), None],
        "int or None",
        "Let what `freeze` holds back into training again, one layer after another from the top, each so many epochs "
        "after the one before [ulmfit]_.",
    )


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
        source = final_template(pretrained)
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

    @property
    def context(self) -> Any:
        """The context that it reads beside each step, if it is a language model with one."""
        return self.source.context_ if getattr(self.source, "context", None) == "input" else None

    def encoding_for(self, spec: InputSpec, context: Any = None) -> StepEncoding:
        """Its encoding of steps, if those of `spec`, and the `context` beside them, are of the same kind.

        Raises
        ------
        SequenceDataError
            If they are not.
        """
        if (self.context is None) != (context is None):
            own, given = ("a", "none") if context is None else ("no", "one")
            raise SequenceDataError(
                f"pretrained was fitted with {own} context, y, beside each step, and here is {given}: its layers read "
                f"steps as they were there. A context that sets the first state alone, context='state', is left behind"
            )
        fitted: InputSpec = self.source.input_spec_
        if _described(spec) != _described(fitted):
            raise SequenceDataError(
                f"pretrained was fitted on {_described(fitted)}, X has {_described(spec)}: give steps as they were "
                f"there, several inputs and features in the same order"
            )
        return copy.deepcopy(self.source.encoding_)

    def inputs(self) -> dict[str, Any]:
        """Those of its parameters that describe its inputs, as they were in its fit."""
        return {
            "char_encoder": self.source.net_.module__spec.inputs.char_encoder,
            "casing_features": self.source.encoding_.casing,
        }

    def choices(self, convolutions: ConvolutionSpec | None) -> dict[str, Any]:
        """What "auto" comes to in parameters that describe its layers, given the `convolutions` that there may be."""
        own: NetworkSpec = self.source.net_.module__spec
        sizes = list(own.backbone.hidden_sizes)
        return {
            "hidden_size": sizes[0] if len(set(sizes)) == 1 else sizes,
            "conv_branch": own.convolutions == convolutions,
        }

    def taken_over(self, spec: NetworkSpec, *, freeze: str | None = None) -> NetworkSpec:
        """`spec` with its inputs and its backbone.

        Raises
        ------
        ValueError
            If there are other convolutions in front, or beside it such as `freeze` would leave at their first weights.
        """
        own: NetworkSpec = self.source.net_.module__spec
        if own.stride != spec.stride:
            raise ValueError(
                f"conv_stride={spec.stride} is not that of pretrained, whose layers read what its own convolution "
                f"makes of X: set conv_stride={own.stride}"
            )
        if freeze == "backbone" and spec.convolutions not in (None, own.convolutions):
            raise ValueError(
                "freeze='backbone' would leave convolutions at their first weights that pretrained has not learned: "
                "set conv_branch=False or freeze=None, or pretrain with the same convolutions"
            )
        return replace(spec, inputs=own.inputs, backbone=own.backbone)

    def load_into(self, net: Any) -> None:
        """Copy the weights of inputs and backbone, and of convolutions if the `net` has the same."""
        weights = self.source.module_.state_dict()
        own = net.module_.state_dict()
        same = net.module__spec.convolutions == self.source.net_.module__spec.convolutions
        parts = ("inputs", "front", "backbone", *(["convolutions"] if same else []))
        taken = {name: weights[name] for name in own if name.partition(".")[0] in parts}
        net.module_.load_state_dict({**own, **taken})


def _described(spec: InputSpec) -> str:
    """Kind, width and names of each input, in order."""
    own = f"{spec.kind} of {spec.n_features} feature(s)"
    if spec.missing == "mask":
        own += " and whether each was observed"
    if spec.columns is not None:
        own += f" {list(spec.columns)}"
    parts = [f"{name!r}: {_described(part)}" for name, part in spec.inputs.items()]
    return f"{own} ({', '.join(parts)})" if parts else own
