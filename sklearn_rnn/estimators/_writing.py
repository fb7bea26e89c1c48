"""What a fitted language model writes behind prompts, as documents, tokens or steps of numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn.data.formats import object_array
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.exceptions import SequenceDataError
from sklearn_rnn.networks.decoding import SIDE_BY_SIDE, Decoding, Draws, SymbolDecoder, rows_of_beams
from sklearn_rnn.targets.continuation import Symbols

OF_STREAM = 200
"""New steps of a stream, unless somebody says how many."""


class Writing:
    """Sequences that go on from prompts.

    Parameters
    ----------
    model : RNNLanguageModel
        Fitted.
    prompts : list
        As they were given: documents, lists of tokens or arrays of steps; None is none.
    contexts : array of shape (n_prompts, n_columns)
    """

    def __init__(self, model: Any, prompts: list[Any], contexts: NDArray[Any]) -> None:
        self.model, self.prompts, self.contexts = model, prompts, contexts
        self.target, self.spelling = model.target_, model.spelling_
        self.codes = self._encoded(prompts)

    def decoding(self, max_new_tokens: int | None, min_new_tokens: int, **options: Any) -> Decoding:
        """How steps are chosen; an error says which option makes no sense, or is not for what the model writes."""
        if max_new_tokens is None:
            max_new_tokens = max(OF_STREAM if self.target.stream else 2 * self.target.longest, min_new_tokens)
        decoding = Decoding(max_new_tokens, min_new_tokens, **options)
        if isinstance(self.target, Symbols):
            return decoding
        plain = Decoding(decoding.max_new_tokens, decoding.min_new_tokens, decoding.temperature)
        if decoding != plain:
            raise ValueError(
                "top_k, top_p, min_p, repetition_penalty and no_repeat_ngram_size are about symbols, and this model "
                "writes numbers: temperature is what makes them more or less random"
            )
        return decoding

    def drawn(self, decoding: Decoding, draws: Draws, stop_strings: Any, full: bool) -> NDArray[Any]:
        """A sequence for each prompt, with the prompt in front if `full`."""
        with self.model._predictor() as compute:
            decoder = self._decoder(compute, min(SIDE_BY_SIDE, len(self.prompts)))
            found, _ = decoder.sample(self.codes, decoding, draws, self._stop(stop_strings))
        return object_array([self.written(i, steps, full) for i, steps in enumerate(found)])

    def searched(
        self, decoding: Decoding, num_beams: int, length_penalty: float, n_best: int, stop_strings: Any
    ) -> list[list[NDArray[Any]]]:
        """The best continuations of each prompt, as indices of symbols."""
        if not isinstance(self.target, Symbols):
            raise ValueError(f"num_beams={num_beams} searches among symbols, and this model writes numbers")
        with self.model._predictor() as compute:
            decoder = self._decoder(compute, min(rows_of_beams(num_beams), num_beams * len(self.prompts)))
            stop = self._stop(stop_strings)
            return decoder.beams(self.codes, decoding, num_beams, length_penalty, n_best, stop)[0]

    def written(self, i: int, steps: NDArray[Any], full: bool) -> Any:
        """What new `steps` (n_new, ...) behind prompt `i` are to the user."""
        new, prompt = self._decoded(steps), self.prompts[i]
        if self.spelling.documents:
            return self.spelling.write(new, before=prompt if full and prompt is not None else "")
        if isinstance(self.target, Symbols):
            before = prompt.tolist() if hasattr(prompt, "tolist") else prompt
            return [*(before if full and before is not None else []), *new]
        if not full or prompt is None:
            return new
        return np.concatenate([np.asarray(prompt, dtype=new.dtype).reshape(-1, new.shape[1]), new])

    def _decoded(self, steps: NDArray[Any]) -> Any:
        """Symbols without the end, or numbers."""
        if not isinstance(self.target, Symbols):
            return steps
        return self.target.symbols[steps[steps != self.target.end]].tolist()

    def _decoder(self, compute: Any, n_rows: int) -> Any:
        """What writes with the network, `n_rows` sequences at a time."""
        stepper = compute.stepper(n_rows)
        if not isinstance(self.target, Symbols):
            return self.target.decoder(stepper, compute.network.head, self._read, self._begin(stepper))
        end = None if self.target.stream else self.target.end
        return SymbolDecoder(stepper, self._read, end=end, never=self.target.never, begin=self._begin(stepper))

    def _begin(self, stepper: Any) -> Callable[[NDArray[np.int64], NDArray[np.int64]], None]:
        """What puts rows (n,) of the stepper where the sequences `numbers` (n,) begin."""
        return lambda rows, numbers: stepper.begin(self._read(self.target.begins(len(rows)), numbers), rows)

    def _read(self, steps: NDArray[Any], numbers: NDArray[np.int64]) -> NDArray[Any]:
        """What the network reads for `steps` (n, ...) of the sequences `numbers` (n,)."""
        if not self.contexts.shape[1]:
            return steps
        rows = Sequences(steps, np.arange(len(steps) + 1))
        return self.target.with_context(rows, self.contexts[numbers]).values

    def _encoded(self, prompts: list[Any]) -> list[NDArray[Any]]:
        """What the network reads of each prompt, a begin in front."""
        given = [prompt for prompt in prompts if prompt is not None and len(prompt)]
        first = self.target.begins(1)
        if not given:
            return [first] * len(prompts)
        distinct = {id(prompt): prompt for prompt in given}
        try:
            inputs = self.model._read_raw(list(distinct.values()), reset=False)
        except SequenceDataError as error:
            raise SequenceDataError(f"Among the prompts, here X: {error}") from error
        values = dict(zip(distinct, self.model._encode_steps(inputs), strict=True))
        return [first if id(p) not in values else np.concatenate([first, values[id(p)]]) for p in prompts]

    def _stop(self, stop_strings: Any) -> Any:
        """What says that a document has come to one of the `stop_strings`; None without any."""
        if stop_strings is None:
            return None
        stops = stop_strings if isinstance(stop_strings, (list, tuple)) else [stop_strings]
        if not all(isinstance(stop, str) and stop for stop in stops):
            raise ValueError(f"stop_strings={stop_strings!r} must be a string that is not empty, or a list of such")
        if not self.spelling.documents:
            raise ValueError("stop_strings end documents, and this model was fitted to tokens or numbers")

        def stop(number: int, steps: NDArray[Any]) -> bool:
            text = self.spelling.write(self._decoded(steps))
            return any(end in text for end in stops)

        return stop


class StreamedWriting(Writing):
    """One sequence that is written step by step."""

    def steps(self, decoding: Decoding, draws: Draws, stop_strings: Any, full: bool) -> Iterator[Any]:
        """The steps of the prompt if `full`, and new ones."""
        with self.model._predictor() as compute:
            decoder = self._decoder(compute, 1)
        found = decoder.iterate(self.codes[0], decoding, draws, self._stop(stop_strings))
        prompt = self.prompts[0]
        return self._in_turn(found, prompt if full and prompt is not None and len(prompt) else None)

    def _in_turn(self, found: Iterator[Any], prompt: Any) -> Iterator[Any]:
        documents = self.spelling.documents
        if prompt is not None:
            yield from [prompt] if documents else prompt
        first = prompt is None
        while True:
            with self.model._predictor():  # between two steps the caller's own settings hold
                step = next(found, None)
            if step is None:
                return
            if not isinstance(self.target, Symbols):
                yield step
            elif step != self.target.end:
                symbol = self.target.symbols[step]
                yield symbol if first or not documents else self.spelling.between + symbol
                first = False
