"""New sequences from a language model: drawn, the best at each step, or found by beams."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn._snapshots import of_one_fit
from sklearn_rnn.data.formats import object_array
from sklearn_rnn.estimators._language_reading import LanguageReading
from sklearn_rnn.estimators._options import check_counts, seed_of
from sklearn_rnn.estimators._writing import StreamedWriting, Writing
from sklearn_rnn.networks.decoding import Draws


class GenerationMixin(LanguageReading):
    """Sampling and search."""

    @of_one_fit
    def sample(
        self,
        n_samples: int = 1,
        *,
        y: Any = None,
        prompt: Any = None,
        max_new_tokens: int | None = None,
        min_new_tokens: int = 0,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float = 1.0,
        min_p: float | None = None,
        repetition_penalty: float = 1.0,
        no_repeat_ngram_size: int = 0,
        stop_strings: str | list[str] | None = None,
        return_full_text: bool = True,
        random_state: Any = None,
    ) -> NDArray[Any]:
        """Draw new sequences.

        Parameters
        ----------
        n_samples : int, default=1
        y : label, vector, or array-like of shape (n_samples, ...), optional
            The context, one for all or one for each, if there were such in ``fit``.
        prompt : str, list of tokens or array of shape (n_steps, n_features), optional
            What all of them begin with.
        max_new_tokens : int, optional
            Steps after the prompt at most. By default twice as many as the longest document of ``fit`` has, and of a
            stream 200.
        min_new_tokens : int, default=0
            The end does not come as one of so many first new steps.
        temperature : float, default=1.0
            What logits are divided by: less than 1 makes what is probable more so, and 0 takes the best.
        top_k : int, optional
            Only so many most probable symbols are drawn.
        top_p : float, default=1.0
            Only the most probable symbols are drawn, as few as have this probability together.
        min_p : float, optional
            Only symbols are drawn with at least this share of the probability of the best.
        repetition_penalty : float, default=1.0
            More than 1 makes symbols less probable that have come already.
        no_repeat_ngram_size : int, default=0
            So many symbols in a row come once; 0 for no such rule.
        stop_strings : str or list of str, optional
            Texts each of which ends a document that it has come in.
        return_full_text : bool, default=True
            Whether the prompt stands in front of what is new.
        random_state : int, RandomState instance or None
            Sample i depends on it and on i, and not on how many are drawn.

        Returns
        -------
        sequences : object array of shape (n_samples,)
            Documents, lists of tokens, or arrays of steps, as those of ``fit`` were. The end is no part of them.

        Raises
        ------
        ValueError, SequenceDataError
            If an option makes no sense, or a context is missing.
        """
        check_counts(n_samples=n_samples)
        writing = Writing(self, self._one_prompt(prompt, int(n_samples)), self._contexts(y, int(n_samples)))
        decoding = writing.decoding(
            max_new_tokens,
            min_new_tokens,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            min_p=min_p,
            repetition_penalty=repetition_penalty,
            no_repeat_ngram_size=no_repeat_ngram_size,
        )
        return writing.drawn(decoding, Draws(seed_of(random_state), range(n_samples)), stop_strings, return_full_text)

    @of_one_fit
    def generate(
        self,
        X: Any,
        *,
        y: Any = None,
        num_return_sequences: int = 1,
        do_sample: bool = False,
        num_beams: int = 1,
        length_penalty: float = 1.0,
        max_new_tokens: int | None = None,
        min_new_tokens: int = 0,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float = 1.0,
        min_p: float | None = None,
        repetition_penalty: float = 1.0,
        no_repeat_ngram_size: int = 0,
        stop_strings: str | list[str] | None = None,
        return_full_text: bool = True,
        random_state: Any = None,
    ) -> NDArray[Any]:
        """Continue each sequence: with the best step each time, by a beam search, or by drawing.

        Parameters
        ----------
        X : list of str, or sequences in any supported format
            The prompts.
        y : array-like of shape (n_sequences, ...), optional
            Their contexts, if there were such in ``fit``.
        num_return_sequences : int, default=1
            Continuations of each prompt; more than 1 only with `do_sample`, or with as many beams.
        do_sample : bool, default=False
            Whether steps are drawn.
        num_beams : int, default=1
            Sequences that a search keeps side by side; only for symbols.
        length_penalty : float, default=1.0
            A beam is as good as its log-probability, divided by its number of new symbols, the end among them, to the
            power of this.
        max_new_tokens, min_new_tokens, temperature, top_k, top_p, min_p, repetition_penalty, no_repeat_ngram_size
            As in :meth:`sample`. What concerns draws has no meaning without `do_sample`.
        stop_strings, return_full_text, random_state
            As in :meth:`sample`.

        Returns
        -------
        sequences : object array of shape (n_sequences,), or (n_sequences, num_return_sequences) if those are several
            As those of :meth:`sample`; beams come best first, and where there are fewer, None stands for them.
        """
        _check_search(num_return_sequences, do_sample=do_sample, num_beams=num_beams, length_penalty=length_penalty)
        prompts = self._prompts(X)
        contexts = self._read_context(y, len(prompts), reset=False)
        times = 1 if num_beams > 1 else num_return_sequences
        repeated = [prompt for prompt in prompts for _ in range(times)]
        writing = Writing(self, repeated, np.repeat(contexts, times, axis=0))
        decoding = writing.decoding(
            max_new_tokens,
            min_new_tokens,
            temperature=temperature if do_sample else 0.0,
            top_k=top_k,
            top_p=top_p,
            min_p=min_p,
            repetition_penalty=repetition_penalty,
            no_repeat_ngram_size=no_repeat_ngram_size,
        )
        if num_beams > 1:
            found = writing.searched(decoding, num_beams, length_penalty, num_return_sequences, stop_strings)
            written = [[writing.written(i, steps, return_full_text) for steps in best] for i, best in enumerate(found)]
            return _in_columns(written, num_return_sequences)
        draws = Draws.of_each(seed_of(random_state), range(len(prompts)), times)
        drawn = writing.drawn(decoding, draws, stop_strings, return_full_text)
        return drawn if times == 1 else drawn.reshape(-1, times)

    def iter_sample(
        self,
        prompt: Any = None,
        *,
        y: Any = None,
        max_new_tokens: int | None = None,
        min_new_tokens: int = 0,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float = 1.0,
        min_p: float | None = None,
        repetition_penalty: float = 1.0,
        no_repeat_ngram_size: int = 0,
        stop_strings: str | list[str] | None = None,
        return_full_text: bool = True,
        random_state: Any = None,
    ) -> Iterator[Any]:
        """Draw one sequence, step by step.

        Parameters
        ----------
        prompt, y, max_new_tokens, min_new_tokens, temperature, top_k, top_p, min_p, repetition_penalty, \
