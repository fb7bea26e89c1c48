"""What the import of the package loads, and what waits until it is needed."""

import subprocess
import sys

import pytest

WAITING = {"dask", "distributed", "matplotlib", "numba", "polars", "ray", "seqeval", "tensorboard", "torch._dynamo"}
"""For a few calls, or heavy. pandas, rich and pyarrow are loaded by scikit-learn itself where they are installed."""


def loaded(code):
    """The modules that are there after `code` in a fresh interpreter, in the order in which they came."""
    command = [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


@pytest.fixture(scope="module")
def added():
    """What the package loads beside torch and scikit-learn."""
    return set(loaded("import torch, sklearn, sklearn_rnn")) - set(loaded("import torch, sklearn"))


def test_heavy_libraries_wait_until_they_are_needed(added):
    assert not WAITING & added


def test_few_libraries_come_along(added):
    libraries = {name.partition(".")[0] for name in added if not name.startswith("_")} - set(sys.stdlib_module_names)
    brought_by_rich = {"markdown_it", "mdurl", "pygments"}
    own = {"narwhals", "rich", "scipy", "sklearn", "sklearn_rnn", "skorch", "tabulate", "torch", "tqdm"}
    assert libraries <= own | brought_by_rich


def test_torch_and_scikit_learn_come_first_as_a_whole():
    order = loaded("import sklearn_rnn")
    assert order.index("torch") < order.index("sklearn") < order.index("sklearn_rnn.data")
