"""A label for each step of each sequence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from sklearn_rnn._snapshots import of_one_fit
from sklearn_rnn.data.formats import object_array
from sklearn_rnn.data.inputs import Inputs
from sklearn_rnn.data.padding import cut_alike
from sklearn_rnn.data.row_order import check_order
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.targets import validate_step_labels
from sklearn_rnn.data.windows import Windows
from sklearn_rnn.estimators._docs import documented
from sklearn_rnn.estimators._entities import EntityMixin
from sklearn_rnn.estimators._parameters import extended, record_of
from sklearn_rnn.estimators._task_groups import LabelParameters, TagParameters
from sklearn_rnn.estimators._whole import WholeSequenceRNN
from sklearn_rnn.targets.tag_codec import tag_lists
from sklearn_rnn.targets.tags import NO_CODEC, Tags
from sklearn_rnn.training.inference import Predictor


@documented
@dataclass(kw_only=True, eq=False, repr=False)
class RNNSequenceTagger(EntityMixin, TagParameters, LabelParameters, WholeSequenceRNN):
    """Recurrent network that labels every step of a sequence.

    Embedded inputs, recurrent layers (vanilla, LSTM or GRU, in one direction or both) and a linear head on each step,
    whose emissions a conditional random field [crf]_ joins: the probability of a label sequence is
    ``exp(sum_t (e_t[y_t] + A[y_{t-1}, y_t])) / Z``, with learned scores A of one label after another, and training
    maximises its logarithm. `y` holds for each sequence as many labels as it has steps, strings or integers. The error
    of each label counts the same, whatever the length of its sequence.

    Parameters
    ----------
    {parameters}

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
    {attributes}

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

    Examples
    --------
    >>> from sklearn_rnn import RNNSequenceTagger
    >>> X = [["fly", "to", "Oslo"], ["from", "Rome", "to", "Oslo"], ["Rome"]] * 4
    >>> y = [["O", "O", "B-city"], ["O", "B-city", "O", "B-city"], ["B-city"]] * 4
    >>> tagger = RNNSequenceTagger(max_epochs=30, random_state=0).fit(X, y)
    >>> tagger.predict([["to", "Rome"], []]).tolist()
    [['O', 'B-city'], []]
    >>> tagger.score(X, y)
    1.0
    """

    label_smoothing: float | str = extended(
        LabelParameters, "label_smoothing", "With the CRF, in the emissions of each step alone."
    )

    _allow_empty: ClassVar[bool] = True

    @of_one_fit
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
        return tag_lists(self._decide(self._read_inputs(X)), self.codec_.spelling)

    @of_one_fit
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
        inputs = self._read_inputs(X)
        with self._predictor() as compute:
            emissions = self._emissions(compute, inputs)
            marginals = compute(lambda net, x, n: net.head.label_marginals(x, n), emissions, per_step=True)
            of_pairs = [self._probability_of(pairs, compute, emissions) for pairs, *_ in self.codec_.touching()]
        return object_array(list(emissions.with_values(self.target_.class_probabilities(marginals, of_pairs))))

    @of_one_fit
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
        inputs = self._read_inputs(X)
        with self._predictor() as compute:
            emissions = self._emissions(compute, inputs)
            found = compute(lambda net, x, k: net.head.ranked_paths(x, k, int(n)), emissions, per_step=True)
        return object_array(self.target_.candidates(emissions, found))

    @of_one_fit
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
        check_order(X, {"y": y})
        inputs, codec = self._read_inputs(X), self.codec_
        target, tags = self._read_target(y, inputs, self.target_)
        labelled = target.labelled(tags)
        if codec.scheme == "IOB1" and codec.train_scheme is not None and not labelled.all():
            raise ValueError("y has steps with ignore_label: with train_scheme every step of IOB1 tags needs a label")
        codes = codec.encode(tags, labelled, repair=False).values
        sets = torch.from_numpy(target.code_sets(of_new=False))
        with self._predictor() as compute:
            emissions = self._emissions(compute, inputs)
            return compute(
                lambda net, x, n, y: net.head.log_probability_of(x, n, y, sets), emissions, codes, per_step=False
            )

    @of_one_fit
    def score(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """The share of steps with the right label, or the F1 of spans, as `scoring` says.

        Parameters
        ----------
        X : sequences in any supported format
        y : label sequences
            Labels that were not there in ``fit`` count as errors, with a warning.
        sample_weight : array-like of shape (n_sequences,), optional
            The weight of each step, or span, of a sequence. For the share of steps also ragged: for each sequence the
            weights of its steps.

        Returns
        -------
        score : float
        """
        check_order(X, {"y": y, "sample_weight": sample_weight})
        inputs = self._read_inputs(X)
        target, truth = self._read_target(y, inputs, self.target_)
        labelled = target.labelled(truth)
        if not target.warn_of_other_scheme(truth, labelled):
            target.warn_unseen(truth, labelled)
        return target.score_labels(truth, self._decide(inputs), cut_alike(sample_weight, inputs))

    @property
    @of_one_fit
    def transitions_(self) -> Any:
        """The scores of one label after another, as a DataFrame.

        A row for each label and one for ``"<start>"``; a column for each label and one for ``"<end>"``. ``-inf`` is
        forbidden; without a learned chain all else is 0.
        """
        return self._learned_target.transitions(self._chain_scores())

    def _chain_scores(self) -> NDArray[np.float64]:
        """Scores (n_labels + 2, n_labels) of the fitted chain: transitions, then start, then end."""
        return np.array(self.net_.module_.head.chain().detach().cpu().double().numpy())

    def _decide(self, inputs: Inputs) -> Sequences:
        """The labels (total_steps,) of checked inputs, as the codec spells them."""
        with self._predictor() as compute:
            codes = self._best_labels(compute, self._emissions(compute, inputs))
        return self.codec_.decode(codes)

    def _emissions(self, compute: Predictor, inputs: Inputs) -> Sequences:
        """Emissions of the labels at each step; of a long sequence from overlapping windows, if `stride` says so."""

        def emissions_of(rows: Sequences) -> NDArray[np.float64]:
            return compute(lambda net, x, n: net(x, n), rows, per_step=True)

        rows, spec = self._encode_steps(inputs), self.input_spec_
        if self.stride is None or spec.max_length is None or rows.lengths.max() <= spec.max_length:
            return rows.with_values(emissions_of(rows))
        stride = replace(self.target_, max_length=self.max_length, stride=self.stride).checked_stride()
        windows = Windows.over(rows.offsets, spec.max_length, stride)
        return rows.with_values(windows.stitch(emissions_of(windows.of(rows)), int(rows.offsets[-1])))

    def _probability_of(
        self, pairs: NDArray[np.bool_], compute: Predictor, emissions: Sequences
    ) -> NDArray[np.float64]:
        """The probability (total_steps,) that the label before a step and its own are one of `pairs`."""
        wanted = torch.from_numpy(pairs)
        return compute(lambda net, x, n: net.head.probability_of_pairs(x, n, wanted), emissions, per_step=True)

    def _best_labels(self, compute: Predictor, emissions: Sequences) -> Sequences:
        """Codes of the labels of the best label sequences."""
        codes = compute(lambda net, x, n: net.head.best_labels(x, n), emissions, per_step=True)
        return emissions.with_values(codes.astype(np.int64))

    def _read_target(self, y: Any, inputs: Inputs, fitted: Tags | None) -> tuple[Tags, Sequences]:
        target = record_of(Tags, self, codec=NO_CODEC if fitted is None else fitted.codec)
        return target, target.read(validate_step_labels(y, inputs), fitted=fitted is not None)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.one_d_labels = False
        return tags
