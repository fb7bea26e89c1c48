"""Successive halving over epochs, in which a candidate goes on where the last rung left it."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 (imported for what it enables)
from sklearn.model_selection import HalvingGridSearchCV, HalvingRandomSearchCV

from sklearn_rnn.data.row_order import check_order
from sklearn_rnn.model_selection._continuation import Continuation, check_resource, epochs_of


@dataclass(kw_only=True, eq=False, repr=False)
class _WarmHalving:
    """``fit`` of both searches, on a copy of the search whose estimator goes on; the fields are its parameters."""

    estimator: Any
    resource: str = "max_epochs"
    factor: float = 3
    max_resources: int | str = "auto"
    aggressive_elimination: bool = False
    cv: Any = 5
    scoring: Any = None
    refit: bool = True
    error_score: float | str = np.nan
    return_train_score: bool = True
    random_state: Any = None
    n_jobs: int | None = None
    verbose: int = 0
    memory: str | None = None

    pre_dispatch: ClassVar[str] = "2*n_jobs"  # what scikit-learn's halving leaves it at, and has no parameter for
    _space: ClassVar[str]
    """The parameter that holds the space of the search."""

    def fit(self, X: Any, y: Any = None, **params: Any) -> Any:
        """Search.

        Parameters
        ----------
        X : sequences in any format that the estimator takes
        y : array-like or label sequences
        **params : dict
            For ``fit`` of the estimator, the splitter and the scorer, as in scikit-learn.

        Returns
        -------
        self : estimator

        Raises
        ------
        ValueError
            If `resource` is not the number of epochs of `estimator` or of the last step of its pipeline, or no number
            says how many there are at most.
        """
        self._validate_params()  # type: ignore[attr-defined]
        check_resource(self.estimator, self.resource)
        check_order(X, {"y": y, "groups": params.get("groups")})
        search: Any = copy.copy(self)
        if self.max_resources == "auto":
            search.max_resources = epochs_of(self.estimator, self.resource)
        with tempfile.TemporaryDirectory(prefix="halving-", dir=self.memory) as folder:
            continuation = Continuation(folder, self.resource, self._searched())
            search.estimator = continuation.attach(clone(self.estimator))
            super(_WarmHalving, search).fit(X, y, **params)  # type: ignore[misc]
        given = self.get_params(deep=False)  # type: ignore[attr-defined]
        vars(self).update({name: value for name, value in vars(search).items() if name not in given})
        return self

    def _searched(self) -> tuple[str, ...]:
        """The names of the parameters that candidates differ in."""
        space = getattr(self, self._space)
        parts = [space] if isinstance(space, Mapping) else space
        return tuple(sorted({name for part in parts for name in part}))


@dataclass(kw_only=True, eq=False, repr=False)
class WarmHalvingGridSearchCV(_WarmHalving, HalvingGridSearchCV):
    """Halving over a grid, in which epochs are the resource and training goes on from rung to rung.

    scikit-learn's halving trains the candidates that stay in the race from zero at each rung. This one lets them go on
    from their weights and the state of their optimizer, each on its own fold. With ``factor=3`` and rungs of 6, 18 and
    54 epochs, a candidate that comes to the last has been trained for 54 epochs, and not for 78.

    Parameters
    ----------
    estimator : estimator
        One with the parameters `max_epochs` and `warm_start`, such as :class:`~sklearn_rnn.RNNClassifier`, or a
        pipeline that ends in one. The steps before it are fitted anew at each rung.
    param_grid : dict of str to list, or list of them
        The values to try of each parameter.
    resource : str, default="max_epochs"
        The parameter that counts epochs; in a pipeline with the names of the steps, ``"rnnclassifier__max_epochs"``.
    factor : int or float, default=3
        One in so many candidates stays, and is trained for so many times the epochs.
    max_resources : int or "auto", default="auto"
        Epochs at most; "auto" is the `max_epochs` of `estimator`, which must then be a number.
    min_resources : {"exhaust", "smallest"} or int, default="exhaust"
        Epochs of the first rung; "exhaust" lets the last rung come near `max_resources`, "smallest" is 1.
    aggressive_elimination : bool, default=False
        Repeat the first rung until few enough candidates are left. Such repetitions train nothing here.
    cv : int, splitter or iterable of (train, test), default=5
    scoring : str, callable or None, default=None
    refit : bool, default=True
        Whether to train the best candidate on all data, from zero and for the epochs of its rung.
    error_score : "raise" or float, default=nan
        The score of a fit that failed.
    return_train_score : bool, default=True
    random_state : int, RandomState instance or None, default=None
    n_jobs : int or None, default=None
        Fits at the same time, as joblib counts.
    verbose : int, default=0
    memory : str or None, default=None
        A folder in which the fits of the last rung wait for the next, and are removed at the end. It must be one that
        all workers see: what does not find the fit of the last rung trains from zero. None is a temporary folder, which
        the processes of one machine see.

    Attributes
    ----------
    best_estimator_, best_score_, best_params_, best_index_, cv_results_, n_resources_, n_candidates_, n_iterations_
        And all others of the class of scikit-learn that this is one of. ``fit_time`` in ``cv_results_`` is the time of
        the epochs that were run at this rung.

    Notes
    -----
    A candidate that was trained in rungs has had as many epochs as one that was trained at once, and its optimizer kept
    its state. Three things begin again at each rung, as in any ``warm_start``: the order of the batches and the random
    numbers of dropout; the schedule of the learning rate, which makes "cosine" one of warm restarts [2]_; and the
    patience of `n_iter_no_change`. With one batch, no dropout and ``lr_schedule=None`` both ways give the same model
    but for rounding.

    A fit that early stopping, a callback or `max_time` has ended is done, and is not trained at later rungs; at each
    rung the time counts from 0. With `early_stopping` a candidate goes on only where its `random_state` is an int,
    since it would set aside other sequences otherwise; without one it trains from zero, and so does a fit that cannot
    be pickled.

    References
    ----------
    .. [1] K. Jamieson, A. Talwalkar. Non-stochastic best arm identification and hyperparameter optimization. AISTATS
       2016.
    .. [2] I. Loshchilov, F. Hutter. SGDR: stochastic gradient descent with warm restarts. ICLR 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_rnn import RNNClassifier
    >>> from sklearn_rnn.model_selection import WarmHalvingGridSearchCV
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.normal(size=(length, 2)) for length in rng.integers(3, 9, size=60)]
    >>> y = np.array([int(x[-1, 0] > 0) for x in X])
    >>> classifier = RNNClassifier(max_epochs=9, random_state=0)
    >>> grid = {"hidden_size": [2, 4, 8], "cell_type": ["gru", "lstm", "rnn"]}
    >>> search = WarmHalvingGridSearchCV(classifier, grid, cv=2).fit(X, y)
    >>> search.n_resources_, search.n_candidates_
    ([1, 3, 9], [9, 3, 1])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **HalvingGridSearchCV._parameter_constraints,
        "memory": [str, None],
    }
    _space: ClassVar[str] = "param_grid"

    estimator: Any = field(kw_only=False)
    param_grid: Any = field(kw_only=False)
    min_resources: int | str = "exhaust"


