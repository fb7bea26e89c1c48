"""How much a score falls when one feature of sequences is shuffled."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import check_scoring
from sklearn.utils import Bunch, check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions, validate_params
from sklearn.utils.parallel import Parallel, delayed

from sklearn_rnn.data.row_order import check_order
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.weights import validate_weights
from sklearn_rnn.inspection._layout import like_input, names_of_features, read_features


@validate_params(
    {
        "estimator": [HasMethods(["fit"])],
        "n_repeats": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "permute": [StrOptions({"series", "steps"})],
    },
    prefer_skip_nested_validation=True,
)
def sequence_permutation_importance(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    scoring: Any = None,
    n_repeats: int = 5,
    random_state: int | np.random.RandomState | None = None,
    n_jobs: int | None = None,
    sample_weight: ArrayLike | None = None,
    permute: str = "series",
) -> Any:
    """Permutation importance [1]_ of the features of sequences.

    The importance of a feature is the score of a fitted estimator minus its score when that feature is shuffled. It
    takes the place of :func:`sklearn.inspection.permutation_importance`, which takes 2-D data alone.

    Parameters
    ----------
    estimator : estimator
        Fitted.
    X : sequences in any supported format but the 2-D table
        Those of training, or better others. The one feature of tokens is the token.
    y : array-like or label sequences
    scoring : str, callable, list, tuple or dict, default=None
        As in scikit-learn; None is the estimator's own `score`.
    n_repeats : int, default=5
        How often each feature is shuffled.
    random_state : int, RandomState instance or None, default=None
        Draws the shuffles.
    n_jobs : int or None, default=None
        Features to shuffle at the same time, as joblib counts.
    sample_weight : array-like of shape (n_sequences,), optional
        For the scorer.
    permute : {"series", "steps"}, default="series"
        ``"series"``: a sequence gets the feature's whole series from another sequence, drawn at random. Where the two
        differ in length the series is stretched or shrunk to the length of the sequence that gets it, by repeating or
        leaving out steps at even distances. The length of a sequence stays what it was, so what a model learns from
        lengths alone is not seen. ``"steps"``: the steps of the feature are shuffled within each sequence, which tells
        how much their order matters.

    Returns
    -------
    result : :class:`~sklearn.utils.Bunch`, or dict of them with several scores
        With ``importances`` of shape (n_features, n_repeats), ``importances_mean`` and ``importances_std`` of shape
        (n_features,), and ``feature_names``: those of X, those seen in ``fit``, or x0, x1, ...

    Notes
    -----
    Features that go together share their importance: each stands in for the other when that one is shuffled.

    References
    ----------
    .. [1] Breiman, L. (2001). Random forests. Machine Learning 45(1).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_rnn import RNNRegressor
    >>> from sklearn_rnn.inspection import sequence_permutation_importance
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.normal(size=(length, 2)) for length in rng.integers(3, 9, size=100)]
    >>> y = np.array([x[:, 1].mean() for x in X])
    >>> reg = RNNRegressor(hidden_size=8, max_epochs=20, random_state=0).fit(X, y)
    >>> result = sequence_permutation_importance(reg, X, y, random_state=0)
    >>> result.feature_names[result.importances_mean.argmax()]
    'x1'
    """
    check_order(X, {"y": y, "sample_weight": sample_weight})
    sequences = read_features(X, estimator, advice="sklearn.inspection.permutation_importance permutes them one by one")
    weight = None if sample_weight is None else validate_weights(sample_weight, len(sequences))
    scorer = check_scoring(estimator, scoring=scoring)
    seeds = check_random_state(random_state).randint(np.iinfo(np.int32).max, size=sequences.n_features)
    score_all = delayed(_scores_of_shuffles)
    baseline = _score(scorer, estimator, like_input(sequences, X), y, weight)
    scores = Parallel(n_jobs=n_jobs)(
        score_all(estimator, X, sequences, y, weight, scorer, feature, seed, n_repeats, permute)
        for feature, seed in enumerate(seeds)
    )
    names = names_of_features(estimator, sequences)
    if not isinstance(baseline, dict):
        return _importances(baseline, np.array(scores), names)
    return {
        name: _importances(score, np.array([[one[name] for one in row] for row in scores]), names)
        for name, score in baseline.items()
    }


def shuffled_rows(sequences: Sequences, random_state: np.random.RandomState, permute: str) -> NDArray[np.int64]:
    """Where each step (total_steps,) gets its new value from.

    Parameters
    ----------
    sequences : Sequences
    random_state : RandomState
    permute : {"series", "steps"}

    Returns
    -------
    rows : array of int, shape (total_steps,)
    """
    lengths, starts = sequences.lengths, sequences.offsets[:-1]
    sequence_of = np.repeat(np.arange(len(sequences)), lengths)
    if permute == "steps":
        return np.lexsort((random_state.uniform(size=len(sequence_of)), sequence_of))
    filled = np.flatnonzero(lengths)  # an empty sequence has nothing to give
    donors = np.arange(len(sequences))
    donors[filled] = random_state.permutation(filled)
    step = np.arange(len(sequence_of)) - starts[sequence_of]
    donor = donors[sequence_of]
    matching_step = (2 * step + 1) * lengths[donor] // (2 * lengths[sequence_of])
    return starts[donor] + matching_step


def _scores_of_shuffles(
    estimator: Any,
    X: Any,
    sequences: Sequences,
    y: Any,
    weight: NDArray[np.float64] | None,
    scorer: Any,
    feature: int,
    seed: int,
    n_repeats: int,
    permute: str,
) -> list[Any]:
    """The scores after each of `n_repeats` shuffles of one feature."""
    random_state = np.random.RandomState(seed)
    scores = []
    for _ in range(n_repeats):
        values = sequences.values.copy()
        values[:, feature] = values[shuffled_rows(sequences, random_state, permute), feature]
        changed = sequences.with_values(values, feature_names=sequences.feature_names)
        scores.append(_score(scorer, estimator, like_input(changed, X), y, weight))
    return scores


def _score(scorer: Any, estimator: Any, X: Any, y: Any, weight: NDArray[np.float64] | None) -> Any:
    return scorer(estimator, X, y) if weight is None else scorer(estimator, X, y, sample_weight=weight)


def _importances(baseline: float, scores: NDArray[np.float64], names: NDArray[Any]) -> Bunch:
    importances = baseline - scores
    return Bunch(
        importances_mean=importances.mean(axis=1),
        importances_std=importances.std(axis=1),
        importances=importances,
        feature_names=names,
    )
