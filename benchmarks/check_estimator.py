"""scikit-learn's ``check_estimator`` with default parameters but for the epochs, as often in a row as wanted.

Runs it for the classifier and the regressor with each cell, prints the counts of each run, and exits with 1 if a check
failed in any. No failure is expected, and a check is skipped only where scikit-learn itself leaves it out::

    python benchmarks/check_estimator.py --repeat 20 --jobs 2
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
import warnings
from collections import Counter
from typing import Any

from joblib import Parallel, delayed
from sklearn.exceptions import SkipTestWarning
from sklearn.utils.estimator_checks import check_estimator

from sklearn_rnn import RNNClassifier, RNNRegressor

ESTIMATORS = {"RNNClassifier": RNNClassifier, "RNNRegressor": RNNRegressor}
CELLS = ("rnn", "lstm", "gru", "mgu")
EPOCHS = 50
"""By default small data sets are gone through some hundred times, which teaches the checks nothing."""


def run(name: str, cell_type: str, number: int) -> dict[str, Any]:
    """One run of all checks: its counts by status, its failures and its seconds."""
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkipTestWarning)
        results = check_estimator(ESTIMATORS[name](cell_type=cell_type, max_epochs=EPOCHS), on_fail=None)
    return {
        "what": f"{name}(cell_type={cell_type!r})",
        "number": number,
        "counts": Counter(result["status"] for result in results),
        "failures": [(result["check_name"], result["exception"]) for result in results if result["status"] == "failed"],
        "seconds": time.perf_counter() - start,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="runs of each estimator (default 1)")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes at a time (default 2)")
    options = parser.parse_args()

    tasks = itertools.product(range(1, options.repeat + 1), ESTIMATORS, CELLS)
    runs = Parallel(n_jobs=options.jobs, return_as="generator")(
        delayed(run)(name, cell_type, number) for number, name, cell_type in tasks
    )
    total: Counter[str] = Counter()
    for outcome in runs:
        total += outcome["counts"]
        counts = ", ".join(f"{outcome['counts'][status]} {status}" for status in ("passed", "failed", "skipped"))
        print(f"run {outcome['number']:>3}  {outcome['what']:<32} {counts}  ({outcome['seconds']:.0f} s)", flush=True)
        for check, error in outcome["failures"]:
            print(f"         {check}: {type(error).__name__}: {error}", flush=True)
    print(f"{options.repeat} run(s): {total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped")
    return 1 if total["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
