"""The parameters that all estimators share, in groups: backbone, inputs, transfer and training."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from sklearn.utils._param_validation import Interval, RealNotInt, StrOptions

from sklearn_rnn.estimators._defaults import AUTO
from sklearn_rnn.estimators._parameters import (
    POSITIVE,
    SHARE,
    KeyOf,
    OptimizerClass,
    at_least,
    auto_parameter,
    parameter,
)
from sklearn_rnn.networks.cells import CELLS
from sklearn_rnn.training.optimization import OPTIMIZERS, SCHEDULES


@dataclass(kw_only=True, eq=False, repr=False)
class BackboneParameters:
    """The recurrent layers."""

    cell_type: str = parameter(
        "gru",
        [KeyOf(CELLS)],
        '{"gru", "lstm", "rnn", "mgu"}',
        "The recurrent cell: gated recurrent unit [gru]_, long short-term memory [lstm]_, vanilla (Elman), or the "
        "minimal gated unit [mgu]_, which has one gate and no kernel.",
    )
    hidden_size: int | list[int] | tuple[int, ...] | str = parameter(
        AUTO,
        [at_least(Integral, 1), list, tuple, StrOptions({AUTO})],
        'int, list or tuple of int, or "auto"',
        'Units of each layer in each direction; a list gives one size a layer. ``"auto"`` is 100 where tokens '
        "are embedded, else 64.",
    )
    num_layers: int = parameter(
        1,
        [at_least(Integral, 1)],
        "int",
        "Recurrent layers, each reading the hidden states of the one below. With a list as `hidden_size`, leave it at "
        "1 or give the length of the list.",
    )
    nonlinearity: str = parameter(
        "tanh",
        [StrOptions({"tanh", "relu"})],
        '{"tanh", "relu"}',
        "Of the vanilla cell; the gated cells have their own.",
    )
    dropout: float | str = auto_parameter(
        SHARE,
        "float in [0, 1)",
        "Share of values dropped between layers and before the head [dropout]_; "
        '``"auto"`` is 0.5 where tokens are embedded, else 0.2.',
    )
    recurrent_dropout: float = parameter(
        0.0,
        [SHARE],
        "float in [0, 1)",
        "Share of the hidden state dropped on its way to the recurrent weights, with one mask for all steps of a "
        "sequence [tied]_; what a GRU or MGU copies of its state is copied whole. With the torch engine it runs step "
        "by step, and is several times slower.",
    )
    weight_dropout: float = parameter(
        0.0,
        [SHARE],
        "float in [0, 1)",
        "Share of the recurrent weights dropped for each batch [weightdrop]_.",
    )
    tied_dropout: bool = parameter(
        False,
        ["boolean"],
        "bool",
        "Whether `dropout` and `embedding_dropout` drop the same values at all steps of a sequence [tied]_.",
    )
    residual: bool = parameter(
        False,
        ["boolean"],
        "bool",
        "Add the input of each recurrent layer to its output, through a learned linear map where their sizes differ.",
    )
    layer_norm: bool = parameter(
        False,
        ["boolean"],
        "bool",
        "Normalise the output of each recurrent layer over its units [layernorm]_.",
    )
    weight_init: str = parameter(
        "auto",
        [StrOptions({"auto", "orthogonal", "identity", "torch"})],
        '{"auto", "orthogonal", "identity", "torch"}',
        '``"orthogonal"``: orthogonal recurrent matrices, Glorot-uniform input matrices, biases 0 but for the LSTM\'s '
        'forget gate, which starts at 1. ``"identity"``: recurrent matrices start as the identity [identity]_. '
        '``"auto"``: ``"identity"`` for the vanilla cell with relu, else ``"orthogonal"``. ``"torch"``: as torch\'s '
        "own layers.",
    )
    proj_size: int | None = parameter(
        None,
        [at_least(Integral, 1), None],
        "int or None",
        "Size to which the LSTM projects its hidden state; smaller than `hidden_size`, LSTM only.",
    )


@dataclass(kw_only=True, eq=False, repr=False)
class InputParameters:
    """How steps are read, and how tokens become vectors."""

    embedding_dim: int | None = parameter(
        None,
        [at_least(Integral, 1), None],
        "int or None",
        "Size of the learned vector of a token. Strings are always embedded, with 100 dimensions if None; integers are "
        "token ids if it is set, and numbers if None.",
    )
    min_df: int | float = parameter(
        1,
        [at_least(Integral, 1), Interval(RealNotInt, 0, 1, closed="both")],
        "int or float",
        "Fewest sequences, or the smallest share of them, that a token must be in to have a vector of its own. Rarer "
        "tokens, and those that training did not have, share the vector of unknown tokens.",
    )
    max_features: int | None = parameter(
        None,
        [at_least(Integral, 1), None],
        "int or None",
        "The most frequent tokens that get a vector of their own.",
    )
    pretrained_embeddings: Any = parameter(
        None,
        "no_validation",  # what reads them knows best what they may be
        "dict, gensim KeyedVectors, (tokens, vectors), path or None",
        "First vectors of the tokens: a file may be in the text format of GloVe, word2vec or fastText or in word2vec's "
        "binary format, and compressed. Only vectors of tokens in the training data are kept. A token without a vector "
        "takes that of its lower-case, title-case or upper-case form, or else a random one.",
    )
    freeze_embeddings: bool = parameter(
        False,
        ["boolean"],
        "bool",
        "Whether the vectors of tokens stay as they are at first.",
    )
    embedding_dropout: float | str = auto_parameter(
        SHARE,
        "float in [0, 1)",
        "Share of the values dropped of the vectors that the first layer reads, where tokens are embedded; "
        '``"auto"`` is 0.5 for words, and 0.1 for letters.',
    )
    word_dropout: float | str = auto_parameter(
        SHARE,
        "float in [0, 1)",
        "Share of the tokens read as unknown in training, so that the vector of unknown tokens is trained too; "
        '``"auto"`` is 0.2 for words of which each has a target; where a sequence has one target it is 0.2 for few '
        "sequences, and 0 for many or for letters.",
    )
    max_length: int | None = parameter(
        None,
        [at_least(Integral, 1), None],
        "int or None",
        "Steps kept of a longer sequence, in training and, but for a tagger, in prediction.",
    )
    truncate: str = parameter(
        "tail",
        [StrOptions({"head", "tail"})],
        '{"tail", "head"}',
        "The end of a sequence that is cut off beyond `max_length`.",
    )
    standardize: bool | str = auto_parameter(
        "boolean",
        "bool",
        "Whether numbers are scaled, feature by feature, to mean 0 and standard deviation 1 over the steps of the "
        "training data; a constant feature becomes 0. Tokens, ids and the indicators of `missing` are not scaled, and "
        'with ``"auto"`` no feature that is always 0 or 1. What `fit` has learned stays in `partial_fit` and with '
        "`warm_start`; with `pretrained` it is the scale of that estimator.",
    )
    padding_value: Any = parameter(
        None,
        [Real, str, dict, None],
        "number, str, dict of str to those, or None",
        "What padding that came with the data holds: a number, NaN, a token or a token id. Steps at the end and at the "
        "beginning of a sequence whose features all equal it are no steps, and what y has for them is left out. Where "
        "a step has several inputs, a dict names those that tell padding.",
    )


@dataclass(kw_only=True, eq=False, repr=False)
class FormParameters:
    """What is read of a token beside which one it is, and of numbers beside their values."""

    char_encoder: str | None = parameter(
        AUTO,
        [StrOptions({AUTO, "cnn", "lstm"}), None],
        '{"auto", "cnn", "lstm"} or None',
        "Join to the vector of a token one made from its characters: the greatest value of each filter of a "
        "convolution over three characters [charcnn]_, or the last states of an LSTM in both directions [charlstm]_. "
        '``"auto"`` is ``"cnn"`` where each token has a target and most tokens are longer than a letter, else None.',
    )
    char_embedding_dim: int = parameter(
        25,
        [at_least(Integral, 1)],
        "int",
        "Size of the learned vector of a character.",
    )
    char_hidden_size: int = parameter(
        50,
        [at_least(Integral, 1)],
        "int",
        "Size of the vector that is made from characters.",
    )
    casing_features: bool | str = auto_parameter(
        "boolean",
        "bool",
        "Whether the kind of casing of a token (lower, upper, capitalised, with digits, ...) is an input of its own; "
        'tokens are then looked up in lower case. ``"auto"`` decides as for `char_encoder`.',
    )
    missing: str = parameter(
        "error",
        [StrOptions({"error", "mask"})],
        '{"error", "mask"}',
        "What to do with NaN in X: refuse it, or carry the last value of the sequence forward (before the first, the "
        "mean that `standardize` has, or 0) and add for each feature an indicator that is 1 where it was observed.",
    )


@dataclass(kw_only=True, eq=False, repr=False)
class TrainingParameters:
    """How the network is trained, and on what."""

    optimizer: str | type[torch.optim.Optimizer] = parameter(
        "adam",
        [StrOptions(set(OPTIMIZERS)), OptimizerClass()],
        '{"adam", "adamw", "sgd", "rmsprop"} or torch.optim.Optimizer class',
        '``"sgd"`` has Nesterov momentum of 0.9. A class gets the parameters, ``lr`` and, if it knows it, '
        "`weight_decay`.",
    )
    learning_rate: float | str = auto_parameter(
        POSITIVE,
        "float",
        'Step size; with a schedule, the highest. ``"auto"`` is 0.002, 0.003 for letters, and 0.005 for a '
        "regression on numbers; where each step has a target, 0.003 for tokens and 0.005 for numbers.",
    )
    lr_schedule: str | None = parameter(
        "cosine",
        [StrOptions(set(SCHEDULES)), None],
        '{"plateau", "cosine", "onecycle"} or None',
        '``"plateau"`` halves the rate when the training loss, or with validation data the validation loss, has not '
        'fallen for more than half of `n_iter_no_change` epochs; ``"cosine"`` lowers it to 0 over `max_epochs`; '
        '``"onecycle"`` raises it first. `partial_fit` keeps it constant.',
    )
    weight_decay: float = parameter(
        0.0,
        [at_least(Real, 0)],
        "float",
        'L2 penalty (decoupled for ``"adamw"``).',
    )
    batch_size: int | str = auto_parameter(
        at_least(Integral, 1),
        "int",
        'Sequences an optimizer step. Sequences of similar length share a batch. ``"auto"`` is 16, and more where '
        "there are many sequences with one target each.",
    )
    max_epochs: int | str = auto_parameter(
        at_least(Integral, 1),
        "int",
        "Passes over the data, all of which are made unless `early_stopping`, `max_time` or a callback ends the fit "
        'before. ``"auto"`` counts steps of the optimizer and not epochs: small sets are passed over more often. The '
        'user guide has all rules of ``"auto"``, and says why.',
    )
    max_time: float | None = parameter(
        None,
        [POSITIVE, None],
        "float or None",
        "Seconds after which a fit ends, counted from its start, reading included. It ends after the batch in which "
        "they are used up, and after one at least; what then follows, such as a last validation, takes time of its "
        'own. The schedules "cosine" and "onecycle" follow the time where it is further on than the epochs. Each fit '
        "of a search or of an ensemble, and each with `warm_start`, has its own time; `partial_fit` has none.",
    )
    clip_grad_norm: float | None = parameter(
        1.0,
        [POSITIVE, None],
        "float or None",
        "Largest norm of the gradient of a batch.",
    )
    clip_grad_value: float | None = parameter(
        None,
        [POSITIVE, None],
        "float or None",
        "Largest absolute value of an entry of the gradient.",
    )
    tbptt_steps: int | None = parameter(
        None,
        [at_least(Integral, 1), None],
        "int or None",
        "Steps after which back-propagation through time is cut off; the state itself goes on.",
    )
    early_stopping: bool = parameter(
        False,
        ["boolean"],
        "bool",
        "Set a share of the data aside, stop when its score stalls, and keep the weights of the best epoch. A schedule "
        "of the learning rate knows nothing of it, and is cut where it is.",
    )
    validation_fraction: float = parameter(
        0.1,
        [Interval(Real, 0, 1, closed="neither")],
        "float in (0, 1)",
        "The share that `early_stopping` sets aside, if `fit` is not given `X_val`.",
    )
    n_iter_no_change: int = parameter(
        10,
        [at_least(Integral, 1)],
        "int",
        "Epochs without an improvement of more than `tol` after which `early_stopping` ends the training; more than "
        'half as many halve the rate of the schedule "plateau". Without either it has no meaning.',
    )
    tol: float = parameter(
        1e-4,
        [at_least(Real, 0)],
        "float",
        "Smallest improvement of the validation score that counts for `early_stopping`, without which it has no "
        "meaning.",
    )
    warm_start: bool = parameter(
        False,
        ["boolean"],
        "bool",
        "Whether a second `fit` goes on from the weights and the optimizer state of the first.",
    )
    random_state: int | np.random.RandomState | None = parameter(
        None,
        ["random_state"],
        "int, RandomState instance or None",
        "Draws first weights, batches, dropout and the validation split. torch's global generator is never touched.",
    )
    device: str = parameter(
        "auto",
        [str],
        "str",
        '``"cpu"``, ``"cuda"``, ``"cuda:N"``, or the first CUDA device if there is one.',
    )
    dtype: str = parameter(
        "float32",
        [StrOptions({"float32", "float64", "bfloat16"})],
        '{"float32", "float64", "bfloat16"}',
        'Precision of training. With "bfloat16" the weights stay in float32, and torch multiplies matrices in bfloat16 '
        "where it deems that safe, which GPUs have units for. Predictions on a CPU are computed in float64, but for "
        "the recurrences that kernels compute.",
    )
    engine: str = parameter(
        "auto",
        [StrOptions({"auto", "fused", "torch"})],
        '{"auto", "fused", "torch"}',
        "What computes recurrences and label chains on a CPU: the kernels of this package, or torch. "
        '"auto" takes the faster one; "fused" takes the kernels wherever they can do the work. Results agree to '
        "rounding.",
    )
    n_threads: int | None = parameter(
        None,
        [at_least(Integral, 1), None],
        "int or None",
        "Threads of one fit on a CPU. None lets the kernels have all cores (up to 8) and torch one, and gives one to "
        "both inside the jobs of a search. The result does not depend on it, but for rounding where torch computes.",
    )
    data_parallel: bool = parameter(
        False,
        ["boolean"],
        "bool",
        "Whether processes that ``torchrun`` has started share each batch, and train one model together. Every process "
        "calls `fit` with the same data.",
    )
    callbacks: list[Any] | None = parameter(
        None,
        [list, tuple, None],
        "list or tuple of skorch callbacks, or None",
        "Each fit works on copies that hold the same objects; they are in ``net_.callbacks_`` afterwards. Clones share "
        "the callbacks.",
    )
    verbose: int = parameter(
        0,
        ["verbose"],
        "int",
        'Whether to print a line an epoch, and before them one that says what ``"auto"`` came to.',
    )
