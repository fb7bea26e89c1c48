"""The parameters of some estimators alone: of pooling, of labels, and of tags."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any

from sklearn.utils._param_validation import StrOptions

from sklearn_rnn.data.tag_schemes import SCHEMES
from sklearn_rnn.estimators._defaults import AUTO
from sklearn_rnn.estimators._parameters import SHARE, KeyOf, at_least, auto_parameter, parameter
from sklearn_rnn.targets.number_losses import NUMBER_LOSSES


@dataclass(kw_only=True, eq=False, repr=False)
class PoolingParameters:
    """How one vector is made of a sequence."""

    pooling: str = parameter(
        AUTO,
        [StrOptions({AUTO, "last", "mean", "max", "concat", "attention"})],
        '{"auto", "last", "mean", "max", "concat", "attention"}',
        "How the hidden states of a sequence become one vector: the last one (of the backward direction, the one at "
        "the first step), their mean, the greatest value of each unit, these three side by side [ulmfit]_, or a mean "
        'with learned weights. ``"auto"`` is ``"max"`` for words, ``"last"`` for a regression on numbers, else '
        '``"concat"``.',
    )
    conv_stride: int = parameter(
        1,
        [at_least(Integral, 1)],
        "int",
        "More than 1 for long signals: a convolution over twice as many steps, in front of recurrence and "
        "`conv_branch`, makes one step of so many. Only with one target for each sequence.",
    )


@dataclass(kw_only=True, eq=False, repr=False)
class NumberParameters:
    """What numbers are measured by, and what they belong to."""

    loss: str = parameter(
        "squared_error",
        [KeyOf(NUMBER_LOSSES)],
        "str",
        "One of " + ", ".join(f'``"{name}"``' for name in NUMBER_LOSSES) + ". "
        'What training makes small: the error of the mean, or of the median for ``"absolute_error"``; ``"huber"`` is '
        'squared up to one standard deviation of the targets and linear beyond it; ``"poisson"`` and ``"gamma"`` are '
        'for numbers that are not negative, and positive, with a mean that is an exponential; ``"quantile"`` is the '
        "pinball loss [quantile]_ of all `quantiles`; the others are the negative log-likelihood of a distribution "
        "whose parameters the network predicts, those of a negative binomial for counts [negbin]_.",
    )
    quantiles: list[float] | None = parameter(
        None,
        ["array-like", None],
        "array-like of float in (0, 1), or None",
        'The quantiles that ``loss="quantile"`` learns, in rising order; with a distribution those that '
        "`predict_quantiles` returns where none are asked for.",
    )
    target: str = parameter(
        "auto",
        [StrOptions({"auto", "sequence", "step"})],
        '{"auto", "sequence", "step"}',
        "What the numbers of y belong to. A 2-D y may be either, and is one row of numbers for each sequence by "
        "default.",
    )


@dataclass(kw_only=True, eq=False, repr=False)
class LabelParameters:
    """How labels count."""

    class_weight: dict[Any, float] | str | None = parameter(
        None,
        [dict, StrOptions({"balanced"}), None],
        'dict, "balanced" or None',
        'Weights of the classes; ``"balanced"`` gives each class the same total weight.',
    )
    label_smoothing: float | str = auto_parameter(
        SHARE,
        "float in [0, 1)",
        "Share of each label that is spread evenly over all classes, so that no network is rewarded for being surer "
        'than it can be [smoothing]_. ``"auto"`` is 0.1 where a sequence has one target, and 0 where each step has.',
    )


@dataclass(kw_only=True, eq=False, repr=False)
class TagParameters:
    """What the labels of steps mean, and what joins them."""

    decoder: str = parameter(
        "crf",
        [StrOptions({"crf", "softmax"})],
        '{"crf", "softmax"}',
        'Whether the scores of one label after another are learned. With ``"softmax"`` each label is predicted by '
        "itself, and `constrain_transitions` alone joins them. A CRF takes time and memory that grow with the square "
        "of the number of labels.",
    )
    tag_scheme: str | None = parameter(
        "auto",
        [StrOptions({"auto", *SCHEMES}), None],
        '{"auto", "IOB1", "IOB2", "BIOES", "BILOU", "BMES", "BMEWO"} or None',
        'How labels mark spans; ``"auto"`` finds out, and None says that they do not. Tags may be spelled '
        '``"B-city"``, ``"B_city"``, ``"city-B"``, ``"b-city"`` and so on, all in the same way.',
    )
    train_scheme: str | None = parameter(
        None,
        [StrOptions({"BIOES", "BILOU"}), None],
        '{"BIOES", "BILOU"} or None',
        "A scheme that the tags are turned into for training; predictions come in the scheme of y.",
    )
    constrain_transitions: bool = parameter(
        True,
        ["boolean"],
        "bool",
        "Whether only label sequences that the scheme of the tags allows are possible.",
    )
    ignore_label: str | int | None = parameter(
        None,
        [str, Integral, None],
        "str, int or None",
        "A value of y that marks a step without a label: left out of scoring and never predicted. In training the "
        "likelihood is that of all labels that may stand there.",
    )
    stride: int | None = parameter(
        None,
        [at_least(Integral, 1), None],
        "int or None",
        "With `max_length`: cut longer sequences into windows of that length whose starts are `stride` steps apart. In "
        "prediction each step takes its emissions from the window in which it is farthest from an end; the best label "
        "sequence is then found for the whole. Steps in several windows count in training as often.",
    )
    scoring: str = parameter(
        "accuracy",
        [StrOptions({"accuracy", "span_f1"})],
        '{"accuracy", "span_f1"}',
        "What `score` and `validation_scores_` are: the share of steps that are right, or the F1 of spans.",
    )
