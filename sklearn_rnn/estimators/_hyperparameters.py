"""The constructor parameters that all estimators share, and what they say to the rooms below."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import BaseEstimator

from sklearn_rnn.estimators._parameters import CONSTRAINTS
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
    n_threads: int | None = None
    callbacks: list[Any] | None = None
    verbose: int = 0

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = CONSTRAINTS

    def _layer_sizes(self) -> list[int]:
        """Units of each layer, and a check of the parameters that depend on each other."""
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

    def _network_parameters(
        self, *, n_features: int, n_tokens: int | None, n_outputs: int, seed: int
    ) -> dict[str, Any]:
        """What :func:`sklearn_rnn.networks.network.build_network` is called with."""
        names = (
            "cell_type",
            "bidirectional",
            "nonlinearity",
            "dropout",
            "recurrent_dropout",
            "residual",
            "layer_norm",
            "tbptt_steps",
            "weight_init",
        )
        return {
            **{name: getattr(self, name) for name in names},
            "input_size": n_features,
            "n_tokens": n_tokens,
            "embedding_dim": self.embedding_dim or DEFAULT_EMBEDDING_DIM,
            "hidden_sizes": self._layer_sizes(),
            "proj_size": self.proj_size or 0,
            "pooling": getattr(self, "pooling", None),
            "n_outputs": n_outputs,
            "dtype": getattr(torch, self.dtype),
            "seed": seed,
        }

    def _training_options(
        self, loss: str, device: torch.device, random_state: np.random.RandomState, *, partial: bool
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
            label_smoothing=getattr(self, "label_smoothing", 0.0),
            max_epochs=1 if partial else self.max_epochs,
            lr_schedule=None if partial else self.lr_schedule,
            early_stopping=self.early_stopping and not partial,
            device=device,
            seed=int(random_state.randint(2**31 - 1)),
        )
