"""Fetchers of text with a class for each sequence: sentences, questions, messages and names."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np
from sklearn.utils._param_validation import validate_params

from sklearn_rnn.datasets._catalogue import MOVIE_REVIEWS, SMS_SPAM, SST2, SURNAMES, TREC
from sklearn_rnn.datasets._fetching import Cache, lines_of, read_member
from sklearn_rnn.datasets._packing import COMMON_PARAMETERS, THREE_PARTS, TWO_PARTS, documented, pack, parts_of

SENTIMENTS = ["negative", "positive"]


def words(line: str) -> list[str]:
    """What stands between spaces; other white space is part of a word."""
    return [word for word in line.split(" ") if word]


@documented(SST2)
@validate_params(THREE_PARTS, prefer_skip_nested_validation=True)
def fetch_sst2(
    *,
    subset: str = "train",
    data_home: Any = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    as_frame: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
    verbose: bool | int = False,
) -> Any:
    """SST-2: positive and negative sentences of film reviews [1]_, for sequence classification.

    {about}

    Parameters
    ----------
    subset : {"train", "validation", "test", "all"}, default="train"
        Which part; "all" is the three of them, one after the other.
    {common}

    Returns
    -------
    data : Bunch
        With the attributes

        - data : list of lists of str, the tokens of each sentence;
        - target : array of int, shape (n_sequences,), 1 for positive;
        - target_names : list of str;
        - frame : DataFrame with the columns ``tokens`` and ``label``, or None;
        - DESCR : str.
    (data, target) : tuple, if `return_X_y`

    Raises
    ------
    {errors}

    References
    ----------
    {references}

    Examples
    --------
    >>> from sklearn_rnn.datasets import fetch_sst2
    >>> X, y = fetch_sst2(subset="validation", return_X_y=True)  # doctest: +SKIP
    >>> X[0], int(y[0])  # doctest: +SKIP
    (['one', 'long', 'string', 'of', 'cliches', '.'], 0)
    """
    cache = Cache(data_home, download_if_missing, n_retries, delay, bool(verbose))
    lines = [line for part in parts_of(subset, "train", "validation", "test") for line in cache.lines(SST2.files[part])]
    return pack(SST2, _labelled(lines), return_X_y=return_X_y, as_frame=as_frame, target_names=SENTIMENTS)


@documented(MOVIE_REVIEWS)
@validate_params(COMMON_PARAMETERS, prefer_skip_nested_validation=True)
def fetch_movie_reviews(
    *,
    data_home: Any = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    as_frame: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
    verbose: bool | int = False,
) -> Any:
    """MR: positive and negative sentences of film reviews [1]_, for sequence classification.

    {about}

    Parameters
    ----------
    {common}

    Returns
    -------
    data : Bunch
        With the attributes

        - data : list of lists of str, the tokens of each sentence;
        - target : array of int, shape (n_sequences,), 1 for positive;
        - target_names : list of str;
        - frame : DataFrame with the columns ``tokens`` and ``label``, or None;
        - DESCR : str.
    (data, target) : tuple, if `return_X_y`

    Raises
    ------
    {errors}

    Notes
    -----
    The file is in Windows-1252, of which its dashes and ellipses are a part that Latin-1 does not have.

    References
    ----------
    {references}

    Examples
    --------
    >>> from sklearn_rnn.datasets import fetch_movie_reviews
    >>> X, y = fetch_movie_reviews(return_X_y=True)  # doctest: +SKIP
    >>> X[0], int(y[0])  # doctest: +SKIP
    (['simplistic', ',', 'silly', 'and', 'tedious', '.'], 0)
    """
    cache = Cache(data_home, download_if_missing, n_retries, delay, bool(verbose))
    lines = cache.lines(MOVIE_REVIEWS.files["all"], encoding="cp1252")
    return pack(MOVIE_REVIEWS, _labelled(lines), return_X_y=return_X_y, as_frame=as_frame, target_names=SENTIMENTS)


def _labelled(lines: list[str]) -> dict[str, Any]:
    """Lines that begin with a digit for the class."""
    split = [line.split(" ", 1) for line in lines]
    return {
        "tokens": [words(text) for _, text in split],
        "label": np.array([int(label) for label, _ in split], dtype=np.int64),
    }


@documented(TREC)
@validate_params(TWO_PARTS, prefer_skip_nested_validation=True)
def fetch_trec(
    *,
    subset: str = "train",
    data_home: Any = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    as_frame: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
    verbose: bool | int = False,
) -> Any:
    """TREC: what a question asks for [1]_, for sequence classification with 6 or 50 classes.

    {about}

    Parameters
    ----------
    subset : {"train", "test", "all"}, default="train"
        Which part; "all" is one after the other.
    {common}

    Returns
    -------
    data : Bunch
        With the attributes

        - data : list of lists of str, the tokens of each question;
        - target : array of int, shape (n_sequences,), the place of the class in `target_names`;
        - target_names : list of 6 str;
        - fine_target : array of int, shape (n_sequences,), the place of the fine class in `fine_target_names`;
        - fine_target_names : list of 50 str;
        - frame : DataFrame with the columns ``tokens``, ``label`` and ``fine_target``, or None;
        - DESCR : str.
    (data, target) : tuple, if `return_X_y`

    Raises
    ------
    {errors}

    References
    ----------
    {references}

    Examples
    --------
    >>> from sklearn_rnn.datasets import fetch_trec
    >>> questions = fetch_trec(subset="test")  # doctest: +SKIP
    >>> questions.data[2]  # doctest: +SKIP
    ['Who', 'was', 'Galileo', '?']
    >>> questions.target_names[questions.target[2]]  # doctest: +SKIP
    'HUM'
    >>> questions.fine_target_names[questions.fine_target[2]]  # doctest: +SKIP
    'HUM:desc'
    """
    cache = Cache(data_home, download_if_missing, n_retries, delay, bool(verbose))
    with zipfile.ZipFile(io.BytesIO(cache.read(TREC.files["archive"]))) as archive:
        lines = {part: lines_of(read_member(archive, f"qc/{part}.txt"), "latin-1") for part in ("train", "test")}
    fine_names = sorted({line.split(" ", 1)[0] for line in lines["train"]})  # all of those of the test part are there
    names = sorted({name.split(":")[0] for name in fine_names})
    split = [line.split(" ", 1) for part in parts_of(subset, "train", "test") for line in lines[part]]
    columns = {
        "tokens": [words(text) for _, text in split],
        "label": _places([label.split(":")[0] for label, _ in split], names),
        "fine_target": _places([label for label, _ in split], fine_names),
    }
    return pack(
        TREC, columns, return_X_y=return_X_y, as_frame=as_frame, target_names=names, fine_target_names=fine_names
    )


def _places(labels: list[str], names: list[str]) -> np.ndarray[Any, Any]:
    """Where each label (n_sequences,) stands in a list of names."""
    place = {name: i for i, name in enumerate(names)}
    return np.array([place[label] for label in labels], dtype=np.int64)


@documented(SMS_SPAM)
@validate_params(COMMON_PARAMETERS, prefer_skip_nested_validation=True)
def fetch_sms_spam(
    *,
    data_home: Any = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    as_frame: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
    verbose: bool | int = False,
) -> Any:
    """SMS spam: short messages that are wanted or not [1]_, for the classification of documents.

    {about}

    Parameters
    ----------
    {common}

    Returns
    -------
    data : Bunch
        With the attributes

        - data : list of str, the messages;
        - target : array of int, shape (n_sequences,), 1 for spam;
        - target_names : list of str;
        - frame : DataFrame with the columns ``text`` and ``label``, or None;
        - DESCR : str.
    (data, target) : tuple, if `return_X_y`

    Raises
    ------
    {errors}

    References
    ----------
    {references}

    Examples
    --------
    >>> from sklearn_rnn.datasets import fetch_sms_spam
    >>> X, y = fetch_sms_spam(return_X_y=True)  # doctest: +SKIP
    >>> X[1], int(y[1])  # doctest: +SKIP
    ('Ok lar... Joking wif u oni...', 0)
    """
    cache = Cache(data_home, download_if_missing, n_retries, delay, bool(verbose))
    split = [line.split("\t", 1) for line in cache.lines(SMS_SPAM.files["all"])]
    names = ["ham", "spam"]
    columns = {"text": [text for _, text in split], "label": _places([label for label, _ in split], names)}
    return pack(SMS_SPAM, columns, return_X_y=return_X_y, as_frame=as_frame, target_names=names)


@documented(SURNAMES)
@validate_params(COMMON_PARAMETERS, prefer_skip_nested_validation=True)
def fetch_surnames(
    *,
    data_home: Any = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    as_frame: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
    verbose: bool | int = False,
) -> Any:
    """Surnames and the languages that they come from [1]_, for the classification of sequences of characters.

    {about}

    Parameters
    ----------
    {common}

    Returns
    -------
    data : Bunch
        With the attributes

        - data : list of str, the names, without white space around them;
        - target : array of int, shape (n_sequences,), the place of the language in `target_names`;
        - target_names : list of 18 str;
        - frame : DataFrame with the columns ``name`` and ``language``, or None;
        - DESCR : str.
    (data, target) : tuple, if `return_X_y`

    Raises
    ------
    {errors}

    References
    ----------
    {references}

    Examples
    --------
    >>> from sklearn_rnn.datasets import fetch_surnames
    >>> names = fetch_surnames()  # doctest: +SKIP
    >>> names.data[0], names.target_names[names.target[0]]  # doctest: +SKIP
    ('Khoury', 'Arabic')
    >>> X = [list(name) for name in names.data]  # sequences of characters  # doctest: +SKIP
    """
    cache = Cache(data_home, download_if_missing, n_retries, delay, bool(verbose))
    languages = list(SURNAMES.files)
    pairs = [
        (line.strip(), language)
        for language in languages
        for line in cache.lines(SURNAMES.files[language])
        if line.strip()
    ]
    columns = {
        "name": [name for name, _ in pairs],
        "language": _places([language for _, language in pairs], languages),
    }
    return pack(SURNAMES, columns, return_X_y=return_X_y, as_frame=as_frame, target_names=languages)
