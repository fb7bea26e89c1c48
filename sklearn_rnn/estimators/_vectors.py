"""Estimators that make a vector of each sequence, as transformers do."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils._set_output import _get_container_adapter
from sklearn.utils.validation import check_is_fitted

from sklearn_rnn.data.frames import named_frame


class VectorMixin(ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """What goes with a ``transform`` to vectors (n_sequences, ``_n_features_out``)."""

    input_spec_: Any
    _n_features_out: Any

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Names of the units of the vector that ``transform`` makes of a sequence.

        Parameters
        ----------
        input_features : array-like of str, optional
            Names of the columns of a 2-D table. Of all else they are not looked at: a ColumnTransformer names the
            column that holds the sequences, whatever is in them.

        Returns
        -------
        names : array of str, shape (n_units,)
            The name of the class in lower case, and a number.
        """
        check_is_fitted(self, "net_")
        return super().get_feature_names_out(input_features if self.input_spec_.table else None)

    def _with_ids(self, vectors: NDArray[np.float64], ids: Any) -> Any:
        """The vectors, in a frame of pandas indexed by the ids if there are ids and `set_output` asks for one."""
        adapter = _get_container_adapter("transform", self)
        if ids is None or adapter is None or adapter.container_lib != "pandas":
            return vectors
        frame = named_frame(vectors, [str(name) for name in self.get_feature_names_out()])
        frame.index = ids
        return frame

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags
