"""Any transformer of rows, applied to the steps of sequences."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, MetaEstimatorMixin, TransformerMixin, _fit_context, clone
from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, _routing_enabled, process_routing
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from sklearn_rnn._compat import CallbackSupportMixin
from sklearn_rnn._snapshots import fitted_aside, of_one_fit
from sklearn_rnn._spelling import SpellingMixin
from sklearn_rnn.data.columns import is_from_frame
from sklearn_rnn.data.formats import as_sequences
from sklearn_rnn.data.frames import named_frame
from sklearn_rnn.data.long_tables import warn_if_long
from sklearn_rnn.data.row_order import ids_of_index
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.steps import layout_of, read_steps, spread_over_steps
from sklearn_rnn.data.validation import remember
from sklearn_rnn.preprocessing._output import OutputLikeInput
from sklearn_rnn.preprocessing._row_transformers import (
    as_array,
    first_step,
    is_one_each,
    reads_documents,
    transformer_has,
    works_in_place,
)
from sklearn_rnn.preprocessing._several_inputs import SeveralInputs


class PerStep(  # type: ignore[call-arg]
    SpellingMixin,
    SeveralInputs,
    OutputLikeInput,
    CallbackSupportMixin,
    MetaEstimatorMixin,
    TransformerMixin,
    BaseEstimator,
    auto_wrap_output_keys=None,
):
    """Apply a scikit-learn transformer to the steps of sequences.

    The steps of all sequences are stacked to one table with a row for each step, the transformer is fitted to this
    table and transforms it, and the rows go back to their sequences. The transformer sees each step alone: it knows
    neither the order of the steps nor where a sequence ends, and long sequences count more than short ones.

    Parameters
    ----------
    transformer : transformer
        Any transformer of rows: a scaler, PCA, an imputer, an encoder, DictVectorizer, FeatureHasher, a vectorizer of
        strings, or a ColumnTransformer, FeatureUnion or Pipeline of them. A clone of it is fitted.
    inputs : str, list of str or None, default=None
        Where X has several inputs a step, those to transform: a clone of `transformer` is fitted to each, and the
        others stay what they are. None is all of them, if all are numbers or all are strings.

    Attributes
    ----------
    transformer_ : transformer
        The fitted transformer.
    transformers_ : dict of str to transformer
        In place of it where X has several inputs a step, the fitted transformer of each that is transformed.
    n_features_in_ : int
        Features a step; of a 2-D table, which holds one feature a step, the number of its columns; of several inputs
        their number.
    feature_names_in_ : array of str, shape (n_features,)
        Names of the features, where the sequences came with names, as those of
        :func:`~sklearn_rnn.sequences_from_frame` do; of a DataFrame, the names of its columns.
    input_spec_ : InputSpec
        What the sequences looked like in `fit`.

    See Also
    --------
    sequences_from_frame : Sequences with named features from a long DataFrame.

    Notes
    -----
    The format of the output follows that of the input:

    - a 3-D array (n_sequences, n_steps, n_features) gives a 3-D array (n_sequences, n_steps, n_features_out);
    - a 2-D table (n_sequences, n_steps), also as a list of lists of numbers, gives a 2-D table if the transformer
      returns one column, and a 3-D array otherwise. Only a table can be a DataFrame, which is what `set_output` asks
      for;
    - several inputs a step give :class:`~sklearn_rnn.AlignedSequences`;
    - all else gives :class:`~sklearn_rnn.Sequences`, which every estimator of this package reads.

    Of a column of a frame, or of several, the output counts as columns too, so that a ColumnTransformer puts it beside
    others; with `set_output` it is a frame with a sequence in each cell.

    Sparse output of the transformer is made dense. A step may be a row of numbers, a string, a list of strings or a
    dict. If the sequences have feature names, the transformer gets a DataFrame, so that a ColumnTransformer can pick
    columns by name.

    Two transformers side by side go inside, as ``PerStep(FeatureUnion(...))``: a FeatureUnion of two `PerStep` would
    join sequences along the wrong axis.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_rnn import PerStep
    >>> X = [np.array([[0.0, 10.0], [2.0, 30.0]]), np.array([[4.0, 50.0]])]
    >>> scaler = PerStep(StandardScaler()).fit(X)
    >>> scaler.transformer_.mean_
    array([ 2., 30.])
    >>> scaled = scaler.transform(X)
    >>> scaled[1]
    array([[1.22..., 1.22...]])
    >>> scaler.inverse_transform(scaled)[1]
    array([[ 4., 50.]])

    Steps of words become steps of numbers:

    >>> from sklearn.preprocessing import OneHotEncoder
    >>> encoder = PerStep(OneHotEncoder(handle_unknown="ignore")).fit([["a", "b", "a"], ["c"]])
    >>> encoder.transform([["c", "b"], ["d"]])[0]
    array([[0., 0., 1.],
           [0., 1., 0.]])

    Numbers beside tokens are scaled by the name of their input:

    >>> X = {"seconds": [[3.0, 5.0], [4.0]], "place": [["Lyon", "Bern"], ["Bern"]]}
    >>> scaled = PerStep(StandardScaler(), inputs="seconds").fit_transform(X)
    >>> scaled[1]["seconds"].tolist(), scaled[1]["place"].tolist()
    ([[0.0]], ['Bern'])
    """

    transforms_steps_alone: ClassVar[bool] = True  # what streams ask a transformer
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "transformer": [HasMethods(["fit", "transform"])],
        "inputs": [str, list, None],
    }

    def __init__(self, transformer: Any, *, inputs: str | list[str] | None = None) -> None:
        self.transformer = transformer
        self.inputs = inputs

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any = None, **fit_params: Any) -> PerStep:
        """Fit the transformer to the steps of all sequences.

        Parameters
        ----------
        X : sequences in any supported format, or with steps that are dicts or lists of strings
            Sequences without steps may be among the others. NaN is left to the transformer.
        y : array-like of shape (n_sequences, ...), or for each sequence as many items as it has steps, optional
            For transformers that look at targets. The target of a sequence is the target of each of its steps.
        **fit_params : dict
            Passed to the `fit` of the transformer, or routed to it if metadata routing is enabled. What has one entry
            for each sequence, such as `sample_weight`, is repeated for each step.

        Returns
        -------
        self : PerStep

        Raises
        ------
        SequenceDataError
            If X cannot be read, or y has neither one item for each sequence nor one for each step; if X has several
            inputs a step, and it is not clear which of them to transform.
        """
        with self._callbacks_told(X, y), fitted_aside(self) as aside:
            if aside._fit_inputs("fit", X, y, fit_params) is None:
                steps = aside._read(X, reset=True)
                aside.transformer_ = clone(self.transformer)
                aside.transformer_.fit(aside._rows(steps), **aside._for_steps("fit", steps, y, fit_params))
        return self

    @available_if(transformer_has("partial_fit"))
    @_fit_context(prefer_skip_nested_validation=False)
    def partial_fit(self, X: Any, y: Any = None, **fit_params: Any) -> PerStep:
        """Go on fitting the transformer with the steps of more sequences.

        Parameters
        ----------
        X : sequences in any supported format
        y : as in `fit`, optional
        **fit_params : dict
            As in `fit`.

        Returns
        -------
        self : PerStep
        """
        first = not self.__sklearn_is_fitted__()
        with fitted_aside(self) as aside:
            if aside._fit_inputs("partial_fit", X, y, fit_params, first=first) is None:
                steps = aside._read(X, reset=first)
                transformer = clone(self.transformer) if first else copy.deepcopy(self.transformer_)
                transformer.partial_fit(aside._rows(steps), **aside._for_steps("partial_fit", steps, y, fit_params))
                aside.transformer_ = transformer
        return self

    @_fit_context(prefer_skip_nested_validation=False)
    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> Any:
        """Fit the transformer to the steps, and transform them.

        Calls the transformer's own `fit_transform`, which may differ from `fit` and `transform`: a `TargetEncoder` is
        the example.

        Parameters
        ----------
        X : sequences in any supported format
        y : as in `fit`, optional
        **fit_params : dict
            As in `fit`.

        Returns
        -------
        X_out : array or Sequences
            As in `transform`.
        """
        if not hasattr(self.transformer, "fit_transform"):
            return self.fit(X, y, **fit_params).transform(X)
        with self._callbacks_told(X, y), fitted_aside(self) as aside:
            transformed = aside._fit_inputs("fit_transform", X, y, fit_params)
            if transformed is None:
                steps = aside._read(X, reset=True)
                aside.transformer_ = clone(self.transformer)
                options = aside._for_steps("fit_transform", steps, y, fit_params)
                rows = aside.transformer_.fit_transform(aside._rows(steps), **options)
        return aside._like_input(rows, steps, X) if transformed is None else aside._inputs_like(transformed, X)

    @of_one_fit
    def transform(self, X: Any) -> Any:
        """Transform the steps.

        Parameters
        ----------
        X : sequences in any supported format

        Returns
        -------
        X_out : array of shape (n_sequences, n_steps, n_features_out), or (n_sequences, n_steps), or Sequences
            A 3-D array of a 3-D array. A 2-D table of a 2-D table, if there is one feature. Otherwise the container,
            which for several inputs a step is :class:`AlignedSequences`.
        """
        check_is_fitted(self)
        several = self._read_inputs(X)
        if several is not None:
            return self._inputs_like(self._each_input("transform", several), X)
        steps = self._read(X, reset=False)
        rows = self.transformer_.transform(self._rows(steps)) if len(steps.values) else np.empty((0, self._width()))
        return self._like_input(rows, steps, X)

    @available_if(transformer_has("inverse_transform"))
    @of_one_fit
    def inverse_transform(self, X: Any) -> Any:
        """Bring transformed steps back to what they were.

        Parameters
        ----------
        X : array or Sequences, as `transform` returns them

        Returns
        -------
        X_original : array or Sequences
            In the format that `transform` would map to that of X.
        """
        check_is_fitted(self)
        several = self._read_inputs(X)
        if several is not None:
            return self._inputs_like(self._each_input("inverse_transform", several), X)
        transformed = as_sequences(X)
        values = transformed.values
        rows = np.empty((0, self.input_spec_.n_features))
        if len(values):
            rows = as_array(self.transformer_.inverse_transform(values[:, None] if values.ndim == 1 else values))
        if self.input_spec_.kind == "text" and rows.ndim == 2 and rows.shape[1] == 1:
            rows = rows[:, 0]
        if layout_of(X) == "block" and self.input_spec_.table:
            return rows.reshape(len(transformed), -1)
        return self._like_input(rows, transformed, X)

    @available_if(transformer_has("get_feature_names_out"))
    @of_one_fit
    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Names of the features a step, as the transformer calls them.

        Parameters
        ----------
        input_features : array-like of str, optional
            Names of the input features. Where X was a column of a frame also the one name of the column, as a
            ColumnTransformer gives it, which is then the name of the output.

        Returns
        -------
        names : array of str, shape (n_features_out,)
            If a 2-D table gives a 2-D table, the names of its columns, which are steps; of several inputs a step their
            names.
        """
        check_is_fitted(self)
        if self.input_spec_.kind == "aligned":
            return _check_feature_names_in(self, input_features)
        if self._column and input_features is not None and len(input_features) == 1:
            return np.asarray(input_features, dtype=object)
        if not self.input_spec_.table:
            return self.transformer_.get_feature_names_out(input_features)
        columns = _check_feature_names_in(self, input_features)
        names = self.transformer_.get_feature_names_out()
        return columns if len(names) == 1 else names

    def set_output(self, *, transform: str | None = None) -> PerStep:
        """Set the output container of 2-D tables and of columns of frames; all other output stays what it is.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, optional
            None leaves it as it was.

        Returns
        -------
        self : PerStep
        """
        if transform is not None:
            self._sklearn_output_config = {"transform": transform}
        return self

    def get_metadata_routing(self) -> MetadataRouter:
        """The routing of metadata to the transformer.

        Returns
        -------
        routing : MetadataRouter
        """
        fit_transform = "fit_transform" if hasattr(self.transformer, "fit_transform") else "fit"
        mapping = MethodMapping()
        for caller, callee in [("fit", "fit"), ("partial_fit", "partial_fit"), ("fit_transform", fit_transform)]:
            mapping.add(caller=caller, callee=callee)
        return MetadataRouter(owner=self).add(transformer=self.transformer, method_mapping=mapping)

    @contextmanager
    def _callbacks_told(self, X: Any, y: Any) -> Iterator[None]:
        """Tell scikit-learn's callbacks of the begin and the end of a fit."""
        context = self._init_callback_context()
        context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        yield
        context.call_on_fit_task_end(estimator=self, X=X, y=y)

    def _read(self, X: Any, *, reset: bool) -> Sequences:
        tags = get_tags(first_step(self.transformer)).input_tags
        spec = None if reset else self.input_spec_
        steps, spec = read_steps(X, spec, whole=not tags.two_d_array, features=tags.dict, reader=type(self).__name__)
        if steps.ids is None:
            steps.ids = ids_of_index(X)
        if reset:
            warn_if_long(X)
            self.__dict__.pop("_of_inputs", None)
            self._column = is_from_frame(X) and not spec.table
            remember(self, spec)
        return steps

    def _rows(self, steps: Sequences) -> Any:
        """The steps as the transformer takes them: rows (total_steps, n_features), or objects (total_steps,)."""
        values = steps.values
        if self.input_spec_.kind == "text" and values.ndim == 1 and not reads_documents(self.transformer):
            values = values.reshape(-1, 1)
        if works_in_place(self.transformer):
            values = values.copy()
        names = getattr(self, "feature_names_in_", None)
        if names is None or self.input_spec_.table or values.ndim != 2:
            return values
        return named_frame(values, list(names))

    def _for_steps(self, method: str, steps: Sequences, y: Any, params: dict[str, Any]) -> dict[str, Any]:
        """The keyword arguments of the transformer's `method`: what belongs to a sequence repeated for its steps."""
        routed = params
        if params and _routing_enabled():
            routed = process_routing(self, method, **params).transformer[method]
        options = {
            name: spread_over_steps(value, steps, name=name) if is_one_each(value, len(steps)) else value
            for name, value in routed.items()
        }
        return options if y is None else {"y": spread_over_steps(y, steps, name="y"), **options}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        try:
            inner = get_tags(self.transformer)
        except (AttributeError, TypeError):  # no estimator: `fit` will say so
            return tags
        tags.input_tags.allow_nan = inner.input_tags.allow_nan
        tags.input_tags.positive_only = inner.input_tags.positive_only
        tags.input_tags.string = inner.input_tags.string
        tags.input_tags.dict = inner.input_tags.dict
        tags.target_tags.required = inner.target_tags.required
        tags.transformer_tags = inner.transformer_tags
        tags.non_deterministic = inner.non_deterministic
        return tags
