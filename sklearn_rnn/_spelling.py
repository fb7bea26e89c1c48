"""Parameters and values that do not exist, and the ones that were meant: misspelt, or named as other libraries do."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from functools import lru_cache, wraps
from typing import Any, ParamSpec, Self, TypeVar

from sklearn.utils._param_validation import InvalidParameterError, StrOptions

_P = ParamSpec("_P")
_R = TypeVar("_R")

ELSEWHERE = {
    "hidden_size": "hidden units n_units hidden_units hidden_dim hidden_layer_sizes n_hidden num_units num_hidden",
    "num_layers": "layers n_layers depth",
    "cell_type": "cell rnn_type rnn unit_type",
    "bidirectional": "bilstm both_directions",
    "nonlinearity": "activation",
    "dropout": "dropout_rate p_dropout keep_prob",
    "weight_init": "kernel_initializer initializer",
    "pooling": "attention global_pool",
    "embedding_dim": "emb_dim embedding_size vector_size",
    "max_features": "vocab_size num_words max_tokens",
    "max_length": "maxlen max_len seq_len n_steps sequence_length",
    "truncate": "truncating",
    "pretrained_embeddings": "embeddings embedding_matrix word_vectors vectors glove word2vec",
    "freeze_embeddings": "trainable freeze_embedding",
    "char_encoder": "char_cnn char_lstm use_char",
    "learning_rate": "lr eta learning_rate_init",
    "lr_schedule": "scheduler learning_rate_schedule",
    "optimizer": "solver optim",
    "weight_decay": "l2 alpha reg_lambda kernel_regularizer c2",
    "batch_size": "minibatch_size batchsize bs",
    "max_epochs": "epochs n_epochs num_epochs nb_epoch max_iter n_iter iterations max_iterations",
    "clip_grad_norm": "clipnorm gradient_clip gradient_clip_val grad_clip max_grad_norm clip",
    "clip_grad_value": "clipvalue",
    "tbptt_steps": "truncated_bptt_steps bptt",
    "validation_fraction": "validation_split val_split valid_size val_size",
    "n_iter_no_change": "patience early_stopping_rounds",
    "early_stopping": "train_split early_stop",
    "random_state": "seed random_seed torch_seed",
    "device": "gpu cuda use_gpu use_cuda accelerator",
    "n_threads": "n_jobs num_threads num_workers threads",
    "dtype": "precision",
    "padding_value": "padding padding_idx pad_value pad_id mask_value masking mask_zero",
    "target": "return_sequences",
    "loss": "criterion objective loss_function",
    "decoder": "crf use_crf",
    "tag_scheme": "scheme tagging_scheme",
    "ignore_label": "ignore_index pad_label",
    "scoring": "metric metrics",
    "n_estimators": "n_members n_models n_bags",
    "estimator": "base_estimator base model",
    "transformer": "scaler estimator base",
    "analyzer": "tokenizer tokenize level",
    "token_pattern": "pattern regex",
    "lowercase": "lower lower_case",
    "sample_weight": "weights weight sample_weights",
    "X_val": "validation_data eval_set X_valid",
    "y_val": "y_valid",
}
"""For each parameter what Keras, torch, skorch, scikit-learn and sklearn-crfsuite call it, or what belongs to it."""

LEARNED = "it is learned of the data in fit"
ADVICE = {
    **dict.fromkeys(["input_size", "input_dim", "input_shape", "n_features", "n_features_in", "batch_first"], LEARNED),
    **dict.fromkeys(["output_size", "output_dim", "num_classes", "n_classes", "n_outputs", "classes"], LEARNED),
    **dict.fromkeys(["X_val", "y_val", "sample_weight", "groups", "validation_data"], "it goes to fit"),
    "return_sequences": "a label for each step is RNNSequenceTagger's work, a number that of RNNRegressor",
    "stateful": "sklearn_rnn.stream goes on step by step",
    **dict.fromkeys(["loss", "criterion"], "classes are learned by cross-entropy"),
    **dict.fromkeys(["metrics", "scoring"], "scores are asked of cross_val_score or GridSearchCV, as scoring=..."),
}
"""What to do about parameters of other libraries that have no counterpart."""

VALUES = {
    "cell_type": {"rnn": "vanilla simple elman simplernn", "lstm": "bilstm", "gru": "bigru"},
    "pooling": {
        "mean": "avg average global_average",
        "max": "maxpool",
        "last": "final",
        "attention": "attn",
        "concat": "concatenate all",
    },
    "loss": {"squared_error": "mse mean_squared_error l2", "absolute_error": "mae mean_absolute_error l1"},
    "lr_schedule": {
        "plateau": "reduce_on_plateau reduce_lr_on_plateau",
        "onecycle": "one_cycle",
        "cosine": "annealing",
    },
    "truncate": {"tail": "post right end", "head": "pre left start"},
    "dtype": {"float32": "float single", "float64": "double", "bfloat16": "bf16 float16 half"},
    "engine": {"fused": "numba cpu", "torch": "pytorch"},
    "class_weight": {"balanced": "auto"},
    "tag_scheme": {"IOB2": "BIO IOB", "BIOES": "IOBES", "BILOU": "BILUO BIOLU"},
    "train_scheme": {"BIOES": "IOBES", "BILOU": "BILUO BIOLU"},
    "decoder": {"crf": "viterbi chain", "softmax": "none independent"},
    "scoring": {"span_f1": "f1 f1_span entity_f1", "accuracy": "acc"},
    "target": {"step": "steps sequence_to_sequence many_to_many", "sequence": "sequences many_to_one"},
    "missing": {"mask": "allow nan"},
    "weight_init": {"torch": "default uniform"},
    "freeze": {"inputs": "embeddings embedding", "backbone": "rnn encoder"},
    "analyzer": {"char": "character characters", "word": "words", "whitespace": "space split"},
}
"""For each parameter its values, and what else they are called."""

NO_NAME_LIKE_IT = "no parameter has a name like it"

SIMILAR = 0.75
"""How alike two words must be, of 1, for the one to be taken for the other."""


class SpellingMixin:
    """An estimator that names the parameter, or the value, that was meant by one that it does not have."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Look at the names of the arguments before ``__init__`` does, which knows no others."""
        parameters = _parameters_of(cls.__init__)
        unknown = [] if parameters is None else [name for name in kwargs if name not in parameters]
        if unknown:
            raise TypeError(
                "\n".join(
                    f"{cls.__name__} got an unexpected keyword argument {name!r}"
                    f"{_question(name, parameters or (), or_else=f'help({cls.__name__}) lists its parameters')}"
                    for name in unknown
                )
            )
        if args and parameters is not None and not any(parameters.values()):
            name = next(iter(parameters))
            raise TypeError(f"{cls.__name__}({name}=...) takes no positional arguments, got {args[0]!r:.60}")
        return super().__new__(cls)

    def set_params(self, **params: Any) -> Any:
        """Set the parameters of this estimator.

        Parameters
        ----------
        **params : dict
            Of estimators inside, ``component__parameter=value``.

        Returns
        -------
        self : estimator
            The estimator itself.
        """
        names = self._get_param_names()  # type: ignore[attr-defined]
        for key in params:
            name, _, inner = key.partition("__")
            if name not in names or (inner and not hasattr(params.get(name, getattr(self, name)), "set_params")):
                found = self._parameter_inside(key, names)
                question = f". Did you mean {found!r}?" if found else _question(key, names, or_else=NO_NAME_LIKE_IT)
                raise ValueError(
                    f"Invalid parameter {key!r} for estimator {type(self).__name__}{question}\n"
                    f"get_params() lists all of its parameters, and their values."
                )
        return super().set_params(**params)  # type: ignore[misc]

    def _parameter_inside(self, key: str, names: Iterable[str]) -> str | None:
        """The parameter `key` of an estimator that one of the parameters `names` holds, if it is none of this one."""
        if key in names:
            return None
        held = {name: getattr(self, name) for name in names}
        able = {
            name: value for name, value in held.items() if hasattr(value, "get_params") and not isinstance(value, type)
        }
        return next((f"{name}__{key}" for name, value in able.items() if key in value.get_params()), None)

    def _validate_params(self) -> None:
        try:
            super()._validate_params()  # type: ignore[misc]
        except InvalidParameterError as error:
            named = re.match(r"The '(\w+)' parameter", str(error))
            meant = None if named is None else meant_value(named[1], getattr(self, named[1]), self._options(named[1]))
            if meant is None:
                raise
            raise InvalidParameterError(f"{error} Did you mean {meant!r}?") from None

    def _options(self, name: str) -> list[str]:
        """The strings that a parameter may be."""
        constraints = self._parameter_constraints[name]  # type: ignore[attr-defined]
        return [option for one in constraints if isinstance(one, StrOptions) for option in one.options]


