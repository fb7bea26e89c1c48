"""Checks that an estimator of sequences keeps the contract of this package, in the way of ``check_estimator``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from sklearn.base import BaseEstimator
from sklearn.exceptions import EstimatorCheckFailedWarning

from sklearn_rnn._sequence_case import Case, make_sequences
from sklearn_rnn._sequence_checks import CHECKS
from sklearn_rnn._warning import warn

__all__ = ["check_sequence_estimator"]


def check_sequence_estimator(
    estimator: BaseEstimator,
    X: Any = None,
    y: Any = None,
    *,
    expected_failed_checks: Mapping[str, str] | None = None,
    on_fail: Literal["raise", "warn"] | None = "raise",
) -> list[dict[str, Any]]:
    """Check that an estimator treats sequences as the estimators of this package do.

    What ``sklearn.utils.estimator_checks.check_estimator`` is for rows, this is for ragged sequences. The outputs for a
    sequence may not depend on the other sequences of a batch, on their order or number, or on the type of the numbers;
    they must depend on the order of the steps. The estimator survives ``clone``, pickle, joblib and a second ``fit``,
    works in parallel, refuses data of every wrong shape with a ``ValueError`` or ``TypeError``, and touches neither its
    input nor its parameters, the global random state, or the number of threads.

    Parameters
    ----------
    estimator : estimator
        A classifier or regressor of sequences, a tagger (with one label a step), or a Pipeline that ends in one. It is
        cloned, and every parameter called ``random_state`` is set to 0.
    X : list of sequences, optional
        Data to check with: for example token lists for a Pipeline that begins with a tokenizer. By default 16
        sequences of 2 to 7 steps with 3 features.
    y : array-like, optional
        The targets of X. By default what fits the estimator: labels, numbers, or lists of labels. A list of arrays of
        numbers, each as long as its sequence, checks a regressor of steps.
    expected_failed_checks : dict, optional
        Names of checks that may fail, and why.
    on_fail : {"raise", "warn"} or None, default="raise"
        Whether the first failure raises, each failure warns, or failures are just reported.

    Returns
    -------
    results : list of dict
        One for each check, with the keys ``estimator``, ``check_name``, ``status`` (``"passed"``, ``"failed"`` or
        ``"xfail"``), ``exception``, ``expected_to_fail`` and ``expected_to_fail_reason``.

    Raises
    ------
    AssertionError
        If a check fails and `on_fail` is ``"raise"``; the message begins with the name of the check.

    Examples
    --------
    >>> from sklearn_rnn import RNNRegressor
    >>> from sklearn_rnn.testing import check_sequence_estimator
    >>> results = check_sequence_estimator(RNNRegressor(hidden_size=4, max_epochs=2))
    >>> {result["status"] for result in results}
    {'passed'}
    >>> results[0]["check_name"]
    'check_not_fitted'
    """
    if on_fail not in ("raise", "warn", None):
        raise ValueError(f"on_fail={on_fail!r} must be 'raise', 'warn' or None")
    if (X is None) != (y is None):
        raise ValueError("X and y go together: give both or neither")
    case = Case(estimator, make_sequences(estimator) if X is None else (list(X), y))
    results = []
    for check in CHECKS:
        reason = (expected_failed_checks or {}).get(check.__name__)
        result = {
            "estimator": estimator,
            "check_name": check.__name__,
            "exception": None,
            "status": "passed",
            "expected_to_fail": reason is not None,
            "expected_to_fail_reason": reason,
        }
        results.append(result)
        try:
            check(case)
        except Exception as error:
            result.update(status="failed" if reason is None else "xfail", exception=error)
            message = f"{check.__name__} failed for {estimator!r}: {type(error).__name__}: {error}"
            if reason is None and on_fail == "raise":
                raise AssertionError(message) from error
            if reason is None and on_fail == "warn":
                warn(EstimatorCheckFailedWarning(**result))
    return results
