"""How documents become symbols, and symbols documents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone

from sklearn_rnn.data.formats import items_of, object_array
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.tokens import read_documents
from sklearn_rnn.exceptions import SequenceDataError
from sklearn_rnn.preprocessing import SequenceTokenizer


@dataclass
class Spelling:
    """How documents become symbols, and symbols documents.

    Attributes
    ----------
    tokenizer : SequenceTokenizer or None
        Fitted; None for characters.
    documents : bool
        Whether what was fitted to were documents: what is written then are such too.
    between : str
        What stands between two symbols of a document.
    name : str
        What to call the documents in errors.
    """

    tokenizer: Any = None
    documents: bool = False
    between: str = ""
    name: str = "X"

    @classmethod
    def learn(cls, tokenizer: Any, X: Any, *, name: str = "X", parameter: str = "tokenizer") -> Spelling:
        """That of X, called `name`, with the parameter `tokenizer` of an estimator."""
        _refuse_column_of_documents(X, name)
        if not are_documents(X):
            return cls(name=name)
        if tokenizer is None:
            raise SequenceDataError(
                f"{name} holds documents (strings), and {parameter}=None splits none: set {parameter}='char' or "
                f"'word', or give a list of token lists"
            )
        read_documents(X, name=name)
        if tokenizer == "char":
            return cls(documents=True, name=name)
        tokenizer = SequenceTokenizer(on_empty="keep") if tokenizer == "word" else clone(tokenizer)
        between = "" if getattr(tokenizer, "analyzer", "word") == "char" else " "
        return cls(tokenizer.fit(X), documents=True, between=between, name=name)

    def read(self, X: Any) -> Any:
        """X with its documents, if it holds such, split into symbols."""
        _refuse_column_of_documents(X, self.name)
        if not are_documents(X):
            return X
        if not self.documents:
            raise SequenceDataError(
                f"{self.name} holds documents (strings), and the model was fitted to tokens or numbers: give "
                f"{self.name} as it was there"
            )
        if self.tokenizer is not None:
            return self.tokenizer.transform(X)
        texts = read_documents(X, name=self.name).tolist()
        offsets = np.cumsum([0, *map(len, texts)])
        return Sequences(object_array(list("".join(texts))), offsets)

    def split(self, text: str) -> list[Any]:
        """The symbols of one document."""
        return list(self.read([text])[0])

    def write(self, symbols: Any, before: str = "") -> str:
        """The document of `symbols`, behind the text `before`."""
        return self.between.join([*([before] if before else []), *map(str, symbols)])


def _refuse_column_of_documents(X: Any, name: str) -> None:
    """Raise if X is a frame of one column of strings, which would be sequences of one token each."""
    if not hasattr(X, "columns") or not hasattr(X, "iloc") or len(X.columns) != 1 or not len(X):
        return
    first, column = X.iloc[0, 0], X.columns[0]
    if isinstance(first, str):
        raise SequenceDataError(
            f"{name} is a frame with one column of strings, {column!r}, wanted a collection of documents: give "
            f"{name}[{column!r}]"
        )


def are_documents(X: Any) -> bool:
    """Whether X is a collection of strings, each of which is a document."""
    if isinstance(X, (Sequences, dict, set)) or not hasattr(X, "__len__"):
        return False
    if len(getattr(X, "shape", (0,))) != 1 or not len(X):
        return False
    if getattr(getattr(X, "dtype", None), "kind", "O") not in "OUST":
        return False
    first = next(iter(X if isinstance(X, (list, tuple)) else items_of(X)), None)
    return isinstance(first, (str, bytes))
