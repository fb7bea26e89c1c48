"""New sequences of steps of numbers from a network whose head is a distribution of the next one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sklearn_rnn.networks.choosing import Decoding, Draws
from sklearn_rnn.networks.heads import LikelihoodHead
from sklearn_rnn.networks.stepping import Stepper

Array = NDArray[Any]
Stop = Callable[[int, Array], bool]


class NumberDecoder:
    """Writes sequences of steps of numbers with a network that goes on step by step.

    A sequence gets the same steps whatever sequences are written beside it, in whatever order.

    Parameters
    ----------
    stepper : Stepper
        Its rows, one at least, are taken over.
    head : LikelihoodHead
        That of the network.
    read : callable
        ``read(steps, numbers)`` returns what :meth:`Stepper.advance` reads, given rows (n, n_features) of a prompt, or
        of `again`, of the sequences `numbers` (n,).
    units : callable
        Maps drawn numbers (n, n_features) to those of the user.
    again : callable
        Maps numbers of the user (n, n_features) to what is read of them.
    begin : callable or None
        ``begin(rows, numbers)`` puts rows (n,) of the stepper where the sequences `numbers` (n,) begin; by default that
        is before the first step. The sequences are those of `prompts`, by their place.
    """

    def __init__(
        self,
        stepper: Stepper,
        head: LikelihoodHead,
        read: Callable[[Array, Array], Array],
        *,
        units: Callable[[Array], Array],
        again: Callable[[Array], Array],
        begin: Callable[[Array, Array], None] | None = None,
    ) -> None:
        self._stepper, self._head = stepper, head
        self._read, self._units, self._again = read, units, again
        self._begin = begin or (lambda rows, numbers: stepper.reset(rows))

    def sample(
        self, prompts: Sequence[Any], decoding: Decoding, draws: Draws | None = None, stop: Stop | None = None
    ) -> tuple[list[Array], None]:
        """New steps after each prompt.

        Parameters
        ----------
        prompts : sequence of arrays of shape (n_read, n_features)
            What the network reads first, at least one step.
        decoding : Decoding
            Of it `max_new_tokens`, `min_new_tokens` and `temperature` say something of numbers.
        draws : Draws or None
            Of as many sequences as there are prompts; not needed where the temperature is 0.
        stop : callable or None
            ``stop(number, steps)`` says whether a sequence ends, given the place of its prompt and all new steps.

        Returns
        -------
        steps : list of arrays of shape (n_new, n_features)
            Without the end.
        scores : None
        """
        new: list[list[Array]] = [[] for _ in prompts]
        waiting, live = iter(range(len(prompts))), _Live(self._stepper)
        while decoding.max_new_tokens:
            fresh = live.fill(waiting, prompts)
            if not len(live.rows):
                break
            self._begin(live.rows[fresh], live.numbers[fresh])
            for number, step in self._advance(live, decoding, draws):
                new[number].append(step)
                if len(new[number]) == decoding.max_new_tokens or (stop and stop(number, np.array(new[number]))):
                    live.end(number)
            live.drop()
        empty = np.empty((0, self._head.n_features))
        return [np.array(steps) if steps else empty for steps in new], None

    def iterate(
        self, prompt: Any, decoding: Decoding, draws: Draws | None = None, stop: Stop | None = None
    ) -> Iterator[Array]:
        """The steps (n_features,) that :meth:`sample` returns for one prompt, one at a time, as they are made."""
        live = _Live(self._stepper)
        new: list[Array] = []
        live.fill(iter([0]), [prompt])
        self._begin(live.rows, live.numbers)
        while len(new) < decoding.max_new_tokens and not live.ended.any():
            for _, step in self._advance(live, decoding, draws):
                new.append(step)
                yield step
                if stop is not None and stop(0, np.array(new)):
                    return

    def _advance(self, live: _Live, decoding: Decoding, draws: Draws | None) -> Iterator[tuple[int, Array]]:
        """Read one step of each sequence, and draw the next of those that have read all that is known of them.

        Each is a pair of the sequence's number and the step; those whose end was drawn are marked.
        """
        values = self._read(live.upcoming(), live.numbers)
        if self._stepper.advance(values, live.rows) >= 0:
            raise ValueError("a sequence became so large that its numbers are not finite for the network")
        writing = live.step()
        if not len(writing):
            return
        outputs = torch.from_numpy(self._stepper.outputs[live.rows[writing]]).to(self._head.linear.weight.device)
        with torch.inference_mode():
            if decoding.temperature == 0 or draws is None:
                numbers, is_end = self._head.best(outputs)
            else:
                uniforms = draws.uniform(live.numbers[writing], self._head.n_uniforms)
                numbers, is_end = self._head.draw(outputs, torch.from_numpy(uniforms).to(outputs), decoding.temperature)
        ended = is_end.cpu().numpy() & (live.n_new[writing] >= decoding.min_new_tokens)
        steps = self._units(numbers.double().cpu().numpy())
        live.ended[writing] = ended
        live.add(writing[~ended], self._again(steps[~ended]))
        yield from zip(live.numbers[writing[~ended]].tolist(), steps[~ended], strict=True)


class _Live:
    """The sequences that are being written, each in a row of a stepper.

    Attributes
    ----------
    rows, numbers : arrays of int64, shape (n,)
        Where each is, and which of all it is.
    n_new : array of int64, shape (n,)
        How many new steps each has.
    ended : array of bool, shape (n,)
    """

    def __init__(self, stepper: Stepper) -> None:
        self._free = list(range(len(stepper.n_steps)))[::-1]
        self._known: list[Array] = []  # what each has still to read
        self.rows, self.numbers, self.n_new = (np.empty(0, np.int64) for _ in range(3))
        self.ended = np.empty(0, bool)

    def fill(self, waiting: Iterator[int], prompts: Sequence[Any]) -> slice:
        """Begin as many of the sequences that are `waiting` as there is room for; returns their places."""
        n = len(self.rows)
        found: list[int] = []
        while len(found) < len(self._free) and (number := next(waiting, None)) is not None:
            found.append(number)
        rows = [self._free.pop() for _ in found]
        self._known += [np.asarray(prompts[number], dtype=np.float64) for number in found]
        self.rows = np.append(self.rows, np.array(rows, np.int64))
        self.numbers = np.append(self.numbers, np.array(found, np.int64))
        self.n_new = np.append(self.n_new, np.zeros(len(found), np.int64))
        self.ended = np.append(self.ended, np.zeros(len(found), bool))
        return slice(n, None)

    def upcoming(self) -> Array:
        """What each reads next, (n, n_features)."""
        return np.stack([known[0] for known in self._known])

    def step(self) -> Array:
        """Take a step; returns the places of those that have nothing left to read."""
        self._known = [known[1:] for known in self._known]
        return np.flatnonzero([not len(known) for known in self._known])

    def add(self, places: Array, steps: Array) -> None:
        """Let those at `places` (n,) read the new `steps` (n, n_features)."""
        for place, step in zip(places, steps, strict=True):
            self._known[place] = step[None]
        self.n_new[places] += 1

    def end(self, number: int) -> None:
        """Mark a sequence as ended."""
        self.ended[self.numbers == number] = True

    def drop(self) -> None:
        """Make room in place of those that have ended."""
        if not self.ended.any():
            return
        self._free += self.rows[self.ended].tolist()
        kept = ~self.ended
        self._known = [known for known, keeps in zip(self._known, kept, strict=True) if keeps]
        self.rows, self.numbers, self.n_new = (x[kept] for x in (self.rows, self.numbers, self.n_new))
        self.ended = self.ended[kept]
