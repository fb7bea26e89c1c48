"""How an estimator reads X and y: checked, shortened, counted and encoded."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from sklearn_rnn.data.encoding import StepEncoding
from sklearn_rnn.data.inputs import Inputs, validate_inputs
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.training_set import TrainingSet
from sklearn_rnn.data.validation import validate_groups, validate_weights
from sklearn_rnn.estimators._hyperparameters import Hyperparameters
from sklearn_rnn.estimators._transfer import PretrainedNetwork
from sklearn_rnn.exceptions import SequenceDataError


@dataclass(kw_only=True, eq=False, repr=False)
class ReadingRNN(Hyperparameters):
    """What comes before training and before prediction; a subclass knows its target."""

    _allow_empty: ClassVar[bool] = False
    _pooled: ClassVar[bool] = True

    def _read_training_set(
        self, X: Any, y: Any, sample_weight: Any, groups: Any, *, reset: bool, classes: Any, keep_groups: bool
    ) -> TrainingSet:
        """Everything that the network is fitted to, encoded, with equal samples merged."""
        inputs = self._read_raw(X, reset=reset)
        labels = self._validate_target(y, inputs)
        weight = validate_weights(sample_weight, len(inputs))
        groups = validate_groups(groups, len(inputs))
        self.input_spec_ = replace(vars(self)["input_spec_"], max_length=self.max_length, truncate=self.truncate)
        data = self._counted(self._shorten(TrainingSet(inputs, labels, weight, groups if keep_groups else None)))
        if reset:
            self._learn_target(data, classes)
            self._learn_encoding(data.sequences)
        elif classes is not None and not np.array_equal(np.unique(np.asarray(classes)), self.classes_):
            known = self.classes_.tolist()
            raise ValueError(f"classes={classes!r} differs from the classes of the first call, {known!r}")
        self._refuse_unknown_labels(data.target)
        return self._encode(data).merged()

    def _read_validation_set(self, X: Any, y: Any, sample_weight: Any) -> TrainingSet:
        if X is None or y is None:
            raise ValueError(f"X_val and y_val go together: {'X_val' if X is None else 'y_val'} is missing")
        try:
            inputs = self._read_raw(X, reset=False)
            labels = self._validate_target(y, inputs)
            weight = validate_weights(sample_weight, len(inputs), name="sample_weight_val")
            return self._encode(self._counted(self._shorten(TrainingSet(inputs, labels, weight))), training=False)
        except (TypeError, ValueError) as error:
            raise SequenceDataError(f"In the validation data, X_val and y_val: {error}") from error

    def _shorten(self, data: TrainingSet) -> TrainingSet:
        """Cut sequences with one target each, before anything is learned of what is cut off."""
        if self.max_length is None or not self._pooled:
            return data
        sequences = data.sequences.truncate(self.max_length, cut=self.truncate)
        return TrainingSet(sequences, data.target, data.weight, data.groups)

    def _counted(self, data: TrainingSet) -> TrainingSet:
        """The sequences that have a weight, steps and something to learn from."""
        counted = (data.weight > 0) & (data.sequences.lengths > 0) & self._has_target(data.target)
        if not counted.any():
            raise ValueError("no sequence is left to learn from: each one has weight 0, no steps, or no labelled step")
        return data.take(np.flatnonzero(counted))

    def _learn_encoding(self, inputs: Inputs) -> None:
        """Set ``encoding_``, and ``vocabulary_`` where there are tokens."""
        if self.pretrained is not None:
            self.encoding_ = PretrainedNetwork(self.pretrained).encoding_for(self.input_spec_)
        else:
            self.encoding_ = StepEncoding.learn(
                inputs,
                self.input_spec_,
                min_df=self.min_df,
                max_features=self.max_features,
                characters=self.char_encoder is not None,
                casing=self.casing_features,
            )
        if self.encoding_.vocabularies:
            self.vocabulary_ = self.encoding_.vocabulary
        elif hasattr(self, "vocabulary_"):
            del self.vocabulary_

    def _encode(self, data: TrainingSet, *, training: bool = True) -> TrainingSet:
        """The numbers that the network reads and the loss takes; not in `training`, those that a score is made from."""
        steps = self._encode_steps(data.sequences)
        return TrainingSet(steps, self._encode_target(data.target, training=training), data.weight, data.groups)

    def _encode_steps(self, inputs: Inputs) -> Sequences:
        return self.encoding_.encode(inputs, self.input_spec_, self._stored_dtype)

    def _read_raw(self, X: Any, *, reset: bool) -> Inputs:
        return validate_inputs(
            self,
            X,
            reset=reset,
            dtype=self._stored_dtype,
            embed=self.embedding_dim is not None if reset else self.input_spec_.kind == "ids",
            missing=self.missing,
            allow_empty=self._allow_empty,
        )

    def _read(self, X: Any) -> Sequences:
        """Check X of a prediction and encode it; cut it to `max_length` where one output a sequence is wanted."""
        check_is_fitted(self, "net_")
        inputs = self._read_raw(X, reset=False)
        spec = self.input_spec_
        if spec.max_length is not None and self._pooled:
            inputs = inputs.truncate(spec.max_length, cut=spec.truncate)
        return self._encode_steps(inputs)

    # What a subclass knows of its target.

    @abstractmethod
    def _validate_target(self, y: Any, inputs: Inputs) -> Any:
        """y checked against the inputs, as an array (n_sequences, ...) or Sequences of labels."""

    @abstractmethod
    def _learn_target(self, data: TrainingSet, classes: Any) -> None:
        """Set the fitted attributes that describe the target."""

    def _has_target(self, target: Any) -> NDArray[np.bool_]:
        """Which sequences (n_sequences,) have a target at all."""
        return np.ones(len(target), dtype=bool)

    def _refuse_unknown_labels(self, target: Any) -> None:
        """Raise if the target of a training set holds what ``_learn_target`` did not learn."""

    @abstractmethod
    def _encode_target(self, target: Any, *, training: bool) -> Any:
        """The target as the loss takes it."""
