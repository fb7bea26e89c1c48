"""What X itself goes on with: at each step the one that comes next."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sklearn_rnn._warning import warn
from sklearn_rnn.data.batching import Alignment
from sklearn_rnn.data.continuing import beside, closed, in_lanes, opened, shifted
from sklearn_rnn.data.encoding import StepEncoding
from sklearn_rnn.data.formats import object_array
from sklearn_rnn.data.orders import InOrder, Lanes, Order
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.tokens import UNKNOWN
from sklearn_rnn.data.training_set import TrainingSet
from sklearn_rnn.data.vocabulary import encode_tokens
from sklearn_rnn.exceptions import SequenceDataError, SequenceDataWarning
from sklearn_rnn.networks.heads import Head, HeadSpec, VocabularyHeadSpec
from sklearn_rnn.networks.losses import NEXT_SYMBOL, Loss, LossSettings
from sklearn_rnn.targets.base import TargetOfSteps

END = "</s>"
"""The symbol that stands for the begin and the end of a document."""

PIECE = 100
"""Steps of a piece of a stream, unless `tbptt_steps` says otherwise."""

SCORED_PIECE = 1000
"""Steps of a piece of a stream that is only scored."""

MANY_SYMBOLS, TOO_MANY_SYMBOLS = 100_000, 1_000_000
"""Distinct symbols from which one is told what makes fewer, and from which they are hardly symbols at all."""

LOG_NEVER = np.log(1e-9)
"""The log-probability of a symbol outside the vocabulary where training had none: finite, so that scores are."""

FIRST_OF_ABSENT = -30.0
"""The first bias of a symbol that training does not have, so that the loss is that of those which it has."""


@dataclass
class Continuation(TargetOfSteps):
    """The next step of each step; an estimator has a parameter of the same name for each attribute.

    Before the first step a network reads a begin. Of documents, what is learned ends with an end; a stream has none: it
    is one sequence, cut into as many lanes beside each other as a batch has room for.

    Attributes
    ----------
    stream : bool
    context : {"input", "state"}
        Where the context of a sequence goes in.
    tbptt_steps : int or None
        Steps of a piece of a stream.
    batch_size : int
        The most lanes of a stream.
    max_length : int or None
        Steps kept of a longer document.
    truncate : {"head", "tail"}
    longest : int
        Learned: steps of the longest document.
    """

    stream: bool = False
    context: str = "input"
    tbptt_steps: int | None = None
    batch_size: int = 64
    max_length: int | None = None
    truncate: str = "tail"
    longest: int = 1

    alignment: ClassVar[Alignment] = "step"
    continues: ClassVar[bool] = True
    has_probabilities: ClassVar[bool] = True
    """Whether a step is one of classes, or features that are 0 or 1; else it has a density."""

    @property
    def piece(self) -> int:
        """Steps of a piece of a stream."""
        return self.tbptt_steps or PIECE

    def learn(self, whole: TrainingSet, training: TrainingSet, classes: Any, encoding: StepEncoding) -> None:
        self.longest = int(whole.sequences.lengths.max())

    def encode(self, labels: Any, *, training: bool) -> Any:
        """The context of each sequence, which is encoded already."""
        return labels

    def check(self, steps: Sequences) -> None:
        """Refuse `steps`, as they were read, that are not of this kind.

        Raises
        ------
        SequenceDataError
        """

    @property
    @abstractmethod
    def begin(self) -> Any:
        """What a network reads before the first step: an index, or the number of each feature."""

    def begins(self, n: int) -> NDArray[Any]:
        """What a network reads before the first steps of `n` sequences, (n, ...)."""
        return np.full((n, *np.shape(self.begin)), self.begin, dtype=np.int64 if self.of_labels else np.float64)

    @abstractmethod
    def continued(self, steps: Sequences) -> tuple[Sequences, Sequences]:
        """What the network reads of encoded `steps`, and what it is to say of each."""

    def encoded(self, data: TrainingSet, *, training: bool) -> TrainingSet:
        """What is read of encoded steps, with the context (n_sequences, n_columns) beside each, and what comes next."""
        read, following = self.continued(data.sequences)
        return replace(data, sequences=self.with_context(read, data.target), target=following)

    def with_context(self, read: Sequences, context: NDArray[Any]) -> Sequences:
        """What is `read`, with the `context` (n_sequences, n_columns) beside each step.

        One that sets the first state comes first: it is no input of the recurrence.
        """
        return beside(read, context, first=self.context == "state") if context.shape[1] else read

    def divided(self, data: TrainingSet, fraction: float) -> tuple[TrainingSet, TrainingSet] | None:
        """Of a stream the tail is held out."""
        if not self.stream:
            return None
        n_steps = int(data.sequences.offsets[-1])
        n_held_out = int(np.ceil(fraction * n_steps))
        if n_held_out < 2 or n_steps - n_held_out < 2:
            raise ValueError(
                f"early_stopping=True needs at least 2 steps on each side of the split: validation_fraction="
                f"{fraction!r} of a stream of {n_steps} steps leaves too little. Give more data or X_val"
            )
        return data.part_of_stream(n_steps - n_held_out, "tail"), data.part_of_stream(n_held_out, "head")

    def order(self, *, training: bool) -> Order | None:
        if not self.stream:
            return None
        return Lanes(self.piece if training else SCORED_PIECE, InOrder())

    def cut(self, data: TrainingSet) -> TrainingSet:
        """A stream in lanes; of long documents one end."""
        if self.stream:
            n_steps = int(data.sequences.offsets[-1])
            n_lanes = max(1, min(self.batch_size, n_steps // (2 * self.piece)))
            weight = data.step_weight
            return replace(
                data,
                sequences=in_lanes(data.sequences, n_lanes),
                target=in_lanes(data.target, n_lanes),
                weight=np.ones(n_lanes),
                step_weight=None if weight is None else in_lanes(weight, n_lanes),
                rows=None,
            )
        if self.max_length is None or data.sequences.lengths.max() <= self.max_length:
            return data
        return data.truncated(self.max_length, self.truncate)

    def n_parts(self, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        return -(-lengths // self.piece) if self.stream else super().n_parts(lengths)

    def weighed(self, data: TrainingSet, *, training: bool) -> TrainingSet:
        """Weights such that the loss of a fit is the mean loss of a step."""
        lengths = data.target.lengths
        weight = np.repeat(data.weight, lengths) if data.step_weight is None else data.step_weight.values
        if not weight.any():
            raise ValueError("no step has a weight: sample_weight gives all of them 0")
        if self.stream:
            n_steps = self.piece if training else SCORED_PIECE
            weight = weight / weight.mean() / min(n_steps, int(lengths.max()))
        else:
            weight = weight * (len(data) / weight.sum())
        return replace(data, step_weight=data.target.with_values(weight))

    @abstractmethod
    def log_likelihood(self, outputs: Tensor, target: Tensor, head: Head) -> Tensor:
        """The log-likelihood of each step (batch, n_steps), given outputs (batch, n_steps, ...) and targets."""


@dataclass
class Symbols(Continuation):
    """The next symbol.

    Attributes
    ----------
    softmax : {"full", "adaptive"}
    tie_weights : bool
    vocabulary : dict
        Learned: the index of each symbol, from 1 on; 0 is for all others.
    symbols : array of shape (n_indices,)
        Learned: the symbol of each index.
    knows_unknown : bool
        Learned: whether training had symbols outside the vocabulary.
    first_bias : tuple of float
        Learned: the logarithm of how often each symbol was there.
    """

    softmax: str = "full"
    tie_weights: bool = False
    vocabulary: dict[Any, int] = field(default_factory=dict)
    symbols: NDArray[Any] = field(default_factory=lambda: np.empty(0, dtype=object), compare=False)
    knows_unknown: bool = False
    first_bias: tuple[float, ...] = ()

    of_labels: ClassVar[bool] = True

    @property
    def end(self) -> int:
        """The index of the begin and the end."""
        return len(self.vocabulary) + 1

    @property
    def begin(self) -> int:
        return self.end

    @property
    def never(self) -> list[int]:
        """Indices that are never generated."""
        return [0, self.end] if self.stream else [0]

    @property
    def codes(self) -> NDArray[np.int64]:
        """The index of each of the classes."""
        return np.arange(0 if self.knows_unknown else 1, self.end + (not self.stream))

    @property
    def classes(self) -> NDArray[Any]:
        """The symbols that may come: the unknown one if training had it, the vocabulary, the end if there is one."""
        return self.symbols[self.codes]

    def learn(self, whole: TrainingSet, training: TrainingSet, classes: Any, encoding: StepEncoding) -> None:
        super().learn(whole, training, classes, encoding)
        self.vocabulary = encoding.vocabulary
        self._check_vocabulary()
        self.symbols = np.full(self.end + 1, UNKNOWN, dtype=object)
        self.symbols[list(self.vocabulary.values())] = object_array(list(self.vocabulary))
        self.symbols[self.end] = END
        codes = encode_tokens(training.sequences.values, self.vocabulary)
        weight = np.repeat(training.counts, training.sequences.lengths)
        counts = np.bincount(codes, weights=weight, minlength=self.end + 1)
        counts[self.end] = 0.0 if self.stream else training.counts.sum()
        self.knows_unknown = bool(counts[0])
        if np.count_nonzero(counts) < 2:
            raise ValueError(
                f"X holds 1 distinct symbol, {str(self.symbols[counts.argmax()])!r:.40}, and no end: there is nothing "
                f"to learn about what comes next. Give text of at least 2 symbols"
            )
        logits = np.log(np.maximum(counts, 1e-9) / counts.sum())
        self.first_bias = tuple(np.where(counts > 0, logits, FIRST_OF_ABSENT).tolist())

    def _check_vocabulary(self) -> None:
        """Refuse a vocabulary that no network has an output for each symbol of, and one that holds the end."""
        if END in self.vocabulary and not self.stream:
            raise SequenceDataError(
                f"X holds the symbol {END!r}, which stands for the end that each sequence gets: leave it out of X, or "
                f"set stream=True if X is one text in pieces"
            )
        n_symbols = len(self.vocabulary)
        if n_symbols <= MANY_SYMBOLS:
            return
        message = (
            f"X has {n_symbols:,} distinct symbols, for each of which the network has an output. Set min_df=2 or more, "
            f"or max_features=50_000, which make rare ones unknown, or a tokenizer that makes fewer, such as 'char'"
        )
        if n_symbols > TOO_MANY_SYMBOLS:
            raise SequenceDataError(message)
        warn(message, SequenceDataWarning)

    def continued(self, steps: Sequences) -> tuple[Sequences, Sequences]:
        if self.stream:
            return shifted(steps, self.end), steps
        return opened(steps, self.end), closed(steps, self.end)

    def head(self) -> HeadSpec:
        return VocabularyHeadSpec(
            self.end + 1,
            first_bias=self.first_bias,
            softmax=self.softmax,
            tied=self.tie_weights,
        )

    def criterion(self, *parts: TrainingSet) -> tuple[Loss, LossSettings]:
        return NEXT_SYMBOL, LossSettings()

    def attributes(self) -> dict[str, Any]:
        return {"classes_": self.classes}

    def log_probabilities(self, logits: Tensor) -> Tensor:
        """The log-probability of each index (..., n_indices), given outputs of the same shape.

        One that never comes has none, or where it has to be scored a very small one.
        """
        logits = logits.clone()
        if self.stream:
            logits[..., self.end] = -torch.inf
        if not self.knows_unknown:
            logits[..., 0] = logits[..., 1:].logsumexp(-1) + LOG_NEVER
        return logits.log_softmax(-1)

    def best(self, outputs: Tensor, head: Head) -> NDArray[Any]:
        """The most probable symbol (n,) of outputs (n, n_indices)."""
        possible = outputs.clone()
        possible[:, self.never] = -torch.inf
        return self.symbols[possible.argmax(1).numpy()]

    def probabilities(self, outputs: Tensor, head: Head) -> NDArray[np.float64]:
        """The probability of each class (n, n_classes), given outputs (n, n_indices)."""
        found = self.log_probabilities(outputs.double())[:, torch.from_numpy(self.codes)].softmax(1)
        return found.numpy()

    def warn_of_unknown(self, codes: Sequences) -> None:
        """Warn of symbols outside the vocabulary among `codes` that are to be scored."""
        n_unknown = int(np.count_nonzero(codes.values == 0))
        if not n_unknown:
            return
        how = (
            "are scored as unknown ones"
            if self.knows_unknown
            else (
                "training had none such, so that each has a log-probability of about -20. min_df=2 makes rare symbols "
                "unknown ones in training, from which the model learns how probable these are"
            )
        )
        warn(f"{n_unknown} of {len(codes.values)} symbols of X are not in the vocabulary: {how}", SequenceDataWarning)

    def log_likelihood(self, outputs: Tensor, target: Tensor, head: Head) -> Tensor:
        return self.log_probabilities(outputs).gather(-1, target[..., None])[..., 0]
