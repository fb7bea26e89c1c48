"""Marks and fixtures that all tests share."""

import signal

import numpy as np
import pytest
import torch

from sklearn_rnn.networks import engines
from sklearn_rnn.networks.engines import Engine


def pytest_addoption(parser):
    parser.addoption("--engine", choices=["fused", "torch"], help="what the engine 'auto' takes in this run")


def pytest_configure(config):
    wanted = config.getoption("--engine")
    if wanted is None:
        return
    construct = Engine.__init__

    def construct_wanted(self, name="auto", n_threads=1):
        construct(self, wanted if name == "auto" else name, n_threads)

    Engine.__init__ = construct_wanted
    engines._default = Engine()


def pytest_runtest_setup(item):
    if "gpu" in item.keywords and not torch.cuda.is_available():
        pytest.skip("there is no CUDA device here")


@pytest.fixture
def rng():
    """A generator that is the same for each test."""
    return np.random.default_rng(0)


@pytest.fixture
def interruptible():
    """A Ctrl-C is heard, although a shell's background job ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def no_engine_stays_behind():
    """Whatever a test does to a fit, the engine of the context is that of before."""
    before = engines.current_engine()
    yield
    assert engines.current_engine() is before
