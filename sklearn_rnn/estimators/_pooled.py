"""What classifier and regressor share: the vector that pooling makes of a sequence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.metaestimators import available_if

from sklearn_rnn._snapshots import of_one_fit
from sklearn_rnn.data.formats import object_array
from sklearn_rnn.estimators._ngram_groups import NgramParameters
from sklearn_rnn.estimators._task_groups import PoolingParameters
from sklearn_rnn.estimators._vectors import VectorMixin
from sklearn_rnn.estimators._whole import WholeSequenceRNN


def _pools_by_attention(estimator: PooledRNN) -> bool:
    target = getattr(estimator, "target_", None)
    pools = target is None or (target.alignment == "sequence" and target.pooling == "attention")
    if estimator.pooling == "attention" and pools:
        return True
    raise AttributeError(
        f"attention_weights needs a fit with pooling='attention' to one target for each sequence, this estimator has "
        f"pooling={getattr(estimator, 'pooling_', estimator.pooling)!r}"
    )


@dataclass(kw_only=True, eq=False, repr=False)
class PooledRNN(VectorMixin, PoolingParameters, NgramParameters, WholeSequenceRNN):
    """An estimator that pools where there is one target a sequence; ``transform`` gives a vector for each sequence."""

    @of_one_fit
    def transform(self, X: Any) -> NDArray[np.float64]:
        """The pooled hidden state of each sequence, which the head reads; of a target a step the mean of the states.

        With ``pooling="concat"`` it is three times as wide, and the pooled features of `conv_branch` stand behind it.

        Parameters
        ----------
        X : sequences in any supported format

        Returns
        -------
        vectors : array of shape (n_sequences, n_units)
        """
        sequences = self._read(X)
        with self._predictor() as compute:
            vectors = compute(lambda net, x, n: net.representation(x, n), sequences, per_step=False)
        return self._with_ids(vectors, getattr(X, "ids", None))

    @available_if(_pools_by_attention)
    @of_one_fit
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
        with self._predictor() as compute:
            weights = compute(lambda net, x, n: net.attention_weights(x, n), sequences, per_step=True)
        return object_array(list(sequences.with_values(weights)))

    @property
    def _n_features_out(self) -> int:
        return self.module_.head.linear.in_features

    def _outputs(self, X: Any) -> NDArray[np.float64]:
        """Outputs of the head, (n_sequences, n_outputs)."""
        sequences = self._read(X)
        with self._predictor() as compute:
            return compute(lambda net, x, n: net(x, n), sequences, per_step=False)