def knows_parameters(method: Callable[_P, _R]) -> Callable[_P, _R]:
    """Let a method of an estimator say of a keyword that it does not take whether it is a constructor parameter."""

    @wraps(method)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        if not hasattr(args[0] if args else None, "get_params"):
            raise TypeError(f"{method.__name__} is called on an instance: RNNClassifier().{method.__name__}(X, y)")
        accepted = _parameters_of(method) or {}
        unknown = [name for name in kwargs if name not in accepted]
        if not unknown:
            return method(*args, **kwargs)
        owner = type(args[0])
        raise TypeError("\n".join(_misplaced(name, accepted, method.__name__, owner) for name in unknown))

    return call


def meant_parameter(name: str, names: Iterable[str]) -> str | None:
    """The one of `names` that was meant by `name`, or that other libraries call so; None if there is none like it."""
    names = list(names)
    last = name.rpartition("__")[2]
    if last in names:
        return last
    for known in names:
        if last.lower() in ELSEWHERE.get(known, "").split():
            return known
    if last in ADVICE:
        return None
    small = {known.lower(): known for known in names}
    return next((small[found] for found in get_close_matches(last.lower(), small, 1, SIMILAR)), None)


def meant_value(name: str, value: Any, options: Iterable[str]) -> str | None:
    """The one of `options` that was meant by the `value` of the parameter `name`; None if there is none like it.

    A value that is no string may be a class or a dtype of the same name.
    """
    options = list(options)
    word = value if isinstance(value, str) else _name_of(value)
    plain = {_letters(option): option for option in options}
    for option, others in VALUES.get(name, {}).items():
        if option in options:
            plain.update({_letters(other): option for other in others.split() if _letters(other) not in plain})
    if _letters(word) in plain or not isinstance(value, str):
        return plain.get(_letters(word))
    return next((plain[found] for found in get_close_matches(_letters(word), plain, 1, SIMILAR)), None)


