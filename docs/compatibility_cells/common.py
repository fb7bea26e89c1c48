"""Rows that are the same for every estimator."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import joblib
from sklearn.base import clone
from sklearn.model_selection import cross_val_score

from compatibility_cells.case import Case, Tools, check, equal


def add_common_rows(
    tools: Tools, model: Callable[[], Any], target: Callable[[Case], Any], answer: Callable[[Any, Any], Any]
) -> None:
    """Add joblib, clone, pickle and HTML repr.

    Parameters
    ----------
    tools : Tools
    model : callable
        Makes an estimator.
    target : callable
        Picks the target of a case.
    answer : callable
        Takes a fitted estimator and X, and returns the predictions to compare.
    """

    def parallel(backend: str) -> Callable[[Case], None]:
        def run(case: Case) -> None:
            alone = cross_val_score(model(), case.X, target(case), cv=2)
            with joblib.parallel_config(backend=backend, n_jobs=2):
                check(cross_val_score(model(), case.X, target(case), cv=2) == alone)

        return run

    tools.add("joblib threads")(parallel("threading"))
    tools.add("joblib processes")(parallel("loky"))

    @tools.add("clone")
    def _(case: Case) -> None:
        fitted = model().fit(case.X, target(case))
        copy = clone(fitted)
        check(copy.get_params() == fitted.get_params() and not hasattr(copy, "net_"))
        check(equal(answer(copy.fit(case.X, target(case)), case.X), answer(fitted, case.X)))

    @tools.add("pickle")
    def _(case: Case) -> None:
        fitted = model().fit(case.X, target(case))
        check(equal(answer(pickle.loads(pickle.dumps(fitted)), case.X), answer(fitted, case.X)))

    @tools.add("HTML repr")
    def _(case: Case) -> None:
        fitted = model().fit(case.X, target(case))
        check(type(fitted).__name__ in fitted._repr_html_() and "hidden_size" in fitted._repr_html_())
