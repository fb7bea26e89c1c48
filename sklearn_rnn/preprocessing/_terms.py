"""The numbers of the tokens of a vocabulary that was given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from sklearn_rnn.data.tokens import UNKNOWN


def number_terms(vocabulary: Mapping[str, int] | Collection[str]) -> dict[str, int]:
    """The number of each token of a vocabulary that was given; a mapping must number from 1 on."""
    unordered = isinstance(vocabulary, (set, frozenset))
    terms = sorted(vocabulary, key=str) if unordered else list(vocabulary)
    if not terms:
        raise ValueError("empty vocabulary: the parameter vocabulary holds no token. Leave it out to learn one")
    strange = [term for term in terms if not isinstance(term, str) or term in {UNKNOWN, ""}]
    if strange:
        hint = ": it stands for all tokens outside of the vocabulary, leave it out" if strange[0] == UNKNOWN else ""
        raise ValueError(f"vocabulary must hold tokens (str), got {strange[0]!r}{hint}")
    if len(set(terms)) < len(terms):
        twice = next(term for term, count in Counter(terms).items() if count > 1)
        raise ValueError(f"Duplicate term in vocabulary: {twice!r}. Give each token once")
    if not isinstance(vocabulary, Mapping):
        return {term: number for number, term in enumerate(terms, start=1)}
    if set(vocabulary.values()) != set(range(1, len(terms) + 1)):
        raise ValueError(
            f"vocabulary must number its {len(terms)} tokens from 1 to {len(terms)}, each once; 0 is for unknown "
            f"tokens. Where only the order counts, give sorted(vocabulary, key=vocabulary.get)"
        )
    return {term: int(number) for term, number in vocabulary.items()}
