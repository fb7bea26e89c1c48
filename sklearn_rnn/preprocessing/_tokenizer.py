"""Documents to sequences of tokens."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils._param_validation import Interval, RealNotInt, StrOptions
from sklearn.utils.validation import check_is_fitted

from sklearn_rnn._spelling import SpellingMixin
from sklearn_rnn._warning import warn
from sklearn_rnn.data.formats import as_sequences, is_text, object_array
from sklearn_rnn.data.row_order import check_order, ids_of_index
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.tokens import UNKNOWN, TokenSequences, read_documents
from sklearn_rnn.data.vocabulary import learn_vocabulary
from sklearn_rnn.exceptions import SequenceDataError
from sklearn_rnn.preprocessing._terms import number_terms
from sklearn_rnn.preprocessing._text import Splitter, Tokens, tokenize


class SequenceTokenizer(SpellingMixin, TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    r"""Split documents into sequences of tokens.

    The counterpart of :class:`~sklearn.feature_extraction.text.CountVectorizer` for models that read the tokens in
    their order: first step of a Pipeline that ends in an estimator of this package. The vocabulary is learned in `fit`
    alone, and every token outside of it becomes the one token ``"<unk>"``.

    Parameters
    ----------
    analyzer : {"word", "char", "whitespace"} or callable, default="word"
        What a token is: a match of `token_pattern`; a character, white space included; or what stands between white
        space. A callable takes the document as it is and returns a list of strings.
    lowercase : bool, default=True
        Make tokens lower-case. Before `token_pattern` is matched, as in `CountVectorizer`; the tokens of a callable
        one by one.
    token_pattern : str
        Regular expression of a token where `analyzer` is "word". A capturing group, of which there may be one, is the
        token. The default is explained below.
    strip_accents : {"ascii", "unicode"} or callable, default=None
        Remove accents as in `CountVectorizer`: "ascii" drops what has no ASCII equivalent, "unicode" only the marks.
        A callable is given one token after the other.
    min_df : int or float, default=1
        Fewest documents that a token of the vocabulary is in; a float is a share of the documents.
    max_df : int or float, default=1.0
        Most documents that a token of the vocabulary is in; a float is a share of the documents.
    max_features : int, default=None
        Keep only this many tokens in the vocabulary, those with the highest count over all documents. Of tokens with
        equal counts the first in alphabetical order are kept.
    max_length : int, default=None
        Keep at most this many tokens of a document. The vocabulary is learned from what is kept.
    truncate : {"head", "tail"}, default="tail"
        The end of a longer document that is cut off.
    vocabulary : mapping of str to int or iterable of str, default=None
        A vocabulary fixed in advance, of tokens in lower case and so on as `transform` makes them. A mapping must
        number the tokens from 1 on, as `vocabulary_` does; other iterables get their numbers in their order, sets in
        alphabetical order. `min_df`, `max_df` and `max_features` then have no effect.
    on_empty : {"unknown", "keep"}, default="unknown"
        A document without a token becomes one ``"<unk>"`` with the span (0, 0), or a sequence without steps, which
        classifiers and regressors refuse.

    Attributes
    ----------
    vocabulary_ : dict of str to int
        The number of each token, from 1 on in alphabetical order. 0 is for ``"<unk>"``.

    See Also
    --------
    sklearn.feature_extraction.text.CountVectorizer : Counts of tokens, whatever their order.
    PerStep : Apply a transformer to the steps of sequences.

    Notes
    -----
    The default of `token_pattern` is
    ``[\w\u0300-\u036f]+(?:['\u2019](?![sS]\b)[\w\u0300-\u036f]+)*|['\u2019][sS]\b|[^\w\s]``. Unlike that of
    `CountVectorizer`, it keeps words of one letter, and takes each punctuation mark or symbol as a token, since "good!"
    and "good?" differ. A word keeps its inner apostrophes ("don't", "o'brien"), but the "'s" of "Rome's" is a token of
    its own, so that "Rome" is the same word in both. A hyphen separates: "well", "-", "known". The accents that Unicode
    has as characters of their own (U+0300 to U+036F) belong to the word. Scripts that do not write words with space
    between them, or have vowel signs outside of ``\w``, as Thai and Hindi, need a pattern or an analyzer of their own.

    `transform` returns a container that behaves as :class:`~sklearn_rnn.Sequences` does, with three more attributes,
    which go along with every slice: `documents`, the texts; `spans` of shape (total_steps, 2), the start and end of
    each token in its document, in characters; and `surfaces`, the tokens as they stand in the documents. Spans hold
    whatever lower case and accents do: ``document[start:end]`` is the surface. The tokens of a callable are looked for
    in the document, each from the end of the one before. If one is not found, `spans` and `surfaces` are None for all
    documents of the call.

    A token that `strip_accents` leaves nothing of, or an empty match, is no token. A literal ``"<unk>"`` in a document
    is unknown, and never part of the vocabulary.

    A ColumnTransformer joins 2-D output alone, and so holds this transformer in a Pipeline with a network, as in
    ``make_pipeline(SequenceTokenizer(), RNNClassifier())``. It can also pick the column for the steps that follow:
    ``make_pipeline(ColumnTransformer([("text", "passthrough", ["text"])]), SequenceTokenizer(), ...)``.

    References
    ----------
    Unicode Standard Annex #15, Unicode Normalization Forms (NFKD, which strips accents).

    Examples
    --------
    >>> from sklearn_rnn import SequenceTokenizer
    >>> reviews = ["Not good!", "Good, isn't it?"]
    >>> tokenizer = SequenceTokenizer().fit(reviews)
    >>> tokenizer.get_feature_names_out()
    array(['!', ',', '?', 'good', "isn't", 'it', 'not'], dtype=object)
    >>> tokens = tokenizer.transform(["Isn't it great?"])
    >>> tokens[0]
    array(["isn't", 'it', '<unk>', '?'], dtype=object)
    >>> tokens.surfaces[2], tokens.spans[2]
    ('great', array([ 9, 14]))

    In a Pipeline:

    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn_rnn import RNNClassifier
    >>> model = make_pipeline(SequenceTokenizer(), RNNClassifier(hidden_size=4, max_epochs=1, random_state=0))
    >>> model.fit(reviews * 5, ["negative", "positive"] * 5).predict(["It is good"]).shape
    (1,)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "analyzer": [StrOptions({"word", "char", "whitespace"}), callable],
        "lowercase": ["boolean"],
        "token_pattern": [str],
        "strip_accents": [StrOptions({"ascii", "unicode"}), callable, None],
        "min_df": [Interval(RealNotInt, 0, 1, closed="both"), Interval(Integral, 1, None, closed="left")],
        "max_df": [Interval(RealNotInt, 0, 1, closed="both"), Interval(Integral, 1, None, closed="left")],
        "max_features": [Interval(Integral, 1, None, closed="left"), None],
        "max_length": [Interval(Integral, 1, None, closed="left"), None],
        "truncate": [StrOptions({"head", "tail"})],
        "vocabulary": [Mapping, "array-like", None],
        "on_empty": [StrOptions({"unknown", "keep"})],
    }

    def __init__(
        self,
        *,
        analyzer: Any = "word",
        lowercase: bool = True,
        token_pattern: str = r"[\w\u0300-\u036f]+(?:['\u2019](?![sS]\b)[\w\u0300-\u036f]+)*|['\u2019][sS]\b|[^\w\s]",
        strip_accents: Any = None,
        min_df: int | float = 1,
        max_df: int | float = 1.0,
        max_features: int | None = None,
        max_length: int | None = None,
        truncate: str = "tail",
        vocabulary: Any = None,
        on_empty: str = "unknown",
    ) -> None:
        self.analyzer = analyzer
        self.lowercase = lowercase
        self.token_pattern = token_pattern
        self.strip_accents = strip_accents
        self.min_df = min_df
        self.max_df = max_df
        self.max_features = max_features
        self.max_length = max_length
        self.truncate = truncate
        self.vocabulary = vocabulary
        self.on_empty = on_empty

    def fit(self, raw_documents: Any, y: Any = None) -> SequenceTokenizer:
        """Learn the vocabulary of the documents.

        Parameters
        ----------
        raw_documents : iterable of str
            A list, array, Series, Arrow column or frame of one column.
        y : array-like, optional
            No part in the vocabulary; an index in another order than that of `raw_documents` is an error.

        Returns
        -------
        self : SequenceTokenizer

        Raises
        ------
        SequenceDataError
            If `raw_documents` holds something that is no string, or no token is left for the vocabulary.
        ValueError
            If a parameter is wrong, or `vocabulary` is empty, repeats a token, or does not number from 1 on.
        """
        self.fit_transform(raw_documents, y)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_transform(self, raw_documents: Any, y: Any = None) -> TokenSequences:
        """Learn the vocabulary of the documents and split them, which is faster than `fit` and `transform`.

        Parameters
        ----------
        raw_documents : iterable of str
        y : array-like, optional
            As in `fit`.

        Returns
        -------
        tokens : TokenSequences
            As `transform` returns them.
        """
        check_order(raw_documents, {"y": y}, name="raw_documents")
        documents = read_documents(raw_documents, name="raw_documents")
        if len(documents) == 0:
            raise SequenceDataError("raw_documents is empty: found 0 sample(s), a minimum of 1 document is required")
        tokens = self._tokenize(documents)
        self.vocabulary_ = self._vocabulary_of(tokens)
        return self._in_container(tokens, documents, ids_of_index(raw_documents))

    def transform(self, raw_documents: Any) -> TokenSequences:
        """Split documents into tokens.

        Parameters
        ----------
        raw_documents : iterable of str

        Returns
        -------
        tokens : TokenSequences
            One sequence for each document, of tokens of the vocabulary and ``"<unk>"``.
        """
        check_is_fitted(self)
        documents = read_documents(raw_documents, name="raw_documents")
        return self._in_container(self._tokenize(documents), documents, ids_of_index(raw_documents))

    def inverse_transform(self, X: Any) -> NDArray[Any]:
        """Join tokens to documents: characters as they are, all other tokens with a space between them.

        Parameters
        ----------
        X : sequences of tokens, or of their numbers in `vocabulary_`
            What `transform` returns, or a list of lists of strings or integers.

        Returns
        -------
        documents : array of str, shape (n_sequences,)
            Made of the tokens as `transform` left them: what it changed, or made unknown, does not come back.

        Raises
        ------
        SequenceDataError
            If X holds neither strings nor integers, or an integer that is no token's number.
        """
        check_is_fitted(self)
        sequences = as_sequences(X)
        tokens = self._as_tokens(sequences.values).tolist()
        between = "" if self.analyzer == "char" else " "
        bounds = sequences.offsets.tolist()
        return object_array([between.join(tokens[start:end]) for start, end in pairwise(bounds)])

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """The tokens of the vocabulary in the order of their numbers, the first being that of number 1.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        tokens : array of str, shape (n_tokens,)
        """
        check_is_fitted(self)
        return object_array(sorted(self.vocabulary_, key=self.vocabulary_.__getitem__))

    def set_output(self, *, transform: str | None = None) -> SequenceTokenizer:
        """Nothing to set: sequences do not fit into a frame, so that the output stays what it is.

        Here for the Pipeline around it, whose `set_output` calls that of every step.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, optional
            Ignored.

        Returns
        -------
        self : SequenceTokenizer
        """
        return self

    def _splitter(self) -> Splitter:
        return Splitter(
            self.analyzer,
            lowercase=self.lowercase,
            token_pattern=self.token_pattern,
            strip_accents=self.strip_accents,
        )

    def _tokenize(self, documents: NDArray[Any]) -> Tokens:
        """The tokens of the documents, none of them unknown yet."""
        return tokenize(
            documents,
            self._splitter(),
            max_length=self.max_length,
            truncate=self.truncate,
            on_empty=self.on_empty,
        )

    def _vocabulary_of(self, tokens: Tokens) -> dict[str, int]:
        """The vocabulary to learn from `tokens`, or the one that was given."""
        if self.vocabulary is not None:
            vocabulary = number_terms(self.vocabulary)
            self._warn_of_what_never_comes(list(vocabulary))
            return vocabulary
        vocabulary = learn_vocabulary(
            Sequences(object_array(tokens.values), tokens.offsets),
            min_df=self.min_df,
            max_df=self.max_df,
            max_features=self.max_features,
        )
        if not vocabulary:
            reason = f"token_pattern={self.token_pattern!r} matches nothing" if self.analyzer == "word" else "no token"
            raise SequenceDataError(
                f"The vocabulary is empty: {reason} in {len(tokens.offsets) - 1} documents with "
                f"analyzer={self.analyzer!r}. Look whether the documents hold text, and whether these parameters fit it"
            )
        return vocabulary

    def _warn_of_what_never_comes(self, terms: list[str]) -> None:
        """Warn of tokens of a vocabulary that lower case and accents keep from ever being met."""
        normalize = self._splitter().normalize_token
        other = [term for term in terms if normalize(term) != term]
        if other:
            warn(
                f"{len(other)} of {len(terms)} tokens of vocabulary will not be matched by any document, such as "
                f"{other[0]!r}: lowercase={self.lowercase!r} and strip_accents={self.strip_accents!r} make it "
                f"{normalize(other[0])!r}. Give it in that form",
                UserWarning,
            )

    def _in_container(self, tokens: Tokens, documents: NDArray[Any], ids: Any) -> TokenSequences:
        """Tokens of the vocabulary and `UNKNOWN`, with the documents that they are from and their `ids`, if any."""
        same = {token: token for token in self.vocabulary_}
        values = np.array([same.get(token, UNKNOWN) for token in tokens.values], dtype=object)
        return TokenSequences(values, tokens.offsets, documents=documents, spans=tokens.spans, ids=ids)

    def _as_tokens(self, values: NDArray[Any]) -> NDArray[Any]:
        """Strings, or numbers of the vocabulary, of shape (total_steps,) as strings."""
        if values.ndim == 2 and values.shape[1] == 1:
            values = values[:, 0]
        if values.ndim == 1 and (is_text(values) or len(values) == 0):
            return values
        if values.dtype == object:
            values = np.asarray(values.tolist())
        if values.ndim != 1 or values.dtype.kind not in "iu":
            raise SequenceDataError(
                f"X must hold one token (str) or one number of vocabulary_ (int) a step, got steps of dtype "
                f"{values.dtype} and shape {values.shape[1:]}"
            )
        names = object_array([UNKNOWN, *self.get_feature_names_out()])
        outside = values[(values < 0) | (values >= len(names))]
        if len(outside):
            raise SequenceDataError(f"X holds {outside[0]}, wanted numbers from 0 (unknown) to {len(names) - 1}")
        return names[values]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        return tags