@lru_cache(maxsize=256)
def _parameters_of(function: Any) -> dict[str, bool] | None:
    """The parameters after the first, and whether each may come without its name; None if a function takes any."""
    parameters = list(inspect.signature(function).parameters.values())[1:]
    if any(parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL) for parameter in parameters):
        return None
    return {parameter.name: parameter.kind is not parameter.KEYWORD_ONLY for parameter in parameters}


def _question(name: str, names: Iterable[str], *, or_else: str) -> str:
    meant = meant_parameter(name, names)
    return f": {ADVICE.get(name, or_else)}" if meant is None else f". Did you mean {meant!r}?"


def _misplaced(name: str, accepted: Iterable[str], method: str, owner: Any) -> str:
    """The error for a keyword `name` that a `method` of the estimator `owner` does not take."""
    refused = f"{owner.__name__}.{method} got an unexpected keyword argument {name!r}"
    of_constructor = meant_parameter(name, owner._get_param_names())
    if of_constructor is not None and meant_parameter(name, accepted) is None:
        return f"{refused}. Parameters are set where it is made: {owner.__name__}({of_constructor}=...)"
    others = ", ".join(accepted)
    return f"{refused}{_question(name, accepted, or_else=f'it takes {others}')}"


def _name_of(value: Any) -> str:
    """The name of a class or a dtype; of other objects that of their type."""
    name = getattr(value, "__name__", None) or getattr(value, "name", None)
    if isinstance(name, str):
        return name
    kind = type(value)
    return str(value).rpartition(".")[2] if kind.__name__ == "dtype" else kind.__name__


def _letters(word: str) -> str:
    return re.sub(r"[^a-z0-9]", "", word.lower())
