"""A label for each step of each sequence."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from sklearn_rnn.data.batching import SequenceDataset
from sklearn_rnn.data.formats import object_array
from sklearn_rnn.data.inputs import Inputs
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.tag_codec import TagCodec, tag_lists, warn_broken_tags
from sklearn_rnn.data.tag_schemes import SCHEMES, closest_scheme
from sklearn_rnn.data.targets import labelled_steps, validate_step_labels, warn_unseen_labels
from sklearn_rnn.data.training_set import TrainingSet
from sklearn_rnn.data.validation import validate_weights
from sklearn_rnn.data.windows import Windows
from sklearn_rnn.estimators._chain import log_probability_of, probability_of_pairs, ranked_paths
from sklearn_rnn.estimators._class_weights import class_weight_vector, refuse_unknown_classes
from sklearn_rnn.estimators._entities import EntityMixin
from sklearn_rnn.estimators._labelled import LabelledRNN
from sklearn_rnn.estimators._parameters import fill_docs
from sklearn_rnn.metrics import flat_accuracy_score, span_f1_score
from sklearn_rnn.training.loop import TrainingResult


@fill_docs()
@dataclass(kw_only=True, eq=False, repr=False)
class RNNSequenceTagger(EntityMixin, LabelledRNN):
    """Recurrent network that labels every step of a sequence.

    Embedded inputs, recurrent layers (vanilla, LSTM or GRU, in one direction or both) and a linear head on each step,
    whose outputs a conditional random field [10]_ joins: the probability of a label sequence is
    ``exp(sum_t (e_t[y_t] + A[y_{t-1}, y_t])) / Z``, with learned scores A of one label after another, and training
    maximises its logarithm. `y` holds for each sequence as many labels as it has steps, strings or integers. The error
    of each label counts the same, whatever the length of its sequence.

    Parameters
    ----------
    {backbone}
    {training}
    class_weight : dict, "balanced" or None, default=None
        Weights of the labels; ``"balanced"`` gives each label the same total weight.
    label_smoothing : float in [0, 1), default=0.0
        Share of each label that is spread evenly over all labels; with the CRF, in the outputs of each step alone.
    decoder : {"crf", "softmax"}, default="crf"
        Whether the scores of one label after another are learned. With ``"softmax"`` each label is predicted by
        itself, and `constrain_transitions` alone joins them. A CRF takes time and memory that grow with the square of
        the number of labels.
    tag_scheme : {"auto", "IOB1", "IOB2", "BIOES", "BILOU"} or None, default="auto"
        How labels mark spans; ``"auto"`` finds out, and None says that they do not.
    train_scheme : {"BIOES", "BILOU"} or None, default=None
        A scheme that the tags are turned into for training; predictions come in the scheme of y.
    constrain_transitions : bool, default=True
        Whether only label sequences that the scheme of the tags allows are possible.
    ignore_label : str, int or None, default=None
        A value of y that marks a step without a label: left out of scoring and never predicted. In training the
        likelihood is that of all labels that may stand there.
    stride : int or None, default=None
        With `max_length`: cut longer sequences into windows of that length whose starts are `stride` steps apart. In
        prediction each step takes its outputs from the window in which it is farthest from an end; the best label
        sequence is then found for the whole. Steps in several windows count in training as often.
    scoring : {"accuracy", "span_f1"}, default="accuracy"
        What `score` and `validation_scores_` are: the share of steps that are right, or the F1 of spans.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        The labels.
    tag_scheme_ : str or None
        The scheme of the labels.
    transitions_ : DataFrame
        The learned scores of one label after another.
    codec_ : TagCodec
        What the labels of y are to the decoder.
    {fitted}

    See Also
    --------
    RNNClassifier : One label for a whole sequence.

    Notes
    -----
    `max_length` cuts the sequences that the tagger is fitted to; predictions cover every step.

    With `class_weight` the steps of a sequence differ in their weights. Each then counts with the log-probability of
    its label given the labels before it, the sum of which over a sequence is its log-likelihood.

    References
    ----------
    {references}
    .. [10] Lafferty, J., McCallum, A. and Pereira, F. (2001). Conditional random fields. ICML.

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

    decoder: str = "crf"
    tag_scheme: str | None = "auto"
    train_scheme: str | None = None
    constrain_transitions: bool = True
    ignore_label: str | int | None = None
    stride: int | None = None
    scoring: str = "accuracy"

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **LabelledRNN._parameter_constraints,
        "decoder": [StrOptions({"crf", "softmax"})],
        "tag_scheme": [StrOptions({"auto", *SCHEMES}), None],
        "train_scheme": [StrOptions({"BIOES", "BILOU"}), None],
        "constrain_transitions": ["boolean"],
        "ignore_label": [str, Integral, None],
        "stride": [Interval(Integral, 1, None, closed="left"), None],
        "scoring": [StrOptions({"accuracy", "span_f1"})],
    }
    _allow_empty: ClassVar[bool] = True
    _pooled: ClassVar[bool] = False

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable label sequence (Viterbi), or without a chain the most probable label of each step.

        Parameters
        ----------
        X : sequences in any supported format

        Returns
        -------
        labels : object array of shape (n_sequences,)
            Items are lists of labels, one for each step; of an empty sequence an empty list.
        """
        return tag_lists(self._codec.decode(self._best_labels(self._emissions(X))))

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """The probability of each label at each step: its marginal over all label sequences (forward-backward).

        Parameters
        ----------
        X : sequences in any supported format

        Returns
        -------
        probabilities : object array of shape (n_sequences,)
            Items of shape (length_i, n_classes), in the order of ``classes_``. Rows sum to 1.
        """
        emissions = self._emissions(X)
        marginals = self._outputs(emissions, lambda net, x, n: net.label_marginals(x, n), per_step=True)
        probabilities = marginals @ self._codec.class_of_label()
        for pairs, opening, inside in self._codec.touching():
            touching = self._probability_of_pairs(emissions, pairs)
            probabilities[:, opening] += touching
            if inside >= 0:
                probabilities[:, inside] -= touching
        return object_array(list(emissions.with_values(probabilities)))

    def predict_nbest(self, X: Any, n: int = 5) -> NDArray[Any]:
        """The `n` most probable label sequences of each sequence, with their probabilities.

        Parameters
        ----------
        X : sequences in any supported format
        n : int, default=5

        Returns
        -------
        candidates : object array of shape (n_sequences,)
            Items are lists of at most `n` pairs of a list of labels and its probability, the most probable first;
            fewer where there are fewer label sequences.

        Raises
        ------
        ValueError
            If `n` is less than 1.
        """
        if not isinstance(n, Integral) or n < 1:
            raise ValueError(f"n={n!r} must be an int of at least 1")
        emissions = self._emissions(X)
        found = self._outputs(emissions, lambda net, x, k: ranked_paths(net, x, k, int(n)), per_step=True)
        # shape: (total_steps, 2, n), codes and the log-probability of their path
        tags = [self._codec.decode(emissions.with_values(found[:, 0, k].astype(np.int64))) for k in range(int(n))]
        ranked = emissions.with_values(found[:, 1])
        candidates = []
        for i, length in enumerate(emissions.lengths):
            if length == 0:
                candidates.append([([], 1.0)])
                continue
            valid = np.flatnonzero(ranked[i][0] > -np.inf)  # of a long sequence a probability may round to 0
            candidates.append([(tags[k][i].tolist(), float(np.exp(ranked[i][0, k]))) for k in valid])
        return object_array(candidates)

    def predict_log_proba_of(self, X: Any, y: Any) -> NDArray[np.float64]:
        """The log-probability of given label sequences.

        Parameters
        ----------
        X : sequences in any supported format
        y : label sequences
            Steps with `ignore_label` may have any label: the probability is that of all completions together.

        Returns
        -------
        log_probabilities : array of shape (n_sequences,)
            -inf for a label that training did not have, or that may not stand where it does.
        """
        check_is_fitted(self, "net_")
        inputs = self._read_raw(X, reset=False)
        tags = validate_step_labels(y, inputs)
        labelled = labelled_steps(tags, self.ignore_label)
        if self._codec.scheme == "IOB1" and self._codec.train_scheme is not None and not labelled.all():
            raise ValueError("y has steps with ignore_label: with train_scheme every step of IOB1 tags needs a label")
        codes = self._codec.encode(tags, labelled, repair=False)
        emissions = self._emissions(X)
        rows = emissions.with_values(np.column_stack([emissions.values, codes.values]))
        sets = np.concatenate([self._codec.label_sets, np.zeros((1, len(self._codec.labels)), dtype=bool)])
        return self._outputs(
            rows, lambda net, x, n: log_probability_of(net, x, n, torch.from_numpy(sets)), per_step=False
        )

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
            return self._span_f1(truth, predicted, weight)
        return flat_accuracy_score(truth, predicted, sample_weight=weight, ignore_label=self.ignore_label)

    @property
    def transitions_(self) -> Any:
        """The scores of one label after another, as a DataFrame.

        A row for each label and one for ``"<start>"``; a column for each label and one for ``"<end>"``. ``-inf`` is
        forbidden; without a learned chain all else is 0.
        """
        import pandas as pd

        chain = self._chain_scores()
        labels = [str(label) for label in self._codec.labels.tolist()]
        n_labels = len(labels)
        table = np.full((n_labels + 1, n_labels + 1), -np.inf)
        table[:n_labels, :n_labels] = chain[:n_labels]
        table[n_labels, :n_labels] = chain[n_labels]
        table[:n_labels, n_labels] = chain[n_labels + 1]
        return pd.DataFrame(table, index=[*labels, "<start>"], columns=[*labels, "<end>"])

    def _chain_scores(self) -> NDArray[np.float64]:
        """Scores (n_labels + 2, n_labels) of the fitted chain: transitions, then start, then end."""
        assert self.module_.chain is not None
        scores = self.module_.chain().detach().cpu().double().numpy()
        return np.array(scores)

    @property
    def _codec(self) -> TagCodec:
        check_is_fitted(self, "net_")
        return self.codec_

    def _emissions(self, X: Any) -> Sequences:
        """Logits of the labels at each step; of a long sequence from overlapping windows, if `stride` says so."""
        rows = self._read(X)
        spec = self.input_spec_
        if self.stride is None or spec.max_length is None or rows.lengths.max() <= spec.max_length:
            return rows.with_values(self._step_logits(rows))
        windows = Windows.over(rows.offsets, spec.max_length, self._checked_stride())
        return rows.with_values(windows.stitch(self._step_logits(windows.of(rows)), int(rows.offsets[-1])))

    def _step_logits(self, rows: Sequences) -> NDArray[np.float64]:
        """Logits (total_steps, n_labels) of encoded sequences."""
        return self._outputs(rows, lambda net, x, n: net.outputs_of(x, n), per_step=True)

    def _best_labels(self, emissions: Sequences) -> Sequences:
        """Codes of the labels of the best label sequences."""
        codes = self._outputs(emissions, lambda net, x, n: net.best_labels(x, n), per_step=True)
        return emissions.with_values(codes.astype(np.int64))

    def _probability_of_pairs(self, emissions: Sequences, pairs: NDArray[np.bool_]) -> NDArray[np.float64]:
        """The probability (total_steps,) that the label before a step and its own are one of `pairs`."""
        wanted = torch.from_numpy(pairs)
        return self._outputs(emissions, lambda net, x, n: probability_of_pairs(net, x, n, wanted), per_step=True)

    def _span_f1(self, truth: Sequences, predicted: Any, weight: NDArray[np.float64] | None) -> float:
        scheme = self.codec_.scheme or "auto"
        return float(
            span_f1_score(truth, predicted, scheme=scheme, sample_weight=weight, ignore_label=self.ignore_label)
        )

    def _checked_stride(self) -> int:
        if self.max_length is None or self.stride is None or self.stride > self.max_length:
            raise ValueError(f"stride={self.stride!r} needs a max_length of at least as much, got {self.max_length!r}")
        return self.stride

    def _cut(self, data: TrainingSet) -> TrainingSet:
        """Windows of long sequences, or with `stride` None one end of each, as far as they hold a label."""
        if self.max_length is None and self.stride is None:
            return data
        if self.stride is None:
            sequences, target = (
                part.truncate(self.max_length, cut=self.truncate) for part in (data.sequences, data.target)
            )
            parts = TrainingSet(sequences, target, data.weight)
        else:
            windows = Windows.over(data.sequences.offsets, int(self.max_length or 0), self._checked_stride())
            parts = TrainingSet(windows.of(data.sequences), windows.of(data.target), data.weight[windows.sequence])
        labelled = np.concatenate([[0], np.cumsum(parts.target.values != len(self.codec_.labels))])
        return parts.take(np.flatnonzero(np.diff(labelled[parts.target.offsets]))).merged()

    def _validate_target(self, y: Any, inputs: Inputs) -> Sequences:
        return validate_step_labels(y, inputs)

    def _has_target(self, target: Sequences) -> NDArray[np.bool_]:
        labelled = np.concatenate([[0], np.cumsum(labelled_steps(target, self.ignore_label))])
        if labelled[-1] == 0:
            raise ValueError(f"y holds no label: every step carries ignore_label={self.ignore_label!r}")
        return np.diff(labelled[target.offsets]) > 0

    def _learn_target(self, data: TrainingSet, classes: Any) -> None:
        labelled = labelled_steps(data.target, self.ignore_label)
        self.codec_ = TagCodec.learn(
            data.target,
            labelled,
            classes=None if classes is None else np.unique(np.asarray(classes)),
            tag_scheme=self.tag_scheme,
            train_scheme=self.train_scheme,
            constrain=self.constrain_transitions,
            open_ends=self.max_length is not None and bool(data.target.lengths.max() > self.max_length),
        )
        spans = data.target.with_values(np.where(labelled, data.target.values.astype(object), "O"))
        if self.scoring == "span_f1" and closest_scheme(spans) is None:
            raise ValueError(
                f"scoring='span_f1' needs labels that mark spans ({', '.join(SCHEMES)}), y holds "
                f"{self.codec_.classes.tolist()[:5]!r}: set scoring='accuracy'"
            )
        self.classes_ = self.codec_.classes
        self.tag_scheme_ = self.codec_.scheme

    def _refuse_unknown_labels(self, target: Sequences) -> None:
        labelled = labelled_steps(target, self.ignore_label)
        refuse_unknown_classes(target.values[labelled], self.classes_)
        broken = self.codec_.count_broken(target, labelled)
        if broken:
            warn_broken_tags(broken, str(self.tag_scheme_))

    def _encode_target(self, target: Sequences, *, training: bool) -> Sequences:
        """Codes of the labels; outside `training` -1 for one that is new, or may not stand where it does."""
        labelled = labelled_steps(target, self.ignore_label)
        codes = self.codec_.encode(target, labelled, repair=training)
        unseen = set(target.values[labelled].tolist()) - set(self.classes_.tolist())
        if unseen:
            warn_unseen_labels(sorted(unseen))
        return codes

    def _to_dataset(self, data: TrainingSet, device: torch.device, *, training: bool) -> SequenceDataset:
        n_labels, n_sets = len(self.codec_.labels), len(self.codec_.label_sets)
        codes = np.where(data.target.values >= 0, data.target.values, n_sets)
        labelled = codes != n_labels
        weight = np.repeat(data.weight, data.sequences.lengths) * labelled
        if training and self.class_weight is not None:
            of_step = self.codec_.class_codes(data.target.with_values(codes))[labelled]
            vector = class_weight_vector(self.class_weight, self.classes_, of_step, weight[labelled])
            weight[labelled] *= vector[of_step]
        if not weight.any():
            raise ValueError(
                f"no step has a weight in the {'training' if training else 'validation'} data: every label is new, or "
                f"has weight 0 in class_weight={self.class_weight!r}"
            )
        weight = (weight * (len(data) / weight.sum())).astype(self._stored_dtype)
        return SequenceDataset(
            TrainingSet(data.sequences, data.target.with_values(codes), data.weight),
            step_weight=data.sequences.with_values(weight),
            dtype=getattr(torch, self._stored_dtype),
            device=device,
        )

    def _network_parameters(self, **parts: Any) -> dict[str, Any]:
        allowed = self.codec_.allowed()
        return {
            **super()._network_parameters(**parts),
            "chain": self.decoder,
            "allowed": None if allowed is None else torch.from_numpy(allowed),
        }

    def _store(self, result: TrainingResult, *, keep_optimizer: bool) -> None:
        super()._store(result, keep_optimizer=keep_optimizer)
        allowed, chain = self.codec_.allowed(closed=True), self.module_.chain
        if self.codec_.open_ends and allowed is not None and chain is not None:
            chain.allowed.copy_(torch.from_numpy(allowed))  # what was cut for training is whole from now on

    def _n_outputs(self) -> int:
        return len(self.codec_.labels)

    def _loss(self, *parts: TrainingSet) -> dict[str, Any]:
        n_labels = len(self.codec_.labels)
        exact = all(np.all((part.target.values >= 0) & (part.target.values < n_labels)) for part in parts)
        sets = np.concatenate([self.codec_.label_sets, np.ones((1, n_labels), dtype=bool)])  # the last has no loss
        return {
            "loss": "chain" if self.decoder == "crf" else "cross_entropy",
            "label_smoothing": self.label_smoothing,
            "label_sets": None if exact else torch.from_numpy(sets),
            "uneven": self.class_weight is not None,
        }

    def _score_outputs(self, outputs: Any, target: Any, weight: Any, lengths: Any) -> float:
        found, wanted = outputs.astype(np.int64), target.astype(np.int64)
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        sets = np.concatenate([self.codec_.label_sets, np.zeros((1, len(self.codec_.labels)), dtype=bool)])
        if self.scoring == "accuracy":
            known = wanted < len(self.codec_.label_sets)
            wanted[~known] = len(self.codec_.labels)
            given, said = (self.codec_.class_codes(Sequences(codes, offsets)) for codes in (wanted, found))
            return float(np.average(known & (given == said), weights=weight))
        exact = np.where(wanted < len(self.codec_.labels), wanted, sets[wanted].argmax(axis=1))
        exact = np.where(weight > 0, exact, found)
        truth, predicted = (self.codec_.decode(Sequences(codes, offsets)) for codes in (exact, found))
        return self._span_f1(truth, predicted, np.maximum.reduceat(weight, offsets[:-1]))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.one_d_labels = False
        return tags
