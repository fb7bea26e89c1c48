"""What a fitted encoder-decoder says of sources: the targets that it finds, and how probable given ones are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sklearn_rnn._warning import warn
from sklearn_rnn.data.continuing import opened
from sklearn_rnn.data.entities import token_input
from sklearn_rnn.data.gathering import HostGather
from sklearn_rnn.data.inputs import Inputs
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.splitting import batches_by_steps
from sklearn_rnn.data.tokens import TokenSequences
from sklearn_rnn.data.training_set import TrainingSet
from sklearn_rnn.exceptions import SequenceDataWarning
from sklearn_rnn.networks.decoder_stepping import DecoderStepper
from sklearn_rnn.networks.decoding import SIDE_BY_SIDE, Decoding, Draws, SymbolDecoder, rows_of_beams
from sklearn_rnn.networks.heads import DecoderHead
from sklearn_rnn.networks.heads.decoder import DecoderState, Memory
from sklearn_rnn.networks.pooling import step_mask
from sklearn_rnn.networks.softmax import portions
from sklearn_rnn.targets.continuation import Symbols
from sklearn_rnn.targets.transduction import Transduction
from sklearn_rnn.training.inference import Predictor

STEPS = 2**12
"""Padded steps of the sources whose targets are decoded, or scored, at a time."""


class Transducing:
    """Targets of sources, found or given.

    Parameters
    ----------
    model : RNNEncoderDecoder
        Fitted.
    compute : Predictor
        Opened.
    """

    def __init__(self, model: Any, compute: Predictor) -> None:
        self.model, self.compute = model, compute
        self.target: Transduction = model.target_
        head: Any = compute.network.head
        self.head: DecoderHead = head

    def searched(self, inputs: Inputs, n: int) -> list[list[tuple[Any, float]]]:
        """For each source at most `n` targets with their log-probabilities, the best first.

        Targets are lists of symbols, or arrays of steps, whose log-probability is NaN.
        """
        found: dict[int, list[tuple[Any, float]]] = {}
        n_cut = 0
        for group in self._groups(inputs):
            best = group.best(max(self.model.num_beams, n), n)
            n_cut += sum(
                len(own[0][0]) >= most and not group.ended(own[0][0])
                for own, most in zip(best, group.most, strict=True)
            )
            steps = [steps for own in best for steps, _ in own]
            said = iter(group.said(steps, np.repeat(np.arange(len(best)), [len(own) for own in best])))
            for row, own in zip(group.index, best, strict=True):
                found[int(row)] = [(next(said), score) for _, score in own]
        if n_cut:
            warn(
                f"{n_cut} of {len(found)} predictions were cut off where they had as many steps as they may have: set "
                f"max_new_tokens to more, if they are to be longer",
                SequenceDataWarning,
            )
        return [found[i] for i in range(len(found))]

    def drawn(self, inputs: Inputs, n_samples: int, seed: int, options: dict[str, Any]) -> list[list[Any]]:
        """For each source `n_samples` drawn targets."""
        found: dict[int, list[Any]] = {}
        for group in self._groups(inputs):
            numbers = np.repeat(np.arange(len(group.index)), n_samples)
            draws = Draws.of_each(seed, group.index, n_samples)
            said = group.said(group.drawn(numbers, draws, options), numbers)
            for i, row in enumerate(group.index):
                found[int(row)] = said[i * n_samples : (i + 1) * n_samples]
        return [found[i] for i in range(len(found))]

    def log_likelihoods(self, data: TrainingSet) -> NDArray[np.float64]:
        """The log-likelihood (n_sequences,) of each target of encoded pairs."""
        found, output = np.zeros(len(data)), self.head.output
        for index, memory, state, read, lengths in self._pairs(data):
            inside = step_mask(lengths, read.shape[1])
            rows = self.head.advance(read, lengths, memory, state)[0][inside]
            wanted = self._padded(data.target.take(index))[inside]
            parts = [
                self.target.following.log_likelihood(output.outputs_of(rows[part]), wanted[part], output)
                for part in portions(len(rows), output.n_outputs, rows.device)
            ]
            steps = torch.zeros(inside.shape, dtype=torch.float64, device=rows.device)
            steps[inside] = torch.cat(parts).double()
            found[index] = steps.sum(1).cpu().numpy()
        return found

    def attended(self, data: TrainingSet) -> list[NDArray[np.float64]]:
        """What each step of each target looks at, (length of the target and its end, length of the source)."""
        found: dict[int, NDArray[np.float64]] = {}
        for index, memory, state, read, lengths in self._pairs(data):
            weights = self.head.advance(read, lengths, memory, state)[2]
            assert weights is not None
            for i, (row, array) in enumerate(zip(index, weights.cpu().double().numpy(), strict=True)):
                found[int(row)] = array[: lengths[i], : memory.lengths[i]]
        return [found[i] for i in range(len(found))]

    def _groups(self, inputs: Inputs) -> Iterator[Group]:
        """The sources, some of similar length at a time."""
        sequences, tokens = self.model._encode_steps(inputs), token_input(inputs)
        for index in batches_by_steps(sequences.lengths, STEPS):
            memory, state = self._begin(sequences.take(index))
            yield Group(self, index, memory, state, sequences.lengths[index], None if tokens is None else tokens[index])

    def _pairs(self, data: TrainingSet) -> Iterator[tuple[NDArray[np.int64], Memory, DecoderState, Tensor, Tensor]]:
        """Some pairs at a time: which, memory and first state of the decoder, what it reads and how much of it."""
        assert data.read is not None
        for index in batches_by_steps(data.sequences.lengths + data.target.lengths, STEPS):
            read = data.read.take(index)
            yield index, *self._begin(data.sequences.take(index)), self.as_read(read), self._lengths(read)

    def _begin(self, sources: Sequences) -> tuple[Memory, DecoderState]:
        states, lengths = self.compute.network.encoded(self.as_read(sources), self._lengths(sources))
        return self.head.memory(states, lengths), self.head.first_state(states, lengths)

    def as_read(self, sequences: Sequences) -> Tensor:
        """Sequences as one padded tensor (n, n_steps, ...), numbers in the type of the head."""
        values = self._padded(sequences)
        return values.to(self.head.output.linear.weight.dtype) if values.is_floating_point() else values

    def _padded(self, sequences: Sequences) -> Tensor:
        (array,) = HostGather(sequences)(np.arange(len(sequences)), max(1, int(sequences.lengths.max(initial=0))))
        return torch.from_numpy(array).to(self.compute.device)

    def _lengths(self, sequences: Sequences) -> Tensor:
        return torch.from_numpy(sequences.lengths).to(self.compute.device)


class Group:
    """Some sources whose targets are decoded beside each other.

    Attributes
    ----------
    index : array of int64, shape (n,)
        Which of all sources they are.
    most : array of int64, shape (n,)
        Steps that a target of each may have.
    """

    def __init__(
        self,
        whole: Transducing,
        index: NDArray[np.int64],
        memory: Memory,
        first: DecoderState,
        n_steps: NDArray[np.int64],
        tokens: Sequences | None,
    ) -> None:
        self.model, self.head, self.target = whole.model, whole.head, whole.target
        self.index, self._memory, self._first, self._tokens = index, memory, first, tokens
        self._whole = whole
        given = self.model.max_new_tokens
        self.most = np.array([given or self.target.most_new(n) for n in n_steps[:, None]])

    def best(self, num_beams: int, n: int) -> list[list[tuple[NDArray[Any], float]]]:
        """At most `n` targets of each source, with their log-probabilities."""
        decoding, own = Decoding(int(self.most.max()), temperature=0.0), np.arange(len(self.index))
        prompts = [self.target.following.begins(1)] * len(own)
        if num_beams == 1 or not self._says_symbols:
            decoder = self._decoder(min(len(own), SIDE_BY_SIDE), own)
            steps, scores = decoder.sample(prompts, decoding, None, self._stop(own))
            totals = [np.nan] * len(steps) if scores is None else [float(np.sum(score)) for score in scores]
            return [[pair] for pair in zip(steps, totals, strict=True)]
        decoder = self._decoder(min(rows_of_beams(num_beams), num_beams * len(own)), own)
        power = self.model.length_penalty
        found = decoder.beams(prompts, decoding, num_beams, power, n)
        return [
            [(steps, float(score * len(steps) ** power)) for steps, score in zip(*pair, strict=True)]
            for pair in zip(*found, strict=True)
        ]

    def drawn(self, numbers: NDArray[np.int64], draws: Draws, options: dict[str, Any]) -> list[NDArray[Any]]:
        """A drawn target of each of the sources `numbers` (n_targets,)."""
        decoding = Decoding(int(self.most.max()), **options)
        prompts = [self.target.following.begins(1)] * len(numbers)
        decoder = self._decoder(min(len(prompts), SIDE_BY_SIDE), numbers)
        found: list[NDArray[Any]] = decoder.sample(prompts, decoding, draws, self._stop(numbers))[0]
        return found

    def ended(self, steps: NDArray[Any]) -> bool:
        """Whether the end came behind symbols; of numbers it is not known."""
        following = self.target.following
        return isinstance(following, Symbols) and bool(len(steps)) and steps[-1] == following.end

    def said(self, found: list[NDArray[Any]], numbers: NDArray[np.int64]) -> list[Any]:
        """Lists of symbols, or arrays of steps, of the targets `found` of the sources `numbers`."""
        following = self.target.following
        if not isinstance(following, Symbols):
            return [steps[:, 0] if self.target.flat else steps for steps in found]
        symbols = following.symbols
        said = [symbols[steps[steps != following.end]].tolist() for steps in found]
        unknown = [i for i, steps in enumerate(found) if (steps == 0).any()]
        if unknown:
            copied = self._attended([found[i] for i in unknown], numbers[unknown])
            for i, tokens in zip(unknown, copied, strict=True):
                said[i] = [
                    token if code == 0 else old for old, code, token in zip(said[i], found[i], tokens, strict=False)
                ]
        return said

    def _attended(self, found: list[NDArray[Any]], numbers: NDArray[np.int64]) -> list[list[str]]:
        """The token of its source that each step of the targets `found` looks at most."""
        assert self._tokens is not None
        read = opened(Sequences.from_arrays(found), self.target.following.begin)
        index = torch.from_numpy(numbers).to(self._memory.states.device)
        lengths = torch.from_numpy(read.lengths).to(index.device)
        values, memory = self._whole.as_read(read), self._memory.take(index)
        weights = self.head.advance(values, lengths, memory, self._first.take(index))[2]
        assert weights is not None
        places = weights.argmax(2).cpu().numpy()
        tokens = self._tokens
        written = (
            tokens
            if not isinstance(tokens, TokenSequences) or tokens.surfaces is None
            else tokens.with_values(tokens.surfaces)
        )
        return [[written[i][place] for place in row] for i, row in zip(numbers.tolist(), places, strict=True)]

    @property
    def _says_symbols(self) -> bool:
        return isinstance(self.target.following, Symbols)

    def _decoder(self, n_rows: int, sources: NDArray[np.int64]) -> Any:
        """What writes `n_rows` targets at a time, the source of each of which is one of `sources` (n_targets,)."""
        stepper = DecoderStepper(self.head, self._memory, self._first, n_rows)

        def begin(rows: NDArray[np.int64], numbers: NDArray[np.int64]) -> None:
            stepper.start(rows, sources[numbers])

        def read(steps: NDArray[Any], numbers: NDArray[np.int64]) -> NDArray[Any]:
            return steps

        following: Any = self.target.following
        if not self._says_symbols:
            return following.decoder(stepper, self.head.output, read, begin)
        never = [] if self.model.replace_unknown and following.knows_unknown else following.never
        limits = self.most[sources]
        return SymbolDecoder(stepper, read, end=following.end, never=never, begin=begin, limits=limits)

    def _stop(self, sources: NDArray[np.int64]) -> Any:
        """What ends numbers that are as long as they may be."""
        limits = self.most[sources]
        return None if self._says_symbols else lambda i, steps: len(steps) >= limits[i]
