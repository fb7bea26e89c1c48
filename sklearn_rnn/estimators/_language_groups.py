"""The parameters of a language model alone."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any

from sklearn.utils._param_validation import StrOptions

from sklearn_rnn.estimators._groups import BackboneParameters, InputParameters, TrainingParameters
from sklearn_rnn.estimators._parameters import TOKENIZERS, at_least, extended, parameter


@dataclass(kw_only=True, eq=False, repr=False)
class LanguageParameters:
    """What a step is, what comes next, and what it depends on."""

    tokenizer: Any = parameter(
        "char",
        TOKENIZERS,
        '{"char", "word"}, SequenceTokenizer or None',
        "What documents are split into: characters, as they are, or words as a SequenceTokenizer has them, or what a "
        "SequenceTokenizer that is given makes of them. Lists of tokens and numbers are read as they are. With None "
        "documents are an error.",
    )
    output: str = parameter(
        "auto",
        [StrOptions({"auto", "symbols", "binary", "gaussian_mixture"})],
        '{"auto", "symbols", "binary", "gaussian_mixture"}',
        "What a step is: one symbol of many, features that are each 0 or 1, or real numbers. "
        '``"auto"`` is ``"symbols"`` for tokens and ids, ``"binary"`` for numbers that are all 0 or 1, else '
        '``"gaussian_mixture"``. With ``"symbols"`` integers are ids.',
    )
    frame_head: str = parameter(
        "independent",
        [StrOptions({"independent", "chained"})],
        '{"independent", "chained"}',
        'Of ``"binary"`` steps, whether features are independent of each other given the steps before, or each '
        "depends on those before it in its step too, through hidden units [nade]_, [rnnnade]_.",
    )
    n_mixtures: int = parameter(
        10,
        [at_least(Integral, 1)],
        "int",
        'Normal distributions in the mixture of a step of ``"gaussian_mixture"`` [mdn]_, [handwriting]_. Up to three '
        "features are correlated in each, more are independent in each.",
    )
    stream: bool = parameter(
        False,
        ["boolean"],
        "bool",
        "Whether the items of X are consecutive pieces of one text or series, which has no end. Otherwise they are "
        "documents, each with a begin and an end of its own.",
    )
    context: str = parameter(
        "input",
        [StrOptions({"input", "state"})],
        '{"input", "state"}',
        "Where y, the context of a sequence, goes in: beside each step, or into the first state.",
    )
    softmax: str = parameter(
        "full",
        [StrOptions({"full", "adaptive"})],
        '{"full", "adaptive"}',
        "How the probabilities of symbols are computed: with a weight for each unit and symbol, or with fewer for rare "
        "symbols, which share clusters [adaptive]_: for vocabularies of tens of thousands. Neither ever holds the "
        "outputs of a whole batch.",
    )
    tie_weights: bool = parameter(
        False,
        ["boolean"],
        "bool",
        "Whether the weights of a symbol in the last map are its vector [tying]_; a linear map comes before, where "
        "`hidden_size` is not `embedding_dim`.",
    )
    hidden_size: int | list[int] | tuple[int, ...] | str = extended(
        BackboneParameters,
        "hidden_size",
        "Here it is 192.",
    )
    dropout: float | str = extended(
        BackboneParameters,
        "dropout",
        "Here it is 0.5 for words, and 0.2 for letters and numbers.",
    )
    embedding_dropout: float | str = extended(
        InputParameters,
        "embedding_dropout",
        "Here it is 0.3 for words, and 0 for letters.",
    )
    word_dropout: float | str = extended(
        InputParameters,
        "word_dropout",
        "Here it is 0.",
    )
    learning_rate: float | str = extended(
        TrainingParameters,
        "learning_rate",
        "Here, of a stream of symbols, it is 0.006.",
    )
    batch_size: int | str = extended(
        TrainingParameters,
        "batch_size",
        "Here it is 32, and of a stream 64 parts of it side by side.",
    )
    tbptt_steps: int | None = extended(
        TrainingParameters,
        "tbptt_steps",
        "With `stream` also the length of the pieces that a batch is made of, 100 if None.",
    )
