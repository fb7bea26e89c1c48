"""Scores of numbers: one target a sequence, as scikit-learn has them, or one a step, in nested formats with gaps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import mean_absolute_error, mean_pinball_loss, r2_score, root_mean_squared_error

from sklearn_rnn.metrics._number_pairs import mean_of_outputs, paired_numbers, read_numbers, spread_weights


def sequence_r2_score(
    y_true: Any, y_pred: Any, *, sample_weight: ArrayLike | None = None, target: str = "auto"
) -> float:
    """The coefficient of determination R2 over all targets that are there, the mean of the outputs.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_sequences,) or (n_sequences, n_outputs), or nested numbers
        One number, or one row of numbers, for each sequence; or for each sequence one of shape (length,) or
        (length, n_outputs), in a list, an object array, a Series, a container or a 3-D array. NaN in `y_true` is a
        target that is not there.
    sample_weight : array-like, optional
        One weight a sequence, of shape (n_sequences,); or of nested numbers one a step.
    target : {"auto", "sequence", "step"}
        What the rows of a 2-D array are: the outputs of a sequence, or its steps. "auto" takes them for outputs unless
        the other one of `y_true` and `y_pred` is nested.

    Returns
    -------
    score : float
        At most 1; NaN if no target is there.

    Raises
    ------
    SequenceDataError
        If `y_true` and `y_pred` differ in their shapes or lengths, the message says where; or if a prediction is no
        number where a target is.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_rnn.metrics import sequence_r2_score
    >>> sequence_r2_score([[1.0, 2.0, np.nan], [3.0]], [[1.0, 2.5, 7.0], [3.0]])
    0.875
    """
    return _mean_of_outputs(r2_score, y_true, y_pred, sample_weight, target, degree=0)


def sequence_mean_absolute_error(
    y_true: Any, y_pred: Any, *, sample_weight: ArrayLike | None = None, target: str = "auto"
) -> float:
    """The mean absolute error over all targets that are there, the mean of the outputs.

    Parameters
    ----------
    y_true, y_pred, sample_weight, target
        As in :func:`sequence_r2_score`.

    Returns
    -------
    error : float
        In the units of the targets; NaN if no target is there.

    Raises
    ------
    SequenceDataError
        As :func:`sequence_r2_score`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_rnn.metrics import sequence_mean_absolute_error
    >>> sequence_mean_absolute_error([[1.0, 2.0, np.nan], [3.0]], [[1.0, 2.5, 7.0], [2.0]])
    0.5
    """
    return _mean_of_outputs(mean_absolute_error, y_true, y_pred, sample_weight, target)


def sequence_root_mean_squared_error(
    y_true: Any, y_pred: Any, *, sample_weight: ArrayLike | None = None, target: str = "auto"
) -> float:
    """The root of the mean squared error over all targets that are there, the mean of the outputs.

    Parameters
    ----------
    y_true, y_pred, sample_weight, target
        As in :func:`sequence_r2_score`.

    Returns
    -------
    error : float
        In the units of the targets; NaN if no target is there.

    Raises
    ------
    SequenceDataError
        As :func:`sequence_r2_score`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_rnn.metrics import sequence_root_mean_squared_error
    >>> sequence_root_mean_squared_error([[1.0, 2.0, np.nan], [3.0]], [[1.0, 2.0, 7.0], [6.0]])
    1.732...
    """
    return _mean_of_outputs(root_mean_squared_error, y_true, y_pred, sample_weight, target)


def sequence_pinball_loss(
    y_true: Any, y_pred: Any, *, alpha: float = 0.5, sample_weight: ArrayLike | None = None, target: str = "auto"
) -> float:
    """The pinball loss of a quantile over all targets that are there, the mean of the outputs.

    A quantile that is too low by 1 costs `alpha`, one that is too high by 1 costs ``1 - alpha`` (Koenker, Bassett
    1978).

    Parameters
    ----------
    y_true, y_pred
        As in :func:`sequence_r2_score`; predictions are those of one quantile.
    alpha : float
        The level of the quantile, from 0 to 1.
    sample_weight, target
        As in :func:`sequence_r2_score`.

    Returns
    -------
    loss : float
        In the units of the targets; NaN if no target is there.

    Raises
    ------
    SequenceDataError
        As :func:`sequence_r2_score`.

    Examples
    --------
    >>> from sklearn_rnn.metrics import sequence_pinball_loss
    >>> sequence_pinball_loss([[1.0, 2.0], [3.0]], [[0.0, 2.0], [3.0]], alpha=0.9)
    0.3
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must be the level of a quantile, from 0 to 1, got {alpha!r}")

    def loss(true: NDArray[Any], pred: NDArray[Any], *, sample_weight: NDArray[Any]) -> float:
        return mean_pinball_loss(true, pred, alpha=alpha, sample_weight=sample_weight)

    return _mean_of_outputs(loss, y_true, y_pred, sample_weight, target)


def sequence_mean_log_likelihood(
    log_likelihood: Any, *, sample_weight: ArrayLike | None = None, target: str = "auto"
) -> float:
    """The mean of log-likelihoods over all targets that are there, the mean of the outputs.

    Parameters
    ----------
    log_likelihood : array-like of shape (n_sequences,) or (n_sequences, n_outputs), or nested numbers
        The log-density of each target, as ``log_likelihood(X, y)`` of a regressor gives it; NaN where there is no
        target.
    sample_weight, target
        As in :func:`sequence_r2_score`.

    Returns
    -------
    score : float
        NaN if no target is there.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_rnn.metrics import sequence_mean_log_likelihood
    >>> sequence_mean_log_likelihood([[-1.0, np.nan], [-3.0]], sample_weight=[3.0, 1.0])
    -1.5
    """
    rows = read_numbers(log_likelihood, name="log_likelihood", target=target)
    weight = spread_weights(sample_weight, rows)

    def average(values: NDArray[Any], _: NDArray[Any], *, sample_weight: NDArray[Any]) -> float:
        return float(np.average(values, weights=sample_weight))

    return mean_of_outputs(average, rows.values, rows.values, weight, degree=None)


def _mean_of_outputs(
    score: Callable[..., float], y_true: Any, y_pred: Any, sample_weight: ArrayLike | None, target: str, degree: int = 1
) -> float:
    """As :func:`mean_of_outputs`, of numbers in any format."""
    true, pred = paired_numbers(y_true, y_pred, target=target)
    return mean_of_outputs(score, true.values, pred.values, spread_weights(sample_weight, true), degree=degree)
