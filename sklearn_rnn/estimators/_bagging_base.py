"""What bagging classifier and regressor share: drawing samples, fitting the members, asking them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, MetaEstimatorMixin, _fit_context, clone
from sklearn.utils import _safe_indexing, check_random_state, get_tags
from sklearn.utils._param_validation import HasMethods, Interval, RealNotInt
from sklearn.utils.metadata_routing import (
    UNUSED,
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
from sklearn_rnn._warning import warn, warned_once, with_warnings
from sklearn_rnn.data.aligned import countable
from sklearn_rnn.data.arrow import read_arrow
from sklearn_rnn.data.conversion import unwrapped_items
from sklearn_rnn.data.fit_params import take_fit_params
from sklearn_rnn.data.row_order import check_beside
from sklearn_rnn.data.tables import plain
from sklearn_rnn.data.weights import validate_weights
from sklearn_rnn.estimators._bagged_networks import BaggedNetworks
from sklearn_rnn.estimators._parameters import ConstraintsOfFields, at_least, parameter
from sklearn_rnn.estimators._resampling import Population
from sklearn_rnn.exceptions import SequenceDataError


@dataclass(kw_only=True, eq=False, repr=False)
class BaseSequenceBagging(SpellingMixin, BaggedNetworks, MetaEstimatorMixin, BaseEstimator):
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

    # routed to the members alone, which request it
    __metadata_request__fit: ClassVar[dict[str, str]] = dict.fromkeys(["X_val", "y_val", "sample_weight_val"], UNUSED)

    @_fit_context(prefer_skip_nested_validation=False)
    @warned_once()
    def fit(
        self,
        X: Any,
        y: Any,
        *,
        sample_weight: ArrayLike | None = None,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: ArrayLike | None = None,
        **fit_params: Any,
    ) -> Any:
        """Draw samples of the sequences and fit a member to each.

        Parameters
        ----------
        X : sequences in any format that the members take
        y : array-like
            The targets, as the class says.
        sample_weight : array-like of shape (n_sequences,), optional
            A weight of 2 is a repeated sequence, a weight of 0 an absent one.
        X_val, y_val : like X and y, optional
            Validation data for ``fit`` of each member, in any format that the members take. A Pipeline takes it with
            metadata routing alone, and transforms it as X only with ``Pipeline(..., transform_input=["X_val"])``.
        sample_weight_val : array-like, optional
            Weights of the validation data.
        **fit_params : dict
            For ``fit`` of the members; only with ``sklearn.set_config(enable_metadata_routing=True)``.

        Returns
        -------
        self : estimator

        Raises
        ------
        SequenceDataError
            If X or y cannot be read; the message says where.
        ValueError
            If parameters contradict each other, if there is one class only, or if the members take no validation data.
        """
        routed = self._routed(fit_params, {"X_val": X_val, "y_val": y_val, "sample_weight_val": sample_weight_val})
        if self.oob_score and not self.bootstrap:
            raise ValueError("oob_score=True needs bootstrap=True: without it no sequence is left out by chance")
        check_beside(X, y, {"sample_weight": sample_weight})
        X = indexable(X, "X")
        n_rows = _num_samples(X)
        if n_rows == 0:
            raise SequenceDataError("X is empty: found 0 sample(s), a minimum of 1 sequence is required")
        target, keys = self._validate_target(y, n_rows)
        weight = validate_weights(sample_weight, n_rows)
        of_target, codes = self._learn_target(target, weight > 0)

        template = self._template()
        weighted = _takes_weights(template)
        if not (weighted or self.bootstrap or np.all(np.mod(weight, 1) == 0)):
            raise ValueError(
                f"bootstrap=False hands sample_weight on to the members, but {type(template).__name__}.fit takes none: "
                f"set bootstrap=True, which draws in proportion to the weights"
            )
        population = Population.from_rows(X, keys, weight)
        n_draws = population.n_draws(self.max_samples, bootstrap=self.bootstrap)
        seeds = check_random_state(self.random_state).randint(np.iinfo(np.int32).max, size=self.n_estimators)
        classes = None if codes is None else codes[population.rows]
        draws = [population.draw(n_draws, bootstrap=self.bootstrap, seed=seed, classes=classes) for seed in seeds]
        rows = population.rows
        members = self._in_parallel(
            _fit_member,
            (
                (template, X, target, rows, draw, seed, weighted, self._for_member(routed, target, rows, draw))
                for seed, draw in zip(seeds, draws, strict=True)
            ),
        )
        aside = snapshot(self)
        put_in_place(aside, {**of_target, "estimators_": members})
        aside.estimators_samples_ = [rows[draw > 0].astype(np.int32) for draw in draws]
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

    def _routed(self, fit_params: dict[str, Any], validation: dict[str, Any]) -> dict[str, Any]:
        """What ``fit`` of the members is given beside the sequences, their targets and weights."""
        _raise_for_params(fit_params, self, "fit")
        given = {name: value for name, value in validation.items() if value is not None}
        if _routing_enabled():
            beside = {**fit_params, **given}
            return dict(process_routing(self, "fit", **beside).estimator.fit) if beside else {}
        template = self._template()
        refused = [name for name in given if not has_fit_parameter(template, name)]
        if refused:
            advice = "Give it to members that take it, such as RNNClassifier"
            if hasattr(template, "steps"):
                advice = (
                    "A Pipeline takes it with sklearn.set_config(enable_metadata_routing=True), if its last step is "
                    "made with set_fit_request(X_val=True, y_val=True), and it with transform_input=['X_val']"
                )
            raise ValueError(f"{type(template).__name__}.fit takes no {' and no '.join(refused)}. {advice}")
        return given

    def _for_member(
        self, routed: dict[str, Any], target: Any, rows: NDArray[np.int64], draw: NDArray[np.float64]
    ) -> dict[str, Any]:
        """What of `routed` the member is given that is fitted to the `rows` (n_distinct,) that `draw` holds."""
        return routed

    def _in_parallel(self, function: Callable[..., Any], arguments: Iterable[tuple[Any, ...]]) -> list[Any]:
        """What `function` makes of each of the `arguments`, in `n_jobs`, whose warnings are given here."""
        done = Parallel(n_jobs=self.n_jobs)(delayed(with_warnings)(function, *each) for each in arguments)
        for message, category in (each for _, held_back in done for each in held_back):
            warn(message, category)
        return [result for result, _ in done]

    @warned_once()
    def _each_prediction(self, X: Any) -> list[NDArray[np.float64]]:
        """What each member predicts."""
        check_is_fitted(self)
        return self._in_parallel(self._predictions, ((member, X) for member in self.estimators_))

    def _out_of_bag_predictions(
        self, X: Any, n_rows: NDArray[np.int64], population: Population, draws: list[NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        """Of each sequence the mean over the members that drew no equal one; NaN where there is none.

        Parameters
        ----------
        X : sequences
        n_rows : array of int, shape (n_sequences,)
            How many rows are predicted for each.
        population : Population
        draws : list of arrays of shape (n_distinct,)

        Returns
        -------
        predictions : array of shape (n_rows.sum(), ...)
        """
        total: Any = 0.0
        n_members = np.zeros(len(n_rows))
        for member, draw in zip(self.estimators_, draws, strict=True):
            left_out = np.append(draw, 0.0)[population.sample_of] == 0
            if not left_out.any():
                continue
            predictions = self._rows(self._predictions(member, _safe_indexing(X, np.flatnonzero(left_out))))
            everywhere = np.zeros((n_rows.sum(), *predictions.shape[1:]))
            everywhere[np.repeat(left_out, n_rows)] = predictions
            total = total + everywhere
            n_members += left_out
        if not n_members.all():
            warn(
                f"{int((n_members == 0).sum())} of {len(n_rows)} sequences were drawn for all members and have no "
                f"out-of-bag prediction: raise n_estimators",
                UserWarning,
            )
        total = np.broadcast_to(total, (n_rows.sum(), *np.shape(total)[1:]))
        with np.errstate(invalid="ignore"):
            return (total.T / np.repeat(n_members, n_rows)).T

    def _template(self) -> Any:
        return self._default_estimator() if self.estimator is None else self.estimator

    @abstractmethod
    def _default_estimator(self) -> Any:
        """What the members are if no estimator is given."""

    @abstractmethod
    def _validate_target(self, y: Any, n_rows: int) -> tuple[Any, Any]:
        """y as members take it, with `n_rows` rows that an index picks, and what tells one of them from another."""

    @abstractmethod
    def _learn_target(self, target: Any, counted: NDArray[np.bool_]) -> tuple[dict[str, Any], NDArray[np.int64] | None]:
        """The fitted attributes that describe the target, and if a draw needs two classes the class of each row."""

    @abstractmethod
    def _predictions(self, member: Any, X: Any) -> NDArray[np.float64]:
        """What a member says of each sequence, in arrays that can be averaged."""

    def _rows(self, predictions: NDArray[Any]) -> NDArray[np.float64]:
        """Predictions of a member as rows (n_rows, ...), one or several a sequence."""
        return predictions

    @abstractmethod
    def _score_out_of_bag(self, X: Any, target: Any, weight: Any, population: Any, draws: Any) -> None:
        """Set the out-of-bag attributes."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inner = get_tags(self._template())
        tags.input_tags = inner.input_tags
        tags.target_tags = inner.target_tags
        return tags


def indexable(X: Any, name: str) -> Any:
    """X in a format that scikit-learn counts and indexes by sequences."""
    return countable(plain(unwrapped_items(read_arrow(X), name)))


def _takes_weights(estimator: Any) -> bool:
    """Whether ``estimator.fit`` can be handed `sample_weight`."""
    if _routing_enabled():
        return bool(get_routing_for_object(estimator).consumes("fit", ("sample_weight",)))
    return bool(has_fit_parameter(estimator, "sample_weight"))


def _fit_member(
    template: Any,
    X: Any,
    y: Any,
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