@dataclass(kw_only=True, eq=False, repr=False)
class WarmHalvingRandomSearchCV(_WarmHalving, HalvingRandomSearchCV):
    """Halving over random candidates, in which epochs are the resource and training goes on from rung to rung.

    What begins again at each rung, and what does not, stands at :class:`WarmHalvingGridSearchCV`.

    Parameters
    ----------
    estimator : estimator
        One with the parameters `max_epochs` and `warm_start`, such as :class:`~sklearn_rnn.RNNClassifier`, or a
        pipeline that ends in one. The steps before it are fitted anew at each rung.
    param_distributions : dict of str to list or distribution, or list of them
        The values to try of each parameter, or what has an ``rvs`` to draw them with.
    n_candidates : int or "exhaust", default="exhaust"
        Candidates at the first rung; "exhaust" lets the last rung come near `max_resources`.
    resource : str, default="max_epochs"
        The parameter that counts epochs; in a pipeline with the names of the steps, ``"rnnclassifier__max_epochs"``.
    factor : int or float, default=3
        One in so many candidates stays, and is trained for so many times the epochs.
    max_resources : int or "auto", default="auto"
        Epochs at most; "auto" is the `max_epochs` of `estimator`, which must then be a number.
    min_resources : {"smallest", "exhaust"} or int, default="smallest"
        Epochs of the first rung; "smallest" is 1, "exhaust" lets the last rung come near `max_resources`.
    aggressive_elimination : bool, default=False
        Repeat the first rung until few enough candidates are left. Such repetitions train nothing here.
    cv : int, splitter or iterable of (train, test), default=5
    scoring : str, callable or None, default=None
    refit : bool, default=True
        Whether to train the best candidate on all data, from zero and for the epochs of its rung.
    error_score : "raise" or float, default=nan
        The score of a fit that failed.
    return_train_score : bool, default=True
    random_state : int, RandomState instance or None, default=None
    n_jobs : int or None, default=None
        Fits at the same time, as joblib counts.
    verbose : int, default=0
    memory : str or None, default=None
        A folder in which the fits of the last rung wait for the next, and are removed at the end. It must be one that
        all workers see: what does not find the fit of the last rung trains from zero. None is a temporary folder, which
        the processes of one machine see.

    Attributes
    ----------
    best_estimator_, best_score_, best_params_, best_index_, cv_results_, n_resources_, n_candidates_, n_iterations_
        And all others of the class of scikit-learn that this is one of. ``fit_time`` in ``cv_results_`` is the time of
        the epochs that were run at this rung.

    See Also
    --------
    WarmHalvingGridSearchCV : A grid in place of random candidates.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.stats import loguniform, randint
    >>> from sklearn_rnn import RNNClassifier
    >>> from sklearn_rnn.model_selection import WarmHalvingRandomSearchCV
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.normal(size=(length, 2)) for length in rng.integers(3, 9, size=60)]
    >>> y = np.array([int(x[-1, 0] > 0) for x in X])
    >>> classifier = RNNClassifier(max_epochs=9, random_state=0)
    >>> space = {"hidden_size": randint(2, 9), "learning_rate": loguniform(1e-3, 1e-1)}
    >>> search = WarmHalvingRandomSearchCV(classifier, space, cv=2, random_state=0).fit(X, y)
    >>> search.n_resources_, search.n_candidates_
    ([1, 3, 9], [9, 3, 1])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **HalvingRandomSearchCV._parameter_constraints,
        "memory": [str, None],
    }
    _space: ClassVar[str] = "param_distributions"

    estimator: Any = field(kw_only=False)
    param_distributions: Any = field(kw_only=False)
    n_candidates: int | str = "exhaust"
    min_resources: int | str = "smallest"
