"""The format that transformed steps go out in: that of the input."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray
from sklearn.utils._set_output import _get_container_adapter

from sklearn_rnn.data.aligned import AlignedSequences
from sklearn_rnn.data.columns import as_columns, cells_of, column_names, is_from_frame
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.steps import layout_of
from sklearn_rnn.preprocessing._row_transformers import as_array


class OutputLikeInput:
    """What a transformer of steps returns: tables, blocks, containers, or columns of a frame."""

    input_spec_: Any
    get_feature_names_out: Any
    transformer_: Any
    n_features_in_: int

    def _like_input(self, rows: Any, steps: Sequences, X: Any) -> Any:
        """Transformed rows (total_steps, n_features_out) in the format that X calls for."""
        values = as_array(rows)
        n_features = 1 if values.ndim == 1 else values.shape[1]
        layout = layout_of(X)
        n_steps = len(values) // max(len(steps), 1)  # in a table or block
        if layout == "table" and n_features == 1:
            return self._in_container(values.reshape(len(steps), n_steps), X)
        if layout != "ragged":
            return values.reshape(len(steps), n_steps, n_features)
        names = None
        if steps.feature_names is not None and hasattr(self, "get_feature_names_out"):
            names = [str(name) for name in self.get_feature_names_out()]
        return self._as_columns(steps.with_values(values, feature_names=names), X, ["x0"])

    def _inputs_like(self, several: AlignedSequences, X: Any) -> Any:
        """Transformed inputs in the format that X calls for."""
        return self._as_columns(several, X, list(several.inputs))

    def _as_columns(self, sequences: Any, X: Any, names: list[str]) -> Any:
        """Sequences of columns of a frame as such: in a frame if `set_output` says so, else as a container like one."""
        if not is_from_frame(X):
            return sequences
        adapter = _get_container_adapter("transform", self)
        if adapter is None:
            return as_columns(sequences)
        return adapter.create_container(cells_of(sequences), X, columns=column_names(X, names))

    def _in_container(self, table: NDArray[Any], X: Any) -> Any:
        adapter = _get_container_adapter("transform", self)
        if adapter is None:
            return table
        named = self.input_spec_.table and hasattr(self, "get_feature_names_out")
        columns = self.get_feature_names_out() if named else None
        return adapter.create_container(table, X, columns=columns)

    def _width(self) -> int:
        """Columns of the output where there are no steps to tell."""
        if hasattr(self.transformer_, "get_feature_names_out"):
            return len(self.transformer_.get_feature_names_out())
        hasher: Any = self.transformer_  # has a width, but no names
        return hasher.n_features if hasattr(hasher, "n_features") else self.n_features_in_
