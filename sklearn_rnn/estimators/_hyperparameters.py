"""The constructor parameters that all estimators share, and what they say to the rooms below."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import BaseEstimator

from sklearn_rnn.data.encoding import CASINGS, StepEncoding
from sklearn_rnn.estimators._parameters import CONSTRAINTS
from sklearn_rnn.networks.inputs import InputLayout
from sklearn_rnn.training.loop import TrainingOptions

DEFAULT_EMBEDDING_DIM = 64


@dataclass(kw_only=True, eq=False, repr=False)
class Hyperparameters(BaseEstimator):
    """Fields that are constructor parameters: a dataclass writes the ``__init__`` that assigns them, and only that."""

    cell_type: str = "gru"
    hidden_size: int | list[int] | tuple[int, ...] = 64
    num_layers: int = 1
    bidirectional: bool = True
    nonlinearity: str = "tanh"
    dropout: float = 0.2
    recurrent_dropout: float = 0.0
    residual: bool = False
    layer_norm: bool = False
    weight_init: str = "auto"
    proj_size: int | None = None
    embedding_dim: int | None = None
    min_df: int | float = 1
    max_features: int | None = None
    pretrained_embeddings: Any = None
    freeze_embeddings: bool = False
    char_encoder: str | None = None
    char_embedding_dim: int = 25
    char_hidden_size: int = 50
    casing_features: bool = False
    embedding_dropout: float = 0.0
    word_dropout: float = 0.0
    weight_dropout: float = 0.0
    tied_dropout: bool = False
    pretrained: Any = None
    freeze: str | None = None
    unfreeze_every: int | None = None
    max_length: int | None = None
    truncate: str = "tail"
    missing: str = "error"
    optimizer: str | type[torch.optim.Optimizer] = "adam"
    learning_rate: float = 0.005
    lr_schedule: str | None = "cosine"
    weight_decay: float = 0.0
    batch_size: int = 16
    max_epochs: int = 50
    clip_grad_norm: float | None = 1.0
    clip_grad_value: float | None = None
    tbptt_steps: int | None = None
    early_stopping: bool = False
    validation_fraction: float = 0.1
    n_iter_no_change: int = 10
    tol: float = 1e-4
    warm_start: bool = False
    random_state: int | np.random.RandomState | None = None
    device: str = "auto"
    dtype: str = "float32"
    engine: str = "auto"
    n_threads: int | None = None
    data_parallel: bool = False
    callbacks: list[Any] | None = None
    verbose: int = 0

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = CONSTRAINTS

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:  # scikit-learn's own signature
        """As scikit-learn has it, but for a dict of vectors, of which it would write down each number."""
        if not isinstance(self.pretrained_embeddings, Mapping):
            return str(super().__repr__(N_CHAR_MAX=N_CHAR_MAX))
        shown = copy.copy(self)
        shown.pretrained_embeddings = _Summary(f"<{len(self.pretrained_embeddings)} vectors>")
        return str(BaseEstimator.__repr__(shown, N_CHAR_MAX=N_CHAR_MAX))

    def _layer_sizes(self) -> list[int]:
        """Units of each layer, and a check of the parameters that depend on each other."""
        if self.unfreeze_every is not None and self.freeze is None:
            raise ValueError(f"unfreeze_every={self.unfreeze_every!r} needs freeze to say what is held back at first")
        sizes = self.hidden_size
        if isinstance(sizes, (list, tuple)):
            if not sizes or not all(isinstance(size, (int, np.integer)) and size >= 1 for size in sizes):
                raise ValueError(
                    f"hidden_size={sizes!r} must be an int of at least 1, or a list with one for each layer"
                )
            if self.num_layers not in (1, len(sizes)):
                raise ValueError(f"hidden_size={sizes!r} gives {len(sizes)} sizes for num_layers={self.num_layers!r}")
            sizes = [int(size) for size in sizes]
        else:
            sizes = [int(sizes)] * self.num_layers
        if self.proj_size is not None and (self.cell_type != "lstm" or self.proj_size >= min(sizes)):
            raise ValueError(
                f"proj_size={self.proj_size!r} must be smaller than hidden_size={self.hidden_size!r}, and "
                f"cell_type='lstm' (now {self.cell_type!r})"
            )
        return sizes

    def _input_layout(self, encoding: StepEncoding, dim: int | None) -> InputLayout | None:
        """What the columns of an encoded step are; `dim` is that of pretrained vectors."""
        if not encoding.vocabularies:
            return None
        token_dim = dim or self.embedding_dim or DEFAULT_EMBEDDING_DIM
        embedded: list[tuple[int, int]] = []
        for vocabulary in encoding.vocabularies.values():
            n_rows = len(vocabulary) + 1
            embedded.append((n_rows, min(token_dim, _size_of_category(n_rows)) if embedded else token_dim))
        if encoding.casing:
            embedded.append((CASINGS, _size_of_category(CASINGS)))
        return InputLayout(
            embedded=tuple(embedded),
            max_characters=encoding.max_characters,
            n_characters=0 if encoding.characters is None else len(encoding.characters) + 2,
            n_numeric=encoding.n_numeric,
        )

    @property
    def _stored_dtype(self) -> str:
        """What weights and data are kept in."""
        return "float32" if self.dtype == "bfloat16" else self.dtype

    def _network_parameters(
        self, *, n_features: int, layout: InputLayout | None, n_outputs: int, seed: int
    ) -> dict[str, Any]:
        """What :func:`sklearn_rnn.networks.network.build_network` is called with."""
        names = (
            "cell_type",
            "bidirectional",
            "nonlinearity",
            "dropout",
            "recurrent_dropout",
            "weight_dropout",
            "embedding_dropout",
            "word_dropout",
            "tied_dropout",
            "residual",
            "layer_norm",
            "tbptt_steps",
            "weight_init",
        )
        return {
            **{name: getattr(self, name) for name in names},
            "input_size": n_features,
            "layout": layout,
            "character_encoder": self.char_encoder,
            "character_embedding_dim": self.char_embedding_dim,
            "character_hidden_size": self.char_hidden_size,
            "hidden_sizes": self._layer_sizes(),
            "proj_size": self.proj_size or 0,
            "n_outputs": n_outputs,
            "dtype": getattr(torch, self._stored_dtype),
            "seed": seed,
        }

    def _training_options(
        self, loss: dict[str, Any], device: torch.device, random_state: np.random.RandomState, *, partial: bool
    ) -> TrainingOptions:
        """What the training loop is called with; `partial` is a single epoch at a constant rate."""
        names = (
            "optimizer",
            "learning_rate",
            "weight_decay",
            "batch_size",
            "clip_grad_norm",
            "clip_grad_value",
            "n_iter_no_change",
            "tol",
            "callbacks",
            "verbose",
        )
        return TrainingOptions(
            **{name: getattr(self, name) for name in names},
            loss=loss,
            freeze=self.freeze,
            unfreeze_every=None if partial else self.unfreeze_every,
            freeze_tokens=self.freeze_embeddings,
            max_epochs=1 if partial else self.max_epochs,
            lr_schedule=None if partial else self.lr_schedule,
            early_stopping=self.early_stopping and not partial,
            device=device,
            autocast=self.dtype == "bfloat16",
            seed=int(random_state.randint(2**31 - 1)),
        )


class _Summary:
    """What stands for a value that is too long to be shown."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def _size_of_category(n_rows: int) -> int:
    """Size of the vectors of an embedded input beside the token, after a rule of thumb of the fastai library."""
    return min(50, round(1.6 * n_rows**0.56))
