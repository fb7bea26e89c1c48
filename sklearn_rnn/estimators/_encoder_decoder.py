"""Sequences into sequences of their own length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from sklearn_rnn._snapshots import of_one_fit
from sklearn_rnn._warning import warn
from sklearn_rnn.data.formats import object_array
from sklearn_rnn.data.inputs import Inputs
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.weights import validate_weights
from sklearn_rnn.estimators._docs import documented
from sklearn_rnn.estimators._options import check_counts, seed_of
from sklearn_rnn.estimators._transducing import Transducing
from sklearn_rnn.estimators._transduction_reading import TransductionReading
from sklearn_rnn.exceptions import SequenceDataWarning
from sklearn_rnn.metrics import bleu_score, exact_match_score, symbol_error_rate
from sklearn_rnn.targets.continuation import Symbols


@documented
@dataclass(kw_only=True, eq=False, repr=False)
class RNNEncoderDecoder(TransductionReading):
    """Recurrent encoder and decoder with attention: sequences into sequences of another length.

    The encoder reads a source x. The decoder begins where it has ended, and says a target y step by step, each time
    looking at the states of the encoder: ``p(y | x) = prod_t p(y_t | y_1, ..., y_{t-1}, x)`` [sutskever]_. Training
    shows it the right steps before each (teacher forcing); prediction searches for a probable target, step by step
    or by beams. A source may be a vector in place of a sequence.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    target_classes_ : array of shape (n_classes,)
        The symbols of targets, the end ``"</s>"`` among them; only where they are symbols.
    {attributes}

    See Also
    --------
    RNNSequenceTagger : One label for each step.
    RNNLanguageModel : Sequences without a source.

    References
    ----------
    {references}

    Examples
    --------
    >>> from sklearn_rnn import RNNEncoderDecoder
    >>> X = ["one two", "two three", "three", "one", "three one"] * 6
    >>> y = ["1 2", "2 3", "3", "1", "3 1"] * 6
    >>> model = RNNEncoderDecoder(hidden_size=32, max_epochs=60, random_state=0).fit(X, y)
    >>> model.predict(["two three", "one"]).tolist()
    ['2 3', '1']
    """

    @of_one_fit
    def predict(self, X: Any) -> NDArray[Any]:
        """The target of each source that a search finds: the best step each time, or `num_beams` side by side.

        Parameters
        ----------
        X : list of str, sequences in any supported format, or array of shape (n_sequences, n_features)

        Returns
        -------
        targets : object array of shape (n_sequences,)
            Documents, lists of tokens or arrays of steps, as those of y were.
        """
        return self._written([found[0][0] for found in self._searched(self._read_inputs(X), 1)])

    @of_one_fit
    def predict_nbest(self, X: Any, n: int = 5) -> NDArray[Any]:
        """The `n` best targets of each source that a beam search finds, with their log-probabilities.

        Parameters
        ----------
        X : list of str, sequences in any supported format, or array of shape (n_sequences, n_features)
        n : int, default=5
            At least as many beams are searched.

        Returns
        -------
        candidates : object array of shape (n_sequences,)
            Items are lists of pairs of a target and its log-probability, the best first.
        """
        check_counts(n=n)
        inputs = self._read_inputs(X)
        if not self._says_symbols:
            raise ValueError(
                "predict_nbest searches among symbols, and targets are numbers: predict has the most probable step "
                "each time, sample draws several"
            )
        found = self._searched(inputs, int(n))
        return object_array([[(self._joined(symbols), score) for symbols, score in own] for own in found])

    @of_one_fit
    def predict_log_proba_of(self, X: Any, y: Any) -> NDArray[np.float64]:
        """The log-probability of given targets.

        Parameters
        ----------
        X : list of str, sequences in any supported format, or array of shape (n_sequences, n_features)
        y : targets

        Returns
        -------
        log_probabilities : array of shape (n_sequences,)
            -inf of a target with a symbol that training did not have, with a warning.
        """
        return self._log_likelihoods(*self._read_pairs(X, y))

    @of_one_fit
    def score_samples(self, X: Any, y: Any) -> NDArray[np.float64]:
        """The log-likelihood of each target, given its source; as :meth:`predict_log_proba_of`.

        Parameters
        ----------
        X : list of str, sequences in any supported format, or array of shape (n_sequences, n_features)
        y : targets

        Returns
        -------
        scores : array of shape (n_sequences,)
        """
        return self._log_likelihoods(*self._read_pairs(X, y))

    @of_one_fit
    def sample(
        self,
        X: Any,
        n_samples: int = 1,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float = 1.0,
        random_state: Any = None,
    ) -> NDArray[Any]:
        """Draw targets for each source.

        Parameters
        ----------
        X : list of str, sequences in any supported format, or array of shape (n_sequences, n_features)
        n_samples : int, default=1
            Targets of each source.
        temperature : float, default=1.0
        top_k : int, optional
        top_p : float, default=1.0
            As of :meth:`RNNLanguageModel.sample`.
        random_state : int, RandomState instance or None

        Returns
        -------
        targets : object array of shape (n_sequences,), or (n_sequences, n_samples) for several
        """
        check_counts(n_samples=n_samples)
        options = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
        inputs = self._read_inputs(X)
        if not self._says_symbols and (top_k is not None or top_p != 1):
            raise ValueError("top_k and top_p are about symbols, and targets are numbers: temperature is for these too")
        with self._predictor() as compute:
            drawn = Transducing(self, compute).drawn(inputs, int(n_samples), seed_of(random_state), options)
        flat = self._written([item for own in drawn for item in own])
        return flat if n_samples == 1 else flat.reshape(-1, n_samples)

    @of_one_fit
    def score(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """How good predictions are, as `scoring` says.

        Parameters
        ----------
        X : list of str, sequences in any supported format, or array of shape (n_sequences, n_features)
        y : targets
        sample_weight : array-like of shape (n_sequences,), optional

        Returns
        -------
        score : float
            Greater is better.
        """
        inputs, targets = self._read_pairs(X, y, sample_weight)
        weight = validate_weights(sample_weight, len(inputs))
        if not self._says_symbols:
            return float(weight @ self._log_likelihoods(inputs, targets) / (weight @ (targets.lengths + 1)))
        right = list(targets)
        found = [found[0][0] for found in self._searched(inputs, 1)]
        if self.scoring == "exact":
            return exact_match_score(right, found, sample_weight=weight)
        if self.scoring == "symbol_error_rate":
            return -symbol_error_rate(right, found, sample_weight=weight)
        if sample_weight is not None:
            raise ValueError("scoring='bleu' is that of all sequences together, and has no sample_weight: leave it out")
        return bleu_score(y, self._written(found))

    @of_one_fit
    def attention_weights(self, X: Any, y: Any = None) -> NDArray[Any]:
        """What each step of a target looks at.

        Parameters
        ----------
        X : list of str, or sequences in any supported format
        y : targets, optional
            By default those that are predicted.

        Returns
        -------
        weights : object array of shape (n_sequences,)
            Items of shape (length of the target + 1, length of the source), the last row for the end. Rows sum to 1.
        """
        check_is_fitted(self, "net_")
        if self.attention is None:
            raise ValueError(
                "attention=None looks at nothing, so that there are no attention_weights: fit with attention='general'"
            )
        data = self._encode_pairs(*self._read_pairs(X, self.predict(X) if y is None else y))
        with self._predictor() as compute:
            return object_array(Transducing(self, compute).attended(data))

    @of_one_fit
    def transform(self, X: Any) -> NDArray[np.float64]:
        """Where the encoder ends: a vector for each source.

        Parameters
        ----------
        X : list of str, sequences in any supported format, or array of shape (n_sequences, n_features)

        Returns
        -------
        vectors : array of shape (n_sequences, n_units)
        """
        sequences = self._read(X)
        with self._predictor() as compute:
            vectors = compute(lambda net, x, n: net.representation(x, n), sequences, per_step=False)
        return self._with_ids(vectors, sequences.ids)

    @property
    def _n_features_out(self) -> int:
        return self.module_.output_size

    def _log_likelihoods(self, inputs: Inputs, targets: Sequences) -> NDArray[np.float64]:
        """The log-likelihood (n_sequences,) of targets."""
        data = self._encode_pairs(inputs, targets)
        with self._predictor() as compute:
            found = Transducing(self, compute).log_likelihoods(data)
        return self._without_unknown(data.target, found)

    def _without_unknown(self, codes: Sequences, found: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log-likelihoods, -inf of targets with symbols that training did not have."""
        following = self.target_.following
        if not isinstance(following, Symbols) or following.knows_unknown:
            return found
        targets = np.repeat(np.arange(len(codes)), codes.lengths)
        n_unknown = np.bincount(targets, codes.values == 0, minlength=len(codes))
        if n_unknown.any():
            warn(
                f"{int(n_unknown.sum())} symbols of y in {np.count_nonzero(n_unknown)} targets were not there in fit: "
                f"the log-probability of these targets is -inf",
                SequenceDataWarning,
            )
        return np.where(n_unknown > 0, -np.inf, found)

    def _searched(self, inputs: Inputs, n: int) -> list[list[tuple[Any, float]]]:
        """For each source at most `n` targets, as lists of symbols or arrays, with their log-probabilities."""
        with self._predictor() as compute:
            return Transducing(self, compute).searched(inputs, n)

    @property
    def _says_symbols(self) -> bool:
        return isinstance(self.target_.following, Symbols)

    def _written(self, targets: list[Any]) -> NDArray[Any]:
        """Targets, lists of symbols or arrays of steps, as the user has them."""
        return object_array([self._joined(target) for target in targets])

    def _joined(self, target: Any) -> Any:
        spelling = self.target_spelling_
        return spelling.write(target) if spelling.documents else target

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.target_tags.one_d_labels = False
        return tags
