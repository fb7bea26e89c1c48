"""What bagging classifier and regressor share: drawing samples, fitting the members, asking them."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, MetaEstimatorMixin, _fit_context, clone
from sklearn.utils import _safe_indexing, check_random_state, get_tags
from sklearn.utils._param_validation import HasMethods, Interval, RealNotInt
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    _raise_for_params,
    _routing_enabled,
    get_routing_for_object,
    process_routing,
)
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _num_samples, check_is_fitted, has_fit_parameter

from sklearn_rnn._snapshots import learned, put_in_place, snapshot
from sklearn_rnn._spelling import SpellingMixin
from sklearn_rnn._warning import warn
from sklearn_rnn.data.aligned import countable
from sklearn_rnn.data.arrow import read_arrow
from sklearn_rnn.data.conversion import unwrapped_items
from sklearn_rnn.data.fit_params import take_fit_params
from sklearn_rnn.data.row_order import check_beside
from sklearn_rnn.data.tables import plain
from sklearn_rnn.data.weights import validate_weights
from sklearn_rnn.estimators._parameters import ConstraintsOfFields, at_least, parameter
from sklearn_rnn.estimators._resampling import Population
from sklearn_rnn.exceptions import SequenceDataError


@dataclass(kw_only=True, eq=False, repr=False)
class BaseSequenceBagging(SpellingMixin, MetaEstimatorMixin, BaseEstimator):
    """Draws, fits and asks the members; a subclass knows what they predict and what to make of it."""

    estimator: Any = parameter(
        None,
        [HasMethods(["fit", "predict"]), None],
        "estimator or None",
        "The template of the members.",
        kw_only=False,
    )
    n_estimators: int = parameter(
        10,
        [at_least(Integral, 1)],
        "int",
        "Members of the ensemble.",
    )
    max_samples: float = parameter(
        1.0,
        [at_least(Integral, 1), Interval(RealNotInt, 0, 1, closed="right")],
        "int or float in (0, 1]",
        "How many sequences to draw for each member: a number, or a share of the total weight. Without `bootstrap` it "
        "is a share of the distinct sequences.",
    )
    bootstrap: bool = parameter(
        True,
        ["boolean"],
        "bool",
        "Draw with replacement, with probabilities in proportion to `sample_weight`. False draws each sequence at most "
        "once and with equal probability, and hands its weight on to the member; with ``max_samples=1.0`` the members "
        "then differ in their random states alone.",
    )
    oob_score: bool = parameter(
        False,
        ["boolean"],
        "bool",
        "Score each sequence by the members that did not draw it; needs `bootstrap`.",
    )
    n_jobs: int | None = parameter(
        None,
        [Integral, None],
        "int or None",
        "Members to fit or to ask at the same time, as joblib counts. It changes no result.",
    )
    random_state: int | np.random.RandomState | None = parameter(
        None,
        ["random_state"],
        "int, RandomState instance or None",
        "Draws the samples, and a `random_state` for each member, which replaces the one that `estimator` has.",
    )

    _parameter_constraints = ConstraintsOfFields()

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any, *, sample_weight: ArrayLike | None = None, **fit_params: Any) -> Any:
        """Draw samples of the sequences and fit a member to each.

        Parameters
        ----------
        X : sequences in any format that the members take
        y : array-like of shape (n_sequences,) or (n_sequences, n_outputs)
        sample_weight : array-like of shape (n_sequences,), optional
            A weight of 2 is a repeated sequence, a weight of 0 an absent one.
        **fit_params : dict
            For ``fit`` of the members; only with ``sklearn.set_config(enable_metadata_routing=True)``.

        Returns
        -------
        self : estimator
        """
        _raise_for_params(fit_params, self, "fit")
        routed = process_routing(self, "fit", **fit_params).estimator.fit if fit_params else {}
        if self.oob_score and not self.bootstrap:
            raise ValueError("oob_score=True needs bootstrap=True: without it no sequence is left out by chance")
        check_beside(X, y, {"sample_weight": sample_weight})
        X = countable(plain(unwrapped_items(read_arrow(X), "X")))
        n_rows = _num_samples(X)
        if n_rows == 0:
            raise SequenceDataError("X is empty: found 0 sample(s), a minimum of 1 sequence is required")
        target = self._validate_target(y, n_rows)
        weight = validate_weights(sample_weight, n_rows)
        of_target, codes = self._learn_target(target, weight > 0)

        template = self._template()
        weighted = _takes_weights(template)
        if not (weighted or self.bootstrap or np.all(np.mod(weight, 1) == 0)):
            raise ValueError(
                f"bootstrap=False hands sample_weight on to the members, but {type(template).__name__}.fit takes none: "
                f"set bootstrap=True, which draws in proportion to the weights"
            )
        population = Population.from_rows(X, target, weight)
        n_draws = population.n_draws(self.max_samples, bootstrap=self.bootstrap)
        seeds = check_random_state(self.random_state).randint(np.iinfo(np.int32).max, size=self.n_estimators)
        classes = None if codes is None else codes[population.rows]
        draws = [population.draw(n_draws, bootstrap=self.bootstrap, seed=seed, classes=classes) for seed in seeds]
        members = Parallel(n_jobs=self.n_jobs)(
            delayed(_fit_member)(template, X, target, population.rows, draw, seed, weighted, routed)
            for seed, draw in zip(seeds, draws, strict=True)
        )
        aside = snapshot(self)
        put_in_place(aside, {**of_target, "estimators_": members})
        aside.estimators_samples_ = [population.rows[draw > 0].astype(np.int32) for draw in draws]
        if self.oob_score:
            aside._score_out_of_bag(X, target, weight, population, draws)
        put_in_place(self, learned(aside))
        return self

    @property
    def n_features_in_(self) -> int:
        """Number of features that the members were fitted on."""
        return self.estimators_[0].n_features_in_

    @property
    def feature_names_in_(self) -> NDArray[Any]:
        """Names of the features that the members were fitted on, if X had any."""
        return self.estimators_[0].feature_names_in_

    def get_metadata_routing(self) -> MetadataRouter:
        """What metadata this estimator and its members request.

        Returns
        -------
        routing : MetadataRouter
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        return MetadataRouter(owner=self).add_self_request(self).add(estimator=self._template(), method_mapping=mapping)

    def _mean_prediction(self, X: Any) -> NDArray[np.float64]:
        """The mean of the members' predictions, (n_sequences, ...)."""
        check_is_fitted(self)
        predictions = Parallel(n_jobs=self.n_jobs)(delayed(self._predictions)(member, X) for member in self.estimators_)
        return np.mean(predictions, axis=0)

    def _out_of_bag_predictions(
        self, X: Any, n_rows: int, population: Population, draws: list[NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        """For each row (n_rows, ...) the mean over the members that drew no equal row; NaN where there is none."""
        total: Any = 0.0
        n_members = np.zeros(n_rows)
        for member, draw in zip(self.estimators_, draws, strict=True):
            rows = np.flatnonzero(np.append(draw, 0.0)[population.sample_of] == 0)
            if len(rows) == 0:
                continue
            predictions = self._predictions(member, _safe_indexing(X, rows))
            everywhere = np.zeros((n_rows, *predictions.shape[1:]))
            everywhere[rows] = predictions
            total = total + everywhere
            n_members[rows] += 1
        if not n_members.all():
            warn(
                f"{int((n_members == 0).sum())} of {n_rows} sequences were drawn for all members and have no "
                f"out-of-bag prediction: raise n_estimators",
                UserWarning,
            )
        with np.errstate(invalid="ignore"):
            return (np.asarray(total).T / n_members).T

    def _template(self) -> Any:
        return self._default_estimator() if self.estimator is None else self.estimator

    @abstractmethod
    def _default_estimator(self) -> Any:
        """What the members are if no estimator is given."""

    @abstractmethod
    def _validate_target(self, y: Any, n_rows: int) -> NDArray[Any]:
        """y as an array with `n_rows` rows."""

    @abstractmethod
    def _learn_target(
        self, target: NDArray[Any], counted: NDArray[np.bool_]
    ) -> tuple[dict[str, Any], NDArray[np.int64] | None]:
        """The fitted attributes that describe the target, and if a draw needs two classes the class of each row."""

    @abstractmethod
    def _predictions(self, member: Any, X: Any) -> NDArray[np.float64]:
        """What a member says of each sequence, in an array that can be averaged."""

    @abstractmethod
    def _score_out_of_bag(self, X: Any, target: Any, weight: Any, population: Any, draws: Any) -> None:
        """Set the out-of-bag attributes."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inner = get_tags(self._template())
        tags.input_tags = inner.input_tags
        tags.target_tags = inner.target_tags
        return tags


def _takes_weights(estimator: Any) -> bool:
    """Whether ``estimator.fit`` can be handed `sample_weight`."""
    if _routing_enabled():
        return bool(get_routing_for_object(estimator).consumes("fit", ("sample_weight",)))
    return bool(has_fit_parameter(estimator, "sample_weight"))


def _fit_member(
    template: Any,
    X: Any,
    y: NDArray[Any],
    rows: NDArray[np.int64],
    draw: NDArray[np.float64],
    seed: int,
    weighted: bool,
    fit_params: dict[str, Any],
) -> Any:
    """Fit a clone of `template` to the `rows` (n_distinct,) of X as often as `draw` (n_distinct,) says."""
    member = clone(template)
    random_state = np.random.RandomState(seed)
    states = [name for name in sorted(member.get_params()) if name.split("__")[-1] == "random_state"]
    member.set_params(**{name: random_state.randint(np.iinfo(np.int32).max) for name in states})
    if weighted:
        weight = np.zeros(len(y))
        weight[rows] = draw
        return member.fit(X, y, sample_weight=weight, **fit_params)
    index = np.repeat(rows, draw.astype(np.int64))
    return member.fit(_safe_indexing(X, index), y[index], **take_fit_params(fit_params, index, len(y)))
