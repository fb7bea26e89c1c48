"""Marks and fixtures that all tests share."""

import numpy as np
import pytest
import torch


def pytest_runtest_setup(item):
    if "gpu" in item.keywords and not torch.cuda.is_available():
        pytest.skip("there is no CUDA device here")


@pytest.fixture
def rng():
    """A generator that is the same for each test."""
    return np.random.default_rng(0)
