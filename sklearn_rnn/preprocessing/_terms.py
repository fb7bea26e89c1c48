"""Which tokens a vocabulary holds, and their numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from itertools import pairwise
from numbers import Integral

from sklearn_rnn.data.tokens import UNKNOWN
from sklearn_rnn.exceptions import SequenceDataError
from sklearn_rnn.preprocessing._text import Tokens


def learn_terms(
    tokens: Tokens, *, min_df: int | float, max_df: int | float, max_features: int | None
) -> dict[str, int]:
    """Number the tokens that are frequent enough from 1 on, in alphabetical order; none if there are no tokens.

    The rule is that of scikit-learn's ``CountVectorizer``, whose ties at `max_features` are in no fixed order: here the
    first in alphabetical order stay.
    """
    n_documents = len(tokens.offsets) - 1
    fewest = min_df if isinstance(min_df, Integral) else min_df * n_documents
    most = max_df if isinstance(max_df, Integral) else max_df * n_documents
    if most < fewest:
        raise ValueError(
            f"max_df={max_df!r} corresponds to < documents than min_df={min_df!r}: of {n_documents} documents at most "
            f"{most:g} and at least {fewest:g}. Raise max_df or lower min_df"
        )
    counts = Counter(tokens.values)
    del counts[UNKNOWN]
    terms = sorted(counts)
    if fewest > 1 or most < n_documents:
        documents_with = Counter[str]()
        for start, end in pairwise(tokens.offsets.tolist()):
            documents_with.update(set(tokens.values[start:end]))
        terms = [term for term in terms if fewest <= documents_with[term] <= most]
        if counts and not terms:
            rare = sum(documents_with[term] < fewest for term in counts)
            raise SequenceDataError(
                f"The vocabulary is empty: of {len(counts)} distinct tokens min_df={min_df!r} left out {rare}, which "
                f"are in fewer than {fewest:g} of {n_documents} documents, and max_df={max_df!r} left out "
                f"{len(counts) - rare}, which are in more than {most:g}. Lower min_df or raise max_df"
            )
    if max_features is not None:
        terms = sorted(sorted(terms, key=lambda term: -counts[term])[:max_features])
    return {term: number for number, term in enumerate(terms, start=1)}


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
