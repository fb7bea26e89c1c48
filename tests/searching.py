"""What searches in workers and rungs of a search are compared by."""

import numpy as np

WAYS = [("loky", 2), ("threading", 2), ("threading", 3)]


def columns(search, *, start=("split", "mean_t", "rank", "iter", "n_res")):
    """The results of a search but for times."""
    results = {name: np.asarray(part) for name, part in search.cv_results_.items() if name.startswith(start)}
    return {**results, "params": search.cv_results_["params"]}
