"""Fetchers of text with a tag for each token."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.utils._param_validation import validate_params

from sklearn_rnn.datasets._catalogue import ATIS, CONLL2000, UD_ENGLISH_EWT, WNUT17
from sklearn_rnn.datasets._columns import Layout, read_columns
from sklearn_rnn.datasets._fetching import Cache, RemoteFile, lines_of, read_member
from sklearn_rnn.datasets._packing import THREE_PARTS, TWO_PARTS, documented, pack, parts_of
from sklearn_rnn.datasets._text import words


@documented(ATIS)
@validate_params(THREE_PARTS, prefer_skip_nested_validation=True)
def fetch_atis(
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
    """ATIS: slots and intents of questions about air travel [1]_ [2]_, for tagging and classification.

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

        - data : list of lists of str, the tokens of each utterance;
        - target : list of lists of str, the slot tags;
        - intents : array of str, shape (n_sequences,);
        - frame : DataFrame with the columns ``tokens``, ``tags`` and ``intents``, or None;
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
    >>> from sklearn_rnn.datasets import fetch_atis
    >>> atis = fetch_atis()  # doctest: +SKIP
    >>> atis.data[0][:7]  # doctest: +SKIP
    ['i', 'want', 'to', 'fly', 'from', 'baltimore', 'to']
    >>> atis.target[0][:7]  # doctest: +SKIP
    ['O', 'O', 'O', 'O', 'O', 'B-fromloc.city_name', 'O']
    >>> str(atis.intents[0])  # doctest: +SKIP
    'atis_flight'
    """
    cache = Cache(data_home, download_if_missing, n_retries, delay, bool(verbose))
    columns: dict[str, Any] = {"tokens": [], "tags": [], "intents": []}
    for part in parts_of(subset, "train", "validation", "test"):
        for column, name in zip(columns, ("seq.in", "seq.out", "label"), strict=True):
            columns[column] += cache.lines(ATIS.files[f"{part}/{name}"])
    columns = {
        "tokens": [words(line) for line in columns["tokens"]],
        "tags": [words(line) for line in columns["tags"]],
        "intents": np.array([line.strip() for line in columns["intents"]]),
    }
    return pack(ATIS, columns, return_X_y=return_X_y, as_frame=as_frame)


@documented(CONLL2000)
@validate_params(TWO_PARTS, prefer_skip_nested_validation=True)
def fetch_conll2000(
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
    """CoNLL-2000: chunks of newspaper text [1]_, for tagging.

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

        - data : list of lists of str, the tokens of each sentence;
        - target : list of lists of str, the chunk tags;
        - pos : list of lists of str, the parts of speech;
        - frame : DataFrame with the columns ``tokens``, ``tags`` and ``pos``, or None;
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
    >>> from sklearn_rnn.datasets import fetch_conll2000
    >>> chunks = fetch_conll2000()  # doctest: +SKIP
    >>> chunks.data[0][:4], chunks.target[0][:4], chunks.pos[0][:4]  # doctest: +SKIP
    (['Confidence', 'in', 'the', 'pound'], ['B-NP', 'B-PP', 'B-NP', 'I-NP'], ['NN', 'IN', 'DT', 'NN'])
    """
    cache = Cache(data_home, download_if_missing, n_retries, delay, bool(verbose))
    with zipfile.ZipFile(io.BytesIO(cache.read(CONLL2000.files["archive"]))) as archive:
        lines = [
            line
            for part in parts_of(subset, "train", "test")
            for line in [*lines_of(read_member(archive, f"conll2000/{part}.txt")), ""]
        ]
    tokens, pos, tags = read_columns(lines, Layout((0, 1, 2), separator=" ")).columns
    return pack(CONLL2000, {"tokens": tokens, "tags": tags, "pos": pos}, return_X_y=return_X_y, as_frame=as_frame)


@documented(UD_ENGLISH_EWT)
@validate_params(THREE_PARTS, prefer_skip_nested_validation=True)
def fetch_ud_english_ewt(
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
    """UD English-EWT: parts of speech of text from the web [1]_, for tagging.

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

        - data : list of lists of str, the words of each sentence;
        - target : list of lists of str, the universal parts of speech;
        - xpos : list of lists of str, the tags of the Penn Treebank;
        - frame : DataFrame with the columns ``tokens``, ``tags`` and ``xpos``, or None;
        - DESCR : str.
    (data, target) : tuple, if `return_X_y`

    Raises
    ------
    {errors}

    Notes
    -----
    Words are syntactic ones: "don't" is "do" and "n't". Empty nodes, which stand for elided words, are left out.

    References
    ----------
    {references}

    Examples
    --------
    >>> from sklearn_rnn.datasets import fetch_ud_english_ewt
    >>> X, y = fetch_ud_english_ewt(subset="test", return_X_y=True)  # doctest: +SKIP
    >>> X[0][:4], y[0][:4]  # doctest: +SKIP
    (['What', 'if', 'Google', 'Morphed'], ['PRON', 'SCONJ', 'PROPN', 'VERB'])
    """
    cache = Cache(data_home, download_if_missing, n_retries, delay, bool(verbose))
    lines = _lines_of_parts(cache, UD_ENGLISH_EWT.files, subset)
    layout = Layout((1, 3, 4), separator="\t", comment="#", numbered=True)
    tokens, upos, xpos = read_columns(lines, layout).columns
    columns = {"tokens": tokens, "tags": upos, "xpos": xpos}
    return pack(UD_ENGLISH_EWT, columns, return_X_y=return_X_y, as_frame=as_frame)


@documented(WNUT17)
@validate_params(THREE_PARTS, prefer_skip_nested_validation=True)
def fetch_wnut17(
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
    """WNUT-17: rare and emerging entities in posts [1]_, for tagging.

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

        - data : list of lists of str, the tokens of each post;
        - target : list of lists of str, the entity tags;
        - frame : DataFrame with the columns ``tokens`` and ``tags``, or None;
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
    >>> from sklearn_rnn.datasets import fetch_wnut17
    >>> X, y = fetch_wnut17(return_X_y=True)  # doctest: +SKIP
    >>> X[0][14:18], y[0][14:18]  # doctest: +SKIP
    (['Empire', 'State', 'Building', '='], ['B-location', 'I-location', 'I-location', 'O'])
    """
    cache = Cache(data_home, download_if_missing, n_retries, delay, bool(verbose))
    lines = _lines_of_parts(cache, WNUT17.files, subset)
    tokens, tags = read_columns(lines, Layout((0, 1), separator="\t")).columns
    return pack(WNUT17, {"tokens": tokens, "tags": tags}, return_X_y=return_X_y, as_frame=as_frame)


def _lines_of_parts(cache: Cache, files: Mapping[str, RemoteFile], subset: str) -> list[str]:
    """The lines of the files of a subset, with an empty one after each file."""
    parts = parts_of(subset, "train", "validation", "test")
    return [line for part in parts for line in [*cache.lines(files[part]), ""]]
