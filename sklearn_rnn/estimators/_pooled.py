"""What classifier and regressor share: one vector a sequence, made by pooling."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if

from sklearn_rnn.data.batching import SequenceDataset
from sklearn_rnn.data.formats import object_array
from sklearn_rnn.data.inputs import Inputs
from sklearn_rnn.data.training_set import TrainingSet
from sklearn_rnn.estimators._base import BaseRNN
from sklearn_rnn.estimators._parameters import CONSTRAINTS
from sklearn_rnn.networks.pooling import AttentionPooling


def _pools_by_attention(estimator: PooledRNN) -> bool:
    fitted = isinstance(estimator.module_.pooling, AttentionPooling) if hasattr(estimator, "net_") else True
    if estimator.pooling == "attention" and fitted:
        return True
    raise AttributeError(
        f"attention_weights needs a fit with pooling='attention', this estimator has pooling={estimator.pooling!r}"
    )


@dataclass(kw_only=True, eq=False, repr=False)
class PooledRNN(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseRNN):
    """An estimator with one output a sequence; ``transform`` hands out the vector that the output is made from."""

    pooling: str = "last"

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **CONSTRAINTS,
        "pooling": [StrOptions({"last", "mean", "max", "attention"})],
    }

    def transform(self, X: Any) -> NDArray[np.float64]:
        """The pooled hidden state of each sequence, which the head reads.

        Parameters
        ----------
        X : sequences in any supported format

        Returns
        -------
        vectors : array of shape (n_sequences, n_units)
        """
        return self._outputs(self._read(X), lambda net, x, n: net.representation(x, n), per_step=False)

    @available_if(_pools_by_attention)
    def attention_weights(self, X: Any) -> NDArray[Any]:
        """The weight of each step in the pooled vector; only with ``pooling="attention"``.

        Parameters
        ----------
        X : sequences in any supported format

        Returns
        -------
        weights : object array of shape (n_sequences,)
            Items of shape (min(length_i, max_length),), each summing to 1.
        """
        sequences = self._read(X)
        weights = self._outputs(sequences, lambda net, x, n: net.attention_weights(x, n), per_step=True)
        return object_array(list(sequences.with_values(weights)))

    @property
    def _n_features_out(self) -> int:
        return int(self.module_.backbone.output_size)

    def _raw_outputs(self, X: Any) -> NDArray[np.float64]:
        """Outputs of the head, (n_sequences, n_outputs)."""
        return self._outputs(self._read(X), lambda net, x, n: net.outputs_of(x, n), per_step=False)

    def _staged_outputs(self, X: Any) -> Iterator[NDArray[np.float64]]:
        """Outputs of the head (n_sequences, n_outputs) after 1, 2, ... steps; a finished sequence keeps its last.

        In one direction the states of a prefix are those of the whole sequence; in two they are computed anew.
        """
        sequences = self._read(X)
        longest = int(sequences.lengths.max())
        if self.module_.backbone.bidirectional:
            for t in range(1, longest + 1):
                yield self._outputs(sequences.truncate(t), lambda net, x, n: net.outputs_of(x, n), per_step=False)
            return
        states = self._outputs(sequences, lambda net, x, n: net.hidden_states(x, n), per_step=True)
        hidden = sequences.with_values(states)
        for t in range(1, longest + 1):
            yield self._outputs(hidden.truncate(t), lambda net, x, n: net.outputs(x, n), per_step=False)

    def _network_parameters(self, **parts: Any) -> dict[str, Any]:
        return {**super()._network_parameters(**parts), "pooling": self.pooling}

    def _validate_target(self, y: Any, inputs: Inputs) -> NDArray[Any]:
        return self._validate_labels(y, len(inputs))

    def _to_dataset(self, data: TrainingSet, device: torch.device, *, training: bool) -> SequenceDataset:
        weight = data.weight * self._target_weights(data) if training else data.weight
        if not weight.any():
            raise ValueError(f"class_weight={getattr(self, 'class_weight', None)!r} gives all training data weight 0")
        scaled = TrainingSet(data.sequences, data.target, weight / weight.mean())
        return SequenceDataset(scaled, dtype=getattr(torch, self._stored_dtype), device=device)

    def _target_weights(self, data: TrainingSet) -> NDArray[np.float64]:
        """What the weight of each training sequence (n_sequences,) is multiplied with."""
        return np.ones(len(data))

    @abstractmethod
    def _validate_labels(self, y: Any, n_sequences: int) -> NDArray[Any]:
        """y as an array with a row for each sequence."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags
