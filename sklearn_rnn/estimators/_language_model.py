"""What comes next: probabilities of the next step, of whole sequences, and new ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.metaestimators import available_if

from sklearn_rnn._snapshots import of_one_fit
from sklearn_rnn.data.formats import object_array
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.weights import validate_weights
from sklearn_rnn.estimators._docs import documented
from sklearn_rnn.estimators._generation import GenerationMixin
from sklearn_rnn.estimators._language_reading import LanguageReading


def _has_probabilities(model: RNNLanguageModel) -> bool:
    target = getattr(model, "target_", None)
    if model.output != "gaussian_mixture" if target is None else target.has_probabilities:
        return True
    raise AttributeError(
        "output='gaussian_mixture' has no classes, and so no probabilities: score_steps gives the log-density of "
        "steps, sample draws some"
    )


@documented
@dataclass(kw_only=True, eq=False, repr=False)
class RNNLanguageModel(GenerationMixin, LanguageReading):
    """Recurrent network that says what comes next in a sequence, how probable sequences are, and writes new ones.

    The probability of a sequence is the product of those of its steps given the steps before,
    ``p(x_1, ..., x_n) = prod_t p(x_t | x_1, ..., x_{t-1})`` [rnnlm]_, and training maximises its logarithm. Steps are
    characters or words of documents, tokens, frames of features that are 0 or 1, or real numbers.

    A document has a begin and an end, so that the probabilities of all documents sum to 1. With `stream` the items of
    X are pieces of one sequence that follow each other, and there is no end: the state goes on from piece to piece.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        The symbols that may come next: the vocabulary, behind it ``"</s>"``, the end of a document, and in front of it
        ``"<unk>"`` if training had symbols outside the vocabulary. Only for symbols.
    output_ : {"symbols", "binary", "gaussian_mixture"}
        What a step is.
    {attributes}

    See Also
    --------
    RNNClassifier : Goes on from a language model with its parameter `pretrained`.

    References
    ----------
    {references}

    Examples
    --------
    >>> from sklearn_rnn import RNNLanguageModel
    >>> texts = ["abcabcabc", "abcabc", "abc"] * 10
    >>> lm = RNNLanguageModel(hidden_size=16, max_epochs=60, random_state=0).fit(texts)
    >>> lm.predict(["ab", "abcab"])
    array(['c', 'c'], dtype=object)
    >>> lm.perplexity(["abcabc"]) < lm.perplexity(["bacbca"])
    True
    >>> lm.generate(["ab"], max_new_tokens=1)
    array(['abc'], dtype=object)
    """

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        sample_weight: ArrayLike | None = None,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> RNNLanguageModel:
        """Fit the network.

        Parameters
        ----------
        X : list of str, or sequences in any supported format
            Documents, lists of tokens, frames or series. With `stream` also a single string.
        y : array-like of shape (n_sequences,) or (n_sequences, n_features), optional
            The context of each sequence: a label, or a vector. What is predicted and generated later needs one too.
        sample_weight : array-like of shape (n_sequences,), optional
        X_val, y_val : like X and y, optional
            Validation data, whose log-likelihood is ``validation_scores_``, and what `early_stopping` looks at.
        sample_weight_val : array-like of shape (n_sequences,), optional
        groups : array-like of shape (n_sequences,), optional
            Documents of one group stay on one side of the split that `early_stopping` makes.

        Returns
        -------
        self : RNNLanguageModel

        Raises
        ------
        SequenceDataError
            If X or y cannot be read; the message says where.
        ValueError
            If parameters contradict each other, or there is one symbol only.
        """
        return super().fit(
            X,
            y,
            sample_weight=sample_weight,
            X_val=X_val,
            y_val=y_val,
            sample_weight_val=sample_weight_val,
            groups=groups,
        )

    def partial_fit(self, X: Any, y: Any = None, *, sample_weight: ArrayLike | None = None) -> RNNLanguageModel:
        """Run one epoch over more data, going on from the present weights.

        Parameters
        ----------
        X, y, sample_weight
            As in ``fit``. Symbols that the first call did not have are unknown.

        Returns
        -------
        self : RNNLanguageModel
        """
        return super().partial_fit(X, y, sample_weight=sample_weight)

    @of_one_fit
    def predict(self, X: Any, y: Any = None) -> NDArray[Any]:
        """The most probable next step of each sequence.

        Parameters
        ----------
        X : list of str, or sequences in any supported format
        y : array-like of shape (n_sequences, ...), optional
            The contexts, if there were such in ``fit``.

        Returns
        -------
        steps : array of shape (n_sequences,), or of numbers and shape (n_sequences, n_features)
            Symbols, ``"</s>"`` among them; never the unknown one. Of frames each feature is what is more probable, with
            ``frame_head="chained"`` given those before it; of real numbers it is the centre of the normal distribution
            of the greatest weight. They are NaN where an end is more probable than another step.
        """
        return self._learned_target.best(self._next_outputs(X, y), self.module_.head)

    @available_if(_has_probabilities)
    @of_one_fit
    def predict_proba(self, X: Any, y: Any = None) -> NDArray[np.float64]:
        """The probability of each symbol to come next, or of each feature to be 1.

        Parameters
        ----------
        X : list of str, or sequences in any supported format
        y : array-like of shape (n_sequences, ...), optional

        Returns
        -------
        probabilities : array of shape (n_sequences, n_classes), or of features and shape (n_sequences, n_features)
            In the order of ``classes_``. Those of features are for a step that is not the end; with
            ``frame_head="chained"`` they are means over 1,000 draws, the same in each call. Real numbers have none.
        """
        return self._learned_target.probabilities(self._next_outputs(X, y), self.module_.head)

    @of_one_fit
    def score_steps(self, X: Any, y: Any = None) -> NDArray[Any]:
        """The log-likelihood of each step, in nats.

        Parameters
        ----------
        X : list of str, or sequences in any supported format
        y : array-like of shape (n_sequences, ...), optional

        Returns
        -------
        scores : object array of shape (n_sequences,)
            Items of shape (length_i + 1,), the last one being that of the end; with `stream` of shape (length_i,).
            Of real numbers they are logarithms of densities in the units of X.
        """
        return object_array(list(Sequences(*self._log_likelihoods(X, y))))

    @of_one_fit
    def score_samples(self, X: Any, y: Any = None) -> NDArray[np.float64]:
        """The log-likelihood of each sequence, in nats: low ones are anomalies.

        Parameters
        ----------
        X : list of str, or sequences in any supported format
        y : array-like of shape (n_sequences, ...), optional

        Returns
        -------
        scores : array of shape (n_sequences,)
        """
        return _sums(*self._log_likelihoods(X, y))

    @of_one_fit
    def score(self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None) -> float:
        """The mean log-likelihood of a step, in nats.

        Parameters
        ----------
        X : list of str, or sequences in any supported format
        y : array-like of shape (n_sequences, ...), optional
        sample_weight : array-like of shape (n_sequences,), optional
            That of each step of a sequence.

        Returns
        -------
        score : float
        """
        found, offsets = self._log_likelihoods(X, y)
        weight = np.repeat(validate_weights(sample_weight, len(offsets) - 1), np.diff(offsets))
        return float(np.average(found, weights=weight))

    @of_one_fit
    def perplexity(self, X: Any, y: Any = None) -> float:
        """The exponential of the mean negative log-likelihood of a step: less is better.

        Parameters
        ----------
        X : list of str, or sequences in any supported format
        y : array-like of shape (n_sequences, ...), optional

        Returns
        -------
        perplexity : float
            Of steps as they are here: those of models that split text in other ways are no better or worse by it, see
            :meth:`bits_per_character`.
        """
        return float(np.exp(-np.mean(self._log_likelihoods(X, y)[0])))

    @of_one_fit
    def bits_per_character(self, X: Any, y: Any = None) -> float:
        """The negative log-likelihood of all text, in bits, for each of its characters.

        It compares models that split text into different symbols. Ends of documents cost bits, and are no characters.

        Parameters
        ----------
        X : list of str, or sequences of tokens
        y : array-like of shape (n_sequences, ...), optional

        Returns
        -------
        bits : float

        Raises
        ------
        ValueError
            If X holds no text.
        """
        n_characters = self._count_characters(X)
        return float(-self._log_likelihoods(X, y)[0].sum() / np.log(2) / n_characters)

    @of_one_fit
    def transform(self, X: Any, y: Any = None) -> NDArray[np.float64]:
        """The hidden state after each sequence.

        Parameters
        ----------
        X : list of str, or sequences in any supported format
        y : array-like of shape (n_sequences, ...), optional

        Returns
        -------
        vectors : array of shape (n_sequences, n_units)
        """
        return self._with_ids(self._states_after(X, y), getattr(X, "ids", None))

    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> NDArray[np.float64]:
        """Fit the network, and return the hidden state after each sequence.

        Parameters
        ----------
        X : list of str, or sequences in any supported format
        y : array-like of shape (n_sequences, ...), optional
            The contexts.
        **fit_params : dict
            As in ``fit``.

        Returns
        -------
        vectors : array of shape (n_sequences, n_units)
        """
        vectors: NDArray[np.float64] = self.fit(X, y, **fit_params).transform(X, y)
        return vectors

    @of_one_fit
    def transform_steps(self, X: Any, y: Any = None) -> NDArray[Any]:
        """The hidden state after each step.

        Parameters
        ----------
        X : list of str, or sequences in any supported format
        y : array-like of shape (n_sequences, ...), optional

        Returns
        -------
        states : object array of shape (n_sequences,)
            Items of shape (length_i, n_units), of the last layer.
        """
        inputs, read = self._opened(X, y)
        with self._predictor() as compute:
            states = compute.in_pieces(lambda net, hidden, n: hidden, read)
        kept = np.ones(len(states), dtype=bool)
        kept[read.offsets[:-1]] = False  # the state after the begin
        return object_array(list(inputs.with_values(states[kept])))

    @property
    def _n_features_out(self) -> int:
        return self.module_.output_size

    def _next_outputs(self, X: Any, y: Any) -> Any:
        """Outputs (n_sequences, n_outputs) of the head after each sequence, a tensor."""
        return self._head_outputs(self._states_after(X, y))

    def _states_after(self, X: Any, y: Any) -> NDArray[np.float64]:
        """The hidden state (n_sequences, units) after each sequence."""
        inputs, read = self._opened(X, y)
        with self._predictor() as compute:
            if not self.stream:
                return compute.after(read, carried=False)
            ends = np.concatenate([[0], inputs.offsets[1:] + 1])  # the begin goes in front of the first piece
            return compute.after(Sequences(read.values, ends), carried=True)

    def _log_likelihoods(self, X: Any, y: Any) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """The log-likelihood of each step of all sequences, and where each sequence begins among them."""
        inputs, data = self._read_continued(X, y)
        target = self.target_
        target.warn_of_unknown(data.target)
        with self._predictor() as compute:
            found = compute.in_pieces(
                lambda net, hidden, n, following: target.log_likelihood(net.head(hidden, n), following, net.head),
                data.sequences,
                data.target.values,
            )
        return found, inputs.offsets if self.stream else data.target.offsets

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        tags.input_tags.string = True
        return tags


def _sums(values: NDArray[np.float64], offsets: NDArray[np.int64]) -> NDArray[np.float64]:
    """The sum (n_sequences,) of the `values` (total_steps,) of each sequence."""
    return np.asarray(np.bincount(np.repeat(np.arange(len(offsets) - 1), np.diff(offsets)), values, len(offsets) - 1))
