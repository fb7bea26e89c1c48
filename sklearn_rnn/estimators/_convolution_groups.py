"""The parameters of what looks at later steps too, and what does not go together with convolutions."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any

from sklearn_rnn.data.batching import Alignment
from sklearn_rnn.estimators._parameters import at_least, auto_parameter, parameter
from sklearn_rnn.networks.specs import ConvolutionSpec


@dataclass(kw_only=True, eq=False, repr=False)
class ConvolutionParameters:
    """The convolutions beside the recurrence."""

    conv_branch: bool | str = auto_parameter(
        "boolean",
        "bool",
        "Whether convolutions read the sequences too, beside the recurrence [lstmfcn]_: each is normalised over the "
        "steps of a batch [batchnorm]_ and rectified, and the head sees what the last one finds behind the hidden "
        'states. Where a sequence has one target, their features are averaged over its steps. ``"auto"`` has them '
        "where sequences of numbers have one label each, but not with `tbptt_steps` or with `bidirectional=False`, "
        "which is meant to look at what came before alone.",
    )
    conv_channels: int | list[int] | tuple[int, ...] = parameter(
        (64, 64, 64),
        [at_least(Integral, 1), list, tuple],
        "int, or list or tuple of int",
        "Filters of each convolution; an int is for all layers. As many layers as the lists among this, "
        "`conv_kernel_size` and `conv_dilation` have items follow each other.",
    )
    conv_kernel_size: int | list[int] | tuple[int, ...] = parameter(
        (7, 5, 3),
        [at_least(Integral, 1), list, tuple],
        "int, or list or tuple of int",
        "Steps that each convolution looks at; an int is for all layers. A sequence has zeros around it.",
    )
    conv_dilation: int | list[int] | tuple[int, ...] = parameter(
        1,
        [at_least(Integral, 1), list, tuple],
        "int, or list or tuple of int",
        "Distance between the steps that each convolution looks at; an int is for all layers.",
    )

    def _convolution_spec(self) -> ConvolutionSpec | None:
        """What the branch is built from; None without one."""
        return self._convolutions() if self.conv_branch else None

    def _convolutions(self) -> ConvolutionSpec:
        """What the branch is built from if there is one.

        Raises
        ------
        ValueError
            If the parameters do not go together.
        """
        given = {name: getattr(self, name) for name in ("conv_channels", "conv_kernel_size", "conv_dilation")}
        lists = {name: value for name, value in given.items() if isinstance(value, (list, tuple))}
        for name, value in lists.items():
            if not value or not all(isinstance(item, Integral) and int(item) >= 1 for item in value):
                raise ValueError(f"{name}={value!r} must be an int of at least 1, or a list with one for each layer")
        if len(set(map(len, lists.values()))) > 1:
            shown = ", ".join(f"{name}={value!r}" for name, value in lists.items())
            raise ValueError(f"{shown} differ in the number of layers: give each an int, or one for each layer")
        n_layers = max(map(len, lists.values()), default=1)
        return ConvolutionSpec(*(_one_each(value, n_layers) for value in given.values()))


@dataclass(kw_only=True, eq=False, repr=False)
class LookAheadParameters(ConvolutionParameters):
    """What looks at later steps too: for estimators that are shown whole sequences."""

    bidirectional: bool = parameter(
        True,
        ["boolean"],
        "bool",
        "Whether a second recurrence reads each sequence from its end. Its states are joined to those of the first, so "
        "that a step has ``2 * hidden_size`` of them.",
    )


def _one_each(given: Any, n_layers: int) -> tuple[int, ...]:
    """The int of each of the `n_layers` layers."""
    return tuple(map(int, given)) if isinstance(given, (list, tuple)) else (int(given),) * n_layers


def check_convolutions(estimator: Any, alignment: Alignment) -> None:
    """Raise ValueError if the convolutions of an estimator do not go with its other parameters, or with its targets."""
    stride, branch = estimator.conv_stride, estimator.conv_branch
    if estimator.tbptt_steps is not None and (branch or stride > 1):
        own = "conv_branch=True" if branch else f"conv_stride={stride!r}"
        raise ValueError(
            f"tbptt_steps={estimator.tbptt_steps!r} computes a sequence in pieces, and {own} looks beyond their "
            f"borders: set tbptt_steps=None, or do without convolutions"
        )
    if stride > 1 and alignment != "sequence":
        raise ValueError(
            f"conv_stride={stride!r} makes one step of {stride}, and y has a target for each step: set conv_stride=1, "
            f"or give one target for each sequence"
        )
