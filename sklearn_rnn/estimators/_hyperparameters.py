"""The constructor parameters that all estimators share, and what they say to the rooms below."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, cast

import numpy as np
import torch
from sklearn.base import BaseEstimator

from sklearn_rnn._spelling import SpellingMixin
from sklearn_rnn.data.encoding import CASINGS, StepEncoding
from sklearn_rnn.estimators._defaults import RULES, Facts, announce, decide, is_auto, ruled
from sklearn_rnn.estimators._groups import (
    BackboneParameters,
    InputParameters,
    TrainingParameters,
)
from sklearn_rnn.estimators._options import seed_of
from sklearn_rnn.estimators._parameters import ConstraintsOfFields, record_of
from sklearn_rnn.estimators._transfer import PretrainedNetwork, TransferParameters
from sklearn_rnn.networks.cells import CELLS
from sklearn_rnn.networks.heads import HeadSpec
from sklearn_rnn.networks.inputs import InputLayout
from sklearn_rnn.networks.specs import (
    BackboneSpec,
    ConvolutionSpec,
    DropoutSpec,
    FirstStateSpec,
    InputsSpec,
    NetworkSpec,
)
from sklearn_rnn.training.distributed import current_world
from sklearn_rnn.training.ending import Clock
from sklearn_rnn.training.loop import TrainingOptions
from sklearn_rnn.training.memory import check_layers


@dataclass(kw_only=True, eq=False, repr=False)
class Hyperparameters(
    SpellingMixin,
    TrainingParameters,
    TransferParameters,
    InputParameters,
    BackboneParameters,
    BaseEstimator,
):
    """Fields that are constructor parameters: a dataclass writes the ``__init__`` that assigns them, and only that."""

    _parameter_constraints = ConstraintsOfFields()

    # Parameters of some estimators, and what they are in all others.
    bidirectional = False
    conv_branch = cast("bool | str", False)
    conv_stride = 1
    ngrams = cast(Any, 0)
    char_encoder = cast("str | None", None)
    char_embedding_dim = char_hidden_size = 0
    casing_features = cast("bool | str", False)
    missing = "error"

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:  # scikit-learn's own signature
        """As scikit-learn has it, but for a dict of vectors, of which it would write down each number."""
        if not isinstance(self.pretrained_embeddings, Mapping):
            return str(super().__repr__(N_CHAR_MAX=N_CHAR_MAX))
        shown = copy.copy(self)
        shown.pretrained_embeddings = _Summary(f"<{len(self.pretrained_embeddings)} vectors>")
        return str(BaseEstimator.__repr__(shown, N_CHAR_MAX=N_CHAR_MAX))

    def _layer_sizes(self) -> list[int]:
        """Units of each layer, and a check of the parameters that depend on each other; none while they are "auto"."""
        if self.unfreeze_every is not None and self.freeze is None:
            raise ValueError(f"unfreeze_every={self.unfreeze_every!r} needs freeze to say what is held back at first")
        sizes = self.hidden_size
        if is_auto(sizes):
            check_layers(self.num_layers)
            return []
        if isinstance(sizes, (list, tuple)):
            if not sizes or not all(isinstance(size, (int, np.integer)) and size >= 1 for size in sizes):
                raise ValueError(
                    f"hidden_size={sizes!r} must be an int of at least 1, or a list with one for each layer"
                )
            if self.num_layers not in (1, len(sizes)):
                raise ValueError(f"hidden_size={sizes!r} gives {len(sizes)} sizes for num_layers={self.num_layers!r}")
            sizes = [int(size) for size in sizes]
        else:
            check_layers(self.num_layers)
            sizes = [int(sizes)] * self.num_layers
        projects = "proj_size" in CELLS[self.cell_type].options
        if self.proj_size is not None and (not projects or self.proj_size >= min(sizes)):
            raise ValueError(
                f"proj_size={self.proj_size!r} must be smaller than hidden_size={self.hidden_size!r}, and "
                f"cell_type='lstm' (now {self.cell_type!r})"
            )
        return sizes

    def _convolutions(self) -> ConvolutionSpec | None:
        """The convolutions that there may be; none where later steps are to be predicted."""
        return None

    def _convolution_spec(self) -> ConvolutionSpec | None:
        """The convolutions that there are."""
        return None

    def _first_state_spec(self) -> FirstStateSpec | None:
        """What the state before the first step is made of; None where it is 0."""
        return None

    def _input_layout(self, encoding: StepEncoding, token_dim: int) -> InputLayout | None:
        """What the columns of an encoded step are."""
        if not encoding.vocabularies:
            return None
        embedded: list[tuple[int, int]] = []
        for n_rows in encoding.sizes:
            embedded.append((n_rows, min(token_dim, _size_of_category(n_rows)) if embedded else token_dim))
        if encoding.casing:
            embedded.append((CASINGS, _size_of_category(CASINGS)))
        return InputLayout(
            embedded=tuple(embedded),
            max_characters=encoding.max_characters,
            n_characters=0 if encoding.characters is None else len(encoding.characters) + 2,
            n_numeric=encoding.n_numeric,
        )

    def _resolve_auto(self, facts: Facts, target: Any, *, reset: bool, partial: bool) -> Any:
        """Let each "auto" of this estimator, a copy that is fitted, be what it comes to, and tell the target.

        What describes the network or the encoding stays as a `pretrained` estimator, or the fit before, has it.
        """
        given = self.get_params(deep=False)
        if partial:
            given["max_epochs"] = 1
        names = ruled(self)
        fixed: dict[str, Any] = {}
        if not reset:
            fixed = {name: getattr(self, f"{name}_") for name in names if RULES[name].lasting}
        elif self.pretrained is not None:
            source = PretrainedNetwork(self.pretrained)
            given |= source.inputs()
            fixed = source.choices(self._convolutions())
        decided = decide(given, facts, fixed)
        if self.verbose and current_world().rank == 0:
            announce(self, {name: decided[name] for name in names if is_auto(getattr(self, name))})
        for name, value in decided.items():
            setattr(self, name, value)
            setattr(self, f"{name}_", value)
        return replace(target, **{item.name: decided[item.name] for item in fields(target) if item.name in decided})

    @property
    def _stored_dtype(self) -> str:
        """What weights and data are kept in."""
        return "float32" if self.dtype == "bfloat16" else self.dtype

    def _network_spec(
        self, n_features: int, encoding: StepEncoding, token_dim: int, head: HeadSpec, *, seed: int
    ) -> NetworkSpec:
        """What the network is built from; `token_dim` is the size of the vector of a token."""
        first = self._first_state_spec()
        n_features -= 0 if first is None else first.n_columns
        return record_of(
            NetworkSpec,
            self,
            inputs=record_of(InputsSpec, self, n_features=n_features, layout=self._input_layout(encoding, token_dim)),
            backbone=record_of(
                BackboneSpec, self, hidden_sizes=tuple(self._layer_sizes()), proj_size=self.proj_size or 0
            ),
            head=head,
            dropout=record_of(DropoutSpec, self),
            convolutions=self._convolution_spec(),
            first_state=first,
            stride=self.conv_stride,
            ngrams=self.ngrams or 0,
            dtype=getattr(torch, self._stored_dtype),
            seed=seed,
        )

    def _training_options(
        self,
        device: torch.device,
        random_state: np.random.RandomState,
        *,
        partial: bool,
        clock: Clock | None = None,
    ) -> TrainingOptions:
        """What the training loop is called with; `partial` is a single epoch at a constant rate.

        The `clock` runs since the fit began; None is now.
        """
        given: dict[str, Any] = {"lr_schedule": None, "unfreeze_every": None, "early_stopping": False, "max_time": None}
        return record_of(
            TrainingOptions,
            self,
            **(given if partial else {}),
            partial=partial,
            clock=Clock() if clock is None else clock,
            device=device,
            autocast=self.dtype == "bfloat16",
            seed=seed_of(random_state),
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
