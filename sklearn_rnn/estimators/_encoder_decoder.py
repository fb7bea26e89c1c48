"""Sequences into sequences of their own length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sklearn_rnn._snapshots import of_one_fit
from sklearn_rnn._warning import warn
from sklearn_rnn.data.formats import object_array
from sklearn_rnn.data.inputs import Inputs, read
from sklearn_rnn.data.row_order import check_order
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.splitting import batches_by_steps
from sklearn_rnn.data.targets import check_count
from sklearn_rnn.data.training_set import TrainingSet
from sklearn_rnn.estimators._defaults import DEFAULT_EMBEDDING_DIM, Facts
from sklearn_rnn.estimators._docs import documented
from sklearn_rnn.estimators._documents import Spelling
from sklearn_rnn.estimators._language_reading import TARGETS
from sklearn_rnn.estimators._parameters import record_of
from sklearn_rnn.estimators._transduction_groups import TransductionParameters
from sklearn_rnn.estimators._whole import WholeSequenceRNN
from sklearn_rnn.exceptions import SequenceDataError, SequenceDataWarning
from sklearn_rnn.metrics import exact_match_score, symbol_error_rate
from sklearn_rnn.networks.decoder_stepping import DecoderStepper
from sklearn_rnn.networks.decoding import Decoding, Draws, SymbolDecoder, rows_of_beams
from sklearn_rnn.networks.heads.decoder import DecoderHeadSpec
from sklearn_rnn.targets.base import Target
from sklearn_rnn.targets.continuation import Symbols
from sklearn_rnn.targets.transduction import Transduction

SOURCES = 2**12
"""Padded steps of the sources whose targets are decoded at a time."""


@documented
@dataclass(kw_only=True, eq=False, repr=False)
class RNNEncoderDecoder(TransductionParameters, WholeSequenceRNN):
    """Recurrent encoder and decoder with attention: sequences into sequences of another length.

    The encoder reads a source x. The decoder begins where it has ended, and says a target y step by step, each time
    looking at the states of the encoder: ``p(y | x) = prod_t p(y_t | y_1, ..., y_{t-1}, x)`` [seq2seq]_. Training
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

    _allow_empty: ClassVar[bool] = False

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
        return object_array([found[0][0] for found in self._searched(X, 1)])

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
        if not isinstance(n, (int, np.integer)) or n < 1:
            raise ValueError(f"n={n!r} must be an int of at least 1")
        return object_array(self._searched(X, int(n)))

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
        return self._log_likelihoods(X, y)

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
        return self._log_likelihoods(X, y)

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
        if not isinstance(n_samples, (int, np.integer)) or n_samples < 1:
            raise ValueError(f"n_samples={n_samples!r} must be an int of at least 1")
        seed = int(check_random_state(random_state).randint(2**31 - 1))
        options = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
        found: dict[int, list[Any]] = {}
        for group in self._groups(X):
            numbers = np.repeat(np.arange(len(group.index)), n_samples)
            keys = [int(i) + (k << 32) for i in group.index for k in range(n_samples)]
            steps = group.drawn(numbers, Draws(seed, keys), options)
            for i, row in enumerate(group.index):
                found[int(row)] = [self._written(step) for step in steps[i * n_samples : (i + 1) * n_samples]]
        if n_samples == 1:
            return object_array([found[i][0] for i in range(len(found))])
        array = np.empty((len(found), n_samples), dtype=object)
        for i in range(len(found)):
            for k, item in enumerate(found[i]):
                array[i, k] = item
        return array

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
        check_order(X, {"y": y, "sample_weight": sample_weight})
        predicted = [found[0][0] for found in self._searched(X, 1)]
        if self.scoring == "exact":
            return exact_match_score(y, predicted, sample_weight=sample_weight)
        if self.scoring == "symbol_error_rate":
            return -symbol_error_rate(y, predicted, sample_weight=sample_weight)
        from sklearn_rnn.metrics import bleu_score

        return bleu_score(y, predicted)

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
        if self.attention is None:
            raise ValueError("attention_weights needs attention, this estimator was fitted with attention=None")
        if y is None:
            y = [found[0][0] for found in self._searched(X, 1)]
        sources, data = self._read_pairs(X, y)
        weights: list[Any] = [None] * len(sources)
        with self._predictor() as compute:
            for index, memory, state, read, lengths in self._forced(compute, data):
                head: Any = compute.network.head
                found = head.advance(read, lengths, memory, state)[2].cpu().double().numpy()
                for i, row in enumerate(index):
                    weights[row] = found[i, : data.target.lengths[row], : sources.lengths[row]]
        return object_array(weights)

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
            return compute(lambda net, x, n: net.representation(x, n), sequences, per_step=False)

    def _read_raw(self, X: Any, *, reset: bool) -> Inputs:
        if reset:
            self.spelling_ = Spelling.learn(self.tokenizer, X)
        X = self.spelling_.read(X)
        if _are_vectors(X):
            if self.attention is not None:
                raise ValueError(
                    f"attention={self.attention!r} looks at the steps of a source, and X of shape {np.shape(X)} holds "
                    f"one vector for each: set attention=None, or give sequences of shape (n_sequences, n_steps, "
                    f"n_features)"
                )
            X = np.asarray(X)[:, None]
        return super()._read_raw(X, reset=reset)

    def _read_target(self, y: Any, inputs: Inputs, fitted: Any) -> tuple[Target, Any]:
        if y is None:
            raise ValueError("RNNEncoderDecoder requires y to be passed, but the target y is None")
        if fitted is None:
            self.target_spelling_ = Spelling.learn(self.target_tokenizer, y)
        steps, spec = read(
            self.target_spelling_.read(y),
            None if fitted is None else fitted.spec,
            dtype=None,
            allow_empty=True,
            reader=type(self).__name__,
            name="y",
        )
        if not isinstance(steps, Sequences):
            raise SequenceDataError("y has several inputs a step, wanted one: tokens, or rows of numbers")
        check_count(steps, len(inputs))
        if fitted is not None:
            return fitted, steps
        return self._new_target(steps, spec), steps

    def _new_target(self, steps: Sequences, spec: Any) -> Transduction:
        """What y is, before anything is learned of it."""
        kind = "symbols"
        if spec.kind == "numeric":
            kind = "binary" if np.all((steps.values == 0) | (steps.values == 1)) else "gaussian_mixture"
        return Transduction(
            TARGETS[kind](),
            spec,
            DecoderHeadSpec(0),
            min_df=self.min_df,
            max_features=self.max_features,
            embedding_dim=self.embedding_dim or DEFAULT_EMBEDDING_DIM,
            stored_dtype=self._stored_dtype,
        )

    def _resolve_auto(self, facts: Facts, target: Any, *, reset: bool, partial: bool) -> Any:
        target = super()._resolve_auto(facts, target, reset=reset, partial=partial)
        sizes = self._layer_sizes()
        between = self.attention is not None and self.attend == "between"
        n_layers = self.decoder_num_layers or (2 if between else len(sizes))
        if between and n_layers < 2:
            raise ValueError(
                f"attend='between' puts attention between layers of the decoder, and decoder_num_layers={n_layers}: "
                f"give it 2, or set attend='after'"
            )
        if self.tie_weights:
            target.following.tie_weights = True
        decoder = record_of(
            DecoderHeadSpec,
            self,
            n_outputs=0,
            first_bias=None,
            output=None,
            layout=None,
            n_features=0,
            hidden_sizes=(self.decoder_hidden_size or sizes[-1],) * n_layers,
        )
        return replace(target, decoder=decoder)

    def _read_pairs(self, X: Any, y: Any) -> tuple[Sequences, TrainingSet]:
        """Sources and targets of a prediction, encoded."""
        check_is_fitted(self, "net_")
        check_order(X, {"y": y})
        inputs = self._read_inputs(X)
        target, steps = self._read_target(y, inputs, self.target_)
        sources = self._encode_steps(inputs)
        data = target.encoded(TrainingSet(sources, steps, np.ones(len(sources))), training=False)
        return sources, data

    def _forced(self, compute: Any, data: TrainingSet) -> Iterator[tuple[Any, ...]]:
        """For some pairs at a time: which they are, memory and first state of the decoder, and what it reads."""
        assert data.read is not None
        for index in batches_by_steps(data.sequences.lengths + data.target.lengths, SOURCES):
            states, lengths = _states(compute, data.sequences, index)
            part = data.read.take(index)
            values = _padded(part).to(compute.device)
            head = compute.network.head
            memory, state = head.memory(states, lengths), head.first_state(states, lengths)
            yield index, memory, state, values, torch.from_numpy(part.lengths).to(compute.device)

    def _log_likelihoods(self, X: Any, y: Any) -> NDArray[np.float64]:
        """The log-likelihood (n_sequences,) of targets."""
        sources, data = self._read_pairs(X, y)
        following, found = self.target_.following, np.zeros(len(sources))
        with self._predictor() as compute:
            head = compute.network.head
            for index, memory, state, read_, lengths in self._forced(compute, data):
                outputs = head.output(head.advance(read_, lengths, memory, state)[0], lengths)
                wanted = _padded(data.target.take(index)).to(compute.device)
                steps = following.log_likelihood(outputs, wanted, head.output)
                inside = torch.arange(steps.shape[1], device=lengths.device) < lengths[:, None]
                found[index] = torch.where(inside, steps, 0).sum(1).cpu().double().numpy()
        return self._without_unknown(data.target, found)

    def _without_unknown(self, codes: Sequences, found: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log-likelihoods, -inf of targets with symbols that training did not have."""
        following = self.target_.following
        if not isinstance(following, Symbols) or following.knows_unknown:
            return found
        n_unknown = np.bincount(
            np.repeat(np.arange(len(codes)), codes.lengths), codes.values == 0, minlength=len(codes)
        )
        if n_unknown.any():
            warn(
                f"{int(n_unknown.sum())} symbols of y in {np.count_nonzero(n_unknown)} targets were not there in fit: "
                f"the log-probability of these targets is -inf",
                SequenceDataWarning,
            )
        return np.where(n_unknown > 0, -np.inf, found)

    def _searched(self, X: Any, n: int) -> list[list[tuple[Any, float]]]:
        """For each source at most `n` pairs of a target and its log-probability, the best first."""
        found: dict[int, list[tuple[Any, float]]] = {}
        n_cut = 0
        for group in self._groups(X):
            best = group.best(max(self.num_beams, n), n)
            n_cut += group.n_cut
            for row, candidates in zip(group.index, best, strict=True):
                found[int(row)] = [(self._written(steps), score) for steps, score in candidates]
        if n_cut:
            warn(
                f"{n_cut} of {len(found)} predictions were cut off where they had as many steps as they may have: set "
                f"max_new_tokens to more, if they are to be longer",
                SequenceDataWarning,
            )
        return [found[i] for i in range(len(found))]

    def _groups(self, X: Any) -> Iterator[_Group]:
        """The sources of X, some of similar length at a time."""
        sequences = self._read(X)
        with self._predictor() as compute:
            for index in batches_by_steps(sequences.lengths, SOURCES):
                states, lengths = _states(compute, sequences, index)
                yield _Group(self, compute, index, states, lengths, sequences.lengths[index])

    def _written(self, steps: NDArray[Any]) -> Any:
        """What steps of a target are to the user."""
        following = self.target_.following
        if not isinstance(following, Symbols):
            return steps
        symbols = following.symbols[steps[steps != following.end]].tolist()
        return self.target_spelling_.write(symbols) if self.target_spelling_.documents else symbols

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.target_tags.one_d_labels = False
        return tags


class _Group:
    """Some sources whose targets are decoded beside each other.

    Attributes
    ----------
    index : array of int64, shape (n,)
        Which of all sources they are.
    n_cut : int
        How many predictions had no end.
    """

    def __init__(self, model: Any, compute: Any, index: Any, states: Any, lengths: Any, n_steps: Any) -> None:
        self.model, self.compute, self.index = model, compute, index
        self.states, self.lengths = states, lengths
        self.target: Transduction = model.target_
        given = model.max_new_tokens
        self.most = np.array([given or self.target.most_new(n) for n in n_steps[:, None]])
        self.n_cut = 0

    def best(self, num_beams: int, n: int) -> list[list[tuple[NDArray[Any], float]]]:
        """At most `n` targets of each source, with their log-probabilities."""
        decoding = Decoding(int(self.most.max()), temperature=0.0)
        following = self.target.following
        prompts = [self._begin()] * len(self.index)
        if num_beams == 1 or not isinstance(following, Symbols):
            if num_beams > 1:
                raise ValueError(f"num_beams={num_beams} searches among symbols, and targets are numbers: set it to 1")
            steps, scores = self._decoder(len(prompts), np.arange(len(prompts))).sample(
                prompts, decoding, None, self._stop()
            )
            self._count_cut(steps)
            return [[(own, float(np.sum(score)))] for own, score in zip(steps, scores, strict=True)]
        n_rows = min(rows_of_beams(num_beams), num_beams * len(prompts))
        decoder = self._decoder(n_rows, np.arange(len(prompts)))
        found, scores = decoder.beams(prompts, decoding, num_beams, self.model.length_penalty, n, self._stop())
        self._count_cut([beams[0] for beams in found])
        power = self.model.length_penalty
        return [
            [(steps, float(score * len(steps) ** power)) for steps, score in zip(*pair, strict=True)]
            for pair in zip(found, scores, strict=True)
        ]

    def drawn(self, numbers: NDArray[np.int64], draws: Draws, options: dict[str, Any]) -> list[NDArray[Any]]:
        """A drawn target of each of the sources `numbers` (n_targets,)."""
        decoding = Decoding(int(self.most.max()), **options)
        prompts = [self._begin()] * len(numbers)
        decoder = self._decoder(min(len(prompts), 256), numbers)
        limits = self.most[numbers]
        return decoder.sample(prompts, decoding, draws, lambda i, steps: len(steps) >= limits[i])[0]

    def _begin(self) -> NDArray[Any]:
        following = self.target.following
        first = np.empty((1, *np.shape(following.begin)), np.int64 if isinstance(following, Symbols) else np.float64)
        first[0] = following.begin
        return first

    def _decoder(self, n_rows: int, sources: NDArray[np.int64]) -> Any:
        """What writes `n_rows` targets at a time, the source of each of which is one of `sources` (n_targets,)."""
        head = self.compute.network.head
        stepper = DecoderStepper(head, self.states, self.lengths, n_rows)

        def begin(rows: NDArray[np.int64], numbers: NDArray[np.int64]) -> None:
            stepper.begin(rows, sources[numbers])

        following = self.target.following
        if not isinstance(following, Symbols):
            return following.decoder(stepper, head.output, lambda steps, numbers: steps, begin)  # type: ignore[attr-defined]
        never = [] if self.model.replace_unknown and following.knows_unknown else following.never
        return SymbolDecoder(stepper, lambda steps, numbers: steps, end=following.end, never=never, begin=begin)

    def _stop(self) -> Any:
        """What ends a target that is as long as it may be."""
        return None if (self.most == self.most[0]).all() else lambda i, steps: len(steps) >= self.most[i]

    def _count_cut(self, found: list[NDArray[Any]]) -> None:
        following = self.target.following
        if isinstance(following, Symbols):
            self.n_cut += sum(1 for steps in found if not len(steps) or steps[-1] != following.end)


def _are_vectors(X: Any) -> bool:
    """Whether X holds one vector for each sequence, and no sequence."""
    return len(getattr(X, "shape", ())) == 2 and getattr(getattr(X, "dtype", None), "kind", "O") in "fiub"


def _states(compute: Any, sequences: Sequences, index: NDArray[np.int64]) -> tuple[Any, Any]:
    """Hidden states (n, n_steps, units) of the encoder, and how many of each source."""
    part = sequences.take(index)
    lengths = torch.from_numpy(part.lengths).to(compute.device)
    return compute.network.encoded(_padded(part).to(compute.device), lengths)


def _padded(sequences: Sequences) -> Any:
    """Sequences as one tensor (n, n_steps, ...), padded with 0."""
    lengths, values = sequences.lengths, sequences.values
    array = np.zeros((len(sequences), max(1, int(lengths.max(initial=0))), *values.shape[1:]), values.dtype)
    array[np.arange(array.shape[1]) < lengths[:, None]] = values
    return torch.from_numpy(array)
