"""Pretrained vectors for the tokens of a vocabulary, from objects in memory and from files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn._warning import warn
from sklearn_rnn.data.conversion import unwrapped
from sklearn_rnn.data.embedding_files import open_vectors
from sklearn_rnn.exceptions import EmbeddingCoverageWarning

Forms = dict[Any, list[tuple[int, int]]]
"""For each form that a source is searched for: the rows of the table that it may fill, and how well it fits them."""

Found = Iterator[tuple[Any, NDArray[np.float32]]]
"""Forms and their vectors (dim,), in the order of the source."""

WANTED = (
    "a path, a mapping from token to vector, the KeyedVectors of gensim, a pair (tokens, vectors), or a DataFrame with "
    "the tokens as its index"
)


@dataclass(frozen=True, eq=False)
class EmbeddingTable:
    """The rows of an embedding, as far as pretrained vectors cover them.

    Attributes
    ----------
    vectors : array of float32, shape (n_tokens + 1, dim)
        Row 0 is for unknown tokens. Rows that are not covered are zero.
    covered : array of bool, shape (n_tokens + 1,)
    """

    vectors: NDArray[np.float32]
    covered: NDArray[np.bool_]

    @property
    def dim(self) -> int:
        """Values of a vector."""
        return int(self.vectors.shape[1])

    @property
    def coverage(self) -> float:
        """The share of the vocabulary that has a vector."""
        return float(self.covered[1:].mean()) if len(self.covered) > 1 else 0.0


def load_embeddings(
    source: Any, vocabulary: Mapping[Any, int], *, case_fallback: bool = True, expected_dim: int | None = None
) -> EmbeddingTable:
    """Find the vectors of the tokens of a vocabulary.

    Parameters
    ----------
    source : str, PathLike, mapping, KeyedVectors, (tokens, vectors) or DataFrame
        - a path to a file of word vectors: GloVe [1]_ text, word2vec [2]_ text or binary, fastText [3]_ ``.vec``;
          plain, or compressed with gzip, bzip2 or xz, or in a zip archive of one file. The content tells the format,
          not the name. The file is read as a stream;
        - a mapping from token to vector;
        - what gensim calls ``KeyedVectors``, or a model that has them as its ``wv``. Those of fastText also give
          vectors for words that they do not have, from character n-grams;
        - a pair of tokens (n,) and vectors (n, dim);
        - a DataFrame with the tokens as its index and the values as its columns.

        Of a token that comes twice, the first vector is taken.
    vocabulary : mapping
        The row of each token: 1 to n_tokens, as row 0 is for unknown tokens.
    case_fallback : bool, default=True
        Whether a token without a vector of its own may take that of its lower-case form; failing that, of its title
        form ("Paris"); failing that, of its upper-case form.
    expected_dim : int or None, default=None
        The number of values that the vectors must have, called `embedding_dim` in errors; None takes what comes.

    Returns
    -------
    table : EmbeddingTable

    Raises
    ------
    FileNotFoundError
        If `source` is a path where there is no file.
    TypeError
        If `source` is none of the above.
    ValueError
        If the file is empty, cut off, not UTF-8, or has a line with a wrong number of values; if a vector that is
        wanted holds what is no finite number; if the numbers of tokens and vectors differ, or `expected_dim` is not
        what the vectors have. The message names the file and the line, or the token.

    Warns
    -----
    EmbeddingCoverageWarning
        If no token of the vocabulary has a vector; if words in a binary file are not valid UTF-8 (they are left out).

    References
    ----------
    .. [1] Pennington, J., Socher, R. and Manning, C. (2014). GloVe: Global vectors for word representation. EMNLP.
    .. [2] Mikolov, T., Sutskever, I., Chen, K., Corrado, G. and Dean, J. (2013). Distributed representations of words
       and phrases and their compositionality. NeurIPS.
    .. [3] Bojanowski, P., Grave, E., Joulin, A. and Mikolov, T. (2017). Enriching word vectors with subword
       information. Transactions of the ACL 5.

    Examples
    --------
    >>> from sklearn_rnn.data.embeddings import load_embeddings
    >>> vectors = {"fly": [0.1, 0.2], "oslo": [0.3, 0.4]}
    >>> table = load_embeddings(vectors, {"Oslo": 1, "fly": 2, "to": 3})
    >>> table.vectors
    array([[0. , 0. ],
           [0.3, 0.4],
           [0.1, 0.2],
           [0. , 0. ]], dtype=float32)
    >>> table.covered
    array([False,  True,  True, False])
    >>> round(table.coverage, 2)
    0.67
    """
    forms = _forms(vocabulary, case_fallback)
    if hasattr(source, "wv") and not hasattr(source, "columns"):  # a model, not a frame with such a column
        source = source.wv
    if isinstance(source, (str, os.PathLike)):
        with open_vectors(source) as file:
            encoded = {form.encode("utf-8", "surrogatepass"): form for form in forms if isinstance(form, str)}
            in_file = ((encoded[word], vector) for word, vector in file.vectors(encoded))
            table = _fill(in_file, file.dim, file.name, forms, len(vocabulary), expected_dim)
        name = file.name
    else:
        name = f"the {type(source).__name__}"
        dim, found = _search(source, forms, vocabulary)
        table = _fill(found, dim, name, forms, len(vocabulary), expected_dim)
    if not table.covered.any():
        some = ", ".join(repr(token) for token in list(vocabulary)[:5])
        warn(
            f"{name} has a vector for none of the {len(vocabulary)} tokens of the vocabulary, such as {some}: are they "
            f"of the same language, and split into tokens alike?",
            EmbeddingCoverageWarning,
        )
    return table


def _forms(vocabulary: Mapping[Any, int], case_fallback: bool) -> Forms:
    """The forms that may stand for the tokens, best first for each token."""
    forms: Forms = {}
    for token, row in vocabulary.items():
        variants = [token]
        if case_fallback and isinstance(token, str):
            variants += [token.lower(), token.title(), token.upper()]
        for rank, form in enumerate(dict.fromkeys(variants)):
            forms.setdefault(form, []).append((row, rank))
    return forms


def _fill(found: Found, dim: int, name: str, forms: Forms, n_tokens: int, expected_dim: int | None) -> EmbeddingTable:
    """Put each vector into the rows that had none, or only that of a form which fits less well."""
    if expected_dim is not None and dim != expected_dim:
        raise ValueError(
            f"embedding_dim={expected_dim!r}, but the vectors of {name} have {dim} values: set embedding_dim={dim}, or "
            f"leave it at None"
        )
    vectors = np.zeros((n_tokens + 1, dim), dtype=np.float32)
    ranks = np.full(n_tokens + 1, np.iinfo(np.int8).max, dtype=np.int8)
    for form, vector in found:
        for row, rank in forms[form]:
            if rank < ranks[row]:
                vectors[row], ranks[row] = vector, rank
    return EmbeddingTable(vectors, ranks < np.iinfo(np.int8).max)


def _search(source: Any, forms: Forms, vocabulary: Mapping[Any, int]) -> tuple[int, Found]:
    """Look the forms up in an object: the number of values of its vectors, and those that were found."""
    if hasattr(source, "key_to_index") and hasattr(source, "vectors"):
        return int(source.vectors.shape[1]), _in_keyed_vectors(source, forms, vocabulary)
    if hasattr(source, "get_vector"):
        found = {form: source.get_vector(form) for form in forms if form in source}
        if not found and not hasattr(source, "vector_size"):
            raise ValueError(f"The {type(source).__name__} has no token of the vocabulary, and no vector_size")
        return _in_mapping(found, forms, source.vector_size if not found else _width(*next(iter(found.items()))))
    if isinstance(source, Mapping):
        if not source:
            raise ValueError("The mapping from token to vector is empty")
        return _in_mapping(source, forms, _width(*next(iter(source.items()))))
    if hasattr(source, "columns") and hasattr(source, "index"):
        return _in_pair(source.index, source.to_numpy(), forms)
    if isinstance(source, (tuple, list)) and len(source) == 2:
        return _in_pair(source[0], source[1], forms)
    raise TypeError(f"Pretrained embeddings must be {WANTED}; got {type(source).__name__} {source!r:.80}")


def _in_keyed_vectors(source: Any, forms: Forms, vocabulary: Mapping[Any, int]) -> Found:
    """Words that gensim has, then those that it can compose of character n-grams."""
    served: set[int] = set()
    for form in forms:
        if form in source.key_to_index:
            served.update(row for row, _ in forms[form])
            yield form, _vector(form, source.vectors[source.key_to_index[form]])
    for token, row in vocabulary.items():
        if row not in served and isinstance(token, str) and token in source:
            yield token, _vector(token, source.get_vector(token))


def _in_mapping(source: Mapping[Any, Any], forms: Forms, dim: int) -> tuple[int, Found]:
    """Forms that are keys of a mapping whose vectors have `dim` values."""
    return dim, ((form, _vector(form, source[form], dim)) for form in forms if form in source)


def _in_pair(tokens: Iterable[Any], vectors: Any, forms: Forms) -> tuple[int, Found]:
    """Tokens (n,) beside vectors (n, dim)."""
    names = tokens.tolist() if hasattr(tokens, "tolist") else list(tokens)
    if len(names) != len(vectors):
        raise ValueError(f"There are {len(names)} tokens, but {len(vectors)} vectors: give one vector for each token")
    if len(vectors) == 0:
        raise ValueError("There are no tokens and no vectors: give at least one")
    dim = _width(names[0], vectors[0])
    first: dict[Any, int] = {}
    for i, token in enumerate(names):
        if token in forms:
            first.setdefault(token, i)
    return dim, ((token, _vector(token, vectors[i], dim)) for token, i in first.items())


def _vector(token: Any, value: Any, dim: int | None = None) -> NDArray[np.float32]:
    """One vector (dim,) of finite numbers."""
    vector = _row(token, value)
    if dim is not None and len(vector) != dim:
        raise ValueError(f"The vector of {token!r} has {len(vector)} values, but that of the first token has {dim}")
    with np.errstate(over="ignore"):  # what is too great for float32 becomes infinite
        vector = vector.astype(np.float32)
    if not np.isfinite(vector).all():
        where = int(np.argmin(np.isfinite(vector)))
        raise ValueError(f"The vector of {token!r} has {vector[where]} at position {where}, but it must be finite")
    return vector


def _width(token: Any, value: Any) -> int:
    """How many values a vector has."""
    return len(_row(token, value))


def _row(token: Any, value: Any) -> NDArray[Any]:
    """The values of a vector as an array (dim,) of numbers."""
    try:
        row = np.asarray(unwrapped(value, f"the vector of {token!r}"))
        row = row.astype(np.float64) if row.dtype == object else row
    except (TypeError, ValueError) as error:
        raise ValueError(f"The vector of {token!r} must hold numbers ({error})") from error
    if row.dtype.kind not in "biuf":
        raise ValueError(f"The vector of {token!r} must hold numbers, got dtype {row.dtype}")
    if row.ndim != 1 or len(row) == 0:
        raise ValueError(f"The vector of {token!r} must be 1-D with at least one value, got shape {row.shape}")
    return row
