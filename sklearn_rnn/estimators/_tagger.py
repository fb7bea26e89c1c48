"""A label for each step of each sequence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax
from sklearn.metrics import accuracy_score
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from sklearn_rnn.data.batching import SequenceDataset
from sklearn_rnn.data.formats import object_array
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.targets import labelled_steps, validate_step_labels, warn_unseen_labels
from sklearn_rnn.data.training_set import TrainingSet
from sklearn_rnn.data.validation import validate_weights
from sklearn_rnn.estimators._class_weights import class_weight_vector, refuse_unknown_classes
from sklearn_rnn.estimators._labelled import LabelledRNN
from sklearn_rnn.estimators._parameters import fill_docs
from sklearn_rnn.metrics import flat_accuracy_score, span_f1_score


@fill_docs()
@dataclass(kw_only=True, eq=False, repr=False)
class RNNSequenceTagger(LabelledRNN):
    """Recurrent network that labels every step of a sequence.

    An optional embedding, recurrent layers (vanilla, LSTM or GRU, in one direction or both) and a linear head on each
    step, trained on the cross-entropy of the labels. `y` holds for each sequence
    as many labels as it has steps, strings or integers. The error of each label counts the same, whatever the length of
    its sequence.

    Parameters
    ----------
    {backbone}
    {training}
    class_weight : dict, "balanced" or None, default=None
        Weights of the labels; ``"balanced"`` gives each label the same total weight.
    label_smoothing : float in [0, 1), default=0.0
        Share of each label that is spread evenly over all labels.
    ignore_label : str, int or None, default=None
        A value of y that marks a step without a label: left out of training and scoring, and never predicted.
    scoring : {"accuracy", "span_f1"}, default="accuracy"
        What `score` returns: the share of steps that are right, or the F1 of the spans that IOB2 tags mark.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        The labels.
    {fitted}

    See Also
    --------
    RNNClassifier : One label for a whole sequence.

    Notes
    -----
    `max_length` cuts the sequences that the tagger is fitted to; predictions cover every step.

    References
    ----------
    {references}

    Examples
    --------
    >>> from sklearn_rnn import RNNSequenceTagger
    >>> X = [["fly", "to", "Oslo"], ["from", "Rome", "to", "Oslo"], ["Rome"]] * 4
    >>> y = [["O", "O", "B-city"], ["O", "B-city", "O", "B-city"], ["B-city"]] * 4
    >>> tagger = RNNSequenceTagger(hidden_size=8, learning_rate=0.02, random_state=0).fit(X, y)
    >>> tagger.predict([["to", "Rome"], []]).tolist()
    [['O', 'B-city'], []]
    >>> tagger.score(X, y)
    1.0
    """

    ignore_label: str | int | None = None
    scoring: str = "accuracy"

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **LabelledRNN._parameter_constraints,
        "ignore_label": [str, int, None],
        "scoring": [StrOptions({"accuracy", "span_f1"})],
    }
    _allow_empty: ClassVar[bool] = True
    _pooled: ClassVar[bool] = False

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable label of each step.

        Parameters
        ----------
        X : sequences in any supported format

        Returns
        -------
        labels : object array of shape (n_sequences,)
            Items are lists of labels, one for each step; of an empty sequence an empty list.
        """
        sequences = self._read(X)
        codes = self._step_logits(sequences).argmax(axis=1)
        labels = sequences.with_values(self.classes_[codes])
        return object_array([part.tolist() for part in labels])

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """The probability of each label at each step.

        Parameters
        ----------
        X : sequences in any supported format

        Returns
        -------
        probabilities : object array of shape (n_sequences,)
            Items of shape (length_i, n_classes), in the order of ``classes_``.
        """
        sequences = self._read(X)
        return object_array(list(sequences.with_values(softmax(self._step_logits(sequences), axis=1))))

    def score(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """The share of steps with the right label, or the F1 of spans, as `scoring` says.

        Parameters
        ----------
        X : sequences in any supported format
        y : label sequences
            Labels that were not there in ``fit`` count as errors, with a warning.
        sample_weight : array-like of shape (n_sequences,), optional
            The weight of each step, or span, of a sequence.

        Returns
        -------
        score : float
        """
        check_is_fitted(self, "net_")
        truth = validate_step_labels(y, self._read_raw(X, reset=False))
        counted = labelled_steps(truth, self.ignore_label)
        unseen = sorted(set(truth.values[counted].tolist()) - set(self.classes_.tolist()))
        if unseen:
            warn_unseen_labels(unseen)
        predicted = self.predict(X)
        weight = None if sample_weight is None else validate_weights(sample_weight, len(truth))
        if self.scoring == "span_f1":
            return span_f1_score(truth, predicted, sample_weight=weight, ignore_label=self.ignore_label)
        return flat_accuracy_score(truth, predicted, sample_weight=weight, ignore_label=self.ignore_label)

    def _step_logits(self, sequences: Sequences) -> NDArray[np.float64]:
        """Logits (total_steps, n_classes) of encoded sequences."""
        return self._outputs(sequences, lambda net, x, n: net(x, n), per_step=True)

    def _validate_target(self, y: Any, sequences: Sequences) -> Sequences:
        return validate_step_labels(y, sequences)

    def _has_target(self, target: Sequences) -> NDArray[np.bool_]:
        labelled = np.concatenate([[0], np.cumsum(labelled_steps(target, self.ignore_label))])
        if labelled[-1] == 0:
            raise ValueError(f"y holds no label: every step carries ignore_label={self.ignore_label!r}")
        return np.diff(labelled[target.offsets]) > 0

    def _learn_target(self, data: TrainingSet, classes: Any) -> None:
        labels = data.target.values[labelled_steps(data.target, self.ignore_label)]
        self.classes_ = np.unique(labels.astype(str) if labels.dtype == object else labels)
        if classes is not None:
            self.classes_ = np.unique(np.asarray(classes))

    def _refuse_unknown_labels(self, target: Sequences) -> None:
        refuse_unknown_classes(target.values[labelled_steps(target, self.ignore_label)], self.classes_)

    def _encode_target(self, target: Sequences) -> Sequences:
        """Codes of the labels; -1 where there is none, or one that training did not have."""
        index = {label: code for code, label in enumerate(self.classes_.tolist())}
        values = target.values.tolist()
        codes = np.fromiter((index.get(label, -1) for label in values), np.int64, len(values))
        if np.any((codes < 0) & labelled_steps(target, self.ignore_label)):
            unseen = sorted(set(target.values[labelled_steps(target, self.ignore_label)].tolist()) - set(index))
            warn_unseen_labels(unseen)
        return target.with_values(codes)

    def _to_dataset(self, data: TrainingSet, device: torch.device, *, training: bool) -> SequenceDataset:
        labelled = data.target.values >= 0
        codes = np.where(labelled, data.target.values, 0)
        weight = np.repeat(data.weight, data.sequences.lengths) * labelled
        if training and self.class_weight is not None:
            vector = class_weight_vector(self.class_weight, self.classes_, codes[labelled], weight[labelled])
            weight = weight * vector[codes]
        if not weight.any():
            raise ValueError(
                f"no step has a weight in the {'training' if training else 'validation'} data: every label is new, or "
                f"has weight 0 in class_weight={self.class_weight!r}"
            )
        weight = (weight * (len(data) / weight.sum())).astype(self.dtype)
        return SequenceDataset(
            TrainingSet(data.sequences, data.target.with_values(codes), data.weight),
            step_weight=data.sequences.with_values(weight),
            dtype=getattr(torch, self.dtype),
            device=device,
        )

    def _n_outputs(self) -> int:
        return len(self.classes_)

    def _loss(self) -> str:
        return "cross_entropy"

    def _score_outputs(self, outputs: Any, target: Any, weight: Any) -> float:
        return float(accuracy_score(target, outputs.argmax(axis=1), sample_weight=weight))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.one_d_labels = False
        return tags
