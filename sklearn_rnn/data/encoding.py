"""From checked inputs to the numbers that a network reads: one row a step, learned in ``fit``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn.data.aligned import AlignedSequences
from sklearn_rnn.data.input_scale import InputScale
from sklearn_rnn.data.inputs import Inputs
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.tokens import TokenSequences
from sklearn_rnn.data.validation import InputSpec
from sklearn_rnn.data.vocabulary import encode_tokens, factorize, learn_vocabulary
from sklearn_rnn.exceptions import SequenceDataError

MAX_CHARACTERS = 24
"""Characters kept of a token: the first and the last half of a longer one."""

CASINGS = 8
"""Kinds of casing that :func:`casing_codes` tells apart, with 0 for padding."""

TOKEN = ""
"""The name of the input where there is only one."""


@dataclass
class StepEncoding:
    """How steps become rows of numbers.

    A row holds the indices of the embedded inputs, the token's first; then with `casing` the kind of casing; then with
    `characters` the number of the token's form among those of the data and its characters; then the numeric features.

    Attributes
    ----------
    vocabularies : dict of str to dict
        For each embedded input the index of each of its values.
    numeric : list of str
        Names of the inputs that are numbers.
    n_numeric : int
        Numeric features a step.
    characters : dict of str to int or None
        Index of each character, from 2 on; 0 is padding, and 1 a character that training did not have.
    casing : bool
        Whether the casing of the token is an input, and its vocabulary in lower case.
    max_characters : int
    scales : dict of str to InputScale
        How the numbers of each numeric input are scaled; empty if they are passed on as they are.
    bounded : bool
        Whether the token has one index more, the last, for the begin and the end of a sequence.
    """

    vocabularies: dict[str, dict[Any, int]] = field(default_factory=dict)
    numeric: list[str] = field(default_factory=list)
    n_numeric: int = 0
    characters: dict[str, int] | None = None
    casing: bool = False
    max_characters: int = 0
    scales: dict[str, InputScale] = field(default_factory=dict)
    bounded: bool = False

    @classmethod
    def learn(
        cls,
        inputs: Inputs,
        spec: InputSpec,
        *,
        min_df: int | float = 1,
        max_features: int | None = None,
        characters: bool = False,
        casing: bool = False,
        standardize: bool | str = False,
        counts: NDArray[np.float64] | None = None,
    ) -> StepEncoding:
        """Learn the vocabularies and scales of `inputs`; `min_df` and `max_features` concern the token alone.

        Parameters
        ----------
        inputs : Sequences or AlignedSequences
            As the door let them in.
        spec : InputSpec
        min_df, max_features
            As in :func:`sklearn_rnn.data.vocabulary.learn_vocabulary`.
        characters, casing : bool
            Whether the characters, and the casing, of the token are inputs. Both need an input of strings.
        standardize : bool or "auto"
            Whether numbers are scaled; "auto" leaves features alone that are always 0 or 1.
        counts : array of shape (n_sequences,), optional
            How often each sequence is there.

        Returns
        -------
        encoding : StepEncoding
        """
        encoding = cls()
        if (characters or casing) and not any(kind == "text" for _, _, kind in parts_of(inputs, spec)):
            raise SequenceDataError(
                f"{'char_encoder' if characters else 'casing_features'} needs tokens that are strings, X holds none"
            )
        for name, part, kind in parts_of(inputs, spec):
            if kind == "numeric":
                encoding.numeric.append(name)
                encoding.n_numeric += part.n_features
                if standardize:
                    encoding.scales[name] = InputScale.learn(
                        part,
                        counts,
                        masked=spec.missing == "mask",
                        spare_indicators=standardize == "auto",
                        name=_called(name),
                    )
            elif encoding.vocabularies:
                encoding.vocabularies[name] = learn_vocabulary(part)
            else:
                strings = kind == "text"
                encoding.casing = casing and strings
                if characters and strings:
                    forms = set(_surfaces(part).tolist())
                    known = sorted(set().union(*forms))
                    encoding.characters = {character: code for code, character in enumerate(known, start=2)}
                    encoding.max_characters = min(MAX_CHARACTERS, max(map(len, forms), default=1))
                tokens = _lowered(part) if encoding.casing else part
                encoding.vocabularies[name] = learn_vocabulary(
                    tokens, min_df=min_df, max_features=max_features, counts=counts
                )
        return encoding

    @property
    def vocabulary(self) -> dict[Any, int]:
        """The vocabulary of the token."""
        return next(iter(self.vocabularies.values()))

    @property
    def sizes(self) -> list[int]:
        """How many indices each embedded input has."""
        sizes = [len(vocabulary) + 1 for vocabulary in self.vocabularies.values()]
        return [sizes[0] + self.bounded, *sizes[1:]] if sizes else []

    @property
    def mean_and_scale(self) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """What is subtracted from each numeric feature, and what it is then divided by; None if none is scaled."""
        scales = list(self.scales.values())
        if not scales:
            return None
        return np.concatenate([scale.mean for scale in scales]), np.concatenate([scale.scale for scale in scales])

    def encode(self, inputs: Inputs, spec: InputSpec, dtype: str) -> Sequences:
        """The rows of `inputs`.

        Parameters
        ----------
        inputs : Sequences or AlignedSequences
        spec : InputSpec
        dtype : {"float32", "float64"}
            Of the rows, if they hold numeric features. Those that are not scaled are of this type already.

        Returns
        -------
        rows : Sequences
            Values (total_steps, n_columns); of integers without numeric features, and of shape (total_steps,) for
            tokens alone.
        """
        if not self.vocabularies and isinstance(inputs, Sequences):
            return self._numbers(TOKEN, inputs, dtype)
        columns: list[NDArray[Any]] = []
        numbers: list[NDArray[Any]] = []
        for name, part, kind in parts_of(inputs, spec):
            if kind == "numeric":
                numbers.append(self._numbers(name, part, dtype).values)
                continue
            first = not columns
            values = _lowered(part).values if first and self.casing else part.values
            columns.append(encode_tokens(values, self.vocabularies[name])[:, None])
            if first:
                surfaces = _surfaces(part)
        if self.casing:
            columns.append(casing_codes(surfaces)[:, None])
        if self.characters is not None:
            columns.append(character_codes(surfaces, self.characters, self.max_characters))
        if numbers:
            return inputs.with_values(np.concatenate([*columns, *numbers], axis=1, dtype=dtype, casting="unsafe"))
        if len(columns) == 1 and columns[0].shape[1] == 1:
            return inputs.with_values(columns[0][:, 0])
        return inputs.with_values(np.concatenate(columns, axis=1, dtype=np.int32, casting="unsafe"))

    def _numbers(self, name: str, part: Sequences, dtype: str) -> Sequences:
        """The numeric input `name`, scaled if it is."""
        scale = self.scales.get(name)
        return part if scale is None else scale.encode(part, dtype, name=_called(name))


def parts_of(inputs: Inputs, spec: InputSpec) -> list[tuple[str, Sequences, str]]:
    """Name, sequences and kind of each input."""
    if isinstance(inputs, AlignedSequences):
        return [(name, part, spec.inputs[name].kind) for name, part in inputs.inputs.items()]
    return [(TOKEN, inputs, spec.kind)]


def _called(name: str) -> str:
    """What errors call the input `name`."""
    return "X" if name == TOKEN else f"{name!r} of X"


def _surfaces(part: Sequences) -> NDArray[Any]:
    """The tokens (total_steps,) as they stand in their document, or as they were given."""
    if isinstance(part, TokenSequences) and part.surfaces is not None:
        return part.surfaces
    return part.values


def _lowered(part: Sequences) -> Sequences:
    lowered = np.empty(len(part.values), dtype=object)
    lowered[:] = [token.lower() for token in part.values.tolist()]
    return part.with_values(lowered)


def casing_codes(surfaces: NDArray[Any]) -> NDArray[np.int64]:
    """The kind of casing of each token (total_steps,).

    1 lower case, 2 upper case, 3 a capital first, 4 mixed, 5 digits alone, 6 digits among others, 7 no letter or digit.
    """
    forms, codes = factorize(surfaces)
    kinds = np.fromiter((_casing(form) for form in forms), np.int64, len(forms))
    return kinds[codes]


def _casing(form: str) -> int:
    if form.isdigit():
        return 5
    if any(character.isdigit() for character in form):
        return 6
    if form.islower():
        return 1
    if form.isupper():
        return 3 if len(form) == 1 else 2
    if form[:1].isupper() and form[1:].islower():
        return 3
    return 4 if any(character.isalpha() for character in form) else 7


def character_codes(surfaces: NDArray[Any], index: dict[str, int], max_characters: int) -> NDArray[np.int32]:
    """The number of each token's form, from 1 on, and the codes of its characters.

    Parameters
    ----------
    surfaces : array of str, shape (total_steps,)
    index : dict of str to int
    max_characters : int
        Of a longer token the first and the last characters are kept.

    Returns
    -------
    codes : array of int32, shape (total_steps, 1 + max_characters)
        Equal numbers in the first column mean equal characters in the rest.
    """
    forms, form_of = factorize(surfaces)
    table = np.zeros((len(forms), 1 + max_characters), dtype=np.int32)
    table[:, 0] = np.arange(1, len(forms) + 1)
    head = max_characters - max_characters // 2
    for row, form in enumerate(forms):
        if len(form) > max_characters:
            form = form[:head] + form[len(form) - max_characters // 2 :]
        table[row, 1 : 1 + len(form)] = [index.get(character, 1) for character in form]
    return table[form_of]
