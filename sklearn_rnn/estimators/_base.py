"""The one template that every estimator is fitted by."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import _clone_parametrized, _fit_context
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sklearn_rnn._compat import CallbackSupportMixin
from sklearn_rnn._snapshots import learned, of_one_fit, put_in_place, snapshot
from sklearn_rnn._spelling import knows_parameters
from sklearn_rnn.data.batching import SequenceDataset
from sklearn_rnn.data.embeddings import EmbeddingTable, load_embeddings
from sklearn_rnn.data.formats import object_array
from sklearn_rnn.data.row_order import check_beside
from sklearn_rnn.data.training_set import TrainingSet
from sklearn_rnn.estimators._convolution_groups import check_convolutions
from sklearn_rnn.estimators._defaults import DEFAULT_EMBEDDING_DIM, Facts
from sklearn_rnn.estimators._fit_callbacks import EpochScores, FitTasks
from sklearn_rnn.estimators._ngram_groups import check_ngrams
from sklearn_rnn.estimators._reading import ReadingRNN
from sklearn_rnn.estimators._splitting import split_validation
from sklearn_rnn.estimators._transfer import PretrainedNetwork
from sklearn_rnn.networks.losses import Loss, LossSettings, WeightedLoss
from sklearn_rnn.networks.network import RecurrentNetwork
from sklearn_rnn.training.compute import compute_settings, explain_out_of_memory, resolve_device
from sklearn_rnn.training.distributed import current_world, join_world
from sklearn_rnn.training.inference import Predictor
from sklearn_rnn.training.loop import TrainingOptions, TrainingResult, build_net, resume, train


@dataclass(kw_only=True, eq=False, repr=False)
class BaseRNN(CallbackSupportMixin, ReadingRNN):
    """``fit`` and what all estimators do with hidden states; a subclass knows its target.

    A subclass is a dataclass too: its fields are its constructor parameters, and only assigned.
    """

    @knows_parameters
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
            A weight of 2 is a repeated sequence, a weight of 0 an absent one. Where there is a target a step, also
            ragged: for each sequence the weights of its steps.
        X_val, y_val : like X and y, optional
            Validation data: scored after each epoch, and what `early_stopping` looks at. In a Pipeline it is
            transformed as X is only with ``Pipeline(..., transform_input=["X_val"])`` and metadata routing.
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
            If the loss, weights or predictions turn NaN or infinite.
        OutOfMemoryError
            If a batch does not fit into memory.
        KeyboardInterrupt
            If it is interrupted. After any error the estimator is what it was before.
        """
        given = (X_val, y_val, sample_weight_val)
        validation = None if all(part is None for part in given) else given
        going_on = self.warm_start and hasattr(self, "net_")
        tasks = FitTasks(self, X, y, sample_weight)
        with self._fitting() as aside:
            aside._fit(X, y, sample_weight, validation, groups, tasks, reset=not going_on)
        return self

    @knows_parameters
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: Any, y: Any, classes: ArrayLike | None = None, *, sample_weight: ArrayLike | None = None
    ) -> Any:
        """Run one epoch over more data, going on from the present weights.

        Parameters
        ----------
        X : sequences in any supported format
        y : array-like
            The targets, as in ``fit``. Numbers are scaled as those of the first call are.
        classes : array-like of shape (n_classes,), optional
            All labels that will ever come; wanted at the first call if its y lacks some. Numbers have none.
        sample_weight : array-like, optional
            As in ``fit``.

        Returns
        -------
        self : estimator
        """
        going_on = hasattr(self, "net_")
        tasks = FitTasks(self, X, y, sample_weight)
        with self._fitting() as aside:
            aside._fit(X, y, sample_weight, None, None, tasks, reset=not going_on, classes=classes, partial=True)
        return self

    @of_one_fit
    def transform_steps(self, X: Any) -> NDArray[Any]:
        """The hidden state after each step.

        Parameters
        ----------
        X : sequences in any supported format

        Returns
        -------
        states : object array of shape (n_sequences,)
            Items of shape (length_i, n_units), of the last layer; with `bidirectional`, the forward states first.
            The features of `conv_branch` stand behind them, and steps that `conv_stride` made one of have one state.
            A classifier or regressor has no states for steps beyond `max_length`.
        """
        sequences = self._read(X)
        with self._predictor() as compute:
            states = compute(lambda net, x, n: net.hidden_states(x, n), sequences, per_step=True)
        return object_array(list(sequences.with_values(states)))

    @property
    def _learned_target(self) -> Any:
        """What outputs mean to a fitted estimator."""
        check_is_fitted(self, "net_")
        return self.target_

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
        tasks: FitTasks,
        *,
        reset: bool,
        classes: Any = None,
        partial: bool = False,
    ) -> None:
        """Validate, learn, encode, build, train and store: all of ``fit`` and ``partial_fit``."""
        random_state = current_world().shared(check_random_state(self.random_state))
        device = current_world().own_device(resolve_device(self.device))
        self._layer_sizes()
        splitting = random_state if self.early_stopping and validation is None and not partial else None
        data, held_out, split = self._learn(
            X,
            y,
            sample_weight,
            groups,
            reset=reset,
            classes=classes,
            splitting=splitting,
            partial=partial,
        )
        if validation is not None:
            held_out = self._read_validation_set(*validation)
        self._look_at_scales(data, None if validation is None else held_out, reset=reset)
        scores = EpochScores(self, X, y, validation, split)
        target = self.target_
        data = target.cut(data).spread()
        criterion = target.criterion(data) if held_out is None else target.criterion(data, held_out)
        training = self._to_dataset(data, device, training=True)
        validation_set = None if held_out is None else self._to_dataset(held_out, device, training=False)
        options = self._training_options(device, random_state, partial=partial, clock=tasks.clock)
        tasks.begin(self, options.max_epochs)
        with compute_settings(1, self.engine), explain_out_of_memory():
            net = self._build_net(criterion, options, training, validation_set, scores, reset=reset)
        network = net.module_
        by_torch = options.autocast or network.convolves or network.backbone.left_to_torch(self.engine)
        settings = compute_settings(self.n_threads, self.engine, recurrent_by_torch=by_torch, verbose=int(self.verbose))
        with settings, explain_out_of_memory():
            result = train(
                net,
                training,
                options,
                validated=validation_set is not None,
                run_epoch=tasks.run_epoch,
                predict=getattr(target, "predictions", None),
            )
        self._store(result, keep_optimizer=partial or self.warm_start)
        tasks.end(self.net_)

    def _learn(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        groups: Any,
        *,
        reset: bool,
        classes: Any,
        splitting: np.random.RandomState | None,
        partial: bool,
    ) -> tuple[TrainingSet, TrainingSet | None, tuple[NDArray[Any], NDArray[Any]] | None]:
        """Read, split, merge equal samples, decide what is "auto", learn the encoding and the target, and encode.

        Returns
        -------
        training : TrainingSet
        held_out : TrainingSet or None
            The part set aside, if `splitting` is there to draw it.
        split : (array, array) or None
            The rows of X in either part, if there are two.
        """
        check_beside(X, y, {"sample_weight": sample_weight, "groups": groups})
        target, whole = self._read_examples(X, y, sample_weight, groups, reset=reset)
        held_out = split = None
        divided = None if splitting is None else target.divided(whole, self.validation_fraction)
        if splitting is None:
            data = replace(whole, groups=None).merged()
        elif divided is not None:
            data, held_out = divided
        else:
            rows = split_validation(whole, self.validation_fraction, target.strata, splitting)
            data, held_out = (whole.merged(part) for part in rows)
            if whole.rows is not None:
                split = whole.rows[rows[0]], whole.rows[rows[1]]
        target = self._resolve_auto(Facts.of(data, self.input_spec_, target), target, reset=reset, partial=partial)
        if reset:
            self._learn_encoding(data)
            target.learn(whole, data, classes, self.encoding_)
        else:
            target.check_classes(classes)
        target.refuse_unknown(whole.target)
        self.target_: Any = target
        for name, value in target.attributes().items():
            setattr(self, name, value)
        return self._encode_merged(data), None if held_out is None else self._encode_merged(held_out), split

    def _to_dataset(self, data: TrainingSet, device: torch.device, *, training: bool) -> SequenceDataset:
        """Encoded `data` as batches are cut from it, with the weights of the loss."""
        weighed = self.target_.weighed(data, training=training)
        dtype = getattr(torch, self._stored_dtype)
        return SequenceDataset(weighed, self.target_.alignment, dtype=dtype, device=device)

    def _loss_of(self, X: Any, y: Any) -> tuple[SequenceDataset, WeightedLoss]:
        """X and y as batches, and the loss that training would compute of them; empty sequences are left out."""
        check_beside(X, y)
        _, data = self._read_examples(X, y, None, reset=False)
        data = self._encode(data, self.target_)
        batches = self._to_dataset(data, next(self.module_.parameters()).device, training=True)
        return batches, WeightedLoss(*self.target_.criterion(data))

    def _build_net(
        self,
        criterion: tuple[Loss, LossSettings],
        options: TrainingOptions,
        training: SequenceDataset,
        validation: SequenceDataset | None,
        scores: EpochScores,
        *,
        reset: bool,
    ) -> Any:
        """A net that is ready to be trained: with first weights, with pretrained vectors, or with those of before."""
        check_convolutions(self, self.target_.alignment)
        check_ngrams(self, self.encoding_)
        source = None if self.pretrained is None else PretrainedNetwork(self.pretrained)
        vectors = self._load_vectors() if reset else None
        dim = self.embedding_dim if vectors is None else vectors.dim
        if not reset and self.embedding_dim is None:
            dim = self.module_.token_dim
        dim = dim or DEFAULT_EMBEDDING_DIM
        spec = self._network_spec(training.n_features, self.encoding_, dim, self.target_.head(), seed=options.seed)
        net = build_net(
            spec if source is None else source.taken_over(spec, freeze=self.freeze),
            criterion,
            options,
            training=training,
            order=self.target_.order(training=True),
            validation=validation,
            validation_order=self.target_.order(training=False),
            score=None if self.target_.scored_by_loss else self.target_.score,
            evaluate=scores,
        )
        if not reset:
            resume(net, self.net_.module_.state_dict(), getattr(self, "_optimizer_state", None))
        elif source is not None:
            source.load_into(net)
        elif vectors is not None:
            net.module_.inputs.set_vectors(torch.from_numpy(vectors.vectors), torch.from_numpy(vectors.covered))
        return net

    def _load_vectors(self) -> EmbeddingTable | None:
        """The pretrained vectors of the vocabulary, and ``embedding_coverage_``; None without any."""
        self.__dict__.pop("embedding_coverage_", None)
        if self.pretrained_embeddings is None:
            return None
        if self.pretrained is not None:
            raise ValueError("pretrained brings its own vectors of tokens: leave pretrained_embeddings=None beside it")
        if not self.encoding_.vocabularies:
            raise ValueError("pretrained_embeddings needs tokens in X, which holds numbers alone")
        table = load_embeddings(
            self.pretrained_embeddings, self.vocabulary_, expected_dim=self.embedding_dim, case_fallback=True
        )
        self.embedding_coverage_ = table.coverage
        return table

    def _predictor(self) -> Predictor:
        """What computes with the fitted network; a context."""
        autocast = self.dtype == "bfloat16"
        return Predictor(self.module_, n_threads=self.n_threads, engine=self.engine, autocast=autocast)

    def _store(self, result: TrainingResult, *, keep_optimizer: bool) -> None:
        self.net_ = result.net
        self.target_.settle(self.module_.head)
        self.n_iter_ = result.n_iter
        self.stopped_by_ = result.stopped_by
        self.best_epoch_ = result.best_epoch
        self.loss_curve_ = result.loss_curve
        self.validation_scores_ = result.validation_scores
        self.history_ = result.history
        self._optimizer_state = result.optimizer_state if keep_optimizer else None

    @contextmanager
    def _fitting(self) -> Iterator[Any]:
        """A copy to be fitted, whose fit is put in place in one step when it is done; be joined by other processes.

        Whoever predicts meanwhile does so with the fit of before, and so does everybody if this one fails or is
        interrupted. Blocks that the caller is in, without gradients or with autocast, do not reach inside.
        """
        aside = snapshot(self)
        device = resolve_device(self.device)
        with (
            torch.inference_mode(False),
            torch.enable_grad(),
            torch.autocast(device.type, enabled=False),
            join_world(enabled=self.data_parallel, device=device),
        ):
            yield aside
        put_in_place(self, learned(aside))

    def __sklearn_clone__(self) -> Any:
        """A copy that is not fitted; `pretrained`, which is nothing without its fit, is shared, and so are `callbacks`.

        These report to objects of the caller, and fits do not write on them.
        """
        bare = snapshot(self)
        bare.pretrained = bare.callbacks = None
        copy = _clone_parametrized(bare)
        copy.pretrained, copy.callbacks = self.pretrained, self.callbacks
        return copy

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
