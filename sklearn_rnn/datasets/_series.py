"""A fetcher of numeric series with a class for each."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils._param_validation import validate_params

from sklearn_rnn.datasets._catalogue import JAPANESE_VOWELS
from sklearn_rnn.datasets._fetching import Cache
from sklearn_rnn.datasets._packing import TWO_PARTS, documented, pack, parts_of


@documented(JAPANESE_VOWELS)
@validate_params(TWO_PARTS, prefer_skip_nested_validation=True)
def fetch_japanese_vowels(
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
    """JapaneseVowels: who speaks [1]_ [2]_, for the classification of series of unequal length.

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

        - data : list of arrays of shape (length_i, 12), the coefficients at each step;
        - target : array of int, shape (n_sequences,), the speaker, 1 to 9;
        - frame : DataFrame with the columns ``series`` and ``speaker``, or None;
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
    >>> from sklearn_rnn.datasets import fetch_japanese_vowels
    >>> X, y = fetch_japanese_vowels(return_X_y=True)  # doctest: +SKIP
    >>> X[0].shape, int(y[0])  # doctest: +SKIP
    ((20, 12), 1)
    """
    cache = Cache(data_home, download_if_missing, n_retries, delay, bool(verbose))
    series, speakers = [], []
    for part in parts_of(subset, "train", "test"):
        for line in cache.lines(JAPANESE_VOWELS.files[part]):
            if line.strip() and line[0] not in "#@":
                *channels, label = line.strip().split(":")
                series.append(np.array([channel.split(",") for channel in channels], dtype=np.float64).T.copy())
                speakers.append(int(label))
    columns = {"series": series, "speaker": np.array(speakers, dtype=np.int64)}
    return pack(JAPANESE_VOWELS, columns, return_X_y=return_X_y, as_frame=as_frame)
