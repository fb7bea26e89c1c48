"""Devices, threads, subnormal numbers and memory: the caller's settings come back, and errors say what to do."""

import numpy as np
import pytest
import torch

from sklearn_rnn import RNNClassifier
from sklearn_rnn.exceptions import OutOfMemoryError
from sklearn_rnn.networks.engines import kernels_installed
from sklearn_rnn.networks.fused import ForwardPass
from sklearn_rnn.networks.recurrent import RecurrentStack
from sklearn_rnn.training import compute
from sklearn_rnn.training.compute import (
    available_threads,
    compute_settings,
    explain_out_of_memory,
    flushes_subnormals,
    resolve_device,
    threads_to_use,
)

X = np.random.default_rng(0).normal(size=(12, 4, 2))
y = np.arange(12) % 2


@pytest.fixture(params=[False, True], ids=["keeps subnormals", "flushes subnormals"])
def flushing(request):
    """A caller that has set what happens to subnormal numbers."""
    before = flushes_subnormals()
    torch.set_flush_denormal(request.param)
    yield request.param
    torch.set_flush_denormal(before)


@pytest.fixture(params=[1, 2])
def threads(request):
    """A caller that has set its number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize("n_threads", [None, 1, 2, 1000])
@pytest.mark.parametrize("engine", ["torch", "auto"])
@pytest.mark.parametrize("recurrent_by_torch", [False, True])
def test_settings_inside_and_after(threads, flushing, n_threads, engine, recurrent_by_torch):
    by_torch = recurrent_by_torch or engine == "torch" or not kernels_installed()
    with compute_settings(n_threads, engine, recurrent_by_torch=recurrent_by_torch):
        assert torch.get_num_threads() == (min(n_threads or 1, available_threads()) if by_torch else 1)
        assert flushes_subnormals()
    assert torch.get_num_threads() == threads
    assert flushes_subnormals() == flushing


def test_threads_of_kernels(monkeypatch):
    monkeypatch.setattr(compute, "available_threads", lambda: 6)
    monkeypatch.setattr(compute, "in_worker", lambda: False)
    assert [threads_to_use(n) for n in (None, 1, 4, 100)] == [6, 1, 4, 6]
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert threads_to_use(None) == 3
    monkeypatch.setattr(compute, "in_worker", lambda: True)
    assert [threads_to_use(n) for n in (None, 4)] == [1, 4]


def test_settings_after_an_error(threads, flushing):
    with pytest.raises(ZeroDivisionError), compute_settings(2 if threads == 1 else 1):
        raise ZeroDivisionError
    assert torch.get_num_threads() == threads
    assert flushes_subnormals() == flushing


def test_an_estimator_leaves_settings_alone(threads, flushing):
    classifier = RNNClassifier(hidden_size=2, max_epochs=1, n_threads=2 if threads == 1 else 1)
    classifier.fit(X, y).predict(X)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        classifier.fit(X, y[:-1])
    assert torch.get_num_threads() == threads
    assert flushes_subnormals() == flushing


@pytest.mark.parametrize("block", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("engine", ["torch", "auto"])
def test_a_fit_has_gradients_where_the_caller_has_none(block, engine):
    classifier = RNNClassifier(hidden_size=2, max_epochs=2, engine=engine, random_state=0)
    expected = classifier.fit(X, y).decision_function(X)
    with block():
        classifier.fit(X, y)
        assert not torch.is_grad_enabled()
        np.testing.assert_array_equal(classifier.decision_function(X), expected)
    assert torch.is_grad_enabled()
    assert classifier.partial_fit(X, y).predict(X).shape == y.shape


@pytest.mark.parametrize("enabled", [False, True])
@pytest.mark.parametrize("parameters", [{}, {"dtype": "bfloat16"}, {"dtype": "bfloat16", "tbptt_steps": 2}], ids=str)
def test_a_fit_does_not_depend_on_autocast_of_the_caller(enabled, parameters):
    classifier = RNNClassifier(hidden_size=2, max_epochs=5, batch_size=4, engine="torch", random_state=0, **parameters)
    expected = classifier.fit(X, y).decision_function(X)
    with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
        classifier.fit(X, y)
        assert torch.is_autocast_enabled("cpu") == enabled
    np.testing.assert_array_equal(classifier.decision_function(X), expected)


def test_auto_device_without_cuda(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto") == torch.device("cpu")
    assert resolve_device("cpu") == torch.device("cpu")
    for device in ("cuda", "cuda:0"):
        with pytest.raises(ValueError, match=rf"device='{device}' is not on this machine, torch sees 0 CUDA device"):
            resolve_device(device)


def test_cuda_devices_are_counted(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device("auto") == torch.device("cuda")
    assert resolve_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(ValueError, match="torch sees 2 CUDA device"):
        resolve_device("cuda:2")


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("gpu", r"device='gpu' is not a device: wanted 'auto', 'cpu', 'cuda' or 'cuda:N'"),
        ("", r"device='' is not a device"),
        ("meta", r"device='meta' is not supported"),
    ],
)
def test_device_names(device, message):
    with pytest.raises(ValueError, match=message):
        resolve_device(device)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 7.45 GiB"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:130] DefaultCPUAllocator: can't allocate memory: 80000000 bytes"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
    ids=["numpy", "cuda", "cpu", "cuda driver", "cublas"],
)
def test_errors_about_memory_name_the_parameters_that_help(error):
    with pytest.raises(OutOfMemoryError, match=r"lower batch_size, max_length, hidden_size") as caught:  # noqa: SIM117
        with explain_out_of_memory(), explain_out_of_memory():
            raise error
    assert isinstance(caught.value, MemoryError)
    assert caught.value.__cause__ is error
    assert str(error) in str(caught.value)


def test_other_errors_pass():
    with pytest.raises(RuntimeError, match="mat1 and mat2"), explain_out_of_memory():
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")


def test_running_out_of_memory_in_fit_and_predict(monkeypatch):
    classifier = RNNClassifier(hidden_size=2, max_epochs=1).fit(X, y)
    net = classifier.net_

    def run_out(*args, **kwargs):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(RecurrentStack, "forward", run_out)
    monkeypatch.setattr(ForwardPass, "__init__", run_out)
    with pytest.raises(OutOfMemoryError, match=r"lower batch_size.*set tbptt_steps"):
        classifier.fit(X, y)
    with pytest.raises(OutOfMemoryError, match="give X in smaller parts"):
        classifier.predict(X)
    assert classifier.net_ is net, "the old fit is kept"
