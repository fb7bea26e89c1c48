"""Documents split into tokens: the ragged container that remembers the texts and where in them each token stands."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sklearn_rnn.data.collection import Collection
from sklearn_rnn.data.conversion import unwrapped
from sklearn_rnn.data.formats import items_of, object_array
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.exceptions import SequenceDataError

UNKNOWN = "<unk>"
"""The token that stands for all tokens outside the vocabulary."""


class TokenSequences(Sequences):
    """The tokens of documents, with the documents and the place of each token in them.

    What holds for :class:`~sklearn_rnn.Sequences` holds for it: an integer picks the tokens of one document, a slice,
    an index array or a boolean mask picks a subset, which keeps the documents and the spans of its own.

    Parameters
    ----------
    values : array of str, shape (total_steps,)
        The tokens of all documents, one document after the other; `UNKNOWN` for those outside the vocabulary.
    offsets : array of shape (n_sequences + 1,)
        Document ``i`` has the tokens ``values[offsets[i]:offsets[i + 1]]``.
    documents : array of str, shape (n_sequences,)
        The texts as they were given.
    spans : array of int, shape (total_steps, 2), optional
        Start and end of each token in its document, counted in characters. None if the places are not known.
    ids : array of shape (n_sequences,), optional
        The key of each document.

    Attributes
    ----------
    surfaces : array of str, shape (total_steps,), or None
        Each token as it stands in its document. None without spans.

    Raises
    ------
    ValueError
        If the shapes do not belong together.

    Examples
    --------
    >>> from sklearn_rnn.data.tokens import TokenSequences
    >>> tokens = TokenSequences(["in", "oslo"], [0, 2], documents=["In Oslo"], spans=[[0, 2], [3, 7]])
    >>> tokens
    TokenSequences(n_sequences=1, lengths 2 to 2)
    >>> tokens.surfaces
    array(['In', 'Oslo'], dtype=object)
    """

    __slots__ = ("_surfaces", "documents", "spans")

    documents: NDArray[Any]
    spans: NDArray[np.int64] | None

    def __init__(
        self,
        values: ArrayLike,
        offsets: ArrayLike,
        *,
        documents: ArrayLike,
        spans: ArrayLike | None = None,
        ids: ArrayLike | None = None,
    ) -> None:
        super().__init__(np.asarray(values, dtype=object), offsets, ids=ids)
        self.documents = np.asarray(documents, dtype=object)
        self.spans = None if spans is None else np.asarray(spans, dtype=np.int64)
        self._surfaces: NDArray[Any] | None = None
        if self.values.ndim != 1:
            raise ValueError(f"values must hold one token a step, got shape {self.values.shape}")
        if self.documents.shape != (len(self),):
            raise ValueError(
                f"documents must hold one text for each of the {len(self)} sequences, got shape {self.documents.shape}"
            )
        if self.spans is not None and self.spans.shape != (len(self.values), 2):
            raise ValueError(
                f"spans must hold (start, end) of each of the {len(self.values)} tokens, got shape {self.spans.shape}"
            )

    @property
    def surfaces(self) -> NDArray[Any] | None:
        """Each token as it stands in its document, shape (total_steps,); None without spans."""
        if self._surfaces is None and self.spans is not None:
            texts = np.repeat(self.documents, self.lengths)
            places = zip(texts, self.spans.tolist(), strict=True)
            self._surfaces = np.array([text[start:end] for text, (start, end) in places], dtype=object)
        return self._surfaces

    def _contents(self) -> str:
        return Collection._contents(self)  # one token a step

    def _pick(self, index: NDArray[Any], rows: slice | NDArray[Any], offsets: NDArray[Any]) -> TokenSequences:
        return TokenSequences(
            self.values[rows],
            offsets,
            documents=self.documents[index],
            spans=None if self.spans is None else self.spans[rows],
            ids=None if self.ids is None else self.ids[index],
        )


def read_documents(X: Any, *, name: str) -> NDArray[Any]:
    """The texts of a list, array, Series, Arrow column, frame of one column or another iterable of strings.

    Parameters
    ----------
    X : iterable of str
    name : str
        What to call X in errors.

    Returns
    -------
    documents : array of str, shape (n_documents,)

    Raises
    ------
    SequenceDataError
        If X is no such collection, or one of its items no string; the message names its position.
    """
    if isinstance(X, (str, bytes)):
        raise SequenceDataError(
            f"Iterable over raw text documents expected, string object received: {name} is {_shown(X)}. Give a list "
            f"of documents; one document is [{name}]"
        )
    if isinstance(X, (Mapping, Set)) or not (hasattr(X, "__iter__") or hasattr(X, "__array__")):
        raise SequenceDataError(
            f"{name} must be a list, array or Series of documents, in an order, got {type(X).__name__}"
        )
    items = items_of(_single_column(unwrapped(X, name), name))
    documents = items.tolist() if isinstance(items, np.ndarray) else items
    for i, document in enumerate(documents):
        if not isinstance(document, str):
            raise _no_document(document, i, name)
    return object_array(documents)


def _single_column(X: Any, name: str) -> Any:
    """The column of a frame, table or 2-D array that has just one; anything else as it is."""
    if isinstance(X, Sequences):
        return X
    shape = getattr(X, "shape", None)
    if shape is None or len(shape) == 1:
        return X
    if len(shape) != 2 or shape[1] != 1:
        columns = getattr(X, "column_names", None) or list(getattr(X, "columns", []))
        named = f" (columns {[str(column) for column in columns]!r})" if columns and len(columns) < 20 else ""
        raise SequenceDataError(
            f"{name} has shape {tuple(shape)}{named}, wanted one column of documents: pick it, as {name}['text'] does, "
            f'or with ColumnTransformer([("text", "passthrough", ["text"])]) before SequenceTokenizer in a Pipeline'
        )
    if hasattr(X, "iloc"):
        return X.iloc[:, 0]
    if hasattr(X, "to_series"):  # a polars frame
        return X.to_series(0)
    return X.column(0) if hasattr(X, "column_names") else X[:, 0]


def _no_document(item: Any, i: int, name: str) -> SequenceDataError:
    """The error for item `i` that is no string, with the way to make it one."""
    wanted = f"{name}[{i}] is {_shown(item)} where a document (str) is due"
    if isinstance(item, bytes):
        return SequenceDataError(f"{wanted}: decode it first, for example {name}[{i}].decode('utf-8')")
    if isinstance(item, (list, tuple, np.ndarray)):
        return SequenceDataError(
            f"{wanted}. Documents that are split already need no SequenceTokenizer: estimators read lists of tokens"
        )
    missing = item is None or str(item) in {"nan", "NaN", "<NA>", "NaT"}
    remedy = "a missing document may be an empty one, ''" if missing else "str(value) makes a document of it"
    return SequenceDataError(f"{wanted}: {remedy}")


def _shown(value: Any) -> str:
    """The type of a value and, cut to 40 characters, its repr."""
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 40 else text[:37] + '...'}"
