"""The one template that every estimator is fitted by."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import _fit_context
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sklearn_rnn._compat import CallbackSupportMixin
from sklearn_rnn.data.batching import SequenceDataset
from sklearn_rnn.data.formats import object_array
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.training_set import TrainingSet
from sklearn_rnn.data.validation import validate_groups, validate_sequences, validate_weights
from sklearn_rnn.data.vocabulary import encode_tokens, learn_vocabulary
from sklearn_rnn.estimators._hyperparameters import Hyperparameters
from sklearn_rnn.estimators._splitting import split_validation
from sklearn_rnn.exceptions import SequenceDataError
from sklearn_rnn.networks.network import RecurrentNetwork
from sklearn_rnn.training.compute import compute_settings, explain_out_of_memory, resolve_device
from sklearn_rnn.training.inference import compute_outputs
from sklearn_rnn.training.loop import TrainingResult, build_net, resume, train


@dataclass(kw_only=True, eq=False, repr=False)
class BaseRNN(CallbackSupportMixin, Hyperparameters):
    """``fit`` and what all estimators do with hidden states; a subclass knows its target.

    A subclass is a dataclass too: its fields are its constructor parameters, and only assigned.
    """

    _allow_empty: ClassVar[bool] = False
    _pooled: ClassVar[bool] = True

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any,
        *,
        sample_weight: ArrayLike | None = None,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Any:
        """Fit the network.

        Parameters
        ----------
        X : sequences in any supported format
            For example an array of shape (n_sequences, n_steps, n_features), or a list of arrays of shape
            (length_i, n_features).
        y : array-like
            The targets, as the class says.
        sample_weight : array-like of shape (n_sequences,), optional
            A weight of 2 is a repeated sequence, a weight of 0 an absent one.
        X_val, y_val : like X and y, optional
            Validation data: scored after each epoch, and what `early_stopping` looks at.
        sample_weight_val : array-like, optional
            Weights of the validation data.
        groups : array-like of shape (n_sequences,), optional
            Sequences of one group stay on one side of the split that `early_stopping` makes.

        Returns
        -------
        self : estimator

        Raises
        ------
        SequenceDataError
            If X or y cannot be read; the message says where.
        ValueError
            If parameters contradict each other, there is one class only, or too little data for `early_stopping`.
        TrainingDivergedError
            If the loss turns NaN or infinite.
        OutOfMemoryError
            If a batch does not fit into memory.
        KeyboardInterrupt
            If it is interrupted. After any error the estimator is what it was before.
        """
        given = (X_val, y_val, sample_weight_val)
        validation = None if all(part is None for part in given) else given
        going_on = self.warm_start and hasattr(self, "net_")
        with self._fitted_state_restored_on_error():
            return self._fit(X, y, sample_weight, validation, groups, reset=not going_on)

    def transform_steps(self, X: Any) -> NDArray[Any]:
        """The hidden state after each step.

        Parameters
        ----------
        X : sequences in any supported format

        Returns
        -------
        states : object array of shape (n_sequences,)
            Items of shape (length_i, n_units), of the last layer; with `bidirectional`, the forward states first.
            A classifier or regressor has no states for steps beyond `max_length`.
        """
        sequences = self._read(X)
        states = self._outputs(sequences, lambda net, x, n: net.hidden_states(x, n), per_step=True)
        return object_array(list(sequences.with_values(states)))

    @property
    def module_(self) -> RecurrentNetwork:
        """The trained network."""
        check_is_fitted(self, "net_")
        return self.net_.module_

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        validation: tuple[Any, Any, Any] | None,
        groups: Any,
        *,
        reset: bool,
        classes: Any = None,
        partial: bool = False,
    ) -> Any:
        """Validate, encode, build, train and store: all of ``fit`` and ``partial_fit``."""
        random_state = check_random_state(self.random_state)
        device = resolve_device(self.device)
        self._layer_sizes()
        context = self._init_callback_context(max_subtasks=1 if partial else self.max_epochs)
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        context.call_on_fit_task_begin(estimator=self, X=X, y=y, metadata=metadata)

        splits = self.early_stopping and validation is None and not partial
        data = self._read_training_set(X, y, sample_weight, groups, reset=reset, classes=classes, keep_groups=splits)
        validation_data = None if validation is None else self._read_validation_set(*validation)
        if splits:
            stratify = data.target if self._stratified else None
            data, validation_data = split_validation(data, self.validation_fraction, stratify, random_state)
        data = data.spread()
        training = self._to_dataset(data, device, training=True)
        held_out = None if validation_data is None else self._to_dataset(validation_data, device, training=False)
        options = self._training_options(self._loss(), device, random_state, partial=partial)

        def run_epoch(epoch: int, net: Any, work: Any) -> bool:
            epoch_context = context.subcontext(task_name="epoch")
            epoch_context.call_on_fit_task_begin(estimator=self, X=X, y=y, metadata=metadata)
            work()
            return epoch_context.call_on_fit_task_end(
                estimator=self, X=X, y=y, metadata=metadata, reconstruction_attributes=lambda: {"net_": net}
            )

        with compute_settings(self.n_threads), explain_out_of_memory():
            net = build_net(
                self._network_parameters(
                    n_features=data.sequences.n_features,
                    n_tokens=len(self.vocabulary_) + 1 if hasattr(self, "vocabulary_") else None,
                    n_outputs=self._n_outputs(),
                    seed=options.seed,
                ),
                options,
                n_batches=-(-len(training) // options.batch_size),
                validation=held_out,
                score_outputs=self._score_outputs,
            )
            if not reset:
                resume(net, self.net_.module_.state_dict(), getattr(self, "_optimizer_state", None))
            result = train(net, training, options, validated=held_out is not None, run_epoch=run_epoch)
        self._store(result, keep_optimizer=partial or self.warm_start)
        context.call_on_fit_task_end(
            estimator=self, X=X, y=y, metadata=metadata, reconstruction_attributes=lambda: {"net_": self.net_}
        )
        return self

    def _read_training_set(
        self, X: Any, y: Any, sample_weight: Any, groups: Any, *, reset: bool, classes: Any, keep_groups: bool
    ) -> TrainingSet:
        """Everything that the network is fitted to, encoded, with equal samples merged."""
        sequences = self._read_raw(X, reset=reset)
        labels = self._validate_target(y, sequences)
        weight = validate_weights(sample_weight, len(sequences))
        groups = validate_groups(groups, len(sequences))
        self.input_spec_ = replace(vars(self)["input_spec_"], max_length=self.max_length, truncate=self.truncate)
        data = self._counted(self._shorten(TrainingSet(sequences, labels, weight, groups if keep_groups else None)))
        if reset:
            self._learn_target(data, classes)
            if self.input_spec_.kind != "numeric":
                self.vocabulary_ = learn_vocabulary(data.sequences)
            elif hasattr(self, "vocabulary_"):
                del self.vocabulary_
        elif classes is not None and not np.array_equal(np.unique(np.asarray(classes)), self.classes_):
            known = self.classes_.tolist()
            raise ValueError(f"classes={classes!r} differs from the classes of the first call, {known!r}")
        self._refuse_unknown_labels(data.target)
        return self._encode(data).merged()

    def _read_validation_set(self, X: Any, y: Any, sample_weight: Any) -> TrainingSet:
        if X is None or y is None:
            raise ValueError(f"X_val and y_val go together: {'X_val' if X is None else 'y_val'} is missing")
        try:
            sequences = self._read_raw(X, reset=False)
            labels = self._validate_target(y, sequences)
            weight = validate_weights(sample_weight, len(sequences), name="sample_weight_val")
            return self._encode(self._counted(self._shorten(TrainingSet(sequences, labels, weight))))
        except (TypeError, ValueError) as error:
            raise SequenceDataError(f"In the validation data, X_val and y_val: {error}") from error

    def _shorten(self, data: TrainingSet) -> TrainingSet:
        if self.max_length is None:
            return data
        target = data.target
        if isinstance(target, Sequences):
            target = target.truncate(self.max_length, cut=self.truncate)
        sequences = data.sequences.truncate(self.max_length, cut=self.truncate)
        return TrainingSet(sequences, target, data.weight, data.groups)

    def _counted(self, data: TrainingSet) -> TrainingSet:
        """The sequences that have a weight, steps and something to learn from."""
        counted = (data.weight > 0) & (data.sequences.lengths > 0) & self._has_target(data.target)
        if not counted.any():
            raise ValueError("no sequence is left to learn from: each one has weight 0, no steps, or no labelled step")
        return data.take(np.flatnonzero(counted))

    def _encode(self, data: TrainingSet) -> TrainingSet:
        return TrainingSet(
            self._encode_steps(data.sequences), self._encode_target(data.target), data.weight, data.groups
        )

    def _encode_steps(self, sequences: Sequences) -> Sequences:
        if self.input_spec_.kind == "numeric":
            return sequences
        return encode_tokens(sequences, self.vocabulary_)

    def _read_raw(self, X: Any, *, reset: bool) -> Sequences:
        return validate_sequences(
            self,
            X,
            reset=reset,
            dtype=self.dtype,
            embed=self.embedding_dim is not None if reset else self.input_spec_.kind == "ids",
            missing=self.missing,
            allow_empty=self._allow_empty,
        )

    def _read(self, X: Any) -> Sequences:
        """Check X of a prediction and encode it; cut it to `max_length` where one output a sequence is wanted."""
        check_is_fitted(self, "net_")
        sequences = self._read_raw(X, reset=False)
        spec = self.input_spec_
        if spec.max_length is not None and self._pooled:
            sequences = sequences.truncate(spec.max_length, cut=spec.truncate)
        return self._encode_steps(sequences)

    def _outputs(self, sequences: Sequences, compute: Any, *, per_step: bool) -> NDArray[np.float64]:
        """What `compute` makes of the encoded `sequences`, as an array with a row a sequence or a step."""
        return compute_outputs(self.module_, sequences, compute, per_step=per_step, n_threads=self.n_threads)

    def _store(self, result: TrainingResult, *, keep_optimizer: bool) -> None:
        self.net_ = result.net
        self.n_iter_ = result.n_iter
        self.best_epoch_ = result.best_epoch
        self.loss_curve_ = result.loss_curve
        self.validation_scores_ = result.validation_scores
        self.history_ = result.history
        self._optimizer_state = result.optimizer_state if keep_optimizer else None

    @contextmanager
    def _fitted_state_restored_on_error(self) -> Iterator[None]:
        """Keep the fitted attributes as they were if the fit fails or is interrupted."""

        def fitted() -> dict[str, Any]:
            return {k: v for k, v in vars(self).items() if k.endswith("_") or k == "_optimizer_state"}

        before = fitted()
        try:
            yield
        except BaseException:
            for name in fitted():
                delattr(self, name)
            self.__dict__.update(before)
            raise

    # What a subclass knows of its target.

    _stratified: ClassVar[bool] = False

    @abstractmethod
    def _validate_target(self, y: Any, sequences: Sequences) -> Any:
        """y checked against the sequences, as an array (n_sequences, ...) or Sequences of labels."""

    @abstractmethod
    def _learn_target(self, data: TrainingSet, classes: Any) -> None:
        """Set the fitted attributes that describe the target."""

    def _has_target(self, target: Any) -> NDArray[np.bool_]:
        """Which sequences (n_sequences,) have a target at all."""
        return np.ones(len(target), dtype=bool)

    def _refuse_unknown_labels(self, target: Any) -> None:
        """Raise if the target of a training set holds what ``_learn_target`` did not learn."""

    @abstractmethod
    def _encode_target(self, target: Any) -> Any:
        """The target as the loss takes it."""

    @abstractmethod
    def _to_dataset(self, data: TrainingSet, device: torch.device, *, training: bool) -> SequenceDataset:
        """`data` as tensors, its weights scaled to a mean of 1; in `training` they are those of the classes too."""

    @abstractmethod
    def _n_outputs(self) -> int:
        """Outputs of the network a sequence, or a step."""

    @abstractmethod
    def _loss(self) -> str:
        """Name of the loss."""

    @abstractmethod
    def _score_outputs(self, outputs: Any, target: Any, weight: Any) -> float:
        """The validation score of outputs (n, n_outputs) against encoded targets (n, ...) with weights (n,)."""

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        if not self.warm_start:
            state = {name: value for name, value in state.items() if name != "_optimizer_state"}
        return state

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "net_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.allow_nan = self.missing == "mask"
        tags.input_tags.three_d_array = True
        tags.non_deterministic = False
        return tags
