"""Classification of whole sequences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn._snapshots import of_one_fit
from sklearn_rnn.data.conversion import is_sparse
from sklearn_rnn.data.inputs import Inputs
from sklearn_rnn.data.padding import lengths_given
from sklearn_rnn.data.step_shapes import warn_of_label_columns
from sklearn_rnn.data.targets import validate_class_labels
from sklearn_rnn.estimators._docs import documented
from sklearn_rnn.estimators._parameters import extended
from sklearn_rnn.estimators._pooled import PooledRNN
from sklearn_rnn.estimators._scores import ScoredClassifier
from sklearn_rnn.estimators._task_groups import LabelParameters
from sklearn_rnn.targets.classes import Classes, class_target


@documented
@dataclass(kw_only=True, eq=False, repr=False)
class RNNClassifier(ScoredClassifier, LabelParameters, PooledRNN):
    """Recurrent network that classifies sequences.

    An optional embedding, recurrent layers (vanilla, LSTM or GRU, in one direction or both) and convolutions beside
    them, pooling over the steps and a linear head, trained on the cross-entropy. Binary and multiclass labels of any
    type, and multilabel indicator matrices.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        The labels; for multilabel targets the positions of the columns.
    target_kind_ : {"multiclass", "multilabel"}
        Whether a sequence has one label, of two or more, or any number of labels.
    {attributes}

    See Also
    --------
    RNNRegressor : Numbers in place of classes.
    RNNSequenceTagger : A label for each step.

    References
    ----------
    {references}

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_rnn import RNNClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.normal(size=(length, 2)) for length in rng.integers(3, 9, size=60)]
    >>> y = np.array(["up" if x[-1, 0] > x[0, 0] else "down" for x in X])
    >>> clf = RNNClassifier(hidden_size=16, max_epochs=40, random_state=0).fit(X, y)
    >>> clf.classes_
    array(['down', 'up'], dtype='<U4')
    >>> clf.predict_proba(X[:2]).shape
    (2, 2)
    >>> clf.score(X, y) > 0.9
    True
    """

    class_weight: dict[Any, float] | str | None = extended(
        LabelParameters,
        "class_weight",
        "For multilabel targets the dict is about the labels' positions, and weighs the sequences that carry them.",
    )

    @of_one_fit
    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable class of each sequence.

        Parameters
        ----------
        X : sequences in any supported format

        Returns
        -------
        labels : array of shape (n_sequences,), or of 0 and 1 and shape (n_sequences, n_labels)
        """
        return self._learned_target.labels(self._outputs(X))

    @of_one_fit
    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """The logits: of the second class for binary targets, else one for each class or label.

        Parameters
        ----------
        X : sequences in any supported format

        Returns
        -------
        logits : array of shape (n_sequences,) for binary targets, else (n_sequences, n_classes)
        """
        return self._learned_target.decision(self._outputs(X))

    @of_one_fit
    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """The probability of each class.

        Parameters
        ----------
        X : sequences in any supported format

        Returns
        -------
        probabilities : array of shape (n_sequences, n_classes)
            In the order of ``classes_``. Rows sum to 1, but for multilabel targets.
        """
        return self._learned_target.probabilities(self._outputs(X))

    @of_one_fit
    def predict_log_proba(self, X: Any) -> NDArray[np.float64]:
        """The logarithm of the probability of each class, exact where the probability itself rounds to 0.

        Parameters
        ----------
        X : sequences in any supported format

        Returns
        -------
        log_probabilities : array of shape (n_sequences, n_classes)
        """
        return self._learned_target.log_probabilities(self._outputs(X))

    @of_one_fit
    def staged_predict_proba(self, X: Any) -> Iterator[NDArray[np.float64]]:
        """The probabilities after each step: what would be predicted if the sequences ended there.

        Parameters
        ----------
        X : sequences in any supported format

        Yields
        ------
        probabilities : array of shape (n_sequences, n_classes)
            After the first step, the second, and so on; a sequence that has ended keeps its last.
        """
        for logits in self._staged_logits(X):
            yield self._learned_target.probabilities(logits)

    def _staged_logits(self, X: Any) -> Iterator[NDArray[np.float64]]:
        """The logits (n_sequences, n_outputs) after 1, 2, ... steps; a finished sequence keeps its last.

        In one direction the states of a prefix are those of the whole sequence; in two, and by convolutions, they are
        computed anew.
        """
        sequences = self._read(X)
        longest = int(sequences.lengths.max())
        both_ways = self.module_.looks_ahead
        if not both_ways:
            with self._predictor() as compute:
                states = compute(lambda net, x, n: net.hidden_states(x, n), sequences, per_step=True)
            sequences = sequences.with_values(states)
        for t in range(1, longest + 1):
            with self._predictor() as compute:  # not for all steps: between them the caller's settings hold
                yield compute(
                    lambda net, x, n: net(x, n) if both_ways else net.head(x, n),
                    sequences.truncate(t),
                    per_step=False,
                )

    def _read_target(self, y: Any, inputs: Inputs, fitted: Classes | None) -> tuple[Classes, Any]:
        lengths = lengths_given(inputs)
        labels, kind = validate_class_labels(y, len(inputs), lengths)
        if fitted is None and kind == "multilabel" and not is_sparse(y):
            warn_of_label_columns(labels.shape, lengths)
        target = replace(class_target(labels, fitted), class_weight=self.class_weight)
        return target, labels

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
