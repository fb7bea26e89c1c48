"""Fetchers of running text, whose pieces follow each other: to learn what comes next."""

from __future__ import annotations

import re
from typing import Any

from sklearn.utils._param_validation import validate_params

from sklearn_rnn.datasets._catalogue import TINY_SHAKESPEARE
from sklearn_rnn.datasets._fetching import Cache
from sklearn_rnn.datasets._packing import COMMON_PARAMETERS, documented, pack


@documented(TINY_SHAKESPEARE)
@validate_params(COMMON_PARAMETERS, prefer_skip_nested_validation=True)
def fetch_tiny_shakespeare(
    *,
    data_home: Any = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    as_frame: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
    verbose: bool | int = False,
) -> Any:
    """Tiny Shakespeare: a million characters of plays [1]_, for models of what comes next.

    {about}

    Parameters
    ----------
    {common}

    Returns
    -------
    data : Bunch
        With the attributes

        - data : list of str, the speeches one after the other; joined they are the text, to the last character;
        - target : list of str, who speaks;
        - frame : DataFrame with the columns ``speech`` and ``speaker``, or None;
        - DESCR : str.
    (data, target) : tuple, if `return_X_y`

    Raises
    ------
    {errors}

    Notes
    -----
    Published figures mostly learn from the first nine tenths of the characters, and are those of the last tenth.

    References
    ----------
    {references}

    Examples
    --------
    >>> from sklearn_rnn.datasets import fetch_tiny_shakespeare
    >>> plays = fetch_tiny_shakespeare()  # doctest: +SKIP
    >>> plays.data[1], plays.target[1]  # doctest: +SKIP
    ('All:\\nSpeak, speak.\\n\\n', 'All')
    >>> text = "".join(plays.data)  # doctest: +SKIP
    >>> len(text), len(set(text))  # doctest: +SKIP
    (1115394, 65)
    """
    cache = Cache(data_home, download_if_missing, n_retries, delay, bool(verbose))
    text = cache.read(TINY_SHAKESPEARE.files["all"]).decode()
    speeches = re.split(r"(?<=\n\n)(?!\n)", text)  # behind an empty line, of which there may be several
    columns = {"speech": speeches, "speaker": [speech.partition(":\n")[0] for speech in speeches]}
    return pack(TINY_SHAKESPEARE, columns, return_X_y=return_X_y, as_frame=as_frame)