no_repeat_ngram_size, stop_strings, return_full_text, random_state
            As in :meth:`sample`.

        Yields
        ------
        step : str, token or array of shape (n_features,)
            First the steps of the prompt, then new ones, which are those of the sample that :meth:`sample` draws with
            the same options. Of documents, joined they are the document.
        """
        writing = StreamedWriting(self, self._one_prompt(prompt, 1), self._contexts(y, 1))
        decoding = writing.decoding(
            max_new_tokens,
            min_new_tokens,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            min_p=min_p,
            repetition_penalty=repetition_penalty,
            no_repeat_ngram_size=no_repeat_ngram_size,
        )
        return writing.steps(decoding, Draws(seed_of(random_state), [0]), stop_strings, return_full_text)

    def _one_prompt(self, prompt: Any, n: int) -> list[Any]:
        """The same prompt `n` times."""
        self._learned_target  # noqa: B018  # an error that says that there is no fit
        if prompt is None:
            return [None] * n
        documents = self.spelling_.documents
        fits = documents == isinstance(prompt, str) and hasattr(prompt, "__len__")
        if fits and self.output_ == "symbols" and not documents:
            fits = not any(isinstance(token, (list, tuple, np.ndarray)) for token in prompt)
        if not fits:
            wanted = "a string" if documents else "a list of tokens or an array of steps"
            raise ValueError(f"prompt={prompt!r:.80} is of type {type(prompt).__name__}, wanted {wanted}, as in fit")
        return [prompt] * n

    def _prompts(self, X: Any) -> list[Any]:
        """The prompts of X, one by one."""
        self._learned_target  # noqa: B018
        X = self._in_pieces(X)
        if isinstance(X, (str, bytes)) or not hasattr(X, "__len__"):
            raise ValueError(f"X={X!r:.80} is of type {type(X).__name__}, wanted a collection of prompts; one is [X]")
        return list(X) if isinstance(X, (list, tuple)) else list(self._items(X))

    def _contexts(self, y: Any, n: int) -> NDArray[Any]:
        """The contexts (n, n_columns) of `n` new sequences, from one for all or one for each."""
        if y is not None and self.context_ is not None and self.context_.is_one(y):
            y = [y] * n
        return self._read_context(y, n, reset=False)


def _check_search(times: Any, *, do_sample: bool, num_beams: Any, length_penalty: Any) -> None:
    """Raise ValueError if options contradict each other."""
    check_counts(num_return_sequences=times, num_beams=num_beams)
    if do_sample and num_beams > 1:
        raise ValueError(
            f"do_sample=True draws, and num_beams={num_beams!r} searches for the best: set one of them back"
        )
    if times > 1 and not do_sample and num_beams < times:
        raise ValueError(
            f"num_return_sequences={times!r} of the best continuation would be the same ones: set do_sample=True, or "
            f"num_beams to as many"
        )
    if not np.isfinite(length_penalty):
        raise ValueError(f"length_penalty={length_penalty!r} must be a finite number")


def _in_columns(rows: list[list[Any]], n_columns: int) -> NDArray[Any]:
    """Lists of at most `n_columns` items as an object array, of one dimension if there is one column."""
    if n_columns == 1:
        return object_array([row[0] for row in rows])
    array = np.full((len(rows), n_columns), None, dtype=object)
    for i, row in enumerate(rows):
        for k, item in enumerate(row):
            array[i, k] = item
    return array
