"""Labelled spans of steps, and the steps as a person reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sklearn_rnn.data.formats import is_text
from sklearn_rnn.data.inputs import Inputs
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.tokens import TokenSequences


@dataclass(frozen=True, slots=True)
class Entity:
    """A span of steps with a label.

    Parameters
    ----------
    label : str
        The label of its tags without their prefixes.
    start, end : int
        Its first step, and the step after its last.
    score : float, optional
        The probability that its steps have the labels that they have.
    start_char, end_char : int, optional
        Its first character in the document, and the character after its last.
    text : str, optional
        ``document[start_char:end_char]``, or without a document its tokens with a space between them.

    See Also
    --------
    sklearn_rnn.RNNSequenceTagger.predict_entities : Find the entities of sequences.
    sklearn_rnn.inspection.render_entities : Mark entities in a text.

    Examples
    --------
    >>> from sklearn_rnn.inspection import Entity
    >>> Entity("city", 2, 4, text="New York")
    Entity(label='city', start=2, end=4, score=None, start_char=None, end_char=None, text='New York')
    """

    label: str
    start: int
    end: int
    score: float | None = None
    start_char: int | None = None
    end_char: int | None = None
    text: str | None = None


def token_input(inputs: Inputs) -> Sequences | None:
    """The token of each step: the first input of strings.

    Parameters
    ----------
    inputs : Sequences or AlignedSequences
        As the door let them in.

    Returns
    -------
    tokens : Sequences or None
        Values of shape (total_steps,); a `TokenSequences` if that is what came. None where no input is strings.
    """
    parts = [inputs] if isinstance(inputs, Sequences) else inputs.inputs.values()
    return next((part for part in parts if part.values.ndim == 1 and is_text(part.values)), None)


def place_in(tokens: Sequences | None, i: int, start: int, end: int) -> tuple[Any, Any, str | None]:
    """Start and end in the characters of document `i`, as far as they are known, and the text there."""
    if tokens is None:
        return None, None, None
    first, last = tokens.offsets[i] + start, tokens.offsets[i] + end - 1
    if not isinstance(tokens, TokenSequences) or tokens.spans is None:
        return None, None, " ".join(tokens.values[first : last + 1].tolist())
    start_char, end_char = int(tokens.spans[first, 0]), int(tokens.spans[last, 1])
    return start_char, end_char, tokens.documents[i][start_char:end_char]
