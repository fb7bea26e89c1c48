"""How predictions depend on the level of one feature of sequences."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import Bunch
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions, validate_params

from sklearn_rnn.data.formats import is_text
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.weights import validate_weights
from sklearn_rnn.inspection._layout import like_input, names_of_features, read_features


@validate_params(
    {
        "estimator": [HasMethods(["fit", "predict"])],
        "feature": [Integral, str],
        "grid_resolution": [Interval(Integral, 2, None, closed="left")],
        "percentiles": [tuple],
        "mode": [StrOptions({"set", "shift"})],
        "steps": [Integral, slice, None],
        "response_method": [StrOptions({"auto", "predict_proba", "decision_function", "predict"})],
    },
    prefer_skip_nested_validation=True,
)
def sequence_partial_dependence(
    estimator: Any,
    X: Any,
    feature: int | str,
    *,
    grid_values: ArrayLike | None = None,
    grid_resolution: int = 20,
    percentiles: tuple[float, float] = (0.05, 0.95),
    mode: str = "set",
    steps: int | slice | None = None,
    response_method: str = "auto",
    sample_weight: ArrayLike | None = None,
) -> Bunch:
    """Partial dependence [1]_ of the predictions on one feature of sequences.

    The feature is set to a value, or shifted by one, at every step of every sequence, and the predictions are averaged;
    and so for each value of a grid. It takes the place of :func:`sklearn.inspection.partial_dependence`, which takes
    2-D data alone.

    Parameters
    ----------
    estimator : estimator
        Fitted.
    X : sequences in any supported format but the 2-D table
    feature : int or str
        The column, or its name where the features have names.
    grid_values : array-like of shape (n_values,), optional
        The values, or shifts. By default, for ``mode="set"`` the distinct values of the feature if there are at most
        `grid_resolution`, else as many values at even distances between two quantiles; for tokens the most frequent
        ones. For ``mode="shift"`` shifts at even distances, from minus to plus one standard deviation of the feature.
    grid_resolution : int, default=20
        Values of a grid that is not given, at most.
    percentiles : tuple of two floats in [0, 1], default=(0.05, 0.95)
        The quantiles between which the values of a grid lie.
    mode : {"set", "shift"}, default="set"
        ``"set"`` replaces a series by a constant. ``"shift"`` adds to it, and keeps its course.
    steps : int, slice or None, default=None
        The steps of each sequence that are changed: ``-1`` the last, ``slice(3)`` the first three; None is all.
    response_method : {"auto", "predict_proba", "decision_function", "predict"}, default="auto"
        Which predictions; ``"auto"`` is `predict_proba` where the estimator has it, else `predict`.
    sample_weight : array-like of shape (n_sequences,), optional
        Weights in the average.

    Returns
    -------
    result : :class:`~sklearn.utils.Bunch`
        With ``grid_values`` of shape (n_values,), ``average`` of shape (n_outputs, n_values), and ``individual`` of
        shape (n_outputs, n_sequences, n_values). An output is a class, for binary classification the second class
        alone; or a target. Of a tagger it is a label, and its probability is averaged over the steps of a sequence.

    References
    ----------
    .. [1] Friedman, J. H. (2001). Greedy function approximation: a gradient boosting machine. Annals of Statistics
           29(5).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_rnn import RNNRegressor
    >>> from sklearn_rnn.inspection import sequence_partial_dependence
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.normal(size=(length, 2)) for length in rng.integers(3, 9, size=100)]
    >>> y = np.array([x[:, 1].mean() for x in X])
    >>> reg = RNNRegressor(hidden_size=8, max_epochs=20, random_state=0).fit(X, y)
    >>> result = sequence_partial_dependence(reg, X, 1, grid_values=[-1, 0, 1])
    >>> bool(np.all(np.diff(result.average[0]) > 0))
    True
    """
    sequences = read_features(X, estimator, advice="sklearn.inspection.partial_dependence takes it")
    column = _column(estimator, sequences, feature)
    if grid_values is None:
        grid = _grid(sequences.values[:, column], grid_resolution, percentiles, mode)
    else:
        grid = np.asarray(grid_values)
    if response_method == "auto":
        response_method = "predict_proba" if hasattr(estimator, "predict_proba") else "predict"
    changed_rows = _rows_of_steps(sequences, steps)
    individual = []
    for value in grid:
        values = sequences.values.astype(object if is_text(grid) else np.result_type(sequences.values, grid))
        values[changed_rows, column] = value if mode == "set" else values[changed_rows, column] + value
        changed = sequences.with_values(values, feature_names=sequences.feature_names)
        individual.append(_responses(estimator, like_input(changed, X), response_method))
    responses = np.stack(individual, axis=-1).transpose(1, 0, 2)  # (n_outputs, n_sequences, n_values)
    weight = validate_weights(sample_weight, len(sequences)) * (sequences.lengths > 0)
    average = np.average(np.nan_to_num(responses), axis=1, weights=weight)
    return Bunch(grid_values=grid, average=average, individual=responses)


def _column(estimator: Any, sequences: Sequences, feature: int | str) -> int:
    names = names_of_features(estimator, sequences).tolist()
    if isinstance(feature, str) and feature in names:
        return int(names.index(feature))
    if isinstance(feature, str) or not -len(names) <= feature < len(names):
        raise ValueError(f"feature={feature!r} is not there: the {len(names)} feature(s) of X are {names}")
    return int(feature) % len(names)


def _grid(series: NDArray[Any], resolution: int, percentiles: tuple[float, float], mode: str) -> NDArray[Any]:
    """The values, or shifts, for a feature with values `series` (total_steps,)."""
    if is_text(series):
        if mode == "shift":
            raise ValueError("mode='shift' has no meaning for tokens: use mode='set'")
        tokens, counts = np.unique(series.astype(str), return_counts=True)
        return np.sort(tokens[np.argsort(-counts, kind="stable")[:resolution]]).astype(object)
    series = series.astype(np.float64)
    if mode == "shift":
        scale = np.nanstd(series)
        return np.linspace(-scale, scale, resolution)
    distinct = np.unique(series[~np.isnan(series)])
    if len(distinct) <= resolution:
        return distinct
    if len(percentiles) != 2 or not 0 <= percentiles[0] < percentiles[1] <= 1:
        raise ValueError(f"percentiles={percentiles!r} must be two numbers in [0, 1], the lower one first")
    low, high = np.nanquantile(series, percentiles)
    return np.linspace(low, high, resolution)


def _rows_of_steps(sequences: Sequences, steps: int | slice | None) -> NDArray[np.int64]:
    """The rows of the chosen steps of each sequence; a sequence that has no such step has none."""
    if steps is None:
        return np.arange(len(sequences.values))
    if not isinstance(steps, slice):
        steps = slice(steps, steps + 1 or None)
    rows = np.arange(len(sequences.values))
    return np.concatenate([part[steps] for part in sequences.with_values(rows)])


def _responses(estimator: Any, X: Any, method: str) -> NDArray[np.float64]:
    """Predictions (n_sequences, n_outputs); those of steps averaged over the sequence, NaN for an empty one."""
    raw = getattr(estimator, method)(X)
    if isinstance(raw, np.ndarray) and raw.dtype.hasobject and np.ndim(raw[0]) > 0:
        raw = np.stack([item.mean(axis=0) if len(item) else np.full(item.shape[1], np.nan) for item in raw])
    try:
        responses = np.asarray(raw, dtype=np.float64).reshape(len(raw), -1)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"response_method={method!r} gives {np.asarray(raw[0]).tolist()!r}, which cannot be averaged: use "
            f"'predict_proba'"
        ) from error
    sums = responses.sum(axis=1)
    complementary = responses.shape[1] == 2 and np.allclose(sums[~np.isnan(sums)], 1)  # of labels they need not be
    return responses[:, 1:] if method == "predict_proba" and complementary else responses
