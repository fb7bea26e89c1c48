"""The parameters of an encoder-decoder alone."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_rnn.estimators._groups import BackboneParameters, InputParameters, TrainingParameters
from sklearn_rnn.estimators._parameters import SHARE, TOKENIZERS, at_least, extended, parameter


@dataclass(kw_only=True, eq=False, repr=False)
class TransductionParameters:
    """What targets are, what the decoder looks at, and how targets are found."""

    tokenizer: Any = parameter(
        "char",
        TOKENIZERS,
        '{"char", "word"}, SequenceTokenizer or None',
        "What documents in X are split into: characters, words as a SequenceTokenizer has them, or what a "
        "SequenceTokenizer that is given makes of them. Lists of tokens and numbers are read as they are.",
    )
    target_tokenizer: Any = parameter(
        "char",
        TOKENIZERS,
        '{"char", "word"}, SequenceTokenizer or None',
        "As `tokenizer`, for documents in y. What is predicted is joined to documents again.",
    )
    attention: str | None = parameter(
        "general",
        [StrOptions({"general", "dot", "additive"}), None],
        '{"general", "dot", "additive"} or None',
        "How a state q of the decoder is compared with a state h of the encoder: ``q @ W @ h``, ``q @ h`` [luong]_, or "
        "``v @ tanh(W q + U h)`` [bahdanau]_. None looks at nothing: all that is known of a source is where its "
        "encoder ended.",
    )
    attend: str = parameter(
        "between",
        [StrOptions({"between", "after", "feed"})],
        '{"between", "after", "feed"}',
        "Where attention is: between the first layer of the decoder and the second, which reads what it saw; after the "
        "last layer; or there with what it made fed into the first layer at the next step, which takes the recurrence "
        "apart and several times as long.",
    )
    decoder_hidden_size: int | None = parameter(
        None,
        [at_least(Integral, 1), None],
        "int or None",
        "Units of each layer of the decoder; None for those of the last layer of the encoder in one direction, or with "
        '``attention="dot"`` in all.',
    )
    decoder_num_layers: int | None = parameter(
        None,
        [at_least(Integral, 1), None],
        "int or None",
        "Layers of the decoder. None is 2 with attention between them, else `num_layers`.",
    )
    scheduled_sampling: float = parameter(
        0.0,
        [SHARE],
        "float in [0, 1)",
        "Share of the steps of a target that training lets the decoder read as it would have said them itself, and not "
        "as they are [scheduled]_. The draws are made in one pass beforehand.",
    )
    share_embeddings: bool = parameter(
        False,
        ["boolean"],
        "bool",
        "Whether both sides have one vocabulary, learned of both, and the same vectors. Only for tokens.",
    )
    tie_weights: bool = parameter(
        False,
        ["boolean"],
        "bool",
        "Whether the last map of the decoder has the vectors of the symbols as its weights.",
    )
    num_beams: int = parameter(
        1,
        [at_least(Integral, 1)],
        "int",
        "Targets that `predict` keeps side by side in its search; 1 takes the best symbol at each step.",
    )
    length_penalty: float = parameter(
        1.0,
        [Interval(Real, None, None, closed="neither")],
        "float",
        "A beam is as good as its log-probability, divided by its number of symbols, the end among them, to the power "
        "of this.",
    )
    max_new_tokens: int | None = parameter(
        None,
        [at_least(Integral, 1), None],
        "int or None",
        "Steps of a prediction at most. None is what the greatest ratio of a target to its source in training allows.",
    )
    replace_unknown: bool = parameter(
        False,
        ["boolean"],
        "bool",
        "Whether the unknown symbol may be predicted, and stands for the token of the source that is most attended to: "
        "names are copied. Training has unknown symbols where `min_df` or `max_features` leaves some out.",
    )
    scoring: str = parameter(
        "exact",
        [StrOptions({"exact", "symbol_error_rate", "bleu"})],
        '{"exact", "symbol_error_rate", "bleu"}',
        "What `score` is: the share of targets that are predicted exactly, minus the edits that make predictions right "
        "for each symbol of the targets, or BLEU of the words, which needs the package sacrebleu. Of targets that are "
        "numbers it is the mean log-likelihood of a step.",
    )
    hidden_size: int | list[int] | tuple[int, ...] | str = extended(
        BackboneParameters,
        "hidden_size",
        "Here it is 128.",
    )
    dropout: float | str = extended(
        BackboneParameters,
        "dropout",
        "Here it is 0.2.",
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
        "Here it is 0.003 for letters, and 0.002 else.",
    )
    batch_size: int | str = extended(
        TrainingParameters,
        "batch_size",
        "Here it is 32.",
    )
