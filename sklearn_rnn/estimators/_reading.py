"""How an estimator reads X and y: checked, shortened, counted and encoded."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearn_rnn.data.encoding import StepEncoding
from sklearn_rnn.data.inputs import Inputs, read
from sklearn_rnn.data.long_tables import warn_if_long
from sklearn_rnn.data.row_order import check_beside
from sklearn_rnn.data.scales import EncodedNumbers, warn_if_other_scale, warn_if_squeezed, warn_if_unscaled
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.training_set import TrainingSet
from sklearn_rnn.data.validation import remember
from sklearn_rnn.data.weights import validate_groups
from sklearn_rnn.estimators._hyperparameters import Hyperparameters
from sklearn_rnn.estimators._transfer import PretrainedNetwork
from sklearn_rnn.exceptions import SequenceDataError
from sklearn_rnn.targets.base import Target


@dataclass(kw_only=True, eq=False, repr=False)
class ReadingRNN(Hyperparameters):
    """What comes before training and before prediction; a subclass knows its target."""

    _allow_empty: ClassVar[bool] = False

    @abstractmethod
    def _read_target(self, y: Any, inputs: Inputs, fitted: Any) -> tuple[Target, Any]:
        """What kind of target y is, and y checked.

        The target is a new one where `fitted` is None, and else one that knows what `fitted` has learned.
        """

    def _read_examples(
        self, X: Any, y: Any, sample_weight: Any, groups: Any = None, *, reset: bool, weights: str = "sample_weight"
    ) -> tuple[Target, TrainingSet]:
        """What can be learned from X and y, checked but as given; `weights` is what errors call the weights."""
        inputs = self._read_raw(X, reset=reset)
        target, labels = self._read_target(y, inputs, None if reset else self.target_)
        weight, step_weight = target.read_weight(sample_weight, inputs, name=weights)
        groups = validate_groups(groups, len(inputs))
        data = TrainingSet(self._shorten(inputs, target), labels, weight, step_weight, groups, np.arange(len(inputs)))
        counted = (weight > 0) & (inputs.lengths > 0) & target.present(labels)
        if not counted.any():
            raise ValueError("no sequence is left to learn from: each one has weight 0, no steps, or no labelled step")
        return target, data if counted.all() else data.take(np.flatnonzero(counted))

    def _read_validation_set(self, X: Any, y: Any, sample_weight: Any) -> TrainingSet:
        """The encoded validation data that ``fit`` was given."""
        if X is None or (y is None and not self.target_.continues):
            raise ValueError(f"X_val and y_val go together: {'X_val' if X is None else 'y_val'} is missing")
        check_beside(X, y, {"sample_weight": sample_weight}, suffix="_val")
        try:
            target, data = self._read_examples(X, y, sample_weight, reset=False, weights="sample_weight_val")
            return self._encode(data, target, training=False)
        except (TypeError, ValueError) as error:
            raise SequenceDataError(f"In the validation data, X_val and y_val: {error}") from error

    def _look_at_scales(self, training: TrainingSet, validation: TrainingSet | None, *, reset: bool) -> None:
        """Warn of numbers that a network hardly learns from, and of validation data on another scale."""
        scale = self.encoding_.mean_and_scale or (0.0, 1.0)
        numbers = EncodedNumbers(training.sequences, self.input_spec_, *scale)
        if reset and (self.pretrained is not None or not self.encoding_.scales):
            warn_if_unscaled(numbers, reader=type(self).__name__, pretrained=self.pretrained is not None)
        if validation is not None:
            warn_if_other_scale(numbers, validation.sequences)

    def _shorten(self, inputs: Inputs, target: Target) -> Inputs:
        """Cut sequences whose steps have no targets, before anything is learned of what is cut off."""
        spec = self.input_spec_
        if spec.max_length is None or target.alignment == "step":
            return inputs
        return inputs.truncate(spec.max_length, cut=spec.truncate)

    def _learn_encoding(self, data: TrainingSet) -> None:
        """Set ``encoding_``, ``vocabulary_`` where there are tokens, and the scale of numbers."""
        if self.pretrained is not None:
            self.encoding_ = PretrainedNetwork(self.pretrained).encoding_for(self.input_spec_, self._context_beside)
        else:
            self.encoding_ = StepEncoding.learn(
                data.sequences,
                self.input_spec_,
                min_df=self.min_df,
                max_features=self.max_features,
                characters=self.char_encoder is not None,
                casing=bool(self.casing_features),
                standardize=self.standardize,
                counts=data.counts,
            )
            if self.encoding_.scales:
                warn_if_squeezed(data.sequences, self.input_spec_, self.encoding_, reader=type(self).__name__)
        for name in ("vocabulary_", "input_mean_", "input_scale_"):
            self.__dict__.pop(name, None)
        if self.encoding_.vocabularies:
            self.vocabulary_ = self.encoding_.vocabulary
        scale = self.encoding_.mean_and_scale
        if scale is not None:
            self.input_mean_, self.input_scale_ = scale

    @property
    def _context_beside(self) -> Any:
        """What stands beside each step, and is no part of X."""
        return None

    def _encode(self, data: TrainingSet, target: Target, *, training: bool = True) -> TrainingSet:
        """The numbers that the network reads and the loss takes; not in `training`, those that a score is made from."""
        return target.encoded(replace(data, sequences=self._encode_steps(data.sequences)), training=training)

    def _encode_merged(self, data: TrainingSet) -> TrainingSet:
        """The numbers of samples in an order that does not tell the units of numbers.

        Tokens that are not in the vocabulary make some of them equal: those are merged again.
        """
        encoded = self._encode(data, self.target_)
        if self.encoding_.vocabularies:
            return encoded.merged()
        return encoded.ordered() if self.encoding_.scales else encoded

    def _encode_steps(self, inputs: Inputs) -> Sequences:
        return self.encoding_.encode(inputs, self.input_spec_, self._stored_dtype)

    def _read_raw(self, X: Any, *, reset: bool) -> Inputs:
        long = self.padding_value is None and (reset or not self.input_spec_.table)  # padded rows are sequences
        inputs, spec = read(
            X,
            None if reset else self.input_spec_,
            dtype=None if self._scales_numbers(reset) else self._stored_dtype,
            embed=self._reads_ids(X),
            missing=self.missing,
            padding_value=self.padding_value,
            allow_empty=self._allow_empty,
            reader=type(self).__name__,
        )
        if long:
            warn_if_long(X)
        if reset:
            remember(self, replace(spec, max_length=self.max_length, truncate=self.truncate))
        return inputs

    def _scales_numbers(self, reset: bool) -> bool:
        """Whether numbers are scaled once they are read, and so are to be read with all their digits."""
        if not reset:
            return bool(self.encoding_.scales)
        if self.pretrained is None:
            return bool(self.standardize)
        return bool(PretrainedNetwork(self.pretrained).source.encoding_.scales)

    def _reads_ids(self, X: Any) -> bool:
        """Whether integers in X are token ids."""
        return self.embedding_dim is not None or self._takes_over_ids()

    def _takes_over_ids(self) -> bool:
        """Whether the estimator that is gone on from reads token ids, so that integers are such."""
        return self.pretrained is not None and PretrainedNetwork(self.pretrained).source.input_spec_.kind == "ids"

    def _read_inputs(self, X: Any) -> Inputs:
        """X of a prediction, checked, and cut to `max_length` where a sequence has one target."""
        check_is_fitted(self, "net_")
        return self._shorten(self._read_raw(X, reset=False), self.target_)

    def _read(self, X: Any) -> Sequences:
        """X of a prediction as the network reads it."""
        return self._encode_steps(self._read_inputs(X))
